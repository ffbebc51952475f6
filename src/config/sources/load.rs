//! Reads sources one after the other into one inventory.

use std::fmt;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::config::findings::{Diagnostics, Findings, Loaded};
use crate::config::foreign::{WantedFile, recognised};
use crate::config::inventory::InventoryFile;
use crate::config::source;
use crate::config::sources::ansible::{AnsibleInventory, AnsibleListing, Vault, VaultPassword};
use crate::config::sources::cache::{SourceAnswer, SourceCache};
use crate::config::sources::clush::{self, ClushConfig};
use crate::config::sources::kind::{InventoryKind, SourcePlace, SourceSpec, of_text};
use crate::config::sources::program::{self, RunningSource};
use crate::config::sources::{list, named};
use crate::config::ssh_config::{Local, Sources, SshConfig};
use crate::config::vars::read_value;
use crate::model::duration;
use crate::model::inventory::{CachedSource, Inventory};
use crate::model::position::Diagnostic;
use crate::model::range::MAX_HOSTS;
use crate::model::target::role_members;
use crate::model::template::{Builtins, Templates};

/// What Ansible passes over in a folder of inventories, by its beginning or its whole name.
const NO_SOURCES: [&str; 3] = ["group_vars", "host_vars", "vars_plugins"];
/// And by its ending (`INVENTORY_IGNORE_EXTS`).
const NO_ENDINGS: [&str; 13] =
    [".pyc", ".pyo", ".swp", ".bak", "~", ".rpm", ".md", ".txt", ".rst", ".orig", ".ini", ".cfg", ".retry"];

/// Programs that are asked about hosts one by one, at a time.
const AT_A_TIME: usize = 8;

/// A path from the root on, without `.` and `..`; links in it are not followed.
fn whole(path: &Path) -> PathBuf {
    let mut whole = PathBuf::new();
    for part in std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).components() {
        match part {
            Component::ParentDir => drop(whole.pop()),
            part => whole.push(part),
        }
    }
    whole
}

/// How sources are read.
pub struct SourceOptions {
    /// How many hosts there may be.
    pub max_hosts: usize,
    /// Passwords of Ansible's vaults.
    pub vault: Vec<VaultPassword>,
    /// What templates in connection variables may ask of the world.
    pub builtins: Builtins,
    /// The operator's machine, for `ssh:`.
    pub local: Option<Local>,
    /// Whether programs are run; where not, they have the hosts that are cached.
    pub runs_programs: bool,
    /// The folder of caches; none where nothing is to be kept.
    pub caches: Option<PathBuf>,
    /// Ask programs again, whatever is cached.
    pub refresh: bool,
    /// How old a cached answer may be when its program fails.
    pub stale_ok: Option<Duration>,
}

impl SourceOptions {
    /// Without secrets and without a world.
    pub fn bare(max_hosts: usize) -> Self {
        let (env, yaml) = (Arc::new(|_: &str| None), Arc::new(read_value));
        let builtins = Builtins { env, yaml, ..Builtins::default() };
        Self {
            max_hosts,
            vault: Vec::new(),
            builtins,
            local: None,
            runs_programs: true,
            caches: None,
            refresh: false,
            stale_ok: None,
        }
    }
}

impl fmt::Debug for SourceOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourceOptions").field("max_hosts", &self.max_hosts).finish_non_exhaustive()
    }
}

/// Reads an inventory file of any kind; its ranges may expand to `max_hosts` hosts.
///
/// # Errors
/// Everything that is wrong with the file.
pub fn load_inventory(path: &Path, max_hosts: usize) -> Result<Loaded<Inventory>, Diagnostics> {
    load_sources(&[SourceSpec::path(path)], SourceOptions::bare(max_hosts))
}

/// Reads an inventory of fan's own from text; `name` stands for the file in messages and for relative paths. Other
/// sources that it names are checked, and not read.
///
/// # Errors
/// Everything that is wrong with the text.
pub fn load_inventory_text(name: &str, text: &str) -> Result<Loaded<Inventory>, Diagnostics> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let file = InventoryFile::compose(&Arc::from(name), text)?;
    let mut findings = Findings::default();
    if let Some(sources) = file.sources() {
        named::read(sources, &file.base(), &mut findings);
    }
    let Loaded { value, warnings } = file.read(MAX_HOSTS, Inventory::empty(), true)?;
    warnings.into_iter().for_each(|warning| findings.warn(warning));
    findings.finish(value)
}

