//! Hand-made events and writers for the tests of the reporters.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use bytes::Bytes;

use crate::event::{
    ConnectionFact, Event, Fact, HostOutcome, RunFact, SCHEMA_VERSION, Section, StepAt, StepFact,
    StepOutcome, StepSummary, Stream, TaskFact, TaskSummary, Timings,
};
use crate::model::inventory::HostName;
use crate::model::outcome::{Failure, Kind, Status, StepStatus};
use crate::model::position::Position;

/// A writer that keeps what it gets, for a look afterwards.
#[derive(Clone, Default)]
pub(crate) struct Captured(Arc<Mutex<Vec<u8>>>);

impl Captured {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.bytes()).unwrap()
    }
}

impl Write for Captured {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A writer that always fails.
pub(crate) struct Broken(pub(crate) io::ErrorKind);

impl Write for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(self.0.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Err(self.0.into())
    }
}

pub(crate) fn event(ms: u64, fact: Fact) -> Event {
    Event::new(Duration::from_millis(ms), fact)
}

pub(crate) fn host(name: &str) -> HostName {
    HostName::from(name)
}

/// The start of `fan run` with one task of two steps from a file.
pub(crate) fn run_started(hosts: &[&str]) -> Event {
    let step = |action: &str, title: &str, line| StepSummary {
        action: action.into(),
        title: title.into(),
        written: None,
        section: Section::Steps,
        position: Some(Position::new("tasks.yaml", line, 7)),
    };
    started("deploy", hosts, vec![step("run", "unpack", 12), step("sudo", "sudo systemctl restart shop", 24)])
}

/// The start of `fan run` with one step that prints.
pub(crate) fn echo_started(hosts: &[&str]) -> Event {
    let position = Some(Position::new("tasks.yaml", 3, 7));
    started(
        "say",
        hosts,
        vec![StepSummary {
            action: "echo".into(),
            title: "hello".into(),
            written: None,
            section: Section::Steps,
            position,
        }],
    )
}

/// The start of a task of one step, and another one in its `rescue`.
pub(crate) fn rescued_started(hosts: &[&str]) -> Event {
    let step = |title: &str, section, line| StepSummary {
        action: "run".into(),
        title: title.into(),
        written: None,
        section,
        position: Some(Position::new("tasks.yaml", line, 7)),
    };
    let steps = vec![step("unpack", Section::Steps, 12), step("roll back", Section::Rescue, 15)];
    started("deploy", hosts, steps)
}

/// The start of `fan exec`.
pub(crate) fn exec_started(hosts: &[&str]) -> Event {
    let step = StepSummary {
        action: "run".into(),
        title: "uptime".into(),
        written: None,
        section: Section::Steps,
        position: None,
    };
    started("exec uptime", hosts, vec![step])
}

fn started(title: &str, hosts: &[&str], steps: Vec<StepSummary>) -> Event {
    let task = TaskSummary { name: title.into(), steps, hosts: (0..hosts.len()).collect() };
    event(
        0,
        Fact::Run(RunFact::Started {
            schema: SCHEMA_VERSION,
            run: "01JD3K".into(),
            title: title.into(),
            started_at: "2026-01-02T03:04:05Z".into(),
            hosts: hosts.iter().map(|name| host(name)).collect(),
            tasks: vec![task],
            pool: 128,
        }),
    )
}

pub(crate) fn connecting(ms: u64, name: &str, address: &str) -> Event {
    event(ms, Fact::Connection(host(name), ConnectionFact::Began { address: address.into(), via: None }))
}

pub(crate) fn connected(ms: u64, name: &str) -> Event {
    let auth = "publickey ED25519 SHA256:abc".to_owned();
    event(ms, Fact::Connection(host(name), ConnectionFact::Connected { timings: Timings::default(), auth }))
}

pub(crate) fn step_started(ms: u64, name: &str, step: usize) -> Event {
    event(ms, Fact::Step(StepAt { host: host(name), task: 0, step }, StepFact::Started))
}

pub(crate) fn output(ms: u64, name: &str, stream: Stream, data: impl Into<Bytes>) -> Event {
    event(
        ms,
        Fact::Step(
            StepAt { host: host(name), task: 0, step: 0 },
            StepFact::Output { stream, data: data.into() },
        ),
    )
}

pub(crate) fn step_outcome(status: StepStatus, failure: Option<Failure>) -> StepOutcome {
    StepOutcome {
        status,
        failure,
        exit: None,
        note: None,
        difference: None,
        change: Default::default(),
        may_still_run: false,
        earlier: false,
        not_known: false,
        would_change: Default::default(),
        elapsed: Duration::from_millis(100),
    }
}

pub(crate) fn step_finished(ms: u64, name: &str, step: usize, outcome: StepOutcome) -> Event {
    event(ms, Fact::Step(StepAt { host: host(name), task: 0, step }, StepFact::Finished { outcome }))
}

pub(crate) fn ok(ms: u64, name: &str) -> Event {
    let outcome =
        HostOutcome { status: Status::Ok, failure: None, step: None, started: true, may_still_run: false };
    event(ms, Fact::HostFinished { host: host(name), outcome })
}

