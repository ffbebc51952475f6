//! What is particular to a host's SFTP server. Nothing on the wire tells it, and what servers say of themselves is not
//! to be relied on: it is tried, read back, and remembered for that host.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use futures::FutureExt;

use crate::files::meta::{Meta, MetaKind};
use crate::files::remote::beside::Replaced;
use crate::files::remote::failures::{is_loss, unless_refused, untold};
use crate::files::remote::host::Remote;
use crate::files::remote::missing::is_missing;
use crate::files::remote::paths::{LONGEST_TOLD, about, shown, split};
use crate::files::remote::quirks::{LinkHabit, heeds};
use crate::files::remote::script::Script;
use crate::model::outcome::{Failure, Kind};
use crate::model::text::beginning;
use crate::ssh::Session;
use crate::ssh::sftp::wire::{Attrs, LinkOrder, SftpRequest};
use crate::ssh::sftp::{Pending, Sftp, SftpError};

/// A file that nobody else can read.
const PRIVATE: u32 = 0o600;

/// A link of which no more is known.
const LINK: Meta = Meta { kind: MetaKind::Link, mode: Some(0o777), owner: None, mtime: None };

/// Where a link points that was to point to a target.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Points {
    There,
    /// To the same place by another path: proftpd tells links resolved, whatever they hold.
    SamePlace(Bytes),
    Elsewhere(Bytes),
    /// Nothing is there.
    Missing,
}

fn elsewhere(what: &str, told: &[u8], target: &[u8]) -> Failure {
    let told = beginning(told, LONGEST_TOLD);
    let message = format!("{what}: the server makes it point to {told}, not to {}", shown(target));
    Failure::new(Kind::RemotePath, message)
}

/// Whether two targets of a link lead to one place, as far as names tell. The second one may begin where SFTP begins.
fn is_same_place(link: &[u8], target: &[u8], told: &[u8]) -> bool {
    let folder = split(link).0;
    let due = place(&folder, target);
    due == place(&folder, told) || due == place(b"", told)
}

/// The names on the way to a path in a folder; the first is empty for absolute ones.
fn place<'a>(folder: &'a [u8], path: &'a [u8]) -> Vec<&'a [u8]> {
    let whole: [&[u8]; 2] = if path.starts_with(b"/") { [b"", path] } else { [folder, path] };
    let is_absolute = whole.iter().find(|part| !part.is_empty()).is_some_and(|part| part.starts_with(b"/"));
    let mut names: Vec<&[u8]> = Vec::new();
    for name in whole.into_iter().flat_map(|part| part.split(|&byte| byte == b'/')) {
        match name {
            b"" | b"." => {}
            b".." if names.last().is_some_and(|last| *last != b"..") => {
                names.pop();
            }
            b".." if is_absolute => {}
            name => names.push(name),
        }
    }
    if is_absolute {
        names.insert(0, b"");
    }
    names
}

impl<S: Session> Remote<S> {
    /// What is at a path, where SFTP is spoken; `None` when nothing is.
    pub(super) async fn look_by_sftp(
        &self,
        sftp: &Sftp,
        path: &[u8],
        follow: bool,
    ) -> Result<Option<Meta>, Failure> {
        let failed = |error: SftpError| error.about(&about("look at", path));
        let attrs = if follow {
            sftp.look(path, true).await
        } else {
            // proftpd tells with LSTAT what a link points at, and others have none: what can be read as a link is one.
            let (attrs, link) = futures::join!(sftp.look(path, false), sftp.readlink(path));
            let is_link = unless_refused(link).map_err(failed)?.is_some();
            match attrs {
                Ok(told) if is_link => {
                    let link = told.as_ref().and_then(Meta::of).filter(|meta| meta.kind == MetaKind::Link);
                    return Ok(Some(link.unwrap_or(LINK)));
                }
                Err(error) if error.is_unsupported() && is_link => return Ok(Some(LINK)),
                Err(error) if error.is_unsupported() || error.is_unexplained() => sftp.look(path, true).await,
                attrs => attrs,
            }
        };
        let attrs = match attrs {
            Err(error) if error.is_unexplained() => {
                match is_missing(sftp, path, follow).await.map_err(failed)? {
                    true => None,
                    false => return Err(failed(error)),
                }
            }
            attrs => attrs.map_err(failed)?,
        };
        let Some(attrs) = attrs else { return Ok(None) };
        let meta = match Meta::of(&attrs) {
            Some(meta) => meta,
            None => self.made_out(sftp, path, &attrs).await?,
        };
        if meta.mode.is_none() {
            self.dialect.note_untold(path);
        }
        Ok(Some(meta))
    }

