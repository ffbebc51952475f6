//! What becomes of remote commands when fan stops or is gone, seen from the other side: by their process ids.
//!
//! As root, OpenSSH 9.2 refuses signals: then only the watchdog of `on_disconnect: kill` ends a command.

use std::path::Path;
use std::time::Duration;

use fan::testing::event::{Fact, StepFact};
use fan::testing::model::outcome::Exit;
use fan::testing::sandbox::Behaviour;
use rustix::process::{Pid, Signal, kill_process};

use crate::fixtures::sshd::{Sshd, public_key};
use crate::fixtures::support::{Fan, Ran, Since, eventually, not_run, sandbox, sandbox_inventory};

/// A command that never ends, with a child; the ids of both are in the file.
fn endless(file: &Path) -> String {
    let file = file.display();
    format!("echo up; sleep 600 & echo $$ $! > {file}.new; mv {file}.new {file}; wait")
}

/// The same, deaf to TERM.
fn deaf(file: &Path) -> String {
    let file = file.display();
    format!("trap '' TERM; echo $$ > {file}.new; mv {file}.new {file}; while :; do sleep 0.2; done")
}

fn processes(file: &Path) -> Vec<Pid> {
    let text = eventually("the command runs", || std::fs::read_to_string(file).ok());
    text.split_whitespace().map(|pid| Pid::from_raw(pid.parse().unwrap()).unwrap()).collect()
}

/// The state of a process and its group; none when it is gone or a zombie.
fn group(pid: &str) -> Option<i32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    (fields.next()? != "Z").then_some(())?;
    fields.nth(1)?.parse().ok()
}

fn is_alive(process: Pid) -> bool {
    group(&process.as_raw_nonzero().to_string()).is_some()
}

fn assert_gone(processes: &[Pid]) {
    for &process in processes {
        eventually("the command is gone", || (!is_alive(process)).then_some(()));
    }
}

/// Waits until a group has no living process.
fn assert_empty(leader: Pid) {
    let leader = leader.as_raw_nonzero().get();
    eventually("nobody is left of the group", || {
        let mut names = std::fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        names.all(|pid| group(&pid) != Some(leader)).then_some(())
    });
}

/// Ends what a test has shown to go on.
fn end(processes: &[Pid]) {
    for &process in processes {
        let _ = kill_process(process, Signal::KILL);
    }
    assert_gone(processes);
}

fn with(yaml: &str, on_disconnect: &str) -> String {
    yaml.replace("defaults:\n", &format!("defaults:\n  on_disconnect: {on_disconnect}\n"))
}

fn at(sshd: &Sshd, on_disconnect: &str) -> Fan {
    Fan::at(sshd).file("inventory.yaml", with(&sshd.inventory_yaml(1), on_disconnect))
}

fn exec<'a>(flags: &[&'a str], command: &'a str) -> Vec<&'a str> {
    [&["exec", "-H", "all", "--format", "jsonl"], flags, &["--", command]].concat()
}

fn may_still_run(ran: &Ran) -> bool {
    let told = ran
        .events()
        .iter()
        .any(|event| matches!(&event.fact, Fact::HostFinished { outcome, .. } if outcome.may_still_run));
    assert_eq!(told, ran.stderr.contains("may still be running"), "{}", ran.snapshot());
    told
}

