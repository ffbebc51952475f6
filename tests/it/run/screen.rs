//! What people read of a run of tasks: titles with values, the call with its arguments, each failure once, and equal lines
//! of many hosts together.

use fan::testing::sandbox::Behaviour;

use crate::fixtures::stable::stable;
use crate::fixtures::support::{Fan, sandbox};

const TASKS: &str = "
vars: {app: shop}
secrets: {pin: {env: PIN}}
tasks:
  deploy:
    params: {version: null, token: none}
    hosts: [all]
    steps:
      - name: Ship {{ app }} {{ version }} to {{ host }}
        run: echo {{ version }}
      - run: echo {{ app }} {{ version }} {{ pin }}; exit 3
        warn_only: true
";

#[tokio::test(flavor = "multi_thread")]
async fn titles_plans_recap_and_history_show_values_and_no_secrets() {
    let sandbox = sandbox([("web1", Behaviour::Normal), ("web2", Behaviour::Normal)]).await;
    let fan = Fan::of(&sandbox).file("tasks.yaml", TASKS).env("PIN", "hunter2-long");
    let plan = fan.run(["run", "deploy:9", "--plan"]);
    insta::assert_snapshot!(stable(&plan.stdout, &[]), @"
    deploy on web[1-2] (2)
      1. run: Ship shop 9 to {{ host }}
      2. run: echo shop 9 ********; exit 3  [warn only]
    ");
    let ran = fan.run(["run", "deploy:9"]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    assert!(ran.stderr.contains("deploy:9 · web[1-2] · 2 ok"), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("step 2 \"echo shop 9 ********; exit 3\" (tasks.yaml:11) warned"),
        "{}",
        ran.stderr
    );
    let history = fan.run(["history"]);
    assert!(history.stdout.contains("deploy:9"), "{}", history.snapshot());
    let secret = fan.run(["run", "deploy:9,token=hunter2-long"]);
    assert!(secret.stderr.contains("deploy:9,token=******** · web[1-2]"), "{}", secret.stderr);
    for text in [&plan.stdout, &ran.stderr, &history.stdout, &secret.stderr, &fan.run(["history"]).stdout] {
        assert!(!text.contains("hunter2"), "{text}");
    }
    // The same steps are found again, whatever their titles say.
    let resumed = fan.run(["resume", "last"]);
    assert!(!resumed.stderr.contains("other"), "{}", resumed.snapshot());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_told_in_a_line_and_then_whole_with_its_rescue() {
    let sandbox = sandbox([("web1", Behaviour::Normal)]).await;
    let tasks = "
tasks:
  t:
    hosts: [all]
    steps:
      - run: echo on it
      - block:
          - run: echo no space left >&2; exit 2
        rescue:
          - run: echo nothing to go back to; exit 3
      - fail: |
          never
          reached
";
    let fan = Fan::of(&sandbox).file("tasks.yaml", tasks);
    let ran = fan.run(["run", "t"]);
    insta::assert_snapshot!(stable(&ran.stderr, &[]), @r#"
    t: 1 host
    web1 | no space left
    web1: step 2 "echo no space left >&2; exit 2" (tasks.yaml:8) exit status 2
    web1: step 3 "echo nothing to go back to; exit 3" (tasks.yaml:10) exit status 3
    t · web1 · 1 failed  <time>
      web1  failed  1/3 steps  1 changed

    web1: step 3 "echo nothing to go back to; exit 3" (tasks.yaml:10) exit status 3
      | nothing to go back to
      before that: step 2 "echo no space left >&2; exit 2" (tasks.yaml:8) exit status 2
      | no space left

    hint: `fan resume <run>` continues web1 at step 3
    "#);
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_lines_of_many_hosts_stand_together() {
    let names: Vec<String> = (10..40).map(|number| format!("web{number}")).collect();
    let sandbox = sandbox(names.iter().map(|name| (name.as_str(), Behaviour::Normal))).await;
    let tasks =
        "tasks: {t: {hosts: [all], steps: [{run: exit 4, warn_only: true}, {fail: \"one\\ntwo\"}]}}\n";
    let fan = Fan::of(&sandbox).file("tasks.yaml", tasks);
    for flags in [&["run", "t"][..], &["run", "t", "--fold"]] {
        let ran = fan.run(flags);
        let (live, recap) = ran.stderr.split_once("t · web[10-39]").unwrap();
        assert!(live.lines().count() <= 12, "{}", ran.stderr);
        assert!(!ran.stderr.contains("\\n") && recap.contains("one\n  two"), "{}", ran.stderr);
    }
}
