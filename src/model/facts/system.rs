//! Operating system, kernel, processors, memory, times, and what the host runs on.

use std::collections::BTreeSet;

use crate::model::facts::measure::{cpu_times, cpu_use};
use crate::model::facts::sections::{Sections, text};
use crate::model::facts::types::{Cpu, Facts, Hardware, Kernel, MemoryFacts, Os, Swap, User, Virt, VirtKind};
use crate::model::time::rfc3339;

/// Fills in all that is not network and storage.
pub(super) fn fill(facts: &mut Facts, sections: &Sections<'_>) {
    facts.kernel = Kernel {
        name: sections.text("kernel-name"),
        release: sections.text("kernel-release"),
        version: sections.text("kernel-version"),
        arch: sections.text("machine"),
    };
    facts.os = os(sections, &facts.kernel);
    // Systems whose `hostname` takes no -f have names with domains, or no domain.
    let dotted = facts.hostname.clone().filter(|name| name.contains('.'));
    facts.fqdn = sections.text("fqdn").filter(|name| !name.contains(char::is_whitespace)).or(dotted);
    facts.cpu = cpu(sections);
    facts.memory = memory(sections);
    facts.swap = swap(sections);
    times(facts, sections);
    facts.load = load(sections);
    facts.hardware = hardware(sections);
    facts.virt = virt(sections, &facts.kernel, &facts.hardware);
    facts.user = User {
        name: sections.text("user"),
        uid: sections.number("uid"),
        home: sections.text("home"),
        shell: sections.text("shell"),
    };
    facts.package_manager = sections.text("packages").and_then(|path| package_manager(&path));
    facts.init = init(sections, facts.kernel.name.as_deref());
    facts.selinux = selinux(sections);
}

fn os(sections: &Sections<'_>, kernel: &Kernel) -> Os {
    let name = kernel.name.clone().unwrap_or_default();
    let release = kernel.release.clone().unwrap_or_default();
    let numbered = |version: &str| {
        let end = version.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(version.len());
        text(version.get(..end).unwrap_or_default())
    };
    let mut os = match name.as_str() {
        "Darwin" => Os {
            id: Some("macos".to_owned()),
            name: sections.value("sw-vers", "ProductName", ':').or_else(|| Some("macOS".to_owned())),
            version: sections.value("sw-vers", "ProductVersion", ':'),
            ..Os::default()
        },
        "FreeBSD" | "DragonFly" | "OpenBSD" | "NetBSD" => Os {
            id: Some(name.to_ascii_lowercase()),
            version: numbered(&sections.text("userland").unwrap_or(release)),
            name: Some(name.clone()),
            ..Os::default()
        },
        _ if sections.has("os-release") => of_os_release(sections),
        _ => of_older_files(sections),
    };
    if os.id.is_none() {
        os.id = text(&name.to_ascii_lowercase());
    }
    os.name = os.name.or_else(|| text(&name));
    os.major = os.version.as_deref().and_then(numbered).and_then(|version| {
        let (major, _) = version.split_once('.').unwrap_or((&version, ""));
        major.parse().ok()
    });
    os.family = os.id.as_deref().map(|id| family(&name, id, &os.like).to_owned());
    os
}

/// `KEY=value`, `KEY="value"`: os-release(5).
fn of_os_release(sections: &Sections<'_>) -> Os {
    let value = |key: &str| sections.value("os-release", key, '=').and_then(|value| unquote(&value));
    let like = value("ID_LIKE").unwrap_or_default();
    Os {
        family: None,
        id: value("ID").map(|id| id.to_ascii_lowercase()),
        name: value("NAME"),
        version: value("VERSION_ID"),
        major: None,
        codename: value("VERSION_CODENAME").or_else(|| value("UBUNTU_CODENAME")),
        like: like.split_whitespace().filter_map(text).collect(),
    }
}

