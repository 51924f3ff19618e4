//! Attention at a temperature: how sharply queries choose among keys, both drawn by chance (Hinton, Vinyals & Dean 2015,
//! arXiv 1503.02531, section 2, of the scores of Vaswani et al. 2017, arXiv 1706.03762).

use serde::{Deserialize, Serialize};

use super::{Card, Check, Entry, Exhibit, Inputs, Scene, differing, largest, opened, usual};
use crate::data::Random;
use crate::graph::Graph;
use crate::mechanisms::attention::{Attention, untapped};
use crate::models::{Kind, Zoo};
use crate::page::{Field, Fields, Knobs, Map, Page, Picture, Room, panel};
use crate::tensor::Tensor;

/// The label on the wall.
pub static CARD: Card = Card {
    id: "template",
    title: "Template",
    claim: "The hotter the softmax, the more alike are the weights of a query.",
    formula: r"\mathrm{softmax}\!\left(\frac{QK^{\top}}{T \sqrt{d_{\text{head}}}}\right)",
    paper: "Hinton, Vinyals & Dean, Distilling the Knowledge in a Neural Network",
    year: 2015,
    reference: "1503.02531",
    family: "Attention",
    more: "Every row is a query, every column a key; all are drawn from a normal distribution.",
};

/// Queries, and as many keys.
const TOKENS: usize = 24;

/// Channels of queries and keys.
const D_HEAD: usize = 16;

/// The exhibit's state: its knobs. What differs from the defaults stands in links.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Template {
    /// What the scores are divided by.
    pub temperature: f32,
}

impl Default for Template {
    fn default() -> Self {
        Self { temperature: 1.0 }
    }
}

/// Opens the exhibit.
pub fn entry() -> Entry {
    Entry { card: &CARD, open: opened::<Template> }
}

impl Exhibit for Template {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn kind(&self) -> Option<Kind> {
        None // it shows no model
    }

    fn record(&self, _inputs: &Inputs, _zoo: &Zoo) -> Option<Graph> {
        let (g, mut chance) = (Graph::default(), Random::new(0));
        let mut drawn = || Tensor::from_fn(&[1, TOKENS, D_HEAD], |_| chance.normal() as f32); // [head, pos, d_head]
        let [q, k] = [drawn(), drawn()].map(|it| g.input(&it));
        let pattern = Attention::scaled(D_HEAD)
            .record(q / g.input(&Tensor::scalar(self.temperature)), k, k, untapped)
            .pattern;
        pattern.keep("pattern");
        largest(pattern).reshape(&[]).keep("pattern.most");
        largest(pattern.sum(-1) - 1.0).reshape(&[]).keep("rows.error");
        Some(g)
    }

    fn knobs(&mut self, k: &mut Knobs<'_, '_>) {
        k.row(|k| {
            k.slide("temperature", &mut self.temperature, 0.1..=10.0, |it| it.logarithmic(true));
        });
    }

    fn page(&self, scene: &Scene<'_>) -> Option<Page> {
        let map = Map::of(scene.trace.get("pattern")?, 0)?.over(scene.trace.get("pattern.most"), false);
        let (fields, legend) = (vec![Field::new(Some(map), "")], Some("weight".to_owned()));
        let picture = Picture::Fields(Fields { fields, value: "weight", legend, ..Fields::default() });
        let room = Room::shaped(1.0, [130.0, 150.0], [0.0, 60.0]);
        let panel = panel("pattern", 0, room).titled("What each query looks at").shows(picture);
        Some(panel.read("Rows are queries, columns keys.").into())
    }

    fn checks(&self) -> Vec<Check> {
        vec![
            Check::shown("rows sum to 1", "rows.error", usual::<Self>)
                .says("how far the weights of any query are from a sum of 1: largest difference")
                .within(1e-6, "f32 sums of 24 weights below 1"),
            Check::devices(usual::<Self>)
                .says("weights on the GPU and on the CPU: largest difference")
                .within(1e-5, "f32 exponentials below 1"),
        ]
    }

    fn state(&self) -> serde_json::Value {
        differing(self)
    }
}
