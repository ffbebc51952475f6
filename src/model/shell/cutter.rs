//! Cuts a stream, whatever its pieces are, into text and the marks in it: lines that begin with a prefix of random bits.

/// The longest mark behind its prefix.
const MAX_MARK: usize = 256;

/// Finds marks of one prefix.
#[derive(Debug)]
pub(super) struct Cutter {
    prefix: Vec<u8>,
    /// The end of what came so far, which may be the beginning of a mark.
    held: Vec<u8>,
}

/// A part of a stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<M> {
    Text(Vec<u8>),
    /// A mark, if it can be read, and its bytes in the stream.
    Mark(Option<M>, usize),
}

impl Cutter {
    pub(super) fn new(prefix: Vec<u8>) -> Self {
        Self { prefix, held: Vec::new() }
    }

    /// Whether these bytes are text for certain.
    pub(super) fn is_text(&self, data: &[u8]) -> bool {
        self.held.is_empty() && !data.contains(&b'f')
    }

    /// Takes the next bytes; `read` reads the text of a mark between the prefix and the end.
    pub(super) fn cut<M>(&mut self, data: &[u8], read: impl Fn(&[u8]) -> Option<M>) -> Vec<Piece<M>> {
        let mut rest = std::mem::take(&mut self.held);
        rest.extend_from_slice(data);
        let mut pieces = Vec::new();
        let text = |bytes: Vec<u8>, pieces: &mut Vec<Piece<M>>| {
            if !bytes.is_empty() {
                pieces.push(Piece::Text(bytes));
            }
        };
        while let Some(at) = find(&rest, &self.prefix) {
            let begin = at + self.prefix.len();
            let behind = rest.get(begin..).unwrap_or_default();
            let Some(length) = behind.iter().position(|byte| matches!(byte, b'\n' | b':')) else {
                if behind.len() <= MAX_MARK {
                    // The end of the mark is still to come.
                    self.held = rest.split_off(at);
                    text(rest, &mut pieces);
                    return pieces;
                }
                break;
            };
            let mark = read(behind.get(..length).unwrap_or_default());
            let after = rest.split_off(begin + length + 1);
            rest.truncate(at);
            text(std::mem::replace(&mut rest, after), &mut pieces);
            pieces.push(Piece::Mark(mark, self.prefix.len() + length + 1));
        }
        self.held = rest.split_off(rest.len() - beginning(&rest, &self.prefix));
        text(rest, &mut pieces);
        pieces
    }

    /// What is held back, which is not any more.
    pub(super) fn take_held(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }
}

fn find(text: &[u8], needle: &[u8]) -> Option<usize> {
    text.windows(needle.len()).position(|window| window == needle)
}

/// How many bytes at the end of the text may be the beginning of the needle.
fn beginning(text: &[u8], needle: &[u8]) -> usize {
    let most = text.len().min(needle.len() - 1);
    let ends = |&length: &usize| text.get(text.len() - length..) == needle.get(..length);
    (1..=most).rev().find(ends).unwrap_or(0)
}
