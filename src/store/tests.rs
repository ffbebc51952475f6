//! The journal over real folders: what stays after a kill, what is refused, how much is kept.

use std::fs;
use std::io::BufReader;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use tempfile::TempDir;

use crate::event::ledger::{Kept, Ledger};
use crate::event::line::read;
use crate::event::recap::Recap;
use crate::event::{
    ConnectionFact, Event, Fact, HostOutcome, RunFact, SCHEMA_VERSION, Section, StepAt, StepFact,
    StepOutcome, StepSummary, Stream, TaskSummary, Timings,
};
use crate::model::inventory::HostName;
use crate::model::outcome::{Failure, Kind, Status, StepStatus};
use crate::model::value::Value;
use crate::store::error::StoreError;
use crate::store::journal::HOST_OUTPUT_MAX;
use crate::store::{Again, Journal, Keep, Recipe, RunState, Runs, Way};

/// A name as that of the run that began at this time.
fn name(millis: u64) -> String {
    const DIGITS: &[u8] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let digit = |at: u32| char::from(DIGITS[usize::try_from((millis >> (5 * at)) & 31).unwrap()]);
    (0..10).rev().map(digit).collect::<String>() + "0123456789ABCDEF"
}

fn recipe(run: &str) -> Recipe {
    Recipe { run: run.to_owned(), title: "deploy".to_owned(), ..Recipe::default() }
}

fn state() -> (TempDir, Runs) {
    let state = tempfile::tempdir().unwrap();
    let runs = Runs::create(state.path()).unwrap();
    (state, runs)
}

fn at(ms: u64, fact: Fact) -> Event {
    Event::new(Duration::from_millis(ms), fact)
}

fn host() -> HostName {
    HostName::from("web1")
}

fn started() -> Event {
    let step = |title: &str| StepSummary {
        action: "run".to_owned(),
        title: title.to_owned(),
        written: None,
        section: Section::Steps,
        position: None,
    };
    let tasks =
        vec![TaskSummary { name: "deploy".into(), steps: vec![step("a"), step("b")], hosts: vec![0] }];
    let fact = Fact::Run(RunFact::Started {
        schema: SCHEMA_VERSION,
        run: "01".into(),
        title: "deploy".into(),
        started_at: "2026-01-02T03:04:05Z".into(),
        hosts: vec![host()],
        tasks,
        pool: 1,
    });
    at(0, fact)
}

fn output(text: impl Into<Bytes>) -> Event {
    at(
        2,
        Fact::Step(
            StepAt { host: host(), task: 0, step: 0 },
            StepFact::Output { stream: Stream::Stdout, data: text.into() },
        ),
    )
}

fn events() -> Vec<Event> {
    let failure = Failure::new(Kind::Exit, "exit status 1");
    let outcome = StepOutcome {
        status: StepStatus::Failed,
        failure: Some(failure.clone()),
        exit: None,
        note: None,
        difference: None,
        change: Default::default(),
        may_still_run: false,
        earlier: false,
        not_known: false,
        would_change: Default::default(),
        elapsed: Duration::from_millis(5),
    };
    let ended = HostOutcome {
        status: Status::Failed,
        failure: Some(failure),
        step: Some((0, 0)),
        started: true,
        may_still_run: false,
    };
    vec![
        started(),
        at(1, Fact::Step(StepAt { host: host(), task: 0, step: 0 }, StepFact::Started)),
        output("last words\n"),
        at(7, Fact::Step(StepAt { host: host(), task: 0, step: 0 }, StepFact::Finished { outcome })),
        at(8, Fact::HostFinished { host: host(), outcome: ended }),
        at(9, Fact::Run(RunFact::Finished { cancelled: None })),
    ]
}

fn write_all(journal: &Journal, events: &[Event]) {
    events.iter().for_each(|event| journal.write(event));
}

fn recap(events: impl IntoIterator<Item = Event>) -> Recap {
    let mut recap = Recap::default();
    events.into_iter().for_each(|event| recap.apply(&event));
    recap
}

