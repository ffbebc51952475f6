//! The commands of a host that outlive its connection: which number the next of a step has, and what is to be tidied up
//! once the step's end is on record.

use std::sync::{Arc, PoisonError};

use crate::engine::live::durable::{RemainsSlot, tidy};
use crate::ssh::Session;

/// The jobs of the step that a host is at.
pub(crate) struct Jobs<S: Session> {
    step: (usize, usize),
    started: usize,
    remains: RemainsSlot<S>,
}

impl<S: Session> Default for Jobs<S> {
    fn default() -> Self {
        Self { step: (0, 0), started: 0, remains: RemainsSlot::default() }
    }
}

impl<S: Session> Jobs<S> {
    /// The number of the next job of this step.
    pub(crate) fn next(&mut self, step: (usize, usize)) -> usize {
        if self.step != step {
            (self.step, self.started) = (step, 0);
        }
        self.started += 1;
        self.started - 1
    }

    /// Where what is left of one goes.
    pub(crate) fn remains(&self) -> RemainsSlot<S> {
        Arc::clone(&self.remains)
    }

    /// The connection that a job was last followed over, if it is another one.
    pub(crate) fn renewed(&self) -> Option<Arc<S>> {
        self.remains.lock().unwrap_or_else(PoisonError::into_inner).session.take()
    }

    /// Has the host forget the jobs of a step whose end is on record.
    pub(crate) async fn tidy(&mut self) {
        let follower = self.remains.lock().unwrap_or_else(PoisonError::into_inner).follower.take();
        if let Some(follower) = follower {
            tidy::<S>(follower).await;
        }
    }

    /// Leaves them there: their end is not known.
    pub(crate) fn leave(&mut self) {
        self.remains.lock().unwrap_or_else(PoisonError::into_inner).follower = None;
    }
}
