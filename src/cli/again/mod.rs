//! `fan retry` and `fan resume`: an earlier run taken up again, with the same command line in the same folder.

use std::collections::BTreeSet;
use std::env;
use std::sync::Arc;

use clap::{CommandFactory, FromArgMatches};

use crate::cli::args::{self, Cli, Color, Command, Resume, Retry};
use crate::cli::error::{CliError, talk};
use crate::cli::journal::Invocation;
use crate::cli::{ask, carry_out, journal};
use crate::engine::plan::Plan;
use crate::engine::{Doubt, Obstacle, Past, Standing, Unseen};
use crate::event::TaskSummary;
use crate::model::inventory::HostName;
use crate::model::outcome::ExitCode;
use crate::model::position::Diagnostic;
use crate::model::range;
use crate::model::secret::MASK;
use crate::report::words::{count_hosts, step_label};
use crate::store::{Again, Recipe, Runs, Source, State, Way};

/// Runs that may resume each other, one after the other.
const CHAIN_MAX: usize = 1000;

/// An environment variable that nobody sets: what the environment said then is part of the command line.
const UNSET: &str = "FAN_NOTHING_HAS_THIS_NAME";

/// The run that another one takes up.
#[derive(Clone, Debug)]
pub(super) struct TakenUp {
    run: String,
    way: Way,
    past: Past,
    unknown: Option<Unseen>,
}

/// What is to become of a step, by its task and number.
type Decided = ((usize, usize), Unseen);

pub(super) fn retry(args: &Retry, color: Color) -> Result<ExitCode, CliError> {
    again(&args.again, Way::Retry, None, color)
}

pub(super) fn resume(args: &Resume, color: Color) -> Result<ExitCode, CliError> {
    again(&args.again, Way::Resume, args.unknown.map(|what| what.unseen()), color)
}

fn again(args: &args::Again, way: Way, unknown: Option<Unseen>, color: Color) -> Result<ExitCode, CliError> {
    let runs = journal::runs()?;
    let run = runs.find(&args.run)?;
    let stored = runs.read(&run)?;
    if let State::Running(_) = stored.state {
        return Err(CliError::input(format!("run {run} is still going on")));
    }
    let recipe = stored.recipe;
    if let Some(why) = &recipe.unrepeatable {
        return Err(CliError::input(format!("run {run} cannot be run again: {why}")));
    }
    let past = past(&runs, &run)?;
    let (done, open): (Vec<&HostName>, Vec<&HostName>) =
        past.hosts().iter().partition(|host| past.standing(host) == Standing::Done);
    // Killed before it told of its hosts: it begins now, with the hosts that are meant now.
    let began = !past.hosts().is_empty();
    if open.is_empty() && began {
        talk(&format!("nothing is left of run {run}: {} ok", count_hosts(done.len())));
        return Ok(ExitCode::Ok);
    }
    let words = unmasked(&recipe, &args.set)?;
    env::set_current_dir(&recipe.folder).map_err(|source| CliError::Local {
        doing: format!("cannot go to {}, where run {run} was started", recipe.folder),
        source,
    })?;
    agree_to_changes(&recipe, way, args.yes)?;
    let mut cli = parsed(&words).map_err(|error| {
        CliError::input(format!("this version does not understand the command line of run {run}: {error}"))
    })?;
    let meant: BTreeSet<HostName> = match way {
        Way::Retry => open.iter().copied().cloned().collect(),
        Way::Resume => past.hosts().iter().cloned().collect(),
    };
    let what = recipe.title;
    match way {
        _ if !began => talk(&format!("{what}: run {run} had not begun")),
        Way::Retry => {
            let names = shown(&open);
            talk(&format!(
                "{what}: run {run} again on {} of {}: {names}",
                open.len(),
                count_hosts(past.hosts().len())
            ));
        }
        Way::Resume => talk(&format!("{what}: going on with run {run}")),
    }
    narrow(&mut cli.command, began.then_some(meant), args.yes)?;
    let taken_up = TakenUp { run, way, past, unknown };
    carry_out(&cli.command, color, &Invocation::again(words, taken_up))
}

