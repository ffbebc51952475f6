//! Flags that would have no effect: those of other subcommands, and those that do nothing without another one. What is
//! set in the environment is meant for all command lines, so it is left alone.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, CommandFactory};

use crate::cli::args::Cli;
use crate::model::position::Diagnostic;

/// Subcommands with one step that can be done as another user.
const ONE_STEP: &[&str] = &["exec", "console", "put", "get", "sync", "ls", "diff"];

/// A flag that does nothing where another is missing.
struct Dependent {
    commands: &'static [&'static str],
    flags: &'static [&'static str],
    /// One of these has to be there.
    needs: &'static [&'static str],
    problem: &'static str,
    help: &'static str,
}

/// All of them, by the names of their fields.
const DEPENDENT: &[Dependent] = &[
    Dependent {
        commands: ONE_STEP,
        flags: &["ask_sudo_pass"],
        needs: &["sudo", "run_as"],
        problem: "nothing is done with sudo here",
        help: "add -S to work as root, or --as USER",
    },
    Dependent {
        commands: &["run", "put", "get", "sync"],
        flags: &["exit_code"],
        needs: &["dry_run"],
        problem: "it says what a dry run found",
        help: "add --dry-run; the exit code of a run says whether it went well",
    },
    Dependent {
        commands: &["run"],
        flags: &["out"],
        needs: &["plan"],
        problem: "only plans are written to files",
        help: "add --plan",
    },
    Dependent {
        commands: &["diff"],
        flags: &["confirm"],
        needs: &["command"],
        problem: "looking at paths changes nothing, and needs no confirmation",
        help: "leave it out",
    },
    Dependent {
        commands: &["probe"],
        flags: &[
            "inventories",
            "roles",
            "hosts",
            "hosts_file",
            "exclude",
            "limit",
            "pick",
            "shard",
            "user",
            "identity",
            "gateway",
            "ssh_config",
            "ask_pass",
            "connect_timeout",
            "host_keys",
            "pool",
        ],
        needs: &["from"],
        problem: "it is probed from this machine",
        help: "add --from to probe from hosts",
    },
    // Then it is a console, which has its own ways to show output.
    Dependent {
        commands: &["exec"],
        flags: &[
            "stdin",
            "plan",
            "diff",
            "data",
            "table",
            "columns",
            "warn_only",
            "serial",
            "format",
            "fold",
            "quiet",
            "outdir",
            "report",
            "no_prefix",
            "verbose",
        ],
        needs: &["command", "script"],
        problem: "there is no command",
        help: "write it behind --: fan exec -R web -- uptime",
    },
    Dependent {
        commands: &["check"],
        flags: &["ask_pass", "ask_sudo_pass", "connect_timeout", "command_timeout", "host_keys", "pool"],
        needs: &["connect"],
        problem: "no host is contacted",
        help: "add --connect",
    },
    Dependent {
        commands: &["facts"],
        flags: &["db"],
        needs: &["save", "cached"],
        problem: "no fleet file is used",
        help: "add --save, or --cached AGE beside --where",
    },
    Dependent {
        commands: &["exec", "console", "put", "get", "sync", "ls", "ping", "diff"],
        flags: &["db"],
        needs: &["cached"],
        problem: "no fleet file is used",
        help: "add --cached AGE beside --where",
    },
    Dependent {
        commands: &["run", "exec", "console", "put", "get", "sync", "ls", "ping", "facts", "diff"],
        flags: &["cached"],
        needs: &["expression"],
        problem: "no host is chosen by facts",
        help: "add --where EXPR",
    },
    Dependent {
        commands: &["check"],
        flags: &["set", "only", "skip", "start_at"],
        needs: &["tasks"],
        problem: "no task is checked",
        help: "name one: fan check TASK",
    },
];

/// What may stand beside a plan that is run from its file: who runs it, and what is shown of that.
const BESIDE_A_PLAN: &[&str] = &[
    "from_plan",
    "plan",
    "yes",
    "confirm",
    "set",
    "ask_pass",
    "ask_sudo_pass",
    "no_journal",
    "format",
    "fold",
    "quiet",
    "outdir",
    "report",
    "no_prefix",
    "verbose",
    "view",
    "color",
    "profile",
    "log",
    "log_filter",
];

