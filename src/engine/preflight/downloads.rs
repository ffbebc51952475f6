//! Where downloads are written: no two hosts may write to one local path, and no two sources of one step.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

use indexmap::{IndexMap, IndexSet};

use crate::engine::planner::name_hosts;
use crate::engine::preflight::disk::{self, Disk, FileProblem, is_glob};
use crate::engine::preflight::found::Found;
use crate::engine::preflight::known::{Known, Member, Text, WhenRuns};
use crate::model::files::Get;

/// What earlier downloads of a run have written.
#[derive(Default)]
pub(super) struct Downloads {
    /// The hosts that write to each path, as indices into the plan's and with their names.
    written: HashMap<PathBuf, IndexMap<usize, String>>,
}

impl Downloads {
    /// Takes a step in; notes where it writes what another host, or another of its sources, writes too.
    pub(super) fn step<'a>(
        &mut self,
        known: &Known<'a>,
        disk: &mut Disk,
        found: &mut Found,
        members: &[Member<'a>],
        get: &Get,
    ) {
        let sources: Vec<Text<'_>> = get.from.iter().map(Text::new).collect();
        let mut touched: IndexSet<PathBuf> = IndexSet::new();
        let mut example = None;
        let mut doubled: Option<FileProblem> = None;
        for (member, to) in targets(known, disk, members, get) {
            let mut own: HashMap<PathBuf, String> = HashMap::new();
            for source in &sources {
                let source = known.render(source, member);
                let Some(path) = to.path_of(source.as_deref()) else { continue };
                if let Some(source) = source.filter(|source| !source.ends_with('/'))
                    && let Some(other) = own.insert(path.clone(), source.to_string())
                    && other != source
                {
                    doubled
                        .get_or_insert_with(|| two_sources(&path, &other, &source, get.to.position.line > 0));
                }
                self.written.entry(path.clone()).or_default().insert(member.host, member.name.to_owned());
                touched.insert(path);
            }
            example.get_or_insert(to);
        }
        if let Some(problem) = doubled {
            found.whole((get.to.position.clone(), problem));
        }
        // One message for the step: what helps one path helps them all.
        let shared = touched.iter().find_map(|path| {
            let hosts = self.written.get(path).filter(|hosts| hosts.len() > 1)?;
            Some((path, hosts))
        });
        if let (Some((path, hosts)), Some(to)) = (shared, example) {
            let many = if hosts.len() == 2 { "two".to_owned() } else { hosts.len().to_string() };
            let names = name_hosts(hosts.values().map(String::as_str));
            let message = format!("{many} hosts would write to {}: {names}", path.display());
            let help = to.apart(get.to.position.line > 0);
            found.whole((get.to.position.clone(), FileProblem { message, help: Some(help) }));
        }
    }

    /// The hosts whose downloads have nowhere to go.
    pub(super) fn unwritable<'m, 'a>(
        &self,
        known: &Known<'a>,
        disk: &mut Disk,
        members: &'m [Member<'a>],
        get: &Get,
    ) -> Vec<(&'m Member<'a>, FileProblem)> {
        let mut seen: HashMap<PathBuf, Result<(), FileProblem>> = HashMap::new();
        let running = targets(known, disk, members, get).into_iter();
        running
            .filter(|(member, _)| member.runs == WhenRuns::Yes)
            .filter_map(|(member, to)| {
                let folder = to.folder_written().to_owned();
                let verdict = seen.entry(folder).or_insert_with_key(|folder| disk::writable(folder));
                verdict.clone().err().map(|problem| (member, problem))
            })
            .collect()
    }
}

/// The local path of a download on one host.
struct Target {
    /// As the user wrote it, filled in.
    text: String,
    path: PathBuf,
    is_folder: bool,
}

impl Target {
    /// Where a source goes; not known when the name of what goes into a folder is not.
    fn path_of(&self, source: Option<&str>) -> Option<PathBuf> {
        if !self.is_folder {
            return Some(self.path.clone());
        }
        let source = source?;
        let name = source.rsplit('/').next().unwrap_or_default();
        Some(if name.is_empty() { self.path.clone() } else { self.path.join(name) })
    }

    fn folder_written(&self) -> &Path {
        if self.is_folder { &self.path } else { self.path.parent().unwrap_or(Path::new("")) }
    }

    /// How to keep hosts apart.
    fn apart(&self, in_file: bool) -> String {
        let folder = if self.is_folder {
            self.text.trim_end_matches('/')
        } else {
            self.text.rsplit_once('/').map_or("", |(folder, _)| folder)
        };
        let slash = if folder.is_empty() && !self.text.starts_with('/') { "" } else { "/" };
        if in_file {
            format!("put {{{{ host }}}} in \"to\", as in \"{folder}{slash}{{{{ host }}}}/\"")
        } else {
            format!("put {{host}} in the local path, as in {folder}{slash}{{host}}/")
        }
    }
}

/// The targets of the hosts that may run the step, where they are known.
fn targets<'m, 'a>(
    known: &Known<'a>,
    disk: &mut Disk,
    members: &'m [Member<'a>],
    get: &Get,
) -> Vec<(&'m Member<'a>, Target)> {
    let (to, sources) = (Text::new(&get.to), get.from.iter().map(Text::new).collect::<Vec<_>>());
    let running = members.iter().filter(|member| member.runs != WhenRuns::No);
    running
        .filter_map(|member| {
            let text = known.local(&known.render(&to, member)?);
            let path = normal(&known.folder(member)?.join(&text));
            let mut rendered = sources.iter().filter_map(|source| known.render(source, member));
            let many = sources.len() > 1 || rendered.any(|source| is_glob(&source));
            let is_folder = many || text.ends_with('/') || disk.is_folder(&path);
            Some((member, Target { text, path, is_folder }))
        })
        .collect()
}

/// The path without `.` and doubled or final slashes. `..` stays: links may stand before it.
fn normal(path: &Path) -> PathBuf {
    path.components().filter(|component| *component != Component::CurDir).collect()
}

fn two_sources(path: &Path, first: &str, second: &str, in_file: bool) -> FileProblem {
    let help = if in_file {
        "give each its own step and folder"
    } else {
        "fetch them one at a time, each into its own folder"
    };
    FileProblem {
        message: format!("two sources would write to {}: {first}, {second}", path.display()),
        help: Some(help.to_owned()),
    }
}
