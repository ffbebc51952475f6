//! Owns the truth of a run: who waits, who is at work, who is done. One loop, no locks.
//!
//! - `run`: the loop
//! - `roster`: where each host is; `restore`: where an earlier run has left them
//! - `lock`, `locking`: the lock of the task that is on
//! - `agent`, `lookout`: what is said while nothing else is told
//! - `closed`: why nobody else begins

mod agent;
mod closed;
mod lock;
mod locking;
mod lookout;
mod restore;
mod roster;
mod run;

pub use run::run;
