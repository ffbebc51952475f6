//! `fan init`: files to begin with, which are right as they are.

use std::fs;

use crate::fixtures::support::Fan;

#[test]
fn what_it_writes_passes_the_check() {
    let fan = Fan::new();
    insta::assert_snapshot!(fan.run(["init"]).snapshot(), @"
    exit code: 0
    --- stdout
    inventory.yaml  example hosts: put yours in their place
    tasks.yaml  three tasks to begin with

    next: fan check && fan ping -H all && fan hello
    ");
    for line in
        ["check", "check hello disk restart:nginx", "hello -n", "restart:nginx --plan", "hosts --list"]
    {
        let ran = fan.run(line.split(' '));
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{line}\n{}", ran.snapshot());
    }
}

#[test]
fn nothing_is_overwritten() {
    let fan = Fan::new().file("ops/tasks.yaml", "mine\n");
    insta::assert_snapshot!(fan.run(["init", "ops"]).snapshot(), @"
    exit code: 2
    --- stderr
    error: ops/tasks.yaml is there already (help: fan init overwrites nothing: name another folder)
    ");
    assert_eq!(fs::read_to_string(fan.work().join("ops/tasks.yaml")).unwrap(), "mine\n");
    assert!(!fan.work().join("ops/inventory.yaml").exists());
    // A link that leads nowhere is there, too.
    std::os::unix::fs::symlink("nowhere", fan.work().join("inventory.yaml")).unwrap();
    assert_eq!(fan.run(["init"]).code, Some(2));
    assert!(!fan.work().join("nowhere").exists());
}

#[test]
fn hosts_come_from_lists_and_from_an_ssh_config() {
    let list = "# ours\nweb[01-03]\ndeploy@db1:2222 # the master\n10.0.0.7 pi\nweb01\n";
    let fan = Fan::new()
        .file("hosts.txt", list)
        .file("team.conf", "Host bastion web? !x\n  User jump\nHost db1 db2\n");
    fs::create_dir(fan.home().join(".ssh")).unwrap();
    fs::write(fan.home().join(".ssh/config"), "Include more\nHost *\n  User ann\n").unwrap();
    fs::write(fan.home().join(".ssh/more"), "Host mail mail\n  HostName 192.0.2.1\n").unwrap();
    for (from, folder, hosts) in [
        ("hosts.txt", "a", "web01 web02 web03 db1 10.0.0.7"),
        ("hosts:hosts.txt", "b", "web01 web02 web03 db1 10.0.0.7"),
        ("ssh:team.conf", "c", "bastion db1 db2"),
        ("ssh:", "d", "mail"),
    ] {
        let ran = fan.run(["init", "--from", from, folder]);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{from}\n{}", ran.snapshot());
        let inventory = format!("{folder}/inventory.yaml");
        let list = fan.run(["hosts", "--list", "-i", &inventory]);
        assert_eq!(
            list.stdout.split_whitespace().collect::<Vec<_>>().join(" "),
            hosts,
            "{from}\n{}",
            list.snapshot()
        );
        let tasks = format!("{folder}/tasks.yaml");
        assert_eq!(fan.run(["check", "-i", &inventory, "-f", &tasks, "hello"]).code, Some(0), "{from}");
    }
    let fan = fan.stdin("mail[1-2]\n");
    assert_eq!(fan.run(["init", "--from", "-", "e"]).code, Some(0));
    assert_eq!(fan.run(["hosts", "--list", "-i", "e/inventory.yaml"]).stdout, "mail1\nmail2\n");
    let shown = fan.run(["hosts", "-i", "a/inventory.yaml", "-H", "db1"]).stdout;
    assert!(shown.contains("deploy") && shown.contains("2222"), "{shown}");
}

#[test]
fn groups_become_roles_and_sources_that_are_none_are_named() {
    let ini = "[web]\nweb[01:02] ansible_user=deploy\n[db]\ndb1 ansible_host=10.0.2.10 ansible_port=2222\n";
    let fan = Fan::new().file("hosts.ini", ini).file("empty", "# nothing\n").file("bad", "we;b\n");
    let ran = fan.run(["init", "--from", "hosts.ini", "ops"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{}", ran.snapshot());
    let inventory = "ops/inventory.yaml";
    assert_eq!(fan.run(["hosts", "--list", "-i", inventory, "-R", "web"]).stdout, "web01\nweb02\n");
    let shown = fan.run(["hosts", "-i", inventory, "-R", "db"]).stdout;
    assert!(shown.contains("10.0.2.10") && shown.contains("2222"), "{shown}");
    for from in ["empty", "bad", "none.txt", "ssh:empty"] {
        let ran = fan.run(["init", "--from", from]);
        assert_eq!(ran.code, Some(2), "{from}\n{}", ran.snapshot());
        assert!(!fan.work().join("inventory.yaml").exists(), "{from}");
    }
}
