//! All that a plan needs to log in, gathered before any host is contacted: key files, agents, passphrases,
//! passwords. What is wrong is said in one pass; what a person has to type is asked once.
//!
//! - `prepare`: what hosts and gateways log in with, and what `sudo` is answered
//! - `named`: the secrets of templates, and plans that have them
//! - `source`: environment, files and commands
//! - `vault`: the passwords of Ansible Vault
//! - `memory`: what is done so that a secret does not leave the process by a side door
//!
//! Secrets come from the environment, files, commands and the terminal. They are never arguments, and go into
//! no message.

mod memory;
mod named;
mod prepare;
mod source;
pub(super) mod vault;

pub(super) use crate::cli::secrets::prepare::{PreparedSecrets, check, prepare};
pub(super) use named::{Need, plan_tasks, read};
