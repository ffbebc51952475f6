//! What surrounds the work of a step on files: the user's stop, the deadline, progress, and what is left behind.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio::task::AbortHandle;
use tokio::time::{Instant, MissedTickBehavior};

use crate::engine::host::connection::{HostConnection, giving_way};
use crate::engine::host::result::StepResult;
use crate::engine::live::stop::{StopReceiver, interrupted};
use crate::engine::step::cx::StepCx;
use crate::engine::step::files::context::{Context, FilesDone};
use crate::engine::step::files::work::Work;
use crate::engine::step::privilege::raising;
use crate::event::{Fact, StepAt, StepFact, Stream};
use crate::files::progress::TransferProgress;
use crate::files::remote::{Remote, RemotePrivilege};
use crate::model::duration;
use crate::model::outcome::{Failure, Kind, StepStatus};
use crate::model::settings::{TimeLimit, Transport};
use crate::ssh::{Connector, Session};

/// How often progress is told.
const TOLD: Duration = Duration::from_millis(250);

/// Bytes that all hosts together may have on their way.
const IN_FLIGHT: usize = 32 * 1024 * 1024;

/// Bytes that one host may have on their way, at least and at most.
const LEAST: usize = 256 * 1024;
const MOST: usize = 8 * 1024 * 1024;

/// A task that ends with its owner.
struct Owned(AbortHandle);

