//! A mark becomes text: the quoting of each place. Owns the spellings; refuses a value where none is right.

use crate::model::shell::spelling::Spelling;
use crate::model::shell::{is_plain, is_reserved, single_quoted};
use crate::model::template::item::ScriptItem;
use crate::model::template::lexer::seen::{ValueRefusal, refuse};
use crate::model::template::lexer::state::{Frame, Lexer, QuotePlace, ValueMark};
use crate::model::template::problem::{ValueProblem, Wants};
use crate::model::template::twice::{self, is_number};

impl Lexer<'_> {
    /// Puts in the value of the mark that stands here.
    pub(super) fn mark(&mut self) -> Result<(), ValueRefusal> {
        if self.hole(false) {
            return Ok(());
        }
        if self.subscript.is_some() || self.qualifies() {
            return self.mark_where_plain("", "");
        }
        match self.place() {
            QuotePlace::Bare => self.mark_in_commands(),
            QuotePlace::Double => {
                let mark = self.take_mark("inside quotes")?;
                self.write_double(&mark);
                Ok(())
            }
            QuotePlace::Heredoc { strips_tabs } => {
                let mark = self.take_mark("in a heredoc")?;
                self.write_heredoc(&mark, strips_tabs)
            }
            QuotePlace::Plain { place, help } => self.mark_where_plain(&place, help),
        }
    }

    /// A mark between single quotes.
    pub(super) fn mark_in_single(&mut self) -> Result<(), ValueRefusal> {
        if self.hole(true) {
            return Ok(());
        }
        if self.subscript.is_some() || self.qualifies() {
            return self.mark_where_plain("", "");
        }
        match self.place() {
            QuotePlace::Plain { place, help } => self.mark_where_plain(&place, help),
            // Whatever surrounds it, a single-quoted string within commands is the same for every shell.
            QuotePlace::Bare | QuotePlace::Double | QuotePlace::Heredoc { .. } => {
                let ValueMark { item, word } = self.take_mark("inside quotes")?;
                self.write(item, Spelling::Single.spell(&word).as_bytes());
                Ok(())
            }
        }
    }

    /// A mark in a comment: the next line must stay the next line.
    pub(super) fn mark_in_comment(&mut self, in_substitution: bool) -> Result<(), ValueRefusal> {
        if self.hole(true) {
            return Ok(());
        }
        if in_substitution || self.doubt.is_some() {
            return self.mark_where_plain("in a comment", "leave it out of the comment");
        }
        let ValueMark { item, word } = self.take_mark("in a comment")?;
        if word.contains('\n') {
            let place = "in a comment, because it has more than one line";
            return Err(refuse(item, place, "leave it out of the comment"));
        }
        self.write(item, word.as_bytes());
        Ok(())
    }

    /// A mark in a heredoc whose delimiter is quoted: nothing is special but its end.
    pub(super) fn mark_in_literal_heredoc(&mut self, strips_tabs: bool) -> Result<(), ValueRefusal> {
        if self.hole(true) {
            return Ok(());
        }
        match self.place() {
            QuotePlace::Plain { place, help } => self.mark_where_plain(&place, help),
            QuotePlace::Bare | QuotePlace::Double | QuotePlace::Heredoc { .. } if self.frames.len() > 1 => {
                self.mark_where_plain("in a heredoc inside $(...)", "set a shell variable before the heredoc")
            }
            QuotePlace::Bare | QuotePlace::Double | QuotePlace::Heredoc { .. } => {
                let mark = self.take_mark("in a heredoc")?;
                self.check_tabs(&mark, strips_tabs)?;
                self.write(mark.item, mark.word.as_bytes());
                Ok(())
            }
        }
    }

    /// A mark right behind a backslash, which has taken the place of whatever comes first.
    pub(super) fn mark_after_backslash(&mut self) -> Result<(), ValueRefusal> {
        self.mark_where_plain("behind a backslash", "leave the backslash out")
    }

    /// A mark right behind a dollar: even a harmless text would name a variable.
    pub(super) fn mark_after_dollar(&mut self) -> Result<(), ValueRefusal> {
        if self.hole(true) {
            return Ok(());
        }
        let (item, _) = self.next_item()?;
        Err(refuse(item, "behind a dollar sign", "write \\$ for the sign itself"))
    }

    /// A mark where nothing can be quoted: the value must be one that needs no quotes anywhere.
    pub(super) fn mark_where_plain(&mut self, place: &str, help: &str) -> Result<(), ValueRefusal> {
        if self.hole(true) {
            return Ok(());
        }
        let innermost = self.frame();
        let calculated = self.calculated();
        let ValueMark { item, word } = self.take_mark("where nothing can be quoted")?;
        if let Some(place) = calculated {
            if !is_number(&word) {
                return Err(twice::refuse(item, place, Wants::Number));
            }
            self.write(item, word.as_bytes());
            self.in_word = true;
            return Ok(());
        }
        let strict = matches!(innermost, Frame::Braces { .. });
        // Inside `${x...}` some of the harmless characters are operators (`:`, `%`, `@` of bash).
        let fits =
            is_plain(&word) && !is_reserved(&word) && !(strict && word.contains([':', '%', '@', '+', '=']));
        if !fits {
            return Err(refuse(item, place, help));
        }
        self.write(item, word.as_bytes());
        self.in_word = true;
        Ok(())
    }

    /// Whether the walk is inside parentheses that stand right behind a word: `*(e:pwned:)` runs a command in zsh.
    fn qualifies(&self) -> bool {
        self.glued > u32::from(self.array.is_some())
    }

    /// What is calculated where the walk is.
    fn calculated(&self) -> Option<&'static str> {
        if self.subscript.is_some() {
            return Some("in a subscript");
        }
        if self.qualifies() {
            return Some("in a pattern with parentheses, which zsh runs parts of");
        }
        // What a command inside prints is another matter.
        let is_inside = |frame: &&Frame| !matches!(frame, Frame::Commands { .. } | Frame::Backticks);
        let before = self.src.get(..self.at).unwrap_or_default();
        self.frames.iter().rev().take_while(is_inside).find_map(|frame| match frame {
            Frame::Arithmetic { .. } => Some("in arithmetic"),
            Frame::Braces { .. } if !takes_words(before) => Some("in ${...}, where it may be calculated"),
            Frame::Braces { .. }
            | Frame::Commands { .. }
            | Frame::Double
            | Frame::Heredoc { .. }
            | Frame::Backticks => None,
        })
    }

    /// What may be done where the walk is.
    pub(super) fn place(&self) -> QuotePlace {
        const BEFORE: &str = "set a shell variable from it in the first lines, and use \"$name\" here";
        if let Some(doubt) = self.doubt {
            return QuotePlace::Plain { place: format!("after {}", doubt.what()), help: BEFORE };
        }
        let mut in_heredoc = false;
        for frame in &self.frames {
            let (place, help) = match frame {
                Frame::Backticks => ("inside backticks", "use $(...)"),
                Frame::Braces { .. } => ("inside ${...}", BEFORE),
                Frame::Arithmetic { .. } => ("in arithmetic", BEFORE),
                Frame::Heredoc { .. } => {
                    in_heredoc = true;
                    continue;
                }
                Frame::Commands { .. } | Frame::Double => {
                    if in_heredoc {
                        ("inside $(...) in a heredoc", BEFORE)
                    } else {
                        continue;
                    }
                }
            };
            return QuotePlace::Plain { place: place.to_owned(), help };
        }
        match self.frame() {
            Frame::Double => QuotePlace::Double,
            // bash 3 looks for the end of `$(...)` inside such a body.
            Frame::Heredoc { .. } if self.frames.len() > 2 => {
                QuotePlace::Plain { place: "in a heredoc inside $(...)".to_owned(), help: BEFORE }
            }
            Frame::Heredoc { strips_tabs } => QuotePlace::Heredoc { strips_tabs },
            Frame::Commands { .. } | Frame::Backticks | Frame::Braces { .. } | Frame::Arithmetic { .. } => {
                QuotePlace::Bare
            }
        }
    }

    fn mark_in_commands(&mut self) -> Result<(), ValueRefusal> {
        let mut before = self.src.get(..self.at).unwrap_or_default();
        while let Some(line) = before.strip_suffix(b"\\\n") {
            before = line;
        }
        let before = before.last().copied();
        let (in_word, after_name) = (self.in_word, self.after_name);
        let (index, item) = self.next_item()?;
        let after = self.joined().next();
        match item {
            ScriptItem::Word { plain, .. } => {
                let neighbour = |byte: Option<u8>| byte.is_some_and(|b| b == 0 || b.is_ascii_lowercase());
                let letters = plain.bytes().all(|b| b.is_ascii_lowercase());
                let glued = (in_word && neighbour(before)) || neighbour(after);
                // A digit before `<` would be a file descriptor; letters next to letters, a word like `done`.
                let quotes = after_name
                    || matches!(after, Some(b'<' | b'>'))
                    || (letters && (glued || is_reserved(&plain)))
                    || !is_plain(&plain);
                let text = if quotes { single_quoted(&plain) } else { plain };
                self.write(index, text.as_bytes());
            }
            ScriptItem::Words(words) => {
                let ends = matches!(
                    after,
                    None | Some(b' ' | b'\t' | b'\n' | b';' | b'&' | b'|' | b'(' | b')' | b'<' | b'>')
                );
                if words.len() != 1 && (in_word || !ends) {
                    let place = "next to other text of its word";
                    return Err(ValueRefusal { item: index, problem: ValueProblem::WordsPlace { place } });
                }
                let quoted: Vec<String> = words
                    .iter()
                    .map(|word| {
                        let plain = is_plain(word) && !is_reserved(word) && ends && !in_word;
                        if plain && !matches!(after, Some(b'<' | b'>')) {
                            word.clone()
                        } else {
                            single_quoted(word)
                        }
                    })
                    .collect();
                self.write(index, quoted.join(" ").as_bytes());
                if words.is_empty() {
                    self.in_word = in_word;
                    return Ok(());
                }
            }
        }
        self.in_word = true;
        Ok(())
    }

    /// Writes a value between double quotes.
    ///
    /// A backslash behind a byte outside ASCII is not one in every locale (the second byte of GBK and SJIS), so
    /// such a value, and one that `$name` would swallow, leaves the double quotes for single ones.
    fn write_double(&mut self, mark: &ValueMark) {
        let ascii = mark.word.is_ascii() && self.out.last().is_none_or(u8::is_ascii);
        if ascii && !self.after_name {
            let escaped = Spelling::Double.spell(&mark.word);
            self.write(mark.item, escaped.as_bytes());
        } else {
            self.write(mark.item, format!("\"{}\"", single_quoted(&mark.word)).as_bytes());
        }
    }

    fn write_heredoc(&mut self, mark: &ValueMark, strips_tabs: bool) -> Result<(), ValueRefusal> {
        let ValueMark { item, word } = mark;
        self.check_tabs(mark, strips_tabs)?;
        let swallowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '[' | ':');
        if self.after_name && word.starts_with(swallowed) {
            return Err(refuse(*item, "behind $name in a heredoc", "write ${name}"));
        }
        let specials = ['\\', '$', '`'];
        let mut before = self.out.last().is_none_or(u8::is_ascii);
        for c in word.chars() {
            if !before && specials.contains(&c) {
                let place = format!("in a heredoc, because {c:?} follows a character outside ASCII");
                return Err(refuse(*item, place, "quote the end of the heredoc: <<'EOF'"));
            }
            before = c.is_ascii();
        }
        self.write(*item, Spelling::Heredoc.spell(word).as_bytes());
        Ok(())
    }

    /// Refuses a value whose tabs `<<-` would drop.
    fn check_tabs(&self, mark: &ValueMark, strips_tabs: bool) -> Result<(), ValueRefusal> {
        let line = self.out.rsplit(|b| *b == b'\n').next().unwrap_or_default();
        let at_start = line.iter().all(|b| *b == b'\t');
        if strips_tabs && (mark.word.contains("\n\t") || (at_start && mark.word.starts_with('\t'))) {
            return Err(refuse(mark.item, "in a heredoc with <<-, which drops its tabs", "use << without -"));
        }
        Ok(())
    }

    /// Takes the mark that stands here as one text; a list of one item is that item.
    pub(super) fn take_mark(&mut self, place: &'static str) -> Result<ValueMark, ValueRefusal> {
        let (item, value) = self.next_item()?;
        let word = match value {
            ScriptItem::Word { quoted: Some(quoted), .. } => quoted,
            ScriptItem::Word { plain, quoted: None } => plain,
            ScriptItem::Words(words) => match <[String; 1]>::try_from(words) {
                Ok([word]) => word,
                Err(_) => return Err(ValueRefusal { item, problem: ValueProblem::WordsPlace { place } }),
            },
        };
        Ok(ValueMark { item, word })
    }

    /// Reads a mark; the next byte is the one behind it.
    fn next_item(&mut self) -> Result<(usize, ScriptItem), ValueRefusal> {
        let rest = self.src.get(self.at + 1..self.limit).unwrap_or_default();
        let digits = rest.iter().position(|b| *b == 0).unwrap_or(rest.len());
        let index =
            std::str::from_utf8(rest.get(..digits).unwrap_or_default()).ok().and_then(|n| n.parse().ok());
        self.at += digits + 2;
        let found = index.and_then(|index: usize| self.items.get(index).map(|item| (index, item.clone())));
        // Nothing but the formatter writes NUL, so that every mark is whole and has its value.
        found.ok_or(ValueRefusal { item: usize::MAX, problem: ValueProblem::Nul })
    }

    /// Writes the text of a value.
    pub(super) fn write(&mut self, item: usize, text: &[u8]) {
        self.written.push((self.out.len(), item));
        self.out.extend_from_slice(text);
        if !text.is_empty() {
            self.after_name = false;
        }
    }
}

