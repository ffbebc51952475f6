//! `throttle`: so many hosts in a step at a time, whatever else holds them back.

use std::collections::HashSet;
use std::time::Duration;

use crate::engine::plan::Plan;
use crate::engine::tests::fake::{Command, Connect, Fake, Start};
use crate::engine::tests::{Around, Ran, echo, ms, plan, raw, run, run_and_cancel, run_and_stop, run_within};
use crate::event::{Fact, RunFact, StepAt, StepFact};
use crate::model::outcome::{Kind, Status, StepStatus};
use crate::model::position::Position;
use crate::model::task::{Repeat, Step, Strategy};
use crate::ssh::error::Retry;

fn throttled(most: u32, step: Step) -> Step {
    Step { throttle: Some(most), position: Position::new("tasks.yaml", 70 + most, 3), ..step }
}

fn hosts(fake: Fake, count: usize, commands: &[Command]) -> Fake {
    (0..count).fold(fake, |fake, host| fake.runs(&format!("h{host}"), commands.iter().cloned()))
}

/// The most hosts that were in a step of this number at a time.
fn most_at_once(ran: &Ran, number: usize) -> usize {
    let (mut inside, mut most) = (HashSet::new(), 0);
    for event in &ran.events {
        if let Fact::Step(StepAt { host, step, .. }, fact) = &event.fact
            && *step == number
        {
            match fact {
                StepFact::Started => drop(inside.insert(host.clone())),
                StepFact::Finished { .. } => drop(inside.remove(host)),
                _ => {}
            }
            most = most.max(inside.len());
        }
    }
    most
}

/// The hosts that were said to wait.
fn waited(ran: &Ran) -> usize {
    let waits = |fact: &Fact| matches!(fact, Fact::Step(_, StepFact::Waiting { at_most: 2 }));
    ran.events.iter().filter(|event| waits(&event.fact)).count()
}

#[tokio::test(start_paused = true)]
async fn so_many_hosts_are_in_the_step_and_all_others_go_on() {
    let steps = || vec![raw("a"), throttled(2, raw("b")), raw("c")];
    let fake =
        || hosts(Fake::new(), 6, &[Command::exits(10, 0), Command::exits(100, 0), Command::exits(10, 0)]);
    let ran = run(plan(6, vec![steps()]), fake()).await;
    assert_eq!(ran.statuses(), [Status::Ok; 6]);
    assert_eq!((most_at_once(&ran, 0), most_at_once(&ran, 1), waited(&ran)), (6, 2, 4));
    assert!(ran.took >= ms(320) && ran.took < ms(340), "three rounds of it: {:?}", ran.took);
    // Who waits needs no place among the hosts at work, and connects only when it is its turn.
    let small = Plan { pool: 3, ..plan(6, vec![steps()]) };
    let ran = run(small, fake()).await;
    assert_eq!(ran.statuses(), [Status::Ok; 6]);
    assert_eq!(most_at_once(&ran, 1), 2);
    assert!(ran.tally.busiest <= 3);
    let first = run(plan(4, vec![vec![throttled(2, raw("b"))]]), fake()).await;
    assert_eq!((first.statuses(), first.tally.busiest), (vec![Status::Ok; 4], 2));
}

