//! This machine's side: what is to be sent, and a folder that nothing gets out of.
//!
//! - [`sources`]: what the paths and globs of an upload stand for
//! - [`walk`]: all that is in a folder
//! - [`Destination`]: a folder that nothing gets out of, for what comes from a host
//!
//! Everything here blocks: the caller moves it off the runtime's threads. Refuses: hosts, and templates.

mod dest;
mod error;
mod sources;
mod stat;
mod walk;

pub use crate::files::local::error::LocalError;
pub use dest::{Destination, MadeFolder, PendingFile};
pub use sources::{SourceError, SourceKind, UploadSource, sources};
pub use walk::{WalkRules, Walked, walk};
