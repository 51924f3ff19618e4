//! From what a model computed to a map of what mattered: functions on recordings.

pub mod heads;
pub mod rollout;
