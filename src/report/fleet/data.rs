//! What is shown of the fleet.

use crate::model::fleet::{DatedChange, DiskForecast, FleetHost, Numbers};

/// A host with what follows from its numbers.
#[derive(Clone, Debug)]
pub struct FleetEntry {
    /// What is known of it.
    pub host: FleetHost,
    /// Its disks, and when they will be full.
    pub disks: Vec<DiskForecast>,
    /// Its numbers over the time that is shown.
    pub numbers: Numbers,
}

impl FleetEntry {
    /// The disk that is filled the most.
    pub fn fullest(&self) -> Option<&DiskForecast> {
        self.disks.iter().max_by(|one, other| one.percent().total_cmp(&other.percent()))
    }

    /// The disk that will be full first.
    pub fn first_full(&self) -> Option<(&DiskForecast, f64)> {
        let dated = self.disks.iter().filter_map(|disk| Some((disk, disk.days()?)));
        dated.min_by(|(_, one), (_, other)| one.total_cmp(other))
    }
}

/// All that is shown.
#[derive(Clone, Debug)]
pub struct FleetView {
    /// When it is looked at, seconds since 1970.
    pub now: u64,
    /// Since when numbers and changes are shown.
    pub since: u64,
    /// The hosts, by name.
    pub hosts: Vec<FleetEntry>,
    /// What changed, the newest first.
    pub changes: Vec<DatedChange>,
}
