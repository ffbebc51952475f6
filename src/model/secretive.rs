//! What speaks of a secret, as far as words can tell: for texts that are shown only when they are harmless. Owns the words;
//! refuses to know any secret (`redact` looks for those that are known).

/// Parts of words behind which secrets stand, in lower case.
const SECRETIVE: [&str; 24] = [
    "pass",
    "pwd",
    "secret",
    "token",
    "cred",
    "private",
    "vault",
    "auth",
    "bearer",
    "cookie",
    "session",
    "cert",
    "otp",
    "salt",
    "signature",
    "_key",
    "-key",
    "apikey",
    "begin",
    "answer",
    "respond",
    "stdin",
    "prompt",
    "setenv",
];

/// Whole words behind which secrets stand, and keys of maps whose values may be anything.
const ANYTHING: [&str; 13] = [
    "env",
    "environ",
    "environment",
    "vars",
    "set",
    "params",
    "content",
    "data",
    "pw",
    "psk",
    "pin",
    "key",
    "dsn",
];

/// Names with such a part that hold nothing of the kind.
const HARMLESS: [&str; 5] = ["host_keys", "host_key", "known_hosts", "authorized_keys", "auth_timeout"];

/// Whether the words of a line speak of a secret, or of values that may be anything.
pub(crate) fn is_secretive(line: &str) -> bool {
    let mut line = line.to_lowercase();
    for name in HARMLESS {
        line = line.replace(name, "");
    }
    let words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
    SECRETIVE.iter().any(|part| line.contains(part)) || words.into_iter().any(|word| ANYTHING.contains(&word))
}

/// Whether something in a line looks like a secret: a login in a URL or behind `-u`, a password behind `-p`, a value that
/// stands elsewhere too (`&name`), a word that nobody thought of.
pub(crate) fn looks_secret(line: &str) -> bool {
    let mut words = line.split_whitespace().peekable();
    while let Some(word) = words.next() {
        let in_url = word.replace("://", "").rsplit_once('@').is_some_and(|(login, _)| login.contains(':'));
        let user = match word.strip_prefix("--user").or_else(|| word.strip_prefix("-u")) {
            Some("") => words.peek().is_some_and(|next| next.contains(':')),
            Some(glued) => glued.contains(':'),
            None => false,
        };
        let glued = word.strip_prefix("-p").is_some_and(|rest| rest.len() > 3 && !rest.starts_with('-'));
        let anchor = word.trim_start_matches(['{', '[']).strip_prefix('&');
        let anchored = anchor.is_some_and(|name| name.starts_with(char::is_alphanumeric));
        if in_url || user || glued || anchored {
            return true;
        }
    }
    line.split(|c: char| !c.is_ascii_alphanumeric() && !"+=".contains(c)).any(|word| {
        let has = |kind: fn(&char) -> bool| word.chars().any(|c| kind(&c));
        word.len() >= 16 && has(char::is_ascii_digit) && has(char::is_ascii_alphabetic)
    })
}

/// Whether a variable's name says that its value is a secret.
pub(crate) fn is_named_secret(name: &str) -> bool {
    const WHOLE: [&str; 5] = ["pw", "psk", "pin", "key", "dsn"];
    let name = name.to_lowercase();
    SECRETIVE.iter().any(|part| name.contains(part)) || name.split('_').any(|word| WHOLE.contains(&word))
}

/// Whether a value may be a secret whatever it is called. Digests and points in time are none, long and mixed as they are.
pub(crate) fn may_be_secret(value: &str) -> bool {
    let is_digest = |word: &str| {
        matches!(word.len(), 40 | 64) && word.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_time = |word: &str| word.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'T' | b'Z'));
    let words: Vec<&str> =
        value.split_whitespace().filter(|word| !is_digest(word) && !is_time(word)).collect();
    looks_secret(&words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_may_be_secrets_are_told_from_others() {
        for (name, secret) in
            [("db_password", true), ("api_token", true), ("deploy_key", true), ("pin", true)]
                .into_iter()
                .chain([("version", false), ("env", false), ("keyboard", false), ("app", false)])
        {
            assert_eq!(is_named_secret(name), secret, "{name}");
        }
        let commit = "3f2ac0d1e5b64c7f8a90b1c2d3e4f5061728394a";
        for (value, secret) in [
            ("1.2.3", false),
            (commit, false),
            ("20260102T030405Z", false),
            ("https://me:hunter2@host/x", true),
            ("https://hooks.example.com/T0a1B2c3D4e5F6g7H8", true),
            ("x9f8Xa7b6c5d4e3f2a1b0", true),
        ] {
            assert_eq!(may_be_secret(value), secret, "{value}");
        }
    }
}
