//! What a pattern can mean: hosts by name and by address, roles, and hosts of no inventory while they are only
//! candidates.

mod hint;
mod hosts;
mod listed;

pub(super) use crate::model::target::universe::hosts::{HostSet, Outsiders, Sense, Universe};
pub use crate::model::target::universe::hosts::{NO_INVENTORY, WITHOUT_INVENTORY};
