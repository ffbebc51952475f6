//! What the dispatcher says while nothing else is told: who waits for the agent, and whom a quiet run waits for.

use std::time::Duration;

use crate::engine::dispatcher::Dispatcher;
use crate::engine::dispatcher::roster::HostState;
use crate::event::{Fact, Straggler};
use crate::ssh::Connector;

/// A run that has been quiet for this long says what it waits for.
const QUIET: Duration = Duration::from_secs(20);

/// How often a run that waits for an agent says so, at most.
const AGENT_AGAIN: Duration = Duration::from_secs(5);

/// Stragglers named at a time, at most.
const NAMED_STRAGGLERS: usize = 10;

/// What the last looks at the queue before the agent found.
#[derive(Default)]
pub(super) struct AgentWatch {
    /// Somebody waited at the last look.
    awaited: bool,
    /// When it was told last, on the run's clock.
    told: Option<Duration>,
}

impl AgentWatch {
    /// Whether to tell that so many hosts wait now. An agent without a person behind it is done by the second look.
    fn is_due(&mut self, waiting: usize, now: Duration) -> bool {
        let lasting = std::mem::replace(&mut self.awaited, waiting > 0) && waiting > 0;
        let due = lasting && self.told.is_none_or(|told| now.saturating_sub(told) >= AGENT_AGAIN);
        if due {
            self.told = Some(now);
        }
        due
    }
}

impl<C: Connector> Dispatcher<C> {
    pub(super) fn look_at_agent(&mut self) {
        let hosts = self.shared.connector.waiting_for_agent();
        if self.agent.is_due(hosts, self.shared.sink.elapsed()) {
            self.shared.sink.tell(Fact::AgentAwaited { hosts });
        }
    }

    pub(super) fn look_for_stragglers(&self) {
        if self.shared.sink.silence() < QUIET || self.shared.questions.is_busy() {
            return;
        }
        let mut stragglers: Vec<Straggler> = Vec::new();
        for (state, planned) in self.hosts.states().zip(&self.shared.plan.hosts) {
            if let HostState::AtWork(activity) = state {
                let (running, silent) = activity.ages();
                stragglers.push(Straggler { host: planned.endpoint.name.clone(), running, silent });
            }
        }
        stragglers.sort_by_key(|straggler| std::cmp::Reverse(straggler.running));
        stragglers.truncate(NAMED_STRAGGLERS);
        self.shared.sink.tell(Fact::StragglersNoticed { hosts: stragglers });
    }
}
