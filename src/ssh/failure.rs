//! russh's errors in fan's words: one kind each, and whether trying again makes sense.

use std::borrow::Cow;

use russh::{AlgorithmKind, ChannelOpenFailure, Disconnect};

use crate::model::outcome::{Failure, Kind};
use crate::model::text;
use crate::ssh::error::{ConnectError, Retry};

/// Bytes of a server's last words that are told.
const LONGEST_WORDS: usize = 400;

/// What ended a handshake.
pub(super) fn handshake(error: &russh::Error) -> ConnectError {
    match error {
        russh::Error::NoCommonAlgo { kind, ours, theirs } => {
            ConnectError::fatal(incompatible(kind, ours, theirs))
        }
        russh::Error::IO(_) | russh::Error::Disconnect | russh::Error::HUP => ConnectError::temporary(
            Failure::new(Kind::ConnectReset, "the connection broke during the key exchange"),
        ),
        russh::Error::Version => {
            ConnectError::fatal(Failure::new(Kind::Banner, "the server did not send an SSH banner"))
        }
        russh::Error::KexInit | russh::Error::Kex | russh::Error::UnknownAlgo => {
            let message = format!("the key exchange failed: {}", violation(error).unwrap_or_default());
            ConnectError::fatal(Failure::new(Kind::Kex, message))
        }
        other => {
            let what = violation(other).map_or_else(|| other.to_string(), Cow::into_owned);
            let message = format!("the server broke the SSH protocol: {what}");
            ConnectError::fatal(Failure::new(Kind::Protocol, message))
        }
    }
}

/// Each side's algorithms, where none is on both.
fn incompatible(kind: &AlgorithmKind, ours: &[String], theirs: &[String]) -> Failure {
    let (word, keyword) = match kind {
        AlgorithmKind::Kex => ("key exchange", "KexAlgorithms"),
        AlgorithmKind::Key => ("host key", "HostKeyAlgorithms"),
        AlgorithmKind::Cipher => ("cipher", "Ciphers"),
        AlgorithmKind::Compression => ("compression", "Compression"),
        AlgorithmKind::Mac => ("MAC", "MACs"),
    };
    let message =
        format!("no common {word} algorithm: fan has {}; the server has {}", list(ours), list(theirs));
    let hint = format!("let the server offer one of fan's as well: `{keyword}` in its sshd_config");
    Failure::new(Kind::Kex, message).hint(hint)
}

/// What the other side did that SSH does not allow, in words: russh's own are for those who write such programs. None
/// when the protocol was kept.
fn violation(error: &russh::Error) -> Option<Cow<'static, str>> {
    Some(Cow::Borrowed(match error {
        russh::Error::PacketAuth | russh::Error::DecryptionError => "a packet arrived damaged",
        russh::Error::PacketSize(size) => {
            return Some(Cow::Owned(format!("a packet claims to have {size} bytes")));
        }
        russh::Error::Inconsistent | russh::Error::NotAuthenticated => "a message came out of turn",
        russh::Error::StrictKeyExchangeViolation { .. } => "a message came in the middle of the key exchange",
        russh::Error::KexInit | russh::Error::Kex => "the keys could not be agreed on",
        russh::Error::UnknownAlgo | russh::Error::UnsupportedAuthMethod => {
            "it uses an algorithm that was not agreed on"
        }
        russh::Error::WrongServerSig | russh::Error::Signature(_) => "its signature is wrong",
        russh::Error::WrongChannel => "a message is about a channel that is not open",
        russh::Error::SshEncoding(_)
        | russh::Error::SshKey(_)
        | russh::Error::Keys(_)
        | russh::Error::Utf8(_)
        | russh::Error::IndexOutOfBounds => "a message cannot be read",
        _ => return None,
    }))
}

