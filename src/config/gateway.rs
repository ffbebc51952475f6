//! One hop on the way to a host: `name` or `[user@]address[:port]`, as `ssh -J` takes it, read and written.
//!
//! Refuses to say whether a name is a host of the inventory: that needs the whole inventory.

use std::fmt;

use crate::model::name::{check_address, check_host_name, check_user_name};

/// A hop, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hop {
    /// Login name, if one is written.
    pub(super) user: Option<String>,
    /// Host name or address, without brackets.
    pub(super) host: String,
    /// Port, if one is written.
    pub(super) port: Option<u16>,
}

impl Hop {
    /// Takes a text apart without judging its names (`parse_user_host_port` in OpenSSH's misc.c).
    ///
    /// A message never quotes the text: what stands before the `@` or behind a `:` may be a password.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text.contains("://") {
            return Err("a gateway is written without ssh://".to_owned());
        }
        let (user, rest) = match text.rsplit_once('@') {
            Some(("", _)) => return Err("no user before \"@\" in a gateway".to_owned()),
            Some((user, rest)) => (Some(user.to_owned()), rest),
            None => (None, text),
        };
        let (host, port) = match rest.strip_prefix('[') {
            Some(inside) => match inside.split_once(']') {
                Some((host, "")) => (host, None),
                Some((host, port)) => (host, Some(port.strip_prefix(':').ok_or_else(after_bracket)?)),
                None => return Err("unclosed \"[\" in a gateway".to_owned()),
            },
            None => match rest.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (rest, None),
            },
        };
        if port.is_some_and(|port| port.contains(':')) {
            return Err("an IPv6 address of a gateway needs brackets: [::1] or [::1]:22".to_owned());
        }
        if host.is_empty() {
            return Err("empty gateway".to_owned());
        }
        let port = match port {
            Some(port) if !port.is_empty() => Some(number(port)?),
            Some(_) | None => None,
        };
        Ok(Self { user, host: host.to_owned(), port })
    }

    /// Says why nobody could log in there, if so.
    pub(super) fn check(&self) -> Result<(), String> {
        if let Some(user) = &self.user {
            check_user_name(user)?;
        }
        // The name of a host may also be one that no resolver takes; both are fine here.
        check_host_name(&self.host).or_else(|_| check_address(&self.host))
    }
}

fn after_bracket() -> String {
    "only a port may follow \"]\" in a gateway".to_owned()
}

fn number(text: &str) -> Result<u16, String> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    match text.parse::<u16>() {
        Ok(port) if digits && port > 0 => Ok(port),
        Ok(_) | Err(_) => Err("the port of a gateway must be 1–65535".to_owned()),
    }
}

/// Written so that [`Hop::parse`] reads the same hop again.
impl fmt::Display for Hop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        if self.host.contains(':') {
            write!(f, "[{}]", self.host)?;
        } else {
            f.write_str(&self.host)?;
        }
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hops_are_written_as_they_are_read() {
        for (text, written) in [
            ("bastion", "bastion"),
            ("jump@bastion.example.com:2222", "jump@bastion.example.com:2222"),
            ("a@REALM@h", "a@REALM@h"),
            ("[::1]", "[::1]"),
            ("u@[fe80::1%eth0]:22", "u@[fe80::1%eth0]:22"),
            ("[h]:22", "h:22"),
            ("h:", "h"),
        ] {
            let hop = Hop::parse(text).unwrap();
            assert_eq!(hop.check(), Ok(()), "{text}");
            assert_eq!(hop.to_string(), written);
            assert_eq!(Hop::parse(written).unwrap(), hop);
        }
    }

    #[test]
    fn messages_about_hops_never_quote_a_password() {
        let message = |text: &str| Hop::parse(text).and_then(|hop| hop.check()).unwrap_err();
        let texts = [
            "",
            "@h",
            "u@",
            "u:hunter2@h",
            "h:hunter2",
            "h:0",
            "h:70000",
            "::1",
            "[::1",
            "[::1]22",
            "h;id",
            "-h",
            "ssh://h",
        ];
        let shown = texts.map(message);
        assert!(!shown.iter().any(|message| message.contains("hunter2")), "{shown:?}");
        insta::assert_snapshot!(shown.join("\n"), @r#"
    empty gateway
    no user before "@" in a gateway
    empty gateway
    ":" in user name; a password never stands beside the name
    the port of a gateway must be 1–65535
    the port of a gateway must be 1–65535
    the port of a gateway must be 1–65535
    an IPv6 address of a gateway needs brackets: [::1] or [::1]:22
    unclosed "[" in a gateway
    only a port may follow "]" in a gateway
    character ";" in address "h;id"; use letters, digits, "-", "_" and "."
    address "-h" starts with "-"
    a gateway is written without ssh://
    "#);
    }
}
