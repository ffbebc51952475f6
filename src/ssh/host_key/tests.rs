//! Every source of knowledge against every policy, and the words of each refusal.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use data_encoding::BASE64;
use russh::keys::ssh_key::certificate::{Builder, CertType};
use russh::keys::{Algorithm, Certificate, PrivateKey, PublicKey, PublicKeyOrCertificate};
use tempfile::TempDir;

use crate::model::endpoint::Endpoint;
use crate::model::host_key::Pin;
use crate::model::outcome::Kind;
use crate::model::settings::HostKeyPolicy;
use crate::ssh::host_key::decide::HostKeys;
use crate::ssh::host_key::judge::{Certificates, Decision, HostKey, Judge, KeyStanding};

const FROM: u64 = 1_700_000_000;
const UNTIL: u64 = 1_800_000_000;

/// A host of its own with its files.
struct JudgedHost {
    folder: TempDir,
    endpoint: Endpoint,
}

impl JudgedHost {
    fn new(known_hosts: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("known_hosts");
        fs::write(&file, known_hosts).unwrap();
        let endpoint =
            Endpoint { known_hosts: Arc::from([file]), ..Endpoint::new("web1", "h", 2222, "nobody") };
        Self { folder, endpoint }
    }

    fn policy(mut self, policy: HostKeyPolicy) -> Self {
        self.endpoint.host_key.policy = policy;
        self
    }

    fn pinned(mut self, pins: &[String]) -> Self {
        self.endpoint.host_key.pins = pins.iter().map(|pin| Pin::parse(pin).unwrap()).collect();
        self
    }

    fn revoked(mut self, text: &str) -> Self {
        let file = self.folder.path().join("revoked");
        fs::write(&file, text).unwrap();
        self.endpoint.host_key.revoked = Arc::from([file]);
        self
    }

    fn judge(&self) -> Judge {
        HostKeys::default().judge(&self.endpoint)
    }

    /// The decision in a word.
    fn decide(&self, key: &PrivateKey) -> &'static str {
        word(&self.judge().plain(&shown(key)))
    }

    fn file(&self) -> String {
        fs::read_to_string(self.folder.path().join("known_hosts")).unwrap()
    }

    /// A message without the folder of the test.
    fn portable(&self, text: &str) -> String {
        text.replace(&self.folder.path().display().to_string(), "~/.ssh")
    }
}

fn word(decision: &Decision) -> &'static str {
    match decision {
        Decision::Accept => "accept",
        Decision::AcceptAndRecord => "record",
        Decision::AskLater(_) => "ask",
        Decision::Refuse(failure) => failure.kind.as_str(),
    }
}

fn key() -> PrivateKey {
    PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519).unwrap()
}

/// A key that is the same in every run, for messages.
fn fixed(seed: u8) -> PrivateKey {
    russh::keys::ssh_key::private::Ed25519Keypair::from_seed(&[seed; 32]).into()
}

fn shown(key: &PrivateKey) -> HostKey {
    HostKey::from_blob(key.public_key().to_bytes().unwrap()).unwrap()
}

/// `TYPE BASE64`.
fn text(key: &PrivateKey) -> String {
    format!("{} {}", shown(key).key_type, BASE64.encode(&shown(key).blob))
}

fn rsa_line(host: &str) -> String {
    let wire = |parts: &[&[u8]]| -> Vec<u8> {
        parts
            .iter()
            .flat_map(|part| [&u32::try_from(part.len()).unwrap().to_be_bytes(), *part].concat())
            .collect()
    };
    format!("{host} ssh-rsa {}\n", BASE64.encode(&wire(&[b"ssh-rsa", &[1, 0, 1], &[0x7f; 256]])))
}

