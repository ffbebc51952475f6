//! One host on its way through a task.
//!
//! - `worker`: what it carries, the session that it opens, the record that it ends with
//! - `way`: blocks, calls and handlers
//! - `attempt`: one step
//! - `pace`: whether the user lets a step be run
//! - `choose`: whether the host takes part at all

pub(crate) mod attempt;
pub(crate) mod choose;
pub(crate) mod pace;
pub(crate) mod way;
pub(crate) mod worker;
