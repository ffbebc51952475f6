//! Files that the readers of a run write: looked at before any host is contacted, written afterwards.
//!
//! Owns where what is written ends up: in a file of the user's own at just that place ([`fresh`]).

mod fresh;

use std::collections::HashMap;
use std::env;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use crate::cli::error::{CliError, talk};
use crate::model::position::Diagnostic;
use crate::report::file::{ReportKind, ReportTarget};
use crate::report::{Composite, Jsonl, PutPiece, Reporter, Reports};

/// How pieces get into the files of a folder, which is made now.
pub(super) fn outdir(folder: &Path) -> Result<PutPiece, CliError> {
    let shown = folder.display().to_string();
    let refused = |why: &io::Error| -> CliError {
        Diagnostic::bare(format!("cannot write into --outdir {shown}: {why}")).into()
    };
    fresh::trusted_folder(folder).map_err(|error| refused(&error))?;
    fs::create_dir_all(folder).map_err(|error| refused(&error))?;
    access(folder, Access::WRITE_OK | Access::EXEC_OK).map_err(|error| refused(&error.into()))?;
    // The same folder to the end, whatever is put in its place meanwhile.
    let open: OwnedFd = File::open(folder).map_err(|error| refused(&error))?.into();
    let folder = folder.to_owned();
    let mut made = HashMap::new();
    Ok(Box::new(move |name, anew, data| {
        let written = if anew {
            fresh::file(&open, name).map(|(file, identity)| {
                made.insert(name.to_owned(), identity);
                file
            })
        } else {
            let identity = made.get(name).copied();
            identity.ok_or_else(fresh::replaced).and_then(|identity| fresh::again(&open, name, identity))
        };
        let written = written.and_then(|mut file| file.write_all(data));
        let path = folder.join(name);
        written.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
    }))
}

/// The extension of a file that gets the event stream as it comes.
const STREAM: &str = "jsonl";

/// Takes the paths of event streams out of those of reports.
pub(super) fn split_streams(paths: &[PathBuf]) -> (Vec<PathBuf>, Vec<PathBuf>) {
    paths.iter().cloned().partition(|path| is_stream(path))
}

/// Whether a file is an event stream, by its extension.
pub(super) fn is_stream(path: &Path) -> bool {
    path.extension().is_some_and(|end| end.eq_ignore_ascii_case(STREAM))
}

/// Opens the file of an event stream; what was in it is gone. `flag` is what stands before the path in messages.
pub(super) fn stream(path: &Path, flag: &str) -> Result<File, CliError> {
    fresh::at(path)
        .map_err(|error| Diagnostic::bare(format!("cannot write {flag}{}: {error}", path.display())).into())
}

/// All that is made of a recorded run, as files. `read` are those that it is read from.
pub(super) fn readers(paths: &[PathBuf], flag: &str, read: &[PathBuf]) -> Result<Composite, CliError> {
    let (streams, others) = split_streams(paths);
    let mut readers: Vec<Box<dyn Reporter>> = vec![Box::new(Reports::new(reports(&others, flag)?))];
    for path in &streams {
        if read.iter().any(|read| is_same(read, path)) {
            let message = format!("{flag}{} is read, and cannot be written at the same time", path.display());
            return Err(CliError::input(message));
        }
        readers.push(Box::new(Jsonl::new(Box::new(stream(path, flag)?))));
    }
    Ok(Composite::new(readers))
}

/// Whether two paths lead to one file.
pub(super) fn is_same(one: &Path, other: &Path) -> bool {
    let identity = |path| fs::metadata(path).ok().map(|meta| (meta.dev(), meta.ino()));
    identity(one).is_some_and(|one| Some(one) == identity(other))
}

/// The extensions of the reports about runs.
pub(super) fn kinds() -> Vec<&'static str> {
    ReportKind::ALL.iter().map(|kind| kind.extension()).collect()
}

/// Reports as files; all that is wrong with their paths at once. `flag` is what stands before a path in messages.
pub(super) fn reports(paths: &[PathBuf], flag: &str) -> Result<Vec<ReportTarget>, CliError> {
    let mut targets = Vec::new();
    let mut problems = Vec::new();
    for (at, path) in paths.iter().enumerate() {
        if paths.iter().take(at).any(|other| other == path) {
            problems.push(Diagnostic::bare(format!("{flag}{} is given twice", path.display())));
            continue;
        }
        match report(path, flag) {
            Ok(target) => targets.push(target),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(targets) } else { Err(CliError::Input(problems)) }
}

fn report(path: &Path, flag: &str) -> Result<ReportTarget, Diagnostic> {
    let shown = path.display();
    let Some(kind) = ReportKind::of(path) else {
        let known: Vec<String> =
            ReportKind::ALL.iter().map(|kind| format!(".{}", kind.extension())).collect();
        return Err(Diagnostic::bare(format!("{flag}{shown}: unknown report format"))
            .help(format!("one of {}; .xml is JUnit's", known.join(" "))));
    };
    Ok(ReportTarget::File(kind, Box::new(whole(path, flag)?)))
}

/// How a file gets its content: whole, or not at all.
pub(super) type PutWhole = Box<dyn Fn(&[u8]) -> io::Result<()> + Send>;

/// How the file at a path gets its content, once it is sure that it can be written. `flag` is what stands before the path in
/// messages.
pub(super) fn whole(path: &Path, flag: &str) -> Result<PutWhole, Diagnostic> {
    let shown = path.display();
    let refused = |why: &str| Diagnostic::bare(format!("cannot write {flag}{shown}: {why}"));
    // A link is replaced and not followed: who put it there may not be who runs this.
    let path = path.to_owned();
    if path.is_dir() {
        return Err(refused("it is a folder"));
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    if !folder.is_dir() {
        return Err(refused("its folder does not exist").help(format!("mkdir -p {}", folder.display())));
    }
    access(&folder, Access::WRITE_OK | Access::EXEC_OK)
        .map_err(|error| refused(&io::Error::from(error).to_string()))?;
    let named = path.clone();
    Ok(Box::new(move |data: &[u8]| {
        // As any new file: the user's umask decides who may read it.
        let written = write_whole(&folder, &path, data, 0o666);
        written.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", named.display())))
    }))
}

/// Writes a file for its owner alone, whole or not at all.
pub(super) fn private(path: &Path, data: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    write_whole(folder.unwrap_or(Path::new(".")), path, data, 0o600)
}

/// Writes a file so that it is there whole or as it was, readable as far as the user's umask allows.
fn write_whole(folder: &Path, path: &Path, data: &[u8], mode: u32) -> io::Result<()> {
    let readable = Permissions::from_mode(mode);
    let mut file = tempfile::Builder::new().prefix(".fan-").permissions(readable).tempfile_in(folder)?;
    file.write_all(data)?;
    file.as_file().sync_data()?;
    file.persist(path).map(drop).map_err(|error| error.error)
}

/// Where GitHub's runner takes a summary. One that cannot be written fails no deploy.
pub(super) fn summary() -> Option<ReportTarget> {
    let path = PathBuf::from(env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty())?);
    let put = move |data: &[u8]| {
        let written = OpenOptions::new()
            .append(true)
            .create(true)
            .open(&path)
            .and_then(|mut file| file.write_all(data));
        if let Err(error) = written {
            talk(&format!("warning: cannot write the summary {}: {error}", path.display()));
        }
        Ok(())
    };
    Some(ReportTarget::Summary(Box::new(put)))
}
