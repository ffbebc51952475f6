//! The watchdog, put to the shells of this machine: as login shell, and as the `sh` that it runs in.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::model::shell::tests::{LOGIN_SHELLS, hostile, installed, program};

/// A folder whose `sh` is another shell, for the front of `PATH`.
fn path_with_sh(shell: &str) -> (TempDir, String) {
    let path = std::env::var("PATH").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let found = path.split(':').map(|entry| Path::new(entry).join(shell)).find(|file| file.exists());
    symlink(found.unwrap(), folder.path().join("sh")).unwrap();
    let path = format!("{}:{path}", folder.path().display());
    (folder, path)
}

/// The shells that may stand behind `sh`.
fn each_sh() -> Vec<(TempDir, String)> {
    let known = installed(&["bash"], &["dash", "busybox sh"]);
    known.iter().map(|words| path_with_sh(&words[0])).collect()
}

/// Whether the shell is the leader of its group, as sshd makes it, or in the group of someone else.
const LEADING: [bool; 2] = [true, false];

fn start(path: &str, leading: bool, line: &str) -> Child {
    let mut command = Command::new("sh");
    command.args(["-c", line]).env_clear().env("PATH", path).env("HOME", "/nonexistent");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    if leading {
        command.process_group(0);
    }
    command.spawn().unwrap()
}

fn watched(script: &str) -> String {
    watched_line(Interpreter::Named("sh"), script).unwrap()
}

/// Its end with its input held open, as sshd tells of it: the input is closed afterwards.
fn held(mut child: Child) -> Output {
    let stdin = child.stdin.take();
    let output = child.wait_with_output().unwrap();
    drop(stdin);
    output
}

fn stat(pid: &str) -> Option<(char, u32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    Some((fields.next()?.chars().next()?, fields.nth(1)?.parse().ok()?))
}

/// How long anything may take: far beyond what a busy machine needs.
const PATIENCE: Duration = Duration::from_secs(60);

/// The living processes of a group.
fn members(group: u32) -> Vec<String> {
    let all = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    all.filter(|pid| stat(pid).is_some_and(|(state, of)| of == group && state != 'Z')).collect()
}

