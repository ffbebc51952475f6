//! `fan exec --detach` and `fan jobs`, on the real sshd: started by one fan, and looked after by another.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use crate::fixtures::spools::spools;
use crate::fixtures::sshd::Sshd;
use crate::fixtures::support::{Fan, eventually};

struct Bench {
    sshd: Sshd,
    folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("fan-jobs-").tempdir().unwrap();
        let line = format!("SetEnv XDG_STATE_HOME={}", folder.path().join("state").display());
        Self { sshd: Sshd::builder().line(&line).start(), folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// One of another home: it knows nothing of the others' runs.
    fn fan(&self) -> Fan {
        Fan::at(&self.sshd)
    }

    /// Starts a command that waits for a file; gives its name.
    fn detached(&self, args: &[&str]) -> String {
        let ran = self.fan().run(["exec", "-H", "h1", "--detach"].iter().chain(args));
        assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
        let name = ran.stdout.trim_end();
        assert_eq!((name.len(), name.lines().count()), (26, 1), "{}", ran.snapshot());
        name.to_owned()
    }

    fn kept(&self) -> usize {
        spools(&self.path("state")).len()
    }
}

#[test]
fn it_is_left_and_followed_from_elsewhere() {
    let bench = Bench::new();
    let command = format!(
        "echo one; while [ ! -e {} ]; do sleep 0.05; done; echo two >&2; exit 7",
        bench.path("go").display()
    );
    let name = bench.detached(&["--", &command]);
    let listed = bench.fan().run(["jobs", "-H", "h1"]);
    assert_eq!(listed.code, Some(0), "{}", listed.snapshot());
    assert!(listed.stdout.starts_with(&format!("h1 | {name}.h1.0.0-0  running ")), "{}", listed.stdout);
    assert!(listed.stdout.contains("echo one; while"), "{}", listed.stdout);
    let early = bench.fan().run(["jobs", &name, "-H", "h1", "--fetch"]);
    assert_eq!(early.code, Some(1), "{}", early.snapshot());
    assert!(early.stderr.contains("it is still running"), "{}", early.stderr);
    let following = bench.fan().start(["jobs", &name[..10], "-H", "h1", "--follow"]);
    eventually("its output", || following.stdout_so_far().contains("one").then_some(()));
    fs::write(bench.path("go"), "").unwrap();
    let ran = following.finish();
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), "h1 | one\n"), "{}", ran.stderr);
    assert!(ran.stderr.contains("h1 | two\n") && ran.stderr.contains("h1: exit status 7"), "{}", ran.stderr);
    assert_eq!(bench.kept(), 0);
    let gone = bench.fan().run(["jobs", &name, "-H", "h1", "--follow"]);
    assert!(gone.stderr.contains(&format!("no job {name} there")), "{}", gone.stderr);
}

#[test]
fn it_is_stopped_and_cleaned_up() {
    let bench = Bench::new();
    let name = bench.detached(&["--", "sleep 1000 & wait"]);
    let other = bench.detached(&["--", "true"]);
    let done = bench.path(&format!("state/fan/jobs/{other}.h1.0.0-0/done.0"));
    eventually("its end", || done.exists().then_some(()));
    let young = bench.fan().run(["jobs", "-H", "h1", "--clean", "--older", "7d"]);
    assert_eq!((young.code, young.stdout.as_str(), bench.kept()), (Some(0), "", 2), "{}", young.stderr);
    let cleaned = bench.fan().run(["jobs", "-H", "h1", "--clean"]);
    assert_eq!(
        cleaned.sorted_stdout(),
        [format!("h1 | {name}.h1.0.0-0  running, not removed"), format!("h1 | {other}.h1.0.0-0  removed")]
    );
    let stopped = bench.fan().run(["jobs", &name, "-H", "h1", "--stop"]);
    assert_eq!(stopped.code, Some(0), "{}", stopped.snapshot());
    assert_eq!(stopped.stdout, format!("h1 | {name}.h1.0.0-0  signal TERM\n"));
    assert_eq!(bench.fan().run(["jobs", &name, "-H", "h1", "--clean"]).code, Some(0));
    assert_eq!(bench.kept(), 0);
}

#[test]
fn a_script_is_left_too_and_nothing_is_shown_but_its_output() {
    let bench = Bench::new();
    let fan = bench.fan().file("check.sh", "#!/bin/sh\necho \"$1 and $2\"\n");
    let ran = fan.run(["exec", "-H", "h1", "--detach", "--script", "check.sh", "--", "a", "b c"]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    let name = ran.stdout.trim_end();
    let ran = bench.fan().run(["jobs", name, "-H", "h1", "--follow"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "h1 | a and b c\n"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("fan-"), "{}", ran.stderr);
}

#[test]
fn a_name_is_one() {
    let ran = Fan::new().file("inventory.yaml", "hosts: {h: {}}").run(["jobs", "a b", "-H", "h"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("\"a b\" is no name of a job"), "{}", ran.stderr);
}

#[test]
fn a_preflight_says_what_nobody_fetched() {
    let bench = Bench::new();
    let fan = bench.fan().file("tasks.yaml", "tasks: {t: [{echo: hello}]}\n");
    let check = || fan.run(["check", "--connect", "-H", "h1"]);
    let name = bench
        .detached(&["--", &format!("while [ ! -e {} ]; do sleep 0.05; done", bench.path("go").display())]);
    let ran = check();
    assert_eq!(
        (ran.code, ran.stdout.lines().count()),
        (Some(0), 2),
        "one that runs is none: {}",
        ran.snapshot()
    );
    fs::write(bench.path("go"), "").unwrap();
    let done = bench.path(&format!("state/fan/jobs/{name}.h1.0.0-0/done.0"));
    eventually("its end", || done.exists().then_some(()));
    let ran = check();
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    let note = "h1: keeps the output of 1 durable command that nobody fetched: fan jobs -H h1\n";
    assert!(ran.stdout.ends_with(note), "{}", ran.snapshot());
    assert_eq!(bench.kept(), 1);
}
