//! Folding, with hand-made events.

use proptest::prelude::*;

use crate::event::{
    Event, Fact, HostOutcome, RunFact, Section, StepAt, StepFact, StepSummary, Stream, TaskFact, TaskSummary,
};
use crate::model::outcome::{Failure, Kind, Status, StepStatus};
use crate::report::tests::samples::{
    Captured, echo_started, event, exec_started, failed, host, ok, output, run_finished, run_started,
    step_finished, step_outcome, step_started, unreachable,
};
use crate::report::{Fold, FoldFrame, FoldOptions, Layout, Reporter, Style};

fn options() -> FoldOptions {
    FoldOptions {
        layout: Layout::Prefixed,
        style: Style { colour: false, ci: false },
        frame: FoldFrame::Plain,
        diff: false,
    }
}

fn print(events: &[Event], options: FoldOptions) -> (String, String) {
    let (out, talk) = (Captured::default(), Captured::default());
    let mut fold = Fold::new(Box::new(out.clone()), Box::new(talk.clone()), options);
    events.iter().for_each(|event| fold.event(event).unwrap());
    fold.finish().unwrap();
    (out.text(), talk.text())
}

fn show(events: &[Event], options: FoldOptions) -> String {
    let (out, talk) = print(events, options);
    format!("--- out\n{out}--- talk\n{talk}")
}

/// A host that says something in the one step of an `exec`, and ends.
fn says(name: &str, stdout: &str, stderr: &str, status: StepStatus) -> Vec<Event> {
    let failure = matches!(status, StepStatus::Failed | StepStatus::Warned)
        .then(|| Failure::new(Kind::Exit, "exit status 1"));
    let mut events = vec![step_started(1, name, 0)];
    if !stdout.is_empty() {
        events.push(output(2, name, Stream::Stdout, stdout.to_owned()));
    }
    if !stderr.is_empty() {
        events.push(output(2, name, Stream::Stderr, stderr.to_owned()));
    }
    events.push(step_finished(3, name, 0, step_outcome(status, failure.clone())));
    events.push(match failure.filter(|_| status == StepStatus::Failed) {
        Some(failure) => failed(4, name, Status::Failed, failure, Some(0)),
        None => ok(4, name),
    });
    events
}

fn exec(said: &[(&str, &str, &str, StepStatus)]) -> Vec<Event> {
    let names: Vec<&str> = said.iter().map(|said| said.0).collect();
    let mut events = vec![exec_started(&names), event(0, Fact::Task(0, TaskFact::Started { hosts: None }))];
    for (name, stdout, stderr, status) in said {
        events.extend(says(name, stdout, stderr, *status));
    }
    events.extend([event(9, Fact::Task(0, TaskFact::Finished)), run_finished(9)]);
    events
}

