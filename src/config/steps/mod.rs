//! The steps of a task: exactly one action each, the keys around it, and every template in them checked.
//!
//! - `keys`: which actions and keys there are, and which key belongs to which action
//! - `files`: actions on files
//! - `becoming`: as whom a step is done, what its command is answered
//! - `control`: whether, how often and for which items a step is done, and what its result means
//! - `step`: one step, and those that stand for others: blocks, calls of other tasks
//! - `waiting`: actions that wait for the host or for the user

pub(super) mod becoming;
pub(super) mod control;
mod files;
mod keys;
mod step;
mod waiting;

pub(super) use crate::config::steps::step::{one_step, steps};
pub use files::{check_glob, check_validate};
pub(super) use keys::{TWOFOLD, actions, keys_beside, kind};
