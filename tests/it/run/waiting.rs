//! Steps that wait: for the host (`wait_for`, `reboot`) and for the user (`confirm`, `prompt`).

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use fan::testing::event::Fact;
use fan::testing::model::outcome::{Kind, Status};

use crate::fixtures::ports;
use crate::fixtures::sshd::Sshd;
use crate::fixtures::support::{Fan, Ran, typed_on_terminal};
use crate::fixtures::web::{Authority, Shows, WebServer};

const HOSTS: &str = "hosts:\n  h[1-4]: {transport: local}\n";

fn fan(tasks: &str) -> Fan {
    Fan::new().file("inventory.yaml", HOSTS).file("tasks.yaml", tasks)
}

/// What became of each host: its status, and why.
fn ends(ran: &Ran) -> Vec<(String, Status, Option<Kind>)> {
    let of = |fact| match fact {
        Fact::HostFinished { host, outcome } => {
            Some((host.to_string(), outcome.status, outcome.failure.map(|failure| failure.kind)))
        }
        _ => None,
    };
    let mut found: Vec<_> = ran.events().into_iter().filter_map(|event| of(event.fact)).collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

/// A web server that gives these answers, one to each connection, the last one for ever; its port.
fn web(answers: &[&str]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let answers: Vec<String> = answers.iter().map(|&answer| answer.to_owned()).collect();
    thread::spawn(move || {
        for (number, peer) in listener.incoming().enumerate() {
            let mut peer = peer.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                if peer.read(&mut byte).unwrap_or(0) == 0 {
                    break;
                }
                request.extend(byte);
            }
            let answer = answers.get(number).or(answers.last()).unwrap();
            // Who only looks whether the port is open reads no answer.
            let _ = peer.write_all(answer.as_bytes());
        }
    });
    port
}

