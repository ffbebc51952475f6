//! The journal of runs, `fan history`, `fan show` and `fan report`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use fan::testing::event::{Event, Fact, StepAt, StepFact};
use fan::testing::sandbox::Behaviour;
use fan::testing::store::{RunState, Runs};
use rustix::process::Signal;
use serde_json::Value;

use crate::fixtures::support::{Fan, eventually, sandbox};

const NORMAL: [(&str, Behaviour); 2] = [("web1", Behaviour::Normal), ("web2", Behaviour::Normal)];

const TASKS: &str = "
secrets: {token: {env: TOKEN}}
tasks:
  deploy:
    hosts: [all]
    params: {version: null}
    steps:
      - run: echo on {{ host }} {{ version }}
        register: out
      - run: printf '%s\\n' {{ token }}
        register: told
      - run: test {{ host }} != web2
";

fn state(fan: &Fan) -> PathBuf {
    fan.home().join(".local/state")
}

fn runs(fan: &Fan) -> Runs {
    Runs::open(&state(fan)).unwrap().unwrap()
}

/// Everything that is written below the state folder.
fn written(fan: &Fan) -> String {
    let mut text = String::new();
    let mut folders = vec![state(fan)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => text += &fs::read_to_string(path).unwrap(),
            }
        }
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_told_again_as_it_was() {
    let sandbox = sandbox(NORMAL).await;
    let fan = Fan::of(&sandbox).file("tasks.yaml", TASKS).env("TOKEN", "c4nary-of-the-vault");
    let ran = fan.run(["run", "deploy:1.2", "--report", "live.json", "--report", "live.xlsx"]);
    assert_eq!(ran.code, Some(1), "{}", ran.snapshot());
    let show = fan.run(["show"]);
    assert_eq!(show.code, Some(0), "{}", show.snapshot());
    let hint = ran.stderr.strip_prefix(ran.stderr.split_once(&show.stdout).unwrap().0).unwrap();
    let hint = hint.strip_prefix(&show.stdout).unwrap();
    let name = runs(&fan).names().unwrap().remove(0);
    assert_eq!(hint, format!("\nhint: `fan resume {name}` continues web2 at step 3\n"));
    let output = fan.run(["show", "last", "--output"]);
    let lines: Vec<&str> = output.stdout.lines().filter(|line| line.contains(" | ")).collect();
    for line in ran.stdout.lines() {
        assert!(lines.contains(&line), "{line}\n{}", output.stdout);
    }
    let report = fan.run(["report", &name[..20], "later.json", "later.html", "later.xlsx", "later.jsonl"]);
    assert_eq!(report.code, Some(0), "{}", report.snapshot());
    let read = |name: &str| fs::read_to_string(fan.work().join(name)).unwrap();
    assert_eq!(read("live.json"), read("later.json"));
    // Whenever it is made: a workbook has the moment of the run inside.
    let bytes = |name: &str| fs::read(fan.work().join(name)).unwrap();
    assert!(bytes("live.xlsx") == bytes("later.xlsx"), "the workbooks differ");
    for (stream, why) in [("none.jsonl", "No such file"), ("tasks.jsonl", "not run_started")] {
        let fan = Fan::new().file("tasks.jsonl", "{}\n");
        let refused = fan.run(["show", stream]);
        assert_eq!(refused.code, Some(2), "{}", refused.snapshot());
        assert!(
            refused.stderr.starts_with("error: ") && refused.stderr.contains(why),
            "{}",
            refused.snapshot()
        );
    }
    // The stream tells the same.
    assert_eq!(fan.run(["show", "later.jsonl"]).stdout, show.stdout);
    assert_eq!(fan.run(["show", "later.jsonl", "--output"]).stdout, output.stdout);
    let folded = fan.run(["show", "-b"]);
    assert!(folded.stdout.contains("\nweb[1-2] (2)\n  | "), "{}", folded.snapshot());
    assert_eq!(fan.run(["show", "later.jsonl", "-b"]).stdout, folded.stdout);
    let again = fan.run(["report", "later.jsonl", "again.json"]);
    assert_eq!(again.code, Some(0), "{}", again.snapshot());
    assert_eq!(read("live.json"), read("again.json"));
    let merged = fan.run(["report", "merge", "later.jsonl", "-o", "merged.json"]);
    assert_eq!(merged.code, Some(0), "{}", merged.snapshot());
    assert_eq!(read("merged.json"), read("later.json"));
    assert!(read("later.html").contains("deploy"));
    let written = written(&fan);
    assert!(!written.contains("c4nary") && written.contains("********"), "{written}");
    let kept: Vec<_> = runs(&fan).read(&name).unwrap().kept().unwrap().collect();
    let told = kept.iter().find(|kept| kept.step == 1).unwrap();
    assert_eq!((told.vars.len(), told.lost.as_slice()), (0, &["told".to_owned()][..]));
    let out = kept.iter().find(|kept| kept.step == 0 && kept.host.as_str() == "web2").unwrap();
    assert_eq!(out.vars["out"]["stdout"], "on web2 1.2");
}

