//! What a person who waits would want to know at once, as one line: retries, batches, what the run waits for.

use crate::event::{Fact, Straggler};
use crate::model::inventory::HostName;
use crate::model::range;
use crate::report::words::{duration, failure_text, reason};

/// Stragglers that are named.
const STRAGGLERS_MAX: usize = 5;

/// The line for a fact, if it is one of these; unclean. `hosts` are those of the run.
pub(crate) fn notice(fact: &Fact, hosts: &[HostName]) -> Option<String> {
    match fact {
        Fact::ConnectRetried { host, attempt, failure, delay }
        | Fact::StepRetried { host, task: _, step: _, attempt, failure, delay } => {
            let (next, pause) = (attempt + 1, duration(*delay));
            Some(format!("{host}: {}, attempt {next} in {pause}", failure_text(failure)))
        }
        Fact::BatchStarted { task: _, batch, of, hosts: members } => {
            let names: Vec<&str> =
                members.iter().filter_map(|host| hosts.get(*host)).map(HostName::as_str).collect();
            Some(format!("batch {batch} of {of}: {}", range::fold(&names)))
        }
        Fact::LockWaiting { task: _, lock, host, holder } => {
            let by = holder.as_ref().map(|holder| format!(": held by {holder}")).unwrap_or_default();
            Some(format!("waiting for the lock {lock} on {host}{by}"))
        }
        Fact::ProxySaid { host, line } => Some(format!("{host}: ProxyCommand: {line}")),
        Fact::StragglersNoticed { hosts } => Some(stragglers(hosts)),
        Fact::AgentAwaited { hosts } => Some(format!("waiting for the agent ({hosts} left)")),
        Fact::StopRequested { reason: why, forced: false } => Some(format!(
            "stopping ({}): running commands are ended; again to close all connections at once",
            reason(*why)
        )),
        Fact::StopRequested { reason: why, forced: true } => {
            Some(format!("stopping now ({}): all connections are closed", reason(*why)))
        }
        Fact::RunStarted { .. }
        | Fact::TaskStarted { .. }
        | Fact::LockTaken { .. }
        | Fact::LockFailed { .. }
        | Fact::LockReleased { .. }
        | Fact::HostConnecting { .. }
        | Fact::GatewayConnected { .. }
        | Fact::GatewayFailed { .. }
        | Fact::FactsGathered { .. }
        | Fact::HostConnected { .. }
        | Fact::StepStarted { .. }
        | Fact::Output { .. }
        | Fact::TransferAdvanced { .. }
        | Fact::QuestionAsked { .. }
        | Fact::QuestionAnswered { .. }
        | Fact::StepFinished { .. }
        | Fact::HostFinished { .. }
        | Fact::TaskFinished { .. }
        | Fact::RunFinished { .. } => None,
    }
}

fn stragglers(hosts: &[Straggler]) -> String {
    let names: Vec<String> = hosts
        .iter()
        .take(STRAGGLERS_MAX)
        .map(|Straggler { host, running, silent }| {
            format!("{host} ({} s, silent {} s)", running.as_secs(), silent.as_secs())
        })
        .collect();
    let more = match hosts.len().saturating_sub(STRAGGLERS_MAX) {
        0 => String::new(),
        count => format!(" and {count} more"),
    };
    format!("waiting for {}{more}", names.join(", "))
}
