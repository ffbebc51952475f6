//! `fan retry` and `fan resume`: an earlier run taken up again, and what is asked and refused then. `killed` has the loop that kills fan.

use std::fs;
use std::path::PathBuf;

use fan::testing::sandbox::Behaviour;
use fan::testing::store::Runs;
use rustix::process::Signal;

use crate::fixtures::support::{Fan, Ran, eventually, sandbox, typed_on_terminal};

const HOSTS: &str = "hosts:\n  h[1-4]: {transport: local}\n";

fn fan(tasks: &str) -> Fan {
    let fan = Fan::new();
    let tasks = tasks.replace("DIR", &fan.work().display().to_string());
    fan.file("inventory.yaml", HOSTS).file("tasks.yaml", tasks)
}

pub(crate) fn state(fan: &Fan) -> PathBuf {
    fan.home().join(".local/state")
}

pub(crate) fn runs(fan: &Fan) -> Runs {
    Runs::open(&state(fan)).unwrap().unwrap()
}

/// The lines of a file of the working folder; none without one.
pub(crate) fn lines(fan: &Fan, name: &str) -> Vec<String> {
    let text = fs::read_to_string(fan.work().join(name)).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

pub(crate) fn succeeds(ran: &Ran) {
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
}

fn fails(ran: &Ran) {
    assert_eq!(ran.code, Some(1), "{}", ran.snapshot());
}

#[tokio::test(flavor = "multi_thread")]
async fn retry_is_the_same_again_where_it_was_not_ok() {
    let sandbox = sandbox(["h1", "h2", "h3", "h4"].map(|name| (name, Behaviour::Normal))).await;
    let home = |at: usize| sandbox.hosts()[at].home.clone();
    fs::write(home(1).join("good"), "").unwrap();
    let fan = Fan::of(&sandbox).env("FAN_HOSTS", "h[1-4]");
    fails(&fan.run(["exec", "--limit", "3", "--", "echo ran >> log; test -e good"]));
    (0..4).for_each(|at| fs::write(home(at).join("good"), "").unwrap());
    // What is said now does not count.
    let fan = fan.env("FAN_HOSTS", "h4").env("FAN_LIMIT", "1");
    let ran = fan.run(["retry"]);
    succeeds(&ran);
    assert!(ran.stderr.contains(" again on 2 of 3 hosts: h[1,3]\n"), "{}", ran.snapshot());
    let count = |at| fs::read_to_string(home(at).join("log")).unwrap_or_default().lines().count();
    assert_eq!([0, 1, 2, 3].map(count), [2, 1, 2, 0]);
    let done = fan.run(["retry"]);
    succeeds(&done);
    assert!(done.stderr.starts_with("nothing to do in run "), "{}", done.snapshot());
    let history = fan.run(["history", "-n", "1"]);
    assert!(history.stdout.contains("(retry of "), "{}", history.snapshot());
}

#[test]
fn retry_asks_for_what_was_not_kept() {
    let tasks = "
secrets: {token: {env: TOKEN}}
tasks:
  t:
    hosts: [h1]
    steps:
      - run: test -e good && echo {{ token }} > told
";
    let fan = fan(tasks);
    fails(&fan.run(["run", "t", "-e", "token=s3cret-of-mine"]));
    let fan = fan.file("good", "");
    let without = fan.run(["retry"]);
    assert_eq!(without.code, Some(2), "{}", without.snapshot());
    insta::assert_snapshot!(without.stderr, @r#"error: "token" of the command line is a secret and was not recorded (help: give it again: -e token=...)"#);
    assert_eq!(fan.run(["retry", "-e", "tokn=x"]).code, Some(2));
    succeeds(&fan.run(["retry", "-e", "token=another-s3cret"]));
    assert_eq!(lines(&fan, "told"), ["another-s3cret"]);
    let name = runs(&fan).names().unwrap().remove(0);
    assert_eq!(runs(&fan).read(&name).unwrap().recipe.arguments, ["run", "t", "-e", "token=********"]);
}

const DEPLOY: &str = "
tasks:
  deploy:
    hosts: [all]
    serial: [3, 1]
    steps:
      - run: echo one >> DIR/{{ host }}; echo from {{ host }}
        register: out
      # What h1 has learned is known from here on.
      - barrier: true
      - run: echo two >> DIR/{{ host }}; test {{ host }} != h2 -o -e DIR/good
      - run: echo {{ out.stdout }} >> DIR/{{ host }}; echo {{ hostvars['h1'].out.stdout }} >> DIR/{{ host }}
";

#[test]
fn each_host_goes_on_at_its_own_step_with_what_it_had_learned() {
    let fan = fan(DEPLOY);
    fails(&fan.run(["run", "deploy"]));
    assert!(lines(&fan, "h4").is_empty(), "its batch did not begin");
    let fan = fan.file("good", "");
    let ran = fan.run(["resume"]);
    succeeds(&ran);
    assert_eq!(lines(&fan, "h1"), ["one", "two", "from h1", "from h1"]);
    assert_eq!(lines(&fan, "h2"), ["one", "two", "two", "from h2", "from h1"]);
    assert_eq!(lines(&fan, "h3"), ["one", "two", "from h3", "from h1"]);
    assert_eq!(lines(&fan, "h4"), ["one", "two", "from h4", "from h1"]);
    for line in ["\n  h[1,3]: through\n", "\n  h2: at step 3 \"echo two", "\n  h4: from the start\n"] {
        assert!(ran.stderr.contains(line), "{line}: {}", ran.snapshot());
    }
    assert!(ran.stderr.contains("h1  ok  4/4 steps"), "{}", ran.snapshot());
    succeeds(&fan.run(["resume"]));
    let history = fan.run(["history", "-n", "1"]);
    assert!(
        history.stdout.contains("4 ok  exit 0") && history.stdout.contains("(resume of "),
        "{}",
        history.snapshot()
    );
}

#[test]
fn a_step_whose_end_was_not_seen_is_asked_about() {
    let tasks = "
tasks:
  t:
    hosts: [h1, h2]
    steps:
      - run: echo one >> DIR/{{ host }}
      - run: echo two >> DIR/{{ host }}; test -e DIR/good || sleep 100
      - run: echo three >> DIR/{{ host }}
    rescue:
      - run: echo rescue >> DIR/{{ host }}
";
    let killed = || {
        let fan = fan(tasks);
        let going = fan.start(["run", "t"]);
        eventually("both sleep", || (lines(&fan, "h1").len() + lines(&fan, "h2").len() == 4).then_some(()));
        going.signal(Signal::KILL);
        going.finish();
        fan.file("good", "")
    };
    let fan = killed();
    let ran = fan.run(["resume"]);
    let dir = fan.work().display().to_string();
    assert_eq!(ran.code, Some(2), "{}", ran.snapshot());
    assert!(ran.stderr.contains("was started on h[1-2], and did not report its end"), "{}", ran.snapshot());
    assert!(ran.stderr.contains("--unknown rerun"), "{}", ran.snapshot());
    assert_eq!(lines(&fan, "h1"), ["one", "two"], "nothing ran in {dir}");
    let line = "\"$BINARY\" resume";
    let (code, shown) =
        typed_on_terminal(&fan, line, &[("[rerun/skip/fail] ", "y\n"), ("[rerun/skip/fail] ", "rerun\n")]);
    assert_eq!(code, Some(0), "{shown}");
    assert_eq!(lines(&fan, "h1"), ["one", "two", "two", "three"]);
    let fan = killed();
    succeeds(&fan.run(["resume", "--unknown", "skip"]));
    assert_eq!(lines(&fan, "h2"), ["one", "two", "three"]);
    let fan = killed();
    fails(&fan.run(["resume", "--unknown", "fail"]));
    assert_eq!(lines(&fan, "h2"), ["one", "two", "rescue"]);
    // The way back was gone: it begins again.
    succeeds(&fan.run(["resume"]));
    assert_eq!(lines(&fan, "h2"), ["one", "two", "rescue", "one", "two", "three"]);
}

#[test]
fn a_run_that_was_killed_before_its_first_fact_begins() {
    let fan = fan("tasks: {t: {hosts: [h1], steps: [run: echo one >> log]}}");
    for again in ["resume", "retry"] {
        let before = lines(&fan, "log").len();
        succeeds(&fan.run(["run", "t"]));
        let folder = state(&fan).join("fan/runs").join(&runs(&fan).names().unwrap()[0]);
        fs::write(folder.join("events.jsonl"), "").unwrap();
        fs::remove_file(folder.join("end.json")).unwrap();
        let ran = fan.run([again]);
        succeeds(&ran);
        assert!(ran.stderr.contains(" had not started"), "{}", ran.snapshot());
        assert_eq!(lines(&fan, "log").len(), before + 2);
    }
}

#[test]
fn files_that_changed_are_named_and_agreed_to() {
    let tasks = "tasks: {t: {hosts: [h1], steps: [run: echo one >> log, run: test -e good]}}";
    let fan = fan(tasks);
    fails(&fan.run(["run", "t"]));
    let fan = fan.file("good", "").file("tasks.yaml", tasks.replace("test -e good", "echo mended >> log"));
    let ran = fan.run(["resume"]);
    insta::assert_snapshot!(ran.snapshot().replace(&runs(&fan).names().unwrap()[0], "<run>"), @"
    exit code: 2
    --- stderr
    error: changed since run <run>: tasks.yaml (help: -y continues with the files as they are; `fan retry` starts over)
    ");
    let plan = fan.run(["resume", "--plan"]);
    succeeds(&plan);
    assert!(plan.stderr.contains(": tasks.yaml\n"), "it is told, and not asked: {}", plan.snapshot());
    let (code, shown) = typed_on_terminal(&fan, "\"$BINARY\" resume", &[("[yes/no] ", "yes\n")]);
    assert_eq!(code, Some(0), "{shown}");
    assert_eq!(lines(&fan, "log"), ["one", "mended"]);
    let fan = fan.file("log", "").file("good2", "");
    fs::remove_file(fan.work().join("good")).unwrap();
    let fan = fan.file("tasks.yaml", tasks);
    fails(&fan.run(["run", "t"]));
    let fan = fan.file("tasks.yaml", tasks.replace("steps: [", "steps: [run: echo zero >> log, "));
    let ran = fan.run(["resume", "-y"]);
    assert_eq!(ran.code, Some(2), "{}", ran.snapshot());
    assert!(
        ran.stderr.contains("step 1 of task \"t\", which had started, is no longer \"echo one >> log\""),
        "{}",
        ran.snapshot()
    );
    assert_eq!(lines(&fan, "log"), ["one"]);
}

#[test]
fn a_value_with_a_secret_in_it_cannot_be_restored() {
    let tasks = "
secrets: {token: {env: TOKEN}}
tasks:
  t:
    hosts: [h1]
    steps:
      - set: {url: 'http://{{ token }}@x'}
      - run: test -e DIR/told || echo {{ token }}
        register: out
      - run: test -e DIR/good && echo {{ url }} > DIR/told
";
    let fan = fan(tasks).env("TOKEN", "c4nary-c4nary");
    fails(&fan.run(["run", "t"]));
    let fan = fan.file("good", "");
    let ran = fan.run(["resume"]);
    assert_eq!(ran.code, Some(2), "{}", ran.snapshot());
    assert!(ran.stderr.contains("on h1 was not kept: it holds a secret"), "{}", ran.snapshot());
    succeeds(&fan.run(["retry"]));
    assert_eq!(lines(&fan, "told"), ["http://c4nary-c4nary@x"]);
}

#[test]
fn what_only_gives_values_is_done_again_for_them() {
    let tasks = "
secrets: {token: {env: TOKEN}}
tasks:
  t:
    hosts: [h1]
    steps:
      - set: {url: 'http://{{ token }}@x'}
      - run: echo ran >> DIR/log
      - run: test -e DIR/good && echo {{ url }} > DIR/told
";
    let fan = fan(tasks).env("TOKEN", "c4nary-c4nary");
    fails(&fan.run(["run", "t"]));
    let fan = fan.file("good", "");
    succeeds(&fan.run(["resume"]));
    assert_eq!(
        (lines(&fan, "log").len(), lines(&fan, "told")),
        (1, vec!["http://c4nary-c4nary@x".to_owned()])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_that_are_through_are_not_even_contacted() {
    let sandbox = sandbox([("web1", Behaviour::Normal), ("web2", Behaviour::Normal)]).await;
    let tasks = "
tasks:
  t:
    hosts: [all]
    steps:
      - run: echo one
      - run: test {{ host }} = web1 -o -e good
";
    let fan = Fan::of(&sandbox).file("tasks.yaml", tasks);
    fails(&fan.run(["run", "t", "--where", "facts.kernel.name == 'Linux'"]));
    fs::write(sandbox.hosts()[1].home.join("good"), "").unwrap();
    succeeds(&fan.run(["resume"]));
    let counts: Vec<u64> = sandbox.hosts().iter().map(|host| host.connections()).collect();
    assert_eq!(counts, [1, 2]);
}

#[test]
fn an_old_name_means_where_the_run_has_come_to() {
    let tasks = "
tasks:
  t:
    hosts: [h1]
    steps:
      - run: echo one >> DIR/log
      - run: test -e DIR/good2 && echo two >> DIR/log
      - run: test -e DIR/good3 && echo three >> DIR/log
";
    let fan = fan(tasks);
    fails(&fan.run(["run", "t"]));
    let first = runs(&fan).names().unwrap().remove(0);
    let fan = fan.file("good2", "");
    fails(&fan.run(["resume", &first]));
    let second = runs(&fan).names().unwrap().remove(0);
    let fan = fan.file("good3", "");
    let ran = fan.run(["resume", &first]);
    succeeds(&ran);
    assert!(
        ran.stderr.contains(&format!("run {first} was continued by run {second}\n")),
        "{}",
        ran.snapshot()
    );
    assert_eq!(lines(&fan, "log"), ["one", "two", "three"]);
    for again in ["resume", "retry"] {
        let ran = fan.run([again, &first]);
        succeeds(&ran);
        assert!(ran.stderr.contains("nothing to do in run "), "{}", ran.snapshot());
    }
    // What was run again since has been done twice by now, and not a third time.
    fs::remove_file(fan.work().join("good3")).unwrap();
    fails(&fan.run(["run", "t"]));
    let third = runs(&fan).names().unwrap().remove(0);
    fails(&fan.run(["retry", &third]));
    let fourth = runs(&fan).names().unwrap().remove(0);
    let ran = fan.run(["resume", &third]);
    assert_eq!(ran.code, Some(2), "{}", ran.snapshot());
    let told = ran.stderr.replace(&third, "<third>").replace(&fourth, "<fourth>");
    insta::assert_snapshot!(told, @"error: run <third> was run again since, by run <fourth> (help: `fan resume <fourth>` continues that one)");
    let fan = fan.file("good3", "");
    succeeds(&fan.run(["resume", &fourth]));
    assert_eq!(lines(&fan, "log"), ["one", "two", "three", "one", "two", "one", "two", "three"]);
    let off = fan.env("FAN_JOURNAL", "off").run(["resume"]);
    assert_eq!(off.code, Some(2), "{}", off.snapshot());
}

#[test]
fn nobody_takes_a_run_up_while_somebody_does() {
    let tasks = "
tasks:
  t:
    hosts: [h1]
    steps:
      - run: echo one >> DIR/log; test -e DIR/good
      - run: echo two >> DIR/log; until test -e DIR/go; do sleep 0.05; done
";
    let fan = fan(tasks);
    fails(&fan.run(["run", "t"]));
    let first = runs(&fan).names().unwrap().remove(0);
    let fan = fan.file("good", "");
    let going = fan.start(["resume"]);
    eventually("it is at its second step", || (lines(&fan, "log").len() == 3).then_some(()));
    for args in [["resume", &first], ["retry", &first], ["resume", "last"]] {
        let ran = fan.run(args);
        assert_eq!(ran.code, Some(2), "{}", ran.snapshot());
        assert!(ran.stderr.contains("is still in progress"), "{}", ran.snapshot());
    }
    let fan = fan.file("go", "");
    succeeds(&going.finish());
    assert_eq!(lines(&fan, "log"), ["one", "one", "two"]);
}

#[test]
fn a_slice_is_taken_up_as_a_slice() {
    let tasks = "
tasks:
  t:
    hosts: [all]
    steps:
      - run: echo one >> DIR/{{ host }}
      - run: test {{ host }} = h1 -o -e DIR/good && echo two >> DIR/{{ host }}
";
    for again in ["retry", "resume"] {
        let fan = fan(tasks);
        // Of the four hosts this slice has two (by `sha256sum`).
        fails(&fan.run(["run", "t", "--shard", "1/3"]));
        let slice = ["h1", "h3"];
        let begun = |fan: &Fan| -> Vec<&str> {
            ["h1", "h2", "h3", "h4"].into_iter().filter(|host| !lines(fan, host).is_empty()).collect()
        };
        assert_eq!(begun(&fan), slice);
        let fan = fan.file("good", "");
        let ran = fan.run([again]);
        succeeds(&ran);
        assert_eq!(begun(&fan), slice, "{}", ran.snapshot());
        for host in slice {
            let twice = again == "retry" && host != "h1";
            let expected: &[&str] = if twice { &["one", "one", "two"] } else { &["one", "two"] };
            assert_eq!(lines(&fan, host), expected, "{again}, {host}");
        }
        let done = fan.run([again]);
        assert!(done.stderr.starts_with("nothing to do in run "), "{}", done.snapshot());
    }
}

#[test]
fn a_plan_of_it_says_where_each_host_goes_on() {
    let fan = fan(DEPLOY);
    fails(&fan.run(["run", "deploy"]));
    let ran = fan.run(["resume", "--plan"]);
    succeeds(&ran);
    let run = runs(&fan).names().unwrap().remove(0);
    let told = ran.stdout.split_once(&format!("\ncontinues run {run}\n")).map(|(_, told)| told);
    let told: Vec<&str> = told.expect("it says where").lines().collect();
    assert_eq!((told[0], told[2], told.len()), ("  h[1,3]: through", "  h4: from the start", 3));
    assert!(told[1].starts_with("  h2: at step 3 \"echo two "), "{}", told[1]);
    assert_eq!(lines(&fan, "h2"), ["one", "two"], "nothing has run");
    assert_eq!(runs(&fan).names().unwrap().len(), 1, "a plan is no run");
    let retry = fan.run(["retry", "-n"]);
    succeeds(&retry);
    assert!(retry.stdout.starts_with("deploy on h[2,4] (2)\n"), "{}", retry.snapshot());
}

#[test]
fn how_it_looks_is_said_anew() {
    let fan = fan("tasks: {t: {hosts: [all], steps: [run: echo same; test -e DIR/good]}}");
    fails(&fan.run(["run", "t", "-q", "--report", "first.json"]));
    fs::remove_file(fan.work().join("first.json")).unwrap();
    let quiet = fan.run(["retry"]);
    assert_eq!((quiet.code, quiet.stdout.as_str()), (Some(1), ""));
    assert!(fan.work().join("first.json").exists(), "the same reports");
    let fan = fan.file("good", "");
    let ran = fan.run(["resume", "-b", "--report", "second.json"]);
    succeeds(&ran);
    assert!(ran.stdout.ends_with("\nh[1-4] (4)\n  | same\n"), "{}", ran.snapshot());
    assert!(fan.work().join("second.json").exists());
    // The last run was started as the first one.
    let last = runs(&fan).names().unwrap().remove(0);
    let recipe = runs(&fan).read(&last).unwrap().recipe;
    assert_eq!(recipe.arguments, ["run", "t", "-q", "--report", "first.json"]);
}

#[test]
fn a_protected_role_is_named_again_or_from_the_start() {
    let fan = fan("tasks: {t: {hosts: [h1], steps: [run: test -e DIR/good]}}");
    let fan = fan.file(
        "inventory.yaml",
        "hosts: {h1: {transport: local}}\nroles: {prod: {hosts: [h1], protect: true}}\n",
    );
    for begun in
        [&["run", "t", "--confirm", "prod"][..], &["exec", "-R", "prod", "--confirm", "prod", "--", "false"]]
    {
        fails(&fan.run(begun));
        fails(&fan.run(["retry"]));
    }
    let (code, _) = typed_on_terminal(&fan, "\"$BINARY\" run t", &[("to continue: ", "prod\n")]);
    assert_eq!(code, Some(1));
    for again in ["retry", "resume"] {
        let ran = fan.run([again]);
        assert_eq!(ran.code, Some(2), "{}", ran.snapshot());
        assert!(ran.stderr.contains("add --confirm prod"), "{}", ran.snapshot());
        fails(&fan.run([again, "--confirm", "prod"]));
    }
}

/// A host that was told to stop before its third step, and on which the way back of the task was gone.
fn declined(tasks: &str) -> Fan {
    let fan = fan(tasks);
    let line = "\"$BINARY\" run t --step";
    let answers = [("quit]", "yes\n"), ("/quit]", "yes\n"), ("/quit]", "quit\n")];
    let (code, shown) = typed_on_terminal(&fan, line, &answers);
    assert_eq!(code, Some(1), "{shown}");
    fan
}

const WITH_WAY_BACK: &str = "
tasks:
  t:
    hosts: [h1]
    steps:
      - run: echo one >> DIR/log; touch DIR/made
      - run: echo two >> DIR/log
      - run: test -e DIR/made && echo three >> DIR/log
    rescue:
      - run: echo back >> DIR/log; rm DIR/made
    always:
      - run: echo always >> DIR/log
";

#[test]
fn what_was_taken_back_after_a_no_is_done_again() {
    let fan = declined(WITH_WAY_BACK);
    assert_eq!(lines(&fan, "log"), ["one", "two", "back", "always"]);
    succeeds(&fan.run(["resume", "-y"]));
    assert_eq!(lines(&fan, "log"), ["one", "two", "back", "always", "one", "two", "three", "always"]);
}

#[test]
fn a_no_in_a_block_is_put_right_there_and_nothing_else_begins() {
    let tasks = "
tasks:
  t:
    hosts: [h1]
    steps:
      - block:
          - run: echo one >> DIR/log
          - run: echo two >> DIR/log
          - run: echo three >> DIR/log
        rescue:
          - run: echo back >> DIR/log
        always:
          - run: echo tidy >> DIR/log
      - run: echo after >> DIR/log
    always:
      - run: echo always >> DIR/log
";
    let fan = declined(tasks);
    assert_eq!(lines(&fan, "log"), ["one", "two", "back", "tidy", "always"]);
    succeeds(&fan.run(["resume", "-y"]));
    let again = ["one", "two", "three", "tidy", "after", "always"];
    assert_eq!(lines(&fan, "log")[5..], again);
}

#[test]
fn handlers_of_a_step_that_is_taken_as_done_run() {
    let tasks = "
tasks:
  t:
    hosts: [h1]
    steps:
      - {run: 'echo one >> DIR/log; test -e DIR/good || sleep 100', notify: reload}
      - run: echo two >> DIR/log
    handlers:
      reload: {run: echo reload >> DIR/log}
";
    let fan = fan(tasks);
    let going = fan.start(["run", "t"]);
    eventually("it sleeps", || (lines(&fan, "log").len() == 1).then_some(()));
    going.signal(Signal::KILL);
    going.finish();
    let fan = fan.file("good", "");
    succeeds(&fan.run(["resume", "--unknown", "skip"]));
    assert_eq!(lines(&fan, "log"), ["one", "two", "reload"]);
}

#[test]
fn what_its_own_hints_name_is_taken() {
    let fan = fan("tasks: {t: {hosts: [h1], steps: [run: echo one >> DIR/log, run: test -e DIR/good]}}");
    fails(&fan.run(["run", "t"]));
    for again in ["retry", "resume"] {
        let named =
            ["-T", "30", "-t", "5s", "-z", "2", "-u", "ann", "--host-keys", "strict", "--lock-wait", "1m"];
        let ran = fan.run([&[again, "--max-hosts", "50"][..], &named].concat());
        fails(&ran);
        // What has to be asked for needs a terminal, which is said before anybody is contacted.
        for flag in ["-k", "-K"] {
            let ran = fan.run([again, flag, "--plan"]);
            succeeds(&ran);
        }
    }
    let slow = self::fan("tasks: {t: {hosts: [h1], steps: [run: test -e DIR/good && sleep 100]}}");
    fails(&slow.run(["run", "t"]));
    let slow = slow.file("good", "");
    let ran = slow.run(["resume", "-T", "1"]);
    fails(&ran);
    assert!(
        ran.stderr.contains("still running after 1.0s"),
        "the deadline is the new one: {}",
        ran.snapshot()
    );
}
