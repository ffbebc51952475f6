//! What is wrong with a template, in the words and at the place of the user's text. Owns the translation of
//! MiniJinja's errors; refuses to repeat values, which may be secrets.

use minijinja::{Error, ErrorKind};

use crate::model::suggest::did_you_mean;
use crate::model::template::ansible;
use crate::model::template::filters::FUNCTIONS;
use crate::model::template::problem::{Syntax, TemplateError, ValueProblem, as_text, at, is_path, shortened};
use crate::model::template::scope::Scope;
use crate::model::template::source::{first_use, segment_at};

/// Words of other languages that stand between double braces: Go's templates, awk, Vue, GitHub's workflows.
const FOREIGN: &[&str] = &[
    "and",
    "block",
    "define",
    "else",
    "end",
    "eq",
    "exit",
    "github",
    "html",
    "if",
    "index",
    "join",
    "json",
    "len",
    "next",
    "not",
    "or",
    "print",
    "printf",
    "println",
    "prettyjson",
    "range",
    "slice",
    "split",
    "template",
    "title",
    "with",
];

/// Those that open or close a block, which is one text from its first brace to its last.
const FOREIGN_BLOCKS: &[&str] = &["block", "define", "else", "end", "if", "range", "with"];

/// How to write an undefined name that may be another program's, where a text uses it.
pub(super) fn foreign(name: &str, text: &str) -> Option<String> {
    const LONGEST: usize = 100;
    if !FOREIGN.contains(&name) {
        return None;
    }
    let used = first_use(text, Syntax::Text, name).and_then(|offset| segment_at(text, Syntax::Text, offset));
    let whole = used.and_then(|segment| {
        let line = text.get(..segment.open)?.rfind('\n').map_or(0, |at| at + 1);
        let line = text.get(line..)?.lines().next()?;
        let block = line.find("{{").zip(line.rfind("}}")).and_then(|(from, to)| line.get(from..to + 2));
        if FOREIGN_BLOCKS.contains(&name) { block } else { text.get(segment.open..segment.end) }
    });
    let whole = whole.filter(|whole| whole.len() <= LONGEST && !whole.contains('\n'));
    Some(whole.map_or_else(|| as_text(&format!("{{{{{name}}}}}"), None), |whole| as_text(whole, None)))
}

/// The error about an expression that is undefined as a whole.
pub(super) fn undefined(name: &str, text: &str, scope: &Scope) -> TemplateError {
    let offset = text.find(name).unwrap_or(0);
    let message = if is_path(name) {
        format!("undefined variable {name:?}")
    } else {
        format!("{:?} is undefined", shortened(name))
    };
    at(text, offset, message, similar(name, scope))
}

/// Translates an error of the engine.
///
/// Only its kind, its range and its short detail are used: its long form prints variables.
pub(super) fn convert(error: &Error, text: &str, syntax: Syntax, scope: Option<&Scope>) -> TemplateError {
    let offset = error.range().map_or_else(|| line_start(text, error.line()), |range| range.start);
    let segment = segment_at(text, syntax, offset);
    let expression = segment.map_or("", |segment| segment.code.trim());
    if let Some(problem) = problem_in(error) {
        let start = segment.map_or(offset, |s| s.start + s.code.len() - s.code.trim_start().len());
        return problem.into_error(text, start, expression);
    }
    let detail = error.detail().unwrap_or_default();
    if let (Some(name), Some(scope)) = (undefined_name(detail), scope) {
        let start =
            segment.and_then(|s| find_name(s.code, name).map(|index| s.start + index)).unwrap_or(offset);
        return at(text, start, format!("undefined variable {name:?}"), similar(name, scope));
    }
    match error.kind() {
        ErrorKind::SyntaxError => syntax_error(detail, text, syntax, offset),
        ErrorKind::UnknownFunction => {
            let name = detail.trim_end_matches(" is unknown");
            let near = || did_you_mean(name, FUNCTIONS.iter().copied());
            let help = ansible::function(name)
                .map(str::to_owned)
                .or_else(|| near().map(|other| format!("did you mean {other:?}?")));
            at(text, offset, format!("unknown function {name:?}"), help)
        }
        ErrorKind::OutOfFuel => {
            let help = "is there a loop over too many items?".to_owned();
            at(text, offset, "the template runs too long", Some(help))
        }
        // This detail alone spells out its operands.
        _ if detail.starts_with("unable to calculate") => {
            at(text, offset, format!("{:?} cannot be calculated", shortened(expression)), None)
        }
        kind => {
            let what = if detail.is_empty() { kind.to_string() } else { detail.to_owned() };
            at(text, offset, format!("{what} in {:?}", shortened(expression)), None)
        }
    }
}

