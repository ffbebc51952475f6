//! What the hosts of a batch wait for in each other: barriers, steps that one host does for all, and the lock that they
//! all count on.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::watch;

use crate::engine::plan::memory::{Done, Place};
use crate::model::inventory::HostName;
use crate::model::outcome::{Failure, Kind};
use crate::model::template::Layer;

/// How far the hosts of a batch have come: each is at the step that it is about to begin.
#[derive(Debug)]
pub(crate) struct Batch {
    progress: Mutex<TeamProgress>,
    /// The step that the last of them has come to.
    floor: watch::Sender<usize>,
}

#[derive(Debug)]
struct TeamProgress {
    /// For each host of the batch the step that it has come to; `None` when it takes no part any more.
    at: Vec<Option<usize>>,
    /// How many hosts are at a step.
    count: BTreeMap<usize, usize>,
}

impl Batch {
    /// So many hosts, all before their first step.
    pub(crate) fn new(hosts: usize) -> Self {
        let progress = TeamProgress { at: vec![Some(0); hosts], count: BTreeMap::from([(0, hosts)]) };
        Self { progress: Mutex::new(progress), floor: watch::channel(0).0 }
    }

    /// A host is about to begin a step. Steps are numbered in the order in which hosts come to them.
    pub(crate) fn come_to(&self, member: usize, step: usize) {
        self.set(member, Some(step));
    }

    /// A host has left: the others no longer wait for it.
    pub(crate) fn leave(&self, member: usize) {
        self.set(member, None);
    }

    /// Resolves when every host has come to a step, or has left.
    pub(crate) async fn all_at(&self, step: usize) {
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
pub(crate) struct Once<T>(Mutex<HashMap<Place, watch::Sender<TeamTurn<T>>>>);

impl<T> Default for Once<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

/// What has become of such a step.
#[derive(Clone, Debug)]
enum TeamTurn<T> {
    /// No host runs it.
    Free,
    /// A host is at it.
    Taken,
    /// It is done.
    Done(Done<T>),
}

/// What a host is to do about such a step.
pub(crate) enum Claim<T> {
    /// Do it; the others wait.
    Mine(Claimed<T>),
    /// Nothing: it is done.
    Done(Done<T>),
}

/// The right to do a step for all. Dropped before it is begun, it goes to the next host. Dropped after that and without
/// a result, as when its worker panics, it goes to nobody: how far it came is not known.
pub(crate) struct Claimed<T> {
    turn: watch::Sender<TeamTurn<T>>,
    by: HostName,
    begun: bool,
}

impl<T: Clone> Once<T> {
    /// The step was done before anyone comes to it.
    pub(crate) fn settle(&self, place: Place, done: Done<T>) {
        lock(&self.0).insert(place, watch::channel(TeamTurn::Done(done)).0);
    }

    /// Takes the step for a host, or waits for the host that has it.
    pub(crate) async fn claim(&self, place: Place, by: &HostName) -> Claim<T> {
        let turn = lock(&self.0).entry(place).or_insert_with(|| watch::channel(TeamTurn::Free).0).clone();
        let mut changes = turn.subscribe();
        loop {
            let mut found = TeamTurn::Taken;
            turn.send_if_modified(|turn| {
                found = turn.clone();
                let free = matches!(turn, TeamTurn::Free);
                if free {
                    *turn = TeamTurn::Taken;
                }
                free
            });
            match found {
                TeamTurn::Free => return Claim::Mine(Claimed { turn, by: by.clone(), begun: false }),
                TeamTurn::Done(done) => return Claim::Done(done),
                TeamTurn::Taken => {}
            }
            let freed = changes.wait_for(|turn| !matches!(turn, TeamTurn::Taken)).await;
            freed.map(|_| ()).expect("this claim holds a sender");
        }
    }
}

impl<T> Claimed<T> {
    /// The step is begun.
    pub(crate) fn begin(&mut self) {
        self.begun = true;
    }

    /// Nothing of the step was started after all: it goes to the next host.
    pub(crate) fn give_back(mut self) {
        self.begun = false;
    }

    /// The step is done: the others need not do it.
    pub(crate) fn finish(self, result: Result<T, Failure>) {
        self.turn.send_replace(TeamTurn::Done(Done { by: self.by.clone(), result }));
    }
}

impl<T> Drop for Claimed<T> {
    fn drop(&mut self) {
        self.turn.send_if_modified(|turn| {
            let taken = matches!(turn, TeamTurn::Taken);
            if taken {
                *turn = if self.begun {
                    let failure =
                        Failure::new(Kind::Internal, "fan's worker for that host failed in the middle");
                    TeamTurn::Done(Done { by: self.by.clone(), result: Err(failure) })
                } else {
                    TeamTurn::Free
                };
            }
            taken
        });
    }
}

/// What a worker sees of its task's lock: whether it is lost. Without a lock it never is.
#[derive(Clone, Debug, Default)]
pub(crate) struct LockWatch(Arc<OnceLock<Failure>>);

impl LockWatch {
    /// Why nothing may begin any more, if so.
    pub(crate) fn lost(&self) -> Option<&Failure> {
        self.0.get()
    }

    /// From now on nothing may begin. What was said first is what the hosts are told.
    pub(crate) fn lose(&self, why: Failure) -> Failure {
        self.0.get_or_init(|| why).clone()
    }
}

/// What all workers share of a run's coordination.
#[derive(Clone, Debug)]
pub(crate) struct Together {
    /// The batch that is at work.
    pub(crate) batch: Arc<Batch>,
    /// Its number in the task, from 0.
    pub(crate) number: usize,
    /// The host's place in it.
    pub(crate) member: usize,
    /// Steps that one host does for all, with the variables that they define.
    pub(crate) once: Arc<Once<Layer>>,
    /// What they hold while they are in the task.
    pub(crate) lock: LockWatch,
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
        let once = Once::<Layer>::default();
        let at = |step| Place { task: 0, step, batch: None };
        let claim = |step, host: &str| once.claim(at(step), &HostName::from(host)).now_or_never();
        let Some(Claim::Mine(first)) = claim(1, "web1") else { panic!("nobody has it") };
        assert!(claim(1, "web2").is_none(), "somebody is at it");
        assert!(matches!(claim(2, "web2"), Some(Claim::Mine(_))), "another step");
        drop(first);
        let Some(Claim::Mine(mut second)) = claim(1, "web2") else { panic!("it is free again") };
        second.begin();
        second.give_back();
        let Some(Claim::Mine(third)) = claim(1, "web3") else { panic!("nothing of it was started") };
        third.finish(Ok(Layer::default()));
        let Some(Claim::Done(done)) = claim(1, "web1") else { panic!("it is done") };
        assert_eq!(done.by.as_str(), "web3");
    }

    #[test]
    fn a_step_that_was_left_in_the_middle_goes_to_nobody() {
        let once = Once::<Layer>::default();
        let place = Place { task: 0, step: 1, batch: None };
        let claim = |host: &str| once.claim(place, &HostName::from(host)).now_or_never();
        let Some(Claim::Mine(mut first)) = claim("web1") else { panic!("nobody has it") };
        first.begin();
        drop(first);
        let Some(Claim::Done(done)) = claim("web2") else { panic!("it was begun") };
        assert_eq!((done.by.as_str(), done.result.unwrap_err().kind), ("web1", Kind::Internal));
    }
}
