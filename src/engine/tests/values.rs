//! Whose values are whose, and what counts as a change: steps that one host does for all, `rescue` of a task, tries
//! that came after others.

use std::time::Duration;

use crate::engine::plan::{Handler, Item, Plan, PlannedBlock};
use crate::engine::tests::fake::{Command, Fake, Start};
use crate::engine::tests::{Ran, echo, plan, raw, run, step, text};
use crate::event::{Change, Section};
use crate::model::outcome::{Kind, Status, StepStatus};
use crate::model::position::{Located, Position};
use crate::model::settings::TimeLimit;
use crate::model::task::{self, Action, Each, Guards, Repeat, Step, Template};
use crate::model::value::Value;

fn registered(name: &str, step: Step) -> Step {
    Step { register: Some(Located::new(name.to_owned(), Position::new("tasks.yaml", 8, 3))), ..step }
}

/// A script, no two starts of which are the same line.
fn script(body: &str) -> Step {
    step(Action::Run(task::Command::Script(text(body))))
}

fn fails() -> Step {
    step(Action::Fail(text("as planned")))
}

/// The lines of a host's `echo` steps.
fn notes(ran: &Ran, host: &str) -> Vec<String> {
    ran.steps(host).into_iter().filter_map(|step| step.note.clone()).collect()
}

/// What a host says to a command.
fn said(text: &str) -> Command {
    Command::runs().says(0, format!("{text}\n")).exit(0, 0).closed()
}

/// The task's last step is its `rescue`.
fn with_rescue(mut plan: Plan) -> Plan {
    let task = &mut plan.tasks[0];
    let last = task.steps.len() - 1;
    task.steps[last].section = Section::Rescue;
    task.body.main.pop();
    task.body.rescue = vec![Item::Step(last)];
    plan
}

