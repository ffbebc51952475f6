//! The kinds of reports of the fleet, by the extension of the file.

use std::ffi::OsStr;
use std::path::Path;

use crate::report::fleet::columns::COLUMNS;
use crate::report::fleet::data::FleetView;
use crate::report::fleet::{html, markdown, prometheus, text, xlsx};

/// A kind of report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FleetReportKind {
    /// One page for a browser, without network.
    Html,
    /// A workbook with sheets, filters and charts.
    Xlsx,
    /// The table, for spreadsheets.
    Csv,
    /// All of it, for programs.
    Json,
    /// For merge requests and chats.
    Markdown,
    /// The text format of Prometheus, for the textfile collector.
    Prometheus,
}

impl FleetReportKind {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Html, Self::Xlsx, Self::Csv, Self::Json, Self::Markdown, Self::Prometheus];

    /// The kind that a file's extension stands for.
    pub fn of(path: &Path) -> Option<Self> {
        let extension = path.extension().and_then(OsStr::to_str)?;
        Self::ALL.into_iter().find(|kind| kind.extension().eq_ignore_ascii_case(extension))
    }

    /// Its extension, without the dot.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Html => "html",
            Self::Xlsx => "xlsx",
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Markdown => "md",
            Self::Prometheus => "prom",
        }
    }
}

/// The whole file.
pub fn render(kind: FleetReportKind, view: &FleetView) -> Vec<u8> {
    match kind {
        FleetReportKind::Html => html::render(view).into_bytes(),
        FleetReportKind::Xlsx => xlsx::render(view),
        FleetReportKind::Csv => text::csv(view, &COLUMNS.map(str::to_owned)).into_bytes(),
        FleetReportKind::Json => text::report_json(view).into_bytes(),
        FleetReportKind::Markdown => markdown::render(view).into_bytes(),
        FleetReportKind::Prometheus => prometheus::render(view).into_bytes(),
    }
}
