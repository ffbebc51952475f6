//! Processes of throw-away hosts: each command leads a process group of its own, and none outlives its
//! channel, its connection or the sandbox. A process that leaves its group (`setsid`) is out of reach.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;
use rustix::process::{Pid, WaitId, WaitIdOptions, kill_process_group, waitid};
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

pub(super) use rustix::process::Signal;

/// All process groups of a sandbox.
#[derive(Debug, Default)]
pub(super) struct Processes {
    groups: Mutex<Groups>,
    ended: Notify,
}

#[derive(Debug, Default)]
struct Groups {
    /// Nothing is started any more.
    closed: bool,
    live: BTreeSet<i32>,
}

/// A running command. Dropping it kills its process group.
pub(super) struct Running {
    /// Its process group. Stands before `child`: the group is killed before its leader is reaped.
    pub(super) group: ProcessGroup,
    /// Sees the leader's end.
    pub(super) watch: ProcessWatch,
    /// The leader, for its pipes.
    pub(super) child: Child,
}

/// A process group, killed when dropped.
pub(super) struct ProcessGroup {
    leader: Pid,
    processes: Arc<Processes>,
}

/// Sees a process end without reaping it.
pub(super) struct ProcessWatch {
    leader: Pid,
    deaths: tokio::signal::unix::Signal,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// It exited with a status.
    Exited(u32),
    /// A signal killed it.
    Killed {
        /// Which, as a number.
        signal: i32,
        /// It left a core dump.
        core_dumped: bool,
    },
}

impl Processes {
    /// Starts a command as the leader of its own process group.
    pub(super) fn start(self: &Arc<Self>, command: &mut Command) -> io::Result<Running> {
        // Listening begins before the command does, or its death could be missed.
        let deaths = signal(SignalKind::child())?;
        let mut groups = self.lock();
        if groups.closed {
            return Err(io::Error::new(io::ErrorKind::Interrupted, "the sandbox is stopped"));
        }
        let child = command.process_group(0).spawn()?;
        let leader = child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .and_then(Pid::from_raw)
            .ok_or_else(|| io::Error::other("the command has no process id"))?;
        groups.live.insert(leader.as_raw_pid());
        drop(groups);
        let group = ProcessGroup { leader, processes: self.clone() };
        Ok(Running { group, watch: ProcessWatch { leader, deaths }, child })
    }

    /// Kills everything that runs, and lets nothing start any more.
    pub(super) fn close(&self) {
        let mut groups = self.lock();
        groups.closed = true;
        for leader in groups.live.iter().copied().filter_map(Pid::from_raw) {
            send(leader, Signal::KILL);
        }
    }

    /// Waits until no process group is left.
    pub(super) async fn all_ended(&self) {
        loop {
            let ended = self.ended.notified();
            if self.lock().live.is_empty() {
                return;
            }
            ended.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Groups> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Running {
    /// Kills what is left of the process group and reaps its leader.
    pub(super) async fn end(self) {
        let Self { group, mut child, .. } = self;
        drop(group);
        // Its status was read by the watch, or nobody asks for it any more.
        let _ = child.wait().await;
    }
}

impl ProcessGroup {
    /// Sends a signal to every process of the group.
    pub(super) fn signal(&self, signal: Signal) {
        send(self.leader, signal);
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        // Killed and forgotten under one lock, while the leader, dead or not, still holds the number:
        // `close` can never hit a group of someone else that was given the same one.
        let mut groups = self.processes.lock();
        send(self.leader, Signal::KILL);
        groups.live.remove(&self.leader.as_raw_pid());
        drop(groups);
        self.processes.ended.notify_one();
    }
}

impl ProcessWatch {
    /// Waits for the end of the leader, which stays a zombie: its number is not given away. Cancel-safe.
    ///
    /// `Child::wait` would reap it, and a later kill of the group could hit a stranger.
    pub(super) async fn ended(&mut self) -> io::Result<Ending> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        loop {
            match waitid(WaitId::Pid(self.leader), options) {
                Ok(Some(status)) => {
                    return Ok(match (status.exit_status(), status.terminating_signal()) {
                        (Some(code), _) => Ending::Exited(code.unsigned_abs()),
                        (None, Some(signal)) => Ending::Killed { signal, core_dumped: status.dumped() },
                        (None, None) => return Err(io::Error::other("a process ended in no known way")),
                    });
                }
                Ok(None) => {}
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            }
            if self.deaths.recv().await.is_none() {
                return Err(io::Error::other("the runtime is shutting down"));
            }
        }
    }
}

/// Signals a group. A group that is gone already is as good as one that heard it.
fn send(leader: Pid, signal: Signal) {
    let _ = kill_process_group(leader, signal);
}

#[cfg(test)]
mod tests {
    use std::process::Stdio;

    use rustix::process::test_kill_process_group;
    use tokio::io::AsyncReadExt;

    use super::*;

    fn sh(processes: &Arc<Processes>, script: &str) -> io::Result<Running> {
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(script).stdin(Stdio::null()).stdout(Stdio::piped());
        processes.start(&mut command)
    }

    #[tokio::test]
    async fn tells_a_status_from_a_signal() {
        let processes = Arc::new(Processes::default());
        let cases = [
            ("exit 255", Ending::Exited(255)),
            ("kill -TERM $$", Ending::Killed { signal: 15, core_dumped: false }),
        ];
        for (script, expected) in cases {
            let mut running = sh(&processes, script).unwrap();
            assert_eq!(running.watch.ended().await.unwrap(), expected, "{script}");
            assert_eq!(running.watch.ended().await.unwrap(), expected, "asked again");
            running.end().await;
        }
        processes.all_ended().await;
    }

    #[tokio::test]
    async fn the_end_of_a_command_takes_its_background_children_along() {
        let processes = Arc::new(Processes::default());
        let mut running = sh(&processes, "sleep 600 & exit 0").unwrap();
        running.watch.ended().await.unwrap();
        let leader = running.group.leader;
        let mut output = running.child.stdout.take().unwrap();
        test_kill_process_group(leader).unwrap();
        running.end().await;
        // The background child held the pipe open: its end is the proof that it is gone.
        assert_eq!(output.read_to_end(&mut Vec::new()).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn closing_kills_what_runs_and_starts_nothing() {
        let processes = Arc::new(Processes::default());
        let mut running = sh(&processes, "sleep 600").unwrap();
        processes.close();
        assert_eq!(running.watch.ended().await.unwrap(), Ending::Killed { signal: 9, core_dumped: false });
        assert!(sh(&processes, "true").is_err());
        drop(running);
        processes.all_ended().await;
    }
}
