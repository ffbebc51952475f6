//! `--stdin`: what every host reads, whole and byte by byte, however fast it is; and stdin that nobody reads.

use std::path::PathBuf;

use fan::testing::sandbox::{Behaviour, Sandbox};

use crate::fixtures::support::{Fan, sandbox};

const WARNING: &str = "warning: what comes on stdin is not passed on";

async fn three() -> (Sandbox, Fan) {
    let sandbox = sandbox(["web1", "web2", "web3"].map(|name| (name, Behaviour::Normal))).await;
    let fan = Fan::of(&sandbox);
    (sandbox, fan)
}

fn in_home(sandbox: &Sandbox, host: usize, name: &str) -> PathBuf {
    sandbox.hosts()[host].home.join(name)
}

/// All bytes, more than any window or buffer between here and there.
fn data() -> Vec<u8> {
    (0..5_000_011_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_host_reads_all_of_it() {
    let (sandbox, fan) = three().await;
    let data = data();
    let (piped, filed) = (Fan::of(&sandbox).stdin(data.clone()), fan.file("input", &data));
    for (source, fan) in [("-", &piped), ("input", &filed)] {
        let ran = fan.run(["exec", "-N", "-H", "all", "--stdin", source, "--", "cat > got; wc -c < got"]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "5000011\n5000011\n5000011\n"), "{source}");
        assert!(!ran.stderr.contains("warning") && !ran.stderr.contains("note"), "{}", ran.snapshot());
        for host in 0..3 {
            let got = in_home(&sandbox, host, "got");
            assert!(std::fs::read(&got).unwrap() == data, "{source}");
            std::fs::remove_file(got).unwrap();
        }
    }
    // In batches, from the beginning for each.
    let ran = piped.run(["exec", "-N", "-H", "all", "--serial", "1", "--stdin", "-", "--", "wc -c"]);
    assert_eq!(ran.stdout.split_whitespace().collect::<Vec<_>>(), ["5000011"; 3], "{}", ran.snapshot());
    // What was read of a file before fan had it is not the command's.
    let ran = Fan::of(&sandbox)
        .file("lines", "first\nsecond\nthird\n")
        .in_script("{ read -r first; \"$@\"; } < lines")
        .run(["exec", "-N", "-H", "web1", "--stdin", "-", "--", "cat"]);
    assert_eq!(ran.stdout, "second\nthird\n", "{}", ran.snapshot());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_does_not_read_holds_nobody_up() {
    let (sandbox, fan) = three().await;
    let data = [data(), data(), data(), data()].concat();
    let go = in_home(&sandbox, 0, "go");
    // The first one begins when another one has all of it.
    let command = format!(
        "if [ \"$PWD\" = '{slow}' ]; then until test -e go; do sleep 0.05; done; fi; \
         cat > got; touch '{go}'; wc -c < got",
        slow = sandbox.hosts()[0].home.display(),
        go = go.display()
    );
    let ran = fan.stdin(data.clone()).run(["exec", "-N", "-H", "all", "--stdin", "-", "--", &command]);
    let size = data.len().to_string();
    assert_eq!(ran.stdout.split_whitespace().collect::<Vec<_>>(), [&size; 3], "{}", ran.snapshot());
    assert!(std::fs::read(in_home(&sandbox, 0, "got")).unwrap() == data);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_ends_early_is_judged_by_its_status() {
    let (_sandbox, fan) = three().await;
    let endless = fan.in_script("yes | \"$@\"");
    let ran = endless.run(["exec", "-N", "-H", "all", "--stdin", "-", "--", "head -n 1"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "y\ny\ny\n"), "{}", ran.snapshot());
    let ran = endless.run(["exec", "-N", "-H", "web1", "--stdin", "-", "--", "head -n 1; exit 3"]);
    assert_eq!(ran.code, Some(1), "{}", ran.snapshot());
    assert!(ran.stderr.contains("exit status 3"), "{}", ran.snapshot());
    assert!(ran.stderr.contains("it ended before all of its input was sent"), "{}", ran.snapshot());
    // A small input is on its way before anybody can tell.
    let few = Fan::of(&_sandbox).stdin("a\nb\n").run([
        "exec",
        "-N",
        "-H",
        "web1",
        "--stdin",
        "-",
        "--",
        "head -n 1",
    ]);
    assert!(!few.stderr.contains("input"), "{}", few.snapshot());
}

#[test]
fn what_cannot_be_read_is_refused_before_contact() {
    let fan = Fan::new().file("folder/file", "").file("list", "h1\n");
    for (args, expected) in [
        (&["--stdin", "missing"][..], "--stdin missing: No such file or directory"),
        (&["--stdin", "folder"], "--stdin folder: is a folder"),
        (&["--stdin", "-", "--script", "-"], "--script - and --stdin - both read stdin"),
        (&["--stdin", "-", "--hosts-file", "-"], "--stdin - and --hosts-file - both read stdin"),
        (&["--stdin", "-", "-x", "^-"], "--stdin - and --hosts-file - both read stdin"),
    ] {
        let ran = fan.run([&["exec", "-H", "127.0.0.1:1"], args, &["--", "cat"]].concat());
        assert_eq!(ran.code, Some(2), "{}", ran.snapshot());
        assert!(ran.stderr.contains(expected), "{}", ran.snapshot());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn input_that_nobody_reads_is_told_once_and_only_then() {
    let (sandbox, _) = three().await;
    let fan = || Fan::of(&sandbox).file("input", "x\n").file("hosts", "web1\nweb2\n");
    let exec = ["exec", "-N", "-H", "web1", "--", "cat; echo done"];
    let warned = |fan: Fan| {
        let ran = fan.run(exec);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "done\n"), "{}", ran.snapshot());
        ran.stderr.matches(WARNING).count()
    };
    assert_eq!(warned(fan().stdin("x\n")), 1);
    assert_eq!(warned(fan().in_script("\"$@\" < input")), 1);
    for quiet in [
        "\"$@\" < /dev/null",
        "mkfifo pipe; exec 3<>pipe; \"$@\" < pipe",
        ": | \"$@\"",
        "exec <&-; \"$@\"",
        "echo x | CI=1 \"$@\"",
        "{ read -r first; \"$@\"; } < hosts",
        "echo x | { read -r first; \"$@\"; }",
    ] {
        assert_eq!(warned(fan().in_script(quiet)), 0, "{quiet}");
    }
    let ran = fan().stdin("x\n").run(["exec", "-N", "-H", "web1", "--stdin", "-", "--", "cat"]);
    assert_eq!((ran.stdout.as_str(), ran.stderr.contains("warning")), ("x\n", false), "{}", ran.snapshot());
}

/// It was read once, and is not there any more.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_read_stdin_is_not_repeated() {
    let (_sandbox, fan) = three().await;
    let fan = fan.file("input", "of a file\n");
    let ran = fan.run(["exec", "-H", "web1", "--stdin", "-", "--", "cat; false"]);
    assert_eq!(ran.code, Some(1), "{}", ran.snapshot());
    let ran = fan.run(["retry"]);
    assert_eq!(ran.code, Some(2), "{}", ran.snapshot());
    assert!(ran.stderr.contains("stdin"), "{}", ran.snapshot());
    let ran = fan.run([
        "exec",
        "-N",
        "-H",
        "web1",
        "--stdin",
        "input",
        "--",
        "cat; test -e now || { touch now; false; }",
    ]);
    assert_eq!(ran.code, Some(1), "{}", ran.snapshot());
    let ran = fan.run(["retry", "-N"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "of a file\n"), "{}", ran.snapshot());
}
