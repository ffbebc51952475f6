//! Key files as OpenSSH writes them, and as people break them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::ssh::wire::put_string;

const PASSPHRASE: &str = "open sesame";

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn ssh_keygen(args: &[&str]) {
    // The dates of certificates are in local time.
    let made = Command::new("ssh-keygen").env("TZ", "UTC").args(args).output().unwrap();
    assert!(made.status.success(), "{args:?}: {}", String::from_utf8_lossy(&made.stderr));
}

/// Makes a key `name` in a folder; `args` say which.
fn make(folder: &TempDir, name: &str, args: &str) -> PathBuf {
    let path = folder.path().join(name);
    let mut words = vec!["-q", "-C", "", "-f", path.to_str().unwrap()];
    words.extend(args.split(' '));
    if !args.contains("-N ") {
        words.extend(["-N", ""]);
    }
    ssh_keygen(&words);
    path
}

fn write(folder: &TempDir, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path
}

fn load(path: &Path) -> Result<Identity, KeyError> {
    let mut keyring = Keyring::default();
    keyring.load(path)?;
    Ok(keyring.get(path).unwrap().clone())
}

/// What is said of a file, without its folder.
fn said(path: &Path) -> String {
    let error = match load(path) {
        Ok(identity) => return format!("{identity:?}"),
        Err(error) => error,
    };
    let name = path.file_name().unwrap().to_str().unwrap();
    format!("{name}: {} ({})", error.message, error.hint.as_deref().unwrap_or("no hint"))
}

fn armoured(label: &str, bytes: &[u8]) -> String {
    let body = data_encoding::BASE64.encode(bytes);
    format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
}

/// An OpenSSH container without its secret part.
fn container(cipher: &str, rounds: u32, public: &[u8]) -> String {
    let mut bytes = b"openssh-key-v1\0".to_vec();
    put_string(&mut bytes, cipher.as_bytes());
    put_string(&mut bytes, if cipher == "none" { b"none" } else { b"bcrypt" });
    let mut options = Vec::new();
    if cipher != "none" {
        put_string(&mut options, &[7; 16]);
        options.extend(rounds.to_be_bytes());
    }
    put_string(&mut bytes, &options);
    bytes.extend([0, 0, 0, 1]);
    put_string(&mut bytes, public);
    put_string(&mut bytes, &[0; 64]);
    armoured("OPENSSH PRIVATE KEY", &bytes)
}

fn blob(parts: &[&[u8]]) -> Vec<u8> {
    let mut blob = Vec::new();
    for part in parts {
        put_string(&mut blob, part);
    }
    blob
}

#[test]
fn every_kind_of_key_can_sign() {
    let folder = folder();
    for (name, args, kind) in [
        ("ed25519", "-t ed25519", "ssh-ed25519"),
        ("p256", "-t ecdsa -b 256", "ecdsa-sha2-nistp256"),
        ("p384", "-t ecdsa -b 384", "ecdsa-sha2-nistp384"),
        ("p521", "-t ecdsa -b 521", "ecdsa-sha2-nistp521"),
        ("p256_pem", "-t ecdsa -b 256 -m PEM", "ecdsa-sha2-nistp256"),
        ("p521_pem", "-t ecdsa -b 521 -m PEM", "ecdsa-sha2-nistp521"),
        ("p384_pkcs8", "-t ecdsa -b 384 -m PKCS8", "ecdsa-sha2-nistp384"),
        ("rsa", "-t rsa -b 2048", "ssh-rsa"),
        ("rsa_pem", "-t rsa -b 2048 -m PEM", "ssh-rsa"),
        ("rsa_pkcs8", "-t rsa -b 2048 -m PKCS8", "ssh-rsa"),
    ] {
        let path = make(&folder, name, args);
        match load(&path) {
            Ok(Identity::Private(key)) => {
                assert_eq!(key.public_key().algorithm().as_str(), kind, "{name}");
                let public = fs::read_to_string(beside(&path, ".pub")).unwrap();
                let public = public.split(' ').nth(1).unwrap();
                let blob = key.public_key().to_bytes().unwrap();
                assert_eq!(data_encoding::BASE64.encode(&blob), public.trim(), "{name}");
            }
            other => panic!("{name}: {other:?}"),
        }
    }
    let mut pkcs8 = data_encoding::HEXLOWER.decode(b"302e020100300506032b657004220420").unwrap();
    pkcs8.extend([42; 32]);
    let path = write(&folder, "ed25519_pkcs8", armoured("PRIVATE KEY", &pkcs8));
    assert!(matches!(load(&path), Ok(Identity::Private(_))));
}