fn assert_empty(group: u32) {
    let start = Instant::now();
    while !members(group).is_empty() {
        assert!(start.elapsed() < PATIENCE, "{:?} are left", members(group));
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn wait_for(child: &mut Child, text: &str) {
    use std::io::Read as _;
    let mut seen = vec![0; text.len()];
    child.stdout.as_mut().unwrap().read_exact(&mut seen).unwrap();
    assert_eq!(String::from_utf8_lossy(&seen), text);
}

const DEAF: &str = "trap '' TERM; echo up; while :; do sleep 0.1; done";

#[test]
fn the_command_ends_as_it_does_alone() {
    let cases = [
        ("exit 0", Some(0), None),
        ("exit 3", Some(3), None),
        ("exit 255", Some(255), None),
        ("exit 143", Some(143), None),
        ("kill -TERM $$", None, Some(15)),
        ("kill -KILL $$", None, Some(9)),
        ("kill -INT $$", None, Some(2)),
        ("kill -PIPE $$", None, Some(13)),
    ];
    for (_folder, path) in each_sh() {
        for leading in LEADING {
            for (script, code, signal) in cases {
                let child =
                    start(&path, leading, &watched(&format!("echo out; echo err >&2; cat; {script}")));
                let group = child.id();
                let ended = held(child);
                let shown = format!("{script} in {path}, leading: {leading}");
                assert_eq!((ended.status.code(), ended.status.signal()), (code, signal), "{shown}");
                assert_eq!((&*ended.stdout, &*ended.stderr), (&b"out\n"[..], &b"err\n"[..]), "{shown}");
                assert_empty(group);
            }
        }
    }
}

#[test]
fn the_end_of_its_input_ends_the_whole_group() {
    let script = "sleep 600 | sleep 600 & echo up; sleep 600; :";
    let shells = each_sh();
    let mut groups = Vec::new();
    for (_folder, path) in &shells {
        for (leading, asked) in LEADING.into_iter().flat_map(|leading| [(leading, false), (leading, true)]) {
            let mut child = start(path, leading, &watched(script));
            groups.push(child.id());
            wait_for(&mut child, "up\n");
            let ended = if asked {
                child.stdin.as_mut().unwrap().write_all(ASK).unwrap();
                held(child)
            } else {
                // Closes the input.
                child.wait_with_output().unwrap()
            };
            assert_eq!(ended.status.signal(), Some(15), "{path}, leading: {leading}, asked: {asked}");
        }
    }
    groups.into_iter().for_each(assert_empty);
}

#[test]
fn what_is_deaf_to_term_is_killed() {
    let notes = tempfile::tempdir().unwrap();
    let note = notes.path().join("slept");
    let begin = || {
        let paths = each_sh();
        for (folder, _) in &paths {
            let script = format!("#!/bin/sh\necho \"$1\" >> {}\nexec /bin/sleep \"$1\"\n", note.display());
            program(&folder.path().join("sleep"), &script);
        }
        let start = |(leading, path): (bool, &String)| {
            let mut child = start(path, leading, &watched(DEAF));
            wait_for(&mut child, "up\n");
            child
        };
        let pairs = paths.iter().flat_map(|(_, path)| LEADING.map(|leading| (leading, path)));
        let children: Vec<Child> = pairs.map(start).collect();
        (paths, children)
    };
    // The time that the watchdog gives; busybox may have a `sleep` of its own.
    let given = || fs::read_to_string(&note).unwrap_or_default().lines().filter(|line| *line == "4").count();
    // Fan insists.
    let (_folders, children) = begin();
    for mut child in children {
        child.stdin.as_mut().unwrap().write_all(ASK).unwrap();
        assert_eq!(child.wait_with_output().unwrap().status.signal(), Some(9));
    }
    assert_eq!(given(), 0, "nobody waits for what is deaf");
    // The client is gone.
    let (_folders, mut children) = begin();
    children.iter_mut().for_each(|child| drop(child.stdin.take()));
    for child in children {
        assert_eq!(child.wait_with_output().unwrap().status.signal(), Some(9));
    }
    assert!(given() >= 2, "no time to clean up");
}

/// A shell obeys TERM at once; what it runs may need a moment.
#[test]
fn the_rest_of_the_group_keeps_its_time_when_the_leader_has_gone() {
    let script =
        "( trap 'sleep 0.5; echo cleaned; exit' TERM; echo up; while :; do sleep 0.05; done ) & wait";
    for (_folder, path) in each_sh() {
        let mut child = start(&path, true, &watched(script));
        wait_for(&mut child, "up\n");
        child.stdin.as_mut().unwrap().write_all(ASK).unwrap();
        let mut stdout = child.stdout.take().unwrap();
        let stdin = child.stdin.take();
        assert_eq!(child.wait().unwrap().signal(), Some(15));
        drop(stdin);
        assert_eq!(std::io::read_to_string(&mut stdout).unwrap(), "cleaned\n", "{path}");
    }
}

#[test]
fn what_a_command_leaves_in_the_background_stays() {
    for (_folder, path) in each_sh() {
        let child = start(&path, true, &watched("sleep 600 >/dev/null 2>&1 & echo $!"));
        let group = child.id();
        let output = held(child);
        let left = String::from_utf8(output.stdout).unwrap().trim().to_owned();
        let start = Instant::now();
        while members(group) != [left.clone()] {
            assert!(start.elapsed() < PATIENCE, "{:?}", members(group));
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(Command::new("kill").args(["-KILL", &left]).status().unwrap().success());
    }
}

#[test]
fn the_login_shell_reads_the_line_of_fan_exec() {
    let line = watched_line(Interpreter::LoginShell, "echo \"$0 it's\"; exit 4").unwrap();
    for (shell, name) in [(Some("/bin/bash"), "/bin/bash"), (None, "sh")] {
        let mut command = Command::new("sh");
        command.args(["-c", &line]).env_remove("SHELL").envs(shell.map(|shell| ("SHELL", shell)));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
        let ended = held(command.spawn().unwrap());
        assert_eq!(ended.status.code(), Some(4));
        assert_eq!(String::from_utf8(ended.stdout).unwrap(), format!("{name} it's\n"));
    }
}

#[test]
fn what_cannot_be_run_is_refused() {
    let named = |name, script| watched_line(Interpreter::Named(name), script);
    assert_eq!(named("ba$h", "true"), Err(ShellError::Interpreter("ba$h".to_owned())));
    assert_eq!(named("sh", "a\0b"), Err(ShellError::Nul("the script")));
    assert!(matches!(named("sh", &"x".repeat(MAX_LINE)), Err(ShellError::TooLong { .. })));
    let line = watched("echo it's \"$HOME\" é !");
    assert!(line.bytes().all(|byte| (b' '..=b'~').contains(&byte) && !b"!".contains(&byte)), "{line}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn every_login_shell_runs_the_same_script(text in hostile()) {
        let script = format!("printf %s {}", crate::model::shell::quote::single_quoted(&text));
        let line = watched(&script);
        for shell in installed(&["sh", "bash"], LOGIN_SHELLS) {
            let mut command = Command::new(&shell[0]);
            command.args(&shell[1..]).args(["-c", &line]).process_group(0);
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            let ended = held(command.spawn().unwrap());
            prop_assert_eq!(String::from_utf8_lossy(&ended.stdout), text.as_str(), "{:?}", shell);
        }
    }
}

#[test]
fn a_watchdog_is_let_go_of_once_its_command_has_ended_and_not_before() {
    for (_folder, path) in each_sh() {
        for leading in LEADING {
            let mut child = start(&path, leading, &watched("echo up; sleep 600; :"));
            let mut stdin = child.stdin.take().unwrap();
            wait_for(&mut child, "up\n");
            stdin.write_all(OVER).unwrap();
            stdin.write_all(OVER).unwrap();
            // It is still there to do this.
            stdin.write_all(ASK).unwrap();
            assert_eq!(child.wait().unwrap().signal(), Some(15), "{path}, leading: {leading}");

            let mut child = start(&path, leading, &watched("echo up"));
            let (mut stdin, group) = (child.stdin.take().unwrap(), child.id());
            assert_eq!(child.wait().unwrap().code(), Some(0));
            assert_eq!(members(group).len(), 1, "its input is open: {path}, leading: {leading}");
            stdin.write_all(OVER).unwrap();
            assert_empty(group);
        }
    }
}
