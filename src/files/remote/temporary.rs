//! Files of the host that are not in place yet: their names, their way into place, and what becomes of them when all
//! goes wrong.
//!
//! A temporary file lies beside its target, so that it gets there by one rename(2), which shows either the old content
//! or the new one. Its name has 128 random bits and it is made with `O_EXCL`: nobody on the host can prepare it.

use std::sync::atomic::Ordering;
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use crate::files::meta::MetaKind;
use crate::files::remote::beside::{Displaced, Replaced, temporary_name};
use crate::files::remote::host::Remote;
use crate::files::remote::paths::{about, child, shown, split};
use crate::files::remote::script::Script;
use crate::files::remote::work::LONG_JOB;
use crate::model::outcome::{Failure, Kind};
use crate::ssh::Session;
use crate::ssh::sftp::wire::{SftpRequest, status};
use crate::ssh::sftp::{Pending, Sftp, SftpError};

/// How long removing what is left may take once the work has been given up: over SFTP, and then by commands.
const CLEANUP: Duration = Duration::from_secs(1);

impl<S: Session> Remote<S> {
    /// A path for a temporary file beside a target. It is removed when it never gets into place.
    ///
    /// # Errors
    ///
    /// The target has no name.
    pub fn temporary(&self, target: &[u8]) -> Result<Vec<u8>, Failure> {
        let (folder, name) = split(target);
        let name = name
            .ok_or_else(|| Failure::new(Kind::RemotePath, format!("{} is not a file name", shown(target))))?;
        let path = child(&folder, &temporary_name(&name));
        self.temporaries().push(path.clone());
        Ok(path)
    }

    /// Takes over what is not in place of the same files, seen over a connection that is gone.
    pub fn inherit(&self, other: &Self) {
        self.temporaries().append(&mut other.temporaries());
        self.displaced().append(&mut other.displaced());
    }

    /// Takes over a temporary file of an earlier run.
    pub fn adopt(&self, path: Vec<u8>) {
        self.temporaries().push(path);
    }

    /// The file is in place, or gone.
    pub fn settled(&self, path: &[u8]) {
        self.temporaries().retain(|kept| kept != path);
    }

    /// A folder has another name now, with all that is in it.
    pub(super) fn moved(&self, from: &[u8], to: &[u8]) {
        for kept in self.temporaries().iter_mut() {
            if let Some(below) = kept.strip_prefix(from).filter(|below| below.starts_with(b"/")) {
                *kept = [to, below].concat();
            }
        }
    }

    fn displaced(&self) -> MutexGuard<'_, Vec<Displaced>> {
        self.displaced.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The old content is back in its place, or gone for good.
    fn returned(&self, aside: &[u8]) {
        self.displaced().retain(|displaced| displaced.aside != aside);
    }

    /// Puts a temporary file into its target's place.
    ///
    /// # Errors
    ///
    /// The host does not; the old content is there, but for a server that renames only in two steps. A failure of
    /// the kind [`Kind::ConnectionLost`] says that it is not known.
    pub async fn replace(&self, temporary: &[u8], target: &[u8]) -> Result<Replaced, Failure> {
        let what = about("put a new file in place of", target);
        let through = self.renames_through() && {
            let there = self.look(target, false).await?;
            there.is_some_and(|meta| meta.kind == MetaKind::Link)
        };
        let asking = self.undecided();
        let renamed = async {
            if through {
                self.remove(target).await?;
            }
            self.rename_over(&what, temporary, target).await
        };
        let how = match asking.decided(renamed.await) {
            Ok(how) => how,
            Err(failure) => return Err(Box::pin(self.explained_busy(target, failure)).await),
        };
        let how = if through { Replaced::InTwoSteps } else { how };
        self.settled(temporary);
        Ok(how)
    }

