//! Why there is no session, or no command in it, and whether trying again makes sense.

use crate::model::outcome::{Failure, Kind};

/// Why there is no session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectError {
    /// What happened.
    pub failure: Failure,
    /// Whether trying again by itself makes sense.
    pub retry: Retry,
}

impl ConnectError {
    /// An error that will not go away by itself.
    pub fn fatal(failure: Failure) -> Self {
        Self { failure, retry: Retry::Never }
    }

    /// An error that may pass.
    pub fn temporary(failure: Failure) -> Self {
        Self { failure, retry: Retry::Soon }
    }
}

/// Whether a failed connection attempt may be repeated. Nothing was started, so it is always safe; this says
/// whether it is of use and polite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// It would end the same way, or must not be repeated (authentication, host keys).
    Never,
    /// After a short, random pause.
    Soon,
    /// The server has too many unauthenticated connections (`MaxStartups`): more patience helps.
    Throttled,
    /// The server may be punishing this address (`PerSourcePenalties`, OpenSSH 9.8), for 15 s at least.
    Penalized,
}

/// Why a command was not started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecError {
    /// What happened.
    pub failure: Failure,
    /// The request had been sent and its fate is not known: the command may run.
    pub may_have_started: bool,
}

/// Verdicts that time does not change, and refused logins, which may lock an account.
pub fn is_verdict(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::HostKeyUnknown
            | Kind::HostKeyChanged
            | Kind::HostKeyRevoked
            | Kind::HostKeyStore
            | Kind::AuthFailed
            | Kind::AuthExhausted
            | Kind::KeyUnusable
    )
}
