//! Running throw-away hosts: begun, counted, ended.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::{self, DirBuilder};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use russh::keys::PrivateKey;
use russh::keys::ssh_key::LineEnding;
use russh::server::Config;
use russh::{MethodKind, MethodSet, SshId};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::sandbox::behaviour::{Behaviour, HostSpec};
use crate::sandbox::host::{Counters, SandboxedHost};
use crate::sandbox::process::Processes;
use crate::sandbox::{keys, listener};

/// The login name that the examples use; a throw-away host takes any.
const USER: &str = "fan";

/// How long [`Sandbox::stop`] waits for killed commands to be gone.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// Running throw-away hosts. Dropping it ends them, and every command on them.
#[derive(Debug)]
pub struct Sandbox {
    hosts: Vec<SandboxHost>,
    identity: PathBuf,
    known_hosts: PathBuf,
    listeners: JoinSet<()>,
    processes: Arc<Processes>,
    /// Stands last: the folders go when nothing uses them any more.
    _folder: TempDir,
}

/// A running throw-away host.
#[derive(Debug)]
pub struct SandboxHost {
    /// Its name.
    pub name: String,
    /// Where it listens, on loopback.
    pub address: SocketAddr,
    /// The folder that is the home and the working folder of its commands.
    pub home: PathBuf,
    counters: Arc<Counters>,
}

impl Sandbox {
    /// Starts hosts, and waits until all of them listen.
    ///
    /// Fails when two hosts have one name, when a name cannot be the name of a folder, when a port or a
    /// file cannot be had. Needs a Tokio runtime with I/O and time.
    pub async fn start(specs: Vec<HostSpec>) -> io::Result<Self> {
        check_names(&specs)?;
        let folder = tempfile::Builder::new().prefix("fan-sandbox-").tempdir()?;
        let client = keys::one_time()?;
        let identity = folder.path().join("identity");
        // Written readable by its owner only, as ssh wants it.
        client.write_openssh_file(&identity, LineEnding::LF).map_err(io::Error::other)?;
        let homes = folder.path().join("hosts");
        private_folder(&homes)?;

        let processes = Arc::new(Processes::default());
        let mut listeners = JoinSet::new();
        let mut hosts = Vec::with_capacity(specs.len());
        let mut known = String::new();
        for HostSpec { name, behaviour } in specs {
            let home = homes.join(&name);
            private_folder(&home)?;
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            let address = listener.local_addr()?;
            let key = keys::one_time()?;
            known.push_str(&keys::known_hosts(&behaviour, address, key.public_key())?);
            let methods = if let Behaviour::Login(login) = &behaviour {
                login.methods()
            } else {
                MethodSet::from(&[MethodKind::PublicKey][..])
            };
            let counters = Arc::new(Counters::default());
            let host = SandboxedHost {
                home: home.clone(),
                behaviour,
                client_key: client.public_key().clone(),
                config: Arc::new(server_config(key, methods)),
                counters: counters.clone(),
                processes: processes.clone(),
            };
            listeners.spawn(listener::listen(listener, Arc::new(host)));
            hosts.push(SandboxHost { name, address, home, counters });
        }
        let known_hosts = folder.path().join("known_hosts");
        fs::write(&known_hosts, known)?;
        Ok(Self { hosts, identity, known_hosts, listeners, processes, _folder: folder })
    }

    /// The hosts, in the order in which they were asked for.
    pub fn hosts(&self) -> &[SandboxHost] {
        &self.hosts
    }

    /// The file with the private key that logs in everywhere: OpenSSH format, no passphrase.
    pub fn identity(&self) -> &Path {
        &self.identity
    }

    /// The file with the host keys; see [`Behaviour`] for the hosts about which it lies.
    pub fn known_hosts(&self) -> &Path {
        &self.known_hosts
    }

    /// A login name. Any other works as well: the key is what counts.
    pub fn user(&self) -> &str {
        USER
    }

    /// Ends everything, and waits until the commands are gone.
    pub async fn stop(mut self) {
        self.processes.close();
        self.listeners.shutdown().await;
        // A command that survives SIGKILL for so long waits for a dead disk: it is not waited for.
        let _ = tokio::time::timeout(STOP_PATIENCE, self.processes.all_ended()).await;
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // Aborted tasks are dropped when the runtime gets to it, which may be never: commands do not wait for it.
        self.processes.close();
    }
}

impl SandboxHost {
    /// TCP connections that it accepted so far.
    pub fn connections(&self) -> u64 {
        self.counters.connections()
    }

    /// Requests to log in that it saw so far, by any method, `none` included. A key that is first offered
    /// and then used counts once.
    pub fn auth_attempts(&self) -> u64 {
        self.counters.auth_attempts()
    }

    /// Requests to run a command that it saw so far, refused ones included.
    pub fn execs(&self) -> u64 {
        self.counters.execs()
    }

    /// How many channels its clients took that the host opened without having been asked.
    pub fn unasked_channels(&self) -> u64 {
        self.counters.unasked()
    }
}

fn check_names(specs: &[HostSpec]) -> io::Result<()> {
    let refused = |why: String| Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    let mut seen = HashSet::new();
    for HostSpec { name, .. } in specs {
        let mut components = Path::new(name).components();
        let folder = (components.next(), components.next());
        if !matches!(folder, (Some(Component::Normal(part)), None) if part == OsStr::new(name)) {
            return refused(format!("host name {name:?} cannot be the name of a folder"));
        }
        if !seen.insert(name) {
            return refused(format!("host name {name:?} is given twice"));
        }
    }
    Ok(())
}

fn private_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(path)
}

fn server_config(key: PrivateKey, methods: MethodSet) -> Config {
    Config {
        server_id: SshId::Standard("SSH-2.0-fan_sandbox".into()),
        methods,
        // Hiding the reason of a refused login behind a delay would only slow the demo.
        auth_rejection_time: Duration::ZERO,
        auth_rejection_time_initial: None,
        keys: vec![key],
        inactivity_timeout: None,
        ..Config::default()
    }
}
