//! What a login and a script tell around a command's output.

use std::sync::Arc;
use std::time::Duration;

use crate::engine::tests::fake::{Command, Fake, Start};
use crate::engine::tests::{plan, raw, run, step, text};
use crate::model::outcome::{Failure, Kind, Status, StepStatus};
use crate::model::position::{Located, Position};
use crate::model::task::{Action, Command as TaskCommand, Step};

fn script(body: &str) -> Step {
    step(Action::Run(TaskCommand::Script(text(body))))
}

#[tokio::test(start_paused = true)]
async fn a_login_that_starts_nothing_is_no_success_and_may_be_tried_again() {
    let cases = [
        Command::exits(0, 0).unmarked(),
        Command::runs().errs(0, "This account is currently not available.\n").exit(1, 1).closed().unmarked(),
        Command::runs().says(0, "router> Unknown command: exec sh -c\n").closed().unmarked(),
    ];
    for command in cases {
        let shown = format!("{command:?}");
        let ran = run(plan(1, vec![vec![script("a"), script("b")]]), Fake::new().runs("h0", [command])).await;
        assert_eq!(ran.statuses(), [Status::Unreachable], "{shown}");
        assert_eq!(ran.kind("h0"), Some(Kind::ExecRefused), "{shown}");
        assert!(!ran.host("h0").started && !ran.host("h0").may_still_run, "{shown}");
        assert_eq!(ran.tally.not_begun["h0"].len(), 1, "{shown}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_link_that_breaks_before_the_mark_leaves_it_unknown() {
    let fake = Fake::new().runs("h0", [Command::runs().lost(5)]);
    let ran = run(plan(1, vec![vec![script("a")]]), fake).await;
    assert_eq!(ran.statuses(), [Status::Unknown]);
}

#[tokio::test(start_paused = true)]
async fn the_command_of_exec_is_passed_on_untouched() {
    let fake = Fake::new().runs("h0", [Command::exits(0, 0).unmarked()]);
    let ran = run(plan(1, vec![vec![raw("uptime")]]), fake).await;
    assert_eq!((ran.statuses(), ran.tally.starts["h0"][0].as_str()), (vec![Status::Ok], "uptime"));
}

#[tokio::test(start_paused = true)]
async fn a_command_of_exec_that_says_nothing_is_a_success_of_an_account_that_runs_commands() {
    let silent = || Command::exits(0, 0).unmarked();
    let cases = [
        (Command::exits(0, 0), Status::Ok, None, false),
        // The shell is replaced by one that ends with its input.
        (silent(), Status::Unknown, Some(Kind::ExecRefused), false),
        // A forced command, which the line is too long for; no second channel; no answer at all.
        (
            Command::runs().errs(0, "sh: Argument list too long\n").exit(0, 1).closed().unmarked(),
            Status::Ok,
            None,
            true,
        ),
        (Command::not_started(Start::Refused(Kind::ChannelRefused)), Status::Ok, None, true),
        (Command::runs().unmarked(), Status::Ok, None, true),
    ];
    for (look, status, kind, noted) in cases {
        let shown = format!("{look:?}");
        let fake = Fake::new().runs("h0", [silent(), silent()]).looked_at("h0", [look]);
        let ran = run(plan(1, vec![vec![raw("a"), raw("b")]]), fake).await;
        assert_eq!((ran.statuses(), ran.kind("h0")), (vec![status], kind), "{shown}");
        assert_eq!(ran.steps("h0")[0].note.is_some(), noted, "{shown}");
        if status == Status::Ok && !noted {
            assert_eq!(ran.tally.looks["h0"], 1, "once for a connection");
        }
    }
    for command in [Command::runs().says(0, "x").exit(0, 0).closed(), Command::exits(0, 1)] {
        let ran = run(plan(1, vec![vec![raw("a")]]), Fake::new().runs("h0", [command.unmarked()])).await;
        assert!(ran.tally.looks.is_empty());
    }
}

/// A look takes three seconds, and so does a command: beside each other, three in all.
#[tokio::test(start_paused = true)]
async fn the_look_goes_beside_a_command_that_is_known_to_say_nothing() {
    let slow = || Command::exits(3000, 0);
    let silent = || slow().unmarked();
    let cases = [
        ("true", vec![slow()], Status::Ok, 1, 3000),
        // What it will say is not known.
        ("a", vec![slow()], Status::Ok, 1, 6000),
        // The mark comes later than the end.
        ("true", vec![Command::exits(5000, 0)], Status::Ok, 1, 5000),
        // Without a mark from beside it, the account is asked again.
        (
            "true",
            vec![Command::not_started(Start::Refused(Kind::ChannelRefused)), slow()],
            Status::Ok,
            2,
            6000,
        ),
        ("true", vec![silent(), slow()], Status::Ok, 2, 6000),
        ("true", vec![silent(), silent()], Status::Unknown, 2, 6000),
    ];
    for (line, looks, status, asked, elapsed) in cases {
        let shown = format!("{line}: {looks:?}");
        let fake = Fake::new().runs("h0", [silent(), Command::exits(0, 0).unmarked()]).looked_at("h0", looks);
        let ran = run(plan(1, vec![vec![raw(line), raw("z")]]), fake).await;
        assert_eq!((ran.statuses(), ran.tally.looks["h0"]), (vec![status], asked), "{shown}");
        assert_eq!(ran.recap.elapsed, Duration::from_millis(elapsed), "{shown}");
        assert_eq!(ran.steps("h0")[0].note, None, "{shown}");
    }
    // Nobody waits for it when the command has said more than it would.
    let fake = Fake::new().runs("h0", [Command::exits(1000, 1).unmarked()]).looked_at("h0", [slow()]);
    let ran = run(plan(1, vec![vec![raw("true")]]), fake).await;
    assert_eq!((ran.kind("h0"), ran.recap.elapsed), (Some(Kind::Exit), Duration::from_secs(1)));
}

#[tokio::test(start_paused = true)]
async fn what_the_login_prints_is_left_out_and_noted() {
    let noisy = Command::runs()
        .says(0, "motd\n")
        .says(1, "fan-TOKEN-start\nout\n")
        .errs(1, "fan-TOKEN-start\n")
        .exit(1, 0)
        .closed()
        .unmarked();
    let ran = run(plan(1, vec![vec![script("a")]]), Fake::new().runs("h0", [noisy])).await;
    assert_eq!(ran.output("h0"), "out\n");
    let [outcome] = &ran.steps("h0")[..] else { panic!("one step") };
    assert_eq!(outcome.status, StepStatus::Changed);
    assert_eq!(outcome.note.as_deref(), Some("ignored 5 bytes that the login printed before the command"));
}

#[tokio::test(start_paused = true)]
async fn the_line_that_failed_is_named_as_it_was_written() {
    let at = |body: &str, line: u32| (body.to_owned(), line);
    let cases = [
        (
            at("one\ntwo {{ 'hunter' ~ 2 }}\nthree\n", 2),
            "exit status 3 at line 2: two {{ 'hunter' ~ 2 }} (tasks.yaml:10)",
        ),
        (at("one\ntwo", 2), "exit status 3 at line 2: two"),
        (at("one", 1), "exit status 3"),
        (at("one\ntwo\n", 9), "exit status 3"),
        (at("{% if true %}\none\n{% endif %}\ntwo\n", 2), "exit status 3 at line 2 of the rendered script"),
        (at("one {{ 'a\\nb' }}\ntwo\n", 3), "exit status 3 at line 3 of the rendered script"),
    ];
    for ((body, line), message) in cases {
        let ends = Command::runs().errs(0, format!("fan-TOKEN-line {} 4\n", line + 4)).exit(0, 3).closed();
        let body = Located::new(Arc::from(body.as_str()), Position::new("tasks.yaml", 9, 9));
        let step = step(Action::Run(TaskCommand::Script(body)));
        let ran = run(plan(1, vec![vec![step]]), Fake::new().runs("h0", [ends])).await;
        assert_eq!(ran.host("h0").failure.as_ref().map(Failure::message).as_deref(), Some(message));
        assert_eq!(ran.output("h0"), "");
    }
}

#[tokio::test(start_paused = true)]
async fn a_script_too_long_for_a_line_is_typed_when_the_shell_is_ready() {
    let body = format!("echo {}\n", "x".repeat(200_000));
    let reader = Command::runs()
        .errs(0, "fan-TOKEN-ready\n")
        .reads("echo xxx")
        .reads("\n")
        .says(0, "fan-TOKEN-start\n")
        .reads("EOF")
        .exit(0, 0)
        .closed()
        .unmarked();
    let ran = run(plan(1, vec![vec![script(&body)]]), Fake::new().runs("h0", [reader])).await;
    assert_eq!(ran.statuses(), [Status::Ok]);
    assert!(ran.tally.starts["h0"][0].len() < 2000);
    // A login that reads its input before that gets none of it.
    let silent = Command::runs().says(0, "What is your name? ").unmarked();
    let mut plan = plan(1, vec![vec![script(&body)]]);
    plan.hosts[0].command_timeout = Some(crate::engine::tests::ms(500));
    let ran = run(plan, Fake::new().runs("h0", [silent])).await;
    assert_eq!((ran.kind("h0"), ran.tally.sent.len()), (Some(Kind::Timeout), 0));
    let message = ran.host("h0").failure.as_ref().expect("it failed").message();
    assert!(message.ends_with("the login had not started the command"), "{message}");
}
