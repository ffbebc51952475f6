//! What comes in on fan's own stdin: for the commands of a run (`--stdin`), and the look whether something comes that
//! nobody reads. It never waits for any of it.

use std::env;
use std::fs::File;
use std::io::{self, IsTerminal, Read, Seek};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, Timespec};

use crate::cli::error::{CliError, talk};
use crate::engine::RunInput;
use crate::model::position::Diagnostic;

/// The name of stdin on a command line.
pub(super) const STDIN: &str = "-";

/// Opens what the commands of a run read: a file, or what comes on stdin.
pub(super) fn input(path: &Path) -> Result<RunInput, CliError> {
    let shown = path.display();
    let refused =
        |error: io::Error| -> CliError { Diagnostic::bare(format!("--stdin {shown}: {error}")).into() };
    let file = if path == Path::new(STDIN) {
        if io::stdin().is_terminal() {
            talk("reading from the terminal what the commands read: Ctrl-D ends it");
        }
        io::stdin().as_fd().try_clone_to_owned().map(File::from)
    } else {
        File::open(path)
    };
    let mut file = file.map_err(refused)?;
    let kind = file.metadata().map_err(refused)?.file_type();
    if kind.is_dir() {
        let help = format!("tar it: tar cf - {shown} | fan exec --stdin - ... -- tar xf -");
        return Err(Diagnostic::bare(format!("--stdin {shown}: is a folder")).help(help).into());
    }
    if kind.is_file() {
        // Whoever started fan may have read the beginning.
        let start = file.stream_position().map_err(refused)?;
        return Ok(RunInput::of_file(file, start));
    }
    let folder = spool_folder();
    RunInput::spooled(file, &folder).map_err(|error| {
        let message = format!("--stdin: cannot keep what comes in {}: {error}", folder.display());
        Diagnostic::bare(message).help("TMPDIR names another folder").into()
    })
}

/// Where what comes down a pipe is kept: on a disk, if that can be had, as `/tmp` is often memory.
fn spool_folder() -> PathBuf {
    let named = env::var_os("TMPDIR").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    named.unwrap_or_else(|| {
        let disk = PathBuf::from("/var/tmp");
        if disk.is_dir() { disk } else { env::temp_dir() }
    })
}

/// Reads stdin to its end, at most so many bytes.
pub(super) fn whole(what: &str, most: usize) -> Result<Vec<u8>, CliError> {
    let mut data = Vec::new();
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    let read = io::stdin().lock().take(limit).read_to_end(&mut data);
    read.map_err(|error| CliError::input(format!("{what}: cannot read stdin: {error}")))?;
    if data.len() > most {
        return Err(CliError::input(format!("{what}: more than {most} bytes on stdin")));
    }
    Ok(data)
}

/// Sees that stdin is named once: it can be read once.
pub(super) fn once<'a>(named: impl IntoIterator<Item = (&'a str, Option<&'a Path>)>) -> Result<(), CliError> {
    let flags: Vec<&str> = named
        .into_iter()
        .filter_map(|(flag, path)| path.is_some_and(|path| path == Path::new(STDIN)).then_some(flag))
        .collect();
    match flags.as_slice() {
        [] | [_] => Ok(()),
        [first, second, ..] => {
            Err(CliError::input(format!("{first} - and {second} - both read stdin, which can be read once")))
        }
    }
}

/// Whether something comes on stdin that nobody reads, as in `echo x | fan exec ... -- cat`.
pub(super) struct Unread {
    told: bool,
}

impl Unread {
    /// Looks before the run: most of what is piped in is there by then.
    pub(super) fn look() -> Self {
        let mut unread = Self { told: false };
        unread.tell();
        unread
    }

    /// Tells of it once.
    pub(super) fn tell(&mut self) {
        if !self.told && is_waiting() {
            self.told = true;
            talk(
                "warning: what comes on stdin is not passed on to the hosts: --stdin - does that, </dev/null keeps it quiet",
            );
        }
    }
}

/// Whether there is something to read on stdin that was meant for fan. A file is, unless a part of it was read before:
/// then it is that of a loop around fan. In CI it may be the rest of the job's own script.
fn is_waiting() -> bool {
    let stdin = io::stdin();
    let Ok(mut file) = stdin.as_fd().try_clone_to_owned().map(File::from) else { return false };
    let Ok(metadata) = file.metadata() else { return false };
    if metadata.is_file() {
        return metadata.len() > 0 && file.stream_position().is_ok_and(|at| at == 0);
    }
    if metadata.is_dir() || stdin.is_terminal() || env::var_os("CI").is_some_and(|ci| !ci.is_empty()) {
        return false;
    }
    let mut polled = [PollFd::new(&file, PollFlags::IN)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    let readable = rustix::event::poll(&mut polled, Some(&now)).is_ok_and(|ready| ready > 0)
        && polled.iter().any(|polled| polled.revents().contains(PollFlags::IN));
    // `/dev/null` can be read at any time, and has nothing.
    readable && rustix::io::ioctl_fionread(&file).is_ok_and(|bytes| bytes > 0)
}
