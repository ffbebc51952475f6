//! What was found: a table for people, an object or a row per probe for programs.

use std::time::Duration;

use serde_json::{Value, json};

use crate::cli::probe::round::ProbedFrom;
use crate::model::cells::{pad, width};
use crate::model::text::{Sgr, sanitize};
use crate::model::time::rfc3339;
use crate::web::{Certificate, Probed};

/// Between two columns.
const GAP: &str = "  ";

/// Characters of a cell.
const CELL_MAX: usize = 60;

/// A table, with what is not well in its last column.
pub(super) fn table(all: &[ProbedFrom], now: u64) -> String {
    let mut rows: Vec<[String; 10]> = Vec::new();
    rows.push(
        ["FROM", "TARGET", "ADDRESS", "NAME", "CONNECT", "TLS", "FIRST", "ALL", "CERTIFICATE", "RESULT"]
            .map(str::to_owned),
    );
    for from in all {
        let host = from.host.as_ref().map_or_else(|| "here".to_owned(), ToString::to_string);
        if let Some(failure) = &from.unreached {
            let mut row = [const { String::new() }; 10];
            let [first, .., last] = &mut row;
            (*first, *last) = (host, format!("not reached: {} [{}]", failure.message(), failure.kind));
            rows.push(row);
            continue;
        }
        for probed in &from.found {
            rows.push(row(&host, probed, now));
        }
    }
    // Columns that say nothing are left out.
    let cells = |column: usize| rows.iter().skip(1).filter_map(move |row| row.get(column));
    let single = all.len() == 1 && all.iter().all(|from| from.host.is_none());
    let shown: Vec<usize> = (0..10)
        .filter(|&column| cells(column).any(|cell| !cell.is_empty()) && !(column == 0 && single))
        .collect();
    let widths: Vec<usize> = shown
        .iter()
        .map(|&column| {
            rows.iter().filter_map(|row| row.get(column)).map(|cell| width(cell)).max().unwrap_or_default()
        })
        .collect();
    let line = |row: &[String; 10]| {
        let cells =
            shown.iter().zip(&widths).filter_map(|(&column, &wide)| Some(pad(row.get(column)?, wide)));
        cells.collect::<Vec<_>>().join(GAP).trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

fn clean(text: &str) -> String {
    sanitize(text.as_bytes(), Sgr::Escape).into_owned()
}

fn row(host: &str, probed: &Probed, now: u64) -> [String; 10] {
    let time = |time: Option<Duration>| time.map(millis).unwrap_or_default();
    let certificate = probed
        .certificates
        .first()
        .map(|first| format!("{} ({} days)", first.end_day(), first.days_left(now)));
    let result = match (&probed.problem, probed.status) {
        (Some(problem), Some(status)) if !problem.contains("status") => format!("{status}, but {problem}"),
        (Some(problem), _) => problem.clone(),
        (None, Some(status)) => match &probed.ended_at {
            Some(url) => format!("{status} at {url}"),
            None => status.to_string(),
        },
        (None, None) if !probed.addresses.is_empty() => {
            probed.addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        }
        (None, None) => "open".to_owned(),
    };
    [
        clean(host),
        crate::model::cells::shorten(&clean(&probed.target), CELL_MAX),
        probed.address.clone().unwrap_or_default(),
        time(probed.name),
        time(probed.connect),
        time(probed.tls),
        time(probed.first),
        millis(probed.all),
        certificate.unwrap_or_default(),
        clean(&result),
    ]
}

fn millis(time: Duration) -> String {
    let micros = time.as_micros();
    if micros < 10_000 {
        format!("{}.{} ms", micros / 1000, micros % 1000 / 100)
    } else {
        format!("{} ms", micros / 1000)
    }
}

/// Each probe as an object.
pub(super) fn objects(all: &[ProbedFrom]) -> Vec<Value> {
    let of = |from: &ProbedFrom| -> Vec<Value> {
        if let Some(failure) = &from.unreached {
            return vec![json!({"from": from.host, "unreached": failure})];
        }
        from.found.iter().map(|probed| object(from, probed)).collect()
    };
    all.iter().flat_map(of).collect()
}

fn object(from: &ProbedFrom, probed: &Probed) -> Value {
    let time = |time: Option<Duration>| time.map(|time| micros(time) / 1000.0);
    let chain = |certificate: &Certificate| {
        json!({
            "subject": certificate.subject, "issuer": certificate.issuer, "names": certificate.names,
            "not_before": rfc3339(certificate.begins), "not_after": rfc3339(certificate.ends),
        })
    };
    json!({
        "from": from.host,
        "target": probed.target,
        "address": probed.address,
        "ok": probed.problem.is_none(),
        "problem": probed.problem,
        "status": probed.status,
        "ended_at": probed.ended_at,
        "name_ms": time(probed.name),
        "connect_ms": time(probed.connect),
        "tls_ms": time(probed.tls),
        "first_byte_ms": time(probed.first),
        "all_ms": time(Some(probed.all)),
        "certificates": probed.certificates.iter().map(chain).collect::<Vec<_>>(),
        "addresses": probed.addresses,
    })
}

#[expect(clippy::cast_precision_loss, reason = "times of probes are far below 2^52 microseconds")]
fn micros(time: Duration) -> f64 {
    time.as_micros() as f64
}

/// Rows of a table for spreadsheets.
pub(super) fn csv(all: &[ProbedFrom]) -> String {
    const COLUMNS: [&str; 12] = [
        "from",
        "target",
        "address",
        "ok",
        "problem",
        "status",
        "name_ms",
        "connect_ms",
        "tls_ms",
        "first_byte_ms",
        "all_ms",
        "certificate_ends",
    ];
    let mut out = COLUMNS.join(",") + "\r\n";
    for object in objects(all) {
        let ends = object.pointer("/certificates/0/not_after").cloned().unwrap_or_default();
        let cells = COLUMNS.iter().map(|column| match (*column, object.get(*column)) {
            ("certificate_ends", _) => field(&ends),
            ("problem", None | Some(Value::Null)) => {
                field(object.pointer("/unreached/message").unwrap_or(&Value::Null))
            }
            (_, Some(value)) => field(value),
            (_, None) => String::new(),
        });
        out += &(cells.collect::<Vec<_>>().join(",") + "\r\n");
    }
    out
}

/// A field; a text that a spreadsheet would take for a formula gets a quote before it.
fn field(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => {
            let guard = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
            format!("\"{guard}{}\"", text.replace('"', "\"\""))
        }
        other => other.to_string(),
    }
}
