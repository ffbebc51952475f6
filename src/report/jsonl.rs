//! The event stream for programs: one JSON object per line, as docs/events.md describes it.

use std::io::{self, Write};

use crate::event::{Event, line};
use crate::report::reporter::Reporter;
use crate::report::sink::Sink;

/// Prints every event as one line of JSON.
///
/// Characters that could act on a terminal or a CI runner are written as `\u` escapes, which any JSON
/// reader undoes: the stream is safe to look at and loses nothing.
pub struct Jsonl {
    out: Sink,
}

impl Jsonl {
    /// Writes to `out`; it does its own buffering.
    pub fn new(out: Box<dyn Write + Send>) -> Self {
        Self { out: Sink::new(out) }
    }
}

impl Reporter for Jsonl {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        line::write(self.out.buffer(), event)?;
        self.out.spill()
    }

    fn idle(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn finish(&mut self) -> io::Result<()> {
        self.out.finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use proptest::prelude::*;

    use crate::event::recap::Recap;
    use crate::event::{
        ConnectionFact, Event, Fact, RecordFact, RunFact, StepAt, StepFact, Straggler, Stream, TaskFact,
    };
    use crate::model::outcome::{CancelReason, Exit, Failure, Kind, Status, StepStatus};
    use crate::model::text::is_hidden;
    use crate::report::tests::samples::{
        Captured, connected, connecting, event, failed, host, output, run_finished, run_started,
        step_finished, step_outcome, step_started,
    };
    use crate::report::{Jsonl, Reporter, read};

    /// One event of each kind, with every field set.
    fn all_kinds() -> Vec<Event> {
        let exit = Failure::new(Kind::Exit, "exit status 1").hint("look at the log");
        let mut outcome = step_outcome(StepStatus::Failed, Some(exit.clone()));
        outcome.exit = Some(Exit::Status(1));
        outcome.note = Some("a note".into());
        vec![
            run_started(&["web1", "web2"]),
            event(
                0,
                Fact::Record(RecordFact::CommandGiven {
                    recipe: serde_json::json!({
                        "run": "01JD3K", "fan": "0.1.0", "title": "deploy", "started_at": "2026-01-02T03:04:05Z",
                        "arguments": ["run", "deploy", "-e", "token=***"], "masked": ["token"],
                        "unrepeatable": "it read stdin", "folder": "/srv/shop",
                        "files": [{"path": "tasks.yaml", "sha256": "ab"}],
                        "again": {"run": "01JD3J", "way": "resume"},
                    }),
                }),
            ),
            event(1, Fact::Task(0, TaskFact::Started { hosts: None })),
            connecting(2, "web1", "10.0.0.1:22"),
            event(
                3,
                Fact::Connection(
                    host("web1"),
                    ConnectionFact::Retried {
                        attempt: 1,
                        failure: Failure::new(Kind::ConnectReset, "connection reset"),
                        delay: Duration::from_millis(500),
                    },
                ),
            ),
            connected(4, "web1"),
            event(
                5,
                Fact::Step(StepAt { host: host("web1"), task: 0, step: 0 }, StepFact::Waiting { at_most: 2 }),
            ),
            step_started(5, "web1", 0),
            output(6, "web1", Stream::Stdout, "hello\n"),
            output(7, "web1", Stream::Stderr, &b"\xff\n"[..]),
            event(
                8,
                Fact::Record(RecordFact::VariablesDefined {
                    host: host("web1"),
                    task: 0,
                    step: 0,
                    vars: [("message".to_owned(), "hello".into())].into_iter().collect(),
                    lost: vec!["token".to_owned()],
                }),
            ),
            step_finished(8, "web1", 0, outcome),
            failed(9, "web1", Status::Failed, exit, Some(0)),
            event(
                10,
                Fact::Run(RunFact::StragglersNoticed {
                    hosts: vec![Straggler {
                        host: host("web2"),
                        running: Duration::from_secs(91),
                        silent: Duration::from_secs(40),
                    }],
                }),
            ),
            event(
                11,
                Fact::Step(
                    StepAt { host: host("web2"), task: 0, step: 0 },
                    StepFact::QuestionAsked { question: "Go on?".into() },
                ),
            ),
            event(
                11,
                Fact::Step(StepAt { host: host("web2"), task: 0, step: 0 }, StepFact::QuestionAnswered),
            ),
            event(11, Fact::Run(RunFact::AgentAwaited { hosts: 37 })),
            event(
                11,
                Fact::Step(
                    StepAt { host: host("web1"), task: 0, step: 0 },
                    StepFact::FactsGathered { facts: Arc::default() },
                ),
            ),
            event(11, Fact::Run(RunFact::StopRequested { reason: CancelReason::Interrupt, forced: false })),
            event(12, Fact::Task(0, TaskFact::Finished)),
            event(13, Fact::Run(RunFact::Finished { cancelled: Some(CancelReason::Interrupt) })),
        ]
    }

    fn print(events: &[Event]) -> String {
        let captured = Captured::default();
        let mut jsonl = Jsonl::new(Box::new(captured.clone()));
        for event in events {
            jsonl.event(event).unwrap();
        }
        jsonl.finish().unwrap();
        captured.text()
    }

    #[test]
    fn every_kind_of_event() {
        insta::assert_snapshot!(print(&all_kinds()), @r#"
        {"at_ms":0,"event":"run_started","schema":1,"run":"01JD3K","title":"deploy","started_at":"2026-01-02T03:04:05Z","hosts":["web1","web2"],"tasks":[{"name":"deploy","steps":[{"action":"run","title":"unpack","position":{"file":"tasks.yaml","line":12,"column":7}},{"action":"sudo","title":"sudo systemctl restart shop","position":{"file":"tasks.yaml","line":24,"column":7}}],"hosts":[0,1]}],"pool":128}
        {"at_ms":0,"event":"command_given","recipe":{"run":"01JD3K","fan":"0.1.0","title":"deploy","started_at":"2026-01-02T03:04:05Z","arguments":["run","deploy","-e","token=***"],"masked":["token"],"unrepeatable":"it read stdin","folder":"/srv/shop","files":[{"path":"tasks.yaml","sha256":"ab"}],"again":{"run":"01JD3J","way":"resume"}}}
        {"at_ms":1,"event":"task_started","task":0}
        {"at_ms":2,"event":"host_connecting","host":"web1","address":"10.0.0.1:22"}
        {"at_ms":3,"event":"connect_retried","host":"web1","attempt":1,"failure":{"kind":"connect_reset","message":"connection reset"},"delay_ms":500}
        {"at_ms":4,"event":"host_connected","host":"web1","timings":{"queued_ms":0,"connect_ms":0,"handshake_ms":0,"auth_ms":0},"auth":"publickey ED25519 SHA256:abc"}
        {"at_ms":5,"event":"step_waiting","host":"web1","task":0,"step":0,"at_most":2}
        {"at_ms":5,"event":"step_started","host":"web1","task":0,"step":0}
        {"at_ms":6,"event":"output","host":"web1","task":0,"step":0,"stream":"stdout","text":"hello\n"}
        {"at_ms":7,"event":"output","host":"web1","task":0,"step":0,"stream":"stderr","base64":"/wo="}
        {"at_ms":8,"event":"variables_defined","host":"web1","task":0,"step":0,"vars":{"message":"hello"},"lost":["token"]}
        {"at_ms":8,"event":"step_finished","host":"web1","task":0,"step":0,"outcome":{"status":"failed","failure":{"kind":"exit","message":"exit status 1","hint":"look at the log"},"exit":{"status":1},"note":"a note","may_still_run":false,"elapsed_ms":100}}
        {"at_ms":9,"event":"host_finished","host":"web1","outcome":{"status":"failed","failure":{"kind":"exit","message":"exit status 1","hint":"look at the log"},"step":[0,0],"started":true,"may_still_run":false}}
        {"at_ms":10,"event":"stragglers_noticed","hosts":[{"host":"web2","running_ms":91000,"silent_ms":40000}]}
        {"at_ms":11,"event":"question_asked","host":"web2","task":0,"step":0,"question":"Go on?"}
        {"at_ms":11,"event":"question_answered","host":"web2","task":0,"step":0}
        {"at_ms":11,"event":"agent_awaited","hosts":37}
        {"at_ms":11,"event":"facts_gathered","host":"web1","task":0,"step":0,"facts":{"os":{"like":[]},"kernel":{},"cpu":{"times":{}},"memory":{},"swap":{},"disks":[],"mounts":[],"interfaces":[],"dns":{"nameservers":[],"search":[]},"processes":{"by_memory":[],"by_cpu":[]},"virt":{},"hardware":{},"user":{}}}
        {"at_ms":11,"event":"stop_requested","reason":"interrupt","forced":false}
        {"at_ms":12,"event":"task_finished","task":0}
        {"at_ms":13,"event":"run_finished","cancelled":"interrupt"}
        "#);
    }

    #[test]
    fn the_docs_name_every_event_and_field() {
        fn keys(value: &serde_json::Value, found: &mut Vec<String>) {
            match value {
                serde_json::Value::Object(map) => {
                    for (key, value) in map {
                        found.push(key.clone());
                        keys(value, found);
                    }
                }
                serde_json::Value::Array(values) => values.iter().for_each(|value| keys(value, found)),
                _ => {}
            }
        }
        let docs = include_str!("../../docs/events.md");
        for line in print(&all_kinds()).lines() {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            let mut words = vec![value["event"].as_str().unwrap().to_owned()];
            keys(&value, &mut words);
            for word in words {
                assert!(docs.contains(&format!("`{word}`")), "docs/events.md does not name `{word}`");
            }
        }
    }

    #[test]
    fn a_stream_read_back_is_the_same() {
        let events = all_kinds();
        let text = print(&events);
        let read: Vec<Event> = read(text.as_bytes()).map(Result::unwrap).collect();
        assert_eq!(read, events);
        let fold = |events: &[Event]| {
            let mut recap = Recap::default();
            events.iter().for_each(|event| recap.apply(event));
            recap
        };
        assert_eq!(fold(&read), fold(&events));
    }

    #[test]
    fn a_line_cut_off_by_a_crash_is_named() {
        let text = print(&[run_finished(1), run_finished(2)]);
        let cut = &text[..text.len() - 5];
        let results: Vec<_> = read(cut.as_bytes()).collect();
        assert!(results[0].is_ok());
        let message = results[1].as_ref().unwrap_err().to_string();
        assert!(message.starts_with("line 2: EOF while parsing"), "{message}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn lines_are_inert_and_lossless(data in prop_oneof![
            any::<String>().prop_map(String::into_bytes),
            prop::collection::vec(any::<u8>(), 0..30),
            "[#\\[\"\\\\\u{9b}\u{202e}\u{e0001}\x07\n]{0,20}".prop_map(String::into_bytes),
        ]) {
            let event = output(1, "web1", Stream::Stdout, data);
            let text = print(std::slice::from_ref(&event));
            let line = text.strip_suffix('\n').unwrap();
            prop_assert!(!line.contains(is_hidden), "{}", line);
            prop_assert!(!line.contains("##"), "{}", line);
            prop_assert_eq!(serde_json::from_str::<Event>(line).unwrap(), event);
        }
    }
}
