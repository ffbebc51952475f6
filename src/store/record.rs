//! What was kept of runs, read back: the list of them, and one with all its facts. A line that was cut off by a crash is
//! passed over, and a run without an end is told as such.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::fd::OwnedFd;

use serde::de::DeserializeOwned;

use crate::event::ledger::Kept;
use crate::event::line::LINE_MAX;
use crate::event::{Event, Fact, RunFact, SCHEMA_VERSION, beyond};
use crate::model::value::Value;
use crate::store::error::StoreError;
use crate::store::files;
use crate::store::folder::Runs;
use crate::store::opened::file;
use crate::store::recipe::{Recipe, RunEnded, Way};

/// Bytes of the files that hold one object.
const OBJECT_MAX: u64 = 16 * 1024 * 1024;

/// How far a run has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunState {
    /// A process is at it.
    Running(RunEnded),
    /// It came to its end.
    Ended(RunEnded),
    /// It has no end: fan was killed, or the journal could not be written any more.
    CutOff(RunEnded),
}

impl RunState {
    /// What is known of the hosts.
    pub fn ended(&self) -> &RunEnded {
        match self {
            Self::Running(ended) | Self::Ended(ended) | Self::CutOff(ended) => ended,
        }
    }
}

/// A run in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordEntry {
    /// What it was started with.
    pub recipe: Recipe,
    /// How far it has come.
    pub state: RunState,
}

/// A run that can be read.
#[derive(Debug)]
pub struct Stored {
    /// What it was started with.
    pub recipe: Recipe,
    /// How far it had come when it was opened.
    pub state: RunState,
    folder: OwnedFd,
}

impl Runs {
    /// A run of the list; none when it is not a whole one, or goes just now.
    pub fn entry(&self, run: &str) -> Option<RecordEntry> {
        let Stored { recipe, state, folder: _ } = self.read(run).ok()?;
        Some(RecordEntry { recipe, state })
    }

    /// Opens a run.
    ///
    /// # Errors
    ///
    /// Its files cannot be read.
    pub fn read(&self, run: &str) -> Result<Stored, StoreError> {
        let failed = |name| {
            let run = run.to_owned();
            move |source: io::Error| StoreError::File { run, name, source }
        };
        let folder = self.folder_of(run).map_err(|_| StoreError::Missing { name: run.to_owned() })?;
        let recipe: Recipe = object(&folder, files::RECIPE)
            .and_then(|found| found.ok_or_else(|| io::ErrorKind::NotFound.into()))
            .map_err(failed(files::RECIPE))?;
        let ended: Option<RunEnded> = object(&folder, files::ENDED).map_err(failed(files::ENDED))?;
        let state = match ended {
            Some(ended) => RunState::Ended(ended),
            None => {
                let running = self.is_locked(run);
                let known = so_far(&folder).map_err(failed(files::EVENTS))?;
                if running { RunState::Running(known) } else { RunState::CutOff(known) }
            }
        };
        Ok(Stored { recipe, state, folder })
    }
}

impl Stored {
    pub(super) fn folder(&self) -> &OwnedFd {
        &self.folder
    }

    /// Its facts, in order.
    ///
    /// # Errors
    ///
    /// The file cannot be read.
    pub fn events(&self) -> Result<impl Iterator<Item = Event> + use<>, StoreError> {
        self.lines(files::EVENTS)
    }

    /// The variables that its steps defined, in order.
    ///
    /// # Errors
    ///
    /// The file cannot be read.
    pub fn kept(&self) -> Result<impl Iterator<Item = Kept> + use<>, StoreError> {
        self.lines(files::VALUES)
    }

    /// Makes sure that this version of fan knows the form in which it was recorded: it can be shown then.
    ///
    /// # Errors
    ///
    /// A later version recorded it, in another form.
    pub fn check_version(&self) -> Result<(), StoreError> {
        match self.events()?.next().map(|event| event.fact) {
            Some(Fact::Run(RunFact::Started { schema, .. })) if schema > SCHEMA_VERSION => {
                Err(self.later(files::EVENTS, 0))
            }
            _ => Ok(()),
        }
    }