    /// Writes a temporary file's content into the file at its target, and removes it.
    ///
    /// The content is on the host's disk already, and its copy there is finished even when the connection is lost
    /// meanwhile. What was there is kept beside it until the two are equal, and put back when they are not.
    ///
    /// # Errors
    ///
    /// The old content is there, but for a failure that says otherwise. One of the kind [`Kind::ConnectionLost`] says
    /// that it is not known.
    pub async fn overwrite(&self, temporary: &[u8], target: &[u8]) -> Result<(), Failure> {
        let (folder, name) = split(target);
        // Not among those that are cleared away: it may be all that is left of the old content.
        let aside = child(&folder, &temporary_name(&name.unwrap_or_default()));
        let script = Script::new(
            "trap '' HUP INT TERM PIPE\n\
             same() { a=$(cksum <\"$1\") && b=$(cksum <\"$2\") && [ \"$a\" = \"$b\" ]; }\n\
             into() { ( : >>\"$2\" ) && cat \"$1\" >\"$2\" && same \"$1\" \"$2\"; }\nset --",
        )
        .path(temporary)
        .path(target)
        .path(&aside)
        .text(
            "\nif ! cp -p \"$2\" \"$3\"; then rm -f \"$3\"; exit 1; fi\n\
             if into \"$1\" \"$2\"; then rm -f \"$1\" \"$3\"; exit 0; fi\n\
             if same \"$3\" \"$2\" || into \"$3\" \"$2\"; then rm -f \"$3\"\n\
             else echo \"the old content is in $3\"; fi\nexit 1",
        );
        let what = about("write in place into", target);
        self.work_in_place(&what, &script, LONG_JOB).await?;
        self.settled(temporary);
        Ok(())
    }

    /// Says of a file that cannot be replaced that something holds it, and what can be done then.
    ///
    /// SFTP has no word for it: whether the target is a mount of its own is asked for.
    async fn explained_busy(&self, target: &[u8], failure: Failure) -> Failure {
        const IN_PLACE: &str =
            "`in_place: true` (--in-place) writes into the file that is there: docs/files.md";
        let told = failure.message();
        if told.contains("resource busy") || told.contains("Text file busy") {
            return failure.hint(IN_PLACE);
        }
        if failure.kind == Kind::ConnectionLost {
            return failure;
        }
        let (folder, name) = split(target);
        let name = name.unwrap_or_default();
        // mountinfo(5) writes blanks and backslashes in octal: such a name is not found, and nothing is said.
        let script = Script::new("f=$(cd")
            .path(if folder.is_empty() { b"." } else { &folder })
            .text("&& pwd -P) && n=")
            .glued(&name)
            .text("&& f=${f%/}/${n##*/} && while read -r _ _ _ _ m _; do [ \"$m\" = \"$f\" ] && exit 0; done </proc/self/mountinfo\nexit 1");
        match self.job(&about("look at", target), script).await {
            Ok(_) => failure.with("it is a mount of its own, as in a container").hint(IN_PLACE),
            Err(_) => failure,
        }
    }

    async fn rename_over(&self, what: &str, temporary: &[u8], target: &[u8]) -> Result<Replaced, Failure> {
        match self.sftp() {
            None => self.replace_by_shell(what, temporary, target).await,
            Some(sftp) if sftp.extensions().posix_rename => {
                let asked = async {
                    let asked = sftp.ask_posix_rename(temporary, target).await?;
                    self.renamed(sftp, temporary, asked).await
                };
                match asked.await {
                    Ok(()) => Ok(Replaced::Atomically),
                    // Some list it and do not have it.
                    Err(error) if error.is_unsupported() || error == SftpError::Feigned => {
                        let replaced = self.replace_in_two_steps(temporary, target).await;
                        replaced.map_err(|error| error.about(what))
                    }
                    Err(error) => Err(error.about(what)),
                }
            }
            Some(_) => self.replace_in_two_steps(temporary, target).await.map_err(|error| error.about(what)),
        }
    }