/// A shell's assignment without its quotes and backslashes.
fn unquote(value: &str) -> Option<String> {
    let inner = ['"', '\''].iter().find_map(|&quote| value.strip_prefix(quote)?.strip_suffix(quote));
    let Some(inner) = inner else { return text(value) };
    let mut plain = String::with_capacity(inner.len());
    let mut escaped = false;
    for c in inner.chars() {
        if c == '\\' && !escaped {
            escaped = true;
            continue;
        }
        plain.push(c);
        escaped = false;
    }
    text(&plain)
}

/// Systems from before os-release: `CentOS release 6.10 (Final)`, `DISTRIB_ID=Ubuntu`, `9.4`.
fn of_older_files(sections: &Sections<'_>) -> Os {
    let mut os = Os::default();
    if let Some(line) = sections.text("redhat-release") {
        let (name, rest) = line.split_once(" release ").unwrap_or((&line, ""));
        os.id = Some(if name.starts_with("Red Hat") {
            "rhel".to_owned()
        } else {
            name.split_whitespace().next().unwrap_or("rhel").to_ascii_lowercase()
        });
        os.like = vec!["rhel".to_owned()];
        os.name = text(name);
        os.version = rest.split_whitespace().next().and_then(text);
        os.codename = rest.split_once('(').and_then(|(_, name)| text(name.trim_end_matches(')')));
        return os;
    }
    let value = |key: &str| sections.value("lsb-release", key, '=').and_then(|value| unquote(&value));
    if let Some(name) = value("DISTRIB_ID") {
        os.id = Some(name.to_ascii_lowercase());
        os.name = Some(name);
        os.version = value("DISTRIB_RELEASE");
        os.codename = value("DISTRIB_CODENAME");
    } else if let Some(version) = sections.text("debian-version") {
        os.id = Some("debian".to_owned());
        os.name = Some("Debian".to_owned());
        os.version = Some(version);
    }
    os
}

fn family<'a>(kernel: &str, id: &'a str, like: &'a [String]) -> &'a str {
    if kernel == "Darwin" {
        return "darwin";
    }
    let known = |id: &str| {
        Some(match id {
            "debian" | "ubuntu" | "raspbian" | "linuxmint" | "devuan" | "kali" | "pop" => "debian",
            "rhel" | "fedora" | "centos" | "rocky" | "almalinux" | "ol" | "amzn" | "scientific" => "redhat",
            "suse" | "sles" | "sle" | "opensuse" | "opensuse-leap" | "opensuse-tumbleweed" => "suse",
            "arch" | "archarm" | "manjaro" => "arch",
            "alpine" => "alpine",
            "gentoo" => "gentoo",
            _ => return None,
        })
    };
    std::iter::once(id).chain(like.iter().map(String::as_str)).find_map(known).unwrap_or(id)
}

fn cpu(sections: &Sections<'_>) -> Cpu {
    let value = |key: &str| sections.value("cpuinfo", key, ':');
    let sysctl = |key: &str| sections.value("sysctl", key, '=');
    let number = |key: &str| sysctl(key).and_then(|value| value.parse::<u64>().ok());
    // The words of x86, ARM boards, MIPS, POWER and RISC-V.
    let model = ["model name", "cpu model", "cpu", "Hardware", "Model", "uarch", "machine", "system type"]
        .iter()
        .find_map(|key| value(key));
    let brand =
        ["machdep.cpu.brand_string", "machdep.cpu_brand", "hw.model"].iter().find_map(|key| sysctl(key));
    let listed = sections.lines("cpuinfo").filter(|line| line.starts_with("processor")).count();
    let listed = u64::try_from(listed).ok().filter(|&count| count > 0);
    let (mut sockets, mut cores) = (BTreeSet::new(), BTreeSet::new());
    for line in sections.lines("topology") {
        let mut words = line.split(' ').filter_map(|word| word.parse::<u64>().ok());
        if let (Some(socket), Some(core)) = (words.next(), words.next()) {
            sockets.insert(socket);
            cores.insert((socket, core));
        }
    }
    let counted = |count: usize| u64::try_from(count).ok().filter(|&count| count > 0);
    let online = || ["hw.ncpuonline", "hw.logicalcpu", "hw.ncpu"].iter().find_map(|key| number(key));
    Cpu {
        used: cpu_use(sections),
        times: cpu_times(sections),
        model: model.or(brand),
        logical: sections.number("cpus").filter(|&count| count > 0).or_else(online).or(listed),
        cores: counted(cores.len()).or_else(|| number("hw.physicalcpu")).or_else(|| number("kern.smp.cores")),
        sockets: counted(sockets.len()).or_else(|| number("hw.packages")),
    }
}

