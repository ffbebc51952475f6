//! `fan shell` on a real terminal and a real sshd, and `fan check --connect`.

use std::fs;
use std::process::Command;

use fan::testing::sandbox::Behaviour;

use crate::fixtures::sshd::Sshd;
use crate::fixtures::support::{Fan, eventually, output, sandbox, typed_on_terminal};

/// A shell that says when it is ready, and reads no file of whoever runs the tests.
const READY: &str = r#"-- "PS1='rea''dy> ' exec sh""#;

/// Runs `fan shell` with these arguments on a terminal of 33 lines and 97 columns, which must be in the end as it was.
fn shell(fan: &Fan, args: &str, dialogue: &[(&str, &str)]) -> (Option<i32>, String) {
    let line = format!(
        "stty rows 33 cols 97; stty -a > before; tty > tty; \
         sh -c 'echo $$ > pid; exec \"$BINARY\" shell \"$@\"' sh {args}; \
         code=$?; stty -a > after; exit $code"
    );
    let ended = typed_on_terminal(fan, &line, dialogue);
    let read = |name: &str| fs::read_to_string(fan.work().join(name)).unwrap();
    let after = read("after");
    assert!(after.contains("icanon") && after.contains(" echo ") && !after.contains("-icanon"), "{after}");
    assert_eq!(read("before").lines().skip(1).collect::<Vec<_>>(), after.lines().skip(1).collect::<Vec<_>>());
    ended
}

#[test]
fn what_is_typed_runs_there_and_the_exit_status_comes_back() {
    let sshd = Sshd::start();
    let fan = Fan::at(&sshd);
    let (code, shown) = shell(
        &fan,
        &format!("h1 {READY}"),
        &[
            ("ready> ", "echo si''ze $(stty size) $TERM\r"),
            ("size 33 97 dumb", "printf 'no%s\\n' -escape ~.\r"),
            ("no-escape\r\nno~.\r\nready> ", "cat\r"),
            ("cat\r\n", "~~a\r"),
            ("~a\r\n~a\r\n", "\u{4}exit 42\r"),
        ],
    );
    assert_eq!(code, Some(42), "{shown}");
    assert!(!shown.contains("h1:"), "a shell that ends by itself needs no words: {shown}");
}

#[test]
fn the_login_shell_starts_where_no_command_is_given() {
    let sshd = Sshd::start();
    let (code, shown) = shell(&Fan::at(&sshd), "h1", &[("", "echo pla''in; exit 7\r"), ("plain", "")]);
    assert_eq!(code, Some(7), "{shown}");
}

#[test]
fn a_command_runs_on_a_terminal() {
    let sshd = Sshd::start();
    let (code, shown) = shell(&Fan::at(&sshd), "h1 -- test -t 1 '&&' echo yes, a terminal", &[]);
    assert_eq!((code, shown.trim_end()), (Some(0), "yes, a terminal"));
    let (code, shown) = shell(&Fan::at(&sshd), "h1 -- 'kill -KILL $$'", &[]);
    assert_eq!((code, shown.trim_end()), (Some(1), "h1: killed by signal KILL [signal]"));
}

#[test]
fn modes_of_the_terminal_go_along() {
    let sshd = Sshd::start();
    let line = "stty -echo intr ^G iutf8; exec \"$BINARY\" shell h1 -- stty -a";
    let (code, shown) = typed_on_terminal(&Fan::at(&sshd), line, &[]);
    assert_eq!(code, Some(0), "{shown}");
    for mode in ["intr = ^G;", " -echo ", "iutf8"] {
        assert!(shown.contains(mode), "{mode} in {shown}");
    }
}

#[test]
fn a_tilde_and_a_dot_disconnect_and_others_explain() {
    let sshd = Sshd::start();
    let fan = Fan::at(&sshd);
    let (code, shown) = shell(
        &fan,
        &format!("h1 {READY}"),
        &[("ready> ", "~?"), ("~.  disconnect", "printf half; sleep 6''00\r"), ("half", "\r~.")],
    );
    assert_eq!(code, Some(1), "{shown}");
    assert!(shown.ends_with("\nh1: disconnected\r\n"), "{shown:?}");
}

#[test]
fn the_size_follows_the_terminal() {
    let sshd = Sshd::start();
    let fan = Fan::at(&sshd);
    let tty = fan.work().join("tty");
    let resizing = std::thread::spawn({
        let go = fan.work().join("go");
        move || {
            eventually("the shell runs", || go.exists().then_some(()));
            let mut stty = Command::new("stty");
            stty.arg("-F")
                .arg(fs::read_to_string(tty).unwrap().trim_end())
                .args(["rows", "40", "cols", "100"]);
            assert_eq!(output(stty, b"").code, Some(0));
        }
    });
    let command = format!(
        "-- 'touch {}; until test \"$(stty size)\" = \"40 100\"; do sleep 0.02; done; echo followed'",
        fan.work().join("go").display()
    );
    let line = format!("stty rows 33 cols 97; tty > tty; \"$BINARY\" shell h1 {command}");
    let (code, shown) = typed_on_terminal(&fan, &line, &[]);
    resizing.join().unwrap();
    assert_eq!((code, shown.trim_end()), (Some(0), "followed"));
}

