//! From what the user wrote to a plan: pure, it reads no disk, and everything that can be wrong is said in one pass.
//!
//! - `request`: what is asked; `planning`: the way from there to the plan
//! - `listing`, `types`: which tasks, with which arguments; `start`, `outline`: with which steps
//! - `hosts`, `gateways`, `ssh_config`: how hosts are reached
//! - `variables`, `host_vars`, `given`, `uses`: what templates see, and which names they look at
//! - `condition`, `narrow`, `rollout`, `delegates`, `locks`: who takes part, together with whom, and what they hold
//! - `durable`: what cannot outlive a connection

mod arguments;
mod condition;
mod delegates;
mod durable;
mod endpoints;
mod gateways;
mod given;
mod groups;
mod host_vars;
mod hosts;
mod listing;
mod local_each;
mod locks;
mod narrow;
mod outline;
mod planning;
mod request;
mod rollout;
mod ssh_config;
mod start;
#[cfg(test)]
mod tests;
mod types;
pub(super) mod uses;
mod variables;

pub(super) use condition::asks;
pub(crate) use condition::unknown_facts;
pub(super) use narrow::narrow;
pub use outline::Picking;
pub use planning::{command, step, tasks};
pub use request::{Bounds, DEFAULT_POOL, Operator, Request};
pub use ssh_config::{Consulted, SshConfigSource};
pub(super) use variables::{name_hosts, suggest};
