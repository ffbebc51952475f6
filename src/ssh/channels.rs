//! The session channels of one connection, counted over all who use it.
//!
//! A server gives so many at a time (`MaxSessions`, 10 unless sshd_config says otherwise) and does not tell the
//! number. It is learnt from a refusal while others of ours are open: whoever is refused waits then until one of
//! those ends. A refusal is final only when none of ours is open. Connections to ports (`direct-tcpip`) are not
//! counted, as OpenSSH does not count them.
//!
//! There is no deadlock: a holder ([`ChannelClaim::Keep`]) that wants a second channel is refused when all channels are held
//! by holders that wait, and a holder that does not use its channels learns that others want them
//! ([`Channels::wanted`]).

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::model::outcome::{Failure, Kind};
use crate::ssh::claim::{ChannelClaim, ChannelHolder};
use crate::ssh::error::ExecError;

/// Pauses before a refused channel is asked for again: each is twice the one before, 1.26 s in all. A server may
/// count a channel that ended for a moment longer than we do.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LAST_PAUSE: Duration = Duration::from_millis(640);

/// The channels of one connection.
#[derive(Debug)]
pub(super) struct Channels {
    state: Mutex<ChannelsState>,
    /// Changes whenever a waiter may be able to continue.
    changes: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct ChannelsState {
    /// Channels in use.
    open: usize,
    /// Those of them that are held to the end of the session.
    lasting: usize,
    /// Channels that are being asked for.
    asked: usize,
    /// How many the server gives at a time, as far as it has shown.
    limit: Option<usize>,
    /// Who waits, in the order of their turns.
    waiting: BTreeMap<Ticket, Option<ChannelHolder>>,
    /// How many open channels each holder that may want more has.
    kept: HashMap<ChannelHolder, usize>,
    tickets: u64,
    /// There was a channel before: a refusal may be about one that the server still counts.
    used: bool,
}

/// A turn among those who wait. Those who keep a channel come first: what they keep is free after that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Ticket {
    alone: bool,
    number: u64,
}

/// A place in the queue, given up when it is dropped.
struct ChannelWaiting<'a> {
    channels: &'a Channels,
    ticket: Ticket,
}

/// A channel that is being asked for or held.
#[derive(Debug)]
pub(super) struct ChannelPlace {
    channels: Arc<Channels>,
    life: Life,
    claim: ChannelClaim,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Asked,
    Open,
}

impl Default for Channels {
    fn default() -> Self {
        Self { state: Mutex::default(), changes: watch::Sender::new(0) }
    }
}

impl Channels {
    /// Opens a channel by `ask` as soon as there is one to be had. It has to be closed where it is dropped: that
    /// may be because nobody waits for it any more.
    ///
    /// # Errors
    ///
    /// What `ask` says; a refusal only when waiting would be of no use.
    pub(super) async fn open<T, F>(
        self: &Arc<Self>,
        claim: ChannelClaim,
        ask: impl Fn() -> F,
    ) -> Result<(T, ChannelPlace), ExecError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, ExecError>> + Send + 'static,
    {
        let mut changes = self.changes.subscribe();
        let mut waiting: Option<ChannelWaiting<'_>> = None;
        // Between the tries of one that waits for others, and of one that waits for nobody.
        let (mut pause, mut patience) = (FIRST_PAUSE, FIRST_PAUSE);
        let mut refusal: Option<ExecError> = None;
        // The first in the queue asks from time to time although all seem to be taken: the limit may have been
        // read too low, from a server that still counted a channel that had ended.
        let mut is_probe = false;
        let mut waits = false;
        loop {
            changes.borrow_and_update();
            let ticket = waiting.as_ref().map(|waiting| waiting.ticket);
            // Whoever was just refused waits for something to change first.
            let place = if std::mem::take(&mut waits) { None } else { self.take(claim, ticket, is_probe) };
            let Some(place) = place else {
                let holder = match claim {
                    ChannelClaim::Extra => return Err(refusal.unwrap_or_else(none_left)),
                    ChannelClaim::Alone | ChannelClaim::Lasting => None,
                    ChannelClaim::Keep(holder) | ChannelClaim::Use(holder) => Some(holder),
                };
                let ticket = waiting.get_or_insert_with(|| ChannelWaiting::begin(self, holder)).ticket;
                if self.is_stuck(ticket) {
                    return Err(refusal.unwrap_or_else(none_left));
                }
                is_probe = tokio::select! {
                    _ = changes.changed() => false,
                    () = tokio::time::sleep(pause), if self.is_first(ticket) => {
                        pause = (pause * 2).min(LAST_PAUSE);
                        true
                    }
                };
                continue;
            };
            is_probe = false;
            let error = match ChannelAsking::new(place, ask()).await {
                Ok(opened) => return Ok(opened),
                Err(error) if error.failure.kind == Kind::ChannelRefused => error,
                Err(error) => return Err(error),
            };
            if self.refused() {
                patience = FIRST_PAUSE;
                if claim == ChannelClaim::Extra {
                    return Err(error);
                }
                refusal = Some(error);
                waits = true;
            } else if self.state().used && patience <= LAST_PAUSE && claim != ChannelClaim::Extra {
                tokio::time::sleep(patience).await;
                patience *= 2;
            } else {
                return Err(error);
            }
        }
    }

