//! A look at the host: what the guards of a step (`creates`, `unless`, `onlyif`) and `wait_for` ask it.
//!
//! Owns which end of a command is an answer. A yes or a no is one only when the question was really put: a command that
//! is not there, a folder that cannot be entered or a process that was killed say nothing about the host.

use std::sync::{Arc, LazyLock};

use regex::{Match, Regex};

use crate::engine::host::result::StepResult;
use crate::engine::step::cx::StepCx;
use crate::engine::step::{local, run};
use crate::event::Change;
use crate::model::action::DoneAt;
use crate::model::outcome::{Exit, Failure, Kind, StepStatus};
use crate::model::position::Located;
use crate::model::shell::path_pattern::PathPattern;
use crate::model::task::{Command, Dialogue, Shown, Step, TemplateText};
use crate::ssh::Connector;

/// What a look at the host found.
pub(super) enum Probe {
    Yes,
    No,
    /// The question was not put.
    Unasked(Unasked),
    /// The look itself did not go well.
    Ended(Box<StepResult>),
}

/// Why there is no answer.
pub(super) struct Unasked {
    failure: Failure,
    /// A command of it cannot be run: asking again will not help.
    pub(super) in_vain: bool,
}

impl Unasked {
    /// The failure of whoever asked.
    pub(super) fn of(self, asker: &str) -> Failure {
        self.failure.about(format!("`{asker}` could not be answered"))
    }

    /// What happened.
    pub(super) fn why(&self) -> String {
        self.failure.message()
    }
}

/// The result of a look that did not go well, which says whose look it was.
pub(super) fn of(asker: &str, mut result: StepResult) -> StepResult {
    result.outcome.failure = result.outcome.failure.map(|failure| failure.about(format!("`{asker}`")));
    result
}

/// Says whether a path is there: 0 yes, 1 no, 126 when a folder on the way to it cannot be searched.
fn is_there_script() -> String {
    format!("p=$1\n[ -e \"$p\" ] && exit 0\n{ON_THE_WAY}")
}

/// The same of any path that a pattern matches. `$1` is the folder in which its first part is looked for.
fn matches_script(pattern: &PathPattern) -> String {
    let word = pattern.word();
    format!(
        "for p in {word}; do [ -e \"$p\" ] && exit 0; done\n\
         if [ -d \"$1\" ] && ! [ -r \"$1\" ]; then echo \"may not list $1\" >&2; exit 126; fi\n\
         p=$1/.\n{ON_THE_WAY}"
    )
}

/// Ends as a look for `$p` does which is not there.
const ON_THE_WAY: &str = r#"case $p in /*) ;; *) p=./$p ;; esac
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

/// What a path is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spelt {
    /// As it is.
    Path,
    /// As a pattern: one that matches is enough.
    Pattern,
}

/// Looks whether a path is there, in any shell.
pub(super) async fn is_there<C: Connector>(
    cx: &mut StepCx<'_, C>,
    path: &TemplateText,
    spelt: Spelt,
) -> Result<Probe, Failure> {
    // Commands of this machine look for its own paths.
    let there = cx.step.action.properties().done != DoneAt::Here;
    let here = |path: String| if there { cx.plan.host_path(path) } else { path };
    let (script, looked_for) = match spelt {
        Spelt::Path => (is_there_script(), here(cx.render().text(path)?)),
        Spelt::Pattern => {
            let pattern = PathPattern::parse(&here(cx.render().pattern(path)?));
            match pattern.literal() {
                Some(path) => (is_there_script(), path.to_owned()),
                None => (matches_script(&pattern), pattern.folder().to_owned()),
            }
        }
    };
    let word = |text: &str| Located::new(Arc::from(verbatim(text)), path.position.clone());
    let argv = ["sh", "-c", &script, "sh", &looked_for].map(word).to_vec();
    Ok(match probe(cx, &Command::Argv(argv)).await? {
        // Permissions change, and folders come to be.
        Probe::Unasked(unasked) => Probe::Unasked(Unasked {
            failure: Failure {
                hint: Some("use `sudo` to look as a user who may".to_owned()),
                ..unasked.failure
            },
            in_vain: false,
        }),
        other @ (Probe::Yes | Probe::No | Probe::Ended(_)) => other,
    })
}