fn mode(path: &Path) -> u32 {
    path.symlink_metadata().unwrap().permissions().mode() & 0o777
}

#[test]
fn what_was_written_is_read_back() {
    let (state, runs) = state();
    let name = name(1);
    let journal = runs.begin(&recipe(&name)).unwrap();
    write_all(&journal, &events());
    let Value::Object(vars) = json!({"out": {"stdout": "hi"}}) else { unreachable!() };
    let kept = Kept { host: host(), task: 0, step: 0, vars, lost: vec!["token".to_owned()] };
    journal.keep(&kept);
    journal.end(1).unwrap();
    let stored = runs.read(&name).unwrap();
    assert_eq!(stored.recipe, recipe(&name));
    assert_eq!(stored.events().unwrap().collect::<Vec<_>>(), events());
    assert_eq!(stored.kept().unwrap().collect::<Vec<_>>(), [kept]);
    let RunState::Ended(ended) = stored.state else { panic!("{:?}", stored.state) };
    assert_eq!((ended.exit_code, ended.hosts, ended.elapsed_ms), (Some(1), 1, 9));
    assert_eq!((ended.count(Status::Failed), ended.count(Status::Ok)), (1, 0));
    let folder = state.path().join("fan/runs").join(&name);
    for path in [state.path().join("fan"), state.path().join("fan/runs"), folder.clone()] {
        assert_eq!(mode(&path), 0o700, "{}", path.display());
    }
    for entry in fs::read_dir(folder).unwrap() {
        assert_eq!(mode(&entry.unwrap().path()), 0o600);
    }
}

/// That a host is dialled waits for the line after it. What a step begins with does not: three writes for a host, not five.
#[test]
fn only_what_nothing_comes_of_waits_to_be_written() {
    let (state, runs) = state();
    let name = name(1);
    let journal = runs.begin(&recipe(&name)).unwrap();
    let path = state.path().join("fan/runs").join(&name).join("events.jsonl");
    let written = || read(BufReader::new(fs::File::open(&path).unwrap())).map(Result::unwrap).count();
    let dialled = || {
        let address = "10.0.0.1:22".to_owned();
        let timings = Timings::default();
        [
            at(1, Fact::Connection(host(), ConnectionFact::Began { address, via: None })),
            at(1, Fact::Connection(host(), ConnectionFact::Connected { timings, auth: "key".to_owned() })),
        ]
    };
    let mut expected = Vec::new();
    for (number, event) in events().into_iter().enumerate() {
        if number == 1 {
            write_all(&journal, &dialled());
            assert_eq!(written(), 1, "they wait");
            expected.extend(dialled());
        }
        journal.write(&event);
        expected.push(event);
        assert_eq!(written(), expected.len(), "nothing waits behind it");
    }
    // Not for long, when nothing else happens.
    write_all(&journal, &dialled());
    expected.extend(dialled());
    while written() < expected.len() {
        thread::sleep(Duration::from_millis(10));
    }
    write_all(&journal, &dialled());
    expected.extend(dialled());
    journal.end(0).unwrap();
    assert_eq!(runs.read(&name).unwrap().events().unwrap().collect::<Vec<_>>(), expected);
}

/// Every byte is a place at which the machine may have stopped.
#[test]
fn a_journal_that_was_cut_off_anywhere_is_read_up_to_its_last_whole_line() {
    let (state, runs) = state();
    let name = name(1);
    let journal = runs.begin(&recipe(&name)).unwrap();
    write_all(&journal, &events());
    drop(journal);
    let path = state.path().join("fan/runs").join(&name).join("events.jsonl");
    let whole = fs::read(&path).unwrap();
    for length in (0..=whole.len()).rev() {
        fs::File::options().write(true).open(&path).unwrap().set_len(length.try_into().unwrap()).unwrap();
        let lines = whole[..length].iter().filter(|&&byte| byte == b'\n').count();
        let stored = runs.read(&name).unwrap();
        assert_eq!(stored.events().unwrap().collect::<Vec<_>>(), events()[..lines], "{length}");
        let RunState::CutOff(known) = stored.state else { panic!("{:?}", stored.state) };
        assert_eq!(known.hosts, usize::from(lines > 0));
    }
}

