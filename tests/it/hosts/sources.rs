//! Sources of hosts: recognised, merged, refused in words.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::fixtures::support::{Fan, Ran};

fn names(ran: &Ran) -> String {
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    ran.stdout.lines().collect::<Vec<_>>().join(" ")
}

#[test]
fn hosts_come_from_lists_standard_input_and_the_command_line() {
    let fan = Fan::new().file("list", "# all\nweb[1-2]\nroot@db1:2222\ncache deploy\n");
    assert_eq!(names(&fan.run(["hosts", "--list", "-i", "list"])), "web1 web2 db1 cache");
    let shown = fan.run(["hosts", "-i", "list", "-H", "db1,cache"]).stdout;
    assert!(
        shown.contains("port             2222                             ansible_port (list:3:1)"),
        "{shown}"
    );
    assert!(shown.contains("user             root "), "{shown}");
    assert!(shown.contains("user             deploy "), "{shown}");
    assert_eq!(names(&fan.run(["hosts", "--list", "-i", "a,b:2200"])), "a b");
    let fan = fan.stdin("one\ntwo\n");
    assert_eq!(names(&fan.run(["hosts", "--list", "-i", "-"])), "one two");
    let fan = fan.stdin("{\"web\": {\"hosts\": [\"w1\"]}}");
    assert_eq!(names(&fan.run(["hosts", "--list", "-i", "-", "-R", "web"])), "w1");
}

#[test]
fn the_hosts_of_an_ssh_config_are_a_source() {
    let fan = Fan::new()
        .file("config", "Host web1 web2 !web3\n  User deploy\nHost *.lan\nInclude more\nMatch host x\n")
        .file("more", "Host db\n");
    let config = fan.work().join("config");
    let text =
        fs::read_to_string(&config).unwrap().replace("more", &fan.work().join("more").display().to_string());
    fs::write(&config, text).unwrap();
    assert_eq!(names(&fan.run(["hosts", "--list", "-i", "ssh:config"])), "web1 web2 db");
}

#[test]
fn several_sources_are_one_inventory_and_the_last_one_holds() {
    let fan = Fan::new()
        .file("hosts.ini", "[web]\nweb1 ansible_user=old x=1\nweb2\n[web:vars]\ny=2\n")
        .file("more.ini", "[web]\nweb3\n[db]\ndb1\n")
        .file(
            "inventory.yaml",
            "hosts: {web1: {user: new, vars: {x: 3}}, solo: {}}\nroles: {web: {vars: {y: 4}}, all_web: ['web*']}\n",
        );
    let all = ["hosts", "--list", "-i", "hosts.ini", "-i", "more.ini", "-i", "inventory.yaml"];
    assert_eq!(names(&fan.run(all)), "web1 web2 web3 db1 solo");
    assert_eq!(names(&fan.run([&all[..], &["-R", "all_web"]].concat())), "web1 web2 web3");
    let json = fan.run(["hosts", "--json", "-i", "hosts.ini", "-i", "inventory.yaml", "-H", "web1"]).stdout;
    let host: serde_json::Value = serde_json::from_str(&json).unwrap();
    let host = &host[0];
    assert_eq!(host["settings"]["user"]["value"], "new");
    assert_eq!(host["settings"]["user"]["origin"], "host (inventory.yaml:1:16)");
    assert_eq!((&host["vars"]["x"], &host["vars"]["y"]), (&3.into(), &4.into()));
    assert_eq!(host["vars_origin"]["x"], "inventory.yaml:1:34");
}

