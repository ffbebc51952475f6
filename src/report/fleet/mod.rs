//! The fleet over time, for people and programs: the table of `fan fleet`, the page of a host, changes, and reports as files.
//!
//! - `data`: what is shown
//! - `columns`: what a column shows of a host
//! - `text`: table, page and changes for a screen
//! - `totals`: what holds of the hosts together
//! - `html` with `plot`, `xlsx`, `markdown`, `prometheus`: reports as files, by `kind`

mod columns;
mod data;
mod html;
mod kind;
mod letter;
mod markdown;
mod plot;
mod prometheus;
#[cfg(test)]
mod tests;
mod text;
mod totals;
mod xlsx;

pub use crate::report::fleet::columns::{COLUMNS, check_column};
pub use crate::report::fleet::data::{FleetEntry, FleetView};
pub use crate::report::fleet::kind::{FleetReportKind, render};
pub use crate::report::fleet::letter::letter as fleet_letter;
pub use crate::report::fleet::text::{changes_csv, changes_json, changes_table, csv, json, page, table};
