//! A command that outlives its connection, as one that runs: what its follower sends becomes what a command sends, and a
//! lost connection becomes a pause. docs/design/durable.md.

mod exec;
mod input;
mod job;
mod reader;

pub(crate) use exec::{DurableExec, Remains, RemainsSlot, tidy};
pub(crate) use job::{Job, JobOrigin, job_token};
