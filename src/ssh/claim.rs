//! How a channel is wanted of a server that gives so many at a time, and by whom.

use std::sync::atomic::{AtomicU64, Ordering};

/// How a channel is wanted of a server that gives so many at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelClaim {
    /// By a task that holds no other one, and waits for it.
    Alone,
    /// To be kept while more are asked for. Refused rather than waited for when all who keep one wait for more.
    Keep(ChannelHolder),
    /// By a task that may hold others, and gives this one back before it asks for more.
    Use(ChannelHolder),
    /// By a task that can do without it: never waited for.
    Extra,
    /// Held for as long as the session lasts: its end is never waited for.
    Lasting,
}

/// A holder of channels of a session, distinct from all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ChannelHolder(u64);

impl ChannelHolder {
    /// One more.
    pub fn unique() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self(LAST.fetch_add(1, Ordering::Relaxed))
    }
}
