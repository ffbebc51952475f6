//! How a run is told to stop, and how everyone in it hears of it.

use tokio::sync::watch;

use crate::model::outcome::CancelReason;

/// What the user wants. Only ever grows: `Run`, then `Drain`, then `Now`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stop {
    /// Go on.
    Run,
    /// No new work; running commands are asked to end and get some seconds for it.
    Drain(CancelReason),
    /// Everything ends at once.
    Now(CancelReason),
}

impl Stop {
    /// Why, when it is not [`Stop::Run`].
    pub fn reason(self) -> Option<CancelReason> {
        match self {
            Self::Run => None,
            Self::Drain(reason) | Self::Now(reason) => Some(reason),
        }
    }
}

/// The end that the signals pull.
#[derive(Clone, Debug)]
pub struct StopSender(watch::Sender<Stop>);

/// The end that the run watches.
#[derive(Clone, Debug)]
pub struct StopReceiver(watch::Receiver<Stop>);

/// A stop signal that nobody has pulled yet.
pub fn stop_channel() -> (StopSender, StopReceiver) {
    let (sender, receiver) = watch::channel(Stop::Run);
    (StopSender(sender), StopReceiver(receiver))
}

impl StopSender {
    /// Asks for an orderly end; asked again, for an end at once.
    pub fn request(&self, reason: CancelReason) {
        self.0.send_modify(|stop| {
            *stop = match *stop {
                Stop::Run => Stop::Drain(reason),
                Stop::Drain(first) | Stop::Now(first) => Stop::Now(first.max(reason)),
            }
        });
    }
}

impl StopReceiver {
    /// What the user wants now.
    pub fn current(&self) -> Stop {
        *self.0.borrow()
    }

    /// Resolves when more is wanted than `seen`; never when that cannot happen any more.
    pub async fn beyond(&mut self, seen: Stop) -> Stop {
        // Copied out at once: the guard must not live across an await.
        let wanted = self.0.wait_for(|stop| *stop > seen).await.map(|stop| *stop);
        match wanted {
            Ok(stop) => stop,
            // Nobody is left who could ask.
            Err(_) => std::future::pending().await,
        }
    }
}
