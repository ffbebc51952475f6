//! What a walk over a script comes by, and why it stops at a value.

use crate::model::template::problem::ValueProblem;

/// A value that cannot stand where it does.
#[derive(Debug)]
pub(in crate::model::template) struct ValueRefusal {
    /// The value's index.
    pub item: usize,
    /// Why.
    pub problem: ValueProblem,
}

/// What a walk over a script came by, in order. Offsets are those of the script with its marks.
#[derive(Debug, Default)]
pub(in crate::model::template) struct Trace(pub(in crate::model::template) Vec<SeenConstruct>);

/// A part of a script that has rules of its own.
#[derive(Clone, Copy, Debug)]
pub(in crate::model::template) enum SeenConstruct {
    /// A construct begins; `at` is behind what opens it.
    Open { at: usize, what: OpenedConstruct },
    /// The innermost construct ends; `at` is behind what closes it.
    Close { at: usize },
    /// `'...'`, quotes included.
    Single { start: usize, end: usize },
    /// A comment, the body of a heredoc, `$'...'`.
    Skipped { start: usize, end: usize },
}

/// What kind of construct begins.
#[derive(Clone, Copy, Debug)]
pub(in crate::model::template) enum OpenedConstruct {
    /// `$(`
    Commands,
    /// `"`
    Double,
    /// Any other.
    Other,
}

/// A refusal in words.
pub(super) fn refuse(item: usize, place: impl Into<String>, help: impl Into<String>) -> ValueRefusal {
    ValueRefusal { item, problem: ValueProblem::Place { place: place.into(), help: help.into() } }
}
