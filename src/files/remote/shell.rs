//! A POSIX shell on the host that does small jobs one after the other over one channel: no channel and no login for
//! each of them. It speaks for the login user, or for another user.
//!
//! Its scripts are ours and its output is taken apart by a marker that nobody can guess. What a login prints before
//! the first marker is passed over.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::sync::Mutex;

use crate::files::remote::privilege::{RemotePrivilege, no_shell};
use crate::files::remote::script::Script;
use crate::files::remote::search::Search;
use crate::model::outcome::{Failure, Kind};
use crate::model::text::beginning;
use crate::ssh::pipe::{PipeReader, PipeWriter};
use crate::ssh::{ChannelClaim, ExecEvent, Session};

/// Output of one job that is read, in bytes.
const MAX_OUTPUT: usize = 16 * 1024 * 1024;

/// How long the shell may take to begin.
const START: Duration = Duration::from_secs(30);

/// How long nothing is thought of its silence.
const LOOK: Duration = Duration::from_secs(4);

/// What a refusal quotes of what the shell said instead, in bytes.
const MAX_SAID: usize = 200;

/// A shell that waits for jobs.
pub struct Shell {
    writer: PipeWriter,
    reading: Mutex<JobReading>,
    marker: String,
    /// Where it began.
    folder: Bytes,
    /// What each job begins with.
    before: Vec<u8>,
}

struct JobReading {
    reader: PipeReader,
    buffer: BytesMut,
    /// Number of the last job that was sent.
    job: u64,
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobEnd {
    /// Its exit status.
    pub status: u32,
    /// What it printed, on both streams.
    pub output: Bytes,
}

impl JobEnd {
    /// The first line of what it printed, for messages.
    pub fn said(&self) -> String {
        said(&self.output)
    }
}

impl Shell {
    /// Starts a shell that speaks for the login user or for another user.
    ///
    /// # Errors
    ///
    /// There is none: the account is restricted, sudo says no, or the connection is gone.
    pub async fn start<S: Session>(
        session: &S,
        privilege: &RemotePrivilege,
        claim: ChannelClaim,
    ) -> Result<Self, Failure> {
        if let Some(shell) = Self::begin(session, privilege, claim, Some(LOOK)).await? {
            return Ok(shell);
        }
        // The login is slow, and took the end of its input for the end of its work.
        let shell = Self::begin(session, privilege, claim, None).await?;
        shell.ok_or_else(|| no_shell(""))
    }

