//! A tasks file with the files that it includes, as one: their tasks, variables and secrets share its names. Owns which file
//! belongs to which, and under which name; `tasks` reads each.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::fields::quote;
use crate::config::findings::{Diagnostics, Findings, Loaded};
use crate::config::foreign::{WantedFile, recognised};
use crate::config::included::IncludedFiles;
use crate::config::tasks::{ParsedTasks, parse};
use crate::config::{glob, order, source};
use crate::model::position::{Diagnostic, Position};
use crate::model::task::TaskFile;

/// Files that a tasks file may consist of.
const MAX_FILES: usize = 1000;

/// Reads a tasks file and those that it includes.
///
/// # Errors
/// Everything that is wrong with them.
pub fn load_tasks(path: &Path) -> Result<Loaded<TaskFile>, Diagnostics> {
    let source = source::read(path)?;
    let mut reading = FilesRead::default();
    reading.seen.insert(identity(path), None);
    let whole = reading.file(source.name, &source.text);
    reading.finish(whole)
}

/// Reads tasks from text; `name` stands for the file in messages, and includes start at its folder.
///
/// # Errors
/// Everything that is wrong with the text.
pub fn load_tasks_text(name: &str, text: &str) -> Result<Loaded<TaskFile>, Diagnostics> {
    let mut reading = FilesRead::default();
    let whole = reading.file(Arc::from(name), text.strip_prefix('\u{feff}').unwrap_or(text));
    reading.finish(whole)
}

/// The path of a file without links and dots, so that it is known again.
fn identity(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// Files on their way to be one.
#[derive(Default)]
struct FilesRead {
    findings: Findings,
    /// The files so far, each with the place that includes it.
    seen: HashMap<PathBuf, Option<Position>>,
    /// Something is missing: that a name is unknown says nothing.
    partial: bool,
}

impl FilesRead {
    /// Reads a file and all that it includes.
    fn file(&mut self, name: Arc<str>, text: &str) -> TaskFile {
        let mut own = Findings::default();
        let ParsedTasks { mut tasks, includes } = parse(Arc::clone(&name), text, &mut own);
        if own.any() {
            self.partial |= tasks.tasks.is_empty();
            if let Some(foreign) = recognised(&name, text, WantedFile::Tasks) {
                own = Findings::default();
                own.push(foreign);
            }
        }
        self.findings.absorb(own);
        for include in &includes {
            for path in self.paths(&name, include) {
                self.include(&mut tasks, include, &path);
            }
        }
        tasks
    }

    /// The files that are meant.
    fn paths(&mut self, including: &str, include: &IncludedFiles) -> Vec<PathBuf> {
        let folder = Path::new(including).parent().unwrap_or(Path::new(""));
        let pattern = folder.join(&*include.pattern);
        // A pattern needs a folder to begin at.
        let pattern = if pattern.is_relative() { Path::new(".").join(pattern) } else { pattern };
        let found = glob::paths(&pattern);
        let why = match &found {
            Ok(paths) if paths.is_empty() => "no such file".to_owned(),
            Ok(_) => String::new(),
            Err(error) => error.to_string(),
        };
        if !why.is_empty() {
            self.partial = true;
            self.findings.error_help(
                &include.position,
                format!("cannot include {}: {why}", quote(&include.pattern)),
                format!("paths start at the folder of {including}"),
            );
        }
        let bare = |path: PathBuf| path.strip_prefix(".").map(Path::to_owned).unwrap_or(path);
        found.unwrap_or_default().into_iter().map(bare).collect()
    }

    fn include(&mut self, whole: &mut TaskFile, include: &IncludedFiles, path: &Path) {
        let at = &include.position;
        let identity = identity(path);
        if let Some(first) = self.seen.get(&identity) {
            let message = match first {
                Some(first) => format!("{} is included twice, first at {first}", path.display()),
                None => format!("{} includes itself", path.display()),
            };
            self.findings.error(at, message);
            return;
        }
        if self.seen.len() >= MAX_FILES {
            self.findings.error(at, format!("more than {MAX_FILES} files are included"));
            return;
        }
        self.seen.insert(identity, Some(at.clone()));
        let source = match source::read(path) {
            Ok(source) => source,
            Err(mut problem) => {
                self.partial = true;
                problem.position.get_or_insert_with(|| at.clone());
                self.findings.push(problem);
                return;
            }
        };
        let mut part = self.file(source.name, &source.text);
        if let Some(prefix) = &include.prefix {
            part.prefix(prefix);
        }
        self.join(whole, part, at);
    }

    /// Puts a part into the whole. No name is there twice.
    fn join(&mut self, whole: &mut TaskFile, part: TaskFile, at: &Position) {
        let TaskFile { file, included, vars, secrets, tasks } = part;
        let twice =
            |what: &str, name: &str| format!("{what} {} of {file} has been defined before", quote(name));
        for (name, value) in vars {
            if whole.vars.contains_key(&name) || whole.secrets.contains_key(&name) {
                self.findings.error(at, twice("variable", &name));
            } else {
                whole.vars.insert(name, value);
            }
        }
        for (name, secret) in secrets {
            if whole.vars.contains_key(&name) || whole.secrets.contains_key(&name) {
                self.findings.error(&secret.position, twice("secret", &name));
            } else {
                whole.secrets.insert(name, secret);
            }
        }
        for (name, task) in tasks {
            if let Some(first) = whole.tasks.get(&name) {
                let message = format!("task {} is defined twice, first at {}", quote(&name), first.position);
                self.findings.error_help(
                    &task.position,
                    message,
                    "include the file with a name of its own: {file: ..., as: ...}",
                );
            } else {
                whole.tasks.insert(name, task);
            }
        }
        whole.included.push(file);
        whole.included.extend(included);
    }

    fn finish(mut self, whole: TaskFile) -> Result<Loaded<TaskFile>, Diagnostics> {
        if whole.tasks.is_empty() && !self.findings.any() {
            self.findings.push(
                Diagnostic::bare(format!("{}: no tasks defined", whole.file))
                    .help("name them below \"tasks:\", for example \"  uptime: [run: uptime]\""),
            );
        }
        if !self.partial {
            order::check(&whole.tasks, &mut self.findings);
        }
        self.findings.finish(whole)
    }
}
