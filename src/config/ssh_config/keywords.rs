//! The one table of OpenSSH's keywords: which ones fan reads, and why it passes by, warns about or refuses the
//! others. docs/ssh-config.md shows the same table, and a test compares the two.

/// A keyword that fan reads. Values are in [`crate::config::ssh_config::value`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Host,
    Match,
    Include,
    IgnoreUnknown,
    HostName,
    User,
    Port,
    IdentityFile,
    IdentitiesOnly,
    IdentityAgent,
    CertificateFile,
    ProxyJump,
    ProxyCommand,
    ProxyUseFdpass,
    UserKnownHostsFile,
    GlobalKnownHostsFile,
    HostKeyAlias,
    StrictHostKeyChecking,
    RevokedHostKeys,
    ConnectTimeout,
    ServerAliveInterval,
    ServerAliveCountMax,
    ForwardAgent,
    CanonicalizeHostname,
    CanonicalDomains,
    CanonicalizeMaxDots,
    RequiredRsaSize,
}

/// What fan does about a keyword.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Treatment {
    /// Reads it.
    Read(Field),
    /// Passes it by in silence.
    Ignored,
    /// Goes on with a warning.
    Warned {
        /// Values that ask for nothing.
        unless: &'static [&'static str],
    },
    /// Refuses the hosts that it is for: without it they would be reached, trusted or used in another way.
    Refused {
        /// Values that ask for nothing.
        unless: &'static [&'static str],
    },
}

/// A keyword of ssh_config(5).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Keyword {
    /// Its name as the manual writes it.
    pub(super) name: &'static str,
    /// Other names for the same.
    aliases: &'static [&'static str],
    /// What is done about it.
    pub(super) treatment: Treatment,
    /// Why, or for one that is read: what it becomes.
    pub(super) why: &'static str,
}

/// Finds a keyword by its name in lower case.
pub(super) fn find(name: &str) -> Option<&'static Keyword> {
    KEYWORDS.iter().find(|keyword| keyword.name.eq_ignore_ascii_case(name) || keyword.aliases.contains(&name))
}

const NO: &[&str] = &["no", "false"];
const NONE: &[&str] = &["none"];

const fn read(name: &'static str, field: Field, why: &'static str) -> Keyword {
    Keyword { name, aliases: &[], treatment: Treatment::Read(field), why }
}

const fn ignored(name: &'static str, why: &'static str) -> Keyword {
    Keyword { name, aliases: &[], treatment: Treatment::Ignored, why }
}

