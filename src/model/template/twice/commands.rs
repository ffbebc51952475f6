//! The commands of a script as lists of words, from a walk of the lexer. Owns where a word and a command begin and end;
//! refuses to know what any of them does.

use std::collections::VecDeque;
use std::iter::Peekable;
use std::str::Chars;

use crate::model::template::lexer::{Opened, Seen};

/// Programs whose heredoc is what the next command of a pipe reads.
const PASSES: &[&str] = &["cat", "sed", "tee", "envsubst"];

/// What stands around a part of a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quotes {
    None,
    Double,
    /// Single quotes, or a backslash.
    Single,
}

/// A part of a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Char(char, Quotes),
    /// The value of this index.
    Value(usize, Quotes),
    /// What the shell puts in: `$(...)`, `${...}`, `$'...'`.
    Expansion,
}

/// A word as it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Word(pub(super) Vec<Part>);

impl Word {
    /// The characters before the first part that is none.
    pub(super) fn prefix(&self) -> String {
        self.0.iter().map_while(|part| if let Part::Char(c, _) = part { Some(*c) } else { None }).collect()
    }

    /// Its text, with a sign that no text has for what is not known.
    pub(super) fn text(&self) -> String {
        self.0.iter().map(|part| if let Part::Char(c, _) = part { *c } else { '\u{fffd}' }).collect()
    }

    /// The variables that the shell puts into it: `$name`, `${name}`.
    pub(super) fn variables(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut parts = self.0.iter().peekable();
        while let Some(part) = parts.next() {
            if !matches!(part, Part::Char('$', Quotes::None | Quotes::Double)) {
                continue;
            }
            let mut name = String::new();
            while let Some(Part::Char(c, _)) = parts.next_if(|part| is_of_name(part)) {
                name.push(*c);
            }
            if !name.is_empty() {
                found.push(name);
            }
        }
        found
    }

    /// Whether it is one variable, and nothing else.
    pub(super) fn is_one_variable(&self) -> bool {
        matches!(self.0.split_first(), Some((Part::Char('$', Quotes::None | Quotes::Double), name))
            if !name.is_empty() && name.iter().all(is_of_name))
    }

    /// Whether it is one value or one variable, and nothing else.
    pub(super) fn is_one(&self) -> bool {
        self.0.len() < 2 || self.is_one_variable()
    }

    /// The values in it.
    pub(super) fn values(&self) -> impl Iterator<Item = usize> {
        self.0.iter().filter_map(|part| if let Part::Value(index, _) = part { Some(*index) } else { None })
    }
}

fn is_of_name(part: &Part) -> bool {
    matches!(part, Part::Char(c, Quotes::None | Quotes::Double) if c.is_ascii_alphanumeric() || *c == '_')
}

/// A simple command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Command {
    pub(super) words: Vec<Word>,
    /// What follows `>&` and `<&`.
    pub(super) duplicated: Vec<Word>,
    /// Whether it is the inside of `name=(...)`.
    pub(super) is_array: bool,
    /// The heredocs that it begins: whether the shell leaves their bodies as they are.
    heredocs: Vec<Quotes>,
    /// The words of the command whose output it reads, or what would be one: those of a here-string.
    pub(super) fed: Vec<Word>,
    /// What is in them.
    pub(super) bodies: Vec<Word>,
}

/// Reads the commands of a script with marks, those inside others first.
pub(super) fn read(script: &str, seen: &[Seen]) -> Vec<Command> {
    let levels = vec![Level::Commands(Builder::default())];
    let mut reading = Reading { script, levels, found: Vec::new(), waiting: VecDeque::new() };
    reading.read(seen);
    reading.found
}

enum Level {
    Commands(Builder),
    Double(Word),
    /// Backticks, braces, arithmetic: the lexer itself judges what stands there.
    Other {
        start: usize,
        counts: bool,
    },
}

/// The command that is being read.
#[derive(Default)]
struct Builder {
    command: Command,
    word: Option<Word>,
    /// What the next word is for a redirection.
    redirects: Option<Redirect>,
    /// Whether it is inside `[[ ]]`, where operators end no command.
    in_test: bool,
}

#[derive(Clone, Copy)]
enum Redirect {
    /// What is duplicated.
    Duplicates,
    /// A file.
    Names,
    /// The end of a heredoc.
    Heredoc,
    /// A text.
    Text,
}

struct Reading<'a> {
    script: &'a str,
    levels: Vec<Level>,
    found: Vec<Command>,
    /// Which of them wait for the bodies of their heredocs, in order.
    waiting: VecDeque<(usize, Quotes)>,
}