    /// What is at a path, where the server does not tell: what opens as a folder is one, and anything else with a size is
    /// taken for a file.
    async fn made_out(&self, sftp: &Sftp, path: &[u8], told: &Attrs) -> Result<Meta, Failure> {
        let opened = async {
            sftp.ask(SftpRequest::Opendir { path: Bytes::copy_from_slice(path) }).await?.handle().await
        };
        let kind = match opened.await {
            Ok(handle) => {
                // Whether it was closed does not matter to what it is.
                let _ = sftp.close(handle).await;
                MetaKind::Folder
            }
            Err(error) if error.is_end() => return Err(error.about(&about("look at", path))),
            // It may be either.
            Err(error) if error.is_forbidden() => return Err(untold(path)),
            Err(_) => MetaKind::File { size: told.size.ok_or_else(|| untold(path))? },
        };
        Ok(Meta::told(kind, told))
    }

    /// What a folder's list tells of a name in it, where it tells that; servers that do not list links as such must not lead
    /// out of the folder. OpenSSH does, and its own extensions tell it from others well enough for that.
    pub(super) async fn listed_by_sftp(
        &self,
        sftp: &Sftp,
        path: &[u8],
        told: &Attrs,
    ) -> Result<Option<Meta>, Failure> {
        match Meta::of(told) {
            // Not every server tells with the name.
            None => self.look_by_sftp(sftp, path, false).await,
            Some(meta) if meta.kind == MetaKind::Folder && !sftp.extensions().lsetstat => {
                let link = unless_refused(sftp.readlink(path).await);
                let link = link.map_err(|error| error.about(&about("look at", path)))?;
                Ok(Some(link.map_or(meta, |_| LINK)))
            }
            Some(meta) => Ok(Some(meta)),
        }
    }

    /// Makes a link where nothing is, and sees that it is there and points where it is to point.
    pub(super) async fn link_by_sftp(&self, sftp: &Sftp, target: &[u8], path: &[u8]) -> Result<(), Failure> {
        let what = about("make the link", path);
        let failure = match self.ask_link(sftp, &what, target, path).await {
            Ok(Points::There) => return Ok(()),
            Ok(Points::SamePlace(_)) if self.points_to(path, target).await? => return Ok(()),
            Ok(Points::SamePlace(told) | Points::Elsewhere(told)) => elsewhere(&what, &told, target),
            Ok(Points::Missing) => {
                let message = format!("{what}: the server reports success, but it does not exist");
                Failure::new(Kind::RemotePath, message)
            }
            Err(failure) if is_loss(&failure) => return Err(failure),
            Err(failure) => failure,
        };
        // Whether it can be removed does not matter to what is told.
        let _ = self.remove(path).await;
        // A shell on the same files may do what this server does not.
        if let Err(none) = self.shell().await {
            return Err(if is_loss(&none) { none } else { failure });
        }
        if self.job(&what, Script::new("ln -s --").word(target).path(path)).await.is_err() {
            return Err(failure);
        }
        if let Points::Elsewhere(_) | Points::Missing = self.points(sftp, &what, target, path).await? {
            // It is elsewhere: the shell does not see the files that SFTP shows.
            let _ = self.job(&what, Script::new("rm -f").path(path)).await;
            return Err(failure);
        }
        Ok(())
    }

    async fn ask_link(&self, sftp: &Sftp, what: &str, target: &[u8], path: &[u8]) -> Result<Points, Failure> {
        let order = match self.dialect.links.get_or_try_init(|| self.try_links(sftp, what, path)).await? {
            LinkHabit::Made(order) => *order,
            LinkHabit::NotMade => {
                return Err(Failure::new(
                    Kind::RemotePath,
                    format!("{what}: the server cannot create links"),
                ));
            }
        };
        let request = SftpRequest::Symlink {
            target: Bytes::copy_from_slice(target),
            link: Bytes::copy_from_slice(path),
            order,
        };
        let asked = async { sftp.ask(request).await?.done().await };
        asked.await.map_err(|error| error.about(what))?;
        self.points(sftp, what, target, path).await
    }

