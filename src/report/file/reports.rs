//! The reporter that keeps the record of a run and writes its reports when the run is over.

use std::io;

use crate::event::Event;
use crate::report::file::kind::ReportKind;
use crate::report::file::{csv, html, json, junit, markdown, xlsx};
use crate::report::record::Record;
use crate::report::reporter::Reporter;

/// The whole file.
pub fn render(kind: ReportKind, record: &Record) -> Vec<u8> {
    match kind {
        ReportKind::Json => json::render(record),
        ReportKind::Junit => junit::render(record).into_bytes(),
        ReportKind::Markdown => markdown::render(record, usize::MAX).into_bytes(),
        ReportKind::Csv => csv::render(record).into_bytes(),
        ReportKind::Xlsx => xlsx::render(record),
        ReportKind::Html => html::render(record).into_bytes(),
    }
}

/// Where a report goes when it is done.
pub type PutReport = Box<dyn FnMut(&[u8]) -> io::Result<()> + Send>;

/// Who takes the record of a run when it is over.
pub type TakeRecord = Box<dyn FnMut(&Record) + Send>;

/// What becomes of the record of a run.
pub enum ReportTarget {
    /// A whole file.
    File(ReportKind, PutReport),
    /// The summary of a job of GitHub's runner: Markdown of a bounded size.
    Summary(PutReport),
    /// Whatever someone else makes of it.
    Elsewhere(TakeRecord),
}

/// Bytes that GitHub takes as the summary of a step, with some room.
const SUMMARY_MAX: usize = 900 * 1024;

/// Writes reports when the run is over.
pub struct Reports {
    record: Record,
    targets: Vec<ReportTarget>,
}

impl Reports {
    /// Writes these.
    pub fn new(targets: Vec<ReportTarget>) -> Self {
        Self { record: Record::default(), targets }
    }
}

impl Reporter for Reports {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        self.record.apply(event);
        Ok(())
    }

    fn idle(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Writes each, also when another one fails.
    fn finish(&mut self) -> io::Result<()> {
        let mut result = Ok(());
        for target in &mut self.targets {
            let written = match target {
                ReportTarget::File(kind, put) => put(&render(*kind, &self.record)),
                ReportTarget::Summary(put) => put(markdown::render(&self.record, SUMMARY_MAX).as_bytes()),
                ReportTarget::Elsewhere(take) => {
                    take(&self.record);
                    Ok(())
                }
            };
            result = result.and(written);
        }
        result
    }
}
