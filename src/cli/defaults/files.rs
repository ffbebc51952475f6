//! The files: where they are, what they say, and whether the command line has what they name.

use std::env;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, Command, CommandFactory, ValueHint};

use crate::cli::args::Cli;
use crate::cli::context::told;
use crate::cli::error::CliError;
use crate::cli::found;
use crate::config::{self, DefaultOption, FanFile};
use crate::model::addressee::{MailServer, NamedReport, ReportTo};
use crate::model::position::{Diagnostic, Located};
use crate::model::suggest::did_you_mean;

/// Where both files are looked for, by this name.
const NAME: &str = "fan.yaml";

/// What the files say, the user's first.
#[derive(Clone, Debug, Default)]
pub(in crate::cli) struct FanFiles {
    /// Those that there are.
    pub(super) files: Vec<FanFile>,
}

impl FanFiles {
    /// Reads them; all that is wrong with them at once.
    pub(in crate::cli) fn read() -> Result<Self, CliError> {
        let project = found::nearest(NAME)?;
        let own = own_file().filter(|path| path.symlink_metadata().is_ok());
        let is_same = |a: &Path, b: &Path| a.canonicalize().ok() == b.canonicalize().ok();
        let own = own.filter(|own| project.as_ref().is_none_or(|project| !is_same(own, project)));
        let (mut files, mut problems) = (Vec::new(), Vec::new());
        for path in [own, project].into_iter().flatten() {
            match config::load_fan_file(&path).map(told) {
                Ok(mut file) => {
                    problems.extend(checked(&mut file, path.parent().unwrap_or(Path::new(""))));
                    files.push(file);
                }
                Err(wrong) => problems.extend(wrong.errors().to_vec()),
            }
        }
        if problems.is_empty() { Ok(Self { files }) } else { Err(CliError::Input(problems)) }
    }

    /// The words that a name stands for, if it is an alias: the project's before the user's.
    pub(in crate::cli) fn alias(&self, name: &str) -> Option<&[String]> {
        self.files.iter().rev().find_map(|file| file.aliases.get(name)).map(|alias| alias.words.as_slice())
    }

