//! The operator's SSH agent, as draft-miller-ssh-agent has it: which keys it holds, and signatures by them.
//!
//! Owns the deadlines and the order of requests; which key is offered to whom is decided in `auth`. One
//! connection per login, bound to that login's host key (`session-bind@openssh.com`), so that keys which were
//! added with `ssh-add -h` work and stay restricted.

mod connection;
pub(super) mod forward;
mod frames;
mod held;
mod turns;

#[cfg(fuzzing)]
#[doc(hidden)]
pub mod door;

pub(super) use crate::ssh::agent::connection::{AgentConnection, Agents, SignError};
pub use crate::ssh::agent::connection::{AgentPatience, held, holds, is_consulted};
pub use crate::ssh::agent::held::HeldKey;
pub(super) use crate::ssh::agent::turns::TurnError;
