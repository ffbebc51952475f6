//! What the hosts of a run share of their files: contents that all of them get, and paths of this machine that only
//! one of them may write to.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::files::content::Content;
use crate::model::inventory::HostName;
use crate::model::outcome::{Failure, Kind};

/// What the hosts of a run share.
#[derive(Default)]
pub(crate) struct SharedFiles {
    contents: Mutex<HashMap<Key, Weak<Content>>>,
    known: Mutex<HashMap<(Key, TypeId), Arc<dyn Any + Send + Sync>>>,
    claims: Mutex<HashMap<PathBuf, HostName>>,
}

/// A file of this machine at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    path: PathBuf,
    size: u64,
    changed: (i64, i64),
}

impl Key {
    fn of(path: &Path) -> io::Result<Self> {
        let meta = std::fs::metadata(path)?;
        Ok(Self { path: path.to_owned(), size: meta.len(), changed: (meta.mtime(), meta.mtime_nsec()) })
    }
}

impl SharedFiles {
    /// What the steps of one kind know of a file as it is now: the same for all hosts. Blocks.
    pub(crate) fn known<T: Default + Send + Sync + 'static>(&self, path: &Path) -> io::Result<Arc<T>> {
        let key = (Key::of(path)?, TypeId::of::<T>());
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = Arc::clone(known.entry(key).or_insert_with(|| Arc::new(T::default())));
        Ok(kept.downcast().unwrap_or_default())
    }

    /// A file's content: the same one for all hosts that are at it. Blocks.
    pub(crate) fn content(&self, path: &Path, shared: bool) -> io::Result<Arc<Content>> {
        let key = Key::of(path)?;
        let mut contents = self.contents.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(content) = contents.get(&key).and_then(Weak::upgrade) {
            return Ok(content);
        }
        let content = Arc::new(Content::open(path, shared)?);
        contents.retain(|_, content| content.strong_count() > 0);
        contents.insert(key, Arc::downgrade(&content));
        Ok(content)
    }

    /// Takes a path of this machine for a host.
    ///
    /// # Errors
    ///
    /// Another host has it: one would replace what came from the other.
    pub(crate) fn claim(&self, path: &Path, host: &HostName) -> Result<(), Failure> {
        let mut claims = self.claims.lock().unwrap_or_else(PoisonError::into_inner);
        match claims.get(path) {
            Some(other) if other != host => Err(Failure::new(
                Kind::LocalIo,
                format!("{} is where what came from {other} is", path.display()),
            )
            .hint("put {{ host }} in \"to\", as in \"logs/{{ host }}/\"")),
            Some(_) => Ok(()),
            None => {
                claims.insert(path.to_owned(), host.clone());
                Ok(())
            }
        }
    }
}
