//! What the readers of a run cost by themselves: folding, the journal, reports. The numbers are in docs/performance.md.
//!
//! `cargo bench --bench results -- [FOLDER]`; with a folder the reports stay there.
#![allow(missing_docs, clippy::print_stdout, reason = "a program that prints numbers")]

mod events;
mod fold;
mod journal;
mod reports;

use std::path::PathBuf;

fn main() {
    let folder = std::env::args().skip(1).find(|arg| !arg.starts_with('-')).map(PathBuf::from);
    fold::run();
    journal::run();
    reports::run(folder.as_deref());
}
