//! What a host is at, as it is seen from outside.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::engine::live::sink::{EventSink, millis};

/// Bytes of one host's output that may be on their way to the readers.
pub(crate) const OUTPUT_BUDGET: usize = 128 * 1024;

/// When a host's current activity began and when it last said something: read by the dispatcher while the
/// worker runs. Milliseconds on the run's clock.
#[derive(Debug)]
pub(crate) struct Activity {
    sink: EventSink,
    since: AtomicU64,
    heard: AtomicU64,
    /// It waits for other hosts.
    waits: AtomicBool,
    /// Its share of output in flight.
    pub(crate) budget: Arc<Semaphore>,
}

/// A host waits for others while this is there.
pub(crate) struct Waits(Arc<Activity>);

impl Drop for Waits {
    fn drop(&mut self) {
        self.0.waits.store(false, Ordering::Relaxed);
    }
}

impl Activity {
    pub(crate) fn new(sink: EventSink) -> Self {
        let now = millis(sink.elapsed());
        let budget = Arc::new(Semaphore::new(OUTPUT_BUDGET));
        Self {
            sink,
            since: AtomicU64::new(now),
            heard: AtomicU64::new(now),
            waits: AtomicBool::new(false),
            budget,
        }
    }

    /// The host begins something new.
    pub(crate) fn begin(&self) {
        let now = millis(self.sink.elapsed());
        self.since.store(now, Ordering::Relaxed);
        self.heard.store(now, Ordering::Relaxed);
    }

    /// The host waits for others from now on, until what this gives is dropped.
    pub(crate) fn wait(self: &Arc<Self>) -> Waits {
        self.waits.store(true, Ordering::Relaxed);
        Waits(Arc::clone(self))
    }

    /// Whether it waits for others.
    pub(crate) fn is_waiting(&self) -> bool {
        self.waits.load(Ordering::Relaxed)
    }

    /// The host said something.
    pub(crate) fn heard(&self) {
        self.heard.store(millis(self.sink.elapsed()), Ordering::Relaxed);
    }

    /// For how long it has been at it, and silent.
    pub(crate) fn ages(&self) -> (Duration, Duration) {
        let now = self.sink.elapsed();
        let age = |at: &AtomicU64| now.saturating_sub(Duration::from_millis(at.load(Ordering::Relaxed)));
        (age(&self.since), age(&self.heard))
    }
}
