//! Plain lists of hosts as a source: each host of each line, with its login and its port.

use std::sync::Arc;

use crate::config::fields::quote;
use crate::config::findings::Findings;
use crate::config::host_list::listed;
use crate::model::position::{Located, Position};
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
    let lines = match listed(name, text) {
        Ok(lines) => lines,
        Err(problems) => {
            problems.into_iter().for_each(|problem| findings.push(problem));
            return hosts;
        }
    };
    for Located { value: line, position: at } in lines {
        for item in items(&line) {
            let (user, host) = match item.rsplit_once('@') {
                Some((user, host)) => (Some(user), host),
                None => (None, item),
            };
            let expanded = split_port(host).and_then(|(pattern, port)| {
                let names = expand(pattern, limit.saturating_sub(hosts.len()));
                Ok((names.map_err(|error| error.message)?, port))
            });
            match expanded {
                Ok((names, port)) => hosts.extend(names.into_iter().map(|name| ListedHost {
                    name,
                    user: user.map(str::to_owned),
                    port,
                    at: at.clone(),
                })),
                Err(message) => findings.error(&at, message),
            }
        }
    }
    hosts
}

/// The hosts of a line, at the commas that are in no range.
fn items(line: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_usize;
    let parts = line.split(move |c| {
        match c {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    });
    parts.map(str::trim).filter(|item| !item.is_empty())
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
        let text = "# all\nweb1\n root@web2:2222 # db\nweb3 deploy\nn[01-02],m[1,3]\n[2001:db8::1]:22\n2001:db8::2\n";
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
                "m1 None None 5",
                "m3 None None 5",
                "2001:db8::1 None Some(22) 6",
                "2001:db8::2 None None 7",
            ]
        );
        assert!(!findings.any());
        read(&Arc::from("f"), "web:0\nweb[1-\n", 100, &mut findings);
        assert_eq!(findings.take_errors().errors().len(), 2);
    }
}
