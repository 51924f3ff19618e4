//! Its knobs.

use super::prior::{Functions, HIGHEST, Prior};
use super::{IclBayes, MOST};
use crate::page::Knobs;

pub(super) fn visit(state: &mut IclBayes, k: &mut Knobs<'_, '_>) {
    k.row(|k| {
        let plays = state.next.is_some();
        if k.button(if plays { "Pause" } else { "Play" }, "Lets one example come after the other.", true) {
            // At the end it begins anew.
            if !plays && state.examples >= MOST {
                state.examples = 0;
            }
            state.next = (!plays).then_some(0.0);
        }
        if k.slider("examples", &mut state.examples, 0..=MOST) {
            state.next = None;
        }
        let priors: &[(Prior, &str)] = if state.functions == Functions::Fourier {
            &[(Prior::Mixture, "three bands"), (Prior::Gaussian, "one band")]
        } else {
            &[(Prior::Mixture, "mixture"), (Prior::Gaussian, "Gaussian"), (Prior::Pool, "pool")]
        };
        let before = state.prior;
        k.choice("prior", &mut state.prior, priors);
        if state.prior != before {
            state.centres.clear();
        }
    });
    k.row(|k| {
        let functions = [
            (Functions::Lines, "lines"),
            (Functions::Sines, "sines"),
            (Functions::Fourier, "Fourier series"),
        ];
        k.choice("functions", &mut state.functions, &functions);
        k.slide("noise", &mut state.noise, 5..=100, |it| {
            it.custom_formatter(|it, _| format!("{:.2}", it / 100.0))
        });
    });
    k.row(|k| {
        let waves = state.functions == Functions::Fourier;
        k.only_if(!waves, |k| {
            k.slide("how wide each kind is", &mut state.spread, 10..=400, |it| {
                it.custom_formatter(|it, _| format!("{:.1}", it / 100.0))
            });
        });
        k.only_if(waves && state.prior == Prior::Gaussian, |k| {
            k.slider("highest frequency believed in", &mut state.band, 0..=HIGHEST);
        });
        k.slider("seed", &mut state.seed, 0..=99);
        let dragged = !state.moved.is_empty() || !state.centres.is_empty();
        if k.button("As drawn", "Undoes what was dragged", dragged) {
            state.moved.clear();
            state.centres.clear();
        }
    });
}
