//! The names of the fields, for what is checked before any host has told them.

use std::net::{IpAddr, Ipv4Addr};

use crate::model::facts::activity::{
    CpuTimes, DiskIo, Listening, LoggedIn, ProcessFacts, ProcessList, Protocol, Traffic,
};
use crate::model::facts::types::{
    Address, AddressScope, Cpu, DiskFacts, Dns, Facts, Family, Hardware, Interface, Kernel, MemoryFacts,
    Mount, Os, Route, Swap, User, Virt, VirtKind,
};
use crate::model::suggest::did_you_mean;
use crate::model::value::Value;

/// Whether there is a field of this name: `os.id`. What is in a list is not looked at.
///
/// # Errors
///
/// There is none; with the name that may have been meant.
pub fn check_field(path: &str) -> Result<(), Option<String>> {
    let mut value = Value::Object(sample().to_vars());
    let mut known: Vec<&str> = Vec::new();
    for name in path.split('.') {
        match value {
            Value::Object(mut fields) => match fields.remove(name) {
                Some(field) => value = field,
                None => {
                    let near = did_you_mean(name, fields.keys().map(String::as_str));
                    return Err(
                        near.map(|near| known.iter().copied().chain([near]).collect::<Vec<_>>().join("."))
                    );
                }
            },
            Value::Array(_) => return Ok(()),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return Err(None),
        }
        known.push(name);
    }
    Ok(())
}

/// Facts with all fields, each with some value that is neither empty nor 0.
pub fn sample() -> Facts {
    let text = || Some("1".to_owned());
    let number = Some(1);
    let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let share = Some(1.0);
    let traffic = || Some(Traffic { bytes: number, packets: number, errors: number, dropped: number });
    let process =
        || ProcessFacts { pid: 1, user: text(), memory: number, cpu: share, command: "1".to_owned() };
    let times = CpuTimes {
        user: share,
        nice: share,
        system: share,
        idle: share,
        iowait: share,
        irq: share,
        softirq: share,
        steal: share,
    };
    let io = DiskIo { reads: number, writes: number, read_bytes: number, write_bytes: number, busy: share };
    let route = || Some(Route { interface: text(), gateway: Some(address), address: Some(address) });
    Facts {
        hostname: text(),
        fqdn: text(),
        os: Os {
            family: text(),
            id: text(),
            name: text(),
            version: text(),
            major: number,
            codename: text(),
            like: vec!["1".to_owned()],
        },
        kernel: Kernel { name: text(), release: text(), version: text(), arch: text() },
        cpu: Cpu { model: text(), logical: number, cores: number, sockets: number, used: share, times },
        memory: MemoryFacts {
            total: number,
            available: number,
            free: number,
            used: number,
            buffers: number,
            cached: number,
        },
        swap: Swap { total: number, free: number, used: number },
        disks: vec![DiskFacts {
            name: "1".to_owned(),
            size: number,
            rotational: Some(true),
            model: text(),
            io: Some(io),
        }],
        mounts: vec![Mount {
            device: "1".to_owned(),
            path: "1".to_owned(),
            kind: text(),
            options: vec!["1".to_owned()],
            size: number,
            used: number,
            available: number,
            inodes: number,
            inodes_used: number,
        }],
        interfaces: vec![Interface {
            name: "1".to_owned(),
            mac: text(),
            mtu: number,
            state: text(),
            addresses: vec![Address {
                address,
                prefix: Some(8),
                family: Family::Ipv4,
                scope: AddressScope::Host,
            }],
            received: traffic(),
            sent: traffic(),
        }],
        default_ipv4: route(),
        default_ipv6: route(),
        dns: Dns { nameservers: vec!["1".to_owned()], search: vec!["1".to_owned()] },
        uptime: number,
        boot_time: text(),
        load: Some([1.0; 3]),
        users: Some(vec![LoggedIn { name: "1".to_owned(), terminal: text(), from: text() }]),
        processes: ProcessList { count: number, by_memory: vec![process()], by_cpu: vec![process()] },
        listening: Some(vec![Listening { protocol: Protocol::Tcp, port: 1, address }]),
        virt: Virt { kind: Some(VirtKind::Vm), name: text() },
        hardware: Hardware { vendor: text(), product: text() },
        user: User { name: text(), uid: number, home: text(), shell: text() },
        python: text(),
        package_manager: text(),
        init: text(),
        selinux: text(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_have_names() {
        for path in
            ["os", "os.id", "memory.total", "mounts", "mounts.anything", "virt.kind", "default_ipv4.address"]
        {
            assert_eq!(check_field(path), Ok(()), "{path}");
        }
        for (path, near) in [
            ("os.naem", Some("os.name")),
            ("hostnam", Some("hostname")),
            ("os.id.x", None),
            ("memory.mtotal", Some("memory.total")),
            ("zzzzzzzz", None),
        ] {
            assert_eq!(check_field(path), Err(near.map(str::to_owned)), "{path}");
        }
    }
}
