//! A run that was recorded elsewhere, as an event stream, taken in among the runs of this machine: whole or not at all.

use std::io::{self, BufWriter, Write};
use std::os::fd::OwnedFd;

use rustix::fs::{Mode, RenameFlags};
use rustix::io::Errno;

use crate::event::ledger::Kept;
use crate::event::{Event, Fact, RecordFact, RunFact, line};
use crate::store::error::StoreError;
use crate::store::files;
use crate::store::folder::{FOLDER_MODE, Runs, is_name};
use crate::store::opened::new_file;
use crate::store::recipe::{Recipe, RunEnded};

/// What stands before the name of a run while it is taken in.
const UNFINISHED: &str = "import-";

impl Runs {
    /// Whether there is a run of this name, all of it.
    pub fn has(&self, run: &str) -> bool {
        is_name(run) && self.folder_of(run).is_ok()
    }

    /// Takes in a run: what it was started with, and all that happened.
    ///
    /// # Errors
    ///
    /// Its name is none of a run, the events cannot be read, or its files cannot be written.
    pub fn import(
        &self,
        recipe: &Recipe,
        events: impl Iterator<Item = io::Result<Event>>,
    ) -> Result<(), StoreError> {
        let run = &*recipe.run;
        if !is_name(run) {
            return Err(StoreError::Missing { name: run.to_owned() });
        }
        let path = self.path_of(run);
        let failed = |source: io::Error| StoreError::Folder { path: path.clone(), source };
        let errno = |errno: Errno| failed(errno.into());
        let unfinished = format!("{UNFINISHED}{run}");
        if self.folder_of(&unfinished).is_ok() {
            // Whoever was at it was killed.
            self.remove(&unfinished).map_err(failed)?;
        }
        rustix::fs::mkdirat(self.folder(), &*unfinished, Mode::from_raw_mode(FOLDER_MODE)).map_err(errno)?;
        let folder = self.folder_of(&unfinished).map_err(errno)?;
        write(&folder, recipe, events).map_err(failed)?;
        rustix::fs::renameat_with(self.folder(), &*unfinished, self.folder(), run, RenameFlags::NOREPLACE)
            .map_err(errno)
    }
}

/// Writes the files of a run, and brings them to the disk.
fn write(
    folder: &OwnedFd,
    recipe: &Recipe,
    events: impl Iterator<Item = io::Result<Event>>,
) -> io::Result<()> {
    let make = |name| new_file(folder, name).map(BufWriter::new);
    let (mut facts, mut values) = (make(files::EVENTS)?, make(files::VALUES)?);
    let mut ended = RunEnded::default();
    let mut text = Vec::new();
    for event in events {
        let event = event?;
        ended.elapsed_ms = u64::try_from(event.at.as_millis()).unwrap_or(u64::MAX);
        text.clear();
        match event.fact {
            Fact::Record(RecordFact::CommandGiven { recipe: _ }) => {}
            Fact::Record(RecordFact::VariablesDefined { host, task, step, vars, lost }) => {
                line::append(&mut text, &Kept { host, task, step, vars, lost })?;
                values.write_all(&text)?;
            }
            ref fact => {
                if let Fact::Run(RunFact::Started { hosts, .. }) = fact {
                    ended.hosts = hosts.len();
                } else if let Fact::HostFinished { outcome, .. } = fact {
                    *ended.counts.entry(outcome.status.as_str().to_owned()).or_default() += 1;
                }
                line::write(&mut text, &event)?;
                facts.write_all(&text)?;
            }
        }
    }
    let mut object = |name, made: &mut dyn FnMut(&mut Vec<u8>) -> io::Result<()>| {
        text.clear();
        made(&mut text)?;
        let mut file = new_file(folder, name)?;
        file.write_all(&text)?;
        file.sync_data()
    };
    object(files::RECIPE, &mut |text| line::append(text, recipe))?;
    object(files::ENDED, &mut |text| line::append(text, &ended))?;
    for written in [facts, values] {
        written.into_inner().map_err(io::IntoInnerError::into_error)?.sync_data()?;
    }
    Ok(rustix::fs::fsync(folder)?)
}
