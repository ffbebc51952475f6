//! What a run was started with: enough to run the same again. And how it ended, in a few words, so that a list of runs
//! need not read them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::model::outcome::Status;
use crate::model::words::words;

/// What a run was started with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipe {
    /// Unique name of the run.
    pub run: String,
    /// Version of fan.
    pub fan: String,
    /// What runs, for headings.
    pub title: String,
    /// Wall clock at the start, RFC 3339, UTC.
    pub started_at: String,
    /// The command line without the program's name, secrets masked. What the environment said is among it, as flags.
    pub arguments: Vec<String>,
    /// Variables of `-e` whose values are masked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub masked: Vec<String>,
    /// Why the same cannot be run again, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unrepeatable: Option<String>,
    /// The working folder.
    pub folder: String,
    /// The files that it read its hosts, tasks and variables from.
    pub files: Vec<RecipeSource>,
    /// The run that this one takes up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again: Option<Again>,
}

/// A run that takes up another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Again {
    /// The other run.
    pub run: String,
    /// In which way.
    pub way: Way,
}

words! {
    /// How a run takes up another one. After one that a later version knows of, the other cannot be resumed any more.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    Way(|_| Way::Retry) {
        /// From the start, on the hosts that were not ok.
        Retry = "retry",
        /// Each host at its first unfinished step.
        Resume = "resume",
    }
}

/// A file, and what was in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecipeSource {
    /// Its path, as the user wrote it or as it was found.
    pub path: String,
    /// SHA-256 of its content, hexadecimal; none when it is no plain file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

impl RecipeSource {
    /// A file as it is now.
    pub fn of(path: &Path) -> Self {
        let content = path.is_file().then(|| fs::read(path).ok()).flatten();
        let sha256 = content.map(|content| HEXLOWER.encode(&Sha256::digest(content)));
        Self { path: path.display().to_string(), sha256 }
    }

    /// Whether the file is another one now.
    pub fn has_changed(&self) -> bool {
        Self::of(Path::new(&self.path)).sha256 != self.sha256
    }
}

/// How a run ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunEnded {
    /// The exit code of the process; none when that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<u8>,
    /// How long it took.
    pub elapsed_ms: u64,
    /// How many hosts it had.
    pub hosts: usize,
    /// How many of them ended with each status.
    pub counts: BTreeMap<String, usize>,
    /// Bytes of output that were not kept.
    #[serde(default)]
    pub output_left_out: u64,
}

impl RunEnded {
    /// How many hosts ended with a status.
    pub fn count(&self, status: Status) -> usize {
        self.counts.get(status.as_str()).copied().unwrap_or_default()
    }

    /// How long it took.
    pub fn elapsed(&self) -> Duration {
        Duration::from_millis(self.elapsed_ms)
    }
}
