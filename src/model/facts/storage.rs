//! Disks and mounted file systems.

use crate::model::facts::sections::{Sections, text};
use crate::model::facts::types::{DiskFacts, Mount};

/// Bytes of a sector in sysfs, whatever the disk's own are.
const SECTOR: u64 = 512;

/// Bytes of a block of `df -k`.
const BLOCK: u64 = 1024;

/// File systems in which the kernel shows itself: nobody keeps data there.
const KERNEL_OWN: &[&str] = &[
    "autofs",
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "debugfs",
    "devfs",
    "devpts",
    "devtmpfs",
    "efivarfs",
    "fdescfs",
    "fusectl",
    "hugetlbfs",
    "kernfs",
    "linprocfs",
    "linsysfs",
    "mqueue",
    "nsfs",
    "proc",
    "procfs",
    "pstore",
    "ptyfs",
    "rpc_pipefs",
    "securityfs",
    "selinuxfs",
    "sysfs",
    "tracefs",
];

/// All disks, by name.
pub(super) fn disks(sections: &Sections<'_>) -> Vec<DiskFacts> {
    let mut disks: Vec<DiskFacts> = sections.lines("disks").filter_map(|line| sysfs(&line)).collect();
    geom(&mut disks, sections.lines("geom"));
    diskutil(&mut disks, sections.lines("diskutil"));
    if disks.is_empty() {
        disks = named(sections);
    }
    disks.sort_by(|one, other| one.name.cmp(&other.name));
    disks.dedup_by(|one, other| one.name == other.name);
    disks
}

/// Name, sectors, whether it spins, maker, model.
fn sysfs(line: &str) -> Option<DiskFacts> {
    let mut fields = line.splitn(5, '\t');
    let name = fields.next().and_then(text)?;
    // Optical drives, floppies, and the small areas that boot memory cards.
    if ["sr", "fd"].iter().any(|prefix| name.starts_with(prefix)) || name.contains("boot") {
        return None;
    }
    let size = fields.next().and_then(|sectors| sectors.parse::<u64>().ok());
    let rotational = match fields.next() {
        Some("0") => Some(false),
        Some("1") => Some(true),
        Some(_) | None => None,
    };
    // A number is the PCI name of virtio's maker; "ATA" is how the disk is attached.
    let vendor = fields.next().and_then(text).filter(|vendor| !vendor.starts_with("0x") && vendor != "ATA");
    let words: Vec<String> = vendor.into_iter().chain(fields.next().and_then(text)).collect();
    let size = size.and_then(|sectors| sectors.checked_mul(SECTOR));
    Some(DiskFacts { name, size, rotational, model: text(&words.join(" ")), io: None })
}

/// FreeBSD: `Geom name: ada0`, then `   Mediasize: 500107862016 (466G)`, `   descr: ...`, `   rotationrate: 7200`.
fn geom(disks: &mut Vec<DiskFacts>, lines: impl Iterator<Item = String>) {
    for line in lines {
        let Some((key, value)) = line.split_once(':') else { continue };
        let key = key.trim().trim_start_matches(|c: char| c.is_ascii_digit() || c == '.' || c == ' ');
        if let ("Geom name", Some(name)) = (key, text(value)) {
            disks.push(DiskFacts { name, ..DiskFacts::default() });
            continue;
        }
        let Some(disk) = disks.last_mut() else { continue };
        match key {
            "Mediasize" => disk.size = value.split_whitespace().next().and_then(|size| size.parse().ok()),
            "descr" => disk.model = text(value),
            "rotationrate" => disk.rotational = value.trim().parse::<u64>().ok().map(|rate| rate > 0),
            _ => {}
        }
    }
    disks.retain(|disk| !disk.name.starts_with("cd"));
}

/// macOS: `   Device Identifier:  disk0`, `   Disk Size:  500.3 GB (500277792768 Bytes) (exactly ...)`.
fn diskutil(disks: &mut Vec<DiskFacts>, lines: impl Iterator<Item = String>) {
    for line in lines {
        let Some((key, value)) = line.split_once(':') else { continue };
        if let ("Device Identifier", Some(name)) = (key.trim(), text(value)) {
            disks.push(DiskFacts { name, ..DiskFacts::default() });
            continue;
        }
        let Some(disk) = disks.last_mut() else { continue };
        match key.trim() {
            "Disk Size" | "Total Size" => {
                let bytes = value.split_once('(').and_then(|(_, rest)| rest.split_whitespace().next());
                disk.size = disk.size.or_else(|| bytes.and_then(|bytes| bytes.parse().ok()));
            }
            "Device / Media Name" => disk.model = text(value),
            "Solid State" => {
                disk.rotational = match value.trim() {
                    "Yes" => Some(false),
                    "No" => Some(true),
                    _ => None,
                };
            }
            _ => {}
        }
    }
}

/// The BSDs without a better source: `sd0:1a2b3c4d,cd0:`, `wd0 cd0`.
fn named(sections: &Sections<'_>) -> Vec<DiskFacts> {
    let names = ["hw.disknames", "kern.disks"].iter().find_map(|key| sections.value("sysctl", key, '='));
    let names = names.unwrap_or_default();
    let names = names.split([',', ' ']).filter_map(|name| text(name.split(':').next()?));
    let is_disk = |name: &String| !["cd", "fd", "rd", "dk"].iter().any(|prefix| name.starts_with(prefix));
    names.filter(is_disk).map(|name| DiskFacts { name, ..DiskFacts::default() }).collect()
}

