//! What facts are made of: tasks and steps as the plan has them, and how steps and hosts ended.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::event::encoding::millis;
use crate::model::inventory::HostName;
use crate::model::outcome::{Exit, Failure, Kind, Status, StepStatus};
use crate::model::position::Position;
use crate::model::words::{or_none, words};

/// A task as the plan has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskSummary {
    /// Its name; for `fan exec` the command.
    pub name: String,
    /// Its steps, in order.
    pub steps: Vec<StepSummary>,
    /// Indices of its hosts in the run's hosts, ascending.
    pub hosts: Vec<usize>,
}

/// A step as the plan has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepSummary {
    /// The key of its action: `run`, `echo`.
    pub action: String,
    /// Its `name`, or the first line of what it does, with the values that are known before the run and are the same on
    /// all hosts.
    pub title: String,
    /// The same as it is written, where that is something else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<String>,
    /// When it runs.
    #[serde(default, skip_serializing_if = "Section::is_steps")]
    pub section: Section,
    /// Where it stands, when it comes from a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
}

words! {
    /// When a step runs.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    Section(|_| Section::Handlers) {
        /// In its turn.
        #[default]
        Steps = "steps",
        /// When a step before it failed.
        Rescue = "rescue",
        /// At the end, whatever came before.
        Always = "always",
        /// At the end, when a step that changed something asked for it.
        Handlers = "handlers",
    }
}

impl StepSummary {
    /// Its title as it is written: what makes it the same step in another run.
    pub fn written(&self) -> &str {
        self.written.as_deref().unwrap_or(&self.title)
    }
}

impl Section {
    fn is_steps(&self) -> bool {
        *self == Self::Steps
    }

    /// Whether every host that ends well goes through its steps.
    pub fn is_for_all(self) -> bool {
        matches!(self, Self::Steps | Self::Always)
    }
}

/// How long each phase of opening a connection took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timings {
    /// Waiting for a free start (8 unauthenticated connections per address).
    #[serde(rename = "queued_ms", with = "millis")]
    pub queued: Duration,
    /// Name lookup and TCP connect.
    #[serde(rename = "connect_ms", with = "millis")]
    pub connect: Duration,
    /// Banner, key exchange and host key.
    #[serde(rename = "handshake_ms", with = "millis")]
    pub handshake: Duration,
    /// Authentication.
    #[serde(rename = "auth_ms", with = "millis")]
    pub auth: Duration,
}

/// An output stream of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// How a step ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StepOutcome {
    /// The status.
    pub status: StepStatus,
    /// Why, when it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// How its command ended, when one did.
    #[serde(default, deserialize_with = "or_none", skip_serializing_if = "Option::is_none")]
    pub exit: Option<Exit>,
    /// A line to show for it: what `echo` prints, what a transfer moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// What it changed in files, or would, when that was asked for: unified diffs of texts, and lists of paths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difference: Option<String>,
    /// Whether something is other than before, where the status does not say so.
    #[serde(default, skip_serializing_if = "Change::is_none")]
    pub change: Change,
    /// The command was started and its end was not seen.
    #[serde(default)]
    pub may_still_run: bool,
    /// An earlier run did it, and this one passed over it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub earlier: bool,
    /// A dry run left it out, or part of it: what it would do, or needs, is not known.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub not_known: bool,
    /// What a dry run found that it would change, on the host or here; or may, as that is not known.
    #[serde(default, skip_serializing_if = "Change::is_none")]
    pub would_change: Change,
    /// How long it took.
    #[serde(rename = "elapsed_ms", with = "millis")]
    pub elapsed: Duration,
}

impl StepOutcome {
    /// Whether something is other than before.
    pub fn changed(&self) -> Change {
        if self.status == StepStatus::Changed { Change::Certain } else { self.change }
    }
}

words! {
    /// Whether a step left something other than it was. Ordered by how sure that is.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
    Change(|_| Change::Possible) {
        /// Nothing was started that can change anything, or it is known to have changed nothing.
        #[default]
        None = "none",
        /// Something was started that can change something, and nobody knows that it did not: a command that failed
        /// half-way, or one on this machine.
        Possible = "possible",
        /// Something was changed: by an item of a loop, or a try before the last.
        Certain = "certain",
    }
}

impl Change {
    fn is_none(&self) -> bool {
        *self == Self::None
    }
}

/// How a host ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostOutcome {
    /// The status.
    pub status: Status,
    /// Why, when it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// The step at which it ended, as (task, step), when it failed there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<(usize, usize)>,
    /// A command had been started there.
    pub started: bool,
    /// A command may still be running there.
    #[serde(default)]
    pub may_still_run: bool,
}

impl HostOutcome {
    /// Whether `--where` left the host out: that is no bad end.
    pub fn is_left_out(&self) -> bool {
        self.status == Status::Skipped
            && self.failure.as_ref().is_some_and(|failure| failure.kind == Kind::Where)
    }
}

/// A host that the run is waiting for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Straggler {
    /// Who.
    pub host: HostName,
    /// How long its current step, or its connection attempt, has been going on.
    #[serde(rename = "running_ms", with = "millis")]
    pub running: Duration,
    /// How long ago it last sent something.
    #[serde(rename = "silent_ms", with = "millis")]
    pub silent: Duration,
}
