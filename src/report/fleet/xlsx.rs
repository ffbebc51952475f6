//! The fleet as a workbook: hosts, disks, versions, changes, each with a filter; conditional formats where a look is worth
//! it, charts of systems and of the fullest disks. Text of hosts is written as text: no cell becomes a formula or a link.

use rust_xlsxwriter::{
    Chart, ChartType, Color, ConditionalFormatCell, ConditionalFormatCellRule, ConditionalFormatDataBar,
    Format, Worksheet, XlsxError,
};

use crate::model::fleet::DiskForecast;
use crate::model::time::rfc3339;
use crate::report::file::text::clean;
use crate::report::file::workbook::{SheetCell, SheetColumn, sheet, workbook};
use crate::report::fleet::columns::{forecast_shown, system};
use crate::report::fleet::data::{FleetEntry, FleetView};
use crate::report::fleet::totals::{kernels, systems};

/// Changes that are written: a sheet has a million rows.
const CHANGES_MAX: usize = 100_000;

/// Disks in the chart.
const CHARTED: usize = 15;

const HOSTS: [SheetColumn<'static>; 13] = [
    ("host", 22.0, None),
    ("last seen", 21.0, None),
    ("why silent", 30.0, None),
    ("system", 26.0, None),
    ("kernel", 26.0, None),
    ("architecture", 12.0, None),
    ("processors", 11.0, Some("0")),
    ("memory (GiB)", 13.0, Some("0.0")),
    ("available (GiB)", 14.0, Some("0.0")),
    ("load", 8.0, Some("0.00")),
    ("up (days)", 10.0, Some("0.0")),
    ("fullest disk", 22.0, None),
    ("used (%)", 9.0, Some("0")),
];

const DISKS: [SheetColumn<'static>; 7] = [
    ("host", 22.0, None),
    ("mount", 30.0, None),
    ("size (GiB)", 11.0, Some("0.0")),
    ("used (GiB)", 11.0, Some("0.0")),
    ("used (%)", 9.0, Some("0")),
    ("full in (days)", 13.0, Some("0")),
    ("forecast", 40.0, None),
];

pub(super) fn render(view: &FleetView) -> Vec<u8> {
    filled(view).expect("the sheets fit, and their names are ours")
}

fn filled(view: &FleetView) -> Result<Vec<u8>, XlsxError> {
    let mut workbook = workbook(Some(view.now))?;
    hosts(workbook.add_worksheet(), view)?;
    disks(workbook.add_worksheet(), view)?;
    versions(workbook.add_worksheet(), view)?;
    changes(workbook.add_worksheet(), view)?;
    workbook.save_to_buffer()
}

fn text(text: impl AsRef<str>) -> SheetCell {
    SheetCell::text(clean(text.as_ref()))
}

fn known(text_of: Option<&String>) -> SheetCell {
    text_of.map_or(SheetCell::Empty, text)
}

fn number(number: Option<f64>) -> SheetCell {
    SheetCell::number(number)
}

#[expect(clippy::cast_precision_loss, reason = "a sheet has no other numbers")]
fn float(number: u64) -> f64 {
    number as f64
}

fn gib(bytes: u64) -> f64 {
    float(bytes) / 1_073_741_824.0
}

/// Red from 90, yellow from 80.
fn marked(sheet: &mut Worksheet, column: u16, last: u32) -> Result<(), XlsxError> {
    for (from, background, font) in [(90, 0x00FF_C7CE, 0x009C_0006), (80, 0x00FF_EB9C, 0x009C_5700)] {
        let format =
            Format::new().set_background_color(Color::RGB(background)).set_font_color(Color::RGB(font));
        let rule = ConditionalFormatCell::new()
            .set_rule(ConditionalFormatCellRule::GreaterThanOrEqualTo(from))
            .set_format(format)
            .set_stop_if_true(true);
        sheet.add_conditional_format(1, column, last.max(1), column, &rule)?;
    }
    Ok(())
}

