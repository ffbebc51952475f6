//! What each host is at, folded from the events: for the list, and for the page of one host.

use std::collections::HashMap;
use std::time::Duration;

use crate::event::{
    ConnectionFact, Event, Fact, RunFact, StepAt, StepFact, StepOutcome, TaskFact, TaskSummary,
};
use crate::model::inventory::HostName;
use crate::model::outcome::{CancelReason, Status, StepStatus};
use crate::report::notices::host_notice;
use crate::report::style::Style;
use crate::report::view::scrollback::{Scrollback, share};
use crate::report::words::{duration, failure_text, is_single_command, waits};

/// What a host is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    /// Nothing yet, or it waits for others between steps.
    Waiting,
    /// On the way to it.
    Connecting,
    /// At this step.
    Step(usize, usize),
    /// It has its final record.
    Ended(Status),
}

impl At {
    /// As a word.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Connecting => "connecting",
            Self::Step(..) => "running",
            Self::Ended(status) => status.as_str(),
        }
    }

    /// Where it stands in an order by status: what needs a look first.
    pub(super) fn rank(self) -> usize {
        let of = |status: Status| Status::ALL.iter().position(|&other| other == status).unwrap_or_default();
        match self {
            Self::Ended(Status::Ok) => 50,
            Self::Ended(status) => of(status),
            Self::Step(..) => 20,
            Self::Connecting => 30,
            Self::Waiting => 40,
        }
    }
}

/// A host.
#[derive(Debug)]
pub(super) struct ViewHost {
    pub(super) name: HostName,
    /// Its name, clean.
    pub(super) shown: Box<str>,
    pub(super) at: At,
    /// The last step that it was at.
    pub(super) step: Option<(usize, usize)>,
    /// When it began what it is at, on the run's clock.
    since: Duration,
    /// When it was first heard of, and when it ended.
    first: Option<Duration>,
    ended: Option<Duration>,
    pub(super) said: Scrollback,
    /// The user has cancelled it, and it has not ended yet.
    pub(super) cancelled: bool,
}

impl ViewHost {
    /// For how long it has been at it; for one that has ended, how long all took.
    pub(super) fn time(&self, now: Duration) -> Option<Duration> {
        match (self.at, self.first) {
            (At::Ended(_), Some(first)) => Some(self.ended.unwrap_or(now).saturating_sub(first)),
            (At::Ended(_), None) | (At::Waiting, _) => None,
            (At::Connecting | At::Step(..), _) => Some(now.saturating_sub(self.since)),
        }
    }
}

/// All hosts of a run.
#[derive(Debug, Default)]
pub(super) struct ViewHosts {
    pub(super) title: String,
    pub(super) tasks: Vec<TaskSummary>,
    pub(super) hosts: Vec<ViewHost>,
    index: HashMap<HostName, usize>,
    /// The run's clock at the last event.
    pub(super) clock: Duration,
    pub(super) stopping: Option<CancelReason>,
    pub(super) finished: bool,
    /// Counts what was taken in: what was worked out from less is out of date.
    pub(super) version: u64,
    /// Bytes that each host may keep.
    share: usize,
}

impl ViewHosts {
    /// Takes in one event.
    pub(super) fn apply(&mut self, event: &Event) {
        self.clock = self.clock.max(event.at);
        self.version += 1;
        match &event.fact {
            Fact::Run(RunFact::Started { title, hosts, tasks, run: _, .. }) => {
                self.start(title, hosts, tasks);
            }
            Fact::Run(RunFact::StopRequested { reason, .. }) => self.stopping = Some(*reason),
            Fact::Run(RunFact::Finished { .. }) => self.finished = true,
            Fact::Task(task, TaskFact::Started { hosts: Some(hosts) }) => {
                if let Some(task) = self.tasks.get_mut(*task) {
                    task.hosts.clone_from(hosts);
                }
            }
            Fact::Connection(host, fact) => self.connection(host, fact, event),
            Fact::Step(at, fact) => self.step(at, fact, event),
            Fact::HostFinished { host, outcome } => {
                let (at, max) = (event.at, self.share);
                if let Some(found) = self.find(host) {
                    found.at = At::Ended(outcome.status);
                    found.ended = Some(at);
                    found.cancelled = false;
                    let failed_at = outcome.step.filter(|_| outcome.failure.is_some());
                    found.step = failed_at.or(found.step);
                    let step = found.step.unwrap_or_default();
                    let why = outcome.failure.as_ref().map(|failure| format!(": {}", failure_text(failure)));
                    let text = format!("{}{}", outcome.status, why.unwrap_or_default());
                    // The step that failed may have said it.
                    if !found.said.lines().next_back().is_some_and(|last| last.text.starts_with(&text)) {
                        found.said.note(step, &text, max);
                    }
                    let hint = outcome.failure.as_ref().and_then(|failure| failure.hint.as_ref());
                    hint.iter().for_each(|hint| found.said.note(step, &format!("hint: {hint}"), max));
                }
            }
            Fact::Run(RunFact::StragglersNoticed { .. } | RunFact::AgentAwaited { .. })
            | Fact::Task(..)
            | Fact::Lock(..)
            | Fact::Gateway(..)
            | Fact::Record(_)
            | Fact::Unknown(_) => {}
        }
    }

