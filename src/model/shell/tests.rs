//! Quoting and command lines, put to the shells of this machine.

use std::collections::HashMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::{LazyLock, Mutex, Once};

use proptest::prelude::*;

use super::*;

/// The shells that are on this machine, each with the arguments before `-c`; the required ones must be.
pub(super) fn installed(required: &[&str], others: &[&str]) -> Vec<Vec<String>> {
    // Asked once: starting shells is what takes the time of these tests.
    static ASKED: LazyLock<Mutex<HashMap<String, bool>>> = LazyLock::new(Mutex::default);
    let exists = |shell: &&str| {
        let mut asked = ASKED.lock().unwrap();
        *asked.entry((*shell).to_owned()).or_insert_with(|| {
            let words: Vec<&str> = shell.split(' ').collect();
            Command::new(words[0])
                .args(&words[1..])
                .args(["-c", "exit 0"])
                .output()
                .is_ok_and(|o| o.status.success())
        })
    };
    for shell in required {
        assert!(exists(shell), "{shell} is needed for this test");
    }
    let found: Vec<&str> = required.iter().copied().chain(others.iter().copied().filter(exists)).collect();
    static TOLD: Once = Once::new();
    TOLD.call_once(|| println!("shells: {}", found.join(", ")));
    found.iter().map(|shell| shell.split(' ').map(str::to_owned).collect()).collect()
}

fn run(shell: &[String], script: &str) -> Output {
    Command::new(&shell[0])
        .args(&shell[1..])
        .args(["-c", script])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("HOME", "/nonexistent")
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Texts that shells like to misread.
pub(super) fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        8 => "[ -~]{1,3}",
        8 => prop::sample::select(vec![
            "'", "\"", "\\", "$", "`", "!", "\n", "\t", "\r", "%", "%s", "$(", ")", "${", "}", "\\n", "\\'", "\\\\",
            "\\0", "\\012", "!!", "!a", "#", "~", "*", "{a,b}", "^a^b", "=ls", "-n", "&&", ";", "\u{1}", "\u{7f}",
        ]).prop_map(str::to_owned),
        2 => any::<char>().prop_filter("NUL", |c| *c != '\0').prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// Writes a program to be started. By a child, since a file that someone has open for writing cannot be started: and
/// that someone could be a child of another test, until it has become the program that it starts.
pub(in crate::model) fn program(path: &Path, text: &str) {
    let script = "cat > \"$0\" && chmod 755 \"$0\"";
    let mut child = Command::new("sh").args(["-c", script]).arg(path).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success(), "{}", path.display());
}

pub(super) const LOGIN_SHELLS: &[&str] = &["dash", "zsh", "fish", "tcsh", "csh", "busybox sh", "ksh", "mksh"];
pub(super) const POSIX_SHELLS: &[&str] = &["dash", "zsh", "busybox sh", "ksh", "mksh"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    #[test]
    fn a_quoted_word_is_one_word_of_its_text(texts in prop::collection::vec(hostile(), 1..40)) {
        let words: Vec<_> = texts.iter().map(|text| quote_word(text)).collect();
        let script = format!("printf '%s\\0' {}", words.join(" "));
        let expected: String = texts.iter().map(|text| format!("{text}\0")).collect();
        for shell in installed(&["sh", "bash"], POSIX_SHELLS) {
            prop_assert_eq!(&stdout(&run(&shell, &script)), &expected, "{:?}", shell);
        }
    }

    #[test]
    fn every_login_shell_runs_the_same_script(
        texts in prop::collection::vec(hostile(), 1..20),
        tail in prop::sample::select(vec!["", "\n", "\n\n", " "]),
    ) {
        let words: Vec<_> = texts.iter().map(|text| single_quoted(text)).collect();
        let text: String = texts.iter().map(|text| format!("{text}\0")).collect();
        let script = format!("printf '%s\\0' {}{tail}", words.join(" "));
        let line = login_shell_line("sh", &script).unwrap();
        prop_assert!(!line.contains('\n') && line.is_ascii());
        for shell in installed(&["sh", "bash"], LOGIN_SHELLS) {
            prop_assert_eq!(&stdout(&run(&shell, &line)), &text, "{:?} {}", shell, line);
        }
    }
}

#[test]
fn plain_words_stay_readable() {
    for (text, quoted) in [
        ("web1", "web1"),
        ("/srv/shop-1.2_3@x:y%+", "/srv/shop-1.2_3@x:y%+"),
        ("--owner=me", "--owner=me"),
        ("", "''"),
        ("a b", "'a b'"),
        ("a=b", "'a=b'"),
        ("=ls", "'=ls'"),
        ("~", "'~'"),
        ("a,b", "'a,b'"),
        ("it's", r"'it'\''s'"),
        ("done", "'done'"),
    ] {
        assert_eq!(quote_word(text), quoted);
    }
}

#[test]
fn a_quiet_script_is_readable_and_a_loud_one_is_octal() {
    assert_eq!(
        login_shell_line("sh", "uptime | cut -c1 > \"$x\"").unwrap(),
        "exec sh -c 'uptime | cut -c1 > \"$x\"'"
    );
    assert_eq!(
        login_shell_line("busybox sh", "echo it's\n").unwrap(),
        "exec sh -c '_fan=$(printf %b \"echo it\\0047s\\nX\") && exec busybox sh -c \"${_fan%X}\"'"
    );
    assert_eq!(login_shell_line("sh", "-x").unwrap(), "exec sh -c ' -x'");
}

