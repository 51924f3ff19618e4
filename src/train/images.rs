//! Clothes told apart, alone and in collages of four, by transformers and by convolutions: Fashion-MNIST (Xiao et al. 2017,
//! arXiv 1708.07747). The test pictures are the data set's own 10,000.

use serde_json::Value;

use super::{Course, Loss, NamedRecipe, Opened, Recipe};
use crate::data::fashion::{self, CLASSES, Part, SIDE};
use crate::data::{Batches, Collage, Dataset, Random, collage};
use crate::graph::Var;
use crate::models::{Pixels, cnn, vit};
use crate::nn::loss::{accuracy, cross_entropy, log_softmax, total};
use crate::nn::optim::{AdamW, Optimizer, Schedule};
use crate::nn::{Activation, Params};
use crate::tensor::Tensor;
use crate::weights::Weights;

/// The recipes, by name.
pub const ENTRIES: [NamedRecipe; 5] = [
    NamedRecipe {
        name: "fashion-vit",
        about: "clothes, by a transformer with a class token",
        open: |steps| {
            open(Images { steps: steps.unwrap_or(10_000), ..Images::vit("fashion-vit", vit::Pool::Token) })
        },
    },
    NamedRecipe {
        name: "fashion-vit-mean",
        about: "clothes, by a transformer that takes the mean of its patches",
        open: |steps| {
            open(Images {
                steps: steps.unwrap_or(10_000),
                ..Images::vit("fashion-vit-mean", vit::Pool::Mean)
            })
        },
    },
    NamedRecipe {
        name: "fashion-cnn",
        about: "clothes, by convolutions",
        open: |steps| open(Images { steps: steps.unwrap_or(6000), ..Images::cnn("fashion-cnn") }),
    },
    NamedRecipe {
        name: "collage-vit",
        about: "which clothes a collage of four holds, by a transformer",
        open: |steps| {
            let images = Images::vit("collage-vit", vit::Pool::Token).of_collages();
            open(Images { steps: steps.unwrap_or(6000), ..images })
        },
    },
    NamedRecipe {
        name: "collage-cnn",
        about: "which clothes a collage of four holds, by convolutions",
        open: |steps| {
            open(Images { steps: steps.unwrap_or(3000), ..Images::cnn("collage-cnn").of_collages() })
        },
    },
];

/// Pictures in a batch, where a recipe has no number of its own.
const BATCH: usize = 64;

/// A recipe of pictures.
pub struct Images {
    name: &'static str,
    /// Steps of the run.
    pub steps: u32,
    /// The model.
    pub model: Architecture,
    /// Pictures in a batch.
    pub batch: usize,
    collages: bool,
    /// Last parts of the names of parameters that weight decay leaves alone.
    pub exempt: &'static [&'static str],
    /// How many of the training pictures, the last ones, are kept for choices.
    pub validation: usize,
    /// What is learnt from, and the order in which it comes.
    train: Dataset,
    order: Option<Batches>,
    test: Dataset,
}

/// A model of pictures, by its sizes.
pub enum Architecture {
    /// A vision transformer.
    Vit(vit::Config),
    /// A convolutional network.
    Cnn(cnn::Config),
}

fn classes() -> Vec<String> {
    CLASSES.map(str::to_owned).to_vec()
}

/// The recipe with its data, or what is wrong with them.
pub(super) fn open(images: Images) -> Opened {
    let part = |part| fashion::load(&fashion::folder(), part).map_err(|it| it.to_string());
    Ok(Box::new(images.on(part(Part::Train)?, part(Part::Test)?)))
}

impl Images {
    fn new(name: &'static str, model: Architecture) -> Self {
        let none = Dataset::new(SIDE, &CLASSES);
        let (train, test) = (none.clone(), none);
        Self {
            name,
            steps: 0,
            model,
            batch: BATCH,
            collages: false,
            exempt: &[],
            validation: 0,
            train,
            order: None,
            test,
        }
    }

    /// A small transformer on 28 x 28 pixels, in patches of 4.
    pub fn vit(name: &'static str, pool: vit::Pool) -> Self {
        let config = vit::Config {
            image: SIDE,
            patch: 4,
            channels: 1,
            d_model: 64,
            layers: 6,
            heads: 4,
            d_mlp: 128,
            eps: 1e-5,
            activation: Activation::Gelu,
            pool,
            field: vit::Field::None,
            distilled: false,
            teacher: false,
            classes: classes(),
            pixels: Pixels::signed(1),
        };
        Self::new(name, Architecture::Vit(config))
    }

    /// A small convolutional network on 28 x 28 pixels.
    pub fn cnn(name: &'static str) -> Self {
        let (widths, pixels) = (vec![16, 32, 64], Pixels::signed(1));
        let config = cnn::Config { image: SIDE, channels: 1, widths, depth: 2, classes: classes(), pixels };
        Self::new(name, Architecture::Cnn(config))
    }

    /// The same on collages, twice as wide and high.
    #[must_use]
    pub fn of_collages(mut self) -> Self {
        self.collages = true;
        match &mut self.model {
            Architecture::Vit(config) => config.image *= 2,
            Architecture::Cnn(config) => config.image *= 2,
        }
        self
    }

