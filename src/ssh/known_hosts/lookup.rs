//! The keys that are recorded in some files, and the judgement of a key that a host presents.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::ssh::known_hosts::flaw::LineFlaw;
use crate::ssh::known_hosts::hosts::HostField;
use crate::ssh::known_hosts::index::HostIndex;
use crate::ssh::known_hosts::key::{KeyId, Keys, fingerprint};
use crate::ssh::known_hosts::line::LineContent;
use crate::ssh::known_hosts::verdict::{FileLine, KnownHostsError, RecordedKey, Verdict};
use crate::ssh::known_hosts::{file, key, line};

/// The port whose hosts are recorded by name alone.
const SSH_PORT: u16 = 22;

/// Unusable lines that are reported one by one; the rest is only counted.
const WARNINGS_MAX: usize = 20;

/// The host keys recorded in some files. Shared between tasks behind an `Arc`.
#[derive(Debug, Default)]
pub struct KnownHosts {
    keys: Keys,
    /// Lines that record a key, by the entry that `recorded` gives.
    lines: Vec<RecordedLine>,
    recorded: HostIndex,
    /// The types of keys on hashed lines, each once.
    hashed_types: Vec<String>,
    /// How many of the lines have a hashed name.
    hashed_lines: usize,
    authorities: Vec<AuthorityLine>,
    revoked: HashMap<KeyId, Vec<Revocation>>,
    /// Lines that mean nothing, by the entry that `garbage` gives.
    broken: Vec<(FileLine, LineFlaw)>,
    garbage: HostIndex,
    faults: Vec<KnownHostsError>,
    files: Vec<Arc<Path>>,
    warnings: Vec<String>,
}

/// Compact, for there may be a million.
#[derive(Clone, Copy, Debug)]
struct RecordedLine {
    file: u32,
    line: u32,
    key: KeyId,
}

/// A `@cert-authority` line. There are few, so they are tried one by one.
#[derive(Debug)]
struct AuthorityLine {
    hosts: HostField,
    key: KeyId,
}

#[derive(Debug)]
struct Revocation {
    hosts: HostField,
    place: FileLine,
}

/// Collects warnings of lines.
#[derive(Default)]
pub(super) struct Flawed {
    warnings: Vec<String>,
    more: usize,
}

impl Flawed {
    fn add(&mut self, warning: fmt::Arguments<'_>) {
        if self.warnings.len() < WARNINGS_MAX {
            self.warnings.push(warning.to_string());
        } else {
            self.more += 1;
        }
    }
}

impl KnownHosts {
    /// Reads the files, all of which count. A file that does not exist is an empty one.
    ///
    /// Blocks on the disk. Never fails: whatever is wrong with a file becomes the verdict of every check.
    pub fn load(paths: &[PathBuf]) -> Self {
        let mut known = Self::default();
        let mut flawed = Flawed::default();
        for path in paths {
            let path: Arc<Path> = path.as_path().into();
            match file::read(&path) {
                Ok(contents) => {
                    known.warnings.extend(contents.warning);
                    known.add_lines(path, 1, &contents.bytes, &mut flawed);
                }
                Err(fault) => known.faults.push(fault),
            }
        }
        known.warnings.append(&mut flawed.warnings);
        if flawed.more > 0 {
            known.warnings.push(format!("{} more unusable lines in files of known hosts", flawed.more));
        }
        known
    }

    /// A file's content, read already.
    pub(super) fn from_bytes(path: &Arc<Path>, bytes: &[u8]) -> Self {
        let mut known = Self::default();
        known.add_lines(Arc::clone(path), 1, bytes, &mut Flawed::default());
        known
    }