fn hosts(at: &mut Worksheet, view: &FleetView) -> Result<(), XlsxError> {
    let row = |entry: &FleetEntry| {
        let (host, facts) = (&entry.host, entry.host.facts.as_ref());
        let fullest = entry.fullest();
        vec![
            text(&host.name),
            host.seen.map_or(SheetCell::Empty, |seen| text(rfc3339(seen))),
            known(host.failure.as_ref()),
            known(system(entry).as_ref()),
            known(facts.and_then(|facts| facts.kernel.release.as_ref())),
            known(facts.and_then(|facts| facts.kernel.arch.as_ref())),
            number(facts.and_then(|facts| facts.cpu.logical).map(float)),
            number(facts.and_then(|facts| facts.memory.total).map(gib)),
            number(facts.and_then(|facts| facts.memory.available).map(gib)),
            number(facts.and_then(|facts| facts.load).map(|[one, ..]| one)),
            number(facts.and_then(|facts| facts.uptime).map(|seconds| float(seconds) / 86_400.0)),
            fullest.map_or(SheetCell::Empty, |disk| text(&disk.path)),
            number(fullest.map(DiskForecast::percent)),
        ]
    };
    let last = sheet(at, "Hosts", &HOSTS, view.hosts.iter().map(row))?;
    marked(at, 12, last)
}

fn disks(at: &mut Worksheet, view: &FleetView) -> Result<(), XlsxError> {
    let mut all: Vec<(&FleetEntry, &DiskForecast)> =
        view.hosts.iter().flat_map(|entry| entry.disks.iter().map(move |disk| (entry, disk))).collect();
    // The fullest are on top: those are in the chart.
    all.sort_by(|(_, one), (_, other)| other.percent().total_cmp(&one.percent()));
    let row = |(entry, disk): &(&FleetEntry, &DiskForecast)| {
        vec![
            text(&entry.host.name),
            text(&disk.path),
            number(Some(gib(disk.size))),
            number(Some(gib(disk.used))),
            number(Some(disk.percent())),
            number(disk.days()),
            text(forecast_shown(disk)),
        ]
    };
    let last = sheet(at, "Disks", &DISKS, all.iter().map(row))?;
    marked(at, 4, last)?;
    at.add_conditional_format(
        1,
        3,
        last.max(1),
        3,
        &ConditionalFormatDataBar::new().set_fill_color(Color::RGB(0x009D_C3E6)),
    )?;
    let charted = last.min(u32::try_from(CHARTED).unwrap_or(u32::MAX));
    if charted > 0 {
        let mut chart = Chart::new(ChartType::Bar);
        chart.title().set_name("Fullest disks (%)");
        chart
            .add_series()
            .set_categories(("Disks", 1, 0, charted, 1))
            .set_values(("Disks", 1, 4, charted, 4));
        chart.y_axis().set_reverse();
        chart.x_axis().set_min(0).set_max(100);
        chart.legend().set_hidden();
        chart.set_width(640).set_height(420);
        at.insert_chart(1, 8, &chart)?;
    }
    Ok(())
}

fn versions(at: &mut Worksheet, view: &FleetView) -> Result<(), XlsxError> {
    let columns: [SheetColumn<'_>; 3] =
        [("what", 10.0, None), ("version", 40.0, None), ("hosts", 8.0, Some("0"))];
    let rows = |what: &'static str, counts: &[(String, usize)]| -> Vec<Vec<SheetCell>> {
        let count = |count: usize| number(u32::try_from(count).ok().map(f64::from));
        counts.iter().map(|(name, hosts)| vec![text(what), text(name), count(*hosts)]).collect()
    };
    let systems = systems(view);
    let all = [rows("system", &systems), rows("kernel", &kernels(view))].into_iter().flatten();
    sheet(at, "Versions", &columns, all)?;
    let last = u32::try_from(systems.len()).unwrap_or(u32::MAX);
    if last > 0 {
        let mut chart = Chart::new(ChartType::Column);
        chart.title().set_name("Hosts by system");
        chart
            .add_series()
            .set_categories(("Versions", 1, 1, last, 1))
            .set_values(("Versions", 1, 2, last, 2));
        chart.legend().set_hidden();
        chart.set_width(640).set_height(360);
        at.insert_chart(1, 4, &chart)?;
    }
    Ok(())
}

fn changes(at: &mut Worksheet, view: &FleetView) -> Result<(), XlsxError> {
    let columns: [SheetColumn<'_>; 5] = [
        ("noticed", 21.0, None),
        ("host", 22.0, None),
        ("fact", 32.0, None),
        ("before", 40.0, None),
        ("after", 40.0, None),
    ];
    let rows = view.changes.iter().take(CHANGES_MAX).map(|dated| {
        let change = &dated.change;
        vec![
            text(rfc3339(dated.at)),
            text(&dated.host),
            text(&change.fact),
            known(change.before.as_ref()),
            known(change.after.as_ref()),
        ]
    });
    sheet(at, "Changes", &columns, rows).map(drop)
}
