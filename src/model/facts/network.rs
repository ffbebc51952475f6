//! Interfaces, addresses and routes: from sysfs and `ip`, or from the forms that `ifconfig` and `netstat` have on
//! Linux (old and new), busybox, macOS and the BSDs.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::facts::sections::{Sections, is_big_endian, text};
use crate::model::facts::types::{Address, AddressScope, Dns, Family, Interface, Route};

/// Interfaces by name.
type FoundNetwork = BTreeMap<String, Interface>;

/// All interfaces.
pub(super) fn interfaces(sections: &Sections<'_>) -> Vec<Interface> {
    let mut found = FoundNetwork::new();
    for line in sections.lines("links") {
        let mut fields = line.split('\t');
        let Some(name) = fields.next().and_then(text) else { continue };
        let interface = entry(&mut found, &name);
        interface.mtu = fields.next().and_then(|mtu| mtu.parse().ok());
        interface.state = fields.next().and_then(text);
        interface.mac = fields.next().and_then(mac);
    }
    for line in sections.lines("ip-link") {
        ip_link(&mut found, &line);
    }
    for line in sections.lines("ip-addr") {
        ip_addr(&mut found, &line);
    }
    ifconfig(&mut found, sections.lines("ifconfig"));
    for line in sections.lines("if-inet6") {
        if_inet6(&mut found, &line);
    }
    found.into_values().collect()
}

fn entry<'a>(found: &'a mut FoundNetwork, name: &str) -> &'a mut Interface {
    found
        .entry(name.to_owned())
        .or_insert_with(|| Interface { name: name.to_owned(), ..Interface::default() })
}

/// A hardware address; none is none.
fn mac(text: &str) -> Option<String> {
    let text = text.trim().to_ascii_lowercase();
    let pairs: Vec<&str> = text.split(':').collect();
    let is_pair = |pair: &&str| pair.len() == 2 && pair.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_mac = (6..=32).contains(&pairs.len()) && pairs.iter().all(is_pair);
    (is_mac && pairs.iter().any(|&pair| pair != "00")).then_some(text)
}

/// The address in a text such as `fe80::1%en0`.
fn address(text: &str) -> Option<IpAddr> {
    text.split('%').next()?.parse().ok()
}

fn add(interface: &mut Interface, address: IpAddr, prefix: Option<u8>) {
    let bits = if address.is_ipv4() { 32 } else { 128 };
    let prefix = prefix.filter(|&prefix| prefix <= bits);
    match interface.addresses.iter_mut().find(|known| known.address == address) {
        Some(known) => known.prefix = known.prefix.or(prefix),
        None => {
            let (family, scope) = (family(&address), scope(&address));
            interface.addresses.push(Address { address, prefix, family, scope });
        }
    }
}

fn family(address: &IpAddr) -> Family {
    if address.is_ipv4() { Family::Ipv4 } else { Family::Ipv6 }
}

fn scope(address: &IpAddr) -> AddressScope {
    let local = match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    match (address.is_loopback(), local) {
        (true, _) => AddressScope::Host,
        (false, true) => AddressScope::Link,
        (false, false) => AddressScope::Global,
    }
}

/// The word behind another one.
fn after<'a>(words: &[&'a str], key: &str) -> Option<&'a str> {
    let at = words.iter().position(|word| *word == key)?;
    words.get(at + 1).copied()
}

/// `2: eth0@if5: <BROADCAST,UP> mtu 1500 qdisc noqueue state UP mode DEFAULT \    link/ether 02:42:ac:11:00:02 brd ...`
fn ip_link(found: &mut FoundNetwork, line: &str) {
    let words: Vec<&str> = line.split_whitespace().collect();
    let Some(name) = words.get(1).and_then(|name| name.strip_suffix(':')) else { return };
    let interface = entry(found, name.split('@').next().unwrap_or(name));
    interface.mtu = after(&words, "mtu").and_then(|mtu| mtu.parse().ok());
    interface.state = after(&words, "state").map(str::to_ascii_lowercase);
    interface.mac = after(&words, "link/ether").and_then(mac);
}

