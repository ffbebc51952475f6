//! The two file formats as JSON Schema, for editors. Which keys there are, and which belongs to which action, comes from
//! the tables that the readers use; what is added here is what a key takes, and a line about it.
//!
//! An editor may let something pass that fan then refuses, but marks nothing that fan takes: a schema sees no two places
//! at a time, no templates and no names. Draft 7, which yaml-language-server reads.

mod format;
mod inventory;
mod tasks;

#[cfg(test)]
mod tests;

pub use crate::config::json_schema::format::{FileFormat, json_schema};
