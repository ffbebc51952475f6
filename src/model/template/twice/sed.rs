//! The places of a value in a script of sed. Owns where a text ends there, and with it what it must not have; refuses to
//! judge what the script does.

use crate::model::template::twice::words::{Part, Word};

/// What stands in a script of sed and is not its author's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Guest {
    Value(usize),
    Variable(String),
}

/// Where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Between delimiters.
    Between(char),
    /// In a text that ends with its line.
    Line,
    /// Where a command or an address would be.
    Bare,
}

impl Place {
    /// Whether a text stays where it stands.
    pub(super) fn holds(self, text: &str) -> bool {
        let delimiter = match self {
            Self::Between(delimiter) => Some(delimiter),
            Self::Line => None,
            Self::Bare => {
                return crate::model::template::twice::state::is_number(text)
                    || text == "$"
                    || text.is_empty();
            }
        };
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            match c {
                '\\' if chars.next().is_none() => return false,
                '\n' => return false,
                c if Some(c) == delimiter => return false,
                _ => {}
            }
        }
        true
    }
}

/// What the scanner expects.
enum State {
    /// An address or a command.
    Command,
    /// As many texts more, each up to the delimiter.
    Between(char, u8),
    /// The delimiter itself: `s` has two texts behind it, an address one.
    Delimiter(u8),
    Line,
    /// A name, up to the end of the command.
    Label,
}

/// A script without the option that it stands in one word with.
pub(super) fn behind_option(word: &Word) -> Word {
    let skipped = match word.prefix() {
        prefix if prefix.starts_with("--expression=") => "--expression=".len(),
        prefix if prefix.starts_with("-e") => "-e".len(),
        _ => 0,
    };
    Word(word.0.iter().skip(skipped).cloned().collect())
}

/// Finds who stands where.
pub(super) fn places(script: &Word) -> Vec<(Guest, Place)> {
    let mut found = Vec::new();
    let mut state = State::Command;
    let mut escaped = false;
    let mut parts = script.0.iter().peekable();
    while let Some(part) = parts.next() {
        let mut guests = Vec::new();
        let c = match part {
            Part::Value(index, _) => {
                guests.push(Guest::Value(*index));
                None
            }
            Part::Expansion(sources) => {
                guests.extend(sources.values.iter().copied().map(Guest::Value));
                guests.extend(sources.names.iter().cloned().map(Guest::Variable));
                None
            }
            Part::Char(..) if part.is_sign() && parts.peek().is_some_and(|next| next.is_of_name()) => {
                let mut name = String::new();
                while let Some(Part::Char(c, _)) = parts.next_if(|part| part.is_of_name()) {
                    name.push(*c);
                }
                guests.push(Guest::Variable(name));
                None
            }
            Part::Char(c, _) => Some(*c),
        };
        let Some(c) = c else {
            let place = match &state {
                State::Between(delimiter, ..) => Place::Between(*delimiter),
                State::Line => Place::Line,
                State::Command | State::Delimiter(..) | State::Label => Place::Bare,
            };
            found.extend(guests.into_iter().map(|guest| (guest, place)));
            escaped = false;
            continue;
        };
        state = match state {
            State::Command => match c {
                '/' => State::Between('/', 1),
                '\\' => State::Delimiter(1),
                's' | 'y' => State::Delimiter(2),
                'a' | 'i' | 'c' | 'r' | 'R' | 'w' | 'W' | 'e' | '#' => State::Line,
                ':' | 'b' | 't' | 'T' => State::Label,
                _ => State::Command,
            },
            State::Delimiter(texts) => State::Between(c, texts),
            State::Between(delimiter, texts) if c == delimiter && !escaped => match texts {
                0 | 1 => State::Command,
                more => State::Between(delimiter, more - 1),
            },
            State::Line if c == '\n' && !escaped => State::Command,
            State::Label if matches!(c, ';' | '}' | '\n') => State::Command,
            other @ (State::Between(..) | State::Line | State::Label) => other,
        };
        escaped = c == '\\' && !escaped;
    }
    found
}
