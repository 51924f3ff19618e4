//! Fields drawn before they are used.

use super::*;

/// A formula has the same value as a number and as a recorded tensor, for every pair of places.
#[test]
fn fields_are_what_is_computed_with() {
    for mut device in devices() {
        for places in [Places::line(7), Places::grid(3, 4), Places::grid(1, 1), Places::grid(5, 2)] {
            let n = places.count();
            let [decay, log_decay, gaussian, rotary] = on(&mut device, |g| {
                let [steps, squared] = [Places::manhattan, Places::squared].map(|f| places.distances(g, f));
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
                close(&log_decay, &places.table(|i, j| field::log_decay(0.3, places.manhattan(i, j))), 1e-6);
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
    assert!((radius.data[0] - 3.5).abs() < 1e-6 && (radius.data[3] - 2.0).abs() < 1e-6, "{:?}", radius.data);
    assert!(entropy.data.iter().all(|x| (x - 8_f32.ln()).abs() < 1e-6), "{:?}", entropy.data);
    assert!(none.data.iter().all(|x| *x == 0.0), "{:?}", none.data);
}
