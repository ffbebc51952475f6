//! The policy `ask`: before a run, the keys of all hosts that nothing is known of are collected, shown together,
//! and asked about once, before any login.
//!
//! What is not trusted here is refused by the run, host by host: this only writes down what the user trusts.

use std::collections::{HashMap, HashSet};
use std::fmt::Write;
use std::path::PathBuf;

use futures::StreamExt;

use crate::cli::ask::{self, HostsAnswer};
use crate::cli::error::{CliError, talk};
use crate::engine::plan::Plan;
use crate::model::count::counted;
use crate::model::endpoint::Endpoint;
use crate::model::range;
use crate::model::settings::Transport;
use crate::ssh::client::SshConnector;
use crate::ssh::collect::{KeyTypes, collect};
use crate::ssh::host_key::{Decision, HostKey, HostKeys, Judge};
use crate::ssh::known_hosts::{Beside, KeyRecording, NewKey, RecordError};

/// A host that showed a key that the user is to say something about.
struct Stranger {
    host: String,
    address: String,
    key: HostKey,
    file: PathBuf,
    new: NewKey,
}

/// Asks about the new keys of a plan, if its policy is to ask and there is a terminal.
///
/// Gateways first: a host behind one can be looked at only once its gateway is trusted.
///
/// # Errors
///
/// The terminal or the file of known hosts failed; nothing was started anywhere.
pub(super) async fn settle(plan: &Plan, connector: &SshConnector) -> Result<(), CliError> {
    if !ask::can_ask() {
        return Ok(());
    }
    for endpoints in by_depth(plan) {
        settle_some(endpoints.into_iter(), plan.pool, connector).await?;
    }
    Ok(())
}

/// All hosts of a plan and the gateways before them, each once: first those without a gateway, then those
/// behind one, and so on.
pub(super) fn by_depth(plan: &Plan) -> Vec<Vec<&Endpoint>> {
    let over_ssh = plan.endpoints().filter(|host| host.transport == Transport::Ssh);
    let mut seen = HashSet::new();
    let all: Vec<&Endpoint> =
        over_ssh.flat_map(Endpoint::hops).filter(|endpoint| seen.insert(endpoint.route())).collect();
    let deepest = all.iter().map(|endpoint| endpoint.hops().count()).max().unwrap_or(0);
    let of_depth = |depth| all.iter().copied().filter(|endpoint| endpoint.hops().count() == depth).collect();
    (1..=deepest).map(of_depth).collect()
}

async fn settle_some(
    endpoints: impl Iterator<Item = &Endpoint>,
    pool: usize,
    connector: &SshConnector,
) -> Result<(), CliError> {
    let host_keys = connector.host_keys();
    let candidates: Vec<(&Endpoint, Judge)> = endpoints
        .map(|endpoint| (endpoint, host_keys.judge(endpoint)))
        .filter(|(_, judge)| judge.may_ask())
        .collect();
    if candidates.is_empty() {
        return Ok(());
    }
    talk(&format!("fetching the host keys of {} that have none recorded", counted(candidates.len(), "host")));
    let strangers = strangers(&candidates, pool, connector).await;
    if strangers.is_empty() {
        return Ok(());
    }
    talk(&table(&strangers));
    let question = match strangers.len() {
        1 => "Trust this new key?".to_owned(),
        count => format!("Trust these {count} new keys?"),
    };
    let names: Vec<&str> = strangers.iter().map(|stranger| stranger.host.as_str()).collect();
    let answer = tokio::task::block_in_place(|| ask::ask(&question, &names))
        .map_err(|source| CliError::Local { doing: "cannot ask on the terminal".to_owned(), source })?;
    let trusted: Vec<&Stranger> = match answer {
        HostsAnswer::All => strangers.iter().collect(),
        HostsAnswer::None => Vec::new(),
        HostsAnswer::Some(indices) => indices.iter().filter_map(|&index| strangers.get(index)).collect(),
    };
    let orders = trusted.into_iter().map(|stranger| (stranger.file.clone(), stranger.new.clone()));
    record(host_keys, orders)?;
    Ok(())
}

/// Collects the keys that nothing is known of. A host that cannot be reached is none of them: the run tries
/// again, and tells.
async fn strangers(
    candidates: &[(&Endpoint, Judge)],
    pool: usize,
    connector: &SshConnector,
) -> Vec<Stranger> {
    let found = futures::stream::iter(candidates.iter().map(|(endpoint, judge)| async move {
        let keys = collect(endpoint, KeyTypes::Preferred, || connector.dial(endpoint)).await.ok()?;
        let key = keys.keys.into_iter().next()?;
        let file = judge.record_in()?.to_owned();
        // Its name is new, but the key may be known under another port, or revoked everywhere.
        matches!(judge.plain(&key), Decision::AskLater(_)).then(|| Stranger {
            host: endpoint.name.to_string(),
            address: address(endpoint),
            new: judge.new_key(&key, Beside::Nothing),
            key,
            file,
        })
    }));
    found.buffered(pool).filter_map(|stranger| async { stranger }).collect().await
}

