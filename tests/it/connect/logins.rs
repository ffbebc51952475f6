//! Logins on real OpenSSH servers: keys, agents, and host keys that must be right before any login is tried.

use std::fmt::Write as _;
use std::process::Command;

use crate::fixtures::agent::{self, Agent};
use crate::fixtures::relay::Relay;
use crate::fixtures::sshd::{Sshd, keygen, public_key};
use crate::fixtures::support::{DEADLINE, Fan, Ran, inventory_defaults, not_run, output};

/// The inventory without the key.
fn keyless(sshd: &Sshd) -> String {
    sshd.inventory_yaml(1).replace(&format!("  identity: \"{}\"\n", sshd.identity().display()), "")
}

#[test]
fn a_key_of_the_agent() {
    let sshd = Sshd::builder().counting_logins().start();
    let agent = Agent::start();
    agent.add(&sshd.identity(), &[]);
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
    assert!(ran.stderr.contains("there is no agent at /nonexistent/agent"), "{}", ran.snapshot());
    // A silent one is waited for no longer than everything up to the connection may take.
    let agent = Agent::silent_at(&[agent::LIST]);
    let fan = Fan::at(&sshd).env("SSH_AUTH_SOCK", agent.socket().to_str().unwrap());
    let ran = fan.run(["exec", "-t", "1", "-H", "h1", "--", "true"]);
    assert!(ran.stderr.contains("did not answer within 1 s"), "{}", ran.snapshot());
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
}

