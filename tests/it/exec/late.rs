//! Starts of durable commands that reach the host late, on the real sshd: by then somebody else has started the command,
//! seen its end and tidied up. What was begun is counted on the host.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::{Signal, kill_process};
use tempfile::TempDir;

use crate::fixtures::relay::Relay;
use crate::fixtures::spools::spools;
use crate::fixtures::sshd::Sshd;
use crate::fixtures::support::{Fan, Started, eventually, inventory_defaults};

/// Stands in front of each command of the server: those that have a number in `hold` wait for a word.
const GATE: &str = r#"#!/bin/sh
n=1
while ! mkdir "DIR/session$n" 2>/dev/null; do n=$((n+1)); done
if [ -e "DIR/hold$n" ]; then
: >"DIR/held$n"
read -r _ <"DIR/go$n"
fi
sh -c "$SSH_ORIGINAL_COMMAND"
r=$?
: >"DIR/over$n"
exit $r
"#;

/// A server at whose gate sessions are held back.
struct Gate {
    sshd: Sshd,
    folder: TempDir,
}

impl Gate {
    /// Holds back the sessions of these numbers, from 1.
    fn holding(numbers: &[usize]) -> Self {
        let folder = tempfile::Builder::new().prefix("fan-late-").tempdir().unwrap();
        let path = folder.path().display().to_string();
        let gate = folder.path().join("gate");
        fs::write(&gate, GATE.replace("DIR", &path)).unwrap();
        fs::set_permissions(&gate, fs::Permissions::from_mode(0o755)).unwrap();
        for number in numbers {
            fs::write(folder.path().join(format!("hold{number}")), "").unwrap();
            let made = Command::new("mkfifo").arg(folder.path().join(format!("go{number}"))).status();
            assert!(made.unwrap().success());
        }
        let sshd = Sshd::builder()
            .line(&format!("SetEnv XDG_STATE_HOME={path}/state"))
            .line(&format!("ForceCommand {}", gate.display()))
            .start();
        Self { sshd, folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn await_held(&self, number: usize) {
        eventually("the session is held", || self.path(&format!("held{number}")).exists().then_some(()));
    }

    /// Lets a session go.
    fn open(&self, number: usize) {
        fs::write(self.path(&format!("go{number}")), "go\n").unwrap();
    }

    /// Lets a start go that nobody waits for any more, and sees it to its end: it has done nothing.
    fn arrives_late(&self, number: usize, begun: usize) {
        self.open(number);
        eventually("the late start", || self.path(&format!("over{number}")).exists().then_some(()));
        assert_eq!((self.spools(), self.begun()), (Vec::<PathBuf>::new(), begun));
    }

    fn counting(&self, rest: &str) -> String {
        format!("echo begun >> {}; {rest}", self.path("counter").display())
    }

    fn begun(&self) -> usize {
        fs::read_to_string(self.path("counter")).unwrap_or_default().lines().count()
    }

    fn spools(&self) -> Vec<PathBuf> {
        spools(&self.path("state"))
    }

    fn await_done(&self) {
        eventually("its end", || self.spools().pop()?.join("done.0").exists().then_some(()));
    }

    /// Ends what serves fan's connections.
    fn cut(&self) {
        for process in self.sshd.connection_processes() {
            kill_process(process, Signal::KILL).unwrap();
        }
    }

    fn fan(&self) -> Fan {
        Fan::at(&self.sshd)
    }

    fn starts(&self, fan: &Fan, rest: &str) -> Started {
        fan.start(["exec", "-H", "h1", "--durable", "--", &self.counting(rest)])
    }
}

#[test]
fn one_that_arrives_after_a_resume_has_run_the_command_does_nothing() {
    let gate = Gate::holding(&[1]);
    let fan = gate.fan();
    let started = gate.starts(&fan, "true");
    gate.await_held(1);
    started.signal(Signal::KILL);
    assert_eq!(started.finish().code, None);
    let ran = fan.run(["resume"]);
    assert_eq!((ran.code, gate.begun()), (Some(0), 1), "{}", ran.snapshot());
    gate.arrives_late(1, 1);
}

#[test]
fn one_that_arrives_after_the_same_fan_has_run_the_command_on_another_connection_does_nothing() {
    let gate = Gate::holding(&[1]);
    let fan = gate.fan();
    let started = gate.starts(&fan, "true");
    gate.await_held(1);
    gate.cut();
    let ran = started.finish();
    assert_eq!((ran.code, gate.begun()), (Some(0), 1), "{}", ran.snapshot());
    gate.arrives_late(1, 1);
}

#[test]
fn one_that_arrives_after_the_job_was_cleaned_up_or_fetched_does_nothing() {
    for deed in ["--clean", "--fetch"] {
        let gate = Gate::holding(&[1]);
        let fan = gate.fan();
        let started = fan.start(["exec", "-H", "h1", "--detach", "--", &gate.counting("true")]);
        gate.await_held(1);
        gate.cut();
        let ran = started.finish();
        assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
        gate.await_done();
        assert_eq!(gate.begun(), 1);
        let mut call = vec!["jobs", "-H", "h1", deed];
        if deed == "--fetch" {
            call.insert(1, ran.stdout.trim_end());
        }
        let ran = gate.fan().run(call);
        assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
        gate.arrives_late(1, 1);
    }
}

/// The second session is the way back.
#[test]
fn a_command_that_was_seen_is_not_started_again_when_what_was_kept_of_it_has_gone() {
    let gate = Gate::holding(&[2]);
    let fan = gate.fan();
    let started = gate.starts(
        &fan,
        "echo one; while [ ! -e DIR/end ]; do sleep 0.05; done"
            .replace("DIR", &gate.folder.path().display().to_string())
            .as_str(),
    );
    eventually("its output", || started.stdout_so_far().contains("one").then_some(()));
    gate.cut();
    gate.await_held(2);
    fs::write(gate.path("end"), "").unwrap();
    gate.await_done();
    let ran = gate.fan().run(["jobs", "-H", "h1", "--clean"]);
    assert!(ran.stdout.contains("removed"), "{}", ran.snapshot());
    gate.open(2);
    let ran = started.finish();
    assert_eq!((ran.code, gate.begun()), (Some(1), 1), "{}", ran.snapshot());
    assert!(ran.stderr.contains("[job_lost]") && ran.stderr.contains("1 unknown"), "{}", ran.stderr);
}

/// What is asked for twice may have begun: a host that will not have it the second time says nothing about the first.
#[test]
fn a_refusal_of_a_second_start_is_no_word_about_the_first() {
    let gate = Gate::holding(&[1, 2]);
    let fan = gate.fan();
    let started = gate.starts(&fan, "true");
    gate.await_held(1);
    gate.cut();
    gate.await_held(2);
    fs::create_dir_all(gate.path("state/fan")).unwrap();
    fs::write(gate.path("state/fan/jobs"), "").unwrap();
    gate.open(2);
    let ran = started.finish();
    assert_eq!(ran.code, Some(1), "{}", ran.snapshot());
    assert!(ran.stderr.contains("[spool]") && ran.stderr.contains("1 unknown"), "{}", ran.stderr);
    gate.open(1);
}

#[test]
fn a_command_that_is_stopped_while_its_start_is_on_its_way_does_not_begin_afterwards() {
    let gate = Gate::holding(&[1]);
    let shut = Arc::new(AtomicBool::new(false));
    let is_shut = Arc::clone(&shut);
    let relay = Relay::to(gate.sshd.addresses()[0], move |_| is_shut.load(Ordering::SeqCst).then_some(0));
    let inventory = inventory_defaults(gate.sshd.user(), &gate.sshd.identity(), &gate.sshd.known_hosts())
        + &format!(
            "hosts:\n  h1: {{address: 127.0.0.1, port: {}, host_key: \"{}\"}}\n",
            relay.port(),
            gate.sshd.host_key("ed25519")
        );
    let fan = Fan::new().file("inventory.yaml", inventory);
    let started = gate.starts(&fan, "true");
    gate.await_held(1);
    shut.store(true, Ordering::SeqCst);
    gate.cut();
    eventually("an attempt to come back", || (relay.connections() > 1).then_some(()));
    shut.store(false, Ordering::SeqCst);
    started.signal(Signal::INT);
    let ran = started.finish();
    assert_eq!((ran.code, gate.begun()), (Some(130), 0), "{}", ran.snapshot());
    // A busy machine may not be back in time, and says so.
    if !ran.stderr.contains("it may still be running there") {
        gate.arrives_late(1, 0);
    } else {
        gate.open(1);
    }
}

#[test]
fn names_that_are_left_behind_are_few_and_go_after_a_day() {
    let gate = Gate::holding(&[]);
    let over = gate.path("state/fan/jobs/.over");
    fs::create_dir_all(&over).unwrap();
    for number in 0..600 {
        fs::create_dir(over.join(format!("young{number}"))).unwrap();
    }
    let old = over.join("old");
    fs::create_dir(&old).unwrap();
    assert!(Command::new("touch").args(["-d", "3 days ago"]).arg(&old).status().unwrap().success());
    let name = gate.fan().run(["exec", "-H", "h1", "--detach", "--", "true"]).stdout;
    gate.await_done();
    let ran = gate.fan().run(["jobs", name.trim_end(), "-H", "h1", "--fetch"]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    // It is removed after it was shown.
    eventually("its removal", || gate.spools().is_empty().then_some(()));
    eventually("few names", || (fs::read_dir(&over).unwrap().count() == 512).then_some(()));
    assert!(!old.exists());
    assert!(over.join(format!("{}.h1.0.0-0", name.trim_end())).exists());
    let listed = gate.fan().run(["jobs", "-H", "h1"]);
    assert_eq!((listed.code, listed.stdout.as_str()), (Some(0), ""), "{}", listed.snapshot());
}
