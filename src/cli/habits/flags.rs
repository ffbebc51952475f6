//! Flags of other tools: what is written here instead. Owns the table, and the values that give away a flag of fan's which
//! means something else elsewhere.

use std::path::Path;

use crate::cli::habits::scan::LineWord;
use crate::model::duration;

/// Flags of other tools, with what to write here.
struct ForeignFlag {
    /// The commands where this row holds, by name; a flag that they have; or nothing: everywhere.
    at: &'static str,
    /// The flags, separated by spaces.
    flags: &'static str,
    /// Whether a value follows them.
    takes_value: bool,
    /// What to write: completes "help:".
    here: &'static str,
}

const fn row(at: &'static str, flags: &'static str, takes_value: bool, here: &'static str) -> ForeignFlag {
    ForeignFlag { at, flags, takes_value, here }
}

/// The first row that holds at a command is the answer.
const FOREIGN: &[ForeignFlag] = &[
    row(
        "--dry-run",
        "--check -C --noop --no-op --pretend --simulate",
        false,
        "--dry-run connects and compares, and changes nothing; --plan connects to no host",
    ),
    row(
        "--plan",
        "--check -C --dry-run --noop --no-op --pretend --simulate",
        false,
        "--plan (-n) prints hosts and commands, and connects to no host",
    ),
    row("--diff", "-D", false, "--diff shows changes"),
    row(
        "--pool",
        "--forks --fanout --par --pool-size --concurrency --jobs -j --max-procs",
        true,
        "-z N is how many hosts work at a time",
    ),
    row("--serial", "--sequential --one-by-one", false, "--serial 1 goes from host to host"),
    row("--sudo", "--become", false, "-S works as root, with sudo on the host"),
    row(
        "run",
        "--become",
        false,
        "a step says it: `sudo: CMD`, or `sudo: true` beside others (docs/privilege.md)",
    ),
    row("--as", "--become-user --sudo-user", true, "--as USER, with -S"),
    row(
        "",
        "--become-user --sudo-user --become-method",
        true,
        "a step says it: `user: NAME` (docs/privilege.md)",
    ),
    row("", "--ask-become-pass --prompt-for-sudo-password", false, "-K asks for the sudo password"),
    row("", "--prompt-for-login-password --askpass", false, "-k asks for the login password"),
    row(
        "",
        "-A",
        false,
        "-k asks for the login password; agent forwarding is `forward_agent: true` in the inventory",
    ),
    row(
        "",
        "--password --passwd --pass --sudo-password",
        true,
        "-k asks for the login password, -K for that of sudo: others on this machine can see a command line",
    ),
    row(
        "",
        "--ask-vault-pass --vault-password-file --vault-pass-file --vault-id",
        true,
        "secrets come from the environment, files, commands or a prompt (docs/secrets.md)",
    ),
    row("--set", "--extra-vars --define", true, "-e NAME=VALUE, or -e @FILE.yaml"),
    row("--plan", "--list-hosts --list-tasks --list-tags", false, "--plan prints hosts and steps"),
    row(
        "run",
        "--syntax-check",
        false,
        "`fan check` reads the files, `fan check TASK` a task with its variables",
    ),
    row("--start-at", "--start-at-task", true, "--start-at STEP, by number or name"),
    row(
        "",
        "--module-name --module -m",
        true,
        "there are no modules: `fan ping`, `fan exec`, `fan put`, `fan facts`, and steps of tasks \
         (docs/coming-from-ansible.md)",
    ),
    row(
        "exec",
        "-a --args",
        false,
        "-H all is every host; a command stands at the end: fan exec -H all -- CMD",
    ),
    row("--hosts", "-a --all", false, "-H all is every host of the inventory"),
    row(
        "--hosts",
        "--nodes --nodelist --hostlist --target --targets --host --server --servers --node",
        true,
        "-H HOSTS: names, ranges, globs (docs/targets.md)",
    ),
    row("--roles", "--group --groups --role -G", true, "-R ROLE: the hosts of a role"),
    row("--exclude", "--exclude-hosts --exclude-host -X", true, "-x HOSTS leaves hosts out"),
    row("--user", "--remote-user --login --login-name", true, "-u NAME is the login name"),
    row("--user", "-l", true, "-u NAME is the login name; -H HOSTS selects hosts"),
    row("--hosts-file", "--hostfile --host-file --machinefile", true, "--hosts-file FILE, or -H ^FILE"),
    row("--identity", "--private-key --key --key-file --identity-file", true, "--identity FILE"),
    row(
        "",
        "--port -p",
        true,
        "a port belongs to its host: -H HOST:PORT, or `port` in the inventory; -z N is how many hosts work at a time",
    ),
    row(
        "",
        "-o --option --ssh-option --ssh-common-args --ssh-extra-args -O",
        true,
        "options of ssh go into ~/.ssh/config (docs/ssh-config.md); new host keys: --host-keys accept-new",
    ),
    row("--ssh-config", "-F", true, "--ssh-config FILE"),
    row("--tasks", "--fabfile --playbook --tasks-file", true, "-f FILE names the tasks file"),
    row("--inventory", "--inventory-file", true, "-i FILE names the inventory"),
    row(
        "--connect-timeout",
        "--connection-timeout --connect_timeout",
        true,
        "-t TIME is the deadline of connecting",
    ),
    row("--command-timeout", "--command_timeout", true, "-T TIME is the time limit of each command"),
    row(
        "--connect-timeout",
        "--timeout",
        true,
        "-t TIME is the deadline of connecting, -T TIME that of each command",
    ),
    row("--fold", "--gather --gather-all --dshbak -B", false, "-b groups hosts with equal output"),
    row(
        "--fold",
        "--inline --line --one-line -L",
        false,
        "lines come as hosts send them; -b groups equal output",
    ),
    row("--outdir", "--errdir", true, "--outdir DIR holds both: DIR/HOST.out and DIR/HOST.err"),
    row("--stdin", "--send-input -I", false, "--stdin - gives every host the standard input"),
    row("exec", "--copy --dest", true, "`fan put LOCAL REMOTE` copies to hosts"),
    row("exec", "--rcopy", true, "`fan get REMOTE LOCAL` copies from hosts"),
    row(
        "exec",
        "--command --cmd --execute -c",
        true,
        "the command stands at the end: fan exec -H HOSTS -- CMD",
    ),
    row("run", "--command --cmd --execute -c", true, "a command for hosts is `fan exec -H HOSTS -- CMD`"),
    row("", "--no-color --nocolor --no-colour", false, "--color never; NO_COLOR holds too"),
    row("", "--colour", true, "--color auto|always|never"),
    row("--format", "--json", false, "--format jsonl prints the events of the run (docs/events.md)"),
    row("", "--debug -d", false, "-v says more, --log FILE writes down all of it"),
    row(
        "run",
        "--env --environment --stage -E",
        true,
        "hosts of one stage are a role: -R ROLE; variables are -e NAME=VALUE",
    ),
    row("", "--version -V", false, "`fan --version` prints the version"),
];

