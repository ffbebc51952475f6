//! `fan fleet`: the fleet over time, from the file that `fan facts --save` writes; no host is contacted.
//!
//! - `place`: where the file is, and its errors in words
//! - `saver`: the reader of a run that saves what it gathered
//! - `condition`: `--where` over what is in the file
//! - `choose`: the hosts that the flags choose
//! - `look`, `report`: the subcommands

mod choose;
mod condition;
mod look;
mod place;
mod report;
mod saver;

pub(super) use crate::cli::fleet::choose::known;
pub(super) use crate::cli::fleet::look::run;
pub(super) use crate::cli::fleet::saver::Saver;
