//! Completion in shells: `fan completions SHELL` prints a script that asks this binary, each time, what may come next.
//!
//! - `script`: the scripts
//! - `typed`: what was typed, as the shells hand it over
//! - `project`: the files that candidates come from
//! - `values`: candidates for values of options and for words
//! - `engine`: all of it put together
//!
//! Refuses: contact, questions, and messages: whatever is wrong is told by the command itself.

mod engine;
mod project;
mod script;
mod typed;
mod values;

pub(super) use crate::cli::complete::engine::{run, scripts};
