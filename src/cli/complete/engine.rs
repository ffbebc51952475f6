//! What may come next on a command line: clap's engine, with candidates of the project's files, told to a shell.

use std::env;
use std::ffi::{OsStr, OsString};
use std::sync::Arc;

use clap::{Arg, Command, CommandFactory, ValueHint};
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate, complete};

use crate::cli::args::{Cli, CompleteArgs, CompletionsArgs};
use crate::cli::complete::project::Project;
use crate::cli::complete::typed::TypedCommand;
use crate::cli::complete::{script, values};
use crate::cli::defaults::FanFiles;
use crate::cli::error::CliError;
use crate::cli::line::command_at;
use crate::cli::print::print;
use crate::model::outcome::ExitCode;
use crate::model::text::{Sgr, sanitize};

/// `fan completions`: the script for a shell.
pub(in crate::cli) fn scripts(args: &CompletionsArgs) -> Result<ExitCode, CliError> {
    print(script::of(args.shell))?;
    Ok(ExitCode::Ok)
}

/// `fan __complete`: a candidate on each line, with its description behind a tab for shells that show it.
pub(in crate::cli) fn run(args: &CompleteArgs) -> Result<ExitCode, CliError> {
    let Some(typed) = TypedCommand::read(args.shell, &args.words) else {
        return Err(CliError::input(
            "what was typed is not as the script of `fan completions` hands it over",
        ));
    };
    let mut text = String::new();
    for candidate in candidates(&typed) {
        let value = candidate.get_value().to_string_lossy();
        text += &sanitize(typed.written(&value).as_bytes(), Sgr::Escape);
        let help = candidate.get_help().map(ToString::to_string).unwrap_or_default();
        if let Some(help) = help.lines().next().filter(|_| args.shell.shows_descriptions()) {
            text.push('\t');
            text += &sanitize(help.trim_end_matches('.').as_bytes(), Sgr::Escape);
        }
        text.push('\n');
    }
    print(&text)?;
    Ok(ExitCode::Ok)
}

fn candidates(typed: &TypedCommand) -> Vec<CompletionCandidate> {
    let mut all = Cli::command();
    all.build();
    let mut words = typed.words.get(1..).unwrap_or_default().to_vec();
    let files = FanFiles::read().unwrap_or_default();
    let at = command_at(&all, &words);
    let is_first = at + 1 >= words.len();
    if let Some(alias) = words.get(at).filter(|_| !is_first).and_then(|word| files.alias(word)) {
        let alias = alias.to_vec();
        words.splice(at..=at, alias);
    }
    if !is_first && words.get(at).is_some_and(|word| all.find_subcommand(word).is_none() && word != "help") {
        // Flags in front, or a task.
        words.insert(at, "run".to_owned());
    }
    let before = words.get(at + 1..words.len().saturating_sub(1).max(at + 1)).unwrap_or_default();
    let command = words.get(at).and_then(|name| all.find_subcommand(name));
    let aliases = files.aliases().into_iter().map(str::to_owned).map(CompletionCandidate::new).collect();
    let project = Arc::new(Project::of(command, before, files.clone()));
    let mut asked = with_values(Cli::command(), &project);
    let line: Vec<OsString> =
        [OsString::from("fan")].into_iter().chain(words.iter().map(OsString::from)).collect();
    let index = line.len() - 1;
    let mut found = complete(&mut asked, line, index, env::current_dir().ok().as_deref()).unwrap_or_default();
    if is_first && !typed.current().starts_with('-') {
        found.extend(starting(values::tasks(&project, typed.current()), typed.current()));
        found.extend(starting(aliases, typed.current()));
    }
    // Flags are offered to those who begin one; letters are what nobody needs to have completed.
    let wants_flags = typed.current().starts_with('-');
    found.retain(|candidate| {
        let value = candidate.get_value().to_string_lossy();
        let is_flag = value.starts_with('-');
        !is_flag || wants_flags && (value.starts_with("--") || typed.current().len() > 1)
    });
    found
}

/// The command with candidates for the values of its arguments, as far as they come from files.
fn with_values(command: Command, project: &Arc<Project>) -> Command {
    let with = |arg: Arg| match values::of(arg.get_id().as_str()) {
        Some(of) => {
            let project = Arc::clone(project);
            arg.add(ArgValueCompleter::new(move |typed: &OsStr| {
                let typed = typed.to_string_lossy();
                starting(of(&project, &typed), &typed)
            }))
        }
        None if arg.get_id() == "inventories" => arg.value_hint(ValueHint::AnyPath),
        None => arg,
    };
    command.mut_args(with).mut_subcommands(|command| with_values(command, project))
}

fn starting(candidates: Vec<CompletionCandidate>, typed: &str) -> Vec<CompletionCandidate> {
    let is_meant =
        |candidate: &CompletionCandidate| candidate.get_value().to_string_lossy().starts_with(typed);
    candidates.into_iter().filter(is_meant).collect()
}