#[test]
fn a_file_of_fans_names_sources_and_has_the_last_word() {
    let fan = Fan::new()
        .file("fleet/hosts.ini", "[web]\nweb1 ansible_user=old x=1\n")
        .file("fleet/group_vars/web.yml", "beside: yes\n")
        .file("fleet/list.txt", "db1\n")
        .file("fleet/config", "Host from_ssh\n")
        .file("fleet/cloud", "#!/bin/sh\necho '{\"web\": {\"hosts\": [\"web2\"]}, \"_meta\": {\"hostvars\": {}}}'\n")
        .file("fleet/more/own.yaml", "sources: [list]\nhosts: {deep: {}}\n")
        .file("fleet/more/list", "deeper\n")
        .file(
            "fleet/inventory.yaml",
            "sources:\n  - hosts.ini\n  - exec: cloud\n  - {hosts: list.txt}\n  - {ssh: config}\n  - fan: more/own.yaml\n\
             hosts: {web1: {user: new}}\nroles: {web: {vars: {y: 4}}, all_web: ['web*']}\n",
        );
    fs::set_permissions(fan.work().join("fleet/cloud"), fs::Permissions::from_mode(0o755)).unwrap();
    let from = |arguments: &[&str]| fan.run([&["hosts", "-i", "fleet/inventory.yaml"], arguments].concat());
    assert_eq!(names(&from(&["--list"])), "web1 web2 db1 from_ssh deeper deep");
    assert_eq!(names(&from(&["--list", "-R", "all_web"])), "web1 web2");
    let hosts: serde_json::Value = serde_json::from_str(&from(&["--json", "-H", "web1"]).stdout).unwrap();
    let host = &hosts[0];
    assert_eq!(host["settings"]["user"]["origin"], "host (fleet/inventory.yaml:7:16)");
    assert_eq!(
        (&host["vars"]["x"], &host["vars"]["y"], &host["vars"]["beside"]),
        (&1.into(), &4.into(), &true.into())
    );
}

#[test]
fn sources_of_a_file_are_wrong_at_their_places() {
    let fan = Fan::new()
        .file("fleet/a.yaml", "sources: [b.yaml]\nhosts: [a]\n")
        .file("fleet/b.yaml", "hosts: [b]\nsources:\n  - fan: ../fleet/a.yaml\n")
        .file("fleet/broken.ini", "[web]\nweb[3:1]\n")
        .file("fleet/fails", "#!/bin/sh\necho no credentials >&2\nexit 3\n")
        .file(
            "fleet/c.yaml",
            "sources:\n- broken.ini\n- exec: fails\n- none.ini\n- exec: none\nhosts: [c]\n",
        );
    fs::set_permissions(fan.work().join("fleet/fails"), fs::Permissions::from_mode(0o755)).unwrap();
    let said = fan.run(["hosts", "-i", "fleet/a.yaml"]);
    assert_eq!(said.code, Some(2));
    assert_eq!(said.stderr, "fleet/b.yaml:3:10: error: fleet/../fleet/a.yaml is a source of itself\n");
    let said = fan.run(["hosts", "-i", "fleet/c.yaml"]);
    assert_eq!(
        said.stderr,
        "fleet/broken.ini:2:1: error: \"web[3:1]\" has a range that begins behind its end\n\
         fleet/c.yaml:3:9: error: fleet/fails --list failed (exit status: 3): no credentials (help: run it by hand: fleet/fails --list)\n\
         fleet/c.yaml:4:3: error: fleet/none.ini: cannot read: no such file\n\
         fleet/c.yaml:5:9: error: fleet/none --list cannot run: No such file or directory (os error 2) (help: run it by hand: fleet/none --list)\n"
    );
}

