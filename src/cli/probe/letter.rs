//! The letter about probes: what is not well first, then all of it.

use crate::cli::probe::round::ProbedFrom;
use crate::cli::probe::table;
use crate::model::count::counted;
use crate::model::text::{Sgr, sanitize};
use crate::model::time::rfc3339;
use crate::report::letter::{Letter, LetterMood, LetterPart};

/// Bytes of the table of all.
const LINES_MAX: usize = 40_000;

/// Problems that are told.
const PROBLEMS_MAX: usize = 50;

/// What was probed, and whether it was well.
pub(super) type ProbeState = (String, bool);

/// Writes it. `before` is how things were a round ago; without one, all that is not well is new.
pub(super) fn of(found: &[ProbedFrom], before: Option<&[ProbeState]>, now: u64) -> Letter {
    let states = states(found);
    let bad = states.iter().filter(|(_, well)| !well).count();
    let changed = match before {
        None => bad > 0,
        Some(before) => before != states,
    };
    let mut problems = problems(found);
    let more = problems.len().checked_sub(PROBLEMS_MAX).filter(|&more| more > 0);
    problems.truncate(PROBLEMS_MAX);
    let mut parts = Vec::new();
    if !problems.is_empty() {
        let more = more.map(|more| format!("and {more} more"));
        parts.push(LetterPart::Table {
            headings: vec!["from", "target", "address", "problem"],
            rows: problems,
            more,
        });
    }
    let mut lines = table::table(found, now);
    if lines.len() > LINES_MAX {
        let end = (0..=LINES_MAX).rev().find(|&end| lines.is_char_boundary(end)).unwrap_or_default();
        lines.truncate(end);
        lines += "\n...\n";
    }
    parts.push(LetterPart::Lines(lines));
    let all = counted(states.len(), "probe");
    Letter {
        title: "probe".to_owned(),
        verdict: if bad == 0 { "all well".to_owned() } else { format!("{bad} of {} not well", states.len()) },
        mood: if bad == 0 { LetterMood::Well } else { LetterMood::Failed },
        changed,
        facts: vec![all, rfc3339(now)],
        parts,
    }
}

/// What was probed, and whether it was well.
pub(super) fn states(found: &[ProbedFrom]) -> Vec<ProbeState> {
    let of = |from: &ProbedFrom| {
        let host = host(from);
        if from.unreached.is_some() {
            return vec![(host, false)];
        }
        let state = |probed: &crate::web::Probed| {
            let address = probed.address.as_deref().unwrap_or_default();
            (format!("{host} {} {address}", probed.target), probed.problem.is_none())
        };
        from.found.iter().map(state).collect()
    };
    found.iter().flat_map(of).collect()
}

fn problems(found: &[ProbedFrom]) -> Vec<Vec<String>> {
    let clean = |text: &str| sanitize(text.as_bytes(), Sgr::Escape).into_owned();
    let mut rows = Vec::new();
    for from in found {
        let host = clean(&host(from));
        if let Some(failure) = &from.unreached {
            let why = clean(&format!("not reached: {} [{}]", failure.message(), failure.kind));
            rows.push(vec![host.clone(), String::new(), String::new(), why]);
        }
        for probed in &from.found {
            if let Some(problem) = &probed.problem {
                let address = probed.address.clone().unwrap_or_default();
                rows.push(vec![host.clone(), clean(&probed.target), address, clean(problem)]);
            }
        }
    }
    rows
}

fn host(from: &ProbedFrom) -> String {
    from.host.as_ref().map_or_else(|| "here".to_owned(), ToString::to_string)
}
