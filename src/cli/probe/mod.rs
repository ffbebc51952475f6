//! `fan probe`: whether web servers, ports and names are well, from here or from hosts.
//!
//! - `round`: all probes once, at their rate
//! - `table`: what was found, for people and programs
//! - `run`: the command

mod letter;
mod round;
mod run;
mod table;

pub(super) use crate::cli::probe::run::run;
