//! What tasks do: loops, conditions, retries, blocks, calls, batches. On hosts that are this machine, with its `sh`.

use std::collections::BTreeMap;

use fan::testing::event::{Fact, StepAt, StepFact};
use fan::testing::model::outcome::StepStatus;

use crate::fixtures::sshd::Sshd;
use crate::fixtures::support::{Fan, Ran};

/// Hosts `h1` to `h4`, all of them this machine, and these tasks.
fn fan(tasks: &str) -> Fan {
    const HOSTS: &str = "hosts:\n  h[1-4]: {transport: local}\n";
    Fan::new().file("inventory.yaml", HOSTS).file("tasks.yaml", tasks)
}

fn run(tasks: &str, args: &[&str]) -> Ran {
    fan(tasks).run(["run"].iter().chain(args))
}

/// What `h1` said in its steps, with its notes; and the exit code.
fn said(tasks: &str, args: &[&str]) -> (Vec<String>, i32) {
    let ran = run(tasks, &[&["t", "-H", "h1", "-N", "--format", "lines"], args].concat());
    (ran.stdout.lines().map(str::to_owned).collect(), ran.code.expect("it was not killed"))
}

/// The status of each step of each host, by the step's number from 1.
fn statuses(ran: &Ran) -> BTreeMap<String, Vec<(usize, StepStatus)>> {
    let mut found: BTreeMap<String, Vec<(usize, StepStatus)>> = BTreeMap::new();
    for event in ran.events() {
        if let Fact::Step(StepAt { host, step, .. }, StepFact::Finished { outcome, .. }) = event.fact {
            found.entry(host.to_string()).or_default().push((step + 1, outcome.status));
        }
    }
    found
}

#[test]
fn a_loop_goes_over_lists_and_maps() {
    let tasks = r#"
tasks:
  t:
    vars: {ports: {web: 80, db: 5432}, names: [b c, d]}
    steps:
      - {echo: "{{ item_index }}={{ item }}", each: [a, "{{ host }}", 3]}
      - {run: "printf '%s\n' {{ item }}", each: names, when: item != "d", register: out}
      - {echo: "{{ item.key }}:{{ item.value }}", each: ports}
      - echo: "{{ out.results | length }} {{ out.results[0].stdout }} {{ out.results[1].skipped }} {{ out.changed }}"
"#;
    let expected = ["0=a", "1=h1", "2=3", "b c", "web:80", "db:5432", "2 b c true true"];
    assert_eq!(said(tasks, &[]), (expected.map(str::to_owned).to_vec(), 0));
}

#[test]
fn a_loop_ends_at_the_first_item_that_fails() {
    let tasks = "tasks:\n  t:\n    - {run: 'echo {{ item }}; test {{ item }} -lt 2', each: [1, 2, 3]}\n    - echo: never\n";
    let (lines, code) = said(tasks, &[]);
    assert_eq!((lines, code), (vec!["1".to_owned(), "2".to_owned()], 1));
    let ran = run(tasks, &["t", "-H", "h1"]);
    assert!(ran.stderr.contains("item 2: exit status 1"), "{}", ran.stderr);
    let tasks = tasks.replace("[1, 2, 3]}", "[1, 2, 3], warn_only: true}");
    assert_eq!(said(&tasks, &[]).0, ["1", "2", "3", "never"], "a warning lets the others have their turn");
}

