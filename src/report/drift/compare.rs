//! Who differs, and in what: the answers of hosts put beside each other, path by path.

use std::collections::{BTreeMap, HashMap};

use crate::model::count::counted;
use crate::model::inventory::HostName;
use crate::model::range;
use crate::model::survey::{SurveyEntry, SurveyHash, SurveyKind};
use crate::report::drift::differences::{Drift, DriftGroup, DriftItem, DriftRoot, DriftText, DriftWay};
use crate::report::drift::reader::{HostListing, OutputsOfHosts, SurveyRootKey, SurveysOfHosts};
use crate::report::words::bytes_of;

pub use crate::report::drift::reader::Takes;

/// Contents that are read, each once.
const READ_MAX: usize = 2000;

/// Longer contents are compared by their hash only, in bytes.
const TEXT_MAX: u64 = 1024 * 1024;

/// Hosts that are named of a problem.
const PROBLEMS_MAX: usize = 50;

/// What the others are compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DriftReference {
    /// What most of them have.
    Majority,
    /// A host.
    Host(HostName),
    /// A file or folder of this machine, that was taken in under this name.
    Local(HostName, String),
}

/// Which hosts are compared, and with what.
pub struct ComparedBy<'a> {
    /// What is compared, as the user wrote it.
    pub title: String,
    /// The paths or the command.
    pub names: Vec<String>,
    /// All hosts, in the order of the plan.
    pub hosts: &'a [HostName],
    /// What with.
    pub reference: DriftReference,
}

impl ComparedBy<'_> {
    fn against(&self) -> String {
        match &self.reference {
            DriftReference::Majority => "the majority".to_owned(),
            DriftReference::Host(host) => host.to_string(),
            DriftReference::Local(_, path) => path.clone(),
        }
    }

    fn local(&self) -> Option<(&HostName, &str)> {
        match &self.reference {
            DriftReference::Local(name, path) => Some((name, path)),
            DriftReference::Majority | DriftReference::Host(_) => None,
        }
    }

    /// Puts hosts with the same answer together: the reference first, then the larger groups.
    fn grouped<K: std::hash::Hash + Eq + Clone>(
        &self,
        of: impl Fn(&HostName) -> Option<K>,
    ) -> Vec<(K, Vec<&HostName>)> {
        let mut groups: indexmap::IndexMap<K, Vec<&HostName>> = indexmap::IndexMap::new();
        let local = self.local().map(|(name, _)| name);
        for host in local.into_iter().chain(self.hosts) {
            if let Some(key) = of(host) {
                groups.entry(key).or_default().push(host);
            }
        }
        let mut groups: Vec<(K, Vec<&HostName>)> = groups.into_iter().collect();
        let reference = match &self.reference {
            DriftReference::Majority => None,
            DriftReference::Host(name) | DriftReference::Local(name, _) => Some(name),
        };
        groups.sort_by_key(|(_, hosts)| {
            let first = reference.is_some_and(|reference| hosts.contains(&reference));
            (!first, std::cmp::Reverse(hosts.len()))
        });
        groups
    }

    /// The names of a group. That of what is local is its path.
    fn names_of(&self, hosts: &[&HostName]) -> Vec<String> {
        let name = |host: &&HostName| match self.local() {
            Some((local, path)) if local == *host => format!("{path} (here)"),
            Some(_) | None => host.to_string(),
        };
        hosts.iter().map(name).collect()
    }
}

/// A content that is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DriftNeed {
    /// Number of the path that was asked for.
    pub root: usize,
    /// The path from there.
    pub path: Vec<u8>,
    /// What it must be.
    pub hash: SurveyHash,
    /// The hosts that have it, in the order of the plan.
    pub hosts: Vec<HostName>,
}

/// Contents by their hash; none for those that did not come.
pub type DriftContents = HashMap<SurveyHash, Vec<u8>>;

/// What is at a path of a host.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Here {
    /// Nothing.
    Nothing,
    /// This, of all that hosts have told.
    Path(u32),
}

