//! The kinds of reports, and the extension of each.

use std::ffi::OsStr;
use std::path::Path;

/// A kind of report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportKind {
    /// For programs.
    Json,
    /// For CI servers: a test case per host and step.
    Junit,
    /// For merge requests and chats.
    Markdown,
    /// For spreadsheets, a row per host and step.
    Csv,
    /// The same as a workbook.
    Xlsx,
    /// One page for a browser, without network.
    Html,
}

impl ReportKind {
    /// All of them.
    pub const ALL: &'static [Self] =
        &[Self::Json, Self::Junit, Self::Markdown, Self::Csv, Self::Xlsx, Self::Html];

    /// The kind that a file's extension stands for.
    pub fn of(path: &Path) -> Option<Self> {
        let extension = path.extension().and_then(OsStr::to_str)?;
        Self::ALL.iter().copied().find(|kind| kind.extension().eq_ignore_ascii_case(extension))
    }

    /// Its extension, without the dot.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Junit => "xml",
            Self::Markdown => "md",
            Self::Csv => "csv",
            Self::Xlsx => "xlsx",
            Self::Html => "html",
        }
    }
}
