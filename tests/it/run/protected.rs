//! Protected roles: nothing is contacted before they are named.

use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};

use crate::fixtures::support::{Fan, Ran, typed_on_terminal};
use crate::fixtures::window::Window;

const INVENTORY: &str = r#"hosts:
  web[1-3]: {transport: local}
  db1: {transport: local}
  far1: {address: 192.0.2.1}
roles:
  web: ["web[1-2]"]
  db: {hosts: [db1], protect: true}
  prod: {roles: [web, db], hosts: [far1], protect: true}
  test: [web3]
"#;

const TASKS: &str = "tasks:\n  mark: [{run: touch \"$FAN_MARKS/$FAN_HOST\"}]\n";

/// What commands leave behind is in the folder `marks`.
fn fan() -> Fan {
    let fan = Fan::new().file("inventory.yaml", INVENTORY).file("tasks.yaml", TASKS);
    std::fs::create_dir(fan.work().join("marks")).unwrap();
    let marks = fan.work().join("marks").display().to_string();
    let tasks = TASKS.replace("$FAN_MARKS", &marks);
    fan.file("tasks.yaml", tasks).file("new", "x")
}

fn marks(fan: &Fan) -> Vec<String> {
    let entries = std::fs::read_dir(fan.work().join("marks")).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn run(fan: &Fan, line: &str) -> Ran {
    fan.run(line.split(' '))
}

#[test]
fn without_a_terminal_a_protected_role_is_an_error() {
    let fan = fan();
    insta::assert_snapshot!(run(&fan, "run mark -R prod").snapshot(), @r"
    exit code: 2
    --- stderr
    error: mark: 1 host of the protected role db (db1), and there is no terminal to ask on, or CI is set (help: to confirm, add --confirm db; --yes does not)
    error: mark: 4 hosts of the protected role prod (web[1-2],db1,far1), and there is no terminal to ask on, or CI is set (help: to confirm, add --confirm prod; --yes does not)
    ");
    // By way of another role, of the host's own name, of its address, and of every command that changes something.
    for line in [
        "run mark -R web,test --limit 1",
        "run mark -H web2",
        "exec -H web1,web3 -- touch marks/exec",
        "exec -H root@192.0.2.1 -- true",
        "jobs 01M8Q6 -H web1 --stop",
        "jobs -H web1 --clean",
        "put -H web1 new marks/put",
        "sync -H web1 . marks/sync",
    ] {
        let ran = run(&fan, line);
        assert_eq!(ran.code, Some(2), "{line}: {}", ran.snapshot());
        assert!(ran.stderr.contains("1 host of the protected role prod"), "{line}: {}", ran.stderr);
        assert!(ran.stderr.contains("--confirm prod"), "{line}: {}", ran.stderr);
    }
    assert_eq!(marks(&fan), [""; 0], "nothing was done");
}

#[test]
fn a_role_is_named_on_the_command_line_or_in_the_environment() {
    let fan = fan();
    let ran = run(&fan, "run mark -H web1,db1 --confirm prod");
    assert_eq!(ran.code, Some(2), "both roles are meant: {}", ran.snapshot());
    assert!(ran.stderr.contains("role db") && !ran.stderr.contains("role prod"), "{}", ran.stderr);
    assert_eq!(marks(&fan), [""; 0]);
    assert_eq!(run(&fan, "run mark -H web1 --confirm prod").code, Some(0));
    assert_eq!(run(&fan, "run mark -H db1 --confirm prod --confirm db").code, Some(0));
    assert_eq!(run(&fan, "run mark -R test").code, Some(0), "it is not protected");
    assert_eq!(run(&fan.env("FAN_CONFIRM", "db,prod"), "run mark -H web2,db1").code, Some(0));
}

#[test]
fn whoever_only_looks_is_not_asked() {
    let fan = fan();
    for line in [
        "hosts -R prod",
        "list",
        "check mark -H web1",
        "check --connect -H web1",
        "ping -H web1,db1",
        "run mark -R prod --plan",
        "exec -R prod --plan -- touch marks/plan",
        "jobs -H web1,db1",
        "jobs -R prod --clean --plan",
        "put -H web1 new marks/put --dry-run",
        "run mark -H web1 --dry-run",
        "get -H web1 new got",
        "ls -H web1 .",
    ] {
        let ran = run(&fan, line);
        assert_eq!(ran.code, Some(0), "{line}: {}", ran.snapshot());
    }
    assert_eq!(marks(&fan), [""; 0]);
}

fn typed(fan: &Fan, args: &str, dialogue: &[(&str, &str)]) -> (Option<i32>, String) {
    typed_on_terminal(fan, &format!("exec \"$BINARY\" {args}"), dialogue)
}

const QUESTION: &str = "type the name of the role to continue: ";

#[test]
fn a_person_types_the_name() {
    let fan = fan();
    let (code, shown) = typed(&fan, "run mark -H web1,db1", &[(QUESTION, "db\r"), (QUESTION, "prod\r")]);
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("mark: 1 host of the protected role db (db1)"), "{shown}");
    assert!(shown.contains("mark: 2 hosts of the protected role prod (web1,db1)"), "{shown}");
    assert_eq!(marks(&fan), ["db1", "web1"]);
}

#[test]
fn any_other_word_is_a_no() {
    let fan = fan();
    for (answer, told) in [
        ("yes\r", "\"yes\" is not \"prod\": nothing was contacted"),
        ("\r", "the protected role prod was not confirmed: nothing was contacted"),
        ("\x04", "the protected role prod was not confirmed: nothing was contacted"),
    ] {
        let (code, shown) = typed(&fan, "exec -H web1 -- touch marks/exec", &[(QUESTION, answer)]);
        assert_eq!(code, Some(2), "{shown}");
        assert!(shown.contains(told), "{shown}");
    }
    assert_eq!(marks(&fan), [""; 0]);
}

#[test]
fn a_step_that_is_done_on_a_protected_host_counts() {
    let fan = fan().file("tasks.yaml", "tasks: {t: [{run: touch there, on: web1}]}\n");
    let ran = run(&fan, "run t -R test");
    assert_eq!(ran.code, Some(2), "{}", ran.snapshot());
    assert!(ran.stderr.contains("1 host of the protected role prod (web1)"), "{}", ran.stderr);
}

/// Nobody types a password for a run that was not meant, and no command is run to get one.
#[test]
fn the_role_comes_before_the_secrets() {
    let tasks = "secrets: {key: {command: \"touch marks/secret; echo c4n4ry-key\"}}\n\
                 tasks: {use: [{run: \"true {{ key }}\"}]}\n";
    let fan = fan().file("tasks.yaml", tasks);
    assert_eq!(run(&fan, "run use -H web1").code, Some(2));
    assert_eq!(marks(&fan), [""; 0]);
    assert_eq!(run(&fan, "run use -H web1 --confirm prod").code, Some(0));
    assert!(Path::new(&fan.work().join("marks/secret")).exists());
}

#[test]
fn throw_away_hosts_are_nobodys() {
    let ran = run(&fan(), "demo mark --yes -i inventory.yaml -f tasks.yaml -R prod");
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
}

/// A signal at the question ends fan on a line of its own, with the exit code that a shell shows for it.
#[test]
fn a_signal_at_the_question_is_obeyed_and_nothing_is_contacted() {
    for (signal, code) in [("INT", 130), ("TERM", 143), ("HUP", 129), ("QUIT", 131), ("ABRT", 134)] {
        let fan = fan();
        let line = "stty -a > before; \
                    sh -c 'echo $$ > pid; exec \"$BINARY\" run mark -H web1'; \
                    code=$?; stty -a > after; echo over; exit $code";
        let window = Window::open(&fan, (120, 24), &["sh", "-c", line]);
        window.until("the question", |screen| screen.ends_with("to continue:"));
        let pid = std::fs::read_to_string(fan.work().join("pid")).unwrap();
        let pid: u32 = pid.trim().parse().expect("one process");
        let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
        let sent = Signal::from_named_raw(code - 128).unwrap();
        kill_process(pid, sent).unwrap();
        let (ended, shown) = window.end();
        assert_eq!(ended, Some(code), "{signal}: {shown}");
        assert!(shown.ends_with("to continue:\nover"), "{signal}: {shown}");
        assert_eq!(marks(&fan), [""; 0], "{signal}");
        let read = |name: &str| std::fs::read_to_string(fan.work().join(name)).unwrap();
        assert_eq!(read("before"), read("after"), "{signal}");
    }
}
