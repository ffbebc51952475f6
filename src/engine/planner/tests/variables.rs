//! Variables: their layers, the templates in them, and names that do not exist.

use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::json;

use crate::engine::planner::tests::{
    call, echo, file, inventory, plan, plan_with, registered, request, says, script, step, task, text, vars,
};
use crate::engine::planner::{self, Request};
use crate::model::inventory::{Inventory, Role, RoleName};
use crate::model::task::{Action, Block, Command, Each, Step, Task, TaskFile, Template};
use crate::model::template::Scope;
use crate::model::value::Value;

fn refused(file: &TaskFile) -> String {
    refused_with(&mut inventory(), file)
}

fn refused_with(inventory: &mut Inventory, file: &TaskFile) -> String {
    plan_with(request(), inventory, file, &[call("t")]).map(|_| String::new()).unwrap_err()
}

fn set(line: u32, values: &[(&str, &str)]) -> Step {
    let values = values.iter().map(|(name, value)| ((*name).to_owned(), Template::Text(text(line, value))));
    step(line, Action::Set(values.collect::<IndexMap<_, _>>()))
}

#[test]
fn each_layer_wins_over_the_one_below() {
    let mut inventory = inventory();
    let upto = |layer: &str, names: &str| -> Value {
        names.chars().map(|name| (name.to_string(), json!(layer))).collect::<serde_json::Map<_, _>>().into()
    };
    inventory.vars = vars(upto("inventory", "bcdefg")).into();
    inventory.roles[0].vars = vars(upto("role", "cdefg")).into();
    inventory.hosts[1].vars = vars(upto("host", "defg")).into();
    let mut tasks =
        file(vec![task(1, "t").vars(upto("task", "efg")).params(json!({"f": "param", "g": "param"}))]);
    tasks.vars = vars(upto("file", "abcdefg"));
    let request = Request { extra_vars: vars(upto("extra", "g")), ..request() };
    let plan = plan_with(request, &mut inventory, &tasks, &[call("t")]).unwrap();
    let line = "{{ a }} {{ b }} {{ c }} {{ d }} {{ e }} {{ f }} {{ g }}";
    assert_eq!(says(&plan, 0, "web1", line), "file inventory role host task param extra");
    assert_eq!(says(&plan, 0, "web2", line), "file inventory role role task param extra");
}

#[test]
fn templates_in_variables_are_expanded_for_each_host() {
    let mut inventory = inventory();
    inventory.vars = vars(json!({
        // Used before they stand there, and from layers below and above.
        "url": "https://{{ name }}:{{ port }}/{{ app }}",
        "name": "{{ host }}.example.com",
        "all": ["{{ url }}", {"run": "{{ run_id }}", "roles": "{{ roles | join(',') }}"}],
        "port": 8000,
        "next": "{{ port + 1 }}",
    }))
    .into();
    inventory.hosts[2].vars = vars(json!({"port": 9000})).into();
    let mut tasks = file(vec![
        task(1, "t").vars(json!({"page": "{{ url }}/{{ title }}"})).params(json!({"title": "{{ user }}"})),
    ]);
    tasks.vars = vars(json!({"app": "shop"}));
    let plan = plan_with(request(), &mut inventory, &tasks, &[call("t")]).unwrap();
    assert_eq!(says(&plan, 0, "web1", "{{ page }}"), "https://web1.example.com:8000/shop/me");
    assert_eq!(says(&plan, 0, "web2", "{{ page }}"), "https://web2.example.com:9000/shop/me");
    assert_eq!(says(&plan, 0, "web2", "{{ next + 1 }}"), "9002", "the value keeps its type");
    let all = "{{ all[0] }} {{ all[1].run }} {{ all[1].roles }}";
    assert_eq!(says(&plan, 0, "web1", all), "https://web1.example.com:8000/shop 01J web");
}

#[test]
fn what_a_template_gives_is_no_template() {
    let tasks = file(vec![task(1, "t").vars(json!({"a": "{{ '{{' }} host }}", "b": "{{ a }}"}))]);
    assert_eq!(says(&plan(&tasks, &[call("t")]).unwrap(), 0, "web1", "{{ b }}"), "{{ host }}");
}

