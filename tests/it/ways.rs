//! The ways on which files get to a host and back, each with a folder of its own, and what is in a folder.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use fan::testing::event::{Fact, StepFact, StepOutcome, Stream};
use fan::testing::model::outcome::StepStatus;
use tempfile::TempDir;

use crate::sshd::Sshd;
use crate::support::{Fan, Ran};

/// What is said once of a server without SFTP.
pub const NO_SFTP: &str = "by commands: the server has no SFTP";

/// How files get to a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Over OpenSSH's SFTP.
    Sftp,
    /// By commands, as the server has no SFTP.
    Commands,
    /// By commands of this machine.
    Local,
    /// By commands, as root who needs no sudo: the login is root's.
    Root,
}

impl Way {
    /// All that whoever runs the tests has.
    pub fn all() -> Vec<Self> {
        let mut ways = vec![Self::Sftp, Self::Commands, Self::Local];
        if is_root() {
            ways.push(Self::Root);
        }
        ways
    }
}

/// Whether the tests, and so their logins, are root's.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Tries the same on every way.
pub fn each_way(behaviour: impl Fn(&Case)) {
    let servers = Servers::start();
    for way in Way::all() {
        eprintln!("way: {way:?}"); // shown when it fails
        behaviour(&servers.case(way));
    }
}

/// Servers for all ways.
pub struct Servers {
    whole: Sshd,
    bare: Sshd,
}

impl Servers {
    pub fn start() -> Self {
        Self { whole: Sshd::start(), bare: Sshd::builder().without_sftp().start() }
    }

    /// A host, the binary, and an empty folder for each.
    pub fn case(&self, way: Way) -> Case {
        let fan = match way {
            Way::Sftp | Way::Root => Fan::at(&self.whole),
            Way::Commands => Fan::at(&self.bare),
            Way::Local => Fan::new().file("inventory.yaml", "hosts:\n  h1: {transport: local}\n"),
        };
        // In memory where there is such a folder: every file that comes is made durable, and that takes its time.
        let memory = Path::new("/dev/shm");
        let root = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let there = tempfile::Builder::new().prefix("fan-there-").tempdir_in(root).unwrap();
        let fan = fan.hide(there.path().display(), "<there>");
        Case { way, fan, there }
    }
}

/// One way, with an empty folder on both sides.
pub struct Case {
    pub way: Way,
    pub fan: Fan,
    there: TempDir,
}

impl Case {
    /// A path here, where the binary runs.
    pub fn here(&self, name: impl AsRef<Path>) -> PathBuf {
        self.fan.work().join(name)
    }

    /// A path on the host.
    pub fn there(&self, name: impl AsRef<Path>) -> PathBuf {
        self.there.path().join(name)
    }

    /// The same as an argument; a `/` at its end stays.
    pub fn at(&self, name: &str) -> String {
        format!("{}/{name}", self.there.path().display())
    }

    /// Calls `fan` with a command that moves files; gives what became of its step.
    pub fn call<A: AsRef<str>>(&self, words: &[A]) -> Ended {
        let mut words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
        words.extend(["-H", "h1", "--format", "jsonl"]);
        if self.way == Way::Root {
            words.push("-S");
        }
        let ran = self.fan.run(words);
        Ended::all(ran).pop().unwrap()
    }

    /// Runs steps, each the inside of a map in YAML; `THERE` in them is the folder on the host.
    pub fn steps(&self, steps: &[&str], flags: &[&str]) -> Vec<Ended> {
        fs::write(self.here("tasks.yaml"), self.tasks(steps)).unwrap();
        let words = ["run", "it", "-H", "h1", "--format", "jsonl"];
        Ended::all(self.fan.run(words.iter().chain(flags)))
    }

    fn tasks(&self, steps: &[&str]) -> String {
        let mut yaml = "tasks:\n  it:\n".to_owned();
        for step in steps {
            let step = step.replace("THERE", &self.there.path().display().to_string());
            let on_files = !["run:", "local:", "echo:", "assert:"].iter().any(|key| step.starts_with(key));
            let sudo = if self.way == Way::Root && on_files { ", sudo: true" } else { "" };
            writeln!(yaml, "    - {{{step}{sudo}}}").unwrap();
        }
        yaml
    }
}

/// What became of a step.
#[derive(Debug)]
pub struct Ended {
    pub outcome: StepOutcome,
    /// What it printed.
    pub stdout: String,
}

