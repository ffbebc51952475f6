//! How a host or a step ended: statuses, the stable kinds of failure, exit codes of the whole run.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::model::words::words;

words! {
    /// How a host ended. Every selected host has exactly one.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    Status(|_| Status::Unknown) {
        /// Everything that was to run there ran, with exit status 0 where there was one.
        Ok = "ok",
        /// Something finished there, and not well.
        Failed = "failed",
        /// Nothing was started there: it could not be reached or would not let us in.
        Unreachable = "unreachable",
        /// Something was started and its outcome is not known.
        Unknown = "unknown",
        /// Ended by the user.
        Cancelled = "cancelled",
        /// Never started, or not continued, because of others.
        Skipped = "skipped",
    }
}

words! {
    /// How a step ended on one host.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    StepStatus(|_| StepStatus::Unknown) {
        /// Done; nothing on the host was changed by it.
        #[default]
        Ok = "ok",
        /// Done; the host was, or may have been, changed.
        Changed = "changed",
        /// Its condition was false.
        Skipped = "skipped",
        /// It failed and `warn_only` let the host go on.
        Warned = "warned",
        /// It failed.
        Failed = "failed",
        /// It started and its end was not seen.
        Unknown = "unknown",
        /// It was stopped by the user.
        Cancelled = "cancelled",
    }
}

words! {
    /// Why a host or step did not end well: stable words, documented in docs/exit-codes.md.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
    Kind(|word| Kind::Later(later(word))) {
        /// The name has no address, or the resolver said no.
        Dns = "dns",
        /// The port is closed.
        ConnectRefused = "connect_refused",
        /// No answer to the TCP connect within its deadline.
        ConnectTimeout = "connect_timeout",
        /// No route, or a firewall said no.
        ConnectUnreachable = "connect_unreachable",
        /// The connection broke before a session existed.
        ConnectReset = "connect_reset",
        /// The local command that was to be the connection could not be started, or failed.
        ProxyCommand = "proxy_command",
        /// The server turned the connection away because of too many (MaxStartups, PerSourcePenalties).
        Throttled = "throttled",
        /// What answered does not speak SSH, or said nothing in time.
        Banner = "banner",
        /// The server broke the SSH protocol.
        Protocol = "protocol",
        /// No common algorithms, or the key exchange did not end in time.
        Kex = "kex",
        /// The host's key is not recorded.
        HostKeyUnknown = "host_key_unknown",
        /// Another key than the recorded one, or only keys of other types are recorded.
        HostKeyChanged = "host_key_changed",
        /// The key is marked `@revoked`.
        HostKeyRevoked = "host_key_revoked",
        /// The file of known keys cannot be trusted or read.
        HostKeyStore = "host_key_store",
        /// Every credential was refused, or none was usable.
        AuthFailed = "auth_failed",
        /// The server ended the connection after too many attempts.
        AuthExhausted = "auth_exhausted",
        /// The login did not end within its deadline.
        AuthTimeout = "auth_timeout",
        /// A private key file cannot be used.
        KeyUnusable = "key_unusable",
        /// The SSH agent did not do its part.
        Agent = "agent",
        /// A gateway on the way cannot be used.
        Gateway = "gateway",
        /// The server refused to open a channel.
        ChannelRefused = "channel_refused",
        /// The server refused to start the command.
        ExecRefused = "exec_refused",
        /// The server did not open a channel, or did not answer the start of a command, within the deadline.
        SessionTimeout = "session_timeout",
        /// The host has no place to keep the output of a command that is to outlive the connection.
        Spool = "spool",
        /// What the host kept of such a command is gone, or the host was restarted.
        JobLost = "job_lost",
        /// The command ended with an exit status other than 0.
        Exit = "exit",
        /// The command was killed by a signal.
        Signal = "signal",
        /// The command's deadline expired.
        Timeout = "timeout",
        /// The command was silent for too long.
        Idle = "idle",
        /// The connection broke after something had started.
        ConnectionLost = "connection_lost",
        /// The host stopped answering keepalive requests.
        Keepalive = "keepalive",
        /// The server moves no files, not even through a command.
        SftpUnavailable = "sftp_unavailable",
        /// A path of the host is not what the step needs.
        RemotePath = "remote_path",
        /// The host does not allow it.
        RemotePermission = "remote_permission",
        /// The host's disk is full, or a quota is reached.
        RemoteDiskFull = "remote_disk_full",
        /// What arrived is not what was sent.
        VerifyFailed = "verify_failed",
        /// A host names a file in a way that would lead elsewhere.
        UnsafeName = "unsafe_name",
        /// More than a bound of fan's allows.
        Limit = "limit",
        /// The command that was to check a new file said no.
        Validation = "validation",
        /// sudo wants a password, and there is none.
        SudoPasswordMissing = "sudo_password_missing",
        /// sudo did not take the password.
        SudoPasswordWrong = "sudo_password_wrong",
        /// The user may not use sudo, or there is none.
        SudoDenied = "sudo_denied",
        /// sudo wants a terminal.
        SudoTtyRequired = "sudo_tty_required",
        /// An `assert` step was false.
        Assert = "assert",
        /// An `until` never came true.
        Until = "until",
        /// A `fail` step said so.
        Fail = "fail",
        /// A template or expression could not be evaluated.
        Template = "template",
        /// A local command could not be started, or a local file not written.
        LocalIo = "local_io",
        /// This machine's limits (open files, processes) are exhausted.
        LocalLimits = "local_limits",
        /// The user was asked, and said no.
        Declined = "declined",
        /// The user stopped the run.
        Interrupted = "interrupted",
        /// A lock is held by another run, cannot be taken, or was lost.
        Locked = "locked",
        /// Not run because something before it failed.
        Dependency = "dependency",
        /// The `--where` of the command line is false there.
        Where = "where",
        /// In a dry run: it needs a value that only the run itself will have. Its step is skipped, and nothing fails.
        NotKnown = "not_known",
        /// A bug in fan.
        Internal = "internal",
    }
    /// A word of a later version, in a recorded run.
    and Later
}

