//! Output that is kept: as much of each stream as its bounds allow, its true length, and a digest by which equal
//! streams are known, also where little of them was kept.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

/// Memory that many captures share, in bytes.
#[derive(Debug)]
pub(crate) struct Budget {
    left: usize,
}

impl Budget {
    pub(crate) fn new(bytes: usize) -> Self {
        Self { left: bytes }
    }

    /// Takes as much of `wanted` as there is.
    fn take(&mut self, wanted: usize) -> usize {
        let taken = wanted.min(self.left);
        self.left -= taken;
        taken
    }

    fn give_back(&mut self, bytes: usize) {
        self.left = self.left.saturating_add(bytes);
    }
}

/// A stream that is being received.
#[derive(Debug)]
pub(crate) struct Capture {
    head: Vec<u8>,
    /// The end of what did not fit into the head; up to twice the bound.
    tail: Vec<u8>,
    total: u64,
    digest: Sha256,
    /// Bytes of the head, and again of the tail, at most.
    half: usize,
    /// Bytes that it has of the budget.
    taken: usize,
}

impl Capture {
    /// A stream of which at most `limit` bytes are kept: its beginning and its end.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            head: Vec::new(),
            tail: Vec::new(),
            total: 0,
            digest: Sha256::new(),
            half: limit / 2,
            taken: 0,
        }
    }

    /// Takes in what follows.
    pub(crate) fn push(&mut self, data: &[u8], budget: &mut Budget) {
        self.total = self.total.saturating_add(u64::try_from(data.len()).unwrap_or(u64::MAX));
        self.digest.update(data);
        // What did not fit once must not be followed by what does.
        let room = if self.tail.is_empty() { self.half.saturating_sub(self.head.len()) } else { 0 };
        let wanted = budget.take(room.min(data.len()));
        self.taken += wanted;
        let (first, rest) = data.split_at(wanted);
        self.head.extend_from_slice(first);
        if rest.is_empty() {
            return;
        }
        if self.tail.is_empty() {
            // Once for all that the tail may hold, so that pushing stays cheap.
            self.taken += budget.take(self.half);
        }
        let bound = self.taken.saturating_sub(self.head.len()).min(self.half).max(MIN_TAIL);
        let rest = rest.get(rest.len().saturating_sub(bound)..).unwrap_or_default();
        if self.tail.len() + rest.len() > 2 * bound {
            self.tail.drain(..self.tail.len().saturating_sub(bound));
        }
        self.tail.extend_from_slice(rest);
    }

    /// Throws away what was taken in: it will be said again.
    pub(crate) fn clear(&mut self, budget: &mut Budget) {
        budget.give_back(self.taken);
        *self = Self::new(2 * self.half);
    }

    /// No more follows.
    fn seal(mut self) -> (CapturedText, usize) {
        let bound = self.half.max(MIN_TAIL);
        self.tail.drain(..self.tail.len().saturating_sub(bound));
        let kept = self.head.len() + self.tail.len();
        let cut = u64::try_from(kept).is_ok_and(|kept| kept < self.total);
        if cut {
            // Between the two parts stands a line of ours: whole lines around it.
            if let Some(end) = self.head.iter().rposition(|&byte| byte == b'\n') {
                self.head.truncate(end + 1);
            }
            let lines_begin = self.tail.iter().position(|&byte| byte == b'\n').map(|end| end + 1);
            if let Some(begin) = lines_begin.filter(|&begin| begin < self.tail.len()) {
                self.tail.drain(..begin);
            }
        } else {
            self.head.append(&mut self.tail);
        }
        self.head.shrink_to_fit();
        self.tail.shrink_to_fit();
        let text = CapturedText { head: self.head, tail: self.tail, total: self.total };
        (text, self.taken)
    }
}

/// Bytes of a stream's end that are kept even when the budget is used up.
const MIN_TAIL: usize = 512;

/// A stream as far as it was kept: all of it, or its beginning and its end. Raw bytes, not fit for a screen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CapturedText {
    head: Vec<u8>,
    tail: Vec<u8>,
    total: u64,
}

impl CapturedText {
    /// All of it, when all of it was kept.
    pub fn whole(&self) -> Option<&[u8]> {
        (self.left_out() == 0).then_some(self.head.as_slice())
    }

    /// Bytes that the host sent.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The part before the gap; all of it, when there is none.
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// The part after the gap.
    pub fn tail(&self) -> &[u8] {
        &self.tail
    }

    /// Bytes that were not kept.
    pub fn left_out(&self) -> u64 {
        self.total.saturating_sub(u64::try_from(self.head.len() + self.tail.len()).unwrap_or(u64::MAX))
    }

    /// Each line with its end, `None` where something was left out.
    pub fn lines(&self) -> impl Iterator<Item = Option<&[u8]>> {
        let gap = (self.left_out() > 0).then_some(None);
        lines(&self.head).map(Some).chain(gap).chain(lines(&self.tail).map(Some))
    }
}

/// Lines with their ends.
fn lines(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    data.split_inclusive(|&byte| byte == b'\n')
}

/// Which of the [`CapturedTexts`]; equal ids are equal texts.
pub(crate) type TextId = usize;

