//! A real OpenSSH server for the tests, in a folder of its own, on loopback; works as root and as anybody.
//!
//! It is there or the test fails: a suite that skips what it cannot find proves nothing.
#![allow(dead_code, reason = "a fixture is whole, whatever its tests happen to use today")]

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;

use rustix::process::Pid;
use tempfile::TempDir;

use crate::ports;
use crate::stable::stable;
use crate::support::{Login, eventually, inventory_defaults, output, ssh};

/// Absolute, as sshd wants to be called: it starts itself again for each connection.
const SSHD: &str = "/usr/sbin/sshd";

/// How many ports are tried: a program that is no test may take one.
const PORTS: usize = 5;

/// A running sshd. Dropping it kills it, and nothing else.
pub struct Sshd {
    server: Server,
    port: u16,
    ips: Vec<Ipv4Addr>,
    user: String,
    folder: TempDir,
}

/// The listening process.
struct Server(Child);

/// How an sshd is to be.
#[derive(Clone, Debug)]
pub struct SshdBuilder {
    hosts: u8,
    key_types: Vec<String>,
    max_startups: Option<String>,
    log_level: &'static str,
    lines: Vec<String>,
    namespace: Option<(String, Ipv4Addr)>,
    stranger: Option<String>,
    shells: Vec<(String, PathBuf)>,
    etc: Vec<(String, String)>,
    subsystem: Option<String>,
}

/// A login without privileges, that exists only in the eyes of one sshd.
const STRANGER: &str = "fan-stranger";
const STRANGER_ID: u32 = 54_321;

impl Sshd {
    /// One host, an Ed25519 host key, sshd's own limits.
    pub fn builder() -> SshdBuilder {
        SshdBuilder {
            hosts: 1,
            key_types: vec!["ed25519".to_owned()],
            max_startups: None,
            log_level: "VERBOSE",
            lines: Vec::new(),
            namespace: None,
            stranger: None,
            shells: Vec::new(),
            etc: Vec::new(),
            subsystem: Some("internal-sftp".to_owned()),
        }
    }

    /// What [`Sshd::builder`] describes.
    pub fn start() -> Self {
        Self::builder().start()
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where it listens: `127.0.0.1`, `127.0.0.2` and so on, on one port.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.ips.iter().map(|&ip| SocketAddr::from((ip, self.port))).collect()
    }

    /// The login name: whoever runs the test.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The private key that logs in.
    pub fn identity(&self) -> PathBuf {
        self.folder.path().join("identity")
    }

    /// The home of the stranger.
    pub fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// All host keys at all addresses.
    pub fn known_hosts(&self) -> PathBuf {
        self.folder.path().join("known_hosts")
    }

    /// A host key as `known_hosts` has it: type and base64.
    pub fn host_key(&self, key_type: &str) -> String {
        public_key(&self.folder.path().join(format!("host_{key_type}.pub")))
    }

    /// What it logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// TCP connections that it took in so far.
    pub fn connections(&self) -> usize {
        self.log().matches("Connection from ").count()
    }

    /// The processes that serve its connections, one for each.
    pub fn connection_processes(&self) -> Vec<Pid> {
        let server = self.server.0.id();
        let children = fs::read_to_string(format!("/proc/{server}/task/{server}/children")).unwrap();
        children.split_whitespace().map(|pid| Pid::from_raw(pid.parse().unwrap()).unwrap()).collect()
    }

    /// The methods of all requests to log in so far, of a server that is [`SshdBuilder::counting_logins`].
    pub fn logins(&self) -> Vec<String> {
        let log = self.log();
        let requests = log.lines().filter(|line| line.contains("userauth-request for user"));
        requests
            .filter_map(|line| Some(line.split(" method ").nth(1)?.split(' ').next()?.to_owned()))
            .collect()
    }

    /// Lets one more key log in: the content of a `.pub` file.
    pub fn authorize(&self, public_key: &str) {
        let path = self.folder.path().join("authorized_keys");
        fs::write(&path, format!("{}{public_key}\n", fs::read_to_string(&path).unwrap())).unwrap();
    }

