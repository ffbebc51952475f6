//! What the system tells of this process and those around it.

use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::process::{Pid, getpgid, getpgrp, getppid, getsid};
use tokio::signal::unix::SignalKind;

/// Whether this process was told to ignore a signal; not known where `/proc` does not tell.
pub(super) fn is_ignored(kind: SignalKind) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    // Bit n - 1 is for signal n.
    let ignored = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    ignored & (1 << (kind.as_raw_value() - 1)) != 0
}

/// Whether no shell is there that could continue this process: none of the same session outside its group (POSIX calls the group
/// orphaned then).
pub(super) fn is_orphaned() -> bool {
    let group = getpgrp();
    let mut parent = getppid();
    while let Some(pid) = parent {
        match getpgid(Some(pid)) {
            Ok(found) if found == group => parent = parent_of(pid),
            Ok(_) => return getsid(Some(pid)).ok() != getsid(None).ok(),
            Err(_) => return true,
        }
    }
    true
}

/// The parent of another process, where `/proc` tells.
pub(super) fn parent_of(pid: Pid) -> Option<Pid> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("PPid:"))?;
    Pid::from_raw(line.trim().parse().ok()?)
}

/// How often the process was stopped and went on.
static STOPS: AtomicUsize = AtomicUsize::new(0);

/// How often the process was stopped and went on, as far as it was noticed: what was on the terminal is not the last thing there.
pub(super) fn stops() -> usize {
    STOPS.load(Ordering::Relaxed)
}

/// The process was stopped and goes on.
pub(super) fn went_on() {
    STOPS.fetch_add(1, Ordering::Relaxed);
}
