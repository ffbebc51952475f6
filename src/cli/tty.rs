//! A terminal in another mode for a while.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;

use rustix::termios::{OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};

use crate::cli::leaving::{self, LookedAfter, Thing};

/// A terminal whose mode was changed; it is as before when this is dropped, also when a panic does it, and when a signal
/// ends or stops the process.
pub(super) struct Changed<T: AsFd> {
    terminal: T,
    before: Termios,
    _looked_after: LookedAfter,
}

/// Who puts a terminal right when fan is asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TtyKeeper {
    /// Whoever changed it: it hears of that.
    Itself,
    /// The same, and it may show another screen than that of the shell.
    View,
    /// Nobody but the process's end: whoever changed it waits for a key.
    Nobody,
}

impl<T: AsFd> Changed<T> {
    /// Changes the mode; reads give each byte as it comes.
    pub(super) fn new(
        terminal: T,
        when: OptionalActions,
        keeper: TtyKeeper,
        change: impl FnOnce(&mut Termios),
    ) -> io::Result<Self> {
        let before = tcgetattr(&terminal)?;
        let mut changed = before.clone();
        change(&mut changed);
        changed.special_codes[SpecialCodeIndex::VMIN] = 1;
        changed.special_codes[SpecialCodeIndex::VTIME] = 0;
        let own = File::from(terminal.as_fd().try_clone_to_owned()?);
        let (first, now) = (before.clone(), changed.clone());
        let (kept, viewed) = match keeper {
            TtyKeeper::Itself => (true, false),
            TtyKeeper::View => (true, true),
            TtyKeeper::Nobody => (false, false),
        };
        // Before it is changed: there is no moment at which it could be left so.
        let _looked_after =
            leaving::look_after(Thing::Terminal { terminal: own, before: first, now, kept, viewed })?;
        tcsetattr(&terminal, when, &changed)?;
        Ok(Self { terminal, before, _looked_after })
    }
}

impl<T: AsFd> Drop for Changed<T> {
    fn drop(&mut self) {
        // In the background it has its modes back already, and is someone else's; one that is gone needs none.
        if leaving::is_in_background(&self.terminal) {
            return;
        }
        let _ = tcsetattr(&self.terminal, OptionalActions::Drain, &self.before);
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    use rustix::termios::LocalModes;

    use super::*;

    #[test]
    fn a_panic_puts_a_terminal_right() {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY;
        let terminal = rustix::fs::open(&*name, flags, rustix::fs::Mode::empty()).unwrap();
        let modes = || tcgetattr(&terminal).unwrap().local_modes;
        let before = modes();
        assert!(before.contains(LocalModes::ECHO));
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let _raw =
                Changed::new(&terminal, OptionalActions::Now, TtyKeeper::Itself, Termios::make_raw).unwrap();
            assert!(!modes().contains(LocalModes::ECHO));
            panic!("within");
        }));
        assert!(panicked.is_err());
        assert_eq!(modes(), before);
    }
}
