//! What a model makes of pixels before it looks at them.

use super::config::{ConfigError, ConfigFile};
use crate::tensor::Tensor;

/// `(x - mean) / std` of each colour, for colours from 0 to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Pixels {
    /// Mean of each colour.
    pub mean: Vec<f32>,
    /// Deviation of each colour.
    pub std: Vec<f32>,
}

impl Pixels {
    /// Colours from -1 to 1.
    pub fn signed(channels: usize) -> Self {
        Self { mean: vec![0.5; channels], std: vec![0.5; channels] }
    }

    /// By Hugging Face's fields, in `config.json` or `preprocessor_config.json`.
    pub fn of(it: &ConfigFile, channels: usize) -> Result<Self, ConfigError> {
        Self::named(it, "image_mean", "image_std", channels)
    }

    /// By two fields; from -1 to 1 where they are not there.
    pub(super) fn named(
        it: &ConfigFile,
        mean: &'static str,
        std: &'static str,
        channels: usize,
    ) -> Result<Self, ConfigError> {
        let read = |field| {
            let numbers = if it.absent(field) { vec![0.5; channels] } else { it.numbers(field)? };
            let fits = numbers.len() == channels && (field == mean || numbers.iter().all(|x| *x > 0.0));
            if fits { Ok(numbers) } else { Err(it.wrong(field, &format!("{channels} numbers are needed"))) }
        };
        Ok(Self { mean: read(mean)?, std: read(std)? })
    }

    /// Bytes `[side, side, channel]` as a model takes them.
    pub fn tensor(&self, bytes: &[u8], side: usize) -> Tensor {
        let channels = self.mean.len();
        let value = |(i, byte): (usize, &u8)| {
            (f32::from(*byte) / 255.0 - self.mean[i % channels]) / self.std[i % channels]
        };
        Tensor::new(&[side, side, channels], bytes.iter().enumerate().map(value).collect::<Vec<_>>())
    }
}
