//! The journal of a run, as the command line wires it: where it is, what it says of the command line, and what is said when
//! it cannot be written. Whatever happens to it, the run goes on.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory};

use crate::cli::args::{Cli, JournalArg};
use crate::cli::clock;
use crate::cli::defaults::ChosenDefaults;
use crate::cli::error::{CliError, talk};
use crate::cli::line::CommandLine;
use crate::cli::state::{is_off, state_folder};
use crate::cli::taken_up::TakenUp;
use crate::config;
use crate::engine::plan::Plan;
use crate::model::addressee::ReportTo;
use crate::model::given::Given;
use crate::model::position::Diagnostic;
use crate::model::redact::Redactor;
use crate::model::secret::{MASK, Secret};
use crate::model::secretive::is_named_secret;
use crate::model::value::Value;
use crate::store::{Journal, Keep, Recipe, RecipeSource, Runs, StoreError};

/// A command line, to be written down with the run that it begins.
#[derive(Clone, Debug)]
pub(super) struct Invocation {
    /// Without the program's name; with what the environment and fan.yaml said, as flags.
    arguments: Vec<String>,
    unrepeatable: Option<String>,
    /// The run that it takes up.
    taken_up: Option<TakenUp>,
}

impl Invocation {
    /// That of a run that is taken up again.
    pub(super) fn again(arguments: Vec<String>, taken_up: TakenUp) -> Self {
        Self { arguments, unrepeatable: None, taken_up: Some(taken_up) }
    }

    /// One of these words, which came from a file.
    pub(super) fn of_words(arguments: Vec<String>) -> Self {
        Self { arguments, unrepeatable: None, taken_up: None }
    }

    /// The command line without what must not be written down.
    pub(super) fn recorded(&self, plan: &Plan, redactor: &Redactor) -> WrittenLine {
        let mut unrepeatable = self.unrepeatable.clone();
        let mut masked = Vec::new();
        let arguments = without_web_addresses(self.arguments.clone())
            .iter()
            .map(|word| match masked_variable(word, plan, redactor) {
                Some((shown, name)) => {
                    masked.push(name);
                    shown
                }
                None => {
                    let shown = without_secrets(word, plan, redactor);
                    if shown != *word {
                        unrepeatable.get_or_insert_with(|| "its command line holds a secret".to_owned());
                    }
                    shown
                }
            })
            .collect();
        WrittenLine { arguments, masked, unrepeatable }
    }

    /// Lets a plan go on from the run that it takes up, if it resumes one.
    pub(super) fn take_up(&self, plan: Plan) -> Result<Plan, CliError> {
        match &self.taken_up {
            Some(taken_up) => taken_up.prepare(plan),
            None => Ok(plan),
        }
    }

    /// What it goes on from, for `--plan`.
    pub(super) fn preview(&self, plan: &Plan) -> Result<String, CliError> {
        self.taken_up.as_ref().map_or(Ok(String::new()), |taken_up| taken_up.preview(plan))
    }

    /// That of this process.
    pub(super) fn of(matches: &ArgMatches, line: CommandLine, defaults: &ChosenDefaults) -> Self {
        let CommandLine { mut words, flags_at } = line;
        words.splice(flags_at..flags_at, unsaid(matches, defaults));
        let readable = words.iter().all(|word| word.to_str().is_some());
        Self {
            arguments: words.iter().map(|word| word.to_string_lossy().into_owned()).collect(),
            unrepeatable: (!readable).then(|| "its command line is not UTF-8".to_owned()),
            taken_up: None,
        }
    }

    /// That of a command which was typed in a console that began with this one: the line of `fan exec` that does the same.
    pub(super) fn in_console(&self, line: Option<&str>, elsewhere: bool) -> Self {
        let mut arguments: Vec<String> =
            self.arguments.iter().filter(|word| *word != "--").cloned().collect();
        if let Some(word) = arguments.iter_mut().find(|word| *word == "console") {
            *word = "exec".to_owned();
        }
        arguments.extend(line.map(|_| "--".to_owned()).into_iter().chain(line.map(str::to_owned)));
        let unrepeatable = match line {
            Some(_) if elsewhere => Some("its hosts were chosen in a console"),
            Some(_) => None,
            None => Some("it was typed in a console"),
        };
        Self {
            arguments,
            unrepeatable: self.unrepeatable.clone().or(unrepeatable.map(str::to_owned)),
            taken_up: None,
        }
    }

