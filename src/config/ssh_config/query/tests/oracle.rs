//! The real `ssh -G` as the measure: configurations written by hand and generated ones, compared value by value.
//!
//! Never a `Match exec`: ssh would run it.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use proptest::prelude::*;
use tempfile::TempDir;

use crate::config::ssh_config::answer::answer;
use crate::config::ssh_config::asked::{Local, Sources};
use crate::config::ssh_config::chosen::{Picked, QueryStart, choose};
use crate::config::ssh_config::keywords::Field;
use crate::config::ssh_config::query::SshConfig;
use crate::config::ssh_config::value::{Forwarding, KeywordValue, ProxyValue, Strictness, value};
use crate::model::settings::{AgentSetting, HostKeyPolicy, Origin, Settings, Sourced};

/// What ssh prints, each keyword with its lines.
type Printed = HashMap<String, Vec<String>>;

/// A host to ask about, and what stands on the command line beside it.
#[derive(Clone, Copy, Debug)]
struct Asked {
    host: &'static str,
    user: Option<&'static str>,
    port: Option<u16>,
    address: Option<&'static str>,
}

const fn plain(host: &'static str) -> Asked {
    Asked { host, user: None, port: None, address: None }
}

impl Asked {
    fn settings(&self) -> Settings {
        let origin = Origin::CommandLine("test");
        Settings {
            user: self.user.map(|user| Sourced::new(user.to_owned(), origin.clone())),
            port: self.port.map(|port| Sourced::new(port, origin.clone())),
            address: self.address.map(|address| Sourced::new(address.to_owned(), origin.clone())),
            ..Settings::default()
        }
    }

    fn arguments(&self) -> Vec<String> {
        let mut arguments = Vec::new();
        arguments.extend(self.user.map(|user| format!("-oUser={user}")));
        arguments.extend(self.port.map(|port| format!("-oPort={port}")));
        arguments.extend(self.address.map(|address| format!("-oHostName={address}")));
        arguments.push(self.host.to_owned());
        arguments
    }
}

fn ssh(file: &Path, asked: &Asked) -> Option<Printed> {
    let output = Command::new("ssh")
        .arg("-G")
        .arg("-F")
        .arg(file)
        .args(asked.arguments())
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("FOO", "/foo/value")
        .stdin(Stdio::null())
        .output()
        .expect("this test needs OpenSSH's ssh on PATH: apt-get install openssh-client");
    if !output.status.success() {
        return None;
    }
    let mut printed = Printed::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let (keyword, value) = line.split_once(' ').unwrap_or((line, ""));
        printed.entry(keyword.to_owned()).or_default().push(value.to_owned());
    }
    Some(printed)
}

/// The operator as ssh sees them: it asks the system and not the environment.
fn local() -> &'static Local {
    static LOCAL: OnceLock<Local> = OnceLock::new();
    LOCAL.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config");
        fs::write(
            &file,
            "UserKnownHostsFile %u\nIdentityAgent %d\nHostKeyAlias x\nUser none\nProxyJump none",
        )
        .unwrap();
        let one = |tokens: &str, keyword: &str| {
            fs::write(&file, format!("{keyword} {tokens}")).unwrap();
            let printed = ssh(&file, &plain("x")).expect("ssh reads a file of one line");
            printed[&keyword.to_ascii_lowercase()][0].clone()
        };
        Local {
            user: one("%u", "UserKnownHostsFile"),
            uid: one("%i", "UserKnownHostsFile").parse().unwrap(),
            home: PathBuf::from(one("%d", "UserKnownHostsFile")),
            host_name: one("%l", "UserKnownHostsFile"),
            env: BTreeMap::from([("FOO".to_owned(), "/foo/value".to_owned())]),
        }
    })
}

