//! Hosts and networks that misbehave: each gets the right word, in time, and harms no other host.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use fan::testing::event::{ConnectionFact, Event, Fact, HostOutcome};
use fan::testing::model::outcome::{Kind, Status};
use fan::testing::sandbox::Behaviour;
use rustix::process::Signal;

use tokio::net::TcpSocket;

use crate::fixtures::support::{Fan, Since, eventually, sandbox};

/// The deadline of greeting and key exchange, which no setting changes.
const HANDSHAKE: Duration = Duration::from_secs(15);

/// How each host ended.
fn outcomes(events: &[Event]) -> BTreeMap<String, HostOutcome> {
    let record = |event: &Event| match &event.fact {
        Fact::HostFinished { host, outcome } => Some((host.to_string(), outcome.clone())),
        _ => None,
    };
    events.iter().filter_map(record).collect()
}

fn retries(events: &[Event]) -> usize {
    events
        .iter()
        .filter(|event| matches!(event.fact, Fact::Connection(_, ConnectionFact::Retried { .. })))
        .count()
}

/// A port on which nobody listens; nor can anyone, a server of another test say, while the socket is there.
fn closed_port() -> (TcpSocket, u16) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let port = socket.local_addr().unwrap().port();
    (socket, port)
}

/// A server that does one thing with each connection, for as long as the test's process lives.
fn server(each: fn(TcpStream)) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(move || each(stream.unwrap()));
        }
    });
    port
}