    /// Makes sure that this version of fan can take it up in this way. Of what it does not understand, something may say that
    /// a step has run; so nothing is passed over here. To go on in the middle, nothing may be missing either; but for a last
    /// line that was cut off.
    ///
    /// # Errors
    ///
    /// A later version wrote some of it, it could not be written to its end, or a line is none that fan writes.
    pub fn verify(&self, way: Way) -> Result<(), StoreError> {
        self.check_version()?;
        let run = || self.recipe.run.clone();
        let failed = |name| move |source| StoreError::File { run: run(), name, source };
        let recipe: Option<Value> = object(&self.folder, files::RECIPE).map_err(failed(files::RECIPE))?;
        let known = serde_json::to_value(&self.recipe).expect("it was read from JSON");
        if recipe.is_some_and(|recipe| beyond(&recipe, &known).is_some()) {
            return Err(self.later(files::RECIPE, 0));
        }
        let whole = way == Way::Resume;
        if whole && file(&self.folder, files::GAP).map_err(failed(files::GAP))?.is_some() {
            return Err(StoreError::Gap { run: run() });
        }
        let event = |line: &[u8]| serde_json::from_slice(line).map(|event: Event| event.is_understood());
        let kept = |line: &[u8]| match serde_json::from_slice::<Kept>(line) {
            Ok(_) => Ok(true),
            Err(error) => serde_json::from_slice::<Value>(line).map(|_| false).map_err(|_| error),
        };
        self.verify_lines(files::EVENTS, whole, event)?;
        self.verify_lines(files::VALUES, whole, kept)
    }

    /// Makes sure that all lines of a file are understood.
    fn verify_lines(
        &self,
        name: &'static str,
        whole: bool,
        is_understood: impl Fn(&[u8]) -> serde_json::Result<bool>,
    ) -> Result<(), StoreError> {
        for (at, line) in self.raw(name)?.enumerate() {
            match is_understood(&line) {
                Ok(true) => {}
                Ok(false) => return Err(self.later(name, at)),
                Err(_) if !whole => {}
                Err(_) => {
                    return Err(StoreError::Damaged { run: self.recipe.run.clone(), name, line: at + 1 });
                }
            }
        }
        Ok(())
    }

    fn later(&self, name: &'static str, at: usize) -> StoreError {
        StoreError::Later { run: self.recipe.run.clone(), fan: self.recipe.fan.clone(), name, line: at + 1 }
    }

    fn lines<T: DeserializeOwned>(
        &self,
        name: &'static str,
    ) -> Result<impl Iterator<Item = T> + use<T>, StoreError> {
        Ok(self.raw(name)?.filter_map(|line| serde_json::from_slice(&line).ok()))
    }

    fn raw(&self, name: &'static str) -> Result<impl Iterator<Item = Vec<u8>> + use<>, StoreError> {
        let found = file(&self.folder, name);
        let failed = |source| StoreError::File { run: self.recipe.run.clone(), name, source };
        Ok(found.map_err(failed)?.into_iter().flat_map(StoredLines::new))
    }
}

/// The whole lines of a file. What comes after the last line end was cut off, and is not told.
struct StoredLines(BufReader<File>);

impl StoredLines {
    fn new(file: File) -> Self {
        Self(BufReader::with_capacity(256 * 1024, file))
    }
}

impl Iterator for StoredLines {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let mut line = Vec::new();
        let limit = u64::try_from(LINE_MAX).unwrap_or(u64::MAX);
        // What cannot be read is as good as cut off.
        self.0.by_ref().take(limit).read_until(b'\n', &mut line).ok()?;
        (line.pop()? == b'\n').then_some(line)
    }
}

/// The object that a file of a run holds; none when it does not exist, or was cut off.
pub(super) fn object<T: DeserializeOwned>(folder: &OwnedFd, name: &str) -> io::Result<Option<T>> {
    let Some(file) = file(folder, name)? else { return Ok(None) };
    let mut text = Vec::new();
    file.take(OBJECT_MAX).read_to_end(&mut text)?;
    // One that was cut off is as good as none.
    Ok(serde_json::from_slice(&text).ok())
}

/// What the facts of a run without an end tell.
fn so_far(folder: &OwnedFd) -> io::Result<RunEnded> {
    let mut known = RunEnded::default();
    let Some(file) = file(folder, files::EVENTS)? else { return Ok(known) };
    for line in StoredLines::new(file) {
        // Most of a journal is output, which tells nothing here; the kind stands near the beginning.
        if line.get(..64).unwrap_or(&line).windows(OUTPUT.len()).any(|part| part == OUTPUT) {
            continue;
        }
        let Ok(event) = serde_json::from_slice::<Event>(&line) else { continue };
        if matches!(event.fact, Fact::Record(_) | Fact::Unknown(_)) {
            continue;
        }
        known.elapsed_ms = u64::try_from(event.at.as_millis()).unwrap_or(u64::MAX);
        if let Fact::Run(RunFact::Started { hosts, .. }) = &event.fact {
            known.hosts = hosts.len();
        } else if let Fact::HostFinished { outcome, .. } = &event.fact {
            *known.counts.entry(outcome.status.as_str().to_owned()).or_default() += 1;
        }
    }
    Ok(known)
}

const OUTPUT: &[u8] = br#""event":"output""#;
