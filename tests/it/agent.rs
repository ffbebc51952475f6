//! A real `ssh-agent`, and a gate before it that counts what is asked, and can fall silent.
#![allow(dead_code, reason = "a fixture is whole, whatever its tests happen to use today")]

use std::collections::HashMap;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use tempfile::TempDir;

use crate::support::{eventually, output};

/// `SSH_AGENTC_REQUEST_IDENTITIES`
pub const LIST: u8 = 11;
/// `SSH_AGENTC_SIGN_REQUEST`
pub const SIGN: u8 = 13;
/// `SSH_AGENTC_EXTENSION`
pub const EXTENSION: u8 = 27;

/// A running agent. Dropping it kills it.
pub struct Agent {
    process: Child,
    folder: TempDir,
    asked: Arc<Mutex<HashMap<u8, usize>>>,
}

impl Agent {
    /// An agent behind a gate that lets everything through.
    pub fn start() -> Self {
        Self::silent_at(&[])
    }

    /// An agent behind a gate that never answers these requests.
    pub fn silent_at(requests: &'static [u8]) -> Self {
        let folder = tempfile::Builder::new().prefix("fan-agent-").tempdir().unwrap();
        let inner = folder.path().join("inner");
        let process = Command::new("ssh-agent")
            .args(["-D", "-a"])
            .arg(&inner)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        eventually("the agent listens", || UnixStream::connect(&inner).ok());
        let asked = Arc::new(Mutex::new(HashMap::new()));
        let gate = UnixListener::bind(folder.path().join("gate")).unwrap();
        let counts = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in gate.incoming() {
                let (Ok(stream), Ok(agent)) = (stream, UnixStream::connect(&inner)) else { return };
                let counts = Arc::clone(&counts);
                std::thread::spawn(move || serve(stream, agent, &counts, requests));
            }
        });
        Self { process, folder, asked }
    }

    /// Where fan finds it.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("gate")
    }

    /// How often a request was made at the gate.
    pub fn asked(&self, request: u8) -> usize {
        self.asked.lock().unwrap().get(&request).copied().unwrap_or_default()
    }

    /// Adds a key with `ssh-add`, not through the gate.
    pub fn add(&self, key: &Path, args: &[&str]) {
        let mut command = self.ssh_add(args);
        command.arg("-q").arg(key);
        let added = output(command, b"");
        assert_eq!(added.code, Some(0), "{}", added.stderr);
    }

    /// `ssh-add` with arguments.
    pub fn ssh_add(&self, args: &[&str]) -> Command {
        let mut command = Command::new("ssh-add");
        command.env("SSH_AUTH_SOCK", self.folder.path().join("inner")).args(args);
        command
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn serve(mut client: UnixStream, mut agent: UnixStream, asked: &Mutex<HashMap<u8, usize>>, silent: &[u8]) {
    while let Some(request) = read(&mut client) {
        let kind = request[4];
        *asked.lock().unwrap().entry(kind).or_default() += 1;
        if silent.contains(&kind) {
            // Open, and without an answer, until the client goes.
            let _ = client.read(&mut [0]);
            return;
        }
        agent.write_all(&request).unwrap();
        let Some(answer) = read(&mut agent) else { return };
        if client.write_all(&answer).is_err() {
            return;
        }
    }
}

/// One message with its length.
fn read(stream: &mut UnixStream) -> Option<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).ok()?;
    let mut message = length.to_vec();
    message.resize(4 + u32::from_be_bytes(length) as usize, 0);
    stream.read_exact(&mut message[4..]).ok()?;
    Some(message)
}
