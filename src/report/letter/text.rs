//! A letter as plain text.

use std::fmt::Write;

use crate::model::cells::{pad, width};
use crate::report::letter::types::{Letter, LetterPart};

/// Between two columns.
const GAP: &str = "  ";

/// The whole letter.
pub fn render(letter: &Letter) -> String {
    let mut out = format!("{}\n{}\n", letter.subject(), letter.facts.join(" · "));
    for part in &letter.parts {
        out.push('\n');
        match part {
            LetterPart::Table { headings, rows, more } => {
                let headings: Vec<String> = headings.iter().map(|&heading| heading.to_owned()).collect();
                let all: Vec<&Vec<String>> = std::iter::once(&headings).chain(rows).collect();
                let wide = |column: usize| {
                    all.iter()
                        .filter_map(|row| row.get(column))
                        .map(|cell| width(cell))
                        .max()
                        .unwrap_or_default()
                };
                let widths: Vec<usize> = (0..headings.len()).map(wide).collect();
                for row in &all {
                    let cells: Vec<String> =
                        row.iter().zip(&widths).map(|(cell, &wide)| pad(cell, wide)).collect();
                    let _ = writeln!(out, "{}", cells.join(GAP).trim_end());
                }
                if let Some(line) = more {
                    let _ = writeln!(out, "{line}");
                }
            }
            LetterPart::Problem { heading, what, output, hint } => {
                let _ = writeln!(out, "{heading}: {what}");
                for line in output.lines() {
                    let _ = writeln!(out, "  | {line}");
                }
                for line in hint.lines() {
                    let _ = writeln!(out, "{line}");
                }
            }
            LetterPart::Lines(lines) => out.push_str(lines),
        }
    }
    out
}
