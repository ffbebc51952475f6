//! Limits how many connections to one server may be unauthenticated at a time, over all hosts of a run, and
//! adapts the limit to what the server takes.
//!
//! A default sshd drops connections at random from 10 unauthenticated ones (`MaxStartups 10:30:100`), and a
//! single daemon often stands behind many host names. 8 stays below that, and is never exceeded. A server that
//! turns a connection away gets half as many, down to one by one; each [`GOOD_LOGINS`] logins in a row win one
//! place back.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::model::endpoint::Endpoint;
use crate::model::inventory::HostName;
use crate::model::outcome::Kind;
use crate::ssh::error::{ConnectError, Retry};

/// Unauthenticated connections per server, at most; and at first.
pub(super) const MAX_STARTS: usize = 8;

/// Logins in a row after which a server that had turned connections away gets one more at a time.
const GOOD_LOGINS: usize = 8;

/// One SSH server, as far as can be told before it has spoken.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum StartKey {
    /// Dialled by us.
    Address(SocketAddr),
    /// Reached by a local command.
    Command(Arc<str>),
    /// Dialled by a gateway, which resolves the name.
    Behind(HostName, Arc<str>, u16),
}

impl StartKey {
    /// The server that a command connects to: each text of it is one of its own.
    pub(super) fn by_command(command: &Arc<str>) -> Self {
        Self::Command(Arc::clone(command))
    }

    /// The server of a host behind a gateway.
    pub(super) fn behind(gateway: &Endpoint, target: &Endpoint) -> Self {
        Self::Behind(gateway.name.clone(), Arc::clone(&target.address), target.port)
    }
}

/// The limiter of a run.
#[derive(Default)]
pub(super) struct Starts {
    servers: Mutex<HashMap<StartKey, Arc<Server>>>,
}

impl Starts {
    /// Waits for a free start at this server; it is taken until the start is dropped.
    pub(super) async fn acquire(&self, server: StartKey) -> Start {
        let server = {
            let mut servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(servers.entry(server).or_default())
        };
        let permit = Arc::clone(&server.permits).acquire_owned().await;
        let permit = permit.expect("the semaphore is never closed");
        let era = server.pace().era;
        Start { server, permit: Some(permit), era }
    }
}

/// A place among the unauthenticated connections of a server.
#[derive(Debug)]
pub struct Start {
    server: Arc<Server>,
    /// There until it is dropped.
    permit: Option<OwnedSemaphorePermit>,
    /// The server's limit when it began.
    era: u32,
}

impl Start {
    /// The login went well.
    pub(super) fn logged_in(&self) {
        if self.server.pace().went_well() {
            self.server.permits.add_permits(1);
        }
    }

    /// The connection ended before there was a login; slows down when the server has too many of them.
    ///
    /// A server may also drop connections without a word, so one that breaks in the handshake counts as well.
    pub(super) fn ended(&self, error: &ConnectError) {
        let crowded = match error.retry {
            Retry::Throttled | Retry::Penalized => true,
            Retry::Soon => error.failure.kind == Kind::ConnectReset,
            Retry::Never => false,
        };
        if crowded {
            let mut pace = self.server.pace();
            let fewer = pace.turned_away(self.era);
            // Those that nobody has go at once, the others when they are given back.
            pace.owed += fewer - self.server.permits.forget_permits(fewer);
        }
    }
}

impl Drop for Start {
    fn drop(&mut self) {
        if let Some(permit) = self.permit.take()
            && self.server.pace().is_owed()
        {
            permit.forget();
        }
    }
}

/// What is known of one server.
#[derive(Debug)]
struct Server {
    permits: Arc<Semaphore>,
    pace: Mutex<StartPace>,
}

impl Default for Server {
    fn default() -> Self {
        Self { permits: Arc::new(Semaphore::new(MAX_STARTS)), pace: Mutex::default() }
    }
}

impl Server {
    fn pace(&self) -> MutexGuard<'_, StartPace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many starts a server takes at a time, as far as it has shown.
#[derive(Debug)]
struct StartPace {
    limit: usize,
    /// Places that are gone and were still taken then.
    owed: usize,
    /// Logins since the limit last changed.
    good: usize,
    /// How often the limit was lowered.
    era: u32,
}

impl Default for StartPace {
    fn default() -> Self {
        Self { limit: MAX_STARTS, owed: 0, good: 0, era: 0 }
    }
}

impl StartPace {
    /// A start of this era was turned away: how many places are lost by it.
    ///
    /// Starts that began before the limit was last lowered say nothing about the new one: a crowd that is
    /// turned away together halves it once.
    fn turned_away(&mut self, era: u32) -> usize {
        self.good = 0;
        if era != self.era {
            return 0;
        }
        let limit = (self.limit / 2).max(1);
        let fewer = self.limit - limit;
        self.limit = limit;
        self.era += 1;
        fewer
    }

