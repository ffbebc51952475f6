//! Opening connections: what is repeated, how often, and with which pauses.

use std::time::Duration;

use crate::engine::tests::fake::{Connect, Fake};
use crate::engine::tests::{Ran, ms, plan, raw, run, run_and_stop};
use crate::event::{ConnectionFact, Fact};
use crate::model::outcome::{Kind, Status};
use crate::ssh::error::Retry;

/// Attempt number, reason and pause of each repeat.
fn repeats(ran: &Ran) -> Vec<(u32, Kind, Duration)> {
    let repeats = ran.events.iter().filter_map(|event| match &event.fact {
        Fact::Connection(_, ConnectionFact::Retried { attempt, failure, delay, .. }) => {
            Some((*attempt, failure.kind, *delay))
        }
        _ => None,
    });
    repeats.collect()
}

async fn failing(connects: Vec<Connect>, retries: u32) -> Ran {
    let mut plan = plan(1, vec![vec![raw("a")]]);
    plan.hosts[0].endpoint.retries = retries;
    run(plan, Fake::new().connects("h0", connects)).await
}

#[tokio::test(start_paused = true)]
async fn only_what_passes_by_itself_is_repeated_and_not_for_ever() {
    for (kind, retry, retries, attempts) in [
        (Kind::AuthFailed, Retry::Never, 9, 1),
        (Kind::HostKeyChanged, Retry::Never, 9, 1),
        (Kind::HostKeyUnknown, Retry::Never, 9, 1),
        (Kind::ConnectRefused, Retry::Never, 9, 1),
        (Kind::ConnectTimeout, Retry::Soon, 0, 1),
        (Kind::ConnectTimeout, Retry::Soon, 2, 3),
        (Kind::ConnectReset, Retry::Soon, 7, 8),
        (Kind::Throttled, Retry::Throttled, 0, 1),
        (Kind::Throttled, Retry::Throttled, 2, 6),
        (Kind::Throttled, Retry::Throttled, 7, 8),
        (Kind::Throttled, Retry::Penalized, 2, 6),
    ] {
        let ran = failing(vec![Connect::Fails(kind, retry); 20], retries).await;
        assert_eq!(ran.tally.connects["h0"], attempts, "{kind} {retries}");
        assert_eq!(ran.statuses(), [Status::Unreachable]);
        assert_eq!(ran.kind("h0"), Some(kind));
        assert!(ran.tally.starts.is_empty() && ran.steps("h0").is_empty());
        assert_eq!(ran.host("h0").step, Some((0, 0)));

        let repeats = repeats(&ran);
        let numbers: Vec<usize> = repeats.iter().map(|(attempt, ..)| *attempt as usize).collect();
        assert_eq!(numbers, (1..attempts).collect::<Vec<_>>());
        let pauses: Duration = repeats.iter().map(|(.., pause)| *pause).sum();
        assert!(ran.took >= pauses && ran.took <= pauses + ms(50), "the pauses are kept");
        for (attempt, _, pause) in repeats {
            let bound = ms(500 << (attempt - 1).min(4));
            let patient = retry == Retry::Penalized && attempt as usize == attempts - 1;
            let range = if patient { ms(16_000)..ms(24_000) } else { ms(0)..bound };
            assert!(range.contains(&pause), "{attempt}: {pause:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_that_recovers_is_as_good_as_any() {
    let mut connects = vec![Connect::Fails(Kind::ConnectReset, Retry::Soon)];
    connects.push(Connect::Fails(Kind::Throttled, Retry::Throttled));
    let ran = failing(connects, 2).await;
    assert_eq!(ran.statuses(), [Status::Ok]);
    assert_eq!(ran.tally.connects["h0"], 3);
    let kinds: Vec<Kind> = repeats(&ran).iter().map(|(_, kind, _)| *kind).collect();
    assert_eq!(kinds, [Kind::ConnectReset, Kind::Throttled]);
    assert_eq!(ran.tally.starts["h0"], ["a"]);
}

#[tokio::test(start_paused = true)]
async fn a_failure_names_address_and_attempts() {
    let once = failing(vec![Connect::Fails(Kind::AuthFailed, Retry::Never)], 2).await;
    insta::assert_snapshot!(once.failure("h0").message(), @"scripted auth_failed (10.0.0.0:22)");
    let mut plan = plan(1, vec![vec![raw("a")]]);
    plan.hosts[0].endpoint.address = "fd00::1".into();
    let resets = vec![Connect::Fails(Kind::ConnectReset, Retry::Soon); 9];
    let often = run(plan, Fake::new().connects("h0", resets)).await;
    insta::assert_snapshot!(often.failure("h0").message(), @"scripted connect_reset ([fd00::1]:22), after 3 attempts");
    assert_eq!(often.record("h0").address, "[fd00::1]:22");
}

#[tokio::test(start_paused = true)]
async fn one_that_hangs_holds_up_nobody() {
    let fake = Fake::new().connects("h1", [Connect::Hangs]);
    let ran = run_and_stop(plan(3, vec![vec![raw("a")]]), fake, &[60_000]).await;
    assert_eq!(ran.statuses(), [Status::Ok, Status::Cancelled, Status::Ok]);
    assert!(ran.finished_at("h2") < ms(100), "{:?}", ran.finished_at("h2"));
}
