//! Endpoints: what is filled in, where paths lead, and what is shared.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::engine::plan::{Plan, PlannedHost};
use crate::engine::planner::tests::{call, file, inventory, plan_with, request, task};
use crate::engine::planner::{Operator, Request};
use crate::model::endpoint::{Agent, Deadlines, KEEPALIVE_INTERVAL, Whole};
use crate::model::inventory::Inventory;
use crate::model::position::Position;
use crate::model::settings::{AgentSetting, OnDisconnect, Origin, Settings, Sourced, TimeLimit, Transport};

fn set<T>(value: T) -> Option<Sourced<T>> {
    Some(Sourced::new(value, Origin::Defaults(Position::new("inventory.yaml", 1, 1))))
}

fn planned(request: Request, mut inventory: Inventory) -> Plan {
    plan_with(request, &mut inventory, &file(vec![task(1, "t")]), &[call("t")]).unwrap()
}

/// `web1` with these settings of the inventory.
fn web1(settings: Settings) -> PlannedHost {
    let inventory = Inventory { defaults: settings, ..inventory() };
    planned(request(), inventory).hosts.swap_remove(0)
}

fn paths(paths: &[PathBuf]) -> Vec<&Path> {
    paths.iter().map(PathBuf::as_path).collect()
}

#[test]
fn what_nobody_said_is_filled_in() {
    let host = web1(Settings::default());
    let endpoint = &host.endpoint;
    assert_eq!((&*endpoint.address, endpoint.port, &*endpoint.user), ("web1", 22, "me"));
    assert_eq!(paths(&endpoint.identities), [Path::new("/h/me/.ssh/id_ed25519")]);
    let files = ["/h/me/.ssh/known_hosts", "/etc/ssh/ssh_known_hosts"].map(Path::new);
    assert_eq!((paths(&endpoint.known_hosts), endpoint.records_keys), (files.to_vec(), true));
    assert_eq!(endpoint.agent, Agent::Socket { path: "/run/agent".into(), required: false });
    assert!(!endpoint.identities_only);
    assert_eq!((endpoint.keepalive, endpoint.retries), (Some(KEEPALIVE_INTERVAL), 2));
    assert_eq!((endpoint.deadlines, endpoint.transport), (Deadlines::default(), Transport::Ssh));
    assert_eq!((&*host.shell, host.command_timeout, host.idle_timeout), ("sh", None, None));
    assert_eq!(host.on_disconnect, OnDisconnect::Leave);
    assert_eq!(host.roles.iter().map(|role| role.as_str()).collect::<Vec<_>>(), ["web"]);
}

#[test]
fn what_the_inventory_says_is_taken() {
    let seconds = Duration::from_secs;
    let mut settings = Settings {
        address: set("[fd00::1]".to_owned()),
        port: set(2222),
        user: set("deploy".to_owned()),
        identity: set(vec!["~/key".to_owned(), "/abs".to_owned(), "rel".to_owned(), "~other/x".to_owned()]),
        identities_only: set(true),
        agent: set(AgentSetting::Socket("~/agent.sock".to_owned())),
        known_hosts: set(vec!["~/hosts".to_owned()]),
        connect_timeout: set(seconds(3)),
        command_timeout: set(TimeLimit::After(seconds(60))),
        idle_timeout: set(TimeLimit::None),
        keepalive: set(TimeLimit::None),
        retries: set(0),
        shell: set("bash".to_owned()),
        transport: set(Transport::Local),
        on_disconnect: set(OnDisconnect::Kill),
        ..Settings::default()
    };
    settings.env.extend(set("1".to_owned()).map(|value| ("B".to_owned(), value)));
    let host = web1(settings);
    let endpoint = &host.endpoint;
    assert_eq!((&*endpoint.address, endpoint.port, &*endpoint.user), ("fd00::1", 2222, "deploy"));
    let keys = ["/h/me/key", "/abs", "rel", "~other/x"].map(Path::new);
    assert_eq!(paths(&endpoint.identities), keys);
    assert!(endpoint.identities_only);
    assert_eq!(endpoint.agent, Agent::Socket { path: "/h/me/agent.sock".into(), required: true });
    assert_eq!(paths(&endpoint.known_hosts), [Path::new("/h/me/hosts")]);
    let limits =
        Deadlines { connect: seconds(3), handshake: seconds(3), auth: seconds(3), ..Deadlines::default() };
    assert_eq!(endpoint.deadlines, Deadlines { whole: Whole::UpToReady(seconds(3)), ..limits });
    assert_eq!((host.command_timeout, host.idle_timeout), (Some(seconds(60)), None));
    assert_eq!((endpoint.keepalive, endpoint.retries, endpoint.transport), (None, 0, Transport::Local));
    assert_eq!(host.on_disconnect, OnDisconnect::Kill);
    assert_eq!((&*host.shell, host.env), ("bash", vec![("B".to_owned(), "1".to_owned())]));
}

