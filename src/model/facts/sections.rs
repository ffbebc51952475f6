//! The script's answer taken apart: marks at the beginning of a line, content behind a blank.

use crate::model::facts::error::FactsError;
use crate::model::text::beginning;

/// Characters of a value that are kept.
const MAX_TEXT: usize = 1024;

/// Bytes of a strange answer that an error quotes.
const MAX_SAID: usize = 200;

/// The beginning of the answer, with the version of its form.
const BEGIN: &str = "fan-facts";

/// The end of the answer.
const END: &str = "end";

/// The sections of an answer, in order.
pub(super) struct Sections<'a> {
    sections: Vec<(&'a [u8], Vec<&'a [u8]>)>,
}

impl<'a> Sections<'a> {
    /// Takes an answer apart. What stands before its beginning is passed over.
    pub(super) fn read(answer: &'a [u8]) -> Result<Self, FactsError> {
        let mut sections: Vec<(&[u8], Vec<&[u8]>)> = Vec::new();
        let mut ended = false;
        for line in answer.split(|&byte| byte == b'\n') {
            match (line.split_first(), sections.last_mut()) {
                (Some((b'@', name)), _) if name == BEGIN.as_bytes() => {
                    sections.clear();
                    ended = false;
                    sections.push((name, Vec::new()));
                }
                // Before the beginning, or behind the end.
                (_, None) => {}
                _ if ended => {}
                (Some((b'@', name)), Some(_)) if name == END.as_bytes() => ended = true,
                (Some((b'@', name)), Some(_)) => sections.push((name, Vec::new())),
                (Some((b' ', content)), Some((_, lines))) => lines.push(content),
                // Nothing of ours.
                (Some(_) | None, Some(_)) => {}
            }
        }
        if sections.is_empty() {
            return Err(FactsError::NoAnswer(first_words(answer)));
        }
        if ended { Ok(Self { sections }) } else { Err(FactsError::Incomplete) }
    }

    /// The lines of all sections of a name.
    pub(super) fn raw(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        let named = self.sections.iter().filter(move |(other, _)| *other == name.as_bytes());
        named.flat_map(|(_, lines)| lines.iter().copied())
    }

    /// The same as text; bytes that are not UTF-8 are replaced.
    pub(super) fn lines(&self, name: &str) -> impl Iterator<Item = String> {
        self.raw(name).map(|line| String::from_utf8_lossy(line).into_owned())
    }

    /// Whether there is a section of a name, empty or not.
    pub(super) fn has(&self, name: &str) -> bool {
        self.sections.iter().any(|(other, _)| *other == name.as_bytes())
    }

    /// The first line of a name that says something.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.lines(name).find_map(|line| text(&line))
    }

    /// The first line of a name, as a number.
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.text(name)?.parse().ok()
    }

    /// The value of a key in the lines of a name: `key=value`, `key: value`, by the separator.
    pub(super) fn value(&self, name: &str, key: &str, separator: char) -> Option<String> {
        self.lines(name).find_map(|line| {
            let (found, value) = line.split_once(separator)?;
            if found.trim() == key { text(value) } else { None }
        })
    }
}

/// A value without the blanks around it, not too long; `None` when nothing is left.
pub(super) fn text(value: &str) -> Option<String> {
    let value = value.trim_matches(|c: char| c.is_whitespace() || c == '\0');
    if value.is_empty() {
        return None;
    }
    Some(value.chars().take(MAX_TEXT).collect())
}

/// Whether the kernel writes addresses with the first byte first.
pub(super) fn is_big_endian(sections: &Sections<'_>) -> bool {
    let machine = sections.text("machine").unwrap_or_default();
    ["s390", "ppc", "mips", "sparc", "m68k", "parisc"].iter().any(|name| machine.starts_with(name))
        && !machine.ends_with("le")
        && !machine.ends_with("el")
}

fn first_words(answer: &[u8]) -> String {
    beginning(answer, MAX_SAID).trim().lines().next().unwrap_or_default().to_owned()
}