#[test]
fn what_cannot_be_kept_is_an_error_of_the_hosts_that_are_selected() {
    let fan = Fan::new().file(
        "hosts",
        "[win]\nwin1\n[win:vars]\nansible_connection=winrm\n[lin]\nlin1\nlin2 ansible_host='{{ nowhere }}'\n",
    );
    let said = fan.run(["exec", "-n", "-i", "hosts", "-H", "lin1", "--", "true"]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let said = fan.run(["exec", "-n", "-i", "hosts", "-H", "all", "--", "true"]);
    assert_eq!(said.code, Some(2));
    assert_eq!(
        said.stderr,
        "hosts:4:1: error: connection \"winrm\" is not supported: fan speaks SSH\n\
         hosts:7:6: error: variable \"ansible_host\": undefined variable \"nowhere\"\n"
    );
}

#[test]
fn a_variable_of_another_dialect_is_an_error_where_it_is_used() {
    let fan = Fan::new()
        .file("hosts", "web1 good=1\n[all:vars]\nbad={{ lookup('pipe', 'id') }}\nname={{ inventory_hostname | upper }}\n")
        .file("tasks.yaml", "tasks:\n  good: {steps: [{run: 'echo {{ name }} {{ good }}'}]}\n  bad: {steps: [{run: 'echo {{ bad }}'}]}\n");
    let said = fan.run(["run", "-n", "-i", "hosts", "-H", "web1", "good"]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let said = fan.run(["run", "-n", "-i", "hosts", "-H", "web1", "bad"]);
    assert_eq!(said.code, Some(2));
    assert!(
        said.stderr.contains(
            "the inventory's variable \"bad\" cannot be filled in: lookup \"pipe\" is not one of fan's: it has \"env\" and \"file\" (help: run the command in a step"
        ),
        "{}",
        said.stderr
    );
}

#[test]
fn errors_are_told_at_their_places_all_at_once() {
    let fan = Fan::new().file("hosts", "[web]\nweb1 a='x\nweb[3:1]\nweb2 bare\n[web:varz]\n");
    let said = fan.run(["hosts", "-i", "hosts"]);
    assert_eq!(said.code, Some(2));
    assert_eq!(
        said.stderr,
        "hosts:2:1: error: a quote is not closed (help: quotes go around a value: name='a b')\n\
         hosts:3:1: error: \"web[3:1]\" has a range that begins behind its end\n\
         hosts:4:6: error: expected name=value, found \"bare\" (help: one host stands on a line)\n\
         hosts:5:1: error: section [web:varz] is of an unknown kind (help: kinds: children, hosts, vars)\n"
    );
    let fan =
        Fan::new().file("hosts", "[web:children]\ndb\n[ghost:vars]\nx=1\n[a:children]\nb\n[b:children]\na\n");
    let said = fan.run(["hosts", "-i", "hosts"]);
    assert_eq!(
        said.stderr,
        "hosts:2:1: error: group \"db\" is not defined\n\
         hosts:3:1: error: group \"ghost\" is not defined\n\
         hosts:8:1: error: group \"a\" would be below itself\n"
    );
}

#[test]
fn programs_that_fail_are_told_with_what_they_said() {
    let fan = Fan::new()
        .file("fails", "#!/bin/sh\necho no credentials >&2\nexit 3\n")
        .file("prints", "#!/bin/sh\necho hello\n");
    for name in ["fails", "prints"] {
        fs::set_permissions(fan.work().join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let said = fan.run(["hosts", "-i", "fails", "-i", "prints"]);
    assert_eq!(said.code, Some(2));
    assert_eq!(
        said.stderr,
        "error: fails --list failed (exit status: 3): no credentials (help: run it by hand: fails --list)\n\
         prints:1:1: error: this is no JSON (help: an inventory program prints the JSON of Ansible's --list on stdout, and nothing else)\n"
    );
}

/// As `ansible-vault encrypt` wrote them, with the password `hunter2-of-the-vault`.
fn sealed(fan: &Fan, text: &str, label: Option<&str>) -> String {
    let plain = fan.work().join("plain");
    fs::write(&plain, text).unwrap();
    let password = fan.work().join("password");
    fs::write(&password, "hunter2-of-the-vault\n").unwrap();
    fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).unwrap();
    let mut command = std::process::Command::new("ansible-vault");
    command.arg("encrypt").arg(&plain).env("HOME", fan.home());
    match label {
        Some(label) => command
            .args(["--encrypt-vault-id", label, "--vault-id"])
            .arg(format!("{label}@{}", password.display())),
        None => command.arg("--vault-password-file").arg(&password),
    };
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    fs::read_to_string(&plain).unwrap()
}

#[test]
fn vaults_are_opened_and_what_was_in_them_is_hidden() {
    let fan = Fan::new().env("VAULT", "hunter2-of-the-vault").env("WRONG", "letmein-letmein");
    let value = sealed(&fan, "c4nary-of-the-vault", None);
    let whole = sealed(&fan, "token: c4nary-of-the-file\n", Some("prod"));
    let indented: String = value.lines().map(|line| format!("    {line}\n")).collect();
    let hosts = format!(
        "all:\n  hosts:\n    web1:\n  vars:\n    secret: !vault |\n  {}",
        indented.replace('\n', "\n  ")
    );
    let fan = fan.file("hosts.yml", hosts.trim_end_matches("  ")).file("group_vars/all.yml", whole);
    let shown = fan.run(["hosts", "-i", "hosts.yml", "--vault-password", "env:VAULT"]);
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    assert!(!shown.stdout.contains("c4nary"), "{}", shown.stdout);
    assert!(shown.stdout.contains("vars.secret      ********"), "{}", shown.stdout);
    assert!(shown.stdout.contains("vars.token       ********"), "{}", shown.stdout);
    let said = fan.run(["hosts", "-i", "hosts.yml"]);
    assert_eq!(said.code, Some(2));
    assert!(said.stderr.contains("group_vars/all.yml:1:1: error: encrypted with Ansible Vault, and no password of vault id \"prod\" was given"), "{}", said.stderr);
    let said = fan.run(["hosts", "-i", "hosts.yml", "--vault-password", "env:WRONG"]);
    assert!(said.stderr.contains("no vault password opens this"), "{}", said.stderr);
    let said = fan.run(["hosts", "-i", "hosts.yml", "--vault-password", "hunter2-of-the-vault"]);
    assert_eq!(said.code, Some(2));
    assert!(!said.stderr.contains("hunter2"), "{}", said.stderr);
    for place in ["file:password", "password", "command:cat password", "prod@env:VAULT"] {
        let said = fan.run(["hosts", "--list", "-i", "hosts.yml", "--vault-password", place]);
        assert_eq!(said.code, Some(0), "{place}: {}", said.stderr);
    }
    // Neither through a variable of another host.
    let run = fan
        .file("group_vars/ungrouped.yml", "copied: \"{{ hostvars['web1'].secret }}\"\n")
        .file("tasks.yaml", "tasks: {show: {hosts: [web1], steps: [{echo: 'it is {{ copied }}'}]}}\n");
    let shown = run.run(["run", "show", "-i", "hosts.yml", "--vault-password", "env:VAULT"]);
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    let all = shown.stdout + &shown.stderr;
    assert!(all.contains("it is ********") && !all.contains("c4nary"), "{all}");
    let fan = run;
    // As ansible-inventory prints them; only the ciphertext is kept on the disk.
    let json = serde_json::json!({"web": ["web1"], "_meta": {"hostvars": {"web1": {"secret": {"__ansible_vault": value}}}}});
    let fan = fan.file("cloud.json", json.to_string()).file("cloud", "#!/bin/sh\ncat cloud.json\n");
    fs::set_permissions(fan.work().join("cloud"), fs::Permissions::from_mode(0o755)).unwrap();
    let shown = fan.run(["hosts", "-i", "cloud", "--vault-password", "env:VAULT", "--stale-ok", "1h"]);
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    assert!(shown.stdout.contains("vars.secret      ********"), "{}", shown.stdout);
    let kept = fs::read_dir(fan.home().join(".cache/fan/sources")).unwrap().next().unwrap().unwrap().path();
    let kept = fs::read_to_string(kept).unwrap();
    assert!(kept.contains("$ANSIBLE_VAULT;1.1") && !kept.contains("c4nary"), "{kept}");
}

#[test]
fn fleets_of_any_size_are_read_up_to_max_hosts() {
    // Larger than the files that tasks may be in, and more keys and values than they may have.
    let count = 60_000;
    let own: String = (1..=count)
        .map(|n| {
            format!(
                "  host{n:06}.example.com: {{address: 10.{}.{}.{}, port: 2222, vars: {{rack: {n}}}}}\n",
                n / 65536,
                n / 256 % 256,
                n % 256
            )
        })
        .collect();
    let own = format!("hosts:\n{own}roles: {{all_of_it: ['host*']}}\n");
    assert!(own.len() > 4 * 1024 * 1024);
    let ini: String = (1..=count)
        .map(|n| {
            format!("host{n:06}.example.com ansible_host=10.0.0.1 ansible_port=22 rack={n} note=0123456789\n")
        })
        .collect();
    assert!(ini.len() > 4 * 1024 * 1024);
    let fan = Fan::new().file("inventory.yaml", own).file("hosts.ini", format!("[all_of_it]\n{ini}"));
    for source in ["inventory.yaml", "hosts.ini"] {
        let ran = fan.run(["hosts", "--list", "-i", source, "--max-hosts", "60000", "-R", "all_of_it"]);
        assert_eq!((ran.code, ran.stdout.lines().count()), (Some(0), count), "{source}: {}", ran.stderr);
        let ran = fan.run(["hosts", "--list", "-i", source, "--max-hosts", "59999"]);
        assert_eq!(ran.code, Some(2), "{source}");
        assert!(
            ran.stderr.contains("error: more than 59999 hosts (help: raise the limit with --max-hosts)"),
            "{}",
            ran.stderr
        );
    }
    // Aliases still make no more of a file than is in it.
    let fan = fan.file(
        "bomb.yaml",
        format!(
            "hosts: {{a: {{}}}}\nvars:\n  x: &x [{}]\n{}",
            "1,".repeat(9_000),
            (0..30).map(|n| format!("  y{n}: *x\n")).collect::<String>()
        ),
    );
    let ran = fan.run(["hosts", "-i", "bomb.yaml"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("too complex") || ran.stderr.contains("too large"), "{}", ran.stderr);
}

#[test]
fn groups_whose_names_are_no_names_of_roles_are_written_in_quotes() {
    let fan = Fan::new().file(
        "cloud.json",
        "{\"us east/1, a\": [\"h1\"], \"us-east/2\": [\"h2\"], \"r&d!\": [\"h3\"], \"plain\": [\"h1\", \"h3\"]}",
    );
    let of = |expression: &str| names(&fan.run(["hosts", "--list", "-i", "cloud.json", "-H", expression]));
    assert_eq!(of("@\"us east/1, a\""), "h1");
    assert_eq!(of("@us-east/2"), "h2");
    assert_eq!(of("@\"us-east/2\",@\"r&d!\""), "h2 h3");
    assert_eq!(of("@plain!@\"r&d!\""), "h1");
    assert_eq!(of("@*"), "h1 h2 h3");
    assert_eq!(names(&fan.run(["hosts", "--list", "-i", "cloud.json", "-R", "r&d!"])), "h3");
    let shown = fan.run(["hosts", "-i", "cloud.json", "-H", "h1"]).stdout;
    assert!(shown.starts_with("h1  roles plain,\"us east/1, a\"\n"), "{shown}");
    let said = fan.run(["hosts", "-i", "cloud.json", "-H", "@\"us east/1, b\""]);
    assert_eq!(said.code, Some(2));
    assert!(said.stderr.contains("did you mean @\"us east/1, a\"?"), "{}", said.stderr);
    let said = fan.run(["hosts", "-i", "cloud.json", "-H", "@\"us east"]);
    assert!(said.stderr.contains("unclosed"), "{}", said.stderr);
}