/// An error's text as a fragment, without its number.
pub(super) fn fragment(error: &std::io::Error) -> String {
    let text = error.to_string().to_lowercase();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

/// Whether an error is no more than the other side's end of the stream.
pub(super) fn is_close(error: &russh::Error) -> bool {
    match error {
        russh::Error::Disconnect | russh::Error::HUP => true,
        russh::Error::IO(error) => error.kind() == std::io::ErrorKind::UnexpectedEof,
        _ => false,
    }
}

/// What ended an authenticated connection.
pub(super) fn lost(error: &russh::Error) -> Failure {
    match error {
        russh::Error::KeepaliveTimeout => {
            Failure::new(Kind::Keepalive, "the host stopped answering keepalive requests")
        }
        russh::Error::NoCommonAlgo { kind, ours, theirs } => {
            Failure { kind: Kind::Protocol, ..incompatible(kind, ours, theirs) }
        }
        closed if is_close(closed) => Failure::new(
            Kind::ConnectionLost,
            "the connection was lost: the other side closed it without a reason",
        ),
        other => {
            if let Some(what) = violation(other) {
                return Failure::new(Kind::Protocol, format!("the server broke the SSH protocol: {what}"));
            }
            let why = other.to_string();
            // The system's number of an error says nothing that its words do not.
            let why = why.split(" (os error").next().unwrap_or_default();
            Failure::new(Kind::ConnectionLost, format!("the connection was lost: {why}"))
        }
    }
}

/// What the server said when it closed the connection (RFC 4253 section 11.1).
pub(super) fn disconnected(code: &Disconnect, message: &str) -> Failure {
    let said = text::beginning(message.as_bytes(), LONGEST_WORDS);
    let reason = if message.is_empty() { reason(code) } else { &said };
    Failure::new(Kind::ConnectionLost, format!("the server closed the connection: {reason}"))
}

/// The reasons of RFC 4253 section 11.1, in words.
fn reason(code: &Disconnect) -> &'static str {
    match code {
        Disconnect::HostNotAllowedToConnect => "this machine is not allowed to connect",
        Disconnect::ProtocolError => "protocol error",
        Disconnect::KeyExchangeFailed => "key exchange failed",
        Disconnect::Reserved => "no reason given",
        Disconnect::MACError => "a packet was damaged",
        Disconnect::CompressionError => "compression error",
        Disconnect::ServiceNotAvailable => "service not available",
        Disconnect::ProtocolVersionNotSupported => "protocol version not supported",
        Disconnect::HostKeyNotVerifiable => "host key not verifiable",
        Disconnect::ConnectionLost => "connection lost",
        Disconnect::ByApplication => "closed by the server",
        Disconnect::TooManyConnections => "too many connections",
        Disconnect::AuthCancelledByUser => "the login was cancelled",
        Disconnect::NoMoreAuthMethodsAvailable => "no further login methods",
        Disconnect::IllegalUserName => "no such login name",
    }
}

/// What it means for a login that the server closed the connection in it, where it said why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Farewell {
    /// It does not let us in.
    Refusal,
    /// It has too many connections.
    Crowded,
    /// It does not take what we sent, or the other way round.
    Protocol,
    /// Nothing that concerns the login.
    Other,
}

impl Farewell {
    pub(super) fn of(code: &Disconnect) -> Self {
        match code {
            Disconnect::HostNotAllowedToConnect
            | Disconnect::AuthCancelledByUser
            | Disconnect::NoMoreAuthMethodsAvailable
            | Disconnect::IllegalUserName => Self::Refusal,
            Disconnect::TooManyConnections => Self::Crowded,
            Disconnect::ProtocolError
            | Disconnect::KeyExchangeFailed
            | Disconnect::MACError
            | Disconnect::CompressionError
            | Disconnect::ProtocolVersionNotSupported => Self::Protocol,
            Disconnect::Reserved
            | Disconnect::ServiceNotAvailable
            | Disconnect::HostKeyNotVerifiable
            | Disconnect::ConnectionLost
            | Disconnect::ByApplication => Self::Other,
        }
    }

    /// The kind of a login that ended so, where it is another one than that of a broken connection.
    pub(super) fn verdict(self) -> Option<(Kind, Retry)> {
        match self {
            Self::Refusal => Some((Kind::AuthFailed, Retry::Never)),
            Self::Crowded => Some((Kind::Throttled, Retry::Throttled)),
            Self::Protocol => Some((Kind::Protocol, Retry::Never)),
            Self::Other => None,
        }
    }
}

/// Why a channel was refused, in words (RFC 4254 section 5.1).
pub(super) fn why_refused(reason: &ChannelOpenFailure) -> String {
    match reason {
        ChannelOpenFailure::AdministrativelyProhibited => "administratively prohibited".to_owned(),
        ChannelOpenFailure::ConnectFailed => "connect failed".to_owned(),
        ChannelOpenFailure::UnknownChannelType => "it does not know this type of channel".to_owned(),
        ChannelOpenFailure::ResourceShortage => "resource shortage".to_owned(),
        ChannelOpenFailure::Other { code, reason: _ } => format!("reason {code}"),
    }
}

