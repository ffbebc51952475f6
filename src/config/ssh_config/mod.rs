//! OpenSSH's client configuration, read by fan itself: `~/.ssh/config`, `/etc/ssh/ssh_config` and what they include.
//!
//! ```text
//! files ──lines──▶ words ──keywords, value, criteria──▶ file::Statement   once, for all hosts
//! statements ──chosen──▶ first values of one host ──answer, tokens──▶ Settings, errors, warnings
//! ```
//!
//! The measure is `ssh -G`: a test compares thousands of configurations with it. A keyword that matters for
//! safety and that fan does not do is an error for the hosts that it touches (keywords.rs has them all); it is
//! never passed by. docs/ssh-config.md is the manual.
//!
//! Refuses to run anything (`Match exec`, `ProxyCommand`, `KnownHostsCommand`), to ask DNS, and to fill in
//! defaults, which belong to whoever merges the layers.

mod answer;
mod asked;
mod chosen;
mod criteria;
mod file;
mod keywords;
mod lines;
mod names;
mod pattern;
mod query;
mod tokens;
mod value;

pub use crate::config::ssh_config::asked::{ConfigAnswer, Local, Sources};
pub use crate::config::ssh_config::query::SshConfig;
