//! `--hosts-file` and `^FILE`: lists of hosts in files, with an inventory or without one.

use fan::testing::sandbox::Behaviour;

use crate::fixtures::support::{Fan, inventory_defaults, sandbox};

#[tokio::test(flavor = "multi_thread")]
async fn hosts_of_a_file_need_no_inventory() {
    let sandbox = sandbox([("web1", Behaviour::Normal), ("web2", Behaviour::Normal)]).await;
    let defaults = inventory_defaults("nobody", sandbox.identity(), sandbox.known_hosts());
    let [one, two] = [0, 1].map(|at| sandbox.hosts()[at].address.to_string());
    let user = sandbox.user();
    let list = format!("# two of them\n{user}@{one}\n\n  {two} {user}   # canary\n");
    let inventory = defaults + "hosts: {other: {}}\n";
    let fan = Fan::new().file("inventory.yaml", inventory).file("hosts.txt", &list);
    let ran = fan.run(["exec", "--hosts-file", "hosts.txt", "--", "echo up"]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    let mut expected = [&one, &two].map(|address| format!("{user}@{address} | up"));
    expected.sort();
    assert_eq!(ran.sorted_stdout(), expected);
    let fan = fan.stdin(list);
    let ran = fan.run([
        "exec",
        "-N",
        "--hosts-file",
        "-",
        "-H",
        "^hosts.txt",
        "-x",
        "^hosts.txt&*:1",
        "--",
        "echo up",
    ]);
    assert_eq!(ran.code, Some(2), "{}", ran.snapshot());
    let ran = fan.run(["ping", "--hosts-file", "-"]);
    assert_eq!((ran.code, ran.stdout.lines().count()), (Some(0), 2), "{}", ran.snapshot());
}

#[test]
fn a_list_is_a_target_like_others() {
    let inventory = "hosts:\n  web[1-4]: {address: 10.0.0.1}\n  db1: {address: 10.0.0.9, user: pg}\nroles: {web: [\"web*\"]}\n";
    let fan = Fan::new()
        .file("inventory.yaml", inventory)
        .file("lists/canary", "web[2-3]\ndb1 root\nother.example.com:2222\n")
        .file("empty", "# nobody\n");
    let list = |args: &[&str]| {
        let ran = fan.run([&["hosts", "--list"], args].concat());
        if ran.code == Some(0) { ran.stdout } else { ran.stderr }
    };
    assert_eq!(list(&["-H", "^lists/canary"]), "web2\nweb3\ndb1\nother.example.com:2222\n");
    assert_eq!(list(&["-H", "@web&^lists/canary"]), "web2\nweb3\n");
    assert_eq!(list(&["-H", "all!^lists/canary"]), "web1\nweb4\n");
    assert_eq!(list(&["-R", "web", "-x", "^lists/canary"]), "web1\nweb4\n");
    assert_eq!(list(&["--hosts-file", "lists/canary", "--limit", "1"]), "web2\n");
    assert_eq!(list(&["-H", "all"]), "web1\nweb2\nweb3\nweb4\ndb1\n");
    let shown = fan.run(["hosts", "--json", "-H", "^lists/canary&db1"]);
    assert!(shown.stdout.contains("\"root\""), "{}", shown.snapshot());
    assert!(list(&["-H", "^empty"]).contains("empty: names no hosts"));
    assert!(list(&["-H", "^missing"]).contains("missing: cannot read"));
    assert!(list(&["-H", "^"]).contains("no file after \"^\""));
}

#[test]
fn what_is_wrong_with_a_list_is_told_at_its_place() {
    let list = "web1\n[web]\n  web*\nweb1 ansible_host=10.0.0.1\na,!b\nweb[3-1]\nroot:pw@h\n";
    let fan = Fan::new().file("hosts.ini", list).file("list", "web1\n  web*\na!b\nweb[3-1]\nroot:pw@h\n");
    insta::assert_snapshot!(fan.run(["hosts", "--hosts-file", "hosts.ini"]).stderr, @r#"
    hosts.ini:2:1: error: "[web]" is no host (help: is it an inventory of Ansible? a list has a host in each line: [user@]host[:port])
    hosts.ini:4:1: error: more than a host and a user in this line (help: is it an inventory of Ansible? a list has a host in each line: [user@]host[:port])
    "#);
    insta::assert_snapshot!(fan.run(["hosts", "--hosts-file", "list"]).stderr, @r#"
    list:2:3: error: "web*" in a list of hosts (help: a list names each host: web1, web[1-3], user@10.0.0.1:22)
    list:3:1: error: "!" and "&" in a list of hosts (help: a list has hosts, -x leaves some out)
    list:4:5: error: range runs backwards: 3-1 (help: write [1-3])
    list:5:6: error: a target cannot hold a password (help: write user@host; anyone on the machine can see a command line)
    "#);
}

/// In a task it would depend on the folder that fan is called from.
#[test]
fn tasks_have_no_lists() {
    let fan =
        Fan::new().file("list", "h1\n").file("tasks.yaml", "tasks: {t: {hosts: [^list], steps: [id]}}\n");
    let ran = fan.run(["run", "t", "--plan"]);
    assert_eq!(ran.code, Some(2), "{}", ran.snapshot());
    assert!(ran.stderr.contains("files of hosts are read for -H and -x only"), "{}", ran.snapshot());
}
