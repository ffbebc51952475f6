//! Setting attributes by path over SFTP. Servers that cannot do it say so in many ways, and some of them are those in
//! which others refuse: it is tried on something that was made for that.

use std::sync::atomic::Ordering;

use bytes::Bytes;

use crate::files::remote::failures::unless_refused;
use crate::files::remote::host::Remote;
use crate::files::remote::quirks::heeds;
use crate::ssh::Session;
use crate::ssh::sftp::wire::{Attrs, OpenFlags, SftpRequest};
use crate::ssh::sftp::{Sftp, SftpError};

/// The type bits of a mode, and those of a folder.
const TYPE: u32 = 0o170_000;
const FOLDER: u32 = 0o040_000;

/// Modes that nothing is made with: of a file, of a folder.
const ODD: (u32, u32) = (0o640, 0o750);

impl<S: Session> Remote<S> {
    /// Sets attributes of what is at a path, and keeps what did not become so.
    pub(super) async fn set_by_path(&self, sftp: &Sftp, path: &[u8], attrs: &Attrs) -> Result<(), SftpError> {
        self.set_all_by_path(sftp, &[(path.to_vec(), *attrs)]).await.map_err(|(_, error)| error)
    }

    /// The same for many paths; all requests go out at once. An error tells of which path it is.
    pub(in crate::files) async fn set_all_by_path(
        &self,
        sftp: &Sftp,
        wanted: &[(Vec<u8>, Attrs)],
    ) -> Result<(), (Vec<u8>, SftpError)> {
        let mut asked = Vec::with_capacity(wanted.len());
        for (path, attrs) in wanted {
            let request = SftpRequest::Setstat { path: Bytes::copy_from_slice(path), attrs: *attrs };
            asked.push(sftp.ask(request).await.map_err(|error| (path.clone(), error))?);
        }
        let mut refusals = Vec::with_capacity(wanted.len());
        for ((path, _), pending) in wanted.iter().zip(asked) {
            refusals.push(match pending.done().await {
                Ok(()) => None,
                Err(error) if error.is_end() => return Err((path.clone(), error)),
                Err(error) => Some(error),
            });
        }
        let mut asked = Vec::with_capacity(wanted.len());
        for (path, _) in wanted {
            let request = SftpRequest::Stat { path: Bytes::copy_from_slice(path) };
            asked.push(sftp.ask(request).await.map_err(|error| (path.clone(), error))?);
        }
        for (((path, attrs), refusal), pending) in wanted.iter().zip(refusals).zip(asked) {
            let told = unless_refused(pending.attrs().await).map_err(|error| (path.clone(), error))?;
            if let Some(error) = refusal
                && !error.is_unsupported()
                && !heeds(attrs, told.as_ref())
                && self.sets(sftp, path, attrs, told.as_ref()).await.map_err(|error| (path.clone(), error))?
            {
                return Err((path.clone(), error));
            }
            self.dialect.note(path, attrs, told.as_ref());
        }
        Ok(())
    }

    /// Whether the server sets attributes like these of something that was made beside a path for that. Where nothing can
    /// be made it is taken to do so.
    async fn sets(
        &self,
        sftp: &Sftp,
        beside: &[u8],
        wanted: &Attrs,
        told: Option<&Attrs>,
    ) -> Result<bool, SftpError> {
        if self.dialect.sets_nothing.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let Ok(tried) = self.temporary(beside) else { return Ok(true) };
        let path = Bytes::copy_from_slice(&tried);
        let is_folder = told.and_then(|told| told.permissions).is_some_and(|mode| mode & TYPE == FOLDER);
        let made = if is_folder {
            let attrs = Attrs { permissions: Some(0o700), ..Attrs::default() };
            sftp.ask(SftpRequest::Mkdir { path: path.clone(), attrs }).await?.done().await
        } else {
            match sftp.open(&tried, OpenFlags::CREATE_NEW, Some(0o600)).await {
                Ok(handle) => sftp.close(handle).await,
                Err(error) => Err(error),
            }
        };
        let Some(()) = unless_refused(made)? else {
            self.settled(&tried);
            return Ok(true);
        };
        let odd = if is_folder { ODD.1 } else { ODD.0 };
        let attrs =
            Attrs { permissions: wanted.permissions.map(|_| odd), times: wanted.times, ..Attrs::default() };
        let setting = sftp.ask(SftpRequest::Setstat { path: path.clone(), attrs }).await?.done().await;
        let is_set = unless_refused(setting)?.is_some();
        let seen = unless_refused(sftp.ask(SftpRequest::Stat { path: path.clone() }).await?.attrs().await)?;
        let sets = is_set && heeds(&attrs, seen.as_ref());
        let removal = if is_folder { SftpRequest::Rmdir { path } } else { SftpRequest::Remove { path } };
        if unless_refused(sftp.ask(removal).await?.done().await)?.is_some() {
            self.settled(&tried);
        }
        if !sets {
            self.dialect.sets_nothing.store(true, Ordering::Relaxed);
        }
        Ok(sets)
    }

    /// Sees that a folder that was just made has no bits that it was not to have: umasks are not heeded everywhere.
    pub(super) async fn narrow_folder(&self, sftp: &Sftp, path: &[u8], mode: u32) -> Result<(), SftpError> {
        let told = unless_refused(sftp.look(path, true).await)?.flatten();
        match told.and_then(|told| told.permissions) {
            Some(now) if now & 0o777 & !mode != 0 => {
                let attrs = Attrs { permissions: Some(mode), ..Attrs::default() };
                self.set_by_path(sftp, path, &attrs).await
            }
            Some(_) | None => Ok(()),
        }
    }
}