impl Reading<'_> {
    fn read(&mut self, seen: &[Seen]) {
        let mut from = 0;
        for step in seen {
            match *step {
                Seen::Open { at, what } => {
                    self.plain(from, at.saturating_sub(self.opener(at, what)));
                    self.levels.push(match what {
                        Opened::Double => Level::Double(Word::default()),
                        Opened::Commands => Level::Commands(Builder::default()),
                        Opened::Other => Level::Other {
                            start: at,
                            counts: self.script.get(..at).is_some_and(|t| t.ends_with("((")),
                        },
                    });
                    from = at;
                }
                Seen::Close { at } => {
                    self.plain(from, at.saturating_sub(1));
                    self.close(at);
                    from = at;
                }
                Seen::Single { start, end } => {
                    self.plain(from, start);
                    let inner = self.script.get(start + 1..end.saturating_sub(1)).unwrap_or_default();
                    self.add(Word(parts(inner, Quotes::Single)));
                    from = end;
                }
                Seen::Skipped { start, end } => {
                    self.plain(from, start);
                    self.skipped(start, end);
                    from = end;
                }
            }
        }
        self.plain(from, self.script.len());
        while let Some(level) = self.levels.pop() {
            if let Level::Commands(builder) = level {
                self.end(builder);
            }
        }
    }

    /// `$'...'` is a part of its word, the body of a heredoc belongs to its command, a comment to nothing.
    fn skipped(&mut self, start: usize, end: usize) {
        let text = self.script.get(start..end).unwrap_or_default();
        let begins_line = self.script.get(..start).is_some_and(|before| before.ends_with('\n'));
        let waiting = if begins_line { self.waiting.pop_front() } else { None };
        let waiting = waiting.and_then(|(index, quotes)| Some((self.found.get_mut(index)?, quotes)));
        if let Some((command, quotes)) = waiting {
            command.bodies.push(Word(parts(text, quotes)));
        } else if text.starts_with('\'') {
            self.add(Word(vec![Part::Expansion]));
        }
    }

    /// Notes commands that ended.
    fn ended(&mut self, commands: impl IntoIterator<Item = Command>) {
        for command in commands {
            let index = self.found.len();
            self.waiting.extend(command.heredocs.iter().map(|quotes| (index, *quotes)));
            self.found.push(command);
        }
    }

    /// The length of what opens a construct.
    fn opener(&self, at: usize, what: Opened) -> usize {
        let before = self.script.get(..at).unwrap_or_default();
        match what {
            Opened::Double => 1,
            Opened::Commands => 2,
            Opened::Other if before.ends_with('`') => 1,
            Opened::Other if before.ends_with("$((") => 3,
            Opened::Other => 2,
        }
    }

    fn close(&mut self, at: usize) {
        let closed = if self.levels.len() > 1 { self.levels.pop() } else { None };
        match closed {
            Some(Level::Double(word)) => self.add(word),
            Some(Level::Commands(builder)) => {
                self.end(builder);
                self.add(Word(vec![Part::Expansion]));
            }
            Some(Level::Other { start, counts }) => {
                let before = self.script.get(..start).unwrap_or_default();
                let text = self.script.get(start..at.saturating_sub(1)).unwrap_or_default();
                if before.ends_with("${")
                    && !text.is_empty()
                    && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
                {
                    let quotes = match self.levels.last() {
                        Some(Level::Double(_)) => Quotes::Double,
                        Some(Level::Commands(_) | Level::Other { .. }) | None => Quotes::None,
                    };
                    return self.add(Word(parts(&format!("${text}"), quotes)));
                }
                if counts {
                    // As if it were a command: what it looks at is calculated.
                    let text = self.script.get(start..at).unwrap_or_default();
                    let words = vec![
                        Word(parts("let", Quotes::None)),
                        Word(parts(&format!(" {text}"), Quotes::Double)),
                    ];
                    self.found.push(Command { words, ..Command::default() });
                }
                self.add(Word(vec![Part::Expansion]));
            }
            None => {}
        }
    }

    fn end(&mut self, mut builder: Builder) {
        builder.end_word();
        let last = builder.take();
        self.ended(last);
    }

    /// Adds parts to the word that is being read, which begins here if none is.
    fn add(&mut self, Word(parts): Word) {
        match self.levels.last_mut() {
            Some(Level::Commands(builder)) => builder.word.get_or_insert_default().0.extend(parts),
            Some(Level::Double(word)) => word.0.extend(parts),
            Some(Level::Other { .. }) | None => {}
        }
    }

    /// Text of the innermost level.
    fn plain(&mut self, from: usize, to: usize) {
        let text = self.script.get(from..to).unwrap_or_default();
        match self.levels.last_mut() {
            Some(Level::Commands(builder)) => {
                let commands = builder.read(text);
                self.ended(commands);
            }
            Some(Level::Double(word)) => word.0.extend(parts(text, Quotes::Double)),
            Some(Level::Other { .. }) | None => {}
        }
    }
}

