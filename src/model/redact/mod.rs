//! Finds secrets in what is about to be told, and puts a mask in their place. Owns what counts as an occurrence,
//! in one text and in a stream that comes in pieces; refuses to know where secrets and texts come from.
//!
//! - `forms`: the spellings in which a secret is found
//!
//! It is a seat belt: who has a secret can always write it in a way that nobody looks for.

mod forms;

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use zeroize::Zeroizing;

use crate::model::secret::{MASK, Secret};

/// Bytes that a secret needs to be looked for. A shorter one would be found everywhere, and its mask would tell more
/// about it than it hides.
pub const MIN_SECRET: usize = 6;

/// Bytes of all forms up to which the search is the fastest one, a table of about 500 bytes for each.
const MAX_TABLE: usize = 16 * 1024;

/// Masks secrets. Without any it does nothing, and costs nothing. A clone is cheap.
#[derive(Clone, Default)]
pub struct Redactor(Option<Arc<Search>>);

impl Redactor {
    /// Looks for these from now on; those that are too short are left out.
    pub fn new<'s>(secrets: impl IntoIterator<Item = &'s Secret>) -> Self {
        let mut forms = Vec::new();
        for secret in secrets {
            if secret.reveal().len() >= MIN_SECRET {
                forms::of(secret.reveal(), &mut forms);
            }
        }
        Self::of(forms)
    }

    /// Looks for one more.
    #[must_use]
    pub fn and(&self, secret: &Secret) -> Self {
        let mut forms = self.0.as_ref().map(|search| search.forms.clone()).unwrap_or_default();
        if secret.reveal().len() >= MIN_SECRET {
            forms::of(secret.reveal(), &mut forms);
        }
        Self::of(forms)
    }

    fn of(mut forms: Vec<Zeroizing<Vec<u8>>>) -> Self {
        forms.sort_unstable_by(|a, b| a.as_slice().cmp(b));
        forms.dedup();
        Self((!forms.is_empty()).then(|| Arc::new(Search::new(forms))))
    }

    /// Whether there is nothing to look for.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The text with a mask for each secret. Occurrences that overlap have one mask together.
    pub fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match self.redact_bytes(text.as_bytes()) {
            Cow::Borrowed(_) => Cow::Borrowed(text),
            // A secret and all of its forms are whole characters.
            Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
        }
    }

    /// The same for bytes.
    pub fn redact_bytes<'t>(&self, text: &'t [u8]) -> Cow<'t, [u8]> {
        let Some(search) = &self.0 else { return Cow::Borrowed(text) };
        let spans = search.spans(text);
        if spans.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut told = Told { covered: 0 };
        Cow::Owned(told.take(text, text.len(), &spans))
    }

    /// Begins a stream.
    pub fn stream(&self) -> RedactedStream {
        RedactedStream { search: self.0.clone(), held: Zeroizing::default(), told: Told { covered: 0 } }
    }
}

impl fmt::Debug for Redactor {
    /// Nothing of what it looks for.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let forms = self.0.as_ref().map_or(0, |search| search.forms.len());
        f.debug_struct("Redactor").field("forms", &forms).finish()
    }
}

/// A stream of bytes on its way through a [`Redactor`].
///
/// What comes out, put together, is what [`Redactor::redact_bytes`] makes of what went in, however it was cut. Only an
/// end that may be the beginning of a secret is held back: less than the longest form.
pub struct RedactedStream {
    search: Option<Arc<Search>>,
    held: Zeroizing<Vec<u8>>,
    told: Told,
}

