//! Random hosts, random pools, random moments of stopping: the contract holds and the run ends in time.

use std::collections::HashSet;
use std::ops::Range;
use std::time::Duration;

use proptest::prelude::*;

use crate::engine::plan::Plan;
use crate::engine::tests::fake::{Command, Connect, Fake, Obeys, Start};
use crate::engine::tests::{Around, Ran, ms, plan, raw, run_within, step};
use crate::event::{Fact, StepAt, StepFact, TaskFact};
use crate::model::outcome::{ExitCode, Kind, Status, StepStatus};
use crate::model::task::{Action, Step, Strategy as Order};
use crate::ssh::error::Retry;

/// The longest that one wait of a script takes, but for the ones that hang.
const LONGEST: u64 = 3_000;

fn connects() -> impl Strategy<Value = Vec<Connect>> {
    let fails = prop_oneof![
        Just(Connect::Fails(Kind::ConnectReset, Retry::Soon)),
        Just(Connect::Fails(Kind::Throttled, Retry::Throttled)),
        Just(Connect::Fails(Kind::Throttled, Retry::Penalized)),
        Just(Connect::Fails(Kind::AuthFailed, Retry::Never)),
        Just(Connect::Fails(Kind::HostKeyChanged, Retry::Never)),
        Just(Connect::Hangs),
        Just(Connect::Panics),
    ];
    let works = (0..LONGEST).prop_map(|after| Connect::Works(ms(after)));
    prop::collection::vec(prop_oneof![2 => works, 1 => fails], 0..4)
}

fn command() -> impl Strategy<Value = Command> {
    let obeys = prop_oneof![Just(Obeys::Term), Just(Obeys::Kill), Just(Obeys::Nothing), Just(Obeys::Stuck)];
    let start = prop_oneof![
        12 => (0..LONGEST).prop_map(|after| Start::Answered(ms(after))),
        1 => Just(Start::Refused(Kind::ChannelRefused)),
        1 => Just(Start::Unanswered(Kind::ConnectionLost)),
        1 => Just(Start::Hangs),
        1 => Just(Start::Panics),
    ];
    let says = prop::collection::vec((0..LONGEST, 0..70_000usize), 0..6);
    let end = prop_oneof![8 => 0..4u8, 2 => 4..8u8];
    (start, obeys, says, end, 0..LONGEST).prop_map(|(start, obeys, says, end, after)| {
        let command = Command::not_started(start).obeys(obeys);
        let command = says.into_iter().fold(command, |command, (pause, length)| {
            let mut said = vec![b'x'; length];
            said.extend_from_slice(b"\n");
            command.says(pause, said)
        });
        match end {
            0..=3 => command.exit(after, 0).closed(),
            4 => command.exit(after, 1).closed(),
            5 => command.closed(),
            6 => command.lost(after),
            // Runs for ever, or leaves its output open.
            _ if after % 2 == 0 => command,
            _ => command.exit(after, 0),
        }
    })
}

/// What is special about a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Special {
    Nothing,
    Barrier,
    Once,
    WarnOnly,
}

/// A task: its steps, and how hosts go through it.
#[derive(Clone, Debug)]
struct TaskCase {
    steps: Vec<Special>,
    /// Hosts in a batch, the last one for all that are left.
    batches: Vec<usize>,
    max_fail: Option<usize>,
    linear: bool,
}

fn task() -> impl Strategy<Value = TaskCase> {
    let special = prop_oneof![
        6 => Just(Special::Nothing),
        1 => Just(Special::Barrier),
        1 => Just(Special::Once),
        1 => Just(Special::WarnOnly),
    ];
    (
        prop::collection::vec(special, 0..4),
        prop::collection::vec(1..4usize, 0..3),
        prop::option::of(0..3usize),
        prop::bool::weighted(0.3),
    )
        .prop_map(|(steps, batches, max_fail, linear)| TaskCase { steps, batches, max_fail, linear })
}

#[derive(Clone, Debug)]
struct Case {
    hosts: Vec<(Vec<Connect>, Vec<Command>)>,
    tasks: Vec<TaskCase>,
    pool: usize,
    warn_only: bool,
    timeout: Option<u64>,
    idle: Option<u64>,
    /// Always there: a script that hangs is for the transport's deadlines, or the user, to end.
    stop: u64,
    again: Option<u64>,
    reads: Option<u64>,
}

fn case() -> impl Strategy<Value = Case> {
    let host = (connects(), prop::collection::vec(command(), 0..6));
    (
        (prop::collection::vec(host, 1..6), prop::collection::vec(task(), 1..4), 1..4usize, any::<bool>()),
        (
            prop::option::of(1..20_000u64),
            prop::option::of(1..5_000u64),
            prop_oneof![0..10_000u64, 0..200_000u64],
            prop::option::of(0..8_000u64),
            prop::option::of(1..500u64),
        ),
    )
        .prop_map(|((hosts, tasks, pool, warn_only), (timeout, idle, stop, again, reads))| Case {
            hosts,
            tasks,
            pool,
            warn_only,
            timeout,
            idle,
            stop,
            again,
            reads,
        })
}

