//! What all subcommands need: files found and read, hosts selected, settings of the command line.

use std::collections::HashSet;
use std::env;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use indexmap::IndexMap;
use rand::seq::IteratorRandom;

use crate::cli::args::{
    ConnectionArgs, Execution, HostKeysArg, InventoryArgs, LimitArg, PoolArg, SelectionArgs, SudoPasswordArg,
    TasksFile,
};
use crate::cli::error::{CliError, talk};
use crate::cli::secrets::vault::vault_passwords;
use crate::cli::stdin::STDIN;
use crate::cli::{ask, clock, found, snippet, state, stdin};
use crate::config::ssh_config::{ConfigAnswer, Local, Sources, SshConfig};
use crate::config::{self, Loaded, SourceOptions, SourceSpec};
use crate::engine::plan::{Changes, KnownFacts, Locking, Plan};
use crate::engine::planner::{Bounds, Consulted, DEFAULT_POOL, Operator, Picking, Request, SshConfigSource};
use crate::engine::preflight;
use crate::model::given::Given;
use crate::model::inventory::Inventory;
use crate::model::position::Diagnostic;
use crate::model::secret::{SecretSource, Secrets};
use crate::model::settings::{GatewaySetting, HostKeyPolicy, Origin, Settings, Sourced, TimeLimit};
use crate::model::shard::Shard;
use crate::model::task::{Share, TaskFile};
use crate::model::template::{Builtins, Layer, Templates};
use crate::model::{name, range, target};
use crate::ssh::keys::{DEFAULT_IDENTITIES, Keyring, holds_key};

/// Bytes of a list of hosts that comes on stdin.
const MAX_LIST: usize = 16 * 1024 * 1024;

/// Reads the sources that the user named, or the nearest `inventory.yaml` upward; none is an empty inventory.
pub(super) fn inventory(args: &InventoryArgs) -> Result<Inventory, CliError> {
    let mut specs: Vec<SourceSpec> = args.inventories.iter().map(|text| SourceSpec::parse(text)).collect();
    for path in specs.iter().filter_map(SourceSpec::file) {
        if let Some(key) = holds_key(path) {
            let path = path.display();
            return Err(Diagnostic::bare(format!("-i {path}: this is {key}, and -i names the inventory"))
                .help(format!("a key is named by --identity {path}"))
                .into());
        }
    }
    if specs.is_empty() {
        specs.extend(found::inventory_path(None)?.map(|path| SourceSpec::path(&path)));
    }
    if specs.is_empty() {
        return Ok(Inventory::empty());
    }
    let options = SourceOptions {
        max_hosts: args.max_hosts,
        vault: vault_passwords(&args.vault_passwords)?,
        builtins: builtins(),
        local: Some(local()),
        runs_programs: true,
        caches: state::cache_folder(),
        refresh: args.refresh,
        stale_ok: args.stale_ok,
    };
    Ok(told(config::load_sources(&specs, options)?))
}

/// What templates may ask of this machine, and the moment.
pub(super) fn builtins() -> Builtins {
    let env = Arc::new(|name: &str| env::var(name).ok());
    let home = env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    let file = Arc::new(move |path: &str| config::read_looked_up(path, home.as_deref()));
    Builtins { env, now: clock::now(), yaml: Arc::new(config::read_value), file }
}

/// Reads the tasks file that the user named, or the nearest `tasks.yaml` upward.
pub(super) fn tasks(named: Option<&Path>) -> Result<TaskFile, CliError> {
    match found::tasks_path(named)? {
        Some(path) => Ok(told(config::load_tasks(&path)?)),
        None => Err(found::no_tasks().into()),
    }
}

/// Reads inventory and tasks file; what is wrong with either is told in one pass.
pub(super) fn files(
    selection: &SelectionArgs,
    tasks_file: &TasksFile,
) -> Result<(Inventory, TaskFile), CliError> {
    let inventory = inventory(&selection.source);
    match (inventory, tasks(tasks_file.tasks_file.as_deref())) {
        (Ok(inventory), Ok(tasks)) => Ok((inventory, tasks)),
        (Err(CliError::Input(mut problems)), Err(CliError::Input(more))) => {
            problems.extend(more);
            Err(CliError::Input(problems))
        }
        (Err(error), _) | (_, Err(error)) => Err(error),
    }
}

