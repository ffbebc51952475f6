//! `-v`: how each host was reached, and each step as it begins.

use std::io::{self, Write};

use crate::event::{Event, Fact, TaskSummary};
use crate::report::reporter::Reporter;
use crate::report::sink::Sink;
use crate::report::style::Style;
use crate::report::words::{count_hosts, step_label};

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
            Fact::RunStarted { run, tasks, pool, .. } => {
                self.tasks.clone_from(tasks);
                self.say(&format!("run {run}, {} at a time", count_hosts(*pool)))
            }
            Fact::HostConnecting { host, address, via } => {
                let via = via.as_ref().map(|gateway| format!(" via {gateway}")).unwrap_or_default();
                self.say(&format!("{host}: connecting to {address}{via}"))
            }
            Fact::GatewayConnected { gateway, timings, auth } => self.say(&format!(
                "gateway {gateway}: connected (connect {} ms, handshake {} ms, auth {} ms) by {auth}",
                timings.connect.as_millis(),
                timings.handshake.as_millis(),
                timings.auth.as_millis(),
            )),
            Fact::HostConnected { host, timings, auth } => self.say(&format!(
                "{host}: connected (queued {} ms, connect {} ms, handshake {} ms, auth {} ms) by {auth}",
                timings.queued.as_millis(),
                timings.connect.as_millis(),
                timings.handshake.as_millis(),
                timings.auth.as_millis(),
            )),
            Fact::LockTaken { task: _, lock, host } => self.say(&format!("{host}: lock {lock} taken")),
            Fact::LockReleased { task: _, lock, host } => self.say(&format!("{host}: lock {lock} released")),
            Fact::StepStarted { host, task, step } => {
                let label = step_label(&self.tasks, Some((*task, *step)));
                if label.is_empty() { Ok(()) } else { self.say(&format!("{host}: {}", label.trim_end())) }
            }
            Fact::TaskStarted { .. }
            | Fact::BatchStarted { .. }
            | Fact::LockWaiting { .. }
            | Fact::LockFailed { .. }
            | Fact::StepRetried { .. }
            | Fact::ConnectRetried { .. }
            | Fact::Output { .. }
            | Fact::GatewayFailed { .. }
            | Fact::ProxySaid { .. }
            | Fact::StepFinished { .. }
            | Fact::HostFinished { .. }
            | Fact::TaskFinished { .. }
            | Fact::TransferAdvanced { .. }
            | Fact::StragglersNoticed { .. }
            | Fact::QuestionAsked { .. }
            | Fact::QuestionAnswered { .. }
            | Fact::FactsGathered { .. }
            | Fact::AgentAwaited { .. }
            | Fact::StopRequested { .. }
            | Fact::RunFinished { .. } => Ok(()),
        }
    }

    fn idle(&mut self) -> io::Result<()> {
        self.talk.flush()
    }

    fn finish(&mut self) -> io::Result<()> {
        self.talk.finish()
    }
}
