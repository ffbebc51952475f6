//! What the user chose for folded output.

use crate::report::lines::Layout;
use crate::report::style::Style;

/// What stands around the output of a step.
#[derive(Clone, Copy, Debug)]
pub enum FoldFrame {
    /// A heading, for people.
    Plain,
    /// A group in a log of GitHub's runner. Everything goes to one stream.
    Github,
    /// A section in a log of GitLab's runner. Everything goes to one stream.
    Gitlab {
        /// Seconds since 1970.
        clock: fn() -> u64,
    },
}

/// Choices of the user.
#[derive(Clone, Copy, Debug)]
pub struct FoldOptions {
    /// The form of output lines.
    pub layout: Layout,
    /// Colours and trust.
    pub style: Style,
    /// What stands around the output of a step.
    pub frame: FoldFrame,
    /// The odd ones are shown by what sets them apart from the majority.
    pub diff: bool,
}
