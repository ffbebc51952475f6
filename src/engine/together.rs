//! What the hosts of a batch wait for in each other: barriers, and steps that one host does for all.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::engine::lock::LockWatch;
use crate::model::inventory::HostName;
use crate::model::outcome::Failure;
use crate::model::value::Vars;

/// How far the hosts of a batch have come: each is at the step that it is about to begin.
#[derive(Debug)]
pub(super) struct Batch {
    progress: Mutex<Progress>,
    /// The step that the last of them has come to.
    floor: watch::Sender<usize>,
}

#[derive(Debug)]
struct Progress {
    /// For each host of the batch the step that it has come to; `None` when it takes no part any more.
    at: Vec<Option<usize>>,
    /// How many hosts are at a step.
    count: BTreeMap<usize, usize>,
}

impl Batch {
    /// So many hosts, all before their first step.
    pub(super) fn new(hosts: usize) -> Self {
        let progress = Progress { at: vec![Some(0); hosts], count: BTreeMap::from([(0, hosts)]) };
        Self { progress: Mutex::new(progress), floor: watch::channel(0).0 }
    }

    /// A host is about to begin a step. Steps are numbered in the order in which hosts come to them.
    pub(super) fn come_to(&self, member: usize, step: usize) {
        self.set(member, Some(step));
    }

    /// A host takes no part any more: nobody waits for it.
    pub(super) fn leave(&self, member: usize) {
        self.set(member, None);
    }

    /// Resolves when every host has come to a step, or has left.
    pub(super) async fn all_at(&self, step: usize) {
        let mut floor = self.floor.subscribe();
        let reached = floor.wait_for(|floor| *floor >= step).await;
        reached.map(|_| ()).expect("the sender lives as long as the batch");
    }

    fn set(&self, member: usize, step: Option<usize>) {
        let floor = {
            let mut progress = lock(&self.progress);
            let Some(at) = progress.at.get_mut(member) else { return };
            let before = std::mem::replace(at, step);
            if let Some(before) = before
                && let Some(count) = progress.count.get_mut(&before)
            {
                *count -= 1;
                if *count == 0 {
                    progress.count.remove(&before);
                }
            }
            if let Some(step) = step {
                *progress.count.entry(step).or_default() += 1;
            }
            progress.count.keys().next().copied().unwrap_or(usize::MAX)
        };
        self.floor.send_if_modified(|known| std::mem::replace(known, floor) != floor);
    }
}

/// What one host does for all, step by step, each time with a value for the others.
#[derive(Debug)]
pub(super) struct Once<T>(Mutex<HashMap<Place, watch::Sender<Turn<T>>>>);

impl<T> Default for Once<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

/// Which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) task: usize,
    pub(super) step: usize,
    /// The batch that it is done for; none when it is done for the whole run.
    pub(super) batch: Option<usize>,
}

/// What has become of such a step.
#[derive(Clone, Debug)]
enum Turn<T> {
    /// Nobody is at it.
    Free,
    /// A host is at it.
    Taken,
    /// It is done.
    Done(Done<T>),
}

/// How a step ended that was done for all.
#[derive(Clone, Debug)]
pub(super) struct Done<T> {
    /// Who did it.
    pub(super) by: HostName,
    /// What the others get, or why it did not go well.
    pub(super) result: Result<T, Failure>,
}

/// What a host is to do about such a step.
pub(super) enum Claim<T> {
    /// Do it; the others wait.
    Mine(Claimed<T>),
    /// Nothing: it is done.
    Done(Done<T>),
}

/// The right to do a step for all. Dropped without a result, it goes to the next host.
pub(super) struct Claimed<T>(watch::Sender<Turn<T>>);

impl<T: Clone> Once<T> {
    /// The step was done before anybody comes to it.
    pub(super) fn settle(&self, place: Place, done: Done<T>) {
        lock(&self.0).insert(place, watch::channel(Turn::Done(done)).0);
    }

    /// Takes the step, or waits for whoever has it.
    pub(super) async fn claim(&self, place: Place) -> Claim<T> {
        let turn = lock(&self.0).entry(place).or_insert_with(|| watch::channel(Turn::Free).0).clone();
        let mut changes = turn.subscribe();
        loop {
            let mut found = Turn::Taken;
            turn.send_if_modified(|turn| {
                found = turn.clone();
                let free = matches!(turn, Turn::Free);
                if free {
                    *turn = Turn::Taken;
                }
                free
            });
            match found {
                Turn::Free => return Claim::Mine(Claimed(turn)),
                Turn::Done(done) => return Claim::Done(done),
                Turn::Taken => {}
            }
            let freed = changes.wait_for(|turn| !matches!(turn, Turn::Taken)).await;
            freed.map(|_| ()).expect("this claim holds a sender");
        }
    }
}

impl<T> Claimed<T> {
    /// The step is done: the others need not do it.
    pub(super) fn finish(self, done: Done<T>) {
        self.0.send_replace(Turn::Done(done));
    }
}

impl<T> Drop for Claimed<T> {
    fn drop(&mut self) {
        self.0.send_if_modified(|turn| {
            let taken = matches!(turn, Turn::Taken);
            if taken {
                *turn = Turn::Free;
            }
            taken
        });
    }
}

/// What all workers share of a run's coordination.
#[derive(Clone, Debug)]
pub(super) struct Together {
    /// The batch that is at work.
    pub(super) batch: Arc<Batch>,
    /// Its number in the task, from 0.
    pub(super) number: usize,
    /// The host's place in it.
    pub(super) member: usize,
    /// Steps that one host does for all, with the variables that they define.
    pub(super) once: Arc<Once<Vars>>,
    /// What they hold while they are in the task.
    pub(super) lock: LockWatch,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn a_barrier_opens_when_all_have_come_or_left() {
        let batch = Batch::new(3);
        batch.come_to(0, 2);
        batch.come_to(1, 5);
        assert!(batch.all_at(2).now_or_never().is_none(), "one is still before its first step");
        batch.leave(2);
        assert!(batch.all_at(2).now_or_never().is_some());
        assert!(batch.all_at(5).now_or_never().is_none());
        batch.leave(0);
        assert!(batch.all_at(5).now_or_never().is_some());
        batch.leave(1);
        assert!(batch.all_at(usize::MAX).now_or_never().is_some(), "nobody waits for nobody");
    }

    #[test]
    fn a_step_that_was_not_done_goes_to_the_next_host() {
        let once = Once::<Vars>::default();
        let at = |step| Place { task: 0, step, batch: None };
        let Some(Claim::Mine(first)) = once.claim(at(1)).now_or_never() else { panic!("nobody has it") };
        assert!(once.claim(at(1)).now_or_never().is_none(), "somebody is at it");
        assert!(matches!(once.claim(at(2)).now_or_never(), Some(Claim::Mine(_))), "another step");
        drop(first);
        let Some(Claim::Mine(second)) = once.claim(at(1)).now_or_never() else { panic!("it is free again") };
        second.finish(Done { by: HostName::from("web2"), result: Ok(Vars::new()) });
        let Some(Claim::Done(done)) = once.claim(at(1)).now_or_never() else { panic!("it is done") };
        assert_eq!(done.by.as_str(), "web2");
    }
}
