//! Walks a script as a POSIX shell reads it and puts each value where its mark stands, quoted for that place.
//! Owns the grammar that decides what quoting means somewhere; refuses to guess: where shells read a construct
//! differently, or where no quoting exists, only values that need none pass, now or for the rest of the script.
//!
//! Everything but the marks is copied byte by byte. The grammar is that of POSIX (XCU 2.2, 2.3, 2.6, 2.7.4) with
//! what bash, zsh and ksh add to it: `$'...'`, `((...))`, `<<<`, zsh's subscripts and modifiers after `$name`.
//! Where it says "doubt", a comment gives the shells that differ.
//!
//! - this file: the walk, and the stack of what is open
//! - `heredoc`: `<<` and the bodies that follow the line
//! - `emit`: a mark becomes text

mod emit;
mod heredoc;

use super::error::Problem;
use super::script::Item;
use heredoc::Heredoc;

/// A value that cannot stand where it does.
#[derive(Debug)]
pub(super) struct Refusal {
    /// The value's index.
    pub item: usize,
    /// Why.
    pub problem: Problem,
}

/// Replaces the marks of a script by their values.
pub(super) fn substitute(script: &str, items: &[Item]) -> Result<String, Refusal> {
    let mut lexer = Lexer {
        src: script.as_bytes(),
        at: 0,
        limit: script.len(),
        out: Vec::with_capacity(script.len()),
        items,
        frames: vec![Frame::Commands { depth: None }],
        in_word: false,
        after_name: false,
        glued: 0,
        pending: Vec::new(),
        doubt: None,
        written: Vec::new(),
    };
    lexer.run()?;
    Ok(String::from_utf8(lexer.out).expect("the lexer copies and inserts whole strings"))
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
    /// A heredoc that never ends, or whose delimiter is computed or split.
    OddHeredoc,
}

