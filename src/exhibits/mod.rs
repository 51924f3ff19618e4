//! The exhibits: one file each, and one line in [`all`].

pub mod attention;
pub mod gaussian_masks;
mod heads;
pub mod icl_algorithm;
pub mod icl_bayes;
pub mod icl_descent;
pub mod icl_optimum;
pub mod learning;
mod live;
mod looking;
pub mod method_wall;
pub mod next_character;
pub mod normgrad;
mod recorded;
pub mod retnet_decay;
pub mod rmt_decay;
#[cfg(test)]
pub mod template;
pub mod three_masks;

use std::sync::Arc;

use egui::{Rect, Ui};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use crate::data::Inputs;
use crate::graph::{Graph, Var};
use crate::models::{Kind, Zoo};
use crate::page::{self, Difference, Knobs, Page, Panel, Scene, Touch, View};
use crate::trace::Trace;
use crate::ui::{Card, Figure};

/// A live picture of one mechanism. Its state is the struct that implements it: serde, with defaults.
pub trait Exhibit {
    /// Title, claim, formula, paper, family.
    fn card(&self) -> &'static Card;

    /// Which models it shows; none if it makes its own.
    fn kind(&self) -> Option<Kind> {
        Some(Kind::Encoder)
    }

    /// Whether it shows what the sentence says.
    fn reads(&self) -> bool {
        matches!(self.kind(), Some(Kind::Encoder | Kind::Decoder))
    }

    /// Whether what it shows depends on the picture.
    fn sees(&self) -> bool {
        self.kind() == Some(Kind::Vision)
    }

    /// How far something is that goes on by itself ([`Self::go_on`]), such as a training run: with every change it is recorded
    /// anew, and what is shown meanwhile is not out of date.
    fn progress(&self) -> Option<u64> {
        None
    }

    /// Id of the model that it shows now; empty if it makes its own.
    fn model<'a>(&'a self, inputs: &'a Inputs) -> &'a str {
        if self.kind().is_some() { &inputs.model } else { "" }
    }

    /// Ids of all models that it shows now: [`Self::model`], and what stands beside it.
    fn models<'a>(&'a self, inputs: &'a Inputs) -> Vec<&'a str> {
        vec![self.model(inputs)]
    }

    /// Shows the model `id` from now on, where the exhibit has a model of its own.
    fn choose(&mut self, _id: &str) {}

    /// What to compute. Pure; an equal recording is not run again. `None`: the model is still missing, or it is of another
    /// kind, or there is nothing to compute ([`Self::refusal`] says why).
    fn record(&self, inputs: &Inputs, zoo: &Zoo) -> Option<Graph>;

    /// Why nothing is recorded though the model is there, in words that say what to do.
    fn refusal(&self, _inputs: &Inputs) -> String {
        "This exhibit cannot show a model of this kind. Choose another model.".to_owned()
    }

    /// Whether what goes on by itself has not begun, and the recorded trace is still what it looks like.
    fn is_new(&self) -> bool {
        true
    }

