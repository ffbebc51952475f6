//! A run that was recorded: one of the journal's, or an event stream in a file.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use crate::cli::error::CliError;
use crate::cli::{files, state};
use crate::event::Event;
use crate::model::position::Diagnostic;
use crate::report::merge::{MergeError, StreamPart, whole_events};
use crate::report::read;
use crate::store::{RunState, Stored};

/// A run that was recorded.
pub(super) enum RecordedRun {
    /// By the journal.
    Run(Box<Stored>),
    /// By `--report FILE.jsonl` or `--format jsonl`.
    Stream(PathBuf),
}

impl RecordedRun {
    /// Finds what a user means: a file by its extension, a run by its name otherwise.
    ///
    /// # Errors
    ///
    /// It is not there, or no recording.
    pub(super) fn open(named: &str) -> Result<Self, CliError> {
        if !files::is_stream(Path::new(named)) {
            let runs = state::runs()?;
            let stored = runs.read(&runs.find(named)?)?;
            stored.check_version()?;
            return Ok(Self::Run(Box::new(stored)));
        }
        let path = PathBuf::from(named);
        let part = events(&path).map_err(MergeError::from).and_then(StreamPart::read);
        part.map_err(|error| unusable(&path, error))?;
        Ok(Self::Stream(path))
    }

    /// Tells all of it, in order.
    ///
    /// # Errors
    ///
    /// It cannot be read, or a reader fails.
    pub(super) fn tell(&self, mut reader: impl FnMut(&Event) -> io::Result<()>) -> Result<(), CliError> {
        let mut told = |event: &Event| {
            reader(event).map_err(|source| CliError::Local {
                doing: "the output could not be written".to_owned(),
                source,
            })
        };
        match self {
            Self::Run(stored) => stored.events()?.try_for_each(|event| told(&event)),
            Self::Stream(path) => {
                let events = events(path).map_err(|error| unusable(path, error.into()))?;
                whole_events(events)
                    .try_for_each(|event| told(&event.map_err(|error| unusable(path, error.into()))?))
            }
        }
    }

    /// The file that it is read from, if it is one that the user named.
    pub(super) fn stream(&self) -> &[PathBuf] {
        match self {
            Self::Run(_) => &[],
            Self::Stream(path) => std::slice::from_ref(path),
        }
    }

    /// Bytes of output that were not recorded.
    pub(super) fn left_out(&self) -> u64 {
        match self {
            Self::Run(stored) => stored.state.ended().output_left_out,
            Self::Stream(_) => 0,
        }
    }

    /// Whether a process is still writing it, as far as that is known.
    pub(super) fn is_going_on(&self) -> bool {
        match self {
            Self::Run(stored) => matches!(stored.state, RunState::Running(_)),
            Self::Stream(_) => false,
        }
    }
}

/// The events of a stream.
pub(super) fn events(path: &Path) -> io::Result<impl Iterator<Item = io::Result<Event>> + use<>> {
    Ok(read(BufReader::new(File::open(path)?)))
}

/// What is wrong with a stream.
pub(super) fn unusable(path: &Path, error: MergeError) -> Diagnostic {
    Diagnostic::bare(format!("{}: {error}", path.display()))
}
