//! Reads a secret from where it is kept: the environment, a file, a command. Says what is wrong without showing any of
//! it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Pid;
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};
use zeroize::Zeroizing;

use crate::cli::leaving::{self, LookedAfter, Thing};
use crate::model::position::Diagnostic;
use crate::model::secret::{Secret, SecretSource};
use crate::ssh::keys::read_private;

/// How long a command may take to print a secret.
pub(super) const COMMAND_LIMIT: Duration = Duration::from_secs(30);

/// Bytes of a secret's file, and of what a command prints.
const MAX_SECRET: u64 = 64 * 1024;

/// What a secret is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose<'a> {
    /// A login: it is the first line of what is read.
    Password,
    /// Templates, under this name: it is all that is read, without line ends behind it, as with `$(...)`.
    Named(&'a str),
}

impl Purpose<'_> {
    /// Whose source something is.
    pub(super) fn owner(self) -> String {
        match self {
            Self::Password => "the password's".to_owned(),
            Self::Named(name) => format!("secret \"{name}\": its"),
        }
    }

    /// The secret in what was read; `from` says where that was.
    fn take(self, text: &str, from: impl FnOnce() -> String) -> Result<Secret, Diagnostic> {
        let (secret, empty) = match self {
            Self::Password => (text.lines().next().unwrap_or_default(), "its first line is empty"),
            Self::Named(_) => (text.trim_end_matches(['\n', '\r']), "it is empty"),
        };
        if !secret.is_empty() && !secret.contains('\0') {
            return Ok(Secret::new(secret));
        }
        let why = if secret.is_empty() { empty } else { "it holds a NUL" };
        Err(Diagnostic::bare(match self {
            Self::Password => format!("{}: no password in it: {why}", from()),
            Self::Named(name) => format!("secret \"{name}\": {}: {why}", from()),
        }))
    }
}

/// Reads a secret that is there already.
pub(super) fn read_now(source: &SecretSource, purpose: Purpose<'_>) -> Result<Secret, Diagnostic> {
    match source {
        SecretSource::Env(name) => {
            let value = env::var(name).map(Zeroizing::new).map_err(|error| {
                let what = match error {
                    env::VarError::NotPresent => "is not set",
                    env::VarError::NotUnicode(_) => "is not UTF-8",
                };
                Diagnostic::bare(format!("{} environment variable {name} {what}", purpose.owner()))
                    .help(format!("export {name} first, or use another source"))
            })?;
            purpose.take(&value, || format!("the environment variable {name}"))
        }
        SecretSource::File(path) => {
            let path = expanded(path);
            let text = read_private(&path, MAX_SECRET).map_err(|refusal| {
                let (message, hint) = match purpose {
                    Purpose::Password => {
                        let (message, hint) = refusal.explain("the password file");
                        (format!("{}: {message}", path.display()), hint)
                    }
                    Purpose::Named(name) => {
                        let (message, hint) = refusal.explain("the file");
                        (format!("secret \"{name}\": {}: {message}", path.display()), hint)
                    }
                };
                let mut problem = Diagnostic::bare(message);
                problem.help = hint;
                problem
            })?;
            purpose.take(&text, || path.display().to_string())
        }
        SecretSource::Written(secret) => Ok(secret.clone()),
        SecretSource::Command(_) | SecretSource::Prompt(_) => {
            Err(Diagnostic::bare("this secret must not be read"))
        }
    }
}

/// A path with `~/` expanded, as in all settings.
fn expanded(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), env::var_os("HOME")) {
        (Some(rest), Some(home)) => Path::new(&home).join(rest),
        _ => PathBuf::from(path),
    }
}

/// Runs a command for what it prints. It may ask on the terminal; its input is empty.
pub(super) async fn run(line: &str, purpose: Purpose<'_>, limit: Duration) -> Result<Secret, Diagnostic> {
    let shown = || match purpose {
        Purpose::Password => format!("{} command {line:?}", purpose.owner()),
        // Its name and place say enough.
        Purpose::Named(_) => format!("{} command", purpose.owner()),
    };
    let failed = |what: String| {
        Diagnostic::bare(format!("{} {what}", shown())).help(match purpose {
            Purpose::Password => "try it in a shell: its first line is the password",
            Purpose::Named(_) => "try it in a shell: what it prints is the secret",
        })
    };
    let running = async {
        let mut command = Command::new("sh");
        command.arg("-c").arg(line).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut running = RunningProgram::start(command.kill_on_drop(true))?;
        let child = &mut running.child;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let (stdout, stderr) = tokio::join!(drain(stdout), drain(stderr));
        Ok::<_, std::io::Error>((child.wait().await?, stdout, stderr))
    };
    let (status, stdout, stderr) = match tokio::time::timeout(limit, running).await {
        Ok(Ok(ended)) => ended,
        Ok(Err(error)) => return Err(failed(format!("cannot be run: {error}"))),
        Err(_) => return Err(failed(format!("did not end within {} s", limit.as_secs_f64()))),
    };
    if !status.success() {
        // What it prints may be the secret; what it complains about is not.
        let complaint = String::from_utf8_lossy(&stderr);
        let complaint = complaint.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
        let complaint: String = complaint.trim().chars().take(200).collect();
        let because = if complaint.is_empty() { String::new() } else { format!(": {complaint}") };
        return Err(failed(format!("failed ({status}){because}")));
    }
    let text =
        std::str::from_utf8(&stdout).map_err(|_| failed("printed something that is not UTF-8".to_owned()))?;
    purpose.take(text, || match purpose {
        Purpose::Password => shown(),
        Purpose::Named(_) => "what its command prints".to_owned(),
    })
}

