//! The journal of a run: every fact is a line in a file before anything comes of it. Owns how much output is kept; refuses
//! to fail a run.
//!
//! A line is one `write`, together with those before it that could wait: when fan is killed, what was written stays, and at
//! most the last line is torn. When the power goes, what was written in the last second may be lost.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{fmt, io};

use bytes::Bytes;
use rustix::fs::AtFlags;

use crate::event::ledger::{Kept, Ledger, VALUES_MAX};
use crate::event::recap::{TAIL_BYTES, TAIL_LINES};
use crate::event::{ConnectionFact, Event, Fact, RunFact, StepAt, StepFact, Stream, line};
use crate::model::inventory::HostName;
use crate::store::error::StoreError;
use crate::store::files;
use crate::store::lock::Locked;
use crate::store::opened::{file, new_file};
use crate::store::recipe::{Recipe, RunEnded};
use crate::store::syncer::Syncer;

/// Bytes of output that are kept of one host; of what comes then, the last lines of each step.
pub const HOST_OUTPUT_MAX: u64 = 1024 * 1024;

/// Bytes of output that are kept of all hosts of a run.
pub const RUN_OUTPUT_MAX: u64 = 32 * 1024 * 1024;

/// Bytes of variables that are kept of a run.
const RUN_VALUES_MAX: usize = 64 * 1024 * 1024;

/// How often what waits is written, and what was written is brought to the disk.
const SYNCED_EVERY: Duration = Duration::from_secs(1);

/// How long the end of a run waits for the disk.
const SYNC_PATIENCE: Duration = Duration::from_millis(500);

/// A run that is being written down.
pub struct Journal {
    run: String,
    book: Arc<Mutex<Book>>,
    syncer: Syncer,
}

/// What is written, and how far it has come.
struct Book {
    folder: OwnedFd,
    events: Locked,
    values: Option<File>,
    values_written: usize,
    /// The first thing that went wrong; nothing is written after it.
    failed: Option<io::Error>,
    /// Lines that are not written yet.
    lines: Vec<u8>,
    output: u64,
    said: HashMap<HostName, JournalSaid>,
    ended: RunEnded,
}

/// What is known of a host's output.
#[derive(Default)]
struct JournalSaid {
    written: u64,
    /// No more is written.
    full: bool,
    /// The last of what was not written: for the recap.
    tail: Vec<(Stream, Bytes)>,
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal").field("run", &self.run).finish_non_exhaustive()
    }
}

impl Journal {
    /// Begins it in a folder of its own.
    pub(super) fn begin(folder: OwnedFd, recipe: &Recipe) -> Result<Self, StoreError> {
        let failed = |name: &'static str| {
            let run = recipe.run.clone();
            move |source: io::Error| StoreError::File { run, name, source }
        };
        // Locked before there is anything to be pruned.
        let events = new_file(&folder, files::EVENTS).map_err(failed(files::EVENTS))?;
        let events = Locked::wait(events).map_err(failed(files::EVENTS))?;
        // Whoever removes old runs may have been faster.
        if !events.is_in(&folder, files::EVENTS) {
            return Err(failed(files::EVENTS)(io::ErrorKind::NotFound.into()));
        }
        let mut text = Vec::new();
        let written =
            line::append(&mut text, recipe).and_then(|()| new_file(&folder, files::RECIPE)?.write_all(&text));
        written.map_err(failed(files::RECIPE))?;
        let own = folder.try_clone().map_err(failed(files::EVENTS))?;
        let book = Arc::new(Mutex::new(Book {
            folder: own,
            events,
            values: None,
            values_written: 0,
            failed: None,
            lines: Vec::new(),
            output: 0,
            said: HashMap::new(),
            ended: RunEnded::default(),
        }));
        // Not held by the thread: the run is let go of with this.
        let written = Arc::downgrade(&book);
        let syncer = Syncer::start(SYNCED_EVERY, move || {
            if let Some(book) = written.upgrade() {
                locked(&book).flush();
            }
            sync(&folder)
        });
        Ok(Self { run: recipe.run.clone(), book, syncer })
    }

    /// Writes down how the run ended, and lets go of it. Nothing is written any more.
    ///
    /// # Errors
    ///
    /// What kept the journal from being whole.
    pub fn end(&self, exit_code: u8) -> Result<(), StoreError> {
        locked(&self.book).flush();
        let failed = |name, source| StoreError::File { run: self.run.clone(), name, source };
        // Without the lock, which the thread that syncs takes, too.
        let synced = self.syncer.finish(SYNC_PATIENCE);
        let mut book = locked(&self.book);
        book.note(synced);
        if let Some(source) = book.failed.take() {
            return Err(failed(files::EVENTS, source));
        }
        book.ended.exit_code = Some(exit_code);
        let mut text = Vec::new();
        line::append(&mut text, &book.ended)
            .and_then(|()| new_file(&book.folder, files::ENDED)?.write_all(&text))
            .map_err(|source| failed(files::ENDED, source))
    }
}

