//! What is wrong with a key file.

use std::path::Path;

/// What is wrong with a file, without its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeyProblem {
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

impl KeyProblem {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    pub(super) fn hinted(message: impl Into<String>, hint: &str) -> Self {
        Self { message: message.into(), hint: Some(hint.to_owned()) }
    }

    pub(super) fn at(self, path: &Path) -> KeyError {
        KeyError { path: path.display().to_string(), message: self.message, hint: self.hint }
    }
}

/// Why a key file cannot be used: a message and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct KeyError {
    /// The file.
    pub path: String,
    /// Lowercase fragment; never quotes the file.
    pub message: String,
    /// What to type next.
    pub hint: Option<String>,
}
