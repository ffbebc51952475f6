//! Arguments of ssh in an inventory of Ansible's (`ansible_ssh_common_args`): what of them is a setting here.

use std::time::Duration;

use crate::config::sources::ansible::words::words;
use crate::model::settings::{GatewaySetting, HostKeyPolicy};

/// What arguments say.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct SshArgs {
    pub(super) gateway: Option<GatewaySetting>,
    pub(super) port: Option<u16>,
    pub(super) user: Option<String>,
    pub(super) identity: Vec<String>,
    pub(super) identities_only: Option<bool>,
    pub(super) forward_agent: Option<bool>,
    pub(super) host_keys: Option<HostKeyPolicy>,
    pub(super) known_hosts: Option<Vec<String>>,
    pub(super) connect_timeout: Option<Duration>,
    pub(super) keepalive: Option<Duration>,
    pub(super) host_key_alias: Option<String>,
    pub(super) certificates: Vec<String>,
}

/// Options without a meaning here: connections are shared, compressed and logged in fan's own way.
const WITHOUT_EFFECT: &[&str] = &[
    "addkeystoagent",
    "batchmode",
    "ciphers",
    "compression",
    "controlmaster",
    "controlpath",
    "controlpersist",
    "escapechar",
    "fingerprinthash",
    "gssapiauthentication",
    "gssapidelegatecredentials",
    "hashknownhosts",
    "hostbasedauthentication",
    "hostkeyalgorithms",
    "ipqos",
    "kbdinteractiveauthentication",
    "kexalgorithms",
    "challengeresponseauthentication",
    "loglevel",
    "macs",
    "numberofpasswordprompts",
    "passwordauthentication",
    "preferredauthentications",
    "pubkeyacceptedalgorithms",
    "pubkeyacceptedkeytypes",
    "pubkeyauthentication",
    "requesttty",
    "serveralivecountmax",
    "tcpkeepalive",
    "updatehostkeys",
    "visualhostkey",
    "checkhostip",
    "connectionattempts",
    "exitonforwardfailure",
    "forwardx11",
    "clearallforwardings",
    "addressfamily",
];

/// Reads arguments as ssh does.
///
/// # Errors
/// One that would change where or how fan connects, and that it cannot follow.
pub(super) fn read(text: &str) -> Result<SshArgs, String> {
    let words: Vec<String> =
        words(text).ok_or("a quote is not closed")?.into_iter().map(|(_, word)| word).collect();
    let mut args = SshArgs::default();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let Some(letters) = word.strip_prefix('-').filter(|letters| !letters.is_empty()) else {
            return Err(format!("{word:?} is no option of ssh"));
        };
        let mut rest = letters;
        while let Some(letter) = rest.chars().next() {
            rest = rest.get(letter.len_utf8()..).unwrap_or_default();
            if matches!(
                letter,
                '4' | '6' | 'C' | 'K' | 'k' | 'N' | 'n' | 'q' | 'T' | 't' | 'v' | 'X' | 'x' | 'Y' | 'y'
            ) {
                continue;
            }
            if matches!(letter, 'A' | 'a') {
                args.forward_agent.get_or_insert(letter == 'A');
                continue;
            }
            // All others take a value: what is left of the word, or the next one.
            let value = if rest.is_empty() { words.next() } else { Some(rest.to_owned()) };
            let value = value.ok_or_else(|| format!("-{letter} has no value"))?;
            match letter {
                'o' => {
                    let split = value.split_once('=').or_else(|| value.split_once(char::is_whitespace));
                    let (key, value) = split.ok_or_else(|| format!("-o {value} has no value"))?;
                    args.option(key.trim(), value.trim())?;
                }
                'J' => args.option("ProxyJump", &value)?,
                'i' => args.option("IdentityFile", &value)?,
                'l' => args.option("User", &value)?,
                'p' => args.option("Port", &value)?,
                'c' | 'm' | 'e' | 'E' | 'B' | 'S' => {}
                other => return Err(format!("-{other} is not supported")),
            }
            break;
        }
    }
    Ok(args)
}

