//! What the process was started with, carried out; errors become words, results the exit code.

use std::env;
use std::ffi::{OsStr, OsString};
use std::iter;
use std::panic;
use std::panic::UnwindSafe;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches};

use crate::cli::args::{Cli, CliCommand, Color, ReportCommand};
use crate::cli::console::ConsoleStart;
use crate::cli::defaults::{ChosenDefaults, FanFiles, profile_of};
use crate::cli::error::{CliError, talk};
use crate::cli::journal::Invocation;
use crate::cli::line::{CommandLine, Started};
use crate::cli::print::print;
use crate::cli::{
    again, check, complete, console, defaults, demo, diff, exec, explain, facts, fleet, from_plan, get,
    history, hosts, idle, init, jobs, list, log, ls, man, merge, ping, plugin, probe, put, run, schema,
    shell, show, snippet, sync, trust, version,
};
use crate::model::outcome::ExitCode;

/// Runs the command line that this process was started with; returns the number that it should exit with: an
/// [`ExitCode`], and for `fan shell` the exit status of the remote shell.
pub fn main() -> u8 {
    guarded(carried_out)
}

/// A bug ends with the number that says so, on whatever thread it shows.
fn guarded(work: impl FnOnce() -> u8 + UnwindSafe) -> u8 {
    panic::catch_unwind(work).unwrap_or_else(|_| {
        talk("error: this is a bug in fan; please report it");
        ExitCode::Bug.code()
    })
}

fn carried_out() -> u8 {
    if let Some(build) = version::asked(&env::args_os().skip(1).collect::<Vec<_>>()) {
        return print(&build).map_or_else(complain, |()| ExitCode::Ok.code());
    }
    let (line, defaults) = match started() {
        Ok(started) => started,
        Err(error) => return complain(error),
    };
    let words = iter::once(OsStr::new("fan")).chain(line.words.iter().map(OsString::as_os_str));
    let parsed = defaults.applied(Cli::command()).try_get_matches_from(words).and_then(|matches| {
        let cli = Cli::from_arg_matches(&matches)?;
        let name = matches.subcommand_name().unwrap_or_default().to_owned();
        let invocation = Invocation::of(&matches, line.clone(), &defaults);
        Ok(((cli, name, invocation), idle::idle(&matches)))
    });
    let (cli, name, invocation) = match parsed {
        Ok((parsed, idle)) if idle.is_empty() => parsed,
        Ok((_, idle)) => return complain(CliError::Input(idle)),
        Err(error) => {
            let words: Vec<String> =
                line.words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
            if let Some(problem) = idle::misplaced(&error, &words) {
                return complain(problem.into());
            }
            // Help and version are answers; they go to stdout and are no error.
            let answer = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            let printed = error.print();
            let code = if answer && printed.is_ok() { ExitCode::Ok } else { ExitCode::Input };
            return code.code();
        }
    };
    let log = match log::begin(&cli.log, &name) {
        Ok(log) => log,
        Err(error) => return complain(error),
    };
    let code = match &cli.command {
        CliCommand::Shell(args) => shell::run(args).unwrap_or_else(complain),
        command => {
            carry_out(command, cli.color, &invocation, &defaults).map_or_else(complain, ExitCode::code)
        }
    };
    if let Some(log) = log {
        log.end(code);
    }
    code
}

/// The command line, with the defaults that hold for it. A program that it starts takes this process's place.
fn started() -> Result<(CommandLine, ChosenDefaults), CliError> {
    let (started, files) = CommandLine::read(env::args_os().skip(1).collect(), FanFiles::read)?;
    match started {
        Started::Fan(line) => {
            let shown: Vec<String> =
                line.words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
            let profile = profile_of(&shown, line.flags_at);
            Ok((line, ChosenDefaults::of(files, profile.as_deref())?))
        }
        Started::Program(program, words) => Err(plugin::run(&program, &words)),
    }
}

/// Does what a subcommand is there for.
fn carry_out(
    command: &CliCommand,
    color: Color,
    invocation: &Invocation,
    defaults: &ChosenDefaults,
) -> Result<ExitCode, CliError> {
    let again =
        |(command, invocation): (CliCommand, Invocation)| carry_out(&command, color, &invocation, defaults);
    match command {
        CliCommand::Run(args) => match &args.from_plan {
            Some(file) => from_plan::run(file, args, color),
            None => run::run(args, color, invocation, None),
        },
        CliCommand::Exec(args) => exec::run(args, color, invocation),
        CliCommand::Jobs(args) => jobs::run(args, color, invocation),
        CliCommand::Console(args) => console::run(&ConsoleStart {
            selection: &args.selection,
            condition: &args.condition,
            connection: &args.connection,
            limit: &args.limit,
            pool: &args.pool,
            raising: &args.raising,
            journal: &args.journal,
            confirmed: &args.protection.confirm,
            color,
            invocation,
        }),
        CliCommand::Put(args) => put::run(args, color, invocation),
        CliCommand::Get(args) => get::run(args, color, invocation),
        CliCommand::Sync(args) => sync::run(args, color, invocation),
        CliCommand::Ls(args) => ls::run(args, color, invocation),
        CliCommand::Diff(args) => diff::run(args, color),
        CliCommand::Probe(args) => probe::run(args),
        CliCommand::List(args) => list::run(&args.tasks_file, &args.source, args.json),
        CliCommand::Hosts(args) => hosts::run(args),
        CliCommand::Check(args) => check::run(args, color),
        CliCommand::Ping(args) => ping::run(args, color),
        CliCommand::Facts(args) => facts::run(args, color),
        CliCommand::Trust(args) => trust::run(args),
        CliCommand::Schema(args) => schema::run(args),
        CliCommand::Config(args) => defaults::run(args, defaults),
        CliCommand::Init(args) => init::run(args),
        CliCommand::Explain(args) => explain::run(args),
        CliCommand::Completions(args) => complete::scripts(args),
        CliCommand::Complete(args) => complete::run(args),
        CliCommand::Man(args) => man::run(args),
        CliCommand::Demo(args) => demo::run(args, color),
        CliCommand::Fleet(args) => fleet::run(args, color),
        CliCommand::History(args) => history::run(args),
        CliCommand::Show(args) => show::run(args, color),
        CliCommand::Report(args) => match &args.command {
            Some(ReportCommand::Merge(args)) => merge::run(args),
            None => show::report(args),
        },
        CliCommand::Retry(args) => again::retry(args)?.map_or(Ok(ExitCode::Ok), again),
        CliCommand::Resume(args) => again::resume(args)?.map_or(Ok(ExitCode::Ok), again),
        // Its exit code is that of the remote shell.
        CliCommand::Shell(args) => shell::run(args).map(|_| ExitCode::Ok),
    }
}

/// Tells an error; gives the number to exit with.
fn complain(error: CliError) -> u8 {
    talk(&error.worded(snippet::shown));
    error.exit_code().code()
}

#[cfg(test)]
mod tests;
