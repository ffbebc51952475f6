//! Scripts that fail, in the shells of this machine: the line that they tell, and that nobody else hears of it.

use std::process::{Command, Output, Stdio};

use crate::model::shell::marks::{Mark, Scan, Token};
use crate::model::shell::tests::installed;
use crate::model::shell::{Prelude, task_script};

struct Ran {
    stdout: String,
    stderr: String,
    line: Option<u32>,
    code: Option<i32>,
}

fn run(shell: &[String], script: &str) -> Ran {
    let token = Token::new(0x11);
    let prelude = Prelude { token: Some(&token), ..Prelude::default() };
    let text = task_script(&prelude, script).unwrap();
    let mut command = Command::new(&shell[0]);
    command.args(&shell[1..]).arg("-c").arg(&text).env_clear().env("PATH", std::env::var_os("PATH").unwrap());
    let Output { status, stdout, stderr } = command.stdin(Stdio::null()).output().unwrap();
    let mut line = None;
    let [stdout, stderr] = [stdout, stderr].map(|data| {
        let mut scan = Scan::new(&token);
        let scanned = scan.push(&data);
        assert_eq!(scanned.marks.first(), Some(&Mark::Start), "{shell:?}: {data:?}");
        for mark in &scanned.marks {
            if let Mark::Line(number) = mark {
                line = Some(*number);
            }
        }
        let mut output = scanned.output.into_owned();
        output.extend(scan.finish());
        String::from_utf8(output).unwrap()
    });
    Ran { stdout, stderr, line, code: status.code() }
}

/// The shells that tell lines.
const TELL: &[&str] = &["zsh", "busybox sh"];

#[test]
fn the_line_that_failed_is_told() {
    let cases = [
        ("echo a\nfalse\necho b", 2, 1),
        ("\n\nsh -c 'exit 7' # no\necho b\n", 3, 7),
        ("x='1\n2'\ny=$(\n  echo 3\n)\nls /nonexistent/x 2>/dev/null", 6, 2),
        ("cat <<E >/dev/null\na\nE\n(exit 4)\n", 4, 4),
        ("if true; then\n  true\n  sh -c 'exit 9'\nfi\n", 3, 9),
        ("for i in 1 2; do\n  test $i = 1\ndone\n", 2, 1),
        ("false || true\nif false; then echo; fi\ntrue && false || true\nfalse", 4, 1),
        ("echo x >/nonexistent/y 2>&1 || true\ngrep -q z /dev/null\n", 2, 1),
        ("x=$(false)\n", 1, 1),
    ];
    for shell in installed(&["bash"], TELL) {
        for (script, line, code) in cases {
            let ran = run(&shell, script);
            assert_eq!((ran.line, ran.code), (Some(line), Some(code)), "{shell:?} {script:?}");
        }
    }
}

/// Where a function fails, some shells tell the line inside it, and some that of the call.
/// A wrong line is worse than none.
#[test]
fn a_shell_that_cannot_tell_says_nothing() {
    for shell in installed(&["dash"], &["ksh", "mksh"]) {
        let ran = run(&shell, "true\ncat <<E >/dev/null\na\nE\n(exit 4)\n");
        assert_eq!((ran.line, ran.code), (None, Some(4)), "{shell:?}");
    }
}

#[test]
fn a_function_is_told_by_its_own_line_or_by_that_of_its_call() {
    for shell in installed(&["bash"], TELL) {
        let ran = run(&shell, "f() {\n  true\n  false\n}\ntrue\nf\necho on\n");
        assert!(matches!(ran.line, Some(3 | 6)), "{shell:?} {:?}", ran.line);
        assert_eq!((ran.stdout.as_str(), ran.code), ("", Some(1)), "{shell:?}");
    }
}

#[test]
fn a_script_sees_nothing_of_it() {
    let cases = [
        ("trap 'echo bye' EXIT\necho hi\nexit 3\n", "hi\nbye\n", "", 3),
        ("trap 'echo bye' EXIT\nfalse\n", "bye\n", "", 1),
        ("x=$( (false; echo in) 2>&1 || true)\necho \"[$x]\"\n", "", "", 0),
        ("set +e\nfalse\necho $?\nexit 0\n", "1\n", "", 0),
        ("false || echo $?\n[ -z x ] || echo no\n", "1\nno\n", "", 0),
        ("(exit 3) 2>/dev/null || echo $?\n", "3\n", "", 0),
        ("f() { return 4; }\nf || echo $?\n", "4\n", "", 0),
        ("echo a | cat\necho b >&2\n", "a\n", "b\n", 0),
        ("sh -c 'echo c; exit 5' 2>&1 | cat\n", "c\n", "", 0),
        ("true\n", "", "", 0),
        ("", "", "", 0),
    ];
    for shell in installed(&["sh", "bash", "dash"], &["zsh", "ksh", "mksh", "busybox sh"]) {
        for (script, stdout, stderr, code) in cases {
            let plain = {
                let mut command = Command::new(&shell[0]);
                let text = task_script(&Prelude::default(), script).unwrap();
                command.args(&shell[1..]).arg("-c").arg(text).output().unwrap()
            };
            let ran = run(&shell, script);
            let out = String::from_utf8(plain.stdout).unwrap();
            assert_eq!((&ran.stdout, ran.code), (&out, plain.status.code()), "{shell:?} {script:?}");
            assert_eq!(ran.stderr, String::from_utf8(plain.stderr).unwrap(), "{shell:?} {script:?}");
            if !stdout.is_empty() && ran.code == Some(code) {
                assert_eq!(
                    (ran.stdout.as_str(), ran.stderr.as_str()),
                    (stdout, stderr),
                    "{shell:?} {script:?}"
                );
            }
        }
    }
}

#[test]
fn a_file_that_takes_the_output_gets_no_mark() {
    for shell in installed(&["sh", "bash", "dash"], TELL) {
        let log = tempfile::NamedTempFile::new().unwrap();
        let ran = run(&shell, &format!("exec 2>{}\nset -x\nfalse\n", log.path().display()));
        assert_eq!((ran.line, ran.code), (None, Some(1)), "{shell:?}");
        let log = std::fs::read_to_string(log.path()).unwrap();
        assert!(log.contains("false") && !log.contains("fan"), "{shell:?} {log}");
        // What `set -x` shows of the script is there, and nothing of the trap.
        let ran = run(&shell, "set -x\nfalse\n");
        assert!(ran.stderr.contains("false") && !ran.stderr.contains("fan"), "{shell:?} {}", ran.stderr);
    }
}
