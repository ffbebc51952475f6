//! Configuration files as statements: reads them, follows `Include`, types every argument, collects what is wrong.
//!
//! Nothing here depends on a host, so files are read once for all hosts. What OpenSSH refuses about a file is
//! an error of the whole file here too; what only fan cannot do is left to the hosts that it touches.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::findings::Findings;
use crate::config::glob;
use crate::config::source;
use crate::config::ssh_config::criteria::{self, Conditions};
use crate::config::ssh_config::keywords::{self, Field, Treatment};
use crate::config::ssh_config::lines::{self, ConfigLine, words};
use crate::config::ssh_config::value::{self, KeywordValue};
use crate::model::position::{Diagnostic, Position};

/// Files inside each other (`READCONF_MAX_DEPTH` in OpenSSH's readconf.c).
const MAX_DEPTH: usize = 16;

/// Statements of a file with everything that it includes, however often.
const MAX_STATEMENTS: usize = 100_000;

/// A file as statements.
#[derive(Debug, Default)]
pub(super) struct ConfigFile {
    /// In the order of the file.
    pub(super) statements: Vec<Statement>,
    /// Whether a `Match final` stands in it or below it.
    pub(super) wants_final: bool,
    /// Levels of files below it.
    height: usize,
    /// Statements in it and below it.
    weight: usize,
}

/// A line that does something.
#[derive(Debug)]
pub(super) struct Statement {
    /// Where it stands.
    pub(super) at: Position,
    /// What it does.
    pub(super) what: What,
}

/// What a line does.
#[derive(Debug)]
pub(super) enum What {
    /// Opens a block for hosts by name.
    Host(Vec<HostPattern>),
    /// Opens a block for hosts by conditions.
    Match(Conditions),
    /// Stands for the lines of other files.
    Include(Vec<Arc<ConfigFile>>),
    /// Sets a value.
    Set(KeywordValue),
    /// Means something that fan does not do.
    Refuse(String),
}

/// A pattern of a `Host` line.
#[derive(Debug)]
pub(super) struct HostPattern {
    /// Whether a match rules the block out.
    pub(super) negated: bool,
    /// The pattern without its `!`.
    pub(super) pattern: String,
}

/// Whose configuration a file belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// The user's.
    User,
    /// The system's.
    System,
}

/// What a file must be like to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Terms {
    /// Nobody but its reader and root may be able to change it.
    pub(super) safe: bool,
    /// It has to exist.
    pub(super) exists: bool,
}

/// Reads files and everything that they include.
pub(super) struct Loader<'l> {
    /// The user's home folder.
    home: &'l Path,
    /// The user's numeric id.
    uid: u32,
    /// Where relative paths of the system's configuration start.
    system: &'l Path,
    /// What is wrong so far.
    pub(super) findings: Findings,
    /// The files that are being read, outermost first.
    open: Vec<PathBuf>,
    done: HashMap<(PathBuf, bool), Arc<ConfigFile>>,
}

impl<'l> Loader<'l> {
    /// A loader; relative includes of the system's files start at `system`.
    pub(super) fn new(home: &'l Path, uid: u32, system: &'l Path) -> Self {
        let (findings, open, done) = (Findings::default(), Vec::new(), HashMap::new());
        Self { home, uid, system, findings, open, done }
    }

    /// Reads a file; without one there is an empty configuration.
    pub(super) fn load(&mut self, path: &Path, side: Side, terms: Terms) -> Arc<ConfigFile> {
        match self.bytes(path, terms) {
            Ok(None) => Arc::default(),
            Ok(Some(bytes)) => {
                self.open.push(path.canonicalize().unwrap_or_else(|_| path.to_owned()));
                let file = Arc::new(self.parse(path, &bytes, side));
                self.open.pop();
                file
            }
            Err(reason) => {
                self.findings.push(Diagnostic::bare(format!("{}: {reason}", path.display())));
                Arc::default()
            }
        }
    }

