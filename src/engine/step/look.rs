//! A look at the host: what the guards of a step (`creates`, `unless`, `onlyif`) and `wait_for` ask it.
//!
//! Owns which end of a command is an answer. A yes or a no is one only when the question was really put: a command that
//! is not there, a folder that cannot be entered or a process that was killed say nothing about the host.

use std::sync::{Arc, LazyLock};

use regex::Regex;

use crate::engine::step::{StepResult, local, run};
use crate::engine::walk::worker::Worker;
use crate::event::Change;
use crate::model::outcome::{Exit, Failure, Kind, StepStatus};
use crate::model::position::Located;
use crate::model::task::{Action, Command, Dialogue, Shown, Step, TemplateText};
use crate::model::template::Scope;
use crate::ssh::Connector;

/// What a look at the host found.
pub(crate) enum Probe {
    Yes,
    No,
    /// The question was not put.
    Unasked(Unasked),
    /// The look itself did not go well.
    Ended(Box<StepResult>),
}

/// Why there is no answer.
pub(crate) struct Unasked {
    failure: Failure,
    /// A command of it cannot be run: asking again will not help.
    pub(crate) in_vain: bool,
}

impl Unasked {
    /// The failure of whoever asked.
    pub(crate) fn of(self, asker: &str) -> Failure {
        let Failure { kind, message, hint } = self.failure;
        Failure { kind, message: format!("`{asker}` could not be answered: {message}"), hint }
    }

    /// What happened.
    pub(crate) fn why(&self) -> &str {
        &self.failure.message
    }
}

/// The result of a look that did not go well, which says whose look it was.
pub(crate) fn of(asker: &str, mut result: StepResult) -> StepResult {
    if let Some(failure) = &mut result.outcome.failure {
        failure.message = format!("`{asker}`: {}", failure.message);
    }
    result
}

/// Says whether a path is there: 0 yes, 1 no, 2 when no folder lets itself be searched for it.
const IS_THERE: &str = r#"p=$1
[ -e "$p" ] && exit 0
case $p in /*) ;; *) p=./$p ;; esac
while :; do
  p=${p%/*}
  [ -n "$p" ] || p=/
  if [ -d "$p" ]; then
    [ -x "$p" ] && exit 1
    echo "may not look into $p" >&2
    exit 126
  fi
  case $p in /) exit 1 ;; */*) ;; *) echo "the folder to look in is gone" >&2; exit 126 ;; esac
done"#;

/// Looks whether a path is there, in any shell.
pub(crate) async fn is_there<C: Connector>(
    worker: &mut Worker<'_, C>,
    index: usize,
    step: &Step,
    path: &TemplateText,
    scope: &Scope,
) -> Result<Probe, Failure> {
    let word = |text: &str| Located::new(Arc::from(text), path.position.clone());
    let argv = vec![word("sh"), word("-c"), word(IS_THERE), word("sh"), path.clone()];
    let probe = probe(worker, index, step, &Command::Argv(argv), scope).await?;
    Ok(match probe {
        // Permissions change, and folders come to be.
        Probe::Unasked(unasked) => Probe::Unasked(Unasked {
            failure: Failure {
                hint: Some("look as a user who may, with `sudo`".to_owned()),
                ..unasked.failure
            },
            in_vain: false,
        }),
        other @ (Probe::Yes | Probe::No | Probe::Ended(_)) => other,
    })
}

/// Runs a script where the step's own command would run, to see whether it succeeds. Nothing of it is told.
pub(crate) async fn probe<C: Connector>(
    worker: &mut Worker<'_, C>,
    index: usize,
    step: &Step,
    command: &Command,
    scope: &Scope,
) -> Result<Probe, Failure> {
    let result = look(worker, index, step, command, scope).await?;
    let asks_for_commands = match command {
        Command::Script(script) => asks_for_commands(&script.value),
        Command::Argv(_) | Command::Raw(_) => false,
    };
    Ok(verdict(result, asks_for_commands))
}