    fn start(&mut self, title: &str, hosts: &[HostName], tasks: &[TaskSummary]) {
        let clean = |text: &str| Style::default().text(text).replace('\t', " ");
        self.title = clean(title);
        self.tasks = tasks.to_vec();
        self.share = share(hosts.len());
        self.index = hosts.iter().cloned().enumerate().map(|(at, host)| (host, at)).collect();
        let host = |name: &HostName| ViewHost {
            name: name.clone(),
            shown: clean(name.as_str()).into(),
            at: At::Waiting,
            step: None,
            since: Duration::ZERO,
            first: None,
            ended: None,
            said: Scrollback::default(),
            cancelled: false,
        };
        self.hosts = hosts.iter().map(host).collect();
    }

    fn connection(&mut self, host: &HostName, fact: &ConnectionFact, event: &Event) {
        let (at, max) = (event.at, self.share);
        let note = host_notice(&event.fact).map(|(_, text)| text);
        let Some(found) = self.find(host) else { return };
        found.first.get_or_insert(at);
        let step = found.step.unwrap_or_default();
        match fact {
            ConnectionFact::Began { address, via } => {
                (found.at, found.since) = (At::Connecting, at);
                let via = via.as_ref().map(|via| format!(" via {via}")).unwrap_or_default();
                found.said.note(step, &format!("connecting to {address}{via}"), max);
            }
            ConnectionFact::Connected { .. } => found.at = At::Waiting,
            ConnectionFact::Retried { .. } | ConnectionFact::ProxySaid { .. } => {
                note.iter().for_each(|note| found.said.note(step, note, max));
            }
        }
    }

    fn step(&mut self, at: &StepAt, fact: &StepFact, event: &Event) {
        let (max, step, now) = (self.share, (at.task, at.step), event.at);
        let label = match fact {
            StepFact::Started => self.label(step),
            _ => String::new(),
        };
        let note = host_notice(&event.fact).map(|(_, text)| text);
        let Some(found) = self.find(&at.host) else { return };
        found.first.get_or_insert(now);
        match fact {
            StepFact::Started => {
                (found.at, found.since, found.step) = (At::Step(at.task, at.step), now, Some(step));
                found.said.note(step, &label, max);
            }
            StepFact::Output { stream, data } => found.said.output(step, *stream, data, max),
            StepFact::Retried { .. } | StepFact::Detached { .. } | StepFact::Reattached { .. } => {
                note.iter().for_each(|note| found.said.note(step, note, max));
            }
            StepFact::Finished { outcome } => {
                if !matches!(found.at, At::Ended(_)) {
                    found.at = At::Waiting;
                }
                ending(outcome).iter().for_each(|text| found.said.note(step, text, max));
            }
            StepFact::QuestionAsked { question } => found.said.note(step, question, max),
            StepFact::Waiting { at_most } => {
                (found.at, found.since) = (At::Waiting, now);
                found.said.note(step, &waits(*at_most), max);
            }
            StepFact::JobStarted { .. }
            | StepFact::TransferAdvanced { .. }
            | StepFact::FactsGathered { .. }
            | StepFact::QuestionAnswered => {}
        }
    }

    fn find(&mut self, host: &HostName) -> Option<&mut ViewHost> {
        self.hosts.get_mut(*self.index.get(host)?)
    }

    /// A step in words: `deploy 3/5  unpack`.
    pub(super) fn label(&self, (task, step): (usize, usize)) -> String {
        let Some(found) = self.tasks.get(task) else { return String::new() };
        let title = found.steps.get(step).map(|step| step.title.as_str()).unwrap_or_default();
        let label = match is_single_command(&self.tasks) {
            true => title.to_owned(),
            false => format!("{} {}/{}  {title}", found.name, step + 1, found.steps.len()),
        };
        Style::default().text(&label).replace('\t', " ")
    }

    /// How many hosts are at what, in words.
    pub(super) fn counts(&self) -> String {
        let running =
            self.hosts.iter().filter(|host| matches!(host.at, At::Step(..) | At::Connecting)).count();
        let waiting = self.hosts.iter().filter(|host| host.at == At::Waiting).count();
        let mut parts = vec![(running, "running"), (waiting, "waiting")];
        for &status in Status::ALL {
            let count = self.hosts.iter().filter(|host| host.at == At::Ended(status)).count();
            parts.push((count, status.as_str()));
        }
        let parts: Vec<String> = parts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, word)| format!("{word} {count}"))
            .collect();
        parts.join(" · ")
    }

    /// The user has cancelled a host; gives its name.
    pub(super) fn cancel(&mut self, host: usize) -> Option<HostName> {
        let found = self.hosts.get_mut(host).filter(|host| !matches!(host.at, At::Ended(_)))?;
        found.cancelled = true;
        Some(found.name.clone())
    }
}

/// How a step ended, as lines.
fn ending(outcome: &StepOutcome) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    lines.extend(outcome.note.clone());
    lines.extend(outcome.difference.clone());
    let why = outcome.failure.as_ref().map(|failure| format!(": {}", failure_text(failure)));
    match outcome.status {
        // What goes well is told by the step after it.
        StepStatus::Ok | StepStatus::Changed => {}
        StepStatus::Skipped
        | StepStatus::Warned
        | StepStatus::Failed
        | StepStatus::Unknown
        | StepStatus::Cancelled => lines.push(format!(
            "{}{} ({})",
            outcome.status.as_str(),
            why.unwrap_or_default(),
            duration(outcome.elapsed)
        )),
    }
    lines
}
