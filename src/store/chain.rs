//! Runs that take up each other. Whoever asks for an old one means where it has come to by now.

use std::collections::HashSet;
use std::time::Duration;
use std::{io, thread};

use crate::store::error::StoreError;
use crate::store::files;
use crate::store::folder::Runs;
use crate::store::lock::Locked;
use crate::store::opened::lockable;
use crate::store::recipe::{Again, Recipe, Way};
use crate::store::record::object;

/// How often the lock of a run is tried: others have it for an instant, to look at it.
const TRIES: u32 = 10;

/// Pause between two tries.
const PAUSE: Duration = Duration::from_millis(20);

/// A run that nobody else takes up, and that is not removed, as long as this lives and is not released.
#[derive(Debug)]
pub struct Hold(Locked);

impl Hold {
    /// Lets others have it.
    pub fn release(&self) {
        self.0.release();
    }
}

impl Runs {
    /// The runs that have taken up a run since, each the one before it, and in which way; none when nobody has. Of several
    /// that took up the same one the newest counts.
    ///
    /// # Errors
    ///
    /// The folder cannot be read.
    pub fn since(&self, run: &str) -> Result<Vec<(String, Way)>, StoreError> {
        // All of them: clocks are set back, too, and names are made of the time.
        let takes_up = |name: String| Some((self.recipe(&name)?.again?, name));
        let mut takers: Vec<(Again, String)> = self.names()?.into_iter().filter_map(takes_up).collect();
        let mut chain = Vec::new();
        let mut last = run.to_owned();
        while let Some(at) = takers.iter().position(|(again, _)| again.run == last) {
            let (again, name) = takers.remove(at);
            last.clone_from(&name);
            chain.push((name, again.way));
        }
        Ok(chain)
    }

    /// Holds a run that has ended; none when a process is at it, or holds it.
    ///
    /// # Errors
    ///
    /// Its files cannot be opened.
    pub fn hold(&self, run: &str) -> Result<Option<Hold>, StoreError> {
        let failed =
            |source: io::Error| StoreError::File { run: run.to_owned(), name: files::EVENTS, source };
        let missing = |_| StoreError::Missing { name: run.to_owned() };
        let folder = self.folder_of(run).map_err(missing)?;
        let mut events = lockable(&folder, files::EVENTS)
            .and_then(|found| found.ok_or_else(|| io::ErrorKind::NotFound.into()))
            .map_err(failed)?;
        for _ in 0..TRIES {
            events = match Locked::now(events).map_err(failed)? {
                Ok(locked) if locked.is_in(&folder, files::EVENTS) => return Ok(Some(Hold(locked))),
                Ok(_) => return Err(StoreError::Missing { name: run.to_owned() }),
                Err(taken) => taken,
            };
            thread::sleep(PAUSE);
        }
        Ok(None)
    }

    /// The runs that these go on from, and those that these went on from.
    pub(super) fn needed_by(&self, runs: &[String]) -> HashSet<String> {
        let mut needed = HashSet::new();
        for name in runs {
            let mut name = name.clone();
            while let Some(Again { run, way: Way::Resume }) =
                self.recipe(&name).and_then(|recipe| recipe.again)
                && needed.insert(run.clone())
            {
                name = run;
            }
        }
        needed
    }

    /// What a run was started with, without a look at how far it has come.
    fn recipe(&self, run: &str) -> Option<Recipe> {
        object(&self.folder_of(run).ok()?, files::RECIPE).ok()?
    }
}