fn special_step(command: &str, special: Special) -> Step {
    match special {
        Special::Nothing => raw(command),
        Special::Barrier => step(Action::Barrier),
        Special::Once => Step { run_once: true, ..raw(command) },
        Special::WarnOnly => Step { warn_only: true, ..raw(command) },
    }
}

/// Batches of these sizes, and one of all hosts that are left.
fn batches(sizes: &[usize], hosts: usize) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut begin = 0;
    for size in sizes {
        let end = (begin + size).min(hosts);
        found.push(begin..end);
        begin = end;
    }
    if begin < hosts || found.is_empty() {
        found.push(begin..hosts);
    }
    found.retain(|batch| !batch.is_empty());
    found
}

/// The order of a run: batches, barriers, budgets, and the pool.
fn keeps_order(case: &Case, ran: &Ran) {
    let (mut lost, mut open, mut running) = (0, 0, None);
    // The last step at which hosts of the batch met.
    let mut met = 0;
    let mut once: HashSet<(usize, usize)> = HashSet::new();
    for event in &ran.events {
        match &event.fact {
            Fact::Task(task, TaskFact::Started { .. }) => {
                running = case.tasks.get(*task);
                met = 0;
            }
            Fact::Task(task, TaskFact::BatchStarted { batch, .. }) => {
                let budget = case.tasks[*task].max_fail.unwrap_or(0);
                assert!(*batch == 1 || lost <= budget, "a batch begins with {lost} lost of {budget}");
                met = 0;
            }
            Fact::Step(StepAt { host, step, .. }, StepFact::Started) => {
                open += 1;
                assert!(open <= case.pool, "{open} at work, {} allowed", case.pool);
                let of = running.expect("a task is on");
                assert!(*step >= met, "{host} is at {step} after others have met at {met}");
                if of.linear || of.steps[*step] == Special::Barrier {
                    met = *step;
                }
            }
            Fact::Step(StepAt { host, task, step }, StepFact::Finished { outcome }) => {
                open -= 1;
                let done_here = ran.tally.starts.get(host.as_str());
                let command = format!("task {task} step {step}");
                let here = done_here.is_some_and(|starts| starts.contains(&command));
                let counts = matches!(outcome.status, StepStatus::Ok | StepStatus::Changed);
                if case.tasks[*task].steps[*step] == Special::Once && here && counts {
                    assert!(once.insert((*task, *step)), "{command} went well on two hosts");
                }
            }
            Fact::HostFinished { outcome, .. } => {
                lost += usize::from(matches!(
                    outcome.status,
                    Status::Failed | Status::Unreachable | Status::Unknown
                ));
            }
            _ => {}
        }
    }
}

async fn carry_out(case: &Case) -> Ran {
    let tasks = case.tasks.iter().enumerate().map(|(task, of)| {
        let step =
            |(step, special): (usize, &Special)| special_step(&format!("task {task} step {step}"), *special);
        of.steps.iter().enumerate().map(step).collect()
    });
    let mut plan = plan(case.hosts.len(), tasks.collect());
    for (task, of) in plan.tasks.iter_mut().zip(&case.tasks) {
        task.batches = batches(&of.batches, case.hosts.len());
        task.max_fail = of.max_fail;
        task.strategy = if of.linear { Order::Linear } else { Order::Free };
    }
    for host in &mut plan.hosts {
        host.command_timeout = case.timeout.map(ms);
        host.idle_timeout = case.idle.map(ms);
    }
    let plan = Plan { pool: case.pool, warn_only: case.warn_only, ..plan };
    let mut fake = Fake::new();
    for (index, (connects, commands)) in case.hosts.iter().enumerate() {
        let name = format!("h{index}");
        fake = fake.connects(&name, connects.clone()).runs(&name, commands.clone());
    }
    let mut stops = vec![ms(case.stop)];
    stops.extend(case.again.map(|again| ms(case.stop + again)));
    run_within(plan, fake, Around { stops, reads: case.reads.map(ms), cancels: Vec::new() }).await
}

fn bound(case: &Case) -> Duration {
    let orderly = case.stop + 7_000;
    ms(case.again.map_or(orderly, |again| orderly.min(case.stop + again + 1_000)))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// The contract itself is checked by `run_within`.
    #[test]
    fn every_run_keeps_its_promises(case in case()) {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let ran = runtime.block_on(carry_out(&case));
        prop_assert!(ran.took <= bound(&case), "{:?}", ran.took);
        // A worker that panics leaves its step open.
        if ran.recap.hosts.iter().all(|record| record.kind() != Some(Kind::Internal)) {
            keeps_order(&case, &ran);
        }
        let mut opened = 0;
        for record in &ran.recap.hosts {
            // A session that a panic took with it is not closed in good order.
            let closed = ran.tally.sessions_closed.get(record.host.as_str()).map_or(0, Vec::len);
            let never = record.address.is_empty() || record.status() == Some(Status::Unreachable);
            prop_assert!(closed <= 1);
            prop_assert!(closed == 1 || never || !record.started() || record.kind() == Some(Kind::Internal));
            opened += closed;
        }
        prop_assert!(opened <= ran.tally.connects.len());
        let all_ok = ran.statuses().iter().all(|&status| status == Status::Ok);
        prop_assert_eq!(all_ok, ran.recap.exit_code() == ExitCode::Ok);
    }
}
