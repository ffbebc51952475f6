//! All that is in a folder of this machine, as it is to be sent.
//!
//! Goes by open folders, not by paths: a folder that is swapped for a link on the way is not followed.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, fstat, open, openat, readlinkat, statat};
use rustix::io::Errno;

use crate::files::local::error::LocalError;
use crate::files::local::stat::{FileFacts, FileIdentity, os_path, words};
use crate::files::select::Selection;
use crate::model::files::Links;
use crate::model::tree::{Entry, EntryKind, TreePath};

/// The file whose lines say what of its folder stays here. It stays here itself.
pub const IGNORE_FILE: &str = ".fanignore";

/// How many files and folders are sent at most.
pub const MAX_ENTRIES: usize = 1_000_000;

/// Larger ones are no list of patterns.
const IGNORE_FILE_MAX: u64 = 64 << 10;

/// What of a folder is wanted.
#[derive(Clone, Copy, Debug)]
pub struct WalkRules<'a> {
    /// Which names.
    pub selection: &'a Selection,
    /// What becomes of symbolic links.
    pub links: Links,
}

/// What is in a folder.
#[derive(Clone, Debug, Default)]
pub struct Walked {
    /// What takes part, the folder itself first. In the order of paths, so folders come before what is in them.
    pub entries: Vec<Entry>,
    /// What would take part, but cannot be sent; in the order of paths.
    pub skipped: Vec<Skipped>,
    /// The selection together with all ignore files.
    pub selection: Selection,
}

/// Something that cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Where.
    pub path: TreePath,
    /// What it is: `a socket`.
    pub what: &'static str,
}

/// Lists a folder with all that is below it. A link in the place of the folder itself is followed.
///
/// # Errors
///
/// Something that takes part cannot be read, or there is too much of it.
pub fn walk(root: &Path, rules: WalkRules<'_>) -> Result<Walked, LocalError> {
    walk_at_most(MAX_ENTRIES, root, rules)
}

fn walk_at_most(limit: usize, root: &Path, rules: WalkRules<'_>) -> Result<Walked, LocalError> {
    let walked = Walked { selection: rules.selection.clone(), ..Walked::default() };
    let mut walk = Walk { root, links: rules.links, limit, walked, above: Vec::new() };
    let path = TreePath::root();
    let fd = open(root, FOLDER, Mode::empty()).map_err(|errno| walk.unreadable(&path, errno))?;
    let facts = FileFacts::from(fstat(&fd).map_err(|errno| walk.unreadable(&path, errno))?);
    walk.folder(fd, facts, path, rules.selection)?;
    let mut walked = walk.walked;
    walked.entries.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    walked.skipped.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    Ok(walked)
}

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// A walk on its way.
struct Walk<'a> {
    root: &'a Path,
    links: Links,
    limit: usize,
    walked: Walked,
    /// The folders that it is in, outermost first.
    above: Vec<(FileIdentity, TreePath)>,
}

/// What a name of a folder stands for.
struct FoundEntry {
    facts: FileFacts,
    /// It is a link, and the facts are those of what it points at.
    followed: bool,
}

