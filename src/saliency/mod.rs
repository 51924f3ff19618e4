//! From what a model computed to a map of what mattered: functions on recordings.

pub mod combine;
pub mod gradient;
pub mod heads;
pub mod meta;
pub mod normgrad;
pub mod relevance;
pub mod rollout;
