//! Where facts go. Facts about hosts and steps never wait: their number is bounded by the plan. Output waits
//! for its host's budget, so that a slow reader holds back the hosts that talk much, and only those.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use crate::event::{Event, Fact};

/// An event on its way to the readers.
#[derive(Debug)]
pub struct Delivery {
    /// The event.
    pub event: Event,
    /// Output in flight counts against its host's budget until the readers drop this.
    pub hold: Option<OwnedSemaphorePermit>,
}

/// The end that the engine writes to.
#[derive(Clone, Debug)]
pub struct EventSink {
    sender: mpsc::Sender<Delivery>,
    started: Instant,
    /// Milliseconds from `started` to the last fact.
    last: Arc<AtomicU64>,
}

/// A sink and its receiving end, which readers wait on in a thread of their own. The run's clock starts now.
pub fn channel() -> (EventSink, mpsc::Receiver<Delivery>) {
    let (sender, receiver) = mpsc::channel();
    (EventSink { sender, started: Instant::now(), last: Arc::default() }, receiver)
}

impl EventSink {
    /// Tells a fact.
    pub(super) fn tell(&self, fact: Fact) {
        self.send(fact, None);
    }

    /// Tells what a host said; `hold` is its share of the host's budget.
    pub(super) fn tell_output(&self, fact: Fact, hold: OwnedSemaphorePermit) {
        self.send(fact, Some(hold));
    }

    fn send(&self, fact: Fact, hold: Option<OwnedSemaphorePermit>) {
        let at = self.elapsed();
        self.last.store(millis(at), Ordering::Relaxed);
        // Readers that are gone do not stop a run.
        let _ = self.sender.send(Delivery { event: Event { at, fact }, hold });
    }

    /// Time since the run started.
    pub(super) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// How long ago the last fact was told.
    pub(super) fn silence(&self) -> Duration {
        self.elapsed().saturating_sub(Duration::from_millis(self.last.load(Ordering::Relaxed)))
    }
}

/// Whole milliseconds; a run does not last for 500 million years.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
