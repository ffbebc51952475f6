//! What is probed: URLs, ports of addresses, names.

use std::fmt;

use crate::model::range::{self, CidrBlock, parse_ip};
use crate::web::url::{Url, ascii};

/// Connections that a probe makes at most, whatever its targets stand for.
pub const MAX_TARGETS: usize = 65_536;

/// Something that is probed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProbeTarget {
    /// A web server.
    Web(Url),
    /// A port.
    Tcp {
        /// Name or address.
        host: String,
        /// Its number.
        port: u16,
    },
    /// The addresses of a name.
    Dns(String),
}

impl fmt::Display for ProbeTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Web(url) => url.fmt(f),
            Self::Tcp { host, port } if host.contains(':') => write!(f, "tcp://[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "tcp://{host}:{port}"),
            Self::Dns(name) => write!(f, "dns:{name}"),
        }
    }
}

/// What a text stands for: a URL, `tcp://HOSTS:PORTS` with ranges of both, `dns:NAME`.
///
/// # Errors
///
/// It is none of them, or stands for more than [`MAX_TARGETS`]: why, as a lowercase fragment.
pub fn targets(text: &str) -> Result<Vec<ProbeTarget>, String> {
    if text.contains('@') && !text.starts_with("http") {
        return Err("only a URL has a login, and fan takes none from it: --header sends one".to_owned());
    }
    if let Some(rest) = text.strip_prefix("tcp://") {
        return ports(rest);
    }
    if let Some(name) = text.strip_prefix("dns:") {
        let name = name.trim_start_matches("//").trim_end_matches('/');
        return Ok(vec![ProbeTarget::Dns(host_name(name)?)]);
    }
    if text.contains('@') && !text.starts_with("http") {
        return Err(
            "nothing but a URL has a login, and fan takes none from it: --header sends one".to_owned()
        );
    }
    if text.contains("://") {
        return match Url::parse(text) {
            Ok(url) => Ok(vec![ProbeTarget::Web(url)]),
            Err(_) if !text.starts_with("http") => {
                Err("it is one of https://, http://, tcp://HOST:PORTS, dns:NAME".to_owned())
            }
            Err(why) => Err(why),
        };
    }
    let meant = if text.contains(':') { format!("tcp://{text}") } else { format!("https://{text}/") };
    Err(format!("what is probed is said by its beginning: {meant}, or dns:NAME"))
}

fn ports(rest: &str) -> Result<Vec<ProbeTarget>, String> {
    let rest = rest.trim_end_matches('/');
    let wrong = || "it is written tcp://HOST:PORTS, such as tcp://10.0.0.0/28:22,80,8000-8010".to_owned();
    let (hosts, ports) = match rest.strip_prefix('[') {
        // `[::1]:22`, but `[01-04]` is a range of names.
        Some(inner) if inner.split_once(']').is_some_and(|(address, _)| address.contains(':')) => {
            let (address, behind) = inner.split_once(']').ok_or_else(wrong)?;
            let (prefix, ports) = behind.rsplit_once(':').ok_or_else(wrong)?;
            (format!("{address}{prefix}"), ports)
        }
        Some(_) | None => {
            let (hosts, ports) = rest.rsplit_once(':').ok_or_else(wrong)?;
            (hosts.to_owned(), ports)
        }
    };
    let mut numbers = Vec::new();
    for part in ports.split(',') {
        let number = |text: &str| {
            let port = text.trim().parse::<u16>().ok().filter(|&port| port > 0);
            port.ok_or_else(|| format!("port {text:?} is none: 1–65535, or a range such as 8000-8010"))
        };
        let (first, last) = match part.split_once('-') {
            Some((first, last)) => (number(first)?, number(last)?),
            None => (number(part)?, number(part)?),
        };
        if first > last {
            return Err(format!("{part} is no range of ports"));
        }
        numbers.extend(first..=last);
    }
    numbers.sort_unstable();
    numbers.dedup();
    let too_many = |count: u128| {
        format!(
            "it stands for {count} connections, and {MAX_TARGETS} are the most: probe a part of it at a time"
        )
    };
    let count = |hosts: u128| hosts.saturating_mul(numbers.len() as u128);
    let addresses: Vec<String> = if hosts.contains('/') {
        let block = CidrBlock::parse(&hosts).map_err(|error| error.message)?;
        if count(block.host_count()) > MAX_TARGETS as u128 {
            return Err(too_many(count(block.host_count())));
        }
        block.hosts().map(|address| address.to_string()).collect()
    } else if hosts.contains(['[', '{']) {
        let wanted = range::count(&hosts).map_err(|error| error.message)?;
        if count(wanted) > MAX_TARGETS as u128 {
            return Err(too_many(count(wanted)));
        }
        range::expand(&hosts, MAX_TARGETS).map_err(|error| error.message)?
    } else {
        vec![hosts]
    };
    if count(addresses.len() as u128) > MAX_TARGETS as u128 {
        return Err(too_many(count(addresses.len() as u128)));
    }
    let mut targets = Vec::with_capacity(addresses.len() * numbers.len());
    for host in addresses {
        let host = host_name(&host)?;
        targets.extend(numbers.iter().map(|&port| ProbeTarget::Tcp { host: host.clone(), port }));
    }
    Ok(targets)
}

/// A name or an address.
fn host_name(text: &str) -> Result<String, String> {
    let name = ascii(text)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if parse_ip(&name).is_some() || !name.is_empty() && name.chars().all(plain) {
        Ok(name)
    } else {
        Err(format!("{text:?} is not a host name"))
    }
}
