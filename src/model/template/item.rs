//! What stands in a script: values with their marks, and files that are not known yet.

use crate::model::shell::{is_plain, single_quoted_bytes};

/// A place of a script where a path belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hole {
    /// Its offset in the script.
    pub(super) at: usize,
    /// Whether the path stands by itself there, outside quotes and all else.
    pub(super) bare: bool,
}

/// A command for a file whose path is known only when it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileCommand {
    pub(super) script: String,
    pub(super) hole: Hole,
}

impl FileCommand {
    /// The command for the file of this path, which begins with `/` or `.`; none when the path needs quotes where there
    /// are some already, which another program may read (`sh -c 'nginx -t -c %s'`).
    pub fn about(&self, path: &[u8]) -> Option<Vec<u8>> {
        let (before, behind) = self.script.as_bytes().split_at_checked(self.hole.at)?;
        let path = if self.hole.bare {
            single_quoted_bytes(path)
        } else {
            std::str::from_utf8(path).ok().filter(|path| is_plain(path))?.as_bytes().to_vec()
        };
        Some([before, &path, behind].concat())
    }
}

/// A value that stands somewhere in a script.
#[derive(Clone, Debug)]
pub(super) enum ScriptItem {
    /// One text.
    Word {
        /// The text.
        plain: String,
        /// What to write in its stead inside quotes: the author quoted it for a shell further down.
        quoted: Option<String>,
    },
    /// The items of a list.
    Words(Vec<String>),
}

impl ScriptItem {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Word { plain, quoted } => plain.len().max(quoted.as_ref().map_or(0, String::len)),
            Self::Words(words) => words.iter().map(|word| word.len() + 1).sum(),
        }
    }
}

/// What stands for a file that is not known yet; as long as the `%s` that it replaces.
pub(super) const HOLE: &str = "\0s";

/// A script with its values quoted.
#[derive(Debug)]
pub(super) struct Rendered {
    /// Its text.
    pub script: String,
    /// Where it names a file.
    pub holes: Vec<Hole>,
}
