//! A terminal in another mode for a while.

use std::io;
use std::os::fd::AsFd;

use rustix::termios::{OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};

/// A terminal whose mode was changed; it is as before when this is dropped, also when a panic does it.
pub(super) struct Changed<T: AsFd> {
    terminal: T,
    before: Termios,
}

impl<T: AsFd> Changed<T> {
    /// Changes the mode; reads give each byte as it comes.
    pub(super) fn new(
        terminal: T,
        when: OptionalActions,
        change: impl FnOnce(&mut Termios),
    ) -> io::Result<Self> {
        let before = tcgetattr(&terminal)?;
        let mut changed = before.clone();
        change(&mut changed);
        changed.special_codes[SpecialCodeIndex::VMIN] = 1;
        changed.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(&terminal, when, &changed)?;
        Ok(Self { terminal, before })
    }
}

impl<T: AsFd> Drop for Changed<T> {
    fn drop(&mut self) {
        // A terminal that is gone needs no restoring.
        let _ = tcsetattr(&self.terminal, OptionalActions::Drain, &self.before);
    }
}