/// What fan makes of it in ssh's words; `None` where ssh should refuse.
fn compare(file: &Path, asked: &Asked, printed: Option<&Printed>) -> Result<(), String> {
    let local = local();
    let config = match (SshConfig::load(&Sources::File(file.to_owned()), local), printed) {
        (Err(_), None) => return Ok(()),
        (Err(errors), Some(_)) => return Err(format!("only fan refuses the file: {errors}")),
        (Ok(config), _) => config,
    };
    let above = asked.settings();
    let files: Vec<_> = config.files.iter().map(|file| &**file).collect();
    let start = QueryStart { host: asked.host, above: &above, local_user: &local.user };
    let chosen = choose(&files, &start);
    let found = answer(asked.host, above.clone(), local, choose(&files, &start));
    let Some(printed) = printed else {
        return if found.errors.is_empty() { Err("only ssh refuses".to_owned()) } else { Ok(()) };
    };

    let settings = &found.settings;
    let mut differences = Vec::new();
    let mut check = |keyword: &str, ours: Vec<String>| {
        let theirs = printed.get(keyword).cloned().unwrap_or_default();
        if ours != theirs {
            differences.push(format!("{keyword}: ssh {theirs:?}, fan {ours:?}"));
        }
    };
    let one = |value: String| vec![value];
    let flag = |value: bool| vec![if value { "yes" } else { "no" }.to_owned()];
    let raw = |value: &Option<Picked<'_, str>>| {
        value.iter().map(|picked| picked.value.to_owned()).collect::<Vec<_>>()
    };

    let address = above.address.as_ref().or(settings.address.as_ref());
    if chosen.host_name.is_none() || settings.address.is_some() {
        check("hostname", one(address.map_or(asked.host, |address| &address.value).to_ascii_lowercase()));
    }
    let user = chosen.user.as_ref().map_or(&*local.user, |user| user.value);
    check("user", one(above.user.as_ref().map_or(user, |user| &user.value).to_owned()));
    let port = chosen.port.as_ref().map_or(22, |port| *port.value);
    check("port", one(above.port.as_ref().map_or(port, |port| port.value).to_string()));
    if chosen.identity_files.is_empty() {
        assert!(printed["identityfile"].iter().all(|file| file.starts_with("~/.ssh/id_")), "{printed:?}");
    } else {
        check("identityfile", chosen.identity_files.iter().map(|file| file.value.to_owned()).collect());
    }
    check("certificatefile", chosen.certificate_files.iter().map(|file| file.value.to_owned()).collect());
    check("identitiesonly", flag(chosen.identities_only.as_ref().is_some_and(|only| *only.value)));
    check("hostkeyalias", raw(&chosen.host_key_alias));
    check(
        "revokedhostkeys",
        raw(&chosen.revoked_host_keys).into_iter().filter(|file| file != "none").collect(),
    );
    check(
        "stricthostkeychecking",
        one(match chosen.strictness.as_ref().map(|strictness| *strictness.value) {
            Some(Strictness::Policy(HostKeyPolicy::Strict)) => "true",
            Some(Strictness::Policy(HostKeyPolicy::AcceptNew)) => "accept-new",
            Some(Strictness::Policy(HostKeyPolicy::Ask)) | None => "ask",
            Some(Strictness::Off) => "false",
        }
        .to_owned()),
    );
    let number = |value: &Option<Picked<'_, u32>>, default: &str| {
        one(value.as_ref().map_or_else(|| default.to_owned(), |value| value.value.to_string()))
    };
    check("connecttimeout", number(&chosen.connect_timeout, "none"));
    check("serveraliveinterval", number(&chosen.alive_interval, "0"));
    check("serveralivecountmax", number(&chosen.alive_count, "3"));
    match chosen.forward_agent.as_ref().map(|forward| *forward.value) {
        Some(Forwarding::Socket) => {
            assert!(!matches!(&*printed["forwardagent"][0], "yes" | "no"), "{printed:?}")
        }
        Some(Forwarding::Flag(true)) => check("forwardagent", flag(true)),
        // ssh prints a socket that comes later, and does not use it.
        Some(Forwarding::Flag(false)) => assert_ne!(printed["forwardagent"][0], "yes", "{printed:?}"),
        None => check("forwardagent", flag(false)),
    }
    match chosen.proxy.as_ref().map(|proxy| proxy.value) {
        None | Some(ProxyValue::NoJump | ProxyValue::NoCommand) => {
            check("proxyjump", vec![]);
            check("proxycommand", vec![]);
        }
        Some(ProxyValue::Command(command)) => {
            check("proxyjump", vec![]);
            check("proxycommand", one(command.clone()));
        }
        // ssh prints all hops but the last one as they were written.
        jump @ Some(ProxyValue::Jump(_)) => {
            check("proxycommand", vec![]);
            let theirs = printed.get("proxyjump").map(|lines| lines.concat()).unwrap_or_default();
            let theirs = value(Field::ProxyJump, &theirs).unwrap();
            if !matches!((&theirs, jump), (Some(KeywordValue::Proxy(theirs)), Some(ours)) if theirs == ours) {
                differences.push(format!("proxyjump: ssh {theirs:?}, fan {jump:?}"));
            }
        }
    }
    let listed = ["userknownhostsfile", "globalknownhostsfile"]
        .iter()
        .flat_map(|keyword| printed[*keyword].clone())
        .filter(|files| files != "none")
        .collect::<Vec<_>>()
        .join(" ");
    let home = local.home.display();
    let ours = settings.known_hosts.as_ref().map_or_else(
        || {
            format!(
                "{home}/.ssh/known_hosts {home}/.ssh/known_hosts2 /etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2"
            )
        },
        |own| {
            let shared = settings.shared_known_hosts.iter().flat_map(|files| &files.value);
            own.value.iter().chain(shared).map(String::as_str).collect::<Vec<_>>().join(" ")
        },
    );
    if ours != listed && found.errors.is_empty() {
        differences.push(format!("known hosts: ssh {listed:?}, fan {ours:?}"));
    }
    let agent = settings.agent.as_ref().map(|agent| match &agent.value {
        AgentSetting::Off => "none".to_owned(),
        AgentSetting::Environment => "SSH_AUTH_SOCK".to_owned(),
        AgentSetting::Socket(path) => path.clone(),
    });
    let theirs = printed.get("identityagent").map(|lines| match &*lines.concat() {
        "$FOO" => "/foo/value".to_owned(),
        "$NONE" => "none".to_owned(),
        other => other.to_owned(),
    });
    if agent != theirs && found.errors.is_empty() {
        differences.push(format!("identityagent: ssh {theirs:?}, fan {agent:?}"));
    }
    if differences.is_empty() { Ok(()) } else { Err(differences.join("\n")) }
}

