//! `--where`: hosts chosen by what they are, on throw-away hosts, a real OpenSSH server and this machine.

use fan::testing::event::Fact;
use fan::testing::model::outcome::{Kind, Status};
use fan::testing::sandbox::{Behaviour, Sandbox};
use serde_json::Value;

use crate::fixtures::sshd::Sshd;
use crate::fixtures::support::{Fan, Ran, sandbox};

const NORMAL: [(&str, Behaviour); 3] =
    [("web1", Behaviour::Normal), ("web2", Behaviour::Normal), ("web3", Behaviour::Normal)];

fn exec(fan: &Fan, condition: &str) -> Ran {
    fan.run(["exec", "-H", "all", "--where", condition, "--", "echo hi"])
}

/// Each host's status and kind, in the order of their names.
fn ends(ran: &Ran) -> Vec<(String, Status, Option<Kind>)> {
    let mut ends: Vec<_> = ran
        .events()
        .into_iter()
        .filter_map(|event| match event.fact {
            Fact::HostFinished { host, outcome } => {
                Some((host.to_string(), outcome.status, outcome.failure.map(|failure| failure.kind)))
            }
            _ => None,
        })
        .collect();
    ends.sort_by(|a, b| a.0.cmp(&b.0));
    ends
}

fn counts(sandbox: &Sandbox) -> Vec<(u64, u64)> {
    sandbox.hosts().iter().map(|host| (host.connections(), host.execs())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_are_asked_and_worked_on_over_one_connection() {
    let sandbox = sandbox(NORMAL).await;
    let fan = Fan::of(&sandbox);
    let ran = exec(&fan, r#"facts.kernel.name == "Linux" and host != "web2""#);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    assert_eq!(ran.sorted_stdout(), ["web1 | hi", "web3 | hi"]);
    assert!(ran.stderr.contains("2 ok, 1 skipped"), "{}", ran.snapshot());
    assert!(
        ran.stderr.contains(
            r#"web2: skipped: --where is false: facts.kernel.name == "Linux" and host != "web2" [where]"#
        ),
        "{}",
        ran.snapshot()
    );
    // All were asked; the command ran on two of them.
    assert_eq!(counts(&sandbox), [(1, 2), (1, 1), (1, 2)]);
    // In batches, too.
    let batches = fan.run(["exec", "-H", "all", "--serial", "2", "--plan", "--", "echo hi"]);
    assert!(batches.stdout.contains("[batches 2, 1]"), "{}", batches.snapshot());
    // What can be said without the hosts is not asked.
    let ran = exec(&fan, r#"host != "web2""#);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    assert_eq!(counts(&sandbox), [(2, 3), (1, 1), (2, 3)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_cannot_be_asked_is_not_dropped() {
    let hosts = [
        ("web1", Behaviour::Normal),
        ("web2", Behaviour::RefuseAuth),
        ("web3", Behaviour::RefuseExec),
        ("web4", Behaviour::CutAfterExec),
    ];
    let sandbox = sandbox(hosts).await;
    let fan = Fan::of(&sandbox);
    let condition = r#"facts.kernel.name == "Linux""#;
    let args = ["exec", "-H", "all", "--where", condition, "--format", "jsonl", "--", "echo hi"];
    let ran = fan.run(args);
    assert_eq!(ran.code, Some(3), "nothing was started where it failed: {}", ran.snapshot());
    assert_eq!(
        ends(&ran),
        [
            ("web1".to_owned(), Status::Ok, None),
            ("web2".to_owned(), Status::Unreachable, Some(Kind::AuthFailed)),
            ("web3".to_owned(), Status::Unreachable, Some(Kind::ExecRefused)),
            ("web4".to_owned(), Status::Unreachable, Some(Kind::ConnectionLost)),
        ]
    );
    // A rollout in batches does not begin with hosts lost.
    let batches =
        ["exec", "-H", "all", "--where", condition, "--serial", "1", "--format", "jsonl", "--", "echo hi"];
    let ran = fan.run(batches);
    assert_eq!(ran.code, Some(3), "{}", ran.snapshot());
    assert_eq!(ends(&ran)[0], ("web1".to_owned(), Status::Skipped, Some(Kind::Dependency)));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_left_is_no_success() {
    let sandbox = sandbox(NORMAL).await;
    let fan = Fan::of(&sandbox);
    let ran = exec(&fan, r#"facts.kernel.name == "Plan 9""#);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{}", ran.snapshot());
    insta::assert_snapshot!(ran.stderr.lines().last().unwrap(), @"error: no hosts left: --where is false on all selected hosts (help: nothing was started; `fan facts` shows their facts)");
    assert_eq!(counts(&sandbox), [(1, 1); 3]);
    let ran = exec(&fan, r#"host == "db1""#);
    assert_eq!(ran.code, Some(2));
    insta::assert_snapshot!(ran.stderr, @r#"error: --where 'host == "db1"': it is false on all selected hosts"#);
    assert_eq!(counts(&sandbox), [(1, 1); 3], "found before contact");
}

const INVENTORY: &str = r#"
vars: {env: staging, far: "{{ token }}"}
secrets: {token: {env: TOKEN}}
hosts:
  web1: {address: 127.0.0.1, port: 1, vars: {tier: 1, label: "{{ host }}-{{ env }}"}}
  web2: {address: 127.0.0.1, port: 1, vars: {tier: 2}}
"#;

#[test]
fn mistakes_are_found_before_contact() {
    let fan = Fan::new()
        .file("inventory.yaml", INVENTORY)
        .file("tasks.yaml", "tasks:\n  t:\n    hosts: [all]\n    steps:\n      - run: echo hi\n");
    let mut told = String::new();
    for condition in [
        "tier >",
        "teir > 1",
        r#"label == "x""#,
        "tier",
        "facts.os.id",
        r#"facts.os.naem == "debian""#,
        r#"facts.os.id | nosuch == "x""#,
        "hosts | length > 1",
        r#"far == "x""#,
        r#"token == "x" or facts.os.id == "debian""#,
        "tier > 9",
    ] {
        let ran = exec(&fan, condition);
        assert_eq!(ran.code, Some(2), "{condition}: {}", ran.snapshot());
        let run = fan.run(["run", "t", "--where", condition]);
        assert_eq!((run.code, &run.stderr), (Some(2), &ran.stderr), "{condition}");
        told += &ran.stderr;
    }
    insta::assert_snapshot!(told, @r#"
    error: --where 'tier >', character 6: unexpected end of input, expected expression
    error: --where 'teir > 1', character 1: undefined variable "teir" (help: did you mean "tier"?)
    error: --where 'label == "x"', character 1: undefined variable "label" on web2 (help: give a default: label | default(""))
    error: --where 'tier': expected true or false, found a number (help: compare it with something: == != < > in, or "is defined")
    error: --where 'facts.os.id': expected true or false, found a string (help: compare it with something: == != < > in, or "is defined")
    error: --where 'facts.os.naem == "debian"': there is no fact "os.naem" (help: did you mean "facts.os.name"?)
    error: --where 'facts.os.id | nosuch == "x"', character 15: unknown filter "nosuch"
    error: --where 'hosts | length > 1', character 1: undefined variable "hosts" (help: did you mean "host"?)
    error: --where 'far == "x"': secret "token" cannot select hosts (help: use a variable that is not secret)
    error: --where 'token == "x" or facts.os.id == "debian"': secret "token" cannot select hosts (help: use a variable that is not secret)
    error: --where 'tier > 9': it is false on all selected hosts
    "#);
}

const TASKS: &str = "\
tasks:
  once:
    hosts: [all]
    run_once: true
    steps:
      - run: echo once on {{ host }}
  t:
    hosts: [all]
    serial: 1
    steps:
      - facts: true
      - run: printf '%s ' {{ host }} {{ host_index }} {{ host_count }} {{ batch }} {{ hosts }} {{ facts.kernel.name }}
";

#[tokio::test(flavor = "multi_thread")]
async fn tasks_see_the_hosts_that_are_left() {
    let sandbox = sandbox(NORMAL).await;
    let fan = Fan::of(&sandbox).file("tasks.yaml", TASKS);
    let condition = r#"facts.memory.total > 1 and (host != "web1" or extra is defined)"#;
    let ran = fan.run(["run", "once", "t", "--where", condition]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    assert_eq!(
        ran.sorted_stdout(),
        ["web2 | once on web2", "web2 | web2 0 2 1 web2 web3 Linux ", "web3 | web3 1 2 2 web2 web3 Linux "]
    );
    // Asked once; the step `facts` knows already.
    assert_eq!(counts(&sandbox), [(1, 1), (1, 3), (1, 2)]);
    let ran = fan.run(["run", "once", "-e", "extra=1", "--where", condition]);
    assert_eq!(ran.sorted_stdout(), ["web1 | once on web1"], "{}", ran.snapshot());
    let plan = fan.run(["run", "once", "--where", condition, "--plan"]);
    assert_eq!(plan.code, Some(0));
    assert!(plan.stdout.starts_with(&format!("only hosts where {condition}:\n")), "{}", plan.snapshot());
    assert_eq!(counts(&sandbox)[1], (2, 4), "a plan contacts nobody");
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_on_other_hosts_stay_with_their_hosts() {
    let sandbox = sandbox(NORMAL).await;
    let tasks = "\
tasks:
  t:
    hosts: [all]
    steps:
      - run: pwd
        on: \"{{ {'web1': 'web2', 'web2': 'web3', 'web3': 'web1'}[host] }}\"
";
    let fan = Fan::of(&sandbox).file("tasks.yaml", tasks);
    let ran = fan.run([
        "run",
        "t",
        "--where",
        r#"host != "web1" and facts.kernel.name == "Linux""#,
        "--format",
        "lines",
    ]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    let home = |at: usize| sandbox.hosts()[at].home.display().to_string();
    assert_eq!(ran.sorted_stdout(), [format!("web2 | {}", home(2)), format!("web3 | {}", home(0))]);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_commands_that_work_on_hosts_take_it() {
    let sandbox = sandbox(NORMAL).await;
    let fan = Fan::of(&sandbox).file("a", "new");
    let condition = r#"facts.kernel.name == "Linux" and host == "web2""#;
    let ping = fan.run(["ping", "--where", condition]);
    assert_eq!(ping.code, Some(0), "{}", ping.snapshot());
    assert!(ping.stdout.starts_with("web2  ok") && ping.stdout.lines().count() == 1, "{}", ping.snapshot());
    let facts = fan.run(["facts", "--where", condition, "--table"]);
    let rows: Vec<&str> = facts.stdout.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(rows, ["HOST", "web2"], "{}", facts.snapshot());
    let facts = fan.run(["facts", "--where", condition, "--json"]);
    let told: Value = serde_json::from_str(&facts.stdout).unwrap();
    assert_eq!(told["hosts"]["web1"]["failure"]["kind"], "where");
    assert_eq!(told["hosts"]["web2"]["status"], "ok");
    let put = fan.run(["put", "-H", "all", "--where", condition, "a", "a"]);
    assert_eq!(put.code, Some(0), "{}", put.snapshot());
    let there: Vec<bool> = sandbox.hosts().iter().map(|host| host.home.join("a").exists()).collect();
    assert_eq!(there, [false, true, false]);
    let get = fan.run(["get", "-H", "all", "--where", condition, "a", "{host}/"]);
    assert_eq!(get.code, Some(0), "{}", get.snapshot());
    assert_eq!(std::fs::read_to_string(fan.work().join("web2/a")).unwrap(), "new");
    for command in [
        vec!["sync", "-H", "all", "--where", condition, ".", "copy"],
        vec!["ls", "-H", "all", "--where", condition, "."],
    ] {
        let ran = fan.run(&command);
        assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    }
}

#[test]
fn a_real_server_and_this_machine_are_asked() {
    let sshd = Sshd::start();
    let inventory = sshd.inventory_yaml(1) + "  here: {transport: local}\n";
    let fan = Fan::new().file("inventory.yaml", inventory);
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let condition = format!("facts.kernel.release == '{}'", release.trim());
    let ran = exec(&fan, &condition);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    assert_eq!(ran.sorted_stdout(), ["h1   | hi", "here | hi"]);
    assert_eq!(sshd.connections(), 1);
    let facts = fan.run(["facts", "--json"]);
    assert_eq!(facts.code, Some(0), "{}", facts.snapshot());
    let told: Value = serde_json::from_str(&facts.stdout).unwrap();
    for name in ["h1", "here"] {
        assert_eq!(told["hosts"][name]["facts"]["kernel"]["release"], release.trim(), "{}", facts.snapshot());
    }
}
