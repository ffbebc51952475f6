//! Takes secrets out of facts. Owns which fields of a fact may hold one, and the streams of output, whose secrets may
//! come in pieces; refuses to know what a secret looks like ([`Redactor`]).
//!
//! Left alone are names of hosts and of the run, by which readers put facts together.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use bytes::Bytes;

use crate::engine::live::lines::LineBlocks;
use crate::event::ledger::Kept;
use crate::event::{Fact, HostOutcome, StepOutcome, Stream, TaskSummary};
use crate::model::facts::Facts;
use crate::model::inventory::HostName;
use crate::model::lock::Holder;
use crate::model::outcome::{Exit, Failure};
use crate::model::redact::{RedactedStream, Redactor};
use crate::model::secret::Secret;
use crate::model::value::Value;

/// Stands between a run and its readers.
#[derive(Debug)]
pub(crate) struct Discretion {
    redactor: RwLock<Redactor>,
    streams: Mutex<HashMap<Place, Streams>>,
}

/// A step of a host: it and its task by their numbers.
type Place = (HostName, usize, usize);

/// What a step of a host says, on both streams.
#[derive(Debug, Default)]
struct Streams {
    stdout: Option<Redacted>,
    stderr: Option<Redacted>,
}

/// A stream without its secrets, in whole lines again.
#[derive(Debug)]
struct Redacted {
    stream: RedactedStream,
    lines: LineBlocks,
}

impl Discretion {
    pub(crate) fn new(redactor: Redactor) -> Self {
        Self { redactor: RwLock::new(redactor), streams: Mutex::default() }
    }

    /// Hides one more secret; output that has begun goes on as it was.
    pub(crate) fn learn(&self, secret: &Secret) {
        let mut redactor = self.redactor.write().unwrap_or_else(PoisonError::into_inner);
        *redactor = redactor.and(secret);
    }

    /// Whether there is a secret in a text, in any spelling.
    pub(crate) fn finds(&self, text: &str) -> bool {
        self.redactor().finds(text)
    }

