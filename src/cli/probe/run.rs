//! The command: checks everything, probes, prints, and probes again where that is asked for.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use regex::bytes::Regex;
use serde_json::json;

use crate::cli::args::{ProbeArgs, ProbeData};
use crate::cli::context::{self, Common};
use crate::cli::deliver;
use crate::cli::error::CliError;
use crate::cli::files::{self, PutWhole};
use crate::cli::print::print;
use crate::cli::probe::round::{self, ProbeRound, ProbedFrom};
use crate::cli::probe::{letter, table};
use crate::cli::prompt::PromptTerminal;
use crate::cli::runner::{self, Ready};
use crate::cli::runtime::runtime;
use crate::cli::signals;
use crate::engine::plan::Plan;
use crate::engine::planner;
use crate::engine::{Stop, StopReceiver};
use crate::model::endpoint::Endpoint;
use crate::model::outcome::ExitCode;
use crate::model::position::Diagnostic;
use crate::model::task::{Action, FactsStep, Step};
use crate::model::time::rfc3339;
use crate::ssh::local::LocalSession;
use crate::ssh::transport::Transports;
use crate::web::{MAX_TARGETS, ProbeExpects, ProbeTarget, WebTrust, check_header, targets};

pub(in crate::cli) fn run(args: &ProbeArgs) -> Result<ExitCode, CliError> {
    let (reports, post) = deliver::prepare(&args.report, "--report ", &["json", "csv"], reports)?;
    let round = Arc::new(round_of(args)?);
    let plan = if args.from { Some(plan(args)?) } else { None };
    runtime()?.block_on_then_leave(async {
        let hosts = match plan {
            Some(plan) => {
                let pool = plan.pool;
                let (plan, Ready { connector, .. }) = runner::prepare(plan, &mut PromptTerminal).await?;
                let endpoints: Vec<Endpoint> = plan.hosts.into_iter().map(|host| host.endpoint).collect();
                Some((Arc::new(Transports::new(connector)), endpoints, pool))
            }
            None => None,
        };
        // Kept to the end: without it nobody can ask to stop.
        let (_stop, mut stopping) = signals::stops()?;
        let mut rounds = 0;
        let mut before = None;
        loop {
            let probing = async {
                match &hosts {
                    Some((connector, endpoints, pool)) => {
                        round::from_hosts(&round, connector, endpoints, *pool, &stopping).await
                    }
                    None => round::from_here::<LocalSession>(&round).await,
                }
            };
            let mut asked = stopping.clone();
            let found = tokio::select! {
                biased;
                reason = asked.asked() => return Ok(reason.exit_code()),
                found = probing => found,
            };
            rounds += 1;
            tell(args, &found)?;
            let written = written(&reports, &found, verdict(&found));
            let code = written.as_ref().map_or_else(CliError::exit_code, |code| *code);
            let letter = letter::of(&found, before.as_deref(), now());
            // A watch tells only what is new.
            let code = if args.watch.is_none() || letter.changed {
                let parcels = post.parcels(&letter, &|extension| match extension {
                    "json" => Some(json_report(&found).into_bytes()),
                    "csv" => Some(table::csv(&found).into_bytes()),
                    _ => None,
                });
                deliver::deliver(parcels, None, &stopping, code).await
            } else {
                code
            };
            written?;
            before = Some(letter::states(&found));
            let Some(pause) = args.watch.filter(|_| args.rounds.is_none_or(|most| rounds < most)) else {
                return Ok(code);
            };
            if let Some(code) = stopped(&mut stopping, pause).await {
                return Ok(code);
            }
        }
    })
}

/// Waits, unless the user asks to stop: then gives the exit code.
async fn stopped(stopping: &mut StopReceiver, pause: std::time::Duration) -> Option<ExitCode> {
    if stopping.current() != Stop::Run {
        return Some(stopping.asked().await.exit_code());
    }
    tokio::select! {
        biased;
        reason = stopping.asked() => Some(reason.exit_code()),
        () = tokio::time::sleep(pause) => None,
    }
}

/// A target as it was written, but for the login that it may have: it could have a password.
fn without_login(text: &str) -> String {
    let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
    match rest.rsplit_once('@') {
        Some((_, rest)) if scheme.is_empty() => format!("...@{rest}"),
        Some((_, rest)) => format!("{scheme}://...@{rest}"),
        None => text.to_owned(),
    }
}

