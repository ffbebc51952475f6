//! What is wrong with a template or a value in it, and at which place of the text.

use minijinja::{Error, ErrorKind};
use thiserror::Error as ThisError;

/// What a value must be in a place that is evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wants {
    /// A decimal number. Anything else is arithmetic: names, their subscripts, and the commands within those.
    Number,
    /// The name of a variable. A subscript behind it is evaluated.
    Name,
    /// A text without anything that a shell knows, or one quoted for it: the place is a program.
    Program,
    /// A text without anything that a shell knows.
    Plain,
    /// A text that ends no string and begins no command in a program of another language.
    Foreign,
    /// A text that does not end where it stands.
    Delimited,
}

/// The most items of a list that is taken out of the engine: each takes many times the room of its text.
pub(super) const MAX_ITEMS: usize = 100_000;

/// How deep lists and maps may lie in each other in a value that is taken out of the engine.
pub(super) const MAX_LEVELS: usize = 128;

/// The most that one template may expand to, in bytes.
pub const MAX_EXPANSION: usize = 1024 * 1024;

/// How a text is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syntax {
    /// Plain text with `{{ }}`.
    Text,
    /// A shell script with `{{ }}`: values are quoted for the place where they stand.
    Shell,
    /// One expression without braces (`when`).
    Expression,
}

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

/// What is wrong with a value where a template uses it. Travels through MiniJinja as an error's source.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
#[error("a value cannot be used here")]
pub(super) enum ValueProblem {
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
    /// Lists and maps in each other, deeper than [`MAX_LEVELS`].
    TooDeep,
    /// An environment variable that is not set.
    Unset(String),
    /// What is looked up outside the template cannot be had.
    Elsewhere {
        /// A lowercase fragment.
        message: String,
        /// What to write instead.
        help: Option<String>,
    },
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

impl ValueProblem {
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
                let most = crate::model::template::problem::MAX_ITEMS;
                (
                    format!("{subject} has more than {most} items"),
                    Some("take a part of it: [:1000]".to_owned()),
                )
            }
            Self::TooDeep => (format!("{subject} has more than {MAX_LEVELS} levels of lists and maps"), None),
            Self::Unset(name) => (
                format!("environment variable {name} is not set"),
                Some(format!("set it, or write env('{name}', 'default')")),
            ),
            Self::Elsewhere { message, help } => (message.clone(), help.clone()),
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

impl From<ValueProblem> for Error {
    fn from(problem: ValueProblem) -> Self {
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

/// The error of an expansion that does not end in sight.
pub(super) fn too_long() -> TemplateError {
    TemplateError {
        line: 1,
        column: None,
        message: format!("the template expands to more than {} KiB", MAX_EXPANSION / 1024),
        help: None,
    }
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
