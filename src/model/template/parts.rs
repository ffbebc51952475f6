//! What of a text is template: its literal parts, `{{ }}`, `{% %}`, comments and raw blocks. Owns which braces open what
//! in which kind of text; refuses to judge what stands between them.
//!
//! MiniJinja never looks for comments by itself. It gets a text in which those that are meant as such have delimiters that
//! nothing else can spell, and of the same length, so that the places of its errors hold.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::model::template::problem::{Syntax, TemplateError, as_text, at};

/// How comments begin and end for MiniJinja. NUL stands in no text.
pub(super) const COMMENT: (&str, &str) = ("\0#", "#\0");

/// A part of a text.
#[derive(Clone, Copy, Debug)]
enum TemplatePart<'a> {
    /// What is copied.
    Literal { start: usize, end: usize },
    /// `{{ }}` or `{% %}`
    Segment(Segment<'a>),
    /// `{# #}`
    Comment { start: usize, end: usize },
    /// `{% raw %}` or `{% endraw %}`
    RawTag,
    /// A brace pair that nothing closes: what follows is not known.
    Unclosed { start: usize },
}

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
    let segment = |part| match part {
        TemplatePart::Segment(segment) => Some(segment),
        TemplatePart::Literal { .. }
        | TemplatePart::Comment { .. }
        | TemplatePart::RawTag
        | TemplatePart::Unclosed { .. } => None,
    };
    parts(text).into_iter().filter_map(segment).collect()
}

/// Where the code begins that nothing closes.
pub(super) fn unclosed(text: &str, syntax: Syntax) -> Option<usize> {
    if syntax == Syntax::Expression {
        return None;
    }
    parts(text).into_iter().find_map(|part| match part {
        TemplatePart::Unclosed { start } => Some((start + 2).min(text.len())),
        TemplatePart::Literal { .. }
        | TemplatePart::Segment(_)
        | TemplatePart::Comment { .. }
        | TemplatePart::RawTag => None,
    })
}

/// Puts marks in the place of a script's values, as they will stand when it is rendered; tags and comments are left out.
pub(super) fn marked(text: &str) -> (String, Vec<Segment<'_>>) {
    let (mut script, mut outputs) = (String::with_capacity(text.len()), Vec::new());
    for part in parts(text) {
        match part {
            TemplatePart::Literal { start, end } => script.push_str(text.get(start..end).unwrap_or_default()),
            TemplatePart::Segment(segment) if segment.output => {
                let _ = write!(script, "\0{}\0", outputs.len());
                outputs.push(segment);
            }
            TemplatePart::Segment(_) | TemplatePart::Comment { .. } | TemplatePart::RawTag => {}
            TemplatePart::Unclosed { start } => script.push_str(text.get(start..).unwrap_or_default()),
        }
    }
    (script, outputs)
}

/// The text with something else in the place of those `{{ }}` that there is something for. One with tags stays as it is:
/// what they do cannot be seen from outside.
pub fn fill(text: &str, of: impl Fn(&str) -> Option<String>) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut from = 0;
    for part in parts(text) {
        match part {
            TemplatePart::Segment(segment) if segment.output => {
                if let Some(value) = of(segment.code.trim()) {
                    filled.push_str(text.get(from..segment.open).unwrap_or_default());
                    filled.push_str(&value);
                    from = segment.end;
                }
            }
            TemplatePart::Segment(_) | TemplatePart::RawTag => return text.to_owned(),
            TemplatePart::Literal { .. } | TemplatePart::Comment { .. } | TemplatePart::Unclosed { .. } => {}
        }
    }
    filled.push_str(text.get(from..).unwrap_or_default());
    filled
}

/// The text as MiniJinja reads it, of the same length.
///
/// # Errors
/// A NUL byte; in a template, a comment that is not closed; in a script, one that may be something else.
pub(super) fn prepared(text: &str, syntax: Syntax) -> Result<Cow<'_, str>, TemplateError> {
    if let Some(offset) = text.find('\0') {
        return Err(at(text, offset, "a NUL byte in a template", None));
    }
    if syntax == Syntax::Expression || !text.contains("{#") {
        return Ok(Cow::Borrowed(text));
    }
    let mut prepared = String::with_capacity(text.len());
    let mut from = 0;
    for part in parts(text) {
        match part {
            TemplatePart::Comment { start, end } => {
                let inner = text.get(start + 2..end - 2).unwrap_or_default();
                if syntax == Syntax::Shell && !is_comment_of_script(inner) {
                    let help = as_text("{#", Some("a comment of a template is {# one line, with blanks #}"));
                    return Err(at(text, start, "\"{#\" opens a comment in a script", Some(help)));
                }
                prepared.push_str(text.get(from..start).unwrap_or_default());
                for piece in [COMMENT.0, inner, COMMENT.1] {
                    prepared.push_str(piece);
                }
                from = end;
            }
            TemplatePart::Unclosed { start }
                if text.get(start..).is_some_and(|rest| rest.starts_with("{#")) =>
            {
                let help = as_text("{#", Some("close it with \"#}\""));
                return Err(at(text, start, "unclosed \"{#\"", Some(help)));
            }
            TemplatePart::Literal { .. }
            | TemplatePart::Segment(_)
            | TemplatePart::RawTag
            | TemplatePart::Unclosed { .. } => {}
        }
    }
    prepared.push_str(text.get(from..).unwrap_or_default());
    Ok(Cow::Owned(prepared))
}

