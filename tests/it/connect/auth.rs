//! Logins by every kind of proof, against a real sshd, a real agent, and throw-away hosts.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fan::testing::model::endpoint::{Agent as AgentOf, Endpoint, NamedBy, Password};
use fan::testing::model::outcome::{Failure, Kind};
use fan::testing::model::secret::Secret;
use fan::testing::sandbox::{Behaviour, HostSpec, Sandbox, SandboxLogin};
use fan::testing::ssh::agent::AgentPatience;
use fan::testing::ssh::client::SshConnector;
use fan::testing::ssh::keys::Keyring;
use fan::testing::ssh::session::SshSession;
use fan::testing::ssh::{Connector, Exec, ExecEvent, ExecRequest, Heard, Sent, Session, Stdin};
use tempfile::TempDir;

use crate::fixtures::agent::{self, Agent};
use crate::fixtures::sshd::Sshd;
use crate::fixtures::support::{Fan, not_run, output, typed_on_terminal};

/// Keys and certificates of one test.
struct Keys(TempDir);

impl Keys {
    fn new() -> Self {
        Self(tempfile::Builder::new().prefix("fan-keys-").tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn make(&self, name: &str, args: &[&str]) -> PathBuf {
        let path = self.path(name);
        let mut command = Command::new("ssh-keygen");
        command.args(["-q", "-C", "", "-a", "1", "-f"]).arg(&path).args(args);
        if !args.contains(&"-N") {
            command.args(["-N", ""]);
        }
        ran(command);
        path
    }

    /// Signs a key's public half with the authority `ca`, which is made when it is needed.
    fn sign(&self, name: &str, args: &[&str]) {
        let mut command = Command::new("ssh-keygen");
        command.env("TZ", "UTC").args(["-q", "-s"]).arg(self.authority()).args(["-I", "test"]).args(args);
        command.arg(self.path(&format!("{name}.pub")));
        ran(command);
    }

    fn authority(&self) -> PathBuf {
        let path = self.path("ca");
        if path.exists() { path } else { self.make("ca", &["-t", "ed25519"]) }
    }

    /// An sshd that trusts the authority and nothing else of ours.
    fn sshd(&self) -> Sshd {
        let authority = self.authority();
        Sshd::builder().line(&format!("TrustedUserCAKeys {}.pub", authority.display())).start()
    }
}

fn ran(command: Command) {
    let ran = output(command, b"");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}

/// The inventory of an sshd's first host, with another key.
fn inventory(sshd: &Sshd, identity: &Path) -> String {
    let own = sshd.identity().display().to_string();
    sshd.inventory_yaml(1).replace(&own, &identity.display().to_string())
}

fn fan(inventory: &str, keys: &Keys) -> Fan {
    Fan::new().file("inventory.yaml", inventory).hide(keys.0.path().display(), "<keys>")
}

/// A host of an sshd, for whoever has more to say than an inventory can.
fn endpoint(sshd: &Sshd, identities: &[PathBuf]) -> Endpoint {
    host(sshd.user(), sshd.addresses()[0], &sshd.known_hosts(), identities)
}

fn host(user: &str, address: SocketAddr, known_hosts: &Path, identities: &[PathBuf]) -> Endpoint {
    Endpoint {
        identities: Arc::from(identities),
        known_hosts: Arc::from([known_hosts.to_owned()]),
        ..Endpoint::new("h1", &address.ip().to_string(), address.port(), user)
    }
}

fn asking(agent: &Agent) -> AgentOf {
    AgentOf::Socket { path: agent.socket(), required: false }
}

/// A connector with the keys that an endpoint names.
fn connector(endpoint: &Endpoint) -> SshConnector {
    let mut keyring = Keyring::default();
    for path in endpoint.identities.iter() {
        keyring.load(path).unwrap();
    }
    for path in endpoint.certificates.iter() {
        keyring.load_certificate(path).unwrap();
    }
    for (path, _) in keyring.locked() {
        keyring.leave_to_agent(&path);
    }
    SshConnector::new(keyring, Arc::default())
}

/// Logs in; says how, or why not.
async fn log_in(endpoint: &Endpoint) -> Result<String, Failure> {
    connector(endpoint).connect(endpoint).await.map(|connected| connected.auth).map_err(|error| error.failure)
}

async fn session(endpoint: &Endpoint) -> SshSession {
    connector(endpoint).connect(endpoint).await.unwrap().session
}

/// What a command prints.
async fn says(session: &mut SshSession, command: &str) -> String {
    let request = ExecRequest {
        line: Bytes::from(command.to_owned()),
        stdin: Stdin::Closed,
        terminal: false,
        sent: Sent::default(),
    };
    let mut exec = session.exec(request).await.unwrap();
    let mut said = Vec::new();
    loop {
        match exec.next().await {
            Heard::Event(ExecEvent::Stdout(bytes) | ExecEvent::Stderr(bytes)) => said.extend(bytes),
            Heard::Event(ExecEvent::Exit(_))
            | Heard::Eof
            | Heard::Answered
            | Heard::Written
            | Heard::Job(_) => {}
            Heard::Refused(failure) => panic!("{failure:?}"),
            Heard::Event(ExecEvent::Closed | ExecEvent::Lost(_)) => return String::from_utf8(said).unwrap(),
        }
    }
}

#[test]
fn a_certificate_beside_its_key_logs_in() {
    let keys = Keys::new();
    let sshd = keys.sshd();
    for (name, kind) in [("ed25519", "ED25519-CERT"), ("rsa", "RSA-CERT"), ("ecdsa", "ECDSA-CERT")] {
        let key = keys.make(name, &["-t", name]);
        keys.sign(name, &["-n", sshd.user()]);
        let fan = fan(&inventory(&sshd, &key), &keys);
        let ran = fan.run(["exec", "-H", "all", "--", "echo in"]);
        assert_eq!(
            (ran.code, ran.stdout.contains("in")),
            (Some(0), true),
            "{}\n{}",
            ran.snapshot(),
            sshd.log()
        );
        assert!(sshd.log().contains(kind), "{}", sshd.log());
    }
}

#[test]
fn a_certificate_that_expired_is_named_and_not_offered() {
    let keys = Keys::new();
    let sshd = keys.sshd();
    let key = keys.make("key", &["-t", "ed25519"]);
    keys.sign("key", &["-n", sshd.user(), "-V", "20200101:20200102"]);
    let ran = fan(&inventory(&sshd, &key), &keys).run(["exec", "-H", "all", "--", "true"]);
    assert_eq!(ran.code, Some(3), "{}", ran.snapshot());
    let warning = format!(
        "warning: {}: the certificate expired at 2020-01-02T00:00:00Z",
        keys.path("key-cert.pub").display()
    );
    assert!(ran.stderr.contains(&warning), "{}", ran.stderr);
    assert!(ran.stderr.contains("tried ED25519 SHA256:"), "{}", ran.stderr);
    assert!(!sshd.log().contains("Certificate invalid"), "{}", sshd.log());
}

#[test]
fn a_certificate_for_somebody_else_explains_the_refusal() {
    let keys = Keys::new();
    let sshd = keys.sshd();
    let key = keys.make("key", &["-t", "ed25519"]);
    keys.sign("key", &["-n", "alice,bob"]);
    let ran = fan(&inventory(&sshd, &key), &keys).run(["exec", "-H", "all", "--", "true"]);
    assert_eq!(ran.code, Some(3));
    let because = format!("the certificate is for alice, bob, not for {}", sshd.user());
    assert!(ran.stderr.contains(&because), "{}", ran.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_named_certificate_works_with_a_file_and_with_the_agent() {
    let keys = Keys::new();
    let sshd = keys.sshd();
    let key = keys.make("key", &["-t", "ed25519"]);
    keys.sign("key", &["-n", sshd.user()]);
    fs::rename(keys.path("key-cert.pub"), keys.path("named.pub")).unwrap();
    let mut host = endpoint(&sshd, std::slice::from_ref(&key));
    host.certificates = Arc::from([keys.path("named.pub")]);
    assert!(log_in(&host).await.unwrap().starts_with("ED25519-CERT SHA256:"));

    let agent = Agent::start();
    agent.add(&key, &[]);
    host.agent = asking(&agent);
    host.identities = Arc::from([]);
    let how = log_in(&host).await.unwrap();
    assert!(how.starts_with("ED25519-CERT SHA256:") && how.ends_with("(agent)"), "{how}");
    assert_eq!(agent.asked(agent::SIGN), 1);

    // The agent's own certificate: `ssh-add` takes the one beside the key.
    fs::rename(keys.path("named.pub"), keys.path("key-cert.pub")).unwrap();
    let other = Agent::start();
    other.add(&key, &[]);
    let mut host = endpoint(&sshd, &[]);
    host.agent = asking(&other);
    let how = log_in(&host).await.unwrap();
    let (taken, refused) = how.split_once("; refused before: ").unwrap_or((&how, ""));
    assert!(taken.starts_with("ED25519-CERT SHA256:") && taken.ends_with("(agent)"), "{how}");
    assert!(refused.is_empty() || refused.starts_with("ED25519 SHA256:"), "{how}");
}

/// A real sshd and a key with a passphrase that it knows.
fn encrypted() -> (Keys, Sshd, PathBuf) {
    let (keys, sshd) = (Keys::new(), Sshd::start());
    let key = keys.path("key");
    fs::copy(sshd.identity(), &key).unwrap();
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-p", "-a", "1", "-P", "", "-N", "open sesame", "-f"]).arg(&key);
    ran(command);
    (keys, sshd, key)
}

#[test]
fn an_encrypted_key_that_the_agent_holds_is_left_to_it() {
    let (keys, sshd, key) = encrypted();
    let agent = Agent::start();
    agent.add(&sshd.identity(), &[]);
    let fan = fan(&inventory(&sshd, &key), &keys).env("SSH_AUTH_SOCK", &agent.socket().display().to_string());
    let ran = fan.run(["exec", "-H", "all", "--", "echo in"]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    assert_eq!(agent.asked(agent::SIGN), 1);
}

#[test]
fn an_encrypted_key_without_agent_and_terminal_is_bad_input() {
    let (keys, sshd, key) = encrypted();
    let ran = fan(&inventory(&sshd, &key), &keys).run(["exec", "-H", "all", "--", "true"]);
    insta::assert_snapshot!(ran.snapshot(), @r"
    exit code: 2
    --- stderr
    error: <keys>/key: the key is encrypted, and there is no terminal to ask for its passphrase on (help: load it into the agent first: ssh-add <keys>/key)
    ");
    assert!(!sshd.log().contains("Connection from"), "{}", sshd.log());
    let tasks = "tasks: {greet: {steps: [{run: echo hello}]}}\n";
    let check =
        fan(&inventory(&sshd, &key), &keys).file("tasks.yaml", tasks).run(["check", "greet", "-H", "all"]);
    assert_eq!(check.code, Some(0), "{}", check.snapshot());
}

#[test]
fn an_encrypted_default_key_is_no_obstacle_where_there_is_another_way() {
    let (keys, sshd, key) = encrypted();
    let own = format!("  identity: \"{}\"\n", sshd.identity().display());
    let agent = Agent::start();
    agent.add(&sshd.identity(), &[]);
    let default = || {
        let fan = fan(&sshd.inventory_yaml(1).replace(&own, ""), &keys);
        fs::create_dir(fan.home().join(".ssh")).unwrap();
        fan
    };
    let with_agent = default().env("SSH_AUTH_SOCK", &agent.socket().display().to_string());
    keys.make("other", &["-t", "ed25519", "-N", "something else"]);
    fs::copy(keys.path("other"), with_agent.home().join(".ssh/id_ed25519")).unwrap();
    let ran = with_agent.run(["exec", "-H", "all", "--", "true"]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    let alone = default();
    fs::copy(&key, alone.home().join(".ssh/id_ed25519")).unwrap();
    let ran = alone.run(["exec", "-H", "all", "--", "true"]);
    assert_eq!(ran.code, Some(2), "{}", ran.snapshot());
    assert!(
        ran.stderr.contains("id_ed25519: the key is encrypted, and there is no terminal"),
        "{}",
        ran.stderr
    );
    let question = format!("passphrase for {}/.ssh/id_ed25519: ", alone.home().display());
    let (code, shown) = on_terminal(&alone, "exec -H all -- true", &[(&question, "open sesame\n")]);
    assert_eq!(code, Some(0), "{shown}");
}

/// Runs the binary on a terminal, answers each question, and gives its exit code and all that the terminal showed.
fn on_terminal(fan: &Fan, args: &str, dialogue: &[(&str, &str)]) -> (Option<i32>, String) {
    typed_on_terminal(fan, &format!("exec \"$BINARY\" {args}"), dialogue)
}

#[test]
fn a_passphrase_is_asked_for_once_on_the_terminal_and_not_shown() {
    let (keys, sshd, key) = encrypted();
    let fan = fan(&inventory(&sshd, &key), &keys);
    let question = format!("passphrase for {}: ", key.display());
    let again = format!("wrong; {question}");
    let (code, shown) = on_terminal(
        &fan,
        "exec -H all -- echo logged_in",
        &[(&question, "not this\n"), (&again, "open sesame\n")],
    );
    assert_eq!(code, Some(0), "{shown}");
    assert!(
        shown.contains("logged_in") && !shown.contains("sesame") && !shown.contains("not this"),
        "{shown}"
    );

    let wrong = (again.as_str(), "no\n");
    let (code, shown) = on_terminal(&fan, "exec -H all -- true", &[(&question, "no\n"), wrong, wrong]);
    assert_eq!(code, Some(2), "{shown}");
    assert!(shown.contains("wrong passphrase, 3 times"), "{shown}");
    let (code, shown) = on_terminal(&fan, "exec -H all -- true", &[(&question, "\u{3}")]);
    assert_eq!(code, Some(130), "{shown}");
}

#[test]
fn the_right_key_among_eight_is_found_when_it_is_named() {
    let (keys, agent) = (Keys::new(), Agent::start());
    let sshd = Sshd::builder().line("MaxAuthTries 6").start();
    for number in 1..=7 {
        agent.add(&keys.make(&format!("k{number}"), &["-t", "ed25519"]), &[]);
    }
    agent.add(&sshd.identity(), &[]);
    let socket = agent.socket().display().to_string();
    let named = fan(&sshd.inventory_yaml(1), &keys).env("SSH_AUTH_SOCK", &socket);
    assert_eq!(named.run(["exec", "-H", "all", "--", "true"]).code, Some(0));
    let own = format!("  identity: \"{}\"\n", sshd.identity().display());
    let unnamed = fan(&sshd.inventory_yaml(1).replace(&own, ""), &keys).env("SSH_AUTH_SOCK", &socket);
    let ran = unnamed.run(["exec", "-H", "all", "--", "true"]);
    assert_eq!(ran.code, Some(3));
    assert!(ran.stderr.contains("3 more keys were not offered"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("Too many"), "{}", ran.stderr);
    assert_eq!(agent.asked(agent::SIGN), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_less_patience_is_quoted() {
    let (keys, sshd) = (Keys::new(), Sshd::builder().line("MaxAuthTries 2").start());
    let identities: Vec<_> = (1..=4).map(|n| keys.make(&format!("k{n}"), &["-t", "ed25519"])).collect();
    let failure = log_in(&endpoint(&sshd, &identities)).await.unwrap_err();
    assert_eq!(failure.kind, Kind::AuthExhausted, "{failure:?}");
    assert!(failure.message().contains("Too many authentication failures"), "{failure:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_agent_signs_once_per_login_and_is_bound_to_the_session() {
    let (sshd, agent) = (Sshd::builder().hosts(2).start(), Agent::start());
    agent.add(&sshd.identity(), &[]);
    let mut host = endpoint(&sshd, &[]);
    host.agent = asking(&agent);
    let connector = connector(&host);
    for login in 1..=3 {
        connector.connect(&host).await.unwrap();
        assert_eq!(
            (agent.asked(agent::SIGN), agent.asked(agent::LIST), agent.asked(agent::EXTENSION)),
            (login, login, login)
        );
    }
    assert_eq!(connector.waiting_for_agent(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_restricted_to_a_host_works_there_and_nowhere_else() {
    let (sshd, other, agent) = (Sshd::start(), Sshd::start(), Agent::start());
    let restricted = format!("[127.0.0.1]:{}", sshd.port());
    let known_hosts = sshd.known_hosts().display().to_string();
    agent.add(&sshd.identity(), &["-H", &known_hosts, "-h", &restricted]);
    let mut host = endpoint(&sshd, &[]);
    host.agent = asking(&agent);
    log_in(&host).await.unwrap();
    let mut elsewhere = endpoint(&other, &[]);
    elsewhere.agent = asking(&agent);
    let failure = log_in(&elsewhere).await.unwrap_err();
    assert!(failure.message().contains("the agent holds no keys for this host"), "{failure:?}");
}

#[test]
fn an_agent_that_is_not_there_is_one_note_unless_it_was_named() {
    let (keys, sshd) = (Keys::new(), Sshd::builder().hosts(3).start());
    fs::write(keys.path("file"), "").unwrap();
    for (name, words) in [("missing", "there is no agent at"), ("file", "is not the socket of an agent")] {
        let socket = keys.path(name).display().to_string();
        let ran = fan(&sshd.inventory_yaml(3), &keys)
            .env("SSH_AUTH_SOCK", &socket)
            .run(["exec", "-H", "all", "--", "true"]);
        assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
        assert_eq!(ran.stderr.matches(words).count(), 1, "{}", ran.stderr);
        let named = sshd.inventory_yaml(3).replace("defaults:\n", &format!("defaults:\n  agent: {socket}\n"));
        let ran = fan(&named, &keys).run(["exec", "-H", "all", "--", "true"]);
        assert_eq!(ran.code, Some(2), "{}", ran.snapshot());
        assert!(ran.stderr.contains(words), "{}", ran.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_hangs_is_given_up_and_the_next_key_is_tried() {
    let short = Duration::from_millis(300);
    let patience = AgentPatience { list: short, sign: short, turn: short };
    for silent in [&[agent::LIST][..], &[agent::SIGN]] {
        let silent: &'static [u8] = if silent == [agent::LIST] { &[agent::LIST] } else { &[agent::SIGN] };
        let (sshd, agent) = (Sshd::start(), Agent::silent_at(silent));
        agent.add(&sshd.identity(), &[]);
        let mut host = endpoint(&sshd, &[]);
        host.agent = asking(&agent);
        let connector = connector(&host).agent_patience(patience);
        let failure = connector.connect(&host).await.err().unwrap().failure;
        assert_eq!(failure.kind, Kind::AuthFailed);
        let words =
            if silent == [agent::LIST] { "did not answer within 0.3 s" } else { "did not sign within 0.3 s" };
        assert!(failure.message().contains(words), "{failure:?}");
        // The agent first, as without a named key; then the file.
        let mut with_file = endpoint(&sshd, &[sshd.identity()]);
        with_file.identities_named = NamedBy::Nobody;
        with_file.agent = asking(&agent);
        let keyring = {
            let mut keyring = Keyring::default();
            keyring.load(&sshd.identity()).unwrap();
            keyring
        };
        let connector = SshConnector::new(keyring, Arc::default()).agent_patience(patience);
        let connected = connector.connect(&with_file).await;
        assert_eq!(connected.is_ok(), silent == [agent::LIST], "{:?}", connected.err());
        // Asked in vain once, and never again in this run.
        if silent == [agent::SIGN] {
            let asked = agent.asked(agent::SIGN);
            assert!(connector.connect(&with_file).await.is_err());
            assert_eq!(agent.asked(agent::SIGN), asked);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_agent_is_forwarded_where_it_is_wanted_and_nowhere_else() {
    let (sshd, agent) = (Sshd::start(), Agent::start());
    agent.add(&sshd.identity(), &[]);
    let mut host = endpoint(&sshd, &[sshd.identity()]);
    host.agent = asking(&agent);
    let list = "ssh-add -l 2>&1; echo; ssh-add -l 2>&1; echo ${SSH_AUTH_SOCK:-none}";
    let said = says(&mut session(&host).await, list).await;
    assert!(said.contains("none\n") && !said.contains("ED25519"), "{said}");
    host.forward_agent = true;
    let mut session = session(&host).await;
    for _ in 0..2 {
        let said = says(&mut session, list).await;
        assert_eq!(said.matches("(ED25519)").count(), 2, "{said}");
    }
    // A signature through it, by a login from there to itself.
    let ssh = format!(
        "ssh -F none -o StrictHostKeyChecking=yes -o UserKnownHostsFile={} -o BatchMode=yes -p {} {}@127.0.0.1 echo through",
        sshd.known_hosts().display(),
        sshd.port(),
        sshd.user()
    );
    assert_eq!(says(&mut session, &ssh).await, "through\n", "{}", sshd.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_only_an_agent_could_use_is_missed_by_name() {
    let (_keys, sshd, key) = encrypted();
    let mut host = endpoint(&sshd, std::slice::from_ref(&key));
    let failure = log_in(&host).await.unwrap_err();
    assert!(failure.message().contains("key needs an agent, and there is none"), "{failure:?}");
    let agent = Agent::start();
    host.agent = asking(&agent);
    let failure = log_in(&host).await.unwrap_err();
    assert!(failure.message().contains("the agent does not hold "), "{failure:?}");
}

/// A throw-away host that is logged in to in one way.
async fn throw_away(login: SandboxLogin) -> (Sandbox, Endpoint) {
    let behaviour = Behaviour::Login(login);
    let sandbox = Sandbox::start(vec![HostSpec::new("h1").behaving(behaviour)]).await.unwrap();
    let host = host(
        sandbox.user(),
        sandbox.hosts()[0].address,
        sandbox.known_hosts(),
        &[sandbox.identity().to_owned()],
    );
    (sandbox, host)
}

fn with_password(host: Endpoint, password: &str) -> Endpoint {
    Endpoint { password: Some(Password::Known(Secret::new(password))), ..host }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_logs_in_and_is_sent_once() {
    let (sandbox, host) = throw_away(SandboxLogin::Password("hunter2".to_owned())).await;
    assert_eq!(log_in(&with_password(host.clone(), "hunter2")).await.unwrap(), "password");
    let before = sandbox.hosts()[0].auth_attempts();
    let keyless = Endpoint { identities: Arc::from([]), ..host.clone() };
    let failure = log_in(&with_password(keyless, "wrong")).await.unwrap_err();
    assert_eq!(failure.kind, Kind::AuthFailed);
    assert_eq!(failure.message(), "login as fan was refused: tried password; the server allows password");
    // `none`, and the password.
    assert_eq!(sandbox.hosts()[0].auth_attempts() - before, 2);
    let failure = log_in(&host).await.unwrap_err();
    assert_eq!(
        failure.hint.unwrap(),
        "the host takes a password: -k asks for one, `password:` names where it is kept"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dialogue_gets_the_password_for_one_hidden_question() {
    let question = |text: &str, shown| (text.to_owned(), shown);
    let hidden = || question("Password: ", false);
    for (empty_rounds, questions, expected) in [
        (0, vec![hidden()], "ok keyboard-interactive"),
        (5, vec![hidden()], "ok keyboard-interactive"),
        (6, vec![hidden()], "the host's questions did not end"),
        (0, vec![question("Your name: ", true)], "the host asks \"Your name:\", which fan does not answer"),
        (
            0,
            vec![hidden(), question("Verification code: ", false)],
            "the host asks \"Password:\", which fan does not answer",
        ),
    ] {
        let answer = "hunter2".to_owned();
        let (_sandbox, host) = throw_away(SandboxLogin::Dialogue { empty_rounds, questions, answer }).await;
        let said = match log_in(&with_password(host, "hunter2")).await {
            Ok(how) => format!("ok {how}"),
            Err(failure) => format!("{}; {}", failure.message(), failure.hint.unwrap()),
        };
        assert!(said.contains(expected), "{said}");
        // A password that is not what it failed for is not to be checked.
        let blames = said.contains("check it") || said.contains("authorized_keys");
        let explains = said.contains("`ssh` as fan shows what else is asked");
        assert!(!blames && explains != said.starts_with("ok"), "{said}");
    }
}

/// A server that asks again has not taken the password: that is what is said, and it is not sent a second time.
#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_is_asked_for_again_was_not_taken() {
    let (_sandbox, host) = throw_away(SandboxLogin::DialogueAgain("hunter2".to_owned())).await;
    assert_eq!(log_in(&with_password(host.clone(), "hunter2")).await.unwrap(), "keyboard-interactive");
    let failure = log_in(&with_password(host, "wrong")).await.unwrap_err();
    assert_eq!(failure.kind, Kind::AuthFailed);
    assert_eq!(
        failure.message(),
        "login as fan was refused: tried keyboard-interactive; the host asks for the password again: it \
         rejected it; the server allows keyboard-interactive"
    );
    assert_eq!(
        failure.hint.unwrap(),
        "the password is sent once and never again: check it, and the login name"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_proofs_are_given_where_two_are_wanted() {
    let secret = || "hunter2".to_owned();
    for (login, how) in [
        (SandboxLogin::KeyThenPassword(secret()), ["ED25519 SHA256:", " + password"]),
        (SandboxLogin::KeyThenDialogue(secret()), ["ED25519 SHA256:", " + keyboard-interactive"]),
        (SandboxLogin::PasswordThenKey(secret()), ["password + ED25519 SHA256:", ""]),
    ] {
        let (_sandbox, host) = throw_away(login.clone()).await;
        let said = log_in(&with_password(host.clone(), "hunter2")).await.unwrap();
        assert!(said.starts_with(how[0]) && said.ends_with(how[1]), "{login:?}: {said}");
        let failure = log_in(&host).await.unwrap_err();
        assert_eq!(failure.kind, Kind::AuthFailed);
        if how[0].starts_with("ED25519") {
            assert!(failure.message().contains("was accepted and is not enough"), "{failure:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_password_leaves_for_a_host_with_a_wrong_key() {
    let behaviour = Behaviour::WrongKey;
    let sandbox = Sandbox::start(vec![HostSpec::new("h1").behaving(behaviour)]).await.unwrap();
    let (address, agent) = (sandbox.hosts()[0].address, Agent::start());
    let mut host = with_password(host(sandbox.user(), address, sandbox.known_hosts(), &[]), "hunter2");
    host.agent = asking(&agent);
    assert_eq!(log_in(&host).await.unwrap_err().kind, Kind::HostKeyChanged);
    assert_eq!((sandbox.hosts()[0].auth_attempts(), agent.asked(agent::LIST)), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_asked_for_on_the_terminal_once_for_all_hosts() {
    let behaviour = Behaviour::Login(SandboxLogin::Password("hunter2".to_owned()));
    let specs = ["a", "b", "c"].map(|name| HostSpec::new(name).behaving(behaviour.clone()));
    let sandbox = Sandbox::start(specs.to_vec()).await.unwrap();
    let fan = Fan::new().file("inventory.yaml", crate::fixtures::support::sandbox_inventory(&sandbox));
    let (code, shown) = tokio::task::block_in_place(|| {
        on_terminal(&fan, "exec -k -H all -- echo logged_in", &[("SSH password: ", "hunter2\n")])
    });
    assert_eq!(code, Some(0), "{shown}");
    assert!(!shown.contains("hunter2") && shown.matches("SSH password").count() == 1, "{shown}");
    let ran = fan.run(["exec", "-k", "-H", "all", "--", "true"]);
    insta::assert_snapshot!(ran.snapshot(), @r#"
    exit code: 2
    --- stderr
    error: a password is needed ("SSH password"), and there is no terminal to ask on (help: say where it comes from: password: {env: NAME}, {file: PATH} or {command: LINE})
    "#);
}

/// A real sshd that takes passwords, and one that wants a key first and then the password.
#[test]
fn a_password_on_a_real_sshd() {
    if !rustix::process::geteuid().is_root() {
        not_run("a password on a real sshd", "only root can make a login with one");
        return;
    }
    for (line, keyed) in
        [("PubkeyAuthentication no", false), ("AuthenticationMethods publickey,password", true)]
    {
        let sshd = Sshd::builder().stranger("hunter2").line(line).start();
        let yaml = |from: &str| {
            let yaml =
                sshd.inventory_yaml(1).replace("defaults:\n", &format!("defaults:\n  password: {from}\n"));
            if keyed {
                yaml
            } else {
                yaml.replace(&format!("  identity: \"{}\"\n", sshd.identity().display()), "")
            }
        };
        let good = Fan::at(&sshd).file("inventory.yaml", yaml("{env: PASSWORD}")).env("PASSWORD", "hunter2");
        let ran = good.run(["exec", "-H", "all", "--", "id -un"]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "h1 | fan-stranger\n"), "{}", ran.snapshot());
        let bad = Fan::at(&sshd).file("inventory.yaml", yaml("{env: PASSWORD}")).env("PASSWORD", "wrong");
        let ran = bad.run(["exec", "-H", "all", "--", "true"]);
        assert_eq!(ran.code, Some(3), "{}", ran.snapshot());
        assert!(
            ran.stderr.contains("[auth_failed]") && !ran.stderr.contains("wrong\""),
            "{}",
            ran.snapshot()
        );
        // One wrong answer, and no second one.
        assert_eq!(sshd.log().matches("Failed password").count(), 1, "{}", sshd.log());
    }
}
