//! All that is to be said about a command line before it is read: flags of other tools, flags with another tool's meaning,
//! and parameters of tasks written as flags. One pass, so that a command line is put right at once.

use std::path::Path;

use clap::Command;

use crate::cli::habits::flags::{self, misused};
use crate::cli::habits::scan::{LineWord, scan};
use crate::config;
use crate::model::position::Diagnostic;
use crate::model::task::TaskFile;

/// What is to be said; nothing when the command line is as it should be, or wrong in a way that clap words well.
pub(in crate::cli) fn answers(command: &Command, words: &[String]) -> Vec<Diagnostic> {
    let name = command.get_name();
    let has_tasks = command.get_arguments().any(|arg| arg.get_id() == "tasks");
    let mut scanned = scan(command, words, flags::takes_value);
    let file = if has_tasks && scanned.iter().any(|word| matches!(word, LineWord::Stranger { .. })) {
        tasks_file(&scanned)
    } else {
        None
    };
    if let Some(file) = &file {
        // The value of a parameter that is written as a flag is no task.
        scanned = scan(command, words, |flag| parameter(flag, file).is_some() || flags::takes_value(flag));
    }
    let called: Vec<&str> =
        scanned.iter().filter_map(word).map(|word| word.split(':').next().unwrap_or(word)).collect();
    let mut said: Vec<Diagnostic> = Vec::new();
    for (at, word) in scanned.iter().enumerate() {
        let problem = match word {
            LineWord::Stranger { flag } => {
                let taken = file.as_ref().and_then(|file| of_task(flag, &called, file));
                let instead = || flags::instead(flag, command).map(str::to_owned);
                taken
                    .or_else(instead)
                    .map(|here| Diagnostic::bare(format!("fan {name} has no {flag}")).help(here))
            }
            LineWord::Flag { .. } => {
                misused(&scanned, at).map(|(what, here)| Diagnostic::bare(what).help(here))
            }
            LineWord::Word(_) | LineWord::Rest(_) => None,
        };
        said.extend(problem.filter(|problem| !said.contains(problem)));
    }
    said
}

fn word<'a>(scanned: &LineWord<'a>) -> Option<&'a str> {
    match scanned {
        LineWord::Word(word) => Some(word),
        LineWord::Flag { .. } | LineWord::Stranger { .. } | LineWord::Rest(_) => None,
    }
}

/// The tasks file that is meant, if it can be read. What is wrong with it is told by whoever needs it.
fn tasks_file(scanned: &[LineWord<'_>]) -> Option<TaskFile> {
    let named = scanned.iter().find_map(|word| match word {
        LineWord::Flag { arg, value: Some(value), .. } if arg.get_id() == "tasks_file" => {
            Some(Path::new(*value))
        }
        LineWord::Flag { .. } | LineWord::Stranger { .. } | LineWord::Word(_) | LineWord::Rest(_) => None,
    });
    crate::cli::found::tasks_path(named)
        .ok()?
        .and_then(|path| config::load_tasks(&path).ok())
        .map(|loaded| loaded.value)
}

/// The parameter that a flag would be, of any task.
fn parameter<'f>(flag: &str, file: &'f TaskFile) -> Option<&'f str> {
    let name = flag.strip_prefix("--")?.replace('-', "_");
    file.tasks.values().flat_map(|task| task.params.keys()).find(|param| **param == name).map(String::as_str)
}

/// How a parameter is given that was written as a flag, as Fabric 2 does.
fn of_task(flag: &str, called: &[&str], file: &TaskFile) -> Option<String> {
    let name = parameter(flag, file)?;
    let task = called
        .iter()
        .find(|task| file.tasks.get(**task).is_some_and(|task| task.params.contains_key(name)))?;
    Some(format!("arguments stand behind the task: {task}:{name}=VALUE, or -e {name}=VALUE"))
}
