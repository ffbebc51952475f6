//! What a host has come to in a run, and what hosts share: results, variables, files, connections.

pub(crate) mod delegates;
pub(crate) mod learned;
pub(crate) mod register;
pub(crate) mod shared_files;
