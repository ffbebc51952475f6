//! `%s`: where a script names a file whose path is known only when the script runs. Owns how the path is spelled there;
//! refuses to look for `%s` in what has been rendered, where a value may hold it.

use crate::model::template::item::{HOLE, Hole};
use crate::model::template::lexer::state::{Lexer, QuotePlace};

impl Lexer<'_> {
    /// Notes the hole that stands here, if one does.
    pub(super) fn hole(&mut self, quoted: bool) -> bool {
        if !self.starts_with(HOLE.as_bytes()) {
            return false;
        }
        let bare = !quoted && matches!(self.place(), QuotePlace::Bare);
        self.holes.push(Hole { at: self.out.len(), bare });
        self.at += HOLE.len();
        self.after_name = false;
        self.in_word = true;
        true
    }
}