    /// What is hidden now. A clone is cheap.
    fn redactor(&self) -> Redactor {
        self.redactor.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Passes a fact on without secrets. Output may be held back; what is left of it comes out before the fact that ends
    /// its step.
    pub(crate) fn pass(&self, fact: Fact, mut deliver: impl FnMut(Fact)) {
        let redactor = self.redactor();
        if redactor.is_empty() {
            return deliver(fact);
        }
        match fact {
            Fact::Output { host, task, step, stream, data } => {
                if let Some(data) = self.output((host.clone(), task, step), stream, data) {
                    deliver(Fact::Output { host, task, step, stream, data });
                }
                return;
            }
            Fact::StepFinished { ref host, task, step, .. }
            | Fact::StepRetried { ref host, task, step, .. } => {
                self.finish(&(host.clone(), task, step), &mut deliver);
            }
            // A worker that panicked finished no step.
            Fact::HostFinished { ref host, .. } => {
                let open: Vec<Place> = self.lock().keys().filter(|(of, ..)| of == host).cloned().collect();
                open.iter().for_each(|place| self.finish(place, &mut deliver));
            }
            _ => {}
        }
        deliver(self.fact(fact));
    }

    /// Names the variables that hold a secret instead of keeping them.
    pub(crate) fn without_secrets(&self, mut kept: Kept) -> Kept {
        if !self.redactor().is_empty() {
            kept.vars.retain(|name, value| {
                let open = self.value(value.clone()) == *value;
                if !open {
                    kept.lost.push(name.clone());
                }
                open
            });
        }
        kept
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Place, Streams>> {
        // A panic elsewhere leaves whole streams behind.
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The part of a stream that is decided, in whole lines.
    fn output(&self, place: Place, stream: Stream, data: Bytes) -> Option<Bytes> {
        let mut streams = self.lock();
        let streams = streams.entry(place).or_default();
        let stream = match stream {
            Stream::Stdout => &mut streams.stdout,
            Stream::Stderr => &mut streams.stderr,
        };
        let Redacted { stream, lines } = stream.get_or_insert_with(|| Redacted {
            stream: self.redactor().stream(),
            lines: LineBlocks::default(),
        });
        let decided = match stream.push(&data) {
            Cow::Borrowed(same) => data.slice_ref(same),
            Cow::Owned(changed) => Bytes::from(changed),
        };
        lines.push(decided)
    }

    /// Delivers what is left of a step's output.
    fn finish(&self, place: &Place, deliver: &mut impl FnMut(Fact)) {
        let Some(Streams { stdout, stderr }) = self.lock().remove(place) else { return };
        for (stream, redacted) in [(Stream::Stdout, stdout), (Stream::Stderr, stderr)] {
            let Some(Redacted { stream: mut rest, mut lines }) = redacted else { continue };
            let whole = lines.push(Bytes::from(rest.finish()));
            for data in whole.into_iter().chain(lines.finish()) {
                let (host, task, step) = place.clone();
                deliver(Fact::Output { host, task, step, stream, data });
            }
        }
    }

    fn fact(&self, fact: Fact) -> Fact {
        match fact {
            Fact::RunStarted { schema, run, title, started_at, hosts, tasks, pool } => {
                let tasks = tasks.into_iter().map(|task| self.task(task)).collect();
                Fact::RunStarted { schema, run, title: self.text(title), started_at, hosts, tasks, pool }
            }
            Fact::HostConnecting { host, address, via } => {
                Fact::HostConnecting { host, address: self.text(address), via }
            }
            Fact::ConnectRetried { host, attempt, failure, delay } => {
                Fact::ConnectRetried { host, attempt, failure: self.failure(failure), delay }
            }
            Fact::HostConnected { host, timings, auth } => {
                Fact::HostConnected { host, timings, auth: self.text(auth) }
            }
            Fact::GatewayConnected { gateway, timings, auth } => {
                Fact::GatewayConnected { gateway, timings, auth: self.text(auth) }
            }
            Fact::ProxySaid { host, line } => Fact::ProxySaid { host, line: self.text(line) },
            Fact::GatewayFailed { gateway, failure } => {
                Fact::GatewayFailed { gateway, failure: self.failure(failure) }
            }
            Fact::LockWaiting { task, lock, host, holder } => {
                let holder = holder.map(|Holder { who, since, run, task, process }| Holder {
                    who: self.text(who),
                    since: self.text(since),
                    run: self.text(run),
                    task: self.text(task),
                    process: self.text(process),
                });
                Fact::LockWaiting { task, lock, host, holder }
            }
            Fact::LockFailed { task, lock, host, failure } => {
                Fact::LockFailed { task, lock, host, failure: self.failure(failure) }
            }
            Fact::StepRetried { host, task, step, attempt, failure, delay } => {
                Fact::StepRetried { host, task, step, attempt, failure: self.failure(failure), delay }
            }
            Fact::QuestionAsked { host, task, step, question } => {
                Fact::QuestionAsked { host, task, step, question: self.text(question) }
            }
            Fact::StepFinished { host, task, step, outcome } => {
                let StepOutcome {
                    status,
                    failure,
                    exit,
                    note,
                    difference,
                    change,
                    may_still_run,
                    earlier,
                    not_known,
                    elapsed,
                } = outcome;
                let outcome = StepOutcome {
                    status,
                    failure: failure.map(|failure| self.failure(failure)),
                    exit: exit.map(|exit| match exit {
                        Exit::Status(status) => Exit::Status(status),
                        Exit::Signal(name) => Exit::Signal(self.text(name)),
                    }),
                    note: note.map(|note| self.text(note)),
                    difference: difference.map(|difference| self.text(difference)),
                    change,
                    may_still_run,
                    earlier,
                    not_known,
                    elapsed,
                };
                Fact::StepFinished { host, task, step, outcome }
            }
            Fact::HostFinished { host, outcome } => {
                let failure = outcome.failure.map(|failure| self.failure(failure));
                Fact::HostFinished { host, outcome: HostOutcome { failure, ..outcome } }
            }
            Fact::FactsGathered { host, task, step, facts } => {
                Fact::FactsGathered { host, task, step, facts: self.facts(facts) }
            }
            told @ (Fact::TaskStarted { .. }
            | Fact::BatchStarted { .. }
            | Fact::LockTaken { .. }
            | Fact::LockReleased { .. }
            | Fact::StepStarted { .. }
            | Fact::Output { .. }
            | Fact::TransferAdvanced { .. }
            | Fact::QuestionAnswered { .. }
            | Fact::TaskFinished { .. }
            | Fact::StragglersNoticed { .. }
            | Fact::AgentAwaited { .. }
            | Fact::StopRequested { .. }
            | Fact::RunFinished { .. }) => told,
        }
    }

    /// What a host tells about itself; all of it goes when what is left is none of its fields any more.
    fn facts(&self, facts: Arc<Facts>) -> Arc<Facts> {
        let told = Value::Object(facts.to_vars());
        let masked = self.value(told.clone());
        if masked == told {
            return facts;
        }
        Arc::new(serde_json::from_value(masked).unwrap_or_default())
    }

    fn value(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(text)),
            Value::Array(items) => items.into_iter().map(|item| self.value(item)).collect(),
            Value::Object(fields) => {
                fields.into_iter().map(|(name, field)| (name, self.value(field))).collect()
            }
            other @ (Value::Null | Value::Bool(_) | Value::Number(_)) => other,
        }
    }

    fn text(&self, text: String) -> String {
        match self.redactor().redact(&text) {
            Cow::Borrowed(_) => text,
            Cow::Owned(redacted) => redacted,
        }
    }

    fn failure(&self, failure: Failure) -> Failure {
        let Failure { kind, message, hint } = failure;
        Failure { kind, message: self.text(message), hint: hint.map(|hint| self.text(hint)) }
    }

    fn task(&self, task: TaskSummary) -> TaskSummary {
        let TaskSummary { name, mut steps, hosts } = task;
        for step in &mut steps {
            step.title = self.text(std::mem::take(&mut step.title));
        }
        TaskSummary { name: self.text(name), steps, hosts }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::outcome::{Kind, Status, StepStatus};

    const CANARY: &str = "c4nary-s3cret";

    fn discretion(secret: &str) -> Discretion {
        Discretion::new(Redactor::new(&[Secret::new(secret)]))
    }

    fn passed(discretion: &Discretion, fact: Fact) -> Vec<Fact> {
        let mut facts = Vec::new();
        discretion.pass(fact, |fact| facts.push(fact));
        facts
    }

    fn host() -> HostName {
        HostName::from("h1")
    }

    fn output(stream: Stream, data: &[u8]) -> Fact {
        Fact::Output { host: host(), task: 0, step: 0, stream, data: Bytes::copy_from_slice(data) }
    }

    fn step_finished(text: &str) -> Fact {
        let outcome = StepOutcome {
            status: StepStatus::Failed,
            failure: Some(Failure::new(Kind::Fail, text).hint(text)),
            exit: Some(Exit::Signal(text.to_owned())),
            note: Some(text.to_owned()),
            difference: Some(text.to_owned()),
            change: Default::default(),
            may_still_run: false,
            earlier: false,
            not_known: false,
            elapsed: std::time::Duration::ZERO,
        };
        Fact::StepFinished { host: host(), task: 0, step: 0, outcome }
    }

    fn host_finished(text: &str) -> Fact {
        let outcome = HostOutcome {
            status: Status::Failed,
            failure: Some(Failure::new(Kind::Fail, text)),
            step: None,
            started: true,
            may_still_run: false,
        };
        Fact::HostFinished { host: host(), outcome }
    }

    fn facts_of(text: &str) -> Facts {
        let mut facts = Facts { hostname: Some(text.to_owned()), ..Facts::default() };
        facts.os.like = vec![text.to_owned()];
        facts
    }

    fn said(facts: &[Fact]) -> Vec<u8> {
        let data = |fact: &Fact| match fact {
            Fact::Output { data, .. } => data.to_vec(),
            _ => Vec::new(),
        };
        facts.iter().flat_map(data).collect()
    }

    #[test]
    fn every_text_of_a_fact_is_looked_at() {
        let text = format!("<{CANARY}>");
        let failure = || Failure::new(Kind::Fail, text.clone()).hint(text.clone());
        let step = crate::event::StepSummary {
            action: "run".to_owned(),
            title: text.clone(),
            section: Default::default(),
            position: None,
        };
        let facts = [
            Fact::RunStarted {
                schema: 1,
                run: "r".into(),
                title: text.clone(),
                started_at: String::new(),
                hosts: vec![host()],
                tasks: vec![TaskSummary { name: text.clone(), steps: vec![step], hosts: vec![0] }],
                pool: 1,
            },
            Fact::HostConnecting { host: host(), address: text.clone(), via: None },
            Fact::ConnectRetried { host: host(), attempt: 1, failure: failure(), delay: Default::default() },
            Fact::HostConnected { host: host(), timings: Default::default(), auth: text.clone() },
            Fact::GatewayConnected { gateway: host(), timings: Default::default(), auth: text.clone() },
            Fact::GatewayFailed { gateway: host(), failure: failure() },
            Fact::ProxySaid { host: host(), line: text.clone() },
            Fact::StepRetried {
                host: host(),
                task: 0,
                step: 0,
                attempt: 1,
                failure: failure(),
                delay: Default::default(),
            },
            Fact::FactsGathered { host: host(), task: 0, step: 0, facts: Arc::new(facts_of(&text)) },
            step_finished(&text),
            host_finished(&text),
        ];
        for fact in facts {
            let masked = serde_json::to_string(&fact).unwrap().replace(CANARY, "********");
            let told = passed(&discretion(CANARY), fact);
            assert_eq!(told.len(), 1);
            assert_eq!(serde_json::to_string(&told).unwrap(), format!("[{masked}]"));
        }
    }

    #[test]
    fn facts_that_a_secret_cannot_be_taken_out_of_are_not_told() {
        let mut facts = facts_of("web1");
        facts.default_ipv4 = Some(crate::model::facts::Route {
            gateway: Some("10.11.12.13".parse().unwrap()),
            ..Default::default()
        });
        let fact = Fact::FactsGathered { host: host(), task: 0, step: 0, facts: Arc::new(facts) };
        let told = serde_json::to_string(&passed(&discretion("10.11.12.13"), fact.clone())).unwrap();
        assert!(!told.contains("10.11.12.13") && told.contains("facts_gathered"), "{told}");
        let told = serde_json::to_string(&passed(&discretion("other"), fact)).unwrap();
        assert!(told.contains("10.11.12.13"), "{told}");
    }

    #[test]
    fn output_without_secrets_is_passed_on_at_once_and_without_a_copy() {
        let data = Bytes::from_static(b"one\ntwo\n");
        let fact =
            Fact::Output { host: host(), task: 0, step: 0, stream: Stream::Stdout, data: data.clone() };
        match &passed(&discretion(CANARY), fact)[..] {
            [Fact::Output { data: told, .. }] => assert_eq!(told.as_ptr(), data.as_ptr()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_held_back_comes_out_at_the_end_of_its_step_and_lines_stay_whole() {
        let discretion = discretion("first line\nsecond line");
        assert_eq!(said(&passed(&discretion, output(Stream::Stdout, b"x\na first line\n"))), b"x\n");
        assert_eq!(said(&passed(&discretion, output(Stream::Stderr, b"second line\n"))), b"********\n");
        assert_eq!(
            said(&passed(&discretion, output(Stream::Stdout, b"second line.\nno newline"))),
            b"a ********.\n"
        );
        let end = passed(&discretion, step_finished("end"));
        assert_eq!(said(&end), b"no newline");
        assert!(matches!(end.last(), Some(Fact::StepFinished { .. })));
        assert!(discretion.lock().is_empty());
    }

    #[test]
    fn what_is_held_back_comes_out_at_the_end_of_a_host_whose_worker_panicked() {
        let discretion = discretion(CANARY);
        assert!(passed(&discretion, output(Stream::Stdout, b"c4nary")).is_empty());
        let end = passed(&discretion, host_finished("panic"));
        assert_eq!(said(&end), b"c4nary");
        assert!(discretion.lock().is_empty());
    }

    proptest! {
        #[test]
        fn no_cut_tells_a_secret(cuts in prop::collection::vec(1..20_usize, 1..20), lines in 1..5_usize) {
            let text = format!("a {CANARY} b\n{CANARY}{CANARY}\nc4nary\n").repeat(lines);
            let discretion = discretion(CANARY);
            let mut facts = Vec::new();
            let (mut rest, mut cuts) = (text.as_bytes(), cuts.iter().cycle());
            while !rest.is_empty() {
                let (now, later) = rest.split_at(rest.len().min(*cuts.next().unwrap()));
                facts.extend(passed(&discretion, output(Stream::Stdout, now)));
                rest = later;
            }
            facts.extend(passed(&discretion, step_finished("end")));
            prop_assert_eq!(said(&facts), text.replace(CANARY, "********").into_bytes());
        }
    }
}
