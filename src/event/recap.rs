//! The end of the story: folds the event stream into one record per host and the exit code.
//!
//! Live and replayed streams give equal recaps: times are kept as whole milliseconds, as the recorded form
//! has them. It renders nothing and has no inputs but events.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::event::{
    Change, ConnectionFact, Event, Fact, HostOutcome, RunFact, Section, StepAt, StepFact, StepOutcome,
    TaskFact, TaskSummary,
};
use crate::model::inventory::HostName;
use crate::model::outcome::{CancelReason, ExitCode, Failure, Kind, Status, StepStatus};

/// Last output lines kept of a host's current step.
pub const TAIL_LINES: usize = 20;

/// Bytes of them, at most.
pub const TAIL_BYTES: usize = 4096;

/// A run as far as its events tell.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recap {
    /// Unique name of the run.
    pub run: Arc<str>,
    /// What ran: `deploy`, `exec uptime`.
    pub title: String,
    /// Wall clock at the start, RFC 3339.
    pub started_at: String,
    /// All tasks of the plan, in order.
    pub tasks: Vec<TaskSummary>,
    /// One record per host of the plan, in inventory order.
    pub hosts: Vec<HostRecord>,
    /// From the start to the last event, whole milliseconds.
    pub elapsed: Duration,
    /// Set when the user ended the run.
    pub cancelled: Option<CancelReason>,
    /// The end of the run was seen; a recording that was cut off has not.
    pub finished: bool,
    index: HashMap<HostName, usize>,
}

/// What became of one host.
#[derive(Clone, Debug, PartialEq)]
pub struct HostRecord {
    /// Who.
    pub host: HostName,
    /// `address:port` as dialled, empty before the first attempt.
    pub address: String,
    /// The gateway that it was reached through.
    pub via: Option<HostName>,
    /// How it ended; `None` until it has.
    pub outcome: Option<HostOutcome>,
    /// Steps of all its tasks.
    pub steps_total: usize,
    /// Steps that let the host go on: ok, changed, skipped, warned.
    pub steps_done: usize,
    /// Steps that changed it.
    pub changed: usize,
    /// Steps that failed and were let pass.
    pub warned: usize,
    /// Steps that a dry run left out, or a part of them.
    pub not_known: usize,
    /// What a dry run would change, or may.
    pub would_change: Change,
    /// A step was begun there.
    pub begun: bool,
    /// A command was started whose end was not seen.
    pub may_still_run: bool,
    /// From its first connection attempt or step to its end, whole milliseconds.
    pub elapsed: Duration,
    /// The step at which it ended, as (task, step), when it failed there.
    pub failed_step: Option<(usize, usize)>,
    /// Its last output in the step at which it ended; empty when it ended well.
    pub tail: OutputTail,
    /// The other steps that failed and were not put right, in order: what led to a `rescue` that failed too, or what
    /// failed in one.
    pub besides: Vec<FailedStep>,
    /// Output of the step that is under way.
    current: OutputTail,
    first_seen: Option<Duration>,
}

/// A step that failed on a host.
#[derive(Clone, Debug, PartialEq)]
pub struct FailedStep {
    /// Which, as (task, step).
    pub step: (usize, usize),
    /// When it runs.
    pub section: Section,
    /// Why; none when that was not told.
    pub failure: Option<Failure>,
    /// Its last output.
    pub tail: OutputTail,
}

/// Failed steps that are kept of a host.
const FAILED_MAX: usize = 8;

/// The last lines of a step's output, both streams in order of arrival: raw bytes, not fit for a screen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutputTail {
    bytes: Vec<u8>,
}

impl OutputTail {
    /// The lines, oldest first, without line ends; at most [`TAIL_LINES`] and [`TAIL_BYTES`].
    pub fn lines(&self) -> impl Iterator<Item = &[u8]> {
        let kept = self.bytes.get(self.bytes.len().saturating_sub(TAIL_BYTES)..).unwrap_or_default();
        let count = kept.split_inclusive(|&byte| byte == b'\n').count();
        kept.split_inclusive(|&byte| byte == b'\n')
            .skip(count.saturating_sub(TAIL_LINES))
            .map(|line| line.strip_suffix(b"\n").unwrap_or(line))
    }