/// What a run has done, and those that it resumed before.
fn past(runs: &Runs, run: &str) -> Result<Past, CliError> {
    let mut chain = vec![runs.read(run)?];
    while let Some(Again { run, way: Way::Resume }) = chain.last().and_then(|last| last.recipe.again.clone())
        && chain.len() < CHAIN_MAX
    {
        let before = runs.read(&run).map_err(|error| {
            Diagnostic::bare(format!("run {run}, which was resumed, is not kept any more: {error}"))
                .help("`fan retry` begins again on the hosts that are not ok")
        })?;
        chain.push(before);
    }
    let mut past = Past::default();
    for stored in chain.iter().rev() {
        past = past.followed_by(stored.events()?, stored.kept()?);
    }
    Ok(past)
}

/// The command line with the secrets that were left out of it.
fn unmasked(recipe: &Recipe, set: &[String]) -> Result<Vec<String>, CliError> {
    let mut problems = Vec::new();
    let named = |text: &str| {
        recipe.masked.iter().find(|name| text.split_once('=').is_some_and(|(of, _)| of == *name))
    };
    for text in set.iter().filter(|text| named(text).is_none()) {
        let name = text.split('=').next().unwrap_or_default();
        problems.push(
            Diagnostic::bare(format!("-e {name}=…: the run had no such variable that was not kept"))
                .help("the command line is that of the run; only what it hides can be given again"),
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
                Diagnostic::bare(format!("\"{name}\" of the command line is a secret, and was not kept"))
                    .help(format!("give it again: -e {name}=...")),
            ),
        }
    }
    if problems.is_empty() { Ok(words) } else { Err(CliError::Input(problems)) }
}

/// Tells which files are other ones now. To go on in the middle of what they said, somebody has to agree.
fn agree_to_changes(recipe: &Recipe, way: Way, yes: bool) -> Result<(), CliError> {
    let changed: Vec<&Source> = recipe.files.iter().filter(|file| file.has_changed()).collect();
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
        let help = "-y goes on with the files as they are; `fan retry` begins again";
        return Err(Diagnostic::bare(message).help(help).into());
    }
    talk(&message);
    if line("go on with the files as they are? [yes/no] ")? == "yes" {
        Ok(())
    } else {
        Err(CliError::Interrupted)
    }
}

fn line(prompt: &str) -> Result<String, CliError> {
    ask::line(prompt)
        .map_err(|source| CliError::Local { doing: "cannot read the terminal".to_owned(), source })
}

/// Reads a command line as that of another process, whatever this one's environment says.
fn parsed(words: &[String]) -> Result<Cli, clap::Error> {
    fn deaf(command: clap::Command) -> clap::Command {
        command
            .mut_args(|arg| if arg.get_env().is_some() { arg.env(UNSET) } else { arg })
            .mut_subcommands(deaf)
    }
    let matches = deaf(Cli::command()).no_binary_name(true).try_get_matches_from(words)?;
    Cli::from_arg_matches(&matches)
}

/// Leaves only these hosts to a command, or all that it means.
fn narrow(command: &mut Command, hosts: Option<BTreeSet<HostName>>, yes: bool) -> Result<(), CliError> {
    let selection = match command {
        Command::Run(args) => {
            args.yes |= yes;
            &mut args.selection
        }
        Command::Exec(args) => &mut args.selection,
        Command::Put(args) => &mut args.common.looking.selection,
        Command::Get(args) => &mut args.common.looking.selection,
        Command::Sync(args) => &mut args.common.looking.selection,
        _ => return Err(CliError::input("the run is of a kind that is not run again")),
    };
    selection.only = hosts.map(Arc::new);
    Ok(())
}

impl TakenUp {
    /// What is written down of it.
    pub(super) fn again(self) -> Again {
        Again { run: self.run, way: self.way }
    }

    /// Lets a plan go on from it. Asks what is to become of steps whose end was not seen.
    pub(super) fn prepare(&self, plan: &mut Plan) -> Result<(), CliError> {
        if self.way == Way::Retry {
            return Ok(());
        }
        let Self { run, past, unknown, .. } = self;
        let doubts = past.doubts(plan);
        let decided = self.decide(plan, &doubts, *unknown)?;
        let unseen = |doubt: &Doubt| {
            let found = decided.iter().find(|((task, step), _)| (*task, *step) == (doubt.task, doubt.step));
            found.map_or(Unseen::Fail, |(_, unseen)| *unseen)
        };
        let memory = past.clone().recall(plan, unseen);
        plan.memory = memory.map_err(|obstacles| told(run, &obstacles))?;
        for line in standings(past, plan) {
            talk(&line);
        }
        Ok(())
    }

