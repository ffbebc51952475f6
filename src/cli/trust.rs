//! `fan trust`: collects the host keys of the selected hosts, compares them with what is recorded, shows them,
//! and writes new ones after a yes. Never overwrites anything.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::StreamExt;
use serde_json::json;

use crate::cli::args::TrustArgs;
use crate::cli::ask::{self, HostsAnswer};
use crate::cli::context::{self, Common};
use crate::cli::error::{CliError, talk};
use crate::cli::print::print;
use crate::cli::prompt::PromptTerminal;
use crate::cli::runtime::runtime;
use crate::cli::secrets::PreparedSecrets;
use crate::cli::{new_keys, runner, secrets};
use crate::engine::planner::{self};
use crate::model::count::counted;
use crate::model::endpoint::Endpoint;
use crate::model::inventory::Inventory;
use crate::model::outcome::{ExitCode, Failure};
use crate::model::position::Diagnostic;
use crate::model::range;
use crate::model::value::Value;
use crate::ssh::client::SshConnector;
use crate::ssh::collect::{Collected, KeyTypes, Missed, collect};
use crate::ssh::host_key::{HostKey, HostKeys, Judge, KeyStanding};
use crate::ssh::known_hosts::{Beside, NewKey};

/// What was found out about a host.
struct Finding {
    host: String,
    address: String,
    /// Where its new keys would go.
    file: Option<PathBuf>,
    keys: Result<Vec<FoundKeys>, Failure>,
    /// Types of keys that it could not be asked for.
    missed: Vec<Missed>,
}

/// A key of a host.
struct FoundKeys {
    key: HostKey,
    standing: KeyStanding,
    new: NewKey,
    written: bool,
}

pub(super) fn run(args: &TrustArgs) -> Result<ExitCode, CliError> {
    let mut inventory = context::inventory(&args.selection.source)?;
    let selected = context::select_or_all(&mut inventory, &args.selection)?;
    if !args.yes && !ask::can_ask() {
        return Err(Diagnostic::bare("there is no terminal to ask on, or CI is set")
            .help("-y trusts the keys the hosts present now")
            .into());
    }
    let project = project_file(args, &inventory)?;
    let request = Common::over(&args.connection, "trust".to_owned())?.pooled(&args.pool).request(&inventory);
    let plan = runner::fit_open_files(planner::command(request, &inventory, &selected, "true")?);
    let runtime = runtime()?;
    runtime.block_on_then_leave(async {
        // Hosts are never logged in to, but the gateways before them are, once their keys are trusted.
        let (plan, PreparedSecrets { keyring, redactor: _ }) =
            secrets::prepare(plan, &mut PromptTerminal).await?;
        let connector = SshConnector::new(keyring, Arc::new(HostKeys::default()));
        let mut findings = Vec::new();
        for endpoints in new_keys::by_depth(&plan) {
            let mut some = find(endpoints, plan.pool, &connector, project.as_ref()).await;
            talk(&table(&some));
            let mut orders = agreed(args, &mut some)?;
            orders.extend(project.iter().flat_map(|file| elsewhere(file, &mut some)));
            write(connector.host_keys(), orders)?;
            findings.extend(some);
        }
        if args.json {
            print(&format!("{:#}\n", Value::Array(findings.iter().map(describe).collect())))?;
        }
        Ok(verdict(&findings))
    })
}

/// The file of `--project`.
fn project_file(args: &TrustArgs, inventory: &Inventory) -> Result<Option<PathBuf>, CliError> {
    if !args.project {
        return Ok(None);
    }
    match context::project_known_hosts(inventory) {
        Some(file) => Ok(Some(file)),
        None => Err(Diagnostic::bare("--project: there is no inventory to put fan.known_hosts beside")
            .help("name one with -i, or drop --project")
            .into()),
    }
}

/// Collects and compares the keys of hosts, some hosts at a time, each host's keys one after the other.
async fn find(
    endpoints: Vec<&Endpoint>,
    pool: usize,
    connector: &SshConnector,
    project: Option<&PathBuf>,
) -> Vec<Finding> {
    let host_keys = connector.host_keys();
    let judge = |endpoint| (endpoint, Arc::new(host_keys.judge(endpoint)));
    let judged: Vec<(&Endpoint, Arc<Judge>)> = endpoints.into_iter().map(judge).collect();
    let findings = futures::stream::iter(judged.into_iter().map(|(endpoint, judge)| async move {
        let collected = collect(endpoint, KeyTypes::All, || connector.dial(endpoint)).await;
        let mut missed = Vec::new();
        let keys = collected.map_err(|error| error.failure).map(|Collected { keys, missed: types }| {
            missed = types;
            let standings = judge.standings(&keys);
            let found = keys.into_iter().zip(standings).map(|(key, standing)| FoundKeys {
                new: judge.new_key(&key, Beside::OtherTypes),
                key,
                standing,
                written: false,
            });
            found.collect::<Vec<_>>()
        });
        let file = project.cloned().or_else(|| judge.record_in().map(PathBuf::from));
        Finding { host: endpoint.name.to_string(), address: new_keys::address(endpoint), file, keys, missed }
    }));
    findings.buffered(pool).collect().await
}