/// Different texts, each held once.
#[derive(Debug, Default)]
pub(crate) struct CapturedTexts {
    known: HashMap<[u8; 32], TextId>,
    texts: Vec<CapturedText>,
    /// What they have of the budget.
    taken: usize,
}

impl CapturedTexts {
    /// Takes in a stream that has ended; nothing for one that said nothing.
    pub(crate) fn insert(&mut self, capture: Capture, budget: &mut Budget) -> Option<TextId> {
        if capture.total == 0 {
            return None;
        }
        let digest = capture.digest.clone().finalize().into();
        if let Some(&id) = self.known.get(&digest) {
            budget.give_back(capture.taken);
            return Some(id);
        }
        let (text, taken) = capture.seal();
        let kept = (text.head.len() + text.tail.len()).min(taken);
        budget.give_back(taken - kept);
        self.taken += kept;
        self.known.insert(digest, self.texts.len());
        self.texts.push(text);
        Some(self.texts.len() - 1)
    }

    pub(crate) fn get(&self, id: TextId) -> Option<&CapturedText> {
        self.texts.get(id)
    }

    /// All of them, in the order of their ids.
    pub(crate) fn all(&self) -> &[CapturedText] {
        &self.texts
    }

    /// Forgets all.
    pub(crate) fn release(self, budget: &mut Budget) {
        budget.give_back(self.taken);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn capture(pieces: &[&[u8]], limit: usize, budget: &mut Budget) -> Capture {
        let mut capture = Capture::new(limit);
        pieces.iter().for_each(|piece| capture.push(piece, budget));
        capture
    }

    fn shown(text: &CapturedText) -> Vec<String> {
        text.lines()
            .map(|line| line.map_or("…".to_owned(), |line| String::from_utf8_lossy(line).into_owned()))
            .collect()
    }

    #[test]
    fn the_beginning_and_the_end_stay_in_whole_lines() {
        let mut budget = Budget::new(1 << 20);
        let all: String = (0..1000).map(|line| format!("line {line:03}\n")).collect();
        let mut texts = CapturedTexts::default();
        let pieces: Vec<&[u8]> = all.as_bytes().chunks(7).collect();
        let id = texts.insert(capture(&pieces, 2048, &mut budget), &mut budget).unwrap();
        let text = texts.get(id).unwrap();
        let lines = shown(text);
        let gap = lines.iter().position(|line| line == "…").unwrap();
        assert_eq!(lines[..2], ["line 000\n", "line 001\n"]);
        assert!((110..=113).contains(&gap), "{gap}");
        assert_eq!(lines.last().unwrap(), "line 999\n");
        assert!(lines.iter().all(|line| line == "…" || line.len() == 9), "{lines:?}");
        assert_eq!(text.total, 9000);
        assert_eq!(text.left_out(), 9000 - 9 * u64::try_from(lines.len() - 1).unwrap());
        assert_eq!(text.whole(), None);
    }

    #[test]
    fn equal_streams_are_one_text_however_little_is_kept() {
        let mut budget = Budget::new(100);
        let mut texts = CapturedTexts::default();
        let long = vec![b'x'; 5000];
        let one = texts.insert(capture(&[&long], 1000, &mut budget), &mut budget);
        let same = texts.insert(capture(&[&long[..4000], &long[4000..]], 1000, &mut budget), &mut budget);
        let mut other = long.clone();
        other[2500] = b'y';
        let other = texts.insert(capture(&[&other], 1000, &mut budget), &mut budget);
        assert_eq!(one, same);
        assert_ne!(one, other);
        assert_eq!(texts.insert(Capture::new(10), &mut budget), None);
        texts.release(&mut budget);
        assert_eq!(budget.left, 100);
    }

    #[test]
    fn memory_is_bounded_by_both_limits() {
        let mut budget = Budget::new(4000);
        let mut texts = CapturedTexts::default();
        for byte in 0..100 {
            texts.insert(capture(&[&vec![byte; 10_000]], 1000, &mut budget), &mut budget);
        }
        let kept: usize = texts.texts.iter().map(|text| text.head.len() + text.tail.len()).sum();
        assert!(kept <= 4000 + 100 * MIN_TAIL, "{kept}");
        assert!(texts.texts.iter().all(|text| text.total == 10_000));
    }

    proptest! {
        #[test]
        fn what_fits_is_kept_whatever_its_pieces(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..20),
            limit in 0_usize..2000,
        ) {
            let mut budget = Budget::new(1000);
            let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
            let all = pieces.concat();
            let mut texts = CapturedTexts::default();
            let id = texts.insert(capture(&pieces, limit, &mut budget), &mut budget);
            prop_assert_eq!(id.is_none(), all.is_empty());
            if let Some(text) = id.and_then(|id| texts.get(id)) {
                prop_assert_eq!(text.total, all.len() as u64);
                prop_assert!(all.starts_with(&text.head) && all.ends_with(&text.tail));
                if all.len() <= limit / 2 {
                    prop_assert_eq!(text.whole(), Some(all.as_slice()));
                }
            }
        }
    }
}