/// An inventory of ports on loopback.
fn ports(hosts: &[(&str, u16)]) -> String {
    let mut yaml = "defaults: {user: nobody, retries: 0}\nhosts:\n".to_owned();
    for (name, port) in hosts {
        writeln!(yaml, "  {name}: {{address: 127.0.0.1, port: {port}}}").unwrap();
    }
    yaml
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_has_its_word() {
    let sandbox = sandbox([
        ("http", Behaviour::NotSsh("HTTP/1.1 400 \x1b[31mBad Request\r\n\r\n".to_owned())),
        ("reset", Behaviour::ResetDuringKex),
        ("wrong-key", Behaviour::WrongKey),
        ("unknown-key", Behaviour::UnknownKey),
        ("revoked-key", Behaviour::RevokedKey),
        ("other-type", Behaviour::OtherKeyType),
        ("no-login", Behaviour::RefuseAuth),
        ("no-channel", Behaviour::RefuseChannels { after: 0, count: u32::MAX }),
        ("no-exec", Behaviour::RefuseExec),
        ("cut", Behaviour::CutAfterExec),
        ("no-status", Behaviour::NoExitStatus),
        ("good", Behaviour::Normal),
    ])
    .await;
    let fan = Fan::of(&sandbox);
    let mut inventory = std::fs::read_to_string(fan.work().join("inventory.yaml")).unwrap();
    inventory = inventory.replace("defaults:\n", "defaults:\n  retries: 0\n");
    let (_held, closed) = closed_port();
    writeln!(inventory, "  closed: {{address: 127.0.0.1, port: {closed}}}").unwrap();
    let fan = fan.file("inventory.yaml", inventory);
    let call = ["exec", "-z", "1", "-H", "all", "--", "echo here; echo $$ >> starts"];
    // Which error a lost connection shows depends on who notices first; and ports differ.
    let calm = |line: &str| {
        let mut line = line.to_owned();
        for why in [": the other side closed it without a word", ": Connection reset by peer"] {
            line = line.replace(&format!("the connection was lost{why}"), "the connection was lost");
        }
        line.split_once("ssh-keyscan -p").map(|(before, _)| format!("{before}...")).unwrap_or(line)
    };
    let shown: Vec<String> = fan.run(call).snapshot().lines().map(calm).collect();
    insta::assert_snapshot!(shown.join("\n"), @r#"
    exit code: 4
    --- stdout
    cut         | here
    no-status   | here
    good        | here
    --- stderr
    http: got "HTTP/1.1 400 \x1b[31mBad Request" instead of an SSH banner (127.0.0.1:<port>) [banner]
    reset: the connection broke during the key exchange (127.0.0.1:<port>) [connect_reset]
    wrong-key: HOST KEY CHANGED: the host shows ssh-ed25519 SHA256:<fingerprint>; recorded: ssh-ed25519 SHA256:<fingerprint>… [host_key_changed]
    unknown-key: the host's key is not known: ssh-ed25519 SHA256:<fingerprint> (127.0.0.1:<port>) [host_key_unknown]
    revoked-key: HOST KEY REVOKED: ssh-ed25519 SHA256:<fingerprint> is revoked at <sandbox>/known_hosts:5 (127.0.0.1:<port>) [host_key_revoked]
    other-type: HOST KEY CHANGED: the host shows ssh-ed25519 SHA256:<fingerprint>; recorded: ecdsa-sha2-nistp256 SHA256:<fingerprint>… [host_key_changed]
    no-login: login as fan was refused: tried ED25519 SHA256:<fingerprint>; the server allows publickey (127.0.0.1:<port>) [auth_failed]
    no-channel: the server refused a session channel: connect failed [channel_refused]
    no-exec: the server refused to start the command [exec_refused]
    cut: the connection was lost: the other side closed it without a reason [connection_lost]
    no-status: the channel closed without an exit status: how the command ended is unknown [connection_lost]
    closed: connection refused (127.0.0.1:<port>) [connect_refused]
    exec echo here; echo $$ >> starts · 13 hosts · 1 ok, 10 unreachable, 2 unknown  <time>
      good         ok
      http         unreachable
      reset        unreachable
      wrong-key    unreachable
      unknown-key  unreachable
      revoked-key  unreachable
      other-type   unreachable
      no-login     unreachable
      no-channel   unreachable
      no-exec      unreachable
      closed       unreachable
      cut          unknown
      no-status    unknown

    http: got "HTTP/1.1 400 \x1b[31mBad Request" instead of an SSH banner (127.0.0.1:<port>) [banner]
    hint: is this an SSH port?

    reset: the connection broke during the key exchange (127.0.0.1:<port>) [connect_reset]

    wrong-key: HOST KEY CHANGED: the host shows ssh-ed25519 SHA256:<fingerprint>; recorded: ssh-ed25519 SHA256:<fingerprint> at <sandbox>/known_hosts:3 (127.0.0.1:<port>) [host_key_changed]
    hint: someone may be in the middle. If the host was reinstalled: ssh-keygen -R '[127.0.0.1]:<port>' -f <sandbox>/known_hosts; then fan trust -H wrong-key

    unknown-key: the host's key is not known: ssh-ed25519 SHA256:<fingerprint> (127.0.0.1:<port>) [host_key_unknown]
    hint: compare the fingerprint with one from a trusted source, then: fan trust -H unknown-key

    revoked-key: HOST KEY REVOKED: ssh-ed25519 SHA256:<fingerprint> is revoked at <sandbox>/known_hosts:5 (127.0.0.1:<port>) [host_key_revoked]
    hint: do not connect: the key was stolen or retired

    other-type: HOST KEY CHANGED: the host shows ssh-ed25519 SHA256:<fingerprint>; recorded: ecdsa-sha2-nistp256 SHA256:<fingerprint> at <sandbox>/known_hosts:6 (127.0.0.1:<port>) [host_key_changed]
    hint: someone may be in the middle. If the host was reinstalled: ssh-keygen -R '[127.0.0.1]:<port>' -f <sandbox>/known_hosts; then fan trust -H other-type

    no-login: login as fan was refused: tried ED25519 SHA256:<fingerprint>; the server allows publickey (127.0.0.1:<port>) [auth_failed]
    hint: is one of these keys in ~fan/.ssh/authorized_keys there?

    no-channel: the server refused a session channel: connect failed [channel_refused]
    hint: MaxSessions on the server may be reached

    no-exec: the server refused to start the command [exec_refused]
    hint: the account may be restricted to other uses (a forced command, SFTP only)

    closed: connection refused (127.0.0.1:<port>) [connect_refused]
    hint: is sshd running, and on this port?

    cut: unknown: the connection was lost: the other side closed it without a reason [connection_lost]
      | here

    no-status: unknown: the channel closed without an exit status: how the command ended is unknown [connection_lost]
      | here

    may still be running on cut
    "#);
    for host in sandbox.hosts() {
        if ["wrong-key", "unknown-key", "revoked-key", "other-type"].contains(&host.name.as_str()) {
            assert_eq!(host.auth_attempts(), 0, "{}", host.name);
        }
        let starts = std::fs::read_to_string(host.home.join("starts")).unwrap_or_default();
        let expected = usize::from(["cut", "no-status", "good"].contains(&host.name.as_str()));
        assert!(starts.lines().count() <= expected, "{}: {starts}", host.name);
        assert!(host.execs() <= 1 && host.connections() == 1, "{}", host.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_after_the_start_is_unknown_and_never_repeated() {
    let sandbox = sandbox([("cut", Behaviour::CutAfterExec), ("good", Behaviour::Normal)]).await;
    let command = "echo x >> count; echo said; exec sleep 600";
    let fan = Fan::of(&sandbox);
    let ran = fan.run(["exec", "--format", "jsonl", "-H", "cut", "--", command]);
    assert_eq!(ran.code, Some(1), "{}", ran.snapshot());
    let outcome = &outcomes(&ran.events())["cut"];
    assert_eq!((outcome.status, outcome.started, outcome.may_still_run), (Status::Unknown, true, true));
    assert_eq!(outcome.failure.as_ref().unwrap().kind, Kind::ConnectionLost);
    let host = &sandbox.hosts()[0];
    assert_eq!((host.connections(), host.execs()), (1, 1));
    assert_eq!(std::fs::read_to_string(host.home.join("count")).unwrap(), "x\n");
    assert!(ran.stdout.contains("said"), "{}", ran.stdout);
    // A later task does not go on with it, and does not begin elsewhere either.
    let tasks = "tasks: {a: [{run: 'echo a >> count; echo'}], b: [{run: 'echo b >> count'}]}\n";
    let ran = fan.file("tasks.yaml", tasks).run(["run", "a", "b", "-H", "all", "--format", "jsonl"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stdout);
    let ended = outcomes(&ran.events());
    assert_eq!((ended["cut"].status, ended["good"].status), (Status::Unknown, Status::Skipped));
    // The first that a script prints is the mark of its start: it may have been cut there.
    let count = std::fs::read_to_string(host.home.join("count")).unwrap();
    assert!(["x\n", "x\na\n"].contains(&count.as_str()), "{count}");
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_that_vanish_while_they_work() {
    let sandbox =
        sandbox([("a", Behaviour::Normal), ("b", Behaviour::Normal), ("c", Behaviour::Normal)]).await;
    let fan = Fan::of(&sandbox);
    let started = fan.start(["exec", "--format", "jsonl", "-H", "all", "--", "touch up; exec sleep 600"]);
    let up = || sandbox.hosts().iter().all(|host| host.home.join("up").exists());
    eventually("all are at work", || up().then_some(()));
    sandbox.stop().await;
    let ran = started.finish();
    assert_eq!(ran.code, Some(1));
    for (host, outcome) in outcomes(&ran.events()) {
        // Its last word may have been that the command was killed.
        let kind = outcome.failure.map(|failure| failure.kind);
        let told = (outcome.status, kind) == (Status::Failed, Some(Kind::Signal));
        assert!(
            told || (outcome.status, outcome.may_still_run) == (Status::Unknown, true),
            "{host}: {}",
            ran.stdout
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_throttled_start_is_repeated() {
    let sandbox = sandbox([("busy", Behaviour::Throttle { first: 2 }), ("good", Behaviour::Normal)]).await;
    let ran =
        Fan::of(&sandbox).run(["exec", "--format", "jsonl", "-H", "all", "--", "echo in | tee -a count"]);
    let events = ran.events();
    assert_eq!((ran.code, retries(&events)), (Some(0), 2), "{}", ran.stdout);
    let busy = &sandbox.hosts()[0];
    assert_eq!((busy.connections(), busy.execs()), (3, 1));
    assert_eq!(std::fs::read_to_string(busy.home.join("count")).unwrap(), "in\n");
}

/// A server that still counts the command before against `MaxSessions` is asked again for a while; one that
/// refuses the first channel means it.
#[tokio::test(flavor = "multi_thread")]
async fn a_channel_refused_after_a_command_is_asked_for_again() {
    let sandbox = sandbox([
        ("busy", Behaviour::RefuseChannels { after: 1, count: 3 }),
        ("full", Behaviour::RefuseChannels { after: 1, count: u32::MAX }),
        ("closed", Behaviour::RefuseChannels { after: 0, count: 1 }),
    ])
    .await;
    let tasks = "tasks: {two: [{run: 'echo a >> count'}, {run: 'echo b >> count'}]}\n";
    let fan = Fan::of(&sandbox).file("tasks.yaml", tasks);
    let ran = fan.run(["run", "two", "-H", "all", "--format", "jsonl"]);
    let ended = outcomes(&ran.events());
    let how = |host: &str| (ended[host].status, ended[host].failure.as_ref().map(|failure| failure.kind));
    assert_eq!(how("busy"), (Status::Ok, None), "{}", ran.stdout);
    assert_eq!(how("full"), (Status::Failed, Some(Kind::ChannelRefused)), "{}", ran.stdout);
    assert_eq!(how("closed"), (Status::Unreachable, Some(Kind::ChannelRefused)), "{}", ran.stdout);
    let counts: Vec<_> =
        sandbox.hosts().iter().map(|host| std::fs::read_to_string(host.home.join("count")).ok()).collect();
    assert_eq!(counts, [Some("a\nb\n".to_owned()), Some("a\n".to_owned()), None]);
    assert!(sandbox.hosts().iter().all(|host| host.connections() == 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_greeting_is_waited_for() {
    let pause = Duration::from_millis(20);
    let sandbox = sandbox([("slow", Behaviour::SlowBanner { lines: 30, pause })]).await;
    let ran = Fan::of(&sandbox).run(["exec", "-H", "slow", "--", "echo in"]);
    assert_eq!((ran.stdout.as_str(), ran.code), ("slow | in\n", Some(0)), "{}", ran.snapshot());
}

/// What answers on a port and is no SSH server, whatever it sends.
#[test]
fn other_servers_and_floods() {
    let hosts = [
        ("hangs-up", server(drop)),
        ("tls", server(|mut stream| drop(stream.write_all(b"\x15\x03\x01\x00\x02\x02\x46")))),
        ("redis", server(|mut stream| drop(stream.write_all(b"-ERR wrong number of arguments\r\n")))),
        ("ssh1", server(|mut stream| drop(stream.write_all(b"SSH-1.5-OldServer\n")))),
        ("flood", server(|mut stream| while stream.write_all(&[b'x'; 8192]).is_ok() {})),
        ("lines", server(|mut stream| while stream.write_all(&b"hello there\r\n".repeat(500)).is_ok() {})),
        (
            "garbage",
            server(|mut stream| {
                let _ = stream.write_all(b"SSH-2.0-x\r\n");
                while stream.write_all(&[0xA5; 8192]).is_ok() {}
            }),
        ),
        (
            "huge",
            server(|mut stream| {
                let _ = stream.write_all(b"SSH-2.0-x\r\n\xff\xff\xff\xff\x04");
                while stream.write_all(&[0; 8192]).is_ok() {}
            }),
        ),
    ];
    let fan = Fan::new().file("inventory.yaml", ports(&hosts));
    let mut peak = 0;
    let started = fan.start(["exec", "--format", "jsonl", "-H", "all", "--", "true"]);
    let ran = started.finish_watched(|pid| peak = peak.max(crate::fixtures::support::peak_memory(pid)));
    assert!(peak < 20 << 20, "{} MiB", peak >> 20);
    let events = ran.events();
    assert_eq!(ran.code, Some(3), "{}", ran.stdout);
    let mut said = String::new();
    for (host, outcome) in outcomes(&events) {
        let failure = outcome.failure.unwrap();
        assert_eq!((outcome.status, outcome.started), (Status::Unreachable, false), "{host}");
        let message = failure.message();
        writeln!(said, "{host}: {message} [{}]", failure.kind).unwrap();
    }
    insta::assert_snapshot!(crate::fixtures::stable::stable(&said, &[]), @r#"
    flood: got "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" instead of an SSH banner (127.0.0.1:<port>) [banner]
    garbage: the server broke the SSH protocol: a packet claims to have 2779096485 bytes (127.0.0.1:<port>) [protocol]
    hangs-up: the server closed the connection before saying anything (127.0.0.1:<port>) [connect_reset]
    huge: the server broke the SSH protocol: a packet claims to have 4294967295 bytes (127.0.0.1:<port>) [protocol]
    lines: got "hello there" instead of an SSH banner (127.0.0.1:<port>) [banner]
    redis: got "-ERR wrong number of arguments" instead of an SSH banner (127.0.0.1:<port>) [banner]
    ssh1: the server speaks only "SSH-1.5-OldServer", fan needs SSH-2 (127.0.0.1:<port>) [banner]
    tls: got "\x15\x03\x01\x00\x02\x02F" instead of an SSH banner (127.0.0.1:<port>) [banner]
    "#);
}

/// Beside each other, so that the fixed deadline is waited for once.
#[tokio::test(flavor = "multi_thread")]
async fn servers_that_say_nothing_or_little() {
    let sandbox = sandbox([("silent", Behaviour::Silent), ("good", Behaviour::Normal)]).await;
    let drip = |mut stream: TcpStream| {
        // A byte now and then: the deadline is for the whole, not for each of them.
        while stream.write_all(b"x").is_ok() {
            thread::sleep(Duration::from_millis(300));
        }
    };
    let greets = |mut stream: TcpStream| {
        let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.2p1\r\n");
        thread::sleep(Duration::from_secs(600));
    };
    let fan = Fan::of(&sandbox);
    let mut inventory = std::fs::read_to_string(fan.work().join("inventory.yaml")).unwrap();
    for (name, port) in [("drip", server(drip)), ("greets", server(greets))] {
        writeln!(inventory, "  {name}: {{address: 127.0.0.1, port: {port}}}").unwrap();
    }
    let fan = fan.file("inventory.yaml", inventory);
    let before = Since::now();
    let ran = fan.run(["exec", "--format", "jsonl", "-H", "all", "--", "true"]);
    // For good, it would be: they never end by themselves.
    before.assert_waited(HANDSHAKE);
    assert_eq!(ran.code, Some(3), "{}", ran.stdout);
    let events = ran.events();
    for (host, outcome) in outcomes(&events) {
        let kind = outcome.failure.as_ref().map(|failure| failure.kind);
        match host.as_str() {
            "good" => assert_eq!(outcome.status, Status::Ok),
            _ => assert_eq!((outcome.status, kind), (Status::Unreachable, Some(Kind::Banner)), "{host}"),
        }
    }
    let first = events.iter().find_map(|event| match &event.fact {
        Fact::HostFinished { host, .. } => Some(host.as_str()),
        _ => None,
    });
    assert_eq!(first, Some("good"), "a good host waited for a bad one");
    assert_eq!(retries(&events), 0, "{}", ran.stdout);
}

/// A listener whose queue is full leaves the connect itself without an answer.
#[test]
fn a_connect_without_an_answer() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queued = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
        queued.push(stream);
        assert!(queued.len() < 10_000, "the queue is never full");
    }
    let fan = Fan::new().file("inventory.yaml", ports(&[("deaf", address.port())]));
    let before = Since::now();
    let ran = fan.run(["exec", "-t", "1", "-H", "deaf", "--", "true"]);
    before.assert_waited(Duration::from_secs(1));
    before.assert_ended_by(Duration::from_secs(1), Duration::from_secs(10));
    insta::assert_snapshot!(ran.snapshot(), @"
    exit code: 3
    --- stderr
    deaf: connect timed out after <time> (127.0.0.1:<port>) [connect_timeout]
    exec true · deaf · 1 unreachable  <time>
      deaf  unreachable

    deaf: connect timed out after <time> (127.0.0.1:<port>) [connect_timeout]
    hint: is the host up, and does a firewall drop the packets? -t sets the deadline
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_host_that_hangs_holds_up_nobody() {
    let names: Vec<String> = (1..=49).map(|number| format!("good{number}")).collect();
    let good = names.iter().map(|name| (name.as_str(), Behaviour::Normal));
    let sandbox = sandbox(good.chain([("stuck", Behaviour::StallAfterExec)])).await;
    let fan = Fan::of(&sandbox);
    // The one that hangs has for ever.
    let started = fan.start(["exec", "-H", "all", "--", "echo done"]);
    eventually("49 hosts are printed", || {
        (started.stdout_so_far().lines().count() == names.len()).then_some(())
    });
    started.signal(Signal::INT);
    started.signal(Signal::TERM);
    started.finish();
    let ran = fan.run(["exec", "-T", "2", "-H", "all", "--", "echo done"]);
    assert_eq!(ran.stdout.lines().count(), names.len(), "{}", ran.snapshot());
    let recap = &ran.stderr[ran.stderr.find("stuck: ").unwrap()..];
    insta::assert_snapshot!(crate::fixtures::stable::stable(recap, &[]), @"
    stuck: still running after <time>; it may still be running there [timeout]
    exec echo done · good[1-49],stuck · 49 ok, 1 failed  <time>
      49 ok: good[1-49]
      stuck  failed

    stuck: still running after <time>; it may still be running there [timeout]
    hint: raise the step's `timeout`, or -T; where a server passes no signals on, `on_disconnect: kill` ends commands

    may still be running on stuck
    ");
    assert_eq!(ran.code, Some(1));
}

/// The command is stopped, and its end is seen.
#[tokio::test(flavor = "multi_thread")]
async fn the_deadline_of_a_command() {
    let sandbox = sandbox([("slow", Behaviour::Normal)]).await;
    let ran =
        Fan::of(&sandbox).run(["exec", "-T", "500ms", "-H", "slow", "--", "echo begun; exec sleep 600"]);
    insta::assert_snapshot!(ran.snapshot(), @"
    exit code: 1
    --- stdout
    slow | begun
    --- stderr
    slow: still running after <time>; ended [timeout]
    exec echo begun; exec sleep 600 · slow · 1 failed  <time>
      slow  failed

    slow: still running after <time>; ended [timeout]
      | begun
    hint: raise the step's `timeout`, or -T
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_that_holds_the_output_open() {
    let sandbox = sandbox([("host", Behaviour::Normal)]).await;
    let ran = Fan::of(&sandbox).run(["exec", "-H", "host", "--", "sleep 600 & echo left"]);
    assert_eq!((ran.stdout.as_str(), ran.code), ("host | left\n", Some(0)), "{}", ran.snapshot());
}

/// Every connection takes a descriptor: the run works on as many hosts at a time as there are.
#[tokio::test(flavor = "multi_thread")]
async fn few_open_files() {
    let names: Vec<String> = (10..40).map(|number| format!("h{number}")).collect();
    let sandbox = sandbox(names.iter().map(|name| (name.as_str(), Behaviour::Normal))).await;
    let fan = Fan::of(&sandbox).in_script("ulimit -n 40; exec \"$@\"");
    let ran = fan.run(["exec", "--format", "jsonl", "-H", "all", "--", "true"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    ran.events();
    assert!(
        ran.stderr.starts_with("warning: only 40 files may be open: working on 8 hosts at a time"),
        "{}",
        ran.stderr
    );
}

/// What the user gave for a connection bounds all of it, whichever phase it is in.
#[tokio::test(flavor = "multi_thread")]
async fn the_connect_timeout_bounds_the_greeting() {
    let sandbox = sandbox([("silent", Behaviour::Silent)]).await;
    let ran = Fan::of(&sandbox).run(["exec", "-t", "1", "-H", "silent", "--", "true"]);
    assert_eq!(ran.code, Some(3), "{}", ran.snapshot());
    assert!(ran.stderr.contains("no complete SSH handshake within 1 s"), "{}", ran.snapshot());
}
