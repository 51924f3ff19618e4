//! Calling a mechanism on tensors and settings that somebody brings: everything is checked here, before anything is
//! recorded, so that recording cannot fail.

use std::collections::BTreeMap;

use super::covariance;
use super::signature::{Domain, Mechanism, Parameter, Port, Presence, Unset, Within};
use crate::graph::{Graph, Var};
use crate::platform;
use crate::tensor::{Tensor, size};

/// Whole numbers up to here are exact in f32.
const EXACT: usize = 1 << 24;

/// Why a mechanism cannot be called like this.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[expect(missing_docs, reason = "each says in its words what came and what was expected")]
pub enum CallError {
    #[error("there is no mechanism {id}; there are {known}")]
    Mechanism { id: String, known: String },
    #[error("{mechanism} takes no tensor {name}; it takes {known}")]
    Unknown { mechanism: &'static str, name: String, known: String },
    #[error("{mechanism} needs a tensor {port}; there {}", listed(.given))]
    Missing { mechanism: &'static str, port: String, given: Vec<String> },
    #[error("{mechanism} needs a tensor {port} beside {other}")]
    Alone { mechanism: &'static str, port: String, other: &'static str },
    #[error("{name} has shape {found:?}; {mechanism} takes {port}")]
    Rank { mechanism: &'static str, name: &'static str, port: String, found: Vec<usize> },
    #[error("{name} has shape {found:?}: there is nothing along an axis of length 0")]
    Empty { name: &'static str, found: Vec<usize> },
    #[error("{port} has length {found} along {axis}, but {wanted} in {other}")]
    Length { port: String, axis: &'static str, found: usize, wanted: usize, other: String },
    #[error("{port} begins with axes {found:?}, but {other} with {wanted:?}")]
    Leading { port: String, found: Vec<usize>, wanted: Vec<usize>, other: String },
    #[error("{name} holds {found}; {within} is expected")]
    Element { name: &'static str, found: f32, within: Within },
    #[error("{name} is no covariance: {why}")]
    Covariance { name: &'static str, why: String },
    #[error("{mechanism} has no parameter {name}; {known}")]
    Parameter { mechanism: &'static str, name: String, known: String },
    #[error("{name} is set twice")]
    Twice { name: String },
    #[error("{name}={found}: {kind} is expected")]
    Value { name: &'static str, found: String, kind: Domain },
    #[error("{mechanism} needs {name} to be set: {kind}")]
    Unset { mechanism: &'static str, name: &'static str, kind: Domain },
    #[error("{0}")]
    Misfit(String),
    #[error("{mechanism} would give {port} of {found:?}, which is more than this machine can hold")]
    TooLarge { mechanism: &'static str, port: String, found: Vec<usize> },
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "is none".to_owned() } else { format!("are {}", names.join(", ")) }
}

/// What a mechanism was given, checked: to be read while it is recorded.
pub struct Given<'g> {
    graph: &'g Graph,
    tensors: BTreeMap<&'static str, Var<'g>>,
    values: BTreeMap<&'static str, Value>,
}

/// What a parameter was set to.
#[derive(Clone, Copy)]
enum Value {
    Number(f32),
    Count(usize),
    Switch(bool),
    Choice(&'static str),
}

impl<'g> Given<'g> {
    /// The recording.
    pub fn graph(&self) -> &'g Graph {
        self.graph
    }

    /// A tensor that may be missing.
    pub fn maybe(&self, name: &str) -> Option<Var<'g>> {
        self.tensors.get(name).copied()
    }

    /// A tensor that is always there.
    pub fn tensor(&self, name: &str) -> Var<'g> {
        self.maybe(name).unwrap_or_else(|| panic!("{name} is declared, and always there"))
    }

    /// A number; `None` if it follows from the tensors.
    pub fn number(&self, name: &str) -> Option<f32> {
        match self.values.get(name) {
            Some(Value::Number(it)) => Some(*it),
            None => None,
            _ => panic!("{name} is declared as another kind than a number"),
        }
    }

    /// A whole number; `None` if it follows from the tensors.
    pub fn count(&self, name: &str) -> Option<usize> {
        match self.values.get(name) {
            Some(Value::Count(it)) => Some(*it),
            None => None,
            _ => panic!("{name} is declared as another kind than a count"),
        }
    }

    /// Whether a switch is on.
    pub fn is(&self, name: &str) -> bool {
        matches!(self.values.get(name), Some(Value::Switch(true)))
    }

    /// The word that was chosen.
    pub fn choice(&self, name: &str) -> &'static str {
        let Some(Value::Choice(it)) = self.values.get(name) else { panic!("{name} is declared as a choice") };
        it
    }
}

/// A length with where it comes from.
type Lengths = BTreeMap<&'static str, (usize, String)>;

impl Mechanism {
    /// Records it on `tensors`, by name, with what is set, as pairs of key and value; keeps its outputs under their names.
    pub fn call(
        &self,
        g: &Graph,
        tensors: &BTreeMap<String, Tensor>,
        settings: &[(&str, &str)],
    ) -> Result<(), CallError> {
        let values = self.values(settings)?;
        self.expect_names(tensors)?;
        let lengths = self.lengths(tensors, &values)?;
        self.expect_room(tensors, &values, &lengths)?;
        let vars = self.inputs.iter().filter_map(|it| Some((it.name, g.input(tensors.get(it.name)?))));
        (self.record)(&Given { graph: g, tensors: vars.collect(), values })
    }

    /// What every parameter is.
    fn values(&self, settings: &[(&str, &str)]) -> Result<BTreeMap<&'static str, Value>, CallError> {
        for (i, (name, _)) in settings.iter().enumerate() {
            if settings[..i].iter().any(|it| it.0 == *name) {
                return Err(CallError::Twice { name: (*name).to_owned() });
            }
            if !self.parameters.iter().any(|it| it.name == *name) {
                let names: Vec<&str> = self.parameters.iter().map(|it| it.name).collect();
                let known = if names.is_empty() {
                    "it has none".to_owned()
                } else {
                    format!("it has {}", names.join(", "))
                };
                return Err(CallError::Parameter { mechanism: self.id, name: (*name).to_owned(), known });
            }
        }
        let mut values = BTreeMap::new();
        for it in self.parameters {
            let set = settings.iter().find(|(name, _)| *name == it.name).map(|(_, value)| *value);
            let text = match (set, it.unset) {
                (Some(text), _) | (None, Unset::Is(text)) => text,
                (None, Unset::Follows(_)) => continue,
                (None, Unset::Refused) => {
                    return Err(CallError::Unset { mechanism: self.id, name: it.name, kind: it.kind });
                }
            };
            values.insert(it.name, it.parse(text)?);
        }
        Ok(values)
    }

    /// Whether every tensor is known, and every one that is needed is there.
    fn expect_names(&self, tensors: &BTreeMap<String, Tensor>) -> Result<(), CallError> {
        let mechanism = self.id;
        if let Some(name) = tensors.keys().find(|name| !self.inputs.iter().any(|it| it.name == **name)) {
            let known: Vec<String> = self.inputs.iter().map(ToString::to_string).collect();
            return Err(CallError::Unknown { mechanism, name: name.clone(), known: known.join(", ") });
        }
        let here = |name: &str| tensors.contains_key(name);
        for it in self.inputs {
            match it.presence {
                Presence::Always if !here(it.name) => {
                    let given = tensors.keys().cloned().collect();
                    return Err(CallError::Missing { mechanism, port: it.to_string(), given });
                }
                Presence::With(other) if here(it.name) != here(other) => {
                    let [missing, there] = if here(other) { [it.name, other] } else { [other, it.name] };
                    let port = self.inputs.iter().find(|it| it.name == missing);
                    let port = port.map_or_else(String::new, ToString::to_string);
                    return Err(CallError::Alone { mechanism, port, other: there });
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The length of every axis, on which parameters and tensors must agree; that of `..` is one of its elements.
    fn lengths(
        &self,
        tensors: &BTreeMap<String, Tensor>,
        values: &BTreeMap<&'static str, Value>,
    ) -> Result<Lengths, CallError> {
        let count = |name: &&str| match values.get(name) {
            Some(Value::Count(it)) => *it,
            _ => panic!("{name} is no count that must be set"),
        };
        let mut lengths = Lengths::new();
        for (axis, factors) in self.lengths {
            lengths.insert(
                counted(axis),
                (factors.iter().map(count).fold(1, usize::saturating_mul), factors.join(" times ")),
            );
        }
        let mut leading: Option<(&[usize], String)> = None;
        for port in self.inputs {
            let Some(tensor) = tensors.get(port.name) else { continue };
            let (before, own) = self.split(port, tensor)?;
            for (axis, found) in port.names().zip(own) {
                let (wanted, other) = lengths.entry(counted(axis)).or_insert((*found, port.to_string()));
                if wanted != found {
                    let (wanted, other) = (*wanted, other.clone());
                    return Err(CallError::Length {
                        port: port.to_string(),
                        axis,
                        found: *found,
                        wanted,
                        other,
                    });
                }
            }
            if !port.leads() {
                continue;
            }
            let (wanted, other) = leading.get_or_insert((before, port.to_string()));
            if *wanted != before {
                let (wanted, other) = (wanted.to_vec(), other.clone());
                return Err(CallError::Leading {
                    port: port.to_string(),
                    found: before.to_vec(),
                    wanted,
                    other,
                });
            }
        }
        let (before, port) = leading.unwrap_or_default();
        lengths.insert("..", (size(before), port));
        Ok(lengths)
    }

    /// The lengths before the axes that `port` names, and theirs; the elements are checked on the way.
    fn split<'t>(&self, port: &Port, tensor: &'t Tensor) -> Result<(&'t [usize], &'t [usize]), CallError> {
        let Port { name, within, .. } = *port;
        let (rank, found) = (tensor.shape.len(), tensor.shape.clone());
        let named = port.names().count();
        if rank < named || rank > named && !port.leads() {
            return Err(CallError::Rank { mechanism: self.id, name, port: port.to_string(), found });
        }
        if found.contains(&0) {
            return Err(CallError::Empty { name, found });
        }
        if let Some(found) = tensor.data.iter().find(|it| within != Within::REAL && !within.holds(**it)) {
            return Err(CallError::Element { name, found: *found, within });
        }
        if let Some(why) = Some(tensor).filter(|_| port.covariance).and_then(covariance::fault) {
            return Err(CallError::Covariance { name, why });
        }
        Ok(tensor.shape.split_at(rank - named))
    }

    /// Whether what comes out can be held.
    fn expect_room(
        &self,
        tensors: &BTreeMap<String, Tensor>,
        values: &BTreeMap<&'static str, Value>,
        lengths: &Lengths,
    ) -> Result<(), CallError> {
        for port in self.outputs {
            let comes = match port.presence {
                Presence::With(other) => tensors.contains_key(other),
                Presence::If(switch) => matches!(values.get(switch), Some(Value::Switch(true))),
                Presence::Always | Presence::Maybe => true,
            };
            if !comes {
                continue;
            }
            let length = |axis: &'static str| lengths.get(counted(axis)).map_or(1, |it| it.0);
            let before = port.leads().then(|| length(".."));
            let found: Vec<usize> = before.into_iter().chain(port.names().map(length)).collect();
            let elements = found.iter().try_fold(1_usize, |product, n| product.checked_mul(*n));
            if !elements.is_some_and(platform::holds) {
                return Err(CallError::TooLarge { mechanism: self.id, port: port.to_string(), found });
            }
        }
        Ok(())
    }
}

/// Queries and keys are positions.
fn counted(axis: &'static str) -> &'static str {
    if matches!(axis, "query" | "key") { "pos" } else { axis }
}

impl Parameter {
    fn parse(&self, text: &str) -> Result<Value, CallError> {
        let value = match self.kind {
            Domain::Number(within) => {
                let number = text.parse().ok().filter(|it: &f32| it.is_finite() && within.holds(*it));
                number.map(Value::Number)
            }
            Domain::Count => text.parse().ok().filter(|it| (1..=EXACT).contains(it)).map(Value::Count),
            Domain::Switch => text.parse().ok().map(Value::Switch),
            Domain::Choice(words) => words.iter().find(|it| **it == text).map(|it| Value::Choice(it)),
        };
        value.ok_or_else(|| CallError::Value { name: self.name, found: text.to_owned(), kind: self.kind })
    }
}
