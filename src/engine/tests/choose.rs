//! `--where`: who takes part, what becomes of the tasks when fewer do, and what of hosts that could not be asked.

use std::sync::Arc;

use crate::engine::plan::{Plan, Sizes};
use crate::engine::tests::fake::{Connect, Fake};
use crate::engine::tests::{ms, plan, raw, run, run_and_stop};
use crate::event::{Fact, TaskFact};
use crate::model::facts::Facts;
use crate::model::outcome::{ExitCode, Kind, Status};
use crate::model::task::{Share, Step};
use crate::ssh::error::Retry;

fn choosing(condition: &str, plan: Plan) -> Plan {
    Plan { condition: Some(Arc::from(condition)), ..plan }
}

fn two_tasks() -> Vec<Vec<Step>> {
    vec![vec![raw("a")], vec![raw("b")]]
}

#[tokio::test(start_paused = true)]
async fn who_is_left_out_is_not_contacted_when_nothing_is_to_be_asked() {
    let ran = run(choosing("host != 'h1'", plan(3, two_tasks())), Fake::new()).await;
    assert_eq!(ran.statuses(), [Status::Ok, Status::Skipped, Status::Ok]);
    assert_eq!(ran.kind("h1"), Some(Kind::Where));
    assert!(!ran.host("h1").started && !ran.tally.connects.contains_key("h1"));
    assert_eq!(ran.tally.starts["h2"], ["a", "b"]);
    assert_eq!(ran.record("h0").steps_total, 2);
    assert_eq!(ran.recap.exit_code(), ExitCode::Ok);
    let nobody = run(choosing("host == 'h9'", plan(3, two_tasks())), Fake::new()).await;
    assert_eq!(nobody.statuses(), [Status::Skipped; 3]);
    assert!(nobody.tally.connects.is_empty());
    assert_eq!(nobody.recap.exit_code(), ExitCode::Input, "nothing done is no success");
}

#[tokio::test(start_paused = true)]
async fn a_task_for_one_host_is_done_by_one_that_takes_part() {
    let mut plan = plan(3, two_tasks());
    plan.tasks[0].run_once = true;
    plan.tasks[1].run_once = true;
    let ran = run(choosing("host != 'h0'", plan), Fake::new()).await;
    assert_eq!(ran.statuses(), [Status::Skipped, Status::Ok, Status::Skipped]);
    assert_eq!(ran.tally.starts["h1"], ["a", "b"]);
    assert_eq!(ran.tally.starts.len(), 1);
    assert_eq!((ran.record("h1").steps_total, ran.record("h2").steps_total), (2, 0));
    insta::assert_snapshot!(ran.failure("h2").message(), @"not needed: one host is enough");
    assert_eq!(ran.recap.exit_code(), ExitCode::Ok);
}

#[tokio::test(start_paused = true)]
async fn batches_are_those_of_the_hosts_that_are_left() {
    let mut plan = plan(6, vec![vec![raw("a")]]);
    plan.tasks[0].sizes = Sizes { serial: vec![Share::Hosts(1), Share::Percent(50)], max_fail: None };
    let ran = run(choosing("host in ['h1', 'h3', 'h4', 'h5']", plan), Fake::new()).await;
    let batches: Vec<&[usize]> = ran
        .events
        .iter()
        .filter_map(|event| match &event.fact {
            Fact::Task(_, TaskFact::BatchStarted { hosts, .. }) => Some(hosts.as_slice()),
            _ => None,
        })
        .collect();
    assert_eq!(batches, [&[1][..], &[3, 4], &[5]]);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_cannot_be_asked_is_unreachable() {
    let refused = || [Connect::Fails(Kind::ConnectRefused, Retry::Never)];
    let fake = Fake::new().connects("h0", refused()).connects("h1", refused());
    let ran = run(choosing("facts.os.id == 'debian'", plan(2, two_tasks())), fake).await;
    assert_eq!(ran.statuses(), [Status::Unreachable; 2]);
    assert_eq!(ran.kind("h0"), Some(Kind::ConnectRefused));
    assert!(!ran.host("h0").started && ran.tally.starts.is_empty());
    assert_eq!(ran.recap.exit_code(), ExitCode::Unreachable, "it is safe to run again");
}

#[tokio::test(start_paused = true)]
async fn a_host_that_is_being_asked_can_be_stopped() {
    let fake = Fake::new().connects("h0", [Connect::Hangs]).connects("h1", [Connect::Hangs]);
    let mut plan = choosing("facts.os.id == 'debian'", plan(3, two_tasks()));
    plan.pool = 2;
    let ran = run_and_stop(plan, fake, &[100]).await;
    assert_eq!(ran.statuses(), [Status::Cancelled; 3]);
    assert!(ran.tally.starts.is_empty() && !ran.tally.connects.contains_key("h2"));
    assert!(ran.took < ms(1_000), "{:?}", ran.took);
    assert_eq!(ran.recap.exit_code(), ExitCode::Interrupted);
}

#[tokio::test(start_paused = true)]
async fn facts_that_are_known_are_not_asked_for() {
    let mut debian = Facts::default();
    debian.os.id = Some("debian".to_owned());
    let known =
        [("h0", debian), ("h1", Facts::default())].map(|(host, facts)| (host.to_owned(), Arc::new(facts)));
    let steps = vec![vec![raw("a")]];
    let plan = Plan { known: Arc::new(known.into_iter().collect()), ..plan(3, steps) };
    let fake = Fake::new().connects("h2", [Connect::Fails(Kind::ConnectRefused, Retry::Never)]);
    let ran = run(choosing("facts.os.id | default('') == 'debian'", plan), fake).await;
    assert_eq!(
        ran.statuses(),
        [Status::Ok, Status::Skipped, Status::Unreachable],
        "who is not known is asked"
    );
    assert!(!ran.tally.connects.contains_key("h1"));
    assert_eq!(ran.tally.starts["h0"], ["a"], "nothing but the task");
}
