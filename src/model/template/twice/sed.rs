//! The places of a value in a script of sed. Owns where a text ends there, and with it what it must not have; refuses to
//! judge what the script does.

use crate::model::template::twice::words::{Word, WordPart};

/// What stands in a script of sed and is not its author's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Guest {
    Value(usize),
    Variable(String),
}

/// Where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SedPlace {
    /// Between delimiters.
    Between(char),
    /// In a text that ends with its line.
    Line,
    /// Where a command or an address would be.
    Bare,
    /// In a line that sed hands to a shell.
    Run,
}

/// What is found in a script.
pub(super) struct SedPlaces {
    pub(super) places: Vec<(Guest, SedPlace)>,
    /// Whether it has a shell run what it reads: `e`, `s///e`.
    pub(super) runs: bool,
}

impl SedPlace {
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
            Self::Run => {
                return text.chars().all(|c| c.is_alphanumeric() || " _.,:/@%+=-".contains(c));
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
enum SedState {
    /// An address or a command.
    Command,
    /// As many texts more, each up to the delimiter.
    Between(char, u8),
    /// The delimiter itself: `s` has two texts behind it, an address one.
    Delimiter(u8),
    Line,
    /// A line for a shell.
    Run,
    /// What stands behind `s///`, whose places begin with this one.
    Flags(usize),
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
pub(super) fn places(script: &Word) -> SedPlaces {
    let mut found: Vec<(Guest, SedPlace)> = Vec::new();
    let mut runs = false;
    // Where the places of the last `s` begin, while it lasts.
    let mut replaces = None;
    let mut state = SedState::Command;
    let mut escaped = false;
    let mut parts = script.0.iter().peekable();
    while let Some(part) = parts.next() {
        let mut guests = Vec::new();
        let c = match part {
            WordPart::Value(index, _) => {
                guests.push(Guest::Value(*index));
                None
            }
            WordPart::Expansion(sources) => {
                guests.extend(sources.values.iter().copied().map(Guest::Value));
                guests.extend(sources.names.iter().cloned().map(Guest::Variable));
                None
            }
            WordPart::Char(..) if part.is_sign() && parts.peek().is_some_and(|next| next.is_of_name()) => {
                let mut name = String::new();
                while let Some(WordPart::Char(c, _)) = parts.next_if(|part| part.is_of_name()) {
                    name.push(*c);
                }
                guests.push(Guest::Variable(name));
                None
            }
            WordPart::Char(c, _) => Some(*c),
        };
        let Some(c) = c else {
            let place = match &state {
                SedState::Between(delimiter, ..) => SedPlace::Between(*delimiter),
                SedState::Line => SedPlace::Line,
                SedState::Run => SedPlace::Run,
                SedState::Command | SedState::Delimiter(..) | SedState::Flags(_) | SedState::Label => {
                    SedPlace::Bare
                }
            };
            found.extend(guests.into_iter().map(|guest| (guest, place)));
            escaped = false;
            continue;
        };
        state = match state {
            SedState::Command => match c {
                '/' => SedState::Between('/', 1),
                '\\' => SedState::Delimiter(1),
                's' | 'y' => {
                    replaces = (c == 's').then_some(found.len());
                    SedState::Delimiter(2)
                }
                'e' => {
                    runs = true;
                    SedState::Run
                }
                'a' | 'i' | 'c' | 'r' | 'R' | 'w' | 'W' | '#' => SedState::Line,
                ':' | 'b' | 't' | 'T' => SedState::Label,
                _ => SedState::Command,
            },
            SedState::Delimiter(texts) => SedState::Between(c, texts),
            SedState::Between(delimiter, texts) if c == delimiter && !escaped => match texts {
                0 | 1 => replaces.take().map_or(SedState::Command, SedState::Flags),
                more => SedState::Between(delimiter, more - 1),
            },
            SedState::Line | SedState::Run if c == '\n' && !escaped => SedState::Command,
            SedState::Flags(from) if c == 'e' => {
                runs = true;
                for (_, place) in found.iter_mut().skip(from) {
                    *place = SedPlace::Run;
                }
                SedState::Flags(from)
            }
            SedState::Flags(_) if c == 'w' => SedState::Line,
            SedState::Flags(_) | SedState::Label if matches!(c, ';' | '}' | '\n') => SedState::Command,
            other @ (SedState::Between(..)
            | SedState::Line
            | SedState::Run
            | SedState::Flags(_)
            | SedState::Label) => other,
        };
        escaped = c == '\\' && !escaped;
    }
    SedPlaces { places: found, runs }
}