    /// What is to become of each step whose end was not seen.
    fn decide(
        &self,
        plan: &Plan,
        doubts: &[Doubt],
        unknown: Option<Unseen>,
    ) -> Result<Vec<Decided>, CliError> {
        let mut places: Vec<(usize, usize)> = doubts.iter().map(|doubt| (doubt.task, doubt.step)).collect();
        places.sort_unstable();
        places.dedup();
        let tasks = plan.summaries();
        let mut decided = Vec::new();
        let mut problems = Vec::new();
        for place in places {
            let hosts: Vec<&HostName> = doubts
                .iter()
                .filter(|doubt| (doubt.task, doubt.step) == place)
                .map(|doubt| &doubt.host)
                .collect();
            let message = format!(
                "{}was started on {}, and its end was not seen",
                command_or(&step_label(&tasks, Some(place))),
                shown(&hosts)
            );
            if let Some(unseen) = unknown {
                decided.push((place, unseen));
            } else if ask::can_ask() {
                talk(&message);
                decided.push((place, asked()?));
            } else {
                let help = "--unknown rerun runs it again, --unknown skip takes it as done, --unknown fail as failed";
                problems.push(Diagnostic::bare(message).help(help));
            }
        }
        if problems.is_empty() { Ok(decided) } else { Err(CliError::Input(problems)) }
    }
}

fn asked() -> Result<Unseen, CliError> {
    loop {
        match line("run it again, take it as done, or as failed? [rerun/skip/fail] ")?.as_str() {
            "rerun" => return Ok(Unseen::Rerun),
            "skip" => return Ok(Unseen::Skip),
            "fail" => return Ok(Unseen::Fail),
            "" => return Err(CliError::Interrupted),
            _ => {}
        }
    }
}

/// A step for a message; `fan exec` has only its command.
fn command_or(label: &str) -> &str {
    if label.is_empty() { "the command " } else { label }
}

/// Where the hosts go on, a line for all that go on at one place.
fn standings(past: &Past, plan: &Plan) -> Vec<String> {
    let tasks = plan.summaries();
    let mut groups: Vec<(Standing, Vec<&HostName>)> = Vec::new();
    for planned in &plan.hosts {
        let host = &planned.endpoint.name;
        let standing = past.standing(host);
        match groups.iter_mut().find(|(other, _)| *other == standing) {
            Some((_, hosts)) => hosts.push(host),
            None => groups.push((standing, vec![host])),
        }
    }
    groups
        .iter()
        .map(|(standing, hosts)| format!("  {}: {}", shown(hosts), words(*standing, &tasks)))
        .collect()
}

fn words(standing: Standing, tasks: &[TaskSummary]) -> String {
    let label = |place| step_label(tasks, Some(place));
    let words = match standing {
        Standing::Done => "through".to_owned(),
        Standing::Start => "from the start".to_owned(),
        Standing::At(task, step) => format!("at {}", command_or(&label((task, step)))),
        Standing::After(task, step) => format!("after {}", command_or(&label((task, step)))),
    };
    words.trim_end().to_owned()
}

fn shown(hosts: &[&HostName]) -> String {
    let names: Vec<&str> = hosts.iter().map(|host| host.as_str()).collect();
    range::fold(&names)
}

/// What is in the way of going on, in words.
fn told(run: &str, obstacles: &[Obstacle]) -> CliError {
    const INSTEAD: &str = "`fan retry` begins again on the hosts that are not ok";
    let problem = |obstacle: &Obstacle| {
        match obstacle {
        Obstacle::OtherSteps { task, number, title } => Diagnostic::bare(format!(
            "step {number} of task \"{task}\", which was begun, is not \"{title}\" any more: run {run} cannot be resumed"
        ))
        .help(INSTEAD),
        Obstacle::Lost { host, name, title } => Diagnostic::bare(format!(
            "\"{name}\" of step \"{title}\" on {host} was not kept: it holds a secret, or is too large"
        ))
        .help(INSTEAD),
        Obstacle::Unskippable { title, name } => Diagnostic::bare(format!(
            "step \"{title}\" cannot be taken as done: it was to define \"{name}\""
        ))
        .help("--unknown rerun runs it again, --unknown fail takes it as failed"),
    }
    };
    CliError::Input(obstacles.iter().map(problem).collect())
}
