//! Reports as files: a [`Record`] as JSON, JUnit, Markdown, CSV, XLSX or HTML.
//!
//! Pure: a record in, bytes out. Where they go is the caller's. All text of hosts is made visible and inert for its
//! reader, and every report has bounds, however much hosts said.
//!
//! [`Record`]: crate::report::record::Record

pub(super) mod csv;
pub(in crate::report) mod html;
mod json;
mod junit;
mod kind;
pub(crate) mod markdown;
mod reports;
pub(super) mod text;
pub(super) mod workbook;
mod xlsx;

pub use crate::report::file::kind::ReportKind;
pub use crate::report::file::reports::{ReportTarget, Reports, render};

#[cfg(test)]
mod tests;
