//! Gaussian mixture and element-wise masks (Li & Zhang 2023).

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
