//! `--script`: a local file, or what comes on stdin, run on the hosts.

use fan::testing::sandbox::Behaviour;

use crate::fixtures::support::{Fan, sandbox};

#[tokio::test(flavor = "multi_thread")]
async fn a_local_file_runs_on_the_hosts_with_its_arguments() {
    let sandbox = sandbox([("web1", Behaviour::Normal), ("web2", Behaviour::Normal)]).await;
    let script = "#!/bin/bash\necho \"$FAN_HOST ${0##*/} $# <$1> <$2> $((1 + 1))\"; cat\n";
    let fan = Fan::of(&sandbox).file("in a folder/check.sh", script).file("input", "read\n");
    let args = ["a b'", "{{ x }} {host} {%"];
    let ran =
        fan.run([&["exec", "-N", "-H", "all", "--script", "in a folder/check.sh", "--"], &args[..]].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    let expected = |host: &str, name: &str| format!("{host} {name} 2 <a b'> <{{{{ x }}}} {{host}} {{%> 2");
    assert_eq!(ran.sorted_stdout(), [expected("web1", "check.sh"), expected("web2", "check.sh")]);
    let ran = Fan::of(&sandbox)
        .stdin(script)
        .run([&["exec", "-N", "-H", "web1", "--script", "-", "--"], &args[..]].concat());
    assert_eq!(ran.stdout.trim_end(), expected("web1", "script"), "{}", ran.snapshot());
    // It may read something itself.
    let ran = fan.run(["exec", "-N", "-H", "web1", "--script", "in a folder/check.sh", "--stdin", "input"]);
    assert!(ran.stdout.ends_with(" 0 <> <> 2\nread\n"), "{}", ran.snapshot());
    // It leaves nothing behind, and its exit status counts.
    let fan = Fan::of(&sandbox).stdin("exit 4\n");
    let ran = fan.run(["exec", "-H", "web1", "--script", "-"]);
    assert_eq!(ran.code, Some(1), "{}", ran.snapshot());
    assert!(ran.stderr.contains("exit status 4"), "{}", ran.snapshot());
}

#[test]
fn what_is_no_script_is_refused_before_contact() {
    let fan = Fan::new().file("folder/x", "").file("dos.sh", "#!/bin/sh\r\necho a\r\necho b\r\n");
    for (script, expected) in
        [("missing.sh", "missing.sh"), ("folder", "folder"), ("dos.sh", "carriage return")]
    {
        let ran = fan.run(["exec", "-H", "127.0.0.1:1", "--script", script]);
        assert_eq!(ran.code, Some(2), "{}", ran.snapshot());
        assert!(ran.stderr.contains(expected), "{script}: {}", ran.snapshot());
    }
    let ran = fan.run(["exec", "-H", "h1", "-n", "-S", "--script", "folder/x", "--", "one", "two"]);
    assert_eq!(ran.stdout, "folder/x one two on h1 (1)\n  1. script: sudo folder/x one two  [sudo]\n");
}
