//! Command lines as users of other tools type them: what they mean here is done where it can mean nothing else, and said
//! where it cannot be done as it stands.
//!
//! - `scan`: a command line gone through by clap's definitions
//! - `flags`: flags of other tools, and flags of fan's that mean something else there
//! - `verbs`: commands of other tools
//! - `answer`: all that is to be said about a command line, in one pass
//! - `names`: hosts, roles and tasks where others are expected
//!
//! Refuses: guessing. Nothing is carried out that was not typed.

mod answer;
mod flags;
mod names;
mod scan;
mod verbs;

pub(super) use crate::cli::habits::answer::answers;
pub(super) use crate::cli::habits::flags::quoted;
pub(super) use crate::cli::habits::names::{
    NamedHosts, exec_on, instead_of_hosts, selection_of, unknown_tasks,
};
pub(super) use crate::cli::habits::scan::{LineWord, scan};
pub(super) use crate::cli::habits::verbs::verb;
