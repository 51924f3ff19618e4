//! From logits to the next character: temperature, top-k (Fan et al. 2018, arXiv 1805.04833), and chance from a seed.

use serde::{Deserialize, Serialize};

use crate::data::Random;

/// How the next character is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rule {
    /// Takes the likeliest, instead of leaving it to chance.
    pub greedy: bool,
    /// What logits are divided by: `T`.
    pub temperature: f64,
    /// How many of the likeliest may be chosen; `None`: all.
    pub top_k: Option<usize>,
    /// What chance follows from.
    pub seed: u64,
}

impl Default for Rule {
    fn default() -> Self {
        Self { greedy: false, temperature: 1.0, top_k: None, seed: 0 }
    }
}

impl Rule {
    /// How likely every character is to be chosen: `softmax(logits / T)` over the `k` likeliest, 0 for the others.
    pub fn distribution(&self, logits: &[f32]) -> Vec<f64> {
        // Whole vocabularies are not sorted: this is asked in every frame.
        let kept = match self.top_k {
            Some(k) if k < logits.len() => likeliest(logits, k.max(1)),
            _ => (0..logits.len()).collect(),
        };
        let best = f64::from(logits.iter().copied().fold(f32::MIN, f32::max));
        let mut p = vec![0.0; logits.len()];
        for i in kept {
            p[i] = ((f64::from(logits[i]) - best) / self.temperature.max(1e-3)).exp();
        }
        let sum: f64 = p.iter().sum();
        p.iter().map(|it| it / sum).collect()
    }

    /// The character that comes next: the likeliest, or what chance number `index` of the seed falls on. Equal logits and
    /// indices give equal characters.
    pub fn next(&self, logits: &[f32], index: u64) -> usize {
        let order = likeliest(logits, logits.len());
        if self.greedy {
            return order[0];
        }
        let p = self.distribution(logits);
        let mut chance = Random::stream(self.seed, index).unit();
        for &i in &order {
            chance -= p[i];
            if chance < 0.0 {
                return i;
            }
        }
        order[0]
    }
}

/// `softmax(logits)`.
pub fn probabilities(logits: &[f32]) -> Vec<f64> {
    Rule::default().distribution(logits)
}

/// The first choice and its share of `softmax(logits)`, without sorting anything.
pub fn first(logits: &[f32]) -> (usize, f64) {
    let best = |a: usize, b: usize| if logits[b] > logits[a] { b } else { a };
    let best = (0..logits.len()).reduce(best).unwrap_or(0);
    let sum: f64 = logits.iter().map(|it| f64::from(it - logits[best]).exp()).sum();
    (best, 1.0 / sum)
}

/// The `k` likeliest characters, likeliest first; of equal ones the first first.
pub fn likeliest(logits: &[f32], k: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..logits.len()).collect();
    let by = |a: &usize, b: &usize| logits[*b].total_cmp(&logits[*a]).then(a.cmp(b));
    if k < order.len() {
        order.select_nth_unstable_by(k, by);
        order.truncate(k);
    }
    order.sort_unstable_by(by);
    order
}

/// `sum_i p_i log(p_i / q_i)` of two softmaxes: what believing `q` costs where `p` is true, in nats.
pub fn divergence(p: &[f32], q: &[f32]) -> f64 {
    let (p, q) = (probabilities(p), probabilities(q));
    let term = |(p, q): (&f64, &f64)| if *p > 0.0 { p * (p / q.max(1e-300)).ln() } else { 0.0 };
    p.iter().zip(&q).map(term).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGITS: [f32; 5] = [0.3, 2.0, -1.0, 1.9, 0.0];

    #[test]
    fn temperature_and_top_k_do_what_their_formulas_say() {
        let rule = Rule { temperature: 0.5, top_k: Some(3), ..Rule::default() };
        let e: Vec<f64> = LOGITS.iter().map(|x| (f64::from(*x) / 0.5).exp()).collect();
        let sum = e[0] + e[1] + e[3];
        for (i, p) in rule.distribution(&LOGITS).into_iter().enumerate() {
            let expected = if [0, 1, 3].contains(&i) { e[i] / sum } else { 0.0 };
            assert!((p - expected).abs() < 1e-12, "{i}: {p}, not {expected}");
        }
    }

    #[test]
    fn the_likeliest_come_in_order_and_the_first_with_its_share() {
        assert_eq!(likeliest(&LOGITS, 3), [1, 3, 0]);
        assert_eq!(likeliest(&[1.0, 2.0, 2.0, 1.0], 9), [1, 2, 0, 3], "of equal ones the first first");
        let (best, p) = first(&LOGITS);
        assert_eq!(best, 1);
        assert!((p - probabilities(&LOGITS)[1]).abs() < 1e-7, "{p}");
    }

    #[test]
    fn divergence_is_that_of_its_formula() {
        let (p, q) = ([0.0, f32::ln(3.0)], [0.0, 0.0]);
        let expected = 0.25 * f64::ln(0.5) + 0.75 * f64::ln(1.5);
        assert!((divergence(&p, &q) - expected).abs() < 1e-7);
        assert_eq!(divergence(&q, &q), 0.0);
    }

    #[test]
    fn the_greedy_choice_is_the_likeliest_and_so_is_the_only_one_or_a_cold_one() {
        for rule in [
            Rule { greedy: true, ..Rule::default() },
            Rule { top_k: Some(1), ..Rule::default() },
            Rule { temperature: 0.001, ..Rule::default() },
        ] {
            assert!((0..100).all(|i| rule.next(&LOGITS, i) == 1), "{rule:?}");
        }
    }

    /// 20,000 draws: each share is within 4 standard errors, at most 0.0142.
    #[test]
    fn chance_follows_the_distribution_and_the_seed() {
        let rule = Rule { seed: 7, ..Rule::default() };
        let draws: Vec<usize> = (0..20_000).map(|i| rule.next(&LOGITS, i)).collect();
        assert!((0..20_000).all(|i| rule.next(&LOGITS, i) == draws[i as usize]), "the same again");
        let other = Rule { seed: 8, ..rule };
        assert!((0..20_000).any(|i| other.next(&LOGITS, i) != draws[i as usize]), "another seed differs");
        for (i, p) in rule.distribution(&LOGITS).into_iter().enumerate() {
            let share = draws.iter().filter(|it| **it == i).count() as f64 / 20_000.0;
            assert!((share - p).abs() < 0.0142, "{i}: {share} of the draws, {p} expected");
        }
    }
}
