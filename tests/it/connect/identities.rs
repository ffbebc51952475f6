//! Key files that ssh_config, the inventory and the command line name, and that are not what they should be: the real
//! `ssh` is the measure of who gets in.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use crate::fixtures::agent::Agent;
use crate::fixtures::sshd::{Sshd, keygen};
use crate::fixtures::support::{Fan, Ran, output};

/// A server, an agent that holds more keys than a server lets anyone try, and key files of every kind.
struct Scene {
    sshd: Sshd,
    /// Holds seven keys of no use and then the right one.
    full: Agent,
    /// Holds the seven alone.
    useless: Agent,
    fan: Fan,
}

impl Scene {
    fn new() -> Self {
        let sshd = Sshd::start();
        let (full, useless) = (Agent::start(), Agent::start());
        let fan = Fan::new();
        for n in 0..7 {
            let key = fan.work().join(format!("other{n}"));
            keygen(&key, "ed25519");
            full.add(&key, &[]);
            useless.add(&key, &[]);
        }
        full.add(&sshd.identity(), &[]);
        let scene = Self { sshd, full, useless, fan };
        let right = fs::read(scene.sshd.identity()).unwrap();
        let public = fs::read(scene.sshd.identity().with_extension("pub")).unwrap();
        scene.write("right", &right, 0o600);
        scene.write("right.pub", &public, 0o644);
        scene.write("gone.pub", &public, 0o644);
        scene.write("exposed", &right, 0o644);
        scene.write("damaged", b"-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n", 0o600);
        scene.write("text", b"hello\n", 0o600);
        let mut encrypted = Command::new("ssh-keygen");
        encrypted.args(["-q", "-t", "ed25519", "-N", "secret", "-a", "1", "-f"]).arg(scene.path("encrypted"));
        assert_eq!(output(encrypted, b"").code, Some(0));
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.fan.work().join(name)
    }

    fn write(&self, name: &str, content: &[u8], mode: u32) {
        fs::write(self.path(name), content).unwrap();
        fs::set_permissions(self.path(name), Permissions::from_mode(mode)).unwrap();
    }

    /// What stands in every configuration.
    fn common(&self) -> String {
        format!(
            "  HostName {}\n  Port {}\n  User {}\n  UserKnownHostsFile {}\n  GlobalKnownHostsFile none\n",
            self.sshd.addresses()[0].ip(),
            self.sshd.port(),
            self.sshd.user(),
            self.sshd.known_hosts().display()
        )
    }

    fn fan(&self, agent: Option<&Agent>, args: &[&str]) -> Ran {
        let socket = agent.map_or_else(String::new, |agent| agent.socket().display().to_string());
        let fan = Fan::new().env("SSH_AUTH_SOCK", &socket);
        let work = self.fan.work().display().to_string();
        let mut script =
            vec!["sh".to_owned(), "-c".to_owned(), "cd \"$1\" && shift && exec \"$@\"".to_owned()];
        script.extend(["sh".to_owned(), work.clone()]);
        let wrapper: Vec<&str> = script.iter().map(String::as_str).collect();
        fan.under(&wrapper).hide(work, "<work>").run(args)
    }

    fn ssh(&self, agent: Option<&Agent>) -> Option<i32> {
        let mut ssh = Command::new("ssh");
        ssh.args(["-o", "BatchMode=yes", "-F"]).arg(self.path("config")).args(["h", "true"]);
        let socket = agent.map_or_else(PathBuf::new, Agent::socket);
        ssh.env("SSH_AUTH_SOCK", socket);
        output(ssh, b"").code
    }
}

