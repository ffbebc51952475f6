//! The fleet as Markdown, for chats and merge requests: totals, what needs a look, versions, changes.

use std::fmt::Write as _;

use crate::model::time::rfc3339;
use crate::report::file::markdown::escape;
use crate::report::fleet::columns::{ago, forecast_shown, span};
use crate::report::fleet::data::FleetView;
use crate::report::fleet::text::change;
use crate::report::fleet::totals::{FleetTotals, filling, kernels, silent, systems};
use crate::report::words::{bytes_of, count_hosts};

/// Rows of a table.
const ROWS: usize = 100;

pub(super) fn render(view: &FleetView) -> String {
    let totals = FleetTotals::of(view);
    let mut out = format!("# Fleet\n\n**{}**", count_hosts(totals.hosts));
    if totals.silent > 0 {
        let _ = write!(out, ", {} silent", totals.silent);
    }
    let _ = writeln!(
        out,
        " · {} processors · {} of memory · {} of {} on disks · {}",
        totals.processors,
        bytes_of(totals.memory),
        bytes_of(totals.used),
        bytes_of(totals.disk),
        escape(&rfc3339(view.now)),
    );
    let rows = silent(view).map(|entry| {
        let host = &entry.host;
        let seen = host.seen.map_or_else(|| "never".to_owned(), |seen| ago(seen, view.now));
        vec![
            host.name.clone(),
            seen,
            host.failure.clone().unwrap_or_else(|| "was not asked since".to_owned()),
        ]
    });
    table(&mut out, "Silent hosts", &["host", "last seen", "why"], rows.collect());
    let rows = filling(view).into_iter().map(|(entry, disk)| {
        let percent = format!("{:.0}%", disk.percent());
        vec![
            entry.host.name.clone(),
            disk.path.clone(),
            percent,
            bytes_of(disk.available),
            forecast_shown(disk),
        ]
    });
    table(
        &mut out,
        "Disks that fill up",
        &["host", "mount", "used", "available", "forecast"],
        rows.collect(),
    );
    for (title, rows) in [("Systems", systems(view)), ("Kernels", kernels(view))] {
        let rows = rows.into_iter().map(|(name, count)| vec![name, count.to_string()]);
        table(&mut out, title, &["version", "hosts"], rows.collect());
    }
    let rows = view.changes.iter().map(|dated| vec![rfc3339(dated.at), dated.host.clone(), change(dated)]);
    let title = format!("Changes of the last {}", span(view.now.saturating_sub(view.since)));
    table(&mut out, &title, &["noticed", "host", "change"], rows.collect());
    out
}

fn table(out: &mut String, title: &str, heading: &[&str], rows: Vec<Vec<String>>) {
    if rows.is_empty() {
        return;
    }
    let rule = "---|".repeat(heading.len());
    let _ = write!(out, "\n## {title}\n\n| {} |\n|{rule}\n", heading.join(" | "));
    for row in rows.iter().take(ROWS) {
        let cells: Vec<String> = row.iter().map(|cell| escape(cell)).collect();
        let _ = writeln!(out, "| {} |", cells.join(" | "));
    }
    if let Some(more @ 1..) = rows.len().checked_sub(ROWS) {
        let _ = writeln!(out, "\nand {more} more");
    }
}
