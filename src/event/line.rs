//! An event as one line of JSON, and back: the form in which runs are printed, recorded and read again. Owns which
//! characters are escaped; docs/events.md describes the fields.

use std::io::{self, BufRead, Read, Write};

use serde::Serialize;
use serde_json::ser::Formatter;

use crate::event::Event;
use crate::model::text::is_hidden;

/// Bytes of a line: longer ones are no events of fan's.
pub const LINE_MAX: usize = 64 * 1024 * 1024;

/// Appends an event and the end of its line.
///
/// Characters that could act on a terminal or a CI runner are written as `\u` escapes, which any JSON
/// reader undoes: the line is safe to look at and loses nothing.
///
/// # Errors
///
/// None that an event can cause; they are those of the serialiser.
pub fn write(buffer: &mut Vec<u8>, event: &Event) -> io::Result<()> {
    append(buffer, event)
}

/// Appends a value as such a line.
///
/// # Errors
///
/// The value has no form in JSON.
pub fn append(buffer: &mut Vec<u8>, value: &impl Serialize) -> io::Result<()> {
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut *buffer, Visible))?;
    buffer.push(b'\n');
    Ok(())
}

/// Reads a recorded stream back; empty lines are passed over.
///
/// A line that is no event (cut off by a crash) is an error of kind `InvalidData` that names the line; reading may go on
/// after it. An event of a later version is one all the same.
pub fn read(mut reader: impl BufRead) -> impl Iterator<Item = io::Result<Event>> {
    let limit = u64::try_from(LINE_MAX).unwrap_or(u64::MAX);
    let (mut at, mut line) = (0, Vec::new());
    let mut next = move || -> io::Result<Option<Event>> {
        loop {
            line.clear();
            if reader.by_ref().take(limit).read_until(b'\n', &mut line)? == 0 {
                return Ok(None);
            }
            at += 1;
            if line.len() == LINE_MAX {
                let message = format!("line {at}: longer than {} MiB", LINE_MAX >> 20);
                return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
            }
            if !line.trim_ascii().is_empty() {
                let event = serde_json::from_slice(&line).map_err(|error| {
                    io::Error::new(io::ErrorKind::InvalidData, format!("line {at}: {error}"))
                })?;
                return Ok(Some(event));
            }
        }
    };
    std::iter::from_fn(move || next().transpose())
}

/// Compact JSON without any character that acts on its reader.
pub(crate) struct Visible;

impl Formatter for Visible {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        // Nearly all there is; without a way out of the loop it is done many bytes at a time.
        if fragment.bytes().fold(true, |plain, byte| plain & (matches!(byte, b' '..=b'~') & (byte != b'#'))) {
            return writer.write_all(fragment.as_bytes());
        }
        let mut rest = fragment;
        // The second of two `#`: no runner finds `##[` then.
        let acts = |(at, c): (usize, char), rest: &str| {
            is_hidden(c) || (c == '#' && rest.get(..at).is_some_and(|before| before.ends_with('#')))
        };
        while let Some((at, c)) = rest.char_indices().find(|&found| acts(found, rest)) {
            writer.write_all(rest.get(..at).unwrap_or_default().as_bytes())?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = rest.get(at + c.len_utf8()..).unwrap_or_default();
        }
        writer.write_all(rest.as_bytes())
    }
}
