//! `fan retry` and `fan resume`: an earlier run taken up again, with the same command line in the same folder.
//!
//! - `taking_up`: which run, whether it may be, and what goes on from it
//! - `command_line`: the command line that it had

mod command_line;
mod taking_up;

pub(super) use crate::cli::again::taking_up::{resume, retry};
