//! The files of a host, as one user sees them: looked at, listed, made, removed, set.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use tokio::sync::{OnceCell, Semaphore, SemaphorePermit};

use crate::files::digest::Digest;
use crate::files::meta::{Meta, MetaKind};
use crate::files::remote::beside::{Asking, Displaced};
use crate::files::remote::failures::{is_no_shell, odd_digest, refused, uncounted, untold};
use crate::files::remote::missing::is_missing;
use crate::files::remote::paths::{MAX_NAMES, about, child, shown};
use crate::files::remote::privilege::RemotePrivilege;
use crate::files::remote::quirks::Quirks;
use crate::files::remote::script::{HASH, LOOK, LOOK_BEHIND, MISSING, Script};
use crate::files::remote::shell::Shell;
use crate::files::remote::wanted::{Commands, WantedAttributes, attrs_of, touch, whose};
use crate::model::outcome::{Failure, Kind};
use crate::model::tree::TreePath;
use crate::ssh::pipe::Program;
use crate::ssh::sftp::wire::{Attrs, SftpRequest};
use crate::ssh::sftp::{Pending, Sftp, SftpError};
use crate::ssh::{ChannelClaim, ChannelHolder, Session};

/// How long a small job may take.
pub(super) const JOB: Duration = Duration::from_secs(60);

/// How long a folder may go on without a new name.
const LISTING: Duration = Duration::from_secs(60);

/// Names of a folder that are asked for one by one, at a time.
const ASKED_AT_A_TIME: usize = 64;

/// Contents that move by commands at a time: some servers lose how a command ended when many end at once.
const COMMANDS: usize = 4;

/// Bytes of paths in one job.
const JOB_PATHS: usize = 256 * 1024;

/// The files of a host, as one user sees them.
pub struct Remote<S> {
    pub(super) session: Arc<S>,
    pub(super) holder: ChannelHolder,
    pub(super) privilege: RemotePrivilege,
    pub(super) sftp: Option<Sftp>,
    pub(super) commands: Commands,
    pub(super) dialect: Quirks,
    /// Where relative paths of SFTP begin: the answer, until it is needed.
    pub(super) home: Mutex<Option<Pending>>,
    pub(super) shell: OnceCell<Result<Shell, Failure>>,
    /// Turns of contents that move by commands.
    pub(super) turns: Semaphore,
    /// Files that are not in place yet.
    pub(super) temporary: Mutex<Vec<Vec<u8>>>,
    /// Old contents that were taken out of the way of new ones.
    pub(super) displaced: Mutex<Vec<Displaced>>,
    /// How long the host took for its last look, in microseconds.
    pub(super) round_trip: AtomicU64,
    /// Requests that put something in place and have no answer.
    pub(super) undecided: AtomicUsize,
    /// Those that were answered with a yes.
    pub(super) placed: AtomicUsize,
}

impl<S: Session> Remote<S> {
    /// Finds out how files are moved to and from this host.
    ///
    /// # Errors
    ///
    /// There is no way, or the connection is gone.
    pub async fn open(
        session: Arc<S>,
        privilege: RemotePrivilege,
        commands: Commands,
    ) -> Result<Self, Failure> {
        let holder = ChannelHolder::unique();
        let sftp = match &privilege {
            RemotePrivilege::Login => sftp(session.as_ref(), ChannelClaim::Keep(holder)).await?,
            RemotePrivilege::Other(_) => None,
        };
        let home = match &sftp {
            // Not waited for: only a shell beside it needs to know.
            Some(sftp) => sftp.ask(SftpRequest::Realpath { path: Bytes::from_static(b".") }).await.ok(),
            None => None,
        };
        let remote = Self {
            session,
            holder,
            privilege,
            sftp,
            commands,
            dialect: Quirks::default(),
            home: Mutex::new(home),
            shell: OnceCell::new(),
            turns: Semaphore::new(COMMANDS),
            temporary: Mutex::default(),
            displaced: Mutex::default(),
            round_trip: AtomicU64::new(0),
            undecided: AtomicUsize::new(0),
            placed: AtomicUsize::new(0),
        };
        if remote.sftp.is_none() {
            remote.shell().await?;
        }
        Ok(remote)
    }

