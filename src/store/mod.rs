//! Floor 2: what is kept of runs. Each run has a folder of its own under `$XDG_STATE_HOME/fan/runs`, written while the run
//! goes on (docs/design/journal.md).
//!
//! - `folder`: the folders, opened without following links, for their owner only
//! - `recipe`: what a run was started with
//! - [`Journal`]: the run as it goes, a line per fact
//! - `record`: what can be read back, also after a crash
//! - `import`: a run of another machine
//! - `chain`: runs that take up each other
//! - `prune`: how long runs are kept
//!
//! Refuses: rendering, asking the engine. Nothing in here fails a run.

mod chain;
mod error;
mod files;
mod folder;
mod import;
mod journal;
mod lock;
mod opened;
mod prune;
mod recipe;
mod record;
mod syncer;
mod tail;
#[cfg(test)]
mod tests;

pub use crate::store::chain::Hold;
pub use crate::store::error::StoreError;
pub use crate::store::folder::Runs;
pub use crate::store::journal::Journal;
pub use crate::store::prune::Keep;
pub use crate::store::recipe::{Again, Recipe, RecipeSource, Way};
pub use crate::store::record::{RecordEntry, RunState, Stored};
pub use crate::store::tail::RunTail;
