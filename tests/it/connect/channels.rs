//! Channels of one connection: those that fan shares among its steps when a server gives few, and those that a
//! server opens without having been asked.

use std::fmt::Write as _;

use fan::testing::sandbox::Behaviour;
use rustix::process::Signal;

use crate::fixtures::sshd::Sshd;
use crate::fixtures::support::{Fan, eventually, sandbox};

/// Twenty hosts of the operator's own machine, whose steps may be done on `h1`.
fn many(sshd: &Sshd) -> Fan {
    let mut yaml = sshd.inventory_yaml(1);
    writeln!(yaml, "  l[1-20]: {{transport: local}}").unwrap();
    let fan = Fan::new().file("inventory.yaml", yaml);
    sshd.hidden().into_iter().fold(fan, |fan, (text, name)| fan.hide(text, name))
}

/// A transfer takes two channels, and eight are at it at a time: more than any of these servers gives.
#[test]
fn transfers_share_what_the_server_gives() {
    for most in [1, 2, 3, 10] {
        let sshd = Sshd::builder().line(&format!("MaxSessions {most}")).start();
        let tasks = r#"
tasks:
  t:
    - {run: 'echo {{ host }} > from-{{ host }}; echo x >> all', on: h1, cd: "{{ dir }}"}
    - barrier: true
    - {get: "{{ dir }}/from-{{ host }}", to: "got-{{ host }}", on: h1}
    - {put: "got-{{ host }}", to: "{{ dir }}/put-{{ host }}", on: h1}
"#;
        let fan = many(&sshd).file("tasks.yaml", tasks);
        let dir = format!("dir={}", fan.work().display());
        let ran = fan.run(["run", "t", "-H", "l*", "-e", &dir]);
        assert_eq!(ran.code, Some(0), "MaxSessions {most}: {}", ran.snapshot());
        for host in (1..=20).map(|number| format!("l{number}")) {
            let put = std::fs::read_to_string(fan.work().join(format!("put-{host}"))).unwrap();
            assert_eq!(put, format!("{host}\n"));
        }
        let all = std::fs::read_to_string(fan.work().join("all")).unwrap();
        assert_eq!(all.lines().count(), 20, "each command ran once");
        assert_eq!(sshd.connections(), 1, "{}", sshd.log());
    }
}

/// What a host's own steps on files hold is given up for the next command, and for another user's files.
#[test]
fn files_give_way_to_commands() {
    for most in [1, 2] {
        let sshd = Sshd::builder().line(&format!("MaxSessions {most}")).start();
        let tasks = r#"
tasks:
  t:
    - {put: tasks.yaml, to: "{{ dir }}/one"}
    - {run: 'cat one | wc -l', cd: "{{ dir }}"}
    - {put: tasks.yaml, to: "{{ dir }}/two"}
    - {facts: true}
    - {get: "{{ dir }}/two", to: three}
    - {run: 'cat two | wc -l', cd: "{{ dir }}"}
"#;
        let fan = Fan::at(&sshd).file("tasks.yaml", tasks);
        let dir = format!("dir={}", fan.work().display());
        let ran = fan.run(["run", "t", "-N", "-e", &dir, "-H", "h1"]);
        assert_eq!(ran.code, Some(0), "MaxSessions {most}: {}", ran.snapshot());
        assert_eq!(ran.stdout.matches('9').count(), 2, "{}", ran.snapshot());
        assert_eq!(sshd.connections(), 1, "{}", sshd.log());
    }
}

/// Who waits for a channel is stopped like everybody else, and nothing was started for him.
#[test]
fn a_stop_does_not_wait_for_a_channel() {
    let sshd = Sshd::builder().line("MaxSessions 1").start();
    let tasks =
        "tasks: {t: [{run: 'echo {{ host }} >> started; exec sleep 600', on: h1, cd: '{{ dir }}'}]}\n";
    let fan = many(&sshd).file("tasks.yaml", tasks);
    let dir = format!("dir={}", fan.work().display());
    let started = fan.start(["run", "t", "-H", "l[1-3]", "-e", &dir]);
    let path = fan.work().join("started");
    eventually("one has started", || std::fs::read_to_string(&path).ok().filter(|text| !text.is_empty()));
    started.signal(Signal::INT);
    let ran = started.finish();
    assert_eq!(ran.code, Some(130), "{}", ran.snapshot());
    assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 1, "{}", ran.snapshot());
}

/// Whatever a server opens is refused, and harms nothing; one that does not stop is left.
#[tokio::test(flavor = "multi_thread")]
async fn channels_that_nobody_asked_for_are_refused() {
    let sandbox = sandbox([
        ("some", Behaviour::OpensChannels(20)),
        ("many", Behaviour::OpensChannels(20_000)),
        ("good", Behaviour::Normal),
    ])
    .await;
    let ran = Fan::of(&sandbox).run(["exec", "-H", "all", "--", "echo in"]);
    assert_eq!(ran.code, Some(1), "{}", ran.snapshot());
    assert!(ran.stdout.contains("some | in") && ran.stdout.contains("good | in"), "{}", ran.snapshot());
    let said = "many: unknown: the server tried to open more than 1000 unrequested channels [protocol]";
    assert!(ran.stderr.contains(said), "{}", ran.snapshot());
    assert!(sandbox.hosts().iter().all(|host| host.unasked_channels() == 0));
}
