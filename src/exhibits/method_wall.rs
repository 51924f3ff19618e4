//! The method wall: what different methods say of one decision, under one cursor and on one scale.
//!
//! Two of them can be taken from each other, `m_A - m_B`, and put to the test by what they call important: take it away
//! from the picture, or show nothing else (deletion and insertion, Petsiuk, Das & Saenko 2018, arXiv 1806.07421). And the
//! sanity check of Adebayo et al. 2018 (arXiv 1810.03292): let the model forget what it learnt, from its answer down; a map
//! that does not change has never shown what the model learnt.

mod claims;
mod path;
mod picture;
mod sentence;
mod words;

use std::cell::RefCell;

use serde::{Deserialize, Serialize};

use self::path::Path;
use self::words::Wall;
use super::looking::Looking;
use super::{Card, Check, Entry, Exhibit, Inputs, Scene, differing, largest, opened};
use crate::graph::{Graph, Var};
use crate::models::{Gpt, Kind, Vision, Zoo};
use crate::nn::Params;
use crate::page::{Knobs, Page, Touch};
use crate::saliency::combine::{normalised, resized};
use crate::saliency::forget::{Forgotten, groups};
use crate::saliency::gradient::Walked;
use crate::saliency::masking::{deletion, insertion};
use crate::saliency::meta::rank_correlation;
use crate::saliency::method::{FromBlack, Look, Method, from_black};
use crate::saliency::probe::probe;
use crate::tensor::Tensor;
use crate::trace::Trace;

/// The label on the wall.
pub static CARD: Card = Card {
    id: "method-wall",
    title: "Method wall",
    claim: "Ask ten methods what decided, and they disagree; some do not even ask the model.",
    formula: r"\rho\!\left(m_A(\theta),\, m_B(\theta)\right), \qquad \rho\!\left(m(\theta),\, m(\tilde\theta)\right)",
    paper: "Adebayo et al., Sanity Checks for Saliency Maps",
    year: 2018,
    reference: "1810.03292",
    family: "Saliency",
    more: "Every map is divided by its largest value, so that all share one scale. A click compares: the last two methods that \
           were clicked are A and B. Below, A minus B, and what happens to the evidence for the class when the places that a \
           method calls important are blackened first (it should fall fast) or are the only ones to be shown (it should \
           rise fast).\n\n\
           The slider lets layers forget what they learnt, from the answer down: every tensor is drawn anew with the mean and the deviation that it had. \
           The class that is explained stays the one that was asked, or that the trained model finds likeliest. \
           The number on a map is the rank correlation with the map of the trained model. When everything is forgotten \
           and a map is still the same, it shows the picture and not what the model knows.",
};

/// The exhibit's state.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct MethodWall {
    /// Model, class, picture.
    #[serde(flatten)]
    pub looking: Looking,
    /// The layer at which methods of layers look; the last but one if none is chosen.
    pub layer: Option<usize>,
    /// The methods that are compared.
    pub pair: Pair,
    /// How many layers have forgotten what they learnt, from the answer down.
    pub forgotten: usize,
    /// Whether a sentence is read, instead of looking at a picture.
    pub reads: bool,
    /// Parameters that have learnt nothing.
    #[serde(skip)]
    untrained: Forgotten,
    /// How closely integrated gradients are computed.
    #[serde(skip)]
    path: RefCell<Path>,
}

/// Two methods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair {
    /// The one.
    pub a: Method,
    /// The other.
    pub b: Method,
}

impl Default for Pair {
    fn default() -> Self {
        Self { a: Method::NormGrad, b: Method::GradCam }
    }
}

/// Maps are compared in this size.
const GRID: usize = 28;

/// Opens the exhibit.
pub fn entry() -> Entry {
    Entry { card: &CARD, open: opened::<MethodWall> }
}

/// What all methods say of a picture.
#[derive(Clone)]
struct Said<'g> {
    /// Every method's map `[row, col]`, what speaks against dropped.
    maps: Vec<Var<'g>>,
    /// The class that is explained.
    one_hot: Var<'g>,
    /// Integrated gradients, and what they should sum to.
    from_black: FromBlack<'g>,
}

