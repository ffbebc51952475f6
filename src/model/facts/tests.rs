//! The script put to the shells of this machine and checked against what /proc says, and to tools that speak as
//! those of other systems do; the reading of answers that lie.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::model::facts::activity::{Listening, LoggedIn, ProcessFacts, ProcessList, Protocol};
use crate::model::facts::error::MAX_ANSWER;
use crate::model::facts::types::{AddressScope, Dns, Route};
use crate::model::shell::tests::program;

/// The folders that the script looks for tools in, behind those of `PATH`.
const FOLDERS: &str = ":/usr/local/bin:/usr/local/sbin:/usr/bin:/bin:/usr/sbin:/sbin";

const SHELLS: &[&[&str]] = &[
    &["dash"],
    &["bash"],
    &["bash", "--posix"],
    &["zsh", "--emulate", "sh"],
    &["busybox", "sh"],
    &["ksh"],
    &["mksh"],
];

fn answer(shell: &[&str], script: &str, path: &Path, env: &[(&str, &str)]) -> Vec<u8> {
    let mut command = Command::new(shell[0]);
    command.args(&shell[1..]).arg("-c").arg(script).env_clear().env("PATH", path).env("HOME", "/home/op");
    let output = command.envs(env.iter().copied()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{shell:?}");
    output.stdout
}

/// The facts of this machine, by the tools that it has.
fn own(shell: &[&str]) -> Facts {
    let path = std::env::var_os("PATH").unwrap();
    parse(&answer(shell, SCRIPT, Path::new(&path), &[("SHELL", "/bin/sh")])).unwrap()
}

fn kernel(path: &str) -> String {
    fs::read_to_string(path).unwrap().trim().to_owned()
}

fn installed(shell: &[&str]) -> bool {
    let probe = Command::new(shell[0]).args(&shell[1..]).args(["-c", "exit 0"]).output();
    probe.is_ok_and(|output| output.status.success())
}

#[test]
fn every_shell_tells_what_the_kernel_says() {
    for required in ["dash", "bash", "zsh", "busybox"] {
        assert!(SHELLS.iter().any(|shell| shell[0] == required && installed(shell)), "{required} is needed");
    }
    let meminfo = kernel("/proc/meminfo");
    let total = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:")).unwrap();
    let total: u64 = total.trim().trim_end_matches(" kB").parse().unwrap();
    let processors = kernel("/proc/cpuinfo").lines().filter(|line| line.starts_with("processor")).count();
    let seconds = || kernel("/proc/uptime").split('.').next().unwrap().parse::<u64>().unwrap();
    let mut links: Vec<String> = fs::read_dir("/sys/class/net")
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().join("mtu").exists())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    links.sort();
    // In a chroot, the root need not be where something is mounted.
    let root_is_mounted = kernel("/proc/self/mounts").lines().any(|line| line.split(' ').nth(1) == Some("/"));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let before_lo = kernel("/sys/class/net/lo/statistics/rx_bytes").parse().ok();
    for shell in SHELLS.iter().filter(|shell| installed(shell)) {
        let before = seconds();
        let facts = own(shell);
        let after = seconds();
        assert_eq!(facts.hostname.as_deref(), Some(&*kernel("/proc/sys/kernel/hostname")), "{shell:?}");
        assert_eq!(facts.kernel.name.as_deref(), Some("Linux"));
        assert_eq!(facts.kernel.release.as_deref(), Some(&*kernel("/proc/sys/kernel/osrelease")));
        assert_eq!(facts.kernel.arch.as_deref(), Some(std::env::consts::ARCH));
        assert_eq!(facts.memory.total, Some(total * 1024), "{shell:?}");
        assert!(facts.memory.available <= facts.memory.total && facts.memory.free <= facts.memory.total);
        assert_eq!(facts.cpu.logical, u64::try_from(processors).ok(), "{shell:?}");
        assert!((before..=after).contains(&facts.uptime.unwrap()), "{shell:?}");
        assert!(facts.boot_time.as_ref().unwrap().ends_with('Z'), "{shell:?}");
        assert!(facts.load.is_some() && facts.os.id.is_some() && facts.os.family.is_some());
        let names: Vec<&str> = facts.interfaces.iter().map(|interface| &*interface.name).collect();
        assert_eq!(names, links, "{shell:?}");
        for interface in &facts.interfaces {
            let folder = format!("/sys/class/net/{}", interface.name);
            assert_eq!(interface.mtu.unwrap().to_string(), kernel(&format!("{folder}/mtu")), "{shell:?}");
            let mac = kernel(&format!("{folder}/address"));
            assert!(interface.mac.as_deref().is_none_or(|told| told == mac), "{shell:?} {interface:?}");
        }
        let lo = facts.interfaces.iter().find(|interface| interface.name == "lo").unwrap();
        let first = &lo.addresses[0];
        assert_eq!((first.address.to_string().as_str(), first.prefix), ("127.0.0.1", Some(8)), "{shell:?}");
        assert_eq!(first.scope, AddressScope::Host);
        let root = facts.mounts.iter().rfind(|mount| mount.path == "/");
        assert_eq!(root.is_some(), root_is_mounted, "{shell:?}");
        if let Some(root) = root {
            assert!(root.size.unwrap() >= root.used.unwrap() && root.kind.is_some(), "{shell:?} {root:?}");
        }
        assert!(facts.mounts.iter().all(|mount| mount.kind.as_deref() != Some("proc")));
        assert_eq!(
            facts.memory.used,
            facts.memory.total.zip(facts.memory.available).map(|(all, rest)| all - rest)
        );
        assert!(facts.cpu.times.user.is_some() && facts.cpu.times.idle.is_some(), "{shell:?}");
        assert!(
            facts.cpu.used.is_some_and(|share| (0.0..=100.0).contains(&share)),
            "{shell:?} {:?}",
            facts.cpu
        );
        assert!(lo.received.as_ref().is_some_and(|traffic| traffic.bytes >= before_lo), "{shell:?} {lo:?}");
        assert!(facts.disks.iter().all(|disk| disk.io.is_some()), "{shell:?}");
        let tops = [&facts.processes.by_memory, &facts.processes.by_cpu];
        assert!(tops.iter().all(|top| (1..=10).contains(&top.len())), "{shell:?} {:?}", facts.processes);
        assert!(facts.processes.count.is_some_and(|count| count > 1), "{shell:?}");
        let port = listener.local_addr().unwrap();
        let here = Listening { protocol: Protocol::Tcp, port: port.port(), address: port.ip() };
        assert!(facts.listening.as_ref().is_some_and(|ports| ports.contains(&here)), "{shell:?}");
        assert_eq!(facts.user.home.as_deref(), Some("/home/op"));
        assert!(facts.user.uid.is_some() && facts.user.name.is_some());
    }
}

