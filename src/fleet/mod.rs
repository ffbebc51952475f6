//! Floor 2: the fleet over time, in one SQLite file: hosts with their last answers, what changed when, and numbers thinned
//! as in a round-robin archive (docs/design/fleet.md).
//!
//! - [`FleetFile`]: the file, opened for writing or reading, with its migrations
//! - `save`: what was gathered, in one transaction
//! - `read`: hosts, changes, numbers
//!
//! Refuses: rendering, asking hosts, the clock. Who saves says when that is.

mod error;
mod file;
mod read;
mod save;
mod schema;
#[cfg(test)]
mod tests;

pub use crate::fleet::error::FleetError;
pub use crate::fleet::file::FleetFile;
pub use crate::fleet::save::Observed;
