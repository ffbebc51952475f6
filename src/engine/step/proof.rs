//! The sign that a command which is passed on untouched was begun at all.
//!
//! `fan exec` hands its line to the account as it is, so the line can print no mark. When it exits with 0 and not a word
//! was said, the host may just as well have run nothing: a profile that replaces the shell or ends it, a login shell
//! that is none, an account for SFTP alone. Then a second line asks the account for a mark, once for a connection. The
//! same where something was said, and the line is one that says nothing: it was the profile's greeting.
//!
//! Of a line that says nothing it is known before that there will be no other sign. Then the second line goes beside it,
//! right after it, and the mark has mostly come when the command ends: two round trips less. Without a mark from there the
//! account is asked once more when the command has ended, and that counts.
//!
//! An account with a forced command must not do its work twice for that. So the line is as long as a command line may
//! be: `SSH_ORIGINAL_COMMAND`, in which sshd hands it to a forced command, is longer by that name, and the kernel starts
//! no program with such a variable (Linux, `MAX_ARG_STRLEN`).

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;

use crate::engine::host::result::StepResult;
use crate::engine::live::command::{self, Ended, Exchange, Finished, Limits, Surroundings};
use crate::engine::live::tail::Rest;
use crate::engine::step::command::{self as shared, Prepared};
use crate::engine::step::cx::StepCx;
use crate::engine::step::durable;
use crate::model::outcome::{Exit, Failure, Kind, StepStatus};
use crate::model::shell::MAX_LINE;
use crate::model::shell::silent::is_silent;
use crate::ssh::{Connector, ExecError, ExecRequest, Sent, Session};

/// How long the mark may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// What is known of the beginning of a command.
pub(super) enum Sign {
    /// Enough: the account runs what it is given, or the command's end says more than its beginning would.
    Mark,
    /// The account was given another line, and gave no mark either.
    Missing(ProofSaid),
    /// There is no telling.
    Unclear(ProofSaid),
}

/// What came of a command that may not have been begun.
#[derive(Clone, Copy)]
pub(super) enum ProofSaid {
    Nothing,
    /// Output, of a command that has none.
    Something,
}

impl Sign {
    /// Adds it to the result of the command's step.
    pub(super) fn add_to(self, result: &mut StepResult) {
        match self {
            Self::Mark => {}
            Self::Missing(said) => {
                result.outcome.status = StepStatus::Unknown;
                let (does, then) = match said {
                    ProofSaid::Nothing => ("is silent", "prints nothing"),
                    ProofSaid::Something => ("says the same", "does not print hello"),
                };
                let message = format!(
                    "exit status 0, but no sign that it started: this account {does} whatever command it is given"
                );
                let hint = format!(
                    "does a profile (.bashrc) replace the shell there, or end it? `ssh HOST echo hello` {then} then"
                );
                result.outcome.failure = Some(Failure::new(Kind::ExecRefused, message).hint(hint));
            }
            Self::Unclear(said) => {
                let output = match said {
                    ProofSaid::Nothing => "no output",
                    ProofSaid::Something => "output that is not its own",
                };
                let note =
                    format!("exit status 0 and {output}; whether the account's shell started it is unknown");
                result.outcome.note.get_or_insert(note);
            }
        }
    }
}

/// What the account said to the request for a mark.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Proof {
    Mark,
    Missing,
    Unclear,
}

/// The look for the sign that goes beside a command.
pub(super) struct LookBeside {
    /// Whether there was a mark; none when the command is no such, or all is told.
    look: Option<BoxFuture<'static, bool>>,
}

impl LookBeside {
    /// Begins it for a command that says nothing, at the first [`during`](Self::during).
    pub(super) fn of<C: Connector>(cx: &StepCx<'_, C>, line: &str, sent: &Sent) -> Self {
        let session = cx.connection.session();
        let open = session.takes_commands().is_some_and(|known| !known.load(Ordering::Relaxed));
        if !open || !session.bears_another() || !is_silent(line) || durable::is_wanted(cx) {
            return Self { look: None };
        }
        let (around, sent) = (cx.surroundings(), sent.clone());
        let look = async move {
            let proof = ask(&session, around, Some(sent)).await;
            if let (Proof::Mark, Some(known)) = (proof, session.takes_commands()) {
                known.store(true, Ordering::Relaxed);
            }
            proof == Proof::Mark
        };
        Self { look: Some(look.boxed()) }
    }

