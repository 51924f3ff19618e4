//! Fields of distance and what is made of them: Gaussian mixture masks, Manhattan decay and retention by what their papers
//! say of them, in three forms that agree, with their derivatives; on both devices.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[expect(dead_code, reason = "other tests read goldens")]
mod golden;
mod reference;

use std::collections::BTreeMap;

use proptest::prelude::*;
use vitrine::data::Random;
use vitrine::engine::Device;
use vitrine::graph::{Graph, Op, Recording, Var};
use vitrine::mechanisms::attention::{Attention, Normaliser, Positive, Score, untapped};
use vitrine::mechanisms::field::{self, Places, causal};
use vitrine::mechanisms::gaussian_mask::{masked, mixture};
use vitrine::mechanisms::retention::{self, Form, Retention, rms_norm, rotate};
use vitrine::mechanisms::rmt::{self, Manhattan};
use vitrine::tensor::{Tensor, size};

fn random(shape: &[usize], seed: u64) -> Tensor {
    let mut random = Random::new(seed);
    Tensor::from_fn(shape, |_| random.between(-1.0, 1.0) as f32)
}

fn numbers(shape: &[usize], data: &[f64]) -> Tensor {
    Tensor::new(shape, data.iter().map(|x| *x as f32).collect::<Vec<_>>())
}

/// What `f` records, on a device.
fn on<const N: usize>(device: &mut Device, f: impl for<'g> FnOnce(&'g Graph) -> [Var<'g>; N]) -> [Tensor; N] {
    let g = Graph::default();
    for (i, it) in f(&g).into_iter().enumerate() {
        it.keep(&i.to_string());
    }
    let found: BTreeMap<String, Tensor> = golden::run(device, g);
    std::array::from_fn(|i| found[&i.to_string()].clone())
}

fn run<const N: usize>(f: impl for<'g> FnOnce(&'g Graph) -> [Var<'g>; N]) -> [Tensor; N] {
    on(&mut golden::cpu(), f)
}

/// Both devices, or the CPU alone if `NO_GPU=1` says that there is no other.
fn devices() -> Vec<Device> {
    let without = std::env::var("NO_GPU").is_ok_and(|it| it == "1");
    [golden::cpu()].into_iter().chain((!without).then(golden::gpu)).collect()
}

/// Relative to the largest element. Where sums of numbers near 1 nearly cancel, their rounding, 1e-7, is all that is left.
#[track_caller]
fn close(found: &Tensor, wanted: &Tensor, tolerance: f32) {
    let scale = wanted.data.iter().fold(1e-7 / tolerance, |most, x| most.max(x.abs()));
    let difference = found.max_abs_diff(wanted);
    assert!(difference <= tolerance * scale, "differs by {difference} of {scale}");
}

fn plain<'g>(q: Var<'g>, k: Var<'g>, v: Var<'g>, scale: f32) -> Var<'g> {
    Attention::softmax(scale).record(q, k, v, untapped).z
}

fn qkv(g: &Graph, heads: usize, pos: usize, d: usize, seed: u64) -> [Var<'_>; 3] {
    [0, 1, 2].map(|i| g.input(&random(&[heads, pos, d], seed + i)))
}

mod drawn {
    use super::*;

    /// A formula has the same value as a number and as a recorded tensor, for every pair of places.
    #[test]
    fn fields_are_what_is_computed_with() {
        for mut device in devices() {
            for places in [Places::line(7), Places::grid(3, 4), Places::grid(1, 1), Places::grid(5, 2)] {
                let n = places.count();
                let [decay, log_decay, gaussian, rotary] = on(&mut device, |g| {
                    let [steps, squared] =
                        [Places::manhattan, Places::squared].map(|f| places.distances(g, f));
                    let at = |x: f32| g.constant(x);
                    [
                        places.spread(field::decay(at(0.9), steps)),
                        places.spread(field::log_decay(at(0.3), steps)),
                        places.spread(field::gaussian(at(-1.5), at(1.2), squared)),
                        places.spread(field::rotary(at(0.7), steps)),
                    ]
                });
                let gaussian_at = |i, j| field::gaussian(-1.5, f64::from(1.2_f32), places.squared(i, j));
                // One exponential in f32.
                close(&decay, &places.table(|i, j| field::decay(0.9, places.manhattan(i, j))), 1e-6);
                if n > 1 {
                    close(
                        &log_decay,
                        &places.table(|i, j| field::log_decay(0.3, places.manhattan(i, j))),
                        1e-6,
                    );
                }
                close(&gaussian, &places.table(gaussian_at), 1e-6);
                close(&rotary, &places.table(|i, j| field::rotary(0.7, places.manhattan(i, j))), 1e-5);
            }
        }
    }

