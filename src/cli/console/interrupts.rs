//! The signals of a console. Ctrl-C stops the command that runs, and nothing else; TERM and HUP stop it and end the console.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::cli::signals;
use crate::engine::{self, StopReceiver, StopSender};
use crate::model::outcome::CancelReason;

/// What becomes of the process's signals.
#[derive(Clone, Default)]
pub(super) struct Interrupts {
    running: Arc<Mutex<Option<StopSender>>>,
    ended: watch::Sender<Option<CancelReason>>,
}

impl Interrupts {
    /// Begins to listen.
    pub(super) fn listen(&self) -> std::io::Result<()> {
        let heard = self.clone();
        signals::listen(move |reason| heard.hear(reason))
    }

    fn running(&self) -> MutexGuard<'_, Option<StopSender>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hear(&self, reason: CancelReason) {
        if let Some(running) = &*self.running() {
            running.request(reason);
        }
        if reason != CancelReason::Interrupt {
            self.ended.send_replace(Some(reason));
        }
    }

    /// A command begins, which stops from now on.
    pub(super) fn begin(&self) -> StopReceiver {
        let (stop, stopping) = engine::stop_channel();
        *self.running() = Some(stop);
        stopping
    }

    /// It is over.
    pub(super) fn over(&self) {
        *self.running() = None;
    }

    /// Why the console is to end, once it is.
    pub(super) async fn ended(&self) -> CancelReason {
        let mut ended = self.ended.subscribe();
        let reason = ended.wait_for(Option::is_some).await.ok().and_then(|reason| *reason);
        reason.unwrap_or(CancelReason::Terminate)
    }
}
