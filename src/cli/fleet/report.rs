//! `fan fleet report`: the fleet as files, by their extensions.

use std::path::Path;

use crate::cli::args::FleetReportArgs;
use crate::cli::clock;
use crate::cli::deliver;
use crate::cli::error::CliError;
use crate::cli::files;
use crate::cli::fleet::choose::{chosen, entries, open};
use crate::cli::fleet::place::told;
use crate::model::fleet::ArchiveKind;
use crate::model::outcome::ExitCode;
use crate::model::position::Diagnostic;
use crate::report::fleet::{FleetReportKind, FleetView, fleet_letter, render};

/// Seconds within which an hour is too much for a plot: numbers are shown as they came.
const MINUTES: u64 = 6 * 3600;

/// Seconds that hours are kept for: further back there are only days.
const HOURS: u64 = 93 * 86_400;

pub(super) fn report(args: &FleetReportArgs) -> Result<ExitCode, CliError> {
    let kinds = FleetReportKind::ALL.map(FleetReportKind::extension);
    let (targets, post) = deliver::prepare(&args.files, "", &kinds, |paths| {
        paths
            .iter()
            .map(|path| Ok((kind(path)?, files::whole(path, "")?)))
            .collect::<Result<Vec<_>, CliError>>()
    })?;
    let file = open(&args.choice)?;
    let now = clock::unix();
    let since = now.saturating_sub(args.since.seconds());
    let hosts = chosen(&file, &args.choice, now)?;
    let mut hosts = entries(&file, hosts, now)?;
    let back = args.since.seconds();
    let kind = if back <= MINUTES {
        ArchiveKind::Raw
    } else if back <= HOURS {
        ArchiveKind::Hourly
    } else {
        ArchiveKind::Daily
    };
    let mut numbers = file.numbers(kind, since, None).map_err(told)?;
    for entry in &mut hosts {
        entry.numbers = numbers.remove(&entry.host.name).unwrap_or_default();
    }
    let mut changes = file.changes(since, None).map_err(told)?;
    changes.retain(|change| hosts.binary_search_by(|entry| entry.host.name.cmp(&change.host)).is_ok());
    let view = FleetView { now, since, hosts, changes };
    for (kind, put) in targets {
        put(&render(kind, &view)).map_err(|source| CliError::Local {
            doing: "the report could not be written".to_owned(),
            source,
        })?;
    }
    let of = |extension: &str| {
        let kind = FleetReportKind::ALL.into_iter().find(|kind| kind.extension() == extension)?;
        Some(render(kind, &view))
    };
    deliver::deliver_now(post.parcels(&fleet_letter(&view), &of), ExitCode::Ok)
}

fn kind(path: &Path) -> Result<FleetReportKind, CliError> {
    FleetReportKind::of(path).ok_or_else(|| {
        let known: Vec<String> =
            FleetReportKind::ALL.iter().map(|kind| format!(".{}", kind.extension())).collect();
        Diagnostic::bare(format!("the extension of {} names no kind of report", path.display()))
            .help(format!("it can be {}", known.join(" ")))
            .into()
    })
}
