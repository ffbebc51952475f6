//! Limits how many connections to one address may be unauthenticated at a time, over all hosts of a run.
//!
//! A default sshd drops connections at random from 10 unauthenticated ones (`MaxStartups 10:30:100`), and a
//! single daemon often stands behind many host names. 8 stays below that.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::model::endpoint::Endpoint;
use crate::model::inventory::HostName;

/// Unauthenticated connections per address, at most.
pub(super) const MAX_STARTS: usize = 8;

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
    servers: Mutex<HashMap<StartKey, Arc<Semaphore>>>,
}

impl Starts {
    /// Waits for a free start at this address; it is taken until the permit is dropped.
    pub(super) async fn acquire(&self, server: StartKey) -> OwnedSemaphorePermit {
        let semaphore = {
            let mut servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(servers.entry(server).or_insert_with(|| Arc::new(Semaphore::new(MAX_STARTS))))
        };
        semaphore.acquire_owned().await.expect("the semaphore is never closed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_ninth_start_waits_for_a_permit_and_other_addresses_do_not() {
        let starts = Starts::default();
        let address = |text: &str| StartKey::Address(text.parse().unwrap());
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
}
