//! Where a URL leads: as much of RFC 3986 as a request needs.

use std::fmt;

/// Where a URL leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// Whether TLS is spoken there.
    pub tls: bool,
    /// Name or address, without brackets; a name in ASCII.
    pub host: String,
    /// The port.
    pub port: u16,
    /// What `Host` says.
    authority: String,
    /// Path and query; begins with a slash.
    target: String,
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", if self.tls { "https" } else { "http" }, self.authority, self.target)
    }
}

impl Url {
    /// Reads `http://host[:port][/path][?query]`.
    ///
    /// # Errors
    ///
    /// What is wrong with it, as a lowercase fragment.
    pub fn parse(text: &str) -> Result<Self, String> {
        let scheme = |scheme: &str| {
            let (start, rest) = text.split_at_checked(scheme.len())?;
            start.eq_ignore_ascii_case(scheme).then_some(rest)
        };
        let (tls, rest) = match (scheme("http://"), scheme("https://")) {
            (Some(rest), _) => (false, rest),
            (_, Some(rest)) => (true, rest),
            (None, None) => return Err(format!("{text:?} does not begin with http:// or https://")),
        };
        if rest.chars().any(|c| c.is_control() || c == ' ') {
            return Err("a URL cannot contain blanks or control characters".to_owned());
        }
        let rest = rest.split('#').next().unwrap_or_default();
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        if authority.contains('@') {
            return Err("a URL with a login is not supported: --header sends one".to_owned());
        }
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => {
                let (host, rest) =
                    rest.split_once(']').ok_or_else(|| format!("{text:?}: \"[\" is not closed"))?;
                if !rest.is_empty() && !rest.starts_with(':') {
                    return Err(format!("{text:?}: a port begins with \":\""));
                }
                (host, rest.strip_prefix(':'))
            }
            None => match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            },
        };
        if host.is_empty() {
            return Err(format!("{text:?} names no host"));
        }
        let host = ascii(host)?;
        let default = if tls { 443 } else { 80 };
        let port = match port {
            None | Some("") => default,
            Some(port) => match port.parse() {
                Ok(port) if port != 0 => port,
                Ok(_) | Err(_) => return Err(format!("port {port:?} is none")),
            },
        };
        let bracketed = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        let authority = if port == default { bracketed } else { format!("{bracketed}:{port}") };
        let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
        Ok(Self { tls, host, port, authority, target: escaped(&target) })
    }

    /// Where a redirect leads: a whole URL, or a part of one.
    ///
    /// # Errors
    ///
    /// It leads to something that is not HTTP, or is none.
    pub fn redirected(&self, location: &str) -> Result<Self, String> {
        let location = location.trim();
        let scheme = if self.tls { "https" } else { "http" };
        if let Some(rest) = location.strip_prefix("//") {
            return Self::parse(&format!("{scheme}://{rest}"));
        }
        // A scheme is letters, digits and a few signs before the first colon; a path may have a colon behind a slash.
        let is_absolute = location.split(['/', '?', '#']).next().is_some_and(|first| first.contains(':'));
        if is_absolute {
            return Self::parse(location);
        }
        let path = self.target.split('?').next().unwrap_or("/");
        let whole = match location.chars().next() {
            Some('/') => location.to_owned(),
            Some('?') => format!("{path}{location}"),
            Some(_) => format!("{}/{location}", path.rsplit_once('/').map_or("", |(folder, _)| folder)),
            None => return Err("a redirect that leads nowhere".to_owned()),
        };
        Self::parse(&format!("{scheme}://{}{whole}", self.authority))
    }

    /// Whether scheme, host and port are those of another URL (RFC 6454, section 4).
    pub fn has_origin_of(&self, other: &Self) -> bool {
        self.tls == other.tls && self.port == other.port && self.host.eq_ignore_ascii_case(&other.host)
    }

    /// What `Host` says.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Path and query.
    pub fn target(&self) -> &str {
        &self.target
    }
}

/// A host name as it is looked up: in ASCII, also where it is written in another script (IDNA 2008).
///
/// # Errors
///
/// It is no name.
pub(super) fn ascii(host: &str) -> Result<String, String> {
    if host.is_ascii() {
        return Ok(host.to_owned());
    }
    idna::domain_to_ascii(host).map_err(|_| format!("{host:?} is not a host name"))
}

/// Percent signs for what cannot stand in a request.
fn escaped(target: &str) -> String {
    let mut escaped = String::with_capacity(target.len());
    for byte in target.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:/?[]@!$&'()*+,;=%".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}
