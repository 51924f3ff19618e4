//! The algebra of attention: normalisers and what they leave at zero.

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
