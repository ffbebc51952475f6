//! Readers of the event stream: what people, logs and programs see of a run.
//!
//! A reporter learns everything from events and never asks the engine. Everything that came from a host
//! passes [`crate::model::text`] before it reaches a screen. Reporters read no environment and open no
//! files: the caller hands in writers, sizes and choices.
//!
//! | where | what |
//! |---|---|
//! | [`Lines`] | output as it comes: `web1 | text` |
//! | [`Fold`] | output once per group of hosts that said the same |
//! | [`Verbose`] | what `-v` adds to it |
//! | [`Rows`] | hosts as data: names, objects, rows of a table |
//! | [`drift`] | who differs from the others, and in what |
//! | [`FactSheets`] | the tables of `fan facts` |
//! | [`Phases`] | the table of `fan ping` and `fan check --connect` |
//! | [`Progress`] over a [`Terminal`] | bars below the lines |
//! | [`LiveView`] over a [`Terminal`] | the whole screen, with keys |
//! | [`Jsonl`] | every event as one JSON object, for programs |
//! | [`Annotations`] | failed hosts, for GitHub's runner |
//! | [`PerHost`] | what each host wrote, for files of its own |
//! | [`file::render`] | a [`record::Record`] as a file: JSON, JUnit, Markdown, CSV, XLSX, HTML |
//! | [`letter`] | what is written to people and chats about a report |
//! | [`fleet::table`] and the like | the fleet over time, from its file |
//! | [`merge::Merge`] | the streams of several runs as one |
//! | [`recap::render`] | the table and the failures at the end |
//!
//! A terminal is written through a [`DroppingWriter`], because one that is stopped with Ctrl-S must not
//! stop the run; a pipe or a file is written directly and loses nothing.

mod alike;
mod bars;
mod capture;
pub mod drift;
mod facts;
pub mod file;
pub mod fleet;
mod fold;
mod github;
mod jsonl;
pub mod letter;
mod lines;
pub mod merge;
mod notices;
mod outdir;
mod phases;
mod progress;
mod queue;
pub mod recap;
pub mod record;
mod reporter;
mod rows;
mod sink;
mod style;
mod terminal;
#[cfg(test)]
mod tests;
mod verbose;
mod view;
pub(crate) mod words;

pub use crate::event::line::read;
pub use crate::report::facts::{FactSheets, Sheet};
pub use crate::report::file::Reports;
pub use crate::report::fold::{Fold, FoldFrame, FoldOptions};
pub use crate::report::github::Annotations;
pub use crate::report::jsonl::Jsonl;
pub use crate::report::lines::{Layout, Lines};
pub use crate::report::outdir::{PerHost, PutPiece};
pub use crate::report::phases::Phases;
pub use crate::report::progress::{BesideBars, Progress};
pub use crate::report::queue::DroppingWriter;
pub use crate::report::reporter::{Composite, Reporter};
pub use crate::report::rows::{Rows, RowsShape};
pub use crate::report::style::Style;
pub use crate::report::terminal::{Size, Terminal, Window};
pub use crate::report::verbose::Verbose;
pub use crate::report::view::{Hands, LiveView, ViewKey, ViewOpening, parse_keys};
pub use crate::report::words::failure_lines;
