//! fan: an agentless SSH fan-out orchestrator.
//!
//! This page is the map. Imports point down, floor by floor (`tests/tidy.rs` keeps it so):
//!
//! ```text
//!             cli                                3  args, wiring, errors -> words and exit code
//!    ┌─────────┼───────┬───────┬─────────┐
//!  engine    report  store   fleet    sandbox    2  meet only in `event`; store is the journal of runs, fleet the
//!    ├──────┐    │     │       │                    database of hosts over time, sandbox the throw-away SSH server
//!  files web│    │     │       │                 1½ moves files over `ssh`, and looks after them; asks web servers
//!    │      │    │     │       │
//!   ssh  config  event ┘       │                 1  transport, file formats, facts (config serves cli only)
//!    └──────┴────┬─────────────┘
//!              model                             0  pure types and functions: no I/O, no clock, no async
//! ```
//!
//! One run, from left to right:
//!
//! ```text
//! YAML ──config──▶ model ──engine::plan──▶ Plan ──engine::run──▶ events ──▶ report, Recap ──▶ exit code
//!                                                   │              └─ written down first: store
//!                                                   └─ one worker per host ──▶ ssh::Connector
//! ```
//!
//! To start reading: `model::task` (what a step is), `engine::dispatcher` (who owns the truth of a run),
//! `ssh::Connector` (the seam under the engine), `event` (the seam above it).

mod cli;
mod config;
mod engine;
mod event;
mod files;
mod fleet;
mod model;
mod report;
mod sandbox;
mod ssh;
mod store;
mod web;

#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
#[doc(hidden)]
pub mod testing;

pub use crate::cli::main;