    /// Its folder as snapshots show it.
    pub fn hidden(&self) -> [(String, &'static str); 2] {
        [(self.folder.path().display().to_string(), "<sshd>"), (format!("-p {}", self.port), "-p <port>")]
    }

    /// An inventory with the hosts `h1` to `hN` at its first `n` addresses.
    pub fn inventory_yaml(&self, n: usize) -> String {
        let mut yaml = inventory_defaults(&self.user, &self.identity(), &self.known_hosts());
        writeln!(yaml, "  port: {}\nhosts:", self.port).unwrap();
        let addresses = self.addresses();
        for (index, address) in addresses[..n].iter().enumerate() {
            writeln!(yaml, "  h{}: {{address: {}}}", index + 1, address.ip()).unwrap();
        }
        yaml
    }

    /// The real `ssh` to one of its addresses.
    pub fn ssh(&self, address: SocketAddr) -> Command {
        ssh(&Login {
            user: &self.user,
            address,
            identity: &self.identity(),
            known_hosts: &self.known_hosts(),
        })
    }
}

impl SshdBuilder {
    /// How many loopback addresses it listens on, each a host: at most 16, which is sshd's own limit.
    pub fn hosts(self, hosts: u8) -> Self {
        assert!(hosts <= 16);
        Self { hosts, ..self }
    }

    /// Which host keys it has, as `ssh-keygen -t` names them.
    pub fn host_keys(self, key_types: &[&str]) -> Self {
        Self { key_types: key_types.iter().map(ToString::to_string).collect(), ..self }
    }

    /// `MaxStartups`; without it sshd's default, 10:30:100.
    pub fn max_startups(self, value: &str) -> Self {
        Self { max_startups: Some(value.to_owned()), ..self }
    }

    /// Logs every request to log in, which [`Sshd::logins`] reads.
    pub fn counting_logins(self) -> Self {
        Self { log_level: "DEBUG1", ..self }
    }

    /// One more line of sshd_config.
    pub fn line(mut self, line: &str) -> Self {
        self.lines.push(line.to_owned());
        self
    }

    /// Serves SFTP that means harm, in one of the ways that `tests/data/sftp/hostile.py` lists.
    pub fn subsystem(self, mode: &str) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/sftp/hostile.py");
        Self { subsystem: Some(format!("python3 {script} {mode}")), ..self }
    }

    /// Serves no SFTP.
    pub fn without_sftp(self) -> Self {
        Self { subsystem: None, ..self }
    }

    /// Starts it inside this network namespace, where it listens at this address only.
    pub fn inside(self, namespace: &str, address: Ipv4Addr) -> Self {
        Self { namespace: Some((namespace.to_owned(), address)), ..self }
    }

    /// Logs in as somebody without privileges and with this password, who exists only for this sshd: it sees
    /// other /etc/passwd and /etc/shadow, in a mount namespace. Only for root; [`Sshd::home`] is the home.
    pub fn stranger(self, password: &str) -> Self {
        Self { stranger: Some(password.to_owned()), ..self }
    }

    /// The stranger has more names, each with a login shell: `fan-NAME`.
    pub fn login_shells(self, shells: &[(&str, &str)]) -> Self {
        let shells = shells.iter().map(|(name, path)| ((*name).to_owned(), PathBuf::from(path))).collect();
        Self { shells, ..self }
    }

    /// What the stranger's side sees as a file below `/etc`; it is root's, and of mode 0440.
    pub fn etc(mut self, path: &str, content: &str) -> Self {
        self.etc.push((path.to_owned(), content.to_owned()));
        self
    }

