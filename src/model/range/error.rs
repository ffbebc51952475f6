//! What is wrong with a pattern, and where.

/// What is wrong with a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternError {
    /// Character in the pattern, from 1.
    pub column: u32,
    /// Lowercase fragment.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
}

impl PatternError {
    /// An error at a character of the pattern, counted from 1.
    pub fn at(column: u32, message: impl Into<String>) -> Self {
        Self { column, message: message.into(), help: None }
    }

    /// Adds what to write instead.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same error in a longer text, in which the pattern begins at `column` (from 1).
    #[must_use]
    pub fn within(mut self, column: u32) -> Self {
        self.column = self.column.saturating_add(column).saturating_sub(1);
        self
    }
}
