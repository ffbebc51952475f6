//! The folder that nothing gets out of, on real file systems; each way of opening paths is tried.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use rustix::fs::{CWD, Mode, RenameFlags, mkfifoat, renameat_with};
use tempfile::TempDir;

use crate::files::local::dest::beneath::{Beneath, BeneathWay, open_root};
use crate::files::local::dest::destination::{Destination, MadeFolder, stays_inside};
use crate::files::local::dest::pending::PendingFile;
use crate::files::local::error::LocalError;
use crate::files::local::stat::os_path;
use crate::model::tree::{EntryKind, TreePath};

#[cfg(target_os = "linux")]
const WAYS: &[BeneathWay] = &[BeneathWay::Kernel, BeneathWay::Names];
#[cfg(not(target_os = "linux"))]
const WAYS: &[BeneathWay] = &[BeneathWay::Names];

/// A folder with an `inside`, which is the destination, and an `outside`.
struct Fixture {
    folder: TempDir,
    destination: Destination,
}

impl Fixture {
    fn new(way: BeneathWay) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("inside")).unwrap();
        fs::create_dir(folder.path().join("outside")).unwrap();
        let root = folder.path().join("inside");
        let beneath = Beneath::new(open_root(&root).unwrap()).with_way(way);
        let destination = Destination::new(&root, beneath);
        Self { folder, destination }
    }

    fn all() -> impl Iterator<Item = Self> {
        WAYS.iter().map(|way| Self::new(*way))
    }

    fn inside(&self, path: &str) -> PathBuf {
        self.folder.path().join("inside").join(path)
    }

    fn outside(&self, path: &str) -> PathBuf {
        self.folder.path().join("outside").join(path)
    }

    /// A whole file.
    fn write(&self, path_: &str, content: &str) -> Result<(), LocalError> {
        let file = self.destination.create(&path(path_))?;
        file.write_at(content.as_bytes(), 0)?;
        file.commit(0o644, None)
    }

    /// The error's text, with the folder's own path taken out.
    fn words<T: std::fmt::Debug>(&self, result: Result<T, LocalError>) -> String {
        result.unwrap_err().to_string().replace(&format!("{}/", self.folder.path().display()), "")
    }
}

fn path(text: &str) -> TreePath {
    text.split('/')
        .filter(|name| !name.is_empty())
        .fold(TreePath::root(), |path, name| path.join(name.as_bytes()).unwrap())
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort_unstable();
    names
}

#[test]
fn a_file_is_at_its_path_once_it_is_whole() {
    for fixture in Fixture::all() {
        let file = fixture.destination.create(&path("a")).unwrap();
        assert_eq!(names(&fixture.inside(""))[0].len(), ".a.fan-".len() + 32);
        file.write_at(b"world", 6).unwrap();
        file.write_at(b"hello ", 0).unwrap();
        let beside = fixture.inside(&names(&fixture.inside(""))[0]);
        assert_eq!(fs::read(&beside).unwrap(), b"hello world");
        let mode = fs::metadata(beside).unwrap().mode();
        assert_eq!(mode & 0o7777, 0o600);
        file.commit(0o640, Some(1_234_567)).unwrap();
        assert_eq!(names(&fixture.inside("")), ["a"]);
        assert_eq!(fs::read(fixture.inside("a")).unwrap(), b"hello world");
        let metadata = fs::metadata(fixture.inside("a")).unwrap();
        assert_eq!((metadata.mode() & 0o7777, metadata.mtime()), (0o640, 1_234_567));
    }
}

#[test]
fn old_content_stays_until_commit_and_after_a_drop() {
    for fixture in Fixture::all() {
        fs::write(fixture.inside("a"), "old").unwrap();
        let file = fixture.destination.create(&path("a")).unwrap();
        file.write_at(b"new", 0).unwrap();
        assert_eq!(fs::read(fixture.inside("a")).unwrap(), b"old");
        drop(file);
        assert_eq!(names(&fixture.inside("")), ["a"]);
        assert_eq!(fs::read(fixture.inside("a")).unwrap(), b"old");
        fixture.write("a", "new").unwrap();
        assert_eq!(names(&fixture.inside("")), ["a"]);
        assert_eq!(fs::read(fixture.inside("a")).unwrap(), b"new");
    }
}

