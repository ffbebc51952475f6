//! One command: how its end becomes an outcome, its deadlines, and the ladder of signals.

use std::time::Duration;

use crate::engine::plan::Plan;
use crate::engine::tests::fake::{Command, Fake, Obeys, Start};
use crate::engine::tests::{Ran, ms, plan, raw, run, step, text};
use crate::model::outcome::{Exit, Kind, Status, StepStatus};
use crate::model::settings::{OnDisconnect, TimeLimit};
use crate::model::task::{Action, Command as TaskCommand, Repeat, Step};
use crate::ssh::{ExecEvent, Signal};

async fn one(command: Command) -> Ran {
    run(plan(1, vec![vec![raw("a")]]), Fake::new().runs("h0", [command])).await
}

#[tokio::test(start_paused = true)]
async fn every_end_of_a_command_has_its_outcome() {
    use {Kind as K, Status as S};
    let killed = Command::runs().then(1, ExecEvent::Exit(Exit::Signal("SEGV".to_owned()))).closed();
    let refused = |kind| Command::not_started(Start::Refused(kind));
    let unanswered = |kind| Command::not_started(Start::Unanswered(kind));
    // Status, kind, a command was started, it may still run.
    let cases = [
        (Command::exits(1, 0), S::Ok, None, true, false),
        // Not as `ssh` has it: the protocol tells an exit status from a broken connection.
        (Command::exits(1, 255), S::Failed, Some(K::Exit), true, false),
        (killed, S::Failed, Some(K::Signal), true, false),
        (Command::runs().says(1, "x\n").closed(), S::Unknown, Some(K::ConnectionLost), true, false),
        (Command::runs().says(1, "x\n").lost(1), S::Unknown, Some(K::ConnectionLost), true, true),
        // The exit status had come, and whether that was all of its output is not known.
        (Command::runs().says(1, "x\n").exit(1, 0).lost(1), S::Unknown, Some(K::ConnectionLost), true, false),
        (Command::runs().exit(1, 2).lost(1), S::Failed, Some(K::Exit), true, false),
        // All of it had come.
        (Command::runs().exit(1, 0).eof(1).lost(1), S::Ok, None, true, false),
        (Command::runs().eof(1).exit(1, 0).lost(1), S::Ok, None, true, false),
        (Command::runs().eof(1).lost(1), S::Unknown, Some(K::ConnectionLost), true, true),
        // A server that never closes the channel.
        (Command::runs().exit(1, 0).eof(1), S::Ok, None, true, false),
        // The first failure stands.
        (Command::runs().exit(1, 0).exit(1, 3).closed(), S::Failed, Some(K::Exit), true, false),
        (Command::runs().exit(1, 3).exit(1, 0).closed(), S::Failed, Some(K::Exit), true, false),
        (refused(K::ChannelRefused), S::Unreachable, Some(K::ChannelRefused), false, false),
        (refused(K::ExecRefused), S::Unreachable, Some(K::ExecRefused), false, false),
        (refused(K::Protocol), S::Unreachable, Some(K::Protocol), false, false),
        (refused(K::LocalIo), S::Unreachable, Some(K::LocalIo), false, false),
        (unanswered(K::ExecRefused), S::Unknown, Some(K::ExecRefused), true, true),
        (unanswered(K::ConnectionLost), S::Unknown, Some(K::ConnectionLost), true, true),
    ];
    for (command, status, kind, started, may_still_run) in cases {
        let shown = format!("{command:?}");
        // It is let pass only when its end is known and the host can go on.
        for warn_only in [false, true] {
            let plan = Plan { warn_only, ..plan(1, vec![vec![raw("a")]]) };
            let ran = run(plan, Fake::new().runs("h0", [command.clone()])).await;
            let host = ran.host("h0");
            let status = if warn_only && status == S::Failed { S::Ok } else { status };
            assert_eq!(host.status, status, "{shown}");
            assert_eq!((host.started, host.may_still_run), (started, may_still_run), "{shown}");
            assert_eq!(ran.steps("h0")[0].failure.as_ref().map(|failure| failure.kind), kind, "{shown}");
            assert!(ran.tally.starts.get("h0").is_none_or(|starts| starts.len() == 1), "{shown}");
            assert_eq!(ran.tally.connects["h0"], 1, "{shown}");
            assert_eq!(ran.tally.sessions_closed["h0"].len(), 1, "{shown}");
        }
    }
}

