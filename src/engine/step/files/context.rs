//! What the work of a step on files may use, and what it gives.

use std::sync::Arc;

use crate::engine::host::shared_files::SharedFiles;
use crate::event::Change;
use crate::files::progress::TransferProgress;
use crate::model::inventory::HostName;
use crate::model::value::Vars;

/// What the work may use.
pub(super) struct Context<'a> {
    pub(super) host: &'a HostName,
    pub(super) shared: &'a Arc<SharedFiles>,
    pub(super) progress: &'a TransferProgress,
    /// Bytes that this host may have on their way.
    pub(super) in_flight: usize,
    /// More than one host is at this step.
    pub(super) many: bool,
    /// Changes to text are wanted.
    pub(super) diff: bool,
    /// Nothing is to be changed.
    pub(super) dry_run: bool,
}

/// What a step on files did.
#[derive(Default)]
pub(super) struct FilesDone {
    /// Something on the host was changed, or would be.
    pub(super) changed: bool,
    /// What a dry run found that it would change on this machine.
    pub(super) would_change: Change,
    /// What `register` stores besides.
    pub(super) values: Vars,
    /// A line for the report.
    pub(super) note: String,
    /// Changes to text, for `--diff`.
    pub(super) difference: Option<String>,
    /// Data for stdout.
    pub(super) output: Vec<u8>,
}