#[test]
fn nothing_of_the_old_file_is_kept() {
    for fixture in Fixture::all() {
        fs::write(fixture.inside("a"), "old").unwrap();
        fs::hard_link(fixture.inside("a"), fixture.outside("hard")).unwrap();
        fs::set_permissions(fixture.inside("a"), PermissionsExt::from_mode(0o6777)).unwrap();
        fixture.write("a", "new").unwrap();
        assert_eq!(fs::read(fixture.outside("hard")).unwrap(), b"old");
        assert_eq!(fs::metadata(fixture.inside("a")).unwrap().mode() & 0o7777, 0o644);
    }
}

#[test]
fn no_host_sets_setuid_or_sticky() {
    for fixture in Fixture::all() {
        fixture.destination.create(&path("a")).unwrap().commit(0o107_755, Some(-7)).unwrap();
        let metadata = fs::metadata(fixture.inside("a")).unwrap();
        assert_eq!((metadata.mode() & 0o7777, metadata.mtime()), (0o755, -7));
        fixture.destination.folder(&path("d")).unwrap();
        fixture.destination.set_folder(&path("d"), Some(0o7750), Some(99)).unwrap();
        let metadata = fs::metadata(fixture.inside("d")).unwrap();
        assert_eq!((metadata.mode() & 0o7777, metadata.mtime()), (0o750, 99));
    }
}

#[test]
fn setgid_of_the_user_s_own_folders_stays() {
    for fixture in Fixture::all() {
        fs::create_dir(fixture.inside("d")).unwrap();
        fs::set_permissions(fixture.inside("d"), PermissionsExt::from_mode(0o2700)).unwrap();
        fixture.destination.set_folder(&path("d"), Some(0o755), None).unwrap();
        assert_eq!(fs::metadata(fixture.inside("d")).unwrap().mode() & 0o7777, 0o2755);
    }
}

#[test]
fn no_time_that_a_host_makes_up_is_a_panic() {
    for fixture in Fixture::all() {
        for time in [i64::MAX, i64::MIN] {
            // Some file systems take the nearest time that they know, others refuse.
            match fixture.destination.create(&path("a")).unwrap().commit(0o644, Some(time)) {
                Ok(()) => fs::remove_file(fixture.inside("a")).unwrap(),
                Err(error) => assert!(matches!(error, LocalError::Io { .. }), "{error}"),
            }
            assert_eq!(names(&fixture.inside("")), [""; 0]);
        }
    }
}

#[test]
fn folders_are_made_with_those_above_them() {
    for fixture in Fixture::all() {
        assert_eq!(fixture.destination.folder(&path("a/b/c")).unwrap(), MadeFolder::Made);
        assert_eq!(fixture.destination.folder(&path("a/b")).unwrap(), MadeFolder::Stood);
        assert_eq!(fixture.destination.folder(&path("a/b/c")).unwrap(), MadeFolder::Stood);
        assert_eq!(fixture.destination.folder(&TreePath::root()).unwrap(), MadeFolder::Stood);
        assert_eq!(fs::metadata(fixture.inside("a/b")).unwrap().mode() & 0o7777, 0o700);
        fixture.write("a/b/c/d", "x").unwrap();
        assert_eq!(fs::read(fixture.inside("a/b/c/d")).unwrap(), b"x");
        let message = fixture.words(fixture.write("nowhere/d", "x"));
        assert_eq!(message, "cannot open inside/nowhere");
    }
}

#[test]
fn what_is_in_the_way_stays() {
    for fixture in Fixture::all() {
        fs::create_dir_all(fixture.inside("folder/full")).unwrap();
        fs::write(fixture.inside("file"), "x").unwrap();
        mkfifoat(CWD, fixture.inside("pipe"), Mode::RWXU).unwrap();
        let it = &fixture.destination;
        for (message, expected) in [
            (fixture.words(it.folder(&path("file"))), "inside/file is in the way: it is a file"),
            (fixture.words(it.folder(&path("file/x/y"))), "inside/file is in the way: it is a file"),
            (fixture.words(it.folder(&path("pipe"))), "inside/pipe is in the way: it is a pipe"),
            (fixture.words(it.create(&path("folder"))), "inside/folder is in the way: it is a folder"),
            (fixture.words(it.create(&path("pipe"))), "inside/pipe is in the way: it is a pipe"),
            (fixture.words(it.create(&path("file/x"))), "inside/file is in the way: it is a file"),
            (fixture.words(it.create(&TreePath::root())), "inside is in the way: it is a folder"),
            (fixture.words(it.link(&path("folder"), b"x")), "inside/folder is in the way: it is a folder"),
            (fixture.words(it.lstat(&path("file/x"))), "inside/file is in the way: it is a file"),
        ] {
            assert_eq!(message, expected);
        }
        let late = it.create(&path("late")).unwrap();
        fs::create_dir(fixture.inside("late")).unwrap();
        assert_eq!(fixture.words(late.commit(0o644, None)), "inside/late is in the way: it is a folder");
        assert_eq!(names(&fixture.inside("")), ["file", "folder", "late", "pipe"]);
    }
}

