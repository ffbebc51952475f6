//! How the end of a command is known: over links that stall, from servers that say too little, too much or too early.

use std::fs::{self, OpenOptions};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::thread;
use std::time::Duration;

use fan::testing::event::{Event, Fact, HostOutcome, StepFact, StepOutcome};
use fan::testing::model::outcome::{Exit, Kind, Status, StepStatus};
use fan::testing::sandbox::Behaviour;
use rustix::process::Signal;

use crate::fixtures::sshd::Sshd;
use crate::fixtures::support::{Fan, Ran, eventually, output, sandbox, sandbox_inventory};

/// Where a relay stops passing on what the server sends, in bytes from the beginning, and for how long.
type Stalls = &'static [(usize, Duration)];

/// Passes connections on to a port of loopback; gives its own.
fn relay(to: u16, stalls: Stalls) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for client in listener.incoming() {
            let (client, server) = (client.unwrap(), TcpStream::connect((Ipv4Addr::LOCALHOST, to)).unwrap());
            let (from_client, to_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            thread::spawn(move || pass(from_client, to_server, &[]));
            thread::spawn(move || pass(server, client, stalls));
        }
    });
    port
}

fn pass(mut from: TcpStream, mut to: TcpStream, stalls: Stalls) {
    let (mut passed, mut stalls) = (0, stalls.iter());
    let mut next = stalls.next();
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
        passed += read;
        if let Some((_, pause)) = next.filter(|(at, _)| passed >= *at) {
            thread::sleep(*pause);
            next = stalls.next();
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Write);
}

/// fan with the first host of a server behind a relay.
fn behind(sshd: &Sshd, stalls: Stalls) -> Fan {
    let (from, to) = (sshd.port().to_string(), relay(sshd.port(), stalls).to_string());
    let fan = Fan::new();
    let known_hosts = fan.work().join("known_hosts");
    fs::write(&known_hosts, fs::read_to_string(sshd.known_hosts()).unwrap().replace(&from, &to)).unwrap();
    let inventory = sshd.inventory_yaml(1).replace(&format!("port: {from}"), &format!("port: {to}"));
    let inventory =
        inventory.replace(&sshd.known_hosts().display().to_string(), &known_hosts.display().to_string());
    fan.file("inventory.yaml", inventory)
}

fn host(events: &[Event]) -> HostOutcome {
    let found = events.iter().find_map(|event| match &event.fact {
        Fact::HostFinished { outcome, .. } => Some(outcome.clone()),
        _ => None,
    });
    found.unwrap()
}

fn step(events: &[Event]) -> StepOutcome {
    let found = events.iter().find_map(|event| match &event.fact {
        Fact::Step(_, StepFact::Finished { outcome, .. }) => Some(outcome.clone()),
        _ => None,
    });
    found.unwrap()
}

fn stdout(ran: &Ran) -> Vec<u8> {
    let mut all = Vec::new();
    for event in ran.events() {
        if let Fact::Step(_, StepFact::Output { data, .. }) = event.fact {
            all.extend_from_slice(&data);
        }
    }
    all
}

/// More than pipes, sockets and a server's packets hold, less than a window: the server takes all of it from the command
/// and tells of the end while most of it still exists.
const LONG: &str = "seq 1 1500000";

fn long() -> Vec<u8> {
    let mut all = Vec::new();
    (1..=1_500_000).for_each(|number| writeln!(all, "{number}").unwrap());
    all
}

const STALL: Duration = Duration::from_millis(2600);

