//! The redactor: texts whole and in pieces, with the secrets in them masked.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::model::redact::find::{Finder, Patterns};
use crate::model::redact::forms;
use crate::model::redact::forms::MIN_SECRET;
use crate::model::redact::undone::Undone;
use crate::model::secret::{MASK, Secret};
use crate::model::text::CUT;

/// Bytes that are held back at most beyond twice the longest secret: of one that is torn by thousands of backslashes
/// the rest is told.
pub(super) const MAX_HELD: usize = 64 * 1024;

/// Bytes of a secret that is cut which are recognized.
const MIN_PART: usize = 4;

/// Masks secrets. Without any it does nothing, and costs nothing. A clone is cheap.
#[derive(Clone, Default)]
pub struct Redactor {
    pub(super) search: Option<Arc<RedactorSearch>>,
    /// Those that are too short to be looked for in what is told.
    short: Arc<[Secret]>,
}

impl Redactor {
    /// Looks for these from now on; those that are too short are left out.
    pub fn new<'s>(secrets: impl IntoIterator<Item = &'s Secret>) -> Self {
        Self::default().and_all(secrets)
    }

    /// Looks for one more.
    #[must_use]
    pub fn and(&self, secret: &Secret) -> Self {
        self.and_all([secret])
    }

    fn and_all<'s>(&self, secrets: impl IntoIterator<Item = &'s Secret>) -> Self {
        let (mut forms, mut undone) = match &self.search {
            Some(search) => (search.forms.patterns().clone(), search.undone.patterns().clone()),
            None => Default::default(),
        };
        let mut short = self.short.to_vec();
        for secret in secrets {
            if secret.reveal().len() >= MIN_SECRET {
                forms::of(secret.reveal(), &mut forms);
                forms::undone(secret.reveal(), &mut undone);
            } else if !secret.reveal().is_empty() {
                short.push(secret.clone());
            }
        }
        let search = (!forms.is_empty()).then(|| Arc::new(RedactorSearch::new(forms, undone)));
        Self { search, short: short.into() }
    }

    /// Whether a text has a secret in it, also one that is too short to be masked.
    pub fn finds(&self, text: &str) -> bool {
        let found =
            self.search.as_ref().is_some_and(|search| !search.spans(text.as_bytes(), true).0.is_empty());
        found || self.short.iter().any(|secret| text.contains(secret.reveal()))
    }

    /// Whether there is nothing to look for.
    pub fn is_empty(&self) -> bool {
        self.search.is_none()
    }

    /// The text with a mask for each secret. Occurrences that overlap have one mask together.
    ///
    /// Beside a [`CUT`], so is what is there of one.
    pub fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match self.redact_bytes(text.as_bytes()) {
            Cow::Borrowed(_) => Cow::Borrowed(text),
            // A secret and all of its forms are whole characters; a part of one may not be.
            Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
        }
    }

    /// The same for bytes.
    pub fn redact_bytes<'t>(&self, text: &'t [u8]) -> Cow<'t, [u8]> {
        let Some(search) = &self.search else { return Cow::Borrowed(text) };
        let (mut spans, _) = search.spans(text, true);
        search.parts(text, &mut spans);
        if spans.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut told = Told { covered: 0 };
        Cow::Owned(told.take(text, text.len(), &spans))
    }

    /// Begins a stream.
    pub fn stream(&self) -> RedactedStream {
        RedactedStream { search: self.search.clone(), held: Zeroizing::default(), told: Told { covered: 0 } }
    }
}

impl fmt::Debug for Redactor {
    /// Nothing of what it looks for.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let forms = self.search.as_ref().map_or(0, |search| search.forms.patterns().len());
        f.debug_struct("Redactor").field("forms", &forms).finish()
    }
}

/// A stream of bytes on its way through a [`Redactor`].
///
/// What comes out, put together, is what [`Redactor::redact_bytes`] makes of what went in, however it was cut. Only an
/// end that may be the beginning of a secret is held back.
pub struct RedactedStream {
    search: Option<Arc<RedactorSearch>>,
    pub(super) held: Zeroizing<Vec<u8>>,
    told: Told,
}

