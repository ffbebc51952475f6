//! Why the answer of a host holds no facts.

/// Why an answer tells nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FactsError {
    /// The script did not begin.
    #[error("the host returned no facts{}", said(.0))]
    NoAnswer(String),
    /// It did not come to its end.
    #[error("the host's facts end in the middle")]
    Incomplete,
    /// It would not end.
    #[error("the facts are larger than {} MiB", MAX_ANSWER / 1024 / 1024)]
    TooLong,
}

pub(super) fn said(line: &str) -> String {
    if line.is_empty() { String::new() } else { format!(": it said {line:?}") }
}

/// Bytes of an answer that are read.
pub const MAX_ANSWER: usize = 4 * 1024 * 1024;
