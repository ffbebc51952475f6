//! Plain lists of hosts, as pssh and clush have them: `[user@]host[:port]` or `host user` on a line, ranges, comments.

use std::sync::Arc;

use crate::config::fields::quote;
use crate::config::findings::Findings;
use crate::model::position::Position;
use crate::model::range::expand;

/// A host of a list.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ListedHost {
    pub(super) name: String,
    pub(super) user: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) at: Position,
}

/// Reads a list; what is wrong with it is noted.
pub(super) fn read(name: &Arc<str>, text: &str, limit: usize, findings: &mut Findings) -> Vec<ListedHost> {
    let mut hosts = Vec::new();
    for (number, whole) in text.lines().enumerate() {
        let line = whole.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        let column = whole.chars().take_while(|c| c.is_whitespace()).count() + 1;
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let at = Position::new(Arc::clone(name), count(number + 1), count(column));
        let mut words = line.split_whitespace();
        let (first, second) = (words.next().unwrap_or_default(), words.next());
        if words.next().is_some() {
            findings.error_help(
                &at,
                format!("expected one host, found {}", quote(line)),
                "write one host on a line",
            );
            continue;
        }
        let (user, host) = match first.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (second, first),
        };
        let (pattern, port) = match split_port(host) {
            Ok(split) => split,
            Err(message) => {
                findings.error(&at, message);
                continue;
            }
        };
        match expand(pattern, limit.saturating_sub(hosts.len())) {
            Ok(names) => hosts.extend(names.into_iter().map(|name| ListedHost {
                name,
                user: user.map(str::to_owned),
                port,
                at: at.clone(),
            })),
            Err(error) => findings.error(&at, error.message),
        }
    }
    hosts
}

/// `host:22`, `[2001:db8::1]:22`, `2001:db8::1`.
fn split_port(text: &str) -> Result<(&str, Option<u16>), String> {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, behind)) if address.contains(':') && !address.contains('-') => {
            (address, behind.strip_prefix(':'))
        }
        _ => match text.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') && !port.contains(']') => (host, Some(port)),
            _ => (text, None),
        },
    };
    match port {
        None => Ok((host, None)),
        Some(port) => match port.parse() {
            Ok(number) if number > 0 => Ok((host, Some(number))),
            _ => Err(format!("port {} is no number from 1 to 65535", quote(port))),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_hosts() {
        let mut findings = Findings::default();
        let text =
            "# all\nweb1\n root@web2:2222 # db\nweb3 deploy\nn[01-02]\n[2001:db8::1]:22\n2001:db8::2\n";
        let hosts = read(&Arc::from("f"), text, 100, &mut findings);
        let shown: Vec<String> = hosts
            .iter()
            .map(|host| format!("{} {:?} {:?} {}", host.name, host.user, host.port, host.at.line))
            .collect();
        assert_eq!(
            shown,
            [
                "web1 None None 2",
                "web2 Some(\"root\") Some(2222) 3",
                "web3 Some(\"deploy\") None 4",
                "n01 None None 5",
                "n02 None None 5",
                "2001:db8::1 None Some(22) 6",
                "2001:db8::2 None None 7",
            ]
        );
        assert!(!findings.any());
        read(&Arc::from("f"), "a b c\nweb:0\nweb[1-\n", 100, &mut findings);
        assert_eq!(findings.take_errors().errors().len(), 3);
    }
}
