//! How long the phases of a connection may take, and what is said when one took longer.

use std::future::Future;
use std::time::Duration;

use crate::model::endpoint::Whole;
use crate::model::outcome::{Failure, Kind};
use crate::ssh::error::ConnectError;

/// How long a phase may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct PhaseLimit {
    /// From its beginning.
    pub(super) left: Duration,
    /// What the user knows of it.
    pub(super) said: Duration,
}

impl PhaseLimit {
    /// That of a phase, within what is left of a bound that reaches over it and others.
    pub(super) fn of(phase: Duration, bound: Option<Duration>, used: Duration) -> Self {
        let own = Self { left: phase, said: phase };
        let Some(bound) = bound else { return own };
        let left = bound.saturating_sub(used);
        if left < phase { Self { left, said: bound } } else { own }
    }
}

pub(super) fn bound_before_login(whole: Whole) -> Option<Duration> {
    match whole {
        Whole::Unset => None,
        Whole::UpToLogin(limit) | Whole::UpToReady(limit) => Some(limit),
    }
}

pub(super) fn bound_with_login(whole: Whole) -> Option<Duration> {
    match whole {
        Whole::Unset | Whole::UpToLogin(_) => None,
        Whole::UpToReady(limit) => Some(limit),
    }
}

/// Runs a phase within its deadline.
pub(super) async fn within<T>(
    deadline: Duration,
    phase: impl Future<Output = Result<T, ConnectError>>,
    expired: impl FnOnce() -> ConnectError,
) -> Result<T, ConnectError> {
    tokio::time::timeout(deadline, phase).await.unwrap_or_else(|_| Err(expired()))
}

pub(super) fn connect_timeout(deadline: Duration) -> ConnectError {
    ConnectError::temporary(
        Failure::new(Kind::ConnectTimeout, format!("connect timed out after {:.1}s", deadline.as_secs_f64()))
            .hint("is the host up, and does a firewall drop the packets? -t sets the deadline"),
    )
}

/// The error of a handshake that did not end.
pub(super) fn handshake_timeout(deadline: Duration) -> ConnectError {
    ConnectError::fatal(
        Failure::new(Kind::Banner, format!("no complete SSH handshake within {} s", deadline.as_secs_f64()))
            .hint("something accepts connections there and does not (or no longer) speak SSH, or is slow: -t sets the deadline"),
    )
}