fn locked(book: &Mutex<Book>) -> MutexGuard<'_, Book> {
    // A panic elsewhere leaves whole lines behind.
    book.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Brings the files of a run, and their names, to the disk: values before the events that say that they are there.
fn sync(folder: &OwnedFd) -> io::Result<()> {
    for name in [files::RECIPE, files::VALUES, files::EVENTS] {
        if let Some(file) = file(folder, name)? {
            file.sync_data()?;
        }
    }
    Ok(rustix::fs::fsync(folder)?)
}

impl Ledger for Journal {
    fn write(&self, event: &Event) {
        locked(&self.book).event(event);
        self.syncer.touch();
    }

    fn keep(&self, kept: &Kept) {
        locked(&self.book).keep(kept);
        self.syncer.touch();
    }
}

impl Book {
    /// Nothing is written after the first failure. To go on from such a record would do again what it misses, so it says
    /// that it has a gap.
    fn note(&mut self, written: io::Result<()>) {
        if let (Err(error), None) = (written, &self.failed) {
            // An empty file needs no room. Without it the record cannot be told from that of a killed run, and goes.
            if new_file(&self.folder, files::GAP).is_err() {
                let _ = rustix::fs::unlinkat(&self.folder, files::RECIPE, AtFlags::empty());
            }
            self.failed = Some(error);
        }
    }

    fn keep(&mut self, kept: &Kept) {
        if self.failed.is_some() {
            return;
        }
        let room = RUN_VALUES_MAX.saturating_sub(self.values_written);
        let (kept, size) = kept.clone().limited(VALUES_MAX.min(room));
        self.values_written += size;
        let mut text = Vec::new();
        let folder = &self.folder;
        let written = line::append(&mut text, &kept).and_then(|()| {
            let file = match &mut self.values {
                Some(file) => file,
                none => none.insert(new_file(folder, files::VALUES)?),
            };
            file.write_all(&text)
        });
        self.note(written);
    }

    /// Writes a line, and those that have waited before it.
    fn put(&mut self, event: &Event) {
        self.hold(event);
        self.flush();
    }

    /// Has a line wait for the next one: nothing comes of it that a reader of the record would miss.
    fn hold(&mut self, event: &Event) {
        if self.failed.is_none() {
            let written = line::write(&mut self.lines, event);
            self.note(written);
        }
    }

    /// Writes the lines that wait.
    fn flush(&mut self) {
        if self.failed.is_none() && !self.lines.is_empty() {
            let written = self.events.write(&self.lines);
            self.lines.clear();
            self.note(written);
        }
    }

