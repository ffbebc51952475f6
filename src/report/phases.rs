//! `fan ping` and `fan check --connect`: one line per host with the time of each phase of reaching it.

use std::collections::HashMap;
use std::io::{self, Write};
use std::time::Duration;

use serde_json::json;

use crate::event::{
    ConnectionFact, Event, Fact, HostOutcome, LockAt, LockFact, RunFact, StepAt, StepFact, Stream, Timings,
};
use crate::model::cells;
use crate::model::count::counted;
use crate::model::inventory::HostName;
use crate::model::outcome::{Failure, StepStatus};
use crate::model::value::{Value, Vars};
use crate::report::reporter::Reporter;
use crate::report::sink::Sink;
use crate::report::style::Style;
use crate::report::words::failure_text;

/// Bytes that are kept of what a step says.
const LONGEST_SAID: usize = 32;

/// Prints a host as soon as it is done. The first step is told as `exec`, those of a preflight
/// behind it as `shell`, `files` and `sudo`.
pub struct Phases {
    out: Sink,
    as_json: bool,
    width: usize,
    hosts: HashMap<HostName, Reached>,
}

/// What is known of a host that is still under way.
#[derive(Default)]
struct Reached {
    timings: Option<Timings>,
    auth: String,
    exec: Duration,
    /// The step after the command, where there is one.
    shell: Option<Duration>,
    /// What that said.
    said: Vec<u8>,
    /// The step after that.
    files: Option<Duration>,
    /// Those after that, together.
    sudo: Option<Duration>,
}

impl Phases {
    /// Writes to fan's stdout: a table, or one JSON object per line.
    pub fn new(out: Box<dyn Write + Send>, as_json: bool) -> Self {
        Self { out: Sink::new(out), as_json, width: 0, hosts: HashMap::new() }
    }

    /// What durable commands have left there, if anything.
    fn kept(reached: &Reached) -> Option<u64> {
        std::str::from_utf8(&reached.said).ok()?.trim().parse().ok()
    }

    fn done(&mut self, host: &HostName, outcome: &HostOutcome) -> io::Result<()> {
        let reached = self.hosts.remove(host).unwrap_or_default();
        if outcome.is_left_out() && !self.as_json {
            return Ok(());
        }
        let line =
            if self.as_json { object(host, &reached, outcome) } else { self.row(host, &reached, outcome) };
        self.out.buffer().extend_from_slice(line.as_bytes());
        self.out.buffer().push(b'\n');
        if let (false, Some(jobs)) = (self.as_json, Self::kept(&reached)) {
            let jobs = counted(jobs, "durable command");
            let note =
                format!("{host}: keeps the output of {jobs} that nobody fetched: fan jobs -H {host}\n");
            self.out.buffer().extend_from_slice(note.as_bytes());
        }
        self.out.spill()
    }

    /// Whether a lock can be had now.
    fn lock(&mut self, lock: &str, host: &HostName, failure: Option<&Failure>) -> io::Result<()> {
        let line = if self.as_json {
            json!({"lock": lock, "host": host, "free": failure.is_none(), "failure": failure}).to_string()
        } else {
            match failure {
                None => format!("lock {lock} on {host}: free"),
                Some(failure) => failure_text(failure),
            }
        };
        self.out.buffer().extend_from_slice(Style::default().text(&line).as_bytes());
        self.out.buffer().push(b'\n');
        self.out.spill()
    }

    fn row(&self, host: &HostName, reached: &Reached, outcome: &HostOutcome) -> String {
        let name = cells::pad(host.as_str(), self.width);
        let status = outcome.status;
        let Some(timings) = &reached.timings else {
            let kind = outcome.failure.as_ref().map(|failure| failure.kind.as_str()).unwrap_or_default();
            return format!("{name}  {status}  {kind}");
        };
        let queued = match timings.queued.as_millis() {
            0 => String::new(),
            queued => format!("queued {queued} ms  "),
        };
        let phase = |name: &str, time: Option<Duration>| {
            time.map(|time| format!("{name} {} ms  ", time.as_millis())).unwrap_or_default()
        };
        let (shell, files) = (phase("shell", reached.shell), phase("files", reached.files));
        let sudo = phase("sudo", reached.sudo);
        let auth = Style::default().text(&reached.auth).into_owned();
        format!(
            "{name}  {status}  {queued}connect {} ms  handshake {} ms  auth {} ms  exec {} ms  {shell}{files}{sudo}{auth}",
            timings.connect.as_millis(),
            timings.handshake.as_millis(),
            timings.auth.as_millis(),
            reached.exec.as_millis(),
        )
    }
}

