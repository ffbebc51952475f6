//! Integration tests: the real binary, the real `ssh`, the real `sshd`, and the throw-away hosts.
//!
//! One binary, as linking is what costs, with a folder per command; `fixtures` has what they share.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs,
    unreachable_pub,
    reason = "tests may fail loudly, and their functions are nobody's interface"
)]

mod cli;
mod connect;
mod console;
mod demo;
mod diff;
mod exec;
mod facts;
mod fixtures;
mod fleet;
mod get;
mod hosts;
mod log;
mod probe;
mod put;
mod report;
mod resume;
mod run;
mod setup;
mod shell;
mod trust;
mod unarchive;