const fn warned(name: &'static str, unless: &'static [&'static str], why: &'static str) -> Keyword {
    Keyword { name, aliases: &[], treatment: Treatment::Warned { unless }, why }
}

const fn refused(name: &'static str, unless: &'static [&'static str], why: &'static str) -> Keyword {
    Keyword { name, aliases: &[], treatment: Treatment::Refused { unless }, why }
}

impl Keyword {
    const fn also(self, aliases: &'static [&'static str]) -> Self {
        Self { name: self.name, aliases, treatment: self.treatment, why: self.why }
    }
}

pub(super) const LISTS: &str = "fan uses its own list of algorithms";
const FORWARDS: &str = "fan does not forward ports";
const X11: &str = "fan does not forward X11";
const SHARING: &str = "fan manages its own connections";
const TERMINAL: &str = "only affects terminal sessions";
const CANONICAL: &str = "see [CanonicalizeHostname](#canonicalizehostname)";
const GSSAPI: &str = "fan does not use GSSAPI; the other methods are tried";
const OBSOLETE: &str = "OpenSSH ignores it too";
const LOGGING: &str = "only affects ssh's own messages";
const UNTYPED: &str = "fan sends a password only when the inventory has one";

/// All keywords.
pub(super) const KEYWORDS: &[Keyword] = &[
    read("Host", Field::Host, "patterns with `*`, `?` and `!`"),
    read("Match", Field::Match, "see [Match](#match)"),
    read("Include", Field::Include, "see [Include](#include)"),
    read("IgnoreUnknown", Field::IgnoreUnknown, "patterns of unknown keywords to ignore"),
    read("HostName", Field::HostName, "`address`"),
    read("User", Field::User, "`user`; tokens are refused, as OpenSSH's versions differ about them"),
    read("Port", Field::Port, "`port`"),
    read("IdentityFile", Field::IdentityFile, "`identity`; cumulative; `none` means no key file")
        .also(&["identityfile2"]),
    read("IdentitiesOnly", Field::IdentitiesOnly, "`identities_only`"),
    read("IdentityAgent", Field::IdentityAgent, "`agent`; also `none`, `SSH_AUTH_SOCK` and `$NAME`"),
    read("CertificateFile", Field::CertificateFile, "`certificate`; cumulative"),
    read("ProxyJump", Field::ProxyJump, "`gateway`; the first of ProxyJump and ProxyCommand applies"),
    read(
        "ProxyCommand",
        Field::ProxyCommand,
        "local command to connect through; host and user names in it must be safe for a shell",
    ),
    read(
        "ProxyUseFdpass",
        Field::ProxyUseFdpass,
        "refused with a ProxyCommand: fan cannot take over its file descriptor",
    ),
    read("UserKnownHostsFile", Field::UserKnownHostsFile, "`known_hosts`, followed by the global files"),
    read(
        "GlobalKnownHostsFile",
        Field::GlobalKnownHostsFile,
        "`known_hosts`, after the user's files; no tokens and no `~`, as in OpenSSH",
    ),
    read("HostKeyAlias", Field::HostKeyAlias, "`host_key_alias`, in lower case"),
    read(
        "StrictHostKeyChecking",
        Field::StrictHostKeyChecking,
        "`host_keys`: `yes` is `strict`, `ask`, `accept-new`; `no` and `off` are refused",
    ),
    read("RevokedHostKeys", Field::RevokedHostKeys, "`revoked_host_keys`"),
    read("ConnectTimeout", Field::ConnectTimeout, "`connect_timeout`; 0 means fan's default"),
    read("ServerAliveInterval", Field::ServerAliveInterval, "`keepalive`; 0 is `none`")
        .also(&["protocolkeepalives", "setuptimeout"]),
    read("ServerAliveCountMax", Field::ServerAliveCountMax, "a warning unless it is 3, fan's fixed value"),
    read("ForwardAgent", Field::ForwardAgent, "`forward_agent`; `yes` or `no`: a socket is refused"),
    read(
        "CanonicalizeHostname",
        Field::CanonicalizeHostname,
        "refused where a name would be completed by DNS, see [below](#canonicalizehostname)",
    ),
    read("CanonicalDomains", Field::CanonicalDomains, CANONICAL),
    read("CanonicalizeMaxDots", Field::CanonicalizeMaxDots, CANONICAL),
    read("RequiredRSASize", Field::RequiredRsaSize, "a warning above 2048 bits, fan's own limit"),
    // What would change who is trusted, where the connection goes or what runs there.
    refused("KnownHostsCommand", NONE, "fan does not run commands to get host keys"),
    refused("RemoteCommand", NONE, "it would run instead of fan's command"),
    refused("SessionType", &["default"], "fan needs sessions that run commands"),
    refused("RefuseConnection", &[], "the configuration says not to connect"),
    // What makes a difference that the user should know of.
    warned("PermitLocalCommand", NO, "fan does not run LocalCommand"),
    warned("RequestTTY", &["no", "false", "auto"], "fan never requests a terminal because of it"),
    warned("HostbasedAuthentication", NO, "fan does not support host-based authentication"),
    warned("PubkeyAuthentication", &["yes", "true", "unbound", "host-bound"], "fan always tries keys")
        .also(&["dsaauthentication"]),
    warned("PreferredAuthentications", &[], "fan tries keys first and a password last"),
    warned("PKCS11Provider", NONE, "fan does not load PKCS#11 libraries; use an agent")
        .also(&["smartcarddevice"]),
    warned(
        "SecurityKeyProvider",
        &["internal", "none"],
        "fan does not load security key libraries; use an agent",
    ),
    warned("Ciphers", &[], LISTS),
    warned("MACs", &[], LISTS),
    warned("KexAlgorithms", &[], LISTS),
    warned("HostKeyAlgorithms", &[], LISTS),
    warned("PubkeyAcceptedAlgorithms", &[], LISTS).also(&["pubkeyacceptedkeytypes"]),
    warned("CASignatureAlgorithms", &[], LISTS),
    warned("CheckHostIP", NO, "fan does not check the key of the IP address"),
    warned("AddressFamily", &["any"], "fan uses the first address that answers"),
    warned("BindAddress", &[], "the system chooses the source address"),
    warned("BindInterface", &[], "the system chooses the interface"),
    warned("SetEnv", &[], "use `env` in the inventory"),
    warned("Tunnel", NO, "fan does not create tunnel devices"),
    // What makes no difference to fan.
    ignored("AddKeysToAgent", "fan does not add keys to the agent"),
    ignored("BatchMode", "fan prompts only when necessary"),
    ignored("CanonicalizeFallbackLocal", CANONICAL),
    ignored(
        "CanonicalizePermittedCNAMEs",
        "fan looks host keys up under the name as written; the address is the same",
    ),
    ignored("ChannelTimeout", "use `command_timeout` and `idle_timeout`"),
    ignored("ClearAllForwardings", FORWARDS),
    ignored("Compression", "only affects speed"),
    ignored("ConnectionAttempts", "use `retries`"),
    ignored("ControlMaster", SHARING),
    ignored("ControlPath", SHARING),
    ignored("ControlPersist", SHARING),
    ignored("DynamicForward", FORWARDS),
    ignored("EnableEscapeCommandline", TERMINAL),
    ignored("EnableSSHKeysign", "for host-based authentication"),
    ignored("EscapeChar", TERMINAL),
    ignored("ExitOnForwardFailure", FORWARDS),
    ignored("FingerprintHash", LOGGING),
    ignored("ForkAfterAuthentication", "fan stays in the foreground"),
    ignored("ForwardX11", X11),
    ignored("ForwardX11Timeout", X11),
    ignored("ForwardX11Trusted", X11),
    ignored("GatewayPorts", FORWARDS),
    ignored("GSSAPIAuthentication", GSSAPI),
    ignored("GSSAPIClientIdentity", GSSAPI),
    ignored("GSSAPIDelegateCredentials", GSSAPI),
    ignored("GSSAPIKexAlgorithms", GSSAPI),
    ignored("GSSAPIKeyExchange", GSSAPI),
    ignored("GSSAPIRenewalForcesRekey", GSSAPI),
    ignored("GSSAPIServerIdentity", GSSAPI),
    ignored("GSSAPITrustDns", GSSAPI),
    ignored("HashKnownHosts", "fan has its own way of recording keys"),
    ignored("HostbasedAcceptedAlgorithms", "for host-based authentication").also(&["hostbasedkeytypes"]),
    ignored("IPQoS", "only affects speed"),
    ignored("KbdInteractiveAuthentication", UNTYPED).also(&[
        "challengeresponseauthentication",
        "skeyauthentication",
        "tisauthentication",
    ]),
    ignored("KbdInteractiveDevices", UNTYPED),
    ignored("LocalCommand", "only with PermitLocalCommand"),
    ignored("LocalForward", FORWARDS),
    ignored("LogLevel", LOGGING),
    ignored("LogVerbose", LOGGING),
    ignored("NoHostAuthenticationForLocalhost", "fan checks the keys of every host"),
    ignored("NumberOfPasswordPrompts", UNTYPED),
    ignored("ObscureKeystrokeTiming", TERMINAL),
    ignored("PasswordAuthentication", UNTYPED),
    ignored("PermitRemoteOpen", FORWARDS),
    ignored("RekeyLimit", "fan has its own rekeying rule"),
    ignored("RemoteForward", FORWARDS),
    ignored("SendEnv", "use `env` in the inventory"),
    ignored("StdinNull", "fan sets the input of each command"),
    ignored("StreamLocalBindMask", FORWARDS),
    ignored("StreamLocalBindUnlink", FORWARDS),
    ignored("SyslogFacility", LOGGING),
    ignored("Tag", "only for `Match tagged`"),
    ignored("TCPKeepAlive", "use `keepalive`").also(&["keepalive"]),
    ignored("TunnelDevice", "only with Tunnel"),
    ignored("VerifyHostKeyDNS", "fan does not ask DNS: a key that only DNS vouches for is an unknown one"),
    ignored("UpdateHostKeys", "fan only records keys as its own policy says"),
    ignored("UseKeychain", "macOS: where passphrases are stored"),
    ignored("VersionAddendum", LOGGING),
    ignored("VisualHostKey", LOGGING),
    ignored("WarnWeakCrypto", LOGGING),
    ignored("XAuthLocation", X11),
    // OpenSSH knows these and does nothing about them.
    ignored("AFSTokenPassing", OBSOLETE),
    ignored("Cipher", OBSOLETE),
    ignored("CompressionLevel", OBSOLETE),
    ignored("FallBackToRsh", OBSOLETE),
    ignored("GlobalKnownHostsFile2", OBSOLETE),
    ignored("KerberosAuthentication", OBSOLETE),
    ignored("KerberosTgtPassing", OBSOLETE),
    ignored("Protocol", OBSOLETE),
    ignored("RhostsAuthentication", OBSOLETE),
    ignored("RhostsRSAAuthentication", OBSOLETE),
    ignored("RSAAuthentication", OBSOLETE),
    ignored("UsePrivilegedPort", OBSOLETE),
    ignored("UserKnownHostsFile2", OBSOLETE),
    ignored("UseRoaming", OBSOLETE),
    ignored("UseRsh", OBSOLETE),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::process::Command;

    use super::*;

    /// The table as the documentation shows it.
    fn rows() -> String {
        let mut rows = KEYWORDS.iter().collect::<Vec<_>>();
        rows.sort_by_key(|keyword| keyword.name.to_ascii_lowercase());
        let row = |keyword: &&Keyword| {
            let (word, unless) = match keyword.treatment {
                Treatment::Read(_) => ("read", &[][..]),
                Treatment::Ignored => ("ignored", &[][..]),
                Treatment::Warned { unless } => ("warning", unless),
                Treatment::Refused { unless } => ("**refused**", unless),
            };
            let unless = unless.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", ");
            let unless = if unless.is_empty() { unless } else { format!(" unless {unless}") };
            format!("| {} | {word}{unless} | {} |\n", keyword.name, keyword.why)
        };
        rows.iter().map(row).collect()
    }

    #[test]
    fn the_documentation_shows_this_table() {
        let text = fs::read_to_string("docs/ssh-config.md").unwrap();
        assert!(text.contains(&rows()), "docs/ssh-config.md should hold these rows:\n{}", rows());
    }

    #[test]
    fn every_name_stands_once() {
        let mut names = BTreeSet::new();
        for keyword in KEYWORDS {
            for name in keyword.aliases.iter().copied().chain([keyword.name]) {
                assert!(names.insert(name.to_ascii_lowercase()), "{name}");
            }
            assert!(keyword.aliases.iter().all(|name| *name == name.to_ascii_lowercase()));
        }
    }

    #[test]
    fn every_keyword_that_ssh_prints_is_known() {
        let output = Command::new("ssh")
            .args(["-G", "-F", "none", "host"])
            .output()
            .expect("this test needs OpenSSH's ssh on PATH");
        for line in String::from_utf8(output.stdout).unwrap().lines() {
            let name = line.split(' ').next().unwrap().to_ascii_lowercase();
            // The name of the host itself, which is no keyword.
            assert!(name == "host" || find(&name).is_some(), "{name}");
        }
    }
}
