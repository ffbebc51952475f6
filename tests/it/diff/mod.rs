//! `fan diff`: files, folders and the output of commands, on throw-away hosts.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use fan::testing::sandbox::{Behaviour, Sandbox};
use serde_json::Value;

use crate::fixtures::support::{Fan, Ran, sandbox};

fn put(sandbox: &Sandbox, host: &str, name: &[u8], content: impl AsRef<[u8]>) -> PathBuf {
    let host = sandbox.hosts().iter().find(|known| known.name == host).unwrap();
    let path = host.home.join(std::ffi::OsStr::from_bytes(name));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, content).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    path
}

/// What does not depend on who runs the tests.
fn shown(ran: &Ran) -> String {
    let owner = |path: &str| {
        let out = std::process::Command::new("stat").args(["-c", "%U:%G", path]).output().unwrap();
        String::from_utf8(out.stdout).unwrap().trim().to_owned()
    };
    ran.snapshot()
        .replace(&owner(std::env::temp_dir().to_str().unwrap()), "<owner>")
        .replace(&owner("/proc/self"), "<owner>")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_compared_and_each_content_read_once() {
    let names = ["web1", "web2", "web3", "web4", "web5"];
    let sandbox = sandbox(names.map(|name| (name, Behaviour::Normal))).await;
    for name in &names[..3] {
        put(&sandbox, name, b"app.conf", "listen 80\nworkers 4\n");
    }
    put(&sandbox, "web4", b"app.conf", "listen 80\nworkers 8\n");
    let fan = Fan::of(&sandbox);
    let ran = fan.run(["diff", "-H", "web[1-3]", "app.conf"]);
    assert_eq!(
        (ran.code, ran.stdout.as_str()),
        (Some(0), "app.conf: the same on 3 hosts\n"),
        "{}",
        ran.snapshot()
    );
    let ran = fan.run(["diff", "-H", "all", "app.conf", "--report", "drift.html", "--report", "drift.json"]);
    assert_eq!(ran.code, Some(10), "{}", ran.snapshot());
    insta::assert_snapshot!(shown(&ran), @"
    exit code: 10
    --- stdout
    app.conf: differs on 5 hosts, compared with the majority
      web[1-3] (3): 0644 <owner>, 20 B, sha256 27c6ad1a
      web4: 0644 <owner>, 20 B, sha256 ff540970
      | --- web[1-3] (3)
      | +++ web4
      | @@ -1,2 +1,2 @@
      |  listen 80
      | -workers 4
      | +workers 8
      web5: missing
    ");
    let json: Value = serde_json::from_slice(&fs::read(fan.work().join("drift.json")).unwrap()).unwrap();
    assert_eq!(json["differences"][0]["groups"][1]["text"], "listen 80\nworkers 8\n");
    assert!(fs::read_to_string(fan.work().join("drift.html")).unwrap().contains("workers 8"));

    // A command says who read what: of three hosts with the same content one is asked, and none where all are the same.
    let count = |host: &str| {
        let home = &sandbox.hosts().iter().find(|known| known.name == host).unwrap().home;
        fs::read_to_string(home.join("reads")).map_or(0, |reads| reads.lines().count())
    };
    for name in names {
        // `head` is what contents are read with.
        let head = put(&sandbox, name, b"bin/head", "#!/bin/sh\necho >> reads\nexec /usr/bin/head \"$@\"\n");
        fs::set_permissions(head, fs::Permissions::from_mode(0o755)).unwrap();
        put(&sandbox, name, b"big", if name == "web5" { "x" } else { "y" }.repeat(100_000));
        put(&sandbox, name, b"same", "z".repeat(100_000));
    }
    let inventory = fs::read_to_string(fan.work().join("inventory.yaml")).unwrap();
    let inventory = inventory.replace("defaults:", "defaults:\n  env: {PATH: 'bin:/usr/bin:/bin'}");
    let fan = fan.file("inventory.yaml", inventory);
    let ran = fan.run(["diff", "-H", "all", "big", "same"]);
    assert_eq!(ran.code, Some(10), "{}", ran.snapshot());
    assert_eq!(names.map(count).iter().sum::<usize>(), 2, "{:?}", names.map(count));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_is_compared_by_names_modes_and_contents() {
    let names = ["web1", "web2", "web3"];
    let sandbox = sandbox(names.map(|name| (name, Behaviour::Normal))).await;
    for name in names {
        put(&sandbox, name, b"etc/same", "same\n");
        put(&sandbox, name, b"etc/noise.log", name);
        put(&sandbox, name, b"etc/odd\nname\xff", if name == "web2" { "x\n" } else { "y\n" });
        let mode = put(&sandbox, name, b"etc/mode", "");
        fs::set_permissions(mode, fs::Permissions::from_mode(if name == "web1" { 0o600 } else { 0o644 }))
            .unwrap();
    }
    put(&sandbox, "web3", b"etc/extra/one", "1\n");
    put(&sandbox, "web3", b"etc/extra/two", "2\n");
    put(&sandbox, "web1", b"etc/most", "1\n");
    put(&sandbox, "web2", b"etc/most", "1\n");
    let home = |at: usize| sandbox.hosts()[at].home.join("etc");
    std::os::unix::fs::symlink("a", home(0).join("link")).unwrap();
    std::os::unix::fs::symlink("b", home(1).join("link")).unwrap();
    std::os::unix::fs::symlink("a", home(2).join("link")).unwrap();
    for at in 0..3 {
        fs::set_permissions(home(at), fs::Permissions::from_mode(0o755)).unwrap();
    }
    fs::set_permissions(home(2).join("extra"), fs::Permissions::from_mode(0o755)).unwrap();
    let fan = Fan::of(&sandbox);
    let ran = fan.run(["diff", "-H", "all", "etc", "--skip", "*.log"]);
    assert_eq!(ran.code, Some(10), "{}", ran.snapshot());
    insta::assert_snapshot!(shown(&ran), @r"
    exit code: 10
    --- stdout
    etc: 2 the same, 3 differ, 3 added, 1 missing (paths on 3 hosts, compared with the majority)
    etc/extra: added, with 2 paths below
      web[1-2] (2): missing
      web3: folder, 0755 <owner>
    etc/link: differs
      web[1,3] (2): link, → a, <owner>
      web2: link, → b, <owner>
    etc/mode: differs
      web[2-3] (2): 0644 <owner>, empty, sha256 e3b0c442
      web1: 0600 <owner>, empty, sha256 e3b0c442
    etc/most: missing
      web[1-2] (2): 0644 <owner>, 2 B, sha256 4355a46b
      web3: missing
    etc/odd\nname\xff: differs
      web[1,3] (2): 0644 <owner>, 2 B, sha256 3bb2abb6
      web2: 0644 <owner>, 2 B, sha256 73cb3858
      | --- web[1,3] (2)
      | +++ web2
      | @@ -1 +1 @@
      | -y
      | +x
    ");
    let ran = fan.run(["diff", "-H", "all", "etc", "--content", "--from", "web3"]);
    assert!(!ran.stdout.contains("etc/mode") && ran.stdout.contains("noise.log"), "{}", ran.snapshot());

    // A folder of this machine, with its own modes.
    let fan = fan.file("etc/same", "same\n").file("etc/mode", "").file("etc/most", "other\n");
    let ran = fan.run([
        "diff",
        "-H",
        "web1",
        "etc",
        "--against",
        "etc",
        "--skip",
        "odd*",
        "--skip",
        "*.log",
        "--skip",
        "link",
    ]);
    insta::assert_snapshot!(shown(&ran), @r"
    exit code: 10
    --- stdout
    etc: 3 the same, 1 differ (paths on 1 host, compared with etc)
    etc/most: differs
      etc (here): 6 B, sha256 7e4fa2eb
      web1: 2 B, sha256 4355a46b
      | --- etc (here)
      | +++ web1
      | @@ -1 +1 @@
      | -other
      | +1
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_failures_and_what_cannot_be_compared() {
    let hosts = [("web1", Behaviour::Normal), ("web2", Behaviour::Normal), ("web3", Behaviour::RefuseAuth)];
    let sandbox = sandbox(hosts).await;
    let fan = Fan::of(&sandbox);
    let code = |args: &[&str]| fan.run([&["diff"], args].concat()).code;
    assert_eq!(code(&["-H", "web1,web2", "--", "echo", "same"]), Some(0));
    assert_eq!(code(&["-H", "all", "--", "echo same"]), Some(3), "a host was not reached");
    assert_eq!(code(&["-H", "web1,web2", "--", "exit 4"]), Some(1));
    assert_eq!(code(&["-H", "web1,web2", "none/of/them"]), Some(1), "on no host is not the same");
    let ran = fan.run(["diff", "-H", "web1,web2", "--", "echo a; basename \"$PWD\""]);
    insta::assert_snapshot!(ran.snapshot(), @r#"
    exit code: 10
    --- stdout
    echo a; basename "$PWD": differs on 2 hosts, compared with the majority
      web1: 2 lines
      web2: 2 lines
      | --- web1
      | +++ web2
      | @@ -1,2 +1,2 @@
      |  a
      | -web1
      | +web2
    "#);
    let ran = fan.file("want", "a\nweb1\n").run([
        "diff",
        "-H",
        "web1",
        "--against",
        "want",
        "--",
        "echo a; basename \"$PWD\"",
    ]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    let ran = Fan::of(&sandbox).run(["diff", "-H", "web1", "x"]);
    insta::assert_snapshot!(ran.snapshot(), @r"
    exit code: 2
    --- stderr
    error: a single host differs from no other (help: name more hosts, a host to compare with (--from), or a local file (--against))
    ");
    let ran = Fan::of(&sandbox).run(["diff", "-H", "web1,web2", "--from", "web3", "x"]);
    assert_eq!(ran.code, Some(3), "{}", ran.snapshot());
    assert!(ran.stderr.contains("nothing was compared: web3 gave no answer"), "{}", ran.snapshot());
}
