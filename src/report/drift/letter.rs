//! The letter about what hosts have otherwise than the others.

use crate::model::count::counted;
use crate::report::drift::differences::Drift;
use crate::report::drift::words;
use crate::report::file::text::clean;
use crate::report::letter::{Letter, LetterMood, LetterPart};
use crate::report::style::Style;

/// Bytes of the differences.
const LINES_MAX: usize = 40_000;

/// Writes it.
pub fn letter(drift: &Drift) -> Letter {
    let (hosts, paths) = (counted(drift.hosts, "host"), drift.items.len());
    let (verdict, mood) = match (drift.uncompared.len(), paths) {
        (0, 0) => (format!("the same on {hosts}"), LetterMood::Well),
        (0, _) => (format!("{} on {hosts}", counted(paths, "difference")), LetterMood::Notable),
        (not, _) => {
            (format!("{} on {hosts}, {not} not compared", counted(paths, "difference")), LetterMood::Failed)
        }
    };
    let mut lines = words::render(drift, Style { colour: false, ci: false });
    for line in &drift.uncompared {
        lines += &format!("not compared: {}\n", clean(line));
    }
    if lines.len() > LINES_MAX {
        let end = (0..=LINES_MAX).rev().find(|&end| lines.is_char_boundary(end)).unwrap_or_default();
        lines.truncate(end);
        lines += "\n...\n";
    }
    Letter {
        title: format!("diff of {}", clean(&drift.title)),
        verdict,
        mood,
        changed: paths > 0,
        facts: vec![hosts, format!("compared with {}", clean(&drift.against))],
        parts: vec![LetterPart::Lines(lines)],
    }
}