/// Hosts with equal keys on one line: one key for many hosts is worth a second look.
fn table(strangers: &[Stranger]) -> String {
    let mut groups: Vec<(&HostKey, Vec<&Stranger>)> = Vec::new();
    for stranger in strangers {
        match groups.iter_mut().find(|(key, _)| *key == &stranger.key) {
            Some((_, members)) => members.push(stranger),
            None => groups.push((&stranger.key, vec![stranger])),
        }
    }
    let rows: Vec<[String; 4]> = groups
        .into_iter()
        .map(|(key, members)| {
            let folded = |part: fn(&Stranger) -> &str| {
                let parts: Vec<&str> = members.iter().map(|stranger| part(stranger)).collect();
                match parts.len() {
                    1 => parts.concat(),
                    count => format!("{} ({count})", range::fold(&parts)),
                }
            };
            let hosts = folded(|stranger| &stranger.host);
            [hosts, key.key_type.clone(), key.fingerprint.clone(), folded(|stranger| &stranger.address)]
        })
        .collect();
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(String::len).max().unwrap_or(0);
    let (hosts, types, prints) = (width(0), width(1), width(2));
    let mut text = String::new();
    for [host, key_type, print, address] in &rows {
        let _ = writeln!(text, "  {host:hosts$}  {key_type:types$}  {print:prints$}  {address}");
    }
    text
}

/// `address:port` as a person writes it.
pub(super) fn address(endpoint: &Endpoint) -> String {
    match (endpoint.address.contains(':'), endpoint.port) {
        (false, 22) => endpoint.address.to_string(),
        (false, port) => format!("{}:{port}", endpoint.address),
        (true, port) => format!("[{}]:{port}", endpoint.address),
    }
}

/// Writes keys down, file by file; gives for each file what was added to it.
///
/// # Errors
///
/// A file could not be written.
pub(super) fn record(
    host_keys: &HostKeys,
    orders: impl Iterator<Item = (PathBuf, NewKey)>,
) -> Result<Vec<(PathBuf, usize)>, CliError> {
    let mut files: Vec<PathBuf> = Vec::new();
    let mut keys: HashMap<PathBuf, Vec<NewKey>> = HashMap::new();
    for (file, key) in orders {
        if !files.contains(&file) {
            files.push(file.clone());
        }
        keys.entry(file).or_default().push(key);
    }
    let mut added = Vec::new();
    for file in files {
        let keys = keys.remove(&file).unwrap_or_default();
        let recordings = tokio::task::block_in_place(|| host_keys.record(&file, &keys)).map_err(failed)?;
        let mut count = 0;
        for (key, recording) in keys.iter().zip(recordings) {
            match recording {
                KeyRecording::Added(_) => count += 1,
                KeyRecording::Already(_) => {}
                KeyRecording::Refused(_) => talk(&format!(
                    "warning: {}: not written: {} now has another key or a revocation",
                    key.host,
                    file.display()
                )),
            }
        }
        added.push((file, count));
    }
    Ok(added)
}

fn failed(error: RecordError) -> CliError {
    let doing = format!("host keys were not recorded (hint: {})", error.hint());
    CliError::Local { doing, source: std::io::Error::other(error) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stranger(host: &str, address: &str, print: &str) -> Stranger {
        let key = HostKey {
            key_type: "ssh-ed25519".to_owned(),
            fingerprint: format!("SHA256:{print}"),
            blob: print.as_bytes().to_vec(),
        };
        let new =
            NewKey { host: address.to_owned(), port: 22, blob: key.blob.clone(), beside: Beside::Nothing };
        Stranger { host: host.to_owned(), address: address.to_owned(), key, file: PathBuf::new(), new }
    }

    #[test]
    fn equal_keys_stand_together() {
        let strangers = [
            stranger("web1", "192.0.2.1", "aaa"),
            stranger("db1", "192.0.2.9:2222", "bbb"),
            stranger("web2", "192.0.2.2", "aaa"),
            stranger("web3", "192.0.2.3", "aaa"),
        ];
        insta::assert_snapshot!(table(&strangers), @r"
        web[1-3] (3)  ssh-ed25519  SHA256:aaa  192.0.2.[1-3] (3)
        db1           ssh-ed25519  SHA256:bbb  192.0.2.9:2222
        ");
    }
}
