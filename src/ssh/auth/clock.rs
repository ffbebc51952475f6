//! The deadline of a login, which stands still while the agent is asked: a person needs longer than a server.

use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// What a login is waiting for, for the message when it never comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The answer to a key, or to nothing at all.
    Keys,
    /// The answer to a password.
    Password,
    /// The next question of a dialogue.
    Dialogue,
}

/// Measures what the server takes.
#[derive(Debug)]
pub(super) struct Clock {
    started: Instant,
    state: Mutex<ClockState>,
}

#[derive(Debug)]
struct ClockState {
    paused: Option<Instant>,
    pauses: Duration,
    stage: Stage,
}

impl Clock {
    /// A clock that starts now.
    pub(super) fn start() -> Self {
        let state = ClockState { paused: None, pauses: Duration::ZERO, stage: Stage::Keys };
        Self { started: Instant::now(), state: Mutex::new(state) }
    }

    /// Says what is waited for from now on.
    pub(super) fn enter(&self, stage: Stage) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).stage = stage;
    }

    /// What is waited for.
    pub(super) fn stage(&self) -> Stage {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).stage
    }

    /// Stands still while `work` is done.
    pub(super) async fn paused<T>(&self, work: impl Future<Output = T>) -> T {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).paused = Some(Instant::now());
        let done = work.await;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(since) = state.paused.take() {
            state.pauses += since.elapsed();
        }
        done
    }

    /// Does `work` within a deadline on this clock; `None` when it expires.
    pub(super) async fn within<T>(&self, deadline: Duration, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        loop {
            let left = deadline.saturating_sub(self.elapsed());
            if left.is_zero() && !self.is_paused() {
                return None;
            }
            // A paused clock is looked at again after as long as it has left, which is never nothing but when
            // it was paused at its very end.
            let wake = left.max(Duration::from_millis(100));
            if let Ok(done) = tokio::time::timeout(wake, &mut work).await {
                return Some(done);
            }
        }
    }

    fn is_paused(&self) -> bool {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).paused.is_some()
    }

    fn elapsed(&self) -> Duration {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let pause = state.paused.map_or(Duration::ZERO, |since| since.elapsed());
        self.started.elapsed().saturating_sub(state.pauses + pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEADLINE: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn a_person_may_take_longer_than_the_deadline_and_a_server_may_not() {
        let clock = Clock::start();
        let person = clock.paused(tokio::time::sleep(DEADLINE * 10));
        assert!(clock.within(DEADLINE, person).await.is_some());
        let started = Instant::now();
        assert!(clock.within(DEADLINE, std::future::pending::<()>()).await.is_none());
        assert_eq!(started.elapsed(), DEADLINE);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_used_before_the_pause_is_used() {
        let clock = Clock::start();
        tokio::time::sleep(DEADLINE / 2).await;
        clock.paused(tokio::time::sleep(DEADLINE)).await;
        assert!(clock.within(DEADLINE, tokio::time::sleep(DEADLINE / 4)).await.is_some());
        assert!(clock.within(DEADLINE, tokio::time::sleep(DEADLINE)).await.is_none());
    }
}
