//! All reporters over streams that no run of this version would tell: with events of a later one in between, out of order,
//! cut off, with endless lines.

pub(super) mod samples;

use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::event::recap::Recap;
use crate::event::{Event, Fact, StepAt, StepFact, Stream, line};
use crate::model::outcome::{ExitCode, Kind, Status};
use crate::model::range;
use crate::report::file::{ReportKind, render};
use crate::report::merge::{Merge, MergeError, PartEnd, StreamPart, whole_events};
use crate::report::recap::{self, Options};
use crate::report::record::Record;
use crate::report::tests::samples::{Captured, deploy, event, host};
use crate::report::{
    Annotations, FactSheets, Fold, FoldFrame, FoldOptions, Jsonl, Layout, Lines, PerHost, Phases, Reporter,
    Sheet, Style, Verbose, read,
};

/// Events of tomorrow: one about nothing in particular, one about a step, one of a stream that is neither of the two, and
/// one whose fields are of other types than any field of today's.
fn later() -> Vec<Value> {
    vec![
        json!({"at_ms": 500, "event": "weather_changed"}),
        json!({"at_ms": 501, "event": "step_slept", "host": "web01", "task": 0, "step": 1, "for": {"ms": [1, null]}}),
        json!({"at_ms": 502, "event": "output", "host": "web01", "task": 0, "step": 0, "stream": "trace", "text": "x\n"}),
        json!({"at_ms": 503, "event": "host_moved", "host": 7, "task": "a", "step": {}, "hosts": {}, "outcome": []}),
    ]
}

fn parsed(line: &Value) -> Event {
    serde_json::from_str(&line.to_string()).unwrap()
}

/// What every reporter makes of a stream.
fn told(events: &[Event]) -> (Vec<String>, Recap) {
    let captured: Vec<Captured> = (0..9).map(|_| Captured::default()).collect();
    let mut free = captured.iter();
    let mut out = || -> Box<dyn Write + Send> { Box::new(free.next().unwrap().clone()) };
    let files = Arc::new(Mutex::new(String::new()));
    let kept = Arc::clone(&files);
    let options = FoldOptions {
        layout: Layout::Prefixed,
        style: Style::default(),
        frame: FoldFrame::Plain,
        diff: true,
    };
    let mut reporters: Vec<Box<dyn Reporter>> = vec![
        Box::new(Lines::new(out(), out(), Layout::Prefixed, Style::default())),
        Box::new(Fold::new(out(), out(), options)),
        Box::new(Verbose::new(out(), Style::default())),
        Box::new(FactSheets::new(out(), Sheet::Json, Style::default())),
        Box::new(Phases::new(out(), true)),
        Box::new(Annotations::new(out())),
        Box::new(PerHost::new(Box::new(move |name: &str, anew: bool, data: &[u8]| -> io::Result<()> {
            *kept.lock().unwrap() += &format!("{name} {anew} {data:?}\n");
            Ok(())
        }))),
    ];
    let mut record = Record::default();
    for event in events {
        record.apply(event);
        reporters.iter_mut().for_each(|reporter| reporter.event(event).unwrap());
    }
    reporters.iter_mut().for_each(|reporter| reporter.finish().unwrap());
    let mut told: Vec<String> = captured.iter().map(Captured::text).collect();
    told.push(files.lock().unwrap().clone());
    told.push(table(record.recap()));
    told.extend(ReportKind::ALL.iter().map(|&kind| format!("{:?}", render(kind, &record))));
    (told, record.recap().clone())
}

fn table(recap: &Recap) -> String {
    let style = Style::default();
    recap::render(recap, &Options { style, columns: 80, rows: 100, quiet: false, fold: range::fold })
}

fn merged(streams: &[&[Event]]) -> Result<Vec<Event>, (usize, MergeError)> {
    let streams: Vec<Vec<Event>> = streams.iter().map(|stream| stream.to_vec()).collect();
    let part = |stream: &Vec<Event>| StreamPart::read(stream.iter().cloned().map(Ok));
    let parts: Vec<StreamPart> =
        streams.iter().map(part).collect::<Result<_, _>>().map_err(|error| (0, error))?;
    let merge = Merge::of(&parts)?;
    let mut all = vec![merge.beginning().clone()];
    for (at, stream) in streams.into_iter().enumerate() {
        all.extend(stream.into_iter().filter_map(|event| merge.event(at, event)));
    }
    all.extend(merge.end().cloned());
    Ok(all)
}

