//! What a host is: its system, hardware, disks and network, as it tells itself. Owns the fields, the script that
//! asks for them, and the reading of its answer; refuses to run anything.
//!
//! The host's answer is not to be trusted: [`parse`] takes any bytes. A field that the host does not tell, or tells
//! in a form that is not known, is left out; it is never made up.
//!
//! - `fields`: their names, for checks before a host is asked
//! - `sections`: the script's answer taken apart
//! - `system`: operating system, processors, memory, what the host runs on
//! - `activity`, `measure`: what it is doing: processor time, input and output, processes, ports
//! - `network`, `storage`: interfaces and routes; disks and mounts

pub mod activity;
mod error;
mod fields;
mod measure;
mod network;
mod read;
mod sections;
mod storage;
mod system;
#[cfg(test)]
mod tests;
pub mod types;

pub use crate::model::facts::error::FactsError;
pub use crate::model::facts::fields::{check_field, sample};
pub use crate::model::facts::read::{SCRIPT, parse};
pub use crate::model::facts::types::{Facts, Family, VirtKind};
