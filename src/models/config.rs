//! Reading a `config.json`: every fault names its field.

use serde_json::{Map, Value};

/// Why a `config.json` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The text is not JSON.
    #[error("this is not JSON: {0}")]
    NotJson(#[from] serde_json::Error),
    /// A field is not there.
    #[error("field {0} is missing")]
    Missing(&'static str),
    /// A field holds something that does not work here.
    #[error("field {field} is {found}; {wanted}")]
    Wrong {
        /// The field.
        field: &'static str,
        /// What it holds, as JSON.
        found: String,
        /// What would work.
        wanted: String,
    },
}

/// The fields of a `config.json`.
pub struct Fields(Map<String, Value>);

impl Fields {
    /// Reads the file.
    pub fn parse(json: &[u8]) -> Result<Self, ConfigError> {
        Ok(Self(serde_json::from_slice(json)?))
    }

    /// A number of things, from 1 to `most`.
    pub fn count(&self, field: &'static str, most: usize) -> Result<usize, ConfigError> {
        let value = self.0.get(field).ok_or(ConfigError::Missing(field))?;
        let count = value.as_u64().filter(|n| (1..=most as u64).contains(n));
        count
            .map(|n| n as usize)
            .ok_or_else(|| self.wrong(field, &format!("a whole number from 1 to {most} is needed")))
    }

    /// A positive number.
    pub fn positive(&self, field: &'static str) -> Result<f32, ConfigError> {
        let value = self.0.get(field).ok_or(ConfigError::Missing(field))?;
        let number = value.as_f64().map(|x| x as f32).filter(|x| *x > 0.0 && x.is_finite());
        number.ok_or_else(|| self.wrong(field, "a positive number is needed"))
    }

    /// Insists that `field` is `value`, or not there.
    pub fn expect(&self, field: &'static str, value: impl Into<Value>) -> Result<(), ConfigError> {
        let value = value.into();
        match self.0.get(field) {
            None | Some(Value::Null) => Ok(()),
            Some(found) if *found == value => Ok(()),
            Some(_) => Err(self.wrong(field, &format!("only {value} is supported"))),
        }
    }

    /// The error that `field` does not hold what is `wanted`.
    pub fn wrong(&self, field: &'static str, wanted: &str) -> ConfigError {
        let found = self.0.get(field).unwrap_or(&Value::Null).to_string();
        ConfigError::Wrong { field, found, wanted: wanted.to_owned() }
    }
}