fn as_json(events: &[Event]) -> Vec<Value> {
    let captured = Captured::default();
    let mut jsonl = Jsonl::new(Box::new(captured.clone()));
    events.iter().for_each(|event| jsonl.event(event).unwrap());
    jsonl.finish().unwrap();
    captured.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn an_event_of_a_later_version_changes_nothing_wherever_it_stands() {
    let events = deploy();
    let (as_it_is, merged_as_it_is) = (told(&events), as_json(&merged(&[&events]).unwrap()));
    for at in 0..=events.len() {
        let line = later().swap_remove(at % later().len());
        let mut more = events.clone();
        more.insert(at, parsed(&line));
        assert_eq!(told(&more), as_it_is, "{line} at {at}");
        let mut merged = as_json(&merged(&[&more]).unwrap());
        let found = merged.iter().position(|merged| *merged == line);
        merged.remove(found.unwrap_or_else(|| panic!("{line} at {at} is not among {merged:#?}")));
        assert_eq!(merged, merged_as_it_is, "{line} at {at}");
    }
}

/// A stream in which every object has a field more, and every enumeration a word that is not known.
fn tomorrow() -> Vec<Value> {
    let step = json!({"action": "teleport", "title": "a", "section": "prologue", "color": "red",
        "position": {"file": "t.yaml", "line": 1, "column": 1, "end": 9}});
    let failure = json!({"kind": "asteroid", "message": "gone", "hint": "duck", "since": 3});
    let outcome = json!({"status": "evaporated", "failure": failure, "exit": {"core": "x"}, "note": "n",
        "change": "likely", "may_still_run": false, "elapsed_ms": 3, "joules": 1.5});
    let facts = json!({"os": {"name": "Plan 10", "like": [], "smell": "new"}, "kernel": {}, "cpu": {"times": {}}, "memory": {},
        "swap": {}, "disks": [], "mounts": [], "interfaces": [{"name": "e", "addresses": [
            {"address": "10.0.0.1", "family": "ipv4", "scope": "galaxy"}]}],
        "dns": {"nameservers": [], "search": []}, "processes": {"by_memory": [], "by_cpu": []}, "virt": {"kind": "dream"}, "hardware": {}, "user": {}, "soul": {}});
    vec![
        json!({"at_ms": 0, "event": "run_started", "schema": 1, "run": "01", "title": "t", "pool": 1, "mood": "good",
            "started_at": "2026-01-02T03:04:05Z", "hosts": ["web1"],
            "tasks": [{"name": "t", "steps": [step], "hosts": [0], "owner": "ann"}]}),
        json!({"at_ms": 1, "event": "connect_retried", "host": "web1", "attempt": 1, "failure": failure, "delay_ms": 1}),
        json!({"at_ms": 2, "event": "host_connected", "host": "web1", "auth": "dna", "lane": 3,
            "timings": {"queued_ms": 0, "connect_ms": 0, "handshake_ms": 0, "auth_ms": 0, "prayer_ms": 1}}),
        json!({"at_ms": 3, "event": "step_started", "host": "web1", "task": 0, "step": 0, "try": 1}),
        json!({"at_ms": 4, "event": "output", "host": "web1", "task": 0, "step": 0, "stream": "stdout", "text": "a\n",
            "lang": "en"}),
        json!({"at_ms": 5, "event": "facts_gathered", "host": "web1", "task": 0, "step": 0, "facts": facts}),
        json!({"at_ms": 6, "event": "step_finished", "host": "web1", "task": 0, "step": 0, "outcome": outcome}),
        json!({"at_ms": 7, "event": "stop_requested", "reason": "boredom", "forced": false}),
        json!({"at_ms": 8, "event": "host_finished", "host": "web1", "outcome": {"status": "ascended",
            "failure": failure, "step": [0, 0], "started": true, "may_still_run": false, "to": "cloud"}}),
        json!({"at_ms": 9, "event": "run_finished", "cancelled": "boredom", "encore": true, "last": null}),
    ]
}

#[test]
fn fields_and_words_of_a_later_version_are_carried_on_and_never_taken_for_good() {
    let lines = tomorrow();
    let events: Vec<Event> = lines.iter().map(parsed).collect();
    assert_eq!(as_json(&events), lines);
    let understood: Vec<bool> = events.iter().map(Event::is_understood).collect();
    assert_eq!(understood, [false; 10].map(|no| no), "{lines:#?}");
    assert_eq!(as_json(&merged(&[&events]).unwrap()), lines);
    let mut recap = Recap::default();
    events.iter().for_each(|event| recap.apply(event));
    let web1 = &recap.hosts[0];
    assert_eq!((web1.status(), web1.kind().unwrap().as_str()), (Some(Status::Unknown), "asteroid"));
    assert_eq!((web1.steps_done, web1.steps_total, web1.changed), (0, 0, 0));
    assert_eq!(recap.exit_code(), ExitCode::Terminated);
    assert!(told(&events).0.iter().any(|told| told.contains("gone [asteroid]")));
    assert!(deploy().iter().all(Event::is_understood));
}

#[test]
fn what_is_no_word_does_not_pass_for_a_kind() {
    let kind = |word: &str| serde_json::from_value::<Kind>(json!(word)).unwrap();
    for no_word in ["", "\u{1b}[2J", "Über", "two words", &"x".repeat(1000)] {
        assert_eq!(kind(no_word).as_str(), "other", "{no_word:?}");
    }
    for number in 0..1000 {
        assert_eq!(kind(&format!("kind_{number}")).as_str(), kind(&format!("kind_{number}")).as_str());
    }
    assert_eq!(kind("exit"), Kind::Exit);
}

#[test]
fn what_slices_say_alike_beyond_what_is_known_is_said_of_the_whole() {
    let slice = |host: &str, mood: &str| -> Vec<Event> {
        let text = Value::Array(tomorrow()).to_string().replace("web1", host).replace("good", mood);
        serde_json::from_str(&text).unwrap()
    };
    let beginning = |moods: [&str; 2]| {
        let [one, two] = moods.map(|mood| slice(mood, mood));
        as_json(&merged(&[&one, &two]).unwrap()).swap_remove(0)
    };
    let same = beginning(["a", "b"]);
    assert_eq!((&same["mood"], &same["tasks"][0]["owner"]), (&Value::Null, &json!("ann")));
    let [one, two] = ["a", "b"].map(|host| slice(host, "fine"));
    let all = as_json(&merged(&[&one, &two]).unwrap());
    assert_eq!((&all[0]["mood"], &all[0]["tasks"][0]["steps"][0]["color"]), (&json!("fine"), &json!("red")));
    assert_eq!(all[all.len() - 1]["encore"], true);
    // Where the tasks of slices differ, an event that nobody knows goes with its task.
    let text = Value::Array(tomorrow()).to_string().replace("\"name\":\"t\"", "\"name\":\"other\"");
    let mut two: Vec<Event> = serde_json::from_str(&text.replace("web1", "web2")).unwrap();
    two.insert(3, parsed(&later()[1]));
    let all = as_json(&merged(&[&one, &two]).unwrap());
    let slept = all.iter().find(|line| line["event"] == "step_slept").unwrap();
    assert_eq!((&slept["task"], &slept["for"]), (&json!(1), &json!({"ms": [1, null]})));
}

#[test]
fn numbers_at_their_limits_are_numbers() {
    let most = u64::MAX.to_string();
    let mut text = Vec::new();
    deploy().iter().for_each(|event| line::write(&mut text, event).unwrap());
    let text = String::from_utf8(text).unwrap();
    for (field, to) in [
        ("at_ms", most.as_str()),
        ("task", &most),
        ("step", &most),
        ("attempt", "4294967295"),
        ("delay_ms", &most),
        ("elapsed_ms", &most),
        ("connect_ms", &most),
        ("pool", &most),
    ] {
        let field = format!("\"{field}\":");
        let line = |line: &str| match line.split_once(&field) {
            Some((before, after)) if !line.contains("run_started") || field.contains("pool") => {
                let rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
                // Where it ended is a pair of numbers.
                let rest = if rest.len() == after.len() { after } else { rest };
                let to = if rest.len() == after.len() { "" } else { to };
                format!("{before}{field}{to}{rest}\n")
            }
            Some(_) | None => format!("{line}\n"),
        };
        let changed: String = text.lines().map(line).collect();
        assert_ne!(changed, text, "{field}");
        let pairs = changed.replace("\"step\":[0,1]", &format!("\"step\":[0,{most}]"));
        for text in [changed, pairs] {
            let events: Vec<Event> = read(text.as_bytes()).map(Result::unwrap).collect();
            told(&events);
            told(&merged(&[&events]).unwrap());
        }
    }
}

#[test]
fn a_line_of_ten_megabytes_is_a_line() {
    let said = "x".repeat(10 * 1024 * 1024);
    let at = StepAt { host: host("web01"), task: 0, step: 1 };
    let mut events = deploy();
    let output = StepFact::Output { stream: Stream::Stdout, data: said.into() };
    events.insert(20, event(500, Fact::Step(at, output)));
    let mut text = Vec::new();
    events.iter().for_each(|event| line::write(&mut text, event).unwrap());
    let replayed: Vec<Event> = read(text.as_slice()).map(Result::unwrap).collect();
    assert_eq!(replayed, events);
    assert_eq!(merged(&[&replayed]).unwrap().len(), events.len() - 1, "its task began in the beginning");
    let mut record = Record::default();
    events.iter().for_each(|event| record.apply(event));
    assert!(table(record.recap()).len() < 10_000);
}

#[test]
fn a_line_without_end_is_refused_and_not_held() {
    let mut text = Vec::new();
    line::write(&mut text, &deploy()[0]).unwrap();
    let endless = text.as_slice().chain(io::repeat(b'x'));
    let mut events = whole_events(read(io::BufReader::new(endless)));
    assert!(events.next().unwrap().is_ok());
    assert_eq!(events.next().unwrap().unwrap_err().to_string(), "line 2: longer than 64 MiB");
}

#[test]
fn a_stream_that_is_cut_off_anywhere_is_read_up_to_its_last_whole_line() {
    let (events, mut text) = (deploy(), Vec::new());
    events.iter().for_each(|event| line::write(&mut text, event).unwrap());
    for length in (0..text.len()).step_by(7) {
        let cut = &text[..length];
        let found: Vec<Event> = whole_events(read(cut)).map(Result::unwrap).collect();
        let lines = cut.iter().filter(|&&byte| byte == b'\n').count();
        let whole = lines + usize::from(text[length] == b'\n' && length > 0);
        assert_eq!(found, events[..whole], "{length}");
        match StreamPart::read(read(cut)) {
            Ok(part) => {
                assert!(whole > 0 && (part.end() == PartEnd::CutOff) == (whole < events.len()), "{length}")
            }
            Err(error) => assert!(whole == 0 && matches!(error, MergeError::NoStart), "{length}: {error}"),
        }
    }
}

#[test]
fn a_line_that_is_none_is_named_with_its_number() {
    let mut text = Vec::new();
    deploy().iter().take(2).for_each(|event| line::write(&mut text, event).unwrap());
    for (broken, why) in [
        (&b"\xff\n"[..], "line 3: expected value"),
        (b"{\"at_ms\":1,\"event\":\"\xff\"}\n", "line 3: invalid unicode code point"),
        (b"[]\n", "line 3: an event is a JSON object"),
        (b"{\"at_ms\":1}\n", "line 3: missing field `event`"),
        (
            b"{\"at_ms\":1,\"event\":\"step_started\",\"host\":\"a\",\"task\":0}\n",
            "line 3: missing field `step`",
        ),
        (b"{\"at_ms\":1,\"event\":\"task_finished\",\"task\":\"a\"}\n", "line 3: invalid type: string \"a\""),
    ] {
        let stream = [&text, broken, b"\r\n\n", &text].concat();
        let events: Vec<io::Result<Event>> = read(stream.as_slice()).collect();
        assert_eq!(events.len(), 5);
        let message = events[2].as_ref().unwrap_err().to_string();
        assert!(message.starts_with(why), "{message}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn streams_in_any_order_are_told_somehow(
        events in Just(deploy()).prop_shuffle(),
        twice in prop::collection::vec(any::<prop::sample::Index>(), 0..10),
        task in 0..3_usize,
        hosts in prop::collection::vec(0..9_usize, 0..4),
    ) {
        let mut events = events;
        for index in twice {
            events.push(index.get(&events).clone());
        }
        events.push(event(3, Fact::Task(task, crate::event::TaskFact::Started { hosts: Some(hosts) })));
        told(&events);
        if let Ok(merged) = merged(&[&events]) {
            told(&merged);
        }
    }
}
