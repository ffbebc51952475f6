//! Why runs cannot be kept or read.

use std::io;

use thiserror::Error;

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
    #[error("run {run} was recorded by fan {fan}, which is newer than this one (line {line} of {name})")]
    Later {
        /// Which run.
        run: String,
        /// The version.
        fan: String,
        /// Which file.
        name: &'static str,
        /// From 1.
        line: usize,
    },
    /// Not all of a run could be written down.
    #[error("run {run}: its record ends early: writing failed")]
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
    #[error("{name:?} is a prefix of {count} runs, the newest {first} and {second}")]
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
