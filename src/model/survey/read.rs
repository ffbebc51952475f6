//! The answer about folders and files, read as it comes.

use std::collections::BTreeMap;

use crate::model::survey::types::{SurveyEntry, SurveyHash, SurveyItem, SurveyKind, SurveyRoot};

/// Bytes of a record: the names that find gives a program at a time, and a line for each.
const MAX_RECORD: usize = 16 * 1024 * 1024;

/// Paths of a host.
const MAX_PATHS: usize = 1_000_000;

/// Bytes of a host's own words.
const MAX_SAID: usize = 300;

/// Why an answer is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SurveyError {
    /// It is something else.
    #[error("the host's answer is not the script's")]
    Odd,
    /// There is no end to it.
    #[error("there are more than {MAX_PATHS} paths")]
    TooMany,
}

/// Reads an answer, in pieces of any size.
#[derive(Debug, Default)]
pub struct SurveyReader {
    buffer: Vec<u8>,
    /// The number of the path that is told of.
    root: usize,
    /// It is a folder.
    is_folder: bool,
    /// What is known of its paths; the rest comes behind.
    paths: BTreeMap<Vec<u8>, SurveyEntry>,
}

impl SurveyReader {
    /// Takes what came next; gives what is whole now. What a login prints before is passed over.
    ///
    /// # Errors
    ///
    /// It is no answer.
    pub fn push(&mut self, data: &[u8]) -> Result<Vec<SurveyItem>, SurveyError> {
        self.buffer.extend_from_slice(data);
        let mut items = Vec::new();
        let mut from = 0;
        while let Some(end) = self.record(from, &mut items)? {
            from = end;
        }
        self.buffer.drain(..from);
        if self.buffer.len() > MAX_RECORD {
            return Err(SurveyError::Odd);
        }
        if self.paths.len() > MAX_PATHS {
            return Err(SurveyError::TooMany);
        }
        Ok(items)
    }

    /// Reads the record at a place of the buffer; gives where it ends, if it does yet.
    fn record(&mut self, from: usize, items: &mut Vec<SurveyItem>) -> Result<Option<usize>, SurveyError> {
        let buffer = std::mem::take(&mut self.buffer);
        let mut fields = SurveyFields { buffer: &buffer, at: from };
        let read = self.read(&mut fields, items);
        let at = fields.at;
        self.buffer = buffer;
        Ok(read?.map(|()| at))
    }

    fn read(
        &mut self,
        fields: &mut SurveyFields<'_>,
        items: &mut Vec<SurveyItem>,
    ) -> Result<Option<()>, SurveyError> {
        let Some(word) = fields.next() else { return Ok(None) };
        // Before the first record there may be the words of a login.
        let word = word.rsplit(|&byte| byte == b'\n').next().unwrap_or_default();
        match word {
            b"P" => {
                let (Some(number), Some(what)) = (fields.next(), fields.next()) else { return Ok(None) };
                let root = match what {
                    b"d" => SurveyRoot::Folder,
                    b"f" => SurveyRoot::Other,
                    b"n" => SurveyRoot::Missing,
                    b"c" => {
                        let Some(said) = fields.next() else { return Ok(None) };
                        let said = said.get(..MAX_SAID).unwrap_or(said);
                        SurveyRoot::Closed(String::from_utf8_lossy(said).trim().to_owned())
                    }
                    _ => return Err(SurveyError::Odd),
                };
                self.close(items);
                self.root = number_of(number)?;
                self.is_folder = root == SurveyRoot::Folder;
                items.push(SurveyItem::Root(self.root, root));
            }
            b"m" | b"h" => {
                let is_meta = word == b"m";
                let Some(count) = fields.next() else { return Ok(None) };
                let count = number_of(count)?;
                let mut names = Vec::new();
                for _ in 0..count {
                    let Some(name) = fields.next() else { return Ok(None) };
                    names.push(self.below(name));
                }
                let Some(lines) = fields.next() else { return Ok(None) };
                let lines = lines.strip_suffix(b"\n").unwrap_or(lines);
                let lines: Vec<&[u8]> = lines.split(|&byte| byte == b'\n').collect();
                if lines.len() != names.len() {
                    return Err(SurveyError::Odd);
                }
                for (name, line) in names.into_iter().zip(lines) {
                    if is_meta {
                        // What went away while it was looked at is not there.
                        if let Some(entry) = meta(line) {
                            self.paths.insert(name.to_vec(), entry);
                        }
                    } else if let Some(entry) = self.paths.get_mut(name) {
                        entry.hash = hash(line);
                        entry.closed |= entry.hash.is_none();
                    }
                }
            }
            b"l" => {
                let (Some(name), Some(target)) = (fields.next(), fields.next()) else { return Ok(None) };
                let name = self.below(name);
                if let Some(entry) = self.paths.get_mut(name) {
                    entry.target = Some(target.to_vec());
                }
            }
            b"u" => {
                let Some(name) = fields.next() else { return Ok(None) };
                let name = self.below(name);
                if let Some(entry) = self.paths.get_mut(name) {
                    entry.closed = true;
                }
            }
            b"E" => {
                self.close(items);
                items.push(SurveyItem::End);
            }
            _ => return Err(SurveyError::Odd),
        }
        Ok(Some(()))
    }

