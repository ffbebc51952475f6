//! A letter as HTML that mail programs show: tables and styles on the elements themselves, no script, nothing loaded, and
//! small enough that none cuts it off.

use minijinja::context;
use minijinja::value::Value;

use crate::report::file::html::framed;
use crate::report::letter::types::{Letter, LetterMood, LetterPart};

const FRAME: &str = include_str!("letter.html");

/// Bytes: GMail cuts mails at 102 KiB.
const BYTES_MAX: usize = 96 * 1024;

/// The whole letter.
pub fn render(letter: &Letter) -> String {
    let mut parts: Vec<Value> = letter.parts.iter().map(part).collect();
    loop {
        let page = context! {
            title => letter.title.clone(),
            verdict => letter.verdict.clone(),
            colour => colour(letter.mood),
            facts => letter.facts.clone(),
            parts => parts.clone(),
            cut => parts.len() < letter.parts.len(),
        };
        let html = framed(FRAME, page).expect("the frame is ours, and the tests fill it");
        if html.len() <= BYTES_MAX || parts.pop().is_none() {
            return html;
        }
    }
}

/// What is seen before anything is read; dark enough for white letters.
fn colour(mood: LetterMood) -> &'static str {
    match mood {
        LetterMood::Well => "#1a7f37",
        LetterMood::Notable => "#9a6700",
        LetterMood::Failed => "#cf222e",
    }
}

fn part(part: &LetterPart) -> Value {
    match part {
        LetterPart::Table { headings, rows, more } => {
            context! { kind => "table", headings => headings.clone(), rows => rows.clone(), more => more.clone() }
        }
        LetterPart::Problem { heading, what, output, hint } => {
            context! {
                kind => "problem", heading => heading.clone(), what => what.clone(), output => output.clone(),
                hint => hint.clone()
            }
        }
        LetterPart::Lines(lines) => context! { kind => "lines", lines => lines.clone() },
    }
}
