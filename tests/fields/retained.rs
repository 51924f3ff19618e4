//! Retention in its three forms (Sun et al. 2023).

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
                    let dot: f64 = (0..4).map(|i| f64::from(q.at(&[head, n, i]) * k.at(&[head, m, i]))).sum();
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
                let late = g.input(&Tensor::from_fn(&[17, 1], |at| if at[0] == 11 { change } else { 0.0 }));
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
