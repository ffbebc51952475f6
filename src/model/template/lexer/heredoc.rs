//! Heredocs: the delimiter behind `<<`, and the bodies after the end of the line. Owns where a body ends, and
//! that no value can end it earlier.

use crate::model::shell::is_plain;
use crate::model::template::lexer::seen::{SeenConstruct, Trace, ValueRefusal, refuse};
use crate::model::template::lexer::state::{Frame, Heredoc, Lexer, LexerDoubt, ValueMark};

/// Heredocs inside `$(...)` inside heredocs that are followed; deeper ones are in doubt.
const MAX_NESTING: usize = 8;

/// The lines of a heredoc, as the shell compares them with the delimiter.
struct HeredocLines<'a> {
    heredoc: &'a Heredoc,
    /// The line so far, when lines before it end in a backslash.
    joined: Vec<u8>,
    continues: bool,
}

/// What a line is to a heredoc.
#[derive(Clone, Copy, PartialEq, Eq)]
enum HeredocLine {
    Text,
    End,
    /// The end for some shells: they differ about lines joined by a backslash.
    Unclear,
}

impl HeredocLines<'_> {
    fn new(heredoc: &Heredoc) -> HeredocLines<'_> {
        HeredocLines { heredoc, joined: Vec::new(), continues: false }
    }

    fn read(&mut self, line: &[u8]) -> HeredocLine {
        let tabs =
            if self.heredoc.strips_tabs { line.iter().take_while(|b| **b == b'\t').count() } else { 0 };
        let line = line.get(tabs..).unwrap_or_default();
        let ends = line == self.heredoc.delimiter;
        if self.heredoc.literal {
            return if ends { HeredocLine::End } else { HeredocLine::Text };
        }
        let joined = self.continues;
        self.joined.extend_from_slice(line);
        let whole = self.joined == self.heredoc.delimiter;
        let backslashes = line.iter().rev().take_while(|b| **b == b'\\').count();
        self.continues = backslashes % 2 == 1;
        if self.continues {
            self.joined.pop();
        } else {
            self.joined.clear();
        }
        match (ends || whole, joined) {
            (false, _) => HeredocLine::Text,
            (true, false) => HeredocLine::End,
            (true, true) => HeredocLine::Unclear,
        }
    }
}

