//! A workbook with two sheets: hosts, and hosts by steps.

use rust_xlsxwriter::XlsxError;

use crate::model::time::parse_rfc3339;
use crate::report::file::csv;
use crate::report::file::text::{clean, millis, why};
use crate::report::file::workbook::{SheetCell, SheetColumn, sheet, workbook};
use crate::report::record::Record;

const HOSTS: [(&str, bool); 10] = [
    ("host", false),
    ("status", false),
    ("steps_done", true),
    ("steps_total", true),
    ("changed", true),
    ("warned", true),
    ("elapsed_ms", true),
    ("address", false),
    ("via", false),
    ("message", false),
];

pub(super) fn render(record: &Record) -> Vec<u8> {
    filled(record).expect("the sheets have names of ours, and as many rows and characters as there may be")
}

fn filled(record: &Record) -> Result<Vec<u8>, XlsxError> {
    let hosts = record.hosts().map(|(host, _)| {
        [
            clean(host.host.as_str()),
            host.status().map_or("unfinished", |status| status.as_str()).to_owned(),
            host.steps_done.to_string(),
            host.steps_total.to_string(),
            host.changed.to_string(),
            host.warned.to_string(),
            millis(host.elapsed).to_string(),
            clean(&host.address),
            host.via.as_ref().map(|via| clean(via.as_str())).unwrap_or_default(),
            why(record, host),
        ]
    });
    let mut workbook = workbook(parse_rfc3339(&record.recap().started_at))?;
    sheet(workbook.add_worksheet(), "Hosts", &columns(&HOSTS), hosts.map(|row| cells(row, &HOSTS)))?;
    let steps = csv::rows(record).map(|row| cells(row, &csv::COLUMNS));
    sheet(workbook.add_worksheet(), "Steps", &columns(&csv::COLUMNS), steps)?;
    workbook.save_to_buffer()
}

fn columns<'a>(columns: &[(&'a str, bool)]) -> Vec<SheetColumn<'a>> {
    let column = |&(name, number): &(&'a str, bool)| match name {
        "message" | "stdout" | "stderr" | "title" => (name, 40.0, None),
        _ if number => (name, 12.0, Some("0")),
        _ => (name, 20.0, None),
    };
    columns.iter().map(column).collect()
}

fn cells<const N: usize>(row: [String; N], columns: &[(&str, bool); N]) -> Vec<SheetCell> {
    let cell = |(cell, (_, number)): (String, &(&str, bool))| {
        if *number { SheetCell::number(cell.parse().ok()) } else { SheetCell::text(cell) }
    };
    row.into_iter().zip(columns).map(cell).collect()
}