#[tokio::test(start_paused = true)]
async fn a_task_that_one_host_does_for_all_shares_what_its_steps_define_and_nothing_else() {
    let set = Template::Text(text("{{ h.stdout }}!"));
    let set = step(Action::Set([("x".to_owned(), set)].into_iter().collect()));
    let first = vec![registered("h", raw("name"))];
    let once = vec![set, registered("h", raw("not now"))];
    let mut plan = plan(3, vec![first, once, vec![echo("{{ h.stdout }} {{ x }}")]]);
    let task = &mut plan.tasks[1];
    task.run_once = true;
    task.hosts.truncate(1);
    task.batches = std::iter::once(0..1).collect();
    // A step that was not done defines nothing: what an earlier one left under its name is not its own.
    let block = PlannedBlock {
        when: Some(text("false")),
        call: None,
        locals: Default::default(),
        body: crate::engine::plan::Body { main: vec![Item::Step(1)], ..Default::default() },
    };
    task.body.main = vec![Item::Step(0), Item::Block(block)];
    // Its host has nothing to do later.
    plan.tasks[2].hosts.remove(0);
    plan.tasks[2].batches = std::iter::once(0..2).collect();
    let fake = Fake::new().runs("h0", [said("a")]).runs("h1", [said("b")]).runs("h2", [said("c")]);
    let ran = run(plan, fake).await;
    assert_eq!(ran.statuses(), [Status::Ok; 3], "{:?}", ran.host("h1").failure);
    assert_eq!((notes(&ran, "h1"), notes(&ran, "h2")), (vec!["b a!".to_owned()], vec!["c a!".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn a_step_that_was_begun_for_all_and_whose_worker_panicked_is_done_by_nobody_else() {
    let once = Step { run_once: true, ..raw("a") };
    let mut fake = Fake::new();
    for host in ["h0", "h1", "h2"] {
        fake = fake.runs(host, [Command::not_started(Start::Panics)]);
    }
    let ran = run(plan(3, vec![vec![once, raw("b")]]), fake).await;
    assert_eq!(ran.tally.starts.values().flatten().count(), 1, "{:?}", ran.tally.starts);
    let unknown = ran.statuses().into_iter().filter(|status| *status == Status::Unknown).count();
    assert_eq!(unknown, 1);
    let told = ["h0", "h1", "h2"].into_iter().filter(|host| ran.kind(host) == Some(Kind::Dependency));
    assert_eq!(told.count(), 2, "{:?}", ran.statuses());
}

#[tokio::test(start_paused = true)]
async fn a_step_that_was_not_started_goes_to_the_next_host() {
    let once = Step { run_once: true, ..raw("a") };
    let fake = Fake::new().runs("h0", [Command::not_started(Start::Refused(Kind::ExecRefused))]);
    let ran = run(plan(2, vec![vec![once]]), fake).await;
    assert_eq!(ran.statuses(), [Status::Unreachable, Status::Ok]);
    assert_eq!(ran.tally.starts["h1"], ["a"]);
}

/// Steps before one that fails, what the host does with their commands, and whether something may have been changed.
fn before_a_failure() -> Vec<(&'static str, Step, Vec<Command>, bool)> {
    let warned = |step: Step| Step { warn_only: true, ..step };
    let timed = |step: Step| Step { timeout: Some(TimeLimit::After(Duration::from_secs(1))), ..step };
    let same = |step: Step| Step { changed_when: Some(text("result.rc == 99")), ..step };
    let never = |step: Step| Step { changed_when: Some(text("false")), ..step };
    let each = |step: Step| {
        let items = [1, 2].map(|item| Template::Literal(Value::from(item))).to_vec();
        Step { each: Some(Each::Items(items)), ..step }
    };
    let again = |step: Step| {
        let repeat = Repeat { retries: 1, delay: Duration::from_secs(1), until: None };
        Step { repeat: Some(repeat), ..step }
    };
    let guarded = |step: Step| {
        let guards = Guards { unless: Some(text("look")), ..Guards::default() };
        Step { guards, ..step }
    };
    let silent = || Command::runs();
    vec![
        ("nothing but a failure", warned(fails()), vec![], false),
        ("a template that has no value", warned(echo("{{ nope }}")), vec![], false),
        ("it failed", warned(raw("a")), vec![Command::exits(0, 1)], true),
        ("it timed out", warned(timed(raw("a"))), vec![silent()], true),
        (
            "its second item timed out",
            warned(timed(each(same(script("a"))))),
            vec![Command::exits(0, 0), silent()],
            true,
        ),
        ("the first of its tries failed", again(raw("a")), vec![Command::exits(0, 1)], true),
        ("it never changes anything", warned(never(raw("a"))), vec![Command::exits(0, 1)], false),
        ("it never does, and timed out", warned(never(timed(raw("a")))), vec![silent()], false),
        ("there was no need", guarded(raw("a")), vec![Command::exits(0, 0)], false),
        ("the look took too long", warned(timed(guarded(raw("a")))), vec![silent()], false),
        (
            "what it means is not known",
            warned(Step { changed_when: Some(text("nope")), ..script("a") }),
            vec![Command::exits(0, 0)],
            true,
        ),
        (
            "whether it is enough is not known",
            warned(Step {
                repeat: Some(Repeat { retries: 1, delay: Duration::ZERO, until: Some(text("nope")) }),
                ..raw("a")
            }),
            vec![Command::exits(0, 1)],
            true,
        ),
        ("its status is the wrong one", warned(Step { ok_codes: Some(vec![3]), ..raw("a") }), vec![], true),
    ]
}

#[tokio::test(start_paused = true)]
async fn whatever_was_begun_and_did_not_end_unchanged_has_its_way_back() {
    for (what, first, commands, changed) in before_a_failure() {
        let plan = with_rescue(plan(1, vec![vec![first, fails(), raw("back")]]));
        let ran = run(plan, Fake::new().runs("h0", commands)).await;
        assert_eq!(ran.statuses(), [Status::Failed], "{what}");
        let starts = ran.tally.starts.get("h0").cloned().unwrap_or_default();
        assert_eq!(starts.iter().any(|start| start == "back"), changed, "{what}: {starts:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_step_that_fails_counts_itself() {
    let timed = Step { timeout: Some(TimeLimit::After(Duration::from_secs(1))), ..raw("a") };
    let ran =
        run(with_rescue(plan(1, vec![vec![timed, raw("back")]])), Fake::new().runs("h0", [Command::runs()]));
    let ran = ran.await;
    assert_eq!(ran.tally.starts["h0"], ["a", "back"]);
    assert_eq!(ran.steps("h0")[0].change, Change::Possible);
}

#[tokio::test(start_paused = true)]
async fn what_an_earlier_try_or_item_changed_is_changed_and_told_to_handlers() {
    let made = |step: Step| Step { changed_when: Some(text("'made' in result.stdout")), ..step };
    let until = |step: Step| {
        let until = Some(text("result.rc == 0 and 'made' not in result.stdout"));
        Step { repeat: Some(Repeat { retries: 3, delay: Duration::ZERO, until }), ..step }
    };
    let items = [1, 2].map(|item| Template::Literal(Value::from(item))).to_vec();
    let each = Step { each: Some(Each::Items(items)), warn_only: true, ..made(script("a")) };
    let failed = Command::runs().says(0, "half\n").exit(0, 1).closed();
    for (what, first, commands, status) in [
        (
            "made, then nothing to do",
            until(made(raw("a"))),
            vec![said("made"), said("")],
            StepStatus::Changed,
        ),
        (
            "failed, then nothing to do",
            until(made(raw("a"))),
            vec![failed.clone(), said("")],
            StepStatus::Changed,
        ),
        ("nothing to do", until(made(raw("a"))), vec![said("")], StepStatus::Ok),
        ("one made, one failed", each, vec![said("made"), failed], StepStatus::Warned),
    ] {
        let first = Step { notify: vec![Located::new("h".to_owned(), Position::new("t", 1, 1))], ..first };
        let mut plan =
            plan(1, vec![vec![registered("out", first), echo("{{ out.changed }}"), raw("handler")]]);
        let task = &mut plan.tasks[0];
        task.steps[2].section = Section::Handlers;
        task.body.main.pop();
        task.handlers = vec![Handler { name: "h".to_owned(), items: vec![Item::Step(2)] }];
        let ran = run(plan, Fake::new().runs("h0", commands)).await;
        assert_eq!(ran.steps("h0")[0].status, status, "{what}");
        let changed = status != StepStatus::Ok;
        assert_eq!(notes(&ran, "h0"), [changed.to_string()], "{what}");
        assert_eq!(ran.tally.starts["h0"].iter().any(|start| start == "handler"), changed, "{what}");
        assert!(ran.record("h0").changed >= usize::from(changed), "{what}");
    }
}