#[test]
fn a_run_that_goes_on_is_told_as_such_and_never_removed() {
    let (_state, runs) = state();
    let (running, gone) = (name(1), name(2));
    let journal = runs.begin(&recipe(&running)).unwrap();
    journal.write(&started());
    drop(runs.begin(&recipe(&gone)).unwrap());
    assert!(matches!(runs.read(&running).unwrap().state, RunState::Running(_)));
    let keep = Keep { runs: 1, age: Duration::from_millis(10) };
    runs.prune(keep, Duration::from_secs(100));
    assert_eq!(runs.names().unwrap(), std::slice::from_ref(&running));
    drop(journal);
    assert!(matches!(runs.read(&running).unwrap().state, RunState::CutOff(_)));
    runs.prune(keep, Duration::from_secs(100));
    assert!(runs.names().unwrap().is_empty());
}

#[test]
fn runs_go_by_number_and_by_age_and_nothing_else_does() {
    let (state, runs) = state();
    for millis in 1..=9 {
        drop(runs.begin(&recipe(&name(millis * 1000))).unwrap());
    }
    let other = state.path().join("fan/runs/notes.txt");
    fs::write(&other, "mine").unwrap();
    runs.prune(Keep { runs: 6, age: Duration::from_secs(3600) }, Duration::from_secs(10));
    assert_eq!(runs.names().unwrap().len(), 6);
    runs.prune(Keep { runs: 6, age: Duration::from_secs(3) }, Duration::from_secs(10));
    assert_eq!(runs.names().unwrap(), [name(9000), name(8000), name(7000)]);
    assert_eq!(fs::read(other).unwrap(), b"mine");
}

/// Clocks are set back: a new run may have the name of an old one.
#[test]
fn a_run_that_begins_while_old_ones_are_removed_is_not_lost() {
    let (state, runs) = state();
    let over = AtomicBool::new(false);
    let keep = Keep { runs: 0, age: Duration::ZERO };
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    runs.prune(keep, Duration::from_secs(100));
                }
            });
        }
        let begun: Vec<Result<(), String>> = (1..=300)
            .map(|millis| {
                let name = name(millis);
                let journal = runs.begin(&recipe(&name)).map_err(|error| format!("{name}: {error}"))?;
                journal.write(&started());
                let stored = runs.read(&name).map_err(|error| format!("{name}: {error}"))?;
                drop(journal);
                // Whoever holds it finds it whole, or not at all.
                if let Ok(Some(_hold)) = runs.hold(&name) {
                    runs.read(&name).map_err(|error| format!("held {name}: {error}"))?;
                }
                match stored.state {
                    RunState::Running(_) => Ok(()),
                    state => Err(format!("{name}: {state:?}")),
                }
            })
            .collect();
        over.store(true, Ordering::Relaxed);
        assert_eq!(begun.into_iter().filter_map(Result::err).collect::<Vec<_>>(), [""; 0]);
    });
    runs.prune(keep, Duration::from_secs(100));
    assert_eq!(fs::read_dir(state.path().join("fan/runs")).unwrap().count(), 0);
}

