//! How long runs are kept. One that is in progress is never removed, and neither is what has not the name of a run.

use std::collections::HashSet;
use std::io;
use std::time::Duration;

use crate::store::files;
use crate::store::folder::Runs;
use crate::store::lock::{Locked, is_locked};
use crate::store::opened::lockable;

/// How long runs are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// So many, the newest.
    pub runs: usize,
    /// And none older than this.
    pub age: Duration,
}

impl Default for Keep {
    fn default() -> Self {
        Self { runs: 200, age: Duration::from_secs(30 * 24 * 3600) }
    }
}

impl Runs {
    /// Removes the runs that are not kept any more. `now` is the time since 1970. One stays as long as a later one that goes
    /// on from it. What cannot be removed stays for another time.
    pub fn prune(&self, keep: Keep, now: Duration) {
        let Ok(names) = self.names() else { return };
        let known: HashSet<String> = names.iter().cloned().collect();
        let (mut kept, mut gone) = (Vec::new(), Vec::new());
        for (at, name) in names.into_iter().enumerate() {
            let old = began(&name).is_some_and(|began| now.saturating_sub(began) > keep.age);
            let list = if at >= keep.runs || old { &mut gone } else { &mut kept };
            list.push(name);
        }
        if gone.is_empty() {
            return;
        }
        let needed = self.needed_by(&kept);
        for name in gone.iter().filter(|name| !needed.contains(*name)) {
            let _ = self.remove_unused(name, &known);
        }
    }

    /// Removes a run unless a process is at it, or one that is not known by now goes on from it. It is locked meanwhile:
    /// nobody begins to use it in between.
    pub(super) fn remove_unused(&self, run: &str, known: &HashSet<String>) -> io::Result<()> {
        let folder = self.folder_of(run)?;
        let Some(events) = lockable(&folder, files::EVENTS)? else {
            // It is just being made, or was never more than a folder.
            return self.remove_unbegun(run);
        };
        let Ok(_locked) = Locked::now(events)? else { return Ok(()) };
        let mut fresh = self.names().map_err(io::Error::other)?;
        fresh.retain(|name| !known.contains(name));
        if self.needed_by(&fresh).contains(run) {
            return Ok(());
        }
        self.remove(run)
    }

    /// Whether a process is writing a run; one that cannot be told is not touched.
    pub(super) fn is_locked(&self, run: &str) -> bool {
        let Ok(folder) = self.folder_of(run) else { return true };
        match lockable(&folder, files::EVENTS) {
            Ok(Some(events)) => is_locked(events).unwrap_or(true),
            // It is just being made, or was never more than a folder.
            Ok(None) => false,
            Err(_) => true,
        }
    }
}

/// When a run began, since 1970: the first ten digits of its name.
fn began(name: &str) -> Option<Duration> {
    const DIGITS: &[u8] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let mut millis = 0_u64;
    for byte in name.bytes().take(10) {
        let digit = DIGITS.iter().position(|&digit| digit == byte)?;
        millis = (millis << 5) | u64::try_from(digit).ok()?;
    }
    Some(Duration::from_millis(millis))
}
