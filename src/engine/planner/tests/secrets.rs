//! Which secrets a plan needs, and what templates see of them.

use std::collections::BTreeSet;

use serde_json::json;

use crate::engine::planner::tests::{call, echo, file, inventory, registered, request, script, task, vars};
use crate::engine::planner::{self, Request};
use crate::engine::preflight;
use crate::model::position::{Located, Position};
use crate::model::secret::{Secret, SecretSource, SecretSources, Secrets};
use crate::model::task::{Action, TaskFile};

fn sources(names: &[&str]) -> SecretSources {
    let position = Position::new("tasks.yaml", 1, 1);
    let source = |name: &&str| {
        let source = SecretSource::Env((*name).to_owned());
        ((*name).to_owned(), Located::new(source, position.clone()))
    };
    names.iter().map(source).collect()
}

/// The secrets that a run of task `t` needs; all of them without values.
fn used(request: Request, mut tasks: TaskFile, host_vars: serde_json::Value) -> BTreeSet<String> {
    let mut inventory = inventory();
    inventory.secrets = sources(&["far", "both"]);
    inventory.vars.extend(vars(host_vars).into());
    tasks.secrets = sources(&["near", "both", "idle"]);
    let names = ["far", "both", "near", "idle"];
    let request = Request { secrets: Secrets::new(names, []), ..request };
    let plan = planner::tasks(request, &mut inventory, None, &tasks, &[call("t")]).unwrap();
    preflight::secrets_used(&plan, &inventory, &tasks)
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn secrets_are_needed_that_steps_and_their_variables_name() {
    let with =
        |steps| file(vec![task(1, "t").steps(steps), task(9, "other").steps(vec![echo(9, "{{ idle }}")])]);
    let none = || json!({});
    assert_eq!(used(request(), with(vec![echo(2, "hello")]), none()), set(&[]));
    assert_eq!(used(request(), with(vec![script(2, "x {{ near }}")]), none()), set(&["near"]));
    assert_eq!(used(request(), with(vec![echo(2, "{{ far | default('') }}")]), none()), set(&["far"]));
    let chain = json!({"a": "{{ b }}", "b": ["x", {"y": "{{ both }}"}], "c": "{{ idle }}"});
    assert_eq!(used(request(), with(vec![echo(2, "{{ a }}")]), chain), set(&["both"]));
    let mut params = with(vec![echo(2, "{{ p }}")]);
    let task = params.tasks.get_mut("t").unwrap();
    task.params.insert("p".to_owned(), Some(json!("{{ near }}")));
    assert_eq!(used(request(), params, none()), set(&["near"]));
    let given = Request { extra_vars: vars(json!({"near": "x"})), ..request() };
    assert_eq!(used(given, with(vec![echo(2, "{{ near }}")]), none()), set(&[]));
}

#[test]
fn all_are_needed_when_a_file_with_templates_cannot_be_read_before_the_run() {
    use crate::model::files::{Attributes, Install, TemplateFile};
    let text = |text| crate::engine::planner::tests::text(3, text);
    let template = Action::Template(TemplateFile {
        from: text("{{ found.stdout }}"),
        tag_lines: Default::default(),
        to: text("/etc/x"),
        attributes: Attributes::default(),
        install: Install::default(),
    });
    let steps = vec![registered("found", script(2, "ls")), crate::engine::planner::tests::step(3, template)];
    let tasks = file(vec![task(1, "t").steps(steps)]);
    assert_eq!(used(request(), tasks, json!({})), set(&["far", "both", "near", "idle"]));
}

#[test]
fn any_variable_wins_over_a_secret_and_variables_are_built_on_secrets() {
    let known =
        [("a", "A-secret"), ("b", "B-secret")].map(|(name, value)| (name.to_owned(), Secret::new(value)));
    let request = Request { secrets: Secrets::new(["a", "b", "c"], known), ..request() };
    let mut tasks = file(vec![task(1, "t").steps(vec![echo(2, "{{ a }} {{ b }} {{ url }} {{ later }}")])]);
    tasks.vars = vars(json!({"a": "plain", "url": "db://{{ b }}@h", "later": "{{ c }}"}));
    let plan = planner::tasks(request, &mut inventory(), None, &tasks, &[call("t")]).unwrap();
    let scope =
        crate::engine::plan::scope::of(&plan, &plan.tasks[0], 0, Default::default(), Default::default(), []);
    let said = plan.templates.render_text("{{ a }} {{ b }} {{ url }} {{ later }}", &scope).unwrap();
    assert_eq!(said, "plain B-secret db://B-secret@h ********");
    assert!(
        plan.templates.render_text("{{ c }}", &scope).is_err(),
        "it was not read, and must not be a mask"
    );
}
