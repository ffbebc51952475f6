//! From what was chosen for a host to settings of the model: tokens replaced, names checked, and everything that
//! fan does not do turned into an error or a warning of this host.

use std::net::IpAddr;

use crate::config::gateway::Hop;
use crate::config::ssh_config::asked::{ConfigAnswer, Local};
use crate::config::ssh_config::chosen::{Chosen, Picked};
use crate::config::ssh_config::keywords::{LISTS, Treatment};
use crate::config::ssh_config::tokens::{self, Tokens, is_harmless_host};
use crate::config::ssh_config::value::{Canonicalization, Forwarding, ProxyValue, Strictness};
use crate::model::endpoint::KEEPALIVE_MAX;
use crate::model::name::{check_address, check_user_name};
use crate::model::position::{Diagnostic, Position};
use crate::model::settings::{AgentSetting, GatewaySetting, Origin, Settings, Sourced, TimeLimit};

/// fan's own limit for RSA keys, in bits.
const MIN_RSA_BITS: u32 = 2048;

/// The files of known keys when the configuration names none (ssh_config(5)); the user's are below the home folder.
const USER_KNOWN_HOSTS: [&str; 2] = ["~/.ssh/known_hosts", "~/.ssh/known_hosts2"];
const GLOBAL_KNOWN_HOSTS: [&str; 2] = ["/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"];

