//! Contents onto the host: sent beside their place, seen to be what was sent, and then put in place at once.
//!
//! - `file`: one file
//! - `send`: its bytes on their way, over as many channels as the line needs
//! - `verify`: whether the host has what was sent
//! - `tree`: a folder

pub mod file;
mod send;
pub mod tree;
mod verify;

pub use file::{FileJob, FilePut, Placing, TargetStanding, look_at_target, put_file, settle};
pub use tree::{PutTree, TreeJob, make_parents, put_tree};
