//! What is typed in `fan shell`: `~` at the start of a line speaks to fan, as it does to ssh.

use bytes::{BufMut, Bytes, BytesMut};

/// The character that speaks to fan.
const ESCAPE: u8 = b'~';

/// What `~?` shows, on a terminal that does not move to the first column by itself.
pub(super) const HELP: &str = "\r\n\
    at the start of a line:\r\n  \
    ~.  disconnect\r\n  \
    ~~  the character ~\r\n  \
    ~?  this help\r\n";

/// What typing led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Typed {
    /// Bytes for the host.
    Input(Bytes),
    /// The user wants to see [`HELP`].
    Help,
    /// The user wants to leave.
    Disconnect,
}

/// Finds escapes in what is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Escapes {
    /// At the start of a line.
    LineStart,
    /// In the middle of one.
    Inside,
    /// After an escape character at the start of a line: it is not sent yet.
    Escaped,
}

impl Escapes {
    /// Takes in what was typed; gives what to do, in order. Nothing comes after [`Typed::Disconnect`].
    pub(super) fn typed(&mut self, bytes: &[u8]) -> Vec<Typed> {
        let mut all = Vec::new();
        let mut input = BytesMut::with_capacity(bytes.len() + 1);
        let flush = |input: &mut BytesMut, all: &mut Vec<Typed>| {
            if !input.is_empty() {
                all.push(Typed::Input(input.split().freeze()));
            }
        };
        for &byte in bytes {
            match (*self, byte) {
                (Self::LineStart, ESCAPE) => {
                    *self = Self::Escaped;
                    continue;
                }
                (Self::Escaped, b'.') => {
                    flush(&mut input, &mut all);
                    all.push(Typed::Disconnect);
                    return all;
                }
                (Self::Escaped, b'?') => {
                    flush(&mut input, &mut all);
                    all.push(Typed::Help);
                    *self = Self::LineStart;
                    continue;
                }
                (Self::Escaped, ESCAPE) | (Self::LineStart | Self::Inside, _) => {}
                // It was no escape after all.
                (Self::Escaped, _) => input.put_u8(ESCAPE),
            }
            input.put_u8(byte);
            *self = if matches!(byte, b'\r' | b'\n') { Self::LineStart } else { Self::Inside };
        }
        flush(&mut input, &mut all);
        all
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What all of it leads to, as a text.
    fn read(chunks: &[&[u8]]) -> String {
        let mut escapes = Escapes::LineStart;
        let mut text = String::new();
        for typed in chunks.iter().flat_map(|chunk| escapes.typed(chunk)) {
            match typed {
                Typed::Input(bytes) => text += &String::from_utf8_lossy(&bytes),
                Typed::Help => text += "<help>",
                Typed::Disconnect => return text + "<left>",
            }
        }
        text
    }

    #[test]
    fn escapes_count_at_the_start_of_a_line() {
        for (typed, expected) in [
            ("ls\r", "ls\r"),
            ("~.", "<left>"),
            ("ls\r~.rest", "ls\r<left>"),
            ("ls\n~.", "ls\n<left>"),
            ("ls ~.\r", "ls ~.\r"),
            ("~~.\r", "~.\r"),
            ("~~~.\r", "~~.\r"),
            ("~?~.", "<help><left>"),
            ("~?ls\r", "<help>ls\r"),
            ("~/bin/x\r~x", "~/bin/x\r~x"),
            ("~\r~.", "~\r<left>"),
            ("~", ""),
        ] {
            assert_eq!(read(&[typed.as_bytes()]), expected, "{typed:?}");
        }
    }

    proptest! {
        #[test]
        fn how_typing_arrives_makes_no_difference(typed in "[~.?a\r]{0,12}", cut in 0_usize..12) {
            let (first, second) = typed.as_bytes().split_at(cut.min(typed.len()));
            prop_assert_eq!(read(&[first, second]), read(&[typed.as_bytes()]));
        }
    }
}
