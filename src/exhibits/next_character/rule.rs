//! From logits to the next character: temperature, top-k (Fan et al. 2018, arXiv 1805.04833), and chance from a seed.

use serde::{Deserialize, Serialize};

use crate::data::Random;
use crate::exhibits::is_default;

/// How the next character is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rule {
    /// Takes the likeliest, instead of leaving it to chance.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub greedy: bool,
    /// What logits are divided by: `T`.
    #[serde(skip_serializing_if = "is_one")]
    pub temperature: f64,
    /// How many of the likeliest may be chosen; `None`: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_k: Option<usize>,
    /// What chance follows from.
    #[serde(skip_serializing_if = "is_default")]
    pub seed: u64,
}

impl Default for Rule {
    fn default() -> Self {
        Self { greedy: false, temperature: 1.0, top_k: None, seed: 0 }
    }
}

fn is_one<T: PartialEq<f64>>(it: &T) -> bool {
    *it == 1.0
}

impl Rule {
    /// How likely every character is to be chosen: `softmax(logits / T)` over the `k` likeliest, 0 for the others.
    pub fn distribution(&self, logits: &[f32]) -> Vec<f64> {
        let order = ranked(logits);
        let kept = self.top_k.unwrap_or(logits.len()).clamp(1, logits.len());
        let best = f64::from(logits[order[0]]);
        let mut p = vec![0.0; logits.len()];
        for &i in &order[..kept] {
            p[i] = ((f64::from(logits[i]) - best) / self.temperature.max(1e-3)).exp();
        }
        let sum: f64 = p.iter().sum();
        p.iter().map(|it| it / sum).collect()
    }

    /// The character that comes next: the likeliest, or what chance number `index` of the seed falls on. Equal logits and
    /// indices give equal characters.
    pub fn next(&self, logits: &[f32], index: u64) -> usize {
        let order = ranked(logits);
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

/// Characters, likeliest first; of equal ones the first first.
pub fn ranked(logits: &[f32]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..logits.len()).collect();
    order.sort_by(|a, b| logits[*b].total_cmp(&logits[*a]));
    order
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
