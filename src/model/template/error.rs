//! What is wrong with a template, in the words and at the place of the user's text. Owns the translation of
//! MiniJinja's errors; refuses to repeat values, which may be secrets.

use minijinja::{Error, ErrorKind};
use thiserror::Error as ThisError;

use super::filters::FUNCTIONS;
use super::scope::Scope;
use super::source::{first_use, segment_at};
use super::twice::Wants;
use super::{MAX_EXPANSION, Syntax};
use crate::model::position::{Diagnostic, Position};
use crate::model::suggest::did_you_mean;

/// What is wrong with a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateError {
    /// Line within the text, from 1.
    pub line: u32,
    /// Character within that line, from 1, when known.
    pub column: Option<u32>,
    /// Lowercase fragment.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
}

impl TemplateError {
    /// Places the error in the file that holds the text.
    ///
    /// `position` is that of the text's first character; later lines are taken to begin in the same column, as
    /// those of a block scalar do.
    pub fn diagnostic(&self, position: &Position) -> Diagnostic {
        let mut place = position.clone();
        place.line = place.line.saturating_add(self.line.saturating_sub(1));
        place.column = place.column.saturating_add(self.column.map_or(0, |column| column.saturating_sub(1)));
        let mut diagnostic = Diagnostic::at(&place, self.message.clone());
        diagnostic.help.clone_from(&self.help);
        diagnostic
    }
}

/// What is wrong with a value where a template uses it. Travels through MiniJinja as an error's source.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
#[error("a value cannot be used here")]
pub(super) enum Problem {
    /// A list where text is needed.
    List,
    /// A map where text is needed.
    Map,
    /// Null where text is needed.
    Null,
    /// A value, or part of one, that is undefined.
    Undefined,
    /// A list of something else than texts where words are needed.
    Items,
    /// A function, or anything else that has no text.
    NoText,
    /// A number beyond 64 bits, or none.
    NoNumber,
    /// A text with a NUL byte in a script.
    Nul,
    /// All values together are longer than [`MAX_EXPANSION`].
    TooLong,
    /// A list of more items than a value may have.
    TooMany,
    /// An environment variable that is not set.
    Unset(String),
    /// No spelling gives this value here.
    Place {
        /// Completes "cannot be quoted".
        place: String,
        /// What to write instead.
        help: String,
    },
    /// A place that a shell evaluates once more.
    Evaluated {
        /// Completes "cannot stand".
        place: String,
        /// What could.
        wants: Wants,
    },
    /// A variable of the script that has the value stands in such a place.
    Kept {
        /// Completes "cannot stand".
        place: String,
        /// What could.
        wants: Wants,
    },
    /// A list where the shell cannot take words.
    WordsPlace {
        /// Completes "is a list, which cannot stand".
        place: &'static str,
    },
}

