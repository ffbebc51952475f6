//! What people read of a plan: values where they are known and the same on all hosts, and no secrets.

use serde_json::json;

use crate::engine::plan::{Plan, Readable};
use crate::engine::planner::tests::{call, echo, file, inventory, registered, request, script, task, vars};
use crate::engine::planner::{self, Request};
use crate::event::StepSummary;
use crate::model::call::TaskCall;
use crate::model::given::Given;
use crate::model::inventory::Inventory;
use crate::model::position::Located;
use crate::model::secret::{Secret, Secrets};
use crate::model::task::{Action, Include, Shown, Step, Task, Template};

fn planned(request: Request, mut inventory: Inventory, tasks: Vec<Task>, called: TaskCall) -> Plan {
    planner::tasks(request, &mut inventory, None, &file(tasks), &[called]).unwrap()
}

fn steps(plan: &Plan) -> Vec<StepSummary> {
    plan.summaries().swap_remove(0).steps
}

fn titles(plan: &Plan) -> Vec<String> {
    steps(plan).into_iter().map(|step| step.title).collect()
}

#[test]
fn values_stand_in_titles_where_all_hosts_have_the_same() {
    let named = |name: &str, step: Step| Step {
        name: Some(Located::new(name.into(), step.position.clone())),
        ..step
    };
    let mut inventory = inventory();
    inventory.vars = vars(json!({"app": "shop", "version": "old"})).into();
    inventory.hosts[1].vars = vars(json!({"color": "blue"})).into();
    for web in [2, 3] {
        inventory.hosts[web].vars = vars(json!({"color": "green"})).into();
    }
    let tasks = vec![
        task(1, "t").params(json!({"version": null})).vars(json!({"dir": "/srv/{{ app }}", "n": 1})).steps(vec![
            named("Ship {{ app }} {{ version }} to {{ dir }}", script(2, "x")),
            script(3, "tar -xzf {{ version | upper }}.tgz -C {{ color }} # {{ host }} {{ hosts | length }}"),
            // What a step defines is not known before.
            registered("out", script(4, "true {{ n }}")),
            echo(5, "{{ out.stdout }} {{ hosts | first }} {{ undefined | default('x') }} {{ env('HOME') }} {{ n + 1 }}"),
            echo(6, "{% if n %}{{ n }}{% endif %} {# {{ n }} #}"),
            Step { each: Some(crate::model::task::Each::Items(Vec::new())), ..echo(7, "{{ item }} of {{ app }}") },
        ]),
    ];
    let called = TaskCall { positional: vec![Given::from(json!("9"))], ..call("t") };
    let plan = planned(request(), inventory, tasks, called);
    assert_eq!(
        titles(&plan),
        [
            "Ship shop 9 to /srv/shop",
            "tar -xzf 9.tgz -C {{ color }} # {{ host }} 3",
            "true 1",
            "{{ out.stdout }} web1 {{ undefined | default('x') }} {{ env('HOME') }} 2",
            "{% if n %}{{ n }}{% endif %} {# {{ n }} #}",
            "{{ item }} of shop",
        ]
    );
    // What makes it the same step in another run is what is written.
    assert_eq!(steps(&plan)[0].written(), "Ship {{ app }} {{ version }} to {{ dir }}");
    assert_eq!(steps(&plan)[4].written, None);
    let readable = Readable::of(&plan, &plan.tasks[0]);
    assert_eq!(readable.text(0, "cd {{ dir }}/{{ host }}"), "cd /srv/shop/{{ host }}");
}

#[test]
fn a_host_alone_has_its_own_values() {
    let mut inventory = inventory();
    inventory.hosts[4].vars = vars(json!({"color": "red"})).into();
    let task = Task { roles: Vec::new(), ..task(1, "t") };
    let tasks = vec![task.steps(vec![echo(2, "{{ color }} {{ host }}")])];
    let mut found = inventory;
    let plan = planner::tasks(request(), &mut found, Some(&[4]), &file(tasks), &[call("t")]).unwrap();
    assert_eq!(titles(&plan), ["red db1"]);
}

#[test]
fn the_command_line_wins_and_what_set_changes_is_not_known() {
    let set = |line| Step {
        action: Action::Set([("version".to_owned(), Template::Literal(json!(2)))].into_iter().collect()),
        ..echo(line, "")
    };
    let with = |extra| {
        let tasks =
            vec![task(1, "t").vars(json!({"version": 1})).steps(vec![set(2), echo(3, "{{ version }}")])];
        titles(&planned(Request { extra_vars: vars(extra), ..request() }, inventory(), tasks, call("t")))
    };
    assert_eq!(with(json!({}))[1], "{{ version }}");
    assert_eq!(with(json!({"version": 3}))[1], "3");
}

#[test]
fn a_called_task_shows_what_it_is_called_with() {
    let include = |line, args: serde_json::Value| {
        let args = vars(args).into_iter().map(|(name, value)| match value {
            serde_json::Value::String(text) => {
                (name, Template::Text(crate::engine::planner::tests::text(line, &text)))
            }
            value => (name, Template::Literal(value)),
        });
        let task =
            Located::new("restart".to_owned(), crate::model::position::Position::new("tasks.yaml", line, 9));
        Step { action: Action::Task(Include { task, args: args.collect() }), ..echo(line, "") }
    };
    let tasks = vec![
        task(1, "t").vars(json!({"app": "shop"})).steps(vec![
            include(2, json!({"service": "{{ app }}d"})),
            include(3, json!({"service": "{{ host }}", "wait": 9})),
        ]),
        task(8, "restart")
            .params(json!({"service": null, "wait": 5}))
            .steps(vec![script(9, "systemctl restart {{ service }} && sleep {{ wait }}")]),
    ];
    assert_eq!(
        titles(&planned(request(), inventory(), tasks, call("t"))),
        ["systemctl restart shopd && sleep 5", "systemctl restart {{ service }} && sleep 9",]
    );
}

#[test]
fn secrets_are_masked_and_what_may_be_one_is_not_spelled_out() {
    let mut inventory = inventory();
    inventory.vars = vars(json!({
        "url": "https://me:{{ pin }}@host", "built": "x{{ pin }}y", "api_token": "abc",
        "hook": "https://hooks.example.com/T0a1B2c3D4e5F6g7H8", "app": "shop",
    }))
    .into();
    let all = "{{ pin }} {{ url }} {{ built }} {{ api_token }} {{ hook }} {{ app }}";
    let tasks = vec![
        task(1, "t").steps(vec![echo(2, all), Step { shown: Shown::StatusOnly, ..echo(3, "{{ app }}") }]),
    ];
    let secrets = Secrets::new(["pin"], [("pin".to_owned(), Secret::new("hunter2"))]);
    let plan = planned(Request { secrets, ..request() }, inventory, tasks, call("t"));
    assert_eq!(
        titles(&plan),
        ["******** {{ url }} {{ built }} {{ api_token }} {{ hook }} shop", "{{ app }}",]
    );
}
