//! When to say that hosts wait for the agent.

use std::time::Duration;

/// How often a run that waits for an agent says so, at most.
const AGENT_AGAIN: Duration = Duration::from_secs(5);

/// What the last looks at the queue before the agent found.
#[derive(Default)]
pub(super) struct AgentWatch {
    /// Someone waited at the last look.
    awaited: bool,
    /// When it was told last, on the run's clock.
    told: Option<Duration>,
}

impl AgentWatch {
    /// Whether to tell that so many hosts wait now. An agent without a person behind it is done by the second look.
    pub(super) fn is_due(&mut self, waiting: usize, now: Duration) -> bool {
        let lasting = std::mem::replace(&mut self.awaited, waiting > 0) && waiting > 0;
        let due = lasting && self.told.is_none_or(|told| now.saturating_sub(told) >= AGENT_AGAIN);
        if due {
            self.told = Some(now);
        }
        due
    }
}