impl Doubt {
    fn what(self) -> &'static str {
        match self {
            Self::CaseInSubstitution => "\"case\" inside $(...)",
            Self::CommentInSubstitution => "a comment with quotes or parentheses inside $(...)",
            Self::QuotesInBraces => "quotes or braces inside \"${...}\"",
            Self::EscapedAnsiQuote => "\\' inside $'...'",
            Self::SquareArithmetic => "$[",
            Self::BraceCommand => "\"${ \"",
            Self::OddArithmetic => "\"((\" that is more than arithmetic",
            Self::SplitOperator => "an operator split at the end of a line",
            Self::OddComment => "a comment next to a redirection or inside parentheses",
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
    /// Parentheses open since one that stands right behind a word: zsh may take what is inside for a pattern.
    glued: u32,
    /// Heredocs whose bodies begin after this line.
    pending: Vec<Heredoc>,
    /// Set once shells may be elsewhere than this lexer.
    doubt: Option<Doubt>,
    /// Where values were written (offset in `out`, index), for the check of heredocs.
    written: Vec<(usize, usize)>,
}

impl Lexer<'_> {
    /// Reads up to the limit.
    fn run(&mut self) -> Result<(), Refusal> {
        while let Some(byte) = self.peek(0) {
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

    fn commands(&mut self, byte: u8, depth: Option<u32>) -> Result<(), Refusal> {
        let begins_word = !self.in_word;
        match byte {
            0 => return self.mark(),
            b'\n' => {
                self.copy(1);
                self.in_word = false;
                return self.heredoc_bodies();
            }
            b' ' | b'\t' | b';' | b'&' | b'|' | b'>' => self.operator(),
            b'<' if self.starts_with(b"<<<") => {
                self.copy(3);
                self.in_word = false;
            }
            b'<' if self.starts_with(b"<<") => return self.heredoc_start(),
            b'<' => {
                self.split_operator();
                self.operator();
            }
            b'(' if self.starts_with(b"((") => {
                self.copy(2);
                self.open(Frame::Arithmetic { depth: 2, command: true });
            }
            b'(' => {
                self.split_operator();
                if let Some(depth) = depth {
                    self.replace(Frame::Commands { depth: Some(depth.saturating_add(1)) });
                }
                if self.glued > 0 || (self.in_word && self.peek(1) != Some(b')')) {
                    self.glued = self.glued.saturating_add(1);
                }
                self.operator();
            }
            b')' => {
                match depth {
                    Some(0) => {
                        self.flush_pending();
                        self.copy(1);
                        self.close();
                        return Ok(());
                    }
                    Some(depth) => self.replace(Frame::Commands { depth: Some(depth - 1) }),
                    None => {}
                }
                self.glued = self.glued.saturating_sub(1);
                self.operator();
            }
            b'#' if begins_word => return self.comment(depth.is_some()),
            b'\'' => return self.single(),
            b'"' => {
                self.copy(1);
                self.open(Frame::Double);
            }
            b'`' => {
                self.copy(1);
                self.open(Frame::Backticks);
            }
            b'\\' => {
                let continues = self.peek(1) == Some(b'\n');
                self.escape()?;
                // A split line goes on with the same word, or between words.
                self.in_word = if continues { !begins_word } else { true };
            }
            b'$' => {
                self.in_word = true;
                return self.dollar(false);
            }
            _ => {
                let case = self.starts_with(b"case")
                    && matches!(self.peek(4), Some(b' ' | b'\t' | b'\n' | b'\\' | 0));
                if begins_word && depth.is_some() && case {
                    self.doubt(Doubt::CaseInSubstitution);
                }
                self.copy(1);
                self.in_word = true;
            }
        }
        Ok(())
    }

    fn double(&mut self, byte: u8) -> Result<(), Refusal> {
        match byte {
            0 => return self.mark(),
            b'"' => {
                self.copy(1);
                self.close();
            }
            _ => return self.expanding(byte),
        }
        Ok(())
    }

    fn heredoc_text(&mut self, byte: u8) -> Result<(), Refusal> {
        if byte == 0 { self.mark() } else { self.expanding(byte) }
    }

    /// What double quotes and heredocs have in common.
    fn expanding(&mut self, byte: u8) -> Result<(), Refusal> {
        match byte {
            b'\\' => return self.escape(),
            b'$' => return self.dollar(true),
            b'`' => {
                self.copy(1);
                self.open(Frame::Backticks);
            }
            b'\n' => self.quoted_newline(),
            _ => self.copy(1),
        }
        Ok(())
    }

    /// Old command substitution: every shell ends it at the next backtick without a backslash.
    fn backticks(&mut self, byte: u8) -> Result<(), Refusal> {
        match byte {
            0 => return self.mark(),
            b'`' => {
                self.copy(1);
                self.close();
            }
            b'\\' => return self.escape(),
            b'\n' => self.quoted_newline(),
            _ => self.copy(1),
        }
        Ok(())
    }

    fn braces(&mut self, byte: u8, quoted: bool) -> Result<(), Refusal> {
        match byte {
            0 => return self.mark(),
            b'}' => {
                self.copy(1);
                self.close();
            }
            // dash, bash and zsh each have their own idea of quotes in here once there are quotes around.
            b'\'' | b'"' if quoted => {
                self.doubt(Doubt::QuotesInBraces);
                self.copy(1);
            }
            // zsh may count braces.
            b'{' => {
                self.doubt(Doubt::QuotesInBraces);
                self.copy(1);
            }
            b'\'' => return self.single(),
            b'"' => {
                self.copy(1);
                self.open(Frame::Double);
            }
            b'$' => return self.dollar(quoted),
            _ => return self.expanding(byte),
        }
        Ok(())
    }

    fn arithmetic(&mut self, byte: u8, depth: u32, command: bool) -> Result<(), Refusal> {
        match byte {
            0 => return self.mark(),
            b'(' => {
                self.copy(1);
                self.replace(Frame::Arithmetic { depth: depth.saturating_add(1), command });
            }
            b')' => {
                let adjacent = self.at.checked_sub(1).and_then(|before| self.src.get(before)) == Some(&b')');
                self.copy(1);
                if depth > 1 {
                    self.replace(Frame::Arithmetic { depth: depth - 1, command });
                } else {
                    if !adjacent {
                        self.doubt(Doubt::OddArithmetic);
                    }
                    self.close();
                    self.in_word = !command;
                }
            }
            b'\'' | b'"' => {
                self.doubt(Doubt::OddArithmetic);
                self.copy(1);
            }
            b'#' | b'\n' | b'`' if command => {
                self.doubt(Doubt::OddArithmetic);
                self.copy(1);
            }
            b'<' if command && self.starts_with(b"<<") => {
                self.doubt(Doubt::OddArithmetic);
                self.copy(2);
            }
            _ => return self.expanding(byte),
        }
        Ok(())
    }

    /// `$` and what it expands.
    fn dollar(&mut self, quoted: bool) -> Result<(), Refusal> {
        match self.peek(1) {
            Some(b'(') if self.starts_with(b"$((") => {
                self.copy(3);
                self.open(Frame::Arithmetic { depth: 2, command: false });
            }
            Some(b'(') => {
                self.copy(2);
                self.split_here();
                self.open(Frame::Commands { depth: Some(0) });
                self.in_word = false;
            }
            Some(b'{') => {
                if matches!(self.peek(2), Some(b' ' | b'\t' | b'\n' | b'|')) {
                    self.doubt(Doubt::BraceCommand);
                }
                self.copy(2);
                // `${#x}` and `${$}`: the first character is never a quote.
                self.open(Frame::Braces { quoted: quoted || self.is_quoted() });
            }
            Some(b'\'') if !quoted => {
                self.copy(1);
                return self.ansi();
            }
            Some(b'[') => {
                self.doubt(Doubt::SquareArithmetic);
                self.copy(2);
            }
            Some(0) => {
                self.copy(1);
                return self.mark_after_dollar();
            }
            Some(b'\\') if self.peek(2) == Some(b'\n') => {
                self.doubt(Doubt::SplitOperator);
                self.copy(3);
            }
            Some(byte) if byte.is_ascii_digit() || b"@*#?$!-".contains(&byte) => {
                self.copy(2);
                self.after_name = true;
            }
            // zsh: `$=x`, `$~x`, `$^x`, `$+x`.
            Some(byte) if byte.is_ascii_alphabetic() || b"_=~^+".contains(&byte) => {
                let rest = self.src.get(self.at + 2..self.limit).unwrap_or_default();
                let name = rest.iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count();
                self.copy(2 + name);
                self.after_name = true;
            }
            Some(_) | None => self.copy(1),
        }
        Ok(())
    }

    /// A backslash and the byte that it takes away the meaning of.
    fn escape(&mut self) -> Result<(), Refusal> {
        match self.peek(1) {
            Some(0) => {
                self.copy(1);
                self.mark_after_backslash()
            }
            Some(b'\n') => {
                if !matches!(self.frame(), Frame::Commands { .. }) {
                    self.flush_pending();
                }
                let after_name = self.after_name;
                self.copy(2);
                self.after_name = after_name;
                Ok(())
            }
            Some(_) | None => {
                self.copy(2);
                Ok(())
            }
        }
    }

    /// `'...'`, up to and with its closing quote.
    fn single(&mut self) -> Result<(), Refusal> {
        self.copy(1);
        while let Some(byte) = self.peek(0) {
            match byte {
                0 => self.mark_in_single()?,
                b'\'' => {
                    self.copy(1);
                    self.in_word = true;
                    return Ok(());
                }
                b'\n' => self.quoted_newline(),
                _ => self.copy(1),
            }
        }
        Ok(())
    }

    /// `$'...'` behind its dollar: for dash a dollar and a plain quoted string.
    fn ansi(&mut self) -> Result<(), Refusal> {
        self.copy(1);
        while let Some(byte) = self.peek(0) {
            match byte {
                0 => self.mark_where_plain("inside $'...'", "put it outside the quotes")?,
                b'\\' if self.peek(1) == Some(b'\'') => {
                    self.doubt(Doubt::EscapedAnsiQuote);
                    self.copy(2);
                }
                b'\\' => self.escape()?,
                b'\'' => {
                    self.copy(1);
                    self.in_word = true;
                    return Ok(());
                }
                b'\n' => self.quoted_newline(),
                _ => self.copy(1),
            }
        }
        Ok(())
    }

    /// A comment, up to the newline that ends it.
    fn comment(&mut self, in_substitution: bool) -> Result<(), Refusal> {
        // zsh may read `(#` as a flag of a pattern, and shells differ about a `#` next to `)`, `<` and `>`.
        let before = self.at.checked_sub(1).and_then(|at| self.src.get(at));
        if self.glued > 0 || matches!(before, Some(b'(' | b')' | b'<' | b'>')) {
            self.doubt(Doubt::OddComment);
        }
        while let Some(byte) = self.peek(0) {
            match byte {
                b'\n' => return Ok(()),
                0 => self.mark_in_comment(in_substitution)?,
                b'\'' | b'"' | b'`' | b'(' | b')' | b'\\' | b'$' if in_substitution => {
                    self.doubt(Doubt::CommentInSubstitution);
                    self.copy(1);
                }
                _ => self.copy(1),
            }
        }
        Ok(())
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
        self.frames.push(frame);
        self.after_name = false;
    }

    fn close(&mut self) {
        if self.frames.len() > 1 {
            self.frames.pop();
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