    /// Writes what makes the stranger.
    fn make_stranger(&self, folder: &Path, password: &str) {
        let mut crypt = Command::new("perl");
        crypt.args(["-e", "print crypt($ARGV[0], '$6$saltsalt$')", password]);
        let hash = said(crypt);
        let home = folder.join("home");
        fs::create_dir(&home).unwrap();
        std::os::unix::fs::chown(&home, Some(STRANGER_ID), Some(STRANGER_ID)).unwrap();
        // What counts is the number: to sudo, two names of one are one user.
        let mut names = vec![(STRANGER.to_owned(), PathBuf::from("/bin/sh"))];
        names.extend(self.shells.iter().map(|(name, path)| (format!("fan-{name}"), path.clone())));
        let mut passwd = fs::read_to_string("/etc/passwd").unwrap();
        let mut shadow = format!("root:{hash}:19000:0:99999:7:::\nsshd:*:19000::::::\n");
        for ((name, shell), id) in names.into_iter().zip(STRANGER_ID..) {
            writeln!(passwd, "{name}:x:{id}:{id}::{}:{}", home.display(), shell.display()).unwrap();
            writeln!(shadow, "{name}:{hash}:19000:0:99999:7:::").unwrap();
        }
        fs::write(folder.join("passwd"), passwd).unwrap();
        fs::write(folder.join("shadow"), shadow).unwrap();
        if self.needs_own_etc() {
            let mut copy = Command::new("cp");
            copy.args(["-a", "/etc"]).arg(folder.join("etc"));
            assert_eq!(output(copy, b"").code, Some(0));
        }
        for (index, (target, content)) in self.etc.iter().enumerate() {
            let path = if self.needs_own_etc() {
                folder.join(target.trim_start_matches('/'))
            } else {
                folder.join(format!("etc{index}"))
            };
            fs::write(&path, content).unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(0o440)).unwrap();
        }
        // The login reads the authorized keys with its own rights.
        for (name, mode) in [("", 0o711), ("authorized_keys", 0o644), ("shadow", 0o600)] {
            fs::set_permissions(folder.join(name), fs::Permissions::from_mode(mode)).unwrap();
        }
    }

    /// Nothing can be laid over a file that is not there.
    fn needs_own_etc(&self) -> bool {
        self.etc.iter().any(|(path, _)| !Path::new(path).exists())
    }

    fn ips(&self) -> Vec<Ipv4Addr> {
        match &self.namespace {
            Some((_, address)) => vec![*address],
            None => (1..=self.hosts).map(|host| Ipv4Addr::new(127, 0, 0, host)).collect(),
        }
    }

    /// Starts it, and waits until it listens everywhere.
    pub fn start(&self) -> Sshd {
        assert!(
            Path::new(SSHD).exists(),
            "sshd is not installed: run \"make test\" or apt-get install openssh-server"
        );
        if rustix::process::geteuid().is_root() {
            fs::create_dir_all("/run/sshd").unwrap(); // the empty folder that root's sshd locks itself into
        }
        let folder = tempfile::Builder::new().prefix("fan-sshd-").tempdir().unwrap();
        let mut id = Command::new("id");
        id.arg("-un");
        let mut user = said(id);
        keygen(&folder.path().join("identity"), "ed25519");
        fs::copy(folder.path().join("identity.pub"), folder.path().join("authorized_keys")).unwrap();
        for key_type in &self.key_types {
            keygen(&folder.path().join(format!("host_{key_type}")), key_type);
        }
        if let Some(password) = &self.stranger {
            self.make_stranger(folder.path(), password);
            user = STRANGER.to_owned();
        }
        for _ in 0..PORTS {
            let port = ports::reserve();
            fs::write(folder.path().join("config"), self.config(folder.path(), port)).unwrap();
            fs::write(folder.path().join("known_hosts"), self.known_hosts(folder.path(), port)).unwrap();
            let mut server = self.launch(folder.path());
            if self.listens(&mut server, folder.path(), port) {
                return Sshd { server, port, ips: self.ips(), user, folder };
            }
        }
        panic!("no free port after {PORTS} tries");
    }

    fn config(&self, folder: &Path, port: u16) -> String {
        let (folder, level) = (folder.display(), self.log_level);
        let passwords = if self.stranger.is_some() { "yes" } else { "no" };
        let mut config = format!(
            "Port {port}\n\
             AuthorizedKeysFile {folder}/authorized_keys\n\
             LogLevel {level}\n\
             UsePAM no\n\
             StrictModes no\n\
             PidFile none\n\
             UseDNS no\n\
             PasswordAuthentication {passwords}\n\
             KbdInteractiveAuthentication no\n\
             PermitRootLogin prohibit-password\n\
             MaxSessions 100\n\
             AcceptEnv FAN_*\n"
        );
        if let Some(command) = &self.subsystem {
            writeln!(config, "Subsystem sftp {command}").unwrap();
        }
        // A bash that believes it is nested leaves ~/.bashrc alone, which may take half a second.
        config.push_str("SetEnv SHLVL=5\n");
        for ip in self.ips() {
            writeln!(config, "ListenAddress {ip}").unwrap();
        }
        for key_type in &self.key_types {
            writeln!(config, "HostKey {folder}/host_{key_type}").unwrap();
        }
        if let Some(value) = &self.max_startups {
            writeln!(config, "MaxStartups {value}").unwrap();
        }
        if knows_penalties(&format!("{folder}/identity")) {
            config.push_str("PerSourcePenalties no\n");
        }
        // The first value counts: what a test says comes before what all have.
        self.lines.iter().map(|line| format!("{line}\n")).collect::<String>() + &config
    }

    fn known_hosts(&self, folder: &Path, port: u16) -> String {
        let mut text = String::new();
        for ip in self.ips() {
            for key_type in &self.key_types {
                let key = public_key(&folder.join(format!("host_{key_type}.pub")));
                writeln!(text, "[{ip}]:{port} {key}").unwrap();
            }
        }
        text
    }

    /// Waits until it listens at every address; false when one of them was taken.
    ///
    /// It says so in its log. Connecting to find out would count among the connections that tests count.
    fn listens(&self, server: &mut Server, folder: &Path, port: u16) -> bool {
        eventually("sshd listens", || {
            let log = fs::read_to_string(folder.join("log")).unwrap();
            if log.contains("Address already in use") {
                return Some(false);
            }
            if let Some(status) = server.0.try_wait().unwrap() {
                panic!("sshd ended with {status}:\n{log}");
            }
            let at = |ip: &Ipv4Addr| format!("Server listening on {ip} port {port}.");
            self.ips().iter().all(|ip| log.contains(&at(ip))).then_some(true)
        })
    }

    fn launch(&self, folder: &Path) -> Server {
        let log = File::create(folder.join("log")).unwrap();
        let mut command = match &self.namespace {
            // It becomes sshd: the process that we know is the server.
            Some((namespace, _)) => {
                let mut command = Command::new("ip");
                command.args(["netns", "exec", namespace, SSHD]);
                command
            }
            None if self.stranger.is_some() => {
                let mut command = Command::new("unshare");
                let mut script = String::new();
                if self.needs_own_etc() {
                    script += "mount --bind \"$0/etc\" /etc && ";
                } else {
                    for (index, (path, _)) in self.etc.iter().enumerate() {
                        write!(script, "mount --bind \"$0/etc{index}\" {path} && ").unwrap();
                    }
                }
                script += "mount --bind \"$0/passwd\" /etc/passwd && mount --bind \"$0/shadow\" /etc/shadow";
                script += " && exec \"$@\"";
                command
                    .args(["--mount", "--propagation", own_mounts().unwrap(), "sh", "-c", &script])
                    .arg(folder)
                    .arg(SSHD);
                command
            }
            None => Command::new(SSHD),
        };
        // -e and -r: with a log file of its own (-E), what the per-connection processes say is lost before 9.8.
        command.args(["-D", "-e", "-r", "-f"]).arg(folder.join("config"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        Server(command.spawn().unwrap())
    }
}

/// What keeps the mounts of a namespace to itself, as `unshare --propagation` takes it; or why nothing does.
///
/// In a plain chroot the root is no mount, and cannot be made private. That is needed only where the mount that is really
/// there hands on what happens below it; a mount tells, which either is seen out here or not.
pub fn own_mounts() -> Result<&'static str, String> {
    static ANSWER: LazyLock<Result<&str, String>> = LazyLock::new(|| {
        let unshared = |propagation: &str, script: &str, folder: &Path| {
            let mut command = Command::new("unshare");
            command.args(["--mount", "--propagation", propagation, "sh", "-c", script]).arg(folder);
            let ran = output(command, b"");
            if ran.code == Some(0) { Ok(()) } else { Err(ran.stderr) }
        };
        let folder = tempfile::tempdir().unwrap();
        if unshared("private", "true", folder.path()).is_ok() {
            return Ok("private");
        }
        unshared("unchanged", "mount -t tmpfs none \"$0\" && : > \"$0/inside\"", folder.path())?;
        if !folder.path().join("inside").exists() {
            return Ok("unchanged");
        }
        let mut unmount = Command::new("umount");
        unmount.arg(folder.path());
        output(unmount, b"");
        Err("this chroot is on a mount that hands on what is mounted below it: bind its folder to itself first".to_owned())
    });
    ANSWER.clone()
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have died on its own; either way it is gone and reaped after this.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Whether this sshd has `PerSourcePenalties` (OpenSSH 9.8 and later), which would punish the tests of bad logins.
fn knows_penalties(host_key: &str) -> bool {
    let probe = tempfile::NamedTempFile::new().unwrap();
    fs::write(probe.path(), format!("HostKey {host_key}\nPerSourcePenalties no\n")).unwrap();
    let mut command = Command::new(SSHD);
    command.arg("-t").arg("-f").arg(probe.path());
    output(command, b"").code == Some(0)
}

/// Makes a key pair without a passphrase.
pub fn keygen(path: &Path, key_type: &str) {
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-N", "", "-C", "", "-t", key_type, "-f"]).arg(path);
    let made = output(command, b"");
    assert_eq!(made.code, Some(0), "{}", made.stderr);
}

/// The content of a `.pub` file.
pub fn public_key(path: &Path) -> String {
    fs::read_to_string(path).unwrap().trim_end().to_owned()
}

fn said(command: Command) -> String {
    String::from_utf8(output(command, b"").stdout).unwrap().trim_end().to_owned()
}

#[test]
fn two_hosts_on_one_port_answer_with_their_own_address() {
    let sshd = Sshd::builder().hosts(2).host_keys(&["ed25519", "ecdsa"]).line("PrintMotd no").start();
    for address in sshd.addresses() {
        let mut command = sshd.ssh(address);
        command.arg("echo $SSH_CONNECTION | cut -d' ' -f3,4; cat; exit 3");
        let ran = output(command, b"input");
        assert_eq!(ran.code, Some(3), "{}\n{}", ran.stderr, sshd.log());
        assert_eq!(
            String::from_utf8(ran.stdout).unwrap(),
            format!("{} {}\ninput", address.ip(), address.port())
        );
    }
    let accepted = format!("Accepted publickey for {}", sshd.user());
    assert_eq!(sshd.log().matches(&accepted).count(), 2, "{}", sshd.log());
}

#[test]
fn only_its_key_logs_in() {
    let (sshd, other) = (Sshd::start(), Sshd::start());
    let mut command = ssh(&Login {
        user: sshd.user(),
        address: sshd.addresses()[0],
        identity: &other.identity(),
        known_hosts: &sshd.known_hosts(),
    });
    command.arg("true");
    let ran = output(command, b"");
    assert_eq!(ran.code, Some(255));
    assert!(ran.stderr.contains("Permission denied (publickey)"), "{}", ran.stderr);
}

#[test]
fn the_limit_on_starts_holds() {
    let sshd = Sshd::builder().max_startups("1:100:1").start();
    let waiting = TcpStream::connect(sshd.addresses()[0]).unwrap();
    let mut greeting = [0; 4];
    (&waiting).read_exact(&mut greeting).unwrap();
    assert_eq!(&greeting, b"SSH-");
    let mut turned_away = String::new();
    TcpStream::connect(sshd.addresses()[0]).unwrap().read_to_string(&mut turned_away).unwrap();
    assert!(!turned_away.starts_with("SSH-"), "{turned_away}");
}

#[test]
fn the_inventory_lists_as_many_hosts_as_asked_for() {
    let sshd = Sshd::builder().hosts(3).start();
    let hidden = [
        (sshd.folder.path().display().to_string(), "<sshd>".to_owned()),
        (format!("port: {}", sshd.port()), "port: <port>".to_owned()),
        (format!("user: {}", sshd.user()), "user: <user>".to_owned()),
    ];
    insta::assert_snapshot!(stable(&sshd.inventory_yaml(2), &hidden), @r#"
    defaults:
      user: <user>
      identity: "<sshd>/identity"
      known_hosts: "<sshd>/known_hosts"
      port: <port>
    hosts:
      h1: {address: 127.0.0.1}
      h2: {address: 127.0.0.2}
    "#);
}
