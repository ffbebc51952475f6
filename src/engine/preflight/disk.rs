//! Looks at files of this machine, each once.

use std::collections::HashMap;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Access, access};

use crate::files::local;
use crate::files::local::SourceError;
use crate::model::position::Position;
use crate::model::shell::carried;
use crate::model::template::{self, MAX_EXPANSION, Syntax};

/// What is wrong with a file, or what its step wants.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FileProblem {
    /// A lowercase fragment.
    pub(super) message: String,
    /// What to do about it.
    pub(super) help: Option<String>,
}

impl FileProblem {
    pub(super) fn new(message: String) -> Self {
        Self { message, help: None }
    }
}

/// A file with templates in it.
#[derive(Debug, Default)]
pub(super) struct TemplatedFile {
    /// What is wrong with it, and where.
    pub(super) problem: Option<(Position, FileProblem)>,
    /// The variables that it needs, each with the place of its first use.
    pub(super) needed: Vec<(String, Position)>,
    /// All variables that it looks at, also those that may be missing.
    pub(super) names: Vec<String>,
}

/// Local files, looked at once.
#[derive(Default)]
pub(super) struct Disk {
    sources: HashMap<(PathBuf, Vec<String>), Result<(), BadSource>>,
    wholes: HashMap<PathBuf, Result<(), FileProblem>>,
    templates: HashMap<PathBuf, Result<Arc<TemplatedFile>, FileProblem>>,
    scripts: HashMap<(PathBuf, Option<String>), Result<(), FileProblem>>,
    folders: HashMap<PathBuf, bool>,
}

/// Which of some texts names nothing that can be sent, and why.
#[derive(Clone, Debug)]
pub(super) struct BadSource {
    pub(super) index: usize,
    pub(super) problem: FileProblem,
}

impl Disk {
    /// Whether texts name what can be sent together, in the eyes of what will send it.
    pub(super) fn sources(&mut self, texts: Vec<String>, base: &Path) -> Result<(), BadSource> {
        let found = self.sources.entry((base.to_owned(), texts));
        found.or_insert_with_key(|(base, texts)| look_at_sources(texts, base)).clone()
    }

    /// Whether a folder to send is there and can be read.
    pub(super) fn folder(&mut self, path: &Path) -> Result<(), FileProblem> {
        self.wholes.entry(path.to_owned()).or_insert_with_key(|path| look_at_folder(path)).clone()
    }

    /// Whether a script to run on hosts is there and can be carried there.
    pub(super) fn script(&mut self, path: &Path, shell: Option<&str>) -> Result<(), FileProblem> {
        let found = self.scripts.entry((path.to_owned(), shell.map(str::to_owned)));
        found.or_insert_with_key(|(path, shell)| look_at_script(path, shell.as_deref())).clone()
    }

    /// Reads a file of templates.
    pub(super) fn template(&mut self, path: &Path) -> Result<Arc<TemplatedFile>, FileProblem> {
        let found = self.templates.entry(path.to_owned());
        found.or_insert_with(|| read_template(path).map(Arc::new)).clone()
    }

    /// Whether a folder is there now.
    pub(super) fn is_folder(&mut self, path: &Path) -> bool {
        *self.folders.entry(path.to_owned()).or_insert_with(|| path.is_dir())
    }
}

/// Whether a path stands for all that it matches.
pub(super) fn is_glob(path: &str) -> bool {
    path.contains(['*', '?', '[', '{'])
}

fn look_at_sources(texts: &[String], base: &Path) -> Result<(), BadSource> {
    let Err(errors) = local::sources(texts, base) else { return Ok(()) };
    // The first that is wrong together with those before it.
    let of_first = |count: usize| local::sources(texts.get(..count).unwrap_or_default(), base).err();
    let (count, errors) =
        (1..texts.len()).find_map(|count| Some((count, of_first(count)?))).unwrap_or((texts.len(), errors));
    let message = errors.first().map(source_error).unwrap_or_default();
    Err(BadSource { index: count.saturating_sub(1), problem: FileProblem::new(message) })
}

