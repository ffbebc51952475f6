//! Asks all hosts what they have, and then, for each content that is to be shown, one host of those that have it.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::cli::args::{Color, DiffArgs, SelectionArgs};
use crate::cli::diff::ask::{self, DriftHosts};
use crate::cli::diff::local;
use crate::cli::error::{CliError, talk};
use crate::cli::files::{self, PutWhole};
use crate::cli::output::{OutputScreen, Outputs};
use crate::cli::print::print;
use crate::cli::protected::{self, Guard};
use crate::cli::runtime::runtime;
use crate::cli::{context, deliver};
use crate::cli::{one_step, plan_view, signals};
use crate::engine::StopReceiver;
use crate::files::select::Selection;
use crate::model::inventory::{HostName, Inventory};
use crate::model::outcome::ExitCode;
use crate::model::position::Diagnostic;
use crate::model::secret::MASK;
use crate::model::survey::{self, WantedContent};
use crate::model::task::{Action, Command};
use crate::model::tree::TreePath;
use crate::report::drift::{
    ComparedBy, ContentsOfHosts, Drift, DriftContents, DriftNeed, DriftReference, HostAnswers,
    OutputsOfHosts, SurveysOfHosts, Takes, compare_outputs, compare_surveys, drift_json, drift_letter,
    drift_page, drift_words,
};
use crate::report::{Composite, Progress, Reporter};

/// Bytes of a content that are read: what is longer is not shown.
const CONTENT_MAX: usize = 1024 * 1024 + 1;

/// How many hosts are asked for a content, one after the other, when one of them does not give it.
const TRIES: usize = 3;

/// Under which name a local file is compared; no host can have it.
const LOCAL: &str = "\0local";

/// Compares hosts.
pub(in crate::cli) fn run(args: &DiffArgs, color: Color) -> Result<ExitCode, CliError> {
    let (reports, post) = deliver::prepare(&args.report, "--report ", &["html", "json"], reports)?;
    let title = if args.command.is_empty() { args.paths.join(" ") } else { args.command.join(" ") };
    if !args.command.is_empty() && title.trim().is_empty() {
        return Err(CliError::input("the command is empty"));
    }
    if args.against.is_some() && args.paths.len() > 1 {
        return Err(CliError::input("--against is for one path: it would be compared with all of them"));
    }
    let takes = takes(&args.skip)?;
    let mut inventory = context::inventory(&args.selection.source)?;
    let selected = context::select_or_default(&mut inventory, &args.selection)?;
    let mut selected = selected.ok_or_else(|| context::no_hosts(&inventory))?;
    let reference = reference(args, &mut inventory, &mut selected)?;
    if selected.len() < 2 && args.against.is_none() {
        return Err(Diagnostic::bare("a single host differs from no other")
            .help("name more hosts, a host to compare with (--from), or a local file (--against)")
            .into());
    }
    let action = match title.as_str() {
        line if !args.command.is_empty() => Action::Run(Command::Raw(Arc::from(line))),
        _ => script(&survey::survey(&args.paths.iter().map(String::as_str).collect::<Vec<_>>())),
    };
    let plan = ask::plan(args, &inventory, &selected, (&title, action), args.condition.get())?;
    if args.plan {
        print(&plan_view::render(&plan))?;
        return Ok(ExitCode::Ok);
    }
    // A command may do anything.
    let guard =
        if args.command.is_empty() { Guard::Off } else { Guard::On { confirmed: &args.protection.confirm } };
    protected::agreed(&inventory, &plan, guard)?;
    let screen = OutputScreen::find(color)?;
    let style = screen.style;
    let compared = runtime()?.block_on_then_leave(async {
        // Kept to the end: without it nobody can ask to stop.
        let (_stop, stopping) = signals::stops()?;
        let hosts: Vec<HostName> = plan.hosts.iter().map(|host| host.endpoint.name.clone()).collect();
        let (asking, plan) = DriftHosts::prepare(args, &inventory, &title, plan, stopping.clone()).await?;
        let names = if args.command.is_empty() { args.paths.clone() } else { vec![title.clone()] };
        let by = ComparedBy { title: title.clone(), names, hosts: &hosts, reference };
        let compared = if args.command.is_empty() {
            files_of(&asking, plan, &by, screen, takes, &stopping).await
        } else {
            outputs_of(&asking, plan, &by, screen).await
        };
        asking.end().await;
        compared
    })?;
    let Compared { code, drift } = compared;
    let Some(drift) = drift else { return Ok(code) };
    print(&drift_words(&drift, style))?;
    for line in &drift.uncompared {
        talk(&format!("not compared: {}", style_clean(line)));
    }
    let shut = |line: &String| {
        ["cannot be read", "may not be listed", "ermission denied"].iter().any(|why| line.contains(why))
    };
    if drift.uncompared.iter().any(shut) && !args.raising.sudo {
        talk("hint: -S looks as root");
    }
    let own = match (code, drift.uncompared.is_empty(), drift.differs()) {
        (ExitCode::Ok, false, _) => ExitCode::Failed,
        (ExitCode::Ok, true, true) => ExitCode::Differs,
        (code, _, _) => code,
    };
    let written = written(reports, &drift, own);
    let code = written.as_ref().map_or_else(CliError::exit_code, |code| *code);
    let of = |extension: &str| match extension {
        "html" => Some(drift_page(&drift).into_bytes()),
        "json" => Some(drift_json(&drift).into_bytes()),
        _ => None,
    };
    let code = deliver::deliver_now(post.parcels(&drift_letter(&drift), &of), code)?;
    written.map(|_| code)
}