#[test]
fn keys_of_every_type() {
    let sshd = Sshd::start();
    let fan = Fan::at(&sshd);
    for (key_type, shown) in [("rsa", "RSA"), ("ecdsa", "NISTP256"), ("ed25519", "ED25519")] {
        let key = fan.work().join(key_type);
        keygen(&key, key_type);
        sshd.authorize(&public_key(&key.with_extension("pub")));
        let inventory = sshd.inventory_yaml(1).replace(sshd.identity().to_str().unwrap(), key_type);
        std::fs::write(fan.work().join("inventory.yaml"), inventory).unwrap();
        let ran = fan.run(["exec", "-v", "-H", "h1", "--", "echo in"]);
        assert_eq!((ran.stdout.as_str(), ran.code), ("h1 | in\n", Some(0)), "{}", ran.snapshot());
        assert!(ran.stderr.contains(&format!("by {shown} SHA256:")), "{}", ran.snapshot());
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
    let fan = Fan::at(&sshd);
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
    exec true · h1 · 1 unreachable  <time>
      h1  unreachable

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
    h1: the host's key is not known: ssh-ed25519 SHA256:<fingerprint> (127.0.0.1:<port>) [host_key_unknown]
    exec echo in · h1 · 1 unreachable  <time>
      h1  unreachable

    h1: the host's key is not known: ssh-ed25519 SHA256:<fingerprint> (127.0.0.1:<port>) [host_key_unknown]
    hint: compare the fingerprint with one from a trusted source, then: fan trust -H h1

    == another port
    exit code: 3
    --- stderr
    h1: the host's key is not known: ssh-ed25519 SHA256:<fingerprint> (127.0.0.1:<port>) [host_key_unknown]
    exec echo in · h1 · 1 unreachable  <time>
      h1  unreachable

    h1: the host's key is not known: ssh-ed25519 SHA256:<fingerprint> (127.0.0.1:<port>) [host_key_unknown]
    hint: compare the fingerprint with one from a trusted source, then: fan trust -H h1

    == changed
    exit code: 4
    --- stderr
    h1: HOST KEY CHANGED: the host shows ssh-ed25519 SHA256:<fingerprint>; recorded: ssh-ed25519 SHA256:<fingerprint>… [host_key_changed]
    exec echo in · h1 · 1 unreachable  <time>
      h1  unreachable

    h1: HOST KEY CHANGED: the host shows ssh-ed25519 SHA256:<fingerprint>; recorded: ssh-ed25519 SHA256:<fingerprint> at known_hosts:1 (127.0.0.1:<port>) [host_key_changed]
    hint: someone may be in the middle. If the host was reinstalled: ssh-keygen -R '[127.0.0.1]:<port>' -f known_hosts; then fan trust -H h1

    == changed and hashed
    exit code: 4
    --- stderr
    h1: HOST KEY CHANGED: the host shows ssh-ed25519 SHA256:<fingerprint>; recorded: ssh-ed25519 SHA256:<fingerprint>… [host_key_changed]
    exec echo in · h1 · 1 unreachable  <time>
      h1  unreachable

    h1: HOST KEY CHANGED: the host shows ssh-ed25519 SHA256:<fingerprint>; recorded: ssh-ed25519 SHA256:<fingerprint> at known_hosts:1 (127.0.0.1:<port>) [host_key_changed]
    hint: someone may be in the middle. If the host was reinstalled: ssh-keygen -R '[127.0.0.1]:<port>' -f known_hosts; then fan trust -H h1

    == another type
    exit code: 4
    --- stderr
    h1: HOST KEY CHANGED: the host shows ssh-ed25519 SHA256:<fingerprint>; recorded: ssh-rsa SHA256:<fingerprint>… [host_key_changed]
    exec echo in · h1 · 1 unreachable  <time>
      h1  unreachable

    h1: HOST KEY CHANGED: the host shows ssh-ed25519 SHA256:<fingerprint>; recorded: ssh-rsa SHA256:<fingerprint> at known_hosts:1 (127.0.0.1:<port>) [host_key_changed]
    hint: someone may be in the middle. If the host was reinstalled: ssh-keygen -R '[127.0.0.1]:<port>' -f known_hosts; then fan trust -H h1

    == revoked
    exit code: 4
    --- stderr
    h1: HOST KEY REVOKED: ssh-ed25519 SHA256:<fingerprint> is revoked at known_hosts:1 (127.0.0.1:<port>) [host_key_revoked]
    exec echo in · h1 · 1 unreachable  <time>
      h1  unreachable

    h1: HOST KEY REVOKED: ssh-ed25519 SHA256:<fingerprint> is revoked at known_hosts:1 (127.0.0.1:<port>) [host_key_revoked]
    hint: do not connect: the key was stolen or retired

    == revoked everywhere
    exit code: 4
    --- stderr
    h1: HOST KEY REVOKED: ssh-ed25519 SHA256:<fingerprint> is revoked at known_hosts:2 (127.0.0.1:<port>) [host_key_revoked]
    exec echo in · h1 · 1 unreachable  <time>
      h1  unreachable

    h1: HOST KEY REVOKED: ssh-ed25519 SHA256:<fingerprint> is revoked at known_hosts:2 (127.0.0.1:<port>) [host_key_revoked]
    hint: do not connect: the key was stolen or retired

    == an authority's
    exit code: 3
    --- stderr
    h1: the host shows a key without a certificate: ssh-ed25519 SHA256:<fingerprint> (127.0.0.1:<port>) [host_key_unknown]
    exec echo in · h1 · 1 unreachable  <time>
      h1  unreachable

    h1: the host shows a key without a certificate: ssh-ed25519 SHA256:<fingerprint> (127.0.0.1:<port>) [host_key_unknown]
    hint: a @cert-authority line covers this host: set HostCertificate in its sshd_config; or compare the fingerprint with one from a trusted source, then: fan trust -H h1

    == not for this one
    exit code: 3
    --- stderr
    h1: the host's key is not known: ssh-ed25519 SHA256:<fingerprint> (127.0.0.1:<port>) [host_key_unknown]
    exec echo in · h1 · 1 unreachable  <time>
      h1  unreachable

    h1: the host's key is not known: ssh-ed25519 SHA256:<fingerprint> (127.0.0.1:<port>) [host_key_unknown]
    hint: compare the fingerprint with one from a trusted source, then: fan trust -H h1

    == a broken line
    exit code: 3
    --- stderr
    warning: known_hosts:1: unusable line: the key is not valid base64, it may be cut off
    h1: cannot check the host's key: known_hosts:1: a line about this host is unusable: the key is not valid base64, it may be cut off (127.0.0.1:<port>) [host_key_store]
    exec echo in · h1 · 1 unreachable  <time>
      h1  unreachable

    h1: cannot check the host's key: known_hosts:1: a line about this host is unusable: the key is not valid base64, it may be cut off (127.0.0.1:<port>) [host_key_store]
    hint: correct or delete line 1 of known_hosts
    ");
}

fn with_known_hosts(sshd: &Sshd, known_hosts: String) -> Ran {
    let own = sshd.known_hosts().display().to_string();
    let fan = Fan::at(sshd).file("inventory.yaml", sshd.inventory_yaml(1).replace(&own, "known_hosts"));
    fan.file("known_hosts", known_hosts).run(["exec", "-H", "h1", "--", "echo in"])
}

/// The same file with the names hashed, as `HashKnownHosts` writes it.
fn hashed(known_hosts: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("known_hosts");
    std::fs::write(&path, known_hosts).unwrap();
    let mut command = Command::new("ssh-keygen");
    command.arg("-H").arg("-f").arg(&path);
    assert_eq!(output(command, b"").code, Some(0));
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("|1|"), "{text}");
    text
}