    /// A login succeeded: whether there is one place more now.
    fn went_well(&mut self) -> bool {
        self.good += 1;
        if self.good < GOOD_LOGINS || self.limit == MAX_STARTS {
            return false;
        }
        self.good = 0;
        self.limit += 1;
        !self.is_owed()
    }

    /// Takes one place that is owed, if any.
    fn is_owed(&mut self) -> bool {
        let is_owed = self.owed > 0;
        self.owed -= usize::from(is_owed);
        is_owed
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use proptest::prelude::*;

    use super::*;
    use crate::model::outcome::Failure;

    fn address(text: &str) -> StartKey {
        StartKey::Address(text.parse().unwrap())
    }

    /// Takes starts until there is none.
    fn all(starts: &Starts) -> Vec<Start> {
        std::iter::from_fn(|| starts.acquire(address("127.0.0.1:22")).now_or_never()).collect()
    }

    fn error(kind: Kind, retry: Retry) -> ConnectError {
        ConnectError { failure: Failure::new(kind, "x"), retry }
    }

    fn throttled() -> ConnectError {
        error(Kind::Throttled, Retry::Throttled)
    }

    #[tokio::test]
    async fn the_ninth_start_waits_for_a_permit_and_other_addresses_do_not() {
        let starts = Starts::default();
        let crowded = address("127.0.0.1:22");
        let mut held = Vec::new();
        for _ in 0..MAX_STARTS {
            held.push(starts.acquire(crowded.clone()).await);
        }
        let mut ninth = Box::pin(starts.acquire(crowded));
        assert!(futures::poll!(&mut ninth).is_pending());
        drop(starts.acquire(address("127.0.0.2:22")).await);
        held.pop();
        assert!(futures::poll!(&mut ninth).is_ready());
    }

    #[test]
    fn a_crowd_that_is_turned_away_halves_the_limit_once() {
        let starts = Starts::default();
        for left in [4, 2, 1, 1] {
            let crowd = all(&starts);
            crowd.iter().for_each(|start| start.ended(&throttled()));
            drop(crowd);
            assert_eq!(all(&starts).len(), left);
        }
    }

    #[test]
    fn a_limit_that_fell_while_nobody_waited_falls_for_the_next() {
        let starts = Starts::default();
        let one = starts.acquire(address("127.0.0.1:22")).now_or_never().unwrap();
        one.ended(&throttled());
        assert_eq!(all(&starts).len(), 3);
        drop(one);
        assert_eq!(all(&starts).len(), 4);
    }

    #[test]
    fn good_logins_win_the_places_back_and_no_more() {
        let starts = Starts::default();
        let crowd = all(&starts);
        crowd[0].ended(&throttled());
        drop(crowd);
        for expected in [5, 6, 7, 8, 8, 8] {
            for _ in 0..GOOD_LOGINS {
                let start = starts.acquire(address("127.0.0.1:22")).now_or_never().unwrap();
                start.logged_in();
            }
            assert_eq!(all(&starts).len(), expected);
        }
    }

    #[test]
    fn what_slows_down() {
        let after = |error: ConnectError| {
            let starts = Starts::default();
            starts.acquire(address("127.0.0.1:22")).now_or_never().unwrap().ended(&error);
            all(&starts).len()
        };
        assert_eq!(after(error(Kind::Throttled, Retry::Penalized)), 4);
        assert_eq!(after(error(Kind::ConnectReset, Retry::Soon)), 4);
        assert_eq!(after(error(Kind::ConnectTimeout, Retry::Soon)), MAX_STARTS);
        assert_eq!(after(error(Kind::HostKeyChanged, Retry::Never)), MAX_STARTS);
    }

    proptest! {
        /// Whatever happens in whatever order, there are as many places as the limit says, of 1 to 8.
        #[test]
        fn the_places_are_those_of_the_limit(happens in prop::collection::vec((0u8..4, 0usize..8), 0..200)) {
            let starts = Starts::default();
            let mut held = Vec::new();
            for (what, which) in happens {
                match (what, held.is_empty()) {
                    (0, _) => held.extend(starts.acquire(address("127.0.0.1:22")).now_or_never()),
                    (_, true) => {}
                    (1, false) => drop(held.swap_remove(which % held.len())),
                    (2, false) => held[which % held.len()].ended(&throttled()),
                    (_, false) => held[which % held.len()].logged_in(),
                }
            }
            held.clear();
            let places = all(&starts);
            let server = Arc::clone(starts.servers.lock().unwrap().entry(address("127.0.0.1:22")).or_default());
            prop_assert_eq!(places.len(), server.pace().limit);
            prop_assert!((1..=MAX_STARTS).contains(&places.len()));
        }
    }
}
