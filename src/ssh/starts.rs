//! Limits how many connections to one address may be unauthenticated at a time, over all hosts of a run.
//!
//! A default sshd drops connections at random from 10 unauthenticated ones (`MaxStartups 10:30:100`), and a
//! single daemon often stands behind many host names. 8 stays below that.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Unauthenticated connections per address, at most.
pub(super) const MAX_STARTS: usize = 8;

/// The limiter of a run.
#[derive(Default)]
pub(super) struct Starts {
    addresses: Mutex<HashMap<SocketAddr, Arc<Semaphore>>>,
}

impl Starts {
    /// Waits for a free start at this address; it is taken until the permit is dropped.
    pub(super) async fn acquire(&self, address: SocketAddr) -> OwnedSemaphorePermit {
        let semaphore = {
            let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(addresses.entry(address).or_insert_with(|| Arc::new(Semaphore::new(MAX_STARTS))))
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
        let crowded: SocketAddr = "127.0.0.1:22".parse().unwrap();
        let mut held = Vec::new();
        for _ in 0..MAX_STARTS {
            held.push(starts.acquire(crowded).await);
        }
        let mut ninth = Box::pin(starts.acquire(crowded));
        assert!(futures::poll!(&mut ninth).is_pending());
        drop(starts.acquire("127.0.0.2:22".parse().unwrap()).await);
        held.pop();
        assert!(futures::poll!(&mut ninth).is_ready());
    }
}
