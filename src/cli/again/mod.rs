//! `fan retry` and `fan resume`: an earlier run taken up again, with the same command line in the same folder.
//!
//! - `taking_up`: which run, whether it may be, and what goes on from it
//! - `recorded_elsewhere`: a run of another machine, from its event stream
//! - `command_line`: the command line that it had

mod command_line;
mod recorded_elsewhere;
mod taking_up;

pub(super) use crate::cli::again::command_line::{parsed, unmasked};
pub(super) use crate::cli::again::taking_up::{resume, retry};
