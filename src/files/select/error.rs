//! A pattern that cannot be read.

use std::fmt;

use thiserror::Error;

/// A pattern that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub struct SelectError {
    /// Its line in a file, from 1; none for a pattern that is in no file.
    pub line: Option<usize>,
    /// As it was written.
    pub pattern: String,
    /// What is wrong with it.
    pub message: String,
}

impl fmt::Display for SelectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        write!(f, "pattern {:?}: {}", self.pattern, self.message)
    }
}
