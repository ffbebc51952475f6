//! Names given by `-H` and `-g`: looked up in ssh_config as `ssh` looks them up, which is asked what it makes of them.

use std::process::Command;

use serde_json::Value;

use crate::fixtures::sshd::Sshd;
use crate::fixtures::support::{Fan, output};

const CONFIG: &str = "\
Host app
  HostName app1.dc1.example.com
  User deploy
  Port 2201
  HostKeyAlias app-key
  IdentityFile ~/.ssh/%n_%h_%r_%p
Host *.dc1
  HostName %h.example.com
  ProxyJump gate
Host gate
  HostName 192.0.2.9
  Port 2209
Host over-command
  ProxyCommand nc -x proxy %h %p
Match host app1.dc1.* user root
  ForwardAgent yes
Host *
  User shared
  Port 2222
";

/// What `ssh -G` prints for a keyword.
fn ssh(fan: &Fan, arguments: &[&str], keyword: &str) -> String {
    let mut command = Command::new("ssh");
    command.arg("-G").arg("-F").arg(fan.work().join("config")).args(arguments);
    let printed = String::from_utf8(output(command, b"").stdout).unwrap();
    let value = |line: &str| Some(line.strip_prefix(keyword)?.strip_prefix(' ')?.to_owned());
    printed.lines().find_map(value).unwrap_or_default()
}

/// What `fan hosts` says of one host's setting.
fn setting(host: &Value, name: &str) -> String {
    match &host["settings"][name]["value"] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[test]
fn a_name_is_looked_up_without_its_user_and_port() {
    // With and without an inventory: one that has hosts makes a bare word a slip, and is silent about these.
    let bare = Fan::new().file("config", CONFIG);
    let beside = Fan::new().file("config", CONFIG).file("inventory.yaml", "hosts: {other: {port: 1}}\n");
    for (written, arguments, with_inventory) in [
        ("app", &["app"][..], false),
        ("root@app", &["-l", "root", "app"], true),
        ("app:2300", &["-p", "2300", "app"], true),
        ("root@app:2300", &["-l", "root", "-p", "2300", "app"], true),
        ("web7.dc1", &["web7.dc1"], false),
        ("me@web7.dc1", &["-l", "me", "web7.dc1"], true),
        ("192.0.2.77", &["192.0.2.77"], true),
        ("me@[fd00::1]:2300", &["-l", "me", "-p", "2300", "fd00::1"], true),
        ("over-command:2300", &["-p", "2300", "over-command"], true),
    ] {
        for fan in [&bare, &beside].into_iter().take(1 + usize::from(with_inventory)) {
            let ran = fan.run(["hosts", "--json", "--ssh-config", "config", "-H", written]);
            assert_eq!(ran.code, Some(0), "{written}: {}", ran.snapshot());
            let hosts: Value = serde_json::from_str(&ran.stdout).unwrap();
            let host = &hosts[0];
            assert_eq!(host["name"], written);
            for (keyword, name) in [
                ("user", "user"),
                ("port", "port"),
                ("hostkeyalias", "host_key_alias"),
                ("proxyjump", "gateway"),
                ("proxycommand", "proxy_command"),
            ] {
                let mut theirs = ssh(fan, arguments, keyword);
                if keyword == "proxycommand" {
                    theirs = theirs.replace("%h", "over-command").replace("%p", "2300");
                }
                assert_eq!(setting(host, name), theirs, "{written}: {keyword}");
            }
            let forwards = if ssh(fan, arguments, "forwardagent") == "yes" { "true" } else { "" };
            assert_eq!(setting(host, "forward_agent"), forwards, "{written}");
            let address = ssh(fan, arguments, "hostname");
            let said = setting(host, "address");
            let place = written.rsplit('@').next().unwrap().trim_start_matches('[');
            assert!(said == address || (said.is_empty() && place.starts_with(&address)), "{written}: {said}");
        }
    }
    let ran = bare.run(["hosts", "--ssh-config", "config", "-H", "root@app:2300"]);
    let file = format!("{}/.ssh/app_app1.dc1.example.com_root_2300", bare.home().display());
    assert!(ran.stdout.contains(&file), "{}", ran.snapshot());
}

/// The server is known by an alias, at an address and a port that only ssh_config knows, behind a gateway that only
/// ssh_config knows.
#[test]
fn a_name_that_only_ssh_config_knows_is_reached() {
    let sshd = Sshd::builder().hosts(2).start();
    let addresses = sshd.addresses();
    let config = format!(
        "Host target\n  HostName {0}\n  ProxyJump gate\nHost gate\n  HostName {1}\n\
         Host plain\n  HostName {0}\n\
         Host *\n  Port {2}\n  User {3}\n  IdentityFile {4}\n  UserKnownHostsFile {5}\n",
        addresses[0].ip(),
        addresses[1].ip(),
        sshd.port(),
        sshd.user(),
        sshd.identity().display(),
        sshd.known_hosts().display(),
    );
    let fan = Fan::new().file("config", config);
    let user = sshd.user();
    let run = |fan: &Fan, arguments: &[&str]| {
        let ran = fan
            .run(["exec", "-N", "--ssh-config", "config"].iter().chain(arguments).chain(&["--", "echo in"]));
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "in\n"), "{arguments:?}: {}", ran.snapshot());
        ran
    };
    for host in ["target".to_owned(), format!("{user}@target"), format!("target:{}", sshd.port())] {
        run(&fan, &["-H", &host]);
    }
    // A gateway by its name, with a user of its own, and in an inventory that has no such host.
    run(&fan, &["-H", "plain", "-g", "gate"]);
    run(&fan, &["-H", "plain", "-J", &format!("{user}@gate")]);
    let fan = fan.file("inventory.yaml", "hosts:\n  plain: {gateway: gate}\n  other:\n");
    run(&fan, &["-H", "plain"]);
    run(&fan, &["-H", &format!("{user}@target")]);
    let ran = fan.run(["exec", "--ssh-config", "config", "-g", "gtae", "-H", "plain", "--", "true"]);
    assert_eq!(ran.code, Some(2), "{}", ran.snapshot());
    insta::assert_snapshot!(ran.stderr, @r#"error: --gateway: no host "gtae" in the inventory or ssh_config to use as a gateway (help: name a host of the inventory, or write [user@]address:port)"#);
    // A name that leads to a protected host is no way around the question.
    let protected = format!(
        "hosts:\n  db: {{address: {}}}\nroles:\n  prod: {{hosts: [db], protect: true}}\n",
        addresses[0].ip()
    );
    let fan = fan.file("inventory.yaml", protected);
    let aside = format!("{user}@plain");
    let ran = fan.run(["exec", "--ssh-config", "config", "-H", &aside, "--", "true"]);
    assert_eq!(ran.code, Some(2), "{}", ran.snapshot());
    assert!(ran.stderr.contains("protected role prod"), "{}", ran.snapshot());
    run(&fan, &["--confirm", "prod", "-H", &aside]);
}

