//! How each server is started: on loopback, with a host key, an identity and a home of its own.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tempfile::TempDir;

use crate::fixtures::ports;
use crate::fixtures::sshd::{Sshd, keygen, own_mounts, public_key};
use crate::fixtures::support::{Fan, inventory_defaults, output};

/// The home that servers find in the list of users, which root's is; each of them sees its own there.
const HOME: &str = "/root";

/// How long a server may take until it listens.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running server. It ends with its owner.
pub struct Server {
    running: Running,
    port: u16,
    user: String,
    /// Where its keys are.
    keys: PathBuf,
    /// A folder that both sides see: it belongs to the login.
    home: PathBuf,
    _folder: Arc<TempDir>,
}

enum Running {
    /// It ends with this.
    Sshd {
        _sshd: Box<Sshd>,
    },
    Process(Child),
    /// One process for each connection, started by a thread of ours.
    PerConnection(Arc<AtomicBool>),
}

impl Drop for Server {
    fn drop(&mut self) {
        match &mut self.running {
            Running::Sshd { .. } => {}
            Running::Process(child) => {
                let _ = child.kill();
                let _ = child.wait();
            }
            Running::PerConnection(ends) => {
                ends.store(true, Ordering::Relaxed);
                // It waits for a connection.
                let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
            }
        }
    }
}

impl Server {
    /// Its folder for files, as both sides see it.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// The first line that it says, without what TinySSH makes up for each connection.
    pub fn identification(&self) -> String {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).unwrap();
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        let line = line.trim_end();
        if line.contains("tinyssh_") { line.split(' ').next().unwrap_or_default() } else { line }.to_owned()
    }

    /// The binary with an inventory of one host, `h`, that knows its key.
    pub fn fan(&self) -> Fan {
        self.fan_with(&self.keys.join("known_hosts"))
    }

    /// The same with another file of known keys.
    pub fn fan_with(&self, known_hosts: &Path) -> Fan {
        let mut yaml = inventory_defaults(&self.user, &self.keys.join("identity"), known_hosts);
        writeln!(yaml, "hosts:\n  h: {{address: 127.0.0.1, port: {}}}", self.port).unwrap();
        Fan::new().file("inventory.yaml", yaml)
    }
}

/// A folder with keys and a home, and the port that a server is to have.
struct Place {
    folder: Arc<TempDir>,
    port: u16,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("fan-server-").tempdir().unwrap();
        let path = folder.path().to_owned();
        for (name, mode) in [("", 0o755), ("home", 0o755), ("home/.ssh", 0o700)] {
            fs::create_dir_all(path.join(name)).unwrap();
            fs::set_permissions(path.join(name), fs::Permissions::from_mode(mode)).unwrap();
        }
        keygen(&path.join("identity"), "ed25519");
        keygen(&path.join("host"), "ed25519");
        for known in ["authorized_keys", "home/.ssh/authorized_keys"] {
            fs::copy(path.join("identity.pub"), path.join(known)).unwrap();
        }
        Self { folder: Arc::new(folder), port: ports::reserve() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    fn log(&self) -> File {
        File::create(self.path("log")).unwrap()
    }

    /// The server that a process is, once it listens.
    fn server(self, running: Running, host_key: &str) -> Server {
        let (port, folder) = (self.port, self.folder);
        let path = folder.path().to_owned();
        fs::write(path.join("known_hosts"), format!("[127.0.0.1]:{port} {host_key}\n")).unwrap();
        Server { running, port, user: user(), home: path.join("home"), keys: path, _folder: folder }
    }

    /// The same for a process that was just started and that listens at our port.
    fn process(self, mut command: Command, host_key: &str) -> Server {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(self.log());
        let mut child = command.spawn().unwrap();
        let begun = std::time::Instant::now();
        while !greets(self.port) {
            let log = || fs::read_to_string(self.path("log")).unwrap();
            assert!(child.try_wait().unwrap().is_none(), "{command:?} ended: {}", log());
            assert!(begun.elapsed() < PATIENCE, "{command:?} does not listen: {}", log());
            std::thread::sleep(Duration::from_millis(10));
        }
        self.server(Running::Process(child), host_key)
    }
}

/// Whether an SSH server is there: it greets.
fn greets(port: u16) -> bool {
    let Ok(stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { return false };
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).is_ok() && line.starts_with("SSH-")
}

fn user() -> String {
    let mut id = Command::new("id");
    id.arg("-un");
    String::from_utf8(output(id, b"").stdout).unwrap().trim().to_owned()
}

/// What keeps a mount namespace to itself, for a home over another's: only root of a Linux machine can have one.
fn privileged() -> Result<&'static str, String> {
    if !cfg!(target_os = "linux") || !rustix::process::geteuid().is_root() {
        return Err("only root of a Linux machine can".to_owned());
    }
    own_mounts()
}

