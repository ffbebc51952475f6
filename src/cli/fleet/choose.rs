//! The hosts of the file that the flags choose, with their forecasts.

use std::sync::Arc;

use crate::cli::args::{ConditionArgs, FleetChoiceArgs};
use crate::cli::clock;
use crate::cli::error::CliError;
use crate::cli::fleet::condition::keep;
use crate::cli::fleet::place::{path, told};
use crate::engine::plan::KnownFacts;
use crate::fleet::FleetFile;
use crate::model::fleet::{ArchiveKind, FleetHost, Numbers, disks};
use crate::report::fleet::FleetEntry;

/// Seconds of days that forecasts look at.
pub(super) const FORECAST: u64 = 29 * 86_400;

/// The file that the flags name.
pub(super) fn open(choice: &FleetChoiceArgs) -> Result<FleetFile, CliError> {
    FleetFile::open(&path(choice.db.as_deref())?).map_err(told)
}

/// The hosts that the flags choose.
pub(super) fn chosen(
    file: &FleetFile,
    choice: &FleetChoiceArgs,
    now: u64,
) -> Result<Vec<FleetHost>, CliError> {
    let mut hosts = file.hosts().map_err(told)?;
    if let Some(age) = choice.stale {
        hosts.retain(|host| host.is_stale(age.seconds(), now));
    }
    if let Some(expression) = &choice.expression {
        keep(&mut hosts, expression)?;
    }
    Ok(hosts)
}

/// Hosts with their forecasts.
pub(super) fn entries(
    file: &FleetFile,
    hosts: Vec<FleetHost>,
    now: u64,
) -> Result<Vec<FleetEntry>, CliError> {
    let mut daily = file.numbers(ArchiveKind::Daily, now.saturating_sub(FORECAST), None).map_err(told)?;
    let entry = |host: FleetHost| {
        let numbers: Numbers = daily.remove(&host.name).unwrap_or_default();
        let disks = host.facts.as_ref().map(|facts| disks(facts, &numbers, now)).unwrap_or_default();
        FleetEntry { host, disks, numbers }
    };
    Ok(hosts.into_iter().map(entry).collect())
}

/// The facts that are young enough to choose hosts by, as the flags say.
pub(in crate::cli) fn known(condition: &ConditionArgs) -> Result<KnownFacts, CliError> {
    let Some(age) = condition.cached() else { return Ok(KnownFacts::default()) };
    let file = FleetFile::open(&path(condition.db())?).map_err(told)?;
    let now = clock::unix();
    let young = |host: FleetHost| {
        let facts =
            host.facts.clone().filter(|_| !host.is_stale(age.seconds(), now) && host.seen <= Some(now))?;
        Some((host.name, Arc::new(facts)))
    };
    Ok(Arc::new(file.hosts().map_err(told)?.into_iter().filter_map(young).collect()))
}