/// A text as a template that gives it.
fn verbatim(text: &str) -> String {
    text.replace('{', "{{ \"{\" }}")
}

/// Runs a script where the step's own command would run, to see whether it succeeds. Nothing of it is told.
pub(super) async fn probe<C: Connector>(cx: &mut StepCx<'_, C>, command: &Command) -> Result<Probe, Failure> {
    let result = look(cx, command).await?;
    let script = match command {
        Command::Script(script) => &*script.value,
        Command::Argv(_) | Command::Program(_) | Command::Raw(_) => "",
    };
    Ok(verdict(result, script))
}

/// The result of such a script, with its output.
pub(super) async fn look<C: Connector>(
    cx: &mut StepCx<'_, C>,
    command: &Command,
) -> Result<StepResult, Failure> {
    let step = cx.step;
    // Output is kept for those who read it.
    let register = Some(Located::new(String::new(), step.position.clone()));
    let quiet = Step {
        shown: step.shown.max(Shown::NoOutput),
        register,
        dialogue: Dialogue::default(),
        ..step.clone()
    };
    let cx = &mut cx.with(&quiet);
    let mut result = match step.action.properties().done {
        DoneAt::Here => local::run(cx, command).await,
        DoneAt::Host | DoneAt::Fan => run::run(cx, command).await,
    }?;
    // It only looks.
    result.outcome.change = Change::None;
    Ok(result)
}

