//! Writes new keys down: whole lines, once each, whatever other processes do to the file meanwhile.
//!
//! Owns what a line looks like and that nothing else can get into it. Before writing, the file is looked at
//! again under its lock: another process may have learnt the same key since, or a different one.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use data_encoding::BASE64;

use crate::ssh::known_hosts::hosts::hash_name;
use crate::ssh::known_hosts::key;
use crate::ssh::known_hosts::locked::{LockedFile, PATIENCE, Stamp};
use crate::ssh::known_hosts::lookup::{Flawed, KnownHosts, index_of, lookup_names};
use crate::ssh::known_hosts::record_error::RecordError;
use crate::ssh::known_hosts::verdict::{FileLine, Verdict};

/// A key that is to be trusted from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewKey {
    /// The name that it is looked up under: address or alias.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The key in the wire encoding.
    pub blob: Vec<u8>,
    /// What may be recorded for the host already.
    pub beside: Beside,
}

/// What may be recorded for a host that gets a new key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beside {
    /// Nothing: this is its first key.
    Nothing,
    /// Keys of other types: someone looked at them and this one together.
    OtherTypes,
}

/// What became of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyRecording {
    /// It was written, there.
    Added(FileLine),
    /// It stood there already.
    Already(FileLine),
    /// What the file says now forbids it; it was not written.
    Refused(Verdict),
}

/// Writes to files of host keys. One per process: it knows what it wrote and need not read that again.
#[derive(Debug, Default)]
pub struct Recorder {
    files: Mutex<HashMap<PathBuf, SeenFile>>,
}

/// What a file held when we last had its lock.
#[derive(Debug)]
struct SeenFile {
    stamp: Stamp,
    known: KnownHosts,
    /// Newlines in it.
    lines: usize,
    /// Its last line has no newline.
    open_end: bool,
}

impl Recorder {
    /// Adds keys to a file that is made if need be; says for each what became of it, in their order.
    ///
    /// All lines go to the file in one write, and to the disk before this returns. Blocks, up to seconds when
    /// others write to the same file.
    ///
    /// # Errors
    ///
    /// Nothing was written, or what was written cannot be relied on.
    pub fn record(&self, path: &Path, keys: &[NewKey]) -> Result<Vec<KeyRecording>, RecordError> {
        // Held all the time: the lock on the file is for other processes.
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let file: Arc<Path> = Arc::from(path);
        let locked = LockedFile::open(&file, PATIENCE)?;
        let mut seen = match files.remove(path) {
            Some(seen) if seen.stamp == locked.stamp()? => seen,
            Some(_) | None => SeenFile::read(&file, &locked)?,
        };
        let mut text = String::new();
        let mut recordings = Vec::with_capacity(keys.len());
        for key in keys {
            recordings.push(seen.add(&file, key, &mut text)?);
        }
        if !text.is_empty() {
            if seen.open_end {
                text.insert(0, '\n');
            }
            let now_there = locked.append(text.as_bytes())?;
            let whole = |line: &str| now_there.split(|byte| *byte == b'\n').any(|raw| raw == line.as_bytes());
            if !text.lines().all(whole) {
                return Err(RecordError::Lost { file });
            }
            seen.lines += usize::from(seen.open_end);
            seen.open_end = false;
            // Someone without a lock wrote as well: what is known of the file is not all of it.
            if now_there != text.as_bytes() {
                return Ok(recordings);
            }
            seen.stamp = locked.stamp()?;
        }
        files.insert(path.to_owned(), seen);
        Ok(recordings)
    }
}

impl SeenFile {
    fn read(file: &Arc<Path>, locked: &LockedFile) -> Result<Self, RecordError> {
        let stamp = locked.stamp()?;
        let bytes = locked.read_from(0)?;
        Ok(Self {
            stamp,
            known: KnownHosts::from_bytes(file, &bytes),
            lines: bytes.iter().filter(|byte| **byte == b'\n').count(),
            open_end: bytes.last().is_some_and(|last| *last != b'\n'),
        })
    }

    /// Decides about one key, and adds its line to the text and to what is known.
    fn add(
        &mut self,
        file: &Arc<Path>,
        key: &NewKey,
        text: &mut String,
    ) -> Result<KeyRecording, RecordError> {
        let key_type = usable_type(&key.blob)?;
        let name = recordable_name(key)?;
        match self.known.check(&key.host, key.port, &key.blob) {
            Verdict::Trusted(place) => return Ok(KeyRecording::Already(place)),
            Verdict::Unknown => {}
            Verdict::Changed { recorded }
                if key.beside == Beside::OtherTypes
                    && recorded.iter().all(|known| known.key_type != key_type) => {}
            verdict @ (Verdict::Changed { .. } | Verdict::Revoked(_) | Verdict::Store(_)) => {
                return Ok(KeyRecording::Refused(verdict));
            }
        }
        let name = if self.known.hides_names() { hash_name(&name, rand::random()) } else { name };
        let line = format!("{name} {key_type} {}\n", BASE64.encode(&key.blob));
        let number = self.lines + usize::from(self.open_end) + 1;
        self.known.add_lines(Arc::clone(file), number, line.as_bytes(), &mut Flawed::default());
        self.lines += 1;
        text.push_str(&line);
        Ok(KeyRecording::Added(FileLine { file: Arc::clone(file), line: index_of(number) }))
    }
}

/// The type of a key that will be usable when it is read again.
fn usable_type(blob: &[u8]) -> Result<&str, RecordError> {
    let bad = |problem: String| RecordError::Key { problem };
    let key_type = key::type_name(blob).ok_or_else(|| bad("it has no type".to_owned()))?;
    if key::is_certificate(key_type) {
        return Err(bad("it is a certificate".to_owned()));
    }
    key::inspect(key_type, blob).map_err(|problem| bad(problem.to_string()))?;
    Ok(key_type)
}

/// The first field of a line for the key: nothing in it may be a pattern, a list, a marker or a blank.
fn recordable_name(key: &NewKey) -> Result<String, RecordError> {
    let tame = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '-' | '_' | '%');
    if key.host.is_empty() || key.host.len() > 255 || !key.host.chars().all(tame) {
        return Err(RecordError::Name { name: key.host.clone() });
    }
    let names = lookup_names(&key.host, key.port);
    let first = names.first().and_then(|name| String::from_utf8(name.clone()).ok());
    Ok(first.expect("a tame name has a first form, in ASCII"))
}
