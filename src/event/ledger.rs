//! What a run is written down in while it goes on: the seam between the engine, which tells, and the store, which keeps.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::event::Event;
use crate::model::inventory::HostName;
use crate::model::value::Vars;

/// Keeps what is told, before any reader hears of it and before anything comes of it: a step is written down as begun
/// before its command is sent.
pub trait Ledger: Send + Sync + fmt::Debug {
    /// Takes in one event, in order, without its secrets. What cannot be written fails no run.
    fn write(&self, event: &Event);

    /// Takes in the variables that a step defined on a host, before the event that ends the step.
    fn keep(&self, kept: &Kept);
}

/// The variables that a step defined on a host. They are no part of the event stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// Who.
    pub host: HostName,
    /// Index into the run's tasks.
    pub task: usize,
    /// Index into that task's steps.
    pub step: usize,
    /// The variables.
    pub vars: Vars,
    /// Names of those that are not among them: they hold a secret, or are too large.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<String>,
}
