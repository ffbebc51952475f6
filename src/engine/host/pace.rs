//! `--step`: what the user has said about the steps so far.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::engine::live::together::Once;

/// The answers, for all hosts.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// One host asks for all whether the step is run.
    pub(crate) once: Once<bool>,
    /// Nothing is asked any more.
    free: AtomicBool,
}

impl Pace {
    pub(crate) fn is_free(&self) -> bool {
        self.free.load(Ordering::Relaxed)
    }

    pub(crate) fn set_free(&self) {
        self.free.store(true, Ordering::Relaxed);
    }
}