impl Lexer<'_> {
    /// Reads `<<`, perhaps `-`, and the delimiter.
    pub(super) fn heredoc_start(&mut self) -> Result<(), ValueRefusal> {
        if self.glued > 0 {
            self.doubt(LexerDoubt::OddHeredoc);
        }
        self.copy(2);
        self.in_word = false;
        let strips_tabs = self.peek(0) == Some(b'-');
        if strips_tabs {
            self.copy(1);
        }
        while matches!(self.peek(0), Some(b' ' | b'\t')) {
            self.copy(1);
        }
        self.split_here();
        let (mut delimiter, mut literal) = (Vec::new(), false);
        while let Some(byte) = self.peek(0) {
            match byte {
                b' ' | b'\t' | b'\n' | b';' | b'&' | b'|' | b'(' | b')' | b'<' | b'>' => break,
                b'\'' | b'"' => {
                    literal = true;
                    self.quoted_delimiter(byte, &mut delimiter)?;
                }
                b'\\' => {
                    literal = true;
                    match self.peek(1) {
                        Some(0) | Some(b'\n') | None => {
                            self.doubt(LexerDoubt::OddHeredoc);
                            self.copy(1);
                        }
                        Some(next) => {
                            delimiter.push(next);
                            self.copy(2);
                        }
                    }
                }
                0 => self.delimiter_mark(&mut delimiter)?,
                b'$' | b'`' => {
                    self.doubt(LexerDoubt::OddHeredoc);
                    self.copy(1);
                }
                _ => {
                    delimiter.push(byte);
                    self.copy(1);
                }
            }
        }
        if delimiter.is_empty() {
            self.doubt(LexerDoubt::OddHeredoc);
            return Ok(());
        }
        self.pending.push(Heredoc { delimiter, literal, strips_tabs, level: self.frames.len() });
        Ok(())
    }

    fn quoted_delimiter(&mut self, quote: u8, delimiter: &mut Vec<u8>) -> Result<(), ValueRefusal> {
        self.copy(1);
        while let Some(byte) = self.peek(0) {
            match byte {
                _ if byte == quote => {
                    self.copy(1);
                    return Ok(());
                }
                0 => self.delimiter_mark(delimiter)?,
                b'\n' | b'$' | b'`' | b'\\' => {
                    self.doubt(LexerDoubt::OddHeredoc);
                    self.copy(1);
                }
                _ => {
                    delimiter.push(byte);
                    self.copy(1);
                }
            }
        }
        Ok(())
    }

    fn delimiter_mark(&mut self, delimiter: &mut Vec<u8>) -> Result<(), ValueRefusal> {
        let ValueMark { item, word } = self.take_mark("as the end of a heredoc")?;
        if !is_plain(&word) {
            return Err(refuse(item, "as the end of a heredoc", "write the end of the heredoc yourself"));
        }
        delimiter.extend_from_slice(word.as_bytes());
        self.write(item, word.as_bytes());
        Ok(())
    }

    /// Reads the bodies that wait for the newline that was just read.
    pub(super) fn heredoc_bodies(&mut self) -> Result<(), ValueRefusal> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let level = self.frames.len();
        if self.pending.iter().any(|heredoc| heredoc.level != level) {
            self.flush_pending();
            return Ok(());
        }
        for heredoc in std::mem::take(&mut self.pending) {
            let nesting = self.frames.iter().filter(|frame| matches!(frame, Frame::Heredoc { .. })).count();
            let end = self.body_end(&heredoc).filter(|_| nesting < MAX_NESTING);
            let end = end.unwrap_or_else(|| {
                self.doubt(LexerDoubt::OddHeredoc);
                self.limit
            });
            self.body(&heredoc, end)?;
            // The delimiter's line.
            while let Some(byte) = self.peek(0) {
                self.copy(1);
                if byte == b'\n' {
                    break;
                }
            }
        }
        self.in_word = false;
        Ok(())
    }

    /// Finds the offset of the line that ends a heredoc whose body begins here.
    fn body_end(&mut self, heredoc: &Heredoc) -> Option<usize> {
        let mut lines = HeredocLines::new(heredoc);
        let mut at = self.at;
        let rest = self.src.get(at..self.limit).unwrap_or_default();
        for line in rest.split_inclusive(|b| *b == b'\n') {
            match lines.read(line.strip_suffix(b"\n").unwrap_or(line)) {
                HeredocLine::Text => {}
                HeredocLine::End => return Some(at),
                HeredocLine::Unclear => self.doubt(LexerDoubt::OddHeredoc),
            }
            at += line.len();
        }
        None
    }

    /// Reads a body and checks that it still ends where it did without its values.
    fn body(&mut self, heredoc: &Heredoc, end: usize) -> Result<(), ValueRefusal> {
        let (start, first) = (self.out.len(), self.written.len());
        let (begun, seen) = (self.at, self.trace.as_ref().map_or(0, |Trace(seen)| seen.len()));
        if self.frames.len() > 1 && !is_balanced(self.src.get(begun..end).unwrap_or_default()) {
            self.doubt(LexerDoubt::QuotesInInnerHeredoc);
        }
        let limit = std::mem::replace(&mut self.limit, end);
        if heredoc.literal {
            while let Some(byte) = self.peek(0) {
                match byte {
                    0 => self.mark_in_literal_heredoc(heredoc.strips_tabs)?,
                    _ => self.copy(1),
                }
            }
        } else {
            let level = self.frames.len();
            self.frames.push(Frame::Heredoc { strips_tabs: heredoc.strips_tabs });
            self.run()?;
            if self.frames.len() != level + 1 {
                self.doubt(LexerDoubt::OddHeredoc);
            }
            self.frames.truncate(level);
            self.flush_pending();
        }
        self.limit = limit;
        if let Some(Trace(trace)) = &mut self.trace {
            trace.truncate(seen);
            trace.push(SeenConstruct::Skipped { start: begun, end });
        }
        self.check_end(heredoc, start, first)
    }

    /// Refuses a value that, with the text around it, makes a line that ends the heredoc or is lost in it.
    fn check_end(&self, heredoc: &Heredoc, start: usize, first: usize) -> Result<(), ValueRefusal> {
        let mut lines = HeredocLines::new(heredoc);
        let mut at = start;
        for line in self.out.get(start..).unwrap_or_default().split_inclusive(|b| *b == b'\n') {
            at += line.len();
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            let place = match lines.read(line) {
                HeredocLine::End | HeredocLine::Unclear => "in a heredoc, one of whose lines would end it",
                HeredocLine::Text if heredoc.mangles(line) => {
                    "in a heredoc, one of whose lines begins like its end"
                }
                HeredocLine::Text => continue,
            };
            let culprit = self.written.get(first..).unwrap_or_default().iter().rev().find(|(o, _)| *o < at);
            if let Some((_, item)) = culprit {
                return Err(refuse(*item, place, "choose another word for the end of the heredoc"));
            }
        }
        Ok(())
    }
}

impl Heredoc {
    /// Whether dash loses a byte of the line: up to 0.5.12 it drops the first byte outside ASCII that follows a
    /// beginning of the delimiter at the start of a line.
    fn mangles(&self, line: &[u8]) -> bool {
        let text = line.iter().skip_while(|b| self.strips_tabs && **b == b'\t');
        let rest: Vec<_> = text.take(self.delimiter.len() + 1).collect();
        let alike = rest.iter().zip(&self.delimiter).take_while(|(a, b)| **a == *b).count();
        alike > 0 && rest.get(alike).is_some_and(|b| !b.is_ascii())
    }
}

/// Whether a text has no quote and no parenthesis that is open at its end.
fn is_balanced(text: &[u8]) -> bool {
    let (mut quote, mut depth) = (None, 0_i64);
    for byte in text {
        match (byte, quote) {
            (b'\'' | b'"' | b'`', None) => quote = Some(*byte),
            (byte, Some(open)) if *byte == open => quote = None,
            (b'(', None) => depth += 1,
            (b')', None) => depth -= 1,
            (b'\\' | b'#', _) => return false,
            _ => {}
        }
        if depth < 0 {
            return false;
        }
    }
    quote.is_none() && depth == 0
}
