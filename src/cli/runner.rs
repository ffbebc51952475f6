//! Carries a plan out: keys and stores read, signals caught, engine and readers running side by side.

use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use crate::cli::args::{Color, Output};
use crate::cli::deliver::{self, Parcel};
use crate::cli::error::{CliError, talk};
use crate::cli::hands::TtyHands;
use crate::cli::journal::{BegunRecord, Recording};
use crate::cli::output::{OutputContent, Outputs, ReportEnd};
use crate::cli::prompt::{PromptTerminal, Prompter};
use crate::cli::questions::{self, Answers};
use crate::cli::runtime::runtime;
use crate::cli::secrets::PreparedSecrets;
use crate::cli::{journal, leaving, new_keys, secrets, signals, snippet, suspend};
use crate::engine::{self, Delivery, FromUser, RunInput, Stop, StopReceiver, StopSender, plan::Plan};
use crate::event::ledger::Ledger;
use crate::model::count::counted;
use crate::model::outcome::ExitCode;
use crate::model::redact::Redactor;
use crate::ssh::Connector;
use crate::ssh::client::SshConnector;
use crate::ssh::host_key::HostKeys;
use crate::ssh::transport::Transports;

/// Descriptors that the process needs besides its connections.
const SPARE_FILES: usize = 32;

/// How long a user who asked to stop waits for readers that are stuck (a terminal stopped by Ctrl-S).
const PATIENCE_STOPPED: Duration = Duration::from_millis(500);

/// The same when reports are written: they are worth more than a screen, and only a disk that stands still takes so long.
const PATIENCE_REPORTS: Duration = Duration::from_millis(1500);

/// How often a waiting process looks whether the user asked to stop.
const LOOK: Duration = Duration::from_millis(100);

/// Runs a plan with the reporters that the flags ask for.
pub(super) fn run(
    plan: Plan,
    output: &Output,
    color: Color,
    content: OutputContent,
    recording: Option<Recording>,
    input: Option<RunInput>,
) -> Result<ExitCode, CliError> {
    let given = RunGiven { input: input.map(Arc::new), ..RunGiven::from(Answers::Person) };
    run_with(plan, Outputs::new(output, color, content)?, given, recording)
}

/// What a run is given besides its plan.
pub(super) struct RunGiven {
    /// Answers to what it asks.
    pub(super) answers: Answers,
    /// What commands read that take the input of the run.
    pub(super) input: Option<Arc<RunInput>>,
}

impl From<Answers> for RunGiven {
    fn from(answers: Answers) -> Self {
        Self { answers, input: None }
    }
}

/// Runs a plan with these reporters, and these answers to what it asks.
pub(super) fn run_with(
    plan: Plan,
    outputs: Outputs,
    given: impl Into<RunGiven>,
    recording: Option<Recording>,
) -> Result<ExitCode, CliError> {
    let given = given.into();
    runtime()?
        .block_on_then_leave(async { carry_out(plan, outputs, given, signals::stops()?, recording).await })
}

/// Carries a plan out on the current runtime.
pub(super) async fn carry_out(
    plan: Plan,
    outputs: Outputs,
    given: impl Into<RunGiven>,
    (stop, stopping): (StopSender, StopReceiver),
    recording: Option<Recording>,
) -> Result<ExitCode, CliError> {
    let given = given.into();
    let unanswerable = questions::unanswerable(&plan, given.answers);
    if !unanswerable.is_empty() {
        return Err(CliError::Input(unanswerable));
    }
    let (plan, Ready { connector, redactor }) = prepare(plan, &mut PromptTerminal).await?;
    if let Some(terminal) = outputs.terminal() {
        suspend::listen(terminal)
            .map_err(|source| CliError::Local { doing: "cannot listen for signals".to_owned(), source })?;
    }
    let outputs = outputs.with_view(|| Box::new(TtyHands::new(Some(stop), stopping.clone())));
    let result =
        execute(plan, Transports::new(connector), &redactor, outputs, given, stopping, recording).await;
    // Readers that nobody waits for any more may have a terminal in another mode.
    leaving::lay_down();
    result
}

