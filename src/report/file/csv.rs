//! Rows for spreadsheets: one per host and step. No cell becomes a formula.

use crate::report::file::text::{clean, exit_text, millis, plain, status_word, why};
use crate::report::record::Record;
use crate::report::words::failure_text;

/// Bytes of a stream in a cell.
const STREAM_MAX: usize = 1000;

/// What begins a formula, or becomes one in some program (OWASP, "CSV Injection").
const FORMULA: [char; 11] = ['=', '+', '-', '@', '|', '\t', '\r', '＝', '＋', '－', '＠'];

/// What parts cells in some program, whatever this file says: a formula behind one begins a cell there. Some that know
/// no quotes take `"` and line ends for the border of a cell, too.
const BORDER: [char; 8] = [',', ';', '\t', '|', '\n', '\r', '"', '\''];

/// The columns, and whether each holds numbers.
pub(super) const COLUMNS: [(&str, bool); 16] = [
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
    ("not_known", false),
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
                run.step.saturating_add(1).to_string(),
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
                outcome.map(|outcome| outcome.not_known.to_string()).unwrap_or_default(),
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

/// A cell in quotes where it needs them (RFC 4180), with `'` before what a program would take for a formula: at its
/// beginning, and behind whatever parts cells in a program that was told, or takes, another separator.
pub(in crate::report) fn quoted(cell: &str) -> String {
    let guarded = guarded(cell);
    if guarded == cell && !cell.contains(BORDER) {
        return guarded;
    }
    format!("\"{}\"", guarded.replace('"', "\"\""))
}

/// Whether a program would take a text for a formula.
pub(super) fn begins_formula(text: &str) -> bool {
    text.trim_start().starts_with(FORMULA) || text.starts_with(FORMULA)
}

fn guarded(cell: &str) -> String {
    let mut out = String::with_capacity(cell.len() + 2);
    let mut begins = true;
    for c in cell.chars() {
        if begins && FORMULA.contains(&c) {
            out.push('\'');
        }
        // Blanks before a formula are passed over by some.
        begins = BORDER.contains(&c) || (begins && c.is_whitespace());
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_begins_a_formula_whatever_parts_the_cells() {
        for (cell, expected) in [
            ("web1", "web1"),
            ("a-b+c=d@e", "a-b+c=d@e"),
            ("=1+1", "\"'=1+1\""),
            (" =1", "\" '=1\""),
            ("x;=1", "\"x;'=1\""),
            ("x; =1", "\"x; '=1\""),
            ("x,+1,y", "\"x,'+1,y\""),
            ("x\t@SUM(1)", "\"x\t'@SUM(1)\""),
            ("x|-1", "\"x|'-1\""),
            ("x\n=1\r\n-2", "\"x\n'=1\r\n'-2\""),
            ("a \"=1\"", "\"a \"\"'=1\"\"\""),
            ("'=1", "\"''=1\""),
            ("x;\u{ff1d}1", "\"x;'\u{ff1d}1\""),
            ("a;b", "\"a;b\""),
        ] {
            assert_eq!(quoted(cell), expected, "{cell:?}");
        }
    }

    /// Read with each separator, with quotes and without: no cell is a formula.
    #[test]
    fn every_reader_finds_text() {
        for separator in [',', ';', '\t', '|', '\n'] {
            for formula in ["=1", "+1", "-1", "@x", "\t=1", "\r=1", "|x"] {
                for before in ["", "x", "x ", "x\"", "x'"] {
                    let cell = quoted(&format!("{before}{separator}{formula}"));
                    for part in cell.split([separator, '"']) {
                        assert!(
                            !part.trim_matches([' ', '\t', '\r', '\n']).starts_with(['=', '+', '-', '@']),
                            "{cell:?}"
                        );
                    }
                }
            }
        }
    }
}