/// A shell script in a mount namespace of its own.
fn in_namespace(propagation: &str, script: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", propagation, "sh", "-c", script, "sh"]);
    command
}

fn sshd(lines: &[&str]) -> Result<Server, String> {
    let builder = lines.iter().fold(Sshd::builder(), |builder, line| builder.line(line));
    let sshd = builder.start();
    let folder = Arc::new(tempfile::Builder::new().prefix("fan-server-").tempdir().unwrap());
    let home = folder.path().join("home");
    fs::create_dir(&home).unwrap();
    fs::copy(sshd.identity(), folder.path().join("identity")).unwrap();
    fs::copy(sshd.known_hosts(), folder.path().join("known_hosts")).unwrap();
    Ok(Server {
        port: sshd.port(),
        user: sshd.user().to_owned(),
        keys: folder.path().to_owned(),
        home,
        running: Running::Sshd { _sshd: Box::new(sshd) },
        _folder: folder,
    })
}

pub fn openssh() -> Result<Server, String> {
    sshd(&[])
}

pub fn openssh_sftp_only() -> Result<Server, String> {
    sshd(&["ForceCommand internal-sftp"])
}

pub fn openssh_one_session() -> Result<Server, String> {
    sshd(&["MaxSessions 1"])
}

pub fn dropbear() -> Result<Server, String> {
    dropbear_with("")
}

pub fn dropbear_without_sftp() -> Result<Server, String> {
    // It looks at both places.
    dropbear_with(
        "for path in /usr/lib/sftp-server /usr/lib/openssh/sftp-server; do\n\
         [ ! -e \"$path\" ] || mount --bind /dev/null \"$(readlink -f \"$path\")\" || exit 1\ndone\n",
    )
}

fn dropbear_with(before: &str) -> Result<Server, String> {
    let propagation = privileged()?;
    let place = Place::new();
    let mut key = Command::new("dropbearkey");
    key.args(["-t", "ed25519", "-f"]).arg(place.path("dropbear"));
    let made = output(key, b"");
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let printed = String::from_utf8(made.stdout).unwrap();
    let host_key = printed.lines().find(|line| line.starts_with("ssh-ed25519 ")).unwrap().to_owned();
    let script = format!(
        "mount --bind \"$1/home\" \"$2\" || exit 1\n{before}\
         exec dropbear -F -E -m -s -r \"$1/dropbear\" -P \"$1/pid\" -p \"127.0.0.1:$3\""
    );
    let mut command = in_namespace(propagation, &script);
    command.args([&place.text(""), HOME, &place.port.to_string()]);
    Ok(place.process(command, &host_key))
}