/// Writes files into a folder; `DIR` in a text stands for the folder's path.
fn written(files: &[(&str, String)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::write(&path, text.replace("DIR", &folder.path().display().to_string())).unwrap();
        // Whatever the umask: OpenSSH refuses to include what others may write to.
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    }
    folder
}

fn agree(files: &[(&str, String)], asked: &[Asked]) -> Result<(), String> {
    let folder = written(files);
    let file = folder.path().join("config");
    for asked in asked {
        let printed = ssh(&file, asked);
        compare(&file, asked, printed.as_ref()).map_err(|difference| {
            let shown = files.iter().map(|(name, text)| format!("== {name}\n{text}\n")).collect::<String>();
            format!("{asked:?}: {difference}\n{shown}")
        })?;
    }
    Ok(())
}

const ASKED: [Asked; 8] = [
    plain("web1"),
    plain("Web1"),
    plain("web2"),
    plain("db1.example.com"),
    plain("10.0.0.5"),
    Asked { user: Some("root"), ..plain("web1") },
    Asked { port: Some(2200), ..plain("db1") },
    Asked { address: Some("10.0.0.7"), ..plain("web1") },
];

#[test]
fn configurations_by_hand() {
    for text in [
        "",
        "Port 1\nHost web1\nPort 2\nHost *\nPort 3\n",
        "Host web1\nUser a\nUser b\nHost web*\nUser c\nPort 9\n",
        "Host !web1 *\nPort 2\nHost !web2\nPort 3\n",
        "Host web1,web2\nPort 2\nHost \"web1\" 'web2'\nPort 3\n",
        "HOST=web1\n\tpORT = 2222\r\n  user=\"a b\" # c\n",
        "HostName %h.example.com\nMatch host *.example.com\nPort 2\nMatch originalhost web1\nUser o\n",
        "Match host web1\nHostName 10.0.0.9\nMatch host 10.0.0.*\nPort 2\nMatch host web1\nUser never\n",
        "Match user root\nPort 2\nMatch !user root\nPort 3\nMatch localuser *\nIdentityFile l\n",
        "Match host=web1 user \"root\"\nPort 2\nMatch host web*,!web1\nPort 3\nMatch !host web1\nPort 4\n",
        "Match all\nPort 2\nMatch !all\nUser no\n",
        "Match final host resolved\nPort 2\nHost resolved\nIdentityFile final\nHost w*\nHostName Resolved\nMatch canonical\nUser c\n",
        "CanonicalizeHostname yes\nMatch canonical\nPort 2\nHost 10.*\nUser c\n",
        "Match host 10.*\nCanonicalizeHostname always\nHost 10.0.0.5\nHostName 10.0.0.6\nMatch canonical host 10.0.0.6\nUser c\nHost 10.0.0.6\nPort 9\n",
        "CanonicalizeHostname no\nMatch canonical\nPort 2\n",
        "CanonicalizeMaxDots x\n",
        "Match !final\nUser first\nMatch final all\nPort 3\n",
        "IdentityFile ~/a\nIdentityFile none\nIdentityFile ~/a\nIdentityFile \"~/b c\"\nIdentityFile %h\n",
        "CertificateFile ~/a\nCertificateFile ${FOO}/b\nIdentitiesOnly TRUE\n",
        "ProxyJump u@j1:2200,ssh://v@j2:33,[::1]:44,j5\nProxyCommand x\n",
        "ProxyCommand nc \"%h\"  %p # no comment\nProxyJump j\n",
        "ProxyJump none\nProxyCommand x\n",
        "ProxyCommand none\nProxyJump j\n",
        "ProxyJump none\nProxyJump j\n",
        "ProxyJump none\nProxyCommand none\nProxyCommand x\n",
        "ProxyCommand none\nProxyJump none\nProxyCommand x\n",
        "ProxyCommand = a = b\n",
        "ProxyJump =j,10.0.0.1:2 # comment\n",
        "UserKnownHostsFile ~/a \"b c\" ${FOO}/%h %d/%n_%p_%r_%u_%i_%l_%L_%k_%C%%\nHostKeyAlias ALIAS%h\nHostName x\n",
        "UserKnownHostsFile none\nGlobalKnownHostsFile /a /b\n",
        "GlobalKnownHostsFile none\n",
        "UserKnownHostsFile ${NOPE}\n",
        "UserKnownHostsFile %Z\n",
        "HostName %n\n",
        "IdentityAgent none\n",
        "IdentityAgent SSH_AUTH_SOCK\n",
        "IdentityAgent $FOO\n",
        "IdentityAgent $NONE\n",
        "IdentityAgent ~/a_%h_${FOO}\n",
        "ConnectTimeout none\nConnectTimeout 1m30\nServerAliveInterval none\nServerAliveInterval 2H\nServerAliveCountMax 0\n",
        "ConnectTimeout 0\nServerAliveInterval 0\n",
        "ForwardAgent yes\n",
        "ForwardAgent /some/socket\n",
        "ForwardAgent yes\nForwardAgent /some/socket\nForwardAgent no\n",
        "ForwardAgent no\nForwardAgent /some/socket\nForwardAgent yes\n",
        "StrictHostKeyChecking off\n",
        "StrictHostKeyChecking ACCEPT-NEW\nStrictHostKeyChecking no\n",
        "RevokedHostKeys ~/r%h\n",
        "RevokedHostKeys none\nRevokedHostKeys x\n",
        "Port +22\n",
        "Port 022\n",
        "Port ssh\n",
        "IgnoreUnknown foo,Bar*\nFOO x\nbarfly y\n",
        "IdentityFile a#b\nIdentityFile a\\\"b\nIdentityFile 'a \"b\"'\nIdentityFile a\\ b\nIdentityFile a\\tb\n",
        "   # comment\n\n\t#\n# \"unclosed\nPort 8 # c\n",
        // Refused by both.
        "Port 0\n",
        "Port 22 33\n",
        "Port == 22\n",
        "Port\n",
        "Host\n",
        "Host \"\"\n",
        "Match\n",
        "Match all host a\n",
        "Match host\n",
        "Match host a user\n",
        "User \"a\n",
        "IdentityFile it's\n",
        "IdentityFile \"\"\n",
        "ProxyJump a,,b\n",
        "UserKnownHostsFile none x\n",
        "ConnectTimeout -1\n",
        "ConnectTimeout 5 s\n",
        "ServerAliveCountMax -1\n",
        "StrictHostKeyChecking maybe\n",
        "Unheard yes\n",
        "Host none\n  Port x\n",
        "Include DIR/config\n",
    ] {
        // A keyword that nobody knows is refused by ssh alone when it stands in a block of other hosts.
        agree(&[("config", text.to_owned())], &ASKED).unwrap_or_else(|difference| panic!("{difference}"));
    }
}