/// Makes the answer for one host.
pub(super) fn answer(host: &str, mut above: Settings, local: &Local, mut chosen: Chosen<'_>) -> ConfigAnswer {
    let mut notes = Notes { errors: std::mem::take(&mut chosen.errors), warnings: Vec::new() };
    let mut settings = Settings::default();

    if let Some(name) = &chosen.host_name {
        let address = tokens::host_name(name.value, host).map(|address| address.to_ascii_lowercase());
        settings.address = notes.keep("HostName", name.at, address);
    }
    if let Some(user) = &chosen.user {
        settings.user = notes.keep("User", user.at, user_name(user.value));
    }
    settings.port = chosen.port.as_ref().map(|port| from(port.at, *port.value));
    settings.host_key_alias =
        chosen.host_key_alias.as_ref().map(|alias| from(alias.at, alias.value.to_owned()));

    // What higher layers say is what the tokens stand for.
    let address = above.address.as_ref().or(settings.address.as_ref()).map_or(host, |address| &address.value);
    let address = address.to_ascii_lowercase();
    let user = above.user.as_ref().or(settings.user.as_ref()).map(|user| user.value.clone());
    let user = user.as_ref().unwrap_or(&local.user);
    let alias = above.host_key_alias.as_ref().or(settings.host_key_alias.as_ref());
    let alias = alias.map(|alias| alias.value.clone());
    let jump = match (&above.gateway, &chosen.proxy) {
        (Some(Sourced { value: GatewaySetting::Hops(hops), .. }), _) => hops.join(","),
        (Some(_), _) => String::new(),
        (None, Some(Picked { value: ProxyValue::Jump(hops), .. })) => joined(hops),
        (None, Some(_) | None) => String::new(),
    };
    let home = local.home.to_string_lossy();
    let tokens = Tokens {
        original_host: host,
        host: &address,
        port: above.port.as_ref().or(settings.port.as_ref()).map_or(22, |port| port.value),
        user,
        key_alias: alias.as_deref().unwrap_or(host),
        jump: &jump,
        home: &home,
        local_user: &local.user,
        uid: local.uid,
        local_host: &local.host_name,
        env: &local.env,
    };

    if let (Some(name), Some(address)) = (&chosen.host_name, &settings.address) {
        let command = matches!(chosen.proxy, Some(Picked { value: ProxyValue::Command(_), .. }));
        if let Err(message) = dialled(&address.value, command) {
            notes.error("HostName", name.at, message);
        }
    }
    let identities = chosen.identity_files.iter().filter(|file| !is_none(file.value));
    let identities = notes.paths("IdentityFile", identities, &tokens);
    settings.identity = chosen.identity_files.first().map(|first| from(first.at, identities));
    let certificates = chosen.certificate_files.iter().filter(|file| !is_none(file.value));
    let certificates = notes.paths("CertificateFile", certificates, &tokens);
    settings.certificates = chosen.certificate_files.first().map(|first| from(first.at, certificates));
    settings.identities_only = chosen.identities_only.as_ref().map(|only| from(only.at, *only.value));
    if let Some(agent) = &chosen.identity_agent {
        settings.agent = notes.keep("IdentityAgent", agent.at, agent_setting(agent.value, &tokens));
    }
    if let Some(proxy) = &chosen.proxy {
        match proxy.value {
            ProxyValue::NoJump | ProxyValue::NoCommand => {
                settings.gateway = Some(from(proxy.at, GatewaySetting::Direct));
            }
            ProxyValue::Jump(hops) => {
                let hops = hops.iter().map(|hop| expanded(hop, &tokens)).collect::<Result<Vec<_>, _>>();
                settings.gateway = notes.keep("ProxyJump", proxy.at, hops.map(GatewaySetting::Hops));
            }
            ProxyValue::Command(command) => {
                let command = tokens.command(command).map(GatewaySetting::Command);
                settings.gateway = notes.keep("ProxyCommand", proxy.at, command);
                if let Some(passing) = chosen.proxy_use_fdpass.as_ref().filter(|passing| *passing.value) {
                    let message = "fan cannot take over the connection of a ProxyCommand".to_owned();
                    notes.error("ProxyUseFdpass", passing.at, message);
                }
            }
        }
    }
    (settings.known_hosts, settings.shared_known_hosts) = known_hosts(&chosen, &tokens, &mut notes).unzip();
    if let Some(strictness) = &chosen.strictness {
        match strictness.value {
            Strictness::Policy(policy) => settings.host_keys = Some(from(strictness.at, *policy)),
            Strictness::Off => notes.errors.push(
                Diagnostic::at(
                    strictness.at,
                    "StrictHostKeyChecking no accepts any key a host presents, which fan never does",
                )
                .help("write accept-new there, or set host_keys for the host in the inventory"),
            ),
        }
    }
    if let Some(file) = chosen.revoked_host_keys.as_ref().filter(|file| !is_none(file.value)) {
        let path = tokens.path(file.value).map(|path| vec![path]);
        settings.revoked_host_keys = notes.keep("RevokedHostKeys", file.at, path);
    }
    settings.connect_timeout = chosen
        .connect_timeout
        .as_ref()
        .and_then(|timeout| Some(from(timeout.at, limit(*timeout.value).duration()?)));
    settings.keepalive = chosen.alive_interval.as_ref().map(|time| from(time.at, limit(*time.value)));
    if let Some(count) = &chosen.alive_count
        && usize::try_from(*count.value).ok() != Some(KEEPALIVE_MAX)
    {
        let message =
            format!("fan always ends a connection after {KEEPALIVE_MAX} unanswered keepalive requests");
        notes.warn("ServerAliveCountMax", count.at, &message);
    }
    if let Some(forward) = &chosen.forward_agent {
        let flag = match forward.value {
            Forwarding::Flag(flag) => Ok(*flag),
            Forwarding::Socket => {
                Err("fan can only forward the agent used for the login: yes or no".to_owned())
            }
        };
        settings.forward_agent = notes.keep("ForwardAgent", forward.at, flag);
    }
    if let Some(size) = chosen.rsa_size.as_ref().filter(|size| *size.value > MIN_RSA_BITS) {
        let message = format!("fan takes RSA keys from {MIN_RSA_BITS} bits on");
        notes.warn("RequiredRSASize", size.at, &message);
    }
    let by_way = match &above.gateway.as_ref().or(settings.gateway.as_ref()).map(|way| &way.value) {
        Some(GatewaySetting::Hops(_) | GatewaySetting::Command(_)) => true,
        Some(GatewaySetting::Direct) | None => false,
    };
    // An address of the inventory is meant as it stands.
    if above.address.is_none()
        && let Some((at, domains)) = completed(&chosen, &address, by_way)
    {
        let message = format!(
            "CanonicalizeHostname: ssh looks for {address} in {domains} by DNS, and takes the full name; fan does not"
        );
        let help = "write the full name: as `address` in the inventory, or as HostName above this line";
        notes.errors.push(Diagnostic::at(at, message).help(help));
    }
    let mut lists: Vec<(&str, &Position)> = Vec::new();
    for (keyword, argument) in chosen.others.values() {
        let asks = |unless: &[&str]| !unless.iter().any(|value| value.eq_ignore_ascii_case(argument.value));
        match keyword.treatment {
            Treatment::Refused { unless } if asks(unless) => {
                notes.error(keyword.name, argument.at, keyword.why.to_owned());
            }
            Treatment::Warned { .. } if keyword.why == LISTS => lists.push((keyword.name, argument.at)),
            Treatment::Warned { unless } if asks(unless) => {
                notes.warn(keyword.name, argument.at, keyword.why)
            }
            Treatment::Read(_)
            | Treatment::Ignored
            | Treatment::Refused { .. }
            | Treatment::Warned { .. } => {}
        }
    }
    notes.warn_of_lists(lists);
    notes.fill_in(&mut above, &tokens);
    let Notes { mut errors, mut warnings } = notes;
    errors.sort_by(|a, b| a.position.cmp(&b.position));
    warnings.sort_by(|a, b| a.position.cmp(&b.position));
    ConfigAnswer { settings, above, errors, warnings }
}

