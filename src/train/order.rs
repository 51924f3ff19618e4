//! In which order samples are seen.

/// Shuffles samples anew for every epoch. What a step sees depends on seed and step only.
#[derive(Clone, Debug, Default)]
pub struct Order {
    /// Seed and epoch that `order` is for.
    current: Option<(u64, u64)>,
    order: Vec<usize>,
}

impl Order {
    /// Which `size` of `samples` step `step` (from 1) sees: an epoch shows every sample at most once, and what does not fill
    /// a batch is left out.
    pub fn batch(&mut self, samples: usize, seed: u64, step: u32, size: usize) -> &[usize] {
        assert!((1..=samples).contains(&size), "batches of {size} from {samples} samples");
        let an_epoch = samples / size;
        let (epoch, within) = ((step as usize - 1) / an_epoch, (step as usize - 1) % an_epoch);
        let key = (seed, epoch as u64);
        if self.current != Some(key) || self.order.len() != samples {
            self.order = (0..samples).collect();
            random(seed, epoch as u64).shuffle(&mut self.order);
            self.current = Some(key);
        }
        &self.order[within * size..][..size]
    }
}

/// A generator for one `stream` of random numbers of a run: the epoch, or the step.
pub fn random(seed: u64, stream: u64) -> fastrand::Rng {
    // Two rounds, so that neighbouring seeds and streams have nothing in common.
    let mut outer = fastrand::Rng::with_seed(seed);
    fastrand::Rng::with_seed(outer.u64(..) ^ stream.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_shows_every_sample_once() {
        let mut order = Order::default();
        let mut epoch = |first: u32| {
            let mut seen: Vec<usize> =
                (first..first + 3).flat_map(|step| order.batch(12, 7, step, 4).to_vec()).collect();
            let shuffled = seen.clone();
            seen.sort_unstable();
            assert_eq!(seen, (0..12).collect::<Vec<_>>());
            shuffled
        };
        let (first, second) = (epoch(1), epoch(4));
        assert_ne!(first, second, "another epoch, another order");
        assert_eq!(first, epoch(1), "steps can be taken again");
    }
}
