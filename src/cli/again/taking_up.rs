//! An earlier run taken up again: which one, whether it may be, and the command line that goes on from it.

use std::collections::BTreeSet;
use std::env;
use std::path::Path;
use std::sync::Arc;

use crate::cli::again::command_line::{parsed, unmasked};
use crate::cli::again::recorded_elsewhere::take_in;
use crate::cli::args::{self, CliCommand, Renewable, ResumeArgs, RetryArgs};
use crate::cli::error::{CliError, talk};
use crate::cli::journal::Invocation;
use crate::cli::taken_up::{TakenUp, shown};
use crate::cli::{ask, files, state};
use crate::engine::{Past, Standing, Unseen};
use crate::model::addressee::ReportTo;
use crate::model::inventory::HostName;
use crate::model::position::Diagnostic;
use crate::report::words::count_hosts;
use crate::store::{Again, Hold, Recipe, RecipeSource, Runs, Way};

/// Runs that may resume each other, one after the other.
const CHAIN_MAX: usize = 1000;

/// What is to be carried out now; nothing when nothing is left of the run.
type Repeated = (CliCommand, Invocation);

pub(in crate::cli) fn retry(args: &RetryArgs) -> Result<Option<Repeated>, CliError> {
    again(&args.again, Way::Retry, None)
}

pub(in crate::cli) fn resume(args: &ResumeArgs) -> Result<Option<Repeated>, CliError> {
    again(&args.again, Way::Resume, args.unknown.map(|what| what.unseen()))
}

fn again(args: &args::AgainArgs, way: Way, unknown: Option<Unseen>) -> Result<Option<Repeated>, CliError> {
    if way == Way::Resume && state::is_off() {
        let problem = Diagnostic::bare("this run would not be recorded, and the next resume would repeat it");
        return Err(problem.help("unset FAN_JOURNAL").into());
    }
    let named = named(&args.runs, way)?;
    let runs = state::runs()?;
    let (run, hold) = newest(&runs, &runs.find(&named)?, way)?;
    let recipe = runs.read(&run)?.recipe;
    if let Some(why) = &recipe.unrepeatable {
        return Err(CliError::input(format!("run {run} cannot be run again: {why}")));
    }
    let past = past(&runs, &run, way, args.runs.iter().any(|run| files::is_stream(Path::new(run))))?;
    let (done, open): (Vec<&HostName>, Vec<&HostName>) =
        past.hosts().iter().partition(|host| past.standing(host) == Standing::Done);
    // Killed before it told of its hosts: it begins now, with the hosts that are meant now.
    let began = !past.hosts().is_empty();
    if open.is_empty() && began {
        talk(&format!("nothing to do in run {run}: {} ok", count_hosts(done.len())));
        return Ok(None);
    }
    let words = unmasked(&recipe, &args.set)?;
    env::set_current_dir(&recipe.folder).map_err(|source| CliError::Local {
        doing: format!("cannot go to {}, where run {run} was started", recipe.folder),
        source,
    })?;
    agree_to_changes(&recipe, way, args.yes || args.plan)?;
    let mut cli = parsed(&words).map_err(|error| {
        CliError::input(format!("this version does not understand the command line of run {run}: {error}"))
    })?;
    let meant: BTreeSet<HostName> = match way {
        Way::Retry => open.iter().copied().cloned().collect(),
        Way::Resume => past.hosts().iter().cloned().collect(),
    };
    let what = recipe.title;
    match way {
        _ if !began => talk(&format!("{what}: run {run} had not started")),
        Way::Retry => {
            let names = shown(&open);
            talk(&format!(
                "{what}: run {run} again on {} of {}: {names}",
                open.len(),
                count_hosts(past.hosts().len())
            ));
            let unseen = past.unseen();
            if !unseen.is_empty() {
                talk(&format!(
                    "warning: how the last step ended on {} is not known; it runs again there",
                    shown(&unseen)
                ));
            }
        }
        Way::Resume => talk(&format!("{what}: continuing run {run}")),
    }
    adapt(&mut cli.command, began.then_some(meant), args)?;
    let taken_up = TakenUp { run, way, past, unknown, hold: Arc::new(hold) };
    Ok(Some((cli.command, Invocation::again(words, taken_up))))
}

/// The run that is meant. Those of other machines are taken in, in the order in which they went on from each other.
fn named(runs: &[String], way: Way) -> Result<String, CliError> {
    let (streams, others): (Vec<_>, Vec<_>) = runs.iter().partition(|run| files::is_stream(Path::new(run)));
    match (&*streams, &*others) {
        ([], [run]) => Ok(String::clone(run)),
        ([], []) => Ok("last".to_owned()),
        ([first @ .., last], []) => {
            for stream in first {
                take_in(Path::new(stream), way)?;
            }
            take_in(Path::new(last), way)
        }
        (_, [run, ..]) => {
            Err(Diagnostic::bare(format!("{run}: one run is taken up at a time"))
                .help("several event streams are those of one run and of those that went on from it: `fan resume first.jsonl second.jsonl`")
                .into())
        }
    }
}