pub fn tinyssh() -> Result<Server, String> {
    let propagation = privileged()?;
    let place = Place::new();
    let mut key = Command::new("tinysshd-makekey");
    key.arg("-q").arg(place.path("keys"));
    let made = output(key, b"");
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let public = fs::read(place.path("keys/ed25519.pk")).unwrap();
    let host_key = format!("ssh-ed25519 {}", ed25519(&public));
    // It talks on its standard streams: somebody else listens.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, place.port)).unwrap();
    let ends = Arc::new(AtomicBool::new(false));
    let (folder, log, over) = (place.text(""), place.log(), Arc::clone(&ends));
    std::thread::spawn(move || {
        let script = "mount --bind \"$1/home\" \"$2\" && exec tinysshd \"$1/keys\"";
        let mut children: Vec<Child> = Vec::new();
        for stream in listener.incoming().take_while(|_| !over.load(Ordering::Relaxed)) {
            let stream = OwnedFd::from(stream.unwrap());
            let mut command = in_namespace(propagation, script);
            command.args([&folder, HOME]);
            command.stdin(stream.try_clone().unwrap()).stdout(stream).stderr(log.try_clone().unwrap());
            children.push(command.spawn().unwrap());
        }
        for child in &mut children {
            let _ = child.kill();
            let _ = child.wait();
        }
    });
    Ok(place.server(Running::PerConnection(ends), &host_key))
}

/// A bare Ed25519 key as known_hosts has it (RFC 8709 section 4).
fn ed25519(public: &[u8]) -> String {
    let mut blob = Vec::new();
    for part in [&b"ssh-ed25519"[..], public] {
        blob.extend(u32::try_from(part.len()).unwrap().to_be_bytes());
        blob.extend(part);
    }
    let mut command = Command::new("base64");
    command.arg("-w0");
    String::from_utf8(output(command, &blob).stdout).unwrap()
}

pub fn proftpd() -> Result<Server, String> {
    privileged()?;
    let place = Place::new();
    let folder = place.text("");
    // It wants keys in the form of RFC 4716.
    let mut export = Command::new("ssh-keygen");
    export.args(["-e", "-f"]).arg(place.path("identity.pub"));
    fs::write(place.path("authorized"), output(export, b"").stdout).unwrap();
    for (name, line) in [
        ("passwd", format!("root:x:0:0::{}:/bin/sh\n", place.text("home"))),
        ("group", "root:x:0:\n".to_owned()),
    ] {
        fs::write(place.path(name), line).unwrap();
        fs::set_permissions(place.path(name), fs::Permissions::from_mode(0o600)).unwrap();
    }
    let port = place.port;
    let config = format!(
        "LoadModule mod_sftp.c\nServerName fan\nServerType standalone\nDefaultAddress 127.0.0.1\n\
         SocketBindTight on\nPort {port}\nUseIPv6 off\nUser root\nGroup root\nRootLogin on\nUseFtpUsers off\n\
         RequireValidShell off\nAuthUserFile {folder}/passwd\nAuthGroupFile {folder}/group\n\
         AuthOrder mod_auth_file.c\nPidFile {folder}/pid\nScoreboardFile {folder}/scoreboard\n\
         UseReverseDNS off\nWtmpLog off\nTransferLog none\nDelayEngine off\nUmask 022\nAllowOverwrite on\n\
         SFTPEngine on\nSFTPLog {folder}/sftp.log\nSFTPHostKey {folder}/host\nSFTPAuthMethods publickey\n\
         SFTPAuthorizedUserKeys file:{folder}/authorized\n"
    );
    fs::write(place.path("config"), config).unwrap();
    let host_key = public_key(&place.path("host.pub"));
    let mut command = Command::new("proftpd");
    command.arg("-n").arg("-c").arg(place.path("config"));
    Ok(place.process(command, &host_key))
}

pub fn asyncssh() -> Result<Server, String> {
    python("asyncssh")
}

pub fn paramiko() -> Result<Server, String> {
    python("paramiko")
}

pub fn conch() -> Result<Server, String> {
    privileged()?;
    python("conch")
}

/// A server of ours that is made of a library of Python's: the system's, as its packages are.
fn python(name: &str) -> Result<Server, String> {
    if !cfg!(target_os = "linux") {
        return Err("tests/setup.sh installs its library on Linux".to_owned());
    }
    let place = Place::new();
    let script = format!("{}/tests/data/servers/{name}_server.py", env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new("/usr/bin/python3");
    command.args(["-W", "ignore", &script, &place.text(""), &place.port.to_string()]);
    let host_key = public_key(&place.path("host.pub"));
    Ok(place.process(command, &host_key))
}
