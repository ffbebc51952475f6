//! Tokens: `%h` and its like, `${NAME}` and `~`, each replaced once (ssh_config(5), "TOKENS").
//!
//! What is put into a command line for a shell is checked first, by OpenSSH's own sets of characters
//! (`valid_hostname` and `valid_ruser` in ssh.c, CVE-2023-51385).

use std::collections::BTreeMap;
use std::fmt::Write as _;

use sha1::{Digest, Sha1};

/// What the tokens stand for.
#[derive(Debug)]
pub(super) struct Tokens<'t> {
    /// `%n`: the host's name as the user gave it.
    pub(super) original_host: &'t str,
    /// `%h`: the name or address that is dialled.
    pub(super) host: &'t str,
    /// `%p`.
    pub(super) port: u16,
    /// `%r`: the login name.
    pub(super) user: &'t str,
    /// `%k`: the alias of the host key, if there is one, or else the name.
    pub(super) key_alias: &'t str,
    /// `%j`: the gateways, or nothing.
    pub(super) jump: &'t str,
    /// `%d`.
    pub(super) home: &'t str,
    /// `%u`: the local user.
    pub(super) local_user: &'t str,
    /// `%i`: the local user's number.
    pub(super) uid: u32,
    /// `%l`: the name of this machine; `%L` is its first label.
    pub(super) local_host: &'t str,
    /// For `${NAME}`.
    pub(super) env: &'t BTreeMap<String, String>,
}

/// The address that `HostName` gives a host: only `%h` and `%%` are there.
pub(super) fn host_name(text: &str, host: &str) -> Result<String, String> {
    replace(text, |token| (token == 'h').then(|| Ok(host.to_owned())))
}

impl Tokens<'_> {
    /// A path: `~/`, tokens and `${NAME}`.
    pub(super) fn path(&self, text: &str) -> Result<String, String> {
        let Some(rest) = text.strip_prefix('~') else { return self.text(text) };
        let inside = match rest.strip_prefix('/') {
            Some(inside) => inside.trim_start_matches('/'),
            None if rest.is_empty() => "",
            None => return Err("only your own home folder can be written as ~".to_owned()),
        };
        Ok(format!("{}/{}", self.home.trim_end_matches('/'), self.text(inside)?))
    }

    /// A text with tokens and `${NAME}`.
    pub(super) fn text(&self, text: &str) -> Result<String, String> {
        let mut result = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let (name, after) = after.split_once('}').ok_or_else(|| "\"${\" without its \"}\"".to_owned())?;
            // The value of a variable is not looked at again.
            result.push_str(&self.percent(before)?);
            let value =
                self.env.get(name).ok_or_else(|| format!("environment variable {name:?} is not set"))?;
            result.push_str(value);
            rest = after;
        }
        result.push_str(&self.percent(rest)?);
        Ok(result)
    }

    fn percent(&self, text: &str) -> Result<String, String> {
        replace(text, |token| {
            Some(Ok(match token {
                'C' => self.connection(),
                'd' => self.home.to_owned(),
                'h' => self.host.to_owned(),
                'i' => self.uid.to_string(),
                'j' => self.jump.to_owned(),
                'k' => self.key_alias.to_owned(),
                'L' => self.local_host.split('.').next().unwrap_or_default().to_owned(),
                'l' => self.local_host.to_owned(),
                'n' => self.original_host.to_owned(),
                'p' => self.port.to_string(),
                'r' => self.user.to_owned(),
                'u' => self.local_user.to_owned(),
                _ => return None,
            }))
        })
    }

    /// A command line for the local shell, or a part of a `ProxyJump`.
    pub(super) fn command(&self, text: &str) -> Result<String, String> {
        replace(text, |token| {
            Some(match token {
                'h' => harmless_host(self.host),
                'n' => harmless_host(self.original_host),
                'p' => Ok(self.port.to_string()),
                'r' => harmless_user(self.user),
                _ => return None,
            })
        })
    }

    /// `%C`: SHA-1 over the machine, the host, the port, the user and the gateways.
    fn connection(&self) -> String {
        let mut hash = Sha1::new();
        for part in [self.local_host, self.host, &self.port.to_string(), self.user, self.jump] {
            hash.update(part.as_bytes());
        }
        hash.finalize().iter().fold(String::new(), |mut hex, byte| {
            // Writing to a string does not fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }
}

/// Replaces tokens; `expand` knows none by the name `%`.
fn replace(text: &str, expand: impl Fn(char) -> Option<Result<String, String>>) -> Result<String, String> {
    let mut result = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '%' => match chars.next() {
                Some('%') => result.push('%'),
                Some(token) => {
                    let value = expand(token).ok_or_else(|| {
                        format!("unknown token %{}; write %% for a percent sign", token.escape_debug())
                    })?;
                    result.push_str(&value?);
                }
                None => return Err("\"%\" at the end; write %% for a percent sign".to_owned()),
            },
            other => result.push(other),
        }
    }
    Ok(result)
}

