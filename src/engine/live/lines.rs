//! Cuts a stream of bytes into blocks of whole lines without copying more than the torn ones.

use bytes::{Bytes, BytesMut};

/// A line longer than this is told in pieces: a host must not make us hold an endless one.
const MAX_LINE: usize = 64 * 1024;

/// One stream's unfinished line.
#[derive(Debug, Default)]
pub(crate) struct LineBlocks {
    torn: BytesMut,
}

impl LineBlocks {
    /// Takes bytes in; gives a block that ends with a line end, or with a piece of an over-long line.
    pub(crate) fn push(&mut self, mut data: Bytes) -> Option<Bytes> {
        let whole = data.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        if self.torn.is_empty() && whole == data.len() && whole > 0 {
            return Some(data);
        }
        let rest = data.split_off(whole);
        let block = match (self.torn.is_empty(), data.is_empty()) {
            (_, true) => None,
            (true, false) => Some(data),
            (false, false) => {
                self.torn.extend_from_slice(&data);
                Some(self.torn.split().freeze())
            }
        };
        self.torn.extend_from_slice(&rest);
        if block.is_none() && self.torn.len() >= MAX_LINE {
            return Some(self.torn.split().freeze());
        }
        block
    }

    /// Takes some bytes that are no whole line, to be given with what is left at the end.
    pub(crate) fn join(&mut self, data: &[u8]) {
        self.torn.extend_from_slice(data);
    }

    /// What is left at the end of the stream.
    pub(crate) fn finish(&mut self) -> Option<Bytes> {
        if self.torn.is_empty() { None } else { Some(self.torn.split().freeze()) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn whole_lines_pass_without_a_copy() {
        let data = Bytes::from_static(b"one\ntwo\n");
        let block = LineBlocks::default().push(data.clone()).unwrap();
        assert_eq!(block.as_ptr(), data.as_ptr());
    }

    #[test]
    fn an_endless_line_comes_in_bounded_pieces() {
        let mut lines = LineBlocks::default();
        let mut blocks = Vec::new();
        for _ in 0..5 {
            blocks.extend(lines.push(Bytes::from(vec![b'x'; 32 * 1024])));
        }
        assert_eq!(blocks.iter().map(Bytes::len).collect::<Vec<_>>(), [MAX_LINE, MAX_LINE]);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_blocks_end_with_lines(chunks in prop::collection::vec("[a\n]{0,9}", 0..20)) {
            let mut lines = LineBlocks::default();
            let mut blocks: Vec<Bytes> =
                chunks.iter().filter_map(|chunk| lines.push(Bytes::from(chunk.clone()))).collect();
            for block in &blocks {
                prop_assert!(block.ends_with(b"\n"));
            }
            blocks.extend(lines.finish());
            prop_assert_eq!(blocks.concat(), chunks.concat().into_bytes());
        }
    }
}
