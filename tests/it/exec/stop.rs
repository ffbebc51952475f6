//! Runs that are stopped: in time, with a record for each host, and nothing left running where that is possible.

use std::path::Path;
use std::thread;
use std::time::Duration;

use fan::testing::event::{Event, Fact};
use fan::testing::model::outcome::Status;
use fan::testing::sandbox::{Behaviour, Sandbox};
use rustix::process::{Pid, Signal};

use crate::fixtures::sshd::Sshd;
use crate::fixtures::support::{Fan, Ran, Since, Started, eventually, sandbox};

/// What the second signal gives the hosts; the engine's own clock holds it to that (`engine/tests/stop.rs`).
const SECOND: Duration = Duration::from_secs(1);

/// What the first signal gives commands between TERM and KILL.
const GRACE: Duration = Duration::from_secs(5);

/// Starts a command that never ends; its process id is in the file `pid` of the host's home.
const ENDLESS: &str = "echo $$ > pid.new; mv pid.new pid; exec sleep 600";

/// The same, deaf to TERM.
const DEAF: &str = "trap '' TERM; echo $$ > pid.new; mv pid.new pid; while :; do sleep 1; done";

fn exec<'a>(flags: &[&'a str], command: &'a str) -> Vec<&'a str> {
    [&["exec", "-H", "all", "--format", "jsonl"], flags, &["--", command]].concat()
}

/// The process in a pid file, once it is there.
fn process(folder: &Path) -> Pid {
    let pid = eventually("the command runs", || std::fs::read_to_string(folder.join("pid")).ok());
    Pid::from_raw(pid.trim().parse().unwrap()).unwrap()
}

fn processes(sandbox: &Sandbox) -> Vec<Pid> {
    sandbox.hosts().iter().map(|host| process(&host.home)).collect()
}

fn is_alive(process: Pid) -> bool {
    let stat =
        std::fs::read_to_string(format!("/proc/{}/stat", process.as_raw_nonzero())).unwrap_or_default();
    // The state stands behind the name, which is in parentheses: a zombie has ended.
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
}

fn assert_gone(processes: &[Pid]) {
    for &process in processes {
        eventually("the command is gone", || (!is_alive(process)).then_some(()));
    }
}

fn statuses(events: &[Event]) -> Vec<Status> {
    let status = |event: &Event| match &event.fact {
        Fact::HostFinished { outcome, .. } => Some(outcome.status),
        _ => None,
    };
    events.iter().filter_map(status).collect()
}

/// Signals a run, and gives what it said. That it ends at all is seen by the deadline of every run.
fn stop(started: Started, signal: Signal) -> Ran {
    started.signal(signal);
    started.finish()
}

/// The same; panics when commands were given their time to end.
fn stop_at_once(started: Started, signal: Signal) -> Ran {
    let asked = Since::now();
    let ran = stop(started, signal);
    asked.assert_ended_by(SECOND, GRACE);
    ran
}

#[tokio::test(flavor = "multi_thread")]
async fn each_signal_has_its_exit_code() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        let sandbox =
            sandbox([("a", Behaviour::Normal), ("b", Behaviour::Normal), ("c", Behaviour::Normal)]).await;
        let fan = Fan::of(&sandbox);
        let started = fan.start(exec(&[], ENDLESS));
        let commands = processes(&sandbox);
        let ran = stop_at_once(started, signal);
        assert_eq!(ran.code, Some(code), "{}", ran.snapshot());
        assert_eq!(statuses(&ran.events()), [Status::Cancelled; 3], "{}", ran.stdout);
        assert!(!ran.stderr.contains("may still be running"), "{}", ran.stderr);
        assert_gone(&commands);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_stopped_run_says() {
    let sandbox =
        sandbox([("a", Behaviour::Normal), ("b", Behaviour::Normal), ("c", Behaviour::Normal)]).await;
    let fan = Fan::of(&sandbox);
    let command = "case $PWD in */a) exit 0;; */b) echo half;; esac; ".to_owned() + ENDLESS;
    let started = fan.start(["exec", "-z", "2", "-H", "all", "--", &command]);
    process(&sandbox.hosts()[1].home);
    process(&sandbox.hosts()[2].home);
    let ran = stop(started, Signal::INT);
    insta::assert_snapshot!(ran.snapshot(), @"
    exit code: 130
    --- stdout
    b | half
    --- stderr
    stopping (Ctrl-C): ending running commands; again to close all connections at once
    exec case $PWD in */a) exit 0;; */b) echo half;; esac; echo… · a,b,c · 1 ok, 2 cancelled · stopped by Ctrl-C  <time>
      a  ok
      b  cancelled
      c  cancelled

    b: cancelled: the run was stopped by INT; ended [interrupted]
      | half

    c: cancelled: the run was stopped by INT; ended [interrupted]
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_that_had_not_begun_never_do() {
    let sandbox =
        sandbox([("a", Behaviour::Normal), ("b", Behaviour::Normal), ("c", Behaviour::Normal)]).await;
    let fan = Fan::of(&sandbox);
    let started = fan.start(exec(&["-z", "1"], ENDLESS));
    process(&sandbox.hosts()[0].home);
    let ran = stop(started, Signal::INT);
    assert_eq!(statuses(&ran.events()), [Status::Cancelled; 3], "{}", ran.stdout);
    let contacted: Vec<u64> =
        sandbox.hosts().iter().map(fan::testing::sandbox::SandboxHost::connections).collect();
    assert_eq!(contacted, [1, 0, 0]);
}

