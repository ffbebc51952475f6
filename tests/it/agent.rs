//! A real ssh-agent for the tests, in a folder of its own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::support::{eventually, output};

/// A running agent. Dropping it kills it, and nothing else.
pub struct Agent {
    process: Child,
    folder: TempDir,
}

impl Agent {
    /// Starts one that holds no keys, and waits until it answers.
    pub fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("fan-agent-").tempdir().unwrap();
        let mut command = Command::new("ssh-agent");
        command.arg("-D").arg("-a").arg(folder.path().join("socket"));
        let process =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let agent = Self { process, folder };
        // ssh-add ends with 1 when the agent has no keys, with 2 when there is no agent.
        eventually("the agent answers", || (agent.ssh_add(&["-l"]) == Some(1)).then_some(()));
        agent
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    /// Gives it a private key.
    pub fn add(&self, key: &Path) {
        assert_eq!(self.ssh_add(&["-q", key.to_str().unwrap()]), Some(0));
    }

    fn ssh_add(&self, args: &[&str]) -> Option<i32> {
        let mut command = Command::new("ssh-add");
        command.args(args).env("SSH_AUTH_SOCK", self.socket());
        output(command, b"").code
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
