//! What the tests share: the binary in a world of its own, what it did, and the real `ssh`.
#![allow(dead_code, reason = "a fixture is whole, whatever its tests happen to use today")]

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use fan::testing::event::recap::Recap;
use fan::testing::event::{Event, Fact, RunFact};
use fan::testing::sandbox::{Behaviour, HostSpec, Sandbox};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::sshd::Sshd;
use crate::stable::stable;

/// How long anything may take before it is a failure: far beyond what a busy machine needs.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// How often a condition is looked at again.
const POLL: Duration = Duration::from_millis(5);

/// Looks again and again until there is something to see; panics with what was awaited at the deadline.
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(start.elapsed() < DEADLINE, "not within {DEADLINE:?}: {what}");
        std::thread::sleep(POLL);
    }
}

/// How far the next deadline of fan's must lie behind the one under test: more than a busy machine is late by.
const ROOM: Duration = Duration::from_secs(3);

/// Time since something began, to tell which of two deadlines of fan's held. Not how fast anything is: the machine may
/// be busy with something else.
pub struct Since(Instant);

impl Since {
    pub fn now() -> Self {
        Self(Instant::now())
    }

    /// Panics when a deadline was not waited for.
    pub fn assert_waited(&self, due: Duration) {
        let took = self.0.elapsed();
        assert!(took >= due, "{due:?} should have been waited for: it took {took:?}");
    }

    /// Panics when not the deadline `due` ended it, but `next`, which is the one after it.
    pub fn assert_ended_by(&self, due: Duration, next: Duration) {
        assert!(
            due + ROOM <= next,
            "a busy machine cannot tell {due:?} from {next:?}: count something instead"
        );
        let took = self.0.elapsed();
        assert!(took < next, "{due:?} should have ended it, not {next:?}: it took {took:?}");
    }
}

/// The binary, in an empty home and an empty folder, with nothing of this process's environment but `PATH`.
pub struct Fan {
    folder: Arc<TempDir>,
    env: Vec<(String, String)>,
    stdin: Vec<u8>,
    hidden: Vec<(String, String)>,
    deadline: Duration,
    has_home: bool,
    wrapper: Vec<String>,
    stdout: Option<PathBuf>,
}

impl Fan {
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("fan-test-").tempdir().unwrap();
        std::fs::create_dir(folder.path().join("home")).unwrap();
        std::fs::create_dir(folder.path().join("work")).unwrap();
        Self {
            folder: Arc::new(folder),
            env: Vec::new(),
            stdin: Vec::new(),
            hidden: Vec::new(),
            deadline: DEADLINE,
            has_home: true,
            wrapper: Vec::new(),
            stdout: None,
        }
    }

    /// The binary with an inventory of a sandbox's hosts.
    pub fn of(sandbox: &Sandbox) -> Self {
        let folder = sandbox.identity().parent().unwrap().display();
        Self::new().hide(folder, "<sandbox>").file("inventory.yaml", sandbox_inventory(sandbox))
    }

    /// The binary with an inventory of all the addresses of a real server.
    pub fn at(sshd: &Sshd) -> Self {
        let fan = Self::new().file("inventory.yaml", sshd.inventory_yaml(sshd.addresses().len()));
        sshd.hidden().into_iter().fold(fan, |fan, (text, name)| fan.hide(text, name))
    }

    /// `HOME` of the binary.
    pub fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// The working folder of the binary.
    pub fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    /// Writes a file, with its folders, under the working folder.
    pub fn file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        let path = self.work().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
        self
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// Shows `text` as `name` in snapshots.
    pub fn hide(mut self, text: impl ToString, name: &str) -> Self {
        self.hidden.push((text.to_string(), name.to_owned()));
        self
    }

    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Takes `HOME` away.
    pub fn homeless(mut self) -> Self {
        self.has_home = false;
        self
    }

    /// Starts the binary through another program, which gets it and its arguments behind its own.
    pub fn under(mut self, wrapper: &[&str]) -> Self {
        self.wrapper = wrapper.iter().map(ToString::to_string).collect();
        self
    }

    /// Starts the binary through a shell script, in which it and its arguments are `"$@"`.
    pub fn in_script(self, script: &str) -> Self {
        self.under(&["sh", "-c", script, "sh"])
    }

    /// Sends standard output to a file instead of to the test.
    pub fn stdout_to(mut self, path: impl Into<PathBuf>) -> Self {
        self.stdout = Some(path.into());
        self
    }

    /// Runs the binary to its end. In an async test, the test must be of the `multi_thread` flavour.
    pub fn run<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Ran {
        self.start(args).finish()
    }

    /// Starts the binary.
    pub fn start<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Started {
        let mut words: Vec<&OsStr> = self.wrapper.iter().map(OsStr::new).collect();
        words.push(OsStr::new(env!("CARGO_BIN_EXE_fan")));
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).args(args).current_dir(self.work()).env_clear();
        if self.has_home {
            command.env("HOME", self.home());
        }
        command.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::piped()).stderr(Stdio::piped());
        command.stdout(match &self.stdout {
            None => Stdio::piped(),
            Some(path) => Stdio::from(std::fs::OpenOptions::new().write(true).open(path).unwrap()),
        });
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = self.stdin.clone();
        // It may end without having read all of it.
        std::thread::spawn(move || drop(stdin.write_all(&input)));
        let folder = self.folder.path().display().to_string();
        let mut hidden = self.hidden.clone();
        hidden.push((format!("{folder}/work"), "<work>".to_owned()));
        hidden.push((format!("{folder}/home"), "<home>".to_owned()));
        Started {
            stdout: child.stdout.take().map(collect).unwrap_or_default(),
            stderr: collect(child.stderr.take().unwrap()),
            child,
            hidden,
            deadline: self.deadline,
            _folder: Arc::clone(&self.folder),
        }
    }
}

