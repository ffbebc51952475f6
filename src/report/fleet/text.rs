//! The fleet on a screen: a row per host, a page for one, a line per change; and the same rows as CSV and JSON.

use std::fmt::Write as _;

use serde_json::json;

use crate::model::cells::{pad, shorten, width};
use crate::model::fleet::{DatedChange, DiskForecast, NumberUnit, SeriesPoint};
use crate::model::time::rfc3339;
use crate::model::value::{Value, Vars};
use crate::report::facts;
use crate::report::file::csv::quoted;
use crate::report::fleet::columns::{ago, forecast_shown, heading, shown, span, value, word};
use crate::report::fleet::data::{FleetEntry, FleetView};
use crate::report::style::Style;
use crate::report::words::{bytes, bytes_of};

/// Version of the JSON objects; it grows when a field changes its meaning or goes away.
const SCHEMA: u32 = 1;

/// Characters of a cell.
const CELL_MAX: usize = 40;

/// Changes on the page of a host.
const CHANGES_MAX: usize = 50;

/// Between two columns.
const GAP: &str = "  ";

/// A row for each host; columns at the end go where a screen of so many columns has no room.
pub fn table(view: &FleetView, columns: &[String], screen: Option<usize>, style: Style) -> String {
    let mut rows =
        vec![[vec!["HOST".to_owned()], columns.iter().map(|name| heading(name)).collect()].concat()];
    for entry in &view.hosts {
        let mut row = vec![style.text(&entry.host.name).into_owned()];
        let cell = |name: &String| shorten(&style.text(&shown(entry, name, view.now)), CELL_MAX);
        row.extend(columns.iter().map(cell));
        rows.push(row);
    }
    aligned(&rows, screen)
}

fn aligned(rows: &[Vec<String>], screen: Option<usize>) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let widest =
        |at: usize| rows.iter().filter_map(|row| row.get(at)).map(|cell| width(cell)).max().unwrap_or(0);
    let mut widths: Vec<usize> = (0..columns).map(widest).collect();
    while let Some(screen) = screen
        && widths.len() > 2
        && widths.iter().sum::<usize>() + GAP.len() * (widths.len() - 1) > screen
    {
        widths.pop();
    }
    let mut text = String::new();
    for row in rows {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, &width)| pad(cell, width)).collect();
        let _ = writeln!(text, "{}", cells.join(GAP).trim_end());
    }
    text
}

/// The same rows for spreadsheets, with the values as they are.
pub fn csv(view: &FleetView, columns: &[String]) -> String {
    let mut rows = vec![[vec!["host".to_owned()], columns.to_vec()].concat()];
    for entry in &view.hosts {
        let mut row = vec![entry.host.name.clone()];
        row.extend(columns.iter().map(|name| word(&value(entry, name))));
        rows.push(row);
    }
    records(&rows)
}

fn records(rows: &[Vec<String>]) -> String {
    let mut text = String::new();
    for row in rows {
        let cells: Vec<String> = row.iter().map(|cell| quoted(cell)).collect();
        text.push_str(&cells.join(","));
        text.push_str("\r\n");
    }
    text
}

/// All that is known of the hosts, by name; or of each the columns that are named.
pub fn json(view: &FleetView, columns: Option<&[String]>) -> String {
    let mut hosts = Vars::new();
    for entry in &view.hosts {
        let object = match columns {
            Some(columns) => {
                columns.iter().map(|name| (name.clone(), value(entry, name))).collect::<Vars>().into()
            }
            None => object(entry),
        };
        hosts.insert(entry.host.name.clone(), object);
    }
    format!("{:#}\n", json!({"schema": SCHEMA, "at": rfc3339(view.now), "hosts": hosts}))
}

/// The same with the numbers and changes of the time that is looked at.
pub(super) fn report_json(view: &FleetView) -> String {
    let mut hosts = Vars::new();
    for entry in &view.hosts {
        let mut of = match object(entry) {
            Value::Object(of) => of,
            other => Vars::from_iter([("host".to_owned(), other)]),
        };
        let point = |point: &SeriesPoint| json!([rfc3339(point.at), point.min, point.avg, point.max]);
        let series = |points: &Vec<SeriesPoint>| points.iter().map(point).collect::<Value>();
        let numbers: Vars =
            entry.numbers.iter().map(|(name, points)| (name.to_string(), series(points))).collect();
        of.insert("numbers".to_owned(), Value::Object(numbers));
        hosts.insert(entry.host.name.clone(), Value::Object(of));
    }
    let report = json!({
        "schema": SCHEMA,
        "at": rfc3339(view.now),
        "since": rfc3339(view.since),
        "hosts": hosts,
        "changes": changes_value(&view.changes),
    });
    format!("{report:#}\n")
}

fn object(entry: &FleetEntry) -> Value {
    let host = &entry.host;
    let disk = |disk: &DiskForecast| {
        let mut of = Vars::new();
        of.insert("path".to_owned(), json!(disk.path));
        of.insert("percent".to_owned(), json!((disk.percent() * 10.0).round() / 10.0));
        let days = disk.days().map(|days| json!((days * 10.0).round() / 10.0));
        of.extend(days.map(|days| ("full_in_days".to_owned(), days)));
        of.insert("forecast".to_owned(), json!(forecast_shown(disk)));
        Value::Object(of)
    };
    let mut object = Vars::new();
    object.insert("first_seen".to_owned(), json!(rfc3339(host.first)));
    object.extend(host.seen.map(|seen| ("seen".to_owned(), json!(rfc3339(seen)))));
    object.insert("tried".to_owned(), json!(rfc3339(host.tried)));
    object.extend(host.failure.as_ref().map(|failure| ("failure".to_owned(), json!(failure))));
    object.insert("disks".to_owned(), entry.disks.iter().map(disk).collect());
    object.extend(host.facts.as_ref().map(|facts| ("facts".to_owned(), Value::Object(facts.to_vars()))));
    Value::Object(object)
}