    /// `gamma^d` to six digits also where `gamma` is nearly 1 and `d` large, and 0 or 1 where it is exactly that.
    #[test]
    fn decay_is_exact_from_one_to_none() {
        let gammas = [0.0, 1e-6, 0.25, 0.49, 0.5, 0.51, 0.75, 0.96875, 0.999, 0.9999, 0.999_999, 1.0];
        let distances = [0.0, 1.0, 3.0, 100.0, 1000.0, 4096.0];
        let gamma = numbers(&[gammas.len(), 1], &gammas);
        for mut device in devices() {
            let [found] = on(&mut device, |g| {
                [field::decay(g.input(&gamma), g.input(&numbers(&[distances.len()], &distances)))]
            });
            for (i, gamma) in gamma.data.iter().enumerate() {
                for (j, d) in distances.iter().enumerate() {
                    let (found, wanted) = (f64::from(found.at(&[i, j])), f64::from(*gamma).powf(*d));
                    // The exponent is rounded to 2^-24 of itself, and is at most 88.
                    let bound = 1e-5 * wanted + 2e-38;
                    assert!((found - wanted).abs() <= bound, "{gamma}^{d} is {wanted}, not {found}");
                }
            }
        }
    }

    #[test]
    fn masks_are_their_pictures() {
        let grid = Places::grid(2, 3);
        let picture = |sees: &dyn Fn(usize, usize) -> bool| -> Vec<String> {
            let row = |i| (0..6).map(|j| if sees(i, j) { '1' } else { '.' }).collect();
            (0..6).map(row).collect()
        };
        assert_eq!(picture(&causal), ["1.....", "11....", "111...", "1111..", "11111.", "111111"]);
        let axial = picture(&|i, j| grid.axial(i, j));
        assert_eq!(axial, ["1111..", "111.1.", "111..1", "1..111", ".1.111", "..1111"]);
        let window = picture(&|i, j| grid.window(i, j, 1));
        assert_eq!(window, ["11.11.", "111111", ".11.11", "11.11.", "111111", ".11.11"]);
        let block = picture(&|i, j| grid.block(i, j, 2));
        assert_eq!(block, ["11.11.", "11.11.", "..1..1", "11.11.", "11.11.", "..1..1"]);
        let line = picture(&|i, j| Places::line(6).window(i, j, 2));
        assert_eq!(line, ["111...", "1111..", "11111.", ".11111", "..1111", "...111"]);
        assert_eq!(picture(&|i, j| field::padding(i, j, 4)), ["1111.."; 6]);
    }

    #[test]
    fn radius_and_entropy_have_closed_forms() {
        let places = Places::line(8);
        let [radius, entropy, none] = run(|g| {
            let distances = g.input(&places.table(|i, j| places.manhattan(i, j)));
            let zeros = g.input(&Tensor::new(&[2, 8, 8], vec![0.0; 128]));
            let q = g.input(&Tensor::new(&[2, 8, 1], vec![0.0; 16]));
            let uniform = Attention::softmax(1.0).record(q, q, q, untapped);
            [
                field::effective_radius(-uniform.pattern, distances),
                uniform.entropy(),
                field::effective_radius(zeros, distances),
            ]
        });
        assert_eq!((&radius.shape[..], &entropy.shape[..]), (&[2, 8][..], &[2, 8][..]));
        // The first of eight is (0 + .. + 7) / 8 away from all, the fourth (3 + 2 + 1 + 0 + 1 + 2 + 3 + 4) / 8.
        assert!(
            (radius.data[0] - 3.5).abs() < 1e-6 && (radius.data[3] - 2.0).abs() < 1e-6,
            "{:?}",
            radius.data
        );
        assert!(entropy.data.iter().all(|x| (x - 8_f32.ln()).abs() < 1e-6), "{:?}", entropy.data);
        assert!(none.data.iter().all(|x| *x == 0.0), "{:?}", none.data);
    }
}

mod attention {
    use super::*;

