//! What makes hosts equal: what they said in a step, and how it ended there.

use crate::report::capture::TextId;

/// All that a host said and how it ended: hosts with equal ones stand together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct FoldSaid {
    pub(super) stdout: Option<TextId>,
    pub(super) stderr: Option<TextId>,
    /// How the step ended, when there is something to say about it.
    pub(super) ending: String,
    pub(super) failed: bool,
    pub(super) note: Option<String>,
    pub(super) difference: Option<String>,
}