#[test]
fn policies_decide_only_about_the_unknown() {
    let (ours, other) = (key(), key());
    let (our, others) = (text(&ours), text(&other));
    for (case, file, strict, ask, accept_new) in [
        ("nothing", String::new(), "host_key_unknown", "ask", "record"),
        ("known", format!("[h]:2222 {our}\n"), "accept", "accept", "accept"),
        ("known on port 22", format!("h {our}\n"), "accept", "accept", "accept"),
        ("another on port 22", format!("h {others}\n"), "host_key_unknown", "ask", "record"),
        (
            "changed",
            format!("[h]:2222 {others}\n"),
            "host_key_changed",
            "host_key_changed",
            "host_key_changed",
        ),
        ("other type", rsa_line("[h]:2222"), "host_key_changed", "host_key_changed", "host_key_changed"),
        (
            "revoked",
            format!("[h]:2222 {our}\n@revoked * {our}\n"),
            "host_key_revoked",
            "host_key_revoked",
            "host_key_revoked",
        ),
        (
            "damaged",
            "[h]:2222 ssh-ed25519 AAAA\n".to_owned(),
            "host_key_store",
            "host_key_store",
            "host_key_store",
        ),
        (
            "certified host",
            format!("@cert-authority h {others}\n"),
            "host_key_unknown",
            "host_key_unknown",
            "host_key_unknown",
        ),
        ("certified elsewhere", format!("@cert-authority i {others}\n"), "host_key_unknown", "ask", "record"),
        (
            "certified and known",
            format!("@cert-authority * {others}\n[h]:2222 {our}\n"),
            "accept",
            "accept",
            "accept",
        ),
    ] {
        for (policy, expected) in [
            (HostKeyPolicy::Strict, strict),
            (HostKeyPolicy::Ask, ask),
            (HostKeyPolicy::AcceptNew, accept_new),
        ] {
            let host = JudgedHost::new(&file).policy(policy);
            assert_eq!(host.decide(&ours), expected, "{case}, {}", policy.as_str());
            let asks = ask == "ask" || case == "known on port 22";
            assert_eq!(host.judge().may_ask(), policy == HostKeyPolicy::Ask && asks, "{case}");
            assert_eq!(host.file(), file, "a decision writes nothing");
        }
    }
}

#[test]
fn a_pin_replaces_the_files_but_not_a_revocation() {
    let (ours, other) = (key(), key());
    let (our, others) = (text(&ours), text(&other));
    let pins = [our.clone(), shown(&ours).fingerprint];
    let accepting = |file: &str| JudgedHost::new(file).policy(HostKeyPolicy::AcceptNew);
    for pin in &pins {
        let pin = std::slice::from_ref(pin);
        assert_eq!(accepting(&format!("[h]:2222 {others}\n")).pinned(pin).decide(&ours), "accept");
        assert_eq!(accepting("[h]:2222 garbage\n").pinned(pin).decide(&ours), "accept");
        assert_eq!(accepting(&format!("[h]:2222 {others}\n")).pinned(pin).decide(&other), "host_key_changed");
        assert_eq!(accepting("").pinned(pin).decide(&other), "host_key_changed");
        assert_eq!(accepting(&format!("@revoked h {our}\n")).pinned(pin).decide(&ours), "host_key_revoked");
        assert_eq!(accepting("").pinned(pin).revoked(&our).decide(&ours), "host_key_revoked");
        let certified = format!("@cert-authority * {others}\n");
        assert_eq!(accepting(&certified).pinned(pin).judge().wanted().certificates, Certificates::Unwanted);
    }
    assert_eq!(accepting("").pinned(&[others, our]).decide(&ours), "accept");
    assert_eq!(accepting("").pinned(&pins).judge().wanted().first, ["ssh-ed25519"]);
}

#[test]
fn files_of_revoked_keys_win_and_fail_closed() {
    let ours = key();
    let known = format!("[h]:2222 {}\n", text(&ours));
    assert_eq!(
        JudgedHost::new(&known).revoked(&format!("# old\n{}\n", text(&ours))).decide(&ours),
        "host_key_revoked"
    );
    assert_eq!(JudgedHost::new(&known).revoked(&text(&key())).decide(&ours), "accept");
    assert_eq!(JudgedHost::new(&known).revoked("garbage\n").decide(&ours), "host_key_store");
    let mut missing = JudgedHost::new(&known);
    missing.endpoint.host_key.revoked = Arc::from([PathBuf::from("/nonexistent/revoked")]);
    assert_eq!(missing.decide(&ours), "host_key_store");
}