/// `MemTotal:       24684092 kB`
fn meminfo(sections: &Sections<'_>, key: &str) -> Option<u64> {
    let value = sections.value("meminfo", key, ':')?;
    value.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

fn memory(sections: &Sections<'_>) -> MemoryFacts {
    if sections.has("meminfo") {
        let (free, known) = (meminfo(sections, "MemFree"), meminfo(sections, "MemAvailable"));
        // Kernels before 3.14 do not say; what they keep of files can be had.
        let kept = || {
            let parts = ["Buffers", "Cached"].map(|key| meminfo(sections, key).unwrap_or(0));
            parts.iter().try_fold(free?, |sum, part| sum.checked_add(*part))
        };
        let (total, available) = (meminfo(sections, "MemTotal"), known.or_else(kept));
        return MemoryFacts {
            total,
            available,
            free,
            used: total.zip(available).and_then(|(total, available)| total.checked_sub(available)),
            buffers: meminfo(sections, "Buffers"),
            cached: meminfo(sections, "Cached"),
        };
    }
    let number = |key: &str| sections.value("sysctl", key, '=').and_then(|value| value.parse::<u64>().ok());
    let total = ["hw.memsize", "hw.physmem64", "hw.physmem"].iter().find_map(|key| number(key));
    let pages = pages(sections);
    let sum = |names: &[&str]| {
        let found: Vec<u64> = names.iter().filter_map(|name| pages.count(name)).collect();
        let sum = found.iter().try_fold(0_u64, |sum, count| sum.checked_add(*count))?;
        if found.is_empty() { None } else { sum.checked_mul(pages.size?) }
    };
    let available = sum(&["free", "inactive", "cache", "laundry", "speculative", "cached file"]);
    MemoryFacts {
        total,
        free: sum(&["free"]),
        available,
        used: total.zip(available).and_then(|(total, available)| total.checked_sub(available)),
        buffers: None,
        cached: None,
    }
}

/// Counts of pages by what they are used for, and how large one is.
struct Pages {
    size: Option<u64>,
    counts: Vec<(String, u64)>,
}

impl Pages {
    fn count(&self, name: &str) -> Option<u64> {
        self.counts.iter().find(|(known, _)| known == name).map(|(_, count)| *count)
    }
}

/// macOS: `Pages free:      12345.`; OpenBSD and NetBSD: `   12345 pages free`; FreeBSD: `vm.stats.vm.v_free_count`.
fn pages(sections: &Sections<'_>) -> Pages {
    let number = |key: &str| sections.value("sysctl", key, '=').and_then(|value| value.parse::<u64>().ok());
    let mut size = number("vm.stats.vm.v_page_size").or_else(|| number("hw.pagesize"));
    let mut counts = Vec::new();
    for name in ["free", "inactive", "cache", "laundry"] {
        if let Some(count) = number(&format!("vm.stats.vm.v_{name}_count")) {
            counts.push((name.to_owned(), count));
        }
    }
    for line in sections.lines("vm-stat") {
        if let Some((_, rest)) = line.split_once("page size of ") {
            size = rest.split_whitespace().next().and_then(|size| size.parse().ok()).or(size);
        } else if let Some((name, count)) = line.strip_prefix("Pages ").and_then(|rest| rest.split_once(':'))
        {
            let count = count.trim().trim_end_matches('.').parse().ok();
            counts.extend(count.map(|count| (name.to_owned(), count)));
        }
    }
    for line in sections.lines("vmstat") {
        let Some((count, what)) = line.trim().split_once(' ') else { continue };
        let Ok(count) = count.parse() else { continue };
        match what.trim() {
            "bytes per page" => size = Some(count),
            "cached file pages" => counts.push(("cached file".to_owned(), count)),
            what => counts.extend(what.strip_prefix("pages ").map(|name| (name.to_owned(), count))),
        }
    }
    Pages { size, counts }
}

fn swap(sections: &Sections<'_>) -> Swap {
    if sections.has("meminfo") {
        return swap_of(meminfo(sections, "SwapTotal"), meminfo(sections, "SwapFree"));
    }
    if let Some(usage) = sections.value("sysctl", "vm.swapusage", '=') {
        let words: Vec<&str> = usage.split_whitespace().collect();
        let amount = |key: &str| {
            let at = words.iter().position(|word| *word == key)?;
            megabytes(words.get(at + 2)?)
        };
        return swap_of(amount("total"), amount("free"));
    }
    if !sections.has("swap") {
        return Swap::default();
    }
    // `/dev/ada0p3  2097152  0  2097152  0%`, in blocks of 1024 bytes.
    let (mut total, mut free) = (0_u64, 0_u64);
    for line in sections.lines("swap").filter(|line| line.starts_with('/')) {
        let mut numbers = line.split_whitespace().skip(1).map(|word| word.parse::<u64>().ok());
        if let (Some(Some(size)), Some(Some(_)), Some(Some(rest))) =
            (numbers.next(), numbers.next(), numbers.next())
        {
            total = total.saturating_add(size.saturating_mul(1024));
            free = free.saturating_add(rest.saturating_mul(1024));
        }
    }
    swap_of(Some(total), Some(free))
}

fn swap_of(total: Option<u64>, free: Option<u64>) -> Swap {
    Swap { total, free, used: total.zip(free).and_then(|(total, free)| total.checked_sub(free)) }
}

/// `2048.00M`; to whole bytes, without floating point.
fn megabytes(text: &str) -> Option<u64> {
    let (whole, part) = text.strip_suffix('M')?.split_once('.')?;
    let hundredths =
        whole.parse::<u64>().ok()?.checked_mul(100)?.checked_add(part.get(..2)?.parse().ok()?)?;
    Some(hundredths.checked_mul(1024 * 1024)? / 100)
}

fn times(facts: &mut Facts, sections: &Sections<'_>) {
    let now = sections.number("now");
    let boot = boot(sections);
    let uptime = sections.text("uptime").and_then(|line| {
        let seconds = line.split_whitespace().next()?;
        seconds.split('.').next()?.parse::<u64>().ok()
    });
    facts.uptime = uptime.or_else(|| now?.checked_sub(boot?));
    let boot = boot.or_else(|| now?.checked_sub(uptime?));
    // A clock that counts beyond the year 9999 is none.
    facts.boot_time = boot.filter(|&boot| boot < 253_402_300_800).map(rfc3339);
}

/// Linux: `1795171369`; macOS and FreeBSD: `{ sec = 1700000000, usec = 5 } Tue Nov 14 22:13:20 2023`; the others:
/// `Tue Nov 14 22:13:20 2023`, in UTC as the script asks for.
fn boot(sections: &Sections<'_>) -> Option<u64> {
    let counted = sections.lines("btime").find_map(|line| {
        let line = line.strip_prefix("btime ").unwrap_or(&line);
        line.trim().parse().ok()
    });
    let told = || {
        let value = sections.value("sysctl", "kern.boottime", '=')?;
        match value.split_once("sec = ") {
            Some((_, rest)) => rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok(),
            None => of_ctime(&value).or_else(|| value.parse().ok()),
        }
    };
    counted.or_else(told)
}

/// `Tue Nov 14 22:13:20 2023` as seconds since 1970.
fn of_ctime(text: &str) -> Option<u64> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let words: Vec<&str> = text.split_whitespace().collect();
    let [_, month, day, time, year] = words.as_slice() else { return None };
    let month = u64::try_from(MONTHS.iter().position(|name| name == month)?).ok()? + 1;
    let (day, year) = (day.parse::<u64>().ok()?, year.parse::<u64>().ok()?);
    let mut clock = time.split(':').map(|part| part.parse::<u64>().ok());
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    if !(1970..=9999).contains(&year) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    // Years begin in March, so that the day that comes and goes is the last one.
    let (year, shifted) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (153 * shifted + 2) / 5 + day - 1;
    Some((days - 719_468) * 86_400 + hour * 3600 + minute * 60 + second)
}

