//! What a mechanism declares: which tensors go in and come out, with their axes, and which parameters it has.

use std::fmt::{self, Display, Formatter};

use super::{CallError, Given};

/// A mechanism that can be called on anybody's tensors.
pub struct Mechanism {
    /// Its name, in kebab-case.
    pub id: &'static str,
    /// What it computes.
    pub formula: &'static str,
    /// The tensors that it takes.
    pub inputs: &'static [Port],
    /// What can be set.
    pub parameters: &'static [Parameter],
    /// The tensors that it gives.
    pub outputs: &'static [Port],
    /// Axes whose length is the product of parameters: `("pos", &["height", "width"])`.
    pub lengths: &'static [(&'static str, &'static [&'static str])],
    /// The paper.
    pub source: &'static str,
    /// Records it on what it was given, and keeps every output under its name; or says what does not fit though every
    /// tensor has its axes and every parameter its kind.
    pub record: for<'g> fn(&Given<'g>) -> Result<(), CallError>,
}

/// A tensor that goes in or comes out.
#[derive(Clone, Copy, Debug)]
pub struct Port {
    /// Its name.
    pub name: &'static str,
    /// Its axes, outermost first: `head pos d_head`. Axes of one name have one length, and `query` and `key` count
    /// positions as `pos` does. `..` stands for any number of leading axes, the same wherever it stands.
    pub axes: &'static str,
    /// Whether it may be missing.
    pub presence: Presence,
    /// What its elements may be.
    pub within: Within,
    /// What it is, where its name does not say it.
    pub about: &'static str,
    /// Whether its last two axes are those of a covariance: symmetric, without a negative eigenvalue.
    pub covariance: bool,
}

/// Whether a tensor may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It is there.
    Always,
    /// It may be left out.
    Maybe,
    /// It is there if, and only if, the tensor of this name is.
    With(&'static str),
    /// It is there if, and only if, this switch is on.
    If(&'static str),
}

/// Real numbers between two bounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Within {
    /// The least.
    pub from: f32,
    /// The largest.
    pub to: f32,
    /// Whether the largest itself is left out.
    pub below: bool,
    /// Whether they are whole.
    pub whole: bool,
}

/// A number, switch or choice that changes what is computed.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// What it can be.
    pub kind: Domain,
    /// What it is unless it is set.
    pub unset: Unset,
    /// What it does.
    pub about: &'static str,
}

/// What a parameter can be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Domain {
    /// A number.
    Number(Within),
    /// A whole number from 1.
    Count,
    /// `true` or `false`.
    Switch,
    /// One of these words.
    Choice(&'static [&'static str]),
}

/// What a parameter is unless it is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unset {
    /// This, written as one would set it.
    Is(&'static str),
    /// What follows from the tensors, in words; to the mechanism it is missing.
    Follows(&'static str),
    /// Nothing: it must be set.
    Refused,
}

impl Within {
    /// Any number.
    pub const REAL: Self = Self { from: f32::NEG_INFINITY, to: f32::INFINITY, below: false, whole: false };
    /// Any number that is not negative.
    pub const NOT_NEGATIVE: Self = Self { from: 0.0, ..Self::REAL };
    /// A share: from 0 to 1.
    pub const SHARE: Self = Self { to: 1.0, ..Self::NOT_NEGATIVE };
    /// A share that is not the whole: from 0 to below 1.
    pub const PART: Self = Self { below: true, ..Self::SHARE };
    /// 0 or 1.
    pub const BIT: Self = Self { whole: true, ..Self::SHARE };

    /// Whether `x` lies between the bounds.
    pub fn holds(self, x: f32) -> bool {
        let between = x >= self.from && (x < self.to || x == self.to && !self.below);
        between && (!self.whole || x.fract() == 0.0)
    }
}

impl Port {
    /// A tensor of these axes.
    pub const fn new(name: &'static str, axes: &'static str) -> Self {
        Self { name, axes, presence: Presence::Always, within: Within::REAL, about: "", covariance: false }
    }

    /// One that may be left out.
    pub const fn optional(self) -> Self {
        Self { presence: Presence::Maybe, ..self }
    }

    /// One that is there if, and only if, `other` is.
    pub const fn with(self, other: &'static str) -> Self {
        Self { presence: Presence::With(other), ..self }
    }

    /// One that comes out if, and only if, `switch` is on.
    pub const fn when(self, switch: &'static str) -> Self {
        Self { presence: Presence::If(switch), ..self }
    }

    /// One that needs a word.
    pub const fn about(self, about: &'static str) -> Self {
        Self { about, ..self }
    }

    /// One whose elements lie between these bounds.
    pub const fn within(self, within: Within) -> Self {
        Self { within, ..self }
    }

    /// Covariances along its last two axes.
    pub const fn covariance(self) -> Self {
        Self { covariance: true, ..self }
    }

    /// The names of its axes, without `..`.
    pub fn names(&self) -> impl DoubleEndedIterator<Item = &'static str> + Clone {
        self.axes.split(' ').filter(|it| !matches!(*it, ".." | ""))
    }

    /// Whether any number of axes may come before those that it names.
    pub fn leads(&self) -> bool {
        self.axes.starts_with("..")
    }
}

