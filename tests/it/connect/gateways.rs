//! Hosts behind gateways: real OpenSSH servers as bastions, and what happens when they refuse, lie or die.

use std::fmt::Write as _;
use std::fs;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Command;

use fan::testing::event::{Event, Fact, GatewayFact, HostOutcome};
use fan::testing::model::outcome::{Kind, Status};
use fan::testing::sandbox::Behaviour;
use rustix::process::{Signal, kill_process};
use tempfile::TempDir;

use crate::fixtures::sshd::Sshd;
use crate::fixtures::support::{Fan, Ran, eventually, inventory_defaults, output, peak_memory, sandbox};

/// The entry of a gateway in an inventory, with a key and known host keys of its own.
fn entry(name: &str, bastion: &Sshd, more: &str) -> String {
    entry_with(name, bastion, &bastion.identity(), &bastion.known_hosts(), more)
}

fn entry_with(name: &str, bastion: &Sshd, identity: &Path, known_hosts: &Path, more: &str) -> String {
    format!(
        "  {name}: {{address: 127.0.0.1, port: {}, user: {}, identity: \"{}\", known_hosts: \"{}\", {more}}}\n",
        bastion.port(),
        bastion.user(),
        identity.display(),
        known_hosts.display()
    )
}

/// The `defaults:` of hosts on this server, and more of them; then `hosts:`.
fn defaults(target: &Sshd, more: &str) -> String {
    let own = inventory_defaults(target.user(), &target.identity(), &target.known_hosts());
    format!("{own}  port: {}\n{more}hosts:\n", target.port())
}

/// Hosts `t1` to `tN` on one server, behind the host `bastion`.
fn behind(bastion: &Sshd, target: &Sshd, hosts: usize) -> String {
    let mut yaml = defaults(target, "  gateway: bastion\n");
    yaml += &entry("bastion", bastion, "gateway: none");
    writeln!(yaml, "  t[1-{hosts}]: {{address: 127.0.0.1}}").unwrap();
    yaml
}

/// The same for those whose keys stand in one file.
fn behind_knowing(bastion: &Sshd, target: &Sshd, hosts: usize, known: &Path) -> String {
    let mut yaml = inventory_defaults(target.user(), &target.identity(), known);
    writeln!(yaml, "  port: {}\n  gateway: bastion\nhosts:", target.port()).unwrap();
    yaml += &entry_with("bastion", bastion, &bastion.identity(), known, "gateway: none");
    writeln!(yaml, "  t[1-{hosts}]: {{address: 127.0.0.1}}").unwrap();
    yaml
}

/// fan with this inventory.
fn fan(inventory: &str) -> Fan {
    Fan::new().file("inventory.yaml", inventory)
}

/// Runs a command on all hosts whose name begins with `t`.
fn exec(fan: &Fan, args: &[&str], command: &str) -> Ran {
    fan.run([&["exec", "-H", "t*", "--format", "jsonl"], args, &["--", command]].concat())
}

fn outcomes(events: &[Event]) -> Vec<(&str, &HostOutcome)> {
    let finished = events.iter().filter_map(|event| match &event.fact {
        Fact::HostFinished { host, outcome } => Some((host.as_str(), outcome)),
        _ => None,
    });
    finished.collect()
}

/// How many hosts ended so, for this reason.
fn ended(events: &[Event], status: Status, kind: Option<Kind>) -> usize {
    let fits = |outcome: &HostOutcome| {
        outcome.status == status && outcome.failure.as_ref().map(|failure| failure.kind) == kind
    };
    outcomes(events).iter().filter(|(_, outcome)| fits(outcome)).count()
}

/// How often a gateway was connected, and how often it failed.
fn gateways(events: &[Event]) -> (usize, usize) {
    let count = |is: fn(&Fact) -> bool| events.iter().filter(|event| is(&event.fact)).count();
    (
        count(|fact| matches!(fact, Fact::Gateway(_, GatewayFact::Connected { .. }))),
        count(|fact| matches!(fact, Fact::Gateway(_, GatewayFact::Failed { .. }))),
    )
}

fn logins(sshd: &Sshd) -> usize {
    sshd.log().matches("Accepted publickey for").count()
}

/// No login was even begun.
fn assert_no_login(sshd: &Sshd) {
    let log = sshd.log();
    for sign in ["Accepted", "Failed", "Postponed", "authenticating user", "Invalid user"] {
        assert!(!log.contains(sign), "{sign}:\n{log}");
    }
}

