//! `-v`: how each host was reached, and each step as it begins.

use std::io::{self, Write};

use crate::event::{
    ConnectionFact, Event, Fact, GatewayFact, LockAt, LockFact, RunFact, StepAt, StepFact, TaskSummary,
};
use crate::report::reporter::Reporter;
use crate::report::sink::Sink;
use crate::report::style::Style;
use crate::report::words::{count_hosts, step_label, waits};

/// Tells what [`Lines`](crate::report::Lines) keeps to itself. Goes before it in a composite.
pub struct Verbose {
    talk: Sink,
    style: Style,
    tasks: Vec<TaskSummary>,
}

impl Verbose {
    /// Writes to fan's stderr.
    pub fn new(talk: Box<dyn Write + Send>, style: Style) -> Self {
        Self { talk: Sink::new(talk), style, tasks: Vec::new() }
    }

    fn say(&mut self, line: &str) -> io::Result<()> {
        self.talk.buffer().extend_from_slice(self.style.text(line).as_bytes());
        self.talk.buffer().push(b'\n');
        // At once: the lines of other reporters follow.
        self.talk.drain()
    }
}

impl Reporter for Verbose {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        match &event.fact {
            Fact::Run(RunFact::Started { run, tasks, pool, .. }) => {
                self.tasks.clone_from(tasks);
                self.say(&format!("run {run}, {} at a time", count_hosts(*pool)))
            }
            Fact::Connection(host, ConnectionFact::Began { address, via }) => {
                let via = via.as_ref().map(|gateway| format!(" via {gateway}")).unwrap_or_default();
                self.say(&format!("{host}: connecting to {address}{via}"))
            }
            Fact::Gateway(gateway, GatewayFact::Connected { timings, auth }) => self.say(&format!(
                "gateway {gateway}: connected (connect {} ms, handshake {} ms, auth {} ms) by {auth}",
                timings.connect.as_millis(),
                timings.handshake.as_millis(),
                timings.auth.as_millis(),
            )),
            Fact::Connection(host, ConnectionFact::Connected { timings, auth }) => self.say(&format!(
                "{host}: connected (queued {} ms, connect {} ms, handshake {} ms, auth {} ms) by {auth}",
                timings.queued.as_millis(),
                timings.connect.as_millis(),
                timings.handshake.as_millis(),
                timings.auth.as_millis(),
            )),
            Fact::Lock(LockAt { lock, host, .. }, LockFact::Taken) => {
                self.say(&format!("{host}: lock {lock} taken"))
            }
            Fact::Lock(LockAt { lock, host, .. }, LockFact::Released) => {
                self.say(&format!("{host}: lock {lock} released"))
            }
            Fact::Step(StepAt { host, task, step }, StepFact::Started) => {
                let label = step_label(&self.tasks, Some((*task, *step)));
                if label.is_empty() { Ok(()) } else { self.say(&format!("{host}: {}", label.trim_end())) }
            }
            Fact::Step(StepAt { host, task, step }, StepFact::Waiting { at_most }) => {
                let label = step_label(&self.tasks, Some((*task, *step)));
                self.say(&format!("{host}: {label}{}", waits(*at_most)))
            }
            Fact::Run(
                RunFact::StragglersNoticed { .. }
                | RunFact::AgentAwaited { .. }
                | RunFact::StopRequested { .. }
                | RunFact::Finished { .. },
            )
            | Fact::Task(..)
            | Fact::Lock(_, LockFact::Waiting { .. } | LockFact::Failed { .. })
            | Fact::Connection(_, ConnectionFact::Retried { .. } | ConnectionFact::ProxySaid { .. })
            | Fact::Gateway(_, GatewayFact::Failed { .. })
            | Fact::Step(
                _,
                StepFact::JobStarted { .. }
                | StepFact::Detached { .. }
                | StepFact::Reattached { .. }
                | StepFact::Retried { .. }
                | StepFact::Output { .. }
                | StepFact::Finished { .. }
                | StepFact::TransferAdvanced { .. }
                | StepFact::QuestionAsked { .. }
                | StepFact::QuestionAnswered
                | StepFact::FactsGathered { .. },
            )
            | Fact::HostFinished { .. }
            | Fact::Record(_)
            | Fact::Unknown(_) => Ok(()),
        }
    }

    fn idle(&mut self) -> io::Result<()> {
        self.talk.flush()
    }

    fn finish(&mut self) -> io::Result<()> {
        self.talk.finish()
    }
}
