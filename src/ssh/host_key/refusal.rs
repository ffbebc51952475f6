//! Why a host key is refused, in words: what, where, and what to type next.

use crate::model::host_key::Pin;
use crate::model::outcome::{Failure, Kind};
use crate::model::shell::quote_word;
use crate::ssh::certificate::Flaw;
use crate::ssh::host_key::judge::{HostKey, Judge, SSH_PORT};
use crate::ssh::known_hosts::{FileLine, KnownHostsError, RecordError, RecordedKey, fingerprint};

impl Judge {
    pub(super) fn how_to_trust(&self) -> String {
        format!(
            "compare the fingerprint with one from a trusted source, then: fan trust -H {}",
            quote_word(self.host.as_str())
        )
    }

    pub(super) fn unpinned(&self, key: &HostKey) -> Failure {
        let pins: Vec<String> = self.rules.pins.iter().map(short).collect();
        Failure::new(
            Kind::HostKeyChanged,
            format!("HOST KEY CHANGED: the host shows {}; pinned: {}", key.describe(), pins.join(", ")),
        )
        .hint(
            "someone may be in the middle. If the pin is the fingerprint of a key of another type, \
             pin the whole key: host_key: ssh-rsa AAAA…",
        )
    }

    pub(super) fn changed(&self, key: &HostKey, recorded: &[RecordedKey]) -> Failure {
        let lines: Vec<String> = recorded
            .iter()
            .map(|known| format!("{} {} at {}", known.key_type, known.fingerprint, known.place))
            .collect();
        let message =
            format!("HOST KEY CHANGED: the host shows {}; recorded: {}", key.describe(), lines.join(", "));
        Failure::new(Kind::HostKeyChanged, message).hint(format!(
            "someone may be in the middle. If the host was reinstalled: {}; then fan trust -H {}",
            self.how_to_remove(recorded),
            quote_word(self.host.as_str())
        ))
    }

    /// The commands that remove what is recorded for the host.
    fn how_to_remove(&self, recorded: &[RecordedKey]) -> String {
        let name = match self.port {
            SSH_PORT => self.name.to_string(),
            port => format!("[{}]:{port}", self.name),
        };
        let mut commands: Vec<String> = Vec::new();
        for known in recorded {
            let file = known.place.file.display().to_string();
            let command = format!("ssh-keygen -R {} -f {}", quote_word(&name), quote_word(&file));
            if !commands.contains(&command) {
                commands.push(command);
            }
        }
        commands.join("; ")
    }
}

/// A pin as a message shows it: a key by its fingerprint.
fn short(pin: &Pin) -> String {
    match pin {
        Pin::Fingerprint(text) => text.to_string(),
        Pin::Key { key_type, blob } => format!("{key_type} {}", fingerprint(blob)),
    }
}

pub(super) fn revoked(shown: &str, place: &FileLine) -> Failure {
    Failure::new(Kind::HostKeyRevoked, format!("HOST KEY REVOKED: {shown} is revoked at {place}"))
        .hint("do not connect: the key was stolen or retired")
}

pub(super) fn unclear(error: &KnownHostsError) -> Failure {
    Failure::new(Kind::HostKeyStore, format!("cannot check the host's key: {error}")).hint(error.hint())
}

pub(super) fn uncertified(key: &HostKey, flaw: &Flaw) -> Failure {
    let message = format!("the certificate of the host's key {} proves nothing: {flaw}", key.describe());
    Failure::new(Kind::HostKeyUnknown, message).hint(flaw.hint())
}

pub(super) fn unreadable() -> Failure {
    Failure::new(Kind::Protocol, "the server presents something that is not a host key")
}

/// A key that could not be written down was not accepted either.
pub(super) fn unrecorded(error: &RecordError) -> Failure {
    let kind = if error.is_local_fault() { Kind::LocalIo } else { Kind::HostKeyStore };
    Failure::new(kind, format!("the host's new key could not be recorded: {error}")).hint(error.hint())
}
