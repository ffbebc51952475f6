//! Commands that outlive fan itself, on the real sshd: it is killed, and what goes on from there finds them where they are.

use std::fs;
use std::path::PathBuf;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::fixtures::spools::spools;
use crate::fixtures::sshd::Sshd;
use crate::fixtures::support::{Fan, Started, eventually};

/// A server, and a folder on it in which commands leave traces.
struct Bench {
    sshd: Sshd,
    folder: TempDir,
}

impl Bench {
    fn new(hosts: u8) -> Self {
        let folder = tempfile::Builder::new().prefix("fan-resume-").tempdir().unwrap();
        let line = format!("SetEnv XDG_STATE_HOME={}", folder.path().join("state").display());
        Self { sshd: Sshd::builder().hosts(hosts).line(&line).start(), folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn lines(&self, name: &str) -> usize {
        fs::read_to_string(self.path(name)).unwrap_or_default().lines().count()
    }

    fn jobs(&self) -> Vec<PathBuf> {
        spools(&self.path("state"))
    }

    /// A fan whose command has begun and waits.
    fn begun(&self) -> (Fan, Started) {
        let (count, go) = (self.path("count"), self.path("go"));
        let command = format!(
            "echo x >> {}; echo one; while [ ! -e {} ]; do sleep 0.05; done; echo two; exit 7",
            count.display(),
            go.display()
        );
        let fan = Fan::at(&self.sshd);
        let started = fan.start(["exec", "-H", "h1", "--durable", "--", &command]);
        eventually("its output", || started.stdout_so_far().contains("one").then_some(()));
        (fan, started)
    }
}

fn kill(started: Started) {
    started.signal(Signal::KILL);
    assert_eq!(started.finish().code, None);
}

#[test]
fn a_command_that_runs_is_followed_and_one_that_ended_has_its_status() {
    for ends_meanwhile in [false, true] {
        let bench = Bench::new(1);
        let (fan, started) = bench.begun();
        kill(started);
        let job = bench.jobs().pop().unwrap();
        if ends_meanwhile {
            fs::write(bench.path("go"), "").unwrap();
            eventually("its end", || job.join("done.7").exists().then_some(()));
        }
        let resumed = fan.start(["resume"]);
        eventually("its output again", || resumed.stdout_so_far().contains("one").then_some(()));
        fs::write(bench.path("go"), "").unwrap();
        let ran = resumed.finish();
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), "h1 | one\nh1 | two\n"), "{}", ran.stderr);
        assert!(ran.stderr.contains("h1: exit status 7"), "{}", ran.stderr);
        assert_eq!(bench.lines("count"), 1);
        assert_eq!(bench.jobs().len(), 0);
    }
}

#[test]
fn only_where_it_is_gone_or_the_host_was_restarted_is_anyone_asked() {
    for restarted in [false, true] {
        let bench = Bench::new(1);
        let (fan, started) = bench.begun();
        kill(started);
        let job = bench.jobs().pop().unwrap();
        let why = if restarted {
            fs::write(job.join("boot"), "another-boot-id\n").unwrap();
            "the host was restarted while the command ran"
        } else {
            fs::rename(&job, bench.path("elsewhere")).unwrap();
            "what the host kept of the command is gone"
        };
        let ran = fan.run(["resume"]);
        assert_eq!(ran.code, Some(1), "{}", ran.snapshot());
        assert!(ran.stderr.contains(why) && ran.stderr.contains("[job_lost]"), "{}", ran.stderr);
        let ran = fan.run(["resume"]);
        assert_eq!(ran.code, Some(2), "{}", ran.snapshot());
        assert!(ran.stderr.contains("--unknown rerun"), "{}", ran.stderr);
        assert_eq!(bench.lines("count"), 1);
        fs::write(bench.path("go"), "").unwrap();
        let ran = fan.run(["resume", "--unknown", "rerun"]);
        assert_eq!((ran.code, bench.lines("count")), (Some(1), 2), "{}", ran.snapshot());
        assert!(ran.stderr.contains("exit status 7"), "{}", ran.stderr);
    }
}

#[test]
fn a_decision_beforehand_counts_where_it_is_gone_and_nowhere_else() {
    for gone in [false, true] {
        let bench = Bench::new(1);
        let (fan, started) = bench.begun();
        kill(started);
        if gone {
            fs::rename(bench.jobs().pop().unwrap(), bench.path("elsewhere")).unwrap();
        }
        fs::write(bench.path("go"), "").unwrap();
        let ran = fan.run(["resume", "--unknown", "rerun"]);
        assert_eq!(ran.code, Some(1), "{}", ran.snapshot());
        assert!(ran.stderr.contains("exit status 7"), "{}", ran.stderr);
        assert_eq!(bench.lines("count"), if gone { 2 } else { 1 });
    }
}

/// Killed again and again, at ever later moments, by what has been begun until then.
#[test]
fn whenever_it_is_killed_each_command_runs_once() {
    let tasks = "
tasks:
  go:
    hosts: [all]
    durable: true
    steps:
      - run: echo {{ host }} >> DIR/a; sleep 0.1; echo a
        register: a
      - run: echo {{ host }} {{ item }} >> DIR/b; sleep 0.05
        each: [1, 2, 3]
      - run: |
          read line
          echo {{ host }} {{ a.stdout }} \"$line\" >> DIR/c
        stdin: \"in\\n\"
      - run: echo {{ host }} >> DIR/d; false
        warn_only: true
";
    for moment in 1..13 {
        let bench = Bench::new(2);
        let yaml = tasks.replace("DIR", bench.folder.path().to_str().unwrap());
        let fan = Fan::at(&bench.sshd).file("tasks.yaml", yaml);
        let begun = || ["a", "b", "c", "d"].map(|name| bench.lines(name)).iter().sum::<usize>();
        let started = fan.start(["run", "go"]);
        eventually("that much", || (begun() >= moment).then_some(()));
        started.signal(Signal::KILL);
        let killed = started.finish().code.is_none();
        if killed {
            let ran = fan.run(["resume"]);
            assert_eq!(ran.code, Some(0), "killed at {moment}: {}", ran.snapshot());
        }
        for (name, count) in [("a", 2), ("b", 6), ("c", 2), ("d", 2)] {
            let text = fs::read_to_string(bench.path(name)).unwrap();
            let mut lines: Vec<&str> = text.lines().collect();
            lines.sort_unstable();
            let begun = lines.len();
            lines.dedup();
            assert_eq!((begun, lines.len()), (count, count), "killed at {moment}, {name}: {text}");
        }
        let text = fs::read_to_string(bench.path("c")).unwrap();
        assert!(text.lines().all(|line| line.ends_with(" a in")), "{text}");
    }
}