/// `0.36 1.86 2.69 2/90 29539`, `{ 0.36 1.86 2.69 }`.
fn load(sections: &Sections<'_>) -> Option<[f64; 3]> {
    let line = sections.text("loadavg").or_else(|| sections.value("sysctl", "vm.loadavg", '='))?;
    let mut numbers = line
        .split_whitespace()
        .filter_map(|word| word.parse::<f64>().ok())
        .filter(|number| number.is_finite() && *number >= 0.0);
    Some([numbers.next()?, numbers.next()?, numbers.next()?])
}

fn hardware(sections: &Sections<'_>) -> Hardware {
    let dmi = |key: &str| sections.value("dmi", key, ' ');
    let sysctl = |key: &str| sections.value("sysctl", key, '=');
    let model = || sysctl("hw.model").filter(|_| sections.has("sw-vers"));
    Hardware {
        vendor: dmi("sys_vendor")
            .or_else(|| sysctl("hw.vendor"))
            .or_else(|| sysctl("machdep.dmi.system-vendor"))
            .or_else(|| model().map(|_| "Apple".to_owned())),
        product: dmi("product_name")
            .or_else(|| sysctl("hw.product"))
            .or_else(|| sysctl("machdep.dmi.system-product"))
            .or_else(|| sections.text("device-tree"))
            .or_else(model),
    }
}

