//! One host on its way through a task.
//!
//! - `way`: blocks, calls and handlers; here a task begins
//! - `attempt`: one step: `turns` (which items), `judge` (what its result means), `once` (one host for all), `pace` (the
//!   user's word), `recall` (an earlier run's)
//! - `worker`: what they all work on; `away`: the worker at another host; `halt`: how a host comes out
//! - `choose`: whether the host takes part at all

mod attempt;
mod away;
pub(crate) mod choose;
pub(crate) mod halt;
mod judge;
mod once;
mod pace;
mod recall;
pub(crate) mod shared;
mod turns;
pub(crate) mod way;
mod worker;