/// The methods that a model has.
fn methods(model: &dyn Vision) -> Vec<Method> {
    let attends = !model.patterns().is_empty();
    Method::ALL.into_iter().filter(|it| attends || !it.attends()).collect()
}

impl MethodWall {
    /// The layer at which methods of layers look, of `n`.
    fn layer(&self, n: usize) -> usize {
        self.layer.unwrap_or(n.saturating_sub(2)).min(n.saturating_sub(1))
    }

    /// The methods that are compared, of those that are there: a link may name one that another model has.
    fn pair(&self, there: &[Method]) -> Pair {
        let usual = Pair::default();
        let or = |it, other| match it {
            it if there.contains(&it) => it,
            _ if other == usual.a => usual.b,
            _ => usual.a,
        };
        let a = or(self.pair.a, self.pair.b);
        Pair { a, b: or(self.pair.b, a) }
    }

    /// What all methods say of the picture.
    fn said<'g>(
        &self,
        model: &dyn Vision,
        p: &Params<'_, 'g>,
        image: Var<'g>,
        path: Walked<'g>,
        wanted: impl FnOnce(Var<'g>) -> Var<'g>,
    ) -> Said<'g> {
        let probe = probe(model, image, p, wanted);
        let look = Look { layer: self.layer(probe.layers.len()), path };
        let map = |method: Method| {
            let map = method.map(model, p, &probe, look)?;
            Some(map.max_with(map.graph().constant(0.0)))
        };
        Said {
            maps: methods(model).into_iter().filter_map(map).collect(),
            one_hot: probe.one_hot,
            from_black: from_black(model, p, &probe, path),
        }
    }

    fn wall(&self, g: &Graph, model: &dyn Vision, image: &Tensor, path: &Path) {
        let (image, methods) = (g.input(image), methods(model));
        let trained = Params::new(g, model.weights());
        let wanted = |logits| self.looking.wanted(model).one_hot(logits);
        let forgets = self.forgotten > 0;
        let walked = [usize::from(forgets), 0].map(|which| path.walked(image, which));
        let before = self.said(model, &trained, image, walked[0], wanted);
        // What forgets is asked of the class that it knew: maps of different classes could not be compared.
        let one_hot = before.one_hot;
        let forgotten =
            forgets.then(|| self.untrained.parameters(g, model.weights(), &names(model), self.forgotten));
        let p = forgotten.as_ref().map_or(trained, |it| Params::recorded(g, it));
        let said = match forgotten {
            Some(_) => g.scope("forgotten", || self.said(model, &p, image, walked[1], |_| one_hot)),
            None => before.clone(),
        };
        path.keep(g, &said.from_black, forgets.then_some(&before.from_black));
        let small: Vec<Var<'_>> = said.maps.iter().map(|it| small(*it)).collect();
        self.keep(g, &methods, &said.maps, &small);
        if forgotten.is_some() {
            keep_sanity(&small, &before.maps.into_iter().map(self::small).collect::<Vec<_>>());
        }
        for (map, name) in self.compared(&methods, &small).into_iter().flatten().zip(["a", "b"]) {
            deletion(model, &p, image, map, one_hot).keep(&format!("deletion.{name}"));
            insertion(model, &p, image, map, one_hot).keep(&format!("insertion.{name}"));
        }
    }

    /// The maps of A and B.
    fn compared<'g>(&self, methods: &[Method], maps: &[Var<'g>]) -> Option<[Var<'g>; 2]> {
        let Pair { a, b } = self.pair(methods);
        let of = |wanted: Method| Some(maps[methods.iter().position(|it| *it == wanted)?]);
        Some([of(a)?, of(b)?])
    }

    /// Keeps all maps, and A minus B of `small`, the same maps in one size.
    fn keep(&self, g: &Graph, methods: &[Method], maps: &[Var<'_>], small: &[Var<'_>]) {
        g.label("methods", methods.iter().map(|it| it.name().to_owned()).collect());
        for (i, map) in maps.iter().enumerate() {
            largest(map.keep(&format!("maps.{i}"))).keep(&format!("maps.{i}.peak"));
        }
        if let Some([a, b]) = self.compared(methods, small) {
            (normalised(a).keep("compared.a") - normalised(b).keep("compared.b")).keep("difference");
            rank_correlation(a.flat(), b.flat()).keep("agreement");
        }
    }
}

