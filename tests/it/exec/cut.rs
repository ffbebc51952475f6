//! A link that is cut: a network of the test's own, whose cable is pulled while a command runs.

use std::fs;
use std::time::Duration;

use crate::fixtures::network::Network;
use crate::fixtures::sshd::Sshd;
use crate::fixtures::support::{Fan, Since, eventually, not_run};

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