#[test]
fn a_signal_leaves_the_terminal_as_it_was() {
    let sshd = Sshd::start();
    for (signal, code) in [("TERM", 143), ("HUP", 129), ("INT", 130)] {
        let fan = Fan::at(&sshd);
        let pid = fan.work().join("pid");
        let (pid, half) = (pid.display(), "stty -echo; printf half; read go");
        let args = format!("h1 -- '{half}; kill -{signal} $(cat {pid}); sleep 600'");
        let (ended, shown) = shell(&fan, &args, &[("half", "\r")]);
        assert_eq!(ended, Some(code), "{shown}");
        assert!(shown.starts_with(&format!("half\r\nh1: ended by {signal}")), "{shown:?}");
    }
}

/// Signals that leave no time for words.
#[test]
fn a_signal_that_ends_fan_at_once_leaves_the_terminal_as_it_was() {
    let sshd = Sshd::start();
    for (signal, code) in [("QUIT", 131), ("ABRT", 134)] {
        let fan = Fan::at(&sshd);
        let pid = fan.work().join("pid");
        let args = format!(
            "h1 -- 'stty -echo; printf half; read go; kill -{signal} $(cat {}); sleep 600'",
            pid.display()
        );
        let (ended, shown) = shell(&fan, &args, &[("half", "\r")]);
        assert_eq!(ended, Some(code), "{signal}: {shown}");
    }
}

#[test]
fn a_shell_that_is_stopped_gives_the_terminal_back_and_takes_it_again() {
    let sshd = Sshd::start();
    let fan = Fan::at(&sshd);
    let pid = fan.work().join("pid");
    // A shell with job control is told of the stop, looks at the modes, and goes on with it.
    let script = format!(
        "set -m; sh -c 'echo $$ > pid; exec \"$BINARY\" shell h1 -- \"printf on; kill -TSTP \\$(cat {}); \
         read word; echo got \\$word\"'; echo stopped $?; stty -a > stopped; fg >/dev/null; echo code $?",
        pid.display()
    );
    let line = fan.work().join("line");
    fs::write(&line, script).unwrap();
    let (code, shown) = typed_on_terminal(
        &fan,
        "exec bash --norc line",
        &[("on", ""), ("stopped ", "a-word\r"), ("got a-word", "")],
    );
    assert_eq!(code, Some(0), "{shown}");
    let stopped = fs::read_to_string(fan.work().join("stopped")).unwrap();
    assert!(stopped.contains(" icanon") && stopped.contains(" echo "), "{stopped}");
    assert!(shown.contains("code 0"), "{shown}");
}

/// The question is the program's own: nothing was contacted yet.
#[test]
fn a_signal_at_a_question_leaves_the_terminal_as_it_was() {
    let inventory = "hosts: {h1: {transport: local}}\n";
    let tasks =
        "secrets: {pin: {prompt: Which pin}}\ntasks: {t: {hosts: [h1], steps: [run: 'echo {{ pin }}']}}\n";
    let password = "hosts: {h1: {address: 127.0.0.1, port: 1, user: u, password: {prompt: Which pin}}}\n";
    for (inventory, args) in [(inventory, "run t"), (password, "exec -H h1 -- true")] {
        for (signal, code) in [("INT", 130), ("TERM", 143), ("HUP", 129), ("QUIT", 131), ("ABRT", 134)] {
            let fan = Fan::new().file("inventory.yaml", inventory).file("tasks.yaml", tasks);
            let line = format!(
                "stty -a > before; tty > tty; \
                 sh -c 'echo $$ > pid; exec \"$BINARY\" {args} --host-keys accept-new'; \
                 code=$?; stty -a > after; exit $code"
            );
            let work = fan.work();
            let sending = std::thread::spawn(move || {
                eventually("the question is asked", || {
                    let tty = fs::read_to_string(work.join("tty")).ok()?;
                    let mut stty = Command::new("stty");
                    stty.args(["-a", "-F", tty.trim()]);
                    let modes = stty.output().ok()?.stdout;
                    String::from_utf8_lossy(&modes).contains(" -echo ").then_some(())
                });
                let pid = fs::read_to_string(work.join("pid")).unwrap();
                let mut kill = Command::new("kill");
                assert!(kill.args(["-s", signal, pid.trim()]).status().unwrap().success());
            });
            let (ended, shown) = typed_on_terminal(&fan, &line, &[("Which pin: ", "")]);
            sending.join().unwrap();
            assert_eq!(ended, Some(code), "{args} {signal}: {shown}");
            let read = |name: &str| fs::read_to_string(fan.work().join(name)).unwrap();
            assert_eq!(read("before"), read("after"), "{args} {signal}");
        }
    }
}

#[test]
fn a_connection_that_breaks_is_told_on_a_line_of_its_own() {
    let sshd = Sshd::start();
    // The parent of the login shell is the session's sshd.
    let args = "h1 -- 'stty -echo; printf half; read go; kill -KILL $PPID; sleep 600'";
    let (code, shown) = shell(&Fan::at(&sshd), args, &[("half", "\r")]);
    assert_eq!(code, Some(1), "{shown}");
    assert!(shown.starts_with("half\r\nh1: the connection was lost"), "{shown:?}");
}

