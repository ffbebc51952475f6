//! What a person who waits would want to know at once, as one line: retries, batches, what the run waits for.

use crate::event::{ConnectionFact, Fact, LockAt, LockFact, RunFact, StepAt, StepFact, Straggler, TaskFact};
use crate::model::duration::show_whole;
use crate::model::inventory::HostName;
use crate::model::range;
use crate::report::words::{duration, failure_short, reason};

/// Stragglers that are named.
const STRAGGLERS_MAX: usize = 5;

/// The line for a fact about one host, if it is one of these, without the host's name; unclean.
pub(crate) fn host_notice(fact: &Fact) -> Option<(&HostName, String)> {
    match fact {
        Fact::Connection(host, ConnectionFact::Retried { attempt, failure, delay })
        | Fact::Step(StepAt { host, .. }, StepFact::Retried { attempt, failure, delay }) => {
            let (next, pause) = (attempt.saturating_add(1), duration(*delay));
            Some((host, format!("{}, attempt {next} in {pause}", failure_short(failure))))
        }
        Fact::Step(StepAt { host, .. }, StepFact::Detached { failure }) => {
            Some((host, format!("{}: the command goes on there, reconnecting", failure_short(failure))))
        }
        Fact::Step(StepAt { host, .. }, StepFact::Reattached { away }) => {
            Some((host, format!("reattached after {}", show_whole(*away))))
        }
        Fact::Connection(host, ConnectionFact::ProxySaid { line }) => {
            Some((host, format!("ProxyCommand: {line}")))
        }
        _ => None,
    }
}

/// The line for a fact about the run, if it is one of these; unclean. `hosts` are those of the run.
pub(crate) fn notice(fact: &Fact, hosts: &[HostName]) -> Option<String> {
    match fact {
        Fact::Task(_, TaskFact::BatchStarted { batch, of, hosts: members }) => {
            let names: Vec<&str> =
                members.iter().filter_map(|host| hosts.get(*host)).map(HostName::as_str).collect();
            Some(format!("batch {batch} of {of}: {}", range::fold(&names)))
        }
        Fact::Lock(LockAt { lock, host, .. }, LockFact::Waiting { holder }) => {
            let by = holder.as_ref().map(|holder| format!(": held by {holder}")).unwrap_or_default();
            Some(format!("waiting for the lock {lock} on {host}{by}"))
        }
        Fact::Run(RunFact::StragglersNoticed { hosts }) => Some(stragglers(hosts)),
        Fact::Run(RunFact::AgentAwaited { hosts }) => Some(format!("waiting for the agent ({hosts} left)")),
        Fact::Run(RunFact::StopRequested { reason: why, forced: false }) => Some(format!(
            "stopping ({}): ending running commands; again to close all connections at once",
            reason(*why)
        )),
        Fact::Run(RunFact::StopRequested { reason: why, forced: true }) => {
            Some(format!("stopping now ({}): closing all connections", reason(*why)))
        }
        Fact::Run(RunFact::Started { .. } | RunFact::Finished { .. })
        | Fact::Task(_, TaskFact::Started { .. } | TaskFact::Finished)
        | Fact::Lock(_, LockFact::Taken | LockFact::Failed { .. } | LockFact::Released)
        | Fact::Connection(..)
        | Fact::Gateway(..)
        | Fact::Step(..)
        | Fact::HostFinished { .. }
        | Fact::Record(_)
        | Fact::Unknown(_) => None,
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
