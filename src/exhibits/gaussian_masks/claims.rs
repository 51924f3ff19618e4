//! The claims of mixture masks as measurements.

use super::{COMPONENTS, GaussianMasks, HEADS, Mixture, PATCH, PLACES, SIDE, parameters, patches};
use crate::data::Image;
use crate::exhibits::{Check, Exhibit, Inputs, Measure, largest, worst};
use crate::graph::{Graph, Var};
use crate::mechanisms::attention::{Attention, untapped};
use crate::mechanisms::gaussian_mask::{masked, mixture};
use crate::models::Zoo;

/// The claims.
pub(super) fn checks() -> Vec<Check> {
    let check = |name, claim, tolerance, because, measure| Check {
        name,
        claim,
        tolerance,
        because,
        model: "",
        measure,
    };
    let opened = |zoo: &Zoo| GaussianMasks::default().record(&Inputs::default(), zoo);
    vec![
        check(
            "rows sum to 1",
            "every row of attention with the mask: largest |sum - 1|",
            1e-5,
            "f32 sum of 64 weights",
            Measure::Shown("rows.error", opened),
        ),
        check(
            "Σα = 1, σ → ∞ is plain attention",
            "attention with such a mask against attention without one: largest difference",
            2e-6,
            "a width of 1e4 leaves 5e-7 to 1, on scores up to 4",
            Measure::Scalar(flat),
        ),
        check(
            "σ → 0 is not local",
            "weights of all other patches in a row, where no Gaussian reaches them: largest less smallest",
            0.0,
            "bit for bit: scores times 0 are equal",
            Measure::Scalar(narrow),
        ),
        check(
            "one patch away, σ = 1: e^(−1/2)",
            "the mask of one Gaussian between neighbours: difference",
            1e-5,
            "the code adds 1e-5 to the squared width, which moves it by 3e-6",
            Measure::Scalar(neighbour),
        ),
        check(
            "a mask of zeros is uniform",
            "attention under an element-wise mask before training: largest |weight - 1/64|",
            0.0,
            "64 is a power of two: exact",
            Measure::Scalar(zeros),
        ),
        check(
            "the sign of σ means nothing",
            "masks of σ and of −σ: largest difference",
            0.0,
            "it enters squared",
            Measure::Scalar(sign),
        ),
        check(
            "GPU equals CPU",
            "masks, scores and attention of the picture that one sees first, on the GPU and on the CPU: largest difference",
            1e-5,
            "f32 sums of 49 products, scores up to 3",
            Measure::Devices(opened),
        ),
    ]
}

fn mask<'g>(g: &'g Graph, mixtures: &[Mixture; HEADS]) -> Var<'g> {
    mixture(parameters(g, mixtures, 0), parameters(g, mixtures, 1), PLACES)
}

/// Attention of the first collage under a mask `[head, query, key]`.
fn pattern<'g>(g: &'g Graph, mask: Var<'g>) -> Option<Var<'g>> {
    let x = patches(g, &Image::default(), 4.0)?.broadcast(&[HEADS, SIDE * SIDE, PATCH * PATCH]);
    Some(masked(mask, x, x, x).pattern)
}

fn flat(_zoo: &Zoo) -> Option<Graph> {
    let g = Graph::default();
    let halves = [[[0.25, 1e4], [0.75, 1e4]]; HEADS];
    let x = patches(&g, &Image::default(), 4.0)?;
    let plain = Attention::scaled(PATCH * PATCH).record(x, x, x, untapped).pattern;
    largest(pattern(&g, mask(&g, &halves))? - plain).keep("error");
    Some(g)
}

fn narrow(_zoo: &Zoo) -> Option<Graph> {
    let g = Graph::default();
    let pattern = pattern(&g, mask(&g, &[[[1.0, 0.01]; COMPONENTS]; HEADS]))?;
    // A row's own patch stands out: it is left out of both ends.
    let own = PLACES.mask(&g, |i, j| i == j);
    let most = (pattern * (own * -1.0 + 1.0)).max(-1);
    let least = -(-(pattern + own)).max(-1);
    largest(most - least).keep("error");
    Some(g)
}

fn neighbour(_zoo: &Zoo) -> Option<Graph> {
    let g = Graph::default();
    let mask = mask(&g, &[[[1.0, 1.0], [0.0, 1.0]]; HEADS]);
    let beside = mask.slice(-2, 0, 1).slice(-1, 1, 1);
    worst([beside - (-0.5_f32).exp()])?.keep("error");
    Some(g)
}

fn zeros(_zoo: &Zoo) -> Option<Graph> {
    let g = Graph::default();
    let pattern = pattern(&g, g.constant(0.0).broadcast(&[HEADS, SIDE * SIDE, SIDE * SIDE]))?;
    largest(pattern - 1.0 / (SIDE * SIDE) as f32).keep("error");
    Some(g)
}

fn sign(_zoo: &Zoo) -> Option<Graph> {
    let g = Graph::default();
    let mixtures = GaussianMasks::default().mixtures;
    let turned = mixtures.map(|it| it.map(|[alpha, sigma]| [alpha, -sigma]));
    worst([mask(&g, &mixtures) - mask(&g, &turned)])?.keep("error");
    Some(g)
}