#[test]
fn an_agent_is_used_as_far_as_there_is_one() {
    let without = || Request { operator: Operator { agent_socket: None, ..request().operator }, ..request() };
    let agent = |request: Request, setting: Option<AgentSetting>| {
        let defaults = Settings { agent: setting.and_then(set), ..Settings::default() };
        planned(request, Inventory { defaults, ..inventory() }).hosts.swap_remove(0).endpoint.agent
    };
    let found = Agent::Socket { path: "/run/agent".into(), required: false };
    assert_eq!(agent(request(), Some(AgentSetting::Environment)), found);
    assert_eq!(agent(request(), Some(AgentSetting::Off)), Agent::Off);
    assert_eq!(agent(without(), None), Agent::Off);
    assert_eq!(agent(without(), Some(AgentSetting::Environment)), Agent::Off);
    let named = Agent::Socket { path: "/s".into(), required: true };
    assert_eq!(agent(without(), Some(AgentSetting::Socket("/s".to_owned()))), named);
}

#[test]
fn without_a_home_a_path_stays_as_it_was_written() {
    let operator = Operator::default();
    assert_eq!(operator.path("~/key"), PathBuf::from("~/key"));
    let operator = Operator { home: Some("/h/me".into()), ..operator };
    for (written, expected) in [("~/a/b", "/h/me/a/b"), ("~", "~"), ("a/~/b", "a/~/b"), ("/x", "/x")] {
        assert_eq!(operator.path(written), PathBuf::from(expected));
    }
}

#[test]
fn settings_of_role_host_and_command_line_come_in_their_order() {
    let mut inventory = inventory();
    inventory.defaults.user = set("defaults".to_owned());
    inventory.roles[0].settings.user = set("role".to_owned());
    Arc::make_mut(&mut inventory.hosts[2].settings).user = set("host".to_owned());
    let users = |request: Request| {
        let plan = planned(request, inventory.clone());
        plan.hosts.iter().map(|host| host.endpoint.user.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(users(request()), ["role", "host", "role"]);
    let settings = Settings { user: set("flag".to_owned()), ..Settings::default() };
    assert_eq!(users(Request { settings, ..request() }), ["flag"; 3]);
}

#[test]
fn hosts_with_equal_paths_share_them() {
    let plan = planned(request(), inventory());
    let (one, two) = (&plan.hosts[0].endpoint, &plan.hosts[1].endpoint);
    assert!(Arc::ptr_eq(&one.known_hosts, &two.known_hosts) && Arc::ptr_eq(&one.identities, &two.identities));
}

#[test]
fn the_flag_bounds_the_login_and_the_setting_leaves_it_its_own_limit() {
    let seconds = Duration::from_secs;
    let deadlines = |connect: Option<Sourced<Duration>>, auth: Option<Duration>| {
        let auth_timeout = auth.and_then(set);
        let settings = Settings { connect_timeout: connect, auth_timeout, ..Settings::default() };
        web1(settings).endpoint.deadlines
    };
    let flag = Some(Sourced::new(seconds(2), Origin::CommandLine("--connect-timeout")));
    let with_flag = deadlines(flag.clone(), Some(seconds(60)));
    assert_eq!((with_flag.auth, with_flag.whole), (seconds(60), Whole::UpToReady(seconds(2))));
    let with_setting = deadlines(set(seconds(5)), Some(seconds(60)));
    assert_eq!((with_setting.auth, with_setting.whole), (seconds(60), Whole::UpToLogin(seconds(5))));
    let alone = deadlines(flag, None);
    assert_eq!(
        (alone.handshake, alone.auth, alone.whole),
        (seconds(2), seconds(2), Whole::UpToReady(seconds(2)))
    );
    let login = deadlines(None, Some(seconds(60)));
    assert_eq!(login, Deadlines { auth: seconds(60), ..Deadlines::default() });
    let session = Settings { session_timeout: set(seconds(40)), ..Settings::default() };
    assert_eq!(web1(session).endpoint.deadlines, Deadlines { channel: seconds(40), ..Deadlines::default() });
}

#[test]
fn nothing_is_written_to_a_file_of_the_whole_machine() {
    let at = Origin::SshConfig(Position::new("config", 1, 1));
    let files = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
    let records = |own: &[&str], shared: &[&str]| {
        let settings = Settings {
            known_hosts: Some(Sourced::new(files(own), at.clone())),
            shared_known_hosts: Some(Sourced::new(files(shared), at.clone())),
            ..Settings::default()
        };
        web1(settings).endpoint.records_keys
    };
    assert!(records(&["/h/me/own"], &["/etc/ssh/ssh_known_hosts"]));
    assert!(!records(&[], &["/etc/ssh/ssh_known_hosts"]));
    assert!(!records(&[], &["/srv/all_known_hosts"]));
    for own in ["/dev/null", "/etc/ssh/ssh_known_hosts"] {
        let settings = Settings { known_hosts: set(files(&[own])), ..Settings::default() };
        assert!(!web1(settings).endpoint.records_keys, "{own}");
    }
}
