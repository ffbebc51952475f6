//! Reports that go to people and services: `--report mailto:...`, `--report https://...`, and the entries of `reports` in
//! fan.yaml. One mechanism for all commands that make reports.
//!
//! - `prepare`: everything is looked at, and every secret read, before a host is contacted
//! - `parcel`: what is sent to whom, made when the report is there
//! - `outbox`: where parcels wait until a run is over
//! - `send`: handed over, and what is said when that fails
//!
//! Delivery comes last: it holds up no run and changes none. What could not be delivered is exit code 5.

mod outbox;
mod parcel;
mod prepare;
mod send;

pub(super) use crate::cli::deliver::outbox::Outbox;
pub(super) use crate::cli::deliver::parcel::Parcel;
pub(super) use crate::cli::deliver::prepare::prepare;
pub(super) use crate::cli::deliver::send::{deliver, deliver_now};
