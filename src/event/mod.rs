//! What happened in a run: facts in the past tense, with data and without text for people.
//!
//! The contract, held by tests: [`Fact::RunStarted`] is first; every host of the plan has exactly one
//! [`Fact::HostFinished`], also when the run is cancelled; [`Fact::RunFinished`] is last. Only
//! [`Fact::Output`] may be dropped by a reader. Folding the stream into a [`recap::Recap`] gives the same
//! recap live and replayed.

pub mod ledger;
pub mod line;
pub mod recap;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::model::facts::Facts;
use crate::model::inventory::HostName;
use crate::model::lock::Holder;
use crate::model::outcome::{CancelReason, Exit, Failure, Kind, Status, StepStatus};
use crate::model::position::Position;

/// Version of the recorded form of the stream; it grows when a field changes its meaning or goes away.
pub const SCHEMA_VERSION: u32 = 1;

/// One fact with the time at which it became true.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Milliseconds since the run started, monotonic.
    #[serde(rename = "at_ms", with = "millis")]
    pub at: Duration,
    /// What happened.
    #[serde(flatten)]
    pub fact: Fact,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Fact {
    /// The run began: always the first fact.
    RunStarted {
        /// [`SCHEMA_VERSION`].
        schema: u32,
        /// Unique name of the run.
        run: Arc<str>,
        /// What runs, as a title: `deploy`, `exec uptime`.
        title: String,
        /// Wall clock at the start, RFC 3339, UTC.
        started_at: String,
        /// All hosts of the plan, in inventory order.
        hosts: Vec<HostName>,
        /// All tasks of the plan, in order.
        tasks: Vec<TaskSummary>,
        /// Hosts at work at a time, at most.
        pool: usize,
    },
    /// A task began.
    TaskStarted {
        /// Index into `RunStarted.tasks`.
        task: usize,
        /// Its hosts, where they are others than `RunStarted` had: indices into `RunStarted.hosts`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hosts: Option<Vec<usize>>,
    },
    /// The next hosts of a task began. Told of tasks in more than one batch only.
    BatchStarted {
        /// Index into `RunStarted.tasks`.
        task: usize,
        /// Number of the batch, from 1.
        batch: usize,
        /// How many batches the task has.
        of: usize,
        /// Its hosts: indices into `RunStarted.hosts`.
        hosts: Vec<usize>,
    },
    /// A lock is held by somebody else, and the run waits for it. Told again when another one has it.
    LockWaiting {
        /// Index into `RunStarted.tasks`.
        task: usize,
        /// Name of the lock.
        lock: Arc<str>,
        /// The host that keeps it; it may be none of the run's.
        host: HostName,
        /// Who has it, when they said so. Written by a program on the host: sanitise before printing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        holder: Option<Holder>,
    },
    /// A task has its lock: its steps begin.
    LockTaken {
        /// Index into `RunStarted.tasks`.
        task: usize,
        /// Name of the lock.
        lock: Arc<str>,
        /// The host that keeps it.
        host: HostName,
    },
    /// A task could not have its lock, or lost it: no further step of the run begins.
    LockFailed {
        /// Index into `RunStarted.tasks`.
        task: usize,
        /// Name of the lock.
        lock: Arc<str>,
        /// The host that was to keep it.
        host: HostName,
        /// Why.
        failure: Failure,
    },
    /// A task gave its lock back.
    LockReleased {
        /// Index into `RunStarted.tasks`.
        task: usize,
        /// Name of the lock.
        lock: Arc<str>,
        /// The host that kept it.
        host: HostName,
    },
    /// A worker began to open a connection.
    HostConnecting {
        /// Who.
        host: HostName,
        /// `address:port`.
        address: String,
        /// The gateway that leads there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        via: Option<HostName>,
    },
    /// A connection attempt failed in a way that passes, and will be repeated.
    ConnectRetried {
        /// Who.
        host: HostName,
        /// Number of the attempt that failed, from 1.
        attempt: u32,
        /// Why it failed.
        failure: Failure,
        /// Pause before the next attempt.
        #[serde(rename = "delay_ms", with = "millis")]
        delay: Duration,
    },
    /// A host is connected and authenticated.
    HostConnected {
        /// Who.
        host: HostName,
        /// How long each phase took.
        timings: Timings,
        /// How the login was proven: `publickey ED25519 SHA256:...`.
        auth: String,
    },
    /// The local command that is the connection to a host (`ProxyCommand`) wrote a line to its standard error. Its own
    /// words: sanitise before printing.
    ProxySaid {
        /// Whose.
        host: HostName,
        /// What.
        line: String,
    },
    /// A gateway is connected and authenticated; all hosts behind it share the connection.
    GatewayConnected {
        /// Which.
        gateway: HostName,
        /// How long each phase took.
        timings: Timings,
        /// How the login was proven.
        auth: String,
    },
    /// A gateway could not be connected, or its connection broke: told once, however many hosts are behind it.
    GatewayFailed {
        /// Which.
        gateway: HostName,
        /// Why.
        failure: Failure,
    },
    /// A step began on a host.
    StepStarted {
        /// Who.
        host: HostName,
        /// Index into `RunStarted.tasks`.
        task: usize,
        /// Index into that task's steps.
        step: usize,
    },
    /// A host said something. Holds whole lines, but for a line over 64 KiB and the last one of a stream.
    Output {
        /// Who.
        host: HostName,
        /// Index into `RunStarted.tasks`.
        task: usize,
        /// Index into that task's steps.
        step: usize,
        /// On which stream.
        stream: Stream,
        /// The bytes, as the host sent them.
        #[serde(flatten, with = "output_data")]
        data: Bytes,
    },
    /// A step that moves files has come further. Told a few times a second while that is so.
    TransferAdvanced {
        /// Who.
        host: HostName,
        /// Index into `RunStarted.tasks`.
        task: usize,
        /// Index into that task's steps.
        step: usize,
        /// Bytes moved, with those that an earlier transfer had left there.
        done: u64,
        /// Bytes to be moved in all, as far as is known.
        total: u64,
    },
    /// A host told what it is.
    FactsGathered {
        /// Who.
        host: HostName,
        /// Index into `RunStarted.tasks`.
        task: usize,
        /// Index into that task's steps.
        step: usize,
        /// What it told.
        facts: Arc<Facts>,
    },
    /// A step did not go as it should, and will be tried again.
    StepRetried {
        /// Who.
        host: HostName,
        /// Index into `RunStarted.tasks`.
        task: usize,
        /// Index into that task's steps.
        step: usize,
        /// Number of the attempt that failed, from 1.
        attempt: u32,
        /// Why it was not enough.
        failure: Failure,
        /// Pause before the next attempt.
        #[serde(rename = "delay_ms", with = "millis")]
        delay: Duration,
    },
    /// A step asked the user something; the run waits for the answer.
    QuestionAsked {
        /// For which host, and all others of its batch.
        host: HostName,
        /// Index into `RunStarted.tasks`.
        task: usize,
        /// Index into that task's steps.
        step: usize,
        /// What was asked.
        question: String,
    },
    /// The question was answered, or is moot.
    QuestionAnswered {
        /// For which host it was asked.
        host: HostName,
        /// Index into `RunStarted.tasks`.
        task: usize,
        /// Index into that task's steps.
        step: usize,
    },
    /// A step ended on a host.
    StepFinished {
        /// Who.
        host: HostName,
        /// Index into `RunStarted.tasks`.
        task: usize,
        /// Index into that task's steps.
        step: usize,
        /// How.
        outcome: StepOutcome,
    },
    /// A host has its final record: exactly once per host of the plan.
    HostFinished {
        /// Who.
        host: HostName,
        /// How.
        outcome: HostOutcome,
    },
    /// No host is at work in the task any more.
    TaskFinished {
        /// Index into `RunStarted.tasks`.
        task: usize,
    },
    /// The run has been quiet for a while; these hosts are what it waits for, longest-running first.
    StragglersNoticed {
        /// Hosts at work.
        hosts: Vec<Straggler>,
    },
    /// Logins wait for an agent that a person answers for (a touch, a confirmation). Told again every few
    /// seconds while that is so.
    AgentAwaited {
        /// How many hosts have no signature yet.
        hosts: usize,
    },
    /// The user asked the run to stop.
    StopRequested {
        /// By which signal.
        reason: CancelReason,
        /// The second request: connections are closed without grace.
        forced: bool,
    },
    /// The run is over: always the last fact.
    RunFinished {
        /// Set when the user ended it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cancelled: Option<CancelReason>,
    },
}