/// What users of a flag that a subcommand does not have are after.
const INSTEAD: &[(&str, &[&str], &str)] = &[
    ("set", &["exec", "console"], "the command is passed on unchanged: use a task (`fan run`) for templates"),
    (
        "set",
        &["put", "get", "sync", "ls"],
        "paths are no templates: {host} stands for the host's name; use a task (`fan run`) for templates",
    ),
    ("sudo", &["run"], "in a task, steps say it: `sudo: true`"),
];

/// The flags of a command line that have no effect, as their subcommand has nothing to do with them.
pub(super) fn idle(matches: &ArgMatches) -> Vec<Diagnostic> {
    let Some((name, given)) = matches.subcommand() else { return Vec::new() };
    let mut all = Cli::command();
    all.build();
    let Some(command) = all.find_subcommand(name) else { return Vec::new() };
    let is_given = |id: &&str| given.try_contains_id(id).is_ok_and(|there| there);
    let has = |id: &&str| match given.value_source(id) {
        None => false,
        // A switch of the environment may be off, and fan.yaml has defaults, too.
        Some(_) => is_given(id) && given.try_get_one::<bool>(id).ok().flatten() != Some(&false),
    };
    let mut problems = Vec::new();
    for rule in DEPENDENT.iter().filter(|rule| rule.commands.contains(&name)) {
        if rule.needs.iter().any(has) {
            continue;
        }
        for id in rule.flags.iter().filter(|id| is_given(id)) {
            if given.value_source(id) != Some(ValueSource::CommandLine) {
                continue;
            }
            let flag = command.get_arguments().find(|arg| arg.get_id() == *id).map(spelled);
            let flag = flag.unwrap_or_default();
            problems
                .push(Diagnostic::bare(format!("{flag} has no effect: {}", rule.problem)).help(rule.help));
        }
    }
    if name == "run" && has(&"from_plan") {
        let decided = command.get_arguments().filter(|arg| {
            let id = arg.get_id().as_str();
            let is_said = is_given(&id) && given.value_source(id) == Some(ValueSource::CommandLine);
            is_said && !BESIDE_A_PLAN.contains(&id)
        });
        problems.extend(decided.map(|arg| {
            let message = format!("{} has no effect: the plan's file decides that", spelled(arg));
            Diagnostic::bare(message).help("make another plan: fan run TASK --plan --out FILE")
        }));
    }
    problems
}

/// What is to be said of a flag that the subcommand does not have, and others do.
pub(super) fn misplaced(error: &clap::Error, words: &[String]) -> Option<Diagnostic> {
    if error.kind() != ErrorKind::UnknownArgument {
        return None;
    }
    let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg) else { return None };
    let mut all = Cli::command();
    all.build();
    let names = || all.get_subcommands().map(Command::get_name);
    let name = words.iter().find_map(|word| names().find(|name| word == name))?;
    let is_it = |arg: &&Arg| {
        let long = arg.get_long().is_some_and(|long| flag.strip_prefix("--") == Some(long));
        long || arg.get_short().is_some_and(|short| *flag == format!("-{short}"))
    };
    let owners: Vec<(&str, &str)> = all
        .get_subcommands()
        .filter_map(|command| {
            let arg = command.get_arguments().find(is_it)?;
            Some((command.get_name(), arg.get_id().as_str()))
        })
        .collect();
    let message = format!("{flag} has no effect in `fan {name}`");
    let instead = INSTEAD
        .iter()
        .find(|(id, commands, _)| commands.contains(&name) && owners.iter().any(|(_, of)| of == id));
    let problem = Diagnostic::bare(message);
    if owners.is_empty() {
        return None;
    }
    Some(match instead {
        Some((_, _, help)) => problem.help(*help),
        None => {
            let owners: Vec<&str> = owners.iter().map(|(name, _)| *name).collect();
            problem.help(format!("it is a flag of {}", owners.join(", ")))
        }
    })
}

/// A flag as it is best known: by its letter, if it has one.
fn spelled(arg: &Arg) -> String {
    match (arg.get_short(), arg.get_long()) {
        (Some(short), _) => format!("-{short}"),
        (None, Some(long)) => format!("--{long}"),
        (None, None) => arg.get_id().to_string(),
    }
}