fn virt(sections: &Sections<'_>, kernel: &Kernel, hardware: &Hardware) -> Virt {
    if let Some(name) = container(sections, kernel) {
        return Virt { kind: Some(VirtKind::Container), name: Some(name) };
    }
    if let Some(name) = machine(sections, kernel, hardware) {
        return Virt { kind: Some(VirtKind::Vm), name: Some(name) };
    }
    // A system that has no word for it is not taken for hardware.
    let asked = sections.has("cpu-flags")
        || sections.has("detect-vm")
        || ["kern.vm_guest", "kern.hv_vmm_present", "hw.vendor", "machdep.dmi.system-vendor"]
            .iter()
            .any(|key| sections.value("sysctl", key, '=').is_some());
    Virt { kind: asked.then_some(VirtKind::None), name: None }
}

fn container(sections: &Sections<'_>, kernel: &Kernel) -> Option<String> {
    if let Some(name) = sections.text("detect-container").filter(|name| is_word(name) && name != "none") {
        return Some(name);
    }
    if let Some(name) = sections.lines("container").find_map(|name| text(&name).filter(|name| is_word(name)))
    {
        return Some(name);
    }
    if sections.value("sysctl", "security.jail.jailed", '=').as_deref() == Some("1") {
        return Some("jail".to_owned());
    }
    if kernel.release.as_deref().is_some_and(|release| release.to_ascii_lowercase().contains("microsoft")) {
        return Some("wsl".to_owned());
    }
    // `12:pids:/kubepods/besteffort/...`: only the first version of control groups tells it to those inside.
    let groups: Vec<String> = sections.lines("cgroup").collect();
    let marks = [("kubepods", "kubernetes"), ("/docker", "docker"), ("/lxc", "lxc"), ("libpod", "podman")];
    let has =
        |mark: &str| groups.iter().any(|line| line.split(':').nth(2).is_some_and(|path| path.contains(mark)));
    marks.iter().find(|(mark, _)| has(mark)).map(|(_, name)| (*name).to_owned())
}

