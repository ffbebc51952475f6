//! The defaults that hold for a command line, and how clap gets to know them.

use clap::builder::OsStr;
use clap::{Arg, Command, CommandFactory};

use crate::cli::args::Cli;
use crate::cli::defaults::files::{FanFiles, is_configurable};
use crate::cli::error::CliError;
use crate::cli::habits::{LineWord, scan};
use crate::config::DefaultOption;
use crate::model::position::{Diagnostic, Position};
use crate::model::suggest::did_you_mean;

/// Takes all defaults away.
const NONE: &str = "none";

/// Defaults, the most important last.
#[derive(Clone, Debug, Default)]
pub(in crate::cli) struct ChosenDefaults {
    /// The files that they come from.
    pub(super) files: FanFiles,
    /// The profile, when there is one.
    pub(super) profile: Option<String>,
    options: Vec<ChosenOption>,
}

/// A default and where it comes from.
#[derive(Clone, Debug)]
pub(super) struct ChosenOption {
    pub(super) command: Option<String>,
    name: String,
    pub(super) values: Vec<String>,
    pub(super) position: Position,
    pub(super) of_profile: bool,
}

impl ChosenDefaults {
    /// Those of the files, with a profile's above them.
    pub(in crate::cli) fn of(files: FanFiles, profile: Option<&str>) -> Result<Self, CliError> {
        if profile == Some(NONE) {
            return Ok(Self { files, profile: profile.map(str::to_owned), options: Vec::new() });
        }
        if let Some(name) = profile.filter(|name| !files.profiles().contains(name)) {
            let problem = Diagnostic::bare(format!("--profile {name}: there is no such profile"));
            let profiles = files.profiles();
            let near = did_you_mean(name, profiles.iter().copied());
            return Err(match (near, profiles.as_slice()) {
                (Some(near), _) => problem.help(format!("did you mean \"{near}\"?")),
                (None, []) => problem.help("profiles are written in fan.yaml: docs/configuration.md"),
                (None, names) => problem.help(format!("profiles: {}", names.join(", "))),
            }
            .into());
        }
        let mut options = Vec::new();
        for file in &files.files {
            // What is said for one command is more than what is said for all.
            let (all, own): (Vec<_>, Vec<_>) =
                file.defaults.iter().partition(|option| option.command.is_none());
            options.extend(all.into_iter().chain(own).map(|option| ChosenOption::of(option, false)));
        }
        for file in &files.files {
            let profile =
                profile.and_then(|name| file.profiles.get(name)).map(Vec::as_slice).unwrap_or_default();
            let (all, own): (Vec<_>, Vec<_>) = profile.iter().partition(|option| option.command.is_none());
            options.extend(all.into_iter().chain(own).map(|option| ChosenOption::of(option, true)));
        }
        Ok(Self { files, profile: profile.map(str::to_owned), options })
    }

    /// The default of an option of a command.
    pub(super) fn get(&self, command: &str, arg: &Arg) -> Option<&ChosenOption> {
        let name = arg.get_long().filter(|_| is_configurable(arg))?;
        let is_it = |option: &&ChosenOption| {
            option.name == name && option.command.as_deref().is_none_or(|of| of == command)
        };
        self.options.iter().rev().find(is_it)
    }

    /// Whether an option of a command has a default here.
    pub(in crate::cli) fn has(&self, command: &str, arg: &Arg) -> bool {
        self.get(command, arg).is_some()
    }

    /// The command line with these defaults.
    pub(in crate::cli) fn applied(&self, all: Command) -> Command {
        if self.options.is_empty() {
            return all;
        }
        // Options that all commands have stand beside these.
        let all = all.mut_args(|arg| self.with_default("", arg));
        all.mut_subcommands(|command| {
            let name = command.get_name().to_owned();
            command.mut_args(|arg| self.with_default(&name, arg))
        })
    }

    fn with_default(&self, command: &str, arg: Arg) -> Arg {
        match self.get(command, &arg) {
            Some(option) => arg.default_values(option.values.iter().map(|value| OsStr::from(value.clone()))),
            None => arg,
        }
    }
}

impl ChosenOption {
    fn of(option: &DefaultOption, of_profile: bool) -> Self {
        Self {
            command: option.command.as_ref().map(|command| command.value.clone()),
            name: option.name.value.clone(),
            values: option.values.iter().map(|value| value.value.clone()).collect(),
            position: option.name.position.clone(),
            of_profile,
        }
    }
}

/// The profile that a command line or the environment names, wherever it stands.
pub(in crate::cli) fn profile_of(words: &[String], flags_at: usize) -> Option<String> {
    let mut all = Cli::command();
    all.build();
    let name = flags_at.checked_sub(1).and_then(|at| words.get(at));
    let command = name.and_then(|name| all.find_subcommand(name)).unwrap_or(&all);
    // Flags may stand before the command, too.
    let before = words.get(..flags_at.saturating_sub(1)).unwrap_or_default();
    let behind = words.get(flags_at..).unwrap_or_default();
    let named = [(&all, before), (command, behind)].into_iter().flat_map(|(command, words)| {
        let scanned = scan(command, words, |_| false).into_iter();
        scanned.filter_map(|word| match word {
            LineWord::Flag { arg, value, .. } if arg.get_id() == "profile" => value.map(str::to_owned),
            LineWord::Flag { .. } | LineWord::Stranger { .. } | LineWord::Word(_) | LineWord::Rest(_) => None,
        })
    });
    named.last().or_else(|| std::env::var("FAN_PROFILE").ok().filter(|name| !name.is_empty()))
}
