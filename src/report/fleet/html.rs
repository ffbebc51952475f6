//! The fleet as one page for a browser: no script, no network; every value escaped by the template.

use minijinja::context;
use minijinja::value::Value;

use crate::model::fleet::{NumberUnit, SeriesKind, SeriesName, SeriesPoint};
use crate::model::time::rfc3339;
use crate::report::file::html::{digest, framed};
use crate::report::file::text::{clean, clean_lines};
use crate::report::fleet::columns::{ago, forecast_shown, shown, span};
use crate::report::fleet::data::{FleetEntry, FleetView};
use crate::report::fleet::plot::{paths, thinned};
use crate::report::fleet::text::{number_shown, range};
use crate::report::fleet::totals::{FleetTotals, filling, kernels, silent, systems};
use crate::report::words::bytes_of;

const FRAME: &str = include_str!("fleet.html");
const STYLE: &str = include_str!("fleet.css");

/// Hosts that are open at first; with more of them all are closed.
const OPEN: usize = 8;

/// Rows of a table; what is more is counted.
const ROWS: usize = 500;

/// Versions of a table.
const VERSIONS: usize = 25;

/// Plots of one host.
const PLOTS: usize = 24;

pub(super) fn render(view: &FleetView) -> String {
    let totals = FleetTotals::of(view);
    let silent: Vec<&FleetEntry> = silent(view).collect();
    let disks = filling(view);
    let changes: Vec<Value> = view
        .changes
        .iter()
        .take(ROWS)
        .map(|dated| {
            let side = |side: &Option<String>| clean(side.as_deref().unwrap_or_default());
            context! {
                at => rfc3339(dated.at),
                host => clean(&dated.host),
                fact => clean(&dated.change.fact),
                before => side(&dated.change.before),
                after => side(&dated.change.after),
            }
        })
        .collect();
    let page = context! {
        title => "Fleet",
        subtitle => format!("{} · numbers and changes of the last {}", rfc3339(view.now), span(view.now.saturating_sub(view.since))),
        style => STYLE,
        style_digest => digest(STYLE),
        cards => cards(&totals),
        silent => silent.iter().take(ROWS).map(|entry| silent_host(entry, view.now)).collect::<Vec<_>>(),
        silent_more => more(silent.len()),
        disks => disks.iter().take(ROWS).map(|(entry, disk)| {
            let percent = disk.percent().round();
            context! {
                host => clean(&entry.host.name),
                path => clean(&disk.path),
                percent => format!("{percent:.0}"),
                word => word(percent >= 90.0, percent >= 80.0),
                available => bytes_of(disk.available),
                forecast => forecast_shown(disk),
                when => word(disk.days().is_some_and(|days| days < 14.0), disk.days().is_some_and(|days| days < 60.0)),
            }
        }).collect::<Vec<_>>(),
        disks_more => more(disks.len()),
        versions => [("system", systems(view)), ("kernel", kernels(view))].map(|(name, rows)| {
            let all = rows.len();
            let rows: Vec<Value> = rows.into_iter().take(VERSIONS)
                .map(|(name, count)| context! { name => clean(&name), count }).collect();
            context! { name, rows, more => all.checked_sub(VERSIONS).filter(|&more| more > 0).map(|more| format!("and {more} more")) }
        }).to_vec(),
        hosts_open => if view.hosts.len() <= OPEN { OPEN } else { 0 },
        hosts => view.hosts.iter().map(|entry| host(entry, view)).collect::<Vec<_>>(),
        changes,
        changes_more => more(view.changes.len()),
    };
    framed(FRAME, page).expect("the frame is ours, and the tests fill it")
}

fn more(count: usize) -> Option<String> {
    count.checked_sub(ROWS).filter(|&more| more > 0).map(|more| format!("and {more} more"))
}

fn word(bad: bool, warn: bool) -> &'static str {
    match (bad, warn) {
        (true, _) => "bad",
        (false, true) => "warn",
        (false, false) => "",
    }
}

fn cards(totals: &FleetTotals) -> Vec<Value> {
    let card = |name: &str, value: String, bad: bool| context! { name, value, bad };
    vec![
        card("Hosts", totals.hosts.to_string(), false),
        card("Silent", totals.silent.to_string(), totals.silent > 0),
        card("Processors", totals.processors.to_string(), false),
        card("Memory", bytes_of(totals.memory), false),
        card("Disk space", bytes_of(totals.disk), false),
        card("Used", bytes_of(totals.used), false),
    ]
}

fn silent_host(entry: &FleetEntry, now: u64) -> Value {
    let host = &entry.host;
    context! {
        name => clean(&host.name),
        seen => host.seen.map_or_else(|| "never".to_owned(), |seen| ago(seen, now)),
        why => host.failure.as_deref().map(clean_lines).unwrap_or_else(|| "was not asked since".to_owned()),
    }
}

fn host(entry: &FleetEntry, view: &FleetView) -> Value {
    let about: Vec<String> = ["os", "kernel.release", "disk"]
        .into_iter()
        .map(|name| clean(&shown(entry, name, view.now)))
        .filter(|word| word != "-")
        .collect();
    let plots: Vec<Value> = entry
        .numbers
        .iter()
        .filter_map(|(name, points)| plot(entry, name, points, view))
        .take(PLOTS)
        .collect();
    context! {
        name => clean(&entry.host.name),
        about => about.join(" · "),
        failure => entry.host.failure.as_deref().map(clean),
        plots,
    }
}

fn plot(entry: &FleetEntry, name: &SeriesName, points: &[SeriesPoint], view: &FleetView) -> Option<Value> {
    if name.kind == SeriesKind::Uptime {
        return None;
    }
    let points = thinned(points, view.since, view.now);
    // What has a bound is shown against it.
    let top = match (name.kind, &name.of) {
        (SeriesKind::Cpu, _) => 100.0,
        (SeriesKind::Memory, _) => size(entry.host.facts.as_ref()?.memory.total),
        (SeriesKind::Disk, Some(of)) => {
            size(entry.disks.iter().find(|disk| disk.path == *of).map(|disk| disk.size))
        }
        _ => 0.0,
    };
    let (band, line) = paths(&points, view.since, view.now, top)?;
    let (min, avg, max) = range(&points)?;
    let unit = name.kind.unit();
    let bound = match unit {
        NumberUnit::Bytes if top > 0.0 => format!(" of {}", number_shown(top, unit)),
        NumberUnit::Plain
        | NumberUnit::Percent
        | NumberUnit::Bytes
        | NumberUnit::Rate
        | NumberUnit::Seconds => String::new(),
    };
    let [min, avg, max] = [min, avg, max].map(|number| number_shown(number, unit));
    Some(
        context! { name => clean(&name.to_string()), range => format!("{min} – {avg} – {max}{bound}"), band, line },
    )
}

#[expect(clippy::cast_precision_loss, reason = "the height of a picture")]
fn size(bytes: Option<u64>) -> f64 {
    bytes.unwrap_or(0) as f64
}
