//! Floor 2: throw-away SSH hosts inside this process, on loopback, for `fan demo`, tests and benches.
//!
//! Each host has a port, a one-time host key and a folder of its own, which is the home of its commands.
//! Commands really run, and SFTP really moves files, as the user of this process: a throw-away host is for
//! rehearsal, it is no cage.
//! One one-time key logs in, under any user name; nothing but loopback can reach it. When the [`Sandbox`]
//! is dropped, hosts, commands, keys and folders are gone.
//!
//! Where to go on: `listener` (the front door) → `connection` (requests) → `command` (a running command) →
//! `process` (process groups); `sftp` (files). [`Behaviour`] lists the faults, [`SftpFault`] those of SFTP,
//! [`Dialect`] what is no fault and yet not as OpenSSH does it.

mod behaviour;
mod command;
mod connection;
mod fleet;
mod host;
mod keys;
mod listener;
mod login;
mod process;
mod sftp;
mod spool;
mod wire;

#[cfg(test)]
mod tests;

pub use crate::sandbox::behaviour::{Behaviour, HostSpec};
pub use crate::sandbox::fleet::{Sandbox, SandboxHost};
pub use crate::sandbox::login::SandboxLogin;
pub use crate::sandbox::sftp::{Dialect, SftpFault};
