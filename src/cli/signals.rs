//! SIGINT, SIGTERM and SIGHUP become requests to stop; exhausted descriptors are prevented.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::error::CliError;
use crate::cli::leaving;
use crate::cli::process::is_ignored;
use crate::engine::{self, StopReceiver, StopSender};
use crate::model::outcome::CancelReason;

/// Turns the process's signals into requests to stop: whoever has something to clean up does so first.
pub(super) fn stops() -> Result<(StopSender, StopReceiver), CliError> {
    let (stop, stopping) = engine::stop_channel();
    let asked = stop.clone();
    listen(move |reason| asked.request(reason))
        .map_err(|source| CliError::Local { doing: "cannot listen for signals".to_owned(), source })?;
    Ok((stop, stopping))
}

/// Passes on what the process's signals ask for for as long as the runtime lives.
///
/// A signal that was ignored when the process began stays so: `nohup fan run deploy` outlives its terminal.
pub(super) fn listen(hear: impl Fn(CancelReason) + Clone + Send + 'static) -> std::io::Result<()> {
    leaving::listened();
    for (kind, reason) in [
        (SignalKind::interrupt(), CancelReason::Interrupt),
        (SignalKind::terminate(), CancelReason::Terminate),
        (SignalKind::hangup(), CancelReason::Hangup),
    ] {
        if is_ignored(kind) {
            continue;
        }
        let mut signals = signal(kind)?;
        let hear = hear.clone();
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                hear(reason);
            }
        });
    }
    Ok(())
}

/// Raises the soft limit of open files to the hard one. Returns the limit in force.
///
/// Each connection takes a descriptor, and the usual soft limit is 1024.
pub(super) fn raise_open_files() -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return current;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        Ok(()) => maximum,
        Err(_) => current,
    }
}
