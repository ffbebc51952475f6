//! The command line of an earlier run, as it was: its secrets given again, and nothing that the environment says now.

use clap::{CommandFactory, FromArgMatches};

use crate::cli::args::Cli;
use crate::cli::error::CliError;
use crate::model::position::Diagnostic;
use crate::model::secret::MASK;
use crate::store::Recipe;

/// An environment variable that nobody sets: what the environment said then is part of the command line.
const UNSET: &str = "FAN_NOTHING_HAS_THIS_NAME";

/// The command line with the secrets that were left out of it.
pub(in crate::cli) fn unmasked(recipe: &Recipe, set: &[String]) -> Result<Vec<String>, CliError> {
    let mut problems = Vec::new();
    let named = |text: &str| {
        recipe.masked.iter().find(|name| text.split_once('=').is_some_and(|(of, _)| of == *name))
    };
    for text in set.iter().filter(|text| named(text).is_none()) {
        let name = text.split('=').next().unwrap_or_default();
        problems.push(
            Diagnostic::bare(format!("-e {name}=…: the run had no such variable that was not kept"))
                .help("the command line is the run's; only its hidden values can be given again"),
        );
    }
    let mut words = recipe.arguments.clone();
    for name in &recipe.masked {
        let hidden = format!("{name}={MASK}");
        let given = set.iter().rev().find(|text| named(text) == Some(name));
        match given {
            Some(given) => words.iter_mut().filter(|word| word.ends_with(&hidden)).for_each(|word| {
                *word = word.replacen(&hidden, given, 1);
            }),
            None => problems.push(
                Diagnostic::bare(format!("\"{name}\" of the command line is a secret and was not recorded"))
                    .help(format!("give it again: -e {name}=...")),
            ),
        }
    }
    if problems.is_empty() { Ok(words) } else { Err(CliError::Input(problems)) }
}

/// Reads a command line as that of another process, whatever this one's environment says.
pub(in crate::cli) fn parsed(words: &[String]) -> Result<Cli, clap::Error> {
    fn deaf(command: clap::Command) -> clap::Command {
        command
            .mut_args(|arg| if arg.get_env().is_some() { arg.env(UNSET) } else { arg })
            .mut_subcommands(deaf)
    }
    let matches = deaf(Cli::command()).no_binary_name(true).try_get_matches_from(words)?;
    Cli::from_arg_matches(&matches)
}
