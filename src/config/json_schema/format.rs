//! The formats that there are schemas of.

use crate::config::json_schema::{inventory, tasks};
use crate::model::value::Value;

/// A file format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileFormat {
    /// `tasks.yaml`.
    Tasks,
    /// `inventory.yaml`.
    Inventory,
}

/// The schema of a format.
pub fn json_schema(format: FileFormat) -> Value {
    match format {
        FileFormat::Tasks => tasks::schema(),
        FileFormat::Inventory => inventory::schema(),
    }
}