    /// Resolves once another task waits for a channel. Cancel-safe.
    pub(super) async fn wanted(&self) {
        let mut changes = self.changes.subscribe();
        loop {
            changes.borrow_and_update();
            if !self.state().waiting.is_empty() {
                return;
            }
            // The sender is ours: it lives as long as we do.
            let _ = changes.changed().await;
        }
    }

    /// Whether some were open, and none is any more.
    pub(super) fn are_done(&self) -> bool {
        let state = self.state();
        state.used && state.open == 0
    }

    /// A place, when there is one and nobody has an earlier turn.
    fn take(
        self: &Arc<Self>,
        claim: ChannelClaim,
        ticket: Option<Ticket>,
        is_probe: bool,
    ) -> Option<ChannelPlace> {
        let mut state = self.state();
        let is_turn = match (ticket, state.waiting.first_key_value()) {
            (_, None) => true,
            (Some(ticket), Some((first, _))) => ticket == *first,
            (None, Some(_)) => false,
        };
        // One that none can end for is tried in any case: the server's answer is the last word then.
        let is_free = state.limit.is_none_or(|limit| state.open + state.asked < limit.max(1))
            || (state.ending() == 0 && state.asked == 0);
        if !(is_turn && (is_free || is_probe)) {
            return None;
        }
        state.asked += 1;
        Some(ChannelPlace { channels: Arc::clone(self), life: Life::Asked, claim })
    }

    /// Notes a refusal: whether waiting may be of use, as others are open, or may be in a moment.
    fn refused(&self) -> bool {
        let mut state = self.state();
        if state.ending() == 0 {
            return state.asked > 0;
        }
        state.limit = Some(state.open);
        true
    }

    /// Whether waiting is a deadlock: every holder keeps its channels and waits for more.
    fn is_stuck(&self, ticket: Ticket) -> bool {
        let state = self.state();
        let waiting: HashSet<ChannelHolder> = state.waiting.values().copied().flatten().collect();
        let kept: usize = waiting.iter().filter_map(|holder| state.kept.get(holder)).sum();
        !ticket.alone && state.asked == 0 && kept >= state.ending()
    }

    fn is_first(&self, ticket: Ticket) -> bool {
        self.state().waiting.first_key_value().is_some_and(|(first, _)| *first == ticket)
    }

    fn state(&self) -> MutexGuard<'_, ChannelsState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }
}

impl ChannelsState {
    /// How many of the open ones will end while the session goes on.
    fn ending(&self) -> usize {
        self.open - self.lasting
    }
}