/// Puts the surveys of hosts beside each other. Asks for the contents that the differences need, each of one host; what
/// it gives is gone over once, with those that are there then.
pub fn compare_surveys(
    by: &ComparedBy<'_>,
    surveys: &SurveysOfHosts,
    contents: Option<&DriftContents>,
) -> (Drift, Vec<DriftNeed>) {
    let mut drift = Drift { title: by.title.clone(), against: by.against(), ..Drift::default() };
    drift.hosts = by.hosts.iter().filter(|host| surveys.hosts.contains_key(*host)).count();
    let mut needs = Vec::new();
    let unread = surveys.unread.iter().take(PROBLEMS_MAX);
    drift.uncompared.extend(unread.map(|(host, why)| format!("{host}: {why}")));
    let listing = |host: &HostName| surveys.hosts.get(host).and_then(|&id| surveys.listings.get_index(id));
    // For each path what there is, and which listings have it.
    let mut all: BTreeMap<(usize, &[u8]), HashMap<usize, u32>> = BTreeMap::new();
    let mut hidden: Vec<Vec<(usize, &[u8])>> = Vec::new();
    for (number, listing) in surveys.listings.iter().enumerate() {
        let mut shut = Vec::new();
        for &id in &listing.paths {
            let Some((root, path, entry)) = path_of(surveys, id) else { continue };
            all.entry((*root, path.as_slice())).or_default().insert(number, id);
            if entry.closed && entry.kind == SurveyKind::Folder {
                shut.push((*root, path.as_slice()));
            }
        }
        hidden.push(shut);
    }
    let root_of = |listing: &HostListing, root: usize| {
        listing
            .roots
            .get(root)
            .and_then(|&id| surveys.roots.get_index(usize::try_from(id).unwrap_or_default()))
    };
    for (root, name) in by.names.iter().enumerate() {
        let mut told = DriftRoot { name: name.clone(), ..DriftRoot::default() };
        let states = by.grouped(|host| listing(host).and_then(|listing| root_of(listing, root)));
        told.is_folder = states.iter().any(|(state, _)| **state == SurveyRootKey::Folder);
        for (state, hosts) in &states {
            if let SurveyRootKey::Closed(said) = state {
                let names = range::fold(&hosts.iter().map(|host| host.as_str()).collect::<Vec<_>>());
                drift.uncompared.push(format!("{name} on {names}: {said}"));
            }
        }
        if !states.is_empty() && states.iter().all(|(state, _)| **state == SurveyRootKey::Missing) {
            drift.uncompared.push(format!("{name}: it is on none of the hosts"));
        }
        let closed = |host: &HostName| {
            listing(host)
                .is_some_and(|listing| matches!(root_of(listing, root), Some(SurveyRootKey::Closed(_))))
        };
        let from = all.range((root, [].as_slice())..).take_while(|((at, _), _)| *at == root);
        for ((_, path), found) in from {
            // A host that does not let it be seen takes no part here, and is named as one that could not be compared.
            let here = |host: &HostName| {
                let number = *surveys.hosts.get(host)?;
                let shut = hidden.get(number).map(Vec::as_slice).unwrap_or_default();
                let under = |&(at, above): &(usize, &[u8])| at == root && is_below(path, above);
                match found.get(&number) {
                    Some(&id) => Some(Here::Path(id)),
                    None if closed(host) || shut.iter().any(under) => None,
                    None => Some(Here::Nothing),
                }
            };
            let mut groups = by.grouped(here);
            if by.reference == DriftReference::Majority {
                // What nobody could read is no measure for others.
                groups.sort_by_key(|(here, _)| is_closed(surveys, here));
            }
            let whole = shown_path(name, path);
            note_closed(&mut drift, surveys, &groups, &whole);
            let [(first, _), _, ..] = groups.as_slice() else {
                told.same += 1;
                continue;
            };
            let way = match first {
                Here::Nothing => DriftWay::Added,
                Here::Path(_) if groups.iter().any(|(here, _)| *here == Here::Nothing) => DriftWay::Missing,
                Here::Path(_) => DriftWay::Differs,
            };
            match way {
                DriftWay::Differs => told.differ += 1,
                DriftWay::Added => told.added += 1,
                DriftWay::Missing => told.missing += 1,
            }
            if let Some(above) = enclosing(&mut drift.items, root, &whole, &groups, by) {
                above.below += 1;
                continue;
            }
            let texts = texts(surveys, &groups, contents, root, path, &mut needs);
            let groups = groups.iter().zip(texts).map(|((here, hosts), text)| DriftGroup {
                hosts: by.names_of(hosts),
                what: what(surveys, here),
                text,
            });
            drift.items.push(DriftItem { root, path: whole, way, below: 0, groups: groups.collect() });
        }
        drift.roots.push(told);
    }
    (drift, needs)
}

