//! The walk over the statements for one host: which blocks are for it, and which value of each keyword comes
//! first. Values are as they were written; tokens are not replaced yet.

use std::collections::BTreeMap;

use crate::config::ssh_config::criteria::{MatchFacts, MatchVerdict};
use crate::config::ssh_config::file::{ConfigFile, HostPattern, What};
use crate::config::ssh_config::keywords::{Keyword, Treatment};
use crate::config::ssh_config::pattern::{matches, matches_list};
use crate::config::ssh_config::tokens;
use crate::config::ssh_config::value::{Canonicalization, Forwarding, KeywordValue, ProxyValue, Strictness};
use crate::model::position::{Diagnostic, Position};
use crate::model::settings::Settings;

/// A value with its place.
#[derive(Debug)]
pub(super) struct Picked<'c, T: ?Sized> {
    pub(super) value: &'c T,
    pub(super) at: &'c Position,
}

/// Everything that the configuration says about one host; the first value of each keyword, all files of keys.
#[derive(Debug, Default)]
pub(super) struct Chosen<'c> {
    pub(super) host_name: Option<Picked<'c, str>>,
    pub(super) user: Option<Picked<'c, str>>,
    pub(super) port: Option<Picked<'c, u16>>,
    pub(super) identity_files: Vec<Picked<'c, str>>,
    pub(super) identities_only: Option<Picked<'c, bool>>,
    pub(super) identity_agent: Option<Picked<'c, str>>,
    pub(super) certificate_files: Vec<Picked<'c, str>>,
    pub(super) proxy: Option<Picked<'c, ProxyValue>>,
    pub(super) proxy_use_fdpass: Option<Picked<'c, bool>>,
    pub(super) user_known_hosts: Option<Picked<'c, [String]>>,
    pub(super) global_known_hosts: Option<Picked<'c, [String]>>,
    pub(super) host_key_alias: Option<Picked<'c, str>>,
    pub(super) strictness: Option<Picked<'c, Strictness>>,
    pub(super) revoked_host_keys: Option<Picked<'c, str>>,
    pub(super) connect_timeout: Option<Picked<'c, u32>>,
    pub(super) alive_interval: Option<Picked<'c, u32>>,
    pub(super) alive_count: Option<Picked<'c, u32>>,
    pub(super) forward_agent: Option<Picked<'c, Forwarding>>,
    pub(super) canonicalize: Option<Picked<'c, Canonicalization>>,
    pub(super) canonical_domains: Option<Picked<'c, [String]>>,
    pub(super) canonical_dots: Option<Picked<'c, u32>>,
    pub(super) rsa_size: Option<Picked<'c, u32>>,
    ignore_unknown: Option<Picked<'c, str>>,
    /// Keywords that are warned about or refused, by name.
    pub(super) others: BTreeMap<&'static str, (&'static Keyword, Picked<'c, str>)>,
    /// What cannot be decided or is unknown, each once.
    pub(super) errors: Vec<Diagnostic>,
}

/// What the walk starts from.
#[derive(Debug)]
pub(super) struct QueryStart<'s> {
    /// The host's name as the user gave it.
    pub(super) host: &'s str,
    /// What higher layers say; their values stand before all of the configuration's.
    pub(super) above: &'s Settings,
    /// The name of the local user.
    pub(super) local_user: &'s str,
}

/// Whether lines are for the host.
#[derive(Clone, Copy, Debug)]
enum MatchState<'c> {
    No,
    Yes,
    /// It depends on a criterion that cannot be judged.
    Unsure {
        criterion: &'c str,
        at: &'c Position,
    },
}

/// Walks the files once, and again if one of them asks for it.
pub(super) fn choose<'c>(files: &[&'c ConfigFile], start: &QueryStart<'_>) -> Chosen<'c> {
    let mut walk = ConfigWalk { start, chosen: Chosen::default(), resolved: None };
    for file in files {
        walk.file(file, MatchState::Yes);
    }
    let canonicalizes = walk.chosen.canonicalize.as_ref();
    let canonicalizes = canonicalizes.is_some_and(|picked| *picked.value != Canonicalization::Never);
    if canonicalizes || files.iter().any(|file| file.wants_final) {
        walk.resolved = Some(walk.host_so_far().to_ascii_lowercase());
        for file in files {
            walk.file(file, MatchState::Yes);
        }
    }
    walk.chosen
}

