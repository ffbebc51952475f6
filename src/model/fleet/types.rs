//! What is known of a host over time.

use std::collections::BTreeMap;

use crate::model::facts::Facts;
use crate::model::fleet::lasting::FactChange;
use crate::model::fleet::numbers::SeriesName;

/// A host as it was last seen. Moments are seconds since 1970, by the clock of the machine that asked.
#[derive(Clone, Debug, PartialEq)]
pub struct FleetHost {
    /// Its name in the inventory.
    pub name: String,
    /// When it was first asked.
    pub first: u64,
    /// When it last answered.
    pub seen: Option<u64>,
    /// When it was last asked.
    pub tried: u64,
    /// Why it did not answer then.
    pub failure: Option<String>,
    /// Its last answer.
    pub facts: Option<Facts>,
}

impl FleetHost {
    /// Whether its last answer is older than this. One from the future, by a clock that was set back, is not.
    pub fn is_stale(&self, age: u64, now: u64) -> bool {
        self.seen.is_none_or(|seen| now.saturating_sub(seen) > age)
    }
}

/// A change of a fact that was noticed at a moment: it happened between the answer before and this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatedChange {
    /// Seconds since 1970.
    pub at: u64,
    /// The host.
    pub host: String,
    /// What changed.
    pub change: FactChange,
}

/// A number over a span of time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SeriesPoint {
    /// The beginning of the span, seconds since 1970.
    pub at: u64,
    /// How many measurements there are.
    pub count: u32,
    /// The smallest.
    pub min: f64,
    /// Their average.
    pub avg: f64,
    /// The largest.
    pub max: f64,
}

/// The numbers of a host, each with its points in the order of time.
pub type Numbers = BTreeMap<SeriesName, Vec<SeriesPoint>>;