    /// A server that does not rename at all must not cost the old content: it is kept until the new one is in place.
    async fn replace_in_two_steps(&self, temporary: &[u8], target: &[u8]) -> Result<Replaced, SftpError> {
        match self.rename(temporary, target).await {
            // Some servers replace, as POSIX does.
            Ok(()) => return Ok(Replaced::Atomically),
            Err(SftpError::Status {
                code: status::FAILURE | status::PERMISSION_DENIED | status::FILE_ALREADY_EXISTS,
                ..
            }) => {}
            Err(error) => return Err(error),
        }
        let (folder, name) = split(target);
        let aside = child(&folder, &temporary_name(&name.unwrap_or_default()));
        self.displaced().push(Displaced { aside: aside.clone(), target: target.to_vec() });
        if let Err(error) = self.rename(target, &aside).await {
            if !error.is_end() {
                self.returned(&aside);
            }
            return Err(error);
        }
        self.rename(temporary, target).await?;
        self.ask_remove(&aside).await?;
        self.returned(&aside);
        Ok(Replaced::InTwoSteps)
    }

    /// Renames to where nothing is, over SFTP.
    async fn rename(&self, from: &[u8], to: &[u8]) -> Result<(), SftpError> {
        let Some(sftp) = self.sftp() else { return Ok(()) };
        let (from, to) = (Bytes::copy_from_slice(from), Bytes::copy_from_slice(to));
        let asked = sftp.ask(SftpRequest::Rename { from: from.clone(), to }).await?;
        self.renamed(sftp, &from, asked).await
    }

    async fn ask_remove(&self, path: &[u8]) -> Result<(), SftpError> {
        let Some(sftp) = self.sftp() else { return Ok(()) };
        let asked = sftp.ask(SftpRequest::Remove { path: Bytes::copy_from_slice(path) }).await?;
        self.removed(sftp, path, asked).await
    }

    /// Waits for the removal of what is at a path, and sees that it is gone: some servers say yes to everything.
    ///
    /// The look goes out right behind the request, and costs no round trip.
    pub(super) async fn removed(&self, sftp: &Sftp, path: &[u8], asked: Pending) -> Result<(), SftpError> {
        let looked = sftp.ask(SftpRequest::Lstat { path: Bytes::copy_from_slice(path) }).await;
        asked.done().await?;
        let seen = match looked {
            Ok(looked) => looked.attrs().await,
            Err(error) => Err(error),
        };
        match seen {
            Err(error) if error.is_missing() => Ok(()),
            // A server that does both at a time may have looked first.
            Ok(_) | Err(_) => is_gone(sftp, path).await,
        }
    }

    /// Waits for a rename, and sees that the old name is gone.
    ///
    /// The new one is not asked for: where files are dropped to be fetched, it may be gone already.
    pub(super) async fn renamed(&self, sftp: &Sftp, from: &[u8], asked: Pending) -> Result<(), SftpError> {
        asked.done().await?;
        is_gone(sftp, from).await
    }

    async fn replace_by_shell(&self, what: &str, from: &[u8], to: &[u8]) -> Result<Replaced, Failure> {
        // mv goes into a folder, and into one that a link in its way points at.
        let script = Script::new("if [ -L")
            .path(to)
            .text("] && [ -d")
            .path(to)
            .text("]; then\n  mv -fT")
            .path(from)
            .path(to)
            .text("2>/dev/null || mv -fh")
            .path(from)
            .path(to)
            .text("2>/dev/null || { rm -f")
            .path(to)
            .text("&& mv -f")
            .path(from)
            .path(to)
            .text("; }\nelif [ -d")
            .path(to)
            .text("]; then echo 'a folder is there'; exit 1\nelse mv -f")
            .path(from)
            .path(to)
            .text("\nfi");
        self.job(what, script).await.map(|_| Replaced::Atomically)
    }

    /// Removes a temporary file that will not get into place. One that cannot be removed is left to [`Self::cleanup`].
    pub async fn discard(&self, temporary: &[u8]) {
        if self.remove(temporary).await.is_ok() {
            self.settled(temporary);
        }
    }

    /// Removes all files that are not in place; gives those that could not be removed. Never takes long.
    pub async fn cleanup(&self) -> Vec<String> {
        let left = self.temporaries().clone();
        let displaced = self.displaced().clone();
        let removing = async {
            for Displaced { aside, target } in displaced {
                if self.restore(&aside, &target).await.is_ok() {
                    self.returned(&aside);
                }
            }
            for path in &left {
                if self.clear(path).await.is_ok() {
                    self.settled(path);
                }
            }
        };
        let _ = tokio::time::timeout(CLEANUP, removing).await;
        if self.sftp().is_some() {
            // An SFTP server that hangs, ended or lost its way is not the end of the connection.
            let _ = tokio::time::timeout(CLEANUP, self.clear_by_shell()).await;
        }
        self.left()
    }

