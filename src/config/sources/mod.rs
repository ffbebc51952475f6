//! Inventories from anywhere: what a source is, how it is read, and how several become one.
//!
//! ```text
//! -i SPEC ──kind──▶ text or answer ──▶ fan's own reader, or ansible ──▶ one Inventory, later sources on top
//! ```
//!
//! docs/inventories.md is the manual.

mod ansible;
mod cache;
mod clush;
mod kind;
mod list;
mod load;
mod named;
mod program;

pub use crate::config::sources::ansible::VaultPassword;
pub use crate::config::sources::kind::SourceSpec;
pub use crate::config::sources::load::{SourceOptions, load_inventory, load_inventory_text, load_sources};
