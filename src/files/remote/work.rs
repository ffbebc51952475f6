//! What the host does itself for a transfer: counts, copies, checks, hands over.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::files::content::{BLOCK, PIECE};
use crate::files::digest::Digest;
use crate::files::get::receive::{Expected, receive};
use crate::files::progress::TransferProgress;
use crate::files::remote::beside::Created;
use crate::files::remote::failures::{is_no_shell, refused, uncounted};
use crate::files::remote::host::{JOB, Remote};
use crate::files::remote::missing::is_missing;
use crate::files::remote::paths::{about, shown, split};
use crate::files::remote::script::{HASH_INPUT, Script};
use crate::files::remote::shell::JobEnd;
use crate::files::remote::wanted::{WantedAttributes, whose};
use crate::model::outcome::{Exit, Failure, Kind};
use crate::model::shell::spelling::octal;
use crate::model::template::FileCommand;
use crate::ssh::Session;
use crate::ssh::pipe::Pipe;
use crate::ssh::sftp::wire::{Attrs, OpenFlags, SftpRequest};
use crate::ssh::sftp::{Sftp, SftpError};

/// How long a check of the user's may take.
const VALIDATION: Duration = Duration::from_secs(600);

/// How long copying on the host may take, and counting a part.
pub(super) const LONG_JOB: Duration = Duration::from_secs(3600);

/// Bytes on their way when a file is only read back.
const READ_BACK: usize = 2 * 1024 * 1024;

/// Files that one job is about.
const AT_A_TIME: usize = 200;

/// Less free space than this on a disk that takes no more is a full disk, in bytes.
const FULL: u64 = 1024 * 1024;

impl<S: Session> Remote<S> {
    /// Where a path leads with all links followed; for a link that leads nowhere, where it would.
    ///
    /// # Errors
    ///
    /// The host does not tell.
    pub async fn resolve(&self, path: &[u8]) -> Result<Vec<u8>, Failure> {
        if let Some(sftp) = self.sftp() {
            let what = about("resolve", path);
            return Ok(sftp.realpath(path).await.map_err(|error| error.about(&what))?.to_vec());
        }
        let script = Script::new("readlink -f").path(path);
        let output = self.job(&about("resolve", path), script).await?;
        Ok(output.strip_suffix(b"\n").unwrap_or(&output).to_vec())
    }

    /// Makes an empty file that nobody else can read, where nothing is. Over SFTP it is open for writing then.
    pub(in crate::files) async fn create(&self, path: &[u8]) -> Result<Created, Failure> {
        let what = about("make a file in", &split(path).0);
        let (made, missing) = match self.sftp() {
            Some(sftp) => {
                let made = self.open_new(sftp, path).await;
                let missing = match &made {
                    // The folder, and not the file.
                    Err(error) if error.is_unexplained() => {
                        let folder = is_missing(sftp, &split(path).0, true).await;
                        folder.map_err(|error| error.about(&what))?
                    }
                    made => made.as_ref().is_err_and(SftpError::is_missing),
                };
                (made.map(Created::Open).map_err(|error| error.about(&what)), missing)
            }
            None => {
                let made = self.job(&what, Script::new("umask 077; set -C; :>").path(path)).await;
                let says =
                    |words: &str| made.as_ref().is_err_and(|failure| failure.message().contains(words));
                let missing = says("nonexistent") || says("No such") || says("not found");
                (made.map(|_| Created::Closed), missing)
            }
        };
        made.map_err(|failure| {
            if !missing {
                return failure;
            }
            let folder = shown(&split(path).0);
            Failure::new(failure.kind, format!("the folder {folder} is missing"))
                .hint(format!("create it first: `file: {folder}` with `state: directory`, or `mkdir -p`"))
        })
    }

    /// Opens a new file for writing over SFTP, which nobody else can read.
    pub(in crate::files) async fn open_new(&self, sftp: &Sftp, path: &[u8]) -> Result<Bytes, SftpError> {
        let handle = sftp.open(path, OpenFlags::CREATE_NEW, Some(0o600)).await?;
        self.keep_private(sftp, path, &handle).await?;
        Ok(handle)
    }

    /// The SHA-256 of a file, from reading all of it.
    pub(in crate::files) async fn read_back(&self, path: &[u8]) -> Result<Digest, Failure> {
        let size = self.look(path, false).await?.and_then(|meta| meta.size());
        let size =
            size.ok_or_else(|| Failure::new(Kind::VerifyFailed, format!("{} is gone", shown(path))))?;
        let expected = Expected { path, size, in_flight: READ_BACK };
        receive(self, &expected, Arc::new(|_: &[u8], _: u64| Ok(())), &TransferProgress::default()).await
    }

