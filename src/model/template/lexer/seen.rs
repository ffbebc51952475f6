//! What a walk over a script comes by, and why it stops at a value.

use crate::model::template::problem::ValueProblem;

/// A value that cannot stand where it does.
#[derive(Debug)]
pub(in crate::model::template) struct Refusal {
    /// The value's index.
    pub item: usize,
    /// Why.
    pub problem: ValueProblem,
}

/// What a walk over a script came by, in order. Offsets are those of the script with its marks.
#[derive(Debug, Default)]
pub(in crate::model::template) struct Trace(pub(in crate::model::template) Vec<Seen>);

/// A part of a script that has rules of its own.
#[derive(Clone, Copy, Debug)]
pub(in crate::model::template) enum Seen {
    /// A construct begins; `at` is behind what opens it.
    Open { at: usize, what: Opened },
    /// The innermost construct ends; `at` is behind what closes it.
    Close { at: usize },
    /// `'...'`, quotes included.
    Single { start: usize, end: usize },
    /// A comment, the body of a heredoc, `$'...'`.
    Skipped { start: usize, end: usize },
}

/// What kind of construct begins.
#[derive(Clone, Copy, Debug)]
pub(in crate::model::template) enum Opened {
    /// `$(`
    Commands,
    /// `"`
    Double,
    /// Any other.
    Other,
}

/// A refusal in words.
pub(super) fn refuse(item: usize, place: impl Into<String>, help: impl Into<String>) -> Refusal {
    Refusal { item, problem: ValueProblem::Place { place: place.into(), help: help.into() } }
}
