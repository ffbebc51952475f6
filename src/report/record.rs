//! A run in memory, as reports need it: the recap, and what each step did, said and took on each host.
//!
//! Folded from the event stream and nothing else: a recorded stream gives the same record. Output is kept within
//! bounds, and equal output once.

use std::collections::HashMap;
use std::time::Duration;

use crate::event::recap::{HostRecord, Recap};
use crate::event::{
    ConnectionFact, Event, Fact, RunFact, StepAt, StepFact, StepOutcome, StepSummary, Stream,
};
use crate::model::inventory::HostName;
use crate::report::capture::{Budget, Capture, CapturedText, CapturedTexts, TextId};
use crate::report::words::{echoes, is_single_command};

/// Bytes kept of one stream of one step.
const STREAM_MAX: usize = 64 * 1024;

/// Bytes kept of all of them.
const KEPT_MAX: usize = 64 * 1024 * 1024;

/// A run as far as its events tell.
#[derive(Debug)]
pub struct Record {
    recap: Recap,
    tracks: Vec<RecordTrack>,
    index: HashMap<HostName, usize>,
    texts: CapturedTexts,
    budget: Budget,
}

/// What happened on one host, by the time since the start of the run.
#[derive(Debug, Default)]
pub struct RecordTrack {
    /// When its connection was first dialled.
    pub connecting: Option<Duration>,
    /// When it was logged in to.
    pub connected: Option<Duration>,
    /// Its steps, in the order in which they began.
    pub steps: Vec<StepRun>,
}

/// A step on one host.
#[derive(Debug)]
pub struct StepRun {
    /// Index into the tasks of the recap.
    pub task: usize,
    /// Index into that task's steps.
    pub step: usize,
    /// When it began.
    pub began: Duration,
    /// How often it was tried.
    pub attempts: u32,
    /// How it ended; `None` until it has.
    pub outcome: Option<StepOutcome>,
    /// What its last attempt wrote to stdout, of [`Record::texts`].
    pub stdout: Option<TextId>,
    /// The same of stderr.
    pub stderr: Option<TextId>,
    open: Option<Box<OpenRecord>>,
}

/// What a step says while it goes on.
#[derive(Debug)]
struct OpenRecord {
    stdout: Capture,
    stderr: Capture,
}

impl StepRun {
    fn new(task: usize, step: usize, began: Duration) -> Self {
        Self { task, step, began, attempts: 1, outcome: None, stdout: None, stderr: None, open: None }
    }

    fn open(&mut self) -> &mut OpenRecord {
        self.open.get_or_insert_with(|| {
            Box::new(OpenRecord { stdout: Capture::new(STREAM_MAX), stderr: Capture::new(STREAM_MAX) })
        })
    }

    fn close(&mut self, texts: &mut CapturedTexts, budget: &mut Budget) {
        if let Some(open) = self.open.take() {
            self.stdout = texts.insert(open.stdout, budget);
            self.stderr = texts.insert(open.stderr, budget);
        }
    }
}

impl Default for Record {
    fn default() -> Self {
        Self {
            recap: Recap::default(),
            tracks: Vec::new(),
            index: HashMap::new(),
            texts: CapturedTexts::default(),
            budget: Budget::new(KEPT_MAX),
        }
    }
}

impl Record {
    /// Takes in one event; events of hosts that are not in the plan are ignored.
    pub fn apply(&mut self, event: &Event) {
        self.recap.apply(event);
        // As the recorded form has it.
        let at = Duration::from_millis(u64::try_from(event.at.as_millis()).unwrap_or(u64::MAX));
        match &event.fact {
            Fact::Run(RunFact::Started { hosts, .. }) => {
                self.tracks = hosts.iter().map(|_| RecordTrack::default()).collect();
                self.index = hosts.iter().cloned().enumerate().map(|(at, host)| (host, at)).collect();
            }
            Fact::Connection(host, fact) => {
                let Some(track) = self.track(host) else { return };
                match fact {
                    ConnectionFact::Began { .. } => drop(track.connecting.get_or_insert(at)),
                    ConnectionFact::Connected { .. } => track.connected = Some(at),
                    ConnectionFact::Retried { .. } | ConnectionFact::ProxySaid { .. } => {}
                }
            }
            Fact::Step(step, fact) => self.step_fact(step, fact, at),
            Fact::HostFinished { host, .. } => {
                let Some(&index) = self.index.get(host) else { return };
                for run in self.tracks.get_mut(index).into_iter().flat_map(|track| &mut track.steps) {
                    run.close(&mut self.texts, &mut self.budget);
                }
            }
            Fact::Run(
                RunFact::StragglersNoticed { .. }
                | RunFact::AgentAwaited { .. }
                | RunFact::StopRequested { .. }
                | RunFact::Finished { .. },
            )
            | Fact::Task(..)
            | Fact::Lock(..)
            | Fact::Gateway(..)
            | Fact::Record(_)
            | Fact::Unknown(_) => {}
        }
    }

