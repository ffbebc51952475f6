//! What fan 0.1 wrote, as it wrote it (tests/data/fan-0.1): docs/upgrading.md says what becomes of it.

use std::fs;
use std::path::{Path, PathBuf};

use crate::fixtures::support::Fan;
use crate::resume::taken_up::{lines, state, succeeds};

const RUN: &str = "01M8Q68AKJ3HS5PJPGCF98P1AD";

fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/fan-0.1").join(name)
}

/// The machine on which 0.1 ran `deploy`, which failed on both hosts at its second step.
fn machine() -> Fan {
    let files = ["inventory.yaml", "tasks.yaml", "stream.jsonl"];
    let read = |name: &str| fs::read(sample(name)).unwrap();
    let fan = files.iter().fold(Fan::new(), |fan, name| fan.file(name, read(name)));
    let run = state(&fan).join("fan/runs").join(RUN);
    fs::create_dir_all(&run).unwrap();
    for entry in fs::read_dir(sample("runs").join(RUN)).unwrap() {
        let entry = entry.unwrap();
        let text = fs::read_to_string(entry.path()).unwrap();
        let text = text.replace("/srv/shop", &fan.work().display().to_string());
        fs::write(run.join(entry.file_name()), text).unwrap();
    }
    fan
}

#[test]
fn its_runs_and_streams_are_shown_and_reported() {
    let fan = machine();
    let history = fan.run(["history"]);
    succeeds(&history);
    assert!(
        history.stdout.contains("deploy") && history.stdout.contains("0 ok, 2 not"),
        "{}",
        history.snapshot()
    );
    for run in [RUN, "stream.jsonl"] {
        let shown = fan.run(["show", run, "--output"]);
        succeeds(&shown);
        let text = shown.stdout.clone() + &shown.stderr;
        for word in ["1.4 for web1", "web2", "step 2 \"good is there\" (tasks.yaml:7) exit status 1"] {
            assert!(text.contains(word), "{word}: {}", shown.snapshot());
        }
        succeeds(&fan.run(["report", run, "out.html", "out.json", "out.xml"]));
        assert!(fs::read_to_string(fan.work().join("out.json")).unwrap().contains("\"web2\""));
    }
}

#[test]
fn its_runs_go_on_with_what_they_registered() {
    let fan = machine();
    fs::write(fan.work().join("good"), "").unwrap();
    succeeds(&fan.run(["resume", RUN]));
    let mut done = lines(&fan, "done");
    done.sort();
    assert_eq!(done, ["1.4 for web1", "1.4 for web2"]);
}

#[test]
fn its_runs_are_done_again() {
    let fan = machine();
    fs::write(fan.work().join("good"), "").unwrap();
    succeeds(&fan.run(["retry", RUN]));
    assert_eq!(lines(&fan, "done").len(), 2);
}

#[test]
fn its_streams_do_not_say_how_they_were_started() {
    let fan = machine();
    fs::remove_dir_all(state(&fan)).unwrap();
    let ran = fan.run(["resume", "stream.jsonl"]);
    assert_eq!(ran.code, Some(2), "{}", ran.snapshot());
    assert!(ran.stderr.contains("does not say how its run was started"), "{}", ran.snapshot());
}