#[test]
fn a_run_that_was_taken_up_since_it_was_judged_stays() {
    let (state, runs) = state();
    let (old, retried, new) = (name(1000), name(1500), name(2000));
    for name in [&old, &retried] {
        drop(runs.begin(&recipe(name)).unwrap());
    }
    let known = runs.names().unwrap().into_iter().collect();
    let hold = runs.hold(&old).unwrap().unwrap();
    runs.remove_unused(&old, &known).unwrap();
    drop(runs.begin(&next(&new, &old, Way::Resume)).unwrap());
    hold.release();
    for name in [&old, &retried] {
        runs.remove_unused(name, &known).unwrap();
    }
    assert_eq!(runs.names().unwrap(), [new, old]);
    // One whose events were lost goes too.
    let folder = state.path().join("fan/runs").join(&retried);
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("run.json"), "{}").unwrap();
    runs.remove_unused(&retried, &known).unwrap();
    assert!(!folder.exists());
}

#[test]
fn a_record_with_a_gap_is_known_as_such() {
    let (state, runs) = state();
    let name = name(1);
    let journal = runs.begin(&recipe(&name)).unwrap();
    write_all(&journal, &events());
    drop(journal);
    let path = state.path().join("fan/runs").join(&name).join("events.jsonl");
    let whole = fs::read_to_string(&path).unwrap();
    let verified = |text: &str| {
        fs::write(&path, text).unwrap();
        runs.read(&name).unwrap().verify(Way::Resume)
    };
    verified(&whole).unwrap();
    verified(&whole[..whole.len() - 5]).unwrap();
    let second = whole.find('\n').unwrap() + 1;
    for broken in ["\0\0\n", "{}\n"] {
        let found = verified(&format!("{}{broken}{}", &whole[..second], &whole[second..]));
        assert!(
            matches!(found, Err(StoreError::Damaged { name: "events.jsonl", line: 2, .. })),
            "{broken:?}: {found:?}"
        );
    }
    let later = whole.replacen("\"schema\":1", "\"schema\":2", 1);
    assert_ne!(later, whole);
    assert!(matches!(verified(&later), Err(StoreError::Later { .. })));
    fs::write(&path, &later).unwrap();
    assert!(matches!(runs.read(&name).unwrap().check_version(), Err(StoreError::Later { .. })));
}

#[test]
fn nobody_goes_on_from_what_a_later_version_may_have_said() {
    let (state, runs) = state();
    let name = name(1);
    let journal = runs.begin(&recipe(&name)).unwrap();
    write_all(&journal, &events());
    journal.keep(&Kept { host: host(), task: 0, step: 0, vars: Default::default(), lost: Vec::new() });
    drop(journal);
    let folder = state.path().join("fan/runs").join(&name);
    let whole = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    let later = "{\"at_ms\":1,\"event\":\"step_slept\",\"host\":\"web1\",\"task\":0,\"step\":0}\n";
    let (events_now, values, recipe) = (whole("events.jsonl"), whole("values.jsonl"), whole("run.json"));
    let second = events_now.find('\n').unwrap() + 1;
    for (name_of, line, text) in [
        ("events.jsonl", 2, format!("{}{later}{}", &events_now[..second], &events_now[second..])),
        ("events.jsonl", 7, format!("{events_now}{later}")),
        ("events.jsonl", 4, events_now.replacen("\"elapsed_ms\":5", "\"elapsed_ms\":5,\"asleep\":true", 1)),
        ("events.jsonl", 4, events_now.replacen("\"status\":\"failed\"", "\"status\":\"asleep\"", 1)),
        ("events.jsonl", 4, events_now.replacen("\"kind\":\"exit\"", "\"kind\":\"asleep\"", 1)),
        ("values.jsonl", 1, values.replacen('}', "},\"kept_by\":\"host\"", 1)),
        ("run.json", 1, recipe.replacen('{', "{\"leader\":\"a\",", 1)),
        ("run.json", 1, recipe.replacen('{', "{\"again\":{\"run\":\"01\",\"way\":\"rewind\"},", 1)),
    ] {
        let before = whole(name_of);
        assert_ne!(text, before);
        fs::write(folder.join(name_of), &text).unwrap();
        let stored = runs.read(&name).unwrap();
        for way in [Way::Resume, Way::Retry] {
            let found = stored.verify(way);
            assert!(
                matches!(&found, Err(StoreError::Later { name, line: at, .. }) if (*name, *at) == (name_of, line)),
                "{text}: {found:?}"
            );
        }
        stored.check_version().unwrap();
        assert_eq!(recap(stored.events().unwrap()).hosts.len(), 1, "it is shown: {text}");
        assert_eq!(
            runs.entry(&name).unwrap().state,
            RunState::CutOff(runs.read(&name).unwrap().state.ended().clone())
        );
        fs::write(folder.join(name_of), before).unwrap();
        runs.read(&name).unwrap().verify(Way::Resume).unwrap();
    }
    // The list tells as much as without it.
    let known = runs.entry(&name).unwrap();
    fs::write(folder.join("events.jsonl"), events_now.clone() + &later.replace(":1,", ":99999,")).unwrap();
    assert_eq!(runs.entry(&name).unwrap(), known);
    // A run that was taken up in a way that nobody knows was taken up.
    let next_name = format!("{}1", &name[..25]);
    drop(runs.begin(&next(&next_name, &name, Way::Retry)).unwrap());
    let path = state.path().join("fan/runs").join(&next_name).join("run.json");
    fs::write(&path, fs::read_to_string(&path).unwrap().replace("\"retry\"", "\"rewind\"")).unwrap();
    assert_eq!(runs.since(&name).unwrap(), [(next_name, Way::Retry)]);
}