/// Where a run has come to by now, as others may have taken it up since; held, so that nobody does at the same time.
fn newest(runs: &Runs, named: &str, way: Way) -> Result<(String, Hold), CliError> {
    loop {
        let since = runs.since(named)?;
        let run = since.last().map_or(named, |(run, _)| run);
        if way == Way::Resume
            && let Some((by, _)) = since.iter().find(|(_, way)| *way == Way::Retry)
        {
            let message = format!("run {named} was run again since, by run {by}");
            return Err(Diagnostic::bare(message)
                .help(format!("`fan resume {run}` continues that one"))
                .into());
        }
        let Some(hold) = runs.hold(run)? else {
            return Err(CliError::input(format!("run {run} is still in progress")));
        };
        // Another process may have been faster.
        if runs.since(run)?.is_empty() {
            if run != named {
                talk(&format!("run {named} was continued by run {run}"));
            }
            return Ok((run.to_owned(), hold));
        }
    }
}

/// What a run has done, and those that it resumed before. To go on from it, nothing of it may be missing.
fn past(runs: &Runs, run: &str, way: Way, streamed: bool) -> Result<Past, CliError> {
    let mut chain = vec![runs.read(run)?];
    while let Some(Again { run, way: Way::Resume }) = chain.last().and_then(|last| last.recipe.again.clone())
        && chain.len() < CHAIN_MAX
    {
        let before = runs.read(&run).map_err(|error| {
            let (why, way_out) = if streamed {
                (
                    "is not on this machine: give its stream before this one",
                    "`fan resume first.jsonl second.jsonl`",
                )
            } else {
                ("is no longer kept", "`fan retry` starts over on the hosts that are not ok")
            };
            Diagnostic::bare(format!("run {run}, which was resumed, {why}: {error}")).help(way_out)
        })?;
        chain.push(before);
    }
    let mut past = Past::default();
    for stored in chain.iter().rev() {
        stored.verify(way)?;
        past = past.followed_by(stored.events()?, stored.kept()?);
    }
    Ok(past)
}

/// Tells which files are other ones now. To go on in the middle of what they said, someone has to agree.
fn agree_to_changes(recipe: &Recipe, way: Way, yes: bool) -> Result<(), CliError> {
    let changed: Vec<&RecipeSource> = recipe.files.iter().filter(|file| file.has_changed()).collect();
    if changed.is_empty() {
        return Ok(());
    }
    let files: Vec<&str> = changed.iter().map(|file| file.path.as_str()).collect();
    let message = format!("changed since run {}: {}", recipe.run, files.join(", "));
    if way == Way::Retry || yes {
        talk(&message);
        return Ok(());
    }
    if !ask::can_ask() {
        let help = "-y continues with the files as they are; `fan retry` starts over";
        return Err(Diagnostic::bare(message).help(help).into());
    }
    talk(&message);
    if ask::line("continue with the files as they are? [yes/no] ")? == "yes" {
        Ok(())
    } else {
        Err(CliError::Interrupted)
    }
}

/// A stream that is gone on from stays as it is: without it, the next one could not be gone on from. The run writes its
/// own to a file beside it.
fn spare(target: &mut ReportTo, runs: &[String]) {
    let ReportTo::File(report) = target else { return };
    let is_read = |path: &Path| runs.iter().any(|run| files::is_same(Path::new(run), path));
    if !files::is_stream(report) || !is_read(report) {
        return;
    }
    let stem = report.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let mut others = (2_u32..).map(|number| report.with_file_name(format!("{stem}-{number}.jsonl")));
    if let Some(other) = others.find(|path| !path.exists()) {
        talk(&format!(
            "{} stays as it is: what is done now is recorded in {}",
            report.display(),
            other.display()
        ));
        *report = other;
    }
}

/// Leaves only these hosts to a command, or all that it means; and lets it hear what is said now.
fn adapt(
    command: &mut CliCommand,
    hosts: Option<BTreeSet<HostName>>,
    again: &args::AgainArgs,
) -> Result<(), CliError> {
    let mut earlier = match command {
        CliCommand::Run(args) => {
            // Its plan may have been written to a file; this one is not.
            args.out = None;
            args.yes |= again.yes;
            args.lock_wait = again.reaching.lock_wait.or(args.lock_wait);
            Renewable {
                selection: &mut args.selection,
                execution: &mut args.execution,
                sudo_password: &mut args.sudo_password,
                confirm: Some(&mut args.protection.confirm),
                plan: &mut args.plan,
            }
        }
        CliCommand::Exec(args) => Renewable {
            selection: &mut args.selection,
            execution: &mut args.execution,
            sudo_password: &mut args.raising.password,
            confirm: Some(&mut args.protection.confirm),
            plan: &mut args.plan,
        },
        CliCommand::Put(args) => args.common.looking.renewable(Some(&mut args.protection.confirm)),
        CliCommand::Get(args) => args.common.looking.renewable(None),
        CliCommand::Sync(args) => args.common.looking.renewable(Some(&mut args.protection.confirm)),
        _ => return Err(CliError::input("runs of this kind cannot be repeated")),
    };
    earlier.selection.only = hosts.map(Arc::new);
    again.reaching.renew(&mut earlier);
    if let Some(confirm) = earlier.confirm {
        confirm.extend_from_slice(&again.confirm);
    }
    earlier.execution.output.renewed(&again.output);
    for report in &mut earlier.execution.output.report {
        spare(report, &again.runs);
    }
    *earlier.plan = again.plan;
    Ok(())
}
