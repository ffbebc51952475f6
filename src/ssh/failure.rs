//! russh's errors in fan's words: one kind each, and whether trying again makes sense.

use russh::{ChannelOpenFailure, Disconnect};

use crate::model::outcome::{Failure, Kind};
use crate::ssh::ConnectError;

/// What ended a handshake.
pub(super) fn handshake(error: &russh::Error) -> ConnectError {
    match error {
        russh::Error::NoCommonAlgo { kind, ours, theirs } => ConnectError::fatal(
            Failure::new(
                Kind::Kex,
                format!(
                    "no common {} algorithm: fan offers {}; the server offers {}",
                    format!("{kind:?}").to_lowercase(),
                    ours.join(","),
                    theirs.join(","),
                ),
            )
            .hint("the server is too old or too strict; fan does not fall back to broken algorithms"),
        ),
        russh::Error::IO(_) | russh::Error::Disconnect | russh::Error::HUP => ConnectError::temporary(
            Failure::new(Kind::ConnectReset, "the connection broke during the key exchange"),
        ),
        russh::Error::Version => {
            ConnectError::fatal(Failure::new(Kind::Banner, "the server did not send an SSH banner"))
        }
        russh::Error::KexInit | russh::Error::Kex | russh::Error::UnknownAlgo => {
            ConnectError::fatal(Failure::new(Kind::Kex, format!("key exchange failed: {error}")))
        }
        other => ConnectError::fatal(Failure::new(
            Kind::Protocol,
            format!("the server broke the SSH protocol: {other}"),
        )),
    }
}

/// What ended an authenticated connection.
pub(super) fn lost(error: &russh::Error) -> Failure {
    match error {
        russh::Error::KeepaliveTimeout => {
            Failure::new(Kind::Keepalive, "the host stopped answering keepalive requests")
        }
        russh::Error::PacketAuth
        | russh::Error::DecryptionError
        | russh::Error::Inconsistent
        | russh::Error::PacketSize(_)
        | russh::Error::StrictKeyExchangeViolation { .. } => {
            Failure::new(Kind::Protocol, format!("the connection broke the SSH protocol: {error}"))
        }
        other => Failure::new(Kind::ConnectionLost, format!("the connection was lost: {other}")),
    }
}

/// What the server said when it closed the connection (RFC 4253 section 11.1).
pub(super) fn disconnected(code: Disconnect, message: &str) -> Failure {
    let reason = if message.is_empty() { format!("{code:?}") } else { message.to_owned() };
    Failure::new(Kind::ConnectionLost, format!("the server closed the connection: {reason}"))
}

/// Why a session channel was refused (RFC 4254 section 5.1).
pub(super) fn channel_refused(reason: ChannelOpenFailure) -> Failure {
    let (why, hint) = match &reason {
        ChannelOpenFailure::AdministrativelyProhibited => {
            ("administratively prohibited", "the server's policy forbids sessions for this user")
        }
        ChannelOpenFailure::ConnectFailed => ("connect failed", "MaxSessions on the server may be reached"),
        ChannelOpenFailure::UnknownChannelType => {
            ("unknown channel type", "the server offers no shell sessions")
        }
        ChannelOpenFailure::Other { reason, .. } => (reason.as_str(), "see the server's log"),
        ChannelOpenFailure::ResourceShortage => ("resource shortage", "the server is short of resources"),
    };
    Failure::new(Kind::ChannelRefused, format!("the server refused a session channel: {why}")).hint(hint)
}