/// `proxy_command` of the inventory: the tokens are those of the host, a higher layer's way takes the place of it, and
/// what stands in a command line for a shell is as harmless as in ssh.
#[test]
fn the_inventory_has_a_proxy_command_too() {
    let sshd = Sshd::start();
    let address = sshd.addresses()[0].ip();
    let relay = "python3 -c 'import socket,sys,threading,os\n\
        s=socket.create_connection((sys.argv[1],int(sys.argv[2])))\n\
        def up():\n  while d:=os.read(0,65536): s.sendall(d)\n  s.shutdown(1)\n\
        threading.Thread(target=up,daemon=True).start()\n\
        while d:=s.recv(65536): os.write(1,d)\n' %h %p";
    let inventory = |hosts: &str| {
        format!(
            "{}  port: {}\n  proxy_command: |-\n    {}\nhosts:\n{hosts}",
            sshd.inventory_yaml(0).split("  port:").next().unwrap(),
            sshd.port(),
            relay.replace('\n', "\n    ")
        )
    };
    let hosts = format!("  h1: {{address: {address}}}\n  h2: {{address: {address}, gateway: none}}\n");
    let fan = Fan::new().file("inventory.yaml", inventory(&hosts));
    let ran = fan.run(["exec", "-N", "-H", "h[1-2]", "--", "echo in"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "in\nin\n"), "{}", ran.snapshot());
    let ran = fan.run(["hosts", "-H", "all"]);
    assert_eq!(ran.stdout.matches("proxy_command").count(), 1, "{}", ran.snapshot());
    assert!(ran.stdout.contains(&format!("' {address} {}", sshd.port())), "{}", ran.snapshot());
    assert!(ran.stdout.contains("gateway          none"), "{}", ran.snapshot());

    let wrong = "defaults: {user: me, proxy_command: nc %h %z}\n\
                 hosts:\n  a:\n  b: {proxy_command: none, identity: /k/%q}\n  c: {gateway: a, proxy_command: nc}\n";
    let fan = Fan::new().file("inventory.yaml", wrong);
    insta::assert_snapshot!(fan.run(["exec", "-H", "all", "--", "true"]).stderr, @r#"inventory.yaml:5:19: error: "gateway" and "proxy_command" are two ways to the same host (help: keep one of them)"#);
    let fan = fan.file("inventory.yaml", wrong.replace("gateway: a, ", ""));
    insta::assert_snapshot!(fan.run(["exec", "-H", "all", "--", "true"]).stderr, @"
    inventory.yaml:1:22: error: proxy_command: unknown token %z; write %% for a percent sign
    inventory.yaml:4:28: error: identity: unknown token %q; write %% for a percent sign
    ");
}