/// Reads the end of a look.
fn verdict(result: StepResult, script: &str) -> Probe {
    let said = String::from_utf8_lossy(&result.stderr.data).into_owned();
    let complaint = complaint(&said, script);
    // Folders and files come to be; commands that are missing do so when someone installs them.
    let in_vain = complaint.is_none_or(|complaint| !complaint.may_pass);
    let complaint = complaint.map(|complaint| complaint.line);
    let unasked = |failure: Failure, in_vain: bool| {
        let last = said.lines().rev().map(str::trim).find(|line| !line.is_empty());
        let told = complaint.or(last).map(|line| format!(": {}", bounded(line))).unwrap_or_default();
        let hint = "the command must exist to answer; `command -v NAME` tests whether one does";
        let failure = Failure::new(failure.kind, failure.message() + &told).hint(hint);
        Probe::Unasked(Unasked { failure, in_vain })
    };
    let failure = result.outcome.failure.clone();
    match (&result.outcome.exit, result.outcome.status, failure) {
        (Some(Exit::Status(0)), _, _) if complaint.is_none() => Probe::Yes,
        // `! pgerp x` succeeds because there is no pgerp.
        (Some(Exit::Status(0)), _, _) => {
            unasked(Failure::new(Kind::Exit, "a command of it cannot be run"), in_vain)
        }
        (Some(Exit::Status(status)), StepStatus::Failed, Some(failure)) if failure.kind == Kind::Exit => {
            match status {
                _ if complaint.is_some() => unasked(failure, in_vain),
                // What the shells of Debian and Alpine say to `command -v`.
                127 if asks_for_commands(script) => Probe::No,
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
fn complaint<'a>(stderr: &'a str, script: &str) -> Option<Complaint<'a>> {
    static SAYS: LazyLock<Regex> = LazyLock::new(|| {
        let shell = r"(?:[^\s:]*/)?(?:busybox|[a-z]*sh[0-9]*)(?:\[[0-9]+\])?:\s?(?:(?:-c|eval): )?(?:line )?(?:[0-9]+: ?)?(?:eval: )?(?:line [0-9]+: )?";
        let missing = r"[^:\n]+: (?:command |inaccessible or )?not found(?: \[.*\])?|command not found: .+";
        let forbidden = r"[^:\n]+: [Pp]ermission denied|permission denied: .+";
        let comparison = r"(?:\[|\[\[|test): .+";
        let syntax = r"(?:[Ss]yntax error|parse error|unexpected EOF|unmatched|no closing quote).*";
        // Who runs a command for the shell says it in the shell's words, or in its own.
        let runner = r"(?:sudo|doas|chroot|setsid|unshare|nsenter|flock)(?:-rs)?: [^:\n]+: command not found";
        let runs = r"(?:env|timeout|nohup|xargs|nice|ionice|setsid|stdbuf|taskset|chrt|chroot|time)(?:-rs)?: (?:failed to (?:run command|execute) |can't execute |cannot run (?:command )?)?[^:\n]+: (?:No such file or directory|Permission denied)";
        let pattern = format!(
            "(?m)^(?:(?:E: )?{shell}(?:{missing}|{forbidden}|{comparison}|{syntax})|\\(eval\\):[0-9]+: {syntax}|{runner}|{runs})\r?$"
        );
        Regex::new(&pattern).expect("it is valid")
    });
    // A folder that cannot be entered, a file of settings that cannot be read. zsh names the builtin before the line.
    static ENTERED: LazyLock<Regex> = LazyLock::new(|| {
        let shell = r"(?:E: )?(?:[^\s:]*/)?(?:busybox|[a-z]*sh[0-9]*)(?:\[[0-9]+\])?:\s?(?:(?:-c|eval): )?(?:line )?(?:[0-9]+: ?)?";
        let builtin = r"(?:cd|chdir|pushd|\.|source)";
        let zsh = format!(r"[a-z]*sh:{builtin}:[0-9]+: .+");
        Regex::new(&format!("(?m)^(?:{shell}{builtin}: .+|{zsh})\r?$")).expect("it is valid")
    });
    // bash and zsh say this of a command with a `/`, and of a file behind `<` or `>`.
    static ABSENT: LazyLock<Regex> = LazyLock::new(|| {
        let bash = r"(?:[^\s:]*/)?[a-z]*sh: (?:(?:-c|eval): )?line [0-9]+: (?P<bash>[^\n]+): No such file or directory";
        let zsh = r"(?:[^\s:]*/)?[a-z]*sh:[0-9]+: no such file or directory: (?P<zsh>[^\n]+)";
        Regex::new(&format!("(?m)^(?:{bash}|{zsh})\r?$")).expect("it is valid")
    });
    let absent = ABSENT.captures_iter(stderr).find_map(|found| {
        let path = found.name("bash").or_else(|| found.name("zsh"))?.as_str();
        found.get(0).filter(|_| path.contains('/') && !redirects(script, path))
    });
    let found = |may_pass: bool| move |line: Match<'a>| Complaint { line: line.as_str().trim(), may_pass };
    let says = SAYS.find(stderr).map(found(false));
    says.or_else(|| ENTERED.find(stderr).or(absent).map(found(true)))
}

/// What a shell said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Complaint<'a> {
    line: &'a str,
    /// It may be another matter in a while.
    may_pass: bool,
}

/// Whether a path may be the file of a redirection in a script.
fn redirects(script: &str, path: &str) -> bool {
    script.split(['<', '>']).skip(1).any(|rest| {
        let word = rest.trim_start_matches(['|', ' ', '\t']);
        let word = word.split(|c: char| c.is_whitespace() || ";|&)".contains(c)).next().unwrap_or_default();
        word.contains(['$', '{', '`', '~']) || word.trim_matches(['"', '\'']) == path
    })
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
    use crate::model::template::{Builtins, Scope, Templates};

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
            "bash: line 12: cd: /nosuch: No such file or directory",
            "dash: 12: cd: can't cd to /nosuch",
            "zsh:cd:12: no such file or directory: /nosuch",
            "ksh: line 12: cd: /nosuch: [No such file or directory]",
            "mksh: cd: /nosuch: No such file or directory",
            "sh: cd: line 12: can't cd to /nosuch: No such file or directory",
            "dash: 12: .: cannot open /nosuch/env: No such file",
            "sh: 1: .: /nosuch/env: not found",
            "zsh:.:1: no such file or directory: /nosuch/env",
            "bash: line 12: ./missing: No such file or directory",
            "zsh:12: no such file or directory: ./missing",
            "env: 'nosuch': No such file or directory",
            "timeout: failed to run command 'nosuch': No such file or directory",
            "nohup: failed to run command 'nosuch': No such file or directory",
            "nohup: can't execute 'nosuch': No such file or directory",
            "xargs: nosuch: No such file or directory",
            "setsid: failed to execute nosuch: No such file or directory",
        ] {
            assert!(complaint(said, "").is_some(), "{said}");
        }
        for said in [
            "",
            "user bob not found",
            "grep: /etc/x: Permission denied",
            "grep: /etc/x: No such file or directory",
            "find: '/nosuch': No such file or directory",
            "cat: /nosuch/cd: No such file or directory",
            "bash: line 1: /nosuch: No such file or directory",
            "dpkg-query: package 'x' is not installed",
            "sh: 1: kill: No such process",
            "bash: line 1: kill: (1234) - No such process",
            "bash: line 1: type: docker: not found",
            "sh: 1: cannot open /nosuch: No such file",
            "publish: x: nothing to do",
        ] {
            assert_eq!(complaint(said, "x < /nosuch"), None, "{said}");
        }
        // Who waits may go on where a folder or a file is missing.
        for (said, may_pass) in [
            ("dash: 12: cd: can't cd to /srv/new", true),
            ("zsh:.:1: no such file or directory: /srv/new/env", true),
            ("bash: line 12: ./check: No such file or directory", true),
            ("bash: line 1: pgerp: command not found", false),
            ("sh: 1: pgerp: not found\nsh: 2: cd: can't cd to /srv/new", false),
        ] {
            assert_eq!(complaint(said, "").map(|complaint| complaint.may_pass), Some(may_pass), "{said}");
        }
        // bash and zsh say the same of a file that is to be opened.
        let said = [
            "bash: line 1: /srv/chk: No such file or directory",
            "zsh:1: no such file or directory: /srv/chk",
        ];
        for (script, is_command) in [
            ("! /srv/chk", true),
            ("! /srv/chk 2>&1 | grep -q x", true),
            ("! '/srv/chk' > /dev/null", true),
            ("grep -q x < /srv/chk", false),
            ("grep -q x <\"/srv/chk\" && y", false),
            ("echo x >>/srv/chk", false),
            ("grep -q x < \"$f\"", false),
            ("grep -q x < {{ file }}", false),
        ] {
            for said in said {
                assert_eq!(complaint(said, script).is_some(), is_command, "{script}: {said}");
            }
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
            command.args(["-c", &is_there_script(), "sh", path]).current_dir(folder.path());
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

    #[test]
    fn a_pattern_is_there_when_something_matches_it() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a b.jar", "v1", "-x", "it's $(touch reached)", "[q]", "sub"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        std::fs::create_dir(folder.path().join("in")).unwrap();
        std::fs::write(folder.path().join("in/deep.txt"), "").unwrap();
        std::os::unix::fs::symlink("nowhere", folder.path().join("dangling")).unwrap();
        for shell in [&["sh"][..], &["dash"], &["bash"], &["busybox", "sh"], &["zsh", "--emulate", "sh"]] {
            for (pattern, code) in [
                ("*.jar", 0),
                ("a b.*", 0),
                ("v[0-9]", 0),
                ("v[!0-9]", 1),
                ("-?", 0),
                ("it's $(touch reached)*", 0),
                ("$(touch reached)*", 1),
                (r"\[q\]*", 0),
                ("*/deep.*", 0),
                ("in/*", 0),
                ("in/*.jar", 1),
                ("nosuch/*", 1),
                ("v1/*", 1),
                ("dangl*", 1),
                ("/nosuch*/x", 1),
            ] {
                let pattern = PathPattern::parse(pattern);
                let mut command = process::Command::new(shell[0]);
                command.args(&shell[1..]).args(["-c", &matches_script(&pattern), "sh", pattern.folder()]);
                let output = command.current_dir(folder.path()).output().unwrap();
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                assert_eq!((output.status.code(), &*said), (Some(code), ""), "{shell:?} {pattern:?}");
            }
        }
        assert!(!folder.path().join("reached").exists());
    }

    #[test]
    fn a_text_stays_what_it_is_as_a_template() {
        let templates = Templates::new(&Builtins::default());
        for text in ["{{ x }} {% if %} {# a #}", "{", "${#a}", "a\n{{", "plain"] {
            let rendered = templates.render_text(&verbatim(text), &Scope::new());
            assert_eq!(rendered.as_deref(), Ok(text));
        }
    }
}
