//! A plan as a file (`--plan --out FILE`), that someone reads and a later run carries out (`--from-plan FILE`): exactly that, or
//! nothing.
//!
//! - `content`: what is in it, and how it is written and read
//! - `made`: a plan as such a file
//! - `differ`: what differs between the two
//!
//! Refuses to carry anything out.

mod content;
mod differ;
mod made;

pub(super) use content::{MAKE, PlanFile};
pub(super) use made::{PlanOrigin, of, salt};
