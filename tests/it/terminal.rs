//! The live view on a real pseudo-terminal, as `script` gives one: what is left on the screen, and what never
//! gets there.

use fan::sandbox::Behaviour;

use crate::stable::stable;
use crate::support::{Fan, Ran, sandbox};

/// Runs the binary with its output on a terminal.
fn on_terminal(fan: Fan, args: &[&str]) -> Ran {
    // `script` takes the command as one text for a shell.
    let quoted: Vec<String> = args.iter().map(|arg| format!("'{}'", arg.replace('\'', r"'\''"))).collect();
    let call = format!("\"$BINARY\" {}", quoted.join(" "));
    let fan = fan.env("CALL", &call).env("TERM", "xterm").env("SHELL", "/bin/sh");
    fan.in_script("BINARY=$1 exec script -qefc \"$CALL\" /dev/null").run::<&str>([])
}

/// What stands on a screen in the end, as far as fan's own movements go; any other one is a failure.
fn screen(output: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    let (mut row, mut column) = (0, 0);
    let mut rest = output;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '\n' => {
                row += 1;
                lines.resize(lines.len().max(row + 1), String::new());
            }
            '\r' => column = 0,
            '\x1b' => {
                let end = rest.find(|c: char| c.is_ascii_alphabetic()).unwrap();
                let number = rest[1..end].parse::<usize>().ok();
                match &rest[end..=end] {
                    "A" => row -= number.unwrap(),
                    "J" if number.is_none() => {
                        lines.truncate(row + 1);
                        lines[row] = lines[row].chars().take(column).collect();
                    }
                    "m" => {}
                    other => panic!("a terminal was sent {other:?} in {output:?}"),
                }
                rest = &rest[end + 1..];
            }
            c => {
                assert!(!c.is_control(), "a terminal was sent {c:?} in {output:?}");
                let line = &mut lines[row];
                line.extend(std::iter::repeat_n(' ', (column + 1).saturating_sub(line.chars().count())));
                *line = line.chars().take(column).chain([c]).chain(line.chars().skip(column + 1)).collect();
                column += 1;
            }
        }
    }
    lines.into_iter().map(|line| line.trim_end().to_owned()).collect()
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
    hint: is one of these keys in ~fan/.ssh/authorized_keys there?
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
