//! A workbook (ECMA-376, SpreadsheetML) with two sheets: hosts, and hosts by steps.
//!
//! Text is always text: inline strings are never evaluated.

use std::fmt::Write;

use crate::report::file::text::{clean, millis, why, xml};
use crate::report::file::{csv, zip};
use crate::report::record::Record;

/// Rows of a sheet that programs read.
const ROWS_MAX: usize = 1_048_576;

/// Characters of a cell that programs read.
const CELL_MAX: usize = 32_767;

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
    zip::archive(&[
        ("[Content_Types].xml", CONTENT_TYPES.to_owned()),
        ("_rels/.rels", RELS.to_owned()),
        ("xl/workbook.xml", WORKBOOK.to_owned()),
        ("xl/_rels/workbook.xml.rels", WORKBOOK_RELS.to_owned()),
        ("xl/styles.xml", STYLES.to_owned()),
        ("xl/worksheets/sheet1.xml", sheet(&HOSTS, hosts)),
        ("xl/worksheets/sheet2.xml", sheet(&csv::COLUMNS, csv::rows(record))),
    ])
}

/// A sheet whose first row stays in sight and filters the others.
fn sheet<const N: usize>(columns: &[(&str, bool); N], rows: impl Iterator<Item = [String; N]>) -> String {
    let mut out = format!(
        "{DECLARATION}<worksheet xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\">\
         <sheetViews><sheetView workbookViewId=\"0\"><pane ySplit=\"1\" topLeftCell=\"A2\" activePane=\"bottomLeft\" \
         state=\"frozen\"/></sheetView></sheetViews><cols>"
    );
    for (at, (name, number)) in columns.iter().enumerate() {
        let width = match *name {
            "message" | "stdout" | "stderr" | "title" => 40,
            _ if *number => 12,
            _ => 20,
        };
        put(
            &mut out,
            format_args!("<col min=\"{0}\" max=\"{0}\" width=\"{width}\" customWidth=\"1\"/>", at + 1),
        );
    }
    out.push_str("</cols><sheetData><row>");
    for (name, _) in columns {
        put(&mut out, format_args!("<c t=\"inlineStr\" s=\"1\"><is><t>{name}</t></is></c>"));
    }
    out.push_str("</row>");
    let mut count = 1;
    for row in rows.take(ROWS_MAX - 1) {
        count += 1;
        out.push_str("<row>");
        for (cell, (_, number)) in row.iter().zip(columns) {
            if cell.is_empty() {
                out.push_str("<c/>");
            } else if *number {
                put(&mut out, format_args!("<c><v>{}</v></c>", xml(cell)));
            } else {
                let text: String = cell.chars().take(CELL_MAX).collect();
                let text = xml(&text);
                // Edited, it would become a formula; with the mark of a quote it stays text.
                let style = if csv::begins_formula(&text) { " s=\"2\"" } else { "" };
                put(
                    &mut out,
                    format_args!(
                        "<c t=\"inlineStr\"{style}><is><t xml:space=\"preserve\">{text}</t></is></c>"
                    ),
                );
            }
        }
        out.push_str("</row>");
    }
    let last = u8::try_from(N).ok().and_then(|n| (b'A'..=b'Z').nth(usize::from(n).saturating_sub(1)));
    let last = char::from(last.unwrap_or(b'A'));
    put(&mut out, format_args!("</sheetData><autoFilter ref=\"A1:{last}{count}\"/></worksheet>"));
    out
}

fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("writing to a String cannot fail");
}

const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n";

const CONTENT_TYPES: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/><Override PartName="/xl/styles.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.styles+xml"/><Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/><Override PartName="/xl/worksheets/sheet2.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>"#;

const RELS: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>"#;

const WORKBOOK: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="Hosts" sheetId="1" r:id="rId1"/><sheet name="Steps" sheetId="2" r:id="rId2"/></sheets></workbook>"#;

const WORKBOOK_RELS: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="rId2" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet2.xml"/><Relationship Id="rId3" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/styles" Target="styles.xml"/></Relationships>"#;

const STYLES: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><fonts count="2"><font><sz val="11"/><name val="Calibri"/></font><font><b/><sz val="11"/><name val="Calibri"/></font></fonts><fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill></fills><borders count="1"><border/></borders><cellStyleXfs count="1"><xf/></cellStyleXfs><cellXfs count="3"><xf fontId="0"/><xf fontId="1" applyFont="1"/><xf fontId="0" quotePrefix="1"/></cellXfs></styleSheet>"#;