/// OpenSSH leaves the leading zeros of the number out.
#[test]
fn an_ecdsa_key_with_a_small_number_is_a_key_like_others() {
    let folder = folder();
    let mut sec1 = data_encoding::HEXLOWER.decode(b"303102010104200000").unwrap();
    sec1.extend([0x42; 30]);
    sec1.extend(data_encoding::HEXLOWER.decode(b"a00a06082a8648ce3d030107").unwrap());
    let KeyContent::Open(key) = decode::decode(&armoured("EC PRIVATE KEY", &sec1)).unwrap() else { panic!() };
    let public = key.public_key().to_bytes().unwrap();
    let point = &public[public.len() - 65..];
    let mut secret = vec![1; 8];
    secret.extend(blob(&[b"ecdsa-sha2-nistp256", b"nistp256", point, &[0x42; 30], b""]));
    secret.extend((1..=7).take(secret.len().next_multiple_of(8) - secret.len()));
    let mut bytes = b"openssh-key-v1\0".to_vec();
    bytes.extend(blob(&[b"none", b"none", b""]));
    bytes.extend([0, 0, 0, 1]);
    bytes.extend(blob(&[&public, &secret]));
    let body = data_encoding::BASE64.encode(&bytes);
    let lines: Vec<&str> =
        body.as_bytes().chunks(70).map(|line| std::str::from_utf8(line).unwrap()).collect();
    let label = "OPENSSH PRIVATE KEY";
    let text = format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"));
    let path = write(&folder, "small", text);
    assert_eq!(load(&path).unwrap().public(), Some(key.public_key()));
    ssh_keygen(&["-q", "-p", "-a", "1", "-P", "", "-N", PASSPHRASE, "-f", path.to_str().unwrap()]);
    let mut keyring = Keyring::default();
    keyring.load(&path).unwrap();
    assert!(!keyring.unlock(&path, &Secret::new("wrong")).unwrap());
    assert!(keyring.unlock(&path, &Secret::new(PASSPHRASE)).unwrap());
}

#[test]
fn line_ends_of_windows_and_a_missing_last_one_are_no_fault() {
    let folder = folder();
    let text = fs::read_to_string(make(&folder, "key", "-t ed25519")).unwrap();
    for (name, text) in [
        ("crlf", text.replace('\n', "\r\n")),
        ("no_newline", text.trim_end().to_owned()),
        ("bom", format!("\u{feff}{text}")),
        ("indented", text.lines().fold(String::new(), |all, line| all + "  " + line + "\n")),
    ] {
        let path = write(&folder, name, text);
        assert!(matches!(load(&path), Ok(Identity::Private(_))), "{}", said(&path));
    }
}

#[test]
fn encrypted_keys_open_with_their_passphrase_and_no_other() {
    let folder = folder();
    let secret = Secret::new(PASSPHRASE);
    for (name, args, public_is_open) in [
        ("ctr", "-t ed25519 -a 1", true),
        ("cbc", "-t ed25519 -a 1 -Z aes128-cbc", true),
        ("gcm", "-t ecdsa -a 1 -Z aes256-gcm@openssh.com", true),
        ("chacha", "-t ed25519 -a 1 -Z chacha20-poly1305@openssh.com", true),
        ("rsa_legacy", "-t rsa -b 2048 -m PEM", false),
        ("rsa_pkcs8", "-t rsa -b 2048 -m PKCS8", false),
        ("p256_pkcs8", "-t ecdsa -m PKCS8", false),
    ] {
        let path = folder.path().join(name);
        let mut words = vec!["-q", "-C", "", "-f", path.to_str().unwrap(), "-N", PASSPHRASE];
        words.extend(args.split(' '));
        ssh_keygen(&words);
        let beside = fs::read(beside(&path, ".pub")).unwrap();
        fs::remove_file(super::beside(&path, ".pub")).unwrap();
        let mut keyring = Keyring::default();
        keyring.load(&path).unwrap();
        let locked = keyring.locked();
        assert_eq!(locked.len(), 1, "{name}");
        assert_eq!(locked[0].1.is_some(), public_is_open, "{name}");
        assert!(!keyring.unlock(&path, &Secret::new("wrong")).unwrap(), "{name}");
        assert!(keyring.unlock(&path, &secret).unwrap(), "{name}");
        assert!(matches!(keyring.get(&path), Some(Identity::Private(_))), "{name}");
        assert!(keyring.locked().is_empty());
        write(&folder, &format!("{name}.pub"), beside);
        let mut keyring = Keyring::default();
        keyring.load(&path).unwrap();
        keyring.leave_to_agent(&path);
        assert!(matches!(keyring.get(&path), Some(Identity::AgentOnly(_))), "{name}");
    }
}