#[test]
fn an_alias_is_looked_up_without_a_port() {
    let ours = key();
    let mut host = JudgedHost::new(&format!("alias {}\n", text(&ours)));
    assert_eq!(host.decide(&ours), "host_key_unknown");
    host.endpoint.host_key.alias = Some(Arc::from("Alias"));
    assert_eq!(host.decide(&ours), "accept");
    assert_eq!(host.decide(&key()), "host_key_changed");
}

fn certificate(subject: &PrivateKey, authority: &PrivateKey, principal: Option<&str>) -> Certificate {
    let subject = subject.public_key().key_data().clone();
    let mut builder = Builder::new([7; 16], subject, FROM, UNTIL).unwrap();
    builder.cert_type(CertType::Host).unwrap().key_id("test").unwrap();
    match principal {
        Some(name) => builder.valid_principal(name).unwrap(),
        None => builder.all_principals_valid().unwrap(),
    };
    builder.sign(authority).unwrap()
}

#[test]
fn a_certificate_is_judged_by_its_authority_and_else_by_its_key() {
    let (ours, other, authority, stranger) = (key(), key(), key(), key());
    let (our, others, ca, foreign) = (text(&ours), text(&other), text(&authority), text(&stranger));
    let good = certificate(&ours, &authority, Some("h"));
    let misnamed = certificate(&ours, &authority, Some("i"));
    let nameless = certificate(&ours, &authority, None);
    for (case, file, shown, expected) in [
        ("good", format!("@cert-authority h {ca}\n"), &good, "accept"),
        ("with the port", format!("@cert-authority [h]:2222 {ca}\n"), &good, "accept"),
        ("for another port", format!("@cert-authority [h]:22 {ca}\n"), &good, "host_key_unknown"),
        ("by a pattern", format!("@cert-authority *,!i {ca}\n"), &good, "accept"),
        ("for another host", format!("@cert-authority i {ca}\n"), &good, "host_key_unknown"),
        ("another authority", format!("@cert-authority h {foreign}\n"), &good, "host_key_unknown"),
        ("a plain line with the authority's key", format!("[h]:2222 {ca}\n"), &good, "host_key_changed"),
        ("other name", format!("@cert-authority * {ca}\n"), &misnamed, "host_key_unknown"),
        ("no names", format!("@cert-authority * {ca}\n"), &nameless, "host_key_unknown"),
        (
            "authority revoked",
            format!("@cert-authority * {ca}\n@revoked h {ca}\n"),
            &good,
            "host_key_revoked",
        ),
        (
            "authority revoked elsewhere",
            format!("@cert-authority * {ca}\n@revoked i {ca}\n"),
            &good,
            "accept",
        ),
        ("key revoked", format!("@cert-authority * {ca}\n@revoked * {our}\n"), &good, "host_key_revoked"),
        ("other key recorded", format!("@cert-authority * {ca}\n[h]:2222 {others}\n"), &good, "accept"),
        ("no authority, key recorded", format!("[h]:2222 {our}\n"), &good, "accept"),
        ("no names, key recorded", format!("@cert-authority * {ca}\n[h]:2222 {our}\n"), &nameless, "accept"),
        (
            "no names, other key",
            format!("@cert-authority * {ca}\n[h]:2222 {others}\n"),
            &nameless,
            "host_key_changed",
        ),
        ("damaged line", format!("@cert-authority * {ca}\n[h]:2222 x\n"), &good, "host_key_store"),
    ] {
        // A certificate that proves nothing is never written down.
        let host = JudgedHost::new(&file).policy(HostKeyPolicy::AcceptNew);
        let decision = host.judge().certificate(shown, UNIX_EPOCH + Duration::from_secs(FROM));
        assert_eq!(word(&decision), expected, "{case}: {decision:?}");
    }
    let host = JudgedHost::new(&format!("@cert-authority h {ca}\n"));
    assert_eq!(host.judge().wanted().certificates, Certificates::OfAll);
    let revoking = JudgedHost::new(&format!("[h]:2222 {our}\n@revoked * {ca}\n"));
    assert_eq!(revoking.judge().wanted().certificates, Certificates::OfFirst);
    let late = host.judge().certificate(&good, UNIX_EPOCH + Duration::from_secs(UNTIL));
    assert_eq!(word(&late), "host_key_unknown");
    assert_eq!(
        word(&host.revoked(&ca).judge().certificate(&good, UNIX_EPOCH + Duration::from_secs(FROM))),
        "host_key_revoked"
    );
    let pinned = JudgedHost::new(&format!("@cert-authority h {ca}\n")).pinned(&[others]);
    assert_eq!(
        word(&pinned.judge().certificate(&good, UNIX_EPOCH + Duration::from_secs(FROM))),
        "host_key_changed"
    );
}

