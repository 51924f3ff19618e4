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
        self.write(self.names.len(), Dtype::F32, from).await
    }

    /// The parameters alone, for use: in f32, or in f16, which takes half the room.
    pub async fn weights(&self, half: bool, from: &Provenance) -> Result<Vec<u8>, CheckpointError> {
        self.write(self.parameters, if half { Dtype::F16 } else { Dtype::F32 }, from).await
    }

    async fn write(&self, count: usize, dtype: Dtype, from: &Provenance) -> Result<Vec<u8>, CheckpointError> {
        let mut tensors = vec![];
        for (name, state) in self.names[..count].iter().zip(&self.recording.states) {
            let data = state.on_host().await?;
            let bytes: Vec<u8> = match dtype {
                Dtype::F16 => data.iter().flat_map(|x| f16::from_f32(*x).to_le_bytes()).collect(),
                _ => data.iter().flat_map(|x| x.to_le_bytes()).collect(),
            };
            tensors.push((name.as_str(), &state.shape, bytes));
        }
        let view = |(name, shape, bytes)| Ok((name, TensorView::new(dtype, Vec::clone(shape), bytes)?));
        let views = tensors.iter().map(|(name, shape, bytes)| view((*name, *shape, bytes)));
        let views: Vec<(&str, TensorView<'_>)> = views.collect::<Result<_, SafeTensorError>>()?;
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
        for (name, state) in self.names.iter().zip(&self.recording.states) {
            weights.check(name, &state.shape)?;
            let tensor = weights.read(name).ok_or_else(|| WeightsError::Missing(name.clone()))?;
            states.push(Arc::new(Kept::from(tensor)));
        }
        self.recording.states[..states.len()].clone_from_slice(&states);
        self.step = step;
        Ok(())
    }
}