/// The result of such a script, with its output.
pub(crate) async fn look<C: Connector>(
    worker: &mut Worker<'_, C>,
    index: usize,
    step: &Step,
    command: &Command,
    scope: &Scope,
) -> Result<StepResult, Failure> {
    // Output is kept for those who read it.
    let register = Some(Located::new(String::new(), step.position.clone()));
    let quiet = Step {
        shown: step.shown.max(Shown::NoOutput),
        register,
        dialogue: Dialogue::default(),
        ..step.clone()
    };
    let mut result = match &step.action {
        Action::Local(_) => local::run(worker, index, &quiet, command, scope).await,
        _ => run::run(worker, index, &quiet, command, scope).await,
    }?;
    // It only looks.
    result.outcome.change = Change::None;
    Ok(result)
}

/// Reads the end of a look.
fn verdict(result: StepResult, asks_for_commands: bool) -> Probe {
    let said = String::from_utf8_lossy(&result.stderr.data).into_owned();
    let complaint = complaint(&said);
    let unasked = |failure: Failure, in_vain: bool| {
        let last = said.lines().rev().map(str::trim).find(|line| !line.is_empty());
        let told = complaint.or(last).map(|line| format!(": {}", bounded(line))).unwrap_or_default();
        let message = failure.message + &told;
        let hint = "only a command that was run can answer; `command -v NAME` asks whether one is there";
        let failure = Failure { kind: failure.kind, message, hint: Some(hint.to_owned()) };
        Probe::Unasked(Unasked { failure, in_vain })
    };
    let failure = result.outcome.failure.clone();
    match (&result.outcome.exit, result.outcome.status, failure) {
        (Some(Exit::Status(0)), _, _) if complaint.is_none() => Probe::Yes,
        // `! pgerp x` succeeds because there is no pgerp.
        (Some(Exit::Status(0)), _, _) => {
            unasked(Failure::new(Kind::Exit, "a command of it cannot be run"), true)
        }
        (Some(Exit::Status(status)), StepStatus::Failed, Some(failure)) if failure.kind == Kind::Exit => {
            match status {
                _ if complaint.is_some() => unasked(failure, true),
                // What the shells of Debian and Alpine say to `command -v`.
                127 if asks_for_commands => Probe::No,
                126 | 127 => unasked(failure, true),
                // A shell's way to say that a signal ended a command of it; ssh and others fail with 255.
                129.. => unasked(failure, false),
                _ => Probe::No,
            }
        }
        (Some(_), StepStatus::Failed, Some(failure))
            if matches!(failure.kind, Kind::Signal | Kind::RemotePath | Kind::LocalIo) =>
        {
            unasked(failure, false)
        }
        _ => Probe::Ended(Box::new(result)),
    }
}

/// What a shell itself says when it cannot do what a line wants, in words that none of its builtins uses otherwise. A
/// pipe, `!` and `||` keep the exit status of such a line for themselves.
fn complaint(stderr: &str) -> Option<&str> {
    static SAYS: LazyLock<Regex> = LazyLock::new(|| {
        let shell = r"(?:[^\s:]*/)?(?:busybox|[a-z]*sh[0-9]*)(?:\[[0-9]+\])?:\s?(?:(?:-c|eval): )?(?:line )?(?:[0-9]+: ?)?(?:eval: )?";
        let missing = r"[^:\n]+: (?:command |inaccessible or )?not found(?: \[.*\])?|command not found: .+";
        let forbidden = r"[^:\n]+: [Pp]ermission denied|permission denied: .+";
        let comparison = r"(?:\[|\[\[|test): .+";
        let syntax = r"(?:[Ss]yntax error|parse error|unexpected EOF|unmatched|no closing quote).*";
        // Who runs a command for the shell says it in the shell's words.
        let runner = r"(?:sudo|doas|chroot|setsid|unshare|nsenter|flock)(?:-rs)?: [^:\n]+: command not found";
        let pattern = format!(
            "(?m)^(?:(?:E: )?{shell}(?:{missing}|{forbidden}|{comparison}|{syntax})|\\(eval\\):[0-9]+: {syntax}|{runner})\r?$"
        );
        Regex::new(&pattern).expect("it is valid")
    });
    SAYS.find(stderr).map(|found| found.as_str().trim())
}

