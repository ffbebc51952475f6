//! What the dispatcher says while nothing else is told: who waits for the agent, and whom a quiet run waits for.

use std::time::Duration;

use crate::engine::dispatcher::roster::HostState;
use crate::engine::dispatcher::run::Dispatcher;
use crate::event::{Fact, RunFact, Straggler};
use crate::ssh::Connector;

/// A run that has been quiet for this long says what it waits for.
const QUIET: Duration = Duration::from_secs(20);

/// Stragglers named at a time, at most.
const NAMED_STRAGGLERS: usize = 10;

impl<C: Connector> Dispatcher<C> {
    pub(super) fn look_at_agent(&mut self) {
        let hosts = self.shared.tools.connector.waiting_for_agent();
        if self.agent.is_due(hosts, self.shared.tools.sink.elapsed()) {
            self.shared.tools.sink.tell(Fact::Run(RunFact::AgentAwaited { hosts }));
        }
    }

    pub(super) fn look_for_stragglers(&self) {
        if self.shared.tools.sink.silence() < QUIET || self.shared.tools.questions.is_busy() {
            return;
        }
        let mut stragglers: Vec<Straggler> = Vec::new();
        for (state, planned) in self.hosts.states().zip(&self.plan.hosts) {
            // Who waits for others is not who the run waits for.
            if let HostState::AtWork(activity) = state
                && !activity.is_waiting()
            {
                let (running, silent) = activity.ages();
                stragglers.push(Straggler { host: planned.endpoint.name.clone(), running, silent });
            }
        }
        if stragglers.is_empty() {
            return;
        }
        stragglers.sort_by_key(|straggler| std::cmp::Reverse(straggler.running));
        stragglers.truncate(NAMED_STRAGGLERS);
        self.shared.tools.sink.tell(Fact::Run(RunFact::StragglersNoticed { hosts: stragglers }));
    }
}
