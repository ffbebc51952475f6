//! What a host said, line by line, each with the step that it belongs to. Owns how much is kept: the oldest goes first.

use std::collections::VecDeque;

use crate::event::Stream;
use crate::model::text::{Sgr, sanitize};

/// Bytes that are kept of all hosts.
const ALL_MAX: usize = 32 * 1024 * 1024;

/// Bytes that are kept of one host, at most and at least.
const HOST_MAX: usize = 512 * 1024;
const HOST_MIN: usize = 2 * 1024;

/// Bytes of a line: what is longer is cut.
const LINE_MAX: usize = 1024;

/// What a line counts besides its text.
const LINE_COST: usize = 48;

/// Where a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SaidFrom {
    Stdout,
    Stderr,
    /// fan: the name of a step that began, how it ended, what it noted.
    Fan,
}

/// A line, clean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SaidLine {
    pub(super) step: (usize, usize),
    pub(super) from: SaidFrom,
    pub(super) text: Box<str>,
}

impl SaidLine {
    fn cost(&self) -> usize {
        self.text.len() + LINE_COST
    }
}

/// The last that a host said.
#[derive(Debug, Default)]
pub(super) struct Scrollback {
    lines: VecDeque<SaidLine>,
    bytes: usize,
    /// Lines that are gone.
    gone: u64,
    /// The last line of each stream has no end yet.
    open: [bool; 2],
}

/// How many bytes each of so many hosts may keep.
pub(super) fn share(hosts: usize) -> usize {
    (ALL_MAX / hosts.max(1)).clamp(HOST_MIN, HOST_MAX)
}

impl Scrollback {
    /// Takes in output; pieces of it may end within a line.
    pub(super) fn output(&mut self, step: (usize, usize), stream: Stream, data: &[u8], max: usize) {
        let (from, at) = match stream {
            Stream::Stdout => (SaidFrom::Stdout, 0),
            Stream::Stderr => (SaidFrom::Stderr, 1),
        };
        for piece in data.split_inclusive(|&byte| byte == b'\n') {
            let text = piece.get(..LINE_MAX).unwrap_or(piece);
            let text = clean(text);
            let goes_on =
                std::mem::replace(self.open.get_mut(at).unwrap_or(&mut false), !piece.ends_with(b"\n"));
            match self.lines.back_mut().filter(|last| goes_on && last.from == from && last.step == step) {
                Some(last) if last.text.len() < LINE_MAX => {
                    self.bytes += text.len();
                    last.text = format!("{}{text}", last.text).into();
                }
                Some(_) => {}
                None => self.push(SaidLine { step, from, text: text.into() }, max),
            }
        }
    }

    /// Takes in a line of fan's; unclean.
    pub(super) fn note(&mut self, step: (usize, usize), text: &str, max: usize) {
        for line in text.lines() {
            let text = clean(line.as_bytes()).into();
            self.push(SaidLine { step, from: SaidFrom::Fan, text }, max);
        }
    }

    fn push(&mut self, line: SaidLine, max: usize) {
        self.bytes += line.cost();
        self.lines.push_back(line);
        while self.bytes > max && self.lines.len() > 1 {
            let Some(first) = self.lines.pop_front() else { break };
            self.bytes = self.bytes.saturating_sub(first.cost());
            self.gone += 1;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    pub(super) fn gone(&self) -> u64 {
        self.gone
    }

    pub(super) fn lines(&self) -> impl DoubleEndedIterator<Item = &SaidLine> + ExactSizeIterator {
        self.lines.iter()
    }

    pub(super) fn get(&self, at: usize) -> Option<&SaidLine> {
        self.lines.get(at)
    }

    /// The last line of output, or what fan said last.
    pub(super) fn last(&self) -> Option<&SaidLine> {
        let said =
            self.lines.iter().rev().find(|line| line.from != SaidFrom::Fan && !line.text.trim().is_empty());
        said.or(self.lines.back())
    }

    /// The output of a step, both streams in order of arrival.
    pub(super) fn of_step(&self, step: (usize, usize)) -> impl Iterator<Item = &str> {
        let own = self.lines.iter().filter(move |line| line.step == step && line.from != SaidFrom::Fan);
        own.map(|line| &*line.text)
    }
}

/// Text that moves no cursor and has no colours.
fn clean(text: &[u8]) -> String {
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    let kept = sanitize(text, Sgr::Keep);
    let mut plain = String::with_capacity(kept.len());
    let mut rest = &*kept;
    // Colours are the only sequences that are left.
    while let Some((before, after)) = rest.split_once('\x1b') {
        plain.push_str(before);
        rest = after.split_once('m').map_or("", |(_, after)| after);
    }
    plain.push_str(rest);
    plain.replace('\t', "    ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(scrollback: &Scrollback) -> Vec<&str> {
        scrollback.lines().map(|line| &*line.text).collect()
    }

    #[test]
    fn lines_are_whole_and_clean() {
        let mut said = Scrollback::default();
        for data in [&b"one\ntw"[..], b"o\r\n\x1b[2J\x1b[1;31mred\x1b[0m\x07\tend", b"\n"] {
            said.output((0, 0), Stream::Stdout, data, share(1));
        }
        said.output((0, 0), Stream::Stderr, b"oops\n", share(1));
        said.note((0, 1), "step 2\nnote\x1b[H", share(1));
        assert_eq!(texts(&said), ["one", "two", "\\x1b[2Jred\\x07    end", "oops", "step 2", "note\\x1b[H"]);
        assert_eq!(said.last().map(|line| &*line.text), Some("oops"));
        assert_eq!(said.of_step((0, 1)).count(), 0);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        for hosts in [1, 100, 10_000] {
            let max = share(hosts);
            assert!(max * hosts <= ALL_MAX.max(HOST_MIN * hosts));
            let mut said = Scrollback::default();
            for number in 0..2_000 {
                said.output((0, 0), Stream::Stdout, format!("line {number}\n").as_bytes(), max);
                said.output((0, 0), Stream::Stderr, &[b'x'; 5000], max);
            }
            assert!(said.bytes <= max + LINE_MAX + LINE_COST, "{} of {max}", said.bytes);
            assert!(said.gone() > 0);
        }
    }
}
