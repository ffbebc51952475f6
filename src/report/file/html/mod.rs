//! One page for a browser: recap, timeline of hosts by steps, folded output with search, differences.

mod data;
mod page;

pub(super) use crate::report::file::html::page::render;
pub(in crate::report) use crate::report::file::html::page::{digest, framed};
