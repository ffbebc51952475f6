//! Why a request is refused, as a status code of SFTP.

use std::io;

use rustix::io::Errno;

use crate::ssh::sftp::wire::{Malformed, status};

/// A request is not granted: the code of its status.
pub(super) struct Refused(pub(super) u32);

impl From<io::Error> for Refused {
    /// As `errno_to_portable` of sftp-server.c.
    fn from(error: io::Error) -> Self {
        let Some(errno) = Errno::from_io_error(&error) else {
            let invalid = error.kind() == io::ErrorKind::InvalidInput; // a path with a NUL in it
            return Self(if invalid { status::BAD_MESSAGE } else { status::FAILURE });
        };
        Self(match errno {
            Errno::NOENT | Errno::NOTDIR | Errno::BADF | Errno::LOOP => status::NO_SUCH_FILE,
            Errno::PERM | Errno::ACCESS | Errno::FAULT => status::PERMISSION_DENIED,
            Errno::NAMETOOLONG | Errno::INVAL => status::BAD_MESSAGE,
            Errno::NOSYS => status::OP_UNSUPPORTED,
            _ => status::FAILURE,
        })
    }
}

impl From<Errno> for Refused {
    fn from(error: Errno) -> Self {
        io::Error::from(error).into()
    }
}

impl From<Malformed> for Refused {
    fn from(_: Malformed) -> Self {
        Self(status::BAD_MESSAGE)
    }
}