impl Ended {
    /// Of each step of a run.
    pub fn all(ran: Ran) -> Vec<Self> {
        assert!(ran.stdout.starts_with('{'), "{}", ran.snapshot());
        let mut all = Vec::new();
        let mut stdout = String::new();
        for event in ran.events() {
            match event.fact {
                Fact::Step(_, StepFact::Output { stream: Stream::Stdout, data, .. }) => {
                    stdout += &String::from_utf8_lossy(&data);
                }
                Fact::Step(_, StepFact::Finished { outcome, .. }) => {
                    all.push(Self { outcome, stdout: std::mem::take(&mut stdout) });
                }
                _ => {}
            }
        }
        assert!(!all.is_empty(), "{}", ran.snapshot());
        all
    }

    /// It was done, and something was changed.
    #[track_caller]
    pub fn changed(&self) -> &str {
        assert_eq!(self.outcome.status, StepStatus::Changed, "{self:?}");
        self.note()
    }

    /// It was done, and there was nothing to change.
    #[track_caller]
    pub fn ok(&self) -> &str {
        assert_eq!(self.outcome.status, StepStatus::Ok, "{self:?}");
        self.note()
    }

    /// It failed, or was a warning because that was let pass: kind, message, and hint.
    #[track_caller]
    pub fn failed(&self) -> String {
        let failed = [StepStatus::Failed, StepStatus::Warned].contains(&self.outcome.status);
        assert!(failed, "{self:?}");
        let failure = self.outcome.failure.as_ref().unwrap();
        let hint = failure.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
        format!("{}: {}{hint}", failure.kind.as_str(), failure.message())
    }

    /// Its note, without the word about a server that has no SFTP.
    pub fn note(&self) -> &str {
        let note = self.outcome.note.as_deref().unwrap_or_default();
        note.strip_suffix(NO_SFTP).map_or(note, |note| note.trim_end_matches(", "))
    }
}

/// Everything in a folder, by path: what it is, its mode, and its content or target.
pub fn tree(root: &Path) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    visit(root, &mut |path, about| {
        let kind = about.file_type();
        let mode = about.mode() & 0o7777;
        let text = if kind.is_symlink() {
            format!("-> {}", fs::read_link(path).unwrap().display())
        } else if kind.is_dir() {
            format!("{mode:o} folder")
        } else if kind.is_file() {
            format!("{mode:o} {}", String::from_utf8_lossy(&fs::read(path).unwrap()))
        } else {
            format!("{mode:o} special{}", if kind.is_fifo() { " pipe" } else { "" })
        };
        let name = path.strip_prefix(root).unwrap().as_os_str().as_bytes();
        all.insert(name.escape_ascii().to_string(), text);
    });
    all
}

/// The names in a folder and below, in order.
pub fn names(root: &Path) -> Vec<String> {
    tree(root).into_keys().collect()
}

/// All that can be known of everything in a folder, to see that nothing was touched.
pub fn fingerprint(root: &Path) -> Vec<String> {
    let mut all = Vec::new();
    visit(root, &mut |path, about| {
        let facts = [about.ino(), about.mode().into(), about.uid().into(), about.gid().into(), about.nlink()];
        let times = [about.mtime(), about.mtime_nsec(), about.ctime(), about.ctime_nsec()];
        all.push(format!("{path:?} {facts:?} {times:?} {}", about.len()));
    });
    let about = fs::metadata(root).unwrap();
    all.push(format!("{:?}", (about.mode(), about.mtime(), about.mtime_nsec())));
    all.sort();
    all
}

fn visit(folder: &Path, see: &mut impl FnMut(&Path, &fs::Metadata)) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let about = fs::symlink_metadata(&path).unwrap();
        see(&path, &about);
        if about.is_dir() {
            visit(&path, see);
        }
    }
}

/// Writes files with their folders; a name that ends in `/` is a folder, and one with ` -> ` a link.
pub fn plant(root: &Path, files: &[(&str, &str)]) {
    for (name, content) in files {
        if let Some((name, target)) = name.split_once(" -> ") {
            fs::create_dir_all(root.join(name).parent().unwrap()).unwrap();
            std::os::unix::fs::symlink(target, root.join(name)).unwrap();
        } else if name.ends_with('/') {
            fs::create_dir_all(root.join(name)).unwrap();
        } else {
            fs::create_dir_all(root.join(name).parent().unwrap()).unwrap();
            fs::write(root.join(name), content).unwrap();
            mode(&root.join(name), 0o644);
        }
    }
}

/// Sets a mode.
pub fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// The mode of something, links not followed.
pub fn mode_of(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

/// Sets the time of last modification, in seconds since 1970.
pub fn age(path: &Path, seconds: u64) {
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
    fs::File::open(path).unwrap().set_modified(time).unwrap();
}

/// A name that is no text.
pub fn odd_name() -> &'static OsStr {
    OsStr::from_bytes(b"caf\xe9")
}