#[test]
fn includes_by_hand() {
    let one = "Port 1111\nHost web1\nUser in1\nHost web2\nUser in2\nMatch all\nIdentityFile all\n".to_owned();
    let two = "IdentityFile two\nInclude DIR/c3 DIR/none\nIdentityFile two_end\n".to_owned();
    let three = "Host db*\nIdentityFile three\n".to_owned();
    for text in [
        "Include DIR/c?\nPort 5\n",
        "Host web1\nInclude DIR/c1\nIdentityFile after\nHost web2\nUser x\n",
        "Host web1\nInclude \"DIR/c[!1]\" DIR/c1\nIdentityFile after\n",
        "Match final\nInclude DIR/c*\n",
        "Host none\nInclude DIR/c1\n  Port 7\nMatch all\nInclude DIR/c2\n",
        "Include DIR/none/* DIR/nothing\nPort 5\n",
        "Include\n",
        "Include \"\"\n",
    ] {
        let files =
            [("config", text.to_owned()), ("c1", one.clone()), ("c2", two.clone()), ("c3", three.clone())];
        agree(&files, &ASKED).unwrap_or_else(|difference| panic!("{difference}"));
    }
}

#[test]
fn files_inside_each_other_have_the_same_limit() {
    for depth in [15, 16, 17] {
        let mut files: Vec<(String, String)> = (1..=depth)
            .map(|n| {
                (
                    format!("d{n}"),
                    if n < depth { format!("Include DIR/d{}\n", n + 1) } else { "Port 77\n".into() },
                )
            })
            .collect();
        files.push(("config".into(), "Include DIR/d1\n".into()));
        let files: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), text.clone())).collect();
        agree(&files, &[plain("web1")]).unwrap_or_else(|difference| panic!("{difference}"));
    }
}

