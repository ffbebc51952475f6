//! Facts that stand for a while: all but measurements. What differs between two answers is a change.

use std::collections::BTreeMap;

use crate::model::facts::Facts;
use crate::model::facts::activity::CpuTimes;
use crate::model::facts::types::{Interface, Mount};
use crate::model::time::parse_rfc3339;
use crate::model::value::Value;

/// Seconds by which the moment of the start may differ without a restart: kernels count it back from a clock that is set.
const BOOT_TOLERANCE: u64 = 120;

/// A fact that is another one than before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FactChange {
    /// Which: `kernel.release`, `mounts[/var].size`.
    pub fact: String,
    /// What it was; none where it was not told.
    pub before: Option<String>,
    /// What it is; none where it is not told any more.
    pub after: Option<String>,
}

/// What changed between two answers, by the names of the facts.
pub fn changes(before: &Facts, after: &Facts) -> Vec<FactChange> {
    let mut after = after.clone();
    let boot = |facts: &Facts| facts.boot_time.as_deref().and_then(parse_rfc3339);
    if let (Some(one), Some(other)) = (boot(before), boot(&after))
        && one.abs_diff(other) <= BOOT_TOLERANCE
    {
        after.boot_time.clone_from(&before.boot_time);
    }
    let (mut old, new) = (lasting(before.clone()), lasting(after));
    let mut changes = Vec::new();
    for (fact, value) in new {
        let was = old.remove(&fact);
        if was.as_ref() != Some(&value) {
            changes.push(FactChange { fact, before: was, after: Some(value) });
        }
    }
    changes.extend(old.into_iter().map(|(fact, was)| FactChange { fact, before: Some(was), after: None }));
    changes.sort_by(|one, other| one.fact.cmp(&other.fact));
    changes
}

/// Facts by their paths, without what differs each time one looks.
fn lasting(mut facts: Facts) -> BTreeMap<String, String> {
    (facts.uptime, facts.load, facts.users) = (None, None, None);
    facts.processes = Default::default();
    (facts.cpu.used, facts.cpu.times) = (None, CpuTimes::default());
    let memory = &mut facts.memory;
    (memory.available, memory.free, memory.used) = (None, None, None);
    (memory.buffers, memory.cached) = (None, None);
    (facts.swap.free, facts.swap.used) = (None, None);
    facts.disks.iter_mut().for_each(|disk| disk.io = None);
    facts.mounts.retain(|mount| !is_passing(mount));
    for mount in &mut facts.mounts {
        (mount.used, mount.available, mount.inodes, mount.inodes_used) = (None, None, None, None);
        // Of a pool, a file system has what the others leave.
        if mount.kind.as_deref().is_some_and(|kind| ["zfs", "apfs", "btrfs"].contains(&kind)) {
            mount.size = None;
        }
    }
    facts.interfaces.retain(|interface| !is_of_a_container(interface));
    for interface in &mut facts.interfaces {
        (interface.received, interface.sent) = (None, None);
    }
    let ports = facts.listening.take();
    let mut paths = BTreeMap::new();
    flatten("", Value::Object(facts.to_vars()), &mut paths);
    for port in ports.iter().flatten() {
        let addresses: &mut String =
            paths.entry(format!("listening[{}/{}]", port.protocol.as_str(), port.port)).or_default();
        if !addresses.is_empty() {
            addresses.push_str(", ");
        }
        addresses.push_str(&port.address.to_string());
    }
    paths
}

/// What comes and goes with logins and containers.
fn is_passing(mount: &Mount) -> bool {
    let is = |kind: &str| mount.kind.as_deref() == Some(kind);
    (is("overlay") && mount.path != "/") || (is("tmpfs") && mount.path.starts_with("/run/user/"))
}

/// Ends of tunnels into containers, whose names are made up each time.
pub(super) fn is_of_a_container(interface: &Interface) -> bool {
    ["veth", "cali", "lxc", "vnet", "tap"].iter().any(|start| interface.name.starts_with(start))
}

fn flatten(path: &str, value: Value, paths: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = if path.is_empty() { name } else { format!("{path}.{name}") };
                flatten(&path, value, paths);
            }
        }
        Value::Array(items) => {
            let mut words = Vec::new();
            for item in items {
                match named(item) {
                    Ok((name, item)) => flatten(&format!("{path}[{name}]"), item, paths),
                    Err(item) => words.push(word(&item)),
                }
            }
            if !words.is_empty() {
                paths.insert(path.to_owned(), words.join(", "));
            }
        }
        value @ (Value::Bool(_) | Value::Number(_) | Value::String(_)) => {
            paths.insert(path.to_owned(), word(&value));
        }
        Value::Null => {}
    }
}

/// An item of a list by what it is called: the path of a mount, the name of a disk.
fn named(item: Value) -> Result<(String, Value), Value> {
    let Value::Object(mut fields) = item else { return Err(item) };
    for key in ["path", "name"] {
        match fields.shift_remove(key) {
            Some(Value::String(name)) => return Ok((name, Value::Object(fields))),
            Some(other) => drop(fields.insert(key.to_owned(), other)),
            None => {}
        }
    }
    Err(Value::Object(fields))
}

fn word(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        // An address of an interface.
        Value::Object(fields) if fields.contains_key("address") => {
            let text = |key: &str| fields.get(key).map(word).unwrap_or_default();
            if fields.contains_key("prefix") {
                format!("{}/{}", text("address"), text("prefix"))
            } else {
                text("address")
            }
        }
        value => value.to_string(),
    }
}
