//! What happened, by what it happened to: the run, a task, a lock, a connection, a gateway, a step, a host.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::event::encoding::{millis, output_data};
use crate::event::parts::{HostOutcome, StepOutcome, Straggler, Stream, TaskSummary, Timings};
use crate::model::facts::Facts;
use crate::model::inventory::HostName;
use crate::model::lock::Holder;
use crate::model::outcome::{CancelReason, Failure};
use crate::model::value::Vars;

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// Of the run as a whole.
    Run(RunFact),
    /// Of a task, which is an index into [`RunFact::Started`]'s tasks.
    Task(usize, TaskFact),
    /// Of a task's lock.
    Lock(LockAt, LockFact),
    /// Of the connection to a host.
    Connection(HostName, ConnectionFact),
    /// Of a gateway; all hosts behind it share its connection.
    Gateway(HostName, GatewayFact),
    /// Of a step on a host.
    Step(StepAt, StepFact),
    /// A host has its final record: exactly once per host of the plan.
    HostFinished {
        /// Who.
        host: HostName,
        /// How.
        outcome: HostOutcome,
    },
    /// What a run that goes on from this one needs besides: in a recorded stream. Readers pass over it.
    Record(RecordFact),
    /// Something that only a later version knows of: in a recorded run. Readers pass over it.
    Unknown(UnknownFact),
}

/// A lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockAt {
    /// The task that wants it: an index into [`RunFact::Started`]'s tasks.
    pub task: usize,
    /// Its name.
    pub lock: Arc<str>,
    /// The host that keeps it; it may be none of the run's.
    pub host: HostName,
}

/// A step on a host.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct StepAt {
    /// Who.
    pub host: HostName,
    /// Index into [`RunFact::Started`]'s tasks.
    pub task: usize,
    /// Index into that task's steps.
    pub step: usize,
}

/// An event of a later version. What else its line says is in [`Event::beyond`](crate::event::Event::beyond).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownFact {
    /// Its word.
    pub event: String,
    /// Index into [`RunFact::Started`]'s tasks, where it has one.
    pub task: Option<usize>,
}

