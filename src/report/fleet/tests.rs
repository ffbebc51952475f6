//! Reports of hosts with names that mislead: no markup, no formula, no metric comes of them.

use std::collections::BTreeSet;

use super::*;
use crate::model::facts::Facts;
use crate::model::facts::activity::Traffic;
use crate::model::facts::types::{Interface, Mount};
use crate::model::fleet::{DatedChange, FactChange, FleetHost, Numbers, SeriesName, SeriesPoint, disks};
use crate::report::style::Style;

const NOW: u64 = 1_800_000_000;
const DAY: u64 = 86_400;
const GIB: u64 = 1 << 30;

/// What a host may call itself, or a mount.
const ODD: &str = "=cmd|'/C calc'!A0 <script>alert(1)</script> \"q\" \\ a\nb {x} | *b* 日本";

fn facts(used: u64) -> Facts {
    let mount = |path: &str| Mount {
        device: format!("/dev/{path}"),
        path: path.to_owned(),
        size: Some(100 * GIB),
        used: Some(used * GIB),
        available: Some((100 - used) * GIB),
        ..Mount::default()
    };
    let mut facts = Facts {
        uptime: Some(5 * DAY),
        load: Some([0.25, 0.5, 1.0]),
        mounts: vec![mount("/"), mount(ODD)],
        interfaces: vec![Interface {
            name: "eth0".to_owned(),
            received: Some(Traffic { bytes: Some(u64::MAX), ..Traffic::default() }),
            ..Interface::default()
        }],
        ..Facts::default()
    };
    facts.os.id = Some("debian".to_owned());
    facts.os.name = Some("Debian".to_owned());
    facts.os.version = Some("12".to_owned());
    facts.kernel.release = Some("6.1.0".to_owned());
    facts.memory.total = Some(8 * GIB);
    facts
}

fn growing() -> Numbers {
    let point = |day: u64| {
        #[expect(clippy::cast_precision_loss, reason = "a test")]
        let number = ((60 + day) * GIB) as f64;
        SeriesPoint {
            at: NOW / DAY * DAY - (20 - day) * DAY,
            count: 24,
            min: number,
            avg: number,
            max: number,
        }
    };
    let points: Vec<SeriesPoint> = (0..20).map(point).collect();
    Numbers::from([
        ("disk:/".parse::<SeriesName>().unwrap(), points.clone()),
        (format!("disk:{ODD}").parse::<SeriesName>().unwrap(), points.clone()),
        ("load".parse::<SeriesName>().unwrap(), vec![points[0]]),
    ])
}

fn view() -> FleetView {
    let entry = |name: &str, answered: bool| {
        let facts = answered.then(|| facts(80));
        let numbers = growing();
        FleetEntry {
            disks: facts.as_ref().map(|facts| disks(facts, &numbers, NOW)).unwrap_or_default(),
            host: FleetHost {
                name: name.to_owned(),
                first: NOW - 100 * DAY,
                seen: answered.then_some(NOW - 60),
                tried: NOW - 60,
                failure: (!answered).then(|| ODD.to_owned()),
                facts,
            },
            numbers: if answered { numbers } else { Numbers::new() },
        }
    };
    let change =
        FactChange { fact: format!("mounts[{ODD}].size"), before: None, after: Some(ODD.to_owned()) };
    FleetView {
        now: NOW,
        since: NOW - 30 * DAY,
        hosts: vec![entry(ODD, true), entry("gone", false), entry("web1", true)],
        changes: vec![DatedChange { at: NOW - DAY, host: ODD.to_owned(), change }],
    }
}

fn text(kind: FleetReportKind) -> String {
    String::from_utf8(render(kind, &view())).unwrap()
}

#[test]
fn the_page_has_no_markup_of_hosts_and_no_network() {
    let page = text(FleetReportKind::Html);
    assert!(!page.contains("<script") && page.contains("&lt;script&gt;"), "escaped");
    for address in ["http:", "https:", "url(", "src=", "@import", "href"] {
        assert!(!page.contains(address), "{address}");
    }
    assert!(page.contains("full in 20 days (+1.0 GiB a day)"), "{page}");
    assert!(page.contains(">80%</meter>") && !page.contains("80.0%"), "{page}");
    // A line and a band for each of two disks on two hosts, and a dot for the load, which was measured once.
    assert_eq!(page.matches("class=\"avg\"").count(), 6);
    assert_eq!(page.matches("No numbers for this time").count(), 1, "of the host that never answered");
    assert!(page.contains("<td>gone<td class=\"t\">never"), "who is silent is named");
    assert!(page.contains("prefers-color-scheme:dark") && page.contains("@media print"));
}