fn path_of(surveys: &SurveysOfHosts, id: u32) -> Option<&(usize, Vec<u8>, SurveyEntry)> {
    surveys.paths.get_index(usize::try_from(id).ok()?)
}

fn is_closed(surveys: &SurveysOfHosts, here: &Here) -> bool {
    match here {
        Here::Path(id) => path_of(surveys, *id).is_some_and(|(_, _, entry)| entry.closed),
        Here::Nothing => false,
    }
}

fn is_below(path: &[u8], above: &[u8]) -> bool {
    above.is_empty() && !path.is_empty()
        || path.strip_prefix(above).is_some_and(|rest| rest.starts_with(b"/"))
}

/// A path for people. What is no text in it is told as bytes.
fn shown_path(root: &str, below: &[u8]) -> String {
    if below.is_empty() {
        return root.to_owned();
    }
    let mut text = root.trim_end_matches('/').to_owned();
    text.push('/');
    for chunk in below.utf8_chunks() {
        text.push_str(chunk.valid());
        chunk.invalid().iter().for_each(|byte| text.push_str(&format!("\\x{byte:02x}")));
    }
    text
}

/// Says where something could not be read: what is not known is not the same.
fn note_closed(drift: &mut Drift, surveys: &SurveysOfHosts, groups: &[(Here, Vec<&HostName>)], path: &str) {
    for (here, hosts) in groups {
        let Here::Path(id) = here else { continue };
        let Some((_, _, entry)) = path_of(surveys, *id).filter(|(_, _, entry)| entry.closed) else {
            continue;
        };
        let names = range::fold(&hosts.iter().map(|host| host.as_str()).collect::<Vec<_>>());
        let why = if entry.kind == SurveyKind::Folder { "may not be listed" } else { "cannot be read" };
        drift.uncompared.push(format!("{path} on {names}: {why}"));
    }
}

/// The folder above that the same hosts lack: what is in it needs no line of its own.
fn enclosing<'d>(
    items: &'d mut [DriftItem],
    root: usize,
    path: &str,
    groups: &[(Here, Vec<&HostName>)],
    by: &ComparedBy<'_>,
) -> Option<&'d mut DriftItem> {
    let [one, other] = groups else { return None };
    if one.0 != Here::Nothing && other.0 != Here::Nothing {
        return None;
    }
    let names = [by.names_of(&one.1), by.names_of(&other.1)];
    let above = items.iter_mut().rev().find(|item| {
        item.root == root && path.strip_prefix(item.path.as_str()).is_some_and(|rest| rest.starts_with('/'))
    })?;
    let same = above.groups.len() == 2
        && above.way != DriftWay::Differs
        && above.groups.iter().zip(&names).all(|(group, names)| group.hosts == *names);
    same.then_some(above)
}

/// What is at a path, in words.
fn what(surveys: &SurveysOfHosts, here: &Here) -> String {
    let entry = match here {
        Here::Nothing => return "missing".to_owned(),
        Here::Path(id) => match path_of(surveys, *id) {
            Some((_, _, entry)) => entry,
            None => return String::new(),
        },
    };
    let mut words = Vec::new();
    if entry.kind != SurveyKind::File {
        words.push(entry.kind.word().to_owned());
    }
    if let Some(target) = &entry.target {
        words.push(format!("→ {}", String::from_utf8_lossy(target)));
    }
    let mode = entry.mode.map(|mode| format!("{mode:04o}"));
    let attributes: Vec<String> = mode.into_iter().chain(entry.owner.clone()).collect();
    if !attributes.is_empty() {
        words.push(attributes.join(" "));
    }
    words.extend(entry.size.map(|size| if size == 0 { "empty".to_owned() } else { bytes_of(size) }));
    match entry.hash {
        Some(hash) => words.push(format!("sha256 {:.8}", hash.to_string())),
        None if entry.closed && entry.kind == SurveyKind::Folder => {
            words.push("may not be listed".to_owned())
        }
        None if entry.closed => words.push("cannot be read".to_owned()),
        None => {}
    }
    words.join(", ")
}

