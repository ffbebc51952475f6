//! Who may ask an agent for a signature when: a person can touch one token at a time, and five hundred dialogs
//! help nobody.
//!
//! An agent does not say which of its keys want a person. So the first signature is asked for alone, and its
//! time decides: one that comes at once has no person behind it, and the following ones are asked for side by
//! side; after a slow one, or by a key that is known to be in hardware, everybody waits for their turn. In that
//! state new logins wait before they dial, because a server drops a login that takes too long.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// Signatures asked for side by side when no person is involved.
const SIDE_BY_SIDE: u32 = 16;

/// A signature that takes longer has a person behind it, or is as slow as one.
const SLOW: Duration = Duration::from_secs(1);

/// The turns of all agents of a run.
#[derive(Debug, Default)]
pub(in crate::ssh) struct Turns {
    queues: Mutex<HashMap<PathBuf, Arc<AgentQueue>>>,
    waiting: Arc<AtomicUsize>,
}

/// The queue before one agent.
#[derive(Debug)]
struct AgentQueue {
    signing: Arc<Semaphore>,
    dialling: Arc<Semaphore>,
    pace: Mutex<AgentPace>,
}

/// What is known of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AgentPace {
    Unknown,
    Quick,
    Human,
    /// It left a request without an answer: nobody asks again.
    Dead,
}

/// The right to ask for one signature.
#[derive(Debug)]
pub(in crate::ssh) struct AgentTurn {
    queue: Arc<AgentQueue>,
    _permit: OwnedSemaphorePermit,
    started: Instant,
    hardware: bool,
}

/// Why there is no turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ssh) enum TurnError {
    /// The others take too long; the server would not wait.
    TooLate,
    /// The agent stopped answering earlier in the run.
    Dead,
}

/// Counts those who wait, whatever becomes of them.
struct AgentWaiting(Arc<AtomicUsize>);

impl AgentWaiting {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for AgentWaiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Turns {
    /// How many logins wait for their turn, or for a person.
    pub(in crate::ssh) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Before a host is dialled: waits when a person answers for the agent. The place is taken until the
    /// permit is dropped.
    pub(in crate::ssh) async fn before_dial(&self, socket: &Path) -> Option<OwnedSemaphorePermit> {
        let queue = self.queue(socket);
        if queue.pace() != AgentPace::Human {
            return None;
        }
        let _waiting = AgentWaiting::new(&self.waiting);
        let permit = Arc::clone(&queue.dialling).acquire_owned().await;
        Some(permit.expect("the semaphore is never closed"))
    }

    /// Waits for the right to ask for a signature, by a key in hardware or any other.
    pub(in crate::ssh) async fn acquire(
        &self,
        socket: &Path,
        hardware: bool,
        patience: Duration,
    ) -> Result<AgentTurn, TurnError> {
        let queue = self.queue(socket);
        if hardware {
            queue.learn(AgentPace::Human);
        }
        let alone = match queue.pace() {
            AgentPace::Dead => return Err(TurnError::Dead),
            AgentPace::Quick => 1,
            AgentPace::Unknown | AgentPace::Human => SIDE_BY_SIDE,
        };
        let _waiting = AgentWaiting::new(&self.waiting);
        let acquiring = Arc::clone(&queue.signing).acquire_many_owned(alone);
        let permit = tokio::time::timeout(patience, acquiring).await.map_err(|_| TurnError::TooLate)?;
        let mut permit = permit.expect("the semaphore is never closed");
        match queue.pace() {
            AgentPace::Dead => return Err(TurnError::Dead),
            // Found out while we waited: the others need not.
            AgentPace::Quick if alone > 1 => drop(permit.split(SIDE_BY_SIDE as usize - 1)),
            AgentPace::Quick | AgentPace::Unknown | AgentPace::Human => {}
        }
        Ok(AgentTurn { queue, _permit: permit, started: Instant::now(), hardware })
    }

    fn queue(&self, socket: &Path) -> Arc<AgentQueue> {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        let queue = queues.entry(socket.to_owned()).or_insert_with(|| {
            Arc::new(AgentQueue {
                signing: Arc::new(Semaphore::new(SIDE_BY_SIDE as usize)),
                dialling: Arc::new(Semaphore::new(1)),
                pace: Mutex::new(AgentPace::Unknown),
            })
        });
        Arc::clone(queue)
    }
}

impl AgentTurn {
    /// Ends the turn with an answer, whatever it was.
    pub(in crate::ssh) fn answered(self) {
        let slow = self.started.elapsed() >= SLOW;
        self.queue.learn(if slow || self.hardware { AgentPace::Human } else { AgentPace::Quick });
    }

    /// Ends the turn without an answer: the agent is given up. A token that nobody touched says nothing about
    /// the agent's health.
    pub(in crate::ssh) fn unanswered(self) {
        self.queue.learn(if self.hardware { AgentPace::Human } else { AgentPace::Dead });
    }
}

impl AgentQueue {
    fn pace(&self) -> AgentPace {
        *self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn learn(&self, learnt: AgentPace) {
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        *pace = match (*pace, learnt) {
            (AgentPace::Dead, _) | (_, AgentPace::Dead) => AgentPace::Dead,
            // One key of it may be quick and another not: the person wins.
            (AgentPace::Human, _) | (_, AgentPace::Human) => AgentPace::Human,
            (_, learnt) => learnt,
        };
    }
}

#[cfg(test)]
mod tests {
    use futures::poll;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    fn socket() -> &'static Path {
        Path::new("/agent")
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_signature_is_asked_for_alone_and_quick_ones_side_by_side() {
        let turns = Turns::default();
        let first = turns.acquire(socket(), false, PATIENCE).await.unwrap();
        let mut second = Box::pin(turns.acquire(socket(), false, PATIENCE));
        assert!(poll!(&mut second).is_pending());
        assert_eq!(turns.waiting(), 1);
        first.answered();
        let second = second.await.unwrap();
        let mut others = Vec::new();
        for _ in 1..SIDE_BY_SIDE {
            others.push(turns.acquire(socket(), false, PATIENCE).await.unwrap());
        }
        assert!(poll!(Box::pin(turns.acquire(socket(), false, PATIENCE))).is_pending());
        assert_eq!(turns.waiting(), 0);
        second.answered();
        assert!(turns.before_dial(socket()).await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_slow_signature_everybody_waits_and_so_do_new_logins() {
        let turns = Turns::default();
        let first = turns.acquire(socket(), false, PATIENCE).await.unwrap();
        tokio::time::advance(SLOW).await;
        first.answered();
        let second = turns.acquire(socket(), false, PATIENCE).await.unwrap();
        assert!(poll!(Box::pin(turns.acquire(socket(), false, PATIENCE))).is_pending());
        second.answered();
        let dialling = turns.before_dial(socket()).await.unwrap();
        assert!(poll!(Box::pin(turns.before_dial(socket()))).is_pending());
        assert!(turns.before_dial(Path::new("/other")).await.is_none());
        drop(dialling);
        assert!(turns.before_dial(socket()).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_that_does_not_come_is_not_waited_for_forever() {
        let turns = Turns::default();
        let held = turns.acquire(socket(), true, PATIENCE).await.unwrap();
        assert_eq!(turns.acquire(socket(), true, PATIENCE).await.unwrap_err(), TurnError::TooLate);
        held.unanswered();
        let next = turns.acquire(socket(), false, PATIENCE).await.unwrap();
        next.unanswered();
        assert_eq!(turns.acquire(socket(), false, PATIENCE).await.unwrap_err(), TurnError::Dead);
    }
}
