//! Rows for spreadsheets: one per host and step. No cell becomes a formula.

use crate::report::file::text::{clean, exit_text, millis, plain, status_word, why};
use crate::report::record::Record;
use crate::report::words::failure_text;

/// Bytes of a stream in a cell.
const STREAM_MAX: usize = 1000;

/// What begins a formula, or becomes one in some program (OWASP, "CSV Injection").
const FORMULA: [char; 10] = ['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠'];

/// The columns, and whether each holds numbers.
pub(super) const COLUMNS: [(&str, bool); 15] = [
    ("host", false),
    ("host_status", false),
    ("task", false),
    ("step", true),
    ("title", false),
    ("status", false),
    ("exit", false),
    ("kind", false),
    ("message", false),
    ("attempts", true),
    ("began_ms", true),
    ("elapsed_ms", true),
    ("note", false),
    ("stdout", false),
    ("stderr", false),
];

pub(super) fn render(record: &Record) -> String {
    let mut out = COLUMNS.map(|(name, _)| name).join(",");
    out.push_str("\r\n");
    for row in rows(record) {
        let cells: Vec<String> = row.iter().map(|cell| quoted(cell)).collect();
        out.push_str(&cells.join(","));
        out.push_str("\r\n");
    }
    out
}

/// One row per host and step, one without a step for hosts that had none; clean text.
pub(super) fn rows(record: &Record) -> impl Iterator<Item = [String; COLUMNS.len()]> {
    let texts: Vec<String> = record.texts().iter().map(|text| plain(text, STREAM_MAX)).collect();
    let text = move |id: Option<usize>| {
        let text = id.and_then(|id| texts.get(id)).map(|text| text.trim_end_matches('\n'));
        text.unwrap_or_default().to_owned()
    };
    record.hosts().flat_map(move |(host, track)| {
        let name = clean(host.host.as_str());
        let status = host.status().map_or("unfinished", |status| status.as_str()).to_owned();
        let kind = host.kind().map(|kind| kind.as_str().to_owned()).unwrap_or_default();
        let mut rows = Vec::new();
        for run in &track.steps {
            let outcome = run.outcome.as_ref();
            let failure = outcome.and_then(|outcome| outcome.failure.as_ref());
            let task = record.recap().tasks.get(run.task);
            rows.push([
                name.clone(),
                status.clone(),
                clean(task.map(|task| task.name.as_str()).unwrap_or_default()),
                (run.step + 1).to_string(),
                clean(record.step(run.task, run.step).map(|step| step.title.as_str()).unwrap_or_default()),
                status_word(run).to_owned(),
                exit_text(run),
                failure.map(|failure| failure.kind.as_str().to_owned()).unwrap_or_default(),
                failure.map(|failure| clean(&failure_text(failure))).unwrap_or_default(),
                run.attempts.to_string(),
                millis(run.began).to_string(),
                outcome.map(|outcome| millis(outcome.elapsed).to_string()).unwrap_or_default(),
                outcome.and_then(|outcome| outcome.note.as_deref()).map(clean).unwrap_or_default(),
                text(run.stdout),
                text(run.stderr),
            ]);
        }
        if rows.is_empty() {
            let mut row = [const { String::new() }; COLUMNS.len()];
            let known =
                [name, status, String::new(), String::new(), String::new(), String::new(), String::new()];
            for (cell, value) in row.iter_mut().zip(known.into_iter().chain([kind, why(record, host)])) {
                *cell = value;
            }
            rows.push(row);
        }
        rows
    })
}

/// A cell in quotes where it needs them (RFC 4180), with `'` before what a program would take for a formula.
fn quoted(cell: &str) -> String {
    let guard = if cell.starts_with(FORMULA) { "'" } else { "" };
    if guard.is_empty() && !cell.contains([',', '"', '\n', '\r']) {
        return cell.to_owned();
    }
    format!("\"{guard}{}\"", cell.replace('"', "\"\""))
}
