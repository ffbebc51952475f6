//! Floor 1½: moves files between this machine and a host, all or nothing, and looks after files of a host.
//!
//! - `local`: this machine's side: what is to be sent, and a folder that nothing gets out of
//! - `archive`: what is in an archive, and the script that unpacks it
//! - `select`: which names of a folder take part
//!
//! Refuses: runs, tasks, templates, and talking to people. Works over [`crate::ssh::Session`].

pub mod archive;
pub mod content;
pub mod digest;
pub mod get;
pub mod local;
pub mod meta;
pub mod progress;
pub mod put;
pub mod remote;
pub mod select;
