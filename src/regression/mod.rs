//! Linear regression in context: tasks drawn by chance, and in f64 the algorithms that a model which learns them is held
//! against.

mod bayes;
mod functions;
mod learner;
mod predictors;
mod shift;
mod tasks;

pub use bayes::{Component, Posterior, gaussian, mixture};
pub use functions::{Features, pool};
pub use learner::{Learner, step_rate};
pub use predictors::{Examples, descent, descent_plus_plus, least_squares, nearest, one_pass, ridge};
pub use shift::Shift;
pub use tasks::{Covariates, PlusPlus, Prior, Prompt, Tasks, best_plus_plus, floors, one_step};