fn syntax_error(detail: &str, text: &str, syntax: Syntax, offset: usize) -> TemplateError {
    let before = text.get(..offset.min(text.len())).unwrap_or(text);
    let is_template = syntax != Syntax::Expression;
    for (open, close) in [("{{", "}}"), ("{%", "%}"), ("{#", "#}")] {
        let Some(start) = before.rfind(open).filter(|_| is_template) else { continue };
        let inner = text.get(start + 2..).unwrap_or_default();
        // Another opening before any closing one means that this one was forgotten.
        let until = ["{{", "{%"].iter().filter_map(|open| inner.find(open)).min().unwrap_or(inner.len());
        let last = before.rfind(['{']).is_none_or(|brace| brace <= start + 1);
        if last && !inner.get(..until).unwrap_or_default().contains(close) {
            return at(
                text,
                start,
                format!("unclosed \"{open}\""),
                Some(as_text(open, Some(&format!("close it with \"{close}\"")))),
            );
        }
    }
    if let Some(name) = detail.strip_prefix("unknown statement ") {
        let help = if name.starts_with("end") || name.starts_with("el") {
            Some("there is no open block for it".to_owned())
        } else {
            did_you_mean(
                name,
                ["if", "elif", "else", "endif", "for", "endfor", "set", "with", "endwith", "raw"],
            )
            .map(|other| format!("did you mean {other:?}?"))
            .or_else(|| Some(as_text("{%", None)))
        };
        return at(text, offset, format!("unknown tag {name:?}"), help);
    }
    if detail == "unexpected end of input, expected end of block" {
        let help = "end {% if %} with {% endif %} and {% for %} with {% endfor %}".to_owned();
        return at(text, before.rfind("{%").unwrap_or(offset), "a block is not ended", Some(help));
    }
    let message = match detail {
        "unexpected end of string" => "a string is not closed".to_owned(),
        "unexpected end of raw block" => "{% raw %} without {% endraw %}".to_owned(),
        _ => detail.replace("end of variable block", "\"}}\"").replace("end of block", "\"%}\""),
    };
    let help = is_template.then(|| {
        let segment = segment_at(text, syntax, offset);
        let whole =
            segment.and_then(|segment| text.get(segment.open..segment.end)).filter(|whole| whole.len() <= 40);
        as_text(whole.unwrap_or("{{"), None)
    });
    at(text, offset, message, help)
}

/// The name in MiniJinja's "`name` is undefined", which stands alone or at the end of a longer detail.
fn undefined_name(detail: &str) -> Option<&str> {
    let (before, _) = detail.rsplit_once("` is undefined")?;
    before.rsplit_once('`').map(|(_, name)| name)
}

/// Finds a name that is not a part of a longer one.
fn find_name(code: &str, name: &str) -> Option<usize> {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(name).map(|(index, _)| index).find(|index| {
        let (before, rest) = code.split_at(*index);
        let after = rest.strip_prefix(name).unwrap_or_default();
        !before.ends_with(part) && !before.ends_with('.') && !after.starts_with(part)
    })
}

/// Offers a name that exists: a variable, or a key of the map that a dotted name goes through.
fn similar(name: &str, scope: &Scope) -> Option<String> {
    if let Some(help) = ansible::variable(name.split('.').next().unwrap_or(name)) {
        return Some(help.to_owned());
    }
    let other = match name.rsplit_once('.') {
        None => did_you_mean(name, scope.names())?.to_owned(),
        Some((parent, key)) => {
            let mut parts = parent.split('.');
            let root = scope.get(parts.next()?)?;
            let map = parts.try_fold(root, |value, part| value.get_attr(part).ok())?;
            let keys: Vec<String> = map.try_iter().ok()?.map(|key| key.to_string()).collect();
            format!("{parent}.{}", did_you_mean(key, keys.iter().map(String::as_str))?)
        }
    };
    Some(format!("did you mean {other:?}?"))
}

fn problem_in(error: &Error) -> Option<ValueProblem> {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if let Some(problem) = cause.downcast_ref::<ValueProblem>() {
            return Some(problem.clone());
        }
        source = cause.source();
    }
    None
}

fn line_start(text: &str, line: Option<usize>) -> usize {
    text.split_inclusive('\n').take(line.unwrap_or(1).saturating_sub(1)).map(str::len).sum()
}
