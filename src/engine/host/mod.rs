//! What a host has come to in a run, and what hosts share: results, variables, files, connections. Refuses to decide what
//! becomes of any of it.

pub(crate) mod connection;
pub(crate) mod delegates;
pub(crate) mod jobs;
pub(crate) mod learned;
pub(crate) mod pace;
pub(crate) mod register;
pub(crate) mod render;
pub(crate) mod result;
pub(crate) mod run;
pub(crate) mod shared_files;
pub(crate) mod throttles;
pub(crate) mod tools;
