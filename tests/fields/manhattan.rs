//! RMT's decay (Fan et al. 2024).

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
    let [mask] = run(|g| [of(g.input(&numbers(&[1], &[0.8])), Places::grid(4, 4), rmt::Form::Code).mask()]);
    let place = |r: usize, c: usize| 4 * r + c;
    let moves: [fn(usize, usize) -> [usize; 2]; 3] = [|r, c| [r, 3 - c], |r, c| [c, r], |r, c| [3 - c, r]];
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
