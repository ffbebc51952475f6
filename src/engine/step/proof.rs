//! The sign that a command which is passed on untouched was begun at all.
//!
//! `fan exec` hands its line to the account as it is, so the line can print no mark. When it exits with 0 and not a word
//! was said, the host may just as well have run nothing: a profile that replaces the shell or ends it, a login shell
//! that is none, an account for SFTP alone. Then a second line asks the account for a mark, once for a connection. The
//! same where something was said, and the line is one that says nothing: it was the profile's greeting.
//!
//! An account with a forced command must not do its work twice for that. So the line is as long as a command line may
//! be: `SSH_ORIGINAL_COMMAND`, in which sshd hands it to a forced command, is longer by that name, and the kernel starts
//! no program with such a variable (Linux, `MAX_ARG_STRLEN`).

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::engine::host::result::StepResult;
use crate::engine::live::command::{self, Ended, Exchange, Finished, Limits, Surroundings};
use crate::engine::live::tail::Rest;
use crate::engine::step::command::{self as shared, Prepared};
use crate::engine::step::cx::StepCx;
use crate::model::outcome::{Exit, Failure, Kind, StepStatus};
use crate::model::shell::MAX_LINE;
use crate::model::shell::silent::is_silent;
use crate::ssh::{Connector, ExecError, Session};

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

/// Looks for the sign, where a command ended well and nothing else shows that it was begun.
pub(super) async fn look<C: Connector>(cx: &mut StepCx<'_, C>, line: &str, finished: &Finished) -> Sign {
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
    let sign = match cx.tools.stop.current().reason() {
        None => ask(cx, said).await,
        Some(_) => Sign::Unclear(said),
    };
    if let Some(known) = known {
        known.store(matches!(sign, Sign::Mark), Ordering::Relaxed);
    }
    sign
}

/// Asks the account for a mark.
async fn ask<C: Connector>(cx: &mut StepCx<'_, C>, said: ProofSaid) -> Sign {
    let Ok(Prepared { mut request, opening, .. }) = shared::nothing(None) else { return Sign::Unclear(said) };
    let mut line = request.line.to_vec();
    line.resize(line.len().max(MAX_LINE), b' ');
    request.line = line.into();
    let (session, mut stop) = (cx.connection.session(), cx.tools.stop.clone());
    let exec = tokio::select! {
        biased;
        exec = session.exec(request) => exec,
        _ = stop.asked() => return Sign::Unclear(said),
    };
    let exec = match exec {
        Ok(exec) => exec,
        Err(ExecError { .. }) => return Sign::Unclear(said),
    };
    // Nothing of it is told.
    let around = Surroundings { shown: false, ..cx.surroundings() };
    let limits = Limits { timeout: Some(PATIENCE), ..Limits::default() };
    let finished = command::watch(exec, around, limits, Exchange { opening, feed: None }).await;
    match finished.ended {
        _ if finished.begun => Sign::Mark,
        Ended::NotStarted(_) if finished.exit == Some(Exit::Status(0)) => Sign::Missing(said),
        // The profile's process holds the output open.
        Ended::Exited { exit: Exit::Status(0), rest: Rest::Cut(failure) }
            if failure.kind == Kind::ExecRefused =>
        {
            Sign::Missing(said)
        }
        Ended::NotStarted(_)
        | Ended::Exited { .. }
        | Ended::NoStatus
        | Ended::Lost(_)
        | Ended::Left
        | Ended::Stopped { .. } => Sign::Unclear(said),
    }
}
