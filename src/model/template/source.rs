//! A light reading of a template's text, for what MiniJinja tells only while it renders, or not at all: unknown
//! filters, tags that fan refuses, names guarded against being undefined, the expression around an error.
//! Refuses to judge syntax: a text that does not parse is left to MiniJinja.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::model::suggest::did_you_mean;
use crate::model::template::ansible;
use crate::model::template::filters::{FILTERS, TESTS};
use crate::model::template::parts::{Segment, end_of_string, prepared, segments, unclosed};
use crate::model::template::problem::{Syntax, TemplateError, at};

/// Tags that reach for other templates, or that change how values are written.
const REFUSED: &[&str] = &["include", "import", "from", "extends", "block", "autoescape"];

/// Tags whose body becomes a value: in a script, that value would mix program text with values not yet quoted.
const REFUSED_IN_SCRIPTS: &[&str] = &["macro", "call", "filter"];

/// Words and signs that one expression or tag may have: MiniJinja's stack grows with each.
pub(super) const MAX_TOKENS: usize = 1000;

/// `{% elif %}` that one `{% if %}` may have, for the same reason.
const MAX_BRANCHES: usize = 100;

/// How an expression wants its value written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OutputSpelling {
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
pub(super) fn spelling(code: &str) -> OutputSpelling {
    let tokens = tokens(code);
    let last = match tokens.as_slice() {
        [.., pipe, filter] if pipe.is(b'|') => filter.word(),
        _ => None,
    };
    match (last, tokens.first()) {
        (Some("quote"), _) => OutputSpelling::Quoted,
        (Some("raw"), _) => OutputSpelling::Raw,
        (_, Some(first)) if first.is(b'"') || first.is(b'\'') => OutputSpelling::Constant,
        (_, Some(CodeToken { kind: TokenKind::Word(word), .. }))
            if word.starts_with(|c: char| c.is_ascii_digit()) =>
        {
            OutputSpelling::Constant
        }
        _ => OutputSpelling::Plain,
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

/// Refuses what must not reach the engine, and what it would only find while it renders; gives the text as it reads it.
pub(super) fn lint(text: &str, syntax: Syntax) -> Result<Cow<'_, str>, TemplateError> {
    let prepared = prepared(text, syntax)?;
    if syntax == Syntax::Expression {
        let trimmed = text.trim_start();
        if trimmed.starts_with("{{") || trimmed.starts_with("{%") {
            let inner = trimmed.trim_start_matches("{{").trim_end().trim_end_matches("}}").trim();
            let help = format!("write {inner}");
            return Err(at(text, 0, "an expression is written without braces", Some(help)));
        }
    }
    let mut branches = Vec::new();
    for segment in segments(text, syntax) {
        let tokens = tokens(segment.code);
        lint_length(text, segment.start, &tokens)?;
        if !segment.output {
            lint_branches(text, &segment, &tokens, &mut branches)?;
            lint_tag(text, &segment, &tokens, syntax)?;
        }
        lint_names(text, &segment, &tokens)?;
    }
    // What nothing closes is read before it is refused.
    if let Some(start) = unclosed(text, syntax) {
        lint_length(text, start, &tokens(text.get(start..).unwrap_or_default()))?;
    }
    Ok(prepared)
}

/// Refuses an expression that is too long, at the first word that is one too many.
fn lint_length(text: &str, start: usize, tokens: &[CodeToken<'_>]) -> Result<(), TemplateError> {
    // What commas part lies beside each other, not in each other.
    let mut chain = 0_usize;
    for token in tokens {
        chain = if token.is(b',') { 0 } else { chain + 1 };
        if chain > MAX_TOKENS {
            let help = "split it with {% set %}, or in vars".to_owned();
            let message = format!("an expression of more than {MAX_TOKENS} words and signs");
            return Err(at(text, start + token.at, message, Some(help)));
        }
    }
    Ok(())
}

/// Refuses an `{% if %}` of too many branches; `open` are those of the ones that are open.
fn lint_branches(
    text: &str,
    segment: &Segment<'_>,
    tokens: &[CodeToken<'_>],
    open: &mut Vec<usize>,
) -> Result<(), TemplateError> {
    match tokens.first().and_then(CodeToken::word) {
        Some("if") => open.push(0),
        Some("endif") => {
            open.pop();
        }
        Some("elif") => {
            if open.is_empty() {
                open.push(0);
            }
            if let Some(branches) = open.last_mut() {
                *branches += 1;
                if *branches > MAX_BRANCHES {
                    let help = "look it up in a map: {{ map[key] }}".to_owned();
                    let message = format!("more than {MAX_BRANCHES} {{% elif %}} of one {{% if %}}");
                    return Err(at(text, segment.open, message, Some(help)));
                }
            }
        }
        Some(_) | None => {}
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
                before.replace(**token).is_some_and(|b: CodeToken<'_>| b.is(b'.') || b.is(b'|'));
            !part_of_another && token.word() == Some(name)
        });
        used.map(|token| segment.start + token.at)
    })
}

fn lint_tag(
    text: &str,
    segment: &Segment<'_>,
    tokens: &[CodeToken<'_>],
    syntax: Syntax,
) -> Result<(), TemplateError> {
    let Some(name) = tokens.first().and_then(CodeToken::word) else { return Ok(()) };
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

fn lint_names(text: &str, segment: &Segment<'_>, tokens: &[CodeToken<'_>]) -> Result<(), TemplateError> {
    for (index, token) in tokens.iter().enumerate() {
        let before = |back: usize| index.checked_sub(back).and_then(|index| tokens.get(index));
        let Some(name) = token.word() else { continue };
        let filter = before(1).is_some_and(|t| t.is(b'|'));
        let is = |token: Option<&CodeToken<'_>>| token.and_then(CodeToken::word) == Some("is");
        let test = name != "not"
            && (is(before(1)) && !before(2).is_some_and(|t| t.is(b'.'))
                || (before(1).and_then(CodeToken::word) == Some("not") && is(before(2))));
        let (kind, known, elsewhere) = match (filter, test) {
            (true, _) => ("filter", FILTERS, ansible::filter(name)),
            (false, true) => ("test", TESTS, ansible::test(name)),
            (false, false) => continue,
        };
        if !known.contains(&name) {
            let help = match (name, did_you_mean(name, known.iter().copied())) {
                ("safe", _) => Some("write | raw to put a value into a script unquoted".to_owned()),
                ("escape" | "e", _) => Some("values in scripts are quoted by themselves".to_owned()),
                (_, _) if elsewhere.is_some() => elsewhere.map(str::to_owned),
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
struct CodeToken<'a> {
    at: usize,
    kind: TokenKind<'a>,
}

#[derive(Clone, Copy, Debug)]
enum TokenKind<'a> {
    Word(&'a str),
    Sign(u8),
}

impl<'a> CodeToken<'a> {
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
fn tokens(code: &str) -> Vec<CodeToken<'_>> {
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
            Some(word) if is_word(byte) => found.push(CodeToken { at, kind: TokenKind::Word(word) }),
            // `==`, `<=`, `>=`, `!=` are no assignment.
            Some(_) if matches!(byte, b'=' | b'<' | b'>' | b'!') && bytes.get(end) == Some(&b'=') => {
                found.push(CodeToken { at, kind: TokenKind::Sign(b'~') });
                at = end + 1;
                continue;
            }
            Some(_) if !byte.is_ascii_whitespace() => {
                found.push(CodeToken { at, kind: TokenKind::Sign(byte) })
            }
            Some(_) | None => {}
        }
        at = end;
    }
    found
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}
