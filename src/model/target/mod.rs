//! Target expressions: which hosts a command line or a task means.
//!
//! `,` union, `&` intersection, `!` difference, `@role`, `^FILE`, globs, ranges, CIDR blocks, `user@address:port`,
//! `all`; docs/targets.md is the reference. `parse` reads an expression, `universe` finds what it means, `roles` does both
//! for the members of roles, `outsider` is about hosts of no inventory. Refuses to guess: whatever matches nothing is
//! an error.

mod ansible;
mod list;
pub(super) mod outsider;
mod parse;
mod roles;
mod selection;
#[cfg(test)]
mod tests;
mod universe;

pub use crate::model::target::list::{admit_list, lists_in};
pub use crate::model::target::parse::role_spelled;
pub use crate::model::target::selection::{TargetPlace, select, select_within};
pub use roles::role_members;
pub use universe::{NO_INVENTORY, WITHOUT_INVENTORY};