    fn event(&mut self, event: &Event) {
        self.ended.elapsed_ms = u64::try_from(event.at.as_millis()).unwrap_or(u64::MAX);
        match &event.fact {
            // What is moved is told again at the end.
            Fact::Step(_, StepFact::TransferAdvanced { .. }) => return,
            // They are in files of their own.
            Fact::Record(_) => return,
            Fact::Step(StepAt { host, .. }, StepFact::Output { stream, data, .. }) => {
                if !self.has_room(host, data) {
                    self.said.entry(host.clone()).or_default().push(*stream, data);
                    return;
                }
            }
            Fact::Step(StepAt { host, task, step }, StepFact::Finished { .. }) => {
                self.bring_tail(event, host, (*task, *step))
            }
            Fact::Step(StepAt { host, .. }, StepFact::Retried { .. }) => {
                self.said.get_mut(host).into_iter().for_each(|said| said.tail.clear());
            }
            Fact::Run(RunFact::Started { hosts, .. }) => self.ended.hosts = hosts.len(),
            // That a host is dialled, and answered, binds nobody: a step says that it begins before anything is sent.
            Fact::Connection(_, ConnectionFact::Began { .. } | ConnectionFact::Connected { .. }) => {
                return self.hold(event);
            }
            Fact::HostFinished { host, outcome } => {
                *self.ended.counts.entry(outcome.status.as_str().to_owned()).or_default() += 1;
                self.said.remove(host);
            }
            Fact::Run(
                RunFact::StragglersNoticed { .. }
                | RunFact::AgentAwaited { .. }
                | RunFact::StopRequested { .. }
                | RunFact::Finished { .. },
            )
            | Fact::Task(..)
            | Fact::Lock(..)
            | Fact::Connection(_, ConnectionFact::Retried { .. } | ConnectionFact::ProxySaid { .. })
            | Fact::Gateway(..)
            | Fact::Step(
                _,
                StepFact::JobStarted { .. }
                | StepFact::Waiting { .. }
                | StepFact::Detached { .. }
                | StepFact::Reattached { .. }
                | StepFact::Started
                | StepFact::FactsGathered { .. }
                | StepFact::QuestionAsked { .. }
                | StepFact::QuestionAnswered,
            )
            | Fact::Unknown(_) => {}
        }
        self.put(event);
    }

    /// Whether more output of a host is kept; it counts then. Once something was left out, all is but the last lines.
    fn has_room(&mut self, host: &HostName, data: &Bytes) -> bool {
        let size = u64::try_from(data.len()).unwrap_or(u64::MAX);
        let said = self.said.entry(host.clone()).or_default();
        said.full |= said.written.saturating_add(size) > HOST_OUTPUT_MAX
            || self.output.saturating_add(size) > RUN_OUTPUT_MAX;
        if said.full {
            self.ended.output_left_out += size;
        } else {
            self.output += size;
            said.written += size;
        }
        !said.full
    }

    /// Writes the last lines of a step whose output was not kept.
    fn bring_tail(&mut self, event: &Event, host: &HostName, (task, step): (usize, usize)) {
        let Some(said) = self.said.get_mut(host) else { return };
        for (stream, data) in std::mem::take(&mut said.tail) {
            let fact =
                Fact::Step(StepAt { host: host.clone(), task, step }, StepFact::Output { stream, data });
            self.put(&Event::new(event.at, fact));
        }
    }
}

impl JournalSaid {
    /// Keeps the last of what was said, as far as a recap shows it.
    fn push(&mut self, stream: Stream, data: &[u8]) {
        let data = data.get(data.len().saturating_sub(TAIL_BYTES)..).unwrap_or_default();
        // A copy: the block that it is part of would stay in memory.
        self.tail.push((stream, Bytes::copy_from_slice(data)));
        let mut kept = 0;
        let (mut from, mut bytes) = (self.tail.len(), 0);
        while from > 0 && kept < TAIL_LINES && bytes < TAIL_BYTES {
            from -= 1;
            kept += 1;
            bytes += self.tail.get(from).map_or(0, |(_, data)| data.len());
        }
        self.tail.drain(..from);
    }
}
