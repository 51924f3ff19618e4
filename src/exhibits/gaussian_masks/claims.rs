//! The claims of mixture masks as measurements.

use super::{COMPONENTS, GaussianMasks, HEADS, PATCH, PLACES, SIDE, parameters, patches};
use crate::data::Image;
use crate::exhibits::{Check, largest, usual, worst};
use crate::graph::{Graph, Var};
use crate::mechanisms::attention::{Attention, untapped};
use crate::mechanisms::field::{Places, gaussian, preceded};
use crate::mechanisms::gaussian_fit::{Mixture, divergence};
use crate::mechanisms::gaussian_mask::{masked, mixture};
use crate::models::Zoo;
use crate::tensor::Tensor;

/// The claims.
pub(super) fn checks() -> Vec<Check> {
    let shown = Check::shown("rows sum to 1", "rows.error", usual::<GaussianMasks>)
        .says("every row of attention with the mask: largest |sum - 1|")
        .within(1e-5, "f32 sum of 64 weights");
    let devices = Check::devices(usual::<GaussianMasks>)
        .says("masks, scores and attention of the picture that one sees first, on the GPU and on the CPU: largest difference")
        .within(1e-5, "f32 sums of 49 products, scores up to 3");
    [vec![shown], attended(), masks(), fits(), vec![devices]].into_iter().flatten().collect()
}

/// What a mask does to attention.
fn attended() -> Vec<Check> {
    vec![
        Check::of("Σα = 1, σ → ∞ is plain attention", flat)
            .says("attention with such a mask against attention without one: largest difference")
            .within(2e-6, "a width of 1e4 leaves 5e-7 to 1, on scores up to 4"),
        Check::of("Σα = 3: scores times 3", hot)
            .says("attention with a wide mask of 3 against attention of three times the scores: largest difference")
            .within(1e-5, "a width of 1e4 leaves 5e-7 to 1, on scores up to 12"),
        Check::of("σ → 0 is not local", narrow)
            .says("weights of all other patches in a row, where no Gaussian reaches them: largest less smallest")
            .within(0.0, "bit for bit: scores times 0 are equal"),
        Check::of("a mask of zeros is uniform", zeros)
            .says("attention under an element-wise mask before training: largest |weight - 1/64|")
            .within(0.0, "64 is a power of two: exact"),
        Check::of("class token left alone", class_token)
            .says("scores of and with a token before the patches, multiplied by a mask that does not reach it: largest difference")
            .within(0.0, "bit for bit: times 1"),
    ]
}

/// What a mask is.
fn masks() -> Vec<Check> {
    vec![
        Check::of("one patch away, σ = 1: e^(−1/2)", neighbour)
            .says("the mask of one Gaussian between neighbours: difference")
            .within(1e-5, "the code adds 1e-5 to the squared width, which moves it by 3e-6"),
        Check::of("M is even, Σα at 0", even)
            .says("M_ij − M_ji, and M_ii less the sum of its α: largest difference")
            .within(0.0, "bit for bit: equal distances have the same number, and e⁰ is 1"),
        Check::of("σ = 2: 0.8825 a patch away", figures)
            .says("the mask of one Gaussian there, and from corner to corner of 8 x 8 patches (4.785e-6): relative difference")
            .within(1e-4, "these figures have four digits"),
        Check::of("M depends on distance alone", by_pairs)
            .says("the mask, and its formula at the distance of every pair of patches: largest difference")
            .within(1e-6, "f32 exponentials below 1.5"),
        Check::of("α ≥ 0: M falls with distance", falls)
            .says("what the mask gains from one distance to the next one: largest")
            .within(0.0, "bit for bit: every Gaussian falls"),
        Check::of("σ = −σ, any order", sign)
            .says("masks of σ and of −σ, and with their Gaussians exchanged: largest difference")
            .within(0.0, "it enters squared, and a + b = b + a"),
        Check::of("∂M/∂σ = α e d²σ / s², ∂M/∂α = e", slope)
            .says("the slopes by reverse mode against the formulas, s = σ² + 1e-5, over the largest: difference")
            .within(1e-5, "f32 sums of 4096 products, relative to the largest"),
    ]
}

/// What is fitted.
fn fits() -> Vec<Check> {
    vec![
        Check::of("a mixture is found", found_again)
            .says("share and width of the mixture that is fitted to weights that are one, against those: largest difference")
            .within(1e-3, "60 rounds of expectation maximisation, which comes closer by a constant factor a round"),
        Check::of("every round fits better", closer)
            .says("the most that a round of fitting adds to the divergence from attention of the picture")
            .within(1e-6, "rounding: the divergence is about 1 nat"),
    ]
}

fn mask<'g>(g: &'g Graph, mixtures: &[super::Mixture; HEADS]) -> Var<'g> {
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

fn hot(_zoo: &Zoo) -> Option<Graph> {
    let g = Graph::default();
    let x = patches(&g, &Image::default(), 4.0)?;
    let scaled = Attention::softmax(3.0 / (PATCH as f32)).record(x, x, x, untapped).pattern;
    largest(pattern(&g, mask(&g, &[[[1.0, 1e4], [2.0, 1e4]]; HEADS]))? - scaled).keep("error");
    Some(g)
}

fn class_token(_zoo: &Zoo) -> Option<Graph> {
    let g = Graph::default();
    let x = patches(&g, &Image::default(), 4.0)?.pad(-2, 1, 0, 0.1);
    let scores = x.matmul(x.t());
    let masked = preceded(mask(&g, &GaussianMasks::default().mixtures), 1, 1.0) * scores;
    let [row, column] = [-2, -1].map(|axis| masked.slice(axis, 0, 1) - scores.slice(axis, 0, 1));
    worst([row, column])?.keep("error");
    Some(g)
}

