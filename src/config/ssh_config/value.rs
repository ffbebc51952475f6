//! Arguments of the keywords that fan reads, typed; bad ones are refused as OpenSSH refuses them. Tokens stay as
//! they are: what they stand for depends on the host.

use crate::config::gateway::Hop;
use crate::config::ssh_config::keywords::{Field, Keyword};
use crate::config::ssh_config::lines::{BLANK, words};
use crate::model::settings::HostKeyPolicy;

/// The way to a host.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ProxyValue {
    /// `ProxyJump none`: no gateways; a later command still counts.
    NoJump,
    /// `ProxyCommand none`: straight.
    NoCommand,
    /// Through gateways, the nearest one first.
    Jump(Vec<Hop>),
    /// Through a command.
    Command(String),
}

/// What to do about unknown host keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strictness {
    /// A policy that fan has too.
    Policy(HostKeyPolicy),
    /// Accept every key.
    Off,
}

/// Whether the agent is forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Forwarding {
    /// Yes or no.
    Flag(bool),
    /// Another agent than the one for logins.
    Socket,
}

/// Whether names are completed by DNS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Canonicalization {
    /// No.
    Never,
    /// Where the connection is made directly.
    Direct,
    /// Through gateways and commands as well.
    Always,
}

/// One value for the hosts of a block.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum KeywordValue {
    HostName(String),
    User(String),
    Port(u16),
    IdentityFile(String),
    IdentitiesOnly(bool),
    IdentityAgent(String),
    CertificateFile(String),
    Proxy(ProxyValue),
    ProxyUseFdpass(bool),
    UserKnownHostsFile(Vec<String>),
    GlobalKnownHostsFile(Vec<String>),
    HostKeyAlias(String),
    StrictHostKeyChecking(Strictness),
    RevokedHostKeys(String),
    /// Seconds.
    ConnectTimeout(u32),
    /// Seconds.
    ServerAliveInterval(u32),
    ServerAliveCountMax(u32),
    ForwardAgent(Forwarding),
    CanonicalizeHostname(Canonicalization),
    CanonicalDomains(Vec<String>),
    CanonicalizeMaxDots(u32),
    /// Bits.
    RequiredRsaSize(u32),
    IgnoreUnknown(String),
    /// A keyword that is warned about or refused, with its first argument.
    Other(&'static Keyword, String),
    /// A keyword that nobody knows, in lower case.
    Unknown(String),
}

