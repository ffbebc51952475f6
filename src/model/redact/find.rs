//! Looks for many patterns at once: where they are, which of them the end of a text begins, and which of them its
//! beginning ends.

use std::ops::Range;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use zeroize::Zeroizing;

/// What is looked for.
pub(super) type Patterns = Vec<Zeroizing<Vec<u8>>>;

/// Bytes of all patterns up to which the search is the fastest one, a table of about 500 bytes for each.
const MAX_TABLE: usize = 16 * 1024;

/// Patterns, ready to be looked for.
pub(super) struct Finder {
    automaton: AhoCorasick,
    patterns: Patterns,
    /// For each byte, the places in patterns where it stands and is not the last: pattern, and length up to there.
    ends: Vec<Vec<(usize, usize)>>,
}

impl Finder {
    /// Patterns that come twice are looked for once.
    pub(super) fn new(mut patterns: Patterns) -> Self {
        patterns.sort_unstable_by(|a, b| a.as_slice().cmp(b));
        patterns.dedup();
        let size: usize = patterns.iter().map(|pattern| pattern.len()).sum();
        let kind = if size <= MAX_TABLE { AhoCorasickKind::DFA } else { AhoCorasickKind::ContiguousNFA };
        let automaton = AhoCorasick::builder()
            // The only kind that finds all occurrences, also those that overlap.
            .match_kind(MatchKind::Standard)
            .kind(Some(kind))
            .build(patterns.iter().map(|pattern| pattern.as_slice()))
            .expect("its limit is 2 GiB of patterns");
        let mut ends = vec![Vec::new(); 256];
        for (number, pattern) in patterns.iter().enumerate() {
            for (at, &byte) in pattern.iter().enumerate().take(pattern.len().saturating_sub(1)) {
                if let Some(places) = ends.get_mut(usize::from(byte)) {
                    places.push((number, at + 1));
                }
            }
        }
        Self { automaton, patterns, ends }
    }

    /// What is looked for.
    pub(super) fn patterns(&self) -> &Patterns {
        &self.patterns
    }

    /// The places of patterns, in order; those that overlap are one.
    pub(super) fn spans(&self, text: &[u8]) -> Vec<Range<usize>> {
        let mut spans: Vec<Range<usize>> = Vec::new();
        if self.patterns.is_empty() {
            return spans;
        }
        // In the order of their ends.
        for found in self.automaton.find_overlapping_iter(text) {
            let mut span = found.range();
            while let Some(before) = spans.pop_if(|before| before.end > span.start) {
                span.start = span.start.min(before.start);
            }
            spans.push(span);
        }
        spans
    }

    /// Length of the longest end of a text that begins a pattern, and is not all of it.
    pub(super) fn begun(&self, text: &[u8]) -> usize {
        let places = text.last().and_then(|&last| self.ends.get(usize::from(last)));
        let begins = |&&(pattern, length): &&(usize, usize)| {
            let pattern = self.patterns.get(pattern).map(|pattern| pattern.as_slice()).unwrap_or_default();
            text.ends_with(pattern.get(..length).unwrap_or_default())
        };
        places.into_iter().flatten().filter(begins).map(|&(_, length)| length).max().unwrap_or(0)
    }

    /// Length of the longest beginning of a text that ends a pattern, and is not all of it.
    pub(super) fn ended(&self, text: &[u8]) -> usize {
        let ends = |pattern: &Zeroizing<Vec<u8>>| {
            let ends = (1..pattern.len()).filter_map(|from| pattern.get(from..));
            ends.filter(|end| text.starts_with(end)).map(<[u8]>::len).max()
        };
        self.patterns.iter().filter_map(ends).max().unwrap_or(0)
    }
}
