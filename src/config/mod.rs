//! Floor 1: the files users write. Turns YAML into `model` types and is the only place that knows the format.
//!
//! ```text
//! path ──source──▶ text ──compose──▶ yaml::Node ──inventory / tasks──▶ model
//!                            └───────── Findings ─────────┘
//! ```
//!
//! Every loader goes through the whole file and returns all of its errors at once, each with its place.
//! A settings field is read from its literal text (`1.10`, `022`, `no` stay what was typed); only the values
//! of variables are typed, by the rule in `scalar`.
//!
//! OpenSSH's client configuration has a reader of its own, [`ssh_config`]. Inventories of other tools, and the programs
//! that print them, are read by `sources`.
//!
//! Refuses: defaults (they belong to `model` and `engine`), anything that depends on two files at a time
//! (whether a task's role exists is the plan's question), and any code in a file: no lookups.

mod call;
mod compose;
mod excerpt;
mod fan_file;
mod fields;
mod findings;
mod foreign;
mod gateway;
mod given;
mod glob;
mod host_keys;
mod host_list;
mod included;
mod inventory;
mod json_schema;
mod lock;
mod looked_up;
mod manual;
mod order;
mod places;
mod reports;
mod rollout;
mod scalar;
mod search;
mod secret;
mod settings;
mod source;
mod sources;
pub mod ssh_config;
mod steps;
mod syntax;
mod tables;
mod task_files;
mod tasks;
mod templates;
#[cfg(test)]
mod tests;
mod vars;
mod yaml;

pub use crate::config::call::{parse_call, parse_calls};
pub use crate::config::fan_file::{DefaultOption, FanFile, load_fan_file};
pub use crate::config::foreign::foreign_file;
pub use crate::config::given::parse_given;
pub use crate::config::host_list::{host_list, load_host_list};
pub use crate::config::looked_up::read_looked_up;
pub use crate::config::manual::keys;
pub use excerpt::{Excerpt, excerpt};
pub use findings::{Diagnostics, Loaded};
pub use json_schema::{FileFormat, json_schema};
pub use search::find_upwards;
pub use sources::{
    SourceOptions, SourceSpec, VaultPassword, load_inventory, load_inventory_text, load_sources,
};
pub use steps::{check_glob, check_validate};
pub use task_files::{load_tasks, load_tasks_text};
pub use vars::{load_vars_file, read_value};