fn style_clean(line: &str) -> String {
    crate::model::text::sanitize(line.as_bytes(), crate::model::text::Sgr::Escape).into_owned()
}

/// What came of it.
struct Compared {
    code: ExitCode,
    /// None where nothing can be compared.
    drift: Option<Drift>,
}

/// What the hosts are compared with; a host that is named for that is asked, too.
fn reference(
    args: &DiffArgs,
    inventory: &mut Inventory,
    selected: &mut Vec<usize>,
) -> Result<DriftReference, CliError> {
    if let Some(path) = &args.against {
        return Ok(DriftReference::Local(HostName::from(LOCAL), path.display().to_string()));
    }
    let Some(from) = &args.from else { return Ok(DriftReference::Majority) };
    let found = context::select(inventory, &SelectionArgs::expression(from, &args.selection))?;
    let [one] = found.as_deref().unwrap_or_default() else {
        return Err(CliError::input(format!("--from {from}: it must be one host")));
    };
    if !selected.contains(one) {
        selected.push(*one);
        selected.sort_unstable();
    }
    let host = inventory.hosts.get(*one).map(|host| host.name.clone());
    host.map(DriftReference::Host).ok_or_else(|| CliError::input(format!("--from {from}: no such host")))
}

/// What of folders takes part.
fn takes(skip: &[String]) -> Result<Takes, CliError> {
    let selection = Selection::new(skip).map_err(|error| CliError::input(format!("--skip: {error}")))?;
    Ok(Box::new(move |path, is_folder| {
        let names = path.split(|&byte| byte == b'/');
        let path = names.into_iter().try_fold(TreePath::root(), |above, name| above.join(name));
        // A name that is none takes part: nothing is done with it but to compare it.
        path.map_or(true, |path| selection.takes_inside(&path, is_folder))
    }))
}

/// A script of ours, which stands for itself.
fn script(text: &str) -> Action {
    Action::Run(Command::Script(one_step::command(text)))
}

fn progress(screen: &OutputScreen) -> Option<Box<dyn Reporter>> {
    screen.terminal.clone().map(|terminal| Box::new(Progress::new(terminal)) as Box<dyn Reporter>)
}

/// Whether it makes sense to go on after the hosts were asked.
fn can_compare(by: &ComparedBy<'_>, code: ExitCode, answered: impl Fn(&HostName) -> bool) -> bool {
    if matches!(code, ExitCode::Interrupted | ExitCode::Terminated | ExitCode::Hangup | ExitCode::Bug) {
        return false;
    }
    if let DriftReference::Host(host) = &by.reference
        && !answered(host)
    {
        talk(&format!("nothing was compared: {host} gave no answer"));
        return false;
    }
    by.hosts.iter().any(answered)
}

async fn outputs_of(
    asking: &DriftHosts<'_>,
    plan: crate::engine::plan::Plan,
    by: &ComparedBy<'_>,
    screen: OutputScreen,
) -> Result<Compared, CliError> {
    let answers = HostAnswers::new(OutputsOfHosts::default());
    if let DriftReference::Local(name, path) = &by.reference {
        answers.look().whole(name, &local::text(Path::new(path))?);
    }
    let readers = progress(&screen).into_iter().chain([Box::new(answers.clone()) as Box<dyn Reporter>]);
    let outputs = Outputs::with(Composite::new(readers.collect()), screen, true);
    let code = asking.carry_out(plan, outputs).await?;
    let answers = answers.look();
    let drift = can_compare(by, code, |host| answers.answered(host)).then(|| compare_outputs(by, &answers));
    Ok(Compared { code, drift })
}