    /// The connection below.
    pub fn session(&self) -> &Arc<S> {
        &self.session
    }

    /// How a channel is asked for that is given back before anything else is.
    pub(in crate::files) fn claim(&self) -> ChannelClaim {
        ChannelClaim::Use(self.holder)
    }

    /// For whom things are done.
    pub fn privilege(&self) -> &RemotePrivilege {
        &self.privilege
    }

    /// The SFTP client, where there is one.
    pub fn sftp(&self) -> Option<&Sftp> {
        self.sftp.as_ref()
    }

    /// The shell, started when it is first needed.
    ///
    /// # Errors
    ///
    /// The account has none, or it could not be started; the same each time.
    pub async fn shell(&self) -> Result<&Shell, Failure> {
        self.commands.allowed()?;
        let start = || async {
            // Without SFTP there is nothing beside which it would be.
            if self.sftp.is_some() {
                self.commands.asked();
            }
            let claim = ChannelClaim::Keep(self.holder);
            let started = Shell::start(self.session.as_ref(), &self.privilege, claim).await;
            let started = match started {
                Ok(shell) => self.on_the_same_files(shell).await,
                Err(failure) => Err(failure),
            };
            if started.is_ok() {
                self.commands.granted();
            }
            started
        };
        self.shell.get_or_init(start).await.as_ref().map_err(Failure::clone)
    }

    /// Has a shell begin where SFTP does. One that cannot, as SFTP alone is locked into a folder, is of no use: the same
    /// path would be another file there.
    async fn on_the_same_files(&self, mut shell: Shell) -> Result<Shell, Failure> {
        let home = self.home.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(home) = home else { return Ok(shell) };
        match home.path().await {
            Ok(home) if home == shell.folder() => {}
            Ok(home) if home.as_ref() == b"/" => {
                shell.end().await;
                let message = "commands see other files there than SFTP, which is confined to a folder";
                return Err(Failure::new(Kind::ExecRefused, message));
            }
            Ok(home) => shell.work_in(home),
            Err(error) if error.is_end() => {
                return Err(error.about("cannot ask for the SFTP starting folder"));
            }
            // It does not tell: most begin at the same place.
            Err(_) => {}
        }
        Ok(shell)
    }

    /// Whether a connection that is lost may have been ended by the server because a command was asked for beside
    /// SFTP. Nothing was put in place since [`Self::begin`], so that all may be done again without commands.
    pub fn may_go_on_alone(&self) -> bool {
        self.sftp.is_some()
            && self.commands.may_have_ended_it()
            && self.placed.load(Ordering::Relaxed) == 0
            && !self.is_undecided()
    }

