//! Hosts over time: which facts last, what has changed, which numbers are followed, and what these foretell. Pure: the
//! file is the floor `fleet`'s, pages are the floor `report`'s.
//!
//! - `lasting`: facts that stand for a while, and what has changed between two answers
//! - `numbers`: the numbers that are followed, measured on one answer or between two
//! - `archive`: numbers thinned as in a round-robin archive
//! - `forecast`: when a disk will be full

mod archive;
mod forecast;
mod lasting;
mod numbers;
#[cfg(test)]
mod tests;
mod types;

pub use crate::model::fleet::archive::{ArchiveChunk, ArchiveKind};
pub use crate::model::fleet::forecast::{DiskForecast, Forecast, disks};
pub use crate::model::fleet::lasting::{FactChange, changes};
pub use crate::model::fleet::numbers::{NumberUnit, SeriesKind, SeriesName, numbers};
pub use crate::model::fleet::types::{DatedChange, FleetHost, Numbers, SeriesPoint};
