//! A walk over a script from its beginning to its end.

use crate::model::template::item::{Rendered, ScriptItem};
use crate::model::template::lexer::seen::{OpenedConstruct, SeenConstruct, Trace, ValueRefusal};
use crate::model::template::lexer::state::{Frame, Lexer, LexerDoubt};
use crate::model::template::twice;

/// Replaces the marks of a script by their values.
pub(in crate::model::template) fn substitute(
    script: &str,
    items: &[ScriptItem],
) -> Result<Rendered, ValueRefusal> {
    let mut lexer = Lexer::new(script, items, Some(Trace::default()));
    lexer.run()?;
    let Trace(seen) = lexer.trace.take().unwrap_or_default();
    twice::check(script, &seen, items, |inner| trace(inner, 0))?;
    let script = String::from_utf8(lexer.out).expect("the lexer copies and inserts whole strings");
    Ok(Rendered { script, holes: lexer.holes })
}

/// Walks a script with marks for so many values, whatever they are; `None` when their place or the script is in doubt.
pub(in crate::model::template) fn trace(script: &str, values: usize) -> Option<Trace> {
    let items = vec![ScriptItem::Word { plain: "x".to_owned(), quoted: None }; values];
    let mut lexer = Lexer::new(script, &items, Some(Trace::default()));
    lexer.run().ok()?;
    if lexer.doubt.is_some() { None } else { lexer.trace }
}

impl<'a> Lexer<'a> {
    fn new(script: &'a str, items: &'a [ScriptItem], trace: Option<Trace>) -> Self {
        Self {
            src: script.as_bytes(),
            at: 0,
            limit: script.len(),
            out: Vec::with_capacity(script.len()),
            items,
            frames: vec![Frame::Commands { depth: None }],
            in_word: false,
            after_name: false,
            subscript: None,
            glued: 0,
            array: None,
            pending: Vec::new(),
            doubt: None,
            written: Vec::new(),
            holes: Vec::new(),
            trace,
        }
    }
}

impl Lexer<'_> {
    pub(super) fn saw(&mut self, seen: SeenConstruct) {
        if let Some(Trace(trace)) = &mut self.trace {
            trace.push(seen);
        }
    }

    /// Reads up to the limit.
    pub(super) fn run(&mut self) -> Result<(), ValueRefusal> {
        while let Some(byte) = self.peek(0) {
            self.follow_subscript(byte);
            match self.frame() {
                Frame::Commands { depth } => self.commands(byte, depth)?,
                Frame::Double => self.double(byte)?,
                Frame::Heredoc { .. } => self.heredoc_text(byte)?,
                Frame::Backticks => self.backticks(byte)?,
                Frame::Braces { quoted } => self.braces(byte, quoted)?,
                Frame::Arithmetic { depth, command } => self.arithmetic(byte, depth, command)?,
            }
        }
        Ok(())
    }

    /// Notes where a subscript begins and ends.
    fn follow_subscript(&mut self, byte: u8) {
        let depth = self.frames.len();
        match byte {
            b'[' if self.after_name && self.subscript.is_none() => self.subscript = Some(depth),
            b']' if self.subscript == Some(depth) => self.subscript = None,
            _ if self.subscript.is_some_and(|open| open > depth) => self.subscript = None,
            _ => {}
        }
    }

    pub(super) fn operator(&mut self) {
        self.copy(1);
        self.in_word = false;
    }

    /// Notes an operator that a backslash at the end of the line may complete on the next one.
    pub(super) fn split_operator(&mut self) {
        if self.peek(1) == Some(b'\\') && self.peek(2) == Some(b'\n') {
            self.doubt(LexerDoubt::SplitOperator);
        }
    }

    /// The same for an operator that was just copied.
    pub(super) fn split_here(&mut self) {
        if self.starts_with(b"\\\n") {
            self.doubt(LexerDoubt::SplitOperator);
        }
    }

    /// A newline inside something else: shells differ about heredocs that wait for one.
    pub(super) fn quoted_newline(&mut self) {
        self.flush_pending();
        self.copy(1);
    }

    /// Gives up on heredocs whose bodies cannot be found.
    pub(super) fn flush_pending(&mut self) {
        if !self.pending.is_empty() {
            self.pending.clear();
            self.doubt(LexerDoubt::OddHeredoc);
        }
    }

    pub(super) fn open(&mut self, frame: Frame) {
        let what = match frame {
            Frame::Commands { .. } => OpenedConstruct::Commands,
            Frame::Double => OpenedConstruct::Double,
            Frame::Heredoc { .. } | Frame::Backticks | Frame::Braces { .. } | Frame::Arithmetic { .. } => {
                OpenedConstruct::Other
            }
        };
        self.saw(SeenConstruct::Open { at: self.at, what });
        self.frames.push(frame);
        self.after_name = false;
    }

    pub(super) fn close(&mut self) {
        if self.frames.len() > 1 {
            self.frames.pop();
            self.saw(SeenConstruct::Close { at: self.at });
        }
        self.in_word = true;
    }

    pub(super) fn replace(&mut self, frame: Frame) {
        if let Some(last) = self.frames.last_mut() {
            *last = frame;
        }
    }

    pub(super) fn frame(&self) -> Frame {
        self.frames.last().copied().unwrap_or(Frame::Commands { depth: None })
    }

    /// Whether the innermost commands have double quotes or a heredoc open.
    pub(super) fn is_quoted(&self) -> bool {
        for frame in self.frames.iter().rev() {
            match frame {
                Frame::Double | Frame::Heredoc { .. } => return true,
                Frame::Commands { .. } | Frame::Backticks => return false,
                Frame::Braces { quoted } => return *quoted,
                Frame::Arithmetic { .. } => {}
            }
        }
        false
    }

    /// The first doubt is the one worth telling.
    pub(super) fn doubt(&mut self, doubt: LexerDoubt) {
        self.doubt.get_or_insert(doubt);
    }

    pub(super) fn peek(&self, ahead: usize) -> Option<u8> {
        let at = self.at + ahead;
        if at < self.limit { self.src.get(at).copied() } else { None }
    }

    /// The bytes from here on, without split ends of lines.
    pub(super) fn joined(&self) -> impl Iterator<Item = u8> + '_ {
        let mut rest = self.src.get(self.at..self.limit).unwrap_or_default();
        std::iter::from_fn(move || {
            while let Some(line) = rest.strip_prefix(b"\\\n") {
                rest = line;
            }
            let (first, others) = rest.split_first()?;
            rest = others;
            Some(*first)
        })
    }

    pub(super) fn starts_with(&self, text: &[u8]) -> bool {
        self.src.get(self.at..self.limit).is_some_and(|rest| rest.starts_with(text))
    }

    /// Copies bytes as they are.
    pub(super) fn copy(&mut self, count: usize) {
        let end = self.at.saturating_add(count).min(self.limit);
        self.out.extend_from_slice(self.src.get(self.at..end).unwrap_or_default());
        self.at = end;
        self.after_name = false;
    }
}

#[cfg(test)]
mod tests;
