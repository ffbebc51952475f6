//! How a run is told to stop, and how everyone in it hears of it.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::watch;

use crate::model::inventory::HostName;
use crate::model::outcome::{CancelReason, Failure, Kind};

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

/// How long each part of the end may take once a stop was asked for.
///
/// Their sum is what a run promises: 7 s from the first request, 1 s from the second.
#[derive(Debug)]
pub(crate) struct Patience {
    /// The answer to a start that is on its way.
    pub(crate) start: Duration,
    /// The end of a command that got TERM.
    pub(crate) term: Duration,
    /// The rest of the output of a command that had ended by itself.
    pub(crate) rest: Duration,
    /// The end of a command that got KILL.
    pub(crate) kill: Duration,
    /// The closing of a command's channel.
    pub(crate) close: Duration,
    /// Readers that are behind with a command's last output.
    pub(crate) readers: Duration,
    /// The closing of all sessions that are still open.
    pub(crate) sessions: Duration,
}

const ORDERLY: Patience = Patience {
    start: Duration::from_millis(250),
    term: Duration::from_secs(5),
    rest: Duration::from_secs(5),
    kill: Duration::from_secs(1),
    close: Duration::from_millis(200),
    readers: Duration::from_millis(200),
    sessions: Duration::from_millis(250),
};

const AT_ONCE: Patience = Patience {
    start: Duration::ZERO,
    term: Duration::ZERO,
    rest: Duration::from_millis(300),
    kill: Duration::from_millis(300),
    close: Duration::from_millis(100),
    readers: Duration::from_millis(200),
    sessions: Duration::from_millis(100),
};

impl Stop {
    /// How long the parts of the end may take.
    pub(crate) fn patience(self) -> &'static Patience {
        match self {
            Self::Run | Self::Drain(_) => &ORDERLY,
            Self::Now(_) => &AT_ONCE,
        }
    }

    /// Why, when it is not [`Stop::Run`].
    pub fn reason(self) -> Option<CancelReason> {
        match self {
            Self::Run => None,
            Self::Drain(reason) | Self::Now(reason) => Some(reason),
        }
    }
}

/// What is wanted of the run, and of single hosts besides.
#[derive(Debug)]
struct Wishes {
    all: Stop,
    hosts: BTreeMap<HostName, Stop>,
}

impl Wishes {
    /// What is wanted of a host; of the run without one.
    fn of(&self, host: Option<&HostName>) -> Stop {
        let own = host.and_then(|host| self.hosts.get(host)).copied();
        own.map_or(self.all, |own| own.max(self.all))
    }
}

/// The end that the signals pull.
#[derive(Clone, Debug)]
pub struct StopSender(watch::Sender<Wishes>);

/// The end that the run watches, or one host of it.
#[derive(Clone, Debug)]
pub struct StopReceiver {
    wishes: watch::Receiver<Wishes>,
    host: Option<HostName>,
}

/// A stop signal that nobody has pulled yet.
pub fn stop_channel() -> (StopSender, StopReceiver) {
    let (sender, wishes) = watch::channel(Wishes { all: Stop::Run, hosts: BTreeMap::new() });
    (StopSender(sender), StopReceiver { wishes, host: None })
}

/// What is wanted after one more request.
fn further(stop: Stop, reason: CancelReason) -> Stop {
    match stop {
        Stop::Run => Stop::Drain(reason),
        Stop::Drain(first) | Stop::Now(first) => Stop::Now(first.max(reason)),
    }
}

impl StopSender {
    /// Asks for an orderly end; asked again, for an end at once.
    pub fn request(&self, reason: CancelReason) {
        self.0.send_modify(|wishes| wishes.all = further(wishes.all, reason));
    }

    /// Asks for the orderly end of one host, the others go on; asked again, for its end at once.
    pub fn cancel(&self, host: &HostName) {
        self.0.send_modify(|wishes| {
            let own = wishes.hosts.entry(host.clone()).or_insert(Stop::Run);
            *own = further(*own, CancelReason::User);
        });
    }
}

impl StopReceiver {
    /// What the user wants now.
    pub fn current(&self) -> Stop {
        self.wishes.borrow().of(self.host.as_ref())
    }

    /// The same for one host: it hears of what is wanted of that one, too.
    #[must_use]
    pub(crate) fn of_host(&self, host: &HostName) -> Self {
        Self { wishes: self.wishes.clone(), host: Some(host.clone()) }
    }

    /// The hosts that the user has cancelled.
    pub(crate) fn cancelled(&self) -> Vec<HostName> {
        self.wishes.borrow().hosts.keys().cloned().collect()
    }

    /// Resolves when more hosts are cancelled than `seen`; never when that cannot happen any more.
    pub(crate) async fn cancelled_beyond(&mut self, seen: usize) {
        if self.wishes.wait_for(|wishes| wishes.hosts.len() > seen).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Resolves when more is wanted than `seen`; never when that cannot happen any more.
    pub async fn beyond(&mut self, seen: Stop) -> Stop {
        // Copied out at once: the guard must not live across an await.
        let host = self.host.clone();
        let of = |wishes: &Wishes| wishes.of(host.as_ref());
        let wanted = self.wishes.wait_for(|wishes| of(wishes) > seen).await.map(|wishes| of(&wishes));
        match wanted {
            Ok(stop) => stop,
            // Nobody is left who could ask.
            Err(_) => std::future::pending().await,
        }
    }

    /// Resolves when the run is to stop, with the reason.
    pub async fn asked(&mut self) -> CancelReason {
        loop {
            if let Some(reason) = self.beyond(Stop::Run).await.reason() {
                return reason;
            }
        }
    }

    /// Resolves a while after the run is to stop: what is nearly done by then may end by itself.
    pub(crate) async fn asked_and_waited(&mut self, part: fn(&Patience) -> Duration) -> CancelReason {
        let reason = self.asked().await;
        tokio::time::sleep(part(self.current().patience())).await;
        reason
    }
}

/// The failure of whatever the user's signal ended.
pub(crate) fn interrupted(reason: CancelReason) -> Failure {
    let signal = match reason {
        CancelReason::User => return Failure::new(Kind::Interrupted, "cancelled by the user"),
        CancelReason::Hangup => "HUP",
        CancelReason::Terminate => "TERM",
        CancelReason::Interrupt => "INT",
    };
    Failure::new(Kind::Interrupted, format!("the run was stopped by {signal}"))
}