/// `4: eth0    inet 192.0.2.2/24 brd 192.0.2.255 scope global eth0\       valid_lft forever preferred_lft forever`
fn ip_addr(found: &mut FoundNetwork, line: &str) {
    let words: Vec<&str> = line.split_whitespace().collect();
    let Some(name) = words.get(1) else { return };
    let Some(shown) = after(&words, "inet").or_else(|| after(&words, "inet6")) else { return };
    let (host, prefix) = shown.split_once('/').unwrap_or((shown, ""));
    if let Some(address) = address(host) {
        let interface = entry(found, name.trim_end_matches(':'));
        // An address of one end of a line has no network of its own: `inet 10.0.0.1 peer 10.0.0.2/32`.
        add(interface, address, prefix.parse().ok());
    }
}

/// An interface begins at the left edge, what is known of it is indented.
fn ifconfig(found: &mut FoundNetwork, lines: impl Iterator<Item = String>) {
    let mut current: Option<String> = None;
    for line in lines {
        let words: Vec<&str> = line.split_whitespace().collect();
        if !line.starts_with([' ', '\t']) {
            current = words.first().map(|name| name.trim_end_matches(':').to_owned());
        }
        let Some(name) = &current else { continue };
        let interface = entry(found, name);
        if let Some(flags) = flags(&line).filter(|_| !line.starts_with([' ', '\t'])) {
            interface.state = Some(if flags.contains(&"UP") { "up" } else { "down" }.to_owned());
        } else if words.contains(&"Metric:1") || words.iter().any(|word| word.starts_with("MTU:")) {
            // The old form of Linux and busybox tells the state among other words.
            let up = words.contains(&"UP");
            interface.state = Some(if up { "up" } else { "down" }.to_owned());
        }
        let mtu = after(&words, "mtu").or_else(|| words.iter().find_map(|word| word.strip_prefix("MTU:")));
        interface.mtu = interface.mtu.or_else(|| mtu.and_then(|mtu| mtu.parse().ok()));
        let shown = ["ether", "lladdr", "address:", "HWaddr"].iter().find_map(|key| after(&words, key));
        interface.mac = interface.mac.take().or_else(|| shown.and_then(mac));
        match (words.first().copied(), words.get(1).copied()) {
            (Some("status:"), Some("active")) => interface.state = Some("up".to_owned()),
            (Some("status:"), Some("inactive" | "no")) => interface.state = Some("down".to_owned()),
            (Some("inet" | "inet6"), Some(_)) => inet(interface, &words),
            (Some(_) | None, _) => {}
        }
    }
}

/// The words in `flags=8863<UP,BROADCAST,RUNNING>`.
fn flags(line: &str) -> Option<Vec<&str>> {
    let (_, rest) = line.split_once("flags=")?;
    let (_, rest) = rest.split_once('<')?;
    let (flags, _) = rest.split_once('>')?;
    Some(flags.split(',').collect())
}

/// `inet 10.0.0.5 netmask 0xffffff00`, `inet addr:10.0.0.5  Mask:255.255.255.0`, `inet 10.0.0.5/24`,
/// `inet6 fe80::1%en0 prefixlen 64`, `inet6 addr: fe80::42/64 Scope:Link`.
fn inet(interface: &mut Interface, words: &[&str]) {
    let shown = match words.get(1) {
        Some(&"addr:") => words.get(2).copied(),
        Some(word) => Some(word.strip_prefix("addr:").unwrap_or(word)),
        None => None,
    };
    let Some(shown) = shown else { return };
    let (host, prefix) = shown.split_once('/').unwrap_or((shown, ""));
    let Some(address) = address(host) else { return };
    let mask = after(words, "netmask").or_else(|| words.iter().find_map(|word| word.strip_prefix("Mask:")));
    let length = after(words, "prefixlen").and_then(|length| length.parse().ok());
    add(interface, address, prefix.parse().ok().or(length).or_else(|| mask.and_then(mask_bits)));
}

/// The bits of `0xffffff00` or `255.255.255.0`.
fn mask_bits(mask: &str) -> Option<u8> {
    let bits = match mask.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok()?,
        None => u32::from(mask.parse::<Ipv4Addr>().ok()?),
    };
    let ones = bits.leading_ones();
    (ones == bits.count_ones()).then_some(u8::try_from(ones).ok()?)
}

/// `fe80000000000000004200fffe000001 02 40 20 80     eth0`
fn if_inet6(found: &mut FoundNetwork, line: &str) {
    let words: Vec<&str> = line.split_whitespace().collect();
    if let [digits, _, prefix, _, _, name] = words.as_slice()
        && digits.len() == 32
        && let Ok(bits) = u128::from_str_radix(digits, 16)
    {
        add(entry(found, name), IpAddr::V6(Ipv6Addr::from(bits)), u8::from_str_radix(prefix, 16).ok());
    }
}