/// The domains in which ssh would look for a name, and the line that says so (`resolve_canonicalize` in ssh.c).
fn completed<'c>(chosen: &Chosen<'c>, address: &str, by_way: bool) -> Option<(&'c Position, String)> {
    let mode = chosen.canonicalize.as_ref()?;
    let applies = match mode.value {
        Canonicalization::Never => false,
        Canonicalization::Direct => !by_way,
        Canonicalization::Always => true,
    };
    let domains = chosen.canonical_domains.as_ref().map_or(&[][..], |domains| domains.value);
    let most_dots = chosen.canonical_dots.as_ref().map_or(1, |dots| *dots.value);
    let dots = u32::try_from(address.matches('.').count()).unwrap_or(u32::MAX);
    let is_open = address.parse::<IpAddr>().is_err() && !domains.is_empty() && dots <= most_dots;
    (applies && is_open).then(|| (mode.at, domains.join(", ")))
}

/// What is wrong with the configuration of one host, and what should be known.
struct Notes {
    errors: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
}

impl Notes {
    /// Replaces the tokens in the settings of higher layers, where ssh_config has them too. What `~` and a relative
    /// path stand for was settled where the setting was read.
    fn fill_in(&mut self, above: &mut Settings, tokens: &Tokens<'_>) {
        let mut replace = |setting: &str,
                           text: &mut String,
                           origin: &Origin,
                           filled: Result<String, String>| {
            match filled {
                Ok(filled) => *text = filled,
                Err(message) => self.errors.push(origin.says(format!("{setting}: {message}"))),
            }
        };
        let paths = [
            ("identity", &mut above.identity),
            ("certificate", &mut above.certificates),
            ("known_hosts", &mut above.known_hosts),
            ("revoked_host_keys", &mut above.revoked_host_keys),
        ];
        for (setting, files) in paths {
            let Some(Sourced { value: files, origin }) = files else { continue };
            for file in files {
                let filled = tokens.text(file);
                replace(setting, file, origin, filled);
            }
        }
        if let Some(Sourced { value: AgentSetting::Socket(path), origin }) = &mut above.agent {
            let filled = tokens.text(path);
            replace("agent", path, origin, filled);
        }
        if let Some(Sourced { value: GatewaySetting::Command(command), origin }) = &mut above.gateway {
            let filled = tokens.command(command);
            replace("proxy_command", command, origin, filled);
        }
    }

    fn error(&mut self, keyword: &str, at: &Position, message: String) {
        self.errors.push(Diagnostic::at(at, format!("{keyword}: {message}")));
    }

    /// The text of a warning names no host: it is the same for all of them, so that it can be shown once.
    fn warn(&mut self, keyword: &str, at: &Position, message: &str) {
        self.warnings.push(Diagnostic::at(at, format!("{keyword}: {message}")).warning());
    }

    /// A policy of a distribution sets them all at once: one line for it.
    fn warn_of_lists(&mut self, mut lists: Vec<(&str, &Position)>) {
        lists.sort_by(|a, b| a.1.cmp(b.1));
        if let Some((_, at)) = lists.first() {
            let names: Vec<&str> = lists.iter().map(|(name, _)| *name).collect();
            let warning = Diagnostic::at(at, format!("{}: {LISTS}", names.join(", "))).warning();
            self.warnings.push(warning.help("docs/ssh-config.md#algorithms has the list"));
        }
    }

    fn keep<T>(&mut self, keyword: &str, at: &Position, value: Result<T, String>) -> Option<Sourced<T>> {
        match value {
            Ok(value) => Some(from(at, value)),
            Err(message) => {
                self.error(keyword, at, message);
                None
            }
        }
    }