fn source_error(error: &SourceError) -> String {
    match error {
        SourceError::Missing { path } => format!("cannot read {}: no such file or folder", path.display()),
        SourceError::Io { path, source } => format!("cannot read {}: {}", path.display(), reason(source)),
        SourceError::Empty
        | SourceError::Dangling { .. }
        | SourceError::NoMatch { .. }
        | SourceError::Glob(_)
        | SourceError::FileAsFolder { .. }
        | SourceError::Special { .. }
        | SourceError::NoName { .. }
        | SourceError::SameName { .. } => error.to_string(),
    }
}

fn look_at_folder(path: &Path) -> Result<(), FileProblem> {
    if !metadata(path)?.is_dir() {
        return Err(FileProblem::new(format!("{} is not a folder", path.display())));
    }
    fs::read_dir(path).map(drop).map_err(|error| unreadable(path, &error))
}

fn look_at_script(path: &Path, shell: Option<&str>) -> Result<(), FileProblem> {
    if !metadata(path)?.is_file() {
        return Err(FileProblem::new(format!("{} is not a file", path.display())));
    }
    let content = fs::read(path).map_err(|error| unreadable(path, &error))?;
    carried::check(&content, shell).map_err(|why| FileProblem {
        message: format!("{}: {why}", path.display()),
        help: Some(why.help().to_owned()),
    })
}

fn read_template(path: &Path) -> Result<TemplatedFile, FileProblem> {
    let about = metadata(path)?;
    if !about.is_file() {
        return Err(FileProblem::new(format!("{} is not a file", path.display())));
    }
    if about.len() > MAX_EXPANSION as u64 {
        let most = MAX_EXPANSION / 1024;
        return Err(FileProblem {
            message: format!("{} is larger than {most} KiB, the limit of a template", path.display()),
            help: Some("`put` sends files of any size as they are".to_owned()),
        });
    }
    let bytes = fs::read(path).map_err(|error| unreadable(path, &error))?;
    let text = String::from_utf8(bytes).map_err(|_| FileProblem {
        message: format!("{} is not UTF-8 text", path.display()),
        help: Some("`put` sends files as they are".to_owned()),
    })?;
    let file: Arc<str> = Arc::from(path.to_string_lossy());
    let at = |(line, column)| Position::new(Arc::clone(&file), line, column);
    Ok(match template::check(&text, Syntax::Text) {
        Ok(names) => {
            let placed = names.into_iter().map(|name| {
                let place = template::place(&text, Syntax::Text, &name).unwrap_or((1, 1));
                (name, at(place))
            });
            let names = template::names(&text, Syntax::Text).unwrap_or_default();
            TemplatedFile { problem: None, needed: placed.collect(), names }
        }
        Err(error) => {
            let place = at((error.line, error.column.unwrap_or(1)));
            let problem = FileProblem { message: error.message, help: error.help };
            TemplatedFile { problem: Some((place, problem)), ..TemplatedFile::default() }
        }
    })
}

/// Whether a folder can be written in, or made: the nearest one above it that is there must let us.
pub(super) fn writable(folder: &Path) -> Result<(), FileProblem> {
    for at in folder.ancestors() {
        let at = if at.as_os_str().is_empty() { Path::new(".") } else { at };
        match fs::metadata(at) {
            Ok(about) if about.is_dir() => {
                return access(at, Access::WRITE_OK | Access::EXEC_OK).map_err(|error| {
                    let why = reason(&error.into());
                    FileProblem::new(format!("cannot write in {}: {why}", at.display()))
                });
            }
            Ok(_) => return Err(FileProblem::new(format!("{} is not a folder", at.display()))),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
            Err(error) => return Err(unreadable(at, &error)),
        }
    }
    Ok(())
}

fn metadata(path: &Path) -> Result<fs::Metadata, FileProblem> {
    if path.as_os_str().is_empty() {
        return Err(FileProblem::new("the path is empty".to_owned()));
    }
    fs::metadata(path).map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, error: &io::Error) -> FileProblem {
    FileProblem::new(format!("cannot read {}: {}", path.display(), reason(error)))
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "no such file or folder".to_owned(),
        ErrorKind::PermissionDenied => "permission denied".to_owned(),
        ErrorKind::NotADirectory => "not a folder".to_owned(),
        _ => error.to_string(),
    }
}
