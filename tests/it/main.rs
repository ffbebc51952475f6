//! Integration tests: the real binary, the real `ssh`, the real `sshd`, and the throw-away hosts.
//!
//! One binary with a module per subject: linking is what costs. `sshd` and `support` are the fixtures.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs,
    unreachable_pub,
    reason = "tests may fail loudly, and their functions are nobody's interface"
)]

mod agent;
mod auth;
mod channels;
mod choosing;
mod cli;
mod coming_from;
mod cut;
mod demo;
mod dialects;
mod dialogue;
mod downloads;
mod dropbear;
mod dry_runs;
mod endings;
mod facts;
mod faults;
mod file_commands;
mod files;
mod gateways;
mod host_keys;
mod hostile_sftp;
mod journal;
mod killed;
mod locks;
mod log;
mod logins;
mod output;
mod ports;
mod privilege;
mod protected;
mod real;
mod recipes;
mod relay;
mod reports;
mod results;
mod resume;
mod sandbox;
mod sandbox_sftp;
mod schema;
mod scripts;
mod secrets;
mod servers;
mod shards;
mod shell;
mod soak;
mod sshd;
mod stable;
mod stop;
mod stopping;
mod support;
mod task_language;
mod tended;
mod terminal;
mod transfer_faults;
mod transfers;
mod trap;
mod unarchive;
mod waiting;
mod ways;
mod window;
