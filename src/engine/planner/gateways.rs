//! From what a host's `gateway` says to the endpoints on the way: named by the inventory, or written out.

use std::borrow::Cow;
use std::sync::Arc;

use crate::engine::planner::endpoints::HostPlanner;
use crate::model::endpoint::Endpoint;
use crate::model::inventory::{HostName, is_ad_hoc};
use crate::model::name;
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
                let problem = gateway.origin.says(format!("gateway cycle: {way}"));
                self.problem(problem.help("set `gateway: none` on the gateway itself"));
                return None;
            }
            path.push(hop.clone());
            let via = self.hop(hop, over, &gateway.origin, path)?;
            // Counted on what came of it: a gateway that is known already brings its own way along.
            if via.hops().count() > MAX_HOPS {
                let way = via.route().replace('>', " → ");
                self.problem(gateway.origin.says(format!("more than {MAX_HOPS} gateways: {way}")));
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
        let (name, mut settings) = match self.inventory.host_index(text) {
            Some(index) => {
                let host = self.inventory.hosts.get(index)?;
                let roles = self.roles.get(index).map(Vec::as_slice).unwrap_or_default();
                let resolved = self.inventory.resolve(host, roles, &self.flags());
                let settings = self.over_ssh_config(resolved.name.place(), resolved.settings);
                (resolved.name, settings)
            }
            None => match self.outside(text, origin) {
                Ok(settings) => (HostName::from(text), settings),
                Err(message) => {
                    let problem = origin.says(message);
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
        let gateway = match over {
            // The gateways before it are its way, whatever its own settings say.
            Some(over) => {
                settings.gateway = None;
                Some(over)
            }
            None => self.way(&settings, path),
        };
        Some(Endpoint { gateway, ..self.endpoint(name, settings) })
    }

    /// All layers of a gateway that is no host of the inventory: `[user@]address[:port]`, or a name that ssh_config
    /// gives an address. A plain word that nobody describes is taken for a slip as long as there is an inventory.
    ///
    /// The inventory's defaults describe its hosts: where they listen, how they are reached and which secret
    /// opens them is not to be said of a stranger. A name that ssh_config wrote itself is described there first.
    fn outside(&mut self, text: &str, origin: &Origin) -> Result<Settings, String> {
        let own = written(text)?;
        let place = name::place(text);
        let mut settings = Settings {
            address: None,
            port: None,
            gateway: None,
            password: None,
            host_key: None,
            host_key_alias: None,
            transport: None,
            ..self.inventory.defaults.clone()
        };
        let flags = self.flags();
        if matches!(origin, Origin::SshConfig(_)) {
            settings.overlay(&self.over_ssh_config(place, own));
            settings.overlay(&flags);
            return Ok(settings);
        }
        settings.overlay(&own);
        settings.overlay(&flags);
        let settings = self.over_ssh_config(place, settings);
        let is_plain = text == place && !place.contains(['.', ':']);
        if is_plain && settings.address.is_none() && !self.inventory.hosts.iter().all(is_ad_hoc) {
            return Err(format!("no host \"{text}\" in the inventory or ssh_config to use as a gateway"));
        }
        Ok(settings)
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

/// What `[user@]address[:port]` says of a gateway.
fn written(text: &str) -> Result<Settings, String> {
    let (user, rest) = match text.rsplit_once('@') {
        Some((user, rest)) => (Some(user), rest),
        None => (None, text),
    };
    let (address, port) = name::split_port(rest);
    name::check_address(address)?;
    let origin = || Origin::CommandLine("--gateway");
    let mut settings = Settings::default();
    if let Some(user) = user {
        name::check_user_name(user)?;
        settings.user = Some(Sourced::new(user.to_owned(), origin()));
    }
    if let Some(port) = port {
        let number = port.parse::<u16>().ok().filter(|&number| number > 0);
        let number = number.ok_or_else(|| format!("port \"{port}\" of gateway {address} is no port"))?;
        settings.port = Some(Sourced::new(number, origin()));
    }
    Ok(settings)
}