#[test]
fn what_ssh_config_names_stops_no_login_that_ssh_makes() {
    let scene = Scene::new();
    let work = scene.fan.work().display().to_string();
    // Lines of the configuration, the agent, and what fan says of the files that it does without; `None` where nobody
    // gets in.
    let (full, useless) = (Some(&scene.full), Some(&scene.useless));
    const RIGHT: &str = "IdentityFile right";
    const ONLY: &str = "IdentitiesOnly yes";
    const MISSING: &str = "missing: there is no such file";
    type Case<'c> = (&'c [&'c str], Option<&'c Agent>, Option<&'c [&'c str]>);
    let cases: &[Case<'_>] = &[
        (&[RIGHT], None, Some(&[])),
        (&["IdentityFile missing", RIGHT], None, Some(&[MISSING])),
        (&["IdentityFile text", RIGHT], None, Some(&["text: not a private key"])),
        (&["IdentityFile damaged", RIGHT], None, Some(&["damaged: the key is cut off"])),
        (&["IdentityFile ./", RIGHT], None, Some(&["/: this is a folder"])),
        (&["IdentityFile encrypted", RIGHT], None, Some(&["encrypted: the key is encrypted"])),
        (&["IdentityFile exposed", RIGHT], None, Some(&["exposed: the key is readable by others"])),
        (&["CertificateFile missing", RIGHT], None, Some(&[MISSING])),
        (&["CertificateFile right.pub", RIGHT], None, Some(&["right.pub: "])),
        (&["IdentityFile right.pub", RIGHT], None, Some(&["right.pub: this is a public key"])),
        (&["IdentityFile missing", RIGHT], useless, Some(&[MISSING])),
        // The agent's key, chosen among eight.
        (&["IdentityFile right.pub"], full, Some(&[])),
        (&["IdentityFile right.pub", ONLY], full, Some(&[])),
        (&["IdentityFile gone", ONLY], full, Some(&[])),
        (&["IdentityFile gone"], full, Some(&[])),
        (&["IdentityFile exposed", ONLY], full, Some(&[])),
        (&["IdentityFile missing", "IdentityFile right.pub", ONLY], full, Some(&[MISSING])),
        (&["IdentityFile right.pub"], None, None),
        (&["IdentityFile exposed"], None, None),
        (&["IdentityFile missing"], None, None),
        (&["IdentityFile encrypted", ONLY], full, None),
        (&["IdentityFile missing"], useless, None),
    ];
    for (lines, agent, expected) in cases {
        let lines: Vec<String> = lines
            .iter()
            .map(|line| match line.split_once(' ') {
                Some((keyword, file)) if keyword.ends_with("File") => format!("  {keyword} {work}/{file}\n"),
                _ => format!("  {line}\n"),
            })
            .collect();
        scene.write("config", format!("Host h\n{}{}", scene.common(), lines.concat()).as_bytes(), 0o600);
        let ran = scene.fan(*agent, &["exec", "--ssh-config", "config", "-H", "h", "--", "true"]);
        assert_eq!(ran.code == Some(0), expected.is_some(), "{lines:?}: {}", ran.snapshot());
        // ssh offers the agent's keys before those of files, and may be thrown out where fan is not.
        assert!(scene.ssh(*agent) != Some(0) || expected.is_some(), "{lines:?}");
        let Some(warnings) = expected else { continue };
        let said = ran.stderr.matches("; continuing without it").count();
        assert_eq!(said, warnings.len(), "{lines:?}: {}", ran.snapshot());
        for warning in *warnings {
            assert!(ran.stderr.contains(warning), "{lines:?}: {warning}: {}", ran.snapshot());
        }
    }
    // Where nothing is left, that is said before anybody is contacted, with a way out.
    let connections = scene.sshd.connections();
    scene.write(
        "config",
        format!("Host h\n{}  IdentityFile {work}/gone\n", scene.common()).as_bytes(),
        0o600,
    );
    let ran = scene.fan(None, &["exec", "--ssh-config", "config", "-H", "h", "--", "true"]);
    insta::assert_snapshot!(ran.snapshot(), @"
    exit code: 2
    --- stderr
    error: <work>/gone: there is no such file, and no agent holds the key; h has no other key or password (help: ssh_config names it: --identity, or `identity:` in the inventory, takes its place)
    ");
    assert_eq!(scene.sshd.connections(), connections);
    let flag = ["exec", "--ssh-config", "config", "-H", "h", "--identity", "right", "--", "true"];
    let ran = scene.fan(None, &flag);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
}

