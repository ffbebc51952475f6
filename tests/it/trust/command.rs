//! `fan trust`: shows what hosts present, and records what the user confirms.

use std::fs;

use tempfile::TempDir;

use crate::fixtures::relay::Relay;
use crate::fixtures::sshd::Sshd;
use crate::fixtures::support::Fan;
use crate::trust::fixture::{
    assert_no_login, fan, fingerprint, hide, inventory, known_hosts, lines_of, on_terminal, other_key, ping,
};

#[test]
fn trust_needs_a_yes() {
    let sshd = Sshd::start();
    let fan = fan(&sshd, "");
    insta::assert_snapshot!(fan.run(["trust"]).snapshot(), @r"
    exit code: 2
    --- stderr
    error: there is no terminal to ask on, or CI is set (help: -y trusts the keys the hosts present now)
    ");
    assert!(!sshd.log().contains("Connection from"), "{}", sshd.log());
}

#[test]
fn trust_shows_new_known_and_changed_keys_and_writes_the_new_ones() {
    let sshd = Sshd::builder().hosts(3).host_keys(&["ed25519", "ecdsa", "rsa"]).start();
    let folder = TempDir::new().unwrap();
    let (port, wrong) = (sshd.port(), other_key(folder.path(), "a", "ed25519"));
    let known = format!("[127.0.0.2]:{port} {}\n[127.0.0.3]:{port} {wrong}\n", sshd.host_key("ed25519"));
    let fan = fan(&sshd, &known).hide(fingerprint(&folder.path().join("a.pub")), "SHA256:<other>");
    let ran = fan.run(["trust", "-y"]);
    insta::assert_snapshot!(ran.snapshot(), @r"
    exit code: 4
    --- stderr
    h1  127.0.0.1:<port>
      new       ssh-ed25519          SHA256:<ed25519>
      new       ecdsa-sha2-nistp256  SHA256:<ecdsa>
      new       ssh-rsa              SHA256:<rsa>
    h2  127.0.0.2:<port>
      known     ssh-ed25519          SHA256:<ed25519>  <work>/known_hosts:1
      new       ecdsa-sha2-nistp256  SHA256:<ecdsa>
      new       ssh-rsa              SHA256:<rsa>
    h3  127.0.0.3:<port>
      CHANGED   ssh-ed25519          SHA256:<ed25519>
        host_key_changed: HOST KEY CHANGED: the host shows ssh-ed25519 SHA256:<ed25519>; recorded: ssh-ed25519 SHA256:<other> at <work>/known_hosts:2
      CHANGED   ecdsa-sha2-nistp256  SHA256:<ecdsa>
        host_key_changed: HOST KEY CHANGED: the host shows ecdsa-sha2-nistp256 SHA256:<ecdsa>; recorded: ssh-ed25519 SHA256:<other> at <work>/known_hosts:2
      CHANGED   ssh-rsa              SHA256:<rsa>
        host_key_changed: HOST KEY CHANGED: the host shows ssh-rsa SHA256:<rsa>; recorded: ssh-ed25519 SHA256:<other> at <work>/known_hosts:2
      hint: someone may be in the middle. If the host was reinstalled: ssh-keygen -R '[127.0.0.3]:<port>' -f <work>/known_hosts; then fan trust -H h3
    5 keys written to <work>/known_hosts
    ");
    let text = known_hosts(&fan);
    assert!(text.starts_with(&known), "{text}");
    let added = lines_of(&text[known.len()..]).join("\n").replace(&port.to_string(), "<port>");
    for key_type in ["ed25519", "ecdsa", "rsa"] {
        assert!(added.contains(&format!("[127.0.0.1]:<port> {}", sshd.host_key(key_type))), "{added}");
        let second = added.contains(&format!("[127.0.0.2]:<port> {}", sshd.host_key(key_type)));
        assert_eq!(second, key_type != "ed25519", "{added}");
    }
    assert!(!added.contains("127.0.0.3"), "{added}");
    let again = fan.run(["trust", "-y", "-x", "h3", "--json"]);
    assert_eq!(again.code, Some(0), "{}", again.snapshot());
    let json: serde_json::Value = serde_json::from_str(&again.stdout).unwrap();
    assert_eq!(json[0]["keys"][0]["standing"], "known");
    assert_eq!(json.as_array().unwrap().len(), 2);
    assert_no_login(&sshd);
}

#[test]
fn trust_says_what_it_could_not_reach() {
    let sshd = Sshd::start();
    let fan = fan(&sshd, "");
    let yaml = inventory(&sshd, &fan.work().join("known_hosts")) + "  gone: {address: 127.0.0.1, port: 1}\n";
    let fan = fan.file("inventory.yaml", yaml);
    let ran = fan.run(["trust", "-y"]);
    assert_eq!(ran.code, Some(3), "{}", ran.snapshot());
    assert!(ran.stderr.contains("connect_refused: connection refused"), "{}", ran.stderr);
    assert_eq!(known_hosts(&fan).lines().count(), 1);
}

#[test]
fn trust_asks_on_a_terminal() {
    let sshd = Sshd::builder().hosts(2).start();
    let fan = fan(&sshd, "");
    let no = on_terminal(&fan, "trust", "no\n");
    assert_eq!(no.code, Some(3), "{}", no.text);
    assert_eq!(known_hosts(&fan), "");
    let one = on_terminal(&fan, "trust", "h2\n");
    assert_eq!(one.code, Some(3), "{}", one.text);
    assert!(known_hosts(&fan).starts_with("[127.0.0.2]:"), "{}", known_hosts(&fan));
    let all = on_terminal(&fan, "trust", "yes\n");
    assert_eq!(all.code, Some(0), "{}", all.text);
    assert_eq!(known_hosts(&fan).lines().count(), 2);
}

#[test]
fn the_projects_file_goes_first_and_gets_new_keys() {
    let sshd = Sshd::builder().hosts(2).start();
    let fan = fan(&sshd, "");
    let project = fan.work().join("fan.known_hosts");
    let ran = fan.run(["trust", "-y", "--project", "-H", "h1"]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    assert_eq!(known_hosts(&fan), "");
    let text = fs::read_to_string(&project).unwrap();
    assert_eq!(text, format!("[127.0.0.1]:{} {}\n", sshd.port(), sshd.host_key("ed25519")));
    // From another folder, too: it belongs to the inventory, not to where one stands.
    fs::create_dir(fan.work().join("below")).unwrap();
    assert_eq!(ping(&fan, &["-x", "h2"]).code, Some(0));
    assert_eq!(ping(&fan, &["--host-keys", "accept-new"]).code, Some(0));
    assert_eq!(known_hosts(&fan), "");
    assert_eq!(fs::read_to_string(&project).unwrap().lines().count(), 2);
    // What cannot be read is no file that is not there.
    fs::remove_file(&project).unwrap();
    std::os::unix::fs::symlink("fan.known_hosts", &project).unwrap();
    let ran = ping(&fan, &["--host-keys", "accept-new"]);
    assert_eq!(ran.code, Some(3), "{}", ran.snapshot());
    assert!(ran.stderr.contains("host_key_store"), "{}", ran.stderr);
}

/// The operator knows the hosts by a file of their own, and the CI job has the project's alone.
#[test]
fn the_projects_file_gets_what_the_operators_own_file_knows() {
    let sshd = Sshd::builder().hosts(3).start();
    let line = |host: u8, key: &str| format!("[127.0.0.{host}]:{} {key}\n", sshd.port());
    let key = sshd.host_key("ed25519");
    let fan = fan(&sshd, &(line(1, &key) + &line(2, &key)));
    let project = fan.work().join("fan.known_hosts");
    let text = || fs::read_to_string(&project).unwrap();
    let alone = || {
        let ci = Fan::new().file("fan.known_hosts", text());
        let yaml = inventory(&sshd, &ci.work().join("known_hosts"));
        hide(ci.file("inventory.yaml", yaml), &sshd)
    };
    let ran = fan.run(["trust", "-y", "--project", "-H", "h1"]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    assert!(ran.stderr.contains("1 key written to"), "{}", ran.snapshot());
    assert_eq!(text(), line(1, &key));
    // One that the file lacks, one that nobody knows yet, and one that it has.
    let ran = fan.run(["trust", "-y", "--project", "--json", "-H", "all"]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    assert!(ran.stderr.contains("2 keys written to"), "{}", ran.snapshot());
    assert_eq!(ran.stdout.matches("\"written_to\": \"").count(), 2, "{}", ran.snapshot());
    let mut lines: Vec<String> = text().lines().map(|line| format!("{line}\n")).collect();
    lines.sort();
    assert_eq!(lines, [line(1, &key), line(2, &key), line(3, &key)]);
    assert_eq!(ping(&alone(), &["-H", "all"]).code, Some(0));
    let ran = fan.run(["trust", "-y", "--project", "-H", "all"]);
    assert!(!ran.stderr.contains("written"), "{}", ran.snapshot());
    // Without the flag the file of the operator's will do; a key that changed goes nowhere.
    fs::write(&project, "").unwrap();
    let ran = fan.run(["trust", "-y", "-H", "h1"]);
    assert_eq!((ran.code, text().as_str()), (Some(0), ""), "{}", ran.snapshot());
    let changed = line(1, &other_key(&fan.work(), "other", "ed25519"));
    let fan = fan.file("known_hosts", changed);
    let ran = fan.run(["trust", "-y", "--project", "-H", "h1"]);
    assert_eq!((ran.code, text().as_str()), (Some(4), ""), "{}", ran.snapshot());
}

/// A server that breaks when it is asked for one type of key has others: what was seen is kept, what was not is said.
#[test]
fn keys_that_were_seen_are_kept_when_the_server_breaks_at_another() {
    let sshd = Sshd::builder().host_keys(&["ed25519", "ecdsa", "rsa"]).start();
    for (broken, missed, written) in [(1, "Ed25519", 2), (2, "ECDSA", 2), (3, "RSA", 2)] {
        let relay = Relay::to(sshd.addresses()[0], move |number| (number == broken).then_some(100));
        let yaml = format!("hosts:\n  h1: {{address: 127.0.0.1, port: {}, user: me}}\n", relay.port());
        let ran = Fan::new().file("inventory.yaml", yaml).run(["trust", "-y", "-H", "h1"]);
        assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
        assert!(ran.stderr.contains(&format!("could not fetch its {missed} keys")), "{}", ran.snapshot());
        assert!(ran.stderr.contains(&format!("{written} keys written")), "{}", ran.snapshot());
        assert_eq!(relay.connections(), 3);
    }
}
