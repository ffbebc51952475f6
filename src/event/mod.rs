//! What happened in a run: facts in the past tense, with data and without text for people.
//!
//! The contract, held by tests: [`RunFact::Started`] is first; every host of the plan has exactly one
//! [`Fact::HostFinished`], also when the run is cancelled; [`RunFact::Finished`] is last. Only
//! [`StepFact::Output`] may be dropped by a reader. Folding the stream into a [`recap::Recap`] gives the same
//! recap live and replayed.
//!
//! A reader names every variant of the subjects that it looks into, and passes over a subject as a whole that is none of
//! its business: so a new fact about its own subjects does not compile until it has an answer.
//!
//! - `fact`: what happened, by subject
//! - `parts`: what facts are made of
//! - `wire`, `line`, `encoding`: an event as JSON, one a line, and back; with all that a later version wrote
//! - `recap`: what it comes to
//! - `ledger`: where it is written down first

mod encoding;
mod fact;
pub mod ledger;
pub mod line;
mod parts;
pub mod recap;
mod wire;

pub use fact::{
    ConnectionFact, Fact, GatewayFact, LockAt, LockFact, RecordFact, RunFact, StepAt, StepFact, TaskFact,
    UnknownFact,
};
pub use parts::{
    Change, HostOutcome, Section, StepOutcome, StepSummary, Straggler, Stream, TaskSummary, Timings,
};
pub(crate) use wire::beyond;
pub use wire::{Beyond, Event};

/// Version of the recorded form of the stream; it grows when a field changes its meaning or goes away.
pub const SCHEMA_VERSION: u32 = 1;
