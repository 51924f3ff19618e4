//! Derivatives against central differences in f64.

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
            let it =
                Retention { gamma: x[0], form }.record(rotate(x[1], 0), rotate(x[2], 0), x[3], Some(x[4]));
            vec![rms_norm(it.z, 1e-6), it.state]
        });
    }
}