/// Passes a file's value on and its warnings to the user.
pub(super) fn told<T>(loaded: Loaded<T>) -> T {
    for warning in &loaded.warnings {
        snippet::tell(warning);
    }
    loaded.value
}

/// Selects hosts by `-R`, `-H`, `-x`, `--limit`, `--pick` and `--shard`; `None` when the user named none.
pub(super) fn select(
    inventory: &mut Inventory,
    args: &SelectionArgs,
) -> Result<Option<Vec<usize>>, CliError> {
    let selected = select_whole(inventory, args)?;
    Ok(selected.map(|selected| in_shard(inventory, selected, args)))
}

/// Leaves the hosts of the slice.
fn in_shard(inventory: &Inventory, mut selected: Vec<usize>, args: &SelectionArgs) -> Vec<usize> {
    if let Some(shard) = args.shard {
        let hosts = &inventory.hosts;
        selected.retain(|&at| hosts.get(at).is_some_and(|host| shard.has(host.name.as_str())));
    }
    if let Some(only) = &args.only {
        selected.retain(|&at| inventory.hosts.get(at).is_some_and(|host| only.contains(&host.name)));
    }
    selected
}

/// Selects as [`select`] does, but hosts of all slices: which of them do a task, the planner says.
pub(super) fn select_whole(
    inventory: &mut Inventory,
    args: &SelectionArgs,
) -> Result<Option<Vec<usize>>, CliError> {
    read_lists(inventory, args)?;
    if args.roles.is_empty() && args.hosts.is_empty() && args.hosts_file.is_empty() {
        if args.limit.is_some() || args.pick.is_some() {
            return Err(CliError::input(
                "--limit and --pick need hosts to choose from: add -R, -H or --hosts-file",
            ));
        }
        return Ok(None);
    }
    let roles: Vec<String> =
        args.roles.iter().map(|role| format!("@{}", target::role_spelled(role))).collect();
    let lists: Vec<String> = args.hosts_file.iter().map(|file| format!("^{}", file.display())).collect();
    let include: Vec<&str> = roles.iter().chain(&args.hosts).chain(&lists).map(String::as_str).collect();
    selected(inventory, &include, args).map(Some)
}

