//! Files of revoked keys (`RevokedHostKeys`): one public key per line, good for no host.
//!
//! Fails closed, as OpenSSH does: with a file that is missing or cannot be read, no host is accepted. Stricter
//! than OpenSSH: a line that means nothing counts as that, too, for it may have been the revocation. OpenSSH's
//! binary revocation lists (KRL) are recognised and refused.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::ssh::known_hosts::file;
use crate::ssh::known_hosts::flaw::LineFlaw;
use crate::ssh::known_hosts::line::{self, LineContent};
use crate::ssh::known_hosts::lookup::index_of;
use crate::ssh::known_hosts::verdict::{FileLine, KnownHostsError};

/// How a binary revocation list begins (OpenSSH, PROTOCOL.krl).
const KRL: &[u8] = b"SSHKRL\n\0";

/// Keys that no host may have.
#[derive(Debug, Default)]
pub struct RevokedKeys {
    keys: HashMap<Vec<u8>, FileLine>,
    fault: Option<KnownHostsError>,
}

impl RevokedKeys {
    /// Reads the files. Never fails: whatever is wrong with one becomes the answer to every question.
    pub fn load(paths: &[PathBuf]) -> Self {
        let mut revoked = Self::default();
        for path in paths {
            let path: Arc<Path> = path.as_path().into();
            if let Err(fault) = revoked.add_file(&path) {
                revoked.fault.get_or_insert(fault);
            }
        }
        revoked
    }

    /// The line that revokes the key, if there is one.
    ///
    /// # Errors
    ///
    /// A file that cannot answer, unless another one revokes the key.
    pub fn find(&self, key_blob: &[u8]) -> Result<Option<FileLine>, KnownHostsError> {
        match (self.keys.get(key_blob), &self.fault) {
            (Some(place), _) => Ok(Some(place.clone())),
            (None, Some(fault)) => Err(fault.clone()),
            (None, None) => Ok(None),
        }
    }

    fn add_file(&mut self, path: &Arc<Path>) -> Result<(), KnownHostsError> {
        // The reader takes a missing file for an empty one, which is right for known keys only.
        if let Err(error) = std::fs::metadata(path) {
            return Err(KnownHostsError::Unreadable { file: Arc::clone(path), reason: error.to_string() });
        }
        let bytes = file::read(path)?.bytes;
        if bytes.starts_with(KRL) {
            return Err(KnownHostsError::BinaryRevocations { file: Arc::clone(path) });
        }
        for (number, raw) in bytes.split(|byte| *byte == b'\n').enumerate() {
            let place = FileLine { file: Arc::clone(path), line: index_of(number + 1) };
            // A line of this file is one of known_hosts without its host.
            let entry = [b"* ".as_slice(), raw].concat();
            if raw.iter().all(|byte| byte.is_ascii_whitespace()) || is_comment(raw) {
                continue;
            }
            match line::parse(&entry).map(|line| line.content) {
                Some(LineContent::Key(blob)) => {
                    self.keys.entry(blob).or_insert(place);
                }
                Some(LineContent::Garbage(problem)) => {
                    return Err(KnownHostsError::Revocation { place, problem });
                }
                Some(LineContent::Authority(_) | LineContent::Revoked { .. }) | None => {
                    return Err(KnownHostsError::Revocation { place, problem: LineFlaw::NoKey });
                }
            }
        }
        Ok(())
    }
}

fn is_comment(raw: &[u8]) -> bool {
    raw.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'#')
}