/// Whether what stands before a place in `${` ends the name of a variable with an operator that words follow.
///
/// Else the value is in the name, in a subscript, in the offset of a part (`${x:1}`), or a flag of zsh or bash
/// (`${(e)x}`, `${x@P}`).
fn takes_words(before: &[u8]) -> bool {
    let (mut start, mut closed) = (before.len(), 0_usize);
    for (at, pair) in before.windows(2).enumerate().rev() {
        match pair {
            b"${" if closed == 0 => {
                start = at + 2;
                break;
            }
            b"${" => closed -= 1,
            [_, b'}'] => closed += 1,
            _ => {}
        }
    }
    let inner = before.get(start..).unwrap_or_default();
    let name = inner.iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count();
    // `$1` is a name, and so are `$@` and `$?`.
    let rest = inner.get(if name == 0 { 1 } else { name }..).unwrap_or_default();
    let rest = match rest.strip_prefix(b"[") {
        Some(key) => {
            key.iter().position(|b| *b == b']').and_then(|end| key.get(end + 1..)).unwrap_or_default()
        }
        None => rest,
    };
    let rest = rest.strip_prefix(b":").map_or(rest, |rest| {
        if rest.starts_with(b"-")
            || rest.starts_with(b"=")
            || rest.starts_with(b"+")
            || rest.starts_with(b"?")
        {
            rest
        } else {
            b""
        }
    });
    matches!(rest.first(), Some(b'-' | b'=' | b'+' | b'?' | b'#' | b'%' | b'/' | b'^' | b','))
}