/// All mounts that hold data, with their sizes where `df` told them.
pub(super) fn mounts(sections: &Sections<'_>) -> Vec<Mount> {
    let mut mounts: Vec<Mount> = sections
        .lines("mounts")
        .filter_map(|line| table(&line))
        .chain(sections.lines("mount").filter_map(|line| shown(&line)))
        .collect();
    let known = !mounts.is_empty();
    for line in sections.lines("df") {
        let Some(sized) = df(&line) else { continue };
        // What is mounted last at a place is what is seen there.
        match at(&mut mounts, &sized.path) {
            Some(mount) => {
                (mount.size, mount.used, mount.available) = (sized.size, sized.used, sized.available);
            }
            None if known => {}
            None => mounts.push(sized),
        }
    }
    for line in sections.lines("df-inodes") {
        let Some((path, all, used)) = df_inodes(&line) else { continue };
        if let Some(mount) = at(&mut mounts, path) {
            (mount.inodes, mount.inodes_used) = (Some(all), Some(used));
        }
    }
    mounts.retain(|mount| !mount.kind.as_deref().is_some_and(|kind| KERNEL_OWN.contains(&kind)));
    mounts
}

/// The mount that `df` means by a path: it shows what is no character as `?`.
fn at<'a>(mounts: &'a mut [Mount], path: &str) -> Option<&'a mut Mount> {
    let shown = |mount: &Mount| mount.path.replace(|c: char| c.is_control(), "?") == path;
    let exact = mounts.iter().rposition(|mount| mount.path == path);
    mounts.get_mut(exact.or_else(|| mounts.iter().rposition(shown))?)
}

fn options(list: &str) -> Vec<String> {
    list.split(',').filter_map(text).collect()
}

/// Linux: `/dev/sda1 /mnt/a\040b ext4 rw,relatime 0 0`.
fn table(line: &str) -> Option<Mount> {
    let mut words = line.split(' ');
    let mut word = || words.next().map(unescape).and_then(|word| text(&word));
    let (device, path, kind) = (word()?, word()?, word()?);
    let options = word().map(|list| options(&list)).unwrap_or_default();
    Some(Mount { device, path, kind: Some(kind), options, ..Mount::default() })
}

/// Blanks, line ends and backslashes as the kernel writes them: `\040`.
fn unescape(word: &str) -> String {
    let mut bytes = Vec::with_capacity(word.len());
    let mut rest = word.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        let digits = behind.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(code) if byte == b'\\' => {
                bytes.push(code);
                rest = behind.get(3..).unwrap_or_default();
            }
            Some(_) | None => {
                bytes.push(byte);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// `/dev/disk1s1 on / (apfs, local, journaled)`, `/dev/sd0a on / type ffs (local, noatime)`.
fn shown(line: &str) -> Option<Mount> {
    let (device, rest) = line.split_once(" on ")?;
    let (place, list) = rest.rsplit_once(" (")?;
    let mut options = options(list.trim_end().strip_suffix(')')?);
    let (path, kind) = match place.rsplit_once(" type ") {
        Some((path, kind)) => (path, text(kind)),
        None if options.is_empty() => (place, None),
        None => (place, Some(options.remove(0))),
    };
    Some(Mount { device: text(device)?, path: text(path)?, kind, options, ..Mount::default() })
}

/// Path, all inodes and those in use. Linux: `/dev/sda1  6553600  12345  6541255  1% /mnt/with blanks`; the BSDs and macOS:
/// `/dev/ada0p2  1024000  512000  512000  50%  12345  6541255  0%  /`. A file system without a limit has none.
fn df_inodes(line: &str) -> Option<(&str, u64, u64)> {
    let words: Vec<&str> = line.split(' ').filter(|word| !word.is_empty()).collect();
    let number = |at: usize| words.get(at)?.parse::<u64>().ok();
    let percent = |at: usize| words.get(at).filter(|word| word.ends_with('%'));
    let at = (1..words.len())
        .find(|&at| (0..2).all(|more| number(at + more).is_some()) && percent(at + 3).is_some())?;
    let (all, used, mark) = match (number(at + 4), number(at + 5), percent(at + 6)) {
        (Some(used), Some(free), Some(mark)) => (used.checked_add(free)?, used, mark),
        _ => (number(at)?, number(at + 1)?, percent(at + 3)?),
    };
    let (_, path) = line.rsplit_once(&format!(" {mark} "))?;
    let path = path.trim_start();
    (all > 0 && path.starts_with('/')).then_some((path, all, used))
}

/// `/dev/sda1  1024000  512000  512000  50% /mnt/with blanks`: the numbers tell where the words end.
fn df(line: &str) -> Option<Mount> {
    let words: Vec<&str> = line.split(' ').filter(|word| !word.is_empty()).collect();
    for at in 1..words.len() {
        let [size, used, available, percent, ..] = words.get(at..)? else { return None };
        let numbers = [size, used, available].map(|word| word.parse::<i64>().ok());
        if !(percent.ends_with('%') || *percent == "-") || numbers.iter().any(Option::is_none) {
            continue;
        }
        // What is kept back for root can make what is left negative.
        let bytes = numbers.map(|number| u64::try_from(number?.max(0)).ok()?.checked_mul(BLOCK));
        let path = line.split_once(&format!(" {percent} "))?.1;
        let device = words.get(..at)?.join(" ");
        let [size, used, available] = bytes;
        let (device, path) = (text(&device)?, text(path)?);
        return Some(Mount { device, path, size, used, available, ..Mount::default() });
    }
    None
}
