//! One open channel. It is closed when its last holder drops it: a server keeps and counts channels that stay open.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use russh::client::Msg;
use russh::{Channel, ChannelReadHalf, ChannelWriteHalf};
use tokio::runtime;

use crate::ssh::channels::ChannelPlace;

/// A channel on which nothing runs yet.
pub(super) struct Opened {
    /// There until it is split.
    channel: Option<Channel<Msg>>,
    place: Option<ChannelPlace>,
}

/// The half of a channel that is written to. The channel is closed when it is dropped.
pub(super) struct Writing {
    /// There until it is dropped.
    half: Option<ChannelWriteHalf<Msg>>,
    _place: Option<ChannelPlace>,
}

impl Opened {
    /// One that is not counted among the sessions of its connection.
    pub(super) fn new(channel: Channel<Msg>) -> Self {
        Self { channel: Some(channel), place: None }
    }

    /// The same as one that is counted.
    pub(super) fn counted(mut self, place: ChannelPlace) -> Self {
        self.place = Some(place);
        self
    }

    /// Both halves of it.
    pub(super) fn split(mut self) -> (ChannelReadHalf, Arc<Writing>) {
        let (reading, half) = self.channel.take().expect("it is split once").split();
        (reading, Arc::new(Writing { half: Some(half), _place: self.place.take() }))
    }
}

impl Deref for Opened {
    type Target = Channel<Msg>;

    fn deref(&self) -> &Channel<Msg> {
        self.channel.as_ref().expect("it is there until it is split")
    }
}

impl DerefMut for Opened {
    fn deref_mut(&mut self) -> &mut Channel<Msg> {
        self.channel.as_mut().expect("it is there until it is split")
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        if let Some(channel) = self.channel.take() {
            drop(Writing { half: Some(channel.split().1), _place: self.place.take() });
        }
    }
}

impl Deref for Writing {
    type Target = ChannelWriteHalf<Msg>;

    fn deref(&self) -> &ChannelWriteHalf<Msg> {
        self.half.as_ref().expect("it is there until it is dropped")
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        // Of one that is closed already nothing is sent.
        if let (Some(half), Ok(runtime)) = (self.half.take(), runtime::Handle::try_current()) {
            runtime.spawn(async move {
                let _ = half.close().await;
            });
        }
    }
}
