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
use crate::event::{
    ConnectionFact, Fact, GatewayFact, HostOutcome, LockFact, RunFact, StepAt, StepFact, StepOutcome,
    StepSummary, Stream, TaskFact, TaskSummary,
};
use crate::model::facts::Facts;
use crate::model::lock::Holder;
use crate::model::outcome::{Exit, Failure};
use crate::model::redact::{RedactedStream, Redactor};
use crate::model::secret::Secret;
use crate::model::value::Value;

/// Stands between a run and its readers.
#[derive(Debug)]
pub(crate) struct Discretion {
    redactor: RwLock<Redactor>,
    streams: Mutex<HashMap<StepAt, Streams>>,
}

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
    pub(crate) fn pass(&self, mut fact: Fact, mut deliver: impl FnMut(Fact)) {
        let redactor = self.redactor();
        if redactor.is_empty() {
            return deliver(fact);
        }
        match fact {
            Fact::Step(at, StepFact::Output { stream, data }) => {
                if let Some(data) = self.output(at.clone(), stream, data) {
                    deliver(Fact::Step(at, StepFact::Output { stream, data }));
                }
                return;
            }
            Fact::Step(ref at, StepFact::Finished { .. } | StepFact::Retried { .. }) => {
                self.finish(at, &mut deliver);
            }
            // A worker that panicked finished no step.
            Fact::HostFinished { ref host, .. } => {
                let open: Vec<StepAt> = self.lock().keys().filter(|at| at.host == *host).cloned().collect();
                open.iter().for_each(|at| self.finish(at, &mut deliver));
            }
            _ => {}
        }
        self.clear(&mut fact);
        deliver(fact);
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

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<StepAt, Streams>> {
        // A panic elsewhere leaves whole streams behind.
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The part of a stream that is decided, in whole lines.
    fn output(&self, at: StepAt, stream: Stream, data: Bytes) -> Option<Bytes> {
        let mut streams = self.lock();
        let streams = streams.entry(at).or_default();
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
    fn finish(&self, at: &StepAt, deliver: &mut impl FnMut(Fact)) {
        let Some(Streams { stdout, stderr }) = self.lock().remove(at) else { return };
        for (stream, redacted) in [(Stream::Stdout, stdout), (Stream::Stderr, stderr)] {
            let Some(Redacted { stream: mut rest, mut lines }) = redacted else { continue };
            let whole = lines.push(Bytes::from(rest.finish()));
            for data in whole.into_iter().chain(lines.finish()) {
                deliver(Fact::Step(at.clone(), StepFact::Output { stream, data }));
            }
        }
    }

    /// Takes secrets out of all fields that may hold one.
    fn clear(&self, fact: &mut Fact) {
        match fact {
            Fact::Run(RunFact::Started {
                schema: _,
                run: _,
                title,
                started_at: _,
                hosts: _,
                tasks,
                pool: _,
            }) => {
                self.text(title);
                tasks.iter_mut().for_each(|task| self.task(task));
            }
            Fact::Lock(_, LockFact::Waiting { holder }) => {
                if let Some(Holder { who, since, run, task, process }) = holder {
                    [who, since, run, task, process].into_iter().for_each(|text| self.text(text));
                }
            }
            Fact::Connection(_, ConnectionFact::Began { address: text, via: _ })
            | Fact::Connection(_, ConnectionFact::Connected { timings: _, auth: text })
            | Fact::Connection(_, ConnectionFact::ProxySaid { line: text })
            | Fact::Gateway(_, GatewayFact::Connected { timings: _, auth: text })
            | Fact::Step(_, StepFact::QuestionAsked { question: text }) => self.text(text),
            // A name of fan's own: run, host, step.
            Fact::Step(_, StepFact::JobStarted { job: _ }) => {}
            Fact::Step(_, StepFact::Waiting { at_most: _ }) => {}
            Fact::Lock(_, LockFact::Failed { failure })
            | Fact::Gateway(_, GatewayFact::Failed { failure })
            | Fact::Connection(_, ConnectionFact::Retried { attempt: _, failure, delay: _ })
            | Fact::Step(
                _,
                StepFact::Retried { attempt: _, failure, delay: _ } | StepFact::Detached { failure },
            ) => self.failure(failure),
            Fact::Step(_, StepFact::FactsGathered { facts }) => self.facts(facts),
            Fact::Step(_, StepFact::Finished { outcome }) => {
                let StepOutcome {
                    status: _,
                    failure,
                    exit,
                    note,
                    difference,
                    change: _,
                    may_still_run: _,
                    earlier: _,
                    not_known: _,
                    would_change: _,
                    elapsed: _,
                } = outcome;
                failure.iter_mut().for_each(|failure| self.failure(failure));
                note.iter_mut().chain(difference).for_each(|text| self.text(text));
                match exit {
                    Some(Exit::Signal(name)) => self.text(name),
                    Some(Exit::Status(_)) | None => {}
                }
            }
            Fact::HostFinished { host: _, outcome } => {
                let HostOutcome { status: _, failure, step: _, started: _, may_still_run: _ } = outcome;
                failure.iter_mut().for_each(|failure| self.failure(failure));
            }
            Fact::Run(
                RunFact::StragglersNoticed { hosts: _ }
                | RunFact::AgentAwaited { hosts: _ }
                | RunFact::StopRequested { reason: _, forced: _ }
                | RunFact::Finished { cancelled: _ },
            )
            | Fact::Task(
                _,
                TaskFact::Started { hosts: _ }
                | TaskFact::BatchStarted { batch: _, of: _, hosts: _ }
                | TaskFact::Finished,
            )
            | Fact::Lock(_, LockFact::Taken | LockFact::Released)
            | Fact::Step(
                _,
                StepFact::Started
                | StepFact::Output { stream: _, data: _ }
                | StepFact::TransferAdvanced { done: _, total: _ }
                | StepFact::Reattached { away: _ }
                | StepFact::QuestionAnswered,
            )
            | Fact::Record(_)
            | Fact::Unknown(_) => {}
        }
    }

    /// What a host tells about itself; all of it goes when what is left is none of its fields any more.
    fn facts(&self, facts: &mut Arc<Facts>) {
        let told = Value::Object(facts.to_vars());
        let masked = self.value(told.clone());
        if masked != told {
            *facts = Arc::new(serde_json::from_value(masked).unwrap_or_default());
        }
    }

    fn value(&self, value: Value) -> Value {
        match value {
            Value::String(mut text) => {
                self.text(&mut text);
                Value::String(text)
            }
            Value::Array(items) => items.into_iter().map(|item| self.value(item)).collect(),
            Value::Object(fields) => {
                fields.into_iter().map(|(name, field)| (name, self.value(field))).collect()
            }
            other @ (Value::Null | Value::Bool(_) | Value::Number(_)) => other,
        }
    }

    fn text(&self, text: &mut String) {
        if let Cow::Owned(redacted) = self.redactor().redact(text) {
            *text = redacted;
        }
    }

    fn failure(&self, failure: &mut Failure) {
        // As a whole: a secret may begin in the cause and end in what was added.
        let mut message = failure.message();
        self.text(&mut message);
        let mut hint = failure.hint.take();
        hint.iter_mut().for_each(|hint| self.text(hint));
        *failure = Failure { hint, ..Failure::new(failure.kind, message) };
    }

    fn task(&self, task: &mut TaskSummary) {
        let TaskSummary { name, steps, hosts: _ } = task;
        self.text(name);
        for StepSummary { action: _, title, written, section: _, position: _ } in steps {
            self.text(title);
            written.iter_mut().for_each(|written| self.text(written));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::{Event, LockAt};
    use crate::model::inventory::HostName;
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

    /// The lines that facts are written as.
    fn written(facts: Vec<Fact>) -> String {
        let line = |fact| serde_json::to_string(&Event::new(Default::default(), fact)).unwrap();
        facts.into_iter().map(line).collect::<Vec<_>>().join("\n")
    }

    fn host() -> HostName {
        HostName::from("h1")
    }

    fn output(stream: Stream, data: &[u8]) -> Fact {
        Fact::Step(
            StepAt { host: host(), task: 0, step: 0 },
            StepFact::Output { stream, data: Bytes::copy_from_slice(data) },
        )
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
            would_change: Default::default(),
            elapsed: std::time::Duration::ZERO,
        };
        Fact::Step(StepAt { host: host(), task: 0, step: 0 }, StepFact::Finished { outcome })
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
            Fact::Step(_, StepFact::Output { data, .. }) => data.to_vec(),
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
            written: Some(text.clone()),
            section: Default::default(),
            position: None,
        };
        let lock = || LockAt { task: 0, lock: "l".into(), host: host() };
        let holder = Holder {
            who: text.clone(),
            since: text.clone(),
            run: text.clone(),
            task: text.clone(),
            process: text.clone(),
        };
        let facts = [
            Fact::Run(RunFact::Started {
                schema: 1,
                run: "r".into(),
                title: text.clone(),
                started_at: String::new(),
                hosts: vec![host()],
                tasks: vec![TaskSummary { name: text.clone(), steps: vec![step], hosts: vec![0] }],
                pool: 1,
            }),
            Fact::Connection(host(), ConnectionFact::Began { address: text.clone(), via: None }),
            Fact::Connection(
                host(),
                ConnectionFact::Retried { attempt: 1, failure: failure(), delay: Default::default() },
            ),
            Fact::Connection(
                host(),
                ConnectionFact::Connected { timings: Default::default(), auth: text.clone() },
            ),
            Fact::Gateway(host(), GatewayFact::Connected { timings: Default::default(), auth: text.clone() }),
            Fact::Gateway(host(), GatewayFact::Failed { failure: failure() }),
            Fact::Connection(host(), ConnectionFact::ProxySaid { line: text.clone() }),
            Fact::Step(
                StepAt { host: host(), task: 0, step: 0 },
                StepFact::Retried { attempt: 1, failure: failure(), delay: Default::default() },
            ),
            Fact::Step(StepAt { host: host(), task: 0, step: 0 }, StepFact::Detached { failure: failure() }),
            Fact::Step(
                StepAt { host: host(), task: 0, step: 0 },
                StepFact::FactsGathered { facts: Arc::new(facts_of(&text)) },
            ),
            Fact::Step(
                StepAt { host: host(), task: 0, step: 0 },
                StepFact::QuestionAsked { question: text.clone() },
            ),
            Fact::Lock(lock(), LockFact::Waiting { holder: Some(holder) }),
            Fact::Lock(lock(), LockFact::Failed { failure: failure() }),
            step_finished(&text),
            host_finished(&text),
        ];
        for fact in facts {
            let masked = written(vec![fact.clone()]).replace(CANARY, "********");
            assert_eq!(written(passed(&discretion(CANARY), fact)), masked);
        }
    }

    #[test]
    fn facts_that_a_secret_cannot_be_taken_out_of_are_not_told() {
        let mut facts = facts_of("web1");
        facts.default_ipv4 = Some(crate::model::facts::types::Route {
            gateway: Some("10.11.12.13".parse().unwrap()),
            ..Default::default()
        });
        let fact = Fact::Step(
            StepAt { host: host(), task: 0, step: 0 },
            StepFact::FactsGathered { facts: Arc::new(facts) },
        );
        let told = written(passed(&discretion("10.11.12.13"), fact.clone()));
        assert!(!told.contains("10.11.12.13") && told.contains("facts_gathered"), "{told}");
        let told = written(passed(&discretion("other"), fact));
        assert!(told.contains("10.11.12.13"), "{told}");
    }

    #[test]
    fn output_without_secrets_is_passed_on_at_once_and_without_a_copy() {
        let data = Bytes::from_static(b"one\ntwo\n");
        let fact = Fact::Step(
            StepAt { host: host(), task: 0, step: 0 },
            StepFact::Output { stream: Stream::Stdout, data: data.clone() },
        );
        match &passed(&discretion(CANARY), fact)[..] {
            [Fact::Step(_, StepFact::Output { data: told, .. })] => assert_eq!(told.as_ptr(), data.as_ptr()),
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
        assert!(matches!(end.last(), Some(Fact::Step(_, StepFact::Finished { .. }))));
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
