//! Commands and tasks on real OpenSSH servers, and crowds in front of one.

use std::fmt::Write as _;
use std::time::Duration;

use fan::testing::event::{ConnectionFact, Fact, StepFact};
use rustix::process::{Pid, Signal, kill_process};

use crate::fixtures::sshd::Sshd;
use crate::fixtures::support::{Fan, Since, eventually, inventory_defaults};

/// An inventory in which many names stand for the server's first address.
fn crowd(sshd: &Sshd, names: usize) -> String {
    let mut yaml = inventory_defaults(sshd.user(), &sshd.identity(), &sshd.known_hosts());
    write!(yaml, "  port: {}\nhosts:\n  c[1-{names}]: {{address: 127.0.0.1}}\n", sshd.port()).unwrap();
    yaml
}

fn exec(fan: &Fan, command: &str) -> String {
    fan.run(["exec", "-H", "h1", "--", command]).snapshot()
}

#[test]
fn ends_of_commands() {
    let sshd = Sshd::start();
    let fan = Fan::at(&sshd);
    insta::assert_snapshot!(exec(&fan, "echo out; echo err >&2"), @"
    exit code: 0
    --- stdout
    h1 | out
    --- stderr
    h1 | err
    exec echo out; echo err >&2 · h1 · 1 ok  <time>
      h1  ok
    ");
    insta::assert_snapshot!(exec(&fan, "echo almost; exit 3"), @"
    exit code: 1
    --- stdout
    h1 | almost
    --- stderr
    h1: exit status 3
    exec echo almost; exit 3 · h1 · 1 failed  <time>
      h1  failed

    h1: exit status 3
      | almost
    ");
    insta::assert_snapshot!(exec(&fan, "exit 255"), @"
    exit code: 1
    --- stderr
    h1: exit status 255
    exec exit 255 · h1 · 1 failed  <time>
      h1  failed

    h1: exit status 255
    ");
    insta::assert_snapshot!(exec(&fan, "exec sh -c 'kill -KILL $$'"), @"
    exit code: 1
    --- stderr
    h1: killed by signal KILL [signal]
    exec exec sh -c 'kill -KILL $$' · h1 · 1 failed  <time>
      h1  failed

    h1: killed by signal KILL [signal]
    ");
    // In the words of whatever the login shell is.
    assert!(exec(&fan, "no-such-program").contains("\nh1: exit status 127\n"));
}

#[test]
fn the_command_reaches_the_login_shell_untouched() {
    let sshd = Sshd::start();
    let ran = Fan::at(&sshd).run([
        "exec",
        "-N",
        "-H",
        "h1",
        "--",
        "printf",
        "%s.",
        "'a  b'",
        "\"$((1 + 1))\"",
        "{{x}}",
    ]);
    assert_eq!((ran.stdout.as_str(), ran.code), ("a  b.2.{{x}}.", Some(0)), "{}", ran.snapshot());
    // Its input is empty, and nobody waits for more.
    let ran = Fan::at(&sshd).stdin("mine").run(["exec", "-N", "-H", "h1", "--", "cat; echo over"]);
    assert_eq!((ran.stdout.as_str(), ran.code), ("over\n", Some(0)), "{}", ran.snapshot());
}

#[test]
fn hosts_side_by_side() {
    let sshd = Sshd::builder().hosts(16).max_startups("100").start();
    let command =
        "echo $SSH_CONNECTION | cut -d' ' -f3; test $(echo $SSH_CONNECTION | cut -d' ' -f3) != 127.0.0.7";
    let ran = Fan::at(&sshd).run(["exec", "-H", "h[1-16]", "--", command]);
    let mut expected: Vec<String> =
        (1..=16).map(|host| format!("{:3} | 127.0.0.{host}", format!("h{host}"))).collect();
    expected.sort_unstable();
    assert_eq!(ran.sorted_stdout(), expected, "{}", ran.snapshot());
    insta::assert_snapshot!(crate::fixtures::stable::stable(&ran.stderr, &[]), @"
    h7: exit status 1
    exec echo $SSH_CONNECTION | cut -d' ' -f3; test $(echo $SSH… · h[1-16] · 15 ok, 1 failed  <time>
      h1   ok
      h2   ok
      h3   ok
      h4   ok
      h5   ok
      h6   ok
      h8   ok
      h9   ok
      h10  ok
      h11  ok
      h12  ok
      h13  ok
      h14  ok
      h15  ok
      h16  ok
      h7   failed

    h7: exit status 1
      | 127.0.0.7
    ");
    assert_eq!(ran.code, Some(1));
}

#[test]
fn every_kind_of_step() {
    let sshd = Sshd::builder().hosts(2).start();
    let folder = tempfile::tempdir().unwrap();
    let tasks = r#"
vars: {app: my shop, where: FOLDER}
tasks:
  before: [{echo: 'first on {{ host }}'}]
  steps:
    before: [before]
    roles: [all-of-them]
    params: {text: "it's"}
    steps:
      - name: Make a folder
        run: mkdir -p {{ where }}/{{ host }}/{{ app }}
      - set: {mine: "{{ where }}/{{ host }}/{{ app }}", n: "{{ host_index + 1 }}"}
      - run: |
          printf '%s\n' "$GREETING" > greeting
          printf '%s\n' {{ text }} >> greeting
        cd: "{{ mine }}"
        env: {GREETING: "two words\n\"quoted\" $HOME 'single' {{ text }}"}
      - run: [cat, greeting]
        cd: "{{ mine }}"
        register: seen
      - echo: "{{ seen.lines | length }} lines, {{ seen.rc }}, host {{ n }} of {{ host_count }}"
      - assert: "'two words' in seen.stdout and seen.ok"
      - run: test -e nothing
        warn_only: true
        register: missing
      - fail: never
        when: missing.ok
      - local: echo {{ host }} >> "$LOG"
        env: {LOG: "{{ where }}/local"}
      - run: printf '%s %s %s %s %s\n' "$FAN_HOST" "$FAN_ROLES" "$FAN_TASK" "$FAN_INDEX" "$FAN_COUNT"
      - fail: stop {{ host }} here
        when: host == 'h2'
"#;
    let mut inventory = sshd.inventory_yaml(2);
    inventory += "roles: {all-of-them: [h1, h2]}\n";
    let fan = Fan::new()
        .hide(folder.path().display(), "<folder>")
        .file("inventory.yaml", inventory)
        .file("tasks.yaml", tasks.replace("FOLDER", folder.path().to_str().unwrap()));
    let ran = fan.run(["run", "-z", "1", "steps:text=won't {{ x }}"]);
    insta::assert_snapshot!(ran.snapshot(), @r#"
    exit code: 1
    --- stdout
    h1 | first on h1
    h2 | first on h2
    h1 | two words
    h1 | "quoted" $HOME 'single' won't {{ x }}
    h1 | won't {{ x }}
    h1 | 3 lines, 0, host 1 of 2
    h1 | h1 all-of-them steps 0 2
    h2 | two words
    h2 | "quoted" $HOME 'single' won't {{ x }}
    h2 | won't {{ x }}
    h2 | 3 lines, 0, host 2 of 2
    h2 | h2 all-of-them steps 1 2
    --- stderr
    before: 2 hosts
    steps: 2 hosts
    h1: steps step 7 "test -e nothing" (tasks.yaml:23) warned: exit status 1
    h2: steps step 7 "test -e nothing" (tasks.yaml:23) warned: exit status 1
    h2: steps step 11 "stop {{ host }} here" (tasks.yaml:31) stop h2 here [fail]
    steps:text=won't {{ x }} · h[1-2] · 1 ok, 1 failed  <time>
      h1  ok      12/12 steps  4 changed  1 warned
      h2  failed  11/12 steps  4 changed  1 warned

    h2: steps step 11 "stop {{ host }} here" (tasks.yaml:31) stop h2 here [fail]

    hint: `fan resume <run>` continues h2 at step 11
    "#);
    let log = std::fs::read_to_string(folder.path().join("local")).unwrap();
    assert_eq!(log, "h1\nh2\n");
}

#[test]
fn a_script_stops_at_its_first_failing_line() {
    let sshd = Sshd::start();
    let tasks = "tasks:
  stop: {hosts: [h1], steps: [{run: \"echo one\\nfalse\\necho two\\n\"}, {echo: never}]}
  nowhere: {hosts: [h1], steps: [{run: 'echo never', cd: /no/such folder}]}
  home: {hosts: [h1], steps: [{run: 'test \"$PWD\" = \"$(cd && pwd)\" && echo home', cd: '~'}]}
";
    let fan = Fan::at(&sshd).file("tasks.yaml", tasks);
    insta::assert_snapshot!(fan.run(["run", "stop"]).snapshot(), @r#"
    exit code: 1
    --- stdout
    h1 | one
    --- stderr
    stop: 1 host
    h1: step 1 "echo one …" (tasks.yaml:2) exit status 1
    stop · h1 · 1 failed  <time>
      h1  failed  0/2 steps  0 changed

    h1: step 1 "echo one …" (tasks.yaml:2) exit status 1
      | one

    hint: `fan resume <run>` continues h1 at step 1
    "#);
    let ran = fan.run(["run", "nowhere"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{}", ran.snapshot());
    assert!(ran.stderr.contains("h1 | fan: cannot cd to /no/such folder\n"), "{}", ran.snapshot());
    insta::assert_snapshot!(fan.run(["run", "home"]).snapshot(), @"
    exit code: 0
    --- stdout
    h1 | home
    --- stderr
    home: 1 host
    home · h1 · 1 ok  <time>
      h1  ok  1/1 steps  1 changed
    ");
}

#[test]
fn long_commands_and_scripts() {
    let sshd = Sshd::start();
    let word = "x".repeat(60_000);
    let ran = Fan::at(&sshd).run(["exec", "-N", "-H", "h1", "--", "echo", &word, &word, "|", "wc", "-c"]);
    assert_eq!((ran.stdout.trim(), ran.code), ("120002", Some(0)), "{}", ran.stderr);
    // Beyond what the host's kernel takes as one argument: 128 KiB.
    let ran = Fan::at(&sshd).run(["exec", "-H", "h1", "--", ":", &word, &word, &word]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("Argument list too long"), "{}", ran.snapshot());
    let script: String = (0..20_000).map(|line| format!("          : line {line}\n")).collect();
    let tasks = format!("tasks:\n  long:\n    steps:\n      - run: |\n{script}          echo through\n");
    let ran = Fan::at(&sshd).file("tasks.yaml", tasks).run(["run", "long", "-H", "h1"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "h1 | through\n"), "{}", ran.snapshot());
}

#[test]
fn noise_of_a_login_shell_is_output() {
    let sshd = Sshd::builder().line("ForceCommand echo welcome; eval \"$SSH_ORIGINAL_COMMAND\"").start();
    let ran = Fan::at(&sshd).run(["exec", "-H", "h1", "--", "echo out; exit 4"]);
    assert_eq!((ran.stdout.as_str(), ran.code), ("h1 | welcome\nh1 | out\n", Some(1)), "{}", ran.snapshot());
}

#[test]
fn a_restricted_account_runs_what_it_runs() {
    let sshd = Sshd::builder().line("ForceCommand internal-sftp").start();
    let ran = Fan::at(&sshd).run(["exec", "-H", "h1", "--", "echo out"]);
    let said = "h1 | This service allows sftp connections only.\n";
    assert_eq!((ran.stdout.as_str(), ran.code), (said, Some(1)), "{}", ran.snapshot());
}

/// A default sshd drops connections at random once ten are not logged in.
#[test]
fn sixty_names_of_one_server_are_no_crowd() {
    let sshd = Sshd::start();
    let fan = Fan::new().file("inventory.yaml", crowd(&sshd, 60));
    let ran = fan.run(["exec", "-H", "all", "--format", "jsonl", "--", "echo in"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let events = ran.events();
    let is_retry = |fact: &Fact| matches!(fact, Fact::Connection(_, ConnectionFact::Retried { .. }));
    assert_eq!(events.iter().filter(|event| is_retry(&event.fact)).count(), 0, "{}", ran.stdout);
    let log = sshd.log();
    assert!(!log.contains("drop connection") && !log.contains("beginning MaxStartups"), "{log}");
    assert_eq!(sshd.connections(), 60);
}

/// A server that takes two at a time, and turns all others away.
#[test]
fn a_server_that_turns_connections_away_is_asked_more_slowly() {
    let sshd = Sshd::builder().max_startups("2:100:4").start();
    let fan = Fan::new().file("inventory.yaml", crowd(&sshd, 30));
    let ran = fan.run(["exec", "-H", "all", "--format", "jsonl", "--", "echo in"]);
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, sshd.log());
    ran.events();
    let drops = sshd.log().matches("drop connection").count();
    // Six of the first eight, two of the next four; then one now and then, as the limit grows back to three.
    assert!((1..=20).contains(&drops), "{drops} dropped:\n{}", sshd.log());
}

/// One connection for all tasks of a run, and none for tasks that need none.
#[test]
fn one_connection_per_host() {
    let sshd = Sshd::start();
    let tasks = "tasks: {a: [uptime, uptime], b: [uptime], c: [{echo: here}, {local: 'true'}]}\n";
    let fan = Fan::at(&sshd).file("tasks.yaml", tasks);
    let ran = fan.run(["run", "a", "b", "c", "-H", "h1"]);
    assert_eq!((ran.code, sshd.connections()), (Some(0), 1), "{}", ran.snapshot());
    let ran = fan.run(["run", "c", "-H", "h1"]);
    assert_eq!((ran.code, sshd.connections()), (Some(0), 1), "{}", ran.snapshot());
}

#[test]
fn new_keys_in_the_middle_of_the_output() {
    let sshd = Sshd::builder().line("RekeyLimit 1M").start();
    let ran = Fan::at(&sshd).run([
        "exec",
        "-N",
        "-H",
        "h1",
        "--",
        "head -c 20000000 /dev/zero | tr '\\0' x; exit 5",
    ]);
    assert_eq!((ran.stdout.len(), ran.code), (20_000_000, Some(1)), "{}", ran.stderr);
}

/// A server whose process is stopped answers nothing, and its connection stays open: only keepalive tells.
#[test]
fn a_host_that_freezes() {
    let sshd = Sshd::start();
    let folder = tempfile::tempdir().unwrap();
    let parent = folder.path().join("parent");
    let inventory = sshd.inventory_yaml(1).replace("defaults:\n", "defaults:\n  keepalive: 300ms\n");
    let fan = Fan::at(&sshd).file("inventory.yaml", inventory);
    let command =
        format!("exec sh -c 'echo $PPID > {0}.new; mv {0}.new {0}; exec sleep 20'", parent.display());
    let started = fan.start(["exec", "--format", "jsonl", "-H", "h1", "--", &command]);
    let pid = eventually("the command runs", || std::fs::read_to_string(&parent).ok());
    let server = Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
    kill_process(server, Signal::STOP).unwrap();
    let frozen = Since::now();
    let ran = started.finish();
    // Three requests without an answer; without the setting they would come every 15 s.
    frozen.assert_ended_by(Duration::from_secs(2), Duration::from_secs(45));
    kill_process(server, Signal::KILL).unwrap();
    assert_eq!(ran.code, Some(1), "{}", ran.stdout);
    ran.events();
    assert!(
        ran.stdout.contains("\"kind\":\"keepalive\"") && ran.stdout.contains("\"status\":\"unknown\""),
        "{}",
        ran.stdout
    );
}

/// One session at a time is all that fan needs; a server that allows none says so, and nothing was started.
#[test]
fn few_sessions() {
    let one = Sshd::builder().line("MaxSessions 1").start();
    let fan = Fan::at(&one).file("tasks.yaml", "tasks: {two: [echo a, echo b]}\n");
    let ran = fan.run(["run", "two", "-H", "all"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "h1 | a\nh1 | b\n"), "{}", ran.snapshot());
    // What shows that the account runs commands goes beside the first one, where there is room, or after it.
    let ran = fan.run(["exec", "-H", "all", "--format", "jsonl", "--", "sleep 0.2"]);
    let note = ran.events().into_iter().find_map(|event| match event.fact {
        Fact::Step(_, StepFact::Finished { outcome }) => Some(outcome.note),
        _ => None,
    });
    assert_eq!((ran.code, note), (Some(0), Some(None)), "{}", ran.snapshot());
    let none = Sshd::builder().line("MaxSessions 0").start();
    let ran = Fan::at(&none).run(["exec", "-H", "all", "--", "true"]);
    assert_eq!(ran.code, Some(3), "{}", ran.snapshot());
    assert!(ran.stderr.contains("[channel_refused]"), "{}", ran.snapshot());
}