/// The contents of a path's groups, where there are at least two to compare.
fn texts(
    surveys: &SurveysOfHosts,
    groups: &[(Here, Vec<&HostName>)],
    contents: Option<&DriftContents>,
    root: usize,
    path: &[u8],
    needs: &mut Vec<DriftNeed>,
) -> Vec<DriftText> {
    let entry = |here: &Here| match here {
        Here::Path(id) => path_of(surveys, *id).map(|(_, _, entry)| entry),
        Here::Nothing => None,
    };
    let hashes: Vec<Option<SurveyHash>> =
        groups.iter().map(|(here, _)| entry(here).and_then(|entry| entry.hash)).collect();
    let first = hashes.iter().flatten().next();
    if hashes.iter().flatten().all(|hash| Some(hash) == first) {
        return vec![DriftText::None; groups.len()];
    }
    let of = |((here, hosts), hash): (&(Here, Vec<&HostName>), &Option<SurveyHash>)| {
        let (Some(hash), Some(entry)) = (hash, entry(here)) else { return DriftText::None };
        if entry.size.is_some_and(|size| size > TEXT_MAX) {
            return DriftText::Note("too long to show");
        }
        let Some(contents) = contents else {
            // One host is enough, whatever else the others have there.
            let hosts = hosts.iter().map(|&host| host.clone());
            let room = needs.len() < READ_MAX;
            match needs.iter_mut().find(|need| need.hash == *hash) {
                Some(need) if need.root == root && need.path == path => need.hosts.extend(hosts),
                Some(_) => {}
                None if room => {
                    needs.push(DriftNeed { root, path: path.to_vec(), hash: *hash, hosts: hosts.collect() });
                }
                None => {}
            }
            return DriftText::None;
        };
        match contents.get(hash) {
            Some(data) => DriftText::of(data),
            None => DriftText::Note("not read"),
        }
    };
    groups.iter().zip(&hashes).map(of).collect()
}

/// Puts outputs of a command beside each other.
pub fn compare_outputs(by: &ComparedBy<'_>, outputs: &OutputsOfHosts) -> Drift {
    let mut drift = Drift { title: by.title.clone(), against: by.against(), ..Drift::default() };
    drift.hosts = by.hosts.iter().filter(|host| outputs.hosts.contains_key(*host)).count();
    let groups = by.grouped(|host| outputs.hosts.get(host).copied());
    let mut told = DriftRoot { name: by.title.clone(), ..DriftRoot::default() };
    if groups.len() < 2 {
        told.same = groups.len();
    } else {
        told.differ = 1;
        let text = |id: Option<usize>| {
            let Some(text) = id.and_then(|id| outputs.texts.get(id)) else { return DriftText::of(b"") };
            text.whole().map_or(DriftText::Note("too long to show"), DriftText::of)
        };
        let size = |id: Option<usize>| match id.and_then(|id| outputs.texts.get(id)) {
            None => "no output".to_owned(),
            Some(text) => {
                let lines = text.whole().map(|text| text.split_inclusive(|&byte| byte == b'\n').count());
                lines.map_or_else(|| bytes_of(text.total()), |lines| counted(lines, "line"))
            }
        };
        let groups = groups.iter().map(|(id, hosts)| DriftGroup {
            hosts: by.names_of(hosts),
            what: size(*id),
            text: text(*id),
        });
        let groups = groups.collect();
        drift.items.push(DriftItem {
            root: 0,
            path: by.title.clone(),
            way: DriftWay::Differs,
            below: 0,
            groups,
        });
    }
    drift.roots.push(told);
    drift
}
