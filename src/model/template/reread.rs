//! Values of a script that are quoted for one reader too few, or once too often: in a text that another shell reads again
//! (`ssh h "echo '{{ x }}'"`), and within two pairs of quotes. Owns what is worth a warning; refuses to change anything.
//!
//! It looks at the template, not at what it renders to, so it warns before any value is known; branches of `{% if %}`
//! stand one after the other. Where the lexer is in doubt about a script, nothing is said.

use crate::model::template::lexer::seen::{OpenedConstruct, SeenConstruct, Trace};
use crate::model::template::lexer::trace;
use crate::model::template::parts::{Segment, marked};
use crate::model::template::problem::{TemplateError, at, is_path, shortened};
use crate::model::template::source::{OutputSpelling, spelling};
use crate::model::template::words::{
    BEFORE, InnerQuotes, SSH_OPTIONS, WordPiece, base, script_reader, values,
};

/// Programs that show or compare text: quotes within it are meant.
const DISPLAY: &[&str] = &[
    "echo", "printf", "print", "logger", "wall", "grep", "egrep", "fgrep", "rg", "test", "[", "[[", "case",
    ":", "expr",
];

/// Programs that have all of their words read by a shell, another machine's or this one's.
const READERS: &[&str] = &["ssh", "autossh", "rsh", "eval"];

/// Stands in a word for what is not known before the run.
const UNKNOWN: char = '\u{fffd}';

/// Finds the values of a script that are quoted wrongly for their reader, in the order of the text.
pub(super) fn find(text: &str) -> Vec<TemplateError> {
    let (script, segments) = marked(text);
    if segments.is_empty() {
        return Vec::new();
    }
    let Some(Trace(seen)) = trace(&script, segments.len()) else { return Vec::new() };
    let mut reading = Reading {
        text,
        script: &script,
        segments: &segments,
        levels: vec![RereadLevel::commands()],
        found: Vec::new(),
    };
    reading.read(&seen);
    reading.found
}

/// What is open, as far as it matters here.
enum RereadLevel {
    /// Commands: the words of the one that is being read, and the word.
    Commands { words: Vec<String>, word: String },
    /// A text between double quotes.
    Double(Vec<WordPiece>),
    /// Anything whose quotes are another matter.
    Other,
}

impl RereadLevel {
    fn commands() -> Self {
        Self::Commands { words: Vec::new(), word: String::new() }
    }
}

struct Reading<'a> {
    text: &'a str,
    script: &'a str,
    segments: &'a [Segment<'a>],
    levels: Vec<RereadLevel>,
    found: Vec<TemplateError>,
}

impl Reading<'_> {
    fn read(&mut self, seen: &[SeenConstruct]) {
        let mut from = 0;
        for step in seen {
            match *step {
                SeenConstruct::Open { at, what } => {
                    let opener = match what {
                        OpenedConstruct::Double => 1,
                        OpenedConstruct::Commands | OpenedConstruct::Other => 2,
                    };
                    self.plain(from, at.saturating_sub(opener));
                    self.levels.push(match what {
                        OpenedConstruct::Double => RereadLevel::Double(Vec::new()),
                        OpenedConstruct::Commands => RereadLevel::commands(),
                        OpenedConstruct::Other => RereadLevel::Other,
                    });
                    from = at;
                }
                SeenConstruct::Close { at } => {
                    self.plain(from, at.saturating_sub(1));
                    let closed = if self.levels.len() > 1 { self.levels.pop() } else { None };
                    if let Some(RereadLevel::Double(pieces)) = closed {
                        self.judge(&pieces);
                    }
                    self.expansion();
                    from = at;
                }
                SeenConstruct::Single { start, end } => {
                    self.plain(from, start);
                    let inner = self.script.get(start + 1..end.saturating_sub(1)).unwrap_or_default();
                    self.judge(&pieces(inner, false));
                    self.expansion();
                    from = end;
                }
                SeenConstruct::Skipped { start, end } => {
                    self.plain(from, start);
                    from = end;
                }
            }
        }
    }

    /// Something that is not known, at the innermost level.
    fn expansion(&mut self) {
        match self.levels.last_mut() {
            Some(RereadLevel::Commands { word, .. }) => word.push(UNKNOWN),
            Some(RereadLevel::Double(pieces)) => pieces.push(WordPiece::Expansion),
            Some(RereadLevel::Other) | None => {}
        }
    }

    /// Text of the innermost level.
    fn plain(&mut self, from: usize, to: usize) {
        let text = self.script.get(from..to).unwrap_or_default();
        match self.levels.last_mut() {
            Some(RereadLevel::Commands { words, word }) => read_words(text, words, word),
            Some(RereadLevel::Double(found)) => found.extend(pieces(text, true)),
            Some(RereadLevel::Other) | None => {}
        }
    }

    /// Looks at a quoted text that has just ended, an argument of the command around it.
    fn judge(&mut self, pieces: &[WordPiece]) {
        let Some(RereadLevel::Commands { words, word }) = self.levels.last() else { return };
        if !pieces.iter().any(|piece| matches!(piece, WordPiece::Value(_))) {
            return;
        }
        let program = words.iter().find(|word| !BEFORE.contains(&word.as_str()) && !word.contains('='));
        if program.is_some_and(|program| DISPLAY.contains(&base(program))) {
            return;
        }
        let reader = reader(words).map(str::to_owned);
        let stands_alone = word.is_empty();
        let mut found = Vec::new();
        match reader {
            Some(reader) => {
                let is_command =
                    pieces.iter().any(|piece| matches!(piece, WordPiece::Char(c) if c.is_whitespace()));
                for (index, inner) in values(pieces) {
                    let Some(segment) = self.segments.get(index) else { continue };
                    let problem = match (spelling(segment.code), inner) {
                        (OutputSpelling::Raw | OutputSpelling::Constant, _)
                        | (OutputSpelling::Quoted, InnerQuotes::Bare) => continue,
                        (OutputSpelling::Quoted, InnerQuotes::Quoted) => RereadProblem::QuotedAndInQuotes,
                        (OutputSpelling::Plain, InnerQuotes::Quoted) => RereadProblem::InnerQuotes(&reader),
                        (OutputSpelling::Plain, InnerQuotes::Bare) if is_command => {
                            RereadProblem::ReadAgain(&reader)
                        }
                        (OutputSpelling::Plain, InnerQuotes::Bare) => continue,
                    };
                    found.push(problem.about(self.text, segment));
                }
            }
            None if stands_alone => found.extend(self.doubled(pieces)),
            None => {}
        }
        self.found.extend(found);
    }

    /// A word that is nothing but a value within quotes within quotes.
    fn doubled(&self, pieces: &[WordPiece]) -> Option<TemplateError> {
        let (index, wanted) = match *pieces {
            [WordPiece::Char('"'), WordPiece::Value(index), WordPiece::Char('"')]
            | [WordPiece::Char('\''), WordPiece::Value(index), WordPiece::Char('\'')] => {
                (index, OutputSpelling::Plain)
            }
            [WordPiece::Value(index)] => (index, OutputSpelling::Quoted),
            _ => return None,
        };
        let segment = self.segments.get(index)?;
        (spelling(segment.code) == wanted).then(|| {
            let problem = if wanted == OutputSpelling::Plain {
                RereadProblem::TwoPairs
            } else {
                RereadProblem::QuotedAndInQuotes
            };
            problem.about(self.text, segment)
        })
    }
}