/// The one step's exit.
fn exit(ran: &Ran) -> Option<Exit> {
    ran.events().into_iter().find_map(|event| match event.fact {
        Fact::Step(_, StepFact::Finished { outcome, .. }) => outcome.exit,
        _ => None,
    })
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A login without privileges takes signals, with and without the watchdog.
#[test]
fn ctrl_c_for_a_login_without_privileges_is_confirmed() {
    if !is_root() {
        not_run(
            "a login without privileges",
            "only root can make another; as this user the other tests show the same",
        );
        return;
    }
    let sshd = Sshd::builder().stranger("hunter2").start();
    for on_disconnect in ["leave", "kill"] {
        let file = sshd.home().join(on_disconnect);
        let started = at(&sshd, on_disconnect).start(exec(&[], &endless(&file)));
        let commands = processes(&file);
        started.signal(Signal::INT);
        let ran = started.finish();
        assert_eq!((ran.code, may_still_run(&ran)), (Some(130), false), "{}", ran.snapshot());
        assert_gone(&commands);
    }
}

/// What is claimed is true: not confirmed may be alive, confirmed is gone.
#[test]
fn ctrl_c_with_leave_claims_nothing_that_is_not_known() {
    let sshd = Sshd::start();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pids");
    let started = at(&sshd, "leave").start(exec(&[], &endless(&file)));
    let commands = processes(&file);
    started.signal(Signal::INT);
    let ran = started.finish();
    assert_eq!(ran.code, Some(130), "{}", ran.snapshot());
    if may_still_run(&ran) {
        assert!(is_root(), "a login that is not root takes signals: {}", ran.snapshot());
        end(&commands);
    } else {
        assert_gone(&commands);
    }
}

#[test]
fn ctrl_c_with_kill_is_confirmed() {
    let sshd = Sshd::start();
    let folder = tempfile::tempdir().unwrap();
    for (name, script) in [("obeys", endless as fn(&Path) -> String), ("deaf", deaf)] {
        let file = folder.path().join(name);
        let started = at(&sshd, "kill").start(exec(&[], &script(&file)));
        let commands = processes(&file);
        started.signal(Signal::INT);
        let ran = started.finish();
        assert_eq!(ran.code, Some(130), "{}", ran.snapshot());
        assert!(!may_still_run(&ran), "{}", ran.snapshot());
        assert_gone(&commands);
        assert_empty(commands[0]);
    }
}

#[test]
fn the_second_ctrl_c_with_kill_is_confirmed_at_once() {
    let sshd = Sshd::start();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pids");
    let started = at(&sshd, "kill").start(exec(&[], &deaf(&file)));
    let commands = processes(&file);
    started.signal(Signal::INT);
    eventually("the first one is heard", || started.stdout_so_far().contains("stop_requested").then_some(()));
    let asked = Since::now();
    started.signal(Signal::INT);
    let ran = started.finish();
    asked.assert_ended_by(Duration::from_secs(1), Duration::from_secs(5));
    assert_eq!((ran.code, may_still_run(&ran)), (Some(130), false), "{}", ran.snapshot());
    assert_gone(&commands);
}

#[test]
fn a_killed_fan_takes_its_commands_along_with_kill() {
    let sshd = Sshd::start();
    let folder = tempfile::tempdir().unwrap();
    for (name, script) in [("obeys", endless as fn(&Path) -> String), ("deaf", deaf)] {
        let file = folder.path().join(name);
        let started = at(&sshd, "kill").start(exec(&[], &script(&file)));
        let commands = processes(&file);
        started.signal(Signal::KILL);
        assert_gone(&commands);
        assert_eq!(started.finish().signal, Some(9));
        assert_empty(commands[0]);
    }
}

#[test]
fn a_killed_fan_leaves_its_commands_behind_with_leave() {
    let sshd = Sshd::start();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pids");
    let started = at(&sshd, "leave").start(exec(&[], &endless(&file)));
    let commands = processes(&file);
    started.signal(Signal::KILL);
    assert_eq!(started.finish().signal, Some(9));
    eventually("the server has noticed", || {
        let log = sshd.log();
        (log.contains("Connection closed by")
            || log.contains("Connection reset by")
            || log.contains("Close session"))
        .then_some(())
    });
    assert!(commands.iter().all(|&command| is_alive(command)));
    end(&commands);
}

/// A forced command refuses signals in every version, and makes its own shells around ours.
#[test]
fn a_forced_command() {
    let sshd = Sshd::start();
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key");
    crate::fixtures::sshd::keygen(&key, "ed25519");
    let public = public_key(&key.with_extension("pub"));
    sshd.authorize(&format!("command=\"sh -c \\\"$SSH_ORIGINAL_COMMAND\\\"; exit $?\" {public}"));
    let identity = sshd.identity().display().to_string();
    let inventory = sshd.inventory_yaml(1).replace(&identity, &key.display().to_string());
    let fan = Fan::at(&sshd).file("inventory.yaml", with(&inventory, "kill"));

    let ran = fan.run(exec(&[], "echo out; exit 3"));
    assert_eq!(exit(&ran), Some(Exit::Status(3)), "{}", ran.snapshot());

    let file = folder.path().join("stopped");
    let started = fan.start(exec(&[], &endless(&file)));
    let commands = processes(&file);
    started.signal(Signal::INT);
    let ran = started.finish();
    assert_eq!((ran.code, may_still_run(&ran)), (Some(130), false), "{}", ran.snapshot());
    assert_gone(&commands);

    let file = folder.path().join("killed");
    let started = fan.start(exec(&[], &deaf(&file)));
    let commands = processes(&file);
    started.signal(Signal::KILL);
    assert_gone(&commands);
    started.finish();
}

#[test]
fn a_deadline_with_kill_is_confirmed() {
    let sshd = Sshd::start();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pids");
    let ran = at(&sshd, "kill").run(exec(&["-T", "1s"], &endless(&file)));
    assert_eq!(ran.code, Some(1), "{}", ran.snapshot());
    assert!(
        ran.stdout.contains("\"kind\":\"timeout\"") && ran.stdout.contains("; ended"),
        "{}",
        ran.snapshot()
    );
    assert!(!may_still_run(&ran), "{}", ran.snapshot());
    let commands = processes(&file);
    assert_gone(&commands);
    assert_empty(commands[0]);
}

#[test]
fn a_watched_command_ends_as_it_does_alone() {
    let sshd = Sshd::start();
    let fan = at(&sshd, "kill");
    let ends = [
        ("true", Exit::Status(0)),
        ("exit 3", Exit::Status(3)),
        ("exit 255", Exit::Status(255)),
        ("exit 137", Exit::Status(137)),
        ("kill -KILL $$", Exit::Signal("KILL".to_owned())),
        ("kill -SEGV $$", Exit::Signal("SEGV".to_owned())),
    ];
    for (command, expected) in ends {
        assert_eq!(exit(&fan.run(exec(&[], command))), Some(expected), "{command}");
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    let long =
        format!("echo $$ > {}; cat; echo err >&2; head -c 20000000 /dev/zero | tr '\\0' x", file.display());
    let ran = fan.run(["exec", "-N", "-H", "h1", "--", &long]);
    assert_eq!((ran.stdout.len(), ran.code), (20_000_000, Some(0)), "{}", ran.stderr);
    assert!(ran.stderr.contains("err\n"), "{}", ran.stderr);
    assert_empty(processes(&file)[0]);
}

#[test]
fn steps_are_watched_too() {
    let sshd = Sshd::start();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pids");
    let place = folder.path().display();
    let tasks = format!(
        "tasks:\n  wait:\n    hosts: [all]\n    steps:\n      - run: echo \"it's $FAN_HOST\"\n        cd: '{place}'\n      \
         - run: |\n          {}\n",
        endless(&file)
    );
    let fan = at(&sshd, "kill").file("tasks.yaml", tasks);
    let started = fan.start(["run", "wait"]);
    let commands = processes(&file);
    started.signal(Signal::KILL);
    assert_gone(&commands);
    assert_empty(commands[0]);
    let ran = started.finish();
    assert!(ran.stdout.contains("it's h1"), "{}", ran.snapshot());
}

/// Throw-away hosts and the operator's own machine.
#[tokio::test(flavor = "multi_thread")]
async fn other_transports() {
    let sandbox = sandbox([("a", Behaviour::Normal)]).await;
    let inventories = [
        with(&sandbox_inventory(&sandbox), "kill"),
        "hosts:\n  a: {transport: local, on_disconnect: kill}\n".to_owned(),
    ];
    for inventory in inventories {
        let folder = tempfile::tempdir().unwrap();
        let fan = Fan::new().file("inventory.yaml", &inventory);
        let ran = fan.run(exec(&[], "cat; exit 3"));
        assert_eq!(exit(&ran), Some(Exit::Status(3)), "{inventory}{}", ran.snapshot());
        for (name, signal) in [("stopped", Signal::INT), ("killed", Signal::KILL)] {
            let file = folder.path().join(name);
            let started = fan.start(exec(&[], &endless(&file)));
            let commands = processes(&file);
            started.signal(signal);
            assert_gone(&commands);
            assert_empty(commands[0]);
            let ran = started.finish();
            assert!(ran.signal == Some(9) || !may_still_run(&ran), "{inventory}{}", ran.snapshot());
        }
    }
}