    /// Starts a shell. After the time to look its input is closed, which ends whatever reads there in the place of a
    /// shell of ours, and so shows it; gives none when it was a shell of ours after all.
    async fn begin<S: Session>(
        session: &S,
        privilege: &RemotePrivilege,
        claim: ChannelClaim,
        look: Option<Duration>,
    ) -> Result<Option<Self>, Failure> {
        let marker = format!("fan-{:032x}", rand::random::<u128>());
        let pipe = privilege.shell(session, &marker, claim).await?;
        let proof = format!("[ \"$FAN_SHELL\" = {marker} ] && {{ pwd -P || :; }}");
        let mut shell = Self {
            writer: pipe.writer,
            reading: Mutex::new(JobReading { reader: pipe.reader, buffer: BytesMut::new(), job: 0 }),
            marker,
            folder: Bytes::new(),
            before: Vec::new(),
        };
        let (begun, let_go) = {
            let beginning = shell.run(proof, START);
            tokio::pin!(beginning);
            let looking = async {
                match look {
                    Some(look) => tokio::time::sleep(look).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                begun = &mut beginning => (begun, false),
                () = looking => {
                    shell.writer.end().await;
                    (beginning.await, true)
                }
            }
        };
        let begun = begun.map_err(|failure| match failure.kind {
            Kind::Timeout => {
                let message = format!("the host's shell did not start within {} s", START.as_secs());
                let hint = "does a profile (.bashrc) wait for something, or replace the shell?";
                Failure::new(Kind::ExecRefused, message).hint(hint)
            }
            _ => failure,
        })?;
        if begun.status != 0 {
            return Err(no_shell(&begun.said()).hint("does a profile (.bashrc) replace the login shell?"));
        }
        shell.folder = begun.output.slice(..begun.output.len() - usize::from(begun.output.ends_with(b"\n")));
        Ok((!let_go).then_some(shell))
    }

    /// The folder in which it began, without links in its path.
    pub fn folder(&self) -> &Bytes {
        &self.folder
    }

    /// Has all jobs begin in another folder.
    pub fn work_in(&mut self, folder: impl AsRef<[u8]>) {
        self.before = Script::new("cd").path(folder.as_ref()).text("|| exit 1\n").bytes().to_vec();
    }

    /// Runs a script and waits for its end. Its input is empty, and it cannot change the shell itself.
    ///
    /// # Errors
    ///
    /// The shell is gone, took longer than the deadline, or printed more than 16 MiB. A script that fails is no error.
    pub async fn run(&self, script: impl AsRef<[u8]>, deadline: Duration) -> Result<JobEnd, Failure> {
        let mut reading = self.reading.lock().await;
        reading.job += 1;
        let marker = format!("{} {}", self.marker, reading.job);
        let end = format!("\n) </dev/null 2>&1\nprintf '\\n%s %s\\n' '{marker}' \"$?\"\n");
        let job = [b"(\n:\n", &self.before[..], script.as_ref(), end.as_bytes()].concat();
        let work = async {
            // A script longer than what the shell reads ahead is written while its output is read. A shell that
            // takes nothing is gone or never came, and its reader knows why.
            let sending = self.writer.send(Bytes::from(job));
            let reading = self.read(&mut reading, &marker);
            tokio::pin!(sending, reading);
            tokio::select! {
                biased;
                end = &mut reading => end,
                _ = &mut sending => reading.await,
            }
        };
        tokio::time::timeout(deadline, work).await.unwrap_or_else(|_| {
            let message = format!("the host's shell did not answer within {} s", deadline.as_secs_f64());
            Err(Failure::new(Kind::Timeout, message))
        })
    }

    async fn read(&self, reading: &mut JobReading, marker: &str) -> Result<JobEnd, Failure> {
        let mut mark = JobMark::new(format!("\n{marker} "));
        let mut stderr = BytesMut::new();
        loop {
            if let Some(end) = mark.take_job(&mut reading.buffer) {
                return Ok(end);
            }
            match reading.reader.next().await {
                ExecEvent::Stdout(data) => {
                    if reading.buffer.len() + data.len() > MAX_OUTPUT {
                        return Err(Failure::new(Kind::Limit, "the host's shell printed more than 16 MiB"));
                    }
                    reading.buffer.extend_from_slice(&data);
                }
                ExecEvent::Stderr(data) => {
                    if stderr.len() < MAX_SAID {
                        stderr.extend_from_slice(&data);
                    }
                }
                ExecEvent::Exit(_) => {}
                ExecEvent::Closed => {
                    stderr.extend_from_slice(&reading.buffer);
                    return Err(no_shell(&said(&stderr)));
                }
                ExecEvent::Lost(failure) => return Err(failure),
            }
        }
    }

    /// Ends the shell.
    pub async fn end(&self) {
        self.writer.end().await;
        self.writer.close().await;
    }
}

/// The line behind a job's output, which tells its status.
struct JobMark {
    begin: Search,
    end: Search,
}

impl JobMark {
    fn new(text: String) -> Self {
        Self { begin: Search::new(text), end: Search::new("\n") }
    }

