//! The files that candidates come from, read once and when needed. One that cannot be read has no candidates.

use std::path::PathBuf;
use std::sync::OnceLock;

use clap::Command;

use crate::cli::defaults::FanFiles;
use crate::cli::habits::{LineWord, scan};
use crate::cli::{found, state};
use crate::config::{self, SourceOptions, SourceSpec};
use crate::model::inventory::Inventory;
use crate::model::task::TaskFile;

/// Hosts that are read: as many as `--max-hosts` can allow.
const HOSTS_MAX: usize = 1_000_000;

/// The files that a command line means.
#[derive(Debug, Default)]
pub(super) struct Project {
    sources: Vec<SourceSpec>,
    tasks_file: Option<PathBuf>,
    /// Tasks of the command line, without their arguments.
    pub(super) called: Vec<String>,
    /// What fan.yaml says.
    pub(super) files: FanFiles,
    inventory: OnceLock<Inventory>,
    tasks: OnceLock<Option<TaskFile>>,
}

impl Project {
    /// Those of the words behind a command's name.
    pub(super) fn of(command: Option<&Command>, words: &[String], files: FanFiles) -> Self {
        let mut project = Self { files, ..Self::default() };
        let Some(command) = command else { return project };
        for word in scan(command, words, |_| false) {
            match word {
                LineWord::Flag { arg, value: Some(value), .. } if arg.get_id() == "inventories" => {
                    project.sources.push(SourceSpec::parse(value));
                }
                LineWord::Flag { arg, value: Some(value), .. } if arg.get_id() == "tasks_file" => {
                    project.tasks_file = Some(PathBuf::from(value));
                }
                LineWord::Word(word) => project.called.extend(word.split(':').next().map(str::to_owned)),
                LineWord::Flag { .. } | LineWord::Stranger { .. } | LineWord::Rest(_) => {}
            }
        }
        project
    }

    /// The inventory; an empty one where there is none.
    pub(super) fn inventory(&self) -> &Inventory {
        self.inventory.get_or_init(|| {
            let nearest = || found::inventory_path(None).ok().flatten().map(|path| SourceSpec::path(&path));
            let mut sources = self.sources.clone();
            if sources.is_empty() {
                sources.extend(nearest());
            }
            // A program may take its time, and do anything: not behind a Tab. Neither is there an input to read.
            sources.retain(|source| !source.is_stdin());
            let caches = state::cache_folder();
            let options = SourceOptions { runs_programs: false, caches, ..SourceOptions::bare(HOSTS_MAX) };
            let loaded = config::load_sources(&sources, options).ok();
            loaded.map_or_else(Inventory::empty, |loaded| loaded.value)
        })
    }

    /// The tasks.
    pub(super) fn tasks(&self) -> Option<&TaskFile> {
        let load = || {
            let path = found::tasks_path(self.tasks_file.as_deref()).ok().flatten()?;
            config::load_tasks(&path).ok().map(|loaded| loaded.value)
        };
        self.tasks.get_or_init(load).as_ref()
    }
}