    /// All aliases, each once.
    pub(in crate::cli) fn aliases(&self) -> Vec<&str> {
        let mut names: Vec<&str> =
            self.files.iter().flat_map(|file| file.aliases.keys()).map(String::as_str).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The entry of `reports` with a name: the project's before the user's.
    pub(in crate::cli) fn report(&self, name: &str) -> Option<&Located<NamedReport>> {
        self.files.iter().rev().find_map(|file| file.reports.get(name))
    }

    /// All entries of `reports`, each once.
    pub(in crate::cli) fn reports(&self) -> Vec<&str> {
        let mut names: Vec<&str> =
            self.files.iter().flat_map(|file| file.reports.keys()).map(String::as_str).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The mail server: all that the project says of it, or all that the user does. A password of one's own goes to no server
    /// that somebody else names.
    pub(in crate::cli) fn smtp(&self) -> Option<&Located<MailServer>> {
        self.files.iter().rev().find_map(|file| file.smtp.as_ref())
    }

    /// All profiles, each once.
    pub(in crate::cli) fn profiles(&self) -> Vec<&str> {
        let mut names: Vec<&str> =
            self.files.iter().flat_map(|file| file.profiles.keys()).map(String::as_str).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// The user's file: `$XDG_CONFIG_HOME/fan/fan.yaml`, or that below the home folder. A relative path does not count.
fn own_file() -> Option<PathBuf> {
    let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config")))?;
    Some(folder.join("fan").join(NAME))
}

/// What a file names and the command line does not have. Relative paths become those from the file's folder.
fn checked(file: &mut FanFile, folder: &Path) -> Vec<Diagnostic> {
    let mut all = Cli::command();
    all.build();
    let mut problems = Vec::new();
    for alias in file.aliases.values() {
        if all.find_subcommand(&alias.name.value).is_some() || alias.name.value == "help" {
            let message = format!("\"{}\" is a command of fan, which no alias can replace", alias.name.value);
            problems.push(Diagnostic::at(&alias.name.position, message).help("give the alias another name"));
        }
    }
    let options = file.defaults.iter_mut().chain(file.profiles.values_mut().flatten());
    for option in options {
        match argument(&all, option) {
            Ok(arg) => {
                let before = problems.len();
                problems.extend(option.values.iter().filter_map(|value| refused(&arg, value, option)));
                if option.values.len() > 1 && !matches!(arg.get_action(), ArgAction::Append) {
                    let message = format!("\"{}\" takes one value", option.name.value);
                    problems.push(Diagnostic::at(&option.name.position, message));
                }
                if problems.len() == before && arg.get_value_hint() == ValueHint::AnyPath {
                    // Reports go to people and services, too.
                    let is_path = |text: &str| {
                        option.name.value != "report"
                            || ReportTo::parse(text).is_ok_and(|target| target.file().is_some())
                    };
                    for value in option.values.iter_mut().filter(|value| is_path(&value.value)) {
                        value.value = below(folder, &value.value);
                    }
                }
                if option.name.value == "inventory" {
                    for value in &mut option.values {
                        // Other sources say what they are, or are no files.
                        if !value.value.contains([':', ',']) {
                            value.value = below(folder, &value.value);
                        }
                    }
                }
                if option.name.value == "set" {
                    for value in &mut option.values {
                        if let Some(path) = value.value.strip_prefix('@') {
                            value.value = format!("@{}", below(folder, path));
                        }
                    }
                }
            }
            Err(problem) => problems.push(problem),
        }
    }
    problems
}

/// A path of the file, from the folder of the file on. `-` and `none` are no paths.
fn below(folder: &Path, path: &str) -> String {
    if path == "-" || path == "none" {
        return path.to_owned();
    }
    folder.join(path).to_string_lossy().into_owned()
}

/// Whether an option may have a default in a file: all that the environment may set.
pub(super) fn is_configurable(arg: &Arg) -> bool {
    arg.get_env().is_some() && arg.get_long().is_some_and(|long| long != "profile")
}

/// The option of a default, of its command or of any.
fn argument(all: &Command, option: &DefaultOption) -> Result<Arg, Diagnostic> {
    let name = option.name.value.as_str();
    let is_it = |arg: &&Arg| arg.get_long() == Some(name);
    let commands: Vec<&Command> = match &option.command {
        None => all.get_subcommands().collect(),
        Some(of) => match all.find_subcommand(&of.value) {
            Some(command) => vec![command],
            None => {
                let names = all.get_subcommands().map(Command::get_name);
                let problem = Diagnostic::at(&of.position, format!("\"{}\" is no command of fan", of.value));
                return Err(match did_you_mean(&of.value, names) {
                    Some(near) => problem.help(format!("did you mean \"{near}\"?")),
                    None => problem.help("below the name of a command stand defaults of its options"),
                });
            }
        },
    };
    let all_args = || commands.iter().flat_map(|command| command.get_arguments());
    if let Some(arg) = all_args().filter(|arg| is_configurable(arg)).find(is_it) {
        return Ok(arg.clone());
    }
    let position = &option.name.position;
    if all_args().any(|arg| is_it(&arg)) {
        return Err(Diagnostic::at(position, format!("--{name} has no default: it is said for each call"))
            .help("options with an environment variable have one: `fan config --all` lists them"));
    }
    let names: Vec<&str> = all_args().filter(|arg| is_configurable(arg)).filter_map(Arg::get_long).collect();
    let problem = Diagnostic::at(position, format!("unknown option \"{name}\""));
    Err(match did_you_mean(name, names) {
        Some(near) => problem.help(format!("did you mean \"{near}\"?")),
        None => problem.help("`fan config --all` lists the options"),
    })
}

/// What the option says to a value that it does not take.
fn refused(arg: &Arg, value: &Located<String>, option: &DefaultOption) -> Option<Diagnostic> {
    let at = |message: String| Some(Diagnostic::at(&value.position, message));
    if !arg.get_action().takes_values() {
        let is_flag = matches!(value.value.as_str(), "true" | "false");
        return if is_flag { None } else { at(format!("\"{}\" is true or false", option.name.value)) };
    }
    // Alone, so that nothing but its own rules counts.
    let alone = Command::new("fan").no_binary_name(true).arg(lonely(arg));
    let error = alone.try_get_matches_from([format!("--{}={}", option.name.value, value.value)]).err()?;
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default();
    at(first.strip_prefix("error: ").unwrap_or(first).to_owned())
}

/// An argument without its ties to others.
fn lonely(arg: &Arg) -> Arg {
    let mut alone = Arg::new(arg.get_id().clone())
        .action(arg.get_action().clone())
        .value_parser(arg.get_value_parser().clone());
    alone = alone.long(arg.get_long().unwrap_or_default().to_owned());
    if let Some(names) = arg.get_value_names() {
        alone = alone.value_names(names.to_vec());
    }
    match arg.get_value_delimiter() {
        Some(delimiter) => alone.value_delimiter(delimiter),
        None => alone,
    }
}