/// Makes the facts about one subject: each with the word that it has in the stream, next to which its fields stand.
macro_rules! facts {
    ($(#[$meta:meta])* $name:ident {
        $($(#[$doc:meta])* $variant:ident = $word:literal
            $({ $($(#[$attribute:meta])* $field:ident: $type:ty,)+ })?,)+
    }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Serialize)]
        #[serde(untagged)]
        pub enum $name {
            $($(#[$doc])* $variant $({ $($(#[$attribute])* $field: $type,)+ })?,)+
        }

        impl $name {
            pub(super) fn word(&self) -> &'static str {
                match self { $(Self::$variant { .. } => $word,)+ }
            }

            /// Reads it from the line of an event; none when the event is about something else.
            pub(super) fn read(event: &str, line: &Value) -> serde_json::Result<Option<Self>> {
                match event {
                    $($word => {
                        #[derive(Deserialize)]
                        struct Fields { $($($(#[$attribute])* $field: $type,)+)? }
                        let Fields { $($($field,)+)? } = Fields::deserialize(line)?;
                        Ok(Some(Self::$variant $({ $($field,)+ })?))
                    })+
                    _ => Ok(None),
                }
            }
        }
    };
}

facts! {
    /// What happened to the run as a whole.
    RunFact {
        /// It began: always the first fact.
        Started = "run_started" {
            /// [`SCHEMA_VERSION`](crate::event::SCHEMA_VERSION).
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
        /// It has been quiet for a while; these hosts are what it waits for, longest-running first.
        StragglersNoticed = "stragglers_noticed" {
            /// Hosts at work.
            hosts: Vec<Straggler>,
        },
        /// Logins wait for an agent that a person answers for (a touch, a confirmation). Told again every few
        /// seconds while that is so.
        AgentAwaited = "agent_awaited" {
            /// How many hosts have no signature yet.
            hosts: usize,
        },
        /// The user asked it to stop.
        StopRequested = "stop_requested" {
            /// By which signal.
            reason: CancelReason,
            /// The second request: connections are closed without grace.
            forced: bool,
        },
        /// It is over: always the last fact.
        Finished = "run_finished" {
            /// Set when the user ended it.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            cancelled: Option<CancelReason>,
        },
    }
}

facts! {
    /// What a run that goes on from this one needs besides. The journal keeps it in files of its own.
    RecordFact {
        /// What the run was started with: second, where somebody records it.
        CommandGiven = "command_given" {
            /// As the journal has it: command line, folder, files. Secrets are masked.
            recipe: Value,
        },
        /// A step defined variables on a host; told before the fact that ends the step.
        VariablesDefined = "variables_defined" {
            /// Who.
            host: HostName,
            /// Index into [`RunFact::Started`]'s tasks.
            task: usize,
            /// Index into that task's steps.
            step: usize,
            /// The variables.
            vars: Vars,
            /// Names of those that are not among them: they hold a secret, or are too large.
            #[serde(default, skip_serializing_if = "Vec::is_empty")]
            lost: Vec<String>,
        },
    }
}

facts! {
    /// What happened to a task.
    TaskFact {
        /// It began.
        Started = "task_started" {
            /// Its hosts, where they are others than the plan had: indices into the run's hosts.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            hosts: Option<Vec<usize>>,
        },
        /// Its next hosts began. Told of tasks in more than one batch only.
        BatchStarted = "batch_started" {
            /// Number of the batch, from 1.
            batch: usize,
            /// How many batches the task has.
            of: usize,
            /// Its hosts: indices into the run's hosts.
            hosts: Vec<usize>,
        },
        /// No host is at work in it any more.
        Finished = "task_finished",
    }
}

facts! {
    /// What happened to a task's lock.
    LockFact {
        /// It is held by someone else, and the run waits for it. Told again when another one has it.
        Waiting = "lock_waiting" {
            /// Who has it, when they said so. Written by a program on the host: sanitise before printing.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            holder: Option<Holder>,
        },
        /// The task has it: its steps begin.
        Taken = "lock_taken",
        /// The task could not have it, or lost it: no further step of the run begins.
        Failed = "lock_failed" {
            /// Why.
            failure: Failure,
        },
        /// The task gave it back.
        Released = "lock_released",
    }
}

facts! {
    /// What happened on the way to a host.
    ConnectionFact {
        /// A worker began to open a connection.
        Began = "host_connecting" {
            /// `address:port`.
            address: String,
            /// The gateway that leads there.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            via: Option<HostName>,
        },
        /// An attempt failed in a way that passes, and will be repeated.
        Retried = "connect_retried" {
            /// Number of the attempt that failed, from 1.
            attempt: u32,
            /// Why it failed.
            failure: Failure,
            /// Pause before the next attempt.
            #[serde(rename = "delay_ms", with = "millis")]
            delay: Duration,
        },
        /// The host is connected and authenticated.
        Connected = "host_connected" {
            /// How long each phase took.
            timings: Timings,
            /// How the login was proven: `publickey ED25519 SHA256:...`.
            auth: String,
        },
        /// The local command that is the connection (`ProxyCommand`) wrote a line to its standard error. Its own
        /// words: sanitise before printing.
        ProxySaid = "proxy_said" {
            /// What.
            line: String,
        },
    }
}

facts! {
    /// What happened to a gateway.
    GatewayFact {
        /// It is connected and authenticated.
        Connected = "gateway_connected" {
            /// How long each phase took.
            timings: Timings,
            /// How the login was proven.
            auth: String,
        },
        /// It could not be connected, or its connection broke: told once, however many hosts are behind it.
        Failed = "gateway_failed" {
            /// Why.
            failure: Failure,
        },
    }
}

facts! {
    /// What happened to a step on a host.
    StepFact {
        /// The host has come to it and waits, as enough others are in it (`throttle`). Told before it begins.
        Waiting = "step_waiting" {
            /// How many may be in it.
            at_most: u32,
        },
        /// It began.
        Started = "step_started",
        /// The host said something. Holds whole lines, but for a line over 64 KiB and the last one of a stream.
        Output = "output" {
            /// On which stream.
            stream: Stream,
            /// The bytes, as the host sent them.
            #[serde(flatten, with = "output_data")]
            data: Bytes,
        },
        /// It moves files, and has come further. Told a few times a second while that is so.
        TransferAdvanced = "transfer_advanced" {
            /// Bytes moved, with those that an earlier transfer had left there.
            done: u64,
            /// Bytes to be moved in all, as far as is known.
            total: u64,
        },
        /// The host told what it is.
        FactsGathered = "facts_gathered" {
            /// What it told.
            facts: Arc<Facts>,
        },
        /// It did not go as it should, and will be tried again.
        Retried = "step_retried" {
            /// Number of the attempt that failed, from 1.
            attempt: u32,
            /// Why it was not enough.
            failure: Failure,
            /// Pause before the next attempt.
            #[serde(rename = "delay_ms", with = "millis")]
            delay: Duration,
        },
        /// Its command was started apart from the connection, or found there from an earlier run.
        JobStarted = "job_started" {
            /// The name under which the host keeps it.
            job: Arc<str>,
        },
        /// The connection to its command, which outlives it, is gone, and is being opened again.
        Detached = "detached" {
            /// Why it is gone.
            failure: Failure,
        },
        /// Its command is followed again.
        Reattached = "reattached" {
            /// For how long the connection was gone.
            #[serde(rename = "away_ms", with = "millis")]
            away: Duration,
        },
        /// It asked the user something, for this host and all others of its batch; the run waits for the answer.
        QuestionAsked = "question_asked" {
            /// What was asked.
            question: String,
        },
        /// The question was answered, or is moot.
        QuestionAnswered = "question_answered",
        /// It ended.
        Finished = "step_finished" {
            /// How.
            outcome: StepOutcome,
        },
    }
}