/// Reads the files of hosts that the command line names, here or in its expressions.
fn read_lists(inventory: &mut Inventory, args: &SelectionArgs) -> Result<(), CliError> {
    let mut problems = Vec::new();
    for path in lists(args) {
        let name = path.to_string_lossy().into_owned();
        if inventory.lists.contains_key(&name) {
            continue;
        }
        if name.contains([',', '&', '!', '[', ']', '{', '}']) {
            let message = format!("--hosts-file {name}: its name reads like a target expression");
            problems.push(Diagnostic::bare(message).help("give the file another name"));
            continue;
        }
        let read = if name == STDIN {
            config::host_list("stdin", &stdin::whole("^-", MAX_LIST)?)
        } else {
            config::load_host_list(&path)
        };
        match read {
            Ok(hosts) => {
                if let Err(wrong) = target::admit_list(inventory, &name, &hosts, args.source.max_hosts) {
                    problems.extend(wrong);
                }
            }
            Err(wrong) => problems.extend(wrong),
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(CliError::Input(problems)) }
}

/// The files of hosts that the command line names.
pub(super) fn lists(args: &SelectionArgs) -> Vec<PathBuf> {
    let expressions = args.hosts.iter().chain(&args.exclude);
    let named = expressions.flat_map(|text| target::lists_in(text, args.source.max_hosts)).map(PathBuf::from);
    let mut lists: Vec<PathBuf> = args.hosts_file.iter().cloned().chain(named).collect();
    let mut seen = HashSet::new();
    lists.retain(|list| seen.insert(list.clone()));
    lists
}

/// The sources of hosts that are read from stdin.
pub(super) fn piped_sources(args: &SelectionArgs) -> impl Iterator<Item = &str> {
    args.source.inventories.iter().map(String::as_str).filter(|source| *source == STDIN)
}

/// Selects as [`select`] does, and the inventory's default targets when the user named none; that is told.
pub(super) fn select_or_default(
    inventory: &mut Inventory,
    args: &SelectionArgs,
) -> Result<Option<Vec<usize>>, CliError> {
    let named_none = args.roles.is_empty() && args.hosts.is_empty() && args.hosts_file.is_empty();
    let Some(first) = inventory.default_targets.first().filter(|_| named_none) else {
        return select(inventory, args);
    };
    let at = first.position.clone();
    read_lists(inventory, args)?;
    let targets = texts_of_defaults(inventory);
    let targets: Vec<&str> = targets.iter().map(String::as_str).collect();
    let found = selected(inventory, &targets, args).map(|found| in_shard(inventory, found, args))?;
    talk(&format!("no -R or -H: {} ({}:{} default_targets)", targets.join(","), at.file, at.line));
    Ok(Some(found))
}

/// The hosts that the inventory names for whoever names none; none when it does not.
pub(super) fn default_targets(inventory: &mut Inventory, max_hosts: usize) -> Result<Vec<usize>, CliError> {
    let targets = texts_of_defaults(inventory);
    if targets.is_empty() {
        return Ok(Vec::new());
    }
    let targets: Vec<&str> = targets.iter().map(String::as_str).collect();
    let found = target::select_within(inventory, &targets, &[], max_hosts);
    found.map_err(|errors| CliError::Input(errors.into_iter().map(Diagnostic::from).collect()))
}

fn texts_of_defaults(inventory: &Inventory) -> Vec<String> {
    inventory.default_targets.iter().map(|target| target.value.clone()).collect()
}

/// Selects as [`select`] does, and all hosts when the user named none.
pub(super) fn select_or_all(inventory: &mut Inventory, args: &SelectionArgs) -> Result<Vec<usize>, CliError> {
    match select(inventory, args)? {
        Some(selected) => Ok(selected),
        None if inventory.hosts.is_empty() => Err(no_hosts(inventory)),
        None => selected(inventory, &["all"], args).map(|all| in_shard(inventory, all, args)),
    }
}

/// The error of a command that was not told where to run.
pub(super) fn no_hosts(inventory: &Inventory) -> CliError {
    let (problem, help) = if inventory.hosts.is_empty() {
        (target::NO_INVENTORY, target::WITHOUT_INVENTORY)
    } else {
        ("no hosts selected", "name them: -R ROLE, -H HOSTS, or -H all")
    };
    Diagnostic::bare(problem).help(help).into()
}

fn selected(
    inventory: &mut Inventory,
    include: &[&str],
    args: &SelectionArgs,
) -> Result<Vec<usize>, CliError> {
    let exclude: Vec<&str> = args.exclude.iter().map(String::as_str).collect();
    let found = target::select_within(inventory, include, &exclude, args.source.max_hosts);
    let mut selected = found.map_err(|errors| {
        let problems = errors.into_iter().map(|error| {
            let caret = error.caret();
            let mut problem = Diagnostic::from(error);
            if let Some(caret) = caret {
                // The expression stands last, below what is to be said about it.
                if let Some(help) = problem.help.take() {
                    problem.message += &format!(" (help: {help})");
                }
                problem.message.extend(caret.lines().map(|line| format!("\n    {line}")));
            }
            problem
        });
        CliError::Input(problems.collect())
    })?;
    if let (Some(only), None) = (&args.only, args.shard) {
        // These were what --limit and --pick had left. Of slices the planner has to know all hosts.
        let is_meant = |&at: &usize| inventory.hosts.get(at).is_some_and(|host| only.contains(&host.name));
        selected.retain(is_meant);
        return Ok(selected);
    }
    if let Some(limit) = args.limit {
        selected.truncate(limit);
    }
    if let Some(pick) = args.pick {
        selected = selected.into_iter().sample(&mut rand::rng(), pick);
        selected.sort_unstable();
    }
    Ok(selected)
}

/// Tells what was run to hear of the hosts, and which part of the command line selected which of them (`-v`). What is wrong with it has been said.
pub(super) fn explain(inventory: &mut Inventory, args: &SelectionArgs) {
    for line in &inventory.ran {
        talk(&format!("ran for the inventory: {line}"));
    }
    let spelled = |role: &String| format!("@{}", target::role_spelled(role));
    let roles = args.roles.iter().map(|role| (format!("-R {role}"), spelled(role)));
    let hosts = args.hosts.iter().map(|hosts| (format!("-H {hosts}"), hosts.clone()));
    let files = args
        .hosts_file
        .iter()
        .map(|file| (format!("--hosts-file {}", file.display()), format!("^{}", file.display())));
    let chosen = roles.chain(hosts).chain(files).map(|(flag, expression)| ("selected", flag, expression));
    let excluded = args.exclude.iter().map(|hosts| ("left out", format!("-x {hosts}"), hosts.clone()));
    for (what, flag, expression) in chosen.chain(excluded).collect::<Vec<_>>() {
        let Ok(found) = target::select_within(inventory, &[&expression], &[], args.source.max_hosts) else {
            continue;
        };
        let names: Vec<&str> =
            found.iter().filter_map(|&at| inventory.hosts.get(at)).map(|host| host.name.as_str()).collect();
        talk(&format!("{what} by {flag}: {}", range::fold(&names)));
    }
    let counts = [("--limit", args.limit), ("--pick", args.pick)];
    for (flag, count) in counts.into_iter().filter_map(|(flag, count)| Some((flag, count?))) {
        talk(&format!("at most {count} of these, by {flag}"));
    }
    if let Some(shard) = args.shard {
        talk(&format!("slice {shard} of these"));
    }
}

/// Settings that the command line gives to every host.
pub(super) fn settings(args: &ConnectionArgs) -> Result<Settings, CliError> {
    let mut settings = Settings::default();
    if let Some(user) = &args.user {
        name::check_user_name(user).map_err(|message| CliError::input(format!("-u: {message}")))?;
        settings.user = Some(Sourced::new(user.clone(), Origin::CommandLine("--user")));
    }
    if !args.identity.is_empty() {
        let files = args.identity.iter().map(|file| file.display().to_string()).collect();
        settings.identity = Some(Sourced::new(files, Origin::CommandLine("--identity")));
    }
    if let Some(gateway) = &args.gateway {
        let hops: Vec<String> = gateway.split(',').map(|hop| hop.trim().to_owned()).collect();
        if hops.iter().any(String::is_empty) {
            return Err(CliError::input(format!("-g {gateway}: a gateway without a name")));
        }
        let way = if hops == ["none"] { GatewaySetting::Direct } else { GatewaySetting::Hops(hops) };
        settings.gateway = Some(Sourced::new(way, Origin::CommandLine("--gateway")));
    }
    if args.ask_pass {
        let source = SecretSource::Prompt("SSH password".to_owned());
        settings.password = Some(Sourced::new(source, Origin::CommandLine("--ask-pass")));
    }
    match args.connect_timeout {
        None => {}
        Some(TimeLimit::After(timeout)) => {
            settings.connect_timeout = Some(Sourced::new(timeout, Origin::CommandLine("--connect-timeout")));
        }
        Some(TimeLimit::None) => {
            return Err(CliError::input("-t: connecting always has a deadline; give a time"));
        }
    }
    if let Some(policy) = args.host_keys {
        if policy == HostKeysArg::Ask && !ask::can_ask() {
            return Err(Diagnostic::bare("--host-keys ask: there is no terminal to ask on, or CI is set")
                .help("write --host-keys strict or accept-new, and see `fan trust`")
                .into());
        }
        settings.host_keys = Some(Sourced::new(policy.policy(), Origin::CommandLine("--host-keys")));
    }
    Ok(settings)
}

/// The time limit that the command line gives to what is done on every host.
pub(super) fn limit(settings: &mut Settings, args: &LimitArg) {
    if let Some(limit) = args.command_timeout {
        settings.command_timeout = Some(Sourced::new(limit, Origin::CommandLine("--command-timeout")));
    }
}

/// The source of sudo's password that the command line gives to every host.
pub(super) fn ask_for_sudo(settings: &mut Settings, args: &SudoPasswordArg) {
    if args.ask_sudo_pass {
        settings.sudo_password = Some(Sourced::new(sudo_prompt(), Origin::CommandLine("--ask-sudo-pass")));
    }
}

/// Where sudo's password is from with `-K`.
pub(super) fn sudo_prompt() -> SecretSource {
    SecretSource::Prompt("sudo password".to_owned())
}

/// Variables of `-e`: `name=value` with YAML's scalars, or `@file.yaml`; later ones win.
pub(super) fn extra_vars(set: &[String]) -> Result<IndexMap<String, Given>, CliError> {
    let mut vars = IndexMap::new();
    for text in set {
        if let Some(path) = text.strip_prefix('@') {
            let of_file = told(config::load_vars_file(Path::new(path))?);
            vars.extend(of_file.into_iter().map(|(name, value)| (name, Given::from(value))));
            continue;
        }
        let (name, value) = name_and_value(text)?;
        vars.insert(name.to_owned(), config::parse_given(value));
    }
    Ok(vars)
}

/// `name=value` of a `-e`. What Ansible reads as several variables is no value of one.
fn name_and_value(text: &str) -> Result<(&str, &str), Diagnostic> {
    if text.trim_start().starts_with('{') {
        return Err(Diagnostic::bare("-e {...}: a map of variables")
            .help("write -e NAME=VALUE for each, or put the map into a file: -e @FILE.json"));
    }
    let Some((name, value)) = text.split_once('=') else {
        return Err(Diagnostic::bare(format!("-e {text}: no \"=\" in it"))
            .help("write -e NAME=VALUE, or -e @FILE.yaml"));
    };
    name::check_variable_name(name).map_err(|message| Diagnostic::bare(format!("-e {name}=…: {message}")))?;
    let quoted = value.starts_with(['"', '\'']);
    let is_assignment =
        |word: &str| word.split_once('=').is_some_and(|(name, _)| name::check_variable_name(name).is_ok());
    let mut others = value.split_whitespace().skip(1).peekable();
    if !quoted && others.peek().is_some() && others.clone().all(is_assignment) {
        let names = others.filter_map(|word| word.split_once('=')).map(|(name, _)| format!(" -e {name}=…"));
        let names: String = names.collect();
        return Err(Diagnostic::bare(format!("-e {name}=…: a value that goes on like further variables"))
            .help(format!("write -e {name}=…{names}; for the text as it stands, -e '{name}=\"…\"'")));
    }
    Ok((name, value))
}

/// The host keys of the project: this file beside the inventory.
const PROJECT_KNOWN_HOSTS: &str = "fan.known_hosts";

/// Where the host keys of the inventory's project are, or would be; none without an inventory on the disk.
pub(super) fn project_known_hosts(inventory: &Inventory) -> Option<PathBuf> {
    let file = Path::new(&*inventory.file);
    let folder = if file.is_dir() { Some(file) } else { file.parent().filter(|_| file.is_file()) };
    folder.map(|folder| folder.join(PROJECT_KNOWN_HOSTS))
}

/// What the run is to know of the operator's machine.
pub(super) fn operator(inventory: &Inventory) -> Operator {
    let home = env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    let ssh = home.as_ref().map(|home| home.join(".ssh"));
    let mut probe = Keyring::default();
    let default_identities = DEFAULT_IDENTITIES
        .iter()
        .filter_map(|name| ssh.as_ref().map(|ssh| ssh.join(name)))
        // One that cannot be used was not asked for. Its public half still says which of the agent's keys to prefer.
        .filter(|path| probe.load(path).is_ok() || probe.get(path).is_some_and(|key| key.public().is_some()))
        .collect();
    let own_known_hosts = ssh.iter().flat_map(|ssh| [ssh.join("known_hosts"), ssh.join("known_hosts2")]);
    let system = ["/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"].map(PathBuf::from);
    Operator {
        user: local_user(),
        agent_socket: env::var_os("SSH_AUTH_SOCK").filter(|path| !path.is_empty()).map(PathBuf::from),
        default_identities,
        default_known_hosts: own_known_hosts.collect(),
        system_known_hosts: system.to_vec(),
        // Whatever stands there: a file that cannot be read is an error, not the absence of one.
        project_known_hosts: project_known_hosts(inventory).filter(|path| path.symlink_metadata().is_ok()),
        default_host_keys: if ask::can_ask() { HostKeyPolicy::Ask } else { HostKeyPolicy::Strict },
        home,
    }
}

/// The local user's name: the login name where none is set, as ssh does it. Nobody is guessed: a number without an
/// entry in the list of users has none.
fn local_user() -> Option<String> {
    let named =
        ["USER", "LOGNAME"].iter().find_map(|name| env::var(name).ok().filter(|user| !user.is_empty()));
    named.or_else(|| {
        let uid = rustix::process::geteuid().as_raw();
        let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        let of_uid = |line: &str| {
            let mut fields = line.split(':');
            let user = fields.next()?.to_owned();
            (fields.nth(1)?.parse() == Ok(uid)).then_some(user)
        };
        passwd.lines().find_map(of_uid).or_else(user_of_directory)
    })
}

/// The name of a user whom only a directory service knows.
fn user_of_directory() -> Option<String> {
    let asked = std::process::Command::new("id").arg("-un").stdin(Stdio::null()).output().ok()?;
    let name = String::from_utf8(asked.stdout).ok()?.trim().to_owned();
    // Some write the number when there is no name.
    let is_name = !name.is_empty() && !name.bytes().all(|byte| byte.is_ascii_digit());
    (asked.status.success() && is_name).then_some(name)
}

/// The local user in texts: the number of one without a name.
fn shown_user() -> String {
    local_user().unwrap_or_else(|| rustix::process::geteuid().as_raw().to_string())
}

/// The operator and the machine, for those who find a lock held: `ann@laptop`.
pub(super) fn operator_name() -> String {
    format!("{}@{}", shown_user(), rustix::system::uname().nodename().to_string_lossy())
}

/// The operator and the machine, as OpenSSH's client configuration asks of them.
fn local() -> Local {
    let home = env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    Local {
        user: shown_user(),
        uid: rustix::process::getuid().as_raw(),
        home: home.unwrap_or_else(|| PathBuf::from("/")),
        host_name: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        env: env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect(),
    }
}

/// OpenSSH's client configuration: the user's and the system's, a file of the user's choice, or none.
pub(super) fn ssh_config(args: &ConnectionArgs) -> Result<SshConfigSource, CliError> {
    let home = env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    let sources = match args.ssh_config.as_deref() {
        Some(file) if file == Path::new("none") => None,
        Some(file) => Some(Sources::File(file.to_owned())),
        None => Some(Sources::Standard {
            // Without a home there is no configuration of the user's.
            user: home.as_ref().map(|home| home.join(".ssh/config")).unwrap_or_default(),
            system: PathBuf::from("/etc/ssh/ssh_config"),
        }),
    };
    let local = local();
    // Without files too: the inventory's settings have tokens as well.
    let config = sources.map(|sources| SshConfig::load(&sources, &local)).transpose()?.unwrap_or_default();
    Ok(SshConfigSource::new(move |name, above| {
        let ConfigAnswer { mut settings, above, errors, warnings } = config.query(name, above, &local);
        settings.overlay(&above);
        Consulted { settings, errors, warnings }
    }))
}

/// Looks at what a plan needs of this machine; all that is wrong in one pass.
pub(super) fn preflight(plan: &Plan) -> Result<(), CliError> {
    let problems = preflight::preflight(plan);
    if problems.is_empty() { Ok(()) } else { Err(CliError::Input(problems)) }
}

/// The common part of all plans.
#[derive(Clone)]
pub(super) struct Common {
    pub(super) title: String,
    pub(super) settings: Settings,
    pub(super) extra_vars: IndexMap<String, Given>,
    pub(super) pool: usize,
    pub(super) warn_only: bool,
    pub(super) changes: Changes,
    pub(super) bounds: Bounds,
    pub(super) shard: Option<Shard>,
    pub(super) ssh_config: SshConfigSource,
    pub(super) picking: Picking,
    pub(super) serial: Vec<Share>,
    pub(super) condition: Option<String>,
    pub(super) known: KnownFacts,
    pub(super) stepwise: bool,
    pub(super) lock_wait: TimeLimit,
}

impl Common {
    /// That of a command without flags, on hosts that are reached without any configuration.
    pub(super) fn bare(title: String) -> Self {
        Self {
            title,
            settings: Settings::default(),
            extra_vars: IndexMap::new(),
            pool: DEFAULT_POOL,
            warn_only: false,
            changes: Changes::default(),
            bounds: Bounds::default(),
            shard: None,
            ssh_config: SshConfigSource::none(),
            picking: Picking::default(),
            serial: Vec::new(),
            condition: None,
            known: KnownFacts::default(),
            stepwise: false,
            lock_wait: Locking::default().wait,
        }
    }

    /// That of a command whose hosts are reached as the flags say.
    pub(super) fn over(connection: &ConnectionArgs, title: String) -> Result<Self, CliError> {
        Ok(Self { settings: settings(connection)?, ssh_config: ssh_config(connection)?, ..Self::bare(title) })
    }

    /// That of a command that does something on hosts.
    pub(super) fn executing(execution: &Execution, title: String) -> Result<Self, CliError> {
        let Execution { connection, limit, pool, output: _, warn_only, serial } = execution;
        let common = Self::over(connection, title)?.pooled(pool).limited(limit);
        Ok(Self { warn_only: *warn_only, serial: serial.clone(), ..common })
    }

    /// The same with so many hosts at a time.
    pub(super) fn pooled(self, args: &PoolArg) -> Self {
        Self { pool: args.pool, ..self }
    }

    /// The same with this time limit.
    pub(super) fn limited(mut self, args: &LimitArg) -> Self {
        limit(&mut self.settings, args);
        self
    }

    /// The same with sudo's password from where the command line says.
    pub(super) fn with_sudo_password(mut self, args: &SudoPasswordArg) -> Self {
        ask_for_sudo(&mut self.settings, args);
        self
    }

    /// Completes it with the moment, the operator and the template engine.
    pub(super) fn request(self, inventory: &Inventory) -> Request {
        let builtins = builtins();
        let started_at = builtins.now.clone();
        let templates = Templates::new(&builtins);
        Request {
            run: Arc::from(clock::run_id()),
            title: self.title,
            groups: Layer::default(),
            others: Layer::default(),
            started_at,
            operator: operator(inventory),
            settings: self.settings,
            extra_vars: self
                .extra_vars
                .iter()
                .map(|(name, given)| (name.clone(), given.value.clone()))
                .collect(),
            extra_given: self.extra_vars,
            secrets: Secrets::default(),
            condition: self.condition.map(Arc::from),
            known: self.known,
            templates: Arc::new(templates),
            pool: self.pool,
            warn_only: self.warn_only,
            changes: self.changes,
            bounds: self.bounds,
            shard: self.shard,
            ssh_config: self.ssh_config,
            picking: self.picking,
            serial: self.serial,
            stepwise: self.stepwise,
            lock_wait: self.lock_wait,
            who: operator_name(),
        }
    }
}
