//! Errors of a whole run in words: `error:`, causes, `hint:`, and the exit code.

use std::io::{self, Write};
use std::panic;
use std::sync::{PoisonError, RwLock};

use tracing::info;

use crate::config::Diagnostics;
use crate::model::outcome::ExitCode;
use crate::model::position::Diagnostic;
use crate::model::redact::Redactor;
use crate::model::secret::Secret;
use crate::model::text::{self, Sgr};

/// Problems shown at a time; the rest is counted.
const SHOWN: usize = 20;

/// Why nothing ran, or why its results could not be told.
#[derive(Debug)]
pub(super) enum CliError {
    /// What the user wrote is wrong: all of it.
    Input(Vec<Diagnostic>),
    /// The machine did not do its part.
    Local {
        /// What was being done.
        doing: String,
        /// What happened.
        source: io::Error,
    },
    /// The user left at a question; there is nothing to say about it.
    Interrupted,
}

impl CliError {
    /// One problem without a place in a file.
    pub(super) fn input(message: impl Into<String>) -> Self {
        Self::Input(vec![Diagnostic::bare(message)])
    }

    /// The same with what is known better: the problems of these messages have their help.
    pub(super) fn explained(self, better: &[Diagnostic]) -> Self {
        let Self::Input(mut problems) = self else { return self };
        for problem in &mut problems {
            if let Some(known) = better.iter().find(|known| known.message == problem.message) {
                problem.help.clone_from(&known.help);
            }
        }
        Self::Input(problems)
    }

    /// The exit code that it means.
    pub(super) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Input(_) => ExitCode::Input,
            Self::Local { .. } => ExitCode::LocalIo,
            Self::Interrupted => ExitCode::Interrupted,
        }
    }
}

impl From<Diagnostics> for CliError {
    fn from(problems: Diagnostics) -> Self {
        Self::Input(problems.errors().to_vec())
    }
}

impl From<Vec<Diagnostic>> for CliError {
    fn from(problems: Vec<Diagnostic>) -> Self {
        Self::Input(problems)
    }
}

impl From<Diagnostic> for CliError {
    fn from(problem: Diagnostic) -> Self {
        Self::Input(vec![problem])
    }
}

impl CliError {
    /// The error as text, each problem with input as `word` has it.
    pub(super) fn worded(&self, word: impl Fn(&Diagnostic) -> String) -> String {
        match self {
            Self::Input(problems) => {
                let mut lines: Vec<String> = problems.iter().take(SHOWN).map(word).collect();
                if let Some(more @ 1..) = problems.len().checked_sub(SHOWN) {
                    lines.push(format!("... and {more} more"));
                }
                lines.join("\n")
            }
            Self::Interrupted => String::new(),
            Self::Local { doing, source } => format!("error: {doing}\n  caused by: {source}"),
        }
    }
}

/// What is hidden in all that is said. The process has one stderr, and so one of these.
static HIDDEN: RwLock<Option<Redactor>> = RwLock::new(None);

/// Hides secrets in all that is said from now on, also by panics.
pub(super) fn hide(redactor: &Redactor) {
    if redactor.is_empty() {
        return;
    }
    let before = HIDDEN.write().unwrap_or_else(PoisonError::into_inner).replace(redactor.clone());
    if before.is_none() {
        panic::set_hook(Box::new(|panicked| talk(&panicked.to_string())));
    }
}

/// Hides one more secret.
pub(super) fn hide_also(secret: &Secret) {
    let hidden = HIDDEN.read().unwrap_or_else(PoisonError::into_inner).clone().unwrap_or_default();
    hide(&hidden.and(secret));
}

/// A text without the secrets that are known.
pub(super) fn redacted(message: &str) -> String {
    let hidden = HIDDEN.read().unwrap_or_else(PoisonError::into_inner).clone().unwrap_or_default();
    hidden.redact(message).into_owned()
}

/// Prints text for the user on stderr, made safe for a terminal line by line, and without secrets.
pub(super) fn talk(message: &str) {
    let message = redacted(message);
    info!("said: {}", message.trim_end());
    let mut stderr = io::stderr().lock();
    for line in message.lines() {
        // When stderr is gone there is nowhere to report it.
        let _ = writeln!(stderr, "{}", text::sanitize(line.as_bytes(), Sgr::Escape));
    }
}
