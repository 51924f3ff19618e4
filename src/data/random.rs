//! Chance from a seed: the same numbers on every machine and in every version, so that a recipe gives the same curve.

/// A stream of random numbers (splitmix64: Steele, Lea & Flood 2014, "Fast splittable pseudorandom number generators").
#[derive(Clone, Debug)]
pub struct Random(u64);

/// The golden ratio in 64 bits: steps of this size visit every state.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

impl Random {
    /// The stream of `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Stream number `index` of `seed`: what step `index` of a training draws, whatever was drawn before it.
    pub fn stream(seed: u64, index: u64) -> Self {
        let mut it = Self(seed);
        Self(it.bits() ^ Self(index.wrapping_mul(STEP)).bits())
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Goes on as if so many numbers had been drawn; a normal one takes two.
    pub fn pass(&mut self, count: u64) {
        self.0 = self.0.wrapping_add(STEP.wrapping_mul(count));
    }

    /// A number from 0 to 1, without 1.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A number from `low` to `high`, without `high`.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// A whole number below `n`, which is at least 1.
    pub fn below(&mut self, n: usize) -> usize {
        assert!(n > 0, "there is no number below 0");
        // The bias of a product with 64 bits is below n / 2^64.
        ((u128::from(self.bits()) * n as u128) >> 64) as usize
    }

    /// A normally distributed number of mean 0 and variance 1 (Box & Muller 1958).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// Brings `items` into a random order (Fisher & Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first numbers of seed 1234567, as published with the generator.
    #[test]
    fn it_is_splitmix64() {
        let mut it = Random::new(1_234_567);
        assert_eq!([it.bits(), it.bits()], [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]);
    }

    /// 100,000 draws: a mean is within 4 standard errors, 0.0127 for the normal and 0.0037 for the unit interval.
    #[test]
    fn numbers_have_the_moments_of_their_distribution() {
        let (mut it, n) = (Random::new(1), 100_000);
        let normal: Vec<f64> = (0..n).map(|_| it.normal()).collect();
        let mean = |f: &dyn Fn(f64) -> f64| normal.iter().map(|x| f(*x)).sum::<f64>() / f64::from(n);
        assert!(mean(&|x| x).abs() < 0.013, "mean {}", mean(&|x| x));
        assert!((mean(&|x| x * x) - 1.0).abs() < 0.018, "variance {}", mean(&|x| x * x));
        let unit = (0..n).map(|_| it.unit()).sum::<f64>() / f64::from(n);
        assert!((unit - 0.5).abs() < 0.0037, "mean {unit}");
        let mut counts = [0; 7];
        (0..70_000).for_each(|_| counts[it.below(7)] += 1);
        assert!(counts.iter().all(|n| (9_600..10_400).contains(n)), "{counts:?}");
    }

    #[test]
    fn numbers_that_are_passed_are_those_that_would_have_been_drawn() {
        let [mut drawn, mut passed] = [Random::new(7), Random::new(7)];
        (0..5).for_each(|_| _ = drawn.normal());
        passed.pass(10);
        assert_eq!(drawn.bits(), passed.bits());
    }

    #[test]
    fn a_shuffle_is_a_permutation_and_streams_differ() {
        let mut items: Vec<usize> = (0..100).collect();
        Random::new(3).shuffle(&mut items);
        assert_ne!(items, (0..100).collect::<Vec<_>>(), "another order");
        items.sort_unstable();
        assert_eq!(items, (0..100).collect::<Vec<_>>(), "the same items");
        let first: Vec<u64> = (0..1000).map(|i| Random::stream(5, i).bits()).collect();
        let mut distinct = first.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), 1000, "a thousand streams");
        assert_eq!(Random::stream(5, 7).bits(), first[7], "the same again");
    }
}
