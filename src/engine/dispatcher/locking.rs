//! The lock of the task that is on: taken before its first batch, lost when its host goes away, given back after its
//! last one.

use std::sync::Arc;

use crate::engine::dispatcher::closed::Closed;
use crate::engine::dispatcher::lock;
use crate::engine::dispatcher::run::{Dispatcher, TICK};
use crate::engine::host::connection::close;
use crate::engine::plan::{Keeper, PlannedLock};
use crate::event::{Fact, LockAt, LockFact};
use crate::model::outcome::{Failure, Kind};
use crate::ssh::Connector;

impl<C: Connector> Dispatcher<C> {
    /// Takes a task's lock, on the connection that its host goes on to work on.
    pub(super) async fn take_lock(&mut self, task: usize, lock: &PlannedLock) {
        let member = match lock.keeper {
            Keeper::Member(host) => Some(host),
            Keeper::Aside(_) => None,
        };
        // Of a host that has its final record, or is none of the run's, nothing more is told.
        let (session, is_told) = match member.and_then(|host| self.hosts.waiting_at(host)) {
            Some(run) => (run.connection.session.clone(), true),
            None => (None, false),
        };
        let sink = is_told.then(|| self.shared.tools.sink.clone());
        let taking =
            lock::take(Arc::clone(&self.plan), Arc::clone(&self.shared), task, lock.clone(), session, sink);
        tokio::pin!(taking);
        let mut ticks = tokio::time::interval(TICK);
        let mut stop = self.shared.tools.stop.clone();
        let shared = Arc::clone(&self.shared);
        let taken = loop {
            let told = self.told_stop;
            tokio::select! {
                biased;
                wanted = stop.beyond(told) => self.hear_stop(wanted),
                notice = shared.tools.connector.notice() => self.note(notice),
                taken = &mut taking => break taken,
                _ = ticks.tick() => self.look_at_agent(),
            }
        };
        let session = match &taken {
            Ok(held) => Some(Arc::clone(&held.session)),
            Err(not) => not.session.clone(),
        };
        if let Some(run) = member.and_then(|host| self.hosts.waiting_at(host)) {
            run.connection.session = session;
        } else if taken.is_err() {
            session.into_iter().for_each(|session| drop(self.closing.spawn(close(session))));
        }
        match taken {
            Ok(held) => {
                let (lock, host) = (held.name(), held.host());
                self.shared.tools.sink.tell(Fact::Lock(LockAt { task, lock, host }, LockFact::Taken));
                self.lock = Some(held);
            }
            // The hosts are told of the stop.
            Err(not) if not.failure.kind == Kind::Interrupted => {}
            Err(not) => {
                let host = self.plan.keeper(lock).map(|keeper| keeper.name.clone());
                let (lock, host) = (Arc::clone(&lock.name), host.expect("the plan's locks name its hosts"));
                let failure = not.failure;
                if !self.plan.locking.look_only {
                    self.close(Closed::Locked(failure.clone()));
                }
                self.shared
                    .tools
                    .sink
                    .tell(Fact::Lock(LockAt { task, lock, host }, LockFact::Failed { failure }));
            }
        }
    }

    pub(super) fn lose_lock(&mut self, failure: Failure) {
        let Some(held) = &self.lock else { return };
        let (task, lock, host) = (held.task(), held.name(), held.host());
        self.close(Closed::Locked(failure.clone()));
        self.shared.tools.sink.tell(Fact::Lock(LockAt { task, lock, host }, LockFact::Failed { failure }));
    }

    /// Gives the task's lock back, if there is one.
    pub(super) async fn release_lock(&mut self) {
        let Some(held) = self.lock.take() else { return };
        let (task, lock, host) = (held.task(), held.name(), held.host());
        let (session, kept) = held.release().await;
        if kept {
            self.shared.tools.sink.tell(Fact::Lock(LockAt { task, lock, host }, LockFact::Released));
        }
        let in_use = self
            .hosts
            .waiting()
            .any(|run| run.connection.session.as_ref().is_some_and(|other| Arc::ptr_eq(other, &session)));
        if !in_use {
            self.closing.spawn(close(session));
        }
    }
}