impl Builder {
    /// Reads text outside quotes; gives the commands that end there.
    fn read(&mut self, text: &str) -> Vec<Command> {
        let mut ended = Vec::new();
        let text = joined(text);
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                ' ' | '\t' => self.end_word(),
                '<' | '>' => self.redirection(c, &mut chars),
                '\n' | ';' | '&' | '|' | '(' | ')' => {
                    let assigns =
                        c == '(' && self.word.as_ref().is_some_and(|word| word.text().ends_with('='));
                    self.end_word();
                    let is_pipe = c == '|' && chars.next_if_eq(&'|').is_none();
                    if is_pipe {
                        chars.next_if_eq(&'&');
                    }
                    let goes_on = self.in_test || (self.command.is_array && c == '\n');
                    let is_array = assigns || (goes_on && self.command.is_array);
                    if !goes_on {
                        let mut command = self.take();
                        if let (Some(command), true) = (&mut command, is_pipe) {
                            if command
                                .words
                                .first()
                                .is_some_and(|word| PASSES.contains(&word.text().as_str()))
                            {
                                self.command.heredocs = std::mem::take(&mut command.heredocs);
                            }
                            self.command.fed.clone_from(&command.words);
                        }
                        ended.extend(command);
                    }
                    self.command.is_array = is_array;
                }
                '\\' => match chars.next() {
                    Some('\n') | None => {}
                    Some('\0') => self.push(mark(&mut chars, Quotes::None)),
                    Some(next) => self.push(Part::Char(next, Quotes::Single)),
                },
                '\0' => self.push(mark(&mut chars, Quotes::None)),
                c => self.push(Part::Char(c, Quotes::None)),
            }
        }
        ended
    }

    fn redirection(&mut self, first: char, chars: &mut Peekable<Chars<'_>>) {
        let digits = |word: &Word| word.text().chars().all(|c| c.is_ascii_digit());
        if self.word.as_ref().is_some_and(digits) {
            self.word = None;
        }
        self.end_word();
        let mut operator = String::from(first);
        while let Some(next) = chars.next_if(|next| matches!(next, '<' | '>' | '&' | '|')) {
            operator.push(next);
        }
        self.redirects = match operator.as_str() {
            _ if self.in_test || chars.peek() == Some(&'(') => None,
            ">&" | "<&" => Some(Redirect::Duplicates),
            "<<" => Some(Redirect::Heredoc),
            "<<<" => Some(Redirect::Text),
            _ => Some(Redirect::Names),
        };
    }

    fn push(&mut self, part: Part) {
        self.word.get_or_insert_default().0.push(part);
    }

    fn end_word(&mut self) {
        let Some(word) = self.word.take() else { return };
        match self.redirects.take() {
            Some(Redirect::Duplicates) => self.command.duplicated.push(word),
            Some(Redirect::Names) => {}
            Some(Redirect::Heredoc) => {
                // The lexer gives the delimiter as it is written.
                let plain = word.0.iter().all(
                    |part| matches!(part, Part::Char(c, Quotes::None) if !matches!(c, '\'' | '"' | '\\')),
                );
                self.command.heredocs.push(if plain { Quotes::Double } else { Quotes::Single });
            }
            Some(Redirect::Text) => {
                self.command.fed = vec![Word(parts("echo", Quotes::None)), word];
            }
            None => {
                match word.text().as_str() {
                    "[[" => self.in_test = true,
                    "]]" => self.in_test = false,
                    _ => {}
                }
                self.command.words.push(word);
            }
        }
    }

    /// The command, when there is one; another one begins.
    fn take(&mut self) -> Option<Command> {
        self.in_test = false;
        self.redirects = None;
        let command = std::mem::take(&mut self.command);
        (!command.words.is_empty() || !command.duplicated.is_empty()).then_some(command)
    }
}

/// A text outside quotes without split ends of lines.
fn joined(text: &str) -> String {
    let mut joined = String::with_capacity(text.len());
    let mut escaped = false;
    for c in text.chars() {
        if escaped && c == '\n' {
            joined.pop();
            escaped = false;
            continue;
        }
        escaped = c == '\\' && !escaped;
        joined.push(c);
    }
    joined
}

/// The parts of a text between quotes.
fn parts(text: &str, quotes: Quotes) -> Vec<Part> {
    let mut found = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\0' => found.push(mark(&mut chars, quotes)),
            '\\' if quotes == Quotes::Double && chars.peek() == Some(&'\n') => {
                chars.next();
            }
            '\\' if quotes == Quotes::Double && matches!(chars.peek(), Some('"' | '\\' | '$' | '`')) => {
                found.extend(chars.next().map(|c| Part::Char(c, Quotes::Single)));
            }
            c => found.push(Part::Char(c, quotes)),
        }
    }
    found
}

/// The rest of a mark behind its NUL.
fn mark(chars: &mut Peekable<Chars<'_>>, quotes: Quotes) -> Part {
    if chars.next_if_eq(&'s').is_some() {
        return Part::Expansion;
    }
    let digits: String = chars.by_ref().take_while(|c| *c != '\0').collect();
    digits.parse().map_or(Part::Expansion, |index| Part::Value(index, quotes))
}