    /// Waits for one's turn to move a content by a command; alone when that has gone wrong before.
    pub(in crate::files) async fn turn(&self, alone: bool) -> Option<SemaphorePermit<'_>> {
        let turns = if alone { COMMANDS } else { 1 };
        // The semaphore is never closed.
        self.turns.acquire_many(u32::try_from(turns).unwrap_or(1)).await.ok()
    }

    /// How long the host took for its last look: about a round trip.
    pub fn round_trip(&self) -> Duration {
        Duration::from_micros(self.round_trip.load(Ordering::Relaxed))
    }

    /// What is at a path; `None` when nothing is. Links are followed when asked to.
    ///
    /// # Errors
    ///
    /// The host does not tell.
    pub async fn look(&self, path: &[u8], follow: bool) -> Result<Option<Meta>, Failure> {
        if let Some(sftp) = &self.sftp {
            let asked = Instant::now();
            let looked = self.look_by_sftp(sftp, path, follow).await;
            let took = u64::try_from(asked.elapsed().as_micros()).unwrap_or(u64::MAX);
            self.round_trip.store(took, Ordering::Relaxed);
            return looked;
        }
        let script = Script::new(MISSING).text(if follow { LOOK_BEHIND } else { LOOK });
        let output = self.job(&about("look at", path), script.text("look").path(path)).await?;
        match String::from_utf8_lossy(&output).trim() {
            "-" => Ok(None),
            line => Meta::of_line(line).map(Some).ok_or_else(|| untold(path)),
        }
    }

    /// The names in a folder, with what is there; none of them can lead elsewhere.
    ///
    /// # Errors
    ///
    /// The host does not tell, tells without end, or tells names that are none.
    pub async fn list(&self, path: &[u8]) -> Result<Vec<(Vec<u8>, Meta)>, Failure> {
        let named = match &self.sftp {
            Some(sftp) => self.list_by_sftp(sftp, path).await?,
            None => self.list_by_shell(path).await?,
        };
        for (name, _) in &named {
            TreePath::root().join(name).map_err(|why| {
                let name = String::from_utf8_lossy(name);
                Failure::new(Kind::UnsafeName, format!("a name in {} {why}: {name:?}", shown(path)))
                    .hint("the host's file server is lying; do not trust it")
            })?;
        }
        Ok(named)
    }

    async fn list_by_sftp(&self, sftp: &Sftp, path: &[u8]) -> Result<Vec<(Vec<u8>, Meta)>, Failure> {
        let failed = |error: SftpError| error.about(&about("list", path));
        let opened =
            sftp.ask(SftpRequest::Opendir { path: Bytes::copy_from_slice(path) }).await.map_err(failed)?;
        let handle = match opened.handle().await {
            Err(error) if error.is_unexplained() && is_missing(sftp, path, true).await.map_err(failed)? => {
                return Err(failed(SftpError::missing()));
            }
            handle => handle.map_err(failed)?,
        };
        let mut named = Vec::new();
        let mut told = 0;
        // One question is always on its way while an answer is read.
        let mut ahead = sftp.ask_readdir(&handle).await.map_err(failed)?;
        let mut since = Instant::now();
        loop {
            let pending = std::mem::replace(&mut ahead, sftp.ask_readdir(&handle).await.map_err(failed)?);
            let Some(more) = pending.names().await.map_err(failed)? else { break };
            // Endless empty answers are no names either.
            if !more.is_empty() {
                since = Instant::now();
            } else if since.elapsed() > LISTING {
                let message = format!("{}: no new name for {} s", about("list", path), LISTING.as_secs());
                return Err(Failure::new(Kind::Limit, message));
            } else {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            // Also those that are none: names of what is not there could go on for ever, too.
            told += more.len();
            if told > MAX_NAMES {
                let message = format!("{} has more than {MAX_NAMES} names", shown(path));
                return Err(Failure::new(Kind::Limit, message));
            }
            let more = more.into_iter().filter(|entry| !matches!(entry.name.as_ref(), b"." | b".."));
            let metas = more.map(|entry| {
                async move {
                    let meta = self.listed_by_sftp(sftp, &child(path, &entry.name), &entry.attrs).await?;
                    Ok::<_, Failure>(meta.map(|meta| (entry.name.to_vec(), meta)))
                }
                .boxed()
            });
            let metas = stream::iter(metas.collect::<Vec<_>>()).buffered(ASKED_AT_A_TIME);
            named.extend(metas.try_collect::<Vec<_>>().await?.into_iter().flatten());
        }
        // Whether it was closed does not matter to what was read.
        sftp.ask(SftpRequest::Close { handle }).await.map_err(failed)?;
        Ok(named)
    }

    async fn list_by_shell(&self, path: &[u8]) -> Result<Vec<(Vec<u8>, Meta)>, Failure> {
        let script = Script::new(MISSING).text(LOOK).text("cd").path(path).text(
            "|| exit 1\n[ -r . ] || { echo 'Permission denied'; exit 1; }\nfor name in * .[!.]* ..?*; do\n  [ -e \"./$name\" ] || [ -L \"./$name\" ] || continue\n  \
             printf '%s\\0' \"$name\"; look \"./$name\"\ndone\n",
        );
        let output = self.job(&about("list", path), script).await?;
        let mut named = Vec::new();
        let mut rest = &output[..];
        while let Some(end) = rest.iter().position(|&byte| byte == 0) {
            let (name, behind) = rest.split_at(end);
            let behind = behind.get(1..).unwrap_or_default();
            let line_end = behind.iter().position(|&byte| byte == b'\n').unwrap_or(behind.len());
            let (line, more) = behind.split_at(line_end);
            if let Some(meta) = Meta::of_line(&String::from_utf8_lossy(line)) {
                named.push((name.to_vec(), meta));
            }
            rest = more.get(1..).unwrap_or_default();
        }
        Ok(named)
    }

    /// SHA-256 of the contents of files, in order. `None` when the host has no shell to count them.
    ///
    /// # Errors
    ///
    /// A file cannot be read, or the connection is gone.
    pub async fn digests(
        &self,
        paths: &[Vec<u8>],
        patience: Duration,
    ) -> Result<Option<Vec<Digest>>, Failure> {
        self.digests_after(&Script::default(), paths, patience).await
    }

    pub(super) async fn digests_after(
        &self,
        before: &Script,
        paths: &[Vec<u8>],
        patience: Duration,
    ) -> Result<Option<Vec<Digest>>, Failure> {
        let shell = match self.shell().await {
            Ok(shell) => shell,
            Err(failure) if is_no_shell(&failure) => return Ok(None),
            Err(failure) => return Err(failure),
        };
        let mut digests = Vec::with_capacity(paths.len());
        let mut rest = paths;
        while !rest.is_empty() {
            let mut size = 0;
            let fits = rest.iter().take_while(|path| {
                size += path.len() + 8;
                size <= JOB_PATHS
            });
            let (batch, more) = rest.split_at(fits.count().max(1));
            let script = hashing(Script::new(HASH).raw(before.bytes()), batch);
            let end = shell.run(script.bytes(), JOB + patience).await.map_err(uncounted)?;
            let lines: Vec<&[u8]> =
                end.output.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).collect();
            if end.status != 0 {
                // None of the programs is there, or none can read the file.
                return Ok(None);
            }
            for line in &lines {
                // A name that needs escapes has a backslash before the digits (GNU).
                let hex = line.strip_prefix(b"\\").unwrap_or(line);
                digests.push(hex.get(..64).and_then(Digest::parse).ok_or_else(|| odd_digest(line))?);
            }
            if lines.len() != batch.len() {
                return Err(Failure::new(Kind::VerifyFailed, "the host hashed other files than requested"));
            }
            rest = more;
        }
        Ok(Some(digests))
    }

    /// Makes a folder; its parent must be there.
    ///
    /// # Errors
    ///
    /// The host does not.
    pub async fn make_folder(&self, path: &[u8], mode: u32) -> Result<(), Failure> {
        let what = about("make the folder", path);
        if let Some(sftp) = &self.sftp {
            let attrs = Attrs { permissions: Some(mode), ..Attrs::default() };
            let asked = sftp.ask(SftpRequest::Mkdir { path: Bytes::copy_from_slice(path), attrs }).await;
            let asked = asked.map_err(|error| error.about(&what))?;
            asked.done().await.map_err(|error| error.about(&what))?;
            return self.narrow_folder(sftp, path, mode).await.map_err(|error| error.about(&what));
        }
        // As mkdir(2) does it: `-m` alone would set bits that the umask takes away.
        let mkdir = format!("mkdir -m \"$(printf %o $((0{mode:o} & ~$(umask))))\"");
        self.job(&what, Script::new(&mkdir).path(path)).await.map(drop)
    }

    /// Makes a folder, unless someone else just has; its parent must be there.
    ///
    /// # Errors
    ///
    /// The host does not, and there is none.
    pub async fn ensure_folder(&self, path: &[u8], mode: u32) -> Result<(), Failure> {
        let Err(failure) = self.make_folder(path, mode).await else { return Ok(()) };
        match self.look(path, true).await {
            Ok(Some(meta)) if meta.kind == MetaKind::Folder => Ok(()),
            Ok(_) | Err(_) => Err(failure),
        }
    }

    /// Removes a file or a link.
    ///
    /// # Errors
    ///
    /// The host does not.
    pub async fn remove(&self, path: &[u8]) -> Result<(), Failure> {
        let what = about("remove", path);
        if let Some(sftp) = &self.sftp {
            let asked = async {
                let asked = sftp.ask(SftpRequest::Remove { path: Bytes::copy_from_slice(path) }).await?;
                self.removed(sftp, path, asked).await
            };
            return asked.await.map_err(|error| error.about(&what));
        }
        self.job(&what, Script::new("rm -f").path(path)).await.map(drop)
    }

    /// Removes an empty folder.
    ///
    /// # Errors
    ///
    /// The host does not.
    pub async fn remove_folder(&self, path: &[u8]) -> Result<(), Failure> {
        let what = about("remove the folder", path);
        if let Some(sftp) = &self.sftp {
            let asked = async {
                let asked = sftp.ask(SftpRequest::Rmdir { path: Bytes::copy_from_slice(path) }).await?;
                self.removed(sftp, path, asked).await
            };
            return asked.await.map_err(|error| error.about(&what));
        }
        self.job(&what, Script::new("rmdir").path(path)).await.map(drop)
    }

    /// Where a link points.
    ///
    /// # Errors
    ///
    /// The host does not tell.
    pub async fn link_target(&self, path: &[u8]) -> Result<Vec<u8>, Failure> {
        let what = about("read the link", path);
        if let Some(sftp) = &self.sftp {
            return Ok(sftp.readlink(path).await.map_err(|error| error.about(&what))?.to_vec());
        }
        self.link_target_by_shell(&what, path).await
    }

    pub(super) async fn link_target_by_shell(&self, what: &str, path: &[u8]) -> Result<Vec<u8>, Failure> {
        // A dot keeps line ends at the end of the target.
        let output = self.job(what, Script::new("readlink -n").path(path).text("&& echo .")).await?;
        Ok(output.strip_suffix(b".\n").unwrap_or(&output).to_vec())
    }

    /// Makes a link where nothing is.
    ///
    /// # Errors
    ///
    /// The host does not.
    pub async fn make_link(&self, target: &[u8], path: &[u8]) -> Result<(), Failure> {
        if let Some(sftp) = &self.sftp {
            return self.link_by_sftp(sftp, target, path).await;
        }
        let what = about("make the link", path);
        self.job(&what, Script::new("ln -s --").word(target).path(path)).await.map(drop)
    }

    /// Sets what is wanted of a file or folder.
    ///
    /// # Errors
    ///
    /// The host does not.
    pub async fn set(&self, path: &[u8], wanted: &WantedAttributes) -> Result<(), Failure> {
        // chown first: it takes setuid bits away.
        if wanted.owner.is_some() || wanted.group.is_some() {
            let chown = Script::new("chown -h").word(whose(wanted).as_bytes()).path(path);
            self.job(&about("change the owner of", path), chown).await?;
        }
        if let Some(sftp) = &self.sftp {
            let attrs = attrs_of(wanted);
            if attrs != Attrs::default() {
                let set = self.set_by_path(sftp, path, &attrs).await;
                set.map_err(|error| error.about(&about("set the attributes of", path)))?;
            }
            return Ok(());
        }
        let mut script = Script::default();
        if let Some(mode) = wanted.mode {
            script = script.text(&format!("chmod {mode:o}")).path(path).text("|| exit 1\n");
        }
        if let Some(mtime) = wanted.mtime {
            script = script.text(&touch(mtime)).path(path).text("|| exit 1\n");
        }
        if script.bytes().is_empty() {
            return Ok(());
        }
        self.job(&about("set the attributes of", path), script).await.map(drop)
    }

    /// Runs a script of small jobs; a failing one is an error about `what` that tells what the host said.
    pub(super) async fn job(&self, what: &str, script: Script) -> Result<Bytes, Failure> {
        self.work(what, &script, JOB).await
    }

    /// Runs a longer script of a step; gives what it printed.
    ///
    /// # Errors
    ///
    /// It fails, which is an error about `what` that tells what the host said last; or the host cannot run it.
    pub async fn work(&self, what: &str, script: &Script, patience: Duration) -> Result<Bytes, Failure> {
        let end = self.shell().await?.run(script.bytes(), patience).await;
        let end = end.map_err(|failure| failure.about(what))?;
        if end.status == 0 { Ok(end.output) } else { Err(refused(what, &end)) }
    }

    /// The same for a script that puts something in place: whether it did is not known when the connection is lost.
    ///
    /// # Errors
    ///
    /// As [`Self::work`].
    pub async fn work_in_place(
        &self,
        what: &str,
        script: &Script,
        patience: Duration,
    ) -> Result<Bytes, Failure> {
        let asking = self.undecided();
        asking.decided(self.work(what, script, patience).await)
    }

    /// A request that puts something in place is about to go out.
    pub(in crate::files) fn undecided(&self) -> Asking<'_> {
        Asking::new(&self.undecided, &self.placed)
    }

    pub(super) fn temporaries(&self) -> std::sync::MutexGuard<'_, Vec<Vec<u8>>> {
        self.temporary.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Adds the counting of files to a script. A name with a line end is not shown to the program that counts: not all of