/// `nohup`, and the background of a shell script.
#[tokio::test(flavor = "multi_thread")]
async fn ignored_signals_stay_ignored() {
    let sandbox = sandbox([("a", Behaviour::Normal)]).await;
    let fan = Fan::of(&sandbox).in_script("trap '' HUP INT; exec \"$@\"");
    let started = fan.start(exec(&[], ENDLESS));
    let commands = processes(&sandbox);
    started.signal(Signal::HUP);
    started.signal(Signal::INT);
    let ran = stop(started, Signal::TERM);
    assert_eq!(ran.code, Some(143), "{}", ran.snapshot());
    ran.events();
    assert_eq!(ran.stdout.matches("stop_requested").count(), 1, "{}", ran.stdout);
    assert_gone(&commands);
}

/// Beside each other: a command that ignores TERM is killed, a host that ignores everything is given up.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_signal_ends_the_deaf_and_gives_up_the_stuck() {
    let sandbox = sandbox([("deaf", Behaviour::Normal), ("stuck", Behaviour::StallAfterExec)]).await;
    let fan = Fan::of(&sandbox);
    let started = fan.start(exec(&[], DEAF));
    let deaf = process(&sandbox.hosts()[0].home);
    eventually("the other host stalls", || (sandbox.hosts()[1].execs() == 1).then_some(()));
    let ran = stop(started, Signal::INT);
    assert_eq!(ran.code, Some(130), "{}", ran.snapshot());
    assert_eq!(statuses(&ran.events()), [Status::Cancelled; 2], "{}", ran.stdout);
    assert!(ran.stderr.contains("may still be running on stuck\n"), "{}", ran.stderr);
    assert_gone(&[deaf]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_signal_waits_for_nobody() {
    for second in [Signal::INT, Signal::TERM] {
        let sandbox = sandbox([
            ("deaf", Behaviour::Normal),
            ("stuck", Behaviour::StallAfterExec),
            ("silent", Behaviour::Silent),
        ])
        .await;
        let fan = Fan::of(&sandbox);
        let started = fan.start(exec(&[], DEAF));
        let deaf = process(&sandbox.hosts()[0].home);
        started.signal(Signal::INT);
        eventually("the first one is heard", || {
            started.stdout_so_far().contains("stop_requested").then_some(())
        });
        let ran = stop_at_once(started, second);
        assert_eq!(ran.code, Some(130), "{}", ran.snapshot());
        assert_eq!(statuses(&ran.events()), [Status::Cancelled; 3], "{}", ran.stdout);
        // It is killed, or dies with its connection.
        assert_gone(&[deaf]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connect_is_not_waited_for() {
    let sandbox =
        sandbox([("silent", Behaviour::Silent), ("busy", Behaviour::Throttle { first: 100 })]).await;
    let fan = Fan::of(&sandbox);
    let started = fan.start(exec(&[], "true"));
    eventually("both are contacted", || {
        sandbox.hosts().iter().all(|host| host.connections() > 0).then_some(())
    });
    let ran = stop_at_once(started, Signal::TERM);
    assert_eq!(ran.code, Some(143), "{}", ran.snapshot());
    assert_eq!(statuses(&ran.events()), [Status::Cancelled; 2], "{}", ran.stdout);
    assert!(ran.stdout.contains("\"started\":false"), "{}", ran.stdout);
}

/// A reader that is stuck cannot keep a stopped run.
#[tokio::test(flavor = "multi_thread")]
async fn a_stuck_reader_is_not_waited_for() {
    let sandbox = sandbox([("flood", Behaviour::Normal)]).await;
    let fan = Fan::of(&sandbox)
        .in_script("{ \"$@\"; echo $? > code; } | { until test -e awake; do sleep 0.05; done; }");
    let started =
        fan.start(["exec", "-N", "-H", "flood", "--", "echo $$ > pid.new; mv pid.new pid; exec yes"]);
    let command = process(&sandbox.hosts()[0].home);
    let binary = eventually("the binary is found", || child(started.pid(), "fan"));
    rustix::process::kill_process(binary, Signal::INT).unwrap();
    let code = eventually("it ends", || {
        std::fs::read_to_string(fan.work().join("code")).ok().filter(|code| code.ends_with('\n'))
    });
    assert_eq!(code.trim(), "130");
    std::fs::write(fan.work().join("awake"), "").unwrap();
    let ran = started.finish();
    assert!(!ran.stderr.contains("may still be running"), "{}", ran.stderr);
    assert_gone(&[command]);
}

/// The process with this name below another one.
fn child(ancestor: Pid, name: &str) -> Option<Pid> {
    let all = std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let parent = |pid: i32| -> Option<(String, i32)> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (before, after) = stat.rsplit_once(')')?;
        Some((before.split_once('(')?.1.to_owned(), after.split_whitespace().nth(1)?.parse().ok()?))
    };
    all.filter_map(|pid: i32| Some((pid, parent(pid)?)))
        .find(|(pid, (found, _))| {
            let mut above = *pid;
            found == name
                && std::iter::from_fn(|| {
                    above = parent(above)?.1;
                    Some(above)
                })
                .take(5)
                .any(|above| above == ancestor.as_raw_nonzero().get())
        })
        .and_then(|(pid, _)| Pid::from_raw(pid))
}

#[tokio::test(flavor = "multi_thread")]
async fn local_commands_are_stopped_too() {
    let sandbox = sandbox([("a", Behaviour::Normal)]).await;
    let fan = Fan::of(&sandbox);
    let fan = fan.file(
        "tasks.yaml",
        format!("tasks: {{wait: {{hosts: [a], steps: [{{local: '{ENDLESS}'}}, {{local: touch never}}]}}}}\n"),
    );
    let started = fan.start(["run", "wait", "--format", "jsonl"]);
    let command = process(&fan.work());
    let ran = stop_at_once(started, Signal::INT);
    assert_eq!(ran.code, Some(130), "{}", ran.snapshot());
    ran.events();
    assert_gone(&[command]);
    assert!(!fan.work().join("never").exists());
}

/// Real servers refuse signals to root's sessions (OpenSSH 9.2): then it is said, never claimed otherwise.
#[test]
fn commands_on_real_hosts() {
    let sshd = Sshd::builder().hosts(3).start();
    let folder = tempfile::tempdir().unwrap();
    let fan = Fan::new().file("inventory.yaml", sshd.inventory_yaml(3));
    let place = folder.path().display();
    let command = format!("mkdir {place}/$FAN_HOST; cd {place}/$FAN_HOST; {ENDLESS}");
    let fan =
        fan.file("tasks.yaml", format!("tasks: {{wait: {{hosts: [all], steps: [{{run: '{command}'}}]}}}}\n"));
    let started = fan.start(["run", "wait", "--format", "jsonl"]);
    let commands: Vec<Pid> = (1..=3).map(|host| process(&folder.path().join(format!("h{host}")))).collect();
    let ran = stop(started, Signal::INT);
    assert_eq!(ran.code, Some(130), "{}", ran.snapshot());
    let events = ran.events();
    assert_eq!(statuses(&events), [Status::Cancelled; 3], "{}", ran.stdout);
    for (number, &command) in (1..=3).zip(&commands) {
        let name = format!("h{number}");
        let may_still_run = events.iter().any(|event| {
            matches!(&event.fact, Fact::HostFinished { host, outcome } if host.as_str() == name && outcome.may_still_run)
        });
        if may_still_run {
            // Nobody else ends it.
            let _ = rustix::process::kill_process(command, Signal::KILL);
        } else {
            assert_gone(&[command]);
        }
    }
}

/// At any moment: a whole stream of events, whose recap has the exit code of the process.
#[tokio::test(flavor = "multi_thread")]
async fn at_random_moments() {
    let names = ["a", "b", "c", "d", "e", "f"];
    let behaviour = |name| match name {
        "e" => Behaviour::RefuseAuth,
        "f" => Behaviour::Throttle { first: 1 },
        _ => Behaviour::Normal,
    };
    let tasks = "tasks:
  one: {hosts: [all], steps: [{echo: begin}, {run: 'echo $$ >> pids; seq 200; sleep 0.1', warn_only: true}, {local: 'true'}]}
  two: {before: [one], hosts: ['all,!e'], steps: [{run: 'sleep 0.05; exit 0'}, {run: 'sleep 600'}]}
";
    let mut seed: u64 = 0x9E37_79B9;
    for round in 0..12 {
        // A linear congruential generator: the moments are the same each time.
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (delay, twice) = (Duration::from_millis((seed >> 33) % 400), (seed >> 20) & 3 == 0);
        let sandbox = sandbox(names.map(|name| (name, behaviour(name)))).await;
        let fan = Fan::of(&sandbox).file("tasks.yaml", tasks);
        let hosts = if round % 2 == 0 { "all" } else { "all,!e" };
        let started = fan.start(["run", "two", "-z", "4", "-H", hosts, "--format", "jsonl"]);
        eventually("it begins", || (!started.stdout_so_far().is_empty()).then_some(()));
        thread::sleep(delay);
        started.signal(Signal::INT);
        if twice {
            thread::sleep(delay / 8);
            started.signal(Signal::TERM);
        }
        let ran = started.finish();
        ran.events();
        // A run that was over already says how it was.
        let over = !ran.stdout.contains("\"event\":\"stop_requested\"");
        assert!(over || ran.code == Some(130), "round {round} after {delay:?}:\n{}", ran.snapshot());
    }
}
