//! Tasks as called: their arguments, and the tasks that run before them.

use serde_json::json;

use crate::engine::planner::tests::{
    call, echo, file, inventory, outline, plan, plan_with, request, says, task, vars,
};
use crate::engine::planner::{Call, Request};
use crate::model::task::TaskFile;
use crate::model::value::Value;

fn hello() -> TaskFile {
    let params = json!({"name": null, "greeting": "Hello, {{ name }}", "times": 1});
    file(vec![task(3, "hello").params(params).steps(vec![echo(5, "{{ greeting }} {{ name }} {{ times }}")])])
}

fn with(positional: &[Value], named: Value) -> Call {
    Call { positional: positional.to_vec(), named: vars(named), ..call("hello") }
}

fn refused(file: &TaskFile, calls: &[Call]) -> String {
    plan(file, calls).map(|plan| outline(&plan)).unwrap_err()
}

#[test]
fn arguments_come_by_position_by_name_and_by_default() {
    for (call, expected) in [
        (with(&[json!("Jeff")], json!({})), "Hello, Jeff|Jeff|1"),
        (with(&[json!("Jeff"), json!("Hi"), json!(3)], json!({})), "Hi|Jeff|3"),
        (with(&[], json!({"times": 2, "name": "Jeff"})), "Hello, Jeff|Jeff|2"),
        (with(&[json!("Jeff")], json!({"greeting": false})), "false|Jeff|1"),
        // What the command line says is never a template.
        (with(&[json!("{{ times }}")], json!({})), "Hello, {{ times }}|{{ times }}|1"),
    ] {
        let plan = plan(&hello(), &[call]).unwrap();
        assert_eq!(says(&plan, 0, "web2", "{{ greeting }}|{{ name }}|{{ times }}"), expected);
    }
}

#[test]
fn extra_variables_stand_for_required_arguments_and_win() {
    let request = Request { extra_vars: vars(json!({"name": "Eve", "times": 9})), ..request() };
    let plan = plan_with(request, &mut inventory(), &hello(), &[call("hello")]).unwrap();
    assert_eq!(says(&plan, 0, "web1", "{{ greeting }}|{{ times }}"), "Hello, Eve|9");
}

#[test]
fn everything_wrong_with_calls_is_said_at_once() {
    let many = vec![json!("a"), json!("b"), json!(3), json!(4)];
    let mut tasks = hello();
    tasks.tasks.insert("nowhere".to_owned(), {
        let mut task = task(8, "nowhere").params(json!({"one": "1"}));
        task.roles.clear();
        task
    });
    let calls = [
        with(&many, json!({})),
        with(&[], json!({"nmae": "Jeff"})),
        with(&[json!("a")], json!({"name": "b", "colour": "red"})),
        Call { positional: many, ..call("nowhere") },
        call("helo"),
        call("zzz"),
    ];
    insta::assert_snapshot!(refused(&tasks, &calls), @r#"
    error: task "hello" takes 3 arguments, 4 given
    error: task "hello" has no parameter "nmae" (help: did you mean "name"?)
    tasks.yaml:3:3: error: task "hello" needs a value for "name" (help: fan run hello:name=VALUE)
    error: task "hello": "name" is given twice
    error: task "hello" has no parameter "colour" (help: -e NAME=VALUE sets variables that are not parameters)
    error: task "nowhere" takes 1 argument, 4 given
    tasks.yaml:8:3: error: task "nowhere" names no hosts (help: add -R ROLE or -H HOSTS, or give the task `roles:`)
    error: no task "helo" in tasks.yaml (help: did you mean "hello"?)
    error: no task "zzz" in tasks.yaml (help: `fan list` shows the tasks)
    "#);
}

#[test]
fn what_must_run_before_runs_once_and_in_order() {
    let tasks = file(vec![
        task(1, "check"),
        task(3, "build").before(&["check"]),
        task(5, "stop").before(&["check"]),
        task(7, "deploy").before(&["build", "stop"]),
        task(9, "all").before(&["deploy", "check"]).steps(Vec::new()),
    ]);
    let names = |calls: &[&str]| {
        let calls: Vec<Call> = calls.iter().map(|name| call(name)).collect();
        let plan = plan(&tasks, &calls).unwrap();
        plan.tasks.iter().map(|task| task.name.to_string()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names(&["check"]), "check");
    assert_eq!(names(&["deploy"]), "check build stop deploy");
    assert_eq!(names(&["all"]), "check build stop deploy all");
    assert_eq!(names(&["stop", "build"]), "check stop build");
    assert_eq!(names(&["check", "build"]), "check build");
    // Named twice is meant twice.
    assert_eq!(names(&["build", "build", "check"]), "check build build check");
}

#[test]
fn what_must_run_before_needs_its_arguments_too() {
    let tasks =
        file(vec![task(1, "build").params(json!({"version": null})), task(3, "deploy").before(&["build"])]);
    insta::assert_snapshot!(refused(&tasks, &[call("deploy")]), @r#"tasks.yaml:1:3: error: task "build" needs a value for "version" (help: fan run build:version=VALUE)"#);
    let build = Call { positional: vec![json!("1.2")], ..call("build") };
    let both = plan(&tasks, &[build, call("deploy")]).unwrap();
    assert_eq!(outline(&both), "build: web1 web2 web3\ndeploy: web1 web2 web3");
    let request = Request { extra_vars: vars(json!({"version": "1.2"})), ..request() };
    assert!(plan_with(request, &mut inventory(), &tasks, &[call("deploy")]).is_ok());
}
