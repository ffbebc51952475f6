//! From what a host's `gateway` says to the endpoints on the way: named by the inventory, or written out.

use std::collections::HashMap;
use std::sync::Arc;

use crate::engine::planner::hosts::{HostPlanner, POSITION_OF_FLAG};
use crate::model::endpoint::Endpoint;
use crate::model::inventory::{Host, HostName};
use crate::model::name;
use crate::model::position::{Diagnostic, Position};
use crate::model::settings::{GatewaySetting, Origin, Settings, Sourced};
use crate::model::suggest::did_you_mean;
use crate::model::value::Vars;

/// Gateways one after the other, at most.
const MAX_HOPS: usize = 4;

/// The gateways met so far, by the whole way to them: hosts with the same way share one endpoint.
pub(super) type Known = HashMap<String, Option<Arc<Endpoint>>>;

impl HostPlanner<'_> {
    /// The last gateway before a host, with the way to it; `None` goes straight there.
    ///
    /// `path` are the names on the way so far, the target first.
    pub(super) fn way(&mut self, settings: &Settings, path: &mut Vec<String>) -> Option<Arc<Endpoint>> {
        let gateway = settings.gateway.as_ref()?;
        let GatewaySetting::Hops(hops) = &gateway.value else { return None };
        let own = path.last().map(String::as_str).unwrap_or_default();
        if matches!(gateway.origin, Origin::CommandLine(_)) && hops.iter().any(|hop| hop == own) {
            // `-g` is for the hosts behind it.
            return None;
        }
        let mut over: Option<Arc<Endpoint>> = None;
        for hop in hops {
            if path.contains(hop) || path.len() > MAX_HOPS {
                let cycle = path.contains(hop);
                let way = path.iter().chain([hop]).cloned().collect::<Vec<_>>().join(" → ");
                let message = if cycle {
                    format!("gateway cycle: {way}")
                } else {
                    format!("more than {MAX_HOPS} gateways: {way}")
                };
                let problem = at(&gateway.origin, message);
                self.problem(if cycle {
                    problem.help("set `gateway: none` on the gateway itself")
                } else {
                    problem
                });
                return None;
            }
            path.push(hop.clone());
            over = Some(self.hop(hop, over, &gateway.origin, path)?);
        }
        over
    }

    /// One gateway, reached over `over`; without that, by its own setting.
    fn hop(
        &mut self,
        text: &str,
        over: Option<Arc<Endpoint>>,
        origin: &Origin,
        path: &mut Vec<String>,
    ) -> Option<Arc<Endpoint>> {
        let key = over.as_ref().map_or_else(|| text.to_owned(), |over| format!("{}>{text}", over.route()));
        if let Some(known) = self.known.get(&key) {
            return known.clone();
        }
        let endpoint = self.new_hop(text, over, origin, path).map(Arc::new);
        self.known.insert(key, endpoint.clone());
        endpoint
    }

    fn new_hop(
        &mut self,
        text: &str,
        over: Option<Arc<Endpoint>>,
        origin: &Origin,
        path: &mut Vec<String>,
    ) -> Option<Endpoint> {
        // Flags such as -u are about the targets; a gateway is described by its own entry.
        let none = Settings::default();
        let resolved = match self.inventory.host_index(text) {
            Some(index) => {
                let host = self.inventory.hosts.get(index)?;
                let roles = self.roles.get(index).map(Vec::as_slice).unwrap_or_default();
                self.inventory.resolve(host, roles, &none)
            }
            None => match ad_hoc(text, matches!(origin, Origin::SshConfig(_))) {
                Ok(host) => self.inventory.resolve(&host, &[], &none),
                Err(message) => {
                    let problem = at(origin, message);
                    let names = self.inventory.hosts.iter().map(|host| host.name.as_str());
                    let near = did_you_mean(text, names);
                    self.problem(match near {
                        Some(near) => problem.help(format!("did you mean \"{near}\"?")),
                        None => problem.help("name a host of the inventory, or write [user@]address:port"),
                    });
                    return None;
                }
            },
        };
        let alias = host_part(resolved.name.as_str());
        let settings = self.over_ssh_config(alias, resolved.settings);
        let via = match over {
            Some(over) => Some(over),
            None => self.way(&settings, path),
        };
        let mut endpoint = self.endpoint(resolved.name.clone(), settings);
        if endpoint.address.as_ref() == resolved.name.as_str() {
            // Nobody knows better than the text itself.
            endpoint.address = Arc::from(host_part(resolved.name.as_str()));
        }
        endpoint.gateway = via;
        Some(endpoint)
    }
}

/// A gateway that is in no inventory: `[user@]address[:port]`. A plain word is a name that is missing there,
/// unless ssh_config wrote it (`alias`), whose names are its own.
fn ad_hoc(text: &str, alias: bool) -> Result<Host, String> {
    let (user, rest) = match text.rsplit_once('@') {
        Some((user, rest)) => (Some(user), rest),
        None => (None, text),
    };
    let (address, port) = split_port(rest);
    if !alias && user.is_none() && port.is_none() && !address.contains(['.', ':']) {
        return Err(format!("no host \"{text}\" in the inventory, to be a gateway"));
    }
    name::check_address(address)?;
    let origin = || Origin::CommandLine("--gateway");
    let mut settings = Settings::default();
    if !alias {
        // ssh_config says where a name of its own leads.
        settings.gateway = Some(Sourced::new(GatewaySetting::Direct, origin()));
        settings.address = Some(Sourced::new(address.to_owned(), origin()));
    }
    if let Some(user) = user {
        name::check_user_name(user)?;
        settings.user = Some(Sourced::new(user.to_owned(), origin()));
    }
    if let Some(port) = port {
        let number = port.parse::<u16>().ok().filter(|&number| number > 0);
        let number = number.ok_or_else(|| format!("port \"{port}\" of gateway {address} is no port"))?;
        settings.port = Some(Sourced::new(number, origin()));
    }
    let position = Position::new(POSITION_OF_FLAG, 1, 1);
    Ok(Host { name: HostName::from(text), settings, vars: Vars::new(), position })
}

/// The address of `[user@]address[:port]`, or the name of an inventory's host.
fn host_part(text: &str) -> &str {
    let rest = text.rsplit_once('@').map_or(text, |(_, rest)| rest);
    split_port(rest).0
}

/// `[::1]:22`, `host:22`, `::1`.
fn split_port(text: &str) -> (&str, Option<&str>) {
    if let Some((address, port)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return (address, port.strip_prefix(':'));
    }
    match text.rsplit_once(':') {
        Some((address, port)) if !address.contains(':') => (address, Some(port)),
        _ => (text, None),
    }
}

fn at(origin: &Origin, message: String) -> Diagnostic {
    match origin {
        Origin::SshConfig(position)
        | Origin::Defaults(position)
        | Origin::Role(_, position)
        | Origin::Host(position) => Diagnostic::at(position, message),
        Origin::CommandLine(flag) => Diagnostic::bare(format!("{flag}: {message}")),
        Origin::BuiltIn => Diagnostic::bare(message),
    }
}