/// The running binary.
pub struct Started {
    child: Child,
    stdout: Collected,
    stderr: Collected,
    hidden: Vec<(String, String)>,
    deadline: Duration,
    _folder: Arc<TempDir>,
}

impl Started {
    /// Its process id.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap()
    }

    /// Sends it a signal, as a terminal or a CI runner does.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// What it wrote to standard output so far.
    pub fn stdout_so_far(&self) -> String {
        self.stdout.so_far()
    }

    /// Waits for its end; at the deadline it is killed, and the test fails with what it said.
    pub fn finish(self) -> Ran {
        self.finish_watched(|_| {})
    }

    /// Waits as [`Self::finish`] does, and looks at the running process again and again meanwhile.
    pub fn finish_watched(mut self, mut look: impl FnMut(Pid)) -> Ran {
        let deadline = self.deadline;
        let pid = self.pid();
        let waited = blocking(|| wait(&mut self.child, deadline, || look(pid)));
        let (late, status) = match waited {
            Some(status) => (false, status),
            None => {
                self.child.kill().unwrap();
                (true, self.child.wait().unwrap())
            }
        };
        let ran = Ran {
            stdout: text(&mut self.stdout),
            stderr: text(&mut self.stderr),
            code: status.code(),
            signal: status.signal(),
            hidden: self.hidden,
        };
        assert!(!late, "killed after {deadline:?}; it had said:\n{}", ran.snapshot());
        ran
    }
}

/// What the binary did.
#[derive(Debug)]
pub struct Ran {
    pub stdout: String,
    pub stderr: String,
    /// Its exit code; none when a signal killed it.
    pub code: Option<i32>,
    pub signal: Option<i32>,
    hidden: Vec<(String, String)>,
}

impl Ran {
    /// Exit code, stdout and stderr as one text, without what differs from run to run.
    pub fn snapshot(&self) -> String {
        let mut text = match (self.code, self.signal) {
            (Some(code), _) => format!("exit code: {code}\n"),
            (None, signal) => format!("killed by signal: {signal:?}\n"),
        };
        for (name, stream) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !stream.is_empty() {
                write!(text, "--- {name}\n{stream}").unwrap();
                if !stream.ends_with('\n') {
                    text.push_str("<no newline>\n");
                }
            }
        }
        stable(&text, &self.hidden)
    }

    /// The events of a run with `--format jsonl`, checked for what always holds, and that the recap that they
    /// fold into has the exit code that the process had.
    pub fn events(&self) -> Vec<Event> {
        let events = self.stream();
        let mut recap = Recap::default();
        events.iter().for_each(|event| recap.apply(event));
        assert_eq!(Some(i32::from(recap.exit_code().code())), self.code, "{}", self.stderr);
        events
    }

    /// The events as they were printed: a stream that is whole, whatever the exit code says.
    pub fn stream(&self) -> Vec<Event> {
        let events: Vec<Event> =
            fan::testing::report::read(self.stdout.as_bytes()).map(|event| event.unwrap()).collect();
        let Some(Fact::Run(RunFact::Started { hosts, .. })) = events.first().map(|event| &event.fact) else {
            panic!("the first event is not run_started:\n{}\n{}", self.stdout, self.stderr);
        };
        let last = events.last().map(|event| &event.fact);
        assert!(matches!(last, Some(Fact::Run(RunFact::Finished { .. }))), "{}", self.stdout);
        for host in hosts {
            let is_record =
                |event: &&Event| matches!(&event.fact, Fact::HostFinished { host: of, .. } if of == host);
            assert_eq!(events.iter().filter(is_record).count(), 1, "{host}:\n{}", self.stdout);
        }
        events
    }

    /// Standard output's lines, sorted: hosts that work side by side talk in any order.
    pub fn sorted_stdout(&self) -> Vec<&str> {
        let mut lines: Vec<&str> = self.stdout.lines().collect();
        lines.sort_unstable();
        lines
    }
}