    fn bytes(&self, path: &Path, terms: Terms) -> Result<Option<Vec<u8>>, String> {
        if !terms.exists && path.try_exists().is_ok_and(|exists| !exists) {
            return Ok(None);
        }
        let file = source::open(path)?;
        if terms.safe {
            // Asked of the open file, so that nobody can put another one in its place.
            let about = file.metadata().map_err(|error| format!("cannot read: {error}"))?;
            if about.uid() != 0 && about.uid() != self.uid {
                return Err(format!("belongs to another user (uid {}), who could change it", about.uid()));
            }
            if about.mode() & 0o022 != 0 {
                return Err(format!("writable by others ({:04o}): chmod go-w", about.mode() & 0o7777));
            }
        }
        source::drain(file).map(Some)
    }

    fn parse(&mut self, path: &Path, bytes: &[u8], side: Side) -> ConfigFile {
        let name: Arc<str> = Arc::from(path.to_string_lossy());
        let mut file = ConfigFile::default();
        for (index, bytes) in bytes.split(|&b| b == b'\n').enumerate() {
            let number = u32::try_from(index).unwrap_or(u32::MAX).saturating_add(1);
            let start = Position::new(Arc::clone(&name), number, 1);
            if bytes.trim_ascii_start().starts_with(b"#") {
                // Whatever its encoding.
                continue;
            }
            let Ok(text) = std::str::from_utf8(bytes) else {
                self.findings.error(&start, "not UTF-8");
                continue;
            };
            if text.contains('\0') {
                self.findings.error(&start, "NUL character");
                continue;
            }
            let Some(line) = lines::line(text) else { continue };
            let at = Position { column: line.column, ..start };
            match self.statement(&line, &at, side) {
                Ok(Some(what)) => self.add(&mut file, Statement { at, what }),
                Ok(None) => {}
                Err(error) => self.findings.push(error),
            }
        }
        file
    }

    fn add(&mut self, file: &mut ConfigFile, statement: Statement) {
        file.weight = file.weight.saturating_add(1);
        match &statement.what {
            What::Match(conditions) => file.wants_final |= conditions.wants_final,
            What::Include(files) => {
                for below in files {
                    file.wants_final |= below.wants_final;
                    file.height = file.height.max(below.height.saturating_add(1));
                    file.weight = file.weight.saturating_add(below.weight);
                }
            }
            What::Host(_) | What::Set(_) | What::Refuse(_) => {}
        }
        if file.weight > MAX_STATEMENTS {
            self.findings.error(
                &statement.at,
                format!("too large: more than {MAX_STATEMENTS} lines, counting each file as often as it is included"),
            );
            // Nothing can come of it any more, and the rest would repeat the message.
            *file = ConfigFile::default();
            return;
        }
        file.statements.push(statement);
    }

    fn statement(
        &mut self,
        line: &ConfigLine<'_>,
        at: &Position,
        side: Side,
    ) -> Result<Option<What>, Diagnostic> {
        let known = keywords::find(&line.keyword);
        let name = known.map_or(line.keyword.as_str(), |keyword| keyword.name);
        let error = |message: String| Diagnostic::at(at, format!("{}: {message}", shown(name)));
        if line.rest.is_empty() {
            return Err(error("no value".to_owned()));
        }
        let arguments = words(line.rest).ok_or_else(|| {
            error("unclosed quote".to_owned()).help("OpenSSH refuses the file as well; write \\' or \\\"")
        })?;
        let Some(keyword) = known else {
            return Ok(Some(What::Set(KeywordValue::Unknown(line.keyword.clone()))));
        };
        Ok(Some(match keyword.treatment {
            Treatment::Ignored => return Ok(None),
            Treatment::Warned { .. } | Treatment::Refused { .. } => {
                What::Set(KeywordValue::Other(keyword, arguments.join(" ")))
            }
            Treatment::Read(Field::Host) => What::Host(host_patterns(arguments).map_err(error)?),
            Treatment::Read(Field::Match) => What::Match(criteria::parse(line.rest).map_err(error)?),
            Treatment::Read(Field::Include) => return self.include(arguments, at, side).map(Some),
            Treatment::Read(field) => match value::value(field, line.rest).map_err(error)? {
                Some(value) => What::Set(value),
                None => return Ok(None),
            },
        }))
    }

