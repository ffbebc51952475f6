//! clush's groups as a source of hosts and roles: `groups.conf`, the files that it names, and the commands that list
//! groups and their nodes (upcalls).
//!
//! ```text
//! groups.conf, *.conf, *.yaml ──▶ ClushConfig ──▶ upcalls, node sets ──▶ hosts and roles
//! ```
//!
//! As in ClusterShell's `NodeUtils.py` and `NodeSet.py`; a test compares with `nodeset -f`.

mod conf_file;
mod config;
mod groups;
mod nodeset;
mod upcall;

pub(in crate::config) use crate::config::sources::clush::config::ClushConfig;
pub(in crate::config) use crate::config::sources::clush::groups::onto;