/// Whether a name can stand in a command line without quotes (`valid_hostname` in ssh.c).
pub(super) fn is_harmless_host(host: &str) -> bool {
    let bad = |c: char| "'`\"$\\;&<>|(){},".contains(c) || c.is_whitespace() || c.is_control();
    !host.starts_with('-') && !host.contains(bad)
}

fn harmless_host(host: &str) -> Result<String, String> {
    if is_harmless_host(host) {
        return Ok(host.to_owned());
    }
    Err("the host's name contains characters special to a shell".to_owned())
}

/// As `valid_ruser` in ssh.c, and no `$` and `\` either, which a shell would take for its own.
fn harmless_user(user: &str) -> Result<String, String> {
    let bad = |c: char| "'`\"$\\;&<>|(){}".contains(c) || c.is_control();
    let option = user.split(char::is_whitespace).skip(1).any(|word| word.starts_with('-'));
    if user.starts_with('-') || user.contains(bad) || option {
        return Err("the user's name contains characters special to a shell".to_owned());
    }
    Ok(user.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens<'t>(host: &'t str, user: &'t str, env: &'t BTreeMap<String, String>) -> Tokens<'t> {
        Tokens {
            original_host: "n",
            host,
            port: 22,
            user,
            key_alias: "k",
            jump: "",
            home: "/h/me",
            local_user: "me",
            uid: 1000,
            local_host: "desk.example.com",
            env,
        }
    }

    #[test]
    fn paths() {
        let env = BTreeMap::from([("X".to_owned(), "%h ~ ${X}".to_owned())]);
        let tokens = tokens("h%r", "u", &env);
        let path = |text| tokens.path(text).unwrap_or_else(|message| format!("error: {message}"));
        for (text, expected) in [
            ("~/.ssh/%n", "/h/me/.ssh/n"),
            ("~", "/h/me/"),
            ("~//a", "/h/me/a"),
            ("%h_%r_%p_%k_%d_%u_%i_%l_%L_%j", "h%r_u_22_k_/h/me_me_1000_desk.example.com_desk_"),
            ("100%%", "100%"),
            ("%%h", "%h"),
            ("${X}", "%h ~ ${X}"),
            ("$X", "$X"),
            ("a~b", "a~b"),
            ("~root/a", "error: only your own home folder can be written as ~"),
            ("${Y}", "error: environment variable \"Y\" is not set"),
            ("${X", "error: \"${\" without its \"}\""),
            ("%Z", "error: unknown token %Z; write %% for a percent sign"),
            ("a%", "error: \"%\" at the end; write %% for a percent sign"),
        ] {
            assert_eq!(path(text), expected, "{text}");
        }
    }

    #[test]
    fn only_harmless_names_reach_a_shell() {
        let env = BTreeMap::new();
        for host in ["web1", "10.0.0.1", "fe80::1%eth0", "a_b"] {
            assert_eq!(tokens(host, "u", &env).command("nc %h %p").unwrap(), format!("nc {host} 22"));
        }
        for host in [
            "-oProxyCommand=id",
            "a;id",
            "$(id)",
            "`id`",
            "a b",
            "a'",
            "a\"",
            "a\\b",
            "a|b",
            "a&b",
            "a{b,c}",
            "a\nb",
        ] {
            assert!(tokens(host, "u", &env).command("nc %h").is_err(), "{host}");
            assert_eq!(tokens(host, "u", &env).command("nc fixed").unwrap(), "nc fixed");
        }
        for user in ["-x", "a;b", "$(id)", "a\\", "D\\u", "a -b", "`x`", "a'b", "a$b"] {
            assert!(tokens("h", user, &env).command("nc %r").is_err(), "{user}");
        }
        assert_eq!(tokens("h", "u@REALM", &env).command("%r%%").unwrap(), "u@REALM%");
        assert!(tokens("h", "u", &env).command("%d").is_err(), "only the tokens of commands");
        assert_eq!(tokens("h", "u", &env).command("${HOME}").unwrap(), "${HOME}", "left to the shell");
    }

    #[test]
    fn host_names() {
        assert_eq!(host_name("%h.example.com", "%h").unwrap(), "%h.example.com");
        assert_eq!(host_name("100%%", "x").unwrap(), "100%");
        assert!(host_name("%n", "x").is_err());
    }
}
