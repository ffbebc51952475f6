//! `%s`: where a script names a file whose path is known only when the script runs. Owns how the path is spelled there;
//! refuses to look for `%s` in what has been rendered, where a value may hold it.

use super::Lexer;
use super::emit::Place;
use crate::model::shell::{is_plain, single_quoted_bytes};
use crate::model::template::script::HOLE;

/// A place of a script where a path belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::model::template) struct Hole {
    /// Its offset in the script.
    at: usize,
    /// Whether the path stands by itself there, outside quotes and all else.
    bare: bool,
}

/// A command for a file whose path is known only when it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileCommand {
    pub(in crate::model::template) script: String,
    pub(in crate::model::template) hole: Hole,
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

impl Lexer<'_> {
    /// Notes the hole that stands here, if one does.
    pub(super) fn hole(&mut self, quoted: bool) -> bool {
        if !self.starts_with(HOLE.as_bytes()) {
            return false;
        }
        let bare = !quoted && matches!(self.place(), Place::Bare);
        self.holes.push(Hole { at: self.out.len(), bare });
        self.at += HOLE.len();
        self.after_name = false;
        self.in_word = true;
        true
    }
}