#[test]
fn hosts_that_say_the_same_stand_together_the_many_first() {
    let events = exec(&[
        ("web01", "6.1.1\n", "", StepStatus::Changed),
        ("web02", "6.1.0\n", "", StepStatus::Changed),
        ("web03", "6.1.0\n", "", StepStatus::Changed),
        ("web04", "6.1.0\n", "", StepStatus::Changed),
        ("web05", "6.1.0\n", "deprecated\n", StepStatus::Changed),
        ("web06", "", "no such file\n", StepStatus::Failed),
        ("web07", "half of it\n", "", StepStatus::Failed),
        ("web08", "", "", StepStatus::Failed),
        ("web09", "", "", StepStatus::Changed),
        ("web10", "", "", StepStatus::Changed),
        ("web11", "", "let pass\n", StepStatus::Warned),
    ]);
    insta::assert_snapshot!(show(&events, options()), @r"
    --- out
    web[02-04] (3)
      | 6.1.0
    web[09-10] (2): no output
    web01
      | 6.1.1
    web05
      | 6.1.0
    web07: exit status 1
      | half of it
    --- talk
    web05 (stderr)
      | deprecated
    web06: exit status 1
      | no such file
    web08: exit status 1
    web11: warned: exit status 1
      | let pass
    ");
}

#[test]
fn the_odd_ones_as_differences() {
    let events = exec(&[
        ("web1", "a\nb\nc\n", "", StepStatus::Changed),
        ("web2", "a\nb\nc\n", "", StepStatus::Changed),
        ("web3", "a\nB\x1b[2J\nc\n", "", StepStatus::Changed),
        ("web4", "a\nb\nc\n", "and more\n", StepStatus::Changed),
        ("web5", "a\r\nb\r\nc\r\n", "", StepStatus::Changed),
    ]);
    insta::assert_snapshot!(show(&events, FoldOptions { diff: true, ..options() }), @r"
    --- out
    web[1-2] (2)
      | a
      | b
      | c
    web3 (differs from web[1-2])
      | @@ -1,3 +1,3 @@
      |  a
      | -b
      | +B\x1b[2J
      |  c
    web4 (as web[1-2])
    web5
      | a
      | b
      | c
    --- talk
    web4 (stderr)
      | and more
    ");
}

#[test]
fn silence_everywhere_is_not_worth_a_word() {
    let events = exec(&[("web1", "", "", StepStatus::Changed), ("web2", "", "", StepStatus::Changed)]);
    assert_eq!(print(&events, options()), (String::new(), String::new()));
}

#[test]
fn each_step_of_a_task_is_told_when_all_are_through_with_it() {
    let (out, talk) = (Captured::default(), Captured::default());
    let mut fold = Fold::new(Box::new(out.clone()), Box::new(talk.clone()), options());
    let mut tell = |event: Event| {
        fold.event(&event).unwrap();
        fold.idle().unwrap();
        out.text()
    };
    let second = |name: &str, text: &'static str| {
        let stream = Stream::Stdout;
        let data = bytes::Bytes::from(text);
        event(5, Fact::Step(StepAt { host: host(name), task: 0, step: 1 }, StepFact::Output { stream, data }))
    };
    tell(run_started(&["web1", "web2", "web3"]));
    tell(event(0, Fact::Task(0, TaskFact::Started { hosts: None })));
    for name in ["web1", "web2"] {
        tell(step_started(1, name, 0));
        tell(output(2, name, Stream::Stdout, "one\n"));
        tell(step_finished(3, name, 0, step_outcome(StepStatus::Changed, None)));
        tell(step_started(4, name, 1));
        tell(second(name, "two\n"));
        tell(step_finished(6, name, 1, step_outcome(StepStatus::Changed, None)));
    }
    assert_eq!(tell(ok(7, "web1")), "");
    // The last host is not reached: nothing more is waited for.
    let all = tell(unreachable(8, "web3", "10.0.0.3:22"));
    insta::assert_snapshot!(all, @r#"
    step 1 "unpack" (tasks.yaml:12)
    web[1-2] (2)
      | one
    step 2 "sudo systemctl restart shop" (tasks.yaml:24)
    web[1-2] (2)
      | two
    "#);
    assert_eq!(talk.text(), "deploy: 3 hosts\n");
}

#[test]
fn a_host_that_goes_on_leaves_earlier_steps_behind() {
    let step = |title: &str, section| StepSummary {
        action: "run".into(),
        title: title.into(),
        written: None,
        section,
        position: None,
    };
    let started = Fact::Run(RunFact::Started {
        schema: 1,
        run: "1".into(),
        title: "t".into(),
        started_at: String::new(),
        hosts: vec![host("a"), host("b")],
        tasks: vec![TaskSummary {
            name: "t".into(),
            steps: vec![
                step("main", Section::Steps),
                step("mend", Section::Rescue),
                step("end", Section::Always),
            ],
            hosts: vec![0, 1],
        }],
        pool: 2,
    });
    let said = |name: &str, step: usize, text: &'static str| {
        let data = bytes::Bytes::from(text);
        let done = step_outcome(StepStatus::Changed, None);
        [
            event(1, Fact::Step(StepAt { host: host(name), task: 0, step }, StepFact::Started)),
            event(
                2,
                Fact::Step(
                    StepAt { host: host(name), task: 0, step },
                    StepFact::Output { stream: Stream::Stdout, data },
                ),
            ),
            event(
                3,
                Fact::Step(StepAt { host: host(name), task: 0, step }, StepFact::Finished { outcome: done }),
            ),
        ]
    };
    let mut events = vec![event(0, started), event(0, Fact::Task(0, TaskFact::Started { hosts: None }))];
    events.extend(said("a", 1, "mended\n"));
    events.extend(said("a", 2, "end\n"));
    events.extend(said("b", 2, "end\n"));
    // Neither host ended, and both steps are told.
    let (out, _) = (Captured::default(), ());
    let mut fold = Fold::new(Box::new(out.clone()), Box::new(Captured::default()), options());
    events.iter().for_each(|event| fold.event(event).unwrap());
    fold.idle().unwrap();
    insta::assert_snapshot!(out.text(), @r#"
    step 2 "mend"
    a
      | mended
    step 3 "end"
    a,b (2)
      | end
    "#);
}

#[test]
fn batches_are_told_one_by_one() {
    let mut events =
        vec![exec_started(&["a", "b"]), event(0, Fact::Task(0, TaskFact::Started { hosts: None }))];
    for (batch, name) in [(1, "a"), (2, "b")] {
        let hosts = vec![batch - 1];
        events.push(event(1, Fact::Task(0, TaskFact::BatchStarted { batch, of: 2, hosts })));
        events.extend(says(name, "same\n", "", StepStatus::Changed));
    }
    let (out, talk) = print(&events, options());
    assert_eq!(out, "a\n  | same\nb\n  | same\n");
    assert_eq!(talk, "batch 1 of 2: a\nbatch 2 of 2: b\n");
}

#[test]
fn only_the_last_attempt_counts() {
    let mut events =
        vec![exec_started(&["a", "b"]), event(0, Fact::Task(0, TaskFact::Started { hosts: None }))];
    events.push(output(1, "a", Stream::Stdout, "not yet\n"));
    events.push(event(
        2,
        Fact::Step(
            StepAt { host: host("a"), task: 0, step: 0 },
            StepFact::Retried {
                attempt: 1,
                failure: Failure::new(Kind::Exit, "exit status 1"),
                delay: std::time::Duration::from_secs(1),
            },
        ),
    ));
    events.extend(["a", "b"].iter().flat_map(|name| says(name, "ready\n", "", StepStatus::Changed)));
    assert_eq!(
        print(&events, options()),
        ("a,b (2)\n  | ready\n".to_owned(), "a: exit status 1, attempt 2 in 1.0s\n".to_owned())
    );
}

#[test]
fn notes_and_changes_fold_too() {
    let mut events =
        vec![run_started(&["web1", "web2"]), event(0, Fact::Task(0, TaskFact::Started { hosts: None }))];
    for name in ["web1", "web2"] {
        let mut outcome = step_outcome(StepStatus::Changed, None);
        outcome.note = Some("1 file sent".into());
        outcome.difference = Some("-old\n+new\n".into());
        events.extend([step_started(1, name, 0), step_finished(2, name, 0, outcome), ok(3, name)]);
    }
    insta::assert_snapshot!(show(&events, options()), @r#"
    --- out
    --- talk
    deploy: 2 hosts
    step 1 "unpack" (tasks.yaml:12)
    web[1-2] (2)
      1 file sent
      | -old
      | +new
    "#);
    let mut outcome = step_outcome(StepStatus::Ok, None);
    outcome.note = Some("hello".into());
    let events = [
        echo_started(&["web1"]),
        event(0, Fact::Task(0, TaskFact::Started { hosts: None })),
        step_finished(2, "web1", 0, outcome),
    ];
    assert_eq!(print(&events, options()).0, "step 1 \"hello\" (tasks.yaml:3)\nweb1\n  | hello\n");
}

#[test]
fn what_was_said_before_a_bug_or_a_stop_is_told() {
    let bug = Failure::new(Kind::Internal, "a bug");
    let mut events =
        vec![exec_started(&["a", "b"]), event(0, Fact::Task(0, TaskFact::Started { hosts: None }))];
    events.push(output(1, "a", Stream::Stdout, "last words\n"));
    events.push(output(1, "b", Stream::Stdout, "and these\n"));
    let outcome = HostOutcome {
        status: Status::Unknown,
        failure: Some(bug),
        step: None,
        started: true,
        may_still_run: true,
    };
    events.push(event(2, Fact::HostFinished { host: host("a"), outcome }));
    insta::assert_snapshot!(print(&events, options()).0, @r"
    a: a bug [internal]
      | last words
    b: end not seen
      | and these
    ");
}

#[test]
fn a_runner_gets_groups_in_one_stream() {
    let events = exec(&[
        ("web1", "::error::boom\n", "", StepStatus::Changed),
        ("web2", "##[group]x\nsection_start:1:x\r\n", "100%\n", StepStatus::Failed),
    ]);
    let style = Style { colour: false, ci: true };
    let github = FoldOptions { frame: FoldFrame::Github, style, ..options() };
    insta::assert_snapshot!(show(&events, github), @r"
    --- out
    ::group::exec uptime (2 hosts, 1 failed)
    web1
      | \x3a:error::boom
    web2: exit status 1
      | \x23#[group]x
      | \x73ection_start:1:x
    web2 (stderr)
      | 100%
    ::endgroup::
    --- talk
    ");
    let gitlab = FoldOptions { frame: FoldFrame::Gitlab { clock: || 1_700_000_000 }, style, ..options() };
    let (out, talk) = print(&events[..events.len() - 5], gitlab);
    assert_eq!(talk, "");
    insta::assert_snapshot!(out.replace('\x1b', "ESC").replace('\r', "CR"), @r"
    ESC[0Ksection_start:1700000000:fan_step_0CRESC[0Kexec uptime (2 hosts, 1 failed)
    web1
      | \x3a:error::boom
    web2: end not seen
      | \x23#[group]x
      | \x73ection_start:1:x
    ESC[0Ksection_end:1700000000:fan_step_0CRESC[0K
    ");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_host_with_output_is_in_one_heading_and_none_is_forged(
        said in prop::collection::vec(prop_oneof![
            "[ab\n]{1,4}".prop_map(String::into_bytes),
            prop::collection::vec(any::<u8>(), 1..20),
            Just(b"n1 (5)\nn[0-9] (10): no output\r n2\n".to_vec()),
        ], 1..12),
        diff in any::<bool>(),
    ) {
        let names: Vec<String> = (0..said.len()).map(|at| format!("n{at}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut events = vec![exec_started(&names), event(0, Fact::Task(0, TaskFact::Started { hosts: None }))];
        for (name, data) in names.iter().zip(&said) {
            events.push(output(1, name, Stream::Stdout, data.clone()));
            events.push(step_finished(2, name, 0, step_outcome(StepStatus::Changed, None)));
        }
        let (out, _) = print(&events, FoldOptions { diff, ..options() });
        let mut found = Vec::new();
        for line in out.lines().filter(|line| !line.starts_with("  | ")) {
            let names = line.split(' ').next().unwrap();
            // Lists of ranges, split at the commas outside of brackets.
            let mut depth = 0;
            let parts = names.split(|c| {
                depth += i32::from(c == '[') - i32::from(c == ']');
                c == ',' && depth == 0
            });
            found.extend(parts.flat_map(|part| crate::model::range::expand(part, 100).unwrap()));
        }
        found.sort();
        let mut expected: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        expected.sort();
        prop_assert_eq!(found, expected, "{}", out);
    }
}