impl Problem {
    /// Says what is wrong with the value of an expression.
    fn describe(&self, expression: &str) -> (String, Option<String>) {
        let subject = if is_path(expression) {
            format!("variable {expression:?}")
        } else {
            format!("value of {:?}", shortened(expression))
        };
        let shown = shortened(expression);
        match self {
            Self::List => {
                (format!("{subject} is a list"), Some(format!("write {{{{ {shown} | join(\",\") }}}}")))
            }
            Self::Map => (
                format!("{subject} is a map"),
                Some(format!("write {{{{ {shown} | tojson }}}}, or name a key")),
            ),
            Self::Null => (
                format!("{subject} is null"),
                Some(format!("write {{{{ {shown} | default(\"...\", true) }}}}")),
            ),
            Self::Undefined => (format!("{subject} is or holds something undefined"), None),
            Self::Items => (format!("{subject} contains items that are not text"), None),
            Self::NoText => (format!("{subject} has no text"), None),
            Self::NoNumber => (format!("{subject} is not a finite number of 64 bits"), None),
            Self::Nul => (format!("{subject} holds a NUL byte, which no command line can carry"), None),
            Self::TooLong => (too_long().message, too_long().help),
            Self::TooMany => {
                let most = super::value::MAX_ITEMS;
                (
                    format!("{subject} has more than {most} items"),
                    Some("take a part of it: [:1000]".to_owned()),
                )
            }
            Self::Unset(name) => (
                format!("environment variable {name} is not set"),
                Some(format!("set it, or write env('{name}', 'default')")),
            ),
            Self::Place { place, help } => {
                (format!("value of {shown:?} cannot be quoted {place}"), Some(help.clone()))
            }
            Self::Evaluated { place, wants } => {
                let with = |filter: &str| {
                    if is_path(expression) {
                        format!("{{{{ {shown} | {filter} }}}}")
                    } else {
                        format!("{{{{ ({shown}) | {filter} }}}}")
                    }
                };
                let help = match wants {
                    Wants::Number => format!("write {}", with("int")),
                    Wants::Name => "only the name of a variable can stand here: write it yourself, and the value behind =".to_owned(),
                    Wants::Plain => "write > FILE 2>&1, or a name without special characters".to_owned(),
                    Wants::Program => format!("write {} inside the quotes of that text, or pass it by the step's `env` and write \"$NAME\" there", with("quote")),
                    Wants::Foreign => "pass it as an argument, or by the step's `env`".to_owned(),
                    Wants::Delimited => "take a delimiter that it does not have: s|old|new|; it must not end a line either".to_owned(),
                };
                (format!("value of {shown:?} cannot stand {place}: it would be evaluated"), Some(help))
            }
            Self::Kept { place, wants } => {
                let help = match wants {
                    Wants::Number => format!("write {{{{ {shown} | int }}}} where the variable is set"),
                    Wants::Name => "only the name of a variable can stand there: write it yourself".to_owned(),
                    Wants::Plain => "give the variable a name without special characters".to_owned(),
                    Wants::Program | Wants::Foreign | Wants::Delimited => "keep the shell from putting it in: with single quotes around that text, and the value in the step's `env`; or write {{ value | quote }} there".to_owned(),
                };
                (
                    format!(
                        "value of {shown:?} is kept in a variable, which stands {place} further down: it would be evaluated"
                    ),
                    Some(help),
                )
            }
            Self::WordsPlace { place } => (
                format!("{subject} is a list, which cannot stand {place}"),
                Some(format!("write it as a word of its own, or {{{{ {shown} | join(\" \") }}}}")),
            ),
        }
    }

    /// The error about an expression that begins at a byte offset.
    pub(super) fn into_error(self, text: &str, offset: usize, expression: &str) -> TemplateError {
        let (message, help) = self.describe(expression);
        at(text, offset, message, help)
    }
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Error::new(ErrorKind::InvalidOperation, "a value cannot be used here").with_source(problem)
    }
}

/// An error at a byte offset of a text.
pub(super) fn at(
    text: &str,
    offset: usize,
    message: impl Into<String>,
    help: Option<String>,
) -> TemplateError {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    TemplateError {
        line: u32::try_from(line).unwrap_or(u32::MAX),
        column: Some(u32::try_from(column).unwrap_or(u32::MAX)),
        message: message.into(),
        help,
    }
}

/// How to write braces that are meant for another program.
pub(super) fn as_text(braces: &str, or: Option<&str>) -> String {
    let raw = format!("for another program's braces, write {{% raw %}}{braces}{{% endraw %}}");
    or.map_or_else(|| raw.clone(), |or| format!("{or}; {raw}"))
}

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

/// The error of an expansion that does not end in sight.
pub(super) fn too_long() -> TemplateError {
    TemplateError {
        line: 1,
        column: None,
        message: format!("the template expands to more than {} KiB", MAX_EXPANSION / 1024),
        help: None,
    }
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
            let help =
                did_you_mean(name, FUNCTIONS.iter().copied()).map(|other| format!("did you mean {other:?}?"));
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

fn problem_in(error: &Error) -> Option<Problem> {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if let Some(problem) = cause.downcast_ref::<Problem>() {
            return Some(problem.clone());
        }
        source = cause.source();
    }
    None
}

fn line_start(text: &str, line: Option<usize>) -> usize {
    text.split_inclusive('\n').take(line.unwrap_or(1).saturating_sub(1)).map(str::len).sum()
}

/// Whether the expression is a name with keys (`app`, `out.stdout`).
pub(super) fn is_path(expression: &str) -> bool {
    !expression.is_empty()
        && expression.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '.')
        && !expression.starts_with(|c: char| c.is_ascii_digit())
}

/// An expression on one line of bearable length.
pub(super) fn shortened(expression: &str) -> String {
    let flat = expression.split_whitespace().collect::<Vec<_>>().join(" ");
    if flat.chars().count() <= 60 {
        return flat;
    }
    flat.chars().take(57).chain("...".chars()).collect()
}
