//! The armour around a private key: what kind it is, and everything that is mistaken for one (RFC 7468,
//! OpenSSH's PROTOCOL.key).

use data_encoding::BASE64;
use zeroize::Zeroizing;

use crate::ssh::keys::problem::KeyProblem;

/// The largest decoded key: one of RSA with 16384 bits has less than half of it. Whatever is larger would only
/// keep the processor busy.
const MAX_DECODED: usize = 32 * 1024;

/// What stands between `BEGIN` and `END`, and how it is to be read.
#[derive(Clone, Debug)]
pub(super) struct Pem {
    /// Which format.
    pub(super) format: PemFormat,
    /// The bytes.
    pub(super) bytes: Zeroizing<Vec<u8>>,
    /// The same as text, freed of everything that the decoder does not need to see.
    pub(super) text: Zeroizing<String>,
}

/// Formats of private keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PemFormat {
    /// OpenSSH's own container.
    OpenSsh,
    /// PKCS#1, SEC1 or PKCS#8, open.
    Der,
    /// PKCS#1 with a `DEK-Info`: encrypted by OpenSSL's old method.
    Legacy,
    /// PKCS#8, encrypted.
    Pkcs8Encrypted,
}

impl Pem {
    /// Finds the key in a text.
    ///
    /// # Errors
    ///
    /// It is something else, cut off, damaged, or followed by something.
    pub(super) fn parse(text: &str) -> Result<Self, KeyProblem> {
        let text = text.trim_start_matches('\u{feff}').trim();
        let mut lines = text.lines().map(str::trim);
        let Some(label) = lines.find_map(|line| line.strip_prefix("-----BEGIN ")) else {
            return Err(not_pem(text));
        };
        let label = label.strip_suffix("-----").ok_or_else(damaged)?;
        let kind = kind(label)?;
        let end = format!("-----END {label}-----");
        let mut inside = Vec::new();
        loop {
            match lines.next() {
                Some(line) if line == end => break,
                Some(line) => inside.push(line),
                None => {
                    let message = format!("the key is cut off: its last line, {end:?}, is missing");
                    return Err(KeyProblem::hinted(message, "copy the whole file again"));
                }
            }
        }
        if lines.any(|line| !line.is_empty()) {
            let message = "there is something after the key's last line";
            return Err(KeyProblem::hinted(message, "keep one key in the file and nothing else"));
        }
        let (headers, body): (Vec<&str>, Vec<&str>) = inside.iter().partition(|line| line.contains(':'));
        let body = Zeroizing::new(body.concat());
        let bytes = Zeroizing::new(BASE64.decode(body.as_bytes()).map_err(|_| damaged())?);
        if bytes.is_empty() {
            return Err(damaged());
        }
        if bytes.len() > MAX_DECODED {
            return Err(KeyProblem::hinted("larger than any key", "is the path right?"));
        }
        let cipher = headers.iter().find_map(|line| line.strip_prefix("DEK-Info:")).map(str::trim);
        let format = match (kind, cipher) {
            (PemKind::OpenSsh, _) => PemFormat::OpenSsh,
            (PemKind::Pkcs8Encrypted, _) => PemFormat::Pkcs8Encrypted,
            (PemKind::Rsa | PemKind::Other, None) => PemFormat::Der,
            (PemKind::Rsa, Some(cipher)) if cipher.starts_with("AES-128-CBC,") => PemFormat::Legacy,
            (PemKind::Rsa | PemKind::Other, Some(cipher)) => {
                let name: String =
                    cipher.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
                let message = format!("the key is encrypted by an old method ({name})");
                return Err(KeyProblem::hinted(
                    message,
                    "rewrite it in today's format: ssh-keygen -p -f KEY",
                ));
            }
        };
        let info = match format {
            PemFormat::Legacy => cipher.map_or_else(String::new, |cipher| format!("DEK-Info: {cipher}\n")),
            PemFormat::OpenSsh | PemFormat::Der | PemFormat::Pkcs8Encrypted => String::new(),
        };
        let text = Zeroizing::new(format!("-----BEGIN {label}-----\n{info}{}\n{end}\n", *body));
        Ok(Self { format, bytes, text })
    }
}

/// What a label promises, as far as it makes a difference.
enum PemKind {
    OpenSsh,
    Pkcs8Encrypted,
    Rsa,
    Other,
}

fn kind(label: &str) -> Result<PemKind, KeyProblem> {
    Err(match label {
        "OPENSSH PRIVATE KEY" => return Ok(PemKind::OpenSsh),
        "ENCRYPTED PRIVATE KEY" => return Ok(PemKind::Pkcs8Encrypted),
        "RSA PRIVATE KEY" => return Ok(PemKind::Rsa),
        "PRIVATE KEY" | "EC PRIVATE KEY" => return Ok(PemKind::Other),
        "DSA PRIVATE KEY" => dsa(),
        "PUBLIC KEY" | "RSA PUBLIC KEY" | "SSH2 PUBLIC KEY" => public_key(),
        "CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE" => {
            KeyProblem::hinted("this is a TLS certificate, not a key", "name the private key")
        }
        "CERTIFICATE REQUEST" => KeyProblem::hinted("this is a certificate request", "name the private key"),
        "SSH2 ENCRYPTED PRIVATE KEY" => KeyProblem::hinted(
            "a key in the format of ssh.com",
            "convert it: ssh-keygen -i -f KEY > NEW && chmod 600 NEW",
        ),
        _ => KeyProblem::hinted("not an SSH private key", "name a file that ssh-keygen wrote"),
    })
}

/// What a file without any armour is.
fn not_pem(text: &str) -> KeyProblem {
    let first = text.split_whitespace().next().unwrap_or_default();
    if text.is_empty() {
        KeyProblem::hinted("the file is empty", "is the path right?")
    } else if first.starts_with("PuTTY-User-Key-File") {
        KeyProblem::hinted("a key in PuTTY's format", "convert it: puttygen KEY -O private-openssh -o NEW")
    } else if first.ends_with("-cert-v01@openssh.com") {
        KeyProblem::hinted(
            "this is a certificate",
            "name the private key here, and the certificate in `certificates:`",
        )
    } else if ["ssh-", "ecdsa-", "sk-"].iter().any(|prefix| first.starts_with(prefix))
        || text.starts_with("---- BEGIN SSH2 PUBLIC KEY")
    {
        public_key()
    } else {
        KeyProblem::hinted("not a private key", "name a file that ssh-keygen wrote")
    }
}

fn public_key() -> KeyProblem {
    KeyProblem::hinted("this is a public key", "use the private key: the same name without .pub")
}

/// DSA was cut from OpenSSH; 1024 bits of it are within reach.
pub(super) fn dsa() -> KeyProblem {
    KeyProblem::hinted(
        "DSA keys are no longer accepted by SSH servers",
        "make a new key: ssh-keygen -t ed25519",
    )
}

/// The sentence for what is no key any more, whatever it was.
pub(super) fn damaged() -> KeyProblem {
    KeyProblem::hinted(
        "the key is damaged",
        "copy the file again; `ssh-keygen -y -f KEY` shows whether it is whole",
    )
}