/// The keys that only other files than the project's know: everyone else, and CI, has just the project's. They are
/// verified already, so that nothing is asked.
fn elsewhere(project: &Path, findings: &mut [Finding]) -> Vec<(PathBuf, NewKey)> {
    let found = findings.iter_mut().flat_map(|finding| finding.keys.iter_mut().flatten());
    let outside = found.filter(
        |found| matches!(&found.standing, KeyStanding::Known(place) if place.file.as_ref() != project),
    );
    outside
        .map(|found| {
            found.written = true;
            (project.to_owned(), found.new.clone())
        })
        .collect()
}

/// Asks about the new keys, or takes the yes of the command line; gives those to write.
fn agreed(args: &TrustArgs, findings: &mut [Finding]) -> Result<Vec<(PathBuf, NewKey)>, CliError> {
    let is_new = |found: &FoundKeys| found.standing == KeyStanding::New;
    let of = |finding: &Finding| {
        finding.keys.as_ref().map_or(0, |keys| keys.iter().filter(|key| is_new(key)).count())
    };
    let asked: Vec<usize> =
        (0..findings.len()).filter(|&at| findings.get(at).is_some_and(|f| of(f) > 0)).collect();
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    let chosen: Vec<usize> = if args.yes {
        asked
    } else {
        let names: Vec<&str> =
            asked.iter().filter_map(|&at| findings.get(at)).map(|f| f.host.as_str()).collect();
        let keys: usize = asked.iter().filter_map(|&at| findings.get(at)).map(of).sum();
        let question = match keys {
            1 => "Trust this new key?".to_owned(),
            keys => format!("Trust these {keys} new keys?"),
        };
        let answer = tokio::task::block_in_place(|| ask::ask(&question, &names))
            .map_err(|source| CliError::Local { doing: "cannot ask on the terminal".to_owned(), source })?;
        match answer {
            HostsAnswer::All => asked,
            HostsAnswer::None => Vec::new(),
            HostsAnswer::Some(places) => {
                places.iter().filter_map(|&place| asked.get(place).copied()).collect()
            }
        }
    };
    let mut orders = Vec::new();
    for at in chosen {
        let Some(finding) = findings.get_mut(at) else { continue };
        let Some(file) = &finding.file else {
            return Err(Diagnostic::bare(format!("{}: no file to write its keys to", finding.host))
                .help("set HOME, name a file with `known_hosts`, or write --project")
                .into());
        };
        for found in finding.keys.iter_mut().flatten().filter(|found| is_new(found)) {
            orders.push((file.clone(), found.new.clone()));
            found.written = true;
        }
    }
    Ok(orders)
}

fn write(host_keys: &HostKeys, orders: Vec<(PathBuf, NewKey)>) -> Result<(), CliError> {
    for (file, count) in new_keys::record(host_keys, orders.into_iter())? {
        talk(&format!("{} written to {}", counted(count, "key"), file.display()));
    }
    Ok(())
}

/// Alarms first, then hosts that were not reached, then keys that nobody wrote down.
fn verdict(findings: &[Finding]) -> ExitCode {
    let any =
        |wanted: fn(&FoundKeys) -> bool| findings.iter().flat_map(|f| f.keys.iter().flatten()).any(wanted);
    if any(|found| matches!(found.standing, KeyStanding::Changed(_) | KeyStanding::Revoked(_))) {
        ExitCode::HostKeyAlarm
    } else if findings.iter().any(|finding| finding.keys.is_err())
        || any(|found| matches!(found.standing, KeyStanding::Unclear(_)))
        || any(|found| found.standing == KeyStanding::New && !found.written)
    {
        ExitCode::Unreachable
    } else {
        ExitCode::Ok
    }
}

/// The word for a standing in the table; JSON has it in lower case.
fn word(standing: &KeyStanding) -> &'static str {
    match standing {
        KeyStanding::Pinned => "pinned",
        KeyStanding::Unneeded => "unneeded",
        KeyStanding::Known(_) => "known",
        KeyStanding::New => "new",
        KeyStanding::Changed(_) => "CHANGED",
        KeyStanding::Revoked(_) => "REVOKED",
        KeyStanding::Unclear(_) => "unclear",
    }
}