#[test]
fn thirty_hosts_share_one_connection_to_their_gateway() {
    let (bastion, target) = (Sshd::start(), Sshd::start());
    let ran = exec(&fan(&behind(&bastion, &target, 30)), &[], "echo in");
    let events = ran.events();
    assert_eq!((ran.code, ended(&events, Status::Ok, None)), (Some(0), 30), "{}", ran.stdout);
    assert_eq!((bastion.connections(), gateways(&events)), (1, (1, 0)));
    assert_eq!(target.connections(), 30);
    assert!(!target.log().contains("drop connection"), "{}", target.log());
}

#[test]
fn two_hops_from_the_flag_and_from_the_inventory() {
    let (outer, inner, target) = (Sshd::start(), Sshd::start(), Sshd::start());
    let hosts = |inner_gateway: &str| {
        entry("outer", &outer, "gateway: none")
            + &entry("inner", &inner, inner_gateway)
            + "  t[1-5]: {address: 127.0.0.1}\n"
    };
    let flat = defaults(&target, "") + &hosts("gateway: none");
    let chained = defaults(&target, "  gateway: inner\n") + &hosts("gateway: outer");
    let listed = defaults(&target, "  gateway: [outer, inner]\n") + &hosts("gateway: none");
    for (run, (yaml, args)) in
        [(flat, &["-g", "outer,inner"][..]), (chained, &[]), (listed, &[])].into_iter().enumerate()
    {
        let ran = exec(&fan(&yaml), args, "echo in");
        let events = ran.events();
        assert_eq!((ran.code, ended(&events, Status::Ok, None)), (Some(0), 5), "{}", ran.stdout);
        assert_eq!(gateways(&events), (2, 0));
        assert_eq!((outer.connections(), inner.connections()), (run + 1, run + 1));
    }
}

#[test]
fn ways_to_name_a_gateway() {
    let (bastion, target) = (Sshd::start(), Sshd::start());
    // For a gateway that is in no inventory, the defaults count.
    let yaml = format!(
        "defaults:\n  user: {}\n  identity: [\"{}\", \"{}\"]\n  known_hosts: [\"{}\", \"{}\"]\n  port: {}\n\
         hosts:\n  t[1-3]: {{address: 127.0.0.1}}\n{}",
        target.user(),
        target.identity().display(),
        bastion.identity().display(),
        target.known_hosts().display(),
        bastion.known_hosts().display(),
        target.port(),
        entry("bastion", &bastion, "gateway: none"),
    );
    let config = |last: &str| {
        format!(
            "Host jump\n  HostName 127.0.0.1\n  Port {}\n  User {}\n  IdentityFile {}\n  UserKnownHostsFile {}\n\
             Host t?\n  {last}\n",
            bastion.port(),
            bastion.user(),
            bastion.identity().display(),
            bastion.known_hosts().display(),
        )
    };
    let proxy = format!(
        "ProxyCommand ssh -F none -o IdentityAgent=none -o UserKnownHostsFile={} -i {} -p {} -W %h:%p {}@127.0.0.1",
        bastion.known_hosts().display(),
        bastion.identity().display(),
        bastion.port(),
        bastion.user()
    );
    let fan = fan(&yaml)
        .file("jump.conf", config("ProxyJump jump"))
        .file("proxy.conf", config(&proxy))
        .file("url.conf", config(&format!("ProxyJump {}@127.0.0.1:{}", bastion.user(), bastion.port())));
    let written = format!("{}@127.0.0.1:{}", bastion.user(), bastion.port());
    let mut expected = 0;
    for (args, connections) in [
        (&["-g", "bastion"][..], 1),
        (&["-J", "bastion"], 1),
        (&["-g", &written], 1),
        (&["--ssh-config", "jump.conf"], 1),
        (&["--ssh-config", "url.conf"], 1),
        // Each host runs a command of its own.
        (&["--ssh-config", "proxy.conf"], 3),
        // The flag is stronger, also when it says that there is none.
        (&["--ssh-config", "jump.conf", "-g", "none"], 0),
    ] {
        let ran = exec(&fan, args, "echo in");
        assert_eq!(ran.code, Some(0), "{args:?} {}\n{}", ran.stdout, ran.stderr);
        assert_eq!(ended(&ran.events(), Status::Ok, None), 3);
        expected += connections;
        assert_eq!(bastion.connections(), expected, "{args:?}\n{}\n{}", ran.stdout, bastion.log());
    }
}

