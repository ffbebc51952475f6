//! Locks of tasks: two runs are never in the same one at a time, and nothing keeps a lock whose run is gone.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use fan::testing::event::{Fact, LockAt, LockFact, StepAt, StepFact};
use fan::testing::model::outcome::Kind;
use fan::testing::sandbox::Behaviour;
use rustix::process::Signal;

use crate::fixtures::sshd::Sshd;
use crate::fixtures::support::{Fan, Ran, Started, eventually, sandbox};

/// A lock that no other test has; its folder goes with it.
struct Lock(String);

impl Lock {
    fn new() -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        Self(format!("test-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed)))
    }

    fn folder(&self) -> PathBuf {
        PathBuf::from(format!("/tmp/fan-lock-{}", self.0))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(self.folder());
        let _ = std::fs::remove_dir_all(self.folder());
    }
}

const HOSTS: &str =
    "hosts:\n  h[1-2]: {transport: local}\n  closed: {address: 127.0.0.1, port: 1, retries: 0}\n";

/// Both tasks have the lock. `hold` says that it is in it, and stays until it is told to go on.
fn fan(lock: &Lock) -> Fan {
    let name = &lock.0;
    let tasks = format!(
        "vars: {{kind: {name}}}\n\
         tasks:\n\
         \x20 hold: {{lock: \"{{{{ kind }}}}\", steps: [{{local: touch \"in-$FAN_HOST\"}}, {{run: \"cd $FOLDER; until test -e go; do sleep 0.02; done\"}}]}}\n\
         \x20 mark: {{lock: {name}, steps: [{{local: touch \"marked-$FAN_HOST\"}}]}}\n"
    );
    let fan = Fan::new().file("inventory.yaml", HOSTS);
    let tasks = tasks.replace("$FOLDER", &fan.work().display().to_string());
    fan.file("tasks.yaml", tasks).hide(name, "<lock>")
}

fn run(fan: &Fan, line: &str) -> Ran {
    fan.run(line.split(' '))
}

/// A run that has the lock.
fn holding(fan: &Fan) -> Started {
    let started = fan.start(["run", "hold", "-H", "h1"]);
    eventually("the first run is in its task", || fan.work().join("in-h1").exists().then_some(()));
    started
}

fn let_go(fan: &Fan) {
    std::fs::write(fan.work().join("go"), "").unwrap();
}

fn marked(fan: &Fan) -> bool {
    fan.work().join("marked-h1").exists() || fan.work().join("marked-h2").exists()
}

#[test]
fn whoever_comes_second_is_told_who_was_first() {
    let lock = Lock::new();
    let fan = fan(&lock);
    let first = holding(&fan);
    let second = run(&fan, "run mark -H h1,h2 --format jsonl");
    assert_eq!(second.code, Some(3), "nothing was started: {}", second.snapshot());
    assert!(!marked(&fan));
    let failures: Vec<_> = second
        .events()
        .into_iter()
        .filter_map(|event| match event.fact {
            Fact::Lock(LockAt { host, .. }, LockFact::Failed { failure, .. }) => Some((host, failure)),
            Fact::Step(_, StepFact::Started) => panic!("a step began"),
            _ => None,
        })
        .collect();
    let [(host, failure)] = &failures[..] else { panic!("told once: {failures:?}") };
    assert_eq!((host.as_str(), failure.kind), ("h1", Kind::Locked));
    for part in [" is held by ", "@", "(task hold, run ", ", process "] {
        assert!(failure.message().contains(part), "{part}: {}", failure.message());
    }
    let shown = run(&fan, "run mark -H h1,h2");
    assert!(shown.stderr.contains("--lock-wait 10m waits for it"), "{}", shown.snapshot());
    let_go(&fan);
    assert_eq!(first.finish().code, Some(0));
    assert_eq!(run(&fan, "run mark -H h1").code, Some(0), "it is free again");
}

#[test]
fn a_lock_can_be_waited_for() {
    let lock = Lock::new();
    let fan = fan(&lock);
    let first = holding(&fan);
    let late = run(&fan, "run mark -H h1 --lock-wait 20ms");
    assert_eq!(late.code, Some(3), "{}", late.snapshot());
    assert!(late.stderr.contains("after waiting 20ms"), "{}", late.stderr);
    let second = fan.start("run mark -H h1 --lock-wait none --format jsonl".split(' '));
    eventually("the second run waits", || second.stdout_so_far().contains("lock_waiting").then_some(()));
    assert!(!marked(&fan));
    let_go(&fan);
    assert_eq!(first.finish().code, Some(0));
    let ran = second.finish();
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    assert!(marked(&fan));
    let told: Vec<&str> = ran
        .events()
        .iter()
        .filter_map(|event| match &event.fact {
            Fact::Lock(_, LockFact::Waiting { holder, .. }) => {
                assert!(holder.as_ref().is_some_and(|holder| holder.task == "hold"), "{holder:?}");
                Some("waiting")
            }
            Fact::Lock(_, LockFact::Taken) => Some("taken"),
            Fact::Step(_, StepFact::Started) => Some("step"),
            Fact::Lock(_, LockFact::Released) => Some("released"),
            _ => None,
        })
        .collect();
    assert_eq!(told, ["waiting", "taken", "step", "released"]);
}

#[test]
fn a_lock_ends_with_its_run() {
    for signal in [Signal::INT, Signal::KILL] {
        let lock = Lock::new();
        let fan = fan(&lock);
        let first = holding(&fan);
        first.signal(signal);
        let _ = first.finish();
        // The end of a killed run is nobody's to tell: its shell there notices by itself.
        let free = run(&fan, "run mark -H h1 --lock-wait 50s");
        assert_eq!(free.code, Some(0), "{signal:?}: {}", free.snapshot());
        let left = std::fs::read_dir(lock.folder()).unwrap().count();
        assert_eq!(left, 0, "the name of a holder stays behind");
    }
}

#[test]
fn whoever_waits_can_be_stopped() {
    let lock = Lock::new();
    let fan = fan(&lock);
    let first = holding(&fan);
    let second = fan.start("run mark -H h1 --lock-wait 5m --format jsonl".split(' '));
    eventually("the second run waits", || second.stdout_so_far().contains("lock_waiting").then_some(()));
    second.signal(Signal::INT);
    assert_eq!(second.finish().code, Some(130));
    let_go(&fan);
    assert_eq!(first.finish().code, Some(0));
    assert!(!marked(&fan));
}

/// `kill` in a step plays the part of whatever ends the lock's session.
#[test]
fn nothing_begins_after_a_lock_is_lost() {
    let lock = Lock::new();
    let folder = lock.folder().display().to_string();
    let tasks = format!(
        "tasks:\n  t:\n    lock: {}\n    serial: [1]\n    always: [{{local: touch always}}]\n    steps:\n\
         \x20     - run: kill -9 \"$(cut -f5 {folder}/$(id -u))\"\n\
         \x20     - run: sleep 600\n        timeout: 50ms\n        warn_only: true\n        retries: 1000\n        delay: 1ms\n\
         \x20     - local: touch after\n",
        lock.0
    );
    let fan = Fan::new().file("inventory.yaml", HOSTS).file("tasks.yaml", tasks);
    let ran = run(&fan, "run t -H h1,h2 --format jsonl");
    assert_eq!(ran.code, Some(1), "{}", ran.snapshot());
    assert!(!fan.work().join("after").exists() && !fan.work().join("always").exists());
    let events = ran.events();
    let lost = events.iter().filter_map(|event| match &event.fact {
        Fact::Lock(_, LockFact::Failed { failure, .. }) => Some(failure.message()),
        Fact::Lock(_, LockFact::Released) => panic!("it was lost"),
        Fact::Step(StepAt { host, .. }, StepFact::Started) => {
            assert_eq!(host.as_str(), "h1", "the next batch began");
            None
        }
        _ => None,
    });
    let lost: Vec<String> = lost.collect();
    assert!(
        matches!(&lost[..], [message] if message.contains("was lost: ") && message.contains("KILL")),
        "{lost:?}"
    );
    let ended = events.iter().filter_map(|event| match &event.fact {
        Fact::HostFinished { host, outcome } => {
            Some((host.to_string(), outcome.status.as_str(), outcome.failure.as_ref().unwrap().kind))
        }
        _ => None,
    });
    let expected = [("h1".to_owned(), "failed", Kind::Locked), ("h2".to_owned(), "skipped", Kind::Locked)];
    assert_eq!(ended.collect::<Vec<_>>(), expected);
}

/// The host that keeps the lock need not take part; the lock stays when a host of the run is lost.
#[tokio::test(flavor = "multi_thread")]
async fn another_host_can_keep_the_lock() {
    let lock = Lock::new();
    let sandbox = sandbox([("web1", Behaviour::Normal), ("admin", Behaviour::Normal)]).await;
    let tasks = format!(
        "tasks:\n  t: {{lock: {{name: {}, on: admin}}, steps: [{{run: test -d {}}}]}}\n",
        lock.0,
        lock.folder().display()
    );
    let fan = Fan::of(&sandbox).file("tasks.yaml", tasks).hide(&lock.0, "<lock>");
    let plan = run(&fan, "run t -H web1 --plan");
    insta::assert_snapshot!(plan.snapshot(), @r"
    exit code: 0
    --- stdout
    t on web1 (1)  [lock <lock> on admin]
      1. run: test -d /tmp/fan-lock-<lock>
    ");
    let ran = run(&fan, "run t -H web1 -v");
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    assert!(ran.stderr.contains(&format!("admin: lock {} taken", lock.0)), "{}", ran.snapshot());
    assert!(ran.stderr.contains(&format!("admin: lock {} released", lock.0)), "{}", ran.snapshot());
    let check = run(&fan, "check t -H web1 --connect");
    assert_eq!(check.code, Some(0), "{}", check.snapshot());
    assert!(check.stdout.contains(&format!("lock {} on admin: free", lock.0)), "{}", check.snapshot());
}

/// A host that failed is let go of, but not its connection while the lock is on it.
#[tokio::test(flavor = "multi_thread")]
async fn a_lock_outlives_the_work_of_its_host() {
    let lock = Lock::new();
    let sandbox = sandbox([("web1", Behaviour::Normal), ("web2", Behaviour::Normal)]).await;
    let tasks = format!(
        "tasks:\n  t:\n    lock: {}\n    serial: [1]\n    max_fail: 1\n    steps:\n\
         \x20     - {{run: exit 7, when: host == \"web1\"}}\n\
         \x20     - run: if flock -n {} true; then exit 9; fi\n",
        lock.0,
        lock.folder().display()
    );
    let ran = run(&Fan::of(&sandbox).file("tasks.yaml", tasks), "run t -H all --format jsonl");
    let ended = ran.events().into_iter().filter_map(|event| match event.fact {
        Fact::HostFinished { host, outcome } => Some((host.to_string(), outcome.status.as_str())),
        _ => None,
    });
    let ended: Vec<_> = ended.collect();
    assert_eq!(ended, [("web1".to_owned(), "failed"), ("web2".to_owned(), "ok")], "{}", ran.snapshot());
}

/// A key alarm on the host of the lock is an alarm of the run.
#[tokio::test(flavor = "multi_thread")]
async fn an_alarm_about_the_host_of_the_lock_stays_one() {
    let lock = Lock::new();
    let sandbox = sandbox([("web1", Behaviour::Normal), ("admin", Behaviour::Normal)]).await;
    let tasks = format!(
        "tasks: {{t: {{lock: {{name: {}, on: admin}}, steps: [{{local: touch marked}}]}}}}\n",
        lock.0
    );
    let admin = sandbox.hosts().iter().find(|host| host.name == "admin").unwrap().address;
    let other = sandbox.hosts().iter().find(|host| host.name == "web1").unwrap().address;
    let known = std::fs::read_to_string(sandbox.known_hosts()).unwrap();
    let key = known.lines().find(|line| line.contains(&format!(":{} ", other.port()))).unwrap();
    let (_, key) = key.split_once(' ').unwrap();
    std::fs::write(sandbox.known_hosts(), format!("[{}]:{} {key}\n", admin.ip(), admin.port())).unwrap();
    let fan = Fan::of(&sandbox).file("tasks.yaml", tasks);
    let ran = run(&fan, "run t -H web1");
    assert_eq!(ran.code, Some(4), "{}", ran.snapshot());
    assert!(
        ran.stderr.contains("[host_key_changed]") && !fan.work().join("marked").exists(),
        "{}",
        ran.snapshot()
    );
}

#[test]
fn a_preflight_says_who_has_the_lock() {
    let lock = Lock::new();
    let fan = fan(&lock);
    let free = run(&fan, "check mark -H h1,h2 --connect");
    assert_eq!(free.code, Some(0), "{}", free.snapshot());
    assert!(free.stdout.contains(&format!("lock {} on h1: free", lock.0)), "{}", free.stdout);
    let first = holding(&fan);
    let taken = run(&fan, "check mark -H h1,h2 --connect");
    assert_eq!(taken.code, Some(0), "it may be free by the time of the run: {}", taken.snapshot());
    assert!(taken.stdout.contains(&format!("the lock {} on h1 is held by ", lock.0)), "{}", taken.stdout);
    let_go(&fan);
    assert_eq!(first.finish().code, Some(0));
}

#[test]
fn without_its_lock_no_task_begins() {
    let lock = Lock::new();
    let fan = fan(&lock);
    let refused = |fan: &Fan, line: &str, why: &str| {
        let ran = run(fan, line);
        assert_eq!(ran.code, Some(3), "{why}: {}", ran.snapshot());
        assert!(ran.stderr.contains(why), "{}", ran.snapshot());
        assert!(!marked(fan));
    };
    refused(&fan, "run mark -H closed", "cannot be taken on closed: ");
    // What somebody else put there is not followed, and not overwritten.
    std::os::unix::fs::symlink("/etc", lock.folder()).unwrap();
    refused(&fan, "run mark -H h1", "cannot be used: l");
    std::fs::remove_file(lock.folder()).unwrap();
    std::fs::write(lock.folder(), "mine").unwrap();
    refused(&fan, "run mark -H h1", "cannot be used: -");
    assert_eq!(std::fs::read(lock.folder()).unwrap(), b"mine");
    std::fs::remove_file(lock.folder()).unwrap();
    let programs = fan.work().join("programs");
    std::fs::create_dir(&programs).unwrap();
    std::os::unix::fs::symlink("/bin/sh", programs.join("sh")).unwrap();
    let fan = fan.env("PATH", &programs.display().to_string());
    refused(&fan, "run mark -H h1", "the host has no flock command");
}

#[test]
fn a_dry_run_keeps_nobody_out() {
    let lock = Lock::new();
    let fan = fan(&lock);
    let ran = run(&fan, "run mark -H h1 --dry-run");
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    assert!(!lock.folder().exists());
}

#[test]
fn a_task_does_not_restart_the_host_of_its_lock() {
    let checked = |lock: &str, hosts: &str| {
        let tasks =
            format!("tasks:\n  t: {{lock: {lock}, steps: [echo: a, {{reboot: true, when: 'false'}}]}}\n");
        let fan = Fan::new().file("inventory.yaml", HOSTS).file("tasks.yaml", tasks);
        fan.run(["run", "t", "--plan", "-H", hosts])
    };
    let ran = checked("x", "h1,h2");
    assert_eq!(ran.code, Some(2), "{}", ran.snapshot());
    insta::assert_snapshot!(ran.stderr, @"tasks.yaml:2:13: error: h1 holds the lock, and would lose it in step 2, which restarts it (help: hold it on a host that the task does not restart: lock: {name: ..., on: HOST})");
    assert_eq!(checked("{name: x, on: h2}", "h1,h2").code, Some(2));
    let aside = checked("{name: x, on: h2}", "h1");
    assert_eq!(aside.code, Some(0), "{}", aside.snapshot());
}

#[test]
fn names_of_locks_are_the_same_for_all() {
    let refused = |lock: &str| {
        let tasks = format!(
            "vars: {{of: \"{{{{ host }}}}\"}}\nsecrets: {{key: {{env: KEY}}}}\ntasks:\n  t: {{lock: {lock}, steps: [echo]}}\n"
        );
        let ran = Fan::new()
            .file("inventory.yaml", HOSTS)
            .file("tasks.yaml", tasks)
            .run(["run", "t", "-H", "h1,h2"]);
        assert_eq!(ran.code, Some(2), "{}", ran.snapshot());
        ran.stderr.trim_end().to_owned()
    };
    let names = [
        "'{{ host }}'",
        "'x-{{ of }}'",
        "'x/{{ of }}'",
        "'{{ key }}'",
        "'{{ nobody }}'",
        "{name: x, on: h9}",
    ];
    insta::assert_snapshot!(names.map(refused).join("\n"), @r#"
    tasks.yaml:4:14: error: the name of a lock cannot contain "host": it differs between runs (help: use variables with one value on all its hosts)
    tasks.yaml:4:14: error: the lock is "x-h1" on h1 and "x-h2" on h2: a task has one lock
    tasks.yaml:4:14: error: character "/" in lock name "x/h1"; use letters, digits, "-", "_" and "."
    tasks.yaml:4:14: error: the name of a lock cannot contain the secret "key": it is visible on the host
    tasks.yaml:4:14: error: undefined variable "nobody"
    tasks.yaml:4:27: error: no host "h9" to hold the lock (help: did you mean "h1"?)
    "#);
}

/// A lock that is kept on the hosts' own connection takes its channel to the end: a server with one has none for the
/// steps, and says so instead of being waited for.
#[test]
fn a_lock_takes_the_only_channel() {
    let sshd = Sshd::builder().line("MaxSessions 1").start();
    let lock = Lock::new();
    let tasks = format!("tasks: {{t: {{lock: {{name: {}, on: h1}}, steps: [{{run: 'true'}}]}}}}\n", lock.0);
    let fan = Fan::at(&sshd).file("tasks.yaml", tasks);
    let ran = fan.run(["run", "t", "-H", "h1"]);
    assert!(ran.code == Some(0) || ran.stderr.contains("[channel_refused]"), "{}", ran.snapshot());
}