/// Runs a shell line on a terminal, in which the binary is `$BINARY`. Types each answer once its question is shown;
/// gives the exit code and all that the terminal showed.
pub fn typed_on_terminal(fan: &Fan, line: &str, dialogue: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut command = Command::new("timeout");
    command.arg(DEADLINE.as_secs().to_string());
    command
        .args(["script", "-qefc", line, "/dev/null"])
        .current_dir(fan.work())
        .env_clear()
        .env("HOME", fan.home());
    command
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .env("BINARY", env!("CARGO_BIN_EXE_fan"))
        .env("SHELL", "/bin/sh")
        .env("TERM", "dumb");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut shown = String::new();
    let mut dialogue = dialogue.iter();
    let mut next = dialogue.next();
    let mut seen = 0;
    let mut buffer = [0; 4096];
    loop {
        let count = stdout.read(&mut buffer).unwrap();
        if count == 0 {
            break;
        }
        shown += &String::from_utf8_lossy(&buffer[..count]);
        while let Some((question, answer)) = next
            && let Some(at) = shown[seen..].find(question)
        {
            seen += at + question.len();
            stdin.write_all(answer.as_bytes()).unwrap();
            next = dialogue.next();
        }
    }
    assert!(next.is_none(), "never asked {next:?}:\n{shown}");
    (child.wait().unwrap().code(), shown)
}

/// The most memory that a process had so far, in bytes; 0 when it is gone.
pub fn peak_memory(process: Pid) -> u64 {
    let status =
        std::fs::read_to_string(format!("/proc/{}/status", process.as_raw_nonzero())).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or(0, |line| line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024)
}

/// Throw-away hosts with these names and behaviours.
pub async fn sandbox<'a>(hosts: impl IntoIterator<Item = (&'a str, Behaviour)>) -> Sandbox {
    let spec = |(name, behaviour): (&str, Behaviour)| HostSpec::new(name).behaving(behaviour);
    Sandbox::start(hosts.into_iter().map(spec).collect()).await.unwrap()
}

/// An inventory of a sandbox's hosts, by their names.
pub fn sandbox_inventory(sandbox: &Sandbox) -> String {
    let mut yaml = inventory_defaults(sandbox.user(), sandbox.identity(), sandbox.known_hosts());
    yaml.push_str("hosts:\n");
    for host in sandbox.hosts() {
        let (name, address) = (&host.name, host.address);
        writeln!(yaml, "  {name}: {{address: {}, port: {}}}", address.ip(), address.port()).unwrap();
    }
    yaml
}

/// The `defaults:` of an inventory, up to and without a port.
pub fn inventory_defaults(user: &str, identity: &Path, known_hosts: &Path) -> String {
    format!(
        "defaults:\n  user: {user}\n  identity: \"{}\"\n  known_hosts: \"{}\"\n",
        identity.display(),
        known_hosts.display()
    )
}

/// How the real `ssh` is to log in.
pub struct Login<'a> {
    pub user: &'a str,
    pub address: SocketAddr,
    pub identity: &'a Path,
    pub known_hosts: &'a Path,
}

/// The real `ssh`, with nothing of the operator's settings, keys and agents, and with strict host keys.
pub fn ssh(login: &Login<'_>) -> Command {
    let mut command = client("ssh", "-p", login);
    command.arg("-T").arg(format!("{}@{}", login.user, login.address.ip()));
    command
}

