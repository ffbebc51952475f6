//! Floor 3: the command line. Reads arguments and files, wires engine and reports together, turns errors into
//! words and results into the exit code. One file per subcommand.

mod again;
mod args;
mod ask;
mod call;
mod check;
mod clock;
mod context;
mod demo;
mod error;
mod escape;
mod exec;
mod facts;
mod files;
mod get;
mod history;
mod hosts;
mod journal;
mod leaving;
mod list;
mod log;
mod ls;
mod merge;
mod new_keys;
mod one_step;
mod output;
mod ping;
mod plan_view;
mod prompt;
mod protected;
mod put;
mod questions;
mod recorded;
mod run;
mod runner;
mod schema;
mod secrets;
mod shell;
mod show;
mod signals;
mod snippet;
mod suspend;
mod sync;
mod trust;
mod tty;

use std::{env, io};

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches};

use crate::cli::args::{Cli, Color, Command, ReportCommand};
use crate::cli::error::{CliError, talk};
use crate::cli::journal::Invocation;
use crate::model::outcome::ExitCode;

/// Runs the command line that this process was started with; returns the number that it should exit with: an
/// [`ExitCode`], and for `fan shell` the exit status of the remote shell.
pub fn main() -> u8 {
    let parsed = Cli::command().try_get_matches().and_then(|matches| {
        let cli = Cli::from_arg_matches(&matches)?;
        let name = matches.subcommand_name().unwrap_or_default().to_owned();
        Ok((cli, name, Invocation::of(&matches, env::args_os().skip(1))))
    });
    let (cli, name, invocation) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => {
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
        Command::Shell(args) => shell::run(args).unwrap_or_else(complain),
        command => carry_out(command, cli.color, &invocation).map_or_else(complain, ExitCode::code),
    };
    if let Some(log) = log {
        log.end(code);
    }
    code
}

/// Does what a subcommand is there for.
fn carry_out(command: &Command, color: Color, invocation: &Invocation) -> Result<ExitCode, CliError> {
    match command {
        Command::Run(args) => run::run(args, color, invocation),
        Command::Exec(args) => exec::run(args, color, invocation),
        Command::Put(args) => put::run(args, color, invocation),
        Command::Get(args) => get::run(args, color, invocation),
        Command::Sync(args) => sync::run(args, color, invocation),
        Command::Ls(args) => ls::run(args, color, invocation),
        Command::List(args) => list::run(&args.tasks_file, args.json),
        Command::Hosts(args) => hosts::run(args),
        Command::Check(args) => check::run(args, color),
        Command::Ping(args) => ping::run(args, color),
        Command::Facts(args) => facts::run(args, color),
        Command::Trust(args) => trust::run(args),
        Command::Schema(args) => schema::run(args),
        Command::Demo(args) => demo::run(args, color),
        Command::History(args) => history::run(args),
        Command::Show(args) => show::run(args, color),
        Command::Report(args) => match &args.command {
            Some(ReportCommand::Merge(args)) => merge::run(args),
            None => show::report(args),
        },
        Command::Retry(args) => again::retry(args, color),
        Command::Resume(args) => again::resume(args, color),
        // Its exit code is that of the remote shell.
        Command::Shell(args) => shell::run(args).map(|_| ExitCode::Ok),
    }
}

/// Tells an error; gives the number to exit with.
fn complain(error: CliError) -> u8 {
    talk(&error.worded(snippet::shown));
    error.exit_code().code()
}

/// Prints data on stdout. A reader that went away is no error.
fn print(text: &str) -> Result<(), CliError> {
    use io::Write;
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(source) if source.kind() != io::ErrorKind::BrokenPipe => {
            Err(CliError::Local { doing: "cannot write to stdout".to_owned(), source })
        }
        _ => Ok(()),
    }
}
