//! What a RetNet that learnt Shakespeare retains of the text that all tiles show, beside what a GPT attends to that learnt the
//! same, and what both expect next. Its half-lives can be dragged: then it reads with other decays than it was trained with.

mod picture;

use serde::{Deserialize, Serialize};

pub(super) use self::picture::page;
use super::gamma;
use crate::data::Inputs;
use crate::exhibits::{Check, worst};
use crate::graph::{Graph, Var};
use crate::mechanisms::field::{Places, effective_radius};
use crate::mechanisms::retention::{Form, Retention, half_life};
use crate::models::retnet::Config;
use crate::models::{Gpt, Retnet, Zoo};
use crate::nn::loss::surprise;
use crate::page::{Knobs, Scene, Touch};
use crate::tensor::Tensor;

/// The RetNet, and the GPT beside it.
pub(super) const MODELS: [&str; 2] = ["shakespeare-retnet", "shakespeare-gpt"];

/// What the taps of the GPT begin with.
const BESIDE: &str = "gpt/";

/// Which heads are shown large, and the half-lives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Trained {
    /// Layer and head of the RetNet.
    pub retention: [usize; 2],
    /// Layer and head of the GPT.
    pub attention: [usize; 2],
    /// After how many characters each head of the RetNet has half forgotten; empty: as it was trained.
    pub half_lives: Vec<f32>,
}

impl Default for Trained {
    fn default() -> Self {
        Self { retention: [1, 0], attention: [1, 0], half_lives: vec![] }
    }
}

impl Trained {
    /// After how many characters each head of `model` has half forgotten.
    fn half_lives(&self, model: &Retnet) -> Vec<f32> {
        if self.half_lives.len() == model.config.heads {
            return self.half_lives.clone();
        }
        model.config.gammas().into_iter().map(|it| half_life(it) as f32).collect()
    }

    /// Records both models on the end of the text.
    pub(super) fn record(&self, inputs: &Inputs, zoo: &Zoo) -> Option<Graph> {
        let (retnet, gpt) = (zoo.model::<Retnet>(MODELS[0])?, zoo.model::<Gpt>(MODELS[1])?);
        let longest = retnet.config.positions.min(gpt.config.positions);
        let ids = end(retnet, &inputs.text, longest);
        if ids.len() < 2 {
            return None;
        }
        let (g, half_lives) = (Graph::default(), self.half_lives(retnet));
        // As it was trained; then with the decays of `half_lives`.
        surprise(g.scope("trained", || retnet.record(&g, &ids)).logits, &ids).keep("surprise.trained");
        let gamma = g.input(&Tensor::from_fn(&[half_lives.len()], |at| gamma(half_lives[at[0]])));
        let decay = Retention { gamma, form: Form::Parallel }.decay(ids.len());
        for l in 0..retnet.config.layers {
            g.put(&format!("blocks.{l}.attn.mask"), decay);
        }
        surprise(retnet.record(&g, &ids).logits, &ids).keep("surprise.retention");
        keep_apart(&g, "", &retnet.config, gamma)?;
        surprise(g.scope("gpt", || gpt.record(&g, &ids)).logits, &ids).keep("surprise.attention");
        keep_heads(&g, "", "retention", retnet.config.layers)?;
        keep_heads(&g, BESIDE, "attention", gpt.config.layers)?;
        g.label("half-lives", half_lives.iter().map(f32::to_string).collect());
        Some(g)
    }

    /// What is done to the decays.
    pub(super) fn knobs(&mut self, k: &mut Knobs<'_, '_>) {
        let moved = !self.half_lives.is_empty();
        if k.button("As it was trained", "The half-lives of the paper, 1 − 2^(−5−h).", moved) {
            self.half_lives.clear();
        }
        if k.button("All short", "Half of everything is forgotten after three characters.", true) {
            self.half_lives = vec![3.0; picture::half_lives(k.scene.trace).len()];
        }
    }