impl Parameter {
    /// A number.
    pub const fn number(name: &'static str, unset: Unset, within: Within, about: &'static str) -> Self {
        Self { name, kind: Domain::Number(within), unset, about }
    }

    /// A whole number from 1.
    pub const fn count(name: &'static str, unset: Unset, about: &'static str) -> Self {
        Self { name, kind: Domain::Count, unset, about }
    }

    /// Something that is off unless it is set to `true`.
    pub const fn switch(name: &'static str, about: &'static str) -> Self {
        Self { name, kind: Domain::Switch, unset: Unset::Is("false"), about }
    }

    /// One of these words, of which the first is the default.
    pub const fn choice(name: &'static str, words: &'static [&'static str], about: &'static str) -> Self {
        Self { name, kind: Domain::Choice(words), unset: Unset::Is(words[0]), about }
    }
}

impl Display for Within {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let number = if self.whole { "a whole number" } else { "a number" };
        let below = if self.below { "below " } else { "" };
        write!(f, "{number}")?;
        if self.from.is_finite() {
            write!(f, " from {}", self.from)?;
        }
        if self.to.is_finite() {
            write!(f, " to {below}{}", self.to)?;
        }
        Ok(())
    }
}

impl Display for Domain {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(within) => write!(f, "{within}"),
            Self::Count => write!(f, "a whole number from 1"),
            Self::Switch => write!(f, "true or false"),
            Self::Choice(words) => write!(f, "{}", words.join(" or ")),
        }
    }
}

impl Display for Port {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]", self.name, self.axes.replace(' ', ", "))
    }
}

impl Display for Parameter {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { name, kind, about, .. } = self;
        match self.unset {
            Unset::Is(it) | Unset::Follows(it) => write!(f, "{name}={it} ({kind}): {about}"),
            Unset::Refused => write!(f, "{name}, needed ({kind}): {about}"),
        }
    }
}

impl Display for Mechanism {
    /// The whole declaration, a line for each tensor and parameter.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let port = |it: &Port| {
            let within =
                if it.within == Within::REAL { String::new() } else { format!(", each {}", it.within) };
            let within = if it.covariance { ", symmetric, no eigenvalue below 0".to_owned() } else { within };
            let presence = match it.presence {
                Presence::Always => String::new(),
                Presence::Maybe => ", optional".to_owned(),
                Presence::With(other) => format!(", with {other}"),
                Presence::If(switch) => format!(", if {switch}"),
            };
            let about = if it.about.is_empty() { String::new() } else { format!(": {}", it.about) };
            format!("{it}{within}{presence}{about}")
        };
        let length = |(axis, factors): &(&str, &[&str])| format!("{axis} is {}", factors.join(" times "));
        let groups: [(&str, Vec<String>); 4] = [
            ("in", self.inputs.iter().map(port).chain(self.lengths.iter().map(length)).collect()),
            ("set", self.parameters.iter().map(ToString::to_string).collect()),
            ("out", self.outputs.iter().map(port).collect()),
            ("from", vec![self.source.to_owned()]),
        ];
        write!(f, "{}\t{}", self.id, self.formula)?;
        for (group, lines) in groups {
            for (i, line) in lines.iter().enumerate() {
                write!(f, "\n  {:<5} {line}", if i == 0 { group } else { "" })?;
            }
        }
        Ok(())
    }
}