/// All that the command line says, checked: every mistake at once.
fn round_of(args: &ProbeArgs) -> Result<ProbeRound, CliError> {
    let mut problems = Vec::new();
    let mut all: Vec<ProbeTarget> = Vec::new();
    for text in &args.targets {
        match targets(text) {
            Ok(found) => all.extend(found),
            Err(why) => problems.push(Diagnostic::bare(format!("{}: {why}", without_login(text)))),
        }
    }
    if all.len() > MAX_TARGETS {
        let message = format!("there are {} connections to make, and {MAX_TARGETS} are the most", all.len());
        problems.push(Diagnostic::bare(message).help("probe a part of them at a time"));
    }
    if args.from {
        let names = all.iter().filter(|target| matches!(target, ProbeTarget::Dns(_)));
        problems.extend(names.map(|target| {
            Diagnostic::bare(format!("{target}: names are looked up by this machine, not by hosts"))
                .help("fan exec -- getent hosts NAME")
        }));
    }
    let mut headers = Vec::new();
    for header in &args.header {
        let checked = header.split_once(':').ok_or_else(|| "it is written 'NAME: VALUE'".to_owned());
        let checked = checked.and_then(|(name, value)| {
            let (name, value) = (name.trim(), value.trim());
            check_header(name, value).map(|()| (name.to_owned(), value.to_owned()))
        });
        match checked {
            Ok(header) => headers.push(header),
            // Its value may be a secret.
            Err(why) => problems.push(Diagnostic::bare(format!("--header: {why}"))),
        }
    }
    let body = args.expect_body.as_deref().map(Regex::new).transpose();
    let body = body.unwrap_or_else(|error| {
        let why = error.to_string();
        let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ");
        problems.push(Diagnostic::bare(format!("--expect-body is no regular expression: {why}")));
        None
    });
    let tls = all.iter().any(|target| matches!(target, ProbeTarget::Web(url) if url.tls || args.follow > 0));
    let trust = match (args.no_verify || !tls && args.ca.is_none(), &args.ca) {
        (true, _) => Ok(WebTrust::anyone()),
        (false, ca) => WebTrust::load(ca.as_deref()),
    };
    let trust = match trust {
        Ok(trust) if problems.is_empty() => trust,
        Ok(_) => return Err(CliError::Input(problems)),
        Err(why) => {
            let message = args.ca.as_ref().map_or_else(|| why.clone(), |_| format!("--ca {why}"));
            problems.push(Diagnostic::bare(message).help(
                "--ca FILE names certificates of authorities (PEM), and SSL_CERT_FILE too; --no-verify believes any",
            ));
            return Err(CliError::Input(problems));
        }
    };
    let expects = ProbeExpects {
        status: args.expect_status.clone(),
        body,
        max_time: args.max_time,
        cert_days: args.cert_days,
        timeout: args.timeout,
        redirects: usize::from(args.follow),
        headers,
    };
    Ok(ProbeRound { targets: all, expects, trust, rate: args.rate })
}

/// The hosts that are probed from, as a plan that does nothing there.
fn plan(args: &ProbeArgs) -> Result<Plan, CliError> {
    let mut inventory = context::inventory(&args.selection.source)?;
    let selected = context::select_or_default(&mut inventory, &args.selection)?;
    let selected = selected.ok_or_else(|| context::no_hosts(&inventory))?;
    let common = Common::over(&args.connection, "probe".to_owned())?.pooled(&args.pool);
    let request = common.request(&inventory);
    Ok(planner::step(
        request,
        &inventory,
        &selected,
        Step::bare(Action::Facts(FactsStep::default())),
        "probe",
    )?)
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

fn tell(args: &ProbeArgs, found: &[ProbedFrom]) -> Result<(), CliError> {
    if args.data == Some(ProbeData::Json) {
        return print(&table::objects(found).iter().map(|object| format!("{object}\n")).collect::<String>());
    }
    let time = if args.watch.is_some() { rfc3339(now()) + "\n" } else { String::new() };
    print(&(time + &table::table(found, now())))
}

/// All well, or what is worst.
fn verdict(found: &[ProbedFrom]) -> ExitCode {
    let unreached = || found.iter().filter_map(|from| from.unreached.as_ref());
    if unreached().any(|failure| failure.kind.is_host_key_alarm()) {
        ExitCode::HostKeyAlarm
    } else if found.iter().flat_map(|from| &from.found).any(|probed| probed.problem.is_some()) {
        ExitCode::Failed
    } else if unreached().next().is_some() {
        ExitCode::Unreachable
    } else {
        ExitCode::Ok
    }
}

/// A report, and how it gets into its file.
struct ProbeReport {
    render: fn(&[ProbedFrom]) -> String,
    put: PutWhole,
}

fn json_report(found: &[ProbedFrom]) -> String {
    format!("{:#}\n", json!({"schema": 1, "time": rfc3339(now()), "probes": table::objects(found)}))
}

fn reports(paths: &[PathBuf]) -> Result<Vec<ProbeReport>, CliError> {
    let mut reports = Vec::new();
    let mut problems = Vec::new();
    for path in paths {
        let render: fn(&[ProbedFrom]) -> String = match ending(path).as_str() {
            "json" => json_report,
            "csv" => table::csv,
            _ => {
                let message = format!("--report {}: unknown report format", path.display());
                problems.push(Diagnostic::bare(message).help("one of .json .csv"));
                continue;
            }
        };
        match files::whole(path, "--report ") {
            Ok(put) => reports.push(ProbeReport { render, put }),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(reports) } else { Err(CliError::Input(problems)) }
}

fn ending(path: &Path) -> String {
    path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_ascii_lowercase()
}

/// Writes the reports; one that cannot be written is an error when all else went well.
fn written(reports: &[ProbeReport], found: &[ProbedFrom], code: ExitCode) -> Result<ExitCode, CliError> {
    for ProbeReport { render, put } in reports {
        if let Err(source) = put(render(found).as_bytes()) {
            let error = CliError::Local { doing: "the report could not be written".to_owned(), source };
            if code == ExitCode::Ok {
                return Err(error);
            }
            crate::cli::error::talk(&error.worded(ToString::to_string));
        }
    }
    Ok(code)
}