    fn push(&mut self, data: &[u8]) {
        if self.bytes.last().is_some_and(|&byte| byte != b'\n') {
            self.bytes.push(b'\n');
        }
        let data = data.get(data.len().saturating_sub(TAIL_BYTES)..).unwrap_or_default();
        // Twice the bound is let in before it is cut, so that many small pieces cost one copy each.
        if self.bytes.len() + data.len() > 2 * TAIL_BYTES {
            self.bytes.drain(..self.bytes.len().saturating_sub(TAIL_BYTES));
        }
        self.bytes.extend_from_slice(data);
    }

    /// Gives back what is not part of `lines`: thousands of failed hosts keep theirs to the end.
    fn seal(&mut self) {
        let kept: usize = self.lines().map(|line| line.len() + 1).sum();
        self.bytes.drain(..self.bytes.len().saturating_sub(kept));
        self.bytes.shrink_to_fit();
    }
}

impl HostRecord {
    fn new(host: HostName) -> Self {
        Self {
            host,
            address: String::new(),
            via: None,
            outcome: None,
            steps_total: 0,
            steps_done: 0,
            changed: 0,
            warned: 0,
            not_known: 0,
            would_change: Change::None,
            begun: false,
            may_still_run: false,
            elapsed: Duration::ZERO,
            failed_step: None,
            tail: OutputTail::default(),
            besides: Vec::new(),
            current: OutputTail::default(),
            first_seen: None,
        }
    }

    /// Its status, when it has ended.
    pub fn status(&self) -> Option<Status> {
        self.outcome.as_ref().map(|outcome| outcome.status)
    }

    /// Why it failed.
    pub fn kind(&self) -> Option<Kind> {
        self.outcome.as_ref().and_then(|outcome| outcome.failure.as_ref()).map(|failure| failure.kind)
    }

    /// Whether `--where` left it out: that is no bad end.
    pub fn is_left_out(&self) -> bool {
        self.outcome.as_ref().is_some_and(HostOutcome::is_left_out)
    }

    /// Whether anything was started there; a record that was cut off counts from its first step.
    pub fn started(&self) -> bool {
        self.outcome.as_ref().map_or(self.begun, |outcome| outcome.started)
    }

    fn step_finished(&mut self, step: (usize, usize), section: Section, outcome: &StepOutcome) {
        self.may_still_run |= outcome.may_still_run;
        self.changed += usize::from(outcome.changed() == Change::Certain);
        self.not_known += usize::from(outcome.not_known);
        self.would_change = self.would_change.max(outcome.would_change);
        let passed = match outcome.status {
            StepStatus::Ok | StepStatus::Skipped | StepStatus::Changed => true,
            StepStatus::Warned => {
                self.warned += 1;
                true
            }
            StepStatus::Failed | StepStatus::Unknown | StepStatus::Cancelled => false,
        };
        let output = std::mem::take(&mut self.current);
        if passed {
            self.steps_done += usize::from(section.is_for_all());
        } else {
            let mut tail = output;
            tail.seal();
            let failure = outcome.failure.clone();
            self.failed_step = Some(step);
            self.tail = tail.clone();
            // The first is the cause, and the last is where it stands.
            if self.besides.len() >= FAILED_MAX {
                self.besides.truncate(FAILED_MAX - 1);
            }
            self.besides.push(FailedStep { step, section, failure, tail });
        }
    }

    /// A step begins. In its turn it does so only where all that failed before was put right.
    fn step_started(&mut self, section: Section) {
        self.begun = true;
        self.current = OutputTail::default();
        if matches!(section, Section::Steps | Section::Handlers) {
            self.besides.clear();
        }
    }

    fn host_finished(&mut self, outcome: &HostOutcome) {
        self.may_still_run |= outcome.may_still_run;
        let output = std::mem::take(&mut self.current);
        if outcome.status == Status::Ok {
            // What failed was put right by `rescue`.
            self.failed_step = None;
            self.tail = OutputTail::default();
            self.besides = Vec::new();
        } else {
            self.failed_step = outcome.step.or(self.failed_step);
            let ended_at = self.besides.iter().rposition(|failed| Some(failed.step) == self.failed_step);
            match ended_at {
                Some(at) => self.tail = self.besides.remove(at).tail,
                None => {
                    self.tail = output;
                    self.tail.seal();
                }
            }
        }
        self.outcome = Some(outcome.clone());
    }
}