/// The real `sftp`, told by its standard input what to do.
pub fn sftp(login: &Login<'_>) -> Command {
    let mut command = client("sftp", "-P", login);
    command.args(["-b", "-"]).arg(format!("{}@{}", login.user, login.address.ip()));
    command
}

/// The real `scp`, over SFTP, without what it is to copy.
pub fn scp(login: &Login<'_>) -> Command {
    let mut command = client("scp", "-P", login);
    command.arg("-s");
    command
}

/// A program of OpenSSH's client, up to and without the host.
fn client(program: &str, port: &str, login: &Login<'_>) -> Command {
    let mut command = Command::new(program);
    command.args(["-F", "none"]);
    for option in [
        "BatchMode=yes".to_owned(),
        "IdentitiesOnly=yes".to_owned(),
        "IdentityAgent=none".to_owned(),
        "StrictHostKeyChecking=yes".to_owned(),
        "GlobalKnownHostsFile=/dev/null".to_owned(),
        format!("UserKnownHostsFile={}", login.known_hosts.display()),
    ] {
        command.arg("-o").arg(option);
    }
    command.arg("-i").arg(login.identity).arg(port).arg(login.address.port().to_string());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// What a program did.
#[derive(Debug)]
pub struct Output {
    pub stdout: Vec<u8>,
    pub stderr: String,
    pub code: Option<i32>,
}

/// Says that something was not tried here, and why. Past the runner, which keeps what tests that pass say to itself;
/// nextest keeps this too, but for the tests that `.config/nextest.toml` names.
#[expect(clippy::explicit_write, reason = "runners capture what eprintln! says")]
pub fn not_run(what: &str, why: &str) {
    writeln!(std::io::stderr(), "NOT RUN: {what}: {}", why.trim()).unwrap();
}

/// Runs a program to its end, with `input` as its standard input; the test fails at the deadline.
pub fn output(mut command: Command, input: &[u8]) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let (mut stdout, mut stderr) =
        (collect(child.stdout.take().unwrap()), collect(child.stderr.take().unwrap()));
    let (mut stdin, input) = (child.stdin.take().unwrap(), input.to_owned());
    std::thread::spawn(move || drop(stdin.write_all(&input)));
    let status = blocking(|| wait(&mut child, DEADLINE, || {}));
    if status.is_none() {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let (stdout, stderr) = (stdout.whole(), text(&mut stderr));
    let Some(status) = status else { panic!("killed after {DEADLINE:?}; stderr:\n{stderr}") };
    Output { stdout, stderr, code: status.code() }
}

/// Blocks in a way that lets the throw-away hosts of an async test go on.
fn blocking<T>(work: impl FnOnce() -> T) -> T {
    match tokio::runtime::Handle::try_current() {
        Ok(_) => tokio::task::block_in_place(work),
        Err(_) => work(),
    }
}

fn wait(child: &mut Child, deadline: Duration, mut look: impl FnMut()) -> Option<ExitStatus> {
    let start = Instant::now();
    while start.elapsed() < deadline {
        look();
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        std::thread::sleep(POLL);
    }
    None
}

/// A stream that is read in a thread of its own, so that nobody waits for this test.
#[derive(Default)]
struct Collected {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Collected {
    fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().unwrap()).into_owned()
    }

    /// Everything up to the end of the stream.
    fn whole(&mut self) -> Vec<u8> {
        if let Some(reader) = self.reader.take() {
            blocking(|| reader.join().unwrap());
        }
        std::mem::take(&mut *self.bytes.lock().unwrap())
    }
}

fn collect(mut stream: impl Read + Send + 'static) -> Collected {
    let bytes = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&bytes);
    let reader = std::thread::spawn(move || {
        let mut chunk = vec![0; 64 * 1024];
        loop {
            match stream.read(&mut chunk).unwrap() {
                0 => return,
                size => sink.lock().unwrap().extend_from_slice(&chunk[..size]),
            }
        }
    });
    Collected { bytes, reader: Some(reader) }
}

fn text(stream: &mut Collected) -> String {
    String::from_utf8_lossy(&stream.whole()).into_owned()
}

#[test]
fn the_binary_runs_in_a_world_of_its_own() {
    let fan = Fan::new().file("a/b.yaml", "x: 1").env("FAN_TEST", "1").stdin("ignored");
    assert!(fan.work().join("a/b.yaml").exists());
    let ran = fan.run(["--version"]);
    assert_eq!((ran.code, ran.signal), (Some(0), None));
    assert!(ran.snapshot().starts_with("exit code: 0\n"));
}
