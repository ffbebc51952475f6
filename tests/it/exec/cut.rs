//! A link that is cut: a network of the test's own, whose cable is pulled while a command runs.
//!
//! Only root may make network namespaces, and not everywhere; where they cannot be made, the test says so.

use std::fs;
use std::net::Ipv4Addr;
use std::process::Command;
use std::time::Duration;

use crate::fixtures::sshd::Sshd;
use crate::fixtures::support::{Fan, Since, eventually, not_run, output};

/// A namespace with one link to it. Dropping it takes both away.
struct Network {
    name: String,
    link: String,
    inside: Ipv4Addr,
}

impl Network {
    /// Makes it, or says why not.
    fn new() -> Result<Self, String> {
        let id = std::process::id();
        let (high, low) = (u8::try_from(id / 64 % 256).unwrap(), u8::try_from(id % 64 * 4).unwrap());
        let outside = Ipv4Addr::new(10, 213, high, low + 1);
        let network = Self {
            name: format!("fan-test-{id}"),
            link: format!("fan{id}"),
            inside: Ipv4Addr::new(10, 213, high, low + 2),
        };
        let Self { name, link, inside } = &network;
        for command in [
            format!("netns add {name}"),
            format!("link add {link} type veth peer name {link}i netns {name}"),
            format!("addr add {outside}/30 dev {link}"),
            format!("link set {link} up"),
            format!("-n {name} addr add {inside}/30 dev {link}i"),
            format!("-n {name} link set {link}i up"),
            format!("-n {name} link set lo up"),
            format!("netns exec {name} true"),
        ] {
            ip(&command)?;
        }
        Ok(network)
    }

    /// Pulls the plug at the far end: nothing arrives, and nobody is told.
    fn cut(&self) {
        ip(&format!("-n {} link set {}i down", self.name, self.link)).unwrap();
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // Either may not be there: this also cleans up behind half of a network.
        let _ = ip(&format!("link del {}", self.link));
        let _ = ip(&format!("netns del {}", self.name));
    }
}

fn ip(args: &str) -> Result<(), String> {
    let mut command = Command::new("ip");
    command.args(args.split(' '));
    if !cfg!(target_os = "linux") {
        return Err("this is not Linux".to_owned());
    }
    let ran = output(command, b"");
    if ran.code == Some(0) { Ok(()) } else { Err(format!("ip {args}: {}", ran.stderr.trim())) }
}

#[test]
fn a_command_behind_a_cut_link_is_unknown_within_seconds() {
    let network = match Network::new() {
        Ok(network) => network,
        Err(why) => {
            not_run("a link that is cut", &format!("network namespaces cannot be made here: {why}"));
            return;
        }
    };
    let sshd = Sshd::builder().inside(&network.name, network.inside).start();
    let folder = tempfile::tempdir().unwrap();
    let mark = folder.path().join("mark");
    let yaml = sshd.inventory_yaml(1).replace("defaults:\n", "defaults:\n  keepalive: 1s\n");
    let fan = Fan::new().file("inventory.yaml", yaml);
    let command = format!(": > {0}; while test -e {0}; do sleep 0.1; done", mark.display());
    let started = fan.start(["exec", "--format", "jsonl", "-H", "h1", "--", &command]);
    eventually("the command runs", || mark.exists().then_some(()));
    network.cut();
    let cut = Since::now();
    let ran = started.finish();
    // Three requests without an answer; without the setting they would come every 15 s.
    cut.assert_ended_by(Duration::from_secs(4), Duration::from_secs(45));
    fs::remove_file(mark).unwrap();
    assert_eq!(ran.code, Some(1), "{}", ran.stdout);
    ran.events();
    assert!(
        ran.stdout.contains("\"status\":\"unknown\"") && ran.stdout.contains("\"kind\":\"keepalive\""),
        "{}",
        ran.stdout
    );
}
