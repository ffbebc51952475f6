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

const LISTS: &str = "fan uses its own list of algorithms";
const FORWARDS: &str = "fan forwards no ports";
const X11: &str = "fan forwards no X11";
const SHARING: &str = "fan keeps its own connections";
const TERMINAL: &str = "about a terminal session, which fan has none of";
const CANONICAL: &str = "only with CanonicalizeHostname or CanonicalizePermittedCNAMEs";
const GSSAPI: &str = "fan does not use GSSAPI; the other methods are tried";
const OBSOLETE: &str = "OpenSSH ignores it too";
const LOGGING: &str = "about ssh's own messages";
const UNTYPED: &str = "fan sends a password only when the inventory has one";

/// All keywords.
pub(super) const KEYWORDS: &[Keyword] = &[
    read("Host", Field::Host, "patterns with `*`, `?` and `!`"),
    read("Match", Field::Match, "see [Match](#match)"),
    read("Include", Field::Include, "see [Include](#include)"),
    read(
        "IgnoreUnknown",
        Field::IgnoreUnknown,
        "patterns of keywords that are no error when fan does not know them",
    ),
    read("HostName", Field::HostName, "`address`"),
    read("User", Field::User, "`user`; tokens are refused, as OpenSSH's versions differ about them"),
    read("Port", Field::Port, "`port`"),
    read("IdentityFile", Field::IdentityFile, "`identity`; all of them, and `none` stands for no key file")
        .also(&["identityfile2"]),
    read("IdentitiesOnly", Field::IdentitiesOnly, "`identities_only`"),
    read("IdentityAgent", Field::IdentityAgent, "`agent`; also `none`, `SSH_AUTH_SOCK` and `$NAME`"),
    read("CertificateFile", Field::CertificateFile, "`certificate`; all of them"),
    read(
        "ProxyJump",
        Field::ProxyJump,
        "`gateway`; shares one place with ProxyCommand, the first of both counts",
    ),
    read(
        "ProxyCommand",
        Field::ProxyCommand,
        "the local command that is the connection; the names in it must be harmless to a shell",
    ),
    read(
        "ProxyUseFdpass",
        Field::ProxyUseFdpass,
        "refused beside a ProxyCommand: fan cannot take over a descriptor",
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
    read("ConnectTimeout", Field::ConnectTimeout, "`connect_timeout`; 0 leaves fan's own"),
    read("ServerAliveInterval", Field::ServerAliveInterval, "`keepalive`; 0 is `none`")
        .also(&["protocolkeepalives", "setuptimeout"]),
    read(
        "ServerAliveCountMax",
        Field::ServerAliveCountMax,
        "a warning unless it is 3, which it always is in fan",
    ),
    read(
        "ForwardAgent",
        Field::ForwardAgent,
        "`forward_agent`; a socket instead of `yes` and `no` is refused",
    ),
    // What would change who is trusted, where the connection goes or what runs there.
    refused("KnownHostsCommand", NONE, "host keys would come from a command, which fan does not run"),
    refused("VerifyHostKeyDNS", &["no", "false", "ask"], "fan does not trust host keys from DNS"),
    refused("CanonicalizeHostname", NO, "fan does not rewrite host names by DNS"),
    refused("CanonicalizePermittedCNAMEs", NONE, "fan does not rewrite host names by DNS"),
    refused("RemoteCommand", NONE, "another command than fan's would run"),
    refused("SessionType", &["default"], "fan needs a session that runs commands"),
    refused("RefuseConnection", &[], "the configuration says not to connect"),
    // What makes a difference that the user should know of.
    warned("PermitLocalCommand", NO, "fan runs no LocalCommand"),
    warned("RequestTTY", &["no", "false", "auto"], "fan asks for no terminal because of it"),
    warned("HostbasedAuthentication", NO, "fan has no host-based authentication"),
    warned("PubkeyAuthentication", &["yes", "true", "unbound", "host-bound"], "fan tries keys all the same")
        .also(&["dsaauthentication"]),
    warned("PreferredAuthentications", &[], "fan tries keys first and a password last"),
    warned("PKCS11Provider", NONE, "fan loads no PKCS#11 library; use an agent").also(&["smartcarddevice"]),
    warned("SecurityKeyProvider", &["internal", "none"], "fan loads no security key library; use an agent"),
    warned("Ciphers", &[], LISTS),
    warned("MACs", &[], LISTS),
    warned("KexAlgorithms", &[], LISTS),
    warned("HostKeyAlgorithms", &[], LISTS),
    warned("PubkeyAcceptedAlgorithms", &[], LISTS).also(&["pubkeyacceptedkeytypes"]),
    warned("CASignatureAlgorithms", &[], LISTS),
    warned("RequiredRSASize", &[], "fan has its own limit"),
    warned("CheckHostIP", NO, "fan does not look up the key of the IP address"),
    warned("AddressFamily", &["any"], "fan takes whichever address answers"),
    warned("BindAddress", &[], "the system chooses fan's own address"),
    warned("BindInterface", &[], "the system chooses fan's interface"),
    warned("SetEnv", &[], "write `env` in the inventory instead"),
    warned("Tunnel", NO, "fan makes no tunnel device"),
    // What makes no difference to fan.
    ignored("AddKeysToAgent", "fan adds no keys to the agent"),
    ignored("BatchMode", "fan asks only what it has to"),
    ignored("CanonicalDomains", CANONICAL),
    ignored("CanonicalizeFallbackLocal", CANONICAL),
    ignored("CanonicalizeMaxDots", CANONICAL),
    ignored("ChannelTimeout", "fan has `command_timeout` and `idle_timeout`"),
    ignored("ClearAllForwardings", FORWARDS),
    ignored("Compression", "changes the speed only"),
    ignored("ConnectionAttempts", "fan has `retries`"),
    ignored("ControlMaster", SHARING),
    ignored("ControlPath", SHARING),
    ignored("ControlPersist", SHARING),
    ignored("DynamicForward", FORWARDS),
    ignored("EnableEscapeCommandline", TERMINAL),
    ignored("EnableSSHKeysign", "for host-based authentication"),
    ignored("EscapeChar", TERMINAL),
    ignored("ExitOnForwardFailure", FORWARDS),
    ignored("FingerprintHash", LOGGING),
    ignored("ForkAfterAuthentication", "fan stays in front"),
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
    ignored("HashKnownHosts", "new keys are recorded in fan's own way"),
    ignored("HostbasedAcceptedAlgorithms", "for host-based authentication").also(&["hostbasedkeytypes"]),
    ignored("IPQoS", "changes the speed only"),
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
    ignored("RekeyLimit", "fan renews keys by its own rule"),
    ignored("RemoteForward", FORWARDS),
    ignored("SendEnv", "write `env` in the inventory for variables of commands"),
    ignored("StdinNull", "fan gives each command its own input"),
    ignored("StreamLocalBindMask", FORWARDS),
    ignored("StreamLocalBindUnlink", FORWARDS),
    ignored("SyslogFacility", LOGGING),
    ignored("Tag", "only for `Match tagged`"),
    ignored("TCPKeepAlive", "fan has `keepalive`").also(&["keepalive"]),
    ignored("TunnelDevice", "only with Tunnel"),
    ignored("UpdateHostKeys", "fan records no keys behind the user's back"),
    ignored("UseKeychain", "macOS: where passphrases are kept"),
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