/// A task as the plan has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskSummary {
    /// Its name; for `fan exec` the command.
    pub name: String,
    /// Its steps, in order.
    pub steps: Vec<StepSummary>,
    /// Indices of its hosts in `RunStarted.hosts`, ascending.
    pub hosts: Vec<usize>,
}

/// A step as the plan has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepSummary {
    /// The key of its action: `run`, `echo`.
    pub action: String,
    /// Its `name`, or the first line of what it does, unrendered.
    pub title: String,
    /// When it runs.
    #[serde(default, skip_serializing_if = "Section::is_steps")]
    pub section: Section,
    /// Where it stands, when it comes from a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
}

/// When a step runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Section {
    /// In its turn.
    #[default]
    Steps,
    /// When a step before it failed.
    Rescue,
    /// At the end, whatever came before.
    Always,
    /// At the end, when a step that changed something asked for it.
    Handlers,
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
    /// Why, when it did not end well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// How its command ended, when one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
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

/// Whether a step left something other than it was. Ordered by how sure that is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Nothing was started that can change anything, or it is known to have changed nothing.
    #[default]
    None,
    /// Something was started that can change something, and nobody knows that it did not: a command that failed
    /// half-way, or one on this machine.
    Possible,
    /// Something was changed: by an item of a loop, or a try before the last.
    Certain,
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
    /// Why, when it did not end well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// The step at which it ended, as (task, step), when it did not end well there.
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

/// Durations as whole milliseconds.
mod millis {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(value.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}

/// Output as `text` when it is UTF-8, as `base64` otherwise: nothing is lost either way.
mod output_data {
    use bytes::Bytes;
    use data_encoding::BASE64;
    use serde::ser::SerializeMap;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[derive(Deserialize)]
    struct Data {
        text: Option<String>,
        base64: Option<String>,
    }

    pub(super) fn serialize<S: Serializer>(data: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        match std::str::from_utf8(data) {
            Ok(text) => map.serialize_entry("text", text)?,
            Err(_) => map.serialize_entry("base64", &BASE64.encode(data))?,
        }
        map.end()
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        match Data::deserialize(deserializer)? {
            Data { text: Some(text), .. } => Ok(Bytes::from(text)),
            Data { base64: Some(data), .. } => {
                BASE64.decode(data.as_bytes()).map(Bytes::from).map_err(D::Error::custom)
            }
            _ => Err(D::Error::custom("output without text or base64")),
        }
    }
}