impl Walk<'_> {
    /// A folder that takes part, and what is in it.
    fn folder(
        &mut self,
        fd: OwnedFd,
        facts: FileFacts,
        path: TreePath,
        selection: &Selection,
    ) -> Result<(), LocalError> {
        self.add(&path, EntryKind::Folder, facts)?;
        let (names, has_ignore_file) = self.names(&fd, &path)?;
        let inner = if has_ignore_file { Some(self.with_ignore_file(&fd, &path, selection)?) } else { None };
        let selection = inner.as_ref().unwrap_or(selection);
        self.above.push((facts.identity, path.clone()));
        for name in names {
            let path = path
                .join(&name)
                .map_err(|why| LocalError::Name { path: self.shown(&path).join(os_path(&name)), why })?;
            self.entry(&fd, &name, path, selection)?;
        }
        self.above.pop();
        Ok(())
    }

    /// Something in a folder that takes part; it may not.
    fn entry(
        &mut self,
        folder: &OwnedFd,
        name: &[u8],
        path: TreePath,
        selection: &Selection,
    ) -> Result<(), LocalError> {
        let found = match self.look(folder, name, &path) {
            Ok(found) => found,
            // What is left out may be as broken as it likes.
            Err(_) if !selection.takes_inside(&path, false) => return Ok(()),
            Err(error) => return Err(error),
        };
        let FoundEntry { facts, followed } = found;
        if !selection.takes_inside(&path, facts.kind == FileType::Directory) {
            return Ok(());
        }
        match facts.kind {
            FileType::RegularFile => self.add(&path, EntryKind::File { size: facts.size }, facts),
            FileType::Directory => {
                let flags = if followed { FOLDER } else { FOLDER | OFlags::NOFOLLOW };
                let fd = openat(folder, name, flags, Mode::empty())
                    .map_err(|errno| self.unreadable(&path, errno))?;
                // It may be another one by now.
                let facts = FileFacts::from(fstat(&fd).map_err(|errno| self.unreadable(&path, errno))?);
                if let Some((_, above)) = self.above.iter().find(|(above, _)| *above == facts.identity) {
                    return Err(LocalError::Loop { path: self.shown(&path), folder: self.shown(above) });
                }
                self.folder(fd, facts, path, selection)
            }
            FileType::Symlink => match self.links {
                Links::Keep => {
                    let target = readlinkat(folder, name, Vec::new())
                        .map_err(|errno| self.unreadable(&path, errno))?
                        .into_bytes();
                    self.add(&path, EntryKind::Link { target }, facts)
                }
                Links::Skip => Ok(()),
                // Followed ones were, a moment ago.
                Links::Follow => Err(LocalError::Changed { path: self.shown(&path) }),
            },
            special => {
                self.walked.skipped.push(Skipped { path, what: words(special) });
                Ok(())
            }
        }
    }

    fn look(&self, folder: &OwnedFd, name: &[u8], path: &TreePath) -> Result<FoundEntry, LocalError> {
        let stat =
            statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).map_err(|errno| self.unreadable(path, errno))?;
        let facts = FileFacts::from(stat);
        if facts.kind != FileType::Symlink || self.links != Links::Follow {
            return Ok(FoundEntry { facts, followed: false });
        }
        match statat(folder, name, AtFlags::empty()) {
            Ok(stat) => Ok(FoundEntry { facts: stat.into(), followed: true }),
            Err(Errno::NOENT | Errno::NOTDIR) => Err(LocalError::Dangling { path: self.shown(path) }),
            Err(Errno::LOOP) => Err(LocalError::EndlessLink { path: self.shown(path) }),
            Err(errno) => Err(self.unreadable(path, errno)),
        }
    }

    /// The names in a folder, and whether one more is that of the ignore file.
    fn names(&self, fd: &OwnedFd, path: &TreePath) -> Result<(Vec<Vec<u8>>, bool), LocalError> {
        let mut names = Vec::new();
        let mut has_ignore_file = false;
        for entry in Dir::read_from(fd).map_err(|errno| self.unreadable(path, errno))? {
            let entry = entry.map_err(|errno| self.unreadable(path, errno))?;
            match entry.file_name().to_bytes() {
                b"." | b".." => {}
                name if name == IGNORE_FILE.as_bytes() => has_ignore_file = true,
                // What is left out counts too: the names have to fit into memory.
                _ if names.len() >= self.limit => return Err(self.too_many(path)),
                name => names.push(name.to_vec()),
            }
        }
        // So that the first of several errors is always the same.
        names.sort_unstable();
        Ok((names, has_ignore_file))
    }

    fn with_ignore_file(
        &mut self,
        folder: &OwnedFd,
        path: &TreePath,
        selection: &Selection,
    ) -> Result<Selection, LocalError> {
        let shown = self.shown(path).join(IGNORE_FILE);
        let unusable = |why| LocalError::IgnoreFile { path: shown.clone(), why };
        let unreadable = |source: io::Error| LocalError::Io { action: "read", path: shown.clone(), source };
        let nofollow = if self.links == Links::Follow { OFlags::empty() } else { OFlags::NOFOLLOW };
        // Without NONBLOCK, opening a pipe would wait for its writer.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY | nofollow;
        let file = match openat(folder, IGNORE_FILE, flags, Mode::empty()) {
            Ok(fd) => File::from(fd),
            Err(Errno::LOOP) => return Err(unusable("is a symbolic link: it must be a file")),
            Err(errno) => return Err(unreadable(errno.into())),
        };
        if !file.metadata().map_err(unreadable)?.is_file() {
            return Err(unusable("is not a file"));
        }
        let mut bytes = Vec::new();
        file.take(IGNORE_FILE_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() as u64 > IGNORE_FILE_MAX {
            return Err(unusable("is larger than 64 KiB"));
        }
        let text = String::from_utf8(bytes).map_err(|_| unusable("is not UTF-8 text"))?;
        let unreadable = |source| LocalError::Select { path: shown.clone(), source };
        self.walked.selection = self.walked.selection.with_file(path, &text).map_err(unreadable)?;
        selection.with_file(path, &text).map_err(unreadable)
    }

    fn add(&mut self, path: &TreePath, kind: EntryKind, facts: FileFacts) -> Result<(), LocalError> {
        if self.walked.entries.len() >= self.limit {
            return Err(self.too_many(&TreePath::root()));
        }
        self.walked.entries.push(Entry { path: path.clone(), kind, mode: facts.mode, mtime: facts.mtime });
        Ok(())
    }

    fn too_many(&self, folder: &TreePath) -> LocalError {
        LocalError::TooMany { path: self.shown(folder), limit: self.limit }
    }

    fn unreadable(&self, path: &TreePath, errno: Errno) -> LocalError {
        let shown = self.shown(path);
        match errno {
            // It was there a moment ago, and it was what it was opened as.
            Errno::NOENT | Errno::NOTDIR | Errno::LOOP if !path.is_root() => {
                LocalError::Changed { path: shown }
            }
            errno => LocalError::Io { action: "read", path: shown, source: errno.into() },
        }
    }

    /// The path in the user's terms.
    fn shown(&self, path: &TreePath) -> PathBuf {
        if path.is_root() { self.root.to_path_buf() } else { self.root.join(os_path(path.as_bytes())) }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::os::unix::net::UnixListener;
    use std::path::Path;

    use rustix::fs::{CWD, Mode, mkfifoat};
    use tempfile::TempDir;

    use crate::files::local::error::LocalError;
    use crate::files::local::walk::{Walk, WalkRules, Walked, walk, walk_at_most};
    use crate::files::select::Selection;
    use crate::model::files::Links;
    use crate::model::tree::{EntryKind, MAX_DEPTH, TreePath};

    /// A folder with the files and folders named; those that end in `/` are folders.
    fn tree(paths: &[&str]) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        for path in paths {
            let full = folder.path().join(path);
            if path.ends_with('/') {
                fs::create_dir_all(full).unwrap();
            } else {
                fs::create_dir_all(full.parent().unwrap()).unwrap();
                fs::write(full, *path).unwrap();
            }
        }
        folder
    }

    fn walked(root: &Path, links: Links, exclude: &[&str]) -> Result<Walked, LocalError> {
        walk(root, WalkRules { selection: &Selection::new(exclude).unwrap(), links })
    }

    /// What was found, links with their targets; what was skipped in brackets.
    fn found(root: &Path, links: Links, exclude: &[&str]) -> Vec<String> {
        let walked = walked(root, links, exclude).unwrap();
        let entries = walked.entries.iter().map(|entry| match &entry.kind {
            EntryKind::File { .. } => entry.path.to_string(),
            EntryKind::Folder => format!("{}/", entry.path),
            EntryKind::Link { target } => format!("{} -> {}", entry.path, String::from_utf8_lossy(target)),
            EntryKind::Special => panic!("special files are skipped"),
        });
        let skipped = walked.skipped.iter().map(|skipped| format!("[{}: {}]", skipped.path, skipped.what));
        entries.chain(skipped).collect()
    }

    /// The error, with the folder's own path taken out.
    fn refused(root: &Path, links: Links, exclude: &[&str]) -> String {
        words(&walked(root, links, exclude).unwrap_err(), root)
    }

    fn words(error: &LocalError, root: &Path) -> String {
        let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
        format!("{error}{cause}").replace(root.to_str().unwrap(), "ROOT")
    }

    #[test]
    fn folders_come_before_what_is_in_them() {
        let folder = tree(&["b/c", "a", "b-", "b/c-/d", "empty/"]);
        assert_eq!(
            found(folder.path(), Links::Keep, &[]),
            ["/", "a", "b/", "b-", "b/c", "b/c-/", "b/c-/d", "empty/"]
        );
        let entries = walked(folder.path(), Links::Keep, &[]).unwrap().entries;
        assert!(entries.is_sorted_by(|a, b| a.path < b.path));
    }

    #[test]
    fn sizes_modes_and_times_are_told() {
        let folder = tree(&["a"]);
        let file = File::options().write(true).open(folder.path().join("a")).unwrap();
        file.set_len(7).unwrap();
        file.set_permissions(PermissionsExt::from_mode(0o4751)).unwrap();
        file.set_modified(std::time::UNIX_EPOCH - std::time::Duration::from_secs(5)).unwrap();
        let entries = walked(folder.path(), Links::Keep, &[]).unwrap().entries;
        assert_eq!(entries[1].kind, EntryKind::File { size: 7 });
        assert_eq!((entries[1].mode, entries[1].mtime), (0o4751, -5));
    }

    #[test]
    fn patterns_of_the_step_and_of_files_are_followed() {
        let folder = tree(&["a.o", "a.c", "keep.o", "in/a.o", "in/top", "in/x/top", "gone/in/a.c", "x/gone"]);
        fs::write(folder.path().join(".fanignore"), "*.o\n!keep.o\n/gone/\n").unwrap();
        fs::write(folder.path().join("in/.fanignore"), "/top\n!a.o\n").unwrap();
        assert_eq!(
            found(folder.path(), Links::Keep, &[]),
            ["/", "a.c", "in/", "in/a.o", "in/x/", "in/x/top", "keep.o", "x/", "x/gone"]
        );
        assert_eq!(found(folder.path(), Links::Keep, &["in", "*.o"]), ["/", "a.c", "x/", "x/gone"]);
    }

    #[test]
    fn bad_ignore_files_are_refused() {
        for (content, message) in [
            (
                &b"ok\na//b\n"[..],
                r#"cannot read ROOT/in/.fanignore: line 2: pattern "a//b": holds an empty name: it would never match"#,
            ),
            (b"\xff", "ROOT/in/.fanignore is not UTF-8 text"),
            (&[b'\n'; 70_000], "ROOT/in/.fanignore is larger than 64 KiB"),
        ] {
            let folder = tree(&["in/a"]);
            fs::write(folder.path().join("in/.fanignore"), content).unwrap();
            assert_eq!(refused(folder.path(), Links::Keep, &[]), message);
            assert_eq!(found(folder.path(), Links::Keep, &["in"]), ["/"]);
        }
        let folder = tree(&[".fanignore/"]);
        assert_eq!(refused(folder.path(), Links::Keep, &[]), "ROOT/.fanignore is not a file");
        let folder = tree(&["patterns", "secret"]);
        fs::write(folder.path().join("patterns"), "secret").unwrap();
        symlink("patterns", folder.path().join(".fanignore")).unwrap();
        let message = "ROOT/.fanignore is a symbolic link: it must be a file";
        assert_eq!(refused(folder.path(), Links::Keep, &[]), message);
        assert_eq!(found(folder.path(), Links::Follow, &[]), ["/", "patterns"]);
    }

    #[test]
    fn links_are_kept_followed_or_left_out() {
        let outside = tree(&["x/y"]);
        let folder = tree(&["a", "in/b"]);
        symlink("a", folder.path().join("l1")).unwrap();
        symlink("in", folder.path().join("l2")).unwrap();
        symlink(outside.path().join("x"), folder.path().join("l3")).unwrap();
        let l3 = format!("l3 -> {}/x", outside.path().display());
        let kept = ["/", "a", "in/", "in/b", "l1 -> a", "l2 -> in", &l3];
        assert_eq!(found(folder.path(), Links::Keep, &[]), kept);
        let followed = ["/", "a", "in/", "in/b", "l1", "l2/", "l2/b", "l3/", "l3/y"];
        assert_eq!(found(folder.path(), Links::Follow, &[]), followed);
        assert_eq!(found(folder.path(), Links::Skip, &[]), ["/", "a", "in/", "in/b"]);
        // Only a link that is followed can be a folder.
        assert_eq!(found(folder.path(), Links::Follow, &["l2/", "l3/"]), ["/", "a", "in/", "in/b", "l1"]);
        assert_eq!(found(folder.path(), Links::Keep, &["l2/", "l3/"]), kept);
    }

    #[test]
    fn the_folder_itself_may_be_reached_over_a_link() {
        let folder = tree(&["in/a"]);
        symlink("in", folder.path().join("link")).unwrap();
        assert_eq!(found(&folder.path().join("link"), Links::Keep, &[]), ["/", "a"]);
    }

    #[test]
    fn links_that_lead_nowhere_or_back_are_errors_unless_left_out() {
        for (target, message) in [
            ("nothing", "ROOT/in/link is a dangling link"),
            ("a/b", "ROOT/in/link is a dangling link"),
            ("link", "ROOT/in/link is a link to itself"),
            (".", "ROOT/in/link is a link back to ROOT/in"),
            ("..", "ROOT/in/link is a link back to ROOT"),
        ] {
            let folder = tree(&["in/a"]);
            symlink(target, folder.path().join("in/link")).unwrap();
            assert_eq!(refused(folder.path(), Links::Follow, &[]), message);
            assert_eq!(found(folder.path(), Links::Follow, &["link"]), ["/", "in/", "in/a"]);
            assert_eq!(found(folder.path(), Links::Skip, &[]), ["/", "in/", "in/a"]);
            assert!(walked(folder.path(), Links::Keep, &[]).is_ok());
        }
    }

    #[test]
    fn the_same_folder_twice_is_no_loop() {
        let folder = tree(&["in/a"]);
        symlink("in", folder.path().join("l1")).unwrap();
        symlink("in", folder.path().join("l2")).unwrap();
        assert_eq!(
            found(folder.path(), Links::Follow, &[]),
            ["/", "in/", "in/a", "l1/", "l1/a", "l2/", "l2/a"]
        );
    }

    #[test]
    fn sockets_and_pipes_are_told_and_not_sent() {
        let folder = tree(&["a"]);
        let _socket = UnixListener::bind(folder.path().join("socket")).unwrap();
        mkfifoat(CWD, folder.path().join("pipe"), Mode::RWXU).unwrap();
        symlink("/dev/null", folder.path().join("null")).unwrap();
        assert_eq!(
            found(folder.path(), Links::Follow, &[]),
            ["/", "a", "[null: a device]", "[pipe: a pipe]", "[socket: a socket]"]
        );
        assert_eq!(found(folder.path(), Links::Follow, &["null", "pipe", "socket"]), ["/", "a"]);
    }

    #[test]
    fn too_much_is_an_error() {
        let folder = tree(&["a", "in/b", "in/c", "out/d"]);
        let selection = Selection::new(&["out"]).unwrap();
        let rules = WalkRules { selection: &selection, links: Links::Keep };
        assert_eq!(walk_at_most(5, folder.path(), rules).unwrap().entries.len(), 5);
        let error = walk_at_most(4, folder.path(), rules).unwrap_err();
        assert_eq!(words(&error, folder.path()), "ROOT holds more than 4 files and folders");
        let error = walk_at_most(2, folder.path(), rules).unwrap_err();
        assert_eq!(words(&error, folder.path()), "ROOT holds more than 2 files and folders");
    }

    #[test]
    fn too_deep_is_an_error() {
        let deep = "d/".repeat(MAX_DEPTH);
        let folder = tree(&[&deep]);
        assert_eq!(walked(folder.path(), Links::Keep, &[]).unwrap().entries.len(), MAX_DEPTH + 1);
        fs::write(folder.path().join(&deep).join("file"), "").unwrap();
        assert_eq!(
            refused(folder.path(), Links::Keep, &[]),
            format!("ROOT/{deep}file: the name makes a path that is too long or too deep")
        );
    }

    #[test]
    fn what_is_no_folder_is_refused() {
        let folder = tree(&["a"]);
        let message = refused(&folder.path().join("a"), Links::Keep, &[]);
        assert_eq!(message, "cannot read ROOT: Not a directory (os error 20)");
        let message = refused(&folder.path().join("nothing"), Links::Keep, &[]);
        assert_eq!(message, "cannot read ROOT: No such file or directory (os error 2)");
    }

    #[test]
    fn what_goes_away_meanwhile_is_named() {
        let folder = tree(&[]);
        let fd = File::open(folder.path()).unwrap().into();
        let mut walk = Walk {
            root: folder.path(),
            links: Links::Keep,
            limit: 10,
            walked: Walked::default(),
            above: Vec::new(),
        };
        let path = TreePath::root().join(b"gone").unwrap();
        let error = walk.entry(&fd, b"gone", path, &Selection::default()).unwrap_err();
        assert_eq!(words(&error, folder.path()), "ROOT/gone changed while its folder was read");
    }
}
