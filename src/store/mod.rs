//! Floor 2: what is kept of runs. Each run has a folder of its own under `$XDG_STATE_HOME/fan/runs`, written while the run
//! goes on (docs/design/journal.md).
//!
//! - `folder`: the folders, opened without following links, for their owner only
//! - `recipe`: what a run was started with
//! - [`Journal`]: the run as it goes, a line per fact
//! - `record`: what can be read back, also after a crash
//! - `chain`: runs that take up each other
//! - `prune`: how long runs are kept
//!
//! Refuses: rendering, asking the engine. Nothing in here fails a run.

mod chain;
mod folder;
mod journal;
mod prune;
mod recipe;
mod record;
mod syncer;
#[cfg(test)]
mod tests;

use std::io;

use thiserror::Error;

pub use crate::store::chain::Hold;
pub use crate::store::folder::Runs;
pub use crate::store::journal::{HOST_OUTPUT_MAX, Journal, RUN_OUTPUT_MAX};
pub use crate::store::prune::Keep;
pub use crate::store::recipe::{Again, Ended, Recipe, Source, Way};
pub use crate::store::record::{Entry, State, Stored};

/// The files of a run.
mod files {
    /// What it was started with.
    pub(super) const RECIPE: &str = "run.json";
    /// What happened, a line per fact. Locked while the run goes on.
    pub(super) const EVENTS: &str = "events.jsonl";
    /// The variables that steps defined, a line per step and host.
    pub(super) const VALUES: &str = "values.jsonl";
    /// How it ended.
    pub(super) const ENDED: &str = "end.json";
    /// Empty, and there only when not all that happened could be written.
    pub(super) const GAP: &str = "gap";
}

/// Why runs cannot be kept or read.
#[derive(Debug, Error)]
pub enum StoreError {
    /// A folder cannot be made or opened.
    #[error("cannot use {path}: {source}")]
    Folder {
        /// Which.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// A folder is not safe to write to.
    #[error("{path} {why}")]
    Unsafe {
        /// Which.
        path: String,
        /// In which way.
        why: &'static str,
    },
    /// A file of a run cannot be read or written.
    #[error("run {run}: {name}: {source}")]
    File {
        /// Which run.
        run: String,
        /// Which file.
        name: &'static str,
        /// Why.
        source: io::Error,
    },
    /// A run was recorded by a later version.
    #[error("run {run} was recorded by fan {fan}, which knows more than this one")]
    Later {
        /// Which run.
        run: String,
        /// The version.
        fan: String,
    },
    /// Not all of a run could be written down.
    #[error("run {run}: its record ends early, as it could not be written")]
    Gap {
        /// Which run.
        run: String,
    },
    /// A line of a run's record is none.
    #[error("run {run}: line {line} of {name} is damaged")]
    Damaged {
        /// Which run.
        run: String,
        /// Which file.
        name: &'static str,
        /// From 1.
        line: usize,
    },
    /// No run has this name.
    #[error("no run {name:?} is kept")]
    Missing {
        /// As the user wrote it.
        name: String,
    },
    /// More than one run has a name that begins like this.
    #[error("{name:?} begins the names of {count} runs, the newest {first} and {second}")]
    Ambiguous {
        /// As the user wrote it.
        name: String,
        /// How many.
        count: usize,
        /// The newest.
        first: String,
        /// The one before it.
        second: String,
    },
    /// There is no run at all.
    #[error("no run is kept")]
    Empty,
}