    fn pattern(normaliser: Normaliser, scores: Var<'_>) -> Var<'_> {
        normaliser.of(scores, None)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

        /// Exactly `k` keys are kept, the largest; of equal ones the first; all of them are softmax bit for bit.
        #[test]
        fn top_k_is_what_sorting_keeps(n in 1_usize..14, k in 1_usize..16, few in 2_usize..5, seed in 0_u64..1000) {
            let mut random = Random::new(seed);
            // Few different scores, so that there are ties.
            let scores = Tensor::from_fn(&[2, 3, n], |_| random.below(few) as f32);
            let [found, softmax] = run(|g| {
                let scores = g.input(&scores);
                [pattern(Normaliser::TopK(k), scores), scores.softmax()]
            });
            for (row, found) in scores.data.chunks(n).zip(found.data.chunks(n)) {
                let mut order: Vec<usize> = (0..n).collect();
                order.sort_by(|a, b| row[*b].total_cmp(&row[*a]));
                let kept = &order[..k.min(n)];
                let sum: f64 = kept.iter().map(|j| f64::from(row[*j]).exp()).sum();
                for j in 0..n {
                    let wanted = if kept.contains(&j) { f64::from(row[j]).exp() / sum } else { 0.0 };
                    prop_assert!((f64::from(found[j]) - wanted).abs() < 1e-6, "{row:?} keeps {found:?}");
                    prop_assert!(kept.contains(&j) || found[j] == 0.0, "{row:?} keeps {found:?}");
                }
            }
            prop_assert!(k < n || found.data == softmax.data);
        }

        /// The row of log-sum-exps is what softmax divided by, with a mask and fields.
        #[test]
        fn log_sum_exp_gives_the_pattern_back(pos in 1_usize..9, heads in 1_usize..4, seed in 0_u64..1000) {
            let [pattern, again, lse] = run(|g| {
                let [q, k, v] = qkv(g, heads, pos, 3, seed);
                let mask = Some(Places::line(pos).mask(g, causal));
                let add = Some(g.input(&random(&[pos, pos], seed + 9)) * 50.0);
                let it = Attention { mask, add, ..Attention::scaled(3) }.record(q, k, v, untapped);
                let lse = it.log_sum_exp();
                [it.pattern, (it.logits - lse.reshape(&[heads, pos, 1])).exp(), lse]
            });
            prop_assert_eq!(&lse.shape, &[heads, pos]);
            // An exponent of up to 50 is rounded to 2^-24 of itself.
            prop_assert!(pattern.max_abs_diff(&again) < 1e-5);
        }
    }

    #[test]
    fn zeros_are_where_papers_say() {
        // exp of 3, 0, 0, 0 over the sum: 0.87, 0.043 three times.
        let scores = Tensor::new(&[1, 4], [3.0, 0.0, 0.0, 0.0]);
        let [clipped, sigmoid, l1, empty] = run(|g| {
            let scores = g.input(&scores);
            let none = Some(g.input(&Tensor::new(&[1, 4], vec![0.0; 4])));
            [
                pattern(Normaliser::Clipped { zeta: 1.0, gamma: -0.05 }, scores),
                pattern(Normaliser::Sigmoid { bias: -(4_f32.ln()) }, scores * 0.0),
                pattern(Normaliser::L1(Positive::Relu), scores),
                Normaliser::L1(Positive::Softplus).of(scores, none),
            ]
        });
        assert!(clipped.data[0] > 0.8 && clipped.data[1..] == [0.0; 3], "exact zeros: {:?}", clipped.data);
        // n/(n + 1) at scores of 0.
        assert!((sigmoid.data.iter().sum::<f32>() - 0.8).abs() < 1e-6, "{:?}", sigmoid.data);
        assert_eq!(l1.data[..], [1.0, 0.0, 0.0, 0.0]);
        assert_eq!(empty.data[..], [0.0; 4], "a row that sees nothing");
    }

    #[test]
    fn one_logit_moves_no_other_weight_of_a_sigmoid() {
        let grown = |normaliser| {
            let [a, b] = run(|g| {
                let scores = g.input(&random(&[1, 6], 3));
                let more = g.input(&Tensor::new(&[1, 6], [0.0, 0.0, 2.0, 0.0, 0.0, 0.0]));
                [pattern(normaliser, scores), pattern(normaliser, scores + more)]
            });
            (0..6).filter(|j| a.data[*j] != b.data[*j]).collect::<Vec<_>>()
        };
        assert_eq!(grown(Normaliser::Sigmoid { bias: 0.0 }), [2]);
        assert_eq!(grown(Normaliser::Softmax), [0, 1, 2, 3, 4, 5]);
    }
}

mod gaussian {
    use super::*;

    #[test]
    fn wide_mixtures_are_plain_attention() {
        for mut device in devices() {
            let places = Places::grid(3, 4);
            let [wide, plain_z, warm, scaled] = on(&mut device, |g| {
                let [q, k, v] = qkv(g, 2, 12, 5, 1);
                let of = |alpha: [f64; 4], sigma: f64| {
                    let alpha = g.input(&numbers(&[2, 2], &alpha));
                    let sigma = g.input(&numbers(&[2, 2], &[sigma; 4]));
                    masked(mixture(alpha, sigma, places), q, k, v).z
                };
                let scale = 1.0 / 5_f32.sqrt();
                [
                    of([0.25, 1.5, 0.75, -0.5], 1e6),
                    plain(q, k, v, scale),
                    of([1.0, 1.0, 1.0, 1.0], 1e6),
                    plain(q, k, v, 2.0 * scale),
                ]
            });
            close(&wide, &plain_z, 1e-6);
            close(&warm, &scaled, 1e-6);
        }
    }

    #[test]
    fn values_of_the_paper() {
        for mut device in devices() {
            let places = Places::grid(8, 8);
            let [mask] = on(&mut device, |g| {
                let [alpha, sigma] = [[1.0, 1.0], [1.0, 2.0]].map(|it| g.input(&numbers(&[1, 2], &it)));
                [mixture(alpha, sigma, places)]
            });
            let at = |head: usize, j: usize| f64::from(mask.at(&[head, 0, j]));
            let near = |found: f64, wanted: f64| {
                assert!((found / wanted - 1.0).abs() < 1e-5, "{found} is not {wanted}");
            };
            near(at(0, 1), (-0.5 / 1.000_01_f64).exp());
            near(at(0, 1), 0.606_533_7);
            near(at(1, 1), 0.882_497);
            near(at(1, 63), (-98.0 / (2.0 * 4.000_01_f64)).exp());
            // Given to four digits, without the 1e-5.
            assert!((at(1, 63) / 4.785e-6 - 1.0).abs() < 1e-4);
        }
    }

