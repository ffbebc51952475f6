//! What commands read and are answered, terminals, and local files that are run on hosts; over a real OpenSSH server.

use crate::fixtures::sshd::Sshd;
use crate::fixtures::support::{Fan, Ran};

fn run(sshd: &Sshd, tasks: &str, files: &[(&str, &[u8])]) -> Ran {
    let fan = files.iter().fold(Fan::at(sshd), |fan, (name, content)| fan.file(name, content));
    fan.file("tasks.yaml", tasks)
        .env("TOKEN", "hunter2-hunter2")
        .env("TMPDIR", "/tmp")
        .run(["run", "t", "-N", "-H", "h1"])
}

fn said(ran: &Ran) -> Vec<&str> {
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    ran.stdout.lines().collect()
}

#[test]
fn stdin_is_a_text_and_is_empty_without_one() {
    let sshd = Sshd::start();
    let tasks = r#"
vars: {name: "it's {{ host }}"}
tasks:
  t:
    - {run: 'cat; echo end', stdin: "a {{ name }}\nb"}
    - {run: [wc, -c], stdin: "12345"}
    - {run: cat}
    - {local: cat, stdin: "local {{ host }}\n"}
    - run: |
        read line
        echo "[$line]"
        cat
      stdin: |
        one
        two
"#;
    let ran = run(&sshd, tasks, &[]);
    let expected = ["a it's h1", "bend", "5", "local h1", "[one]", "two"];
    assert_eq!(said(&ran), expected, "{}", ran.snapshot());
}

#[test]
fn questions_are_answered_so_often_and_no_oftener() {
    let sshd = Sshd::start();
    let ask = "printf '\\033[1mNew pass\\033[0mword: '; read a; printf 'Retype: ' >&2; read b; echo; test \"$a\" = \"$b\" && printf 'same %s' \"$a\" | wc -c";
    let tasks = format!(
        r#"
secrets: {{token: {{env: TOKEN}}}}
tasks:
  t:
    - run: |
        {ask}
      respond:
        - {{prompt: 'New password: $', answer: "{{{{ token }}}}"}}
        - {{prompt: 'Retype: ?$', answer: "{{{{ token }}}}"}}
    - run: |
        for i in 1 2 3; do printf 'Go on? '; read a || {{ echo "no more"; break; }}; echo "got $a"; done
      respond: {{prompt: 'Go on\?', answer: 'yes', times: 2}}
    - local: printf 'Name? '; read a; echo "$a"
      respond: {{prompt: '(?i)NAME', answer: '{{{{ host }}}}'}}
"#
    );
    let ran = run(&sshd, &tasks, &[]);
    let out = ran.stdout.replace("\u{1b}", "");
    for said in ["20", "Go on? got yes\nGo on? got yes\nGo on? no more", "Name? h1"] {
        assert!(out.contains(said), "{said}: {}", ran.snapshot());
    }
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    assert!(!out.contains("hunter2"), "{}", ran.snapshot());
}

#[test]
fn a_terminal_for_those_who_want_one() {
    let sshd = Sshd::start();
    let tasks = r#"
secrets: {token: {env: TOKEN}}
tasks:
  t:
    - {run: 'test -t 0 && test -t 1 && test -t 2 && echo "all $TERM"; exit 3', pty: true, ok_codes: 3}
    - {run: 'test -t 1 || echo none'}
    - run: |
        printf 'Password: ' >/dev/tty
        read secret </dev/tty
        printf %s "$secret" | wc -c
      pty: true
      respond: {prompt: 'Password: $', answer: "{{ token }}"}
"#;
    let ran = run(&sshd, tasks, &[]);
    let said = said(&ran);
    assert_eq!(said[..2], ["all dumb", "none"], "{}", ran.snapshot());
    assert!(said.last().unwrap().ends_with("15"), "{}", ran.snapshot());
    assert!(!ran.stdout.contains("hunter2"), "{}", ran.snapshot());
    let tasks = "tasks: {t: [{run: 'sleep 1000; echo no', pty: true, timeout: 1s}]}";
    let ran = run(&sshd, tasks, &[]);
    assert!(ran.code == Some(1) && ran.stderr.contains("[timeout]"), "{}", ran.snapshot());
}