/// Reads sources in their order into one inventory. What stands in several is merged, and the last one holds.
///
/// Programs among them run side by side.
///
/// # Errors
/// Everything that is wrong with any of them.
pub fn load_sources(specs: &[SourceSpec], options: SourceOptions) -> Result<Loaded<Inventory>, Diagnostics> {
    let mut loader = SourceLoader {
        max_hosts: options.max_hosts,
        templates: Arc::new(Templates::new(&options.builtins)),
        local: options.local,
        vault: Vault::new(options.vault),
        inventory: Inventory::empty(),
        ansible: None,
        findings: Findings::default(),
        first: None,
        runs_programs: options.runs_programs,
        cache: SourceCache::within(options.caches.as_deref()),
        refresh: options.refresh,
        stale_ok: options.stale_ok,
        cached: Vec::new(),
        ran: Vec::new(),
        within: Vec::new(),
        is_broken: false,
    };
    loader.all(specs);
    loader.finish()
}

/// Where the hosts of a program come from.
enum AskedSource {
    Cached(SourceAnswer),
    Running(Result<RunningSource, String>),
}

/// Hears what a program answers to `--list`, and to `--host` where that is not all.
fn heard(
    name: &Arc<str>,
    path: &Path,
    running: Result<RunningSource, String>,
) -> Result<(AnsibleListing, SourceAnswer), Vec<Diagnostic>> {
    let list = running.and_then(|running| running.finish(program::PATIENCE)).map_err(|why| {
        vec![Diagnostic::bare(format!("{name} --list {why}")).help(format!("run it by hand: {name} --list"))]
    })?;
    let listing = AnsibleListing::parse(name, &list).map_err(|error| vec![error])?;
    let (mut hosts, mut problems) = (Vec::new(), Vec::new());
    for some in listing.unasked().chunks(AT_A_TIME) {
        let running: Vec<_> = some.iter().map(|host| program::start(path, &["--host", host])).collect();
        for (host, running) in some.iter().zip(running) {
            match running.and_then(|running| running.finish(program::PATIENCE)) {
                Ok(answer) => hosts.push((host.clone(), answer)),
                Err(why) => problems.push(Diagnostic::bare(format!("{name} --host {host} {why}"))),
            }
        }
    }
    if problems.is_empty() { Ok((listing, SourceAnswer::new(path, list, hosts))) } else { Err(problems) }
}

struct SourceLoader {
    max_hosts: usize,
    templates: Arc<Templates>,
    local: Option<Local>,
    vault: Vault,
    inventory: Inventory,
    /// Sources of Ansible's that follow each other are one inventory, by Ansible's rules.
    ansible: Option<AnsibleInventory>,
    findings: Findings,
    /// The name of the first source.
    first: Option<Arc<str>>,
    runs_programs: bool,
    cache: SourceCache,
    refresh: bool,
    stale_ok: Option<Duration>,
    /// The programs whose answers came from the cache.
    cached: Vec<CachedSource>,
    /// The commands that were run.
    ran: Vec<String>,
    /// The files of fan's that are being read, each named by the one before.
    within: Vec<PathBuf>,
    /// Something was wrong with a source.
    is_broken: bool,
}

impl SourceLoader {
    /// Reads sources one after the other. Their programs run at the same time.
    fn all(&mut self, specs: &[SourceSpec]) {
        let started: Vec<_> = specs.iter().map(|spec| self.start(spec)).collect();
        for (spec, asked) in specs.iter().zip(started) {
            let before = std::mem::take(&mut self.findings);
            self.load(spec, asked);
            if let Some(at) = &spec.named {
                self.findings.place(at);
            }
            let found = std::mem::replace(&mut self.findings, before);
            self.is_broken |= found.any();
            self.findings.absorb(found);
        }
    }

