//! What fan says about configurations where it is not ssh: refusals, warnings, files that are not safe, limits.

mod oracle;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;
use tempfile::TempDir;

use crate::config::ssh_config::asked::{ConfigAnswer, Local, Sources};
use crate::config::ssh_config::pattern::work;
use crate::config::ssh_config::query::SshConfig;
use crate::model::position::{Diagnostic, Position};
use crate::model::settings::{
    AgentSetting, GatewaySetting, HostKeyPolicy, Origin, Settings, Sourced, TimeLimit,
};

fn local(home: &Path) -> Local {
    Local {
        user: "me".to_owned(),
        uid: rustix::process::getuid().as_raw(),
        home: home.to_owned(),
        host_name: "desk.example.com".to_owned(),
        env: BTreeMap::from([("SOCK".to_owned(), "/run/agent".to_owned())]),
    }
}

/// A home folder with files that only their owner may write to.
fn home(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    }
    folder
}

fn standard(home: &Path) -> Sources {
    Sources::Standard { user: home.join(".ssh/config"), system: home.join("etc/ssh_config") }
}

fn load(folder: &TempDir) -> Result<SshConfig, String> {
    let shown = |errors: String| errors.replace(&format!("{}/", folder.path().display()), "");
    SshConfig::load(&standard(folder.path()), &local(folder.path()))
        .map_err(|errors| shown(errors.to_string()))
}

/// The answer to a configuration in one file, for a host of which the inventory says nothing.
fn ask(text: &str, host: &str) -> ConfigAnswer {
    ask_below(text, host, &Settings::default())
}

fn ask_below(text: &str, host: &str, above: &Settings) -> ConfigAnswer {
    let folder = home(&[("c", text)]);
    let local = local(Path::new("/h/me"));
    let config = SshConfig::load(&Sources::File(folder.path().join("c")), &local);
    config.unwrap_or_else(|errors| panic!("{errors}")).query(host, above.clone(), &local)
}