    /// Puts a link where nothing is, or a file or another link.
    ///
    /// # Errors
    ///
    /// The host does not; what was there is there, but for a server that does not rename links.
    pub async fn place_link(&self, target: &[u8], path: &[u8]) -> Result<Replaced, Failure> {
        let temporary = self.temporary(path)?;
        self.make_link(target, &temporary).await?;
        self.learn_renaming(path).await?;
        if !self.renames_through() {
            return self.replace(&temporary, path).await;
        }
        // That it can be made is known by now.
        self.discard(&temporary).await;
        let asking = self.undecided();
        let there = self.look(path, false).await?;
        let placed = async {
            if there.is_some() {
                self.remove(path).await?;
            }
            self.make_link(target, path).await
        };
        asking.decided(placed.await)?;
        Ok(if there.is_some() { Replaced::InTwoSteps } else { Replaced::Atomically })
    }

    /// Finds out, once for the host, what becomes of links that are renamed or renamed to; they are about to be, beside
    /// this path.
    ///
    /// # Errors
    ///
    /// The host does not tell.
    pub(in crate::files) async fn learn_renaming(&self, beside: &[u8]) -> Result<(), Failure> {
        let Some(sftp) = self.sftp() else { return Ok(()) };
        self.dialect.renames_links.get_or_try_init(|| self.try_renaming(sftp, beside)).await.map(drop)
    }

    /// Whether renaming goes through links, at either end, as far as was learned.
    pub(super) fn renames_through(&self) -> bool {
        self.dialect.renames_links.get() == Some(&false)
    }

    /// Finds out what becomes of links that are renamed or renamed to: proftpd renames the file at their other end. It is
    /// tried with a file of ours, as links that lead nowhere are renamed like others there. Where it cannot be tried, the
    /// worst is taken to be so.
    async fn try_renaming(&self, sftp: &Sftp, beside: &[u8]) -> Result<bool, Failure> {
        let (file, from, to) = (self.temporary(beside)?, self.temporary(beside)?, self.temporary(beside)?);
        let tried = async {
            self.make_file(&file).await?;
            self.make_link(&split(&file).1.unwrap_or_default(), &from).await?;
            Ok(self.is_renamed(sftp, &from, &to).await? && !self.is_renamed_through(sftp, &file, &to).await?)
        };
        let tried = match tried.await {
            Err(failure) if is_loss(&failure) => return Err(failure),
            tried => tried.unwrap_or(false),
        };
        for path in [&from, &to, &file] {
            if self.clear(path).await.is_ok() {
                self.settled(path);
            }
        }
        Ok(tried)
    }

    /// Renames a link, and tells whether it went.
    async fn is_renamed(&self, sftp: &Sftp, link: &[u8], to: &[u8]) -> Result<bool, Failure> {
        self.ask_rename(sftp, link, to).await?;
        let there = self.look_by_sftp(sftp, to, false).await?;
        Ok(there.is_some_and(|meta| meta.kind == MetaKind::Link))
    }

    /// Renames a file to where a link is, and tells whether the link stands although the server says that all is well.
    async fn is_renamed_through(&self, sftp: &Sftp, file: &[u8], link: &[u8]) -> Result<bool, Failure> {
        let is_done = self.ask_rename(sftp, file, link).await?;
        let there = self.look_by_sftp(sftp, link, false).await?;
        Ok(is_done && there.is_some_and(|meta| meta.kind == MetaKind::Link))
    }

    /// Asks for a rename in the way in which files are put into place; gives whether the server says that it is done.
    async fn ask_rename(&self, sftp: &Sftp, from: &[u8], to: &[u8]) -> Result<bool, Failure> {
        let asked = if sftp.extensions().posix_rename {
            async { sftp.ask_posix_rename(from, to).await?.done().await }.boxed()
        } else {
            let (from, to) = (Bytes::copy_from_slice(from), Bytes::copy_from_slice(to));
            async { sftp.ask(SftpRequest::Rename { from, to }).await?.done().await }.boxed()
        };
        let answer = unless_refused(asked.await).map_err(|error| error.about(&about("rename", from)))?;
        Ok(answer.is_some())
    }