/// The recipe of a run that takes up the one before it.
fn next(name: &str, run: &str, way: Way) -> Recipe {
    Recipe { again: Some(Again { run: run.to_owned(), way }), ..recipe(name) }
}

#[test]
fn a_run_stays_as_long_as_one_that_goes_on_from_it() {
    let (_state, runs) = state();
    let names: Vec<String> = (1..=6).map(|millis| name(millis * 1000)).collect();
    for at in [0, 1] {
        drop(runs.begin(&recipe(&names[at])).unwrap());
    }
    drop(runs.begin(&next(&names[2], &names[0], Way::Resume)).unwrap());
    drop(runs.begin(&next(&names[3], &names[2], Way::Resume)).unwrap());
    drop(runs.begin(&next(&names[4], &names[1], Way::Retry)).unwrap());
    // What a gone run goes on from goes with it.
    drop(runs.begin(&next(&names[5], &name(500), Way::Resume)).unwrap());
    runs.prune(Keep { runs: 3, age: Duration::from_secs(3600) }, Duration::from_secs(10));
    let kept = [5, 4, 3, 2, 0].map(|at: usize| names[at].clone());
    assert_eq!(runs.names().unwrap(), kept);
    runs.prune(Keep { runs: 1, age: Duration::from_secs(3600) }, Duration::from_secs(10));
    assert_eq!(runs.names().unwrap(), [names[5].clone()]);
}

#[test]
fn a_run_leads_to_those_that_have_taken_it_up() {
    let (_state, runs) = state();
    let names: Vec<String> = (1..=5).map(|millis| name(millis * 1000)).collect();
    drop(runs.begin(&recipe(&names[0])).unwrap());
    drop(runs.begin(&next(&names[1], &names[0], Way::Resume)).unwrap());
    drop(runs.begin(&recipe(&names[2])).unwrap());
    drop(runs.begin(&next(&names[3], &names[1], Way::Retry)).unwrap());
    drop(runs.begin(&next(&names[4], &names[2], Way::Retry)).unwrap());
    // Its clock was set back.
    drop(runs.begin(&next(&name(500), &names[4], Way::Resume)).unwrap());
    let after = |at: usize, way| (names[at].clone(), way);
    assert_eq!(runs.since(&names[0]).unwrap(), [after(1, Way::Resume), after(3, Way::Retry)]);
    assert_eq!(runs.since(&names[1]).unwrap(), [after(3, Way::Retry)]);
    assert_eq!(runs.since(&names[3]).unwrap(), []);
    assert_eq!(runs.since(&names[2]).unwrap(), [after(4, Way::Retry), (name(500), Way::Resume)]);
}