    /// What is written down of a run that begins with it; `files` are those that it has read.
    pub(super) fn recording<'p>(
        &self,
        journal: &JournalArg,
        files: impl IntoIterator<Item = &'p str>,
    ) -> Recording {
        let state = if journal.no_journal || is_off() { None } else { state_folder() };
        let files = files.into_iter().filter(|file| !file.is_empty());
        let files: Vec<RecipeSource> = files.map(|file| RecipeSource::of(Path::new(file))).collect();
        let mut invocation = self.clone();
        if files.iter().any(|file| file.path == "-") {
            invocation.unrepeatable = Some("it read stdin".to_owned());
        }
        Recording { invocation, files, state, is_of_tasks: false }
    }
}

/// What the environment and fan.yaml said, as flags.
fn unsaid(matches: &ArgMatches, defaults: &ChosenDefaults) -> Vec<OsString> {
    let Some((name, matches)) = matches.subcommand() else { return Vec::new() };
    let mut all = Cli::command();
    all.build();
    let Some(command) = all.find_subcommand(name) else { return Vec::new() };
    let mut words = Vec::new();
    for argument in command.get_arguments() {
        let id = argument.get_id().as_str();
        let Some(long) = argument.get_long() else { continue };
        match matches.value_source(id) {
            Some(ValueSource::EnvVariable) => {}
            Some(ValueSource::DefaultValue) if defaults.has(name, argument) => {}
            _ => continue,
        }
        if argument.get_action().takes_values() {
            for value in matches.get_raw(id).into_iter().flatten() {
                let mut word = OsString::from(format!("--{long}="));
                word.push(value);
                words.push(word);
            }
        } else if matches.get_flag(id) {
            words.push(format!("--{long}").into());
        }
    }
    words
}

/// A command line as it is written down.
#[derive(Clone, Debug, Default)]
pub(super) struct WrittenLine {
    /// Its words, secrets masked.
    pub(super) arguments: Vec<String>,
    /// Variables of `-e` whose values are masked.
    pub(super) masked: Vec<String>,
    /// Why the same cannot be run again, if so.
    pub(super) unrepeatable: Option<String>,
}

/// What is to be written down of a run.
#[derive(Clone, Debug)]
pub(super) struct Recording {
    invocation: Invocation,
    files: Vec<RecipeSource>,
    /// The folder of journals; none when the user wants none.
    state: Option<PathBuf>,
    is_of_tasks: bool,
}

/// What a run was started with, and where it is written down, if it is.
#[derive(Debug)]
pub(super) struct BegunRecord {
    pub(super) recipe: Recipe,
    pub(super) journal: Option<Arc<Journal>>,
}

impl Recording {
    /// Says that it is about tasks: a single command is better run again than resumed.
    pub(super) fn of_tasks(self) -> Self {
        Self { is_of_tasks: true, ..self }
    }

    /// Whether it is about tasks.
    pub(super) fn is_of_tasks(&self) -> bool {
        self.is_of_tasks
    }

    /// Begins the journal, once it is known what must not be in it.
    pub(super) fn begin(self, plan: &Plan, redactor: &Redactor) -> BegunRecord {
        let Self { invocation, files, state, is_of_tasks: _ } = self;
        let WrittenLine { arguments, masked, unrepeatable } = invocation.recorded(plan, redactor);
        let taken_up = invocation.taken_up;
        let folder = env::current_dir().map(|folder| folder.display().to_string()).unwrap_or_default();
        let recipe = Recipe {
            run: plan.run.to_string(),
            fan: env!("CARGO_PKG_VERSION").to_owned(),
            title: redactor.redact(&plan.title).into_owned(),
            started_at: plan.started_at.clone(),
            arguments,
            masked,
            unrepeatable,
            folder,
            files,
            again: taken_up.as_ref().map(TakenUp::again),
        };
        let journal = state.and_then(|state| match begin(&state, &recipe) {
            Ok(journal) => {
                taken_up.iter().for_each(TakenUp::let_go);
                Some(Arc::new(journal))
            }
            Err(error) => {
                talk(&format!("warning: this run is not recorded: {error}"));
                None
            }
        });
        BegunRecord { recipe, journal }
    }
}

/// Begins a journal; old ones go.
fn begin(state: &Path, recipe: &Recipe) -> Result<Journal, StoreError> {
    let runs = Runs::create(state)?;
    let journal = runs.begin(recipe)?;
    // This one counts, and is too new to go.
    runs.prune(keep(), clock::since_epoch());
    Ok(journal)
}

/// Ends a journal; what is wrong with it is told.
pub(super) fn end(journal: &Journal, exit_code: u8) {
    if let Err(error) = journal.end(exit_code) {
        talk(&format!("warning: the record of this run is incomplete: {error}"));
    }
}

