//! The local files that a plan's steps read, as far as that is known before the run.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::engine::plan::Plan;
use crate::engine::preflight::disk::is_glob;
use crate::engine::preflight::known::{Known, Text, WhenRuns};
use crate::files::local;
use crate::model::action::LocalReads;
use crate::model::task::TemplateText;

/// What steps read of this machine.
#[derive(Debug, Default)]
pub struct LocalFiles {
    /// Files and folders.
    pub paths: BTreeSet<PathBuf>,
    /// The steps that read others besides, which only the run will know.
    pub unknown: Vec<String>,
}

/// The local files and folders that a plan's steps read.
pub fn local_files(plan: &Plan) -> LocalFiles {
    let mut known = Known::new(plan);
    let mut found = LocalFiles::default();
    for task in &plan.tasks {
        for step in &task.steps {
            let texts: Vec<&TemplateText> = match step.step.action.said().reads {
                Some(LocalReads::Sources(from)) => from.iter().collect(),
                Some(
                    LocalReads::Folder(from)
                    | LocalReads::Template(from)
                    | LocalReads::Script(from)
                    | LocalReads::File(from),
                ) => vec![from],
                None => Vec::new(),
            };
            let mut looked_for = BTreeSet::new();
            let mut all_known = true;
            for text in texts {
                let text = Text::new(text);
                let members = known.members(task, step);
                for member in members.iter().filter(|member| member.runs != WhenRuns::No) {
                    match known.folder(member).zip(known.render(&text, member)) {
                        Some((folder, path)) => {
                            looked_for.insert((folder.into_owned(), known.local(&path)));
                        }
                        None => all_known = false,
                    }
                }
            }
            for (folder, path) in looked_for {
                if is_glob(&path) {
                    let sources = local::sources(&[path], &folder).unwrap_or_default();
                    found.paths.extend(sources.into_iter().map(|source| source.path));
                } else if !path.is_empty() {
                    found.paths.insert(folder.join(path));
                }
            }
            if !all_known {
                let at = &step.step.position;
                found.unknown.push(format!("{} ({}:{})", step.title(), at.file, at.line));
            }
            known.define(task, step);
        }
    }
    found
}