#[test]
fn through_a_gateway() {
    let sshd = Sshd::builder().hosts(2).start();
    let fan = Fan::at(&sshd);
    let (code, shown) =
        shell(&fan, &format!("h2 -g h1 {READY}"), &[("ready> ", "echo o''ver; exit 5\r"), ("over", "")]);
    assert_eq!(code, Some(5), "{shown}");
    assert_eq!(sshd.connections(), 2, "{}", sshd.log());
}

#[test]
fn what_cannot_be_a_shell() {
    let sshd = Sshd::builder().hosts(3).line("PermitTTY no").start();
    let inventory =
        sshd.inventory_yaml(3) + "  here: {transport: local}\n  shut: {address: 127.0.0.1, port: 1}\n";
    let fan = Fan::at(&sshd).file("inventory.yaml", inventory);
    let ran = fan.run(["shell", "h1"]);
    insta::assert_snapshot!(ran.snapshot(), @r#"
    exit code: 2
    --- stderr
    error: a shell needs a terminal as stdin and stdout (help: `fan exec -H HOST -- CMD` needs none)
    "#);
    let mut told = String::new();
    for host in ["'h[1-3]'", "here", "shut", "h1", "h1 -- ''"] {
        let (code, shown) = shell(&fan, host, &[]);
        told += &format!("$ fan shell {host}\n{}exit code: {}\n", shown.replace('\r', ""), code.unwrap());
    }
    insta::assert_snapshot!(crate::fixtures::stable::stable(&told, &[]), @r#"
    $ fan shell 'h[1-3]'
    error: "h[1-3]" selects 3 hosts, and a shell needs exactly one: h[1-3] (help: name one of them, or run a command on all: fan exec -H 'h[1-3]' -- CMD)
    exit code: 2
    $ fan shell here
    error: here is this machine (`transport: local`): you have a shell here already
    exit code: 2
    $ fan shell shut
    fetching the host keys of 1 host that have none recorded
    shut: connection refused (127.0.0.1:<port>) [connect_refused]
    hint: is sshd running, and on this port?
    exit code: 3
    $ fan shell h1
    h1: the server refused to give a terminal [exec_refused]
    hint: is there `PermitTTY no` or `no-pty` for this account? `fan exec` needs no terminal
    exit code: 3
    $ fan shell h1 -- ''
    error: the command is empty
    exit code: 2
    "#);
    assert_eq!(sshd.connections(), 1, "only h1 was contacted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preflight_tells_each_phase() {
    let sandbox =
        sandbox([("good", Behaviour::Normal), ("odd", Behaviour::Normal), ("shut", Behaviour::RefuseAuth)])
            .await;
    let inventory =
        crate::fixtures::support::sandbox_inventory(&sandbox).replacen("odd: {", "odd: {shell: nosuch, ", 1);
    let tasks = "tasks: {look: {hosts: [good], steps: [{run: touch ran}]}}\n";
    let fan = Fan::of(&sandbox).file("inventory.yaml", inventory).file("tasks.yaml", tasks);
    let ran = fan.run(["check", "--connect", "-z", "1"]);
    insta::assert_snapshot!(ran.snapshot(), @r#"
    exit code: 1
    --- stdout
    ok: 3 hosts, 0 roles, 1 task
    good  ok  connect <time>  handshake <time>  auth <time>  exec <time>  shell <time>  files <time>  ED25519 SHA256:<fingerprint>
    odd   failed  connect <time>  handshake <time>  auth <time>  exec <time>  shell <time>  ED25519 SHA256:<fingerprint>
    shut  unreachable  auth_failed
    --- stderr
    odd: step 2 "start the interpreter of scripts (the setting `shell`)" the host's shell did not start the command: it said "sh: 1: exec: nosuch: not found" (exit status 127) [exec_refused]
    hint: is the host's `shell` installed, and the login shell one that takes commands? `fan exec` hands it a line as it is

    shut: step 1 "log in and run a command" login as fan was refused: tried ED25519 SHA256:<fingerprint>; the server allows publickey (127.0.0.1:<port>) [auth_failed]
    hint: is one of these keys in ~fan/.ssh/authorized_keys there?
    "#);
    // The hosts of the task, which is not run.
    let ran = fan.run(["check", "--connect", "look"]);
    insta::assert_snapshot!(ran.snapshot(), @"
    exit code: 0
    --- stdout
    ok: 3 hosts, 0 roles, 1 task
    ok: 1 task with 1 step on 1 host
    good  ok  connect <time>  handshake <time>  auth <time>  exec <time>  shell <time>  files <time>  ED25519 SHA256:<fingerprint>
    ");
    assert!(!sandbox.hosts()[0].home.join("ran").exists());
    let ran = fan.run(["check", "--connect", "-H", "shut"]);
    assert_eq!((ran.code, ran.stdout.lines().count()), (Some(3), 2), "{}", ran.snapshot());
    assert_eq!(fan.run(["check", "-H", "shut"]).code, Some(0));
}
