//! Dropbear, the SSH server of routers and small devices, as a host.
//!
//! It reads authorized keys in the user's home alone. The test gives it a home of its own, over the real one,
//! in a mount namespace; where that cannot be made, the test says so.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::fixtures::ports;
use crate::fixtures::sshd::{keygen, own_mounts, public_key};
use crate::fixtures::support::{Fan, eventually, inventory_defaults, not_run, output};

/// Its user's home, in which it finds who may log in.
const HOME: &str = "/root";

struct Dropbear {
    server: Child,
    port: u16,
    folder: TempDir,
}

impl Dropbear {
    /// Starts it, or says why not.
    fn start() -> Result<Self, String> {
        if !cfg!(target_os = "linux") || !rustix::process::geteuid().is_root() {
            return Err("only root of a Linux machine can".to_owned());
        }
        let propagation = own_mounts()?;
        let folder = tempfile::Builder::new().prefix("fan-dropbear-").tempdir().unwrap();
        let ssh = folder.path().join("home/.ssh");
        fs::create_dir_all(&ssh).unwrap();
        keygen(&folder.path().join("identity"), "ed25519");
        fs::copy(folder.path().join("identity.pub"), ssh.join("authorized_keys")).unwrap();
        let mut key = Command::new("dropbearkey");
        key.args(["-t", "ed25519", "-f"]).arg(folder.path().join("host"));
        let made = output(key, b"");
        assert_eq!(made.code, Some(0), "{}", made.stderr);
        let printed = String::from_utf8(made.stdout).unwrap();
        let host_key = printed.lines().find(|line| line.starts_with("ssh-ed25519 ")).unwrap();
        let port = ports::reserve();
        fs::write(folder.path().join("known_hosts"), format!("[127.0.0.1]:{port} {host_key}\n")).unwrap();
        let script = "mount --bind \"$1/home\" \"$2\" && exec /usr/sbin/dropbear -F -E -m -s -r \"$1/host\" \
                      -P \"$1/pid\" -p \"127.0.0.1:$3\"";
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "--propagation", propagation, "sh", "-c", script, "sh"])
            .arg(folder.path())
            .args([HOME, &port.to_string()]);
        let server = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let dropbear = Self { server, port, folder };
        // It writes its process id once it listens.
        eventually("dropbear listens", || dropbear.path("pid").exists().then_some(()));
        Ok(dropbear)
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn fan(&self, known_hosts: &Path) -> Fan {
        let mut yaml = inventory_defaults("root", &self.path("identity"), known_hosts);
        writeln!(yaml, "hosts:\n  d1: {{address: 127.0.0.1, port: {}}}", self.port).unwrap();
        Fan::new().file("inventory.yaml", yaml)
    }
}

impl Drop for Dropbear {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

#[test]
fn commands_and_host_keys_of_dropbear() {
    let dropbear = match Dropbear::start() {
        Ok(dropbear) => dropbear,
        Err(why) => {
            not_run("dropbear", &format!("it cannot be given a home of its own here: {why}"));
            return;
        }
    };
    let fan = dropbear.fan(&dropbear.path("known_hosts"));
    let log = || fs::read_to_string(dropbear.path("log")).unwrap();
    let ran = fan.run(["exec", "-N", "-H", "d1", "--", "echo out; echo err >&2; exit 7"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), "out\n"), "{}\n{}", ran.stderr, log());
    assert!(ran.stderr.contains("err\n") && ran.stderr.contains("exit status 7"), "{}", ran.stderr);
    let tasks =
        "tasks: {t: {steps: [{run: 'echo {{ host }}'}, {run: 'head -c 3000000 /dev/zero | wc -c'}]}}\n";
    let ran = fan.file("tasks.yaml", tasks).run(["run", "-N", "-H", "d1", "t"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "d1\n3000000\n"), "{}\n{}", ran.stderr, log());

    // It signals the shell alone, and closes the channel with it.
    let ran = dropbear.fan(&dropbear.path("known_hosts")).run([
        "exec",
        "-N",
        "-T",
        "1",
        "-H",
        "d1",
        "--",
        "sleep 600 & echo $!; wait",
    ]);
    let left = Pid::from_raw(ran.stdout.trim().parse().unwrap()).unwrap();
    let alive = fs::metadata(format!("/proc/{}", left.as_raw_nonzero())).is_ok();
    let said = ran.stderr.contains("it may still be running there");
    assert!(alive && said, "alive: {alive}\n{}", ran.snapshot());
    kill_process(left, Signal::KILL).unwrap();

    keygen(&dropbear.path("other"), "ed25519");
    let other = public_key(&dropbear.path("other.pub"));
    fs::write(dropbear.path("wrong"), format!("[127.0.0.1]:{} {other}\n", dropbear.port)).unwrap();
    let before = log().matches("Pubkey auth succeeded").count();
    let ran = dropbear.fan(&dropbear.path("wrong")).run(["exec", "-H", "d1", "--", "true"]);
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    assert_eq!((before, log().matches("Pubkey auth succeeded").count()), (3, 3), "{}", log());
}