    /// The same on data of one's own.
    #[must_use]
    pub fn on(self, train: Dataset, test: Dataset) -> Self {
        Self { train, test, order: None, ..self }
    }

    /// Pictures `[batch, row, col, 1]` and their classes `[batch]`, half of them mirrored.
    fn pictures(&mut self, seed: u64, step: u32) -> Vec<Tensor> {
        let len = self.train.len() - self.validation;
        let batch = self.batch.min(len);
        let order = self.order.get_or_insert_with(|| Batches::new(len, batch, seed));
        let indices = order.at(step as usize - 1).to_vec();
        let mut images = self.train.images(&indices).data.to_vec();
        let mut random = Random::stream(!seed, u64::from(step));
        for image in images.chunks_mut(SIDE * SIDE) {
            if random.below(2) == 1 {
                image.chunks_mut(SIDE).for_each(<[f32]>::reverse);
            }
        }
        vec![Tensor::new(&[indices.len(), SIDE, SIDE, 1], images), self.train.labels(&indices)]
    }
}

impl Recipe for Images {
    fn course(&self) -> Course {
        let data =
            if self.collages { "collages of Fashion-MNIST" } else { "Fashion-MNIST, half of it mirrored" };
        let data = match self.validation {
            0 => data.to_owned(),
            n => format!("{data}, but for the last {n} pictures"),
        };
        let peak = if matches!(self.model, Architecture::Vit(_)) { 2e-3 } else { 4e-3 };
        Course {
            name: self.name,
            data,
            steps: self.steps,
            rule: Optimizer::AdamW(AdamW { decay: 0.05, ..AdamW::default() }),
            schedule: Schedule { peak, warm_up: 300, floor: 0.01 },
            clip: Some(1.0),
            exempt: self.exempt,
        }
    }

    fn untrained(&self, seed: u64) -> Weights {
        match &self.model {
            Architecture::Vit(config) => config.untrained(seed),
            Architecture::Cnn(config) => config.untrained(seed),
        }
    }

    fn batch(&mut self, seed: u64, step: u32) -> Vec<Tensor> {
        if !self.collages {
            return self.pictures(seed, step);
        }
        let first = u64::from(step) * self.batch as u64;
        let collages: Vec<Collage> =
            (first..first + self.batch as u64).map(|i| Collage::new(&self.train, seed, i)).collect();
        let (images, holds) = collage::batch(&collages, CLASSES.len());
        vec![images, holds]
    }

    fn loss<'g>(&self, p: &Params<'_, 'g>, batch: &[Var<'g>]) -> Loss<'g> {
        let [images, wanted] = batch else { panic!("a batch is pictures and classes") };
        let logits = match &self.model {
            Architecture::Vit(config) => vit::record(config, *images, p).logits,
            Architecture::Cnn(config) => cnn::record(config, *images, p),
        };
        if self.collages {
            return present(logits, *wanted);
        }
        let measures = vec![("accuracy", accuracy(logits, *wanted))];
        Loss { loss: cross_entropy(logits, *wanted), measures }
    }

    fn files(&self) -> Vec<(&'static str, Value)> {
        let config = match &self.model {
            Architecture::Vit(config) => config.to_json(),
            Architecture::Cnn(config) => config.to_json(),
        };
        vec![("config.json", config)]
    }

    fn validation(&mut self) -> Vec<Vec<Tensor>> {
        let n = self.train.len();
        parts(&self.train, n - self.validation..n)
    }

    fn held_out(&mut self) -> Vec<Vec<Tensor>> {
        if self.collages {
            let batch = |first: u64| {
                let collages = (first..first + PART as u64).map(|i| Collage::new(&self.test, 0, i));
                let (images, holds) = collage::batch(&collages.collect::<Vec<_>>(), CLASSES.len());
                vec![images, holds]
            };
            return (0..2000).step_by(PART).map(batch).collect();
        }
        parts(&self.test, 0..self.test.len())
    }
}

/// Samples that are measured together.
const PART: usize = 250;

/// Pictures of a data set, as batches.
fn parts(data: &Dataset, indices: std::ops::Range<usize>) -> Vec<Vec<Tensor>> {
    let all: Vec<usize> = indices.collect();
    all.chunks(PART).map(|it| vec![data.images(it), data.labels(it)]).collect()
}

/// Which classes are there, `[batch, class]` of 0 and 1, each a question of its own: the mean binary cross-entropy. Right
/// are answers on the right side of even odds.
fn present<'g>(logits: Var<'g>, there: Var<'g>) -> Loss<'g> {
    let count = logits.shape().iter().product::<usize>() as f32;
    // log sigmoid(z) is the first of log softmax of (z, 0), log(1 - sigmoid(z)) the second.
    let shape = [&logits.shape()[..], &[1]].concat();
    let pair = log_softmax(logits.reshape(&shape).pad(-1, 0, 1, 0.0));
    let side = |i| pair.slice(-1, i, 1).reshape(&logits.shape());
    let loss = -total(side(0) * there + side(1) * (there * -1.0 + 1.0)) / count;
    let yes = logits.graph().constant(0.0).broadcast(&logits.shape()).less(logits);
    let right = total((yes - there).abs()) / -count + 1.0;
    Loss { loss, measures: vec![("accuracy", right)] }
}
