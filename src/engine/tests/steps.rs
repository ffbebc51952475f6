//! What steps do and what later ones see of it.

use indexmap::IndexMap;

use crate::engine::plan::Plan;
use crate::engine::tests::fake::{Command, Fake};
use crate::engine::tests::{Ran, echo, plan, raw, run, step, text};
use crate::model::outcome::{ExitCode, Kind, Status, StepStatus};
use crate::model::position::{Located, Position};
use crate::model::task::{self, Action, Step, Template};
use crate::model::template::Layer;
use crate::model::value::{Value, Vars};

fn registered(name: &str, step: Step) -> Step {
    Step { register: Some(Located::new(name.to_owned(), Position::new("tasks.yaml", 8, 3))), ..step }
}

fn when(condition: &str, step: Step) -> Step {
    Step { when: Some(text(condition)), ..step }
}

fn warn_only(step: Step) -> Step {
    Step { warn_only: true, ..step }
}

fn set(values: &[(&str, &str)]) -> Step {
    let values = values.iter().map(|(name, value)| ((*name).to_owned(), Template::Text(text(value))));
    step(Action::Set(values.collect::<IndexMap<_, _>>()))
}

fn assert(that: &[&str], message: Option<&str>) -> Step {
    step(Action::Assert { that: that.iter().map(|that| text(that)).collect(), message: message.map(text) })
}

/// The lines of a host's `echo` steps.
fn notes(ran: &Ran, host: &str) -> Vec<String> {
    ran.steps(host).into_iter().filter_map(|step| step.note.clone()).collect()
}

fn vars(vars: &[(&str, &str)]) -> Layer {
    Layer::new(&vars.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect::<Vars>())
}

#[tokio::test(start_paused = true)]
async fn a_registered_result_is_seen_by_later_steps_and_tasks() {
    let command = Command::runs()
        .says(0, "one\n")
        .then(0, crate::ssh::ExecEvent::Stderr("oops\n".into()))
        .says(0, "two {{ host }}\r\n\n")
        .exit(0, 4)
        .closed();
    let steps = vec![
        warn_only(registered("out", raw("a"))),
        echo("{{ out.rc }} {{ out.ok }} {{ out.failed }} {{ out.changed }} {{ out.skipped }}"),
        echo("{{ out.lines | join('|') }}"),
    ];
    let ran =
        run(plan(1, vec![steps, vec![echo("{{ out.stderr }}")]]), Fake::new().runs("h0", [command])).await;
    // A host's text is never a template, and the line ends at its end are dropped as `$(...)` does.
    assert_eq!(notes(&ran, "h0"), ["4 false true false false", "one|two {{ host }}", "oops"]);
    assert_eq!(ran.record("h0").warned, 1);
}

#[tokio::test(start_paused = true)]
async fn a_skipped_step_registers_that_it_was_skipped() {
    let steps = vec![
        registered("out", when("false", raw("a"))),
        echo("{{ out.skipped }} {{ out.ok }} {{ out.failed }} {{ out.rc is none }}"),
    ];
    let ran = run(plan(1, vec![steps]), Fake::new()).await;
    assert_eq!(notes(&ran, "h0"), ["true true false true"]);
}

#[tokio::test(start_paused = true)]
async fn set_values_see_the_ones_before_them_and_keep_their_type() {
    let steps = vec![
        set(&[("count", "{{ 1 + 1 }}"), ("next", "{{ count + 1 }}"), ("said", "no {{ next }}")]),
        when("next == 3", echo("{{ said }}")),
    ];
    let ran = run(plan(1, vec![steps]), Fake::new()).await;
    assert_eq!(notes(&ran, "h0"), ["no 3"]);
}

#[tokio::test(start_paused = true)]
async fn each_layer_of_variables_wins_over_the_one_below() {
    let names = ["user", "a", "b", "c", "d"];
    let line = names.map(|name| format!("{{{{ {name} }}}}")).join(" ");
    let mut plan = plan(1, vec![vec![set(&[("c", "set"), ("d", "set")]), echo(&line)]]);
    plan.hosts[0].vars = vars(&[("a", "host"), ("b", "host"), ("c", "host"), ("d", "host")]);
    plan.tasks[0].hosts[0].vars = vars(&[("b", "task"), ("c", "task"), ("d", "task")]);
    plan.extra_vars = vars(&[("d", "extra")]);
    let ran = run(plan, Fake::new()).await;
    assert_eq!(notes(&ran, "h0"), ["deploy host task set extra"]);
}

#[tokio::test(start_paused = true)]
async fn built_in_names_tell_of_host_task_and_run() {
    let line = "{{ host }} {{ address }}:{{ port }} {{ roles }} {{ task }} {{ run_id }} \
                {{ hosts | join(',') }} {{ host_index }}/{{ host_count }}";
    let line = line.replace("{{ roles }}", "{{ roles | join(',') }}");
    let ran = run(plan(2, vec![vec![echo(&line)]]), Fake::new()).await;
    assert_eq!(notes(&ran, "h1"), ["h1 10.0.0.1:22 web t0 01J h0,h1 1/2"]);
}

