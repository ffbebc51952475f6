//! What is wrong with a file: collected while it is read, sorted, and shown all at once.

use std::fmt;

use crate::model::position::{Diagnostic, Position};

/// Errors of one file that are printed; the rest is counted.
pub const MAX_SHOWN: usize = 20;

/// Everything that is wrong with an input; never empty.
///
/// Displayed as one line per error, at most [`MAX_SHOWN`] of them, then `... and N more`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    /// All errors, in the order of the file.
    pub fn errors(&self) -> &[Diagnostic] {
        &self.0
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(error: Diagnostic) -> Self {
        Self(vec![error])
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().take(MAX_SHOWN).enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{error}")?;
        }
        match self.0.len().saturating_sub(MAX_SHOWN) {
            0 => Ok(()),
            more => write!(f, "\n... and {more} more"),
        }
    }
}

impl std::error::Error for Diagnostics {}

/// A file that was read well, and what its author should still know.
#[derive(Clone, Debug)]
pub struct Loaded<T> {
    /// What the file says.
    pub value: T,
    /// Things that are allowed and probably not meant.
    pub warnings: Vec<Diagnostic>,
}

/// Collects errors and warnings while a file is read.
#[derive(Debug, Default)]
pub(super) struct Findings {
    errors: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
}

impl Findings {
    /// Notes an error without help.
    pub(super) fn error(&mut self, at: &Position, message: impl Into<String>) {
        self.push(Diagnostic::at(at, message));
    }

    /// Notes an error that says what to write instead.
    pub(super) fn error_help(&mut self, at: &Position, message: impl Into<String>, help: impl Into<String>) {
        self.push(Diagnostic::at(at, message).help(help));
    }

    /// Notes an error made elsewhere.
    pub(super) fn push(&mut self, error: Diagnostic) {
        self.errors.push(error);
    }

    /// Notes several of them.
    pub(super) fn extend(&mut self, errors: impl IntoIterator<Item = Diagnostic>) {
        self.errors.extend(errors);
    }

    /// Notes a warning.
    pub(super) fn warn(&mut self, warning: Diagnostic) {
        self.warnings.push(warning.warning());
    }

    /// How many warnings were noted so far.
    pub(super) fn warned(&self) -> usize {
        self.warnings.len()
    }

    /// Takes back the warnings beyond the first ones: what they are about turned out to be something else.
    pub(super) fn forget_warnings(&mut self, first: usize) {
        self.warnings.truncate(first);
    }

    /// Gives what has no place the one where the file is named that it is about.
    pub(super) fn place(&mut self, at: &Position) {
        for finding in self.errors.iter_mut().chain(&mut self.warnings) {
            finding.position.get_or_insert_with(|| at.clone());
        }
    }

    /// Takes over what was found elsewhere.
    pub(super) fn absorb(&mut self, other: Self) {
        self.errors.extend(other.errors);
        self.warnings.extend(other.warnings);
    }

    /// Whether an error was noted so far.
    pub(super) fn any(&self) -> bool {
        !self.errors.is_empty()
    }

    /// Ends the reading: `value` if nothing is wrong, else every error; errors and warnings once, in file order.
    ///
    /// The same can be found twice when an alias repeats the part of the file where it stands.
    pub(super) fn finish<T>(mut self, value: T) -> Result<Loaded<T>, Diagnostics> {
        if self.errors.is_empty() {
            self.warnings.sort_by(|a, b| a.position.cmp(&b.position));
            self.warnings.dedup();
            return Ok(Loaded { value, warnings: self.warnings });
        }
        Err(self.take_errors())
    }

    /// The errors noted so far, sorted, each once.
    pub(super) fn take_errors(&mut self) -> Diagnostics {
        let mut errors = std::mem::take(&mut self.errors);
        errors.sort_by(|a, b| a.position.cmp(&b.position));
        errors.dedup();
        Diagnostics(errors)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_come_in_file_order_once_and_at_most_twenty() {
        let mut findings = Findings::default();
        for line in (1..=23).rev() {
            findings.error(&Position::new("f", line, 1), format!("e{line}"));
        }
        findings.error(&Position::new("f", 23, 1), "e23");
        let shown = findings.finish(()).unwrap_err().to_string();
        assert!(shown.starts_with("f:1:1: error: e1\nf:2:1: error: e2\n"), "{shown}");
        assert!(shown.ends_with("f:20:1: error: e20\n... and 3 more"), "{shown}");
    }
}
