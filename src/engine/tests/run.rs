//! Tasks, hosts and steps in their order: the pool, the barrier, sessions, and what one bad host means for the
//! others.

use crate::engine::plan::Plan;
use crate::engine::tests::fake::{Command, Connect, Fake, Start};
use crate::engine::tests::{Ran, echo, ms, plan, raw, run};
use crate::event::{Fact, RunFact, Straggler, TaskFact};
use crate::model::outcome::{Exit, Kind, Status, StepStatus};
use crate::model::task::{Action, Step};

fn slow(count: usize) -> impl Iterator<Item = Command> {
    std::iter::repeat_n(Command::exits(100, 0), count)
}

#[tokio::test(start_paused = true)]
async fn tasks_run_in_order_within_the_pool_over_one_session_per_host() {
    let mut fake = Fake::new();
    for host in ["h0", "h1", "h2", "h3", "h4"] {
        fake = fake.runs(host, slow(3));
    }
    let plan = Plan { pool: 2, ..plan(5, vec![vec![raw("a"), raw("b")], vec![raw("c")]]) };
    let ran = run(plan, fake).await;
    assert_eq!(ran.statuses(), [Status::Ok; 5]);
    assert!(ran.recap.hosts.iter().all(|record| record.started() && record.steps_done == 3));
    assert_eq!(ran.tally.starts["h4"], ["a", "b", "c"]);
    assert_eq!(ran.tally.busiest, 2);
    assert!(ran.tally.connects.values().all(|&connects| connects == 1), "{:?}", ran.tally.connects);
    assert_eq!(ran.tally.sessions_closed.len(), 5);
    assert!(ran.tally.sessions_closed.values().all(|closed| closed.len() == 1));
    // Two at a time: three rounds of 200 ms, then three of 100 ms.
    assert!(ran.took >= ms(900) && ran.took < ms(920), "{:?}", ran.took);
}

#[tokio::test(start_paused = true)]
async fn a_session_is_closed_after_its_hosts_last_task() {
    let mut plan = plan(2, vec![vec![raw("a")], vec![raw("b")]]);
    plan.tasks[1].hosts.remove(0);
    plan.tasks[1].batches = std::iter::once(0..1).collect();
    let fake = Fake::new().runs("h1", [Command::exits(0, 0), Command::exits(5_000, 0)]);
    let ran = run(plan, fake).await;
    assert_eq!(ran.statuses(), [Status::Ok; 2]);
    assert!(ran.tally.sessions_closed["h0"][0] < ms(100), "{:?}", ran.tally.sessions_closed);
    assert!(ran.tally.sessions_closed["h1"][0] >= ms(5_000));
    assert_eq!(ran.record("h0").steps_total, 1);
}

#[tokio::test(start_paused = true)]
async fn a_failed_step_ends_its_host_and_only_that() {
    let fake = Fake::new().runs("h0", [Command::exits(0, 3)]);
    let ran = run(plan(3, vec![vec![raw("a"), raw("b")]]), fake).await;
    assert_eq!(ran.statuses(), [Status::Failed, Status::Ok, Status::Ok]);
    assert_eq!(ran.tally.starts["h0"], ["a"]);
    assert_eq!(ran.steps("h0").len(), 1);
    assert_eq!(ran.steps("h0")[0].exit, Some(Exit::Status(3)));
    assert_eq!(ran.host("h0").step, Some((0, 0)));
    assert_eq!(ran.failure("h0").message(), "exit status 3");
    assert_eq!(ran.tally.starts["h1"], ["a", "b"]);
    assert_eq!(ran.tally.sessions_closed["h0"].len(), 1);
}

#[tokio::test(start_paused = true)]
async fn after_a_failed_task_the_others_are_not_continued() {
    let mut plan = plan(3, vec![vec![raw("a")], vec![raw("b")], vec![raw("c")]]);
    plan.tasks[0].hosts.truncate(2);
    plan.tasks[0].batches = std::iter::once(0..2).collect();
    let fake =
        Fake::new().connects("h0", [Connect::Fails(Kind::ConnectRefused, crate::ssh::error::Retry::Never)]);
    let ran = run(plan, fake).await;
    assert_eq!(ran.statuses(), [Status::Unreachable, Status::Skipped, Status::Skipped]);
    assert_eq!(ran.kind("h1"), Some(Kind::Dependency));
    insta::assert_snapshot!(ran.failure("h1").message(), @"not continued: 1 of 3 hosts failed");
    // Half-way through is not the same as never touched.
    assert!(ran.host("h1").started && !ran.host("h2").started);
    assert_eq!(ran.tally.starts["h1"], ["a"]);
    assert_eq!(ran.tally.sessions_closed["h1"].len(), 1);
    assert!(
        !ran.events.iter().any(|event| matches!(event.fact, Fact::Task(1 | 2, TaskFact::Started { .. })))
    );
}