    /// Cuts the job's output and status off the buffer, once the line is whole.
    fn take_job(&mut self, buffer: &mut BytesMut) -> Option<JobEnd> {
        let (at, behind) = self.begin.find(buffer)?;
        let (end, _) = self.end.find(buffer.get(behind..)?)?;
        let status = buffer.get(behind..behind + end)?;
        let status = std::str::from_utf8(status).ok().and_then(|text| text.parse().ok()).unwrap_or(u32::MAX);
        let output = buffer.split_to(at).freeze();
        let _ = buffer.split_to(behind - at + end + 1);
        Some(JobEnd { status, output })
    }
}

fn said(output: &[u8]) -> String {
    beginning(output, MAX_SAID).trim().lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ssh::local::LocalSession;
    use crate::ssh::pipe::{Pipe, Program};
    use crate::ssh::{ExecError, ExecRequest};

    const SOON: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn jobs_come_back_with_output_and_status() {
        let shell = Shell::start(&LocalSession, &RemotePrivilege::Login, ChannelClaim::Alone).await.unwrap();
        let end = shell.run("printf 'a\\0b\\n\\n'; echo err >&2; exit 3", SOON).await.unwrap();
        assert_eq!((end.status, &end.output[..]), (3, &b"a\0b\n\nerr\n"[..]));
        let end = shell.run("cat; cd /; x=1", SOON).await.unwrap();
        assert_eq!((end.status, &end.output[..]), (0, &b""[..]));
        assert_eq!(shell.folder(), std::env::current_dir().unwrap().as_os_str().as_encoded_bytes());
        let end = shell.run("echo \"$x\" $(pwd | grep -c '^/$')", SOON).await.unwrap();
        assert_eq!(&end.output[..], b" 0\n");
        shell.end().await;
    }

    #[tokio::test]
    async fn a_long_script_and_a_long_answer_do_not_wait_for_each_other() {
        let shell = Shell::start(&LocalSession, &RemotePrivilege::Login, ChannelClaim::Alone).await.unwrap();
        let script = "echo 0123456789012345678901234567890123456789\n".repeat(20_000);
        let end = shell.run(&script, SOON).await.unwrap();
        assert_eq!(end.output.len(), 41 * 20_000);
    }

    #[tokio::test]
    async fn a_job_that_takes_too_long_is_given_up_and_the_next_is_not_confused() {
        let shell = Shell::start(&LocalSession, &RemotePrivilege::Login, ChannelClaim::Alone).await.unwrap();
        let late = shell.run("sleep 0.3; echo late", Duration::from_millis(50)).await.unwrap_err();
        assert_eq!(late.kind, Kind::Timeout);
        let end = shell.run("echo next", SOON).await.unwrap();
        assert!(end.output.ends_with(b"next\n"), "{end:?}");
    }

    /// This machine, where a line is run after this one.
    struct Behind(&'static str);

    impl Session for Behind {
        type Exec = <LocalSession as Session>::Exec;

        async fn exec(&self, request: ExecRequest) -> Result<Self::Exec, ExecError> {
            LocalSession.exec(request).await
        }

        async fn pipe(&self, program: Program) -> Result<Pipe, ExecError> {
            let Program::Line(line) = program else { panic!("{program:?}") };
            let line = [self.0.as_bytes(), b"\n", &line].concat();
            LocalSession.pipe(Program::Line(line.into())).await
        }

        async fn close(&self) {}
    }

    #[tokio::test]
    async fn what_stands_in_the_place_of_the_login_shell_is_no_shell_for_jobs() {
        for instead in ["exec bash", "exec cat", "exec cat >/dev/null", "exit 0", "exec fish", "exec tcsh"] {
            let refused =
                Shell::start(&Behind(instead), &RemotePrivilege::Login, ChannelClaim::Alone).await.err();
            assert_eq!(refused.map(|failure| failure.kind), Some(Kind::ExecRefused), "{instead}");
        }
    }

    #[tokio::test]
    async fn a_slow_login_is_waited_for() {
        let slow = Behind("i=0; while [ $i -lt 50 ]; do sleep 0.1; i=$((i+1)); done");
        let shell = Shell::start(&slow, &RemotePrivilege::Login, ChannelClaim::Alone).await.unwrap();
        assert_eq!(&shell.run("echo on", SOON).await.unwrap().output[..], b"on\n");
    }

    #[tokio::test]
    async fn a_shell_that_dies_says_so() {
        let shell = Shell::start(&LocalSession, &RemotePrivilege::Login, ChannelClaim::Alone).await.unwrap();
        let gone = shell.run("kill -9 $$", SOON).await.unwrap_err();
        assert_eq!(gone.kind, Kind::ExecRefused);
    }
}
