//! The messages of a channel as events of the command or program that runs in it.

use std::sync::Arc;

use russh::{ChannelMsg, Sig};

use crate::model::outcome::{Exit, Failure, Kind};
use crate::model::text::beginning;
use crate::ssh::command::ExecEvent;
use crate::ssh::handler::Story;

/// Bytes of a signal's name that are told.
const LONGEST_SIGNAL: usize = 64;

/// Turns the messages of a channel into events.
pub(super) struct Translation {
    pub(super) story: Arc<Story>,
    /// The server closed the channel, so a following end of messages is not a loss.
    closed: bool,
}

impl Translation {
    pub(super) fn new(story: &Arc<Story>) -> Self {
        Self { story: Arc::clone(story), closed: false }
    }

    /// The event of a message, if it is one; `None` is the end of messages, whose event is the last.
    pub(super) fn event(&mut self, message: Option<ChannelMsg>) -> Option<ExecEvent> {
        Some(match message {
            Some(ChannelMsg::Data { data }) => ExecEvent::Stdout(data),
            Some(ChannelMsg::ExtendedData { data, ext: EXTENDED_DATA_STDERR }) => ExecEvent::Stderr(data),
            Some(ChannelMsg::ExitStatus { exit_status }) => ExecEvent::Exit(Exit::Status(exit_status)),
            Some(ChannelMsg::ExitSignal { signal_name, .. }) => {
                ExecEvent::Exit(Exit::Signal(signal_text(&signal_name)))
            }
            // Data may still be queued behind the close; only the end of messages is the end.
            Some(ChannelMsg::Close) => {
                self.closed = true;
                return None;
            }
            Some(_) => return None,
            None if self.closed => ExecEvent::Closed,
            None => ExecEvent::Lost(self.story.end()),
        })
    }
}

/// The type of extended data that carries standard error (RFC 4254 section 5.2).
const EXTENDED_DATA_STDERR: u32 = 1;

/// Its name, which may be any text.
fn signal_text(signal: &Sig) -> String {
    match signal {
        Sig::Custom(name) if name.is_empty() => "without a name".to_owned(),
        Sig::Custom(name) => beginning(name.as_bytes(), LONGEST_SIGNAL),
        known => format!("{known:?}"),
    }
}

/// The failure of a start that the server said no to.
pub(super) fn command_refused() -> Failure {
    Failure::new(Kind::ExecRefused, "the server refused to start the command")
        .hint("the account may be restricted to other uses (a forced command, SFTP only)")
}
