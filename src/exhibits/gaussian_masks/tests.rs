//! Masks of trained models: what is put in their place, and how the decision reacts.

use std::sync::Arc;

use super::fit::Fit;
use super::learnt::{self, Learnt};
use super::{GaussianMasks, Source, fit};
use crate::data::{Image, Inputs};
use crate::engine::{Cancel, cpu::Cpu};
use crate::exhibits::{Exhibit as _, figure};
use crate::focus::Focus;
use crate::graph::Graph;
use crate::models::{Status, Vit, Zoo};
use crate::page::{Scene, Touch};
use crate::platform::block_on;
use crate::trace::Trace;
use crate::ui::Style;

fn zoo() -> Zoo {
    let mut zoo = Zoo::default();
    for id in [fit::MODEL, learnt::MODEL] {
        zoo.load(id);
        while zoo.ready(id).is_none() {
            zoo.poll();
            assert!(!matches!(zoo.status(id), Some(Status::Failed(_))), "{id} comes along");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }
    zoo
}

fn inputs() -> Inputs {
    Inputs { picture: Image::Clothes(32), ..Inputs::default() }
}

fn run(state: &GaussianMasks, zoo: &Zoo) -> Arc<Trace> {
    let recording = state.record(&inputs(), zoo).map(Graph::finish).unwrap();
    Arc::new(block_on(Cpu::new().run(&recording, &Cancel::default())).unwrap())
}

fn read(trace: &Trace, name: &str) -> Vec<f32> {
    block_on(trace.get(name).unwrap().read()).unwrap().data.to_vec()
}

fn fitted(fit: &Fit) -> GaussianMasks {
    GaussianMasks { source: Source::Fit, fit: fit.clone(), ..GaussianMasks::default() }
}

fn learnt(learnt: Learnt) -> GaussianMasks {
    GaussianMasks { source: Source::Learnt, learnt, ..GaussianMasks::default() }
}

#[test]
fn a_head_is_exchanged_for_its_mixture() {
    let (zoo, fit) = (zoo(), Fit { components: 3, ..Fit::default() });
    let trace = run(&fitted(&fit), &zoo);
    let residual = read(&trace, "residual");
    assert!(residual[1] < residual[0] && residual[1] == residual[2], "{residual:?}");
    assert_ne!(read(&trace, "logits"), read(&trace, "logits.before"), "the prediction reacts");
    let right = read(&trace, "right.before")[0];
    assert!(right > 0.8 && read(&trace, "right")[0] < 1.0, "{right} are right as the model was trained");
    let moved = Fit { moved: vec![[1.0, 0.3], [0.0, 1.0], [0.0, 1.0]], ..fit };
    let other = run(&fitted(&moved), &zoo);
    assert!(read(&other, "residual")[2] > residual[2], "nothing fits better than the best");
    assert_eq!(read(&other, "residual")[1], residual[1]);
    assert_eq!(read(&other, "logits.before"), read(&trace, "logits.before"));
}

/// As it was learnt nothing changes; with an α of one head doubled only that head's mask does, and the decision reacts.
#[test]
fn a_learnt_mask_can_be_moved() {
    let (zoo, at) = (zoo(), Learnt { layer: 1, head: 2, moved: vec![] });
    let trace = run(&learnt(at.clone()), &zoo);
    let (before, after) = (read(&trace, "logits.before"), read(&trace, "logits"));
    let apart = before.iter().zip(&after).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(apart < 1e-4, "logits of size 10 differ by {apart} though nothing was moved");
    assert!(read(&trace, "right.before")[0] > 0.7, "it tells clothes apart");
    let mut moved = at.now(&trace).unwrap();
    moved[0][0] += 3.0;
    let other = run(&learnt(Learnt { moved, ..at }), &zoo);
    assert_eq!(read(&other, "logits.before"), before);
    let change = |name: &str| -> Vec<bool> {
        let (a, b) = (read(&trace, name), read(&other, name));
        let heads = a.chunks(a.len() / 4).zip(b.chunks(b.len() / 4));
        heads.map(|(a, b)| a.iter().zip(b).any(|(a, b)| (a - b).abs() > 1e-4)).collect()
    };
    assert_eq!(change("mask"), [false, false, true, false]);
    assert_eq!(change("scores"), [false; 4], "the scores of its own layer come before the mask");
    assert_ne!(read(&other, "logits"), after, "the prediction reacts");
}

/// What is said of how training began follows from the seed that the file of the weights names.
#[test]
fn widths_began_as_is_shown() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/models/fashion-gmm/model.safetensors");
    let bytes = std::fs::read(file).unwrap();
    let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    let seed = header.metadata().as_ref().and_then(|it| it.get("seed")).cloned();
    assert_eq!(seed, Some(learnt::SEED.to_string()));
    let (zoo, state) = (zoo(), learnt(Learnt::default()));
    let trace = run(&state, &zoo);
    let (began, now) = (read(&trace, "sigma.began"), read(&trace, "sigma"));
    let config = &zoo.model::<Vit>(learnt::MODEL).unwrap().config;
    assert_eq!(began.len(), config.layers * 5 * config.heads);
    // Adam takes steps of at most about the learning rate, 2e-3 at its peak: nearer than other draws of deviation 10 would be.
    let apart = began.iter().zip(&now).map(|(a, b)| (a - b).abs()).sum::<f32>() / now.len() as f32;
    assert!(apart > 0.1 && apart < 6.0, "{apart} patches in the mean");
}

#[test]
fn every_panel_gives_its_numbers_and_answers() {
    let zoo = zoo();
    for source in [Source::Fit, Source::Learnt] {
        let mut state = GaussianMasks { source, ..GaussianMasks::default() };
        let trace = run(&state, &zoo);
        let (focus, style, pick) = (&mut Focus::default(), &Style::new(true, 1.0), &mut false);
        let mut scene = Scene { trace: &trace, focus, style, inputs: &mut inputs(), zoo: &zoo, pick };
        let page = state.page(&scene).unwrap();
        for panel in page.panels() {
            assert!(figure(&state, panel.name, &scene, None).is_some(), "{source:?}: {}", panel.name);
        }
        state.touched("profile", Touch::Dragged(0, [2.0, 0.1]), &mut scene);
        let [height, sigma] = if source == Source::Fit { &state.fit.moved } else { &state.learnt.moved }[0];
        assert!(sigma == 2.0 && height > 0.1, "{source:?}: σ {sigma}, {height}");
        if source == Source::Fit {
            state.touched("heads", Touch::Head([3, 2], false), &mut scene);
            assert_eq!((state.fit.layer, state.fit.head, state.fit.moved.len()), (3, 2, 0));
        } else {
            state.touched("heads", Touch::Clicked(3), &mut scene);
            assert_eq!((state.learnt.head, state.learnt.moved.len()), (3, 0));
        }
    }
}