/// Puts a mark in the place of each `%s` of a text, of the same length; gives their offsets.
///
/// Those of values, tags and comments are none.
pub(super) fn with_holes(text: &str, prepared: &str) -> (String, Vec<usize>) {
    let mut holes = Vec::new();
    for part in parts(text) {
        let (start, end) = match part {
            TemplatePart::Literal { start, end } => (start, end),
            TemplatePart::Unclosed { start } => (start, text.len()),
            TemplatePart::Segment(_) | TemplatePart::Comment { .. } | TemplatePart::RawTag => continue,
        };
        let literal = text.get(start..end).unwrap_or_default();
        holes.extend(literal.match_indices("%s").map(|(index, _)| start + index));
    }
    let mut with_holes = String::with_capacity(prepared.len());
    let mut from = 0;
    for hole in &holes {
        with_holes.push_str(prepared.get(from..*hole).unwrap_or_default());
        with_holes.push_str(crate::model::template::item::HOLE);
        from = hole + 2;
    }
    with_holes.push_str(prepared.get(from..).unwrap_or_default());
    (with_holes, holes)
}

/// Whether what stands between `{#` and `#}` of a script is a comment for certain.
///
/// awk, sed and others have these pairs too; a comment that swallows lines of a script must not go unseen.
fn is_comment_of_script(inner: &str) -> bool {
    let blank = |c: Option<char>| matches!(c, None | Some(' ' | '\t' | '-' | '+'));
    !inner.contains('\n') && blank(inner.chars().next()) && blank(inner.chars().next_back())
}

/// The parts of a text, in order.
fn parts(text: &str) -> Vec<TemplatePart<'_>> {
    let mut found = Vec::new();
    let mut at = 0;
    let literal = |start, end| (start < end).then_some(TemplatePart::Literal { start, end });
    while let Some((open, kind)) = next_open(text, at) {
        found.extend(literal(at, open));
        let end = if kind == b'#' {
            let end = find(text, open + 2, "#}").map(|end| end + 2);
            end.inspect(|&end| found.push(TemplatePart::Comment { start: open, end }))
        } else {
            close(text, open, kind == b'{').map(|segment| {
                if segment.output || segment.code.trim() != "raw" {
                    found.push(TemplatePart::Segment(segment));
                    return segment.end;
                }
                let (inner, end) = end_of_raw(text, segment.end);
                found.push(TemplatePart::RawTag);
                found.extend(literal(segment.end, inner));
                found.push(TemplatePart::RawTag);
                end
            })
        };
        match end {
            Some(end) => at = end,
            None => {
                found.push(TemplatePart::Unclosed { start: open });
                return found;
            }
        }
    }
    found.extend(literal(at, text.len()));
    found
}

/// The offset behind a string's closing quote, or behind the text.
pub(super) fn end_of_string(bytes: &[u8], open: usize) -> usize {
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
///
/// `${#` is none: it is how a shell counts (`${#list[@]}`, `${#}`), in scripts and in files that hold scripts.
fn next_open(text: &str, from: usize) -> Option<(usize, u8)> {
    let bytes = text.as_bytes();
    let rest = bytes.get(from..)?;
    rest.windows(2).enumerate().find_map(|(index, pair)| {
        let open = from + index;
        let counts = || open.checked_sub(1).and_then(|before| bytes.get(before)) == Some(&b'$');
        match *pair {
            [b'{', kind @ (b'{' | b'%')] => Some((open, kind)),
            [b'{', b'#'] if !counts() => Some((open, b'#')),
            _ => None,
        }
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

/// Where the text of a raw block ends, and where its closing tag does.
fn end_of_raw(text: &str, from: usize) -> (usize, usize) {
    let mut at = from;
    while let Some(open) = find(text, at, "{%") {
        match close(text, open, false) {
            Some(segment) if segment.code.trim() == "endraw" => return (open, segment.end),
            Some(_) | None => at = open + 2,
        }
    }
    (text.len(), text.len())
}

fn find(text: &str, from: usize, what: &str) -> Option<usize> {
    text.get(from..)?.find(what).map(|index| from + index)
}
