//! A job: what its host is asked for, and what it means when the host has none.

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::model::outcome::{Failure, Kind};
use crate::model::shell::durable::{Follow, JobFound, JobShell, JobStart, SpoolPlace, SpoolRefusal};
use crate::model::shell::marks::Token;
use crate::model::text::ending;
use crate::ssh::{ExecRequest, Sent, Stdin};

/// Bytes of what a host said that a message repeats.
const LONGEST_SAID: usize = 400;

/// A command to be run apart from its connection.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) found: JobFound,
    pub(crate) title: String,
    pub(crate) shell: JobShell,
    pub(crate) line: String,
    /// What becomes of its input.
    pub(crate) stdin: Stdin,
    pub(crate) origin: JobOrigin,
}

/// Who has asked for a job before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JobOrigin {
    /// Nobody.
    New,
    /// Perhaps an earlier run, whose start may still be on its way.
    Asked,
    /// Whoever did, it was there, and has to be.
    Known,
}

/// What a host is asked for.
#[derive(Clone, Copy)]
pub(super) enum JobCall {
    /// The job: it starts unless it is there.
    Start,
    /// What is there.
    Follow,
    /// What is there; if nothing is, it is not to start any more.
    Withdraw,
}

/// The last line of what a host said.
pub(super) fn last_said(said: &[u8]) -> String {
    let said = String::from_utf8_lossy(said);
    ending(said.lines().last().unwrap_or_default().trim().as_bytes(), LONGEST_SAID)
}

/// The token of the marks of a job's command. Whoever follows the job has to know it, also when who started it is gone;
/// and it is nothing that is printed by chance.
pub(crate) fn job_token(name: &str) -> Token {
    let digest = Sha256::digest(format!("the marks of the job {name}"));
    Token::new(digest.iter().take(16).fold(0, |bits, byte| (bits << 8) | u128::from(*byte)))
}

pub(super) fn request(line: String) -> ExecRequest {
    ExecRequest { line: Bytes::from(line), stdin: Stdin::Open, terminal: false, sent: Sent::default() }
}

/// The line that asks for it.
pub(super) fn line(
    job: &Job,
    call: JobCall,
    token: &Token,
    first: &Token,
    from: [SpoolPlace; 2],
) -> Result<String, Failure> {
    let follow = Follow { job: &job.found, token: first, from };
    let line = match call {
        JobCall::Start => {
            let fed = job.stdin != Stdin::Closed;
            follow.start(&JobStart { token, title: &job.title, shell: job.shell, line: &job.line, fed })
        }
        JobCall::Follow => follow.line(),
        JobCall::Withdraw => follow.withdrawal(),
    };
    line.map_err(|error| Failure::new(Kind::Template, error.to_string()))
}

/// The failure of a job that is not there.
pub(super) fn refused(why: SpoolRefusal, said: &[u8]) -> Failure {
    let last = last_said(said);
    let told = if last.is_empty() { String::new() } else { format!(": {last}") };
    let failure = |kind, message: &str| Failure::new(kind, message);
    match why {
        SpoolRefusal::Home => failure(Kind::Spool, &format!("the folder for the output of durable commands cannot be made there{told}"))
            .hint("it is ~/.local/state/fan/jobs, or below XDG_STATE_HOME; `durable: false` does without"),
        SpoolRefusal::Owner => failure(Kind::Spool, "the folder for the output of durable commands belongs to somebody else there")
            .hint("it is ~/.local/state/fan/jobs, below XDG_STATE_HOME, or /var/tmp/fan-jobs-UID: remove it"),
        SpoolRefusal::Room => failure(Kind::Spool, &format!("no room for the output of the command there{told}"))
            .hint("is the disk full, or a quota reached? `fan jobs --clean` removes what is left of earlier ones"),
        SpoolRefusal::Many => failure(Kind::Spool, "more than 512 durable commands are kept there")
            .hint("`fan jobs` lists them, `fan jobs --clean` removes those that have ended"),
        SpoolRefusal::Gone => failure(Kind::JobLost, "what the host kept of the command is gone: how it ended is unknown"),
        SpoolRefusal::Rebooted => failure(Kind::JobLost, "the host was restarted while the command ran"),
        SpoolRefusal::Withdrawn => failure(Kind::ExecRefused, "the command was not started, and will not be"),
        SpoolRefusal::Running => failure(Kind::Declined, "it is still running").hint("--follow waits for its end"),
        SpoolRefusal::Vanished => failure(Kind::JobLost, "what kept the command on the host was killed: how it ended is unknown")
            .hint("does the host end all of a login's processes with it (`KillUserProcesses` of logind)? `loginctl enable-linger` lets them be"),
    }
}
