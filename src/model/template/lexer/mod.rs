//! Walks a script as a POSIX shell reads it and puts each value where its mark stands, quoted for that place.
//! Owns the grammar that decides what quoting means somewhere; refuses to guess: where shells read a construct
//! differently, or where no quoting exists, only values that need none pass, now or for the rest of the script.
//!
//! Everything but the marks is copied byte by byte. The grammar is that of POSIX (XCU 2.2, 2.3, 2.6, 2.7.4) with
//! what bash, zsh and ksh add to it: `$'...'`, `((...))`, `<<<`, zsh's subscripts and modifiers after `$name`.
//! Where it says "doubt", a comment gives the shells that differ.
//!
//! - this file: what is open, and what is in doubt
//! - `walk`: how each construct begins, goes on and ends
//! - `heredoc`: `<<` and the bodies that follow the line
//! - `emit`: a mark becomes text
//! - `hole`: the mark of a file whose path is not known yet

mod emit;
mod heredoc;
mod hole;
mod walk;

use super::error::Problem;
use super::script::{Item, Rendered};
use super::twice;
use heredoc::Heredoc;

pub use hole::FileCommand;
pub(super) use hole::Hole;

/// A value that cannot stand where it does.
#[derive(Debug)]
pub(super) struct Refusal {
    /// The value's index.
    pub item: usize,
    /// Why.
    pub problem: Problem,
}

/// Replaces the marks of a script by their values.
pub(super) fn substitute(script: &str, items: &[Item]) -> Result<Rendered, Refusal> {
    let mut lexer = Lexer::new(script, items, Some(Trace::default()));
    lexer.run()?;
    let Trace(seen) = lexer.trace.take().unwrap_or_default();
    twice::check(script, &seen, items)?;
    let script = String::from_utf8(lexer.out).expect("the lexer copies and inserts whole strings");
    Ok(Rendered { script, holes: lexer.holes })
}

/// What a walk over a script came by, in order. Offsets are those of the script with its marks.
#[derive(Debug, Default)]
pub(super) struct Trace(pub(super) Vec<Seen>);

/// A part of a script that has rules of its own.
#[derive(Clone, Copy, Debug)]
pub(super) enum Seen {
    /// A construct begins; `at` is behind what opens it.
    Open { at: usize, what: Opened },
    /// The innermost construct ends; `at` is behind what closes it.
    Close { at: usize },
    /// `'...'`, quotes included.
    Single { start: usize, end: usize },
    /// A comment, the body of a heredoc, `$'...'`.
    Skipped { start: usize, end: usize },
}

/// What kind of construct begins.
#[derive(Clone, Copy, Debug)]
pub(super) enum Opened {
    /// `$(`
    Commands,
    /// `"`
    Double,
    /// Any other.
    Other,
}

/// Walks a script with marks for so many values, whatever they are; `None` when their place or the script is in doubt.
pub(super) fn trace(script: &str, values: usize) -> Option<Trace> {
    let items = vec![Item::Word { plain: "x".to_owned(), quoted: None }; values];
    let mut lexer = Lexer::new(script, &items, Some(Trace::default()));
    lexer.run().ok()?;
    if lexer.doubt.is_some() { None } else { lexer.trace }
}

/// A construct that is open, with its own rules inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Frame {
    /// Commands: the script itself (no depth), or `$(...)` with the count of its inner parentheses.
    Commands {
        /// Parentheses open inside `$(...)`.
        depth: Option<u32>,
    },
    /// `"..."`
    Double,
    /// The body of a heredoc whose delimiter is not quoted.
    Heredoc {
        /// Whether it began with `<<-`.
        strips_tabs: bool,
    },
    /// `` `...` ``
    Backticks,
    /// `${...}`, perhaps inside double quotes or a heredoc.
    Braces {
        /// Whether it stands inside double quotes or a heredoc.
        quoted: bool,
    },
    /// `$((...))` or `((...))`.
    Arithmetic {
        /// Parentheses open, the first two included.
        depth: u32,
        /// Whether it began without `$`, as shells without that command read two subshells.
        command: bool,
    },
}

/// A construct after which shells may disagree about where they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doubt {
    /// `case` inside `$(...)`: its `)` ends the substitution for shells that count parentheses (bash 3).
    CaseInSubstitution,
    /// A comment with quotes or parentheses inside `$(...)`: bash 3 reads them.
    CommentInSubstitution,
    /// A heredoc inside `$(...)` with a quote or a parenthesis that has no other: bash 3 reads them.
    QuotesInInnerHeredoc,
    /// Quotes or braces inside `${...}` inside double quotes.
    QuotesInBraces,
    /// `\'` inside `$'...'`: the end of it for dash.
    EscapedAnsiQuote,
    /// `$[`: arithmetic for bash and zsh only.
    SquareArithmetic,
    /// `${ `: a command for ksh, new bash and zsh.
    BraceCommand,
    /// `((` that does not end in `))`, or with quotes, comments, heredocs or newlines inside.
    OddArithmetic,
    /// An operator split by a backslash at the end of the line.
    SplitOperator,
    /// A `#` that begins a comment for some shells only.
    OddComment,
    /// An operator inside `x=(...)`: an error that bash survives.
    OperatorInArray,
    /// A heredoc that never ends, or whose delimiter is computed or split.
    OddHeredoc,
}

