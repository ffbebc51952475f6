//! Keys of blocks and calls at the steps within them.

use indexmap::IndexMap;

use crate::engine::planner::tests::{call, echo, file, plan, registered, script, step, task, text};
use crate::model::position::{Located, Position};
use crate::model::settings::TimeLimit;
use crate::model::task::{
    Action, Become, Block, Command, FactsStep, Include, Reboot, RunAs, Step, Task, TaskFile,
};

fn reboot(line: u32) -> Step {
    let timeout = TimeLimit::None;
    step(line, Action::Reboot(Reboot { command: None, boot_id: None, timeout }))
}

fn block(line: u32, steps: Vec<Step>) -> Step {
    step(line, Action::Block(Block { steps, rescue: Vec::new(), always: Vec::new() }))
}

fn on(line: u32, step: Step) -> Step {
    Step { on: Some(text(line, "db1")), ..step }
}

fn with(steps: Vec<Step>) -> TaskFile {
    let inner = Task { private: true, ..task(30, "inner").steps(vec![echo(31, "hi"), reboot(32)]) };
    file(vec![task(1, "t").steps(steps), inner])
}

fn called(line: u32) -> Step {
    let name = Located::new("inner".to_owned(), Position::new("tasks.yaml", line, 9));
    step(line, Action::Task(Include { task: name, args: Default::default() }))
}

#[test]
fn what_is_about_the_host_itself_is_not_done_on_another_one() {
    let steps = vec![
        on(
            2,
            block(
                2,
                vec![
                    script(3, "true"),
                    reboot(4),
                    block(5, vec![step(6, Action::Facts(FactsStep::default()))]),
                ],
            ),
        ),
        on(8, called(8)),
        Step { run_once: true, ..block(10, vec![step(11, Action::Facts(FactsStep::default())), reboot(12)]) },
        on(8, called(8)),
    ];
    insta::assert_snapshot!(plan(&with(steps), &[call("t")]).unwrap_err(), @r#"
    tasks.yaml:4:7: error: "reboot" acts on the host itself, and "on" of the block at tasks.yaml:2 would redirect it to another (help: move it out of that "on")
    tasks.yaml:6:7: error: "facts" acts on the host itself, and "on" of the block at tasks.yaml:2 would redirect it to another (help: move it out of that "on")
    tasks.yaml:32:7: error: "reboot" acts on the host itself, and "on" of the call of the task at tasks.yaml:8 would redirect it to another (help: move it out of that "on")
    tasks.yaml:11:7: error: "facts" acts on the host itself, and "run_once" of the block at tasks.yaml:10 would redirect it to another (help: move it out of that "run_once")
    "#);
}

#[test]
fn what_means_nothing_to_a_step_passes_it_by() {
    let around = Step {
        cd: Some(text(2, "/srv")),
        shell: Some(Located::new("python3".to_owned(), Position::new("tasks.yaml", 2, 9))),
        timeout: Some(TimeLimit::None),
        run_once: true,
        ..block(2, vec![script(3, "true"), reboot(4), echo(5, "hi"), step(6, Action::Barrier)])
    };
    let here =
        on(8, block(8, vec![echo(9, "hi"), step(10, Action::Local(Command::Script(text(10, "true"))))]));
    let plan = plan(&with(vec![around, here]), &[call("t")]).unwrap();
    let steps: Vec<&Step> = plan.tasks[0].steps.iter().map(|planned| &planned.step).collect();
    let had = |step: &Step| (step.cd.is_some(), step.shell.is_some(), step.timeout.is_some(), step.run_once);
    assert_eq!(had(steps[0]), (true, true, true, true));
    assert_eq!(had(steps[1]), (false, false, false, true), "its own commands have a shell of their own");
    assert_eq!(had(steps[2]), (false, false, false, true));
    assert_eq!(had(steps[3]), (false, false, false, false));
    assert!(steps[4].on.is_none() && steps[5].on.is_none(), "they are done on no host");
}

#[test]
fn what_a_host_is_stays_with_it_when_it_does_a_task_for_all() {
    let once = Task {
        run_once: true,
        ..task(3, "once")
            .steps(vec![registered("r", script(4, "true")), step(5, Action::Facts(FactsStep::default()))])
    };
    let then =
        task(8, "t").steps(vec![echo(9, "{{ r.rc }}"), echo(10, "{{ facts.os.id }}")]).before(&["once"]);
    insta::assert_snapshot!(plan(&file(vec![once, then]), &[call("t")]).unwrap_err(), @r#"tasks.yaml:10:9: error: undefined variable "facts" on web2, web3 (help: earlier steps define it, on other hosts)"#);
}

#[test]
fn what_a_task_says_of_who_does_it_holds_for_its_steps() {
    let other =
        |user: &str| Some(RunAs::Other(Box::new(Become { user: Some(text(1, user)), ..Become::default() })));
    let own = Step { run_as: other("own"), ..script(4, "a") };
    let login = Step { run_as: Some(RunAs::Login), ..script(5, "b") };
    let called = Task { run_as: other("called"), ..task(20, "called").steps(vec![script(21, "d")]) };
    let plain = task(30, "plain").steps(vec![script(31, "e")]);
    let include = |line: u32, name: &str| {
        let name = Located::new(name.to_owned(), Position::new("tasks.yaml", line, 9));
        step(line, Action::Task(Include { task: name, args: IndexMap::new() }))
    };
    let local = step(8, Action::Local(Command::Script(text(8, "f"))));
    let steps =
        vec![script(3, "c"), own, login, include(6, "called"), include(7, "plain"), local, echo(9, "g")];
    let main = Task {
        run_as: other("app"),
        rescue: vec![script(10, "h")],
        always: vec![script(11, "i")],
        handlers: [("j".to_owned(), vec![script(12, "k")])].into_iter().collect(),
        ..task(1, "main").steps(steps)
    };
    let plan = plan(&file(vec![main, called, plain]), &[call("main")]).unwrap();
    let who = |step: &Step| match &step.run_as {
        None => "-".to_owned(),
        Some(RunAs::Login) => "login".to_owned(),
        Some(RunAs::Other(other)) => other.user.as_ref().unwrap().value.to_string(),
    };
    let whose: Vec<String> = plan.tasks[0].steps.iter().map(|planned| who(&planned.step)).collect();
    // `local` and `echo` are done by nobody on the host.
    assert_eq!(whose, ["app", "own", "login", "called", "app", "-", "-", "app", "app", "app"]);
}
