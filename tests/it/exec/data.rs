//! `-o` and `--table`: hosts as data for programs and for the eye.

use fan::testing::sandbox::{Behaviour, Sandbox};
use serde_json::{Value, json};

use crate::fixtures::support::{Fan, sandbox};

async fn hosts() -> (Sandbox, Fan) {
    let sandbox = sandbox([
        ("web1", Behaviour::Normal),
        ("web2", Behaviour::Normal),
        ("web3", Behaviour::Normal),
        ("db1", Behaviour::RefuseAuth),
    ])
    .await;
    for (host, version) in sandbox.hosts().iter().zip(["6.1 amd64", "6.1 amd64", "5.10 arm64", ""]) {
        std::fs::write(host.home.join("version"), format!("{version}\n")).unwrap();
    }
    let fan = Fan::of(&sandbox);
    (sandbox, fan)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_for_each_host() {
    let (_sandbox, fan) = hosts().await;
    let command = "cat version; printf 'bad\\377' >&2; test $(wc -c < version) = 10";
    let ran = fan.run(["exec", "-H", "all", "-o", "json", "--", command]);
    assert_eq!(ran.code, Some(1), "{}", ran.snapshot());
    let mut objects: Vec<Value> =
        ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    objects.sort_by_key(|object| object["host"].to_string());
    for object in &mut objects {
        let object = object.as_object_mut().unwrap();
        assert_eq!(object.remove("elapsed_ms").unwrap().is_number(), object["started"] == json!(true));
    }
    let mut db1 = objects.remove(0);
    assert!(db1.as_object_mut().unwrap().remove("message").unwrap().as_str().unwrap().contains("login as"));
    assert_eq!(
        db1,
        json!({
            "host": "db1", "status": "unreachable", "kind": "auth_failed", "exit_status": null, "started": false,
            "stdout": "", "stderr": ""
        })
    );
    assert_eq!(
        objects[0],
        json!({
            "host": "web1", "status": "ok", "kind": null, "message": null, "exit_status": 0, "started": true,
            "stdout": "6.1 amd64", "stderr": "bad\u{fffd}", "stderr_base64": "YmFk/w=="
        })
    );
    assert_eq!((&objects[2]["status"], &objects[2]["exit_status"]), (&json!("failed"), &json!(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn names_by_outcome() {
    let (_sandbox, fan) = hosts().await;
    let names = |what: &str| {
        let ran =
            fan.run(["exec", "-q", "-H", "all", "-o", what, "--", "cat version; grep -q amd64 version"]);
        assert_eq!(ran.code, Some(1), "{}", ran.snapshot());
        ran.stdout
    };
    assert_eq!(names("name"), "web1\nweb2\n");
    assert_eq!(names("name:failed"), "web3\n");
    assert_eq!(names("name:unreachable,failed"), "web3\ndb1\n");
    assert_eq!(names("name:not_ok"), "web3\ndb1\n");
    assert_eq!(names("name:cancelled"), "");
    // As a list for the next command.
    let again = Fan::of(&_sandbox).stdin(names("name:failed"));
    let ran = again.run(["exec", "--hosts-file", "-", "--table", "--", "cat version"]);
    assert_eq!(ran.stdout, "web3  5.10 arm64\n", "{}", ran.snapshot());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_for_each_line() {
    let (_sandbox, fan) = hosts().await;
    let table = |args: &[&str], command: &str| {
        let ran = fan.run([&["exec", "-H", "all"], args, &["--", command]].concat());
        assert!(!ran.stderr.contains("web1 | "), "{}", ran.snapshot());
        ran.stdout
    };
    let web = ["-x", "db1"];
    assert_eq!(
        table(&[&web[..], &["--table"]].concat(), "cat version"),
        "web1  6.1 amd64\nweb2  6.1 amd64\nweb3  5.10 arm64\n"
    );
    assert_eq!(
        table(&[&web[..], &["--table", "-b"]].concat(), "cat version"),
        "web[1-2]  6.1 amd64\nweb3      5.10 arm64\n"
    );
    assert_eq!(
        table(&[&web[..], &["--columns=kernel,arch"]].concat(), "cat version; echo; echo 'x  y  z'"),
        "HOST  kernel  arch\nweb1  6.1     amd64\nweb1  x       y      z\nweb2  6.1     amd64\nweb2  x       y      z\n\
         web3  5.10    arm64\nweb3  x       y      z\n"
    );
    let mixed =
        table(&["--columns"], "cat version; test $(wc -c < version) = 10 || { echo why >&2; exit 3; }");
    assert_eq!(
        mixed.lines().take(3).collect::<Vec<_>>(),
        [
            "web1  ok           6.1   amd64",
            "web2  ok           6.1   amd64",
            "web3  failed       5.10  arm64"
        ],
    );
    assert!(mixed.lines().last().unwrap().starts_with("db1   unreachable  login as "), "{mixed}");
    let silent = table(
        &[&web[..], &["--table"]].concat(),
        "test -e /nowhere || { printf 'no\\033[2J\\n' >&2; false; }",
    );
    assert_eq!(silent.lines().next(), Some("web1  failed  exit status 1: no\\x1b[2J"), "{silent}");
}

#[test]
fn one_shape_at_a_time() {
    let fan = Fan::new();
    for args in [
        &["-o", "json", "--table"][..],
        &["-o", "json", "-b"],
        &["-o", "json", "-N"],
        &["--table", "--format", "jsonl"],
        &["--columns", "--diff"],
        &["-o", "yaml"],
        &["-o", "name:fine"],
        &["-o", "StrictHostKeyChecking=no"],
    ] {
        let ran = fan.run([&["exec", "-H", "127.0.0.1:1"], args, &["--", "true"]].concat());
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{args:?}: {}", ran.snapshot());
    }
}