#[test]
fn each_hop_has_its_own_user_and_key() {
    let rt = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let bastion = Sshd::start();
    rt.block_on(async {
        let targets = sandbox([("t1", Behaviour::Normal), ("t2", Behaviour::Normal)]).await;
        let mut yaml = inventory_defaults("somebody-else", targets.identity(), targets.known_hosts());
        yaml += "  gateway: bastion\nhosts:\n";
        yaml += &entry("bastion", &bastion, "gateway: none");
        for host in targets.hosts() {
            writeln!(yaml, "  {}: {{address: 127.0.0.1, port: {}}}", host.name, host.address.port()).unwrap();
        }
        // A flag is about the targets, not about their gateway.
        let ran = exec(&fan(&yaml), &["-u", "deploy"], "echo in");
        assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
        assert_eq!((bastion.connections(), logins(&bastion)), (1, 1));
    });
}

#[test]
fn a_gateway_with_another_key_gets_no_login_and_its_hosts_no_visit() {
    let (bastion, target, other) = (Sshd::start(), Sshd::start(), Sshd::start());
    let known = format!("[127.0.0.1]:{} {}\n", bastion.port(), other.host_key("ed25519"));
    let fan = Fan::new().file("known", known);
    let yaml = defaults(&target, "  gateway: bastion\n")
        + &entry_with("bastion", &bastion, &bastion.identity(), &fan.work().join("known"), "gateway: none")
        + "  t[1-9]: {address: 127.0.0.1}\n";
    let ran = exec(&fan.file("inventory.yaml", yaml), &[], "echo in");
    let events = ran.events();
    assert_eq!(ran.code, Some(4), "{}", ran.stdout);
    assert_eq!(ended(&events, Status::Unreachable, Some(Kind::HostKeyChanged)), 9, "{}", ran.stdout);
    assert_eq!((gateways(&events), bastion.connections(), target.connections()), ((0, 1), 1, 0));
    assert_no_login(&bastion);
}

#[test]
fn a_target_with_another_key_is_refused_alone() {
    let (bastion, target) = (Sshd::start(), Sshd::builder().hosts(2).start());
    let known = format!("[127.0.0.2]:{} {}\n", target.port(), bastion.host_key("ed25519"));
    let fan = Fan::new().file("known", known);
    let yaml = behind(&bastion, &target, 3)
        + &format!("  t4: {{address: 127.0.0.2, known_hosts: \"{}\"}}\n", fan.work().join("known").display());
    let ran = exec(&fan.file("inventory.yaml", yaml), &[], "echo in");
    let events = ran.events();
    assert_eq!(ran.code, Some(4), "{}", ran.stdout);
    assert_eq!(ended(&events, Status::Ok, None), 3);
    assert_eq!(ended(&events, Status::Unreachable, Some(Kind::HostKeyChanged)), 1);
    assert_eq!((gateways(&events), logins(&target)), ((1, 0), 3));
}

/// A host that is turned away from must not go on waiting for a login that never comes.
#[test]
fn a_refused_target_is_let_go_by_its_gateway() {
    let (bastion, target) = (Sshd::start(), Sshd::start());
    let yaml = behind(&bastion, &target, 1)
        + &format!("  u1: {{address: 127.0.0.1, known_hosts: \"{}\"}}\n", bastion.known_hosts().display());
    let folder = tempfile::tempdir().unwrap();
    let go = folder.path().join("go");
    let fan = fan(&yaml);
    let command = format!("while ! test -e {}; do sleep 0.1; done", go.display());
    let started = fan.start(["exec", "--format", "jsonl", "-H", "u1,t1", "--", &command]);
    // t1 keeps the gateway's connection open.
    eventually("the refused host hears of its end", || {
        let log = target.log();
        let left = ["Connection closed by", "Connection reset by", "Received disconnect from"];
        (log.contains("Accepted publickey") && left.iter().any(|sign| log.contains(sign))).then_some(())
    });
    fs::write(go, "").unwrap();
    assert_eq!(started.finish().code, Some(3));
}