    /// Reads a small file; each piece is handed over in order.
    ///
    /// # Errors
    ///
    /// It is not as long as it was said to be, or cannot be read.
    pub async fn read_with(
        &self,
        path: &[u8],
        size: u64,
        take: impl Fn(&[u8]) + Send + Sync + 'static,
    ) -> Result<(), Failure> {
        let expected = Expected { path, size, in_flight: READ_BACK };
        let write = move |data: &[u8], _: u64| {
            take(data);
            Ok(())
        };
        receive(self, &expected, Arc::new(write), &TransferProgress::default()).await.map(drop)
    }

    /// Makes an empty file, unless there is one.
    ///
    /// # Errors
    ///
    /// The host does not.
    pub async fn make_file(&self, path: &[u8]) -> Result<(), Failure> {
        match self.create(path).await? {
            Created::Closed => Ok(()),
            Created::Open(handle) => match self.sftp() {
                Some(sftp) => sftp.close(handle).await.map_err(|error| error.about(&about("make", path))),
                None => Ok(()),
            },
        }
    }

    /// Gives each of some files to whom they are to belong.
    pub(in crate::files) async fn give_each(
        &self,
        paths: &[Vec<u8>],
        wanted: &WantedAttributes,
    ) -> Result<(), Failure> {
        for batch in paths.chunks(AT_A_TIME) {
            let script = Script::new("chown -h").word(whose(wanted).as_bytes());
            let script = batch.iter().fold(script, |script, path| script.path(path));
            self.job("cannot change the owner of files", script).await?;
        }
        Ok(())
    }

    /// Gives a folder with all that is in it to whom it is to belong.
    pub(in crate::files) async fn give_all(
        &self,
        path: &[u8],
        wanted: &WantedAttributes,
    ) -> Result<(), Failure> {
        let script = Script::new("chown -hR").word(whose(wanted).as_bytes()).path(path);
        self.job(&about("change the owner of", path), script).await.map(drop)
    }

    /// SHA-256 of files below a folder, in order. `None` when the host cannot count them.
    pub(in crate::files) async fn digests_in(
        &self,
        folder: &[u8],
        names: &[Vec<u8>],
        patience: Duration,
    ) -> Result<Option<Vec<Digest>>, Failure> {
        let before = Script::new("cd").path(folder).text("|| exit 1\n");
        self.digests_after(&before, names, patience).await
    }

    /// Puts a folder where nothing is.
    pub(in crate::files) async fn settle_new(&self, temporary: &[u8], target: &[u8]) -> Result<(), Failure> {
        let what = about("put the new folder in place:", target);
        let asking = self.undecided();
        let asked = match self.sftp() {
            Some(sftp) => {
                let (from, to) = (Bytes::copy_from_slice(temporary), Bytes::copy_from_slice(target));
                let asked = async {
                    let asked = sftp.ask(SftpRequest::Rename { from, to }).await?;
                    self.renamed(sftp, temporary, asked).await
                };
                asked.await.map_err(|error| error.about(&what))
            }
            None => {
                let script = Script::new("[ ! -e").path(target).text("] && mv").path(temporary).path(target);
                self.job(&what, script).await.map(drop)
            }
        };
        asking.decided(asked)?;
        self.settled(temporary);
        self.moved(temporary, target);
        Ok(())
    }

    /// A pipe to a command that appends its input to a file that has `from` bytes, and makes it durable where it can.
    pub(in crate::files) async fn writing(&self, path: &[u8], from: u64) -> Result<Pipe, Failure> {
        let open = if from == 0 { ">" } else { ">>" };
        let script = Script::new(&format!("cat {open}"))
            .path(path)
            .text("|| exit 1\nsync")
            .path(path)
            .text("2>/dev/null || :\n");
        let script = String::from_utf8(script.bytes().to_vec()).map_err(|_| not_utf8(path))?;
        self.privilege().script(self.session().as_ref(), &script, self.claim()).await
    }

    /// Writes a small content to a file that is there, and makes it durable where the host can.
    pub(in crate::files) async fn write_small(&self, path: &[u8], data: &[u8]) -> Result<(), Failure> {
        let script = Script::new(&format!("printf %b '{}' >", octal(data)))
            .path(path)
            .text("|| exit 1\nsync")
            .path(path)
            .text("2>/dev/null || :\n");
        self.job(&about("write", path), script).await.map(drop)
    }