/// The first default route of a family.
pub(super) fn default_route(
    sections: &Sections<'_>,
    family: Family,
    interfaces: &[Interface],
) -> Option<Route> {
    let mut route = by_ip(sections, family).or_else(|| by_netstat(sections, family)).or_else(|| {
        // Of the kernel's tables only this one is read.
        if family == Family::Ipv4 { by_table(sections) } else { None }
    })?;
    let interface = interfaces.iter().find(|interface| route.interface.as_ref() == Some(&interface.name));
    let known = interface.into_iter().flat_map(|interface| &interface.addresses);
    let mut known = known.filter(|known| known.family == family && known.scope == AddressScope::Global);
    route.address = known.next().map(|known| known.address);
    Some(route)
}

/// `default via 192.0.2.1 dev eth0 metric 100`, `default dev ppp0 scope link`. The best one is not always the first.
fn by_ip(sections: &Sections<'_>, wanted: Family) -> Option<Route> {
    let mut best: Option<(u64, Route)> = None;
    for line in sections.lines("ip-route") {
        let words: Vec<&str> = line.split_whitespace().collect();
        if words.first() != Some(&"default") {
            continue;
        }
        let gateway = after(&words, "via").map(|gateway| {
            // `via inet6 fe80::1`: an IPv4 route over an IPv6 router.
            if gateway == "inet6" { after(&words, "inet6").unwrap_or(gateway) } else { gateway }
        });
        let gateway = gateway.and_then(address);
        let of_family = match &gateway {
            Some(gateway) => family(gateway) == wanted || after(&words, "via") == Some("inet6"),
            // The two families are asked one after the other, and a route without a router does not tell.
            None => wanted == Family::Ipv4,
        };
        let metric = after(&words, "metric").and_then(|metric| metric.parse().ok()).unwrap_or(0);
        if of_family && best.as_ref().is_none_or(|(least, _)| metric < *least) {
            let interface = after(&words, "dev").map(str::to_owned);
            best = Some((metric, Route { interface, gateway, address: None }));
        }
    }
    best.map(|(_, route)| route)
}

/// `default            192.168.1.1        UGScg          en0`; the interface is the last word that begins with a
/// letter (macOS adds when the route expires).
fn by_netstat(sections: &Sections<'_>, wanted: Family) -> Option<Route> {
    let mut within = Family::Ipv4;
    for line in sections.lines("netstat") {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["Internet6:", ..] => within = Family::Ipv6,
            ["Internet:", ..] => within = Family::Ipv4,
            ["default", gateway, .., last] if within == wanted => {
                let interface = if last.starts_with(|c: char| c.is_ascii_alphabetic()) {
                    Some(*last)
                } else {
                    words
                        .iter()
                        .rev()
                        .copied()
                        .find(|word| word.starts_with(|c: char| c.is_ascii_alphabetic()))
                };
                let (interface, gateway) = (interface.map(str::to_owned), address(gateway));
                return Some(Route { interface, gateway, address: None });
            }
            _ => {}
        }
    }
    None
}

/// The kernel's table of Linux: `eth0 00000000 010200C0 0003 ...` between tabs, its numbers in the order of the
/// processor's bytes.
fn by_table(sections: &Sections<'_>) -> Option<Route> {
    let big = is_big_endian(sections);
    sections.lines("route").find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [name, "00000000", gateway, _, _, _, _, "00000000", ..] = words.as_slice() else { return None };
        let bits = u32::from_str_radix(gateway, 16).ok()?;
        let gateway = Ipv4Addr::from(if big { bits } else { bits.swap_bytes() });
        let gateway = (!gateway.is_unspecified()).then_some(IpAddr::V4(gateway));
        Some(Route { interface: Some((*name).to_owned()), gateway, address: None })
    })
}

/// How names are looked up.
pub(super) fn dns(sections: &Sections<'_>) -> Dns {
    let mut dns = Dns::default();
    for line in sections.lines("resolv") {
        let mut words = line.split_whitespace();
        match words.next() {
            Some("nameserver") => dns.nameservers.extend(words.next().and_then(text)),
            // The last one counts (resolv.conf(5)).
            Some("search" | "domain") => dns.search = words.filter_map(text).collect(),
            Some(_) | None => {}
        }
    }
    dns
}
