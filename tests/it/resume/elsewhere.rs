//! `fan resume FILE.jsonl`: a run of a machine that is gone, such as the runner of a CI job, taken up on another one.

use std::fs;
use std::path::{Path, PathBuf};

use crate::fixtures::support::{Fan, Ran};
use crate::resume::taken_up::succeeds;

const HOSTS: &str = "hosts:\n  h[1-3]: {transport: local}\n";

/// The second step fails where there is no file `good`; the last one needs what the first one said.
const TASKS: &str = "
tasks:
  deploy:
    steps:
      - {run: 'echo {{ host }} >> DIR/log; echo value of {{ host }}', register: made}
      - run: test -e DIR/good
      - run: echo {{ made.stdout }} >> DIR/after
";

/// A machine with the project. What is done on the hosts is seen in `hosts`, whichever machine does it.
fn machine(hosts: &Path) -> Fan {
    let tasks = TASKS.replace("DIR", &hosts.display().to_string());
    Fan::new().file("inventory.yaml", HOSTS).file("tasks.yaml", tasks)
}

/// The lines of a file of the hosts, sorted.
fn lines(hosts: &Path, name: &str) -> Vec<String> {
    let text = fs::read_to_string(hosts.join(name)).unwrap_or_default();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

fn hand_over(from: &Fan, to: &Fan, name: &str) {
    fs::copy(from.work().join(name), to.work().join(name)).unwrap();
}

fn refused(ran: &Ran, why: &str) {
    assert_eq!(ran.code, Some(2), "{}", ran.snapshot());
    assert!(ran.stderr.contains(why), "{}", ran.snapshot());
}

/// A run that failed on all hosts at its second step, its stream on the next machine.
struct Failed {
    hosts: tempfile::TempDir,
    next: Fan,
}

impl Failed {
    fn run(arguments: &[&str]) -> Self {
        let hosts = tempfile::tempdir().unwrap();
        let first = machine(hosts.path());
        let ran = first.run([&["run"], arguments, &["--report", "deploy.jsonl"]].concat());
        assert_eq!(ran.code, Some(1), "{}", ran.snapshot());
        let next = machine(hosts.path());
        hand_over(&first, &next, "deploy.jsonl");
        Self { hosts, next }
    }

    fn hosts(&self) -> &Path {
        self.hosts.path()
    }

    fn stream(&self) -> PathBuf {
        self.next.work().join("deploy.jsonl")
    }

    /// The same stream with some of its lines.
    fn keep_lines(&self, keeps: impl Fn(&str) -> bool) {
        let text = fs::read_to_string(self.stream()).unwrap();
        let kept: String = text.lines().filter(|line| keeps(line)).map(|line| format!("{line}\n")).collect();
        assert_ne!(kept, text);
        fs::write(self.stream(), kept).unwrap();
    }
}

#[test]
fn each_host_goes_on_at_its_step_with_what_it_had_registered() {
    let failed = Failed::run(&["deploy", "-H", "h[1-2]"]);
    assert_eq!(lines(failed.hosts(), "log"), ["h1", "h2"]);
    fs::write(failed.hosts().join("good"), "").unwrap();
    let plan = failed.next.run(["resume", "deploy.jsonl", "--plan"]);
    succeeds(&plan);
    assert!(
        plan.stderr.starts_with("deploy.jsonl: fan run deploy -H 'h[1-2]' --report deploy.jsonl\n"),
        "{}",
        plan.snapshot()
    );
    let ran = failed.next.run(["resume", "deploy.jsonl"]);
    succeeds(&ran);
    assert_eq!(lines(failed.hosts(), "log"), ["h1", "h2"], "done once");
    assert_eq!(lines(failed.hosts(), "after"), ["value of h1", "value of h2"]);
    // It is a run of this machine's now.
    let again = failed.next.run(["resume", "deploy.jsonl"]);
    succeeds(&again);
    assert!(again.stderr.contains("nothing to do in run"), "{}", again.snapshot());
    assert_eq!(lines(failed.hosts(), "after").len(), 2);
}

#[test]
fn a_third_machine_goes_on_from_both() {
    let failed = Failed::run(&["deploy", "-H", "h1"]);
    let ran = failed.next.run(["resume", "deploy.jsonl"]);
    assert_eq!(ran.code, Some(1), "{}", ran.snapshot());
    assert!(
        ran.stderr.contains("deploy.jsonl stays as it is: what is done now is recorded in deploy-2.jsonl\n"),
        "{}",
        ran.snapshot()
    );
    let third = machine(failed.hosts());
    ["deploy.jsonl", "deploy-2.jsonl"].iter().for_each(|name| hand_over(&failed.next, &third, name));
    fs::write(failed.hosts().join("good"), "").unwrap();
    refused(&third.run(["resume", "deploy-2.jsonl"]), "give its stream before this one");
    succeeds(&third.run(["resume", "deploy.jsonl", "deploy-2.jsonl"]));
    assert_eq!(lines(failed.hosts(), "log"), ["h1"]);
    assert_eq!(lines(failed.hosts(), "after"), ["value of h1"]);
}

#[test]
fn retry_starts_over_where_it_was_not_ok() {
    let failed = Failed::run(&["deploy", "-H", "h1"]);
    fs::write(failed.hosts().join("good"), "").unwrap();
    // What is missing at the end does not matter to it.
    failed.keep_lines(|line| !line.contains(r#""event":"run_finished""#));
    refused(&failed.next.run(["resume", "deploy.jsonl"]), "deploy.jsonl ends before its run did");
    assert_eq!(lines(failed.hosts(), "log"), ["h1"]);
    succeeds(&failed.next.run(["retry", "deploy.jsonl"]));
    assert_eq!(lines(failed.hosts(), "log"), ["h1", "h1"]);
}

#[test]
fn secrets_are_not_in_it_and_are_given_again() {
    let failed = Failed::run(&["deploy", "-H", "h1", "-e", "db_password=s3cret-one"]);
    let text = fs::read_to_string(failed.stream()).unwrap();
    assert!(!text.contains("s3cret-one"), "{text}");
    fs::write(failed.hosts().join("good"), "").unwrap();
    refused(&failed.next.run(["resume", "deploy.jsonl"]), "give it again: -e db_password=...");
    succeeds(&failed.next.run(["resume", "deploy.jsonl", "-e", "db_password=s3cret-one"]));
    assert_eq!(lines(failed.hosts(), "after"), ["value of h1"]);
}

#[test]
fn a_stream_that_says_too_little_or_too_much_starts_nothing() {
    let failed = Failed::run(&["deploy", "-H", "h1"]);
    fs::write(failed.hosts().join("good"), "").unwrap();
    let whole = fs::read_to_string(failed.stream()).unwrap();
    let write = |text: String| fs::write(failed.stream(), text).unwrap();
    failed.keep_lines(|line| !line.contains(r#""event":"command_given""#));
    refused(
        &failed.next.run(["resume", "deploy.jsonl"]),
        "deploy.jsonl does not say how its run was started",
    );
    write(whole.replace(r#""event":"variables_defined""#, r#""event":"of_tomorrow""#));
    refused(&failed.next.run(["resume", "deploy.jsonl"]), "of a later version of fan");
    write(whole.replace("host_finished", "host_\u{1}"));
    refused(&failed.next.run(["retry", "deploy.jsonl"]), "deploy.jsonl: ");
    write(format!("{whole}{whole}"));
    refused(&failed.next.run(["resume", "deploy.jsonl"]), "no stream of one run");
    write(whole.replace("\"run\":\"", "\"run\":\"../../"));
    refused(&failed.next.run(["resume", "deploy.jsonl"]), "no run \"../../");
    refused(&failed.next.run(["resume", "deploy.jsonl", "last"]), "last: one run is taken up at a time");
    refused(&failed.next.run(["resume", "nowhere.jsonl"]), "nowhere.jsonl: No such file");
    write(String::new());
    refused(&failed.next.run(["resume", "deploy.jsonl"]), "deploy.jsonl: ");
    assert_eq!(lines(failed.hosts(), "log"), ["h1"]);
    // None of it was taken in.
    write(whole);
    succeeds(&failed.next.run(["resume", "deploy.jsonl"]));
    assert_eq!(lines(failed.hosts(), "log"), ["h1"]);
}

#[test]
fn files_that_are_others_on_the_next_machine_are_named() {
    let failed = Failed::run(&["deploy", "-H", "h1"]);
    fs::write(failed.hosts().join("good"), "").unwrap();
    let tasks = failed.next.work().join("tasks.yaml");
    let text = fs::read_to_string(&tasks).unwrap();
    fs::write(&tasks, format!("{text}# mended\n")).unwrap();
    refused(&failed.next.run(["resume", "deploy.jsonl"]), "changed since run ");
    succeeds(&failed.next.run(["resume", "deploy.jsonl", "-y"]));
    assert_eq!(lines(failed.hosts(), "log"), ["h1"]);
}