async fn files_of(
    asking: &DriftHosts<'_>,
    plan: crate::engine::plan::Plan,
    by: &ComparedBy<'_>,
    screen: OutputScreen,
    takes: Takes,
    stopping: &StopReceiver,
) -> Result<Compared, CliError> {
    let args = asking.args();
    let mut surveys = SurveysOfHosts::new(takes, !args.content && args.against.is_none());
    if let DriftReference::Local(name, path) = &by.reference {
        surveys.whole(name, &local::surveyed(Path::new(path))?);
    }
    let answers = HostAnswers::new(surveys);
    let readers = progress(&screen).into_iter().chain([Box::new(answers.clone()) as Box<dyn Reporter>]);
    let outputs = Outputs::with(Composite::new(readers.collect()), screen, true);
    let code = asking.carry_out(plan, outputs).await?;
    let needs = {
        let surveys = answers.look();
        if !can_compare(by, code, |host| surveys.answered(host)) {
            return Ok(Compared { code, drift: None });
        }
        compare_surveys(by, &surveys, None).1
    };
    let contents = contents_of(asking, by, &needs, stopping).await?;
    let surveys = answers.look();
    let (drift, _) = compare_surveys(by, &surveys, Some(&contents));
    Ok(Compared { code, drift: Some(drift) })
}

/// Reads contents, each from one host of those that have it; from another one where that fails.
async fn contents_of(
    asking: &DriftHosts<'_>,
    by: &ComparedBy<'_>,
    needs: &[DriftNeed],
    stopping: &StopReceiver,
) -> Result<DriftContents, CliError> {
    let mut contents = DriftContents::new();
    if let DriftReference::Local(name, path) = &by.reference {
        for need in needs.iter().filter(|need| need.hosts.contains(name)) {
            if let Some(data) = local::content(Path::new(path), &need.path, CONTENT_MAX) {
                keep(&mut contents, need, data);
            }
        }
    }
    for turn in 0..TRIES {
        let local = HostName::from(LOCAL);
        let open = needs.iter().enumerate().filter(|(_, need)| !contents.contains_key(&need.hash));
        let wanted: Vec<WantedContent> = open
            .filter_map(|(id, need)| {
                let host = need.hosts.iter().filter(|host| **host != local).nth(turn)?.to_string();
                let root = by.names.get(need.root)?.clone();
                Some(WantedContent { host, root, below: need.path.clone(), id })
            })
            .collect();
        if wanted.is_empty() || stopping.current() != crate::engine::Stop::Run {
            break;
        }
        let hosts: HashSet<HostName> =
            wanted.iter().map(|wanted| HostName::from(wanted.host.as_str())).collect();
        let hosts: Vec<HostName> = hosts.into_iter().collect();
        let mark = format!("fan-{:032x}", rand::random::<u128>());
        let answers = HostAnswers::new(ContentsOfHosts::new(&mark, CONTENT_MAX));
        let outputs = Outputs::only(Composite::new(vec![Box::new(answers.clone())]));
        let text = survey::contents(&wanted, &mark, CONTENT_MAX);
        asking.again(&hosts, script(&text), outputs).await?;
        let came = std::mem::take(&mut answers.look().contents);
        for (id, data) in came {
            if let Some(need) = needs.get(id) {
                keep(&mut contents, need, data);
            }
        }
    }
    Ok(contents)
}

/// Keeps a content that is what it was said to be. A secret in it is hidden by now, which changes it.
fn keep(contents: &mut DriftContents, need: &DriftNeed, data: Vec<u8>) {
    let digest: [u8; 32] = Sha256::digest(&data).into();
    let masked = data.windows(MASK.len()).any(|window| window == MASK.as_bytes());
    if digest == need.hash.0 || masked {
        contents.insert(need.hash, data);
    }
}

/// A report, and how it gets into its file.
struct DriftReport {
    render: fn(&Drift) -> String,
    put: PutWhole,
}

fn reports(paths: &[std::path::PathBuf]) -> Result<Vec<DriftReport>, CliError> {
    let mut reports = Vec::new();
    let mut problems = Vec::new();
    for path in paths {
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        let render: fn(&Drift) -> String = match ending.to_ascii_lowercase().as_str() {
            "html" => drift_page,
            "json" => drift_json,
            _ => {
                let message = format!("--report {}: unknown report format", path.display());
                problems.push(Diagnostic::bare(message).help("one of .html .json"));
                continue;
            }
        };
        match files::whole(path, "--report ") {
            Ok(put) => reports.push(DriftReport { render, put }),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(reports) } else { Err(CliError::Input(problems)) }
}

/// Writes the reports. One that cannot be written is an error when all else went well.
fn written(reports: Vec<DriftReport>, drift: &Drift, code: ExitCode) -> Result<ExitCode, CliError> {
    let mut failed = None;
    for DriftReport { render, put } in reports {
        if let Err(source) = put(render(drift).as_bytes()) {
            let error = CliError::Local { doing: "the report could not be written".to_owned(), source };
            if matches!(code, ExitCode::Ok | ExitCode::Differs) {
                failed = Some(error);
            } else {
                talk(&error.worded(ToString::to_string));
            }
        }
    }
    failed.map_or(Ok(code), Err)
}