#[test]
fn a_gateway_that_refuses_the_login_is_told_of_once() {
    let (bastion, target) = (Sshd::start(), Sshd::start());
    let yaml = defaults(&target, "  gateway: bastion\n")
        + &entry_with("bastion", &bastion, &target.identity(), &bastion.known_hosts(), "gateway: none")
        + "  t[1-9]: {address: 127.0.0.1}\n";
    let ran = exec(&fan(&yaml), &[], "echo in");
    let events = ran.events();
    assert_eq!(ran.code, Some(3), "{}", ran.stdout);
    assert_eq!(ended(&events, Status::Unreachable, Some(Kind::Gateway)), 9, "{}", ran.stdout);
    assert_eq!((gateways(&events), bastion.connections(), target.connections()), ((0, 1), 1, 0));
    let lone = fan(&yaml).hide(bastion.port(), "<port>");
    let user = bastion.user();
    let lone = lone.hide(format!("as {user} "), "as <user> ").hide(format!("~{user}/"), "~<user>/");
    let lone = lone.run(["exec", "-H", "t1", "--", "echo in"]);
    insta::assert_snapshot!(lone.snapshot(), @"
    exit code: 3
    --- stderr
    gateway bastion: login as <user> was refused: tried ED25519 SHA256:<fingerprint>; the server allows publickey [auth_failed]
    exec echo in · t1 via bastion · 1 unreachable  <time>
      t1  unreachable

    t1: gateway bastion (127.0.0.1 port <port>): login as <user> was refused: tried ED25519 SHA256:<fingerprint>; the server allows publickey [gateway]
    hint: is one of these keys in ~<user>/.ssh/authorized_keys there?
    ");
}

#[test]
fn a_gateway_that_forwards_nothing_says_so() {
    let bastion = Sshd::builder().line("AllowTcpForwarding no").start();
    let target = Sshd::start();
    let yaml = behind(&bastion, &target, 2);
    let ran = exec(&fan(&yaml), &[], "echo in");
    let events = ran.events();
    assert_eq!(ran.code, Some(3), "{}", ran.stdout);
    assert_eq!(ended(&events, Status::Unreachable, Some(Kind::Gateway)), 2, "{}", ran.stdout);
    let said = format!("gateway bastion does not forward to 127.0.0.1:{}\"", target.port());
    assert!(ran.stdout.contains(&said) && ran.stdout.contains("AllowTcpForwarding"), "{}", ran.stdout);
    assert_eq!((gateways(&events), bastion.connections()), ((1, 0), 1));
}

#[test]
fn a_closed_port_behind_a_gateway_is_that_hosts_matter() {
    let (bastion, target) = (Sshd::start(), Sshd::start());
    let yaml = behind(&bastion, &target, 3) + "  t4: {address: 127.0.0.1, port: 1}\n";
    let ran = exec(&fan(&yaml), &[], "echo in");
    let events = ran.events();
    assert_eq!(ran.code, Some(3), "{}", ran.stdout);
    assert_eq!(ended(&events, Status::Ok, None), 3);
    assert_eq!(ended(&events, Status::Unreachable, Some(Kind::ConnectRefused)), 1, "{}", ran.stdout);
    assert_eq!(gateways(&events), (1, 0));
}

#[test]
fn new_keys_of_gateways_and_hosts_are_recorded_alike() {
    let (bastion, target) = (Sshd::start(), Sshd::start());
    let fan = Fan::new();
    let known = fan.work().join("known");
    let fan = fan.file("inventory.yaml", behind_knowing(&bastion, &target, 3, &known));
    let strict = exec(&fan, &[], "echo in");
    assert_eq!(strict.code, Some(3), "{}", strict.stdout);
    assert_no_login(&bastion);
    let new = exec(&fan, &["--host-keys", "accept-new"], "echo in");
    assert_eq!(new.code, Some(0), "{}\n{}", new.stdout, new.stderr);
    let mut lines: Vec<String> = fs::read_to_string(&known).unwrap().lines().map(ToOwned::to_owned).collect();
    let mut expected = [&bastion, &target]
        .map(|sshd| fs::read_to_string(sshd.known_hosts()).unwrap().trim_end().to_owned())
        .to_vec();
    lines.sort_unstable();
    expected.sort_unstable();
    assert_eq!(lines, expected);
    assert_eq!(exec(&fan, &["--host-keys", "strict"], "echo in").code, Some(0));
}

/// A host can be looked at only once its gateway is trusted.
#[test]
fn trust_collects_the_keys_of_gateways_before_those_of_their_hosts() {
    let (bastion, target) = (Sshd::start(), Sshd::start());
    let fan = Fan::new();
    let known = fan.work().join("known");
    let fan = fan.file("inventory.yaml", behind_knowing(&bastion, &target, 3, &known));
    let ran = fan.run(["trust", "-y", "-H", "t*"]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    assert_eq!(fs::read_to_string(&known).unwrap().lines().count(), 2, "{}", ran.snapshot());
    assert_eq!((logins(&bastion), logins(&target)), (1, 0));
    assert_eq!(exec(&fan, &[], "echo in").code, Some(0));
}

/// Commands that leave a mark and wait until they may end.
struct Waiting(TempDir);

impl Waiting {
    fn new() -> Self {
        Self(tempfile::Builder::new().prefix("fan-marks-").tempdir().unwrap())
    }

    fn command(&self) -> String {
        let folder = self.0.path().display();
        format!(": > {folder}/mark.$$; while test -d {folder} && ! test -e {folder}/go; do sleep 0.1; done")
    }

    fn marks(&self) -> usize {
        let names = fs::read_dir(self.0.path()).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter(|name| name.to_str().unwrap().starts_with("mark.")).count()
    }

    fn until(&self, marks: usize) {
        eventually("the commands run", || (self.marks() >= marks).then_some(()));
    }

    fn end(&self) {
        fs::write(self.0.path().join("go"), "").unwrap();
    }
}

/// Kills the processes that serve a server's connections.
fn cut(sshd: &Sshd) {
    let processes = sshd.connection_processes();
    assert_eq!(processes.len(), 1, "{processes:?}");
    for process in processes {
        kill_process(process, Signal::KILL).unwrap();
    }
}

#[test]
fn a_gateway_that_dies_takes_running_commands_and_is_opened_once_more() {
    let (bastion, target) = (Sshd::start(), Sshd::start());
    let waiting = Waiting::new();
    let fan = fan(&behind(&bastion, &target, 6));
    let started = fan.start(["exec", "-z", "3", "--format", "jsonl", "-H", "t*", "--", &waiting.command()]);
    waiting.until(3);
    cut(&bastion);
    waiting.until(6);
    waiting.end();
    let ran = started.finish();
    let events = ran.events();
    assert_eq!(ran.code, Some(1), "{}", ran.stdout);
    assert_eq!(ended(&events, Status::Ok, None), 3, "{}", ran.stdout);
    assert_eq!(ended(&events, Status::Unknown, Some(Kind::ConnectionLost)), 3, "{}", ran.stdout);
    assert_eq!((gateways(&events), bastion.connections()), ((2, 1), 2), "{}", ran.stdout);
}

#[test]
fn a_gateway_that_dies_takes_the_one_behind_it_along_and_both_are_opened_once_more() {
    let (outer, inner, target) = (Sshd::start(), Sshd::start(), Sshd::start());
    let yaml = defaults(&target, "  gateway: inner\n")
        + &entry("outer", &outer, "gateway: none")
        + &entry("inner", &inner, "gateway: outer")
        + "  t[1-4]: {address: 127.0.0.1}\n";
    let waiting = Waiting::new();
    let fan = fan(&yaml);
    let started = fan.start(["exec", "-z", "2", "--format", "jsonl", "-H", "t*", "--", &waiting.command()]);
    waiting.until(2);
    cut(&outer);
    waiting.until(4);
    waiting.end();
    let ran = started.finish();
    let events = ran.events();
    assert_eq!(ended(&events, Status::Ok, None), 2, "{}", ran.stdout);
    assert_eq!(ended(&events, Status::Unknown, Some(Kind::ConnectionLost)), 2, "{}", ran.stdout);
    assert_eq!((gateways(&events), outer.connections(), inner.connections()), ((4, 2), 2, 2));
}

#[test]
fn the_second_death_of_a_gateway_is_final() {
    let (bastion, target) = (Sshd::start(), Sshd::start());
    let waiting = Waiting::new();
    let fan = fan(&behind(&bastion, &target, 6));
    let started = fan.start(["exec", "-z", "2", "--format", "jsonl", "-H", "t*", "--", &waiting.command()]);
    waiting.until(2);
    cut(&bastion);
    waiting.until(4);
    cut(&bastion);
    let ran = started.finish();
    waiting.end();
    let events = ran.events();
    assert_eq!(ended(&events, Status::Unknown, Some(Kind::ConnectionLost)), 4, "{}", ran.stdout);
    assert_eq!(ended(&events, Status::Unreachable, Some(Kind::Gateway)), 2, "{}", ran.stdout);
    assert_eq!((gateways(&events), bastion.connections(), waiting.marks()), ((2, 2), 2, 4));
}

/// Bastion and targets have the limits of a default sshd.
#[test]
fn five_hundred_hosts_behind_one_default_gateway() {
    let (bastion, targets) = (Sshd::start(), [Sshd::start(), Sshd::start(), Sshd::start()]);
    let mut yaml = String::from("hosts:\n") + &entry("bastion", &bastion, "gateway: none");
    for (target, hosts) in targets.iter().zip(["t[1-166]", "t[167-332]", "t[333-500]"]) {
        yaml += &entry(hosts, target, "gateway: bastion");
    }
    let ran = exec(&fan(&yaml), &[], "true");
    let events = ran.events();
    assert_eq!((ran.code, ended(&events, Status::Ok, None)), (Some(0), 500), "{}", ran.stderr);
    assert_eq!((bastion.connections(), gateways(&events)), (1, (1, 0)));
    for server in targets.iter().chain([&bastion]) {
        assert!(!server.log().contains("drop connection"), "{}", server.log());
    }
}

/// The flood of one host, whose output nobody reads for a while, does not hold up the others on the way.
#[test]
fn a_flood_behind_a_gateway_holds_nobody_up() {
    const FLOOD: usize = 64 << 20;
    const BOUND: u64 = 24 << 20;
    let (bastion, target) = (Sshd::start(), Sshd::builder().hosts(2).start());
    let waiting = Waiting::new();
    let folder = waiting.0.path().display();
    let command = format!(
        "case \"$SSH_CONNECTION\" in *' 127.0.0.2 '*) : > {folder}/flood; yes | head -c {FLOOD};; \
         *) while ! test -e {folder}/flood; do sleep 0.1; done; sleep 1; : > {folder}/mark.$$;; esac"
    );
    let yaml = behind(&bastion, &target, 20) + "  t21: {address: 127.0.0.2}\n";
    let pipe = waiting.0.path().join("pipe");
    let mut mkfifo = Command::new("mkfifo");
    mkfifo.arg(&pipe);
    assert_eq!(output(mkfifo, b"").code, Some(0));
    // Held open, and not read from.
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let held = fs::OpenOptions::new().read(true).custom_flags(nonblocking).open(&pipe).unwrap();
    let fan = fan(&yaml).stdout_to(&pipe);
    let started = fan.start(["exec", "-N", "-H", "t*", "--", &command]);
    waiting.until(20);
    let reading = std::thread::spawn(move || {
        let mut reader = fs::File::open(pipe).unwrap();
        drop(held);
        std::io::copy(&mut Read::by_ref(&mut reader), &mut std::io::sink()).unwrap()
    });
    let mut peak = 0;
    let ran = started.finish_watched(|pid| peak = peak.max(peak_memory(pid)));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(reading.join().unwrap(), FLOOD as u64);
    assert!(peak < BOUND, "{peak} bytes");
}

#[test]
fn hosts_shows_the_way_to_a_host_and_who_said_so() {
    let config = "Host web1\n  ProxyJump jump\n  IdentityFile /keys/a\nHost web2\n  ProxyCommand nc %h %p\n";
    let yaml = "defaults:\n  password: {env: SECRET}\n  host_keys: accept-new\n\
                hosts:\n  web1:\n  web2: {certificate: /keys/c, forward_agent: true, password: {command: echo s3cret}}\n  \
                web3: {gateway: [a, b], on_disconnect: leave}\n";
    let fan = Fan::new().file("inventory.yaml", yaml).file("config", config).env("SECRET", "s3cret");
    let ran = fan.run(["hosts", "--ssh-config", "config", "-H", "web*"]);
    assert!(!ran.stdout.contains("s3cret"), "{}", ran.stdout);
    insta::assert_snapshot!(ran.snapshot(), @r#"
    exit code: 0
    --- stdout
    web1
      identity         ["/keys/a"]                      ssh_config (config:3:3)
      password         env SECRET                       defaults (inventory.yaml:2:3)
      gateway          jump                             ssh_config (config:2:3)
      host_keys        accept-new                       defaults (inventory.yaml:3:3)
    web2
      certificate      ["/keys/c"]                      host (inventory.yaml:6:10)
      forward_agent    true                             host (inventory.yaml:6:32)
      password         command                          host (inventory.yaml:6:53)
      proxy_command    nc web2 22                       ssh_config (config:5:3)
      host_keys        accept-new                       defaults (inventory.yaml:3:3)
    web3
      password         env SECRET                       defaults (inventory.yaml:2:3)
      gateway          a,b                              host (inventory.yaml:7:10)
      host_keys        accept-new                       defaults (inventory.yaml:3:3)
      on_disconnect    leave                            host (inventory.yaml:7:27)
    "#);
    let json = fan.run(["hosts", "--json", "--ssh-config", "config", "-H", "web1"]);
    assert!(json.stdout.contains("\"ssh_config (config:2:"), "{}", json.stdout);
}

#[test]
fn hosts_says_what_is_wrong_beside_what_it_shows() {
    let fan = Fan::new()
        .file("inventory.yaml", "hosts:\n  web1: {port: 2222}\n")
        .file("config", "Host web1\n  RemoteCommand rm -rf /\n");
    insta::assert_snapshot!(fan.run(["hosts", "--ssh-config", "config", "-H", "web1"]).snapshot(), @"
    exit code: 2
    --- stdout
    web1
      port             2222                             host (inventory.yaml:2:10)
    --- stderr
    config:2:3: error: RemoteCommand: it would run instead of fan's command
    ");
}

/// Many loud commands on one connection behind a gateway, whose output nobody reads for a while: what their windows
/// allow may pile up, and none is cut.
#[test]
fn loud_channels_of_one_host_behind_a_gateway_are_not_cut() {
    let (bastion, target) = (Sshd::start(), Sshd::start());
    let yaml = defaults(&target, "  gateway: bastion\n")
        + &entry("bastion", &bastion, "gateway: none")
        + "  far: {address: 127.0.0.1}\n  l[1-8]: {transport: local, gateway: none}\n";
    let line = "x".repeat(49);
    let tasks = format!("tasks: {{t: [{{run: 'yes {line} | head -c 6000000', on: far}}]}}\n");
    let fan = fan(&yaml).file("tasks.yaml", tasks).in_script("\"$@\" | (sleep 3; wc -c)");
    let ran = fan.run(["run", "t", "-N", "-H", "l*", "--format", "lines"]);
    assert_eq!(ran.stdout.trim(), "48000000", "{}", ran.stderr);
    assert_eq!((bastion.connections(), target.connections()), (1, 1), "{}", target.log());
}

/// A host that takes nothing any more in the middle of a transfer stalls its own, and not that of its neighbour on the
/// same gateway.
#[test]
fn a_host_that_stalls_behind_a_gateway_holds_nobody_up() {
    let (bastion, stalls, goes_on) = (Sshd::start(), Sshd::start(), Sshd::start());
    let yaml = String::from("hosts:\n")
        + &entry("bastion", &bastion, "gateway: none")
        + &entry("stalls", &stalls, "gateway: bastion")
        + &entry("goes-on", &goes_on, "gateway: bastion");
    let fan = fan(&yaml)
        .file("big", vec![7; 96 << 20])
        .file("tasks.yaml", "tasks: {t: [{put: big, to: '{{ dir }}/{{ host }}/big'}]}\n");
    let there = |host: &str| fan.work().join(host);
    for host in ["stalls", "goes-on"] {
        fs::create_dir(there(host)).unwrap();
    }
    let dir = format!("dir={}", fan.work().display());
    let started = fan.start(["run", "t", "-H", "stalls,goes-on", "-e", &dir]);
    eventually("the transfer has begun", || fs::read_dir(there("stalls")).unwrap().next().map(drop));
    let servers = stalls.connection_processes();
    servers.iter().for_each(|server| kill_process(*server, Signal::STOP).unwrap());
    assert!(!there("stalls").join("big").exists(), "it was stopped in the middle");
    eventually("the other one is there", || there("goes-on").join("big").exists().then_some(()));
    assert!(!there("stalls").join("big").exists());
    servers.iter().for_each(|server| kill_process(*server, Signal::CONT).unwrap());
    let ran = started.finish();
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
}
