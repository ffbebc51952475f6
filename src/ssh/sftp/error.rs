//! Why a request was not done.

use thiserror::Error;

use crate::model::outcome::{Failure, Kind};
use crate::model::text;
use crate::ssh::sftp::wire::{Malformed, status};

/// Why a request was not done.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SftpError {
    /// The server said no (draft-ietf-secsh-filexfer-02 section 7).
    #[error("{}", status_text(*.code, .message))]
    Status {
        /// One of [`status`].
        code: u32,
        /// What it said, for people.
        message: String,
    },
    /// The server is gone, or the connection is.
    #[error("{}", .0.message())]
    Ended(Failure),
    /// The server does not keep to the protocol.
    #[error("the SFTP server broke the protocol: {0}")]
    Protocol(String),
    /// The server says that it did what it was asked, and a look shows that it did not.
    #[error("the server says that it did, and did not")]
    Feigned,
    /// The server made no progress for this many seconds.
    #[error("the SFTP server made no progress for {0} s")]
    Stalled(u64),
}

impl SftpError {
    /// What is at the path does not exist.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Status { code: status::NO_SUCH_FILE | status::NO_SUCH_PATH, .. })
    }

    /// The server does not know the request.
    pub fn is_unsupported(&self) -> bool {
        matches!(self, Self::Status { code: status::OP_UNSUPPORTED, .. })
    }

    /// The server says no, and not why.
    pub fn is_unexplained(&self) -> bool {
        matches!(self, Self::Status { .. })
            && !(self.is_missing() || self.is_unsupported() || self.is_forbidden())
    }

    /// Nothing is at the path, as was found out.
    pub fn missing() -> Self {
        Self::Status { code: status::NO_SUCH_FILE, message: String::new() }
    }

    /// The server does not let us.
    pub fn is_forbidden(&self) -> bool {
        matches!(self, Self::Status { code: status::PERMISSION_DENIED, .. })
    }

    /// Nothing more can be asked of this server.
    pub fn is_end(&self) -> bool {
        match self {
            Self::Status { .. } | Self::Feigned => false,
            Self::Ended(_) | Self::Protocol(_) | Self::Stalled(_) => true,
        }
    }

    /// The failure of a step that was about `what`: `cannot write /srv/app.conf`.
    pub fn about(&self, what: &str) -> Failure {
        match self {
            Self::Ended(failure) => failure.clone(),
            Self::Protocol(_) => Failure::new(Kind::Protocol, self.to_string()),
            Self::Feigned => Failure::new(Kind::VerifyFailed, self.to_string())
                .hint("the host's file server cannot be relied on: look at the file there"),
            Self::Stalled(_) => Failure::new(Kind::Timeout, self.to_string()),
            Self::Status { code, message } => {
                let kind = match *code {
                    status::PERMISSION_DENIED => Kind::RemotePermission,
                    _ if speaks_of_space(message) => Kind::RemoteDiskFull,
                    _ => Kind::RemotePath,
                };
                Failure::new(kind, self.to_string())
            }
        }
        .about(what)
    }
}

impl From<Malformed> for SftpError {
    fn from(error: Malformed) -> Self {
        Self::Protocol(format!("a packet cannot be read: {error}"))
    }
}

/// Some servers say it in words; OpenSSH says only "Failure".
fn speaks_of_space(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    message.contains("no space") || message.contains("quota") || message.contains("disk full")
}

fn status_text(code: u32, message: &str) -> String {
    match code {
        status::NO_SUCH_FILE | status::NO_SUCH_PATH => "no such file or folder".to_owned(),
        status::PERMISSION_DENIED => "permission denied".to_owned(),
        status::OP_UNSUPPORTED => "the server does not support it".to_owned(),
        _ if message.is_empty() => format!("the server reports failure {code}"),
        _ => format!("the server says {:?}", text::beginning(message.as_bytes(), 200)),
    }
}
