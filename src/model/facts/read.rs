//! The script that asks a host for its facts, and the reading of its answer.

use crate::model::facts::error::{FactsError, MAX_ANSWER};
use crate::model::facts::sections::Sections;
use crate::model::facts::types::{Facts, Family};
use crate::model::facts::{measure, network, storage, system};

/// Prints the facts. For a POSIX `sh`; reads, and changes nothing.
pub const SCRIPT: &str = include_str!("facts.sh");

/// Reads what [`SCRIPT`] printed, with whatever a login printed before it.
///
/// # Errors
///
/// The answer has no beginning or no end, or is longer than [`MAX_ANSWER`]. Whatever stands between is no error.
pub fn parse(answer: &[u8]) -> Result<Facts, FactsError> {
    if answer.len() > MAX_ANSWER {
        return Err(FactsError::TooLong);
    }
    let sections = Sections::read(answer)?;
    let mut interfaces = network::interfaces(&sections);
    measure::traffic(&mut interfaces, &sections);
    let mut disks = storage::disks(&sections);
    measure::disk_io(&mut disks, &sections);
    let mut facts = Facts {
        hostname: sections.text("hostname"),
        default_ipv4: network::default_route(&sections, Family::Ipv4, &interfaces),
        default_ipv6: network::default_route(&sections, Family::Ipv6, &interfaces),
        dns: network::dns(&sections),
        interfaces,
        disks,
        mounts: storage::mounts(&sections),
        users: measure::users(&sections),
        processes: measure::processes(&sections),
        listening: measure::listening(&sections),
        python: sections.text("python"),
        ..Facts::default()
    };
    system::fill(&mut facts, &sections);
    Ok(facts)
}
