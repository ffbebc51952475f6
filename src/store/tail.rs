//! A run that goes on, read as it is written: each whole line once, in order.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;

use crate::event::Event;
use crate::event::line::LINE_MAX;
use crate::store::error::StoreError;
use crate::store::files;
use crate::store::lock::is_locked;
use crate::store::opened::{file, lockable};
use crate::store::record::Stored;

/// Bytes that are read at a time.
const CHUNK: u64 = 1024 * 1024;

/// The facts of a run, from its first one on.
#[derive(Debug)]
pub struct RunTail {
    folder: OwnedFd,
    events: File,
    /// The beginning of a line whose end is not written yet.
    rest: Vec<u8>,
}

impl Stored {
    /// Reads it as it is written.
    ///
    /// # Errors
    ///
    /// Its files cannot be read.
    pub fn tail(&self) -> Result<RunTail, StoreError> {
        let failed = |source| StoreError::File { run: self.recipe.run.clone(), name: files::EVENTS, source };
        let folder = self.folder().try_clone().map_err(failed)?;
        let events =
            file(&folder, files::EVENTS).and_then(|found| found.ok_or(io::ErrorKind::NotFound.into()));
        Ok(RunTail { events: events.map_err(failed)?, folder, rest: Vec::new() })
    }
}

impl RunTail {
    /// What was written since, a part of it at a time; nothing when there is no more for now. Lines that are no events are
    /// passed over, as in a run that is over.
    ///
    /// # Errors
    ///
    /// The file cannot be read.
    pub fn more(&mut self) -> io::Result<Vec<Event>> {
        let end = loop {
            let before = self.rest.len();
            self.events.by_ref().take(CHUNK).read_to_end(&mut self.rest)?;
            let new = self.rest.get(before..).unwrap_or_default();
            match new.iter().rposition(|&byte| byte == b'\n') {
                Some(end) => break before + end,
                None if new.is_empty() => return Ok(Vec::new()),
                None if self.rest.len() >= LINE_MAX => return Err(io::ErrorKind::InvalidData.into()),
                None => {}
            }
        };
        let rest = self.rest.split_off(end + 1);
        let whole = std::mem::replace(&mut self.rest, rest);
        let lines = whole.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
        Ok(lines.filter_map(|line| serde_json::from_slice(line).ok()).collect())
    }

    /// Whether a process is still writing it.
    pub fn is_going_on(&self) -> bool {
        let file = lockable(&self.folder, files::EVENTS);
        matches!(file.map(|file| file.map(is_locked)), Ok(Some(Ok(true))))
    }
}