    /// A small content, as the output of a job in the shell.
    pub(in crate::files) async fn output_of_reading(&self, path: &[u8]) -> Result<Bytes, Failure> {
        // As for large ones.
        std::str::from_utf8(path).map_err(|_| not_utf8(path))?;
        self.job(&about("read", path), Script::new("cat").path(path)).await
    }

    /// A pipe to a command that prints a mark, and behind it a file's content.
    pub(in crate::files) async fn reading(&self, path: &[u8], mark: &str) -> Result<Pipe, Failure> {
        let script = Script::new(&format!("printf '%s\\n' {mark} && exec cat")).path(path).text("\n");
        let script = String::from_utf8(script.bytes().to_vec()).map_err(|_| not_utf8(path))?;
        self.privilege().script(self.session().as_ref(), &script, self.claim()).await
    }

    /// The verdict on a command that wrote or read, from its end and what it said.
    pub(in crate::files) fn ended(&self, what: &str, exit: Option<Exit>, said: &[u8]) -> Result<(), Failure> {
        match exit {
            Some(Exit::Status(0)) => Ok(()),
            Some(Exit::Status(status)) => {
                Err(refused(what, &JobEnd { status, output: Bytes::copy_from_slice(said) }))
            }
            Some(Exit::Signal(name)) => {
                Err(Failure::new(Kind::Signal, format!("{what}: the command was killed by {name}")))
            }
            None => Err(Failure::new(Kind::ConnectionLost, format!("{what}: how it ended is unknown"))),
        }
    }

    /// A failure with more of its reason: OpenSSH says no more than "Failure" about a full disk.
    pub(in crate::files) async fn explained(&self, path: &[u8], failure: Failure) -> Failure {
        if failure.kind != Kind::RemotePath || !failure.cause.contains("server says") {
            return failure;
        }
        let script = Script::new("df -Pk").path(&split(path).0);
        let Ok(output) = self.job("look at the free space", script).await else { return failure };
        // The second line's fourth word (POSIX df -P).
        let text = String::from_utf8_lossy(&output).into_owned();
        let free =
            text.lines().nth(1).and_then(|line| line.split_ascii_whitespace().nth(3)?.parse::<u64>().ok());
        match free {
            Some(free) if free.saturating_mul(1024) < FULL => {
                Failure::new(Kind::RemoteDiskFull, "the disk is full")
                    .about(failure.message())
                    .hint("the old content is unchanged; free some space and run it again")
            }
            _ => failure,
        }
    }

    /// Runs the user's check of a new file.
    pub(in crate::files) async fn validate(&self, command: &FileCommand, path: &[u8]) -> Result<(), Failure> {
        let script =
            command.about(&if path.starts_with(b"/") { path.to_vec() } else { [b"./", path].concat() });
        let script = script.ok_or_else(|| {
            let message =
                format!("`validate` names {} inside quotes, where it would need its own", shown(path));
            Failure::new(Kind::Template, message).hint("write %s outside the quotes: it is always one word")
        })?;
        let end = self.shell().await?.run(script, VALIDATION).await?;
        if end.status == 0 {
            return Ok(());
        }
        let said: Vec<String> =
            String::from_utf8_lossy(&end.output).lines().rev().take(3).map(str::to_owned).collect();
        let said: Vec<&str> = said.iter().rev().map(String::as_str).collect();
        Err(Failure::new(
            Kind::Validation,
            format!("`validate` failed (exit status {}): {}", end.status, said.join("; ")),
        )
        .hint("the old content is unchanged"))
    }

    /// Keeps what is at a path under another name beside it: with this ending and a `~`, and a number between them
    /// when there is one already. Gives that name's path.
    pub(in crate::files) async fn back_up(&self, path: &[u8], ending: &str) -> Result<Vec<u8>, Failure> {
        let base = [path, ending.as_bytes()].concat();
        // A second name is enough: the first one will be given to another file.
        let script = Script::new("set --").path(path).path(&base).text(
            "\nend='~' n=2\n\
             while [ -e \"$2$end\" ] || [ -L \"$2$end\" ]; do end=.$n~ n=$((n + 1)); done\n\
             ln \"$1\" \"$2$end\" 2>/dev/null || cp -p \"$1\" \"$2$end\" || exit 1\n\
             printf '\\n%s' \"$end\"\n",
        );
        let output = self.job(&about("back up", path), script).await?;
        let end = output.rsplit(|&byte| byte == b'\n').next().unwrap_or_default();
        Ok([&base, end].concat())
    }

