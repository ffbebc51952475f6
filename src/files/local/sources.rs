//! What the paths and globs of an upload stand for.

use std::ffi::{OsStr, OsString};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, open};
use thiserror::Error;

use crate::files::select::{PathGlob, PathPart, SelectError};

/// A file or folder that is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadSource {
    /// Where it is. Relative only when the base is.
    pub path: PathBuf,
    /// Its last name: also for `..` the one that the folder has. Empty for `/`.
    pub name: OsString,
    /// What it is; a link counts as what it points at.
    pub kind: SourceKind,
    /// The text ended in `/`: what is in the folder is sent, not the folder itself.
    pub contents_only: bool,
    /// The text is a glob: it may stand for more another time.
    pub by_glob: bool,
}

/// What a source is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceKind {
    /// A regular file.
    File {
        /// Its size in bytes.
        size: u64,
        /// Permission bits, at most `0o7777`.
        mode: u32,
        /// Last modification, whole seconds since 1970.
        mtime: i64,
    },
    /// A folder.
    Folder,
}

/// Why a text names nothing that can be sent.
#[derive(Debug, Error)]
pub enum SourceError {
    /// It is empty.
    #[error("an empty path names no file")]
    Empty,
    /// Nothing is there.
    #[error("no such file or folder: {}", path.display())]
    Missing {
        /// Where.
        path: PathBuf,
    },
    /// A link is there whose target is not.
    #[error("{} is a dangling link", path.display())]
    Dangling {
        /// The link.
        path: PathBuf,
    },
    /// A glob stands for nothing.
    #[error("nothing matches {text}")]
    NoMatch {
        /// As it was written.
        text: String,
    },
    /// A glob cannot be read.
    #[error(transparent)]
    Glob(#[from] SelectError),
    /// A `/` at the end, and a file.
    #[error("{text} ends in \"/\", but is a file")]
    FileAsFolder {
        /// As it was written.
        text: String,
    },
    /// A socket, a pipe, a device.
    #[error("{} is {what}, and only files and folders can be sent", path.display())]
    Special {
        /// Where.
        path: PathBuf,
        /// What it is: `a socket`.
        what: &'static str,
    },
    /// `/` has no name under which it could be sent.
    #[error("{text} has no name: only its contents can be sent")]
    NoName {
        /// As it was written.
        text: String,
    },
    /// Both would be at the same path on the host.
    #[error("{} and {} have the same name", first.display(), second.display())]
    SameName {
        /// One.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// It cannot be read.
    #[error("cannot read {}", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// Finds what the texts name, in their order; matches of a glob in the order of bytes.
///
/// A path that is there wins over its reading as a glob. Relative ones begin at `base`. What is named twice is
/// there once.
///
/// # Errors
///
/// All that is wrong, at once.
pub fn sources(patterns: &[impl AsRef<str>], base: &Path) -> Result<Vec<UploadSource>, Vec<SourceError>> {
    let mut found: Vec<UploadSource> = Vec::new();
    let mut errors = Vec::new();
    for text in patterns {
        match named(text.as_ref(), base) {
            Ok(sources) => {
                for source in sources {
                    match source.and_then(|source| admit(source, &found)) {
                        Ok(Some(source)) => found.push(source),
                        Ok(None) => {}
                        Err(error) => errors.push(error),
                    }
                }
            }
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(found) } else { Err(errors) }
}

/// The source, unless it is there already.
fn admit(source: UploadSource, found: &[UploadSource]) -> Result<Option<UploadSource>, SourceError> {
    if source.contents_only {
        let known = found.iter().any(|other| other.contents_only && other.path == source.path);
        return Ok((!known).then_some(source));
    }
    match found.iter().find(|other| !other.contents_only && other.name == source.name) {
        None => Ok(Some(source)),
        Some(other) if other.path == source.path => Ok(None),
        Some(other) => Err(SourceError::SameName { first: other.path.clone(), second: source.path }),
    }
}

/// What one text stands for.
fn named(text: &str, base: &Path) -> Result<Vec<Result<UploadSource, SourceError>>, SourceError> {
    if text.is_empty() {
        return Err(SourceError::Empty);
    }
    let trimmed = text.trim_end_matches('/');
    let path = base.join(if trimmed.is_empty() { "/" } else { trimmed });
    match fs::symlink_metadata(&path) {
        Ok(_) => Ok(vec![source(text, path, false)]),
        Err(_) if PathGlob::is_glob(text) => {
            let paths = expand(&PathGlob::new(text)?, base)?;
            if paths.is_empty() {
                return Err(SourceError::NoMatch { text: text.to_owned() });
            }
            Ok(paths.into_iter().map(|path| source(text, path, true)).collect())
        }
        Err(error) => Err(unreadable(path, error)),
    }
}

/// What is at a path that a text stands for.
fn source(text: &str, path: PathBuf, by_glob: bool) -> Result<UploadSource, SourceError> {
    let metadata = match fs::metadata(&path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound && path.is_symlink() => {
            return Err(SourceError::Dangling { path });
        }
        Err(error) => return Err(unreadable(path, error)),
    };
    let contents_only = text.ends_with('/');
    if !metadata.is_file() && !metadata.is_dir() {
        return Err(SourceError::Special { what: special(&metadata), path });
    }
    // To see whether it can be read. It may have become a pipe since: that must not wait for a writer.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    open(&path, flags, Mode::empty()).map_err(|errno| unreadable(path.clone(), errno.into()))?;
    let kind = if metadata.is_dir() {
        SourceKind::Folder
    } else if contents_only {
        return Err(SourceError::FileAsFolder { text: text.to_owned() });
    } else {
        SourceKind::File { size: metadata.len(), mode: metadata.mode() & 0o7777, mtime: metadata.mtime() }
    };
    let name = name(&path)?;
    if name.is_empty() && !contents_only {
        return Err(SourceError::NoName { text: text.to_owned() });
    }
    Ok(UploadSource { path, name, kind, contents_only, by_glob })
}

/// The last name of a path; for `.` and `..`, the one that the folder has.
fn name(path: &Path) -> Result<OsString, SourceError> {
    let last = path.as_os_str().as_bytes().rsplit(|&byte| byte == b'/').next();
    if let Some(last) = last
        && !matches!(last, b"" | b"." | b"..")
    {
        return Ok(OsStr::from_bytes(last).to_owned());
    }
    let real = path.canonicalize().map_err(|error| unreadable(path.to_path_buf(), error))?;
    Ok(real.file_name().unwrap_or_default().to_owned())
}

/// The paths that a glob stands for, in the order of bytes.
fn expand(glob: &PathGlob, base: &Path) -> Result<Vec<PathBuf>, SourceError> {
    let start = if glob.is_absolute() { PathBuf::from("/") } else { base.to_path_buf() };
    let mut paths = vec![start];
    for part in glob.parts() {
        let mut next = Vec::new();
        for path in paths {
            match part {
                PathPart::Name(name) => next.push(path.join(OsStr::from_bytes(name))),
                PathPart::Glob(_) => {
                    let names = names(&path)?.into_iter().filter(|name| part.matches(name.as_bytes()));
                    next.extend(names.map(|name| path.join(name)));
                }
            }
        }
        paths = next;
    }
    let folders_only = glob.folders_only();
    paths.retain(|path| if folders_only { path.is_dir() } else { fs::symlink_metadata(path).is_ok() });
    Ok(paths)
}

/// The names in a folder, sorted; none when there is no such folder.
fn names(folder: &Path) -> Result<Vec<OsString>, SourceError> {
    // The command line's paths begin at the current folder, whose path is empty.
    let listed = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let listed = fs::read_dir(listed).and_then(|entries| {
        entries.map(|entry| entry.map(|entry| entry.file_name())).collect::<io::Result<Vec<_>>>()
    });
    match listed {
        Ok(mut names) => {
            names.sort_unstable();
            Ok(names)
        }
        Err(error) if is_absence(&error) => Ok(Vec::new()),
        Err(source) => Err(SourceError::Io { path: folder.to_path_buf(), source }),
    }
}

fn unreadable(path: PathBuf, source: io::Error) -> SourceError {
    if is_absence(&source) { SourceError::Missing { path } } else { SourceError::Io { path, source } }
}

fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn special(metadata: &Metadata) -> &'static str {
    let kind = metadata.file_type();
    if kind.is_socket() {
        "a socket"
    } else if kind.is_fifo() {
        "a pipe"
    } else {
        "a device"
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::os::unix::net::UnixListener;
    use std::path::Path;

    use rustix::fs::{CWD, Mode, mkfifoat};
    use tempfile::TempDir;

    use crate::files::local::sources::{SourceKind, UploadSource, sources};

    /// A folder with some of everything.
    fn folder() -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        for path in ["a.txt", "b.txt", ".hidden.txt", "x*y", "xxy", "dir/a.txt", "dir/sub/c.txt", "dir2/d"] {
            let full = folder.path().join(path);
            fs::create_dir_all(full.parent().unwrap()).unwrap();
            fs::write(full, path).unwrap();
        }
        folder
    }

    /// What is found: the path below the folder, and the name when it is not the last of the path.
    fn found(folder: &Path, patterns: &[&str]) -> Vec<String> {
        let show = |source: UploadSource| {
            let path = source.path.strip_prefix(folder).unwrap_or(&source.path).display().to_string();
            let slash = if source.contents_only { "/" } else { "" };
            let kind = if source.kind == SourceKind::Folder { " folder" } else { "" };
            let name = source.name.to_str().unwrap();
            let name = if path.ends_with(name) { String::new() } else { format!(" ({name})") };
            format!("{path}{slash}{kind}{name}")
        };
        sources(patterns, folder).unwrap().into_iter().map(show).collect()
    }

    fn refused(folder: &Path, patterns: &[&str]) -> Vec<String> {
        let errors = sources(patterns, folder).unwrap_err();
        let words = errors.iter().map(|error| {
            let cause =
                std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
            format!("{error}{cause}").replace(folder.to_str().unwrap(), "ROOT")
        });
        words.collect()
    }

    #[test]
    fn paths_and_globs_are_found() {
        let folder = folder();
        symlink("dir", folder.path().join("link")).unwrap();
        symlink("a.txt", folder.path().join("l.txt")).unwrap();
        for (patterns, sources) in [
            (&["a.txt"][..], &["a.txt"][..]),
            (&["./a.txt", "a.txt", "dir//sub"], &["a.txt", "dir//sub folder"]),
            (&["*.txt"], &["a.txt", "b.txt", "l.txt"]),
            (&[".*.txt"], &[".hidden.txt"]),
            (&["b.txt", "*.txt"], &["b.txt", "a.txt", "l.txt"]),
            (&["x*y"], &["x*y"]),
            (&["x[*x]y"], &["x*y", "xxy"]),
            (&[r"x\**"], &["x*y"]),
            (&["d*/*.txt"], &["dir/a.txt"]),
            (&["dir*"], &["dir folder", "dir2 folder"]),
            (&["dir*/"], &["dir/ folder", "dir2/ folder"]),
            (&["[ad]*/"], &["dir/ folder", "dir2/ folder"]),
            (&["d*/sub/../a.{txt,md}"], &["dir/sub/../a.txt"]),
            (&["dir", "dir/"], &["dir folder", "dir/ folder"]),
            (&["dir/", "dir/"], &["dir/ folder"]),
            (&["dir/sub/..", "dir/sub/."], &["dir/sub/.. folder (dir)", "dir/sub folder"]),
            (&["link"], &["link folder"]),
        ] {
            assert_eq!(found(folder.path(), patterns), sources, "{patterns:?}");
        }
    }

    #[test]
    fn the_folder_itself_has_its_own_name() {
        let folder = folder();
        let name = folder.path().canonicalize().unwrap().file_name().unwrap().to_owned();
        for (text, contents_only) in [(".", false), ("./", true), ("dir/..", false)] {
            let sources = sources(&[text], folder.path()).unwrap();
            assert_eq!((&sources[0].name, sources[0].contents_only), (&name, contents_only), "{text}");
        }
    }

    #[test]
    fn absolute_paths_do_not_begin_at_the_base() {
        let folder = folder();
        let absolute = format!("{}/*.txt", folder.path().display());
        let sources = sources(&[absolute], Path::new("/nowhere")).unwrap();
        assert_eq!(sources.len(), 2);
    }

    #[test]
    fn sizes_modes_and_times_are_those_of_the_file_behind_a_link() {
        let folder = folder();
        let file = fs::File::options().write(true).open(folder.path().join("a.txt")).unwrap();
        file.set_permissions(PermissionsExt::from_mode(0o2755)).unwrap();
        file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(77)).unwrap();
        symlink("a.txt", folder.path().join("link")).unwrap();
        let sources = sources(&["link"], folder.path()).unwrap();
        assert_eq!(sources[0].kind, SourceKind::File { size: 5, mode: 0o2755, mtime: 77 });
        assert_eq!(sources[0].name, "link");
    }

    #[test]
    fn what_cannot_be_sent_is_told() {
        let folder = folder();
        let _socket = UnixListener::bind(folder.path().join("socket")).unwrap();
        mkfifoat(CWD, folder.path().join("pipe"), Mode::RWXU).unwrap();
        symlink("nothing", folder.path().join("dangling")).unwrap();
        symlink("loop", folder.path().join("loop")).unwrap();
        let long = "n".repeat(300);
        for (text, message) in [
            ("", "an empty path names no file"),
            ("nothing", "no such file or folder: ROOT/nothing"),
            ("a.txt/b", "no such file or folder: ROOT/a.txt/b"),
            ("no*", "nothing matches no*"),
            ("no*/", "nothing matches no*/"),
            ("a.txt/*", "nothing matches a.txt/*"),
            ("a*/", "nothing matches a*/"),
            ("no[", r#"pattern "no[": unclosed character class; missing ']'"#),
            ("a.txt/", r#"a.txt/ ends in "/", but is a file"#),
            ("socket", "ROOT/socket is a socket, and only files and folders can be sent"),
            ("pip?", "ROOT/pipe is a pipe, and only files and folders can be sent"),
            ("/dev/null", "/dev/null is a device, and only files and folders can be sent"),
            ("dangling", "ROOT/dangling is a dangling link"),
            ("/.", "/. has no name: only its contents can be sent"),
        ] {
            assert_eq!(refused(folder.path(), &[text]), [message], "{text}");
        }
        assert!(refused(folder.path(), &["loop"])[0].starts_with("cannot read ROOT/loop: "));
        assert!(refused(folder.path(), &[&long])[0].starts_with("cannot read ROOT/nnn"));
    }

    #[test]
    fn all_errors_are_told_at_once() {
        let folder = folder();
        assert_eq!(
            refused(folder.path(), &["nothing", "a.txt", "no*", "dir/*", "./a.txt"]),
            [
                "no such file or folder: ROOT/nothing",
                "nothing matches no*",
                "ROOT/a.txt and ROOT/dir/a.txt have the same name",
            ]
        );
    }
}