#[test]
fn the_command_lines_variables_are_literal_and_replace_what_cannot_be_expanded() {
    let tasks = file(vec![task(1, "t").vars(json!({"a": "{{ nope }}", "b": "<{{ a }}>"}))]);
    let request = Request { extra_vars: vars(json!({"a": "{{ host }}"})), ..request() };
    let plan = plan_with(request, &mut inventory(), &tasks, &[call("t")]).unwrap();
    assert_eq!(says(&plan, 0, "web1", "{{ b }}"), "<{{ host }}>");
}

#[test]
fn variables_that_have_no_value_are_named() {
    let mut chain = serde_json::Map::new();
    for number in 0..20 {
        chain.insert(format!("v{number}"), json!(format!("{{{{ v{} }}}}", number + 1)));
    }
    chain.insert("v20".to_owned(), json!("end"));
    let mut messages = Vec::new();
    for own in [
        json!({"a": "{{ b }}", "b": "{{ c }}", "c": "x{{ b }}"}),
        json!({"a": "{{ a }}"}),
        Value::Object(chain),
        json!({"a": "{{ verison }}", "version": "1"}),
        json!({"a": "{{ version }}", "version": null, "c": ["{{ a.b.c }}"]}),
    ] {
        messages.push(refused(&file(vec![task(1, "t").vars(own.clone())])));
        // The same in the inventory.
        let mut inventory = inventory();
        inventory.hosts[1].vars = vars(own).into();
        messages.push(refused_with(&mut inventory, &file(vec![task(1, "t")])));
    }
    insta::assert_snapshot!(messages.join("\n"), @r#"
    error: variable cycle: b → c → b (on web1, web2, web3)
    error: variable cycle: b → c → b (on web1)
    error: variable cycle: a → a (on web1, web2, web3)
    error: variable cycle: a → a (on web1)
    error: variable "v0" builds on others more than 16 deep (on web1, web2, web3)
    error: variable "v0" builds on others more than 16 deep (on web1)
    error: variable "a": undefined variable "verison" (on web1, web2, web3) (help: did you mean "version"?)
    error: variable "a": undefined variable "verison" (on web1) (help: did you mean "version"?)
    error: variable "c": undefined variable "a.b" (on web1, web2, web3)
    error: variable "c": undefined variable "a.b" (on web1)
    "#);
}

#[test]
fn undefined_names_are_found_wherever_they_stand() {
    let with = |change: fn(&mut Step)| {
        let mut step = script(9, "true");
        change(&mut step);
        step
    };
    let steps = vec![
        script(2, "echo {{ a1 }}"),
        step(3, Action::Run(Command::Argv(vec![text(3, "echo"), text(3, "{{ a2 }}")]))),
        step(4, Action::Local(Command::Script(text(4, "echo {{ a3 }}")))),
        echo(5, "{{ a4 }}"),
        step(6, Action::Fail(text(6, "{{ a5 }}"))),
        step(7, Action::Assert { that: vec![text(7, "a6 > 1")], message: Some(text(8, "{{ a7 }}")) }),
        with(|step| step.when = Some(text(10, "a8"))),
        with(|step| step.cd = Some(text(11, "/{{ a9 }}"))),
        with(|step| drop(step.env.insert("X".to_owned(), text(12, "{{ b1 }}")))),
        set(13, &[("one", "{{ b2 }}"), ("two", "{{ one }} {{ b3 }}")]),
        // Neither of these is missing.
        echo(14, "{{ two }} {{ host }} {{ host_index }} {{ maybe | default('x') }}"),
        step(15, Action::Run(Command::Raw("echo {{ raw }}".into()))),
    ];
    insta::assert_snapshot!(refused(&file(vec![task(1, "t").steps(steps)])), @r#"
    tasks.yaml:2:9: error: undefined variable "a1" (help: define it in `vars:`, or with -e a1=VALUE)
    tasks.yaml:3:9: error: undefined variable "a2" (help: define it in `vars:`, or with -e a2=VALUE)
    tasks.yaml:4:9: error: undefined variable "a3" (help: define it in `vars:`, or with -e a3=VALUE)
    tasks.yaml:5:9: error: undefined variable "a4" (help: define it in `vars:`, or with -e a4=VALUE)
    tasks.yaml:6:9: error: undefined variable "a5" (help: define it in `vars:`, or with -e a5=VALUE)
    tasks.yaml:7:9: error: undefined variable "a6" (help: define it in `vars:`, or with -e a6=VALUE)
    tasks.yaml:8:9: error: undefined variable "a7" (help: define it in `vars:`, or with -e a7=VALUE)
    tasks.yaml:10:9: error: undefined variable "a8" (help: define it in `vars:`, or with -e a8=VALUE)
    tasks.yaml:11:9: error: undefined variable "a9" (help: define it in `vars:`, or with -e a9=VALUE)
    tasks.yaml:12:9: error: undefined variable "b1" (help: define it in `vars:`, or with -e b1=VALUE)
    tasks.yaml:13:9: error: undefined variable "b2" (help: define it in `vars:`, or with -e b2=VALUE)
    tasks.yaml:13:9: error: undefined variable "b3" (help: define it in `vars:`, or with -e b3=VALUE)
    "#);
}

#[test]
fn undefined_names_come_with_what_to_do() {
    let mut inventory = inventory();
    inventory.hosts[1].vars = vars(json!({"version": "1", "only": true})).into();
    inventory.hosts[3].vars = vars(json!({"version": "1"})).into();
    let steps = vec![
        echo(2, "{{ verison }}"),
        echo(3, "{{ only }}"),
        echo(4, "{{ version }}"),
        echo(5, "{{ out.stdout }}"),
        registered("out", script(6, "echo {{ out }}")),
        echo(7, "{{ out.stdout }} {{ hots }}"),
    ];
    insta::assert_snapshot!(refused_with(&mut inventory, &file(vec![task(1, "t").steps(steps)])), @r#"
    tasks.yaml:2:9: error: undefined variable "verison" (help: did you mean "version"?)
    tasks.yaml:3:9: error: undefined variable "only" on web2, web3 (help: define it in `vars:`, or with -e only=VALUE)
    tasks.yaml:4:9: error: undefined variable "version" on web2 (help: define it in `vars:`, or with -e version=VALUE)
    tasks.yaml:5:9: error: variable "out" is used before step 5 defines it
    tasks.yaml:6:9: error: variable "out" is used before step 5 defines it
    tasks.yaml:7:9: error: undefined variable "hots" (help: did you mean "host"?)
    "#);
}

#[test]
fn many_hosts_with_the_same_problem_are_one_message() {
    let mut inventory = inventory();
    let mut more = Vec::new();
    for number in 4..30 {
        let mut host = inventory.hosts[1].clone();
        host.name = format!("web{number}").as_str().into();
        more.push(host);
    }
    inventory.hosts.extend(more);
    inventory.hosts[1].vars = vars(json!({"x": 1, "y": 2})).into();
    inventory.members = crate::model::target::role_members(&inventory.hosts, &inventory.roles).unwrap();
    let steps = vec![echo(2, "{{ x }} {{ z }}")];
    let tasks = file(vec![task(1, "t").vars(json!({"z": "{{ y }}"})).steps(steps)]);
    insta::assert_snapshot!(refused_with(&mut inventory, &tasks), @r#"
    error: variable "z": undefined variable "y" (on web2, web3, web4, web5, web6 and 23 more)
    tasks.yaml:2:9: error: undefined variable "x" on web2, web3, web4, web5, web6 and 23 more (help: define it in `vars:`, or with -e x=VALUE)
    "#);
}

#[test]
fn what_a_step_defines_is_known_to_later_steps_and_tasks_on_the_same_host() {
    let first =
        task(1, "first").steps(vec![registered("out", script(2, "true")), set(3, &[("n", "{{ out.rc }}")])]);
    let then = task(5, "t").steps(vec![echo(6, "{{ out.rc }} {{ n }}")]).before(&["first"]);
    assert!(plan(&file(vec![first.clone(), then.clone()]), &[call("t")]).is_ok());

    let mut then = then;
    then.hosts = vec![crate::model::position::Located::new("db1".to_owned(), then.position.clone())];
    insta::assert_snapshot!(refused(&file(vec![first, then])), @r#"
    tasks.yaml:6:9: error: undefined variable "n" on db1 (help: earlier steps define it, on other hosts)
    tasks.yaml:6:9: error: undefined variable "out" on db1 (help: earlier steps define it, on other hosts)
    "#);
}

#[test]
fn the_hosts_of_roles_are_known_to_variables_tasks_and_conditions() {
    let mut inventory = inventory();
    inventory.roles.push(Role::new(RoleName::from("no one")));
    inventory.members.push(Vec::new());
    let steps = vec![echo(5, "{{ groups.web | length }}")];
    let tasks = file(vec![task(3, "t").vars(json!({"first": "{{ groups['db'][0] }}"})).steps(steps)]);
    let request = Request { condition: Some(Arc::from("host != groups.web | last")), ..request() };
    let plan = plan_with(request, &mut inventory, &tasks, &[call("t")]).unwrap();
    assert_eq!(says(&plan, 0, "web1", "{{ first }}"), "db1");
    let scope = Scope::new().with(plan.groups.clone());
    for (template, expected) in [
        ("{{ groups.web | join(',') }}", "web1,web2,web3"),
        ("{{ groups['db'] | first }}{{ groups.db | last }}{{ groups.db[-1] }}", "db1db1db1"),
        ("{{ groups.all | length }} {{ groups['no one'] | length }}", "5 0"),
        (
            "{{ 'db1' in groups.db }} {{ 'web9' in groups.web }} {{ groups | list | join(' ') }}",
            "true false web db no one all",
        ),
        ("{{ groups.nosuch | default([]) | length }}{{ groups.nosuch is defined }}", "0false"),
        ("{{ groups.web | union(groups.db) | join(' ') }}", "web1 web2 web3 db1"),
        ("{{ groups.web[1:] | to_json }}", "[\"web2\",\"web3\"]"),
        ("{% for name in groups.web %}{{ loop.index }}{{ name }}{% endfor %}", "1web12web23web3"),
    ] {
        assert_eq!(plan.templates.render_text(template, &scope).as_deref(), Ok(expected), "{template}");
    }
    let script = plan.templates.render_script("ping {{ groups.web }}", &scope);
    assert_eq!(script.as_deref(), Ok("ping web1 web2 web3"));
    let error = plan.templates.render_text("{{ groups.wbe }}", &scope).unwrap_err();
    assert_eq!(error.help.as_deref(), Some("did you mean \"groups.web\"?"));
    // One list of names for all hosts and all looks.
    let many = (0..10_000).map(|_| plan.templates.render_text("{{ groups.all | length }}", &scope));
    assert!(many.into_iter().all(|text| text.as_deref() == Ok("5")));
}

#[test]
fn a_local_step_that_is_the_same_for_all_hosts_is_worth_a_warning() {
    let local = |line: u32, body: &str| step(line, Action::Local(Command::Script(text(line, body))));
    let when = |line: u32, condition: &str, of: Step| Step { when: Some(text(line, condition)), ..of };
    let block = Step {
        when: Some(text(30, "host_index == 0")),
        ..step(
            30,
            Action::Block(Block { steps: vec![local(31, "make")], rescue: Vec::new(), always: Vec::new() }),
        )
    };
    let steps = vec![
        local(10, "make dist"),
        local(11, "make {{ arch }}"),
        local(12, "make {{ zone }}"),
        local(13, "notify {{ host }}"),
        local(14, "notify $FAN_HOST"),
        Step { run_once: true, ..local(15, "make") },
        when(16, "host == hosts[0]", local(16, "make")),
        when(17, "arch == 'x'", local(17, "make")),
        registered("out", script(18, "true")),
        local(19, "echo {{ out.stdout }}"),
        registered("rev", Step { run_once: true, ..local(20, "git describe") }),
        local(21, "make {{ rev.stdout }}"),
        Step { each: Some(Each::Expression(text(22, "[1, 2]"))), ..local(22, "make {{ item }}") },
        Step { each: Some(Each::Expression(text(23, "[host]"))), ..local(23, "make {{ item }}") },
        block,
    ];
    let mut inventory = inventory();
    inventory.hosts[1].vars = vars(json!({"zone": "a"})).into();
    for host in 2..4 {
        inventory.hosts[host].vars = vars(json!({"zone": "b"})).into();
    }
    let tasks = file(vec![
        task(3, "t").vars(json!({"arch": "x"})).steps(steps.clone()),
        Task { run_once: true, ..task(5, "once").vars(json!({"arch": "x"})).steps(vec![local(40, "make")]) },
    ]);
    let warned = |selected: Option<&[usize]>, inventory: &mut Inventory| {
        let calls = [call("t"), call("once")];
        let plan = planner::tasks(request(), inventory, selected, &tasks, &calls).unwrap();
        let lines = plan.warnings.iter().map(|it| it.position.as_ref().unwrap().line);
        lines.collect::<Vec<u32>>()
    };
    assert_eq!(warned(None, &mut inventory.clone()), [10, 11, 17, 21, 22]);
    assert_eq!(warned(Some(&[1]), &mut inventory), [0; 0], "there is only one host");
}