#[test]
fn a_store_that_cannot_be_read_trusts_nobody() {
    let sshd = Sshd::builder().counting_logins().start();
    let own = sshd.known_hosts().display().to_string();
    let fan = Fan::at(&sshd).file("inventory.yaml", sshd.inventory_yaml(1).replace(&own, "folder"));
    std::fs::create_dir(fan.work().join("folder")).unwrap();
    let ran = fan.run(["exec", "-H", "h1", "--", "true"]);
    insta::assert_snapshot!(ran.snapshot(), @"
    exit code: 3
    --- stderr
    h1: cannot check the host's key: folder is a directory, not a file of host keys (127.0.0.1:<port>) [host_key_store]
    exec true · h1 · 1 unreachable  <time>
      h1  unreachable

    h1: cannot check the host's key: folder is a directory, not a file of host keys (127.0.0.1:<port>) [host_key_store]
    hint: name another file with `known_hosts`
    ");
    assert_eq!(sshd.logins(), [""; 0], "{}", sshd.log());
}

#[test]
fn a_server_that_loses_patience() {
    let sshd = Sshd::builder().line("MaxAuthTries 2").counting_logins().start();
    let (agent, fan) = (Agent::start(), Fan::at(&sshd));
    for name in ["one", "two", "three", "four"] {
        keygen(&fan.work().join(name), "ed25519");
        agent.add(&fan.work().join(name), &[]);
    }
    let fan =
        fan.env("SSH_AUTH_SOCK", agent.socket().to_str().unwrap()).file("inventory.yaml", keyless(&sshd));
    let ran = fan.run(["exec", "-H", "h1", "--", "true"]);
    assert_eq!(ran.code, Some(3), "{}", ran.snapshot());
    assert!(ran.stderr.contains("[auth_exhausted]"), "{}", ran.snapshot());
    assert!(ran.stderr.contains("hint: name the right key with `identity:`"), "{}", ran.snapshot());
    assert_eq!((sshd.connections(), sshd.logins().len()), (1, 2), "{}", sshd.log());
}

/// What a server has to say before the login is shown when it is refused, and cannot act.
#[test]
fn the_banner_of_a_refused_login() {
    let banner = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(banner.path(), "Authorised staff only \x1b[2J\n").unwrap();
    let sshd = Sshd::builder().line(&format!("Banner {}", banner.path().display())).start();
    let ran = Fan::at(&sshd).run(["exec", "-H", "h1", "--", "echo in"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "h1 | in\n"), "{}", ran.snapshot());
    assert!(!ran.stderr.contains("Authorised"), "{}", ran.snapshot());
    let fan = Fan::at(&sshd);
    keygen(&fan.work().join("other"), "ed25519");
    let inventory = sshd.inventory_yaml(1).replace(sshd.identity().to_str().unwrap(), "other");
    let ran = fan.file("inventory.yaml", inventory).run(["exec", "-H", "h1", "--", "echo in"]);
    assert_eq!(ran.code, Some(3), "{}", ran.snapshot());
    assert!(ran.stderr.contains("the server says: Authorised staff only"), "{}", ran.snapshot());
    assert!(!ran.stderr.contains('\x1b'), "{:?}", ran.stderr);
}

#[test]
fn a_server_of_long_ago() {
    let sshd = Sshd::builder().line("Ciphers aes128-cbc,3des-cbc").start();
    let ran = Fan::at(&sshd).run(["exec", "-H", "h1", "--", "true"]);
    assert_eq!(ran.code, Some(3), "{}", ran.snapshot());
    for said in ["no common cipher algorithm: fan has ", "; the server has aes128-cbc, 3des-cbc ", "[kex]"] {
        assert!(ran.stderr.contains(said), "{}", ran.snapshot());
    }
}

/// A connection that is cut in the login, wherever, is the network's fault and not the key's: it is opened again when
/// nothing was refused yet, and no key is blamed.
#[test]
fn a_login_that_is_cut_is_opened_again() {
    let sshd = Sshd::start();
    let server = sshd.addresses()[0];
    let yaml = |port: u16, retries: u32| {
        let mut yaml = inventory_defaults(sshd.user(), &sshd.identity(), &sshd.known_hosts());
        let key = sshd.host_key("ed25519");
        write!(yaml, "  host_key: \"{key}\"\n  retries: {retries}\n").unwrap();
        write!(yaml, "hosts:\n  h1: {{address: 127.0.0.1, port: {port}}}\n").unwrap();
        yaml
    };
    let mut cuts = 0;
    for after in (0..4000).step_by(130) {
        let relay = Relay::to(server, move |_| Some(after));
        let fan = Fan::new().file("inventory.yaml", yaml(relay.port(), 0));
        let ran = fan.run(["exec", "-H", "h1", "--", "true"]);
        if ran.code == Some(3) {
            let kinds = ["[connect_reset]", "[connection_lost]"];
            assert!(kinds.iter().any(|kind| ran.stderr.contains(kind)), "{after}: {}", ran.snapshot());
            assert_eq!(relay.connections(), 1);
            cuts += 1;
        }
        let relay = Relay::to(server, move |number| (number == 1).then_some(after));
        let fan = Fan::new().file("inventory.yaml", yaml(relay.port(), 2));
        let again = fan.run(["exec", "-H", "h1", "--", "true"]);
        if ran.stderr.contains("[connect_reset]") {
            assert_eq!((again.code, relay.connections()), (Some(0), 2), "{after}: {}", again.snapshot());
        }
    }
    assert!(cuts > 15, "{cuts}");
}

/// A server that takes long to look keys up gets the time that the host's settings say, and no more.
#[test]
fn a_slow_login_has_a_deadline_of_its_own() {
    let user = String::from_utf8(output(Command::new("whoami"), b"").stdout).unwrap();
    let sshd = Sshd::builder()
        .line("AuthorizedKeysFile none")
        .line("AuthorizedKeysCommand /bin/sh -c \"sleep 2; echo %t %k\"")
        .line(&format!("AuthorizedKeysCommandUser {}", user.trim()))
        .start();
    let with = |settings: &str| {
        let yaml = sshd.inventory_yaml(1).replace("defaults:\n", &format!("defaults:\n{settings}"));
        Fan::new().file("inventory.yaml", yaml)
    };
    let call = ["exec", "-H", "h1", "--", "true"];
    for (settings, flags) in [
        ("  auth_timeout: 1s\n", &[][..]),
        ("  connect_timeout: 1s\n", &[]),
        ("  auth_timeout: 60s\n", &["-t", "1"]),
    ] {
        let ran = with(settings).run(call.iter().take(1).chain(flags).chain(call.iter().skip(1)));
        assert_eq!(ran.code, Some(3), "{settings}: {}", ran.snapshot());
        assert!(ran.stderr.contains("the login did not end within 1 s"), "{settings}: {}", ran.snapshot());
        assert!(ran.stderr.contains("[auth_timeout]"), "{settings}: {}", ran.snapshot());
    }
    for settings in ["  auth_timeout: 50s\n  connect_timeout: 2s\n", "  connect_timeout: 50s\n", ""] {
        let ran = with(settings).run(call);
        assert_eq!(ran.code, Some(0), "{settings}: {}", ran.snapshot());
    }
}

/// Somebody without a name is nobody's login: fan does not guess one.
#[test]
fn who_has_no_name_has_to_give_one() {
    let mut probe = Command::new("unshare");
    probe.args(["--user", "--map-user=54321", "true"]);
    if output(probe, b"").code != Some(0) {
        not_run("a user without a name", "no user namespace can be made here");
        return;
    }
    let hosts = "hosts:\n  h1: {address: 127.0.0.1, port: 1, retries: 0}\n  l: {transport: local}\n";
    let nameless = |fan: Fan| fan.under(&["unshare", "--user", "--map-user=54321"]);
    let fan = nameless(Fan::new().file("inventory.yaml", hosts));
    let ran = fan.run(["exec", "-H", "h1", "--", "true"]);
    assert_eq!(ran.code, Some(2), "{}", ran.snapshot());
    assert!(ran.stderr.contains("no login name: set user"), "{}", ran.snapshot());
    let ran = fan.run(["exec", "-u", "me", "-H", "h1", "--", "true"]);
    assert!(ran.stderr.contains("[connect_refused]"), "{}", ran.snapshot());
    let ran = fan.run(["exec", "-N", "-H", "l", "--", "echo in"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "in\n"), "{}", ran.snapshot());
}

/// A resolver that fails for now is asked again, whatever the C library calls that.
#[test]
fn a_name_is_looked_up_again_when_the_resolver_fails() {
    let mut probe = Command::new("unshare");
    probe.args(["--user", "--map-root-user", "--net", "true"]);
    if output(probe, b"").code != Some(0) {
        not_run("a machine without a resolver", "no network namespace can be made here");
        return;
    }
    let hosts = "defaults: {user: me, retries: 1}\nhosts: {h1: {address: web1.example.com}}\n";
    let fan =
        Fan::new().file("inventory.yaml", hosts).under(&["unshare", "--user", "--map-root-user", "--net"]);
    let ran = fan.run(["exec", "--format", "jsonl", "-H", "h1", "--", "true"]);
    assert_eq!(ran.code, Some(3), "{}", ran.snapshot());
    assert_eq!(ran.stdout.matches("\"connect_retried\"").count(), 1, "{}", ran.snapshot());
    assert!(ran.stdout.contains("\"kind\":\"dns\""), "{}", ran.snapshot());
    assert!(ran.stdout.contains("the resolver failed temporarily"), "{}", ran.snapshot());
}

/// A ProxyCommand that cannot do its part is named, with what it said; it is run once.
#[test]
fn a_proxy_command_that_fails() {
    let fan = Fan::new()
        .file("inventory.yaml", "defaults: {user: me}\nhosts:\n  h1: {address: 192.0.2.1}\n")
        .file("missing", "Host *\n  ProxyCommand no-such-program-at-all %h\n")
        .file(
            "fails",
            "Host *\n  ProxyCommand sh -c 'echo x >> runs; echo first >&2; printf \"no \\033[31mway\\n\" >&2; exit 9'\n",
        )
        .file("late", "Host *\n  ProxyCommand sh -c 'echo SSH-2.0-x; echo gone >&2; exit 3'\n");
    for (config, said) in [
        ("missing", &["\"no-such-program-at-all 192.0.2.1\" ended with exit status 127: ", "not found"][..]),
        ("fails", &["ended with exit status 9: no ", "h1: ProxyCommand: first"]),
        ("late", &["ended with exit status 3: gone"]),
    ] {
        let ran = fan.run(["exec", "--ssh-config", config, "-H", "h1", "--", "true"]);
        assert_eq!(ran.code, Some(3), "{config}: {}", ran.snapshot());
        for said in said.iter().chain(&["[proxy_command]"]) {
            assert!(ran.stderr.contains(said), "{config}: {said}: {}", ran.snapshot());
        }
        assert!(!ran.stderr.contains('\x1b') && !ran.stderr.contains("attempt"), "{}", ran.snapshot());
    }
    assert_eq!(std::fs::read_to_string(fan.work().join("runs")).unwrap(), "x\n");
}

#[test]
fn a_proxy_command_that_leads_nowhere_is_named() {
    let command = |name: &str, line: &str| (name.to_owned(), format!("Host *\n  ProxyCommand {line}\n"));
    let mut fan =
        Fan::new().file("inventory.yaml", "defaults: {user: me}\nhosts:\n  h1: {address: 192.0.2.1}\n");
    let cases = [
        (command("nothing", "true"), "[connect_reset]"),
        (command("words", "echo proxy says no"), "[banner]"),
        (command("silence", "sleep 1000"), "[banner]"),
        (command("closed", "sh -c 'exec >&-; sleep 1000'"), "[connect_reset]"),
    ];
    for ((name, config), _) in &cases {
        fan = fan.file(name, config);
    }
    for ((name, config), kind) in &cases {
        let ran = fan.run(["exec", "-t", "2", "--ssh-config", name, "-H", "h1", "--", "true"]);
        assert_eq!(ran.code, Some(3), "{name}: {}", ran.snapshot());
        let line = config.lines().nth(1).unwrap().trim().trim_start_matches("ProxyCommand ");
        for said in [&format!("over the ProxyCommand \"{line}\""), *kind, "run it by itself in a shell"] {
            assert!(ran.stderr.contains(said), "{name}: {said}: {}", ran.snapshot());
        }
    }
}

#[test]
fn a_proxy_command_that_hangs_leaves_nothing_behind() {
    let fan = Fan::new()
        .file("inventory.yaml", "defaults: {user: me}\nhosts:\n  h1: {address: 192.0.2.1}\n")
        .file("config", "Host *\n  ProxyCommand sh -c 'exec 3>held; sleep 1000; :'\n");
    let held = fan.work().join("held");
    let mut mkfifo = Command::new("mkfifo");
    mkfifo.arg(&held);
    assert_eq!(output(mkfifo, b"").code, Some(0));
    let (tell, told) = std::sync::mpsc::channel();
    // Whoever the command started holds it open.
    std::thread::spawn(move || tell.send(std::fs::read(held).unwrap()));
    let ran = fan.run(["exec", "-t", "2", "--ssh-config", "config", "-H", "h1", "--", "true"]);
    assert_eq!(ran.code, Some(3), "{}", ran.snapshot());
    assert_eq!(told.recv_timeout(DEADLINE).expect("what the command started is gone"), b"");
}
