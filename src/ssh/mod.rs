//! Floor 1: the transport. Opens sessions on hosts and runs commands in them; knows nothing of runs and tasks.
//!
//! [`Connector`] and [`Session`] are the seam under the engine: SSH ([`client::SshConnector`]), the
//! operator's own machine ([`local`]) and a scripted fake stand behind it. Generics, not `dyn`: the set is
//! closed. [`transport::Transports`] picks between the first two, host by host.

mod acknowledging;
pub mod agent;
mod algorithms;
mod auth;
pub mod backoff;
mod banner;
mod certificate;
mod channel;
mod channels;
mod claim;
pub mod client;
pub mod collect;
mod command;
mod deadline;
pub mod dial;
pub mod error;
mod exec;
mod failure;
mod gateway;
mod handler;
pub mod host_key;
pub mod kept;
pub mod keys;
pub mod known_hosts;
pub mod local;
mod local_exec;
mod login;
mod lookup;
mod notice;
pub mod pipe;
pub mod proxy;
pub mod raised;
pub mod seam;
pub mod session;
pub mod sftp;
pub mod shell;
pub mod software;
mod starts;
mod stream;
pub mod talk;
mod terminal_modes;
mod translation;
pub mod transport;
mod tunnel;
mod wire;

pub use crate::ssh::claim::{ChannelClaim, ChannelHolder};
pub use crate::ssh::command::{ExecEvent, ExecRequest, Heard, JobNews, Sent, Signal, Stdin};
pub use crate::ssh::error::ExecError;
pub use crate::ssh::lookup::addresses;
pub use crate::ssh::notice::Notice;
pub use crate::ssh::seam::{Connector, Exec, Session};