/// A command that ends with fan, and with the wait for it, and all that it started with it.
///
/// It is in fan's own process group, or it could not ask on the terminal.
struct RunningProgram {
    child: Child,
    pid: Option<Pid>,
    _looked_after: LookedAfter,
}

impl RunningProgram {
    fn start(command: &mut Command) -> std::io::Result<Self> {
        let ((child, pid), _looked_after) = leaving::look_after_begun(|| {
            let child = command.spawn()?;
            let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
            Ok(((child, pid), pid.map(Thing::Program)))
        })?;
        Ok(Self { child, pid, _looked_after })
    }
}

impl Drop for RunningProgram {
    fn drop(&mut self) {
        // One that was waited for has no number any more.
        if let (Some(pid), Some(_)) = (self.pid, self.child.id()) {
            leaving::end_program(pid);
        }
    }
}

/// Reads a stream to its end and keeps its beginning.
async fn drain(stream: Option<impl tokio::io::AsyncRead + Unpin>) -> Zeroizing<Vec<u8>> {
    let mut kept = Zeroizing::new(Vec::new());
    if let Some(mut stream) = stream {
        // A stream that breaks is at its end.
        let _ = (&mut stream).take(MAX_SECRET).read_to_end(&mut kept).await;
        let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
    }
    kept
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const NAMED: Purpose<'_> = Purpose::Named("token");

    #[test]
    fn a_password_is_the_first_line_of_a_file_of_one_s_own_and_another_secret_all_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        let source = SecretSource::File(path.display().to_string());
        let read = |content: &str, mode, purpose| {
            fs::write(&path, content).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            read_now(&source, purpose)
                .map(|secret| secret.reveal().to_owned())
                .map_err(|problem| problem.message.replace(&path.display().to_string(), "FILE"))
        };
        let password = Purpose::Password;
        assert_eq!(read("hunter2\r\nsecond\n", 0o600, password).unwrap(), "hunter2");
        assert_eq!(read(" with spaces ", 0o400, password).unwrap(), " with spaces ");
        assert_eq!(read("hunter2\nsecond\r\n\n", 0o600, NAMED).unwrap(), "hunter2\nsecond");
        assert_eq!(read("\n\nhunter2 ", 0o600, NAMED).unwrap(), "\n\nhunter2 ");
        for (content, mode, purpose, expected) in [
            ("\nhunter2", 0o600, password, "FILE: no password in it: its first line is empty"),
            ("\n\n", 0o600, NAMED, "secret \"token\": FILE: it is empty"),
            ("hunter2\0", 0o600, NAMED, "secret \"token\": FILE: it holds a NUL"),
            ("hunter2", 0o644, password, "FILE: the password file is readable by others (mode 0644)"),
            ("hunter2", 0o640, NAMED, "secret \"token\": FILE: the file is readable by others (mode 0640)"),
        ] {
            assert_eq!(read(content, mode, purpose).unwrap_err(), expected);
        }
        let missing = SecretSource::Env("FAN_TEST_THIS_IS_NOT_SET".to_owned());
        let said = |purpose| read_now(&missing, purpose).unwrap_err().message;
        assert_eq!(said(password), "the password's environment variable FAN_TEST_THIS_IS_NOT_SET is not set");
        assert_eq!(
            said(NAMED),
            "secret \"token\": its environment variable FAN_TEST_THIS_IS_NOT_SET is not set"
        );
    }

    #[tokio::test]
    async fn a_password_is_the_first_line_that_a_command_prints_and_another_secret_all_of_it() {
        let limit = Duration::from_secs(20);
        let password = Purpose::Password;
        let script = "printf 'hunter2\\nsecond\\n'";
        assert_eq!(run(script, password, limit).await.unwrap().reveal(), "hunter2");
        assert_eq!(run(script, NAMED, limit).await.unwrap().reveal(), "hunter2\nsecond");
        let script = "echo hunter2; echo 'no such entry' >&2; exit 3";
        let failed = run(script, password, limit).await.unwrap_err();
        assert!(failed.message.ends_with("failed (exit status: 3): no such entry"), "{}", failed.message);
        let failed = run(script, NAMED, limit).await.unwrap_err();
        assert_eq!(failed.message, "secret \"token\": its command failed (exit status: 3): no such entry");
        let silent = run("true", password, limit).await.unwrap_err();
        assert!(silent.message.ends_with("no password in it: its first line is empty"), "{}", silent.message);
        let silent = run("true", NAMED, limit).await.unwrap_err();
        assert_eq!(silent.message, "secret \"token\": what its command prints: it is empty");
        let slow = run("sleep 60", NAMED, Duration::from_millis(50)).await.unwrap_err();
        assert_eq!(slow.message, "secret \"token\": its command did not end within 0.05 s");
    }
}