/// Carries a plan out whose hosts can be reached without another question.
pub(super) async fn execute(
    plan: Plan,
    connector: impl Connector,
    redactor: &Redactor,
    mut outputs: Outputs,
    given: impl Into<RunGiven>,
    stopping: StopReceiver,
    recording: Option<Recording>,
) -> Result<ExitCode, CliError> {
    let patience = if outputs.writes_reports() { PATIENCE_REPORTS } else { PATIENCE_STOPPED };
    let is_of_tasks = recording.as_ref().is_some_and(Recording::is_of_tasks);
    let begun = recording.map(|recording| recording.begin(&plan, redactor));
    let (recipe, journal) = begun.map_or((None, None), |BegunRecord { recipe, journal }| {
        (Some(serde_json::to_value(recipe).expect("its keys are strings")), journal)
    });
    if journal.is_some() && is_of_tasks {
        outputs.offer_resume();
    }
    let run_name = plan.run.to_string();
    let (sink, deliveries) = engine::channel(redactor);
    let report = spawn_reporters(outputs, deliveries)?;
    let sink = sink.written_in(journal.clone().map(|journal| journal as Arc<dyn Ledger>));
    // On a thread of the workers: woken on this one, the dispatcher would cost a switch of threads per host.
    let RunGiven { answers, input } = given.into();
    let (questions, asked) = engine::questions();
    tokio::spawn(questions::answer_all(asked, answers));
    let run = engine::run(
        Arc::new(plan),
        connector,
        sink,
        FromUser { stop: stopping.clone(), questions, input, recipe },
    );
    let (result, parcels) = if tokio::spawn(run).await.is_ok() {
        finish(report, &stopping, patience).await
    } else {
        talk(
            "error: fan's dispatcher failed; this is a bug\nhint: please report it, with the output of `fan --version`",
        );
        (Ok(ExitCode::Bug), Vec::new())
    };
    if let Some(journal) = &journal {
        let code = result.as_ref().map_or_else(CliError::exit_code, |code| *code);
        journal::end(journal, code.code());
    }
    let recorded = journal.is_some().then_some(run_name.as_str());
    match result {
        Ok(code) => Ok(deliver::deliver(parcels, recorded, &stopping, code).await),
        Err(error) => {
            deliver::deliver(parcels, recorded, &stopping, error.exit_code()).await;
            Err(error)
        }
    }
}

/// What a plan's hosts are reached with, and what must not be shown of it.
pub(super) struct Ready {
    pub(super) connector: SshConnector,
    pub(super) redactor: Redactor,
}

/// Gets everything ready that a plan's hosts are reached with: secrets, keys, and what is known of host keys. Asks
/// the user what must be asked, and passes on what they should know.
pub(super) async fn prepare(plan: Plan, prompter: &mut impl Prompter) -> Result<(Plan, Ready), CliError> {
    for warning in &plan.warnings {
        snippet::tell(warning);
    }
    let (plan, PreparedSecrets { keyring, redactor }) = secrets::prepare(plan, prompter).await?;
    let plan = fit_open_files(plan);
    let connector = SshConnector::new(keyring, Arc::new(HostKeys::default()));
    new_keys::settle(&plan, &connector).await?;
    for warning in connector.read_known_hosts(plan.endpoints()) {
        talk(&format!("warning: {warning}"));
    }
    Ok((plan, Ready { connector, redactor }))
}

/// Lowers the pool, or the run, to what the limit of open files allows.
///
/// A connection stays open until its host's last task, so a run of several tasks needs one per host.
pub(super) fn fit_open_files(plan: Plan) -> Plan {
    let Some(limit) = signals::raise_open_files().and_then(|limit| usize::try_from(limit).ok()) else {
        return plan;
    };
    let room = limit.saturating_sub(SPARE_FILES).max(1);
    let fits = plan.pool <= room;
    if !fits {
        talk(&format!(
            "warning: only {limit} files may be open: working on {} at a time (raise `ulimit -n`)",
            counted(room, "host")
        ));
    }
    if (plan.tasks.len() > 1 || plan.condition.is_some()) && plan.hosts.len() > room {
        let hosts = plan.hosts.len();
        talk(&format!(
            "warning: {} stay connected between tasks, and only {limit} files may be open (raise `ulimit -n`)",
            counted(hosts, "host")
        ));
    }
    if fits { plan } else { plan.with_pool(room) }
}

/// Starts the thread in which the readers live: they may block on a terminal or a pipe.
fn spawn_reporters(
    mut outputs: Outputs,
    deliveries: mpsc::Receiver<Delivery>,
) -> Result<mpsc::Receiver<ReportEnd>, CliError> {
    let (sender, end) = mpsc::channel();
    let thread = thread::Builder::new().name("reporters".to_owned()).spawn(move || {
        outputs.read(&deliveries);
        // Nobody waits any more when the user was in a hurry.
        let _ = sender.send(outputs.finish());
    });
    thread
        .map(|_| end)
        .map_err(|source| CliError::Local { doing: "cannot start a thread".to_owned(), source })
}

/// Waits for the readers, unless the user asked to stop and they are stuck.
async fn finish(
    report: mpsc::Receiver<ReportEnd>,
    stopping: &StopReceiver,
    patience: Duration,
) -> (Result<ExitCode, CliError>, Vec<Parcel>) {
    let mut waited = Duration::ZERO;
    loop {
        match report.try_recv() {
            Ok(mut end) => {
                let parcels = end.parcels();
                return (end.verdict(), parcels);
            }
            Err(mpsc::TryRecvError::Disconnected) => return (Ok(ExitCode::Bug), Vec::new()),
            Err(mpsc::TryRecvError::Empty) => {}
        }
        let stop = match stopping.current() {
            Stop::Drain(reason) => Some((reason, patience)),
            Stop::Now(reason) => Some((reason, PATIENCE_STOPPED)),
            Stop::Run => None,
        };
        if let Some((reason, patience)) = stop {
            if waited >= patience {
                return (Ok(reason.exit_code()), Vec::new());
            }
            waited += LOOK;
        }
        tokio::time::sleep(if waited.is_zero() { LOOK / 20 } else { LOOK }).await;
    }
}