/// A line that sets something, now and then one that both refuse.
fn setting() -> impl Strategy<Value = String> {
    let pairs = prop::sample::select(vec![
        ("HostName", vec!["%h.example.com", "10.0.0.1", "Web2", "a%%b", "%h"]),
        ("User", vec!["deploy", "root", "\"a b\"", "Root"]),
        ("Port", vec!["22", "2222", "+5", "\"0070\""]),
        ("IdentityFile", vec!["~/.ssh/%h", "\"a b\"", "none", "~/b", "'q\"q'", "c#d", "e\\ f"]),
        ("CertificateFile", vec!["~/c", "${FOO}/c", "%d/c"]),
        ("IdentitiesOnly", vec!["yes", "no", "TRUE", "false"]),
        ("IdentityAgent", vec!["none", "SSH_AUTH_SOCK", "$FOO", "~/s_%h_%r", "${FOO}/%p"]),
        ("ProxyJump", vec!["none", "j1", "u@j1:22,j2", "ssh://u@j3:44", "[::1]:5,10.9.9.9"]),
        ("ProxyCommand", vec!["none", "nc %h %p", "sh -c \"x %r\"", "a = b"]),
        ("UserKnownHostsFile", vec!["none", "~/k1 \"k 2\"", "%d/%h_%n_%r_%p", "/k_%k", "/dev/shm/k"]),
        ("GlobalKnownHostsFile", vec!["none", "/g1 /g2", "\"/g 3\""]),
        ("HostKeyAlias", vec!["Alias", "%h"]),
        ("StrictHostKeyChecking", vec!["yes", "no", "ask", "accept-new", "OFF"]),
        ("ConnectTimeout", vec!["none", "0", "5", "1m30", "2h"]),
        ("ServerAliveInterval", vec!["none", "0", "15", "1M"]),
        ("ServerAliveCountMax", vec!["0", "3", "7"]),
        ("ForwardAgent", vec!["yes", "no", "/x/y"]),
        ("RevokedHostKeys", vec!["none", "~/r", "/r_%h"]),
        ("Compression", vec!["yes"]),
    ]);
    let separator = prop::sample::select(vec![" ", "\t", "=", " = ", "  ", "\t=\t"]);
    let tail = prop::sample::select(vec!["", "", "", " ", "\t\r"]);
    (pairs, any::<prop::sample::Index>(), separator, tail, any::<bool>()).prop_map(
        |((keyword, values), value, separator, tail, upper)| {
            let keyword = if upper { keyword.to_ascii_uppercase() } else { keyword.to_owned() };
            format!("{keyword}{separator}{}{tail}", value.get(&values))
        },
    )
}