/// them write it in one line.
fn hashing(script: Script, paths: &[Vec<u8>]) -> Script {
    paths.chunk_by(|one, other| !is_two_lines(one) && !is_two_lines(other)).fold(script, |script, run| {
        let script = script.text("hash");
        let script = match run {
            [path] if is_two_lines(path) => script.text(" <").path(path),
            _ => run.iter().fold(script, |script, path| script.path(path)),
        };
        script.text("|| exit 1\n")
    })
}

fn is_two_lines(path: &[u8]) -> bool {
    path.contains(&b'\n')
}

/// Opens an SFTP client; none where the server has no SFTP.
async fn sftp<S: Session>(session: &S, claim: ChannelClaim) -> Result<Option<Sftp>, Failure> {
    let pipe = match session.pipe_for(Program::Subsystem("sftp"), claim).await {
        Ok(pipe) => pipe,
        Err(error) if error.failure.kind == Kind::SftpUnavailable => return Ok(None),
        Err(error) => return Err(error.failure),
    };
    match Sftp::start(pipe).await {
        Ok(sftp) => Ok(Some(sftp)),
        // Its program could not be started. Text of a login is another matter, which its owner must know of.
        Err(SftpError::Ended(failure)) if failure.kind == Kind::SftpUnavailable && failure.hint.is_none() => {
            Ok(None)
        }
        // Its program is another one: it waits for us, as we for it.
        Err(SftpError::Stalled(seconds)) => {
            let message = format!("cannot open SFTP: no answer from its server within {seconds} s");
            let hint = "does a profile (.bashrc) replace the login shell there, or wait for something? `fan ping` shows";
            Err(Failure::new(Kind::SftpUnavailable, message).hint(hint))
        }
        Err(error) => Err(error.about("cannot open SFTP")),
    }
}

/// Whether something is a folder.
pub fn is_folder(meta: Option<&Meta>) -> bool {
    meta.is_some_and(|meta| meta.kind == MetaKind::Folder)
}