/// Reads the arguments of a keyword that sets a value; nothing when they ask for nothing (`none` for a time).
pub(super) fn value(field: Field, rest: &str) -> Result<Option<KeywordValue>, String> {
    let arguments = words(rest).ok_or_else(|| "unclosed quote".to_owned())?;
    let one = || match arguments.as_slice() {
        [] => Err("no value".to_owned()),
        [word] if word.is_empty() => Err("empty value".to_owned()),
        [word] => Ok(word.clone()),
        [_, more, ..] => Err(format!("unexpected {more:?} after the value")),
    };
    let flag = || match one()?.to_ascii_lowercase().as_str() {
        "yes" | "true" => Ok(true),
        "no" | "false" => Ok(false),
        other => Err(format!("expected yes or no, got {other:?}")),
    };
    let seconds = || match one()?.as_str() {
        "none" => Ok(None),
        text => seconds(text).map(Some).ok_or_else(|| format!("{text:?} is not a time such as 30 or 1m")),
    };
    let value = match field {
        Field::HostName => KeywordValue::HostName(one()?),
        Field::User => KeywordValue::User(one()?),
        Field::Port => KeywordValue::Port(port(&one()?)?),
        Field::IdentityFile => KeywordValue::IdentityFile(one()?),
        Field::IdentitiesOnly => KeywordValue::IdentitiesOnly(flag()?),
        Field::IdentityAgent => KeywordValue::IdentityAgent(one()?),
        Field::CertificateFile => KeywordValue::CertificateFile(one()?),
        Field::ProxyUseFdpass => KeywordValue::ProxyUseFdpass(flag()?),
        Field::UserKnownHostsFile => KeywordValue::UserKnownHostsFile(files(arguments)?),
        Field::GlobalKnownHostsFile => KeywordValue::GlobalKnownHostsFile(files(arguments)?),
        Field::HostKeyAlias => KeywordValue::HostKeyAlias(one()?.to_ascii_lowercase()),
        Field::RevokedHostKeys => KeywordValue::RevokedHostKeys(one()?),
        Field::IgnoreUnknown => KeywordValue::IgnoreUnknown(one()?),
        Field::ProxyJump => KeywordValue::Proxy(jump(rest)?),
        Field::ProxyCommand => {
            let command = rest.trim_start_matches(['=', ' ', '\t', '\r', '\n']);
            KeywordValue::Proxy(if command.eq_ignore_ascii_case("none") {
                ProxyValue::NoCommand
            } else {
                ProxyValue::Command(command.to_owned())
            })
        }
        Field::StrictHostKeyChecking => {
            KeywordValue::StrictHostKeyChecking(match one()?.to_ascii_lowercase().as_str() {
                "yes" | "true" => Strictness::Policy(HostKeyPolicy::Strict),
                "ask" => Strictness::Policy(HostKeyPolicy::Ask),
                "accept-new" => Strictness::Policy(HostKeyPolicy::AcceptNew),
                "no" | "false" | "off" => Strictness::Off,
                other => return Err(format!("expected yes, ask, accept-new or no, got {other:?}")),
            })
        }
        Field::ConnectTimeout => match seconds()? {
            Some(time) => KeywordValue::ConnectTimeout(time),
            None => return Ok(None),
        },
        Field::ServerAliveInterval => match seconds()? {
            Some(time) => KeywordValue::ServerAliveInterval(time),
            None => return Ok(None),
        },
        Field::ServerAliveCountMax => KeywordValue::ServerAliveCountMax(whole(&one()?)?),
        Field::ForwardAgent => KeywordValue::ForwardAgent(match one()?.to_ascii_lowercase().as_str() {
            "yes" | "true" => Forwarding::Flag(true),
            "no" | "false" => Forwarding::Flag(false),
            _ => Forwarding::Socket,
        }),
        Field::CanonicalizeHostname => {
            KeywordValue::CanonicalizeHostname(match one()?.to_ascii_lowercase().as_str() {
                "yes" | "true" => Canonicalization::Direct,
                "no" | "false" => Canonicalization::Never,
                "always" => Canonicalization::Always,
                other => return Err(format!("expected yes, no or always, got {other:?}")),
            })
        }
        Field::CanonicalDomains => KeywordValue::CanonicalDomains(files(arguments)?),
        Field::CanonicalizeMaxDots => KeywordValue::CanonicalizeMaxDots(whole(&one()?)?),
        Field::RequiredRsaSize => KeywordValue::RequiredRsaSize(whole(&one()?)?),
        // They open blocks and name files instead of setting a value.
        Field::Host | Field::Match | Field::Include => return Ok(None),
    };
    Ok(Some(value))
}

/// Several words, of files of known keys for example; `none` alone is none of them.
fn files(arguments: Vec<String>) -> Result<Vec<String>, String> {
    let none = |word: &String| word.eq_ignore_ascii_case("none");
    if arguments.is_empty() {
        return Err("no value".to_owned());
    }
    if arguments.iter().any(String::is_empty) {
        return Err("empty value".to_owned());
    }
    if arguments.iter().any(none) {
        return if arguments.len() == 1 { Ok(Vec::new()) } else { Err("\"none\" must be alone".to_owned()) };
    }
    Ok(arguments)
}

/// A whole number as strtonum(3) reads it: blanks and one sign may come first.
fn number(text: &str) -> Option<u32> {
    let text = text.trim_start_matches([' ', '\t', '\n', '\r', '\u{b}', '\u{c}']);
    let digits = text.strip_prefix('+').unwrap_or(text);
    let good = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    // The largest number that OpenSSH takes is that of an int.
    digits.parse().ok().filter(|&value| good && value <= i32::MAX.unsigned_abs())
}

fn whole(text: &str) -> Result<u32, String> {
    number(text).ok_or_else(|| format!("{text:?} is not a number"))
}

fn port(text: &str) -> Result<u16, String> {
    if text == "ssh" {
        return Ok(22);
    }
    let port = number(text).and_then(|port| u16::try_from(port).ok()).filter(|&port| port > 0);
    port.ok_or_else(|| format!("the port must be 1–65535, got {text:?}"))
}