    /// Whether a link that is there points to a target. A server may tell another path to the same place (proftpd tells
    /// links resolved): then a shell is asked, and where none is, that will do.
    ///
    /// # Errors
    ///
    /// The host does not tell.
    pub async fn points_to(&self, path: &[u8], target: &[u8]) -> Result<bool, Failure> {
        let told = self.link_target(path).await?;
        if told == target || !is_same_place(path, target, &told) {
            return Ok(told == target);
        }
        if self.sftp().is_none() {
            return Ok(false);
        }
        match self.shell().await {
            Ok(_) => Ok(self.link_target_by_shell(&about("read the link", path), path).await? == target),
            Err(failure) if is_loss(&failure) => Err(failure),
            Err(_) => Ok(true),
        }
    }

    /// Finds out how the server reads a request for a link: by one between two names that nobody has, both beside the
    /// link that is to be made. Read the other way round, a request for that one would leave a link wherever it points.
    async fn try_links(&self, sftp: &Sftp, what: &str, beside: &[u8]) -> Result<LinkHabit, Failure> {
        let (one, other) = (self.temporary(beside)?, self.temporary(beside)?);
        let request = SftpRequest::Symlink {
            target: Bytes::copy_from_slice(&other),
            link: Bytes::copy_from_slice(&one),
            order: LinkOrder::TargetFirst,
        };
        let asked = async { sftp.ask(request).await?.done().await };
        let found = match asked.await {
            Ok(()) => self.find_tried(sftp, &one, &other).await,
            Err(error) if error.is_unsupported() => Ok(LinkHabit::NotMade),
            Err(error) => {
                if !error.is_end() {
                    self.settled(&one);
                    self.settled(&other);
                }
                Err(error.about(what))
            }
        }?;
        match found {
            LinkHabit::Made(LinkOrder::TargetFirst) => self.discard(&one).await,
            LinkHabit::Made(LinkOrder::LinkFirst) => self.discard(&other).await,
            LinkHabit::NotMade => {}
        }
        if found != LinkHabit::Made(LinkOrder::TargetFirst) {
            self.settled(&one);
        }
        if found != LinkHabit::Made(LinkOrder::LinkFirst) {
            self.settled(&other);
        }
        Ok(found)
    }

    async fn find_tried(&self, sftp: &Sftp, one: &[u8], other: &[u8]) -> Result<LinkHabit, Failure> {
        for (path, order) in [(one, LinkOrder::TargetFirst), (other, LinkOrder::LinkFirst)] {
            let there = self.look_by_sftp(sftp, path, false).await?;
            if there.is_some_and(|meta| meta.kind == MetaKind::Link) {
                return Ok(LinkHabit::Made(order));
            }
        }
        Ok(LinkHabit::NotMade)
    }

    /// Where a link that was just made points, as the server tells.
    async fn points(&self, sftp: &Sftp, what: &str, target: &[u8], path: &[u8]) -> Result<Points, Failure> {
        match sftp.readlink(path).await {
            Ok(told) if told == target => Ok(Points::There),
            Ok(told) if is_same_place(path, target, &told) => Ok(Points::SamePlace(told)),
            Ok(told) => Ok(Points::Elsewhere(told)),
            Err(error) if error.is_end() => Err(error.about(what)),
            Err(error) if error.is_unsupported() => {
                let there = self.look_by_sftp(sftp, path, false).await?;
                let is_link = there.is_some_and(|meta| meta.kind == MetaKind::Link);
                Ok(if is_link { Points::There } else { Points::Missing })
            }
            Err(_) => Ok(Points::Missing),
        }
    }

