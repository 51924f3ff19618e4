//! Reading a `config.json`: every fault names its field.

use serde_json::{Map, Value, json};

use crate::nn::Activation;

/// Ids are f32 in the engine, which counts exactly up to here; nothing in a model is larger.
pub const EXACT: usize = 1 << 24;

/// Why a `config.json` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The text is not JSON.
    #[error("this is not JSON: {:.200}", .0.to_string())]
    NotJson(#[from] serde_json::Error),
    /// A field is not there.
    #[error("field {0} is missing")]
    Missing(&'static str),
    /// A field holds something that does not work here.
    #[error("field {field} is {found:.100}; {wanted}")]
    Wrong {
        /// The field.
        field: &'static str,
        /// What it holds, as JSON; the words have the beginning of it.
        found: String,
        /// What would work.
        wanted: String,
    },
}

/// The fields of a `config.json`.
pub struct ConfigFile(Map<String, Value>);

impl ConfigFile {
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

    /// A number of things, from 1 to `most`, or `otherwise` where the file does not say.
    pub fn count_or(&self, field: &'static str, most: usize, otherwise: usize) -> Result<usize, ConfigError> {
        if self.absent(field) { Ok(otherwise) } else { self.count(field, most) }
    }

    /// A word, or `otherwise` where the file does not say.
    pub fn word_or<'f>(&'f self, field: &'static str, otherwise: &'f str) -> Result<&'f str, ConfigError> {
        if self.absent(field) {
            return Ok(otherwise);
        }
        self.0[field].as_str().ok_or_else(|| self.wrong(field, "a word is needed"))
    }

    /// The nonlinearity that `field` names.
    pub fn activation(&self, field: &'static str) -> Result<Activation, ConfigError> {
        let named = Activation::named(self.word_or(field, "")?);
        named.ok_or_else(|| self.wrong(field, "gelu, gelu_new, gelu_pytorch_tanh and relu are supported"))
    }

    /// The classes by Hugging Face's `id2label`, in the order of their ids; where there is none, `num_labels` numbers, and
    /// two where the file does not say.
    pub fn classes(&self) -> Result<Vec<String>, ConfigError> {
        let Some(labels) = self.0.get("id2label").filter(|it| !it.is_null()) else {
            let count = self.count_or("num_labels", 1 << 20, 2)?;
            return Ok((0..count).map(|id| format!("class {id}")).collect());
        };
        let label = |id: usize| Some(labels.get(id.to_string())?.as_str()?.to_owned());
        let classes: Option<Vec<String>> = (0..labels.as_object().map_or(0, Map::len)).map(label).collect();
        let classes = classes.filter(|it| !it.is_empty());
        classes.ok_or_else(|| self.wrong("id2label", "it must name the classes by their ids from 0"))
    }

    /// Numbers, as many as there are in the file.
    pub fn numbers(&self, field: &'static str) -> Result<Vec<f32>, ConfigError> {
        let value = self.0.get(field).ok_or(ConfigError::Missing(field))?;
        let number = |it: &Value| it.as_f64().map(|x| x as f32).filter(|x| x.is_finite());
        let numbers = value.as_array().and_then(|it| it.iter().map(number).collect());
        numbers.ok_or_else(|| self.wrong(field, "a list of numbers is needed"))
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

    /// Yes or no, or `otherwise` where the file does not say.
    pub fn flag_or(&self, field: &'static str, otherwise: bool) -> Result<bool, ConfigError> {
        if self.absent(field) {
            return Ok(otherwise);
        }
        self.0[field].as_bool().ok_or_else(|| self.wrong(field, "true or false is needed"))
    }

    /// The fields of an object within; none where there is no object.
    pub fn inner(&self, field: &str) -> Self {
        Self(self.0.get(field).and_then(Value::as_object).cloned().unwrap_or_default())
    }

    /// Whether the file does not say.
    pub fn absent(&self, field: &str) -> bool {
        self.0.get(field).is_none_or(Value::is_null)
    }

    /// The error that `field` does not hold what is `wanted`.
    pub fn wrong(&self, field: &'static str, wanted: &str) -> ConfigError {
        let found = self.0.get(field).unwrap_or(&Value::Null).to_string();
        ConfigError::Wrong { field, found, wanted: wanted.to_owned() }
    }
}

/// `classes` as an `id2label`.
pub fn id2label(classes: &[String]) -> Value {
    classes.iter().enumerate().map(|(id, label)| (id.to_string(), json!(label))).collect::<Map<_, _>>().into()
}