/// A connection that had ended by the time that the first command was to start is opened once more: nothing was
/// started on the host.
#[tokio::test(start_paused = true)]
async fn a_session_lost_before_anything_was_started_is_opened_once_more() {
    let lost = || Command::not_started(Start::Refused(Kind::ConnectionLost));
    for (losses, status, started) in [(1, Status::Ok, true), (2, Status::Unreachable, false)] {
        let commands = (0..losses).map(|_| lost()).chain([Command::exits(1, 0)]);
        let fake = Fake::new().runs("h0", commands.collect::<Vec<_>>());
        let ran = run(plan(1, vec![vec![raw("a")]]), fake).await;
        let host = ran.host("h0");
        assert_eq!((host.status, host.started, ran.tally.connects["h0"]), (status, started, 2));
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_lost_between_steps_fails_the_host_and_is_not_opened_again() {
    let lost = || [Command::exits(0, 0), Command::not_started(Start::Refused(Kind::Keepalive))];
    let two_tasks = plan(1, vec![vec![raw("a")], vec![raw("b"), raw("c")]]);
    let let_pass = Plan { warn_only: true, ..plan(1, vec![vec![raw("a"), raw("b"), raw("c")]]) };
    for plan in [two_tasks, let_pass] {
        let ran = run(plan, Fake::new().runs("h0", lost())).await;
        // What was started has ended, and how is known.
        assert_eq!(ran.statuses(), [Status::Failed]);
        assert_eq!(ran.kind("h0"), Some(Kind::Keepalive));
        assert!(ran.host("h0").started && !ran.host("h0").may_still_run);
        assert_eq!(ran.tally.starts["h0"], ["a"]);
        assert_eq!(ran.tally.connects["h0"], 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_command_that_must_not_outlive_us_is_watched_through_its_input() {
    for (on_disconnect, held) in [(OnDisconnect::Leave, 0), (OnDisconnect::Kill, 2)] {
        let script = Action::Run(TaskCommand::Script(text("uptime")));
        let mut plan = plan(1, vec![vec![raw("uptime"), step(script)]]);
        plan.hosts[0].on_disconnect = on_disconnect;
        let ran = run(plan, Fake::new()).await;
        assert_eq!(ran.statuses(), [Status::Ok]);
        assert_eq!(ran.tally.held, held);
        let starts = &ran.tally.starts["h0"];
        assert!(starts.iter().all(|line| line.contains("read -r") == (held > 0)), "{starts:?}");
        assert_eq!(starts[0] == "uptime", held == 0, "{starts:?}");
    }
}

fn near(actual: Duration, milliseconds: u64) -> bool {
    actual >= ms(milliseconds) && actual < ms(milliseconds + 20)
}

#[tokio::test(start_paused = true)]
async fn a_deadline_climbs_the_ladder_as_far_as_it_must() {
    use Signal::{Kill, Term};
    let mut messages = String::new();
    for (obeys, signals, ends, closes, confirmed) in [
        (Obeys::Term, vec![(Term, 10_000)], 10_000, None, true),
        (Obeys::Kill, vec![(Term, 10_000), (Kill, 15_000)], 15_000, None, true),
        (Obeys::Nothing, vec![(Term, 10_000), (Kill, 15_000)], 16_000, Some(16_000), false),
        (Obeys::Stuck, vec![(Term, 10_000), (Kill, 15_000)], 16_000, Some(16_000), false),
    ] {
        let limited = Step { timeout: Some(TimeLimit::After(ms(10_000))), ..raw("a") };
        let fake = Fake::new().runs("h0", [Command::runs().says(1, "going\n").obeys(obeys)]);
        let ran = run(plan(1, vec![vec![limited, raw("b")]]), fake).await;
        assert_eq!(
            (ran.statuses(), ran.kind("h0")),
            (vec![Status::Failed], Some(Kind::Timeout)),
            "{obeys:?}"
        );
        assert_eq!(ran.host("h0").may_still_run, !confirmed, "{obeys:?}");
        let sent: Vec<Signal> = ran.tally.signals.iter().map(|(_, signal, _)| *signal).collect();
        assert_eq!(sent, signals.iter().map(|(signal, _)| *signal).collect::<Vec<_>>(), "{obeys:?}");
        for ((.., at), (_, expected)) in ran.tally.signals.iter().zip(signals) {
            assert!(near(*at, expected), "{obeys:?} {at:?}");
        }
        assert!(near(ran.took, ends), "{obeys:?} {:?}", ran.took);
        let closed = ran.tally.channels_closed.first().map(|(_, at)| *at);
        assert_eq!(closed.is_some(), closes.is_some(), "{obeys:?}");
        assert!(closed.zip(closes).is_none_or(|(at, expected)| near(at, expected)), "{obeys:?}");
        messages += &format!("{}\n", ran.failure("h0").message());
    }
    insta::assert_snapshot!(messages, @r"
    still running after 10.0s; ended
    still running after 10.0s; ended
    still running after 10.0s; it may still be running there
    still running after 10.0s; it may still be running there
    ");
}

#[tokio::test(start_paused = true)]
async fn the_nearest_deadline_counts() {
    let after = |milliseconds| Some(ms(milliseconds));
    for (own, task, host, ends) in [
        (None, None, after(9_000), Some(9_000)),
        (None, Some(after(7_000)), after(9_000), Some(7_000)),
        (None, Some(None), after(9_000), None),
        (Some(TimeLimit::After(ms(5_000))), Some(after(7_000)), after(3_000), Some(5_000)),
        (Some(TimeLimit::None), Some(after(7_000)), after(9_000), None),
    ] {
        let mut plan = plan(1, vec![vec![Step { timeout: own, ..raw("a") }]]);
        plan.tasks[0].timeout = task;
        plan.hosts[0].command_timeout = host;
        let ran = run(plan, Fake::new().runs("h0", [Command::exits(100_000, 0)])).await;
        assert!(near(ran.took, ends.unwrap_or(100_000)), "{own:?} {task:?} {host:?}: {:?}", ran.took);
        assert_eq!(ran.statuses(), [if ends.is_some() { Status::Failed } else { Status::Ok }]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_silence_is_counted_from_the_last_output() {
    let mut plan = plan(1, vec![vec![raw("a")]]);
    plan.hosts[0].idle_timeout = Some(ms(5_000));
    let command = Command::runs().says(4_000, "a\n").says(4_000, "b").says(4_000, "c\n");
    let ran = run(plan, Fake::new().runs("h0", [command])).await;
    assert_eq!((ran.statuses(), ran.kind("h0")), (vec![Status::Failed], Some(Kind::Idle)));
    assert!(near(ran.took, 17_000), "{:?}", ran.took);
    assert_eq!(ran.output("h0"), "a\nbc\n");
    insta::assert_snapshot!(ran.failure("h0").message(), @"silent for 5.0s; ended");
}

#[tokio::test(start_paused = true)]
async fn while_its_connection_is_gone_nobody_is_silent() {
    for (after, ends, status) in [(4_000, 68_000, Status::Ok), (6_000, 69_000, Status::Failed)] {
        let mut plan = plan(1, vec![vec![raw("a")]]);
        plan.hosts[0].idle_timeout = Some(ms(5_000));
        let command = Command::runs().away(4_000, 60_000).exit(after, 0).closed();
        let ran = run(plan, Fake::new().runs("h0", [command])).await;
        assert_eq!(ran.statuses(), [status]);
        assert!(near(ran.took, ends), "{:?}", ran.took);
        let note = ran.steps("h0")[0].note.as_deref().unwrap_or_default();
        assert!(note.contains("the connection was gone for 1m 00s"), "{note}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_child_in_the_background_does_not_hold_the_step() {
    let quiet = one(Command::runs().exit(1_000, 0).says(1_500, "late\n").says(1_500, "later\n")).await;
    assert_eq!(quiet.statuses(), [Status::Ok]);
    assert_eq!(quiet.output("h0"), "late\nlater\n");
    assert!(near(quiet.took, 6_000), "2 s after the last output: {:?}", quiet.took);
    assert_eq!(quiet.tally.channels_closed.len(), 1);
    assert!(quiet.tally.signals.is_empty(), "what the user left running is not killed");
    assert_eq!(quiet.tally.asked["h0"], 2);
    insta::assert_snapshot!(
        quiet.steps("h0")[0].note.as_deref().unwrap(),
        @"a process that it left behind holds its output open; later output is not read"
    );

    let failed = one(Command::runs().exit(1_000, 9)).await;
    assert_eq!(failed.steps("h0")[0].exit, Some(Exit::Status(9)));
    assert!(near(failed.took, 3_000), "{:?}", failed.took);
}

#[tokio::test(start_paused = true)]
async fn a_child_that_never_stops_talking_does_not_hold_the_step_either() {
    let mut command = Command::runs().exit(1_000, 0);
    for _ in 0..100 {
        command = command.says(1_000, "tick\n");
    }
    let ran = one(command).await;
    assert_eq!(ran.statuses(), [Status::Ok]);
    assert!(near(ran.took, 11_700), "{:?}", ran.took);
    assert!(ran.steps("h0")[0].note.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_command_that_ends_on_term_is_not_killed_for_its_childs_output() {
    let mut plan = plan(1, vec![vec![raw("a")]]);
    plan.hosts[0].command_timeout = Some(ms(1_000));
    // It ends by itself just after TERM, and its output stays open.
    let command = Command::runs().exit(1_100, 0).obeys(Obeys::Nothing);
    let ran = run(plan, Fake::new().runs("h0", [command])).await;
    assert_eq!(ran.kind("h0"), Some(Kind::Timeout));
    assert!(ran.host("h0").may_still_run, "a child of it holds the output");
    assert_eq!(ran.tally.signals.len(), 1, "{:?}", ran.tally.signals);
    assert!(near(ran.took, 3_100), "{:?}", ran.took);
}

#[tokio::test(start_paused = true)]
async fn a_link_that_stalls_after_the_exit_status_loses_nothing() {
    // The answer comes behind what the link held back, as it does on a real one.
    let stalled = Command::runs().says(1, "a\n").exit(999, 0).says(30_000, "b\n").says(0, "c\n").closed();
    let ran = one(stalled.answers(Some(30_000))).await;
    assert_eq!((ran.statuses(), ran.output("h0").as_str()), (vec![Status::Ok], "a\nb\nc\n"));
    assert_eq!((ran.tally.asked["h0"], ran.steps("h0")[0].note.as_deref()), (1, None));

    // A second stall, and a child that holds the output at the end.
    let twice = Command::runs().exit(1_000, 0).says(5_000, "a\n").says(5_000, "b\n");
    let ran = one(twice.answers(Some(4_000))).await;
    assert_eq!((ran.statuses(), ran.output("h0").as_str()), (vec![Status::Ok], "a\nb\n"));
    assert!(ran.steps("h0")[0].note.is_some());

    let dead = one(Command::runs().says(1, "a\n").exit(1_000, 0).answers(None)).await;
    assert_eq!((dead.statuses(), dead.kind("h0")), (vec![Status::Unknown], Some(Kind::ConnectionLost)));
    assert_eq!(dead.steps("h0")[0].exit, Some(Exit::Status(0)));
    assert!(!dead.host("h0").may_still_run, "its end was told");
    insta::assert_snapshot!(dead.failure("h0").message(), @"the server answered nothing for 60 s; the command had ended with exit status 0, and the rest of its output is missing");

    let failed = one(Command::runs().exit(1_000, 9).answers(None)).await;
    assert_eq!((failed.statuses(), failed.kind("h0")), (vec![Status::Failed], Some(Kind::Exit)));
    insta::assert_snapshot!(failed.steps("h0")[0].note.as_deref().unwrap(), @"the end of its output was not seen");
}

#[tokio::test(start_paused = true)]
async fn a_status_that_is_let_pass_needs_the_end_of_the_output_as_well() {
    let step = || Step { ok_codes: Some(vec![4]), ..raw("a") };
    let cut = Fake::new().runs("h0", [Command::runs().says(1, "x\n").exit(1, 4).lost(1)]);
    let ran = run(plan(1, vec![vec![step()]]), cut).await;
    assert_eq!((ran.statuses(), ran.kind("h0")), (vec![Status::Unknown], Some(Kind::ConnectionLost)));
    let whole = Fake::new().runs("h0", [Command::exits(1, 4)]);
    assert_eq!(run(plan(1, vec![vec![step()]]), whole).await.statuses(), [Status::Ok]);
}

#[tokio::test(start_paused = true)]
async fn an_end_that_is_told_costs_no_question() {
    for command in [Command::exits(1, 0), Command::runs().exit(1, 0).says(1_900, "x\n").eof(1_900).closed()] {
        let ran = one(command).await;
        assert_eq!((ran.statuses(), ran.tally.asked.len(), ran.tally.let_go), (vec![Status::Ok], 0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn an_input_that_is_open_is_let_go_of_when_all_output_has_ended() {
    // Its server tells of its end once nobody holds the input; the second time the watchdog has gone.
    let told = || Command::runs().says(1, "x\n").eof(1).reads("OVER").reads("OVER").exit(0, 0).closed();
    let ran = one(told()).await;
    assert_eq!((ran.statuses(), ran.tally.let_go), (vec![Status::Ok], 2));
    assert!(near(ran.took, 752), "{:?}", ran.took);

    // It goes on in silence, and is stopped as any other.
    let mut plan = plan(1, vec![vec![raw("a")]]);
    plan.hosts[0].command_timeout = Some(ms(100_000));
    let ran = run(plan, Fake::new().runs("h0", [Command::runs().eof(1)])).await;
    assert_eq!(ran.kind("h0"), Some(Kind::Timeout));
    assert!((7..12).contains(&ran.tally.let_go), "{}", ran.tally.let_go);
    assert_eq!(ran.tally.signals.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_end_that_proves_nothing_about_children_is_not_called_one() {
    let mut plan = plan(1, vec![vec![raw("a")]]);
    plan.hosts[0].command_timeout = Some(ms(1_000));
    let ran = run(plan, Fake::new().runs("h0", [Command::runs().closes_early()])).await;
    assert!(ran.host("h0").may_still_run);
    insta::assert_snapshot!(ran.failure("h0").message(), @"still running after 1.0s; it may still be running there");
}

#[tokio::test(start_paused = true)]
async fn what_may_still_run_is_not_tried_again() {
    for (obeys, starts) in [(Obeys::Nothing, 1), (Obeys::Term, 3)] {
        let repeat = Some(Repeat { retries: 2, delay: ms(10), until: None });
        let mut plan = plan(1, vec![vec![Step { repeat, ..raw("a") }]]);
        plan.hosts[0].command_timeout = Some(ms(1_000));
        let commands = [(); 3].map(|()| Command::runs().obeys(obeys));
        let ran = run(plan, Fake::new().runs("h0", commands)).await;
        assert_eq!(ran.kind("h0"), Some(Kind::Timeout));
        assert_eq!(ran.tally.starts["h0"].len(), starts);
    }
}

#[tokio::test(start_paused = true)]
async fn a_warning_does_not_hide_what_may_still_run() {
    let mut plan = Plan { warn_only: true, ..plan(1, vec![vec![raw("a"), raw("b")]]) };
    plan.hosts[0].command_timeout = Some(ms(1_000));
    let ran = run(plan, Fake::new().runs("h0", [Command::runs().obeys(Obeys::Nothing)])).await;
    assert_eq!(ran.statuses(), [Status::Ok]);
    assert_eq!(ran.steps("h0")[0].status, StepStatus::Warned);
    assert!(ran.host("h0").may_still_run);
}
