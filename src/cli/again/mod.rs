//! `fan retry` and `fan resume`: an earlier run taken up again, with the same command line in the same folder.
//!
//! - `command_line`: that command line

mod command_line;
mod taking_up;

pub(super) use crate::cli::again::taking_up::{resume, retry};