    /// Starts a program, unless its last answer is young enough.
    fn start(&self, spec: &SourceSpec) -> Option<AskedSource> {
        let path = spec.file().filter(|_| spec.is_program())?;
        if !self.runs_programs {
            return self.cache.get(path, Duration::MAX).map(AskedSource::Cached);
        }
        let kept = spec.cache.filter(|_| !self.refresh).and_then(|most| self.cache.get(path, most));
        Some(match kept.filter(|kept| kept.is_of(path)) {
            Some(kept) => AskedSource::Cached(kept),
            None => AskedSource::Running(program::start(path, &["--list"])),
        })
    }

    fn load(&mut self, spec: &SourceSpec, asked: Option<AskedSource>) {
        let name: Arc<str> = match &spec.at {
            SourcePlace::Path(path) => Arc::from(path.to_string_lossy()),
            SourcePlace::Stdin => Arc::from("(stdin)"),
            SourcePlace::Hosts(_) => Arc::from("-i"),
        };
        self.first.get_or_insert_with(|| Arc::clone(&name));
        if let Some(path) = spec.file() {
            self.inventory.files.insert(Arc::clone(&name), Arc::from(whole(path).to_string_lossy()));
        }
        match &spec.at {
            SourcePlace::Hosts(hosts) => {
                let max_hosts = self.max_hosts;
                let ansible = self.ansible.get_or_insert_with(|| AnsibleInventory::new(max_hosts));
                ansible.hosts(&name, hosts, &mut self.findings);
            }
            SourcePlace::Stdin => {
                let read = source::drain_up_to(std::io::stdin(), source::MAX_BYTES_OF_HOSTS)
                    .map_err(|reason| Diagnostic::bare(format!("(stdin): {reason}")));
                match read.and_then(|bytes| source::decode(&name, &bytes)) {
                    Ok(text) => self.text(spec.kind, &name, None, text),
                    Err(error) => self.findings.push(error),
                }
            }
            SourcePlace::Path(path) => match asked {
                Some(AskedSource::Cached(answer)) => self.cached(&name, path, answer),
                Some(AskedSource::Running(running)) => self.program(spec, &name, path, running),
                None if spec.is_program() => {}
                None => self.path(spec.kind, &name, path),
            },
        }
    }

    fn path(&mut self, kind: Option<InventoryKind>, name: &Arc<str>, path: &Path) {
        match kind {
            Some(InventoryKind::Ssh) => return self.ssh(path),
            Some(InventoryKind::Clush) => return self.clush(path),
            _ => {}
        }
        if fs::metadata(path).is_ok_and(|meta| meta.is_dir()) {
            return self.folder(path);
        }
        match source::read_hosts(path) {
            Ok(source) => self.text(kind, name, Some(path), source.text),
            Err(error) => self.findings.push(error),
        }
    }

    fn text(&mut self, kind: Option<InventoryKind>, name: &Arc<str>, path: Option<&Path>, text: String) {
        let kind = match kind {
            Some(InventoryKind::Ansible) => match of_text(path, &text) {
                InventoryKind::Own => InventoryKind::Yaml,
                InventoryKind::List => InventoryKind::Ini,
                kind => kind,
            },
            Some(kind) => kind,
            None => of_text(path, &text),
        };
        let max_hosts = self.max_hosts;
        let mut findings = Findings::default();
        let whole = text.clone();
        match kind {
            InventoryKind::Own => self.own(name, path, &text, &mut findings),
            InventoryKind::Ini | InventoryKind::Yaml | InventoryKind::Listing => {
                let ansible = self.ansible.get_or_insert_with(|| AnsibleInventory::new(max_hosts));
                ansible.beside(path.and_then(Path::parent).unwrap_or(Path::new("")));
                match kind {
                    InventoryKind::Ini => ansible.ini(name, text, &self.vault, &mut findings),
                    InventoryKind::Yaml => ansible.yaml(name, text, &self.vault, &mut findings),
                    _ => {
                        // Without `_meta`, hosts have no variables: nobody can be asked.
                        match AnsibleListing::parse(name, &text) {
                            Ok(listing) => ansible.listing(name, listing, &self.vault, &mut findings),
                            Err(error) => findings.push(error),
                        }
                    }
                }
            }
            // Many a text is a list of something.
            InventoryKind::List if let Some(other) = recognised(name, &text, WantedFile::Inventory) => {
                findings.push(other);
            }
            InventoryKind::List => {
                let hosts = list::read(name, &text, max_hosts, &mut findings);
                let ansible = self.ansible.get_or_insert_with(|| AnsibleInventory::new(max_hosts));
                for host in hosts {
                    ansible.listed(&host.name, host.user.as_deref(), host.port, &host.at);
                }
            }
            InventoryKind::Clush if let Some(path) = path => self.clush(path),
            InventoryKind::Ansible | InventoryKind::Program | InventoryKind::Ssh | InventoryKind::Clush => {
                let message = format!("{name}: exec:, ssh: and clush: take the path of a file");
                self.findings.push(Diagnostic::bare(message));
            }
        }
        // What is wrong with another tool's file as an inventory helps nobody.
        let other = findings.any().then(|| recognised(name, &whole, WantedFile::Inventory));
        match other.flatten() {
            Some(other) => self.findings.push(other),
            None => self.findings.absorb(findings),
        }
    }

