//! The two file formats as JSON Schema, for editors. Keys, what each takes and the line about it come from the tables that
//! the readers use; what is added here is which keys go together.
//!
//! An editor may let something pass that fan then refuses, but marks nothing that fan takes: a schema sees no two places
//! at a time, no templates and no names. Draft 7, which yaml-language-server reads.

mod format;
mod inventory;
mod tasks;

#[cfg(test)]
mod tests;

pub use crate::config::json_schema::format::{FileFormat, json_schema};
