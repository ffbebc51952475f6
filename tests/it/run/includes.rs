//! `include`: tasks in several files.

use std::fs;

use crate::fixtures::support::{Fan, Ran};

fn project(tasks: &str) -> Fan {
    Fan::new().file("inventory.yaml", "hosts: {h1: {transport: local}}\n").file("tasks.yaml", tasks)
}

fn ok(ran: Ran) -> Ran {
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    ran
}

/// What is wrong, a line each.
fn wrong(fan: &Fan) -> Vec<String> {
    let ran = fan.run(["check"]);
    assert_eq!(ran.code, Some(2), "{}", ran.snapshot());
    ran.stderr.lines().filter(|line| line.contains("error:")).map(str::to_owned).collect()
}

#[test]
fn tasks_of_other_files_are_called_by_their_names() {
    let fan = project("include: [{file: db/tasks.yaml, as: db}, \"roles/*.yaml\"]\ntasks:\n  all:\n    before: [\"db.backup:to=x\", web]\n    steps: [{echo: done}]\n")
        .file(
            "db/tasks.yaml",
            "vars: {engine: pg}\ntasks:\n  dump:\n    params: {to: null}\n    steps: [{echo: \"{{ engine }} to {{ to }}\"}]\n  \
             backup:\n    params: {to: y}\n    before: [\"dump:to={{ to }}\"]\n    steps:\n      - block:\n          - {task: dump, with: {to: block}}\n      \
             - {task: shared}\n",
        )
        .file("roles/a.yaml", "tasks:\n  shared: [echo: shared]\n")
        .file("roles/b.yaml", "tasks:\n  web: [echo: web]\n")
        .file("roles/notes.txt", "not a task\n");
    let list = ok(fan.run(["list"]));
    for name in ["all", "db.dump:to", "db.backup:to=y", "shared", "web"] {
        assert!(
            list.stdout.lines().any(|line| line.split_whitespace().next() == Some(name)),
            "{}",
            list.snapshot()
        );
    }
    let ran = ok(fan.run(["run", "all", "-H", "h1"]));
    let said: Vec<&str> = ran.stdout.lines().filter_map(|line| line.strip_prefix("h1 | ")).collect();
    assert_eq!(said, ["pg to x", "pg to block", "shared", "web", "done"]);
    ok(fan.run(["db.dump:there", "-H", "h1"]));
}

#[test]
fn local_paths_start_at_the_file_that_says_them() {
    let fan = project("include: sub/more.yaml\ntasks:\n  outer:\n    steps:\n      - {local: cat name}\n      - {task: inner}\n")
        .file("name", "outer file\n")
        .file("sub/more.yaml", "include: deeper/x.yaml\ntasks:\n  inner:\n    steps:\n      - {local: cat name}\n      - {put: name, to: \"DIR/copied\"}\n      - {task: deep}\n".replace("DIR", "{{ env('HOME') }}"))
        .file("sub/name", "inner file\n")
        .file("sub/deeper/x.yaml", "tasks:\n  deep: [{script: say.sh}]\n")
        .file("sub/deeper/say.sh", "echo deep file\n");
    let ran = ok(fan.run(["run", "outer", "-H", "h1"]));
    for words in ["outer file", "inner file", "deep file"] {
        assert!(ran.stdout.contains(words), "{words}: {}", ran.snapshot());
    }
    assert_eq!(fs::read_to_string(fan.home().join("copied")).unwrap(), "inner file\n");
}

#[test]
fn what_is_wrong_is_told_at_its_place_all_at_once() {
    let fan = project("include: [a.yaml, gone.yaml, \"none/*.yaml\", a.yaml, tasks.yaml, {file: b.yaml, as: \"b:c\"}, {fiel: x}]\ntasks:\n  t: [{task: of_gone}]\n  same: [echo: 1]\n")
        .file("a.yaml", "include: tasks.yaml\ntasks:\n  same: [echo: 2]\n  bad: [{ech: 2}]\n")
        .file("b.yaml", "tasks: {b: [echo: 1]}\n");
    let wrong = wrong(&fan);
    for words in [
        "a.yaml:1:10: error: tasks.yaml includes itself",
        "a.yaml:3:3: error: task \"same\" is defined twice, first at tasks.yaml:4:3",
        "a.yaml:4:10: error: unknown field \"ech\"",
        "tasks.yaml:1:19: error: cannot include \"gone.yaml\": no such file",
        "error: cannot include \"none/*.yaml\": no such file",
        "error: a.yaml is included twice, first at tasks.yaml:1:11",
        "error: tasks.yaml includes itself",
        "\":\" in task name \"b:c\"",
        "fiel",
    ] {
        assert!(wrong.iter().any(|line| line.contains(words)), "{words}: {wrong:#?}");
    }
    // What a missing file may have is not said to be missing.
    assert!(!wrong.iter().any(|line| line.contains("of_gone")), "{wrong:#?}");
}

#[test]
fn files_of_other_kinds_and_names_that_clash_are_refused() {
    let fan = project("include: [site.yaml, v.yaml]\nvars: {port: 1}\ntasks:\n  t: [{task: unknown}]\n")
        .file("site.yaml", "- hosts: all\n  tasks:\n    - ping:\n")
        .file("v.yaml", "vars: {port: 2}\nsecrets: {port2: {env: X}}\ntasks:\n  u: [echo: 1]\n");
    let wrong = wrong(&fan);
    assert!(wrong.iter().any(|line| line.contains("site.yaml") && line.contains("playbook")), "{wrong:#?}");
    assert!(
        wrong.iter().any(|line| line.contains("variable \"port\" of v.yaml has been defined before")),
        "{wrong:#?}"
    );
}

#[test]
fn a_file_that_only_includes_others_is_enough_and_its_files_are_recorded() {
    let fan = project("include: [one.yaml]\n").file("one.yaml", "tasks:\n  t: [run: \"false\"]\n");
    assert_eq!(fan.run(["run", "t", "-H", "h1"]).code, Some(1));
    let fan = fan.file("one.yaml", "tasks:\n  t: [run: \"true\"]\n");
    let ran = fan.run(["resume"]);
    assert_eq!(ran.code, Some(2), "{}", ran.snapshot());
    assert!(ran.stderr.contains(": one.yaml"), "{}", ran.snapshot());
}