/// Whether a command is one of those that a row is about.
fn holds(row: &ForeignFlag, command: &clap::Command) -> bool {
    match row.at.strip_prefix("--") {
        _ if row.at.is_empty() => true,
        Some(long) => command.get_arguments().any(|arg| arg.get_long() == Some(long)),
        None => row.at.split(' ').any(|name| name == command.get_name()),
    }
}

fn lists(row: &ForeignFlag, flag: &str) -> bool {
    row.flags.split(' ').any(|foreign| foreign == flag)
}

/// Whether a flag of another tool has a value there.
pub(super) fn takes_value(flag: &str) -> bool {
    FOREIGN.iter().any(|row| row.takes_value && lists(row, flag))
}

/// What to write instead of a flag of another tool.
pub(super) fn instead(flag: &str, command: &clap::Command) -> Option<&'static str> {
    FOREIGN.iter().find(|row| lists(row, flag) && holds(row, command)).map(|row| row.here)
}

/// A flag that fan has, used as another tool has it: what is wrong, and what to write. Only what cannot be meant.
pub(super) fn misused(scanned: &[LineWord<'_>], at: usize) -> Option<(String, String)> {
    let LineWord::Flag { arg, value, next } = scanned.get(at)? else { return None };
    let said = |what: String, here: &str| Some((what, here.to_owned()));
    let exists = |path: &str| Path::new(path).exists();
    match (arg.get_id().as_str(), *value, *next) {
        ("tasks_file", Some(value), _) if is_number(value) && !exists(value) => said(
            format!("-f {value}: -f names the tasks file"),
            &format!("-z {value} lets {value} hosts work at a time"),
        ),
        ("limit", Some(value), _) if !is_number(value) => said(
            format!("--limit {value}: --limit takes a number of hosts"),
            &format!("-H {} selects hosts", quoted(value)),
        ),
        ("connect_timeout", Some(value), _) if duration::parse_seconds(value).is_err() && is_plain(value) => {
            said(
                format!("-t {value}: -t is the deadline of connecting, such as 10s"),
                &format!("--tags {value} runs only steps with this tag"),
            )
        }
        ("list", None, Some(_)) if tasks_follow(scanned) => said(
            "-l lists the tasks, and runs none".to_owned(),
            "-H HOSTS selects hosts, -u NAME is the login name",
        ),
        ("help", None, Some(file)) if exists(file) => said(
            format!("-h {file}: -h prints help"),
            &format!("{} names the hosts of a file", hosts_of(file)),
        ),
        _ => None,
    }
}

/// How the hosts of a file are named.
fn hosts_of(file: &str) -> String {
    format!("--hosts-file {file}")
}

/// Whether there are tasks to run beside `-l`.
fn tasks_follow(scanned: &[LineWord<'_>]) -> bool {
    scanned.iter().filter(|word| matches!(word, LineWord::Word(_))).count() > 0
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_digit())
}

/// A word of letters, as tags are.
fn is_plain(text: &str) -> bool {
    text.chars().next().is_some_and(char::is_alphabetic)
        && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | ','))
}

/// A word as a shell needs it.
pub(in crate::cli) fn quoted(text: &str) -> String {
    let plain = |c: char| {
        c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ',' | '@' | ':' | '/' | '=' | '%' | '+')
    };
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::args::Cli;

    /// A row that some command would read itself there is of no use; one that no command can reach neither.
    #[test]
    fn every_row_answers_somewhere_and_names_flags_that_exist() {
        let mut all = Cli::command();
        all.build();
        for row in FOREIGN {
            let somewhere = all.get_subcommands().any(|command| holds(row, command));
            assert!(somewhere, "{}: {}", row.at, row.flags);
        }
        let run = all.find_subcommand("run").unwrap();
        assert!(instead("--check", run).unwrap().contains("--dry-run"));
        assert!(instead("--check", all.find_subcommand("exec").unwrap()).unwrap().contains("--plan"));
        assert_eq!(instead("--nonsense", run), None);
        assert!(takes_value("--forks") && !takes_value("--check"));
    }

    #[test]
    fn words_are_quoted_where_a_shell_would_change_them() {
        assert_eq!(quoted("web01,db1"), "web01,db1");
        assert_eq!(quoted("web[1-3]!x"), "'web[1-3]!x'");
        assert_eq!(quoted("it's"), "'it'\\''s'");
    }
}