    fn step_fact(&mut self, StepAt { host, task, step }: &StepAt, fact: &StepFact, at: Duration) {
        let Some(track) = self.index.get(host).and_then(|&index| self.tracks.get_mut(index)) else { return };
        match fact {
            StepFact::Started => track.steps.push(StepRun::new(*task, *step, at)),
            StepFact::Output { stream, data } => {
                let open = track.run(*task, *step, at).open();
                match stream {
                    Stream::Stdout => open.stdout.push(data, &mut self.budget),
                    Stream::Stderr => open.stderr.push(data, &mut self.budget),
                }
            }
            StepFact::Retried { .. } => {
                let run = track.run(*task, *step, at);
                run.attempts = run.attempts.saturating_add(1);
                if let Some(open) = &mut run.open {
                    open.stdout.clear(&mut self.budget);
                    open.stderr.clear(&mut self.budget);
                }
            }
            StepFact::Finished { outcome } => {
                let run = track.run(*task, *step, at);
                let mut outcome = outcome.clone();
                outcome.elapsed =
                    Duration::from_millis(u64::try_from(outcome.elapsed.as_millis()).unwrap_or(u64::MAX));
                if echoes(&self.recap.tasks, (*task, *step), &outcome)
                    && let Some(note) = outcome.note.take()
                {
                    run.open().stdout.push(format!("{note}\n").as_bytes(), &mut self.budget);
                }
                run.outcome = Some(outcome);
                run.close(&mut self.texts, &mut self.budget);
            }
            StepFact::TransferAdvanced { .. }
            | StepFact::JobStarted { .. }
            | StepFact::Waiting { .. }
            | StepFact::Detached { .. }
            | StepFact::Reattached { .. }
            | StepFact::FactsGathered { .. }
            | StepFact::QuestionAsked { .. }
            | StepFact::QuestionAnswered => {}
        }
    }

    fn track(&mut self, host: &HostName) -> Option<&mut RecordTrack> {
        self.tracks.get_mut(*self.index.get(host)?)
    }

    /// The recap of the run.
    pub fn recap(&self) -> &Recap {
        &self.recap
    }

    /// Each host with what happened on it, in inventory order.
    pub fn hosts(&self) -> impl Iterator<Item = (&HostRecord, &RecordTrack)> {
        self.recap.hosts.iter().zip(&self.tracks)
    }

    /// Different outputs; steps name them by their index.
    pub fn texts(&self) -> &[CapturedText] {
        self.texts.all()
    }

    /// A step as the plan has it.
    pub(crate) fn step(&self, task: usize, step: usize) -> Option<&StepSummary> {
        self.recap.tasks.get(task)?.steps.get(step)
    }

    /// A step for a heading: `2. unpack`, with its task when there are several, or the command. Unclean.
    pub(crate) fn step_title(&self, task: usize, step: usize) -> String {
        let Some(found) = self.recap.tasks.get(task) else { return String::new() };
        if is_single_command(&self.recap.tasks) {
            return found.name.clone();
        }
        let title = found.steps.get(step).map(|step| step.title.as_str()).unwrap_or_default();
        let task = if self.recap.tasks.len() > 1 { format!("{}: ", found.name) } else { String::new() };
        format!("{task}{}. {title}", step.saturating_add(1))
    }
}

impl RecordTrack {
    /// The latest run of a step.
    fn run(&mut self, task: usize, step: usize, at: Duration) -> &mut StepRun {
        let place = self.steps.iter().rposition(|run| (run.task, run.step) == (task, step));
        let place = place.unwrap_or_else(|| {
            self.steps.push(StepRun::new(task, step, at));
            self.steps.len() - 1
        });
        self.steps.get_mut(place).expect("found or pushed just now")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::file::{ReportKind, render};
    use crate::report::tests::samples::{Captured, deploy};
    use crate::report::{Jsonl, Reporter, read};

    #[test]
    fn a_recorded_stream_gives_the_same_record() {
        let events = deploy();
        let captured = Captured::default();
        let mut jsonl = Jsonl::new(Box::new(captured.clone()));
        let mut live = Record::default();
        for event in &events {
            jsonl.event(event).unwrap();
            live.apply(event);
        }
        jsonl.finish().unwrap();
        let mut replayed = Record::default();
        read(captured.text().as_bytes()).for_each(|event| replayed.apply(&event.unwrap()));
        assert_eq!(live.recap(), replayed.recap());
        for &kind in ReportKind::ALL {
            assert_eq!(render(kind, &live), render(kind, &replayed), "{kind:?}");
        }
    }

    #[test]
    fn equal_output_is_held_once_and_attempts_are_counted() {
        let mut record = Record::default();
        deploy().iter().for_each(|event| record.apply(event));
        let (_, first) = record.hosts().next().unwrap();
        let (_, second) = record.hosts().nth(1).unwrap();
        assert_eq!(first.steps[0].stdout, second.steps[0].stdout);
        assert!(first.steps[0].stdout.is_some());
        assert_eq!(second.steps[1].attempts, 2);
        assert_eq!(record.step_title(0, 1), "2. sudo systemctl restart shop");
    }
}