#[test]
fn all_shells_tell_the_same() {
    let lasting = |mut facts: Facts| {
        (facts.memory, facts.swap, facts.load, facts.uptime) = Default::default();
        (facts.processes, facts.listening, facts.users) = Default::default();
        (facts.cpu.used, facts.cpu.times) = Default::default();
        for mount in &mut facts.mounts {
            (mount.used, mount.available, mount.inodes_used) = (None, None, None);
        }
        facts.disks.iter_mut().for_each(|disk| disk.io = None);
        facts.interfaces.iter_mut().for_each(|interface| (interface.received, interface.sent) = (None, None));
        facts
    };
    let expected = lasting(own(SHELLS[0]));
    for shell in SHELLS.iter().skip(1).filter(|shell| installed(shell)) {
        assert_eq!(lasting(own(shell)), expected, "{shell:?}");
    }
}

#[test]
fn a_host_without_any_tool_still_tells_what_a_shell_can_read() {
    let folder = tempfile::tempdir().unwrap();
    let script = SCRIPT.replace(FOLDERS, "");
    assert_ne!(script, SCRIPT);
    // The shell is started by its path, so that it needs no PATH.
    for shell in ["/usr/bin/dash", "/usr/bin/bash"] {
        let facts = parse(&answer(&[shell], &script, folder.path(), &[])).unwrap();
        let full = own(&["dash"]);
        assert_eq!(facts.kernel.name.as_deref(), Some("Linux"), "{shell}");
        assert_eq!(facts.kernel.release, full.kernel.release);
        assert_eq!(facts.hostname, full.hostname);
        assert_eq!(facts.os, full.os);
        assert_eq!(facts.memory.total, full.memory.total);
        assert_eq!((&facts.cpu.model, facts.cpu.logical), (&full.cpu.model, full.cpu.logical));
        assert_eq!((facts.cpu.cores, facts.cpu.sockets), (full.cpu.cores, full.cpu.sockets));
        assert!(facts.cpu.times.idle.is_some() && facts.cpu.used.is_none(), "no sleep, no share");
        let names =
            |facts: &Facts| facts.disks.iter().map(|disk| (disk.name.clone(), disk.size)).collect::<Vec<_>>();
        assert_eq!(names(&facts), names(&full));
        assert!(facts.interfaces.iter().all(|interface| interface.received.is_some()));
        assert_eq!(
            (&facts.processes, &facts.users, &facts.listening),
            (&ProcessList::default(), &None, &None)
        );
        let links = |facts: &Facts| facts.interfaces.iter().map(|one| one.name.clone()).collect::<Vec<_>>();
        assert_eq!(links(&facts), links(&full));
        let gateway = |facts: &Facts| facts.default_ipv4.as_ref().and_then(|route| route.gateway);
        assert_eq!(gateway(&facts), gateway(&full), "{shell}: from the kernel's table");
        assert_eq!((facts.kernel.arch, facts.user.name, facts.python), (None, None, None));
        assert!(facts.mounts.iter().all(|mount| mount.size.is_none()));
    }
}