pub(crate) fn failed(ms: u64, name: &str, status: Status, failure: Failure, step: Option<usize>) -> Event {
    let outcome = HostOutcome {
        status,
        failure: Some(failure),
        step: step.map(|step| (0, step)),
        started: step.is_some(),
        may_still_run: status == Status::Unknown,
    };
    event(ms, Fact::HostFinished { host: host(name), outcome })
}

pub(crate) fn unreachable(ms: u64, name: &str, address: &str) -> Event {
    let failure = Failure::new(Kind::ConnectTimeout, format!("connect timed out after 10.0s ({address})"))
        .hint("check the address, or raise --connect-timeout");
    failed(ms, name, Status::Unreachable, failure, None)
}

pub(crate) fn run_finished(ms: u64) -> Event {
    event(ms, Fact::Run(RunFact::Finished { cancelled: None }))
}

/// A terminal that takes nothing until it is opened.
#[derive(Clone)]
pub(crate) struct Gate(Arc<(Mutex<GateState>, Condvar)>);

#[derive(Default)]
struct GateState {
    open: bool,
    entered: bool,
    written: Vec<u8>,
}

impl Gate {
    pub(crate) fn closed() -> Self {
        Self(Arc::default())
    }

    pub(crate) fn open(&self) {
        self.0.0.lock().unwrap().open = true;
        self.0.1.notify_all();
    }

    /// Returns when a write is waiting at the gate.
    pub(crate) fn wait_until_entered(&self) {
        drop(self.0.1.wait_while(self.0.0.lock().unwrap(), |state| !state.entered).unwrap());
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.0.lock().unwrap().written.clone()).unwrap()
    }
}

impl Write for Gate {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let mut state = self.0.0.lock().unwrap();
        state.entered = true;
        self.0.1.notify_all();
        let mut state = self.0.1.wait_while(state, |state| !state.open).unwrap();
        state.written.extend_from_slice(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A whole run with all that a report has to show: one host is fine, one after a second attempt, one fails with
/// hostile words, one is not reached, one is skipped.
pub(crate) fn deploy() -> Vec<Event> {
    let mut events = vec![
        run_started(&["web01", "web02", "web03", "web04", "web05"]),
        event(0, Fact::Task(0, TaskFact::Started { hosts: None })),
    ];
    for (at, name) in ["web01", "web02", "web03"].into_iter().enumerate() {
        let ms = 100 * u64::try_from(at).unwrap();
        events.push(connecting(ms, name, &format!("10.0.0.{at}:22")));
        events.push(connected(ms + 50, name));
        events.push(step_started(ms + 60, name, 0));
        events.push(output(ms + 70, name, Stream::Stdout, "unpacked\n"));
        events.push(step_finished(ms + 160, name, 0, step_outcome(StepStatus::Changed, None)));
        events.push(step_started(ms + 161, name, 1));
    }
    let second = |ms, name: &str, stream, text: &'static [u8]| {
        let data = Bytes::from_static(text);
        event(
            ms,
            Fact::Step(StepAt { host: host(name), task: 0, step: 1 }, StepFact::Output { stream, data }),
        )
    };
    let mut changed = step_outcome(StepStatus::Changed, None);
    changed.note = Some("1 file sent".into());
    changed.difference = Some("--- /etc/x\n+++ /etc/x\n@@ -1 +1 @@\n-old\n+<b>new</b>\n".into());
    events.push(step_finished(1000, "web01", 1, changed));
    events.push(ok(1001, "web01"));
    events.push(second(1100, "web02", Stream::Stderr, b"not yet\n"));
    let exit = Failure::new(Kind::Exit, "exit status 1");
    let delay = Duration::from_secs(1);
    let again = Fact::Step(
        StepAt { host: host("web02"), task: 0, step: 1 },
        StepFact::Retried { attempt: 1, failure: exit.clone(), delay },
    );
    events.push(event(1200, again));
    events.push(step_finished(2300, "web02", 1, step_outcome(StepStatus::Changed, None)));
    events.push(ok(2301, "web02"));
    events.push(second(
        1300,
        "web03",
        Stream::Stdout,
        b"=HYPERLINK(\"http://x\")\n\x1b[2J\xff <script>alert(1)</script>\n",
    ));
    events.push(second(
        1400,
        "web03",
        Stream::Stderr,
        b"]]></system-err> ``` ~~~ | a\n</script><!-- \xe2\x80\xae\n",
    ));
    let mut outcome = step_outcome(StepStatus::Failed, Some(exit.clone()));
    outcome.exit = Some(crate::model::outcome::Exit::Status(1));
    events.push(step_finished(1500, "web03", 1, outcome));
    events.push(failed(1501, "web03", Status::Failed, exit, Some(1)));
    events.push(unreachable(10_000, "web04", "10.0.0.4:22"));
    events.push(failed(
        10_001,
        "web05",
        Status::Skipped,
        Failure::new(Kind::Dependency, "not started: too many hosts failed"),
        None,
    ));
    events.extend([event(10_002, Fact::Task(0, TaskFact::Finished)), run_finished(10_002)]);
    events
}