#[test]
fn metrics_are_as_the_format_has_them() {
    let text = text(FleetReportKind::Prometheus);
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    let (mut announced, mut seen) = (BTreeSet::new(), BTreeSet::new());
    let mut current = String::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            assert!(is_name(name) && !help.is_empty() && announced.insert(name.to_owned()), "{line}");
            current = name.to_owned();
            continue;
        }
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let kind = if current.ends_with("_total") { "counter" } else { "gauge" };
            assert_eq!(rest, format!("{current} {kind}"));
            continue;
        }
        let (name, rest) = line.split_once('{').unwrap();
        assert_eq!(name, current, "all lines of a metric stand together");
        let mut rest = rest;
        loop {
            let (label, behind) = rest.split_once("=\"").unwrap();
            assert!(is_name(label), "{line}");
            let mut escaped = false;
            let end = behind
                .char_indices()
                .find(|&(_, c)| {
                    let ends = c == '"' && !escaped;
                    assert!(!escaped || ['\\', '"', 'n'].contains(&c), "{line}");
                    escaped = c == '\\' && !escaped;
                    ends
                })
                .unwrap()
                .0;
            rest = &behind[end + 1..];
            match rest.strip_prefix(',') {
                Some(more) => rest = more,
                None => break,
            }
        }
        let value = rest.strip_prefix("} ").unwrap();
        assert!(value.parse::<f64>().unwrap().is_finite(), "{line}");
        assert!(seen.insert(line.rsplit_once("} ").unwrap().0.to_owned()), "twice: {line}");
    }
    assert!(text.ends_with('\n') && seen.len() > 20, "{text}");
    let odd = ODD.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    assert!(
        text.contains(&format!("fan_disk_used_bytes{{host=\"web1\",mount=\"{odd}\"}} 85899345920\n")),
        "{text}"
    );
    assert!(text.contains("fan_host_up{host=\"gone\"} 0\n"));
}

#[test]
fn no_cell_is_a_formula() {
    let csv = text(FleetReportKind::Csv);
    assert!(csv.starts_with("host,seen,os,"), "{csv}");
    assert!(csv.contains("\r\n\"'=cmd"), "{csv}");
    let changes = changes_csv(&view().changes);
    assert!(changes.contains("\"'=cmd"), "{changes}");
    let markdown = text(FleetReportKind::Markdown);
    assert!(!markdown.contains("<script>") && markdown.contains("full in 20 days"), "{markdown}");
    for line in markdown.lines().filter(|line| line.starts_with('|')) {
        let bars = line.replace("\\|", "").matches('|').count();
        assert!((3..=6).contains(&bars), "a row on one line: {line}");
    }
}

#[test]
fn objects_for_programs() {
    let told: serde_json::Value = serde_json::from_str(&text(FleetReportKind::Json)).unwrap();
    assert_eq!(told["hosts"][ODD]["numbers"]["disk:/"].as_array().unwrap().len(), 20);
    assert_eq!(told["hosts"]["web1"]["disks"][0]["full_in_days"], 20.0);
    assert_eq!(told["changes"][0]["after"], ODD);
    assert_eq!(told["hosts"]["gone"].get("seen"), None);
}

#[test]
fn a_screen_shows_nothing_that_moves_the_cursor() {
    let mut view = view();
    view.hosts[0].host.name = "a\u{1b}[2Jb".to_owned();
    let table = table(&view, &COLUMNS.map(str::to_owned), Some(60), Style::default());
    assert!(!table.contains('\u{1b}') && table.lines().count() == 4, "{table}");
    let entry = view.hosts.remove(0);
    let page = page(&entry, &view, Style::default());
    assert!(!page.contains('\u{1b}') && page.contains("full in 20 days"), "{page}");
    assert!(changes_table(&view.changes, Style::default()).lines().count() == 1);
    assert_eq!(FleetReportKind::of(std::path::Path::new("x/F.XLSX")), Some(FleetReportKind::Xlsx));
    assert_eq!(FleetReportKind::of(std::path::Path::new("x/F.pdf")), None);
}