impl Drop for Owned {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Why the work was given up.
enum GivenUp {
    Up(Failure, StepStatus),
    Done(Result<FilesDone, Failure>),
}

/// How one try ended.
enum Tried<S> {
    /// As it is to be told.
    Ended(Box<StepResult>),
    /// The connection was lost when a command was asked for beside SFTP, maybe by another host's step that shares it, and
    /// nothing was put in place. What is not in place is known to these files, if there are any.
    Alone(Failure, Option<Arc<Remote<S>>>),
}

pub(in crate::engine::step) async fn run<C: Connector>(
    cx: &mut StepCx<'_, C>,
) -> Result<StepResult, Failure> {
    let work = Work::prepare(cx)?;
    let privilege = match raising(cx, cx.step)? {
        Some(raising) => RemotePrivilege::Other(Box::new(raising)),
        None => RemotePrivilege::Login,
    };
    let limit = cx.step.timeout.map(TimeLimit::duration).or(cx.task.timeout).flatten();
    let limit = Limit { length: limit, end: limit.and_then(|limit| Instant::now().checked_add(limit)) };
    let (failure, before) = match attempt(cx, &privilege, &work, limit, None).await {
        Tried::Ended(result) => return Ok(*result),
        Tried::Alone(failure, before) => (failure, before),
    };
    // Some servers end a connection on which a command is asked for beside SFTP (proftpd's mod_sftp). All that was
    // learned is that: on another connection the same goes on without commands.
    if !cx.connect_alone().await {
        return Ok(lost_before(failure, before.as_deref()));
    }
    match attempt(cx, &privilege, &work, limit, before).await {
        Tried::Ended(result) => Ok(*result),
        Tried::Alone(failure, remote) => Ok(lost_before(failure, remote.as_deref())),
    }
}

/// The end of a step that had no connection to work over; what an earlier try left is told.
fn lost_before<S: Session>(failure: Failure, before: Option<&Remote<S>>) -> StepResult {
    match before {
        Some(before) => ended(failure, StepStatus::Failed, before.left(), before.is_undecided(), true),
        None => StepResult::refused(failure),
    }
}

/// How long the step may take, and when that is over.
#[derive(Clone, Copy)]
struct Limit {
    length: Option<Duration>,
    end: Option<Instant>,
}

impl Limit {
    fn late(self) -> Failure {
        let message = format!("not done after {}", duration::show(self.length.unwrap_or_default()));
        Failure::new(Kind::Timeout, message).hint("raise the step's `timeout`, or -T")
    }
}

/// Does the work over the connection that is open. What an earlier try left is removed first.
async fn attempt<C: Connector>(
    cx: &mut StepCx<'_, C>,
    privilege: &RemotePrivilege,
    work: &Work,
    limit: Limit,
    before: Option<Arc<Remote<C::Session>>>,
) -> Tried<C::Session> {
    let (host, tools, plan) = (&cx.host.endpoint.name, cx.tools, cx.plan);
    let mut stop = tools.stop.clone();
    let mut by_commands = false;
    let HostConnection { files, commands, .. } = &*cx.connection;
    let remote = match files.iter().find(|remote| remote.privilege() == privilege) {
        Some(remote) => Arc::clone(remote),
        None => {
            let (session, commands) = (cx.connection.session(), commands.clone());
            let opened = tokio::select! {
                biased;
                reason = stop.asked() => return Tried::Ended(Box::new(StepResult::cancelled(reason))),
                opened = giving_way(
                    session.as_ref(),
                    &mut cx.connection.files,
                    Remote::open(Arc::clone(&session), privilege.clone(), commands.clone()),
                ) => opened,
                () = reached(limit.end) => Err(limit.late()),
            };
            match opened {
                Ok(remote) => {
                    let remote = Arc::new(remote);
                    let over_ssh = cx.place.endpoint.transport == Transport::Ssh;
                    by_commands = remote.sftp().is_none() && *privilege == RemotePrivilege::Login && over_ssh;
                    cx.connection.files.push(Arc::clone(&remote));
                    remote
                }
                Err(failure) if failure.kind.is_loss() && commands.may_have_ended_it() => {
                    return Tried::Alone(failure, before);
                }
                Err(failure) => return Tried::Ended(Box::new(lost_before(failure, before.as_deref()))),
            }
        }
    };
    cx.seen.started = true;
    remote.begin();
    let mut left = Vec::new();
    if let Some(before) = before {
        remote.inherit(&before);
        left = remote.cleanup().await;
    }
    let changes = cx.step.action.properties().changes_host() && !plan.changes.dry_run;

    let progress = TransferProgress::default();
    let hosts = cx.task.hosts.len().min(plan.pool).max(1);
    let context = Context {
        host,
        shared: &tools.files,
        progress: &progress,
        in_flight: (IN_FLIGHT / hosts).clamp(LEAST, MOST),
        many: cx.task.hosts.len() > 1,
        diff: plan.changes.diff,
        dry_run: plan.changes.dry_run,
    };
    // Transfers are counted by a shell, which is started while the host is looked at.
    let _warming = work.counts().then(|| {
        let remote = Arc::clone(&remote);
        Owned(tokio::spawn(async move { remote.shell().await.is_ok() }).abort_handle())
    });
    // What other users see of the host is not used meanwhile.
    let mut others = std::mem::take(&mut cx.connection.files);
    others.retain(|other| !Arc::ptr_eq(other, &remote));
    let given = {
        let session = Arc::clone(remote.session());
        let telling = tell(cx, &progress).boxed();
        tokio::select! {
            biased;
            reason = stop.asked() => GivenUp::Up(interrupted(reason), StepStatus::Cancelled),
            done = giving_way(session.as_ref(), &mut others, work.run(&context, &remote).boxed()) => {
                GivenUp::Done(done)
            }
            () = reached(limit.end) => GivenUp::Up(limit.late(), StepStatus::Failed),
            () = telling => GivenUp::Up(Failure::new(Kind::Internal, "progress ended"), StepStatus::Failed),
        }
    };
    others.push(Arc::clone(&remote));
    cx.connection.files = others;
    let undecided = remote.is_undecided();
    // Given up in the middle: some of it may be in place.
    let stands = |result: StepResult| if changes { result.begun() } else { result };
    Tried::Ended(Box::new(match given {
        GivenUp::Done(Ok(mut done)) => {
            // What was tried out and could not be removed again, as where nobody may remove anything.
            left.extend(leave(&remote, &mut stop).await);
            let mut notes: Vec<String> = remote.unheeded();
            if by_commands {
                notes.push("by commands: the server has no SFTP".to_owned());
            }
            notes.extend(left.iter().map(|path| format!("left behind: {path}")));
            for note in notes {
                let sep = if done.note.is_empty() { "" } else { ", " };
                done.note += &format!("{sep}{note}");
            }
            if !done.output.is_empty() {
                output(cx, &done.output).await;
            }
            finished(done)
        }
        GivenUp::Done(Err(failure)) => {
            let lost = failure.kind.is_loss();
            if lost && remote.may_go_on_alone() {
                return Tried::Alone(failure, Some(remote));
            }
            // A server that does not answer may still have done what it was asked.
            let blind = lost || failure.kind == Kind::Timeout;
            left.extend(leave(&remote, &mut stop).await);
            stands(ended(failure, StepStatus::Failed, left, undecided && blind, lost))
        }
        GivenUp::Up(failure, status) => {
            left.extend(leave(&remote, &mut stop).await);
            stands(ended(failure, status, left, undecided, false))
        }
    }))
}

/// Tells how far it has come, again and again; never ends.
async fn tell<C: Connector>(cx: &StepCx<'_, C>, progress: &TransferProgress) {
    let mut ticks = tokio::time::interval_at(Instant::now() + TOLD, TOLD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told = (0, 0);
    loop {
        ticks.tick().await;
        let now = progress.now();
        if now == told {
            continue;
        }
        told = now;
        cx.activity.heard();
        let (done, total) = now;
        let (host, task, step) = (cx.host.endpoint.name.clone(), cx.task_index, cx.index);
        cx.tools
            .sink
            .tell(Fact::Step(StepAt { host, task, step }, StepFact::TransferAdvanced { done, total }));
    }
}

async fn reached(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// Removes what is not in place; gives what could not be removed. A user who is in a hurry does not wait for it.
async fn leave<S: Session>(remote: &Remote<S>, stop: &mut StopReceiver) -> Vec<String> {
    let seen = stop.current();
    tokio::select! {
        biased;
        left = remote.cleanup() => left,
        _ = stop.beyond(seen) => remote.left(),
    }
}

fn finished(done: FilesDone) -> StepResult {
    let mut result = StepResult::of(if done.changed { StepStatus::Changed } else { StepStatus::Ok });
    result.outcome.note = Some(done.note).filter(|note| !note.is_empty());
    result.outcome.difference = done.difference;
    result.outcome.would_change = done.would_change;
    result.stdout.data.extend_from_slice(&done.output);
    result.values = done.values;
    result
}

fn ended(
    mut failure: Failure,
    status: StepStatus,
    left: Vec<String>,
    undecided: bool,
    lost: bool,
) -> StepResult {
    let status = if undecided {
        failure = failure.and("whether the new content is in place is unknown");
        StepStatus::Unknown
    } else {
        status
    };
    if !left.is_empty() {
        failure = failure.and(format!("left behind: {}", left.join(", ")));
    }
    let mut result = StepResult::failed(failure);
    result.outcome.status = status;
    // Nothing more can be done on a connection that is gone.
    result.refused = lost;
    result
}

/// Data of a step for the readers, within the host's budget.
async fn output<C: Connector>(cx: &StepCx<'_, C>, data: &[u8]) {
    for piece in data.chunks(64 * 1024) {
        let share = u32::try_from(piece.len()).unwrap_or(u32::MAX);
        let Ok(hold) = Arc::clone(&cx.activity.budget).acquire_many_owned(share).await else { return };
        let fact = Fact::Step(
            StepAt { host: cx.host.endpoint.name.clone(), task: cx.task_index, step: cx.index },
            StepFact::Output { stream: Stream::Stdout, data: bytes::Bytes::copy_from_slice(piece) },
        );
        cx.tools.sink.tell_output(fact, hold);
    }
}