/// Messages, without the folder of the file.
fn shown(notes: &[Diagnostic]) -> String {
    let line = |note: &Diagnostic| {
        let text = note.to_string();
        text.split_once("/c:").map_or(text.clone(), |(_, rest)| rest.to_owned())
    };
    notes.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn set<T>(value: T) -> Option<Sourced<T>> {
    Some(Sourced::new(value, Origin::CommandLine("--test")))
}

#[test]
fn everything_that_is_read_becomes_a_setting() {
    let text = "
Host web1
  HostName %h.example.com
  User deploy
  Port 2222
  IdentityFile ~/.ssh/%r_key
  IdentityFile none
  IdentitiesOnly yes
  IdentityAgent $SOCK
  CertificateFile ~/.ssh/c
  ProxyJump jump@%h-gate:22,[fd00::1]
  UserKnownHostsFile /k1 \"~/k 2\"
  HostKeyAlias Alias
  StrictHostKeyChecking accept-new
  RevokedHostKeys ~/revoked
  ConnectTimeout 1m
  ServerAliveInterval 30
  ForwardAgent yes
";
    let answer = ask(text, "web1");
    assert_eq!((shown(&answer.errors), shown(&answer.warnings)), (String::new(), String::new()));
    let settings = answer.settings;
    fn value<T>(setting: Option<Sourced<T>>) -> T {
        setting.unwrap().value
    }
    let origin = settings.port.as_ref().unwrap().origin.to_string();
    assert!(origin.starts_with("ssh_config (") && origin.ends_with("/c:5:3)"), "{origin}");
    assert_eq!(value(settings.address), "web1.example.com");
    assert_eq!(value(settings.user), "deploy");
    assert_eq!(value(settings.port), 2222);
    assert_eq!(value(settings.identity), ["/h/me/.ssh/deploy_key"]);
    assert!(value(settings.identities_only));
    assert_eq!(value(settings.agent), AgentSetting::Socket("/run/agent".into()));
    assert_eq!(value(settings.certificates), ["/h/me/.ssh/c"]);
    assert_eq!(
        value(settings.gateway),
        GatewaySetting::Hops(vec!["jump@web1.example.com-gate:22".into(), "[fd00::1]".into()])
    );
    assert_eq!(value(settings.known_hosts), ["/k1", "/h/me/k 2"]);
    assert_eq!(value(settings.host_key_alias), "alias");
    assert_eq!(value(settings.host_keys), HostKeyPolicy::AcceptNew);
    assert_eq!(value(settings.revoked_host_keys), ["/h/me/revoked"]);
    assert_eq!(value(settings.connect_timeout), Duration::from_secs(60));
    assert_eq!(value(settings.keepalive), TimeLimit::After(Duration::from_secs(30)));
    assert!(value(settings.forward_agent));
    assert_eq!(ask(text, "web2"), ConfigAnswer::default());
}

#[test]
fn values_that_mean_nothing_or_none() {
    let settings = ask(
        "IdentityFile none\nProxyCommand none\nUserKnownHostsFile /dev/null\nGlobalKnownHostsFile none\n\
         RevokedHostKeys none\nConnectTimeout 0\nServerAliveInterval 0\nIdentityAgent $UNSET\n",
        "a",
    )
    .settings;
    assert_eq!(settings.identity.unwrap().value, [""; 0]);
    assert_eq!(settings.gateway.unwrap().value, GatewaySetting::Direct);
    assert_eq!(settings.known_hosts.unwrap().value, [""; 0]);
    assert_eq!(settings.revoked_host_keys, None);
    assert_eq!(settings.connect_timeout, None);
    assert_eq!(settings.keepalive.unwrap().value, TimeLimit::None);
    assert_eq!(settings.agent.unwrap().value, AgentSetting::Off);
}

#[test]
fn what_fan_does_not_do_is_an_error_of_the_hosts_that_it_touches() {
    let lines = [
        "StrictHostKeyChecking no",
        "KnownHostsCommand /bin/keys %H",
        "CanonicalizeHostname always\n  CanonicalDomains example.com corp",
        "RemoteCommand tmux",
        "SessionType none",
        "RefuseConnection gone",
        "ProxyCommand nc %h %p\n  ProxyUseFdpass yes",
        "ForwardAgent $SOCK",
        "UnheardOf yes",
        "Include ~/%h",
        "GlobalKnownHostsFile ~/k",
        "HostName a;b",
        "HostName %n",
        "HostName [::1]",
        "User %u",
        "User a;b",
        "IdentityFile ~root/k",
        "IdentityFile ${UNSET}/k",
        "UserKnownHostsFile %z",
        "ProxyJump a;b",
        "ProxyJump u:hunter2@b",
        "User D\\u\n  ProxyCommand nc %r",
    ];
    let mut messages = String::new();
    for line in lines {
        let text = format!("Host web1\n  {line}\n");
        writeln!(messages, "{}", shown(&ask(&text, "web1").errors)).unwrap();
        assert_eq!(ask(&text, "other"), ConfigAnswer::default(), "{line}");
    }
    assert!(!messages.contains("hunter2"), "{messages}");
    insta::assert_snapshot!(messages, @r#"
    2:3: error: StrictHostKeyChecking no accepts any key a host presents, which fan never does (help: write accept-new there, or set host_keys for the host in the inventory)
    2:3: error: KnownHostsCommand: fan does not run commands to get host keys
    2:3: error: CanonicalizeHostname: ssh looks for web1 in example.com, corp by DNS, and takes the full name; fan does not (help: write the full name: as `address` in the inventory, or as HostName above this line)
    2:3: error: RemoteCommand: it would run instead of fan's command
    2:3: error: SessionType: fan needs sessions that run commands
    2:3: error: RefuseConnection: the configuration says not to connect
    3:3: error: ProxyUseFdpass: fan cannot take over the connection of a ProxyCommand
    2:3: error: ForwardAgent: fan can only forward the agent used for the login: yes or no
    2:3: error: unknown keyword unheardof (help: to ignore it, write "IgnoreUnknown unheardof" above it)
    2:3: error: Include ~/%h: tokens in its path depend on the version of OpenSSH
    2:3: error: GlobalKnownHostsFile: OpenSSH does not expand ~ here; write the whole path
    2:3: error: HostName: characters that are invalid in a host name
    2:3: error: HostName: unknown token %n; write %% for a percent sign
    2:3: error: HostName: brackets in address [::1]; write ::1
    2:3: error: User: tokens in it depend on the version of OpenSSH; write the name
    2:3: error: User: character ";" in user name "a;b"
    2:3: error: IdentityFile: only your own home folder can be written as ~
    2:3: error: IdentityFile: environment variable "UNSET" is not set
    2:3: error: UserKnownHostsFile: unknown token %z; write %% for a percent sign
    2:3: error: ProxyJump: character ";" in address "a;b"; use letters, digits, "-", "_" and "."
    2:3: error: ProxyJump: ":" in user name; a password never stands beside the name
    3:3: error: ProxyCommand: the user's name contains characters special to a shell
    "#);
}

#[test]
fn harmless_values_and_later_values_are_no_errors() {
    for text in [
        "VerifyHostKeyDNS yes\nRequiredRSASize 2048\nCanonicalizePermittedCNAMEs *:*\n",
        "CanonicalizeHostname NO\nCanonicalDomains a\nRemoteCommand none # c\nKnownHostsCommand none\nSessionType default\n",
        "StrictHostKeyChecking yes\nStrictHostKeyChecking no\n",
        "IgnoreUnknown UseThat,Un*\nunheardof yes\nUsethat x\n",
        "ProxyUseFdpass yes\n",
        "SendEnv LANG\nGSSAPIAuthentication yes\nControlMaster auto\nLocalForward 1 a:1\nHashKnownHosts yes\n",
    ] {
        let answer = ask(text, "a");
        assert_eq!(
            (shown(&answer.errors), shown(&answer.warnings)),
            (String::new(), String::new()),
            "{text}"
        );
    }
}

/// Where ssh takes the name as it stands, so does fan.
#[test]
fn names_that_dns_does_not_complete() {
    let domains = "CanonicalizeHostname yes\nCanonicalDomains example.com\n";
    let refused = |text: &str, host: &str, above: &Settings| {
        shown(&ask_below(text, host, above).errors).contains("CanonicalizeHostname")
    };
    let nothing = Settings::default();
    for host in ["10.0.0.5", "fd00::5", "a.b.c", "web1.dc1.example.com"] {
        assert!(!refused(domains, host, &nothing), "{host}");
    }
    for host in ["web1", "web1.dc1"] {
        assert!(refused(domains, host, &nothing), "{host}");
        let text = format!("{domains}CanonicalizeMaxDots 0\n");
        assert_eq!(refused(&text, host, &nothing), host == "web1", "{host}");
        assert!(!refused("CanonicalizeHostname yes\n", host, &nothing), "{host}");
        assert!(!refused(&format!("CanonicalizeHostname no\n{domains}"), host, &nothing), "{host}");
        assert!(!refused(&format!("{domains}HostName 10.0.0.5\n"), host, &nothing), "{host}");
        assert!(!refused(&format!("{domains}ProxyJump j\n"), host, &nothing), "{host}");
        assert!(refused(&format!("CanonicalizeHostname always\n{domains}ProxyJump j\n"), host, &nothing));
        // The way out.
        let above = Settings { address: set("web1.corp".to_owned()), ..Settings::default() };
        assert!(!refused(domains, host, &above), "{host}");
    }
}

#[test]
fn warnings_are_the_same_for_all_hosts() {
    let text = "Ciphers aes128-ctr\nPermitLocalCommand yes\nRequestTTY force\nServerAliveCountMax 7\n\
                PreferredAuthentications password\nAddressFamily inet\nTunnel no\n";
    let answer = ask(text, "a");
    assert_eq!(answer.errors, []);
    insta::assert_snapshot!(shown(&answer.warnings), @"
    1:1: warning: Ciphers: fan uses its own list of algorithms (help: docs/ssh-config.md#algorithms has the list)
    2:1: warning: PermitLocalCommand: fan does not run LocalCommand
    3:1: warning: RequestTTY: fan never requests a terminal because of it
    4:1: warning: ServerAliveCountMax: fan always ends a connection after 3 unanswered keepalive requests
    5:1: warning: PreferredAuthentications: fan tries keys first and a password last
    6:1: warning: AddressFamily: fan uses the first address that answers
    ");
    let folder = home(&[(".ssh/config", text)]);
    let (config, local) = (load(&folder).unwrap(), local(folder.path()));
    let ask = |host| config.query(host, Settings::default(), &local).warnings;
    assert_eq!(ask("a"), ask("b"));
}

#[test]
fn the_policy_of_a_distribution_is_one_warning() {
    let text = "Host *\n  Ciphers aes256-gcm@openssh.com\n  MACs hmac-sha2-256\n  GSSAPIKexAlgorithms gss-x-\n\
                \x20 KexAlgorithms curve25519-sha256\n  HostKeyAlgorithms ssh-ed25519\n  \
                PubkeyAcceptedKeyTypes ssh-ed25519\n  CASignatureAlgorithms ssh-ed25519\n";
    insta::assert_snapshot!(shown(&ask(text, "a").warnings), @"2:3: warning: Ciphers, MACs, KexAlgorithms, HostKeyAlgorithms, PubkeyAcceptedAlgorithms, CASignatureAlgorithms: fan uses its own list of algorithms (help: docs/ssh-config.md#algorithms has the list)");
}

#[test]
fn no_command_decides_about_a_host() {
    let marker = tempfile::tempdir().unwrap();
    let touched = marker.path().join("touched");
    let exec = format!("exec \"touch {}\"", touched.display());
    let errors = |text: String, host: &str| shown(&ask(&text, host).errors);

    let text = format!("Match host web* {exec}\n  Port 1\n");
    insta::assert_snapshot!(errors(text.clone(), "web1"), @r#"1:1: error: Match exec: whether this block applies to the host depends on a command, and fan runs none (help: move the block's settings to the inventory, or use --ssh-config none)"#);
    assert_eq!(errors(text.clone(), "db1"), "", "the other conditions already say no");
    assert_eq!(errors(format!("Port 2\n{text}"), "web1"), "", "the port is settled before");
    assert_eq!(
        errors(format!("Match {exec}\n  Compression yes\n  SendEnv A\n"), "web1"),
        "",
        "nothing that is read"
    );
    assert_ne!(errors(format!("Match !{exec}\n  KnownHostsCommand /x\n"), "web1"), "");
    assert_ne!(errors(format!("Match {exec}\n  IdentityFile k\n"), "web1"), "", "every key file counts");
    for criterion in ["localnetwork 10.0.0.0/8", "tagged x", "version OpenSSH_10", "weather sunny"] {
        let found = errors(format!("Match {criterion} host *\n  Port 1\n"), "web1");
        let name = criterion.split(' ').next().unwrap();
        assert!(found.contains(&format!("Match {name}: fan cannot evaluate")), "{found}");
    }
    let above = Settings { port: set(22), ..Settings::default() };
    assert_eq!(shown(&ask_below(&text, "web1", &above).errors), "", "the inventory settles it");
    assert!(!touched.exists());
}

#[test]
fn an_undecided_block_keeps_its_doubt_in_what_it_includes() {
    let folder = home(&[
        (".ssh/config", "Match exec true\n  Include more\nHost a\n  User u\n"),
        (".ssh/more", "Host b\n  Port 1\n"),
    ]);
    let (config, local) = (load(&folder).unwrap(), local(folder.path()));
    let ask = |host| config.query(host, Settings::default(), &local);
    assert_eq!(ask("b").errors.len(), 1);
    assert_eq!(ask("b").settings.port, None);
    assert_eq!(ask("a").errors, []);
    assert_eq!(ask("a").settings.user.unwrap().value, "u");
}

#[test]
fn higher_layers_take_the_place_of_values_and_of_their_errors() {
    let text = "
StrictHostKeyChecking no
ForwardAgent /x
User %u
HostName %n
ProxyJump a;b
UserKnownHostsFile %z
Match user root host 10.0.0.1
  IdentityFile ~/%h_%p_%r_%n
";
    let above = Settings {
        address: set("10.0.0.1".to_owned()),
        user: set("root".to_owned()),
        port: set(2200),
        gateway: set(GatewaySetting::Direct),
        host_keys: set(HostKeyPolicy::Strict),
        forward_agent: set(false),
        known_hosts: set(vec!["/k".to_owned()]),
        ..Settings::default()
    };
    let answer = ask_below(text, "web1", &above);
    assert_eq!(shown(&answer.errors), "");
    assert_eq!(answer.settings.identity.as_ref().unwrap().value, ["/h/me/10.0.0.1_2200_root_web1"]);
    let rest = Settings { identity: None, ..answer.settings };
    assert_eq!(rest, Settings::default());
}

#[test]
fn tokens_of_higher_layers_are_those_of_the_host() {
    let text = "Host web1\n  HostName %h.example.com\n  Port 2200\n  User deploy\n  HostKeyAlias k\n";
    let above = Settings {
        identity: set(vec!["/keys/%r@%h:%p".to_owned(), "/100%%/${SOCK}".to_owned()]),
        certificates: set(vec!["%d/%n_%u".to_owned()]),
        known_hosts: set(vec!["/k/%k".to_owned()]),
        revoked_host_keys: set(vec!["/r/%L".to_owned()]),
        agent: set(AgentSetting::Socket("/run/%i".to_owned())),
        gateway: set(GatewaySetting::Command("nc -x %n %h %p".to_owned())),
        ..Settings::default()
    };
    let answer = ask_below(text, "web1", &above);
    assert_eq!(shown(&answer.errors), "");
    let filled = answer.above;
    assert_eq!(filled.identity.unwrap().value, ["/keys/deploy@web1.example.com:2200", "/100%//run/agent"]);
    assert_eq!(filled.certificates.unwrap().value, ["/h/me/web1_me"]);
    assert_eq!(filled.known_hosts.unwrap().value, ["/k/k"]);
    assert_eq!(filled.revoked_host_keys.unwrap().value, ["/r/desk"]);
    let uid = rustix::process::getuid().as_raw();
    assert_eq!(filled.agent.unwrap().value, AgentSetting::Socket(format!("/run/{uid}")));
    let command = "nc -x web1 web1.example.com 2200".to_owned();
    assert_eq!(filled.gateway.unwrap().value, GatewaySetting::Command(command));

    let at = Origin::Host(Position::new("inventory.yaml", 3, 5));
    let above = Settings {
        identity: Some(Sourced::new(vec!["/keys/%z".to_owned()], at.clone())),
        gateway: Some(Sourced::new(GatewaySetting::Command("nc %r".to_owned()), at)),
        user: set("a;b".to_owned()),
        agent: set(AgentSetting::Socket("/run/%".to_owned())),
        ..Settings::default()
    };
    insta::assert_snapshot!(shown(&ask_below("", "web1", &above).errors), @r#"
    error: --test: agent: "%" at the end; write %% for a percent sign
    inventory.yaml:3:5: error: identity: unknown token %z; write %% for a percent sign
    inventory.yaml:3:5: error: proxy_command: the user's name contains characters special to a shell
    "#);
}

#[test]
fn the_users_file_comes_before_the_systems() {
    let folder = home(&[
        (".ssh/config", "User mine\nInclude conf.d/*.conf ~/extra\n"),
        (".ssh/conf.d/2.conf", "Port 2\n"),
        (".ssh/conf.d/10.conf", "Port 10\n"),
        (".ssh/conf.d/x", "Port 3\n"),
        ("extra", "IdentityFile extra\n"),
        ("etc/ssh_config", "Include sub/*\nUser system\nIdentityFile system\n"),
        ("etc/sub/a", "HostKeyAlias sub\n"),
    ]);
    let (config, local) = (load(&folder).unwrap(), local(folder.path()));
    let settings = config.query("a", Settings::default(), &local).settings;
    assert_eq!(settings.user.unwrap().value, "mine");
    assert_eq!(settings.port.unwrap().value, 10, "in the order of bytes");
    assert_eq!(settings.identity.unwrap().value, ["extra", "system"]);
    assert_eq!(settings.host_key_alias.unwrap().value, "sub");
}

#[test]
fn files_that_others_can_change_are_refused() {
    let folder =
        home(&[(".ssh/config", "Include ~/more\n"), ("more", "Port 1\n"), ("etc/ssh_config", "Port 2\n")]);
    let path = |name: &str| folder.path().join(name);
    let mode = |name: &str, mode| fs::set_permissions(path(name), Permissions::from_mode(mode)).unwrap();
    mode("etc/ssh_config", 0o666);
    assert!(load(&folder).is_ok(), "OpenSSH does not ask about the system's file either");
    mode(".ssh/config", 0o644);
    assert!(load(&folder).is_ok(), "reading is fine");
    mode("more", 0o620);
    assert_eq!(load(&folder).unwrap_err(), "error: more: writable by others (0620): chmod go-w");
    mode(".ssh/config", 0o602);
    assert_eq!(load(&folder).unwrap_err(), "error: .ssh/config: writable by others (0602): chmod go-w");
    let named = SshConfig::load(&Sources::File(path(".ssh/config")), &local(folder.path()));
    let errors = named.unwrap_err().to_string();
    assert!(errors.contains("more: writable by others") && !errors.contains("config: writable"), "{errors}");

    let other = Local { uid: local(folder.path()).uid.wrapping_add(1), ..local(folder.path()) };
    mode(".ssh/config", 0o600);
    mode("more", 0o600);
    let loaded = SshConfig::load(&standard(folder.path()), &other);
    // Root's files are anyone's to trust, so that nothing is wrong when root runs the test.
    assert_eq!(loaded.is_err(), local(folder.path()).uid != 0);
}

#[test]
fn files_that_are_missing_or_no_files() {
    let folder = home(&[]);
    let local = local(folder.path());
    assert!(SshConfig::load(&standard(folder.path()), &local).is_ok());
    let load =
        |path: &Path| SshConfig::load(&Sources::File(path.to_owned()), &local).unwrap_err().to_string();
    assert!(load(&folder.path().join("none")).ends_with("none: cannot read: no such file"));
    assert!(load(folder.path()).ends_with(": cannot read: is a directory"));
    fs::create_dir_all(folder.path().join(".ssh/config")).unwrap();
    let errors = SshConfig::load(&standard(folder.path()), &local).unwrap_err().to_string();
    assert!(errors.ends_with(".ssh/config: cannot read: is a directory"), "{errors}");
}

#[test]
fn messages_about_bad_files() {
    let long = "x".repeat(300);
    let text = format!(
        "Port 0\n\tPort x y\n  User\nUser \"a\nHost\nHost \"\"\nMatch all user x\nMatch\nMatch host\n\
         IdentityFile a b\nIdentitiesOnly maybe\nStrictHostKeyChecking x\nConnectTimeout 5x\n\
         ServerAliveCountMax -1\nProxyJump a b\nProxyJump h:hunter2\nUserKnownHostsFile none a\n{long}\nInclude \"\"\n"
    );
    let folder = home(&[(".ssh/config", &text), ("etc/ssh_config", "Include ~/x\n")]);
    let errors = load(&folder).unwrap_err();
    assert!(!errors.contains("hunter2"), "{errors}");
    insta::assert_snapshot!(errors, @r#"
    .ssh/config:1:1: error: Port: the port must be 1–65535, got "0"
    .ssh/config:2:2: error: Port: unexpected "y" after the value
    .ssh/config:3:3: error: User: no value
    .ssh/config:4:1: error: User: unclosed quote (help: OpenSSH refuses the file as well; write \' or \")
    .ssh/config:5:1: error: Host: no value
    .ssh/config:6:1: error: Host: empty pattern
    .ssh/config:7:1: error: Match: "all" cannot be combined with other criteria
    .ssh/config:8:1: error: Match: no value
    .ssh/config:9:1: error: Match: "host" has no value
    .ssh/config:10:1: error: IdentityFile: unexpected "b" after the value
    .ssh/config:11:1: error: IdentitiesOnly: expected yes or no, got "maybe"
    .ssh/config:12:1: error: StrictHostKeyChecking: expected yes, ask, accept-new or no, got "x"
    .ssh/config:13:1: error: ConnectTimeout: "5x" is not a time such as 30 or 1m
    .ssh/config:14:1: error: ServerAliveCountMax: "-1" is not a number
    .ssh/config:15:1: error: ProxyJump: gateways are separated by commas, without blanks and quotes
    .ssh/config:16:1: error: ProxyJump: the port of a gateway must be 1–65535
    .ssh/config:17:1: error: UserKnownHostsFile: "none" must be alone
    .ssh/config:18:1: error: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx: no value
    .ssh/config:19:1: error: Include: empty value
    etc/ssh_config:1:1: error: Include: "~" cannot be used in the system's configuration
    "#);
}

#[test]
fn a_file_that_is_not_text() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("c");
    let local = local(folder.path());
    let load = |bytes: &[u8]| {
        fs::write(&file, bytes).unwrap();
        let loaded = SshConfig::load(&Sources::File(file.clone()), &local);
        loaded.err().map(|errors| errors.to_string().split("/c:").last().unwrap().to_owned())
    };
    assert_eq!(load(b"Port 1\n# caf\xe9\nUser u\n"), None, "comments may be in any encoding");
    assert_eq!(load(b"Port 1\nUser caf\xe9\n").unwrap(), "2:1: error: not UTF-8");
    assert_eq!(load(b"User a\0b\n").unwrap(), "1:1: error: NUL character");
}

#[test]
fn includes_that_never_end_are_refused() {
    let cycle = home(&[
        (".ssh/config", "Include a\n"),
        (".ssh/a", "Port 1\nInclude ~/.ssh/b\n"),
        (".ssh/b", "Include a\n"),
    ]);
    let shown = load(&cycle)
        .unwrap_err()
        .replace(&format!("{}/", cycle.path().canonicalize().unwrap().display()), "");
    assert_eq!(shown, ".ssh/b:1:1: error: include cycle: .ssh/a → .ssh/b → .ssh/a");

    // Each file twice in the one above: 65,536 times the last one.
    let twice: Vec<_> =
        (0..16).map(|n| (format!(".ssh/d{n}"), format!("Include d{0}\nInclude d{0}\n", n + 1))).collect();
    let mut files: Vec<_> = twice.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    files.extend([(".ssh/d16", "Port 1\nPort 2\nPort 3\nPort 4\n"), (".ssh/config", "Include d1\n")]);
    // All of them would be 262,144 lines: it has stopped before.
    assert!(load(&home(&files)).unwrap_err().contains("too large: more than 100000 lines"));
}

#[test]
fn a_host_is_answered_with_one_look_at_each_pattern() {
    const BLOCKS: u16 = 200;
    const HOSTS: u16 = 5000;

    let mut text = String::new();
    for n in 0..BLOCKS {
        writeln!(text, "Host web{n}-* *.zone{n}.example.com !*-excluded-{n}\n  Port {}\n  User u{n}", n + 1)
            .unwrap();
    }
    text.push_str(
        "Match host *.example.com user u7\n  IdentityFile ~/.ssh/%r\nHost *\n  ServerAliveInterval 15\n",
    );
    let folder = home(&[(".ssh/config", &text)]);
    let (config, local) = (load(&folder).unwrap(), local(folder.path()));
    let looks = work::of(|| {
        for n in 0..HOSTS {
            let name = format!("web{}-{n}.example.com", n % BLOCKS);
            let answer = config.query(&name, Settings::default(), &local);
            assert_eq!(answer.settings.port.unwrap().value, n % BLOCKS + 1);
        }
    });
    // Three in each block; two criteria and the last line.
    let patterns = u64::from(BLOCKS) * 3 + 3;
    assert!(looks <= u64::from(HOSTS) * patterns, "{looks}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_text_makes_it_panic(
        words in prop::collection::vec(prop::sample::select(vec![
            "Host", "Match", "Include", "host", "all", "final", "exec", "User", "ProxyJump", "ProxyCommand", "HostName",
            "IdentityFile", "ConnectTimeout", "ssh://", "@", ":", "[", "]", "%", "%h", "${", "}", "~", "\"", "'", "\\",
            "=", " ", " ", "\n", "\n", "\t", "#", "!", "*", "?", ",", "none", "a", "é", "1", "99999999999", "\u{c}", "\r",
        ]), 0..40),
    ) {
        let folder = home(&[(".ssh/config", &words.concat())]);
        let local = local(folder.path());
        if let Ok(config) = SshConfig::load(&standard(folder.path()), &local) {
            config.query("a", Settings::default(), &local);
        }
    }
}
