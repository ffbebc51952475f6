//! Ansible's connection variables, and what they are here.

use std::path::Path;
use std::time::Duration;

use crate::config::places::resolved;
use crate::config::sources::ansible::ssh_args::{self, SshArgs};
use crate::config::sources::ansible::yaml11;
use crate::model::name::{check_address, check_user_name};
use crate::model::position::{Diagnostic, Position};
use crate::model::privilege::Method;
use crate::model::secret::{Secret, SecretSource};
use crate::model::settings::{HostKeyPolicy, Origin, Settings, Sourced, TimeLimit, Transport};
use crate::model::value::{Value, type_name};

/// The variables that are read, by the setting that they become. Of several names of one setting, the first that is set
/// holds, as in Ansible's `ssh` connection plugin.
const ADDRESS: &[&str] = &["ansible_ssh_host", "ansible_host"];
const PORT: &[&str] = &["ansible_ssh_port", "ansible_port"];
const USER: &[&str] = &["ansible_ssh_user", "ansible_user"];
const PASSWORD: &[&str] = &["ansible_ssh_password", "ansible_ssh_pass", "ansible_password"];
const KEY: &[&str] = &["ansible_ssh_private_key_file", "ansible_private_key_file"];
const ARGUMENTS: &[&str] = &["ansible_ssh_extra_args", "ansible_ssh_common_args", "ansible_ssh_args"];
const BECOME_USER: &[&str] = &["ansible_become_user", "ansible_sudo_user"];
const BECOME_METHOD: &[&str] = &["ansible_become_method"];
const BECOME_PASSWORD: &[&str] =
    &["ansible_become_password", "ansible_become_pass", "ansible_sudo_pass", "ansible_sudo_password"];
const CONNECTION: &[&str] = &["ansible_connection"];
const TIMEOUT: &[&str] = &["ansible_ssh_timeout", "ansible_timeout"];
const RETRIES: &[&str] = &["ansible_ssh_retries"];
const CHECKING: &[&str] = &["ansible_ssh_host_key_checking", "ansible_host_key_checking"];

/// All of them.
const GROUPS: &[&[&str]] = &[
    ADDRESS,
    PORT,
    USER,
    PASSWORD,
    KEY,
    ARGUMENTS,
    BECOME_USER,
    BECOME_METHOD,
    BECOME_PASSWORD,
    CONNECTION,
    TIMEOUT,
    RETRIES,
    CHECKING,
];

/// Whether a variable says how a host is reached.
pub(super) fn is_one(name: &str) -> bool {
    name.starts_with("ansible_") && GROUPS.iter().any(|names| names.contains(&name))
}

/// Whether a variable's value is a password.
pub(super) fn is_password(name: &str) -> bool {
    PASSWORD.contains(&name) || BECOME_PASSWORD.contains(&name)
}

/// A variable of a host, with its place.
pub(super) type SaidVariable<'v> = (&'v str, Value, &'v Position);

/// What the connection variables of a host come to, and what of them cannot be kept.
pub(super) fn settings(said: &[SaidVariable<'_>], base: &Path) -> (Settings, Vec<Diagnostic>) {
    let mut reader = ConnectionReader { said, settings: Settings::default(), problems: Vec::new() };
    reader.read(base);
    (reader.settings, reader.problems)
}

struct ConnectionReader<'v> {
    said: &'v [SaidVariable<'v>],
    settings: Settings,
    problems: Vec<Diagnostic>,
}

