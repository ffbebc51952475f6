//! Tasks as called: their arguments, and the tasks that run before them.

use serde_json::json;

use crate::engine::planner::Request;
use crate::engine::planner::tests::{
    call, echo, file, inventory, outline, plan, plan_with, request, says, task, vars,
};
use crate::model::call::TaskCall;
use crate::model::given::Given;
use crate::model::task::TaskFile;
use crate::model::value::Value;

fn hello() -> TaskFile {
    let params = json!({"name": null, "greeting": "Hello, {{ name }}", "times": 1});
    file(vec![task(3, "hello").params(params).steps(vec![echo(5, "{{ greeting }} {{ name }} {{ times }}")])])
}

fn with(positional: &[Value], named: Value) -> TaskCall {
    let positional = positional.iter().cloned().map(Given::from).collect();
    let named = vars(named).into_iter().map(|(name, value)| (name, Given::from(value))).collect();
    TaskCall { positional, named, ..call("hello") }
}

fn with_task(task: &str, positional: &[Value]) -> TaskCall {
    TaskCall { task: task.to_owned(), ..with(positional, json!({})) }
}

/// What was typed.
fn typed(text: &str) -> Given {
    crate::config::parse_given(text)
}

fn refused(file: &TaskFile, calls: &[TaskCall]) -> String {
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
        with_task("nowhere", &many),
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
    tasks.yaml:8:3: error: task "nowhere" names no hosts (help: add -R ROLE or -H HOSTS, give the task `roles:`, or the inventory `default_targets:`)
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
        let calls: Vec<TaskCall> = calls.iter().map(|name| call(name)).collect();
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
    insta::assert_snapshot!(refused(&tasks, &[call("deploy")]), @r#"tasks.yaml:1:3: error: task "build" needs a value for "version" (help: write "build:version=VALUE" at tasks.yaml:3:3, or give -e version=VALUE)"#);
    let build = with_task("build", &[json!("1.2")]);
    let both = plan(&tasks, &[build, call("deploy")]).unwrap();
    assert_eq!(outline(&both), "build: web1 web2 web3\ndeploy: web1 web2 web3");
    let request = Request { extra_vars: vars(json!({"version": "1.2"})), ..request() };
    assert!(plan_with(request, &mut inventory(), &tasks, &[call("deploy")]).is_ok());
}

#[test]
fn what_must_run_before_has_arguments_as_on_the_command_line() {
    let build = task(1, "build").params(json!({"version": null, "n": 1, "fast": false}));
    let deploy = task(3, "deploy")
        .params(json!({"version": null, "n": 7, "of": "v{{ version }}"}))
        .vars(json!({"own": "{{ n + 1 }}"}))
        .before(&[
            "build:version={{ version }},n={{ n }}",
            "build:{{ of }},fast=true",
            "build:1.10,{{ own }}",
            "build:version={{ version }},n=7",
            "build",
        ]);
    let tasks = file(vec![build, deploy]);
    let deploy = TaskCall { positional: vec![typed("1.2")], ..call("deploy") };
    let plan = plan(&tasks, std::slice::from_ref(&deploy)).unwrap();
    // The fourth is the first once more, and the last any of them.
    let names: Vec<&str> = plan.tasks.iter().map(|task| &*task.name).collect();
    assert_eq!(names, ["build", "build", "build", "deploy"]);
    let given = "{{ [version, n, fast] | tojson }}";
    let said: Vec<String> = (0..3).map(|task| says(&plan, task, "web1", given)).collect();
    assert_eq!(said, [r#"["1.2",7,false]"#, r#"["v1.2",1,true]"#, r#"["1.10",8,false]"#]);
    // What the command line says is data, also where it looks like a template.
    let sly = TaskCall { positional: vec![typed("{{ n }}")], ..call("deploy") };
    let plan = super::plan(&tasks, &[sly]).unwrap();
    assert_eq!(says(&plan, 0, "web1", "{{ version }}"), "{{ n }}");
    assert_eq!(says(&plan, 1, "web1", "{{ version }}"), "v{{ n }}");
    let done = TaskCall { positional: vec![typed("1.2"), typed("7")], ..call("build") };
    let plan = super::plan(&tasks, &[done, deploy]).unwrap();
    let names: Vec<&str> = plan.tasks.iter().map(|task| &*task.name).collect();
    assert_eq!(names, ["build", "build", "build", "deploy"], "the first is done already");
}

#[test]
fn arguments_of_what_must_run_before_that_are_wrong_are_told_where_they_stand() {
    let wrong = |params: Value, before: &str| {
        let build = task(1, "build").params(json!({"version": null, "n": 1}));
        let deploy = task(3, "deploy").params(params).before(&[before]);
        refused(&file(vec![build, deploy]), &[call("deploy")])
    };
    let messages = [
        wrong(json!({}), "build:version={{ host }}"),
        wrong(json!({"v": "{{ address }}"}), "build:version={{ v }}"),
        wrong(json!({"v": "x"}), "build:version=1,n={{ v }}"),
        wrong(json!({}), "build:n=2"),
    ];
    insta::assert_snapshot!(messages.join("\n"), @r#"
    tasks.yaml:3:3: error: "build:version={{ host }}": undefined variable "host" (help: an argument here knows the parameters and variables of task "deploy" and of the tasks file, not those of hosts)
    tasks.yaml:3:3: error: "build:version={{ v }}": variable "v": undefined variable "address" (help: an argument here knows the parameters and variables of task "deploy" and of the tasks file, not those of hosts)
    tasks.yaml:3:3: error: task "build" needs a number for "n" (its default is 1); got "x"
    tasks.yaml:1:3: error: task "build" needs a value for "version" (help: write "build:version=VALUE" at tasks.yaml:3:3, or give -e version=VALUE)
    "#);
}

#[test]
fn arguments_that_grow_on_the_way_make_no_endless_run() {
    let mut a = task(1, "a").params(json!({"v": "x"})).before(&["b:v={{ v }}1"]);
    let mut b = task(3, "b").params(json!({"v": "x"})).before(&["a:v={{ v }}1"]);
    assert_eq!(
        refused(&file(vec![a.clone(), b.clone()]), &[call("a")]),
        "tasks.yaml:3:3: error: task cycle: a -> b -> a"
    );
    std::mem::swap(&mut a.before, &mut a.after);
    std::mem::swap(&mut b.before, &mut b.after);
    assert!(refused(&file(vec![a, b]), &[call("a")]).contains("task cycle: a -> b -> a"));
}

#[test]
fn what_is_typed_has_the_type_of_the_default() {
    let params = json!({"version": null, "t": "1", "n": 1, "force": false, "list": [1], "same": "{{ t }}"});
    let tasks = file(vec![task(3, "w").params(params).steps(vec![echo(5, "x")])]);
    let with = |words: &[(&str, &str)]| {
        let named = words.iter().map(|(name, text)| ((*name).to_owned(), typed(text))).collect();
        TaskCall { named, ..call("w") }
    };
    let all = "{{ [version, t, n, force, same] | tojson }}";
    let given = with(&[("version", "1.2"), ("t", "9"), ("n", "9"), ("force", "true"), ("same", "~")]);
    let typed_ones = r#"["1.2","9",9,true,"~"]"#;
    assert_eq!(says(&plan(&tasks, std::slice::from_ref(&given)).unwrap(), 0, "web1", all), typed_ones);
    let positional = TaskCall { positional: ["9", "8", "7"].map(typed).to_vec(), ..call("w") };
    assert_eq!(
        says(&plan(&tasks, &[positional]).unwrap(), 0, "web1", "{{ [version, t, n] | tojson }}"),
        r#"["9","8",7]"#
    );

    let extra = |given: &[(&str, Given)]| {
        let extra_given = given.iter().map(|(name, given)| ((*name).to_owned(), given.clone())).collect();
        let extra_vars =
            given.iter().map(|(name, given)| ((*name).to_owned(), given.value.clone())).collect();
        Request { extra_given, extra_vars, ..request() }
    };
    let named: Vec<(&str, Given)> =
        given.named.iter().map(|(name, given)| (name.as_str(), given.clone())).collect();
    let planned = plan_with(extra(&named), &mut inventory(), &tasks, &[call("w")]).unwrap();
    assert_eq!(says(&planned, 0, "web1", all), typed_ones);
    let of_file =
        [("version", Given::from(json!(1.2))), ("t", Given::from(json!(9))), ("n", Given::from(json!("9")))];
    let planned = plan_with(extra(&of_file), &mut inventory(), &tasks, &[call("w")]).unwrap();
    assert_eq!(says(&planned, 0, "web1", "{{ [version, t, n] | tojson }}"), r#"["1.2","9",9]"#);

    let wrong = [with(&[("version", "1"), ("n", "abc"), ("force", "yes")])];
    insta::assert_snapshot!(refused(&tasks, &wrong), @r#"
    tasks.yaml:3:3: error: task "w" needs a number for "n" (its default is 1); got "abc"
    tasks.yaml:3:3: error: task "w" needs true or false for "force" (its default is false); got "yes"
    "#);
    let wrong = extra(&[("version", typed("1")), ("n", typed("1,5"))]);
    let problems =
        plan_with(wrong, &mut inventory(), &tasks, &[call("w")]).map(|plan| outline(&plan)).unwrap_err();
    insta::assert_snapshot!(problems, @r#"tasks.yaml:3:3: error: task "w" needs a number for "n" (its default is 1); -e gave "1,5""#);
}

#[test]
fn a_variable_for_parameters_of_two_types_is_refused() {
    let tasks = file(vec![
        task(3, "a").params(json!({"n": 1})).steps(vec![echo(4, "x")]),
        task(5, "b").params(json!({"n": "x"})).steps(vec![echo(6, "x")]),
        task(7, "c").params(json!({"n": null})).steps(vec![echo(8, "x")]),
        task(9, "d").params(json!({"n": [1]})).steps(vec![echo(10, "x")]),
        task(11, "e").steps(vec![echo(12, "x")]),
    ]);
    let request = || Request {
        extra_vars: vars(json!({"n": 9})),
        extra_given: [("n".to_owned(), typed("9"))].into_iter().collect(),
        ..request()
    };
    let plan = |calls: &[&str]| {
        let calls: Vec<TaskCall> = calls.iter().map(|name| call(name)).collect();
        plan_with(request(), &mut inventory(), &tasks, &calls)
    };
    let says = |calls: &[&str]| says(&plan(calls).unwrap(), 0, "web1", "{{ n | tojson }}");
    assert_eq!((says(&["a"]), says(&["b"]), says(&["c"])), ("9".into(), "\"9\"".into(), "\"9\"".into()));
    assert_eq!(says(&["c", "a"]), "9", "a default decides");
    assert_eq!(
        (says(&["d"]), says(&["d", "c"])),
        ("[\"9\"]".into(), "[\"9\"]".into()),
        "one of one type does"
    );
    assert_eq!(says(&["e"]), "9", "tasks that do not run say nothing");
    let problems = plan(&["a", "b"]).map(|plan| outline(&plan)).unwrap_err();
    insta::assert_snapshot!(problems, @r#"error: -e n=…: task "a" needs a number, and task "b" a text (help: give it to each: fan run a:n=VALUE)"#);
}
