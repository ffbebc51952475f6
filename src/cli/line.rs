//! The command line before clap reads it: which command its words are for. A word in a command's place is, in this order, a
//! command of fan's, an alias of fan.yaml, a task of the tasks file, or a program `fan-WORD`; flags in front of tasks are
//! flags of `fan run`, as in Fabric.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Command, CommandFactory};

use crate::cli::args::Cli;
use crate::cli::defaults::FanFiles;
use crate::cli::error::CliError;
use crate::cli::found;
use crate::cli::habits::{LineWord, NamedHosts, answers, exec_on, scan, selection_of, verb};
use crate::cli::plugin;
use crate::config;
use crate::model::inventory::Inventory;
use crate::model::position::Diagnostic;
use crate::model::range::MAX_HOSTS;
use crate::model::suggest::did_you_mean;
use crate::model::task::TaskFile;

/// Words in the order that clap takes them, without the program's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CommandLine {
    /// All of them.
    pub(super) words: Vec<OsString>,
    /// Where the flags of the command begin: behind its name. At the end without one.
    pub(super) flags_at: usize,
}

/// What a command line starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Started {
    /// A command of fan's.
    Fan(CommandLine),
    /// A program, with the words behind its name.
    Program(PathBuf, Vec<OsString>),
}

impl CommandLine {
    /// Reads what the process was started with; what it means in another tool's words is an error that says so. `files` is
    /// asked for where it matters: a broken fan.yaml does not stand in the way of help.
    pub(super) fn read(
        mut words: Vec<OsString>,
        files: impl FnOnce() -> Result<FanFiles, CliError>,
    ) -> Result<(Started, FanFiles), CliError> {
        let mut all = Cli::command();
        all.build();
        let mut shown = as_text(&words);
        let whole = |words: Vec<OsString>| {
            Ok((Started::Fan(Self { flags_at: words.len(), words }), FanFiles::default()))
        };
        let at = command_at(&all, &shown);
        match shown.get(at).map(String::as_str) {
            None | Some("-h" | "--help" | "-V" | "--version") => return whole(words),
            Some("version") if shown.len() == at + 1 => return whole(replaced(words, at, "--version")),
            Some("help") => {
                return helped(&all, words, at).map(|line| (Started::Fan(line), FanFiles::default()));
            }
            Some(_) => {}
        }
        let files = files()?;
        expand(&all, &files, &mut words)?;
        shown.clone_from(&as_text(&words));
        let at = command_at(&all, &shown);
        let Some(word) = shown.get(at).map(String::as_str) else { return whole(words) };
        let behind = shown.get(at + 1..).unwrap_or_default();
        let with = |name: &str, mut words: Vec<OsString>| {
            words.insert(at, OsString::from(name));
            Self { words, flags_at: at + 1 }
        };
        let line = match word {
            _ if all.find_subcommand(word).is_some() => Self { words, flags_at: at + 1 },
            _ if word.starts_with('-') => {
                let name = if is_command_for_hosts(&all, shown.get(at..).unwrap_or_default()) {
                    "exec"
                } else {
                    "run"
                };
                with(name, words)
            }
            _ => match of_tasks(&all, shown.get(at..).unwrap_or_default())? {
                TaskLookup::Has => with("run", words),
                TaskLookup::HasNot(file) => match plugin::find(word) {
                    Some(program) => {
                        let words = words.get(at + 1..).unwrap_or_default().to_vec();
                        return Ok((Started::Program(program, words), files));
                    }
                    None => return Err(unknown(&all, word, behind, file.as_deref(), &files).into()),
                },
            },
        };
        Ok((Started::Fan(line.checked(&all)?), files))
    }

    /// The command line, unless there is something to say about it.
    fn checked(self, all: &Command) -> Result<Self, CliError> {
        let shown: Vec<String> = self.words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        let name = self.flags_at.checked_sub(1).and_then(|at| shown.get(at));
        let Some(mut command) = name.and_then(|name| all.find_subcommand(name)) else { return Ok(self) };
        let mut at = self.flags_at;
        // `fan report merge` has flags of its own.
        while let Some(inner) = shown.get(at).and_then(|word| command.find_subcommand(word)) {
            (command, at) = (inner, at + 1);
        }
        let said = answers(command, shown.get(at..).unwrap_or_default());
        if said.is_empty() { Ok(self) } else { Err(CliError::Input(said)) }
    }
}