#[test]
fn links_in_the_destination_are_not_followed() {
    for fixture in Fixture::all() {
        fs::write(fixture.outside("file"), "old").unwrap();
        symlink(fixture.outside(""), fixture.inside("out")).unwrap();
        symlink("../outside", fixture.inside("up")).unwrap();
        fs::create_dir(fixture.inside("real")).unwrap();
        symlink("real", fixture.inside("within")).unwrap();
        for link in ["out", "up", "within"] {
            let below = path(&format!("{link}/x"));
            let expected = format!("inside/{link} is in the way: it is a symbolic link");
            let it = &fixture.destination;
            assert_eq!(fixture.words(it.folder(&path(link))), expected);
            assert_eq!(fixture.words(it.folder(&below)), expected);
            assert_eq!(fixture.words(it.create(&below)), expected);
            assert_eq!(fixture.words(it.link(&below, b"y")), expected);
            assert_eq!(fixture.words(it.set_folder(&path(link), Some(0o700), None)), expected);
            assert_eq!(fixture.words(it.lstat(&below)), expected);
            assert_eq!(fixture.words(it.open_existing(&below)), expected);
        }
        // In the place of a file it is replaced, and what it points at stays.
        symlink(fixture.outside("file"), fixture.inside("link")).unwrap();
        fixture.write("link", "new").unwrap();
        assert!(!fixture.inside("link").is_symlink());
        assert_eq!(fs::read(fixture.outside("file")).unwrap(), b"old");
        assert_eq!(names(&fixture.outside("")), ["file"]);
        assert_eq!(names(&fixture.inside("real")), [""; 0]);
    }
}

#[test]
fn the_root_itself_may_be_reached_over_a_link_and_is_opened_once() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("link/a/b");
    fs::create_dir(folder.path().join("real")).unwrap();
    fs::create_dir(folder.path().join("other")).unwrap();
    symlink("real", folder.path().join("link")).unwrap();
    assert!(Destination::open(&root).is_err());
    let destination = Destination::open_or_make(&root).unwrap();
    fs::remove_file(folder.path().join("link")).unwrap();
    symlink("other", folder.path().join("link")).unwrap();
    destination.create(&path("x")).unwrap().commit(0o600, None).unwrap();
    assert_eq!(names(&folder.path().join("real/a/b")), ["x"]);
    assert_eq!(names(&folder.path().join("other")), [""; 0]);
    fs::write(folder.path().join("file"), "").unwrap();
    assert!(Destination::open_or_make(&folder.path().join("file")).is_err());
}

/// While a folder is swapped for a link that leads out, again and again, all that is written stays inside.
#[test]
fn nothing_gets_out_while_folders_are_swapped_for_links() {
    const SWAPS: usize = 100_000;
    const AT_MOST: Duration = Duration::from_secs(1);
    for fixture in Fixture::all() {
        let (here, link) = (fixture.inside("d"), fixture.inside("link"));
        fs::create_dir(&here).unwrap();
        symlink(fixture.outside(""), &link).unwrap();
        let swaps = AtomicUsize::new(0);
        let start = Instant::now();
        let going = || swaps.load(Ordering::Relaxed) < SWAPS && start.elapsed() < AT_MOST;
        let (mut stayed, mut refused) = (0, 0);
        thread::scope(|scope| {
            scope.spawn(|| {
                while going() {
                    renameat_with(CWD, &here, CWD, &link, RenameFlags::EXCHANGE).unwrap();
                    swaps.fetch_add(1, Ordering::Relaxed);
                }
            });
            let it = &fixture.destination;
            for round in (0..).take_while(|_| going()) {
                let below = |kind: &str| path(&format!("d/{kind}{}", round % 97));
                let done = match round % 5 {
                    0 => it.create(&below("file")).map(drop),
                    1 => it.link(&below("link"), b"x"),
                    2 => it.folder(&below("folder")).map(drop),
                    3 => it.set_folder(&path("d"), Some(0o700), None),
                    _ if round % 100 == 4 => fixture.write(&format!("d/whole{}", round % 97), "x"),
                    _ => it.lstat(&below("file")).map(drop),
                };
                match done {
                    Ok(()) => stayed += 1,
                    Err(LocalError::InTheWay { .. } | LocalError::Io { .. }) => refused += 1,
                    Err(error) => panic!("{error}"),
                }
            }
        });
        assert_eq!(names(&fixture.outside("")), [""; 0]);
        assert!(stayed > 0, "{refused} refused");
        let all = [names(&here), names(&link)].concat();
        assert!(!all.iter().any(|name| name.starts_with('.')), "temporary files are removed");
    }
}