impl SshArgs {
    /// Takes in an option; the first one of a kind holds, as in ssh.
    fn option(&mut self, key: &str, value: &str) -> Result<(), String> {
        let value = value.trim_matches('"');
        let number = |value: &str| value.parse::<u64>().map_err(|_| format!("{key} is no number: {value}"));
        let flag = |value: &str| value.eq_ignore_ascii_case("yes") || value.eq_ignore_ascii_case("true");
        match key.to_ascii_lowercase().as_str() {
            "proxyjump" => {
                self.gateway.get_or_insert_with(|| hops(value));
            }
            "proxycommand" if value.eq_ignore_ascii_case("none") => {
                self.gateway.get_or_insert(GatewaySetting::Direct);
            }
            "proxycommand" => {
                let way = way_of_command(value)
                    .ok_or("this ProxyCommand cannot be followed: only \"ssh -W %h:%p HOST\" is")?;
                self.gateway.get_or_insert(way);
            }
            "port" => {
                let port = number(value)?;
                self.port
                    .get_or_insert(u16::try_from(port).map_err(|_| format!("port {port} is too large"))?);
            }
            "user" => {
                self.user.get_or_insert_with(|| value.to_owned());
            }
            "identityfile" => self.identity.push(value.to_owned()),
            "certificatefile" => self.certificates.push(value.to_owned()),
            "identitiesonly" => {
                self.identities_only.get_or_insert(flag(value));
            }
            "forwardagent" => {
                self.forward_agent.get_or_insert(flag(value));
            }
            "hostkeyalias" => {
                self.host_key_alias.get_or_insert_with(|| value.to_owned());
            }
            "connecttimeout" => {
                self.connect_timeout.get_or_insert(Duration::from_secs(number(value)?));
            }
            "serveraliveinterval" => {
                self.keepalive.get_or_insert(Duration::from_secs(number(value)?));
            }
            "userknownhostsfile" if value == "/dev/null" => {}
            "userknownhostsfile" => {
                let files = value.split_whitespace().map(str::to_owned).collect();
                self.known_hosts.get_or_insert(files);
            }
            "stricthostkeychecking" => {
                self.host_keys.get_or_insert(match value.to_ascii_lowercase().as_str() {
                    "no" | "off" | "accept-new" => HostKeyPolicy::AcceptNew,
                    "ask" => HostKeyPolicy::Ask,
                    _ => HostKeyPolicy::Strict,
                });
            }
            other if WITHOUT_EFFECT.contains(&other) => {}
            _ => return Err(format!("the option {key} is not supported")),
        }
        Ok(())
    }
}

fn hops(value: &str) -> GatewaySetting {
    if value.eq_ignore_ascii_case("none") {
        return GatewaySetting::Direct;
    }
    let hop = |hop: &str| hop.trim().trim_start_matches("ssh://").to_owned();
    GatewaySetting::Hops(value.split(',').map(hop).collect())
}

/// The gateway of a command that only passes the connection on: `ssh -q -W %h:%p -p 2222 jump@bastion`.
fn way_of_command(command: &str) -> Option<GatewaySetting> {
    let words: Vec<String> = words(command)?.into_iter().map(|(_, word)| word).collect();
    let mut words = words.into_iter();
    if !matches!(words.next()?.rsplit('/').next(), Some("ssh")) {
        return None;
    }
    let (mut passes, mut port, mut user, mut host) = (false, None, None, None);
    while let Some(word) = words.next() {
        match word.as_str() {
            "-W" => passes = words.next()? == "%h:%p",
            "-W%h:%p" => passes = true,
            "-p" => port = Some(words.next()?),
            "-l" => user = Some(words.next()?),
            "-q" | "-A" | "-a" | "-C" | "-T" | "-x" | "-4" | "-6" | "-v" | "-vv" | "-vvv" => {}
            "-o" => match words.next()?.split_once('=') {
                Some((key, _)) if is_harmless(key) => {}
                _ => return None,
            },
            option if option.starts_with("-o") => match option.get(2..)?.split_once('=') {
                Some((key, _)) if is_harmless(key) => {}
                _ => return None,
            },
            option if option.starts_with('-') => return None,
            name if host.is_none() => host = Some(name.to_owned()),
            _ => return None,
        }
    }
    let host = host.filter(|_| passes)?;
    let user = user.map(|user| format!("{user}@")).unwrap_or_default();
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    Some(GatewaySetting::Hops(vec![format!("{user}{host}{port}")]))
}

/// Whether an option of the ssh to a gateway says nothing that fan does not do by itself, or does not do at all.
fn is_harmless(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    WITHOUT_EFFECT.contains(&key.as_str())
        || matches!(
            key.as_str(),
            "stricthostkeychecking" | "userknownhostsfile" | "connecttimeout" | "serveraliveinterval"
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(hop: &str) -> Option<GatewaySetting> {
        Some(GatewaySetting::Hops(vec![hop.to_owned()]))
    }

    #[test]
    fn ways_through_gateways_are_followed() {
        for (args, hop) in [
            ("-J bastion", "bastion"),
            ("-Jjump@bastion:2222", "jump@bastion:2222"),
            ("-o ProxyJump=bastion", "bastion"),
            ("-o 'ProxyCommand=ssh -W %h:%p -q jump@bastion'", "jump@bastion"),
            ("-o ProxyCommand=\"ssh -p 2222 -W %h:%p -o StrictHostKeyChecking=no bastion\"", "bastion:2222"),
        ] {
            assert_eq!(read(args).unwrap().gateway, through(hop), "{args}");
        }
        for bad in
            ["-o ProxyCommand='nc %h %p'", "-D 1080", "-o LocalCommand=id", "-o", "'-J", "-F /x", "host"]
        {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn other_options_are_settings_or_without_effect() {
        let args = read("-C -o ControlMaster=auto -o ControlPersist=60s -o StrictHostKeyChecking=no -p 2222 -l deploy -i ~/k -A -o ServerAliveInterval=30")
            .unwrap();
        assert_eq!((args.port, args.user.as_deref()), (Some(2222), Some("deploy")));
        assert_eq!((args.host_keys, args.forward_agent), (Some(HostKeyPolicy::AcceptNew), Some(true)));
        assert_eq!(args.identity, ["~/k"]);
        assert_eq!(args.keepalive, Some(Duration::from_secs(30)));
    }
}