#[test]
fn a_local_script_is_run_there_and_leaves_nothing() {
    let sshd = Sshd::start();
    let script = "#!/bin/bash\nset -eu\nprintf '<%s>' \"$@\" \"$PWD\" \"$V\"; echo\ndirname \"$0\" >>/tmp/\"$MARK\"\nexit \"${1:-0}\"\n";
    let python = "import sys\nprint('py', sys.argv[1:], sys.stdin.read())\n";
    let mark = format!("fan-test-mark-{}", std::process::id());
    let tasks = format!(
        r#"
vars: {{odd: "it's $HOME *"}}
tasks:
  t:
    - script: dist/a.sh
      args: [0, "b {{{{ odd }}}}", ""]
      cd: /usr
      env: {{V: "{{{{ odd }}}}", MARK: {mark}}}
    - {{script: dist/a.sh, args: "3 -x {{{{ odd }}}}", env: {{V: v, MARK: {mark}}}, ok_codes: 3, sudo: true}}
    - {{script: "dist/{{{{ 'p' }}}}y", shell: python3, args: [1], stdin: "in\n"}}
    - {{script: dist/plain, register: out}}
    - echo: "{{{{ out.stdout }}}} {{{{ out.changed }}}}"
"#
    );
    let plain = format!("{}echo plain\n", "# filler, it's long \\n \"$x\"\n".repeat(10_000));
    let files: [(&str, &[u8]); 3] =
        [("dist/a.sh", script.as_bytes()), ("dist/py", python.as_bytes()), ("dist/plain", plain.as_bytes())];
    let ran = run(&sshd, &tasks, &files);
    let home = std::env::var("HOME").unwrap_or_default();
    let said = said(&ran);
    assert_eq!(said[0], "<0><b it's $HOME *><></usr><it's $HOME *>", "{}", ran.snapshot());
    assert!(said[1].starts_with("<3><-x><it's $HOME *><"), "{home} {}", ran.snapshot());
    assert_eq!(said[2..], ["py ['1'] in", "", "plain", "plain true"], "{}", ran.snapshot());
    let marks = std::fs::read_to_string(format!("/tmp/{mark}")).unwrap();
    std::fs::remove_file(format!("/tmp/{mark}")).unwrap();
    assert_eq!(marks.lines().count(), 2);
    assert!(marks.lines().all(|folder| !std::path::Path::new(folder).exists()), "{marks}");
}

#[test]
fn a_script_that_is_stopped_leaves_nothing_either() {
    let sshd = Sshd::start();
    let tasks = "tasks: {t: [{script: a.sh, timeout: 1s}]}";
    let ran = run(&sshd, tasks, &[("a.sh", b"dirname \"$0\"\nsleep 1000\n")]);
    assert!(ran.code == Some(1) && ran.stderr.contains("[timeout]"), "{}", ran.snapshot());
    let folder = ran.stdout.trim().to_owned();
    assert!(folder.contains("/fan-"), "{}", ran.snapshot());
    crate::fixtures::support::eventually("the folder is gone", || {
        (!std::path::Path::new(&folder).exists()).then_some(())
    });
}

#[test]
fn a_script_that_cannot_be_carried_is_found_before_contact() {
    let sshd = Sshd::start();
    let long = vec![b'x'; 1024 * 1024 + 1];
    let tasks = "tasks: {t: [{script: gone.sh}, {script: dist}, {script: long.sh}]}";
    let ran = run(&sshd, tasks, &[("dist/x", b""), ("long.sh", &long)]);
    assert_eq!((ran.code, sshd.connections()), (Some(2), 0), "{}", ran.snapshot());
    for said in [
        "gone.sh: no such file or folder",
        "dist is not a file",
        "1048577 bytes, and a script can have 1048576",
    ] {
        assert!(ran.stderr.contains(said), "{said}: {}", ran.snapshot());
    }
}