impl<'v> ConnectionReader<'v> {
    fn read(&mut self, base: &Path) {
        if let Some((text, origin, at)) = self.text(ADDRESS) {
            match check_address(&text) {
                Ok(()) => self.settings.address = Some(Sourced::new(text, origin)),
                Err(message) => self.refuse(at, message),
            }
        }
        self.settings.port = self
            .number(PORT, 1..=u64::from(u16::MAX))
            .and_then(|port| Some(Sourced::new(u16::try_from(port.value).ok()?, port.origin)));
        self.settings.user = self.user(USER);
        self.settings.sudo_user = self.user(BECOME_USER);
        self.settings.password = self.password(PASSWORD);
        self.settings.sudo_password = self.password(BECOME_PASSWORD);
        if let Some((path, origin, _)) = self.text(KEY) {
            self.settings.identity = Some(Sourced::new(vec![resolved(base, &path)], origin));
        }
        if let Some((method, origin, at)) = self.text(BECOME_METHOD) {
            let known = method
                .rsplit('.')
                .next()
                .and_then(|name| Method::ALL.into_iter().find(|method| method.as_str() == name));
            match known {
                Some(method) => self.settings.sudo_method = Some(Sourced::new(method, origin)),
                None => self
                    .refuse(at, format!("become method {method:?} is not supported: sudo, su and doas are")),
            }
        }
        self.connection();
        if let Some(seconds) = self.number(TIMEOUT, 1..=86_400) {
            let timeout = Sourced::new(Duration::from_secs(seconds.value), seconds.origin);
            self.settings.connect_timeout = Some(timeout);
        }
        self.settings.retries = self
            .number(RETRIES, 0..=100)
            .and_then(|retries| Some(Sourced::new(u32::try_from(retries.value).ok()?, retries.origin)));
        if let Some((text, origin, _)) = self.text(CHECKING)
            && yaml11::boolean(&text) == Some(false)
        {
            self.settings.host_keys = Some(Sourced::new(HostKeyPolicy::AcceptNew, origin));
        }
        for &name in ARGUMENTS {
            if let Some((text, origin, at)) = self.text(&[name]) {
                match ssh_args::read(&text) {
                    Ok(args) => self.arguments(args, &origin, base),
                    Err(message) => self.refuse(at, message),
                }
            }
        }
    }

    fn connection(&mut self) {
        let Some((text, origin, at)) = self.text(CONNECTION) else { return };
        let transport = match text.rsplit('.').next().unwrap_or_default() {
            "ssh" | "smart" | "paramiko" | "paramiko_ssh" | "libssh" => Transport::Ssh,
            "local" => Transport::Local,
            other => {
                let message = format!("connection {other:?} is not supported: fan speaks SSH");
                return self.refuse(at, message);
            }
        };
        self.settings.transport = Some(Sourced::new(transport, origin));
    }

    /// Takes over arguments of ssh, where no variable says the same.
    fn arguments(&mut self, args: SshArgs, origin: &Origin, base: &Path) {
        let SshArgs {
            gateway,
            port,
            user,
            identity,
            identities_only,
            forward_agent,
            host_keys,
            known_hosts,
            connect_timeout,
            keepalive,
            host_key_alias,
            certificates,
        } = args;
        fn fill<T>(slot: &mut Option<Sourced<T>>, value: Option<T>, origin: &Origin) {
            if slot.is_none() {
                *slot = value.map(|value| Sourced::new(value, origin.clone()));
            }
        }
        let paths = |paths: Vec<String>| -> Option<Vec<String>> {
            let paths: Vec<String> = paths.iter().map(|path| resolved(base, path)).collect();
            (!paths.is_empty()).then_some(paths)
        };
        let settings = &mut self.settings;
        fill(&mut settings.gateway, gateway, origin);
        fill(&mut settings.port, port, origin);
        fill(&mut settings.user, user, origin);
        fill(&mut settings.identity, paths(identity), origin);
        fill(&mut settings.certificates, paths(certificates), origin);
        fill(&mut settings.identities_only, identities_only, origin);
        fill(&mut settings.forward_agent, forward_agent, origin);
        fill(&mut settings.host_keys, host_keys, origin);
        fill(&mut settings.known_hosts, known_hosts.and_then(paths), origin);
        fill(&mut settings.connect_timeout, connect_timeout.filter(|time| !time.is_zero()), origin);
        let keepalive =
            keepalive.map(|time| if time.is_zero() { TimeLimit::None } else { TimeLimit::After(time) });
        fill(&mut settings.keepalive, keepalive, origin);
        fill(&mut settings.host_key_alias, host_key_alias, origin);
    }