    /// A name as find tells it, from the folder where it began. What is no folder is told by itself.
    fn below<'n>(&self, name: &'n [u8]) -> &'n [u8] {
        name.strip_prefix(b"./").filter(|_| self.is_folder).unwrap_or_default()
    }

    /// All is known of the path that was told of.
    fn close(&mut self, items: &mut Vec<SurveyItem>) {
        let root = self.root;
        let paths = std::mem::take(&mut self.paths);
        items.extend(paths.into_iter().map(|(path, entry)| SurveyItem::Entry(root, path, entry)));
    }
}

/// SurveyFields that end in NUL.
struct SurveyFields<'a> {
    buffer: &'a [u8],
    at: usize,
}

impl<'a> SurveyFields<'a> {
    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.buffer.get(self.at..)?;
        let end = rest.iter().position(|&byte| byte == 0)?;
        self.at += end + 1;
        rest.get(..end)
    }
}

fn number_of(field: &[u8]) -> Result<usize, SurveyError> {
    let number = std::str::from_utf8(field).ok().and_then(|text| text.trim().parse().ok());
    number.filter(|&number| number <= MAX_PATHS).ok_or(SurveyError::Odd)
}

fn hash(line: &[u8]) -> Option<SurveyHash> {
    // A name that needs escapes has a backslash before the digits (GNU).
    let hex = line.strip_prefix(b"\\").unwrap_or(line).get(..64)?;
    let mut bytes = [0; 32];
    for (byte, digits) in bytes.iter_mut().zip(hex.chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(SurveyHash(bytes))
}

/// A line of `stat -c '%f/%U/%G/%s'`, of `stat -f '%Xp/%Su/%Sg/%z'`, or of `ls -dl`.
fn meta(line: &[u8]) -> Option<SurveyEntry> {
    let line = String::from_utf8_lossy(line);
    let parts: Vec<&str> = line.split('/').collect();
    let (kind, mode, user, group, size) = if let [bits, user, group, size] = parts.as_slice()
        && let Ok(bits) = u32::from_str_radix(bits, 16)
    {
        (kind_of_bits(bits)?, bits & 0o7777, *user, *group, *size)
    } else {
        let mut words = line.split_ascii_whitespace();
        let (letters, _links) = (words.next()?, words.next()?);
        let (user, group, size) = (words.next()?, words.next()?, words.next()?);
        (kind_of_letter(letters.chars().next()?)?, mode_of_letters(letters)?, user, group, size)
    };
    Some(SurveyEntry {
        kind,
        mode: (kind != SurveyKind::Link).then_some(mode),
        owner: Some(format!("{user}:{group}")),
        size: if kind == SurveyKind::File { size.parse().ok() } else { None },
        hash: None,
        target: None,
        closed: false,
    })
}

/// From the type bits of `st_mode` (POSIX `<sys/stat.h>`, with the values that all systems have).
fn kind_of_bits(bits: u32) -> Option<SurveyKind> {
    Some(match bits & 0o170_000 {
        0o100_000 => SurveyKind::File,
        0o040_000 => SurveyKind::Folder,
        0o120_000 => SurveyKind::Link,
        0o010_000 => SurveyKind::Pipe,
        0o140_000 => SurveyKind::Socket,
        0o020_000 | 0o060_000 => SurveyKind::Device,
        _ => return None,
    })
}

fn kind_of_letter(letter: char) -> Option<SurveyKind> {
    Some(match letter {
        '-' => SurveyKind::File,
        'd' => SurveyKind::Folder,
        'l' => SurveyKind::Link,
        'p' => SurveyKind::Pipe,
        's' => SurveyKind::Socket,
        'b' | 'c' => SurveyKind::Device,
        _ => return None,
    })
}

/// `-rwsr-xr-t` as bits.
fn mode_of_letters(letters: &str) -> Option<u32> {
    let letters = letters.as_bytes().get(1..10)?;
    let mut mode = 0;
    for (place, letter) in letters.iter().enumerate() {
        let bit = 0o400 >> place;
        let special = 0o4000 >> (place / 3);
        match letter {
            b'-' => {}
            b's' | b't' => mode |= bit | special,
            b'S' | b'T' => mode |= special,
            _ => mode |= bit,
        }
    }
    Some(mode)
}