    /// Removes by commands what SFTP did not. What is not there may yet come, and counts as left.
    async fn clear_by_shell(&self) {
        let displaced = self.displaced().clone();
        for Displaced { aside, target } in displaced {
            let script =
                Script::new("if [ -e").path(&target).text("] || [ -L").path(&target).text("]; then rm");
            let script = script.path(&aside).text("; else mv").path(&aside).path(&target).text("; fi");
            if self.job(&about("restore", &target), script).await.is_ok() {
                self.returned(&aside);
            }
        }
        let left = self.temporaries().clone();
        for path in &left {
            if self.job(&about("remove", path), Script::new("rm -r").path(path)).await.is_ok() {
                self.settled(path);
            }
        }
    }

    /// Puts an old content back into its place, or removes it where the new one is.
    async fn restore(&self, aside: &[u8], target: &[u8]) -> Result<(), Failure> {
        if self.look(aside, false).await?.is_none() {
            return Ok(());
        }
        match self.look(target, false).await? {
            Some(_) => self.remove(aside).await,
            None => self.rename(aside, target).await.map_err(|error| error.about(&about("restore", target))),
        }
    }

    /// The files that are not in place, as they are.
    pub fn left(&self) -> Vec<String> {
        let displaced = std::mem::take(&mut *self.displaced());
        let displaced = displaced.iter().map(|Displaced { aside, target }| {
            format!("{} (the old content of {})", shown(aside), shown(target))
        });
        let new: Vec<String> = self.temporaries().drain(..).map(|path| shown(&path)).collect();
        displaced.chain(new).collect()
    }

    /// A step begins: what an earlier one left undecided was told of then.
    pub fn begin(&self) {
        self.undecided.store(0, Ordering::Relaxed);
        self.placed.store(0, Ordering::Relaxed);
        drop(self.unheeded());
    }

    /// Whether the host was asked to put something in place and has not answered.
    pub fn is_undecided(&self) -> bool {
        self.undecided.load(Ordering::Relaxed) > 0
    }

    /// Removes whatever is at a path: a file, or a folder with all that is in it.
    pub(super) async fn clear(&self, path: &[u8]) -> Result<(), Failure> {
        match self.look(path, false).await? {
            None => Ok(()),
            Some(meta) if crate::files::remote::host::is_folder(Some(&meta)) => self.remove_all(path).await,
            Some(_) => self.remove(path).await,
        }
    }

    /// Removes a folder with all that is in it; links in it are removed and not followed.
    ///
    /// # Errors
    ///
    /// The host does not; some of it may be gone.
    pub async fn remove_all(&self, path: &[u8]) -> Result<(), Failure> {
        if self.sftp().is_none() {
            return self.job(&about("remove", path), Script::new("rm -rf").path(path)).await.map(drop);
        }
        // The folders below, each before what is in it.
        let mut folders = vec![path.to_vec()];
        let mut next = 0;
        while let Some(folder) = folders.get(next).cloned() {
            next += 1;
            for (name, meta) in self.list(&folder).await? {
                let inner = child(&folder, &name);
                if crate::files::remote::host::is_folder(Some(&meta)) {
                    folders.push(inner);
                } else {
                    self.remove(&inner).await?;
                }
            }
        }
        for folder in folders.iter().rev() {
            self.remove_folder(folder).await?;
        }
        Ok(())
    }
}

/// Sees that nothing is at a path. Who does not tell does not deny it; a connection that is lost shows in the next
/// request.
async fn is_gone(sftp: &Sftp, path: &[u8]) -> Result<(), SftpError> {
    let looked = match sftp.look(path, false).await {
        Err(error) if error.is_unsupported() => sftp.look(path, true).await,
        looked => looked,
    };
    match looked {
        Ok(Some(_)) => Err(SftpError::Feigned),
        Ok(None) | Err(_) => Ok(()),
    }
}