/// Where the command's name stands: behind the flags that all commands have.
pub(super) fn command_at(all: &Command, words: &[String]) -> usize {
    let mut at = 0;
    while let Some(word) = words.get(at) {
        let (name, joined) = word.split_once('=').map_or((word.as_str(), false), |(name, _)| (name, true));
        let known = name.strip_prefix("--").and_then(|name| {
            all.get_arguments().find(|arg| arg.get_long() == Some(name) && arg.get_action().takes_values())
        });
        match known {
            Some(_) if joined => at += 1,
            Some(_) => at += 2,
            None => break,
        }
    }
    at
}

fn as_text(words: &[OsString]) -> Vec<String> {
    words.iter().map(|word| word.to_string_lossy().into_owned()).collect()
}

/// Puts the words of aliases in their place. An alias may begin with another one.
fn expand(all: &Command, files: &FanFiles, words: &mut Vec<OsString>) -> Result<(), CliError> {
    let mut seen: Vec<String> = Vec::new();
    loop {
        let shown = as_text(words);
        let at = command_at(all, &shown);
        let Some(name) = shown.get(at).filter(|name| all.find_subcommand(name).is_none()) else {
            return Ok(());
        };
        let Some(alias) = files.alias(name) else { return Ok(()) };
        if seen.contains(name) {
            return Err(Diagnostic::bare(format!("the alias \"{name}\" stands for itself"))
                .help("`fan config` shows the aliases")
                .into());
        }
        seen.push(name.clone());
        words.splice(at..=at, alias.iter().map(OsString::from));
    }
}

/// `help exec` is `exec --help`, and `help auth_failed` is `explain auth_failed`.
fn helped(all: &Command, mut words: Vec<OsString>, at: usize) -> Result<CommandLine, CliError> {
    let topic = words.get(at + 1).map(|topic| topic.to_string_lossy().into_owned());
    let line = match topic {
        Some(topic) if all.find_subcommand(&topic).is_none() => {
            let words = replaced(words, at, "explain");
            CommandLine { words, flags_at: at + 1 }
        }
        _ => {
            words.remove(at);
            words.push(OsString::from("--help"));
            CommandLine { flags_at: words.len(), words }
        }
    };
    Ok(line)
}

fn replaced(mut words: Vec<OsString>, at: usize, by: &str) -> Vec<OsString> {
    if let Some(word) = words.get_mut(at) {
        *word = OsString::from(by);
    }
    words
}

/// Whether flags in front are followed by `--` and nothing else: Fabric's way to run a command on hosts.
fn is_command_for_hosts(all: &Command, words: &[String]) -> bool {
    let Some(run) = all.find_subcommand("run") else { return false };
    let scanned = scan(run, words, |_| false);
    let names_tasks = scanned.iter().any(|word| matches!(word, LineWord::Word(_)));
    !names_tasks && scanned.iter().any(|word| matches!(word, LineWord::Rest(rest) if !rest.is_empty()))
}

/// Whether the tasks file has the task that a command line begins with.
enum TaskLookup {
    /// It has, or it cannot be read, which `fan run` tells.
    Has,
    /// It has not; or there is none.
    HasNot(Option<Box<TaskFile>>),
}

fn of_tasks(all: &Command, words: &[String]) -> Result<TaskLookup, CliError> {
    let Some(run) = all.find_subcommand("run") else { return Ok(TaskLookup::HasNot(None)) };
    let name = words.first().and_then(|word| word.split(':').next()).unwrap_or_default();
    let named = scan(run, words, |_| false).into_iter().find_map(|word| match word {
        LineWord::Flag { arg, value, .. } if arg.get_id() == "tasks_file" => value.map(PathBuf::from),
        LineWord::Flag { .. } | LineWord::Stranger { .. } | LineWord::Word(_) | LineWord::Rest(_) => None,
    });
    let named = named.or_else(|| env::var_os("FAN_TASKS").map(PathBuf::from));
    let Some(path) = found::tasks_path(named.as_deref())? else { return Ok(TaskLookup::HasNot(None)) };
    Ok(match config::load_tasks(&path) {
        Ok(loaded) if !loaded.value.tasks.contains_key(name) => {
            TaskLookup::HasNot(Some(Box::new(loaded.value)))
        }
        Ok(_) | Err(_) => TaskLookup::Has,
    })
}