#[test]
fn links_are_made_when_they_stay_inside() {
    for fixture in Fixture::all() {
        let it = &fixture.destination;
        it.folder(&path("a/b")).unwrap();
        fs::write(fixture.inside("a/link"), "old").unwrap();
        it.link(&path("a/link"), b"../x").unwrap();
        it.link(&path("a/link"), b"b").unwrap();
        assert_eq!(fs::read_link(fixture.inside("a/link")).unwrap(), Path::new("b"));
        assert_eq!(names(&fixture.inside("a")), ["b", "link"]);
        let message = fixture.words(it.link(&path("a/out"), b"../../outside"));
        assert_eq!(message, r#"inside/a/out: a link to "../../outside" would lead out of the folder"#);
        assert_eq!(names(&fixture.inside("a")), ["b", "link"]);
    }
}

#[test]
fn targets_that_lead_out_are_told() {
    for (link, target, inside) in [
        ("l", "x", true),
        ("l", "./x//y/.", true),
        ("l", ".", true),
        ("l", "..", false),
        ("l", "../x", false),
        ("l", "/x", false),
        ("l", "//x", false),
        ("l", "", false),
        ("l", "x\0y", false),
        ("l", "x/../y", false),
        ("l", "x/../../y", false),
        ("l", "..x/...", true),
        ("a/l", "..", true),
        ("a/l", "../x", true),
        ("a/l", "./../x", true),
        ("a/l", "../..", false),
        ("a/l", "../.././inside", false),
        ("a/b/l", "../../x", true),
        ("a/b/l", "../../../x", false),
    ] {
        assert_eq!(stays_inside(&path(link), target.as_bytes()), inside, "{link} -> {target}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever links a host makes, and however they lead to each other.
    #[test]
    fn no_link_leads_out(links in prop::collection::vec(("[ab](/[ab]){0,2}", "(\\.\\./|\\./|[ab]/|/){0,4}[ab.]{1,2}"), 1..12)) {
        let fixture = Fixture::new(WAYS[0]);
        let it = &fixture.destination;
        let mut made = Vec::new();
        for (link, target) in &links {
            let link = path(link);
            let _ = it.folder(&link.parent().unwrap());
            if it.link(&link, target.as_bytes()).is_ok() {
                made.push(fixture.folder.path().join("inside").join(os_path(link.as_bytes())));
            }
        }
        let root = fixture.inside("").canonicalize().unwrap();
        for link in made {
            if let Ok(real) = link.canonicalize() {
                prop_assert!(real.starts_with(&root), "{} leads to {}", link.display(), real.display());
            }
        }
    }
}

#[test]
fn what_is_there_is_told() {
    for fixture in Fixture::all() {
        let it = &fixture.destination;
        fixture.write("file", "123").unwrap();
        it.link(&path("link"), b"nothing").unwrap();
        it.folder(&path("folder")).unwrap();
        mkfifoat(CWD, fixture.inside("pipe"), Mode::RWXU).unwrap();
        for (name, kind) in [
            ("file", EntryKind::File { size: 3 }),
            ("link", EntryKind::Link { target: b"nothing".to_vec() }),
            ("folder", EntryKind::Folder),
            ("pipe", EntryKind::Special),
            ("", EntryKind::Folder),
        ] {
            let entry = it.lstat(&path(name)).unwrap().unwrap();
            assert_eq!((entry.path, entry.kind), (path(name), kind));
        }
        assert_eq!(it.lstat(&path("file")).unwrap().unwrap().mode, 0o644);
        assert_eq!(it.lstat(&path("nothing")).unwrap(), None);
        assert_eq!(it.lstat(&path("nothing/below")).unwrap(), None);
    }
}

#[test]
fn only_regular_files_are_opened() {
    for fixture in Fixture::all() {
        let it = &fixture.destination;
        fixture.write("file", "123").unwrap();
        fs::write(fixture.outside("secret"), "x").unwrap();
        symlink(fixture.outside("secret"), fixture.inside("link")).unwrap();
        it.folder(&path("folder")).unwrap();
        mkfifoat(CWD, fixture.inside("pipe"), Mode::RWXU).unwrap();
        let mut content = String::new();
        it.open_existing(&path("file")).unwrap().read_to_string(&mut content).unwrap();
        assert_eq!(content, "123");
        for (name, expected) in [
            ("link", "inside/link is a symbolic link, not a file"),
            ("folder", "inside/folder is a folder, not a file"),
            ("pipe", "inside/pipe is a pipe, not a file"),
            ("nothing", "cannot read inside/nothing"),
        ] {
            assert_eq!(fixture.words(it.open_existing(&path(name))), expected);
        }
    }
}

/// As on a file system to which `A` and `a` are one: there the second name finds the file of the first.
#[test]
fn two_names_of_one_file_are_an_error() {
    for fixture in Fixture::all() {
        let it = &fixture.destination;
        fixture.write("one", "first").unwrap();
        fixture.write("one", "again").unwrap();
        let late = it.create(&path("three")).unwrap();
        for name in ["two", "three"] {
            fs::hard_link(fixture.inside("one"), fixture.inside(name)).unwrap();
        }
        let expected = "inside/two and inside/one are the same file here";
        assert_eq!(fixture.words(it.create(&path("two"))), expected);
        assert_eq!(fixture.words(it.link(&path("two"), b"x")), expected);
        let expected = "inside/three and inside/one are the same file here";
        assert_eq!(fixture.words(late.commit(0o644, None)), expected);
        assert_eq!(names(&fixture.inside("")), ["one", "three", "two"]);
        assert_eq!(fs::read(fixture.inside("one")).unwrap(), b"again");
        // Folders have no hard links: this one is found under a second name because it was given that.
        it.folder(&path("four")).unwrap();
        fs::rename(fixture.inside("four"), fixture.inside("five")).unwrap();
        let expected = "inside/five and inside/four are the same file here";
        assert_eq!(fixture.words(it.folder(&path("five"))), expected);
        // Files that were there before this run may share what they like.
        fs::write(fixture.inside("old1"), "").unwrap();
        fs::hard_link(fixture.inside("old1"), fixture.inside("old2")).unwrap();
        fixture.write("old1", "x").unwrap();
        fixture.write("old2", "y").unwrap();
    }
}

#[test]
fn long_names_leave_room_for_temporary_ones() {
    for fixture in Fixture::all() {
        for name in ["n".repeat(255), "é".repeat(127), format!("n{}", "é".repeat(127))] {
            let file = fixture.destination.create(&path(&name)).unwrap();
            let temporary =
                names(&fixture.inside("")).into_iter().find(|name| name.starts_with('.')).unwrap();
            assert!(temporary.len() <= 255 && !temporary.contains('\u{fffd}'), "{temporary}");
            file.commit(0o644, None).unwrap();
        }
        assert_eq!(names(&fixture.inside("")).len(), 3);
        assert!(fixture.destination.create(&path(&"n".repeat(256))).is_err());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn names_that_are_no_text_are_kept() {
    for fixture in Fixture::all() {
        let path = TreePath::root().join(&[0xff; 255]).unwrap();
        fixture.destination.create(&path).unwrap().commit(0o644, None).unwrap();
        assert!(fixture.folder.path().join("inside").join(os_path(path.as_bytes())).exists());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told_and_leaves_nothing() {
    for fixture in Fixture::all() {
        fs::write(fixture.inside("a"), "old").unwrap();
        let full = File::options().read(true).write(true).open("/dev/full").unwrap();
        let file = fixture.destination.create(&path("a")).unwrap().with_file(full);
        let error = file.write_at(b"x", 0).unwrap_err();
        assert!(
            matches!(&error, LocalError::Io { source, .. } if source.kind() == ErrorKind::StorageFull),
            "{error}"
        );
        drop(file);
        assert_eq!(names(&fixture.inside("")), ["a"]);
        assert_eq!(fs::read(fixture.inside("a")).unwrap(), b"old");
    }
}

#[test]
fn files_may_be_written_from_several_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<PendingFile>();
    shared::<Destination>();
    let fixture = Fixture::new(WAYS[0]);
    let file = fixture.destination.create(&path("a")).unwrap();
    thread::scope(|scope| {
        for at in 0..8_u8 {
            let file = &file;
            scope.spawn(move || file.write_at(&[at; 1000], u64::from(at) * 1000).unwrap());
        }
    });
    file.commit(0o600, None).unwrap();
    let content = fs::read(fixture.inside("a")).unwrap();
    assert!(content.chunks(1000).zip(0_u8..).all(|(chunk, at)| chunk == [at; 1000]) && content.len() == 8000);
}
