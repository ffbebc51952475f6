//! Keys, files and short words for the tests of this floor.

use std::fs;
use std::path::{Path, PathBuf};

use data_encoding::BASE64;
use tempfile::TempDir;

use crate::ssh::known_hosts::lookup::KnownHosts;
use crate::ssh::known_hosts::verdict::Verdict;

/// Two ed25519 keys, an ECDSA and an RSA one: `type base64`.
pub(super) const ED: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIG5LFg5NlbEoeV5e0AXyWfh8LLDmjRbWaj6RiSWAC28P";
pub(super) const ED2: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINvN43mxQ3UFWluGlS/cilr+NKYeuYxyVOSXwoUMuxYw";
pub(super) const EC: &str = concat!(
    "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBLwN340sO0Tn/kF2vDu7l0yo9H0Y",
    "S3s4UMHNqcebcHUbDP4xK33kIhNhrhbJ9OUj9chskcz8JTW0NWdXda8QlEs="
);
pub(super) const RSA: &str = concat!(
    "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQCnprElBvBNEJylj9EsE3ZUE9Xf8kIHBoS7aQTrnjO+wLAC1WstlVTzOpwkeNs4",
    "xwKQcOCvv71zvzme3/grBi5TtMBxKMB0GR8iDx+bN8VDRHvWVW1rAr9f+XZKLX+AKq6DSxR/U30CmcscUEZjGcMuXcqZVOoFAd8D",
    "fm4WzZvKQQ=="
);

/// The base64 of a key.
pub(super) fn encoded(key: &str) -> &str {
    key.split_once(' ').expect("a type and a key").1
}

/// A key on the wire.
pub(super) fn blob(key: &str) -> Vec<u8> {
    BASE64.decode(encoded(key).as_bytes()).expect("fixed keys are base64")
}

/// The wire encoding of strings.
pub(super) fn wire(strings: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for string in strings {
        bytes.extend(u32::try_from(string.len()).expect("short").to_be_bytes());
        bytes.extend_from_slice(string);
    }
    bytes
}

/// An ed25519 key of its own for every number, as `type base64`.
pub(super) fn numbered_key(number: u32) -> String {
    let mut key = [0; 32];
    key[..4].copy_from_slice(&number.to_be_bytes());
    format!("ssh-ed25519 {}", BASE64.encode(&wire(&[b"ssh-ed25519", &key])))
}

/// A file of known hosts in a directory of its own.
pub(super) struct Store {
    directory: TempDir,
}

impl Store {
    pub(super) fn new() -> Self {
        Self { directory: TempDir::new().expect("a temporary directory") }
    }

    /// Where a file of this name is or would be.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file.
    pub(super) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).expect("the file is written");
        path
    }

    /// Writes one file and loads it.
    pub(super) fn load(&self, bytes: impl AsRef<[u8]>) -> KnownHosts {
        KnownHosts::load(&[self.write("known_hosts", bytes)])
    }
}

/// Loads the text of one file.
pub(super) fn load(bytes: impl AsRef<[u8]>) -> KnownHosts {
    Store::new().load(bytes)
}

/// A verdict in a word: `trusted:3`, `changed:1,2`, `revoked:1`, `unknown`, `store`, `store:4`; lines of the
/// first file are bare, those of others bear their name.
pub(super) fn word(verdict: &Verdict) -> String {
    use crate::ssh::known_hosts::verdict::{FileLine, KnownHostsError};
    fn line(place: &FileLine) -> String {
        let name = place.file.file_name().map(Path::new).expect("files have names");
        if name == Path::new("known_hosts") {
            place.line.to_string()
        } else {
            format!("{}:{}", name.display(), place.line)
        }
    }
    match verdict {
        Verdict::Trusted(place) => format!("trusted:{}", line(place)),
        Verdict::Unknown => "unknown".to_owned(),
        Verdict::Changed { recorded } => {
            let lines: Vec<String> = recorded.iter().map(|key| line(&key.place)).collect();
            format!("changed:{}", lines.join(","))
        }
        Verdict::Revoked(place) => format!("revoked:{}", line(place)),
        Verdict::Store(KnownHostsError::Line { place, .. }) => format!("store:{}", line(place)),
        Verdict::Store(
            KnownHostsError::Unreadable { .. }
            | KnownHostsError::NotAFile { .. }
            | KnownHostsError::TooLarge { .. }
            | KnownHostsError::Revocation { .. }
            | KnownHostsError::BinaryRevocations { .. },
        ) => "store".to_owned(),
    }
}