fn failure_of(standing: &KeyStanding) -> Option<&Failure> {
    match standing {
        KeyStanding::Changed(failure) | KeyStanding::Revoked(failure) | KeyStanding::Unclear(failure) => {
            Some(failure)
        }
        KeyStanding::Pinned | KeyStanding::Unneeded | KeyStanding::Known(_) | KeyStanding::New => None,
    }
}

/// Where a key is recorded already.
fn recorded_at(standing: &KeyStanding) -> Option<String> {
    match standing {
        KeyStanding::Known(place) => Some(place.to_string()),
        KeyStanding::Pinned
        | KeyStanding::Unneeded
        | KeyStanding::New
        | KeyStanding::Changed(_)
        | KeyStanding::Revoked(_)
        | KeyStanding::Unclear(_) => None,
    }
}

/// Whether there is nothing to be done or said about a key.
fn is_settled(standing: &KeyStanding) -> bool {
    match standing {
        KeyStanding::Pinned | KeyStanding::Unneeded | KeyStanding::Known(_) => true,
        KeyStanding::New | KeyStanding::Changed(_) | KeyStanding::Revoked(_) | KeyStanding::Unclear(_) => {
            false
        }
    }
}

/// Every host with something to look at; the others on one line.
fn table(findings: &[Finding]) -> String {
    let settled = |finding: &&Finding| {
        finding.missed.is_empty()
            && finding.keys.as_ref().is_ok_and(|keys| keys.iter().all(|found| is_settled(&found.standing)))
    };
    let known: Vec<&str> = findings.iter().filter(settled).map(|finding| finding.host.as_str()).collect();
    let mut text = String::new();
    if !known.is_empty() {
        let _ = writeln!(text, "known: {} ({})", range::fold(&known), known.len());
    }
    for finding in findings.iter().filter(|finding| !settled(finding)) {
        let _ = writeln!(text, "{}  {}", finding.host, finding.address);
        match &finding.keys {
            Ok(keys) => keys.iter().for_each(|found| line(&mut text, found)),
            Err(failure) => explain(&mut text, failure),
        }
        for missed in &finding.missed {
            let _ = writeln!(text, "  could not fetch its {} keys", missed.types);
            explain(&mut text, &missed.failure);
        }
        // What to do is mostly the same for all keys of a host.
        let failures = finding.keys.as_ref().map_or_else(
            |failure| vec![failure],
            |keys| keys.iter().filter_map(|found| failure_of(&found.standing)).collect(),
        );
        let mut hints: Vec<&str> = failures.iter().filter_map(|failure| failure.hint.as_deref()).collect();
        hints.dedup();
        for hint in hints {
            let _ = writeln!(text, "  hint: {hint}");
        }
    }
    text
}

fn line(text: &mut String, found: &FoundKeys) {
    let key = &found.key;
    let place = recorded_at(&found.standing).unwrap_or_default();
    let line = format!("  {:8}  {:19}  {}  {place}", word(&found.standing), key.key_type, key.fingerprint);
    let _ = writeln!(text, "{}", line.trim_end());
    if let Some(failure) = failure_of(&found.standing) {
        explain(text, failure);
    }
}

fn explain(text: &mut String, failure: &Failure) {
    let _ = writeln!(text, "    {}: {}", failure.kind, failure.message());
}

fn describe(finding: &Finding) -> Value {
    let failed =
        |failure: &Failure| json!({"kind": failure.kind, "message": failure.message(), "hint": failure.hint});
    let file = finding.file.as_ref().map(|file| file.display().to_string());
    let key = |found: &FoundKeys| {
        json!({
            "type": found.key.key_type,
            "fingerprint": found.key.fingerprint,
            "standing": word(&found.standing).to_lowercase(),
            "recorded_at": recorded_at(&found.standing),
            "written_to": file.as_ref().filter(|_| found.written),
            "failure": failure_of(&found.standing).map(failed),
        })
    };
    let missed = |missed: &Missed| json!({"types": missed.types, "failure": failed(&missed.failure)});
    match &finding.keys {
        Ok(keys) => json!({
            "host": finding.host,
            "address": finding.address,
            "keys": keys.iter().map(key).collect::<Vec<_>>(),
            "not_asked": finding.missed.iter().map(missed).collect::<Vec<_>>(),
        }),
        Err(failure) => {
            json!({"host": finding.host, "address": finding.address, "failure": failed(failure)})
        }
    }
}