    /// What is odd about the files but no reason to refuse every host, each with its place.
    ///
    /// Unusable lines are among them, whether or not they concern a host of the run; at most 20, and a count.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Types of the keys recorded for a host, the most wanted first, to be put in front of the others in
    /// `HostKeyAlgorithms`: a server with several keys then presents one that can be verified.
    ///
    /// An RSA key is called `ssh-rsa`, whatever the signature algorithm; types that we cannot verify are
    /// included. May be incomplete for hashed lines, and may be a guess when all hashed lines have one type:
    /// a hint, not a verdict.
    pub fn recorded_types(&self, host: &str, port: u16) -> Vec<String> {
        let names = lookup_names(host, port);
        let listed: Vec<Vec<u32>> = names.iter().map(|name| self.recorded.listed(name)).collect();
        // With one type on all hashed lines there is nothing to gain from trying the name on them.
        if self.hashed_types.len() == 1 && listed.iter().all(Vec::is_empty) {
            return self.hashed_types.clone();
        }
        for (name, mut entries) in names.iter().zip(listed) {
            if entries.is_empty() {
                entries = self.recorded.hashed.find_some(name);
            }
            if !entries.is_empty() {
                return self.types_of(&entries, &names);
            }
        }
        Vec::new()
    }

    /// Judges the key that a host presents, in the wire encoding of RFC 4253 section 6.6.
    ///
    /// `host` is the name or address as the user gave it, without brackets.
    pub fn check(&self, host: &str, port: u16, key_blob: &[u8]) -> Verdict {
        let names = lookup_names(host, port);
        let key = self.keys.find(key_blob);
        if let Some(place) = key.and_then(|key| self.revocation(&names, key)) {
            return Verdict::Revoked(place);
        }
        if let Some(fault) = self.faults.first() {
            return Verdict::Store(fault.clone());
        }
        // Equality with a recorded certificate proves nothing: what counts is who signed it.
        let certificate = key::type_name(key_blob).is_some_and(key::is_certificate);
        let key = key.filter(|_| !certificate);
        for (rank, name) in names.iter().enumerate() {
            if let Some((place, problem)) = self.broken_line(name) {
                return Verdict::Store(KnownHostsError::Line { place, problem });
            }
            if let Some(place) = key.and_then(|key| self.find(name, key)) {
                return Verdict::Trusted(place);
            }
            let recorded = self.recorded.all(name);
            // What the plain name has on port 22 may speak for this port, but not against it.
            if !recorded.is_empty() && rank == 0 {
                return Verdict::Changed { recorded: self.describe(&recorded) };
            }
        }
        Verdict::Unknown
    }

    /// The keys of the authorities that may certify this host, in the wire encoding.
    pub fn authorities(&self, host: &str, port: u16) -> Vec<&[u8]> {
        let names = lookup_names(host, port);
        let speaks = |line: &&AuthorityLine| names.iter().any(|name| line.hosts.names(name));
        self.authorities.iter().filter(speaks).map(|line| self.keys.blob(line.key)).collect()
    }

    /// The line that revokes this key for the host, if there is one.
    pub fn revoked(&self, host: &str, port: u16, key_blob: &[u8]) -> Option<FileLine> {
        self.revocation(&lookup_names(host, port), self.keys.find(key_blob)?)
    }

    /// Whether any line revokes a key for the host, whichever key it is.
    pub fn has_revocations(&self, host: &str, port: u16) -> bool {
        let names = lookup_names(host, port);
        let concerned = |line: &Revocation| names.iter().any(|name| line.hosts.concerns(name));
        self.revoked.values().flatten().any(concerned)
    }

    /// Whether names are only ever hashed here (`HashKnownHosts`, `ssh-keygen -H`), so that one in plain text
    /// would give away what its author hides.
    pub(super) fn hides_names(&self) -> bool {
        self.hashed_lines > 0 && self.hashed_lines == self.lines.len()
    }

    /// Adds lines of a file, the first of which has this number.
    pub(super) fn add_lines(&mut self, path: Arc<Path>, first: usize, bytes: &[u8], flawed: &mut Flawed) {
        let file = index_of(self.files.len());
        for (number, raw) in bytes.split(|byte| *byte == b'\n').enumerate() {
            let Some(parsed) = line::parse(raw) else { continue };
            let line = index_of(number + first);
            let place = || FileLine { file: Arc::clone(&path), line };
            match parsed.content {
                LineContent::Key(blob) => {
                    let key = self.keys.intern(&blob);
                    if matches!(parsed.hosts, HostField::Hashed(_)) {
                        self.hashed_lines += 1;
                        self.note_hashed_type(key);
                    }
                    self.recorded.insert(parsed.hosts, Some(key), index_of(self.lines.len()));
                    self.lines.push(RecordedLine { file, line, key });
                }
                LineContent::Revoked { blob, flaw } => {
                    if let Some(flaw) = flaw {
                        flawed.add(format_args!(
                            "{}: {flaw}; the key counts as revoked for every host it may match",
                            place()
                        ));
                    }
                    let key = self.keys.intern(&blob);
                    let revocation = Revocation { hosts: parsed.hosts, place: place() };
                    self.revoked.entry(key).or_default().push(revocation);
                }
                LineContent::Authority(blob) => {
                    let key = self.keys.intern(&blob);
                    self.authorities.push(AuthorityLine { hosts: parsed.hosts, key });
                }
                LineContent::Garbage(problem) => {
                    flawed.add(format_args!("{}: unusable line: {problem}", place()));
                    self.garbage.insert(parsed.hosts, None, index_of(self.broken.len()));
                    self.broken.push((place(), problem));
                }
            }
        }
        self.files.push(path);
    }

