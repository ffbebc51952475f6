//! What concerns all hosts behind a gateway, or comes from the way to a host, and how it is told.

use tokio::sync::mpsc;

use crate::event::Timings;
use crate::model::inventory::HostName;
use crate::model::outcome::Failure;

/// Something that concerns all hosts behind a gateway, or that a way to a host says.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// The gateway is connected and authenticated.
    Connected {
        /// Which.
        gateway: HostName,
        /// How long each phase took.
        timings: Timings,
        /// How the login was proven.
        auth: String,
    },
    /// The command that is a host's connection said something. Its own words: sanitise before printing.
    ProxySaid {
        /// Whose.
        host: HostName,
        /// A line.
        line: String,
    },
    /// The gateway could not be connected, or broke.
    Failed {
        /// Which.
        gateway: HostName,
        /// Why.
        failure: Failure,
    },
}

/// Sends notices; readers that are gone do not matter.
#[derive(Clone, Debug)]
pub(super) struct Notices(mpsc::UnboundedSender<Notice>);

impl Notices {
    pub(super) fn channel() -> (Self, mpsc::UnboundedReceiver<Notice>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), receiver)
    }

    pub(super) fn tell(&self, notice: Notice) {
        let _ = self.0.send(notice);
    }
}
