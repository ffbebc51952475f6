//! Every key of the files users write: its name, what it takes, a line about it. The readers, what they say of keys that
//! nobody knows, and the schemas for editors share these tables.
//!
//! - `shape`: what a value may be, and how that is said in JSON Schema
//! - `tasks`, `inventory`, `fan_file`: the keys of each map
//!
//! Which of a step's keys belongs to which action is said by the model (`Properties`).

pub(in crate::config) mod fan_file;
pub(in crate::config) mod inventory;
pub(in crate::config) mod shape;
pub(in crate::config) mod tasks;
