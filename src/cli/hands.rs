//! The keys of the person at the terminal during a run, and what they do to it.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Read};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::termios::{LocalModes, OptionalActions, Termios};

use crate::cli::leaving;
use crate::cli::tty::{Changed, TtyKeeper};
use crate::engine::{Stop, StopReceiver, StopSender};
use crate::model::inventory::HostName;
use crate::report::{Hands, ViewKey, parse_keys};

/// How long the rest of a key may take to come: on a slow line a sequence comes in pieces.
const REST: Timespec = Timespec { tv_sec: 0, tv_nsec: 25_000_000 };

/// Keys typed at the terminal of this process.
pub(super) struct TtyHands {
    terminal: Option<File>,
    /// While keys are listened for.
    listening: Option<Changed<File>>,
    wanted: bool,
    /// Cancels hosts, where the run is ours.
    stop: Option<StopSender>,
    stopping: StopReceiver,
}

/// Whether there is somebody whose keys are meant for this process: all its streams are the terminal's.
pub(super) fn are_there() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal() && io::stderr().is_terminal()
}

impl TtyHands {
    /// The hands of the person at the terminal; they cancel hosts where `stop` is given.
    pub(super) fn new(stop: Option<StopSender>, stopping: StopReceiver) -> Self {
        let terminal = OpenOptions::new().read(true).write(true).open("/dev/tty").ok();
        Self { terminal, listening: None, wanted: false, stop, stopping }
    }

    /// What was typed, as far as it is there.
    fn typed(&mut self) -> Vec<u8> {
        let Some(terminal) = self.terminal.as_ref().filter(|_| self.wanted) else { return Vec::new() };
        // In the background the keys are the shell's.
        if !leaving::is_ours(terminal) {
            return Vec::new();
        }
        if self.listening.is_none() {
            let own = terminal.try_clone();
            let changed = own.and_then(|own| Changed::new(own, OptionalActions::Now, TtyKeeper::View, quiet));
            match changed {
                Ok(changed) => self.listening = Some(changed),
                Err(_) => return Vec::new(),
            }
        }
        let mut bytes = Vec::new();
        while is_ready(terminal, &if bytes == [0x1b] { REST } else { Timespec::default() }) {
            let mut chunk = [0; 256];
            let mut from = terminal;
            match from.read(&mut chunk) {
                Ok(size @ 1..) => bytes.extend_from_slice(chunk.get(..size).unwrap_or_default()),
                // The terminal is gone.
                Ok(0) | Err(_) => {
                    self.wanted = false;
                    break;
                }
            }
        }
        bytes
    }
}

fn is_ready(terminal: &File, patience: &Timespec) -> bool {
    let mut ready = [PollFd::new(terminal, PollFlags::IN)];
    matches!(rustix::event::poll(&mut ready, Some(patience)), Ok(1..))
}

/// Keys come at once and are not shown; Ctrl-C, Ctrl-\ and Ctrl-Z are what they always are.
fn quiet(modes: &mut Termios) {
    modes.local_modes.remove(LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON);
    modes.local_modes.insert(LocalModes::ISIG);
}

impl Hands for TtyHands {
    fn keys(&mut self) -> Vec<ViewKey> {
        parse_keys(&self.typed())
    }

    fn listen(&mut self, on: bool) {
        self.wanted = on;
        if !on {
            self.listening = None;
        }
    }

    fn can_cancel(&self) -> bool {
        self.stop.is_some()
    }

    fn cancel(&mut self, host: &HostName) {
        if let Some(stop) = &self.stop {
            stop.cancel(host);
        }
    }

    fn is_hurried(&self) -> bool {
        self.stopping.current() != Stop::Run
    }
}
