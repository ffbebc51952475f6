//! The letter about the fleet: who is silent, which disks fill up, what changed.

use crate::model::count::counted;
use crate::model::time::rfc3339;
use crate::report::file::text::clean;
use crate::report::fleet::columns::{ago, forecast_shown, span};
use crate::report::fleet::data::FleetView;
use crate::report::fleet::text::change;
use crate::report::fleet::totals::{FleetTotals, filling, silent};
use crate::report::letter::{Letter, LetterMood, LetterPart};
use crate::report::words::{bytes_of, count_hosts};

/// Rows of a table.
const ROWS_MAX: usize = 50;

/// Writes it.
pub fn letter(view: &FleetView) -> Letter {
    let totals = FleetTotals::of(view);
    let row = |cells: Vec<String>| cells.iter().map(|cell| clean(cell)).collect::<Vec<_>>();
    let silent_hosts: Vec<Vec<String>> = silent(view)
        .map(|entry| {
            let seen = entry.host.seen.map_or_else(|| "never".to_owned(), |seen| ago(seen, view.now));
            let why = entry.host.failure.clone().unwrap_or_else(|| "was not asked since".to_owned());
            row(vec![entry.host.name.clone(), seen, why])
        })
        .collect();
    let disks: Vec<Vec<String>> = filling(view)
        .into_iter()
        .map(|(entry, disk)| {
            let percent = format!("{:.0}%", disk.percent());
            let host = entry.host.name.clone();
            row(vec![host, disk.path.clone(), percent, bytes_of(disk.available), forecast_shown(disk)])
        })
        .collect();
    let changes: Vec<Vec<String>> = view
        .changes
        .iter()
        .map(|dated| row(vec![rfc3339(dated.at), dated.host.clone(), change(dated)]))
        .collect();
    let mut verdict = vec![count_hosts(totals.hosts)];
    for (count, words) in [(silent_hosts.len(), "silent"), (changes.len(), "changed facts")] {
        verdict.extend((count > 0).then(|| format!("{count} {words}")));
    }
    verdict.extend((!disks.is_empty()).then(|| format!("{} filling up", counted(disks.len(), "disk"))));
    let needs_a_look = !silent_hosts.is_empty() || !disks.is_empty();
    let changed = !changes.is_empty();
    let tables = [
        (vec!["silent host", "last seen", "why"], silent_hosts),
        (vec!["disk of", "mount", "used", "available", "forecast"], disks),
        (vec!["noticed", "host", "change"], changes),
    ];
    Letter {
        title: "fleet".to_owned(),
        verdict: verdict.join(", "),
        mood: if needs_a_look { LetterMood::Failed } else { LetterMood::Well },
        changed,
        facts: vec![
            rfc3339(view.now),
            format!("changes of the last {}", span(view.now.saturating_sub(view.since))),
        ],
        parts: tables.into_iter().filter(|(_, rows)| !rows.is_empty()).map(table).collect(),
    }
}

fn table((headings, mut rows): (Vec<&'static str>, Vec<Vec<String>>)) -> LetterPart {
    let more =
        rows.len().checked_sub(ROWS_MAX).filter(|&more| more > 0).map(|more| format!("and {more} more"));
    rows.truncate(ROWS_MAX);
    LetterPart::Table { headings, rows, more }
}
