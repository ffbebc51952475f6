//! A folder onto the host: only what differs is sent, each file takes its place at once, and a folder that is new
//! appears whole.
//!
//! - `compare`: what is there, what is not, and what is too much
//! - `bulk`: many small files over SFTP, all of them under way at a time
//!
//! Files are compared by size and SHA-256; times and modes say nothing about content.

mod bulk;
mod compare;
mod folder;
mod job;

pub use crate::files::put::tree::folder::{make_parents, put_tree};
pub use crate::files::put::tree::job::{PutTree, TreeJob};
