//! All mechanisms that can be called by name.

use crate::mechanisms::{
    CallError, Mechanism, adamw, attention, bayes_mixture, gaussian_fit, gaussian_mask, gelu,
    gradient_descent, layer_norm, linear_attention, linear_optimum, predictor_distance, retention, ridge,
    rmt,
};
use crate::saliency::signature as saliency;

/// All mechanisms, in the order of a model: how it attends, what stands between, what explains it, how it learns, and what
/// it learns in its context.
pub fn all() -> Vec<&'static Mechanism> {
    vec![
        &attention::MECHANISM,
        &gaussian_mask::GAUSSIAN,
        &gaussian_mask::ELEMENTWISE,
        &gaussian_fit::MECHANISM,
        &rmt::MECHANISM,
        &retention::MECHANISM,
        &layer_norm::MECHANISM,
        &gelu::MECHANISM,
        &saliency::ROLLOUT,
        &saliency::RELEVANCE,
        &saliency::NORMGRAD,
        &saliency::GRAD_CAM,
        &saliency::LINEAR_APPROXIMATION,
        &adamw::MECHANISM,
        &linear_attention::MECHANISM,
        &gradient_descent::MECHANISM,
        &ridge::MECHANISM,
        &linear_optimum::LAYER,
        &linear_optimum::MECHANISM,
        &bayes_mixture::MECHANISM,
        &predictor_distance::SPD,
        &predictor_distance::ILWD,
    ]
}

/// The mechanism of this id.
pub fn find(id: &str) -> Result<&'static Mechanism, CallError> {
    all().into_iter().find(|it| it.id == id).ok_or_else(|| {
        let known: Vec<&str> = all().iter().map(|it| it.id).collect();
        CallError::Mechanism { id: id.to_owned(), known: known.join(", ") }
    })
}
