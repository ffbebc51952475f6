//! The live view on a real pseudo-terminal: what stands on the screen, what is left on it, and what never gets there.

use fan::testing::sandbox::{Behaviour, Sandbox};

use crate::fixtures::stable::stable;
use crate::fixtures::support::{Fan, Ran, sandbox};
use crate::fixtures::window::{Screen, Window};

/// Runs the binary with its output on a terminal.
fn on_terminal(fan: Fan, args: &[&str]) -> Ran {
    // `script` takes the command as one text for a shell.
    let quoted: Vec<String> = args.iter().map(|arg| format!("'{}'", arg.replace('\'', r"'\''"))).collect();
    let call = format!("\"$BINARY\" {}", quoted.join(" "));
    let fan = fan.env("CALL", &call).env("TERM", "xterm").env("SHELL", "/bin/sh");
    fan.in_script("BINARY=$1 exec script -qefc \"$CALL\" /dev/null").run::<&str>([])
}

/// What stands on a large screen in the end.
fn screen(output: &str) -> Vec<String> {
    let mut screen = Screen::new(1000, 1000);
    screen.take(output.as_bytes());
    screen.all().lines().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_above_and_the_recap_at_the_end() {
    let sandbox = sandbox([("web1", Behaviour::Normal), ("web2", Behaviour::RefuseAuth)]).await;
    let script =
        "echo one; sleep 0.5; printf 'bad \\033[2J\\033[9Aend\\rover\\n'; printf 'tail \\007'; exit 3";
    let ran = on_terminal(Fan::of(&sandbox), &["exec", "-z", "1", "-H", "all", "--", script]);
    assert_eq!(ran.code, Some(1), "{}", ran.snapshot());
    assert!(ran.stdout.contains("running 1"), "no bars were drawn: {:?}", ran.stdout);
    let shown = screen(&ran.stdout).join("\n");
    insta::assert_snapshot!(stable(&shown, &[]), @r"
    web1 | one
    web1 | bad \x1b[2J\x1b[9Aend\rover
    web1 | tail \x07
    web1: exit status 3
    web2: login as fan was refused: tried ED25519 SHA256:<fingerprint>; the server allows publickey (127.0.0.1:<port>) [auth_failed]
    exec echo one; sleep 0.5; printf 'bad \033[2J\033[9Aend\rov… · web[1-2] · 1 failed, 1 unreachable  <time>
      web1  failed
      web2  unreachable

    web1: exit status 3
      | one
      | bad \x1b[2J\x1b[9Aend\rover
      | tail \x07

    web2: login as fan was refused: tried ED25519 SHA256:<fingerprint>; the server allows publickey (127.0.0.1:<port>) [auth_failed]
    hint: is one of these keys in ~fan/.ssh/authorized_keys there?
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_bars_where_none_are_wanted() {
    let sandbox = sandbox([("web1", Behaviour::Normal)]).await;
    for (name, value, flags) in [("TERM", "dumb", &[][..]), ("NO_COLOR", "1", &["--format", "lines"])] {
        let fan = Fan::of(&sandbox);
        let args = [&["exec", "-H", "web1"], flags, &["--", "sleep 0.3; exit 1"]].concat();
        let call = format!(
            "{name}={value} \"$BINARY\" {}",
            args.iter().map(|arg| format!("'{arg}' ")).collect::<String>()
        );
        let fan = fan.env("CALL", &call).env("SHELL", "/bin/sh");
        let ran = fan.in_script("BINARY=$1 exec script -qefc \"$CALL\" /dev/null").run::<&str>([]);
        assert_eq!(ran.code, Some(1), "{}", ran.snapshot());
        assert!(!ran.stdout.contains('\x1b') && !ran.stdout.contains("running"), "{name}: {:?}", ran.stdout);
    }
}

/// Many hosts talk while the bars move: every line is whole, in its host's order.
#[tokio::test(flavor = "multi_thread")]
async fn lines_of_many_hosts_are_whole() {
    let names: Vec<String> = (10..22).map(|number| format!("h{number}")).collect();
    let sandbox = sandbox(names.iter().map(|name| (name.as_str(), Behaviour::Normal))).await;
    let script =
        "n=$(basename $PWD); i=0; while [ $i -lt 30 ]; do echo $n $i; i=$((i + 1)); sleep 0.01; done";
    let ran = on_terminal(Fan::of(&sandbox), &["exec", "-H", "all", "--", script]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    let screen = screen(&ran.stdout);
    for name in &names {
        let own: Vec<&str> =
            screen.iter().filter_map(|line| line.strip_prefix(&format!("{name} | "))).collect();
        let expected: Vec<String> = (0..30).map(|number| format!("{name} {number}")).collect();
        assert_eq!(own, expected);
    }
    assert!(screen.iter().any(|line| line.contains("12 ok")), "{screen:?}");
    assert!(!screen.iter().any(|line| line.starts_with("running")), "bars stay behind: {screen:?}");
}

/// The terminal sends SIGINT to everything in the foreground: `local` commands too.
#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_is_typed() {
    let sandbox = sandbox([("web1", Behaviour::Normal), ("web2", Behaviour::Normal)]).await;
    let tasks = "tasks: {wait: {hosts: [all], steps: [{local: 'touch $FAN_HOST; sleep 600', when: \"host == 'web1'\"}, {run: 'touch up; sleep 600'}]}}\n";
    let fan = Fan::of(&sandbox)
        .file("tasks.yaml", tasks)
        .env("CALL", "\"$BINARY\" run wait")
        .env("SHELL", "/bin/sh");
    let up = sandbox.hosts()[1].home.join("up");
    let typed = format!(
        "until test -e web1 && test -e {}; do sleep 0.05; done; printf '\\003'; until test -e over; do sleep 0.05; done",
        up.display()
    );
    let script = format!(
        "{{ {typed}; }} | {{ BINARY=$1 script -qefc \"$CALL\" /dev/null; code=$?; touch over; exit $code; }}"
    );
    let ran = fan.env("TERM", "xterm").in_script(&script).run::<&str>([]);
    assert_eq!(ran.code, Some(130), "{}", ran.snapshot());
    let screen = screen(&ran.stdout.replace("^C", "")).join("\n");
    assert!(screen.contains("2 cancelled · stopped by Ctrl-C") && !screen.contains("may still"), "{screen}");
}

/// What hosts do in these tests: they say something, and wait for a file.
const UNTIL_GO: &str = "echo begin; until test -e go; do sleep 0.05; done";

fn go(sandbox: &Sandbox) {
    sandbox.hosts().iter().for_each(|host| std::fs::write(host.home.join("go"), "").unwrap());
}

/// Hosts `web10` and so on that wait until they may go on, and a fan that knows them.
async fn waiting(count: usize) -> (Sandbox, Fan) {
    let names: Vec<String> = (10..10 + count).map(|number| format!("web{number}")).collect();
    let sandbox = sandbox(names.iter().map(|name| (name.as_str(), Behaviour::Normal))).await;
    let fan = Fan::of(&sandbox);
    (sandbox, fan)
}

/// A screen without what differs from run to run: which of many equal hosts, and times.
fn same(screen: &str) -> String {
    let host = |line: &str| match line.trim_start().strip_prefix("web") {
        Some(rest) => {
            let indent = &line[..line.len() - line.trim_start().len()];
            format!("{indent}web<n>{}", rest.trim_start_matches(|c: char| c.is_ascii_digit()))
        }
        None => line.to_owned(),
    };
    stable(&screen.lines().map(host).collect::<Vec<_>>().join("\n"), &[])
}

/// Hosts at the same thing share a line: output has most of the screen, however many there are.
#[tokio::test(flavor = "multi_thread")]
async fn many_hosts_in_windows_of_many_sizes() {
    let (sandbox, fan) = waiting(30).await;
    let tasks = format!(
        "tasks: {{t: {{hosts: [all], steps: [run: '{UNTIL_GO}', {{name: 'Finish {{{{ app }}}}', run: 'until test -e end; do sleep 0.05; done'}}]}}}}\nvars: {{app: shop}}\n"
    );
    let fan = fan.file("tasks.yaml", tasks);
    let run = [env!("CARGO_BIN_EXE_fan"), "run", "t"];
    let window = Window::open(&fan, (80, 24), &run);
    let all = |screen: &str| screen.matches("| begin").count() >= 20 && screen.contains("(30)");
    let shown = window.until("output above one line of hosts", all);
    let bars: Vec<&str> = shown.lines().skip_while(|line| line.contains("| begin")).collect();
    insta::assert_snapshot!(stable(&bars.join("\n"), &[]), @"
      web[10-39] (30)  <time>  t 1/2  echo begin; until test -e go; do sleep 0.05;
    running 30 · ok 0 / 30  [                        ]  v: view
    ");
    // One of them goes on.
    std::fs::write(sandbox.hosts()[4].home.join("go"), "").unwrap();
    let shown = window.until_shown("Finish shop");
    let bars: Vec<&str> = shown.lines().skip_while(|line| line.contains("| begin")).collect();
    insta::assert_snapshot!(stable(&bars.join("\n"), &[]), @"
      web[10-13,15-39] (29)  <time>  t 1/2  echo begin; until test -e go; do sleep
      web14  <time>  t 2/2  Finish shop
    running 30 · ok 0 / 30  [                        ]  v: view
    ");
    window.resize(40, 6);
    window.until_shown("and 30 more hosts");
    window.resize(100, 40);
    window.until_shown("Finish shop");
    sandbox.hosts().iter().for_each(|host| std::fs::write(host.home.join("end"), "").unwrap());
    go(&sandbox);
    let (code, all) = window.end();
    assert_eq!(code, Some(0), "{all}");
    // The recap is laid out for the window as it is now: a table, which the one at the start had no room for.
    assert!(all.contains("web[10-39] · 30 ok") && !all.contains("30 ok: web"), "{all}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_that_is_dragged_keeps_no_trace_of_bars() {
    let (sandbox, fan) = waiting(3).await;
    let exec = [env!("CARGO_BIN_EXE_fan"), "exec", "-H", "all", "--", UNTIL_GO];
    let window = Window::open(&fan, (80, 24), &exec);
    let three = |screen: &str| screen.contains("running 3") && screen.matches("| begin").count() == 3;
    window.until("three bars", three);
    for (columns, rows) in [(40, 10), (90, 30), (30, 12), (80, 24)] {
        // Just after a picture, when the next one is far.
        let before = window.until_shown("running 3");
        window.until("the next one", |screen| screen != before);
        window.resize(columns, rows);
        let before = window.until_shown("running 3");
        window.until("the next one", |screen| screen != before);
    }
    go(&sandbox);
    let (code, all) = window.end();
    assert_eq!(code, Some(0), "{all}");
    let lines = all.lines().filter(|line| line.starts_with("web") && line.ends_with("| begin")).count();
    assert_eq!((lines, all.contains("running"), all.lines().count()), (3, false, 7), "{all}");
}

/// In a shell with job control, as `set -m` makes one.
#[tokio::test(flavor = "multi_thread")]
async fn ctrl_z_gives_the_terminal_back_and_fg_takes_it_again() {
    let (sandbox, fan) = waiting(2).await;
    let mut window = Window::open(&fan, (80, 24), &["sh", "-im"]);
    window.until_shown("$");
    let script = "echo begin; until test -e more; do sleep 0.05; done; echo more; until test -e go; do sleep 0.05; done";
    window.press(&format!("\"$BINARY\" exec -H all -- '{script}'\n"));
    window.until_shown("running 2");
    window.press("\x1a");
    let stopped = window.until("the shell", |screen| screen.ends_with('$'));
    assert!(stopped.contains("Stopped") && !stopped.contains("running"), "{stopped}");
    window.press("echo in be''tween\n");
    window.until_shown("in between");
    window.press("fg\n");
    window.until_shown("running 2");
    window.press("\x1a");
    window.until("the shell", |screen| screen.ends_with('$') && !screen.contains("running"));
    // In the background there are lines, and no bars in what the user types.
    window.press("bg\n");
    sandbox.hosts().iter().for_each(|host| std::fs::write(host.home.join("more"), "").unwrap());
    let background = window.until("more lines", |screen| screen.matches("| more").count() == 2);
    assert!(!background.contains("running"), "{background}");
    window.press("fg\n");
    window.until_shown("running 2");
    go(&sandbox);
    window.until_shown("2 ok");
    window.press("exit\n");
    let (code, all) = window.end();
    assert_eq!((code, all.contains("running")), (Some(0), false), "{all}");
    assert_eq!((all.matches("| begin").count(), all.matches("| more").count()), (2, 2), "{all}");
}

/// Nobody could continue it.
#[tokio::test(flavor = "multi_thread")]
async fn ctrl_z_without_a_shell_stops_nothing() {
    let (sandbox, fan) = waiting(1).await;
    let exec = [env!("CARGO_BIN_EXE_fan"), "exec", "-H", "all", "--", UNTIL_GO];
    let mut window = Window::open(&fan, (80, 24), &exec);
    window.until_shown("running 1");
    window.press("\x1a");
    go(&sandbox);
    let (code, all) = window.end();
    assert_eq!(code, Some(0), "{all}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_stands_alone_and_is_asked_again_after_ctrl_z() {
    let (sandbox, fan) = waiting(2).await;
    let tasks = format!(
        "tasks: {{release: {{hosts: [all], steps: [run: echo ready, confirm: Release now?, run: '{UNTIL_GO}']}}}}\n"
    );
    let fan = fan.file("tasks.yaml", tasks);
    let mut window = Window::open(&fan, (80, 24), &["sh", "-im"]);
    window.until_shown("$");
    window.press("\"$BINARY\" run release\n");
    let asked = window.until("the question", |screen| screen.ends_with("[yes/no]:"));
    insta::assert_snapshot!(same(&asked), @r#"
    $ "$BINARY" run release
    release: 2 hosts
    web<n> | ready
    web<n> | ready
    Release now? [yes/no]:
    "#);
    window.press("perhaps\n");
    window.until("the question again", |screen| screen.matches("[yes/no]:").count() == 2);
    window.press("ye\x1a");
    let shell = window.until("the shell", |screen| screen.ends_with('$'));
    assert!(!shell.contains("running"), "{shell}");
    window.press("fg\n");
    window.until("the question after fg", |screen| screen.matches("[yes/no]:").count() == 3);
    window.press("yes\n");
    window.until_shown("running 2");
    go(&sandbox);
    window.until_shown("2 ok");
    window.press("exit\n");
    let (code, all) = window.end();
    assert_eq!((code, all.contains("running")), (Some(0), false), "{all}");
}

/// The keys of a terminal do at a question without echo what they do anywhere else.
#[test]
fn a_hidden_question_is_asked_again_after_ctrl_z_and_ends_with_ctrl_backslash() {
    let inventory = "hosts: {h1: {transport: local}}\n";
    let tasks = "secrets: {pin: {prompt: Which pin}}\n\
                 tasks:\n  \
                   before: {hosts: [h1], steps: [run: 'test {{ pin }} = right && echo agreed']}\n  \
                   within: {hosts: [h1], steps: [{prompt: {ask: Which pin, set: p, secret: true}}, run: 'test {{ p }} = right && echo agreed']}\n";
    let fan = Fan::new().file("inventory.yaml", inventory).file("tasks.yaml", tasks);
    for task in ["before", "within"] {
        let mut window = Window::open(&fan, (80, 24), &["sh", "-im"]);
        window.until_shown("$");
        window.press("stty -a > first\n");
        window.press(&format!("\"$BINARY\" run {task}\n"));
        window.until("the question", |screen| screen.ends_with("Which pin:"));
        window.press("wrong\x1a");
        window.until("the shell", |screen| screen.ends_with('$') && screen.contains("Stopped"));
        window.press("stty -a > stopped\n");
        window.press("fg\n");
        window.until("the question again", |screen| screen.matches("Which pin:").count() == 2);
        // What was typed before was given up; nothing of either is shown.
        window.press("right\n");
        window.until_shown("1 ok");
        window.press(&format!("\"$BINARY\" run {task}\n"));
        window.until("the question", |screen| screen.matches("Which pin:").count() == 3);
        window.press("half\x1c");
        // The key takes away what is typed and not read.
        window.until("the shell", |screen| screen.ends_with('$'));
        window.press("echo code $?; stty -a > last\n");
        let shown = window.until_shown("code 131");
        window.press("exit 0\n");
        let (_, all) = window.end();
        assert!(all.contains("| agreed") && !all.contains("wrong") && !all.contains("half"), "{task}: {all}");
        assert!(shown.contains("Which pin:\n"), "on a line of its own: {shown}");
        let modes =
            ["first", "stopped", "last"].map(|name| std::fs::read_to_string(fan.work().join(name)).unwrap());
        assert_eq!((&modes[1], &modes[2]), (&modes[0], &modes[0]), "{task}");
    }
}
