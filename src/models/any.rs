//! What every model can be asked, whatever it is.

use std::any::Any;
use std::sync::Arc;

use super::checkpoint::LoadError;
use super::{Pixels, Vision};
use crate::data::Tokenizer;
use crate::graph::Graph;
use crate::tensor::size;
use crate::weights::Weights;

/// What a model is for. Every exhibit shows models of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It reads a text as a whole.
    Encoder,
    /// It goes on with a text, and attends to what it read.
    Decoder,
    /// It reads on with a state that it carries, without attention.
    Recurrent,
    /// It looks at images.
    Vision,
    /// It answers numbers from examples.
    Regressor,
}

impl Kind {
    /// What such a model does, in words that go on from its name.
    pub fn does(self) -> &'static str {
        match self {
            Self::Encoder => "reads a text as a whole",
            Self::Decoder => "goes on with a text",
            Self::Recurrent => "reads on with a state",
            Self::Vision => "looks at pictures",
            Self::Regressor => "answers numbers from examples",
        }
    }
}

/// A model that can be recorded.
pub type AnyModel = Arc<dyn Loaded>;

/// What can be asked of a model once its weights are there.
pub trait Loaded: Any + Send + Sync {
    /// Its sizes.
    fn sizes(&self) -> &dyn Sizes;

    /// Its parameters.
    fn weights(&self) -> &Arc<Weights>;

    /// The model, if it reads text.
    fn language(&self) -> Option<&dyn Language> {
        None
    }

    /// The model, if it looks at images.
    fn vision(&self) -> Option<&dyn Vision> {
        None
    }
}

impl dyn Loaded {
    /// The model, if it is a `T`.
    pub fn get<T: Loaded>(&self) -> Option<&T> {
        let it: &dyn Any = self;
        it.downcast_ref()
    }

    /// The same, to keep.
    pub fn share<T: Loaded>(self: Arc<Self>) -> Option<Arc<T>> {
        let it: Arc<dyn Any + Send + Sync> = self;
        it.downcast().ok()
    }
}

/// The sizes of a model, as its `config.json` gives them: what is known of it before its weights are there.
pub trait Sizes: Send + Sync {
    /// What the model is for.
    fn kind(&self) -> Kind;

    /// Name and shape of every tensor that the model needs, from the first layer to the last.
    fn parameters(&self) -> Vec<(String, Vec<usize>)>;

    /// Memory that these take, in bytes: 4 for each element.
    fn memory(&self) -> u64 {
        4 * self.parameters().iter().map(|(_, shape)| size(shape) as u64).sum::<u64>()
    }

    /// What it makes of pixels, and how many colours a pixel has, if it looks at images.
    fn pixels(&mut self) -> Option<(&mut Pixels, usize)> {
        None
    }

    /// The model, from its other files. Every tensor that it needs is checked here, none later.
    fn load(self: Box<Self>, tokenizer: Option<&[u8]>, weights: Vec<u8>) -> Result<AnyModel, LoadError>;
}

/// A model that reads text.
pub trait Language {
    /// From text to tokens.
    fn tokenizer(&self) -> &Tokenizer;

    /// Records it on the tokens of one text.
    fn record(&self, g: &Graph, tokens: &[u32]);
}