#[tokio::test]
async fn a_new_key_is_written_before_it_is_accepted() {
    let host = JudgedHost::new("").policy(HostKeyPolicy::AcceptNew);
    let (ours, other) = (key(), key());
    let keys = HostKeys::default();
    let judge = keys.judge(&host.endpoint);
    let shown = |key: &PrivateKey| PublicKeyOrCertificate::from(key.public_key().clone());
    judge.admit(&shown(&ours)).await.unwrap();
    assert_eq!(host.file(), format!("[h]:2222 {}\n", text(&ours)));
    // The same judge, who read the file when it was empty.
    judge.admit(&shown(&ours)).await.unwrap();
    assert_eq!(judge.admit(&shown(&other)).await.unwrap_err().kind, Kind::HostKeyChanged);
    assert_eq!(host.file().lines().count(), 1);
}

#[tokio::test]
async fn a_key_that_cannot_be_written_is_refused() {
    let mut host = JudgedHost::new("").policy(HostKeyPolicy::AcceptNew);
    let ours = PublicKeyOrCertificate::from(key().public_key().clone());
    let below_a_file = host.folder.path().join("known_hosts/x");
    // What is below a file cannot be read either, so only the writer gets that far.
    for (files, kind) in [
        (vec![PathBuf::from("/dev/null")], Kind::HostKeyStore),
        (vec![], Kind::HostKeyStore),
        (vec![below_a_file], Kind::HostKeyStore),
        (vec![host.folder.path().join("no/folder/here")], Kind::LocalIo),
    ] {
        host.endpoint.known_hosts = Arc::from(files.clone());
        let failure = HostKeys::default().judge(&host.endpoint).admit(&ours).await.unwrap_err();
        assert_eq!(failure.kind, kind, "{files:?}");
    }
}

#[tokio::test]
async fn what_is_no_plain_key_is_never_recorded() {
    let host = JudgedHost::new("").policy(HostKeyPolicy::AcceptNew);
    let certificate = certificate(&key(), &key(), Some("h"));
    // What a server could send where a plain key was negotiated.
    let disguised =
        PublicKey::from(russh::keys::ssh_key::public::KeyData::Certificate(Box::new(certificate)));
    let failure = host.judge().admit(&PublicKeyOrCertificate::from(disguised)).await.unwrap_err();
    assert_eq!(failure.kind, Kind::Protocol);
    assert_eq!(host.file(), "");
}

#[test]
fn standings_tell_a_new_type_from_a_changed_key() {
    let (ours, other) = (key(), key());
    let ecdsa =
        PrivateKey::random(&mut rand::rng(), Algorithm::Ecdsa { curve: russh::keys::EcdsaCurve::NistP256 })
            .unwrap();
    let keys = [shown(&ours), shown(&ecdsa)];
    let words = |host: &JudgedHost| -> String {
        let all = host.judge().standings(&keys);
        let word = |standing: &KeyStanding| match standing {
            KeyStanding::Pinned => "pinned",
            KeyStanding::Unneeded => "unneeded",
            KeyStanding::Known(_) => "known",
            KeyStanding::New => "new",
            KeyStanding::Changed(_) => "changed",
            KeyStanding::Revoked(_) => "revoked",
            KeyStanding::Unclear(_) => "unclear",
        };
        all.iter().map(word).collect::<Vec<_>>().join(" ")
    };
    let (our, others, second) = (text(&ours), text(&other), text(&ecdsa));
    for (file, expected) in [
        (String::new(), "new new"),
        (format!("[h]:2222 {our}\n"), "known new"),
        (format!("[h]:2222 {second}\n"), "new known"),
        (format!("[h]:2222 {our}\n[h]:2222 {second}\n"), "known known"),
        (format!("[h]:2222 {others}\n"), "changed changed"),
        (format!("[h]:2222 {others}\n[h]:2222 {second}\n"), "changed known"),
        (rsa_line("[h]:2222"), "changed changed"),
        (format!("@revoked * {our}\n"), "revoked new"),
        ("[h]:2222 garbage\n".to_owned(), "unclear unclear"),
    ] {
        assert_eq!(words(&JudgedHost::new(&file)), expected, "{file}");
    }
    assert_eq!(words(&JudgedHost::new("").pinned(&[our])), "pinned unneeded");
    assert_eq!(words(&JudgedHost::new("").pinned(&[others])), "changed changed");
}