fn pattern() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "*",
        "web1",
        "web?",
        "w*",
        "!web2",
        "!*1",
        "db1*",
        "*.example.com",
        "Web*",
        "10.0.0.*",
        "\"web1\"",
        "*b*1",
    ])
    .prop_map(str::to_owned)
}

fn criterion() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec!["host", "originalhost", "user", "localuser", "HOST"]);
    let list = prop::sample::select(vec![
        "*",
        "web1",
        "WEB1",
        "web*,!web1",
        "\"db*,10.*\"",
        "*.example.com",
        "root",
        "r*,deploy",
        "!root",
        "10.0.0.?",
    ]);
    let separator = prop::sample::select(vec![" ", "=", "\t"]);
    let judged = (any::<bool>(), name, separator, list).prop_map(|(negated, name, separator, list)| {
        format!("{}{name}{separator}{list}", if negated { "!" } else { "" })
    });
    let bare =
        prop::sample::select(vec!["final", "canonical", "!final", "!canonical"]).prop_map(str::to_owned);
    prop_oneof![4 => judged, 1 => bare]
}

fn a_line(includes: bool) -> impl Strategy<Value = String> {
    let host =
        prop::collection::vec(pattern(), 1..4).prop_map(|patterns| format!("Host {}", patterns.join(" ")));
    let conditions =
        prop::collection::vec(criterion(), 1..4).prop_map(|criteria| format!("Match {}", criteria.join(" ")));
    let all = prop::sample::select(vec!["Match all", "Match !all", "Match final all", "Match host web1 all"]);
    let include = prop::sample::select(vec![
        "Include DIR/c1",
        "Include DIR/c2 DIR/c1",
        "Include DIR/c?",
        "include=DIR/c2",
    ]);
    let noise = prop::sample::select(vec!["", "# comment \"", "\t", "  #"]);
    let bad = prop::sample::select(vec!["Port x", "User \"", "Host \"\"", "Match user", "IdentityFile a b"]);
    prop_oneof![
        60 => setting().prop_map(|line| format!("  {line}")),
        14 => host,
        10 => conditions,
        3 => all.prop_map(str::to_owned),
        if includes { 8 } else { 1 } => include.prop_map(move |line| if includes { line.to_owned() } else { String::new() }),
        4 => noise.prop_map(str::to_owned),
        1 => bad.prop_map(str::to_owned),
    ]
}

fn text(includes: bool, lines: usize) -> impl Strategy<Value = String> {
    prop::collection::vec(a_line(includes), 0..lines).prop_map(|lines| lines.join("\n"))
}

proptest! {
    // Each case starts ssh, which takes longer than all the rest of it.
    #![proptest_config(ProptestConfig { cases: 300, max_shrink_iters: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn generated_configurations(
        config in text(true, 25),
        one in text(false, 8),
        two in text(false, 8),
        asked in prop::sample::select(ASKED.to_vec()),
    ) {
        let files = [("config", config), ("c1", one), ("c2", two)];
        if let Err(difference) = agree(&files, &[asked]) {
            return Err(TestCaseError::fail(difference));
        }
    }
}