/// The error for a word that is neither a command nor a task.
fn unknown(
    all: &Command,
    word: &str,
    behind: &[String],
    file: Option<&TaskFile>,
    files: &FanFiles,
) -> Diagnostic {
    let name = word.split(':').next().unwrap_or(word);
    let problem = Diagnostic::bare(match file {
        Some(file) => format!("\"{name}\" is neither a fan command nor a task in {}", file.file),
        None => {
            format!("\"{name}\" is not a fan command, and there is no tasks.yaml here or in a folder above")
        }
    });
    let inventory = inventory();
    if let Some(hosts) = NamedHosts::of(word, &inventory) {
        let flag = hosts.flag();
        let example = match ad_hoc(behind) {
            Some(what) => what.on(&flag),
            None if behind.is_empty() => format!("fan exec {flag} -- CMD, or fan run {flag} TASK"),
            None if file.is_some_and(|file| names_task(file, behind)) => {
                format!("fan run {flag} {}", behind.join(" "))
            }
            None => exec_on(&flag, behind),
        };
        return Diagnostic::bare(format!("{}: the command comes first", hosts.what())).help(example);
    }
    if let Some(foreign) = config::foreign_file(word.as_ref()) {
        return Diagnostic::bare(format!("\"{word}\" is a file: the command comes first")).help(foreign);
    }
    if let (true, Some((host, command))) =
        (word == "ssh", behind.split_first().filter(|(host, _)| !host.starts_with('-')))
    {
        let help = if command.is_empty() {
            format!("fan shell {host}")
        } else {
            exec_on(&selection_of(host, &inventory), command)
        };
        return problem.help(help);
    }
    if let Some(what) = ad_hoc(behind) {
        return problem.help(what.on(&format!("-H {word}")));
    }
    if let Some(here) = verb(name) {
        return problem.help(format!("`{here}` does this here"));
    }
    let commands = all.get_subcommands().filter(|command| !command.is_hide_set()).map(Command::get_name);
    let tasks = file.into_iter().flat_map(|file| file.tasks.keys().map(String::as_str));
    match did_you_mean(name, commands.chain(tasks).chain(files.aliases())) {
        Some(near) => problem.help(format!("did you mean `fan {near}`?")),
        None if file.is_some() => problem.help("`fan --help` lists the commands, `fan list` the tasks"),
        None => {
            let none = || {
                "`fan --help` lists the commands; -f FILE names a tasks file, `fan init` begins one"
                    .to_owned()
            };
            problem.help(found::foreign_tasks().unwrap_or_else(none))
        }
    }
}

fn names_task(file: &TaskFile, behind: &[String]) -> bool {
    let task = behind.first().and_then(|word| word.split(':').next());
    task.is_some_and(|task| file.tasks.contains_key(task))
}

/// The inventory, as far as it can be read: what is wrong with it is not the matter here.
fn inventory() -> Inventory {
    let named = env::var_os("FAN_INVENTORY").map(PathBuf::from);
    let path = found::inventory_path(named.as_deref()).ok().flatten();
    let loaded = path.and_then(|path| config::load_inventory(&path, MAX_HOSTS).ok());
    loaded.map_or_else(Inventory::empty, |loaded| loaded.value)
}

/// What `ansible HOSTS -m MODULE -a ARGUMENTS` would do.
struct AdHoc<'a> {
    module: &'a str,
    arguments: &'a str,
}

/// The module and its arguments, when the words behind the hosts say any.
fn ad_hoc(behind: &[String]) -> Option<AdHoc<'_>> {
    let value = |flags: [&str; 2]| {
        let at = behind.iter().position(|word| flags.contains(&word.as_str()))?;
        behind.get(at + 1).map(String::as_str)
    };
    let (module, arguments) = (value(["-m", "--module-name"]), value(["-a", "--args"]));
    (module.is_some() || arguments.is_some())
        .then(|| AdHoc { module: module.unwrap_or("command"), arguments: arguments.unwrap_or_default() })
}

impl AdHoc<'_> {
    /// The same on hosts that a flag selects.
    fn on(&self, hosts: &str) -> String {
        let argument = |name: &str| {
            let words = self.arguments.split_whitespace();
            words.filter_map(|word| word.split_once('=')).find(|(of, _)| *of == name).map(|(_, value)| value)
        };
        let moved = |from: &str, to: &str, verb: &str| {
            format!(
                "fan {verb} {hosts} {} {}",
                argument("src").unwrap_or(from),
                argument("dest").unwrap_or(to)
            )
        };
        match self.module.rsplit('.').next().unwrap_or(self.module) {
            "ping" => format!("fan ping {hosts}"),
            "command" | "shell" | "raw" => format!("fan exec {hosts} -- {}", self.arguments),
            "copy" => moved("LOCAL", "REMOTE", "put"),
            "fetch" => moved("REMOTE", "LOCAL", "get"),
            "synchronize" => moved("LOCAL", "REMOTE", "sync"),
            "setup" | "gather_facts" => format!("fan facts {hosts}"),
            "reboot" => "a task with the step `reboot: true` (docs/tasks.md)".to_owned(),
            _ => format!(
                "write the command: fan exec {hosts} -- CMD; there are no modules (docs/coming-from-ansible.md)"
            ),
        }
    }
}