/// A command line whose reports go to web services without their addresses: often whoever knows one may write there.
fn without_web_addresses(mut arguments: Vec<String>) -> Vec<String> {
    const FLAG: &str = "--report";
    let mut is_value = false;
    for word in arguments.iter_mut().take_while(|word| *word != "--") {
        let (flag, value) = match word.strip_prefix(FLAG).and_then(|rest| rest.strip_prefix('=')) {
            Some(value) => ("--report=", value),
            None if is_value => ("", word.as_str()),
            None => {
                is_value = word == FLAG;
                continue;
            }
        };
        if let Ok(target @ ReportTo::Web(_)) = ReportTo::parse(value) {
            *word = format!("{flag}{target}");
        }
        is_value = false;
    }
    arguments
}

/// A variable of `-e` that is a secret, or has the name of one, with its value masked; and its name.
fn masked_variable(word: &str, plan: &Plan, redactor: &Redactor) -> Option<(String, String)> {
    let (flag, set) = match (word.strip_prefix("--set="), word.strip_prefix("-e")) {
        (Some(set), _) => ("--set=", set),
        (None, Some(set)) => ("-e", set),
        (None, None) => ("", word),
    };
    let (name, value) = set.split_once('=')?;
    let secret = plan.is_secret(name) || is_named_secret(name) || redactor.redact(value) != value;
    (plan.extra_vars.contains(name) && secret).then(|| (format!("{flag}{name}={MASK}"), name.to_owned()))
}

/// Any other word of a command line: arguments of tasks may be secrets too.
fn without_secrets(word: &str, plan: &Plan, redactor: &Redactor) -> String {
    redactor.redact(&call_without_secrets(word, plan)).into_owned()
}

/// A call of a task on the command line, with its arguments masked when one of them is a secret by its name or its value.
pub(super) fn call_without_secrets(word: &str, plan: &Plan) -> String {
    let Some((task, arguments)) = word.split_once(':') else { return word.to_owned() };
    let names = arguments.split(',').filter_map(|argument| argument.split_once('='));
    // Without its name a secret is told by its value, however short: another word may be masked with it.
    let given =
        |argument: &Given| plan.secrets.given().iter().any(|(_, secret)| is_text_of(argument, secret));
    let written = |word: &str| plan.secrets.given().iter().any(|(_, secret)| word == secret.reveal());
    let placed = config::parse_call(word).is_ok_and(|call| call.positional.iter().any(given))
        || arguments.split(',').any(written);
    let is_secret = placed || names.into_iter().any(|(name, _)| plan.is_secret(name));
    if is_secret { format!("{task}:{MASK}") } else { word.to_owned() }
}

/// Whether an argument is a secret as the plan has it.
fn is_text_of(argument: &Given, secret: &Secret) -> bool {
    let is = |text: &str| text == secret.reveal();
    let looks = match &argument.value {
        Value::String(text) => is(text),
        Value::Number(number) => is(&number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => false,
    };
    looks || argument.text.as_deref().is_some_and(is)
}

/// How long runs are kept: `FAN_KEEP_RUNS` and `FAN_KEEP_DAYS`.
fn keep() -> Keep {
    const DAY: u64 = 24 * 3600;
    let mut keep = Keep::default();
    if let Some(runs) = number("FAN_KEEP_RUNS") {
        keep.runs = usize::try_from(runs).unwrap_or(usize::MAX);
    }
    if let Some(days) = number("FAN_KEEP_DAYS") {
        keep.age = Duration::from_secs(days.saturating_mul(DAY));
    }
    keep
}

fn number(name: &str) -> Option<u64> {
    let text = env::var(name).ok().filter(|text| !text.is_empty())?;
    match text.parse() {
        Ok(number) if number > 0 => Some(number),
        _ => {
            talk(&format!("warning: {name}={text} is ignored: it must be a number of at least 1"));
            None
        }
    }
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Missing { .. } | StoreError::Ambiguous { .. } | StoreError::Empty => {
                Diagnostic::bare(error.to_string()).help("`fan history` shows the runs").into()
            }
            StoreError::Folder { path, source } => {
                Self::Local { doing: format!("cannot use {path}"), source }
            }
            StoreError::File { run, name, source } => {
                Self::Local { doing: format!("cannot read {name} of run {run}"), source }
            }
            StoreError::Unsafe { .. } => Self::input(error.to_string()),
            StoreError::Later { .. } => {
                Diagnostic::bare(error.to_string()).help("use that version of fan").into()
            }
            StoreError::Damaged { .. } | StoreError::Gap { .. } => Diagnostic::bare(error.to_string())
                .help("what was done is not known for sure: `fan retry` starts over on the hosts that are not ok")
                .into(),
        }
    }
}