    /// Takes a half-life that was dragged, or another head.
    pub(super) fn touched(&mut self, panel: &str, touch: Touch, scene: &Scene<'_>) {
        match (panel, touch) {
            (_, Touch::Dragged(h, [distance, _])) => {
                let mut now = picture::half_lives(scene.trace);
                if let Some(it) = now.get_mut(h) {
                    *it = distance.clamp(0.5, 1000.0);
                    self.half_lives = now;
                }
            }
            ("retention heads", Touch::Head(at, _)) => self.retention = at,
            ("attention heads", Touch::Head(at, _)) => self.attention = at,
            _ => {}
        }
    }
}

/// The last characters of a text that the model knows, at most `longest`.
fn end(model: &Retnet, text: &str, longest: usize) -> Vec<u32> {
    let from = text.chars().count().saturating_sub(longest);
    let end: String = text.chars().skip(from).collect();
    model.tokenizer.encode(&end).ids.clone()
}

/// Keeps the weights of all heads, what each of their rows is coloured by, and how far back each head looks in the mean,
/// `[layer, head]`.
fn keep_heads(g: &Graph, scope: &str, name: &str, layers: usize) -> Option<()> {
    let mut reaches = vec![];
    for l in 0..layers {
        let pattern = g.at(&format!("{scope}blocks.{l}.attn.pattern"))?;
        let [heads, n, _] = pattern.shape()[..] else { return None };
        pattern.keep(&format!("{name}.{l}"));
        pattern.abs().max(-1).reshape(&[heads, n]).keep(&format!("{name}.{l}.most"));
        let places = Places::line(n);
        let far = g.input(&places.table(|i, j| places.manhattan(i, j)));
        reaches.push(effective_radius(pattern, far).mean(-1).reshape(&[1, heads]));
    }
    Var::concat(&reaches, 0).keep(&format!("{name}.reach"));
    Some(())
}

/// How far what all heads give is from the parallel form, over the largest value.
fn apart<'g>(g: &'g Graph, scope: &str, config: &Config, gamma: Var<'g>, form: Form) -> Option<Var<'g>> {
    let layer = |l: usize| {
        let at = |name: &str| g.at(&format!("{scope}blocks.{l}.attn.{name}"));
        let (q, k, v, z) = (at("q")?, at("k")?, at("v")?, at("z")?);
        let k = k * (1.0 / (q.dim(-1) as f32).sqrt());
        Some((Retention { gamma, form }.record(q, k, v, None).z - z) / z.flat().abs().max(0))
    };
    worst((0..config.layers).map(layer).collect::<Option<Vec<_>>>()?)
}

/// Keeps how far the recurrent and the chunkwise form of a recorded model are from the parallel one.
pub(super) fn keep_apart<'g>(g: &'g Graph, scope: &str, config: &Config, gamma: Var<'g>) -> Option<()> {
    apart(g, scope, config, gamma, Form::Recurrent)?.keep("apart.recurrent");
    apart(g, scope, config, gamma, Form::Chunkwise(8))?.keep("apart.chunkwise");
    Some(())
}

/// What a step away is worth to every head of a model.
pub(super) fn gammas<'g>(g: &'g Graph, config: &Config) -> Var<'g> {
    let gammas = config.gammas();
    g.input(&Tensor::from_fn(&[gammas.len()], |at| gammas[at[0]] as f32))
}

/// What is measured on the trained RetNet.
pub(super) fn checks() -> Vec<Check> {
    vec![
        Check::of("trained: nothing looks ahead", trained_ahead)
            .says("what the trained RetNet expects after each character of the first half, when the second is another: largest difference")
            .within(0.0, "bit for bit: what comes later is multiplied by 0")
            .on(MODELS[0]),
    ]
}

/// A line that the models never saw (Twelfth Night, act 3, scene 2).
const UNSEEN: &str = "where you will hang like an icicle on a Dutchman's";

fn trained_ahead(zoo: &Zoo) -> Option<Graph> {
    let (g, model) = (Graph::default(), zoo.model::<Retnet>(MODELS[0])?);
    let ids = end(model, UNSEEN, model.config.positions);
    let half = ids.len() / 2;
    let other: Vec<u32> = ids[..half].iter().chain(ids[half..].iter().rev()).copied().collect();
    let [a, b] = [&ids, &other].map(|it| model.record(&g, it).logits.slice(0, 0, half));
    worst([a - b])?.keep("error");
    Some(g)
}
