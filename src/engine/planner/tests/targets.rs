//! Which hosts a task runs on.

use crate::engine::planner::tests::{call, file, inventory, outline, plan, plan_with, request, shown, task};
use crate::engine::planner::{self, Bounds, Request};
use crate::model::inventory::{Inventory, RoleName};
use crate::model::position::{Located, Position};
use crate::model::task::Task;

fn at(text: &str) -> Located<String> {
    Located::new(text.to_owned(), Position::new("tasks.yaml", 4, 12))
}

fn on(task: Task, roles: &[&str], hosts: &[&str], exclude: &[&str]) -> Task {
    let position = task.position.clone();
    Task {
        roles: roles.iter().map(|role| Located::new(RoleName::from(*role), position.clone())).collect(),
        hosts: hosts.iter().map(|hosts| at(hosts)).collect(),
        exclude: exclude.iter().map(|hosts| at(hosts)).collect(),
        ..task
    }
}

#[test]
fn a_tasks_own_targets_are_roles_and_hosts_less_what_is_left_out() {
    for (roles, hosts, exclude, expected) in [
        (vec!["db"], vec![], vec![], "t: db1"),
        (vec!["web"], vec!["db1", "jump"], vec![], "t: jump web1 web2 web3 db1"),
        (vec!["web"], vec![], vec!["web2"], "t: web1 web3"),
        (vec![], vec!["all", "!web*"], vec!["@db"], "t: jump"),
        (vec![], vec!["root@10.9.9.9:2222", "web1"], vec![], "t: web1 root@10.9.9.9:2222"),
    ] {
        let tasks = file(vec![on(task(3, "t"), &roles, &hosts, &exclude)]);
        let outlined = outline(&plan(&tasks, &[call("t")]).unwrap());
        assert_eq!(outlined, expected);
    }
}

#[test]
fn the_command_lines_selection_replaces_them() {
    let tasks = file(vec![on(task(3, "a"), &["web"], &[], &["web1"]), on(task(5, "b"), &[], &[], &[])]);
    let selected =
        planner::tasks(request(), &mut inventory(), Some(&[1, 4]), &tasks, &[call("a"), call("b")]);
    assert_eq!(outline(&selected.unwrap()), "a: web1 db1\nb: web1 db1");
}

#[test]
fn the_command_lines_exclusion_applies_to_each_tasks_own_targets() {
    let tasks = file(vec![on(task(3, "a"), &["web"], &[], &["web1"]), on(task(5, "b"), &["db"], &[], &[])]);
    let request = Request { bounds: Bounds { exclude: vec!["web3".to_owned()], only: None }, ..request() };
    let plan = plan_with(request, &mut inventory(), &tasks, &[call("a"), call("b")]).unwrap();
    assert_eq!(outline(&plan), "a: web2\nb: db1");
    // Hosts that take part in no task are not in the plan.
    assert_eq!(plan.hosts.len(), 2);
}

#[test]
fn tasks_before_keep_their_own_targets_or_take_those_of_the_task_after() {
    let build = on(task(1, "build"), &[], &[], &[]);
    let migrate = on(task(3, "migrate"), &["db"], &[], &[]);
    let tasks = file(vec![build, migrate, task(5, "deploy").before(&["build", "migrate"])]);
    let plan = plan(&tasks, &[call("deploy")]).unwrap();
    assert_eq!(outline(&plan), "build: web1 web2 web3\nmigrate: db1\ndeploy: web1 web2 web3");
}

#[test]
fn a_task_that_only_stands_for_others_needs_no_hosts() {
    let build = on(task(1, "build"), &["web"], &[], &[]);
    let migrate = on(task(3, "migrate"), &["db"], &[], &[]);
    let release = on(task(5, "release"), &[], &[], &[]).steps(Vec::new()).before(&["build", "migrate"]);
    let tasks = file(vec![build.clone(), migrate.clone(), release.clone()]);
    assert_eq!(outline(&plan(&tasks, &[call("release")]).unwrap()), "build: web1 web2 web3\nmigrate: db1");
    let lost = on(migrate, &[], &[], &[]);
    let problem = plan(&file(vec![build, lost, release]), &[call("release")]).unwrap_err();
    assert!(problem.starts_with("tasks.yaml:3:3: error: task \"migrate\" names no hosts"), "{problem}");
}

#[test]
fn the_inventory_has_hosts_for_tasks_that_name_none() {
    let inventory = || Inventory { default_targets: vec![at("@web"), at("!web2")], ..inventory() };
    let bare = |line, name| on(task(line, name), &[], &[], &[]);
    let tasks = file(vec![
        bare(1, "a"),
        task(3, "b"),
        on(task(5, "c"), &["db"], &[], &[]).before(&["a"]),
        on(bare(7, "d"), &[], &[], &["web1"]),
        bare(9, "e").steps(Vec::new()).before(&["a", "c"]),
    ]);
    let planned = |name: &str| {
        plan_with(request(), &mut inventory(), &tasks, &[call(name)]).map(|plan| outline(&plan)).unwrap()
    };
    assert_eq!(planned("a"), "a: web1 web3");
    assert_eq!(planned("b"), "b: web1 web2 web3", "its own come first");
    assert_eq!(planned("c"), "a: db1\nc: db1", "and so do those of the task that wants it");
    assert_eq!(planned("d"), "d: web3");
    assert_eq!(planned("e"), "a: web1 web3\nc: db1\ne: web1 web3");
    let named = planner::tasks(request(), &mut inventory(), Some(&[4]), &tasks, &[call("a")]).unwrap();
    assert_eq!(outline(&named), "a: db1", "the command line's come before all");
}

#[test]
fn targets_that_select_nothing_are_errors() {
    let refused = |task: Task| {
        let problems = planner::tasks(request(), &mut inventory(), None, &file(vec![task]), &[call("t")]);
        shown(&problems.unwrap_err())
    };
    let messages = [
        refused(on(task(3, "t"), &[], &[], &[])),
        refused(on(task(3, "t"), &["wbe"], &["nope*"], &[])),
        refused(on(task(3, "t"), &["db"], &[], &["db1"])),
    ];
    insta::assert_snapshot!(messages.join("\n"), @r#"
    tasks.yaml:3:3: error: task "t" names no hosts (help: add -R ROLE or -H HOSTS, give the task `roles:`, or the inventory `default_targets:`)
    tasks.yaml:3:3: error: no role "wbe" (help: did you mean @web? roles: @db, @web)
    tasks.yaml:3:3: error: no host matches "nope*" (help: roles: @db, @web)
    tasks.yaml:3:3: error: no hosts left in the selection (help: `fan hosts` shows the hosts to select from)
    "#);
}
