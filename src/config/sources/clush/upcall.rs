//! The commands of `groups.conf`: what is filled into them, and how they run.
//!
//! They are lines for a shell because clush's file says so. Nothing but plain words is filled into them.

use std::path::Path;
use std::process::Command;

use crate::config::fields::quote;
use crate::config::sources::clush::config::{ClushUpcalls, substituted};
use crate::config::sources::program::{self, PATIENCE, RunningSource};

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub(super) enum ClushQuestion<'q> {
    /// The nodes of a group.
    Map(&'q str),
    /// All nodes.
    All,
    /// The names of the groups.
    List,
    /// The groups of a node.
    Reverse(&'q str),
}

/// A command that runs.
pub(super) struct RunningUpcall {
    line: String,
    running: RunningSource,
}

/// Starts the command for a question, where there is one; notes its line.
///
/// # Errors
/// It cannot be run, or a word would mean something to the shell.
pub(super) fn start(
    upcalls: &ClushUpcalls,
    source: &str,
    question: ClushQuestion<'_>,
    ran: &mut Vec<String>,
) -> Option<Result<RunningUpcall, String>> {
    let (template, word) = match question {
        ClushQuestion::Map(group) => (Some(&upcalls.map), Some(("GROUP", group))),
        ClushQuestion::All => (upcalls.all.as_ref(), None),
        ClushQuestion::List => (upcalls.list.as_ref(), None),
        ClushQuestion::Reverse(node) => (upcalls.reverse.as_ref(), Some(("NODE", node))),
    };
    let folder = upcalls.folder.to_string_lossy();
    let values: Vec<(&str, &str)> =
        [("CFGDIR", &*folder), ("SOURCE", source)].into_iter().chain(word).collect();
    let template = template?;
    let risky = values.iter().find(|(name, value)| template.contains(*name) && !is_plain(value));
    if let Some((name, value)) = risky {
        let message =
            format!("{} cannot be ${name} in a command: the shell would read more than a word", quote(value));
        return Some(Err(message));
    }
    let line = substituted(template, &values);
    ran.push(line.clone());
    Some(run(&line, &upcalls.folder).map(|running| RunningUpcall { line, running }))
}

fn run(line: &str, folder: &Path) -> Result<RunningSource, String> {
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(line).current_dir(folder);
    program::spawn(command)
}

impl RunningUpcall {
    /// What it printed.
    ///
    /// # Errors
    /// It failed.
    pub(super) fn finish(self) -> Result<String, String> {
        self.running.finish(PATIENCE).map_err(|why| format!("{} {why}", quote(&self.line)))
    }
}

/// Whether a text is one word for a shell, wherever it stands and in whatever quotes.
fn is_plain(text: &str) -> bool {
    let good = |c: char| c.is_alphanumeric() || "_-.:/@+=,%".contains(c);
    !text.is_empty() && !text.starts_with('-') && text.chars().all(good)
}