/// What is wrong with a value.
enum RereadProblem<'a> {
    /// It stands within quotes that this program reads.
    InnerQuotes(&'a str),
    /// This program reads it once more.
    ReadAgain(&'a str),
    /// `'"{{ x }}"'`
    TwoPairs,
    /// `"'{{ x | quote }}'"`
    QuotedAndInQuotes,
}

impl RereadProblem<'_> {
    fn about(&self, text: &str, segment: &Segment<'_>) -> TemplateError {
        let code = segment.code.trim();
        let shown = shortened(code);
        let quoted = if is_path(code) {
            format!("{{{{ {shown} | quote }}}}")
        } else {
            format!("{{{{ ({shown}) | quote }}}}")
        };
        let (message, help) = match self {
            Self::InnerQuotes(reader) => (
                format!(
                    "value of {shown:?} is quoted for this shell, but the quotes around it are read by another one ({reader})"
                ),
                format!("write {quoted} without quotes around it"),
            ),
            Self::ReadAgain(reader) => (
                format!(
                    "value of {shown:?} is quoted for this shell, and read again by another one ({reader})"
                ),
                format!("write {quoted}"),
            ),
            Self::TwoPairs => (
                format!("value of {shown:?} stands in two pairs of quotes: the inner ones become part of it"),
                "write it without quotes: values are quoted by themselves".to_owned(),
            ),
            Self::QuotedAndInQuotes => (
                format!("value of {shown:?} is quoted twice: by `quote`, and by the quotes around it"),
                "leave one of them out".to_owned(),
            ),
        };
        let start = segment.start + segment.code.len() - segment.code.trim_start().len();
        at(text, start, message, Some(help))
    }
}

/// Adds text between quotes to the words of a command; a new command begins with none.
fn read_words(text: &str, words: &mut Vec<String>, word: &mut String) {
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' | '<' | '>' | '\n' | ';' | '&' | '|' | '(' | ')' => {
                if !word.is_empty() {
                    words.push(std::mem::take(word));
                }
                if !matches!(c, ' ' | '\t' | '<' | '>') {
                    words.clear();
                }
            }
            '\\' => match chars.next() {
                Some('\n') | None => {}
                Some(next) => word.push(next),
            },
            '\0' => {
                chars.by_ref().take_while(|c| *c != '\0').for_each(drop);
                word.push(UNKNOWN);
            }
            _ => word.push(c),
        }
    }
}

/// What a quoted text is for the program that gets it.
fn pieces(text: &str, double: bool) -> Vec<WordPiece> {
    let mut found = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\0' => {
                let digits: String = chars.by_ref().take_while(|c| *c != '\0').collect();
                found.extend(digits.parse().ok().map(WordPiece::Value));
            }
            '\\' if double && chars.peek() == Some(&'\n') => {
                chars.next();
            }
            '\\' if double && matches!(chars.peek(), Some('"' | '\\' | '$' | '`')) => {
                found.extend(chars.next().map(WordPiece::Char));
            }
            _ => found.push(WordPiece::Char(c)),
        }
    }
    found
}

/// The program among the words before a text that has a shell read it.
fn reader(words: &[String]) -> Option<&str> {
    let last = words.last()?;
    let remote = words.iter().map(|word| base(word)).find(|word| READERS.contains(word));
    if let Some(remote) = remote {
        return (!SSH_OPTIONS.contains(&last.as_str())).then_some(remote);
    }
    script_reader(words)
}

#[cfg(test)]
mod tests;
