//! Ansible's inventories, read as Ansible reads them: INI, YAML, what programs print, and variables in files beside them.
//!
//! ```text
//! INI, YAML, JSON ──▶ AnsibleGraph ◀── group_vars, host_vars
//!                          └── settle, convert ──▶ Inventory
//! ```
//!
//! The measure is `ansible-inventory --list`: a test compares generated inventories with it.

mod connection;
mod convert;
mod folder;
mod graph;
mod hostname;
mod ini;
mod inventory;
mod listing;
mod literal;
mod ssh_args;
mod value;
mod vault;
mod words;
mod yaml;
mod yaml11;

pub(in crate::config) use crate::config::sources::ansible::inventory::AnsibleInventory;
pub(in crate::config) use crate::config::sources::ansible::listing::AnsibleListing;
pub(in crate::config) use crate::config::sources::ansible::vault::Vault;
pub use crate::config::sources::ansible::vault::VaultPassword;