/// Why a session channel was refused.
pub(super) fn channel_refused(reason: &ChannelOpenFailure) -> Failure {
    let hint = match reason {
        ChannelOpenFailure::AdministrativelyProhibited => {
            "the server's policy forbids sessions for this user"
        }
        ChannelOpenFailure::ConnectFailed => "MaxSessions on the server may be reached",
        ChannelOpenFailure::UnknownChannelType => "the server offers no shell sessions",
        ChannelOpenFailure::ResourceShortage => "the server is out of resources",
        ChannelOpenFailure::Other { .. } => "see the server's log",
    };
    let message = format!("the server refused a session channel: {}", why_refused(reason));
    Failure::new(Kind::ChannelRefused, message).hint(hint)
}

/// Algorithms in a message: what is only a sign between the two sides is left out, and a list of any length is cut.
fn list(names: &[String]) -> String {
    const MOST: usize = 20;
    let real = |name: &&String| !name.starts_with("ext-info-") && !name.starts_with("kex-strict-");
    let mut shown: Vec<String> =
        names.iter().filter(real).take(MOST + 1).map(|name| name.chars().take(64).collect()).collect();
    if shown.len() > MOST {
        shown.truncate(MOST);
        shown.push("and more".to_owned());
    }
    if shown.is_empty() { "none".to_owned() } else { shown.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything that other sides bring russh to say, after a login and before it.
    #[test]
    fn no_word_of_a_library_reaches_people() {
        let unreadable = russh::Error::IndexOutOfBounds;
        let errors = [
            unreadable,
            russh::Error::PacketAuth,
            russh::Error::DecryptionError,
            russh::Error::PacketSize(275_040),
            russh::Error::Inconsistent,
            russh::Error::KexInit,
            russh::Error::Kex,
            russh::Error::UnknownAlgo,
            russh::Error::WrongServerSig,
            russh::Error::WrongChannel,
            russh::Error::StrictKeyExchangeViolation { message_type: 2, sequence_number: 3 },
            russh::Error::NoCommonAlgo {
                kind: AlgorithmKind::Cipher,
                ours: vec!["aes256-gcm@openssh.com".to_owned()],
                theirs: vec!["arcfour".to_owned()],
            },
        ];
        let told: Vec<String> = errors
            .iter()
            .flat_map(|error| [lost(error), handshake(error).failure])
            .map(|failure| format!("{}: {}", failure.kind, failure.message()))
            .collect();
        insta::assert_snapshot!(told.join("\n"), @"
        protocol: the server broke the SSH protocol: a message cannot be read
        protocol: the server broke the SSH protocol: a message cannot be read
        protocol: the server broke the SSH protocol: a packet arrived damaged
        protocol: the server broke the SSH protocol: a packet arrived damaged
        protocol: the server broke the SSH protocol: a packet arrived damaged
        protocol: the server broke the SSH protocol: a packet arrived damaged
        protocol: the server broke the SSH protocol: a packet claims to have 275040 bytes
        protocol: the server broke the SSH protocol: a packet claims to have 275040 bytes
        protocol: the server broke the SSH protocol: a message came out of turn
        protocol: the server broke the SSH protocol: a message came out of turn
        protocol: the server broke the SSH protocol: the keys could not be agreed on
        kex: the key exchange failed: the keys could not be agreed on
        protocol: the server broke the SSH protocol: the keys could not be agreed on
        kex: the key exchange failed: the keys could not be agreed on
        protocol: the server broke the SSH protocol: it uses an algorithm that was not agreed on
        kex: the key exchange failed: it uses an algorithm that was not agreed on
        protocol: the server broke the SSH protocol: its signature is wrong
        protocol: the server broke the SSH protocol: its signature is wrong
        protocol: the server broke the SSH protocol: a message is about a channel that is not open
        protocol: the server broke the SSH protocol: a message is about a channel that is not open
        protocol: the server broke the SSH protocol: a message came in the middle of the key exchange
        protocol: the server broke the SSH protocol: a message came in the middle of the key exchange
        protocol: no common cipher algorithm: fan has aes256-gcm@openssh.com; the server has arcfour
        kex: no common cipher algorithm: fan has aes256-gcm@openssh.com; the server has arcfour
        ");
    }

    #[test]
    fn a_servers_last_words_are_told_up_to_a_length() {
        let failure = disconnected(&Disconnect::ByApplication, &"z".repeat(5000));
        assert!(
            failure.message().len() < 500 && failure.message().ends_with("zz\u{2026}"),
            "{}",
            failure.message()
        );
    }
}