/// Whether a script asks if commands are there, which some shells answer with 127.
fn asks_for_commands(script: &str) -> bool {
    let words: Vec<&str> = script.split(|c: char| c.is_whitespace() || ";|&(){}!`\"'$".contains(c)).collect();
    let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    words.iter().any(|word| matches!(*word, "type" | "hash" | "whence" | "which"))
        || words.windows(2).any(|pair| matches!(pair, ["command", "-v" | "-V" | "-pv" | "-pV"]))
}

/// A host's line, short and without control characters.
fn bounded(line: &str) -> String {
    const LONGEST: usize = 200;
    line.chars().filter(|c| !c.is_control()).take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use std::process;

    use super::*;

    #[test]
    fn what_shells_say_of_a_command_that_they_cannot_run() {
        for said in [
            "sh: 1: pgerp: not found",
            "noise\nsh: 12: ./check: Permission denied\nmore",
            "bash: line 1: needs_migratoin: command not found\n",
            "/bin/bash: line 3: /etc/x: Permission denied",
            "zsh:1: command not found: pgerp",
            "zsh:2: permission denied: ./check",
            "sh: pgerp: not found",
            "ksh: pgerp: not found [No such file or directory]",
            "mksh: pgerp: inaccessible or not found",
            "ksh[2]: pgerp: not found",
            "sh: 1: eval: pgerp: not found",
            "sh: 1: [: Illegal number: ",
            "bash: line 1: [: x: integer expression expected",
            "sh: 1: Syntax error: end of file unexpected (expecting \"fi\")",
            "bash: -c: line 2: syntax error: unexpected end of file",
            "bash: eval: line 12: syntax error near unexpected token `)'",
            "bash: -c: line 1: unexpected EOF while looking for matching `\"'",
            "dash: 1: eval: Syntax error: Unterminated quoted string",
            "zsh:1: parse error near `fi'",
            "(eval):1: unmatched \"",
            "E: mksh: syntax error: unmatched 'if'",
            "sh: eval: line 0: syntax error: unterminated quoted string",
            "sh: syntax error: unexpected end of file (expecting \"fi\")",
            "ksh: syntax error at line 1: `if' unmatched",
            "sudo: pgerp: command not found",
        ] {
            assert!(complaint(said).is_some(), "{said}");
        }
        for said in [
            "",
            "user bob not found",
            "grep: /etc/x: Permission denied",
            "dpkg-query: package 'x' is not installed",
            "sh: 1: kill: No such process",
            "bash: line 1: kill: (1234) - No such process",
            "bash: line 1: type: docker: not found",
            "sh: 1: cannot open /nosuch: No such file",
            "publish: x: nothing to do",
        ] {
            assert_eq!(complaint(said), None, "{said}");
        }
    }

    #[test]
    fn questions_for_commands_are_told_from_commands() {
        for script in [
            "command -v docker",
            "! command -v docker >/dev/null",
            "x=$(command -v a)",
            "type git",
            "a || which b",
        ] {
            assert!(asks_for_commands(script), "{script}");
        }
        for script in ["docker info", "pgerp -v x", "command docker -v", "mytype x"] {
            assert!(!asks_for_commands(script), "{script}");
        }
    }

    #[test]
    fn a_path_is_there_or_not_or_cannot_be_looked_for() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a b"), "").unwrap();
        std::os::unix::fs::symlink("nowhere", folder.path().join("dangling")).unwrap();
        let ask = |path: &str| {
            let mut command = process::Command::new("sh");
            command.args(["-c", IS_THERE, "sh", path]).current_dir(folder.path());
            command.output().unwrap().status.code()
        };
        for (path, code) in [
            ("a b", 0),
            ("./a b", 0),
            (".", 0),
            ("/", 0),
            ("-e", 1),
            ("c", 1),
            ("c/d//e/", 1),
            ("a b/c", 1),
            ("/nosuch", 1),
            ("//nosuch//x", 1),
            ("dangling", 1),
            ("dangling/x", 1),
            ("", 1),
        ] {
            assert_eq!(ask(path), Some(code), "{path:?}");
        }
    }
}
