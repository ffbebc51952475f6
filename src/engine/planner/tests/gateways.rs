//! Gateways: what a name stands for, which ways are refused, and where that is said.

use std::sync::Arc;

use crate::engine::planner::tests::{call, file, inventory, plan_with, request, task};
use crate::engine::planner::{Consulted, Request, SshConfigSource};
use crate::model::endpoint::Endpoint;
use crate::model::inventory::{HostName, Inventory};
use crate::model::position::Position;
use crate::model::secret::SecretSource;
use crate::model::settings::{GatewaySetting, Origin, Settings, Sourced};

fn at(line: u32) -> Origin {
    Origin::Host(Position::new("inventory.yaml", line, 5))
}

fn via(hops: &[&str], origin: Origin) -> Option<Sourced<GatewaySetting>> {
    let way = match hops {
        ["none"] => GatewaySetting::Direct,
        hops => GatewaySetting::Hops(hops.iter().map(ToString::to_string).collect()),
    };
    Some(Sourced::new(way, origin))
}

/// The hosts `web1` and so on get these ways; `web1` is planned by the task `t`, and so are the others.
fn with(ways: &[(&str, &[&str])]) -> Inventory {
    let mut inventory = inventory();
    for (line, (name, hops)) in ways.iter().enumerate() {
        let index = inventory.host_index(name).unwrap();
        Arc::make_mut(&mut inventory.hosts[index].settings).gateway = via(hops, at(line as u32 + 1));
    }
    inventory
}

fn planned(request: Request, mut inventory: Inventory) -> Result<Vec<Endpoint>, String> {
    let plan = plan_with(request, &mut inventory, &file(vec![task(1, "t")]), &[call("t")])?;
    Ok(plan.hosts.into_iter().map(|host| host.endpoint).collect())
}

fn routes(request: Request, inventory: Inventory) -> String {
    let shown = |endpoint: &Endpoint| endpoint.route();
    match planned(request, inventory) {
        Ok(endpoints) => endpoints.iter().map(shown).collect::<Vec<_>>().join("\n"),
        Err(problems) => problems,
    }
}

fn flag(hops: &[&str]) -> Request {
    let gateway = via(hops, Origin::CommandLine("--gateway"));
    Request { settings: Settings { gateway, ..Settings::default() }, ..request() }
}

