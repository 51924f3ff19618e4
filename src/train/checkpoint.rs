//! A training run as safetensors: to go on later, or to use what was learnt.

use std::collections::HashMap;
use std::sync::Arc;

use half::f16;
use safetensors::tensor::{Dtype, SafeTensorError, SafeTensors, TensorView, serialize};

use super::Trainer;
use crate::engine::EngineError;
use crate::trace::Kept;
use crate::weights::{Weights, WeightsError};

/// Where weights come from; it goes into the header of their file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provenance {
    /// What computed.
    pub device: String,
    /// The day, as 2026-11-24.
    pub date: String,
}

/// Why a checkpoint cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The bytes are not weights.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// It cannot be made safetensors, or its header cannot be read.
    #[error(transparent)]
    Format(#[from] SafeTensorError),
    /// The state cannot be read from its device.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// It is of another run.
    #[error("the checkpoint is of {what} {found}, this run of {wanted}")]
    Other {
        /// Which property differs: recipe, seed, steps.
        what: &'static str,
        /// The checkpoint's.
        found: String,
        /// This run's.
        wanted: String,
    },
}

impl Trainer {
    /// Everything that the run depends on from here on, in f32: what [`Self::restore`] takes.
    pub async fn checkpoint(&self, from: &Provenance) -> Result<Vec<u8>, CheckpointError> {
        self.write(self.vectors(), Dtype::F32, from).await
    }

    /// The parameters alone, for use: in f32, or in f16, which takes half the room.
    pub async fn weights(&self, half: bool, from: &Provenance) -> Result<Vec<u8>, CheckpointError> {
        self.write(1, if half { Dtype::F16 } else { Dtype::F32 }, from).await
    }

    /// Writes the tensors of the first `count` vectors.
    async fn write(&self, count: usize, dtype: Dtype, from: &Provenance) -> Result<Vec<u8>, CheckpointError> {
        let mut tensors = vec![];
        for (i, state) in self.recording.states[..count].iter().enumerate() {
            let all = state.on_host().await?;
            for (name, shape, data) in self.layout.split(&all) {
                let bytes: Vec<u8> = match dtype {
                    Dtype::F16 => data.iter().flat_map(|x| f16::from_f32(*x).to_le_bytes()).collect(),
                    _ => data.iter().flat_map(|x| x.to_le_bytes()).collect(),
                };
                tensors.push((stored(i, name), shape.to_vec(), bytes));
            }
        }
        let mut views = vec![];
        for (name, shape, bytes) in &tensors {
            views.push((name.as_str(), TensorView::new(dtype, shape.clone(), bytes)?));
        }
        let mut about: HashMap<String, String> = self.identity().map(|(key, it)| (key.to_owned(), it)).into();
        about.insert("step".to_owned(), self.step.to_string());
        about.insert("data".to_owned(), self.course.data.clone());
        about.insert("device".to_owned(), from.device.clone());
        about.insert("date".to_owned(), from.date.clone());
        about.insert("vitrine".to_owned(), env!("CARGO_PKG_VERSION").to_owned());
        Ok(serialize(views, Some(about))?)
    }

    /// What a checkpoint must share with a run that goes on from it.
    fn identity(&self) -> [(&'static str, String); 3] {
        let steps = self.course.steps.to_string();
        [("recipe", self.course.name.to_owned()), ("seed", self.seed.to_string()), ("steps", steps)]
    }

    /// Goes on from a checkpoint of the same run. After an error the run is as it was.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<(), CheckpointError> {
        let weights = Weights::parse(bytes.to_vec())?;
        let (_, header) = SafeTensors::read_metadata(bytes)?;
        let about = |key: &str| header.metadata().as_ref().and_then(|it| it.get(key)).cloned();
        for (what, wanted) in self.identity() {
            let found = about(what).unwrap_or_else(|| "unknown".to_owned());
            if found != wanted {
                return Err(CheckpointError::Other { what, found, wanted });
            }
        }
        let step = about("step").and_then(|it| it.parse().ok());
        let Some(step) = step else {
            let (found, wanted) = ("unknown".to_owned(), format!("up to {}", self.course.steps));
            return Err(CheckpointError::Other { what: "step", found, wanted });
        };
        let mut states = vec![];
        for i in 0..self.vectors() {
            let vector = self.layout.join(|name, shape| {
                let name = stored(i, name);
                weights.check(&name, shape)?;
                weights.read(&name).ok_or(WeightsError::Missing(name))
            });
            states.push(Arc::new(Kept::from(vector?)));
        }
        self.recording.states[..states.len()].clone_from_slice(&states);
        self.step = step;
        Ok(())
    }
}

/// Under which name vector `i` stores what it has of parameter `name`: the parameter itself, then its moments.
fn stored(i: usize, name: &str) -> String {
    if i == 0 { name.to_owned() } else { format!("moments.{}.{name}", i - 1) }
}