    fn paths<'p>(
        &mut self,
        keyword: &str,
        files: impl Iterator<Item = &'p Picked<'p, str>>,
        tokens: &Tokens<'_>,
    ) -> Vec<String> {
        files.filter_map(|file| Some(self.keep(keyword, file.at, tokens.path(file.value))?.value)).collect()
    }
}

fn from<T>(at: &Position, value: T) -> Sourced<T> {
    Sourced::new(value, Origin::SshConfig(at.clone()))
}

fn is_none(value: &str) -> bool {
    value.eq_ignore_ascii_case("none")
}

/// OpenSSH 10 replaces tokens in `User` and older ones do not, so nobody can say which name is meant.
fn user_name(text: &str) -> Result<String, String> {
    if text.contains('%') || text.contains("${") {
        return Err("tokens in it depend on the version of OpenSSH; write the name".to_owned());
    }
    check_user_name(text)?;
    Ok(text.to_owned())
}

/// Says why an address is none. A proxy command may know names that no resolver does.
fn dialled(address: &str, by_command: bool) -> Result<(), String> {
    if !is_harmless_host(address) {
        return Err("characters that are invalid in a host name".to_owned());
    }
    if by_command { Ok(()) } else { check_address(address) }
}

fn joined(hops: &[Hop]) -> String {
    hops.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

fn expanded(hop: &Hop, tokens: &Tokens<'_>) -> Result<String, String> {
    let hop = Hop {
        user: hop.user.as_ref().map(|user| tokens.command(user)).transpose()?,
        host: tokens.command(&hop.host)?,
        port: hop.port,
    };
    hop.check()?;
    Ok(hop.to_string())
}

fn agent_setting(text: &str, tokens: &Tokens<'_>) -> Result<AgentSetting, String> {
    if is_none(text) {
        return Ok(AgentSetting::Off);
    }
    if text == "SSH_AUTH_SOCK" {
        return Ok(AgentSetting::Environment);
    }
    if let Some(name) = text.strip_prefix('$').filter(|name| !name.starts_with('{')) {
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Err(format!("{name:?} cannot name an environment variable"));
        }
        // Without the variable there is no agent, as in OpenSSH.
        return Ok(tokens.env.get(name).map_or(AgentSetting::Off, |path| AgentSetting::Socket(path.clone())));
    }
    tokens.path(text).map(AgentSetting::Socket)
}

/// Files of known keys, with the line that says so.
type ConfigFiles = Sourced<Vec<String>>;

/// The user's files of known keys, and those of the machine. When only one kind is named, the other one has OpenSSH's
/// defaults.
fn known_hosts(
    chosen: &Chosen<'_>,
    tokens: &Tokens<'_>,
    notes: &mut Notes,
) -> Option<(ConfigFiles, ConfigFiles)> {
    let at = chosen.user_known_hosts.as_ref().or(chosen.global_known_hosts.as_ref())?.at;
    let (mut files, mut shared) = (Vec::new(), Vec::new());
    let named = chosen.user_known_hosts.as_ref().map(|files| (files.at, files.value));
    let own: Vec<&str> = match named {
        Some((_, files)) => files.iter().map(String::as_str).collect(),
        None => USER_KNOWN_HOSTS.to_vec(),
    };
    // A file that is always empty: written to say that there is none.
    for file in own.into_iter().filter(|file| *file != "/dev/null") {
        files.extend(notes.keep("UserKnownHostsFile", at, tokens.path(file)).map(|file| file.value));
    }
    match &chosen.global_known_hosts {
        None => shared.extend(GLOBAL_KNOWN_HOSTS.map(str::to_owned)),
        Some(global) => {
            for file in global.value.iter().filter(|file| *file != "/dev/null") {
                if file.starts_with('~') {
                    let message = "OpenSSH does not expand ~ here; write the whole path";
                    notes.error("GlobalKnownHostsFile", global.at, message.to_owned());
                } else {
                    shared.push(file.clone());
                }
            }
        }
    }
    Some((from(at, files), from(at, shared)))
}

fn limit(seconds: u32) -> TimeLimit {
    match seconds {
        0 => TimeLimit::None,
        seconds => TimeLimit::After(std::time::Duration::from_secs(u64::from(seconds))),
    }
}
