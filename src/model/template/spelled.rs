//! A text with a spelling of its own in scripts.

use std::fmt;
use std::sync::Arc;

use minijinja::Value;
use minijinja::value::{Object, ObjectRepr};

/// A text with a spelling of its own in scripts: what `raw` and `quote` give there.
///
/// Anywhere else (in `~`, `join`, a comparison) it is its plain text, so that it cannot carry a privilege into
/// a larger value.
#[derive(Debug)]
pub(super) enum Spelled {
    /// Written into the script as it is.
    Raw(String),
    /// A value that the author quoted already.
    Quoted {
        /// The value itself, for a place where the script needs it as one word.
        plain: Value,
        /// The quoted text, for a place inside quotes.
        text: String,
    },
}

impl Object for Spelled {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &**self {
            Self::Raw(text) | Self::Quoted { text, .. } => f.write_str(text),
        }
    }
}