fn is_word(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

fn machine(sections: &Sections<'_>, kernel: &Kernel, hardware: &Hardware) -> Option<String> {
    if let Some(name) = sections.text("detect-vm").filter(|name| is_word(name)) {
        return (name != "none").then(|| if name == "oracle" { "virtualbox".to_owned() } else { name });
    }
    let guest = sections.value("sysctl", "kern.vm_guest", '=').filter(|name| is_word(name) && name != "none");
    if let Some(guest) = guest {
        return Some(if guest == "hv" { "microsoft".to_owned() } else { guest });
    }
    let dmi = |key: &str| sections.value("dmi", key, ' ');
    let shown = [
        hardware.vendor.clone(),
        hardware.product.clone(),
        dmi("board_vendor"),
        dmi("bios_vendor"),
        sections.value("sysctl", "hw.model", '=').filter(|_| kernel.name.as_deref() == Some("Darwin")),
    ];
    let shown: Vec<String> = shown.into_iter().flatten().collect();
    // Beginnings of what makers of virtual machines write where others write theirs.
    let makers = [
        ("KVM", "kvm"),
        ("Amazon EC2", "amazon"),
        ("Google Compute Engine", "google"),
        ("OpenStack", "kvm"),
        ("QEMU", "qemu"),
        ("VMware", "vmware"),
        ("VMW", "vmware"),
        ("innotek GmbH", "virtualbox"),
        ("VirtualBox", "virtualbox"),
        ("Xen", "xen"),
        ("HVM domU", "xen"),
        ("Bochs", "bochs"),
        ("Parallels", "parallels"),
        ("BHYVE", "bhyve"),
        ("Virtual Machine", "microsoft"),
        ("Apple Virtualization", "apple"),
        ("VirtualMac", "apple"),
        ("OpenBSD", "vmm"),
    ];
    let found = makers.iter().find(|(maker, _)| shown.iter().any(|text| text.starts_with(maker)));
    if let Some((_, name)) = found {
        return Some((*name).to_owned());
    }
    if let Some(name) = sections.text("hypervisor").filter(|name| is_word(name)) {
        return Some(name);
    }
    let flagged = sections
        .lines("cpu-flags")
        .any(|line| line == "hypervisor" || (line.starts_with("flags") && line.contains(" hypervisor")));
    let flagged = flagged || sections.value("sysctl", "kern.hv_vmm_present", '=').as_deref() == Some("1");
    flagged.then(|| "unknown".to_owned())
}

fn package_manager(path: &str) -> Option<String> {
    let program = path.rsplit('/').next().unwrap_or(path);
    let name = match program {
        "apt-get" => "apt",
        "emerge" => "portage",
        "xbps-install" => "xbps",
        "nix-env" => "nix",
        other => other,
    };
    text(name)
}

fn init(sections: &Sections<'_>, kernel: Option<&str>) -> Option<String> {
    let told: Vec<String> = sections.lines("init").filter_map(|line| text(&line)).collect();
    // What runs now says more than the name of process 1.
    let known = told.iter().find(|name| ["systemd", "openrc"].contains(&name.as_str()));
    match (known.or_else(|| told.first()), kernel) {
        (Some(name), _) => Some(name.clone()),
        (None, Some("Darwin")) => Some("launchd".to_owned()),
        (None, Some("FreeBSD" | "DragonFly" | "OpenBSD" | "NetBSD")) => Some("rc".to_owned()),
        (None, _) => None,
    }
}

fn selinux(sections: &Sections<'_>) -> Option<String> {
    let told = sections.text("selinux").map(|word| word.to_ascii_lowercase()).filter(|word| is_word(word));
    told.or_else(|| match sections.text("selinux-enforce")?.as_str() {
        "1" => Some("enforcing".to_owned()),
        "0" => Some("permissive".to_owned()),
        _ => None,
    })
}