#[tokio::test(start_paused = true)]
async fn a_script_is_rendered_for_its_host_and_counts_as_a_change() {
    let script = task::Command::Script(text("touch {{ host }} {{ name }}"));
    let mut plan = plan(1, vec![vec![step(Action::Run(script))]]);
    plan.extra_vars = vars(&[("name", "a b")]);
    let ran = run(plan, Fake::new()).await;
    assert_eq!(ran.steps("h0")[0].status, StepStatus::Changed);
    let line = &ran.tally.starts["h0"][0];
    assert!(line.contains("touch h0") && line.contains("FAN_HOST"), "{line}");
}

#[tokio::test(start_paused = true)]
async fn what_fails_says_why() {
    let cases: Vec<(Step, Kind)> = vec![
        (step(Action::Fail(text("{{ host }} is not ready"))), Kind::Fail),
        (assert(&["1 == 1", " host == 'h9' "], None), Kind::Assert),
        (assert(&["false"], Some("{{ host }} is odd")), Kind::Assert),
        (echo("{{ nope }}"), Kind::Template),
        (when("nope > 1", raw("a")), Kind::Template),
        (when("'text'", raw("b")), Kind::Template),
        (step(Action::Run(task::Command::Script(text("echo {{ nope }}")))), Kind::Template),
        (step(Action::Run(task::Command::Argv(vec![text("echo"), text("{{ nope }}")]))), Kind::Template),
        (set(&[("a", "{{ nope }}")]), Kind::Template),
    ];
    let mut messages = String::new();
    for (step, kind) in cases {
        let ran = run(plan(1, vec![vec![step, raw("after")]]), Fake::new()).await;
        assert_eq!(ran.statuses(), [Status::Failed]);
        assert_eq!(ran.kind("h0"), Some(kind), "{:?}", ran.failure("h0"));
        assert!(ran.tally.starts.is_empty(), "the steps after it are not run");
        assert!(!ran.host("h0").started);
        assert_eq!(ran.recap.exit_code(), ExitCode::Failed);
        messages += &format!("{}\n", ran.failure("h0").message());
    }
    insta::assert_snapshot!(messages, @r#"
    h0 is not ready
    assertion failed: host == 'h9' (host is the string "h0", 'h9' is a string)
    h0 is odd
    undefined variable "nope" (tasks.yaml:7)
    undefined variable "nope" (tasks.yaml:7)
    expected true or false, found a string (tasks.yaml:7)
    undefined variable "nope" (tasks.yaml:7)
    undefined variable "nope" (tasks.yaml:7)
    undefined variable "nope" (tasks.yaml:7)
    "#);
}

#[tokio::test(start_paused = true)]
async fn an_assertion_shows_no_value_that_is_hidden_nor_what_was_made_of_one() {
    let hidden = |that: &str| {
        let quiet = Step { shown: task::Shown::NoOutput, ..registered("out", raw("a")) };
        vec![quiet, set(&[("made", "{{ out.stdout }}"), ("more", "x")]), assert(&[that], None)]
    };
    for (that, sides) in [
        ("out.stdout == 'x'", "out.stdout is a string, 'x' is a string"),
        ("made == 'x'", "made is a string, 'x' is a string"),
        ("hostvars.h0.out.stdout == 'x'", "hostvars.h0.out.stdout is a string, 'x' is a string"),
        ("host == 'x'", "host is the string \"h0\", 'x' is a string"),
    ] {
        let said = Command::runs().says(0, "quiet").exit(0, 0).closed();
        let mut plan = plan(1, vec![hidden(that)]);
        plan.host_vars = std::sync::Arc::new([("h0".to_owned(), Default::default())].into());
        let ran = run(plan, Fake::new().runs("h0", [said])).await;
        assert_eq!(ran.failure("h0").message(), format!("assertion failed: {that} ({sides})"));
    }
}

#[tokio::test(start_paused = true)]
async fn warn_only_lets_failures_pass() {
    let steps = || {
        vec![raw("a"), step(Action::Fail(text("no"))), assert(&["false"], None), echo("{{ x }}"), raw("b")]
    };
    let by_step = plan(1, vec![steps().into_iter().map(warn_only).collect(), vec![raw("c")]]);
    let by_flag = Plan { warn_only: true, ..plan(1, vec![steps(), vec![raw("c")]]) };
    for plan in [by_step, by_flag] {
        let ran = run(plan, Fake::new().runs("h0", [Command::exits(0, 1)])).await;
        assert_eq!(ran.statuses(), [Status::Ok]);
        assert_eq!(ran.record("h0").warned, 4);
        assert_eq!(ran.tally.starts["h0"], ["a", "b", "c"]);
        assert_eq!(ran.steps("h0")[0].failure.as_ref().unwrap().kind, Kind::Exit, "the reason is kept");
        assert_eq!(ran.recap.exit_code(), ExitCode::Ok);
    }
}