#[test]
fn refusals_say_what_and_where_and_what_to_do() {
    let (ours, other) = (fixed(1), fixed(2));
    let (our, others) = (text(&ours), text(&other));
    let mut told = String::new();
    for host in [
        JudgedHost::new(""),
        JudgedHost::new(&format!("[h]:2222 {others}\n* {others}\n")),
        JudgedHost::new(&format!("@revoked h {our}\n")),
        JudgedHost::new("[h]:2222 ssh-ed25519 AAAA\n"),
        JudgedHost::new(&format!("@cert-authority * {others}\n")),
        JudgedHost::new("").pinned(&[others.clone(), shown(&other).fingerprint]),
    ] {
        let Decision::Refuse(failure) = host.judge().plain(&shown(&ours)) else {
            panic!("every one of them is refused");
        };
        let (kind, message) = (failure.kind, failure.message());
        told += &host.portable(&format!("{kind}: {message}\n  hint: {}\n", failure.hint.unwrap()));
    }
    insta::assert_snapshot!(told, @r"
    host_key_unknown: the host's key is not known: ssh-ed25519 SHA256:fe85JkIjo8VPe+XqXJGH5Mau1EMFdK1OdKvJUFicyA8
      hint: compare the fingerprint with one from a trusted source, then: fan trust -H web1
    host_key_changed: HOST KEY CHANGED: the host shows ssh-ed25519 SHA256:fe85JkIjo8VPe+XqXJGH5Mau1EMFdK1OdKvJUFicyA8; recorded: ssh-ed25519 SHA256:4A9jyZBOhnKZvcGQ6TRFbf5Gymb41AfYvYaVmWHD+G4 at ~/.ssh/known_hosts:1, ssh-ed25519 SHA256:4A9jyZBOhnKZvcGQ6TRFbf5Gymb41AfYvYaVmWHD+G4 at ~/.ssh/known_hosts:2
      hint: someone may be in the middle. If the host was reinstalled: ssh-keygen -R '[h]:2222' -f ~/.ssh/known_hosts; then fan trust -H web1
    host_key_revoked: HOST KEY REVOKED: ssh-ed25519 SHA256:fe85JkIjo8VPe+XqXJGH5Mau1EMFdK1OdKvJUFicyA8 is revoked at ~/.ssh/known_hosts:1
      hint: do not connect: the key was stolen or retired
    host_key_store: cannot check the host's key: ~/.ssh/known_hosts:1: a line about this host is unusable: the key is damaged or cut off
      hint: correct or delete line 1 of ~/.ssh/known_hosts
    host_key_unknown: the host shows a key without a certificate: ssh-ed25519 SHA256:fe85JkIjo8VPe+XqXJGH5Mau1EMFdK1OdKvJUFicyA8
      hint: a @cert-authority line covers this host: set HostCertificate in its sshd_config; or compare the fingerprint with one from a trusted source, then: fan trust -H web1
    host_key_changed: HOST KEY CHANGED: the host shows ssh-ed25519 SHA256:fe85JkIjo8VPe+XqXJGH5Mau1EMFdK1OdKvJUFicyA8; pinned: ssh-ed25519 SHA256:4A9jyZBOhnKZvcGQ6TRFbf5Gymb41AfYvYaVmWHD+G4, SHA256:4A9jyZBOhnKZvcGQ6TRFbf5Gymb41AfYvYaVmWHD+G4
      hint: someone may be in the middle. If the pin is the fingerprint of a key of another type, pin the whole key: host_key: ssh-rsa AAAA…
    ");
}
