//! What holds of the hosts together: sums, systems and kernels by count, disks that are full or will be, who is silent.

use std::collections::BTreeMap;

use crate::model::fleet::DiskForecast;
use crate::report::fleet::columns::system;
use crate::report::fleet::data::{FleetEntry, FleetView};

/// Seconds after which a host counts as silent.
const SILENT: u64 = 86_400;

/// Percent from which on a disk is worth a look.
const FULL: f64 = 80.0;

/// Days within which a disk that fills up is worth a look.
const SOON: f64 = 90.0;

/// Sums over the hosts that told.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct FleetTotals {
    pub(super) hosts: usize,
    pub(super) silent: usize,
    pub(super) processors: u64,
    pub(super) memory: u64,
    pub(super) disk: u64,
    pub(super) used: u64,
}

impl FleetTotals {
    pub(super) fn of(view: &FleetView) -> Self {
        let mut totals = Self { hosts: view.hosts.len(), silent: silent(view).count(), ..Self::default() };
        for entry in &view.hosts {
            let facts = entry.host.facts.as_ref();
            let add = |sum: &mut u64, number: Option<u64>| *sum = sum.saturating_add(number.unwrap_or(0));
            add(&mut totals.processors, facts.and_then(|facts| facts.cpu.logical));
            add(&mut totals.memory, facts.and_then(|facts| facts.memory.total));
            for disk in &entry.disks {
                add(&mut totals.disk, Some(disk.size));
                add(&mut totals.used, Some(disk.used));
            }
        }
        totals
    }
}

/// Hosts that have not answered for a day, or did not when last asked.
pub(super) fn silent(view: &FleetView) -> impl Iterator<Item = &FleetEntry> {
    let is_silent =
        |entry: &&FleetEntry| entry.host.failure.is_some() || entry.host.is_stale(SILENT, view.now);
    view.hosts.iter().filter(is_silent)
}

/// Systems by how many hosts have them, the most first.
pub(super) fn systems(view: &FleetView) -> Vec<(String, usize)> {
    counted(view.hosts.iter().filter_map(system))
}

/// Kernels likewise.
pub(super) fn kernels(view: &FleetView) -> Vec<(String, usize)> {
    let kernel = |entry: &FleetEntry| {
        let kernel = &entry.host.facts.as_ref()?.kernel;
        let words: Vec<&str> =
            [kernel.name.as_deref(), kernel.release.as_deref()].into_iter().flatten().collect();
        (!words.is_empty()).then(|| words.join(" "))
    };
    counted(view.hosts.iter().filter_map(kernel))
}

fn counted(names: impl Iterator<Item = String>) -> Vec<(String, usize)> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for name in names {
        *counts.entry(name).or_default() += 1;
    }
    let mut counts: Vec<(String, usize)> = counts.into_iter().collect();
    counts.sort_by(|(one, many), (other, more)| more.cmp(many).then_with(|| one.cmp(other)));
    counts
}

/// Disks that are worth a look, the first to be full first.
pub(super) fn filling(view: &FleetView) -> Vec<(&FleetEntry, &DiskForecast)> {
    let disks = view.hosts.iter().flat_map(|entry| entry.disks.iter().map(move |disk| (entry, disk)));
    let counts = |(_, disk): &(&FleetEntry, &DiskForecast)| {
        disk.percent() >= FULL || disk.days().is_some_and(|days| days <= SOON)
    };
    let mut disks: Vec<_> = disks.filter(counts).collect();
    disks.sort_by(|(_, one), (_, other)| {
        let days = |disk: &DiskForecast| disk.days().unwrap_or(f64::INFINITY);
        days(one).total_cmp(&days(other)).then_with(|| other.percent().total_cmp(&one.percent()))
    });
    disks
}