#[test]
fn ways_by_host_by_chain_and_by_flag() {
    let chained = with(&[("web1", &["jump"]), ("web2", &["db1", "jump"]), ("web3", &["web1"])]);
    insta::assert_snapshot!(routes(request(), chained.clone()), @"
    jump>web1
    db1>jump>web2
    jump>web1>web3
    ");
    // The flag replaces the way of the targets; its first gateway keeps its own.
    insta::assert_snapshot!(routes(flag(&["web1", "db1"]), chained.clone()), @"
    jump>web1
    jump>web1>db1>web2
    jump>web1>db1>web3
    ");
    insta::assert_snapshot!(routes(flag(&["db1", "web1"]), chained.clone()), @"
    db1>web1
    db1>web1>web2
    db1>web1>web3
    ");
    insta::assert_snapshot!(routes(flag(&["none"]), chained), @"
    web1
    web2
    web3
    ");
}

#[test]
fn ways_that_lead_nowhere_are_refused_where_they_are_written() {
    let refused = |ways: &[(&str, &[&str])]| routes(request(), with(ways));
    insta::assert_snapshot!(refused(&[("web1", &["web1"])]), @"inventory.yaml:1:5: error: gateway cycle: web1 → web1 (help: set `gateway: none` on the gateway itself)");
    insta::assert_snapshot!(refused(&[("web1", &["jump"]), ("jump", &["web1"])]), @"inventory.yaml:2:5: error: gateway cycle: web1 → jump → web1 (help: set `gateway: none` on the gateway itself)");
    insta::assert_snapshot!(refused(&[("web1", &["jmup"])]), @r#"inventory.yaml:1:5: error: no host "jmup" in the inventory or ssh_config to use as a gateway (help: did you mean "jump"?)"#);
    insta::assert_snapshot!(refused(&[("web1", &["somewhere"])]), @r#"inventory.yaml:1:5: error: no host "somewhere" in the inventory or ssh_config to use as a gateway (help: name a host of the inventory, or write [user@]address:port)"#);
    insta::assert_snapshot!(refused(&[("web1", &["me@h:x"])]), @r#"inventory.yaml:1:5: error: port "x" of gateway h is no port (help: name a host of the inventory, or write [user@]address:port)"#);
    insta::assert_snapshot!(routes(flag(&["web9"]), inventory()), @r#"error: --gateway: no host "web9" in the inventory or ssh_config to use as a gateway (help: did you mean "web1"?)"#);
}

#[test]
fn a_way_has_four_gateways_at_most_in_whatever_order_it_is_found() {
    let four: &[&str] = &["h.1", "h.2", "h.3", "h.4"];
    let five: &[&str] = &["h.1", "h.2", "h.3", "h.4", "h.5"];
    assert_eq!(routes(request(), with(&[("web1", four)])).lines().next(), Some("h.1>h.2>h.3>h.4>web1"));
    insta::assert_snapshot!(routes(request(), with(&[("web1", five)])), @"inventory.yaml:1:5: error: more than 4 gateways: h.1 → h.2 → h.3 → h.4 → h.5");
    // web1's way is known when web2 goes on from it, and the other way round.
    let long = |first: &str, second: &str| routes(request(), with(&[(first, four), (second, &[first])]));
    insta::assert_snapshot!(long("web1", "web2"), @"inventory.yaml:2:5: error: more than 4 gateways: h.1 → h.2 → h.3 → h.4 → web1");
    insta::assert_snapshot!(long("web2", "web1"), @"inventory.yaml:2:5: error: more than 4 gateways: h.1 → h.2 → h.3 → h.4 → web2");
}

#[test]
fn hosts_with_one_way_share_its_endpoint() {
    let hosts = planned(flag(&["jump"]), inventory()).unwrap();
    let gateway = |index: usize| hosts[index].gateway.as_ref().unwrap();
    assert!(std::sync::Arc::ptr_eq(gateway(0), gateway(1)));
}

#[test]
fn a_gateway_outside_the_inventory_is_no_host_of_it() {
    let mut inventory = inventory();
    inventory.defaults.port = Some(Sourced::new(2222, at(1)));
    inventory.defaults.user = Some(Sourced::new("deploy".to_owned(), at(1)));
    inventory.defaults.password = Some(Sourced::new(SecretSource::Env("SECRET".to_owned()), at(1)));
    let gateway = |request: Request| {
        let hosts = planned(request, inventory.clone()).unwrap();
        let gateway = hosts[0].gateway.as_ref().unwrap();
        assert!(gateway.password.is_none());
        (gateway.name.clone(), format!("{}@{}:{}", gateway.user, gateway.address, gateway.port))
    };
    let written = |text: &str| gateway(flag(&[text])).1;
    assert_eq!(written("me@bastion.example.com:2200"), "me@bastion.example.com:2200");
    assert_eq!(written("bastion.example.com"), "deploy@bastion.example.com:22");
    assert_eq!(written("[2001:db8::1]:2200"), "deploy@2001:db8::1:2200");
    assert_eq!(written("me@2001:db8::1"), "me@2001:db8::1:22");

    // A name that ssh_config brings up is described there.
    let ssh_config = SshConfigSource::new(|name, above| {
        let origin = || Origin::SshConfig(Position::new("config", 1, 1));
        let mut settings = Settings::default();
        if name == "hop" {
            settings.address = Some(Sourced::new("192.0.2.1".to_owned(), origin()));
            settings.user = Some(Sourced::new("jumper".to_owned(), origin()));
        } else {
            settings.gateway = via(&["hop"], origin());
        }
        settings.overlay(&above);
        Consulted { settings, ..Consulted::default() }
    });
    assert_eq!(
        gateway(Request { ssh_config, ..request() }),
        (HostName::from("hop"), "jumper@192.0.2.1:22".to_owned())
    );
}
