//! Whether nothing is at a path of a server that only says that it failed: the lists of the folders on the way tell.

use bytes::Bytes;

use crate::files::meta::{Meta, MetaKind};
use crate::files::remote::failures::unless_refused;
use crate::files::remote::paths::{MAX_NAMES, child, split};
use crate::ssh::sftp::wire::SftpRequest;
use crate::ssh::sftp::{Sftp, SftpError};

/// Links that are gone after, and packets without a name that are read of one folder.
const MOST: usize = 100;

/// What a folder's list tells of a name.
enum ListedName {
    With,
    Without,
    /// The server only says that it failed.
    Unexplained,
    /// There is no telling.
    Untold,
}

/// Whether nothing is at a path, as far as it can be proved. A link that leads nowhere is nothing to those who follow it.
pub(super) async fn is_missing(sftp: &Sftp, path: &[u8], follow: bool) -> Result<bool, SftpError> {
    let (mut path, mut follow, mut is_on_the_way) = (path.to_vec(), follow, false);
    for _ in 0..MOST {
        let (folder, Some(name)) = split(&path) else { return Ok(false) };
        path = match listed(sftp, &folder, &name).await? {
            ListedName::Without => return Ok(true),
            // The folder may not be there either; whoever goes through it follows its links.
            ListedName::Unexplained => {
                (follow, is_on_the_way) = (true, true);
                folder
            }
            ListedName::With if follow => match sftp.readlink(&path).await {
                Ok(target) => {
                    if target.starts_with(b"/") {
                        target.to_vec()
                    } else {
                        child(&folder, &target)
                    }
                }
                Err(error) if error.is_end() => return Err(error),
                // Nothing is below what is no folder.
                Err(_) if is_on_the_way => {
                    let there = unless_refused(sftp.look(&path, true).await)?.flatten();
                    let meta = there.and_then(|there| Meta::of(&there));
                    return Ok(meta.is_some_and(|meta| meta.kind != MetaKind::Folder));
                }
                Err(_) => return Ok(false),
            },
            ListedName::With | ListedName::Untold => return Ok(false),
        };
    }
    Ok(false)
}

async fn listed(sftp: &Sftp, folder: &[u8], name: &[u8]) -> Result<ListedName, SftpError> {
    let opened = async {
        sftp.ask(SftpRequest::Opendir { path: Bytes::copy_from_slice(folder) }).await?.handle().await
    };
    let handle = match opened.await {
        Ok(handle) => handle,
        Err(error) if error.is_end() => return Err(error),
        Err(error) if error.is_missing() => return Ok(ListedName::Without),
        Err(error) if error.is_unexplained() => return Ok(ListedName::Unexplained),
        Err(_) => return Ok(ListedName::Untold),
    };
    let (mut told, mut empty) = (0, 0);
    let listed = loop {
        match sftp.ask_readdir(&handle).await?.names().await {
            Ok(None) => break ListedName::Without,
            Ok(Some(names)) => {
                told += names.len();
                empty += usize::from(names.is_empty());
                if names.iter().any(|entry| entry.name.as_ref() == name) {
                    break ListedName::With;
                }
            }
            Err(error) if error.is_end() => return Err(error),
            Err(_) => break ListedName::Untold,
        }
        if told > MAX_NAMES || empty > MOST {
            break ListedName::Untold;
        }
    };
    // Whether it was closed does not matter to what was read.
    let _ = sftp.close(handle).await;
    Ok(listed)
}