impl RedactedStream {
    /// Takes bytes in; gives those that are decided. Without a secret in them they are not copied.
    pub fn push<'c>(&mut self, chunk: &'c [u8]) -> Cow<'c, [u8]> {
        let Some(search) = &self.search else { return Cow::Borrowed(chunk) };
        if self.held.is_empty() {
            let (spans, decided) = search.spans(chunk, false);
            let (now, later) = chunk.split_at(decided);
            self.held.extend_from_slice(later);
            return match spans.is_empty() {
                true => Cow::Borrowed(now),
                false => Cow::Owned(self.told.take(chunk, decided, &spans)),
            };
        }
        self.held.extend_from_slice(chunk);
        let (spans, decided) = search.spans(&self.held, false);
        let now = self.told.take(&self.held, decided, &spans);
        self.held.drain(..decided);
        Cow::Owned(now)
    }

    /// Ends the stream; gives what was held back.
    pub fn finish(&mut self) -> Vec<u8> {
        let Some(search) = &self.search else { return Vec::new() };
        let held = std::mem::take(&mut self.held);
        let rest = self.told.take(&held, held.len(), &search.spans(&held, true).0);
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

/// All secrets, ready to be looked for.
pub(super) struct RedactorSearch {
    /// In the text as it is.
    pub(super) forms: Finder,
    /// In the text without its quoting.
    undone: Finder,
    /// Bytes that may be held back.
    most: usize,
}

impl RedactorSearch {
    fn new(forms: Patterns, undone: Patterns) -> Self {
        let most = MAX_HELD + 2 * forms.iter().map(|form| form.len()).max().unwrap_or(0);
        Self { forms: Finder::new(forms), undone: Finder::new(undone), most }
    }

    /// The places of secrets, in order, those that overlap as one; and how much of the text is decided whatever comes
    /// behind it.
    fn spans(&self, text: &[u8], whole: bool) -> (Vec<Range<usize>>, usize) {
        let undone = Undone::of(text, whole);
        let mut spans = self.forms.spans(text);
        let place = |span: Range<usize>| undone.start(span.start)..undone.end(span.end.saturating_sub(1));
        spans.extend(self.undone.spans(&undone.bytes).into_iter().map(place));
        if whole {
            return (merged(spans), text.len());
        }
        let begun = self.undone.begun(&undone.bytes);
        let open = undone.open.unwrap_or(text.len());
        let decided = match begun {
            0 => open,
            begun => open.min(undone.start(undone.bytes.len() - begun)),
        };
        let decided = undone.untorn(decided.min(text.len() - self.forms.begun(text)));
        (merged(spans), decided.max(text.len().saturating_sub(self.most)))
    }

    /// Adds the places of parts of secrets, beside the marks where the text was cut.
    fn parts(&self, text: &[u8], spans: &mut Vec<Range<usize>>) {
        let mut mark = [0; 4];
        let mark = CUT.encode_utf8(&mut mark).as_bytes();
        let cuts = text.windows(mark.len()).enumerate().filter(|(_, window)| *window == mark);
        let before = spans.len();
        for (at, _) in cuts {
            let (front, back) =
                (text.get(..at).unwrap_or_default(), text.get(at + mark.len()..).unwrap_or_default());
            let undone = Undone::of(front, true);
            let begun = self.undone.begun(&undone.bytes);
            let starts = (begun >= MIN_PART).then(|| undone.start(undone.bytes.len() - begun));
            let begun = self.forms.begun(front);
            let starts = starts.into_iter().chain((begun >= MIN_PART).then(|| at - begun)).min();
            spans.extend(starts.map(|start| start..at));
            let undone = Undone::of(back, true);
            let ended = self.undone.ended(&undone.bytes);
            let ends = (ended >= MIN_PART).then(|| undone.end(ended - 1));
            let ended = self.forms.ended(back);
            let ends = ends.into_iter().chain((ended >= MIN_PART).then_some(ended)).max();
            spans.extend(ends.map(|end| at + mark.len()..at + mark.len() + end));
        }
        if spans.len() > before {
            *spans = merged(std::mem::take(spans));
        }
    }
}

/// In order; those that overlap are one.
pub(super) fn merged(mut spans: Vec<Range<usize>>) -> Vec<Range<usize>> {
    spans.sort_unstable_by_key(|span| (span.start, span.end));
    let mut merged: Vec<Range<usize>> = Vec::with_capacity(spans.len());
    for span in spans {
        match merged.last_mut() {
            Some(last) if span.start < last.end => last.end = last.end.max(span.end),
            Some(_) | None => merged.push(span),
        }
    }
    merged
}