#[test]
fn a_link_that_stalls_after_the_exit_status_loses_nothing() {
    let sshd = Sshd::start();
    let stalls: Stalls = &[(1 << 20, STALL), (5 << 20, STALL), (8 << 20, STALL), (10 << 20, STALL)];
    let ran = behind(&sshd, stalls).run(["exec", "-H", "h1", "--format", "jsonl", "--", LONG]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(stdout(&ran) == long(), "all of it, once");
    let outcome = step(&ran.events());
    assert_eq!((outcome.status, outcome.note), (StepStatus::Ok, None));
}

#[test]
fn a_server_that_changes_its_keys_all_the_time_loses_nothing_either() {
    let sshd = Sshd::builder().line("RekeyLimit 1M").start();
    let ran = behind(&sshd, &[(6 << 20, STALL)]).run([
        "exec",
        "-H",
        "h1",
        "--format",
        "jsonl",
        "--",
        // Something is left running too.
        &format!("{LONG}; sleep 20 & exit 0"),
    ]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(stdout(&ran) == long(), "all of it, once");
    let outcome = step(&ran.events());
    assert_eq!(outcome.status, StepStatus::Ok);
    assert!(outcome.note.unwrap().starts_with("a process that it left behind"));
}

#[test]
fn what_is_left_running_is_said_and_not_waited_for() {
    let sshd = Sshd::start();
    for on_disconnect in ["leave", "kill"] {
        let yaml = sshd
            .inventory_yaml(1)
            .replace("defaults:\n", &format!("defaults:\n  on_disconnect: {on_disconnect}\n"));
        let fan = Fan::at(&sshd).file("inventory.yaml", yaml);
        let ran = fan.run(["exec", "-H", "h1", "--", "echo out; sleep 600 & echo $!"]);
        assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
        assert!(ran.stderr.contains("holds its output open"), "{}", ran.snapshot());
        let pid = ran.stdout.lines().last().unwrap().rsplit(' ').next().unwrap().to_owned();
        let alive = fs::read_to_string(format!("/proc/{pid}/stat")).is_ok();
        assert!(alive, "{on_disconnect}: {}", ran.snapshot());
        let pid = rustix::process::Pid::from_raw(pid.parse().unwrap()).unwrap();
        rustix::process::kill_process(pid, Signal::KILL).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exit_status_is_no_success_without_the_end_of_the_output() {
    let sandbox = sandbox([("cut", Behaviour::CutAfterStatus { sent: 8192 })]).await;
    let fan = Fan::of(&sandbox);
    let half = "head -c 20005 /dev/zero | tr '\\0' x";
    let ran = fan.run(["exec", "-H", "cut", "--format", "jsonl", "--", half]);
    assert_eq!((ran.code, stdout(&ran).len()), (Some(1), 8192), "{}", ran.snapshot());
    let outcome = host(&ran.events());
    assert_eq!((outcome.status, outcome.may_still_run), (Status::Unknown, false), "{outcome:?}");
    assert_eq!(step(&ran.events()).exit, Some(Exit::Status(0)));
    let failed = fan.run(["exec", "-H", "cut", "--format", "jsonl", "--", "head -c 20005 /dev/zero; exit 7"]);
    let outcome = step(&failed.events());
    assert_eq!((outcome.status, &outcome.exit), (StepStatus::Failed, &Some(Exit::Status(7))), "{outcome:?}");
    assert!(outcome.note.unwrap().contains("the end of its output was not seen"));
    // Its mark may have been in what was lost.
    let fan = fan.file("tasks.yaml", "tasks: {t: ['echo x']}");
    let ran = fan.run(["run", "t", "-H", "cut", "--format", "jsonl"]);
    assert_eq!(host(&ran.events()).status, Status::Unknown, "{}", ran.snapshot());
}

/// Silence and answers prove no end while not even the beginning has come.
#[tokio::test(flavor = "multi_thread")]
async fn a_status_that_comes_long_before_the_output_is_no_refusal() {
    let sandbox = sandbox([("early", Behaviour::StatusFirst { pause: Duration::from_secs(5) })]).await;
    let fan =
        Fan::of(&sandbox).file("tasks.yaml", "tasks: {t: ['echo x', {run: 'echo y; exit 3', ok_codes: 3}]}");
    let ran = fan.run(["run", "t", "-H", "early", "--format", "jsonl"]);
    let outcome = host(&ran.events());
    assert_eq!((ran.code, outcome.status), (Some(0), Status::Ok), "{}", ran.snapshot());
    assert_eq!(stdout(&ran), b"x\ny\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_exit_statuses_the_failure_stands() {
    let sandbox = sandbox([("two", Behaviour::TwoStatuses)]).await;
    let ran = Fan::of(&sandbox).run(["exec", "-H", "two", "--format", "jsonl", "--", "echo x"]);
    let outcome = step(&ran.events());
    assert_eq!((outcome.status, &outcome.exit), (StepStatus::Failed, &Some(Exit::Status(3))), "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_tells_of_the_end_once_the_input_is_closed_is_waited_for_and_no_longer() {
    let sandbox = sandbox([("late", Behaviour::StatusAfterInput)]).await;
    for on_disconnect in ["leave", "kill"] {
        let yaml = sandbox_inventory(&sandbox)
            .replace("defaults:\n", &format!("defaults:\n  on_disconnect: {on_disconnect}\n"));
        let fan = Fan::of(&sandbox).file("inventory.yaml", yaml).file(
            "tasks.yaml",
            "tasks: {t: ['echo in a task', {run: 'cat; exit 4', stdin: given, ok_codes: 4}]}",
        );
        let ran = fan.run(["exec", "-H", "late", "--", "echo out; exit 3"]);
        assert!(ran.stderr.contains("exit status 3"), "{on_disconnect}: {}", ran.snapshot());
        let ran = fan.run(["run", "t", "-H", "late"]);
        assert_eq!(ran.code, Some(0), "{on_disconnect}: {}", ran.snapshot());
        assert!(ran.stdout.contains("given"), "{}", ran.snapshot());
        // One that closes its outputs and goes on keeps its watchdog.
        let ran = fan.run(["exec", "-T", "30", "-H", "late", "--", "exec >/dev/null 2>&1; sleep 1; exit 5"]);
        assert!(ran.stderr.contains("exit status 5"), "{on_disconnect}: {}", ran.snapshot());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_does_not_open_has_started_nothing() {
    let sandbox = sandbox([("mute", Behaviour::StallChannels)]).await;
    let fan = Fan::of(&sandbox);
    let started = fan.start(["exec", "-H", "mute", "--format", "jsonl", "--", "true"]);
    eventually("the login is done", || (sandbox.hosts()[0].auth_attempts() > 0).then_some(()));
    // It has no other sign than the time that passes.
    thread::sleep(Duration::from_secs(1));
    started.signal(Signal::INT);
    let ran = started.finish();
    let outcome = host(&ran.events());
    assert_eq!(
        (ran.code, outcome.status, outcome.started),
        (Some(130), Status::Cancelled, false),
        "{outcome:?}"
    );
    assert!(!outcome.failure.unwrap().message().contains("not known"), "{}", ran.snapshot());
    let ran = fan.run(["exec", "-H", "mute", "--format", "jsonl", "--", "true"]);
    let outcome = host(&ran.events());
    assert_eq!((ran.code, outcome.status, outcome.started), (Some(3), Status::Unreachable, false));
    assert_eq!(outcome.failure.unwrap().kind, Kind::SessionTimeout);
}

/// fan with the one host of a server, as the user whose login shell is the named one.
fn login(sshd: &Sshd, name: &str) -> Fan {
    let inventory = sshd.inventory_yaml(0) + &format!("  h1: {{address: 127.0.0.1, user: fan-{name}}}\n");
    Fan::new().file("inventory.yaml", inventory)
}

#[test]
fn an_account_that_runs_nothing_is_no_success() {
    let shells = [("bash", "/bin/bash"), ("true", "/bin/true")];
    // So that bash reads its profile, which the suite's sshd keeps it from.
    let sshd = Sshd::builder().stranger("x").login_shells(&shells).line("SetEnv SHLVL=0").start();
    let home = sshd.home();
    fs::set_permissions(&home, fs::Permissions::from_mode(0o777)).unwrap();
    let mark = home.join("mark");
    let command = format!("echo > {}", mark.display());
    for (profile, name, runs) in [
        ("exec zsh", "bash", false),
        ("exec fish", "bash", false),
        ("exit", "bash", false),
        // What holds the output open is the profile's own.
        ("sleep 20 & exit", "bash", false),
        ("", "true", false),
        ("", "bash", true),
        ("x=1", "bash", true),
    ] {
        let shown = format!("{name} with {profile:?}");
        fs::write(home.join(".bashrc"), format!("{profile}\n")).unwrap();
        let fan = login(&sshd, name);
        let ran = fan.run(["exec", "-H", "h1", "--format", "jsonl", "--", &command]);
        let status = if runs { Status::Ok } else { Status::Unknown };
        assert_eq!(host(&ran.events()).status, status, "{shown}: {}", ran.snapshot());
        assert_eq!(mark.exists(), runs, "{shown}");
        let _ = fs::remove_file(&mark);
        let ran = fan.run(["ping", "-H", "h1"]);
        assert_eq!(ran.code == Some(0), runs, "{shown}: {}", ran.snapshot());
    }
    // What comes of the command may still be on its way: it is not said to have been refused.
    fs::write(home.join(".bashrc"), "sleep 600 & echo $! > ~/pid; exit\n").unwrap();
    let fan = login(&sshd, "bash").file("tasks.yaml", "tasks: {t: ['echo x']}");
    let ran = fan.run(["run", "t", "-H", "h1", "--format", "jsonl"]);
    let outcome = host(&ran.events());
    assert_eq!((outcome.status, outcome.may_still_run), (Status::Unknown, false), "{}", ran.snapshot());
    let pid: u32 = fs::read_to_string(home.join("pid")).unwrap().trim().parse().expect("one process");
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::kill_process(pid, Signal::KILL).unwrap();
}

#[test]
fn a_greeting_is_no_sign_that_a_command_ran() {
    let sshd =
        Sshd::builder().stranger("x").login_shells(&[("bash", "/bin/bash")]).line("SetEnv SHLVL=0").start();
    let home = sshd.home();
    fs::set_permissions(&home, fs::Permissions::from_mode(0o777)).unwrap();
    let mark = home.join("mark");
    let fan = login(&sshd, "bash");
    for (profile, runs) in [
        ("echo Welcome; exec zsh", false),
        ("echo Welcome >&2; exec cat", false),
        ("echo Welcome; exit", false),
        ("echo Welcome", true),
        ("echo Welcome >&2", true),
    ] {
        for command in [
            "echo > @",
            "touch @",
            "cd / && touch @",
            "mkdir -p x; touch @ && true",
            "echo x | tee @ > /dev/null",
        ] {
            fs::write(home.join(".bashrc"), format!("{profile}\n")).unwrap();
            let command = command.replace('@', &mark.display().to_string());
            let ran = fan.run(["exec", "-H", "h1", "--format", "jsonl", "--", &command]);
            let status = if runs { Status::Ok } else { Status::Unknown };
            assert_eq!(host(&ran.events()).status, status, "{profile}: {command}: {}", ran.snapshot());
            assert_eq!(mark.exists(), runs, "{profile}: {command}");
            let _ = fs::remove_file(&mark);
        }
    }
}

#[test]
fn a_greeting_is_no_answer_to_a_ping() {
    let sshd =
        Sshd::builder().stranger("x").login_shells(&[("bash", "/bin/bash")]).line("SetEnv SHLVL=0").start();
    let fan = login(&sshd, "bash");
    for (profile, runs) in [
        ("echo Welcome; exec zsh", false),
        ("echo Welcome; exit", false),
        ("echo Maintenance >&2; exit", false),
        ("echo Welcome", true),
    ] {
        fs::write(sshd.home().join(".bashrc"), format!("{profile}\n")).unwrap();
        let ran = fan.run(["ping", "-H", "h1"]);
        assert_eq!(ran.code, Some(if runs { 0 } else { 1 }), "{profile}: {}", ran.snapshot());
        assert_eq!(
            ran.stderr.contains("says the same whatever command it is given"),
            !runs,
            "{}",
            ran.snapshot()
        );
    }
}

#[test]
fn files_do_not_wait_for_a_job_that_the_login_left_behind() {
    let shells = [("bash", "/bin/bash")];
    let sshd =
        Sshd::builder().stranger("x").login_shells(&shells).line("SetEnv SHLVL=0").without_sftp().start();
    let home = sshd.home();
    fs::set_permissions(&home, fs::Permissions::from_mode(0o777)).unwrap();
    let gate = home.join("gate");
    let mut mkfifo = Command::new("mkfifo");
    mkfifo.args(["-m", "666"]).arg(&gate);
    assert_eq!(output(mkfifo, b"").code, Some(0));
    // Both ends are open here, so that all that waits goes on when the test is over, however it ends.
    let _open = OpenOptions::new().read(true).write(true).open(&gate).unwrap();
    fs::write(home.join(".bashrc"), "{ read -r x < ~/gate; } &\n").unwrap();
    let fan = login(&sshd, "bash").file("up", "content\n");
    let ran = fan.run(["put", "-H", "h1", "up", "there"]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    assert_eq!(fs::read_to_string(home.join("there")).unwrap(), "content\n");
    let ran = fan.run(["get", "-H", "h1", "there", "down"]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    let ran = fan.run(["get", "-H", "h1", "missing", "down2"]);
    assert_eq!(ran.code, Some(1), "{}", ran.snapshot());
}

#[test]
fn a_forced_command_gets_its_line_as_it_is_and_does_its_work_once() {
    let folder = tempfile::tempdir().unwrap();
    let count = folder.path().join("count");
    // It writes down what it was asked for, without a word.
    let forced = Sshd::builder()
        .line(&format!("ForceCommand printf '%s\\n' \"$SSH_ORIGINAL_COMMAND\" >> {}", count.display()))
        .start();
    let fan = Fan::at(&forced);
    let ran = fan.run(["exec", "-H", "h1", "--format", "jsonl", "--", "release 'a b'  now"]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    assert_eq!(fs::read_to_string(&count).unwrap(), "release 'a b'  now\n");
    let outcome = step(&ran.events());
    assert_eq!(outcome.status, StepStatus::Ok);
    assert!(outcome.note.unwrap().contains("whether the account's shell started it is unknown"));
}
