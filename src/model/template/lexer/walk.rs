//! The steps of the walk: how each construct of a script begins, goes on and ends. Owns the grammar; refuses to
//! write values.

use crate::model::template::lexer::seen::{SeenConstruct, ValueRefusal};
use crate::model::template::lexer::state::{Frame, Lexer, LexerDoubt};

impl Lexer<'_> {
    pub(super) fn commands(&mut self, byte: u8, depth: Option<u32>) -> Result<(), ValueRefusal> {
        let begins_word = !self.in_word;
        // bash drops the line at an operator inside `x=(...)` and goes on with the next, in the midst of quotes.
        let substitutes = matches!(byte, b'<' | b'>') && self.peek(1) == Some(b'(');
        if self.array == Some(self.frames.len())
            && !substitutes
            && matches!(byte, b'<' | b'>' | b'&' | b'|' | b';' | b'(')
        {
            self.doubt(LexerDoubt::OperatorInArray);
        }
        match byte {
            0 => return self.mark(),
            b'\n' => {
                self.copy(1);
                self.in_word = false;
                self.subscript = None;
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
                let assigns = self.at.checked_sub(1).and_then(|at| self.src.get(at)) == Some(&b'=');
                if self.in_word && assigns && self.array.is_none() {
                    self.array = Some(self.frames.len());
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
                if self.glued == 0 {
                    self.array = None;
                }
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
                if begins_word && depth.is_some() && self.is_case() {
                    self.doubt(LexerDoubt::CaseInSubstitution);
                }
                self.copy(1);
                self.in_word = true;
            }
        }
        Ok(())
    }

    /// Whether the word here is `case`, perhaps split over lines.
    fn is_case(&self) -> bool {
        let mut ahead = self.joined();
        let is_case = b"case".iter().all(|letter| ahead.next() == Some(*letter));
        is_case && matches!(ahead.next(), Some(b' ' | b'\t' | b'\n' | 0))
    }

    pub(super) fn double(&mut self, byte: u8) -> Result<(), ValueRefusal> {
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

    pub(super) fn heredoc_text(&mut self, byte: u8) -> Result<(), ValueRefusal> {
        if byte == 0 { self.mark() } else { self.expanding(byte) }
    }

    /// What double quotes and heredocs have in common.
    fn expanding(&mut self, byte: u8) -> Result<(), ValueRefusal> {
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
    pub(super) fn backticks(&mut self, byte: u8) -> Result<(), ValueRefusal> {
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

    pub(super) fn braces(&mut self, byte: u8, quoted: bool) -> Result<(), ValueRefusal> {
        match byte {
            0 => return self.mark(),
            b'}' => {
                self.copy(1);
                self.close();
            }
            // dash, bash and zsh each have their own idea of quotes in here once there are quotes around.
            b'\'' | b'"' if quoted => {
                self.doubt(LexerDoubt::QuotesInBraces);
                self.copy(1);
            }
            // zsh may count braces.
            b'{' => {
                self.doubt(LexerDoubt::QuotesInBraces);
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

    pub(super) fn arithmetic(&mut self, byte: u8, depth: u32, command: bool) -> Result<(), ValueRefusal> {
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
                        self.doubt(LexerDoubt::OddArithmetic);
                    }
                    self.close();
                    self.in_word = !command;
                }
            }
            b'\'' | b'"' => {
                self.doubt(LexerDoubt::OddArithmetic);
                self.copy(1);
            }
            b'#' | b'\n' | b'`' if command => {
                self.doubt(LexerDoubt::OddArithmetic);
                self.copy(1);
            }
            b'<' if command && self.starts_with(b"<<") => {
                self.doubt(LexerDoubt::OddArithmetic);
                self.copy(2);
            }
            _ => return self.expanding(byte),
        }
        Ok(())
    }

    /// `$` and what it expands.
    fn dollar(&mut self, quoted: bool) -> Result<(), ValueRefusal> {
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
                    self.doubt(LexerDoubt::BraceCommand);
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
                self.doubt(LexerDoubt::SquareArithmetic);
                self.copy(2);
                self.subscript.get_or_insert(self.frames.len());
            }
            Some(0) => {
                self.copy(1);
                return self.mark_after_dollar();
            }
            Some(b'\\') if self.peek(2) == Some(b'\n') => {
                self.doubt(LexerDoubt::SplitOperator);
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
    fn escape(&mut self) -> Result<(), ValueRefusal> {
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
    fn single(&mut self) -> Result<(), ValueRefusal> {
        let start = self.at;
        self.copy(1);
        while let Some(byte) = self.peek(0) {
            match byte {
                0 => self.mark_in_single()?,
                b'\'' => {
                    self.copy(1);
                    self.in_word = true;
                    self.saw(SeenConstruct::Single { start, end: self.at });
                    return Ok(());
                }
                b'\n' => self.quoted_newline(),
                _ => self.copy(1),
            }
        }
        Ok(())
    }

    /// `$'...'` behind its dollar: for dash a dollar and a plain quoted string.
    fn ansi(&mut self) -> Result<(), ValueRefusal> {
        let start = self.at;
        self.copy(1);
        while let Some(byte) = self.peek(0) {
            match byte {
                0 => self.mark_where_plain("inside $'...'", "put it outside the quotes")?,
                b'\\' if self.peek(1) == Some(b'\'') => {
                    self.doubt(LexerDoubt::EscapedAnsiQuote);
                    self.copy(2);
                }
                b'\\' => self.escape()?,
                b'\'' => {
                    self.copy(1);
                    self.in_word = true;
                    self.saw(SeenConstruct::Skipped { start, end: self.at });
                    return Ok(());
                }
                b'\n' => self.quoted_newline(),
                _ => self.copy(1),
            }
        }
        Ok(())
    }

    /// A comment, up to the newline that ends it.
    fn comment(&mut self, in_substitution: bool) -> Result<(), ValueRefusal> {
        // zsh may read `(#` as a flag of a pattern, and shells differ about a `#` next to `)`, `<` and `>`.
        let before = self.at.checked_sub(1).and_then(|at| self.src.get(at));
        if self.glued > 0 || matches!(before, Some(b'(' | b')' | b'<' | b'>')) {
            self.doubt(LexerDoubt::OddComment);
        }
        let start = self.at;
        while let Some(byte) = self.peek(0) {
            match byte {
                b'\n' => break,
                0 => self.mark_in_comment(in_substitution)?,
                b'\'' | b'"' | b'`' | b'(' | b')' | b'\\' | b'$' if in_substitution => {
                    self.doubt(LexerDoubt::CommentInSubstitution);
                    self.copy(1);
                }
                _ => self.copy(1),
            }
        }
        self.saw(SeenConstruct::Skipped { start, end: self.at });
        Ok(())
    }
}