    fn include(&mut self, arguments: Vec<String>, at: &Position, side: Side) -> Result<What, Diagnostic> {
        let mut files = Vec::new();
        for argument in arguments {
            if argument.is_empty() {
                return Err(Diagnostic::at(at, "Include: empty value"));
            }
            if argument.contains('%') || argument.contains("${") {
                return Ok(What::Refuse(format!(
                    "Include {}: tokens in its path depend on the version of OpenSSH",
                    shown(&argument)
                )));
            }
            let pattern = self.anchored(&argument, side).map_err(|message| Diagnostic::at(at, message))?;
            let paths = glob::paths(&pattern).map_err(|error| {
                Diagnostic::at(at, format!("Include {}: cannot look for it: {error}", shown(&argument)))
            })?;
            for path in paths {
                files.extend(self.included(&path, at, side)?);
            }
        }
        Ok(What::Include(files))
    }

    /// The path of an include from the root on: the user's start at `~/.ssh`, the system's at its own folder.
    fn anchored(&self, argument: &str, side: Side) -> Result<PathBuf, String> {
        if let Some(rest) = argument.strip_prefix('~') {
            if side == Side::System {
                return Err("Include: \"~\" cannot be used in the system's configuration".to_owned());
            }
            return match rest.strip_prefix('/') {
                Some(rest) => Ok(self.home.join(rest.trim_start_matches('/'))),
                None => Err("Include: only your own home folder can be written as ~".to_owned()),
            };
        }
        Ok(match side {
            Side::User => self.home.join(".ssh").join(argument),
            Side::System => self.system.join(argument),
        })
    }

    fn included(
        &mut self,
        path: &Path,
        at: &Position,
        side: Side,
    ) -> Result<Option<Arc<ConfigFile>>, Diagnostic> {
        // OpenSSH opens folders too and finds no lines in them.
        if path.is_dir() {
            return Ok(None);
        }
        let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        if let Some(first) = self.open.iter().position(|open| *open == real) {
            let circle = self.open.iter().skip(first).chain([&real]);
            let circle = circle.map(|path| path.display().to_string()).collect::<Vec<_>>().join(" → ");
            return Err(Diagnostic::at(at, format!("include cycle: {circle}")));
        }
        let too_deep = || Diagnostic::at(at, format!("Include: more than {MAX_DEPTH} levels deep"));
        if self.open.len() > MAX_DEPTH {
            return Err(too_deep());
        }
        let key = (path.to_owned(), side == Side::User);
        let file = match self.done.get(&key) {
            Some(file) => Arc::clone(file),
            None => {
                let file = self.load(path, side, Terms { safe: true, exists: false });
                self.done.insert(key, Arc::clone(&file));
                file
            }
        };
        if self.open.len().saturating_add(file.height) > MAX_DEPTH {
            return Err(too_deep());
        }
        Ok(Some(file))
    }
}

fn host_patterns(arguments: Vec<String>) -> Result<Vec<HostPattern>, String> {
    let pattern = |word: String| {
        if word.is_empty() {
            return Err("empty pattern".to_owned());
        }
        Ok(match word.strip_prefix('!') {
            Some(pattern) => HostPattern { negated: true, pattern: pattern.to_owned() },
            None => HostPattern { negated: false, pattern: word },
        })
    };
    arguments.into_iter().map(pattern).collect()
}

/// A word of the file for a message: escaped and of bearable length.
fn shown(word: &str) -> String {
    word.chars().take(60).flat_map(char::escape_debug).collect()
}
