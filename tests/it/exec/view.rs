//! The live view on a real pseudo-terminal: its keys, and what the run and the shell see of it.

use std::fs;

use fan::testing::sandbox::{Behaviour, Sandbox};
use rustix::process::Signal;

use crate::fixtures::stable::stable;
use crate::fixtures::support::{Fan, eventually, sandbox};
use crate::fixtures::window::Window;

const FAN: &str = env!("CARGO_BIN_EXE_fan");

/// What hosts do in these tests: they say something that its title does not say, and wait for a file.
const UNTIL_GO: &str = r"echo be\gin; until test -e go; do sleep 0.05; done; echo e\nd";

fn go(sandbox: &Sandbox) {
    sandbox.hosts().iter().for_each(|host| fs::write(host.home.join("go"), "").unwrap());
}

/// Hosts `web10` and so on that wait until they may go on, and a fan that knows them.
async fn waiting(count: usize) -> (Sandbox, Fan) {
    let names: Vec<String> = (10..10 + count).map(|number| format!("web{number}")).collect();
    let sandbox = sandbox(names.iter().map(|name| (name.as_str(), Behaviour::Normal))).await;
    let fan = Fan::of(&sandbox);
    (sandbox, fan)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_host_is_looked_at_and_cancelled_while_the_others_go_on() {
    for size in [(80, 24), (200, 50)] {
        let (sandbox, fan) = waiting(30).await;
        let mut window = Window::open(&fan, size, &[FAN, "exec", "-H", "all", "--", UNTIL_GO]);
        window.until("all at work, and the key told", |screen| {
            screen.contains("running 30") && screen.contains("v: view")
        });
        window.press("v");
        let list = window.until("the list", |screen| {
            screen.contains("last line") && screen.matches(" begin").count() == 30.min(size.1 - 3)
        });
        assert_eq!(list.lines().count(), size.1, "{list}");
        assert!(!list.contains("web10 |"), "lines wait: {list}");
        window.press("/web23\r");
        window.until("one host", |screen| screen.contains("only with") && !screen.contains("web24"));
        window.press("\r");
        window.until("its output", |screen| screen.contains("web23 · running") && screen.contains("\nbegin"));
        window.press("c");
        window.until_shown("cancel web23?");
        window.press("y");
        window.until_shown("cancelled by the user");
        window.press("q");
        window.until_shown("only with");
        window.press("\x1b");
        window.until("the others", |screen| {
            screen.contains("web24") && screen.contains("running 29") && screen.contains("cancelled 1")
        });
        // Left and opened again while the run goes on.
        window.press("q");
        let left =
            window.until("the lines", |screen| screen.contains("running 29") && screen.contains("v: view"));
        assert!(left.contains("| begin") && !left.contains("last line"), "{left}");
        window.press("\t");
        window.until_shown("last line");
        go(&sandbox);
        let over = window.until("the end", |screen| screen.contains("ok 29") && screen.contains("over"));
        assert!(over.contains("web10") && over.contains(" end"), "{over}");
        window.press("q");
        let (code, all) = window.end();
        assert_eq!(code, Some(1), "{all}");
        // Once more in the recap, for the one that was cancelled.
        assert_eq!((all.matches("| begin").count(), all.matches("| end").count()), (31, 29), "{all}");
        assert!(all.replace('\n', "").contains("29 ok, 1 cancelled"), "{all}");
        assert!(all.contains("web23: cancelled: cancelled by the user"), "{all}");
        assert!(!all.contains("last line") && !all.contains("running"), "nothing of it stays: {all}");
    }
}

/// In a shell with job control, as `set -m` makes one.
#[tokio::test(flavor = "multi_thread")]
async fn windows_are_resized_and_ctrl_z_and_ctrl_c_are_what_they_are_without_it() {
    let (_sandbox, fan) = waiting(3).await;
    let mut window = Window::open(&fan, (80, 24), &["sh", "-im"]);
    window.until_shown("$");
    window.press("stty -a > before\n");
    window.press(&format!("\"$BINARY\" exec --view -H all -- '{UNTIL_GO}'\n"));
    window.until("the list", |screen| screen.contains("last line") && screen.matches(" begin").count() == 3);
    for (columns, rows) in [(60, 10), (120, 30), (80, 24)] {
        window.resize(columns, rows);
        window.until("the list anew", |screen| {
            screen.lines().count() == rows && screen.lines().last().is_some_and(|last| last.contains("order"))
        });
    }
    window.press("\x1a");
    let stopped = window.until("the shell", |screen| screen.ends_with('$') && screen.contains("Stopped"));
    assert!(!stopped.contains("last line"), "{stopped}");
    window.press("stty -a > stopped\n");
    window.press("echo in be''tween\n");
    window.until_shown("in between");
    window.press("fg\n");
    window.until("the list again", |screen| {
        screen.contains("last line") && screen.matches(" begin").count() == 3
    });
    window.press("\x03");
    window.until("the end", |screen| screen.contains("stopped by INT") && screen.ends_with('$'));
    window.press("stty -a > after; exit 0\n");
    let (_, all) = window.end();
    assert!(!all.contains("last line"), "{all}");
    let modes = ["before", "stopped", "after"].map(|name| fs::read_to_string(fan.work().join(name)).unwrap());
    assert_eq!((&modes[1], &modes[2]), (&modes[0], &modes[0]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_has_the_terminal_and_the_view_comes_back() {
    let (sandbox, fan) = waiting(2).await;
    let tasks = format!(
        "tasks: {{release: {{hosts: [all], steps: [run: echo ready, {{confirm: \"First line?\\nRelease now?\"}}, {{prompt: {{ask: Which pin, set: p, secret: true}}}}, run: '{UNTIL_GO}']}}}}\n"
    );
    let fan = fan.file("tasks.yaml", tasks);
    let mut window = Window::open(&fan, (80, 24), &[FAN, "run", "--view", "release"]);
    let asked = window.until("the question", |screen| screen.ends_with("Release now? [yes/no]:"));
    assert!(asked.contains("| ready") && asked.contains("\nFirst line?\n"), "{asked}");
    window.press("yes\n");
    window.until("the next one", |screen| screen.ends_with("Which pin:"));
    window.press("hunter2-long\n");
    window.until("the view", |screen| screen.contains("last line") && screen.matches(" begin").count() == 2);
    go(&sandbox);
    window.until_shown("over");
    window.press("v");
    let (code, all) = window.end();
    assert_eq!(code, Some(0), "{all}");
    assert!(all.contains("2 ok") && !all.contains("hunter2"), "{all}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_view_without_a_terminal() {
    let (_sandbox, fan) = waiting(1).await;
    let ran = fan.run(["exec", "--view", "-H", "all", "--", "true"]);
    insta::assert_snapshot!(stable(&ran.stderr, &[]), @"error: --view needs a terminal (help: stdin, stdout and stderr must be one, outside CI, and --format be auto or fold)");
    assert_eq!(ran.code, Some(2));
    let shown = fan.run(["show", "--view"]);
    assert_eq!(shown.code, Some(2), "{}", shown.snapshot());
}

/// A run of another process is seen as it goes on, with what it said before.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_another_process_is_followed_to_its_end() {
    let (sandbox, fan) = waiting(2).await;
    let tasks = format!("tasks: {{t: {{hosts: [all], steps: [run: '{UNTIL_GO}']}}}}\n");
    let fan = fan.file("tasks.yaml", tasks);
    let running = fan.start(["run", "t"]);
    eventually("its first lines", || (running.stdout_so_far().matches("| begin").count() == 2).then_some(()));
    let follower = fan.start(["show", "last", "--follow"]);
    eventually("what it said before", || {
        (follower.stdout_so_far().matches("| begin").count() == 2).then_some(())
    });
    let mut window = Window::open(&fan, (80, 24), &[FAN, "show", "last", "--view"]);
    window.until("the list", |screen| screen.contains("last line") && screen.matches(" begin").count() == 2);
    window.press("c");
    window.until_shown("another fan's");
    go(&sandbox);
    let ran = running.finish();
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    let followed = follower.finish();
    assert_eq!(
        (followed.code, followed.stdout.matches("| end").count()),
        (Some(0), 2),
        "{}",
        followed.snapshot()
    );
    assert!(followed.stderr.contains("t · web[10-11] · 2 ok"), "{}", followed.snapshot());
    window.until("the end", |screen| screen.contains("over") && screen.contains("ok 2"));
    window.press("q");
    let (code, all) = window.end();
    assert_eq!(code, Some(0), "{all}");
    // One that is over.
    let mut past = Window::open(&fan, (200, 50), &[FAN, "show", "last", "--view"]);
    past.until("the list", |screen| screen.contains("last line") && screen.matches(" end").count() == 2);
    past.press("\r");
    past.until("its output", |screen| screen.contains("\nbegin\nend"));
    past.press("v");
    assert_eq!(past.end().0, Some(0));
    assert_eq!(fan.run(["show", "last", "--follow"]).code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_run_that_is_followed_has_no_end() {
    let (sandbox, fan) = waiting(2).await;
    let tasks = format!("tasks: {{t: {{hosts: [all], steps: [run: '{UNTIL_GO}']}}}}\n");
    let fan = fan.file("tasks.yaml", tasks);
    let running = fan.start(["run", "t"]);
    eventually("its first lines", || (running.stdout_so_far().matches("| begin").count() == 2).then_some(()));
    let follower = fan.start(["show", "last", "--follow"]);
    eventually("what it said", || (follower.stdout_so_far().matches("| begin").count() == 2).then_some(()));
    running.signal(Signal::KILL);
    running.finish();
    let followed = follower.finish();
    assert_eq!(followed.code, Some(1), "{}", followed.snapshot());
    assert!(followed.stderr.contains("this run has no end: its fan was killed"), "{}", followed.snapshot());
    assert!(followed.stderr.contains("2 unfinished"), "{}", followed.snapshot());
    go(&sandbox);
}