/// A time as sshd_config(5) "TIME FORMATS" has it: numbers, each with a unit or in seconds.
fn seconds(text: &str) -> Option<u32> {
    let mut total = 0_u32;
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (digits, after) = rest.split_at(end);
        let mut chars = after.chars();
        let unit = match chars.next() {
            None | Some('s' | 'S') => 1,
            Some('m' | 'M') => 60,
            Some('h' | 'H') => 60 * 60,
            Some('d' | 'D') => 24 * 60 * 60,
            Some('w' | 'W') => 7 * 24 * 60 * 60,
            Some(_) => return None,
        };
        rest = chars.as_str();
        total = digits.parse::<u32>().ok()?.checked_mul(unit)?.checked_add(total)?;
    }
    (!text.is_empty() && total <= i32::MAX.unsigned_abs()).then_some(total)
}

/// `ProxyJump`: hops separated by commas, each `[user@]host[:port]` or `ssh://...`.
fn jump(rest: &str) -> Result<ProxyValue, String> {
    let text = rest.trim_start_matches(['=', ' ', '\t', '\r', '\n']);
    let text = text.split('#').next().unwrap_or_default().trim_end_matches(BLANK);
    if text.eq_ignore_ascii_case("none") {
        return Ok(ProxyValue::NoJump);
    }
    if text.contains([' ', '\t', '"', '\'']) {
        return Err("gateways are separated by commas, without blanks and quotes".to_owned());
    }
    text.split(',').map(hop).collect::<Result<_, _>>().map(ProxyValue::Jump)
}

fn hop(text: &str) -> Result<Hop, String> {
    let Some(uri) = text.strip_prefix("ssh://") else { return Hop::parse(text) };
    let (login, place) = match uri.split_once('@') {
        Some((login, place)) => (Some(login), place),
        None => (None, uri),
    };
    let (place, path) = place.split_once('/').unwrap_or((place, ""));
    if !path.is_empty() {
        return Err("a gateway has no path".to_owned());
    }
    let mut hop = Hop::parse(place)?;
    if let Some(login) = login {
        // Parameters of the connection, which OpenSSH ignores too.
        let user = login.split(';').next().unwrap_or_default();
        let user = decoded(user).filter(|user| !user.is_empty() && !user.contains(','));
        hop.user = Some(user.ok_or_else(|| "bad user in the URI of a gateway".to_owned())?);
    }
    Ok(hop)
}

/// A text of a URI without its `%41` and `+`.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                let (high, low) = (digit()?, digit()?);
                u8::try_from(high * 16 + low).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for (text, expected) in [
            ("0", Some(0)),
            ("30", Some(30)),
            ("1m30", Some(90)),
            ("1h2M3s", Some(3723)),
            ("1w2D", Some(777_600)),
            ("", None),
            ("-1", None),
            ("5x", None),
            ("m", None),
            ("99999999d", None),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }

    #[test]
    fn ports() {
        for text in ["22", "+22", "022", " 22", "ssh"] {
            assert_eq!(port(text), Ok(22), "{text}");
        }
        for text in ["0", "65536", "-1", "2 2", "22 ", "0x16", "", "+"] {
            assert!(port(text).is_err(), "{text}");
        }
    }

    #[test]
    fn jumps() {
        let hops = |text: &str| match jump(text) {
            Ok(ProxyValue::Jump(hops)) => hops.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
            Ok(ProxyValue::NoJump) => "direct".to_owned(),
            other => format!("{other:?}"),
        };
        for (text, expected) in [
            ("j", "j"),
            ("= u@j:2200,[::1]:44 # c", "u@j:2200 [::1]:44"),
            ("ssh://u%40x;p=1@h:22/", "u@x@h:22"),
            ("ssh://h", "h"),
            ("none", "direct"),
            ("None # c", "direct"),
            ("%h.x", "%h.x"),
        ] {
            assert_eq!(hops(text), expected, "{text}");
        }
        for text in ["a,,b", "a b", "\"a\"", "ssh://h/path", "ssh://@h", "h:0", "a,"] {
            assert!(jump(text).is_err(), "{text}");
        }
    }
}