    /// Whether something is owned by whom it should be.
    pub(in crate::files) async fn is_owned(
        &self,
        path: &[u8],
        wanted: &WantedAttributes,
    ) -> Result<bool, Failure> {
        let by =
            |flag: &str, who: &Option<String>| who.as_ref().map(|who| Script::new(flag).word(who.as_bytes()));
        let mut script = Script::new("test -n \"$(find").path(path).text("-prune");
        for condition in [by("-user", &wanted.owner), by("-group", &wanted.group)].into_iter().flatten() {
            script = script.raw(condition.bytes());
        }
        let script = script.text("2>/dev/null)\"");
        Ok(self.shell().await?.run(script.bytes(), JOB).await?.status == 0)
    }

    /// Gives a file to an owner and group by number.
    pub(in crate::files) async fn give_to(&self, path: &[u8], owner: (u32, u32)) -> Result<(), Failure> {
        let what = about("change the owner of", path);
        if let Some(sftp) = self.sftp() {
            let attrs = Attrs { owner: Some(owner), ..Attrs::default() };
            let asked = sftp.ask(SftpRequest::Setstat { path: Bytes::copy_from_slice(path), attrs }).await;
            let asked = asked.map_err(|error| error.about(&what))?;
            return asked.done().await.map_err(|error| error.about(&what));
        }
        self.job(&what, Script::new(&format!("chown -h {}:{}", owner.0, owner.1)).path(path)).await.map(drop)
    }

    /// SHA-256 of a file's first bytes; none when the host cannot count them.
    pub(in crate::files) async fn digest_of_first(
        &self,
        path: &[u8],
        length: u64,
    ) -> Result<Option<Digest>, Failure> {
        let script = Script::new(&format!("head -c {length}")).path(path).text(&format!("| {HASH_INPUT}"));
        let end = self.shell().await?.run(script.bytes(), LONG_JOB).await?;
        if end.status != 0 {
            return Ok(None);
        }
        Ok(end.output.get(..64).and_then(Digest::parse))
    }

    /// SHA-256 of some pieces of a file, in order; none when the host cannot count them.
    pub(in crate::files) async fn digests_of_pieces(
        &self,
        path: &[u8],
        pieces: &[usize],
        patience: Duration,
    ) -> Result<Option<Vec<Digest>>, Failure> {
        let shell = match self.shell().await {
            Ok(shell) => shell,
            Err(failure) if is_no_shell(&failure) => return Ok(None),
            Err(failure) => return Err(failure),
        };
        let blocks = PIECE / u64::try_from(BLOCK).unwrap_or(u64::MAX);
        let mut script = Script::new("");
        for &number in pieces {
            let skip = u64::try_from(number).unwrap_or(u64::MAX).saturating_mul(blocks);
            script = script.text("dd if=").glued(path).text(&format!(
                "bs={BLOCK} skip={skip} count={blocks} 2>/dev/null | {HASH_INPUT} || exit 1\n"
            ));
        }
        let end = shell.run(script.bytes(), JOB + patience).await.map_err(uncounted)?;
        if end.status != 0 {
            return Ok(None);
        }
        let lines = end.output.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
        let digests: Vec<Digest> = lines.filter_map(|line| line.get(..64).and_then(Digest::parse)).collect();
        if digests.len() == pieces.len() { Ok(Some(digests)) } else { Ok(None) }
    }

    /// Copies a file's first bytes into another that is there.
    pub(in crate::files) async fn copy_first(
        &self,
        from: &[u8],
        to: &[u8],
        length: u64,
    ) -> Result<(), Failure> {
        let what = about("copy what an earlier transfer left:", from);
        let script = Script::new(&format!("head -c {length}")).path(from).text(">").path(to);
        let end = self.shell().await?.run(script.bytes(), LONG_JOB).await?;
        if end.status == 0 { Ok(()) } else { Err(refused(&what, &end)) }
    }
}

/// Why a file of this name cannot be moved by a command.
fn not_utf8(path: &[u8]) -> Failure {
    Failure::new(Kind::RemotePath, format!("the name {:?} is not UTF-8", shown(path)))
        .hint("such files can only be transferred over SFTP, as the login user: not with `sudo`")
}
