//! Lines put to the shells of this machine, and typed to them.

use std::io::{Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use super::*;
use crate::model::shell::marks::Scan;
use crate::model::shell::tests::{LOGIN_SHELLS, installed};
use crate::model::shell::{Prelude, task_script};

fn script(token: &Token, body: &str) -> String {
    task_script(&Prelude { token: Some(token), ..Prelude::default() }, body).unwrap()
}

/// Its output and its status. What is typed goes in when the shell is ready, the input when it has begun; it is
/// held open until the end.
fn run(login: &[String], token: &Token, line: &LaunchLine, input: Option<&str>) -> (String, Option<i32>) {
    let mut command = Command::new(&login[0]);
    command.args(&login[1..]).args(["-c", &line.line]).process_group(0);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (mut stdin, mut stderr) = (child.stdin.take(), child.stderr.take().unwrap());
    let mut stdout = child.stdout.take().unwrap();
    let reading = std::thread::spawn(move || {
        let mut data = Vec::new();
        stdout.read_to_end(&mut data).map(|_| data)
    });
    let (mut scan, mut piece) = (Scan::new(token), [0; 4096]);
    loop {
        let read = stderr.read(&mut piece).unwrap();
        if read == 0 {
            break;
        }
        for mark in scan.push(&piece[..read]).marks {
            match (mark, &mut stdin) {
                (Mark::Ready, Some(open)) => {
                    open.write_all(line.typed.as_ref().expect("only a typed script asks").as_bytes())
                        .unwrap();
                }
                (Mark::Start, Some(open)) => {
                    if let Some(input) = input {
                        open.write_all(input.as_bytes()).unwrap();
                        stdin = None;
                    }
                }
                _ => {}
            }
        }
    }
    let status = child.wait().unwrap();
    let output = reading.join().unwrap().unwrap();
    let output = Scan::new(token).push(&output).output.into_owned();
    (String::from_utf8(output).unwrap(), status.code())
}

#[test]
fn every_input_in_every_login_shell_short_and_long() {
    let token = Token::new(5);
    let inputs = [
        (Input::Empty, Some(""), ""),
        (Input::Watched(Orphaned::Ends), None, ""),
        (Input::Watched(Orphaned::Stays), None, ""),
        (Input::Given, Some("it's\n"), "it's\n"),
    ];
    // The data of a heredoc keeps its text, and the last line needs its end.
    let filler = format!("cat <<'E' | tail -n 1\n{}it's \\n $x !\nE\n", "0123456789abcde\n".repeat(12_000));
    let short = "cat; echo it\\'s \"$((1+1))\"; exit 5";
    let long = format!("{filler}cat; exit 5");
    for (body, confidential) in [(short, false), (short, true), (&long, false)] {
        let script = script(&token, body);
        for interpreter in ["sh", "bash", "zsh", "busybox sh"] {
            for (input, given, read) in inputs {
                let launch = Launch {
                    interpreter,
                    script: &script,
                    token: &token,
                    privilege: None,
                    first: "",
                    input,
                    confidential,
                    terminal: false,
                };
                let line = launch.line().unwrap();
                assert!(line.line.len() <= MAX_LINE && line.line.is_ascii() && !line.line.contains('\n'));
                assert_eq!(line.typed.is_some(), confidential || body.len() > MAX_LINE);
                assert!(line.typed.is_none() || !line.line.contains("exit 5"), "{line:?}");
                for login in installed(&["sh", "bash"], LOGIN_SHELLS) {
                    // Each login shell with one interpreter, and each interpreter with one login shell.
                    if interpreter != "sh" && login[0] != "bash" {
                        continue;
                    }
                    let tail = if body.len() > MAX_LINE {
                        "it's \\n $x !\n".to_owned() + read
                    } else {
                        format!("{read}it's 2\n")
                    };
                    let ran = run(&login, &token, &line, given);
                    assert_eq!(ran, (tail, Some(5)), "{login:?} {interpreter} {input:?}");
                }
            }
        }
    }
}

#[test]
fn what_is_typed_on_a_terminal_comes_in_lines_that_one_takes() {
    let token = Token::new(5);
    let script = script(&token, &format!("# {}\necho it\\'s\n", "x".repeat(9_000)));
    let (input, confidential, terminal) = (Input::Given, true, true);
    let launch = Launch {
        interpreter: "sh",
        script: &script,
        token: &token,
        privilege: None,
        first: "",
        input,
        confidential,
        terminal,
    };
    let typed = launch.line().unwrap().typed.unwrap();
    let lines: Vec<&str> = typed.lines().collect();
    assert!(lines.len() > 9 && lines.iter().all(|line| line.len() <= TERMINAL_LINE));
    let empty: Vec<usize> = (0..lines.len()).filter(|&at| lines[at].is_empty()).collect();
    assert_eq!(empty, [lines.len() - 1], "only the last one is empty");
    assert_eq!(lines.concat(), Spelling::Octal.spell(&script));
}

#[test]
fn what_cannot_be_typed_is_refused() {
    let token = Token::new(5);
    let launch = |interpreter: &str, script: &str| {
        let (input, confidential, terminal) = (Input::Empty, false, false);
        Launch {
            interpreter,
            script,
            token: &token,
            privilege: None,
            first: "",
            input,
            confidential,
            terminal,
        }
        .line()
    };
    assert!(matches!(launch("sh", &"x".repeat(MAX_TYPED + 1)), Err(ShellError::TooLong { .. })));
    assert_eq!(launch("ba$h", "true"), Err(ShellError::Interpreter("ba$h".to_owned())));
    assert_eq!(launch("sh", "a\0b"), Err(ShellError::Nul("the script")));
}