#[test]
fn a_step_is_tried_again_until_it_is_as_it_should_be() {
    let tasks = r#"
tasks:
  t:
    - {run: 'echo x >> tries; test "$(wc -l < tries)" -ge 3', retries: 5, delay: 1ms}
    - {run: 'echo x >> tries; wc -l < tries', until: result.stdout | trim | int >= 5, delay: 1ms, register: out}
    - {echo: "{{ out.stdout | trim }}"}
    - {run: 'echo y >> more; echo never', until: '"x" in out.stdout', retries: 2, delay: 1ms, register: out}
"#;
    let ran = run(tasks, &["t", "-H", "h1", "--format", "jsonl"]);
    let retried = ran
        .events()
        .iter()
        .filter(|event| matches!(event.fact, Fact::Step(_, StepFact::Retried { .. })))
        .count();
    assert_eq!(retried, 2 + 1 + 2);
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.stdout.contains(
            r#""kind":"until","message":"tried 3 times, and `\"x\" in out.stdout` is still false""#
        )
    );
    assert!(ran.stdout.contains(r#""note":"5""#), "{}", ran.stdout);
}

#[test]
fn exit_statuses_and_changes_are_read_as_the_step_says() {
    let tasks = r#"
tasks:
  t:
    - {run: exit 3, ok_codes: [0, 3], register: a}
    - {run: "true", ok_codes: 1, warn_only: true, register: b}
    - {run: echo same, changed_when: '"same" not in result.stdout', register: c}
    - {run: "true", changed_when: false, register: d}
    - {local: "true", changed_when: true, register: e}
    - {echo: "{{ a.ok }} {{ a.rc }} {{ b.failed }} {{ c.changed }} {{ d.changed }} {{ e.changed }}"}
"#;
    let (lines, code) = said(tasks, &[]);
    assert_eq!((lines.last().map(String::as_str), code), (Some("true 3 true false false true"), 0));
}

#[test]
fn guards_make_steps_superfluous() {
    let tasks = r#"
tasks:
  t:
    - {run: "touch 'a b'; echo made", creates: "{{ 'a b' }}"}
    - {run: echo made again, creates: a b}
    - {run: echo one, unless: test -e gone}
    - {run: echo two, unless: "test -e 'a b'"}
    - {run: echo three, onlyif: "echo noise; test -e 'a b'"}
    - {run: echo four, onlyif: test -e gone}
    - {local: echo five, creates: tasks.yaml}
"#;
    let (lines, code) = said(tasks, &[]);
    let output: Vec<&str> = lines.iter().map(String::as_str).filter(|line| !line.contains(": ")).collect();
    assert_eq!((output, code), (vec!["made", "one", "three"], 0), "{lines:?}");
}

/// What `h1` ended with: the kind and the message of its failure, if any.
fn failure(ran: &Ran) -> Option<(String, String)> {
    ran.events().into_iter().find_map(|event| match event.fact {
        Fact::HostFinished { outcome, .. } => {
            outcome.failure.map(|failure| (failure.kind.to_string(), failure.message()))
        }
        _ => None,
    })
}

#[test]
fn a_guard_that_could_not_be_asked_is_an_error() {
    let cases = [
        ("onlyif: needs_migratoin", "exit", "needs_migratoin"),
        ("unless: needs_migratoin", "exit", "needs_migratoin"),
        ("onlyif: ./notexecutable", "exit", "126"),
        ("onlyif: needs_migratoin 2>/dev/null", "exit", "127"),
        ("unless: 'needs_migratoin | grep -q yes'", "exit", "needs_migratoin"),
        ("unless: '! needs_migratoin'", "exit", "needs_migratoin"),
        ("onlyif: '[ \"\" -gt 5 ]'", "exit", "["),
        ("onlyif: 'cd /nosuch && test -e x'", "exit", "/nosuch"),
        ("unless: '( cd /nosuch; test -e x )'", "exit", "/nosuch"),
        ("onlyif: '! ./missing'", "exit", "missing"),
        ("unless: '/nosuch/check || true'", "exit", "/nosuch/check"),
        ("onlyif: '! nohup nosuchcommand'", "exit", "nosuchcommand"),
        ("unless: '. /nosuch/env && true'", "exit", "/nosuch/env"),
        ("{onlyif: 'sleep 50', timeout: 1s}", "timeout", "`onlyif`"),
        ("onlyif: 'kill -9 $$'", "signal", "signal KILL"),
        ("onlyif: \"sh -c 'kill -9 $$'\"", "exit", "137"),
        ("{onlyif: 'true', cd: nosuch}", "remote_path", "working folder (`"),
        ("{unless: 'true', cd: nosuch}", "remote_path", "working folder (`"),
        ("{creates: x, cd: nosuch}", "remote_path", "working folder (`"),
        ("{unless: nosuchcommand, shell: bash}", "exit", "nosuchcommand"),
        ("{onlyif: 'true', shell: nosuchshell}", "exec_refused", ""),
        ("{onlyif: 'nosuchcommand {{ item }}', each: [1, 2]}", "exit", "item 1"),
        ("{onlyif: 'nosuchcommand', register: out, ok_codes: [0, 127]}", "exit", "`onlyif`"),
    ];
    for action in ["run", "local"] {
        for (guard, kind, said) in cases {
            if action == "local" && guard.contains("shell:") {
                continue;
            }
            let keys = guard.trim_start_matches('{').trim_end_matches('}');
            let keys = if guard.starts_with('{') { keys } else { guard };
            let keys = if action == "local" { keys.replace("cd:", "lcd:") } else { keys.to_owned() };
            let tasks = format!("tasks:\n  t:\n    - {{{action}: echo done, {keys}}}\n");
            let ran =
                fan(&tasks).file("notexecutable", "").run(["run", "t", "-H", "h1", "--format", "jsonl"]);
            let (found, message) = failure(&ran).unwrap_or_else(|| panic!("{guard}: {}", ran.snapshot()));
            let kind =
                if action == "local" { kind.replace("remote_path", "local_io") } else { kind.to_owned() };
            assert!(found == kind && message.contains(said), "{action} {guard}: {found} {message}");
            assert_eq!(
                ran.code,
                Some(if kind == "local_io" {
                    5
                } else if kind == "exec_refused" {
                    3
                } else {
                    1
                }),
                "{guard}"
            );
            assert!(!ran.stdout.contains("\"done\\n\""), "{guard}: nothing is run");
        }
    }
}

#[test]
fn a_guard_that_says_no_is_an_answer() {
    let tasks = r#"
tasks:
  t:
    - {run: echo one, unless: command -v nosuchcommand}
    - {run: echo two, onlyif: command -v nosuchcommand >/dev/null}
    - {run: echo three, unless: grep -q x /nosuch}
    - {run: echo four, unless: getent passwd nosuchuser}
    - {run: echo five, unless: exit 125}
    - {run: echo six, onlyif: "type sh && ! type nosuchcommand"}
    - {run: echo seven, unless: "command -v nosuchcommand", shell: bash}
    - {run: echo eight, unless: "nosuchcommand >/dev/null 2>&1 || false"}
    - {run: echo nine, creates: /nosuch/a/b}
    - {run: echo ten, unless: "grep -q x < /nosuch"}
    - {run: echo eleven, unless: "grep -q x < /nosuch", shell: bash}
    - {run: echo twelve, unless: "cd /nosuch 2>/dev/null"}
    - {run: exit 1, ok_codes: [0, 1], cd: nosuch}
"#;
    let (lines, code) = said(tasks, &[]);
    let output: Vec<&str> = lines.iter().map(String::as_str).filter(|line| !line.contains(": ")).collect();
    let expected =
        ["one", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];
    assert_eq!(output, expected, "{lines:?}");
    assert_eq!(code, 1, "a folder that cannot be entered is no exit status of the script");
}

#[test]
fn hidden_output_is_kept_for_later_and_secret_steps_tell_nothing() {
    let tasks = r#"
tasks:
  t:
    - {run: echo hidden, hide: true, register: out}
    - {echo: "{{ out.stdout | upper }}"}
    - {run: "echo s3cret; echo s3cret >&2; exit 4", secret: true, name: quiet}
"#;
    let ran = run(tasks, &["t", "-H", "h1", "-v"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stdout.contains("HIDDEN") && !ran.stdout.contains("hidden"), "{}", ran.stdout);
    let all = format!("{}{}", ran.stdout, ran.stderr);
    assert!(!all.contains("s3cret") && all.contains("details hidden (`secret` step)"), "{all}");
}

#[test]
fn a_block_that_fails_is_rescued_and_always_ends_the_same_way() {
    let tasks = r#"
tasks:
  t:
    - block:
        - echo: one
        - {run: exit 7, name: break it}
        - echo: not reached
      rescue:
        - echo: "rescued from {{ failure.step }}: {{ failure.message }}"
      always:
        - echo: always
    - block:
        - {echo: "in {{ cd_is }}", when: "false"}
        - run: pwd
      cd: /
      when: go
      env: {A: b}
    - echo: end
    - block: [{fail: again}]
      always: [{echo: still always}]
    - echo: not reached
"#;
    let (lines, code) = said(tasks, &["-e", "go=true", "-e", "cd_is=x"]);
    let expected = ["one", "rescued from break it: exit status 7", "always", "/", "end", "still always"];
    assert_eq!((lines, code), (expected.map(str::to_owned).to_vec(), 1));
    let (lines, _) = said(tasks, &["-e", "go=false", "-e", "cd_is=x"]);
    assert!(!lines.contains(&"/".to_owned()) && lines.contains(&"end".to_owned()), "{lines:?}");
}

#[test]
fn the_rescue_of_a_task_is_for_hosts_that_were_changed_and_they_have_failed_all_the_same() {
    let tasks = r#"
tasks:
  t:
    steps:
      - {assert: host != "h2"}
      - {run: "true", name: change}
      - {assert: host != "h1"}
    rescue: [{echo: "{{ host }} back"}]
    always: [{echo: "{{ host }} always"}]
"#;
    let ran = run(tasks, &["t", "-H", "h[1-3]", "-N", "--format", "lines"]);
    let mut lines: Vec<&str> = ran.stdout.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["h1 always", "h1 back", "h2 always", "h3 always"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("1 ok, 2 failed"), "{}", ran.stderr);
}

#[test]
fn handlers_run_once_at_the_end_where_something_changed() {
    let tasks = r#"
tasks:
  t:
    steps:
      - {run: "true", notify: [second, first]}
      - {run: "true", notify: first}
      - {run: "true", changed_when: false, notify: third}
      - echo: steps are over
    handlers:
      first: {echo: first}
      second: [{run: "echo second", notify: last}]
      third: {echo: third}
      last: {echo: last}
"#;
    assert_eq!(said(tasks, &[]).0, ["steps are over", "first", "second", "last"]);
    let wrong = tasks.replace("notify: first}", "notify: frist}");
    let ran = run(&wrong, &["t", "-H", "h1"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains(r#"tasks.yaml:6:31: error: no handler "frist""#), "{}", ran.stderr);
}

#[test]
fn a_called_task_has_its_own_arguments_and_variables() {
    let tasks = r#"
vars: {greeting: hi}
tasks:
  t:
    vars: {name: outer}
    steps:
      - {task: greet, with: {name: "{{ host }}"}}
      - {task: greet, with: {name: you, times: 2}, when: host == "h1"}
      - {task: greet, with: {name: nobody}, when: host == "h9"}
      - echo: "{{ name }} {{ said }}"
  greet:
    private: true
    params: {name: null, times: 1}
    vars: {line: "{{ greeting }} {{ name }} x{{ times }}"}
    steps:
      - echo: "{{ line }}"
      - set: {said: "{{ line }}!", name: changed}
      - echo: "{{ name }}"
"#;
    let expected = ["hi h1 x1", "changed", "hi you x2", "changed", "outer hi you x2!"];
    let (lines, code) = said(tasks, &[]);
    assert_eq!((&lines[..4], code), (&expected.map(str::to_owned)[..4], 0));
    let ran = run(tasks, &["greet:x", "-H", "h1"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("task \"greet\" is private"), "{}", ran.stderr);
}

#[test]
fn one_host_does_it_for_all() {
    let tasks = r#"
tasks:
  t:
    - {run: "echo x >> count; date +%N", run_once: true, register: stamp}
    - {run: "echo {{ stamp.stdout }} >> stamps", hide: true}
"#;
    let fan = fan(tasks);
    let ran = fan.run(["run", "t", "-H", "h[1-4]"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let read = |name: &str| {
        std::fs::read_to_string(fan.home().join(name))
            .or_else(|_| std::fs::read_to_string(fan.work().join(name)))
            .unwrap()
    };
    assert_eq!(read("count").lines().count(), 1);
    let stamps = read("stamps");
    let mut lines: Vec<&str> = stamps.lines().collect();
    assert_eq!(lines.len(), 4);
    lines.dedup();
    assert_eq!(lines.len(), 1, "all have the same result");
}

#[test]
fn who_skips_a_step_leaves_it_to_one_that_does_it() {
    let tasks = r#"
tasks:
  t:
    serial: 1
    steps:
      - {run: "echo {{ host }} >> did", run_once: true, when: batch >= 2}
      - {run: "exit {{ item }}", each: [0, 1, 2], register: all}
      - echo: "{{ all.results | length }} {{ hostvars.h1.host }}"
  build: {run_once: true, steps: [{set: {version: v7}}]}
  look: {before: [build], steps: [{echo: "{{ hostvars['h3'].version }}"}]}
"#;
    let fan = fan(tasks);
    let ran = fan.run(["run", "t", "-w", "-H", "h[1-3]", "-N", "--format", "lines"]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    assert_eq!(ran.stdout.lines().collect::<Vec<_>>(), ["3 h1"; 3], "-w lets all items have their turn");
    let did = [fan.home(), fan.work()].map(|folder| std::fs::read_to_string(folder.join("did")));
    assert_eq!(did.into_iter().find_map(Result::ok).as_deref(), Some("h2\n"));
    let ran = fan.run(["run", "look", "-H", "h[1-3]", "-N", "--format", "lines"]);
    assert_eq!(ran.stdout.lines().collect::<Vec<_>>(), ["v7"; 3], "{}", ran.snapshot());
}

#[test]
fn a_task_that_runs_once_tells_all_what_it_learned() {
    let tasks = r#"
tasks:
  build:
    run_once: true
    steps: [{local: "echo x >> built; echo v7", register: built}]
  t:
    before: [build]
    after: [done]
    steps: [{echo: "{{ host }} {{ built.stdout }}"}]
  done: [{echo: "{{ host }} done"}]
"#;
    let ran = run(tasks, &["t", "-H", "h[1-2]", "-N", "--format", "lines"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let mut lines: Vec<&str> = ran.stdout.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["h1 done", "h1 v7", "h2 done", "h2 v7", "v7"]);
}

#[test]
fn batches_go_one_after_the_other_and_stop_when_too_many_fail() {
    let tasks = r#"
tasks:
  t:
    hosts: [all]
    serial: [1, 2]
    steps:
      - {run: "echo {{ host }} in {{ batch }} >> order; test {{ host }} != {{ bad }}", hide: true}
"#;
    let order = |bad: &str, args: &[&str]| {
        let fan = fan(tasks);
        let bad = format!("bad={bad}");
        let ran = fan.run(["run", "t", "-e", &bad].iter().chain(args));
        let path = [fan.home(), fan.work()]
            .map(|folder| folder.join("order"))
            .into_iter()
            .find(|path| path.exists());
        let text = std::fs::read_to_string(path.expect("a host ran")).unwrap();
        let batches: Vec<String> =
            text.lines().map(|line| line.rsplit(' ').next().unwrap().to_owned()).collect();
        (batches.concat(), ran)
    };
    assert_eq!(order("none", &[]).0, "1223");
    let (batches, ran) = order("h1", &[]);
    assert_eq!(batches, "1", "the canary died");
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("not begun: 1 of 4 hosts failed"), "{}", ran.stderr);
    assert_eq!(order("h2", &[]).0, "122");
    assert_eq!(order("none", &["--serial", "50%"]).0, "1122");
}

#[test]
fn a_budget_of_failures_lets_the_run_go_on() {
    let tasks = r#"
tasks:
  t: {hosts: [all], serial: 1, max_fail: 1, after: [next], steps: [{assert: host not in bad}]}
  next: [{echo: "{{ host }}"}]
"#;
    let ran = run(tasks, &["t", "-e", "bad=[h2]", "-N", "--format", "lines"]);
    let mut lines: Vec<&str> = ran.stdout.lines().collect();
    lines.sort_unstable();
    assert_eq!((lines, ran.code), (vec!["h1", "h3", "h4"], Some(1)));
    let ran = run(tasks, &["t", "-e", "bad=[h2, h3]", "-N", "--format", "lines"]);
    assert_eq!(ran.stdout, "", "two are too many");
    assert!(ran.stderr.contains("not begun: 2 of 4"), "{}", ran.stderr);
}

#[test]
fn hosts_keep_in_step_where_they_are_told_to() {
    // Each host writes its step's number; in step, the numbers only grow.
    let steps: String =
        (1..=3).map(|n| format!("      - run: sleep 0.0$(( {n} * 2 )); echo {n} >> order\n")).collect();
    for (key, pool) in [("strategy: linear", "4"), ("strategy: linear", "1")] {
        let fan = fan(&format!("tasks:\n  t:\n    {key}\n    steps:\n{steps}"));
        let ran = fan.run(["run", "t", "-H", "all", "-z", pool]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let path = [fan.home(), fan.work()]
            .map(|folder| folder.join("order"))
            .into_iter()
            .find(|path| path.exists());
        let order = std::fs::read_to_string(path.unwrap()).unwrap().replace('\n', "");
        assert_eq!(order, "111122223333", "{key} with {pool} at a time");
    }
    let tasks = r#"
tasks:
  t:
    steps:
      - {run: "echo 1 >> order", when: host != "h2"}
      - {fail: out, when: host == "h3"}
      - barrier:
      - run: echo 2 >> order
"#;
    let fan = fan(tasks);
    let ran = fan.run(["run", "t", "-H", "all", "-z", "1"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let path =
        [fan.home(), fan.work()].map(|folder| folder.join("order")).into_iter().find(|path| path.exists());
    assert_eq!(
        std::fs::read_to_string(path.unwrap()).unwrap().replace('\n', ""),
        "111222",
        "nobody waits for the lost one"
    );
}

#[test]
fn tags_pick_steps() {
    let tasks = r#"
tasks:
  t:
    - {echo: a, tags: [one]}
    - {block: [{echo: b}, {echo: c, tags: slow}], tags: two}
    - {echo: d, tags: always}
    - echo: e
"#;
    let picked = |args: &[&str]| said(tasks, args).0.concat();
    assert_eq!(picked(&[]), "abcde");
    assert_eq!(picked(&["--tags", "one"]), "ad");
    assert_eq!(picked(&["--tags", "two"]), "bcd");
    assert_eq!(picked(&["--tags", "one,two", "--skip-tags", "slow"]), "abd");
    assert_eq!(picked(&["--skip-tags", "two,always"]), "ae");
    let ran = run(&tasks.replace("tags: always", "tags: x"), &["t", "-H", "h1", "--tags", "nope"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
}

#[test]
fn steps_count_where_they_stand() {
    let tasks = r#"
tasks:
  t:
    steps:
      - block: [{fail: x}, {echo: b}]
        rescue: [{echo: c}]
      - block: [{echo: d}]
        when: "false"
    handlers: {h: {echo: e}}
"#;
    let ran = run(tasks, &["t", "-H", "h1", "--format", "jsonl"]);
    assert_eq!(ran.code, Some(0));
    let of_h1 = statuses(&ran).remove("h1").unwrap();
    assert_eq!(of_h1, [(1, StepStatus::Failed), (3, StepStatus::Ok), (4, StepStatus::Skipped)]);
    assert!(ran.stdout.contains(r#""section":"rescue""#) && ran.stdout.contains(r#""section":"handlers""#));
}

/// A load balancer beside the hosts; its commands say who they are.
const BALANCED: &str = r#"
vars: {balancer: lb}
hosts:
  h[1-3]: {transport: local, env: {WHO: web}}
  lb: {transport: local, env: {WHO: balancer}}
"#;

#[test]
fn a_step_is_done_on_another_host() {
    let tasks = r#"
tasks:
  t:
    - run: echo "$WHO $FAN_HOST {{ host }}"
    - {run: 'echo "$WHO $FAN_HOST {{ host }}"', on: "{{ balancer }}", register: out}
    - {put: tasks.yaml, to: "copy-{{ host }}", on: lb}
    - {run: echo once, on: lb, run_once: true}
    - block:
        - run: echo "$WHO"
        - {run: echo "$WHO", on: "{{ host }}"}
      on: lb
    - echo: "{{ out.stdout }}"
  nowhere:
    - {run: "true", on: nosuch}
  many:
    - {run: "true", on: "h[1-2]"}
  late:
    - {run: echo lb, register: found}
    - {run: "true", on: "{{ found.stdout }}"}
"#;
    let fan = Fan::new().file("inventory.yaml", BALANCED).file("tasks.yaml", tasks);
    let ran = fan.run(["run", "t", "-H", "h[1-2]", "--format", "lines"]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    let expected = [
        "h1 | balancer",
        "h1 | balancer h1 h1",
        "h1 | once",
        "h1 | web",
        "h1 | web h1 h1",
        "h2 | balancer",
        "h2 | balancer h2 h2",
        "h2 | web",
        "h2 | web h2 h2",
    ];
    let mut lines: Vec<&str> = ran.stdout.lines().filter(|line| !line.contains("once")).collect();
    lines.sort_unstable();
    let expected: Vec<&str> = expected.into_iter().filter(|line| !line.contains("once")).collect();
    let mut unique = lines.clone();
    unique.dedup();
    assert_eq!(unique, expected, "{}", ran.snapshot());
    assert_eq!(ran.stdout.matches("once").count(), 1);
    for (task, problem) in [
        ("nowhere", "tasks.yaml:14:25: error: no host matches \"nosuch\""),
        ("many", "\"on\" takes one host, and \"h[1-2]\" is 2"),
        ("late", "must be known before the run: \"found\" is not"),
    ] {
        let ran = fan.run(["run", task, "-H", "h1"]);
        assert_eq!(ran.code, Some(2), "{}", ran.snapshot());
        assert!(ran.stderr.contains(problem), "{}", ran.stderr);
    }
}

#[test]
fn a_loop_is_done_on_a_host_for_each_item() {
    let tasks = r#"
tasks:
  t:
    - {run: 'echo "$WHO {{ item }} for {{ host }}"', each: groups.all, on: "{{ item }}", register: out, when: "item != 'h3'"}
    - echo: "{{ out.results | map(attribute='stdout') | select | join(', ') }}"
    - {run: 'echo "$WHO"', each: [{name: lb}, {name: "{{ host }}"}], on: "{{ item.name }}"}
  lost:
    - {run: "true", each: [lb, gone], on: "{{ item }}", warn_only: true}
  late:
    - {run: echo lb, register: found}
    - {run: "true", each: found.lines, on: "{{ item }}"}
  many:
    - {run: "true", each: ["h[1-2]"], on: "{{ item }}"}
"#;
    let inventory =
        format!("{BALANCED}  gone: {{address: 127.0.0.1, port: 1}}\nroles: {{balancers: [lb, h1]}}\n");
    let tasks = tasks.replace("groups.all", "\"groups.balancers + ['h3']\"");
    let fan = Fan::new().file("inventory.yaml", inventory).file("tasks.yaml", tasks);
    let ran = fan.run(["run", "t", "-H", "h[1-2]", "--format", "lines"]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    let mut lines: Vec<&str> = ran.stdout.lines().collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "h1 | balancer",
            "h1 | balancer lb for h1",
            "h1 | web",
            "h1 | web h1 for h1",
            "h1 | web h1 for h1, balancer lb for h1",
            "h2 | balancer",
            "h2 | balancer lb for h2",
            "h2 | web",
            "h2 | web h1 for h2",
            "h2 | web h1 for h2, balancer lb for h2",
        ],
        "{}",
        ran.snapshot()
    );
    let ran = fan.run(["run", "lost", "-H", "h1"]);
    assert_eq!(ran.code, Some(1), "{}", ran.snapshot());
    assert!(ran.stderr.contains("connection refused"), "{}", ran.stderr);
    for (task, problem) in [
        ("late", "must be known before the run: \"found\" is not"),
        ("many", "\"on\" takes one host, and \"h[1-2]\" is 2"),
    ] {
        let ran = fan.run(["run", task, "-H", "h1"]);
        assert_eq!(ran.code, Some(2), "{}", ran.snapshot());
        assert!(ran.stderr.contains(problem), "{}", ran.stderr);
    }
}

/// What stands in playbooks, as it stands there.
#[test]
fn words_of_playbooks_mean_what_they_mean_there() {
    let tasks = r#"
tasks:
  t:
    user: root
    steps:
      - {run: "mkdir -p 'v1 $(x)' && touch 'v1 $(x)/app.jar'", sudo: false}
      - {run: echo again, creates: "v[0-9]*/*.jar", register: jar, sudo: false}
      - {run: echo never, creates: "{{ '*' }}/app.jar", register: star, sudo: false}
      - {run: exit 3, warn_only: true, register: bad, sudo: false}
      - assert:
          - jar is skipped and jar is not changed and jar is succeeded
          - star is changed and not star.skipped
          - bad is failed and bad.failed and bad is not skipped
      - {template: conf.j2, to: "conf-{{ host }}", trim_blocks: true, lstrip_blocks: true, sudo: false}
      - {run: "cat conf-{{ host }}", sudo: false}
  dry:
    - {run: echo x, register: out}
    - {echo: reached, when: "out is failed"}
  twice:
    - local: "true"
"#;
    let conf = "peers:\n  {% for peer in groups.all %}\n  - {{ peer | upper }}\n  {% endfor %}\n";
    let fan = Fan::new().file("inventory.yaml", BALANCED).file("tasks.yaml", tasks).file("conf.j2", conf);
    let ran = fan.run(["run", "t", "-H", "h1", "--format", "lines"]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    assert!(!ran.stdout.contains("again") && ran.stdout.contains("never"), "{}", ran.snapshot());
    assert!(
        ran.stdout.ends_with("h1 | peers:\nh1 |   - H1\nh1 |   - H2\nh1 |   - H3\nh1 |   - LB\n"),
        "{}",
        ran.stdout
    );
    let ran = fan.run(["run", "dry", "-H", "h1", "--dry-run"]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    assert!(ran.stderr.contains("2 not known") && !ran.stdout.contains("reached"), "{}", ran.snapshot());
    for words in [&["run", "twice", "-H", "h[1-2]", "--plan"][..], &["check", "twice", "-H", "h[1-2]"]] {
        let ran = fan.run(words);
        assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
        let warning = "warning: `local` runs once for each of 2 hosts, and does the same for all of them";
        assert!(ran.stderr.contains(warning), "{}", ran.stderr);
        assert!(!fan.run(words.iter().map(|word| word.replace("h[1-2]", "h1"))).stderr.contains("warning"));
    }
}

#[test]
fn all_steps_on_another_host_share_one_connection() {
    let sshd = Sshd::start();
    let yaml = sshd.inventory_yaml(1);
    let yaml = format!("{yaml}  l[1-20]: {{transport: local}}\n");
    let tasks = r#"
tasks:
  t:
    - {run: 'echo {{ host }} >> seen', on: h1, cd: "{{ dir }}"}
    - barrier: true
    - {get: "{{ dir }}/seen", to: "seen-{{ host }}", on: h1}
  lost:
    steps:
      - {run: "true", on: gone}
    always:
      - local: touch always-{{ host }}
"#;
    let fan = Fan::at(&sshd)
        .file("inventory.yaml", format!("{yaml}  gone: {{address: 127.0.0.1, port: 1}}\n"))
        .file("tasks.yaml", tasks);
    let dir = format!("dir={}", fan.work().display());
    let ran = fan.run(["run", "t", "-H", "l*", "-e", &dir]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    let seen = std::fs::read_to_string(fan.work().join("seen-l7")).unwrap();
    assert_eq!(seen.lines().count(), 20);
    assert_eq!(sshd.connections(), 1, "{}", sshd.log());
    let ran = fan.run(["run", "lost", "-H", "l[1-2]", "-e", &dir]);
    assert_eq!(ran.code, Some(3), "{}", ran.snapshot());
    assert!(ran.stderr.contains("gone: connection refused"), "{}", ran.stderr);
    assert!(fan.work().join("always-l2").exists(), "the host itself can be worked on");
}

#[test]
fn local_things_begin_at_the_tasks_file_or_below() {
    let tasks = r#"
vars: {dist: dist}
tasks:
  t:
    - local: mkdir -p "dist/a b"; echo built > "dist/a b/x"
    - {local: cat x; pwd, lcd: "{{ dist }}/a b"}
    - block:
        - {put: x, to: put-x}
        - {get: put-x, to: got-x}
        - {local: cat got-x}
      lcd: dist/a b
      cd: .
"#;
    let fan = Fan::new().file("inventory.yaml", BALANCED).file("proj/tasks.yaml", tasks);
    let ran = fan.run(["run", "t", "-H", "h1", "-N", "--format", "lines", "-f", "proj/tasks.yaml"]);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!((lines[0], lines[2], lines.len()), ("built", "built", 3), "{}", ran.snapshot());
    assert!(lines[1].ends_with("/proj/dist/a b"), "{}", lines[1]);
    let ran = fan.file("proj/tasks.yaml", "tasks:\n  t:\n    - {put: x, to: y, lcd: nosuch}\n");
    let ran = ran.run(["run", "t", "-H", "h1", "-f", "proj/tasks.yaml"]);
    assert_eq!(ran.code, Some(2), "{}", ran.snapshot());
    assert!(ran.stderr.contains("proj/nosuch/x"), "{}", ran.stderr);
}

#[test]
fn a_step_looks_at_what_other_hosts_know() {
    let hosts = r#"
vars: {env: staging}
hosts:
  h1: {transport: local, vars: {zone: a}}
  h2: {transport: local, vars: {zone: "b-{{ env }}"}}
  db: {address: 10.0.0.9, port: 5432, user: postgres, vars: {primary: true}}
"#;
    let tasks = r#"
tasks:
  t:
    strategy: linear
    steps:
      - {run: 'echo "from {{ host }}"', register: out}
      - set: {mine: "{{ host }}!"}
      - echo: "{{ hostvars['h1'].out.stdout }} {{ hostvars.h2.mine }} {{ hostvars['h2'].zone }}"
      - echo: "{{ hostvars.db.address }}:{{ hostvars.db.port }} {{ hostvars.db.user }} {{ hostvars.db.primary }} {{ hostvars.db.env }}"
      - echo: "{{ hostvars | list | join(' ') }} {{ hostvars.nosuch is defined }}"
      - {template: t.j2, to: "out-{{ host }}"}
      - run: cat out-{{ host }}
      - echo: "{{ hostvars.db.nothing }}"
"#;
    let fan = Fan::new()
        .file("inventory.yaml", hosts)
        .file("tasks.yaml", tasks)
        .file("t.j2", "{% for name in hosts %}{{ name }}={{ hostvars[name].zone }};{% endfor %}\n");
    let ran = fan.run(["run", "t", "-H", "h1,h2", "--format", "lines"]);
    assert_eq!(ran.code, Some(1), "{}", ran.snapshot());
    for line in [
        "h1 | h1=a;h2=b-staging;",
        "h2 | from h1 h2! b-staging",
        "h2 | 10.0.0.9:5432 postgres true staging",
        "h1 | db h1 h2 false",
    ] {
        assert!(ran.stdout.contains(line), "{line}: {}", ran.snapshot());
    }
    assert!(
        ran.stderr.contains("undefined variable \"hostvars.db.nothing\" (tasks.yaml:13)"),
        "{}",
        ran.stderr
    );
}

#[test]
fn who_missed_a_task_does_not_go_on() {
    let tasks = r#"
tasks:
  one: {max_fail: 1, steps: ["true"]}
  two:
    serial: 1
    steps:
      - {fail: no, when: host == "h1"}
  three: [{local: "echo {{ host }} >> done"}]
  build: {run_once: true, steps: ["exit 1"]}
  deploy: {max_fail: 1, before: [build], steps: [{local: "echo {{ host }} >> done"}]}
"#;
    let fan = fan(tasks);
    let ran = fan.run(["run", "one", "two", "three", "-H", "h[1-3]"]);
    assert_eq!(ran.code, Some(1), "{}", ran.snapshot());
    assert!(ran.stderr.contains("1 failed, 2 skipped"), "{}", ran.snapshot());
    assert!(!fan.work().join("done").exists(), "a host that did not do \"two\" cannot do \"three\"");
    let ran = fan.run(["run", "deploy", "-H", "h[1-3]"]);
    assert!(
        ran.stderr.contains("not begun: \"build\", which one host was to run for all"),
        "{}",
        ran.snapshot()
    );
    assert!(!fan.work().join("done").exists(), "nobody deploys what was not built");
}

#[test]
fn a_builder_that_is_in_no_later_task_shares_what_its_task_defined() {
    let tasks = r#"
tasks:
  build:
    run_once: true
    hosts: [h4]
    steps:
      - {local: "echo v7", register: built}
      - block: [{set: {artifact: "{{ built.stdout }}.tgz"}}]
  deploy:
    hosts: [h1, h2]
    before: [build]
    steps: [{echo: "{{ host }} {{ artifact }}"}]
"#;
    let ran = run(tasks, &["deploy", "-N", "--format", "lines"]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    let mut lines: Vec<&str> = ran.stdout.lines().filter(|line| line.starts_with('h')).collect();
    lines.sort_unstable();
    assert_eq!(lines, ["h1 v7.tgz", "h2 v7.tgz"]);
}

#[test]
fn what_earlier_tasks_registered_stays_with_its_host() {
    let tasks = r#"
tasks:
  t1: [{run: "echo {{ host }}", register: h}]
  t2: {run_once: true, steps: [{set: {x: "{{ h.stdout }}"}}]}
  t3: [{echo: "{{ host }} {{ h.stdout }} {{ x }} {{ hostvars['h2'].h.stdout }}"}]
"#;
    let ran = run(tasks, &["t1", "t2", "t3", "-H", "h[1-3]", "-N", "--format", "lines"]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    let mut lines: Vec<&str> = ran.stdout.lines().filter(|line| line.contains(' ')).collect();
    lines.sort_unstable();
    assert_eq!(lines, ["h1 h1 h1 h2", "h2 h2 h1 h2", "h3 h3 h1 h2"]);
}

#[test]
fn the_way_back_is_gone_wherever_something_may_have_been_changed() {
    for (what, first, back) in [
        ("on this machine", "{local: touch made}", true),
        ("nothing on this machine", "{local: 'true', changed_when: false}", false),
        ("too slow", "{run: 'touch made; sleep 100', timeout: 1s, warn_only: true}", true),
        (
            "the second is too slow",
            "{run: 'sleep {{ item }}', each: [0, 100], timeout: 1s, warn_only: true}",
            true,
        ),
        ("failed, and passed", "{run: 'touch made; exit 1', warn_only: true}", true),
        ("half a folder", "{sync: site, to: there, warn_only: true}", true),
        (
            "the second of two files",
            "{put: [site/a, site/b], to: there/, mode: '0600', warn_only: true}",
            true,
        ),
        ("got", "{get: nowhere, to: here, warn_only: true}", false),
        ("a look", "{stat: nowhere, warn_only: true}", false),
        ("no need", "{run: 'true', unless: 'true'}", false),
        ("timed out", "{wait_for: {command: 'false', timeout: 1s}, warn_only: true}", false),
        ("asserted", "{assert: 'false', warn_only: true}", false),
    ] {
        let tasks = format!(
            "tasks:\n  t:\n    steps:\n      - {first}\n      - fail: as planned\n    rescue: [{{echo: back}}]\n"
        );
        let fan = fan(&tasks).file("site/a", "a").file("site/b", "b");
        // A folder stands in the way of a file.
        std::fs::create_dir_all(fan.work().join("there/b/full")).unwrap();
        std::fs::create_dir_all(fan.home().join("there/b/full")).unwrap();
        let ran = fan.run(["run", "t", "-H", "h1", "-N", "--format", "lines"]);
        assert_eq!(ran.code, Some(1), "{what}: {}", ran.snapshot());
        assert_eq!(ran.stdout.lines().any(|line| line == "back"), back, "{what}: {}", ran.snapshot());
    }
}

#[test]
fn a_block_on_another_host_takes_nothing_that_is_about_the_host_itself() {
    let tasks = r#"
tasks:
  t:
    - block:
        - facts: true
        - reboot: true
      on: lb
  called: [{task: again, on: lb}]
  again: {private: true, steps: [reboot: true]}
  once: [{block: [facts: true], run_once: true}]
  itself: [{facts: true, run_once: true}]
"#;
    let fan = Fan::new().file("inventory.yaml", BALANCED).file("tasks.yaml", tasks);
    for (task, problem) in [
        (
            "t",
            "tasks.yaml:5:11: error: \"facts\" acts on the host itself, and \"on\" of the block at tasks.yaml:7",
        ),
        ("called", "\"reboot\" acts on the host itself, and \"on\" of the call of the task at tasks.yaml:8"),
        ("once", "\"facts\" acts on the host itself, and \"run_once\" of the block at tasks.yaml:10"),
    ] {
        let without = tasks.replace("  itself: [{facts: true, run_once: true}]\n", "");
        let fan = Fan::new().file("inventory.yaml", BALANCED).file("tasks.yaml", without);
        let ran = fan.run(["run", task, "-H", "h[1-2]"]);
        assert_eq!(ran.code, Some(2), "{}", ran.snapshot());
        assert!(ran.stderr.contains(problem), "{}", ran.stderr);
    }
    let ran = fan.run(["run", "itself", "-H", "h1"]);
    assert!(ran.stderr.contains("\"run_once\" has no effect on \"facts\""), "{}", ran.stderr);
}