impl RedactedStream {
    /// Takes bytes in; gives those that are decided. Without a secret in them they are not copied.
    pub fn push<'c>(&mut self, chunk: &'c [u8]) -> Cow<'c, [u8]> {
        let Some(search) = &self.search else { return Cow::Borrowed(chunk) };
        if self.held.is_empty() {
            let spans = search.spans(chunk);
            let decided = search.decided(chunk);
            let (now, later) = chunk.split_at(decided);
            self.held.extend_from_slice(later);
            return match spans.is_empty() {
                true => Cow::Borrowed(now),
                false => Cow::Owned(self.told.take(chunk, decided, &spans)),
            };
        }
        self.held.extend_from_slice(chunk);
        let spans = search.spans(&self.held);
        let decided = search.decided(&self.held);
        let now = self.told.take(&self.held, decided, &spans);
        self.held.drain(..decided);
        Cow::Owned(now)
    }

    /// Ends the stream; gives what was held back.
    pub fn finish(&mut self) -> Vec<u8> {
        let Some(search) = &self.search else { return Vec::new() };
        let held = std::mem::take(&mut self.held);
        let rest = self.told.take(&held, held.len(), &search.spans(&held));
        self.told.covered = 0;
        rest
    }
}

impl fmt::Debug for RedactedStream {
    /// Nothing of what it holds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedactedStream").field("held", &self.held.len()).finish_non_exhaustive()
    }
}

/// How far the writing has come.
struct Told {
    /// Bytes at the beginning of the rest that belong to a mask which is written already.
    covered: usize,
}

impl Told {
    /// Writes the text up to `end`, with a mask for each span that begins before it.
    fn take(&mut self, text: &[u8], end: usize, spans: &[Range<usize>]) -> Vec<u8> {
        let mut out = Vec::with_capacity(end);
        let mut at = self.covered;
        for span in spans {
            if span.start < self.covered {
                // The mask that is written is for this, too.
                at = at.max(span.end);
                continue;
            }
            if span.start >= end {
                break;
            }
            out.extend_from_slice(text.get(at..span.start).unwrap_or_default());
            out.extend_from_slice(MASK.as_bytes());
            at = span.end;
        }
        out.extend_from_slice(text.get(at..end).unwrap_or_default());
        self.covered = at.saturating_sub(end);
        out
    }
}

/// The forms of all secrets, ready to be looked for.
struct Search {
    automaton: AhoCorasick,
    forms: Vec<Zeroizing<Vec<u8>>>,
    /// For each byte, the places in forms where it stands and is not the last: form, and length up to there.
    ends: Vec<Vec<(usize, usize)>>,
}

impl Search {
    fn new(forms: Vec<Zeroizing<Vec<u8>>>) -> Self {
        let size: usize = forms.iter().map(|form| form.len()).sum();
        let kind = if size <= MAX_TABLE { AhoCorasickKind::DFA } else { AhoCorasickKind::ContiguousNFA };
        let automaton = AhoCorasick::builder()
            // The only kind that finds all occurrences, also those that overlap.
            .match_kind(MatchKind::Standard)
            .kind(Some(kind))
            .build(forms.iter().map(|form| form.as_slice()))
            .expect("its limit is 2 GiB of forms");
        let mut ends = vec![Vec::new(); 256];
        for (number, form) in forms.iter().enumerate() {
            for (at, &byte) in form.iter().enumerate().take(form.len().saturating_sub(1)) {
                if let Some(places) = ends.get_mut(usize::from(byte)) {
                    places.push((number, at + 1));
                }
            }
        }
        Self { automaton, forms, ends }
    }

    /// The places of secrets, in order; those that overlap are one.
    fn spans(&self, text: &[u8]) -> Vec<Range<usize>> {
        let mut spans: Vec<Range<usize>> = Vec::new();
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

    /// How much of a text is decided whatever comes behind it: all but the longest end that begins a form.
    fn decided(&self, text: &[u8]) -> usize {
        let places = text.last().and_then(|&last| self.ends.get(usize::from(last)));
        let begins = |&&(form, length): &&(usize, usize)| {
            let form = self.forms.get(form).map(|form| form.as_slice()).unwrap_or_default();
            text.ends_with(form.get(..length).unwrap_or_default())
        };
        let longest = places.into_iter().flatten().filter(begins).map(|&(_, length)| length).max();
        text.len() - longest.unwrap_or(0)
    }
}

#[cfg(test)]
mod tests;
