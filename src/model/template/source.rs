//! A light reading of a template's text, for what MiniJinja tells only while it renders, or not at all: unknown
//! filters, tags that fan refuses, names guarded against being undefined, the expression around an error.
//! Refuses to judge syntax: a text that does not parse is left to MiniJinja.

use std::collections::HashSet;
use std::fmt::Write as _;

use super::error::at;
use super::filters::{FILTERS, TESTS};
use super::{Syntax, TemplateError};
use crate::model::suggest::did_you_mean;

/// Tags that reach for other templates, or that change how values are written.
const REFUSED: &[&str] = &["include", "import", "from", "extends", "block", "autoescape"];

/// Tags whose body becomes a value: in a script, that value would mix program text with values not yet quoted.
const REFUSED_IN_SCRIPTS: &[&str] = &["macro", "call", "filter"];

/// A `{{ }}` or `{% %}` of a text, or a whole expression.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment<'a> {
    /// Whether it writes a value (`{{ }}`).
    pub output: bool,
    /// Byte offset of its opening brace.
    pub open: usize,
    /// Byte offset of its code.
    pub start: usize,
    /// What stands between the delimiters.
    pub code: &'a str,
    /// Byte offset behind its closing brace.
    pub end: usize,
}

/// Finds the closed segments of a text, in order; stops at the first that is not closed.
pub(super) fn segments(text: &str, syntax: Syntax) -> Vec<Segment<'_>> {
    if syntax == Syntax::Expression {
        return vec![Segment { output: true, open: 0, start: 0, code: text, end: text.len() }];
    }
    let mut found = Vec::new();
    let mut at = 0;
    while let Some((open, kind)) = next_open(text, at) {
        let closed = match kind {
            b'#' => find(text, open + 2, "#}").map(|end| end + 2),
            _ => close(text, open, kind == b'{').map(|segment| {
                found.push(segment);
                if !segment.output && segment.code.trim() == "raw" {
                    found.pop();
                    return end_of_raw(text, segment.end);
                }
                segment.end
            }),
        };
        match closed {
            Some(end) => at = end,
            None => break,
        }
    }
    found
}

/// Puts marks in the place of a script's values, as they will stand when it is rendered; tags and comments are left out.
pub(super) fn marked(text: &str) -> (String, Vec<Segment<'_>>) {
    let (mut script, mut outputs) = (String::with_capacity(text.len()), Vec::new());
    let mut from = 0;
    let all = segments(text, Syntax::Shell);
    for segment in all {
        push_without_comments(text.get(from..segment.open).unwrap_or_default(), &mut script);
        if segment.output {
            let _ = write!(script, "\0{}\0", outputs.len());
            outputs.push(segment);
        }
        from = segment.end;
    }
    push_without_comments(text.get(from..).unwrap_or_default(), &mut script);
    (script, outputs)
}

fn push_without_comments(mut text: &str, script: &mut String) {
    while let Some((before, rest)) = text.split_once("{#") {
        script.push_str(before);
        text = rest.split_once("#}").map_or("", |(_, after)| after);
    }
    script.push_str(text);
}

/// How an expression wants its value written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spelling {
    /// As it is.
    Plain,
    /// By `| quote`.
    Quoted,
    /// By `| raw`.
    Raw,
    /// The author's own text: `{{ "--force" if force }}`.
    Constant,
}

/// Reads how an expression ends, and how it begins.
pub(super) fn spelling(code: &str) -> Spelling {
    let tokens = tokens(code);
    let last = match tokens.as_slice() {
        [.., pipe, filter] if pipe.is(b'|') => filter.word(),
        _ => None,
    };
    match (last, tokens.first()) {
        (Some("quote"), _) => Spelling::Quoted,
        (Some("raw"), _) => Spelling::Raw,
        (_, Some(first)) if first.is(b'"') || first.is(b'\'') => Spelling::Constant,
        (_, Some(Token { kind: TokenKind::Word(word), .. }))
            if word.starts_with(|c: char| c.is_ascii_digit()) =>
        {
            Spelling::Constant
        }
        _ => Spelling::Plain,
    }
}

/// The code of a text that is one `{{ }}` and nothing else, with its byte offset.
pub(super) fn single_output(text: &str) -> Option<(usize, &str)> {
    match *segments(text, Syntax::Text).as_slice() {
        [Segment { output: true, open: 0, start, code, end }] if end == text.len() => Some((start, code)),
        _ => None,
    }
}

/// The segment around a byte offset.
pub(super) fn segment_at(text: &str, syntax: Syntax, offset: usize) -> Option<Segment<'_>> {
    segments(text, syntax).into_iter().find(|segment| (segment.open..segment.end.max(1)).contains(&offset))
}

