//! What a run will do, complete before anything is contacted: hosts, tasks, steps, values, and what earlier runs have done of
//! it. Plain data.

pub(crate) mod memory;
pub(crate) mod past;
mod places;
pub(crate) mod readable;
pub(crate) mod scope;
mod whole;

pub use places::Places;
pub use readable::{Readable, with_titles};
pub use whole::{
    Becoming, Body, Call, Changes, Handler, Item, Keeper, KnownFacts, Locking, Plan, PlannedBlock,
    PlannedHost, PlannedLock, PlannedStep, PlannedTask, Sizes, TaskHost,
};
pub(crate) use whole::{is_secret, summarize};