#[test]
fn the_interpreter_gets_the_script_with_its_newlines_and_its_status() {
    let scripts = [
        ("exit 7", "", 7),
        ("echo a\nfalse\n", "a\n", 1),
        ("cat <<EOF\nit's $((1+1))\nEOF\n", "it's 2\n", 0),
        ("printf %s a\\\n", "a", 0),
        ("echo \"${BASH_VERSION:+bash}\"", "bash\n", 0),
    ];
    for shell in installed(&["sh", "bash"], LOGIN_SHELLS) {
        for (script, out, status) in scripts {
            let output = run(&shell, &login_shell_line("bash", script).unwrap());
            assert_eq!(String::from_utf8_lossy(&output.stdout), out, "{shell:?} {script}");
            assert_eq!(output.status.code(), Some(status), "{shell:?} {script}");
        }
    }
}

#[test]
fn a_long_script_passes_every_login_shell_and_too_long_a_one_is_refused() {
    let text = "x'".repeat(5_800);
    let line = login_shell_line("sh", &format!("printf %s {}", quote_word(&text))).unwrap();
    for shell in installed(&["sh", "bash"], LOGIN_SHELLS) {
        assert!(stdout(&run(&shell, &line)) == text, "{shell:?}");
    }
    let size = "exec sh -c ''".len() + 131_072;
    let error = login_shell_line("sh", &"x".repeat(131_072)).unwrap_err();
    assert_eq!(error, ShellError::TooLong { size });
    assert_eq!(
        error.to_string(),
        format!("the command line has {size} bytes, and a host takes at most 131071")
    );
}

#[test]
fn lines_that_cannot_be_composed_say_why() {
    let nul = login_shell_line("sh", "a\0b").unwrap_err().to_string();
    assert_eq!(nul, "the script holds a NUL byte, which no command line can carry");
    for interpreter in ["", "sh;id", "a  b", "$SHELL", "A=1 sh"] {
        assert_eq!(login_shell_line(interpreter, ""), Err(ShellError::Interpreter(interpreter.to_owned())));
    }
    assert_eq!(argv_words::<&str>(&[]), Err(ShellError::NoProgram));
    assert_eq!(argv_words(&["-x"]), Err(ShellError::NoProgram));
    let env = [("A-B".to_owned(), String::new())];
    assert_eq!(
        task_script(&Prelude { env: &env, ..Prelude::default() }, ""),
        Err(ShellError::EnvName("A-B".to_owned()))
    );
    assert_eq!(
        task_script(&Prelude { cd: Some(""), ..Prelude::default() }, ""),
        Err(ShellError::EmptyFolder)
    );
}

#[test]
fn an_argument_list_reaches_the_program_as_it_is() {
    let args = ["printf", "%s|", "a b", "it's", "$HOME", "", "-n", "*", "x\ny"];
    let line = format!("exec {}", argv_words(&args).unwrap());
    assert_eq!(line, "exec printf '%s|' 'a b' 'it'\\''s' '$HOME' '' -n '*' 'x\ny'");
    for shell in installed(&["sh", "bash"], POSIX_SHELLS) {
        assert_eq!(stdout(&run(&shell, &line)), "a b|it's|$HOME||-n|*|x\ny|");
    }
}

#[test]
fn a_task_script_has_its_folder_and_environment_and_stops_at_the_first_failure() {
    let env = [("A".to_owned(), "it's $x\n!".to_owned())];
    let cases = [
        (Some("/usr"), "pwd", "/usr\n", 0),
        (Some("~"), "pwd", "/usr\n", 0),
        (Some("~/lib"), "pwd", "/usr/lib\n", 0),
        (None, "printf %s \"$A\"", "it's $x\n!", 0),
        (None, "echo a\nfalse\necho b", "a\n", 1),
        (None, "echo a\n(exit 42)\necho b", "a\n", 42),
        (None, "cat <<EOF\n$A\nEOF", "it's $x\n!\n", 0),
        (None, "", "", 0),
        (Some("/nowhere/x"), "echo b", "", 1),
        (Some("-"), "echo b", "", 1),
        (Some("-P"), "echo b", "", 1),
        (Some("~root"), "echo b", "", 1),
        (Some("$HOME"), "echo b", "", 1),
    ];
    for shell in installed(&["sh", "bash"], POSIX_SHELLS) {
        for (cd, script, out, status) in cases {
            let text = task_script(&Prelude { cd, env: &env, token: None }, script).unwrap();
            let output = run(&shell, &format!("HOME=/usr\n{text}"));
            assert_eq!(String::from_utf8_lossy(&output.stdout), out, "{shell:?} {text}");
            assert_eq!(output.status.code(), Some(status), "{shell:?} {text}");
            if let Some(folder) = cd.filter(|_| status == 1) {
                let message = format!("fan: cannot cd to {folder}\n");
                assert!(String::from_utf8_lossy(&output.stderr).ends_with(&message), "{shell:?} {text}");
            }
        }
    }
}

#[test]
fn a_failing_pipe_stage_fails_the_script_where_the_shell_can_tell() {
    let text = task_script(&Prelude::default(), "false | true\necho on").unwrap();
    assert_eq!(run(&["bash".to_owned()], &text).status.code(), Some(1));
}

#[test]
fn folders_whose_names_begin_with_a_dash_can_be_entered() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["-", "-P", "+1", "~x", "it's"] {
        std::fs::create_dir(dir.path().join(name)).unwrap();
        let text = task_script(&Prelude { cd: Some(name), ..Prelude::default() }, "pwd").unwrap();
        for shell in installed(&["sh", "bash"], POSIX_SHELLS) {
            let script = format!("CDPATH=/; cd {}\n{text}", quote_word(dir.path().to_str().unwrap()));
            let out = stdout(&run(&shell, &script));
            assert!(out.ends_with(&format!("/{name}\n")), "{shell:?} {out}");
        }
    }
}