impl Recap {
    /// Takes in one event; events of hosts that are not in the plan are ignored.
    pub fn apply(&mut self, event: &Event) {
        let at = Duration::from_millis(u64::try_from(event.at.as_millis()).unwrap_or(u64::MAX));
        if !matches!(event.fact, Fact::Record(_) | Fact::Unknown(_)) {
            self.elapsed = self.elapsed.max(at);
        }
        match &event.fact {
            Fact::Run(RunFact::Started { schema: _, run, title, started_at, hosts, tasks, pool: _ }) => {
                self.run = run.clone();
                self.title.clone_from(title);
                self.started_at.clone_from(started_at);
                self.tasks.clone_from(tasks);
                self.index = hosts.iter().cloned().enumerate().map(|(at, host)| (host, at)).collect();
                self.hosts = hosts.iter().cloned().map(HostRecord::new).collect();
                for task in tasks {
                    for &host in &task.hosts {
                        if let Some(record) = self.hosts.get_mut(host) {
                            let all = task.steps.iter().filter(|step| step.section.is_for_all());
                            record.steps_total += all.count();
                        }
                    }
                }
            }
            Fact::Connection(host, ConnectionFact::Began { address, via }) => {
                if let Some(record) = self.seen(host, at) {
                    record.via.clone_from(via);
                    record.address.clone_from(address);
                }
            }
            Fact::Step(StepAt { host, task, step }, StepFact::Started) => {
                let section = self.section(*task, *step);
                if let Some(record) = self.seen(host, at) {
                    record.step_started(section);
                }
            }
            Fact::Step(StepAt { host, .. }, StepFact::Output { stream: _, data }) => {
                if let Some(record) = self.seen(host, at) {
                    record.current.push(data);
                }
            }
            Fact::Step(StepAt { host, task, step }, StepFact::Finished { outcome }) => {
                let section = self.section(*task, *step);
                if let Some(record) = self.seen(host, at) {
                    record.step_finished((*task, *step), section, outcome);
                }
            }
            Fact::HostFinished { host, outcome } => {
                if let Some(record) = self.index.get(host).and_then(|&index| self.hosts.get_mut(index)) {
                    record.elapsed =
                        record.first_seen.map_or(Duration::ZERO, |first| at.saturating_sub(first));
                    record.host_finished(outcome);
                }
            }
            Fact::Run(RunFact::StopRequested { reason, forced: _ }) => {
                self.cancelled = self.cancelled.max(Some(*reason));
            }
            Fact::Run(RunFact::Finished { cancelled }) => {
                // A stop that came after all work was done ended nothing.
                self.cancelled = *cancelled;
                self.finished = true;
            }
            Fact::Task(task, TaskFact::Started { hosts }) => {
                if let (Some(hosts), Some(summary)) = (hosts, self.tasks.get_mut(*task)) {
                    let steps = summary.steps.iter().filter(|step| step.section.is_for_all()).count();
                    for &host in &summary.hosts {
                        if let Some(record) = self.hosts.get_mut(host) {
                            record.steps_total = record.steps_total.saturating_sub(steps);
                        }
                    }
                    for &host in hosts {
                        if let Some(record) = self.hosts.get_mut(host) {
                            record.steps_total += steps;
                        }
                    }
                    summary.hosts.clone_from(hosts);
                }
            }
            Fact::Run(RunFact::StragglersNoticed { .. } | RunFact::AgentAwaited { .. })
            | Fact::Task(_, TaskFact::BatchStarted { .. } | TaskFact::Finished)
            | Fact::Lock(..)
            | Fact::Connection(
                _,
                ConnectionFact::Retried { .. }
                | ConnectionFact::Connected { .. }
                | ConnectionFact::ProxySaid { .. },
            )
            | Fact::Gateway(..)
            | Fact::Step(
                _,
                StepFact::JobStarted { .. }
                | StepFact::Waiting { .. }
                | StepFact::Detached { .. }
                | StepFact::Reattached { .. }
                | StepFact::Retried { .. }
                | StepFact::TransferAdvanced { .. }
                | StepFact::QuestionAsked { .. }
                | StepFact::QuestionAnswered
                | StepFact::FactsGathered { .. },
            )
            | Fact::Record(_)
            | Fact::Unknown(_) => {}
        }
    }

    fn section(&self, task: usize, step: usize) -> Section {
        let summary = self.tasks.get(task).and_then(|task| task.steps.get(step));
        summary.map(|step| step.section).unwrap_or_default()
    }

    fn seen(&mut self, host: &HostName, at: Duration) -> Option<&mut HostRecord> {
        let record = self.hosts.get_mut(*self.index.get(host)?)?;
        let first = *record.first_seen.get_or_insert(at);
        record.elapsed = at.saturating_sub(first);
        Some(record)
    }

