//! Why a command line cannot be composed, or a file cannot be carried in it.

use thiserror::Error;

/// Why a command line cannot be composed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ShellError {
    /// The line is longer than [`MAX_LINE`].
    #[error("the command line has {size} bytes, and a host takes at most {MAX_LINE}")]
    TooLong {
        /// Bytes that the line would have.
        size: usize,
    },
    /// A file cannot be carried.
    #[error(transparent)]
    Carried(#[from] CarriedError),
    /// A NUL byte ends an argument for the kernel: it cannot be sent.
    #[error("{0} holds a NUL byte, which no command line can carry")]
    Nul(&'static str),
    /// The name of an environment variable is none that a shell can export.
    #[error("{0:?} cannot be the name of an environment variable")]
    EnvName(String),
    /// The interpreter is not a plain command.
    #[error("{0:?} cannot be called as a shell")]
    Interpreter(String),
    /// The user to become is no name.
    #[error("{0:?} cannot be the name of a user")]
    User(String),
    /// The folder to run in is empty text.
    #[error("the working folder is empty")]
    EmptyFolder,
    /// The list is empty, or its first argument is no program.
    #[error("the argument list does not begin with a program")]
    NoProgram,
}

/// The longest command line that a Linux host takes, in bytes.
///
/// The kernel's `MAX_ARG_STRLEN` (`include/uapi/linux/binfmts.h`) is 32 pages for one argument with its NUL,
/// and sshd hands the whole line to the login shell as one argument of `-c`.
pub const MAX_LINE: usize = 131_071;

/// The longest file, in bytes.
pub(super) const MAX_CARRIED: usize = 1024 * 1024;

/// The longest one that is no text, each byte of which takes nine on its way.
pub(super) const MAX_BINARY: usize = 512 * 1024;

/// Why a file cannot be carried, or would not do what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CarriedError {
    /// It is too long.
    #[error("{size} bytes, and {what} can have {most}")]
    TooLong {
        /// Its bytes.
        size: usize,
        /// What it is.
        what: &'static str,
        /// The most that such a file can have.
        most: usize,
    },
    /// No interpreter and no kernel reads it.
    #[error("a script in UTF-16, which no shell reads")]
    Utf16,
    /// A shell takes the carriage return for the last character of each line: `cd /srv\r`.
    #[error("its lines end in carriage returns, which {0} takes for a part of them")]
    CarriageReturns(&'static str),
}

impl CarriedError {
    /// What to do about it.
    pub fn help(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "`put` sends files of any size; then run it",
            Self::Utf16 => "save it as UTF-8",
            Self::CarriageReturns(_) => "save it with Unix line ends (tr -d '\\r' < FILE > NEW)",
        }
    }
}