fn even(_zoo: &Zoo) -> Option<Graph> {
    let g = Graph::default();
    let mixtures = GaussianMasks::default().mixtures;
    let m = mask(&g, &mixtures);
    let own = m * PLACES.mask(&g, |i, j| i == j);
    let total = parameters(&g, &mixtures, 0).sum(0).reshape(&[HEADS, 1, 1]);
    worst([m - m.t(), own.sum(-1) - total])?.keep("error");
    Some(g)
}

fn slope(_zoo: &Zoo) -> Option<Graph> {
    let g = Graph::default();
    let mixtures = GaussianMasks::default().mixtures;
    let [alpha, sigma] = [0, 1].map(|what| parameters(&g, &mixtures, what));
    // Some weights for the entries of the mask, so that one number depends on all of them.
    let weights = g.input(&PLACES.table(|i, j| ((i * 7 + j * 3) % 11) as f64 / 11.0));
    let total = (mixture(alpha, sigma, PLACES) * weights).flat().sum(0);
    let [by_sigma, by_alpha] = g.grad(total, &[sigma, alpha])[..] else { return None };
    let squared = g.input(&PLACES.table(|i, j| PLACES.squared(i, j))).flat();
    let [alpha, sigma] = [alpha, sigma].map(|it| it.reshape(&[COMPONENTS, HEADS, 1]));
    let s = sigma * sigma + 1e-5;
    let each = (-(squared / s) * 0.5).exp() * weights.flat(); // [component, head, pair]
    let slopes = [(by_sigma, alpha * each * squared * sigma / (s * s)), (by_alpha, each)];
    let errors = slopes.map(|(found, formula)| {
        let wanted = formula.sum(-1).reshape(&[COMPONENTS, HEADS]);
        largest(found - wanted) / largest(wanted)
    });
    worst(errors)?.keep("error");
    Some(g)
}

fn found_again(_zoo: &Zoo) -> Option<Graph> {
    let g = Graph::default();
    let numbers = |of: [f32; 2]| g.input(&Tensor::new(&[2, 1], of));
    let known = Mixture { share: numbers([0.6, 0.4]), sigma: numbers([0.7, 3.0]) };
    let fitted = Mixture::fitted(known.weights(PLACES), PLACES, 2, 60);
    worst([fitted.share - known.share, fitted.sigma - known.sigma])?.keep("error");
    Some(g)
}

fn closer(_zoo: &Zoo) -> Option<Graph> {
    let g = Graph::default();
    let x = patches(&g, &Image::default(), 4.0)?;
    let attention = Attention::scaled(PATCH * PATCH).record(x, x, x, untapped).pattern;
    let after = |steps| divergence(attention, Mixture::fitted(attention, PLACES, 2, steps).weights(PLACES));
    let rounds: Vec<Var<'_>> = (0..8).map(after).collect();
    let more: Vec<Var<'_>> = rounds.windows(2).map(|it| it[1] - it[0]).collect();
    let most = Var::concat(&more, 0).max(0);
    // A round that adds nothing measures 0, which is not the same as none.
    most.max_with(g.constant(1e-9)).keep("error");
    Some(g)
}

fn figures(_zoo: &Zoo) -> Option<Graph> {
    let g = Graph::default();
    let mask = mask(&g, &[[[1.0, 2.0], [0.0, 1.0]]; HEADS]);
    let of_corner = |j: usize| mask.slice(-2, 0, 1).slice(-1, j, 1);
    worst([of_corner(1) / 0.882_497 - 1.0, of_corner(SIDE * SIDE - 1) / 4.785e-6 - 1.0])?.keep("error");
    Some(g)
}

fn by_pairs(_zoo: &Zoo) -> Option<Graph> {
    let g = Graph::default();
    let mixtures = GaussianMasks::default().mixtures;
    let pair = |[i, j]: [usize; 2], h: usize| -> f64 {
        mixtures[h].iter().map(|it| gaussian(f64::from(it[0]), f64::from(it[1]), PLACES.squared(i, j))).sum()
    };
    let n = SIDE * SIDE;
    let wanted = Tensor::from_fn(&[HEADS, n, n], |at| pair([at[1], at[2]], at[0]) as f32);
    worst([mask(&g, &mixtures) - g.input(&wanted)])?.keep("error");
    Some(g)
}

fn falls(_zoo: &Zoo) -> Option<Graph> {
    let g = Graph::default();
    let mixtures = GaussianMasks::default().mixtures.map(|it| it.map(|[alpha, sigma]| [alpha.abs(), sigma]));
    let line = mixture(parameters(&g, &mixtures, 0), parameters(&g, &mixtures, 1), Places::line(SIDE));
    let row = line.slice(-2, 0, 1);
    let gains = row.slice(-1, 1, SIDE - 1) - row.slice(-1, 0, SIDE - 1);
    worst([gains.max_with(g.constant(0.0))])?.keep("error");
    Some(g)
}

fn sign(_zoo: &Zoo) -> Option<Graph> {
    let g = Graph::default();
    let mixtures = GaussianMasks::default().mixtures;
    let turned = mixtures.map(|it| it.map(|[alpha, sigma]| [alpha, -sigma]));
    let exchanged = mixtures.map(|[a, b]| [b, a]);
    let plain = mask(&g, &mixtures);
    worst([turned, exchanged].map(|it| plain - mask(&g, &it)))?.keep("error");
    Some(g)
}