    /// How many hosts ended with a status.
    pub fn count(&self, status: Status) -> usize {
        self.hosts.iter().filter(|record| record.status() == Some(status)).count()
    }

    /// The exit code of the process, as far as the run decides it. The first that holds:
    ///
    /// 1. the user stopped the run: 129, 130 or 143, whatever the hosts say;
    /// 2. a host met a bug in fan (`internal`): 70;
    /// 3. a host-key alarm: 4, as it may mean an attack on the others too;
    /// 4. every host that ended badly did so for a local file (`local_io`): 5. One other bad end among
    ///    them and the hosts decide: a caller must not read 5 as "the hosts are fine";
    /// 5. a host is `failed` or `unknown`, or had something started and is not ok: 1. A host that was
    ///    skipped half-way because of others counts, as it is not safe to run it again unseen;
    /// 6. a host is not ok and nothing was started there (not reached, skipped because of others): 3;
    /// 7. `--where` left all hosts out: 2;
    /// 8. all ok, or left out: 0.
    ///
    /// Hosts without a final record (a recording that was cut off) count as not ok. Codes 2 and 5 for
    /// bad input and reports that cannot be written are the caller's.
    pub fn exit_code(&self) -> ExitCode {
        if let Some(reason) = self.cancelled {
            return reason.exit_code();
        }
        let is_bad = |record: &&HostRecord| record.status() != Some(Status::Ok) && !record.is_left_out();
        let not_ok = || self.hosts.iter().filter(is_bad);
        let any_kind = |wanted: fn(Kind) -> bool| not_ok().filter_map(HostRecord::kind).any(wanted);
        if any_kind(|kind| kind == Kind::Internal) {
            return ExitCode::Bug;
        }
        if any_kind(Kind::is_host_key_alarm) {
            return ExitCode::HostKeyAlarm;
        }
        let mut bad = not_ok().filter(|record| record.status() != Some(Status::Skipped)).peekable();
        if bad.peek().is_some() && bad.all(|record| record.kind() == Some(Kind::LocalIo)) {
            return ExitCode::LocalIo;
        }
        let failed = |record: &HostRecord| {
            record.started() || matches!(record.status(), Some(Status::Failed | Status::Unknown))
        };
        if not_ok().any(failed) {
            return ExitCode::Failed;
        }
        if not_ok().next().is_some() {
            ExitCode::Unreachable
        } else if self.nobody_took_part() {
            ExitCode::Input
        } else {
            ExitCode::Ok
        }
    }