/// A channel that is being asked for. When nobody waits for the answer any more, a task of its own does: a channel that is
/// given all the same is given back, and not left with the server.
struct ChannelAsking<T: Send + 'static> {
    /// None once it is answered.
    work: Option<BoxFuture<'static, Result<(T, ChannelPlace), ExecError>>>,
    begun: bool,
}

impl<T: Send + 'static> ChannelAsking<T> {
    fn new(
        mut place: ChannelPlace,
        asking: impl Future<Output = Result<T, ExecError>> + Send + 'static,
    ) -> Self {
        let work = async move {
            let opened = asking.await;
            if opened.is_ok() {
                place.opened();
            }
            // Given up before a refusal is told: who hears of it counts those who are still being asked for.
            opened.map(|channel| (channel, place))
        };
        Self { work: Some(work.boxed()), begun: false }
    }
}

impl<T: Send + 'static> Future for ChannelAsking<T> {
    type Output = Result<(T, ChannelPlace), ExecError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.begun = true;
        let Some(work) = &mut self.work else { return Poll::Pending };
        let answer = ready!(work.poll_unpin(context));
        self.work = None;
        Poll::Ready(answer)
    }
}

impl<T: Send + 'static> Drop for ChannelAsking<T> {
    fn drop(&mut self) {
        if let (true, Some(work), Ok(runtime)) = (self.begun, self.work.take(), Handle::try_current()) {
            // What is not taken is closed as it is dropped.
            runtime.spawn(work);
        }
    }
}

/// The refusal of a channel that was not even asked for.
pub(super) fn none_left() -> ExecError {
    let failure =
        Failure::new(Kind::ChannelRefused, "all channels that the server allows on a connection are in use")
            .hint("raise MaxSessions in its sshd_config");
    ExecError { failure, may_have_started: false }
}

impl<'a> ChannelWaiting<'a> {
    fn begin(channels: &'a Channels, holder: Option<ChannelHolder>) -> Self {
        let ticket = {
            let mut state = channels.state();
            state.tickets += 1;
            let alone = holder.is_none_or(|holder| !state.kept.contains_key(&holder));
            let ticket = Ticket { alone, number: state.tickets };
            state.waiting.insert(ticket, holder);
            ticket
        };
        channels.changed();
        Self { channels, ticket }
    }
}

impl Drop for ChannelWaiting<'_> {
    fn drop(&mut self) {
        self.channels.state().waiting.remove(&self.ticket);
        self.channels.changed();
    }
}

impl ChannelPlace {
    fn opened(&mut self) {
        self.life = Life::Open;
        {
            let mut state = self.channels.state();
            state.asked -= 1;
            state.open += 1;
            state.used = true;
            match self.claim {
                ChannelClaim::Keep(holder) => *state.kept.entry(holder).or_default() += 1,
                ChannelClaim::Lasting => state.lasting += 1,
                ChannelClaim::Alone | ChannelClaim::Use(_) | ChannelClaim::Extra => {}
            }
            let open = state.open;
            state.limit = state.limit.map(|limit| limit.max(open));
        }
        self.channels.changed();
    }
}

impl Drop for ChannelPlace {
    fn drop(&mut self) {
        {
            let mut state = self.channels.state();
            match (self.life, self.claim) {
                (Life::Asked, _) => state.asked -= 1,
                (Life::Open, claim) => {
                    state.open -= 1;
                    match claim {
                        ChannelClaim::Keep(holder) => {
                            if let Entry::Occupied(mut kept) = state.kept.entry(holder) {
                                *kept.get_mut() -= 1;
                                if *kept.get() == 0 {
                                    kept.remove();
                                }
                            }
                        }
                        ChannelClaim::Lasting => state.lasting -= 1,
                        ChannelClaim::Alone | ChannelClaim::Use(_) | ChannelClaim::Extra => {}
                    }
                }
            }
        }
        self.channels.changed();
    }
}

#[cfg(test)]
mod tests;