    /// Fields of the state that by themselves change no number, only what is shown of the numbers.
    fn looks(&self) -> &'static [&'static str] {
        &[]
    }

    /// The trace that is shown before anything was computed, if one is recorded for these inputs: that of the state as it
    /// opens, of which only what [`Self::looks`] may differ.
    fn recorded(&self, inputs: &Inputs) -> Option<Arc<Trace>> {
        let usual = Inputs::default();
        let reads = !self.reads() || inputs.text == usual.text;
        let sees = !self.sees() || inputs.picture == usual.picture;
        let inputs = reads && sees && self.model(inputs) == self.model(&usual);
        let state = self.state();
        let same = |it: &Map<String, Value>| it.keys().all(|field| self.looks().contains(&&**field));
        let same = state.as_object().is_none_or(same);
        recorded::recorded(self.card().id).filter(|_| inputs && same && self.is_new())
    }

    /// Knobs in rows, the most used first. They change `self`, hence the next recording.
    fn knobs(&mut self, k: &mut Knobs<'_, '_>);

    /// Goes on from a trace of what it recorded, where that takes more than one run; whether something else is recorded now.
    fn go_on(&mut self, _trace: &Trace) -> bool {
        false
    }

    /// Takes what a trace brings, once a frame before anything is drawn.
    fn heed(&mut self, _ui: &egui::Ui, _scene: &mut Scene<'_>) {}

    /// What to show. `None`: the numbers are still on their way.
    fn page(&self, scene: &Scene<'_>) -> Option<Page>;

    /// Takes what somebody did to a picture of the page: clicked a bar, a map or a head, dragged a handle.
    fn touched(&mut self, _panel: &str, _touch: Touch, _scene: &mut Scene<'_>) {}

    /// Draws a panel whose picture is the exhibit's own into the room that is available.
    fn draw(&mut self, _panel: &str, _ui: &mut egui::Ui, _scene: &mut Scene<'_>) {}

    /// The numbers of a panel whose picture is the exhibit's own; `None` while nothing is at hand.
    fn figure(&self, _panel: &str, _scene: &Scene<'_>) -> Option<crate::ui::Body> {
        None
    }

    /// The claims as measurements.
    fn checks(&self) -> Vec<Check>;

    /// The non-default state, for links and undo.
    fn state(&self) -> Value;
}

/// Shows an exhibit in `rect`; whether there was a page: the numbers may still be on their way.
pub fn show(
    exhibit: &mut dyn Exhibit,
    ui: &mut Ui,
    scene: &mut Scene<'_>,
    rect: Rect,
    view: &mut View,
) -> bool {
    if exhibit.go_on(scene.trace) {
        ui.ctx().request_repaint();
    }
    exhibit.heed(ui, scene);
    let Some(page) = exhibit.page(scene) else { return false };
    let mut own = |panel: &str, ui: &mut Ui, scene: &mut Scene<'_>| exhibit.draw(panel, ui, scene);
    for (panel, touch) in page::show(&page, ui, scene, rect, view, &mut own) {
        exhibit.touched(panel, touch, scene);
    }
    true
}

/// A panel as a figure for papers; `None` while its numbers are not at hand.
/// With `minus`, what is taken away from it.
pub fn figure(
    exhibit: &dyn Exhibit,
    panel: &str,
    scene: &Scene<'_>,
    minus: Option<&Difference>,
) -> Option<Figure> {
    let (page, card) = (exhibit.page(scene)?, exhibit.card());
    let panel: Panel = page.panels().into_iter().find(|it| it.name == panel)?.clone();
    let panel = minus.map_or(panel.clone(), |it| it.from(panel));
    let body = panel.picture.body().or_else(|| exhibit.figure(panel.name, scene))?;
    let title = if panel.title.is_empty() { panel.name } else { &*panel.title };
    let note = panel.note.as_deref().unwrap_or_default();
    let caption = format!("{} {note} {}, arXiv {} ({}).", panel.about, card.paper, card.reference, card.year);
    let caption = caption.split_whitespace().collect::<Vec<_>>().join(" ");
    Some(Figure {
        title: format!("{}: {title}", card.title),
        caption,
        body,
        dark: false,
        link: String::new(),
    })
}

/// The fields of a state that are not as they begin: what stands in a link.
fn differing<T: Default + Serialize>(state: &T) -> Value {
    let [mut now, usual] = [state, &T::default()].map(|it| serde_json::to_value(it).unwrap_or_default());
    if let Some(fields) = now.as_object_mut() {
        fields.retain(|name, value| usual.get(name) != Some(value));
    }
    now
}

/// The largest entry, signs dropped, `[1]`.
fn largest(x: Var<'_>) -> Var<'_> {
    x.flat().abs().max(0)
}

/// The largest entry of several tensors, signs dropped, `[1]`; none of none.
fn worst<'g>(tensors: impl IntoIterator<Item = Var<'g>>) -> Option<Var<'g>> {
    tensors.into_iter().map(largest).reduce(Var::max_with)
}

/// What an exhibit computes as it opens.
fn usual<T: Exhibit + Default>(zoo: &Zoo) -> Option<Graph> {
    T::default().record(&Inputs::default(), zoo)
}

/// Records a number as the error of a check.
fn error(measure: impl for<'g> FnOnce(&'g Graph) -> Option<Var<'g>>) -> Option<Graph> {
    let g = Graph::default();
    measure(&g)?.reshape(&[]).keep("error");
    Some(g)
}

/// A claim as a measurement: a number that must not exceed the tolerance.
pub struct Check {
    /// Short name.
    pub name: &'static str,
    /// What is measured, in words.
    pub claim: &'static str,
    /// Largest value that passes.
    pub tolerance: f32,
    /// Why the tolerance is what it is.
    pub because: &'static str,
    /// Id of the model that it is measured on; empty if it needs none.
    pub model: &'static str,
    /// How it is measured.
    pub measure: Measure,
    /// Whether a model learns for it first: too long for the program to measure while somebody looks. `vitrine check` does.
    pub learns: bool,
}

/// Claims as they are written down: a name and what is measured, then [`Check::says`], [`Check::within`], [`Check::on`].
impl Check {
    fn new(name: &'static str, measure: Measure) -> Self {
        Self { name, claim: "", tolerance: 0.0, because: "", model: "", measure, learns: false }
    }

    /// A claim about an input of its own: see [`Measure::Scalar`].
    pub fn of(name: &'static str, record: fn(&Zoo) -> Option<Graph>) -> Self {
        Self::new(name, Measure::Scalar(record))
    }

    /// A claim about what a tile shows, kept under the name `tap`: see [`Measure::Shown`].
    pub fn shown(name: &'static str, tap: &'static str, record: fn(&Zoo) -> Option<Graph>) -> Self {
        Self::new(name, Measure::Shown(tap, record))
    }

    /// That the devices agree: see [`Measure::Devices`].
    pub fn devices(record: fn(&Zoo) -> Option<Graph>) -> Self {
        Self::new("GPU equals CPU", Measure::Devices(record))
    }

    /// A claim about a model that learns for it, in the recording itself.
    pub fn learnt(name: &'static str, record: fn(&Zoo) -> Option<Graph>) -> Self {
        Self { learns: true, ..Self::of(name, record) }
    }

    /// What is measured, in words.
    #[must_use]
    pub fn says(self, claim: &'static str) -> Self {
        Self { claim, ..self }
    }

    /// The largest value that passes, and why.
    #[must_use]
    pub fn within(self, tolerance: f32, because: &'static str) -> Self {
        Self { tolerance, because, ..self }
    }

    /// Measured on the model of this id.
    #[must_use]
    pub fn on(self, model: &'static str) -> Self {
        Self { model, ..self }
    }
}

impl Measure {
    /// What is recorded to measure it, and the name of the scalar; that of a comparison of devices is made later.
    pub fn recording(&self) -> (fn(&Zoo) -> Option<Graph>, &'static str) {
        match *self {
            Self::Scalar(record) | Self::Devices(record) => (record, "error"),
            Self::Shown(name, record) => (record, name),
        }
    }
}

/// How a check is measured. `None` from the recording: its model is not loaded.
pub enum Measure {
    /// The recording keeps a scalar under the name `error`: of an input of its own, whatever a tile shows.
    Scalar(fn(&Zoo) -> Option<Graph>),
    /// What a tile shows is measured: its recording keeps a scalar under this name. Where there is no tile, the recording is
    /// that of the exhibit as it opens.
    Shown(&'static str, fn(&Zoo) -> Option<Graph>),
    /// The largest difference between CPU and GPU over all tensors that the recording keeps.
    Devices(fn(&Zoo) -> Option<Graph>),
}

/// An exhibit that can be opened.
pub struct Entry {
    /// The label on the wall.
    pub card: &'static Card,
    /// Opens it with a saved state.
    pub open: fn(Value) -> Result<Box<dyn Exhibit>, serde_json::Error>,
}

/// Opens an exhibit with a saved state, or as it begins where there is none. A number beyond f32 would be infinite, which no link
/// could hold again.
fn opened<T: Exhibit + Default + DeserializeOwned + 'static>(
    state: Value,
) -> Result<Box<dyn Exhibit>, serde_json::Error> {
    let state = if state.is_null() { T::default() } else { serde_json::from_value(state)? };
    serde_json::from_value::<T>(state.state())
        .map_err(|_| serde::de::Error::custom("a number in it is too large"))?;
    Ok(Box::new(state))
}

/// Every exhibit, in the order of the gallery.
pub fn all() -> Vec<Entry> {
    vec![
        attention::entry(),
        normgrad::entry(),
        gaussian_masks::entry(),
        retnet_decay::entry(),
        icl_descent::entry(),
        icl_optimum::entry(),
        icl_algorithm::entry(),
        icl_bayes::entry(),
        method_wall::entry(),
        next_character::entry(),
        learning::entry(),
        three_masks::entry(),
        rmt_decay::entry(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Cancel, cpu::Cpu};
    use crate::focus::Focus;
    use crate::platform::block_on;
    use crate::ui::Style;

    /// What `vitrine new-exhibit` copies holds what it claims, and shows it.
    #[test]
    fn the_template_is_an_exhibit() {
        let (exhibit, zoo) = ((template::entry().open)(Value::Null).unwrap(), Zoo::default());
        for check in exhibit.checks() {
            let graph = check.measure.recording().0(&zoo).unwrap();
            let trace = block_on(Cpu::new().run(&graph.finish(), &Cancel::default())).unwrap();
            if let Measure::Shown(name, _) = check.measure {
                let error = block_on(trace.get(name).unwrap().read()).unwrap().data[0];
                assert!(error > 0.0 && error <= check.tolerance, "{}: {error}", check.name);
            }
            let (focus, style) = (&mut Focus::default(), &Style::new(true, 1.0));
            let (inputs, pick) = (&mut Inputs::default(), &mut false);
            let scene = Scene { trace: &trace, focus, style, inputs, zoo: &zoo, pick };
            assert!(figure(&*exhibit, "pattern", &scene, None).is_some());
        }
    }
}