    fn note_hashed_type(&mut self, key: KeyId) {
        let name = self.keys.type_of(key);
        if !self.hashed_types.iter().any(|noted| noted == name) {
            self.hashed_types.push(name.to_owned());
        }
    }

    /// A line that revokes the key for one of the names: a stolen key is stolen on every port.
    fn revocation(&self, names: &[Vec<u8>], key: KeyId) -> Option<FileLine> {
        let revocations = self.revoked.get(&key)?;
        revocations
            .iter()
            .find(|revocation| names.iter().any(|name| revocation.hosts.concerns(name)))
            .map(|revocation| revocation.place.clone())
    }

    fn broken_line(&self, name: &[u8]) -> Option<(FileLine, LineFlaw)> {
        let entry = *self.garbage.all(name).first()?;
        self.broken.get(entry as usize).cloned()
    }

    /// A line that records this key for the name.
    fn find(&self, name: &[u8], key: KeyId) -> Option<FileLine> {
        let listed = self.recorded.listed(name);
        let mut lines = listed.iter().filter_map(|entry| self.line(*entry));
        let line = lines.find(|line| line.key == key);
        let hashed = || self.recorded.hashed.find_with_key(name, key).and_then(|entry| self.line(entry));
        line.or_else(hashed).map(|line| self.place(line))
    }

    /// The types of these lines' keys. A key that is revoked would only be refused, so it is not asked for.
    fn types_of(&self, entries: &[u32], names: &[Vec<u8>]) -> Vec<String> {
        let lines = entries.iter().filter_map(|entry| self.line(*entry));
        let lines = lines.filter(|line| self.revocation(names, line.key).is_none());
        let mut types: Vec<&str> = lines.map(|line| self.keys.type_of(line.key)).collect();
        types.sort_unstable_by_key(|name| (key::preference(name), *name));
        types.dedup();
        types.into_iter().map(str::to_owned).collect()
    }

    fn describe(&self, entries: &[u32]) -> Vec<RecordedKey> {
        let lines = entries.iter().filter_map(|entry| self.line(*entry));
        lines
            .map(|line| RecordedKey {
                place: self.place(line),
                key_type: self.keys.type_of(line.key).to_owned(),
                fingerprint: fingerprint(self.keys.blob(line.key)),
            })
            .collect()
    }

    fn line(&self, entry: u32) -> Option<RecordedLine> {
        self.lines.get(entry as usize).copied()
    }

    fn place(&self, line: RecordedLine) -> FileLine {
        let file = self.files.get(line.file as usize).expect("the file is pushed with its lines");
        FileLine { file: Arc::clone(file), line: line.line }
    }
}

/// The names that a host is looked up under, the decisive one first.
///
/// OpenSSH records hosts on other ports as `[host]:port`, and falls back to the plain name when there is nothing
/// under that (`check_host_key` in sshconnect.c).
pub(super) fn lookup_names(host: &str, port: u16) -> Vec<Vec<u8>> {
    let host = host.to_ascii_lowercase();
    if port == SSH_PORT {
        vec![host.into_bytes()]
    } else {
        vec![format!("[{host}]:{port}").into_bytes(), host.into_bytes()]
    }
}

pub(super) fn index_of(count: usize) -> u32 {
    u32::try_from(count).expect("files of bounded size have fewer lines than this")
}

#[cfg(test)]
mod tests;