#[tokio::test(start_paused = true)]
async fn hosts_are_connected_only_for_steps_on_them() {
    let never = Step { when: Some(crate::engine::tests::text("false")), ..raw("a") };
    let ran = run(plan(2, vec![vec![echo("hello"), never], vec![]]), Fake::new()).await;
    assert_eq!(ran.statuses(), [Status::Ok; 2]);
    assert!(ran.tally.connects.is_empty());
    assert!(!ran.host("h0").started, "nothing was started there");
    assert_eq!(ran.steps("h0")[1].status, StepStatus::Skipped);
}

/// In real time, as its commands are real.
#[tokio::test]
async fn local_steps_do_not_connect() {
    let local = |line: &str| {
        let script = crate::model::task::Command::Script(crate::engine::tests::text(line));
        crate::engine::tests::step(Action::Local(script))
    };
    let ran = run(plan(2, vec![vec![local("echo {{ host }} $FAN_HOST")]]), Fake::new()).await;
    assert_eq!(ran.statuses(), [Status::Ok; 2]);
    assert_eq!(ran.output("h1"), "h1 h1\n");
    assert!(ran.tally.connects.is_empty());
    assert!(!ran.host("h0").started, "nothing was started on the host");

    let ran = run(plan(1, vec![vec![local("exit 7"), raw("a")]]), Fake::new()).await;
    assert_eq!(ran.statuses(), [Status::Failed]);
    assert_eq!(ran.failure("h0").message(), "exit status 7");
    assert!(ran.tally.connects.is_empty());
}

fn noticed(ran: &Ran) -> Vec<(std::time::Duration, &[Straggler])> {
    let noticed = ran.events.iter().filter_map(|event| match &event.fact {
        Fact::Run(RunFact::StragglersNoticed { hosts }) => Some((event.at, hosts.as_slice())),
        _ => None,
    });
    noticed.collect()
}

#[tokio::test(start_paused = true)]
async fn a_quiet_run_names_whom_it_waits_for() {
    let fake = Fake::new()
        .connects("h1", [Connect::Works(ms(1_000))])
        .runs("h0", [Command::runs().says(5_000, "still here\n").exit(50_000, 0).closed()])
        .runs("h1", [Command::exits(30_000, 0)])
        .runs("h2", [Command::exits(0, 0), Command::not_started(Start::Answered(ms(60_000)))]);
    let ran = run(plan(3, vec![vec![raw("a"), echo("x")]]), fake).await;
    let noticed = noticed(&ran);
    // 20 s after the last word of anyone (5 s and 31 s).
    let times: Vec<u64> = noticed.iter().map(|(at, _)| at.as_secs()).collect();
    assert_eq!(times, [25, 51]);
    let names: Vec<&str> = noticed[0].1.iter().map(|straggler| straggler.host.as_str()).collect();
    assert_eq!(names, ["h0", "h1"]);
    let first = &noticed[0].1[0];
    assert_eq!((first.running.as_secs(), first.silent.as_secs()), (25, 20));
    assert_eq!(noticed[1].1.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_waits_for_the_agent_says_so_every_few_seconds() {
    let awaits = |after| [Connect::AwaitsAgent(ms(after))];
    let fake =
        Fake::new().connects("h0", awaits(3_500)).connects("h1", awaits(9_500)).connects("h2", awaits(500));
    let ran = run(plan(3, vec![vec![raw("a")]]), fake).await;
    let told: Vec<(u64, usize)> = ran
        .events
        .iter()
        .filter_map(|event| match event.fact {
            Fact::Run(RunFact::AgentAwaited { hosts }) => Some((event.at.as_secs(), hosts)),
            _ => None,
        })
        .collect();
    // Not at the first look that finds someone: an agent without a person is done by the next one.
    assert_eq!(told, [(2, 2), (7, 1)]);
}