/// Words of later versions that are kept as they are, and letters of one.
const LATER_MAX: usize = 64;

/// Keeps the word of a kind that this version does not know. It may come from a file that anyone wrote: of what is no word,
/// or comes after too many others, nothing is kept.
fn later(word: &str) -> &'static str {
    static SEEN: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    match seen.get(word) {
        Some(&word) => word,
        None if seen.len() < LATER_MAX
            && (1..=LATER_MAX).contains(&word.len())
            && word.chars().all(is_word) =>
        {
            let word: &'static str = Box::leak(word.into());
            seen.insert(word);
            word
        }
        None => "other",
    }
}

impl Kind {
    /// Whether it is a host-key alarm, which decides the exit code of the run.
    pub fn is_host_key_alarm(self) -> bool {
        matches!(self, Self::HostKeyChanged | Self::HostKeyRevoked)
    }

    /// Whether the connection, or the server at its end, is of no more use.
    pub fn is_loss(self) -> bool {
        matches!(self, Self::ConnectionLost | Self::Keepalive | Self::Protocol)
    }
}

/// What went wrong, for a person: [`message`](Self::message) and, on a line of its own, what to do.
///
/// Whoever passes it on adds what they know, as context; it is worded when it is told, and only there. In a recorded run
/// it is what was told.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "ToldFailure", into = "ToldFailure")]
pub struct Failure {
    /// The stable word.
    pub kind: Kind,
    /// What happened: a lowercase fragment without the host's name. May hold text from the host: sanitise before printing.
    pub cause: Box<str>,
    /// What else is known of it, in the order in which it was added.
    pub context: Box<[FailureContext]>,
    /// What to type or look at next.
    pub hint: Option<String>,
}

/// What is known of a failure besides its cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FailureContext {
    /// What it is about, or what was to be done: `gateway bastion: connection refused`.
    About(String),
    /// Where: `connection refused (10.0.0.1:22)`.
    At(String),
    /// In which way: `connection refused, after 3 attempts`.
    With(String),
    /// What came of it, or was said with it: `connection lost; it may still be running there`.
    And(String),
}

/// A failure as it is told.
#[derive(Serialize, Deserialize)]
struct ToldFailure {
    kind: Kind,
    message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

impl From<Failure> for ToldFailure {
    fn from(failure: Failure) -> Self {
        Self { kind: failure.kind, message: failure.message(), hint: failure.hint }
    }
}

impl From<ToldFailure> for Failure {
    fn from(told: ToldFailure) -> Self {
        Self { hint: told.hint, ..Self::new(told.kind, told.message) }
    }
}

/// Failures are the same that are told alike.
impl PartialEq for Failure {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind && self.hint == other.hint && self.message() == other.message()
    }
}

impl Eq for Failure {}

impl Failure {
    /// A failure without context and hint.
    pub fn new(kind: Kind, cause: impl Into<String>) -> Self {
        let cause: String = cause.into();
        Self { kind, cause: cause.into(), context: Box::default(), hint: None }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds what it is about; see [`FailureContext::About`].
    #[must_use]
    pub fn about(self, what: impl Into<String>) -> Self {
        self.in_context(FailureContext::About(what.into()))
    }

    /// Adds where it happened; see [`FailureContext::At`].
    #[must_use]
    pub fn at(self, place: impl Into<String>) -> Self {
        self.in_context(FailureContext::At(place.into()))
    }

    /// Adds how it came about; see [`FailureContext::With`].
    #[must_use]
    pub fn with(self, how: impl Into<String>) -> Self {
        self.in_context(FailureContext::With(how.into()))
    }

    /// Adds what else there is to say; see [`FailureContext::And`].
    #[must_use]
    pub fn and(self, more: impl Into<String>) -> Self {
        self.in_context(FailureContext::And(more.into()))
    }

    /// Adds what is known of it.
    #[must_use]
    pub fn in_context(mut self, context: FailureContext) -> Self {
        let mut all = self.context.into_vec();
        all.push(context);
        self.context = all.into();
        self
    }

    /// The same as a failure of another kind, as which others see it. Host-key alarms stay alarms.
    #[must_use]
    pub fn seen_as(mut self, kind: Kind) -> Self {
        if !self.kind.is_host_key_alarm() {
            self.kind = kind;
        }
        self
    }

    /// All that is known of it, in one phrase.
    pub fn message(&self) -> String {
        self.context.iter().fold(self.cause.to_string(), |told, context| match context {
            FailureContext::About(what) => format!("{what}: {told}"),
            FailureContext::At(place) => format!("{told} ({place})"),
            FailureContext::With(how) => format!("{told}, {how}"),
            FailureContext::And(more) => format!("{told}; {more}"),
        })
    }
}

/// How a command ended on the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// With an exit status (RFC 4254 section 6.10).
    Status(u32),
    /// By a signal, without the `SIG` prefix: `KILL`.
    Signal(String),
}