/// A report whose steps have the texts of their output instead of numbers: which of two hosts' texts comes first is not the
/// same in each stream of a run.
fn with_texts_in_place(report: &str) -> Value {
    let mut report: Value = serde_json::from_str(report).unwrap();
    let texts = report["texts"].take();
    for host in report["hosts"].as_array_mut().unwrap() {
        for step in host["steps"].as_array_mut().unwrap() {
            for stream in ["stdout", "stderr"] {
                if let Some(number) = step[stream].as_u64() {
                    step[stream] = texts[usize::try_from(number).unwrap()].clone();
                }
            }
        }
    }
    report
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_later_fan_recorded_is_shown_and_passed_on_and_nobody_goes_on_from_it() {
    let sandbox = sandbox(NORMAL).await;
    let fan = Fan::of(&sandbox).file("tasks.yaml", TASKS).env("TOKEN", "c4nary-of-the-vault");
    assert_eq!(fan.run(["run", "deploy:1.2", "--report", "live.jsonl"]).code, Some(1));
    let name = runs(&fan).names().unwrap().remove(0);
    let told = |run: &str| {
        [&["show", run][..], &["show", run, "--output"], &["show", run, "--diff"]].map(|args| {
            let told = fan.run(args);
            assert_eq!(told.code, Some(0), "{}", told.snapshot());
            told.stdout
        })
    };
    let (shown, listed) = (told(&name), fan.run(["history", "--json"]).stdout);
    let later = r#"{"at_ms":1,"event":"step_slept","host":"web1","task":0,"step":0,"for":{"ms":[1,null]}}"#;
    let with_later = |text: &str| {
        let lines = text.lines().flat_map(|line| [line, later]);
        lines
            .map(|line| line.replace("\"may_still_run\"", "\"dreams\":[],\"may_still_run\"") + "\n")
            .collect::<String>()
    };
    let parsed = |line: &str| serde_json::from_str::<Value>(line).unwrap();
    let count = |text: &str| {
        let slept = text.lines().filter(|line| parsed(line) == parsed(later));
        (slept.count(), text.matches("dreams").count())
    };
    let events = state(&fan).join("fan/runs").join(&name).join("events.jsonl");
    let recorded = fs::read_to_string(&events).unwrap();
    fs::write(&events, with_later(&recorded)).unwrap();
    assert_eq!(told(&name), shown);
    assert_eq!(fan.run(["history", "--json"]).stdout, listed);
    for again in ["resume", "retry"] {
        let refused = fan.run([again, &name]);
        assert_eq!(refused.code, Some(2), "{}", refused.snapshot());
        let why = format!(
            "error: run {name} was recorded by fan {}, which is newer than this one (line 2 of events.jsonl) (help: use that version of fan)\n",
            env!("CARGO_PKG_VERSION")
        );
        assert_eq!(refused.stderr, why);
    }
    let path = |name: &str| fan.work().join(name);
    let read = |name: &str| fs::read_to_string(path(name)).unwrap();
    let ran = fan.run(["report", &name, "copy.jsonl", "copy.json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    assert_eq!(count(&read("copy.jsonl")), count(&with_later(&recorded)));
    assert_eq!(told("copy.jsonl"), shown);
    fs::write(path("live.jsonl"), with_later(&read("live.jsonl"))).unwrap();
    let ran = fan.run(["report", "merge", "live.jsonl", "-o", "all.json"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    assert_eq!(with_texts_in_place(&read("all.json")), with_texts_in_place(&read("copy.json")));
    // What is read is not emptied to be written.
    let before = read("copy.jsonl");
    std::os::unix::fs::symlink("copy.jsonl", path("link.jsonl")).unwrap();
    for args in [["report", "copy.jsonl", "./copy.jsonl"], ["report", "link.jsonl", "copy.jsonl"]] {
        let refused = fan.run(args);
        assert_eq!(refused.code, Some(2), "{}", refused.snapshot());
        assert!(
            refused.stderr.contains("copy.jsonl is read, and cannot be written"),
            "{}",
            refused.snapshot()
        );
        assert_eq!(read("copy.jsonl"), before, "{args:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_has_what_changed_something_newest_first() {
    let sandbox = sandbox(NORMAL).await;
    let fan = Fan::of(&sandbox).file("tasks.yaml", TASKS).file("a", "new").env("TOKEN", "c4nary-c4nary");
    let none = fan.run(["history"]);
    insta::assert_snapshot!(none.snapshot(), @"
    exit code: 2
    --- stderr
    error: no run is kept (help: runs are recorded once one changes something: docs/history.md)
    ");
    for (args, code) in [
        (vec!["ping"], 0),
        (vec!["facts"], 0),
        (vec!["exec", "-H", "all", "--", "true"], 0),
        (vec!["ls", "-H", "all", "."], 0),
        (vec!["run", "deploy:1", "--dry-run"], 0),
        (vec!["exec", "-H", "all", "--no-journal", "--", "true"], 0),
        (vec!["put", "-H", "web1", "a", "b"], 0),
        (vec!["run", "deploy:2", "--set", "more=1"], 1),
    ] {
        let ran = fan.run(&args);
        assert_eq!(ran.code, Some(code), "{args:?}: {}", ran.snapshot());
    }
    let off = Fan::of(&sandbox).env("FAN_JOURNAL", "off");
    assert_eq!(off.run(["exec", "-H", "all", "--", "true"]).code, Some(0));
    assert!(!state(&off).exists());
    let list = fan.run(["history", "--json"]);
    let list: Vec<Value> = serde_json::from_str(&list.stdout).unwrap();
    let titles: Vec<&str> = list.iter().map(|run| run["title"].as_str().unwrap()).collect();
    assert_eq!(titles, ["deploy:2", "put a → b", "exec true"]);
    assert_eq!(list[0]["arguments"], serde_json::json!(["run", "deploy:2", "--set", "more=1"]));
    assert_eq!((list[0]["exit_code"].as_u64(), list[0]["counts"]["ok"].as_u64()), (Some(1), Some(1)));
    let table = fan.run(["history", "-n", "1"]);
    let words: Vec<&str> = table.stdout.split_whitespace().collect();
    assert_eq!(words[2..8], ["1", "ok,", "1", "not", "exit", "1"], "{}", table.snapshot());
    assert_eq!(table.stdout.lines().count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_by_the_environment_is_part_of_the_command_line() {
    let sandbox = sandbox(NORMAL).await;
    let fan = Fan::of(&sandbox).env("FAN_HOSTS", "web1").env("FAN_FOLD", "true").env("FAN_POOL", "3");
    let ran = fan.run(["exec", "-z", "4", "--", "echo", "--", "hi"]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    let name = runs(&fan).names().unwrap().remove(0);
    let recipe = runs(&fan).read(&name).unwrap().recipe;
    let flags = ["exec", "--hosts=web1", "--fold", "-z", "4", "--", "echo", "--", "hi"];
    assert_eq!(recipe.arguments, flags);
    assert_eq!(recipe.folder, fs::canonicalize(fan.work()).unwrap().display().to_string());
    let digest = recipe.files[0].sha256.clone().unwrap();
    assert_eq!((recipe.files[0].path.as_str(), digest.len()), ("inventory.yaml", 64));
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_of_the_command_line_are_masked() {
    let sandbox = sandbox(NORMAL).await;
    let fan = Fan::of(&sandbox).file("tasks.yaml", TASKS).env("TOKEN", "c4nary-of-the-vault");
    for (words, shown, masked, unrepeatable) in [
        (vec!["deploy:1", "-e", "token=c4n"], vec!["deploy:1", "-e", "token=********"], "token", false),
        (vec!["deploy:1", "-ea=xc4nary-of-the-vaultx"], vec!["deploy:1", "-ea=********"], "a", false),
        (vec!["deploy:c4nary-of-the-vault"], vec!["deploy:********"], "", true),
    ] {
        let ran = fan.run(["run"].iter().chain(&words));
        assert_eq!(ran.code, Some(1), "{}", ran.snapshot());
        let name = runs(&fan).names().unwrap().remove(0);
        let recipe = runs(&fan).read(&name).unwrap().recipe;
        assert_eq!(recipe.arguments[1..], shown);
        assert_eq!(recipe.masked.join(","), masked);
        assert_eq!(recipe.unrepeatable.is_some(), unrepeatable);
    }
    assert!(!written(&fan).contains("c4nary"), "{}", written(&fan));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_cannot_be_written_is_a_warning() {
    let sandbox = sandbox(NORMAL).await;
    let fan = Fan::of(&sandbox);
    fs::create_dir_all(state(&fan)).unwrap();
    fs::write(state(&fan).join("fan"), "in the way").unwrap();
    let ran = fan.run(["exec", "-H", "web1", "--", "echo", "hi"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "web1 | hi\n"));
    let warning = "warning: this run is not recorded: cannot use <home>/.local/state/fan: ";
    assert!(ran.snapshot().contains(warning), "{}", ran.snapshot());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_ends_the_journal_and_not_the_run() {
    let sandbox = sandbox(NORMAL).await;
    // A limit on the size of files is as good as a full disk.
    let fan = Fan::of(&sandbox).in_script("trap '' XFSZ; ulimit -f 4; exec \"$@\"");
    let ran = fan.run(["exec", "-H", "all", "--", "yes | head -c 20000"]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    assert_eq!(ran.stdout.lines().count(), 20000);
    assert!(ran.stderr.contains("warning: the record of this run is incomplete: "), "{}", ran.snapshot());
}

/// It would do again what the record misses.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_goes_on_from_a_record_that_ends_early() {
    let sandbox = sandbox(NORMAL).await;
    let tasks = "tasks: {t: {hosts: [web1], steps: [run: yes | head -c 20000, run: echo ran >> log, run: test -e good]}}";
    let fan = Fan::of(&sandbox).file("tasks.yaml", tasks);
    let fan = fan.in_script("trap '' XFSZ; ulimit -f 4; exec \"$@\"");
    assert_eq!(fan.run(["run", "t"]).code, Some(1));
    let ran = fan.run(["resume"]);
    assert_eq!(ran.code, Some(2), "{}", ran.snapshot());
    assert!(
        ran.stderr.contains("its record ends early") && ran.stderr.contains("fan retry"),
        "{}",
        ran.snapshot()
    );
    let log = sandbox.hosts()[0].home.join("log");
    assert_eq!(fs::read_to_string(log).unwrap(), "ran\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_run_is_there_up_to_its_last_fact() {
    let sandbox = sandbox(NORMAL).await;
    let tasks = "tasks: {t: {hosts: [all], steps: [run: echo first, run: sleep 100]}}";
    let fan = Fan::of(&sandbox).file("tasks.yaml", tasks);
    let going = fan.start(["run", "t"]);
    let name = eventually("two steps that sleep", || {
        let name = Runs::open(&state(&fan)).ok()??.names().ok()?.pop()?;
        let stored = runs(&fan).read(&name).ok()?;
        let begun =
            |event: &Event| matches!(event.fact, Fact::Step(StepAt { step: 1, .. }, StepFact::Started));
        (stored.events().unwrap().filter(begun).count() == 2).then_some(name)
    });
    assert!(matches!(runs(&fan).read(&name).unwrap().state, RunState::Running(_)));
    let history = fan.run(["history"]);
    assert!(history.stdout.contains("running"), "{}", history.snapshot());
    going.signal(Signal::KILL);
    assert_eq!(going.finish().signal, Some(9));
    assert!(matches!(runs(&fan).read(&name).unwrap().state, RunState::CutOff(_)));
    let show = fan.run(["show"]);
    assert_eq!(show.code, Some(0), "{}", show.snapshot());
    assert!(show.stdout.contains("web1  unfinished  1/2 steps"), "{}", show.snapshot());
}

#[tokio::test(flavor = "multi_thread")]
async fn old_runs_go_when_a_new_one_begins() {
    let sandbox = sandbox(NORMAL).await;
    let fan = Fan::of(&sandbox).env("FAN_KEEP_RUNS", "2");
    for command in ["echo 1", "echo 2", "echo 3"] {
        assert_eq!(fan.run(["exec", "-H", "web1", "--", command]).code, Some(0));
    }
    let list = fan.run(["history", "--json"]);
    let list: Vec<Value> = serde_json::from_str(&list.stdout).unwrap();
    let titles: Vec<&str> = list.iter().map(|run| run["title"].as_str().unwrap()).collect();
    assert_eq!(titles, ["exec echo 3", "exec echo 2"]);
    let mode = fs::metadata(state(&fan).join("fan")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}