    /// Whether `--where` left all hosts out.
    pub fn nobody_took_part(&self) -> bool {
        !self.hosts.is_empty() && self.hosts.iter().all(HostRecord::is_left_out)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use proptest::prelude::*;

    use crate::event::recap::{Recap, TAIL_BYTES, TAIL_LINES};
    use crate::event::{
        ConnectionFact, Event, Fact, HostOutcome, RunFact, SCHEMA_VERSION, Section, StepAt, StepFact,
        StepOutcome, StepSummary, Stream, TaskSummary,
    };
    use crate::model::inventory::HostName;
    use crate::model::outcome::{CancelReason, ExitCode, Failure, Kind, Status, StepStatus};

    fn at(ms: u64, fact: Fact) -> Event {
        // A fraction of a millisecond, as live clocks have: it must not make a difference.
        Event::new(Duration::from_millis(ms) + Duration::from_micros(377), fact)
    }

    fn started(hosts: usize) -> Event {
        let step = |title: &str| StepSummary {
            action: "run".into(),
            title: title.into(),
            written: None,
            section: Section::Steps,
            position: None,
        };
        at(
            0,
            Fact::Run(RunFact::Started {
                schema: SCHEMA_VERSION,
                run: "01J".into(),
                title: "deploy".into(),
                started_at: "2026-01-01T00:00:00Z".into(),
                hosts: (0..hosts).map(host).collect(),
                tasks: vec![TaskSummary {
                    name: "deploy".into(),
                    steps: vec![step("one"), step("two")],
                    hosts: (0..hosts).collect(),
                }],
                pool: 8,
            }),
        )
    }

    fn host(index: usize) -> HostName {
        HostName::from(format!("h{index}").as_str())
    }

    fn output(index: usize, data: impl Into<Bytes>) -> Event {
        at(
            5,
            Fact::Step(
                StepAt { host: host(index), task: 0, step: 0 },
                StepFact::Output { stream: Stream::Stdout, data: data.into() },
            ),
        )
    }

    fn step_finished(index: usize, step: usize, status: StepStatus) -> Event {
        let outcome = StepOutcome {
            status,
            failure: None,
            exit: None,
            note: None,
            difference: None,
            change: Default::default(),
            may_still_run: false,
            earlier: false,
            not_known: false,
            would_change: Default::default(),
            elapsed: Duration::from_millis(3),
        };
        at(9, Fact::Step(StepAt { host: host(index), task: 0, step }, StepFact::Finished { outcome }))
    }

    fn host_finished(index: usize, status: Status, kind: Option<Kind>, started: bool) -> Event {
        let outcome = HostOutcome {
            status,
            failure: kind.map(|kind| Failure::new(kind, "why")),
            step: None,
            started,
            may_still_run: false,
        };
        at(20, Fact::HostFinished { host: host(index), outcome })
    }

    fn fold(events: &[Event]) -> Recap {
        let mut recap = Recap::default();
        events.iter().for_each(|event| recap.apply(event));
        recap
    }

    #[test]
    fn one_record_per_host() {
        let recap = fold(&[
            started(2),
            at(
                1,
                Fact::Connection(host(0), ConnectionFact::Began { address: "10.0.0.1:22".into(), via: None }),
            ),
            at(3, Fact::Step(StepAt { host: host(0), task: 0, step: 0 }, StepFact::Started)),
            output(0, "hello\n"),
            step_finished(0, 0, StepStatus::Changed),
            at(9, Fact::Step(StepAt { host: host(0), task: 0, step: 1 }, StepFact::Started)),
            output(0, "oops\nlast"),
            step_finished(0, 1, StepStatus::Failed),
            host_finished(0, Status::Failed, Some(Kind::Exit), true),
            host_finished(1, Status::Skipped, Some(Kind::Dependency), false),
            at(30, Fact::Run(RunFact::Finished { cancelled: None })),
        ]);
        let first = &recap.hosts[0];
        assert_eq!((first.steps_done, first.steps_total, first.changed), (1, 2, 1));
        assert_eq!(first.failed_step, Some((0, 1)));
        assert_eq!(first.elapsed, Duration::from_millis(19));
        assert_eq!(first.tail.lines().collect::<Vec<_>>(), [&b"oops"[..], b"last"]);
        assert_eq!(recap.count(Status::Failed), 1);
        assert_eq!(recap.count(Status::Skipped), 1);
        assert_eq!(recap.elapsed, Duration::from_millis(30));
        assert_eq!(recap.exit_code(), ExitCode::Failed);
        assert!(recap.finished);
    }

    #[test]
    fn table_of_exit_codes() {
        use Status::{Cancelled, Failed, Ok, Skipped, Unknown, Unreachable};
        let ok = (Ok, None, true);
        for (hosts, code) in [
            (vec![ok], ExitCode::Ok),
            (vec![ok, (Failed, Some(Kind::Exit), true)], ExitCode::Failed),
            (vec![ok, (Failed, Some(Kind::Assert), false)], ExitCode::Failed),
            (vec![ok, (Unknown, Some(Kind::ConnectionLost), true)], ExitCode::Failed),
            (vec![ok, (Unreachable, Some(Kind::Dns), false)], ExitCode::Unreachable),
            (vec![ok, (Unreachable, Some(Kind::LocalLimits), false)], ExitCode::Unreachable),
            (vec![(Unreachable, Some(Kind::Dns), false), (Failed, Some(Kind::Exit), true)], ExitCode::Failed),
            (
                vec![(Unreachable, Some(Kind::Dns), false), (Skipped, Some(Kind::Dependency), false)],
                ExitCode::Unreachable,
            ),
            (
                vec![(Unreachable, Some(Kind::Dns), false), (Skipped, Some(Kind::Dependency), true)],
                ExitCode::Failed,
            ),
            (
                vec![(Failed, Some(Kind::Exit), true), (Unreachable, Some(Kind::HostKeyChanged), false)],
                ExitCode::HostKeyAlarm,
            ),
            (vec![(Unreachable, Some(Kind::HostKeyUnknown), false)], ExitCode::Unreachable),
            (
                vec![(Unreachable, Some(Kind::HostKeyRevoked), false), (Failed, Some(Kind::Internal), true)],
                ExitCode::Bug,
            ),
            (vec![ok, (Failed, Some(Kind::LocalIo), true)], ExitCode::LocalIo),
            (
                vec![(Failed, Some(Kind::LocalIo), true), (Skipped, Some(Kind::Dependency), false)],
                ExitCode::LocalIo,
            ),
            (vec![(Failed, Some(Kind::LocalIo), true), (Failed, Some(Kind::Exit), true)], ExitCode::Failed),
            (
                vec![(Failed, Some(Kind::LocalIo), true), (Unreachable, Some(Kind::Dns), false)],
                ExitCode::Failed,
            ),
            (vec![ok, (Cancelled, Some(Kind::Interrupted), false)], ExitCode::Unreachable),
        ] {
            let mut events = vec![started(hosts.len())];
            for (index, &(status, kind, begun)) in hosts.iter().enumerate() {
                events.push(host_finished(index, status, kind, begun));
            }
            events.push(at(30, Fact::Run(RunFact::Finished { cancelled: None })));
            assert_eq!(fold(&events).exit_code(), code, "{hosts:?}");
        }
    }

    #[test]
    fn a_stop_decides_the_exit_code_unless_it_came_too_late() {
        let stop =
            at(25, Fact::Run(RunFact::StopRequested { reason: CancelReason::Interrupt, forced: false }));
        let mut events = vec![started(1), host_finished(0, Status::Failed, Some(Kind::Internal), true), stop];
        assert_eq!(fold(&events).exit_code(), ExitCode::Interrupted);
        events.push(at(30, Fact::Run(RunFact::Finished { cancelled: Some(CancelReason::Terminate) })));
        assert_eq!(fold(&events).exit_code(), ExitCode::Terminated);
        events.pop();
        events.push(at(30, Fact::Run(RunFact::Finished { cancelled: None })));
        assert_eq!(fold(&events).exit_code(), ExitCode::Bug);
    }

    #[test]
    fn hosts_without_a_final_record_are_not_ok() {
        let mut events = vec![started(1)];
        assert_eq!(fold(&events).exit_code(), ExitCode::Unreachable);
        events.push(at(3, Fact::Step(StepAt { host: host(0), task: 0, step: 0 }, StepFact::Started)));
        assert_eq!(fold(&events).exit_code(), ExitCode::Failed);
    }

    #[test]
    fn the_tail_is_bounded_and_goes_with_a_good_end() {
        let mut recap = fold(&[started(1)]);
        for _ in 0..100 {
            recap.apply(&output(0, "x".repeat(70_000) + "\n"));
            recap.apply(&output(0, "short\n".repeat(50)));
            assert!(recap.hosts[0].tail.bytes.len() <= 2 * TAIL_BYTES + 1);
            assert!(recap.hosts[0].tail.lines().count() <= TAIL_LINES);
        }
        recap.apply(&step_finished(0, 0, StepStatus::Failed));
        assert!(recap.hosts[0].tail.bytes.capacity() <= TAIL_BYTES);
        assert_eq!(recap.hosts[0].tail.lines().count(), TAIL_LINES);
        recap.apply(&host_finished(0, Status::Ok, None, true));
        assert_eq!(recap.hosts[0].tail.lines().count(), 0);
    }

    fn any_event() -> impl Strategy<Value = Event> {
        let status = prop::sample::select(Status::ALL);
        let step_status = prop::sample::select(StepStatus::ALL);
        let kind = prop::option::of(prop::sample::select(Kind::ALL));
        let index = 0..4_usize;
        prop_oneof![
            (index.clone(), prop::collection::vec(any::<u8>(), 0..40)).prop_map(|(i, data)| output(i, data)),
            (index.clone(), 0..2_usize).prop_map(|(i, step)| at(
                4,
                Fact::Step(StepAt { host: host(i), task: 0, step }, StepFact::Started)
            )),
            (index.clone(), 0..2_usize, step_status).prop_map(|(i, step, s)| step_finished(i, step, s)),
            (index, status, kind, any::<bool>()).prop_map(|(i, s, kind, b)| host_finished(i, s, kind, b)),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_replay_gives_the_same_recap(middle in prop::collection::vec(any_event(), 0..30)) {
            let mut events = vec![started(3)];
            events.extend(middle);
            events.push(at(77, Fact::Run(RunFact::Finished { cancelled: None })));
            let replayed: Vec<Event> = events
                .iter()
                .map(|event| serde_json::from_str(&serde_json::to_string(event).unwrap()).unwrap())
                .collect();
            prop_assert_eq!(fold(&events), fold(&replayed));
        }
    }
}