/// The exit code of the process. docs/exit-codes.md holds the same table; a test compares them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitCode {
    /// All ok.
    Ok,
    /// A host failed, or its outcome is unknown, after something had started there.
    Failed,
    /// Bad usage or input; nothing was contacted.
    Input,
    /// Hosts were not reached and nothing was started on them: safe to run again.
    Unreachable,
    /// Host-key alarm (changed, revoked, other type).
    HostKeyAlarm,
    /// Local input or output failed.
    LocalIo,
    /// Hosts are not alike, or not as they would be.
    Differs,
    /// A bug in fan.
    Bug,
    /// Ended by SIGHUP.
    Hangup,
    /// Ended by SIGINT.
    Interrupted,
    /// Ended by SIGTERM.
    Terminated,
}

impl ExitCode {
    /// All of them, ascending.
    pub const ALL: &'static [Self] = &[
        Self::Ok,
        Self::Failed,
        Self::Input,
        Self::Unreachable,
        Self::HostKeyAlarm,
        Self::LocalIo,
        Self::Differs,
        Self::Bug,
        Self::Hangup,
        Self::Interrupted,
        Self::Terminated,
    ];

    /// The number that the process exits with.
    pub fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failed => 1,
            Self::Input => 2,
            Self::Unreachable => 3,
            Self::HostKeyAlarm => 4,
            Self::LocalIo => 5,
            Self::Differs => 10,
            Self::Bug => 70,
            Self::Hangup => 129,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }

    /// Its meaning, as the docs print it.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Ok => "all ok",
            Self::Failed => "a host failed, or its outcome is unknown, after something had started there",
            Self::Input => "bad usage or input: nothing was contacted",
            Self::Unreachable => "hosts were not reached and nothing was started on them: safe to run again",
            Self::HostKeyAlarm => "host-key alarm (changed, revoked, other type): wins over 1 and 3",
            Self::LocalIo => "local I/O (report, download disk), or a report that was not delivered",
            Self::Differs => "hosts differ (`fan diff`), or would be changed (`--dry-run --exit-code`)",
            Self::Bug => "a bug in fan",
            Self::Hangup => "ended by HUP",
            Self::Interrupted => "ended by INT (Ctrl-C)",
            Self::Terminated => "ended by TERM",
        }
    }
}

words! {
    /// Why a run is being stopped. Ordered by urgency: a later, more urgent reason replaces an earlier one.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
    CancelReason(|_| CancelReason::Terminate) {
        /// The user cancelled one host, and not the run.
        User = "user",
        /// SIGHUP: the terminal went away.
        Hangup = "hangup",
        /// SIGTERM.
        Terminate = "terminate",
        /// SIGINT: Ctrl-C.
        Interrupt = "interrupt",
    }
}

impl CancelReason {
    /// The exit code of a run that ended for this reason.
    pub fn exit_code(self) -> ExitCode {
        match self {
            Self::Hangup => ExitCode::Hangup,
            Self::Terminate => ExitCode::Terminated,
            Self::User | Self::Interrupt => ExitCode::Interrupted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_worded_once_and_read_back_as_it_was_told() {
        let failure = Failure::new(Kind::ConnectRefused, "connection refused")
            .about("gateway bastion")
            .at("10.0.0.1:22")
            .with("after 3 attempts")
            .and("the server says: go away")
            .hint("look");
        let message =
            "gateway bastion: connection refused (10.0.0.1:22), after 3 attempts; the server says: go away";
        assert_eq!(failure.message(), message);
        let text = serde_json::to_string(&failure).unwrap();
        assert_eq!(text, format!(r#"{{"kind":"connect_refused","message":"{message}","hint":"look"}}"#));
        let told: Failure = serde_json::from_str(&text).unwrap();
        assert_eq!(told, failure);
        assert_ne!(told, failure.clone().and("twice"));
        assert_eq!(failure.seen_as(Kind::Gateway).kind, Kind::Gateway);
        let alarm = Failure::new(Kind::HostKeyChanged, "another key");
        assert_eq!(alarm.seen_as(Kind::Gateway).kind, Kind::HostKeyChanged);
    }
}