/// Keeps how much every map is still what it was `before` the model forgot.
fn keep_sanity(now: &[Var<'_>], before: &[Var<'_>]) {
    for (i, (now, before)) in now.iter().zip(before).enumerate() {
        rank_correlation(now.flat(), before.flat()).keep(&format!("sanity.{i}"));
    }
}

/// The names of a model's parameters.
fn names(model: &dyn Vision) -> Vec<String> {
    model.sizes().parameters().into_iter().map(|(name, _)| name).collect()
}

/// A map in the size in which maps are compared.
fn small(map: Var<'_>) -> Var<'_> {
    resized(map, [GRID; 2])
}

impl Exhibit for MethodWall {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn kind(&self) -> Option<Kind> {
        Some(if self.reads { Kind::Decoder } else { Kind::Vision })
    }

    fn progress(&self) -> Option<u64> {
        self.path.borrow().progress().filter(|_| !self.reads)
    }

    fn go_on(&mut self, trace: &Trace) -> bool {
        !self.reads && self.path.get_mut().go_on(trace)
    }

    fn model<'a>(&'a self, _inputs: &'a Inputs) -> &'a str {
        if self.reads { sentence::MODEL } else { &self.looking.model }
    }

    fn choose(&mut self, id: &str) {
        if !self.reads {
            id.clone_into(&mut self.looking.model);
        }
    }

    fn record(&self, inputs: &Inputs, zoo: &Zoo) -> Option<Graph> {
        if self.reads {
            let g = Graph::default();
            sentence::record(self, &g, zoo.model::<Gpt>(sentence::MODEL)?, &inputs.text)?;
            return Some(g);
        }
        let (model, image) = self.looking.sees(inputs, zoo)?;
        let g = Graph::new(&["logits"], &[]);
        Looking::label(&g, model);
        g.label("forget", groups(&names(model)));
        let mut path = self.path.borrow_mut();
        path.belongs_to((
            inputs.picture.clone(),
            self.looking.model.clone(),
            self.looking.class,
            self.forgotten,
        ));
        self.wall(&g, model, &image, &path);
        Some(g)
    }

    fn refusal(&self, inputs: &Inputs) -> String {
        if self.reads {
            return "There is nothing to explain. Type at least two characters that the model knows."
                .to_owned();
        }
        Looking::refusal(inputs)
    }

    fn looks(&self) -> &'static [&'static str] {
        &["opacity", "contour"]
    }

    fn knobs(&mut self, k: &mut Knobs<'_, '_>) {
        let trace = k.scene.trace;
        k.row(|k| {
            // A slider begins a line, as its name does not wrap.
            k.slider("layers that forgot", &mut self.forgotten, 0..=trace.words("forget").len());
            let before = self.reads;
            k.choice("", &mut self.reads, &[(false, "a picture"), (true, "a sentence")]);
            if self.reads != before {
                // The other model has other layers.
                (self.layer, self.forgotten) = (None, 0);
            }
            k.pick("layer", &mut self.layer, trace.words("layers"), "last but one");
        });
        let sees = !self.reads;
        k.row(|k| {
            k.only_if(sees, |k| {
                k.model(Kind::Vision, &mut self.looking.model);
                self.looking.knobs(k);
            });
        });
        k.row(|k| k.only_if(sees, |k| self.looking.overlay_knobs(k)));
    }

    fn page(&self, scene: &Scene<'_>) -> Option<Page> {
        let wall = Wall::new(self, scene.trace);
        if self.reads { sentence::page(&wall, scene) } else { picture::page(self, &wall) }
    }

    fn touched(&mut self, panel: &str, touch: Touch, scene: &mut Scene<'_>) {
        match (panel, touch) {
            ("classes", Touch::Clicked(i)) => self.looking.ask(i, scene.trace),
            ("all methods", Touch::Clicked(i)) => {
                let Wall { methods, pair, .. } = Wall::new(self, scene.trace);
                methods.get(i).copied().into_iter().for_each(|it| self.pick(it, pair));
            }
            _ => {}
        }
    }

    fn checks(&self) -> Vec<Check> {
        claims::checks()
    }

    fn state(&self) -> serde_json::Value {
        differing(self)
    }
}