/// Runs the script on a system whose tools say what a file of `$ command` and output says; there are no others but
/// sed and tr.
fn elsewhere(system: &str) -> Facts {
    let folder = tempfile::tempdir().unwrap();
    let said = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/facts").join(system);
    let said = fs::read_to_string(said).unwrap();
    let mut tools: BTreeMap<&str, String> = BTreeMap::new();
    for (number, block) in said.split("$ ").filter(|block| !block.is_empty()).enumerate() {
        let (line, output) = block.split_once('\n').unwrap();
        let (tool, arguments) = line.split_once(' ').unwrap_or((line, ""));
        let file = folder.path().join(format!("said-{number}"));
        fs::write(&file, output).unwrap();
        let case = format!(
            "'{arguments}') while IFS= read -r l; do printf '%s\\n' \"$l\"; done <'{}' ;;\n",
            file.display()
        );
        tools.entry(tool).or_default().push_str(&case);
    }
    for (tool, cases) in tools {
        let file = folder.path().join(tool);
        program(&file, &format!("#!/bin/sh\ncase \"$*\" in\n{cases}*) exit 1 ;;\nesac\n"));
    }
    for tool in ["sed", "tr"] {
        let real =
            ["/usr/bin", "/bin"].iter().map(|bin| Path::new(bin).join(tool)).find(|path| path.exists());
        symlink(real.unwrap(), folder.path().join(tool)).unwrap();
    }
    let script = SCRIPT.replace(FOLDERS, "");
    let env = [("SHELL", "/bin/zsh")];
    let answers = ["/usr/bin/dash", "/usr/bin/bash"].map(|sh| answer(&[sh], &script, folder.path(), &env));
    let [mut facts, other] = answers.map(|answer| parse(&answer).unwrap());
    assert_eq!(facts, other);
    // Of this machine.
    facts.dns = Dns::default();
    for tool in ["python", "apt-get"] {
        assert!(!folder.path().join(tool).exists());
    }
    if let Some(manager) = &mut facts.package_manager {
        *manager = manager.replace(&folder.path().display().to_string(), "");
    }
    facts
}

#[test]
fn macos() {
    insta::assert_snapshot!(format!("{:#}", json!(elsewhere("macos.txt"))));
}

#[test]
fn freebsd() {
    insta::assert_snapshot!(format!("{:#}", json!(elsewhere("freebsd.txt"))));
}

#[test]
fn openbsd() {
    insta::assert_snapshot!(format!("{:#}", json!(elsewhere("openbsd.txt"))));
}

#[test]
fn netbsd() {
    insta::assert_snapshot!(format!("{:#}", json!(elsewhere("netbsd.txt"))));
}

/// An answer with these sections.
fn told(sections: &[(&str, &str)]) -> Vec<u8> {
    let mut text = "\n@fan-facts\n 1\n".to_owned();
    for (name, lines) in sections {
        text += &format!("\n@{name}\n");
        for line in lines.lines() {
            text += &format!(" {line}\n");
        }
    }
    (text + "\n@end\n").into_bytes()
}

fn of(sections: &[(&str, &str)]) -> Facts {
    parse(&told(sections)).unwrap()
}