    /// Sees that nobody else can read a file that was just made, before anything is written to it.
    pub(in crate::files) async fn keep_private(
        &self,
        sftp: &Sftp,
        path: &[u8],
        handle: &Bytes,
    ) -> Result<(), SftpError> {
        let mode = |told: Option<Option<Attrs>>| told.flatten().and_then(|attrs| attrs.permissions);
        let exposes = self.dialect.exposes.get_or_try_init(|| async {
            let told = unless_refused(sftp.look(path, true).await)?;
            Ok::<_, SftpError>(mode(told).is_none_or(|mode| mode & 0o777 & !PRIVATE != 0))
        });
        if !*exposes.await? {
            return Ok(());
        }
        let attrs = Attrs { permissions: Some(PRIVATE), ..Attrs::default() };
        if !self.dialect.by_path.load(Ordering::Relaxed) {
            let request = SftpRequest::Fsetstat { handle: handle.clone(), attrs };
            if unless_refused(sftp.ask(request).await?.done().await)?.is_some() {
                return Ok(());
            }
        }
        let request = SftpRequest::Setstat { path: Bytes::copy_from_slice(path), attrs };
        unless_refused(sftp.ask(request).await?.done().await).map(drop)
    }

    /// Gives an open file its attributes, makes it durable and closes it, once what was asked before is done. All of it
    /// goes out in one breath.
    pub(in crate::files) async fn seal(
        &self,
        sftp: &Sftp,
        path: &[u8],
        handle: Bytes,
        attrs: Attrs,
        before: Vec<Pending>,
    ) -> Result<(), SftpError> {
        let mut setting = None;
        if !self.dialect.by_path.load(Ordering::Relaxed) {
            setting = Some(sftp.ask(SftpRequest::Fsetstat { handle: handle.clone(), attrs }).await?);
        }
        let telling = sftp.ask(SftpRequest::Fstat { handle: handle.clone() }).await?;
        let keeping = sftp.ask_fsync(&handle).await?;
        let closing = sftp.ask(SftpRequest::Close { handle }).await?;
        for pending in before {
            pending.done().await?;
        }
        let mut is_set = false;
        if let Some(setting) = setting {
            let answer = setting.done().await;
            if answer.as_ref().is_err_and(SftpError::is_unsupported) {
                self.dialect.by_path.store(true, Ordering::Relaxed);
            }
            is_set = unless_refused(answer)?.is_some();
        }
        let told = unless_refused(telling.attrs().await)?;
        if let Some(keeping) = keeping {
            match keeping.done().await {
                // Some list it and do not have it, or have been told not to do it.
                Err(error) if !error.is_unsupported() && !error.is_forbidden() => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        closing.done().await?;
        if is_set && heeds(&attrs, told.as_ref()) {
            return Ok(());
        }
        self.set_by_path(sftp, path, &attrs).await
    }

    /// An error when the server did not give a mode that the user said.
    ///
    /// # Errors
    ///
    /// It sets modes as it likes.
    pub fn has_modes(&self, are_said: bool) -> Result<(), Failure> {
        let unheeded = self.dialect.unheeded();
        match unheeded.modes.values().next() {
            Some(words) if are_said => Err(Failure::new(Kind::RemotePermission, words.clone())
                .hint("omit `mode` and `dir_mode` to accept the server's")),
            Some(_) | None => Ok(()),
        }
    }

    /// What the user should know of attributes that were set and are not so; told once.
    pub fn unheeded(&self) -> Vec<String> {
        let unheeded = std::mem::take(&mut *self.dialect.unheeded());
        // One word about modes will do.
        let untold = if unheeded.modes.is_empty() { unheeded.untold } else { BTreeMap::new() };
        unheeded.modes.into_values().chain(unheeded.times.into_values()).chain(untold.into_values()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_place_has_many_paths() {
        for (link, target, told, same) in [
            ("www/in/up", "../a", "www/a", true),
            ("./www/in/up", "../a", "www/a", true),
            ("/srv/www/in/up", "../a", "/srv/www/a", true),
            ("/srv/www/l", "a", "/srv/www/./a", true),
            ("/srv/www/l", "/a", "/a", true),
            ("l", "../a", "../a", true),
            ("/srv/www/in/up", "../a", "/else/a", false),
            ("www/l", "a", "a", true),
            ("www/l", "/a", "a", false),
            ("www/l", "a", "/a", false),
            ("www/l", "a", "b", false),
        ] {
            let seen = is_same_place(link.as_bytes(), target.as_bytes(), told.as_bytes());
            assert_eq!(seen, same, "{link} to {target}, told {told}");
        }
    }
}