#[test]
fn only_one_holds_a_run() {
    let (_state, runs) = state();
    let name = name(1);
    let journal = runs.begin(&recipe(&name)).unwrap();
    assert!(runs.hold(&name).unwrap().is_none(), "it goes on");
    drop(journal);
    let hold = runs.hold(&name).unwrap().unwrap();
    assert!(runs.hold(&name).unwrap().is_none());
    hold.release();
    assert!(runs.hold(&name).unwrap().is_some());
    assert!(runs.hold("Z").is_err());
}

#[test]
fn links_are_not_followed() {
    let (elsewhere, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::create_dir(state.path().join("fan")).unwrap();
    symlink(elsewhere.path(), state.path().join("fan/runs")).unwrap();
    assert!(matches!(Runs::create(state.path()), Err(StoreError::Folder { .. })));
    fs::remove_file(state.path().join("fan/runs")).unwrap();
    let runs = Runs::create(state.path()).unwrap();
    // Whoever could write there could also make the run's folder a link.
    let name = name(1);
    fs::write(elsewhere.path().join("run.json"), "mine").unwrap();
    symlink(elsewhere.path(), state.path().join("fan/runs").join(&name)).unwrap();
    assert!(runs.begin(&recipe(&name)).is_err());
    assert!(runs.read(&name).is_err());
    runs.prune(Keep { runs: 1, age: Duration::ZERO }, Duration::from_secs(10));
    assert_eq!(fs::read(elsewhere.path().join("run.json")).unwrap(), b"mine");
}

#[test]
fn a_folder_that_others_may_enter_is_closed() {
    let state = tempfile::tempdir().unwrap();
    let folder = state.path().join("fan");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    Runs::create(state.path()).unwrap();
    assert_eq!(mode(&folder), 0o700);
}

#[test]
fn one_run_is_meant_by_name_by_beginning_or_as_the_last() {
    let (_state, runs) = state();
    assert!(matches!(runs.find("last"), Err(StoreError::Empty)));
    let (old, new) = (name(1), name(1 << 40));
    drop(runs.begin(&recipe(&old)).unwrap());
    drop(runs.begin(&recipe(&new)).unwrap());
    assert_eq!(runs.find("last").unwrap(), new);
    assert_eq!(runs.find(&old).unwrap(), old);
    assert_eq!(runs.find(&new[..4].to_lowercase()).unwrap(), new);
    assert!(matches!(runs.find("Z"), Err(StoreError::Missing { .. })));
    assert!(matches!(runs.find("0"), Err(StoreError::Ambiguous { count: 2, .. })));
    assert!(matches!(runs.find("../../x"), Err(StoreError::Missing { .. })));
}

#[test]
fn a_host_that_talks_without_end_fills_no_disk_and_its_last_lines_are_kept() {
    let (state, runs) = state();
    let name = name(1);
    let journal = runs.begin(&recipe(&name)).unwrap();
    let mut all = events();
    let flood = (0..4000).map(|line| output(format!("{line} {}\n", "x".repeat(1000))));
    all.splice(2..2, flood);
    write_all(&journal, &all);
    journal.end(1).unwrap();
    let size = fs::metadata(state.path().join("fan/runs").join(&name).join("events.jsonl")).unwrap().len();
    assert!(size < HOST_OUTPUT_MAX * 5 / 4, "{size}");
    let stored = runs.read(&name).unwrap();
    assert!(stored.state.ended().output_left_out > 2 * HOST_OUTPUT_MAX);
    let (kept, live) = (recap(stored.events().unwrap()), recap(all));
    let tail = |recap: &Recap| recap.hosts[0].tail.lines().map(<[u8]>::to_vec).collect::<Vec<_>>();
    assert_eq!(tail(&kept).last(), Some(&b"last words".to_vec()));
    assert_eq!(tail(&kept), tail(&live));
}
