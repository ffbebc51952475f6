//! `--shard`: the slices of a run share its work, and their streams give one report.

use std::collections::BTreeSet;

use fan::testing::sandbox::Behaviour;
use serde_json::Value;

use crate::fixtures::support::{Fan, sandbox};

const SHARDS: usize = 3;

fn listed(fan: &Fan, shard: usize) -> BTreeSet<String> {
    let ran = fan.run(["hosts", "--list", "-H", "all", "--shard", &format!("{shard}/{SHARDS}")]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    ran.stdout.lines().map(str::to_owned).collect()
}

#[test]
fn each_host_is_in_one_slice_and_stays_there() {
    let fan = Fan::new().file("inventory.yaml", "hosts: {'web[01-40]': {}}");
    let slices: Vec<BTreeSet<String>> = (1..=SHARDS).map(|shard| listed(&fan, shard)).collect();
    assert_eq!(slices.iter().map(BTreeSet::len).sum::<usize>(), 40);
    assert_eq!(slices.iter().flatten().collect::<BTreeSet<_>>().len(), 40);
    assert!(slices.iter().all(|slice| !slice.is_empty()), "{slices:?}");
    let fan = fan.file("inventory.yaml", "hosts: {'db[01-20]': {}, 'web[01-30]': {}}");
    for (at, slice) in slices.iter().enumerate() {
        let now: BTreeSet<String> =
            listed(&fan, at + 1).into_iter().filter(|name| name.starts_with("web")).collect();
        let before: BTreeSet<String> =
            slice.iter().filter(|name| name.as_str() <= "web30").cloned().collect();
        assert_eq!(now, before);
    }
}

const TASKS: &str = "
tasks:
  migrate:
    run_once: true
    hosts: [all]
    steps: [local: 'echo {{ host }} >> migrated']
  look:
    before: [migrate]
    hosts: [all]
    steps: [run: echo same, run: 'test {{ host }} != web3']
";

#[tokio::test(flavor = "multi_thread")]
async fn slices_share_a_run_and_their_streams_give_one_report() {
    let sandbox = sandbox(["web1", "web2", "web3", "web10"].map(|name| (name, Behaviour::Normal))).await;
    let fan = Fan::of(&sandbox).file("tasks.yaml", TASKS);
    let mut codes = BTreeSet::new();
    // Eight slices of four hosts: some have none, and that is fine.
    for shard in 1..=8 {
        let (slice, stream) = (format!("{shard}/8"), format!("{shard}.jsonl"));
        let ran = fan.run(["run", "look", "--shard", &slice, "--report", &stream]);
        codes.insert(ran.code);
    }
    assert_eq!(codes, BTreeSet::from([Some(0), Some(1)]));
    // The first of all hosts has done it, and no slice did it again.
    assert_eq!(std::fs::read_to_string(fan.work().join("migrated")).unwrap(), "web1\n");
    let streams: Vec<String> = (1..=8).map(|shard| format!("{shard}.jsonl")).collect();
    let mut args: Vec<&str> = vec!["report", "merge"];
    args.extend(streams.iter().map(String::as_str));
    args.extend(["-o", "all.json", "-o", "all.html", "-o", "all.xml"]);
    let ran = fan.run(&args);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    let report = std::fs::read_to_string(fan.work().join("all.json")).unwrap();
    let report: Value = serde_json::from_str(&report).unwrap();
    let hosts: Vec<&str> =
        report["hosts"].as_array().unwrap().iter().map(|host| host["host"].as_str().unwrap()).collect();
    assert_eq!(hosts, ["web1", "web2", "web3", "web10"]);
    assert_eq!((&report["counts"]["ok"], &report["counts"]["failed"]), (&Value::from(3), &Value::from(1)));
    assert_eq!((&report["finished"], &report["exit_code"]), (&Value::from(true), &Value::from(1)));
    let tasks = report["tasks"].as_array().unwrap();
    let members: Vec<(&str, usize)> = tasks
        .iter()
        .map(|task| (task["name"].as_str().unwrap(), task["hosts"].as_array().unwrap().len()))
        .collect();
    assert_eq!(members, [("migrate", 1), ("look", 4)]);
    assert_eq!(report["texts"].as_array().unwrap().len(), 1, "equal output is held once");
}

#[test]
fn what_cannot_be_merged_is_told_at_once() {
    let fan =
        Fan::new().file("other.jsonl", "{}\n{}\n").file("text.jsonl", "one\ntwo\n").file("empty.jsonl", "");
    let streams = ["other.jsonl", "text.jsonl", "empty.jsonl", "none.jsonl"];
    let ran = fan.run([&["report", "merge"], &streams[..], &["-o", "all.html"]].concat());
    insta::assert_snapshot!(ran.snapshot(), @"
    exit code: 2
    --- stderr
    error: other.jsonl: line 1: missing field `at_ms`
    error: text.jsonl: line 1: expected value at line 1 column 1
    error: empty.jsonl: its first line is not run_started: not an event stream
    error: none.jsonl: No such file or directory (os error 2)
    ");
    let ran = fan.run(["exec", "-H", "a", "--shard", "3/2", "--", "true"]);
    insta::assert_snapshot!(ran.snapshot(), @r#"
    exit code: 2
    --- stderr
    error: invalid value '3/2' for '--shard <K/N>': must be K/N, slice K of N, counted from 1: 2/5; got "3/2"

    For more information, try '--help'.
    "#);
    let tasks = "tasks: {once: {run_once: true, hosts: [web1], steps: [run: 'true']}}";
    let fan = fan.file("inventory.yaml", "hosts: {web1: {}}").file("tasks.yaml", tasks);
    let ran = fan.run(["run", "once", "--shard", "1/2", "--where", "true", "-n"]);
    insta::assert_snapshot!(ran.snapshot(), @"
    exit code: 2
    --- stderr
    tasks.yaml:1:9: error: with --where, only its own slice knows which host runs a `run_once` task (help: run it without --shard, or without --where)
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_is_done_once_is_done_once_in_each_slice_and_that_is_said() {
    let sandbox = sandbox(["web1", "web2"].map(|name| (name, Behaviour::Normal))).await;
    let tasks = "tasks: {t: {hosts: [all], steps: [{run: echo once, run_once: true}]}}\n";
    let fan = Fan::of(&sandbox).file("tasks.yaml", tasks);
    insta::assert_snapshot!(fan.run(["run", "t", "--shard", "2/5"]).snapshot(), @"
    exit code: 0
    --- stdout
    web1 | once
    --- stderr
    tasks.yaml:1:35: warning: with --shard 2/5 this `run_once` step runs once in each slice (help: a task with `run_once` runs in one slice only)
    t: 1 host
    t · web1 · 1 ok  <time>
      web1  ok  1/1 steps  1 changed
    ");
    insta::assert_snapshot!(fan.run(["run", "t", "--shard", "1/5"]).snapshot(), @"
    exit code: 0
    --- stderr
    tasks.yaml:1:35: warning: with --shard 1/5 this `run_once` step runs once in each slice (help: a task with `run_once` runs in one slice only)
    t: 0 hosts
    t · no hosts  <time>
    ");
}
