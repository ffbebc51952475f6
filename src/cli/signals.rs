//! SIGINT, SIGTERM and SIGHUP become requests to stop; exhausted descriptors are prevented.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::leaving;
use crate::cli::process::is_ignored;
use crate::model::outcome::CancelReason;

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