#[test]
fn waits_until_it_holds() {
    let unwell = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n";
    let moved = "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n";
    let wrong = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad";
    let chunked =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{\"o\r\n3\r\nk\":\r\n2\r\n1}\r\n0\r\n\r\n";
    let (health, open, closed) = (web(&[unwell, moved, wrong, chunked]), web(&[""]), ports::reserve());
    let tasks = format!(
        r#"
vars: {{port: {open}}}
tasks:
  t:
    - wait_for: {{port: "{{{{ port }}}}", address: 127.0.0.1}}
    - wait_for: {{port: {closed}, gone: true}}
    - wait_for: {{http: "http://localhost:{health}/x?y", status: 200, body: '^\{{"ok":1', interval: 10ms}}
    - run: (sleep 0.2; touch 'b c') >/dev/null 2>&1 &
    - wait_for: {{path: "{{{{ 'b c' }}}}", interval: 10ms}}
    - run: mkdir sub; (sleep 0.2; rm 'b c') >/dev/null 2>&1 &
    - {{wait_for: {{path: ../b c, gone: true, interval: 10ms}}, cd: sub}}
    - wait_for: {{command: "echo x >> tries; test $(wc -l < tries) -ge {{{{ 3 }}}}", interval: 10ms}}
    - echo: done
"#
    );
    let ran = fan(&tasks).run(["run", "t", "-H", "h1", "-N", "--format", "lines"]);
    assert_eq!((ran.stdout.as_str(), ran.code), ("done\n", Some(0)), "{}", ran.snapshot());
}

#[test]
fn says_what_it_waited_for_in_vain() {
    let unwell = web(&["HTTP/1.1 503 Busy\r\n\r\n"]);
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let (silent, closed) = (silent.local_addr().unwrap().port(), ports::reserve());
    let waits = [
        (format!("{{http: 'http://127.0.0.1:{unwell}/', timeout: 50ms}}"), "it responds with status 503"),
        (
            format!("{{http: 'http://127.0.0.1:{unwell}/', gone: true, status: 503, timeout: 50ms}}"),
            "it still exists",
        ),
        (format!("{{http: 'http://127.0.0.1:{silent}/', timeout: 50ms}}"), "no answer"),
        (format!("{{port: {closed}, timeout: 50ms}}"), "refused"),
        ("{path: nosuch, timeout: 50ms}".to_owned(), ": it does not exist"),
        ("{command: 'false', timeout: 50ms}".to_owned(), "the command fails"),
        ("{command: 'sleep 60', timeout: 50ms}".to_owned(), "the command does not end"),
        ("{path: '{{ nosuch | default(\"/\") }}', gone: true, timeout: 1ms}".to_owned(), "it still exists"),
    ];
    for (wait, why) in waits {
        let tasks = format!("tasks:\n  t:\n    - wait_for: {wait}\n    - echo: never\n");
        let ran = fan(&tasks).run(["run", "t", "-H", "h1", "--format", "jsonl"]);
        assert_eq!(ends(&ran), [("h1".to_owned(), Status::Failed, Some(Kind::Timeout))], "{wait}");
        assert!(ran.stdout.contains(why), "{wait}: {}", ran.stdout);
        assert!(!ran.stdout.contains("never\"") || ran.code == Some(1), "{wait}");
    }
}

#[test]
fn what_could_not_be_asked_does_not_hold_and_is_not_gone() {
    let waits = [
        ("{command: 'pgerp x'}", Kind::Exit, "pgerp"),
        ("{command: 'pgerp x', gone: true}", Kind::Exit, "pgerp"),
        ("{command: 'pgerp x | grep -q y', gone: true}", Kind::Exit, "pgerp"),
        ("{command: '! pgerp x'}", Kind::Exit, "pgerp"),
        ("{command: 'pgerp x 2>/dev/null', gone: true}", Kind::Exit, "127"),
        ("{command: 'kill -9 $$', gone: true, timeout: 10ms}", Kind::Timeout, "signal KILL"),
        (
            "{command: 'true', gone: true, timeout: 10ms}, cd: nosuch",
            Kind::Timeout,
            "cannot enter the working folder",
        ),
        (
            "{path: x, gone: true, timeout: 10ms}, cd: nosuch",
            Kind::Timeout,
            "cannot enter the working folder",
        ),
        (
            "{port: 1, address: no.such.name.invalid, gone: true, timeout: 10ms}",
            Kind::Timeout,
            "does not know",
        ),
        ("{http: 'http://no.such.name.invalid/', gone: true, timeout: 10ms}", Kind::Timeout, "does not know"),
        (
            "{http: 'https://no.such.name.invalid/', gone: true, timeout: 10ms}",
            Kind::Timeout,
            "does not know",
        ),
    ];
    for (wait, kind, why) in waits {
        let tasks = format!("tasks:\n  t:\n    - {{wait_for: {wait}}}\n");
        let ran = fan(&tasks).run(["run", "t", "-H", "h1", "--format", "jsonl"]);
        assert_eq!(ends(&ran), [("h1".to_owned(), Status::Failed, Some(kind))], "{wait}: {}", ran.snapshot());
        assert!(ran.stdout.contains(why), "{wait}: {}", ran.stdout);
    }
    // A question that was put, and answered with no.
    for wait in [
        "{command: 'command -v pgerp', gone: true}",
        "{command: 'false', gone: true}",
        "{path: nosuch/x, gone: true}",
    ] {
        let tasks = format!("tasks:\n  t:\n    - wait_for: {wait}\n");
        assert_eq!(fan(&tasks).run(["run", "t", "-H", "h1"]).code, Some(0), "{wait}");
    }
}

#[test]
fn looks_through_the_servers_own_connection() {
    let open = web(&["HTTP/1.0 204 Fine\r\n\r\n"]);
    let closed = ports::reserve();
    let tasks = format!(
        "tasks:\n  t:\n    - wait_for: {{port: {open}}}\n    - wait_for: {{http: 'http://127.0.0.1:{open}'}}\n    - wait_for: {{port: {closed}, gone: true}}\n    - echo: done\n"
    );
    let sshd = Sshd::start();
    let ran =
        Fan::at(&sshd).file("tasks.yaml", &tasks).run(["run", "t", "-H", "h1", "-N", "--format", "lines"]);
    assert_eq!((ran.stdout.as_str(), ran.code), ("done\n", Some(0)), "{}", ran.snapshot());
    let strict = Sshd::builder().line("AllowTcpForwarding no").start();
    let ran = Fan::at(&strict).file("tasks.yaml", &tasks).run(["run", "t", "-H", "h1", "--format", "jsonl"]);
    assert_eq!(ends(&ran), [("h1".to_owned(), Status::Failed, Some(Kind::ChannelRefused))]);
}

#[test]
fn a_stop_ends_the_waiting() {
    let fan = fan("tasks:\n  t:\n    - run: touch begun\n    - wait_for: {path: nosuch}\n");
    let began = fan.work().join("begun");
    let running = fan.start(["run", "t", "-H", "h1", "--format", "jsonl"]);
    crate::fixtures::support::eventually("the wait begins", || began.exists().then_some(()));
    running.signal(rustix::process::Signal::TERM);
    let ran = running.finish();
    assert_eq!(ran.code, Some(143));
    assert_eq!(ends(&ran), [("h1".to_owned(), Status::Cancelled, Some(Kind::Interrupted))]);
}

/// A server whose connection ends with the command, as that of a host that goes down, and whose boot id is a file.
const REBOOT: &str = r#"
tasks:
  t:
    - run: echo 1 > {{ dir }}/boot
    - reboot: {boot_id: "cat {{ dir }}/boot", command: "echo 2 > {{ dir }}/boot; kill -KILL $PPID"}
      register: restart
    - run: cat {{ dir }}/boot
    - echo: "{{ restart.changed }}"
  stuck:
    - run: echo 1 > {{ dir }}/boot
    - reboot: {boot_id: "cat {{ dir }}/boot", command: "true", timeout: 1s}
    - echo: never
  refused:
    - reboot: {boot_id: echo 1, command: "echo no right >&2; exit 3"}
  blind:
    - reboot: {boot_id: "true", command: "touch {{ dir }}/restarted"}
"#;

#[test]
fn a_restart_is_proven_by_the_boot_id() {
    let sshd = Sshd::start();
    let fan = Fan::at(&sshd).file("tasks.yaml", REBOOT);
    let dir = format!("dir={}", fan.work().display());
    let run = |task: &str, args: &[&str]| fan.run([&["run", task, "-H", "h1", "-e", &dir], args].concat());
    let ran = run("t", &["-N", "--format", "lines"]);
    assert!(ran.stdout.ends_with("2\ntrue\n"), "{}", ran.snapshot());
    assert_eq!(ran.code, Some(0));
    assert!(ran.stderr.contains("back after"), "{}", ran.snapshot());
    assert_eq!(sshd.connections(), 2, "one before and one after");

    let ran = run("stuck", &["--format", "jsonl"]);
    assert_eq!(ends(&ran), [("h1".to_owned(), Status::Failed, Some(Kind::Timeout))]);
    assert!(ran.stdout.contains("not back within 1.0s: it has not gone down"), "{}", ran.stdout);

    let ran = run("refused", &["--format", "jsonl"]);
    assert_eq!(ends(&ran), [("h1".to_owned(), Status::Failed, Some(Kind::Exit))]);
    assert!(ran.stdout.contains("no right"));

    let ran = run("blind", &["--format", "jsonl"]);
    assert!(ran.stdout.contains("no boot id: `true` prints nothing"), "{}", ran.stdout);
    assert!(!fan.work().join("restarted").exists(), "a restart that nothing can prove is not begun");

    let ran = run("t", &["--dry-run", "--format", "jsonl"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stdout);
}

#[test]
fn the_operators_machine_is_not_restarted() {
    let ran = fan("tasks:\n  t:\n    - reboot: {command: touch restarted}\n").run(["run", "t", "-H", "h1"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("this is the machine fan runs on"), "{}", ran.stderr);
}

const QUESTIONS: &str = r#"
tasks:
  t:
    serial: [1, 100%]
    steps:
      - prompt: {ask: Which branch?, set: branch, default: "{{ 'main' }}"}
      - run: echo {{ host }} {{ branch }} >> done
      - confirm: "Batch {{ batch }} ({{ branch }})?"
      - run: echo {{ host }} live >> done
    rescue:
      - run: echo {{ host }} back >> done
  u:
    - echo: later
"#;

/// The lines of the file `done`, sorted.
fn done(fan: &Fan) -> Vec<String> {
    let text = std::fs::read_to_string(fan.work().join("done")).unwrap_or_default();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

#[test]
fn one_answer_is_for_all_hosts() {
    let fan = fan(QUESTIONS);
    let line = "\"$BINARY\" run t -H 'h[1-3]'";
    let answers = [
        ("Which branch? [main]: ", "x; y\n"),
        ("Batch 1 (x; y)? [yes/no]: ", "what\n"),
        ("[yes/no]: ", "YES\n"),
        ("Batch 2 (x; y)? [yes/no]: ", "y\n"),
    ];
    let (code, shown) = typed_on_terminal(&fan, line, &answers);
    assert_eq!(code, Some(0), "{shown}");
    assert_eq!(done(&fan), ["h1 live", "h1 x; y", "h2 live", "h2 x; y", "h3 live", "h3 x; y"]);
    assert_eq!(shown.matches("Which branch?").count(), 1, "{shown}");
}

#[test]
fn after_a_no_nobody_begins_anything() {
    let fan = fan(QUESTIONS);
    let line = "\"$BINARY\" run t u -H 'h[1-3]' --format jsonl > events";
    let (code, shown) =
        typed_on_terminal(&fan, line, &[("Which branch?", "\n"), ("Batch 1 (main)?", "no\n")]);
    assert_eq!(code, Some(1), "{shown}");
    assert_eq!(done(&fan), ["h1 back", "h1 main"], "what was begun is put right");
    let events = std::fs::read_to_string(fan.work().join("events")).unwrap();
    for (host, status) in [("h1", "cancelled"), ("h2", "skipped"), ("h3", "skipped")] {
        let line = events.lines().find(|line| line.contains("host_finished") && line.contains(host)).unwrap();
        assert!(
            line.contains(&format!("\"status\":\"{status}\"")) && line.contains("\"kind\":\"declined\""),
            "{line}"
        );
    }
    assert!(!events.contains("later\"}"), "no later task runs");
}

#[test]
fn a_question_is_asked_when_any_host_wants_it() {
    let tasks = "tasks:\n  t:\n    - {confirm: 'Sure, {{ host }}?', when: host == 'h2'}\n    - run: echo {{ host }} >> done\n";
    let fan = fan(tasks);
    let (code, shown) =
        typed_on_terminal(&fan, "\"$BINARY\" run t -H 'h[1-3]'", &[("Sure, h2? [yes/no]: ", "no\n")]);
    assert_eq!(code, Some(3), "{shown}");
    assert!(!done(&fan).contains(&"h2".to_owned()), "{shown}");
}

#[test]
fn leaving_at_a_question_is_no_answer() {
    let fan = fan(QUESTIONS);
    let (code, shown) = typed_on_terminal(&fan, "\"$BINARY\" run t -H h1", &[("Which branch?", "\x04")]);
    assert_eq!(code, Some(3), "{shown}");
    assert!(shown.contains("the answer was no"), "{shown}");
    let (code, shown) = typed_on_terminal(&fan, "\"$BINARY\" run t -H h1", &[("Which branch?", "\x03")]);
    assert_eq!(code, Some(130), "{shown}");
    assert_eq!(done(&fan), [""; 0]);
}

#[test]
fn what_is_typed_as_a_secret_is_never_shown() {
    let tasks = r#"
tasks:
  t:
    - prompt: {ask: Token?, set: token, secret: true}
    - run: echo "got {{ token }}"; printf %s {{ token }} > token
    - fail: "bad {{ token }}"
"#;
    let fan = fan(tasks);
    let (code, shown) =
        typed_on_terminal(&fan, "\"$BINARY\" run t -H 'h[1-2]'", &[("Token?: ", "c4nary-t0ken\n")]);
    assert_eq!(code, Some(1), "{shown}");
    assert_eq!(std::fs::read_to_string(fan.work().join("token")).unwrap(), "c4nary-t0ken");
    assert!(!shown.contains("c4nary") && shown.contains("got ****") && shown.contains("bad ****"), "{shown}");
}

#[test]
fn without_a_terminal_nobody_is_contacted() {
    let fan = fan(QUESTIONS);
    let ran = fan.run(["run", "t", "-H", "h1"]);
    insta::assert_snapshot!(ran.snapshot(), @r#"
    exit code: 2
    --- stderr
    tasks.yaml:6:9: error: "prompt" needs a terminal (help: give the answer with -e branch=..., or take the defaults with -y)
    tasks.yaml:8:9: error: "confirm" needs a terminal (help: answer yes to all questions with -y)
    "#);
    let ran = fan.run(["run", "t", "-H", "h1", "-y"]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    assert!(ran.stderr.contains("Batch 1 (main)? yes (-y)"), "{}", ran.stderr);
    let ran = fan.run(["run", "t", "-H", "h1", "-y", "-e", "branch=other"]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    assert_eq!(done(&fan), ["h1 live", "h1 live", "h1 main", "h1 other"]);
}

const PACED: &str = r#"
tasks:
  first:
    - run: echo first >> done
  t:
    before: [first]
    steps:
      - run: echo one {{ host }} >> done
      - {name: the second, run: "echo two {{ host }} >> done", register: two}
      - run: echo three {{ host }} >> done
      - {name: same, run: echo four >> done}
      - block: [{name: same, run: echo five >> done}]
    always:
      - run: echo always {{ host }} >> done
  needs:
    - {run: echo x, register: out}
    - echo: "{{ out.stdout }}"
"#;

#[test]
fn each_step_is_asked_about() {
    let fan = fan(PACED);
    let line = "\"$BINARY\" run t -H 'h[1-2]' --step";
    let answers = [
        ("first step 1 of 1: echo first >> done [yes/no/all/quit]: ", "n\n"),
        ("t step 1 of 6: echo one {{ host }} >> done [yes/no/all/quit]: ", "y\n"),
        ("step 2 of 6: the second [yes/no/all/quit]: ", "perhaps\n"),
        ("step 2 of 6: the second [yes/no/all/quit]: ", "no\n"),
        ("step 3 of 6", "all\n"),
    ];
    let (code, shown) = typed_on_terminal(&fan, line, &answers);
    assert_eq!(code, Some(0), "{shown}");
    let all = [
        "always h1",
        "always h2",
        "five",
        "five",
        "four",
        "four",
        "one h1",
        "one h2",
        "three h1",
        "three h2",
    ];
    assert_eq!(done(&fan), all);
    assert!(!shown.contains("step 4 of 6"), "{shown}");

    let (code, shown) =
        typed_on_terminal(&fan, &line.replace("run t", "run first"), &[("[yes/no/all/quit]", "quit\n")]);
    assert_eq!(code, Some(3), "{shown}");
    let (code, shown) =
        typed_on_terminal(&fan, line, &[("1 of 1", "n\n"), ("1 of 6", "n\n"), ("2 of 6", "q\n")]);
    assert_eq!(code, Some(3), "{shown}");
    assert_eq!(done(&fan).len(), all.len() + 2, "only what puts things right is done after that");
    let ran = fan.run(["run", "t", "-H", "h1", "--step"]);
    assert_eq!(
        (ran.code, ran.stderr.contains("--step needs a terminal")),
        (Some(2), true),
        "{}",
        ran.snapshot()
    );
}

#[test]
fn a_run_begins_where_it_is_told() {
    for (start, expected) in [
        ("3", &["always h1", "five", "four", "three h1"][..]),
        ("t:5", &["always h1", "five"]),
        ("the second", &["always h1", "five", "four", "three h1", "two h1"]),
        ("first:1", &["always h1", "first", "five", "four", "one h1", "three h1", "two h1"]),
    ] {
        let fan = fan(PACED);
        let ran = fan.run(["run", "t", "-H", "h1", "--start-at", start]);
        assert_eq!(
            (ran.code, done(&fan)),
            (Some(0), expected.iter().map(|&it| it.to_owned()).collect()),
            "{start}"
        );
    }
    let fan = fan(PACED);
    for (args, problem) in [
        ("t --start-at 6", "the task \"t\" has 5 steps"),
        ("t --start-at 0", "the task \"t\" has 5 steps"),
        ("t --start-at same", "2 steps are named \"same\" (help: name one by its number: t:4, t:5)"),
        ("t --start-at the-second", "did you mean \"the second\"?"),
        ("t needs --start-at 2", "of which task? (help: write --start-at TASK:2)"),
        ("t --start-at needs:1", "the task \"needs\" is not in this run"),
        ("needs --start-at 2", "undefined variable \"out\""),
    ] {
        let words: Vec<&str> = ["run", "-H", "h1"].into_iter().chain(args.split(' ')).collect();
        let ran = fan.run(words);
        assert_eq!(ran.code, Some(2), "{args}: {}", ran.snapshot());
        assert!(ran.stderr.contains(problem), "{args}: {}", ran.stderr);
    }
}

/// TLS by fan itself, through the host's connection: no program of the host is asked.
#[tokio::test(flavor = "multi_thread")]
async fn https_is_asked_without_a_program_of_the_host() {
    let authority = Authority::new();
    let good = WebServer::tls(&authority, Shows::Good).await;
    let (expired, other) = (
        WebServer::tls(&authority, Shows::Expired).await,
        WebServer::tls(&authority, Shows::OtherName).await,
    );
    let sshd = Sshd::start();
    let fan = Fan::at(&sshd).file("ca.pem", fs::read(authority.ca()).unwrap());
    let run = |wait: &str| {
        let tasks = format!("tasks:\n  t:\n    - wait_for: {wait}\n    - echo: done\n");
        fs::write(fan.work().join("tasks.yaml"), tasks).unwrap();
        fan.run(["run", "t", "-H", "h1", "--format", "jsonl"])
    };
    let port = good.port();
    for wait in [
        format!(
            "{{http: 'https://localhost:{port}/hints', ca: ca.pem, body: '^hinted', headers: {{X-Who: '{{{{ host }}}}'}}}}"
        ),
        format!("{{http: 'https://127.0.0.1:{port}/status?503', status: 503, ca: ca.pem}}"),
        format!("{{http: 'https://127.0.0.1:{}/', verify: false}}", expired.port()),
        format!("{{http: 'https://127.0.0.1:{}/', gone: true, ca: ca.pem}}", ports::reserve()),
    ] {
        let ran = run(&wait);
        assert_eq!(ran.code, Some(0), "{wait}: {}", ran.snapshot());
    }
    assert!(good.requests()[0].contains("x-who: h1\r\n"), "{:?}", good.requests());
    for (wait, why) in [
        (
            format!("{{http: 'https://127.0.0.1:{}/', ca: ca.pem, timeout: 3s}}", expired.port()),
            "ended on 2020-02-01",
        ),
        (
            format!("{{http: 'https://127.0.0.1:{}/', ca: ca.pem, timeout: 3s}}", other.port()),
            "is for other.example",
        ),
        // Who is there and not believed has not gone.
        (
            format!("{{http: 'https://127.0.0.1:{}/', ca: ca.pem, gone: true, timeout: 3s}}", expired.port()),
            "ended on",
        ),
        (
            format!("{{http: 'https://127.0.0.1:{port}/', ca: ca.pem, headers: {{X: \"a\\r\\nb\"}}}}"),
            "control characters",
        ),
    ] {
        let ran = run(&wait);
        assert_eq!(ran.code, Some(1), "{wait}: {}", ran.snapshot());
        assert!(ran.stdout.contains(why), "{wait}: {}", ran.stdout);
    }
    assert_eq!((expired.requests().len(), other.requests().len()), (1, 0));
    let ran = run("{http: 'https://localhost/', ca: none.pem}");
    assert_eq!(ran.code, Some(2), "{}", ran.snapshot());
    assert!(ran.stderr.contains("none.pem"), "{}", ran.snapshot());
}
