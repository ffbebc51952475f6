//! Problems with files as a terminal shows them: the line that is meant, with a mark under it. In a pipe, and where the
//! line may hold a secret, a problem is one line of text.

use std::io::{self, IsTerminal};

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use rustix::termios::tcgetwinsize;

use crate::cli::error::{redacted, talk};
use crate::config::{Excerpt, excerpt};
use crate::model::position::Diagnostic;

/// Columns of a terminal that does not tell how many it has.
const COLUMNS: u16 = 80;

/// Tells a problem on stderr.
pub(super) fn tell(problem: &Diagnostic) {
    talk(&shown(problem));
}

/// A problem as the terminal, or whatever stderr is, should have it.
pub(super) fn shown(problem: &Diagnostic) -> String {
    let stderr = io::stderr();
    let line = if stderr.is_terminal() { problem.position.as_ref().and_then(excerpt) } else { None };
    // A secret would not be shown; the mark would stand under something else.
    let Some(line) = line.filter(|line| redacted(&line.text) == line.text) else {
        return problem.to_string();
    };
    let columns = tcgetwinsize(stderr).ok().map(|size| size.ws_col).filter(|&columns| columns > 0);
    with_line(problem, &line, usize::from(columns.unwrap_or(COLUMNS)))
}

fn with_line(problem: &Diagnostic, line: &Excerpt, columns: usize) -> String {
    let title = Diagnostic { help: None, ..problem.clone() };
    let mark = AnnotationKind::Primary.span(line.start..line.end);
    let mut group = Group::with_level(Level::ERROR)
        .element(Snippet::source(&line.text).line_start(line.number).annotation(mark));
    if let Some(help) = &problem.help {
        group = group.element(Level::HELP.message(help));
    }
    format!("{title}\n{}", Renderer::plain().term_width(columns).render(&[group]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::position::Position;

    fn rendered(text: &str, start: usize, end: usize, columns: usize) -> String {
        let problem =
            Diagnostic::at(&Position::new("i.yaml", 12, 9), "unknown key").help("did you mean \"port\"?");
        let line = Excerpt { text: text.to_owned(), number: 12, start, end };
        with_line(&problem, &line, columns)
    }

    #[test]
    fn the_mark_is_under_what_is_meant() {
        insta::assert_snapshot!(rendered("  web1: {prot: 22}", 9, 13, 80), @r#"
        i.yaml:12:9: error: unknown key
           |
        12 |   web1: {prot: 22}
           |          ^^^^
           |
           = help: did you mean "port"?
        "#);
        // Tabs, wide characters, what would act on the terminal, the end of a line.
        insta::assert_snapshot!(rendered("\t\u{5bbf}\u{4e3b}: {prot: 22}", 10, 14, 80), @r#"
        i.yaml:12:9: error: unknown key
           |
        12 |     宿主: {prot: 22}
           |            ^^^^
           |
           = help: did you mean "port"?
        "#);
        insta::assert_snapshot!(rendered("a\u{1b}[31m\u{202e}b: [", 13, 13, 80), @r#"
        i.yaml:12:9: error: unknown key
           |
        12 | a␛[31m�b: [
           |            ^
           |
           = help: did you mean "port"?
        "#);
    }

    #[test]
    fn a_long_line_is_cut_around_it() {
        let text = format!("{{{}\"prot\": 1{}}}", "\"a\": 1, ".repeat(100_000), ", \"b\": 2".repeat(100_000));
        let shown = rendered(&text, 800_001, 800_007, 60);
        assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
        let lines: Vec<&str> = shown.lines().collect();
        let at = lines[2].find("\"prot\"").unwrap();
        assert_eq!(lines[3].find("^^^^^^"), Some(at), "{shown}");
    }
}
