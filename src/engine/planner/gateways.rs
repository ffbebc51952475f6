//! From what a host's `gateway` says to the endpoints on the way: named by the inventory, or written out.

use std::borrow::Cow;
use std::sync::Arc;

use crate::engine::planner::endpoints::HostPlanner;
use crate::model::endpoint::Endpoint;
use crate::model::inventory::HostName;
use crate::model::name;
use crate::model::position::Diagnostic;
use crate::model::settings::{GatewaySetting, Origin, Settings, Sourced};
use crate::model::suggest::did_you_mean;

/// Gateways one after the other, at most.
const MAX_HOPS: usize = 4;

impl HostPlanner<'_> {
    /// The last gateway before a host, with the way to it; `None` goes straight there.
    ///
    /// `path` are the names on the way so far, the target first.
    pub(super) fn way(&mut self, settings: &Settings, path: &mut Vec<String>) -> Option<Arc<Endpoint>> {
        let gateway = settings.gateway.as_ref()?;
        let GatewaySetting::Hops(hops) = &gateway.value else { return None };
        let mut over: Option<Arc<Endpoint>> = None;
        for hop in hops {
            if path.contains(hop) {
                let way = path.iter().chain([hop]).cloned().collect::<Vec<_>>().join(" → ");
                let problem = at(&gateway.origin, format!("gateway cycle: {way}"));
                self.problem(problem.help("set `gateway: none` on the gateway itself"));
                return None;
            }
            path.push(hop.clone());
            let via = self.hop(hop, over, &gateway.origin, path)?;
            // Counted on what came of it: a gateway that is known already brings its own way along.
            if via.hops().count() > MAX_HOPS {
                let way = via.route().replace('>', " → ");
                self.problem(at(&gateway.origin, format!("more than {MAX_HOPS} gateways: {way}")));
                return None;
            }
            over = Some(via);
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
        let (name, settings) = match self.inventory.host_index(text) {
            Some(index) => {
                let host = self.inventory.hosts.get(index)?;
                let roles = self.roles.get(index).map(Vec::as_slice).unwrap_or_default();
                let resolved = self.inventory.resolve(host, roles, &self.flags());
                let settings = self.over_ssh_config(host_part(text), resolved.settings);
                (resolved.name, settings)
            }
            None => match ad_hoc(text, matches!(origin, Origin::SshConfig(_))) {
                Ok((name, own)) => (name, self.outside(text, own, origin)),
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
        let via = match over {
            Some(over) => Some(over),
            None => self.way(&settings, path),
        };
        let mut endpoint = self.endpoint(name.clone(), settings);
        if endpoint.address.as_ref() == name.as_str() {
            // Nobody knows better than the text itself.
            endpoint.address = Arc::from(host_part(name.as_str()));
        }
        endpoint.gateway = via;
        Some(endpoint)
    }

    /// All layers of a gateway that is no host of the inventory, `own` being what its text says.
    ///
    /// The inventory's defaults describe its hosts: where they listen, how they are reached and which secret
    /// opens them is not to be said of a stranger. A name of ssh_config's is described there first.
    fn outside(&mut self, text: &str, own: Settings, origin: &Origin) -> Settings {
        let mut settings = Settings {
            address: None,
            port: None,
            gateway: None,
            proxy_command: None,
            password: None,
            host_key: None,
            host_key_alias: None,
            transport: None,
            ..self.inventory.defaults.clone()
        };
        let flags = self.flags();
        if matches!(origin, Origin::SshConfig(_)) {
            settings.overlay(&self.over_ssh_config(host_part(text), own));
            settings.overlay(&flags);
            return settings;
        }
        settings.overlay(&own);
        settings.overlay(&flags);
        self.over_ssh_config(host_part(text), settings)
    }

    /// What the command line says of one host: `-g` is for the hosts behind it, and a host that it names is
    /// reached over those before it; the first one in its own way.
    pub(super) fn flags_of(&self, host: &HostName) -> Cow<'_, Settings> {
        let flags = &self.request.settings;
        let Some(Sourced { value: GatewaySetting::Hops(hops), origin }) = &flags.gateway else {
            return Cow::Borrowed(flags);
        };
        let Some(before) = hops.iter().position(|hop| hop == host.as_str()) else {
            return Cow::Borrowed(flags);
        };
        let before: Vec<String> = hops.iter().take(before).cloned().collect();
        let gateway =
            (!before.is_empty()).then(|| Sourced::new(GatewaySetting::Hops(before), origin.clone()));
        Cow::Owned(Settings { gateway, ..flags.clone() })
    }

    /// What the command line says of gateways too: its logins are those of the targets, and a gateway is
    /// described by its own entry, but how careful and how patient to be holds for the whole way.
    fn flags(&self) -> Settings {
        let flags = &self.request.settings;
        Settings {
            host_keys: flags.host_keys.clone(),
            connect_timeout: flags.connect_timeout.clone(),
            ..Settings::default()
        }
    }
}

/// A gateway that is in no inventory: `[user@]address[:port]`. A plain word is a name that is missing there,
/// unless ssh_config wrote it (`alias`), whose names are its own.
fn ad_hoc(text: &str, alias: bool) -> Result<(HostName, Settings), String> {
    let (user, rest) = match text.rsplit_once('@') {
        Some((user, rest)) => (Some(user), rest),
        None => (None, text),
    };
    let (address, port) = split_port(rest);
    if !alias && user.is_none() && port.is_none() && !address.contains(['.', ':']) {
        return Err(format!("no host \"{text}\" in the inventory to use as a gateway"));
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
    Ok((HostName::from(text), settings))
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
    }
}
