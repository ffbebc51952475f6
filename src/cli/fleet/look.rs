//! The subcommands: tables, pages and changes from the file.

use std::io::{self, IsTerminal};

use crate::cli::args::{
    Color, FleetArgs, FleetChangesArgs, FleetChoiceArgs, FleetCommand, FleetForgetArgs, FleetFormat,
    FleetTableArgs,
};
use crate::cli::clock;
use crate::cli::error::{CliError, talk};
use crate::cli::fleet::choose::{FORECAST, chosen, entries, open};
use crate::cli::fleet::place::{path, told};
use crate::cli::fleet::report::report;
use crate::cli::output::OutputScreen;
use crate::cli::print::print;
use crate::fleet::FleetFile;
use crate::model::fleet::{ArchiveKind, FleetHost, disks};
use crate::model::outcome::ExitCode;
use crate::model::position::Diagnostic;
use crate::model::suggest::did_you_mean;
use crate::report::fleet::{
    COLUMNS, FleetEntry, FleetView, changes_csv, changes_json, changes_table, check_column, csv, json, page,
    table,
};

/// Seconds that the page of a host looks back.
const PAGE: u64 = 30 * 86_400;

pub(in crate::cli) fn run(args: &FleetArgs, color: Color) -> Result<ExitCode, CliError> {
    match (&args.command, &args.host) {
        (Some(FleetCommand::Changes(args)), _) => changes(args, color),
        (Some(FleetCommand::Report(args)), _) => report(args),
        (Some(FleetCommand::Forget(args)), _) => forget(args),
        (None, Some(host)) => one(args, host, color),
        (None, None) => all(&args.choice, &args.table, color),
    }
}

fn all(choice: &FleetChoiceArgs, shape: &FleetTableArgs, color: Color) -> Result<ExitCode, CliError> {
    let named = shape.columns.as_deref();
    let columns: Vec<String> = match named {
        Some(named) => named.iter().map(|name| name.trim().to_owned()).collect(),
        None => COLUMNS.map(str::to_owned).to_vec(),
    };
    let unknown = |name: &String| {
        let near = check_column(name).err()?;
        let problem = Diagnostic::bare(format!("--columns: there is no column \"{name}\""));
        Some(problem.help(match near {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => "a column is a fact by its path, as in os.id, or one of docs/fleet.md".to_owned(),
        }))
    };
    let problems: Vec<Diagnostic> = columns.iter().filter_map(unknown).collect();
    if !problems.is_empty() {
        return Err(CliError::Input(problems));
    }
    let file = open(choice)?;
    let now = clock::unix();
    let hosts = chosen(&file, choice, now)?;
    let view = FleetView { now, since: now, hosts: entries(&file, hosts, now)?, changes: Vec::new() };
    let text = match shape.format {
        FleetFormat::Json => json(&view, named.map(|_| columns.as_slice())),
        FleetFormat::Csv => csv(&view, &columns),
        FleetFormat::Table if view.hosts.is_empty() => {
            talk("no hosts");
            String::new()
        }
        FleetFormat::Table => table(&view, &columns, screen(), OutputScreen::find(color)?.style),
    };
    print(&text)?;
    Ok(ExitCode::Ok)
}

/// The width of the screen that stdout is, if it is one.
fn screen() -> Option<usize> {
    if !io::stdout().is_terminal() {
        return None;
    }
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    Some(usize::from(size.ws_col)).filter(|&columns| columns > 0)
}

fn known(file: &FleetFile, name: &str) -> Result<FleetHost, CliError> {
    let mut hosts = file.hosts().map_err(told)?;
    let at = hosts.iter().position(|host| host.name == name);
    at.map(|at| hosts.swap_remove(at)).ok_or_else(|| {
        let near = did_you_mean(name, hosts.iter().map(|host| host.name.as_str()));
        let problem = Diagnostic::bare(format!("the fleet file has no host \"{name}\""));
        match near {
            Some(near) => problem.help(format!("did you mean \"{near}\"?")).into(),
            None => problem.help("`fan fleet` lists the hosts; `fan facts --save` adds some").into(),
        }
    })
}

fn one(args: &FleetArgs, name: &str, color: Color) -> Result<ExitCode, CliError> {
    if args.table.columns.is_some() || args.table.format == FleetFormat::Csv {
        return Err(CliError::input("--columns and -o csv are for the table of all hosts"));
    }
    let file = open(&args.choice)?;
    let now = clock::unix();
    let host = known(&file, name)?;
    let since = now.saturating_sub(PAGE);
    let mut numbers = file.numbers(ArchiveKind::Hourly, since, Some(name)).map_err(told)?;
    let mut daily =
        file.numbers(ArchiveKind::Daily, now.saturating_sub(FORECAST), Some(name)).map_err(told)?;
    let daily = daily.remove(name).unwrap_or_default();
    let disks = host.facts.as_ref().map(|facts| disks(facts, &daily, now)).unwrap_or_default();
    let entry = FleetEntry { host, disks, numbers: numbers.remove(name).unwrap_or_default() };
    let changes = file.changes(0, Some(name)).map_err(told)?;
    let view = FleetView { now, since, hosts: Vec::new(), changes };
    let text = match args.table.format {
        FleetFormat::Json => json(&FleetView { hosts: vec![entry], ..view }, None),
        FleetFormat::Table | FleetFormat::Csv => page(&entry, &view, OutputScreen::find(color)?.style),
    };
    print(&text)?;
    Ok(ExitCode::Ok)
}

fn changes(args: &FleetChangesArgs, color: Color) -> Result<ExitCode, CliError> {
    let file = open(&args.choice)?;
    let now = clock::unix();
    let names: Vec<String> = match &args.host {
        Some(name) => vec![known(&file, name)?.name],
        None => chosen(&file, &args.choice, now)?.into_iter().map(|host| host.name).collect(),
    };
    let mut changes =
        file.changes(now.saturating_sub(args.since.seconds()), args.host.as_deref()).map_err(told)?;
    changes.retain(|change| names.contains(&change.host));
    let text = match args.format {
        FleetFormat::Json => changes_json(&changes),
        FleetFormat::Csv => changes_csv(&changes),
        FleetFormat::Table if changes.is_empty() => {
            talk("no changes");
            String::new()
        }
        FleetFormat::Table => changes_table(&changes, OutputScreen::find(color)?.style),
    };
    print(&text)?;
    Ok(ExitCode::Ok)
}

fn forget(args: &FleetForgetArgs) -> Result<ExitCode, CliError> {
    let path = path(args.db.as_deref())?;
    let mut file = FleetFile::open(&path).map_err(told)?;
    // All of them are there, or none is forgotten.
    for name in &args.hosts {
        known(&file, name)?;
    }
    for name in &args.hosts {
        file.forget(name).map_err(told)?;
    }
    Ok(ExitCode::Ok)
}