#[test]
fn what_the_user_names_chooses_the_agents_key_or_is_an_error() {
    let scene = Scene::new();
    let inventory = |settings: &str| {
        let yaml = scene.sshd.inventory_yaml(1);
        let own = format!("  identity: \"{}\"\n", scene.sshd.identity().display());
        scene.write("inventory.yaml", yaml.replace(&own, settings).as_bytes(), 0o600);
    };
    let run =
        |agent, args: &[&str]| scene.fan(agent, &[&["exec", "-H", "h1"][..], args, &["--", "true"]].concat());
    for settings in [
        "  identity: right.pub\n",
        "  identity: gone\n  identities_only: true\n",
        "  identity: [right.pub]\n  identities_only: true\n",
        "  identity: exposed\n",
    ] {
        inventory(settings);
        let ran = run(Some(&scene.full), &[]);
        assert_eq!(ran.code, Some(0), "{settings}: {}", ran.snapshot());
        assert!(!ran.stderr.contains("warning"), "{settings}: {}", ran.snapshot());
        for agent in [None, Some(&scene.useless)] {
            assert_eq!(run(agent, &[]).code, Some(2), "{settings}");
        }
    }
    inventory("");
    for file in ["right", "./right.pub", "gone"] {
        let ran = run(Some(&scene.full), &["--identity", file]);
        assert_eq!(ran.code, Some(0), "{file}: {}", ran.snapshot());
    }
    // More keys than a server lets anyone try: the default key file's public half chooses too.
    let ran = run(Some(&scene.full), &[]);
    assert!(ran.stderr.contains("more keys were not offered"), "{}", ran.snapshot());

    inventory("  identity: [missing, exposed, right.pub, right]\n");
    insta::assert_snapshot!(run(None, &[]).snapshot(), @"
    exit code: 2
    --- stderr
    error: exposed: the key is readable by others (mode 0644), and no agent holds the key (help: chmod 600 the file, or load the key into the agent (ssh-add))
    error: missing: there is no such file (help: is the path right?)
    error: right.pub: this is a public key, and no agent holds the key (help: use the private key: the same name without .pub, or load the key into the agent (ssh-add))
    ");
    insta::assert_snapshot!(run(Some(&scene.useless), &[]).snapshot(), @"
    exit code: 2
    --- stderr
    error: exposed: the key is readable by others (mode 0644), and no agent holds the key (help: chmod 600 the file, or load the key into the agent (ssh-add))
    error: missing: there is no such file (help: is the path right?)
    error: right.pub: this is a public key, and no agent holds the key (help: use the private key: the same name without .pub, or load the key into the agent (ssh-add))
    ");
    insta::assert_snapshot!(scene.fan(None, &["hosts", "-i", "right"]).snapshot(), @"
    exit code: 2
    --- stderr
    error: -i right: this is a private key, and -i names the inventory (help: a key is named by --identity right)
    ");
    insta::assert_snapshot!(scene.fan(None, &["hosts", "-i", "right.pub"]).snapshot(), @"
    exit code: 2
    --- stderr
    error: -i right.pub: this is a public key, and -i names the inventory (help: a key is named by --identity right.pub)
    ");
}

#[test]
fn the_public_half_of_a_default_key_chooses_among_the_agents() {
    let scene = Scene::new();
    let yaml = scene.sshd.inventory_yaml(1);
    let own = format!("  identity: \"{}\"\n", scene.sshd.identity().display());
    let socket = scene.full.socket();
    let public = fs::read(scene.path("right.pub")).unwrap();
    let fan = Fan::new()
        .file("inventory.yaml", yaml.replace(&own, ""))
        .env("SSH_AUTH_SOCK", socket.to_str().unwrap());
    fs::create_dir_all(fan.home().join(".ssh")).unwrap();
    fs::write(fan.home().join(".ssh/id_ed25519.pub"), public).unwrap();
    let ran = fan.run(["exec", "-H", "h1", "--", "true"]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
}
