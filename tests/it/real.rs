//! Commands and tasks on real OpenSSH servers, and what they say about logins and starts.

use std::fmt::Write as _;

use fan::event::Fact;

use crate::agent::Agent;
use crate::sshd::{Sshd, keygen, public_key};
use crate::support::{Fan, inventory_defaults};

/// The binary with an inventory of all the server's addresses.
fn fan(sshd: &Sshd) -> Fan {
    let fan = Fan::new().file("inventory.yaml", sshd.inventory_yaml(sshd.addresses().len()));
    sshd.hidden().into_iter().fold(fan, |fan, (text, name)| fan.hide(text, name))
}

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
    let fan = fan(&sshd);
    insta::assert_snapshot!(exec(&fan, "echo out; echo err >&2"), @"
    exit code: 0
    --- stdout
    h1 | out
    --- stderr
    h1 | err
    exec echo out; echo err >&2 · h1 · 1 ok  <time>
      h1  ok  <time>
    ");
    insta::assert_snapshot!(exec(&fan, "echo almost; exit 3"), @"
    exit code: 1
    --- stdout
    h1 | almost
    --- stderr
    h1: exit status 3
    exec echo almost; exit 3 · h1 · 1 failed  <time>
      h1  failed  <time>

    h1: exit status 3
      | almost
    ");
    insta::assert_snapshot!(exec(&fan, "exit 255"), @"
    exit code: 1
    --- stderr
    h1: exit status 255
    exec exit 255 · h1 · 1 failed  <time>
      h1  failed  <time>

    h1: exit status 255
    ");
    insta::assert_snapshot!(exec(&fan, "exec sh -c 'kill -KILL $$'"), @"
    exit code: 1
    --- stderr
    h1: killed by signal KILL [signal]
    exec exec sh -c 'kill -KILL $$' · h1 · 1 failed  <time>
      h1  failed  <time>

    h1: killed by signal KILL [signal]
    ");
    // In the words of whatever the login shell is.
    assert!(exec(&fan, "no-such-program").contains("\nh1: exit status 127\n"));
}

#[test]
fn the_command_reaches_the_login_shell_untouched() {
    let sshd = Sshd::start();
    let ran = fan(&sshd).run([
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
    let ran = fan(&sshd).stdin("mine").run(["exec", "-N", "-H", "h1", "--", "cat; echo over"]);
    assert_eq!((ran.stdout.as_str(), ran.code), ("over\n", Some(0)), "{}", ran.snapshot());
}

#[test]
fn hosts_side_by_side() {
    let sshd = Sshd::builder().hosts(16).max_startups("100").start();
    let command =
        "echo $SSH_CONNECTION | cut -d' ' -f3; test $(echo $SSH_CONNECTION | cut -d' ' -f3) != 127.0.0.7";
    let ran = fan(&sshd).run(["exec", "-H", "h[1-16]", "--", command]);
    let mut expected: Vec<String> =
        (1..=16).map(|host| format!("{:3} | 127.0.0.{host}", format!("h{host}"))).collect();
    expected.sort_unstable();
    assert_eq!(ran.sorted_stdout(), expected, "{}", ran.snapshot());
    insta::assert_snapshot!(crate::support::stable(&ran.stderr, &[]), @"
    h7: exit status 1
    exec echo $SSH_CONNECTION | cut -d' ' -f3; test $(echo $SSH… · h[1-16] · 15 ok, 1 failed  <time>
      h1   ok  <time>
      h2   ok  <time>
      h3   ok  <time>
      h4   ok  <time>
      h5   ok  <time>
      h6   ok  <time>
      h8   ok  <time>
      h9   ok  <time>
      h10  ok  <time>
      h11  ok  <time>
      h12  ok  <time>
      h13  ok  <time>
      h14  ok  <time>
      h15  ok  <time>
      h16  ok  <time>
      h7   failed  <time>

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
    steps · h[1-2] · 1 ok, 1 failed  <time>
      h1  ok      12/12 steps  4 changed  1 warned  <time>
      h2  failed  11/12 steps  4 changed  1 warned  <time>

    h2: steps step 11 "stop {{ host }} here" (tasks.yaml:31) stop h2 here [fail]
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
    let fan = fan(&sshd).file("tasks.yaml", tasks);
    insta::assert_snapshot!(fan.run(["run", "stop"]).snapshot(), @r#"
    exit code: 1
    --- stdout
    h1 | one
    --- stderr
    stop: 1 host
    h1: step 1 "echo one …" (tasks.yaml:2) exit status 1
    stop · h1 · 1 failed  <time>
      h1  failed  0/2 steps  0 changed  <time>

    h1: step 1 "echo one …" (tasks.yaml:2) exit status 1
      | one
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
      h1  ok  1/1 steps  1 changed  <time>
    ");
}

#[test]
fn long_commands_and_scripts() {
    let sshd = Sshd::start();
    let word = "x".repeat(60_000);
    let ran = fan(&sshd).run(["exec", "-N", "-H", "h1", "--", "echo", &word, &word, "|", "wc", "-c"]);
    assert_eq!((ran.stdout.trim(), ran.code), ("120002", Some(0)), "{}", ran.stderr);
    // Beyond what the host's kernel takes as one argument: 128 KiB.
    let ran = fan(&sshd).run(["exec", "-H", "h1", "--", ":", &word, &word, &word]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("Argument list too long"), "{}", ran.snapshot());
    let script: String = (0..20_000).map(|line| format!("          : line {line}\n")).collect();
    let tasks = format!("tasks:\n  long:\n    steps:\n      - run: |\n{script}          echo through\n");
    let ran = fan(&sshd).file("tasks.yaml", tasks).run(["run", "long", "-H", "h1"]);
    assert_eq!(ran.code, Some(1), "{}", ran.snapshot());
    assert!(ran.stderr.contains("bytes, and a host takes at most 131071"), "{}", ran.snapshot());
}

#[test]
fn noise_of_a_login_shell_is_output() {
    let sshd = Sshd::builder().line("ForceCommand echo welcome; eval \"$SSH_ORIGINAL_COMMAND\"").start();
    let ran = fan(&sshd).run(["exec", "-H", "h1", "--", "echo out; exit 4"]);
    assert_eq!((ran.stdout.as_str(), ran.code), ("h1 | welcome\nh1 | out\n", Some(1)), "{}", ran.snapshot());
}

#[test]
fn a_restricted_account_runs_what_it_runs() {
    let sshd = Sshd::builder().line("ForceCommand internal-sftp").start();
    let ran = fan(&sshd).run(["exec", "-H", "h1", "--", "echo out"]);
    let said = "h1 | This service allows sftp connections only.\n";
    assert_eq!((ran.stdout.as_str(), ran.code), (said, Some(1)), "{}", ran.snapshot());
}

/// The inventory without the key.
fn keyless(sshd: &Sshd) -> String {
    sshd.inventory_yaml(1).replace(&format!("  identity: \"{}\"\n", sshd.identity().display()), "")
}

#[test]
fn a_key_of_the_agent() {
    let sshd = Sshd::builder().counting_logins().start();
    let agent = Agent::start();
    agent.add(&sshd.identity());
    let fan = Fan::new().file("inventory.yaml", keyless(&sshd));
    let call = ["exec", "-v", "-H", "h1", "--", "true"];
    let without = fan.run(call);
    assert_eq!(without.code, Some(3), "{}", without.snapshot());
    assert!(without.stderr.contains("no key to offer"), "{}", without.snapshot());
    let fan = fan.env("SSH_AUTH_SOCK", agent.socket().to_str().unwrap());
    let with = fan.run(call);
    assert_eq!(with.code, Some(0), "{}", with.snapshot());
    assert!(with.stderr.contains("(agent)"), "{}", with.snapshot());
    // The agent itself is not handed on.
    let ran = fan.run(["exec", "-N", "-H", "h1", "--", "echo ${SSH_AUTH_SOCK-none}"]);
    assert_eq!(ran.stdout, "none\n");
}

#[test]
fn an_agent_that_does_not_answer() {
    let sshd = Sshd::start();
    let fan = Fan::new().file("inventory.yaml", keyless(&sshd)).env("SSH_AUTH_SOCK", "/nonexistent/agent");
    let ran = fan.run(["exec", "-H", "h1", "--", "true"]);
    assert_eq!(ran.code, Some(3), "{}", ran.snapshot());
    assert!(ran.stderr.contains("the agent at /nonexistent/agent does not answer"), "{}", ran.snapshot());
}

#[test]
fn keys_of_every_type() {
    let sshd = Sshd::start();
    let fan = fan(&sshd);
    for (key_type, shown) in [("rsa", "RSA"), ("ecdsa", "NISTP256"), ("ed25519", "ED25519")] {
        let key = fan.work().join(key_type);
        keygen(&key, key_type);
        sshd.authorize(&public_key(&key.with_extension("pub")));
        let inventory = sshd.inventory_yaml(1).replace(sshd.identity().to_str().unwrap(), key_type);
        std::fs::write(fan.work().join("inventory.yaml"), inventory).unwrap();
        let ran = fan.run(["exec", "-v", "-H", "h1", "--", "echo in"]);
        assert_eq!((ran.stdout.as_str(), ran.code), ("h1 | in\n", Some(0)), "{}", ran.snapshot());
        assert!(ran.stderr.contains(&format!("publickey {shown} SHA256:")), "{}", ran.snapshot());
    }
}

#[test]
fn keys_in_the_home_folder_are_tried() {
    let sshd = Sshd::start();
    let fan = Fan::new();
    let ssh = fan.home().join(".ssh");
    std::fs::create_dir(&ssh).unwrap();
    std::fs::copy(sshd.identity(), ssh.join("id_ed25519")).unwrap();
    std::fs::copy(sshd.known_hosts(), ssh.join("known_hosts")).unwrap();
    let target = format!("{}@127.0.0.1:{}", sshd.user(), sshd.port());
    let ran = fan.run(["exec", "-N", "-H", &target, "--", "echo in"]);
    assert_eq!((ran.stdout.as_str(), ran.code), ("in\n", Some(0)), "{}", ran.snapshot());
}

#[test]
fn a_refused_login_is_tried_once() {
    let sshd = Sshd::builder().counting_logins().start();
    let fan = fan(&sshd);
    keygen(&fan.work().join("other"), "ed25519");
    let inventory = sshd.inventory_yaml(1).replace(sshd.identity().to_str().unwrap(), "other");
    let fan = fan
        .hide(format!("as {} was", sshd.user()), "as <user> was")
        .hide(format!("~{}/", sshd.user()), "~<user>/");
    let ran = fan.file("inventory.yaml", inventory).run(["exec", "-H", "h1", "--", "true"]);
    insta::assert_snapshot!(ran.snapshot(), @"
    exit code: 3
    --- stderr
    h1: login as <user> was refused: tried ED25519 SHA256:<fingerprint>; the server allows publickey (127.0.0.1:<port>) [auth_failed]
    hint: is one of these keys in ~<user>/.ssh/authorized_keys there?
    exec true · h1 · 1 unreachable  <time>
      h1  unreachable  <time>

    h1: login as <user> was refused: tried ED25519 SHA256:<fingerprint>; the server allows publickey (127.0.0.1:<port>) [auth_failed]
    hint: is one of these keys in ~<user>/.ssh/authorized_keys there?
    ");
    assert_eq!((sshd.logins(), sshd.connections()), (vec!["publickey".to_owned()], 1), "{}", sshd.log());
}

/// Files of known hosts, each with how a run that goes by it ends.
#[test]
fn host_keys() {
    let sshd = Sshd::builder().host_keys(&["ed25519", "ecdsa"]).counting_logins().start();
    let other = Sshd::builder().host_keys(&["ed25519", "rsa"]).start();
    let name = format!("[127.0.0.1]:{}", sshd.port());
    let (ed25519, ecdsa) = (sshd.host_key("ed25519"), sshd.host_key("ecdsa"));
    let trusted = [
        ("the best", format!("{name} {ed25519}\n")),
        ("only the second", format!("{name} {ecdsa}\n")),
        (
            "another host's first",
            format!("[127.0.0.9]:22 {}\n\n# {name}\n{name} {ecdsa}\n", other.host_key("rsa")),
        ),
        ("one of two", format!("{name} {}\n{name} {ed25519}\n", other.host_key("ed25519"))),
        ("several names", format!("h1,{name}\t{ed25519} comment\n")),
        ("a pattern", format!("[127.0.0.?]:* {ed25519}\n")),
        ("no port, as ssh takes it", format!("127.0.0.1 {ed25519}\n")),
        ("hashed", hashed(&format!("{name} {ed25519}\n"))),
    ];
    for (what, known_hosts) in trusted {
        let ran = with_known_hosts(&sshd, known_hosts);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "h1 | in\n"), "{what}: {}", ran.snapshot());
    }
    let before = sshd.logins().len();
    assert!(before >= 7, "{}", sshd.log());
    let refused = [
        ("nothing", String::new(), 3, "host_key_unknown"),
        ("another port", format!("[127.0.0.1]:1 {ed25519}\n"), 3, "host_key_unknown"),
        ("changed", format!("{name} {}\n", other.host_key("ed25519")), 4, "host_key_changed"),
        (
            "changed and hashed",
            hashed(&format!("{name} {}\n", other.host_key("ed25519"))),
            4,
            "host_key_changed",
        ),
        ("another type", format!("{name} {}\n", other.host_key("rsa")), 4, "host_key_changed"),
        ("revoked", format!("@revoked {name} {ed25519}\n{name} {ed25519}\n"), 4, "host_key_revoked"),
        ("revoked everywhere", format!("{name} {ed25519}\n@revoked * {ed25519}\n"), 4, "host_key_revoked"),
        ("an authority's", format!("@cert-authority {name} {ed25519}\n"), 3, "host_key_unknown"),
        ("not for this one", format!("!{name},[127.0.0.*]:* {ed25519}\n"), 3, "host_key_unknown"),
        ("a broken line", format!("{name} ssh-ed25519 AAAA!!\n"), 3, "host_key_"),
    ];
    let mut said = String::new();
    for (what, known_hosts, code, kind) in refused {
        let ran = with_known_hosts(&sshd, known_hosts);
        assert_eq!(ran.code, Some(code), "{what}: {}", ran.snapshot());
        assert!(ran.stderr.contains(&format!("[{kind}")), "{what}: {}", ran.snapshot());
        assert_eq!(ran.stdout, "", "{what}");
        writeln!(said, "== {what}\n{}", ran.snapshot()).unwrap();
    }
    assert_eq!(sshd.logins().len(), before, "somebody logged in without trust:\n{}", sshd.log());
    insta::assert_snapshot!(said, @"
    == nothing
    exit code: 3
    --- stderr
    h1: the host's key is not known: ED25519 SHA256:<fingerprint> (127.0.0.1:<port>) [host_key_unknown]
    hint: compare the fingerprint with one from a trusted source, then: ssh-keyscan -p <port> 127.0.0.1 >> ~/.ssh/known_hosts
    exec echo in · h1 · 1 unreachable  <time>
      h1  unreachable  <time>

    h1: the host's key is not known: ED25519 SHA256:<fingerprint> (127.0.0.1:<port>) [host_key_unknown]
    hint: compare the fingerprint with one from a trusted source, then: ssh-keyscan -p <port> 127.0.0.1 >> ~/.ssh/known_hosts

    == another port
    exit code: 3
    --- stderr
    h1: the host's key is not known: ED25519 SHA256:<fingerprint> (127.0.0.1:<port>) [host_key_unknown]
    hint: compare the fingerprint with one from a trusted source, then: ssh-keyscan -p <port> 127.0.0.1 >> ~/.ssh/known_hosts
    exec echo in · h1 · 1 unreachable  <time>
      h1  unreachable  <time>

    h1: the host's key is not known: ED25519 SHA256:<fingerprint> (127.0.0.1:<port>) [host_key_unknown]
    hint: compare the fingerprint with one from a trusted source, then: ssh-keyscan -p <port> 127.0.0.1 >> ~/.ssh/known_hosts

    == changed
    exit code: 4
    --- stderr
    h1: HOST KEY CHANGED: the host shows ED25519 SHA256:<fingerprint>; recorded: ssh-ed25519 SHA256:<fingerprint> at known_hosts:1 (127.0.0.1:<port>) [host_key_changed]
    hint: someone may be in the middle. If the host was reinstalled, remove the recorded line first
    exec echo in · h1 · 1 unreachable  <time>
      h1  unreachable  <time>

    h1: HOST KEY CHANGED: the host shows ED25519 SHA256:<fingerprint>; recorded: ssh-ed25519 SHA256:<fingerprint> at known_hosts:1 (127.0.0.1:<port>) [host_key_changed]
    hint: someone may be in the middle. If the host was reinstalled, remove the recorded line first

    == changed and hashed
    exit code: 4
    --- stderr
    h1: HOST KEY CHANGED: the host shows ED25519 SHA256:<fingerprint>; recorded: ssh-ed25519 SHA256:<fingerprint> at known_hosts:1 (127.0.0.1:<port>) [host_key_changed]
    hint: someone may be in the middle. If the host was reinstalled, remove the recorded line first
    exec echo in · h1 · 1 unreachable  <time>
      h1  unreachable  <time>

    h1: HOST KEY CHANGED: the host shows ED25519 SHA256:<fingerprint>; recorded: ssh-ed25519 SHA256:<fingerprint> at known_hosts:1 (127.0.0.1:<port>) [host_key_changed]
    hint: someone may be in the middle. If the host was reinstalled, remove the recorded line first

    == another type
    exit code: 4
    --- stderr
    h1: HOST KEY CHANGED: the host shows ED25519 SHA256:<fingerprint>; recorded: ssh-rsa SHA256:<fingerprint> at known_hosts:1 (127.0.0.1:<port>) [host_key_changed]
    hint: someone may be in the middle. If the host was reinstalled, remove the recorded line first
    exec echo in · h1 · 1 unreachable  <time>
      h1  unreachable  <time>

    h1: HOST KEY CHANGED: the host shows ED25519 SHA256:<fingerprint>; recorded: ssh-rsa SHA256:<fingerprint> at known_hosts:1 (127.0.0.1:<port>) [host_key_changed]
    hint: someone may be in the middle. If the host was reinstalled, remove the recorded line first

    == revoked
    exit code: 4
    --- stderr
    h1: HOST KEY REVOKED: ED25519 SHA256:<fingerprint> is marked @revoked at known_hosts:1 (127.0.0.1:<port>) [host_key_revoked]
    hint: do not connect: the key is known to be stolen or retired
    exec echo in · h1 · 1 unreachable  <time>
      h1  unreachable  <time>

    h1: HOST KEY REVOKED: ED25519 SHA256:<fingerprint> is marked @revoked at known_hosts:1 (127.0.0.1:<port>) [host_key_revoked]
    hint: do not connect: the key is known to be stolen or retired

    == revoked everywhere
    exit code: 4
    --- stderr
    h1: HOST KEY REVOKED: ED25519 SHA256:<fingerprint> is marked @revoked at known_hosts:2 (127.0.0.1:<port>) [host_key_revoked]
    hint: do not connect: the key is known to be stolen or retired
    exec echo in · h1 · 1 unreachable  <time>
      h1  unreachable  <time>

    h1: HOST KEY REVOKED: ED25519 SHA256:<fingerprint> is marked @revoked at known_hosts:2 (127.0.0.1:<port>) [host_key_revoked]
    hint: do not connect: the key is known to be stolen or retired

    == an authority's
    exit code: 3
    --- stderr
    h1: the host's key is not known: ED25519 SHA256:<fingerprint> (127.0.0.1:<port>) [host_key_unknown]
    hint: compare the fingerprint with one from a trusted source, then: ssh-keyscan -p <port> 127.0.0.1 >> ~/.ssh/known_hosts
    exec echo in · h1 · 1 unreachable  <time>
      h1  unreachable  <time>

    h1: the host's key is not known: ED25519 SHA256:<fingerprint> (127.0.0.1:<port>) [host_key_unknown]
    hint: compare the fingerprint with one from a trusted source, then: ssh-keyscan -p <port> 127.0.0.1 >> ~/.ssh/known_hosts

    == not for this one
    exit code: 3
    --- stderr
    h1: the host's key is not known: ED25519 SHA256:<fingerprint> (127.0.0.1:<port>) [host_key_unknown]
    hint: compare the fingerprint with one from a trusted source, then: ssh-keyscan -p <port> 127.0.0.1 >> ~/.ssh/known_hosts
    exec echo in · h1 · 1 unreachable  <time>
      h1  unreachable  <time>

    h1: the host's key is not known: ED25519 SHA256:<fingerprint> (127.0.0.1:<port>) [host_key_unknown]
    hint: compare the fingerprint with one from a trusted source, then: ssh-keyscan -p <port> 127.0.0.1 >> ~/.ssh/known_hosts

    == a broken line
    exit code: 3
    --- stderr
    warning: known_hosts:1: unusable line: the key is not valid base64, it may be cut off
    h1: cannot check the host's key: known_hosts:1: a line about this host is unusable: the key is not valid base64, it may be cut off (127.0.0.1:<port>) [host_key_store]
    hint: correct or delete line 1 of known_hosts
    exec echo in · h1 · 1 unreachable  <time>
      h1  unreachable  <time>

    h1: cannot check the host's key: known_hosts:1: a line about this host is unusable: the key is not valid base64, it may be cut off (127.0.0.1:<port>) [host_key_store]
    hint: correct or delete line 1 of known_hosts
    ");
}

fn with_known_hosts(sshd: &Sshd, known_hosts: String) -> crate::support::Ran {
    let own = sshd.known_hosts().display().to_string();
    let fan = fan(sshd).file("inventory.yaml", sshd.inventory_yaml(1).replace(&own, "known_hosts"));
    fan.file("known_hosts", known_hosts).run(["exec", "-H", "h1", "--", "echo in"])
}

/// The same file with the names hashed, as `HashKnownHosts` writes it.
fn hashed(known_hosts: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("known_hosts");
    std::fs::write(&path, known_hosts).unwrap();
    let mut command = std::process::Command::new("ssh-keygen");
    command.arg("-H").arg("-f").arg(&path);
    assert_eq!(crate::support::output(command, b"").code, Some(0));
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("|1|"), "{text}");
    text
}

#[test]
fn a_store_that_cannot_be_read_trusts_nobody() {
    let sshd = Sshd::builder().counting_logins().start();
    let own = sshd.known_hosts().display().to_string();
    let fan = fan(&sshd).file("inventory.yaml", sshd.inventory_yaml(1).replace(&own, "folder"));
    std::fs::create_dir(fan.work().join("folder")).unwrap();
    let ran = fan.run(["exec", "-H", "h1", "--", "true"]);
    insta::assert_snapshot!(ran.snapshot(), @"
    exit code: 3
    --- stderr
    h1: cannot check the host's key: folder is a directory, not a file of host keys (127.0.0.1:<port>) [host_key_store]
    hint: name another file with `known_hosts`
    exec true · h1 · 1 unreachable  <time>
      h1  unreachable  <time>

    h1: cannot check the host's key: folder is a directory, not a file of host keys (127.0.0.1:<port>) [host_key_store]
    hint: name another file with `known_hosts`
    ");
    assert_eq!(sshd.logins(), [""; 0], "{}", sshd.log());
}

/// A default sshd drops connections at random once ten are not logged in.
#[test]
fn sixty_names_of_one_server_are_no_crowd() {
    let sshd = Sshd::start();
    let fan = Fan::new().file("inventory.yaml", crowd(&sshd, 60));
    let ran = fan.run(["exec", "-H", "all", "--format", "jsonl", "--", "echo in"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let events = ran.events();
    let is_retry = |fact: &Fact| matches!(fact, Fact::ConnectRetried { .. });
    assert_eq!(events.iter().filter(|event| is_retry(&event.fact)).count(), 0, "{}", ran.stdout);
    let log = sshd.log();
    assert!(!log.contains("drop connection") && !log.contains("beginning MaxStartups"), "{log}");
    assert_eq!(sshd.connections(), 60);
}

/// One connection for all tasks of a run, and none for tasks that need none.
#[test]
fn one_connection_per_host() {
    let sshd = Sshd::start();
    let tasks = "tasks: {a: [uptime, uptime], b: [uptime], c: [{echo: here}, {local: 'true'}]}\n";
    let fan = fan(&sshd).file("tasks.yaml", tasks);
    let ran = fan.run(["run", "a", "b", "c", "-H", "h1"]);
    assert_eq!((ran.code, sshd.connections()), (Some(0), 1), "{}", ran.snapshot());
    let ran = fan.run(["run", "c", "-H", "h1"]);
    assert_eq!((ran.code, sshd.connections()), (Some(0), 1), "{}", ran.snapshot());
}