#[test]
fn a_key_in_hardware_is_left_to_the_agent() {
    let folder = folder();
    let ed25519 = blob(&[b"sk-ssh-ed25519@openssh.com", &[9; 32], b"ssh:"]);
    for (name, cipher) in [("open", "none"), ("with_pin", "aes256-ctr")] {
        let path = write(&folder, name, container(cipher, 16, &ed25519));
        let identity = load(&path).unwrap();
        assert!(matches!(identity, Identity::AgentOnly(_)), "{identity:?}");
        assert!(describe(identity.public().unwrap()).starts_with("SK-ED25519 SHA256:"));
    }
}

#[test]
fn every_bad_file_has_its_own_sentence() {
    let folder = folder();
    let good = make(&folder, "good", "-t ed25519");
    let text = fs::read_to_string(&good).unwrap();
    let certificate = {
        let public = beside(&good, ".pub");
        ssh_keygen(&["-q", "-s", good.to_str().unwrap(), "-I", "x", "-n", "x", public.to_str().unwrap()]);
        fs::read_to_string(beside(&good, "-cert.pub")).unwrap()
    };
    let mut lines: Vec<&str> = text.lines().collect();
    lines.remove(2);
    let plain = blob(&[b"ssh-ed25519", &[9; 32]]);
    let files = [
        write(&folder, "empty", ""),
        write(&folder, "blank", "\n \n"),
        write(&folder, "noise", "hello world"),
        write(&folder, "binary", b"\x00\xff\xfe\x80"),
        write(&folder, "certificate", certificate),
        write(&folder, "ppk", "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n"),
        write(&folder, "tls", armoured("CERTIFICATE", b"x")),
        write(&folder, "ssh.com", armoured("SSH2 ENCRYPTED PRIVATE KEY", b"x")),
        write(&folder, "pgp", armoured("PGP PRIVATE KEY BLOCK", b"x")),
        write(&folder, "dsa_pem", armoured("DSA PRIVATE KEY", b"x")),
        write(&folder, "dsa", container("none", 0, &blob(&[b"ssh-dss", b"p", b"q", b"g", b"y"]))),
        write(&folder, "xmss", container("none", 0, &blob(&[b"ssh-xmss@openssh.com"]))),
        make(&folder, "rsa1024", "-t rsa -b 1024"),
        write(&folder, "cut", text.lines().take(4).map(|line| line.to_owned() + "\n").collect::<String>()),
        write(&folder, "short", lines.join("\n")),
        write(&folder, "nothing", "-----BEGIN OPENSSH PRIVATE KEY-----\n-----END OPENSSH PRIVATE KEY-----\n"),
        write(&folder, "twice", format!("{text}{text}")),
        write(&folder, "cipher", container("rot13", 16, &plain)),
        write(&folder, "rounds", container("aes256-ctr", 1 << 31, &plain)),
        write(
            &folder,
            "old_pem",
            "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: DES-EDE3-CBC,AB12\n\nAAAA\n-----END RSA PRIVATE KEY-----\n",
        ),
        write(&folder, "der", armoured("PRIVATE KEY", &[0x30, 0x80, 1, 2, 3])),
        write(&folder, "huge", vec![b'x'; 1024 * 1024 + 1]),
        write(&folder, "large", armoured("RSA PRIVATE KEY", &[0; 40_000])),
        folder.path().join("missing"),
        folder.path().to_owned(),
    ];
    let name = folder.path().file_name().unwrap().to_str().unwrap();
    let sentences: Vec<String> = files.iter().map(|path| said(path).replace(name, "folder")).collect();
    insta::assert_snapshot!(sentences.join("\n"), @r#"
    empty: the file is empty (is the path right?)
    blank: the file is empty (is the path right?)
    noise: not a private key (name a file that ssh-keygen wrote)
    binary: not a text file (is the path right?)
    certificate: this is a certificate (name the private key here, and the certificate in `certificates:`)
    ppk: a key in PuTTY's format (convert it: puttygen KEY -O private-openssh -o NEW)
    tls: this is a TLS certificate, not a key (name the private key)
    ssh.com: a key in the format of ssh.com (convert it: ssh-keygen -i -f KEY > NEW && chmod 600 NEW)
    pgp: not an SSH private key (name a file that ssh-keygen wrote)
    dsa_pem: DSA keys are no longer accepted by SSH servers (make a new key: ssh-keygen -t ed25519)
    dsa: DSA keys are no longer accepted by SSH servers (make a new key: ssh-keygen -t ed25519)
    xmss: keys of type "ssh-xmss@openssh.com" are not supported (make a new key: ssh-keygen -t ed25519)
    rsa1024: an RSA key of 1024 bits is too weak (2048 at least) (make a new key: ssh-keygen -t ed25519)
    cut: the key is cut off: its last line, "-----END OPENSSH PRIVATE KEY-----", is missing (copy the whole file again)
    short: the key is damaged (copy the file again; `ssh-keygen -y -f KEY` shows whether it is whole)
    nothing: the key is damaged (copy the file again; `ssh-keygen -y -f KEY` shows whether it is whole)
    twice: there is something after the key's last line (keep one key in the file and nothing else)
    cipher: the key is encrypted with an unknown cipher, "rot13" (rewrite it: ssh-keygen -p -a 24 -f KEY)
    rounds: opening the key takes 2147483648 rounds of bcrypt: too many (limit 4096) (rewrite it: ssh-keygen -p -a 24 -f KEY)
    old_pem: the key is encrypted by an old method (DES-EDE3-CBC) (rewrite it in today's format: ssh-keygen -p -f KEY)
    der: the key is damaged (copy the file again; `ssh-keygen -y -f KEY` shows whether it is whole)
    huge: larger than 1048576 bytes (is the path right?)
    large: larger than any key (is the path right?)
    missing: there is no such file (is the path right?)
    folder: this is a folder (name a file in it)
    "#);
}

#[test]
fn mode_and_owner_count_and_a_public_key_is_called_one_first() {
    let folder = folder();
    let key = make(&folder, "key", "-t ed25519");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(said(&key), "key: the key is readable by others (mode 0644) (chmod 600 the file)");
    assert_eq!(
        said(&beside(&key, ".pub")),
        "key.pub: this is a public key (use the private key: the same name without .pub)"
    );
}

#[test]
fn halves_that_do_not_belong_together_are_noticed() {
    let folder = folder();
    let text = fs::read_to_string(make(&folder, "key", "-t ed25519")).unwrap();
    let body: String = text.lines().filter(|line| !line.starts_with('-')).collect();
    let mut bytes = data_encoding::BASE64.decode(body.as_bytes()).unwrap();
    // The public half stands in front, at the end of the private half, and after its type in there.
    let public: Vec<u8> = bytes[62..94].to_vec();
    let places: Vec<usize> = (0..=bytes.len() - 32).filter(|&at| bytes[at..at + 32] == public).collect();
    assert_eq!(places.len(), 3, "{places:?}");
    let other = russh::keys::PrivateKey::random(&mut rand::rng(), russh::keys::Algorithm::Ed25519).unwrap();
    let other = other.public_key().to_bytes().unwrap();
    for at in places {
        bytes[at..at + 32].copy_from_slice(&other[19..]);
    }
    let path = write(&folder, "mixed", armoured("OPENSSH PRIVATE KEY", &bytes));
    assert!(said(&path).starts_with("mixed: the key is damaged"), "{}", said(&path));
}

mod certificates {
    use super::*;

    /// Signs `key` and puts the certificate beside it.
    fn sign(folder: &TempDir, key: &Path, args: &str) -> PathBuf {
        let ca = folder.path().join("ca");
        if !ca.exists() {
            make(folder, "ca", "-t ed25519");
        }
        let public = beside(key, ".pub");
        let mut words = vec!["-q", "-s", ca.to_str().unwrap(), "-I", "x"];
        words.extend(args.split(' ').filter(|word| !word.is_empty()));
        words.push(public.to_str().unwrap());
        ssh_keygen(&words);
        beside(key, "-cert.pub")
    }

    /// What is said when the certificate beside a key is found.
    fn found(key: &Path) -> (usize, Vec<String>) {
        let mut keyring = Keyring::default();
        keyring.load(key).unwrap();
        let public = keyring.get(key).unwrap().public().unwrap().clone();
        let count = keyring.certificates(Some(key), &[], &public).count();
        let folder = format!("{}/", key.parent().unwrap().display());
        let warnings = keyring.take_warnings();
        (count, warnings.iter().map(|warning| without_clock(&warning.replace(&folder, ""))).collect())
    }

    /// The local time changes from run to run.
    fn without_clock(text: &str) -> String {
        match text.split_once("clock says ") {
            Some((before, after)) => format!("{before}clock says <now>{}", after.get(20..).unwrap()),
            None => text.to_owned(),
        }
    }

    #[test]
    fn the_certificate_beside_a_key_is_found_and_judged() {
        let folder = folder();
        let key = make(&folder, "key", "-t ed25519");
        assert_eq!(found(&key), (0, vec![]));
        let mut cases = Vec::new();
        for args in [
            "-n deploy",
            "",
            "-n deploy -V 20200101:20200102",
            "-n deploy -V 20900101:20900102",
            "-h -n deploy",
        ] {
            sign(&folder, &key, args);
            cases.push(format!("{args}: {:?}", found(&key)));
        }
        let other = make(&folder, "other", "-t ed25519");
        fs::copy(sign(&folder, &other, "-n deploy"), beside(&key, "-cert.pub")).unwrap();
        cases.push(format!("other: {:?}", found(&key)));
        fs::write(beside(&key, "-cert.pub"), "ssh-ed25519-cert-v01@openssh.com AAAA x").unwrap();
        cases.push(format!("damaged: {:?}", found(&key)));
        insta::assert_snapshot!(cases.join("\n"), @r#"
        -n deploy: (1, [])
        : (1, ["key-cert.pub: the certificate names no principals: most servers refuse it (ssh-keygen -s CA -n USER)"])
        -n deploy -V 20200101:20200102: (0, ["key-cert.pub: the certificate expired at 2020-01-02T00:00:00Z (this machine's clock says <now>); it is not offered"])
        -n deploy -V 20900101:20900102: (0, ["key-cert.pub: the certificate is not valid until 2090-01-01T00:00:00Z (this machine's clock says <now>); it is not offered"])
        -h -n deploy: (0, ["key-cert.pub: this is a certificate for a host, not for a user; it is not offered"])
        other: (0, ["key-cert.pub: the certificate is for another key than key; it is not offered"])
        damaged: (0, ["key-cert.pub: the certificate is damaged; it is not offered"])
        "#);
    }

    #[test]
    fn a_named_certificate_has_to_be_good() {
        let folder = folder();
        let key = make(&folder, "key", "-t rsa -b 2048");
        let mut keyring = Keyring::default();
        let good = sign(&folder, &key, "-n deploy");
        keyring.load_certificate(&good).unwrap();
        keyring.load(&key).unwrap();
        let named = [good.clone()];
        let public = keyring.get(&key).unwrap().public().unwrap().clone();
        assert_eq!(keyring.certificates(None, &named, &public).count(), 1);
        let certificate = Arc::clone(keyring.certificates(None, &named, &public).next().unwrap());
        assert!(describe_certificate(&certificate).starts_with("RSA-CERT SHA256:"));
        assert_eq!(doubt(&certificate, "deploy"), None);
        assert_eq!(doubt(&certificate, "root").unwrap(), "the certificate is for deploy, not for root");
        let mut cases = Vec::new();
        let expired = sign(&folder, &key, "-n deploy -V 20200101:20200102");
        let missing = folder.path().join("missing");
        for path in [&expired, &missing, &beside(&key, ".pub"), &key] {
            let error = Keyring::default().load_certificate(path).unwrap_err();
            cases.push(format!("{} ({:?})", without_clock(&error.message), error.hint));
        }
        insta::assert_snapshot!(cases.join("\n"), @r#"
        the certificate expired at 2020-01-02T00:00:00Z (this machine's clock says <now>) (Some("get a new one"))
        there is no such file (Some("is the path right?"))
        this is a public key, not a certificate (Some("certificates end in -cert.pub"))
        not an SSH certificate (Some("name a file that ssh-keygen -s wrote"))
        "#);
    }
}

/// Texts of good keys, to be spoilt.
fn samples() -> Vec<String> {
    let folder = folder();
    let mut pkcs8 = data_encoding::HEXLOWER.decode(b"302e020100300506032b657004220420").unwrap();
    pkcs8.extend([42; 32]);
    let mut texts = vec![armoured("PRIVATE KEY", &pkcs8)];
    for (name, args) in [
        ("ed25519", "-t ed25519"),
        ("pem", "-t ecdsa -m PEM"),
        ("pkcs8", "-t rsa -b 2048 -m PKCS8"),
        ("rsa", "-t rsa -b 2048 -m PEM"),
        ("locked", "-t ed25519 -a 1 -N 12345"),
        ("locked_pkcs8", "-t ecdsa -m PKCS8 -N 12345"),
        ("legacy", "-t rsa -b 2048 -m PEM -N 12345"),
    ] {
        texts.push(fs::read_to_string(make(&folder, name, args)).unwrap());
    }
    texts
}

/// Spoils the bytes under the armour, or the text itself.
fn spoilt(text: &str, at: usize, byte: u8, deep: bool, cut: bool) -> String {
    if !deep {
        let mut bytes = text.as_bytes().to_vec();
        let at = at % bytes.len();
        if cut {
            bytes.truncate(at);
        } else {
            bytes[at] = byte;
        }
        return String::from_utf8_lossy(&bytes).into_owned();
    }
    let body: String = text.lines().filter(|line| !line.starts_with('-') && !line.contains(':')).collect();
    let mut bytes = data_encoding::BASE64.decode(body.as_bytes()).unwrap();
    let at = at % bytes.len();
    if cut {
        bytes.truncate(at);
    } else {
        bytes[at] = byte;
    }
    let label = text.lines().next().unwrap().trim_matches('-').replace("BEGIN ", "");
    armoured(&label, &bytes)
}

#[test]
fn no_spoilt_key_file_can_hurt() {
    let texts = samples();
    let passphrase = Secret::new("12345");
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(250));
    let strategy =
        (0..texts.len(), any::<usize>(), any::<u8>(), any::<bool>(), proptest::bool::weighted(0.3));
    runner
        .run(&strategy, |(which, at, byte, deep, cut)| {
            let text = spoilt(&texts[which], at, byte, deep, cut);
            if let Ok(KeyContent::Locked(pem, _)) = decode::decode(&text) {
                let _ = decode::unlock(&pem, &passphrase);
            }
            Ok(())
        })
        .unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn no_invented_key_can_hurt(
        label in prop::sample::select(vec!["PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY", "OPENSSH PRIVATE KEY"]),
        bytes in proptest::collection::vec(any::<u8>(), 1..200),
        sequence in any::<bool>(),
    ) {
        let mut der = bytes;
        if sequence {
            let length = u8::try_from(der.len().min(127)).unwrap();
            der.splice(0..0, [0x30, length]);
        }
        if let Ok(KeyContent::Locked(pem, _)) = decode::decode(&armoured(label, &der)) {
            let _ = decode::unlock(&pem, &Secret::new("x"));
        }
    }
}