struct ConfigWalk<'c, 's> {
    start: &'s QueryStart<'s>,
    chosen: Chosen<'c>,
    /// The name of the host after the first walk; there only during the second one.
    resolved: Option<String>,
}

impl<'c> ConfigWalk<'c, '_> {
    /// Walks a file. Its lines are for the host at most as much as the line is that includes it.
    fn file(&mut self, file: &'c ConfigFile, outer: MatchState<'c>) {
        let mut state = outer;
        for statement in &file.statements {
            let at = &statement.at;
            match &statement.what {
                What::Host(patterns) => {
                    let host = self.resolved.as_deref().unwrap_or(self.start.host);
                    state = if is_for(host, patterns) { outer } else { MatchState::No };
                }
                What::Match(_) if matches!(outer, MatchState::No) => state = MatchState::No,
                What::Match(conditions) => {
                    let host = self.host_so_far();
                    let facts = MatchFacts {
                        host: &host,
                        original_host: self.start.host,
                        user: self.user_so_far(),
                        local_user: self.start.local_user,
                        again: self.resolved.is_some(),
                    };
                    state = match (conditions.judge(&facts), outer) {
                        (MatchVerdict::No, _) | (_, MatchState::No) => MatchState::No,
                        (MatchVerdict::Yes, _) | (MatchVerdict::Undecided(_), MatchState::Unsure { .. }) => {
                            outer
                        }
                        (MatchVerdict::Undecided(criterion), MatchState::Yes) => {
                            MatchState::Unsure { criterion, at }
                        }
                    };
                }
                What::Include(files) => {
                    for file in files {
                        self.file(file, state);
                    }
                }
                What::Set(value) => match state {
                    MatchState::No => {}
                    MatchState::Yes => self.set(value, at),
                    MatchState::Unsure { criterion, at } => {
                        if !self.is_settled(value) {
                            self.undecided(criterion, at);
                        }
                    }
                },
                What::Refuse(message) => match state {
                    MatchState::No => {}
                    MatchState::Yes | MatchState::Unsure { .. } => {
                        self.error(Diagnostic::at(at, message.clone()))
                    }
                },
            }
        }
    }

    fn host_so_far(&self) -> String {
        if let Some(resolved) = &self.resolved {
            return resolved.clone();
        }
        if let Some(address) = &self.start.above.address {
            return address.value.clone();
        }
        match &self.chosen.host_name {
            // A token that does not exist is reported when the answer is made.
            Some(name) => {
                tokens::host_name(name.value, self.start.host).unwrap_or_else(|_| name.value.to_owned())
            }
            None => self.start.host.to_owned(),
        }
    }

    fn user_so_far(&self) -> &str {
        match (&self.start.above.user, &self.chosen.user) {
            (Some(user), _) => &user.value,
            (None, Some(user)) => user.value,
            (None, None) => self.start.local_user,
        }
    }

    fn error(&mut self, error: Diagnostic) {
        if !self.chosen.errors.contains(&error) {
            self.chosen.errors.push(error);
        }
    }

    fn undecided(&mut self, criterion: &str, at: &Position) {
        let message = match criterion {
            "exec" => {
                "Match exec: whether this block applies to the host depends on a command, and fan runs none"
                    .to_owned()
            }
            other => format!("Match {other}: fan cannot evaluate whether this block applies to the host"),
        };
        let help = "move the block's settings to the inventory, or use --ssh-config none";
        self.error(Diagnostic::at(at, message).help(help));
    }

    /// Whether a value would change nothing any more.
    fn is_settled(&self, value: &KeywordValue) -> bool {
        let (chosen, above) = (&self.chosen, self.start.above);
        let listed = |list: &[Picked<'_, str>], file: &str| list.iter().any(|known| known.value == file);
        match value {
            // The second walk starts with the name that the first one found.
            KeywordValue::HostName(_) => {
                above.address.is_some() || chosen.host_name.is_some() || self.resolved.is_some()
            }
            KeywordValue::User(_) => above.user.is_some() || chosen.user.is_some(),
            KeywordValue::Port(_) => above.port.is_some() || chosen.port.is_some(),
            KeywordValue::IdentityFile(file) => {
                above.identity.is_some() || listed(&chosen.identity_files, file)
            }
            KeywordValue::IdentitiesOnly(_) => {
                above.identities_only.is_some() || chosen.identities_only.is_some()
            }
            KeywordValue::IdentityAgent(_) => above.agent.is_some() || chosen.identity_agent.is_some(),
            KeywordValue::CertificateFile(file) => {
                above.certificates.is_some() || listed(&chosen.certificate_files, file)
            }
            KeywordValue::Proxy(value) => {
                above.gateway.is_some()
                    || match (chosen.proxy.as_ref().map(|proxy| proxy.value), value) {
                        (None, _)
                        | (Some(ProxyValue::NoJump), ProxyValue::Command(_) | ProxyValue::NoCommand) => false,
                        (Some(_), _) => true,
                    }
            }
            KeywordValue::ProxyUseFdpass(_) => chosen.proxy_use_fdpass.is_some(),
            KeywordValue::UserKnownHostsFile(_) => {
                above.known_hosts.is_some() || chosen.user_known_hosts.is_some()
            }
            KeywordValue::GlobalKnownHostsFile(_) => {
                above.known_hosts.is_some() || chosen.global_known_hosts.is_some()
            }
            KeywordValue::HostKeyAlias(_) => {
                above.host_key_alias.is_some() || chosen.host_key_alias.is_some()
            }
            // With keys of its own in the inventory a host is never unknown.
            KeywordValue::StrictHostKeyChecking(_) => {
                above.host_keys.is_some() || above.host_key.is_some() || chosen.strictness.is_some()
            }
            KeywordValue::RevokedHostKeys(_) => {
                above.revoked_host_keys.is_some() || chosen.revoked_host_keys.is_some()
            }
            KeywordValue::ConnectTimeout(_) => {
                above.connect_timeout.is_some() || chosen.connect_timeout.is_some()
            }
            KeywordValue::ServerAliveInterval(_) => {
                above.keepalive.is_some() || chosen.alive_interval.is_some()
            }
            KeywordValue::ServerAliveCountMax(_) => above.keepalive.is_some() || chosen.alive_count.is_some(),
            // A socket takes the place of an earlier `yes`; whether there is forwarding at all does not change.
            KeywordValue::ForwardAgent(value) => {
                above.forward_agent.is_some()
                    || match (chosen.forward_agent.as_ref().map(|forward| forward.value), value) {
                        (None, _) | (Some(Forwarding::Flag(true)), Forwarding::Socket) => false,
                        (Some(_), _) => true,
                    }
            }
            KeywordValue::CanonicalizeHostname(_) => chosen.canonicalize.is_some(),
            KeywordValue::CanonicalDomains(_) => chosen.canonical_domains.is_some(),
            KeywordValue::CanonicalizeMaxDots(_) => chosen.canonical_dots.is_some(),
            KeywordValue::RequiredRsaSize(_) => chosen.rsa_size.is_some(),
            KeywordValue::IgnoreUnknown(_) => chosen.ignore_unknown.is_some(),
            KeywordValue::Other(keyword, argument) => {
                chosen.others.contains_key(keyword.name) || !asks_for_refusal(keyword, argument)
            }
            KeywordValue::Unknown(name) => self.is_ignored(name),
        }
    }

    fn is_ignored(&self, name: &str) -> bool {
        let list = self.chosen.ignore_unknown.as_ref();
        list.is_some_and(|list| matches_list(name, &list.value.to_ascii_lowercase()))
    }

    fn set(&mut self, value: &'c KeywordValue, at: &'c Position) {
        if let KeywordValue::Other(keyword, argument) = value {
            // Noted even when harmless: a harmless first value keeps later ones from counting.
            self.chosen.others.entry(keyword.name).or_insert((keyword, Picked { value: argument, at }));
            return;
        }
        if self.is_settled(value) {
            return;
        }
        let chosen = &mut self.chosen;
        match value {
            KeywordValue::HostName(value) => chosen.host_name = Some(Picked { value, at }),
            KeywordValue::User(value) => chosen.user = Some(Picked { value, at }),
            KeywordValue::Port(value) => chosen.port = Some(Picked { value, at }),
            KeywordValue::IdentityFile(value) => chosen.identity_files.push(Picked { value, at }),
            KeywordValue::IdentitiesOnly(value) => chosen.identities_only = Some(Picked { value, at }),
            KeywordValue::IdentityAgent(value) => chosen.identity_agent = Some(Picked { value, at }),
            KeywordValue::CertificateFile(value) => chosen.certificate_files.push(Picked { value, at }),
            KeywordValue::Proxy(value) => chosen.proxy = Some(Picked { value, at }),
            KeywordValue::ProxyUseFdpass(value) => chosen.proxy_use_fdpass = Some(Picked { value, at }),
            KeywordValue::UserKnownHostsFile(value) => chosen.user_known_hosts = Some(Picked { value, at }),
            KeywordValue::GlobalKnownHostsFile(value) => {
                chosen.global_known_hosts = Some(Picked { value, at })
            }
            KeywordValue::HostKeyAlias(value) => chosen.host_key_alias = Some(Picked { value, at }),
            KeywordValue::StrictHostKeyChecking(value) => chosen.strictness = Some(Picked { value, at }),
            KeywordValue::RevokedHostKeys(value) => chosen.revoked_host_keys = Some(Picked { value, at }),
            KeywordValue::ConnectTimeout(value) => chosen.connect_timeout = Some(Picked { value, at }),
            KeywordValue::ServerAliveInterval(value) => chosen.alive_interval = Some(Picked { value, at }),
            KeywordValue::ServerAliveCountMax(value) => chosen.alive_count = Some(Picked { value, at }),
            KeywordValue::ForwardAgent(value) => chosen.forward_agent = Some(Picked { value, at }),
            KeywordValue::CanonicalizeHostname(value) => chosen.canonicalize = Some(Picked { value, at }),
            KeywordValue::CanonicalDomains(value) => chosen.canonical_domains = Some(Picked { value, at }),
            KeywordValue::CanonicalizeMaxDots(value) => chosen.canonical_dots = Some(Picked { value, at }),
            KeywordValue::RequiredRsaSize(value) => chosen.rsa_size = Some(Picked { value, at }),
            KeywordValue::IgnoreUnknown(value) => chosen.ignore_unknown = Some(Picked { value, at }),
            KeywordValue::Other(_, _) => {}
            KeywordValue::Unknown(name) => {
                let name: String = name.chars().take(60).flat_map(char::escape_debug).collect();
                let help = format!("to ignore it, write \"IgnoreUnknown {name}\" above it");
                self.error(Diagnostic::at(at, format!("unknown keyword {name}")).help(help));
            }
        }
    }
}

/// Whether an argument asks for something that fan refuses.
fn asks_for_refusal(keyword: &Keyword, argument: &str) -> bool {
    match keyword.treatment {
        Treatment::Refused { unless } => !unless.iter().any(|value| value.eq_ignore_ascii_case(argument)),
        Treatment::Read(_) | Treatment::Ignored | Treatment::Warned { .. } => false,
    }
}

/// Whether a `Host` line is for a host: a pattern matches, and none with `!` does.
fn is_for(host: &str, patterns: &[HostPattern]) -> bool {
    let mut found = false;
    for pattern in patterns {
        if matches(host, &pattern.pattern) {
            if pattern.negated {
                return false;
            }
            found = true;
        }
    }
    found
}