fn object(host: &HostName, reached: &Reached, outcome: &HostOutcome) -> String {
    let mut object = Vars::new();
    let mut put = |name: &str, value: Value| object.insert(name.to_owned(), value);
    put("host", json!(host));
    put("status", json!(outcome.status));
    if let Some(timings) = &reached.timings {
        put("timings", json!(timings));
        let millis = |time: Duration| json!(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
        put("exec_ms", millis(reached.exec));
        if let Some(shell) = reached.shell {
            put("shell_ms", millis(shell));
        }
        if let Some(files) = reached.files {
            put("files_ms", millis(files));
        }
        if let Some(sudo) = reached.sudo {
            put("sudo_ms", millis(sudo));
        }
        put("auth", json!(reached.auth));
        if let Some(jobs) = Phases::kept(reached) {
            put("jobs", json!(jobs));
        }
    }
    if let Some(failure) = &outcome.failure {
        put("failure", json!(failure));
    }
    Value::Object(object).to_string()
}

impl Reporter for Phases {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        match &event.fact {
            Fact::Run(RunFact::Started { hosts, .. }) => {
                self.width = hosts.iter().map(|host| cells::width(host.as_str())).max().unwrap_or(0);
                Ok(())
            }
            Fact::Connection(host, ConnectionFact::Connected { timings, auth }) => {
                let reached = self.hosts.entry(host.clone()).or_default();
                reached.timings = Some(*timings);
                reached.auth.clone_from(auth);
                Ok(())
            }
            Fact::Step(StepAt { host, step, .. }, StepFact::Finished { outcome, .. }) => {
                let reached = self.hosts.entry(host.clone()).or_default();
                match step {
                    0 => reached.exec = outcome.elapsed,
                    1 => reached.shell = Some(outcome.elapsed),
                    2 => reached.files = Some(outcome.elapsed),
                    _ if outcome.status == StepStatus::Skipped => {}
                    _ => reached.sudo = Some(reached.sudo.unwrap_or_default() + outcome.elapsed),
                }
                Ok(())
            }
            Fact::Step(StepAt { host, step: 1, .. }, StepFact::Output { stream: Stream::Stdout, data }) => {
                // A number, and no more of whatever else it may be.
                let said = &mut self.hosts.entry(host.clone()).or_default().said;
                said.extend(data.iter().take(LONGEST_SAID.saturating_sub(said.len())));
                Ok(())
            }
            Fact::HostFinished { host, outcome } => self.done(host, outcome),
            Fact::Lock(LockAt { lock, host, .. }, LockFact::Taken) => self.lock(lock, host, None),
            Fact::Lock(LockAt { lock, host, .. }, LockFact::Failed { failure }) => {
                self.lock(lock, host, Some(failure))
            }
            Fact::Run(
                RunFact::StragglersNoticed { .. }
                | RunFact::AgentAwaited { .. }
                | RunFact::StopRequested { .. }
                | RunFact::Finished { .. },
            )
            | Fact::Task(..)
            | Fact::Lock(_, LockFact::Waiting { .. } | LockFact::Released)
            | Fact::Connection(
                _,
                ConnectionFact::Began { .. }
                | ConnectionFact::ProxySaid { .. }
                | ConnectionFact::Retried { .. },
            )
            | Fact::Gateway(..)
            | Fact::Step(
                _,
                StepFact::JobStarted { .. }
                | StepFact::Waiting { .. }
                | StepFact::Detached { .. }
                | StepFact::Reattached { .. }
                | StepFact::Retried { .. }
                | StepFact::Started
                | StepFact::Output { .. }
                | StepFact::TransferAdvanced { .. }
                | StepFact::QuestionAsked { .. }
                | StepFact::QuestionAnswered
                | StepFact::FactsGathered { .. },
            )
            | Fact::Record(_)
            | Fact::Unknown(_) => Ok(()),
        }
    }

    fn idle(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn finish(&mut self) -> io::Result<()> {
        self.out.finish()
    }
}