#[tokio::test(start_paused = true)]
async fn it_goes_with_all_else_that_makes_hosts_wait() {
    let fake =
        || hosts(Fake::new(), 5, &[Command::exits(10, 0), Command::exits(10, 0), Command::exits(10, 0)]);
    for pool in [1, 2, 128] {
        for strategy in [Strategy::Free, Strategy::Linear] {
            for run_once in [false, true] {
                let steps = vec![
                    throttled(1, raw("a")),
                    Step { run_once, ..throttled(2, raw("b")) },
                    throttled(1, raw("c")),
                ];
                let mut plan = Plan { pool, ..plan(5, vec![steps]) };
                plan.tasks[0].strategy = strategy;
                plan.tasks[0].batches = vec![0..3, 3..5];
                let ran = run(plan, fake()).await;
                assert_eq!(ran.statuses(), [Status::Ok; 5], "{pool} {strategy:?} {run_once}");
                assert!(most_at_once(&ran, 0) == 1 && most_at_once(&ran, 2) == 1, "{pool} {strategy:?}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn tries_and_their_pauses_are_one_stay_in_it() {
    let again = Repeat { retries: 2, delay: ms(1_000), until: None };
    let step = Step { repeat: Some(again), ..throttled(1, raw("a")) };
    let fake = hosts(Fake::new(), 2, &[Command::exits(0, 1), Command::exits(0, 1), Command::exits(0, 0)]);
    let ran = run(plan(2, vec![vec![step]]), fake).await;
    assert_eq!(ran.statuses(), [Status::Ok; 2]);
    assert_eq!(most_at_once(&ran, 0), 1);
    assert!(ran.took >= ms(4_000), "{:?}", ran.took);
}

#[tokio::test(start_paused = true)]
async fn whoever_is_lost_or_fails_frees_its_place() {
    let fake = Fake::new()
        .connects("h0", [Connect::Fails(Kind::AuthFailed, Retry::Never)])
        .runs("h1", [Command::runs().lost(50)])
        .runs("h2", [Command::exits(0, 9)])
        .connects("h3", [Connect::Panics])
        .runs("h4", [Command::not_started(Start::Refused(Kind::ExecRefused))])
        .runs("h5", [Command::exits(10, 0)]);
    let ran = run(plan(6, vec![vec![throttled(1, raw("a"))]]), fake).await;
    let expected = [
        Status::Unreachable,
        Status::Unknown,
        Status::Failed,
        Status::Unknown,
        Status::Unreachable,
        Status::Ok,
    ];
    assert_eq!(ran.statuses(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_stop_reaches_those_that_wait() {
    let fake = || hosts(Fake::new(), 3, &[Command::exits(0, 0), Command::runs()]);
    let steps = || vec![raw("a"), throttled(1, raw("b"))];
    let ran = run_and_stop(plan(3, vec![steps()]), fake(), &[1_000]).await;
    assert_eq!(ran.statuses(), [Status::Cancelled; 3]);
    let starts: usize = ran.tally.starts.values().map(Vec::len).sum();
    assert_eq!(starts, 4, "who waited began nothing");
    assert!(ran.took < ms(8_000), "{:?}", ran.took);
    // One host alone: the others go on.
    let fake = hosts(Fake::new(), 3, &[Command::exits(0, 0), Command::exits(5_000, 0)]);
    let ran = run_and_cancel(plan(3, vec![steps()]), fake, &[(1_000, "h1"), (1_000, "h2")]).await;
    let cancelled = ran.statuses().into_iter().filter(|status| *status == Status::Cancelled).count();
    assert_eq!(cancelled, 2, "{:?}", ran.statuses());
}

#[tokio::test(start_paused = true)]
async fn a_host_that_waits_is_no_straggler_and_its_wait_no_silence() {
    let mut plan = plan(2, vec![vec![throttled(1, raw("a"))]]);
    for host in &mut plan.hosts {
        host.idle_timeout = Some(Duration::from_secs(70));
        host.command_timeout = Some(Duration::from_secs(70));
    }
    let fake = hosts(Fake::new(), 2, &[Command::exits(60_000, 0)]);
    let ran = run_within(plan, fake, Around { reads: Some(ms(100)), ..Around::default() }).await;
    assert_eq!(ran.statuses(), [Status::Ok; 2]);
    for event in &ran.events {
        if let Fact::Run(RunFact::StragglersNoticed { hosts }) = &event.fact {
            assert_eq!(hosts.len(), 1, "{hosts:?}");
        }
    }
    // What it is told to have taken is the step without the wait.
    for host in ["h0", "h1"] {
        let [outcome] = ran.steps(host)[..] else { panic!("one step") };
        assert!(outcome.elapsed < ms(61_000), "{:?}", outcome.elapsed);
    }
}

#[tokio::test(start_paused = true)]
async fn who_skips_it_does_not_wait() {
    let step = Step { when: Some(crate::engine::tests::text("host == 'h0'")), ..throttled(1, raw("a")) };
    let fake = Fake::new().runs("h0", [Command::exits(60_000, 0)]);
    let ran = run(plan(3, vec![vec![step, echo("on")]]), fake).await;
    assert_eq!(ran.statuses(), [Status::Ok; 3]);
    assert_eq!(ran.steps("h1")[0].status, StepStatus::Skipped);
    assert!(ran.finished_at("h1") < ms(1_000));
}
