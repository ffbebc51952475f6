//! The commands of a host that outlive its connection: which number the next of a step has, and what is to be tidied up
//! once the step's end is on record.

use std::sync::{Arc, PoisonError};

use crate::engine::live::durable::{JobOrigin, Remains, RemainsSlot, tidy};
use crate::engine::plan::memory::{Adopted, Unseen};
use crate::model::shell::durable::job_name;
use crate::ssh::Session;

/// The jobs of the step that a host is at.
pub(crate) struct Jobs<S: Session> {
    step: (usize, usize),
    started: usize,
    /// The one that is about to be started.
    next: Option<((usize, usize), NextJob)>,
    remains: RemainsSlot<S>,
    /// A step whose jobs have the names that an earlier run gave them.
    adopted: Option<Adopted>,
}

/// The name of a job.
pub(crate) struct NextJob {
    pub(crate) name: String,
    pub(crate) origin: JobOrigin,
}

impl<S: Session> Default for Jobs<S> {
    fn default() -> Self {
        Self { step: (0, 0), started: 0, next: None, remains: RemainsSlot::default(), adopted: None }
    }
}

impl<S: Session> Jobs<S> {
    /// Those of a host that goes on from an earlier run.
    pub(crate) fn adopting(adopted: Option<Adopted>) -> Self {
        Self { adopted, ..Self::default() }
    }

    /// The name of the job that this step starts next.
    pub(crate) fn announce(&mut self, run: &str, host: &str, step: (usize, usize)) -> &str {
        let next = self.take(run, host, step);
        &self.next.insert((step, next)).1.name
    }

    /// The next job of this step, which may be announced.
    pub(crate) fn next(&mut self, run: &str, host: &str, step: (usize, usize)) -> NextJob {
        match self.next.take() {
            Some((of, next)) if of == step => next,
            Some(_) | None => self.take(run, host, step),
        }
    }

    fn take(&mut self, run: &str, host: &str, step: (usize, usize)) -> NextJob {
        if self.step != step {
            (self.step, self.started) = (step, 0);
        }
        self.started += 1;
        let number = self.started - 1;
        match self.adopted.as_ref().filter(|adopted| (adopted.task, adopted.step) == step) {
            None => NextJob { name: job_name(run, host, step, number), origin: JobOrigin::New },
            Some(adopted) => {
                // Where none is, it is started under that name: then nobody else can start it, whatever is on its way.
                let name = job_name(&adopted.run, host, step, number);
                let is_known = adopted.jobs.iter().any(|job| **job == *name);
                NextJob { name, origin: if is_known { JobOrigin::Known } else { JobOrigin::Asked } }
            }
        }
    }

    /// What is to become of a step of which a job is gone that was there in an earlier run, if that is decided. From then
    /// on its jobs are this run's.
    pub(crate) fn give_up(&mut self, step: (usize, usize)) -> Option<Unseen> {
        self.adopted.take_if(|adopted| (adopted.task, adopted.step) == step)?.otherwise
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
        let Remains { follower, shared, .. } = self.take_remains();
        if let Some(follower) = follower {
            tidy::<S>(follower, shared).await;
        }
    }

    /// Leaves them there: their end is not known.
    pub(crate) fn leave(&mut self) {
        drop(self.take_remains());
    }

    fn take_remains(&self) -> Remains<S> {
        std::mem::take(&mut *self.remains.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