    /// Gets on with it while the command is waited for, whose turn always comes first.
    pub(super) async fn during<T>(&mut self, command: impl Future<Output = T>) -> T {
        let mut command = pin!(command);
        tokio::select! {
            biased;
            done = &mut command => return done,
            _ = self.mark() => {}
        }
        command.await
    }

    /// Whether there is a mark.
    async fn mark(&mut self) -> bool {
        let Some(look) = &mut self.look else { return false };
        let mark = look.await;
        self.look = None;
        mark
    }
}

/// Looks for the sign, where a command ended well and nothing else shows that it was begun.
pub(super) async fn look<C: Connector>(
    cx: &mut StepCx<'_, C>,
    line: &str,
    finished: &Finished,
    mut beside: LookBeside,
) -> Sign {
    // A process that holds the output open may be the profile's.
    let ended_well = match &finished.ended {
        Ended::Exited { exit: Exit::Status(0), rest: Rest::Whole | Rest::HeldOpen } => true,
        Ended::Exited { .. }
        | Ended::NotStarted(_)
        | Ended::NoStatus
        | Ended::Lost(_)
        | Ended::Left
        | Ended::Stopped { .. } => false,
    };
    let said = match (finished.spoke, is_silent(line)) {
        (false, _) => Some(ProofSaid::Nothing),
        (true, true) => Some(ProofSaid::Something),
        (true, false) => None,
    };
    let session = cx.connection.session();
    let known = session.takes_commands();
    let settled = known.is_none_or(|known| known.load(Ordering::Relaxed));
    let settled = settled || !finished.software.runs_login_shells();
    let Some(said) = said.filter(|_| ended_well && !settled) else { return Sign::Mark };
    if beside.mark().await {
        return Sign::Mark;
    }
    let proof = match cx.tools.stop.current().reason() {
        None => ask(&session, cx.surroundings(), None).await,
        Some(_) => Proof::Unclear,
    };
    if let Some(known) = known {
        known.store(proof == Proof::Mark, Ordering::Relaxed);
    }
    match proof {
        Proof::Mark => Sign::Mark,
        Proof::Missing => Sign::Missing(said),
        Proof::Unclear => Sign::Unclear(said),
    }
}

/// Asks the account for a mark; beside a command, once that is sent.
async fn ask<S: Session>(session: &Arc<S>, around: Surroundings, first: Option<Sent>) -> Proof {
    let Ok(Prepared { mut request, opening, .. }) = shared::nothing(None) else { return Proof::Unclear };
    let mut line = request.line.to_vec();
    line.resize(line.len().max(MAX_LINE), b' ');
    request.line = line.into();
    let mut stop = around.stop.clone();
    let exec = tokio::select! {
        biased;
        exec = start(session, request, first) => exec,
        _ = stop.asked() => return Proof::Unclear,
    };
    let exec = match exec {
        Ok(exec) => exec,
        Err(ExecError { .. }) => return Proof::Unclear,
    };
    // Nothing of it is told.
    let around = Surroundings { shown: false, ..around };
    let limits = Limits { timeout: Some(PATIENCE), ..Limits::default() };
    let finished = command::watch(exec, around, limits, Exchange { opening, feed: None }).await;
    match finished.ended {
        _ if finished.begun => Proof::Mark,
        Ended::NotStarted(_) if finished.exit == Some(Exit::Status(0)) => Proof::Missing,
        // The profile's process holds the output open.
        Ended::Exited { exit: Exit::Status(0), rest: Rest::Cut(failure) }
            if failure.kind == Kind::ExecRefused =>
        {
            Proof::Missing
        }
        Ended::NotStarted(_)
        | Ended::Exited { .. }
        | Ended::NoStatus
        | Ended::Lost(_)
        | Ended::Left
        | Ended::Stopped { .. } => Proof::Unclear,
    }
}

async fn start<S: Session>(
    session: &Arc<S>,
    request: ExecRequest,
    first: Option<Sent>,
) -> Result<S::Exec, ExecError> {
    match first {
        None => session.exec(request).await,
        Some(first) => session.exec_beside(request, first).await,
    }
}
