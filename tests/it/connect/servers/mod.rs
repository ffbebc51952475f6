//! Real SSH servers, each as a host: one table of them, the same checks for all, and a page of what came of it.
//!
//! - `kinds`: the table
//! - `start`: how each is started, on loopback, in a folder of its own
//! - `checks`: what is tried; what comes of it is right, or is said, on every server
//! - `page`: docs/servers.md, which is made of the results
//!
//! A server that is not installed fails the test. One that only root of a Linux machine can start is told of as not run.

mod checks;
mod kinds;
mod page;
mod start;

use crate::connect::servers::checks::{CHECKS, Result};
use crate::connect::servers::kinds::{KINDS, Kind};
use crate::connect::servers::page::Section;
use crate::fixtures::support::not_run;

/// What came of all checks on one server.
struct Tried {
    kind: &'static Kind,
    /// What it calls itself.
    identification: String,
    results: Vec<Result>,
}

/// Tries everything on one server; or says why not.
fn tried(kind: &'static Kind) -> std::result::Result<Tried, String> {
    let server = (kind.start)()?;
    let results = CHECKS.iter().map(|check| (check.run)(&server)).collect();
    Ok(Tried { kind, identification: server.identification(), results })
}

/// The servers side by side: what is tried on one waits for that one only.
#[test]
fn each_server_does_what_the_page_says() {
    let all: Vec<_> = std::thread::scope(|scope| {
        let running: Vec<_> = KINDS.iter().map(|kind| (kind, scope.spawn(move || tried(kind)))).collect();
        running.into_iter().map(|(kind, thread)| (kind, thread.join())).collect()
    });
    let mut sections = Vec::new();
    let mut broken = Vec::new();
    for (kind, tried) in all {
        match tried {
            Ok(Ok(tried)) => sections.push(Section::of(&tried)),
            Ok(Err(why)) => not_run(kind.name, &why),
            Err(_) => broken.push(kind.name),
        }
    }
    page::compare(&sections);
    assert!(broken.is_empty(), "something is wrong with {broken:?}; what, is said above");
}