/// Refuses what must not reach the engine, and what it would only find while it renders.
pub(super) fn lint(text: &str, syntax: Syntax) -> Result<(), TemplateError> {
    if let Some(offset) = text.find('\0') {
        return Err(at(text, offset, "a NUL byte in a template", None));
    }
    if syntax == Syntax::Expression {
        let trimmed = text.trim_start();
        if trimmed.starts_with("{{") || trimmed.starts_with("{%") {
            let inner = trimmed.trim_start_matches("{{").trim_end().trim_end_matches("}}").trim();
            let help = format!("write {inner}");
            return Err(at(text, 0, "an expression is written without braces", Some(help)));
        }
    }
    for segment in segments(text, syntax) {
        let tokens = tokens(segment.code);
        if !segment.output {
            lint_tag(text, &segment, &tokens, syntax)?;
        }
        lint_names(text, &segment, &tokens)?;
    }
    Ok(())
}

/// The names that a text uses with `default` or `is defined`, so that they may be undefined.
pub(super) fn guarded_names(text: &str, syntax: Syntax) -> HashSet<&str> {
    let mut guarded = HashSet::new();
    for segment in segments(text, syntax) {
        let tokens = tokens(segment.code);
        for (index, token) in tokens.iter().enumerate() {
            let TokenKind::Word(name) = token.kind else { continue };
            let bare = index == 0 || tokens.get(index - 1).is_some_and(|t| !t.is(b'.') && !t.is(b'|'));
            let word = |ahead: usize| tokens.get(index + ahead).and_then(|t| t.word());
            let piped = tokens.get(index + 1).is_some_and(|t| t.is(b'|'));
            let tested = match (word(1), word(2), word(3)) {
                (Some("is"), Some("not"), test) | (Some("is"), test, _) => test,
                _ => None,
            };
            let guards = (piped && matches!(word(2), Some("default" | "d")))
                || matches!(tested, Some("defined" | "undefined"));
            if bare && guards {
                guarded.insert(name);
            }
        }
    }
    guarded
}

/// The byte offset of the first use of a variable.
pub(super) fn first_use(text: &str, syntax: Syntax, name: &str) -> Option<usize> {
    segments(text, syntax).into_iter().find_map(|segment| {
        let tokens = tokens(segment.code);
        let mut before = None;
        let used = tokens.iter().find(|token| {
            let part_of_another =
                before.replace(**token).is_some_and(|b: Token<'_>| b.is(b'.') || b.is(b'|'));
            !part_of_another && token.word() == Some(name)
        });
        used.map(|token| segment.start + token.at)
    })
}

fn lint_tag(
    text: &str,
    segment: &Segment<'_>,
    tokens: &[Token<'_>],
    syntax: Syntax,
) -> Result<(), TemplateError> {
    let Some(name) = tokens.first().and_then(Token::word) else { return Ok(()) };
    if REFUSED.contains(&name) {
        let help = "a template stands alone; {% if %}, {% for %} and {% set %} are available".to_owned();
        return Err(at(text, segment.open, format!("the tag {{% {name} %}} is not available"), Some(help)));
    }
    if syntax != Syntax::Shell {
        return Ok(());
    }
    let mut depth = 0_usize;
    let assigns = tokens.iter().any(|token| {
        match token.kind {
            TokenKind::Sign(b'(' | b'[' | b'{') => depth += 1,
            TokenKind::Sign(b')' | b']' | b'}') => depth = depth.saturating_sub(1),
            TokenKind::Sign(_) | TokenKind::Word(_) => {}
        }
        depth == 0 && token.is(b'=')
    });
    if name == "set" && !assigns {
        let help = "write {% set name = expression %}".to_owned();
        return Err(at(text, segment.open, "a {% set %} block cannot be used in a script", Some(help)));
    }
    if REFUSED_IN_SCRIPTS.contains(&name) {
        let help = "write the lines in place, with {% if %} and {% for %}".to_owned();
        return Err(at(text, segment.open, format!("{{% {name} %}} cannot be used in a script"), Some(help)));
    }
    Ok(())
}

fn lint_names(text: &str, segment: &Segment<'_>, tokens: &[Token<'_>]) -> Result<(), TemplateError> {
    for (index, token) in tokens.iter().enumerate() {
        let before = |back: usize| index.checked_sub(back).and_then(|index| tokens.get(index));
        let Some(name) = token.word() else { continue };
        let filter = before(1).is_some_and(|t| t.is(b'|'));
        let is = |token: Option<&Token<'_>>| token.and_then(Token::word) == Some("is");
        let test = name != "not"
            && (is(before(1)) && !before(2).is_some_and(|t| t.is(b'.'))
                || (before(1).and_then(Token::word) == Some("not") && is(before(2))));
        let (kind, known) = match (filter, test) {
            (true, _) => ("filter", FILTERS),
            (false, true) => ("test", TESTS),
            (false, false) => continue,
        };
        if !known.contains(&name) {
            let help = match (name, did_you_mean(name, known.iter().copied())) {
                ("safe", _) => Some("write | raw to put a value into a script unquoted".to_owned()),
                ("escape" | "e", _) => Some("values in scripts are quoted by themselves".to_owned()),
                (_, Some(other)) => Some(format!("did you mean {other:?}?")),
                (_, None) => None,
            };
            return Err(at(text, segment.start + token.at, format!("unknown {kind} {name:?}"), help));
        }
    }
    Ok(())
}

/// A word or a sign of an expression, with its byte offset in the code.
#[derive(Clone, Copy, Debug)]
struct Token<'a> {
    at: usize,
    kind: TokenKind<'a>,
}

