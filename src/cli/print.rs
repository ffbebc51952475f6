//! Data on stdout.

use std::io;

use crate::cli::error::CliError;

/// Prints data on stdout. A reader that went away is no error.
pub(super) fn print(text: &str) -> Result<(), CliError> {
    use io::Write;
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(source) if source.kind() != io::ErrorKind::BrokenPipe => {
            Err(CliError::Local { doing: "cannot write to stdout".to_owned(), source })
        }
        _ => Ok(()),
    }
}
