//! Output on its way to the readers: whole lines, in order, bounded per host, and slow readers.

use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::engine::live::activity::OUTPUT_BUDGET;
use crate::engine::tests::fake::{Command, Fake, Obeys};
use crate::engine::tests::{Around, Ran, ms, plan, raw, run, run_and_stop, run_within};
use crate::engine::{self, plan::Plan};
use crate::event::{Fact, StepFact, Stream};
use crate::model::outcome::{Kind, Status};
use crate::model::redact::Redactor;
use crate::ssh::{ExecEvent, Signal};

/// A chunk as SSH carries them: numbered lines, 16 KiB of them.
fn chunk(number: usize) -> Bytes {
    let line = format!("{number:015}\n");
    Bytes::from(line.repeat(1024))
}

/// Says 1 MiB at once and ends well.
fn talker() -> Command {
    let command = (0..64).fold(Command::runs(), |command, number| command.says(0, chunk(number)));
    command.exit(0, 0).closed()
}

fn everything() -> String {
    (0..64).map(|number| String::from_utf8(chunk(number).to_vec()).unwrap()).collect()
}

#[tokio::test(start_paused = true)]
async fn lines_are_told_whole_and_the_last_one_too() {
    let command = Command::runs()
        .says(1, "one\ntw")
        .then(1, ExecEvent::Stderr("err".into()))
        .says(1, "o\nlast")
        .exit(1, 0)
        .closed();
    let ran = run(plan(1, vec![vec![raw("a")]]), Fake::new().runs("h0", [command])).await;
    let blocks: Vec<(Stream, &str)> = ran
        .events
        .iter()
        .filter_map(|event| match &event.fact {
            Fact::Step(_, StepFact::Output { stream, data, .. }) => {
                Some((*stream, std::str::from_utf8(data).unwrap()))
            }
            _ => None,
        })
        .collect();
    let expected = [
        (Stream::Stdout, "one\n"),
        (Stream::Stdout, "two\n"),
        (Stream::Stdout, "last"),
        (Stream::Stderr, "err"),
    ];
    assert_eq!(blocks, expected);
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_gets_everything() {
    let around = Around { reads: Some(ms(100)), ..Around::default() };
    let ran = run_within(plan(1, vec![vec![raw("a")]]), Fake::new().runs("h0", [talker()]), around).await;
    assert_eq!(ran.statuses(), [Status::Ok]);
    assert!(ran.output("h0") == everything(), "all of it, in order");
    assert!(ran.took >= ms(300), "it was held back: {:?}", ran.took);
}

/// A talker, one that is quiet for some time, and a plan that minds silence.
fn stuck(reaction: Obeys) -> (Plan, Fake) {
    let mut plan = plan(2, vec![vec![raw("a")]]);
    for host in &mut plan.hosts {
        host.idle_timeout = Some(ms(5_000));
    }
    let fake = Fake::new().runs("h0", [talker().obeys(reaction)]).runs("h1", [Command::exits(1_000, 0)]);
    (plan, fake)
}

fn told(ran: &Ran) -> usize {
    ran.output("h0").len()
}

#[tokio::test(start_paused = true)]
async fn a_stuck_reader_holds_back_one_host_and_a_stop_ends_it() {
    let (plan, fake) = stuck(Obeys::Term);
    let ran = run_and_stop(plan, fake, &[60_000]).await;
    assert_eq!(ran.statuses(), [Status::Cancelled, Status::Ok], "no idle timeout while it is held back");
    assert!(ran.finished_at("h1") < ms(1_100));
    assert!(told(&ran) <= OUTPUT_BUDGET, "{}", told(&ran));
    assert!(told(&ran) > OUTPUT_BUDGET / 2);
    assert!(everything().starts_with(&ran.output("h0")));
    // It is read on, so that its end is seen.
    assert!(!ran.host("h0").may_still_run);
    assert!(ran.took < ms(60_500), "{:?}", ran.took);
}

#[tokio::test(start_paused = true)]
async fn a_stuck_reader_does_not_change_the_bounds_of_a_stop() {
    for (stops, bound) in [(vec![60_000], 67_000), (vec![60_000, 61_000], 62_000)] {
        let (plan, fake) = stuck(Obeys::Nothing);
        let endless = Command::runs().says(1, chunk(1)).endless().obeys(Obeys::Nothing);
        let ran = run_and_stop(plan, fake.runs("h1", [endless]), &stops).await;
        assert!(ran.took <= ms(bound), "{:?}", ran.took);
        let (plan, _) = stuck(Obeys::Nothing);
        let endless = Command::runs().says(1, chunk(1)).endless().obeys(Obeys::Nothing);
        let ran = run_and_stop(plan, Fake::new().runs("h0", [endless]), &stops).await;
        assert!(ran.took <= ms(bound), "{:?}", ran.took);
        assert!(ran.host("h0").may_still_run);
        assert!(ran.tally.signals.iter().any(|(_, signal, _)| *signal == Signal::Kill));
    }
}

#[tokio::test(start_paused = true)]
async fn a_stuck_reader_of_a_finished_command_is_not_waited_for_after_a_stop() {
    // The last block fits no more: the command is over, its step is not.
    let fill = (0..OUTPUT_BUDGET / chunk(0).len())
        .fold(Command::runs(), |command, number| command.says(0, chunk(number)));
    let fake = Fake::new().runs("h0", [fill.says(0, "rest").exit(0, 0).closed()]);
    let ran = run_and_stop(plan(1, vec![vec![raw("a")]]), fake, &[10_000]).await;
    assert_eq!(ran.statuses(), [Status::Ok], "it had ended by itself");
    assert_eq!(ran.recap.cancelled, None, "and so nothing was cancelled");
    assert!(ran.took >= ms(10_000) && ran.took < ms(10_500), "{:?}", ran.took);
}

/// In real time: a host that always has something to say would keep a paused clock from going on.
#[test]
fn a_flood_does_not_outrun_its_deadline() {
    let mut plan = plan(1, vec![vec![raw("a")]]);
    plan.hosts[0].command_timeout = Some(ms(50));
    let (sender, receiver) = mpsc::channel();
    // In a thread of its own, which an engine that never pauses keeps for ever.
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let (sink, deliveries) = engine::channel(&Redactor::default());
            let (_stop, stopping) = engine::stop_channel();
            sender.send(deliveries).unwrap();
            let flood = Command::runs().says(0, "y\ny\ny\ny\n").endless();
            engine::run(
                Arc::new(plan),
                Fake::new().runs("h0", [flood]),
                sink,
                engine::FromUser {
                    stop: stopping,
                    questions: engine::questions().0,
                    input: None,
                    recipe: None,
                },
            )
            .await;
        });
    });
    let deliveries = receiver.recv().unwrap();
    let patience = Instant::now() + Duration::from_secs(60);
    let outcome = deliveries.iter().find_map(|delivery| {
        assert!(Instant::now() < patience, "the flood outran it");
        match delivery.event.fact {
            Fact::HostFinished { outcome, .. } => Some(outcome),
            _ => None,
        }
    });
    assert_eq!(outcome.unwrap().failure.map(|failure| failure.kind), Some(Kind::Timeout));
}