#[test]
fn distributions_and_their_families() {
    for (release, id, family, major) in [
        ("ID=ubuntu\nID_LIKE=debian\nVERSION_ID=\"22.04\"", "ubuntu", "debian", Some(22)),
        ("ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"9.4\"", "rocky", "redhat", Some(9)),
        ("ID='opensuse-leap'\nID_LIKE=\"suse opensuse\"\nVERSION_ID=15.6", "opensuse-leap", "suse", Some(15)),
        ("ID=alpine\nVERSION_ID=3.20.1", "alpine", "alpine", Some(3)),
        ("ID=arch\nBUILD_ID=rolling", "arch", "arch", None),
        ("ID=void", "void", "void", None),
        ("ID=mine\nID_LIKE=\"theirs ubuntu\"", "mine", "debian", None),
    ] {
        let os = of(&[("kernel-name", "Linux"), ("os-release", release)]).os;
        assert_eq!((os.id.as_deref(), os.family.as_deref()), (Some(id), Some(family)), "{release}");
        assert_eq!(os.major, major, "{release}");
    }
    let os = of(&[("kernel-name", "Linux"), ("redhat-release", "CentOS release 6.10 (Final)")]).os;
    assert_eq!(json!(os)["version"], "6.10");
    assert_eq!((os.id.as_deref(), os.family.as_deref()), (Some("centos"), Some("redhat")));
    let os = of(&[("kernel-name", "Linux"), ("debian-version", "7.11")]).os;
    assert_eq!((os.family.as_deref(), os.major), (Some("debian"), Some(7)));
    let quoted = of(&[("kernel-name", "Linux"), ("os-release", r#"NAME="A \"B\" \\ C=D""#)]).os;
    assert_eq!(quoted.name.as_deref(), Some(r#"A "B" \ C=D"#));
}

#[test]
fn forms_of_older_tools() {
    let ifconfig = include_str!("../../../tests/data/facts/busybox-ifconfig.txt");
    let table = "Iface\tDestination\tGateway\neth0\t00000000\t010011AC\t0003\t0\t0\t0\t00000000\t0";
    let inet6 = "20010db8000000000000000000000007 02 40 00 80     eth0";
    let facts = of(&[("machine", "x86_64"), ("ifconfig", ifconfig), ("route", table), ("if-inet6", inet6)]);
    insta::assert_snapshot!(format!("{:#}", json!((&facts.interfaces, &facts.default_ipv4))));
    let big = of(&[("machine", "s390x"), ("route", "eth0\t00000000\tAC110001\t0003\t0\t0\t0\t00000000\t0")]);
    assert_eq!(big.default_ipv4, facts.default_ipv4.map(|route| Route { address: None, ..route }));
    let newer = "eth0: flags=4163<UP,BROADCAST,RUNNING,MULTICAST>  mtu 1500\n        \
                 inet 172.17.0.2  netmask 255.255.0.0  broadcast 172.17.255.255\n        \
                 inet6 fe80::42  prefixlen 64  scopeid 0x20<link>\n        \
                 ether 02:42:ac:11:00:02  txqueuelen 0  (Ethernet)";
    let eth0 = of(&[("ifconfig", newer)]).interfaces.remove(0);
    assert_eq!(eth0.mac.as_deref(), Some("02:42:ac:11:00:02"));
    let addresses: Vec<String> =
        eth0.addresses.iter().map(|one| format!("{}/{}", one.address, one.prefix.unwrap())).collect();
    assert_eq!(addresses, ["172.17.0.2/16", "fe80::42/64"]);
}

#[test]
fn the_best_default_route_counts() {
    let routes = "default via 10.0.0.1 dev wlan0 metric 600\ndefault via 10.1.0.1 dev eth0 metric 100\n\
                  default via fe80::1 dev eth0 metric 1024";
    let addresses =
        "2: eth0    inet 169.254.0.9/16 scope link eth0\n2: eth0    inet 10.1.0.7/24 scope global eth0";
    let facts = of(&[("ip-route", routes), ("ip-addr", addresses)]);
    let expected = json!({"interface": "eth0", "gateway": "10.1.0.1", "address": "10.1.0.7"});
    assert_eq!(json!(facts.default_ipv4), expected);
    assert_eq!(json!(facts.default_ipv6), json!({"interface": "eth0", "gateway": "fe80::1"}));
}

#[test]
fn what_it_runs_on() {
    let linux = |sections: &[(&str, &str)]| {
        let virt = of(&[&[("kernel-name", "Linux"), ("cpu-flags", "")], sections].concat()).virt;
        (json!(virt.kind), virt.name.unwrap_or_default())
    };
    assert_eq!(linux(&[]), (json!("none"), String::new()));
    assert_eq!(linux(&[("detect-vm", "none"), ("detect-container", "none")]), (json!("none"), String::new()));
    for (sections, kind, name) in [
        (vec![("detect-vm", "oracle"), ("detect-container", "none")], "vm", "virtualbox"),
        (vec![("detect-vm", "kvm"), ("detect-container", "docker")], "container", "docker"),
        (vec![("container", "podman")], "container", "podman"),
        (vec![("cgroup", "3:pids:/kubepods/burstable/pod1")], "container", "kubernetes"),
        (vec![("kernel-release", "5.15.1-microsoft-standard-WSL2")], "container", "wsl"),
        (vec![("dmi", "sys_vendor VMware, Inc.\nproduct_name VMware7,1")], "vm", "vmware"),
        (vec![("dmi", "sys_vendor Microsoft Corporation\nproduct_name Virtual Machine")], "vm", "microsoft"),
        (vec![("hypervisor", "xen")], "vm", "xen"),
        (vec![("cpu-flags", "hypervisor")], "vm", "unknown"),
    ] {
        assert_eq!(linux(&sections), (json!(kind), name.to_owned()), "{sections:?}");
    }
}

#[test]
fn mounts_with_names_that_mislead() {
    let table = "/dev/sda1 / ext4 rw 0 0\n/dev/sdb1 /mnt/a\\040b\\134c\\012d ext4 rw,noatime 0 0\n\
                 proc /proc proc rw 0 0\nsrv:/x /net nfs4 rw 0 0\n/dev/sdc1 /mnt/50%\\0401\\0402\\0403 xfs rw 0 0";
    let df = "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/sda1 1000 500 400 56% /\n\
              /dev/my disk 2000 1 -5 100% /nowhere\n/dev/sdc1 3000 1 2 1% /mnt/50% 1 2 3\nproc 0 0 0 - /proc";
    let mounts = of(&[("mounts", table), ("df", df)]).mounts;
    let shown: Vec<(String, Option<u64>)> =
        mounts.iter().map(|mount| (mount.path.clone(), mount.size)).collect();
    let expected = [
        ("/".to_owned(), Some(1000 * 1024)),
        ("/mnt/a b\\c\nd".to_owned(), None),
        ("/net".to_owned(), None),
        ("/mnt/50% 1 2 3".to_owned(), Some(3000 * 1024)),
    ];
    assert_eq!(shown, expected);
    // Without a table, what df says is what there is.
    let alone = of(&[("df", df)]).mounts;
    assert_eq!((alone[1].device.as_str(), alone[1].available), ("/dev/my disk", Some(0)));
}

#[test]
fn sizes_and_inodes_of_mounts_with_any_name() {
    let table = "/dev/sda1 / ext4 rw 0 0\n/dev/sdb1 /mnt/a\\040b\\012c ext4 rw 0 0\n/dev/sdc1 /50%\\0401\\0402 btrfs rw 0 0";
    let df = "/dev/sda1 1000 500 400 56% /\n/dev/sdb1 2000 1000 900 53% /mnt/a b?c";
    let inodes = "Filesystem Inodes IUsed IFree IUse% Mounted on\n/dev/sda1 640 64 576 10% /\n\
                  /dev/sdb1 320 32 288 10% /mnt/a b?c\n/dev/sdc1 0 0 0 - /50% 1 2\n- - - - - /none";
    let mounts = of(&[("mounts", table), ("df", df), ("df-inodes", inodes)]).mounts;
    let shown: Vec<_> =
        mounts.iter().map(|mount| (&*mount.path, mount.size, mount.inodes, mount.inodes_used)).collect();
    let expected = [
        ("/", Some(1000 * 1024), Some(640), Some(64)),
        ("/mnt/a b\nc", Some(2000 * 1024), Some(320), Some(32)),
        ("/50% 1 2", None, None, None),
    ];
    assert_eq!(shown, expected);
    let bsd = "Filesystem 1024-blocks Used Avail Capacity iused ifree %iused  Mounted on\n\
               /dev/ada0p2 1000 500 400 56%   64  576   10%   /";
    let mounts = of(&[("mount", "/dev/ada0p2 on / (ufs, local)"), ("df-inodes", bsd)]).mounts;
    assert_eq!((mounts[0].inodes, mounts[0].inodes_used), (Some(640), Some(64)));
}

#[test]
fn processor_time() {
    let cpu = of(&[
        ("clock-ticks", "100"),
        ("cpu-times", "cpu  1000 0 500 8000 100 1 2 3 0 0"),
        ("cpu-times-later", "cpu  1010 0 510 8075 105 1 2 3 0 0"),
    ])
    .cpu;
    assert_eq!((cpu.times.user, cpu.times.iowait, cpu.times.steal), (Some(10.0), Some(1.0), Some(0.03)));
    assert_eq!(cpu.used, Some(20.0));
    // A count that went back tells nothing; kernels before 2.6.11 tell less.
    let back = [("cpu-times", "cpu  1000 0 500 8000 100"), ("cpu-times-later", "cpu  1001 0 500 8010 99")];
    assert_eq!(of(&back).cpu.used, None);
    let old = of(&[("cpu-times", "cpu 1 2 3 4")]).cpu.times;
    assert_eq!((old.idle, old.iowait), (Some(0.04), None));
    let free = of(&[
        ("sysctl", "kern.clockrate={ hz = 1000, tick = 1000, profhz = 8128, stathz = 127 }"),
        ("cpu-times", "1270 0 127 0 12700"),
        ("cpu-times-later", "1280 0 127 0 12790"),
    ])
    .cpu;
    assert_eq!((free.times.user, free.times.idle, free.used), (Some(10.0), Some(100.0), Some(10.0)));
    let open = of(&[("cpu-times", "1,2,3,4,5,6")]).cpu.times;
    assert_eq!((open.system, open.irq, open.idle), (Some(0.07), Some(0.05), Some(0.06)));
    let net = of(&[("cpu-times", "user = 100, nice = 0, sys = 50, intr = 1, idle = 900")]).cpu.times;
    assert_eq!((net.user, net.idle), (Some(1.0), Some(9.0)));
}

#[test]
fn what_a_host_does_in_the_words_of_several_tools() {
    let busybox = "USER\t\tTTY\t\tIDLE\tTIME\t\t HOST\nroot            pts/0           00:00   Nov 30 20:55:01 10.0.0.1\n";
    let user = |name: &str, terminal: &str, from: Option<&str>| LoggedIn {
        name: name.to_owned(),
        terminal: Some(terminal.to_owned()),
        from: from.map(str::to_owned),
    };
    assert_eq!(of(&[("who", busybox)]).users, Some(vec![user("root", "pts/0", Some("10.0.0.1"))]));
    let gnu = "ann      tty1         Nov 30 09:12\nbob      pts/1        Nov 30 20:55 (2001:db8::7)";
    let expected = vec![user("ann", "tty1", None), user("bob", "pts/1", Some("2001:db8::7"))];
    assert_eq!(of(&[("who", gnu)]).users, Some(expected));
    assert_eq!((of(&[("who", "")]).users, of(&[]).users), (Some(Vec::new()), None));
    let small =
        of(&[("processes", "PID RSS - USER COMMAND\n    1   15m - root init\n    2     0 - root kthreadd")]);
    assert_eq!((small.processes.count, small.processes.by_cpu.len()), (Some(2), 0));
    assert_eq!(small.processes.by_memory[0].memory, Some(15 * 1024 * 1024));
    let large = of(&[
        ("processes-count", "   312"),
        ("processes-cpu", " 7 2048 250.5 db+ my db: writer\n 8 10 nan x y"),
    ]);
    let expected = ProcessFacts {
        pid: 7,
        user: Some("db+".to_owned()),
        memory: Some(2048 * 1024),
        cpu: Some(250.5),
        command: "my db: writer".to_owned(),
    };
    assert_eq!((large.processes.count, large.processes.by_cpu), (Some(312), vec![expected]));
    let netstat = "tcp4       0      0  127.0.0.1.631          *.*                    LISTEN\n\
                   tcp46      0      0  *.22                   *.*                    LISTEN\n\
                   udp6       0      0  *.5353                 *.*\n\
                   tcp4       0      0  10.0.0.2.22            10.0.0.9.51000         ESTABLISHED";
    let shown = |facts: Facts| -> Vec<String> {
        let ports = facts.listening.unwrap().into_iter();
        ports.map(|port| format!("{} {} {}", port.protocol.as_str(), port.address, port.port)).collect()
    };
    assert_eq!(shown(of(&[("ports", netstat)])), ["tcp 0.0.0.0 22", "tcp 127.0.0.1 631", "udp :: 5353"]);
    let table = "   0: 0100007F:0277 00000000:0000 0A 0 0\n   1: 0100007F:0277 0100007F:9999 01 0 0";
    let table6 = "   0: 00000000000000000000000001000000:0016 00000000000000000000000000000000:0000 0A 0 0";
    let linux = [("machine", "x86_64"), ("listening-tcp", table), ("listening-tcp6", table6)];
    assert_eq!(shown(of(&linux)), ["tcp ::1 22", "tcp 127.0.0.1 631"]);
    let big = [("machine", "s390x"), ("listening-tcp", "0: 7F000001:0277 00000000:0000 0A 0 0")];
    assert_eq!(shown(of(&big)), ["tcp 127.0.0.1 631"]);
    let counters = "Name       Mtu   Network       Address            Ipkts Ierrs     Ibytes    Opkts Oerrs     Obytes  Coll\n\
                    lo0        16384 <Link#1>                           100     0       5000      100     0       5000     0\n\
                    en0*       1500  <Link#4>    3c:22:fb:00:00:01   9000     1    1000000     8000     0     900000     0\n\
                    en0        1500  10.0.0/24   10.0.0.2            9000     -    1000000     8000     -     900000     -";
    let ifconfig = "lo0: flags=8049<UP,LOOPBACK,RUNNING> mtu 16384\nen0: flags=8863<UP,RUNNING> mtu 1500";
    let seen = of(&[("ifconfig", ifconfig), ("if-counters", counters)]).interfaces;
    let bytes = |at: usize| {
        let side = |traffic: &Option<activity::Traffic>| traffic.as_ref().and_then(|traffic| traffic.bytes);
        (side(&seen[at].received), side(&seen[at].sent))
    };
    assert_eq!((bytes(0), bytes(1)), ((Some(1_000_000), Some(900_000)), (Some(5000), Some(5000))));
    let disk = of(&[("disks", "sda\t100\t0\t\tx"), ("disk-io", "sda  10 0 80 5 20 0 160 7 0 1500 12")])
        .disks
        .remove(0);
    let io = disk.io.unwrap();
    assert_eq!(
        (io.reads, io.read_bytes, io.write_bytes, io.busy),
        (Some(10), Some(40_960), Some(81_920), Some(1.5))
    );
}

#[test]
fn a_value_cannot_pass_for_a_mark() {
    let home = "/x\n@end\n@user\n root\n";
    let path = std::env::var_os("PATH").unwrap();
    for shell in SHELLS.iter().filter(|shell| installed(shell)) {
        let env = [("HOME", home), ("SHELL", "@end")];
        let facts = parse(&answer(shell, SCRIPT, Path::new(&path), &env)).unwrap();
        assert_eq!(facts.user.home.as_deref(), Some("/x"), "{shell:?}");
        assert_eq!(facts.user.shell.as_deref(), Some("@end"), "{shell:?}");
    }
}

#[test]
fn answers_that_are_none() {
    assert_eq!(parse(b"").unwrap_err().to_string(), "the host returned no facts");
    let refused = parse(b"This account is not available.\n").unwrap_err();
    assert_eq!(refused.to_string(), "the host returned no facts: it said \"This account is not available.\"");
    let whole = told(&[("hostname", "a")]);
    assert_eq!(parse(&whole[..whole.len() - 5]), Err(FactsError::Incomplete));
    assert_eq!(parse(&vec![b'x'; MAX_ANSWER + 1]), Err(FactsError::TooLong));
    // What a login says before the beginning does not count, even in our form.
    let noisy = [b"motd\n@hostname\n liar\n".as_slice(), &whole].concat();
    assert_eq!(parse(&noisy).unwrap().hostname.as_deref(), Some("a"));
}

/// The sections that the reading knows.
const NAMES: &[&str] = &[
    "fan-facts",
    "end",
    "hostname",
    "fqdn",
    "kernel-name",
    "kernel-release",
    "machine",
    "os-release",
    "now",
    "lsb-release",
    "redhat-release",
    "debian-version",
    "meminfo",
    "uptime",
    "loadavg",
    "btime",
    "cpuinfo",
    "cpu-flags",
    "topology",
    "cpus",
    "disks",
    "geom",
    "diskutil",
    "mounts",
    "mount",
    "df",
    "links",
    "ip-link",
    "ip-addr",
    "ip-route",
    "ifconfig",
    "if-inet6",
    "route",
    "netstat",
    "detect-vm",
    "dmi",
    "cgroup",
    "container",
    "sysctl",
    "vm-stat",
    "vmstat",
    "swap",
    "sw-vers",
    "resolv",
    "cpu-times",
    "cpu-times-later",
    "clock-ticks",
    "disk-io",
    "net-dev",
    "if-counters",
    "df-inodes",
    "who",
    "processes",
    "processes-memory",
    "processes-count",
    "listening-tcp",
    "listening-tcp6",
    "listening-udp",
    "ports",
    "packages",
    "init",
    "selinux",
];

fn hostile_line() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        prop::sample::select(vec![
            "default",
            "via",
            "dev",
            "inet",
            "inet6",
            "addr:",
            "netmask",
            "prefixlen",
            "ether",
            "mtu",
            "18446744073709551615",
            "-1",
            "0",
            "1",
            "99999999999999999999",
            "%",
            "50%",
            "/",
            "kern.boottime=",
            "hw.disknames=",
            "vm.swapusage=",
            "{ sec =",
            "total = 1.5M",
            "9.M",
            "Tue Feb 31 24:00:00 0000",
            "Thu Nov 14 16:00:00 9999",
            "MemTotal: ",
            "kB",
            "Geom name:",
            "Mediasize:",
            "Device Identifier:",
            "Disk Size: (",
            "page size of",
            "pages free",
            "Pages free: 7.",
            "bytes per page",
            "eth0:",
            "flags=1<",
            ">",
            "0xffffff00",
            "0xff00ff00",
            "::1%",
            "fe80::1",
            "\\",
            "\\0",
            "\\777",
            " on ",
            " (",
            ")",
            " type ",
            "cpu ",
            "Name Mtu Ibytes Obytes",
            "<Link#1>",
            "lo: 1 2 3",
            "0: 0100007F:0016 00000000:0000 0A",
            "tcp4 0 0 *.22 *.* LISTEN",
            "(10.0.0.1)",
            "15m",
            "nan",
            "ID=\"",
            "'",
            "é",
            "\u{0}",
        ])
        .prop_map(|word| word.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..6),
    ];
    let space = prop::sample::select(vec!["", " ", "\t", ":", "="]);
    prop::collection::vec((word, space), 0..8)
        .prop_map(|words| words.into_iter().flat_map(|(word, space)| [word, space.into()].concat()).collect())
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = parse(&bytes);
        let _ = parse(&[b"@fan-facts\n 1\n@mounts\n ".as_slice(), &bytes, b"\n@end\n"].concat());
    }

    #[test]
    fn any_lines_in_any_section_are_read(
        sections in prop::collection::vec(
            (prop::sample::select(NAMES), prop::collection::vec(hostile_line(), 0..4)), 0..12),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = b"@fan-facts\n 1\n".to_vec();
        for (name, lines) in sections {
            bytes.extend(format!("\n@{name}\n").as_bytes());
            for line in lines {
                bytes.extend([b" ".as_slice(), &line, b"\n"].concat());
            }
        }
        bytes.extend(b"\n@end\n");
        if let Ok(facts) = parse(&bytes) {
            let value = serde_json::to_value(&facts).unwrap();
            prop_assert_eq!(serde_json::from_value::<Facts>(value).unwrap(), facts);
        }
        let _ = parse(&bytes[..cut.index(bytes.len())]);
    }

    #[test]
    fn any_value_comes_through(value in "[^\n]{1,40}") {
        let text = value.trim_matches(|c: char| c.is_whitespace() || c == '\0').to_owned();
        let facts = parse(&[b"@fan-facts\n 1\n@home\n ".as_slice(), value.as_bytes(), b"\n@end\n"].concat()).unwrap();
        prop_assert_eq!(facts.user.home, Some(text).filter(|text| !text.is_empty()));
    }

    #[test]
    fn moments_come_back(seconds in 0_u64..253_402_300_800) {
        let text = rfc3339_as_ctime(seconds);
        let facts = of(&[("sysctl", &format!("kern.boottime={text}"))]);
        prop_assert_eq!(facts.boot_time, Some(crate::model::time::rfc3339(seconds)));
    }
}

/// The same moment as ctime(3) writes it.
fn rfc3339_as_ctime(seconds: u64) -> String {
    let text = crate::model::time::rfc3339(seconds);
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month: usize = text[5..7].parse().unwrap();
    format!("Day {} {} {} {}", months[month - 1], &text[8..10], &text[11..19], &text[..4])
}