/// All that matters of one host: what it is, its disks, its numbers, what changed.
pub fn page(entry: &FleetEntry, view: &FleetView, style: Style) -> String {
    let host = &entry.host;
    let mut page = match &host.facts {
        Some(facts) => facts::page(&host.name, facts, style),
        None => format!("{}\n", style.text(&host.name)),
    };
    let mut line = |name: &str, text: &str| {
        let _ = writeln!(page, "  {name:10} {}", style.text(text));
    };
    let moment = |at: u64| format!("{} ({})", rfc3339(at), ago(at, view.now));
    line("first seen", &moment(host.first));
    line("last seen", &host.seen.map_or_else(|| "never".to_owned(), moment));
    if let Some(failure) = &host.failure {
        line("silent", &format!("{}: {failure}", moment(host.tried)));
    }
    for disk in &entry.disks {
        let (used, all) = (bytes_of(disk.used), bytes_of(disk.used.saturating_add(disk.available)));
        let text =
            format!("{}  {used} of {all} used ({:.0}%)  {}", disk.path, disk.percent(), forecast_shown(disk));
        line("disk", &text);
    }
    let mut rows = Vec::new();
    for (name, points) in &entry.numbers {
        let Some((min, avg, max)) = range(points) else { continue };
        let cells = [min, avg, max].map(|number| number_shown(number, name.kind.unit()));
        let [min, avg, max] = cells;
        rows.push(vec![format!("  {}", style.text(&name.to_string())), min, avg, max]);
    }
    if !rows.is_empty() {
        let since = format!("  SINCE {}", ago(view.since, view.now).to_uppercase());
        rows.insert(0, vec![since, "MIN".to_owned(), "AVERAGE".to_owned(), "MAX".to_owned()]);
        let _ = write!(page, "\n{}", aligned(&rows, None));
    }
    if !view.changes.is_empty() {
        let _ = write!(page, "\n  CHANGES\n");
        for dated in view.changes.iter().take(CHANGES_MAX) {
            let _ = writeln!(page, "  {}  {}", rfc3339(dated.at), style.text(&change(dated)));
        }
        if let Some(more @ 1..) = view.changes.len().checked_sub(CHANGES_MAX) {
            let _ = writeln!(page, "  and {more} more: fan fleet changes {}", style.text(&host.name));
        }
    }
    page
}

/// The smallest, the average by measurements, and the largest.
pub(super) fn range(points: &[SeriesPoint]) -> Option<(f64, f64, f64)> {
    let (mut count, mut sum) = (0.0, 0.0);
    let (mut min, mut max) = (f64::INFINITY, f64::NEG_INFINITY);
    for point in points {
        let weight = f64::from(point.count);
        (count, sum) = (count + weight, sum + point.avg * weight);
        (min, max) = (min.min(point.min), max.max(point.max));
    }
    (count > 0.0).then(|| (min, sum / count, max))
}

/// A number with its unit.
pub(super) fn number_shown(number: f64, unit: NumberUnit) -> String {
    match unit {
        NumberUnit::Plain if number.abs() >= 1000.0 => format!("{number:.0}"),
        NumberUnit::Plain => format!("{number:.2}"),
        NumberUnit::Percent => format!("{number:.1}%"),
        NumberUnit::Bytes => bytes(number),
        NumberUnit::Rate => format!("{}/s", bytes(number)),
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "seconds of a host that is up"
        )]
        NumberUnit::Seconds => span(number.max(0.0) as u64),
    }
}

/// What changed, in a line.
pub(super) fn change(dated: &DatedChange) -> String {
    let change = &dated.change;
    match (&change.before, &change.after) {
        (Some(before), Some(after)) => format!("{}: {before} → {after}", change.fact),
        (None, Some(after)) => format!("{}: {after} (new)", change.fact),
        (Some(before), None) => format!("{}: {before} (gone)", change.fact),
        (None, None) => change.fact.clone(),
    }
}

/// Changes, a line each.
pub fn changes_table(changes: &[DatedChange], style: Style) -> String {
    let hosts = changes.iter().map(|dated| width(&style.text(&dated.host))).max().unwrap_or_default();
    let mut text = String::new();
    for dated in changes {
        let host = pad(&style.text(&dated.host), hosts);
        let _ = writeln!(text, "{}  {host}  {}", rfc3339(dated.at), style.text(&change(dated)));
    }
    text
}

/// The same for spreadsheets.
pub fn changes_csv(changes: &[DatedChange]) -> String {
    let mut rows = vec![["at", "host", "fact", "before", "after"].map(str::to_owned).to_vec()];
    for DatedChange { at, host, change } in changes {
        let side = |side: &Option<String>| side.clone().unwrap_or_default();
        rows.push(vec![
            rfc3339(*at),
            host.clone(),
            change.fact.clone(),
            side(&change.before),
            side(&change.after),
        ]);
    }
    records(&rows)
}

/// The same for programs.
pub fn changes_json(changes: &[DatedChange]) -> String {
    format!("{:#}\n", json!({"schema": SCHEMA, "changes": changes_value(changes)}))
}

pub(super) fn changes_value(changes: &[DatedChange]) -> Value {
    let of = |DatedChange { at, host, change }: &DatedChange| {
        json!({
            "at": rfc3339(*at),
            "host": host,
            "fact": change.fact,
            "before": change.before,
            "after": change.after,
        })
    };
    changes.iter().map(of).collect()
}
