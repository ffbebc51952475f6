//! The user wants the end: once in good order, twice at once.

use crate::engine::plan::Plan;
use crate::engine::tests::fake::{Command, Connect, Fake, Obeys, Start};
use crate::engine::tests::{Ran, echo, ms, plan, raw, run_and_cancel, run_and_stop};
use crate::event::{Fact, RunFact};
use crate::model::outcome::{CancelReason, ExitCode, Kind, Status, StepStatus};
use crate::model::settings::TimeLimit;
use crate::model::task::{Step, Strategy};
use crate::ssh::Signal;
use crate::ssh::error::Retry;

/// The promises, from the first and from the second request.
const ORDERLY: u64 = 7_000;
const AT_ONCE: u64 = 1_000;

fn requests(ran: &Ran) -> Vec<bool> {
    let requests = ran.events.iter().filter_map(|event| match &event.fact {
        Fact::Run(RunFact::StopRequested { forced, .. }) => Some(*forced),
        _ => None,
    });
    requests.collect()
}

fn signals(ran: &Ran) -> Vec<Signal> {
    ran.tally.signals.iter().map(|(_, signal, _)| *signal).collect()
}

#[tokio::test(start_paused = true)]
async fn whatever_a_host_is_at_ends_in_time() {
    let resets = vec![Connect::Fails(Kind::Throttled, Retry::Penalized); 9];
    let hanging = Command::not_started(Start::Hangs);
    let late = Command::not_started(Start::Answered(ms(10_100))).obeys(Obeys::Nothing);
    // A command was started, it may still run, and how soon it ends after the first request.
    let cases = [
        ("connecting", Fake::new().connects("h0", [Connect::Hangs]), false, false, 100),
        ("pausing", Fake::new().connects("h0", resets), false, false, 100),
        ("starting", Fake::new().runs("h0", [hanging]), true, true, 400),
        ("just started", Fake::new().runs("h0", [late]), true, true, ORDERLY),
        ("dies on TERM", Fake::new().runs("h0", [Command::runs()]), true, false, 100),
        ("dies on KILL", Fake::new().runs("h0", [Command::runs().obeys(Obeys::Kill)]), true, false, 5_200),
        ("never dies", Fake::new().runs("h0", [Command::runs().obeys(Obeys::Nothing)]), true, true, ORDERLY),
        ("stuck", Fake::new().runs("h0", [Command::runs().obeys(Obeys::Stuck)]), true, true, ORDERLY),
        (
            "loses its connection",
            Fake::new().runs("h0", [Command::runs().lost(10_500).obeys(Obeys::Nothing)]),
            true,
            true,
            600,
        ),
    ];
    for (name, fake, started, may_still_run, within) in cases {
        for stops in [vec![10_000], vec![10_000, 10_000], vec![10_000, 12_000], vec![10_000, 15_500]] {
            let script = fake.copied();
            let ran = run_and_stop(plan(1, vec![vec![raw("a"), raw("b")]]), script, &stops).await;
            let shown = format!("{name} {stops:?} {:?}", ran.took);
            let bound = stops.get(1).map_or(u64::MAX, |second| second + AT_ONCE).min(10_000 + within);
            assert!(ran.took <= ms(bound), "{shown}");
            assert_eq!(ran.statuses(), [Status::Cancelled], "{shown}");
            assert_eq!(ran.kind("h0"), Some(Kind::Interrupted), "{shown}");
            let host = ran.host("h0");
            assert_eq!(host.started, started, "{shown}");
            // A second request leaves less time for the end to be seen.
            assert!(
                host.may_still_run == may_still_run || (stops.len() == 2 && host.may_still_run),
                "{shown}"
            );
            assert_eq!(ran.recap.exit_code(), ExitCode::Interrupted, "{shown}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_request_asks_and_the_second_kills() {
    let fake = || Fake::new().runs("h0", [Command::runs().obeys(Obeys::Kill)]);
    let one_step = || plan(1, vec![vec![raw("a")]]);
    let once = run_and_stop(one_step(), fake(), &[1_000]).await;
    assert_eq!((signals(&once), requests(&once)), (vec![Signal::Term, Signal::Kill], vec![false]));
    assert!(once.tally.signals[1].2 >= ms(6_000));
    assert!(!once.host("h0").may_still_run);

    let twice = run_and_stop(one_step(), fake(), &[1_000, 2_000]).await;
    assert_eq!((signals(&twice), requests(&twice)), (vec![Signal::Term, Signal::Kill], vec![false, true]));
    assert!(twice.tally.signals[1].2 < ms(2_050));
    assert!(!twice.host("h0").may_still_run);
    assert!(twice.took < ms(2_100), "{:?}", twice.took);
    assert_eq!(twice.steps("h0")[0].status, StepStatus::Cancelled);
}

#[tokio::test(start_paused = true)]
async fn the_messages_say_what_is_known() {
    let fake = Fake::new()
        .runs("h0", [Command::runs()])
        .runs("h1", [Command::runs().obeys(Obeys::Nothing)])
        .runs("h2", [Command::not_started(Start::Hangs)])
        .runs("h4", [Command::not_started(Start::Waits)])
        .connects("h3", [Connect::Hangs]);
    let ran = run_and_stop(plan(5, vec![vec![raw("a")]]), fake, &[1_000]).await;
    let messages: Vec<String> = ["h0", "h1", "h2", "h3", "h4"].map(|host| ran.failure(host).message()).into();
    insta::assert_snapshot!(messages.join("\n"), @r"
    the run was stopped by INT; ended
    the run was stopped by INT; it may still be running there
    the run was stopped by INT; whether the command was started is unknown
    the run was stopped by INT
    the run was stopped by INT
    ");
    assert!(!ran.host("h4").started && !ran.host("h4").may_still_run);
}

#[tokio::test(start_paused = true)]
async fn hosts_that_were_never_started_are_cancelled() {
    let plan = Plan { pool: 2, ..plan(5, vec![vec![raw("a")], vec![raw("b")]]) };
    let fake =
        Fake::new().runs("h0", [Command::runs()]).runs("h1", [Command::exits(500, 0), Command::runs()]);
    let fake = fake.runs("h2", [Command::runs()]);
    let ran = run_and_stop(plan, fake, &[1_000]).await;
    assert_eq!(ran.statuses(), [Status::Cancelled; 5]);
    let started: Vec<bool> = ran.recap.hosts.iter().map(|record| record.started()).collect();
    assert_eq!(started, [true, true, true, false, false]);
    assert_eq!(ran.tally.connects.len(), 3);
    assert_eq!(ran.tally.sessions_closed.len(), 3, "also the one that waited for its next task");
    assert!(ran.steps("h3").is_empty());
    assert_eq!(ran.recap.cancelled, Some(CancelReason::Interrupt));
}

#[tokio::test(start_paused = true)]
async fn a_request_before_the_start_contacts_nobody() {
    let ran =
        run_and_stop(plan(2, vec![vec![raw("a")]]), Fake::new().connects("h0", [Connect::Hangs]), &[0]).await;
    assert_eq!(ran.statuses()[0], Status::Cancelled);
    assert_eq!(requests(&ran), [false]);
}

#[tokio::test(start_paused = true)]
async fn no_step_begins_after_a_request() {
    let fake = Fake::new().runs("h0", [Command::runs()]);
    let steps = vec![Step { warn_only: true, ..raw("a") }, echo("on"), raw("b")];
    let ran = run_and_stop(plan(1, vec![steps]), fake, &[1_000]).await;
    assert_eq!(ran.statuses(), [Status::Cancelled]);
    assert_eq!(ran.steps("h0").len(), 1);
    assert_eq!(ran.steps("h0")[0].status, StepStatus::Cancelled, "a warning does not let it pass");
}

#[tokio::test(start_paused = true)]
async fn what_ended_before_keeps_its_end() {
    let fake = Fake::new()
        .runs("h0", [Command::exits(0, 1)])
        .runs("h1", [Command::exits(0, 0)])
        // Ended, and its output is held open.
        .runs("h2", [Command::runs().exit(900, 0)])
        .runs("h3", [Command::runs()]);
    let ran = run_and_stop(plan(4, vec![vec![raw("a")]]), fake, &[1_000]).await;
    assert_eq!(ran.statuses(), [Status::Failed, Status::Ok, Status::Ok, Status::Cancelled]);
    assert!(ran.tally.signals.iter().all(|(host, ..)| host == "h3"), "{:?}", ran.tally.signals);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_ends_nothing_cancels_nothing() {
    let fake = Fake::new().runs("h0", [Command::runs().exit(900, 0)]);
    let ran = run_and_stop(plan(1, vec![vec![raw("a")]]), fake, &[1_000]).await;
    assert_eq!((ran.statuses(), ran.recap.cancelled), (vec![Status::Ok], None));
    assert_eq!(requests(&ran).len(), 1);
    assert_eq!(ran.recap.exit_code(), ExitCode::Ok);
}

#[tokio::test(start_paused = true)]
async fn a_deadlines_ladder_goes_on_when_the_user_asks_too() {
    let limited = Step { timeout: Some(TimeLimit::After(ms(1_000))), ..raw("a") };
    let fake = Fake::new().runs("h0", [Command::runs().obeys(Obeys::Nothing)]);
    let ran = run_and_stop(plan(1, vec![vec![limited]]), fake, &[4_000]).await;
    assert_eq!((ran.statuses(), ran.kind("h0")), (vec![Status::Failed], Some(Kind::Timeout)));
    assert_eq!(signals(&ran), [Signal::Term, Signal::Kill], "it is not asked twice");
    assert!(ran.took < ms(7_500), "{:?}", ran.took);
}

/// At work, waiting for its turn, and waiting for others between steps: the others go on, and nobody waits for it.
#[tokio::test(start_paused = true)]
async fn a_host_is_cancelled_alone() {
    let fake = Fake::new()
        .runs("h0", [Command::runs()])
        .runs("h1", [Command::runs().exit(5_000, 0), Command::exits(0, 0)])
        .runs("h3", [Command::exits(0, 0), Command::exits(0, 0)]);
    let mut cancelled = plan(4, vec![vec![raw("a"), raw("b")], vec![echo("end")]]);
    cancelled.tasks[0].strategy = Strategy::Linear;
    let cancelled = Plan { pool: 2, ..cancelled };
    let ran = run_and_cancel(cancelled, fake, &[(500, "h2"), (1_000, "h0"), (1_600, "nobody")]).await;
    assert_eq!(ran.statuses(), [Status::Cancelled, Status::Ok, Status::Cancelled, Status::Ok]);
    for (host, started) in [("h0", true), ("h2", false)] {
        assert!(ran.failure(host).message().starts_with("cancelled by the user"), "{:?}", ran.failure(host));
        assert_eq!((ran.kind(host), ran.host(host).started), (Some(Kind::Interrupted), started), "{host}");
    }
    assert_eq!((requests(&ran), ran.recap.cancelled), (vec![], None));
    assert_eq!(signals(&ran), [Signal::Term]);
    assert_eq!(ran.recap.exit_code(), ExitCode::Failed);
    // Asked once more, it ends at once.
    let fake = Fake::new().runs("h0", [Command::runs().obeys(Obeys::Nothing)]);
    let twice = run_and_cancel(plan(1, vec![vec![raw("a")]]), fake, &[(1_000, "h0"), (1_200, "h0")]).await;
    assert_eq!(
        (twice.statuses(), twice.took < ms(3_000)),
        (vec![Status::Cancelled], true),
        "{:?}",
        twice.took
    );
}

/// What one host does for all goes to the next one, and what it has begun is not done twice.
#[tokio::test(start_paused = true)]
async fn a_cancelled_host_gives_back_what_it_was_to_do_for_all() {
    let once = Step { run_once: true, ..raw("a") };
    let fake = Fake::new().connects("h0", [Connect::Hangs]).runs("h1", [Command::exits(0, 0)]);
    let ran = run_and_cancel(plan(2, vec![vec![once]]), fake, &[(1_000, "h0")]).await;
    assert_eq!(ran.statuses(), [Status::Cancelled, Status::Ok]);
}
