//! Contents off the host: what comes is exactly what was there, and goes nowhere but where it was to go.
//!
//! - `find`: what paths and globs of the host stand for
//! - `file`: one file
//! - `tree`: a folder
//! - `receive`: the bytes of one file on their way

mod file;
mod find;
pub(in crate::files) mod receive;
mod tree;

pub use file::{GetJob, Got, get_file};
pub use find::{FoundPath, find};
pub use tree::{GetTreeJob, get_tree};