    /// A file of fan's: first the sources that it names, then what it says itself.
    fn own(&mut self, name: &Arc<str>, path: Option<&Path>, text: &str, findings: &mut Findings) {
        let refused =
            |errors: Diagnostics, findings: &mut Findings| findings.extend(errors.errors().iter().cloned());
        let file = match InventoryFile::compose(name, text) {
            Ok(file) => file,
            Err(errors) => return refused(errors, findings),
        };
        if let Some(node) = file.sources() {
            let here = path.map(|path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()));
            if here.as_ref().is_some_and(|here| self.within.contains(here)) {
                return findings.push(Diagnostic::bare(format!("{name} is a source of itself")));
            }
            let specs = named::read(node, &file.base(), findings);
            let depth = self.within.len();
            self.within.extend(here);
            self.all(&specs);
            self.within.truncate(depth);
        }
        self.settle();
        let below = std::mem::replace(&mut self.inventory, Inventory::empty());
        match file.read(self.max_hosts, below, !self.is_broken) {
            Ok(Loaded { value, warnings }) => {
                self.inventory = value;
                warnings.into_iter().for_each(|warning| findings.warn(warning));
            }
            Err(errors) => refused(errors, findings),
        }
    }

    /// A folder of sources, in the order of their names, as Ansible reads it.
    fn folder(&mut self, folder: &Path) {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => {
                let message = format!("{}: cannot read: {error}", folder.display());
                return self.findings.push(Diagnostic::bare(message));
            }
        };
        let mut names: Vec<String> =
            entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        names.retain(|name| {
            !name.starts_with('.')
                && !NO_SOURCES.contains(&name.as_str())
                && !NO_ENDINGS.iter().any(|ending| name.ends_with(ending))
        });
        if names.is_empty() {
            let message = format!("{}: no inventory in this folder", folder.display());
            let help = "as with Ansible, names with .ini, .cfg, .txt and .md are passed over in a folder; name the file";
            return self.findings.push(Diagnostic::bare(message).help(help));
        }
        let specs: Vec<SourceSpec> = names.iter().map(|name| SourceSpec::path(&folder.join(name))).collect();
        self.all(&specs);
        let max_hosts = self.max_hosts;
        self.ansible.get_or_insert_with(|| AnsibleInventory::new(max_hosts)).beside(folder);
    }

    /// Hears a program to its end, and keeps its answer where that is wanted.
    fn program(
        &mut self,
        spec: &SourceSpec,
        name: &Arc<str>,
        path: &Path,
        running: Result<RunningSource, String>,
    ) {
        self.ran.push(format!("{name} --list"));
        let (listing, answer) = match heard(name, path, running) {
            Ok(heard) => heard,
            Err(problems) => return self.failed(name, path, problems),
        };
        if spec.cache.is_some() || self.stale_ok.is_some() {
            let mut warn = |message: String| self.findings.warn(Diagnostic::bare(message));
            let has_password =
                |text: &str| AnsibleListing::parse(name, text).is_ok_and(|it| it.has_password());
            if listing.has_password() || answer.hosts.iter().any(|(_, text)| has_password(text)) {
                warn(format!("{name} prints passwords: its answer is not kept"));
            } else if let Err(error) = self.cache.put(path, &answer) {
                warn(format!("the answer of {name} cannot be kept: {error}"));
            }
        }
        self.answered(name, path, listing, &answer);
    }

    /// Takes the last good answer of a program that failed, where the user said that it may be old.
    fn failed(&mut self, name: &Arc<str>, path: &Path, problems: Vec<Diagnostic>) {
        let Some(most) = self.stale_ok else { return self.findings.extend(problems) };
        let kept = self.cache.get(path, Duration::MAX);
        let age = kept.as_ref().and_then(SourceAnswer::age);
        match (kept, age) {
            (Some(answer), Some(age)) if age <= most => {
                for problem in problems {
                    let help = format!("its hosts are those of {} ago (--stale-ok)", duration::show(age));
                    self.findings.warn(Diagnostic { help: Some(help), ..problem });
                }
                self.cached(name, path, answer);
            }
            (kept, age) => {
                let why = match (kept, age) {
                    (Some(_), Some(age)) => format!("its last answer is {} old", duration::show(age)),
                    _ => "no answer of it is kept".to_owned(),
                };
                let limit = duration::show(most);
                self.findings.extend(
                    problems
                        .into_iter()
                        .map(|problem| problem.help(format!("--stale-ok {limit} does not help: {why}"))),
                );
            }
        }
    }

    fn cached(&mut self, name: &Arc<str>, path: &Path, answer: SourceAnswer) {
        match AnsibleListing::parse(name, &answer.list) {
            Ok(listing) => {
                let age = answer.age().unwrap_or_default();
                self.cached.push(CachedSource { name: Arc::clone(name), age });
                self.answered(name, path, listing, &answer);
            }
            Err(error) => self.findings.push(error),
        }
    }

    fn answered(&mut self, name: &Arc<str>, path: &Path, listing: AnsibleListing, answer: &SourceAnswer) {
        let max_hosts = self.max_hosts;
        let ansible = self.ansible.get_or_insert_with(|| AnsibleInventory::new(max_hosts));
        ansible.beside(path.parent().unwrap_or(Path::new("")));
        ansible.listing(name, listing, &self.vault, &mut self.findings);
        for (host, text) in &answer.hosts {
            ansible.host_listing(name, host, text, &self.vault, &mut self.findings);
        }
    }

    /// The hosts that an ssh_config names. How they are reached, it says itself.
    fn ssh(&mut self, path: &Path) {
        let Some(local) = &self.local else { return };
        match SshConfig::load(&Sources::File(path.to_owned()), local) {
            Ok(config) => {
                let max_hosts = self.max_hosts;
                let ansible = self.ansible.get_or_insert_with(|| AnsibleInventory::new(max_hosts));
                for (name, at) in config.names() {
                    ansible.listed(&name, None, None, &at);
                }
            }
            Err(errors) => errors.errors().iter().for_each(|error| self.findings.push(error.clone())),
        }
    }

    /// The groups of clush. Where no program may run, those in files alone.
    fn clush(&mut self, path: &Path) {
        self.settle();
        let mut config = ClushConfig::load(path, &mut self.findings);
        if !self.runs_programs {
            config.drop_upcalls();
        }
        self.ran.extend(clush::onto(&mut self.inventory, &config, self.max_hosts, &mut self.findings));
    }

    /// Takes over what Ansible's sources said so far.
    fn settle(&mut self) {
        if let Some(ansible) = self.ansible.take() {
            ansible.onto(&mut self.inventory, &self.templates, &self.vault, &mut self.findings);
        }
    }

    fn finish(mut self) -> Result<Loaded<Inventory>, Diagnostics> {
        self.settle();
        let Self { mut inventory, mut findings, first, vault, cached, ran, .. } = self;
        if let Some(first) = first {
            inventory.file = first;
        }
        inventory.hidden = vault.opened();
        inventory.cached = cached;
        inventory.ran = ran;
        if !findings.any() {
            if inventory.hosts.is_empty() {
                findings.push(Diagnostic::bare(format!("{}: no hosts in it", inventory.file)));
            } else {
                match role_members(&inventory.hosts, &inventory.roles) {
                    Ok(members) => inventory.members = members,
                    Err(errors) => errors.into_iter().for_each(|error| findings.push(error)),
                }
            }
        }
        findings.finish(inventory)
    }
}
