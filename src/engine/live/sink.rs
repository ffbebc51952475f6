//! Where facts go. Facts about hosts and steps never wait: their number is bounded by the plan. Output waits
//! for its host's budget, so that a slow reader holds back the hosts that talk much, and only those.
//!
//! It is the only way to the readers, and so the place where secrets are taken out of facts.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tracing::{Level, debug, enabled, trace};

use crate::engine::live::discretion::Discretion;
use crate::event::ledger::{Kept, Ledger, VALUES_MAX};
use crate::event::{Event, Fact, StepFact, line};
use crate::model::redact::Redactor;
use crate::model::secret::Secret;

/// An event on its way to the readers.
#[derive(Debug)]
pub struct Delivery {
    /// The event.
    pub event: Event,
    /// Output in flight counts against its host's budget until the readers drop this.
    #[allow(dead_code, reason = "it is dropped with the rest, and that is all that it is for")]
    pub hold: Option<OwnedSemaphorePermit>,
}

/// The end that the engine writes to.
#[derive(Clone, Debug)]
pub struct EventSink {
    sender: mpsc::Sender<Delivery>,
    started: Instant,
    /// Milliseconds from `started` to the last fact.
    last: Arc<AtomicU64>,
    /// Held while a fact gets its time and its place among the others.
    turn: Arc<Mutex<()>>,
    discretion: Arc<Discretion>,
    /// What all is written down in first.
    ledger: Option<Arc<dyn Ledger>>,
}

/// A sink and its receiving end, which readers wait on in a thread of their own. The run's clock starts now.
///
/// No reader sees what the redactor looks for.
pub fn channel(redactor: &Redactor) -> (EventSink, mpsc::Receiver<Delivery>) {
    let (sender, receiver) = mpsc::channel();
    let discretion = Arc::new(Discretion::new(redactor.clone()));
    let (started, last, turn) = (Instant::now(), Arc::default(), Arc::default());
    (EventSink { sender, started, last, turn, discretion, ledger: None }, receiver)
}

impl EventSink {
    /// Writes all that is told down before any reader hears of it.
    #[must_use]
    pub fn written_in(self, ledger: Option<Arc<dyn Ledger>>) -> Self {
        Self { ledger, ..self }
    }

    /// Tells a fact.
    pub(crate) fn tell(&self, fact: Fact) {
        self.send(fact, None);
    }

    /// Tells what a host said; `hold` is its share of the host's budget.
    pub(crate) fn tell_output(&self, fact: Fact, hold: OwnedSemaphorePermit) {
        self.send(fact, Some(hold));
    }

    fn send(&self, fact: Fact, mut hold: Option<OwnedSemaphorePermit>) {
        let deliver = |fact| {
            // Whoever is later has the later time, in the journal and for the readers.
            let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
            let at = self.elapsed();
            self.last.store(millis(at), Ordering::Relaxed);
            let event = Event::new(at, fact);
            note(&event);
            if let Some(ledger) = &self.ledger {
                ledger.write(&event);
            }
            // Readers that are gone do not stop a run.
            drop(self.sender.send(Delivery { event, hold: hold.take() }));
        };
        self.discretion.pass(fact, deliver);
    }

    /// Writes the variables down that a step defined, and tells them; those with a secret in them are only named.
    pub(crate) fn keep(&self, kept: Kept) {
        let kept = self.discretion.without_secrets(kept);
        if let Some(ledger) = &self.ledger {
            ledger.keep(&kept);
        }
        let (kept, _) = kept.limited(VALUES_MAX);
        self.tell(Fact::Record(kept.into()));
    }

    /// Whether a text holds a secret that is hidden, or one that is too short for it.
    pub(crate) fn hides(&self, text: &str) -> bool {
        self.discretion.finds(text)
    }

    /// Hides a secret in all that is told from now on.
    pub(crate) fn hide(&self, secret: &Secret) {
        self.discretion.learn(secret);
    }

    /// Time since the run started.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// How long ago the last fact was told.
    pub(crate) fn silence(&self) -> Duration {
        self.elapsed().saturating_sub(Duration::from_millis(self.last.load(Ordering::Relaxed)))
    }
}

/// Puts an event into the log: all of it, but for what hosts printed and told of themselves.
fn note(event: &Event) {
    match &event.fact {
        Fact::Step(_, StepFact::Output { stream, data }) => trace!("{} bytes of {stream:?}", data.len()),
        Fact::Step(_, StepFact::FactsGathered { .. }) => debug!("facts gathered"),
        Fact::Step(_, StepFact::TransferAdvanced { done, total }) => trace!("{done} of {total} bytes"),
        _ if enabled!(Level::DEBUG) => {
            let mut text = Vec::new();
            if line::append(&mut text, event).is_ok() {
                debug!("{}", String::from_utf8_lossy(&text).trim_end());
            }
        }
        _ => {}
    }
}

/// Whole milliseconds; a run does not last for 500 million years.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
