//! `--dry-run`: what it cannot know is skipped and said, and fails nothing. On hosts that are this machine, and over every tasks
//! file that the project has.

use std::fs;
use std::path::{Path, PathBuf};

use fan::testing::event::{Fact, StepFact};
use fan::testing::model::outcome::StepStatus;

use crate::fixtures::support::{Fan, Ran};

const HOSTS: &str = "hosts:\n  h[1-3]: {transport: local}\n";

fn dry(tasks: &str, args: &[&str]) -> Ran {
    let fan = Fan::new().file("inventory.yaml", HOSTS).file("tasks.yaml", tasks);
    fan.run(["run", "--dry-run", "--format", "jsonl", "-H", "h1"].iter().chain(args))
}

/// The steps of `h1`: how each ended, and its note.
fn steps(ran: &Ran) -> Vec<(StepStatus, String)> {
    let of = |fact| match fact {
        Fact::Step(_, StepFact::Finished { outcome, .. }) => {
            Some((outcome.status, outcome.note.unwrap_or_default()))
        }
        _ => None,
    };
    ran.events().into_iter().filter_map(|event| of(event.fact)).collect()
}

#[test]
fn what_is_not_known_is_skipped_and_said() {
    use StepStatus::{Ok, Skipped};
    let tasks = r#"
tasks:
  t:
    params: {force: true}
    steps:
      - {run: date, register: out}
      - {echo: "at {{ out.stdout }}"}
      - {echo: later, when: out.changed}
      - {echo: anyway, when: force or out.changed}
      - {echo: defined, when: out is defined}
      - assert: out.rc == 0
      - assert: ["out.ok", "force"]
      - set: {known: 1, later: "{{ out.stdout | trim }}"}
      - {echo: "{{ known }}"}
      - {echo: "{{ later }}"}
      - {echo: "{{ item }}", each: out.lines, register: looped}
      - {echo: "{{ looped.results | length }}"}
      - {echo: "{{ item }}", each: ["a", "{{ out.stdout }}"]}
      - {echo: "{{ item }}", each: [1, 2], when: "item == 1 or out.ok"}
      - {fail: no, when: not out.ok}
      - {wait_for: {port: 1}, register: waited}
      - {echo: "{{ waited.ok }}"}
      - {echo: "{{ hostvars['h1'].out.stdout }}"}
      - {run: date, run_once: true, register: once}
      - {echo: "{{ once.stdout }}"}
      - {set: {all: "{{ out.stdout }}"}, run_once: true}
      - {echo: "{{ all }}"}
      - block:
          - {run: "true", register: inner}
          - echo: in the block
        when: out.ok
      - {task: called, with: {what: "{{ out.stdout }}", other: x}}
      - {local: date, register: here}
      - {echo: "{{ here.stdout }}"}
  called:
    params: {what: null, other: null, both: "{{ what }} {{ other }}"}
    steps:
      - echo: "{{ what }}"
      - echo: "{{ other }}"
      - echo: "{{ both }}"
"#;
    let ran = dry(tasks, &["t"]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    let found = steps(&ran);
    let statuses: Vec<StepStatus> = found.iter().map(|(status, _)| *status).collect();
    let expected = [
        Skipped, Skipped, Skipped, Ok, Ok, Skipped, Skipped, Ok, Ok, Skipped, Skipped, Skipped, Ok, Ok,
        Skipped, Skipped, Skipped, Skipped, Skipped, Skipped, Skipped, Skipped, Skipped, Skipped, Skipped,
        Ok, Skipped, Skipped, Skipped,
    ];
    assert_eq!(statuses, expected, "{found:#?}");
    let said =
        |number: usize, text: &str| assert!(found[number].1.contains(text), "{number}: {:?}", found[number]);
    said(1, "\"out\" is not known in a dry run (tasks.yaml:7)");
    said(7, "later: \"out\" is not known");
    said(12, "a\n");
    said(22, "\"out\" is not known");
    said(25, "x");
    assert!(
        found.iter().all(|(status, note)| *status == Ok || !note.is_empty()),
        "nothing is skipped in silence"
    );
}

#[test]
fn what_is_known_decides_as_ever() {
    let ran = dry("tasks:\n  t:\n    - {run: date, register: out}\n    - assert: [out.ok, 1 == 2]\n", &["t"]);
    assert_eq!(ran.code, Some(1), "one that is false is false whatever the other is: {}", ran.snapshot());
    let ran = dry("tasks:\n  t:\n    - fail: for sure\n", &["t"]);
    assert_eq!(ran.code, Some(1));
    let ran = dry("tasks:\n  t:\n    - echo: '{{ [1][5] + 1 }}'\n", &["t"]);
    assert_eq!(ran.code, Some(1));
    let ran = dry("tasks:\n  t:\n    - get: nosuch\n      to: here/\n", &["t"]);
    assert_eq!(ran.code, Some(1), "nothing before it was left out");
}

#[test]
fn a_task_that_runs_once_leaves_its_unknowns_to_all() {
    let tasks = r#"
tasks:
  build: {run_once: true, steps: [{run: date, register: built}]}
  t:
    before: [build]
    steps:
      - echo: "{{ built.stdout }}"
      - {echo: "{{ hostvars['h2'].built.stdout }}"}
"#;
    let fan = Fan::new().file("inventory.yaml", HOSTS).file("tasks.yaml", tasks);
    let ran = fan.run(["run", "t", "-H", "all", "--dry-run"]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
}

#[test]
fn paths_that_steps_before_it_would_make_are_not_known() {
    let tasks = r#"
tasks:
  t:
    - run: mkdir -p made; echo x > made/file
    - {get: made/file, to: here/, register: got}
    - {line: y, in: made/file}
    - {ls: made}
    - {echo: "{{ got.changed }}"}
"#;
    let ran = dry(tasks, &["t"]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    assert!(ran.stdout.contains("steps before it were not run"), "{}", ran.stdout);
}

#[test]
fn what_is_not_known_is_counted_and_no_output() {
    let tasks = "tasks:\n  t:\n    - {run: date, register: out}\n    - echo: \"{{ out.stdout }}\"\n    - echo: known\n";
    let fan = Fan::new().file("inventory.yaml", HOSTS).file("tasks.yaml", tasks);
    for format in ["lines", "fold"] {
        let ran = fan.run(["run", "t", "-H", "h[1-2]", "--dry-run", "--format", format]);
        assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
        assert!(ran.stderr.contains("3/3 steps  0 changed  2 not known"), "{}", ran.snapshot());
        assert!(ran.stderr.contains("skipped: \"out\" is not known in a dry run"), "{}", ran.snapshot());
        assert!(ran.stdout.contains("known") && !ran.stdout.contains("is not known"), "{}", ran.snapshot());
    }
}

/// What the sandbox of a run has in its folder when it is over.
fn left(fan: &Fan) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(fan.home())
        .unwrap()
        .chain(fs::read_dir(fan.work()).unwrap())
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("made"))
        .collect();
    names.sort();
    names
}

#[test]
fn what_only_reads_runs_and_its_result_is_known() {
    use StepStatus::{Ok, Skipped};
    let tasks = r#"
tasks:
  t:
    steps:
      - {run: echo one; echo two, reads: true, register: out}
      - {echo: "{{ out.lines | length }}"}
      - {run: "touch made-by-run", when: out.stdout == 'none'}
      - {sudo: "touch made-by-sudo", sudo: false, when: out.rc == 1}
      - {local: "basename \"$PWD\"; echo here", reads: true, register: here, run_once: true}
      - assert: "'here' in here.stdout"
      - {script: look.sh, args: [a b], reads: true, register: looked}
      - assert: looked.stdout == "got a b" and not looked.changed
      - {run: "echo {{ item }}", each: out.lines, reads: true, register: each}
      - assert: each.results[1].stdout == "two"
      - {run: "exit 3", reads: true, ok_codes: [0, 3], register: three}
      - assert: three.rc == 3 and three.ok
      - {run: touch made-unless, unless: touch made-by-guard, register: guarded}
      - {run: echo guarded, reads: true, onlyif: "false", register: off}
      - assert: off.skipped
"#;
    let fan = Fan::new().file("inventory.yaml", HOSTS).file("look.sh", "#!/bin/sh\necho \"got $1\"\n").file(
        "tasks.yaml",
        tasks.replace("sudo: \"touch made-by-sudo\", sudo: false", "run: touch made-by-sudo"),
    );
    let ran = fan.run(["run", "t", "-H", "h1", "--dry-run", "--format", "jsonl"]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    let found = steps(&ran);
    let statuses: Vec<StepStatus> = found.iter().map(|(status, _)| *status).collect();
    let expected = [Ok, Ok, Skipped, Skipped, Ok, Ok, Ok, Ok, Ok, Ok, Ok, Ok, Skipped, Skipped, Ok];
    assert_eq!(statuses, expected, "{found:#?}");
    for ran_there in [0, 4, 6, 8, 10] {
        assert_eq!(found[ran_there].1, "ran: it only reads", "{ran_there}");
    }
    assert_eq!(found[12].1, "not run: what a command would change is unknown");
    assert_eq!(left(&fan), [""; 0], "nothing that may change something was run");
    let ran = fan.run(["run", "t", "-H", "h1", "--dry-run"]);
    assert!(ran.stderr.contains("dry run: h1 may change: steps there were not run"), "{}", ran.snapshot());
    // In a run it is no change either.
    let ran = fan.run(["run", "t", "-H", "h1"]);
    assert!(ran.stderr.contains("0 changed"), "{}", ran.snapshot());
}

#[test]
fn what_reads_after_steps_that_were_left_out_fails_nothing() {
    let tasks = r#"
tasks:
  t:
    steps:
      - run: echo ready > made
      - {run: cat made, reads: true, register: made}
      - {run: cat made, reads: true, until: "'ready' in result.stdout", delay: 100s, ok_codes: [0, 1]}
      - {run: "touch {{ made.stdout }}"}
  first:
    steps:
      - {run: cat made, reads: true}
      - run: echo ready > made
  tried:
    steps:
      - {run: "echo x >> made; test $(wc -l < made) = 3", reads: true, retries: 5, delay: none}
"#;
    let fan = Fan::new().file("inventory.yaml", HOSTS).file("tasks.yaml", tasks);
    let ran = fan.run(["run", "t", "-H", "h1", "--dry-run", "--exit-code"]);
    assert_eq!(ran.code, Some(10), "{}", ran.snapshot());
    let said = "failed as things are now: exit status 1; steps before it were not run";
    assert!(ran.stderr.contains(said), "{}", ran.snapshot());
    let said = "failed as things are now: tried once, and `'ready' in result.stdout` is still false";
    assert!(ran.stderr.contains(said), "{}", ran.snapshot());
    assert!(ran.stderr.contains("4/4 steps  0 changed  4 not known"), "{}", ran.snapshot());
    // Nothing before it was left out: it fails as it would in the run, and that comes before what would change.
    let ran = fan.run(["run", "first", "-H", "h1", "--dry-run", "--exit-code"]);
    assert_eq!(ran.code, Some(1), "{}", ran.snapshot());
    let ran = fan.run(["run", "tried", "-H", "h1", "--dry-run", "--exit-code"]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    assert!(ran.stderr.contains("dry run: nothing would change"), "{}", ran.snapshot());
}

#[test]
fn the_exit_code_says_whether_something_would_change() {
    let tasks = r#"
tasks:
  put: {steps: [{put: here.txt, to: there.txt}]}
  get: {steps: [{get: there.txt, to: got/}]}
  waits: {steps: [{wait_for: {path: nosuch}}, {echo: "{{ host }}"}, {confirm: go on?}]}
  commands: {steps: ["true"]}
  guarded: {steps: [{run: "true", creates: "the*.txt"}]}
  let_pass: {steps: [{run: "exit 1", reads: true, warn_only: true}, {put: here.txt, to: here.txt/x, warn_only: true}]}
  one_of_three: {steps: [{run: "true", when: host == 'h2'}]}
  block: {steps: [{block: ["true"], when: false}]}
  fails: {steps: ["true", {fail: no}]}
"#;
    let fan = Fan::new().file("inventory.yaml", HOSTS).file("tasks.yaml", tasks).file("here.txt", "x\n");
    let run = |task: &str| fan.run(["run", task, "-H", "h1", "--dry-run", "--exit-code", "-y"]);
    let code = |task: &str, code: i32| {
        let ran = run(task);
        assert_eq!(ran.code, Some(code), "{task}: {}", ran.snapshot());
        ran
    };
    let ran = code("put", 10);
    assert!(ran.stderr.contains("dry run: h1 would change\n"), "{}", ran.snapshot());
    code("guarded", 10);
    assert_eq!(fan.run(["run", "put", "-H", "h1"]).code, Some(0));
    let ran = code("put", 0);
    assert!(ran.stderr.contains("dry run: nothing would change\n"), "{}", ran.snapshot());
    code("get", 10);
    code("waits", 0);
    code("commands", 10);
    code("guarded", 0);
    code("let_pass", 10);
    code("block", 0);
    let ran = code("fails", 1);
    assert!(ran.stderr.contains("dry run: h1 may change"), "{}", ran.snapshot());
    let ran = fan.run(["run", "one_of_three", "-H", "all", "--dry-run", "--exit-code"]);
    assert_eq!(ran.code, Some(10), "{}", ran.snapshot());
    assert!(ran.stderr.contains("dry run: h2 may change: steps there were not run"), "{}", ran.snapshot());
    // Without the flag the code is that of the hosts.
    assert_eq!(fan.run(["run", "commands", "-H", "h1", "--dry-run"]).code, Some(0));
    let ran = fan.run(["run", "commands", "-H", "h1", "--exit-code"]);
    assert_eq!(ran.code, Some(2), "{}", ran.snapshot());
    // Of the subcommands on files too.
    let ran = fan.run(["put", "-H", "h1", "here.txt", "other.txt", "--dry-run", "--exit-code"]);
    assert_eq!(ran.code, Some(10), "{}", ran.snapshot());
    let ran = fan.run(["get", "-H", "h1", "there.txt", "here.txt", "--dry-run", "--exit-code"]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    // The stream has it step by step.
    let ran = fan.run(["run", "get", "-H", "h1", "--dry-run", "--format", "jsonl", "--exit-code"]);
    assert!(ran.stdout.contains(r#""would_change":"certain""#), "{}", ran.snapshot());
    assert_eq!(ran.code, Some(10));
}

/// All tasks files of the project: whole files, and what pages show of them.
fn of_the_project() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found =
        vec![(root.join("tasks.example.yaml"), fs::read_to_string(root.join("tasks.example.yaml")).unwrap())];
    for folder in ["docs", "docs/recipes"] {
        for entry in fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "md") {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            for block in text.split("```yaml\n").skip(1) {
                let block = block.split("```").next().unwrap();
                if block.lines().any(|line| line == "tasks:") {
                    found.push((path.clone(), block.to_owned()));
                }
            }
        }
    }
    found
}

/// The names of a tasks file's tasks, with a value for each argument that they need.
fn calls(fan: &Fan) -> Vec<String> {
    let listed = fan.run(["list", "--json"]);
    assert_eq!(listed.code, Some(0), "{}", listed.snapshot());
    let listed: serde_json::Value = serde_json::from_str(&listed.stdout).unwrap();
    let call = |task: &serde_json::Value| {
        let needed = task["params"].as_array().unwrap().iter().filter(|param| param["required"] == true);
        let args: Vec<String> =
            needed.map(|param| format!("{}=1", param["name"].as_str().unwrap())).collect();
        format!("{}:{}", task["name"].as_str().unwrap(), args.join(","))
    };
    listed["tasks"].as_array().or(listed.as_array()).unwrap().iter().map(call).collect()
}

/// The texts between these marks, on any line.
fn quoted<'t>(text: &'t str, before: &str, after: &str) -> Vec<&'t str> {
    text.split(before).skip(1).filter_map(|rest| rest.split(after).next()).collect()
}

#[test]
fn no_tasks_file_of_the_project_fails() {
    const INVENTORY: &str = "
hosts:
  h1: {transport: local}
  builder: {transport: local}
roles: {web: [h1], app: [h1], db: [h1], all_of_them: [h1]}
";
    let (mut files, mut tasks) = (0, 0);
    for (path, text) in of_the_project() {
        let mut fan = Fan::new().file("inventory.yaml", INVENTORY).file("tasks.yaml", &text);
        files += 1;
        for call in calls(&fan) {
            let mut args = ["run", &call, "-H", "h1", "--dry-run", "-y"].map(str::to_owned).to_vec();
            let mut ran = fan.run(&args);
            // What a reader is to bring along: variables of the own inventory, and local files.
            for _ in 0..20 {
                if ran.code != Some(2) {
                    break;
                }
                let said = ran.stderr.clone();
                for name in quoted(&said, "undefined variable \"", "\"") {
                    args.extend(["-e".to_owned(), format!("{name}=1")]);
                }
                for host in quoted(&said, "no host matches \"", "\"") {
                    let hosts = format!("hosts:\n  {host}: {{transport: local}}");
                    fan = fan.file("inventory.yaml", INVENTORY.replace("hosts:", &hosts));
                }
                for variable in quoted(&said, "environment variable ", " is not set") {
                    fan = fan.env(variable, "x");
                }
                for file in quoted(&said, "no such file or folder: ", "\n").into_iter().chain(quoted(
                    &said,
                    "cannot read ",
                    ":",
                )) {
                    let name = file.trim().split(" (").next().unwrap();
                    let file = fan.work().join(if name.ends_with('/') {
                        format!("{name}a")
                    } else {
                        name.to_owned()
                    });
                    fs::create_dir_all(file.parent().unwrap()).unwrap();
                    fs::write(file, "x\n").unwrap();
                }
                ran = fan.run(&args);
            }
            assert_eq!(ran.code, Some(0), "{} {args:?}\n{text}\n{}", path.display(), ran.snapshot());
            tasks += 1;
        }
    }
    assert!(files > 12 && tasks > 20, "{files} files, {tasks} tasks");
}