    #[test]
    fn zeros_attend_to_all_alike() {
        for (mut device, exact) in devices().into_iter().zip([0.0, 1e-7]) {
            for n in [1, 6, 64] {
                let [pattern] = on(&mut device, |g| {
                    let [q, k, v] = qkv(g, 2, n, 3, 4);
                    [masked(g.input(&Tensor::new(&[n, n], vec![0.0; n * n])), q, k, v).pattern]
                });
                assert!(
                    pattern.data.iter().all(|x| (x - 1.0 / n as f32).abs() <= exact),
                    "{n}: {:?}",
                    pattern.data
                );
            }
        }
    }

    /// A narrow mask is not local: where it is 0 a key has the weight of any other.
    #[test]
    fn narrow_masks_are_nearly_uniform() {
        let (n, places) = (16, Places::grid(4, 4));
        let [pattern, scores] = run(|g| {
            let [q, k, v] = qkv(g, 1, n, 3, 4);
            let [alpha, sigma] = [[1.0], [1e-4]].map(|it| g.input(&numbers(&[1, 1], &it)));
            let it = masked(mixture(alpha, sigma, places), q, k, v);
            [it.pattern, it.scores]
        });
        for i in 0..n {
            let own = scores.at(&[0, i, i]).exp();
            for j in 0..n {
                let wanted = if i == j { own } else { 1.0 } / (own + n as f32 - 1.0);
                assert!((pattern.at(&[0, i, j]) - wanted).abs() < 1e-6, "{i} looks at {j}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn mixtures_are_even_and_depend_on_the_distance_only(
            h in 1_usize..6, w in 1_usize..6, components in 1_usize..5, seed in 0_u64..1000
        ) {
            let places = Places::grid(h, w);
            let [alpha, sigma] = [0, 1].map(|i| random(&[components, 2], seed + i));
            let back = |x: &Tensor| Tensor::from_fn(&x.shape, |at| x.at(&[components - 1 - at[0], at[1]]));
            let negative = Tensor::from_fn(&sigma.shape, |at| -sigma.at(at));
            let [mask, flipped, turned, pattern] = run(|g| {
                let of = |alpha: &Tensor, sigma: &Tensor| mixture(g.input(alpha), g.input(sigma), places);
                let [q, k, v] = qkv(g, 2, h * w, 3, seed);
                let mask = of(&alpha, &sigma);
                let pattern = masked(mask, q, k, v).pattern;
                [mask, of(&alpha, &negative), of(&back(&alpha), &back(&sigma)), pattern]
            });
            prop_assert_eq!(&mask, &flipped, "the sign of sigma has no meaning");
            prop_assert!(mask.max_abs_diff(&turned) < 1e-6, "components have no order");
            for head in 0..2 {
                let sum: f32 = (0..components).map(|c| alpha.at(&[c, head])).sum();
                for i in 0..h * w {
                    let row: f32 = (0..h * w).map(|j| pattern.at(&[head, i, j])).sum();
                    prop_assert!((row - 1.0).abs() < 1e-5, "rows sum to 1: {}", row);
                    prop_assert!((mask.at(&[head, i, i]) - sum).abs() < 1e-5, "the diagonal is the sum of alpha");
                    for j in 0..h * w {
                        prop_assert_eq!(mask.at(&[head, i, j]), mask.at(&[head, j, i]));
                        let terms = (0..components).map(|c| {
                            let [alpha, sigma] = [&alpha, &sigma].map(|it| f64::from(it.at(&[c, head])));
                            field::gaussian(alpha, sigma, places.squared(i, j))
                        });
                        let wanted: f64 = terms.sum();
                        prop_assert!((f64::from(mask.at(&[head, i, j])) - wanted).abs() < 2e-6);
                    }
                }
            }
        }
    }

    #[test]
    fn a_token_before_the_places_is_left_alone() {
        let places = Places::grid(2, 2);
        let [mask] = run(|g| {
            let [alpha, sigma] = [[2.0], [1.0]].map(|it| g.input(&numbers(&[1, 1], &it)));
            [field::preceded(mixture(alpha, sigma, places), 1, 1.0)]
        });
        assert_eq!(mask.shape, [1, 5, 5]);
        for i in 0..5 {
            assert_eq!((mask.at(&[0, 0, i]), mask.at(&[0, i, 0])), (1.0, 1.0));
        }
        assert_eq!(mask.at(&[0, 1, 1]), 2.0);
        let far = field::gaussian(2.0, 1.0, 2.0);
        assert!((f64::from(mask.at(&[0, 1, 4])) - far).abs() < 1e-6, "the corner opposite");
    }
}

mod manhattan {
    use super::*;

    fn of(gamma: Var<'_>, places: Places, form: rmt::Form) -> Manhattan<'_> {
        Manhattan { gamma, places, form }
    }

    #[test]
    fn decays_are_the_authors() {
        let near = |found: &[f64], wanted: &[f64]| {
            assert_eq!(found.len(), wanted.len());
            found.iter().zip(wanted).for_each(|(f, w)| assert!((f - w).abs() < 1e-5, "{f} is not {w}"));
        };
        near(&rmt::gammas(4, 2.0, 4.0), &[0.75, 0.875, 0.9375, 0.96875]);
        let eight = [0.75, 0.85135, 0.91161, 0.94744, 0.96875, 0.98142, 0.98895, 0.99343];
        near(&rmt::gammas(8, 2.0, 6.0), &eight);
        assert!((rmt::gammas(16, 2.0, 6.0)[15] - 0.99493).abs() < 1e-5);
        near(&retention::gammas(4), &[0.96875, 0.984_375, 0.992_187_5, 0.996_093_75]);
        let lives: Vec<f64> = retention::gammas(4).into_iter().map(retention::half_life).collect();
        let wanted = [21.8, 44.0, 88.4, 177.1];
        lives.iter().zip(wanted).for_each(|(f, w)| assert!((f - w).abs() < 0.06, "{f} is not {w}"));
    }

    /// `D` of a grid is the Kronecker product of those of its rows and of its columns.
    #[test]
    fn decay_of_a_grid_is_a_product() {
        for mut device in devices() {
            let (h, w) = (3, 5);
            let [grid, rows, columns] = on(&mut device, |g| {
                let gamma = g.input(&numbers(&[2], &[0.75, 0.9375]));
                [Places::grid(h, w), Places::line(h), Places::line(w)]
                    .map(|places| of(gamma, places, rmt::Form::Paper).mask())
            });
            let product = Tensor::from_fn(&[2, h * w, h * w], |at| {
                let [head, i, j] = [at[0], at[1], at[2]];
                rows.at(&[head, i / w, j / w]) * columns.at(&[head, i % w, j % w])
            });
            // Two exponentials in f32.
            close(&grid, &product, 1e-6);
        }
    }

    #[test]
    fn forms_differ_by_their_rows_alone() {
        let places = Places::grid(3, 4);
        let [code, paper, one, plain_pattern] = run(|g| {
            let [q, k, v] = qkv(g, 2, 12, 4, 7);
            let gamma = g.input(&numbers(&[2], &[0.75, 0.9]));
            let whole = g.input(&numbers(&[2], &[1.0, 1.0]));
            let full = |gamma, form| of(gamma, places, form).full(q, k, v).pattern;
            let plain = Attention::softmax(1.0).record(q, k, v, untapped).pattern;
            [full(gamma, rmt::Form::Code), full(gamma, rmt::Form::Paper), full(whole, rmt::Form::Code), plain]
        });
        for (code, paper) in code.data.chunks(12).zip(paper.data.chunks(12)) {
            let sum: f32 = paper.iter().sum();
            assert!((code.iter().sum::<f32>() - 1.0).abs() < 1e-5 && sum < 0.99, "{sum}");
            code.iter()
                .zip(paper)
                .for_each(|(c, p)| assert!((c - p / sum).abs() < 1e-6, "{c} is not {p} / {sum}"));
        }
        assert_eq!(one, plain_pattern, "gamma = 1 is attention, bit for bit");
    }

    #[test]
    fn decay_does_not_mind_flips_and_turns() {
        let [mask] =
            run(|g| [of(g.input(&numbers(&[1], &[0.8])), Places::grid(4, 4), rmt::Form::Code).mask()]);
        let place = |r: usize, c: usize| 4 * r + c;
        let moves: [fn(usize, usize) -> [usize; 2]; 3] =
            [|r, c| [r, 3 - c], |r, c| [c, r], |r, c| [3 - c, r]];
        for moved in moves {
            for (i, j) in (0..16).flat_map(|i| (0..16).map(move |j| (i, j))) {
                let to = |i: usize| {
                    let [r, c] = moved(i / 4, i % 4);
                    place(r, c)
                };
                assert_eq!(mask.at(&[0, i, j]), mask.at(&[0, to(i), to(j)]));
                assert_eq!(mask.at(&[0, i, j]), mask.at(&[0, j, i]));
            }
        }
    }

    #[test]
    fn decomposed_is_full_where_it_must_and_only_there() {
        for mut device in devices() {
            for form in [rmt::Form::Code, rmt::Form::Paper] {
                for (h, w, scale, same) in
                    [(3, 4, 0.0, true), (1, 7, 2.0, true), (6, 1, 2.0, true), (3, 4, 2.0, false)]
                {
                    let [full, decomposed] = on(&mut device, |g| {
                        let [q, k, v] = qkv(g, 2, h * w, 4, 2);
                        let it = of(g.input(&numbers(&[2], &[0.75, 0.9])), Places::grid(h, w), form);
                        [it.full(q * scale, k, v).z, it.decomposed(q * scale, k, v)]
                    });
                    let difference = full.max_abs_diff(&decomposed);
                    // Means of up to twelve values in another order.
                    let holds = if same { difference < 2e-6 } else { difference > 1e-3 };
                    assert!(holds, "{h} x {w}, scores times {scale}: {difference}");
                }
            }
        }
    }
}

mod retained {
    use super::*;

    /// Heads, tokens, channels of keys and of values.
    type Sizes = [usize; 4];

    fn input<'g>(g: &'g Graph, [h, pos, d, e]: Sizes, gamma: &Tensor, seed: u64) -> (Var<'g>, [Var<'g>; 3]) {
        let at = |d, i| g.input(&random(&[h, pos, d], seed + i));
        (g.input(gamma), [at(d, 0), at(d, 1), at(e, 2)])
    }

    fn of<'g>(gamma: Var<'g>, form: Form, [q, k, v]: [Var<'g>; 3]) -> [Var<'g>; 2] {
        let it = Retention { gamma, form }.record(q, k, v, None);
        [it.z, it.state]
    }

    fn agree(device: &mut Device, sizes: Sizes, gamma: &Tensor, chunks: &[usize], seed: u64) {
        let parallel = on(device, |g| {
            let (gamma, x) = input(g, sizes, gamma, seed);
            of(gamma, Form::Parallel, x)
        });
        for form in chunks.iter().map(|chunk| Form::Chunkwise(*chunk)).chain([Form::Recurrent]) {
            let other = on(device, |g| {
                let (gamma, x) = input(g, sizes, gamma, seed);
                of(gamma, form, x)
            });
            for (found, wanted) in other.iter().zip(&parallel) {
                // Sums of up to 256 terms in another order.
                close(found, wanted, 1e-5);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn forms_agree(
            h in 1_usize..4, pos in 1_usize..40, d in 1_usize..6, e in 1_usize..6, chunk in 1_usize..45, seed in 0_u64..1000
        ) {
            let mut random = Random::new(seed);
            let gamma = Tensor::from_fn(&[h], |_| random.unit() as f32);
            agree(&mut golden::cpu(), [h, pos, d, e], &gamma, &[chunk, 1, pos], seed);
        }
    }

    #[test]
    fn forms_agree_over_many_tokens() {
        let gamma = numbers(&[4], &retention::gammas(4));
        for mut device in devices() {
            agree(&mut device, [4, 256, 8, 8], &gamma, &[1, 7, 64, 100, 256, 300], 1);
        }
    }

    #[test]
    fn without_decay_it_is_causal_linear_attention() {
        for mut device in devices() {
            let sizes = [2, 20, 4, 3];
            let ones = numbers(&[2], &[1.0, 1.0]);
            for form in [Form::Parallel, Form::Recurrent, Form::Chunkwise(6)] {
                let [z, _] = on(&mut device, |g| {
                    let (gamma, x) = input(g, sizes, &ones, 3);
                    of(gamma, form, x)
                });
                let [q, k, v] = [(4, 3), (4, 4), (3, 5)].map(|(d, seed)| random(&[2, 20, d], seed));
                let wanted = Tensor::from_fn(&[2, 20, 3], |at| {
                    let [head, n, c] = [at[0], at[1], at[2]];
                    let term = |m: usize| {
                        let dot: f64 =
                            (0..4).map(|i| f64::from(q.at(&[head, n, i]) * k.at(&[head, m, i]))).sum();
                        dot * f64::from(v.at(&[head, m, c]))
                    };
                    (0..=n).map(term).sum::<f64>() as f32
                });
                // Sums of up to 80 products in f32.
                close(&z, &wanted, 1e-5);
            }
        }
    }

    #[test]
    fn decay_is_a_geometric_series() {
        for mut device in devices() {
            let gammas = numbers(&[3], &[0.5, 0.96875, 0.996_093_75]);
            let [decay] = on(&mut device, |g| {
                let gamma = g.input(&gammas);
                [Retention { gamma, form: Form::Parallel }.decay(50)]
            });
            for (head, gamma) in gammas.data.iter().enumerate() {
                let gamma = f64::from(*gamma);
                for n in 0..50 {
                    let at = |m: usize| f64::from(decay.at(&[head, n, m]));
                    assert_eq!(at(n), 1.0);
                    let row: f64 = (0..50).map(at).sum();
                    let wanted = (1.0 - gamma.powi(n as i32 + 1)) / (1.0 - gamma);
                    assert!((row / wanted - 1.0).abs() < 1e-5, "row {n} sums to {row}, not {wanted}");
                    assert!((n + 1..50).all(|m| at(m) == 0.0), "later tokens");
                    (0..n).for_each(|m| assert!((at(m) - gamma * at(m + 1)).abs() < 1e-6));
                }
            }
        }
    }

    /// What comes out does not depend on later tokens, bit for bit.
    #[test]
    fn later_tokens_change_nothing() {
        let gamma = numbers(&[2], &[0.9, 0.99]);
        for form in [Form::Parallel, Form::Recurrent, Form::Chunkwise(5), Form::Chunkwise(8)] {
            let [before, after] = [0.0, 1.0].map(|change| {
                let [z, _] = run(|g| {
                    let (gamma, [q, k, v]) = input(g, [2, 17, 4, 4], &gamma, 3);
                    let late =
                        g.input(&Tensor::from_fn(&[17, 1], |at| if at[0] == 11 { change } else { 0.0 }));
                    of(gamma, form, [q + late, k + late, v + late])
                });
                z
            });
            for head in 0..2 {
                let same = |n: usize| (0..4).all(|c| before.at(&[head, n, c]) == after.at(&[head, n, c]));
                assert!((0..11).all(same) && (11..17).all(|n| !same(n)), "{form:?}");
            }
        }
    }

    #[test]
    fn a_text_can_be_continued() {
        let gamma = numbers(&[2], &[0.9, 0.5]);
        for form in [Form::Parallel, Form::Recurrent, Form::Chunkwise(3)] {
            let [whole, state, parts, last] = run(|g| {
                let (gamma, x) = input(g, [2, 13, 4, 3], &gamma, 5);
                let [z, state] = of(gamma, form, x);
                let part = |start, len| x.map(|it| it.slice(-2, start, len));
                let retention = Retention { gamma, form };
                let [q, k, v] = part(0, 8);
                let first = retention.record(q, k, v, None);
                let [q, k, v] = part(8, 5);
                let second = retention.record(q, k, v, Some(first.state));
                [z, state, Var::concat(&[first.z, second.z], -2), second.state]
            });
            close(&parts, &whole, 1e-6);
            close(&last, &state, 1e-6);
        }
    }

    #[test]
    fn rotation_counts_from_anywhere() {
        for mut device in devices() {
            let gamma = numbers(&[2], &[0.97, 0.99]);
            let [here, there] = [0, 1000].map(|first| {
                let [z, _] = on(&mut device, |g| {
                    let (gamma, [q, k, v]) = input(g, [2, 30, 8, 4], &gamma, 2);
                    of(gamma, Form::Parallel, [rotate(q, first), rotate(k, first), v])
                });
                z
            });
            // Angles are exact, their sines rounded to f32.
            close(&there, &here, 1e-5);
        }
    }

    #[test]
    fn rotation_turns_pairs_by_their_angle() {
        let thetas = retention::thetas(8);
        assert_eq!(thetas.len(), 4);
        let wanted = [1.0, 0.046_415_888, 0.002_154_434_7, 1e-4];
        thetas.iter().zip(wanted).for_each(|(f, w)| assert!((f - w).abs() < 1e-9, "{f} is not {w}"));
        assert_eq!(retention::thetas(2), [1.0]);
        let [turned] = run(|g| [rotate(g.input(&random(&[1, 6, 8], 1)), 0)]);
        let x = random(&[1, 6, 8], 1);
        for (n, m) in (0..6).flat_map(|n| (0..4).map(move |m| (n, m))) {
            let (sin, cos) = (n as f64 * thetas[m]).sin_cos();
            let [a, b] = [0, 1].map(|i| f64::from(x.at(&[0, n, 2 * m + i])));
            let [c, d] = [0, 1].map(|i| f64::from(turned.at(&[0, n, 2 * m + i])));
            assert!((c - (a * cos - b * sin)).abs() < 1e-6 && (d - (b * cos + a * sin)).abs() < 1e-6);
        }
    }

    #[test]
    fn the_norm_does_not_mind_the_scale_of_a_row() {
        let [plain, scaled] = run(|g| {
            let x = g.input(&random(&[2, 5, 7], 1));
            let rows = g.input(&Tensor::from_fn(&[2, 5, 1], |at| (at[0] + 3 * at[1]) as f32 + 0.01));
            [rms_norm(x, 0.0), rms_norm(x * rows, 0.0)]
        });
        close(&scaled, &plain, 1e-6);
        let squares: Vec<f32> =
            plain.data.chunks(7).map(|row| row.iter().map(|x| x * x).sum::<f32>() / 7.0).collect();
        assert!(squares.iter().all(|it| (it - 1.0).abs() < 1e-6), "{squares:?}");
    }
}

/// Derivatives against central differences in f64.
mod derivatives {
    use super::*;

    /// Half the distance of a difference: its error is about `h^2`, 1e-10, and 1e-16 / h from rounding.
    const H: f64 = 1e-5;

    fn value(recording: &Recording, leaf: &Op, at: Option<&[f64]>) -> f64 {
        let leaves = |op: &Op| at.filter(|_| op == leaf).map(<[f64]>::to_vec);
        reference::run_at(recording, &leaves).into_iter().find(|it| it.0 == "z").unwrap().1.1[0]
    }

    /// Checks `dz/dx` of `z = sum w f(xs)` for every input, along two directions.
    fn check(what: &str, xs: &[Tensor], f: impl for<'g> Fn(&[Var<'g>]) -> Vec<Var<'g>>) {
        let g = Graph::default();
        let vars: Vec<Var<'_>> = xs.iter().map(|x| g.input(x)).collect();
        let weighed = f(&vars).into_iter().enumerate().map(|(i, y)| {
            let w = g.input(&random(&y.shape(), 100 + i as u64));
            (y * w).reshape(&[size(&y.shape())]).sum(0)
        });
        let z = weighed.reduce(|a, b| a + b).unwrap().keep("z");
        for (i, dx) in g.grad(z, &vars).into_iter().enumerate() {
            dx.keep(&format!("grad.{i}"));
        }
        drop(vars);
        let recording = g.finish();
        let gradients = reference::run(&recording);
        for (i, x) in xs.iter().enumerate() {
            let name = format!("grad.{i}");
            let gradient = &gradients.iter().find(|it| it.0 == name).unwrap().1.1;
            assert!(gradient.iter().any(|it| *it != 0.0), "{what} does not vary with input {i}");
            for seed in [1, 2] {
                let direction = random(&x.shape, seed);
                let moved = |h: f64| {
                    let along = x.data.iter().zip(direction.data.iter());
                    let at: Vec<f64> = along.map(|(x, v)| f64::from(*x) + h * f64::from(*v)).collect();
                    value(&recording, &Op::Input { slot: i }, Some(&at))
                };
                let difference = (moved(H) - moved(-H)) / (2.0 * H);
                let terms = || gradient.iter().zip(direction.data.iter()).map(|(g, v)| g * f64::from(*v));
                let (dot, scale) = (terms().sum::<f64>(), terms().map(f64::abs).sum::<f64>());
                let close = (dot - difference).abs() <= 1e-6 * scale.max(1.0);
                assert!(close, "{what}, input {i}: {dot} is not {difference}");
            }
        }
    }

    fn three(h: usize, pos: usize, d: usize, seed: u64) -> Vec<Tensor> {
        (0..3).map(|i| random(&[h, pos, d], seed + i)).collect()
    }

    #[test]
    fn of_attention_with_every_normaliser_and_score() {
        let normalisers = [
            Normaliser::Softmax,
            Normaliser::Sigmoid { bias: -1.0 },
            Normaliser::Clipped { zeta: 1.1, gamma: -0.1 },
            Normaliser::TopK(2),
            Normaliser::TopK(4),
            Normaliser::L1(Positive::Relu),
            Normaliser::L1(Positive::Square),
            Normaliser::L1(Positive::Softplus),
            Normaliser::None,
        ];
        for normaliser in normalisers {
            for score in [Score::Dot, Score::Cosine, Score::Distance] {
                let name = format!("{normaliser:?} of {score:?}");
                // Of distances, which are all negative, nothing positive is left.
                if score == Score::Distance
                    && matches!(normaliser, Normaliser::L1(Positive::Relu | Positive::Square))
                {
                    continue;
                }
                check(&name, &three(2, 5, 3, 11), |x| {
                    let attention = Attention { score, normaliser, ..Attention::softmax(1.3) };
                    vec![attention.record(x[0], x[1], x[2], untapped).z]
                });
            }
        }
    }

    #[test]
    fn of_every_field_of_attention() {
        let mut xs = three(2, 4, 3, 5);
        let positive = |seed| Tensor::from_fn(&[2, 4, 4], |at| random(&[2, 4, 4], seed).at(at).abs() + 0.1);
        xs.extend([random(&[4, 4], 20), random(&[2, 4, 4], 21), positive(22), random(&[2, 4, 3], 23)]);
        check("fields", &xs, |x| {
            let attention = Attention {
                multiply: Some(x[3]),
                add: Some(x[4]),
                weigh: Some(x[5]),
                gate: Some(x[6]),
                renormalise: true,
                mask: Some(Places::line(4).mask(x[0].graph(), causal)),
                ..Attention::scaled(3)
            };
            let it = attention.record(x[0], x[1], x[2], untapped);
            vec![it.z, it.entropy()]
        });
        check("log sum exp", &three(2, 4, 3, 5)[..2], |x| {
            vec![Attention::scaled(3).record(x[0], x[1], x[1], untapped).log_sum_exp()]
        });
    }

    #[test]
    fn of_gaussian_mixtures() {
        let mut xs = vec![random(&[3, 2], 1), random(&[3, 2], 2)];
        xs.extend(three(2, 6, 3, 3));
        check("gaussian mask", &xs, |x| {
            let mask = mixture(x[0], x[1], Places::grid(2, 3));
            vec![mask, masked(mask, x[2], x[3], x[4]).z]
        });
    }

    #[test]
    fn of_manhattan_decay() {
        for form in [rmt::Form::Code, rmt::Form::Paper] {
            // On both sides of where the logarithm changes its formula.
            let mut xs = vec![numbers(&[2], &[0.3, 0.9])];
            xs.extend(three(2, 6, 3, 3));
            check("manhattan", &xs, |x| {
                let it = Manhattan { gamma: x[0], places: Places::grid(2, 3), form };
                vec![it.full(x[1], x[2], x[3]).z, it.decomposed(x[1], x[2], x[3])]
            });
        }
    }

    #[test]
    fn of_retention_in_every_form() {
        for form in [Form::Parallel, Form::Recurrent, Form::Chunkwise(3)] {
            let mut xs = vec![numbers(&[2], &[0.4, 0.95])];
            xs.extend(three(2, 7, 4, 3));
            xs.push(random(&[2, 4, 4], 9));
            check(&format!("{form:?}"), &xs, |x| {
                let it = Retention { gamma: x[0], form }.record(
                    rotate(x[1], 0),
                    rotate(x[2], 0),
                    x[3],
                    Some(x[4]),
                );
                vec![rms_norm(it.z, 1e-6), it.state]
            });
        }
    }
}