    /// The first of these variables that says something, as a text.
    fn text(&mut self, names: &[&'static str]) -> Option<(String, Origin, &'v Position)> {
        let (name, (_, value, at)) = names.iter().find_map(|&name| {
            let said = self.said.iter().find(|(said, value, _)| *said == name && !value.is_null())?;
            Some((name, said))
        })?;
        let text = match value {
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) => number.to_string(),
            Value::Bool(flag) => flag.to_string(),
            Value::Null | Value::Array(_) | Value::Object(_) => {
                self.refuse(at, format!("{name} is {}", type_name(value)));
                return None;
            }
        };
        // Left empty, it says nothing.
        (!text.is_empty()).then(|| (text, Origin::Variable(name, (*at).clone()), *at))
    }

    fn number(
        &mut self,
        names: &[&'static str],
        range: std::ops::RangeInclusive<u64>,
    ) -> Option<Sourced<u64>> {
        let (text, origin, at) = self.text(names)?;
        match text.parse::<u64>().ok().filter(|number| range.contains(number)) {
            Some(number) => Some(Sourced::new(number, origin)),
            None => {
                let (low, high) = range.into_inner();
                self.refuse(
                    at,
                    format!("{} must be a number from {low} to {high}, got {text:?}", names.last()?),
                );
                None
            }
        }
    }

    fn user(&mut self, names: &[&'static str]) -> Option<Sourced<String>> {
        let (text, origin, at) = self.text(names)?;
        match check_user_name(&text) {
            Ok(()) => Some(Sourced::new(text, origin)),
            Err(message) => {
                self.refuse(at, message);
                None
            }
        }
    }

    fn password(&mut self, names: &[&'static str]) -> Option<Sourced<SecretSource>> {
        let (text, origin, _) = self.text(names)?;
        Some(Sourced::new(SecretSource::Written(Secret::new(text)), origin))
    }

    fn refuse(&mut self, at: &Position, message: impl Into<String>) {
        self.problems.push(Diagnostic::at(at, message));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::settings::GatewaySetting;

    fn read(vars: &[(&'static str, Value)]) -> (Settings, Vec<String>) {
        let at = Position::new("hosts", 3, 7);
        let said: Vec<SaidVariable<'_>> =
            vars.iter().map(|(name, value)| (*name, value.clone(), &at)).collect();
        let (settings, problems) = settings(&said, Path::new("/base"));
        (settings, problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn variables_become_settings() {
        let (settings, problems) = read(&[
            ("ansible_host", json!("10.0.0.7")),
            ("ansible_port", json!(2222)),
            ("ansible_user", json!("deploy")),
            ("ansible_ssh_private_key_file", json!("keys/id")),
            ("ansible_ssh_common_args", json!("-J bastion -o User=nobody")),
            ("ansible_become_method", json!("community.general.doas")),
            ("ansible_become_password", json!("hunter2")),
            ("ansible_connection", json!("ssh")),
        ]);
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(settings.address.unwrap().origin.to_string(), "ansible_host (hosts:3:7)");
        assert_eq!(settings.port.unwrap().value, 2222);
        assert_eq!(settings.user.unwrap().value, "deploy");
        assert_eq!(settings.identity.unwrap().value, ["/base/keys/id"]);
        assert_eq!(settings.gateway.unwrap().value, GatewaySetting::Hops(vec!["bastion".to_owned()]));
        assert_eq!(settings.sudo_method.unwrap().value, Method::Doas);
        assert_eq!(format!("{:?}", settings.sudo_password.unwrap().value), "Written(********)");
    }

    #[test]
    fn what_cannot_be_kept_is_told_at_its_place() {
        for (name, value, message) in [
            ("ansible_connection", json!("winrm"), "connection \"winrm\" is not supported: fan speaks SSH"),
            (
                "ansible_connection",
                json!("ansible.netcommon.network_cli"),
                "connection \"network_cli\" is not supported: fan speaks SSH",
            ),
            ("ansible_port", json!("ssh"), "ansible_port must be a number from 1 to 65535, got \"ssh\""),
            ("ansible_host", json!(["a"]), "ansible_host is a list"),
            (
                "ansible_become_method",
                json!("runas"),
                "become method \"runas\" is not supported: sudo, su and doas are",
            ),
            ("ansible_ssh_args", json!("-D 1080"), "-D is not supported"),
        ] {
            let (_, problems) = read(&[(name, value)]);
            assert_eq!(problems, [format!("hosts:3:7: error: {message}")], "{name}");
        }
    }
}
