//! What the wall knows of its trace, for a picture and a sentence alike: its methods, A and B, and what is said of them.

use super::path::AddsUp;
use super::{MethodWall, Pair};
use crate::exhibits::looking::Looking;
use crate::exhibits::next_character::visible;
use crate::saliency::method::Method;
use crate::trace::Trace;
use crate::ui::number;

/// From this rank correlation on two maps are said to be the same.
const SAME: f32 = 0.5;

/// A trace as the wall reads it.
pub(super) struct Wall<'a> {
    pub(super) trace: &'a Trace,
    /// In the order of the maps.
    pub(super) methods: Vec<Method>,
    pub(super) pair: Pair,
    /// What is explained, in quotes.
    pub(super) class: String,
    pub(super) forgotten: usize,
    reads: bool,
}

impl<'a> Wall<'a> {
    pub(super) fn new(state: &MethodWall, trace: &'a Trace) -> Self {
        let of = |name: &String| Method::ALL.into_iter().find(|it| it.name() == name);
        let methods: Vec<Method> = trace.words("methods").iter().filter_map(of).collect();
        let likeliest = Looking::default();
        let class = if state.reads { &likeliest } else { &state.looking }.asked(trace);
        let class = match class {
            "" => "the class".to_owned(), // the logits are on their way
            name if state.reads => format!("“{}”", visible(name)),
            name => format!("“{name}”"),
        };
        let (forgotten, reads) = (state.forgotten, state.reads);
        Self { trace, pair: state.pair(&methods), methods, class, forgotten, reads }
    }

    /// A or B; nothing for the other methods.
    pub(super) fn letter(&self, method: Method) -> &'static str {
        match method {
            it if it == self.pair.a => "A",
            it if it == self.pair.b => "B",
            _ => "",
        }
    }

    /// A method after its letter.
    pub(super) fn name(&self, method: Method) -> String {
        format!("{} {}", self.letter(method), method.name()).trim_start().to_owned()
    }

    /// Whether it is one of the two that are compared.
    pub(super) fn lit(&self, method: Method) -> bool {
        !self.letter(method).is_empty()
    }

    /// How much map `i` is still what it was before the model forgot.
    pub(super) fn sanity(&self, i: usize) -> String {
        self.trace.number(&format!("sanity.{i}")).map_or_else(String::new, correlation)
    }

    /// What is explained, and what was forgotten.
    pub(super) fn title(&self) -> String {
        let next = if self.reads { " as the next character" } else { "" };
        let groups = self.trace.words("forget");
        let last = self.forgotten.min(groups.len()).checked_sub(1).and_then(|it| groups.get(it));
        let held = last.map_or_else(String::new, |it| format!(", held; layers forgot down to {it}"));
        format!("What speaks for {}{next}{held}", self.class)
    }

    /// Once everything is forgotten, which methods do not care; how to compare until then.
    pub(super) fn note(&self) -> String {
        let all = self.trace.words("forget").len();
        if self.forgotten < all || all == 0 {
            let more = if self.forgotten > 0 { " Numbers: rank correlation with what it was." } else { "" };
            let Pair { a, b } = self.pair;
            return format!(
                "A is {}, B is {}; a click makes another A.{more}{}",
                a.name(),
                b.name(),
                self.adds_up(a == Method::Integrated || b == Method::Integrated)
            );
        }
        let same = |i: &usize| self.trace.number(&format!("sanity.{i}")).is_some_and(|rho| rho > SAME);
        let accused: Vec<&str> =
            (0..self.methods.len()).filter(same).map(|i| self.methods[i].name()).collect();
        if accused.is_empty() {
            return "Nothing is left of what was learnt, and every map has changed.".to_owned();
        }
        format!(
            "Everything is forgotten, and these still look the same (rank correlation over {SAME}): {}",
            accused.join(", ")
        )
    }

    /// What integrated gradients sum to, of what they should: where that is asked for, or too far off.
    pub(super) fn adds_up(&self, asked: bool) -> String {
        let sum = AddsUp::of(self.trace).filter(|it| asked || !it.is_close());
        let say = |AddsUp { steps, sum, whole, .. }| {
            format!(
                " Integrated gradients: after {steps} steps they sum to {} of {}.",
                number(sum),
                number(whole)
            )
        };
        sum.map_or_else(String::new, say)
    }

    /// A, B and their difference where the pointer is; `at` finds a tensor's value there.
    pub(super) fn compared(&self, at: impl Fn(&str) -> Option<f32>) -> Option<(String, f32)> {
        let difference = at("difference")?;
        let [a, b] = [self.pair.a, self.pair.b].map(|it| self.name(it));
        let words = match (at("compared.a"), at("compared.b")) {
            (Some(x), Some(y)) => format!("{a} {}, {b} {}, A − B", number(x), number(y)),
            _ => format!("{a} − {b}"),
        };
        Some((format!("{words}: {}", number(difference)), difference))
    }

    /// `A − B` in words, and how much their ranks agree.
    pub(super) fn agreement(&self) -> String {
        self.trace
            .number("agreement")
            .map_or_else(String::new, |it| format!("rank corr. {}", correlation(it)))
    }
}

impl MethodWall {
    /// The method becomes A, and what was A becomes B.
    pub(super) fn pick(&mut self, method: Method, pair: Pair) {
        if method != pair.a {
            self.pair = Pair { a: method, b: pair.a };
        }
    }
}

fn correlation(it: f32) -> String {
    format!("{it:.2}").replace('-', "−")
}
