//! `fan facts` and the action `facts`: what hosts are, on throw-away hosts and on this machine.

use serde_json::Value;

use crate::fixtures::support::{Fan, Ran, sandbox};
use fan::testing::sandbox::Behaviour;

fn json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.snapshot()))
}

fn kernel(file: &str) -> String {
    std::fs::read_to_string(format!("/proc/sys/kernel/{file}")).unwrap().trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_host_is_accounted_for() {
    let hosts = [("web1", Behaviour::Normal), ("web2", Behaviour::RefuseAuth), ("web3", Behaviour::Normal)];
    let sandbox = sandbox(hosts).await;
    let fan = Fan::of(&sandbox);
    let ran = fan.run(["facts", "--json"]);
    assert_eq!(ran.code, Some(3), "{}", ran.snapshot());
    let told = json(&ran);
    let names: Vec<&String> = told["hosts"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["web1", "web2", "web3"]);
    for name in ["web1", "web3"] {
        let host = &told["hosts"][name];
        assert_eq!(host["status"], "ok");
        assert_eq!(host["facts"]["kernel"]["release"], kernel("osrelease"));
        assert_eq!(host["facts"]["hostname"], kernel("hostname"));
        assert!(host["facts"]["memory"]["total"].as_u64().unwrap() > 1024 * 1024);
    }
    assert_eq!(told["hosts"]["web2"]["status"], "unreachable");
    assert_eq!(told["hosts"]["web2"]["failure"]["kind"], "auth_failed");
    assert_eq!(told["hosts"]["web2"].get("facts"), None);
    assert!(ran.stderr.contains("web2: ") && !ran.stderr.contains("web1: "), "{}", ran.snapshot());

    let ran = fan.run(["facts"]);
    let rows: Vec<&str> = ran.stdout.lines().map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(rows, ["HOST", "web1", "web2", "web3"], "{}", ran.snapshot());
    let page = fan.run(["facts", "-H", "web1"]);
    assert_eq!(page.code, Some(0));
    assert!(page.stdout.starts_with("web1\n  name "), "{}", page.snapshot());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_gives_no_answer_fails() {
    for (behaviour, code, kind) in
        [(Behaviour::RefuseExec, 3, "exec_refused"), (Behaviour::CutAfterExec, 1, "connection_lost")]
    {
        let sandbox = sandbox([("web1", behaviour.clone())]).await;
        let ran = Fan::of(&sandbox).run(["facts", "--json"]);
        assert_eq!(ran.code, Some(code), "{behaviour:?}: {}", ran.snapshot());
        let told = json(&ran);
        assert_eq!(told["hosts"]["web1"]["failure"]["kind"], kind, "{behaviour:?}");
        assert_eq!(told["hosts"]["web1"].get("facts"), None);
    }
}

const TASKS: &str = "\
tasks:
  all:
    hosts: [all]
    steps:
      - facts: true
      - echo: '{{ host }} {{ facts.kernel.name }}'
      - facts:
        register: again
      - run: printf '%s\\n' {{ again.kernel.release }}
        when: facts.memory.total > 0 and facts.nonsense is not defined
  later:
    hosts: [all]
    steps:
      - echo: 'still {{ facts.kernel.name }}'
  typo:
    hosts: [all]
    steps:
      - facts: true
      - run: echo {{ facts.os.naem }}
";

#[tokio::test(flavor = "multi_thread")]
async fn steps_see_the_facts_of_their_host() {
    let sandbox = sandbox([("web1", Behaviour::Normal)]).await;
    let fan = Fan::of(&sandbox).file("tasks.yaml", TASKS);
    let ran = fan.run(["run", "all", "later"]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    let expected = ["web1 Linux", &kernel("osrelease"), "still Linux"];
    let lines: Vec<&str> = ran.stdout.lines().map(|line| line.trim_start_matches("web1 | ")).collect();
    assert_eq!(lines, expected, "{}", ran.snapshot());
    // Each host is asked once, whatever is told.
    let before = sandbox.hosts()[0].execs();
    let events = fan.run(["run", "all", "--format", "jsonl"]);
    assert_eq!(events.stdout.matches("\"facts_gathered\"").count(), 2, "{}", events.snapshot());
    assert_eq!(sandbox.hosts()[0].execs() - before, 2, "the script, and the command");

    let typo = fan.run(["run", "typo"]);
    assert_eq!(typo.code, Some(1), "{}", typo.snapshot());
    assert!(typo.stderr.contains("naem"), "{}", typo.snapshot());
}

#[test]
fn facts_before_they_are_known_are_an_error_before_contact() {
    let tasks = "tasks:\n  a:\n    hosts: [web1]\n    steps:\n      - echo: '{{ facts.os.id }}'\n";
    let inventory = "hosts:\n  web1: {address: 127.0.0.1, port: 1}\n";
    let fan = Fan::new().file("tasks.yaml", tasks).file("inventory.yaml", inventory);
    let ran = fan.run(["run", "a"]);
    assert_eq!(ran.code, Some(2), "{}", ran.snapshot());
    insta::assert_snapshot!(ran.stderr, @r#"tasks.yaml:5:16: error: undefined variable "facts" (help: add a step `facts: true` before it)"#);
    let ran = fan.file("tasks.yaml", format!("{tasks}      - facts: true\n")).run(["run", "a"]);
    assert_eq!(ran.code, Some(2), "{}", ran.snapshot());
    insta::assert_snapshot!(ran.stderr, @r#"tasks.yaml:5:16: error: variable "facts" is used before step 2 defines it"#);
}