impl Doubt {
    fn what(self) -> &'static str {
        match self {
            Self::CaseInSubstitution => "\"case\" inside $(...)",
            Self::CommentInSubstitution => "a comment with quotes or parentheses inside $(...)",
            Self::QuotesInInnerHeredoc => "a heredoc with quotes or parentheses inside $(...)",
            Self::QuotesInBraces => "quotes or braces inside \"${...}\"",
            Self::EscapedAnsiQuote => "\\' inside $'...'",
            Self::SquareArithmetic => "$[",
            Self::BraceCommand => "\"${ \"",
            Self::OddArithmetic => "\"((\" that is more than arithmetic",
            Self::SplitOperator => "an operator split at the end of a line",
            Self::OddComment => "a comment next to a redirection or inside parentheses",
            Self::OperatorInArray => "an operator inside name=(...)",
            Self::OddHeredoc => "a heredoc whose end is unclear",
        }
    }
}

struct Lexer<'a> {
    /// The script with its marks.
    src: &'a [u8],
    /// Next byte to read.
    at: usize,
    /// Where reading stops: the end of the script, or of the heredoc's body that is being read.
    limit: usize,
    /// The script so far.
    out: Vec<u8>,
    items: &'a [Item],
    /// What is open, innermost last; never empty.
    frames: Vec<Frame>,
    /// Whether the byte before belongs to a word, in commands.
    in_word: bool,
    /// Whether `$name` stands right before: text that follows would become part of it.
    after_name: bool,
    /// How much is open around a subscript that is open: `$[`, or what zsh takes for one behind `$name`.
    subscript: Option<usize>,
    /// Parentheses open since one that stands right behind a word: zsh may take what is inside for a pattern.
    glued: u32,
    /// How much is open around `x=(...)`, while the walk is inside.
    array: Option<usize>,
    /// Heredocs whose bodies begin after this line.
    pending: Vec<Heredoc>,
    /// Set once shells may be elsewhere than this lexer.
    doubt: Option<Doubt>,
    /// Where values were written (offset in `out`, index), for the check of heredocs.
    written: Vec<(usize, usize)>,
    /// Where files belong that are not known yet.
    holes: Vec<Hole>,
    /// What was seen, if recorded.
    trace: Option<Trace>,
}

impl<'a> Lexer<'a> {
    fn new(script: &'a str, items: &'a [Item], trace: Option<Trace>) -> Self {
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
    fn saw(&mut self, seen: Seen) {
        if let Some(Trace(trace)) = &mut self.trace {
            trace.push(seen);
        }
    }

    /// Reads up to the limit.
    fn run(&mut self) -> Result<(), Refusal> {
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

    fn operator(&mut self) {
        self.copy(1);
        self.in_word = false;
    }

    /// Notes an operator that a backslash at the end of the line may complete on the next one.
    fn split_operator(&mut self) {
        if self.peek(1) == Some(b'\\') && self.peek(2) == Some(b'\n') {
            self.doubt(Doubt::SplitOperator);
        }
    }

    /// The same for an operator that was just copied.
    fn split_here(&mut self) {
        if self.starts_with(b"\\\n") {
            self.doubt(Doubt::SplitOperator);
        }
    }

    /// A newline inside something else: shells differ about heredocs that wait for one.
    fn quoted_newline(&mut self) {
        self.flush_pending();
        self.copy(1);
    }

    /// Gives up on heredocs whose bodies cannot be found.
    fn flush_pending(&mut self) {
        if !self.pending.is_empty() {
            self.pending.clear();
            self.doubt(Doubt::OddHeredoc);
        }
    }

    fn open(&mut self, frame: Frame) {
        let what = match frame {
            Frame::Commands { .. } => Opened::Commands,
            Frame::Double => Opened::Double,
            Frame::Heredoc { .. } | Frame::Backticks | Frame::Braces { .. } | Frame::Arithmetic { .. } => {
                Opened::Other
            }
        };
        self.saw(Seen::Open { at: self.at, what });
        self.frames.push(frame);
        self.after_name = false;
    }

    fn close(&mut self) {
        if self.frames.len() > 1 {
            self.frames.pop();
            self.saw(Seen::Close { at: self.at });
        }
        self.in_word = true;
    }

    fn replace(&mut self, frame: Frame) {
        if let Some(last) = self.frames.last_mut() {
            *last = frame;
        }
    }

    fn frame(&self) -> Frame {
        self.frames.last().copied().unwrap_or(Frame::Commands { depth: None })
    }

    /// Whether the innermost commands have double quotes or a heredoc open.
    fn is_quoted(&self) -> bool {
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
    fn doubt(&mut self, doubt: Doubt) {
        self.doubt.get_or_insert(doubt);
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        let at = self.at + ahead;
        if at < self.limit { self.src.get(at).copied() } else { None }
    }

    /// The bytes from here on, without split ends of lines.
    fn joined(&self) -> impl Iterator<Item = u8> + '_ {
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

    fn starts_with(&self, text: &[u8]) -> bool {
        self.src.get(self.at..self.limit).is_some_and(|rest| rest.starts_with(text))
    }

    /// Copies bytes as they are.
    fn copy(&mut self, count: usize) {
        let end = self.at.saturating_add(count).min(self.limit);
        self.out.extend_from_slice(self.src.get(self.at..end).unwrap_or_default());
        self.at = end;
        self.after_name = false;
    }
}

#[cfg(test)]
mod tests;