#[derive(Clone, Copy, Debug)]
enum TokenKind<'a> {
    Word(&'a str),
    Sign(u8),
}

impl<'a> Token<'a> {
    fn is(&self, sign: u8) -> bool {
        matches!(self.kind, TokenKind::Sign(s) if s == sign)
    }

    fn word(&self) -> Option<&'a str> {
        match self.kind {
            TokenKind::Word(word) => Some(word),
            TokenKind::Sign(_) => None,
        }
    }
}

/// Words and signs; a string counts as the sign of its quote.
fn tokens(code: &str) -> Vec<Token<'_>> {
    let bytes = code.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let end = match byte {
            b'"' | b'\'' => end_of_string(bytes, at),
            _ if is_word(byte) => {
                at + bytes.get(at..).unwrap_or_default().iter().take_while(|b| is_word(**b)).count()
            }
            _ => at + 1,
        };
        match code.get(at..end) {
            Some(word) if is_word(byte) => found.push(Token { at, kind: TokenKind::Word(word) }),
            // `==`, `<=`, `>=`, `!=` are no assignment.
            Some(_) if matches!(byte, b'=' | b'<' | b'>' | b'!') && bytes.get(end) == Some(&b'=') => {
                found.push(Token { at, kind: TokenKind::Sign(b'~') });
                at = end + 1;
                continue;
            }
            Some(_) if !byte.is_ascii_whitespace() => found.push(Token { at, kind: TokenKind::Sign(byte) }),
            Some(_) | None => {}
        }
        at = end;
    }
    found
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// The offset behind a string's closing quote, or behind the text.
fn end_of_string(bytes: &[u8], open: usize) -> usize {
    let quote = bytes.get(open);
    let mut at = open + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 1,
            _ if Some(byte) == quote => return at + 1,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

/// The next `{{`, `{%` or `{#`, with its second byte.
fn next_open(text: &str, from: usize) -> Option<(usize, u8)> {
    let rest = text.as_bytes().get(from..)?;
    rest.windows(2).enumerate().find_map(|(index, pair)| match *pair {
        [b'{', kind @ (b'{' | b'%' | b'#')] => Some((from + index, kind)),
        _ => None,
    })
}

/// Reads the segment that opens here, up to the delimiter that closes it outside strings and brackets.
fn close(text: &str, open: usize, output: bool) -> Option<Segment<'_>> {
    let bytes = text.as_bytes();
    let first = open + 2;
    let start = first + usize::from(matches!(bytes.get(first), Some(b'-' | b'+')));
    let (mut at, mut depth) = (start, 0_usize);
    loop {
        let byte = *bytes.get(at)?;
        let closing = if output { b'}' } else { b'%' };
        if depth == 0 && byte == closing && bytes.get(at + 1) == Some(&b'}') {
            let trimmed = at > start && matches!(bytes.get(at - 1), Some(b'-' | b'+'));
            let code = text.get(start..at - usize::from(trimmed))?;
            return Some(Segment { output, open, start, code, end: at + 2 });
        }
        match byte {
            b'"' | b'\'' => at = end_of_string(bytes, at) - 1,
            b'{' | b'[' | b'(' => depth += 1,
            b'}' | b']' | b')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
}

fn end_of_raw(text: &str, from: usize) -> usize {
    let mut at = from;
    while let Some(open) = find(text, at, "{%") {
        match close(text, open, false) {
            Some(segment) if segment.code.trim() == "endraw" => return segment.end,
            Some(_) | None => at = open + 2,
        }
    }
    text.len()
}

fn find(text: &str, from: usize, what: &str) -> Option<usize> {
    text.get(from..)?.find(what).map(|index| from + index)
}
