//! The command line as clap reads it. Every flag has its environment variable, `FAN_<FLAG>`.

mod files;
mod runs;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Parser, Subcommand, ValueEnum};
use tracing_subscriber::filter::Targets;

pub(super) use crate::cli::args::files::{ChangesArgs, Get, Looking, Ls, Ownership, Put, Sync, Tree};
pub(super) use crate::cli::args::runs::{
    Again, History, Merge, ReportCommand, ReportOf, Resume, Retry, Show,
};
use crate::engine::planner::{Bounds, Picking};
use crate::model::duration;
use crate::model::inventory::HostName;
use crate::model::settings::{HostKeyPolicy, TimeLimit};
use crate::model::shard::Shard;
use crate::model::task::Share;

/// Runs commands and tasks on many hosts over SSH.
#[derive(Debug, Parser)]
#[command(
    name = "fan",
    version,
    propagate_version = true,
    max_term_width = 100,
    disable_help_subcommand = true
)]
pub(super) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(super) command: Command,
    /// When to use colours.
    #[arg(long, global = true, value_enum, default_value = "auto", value_name = "WHEN", env = "FAN_COLOR")]
    pub(super) color: Color,
    #[command(flatten)]
    pub(super) log: LogArgs,
}

#[derive(Debug, Args)]
pub(super) struct LogArgs {
    /// Append to FILE what fan does: connections, logins, channels, SFTP requests, steps. For bug reports.
    #[arg(long, global = true, value_name = "FILE", env = "FAN_LOG")]
    pub(super) log: Option<PathBuf>,
    /// What goes into the log: off, error, warn, info, debug or trace, also per part: info,fan::ssh=trace
    #[arg(
        long,
        global = true,
        value_name = "FILTER",
        env = "FAN_LOG_FILTER",
        default_value = "debug",
        value_parser = filter
    )]
    pub(super) log_filter: Targets,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run tasks from tasks.yaml, in the order given.
    #[command(after_help = "Example:\n  fan run deploy:version=1.4 -R web --serial 1,25%")]
    Run(Run),
    /// Run one command on every host, passed to the login shell as ssh does.
    #[command(after_help = "Example:\n  fan exec -R web -- uptime")]
    Exec(Exec),
    /// Copy files and folders to every host: all or nothing, and only what differs.
    #[command(after_help = "Example:\n  fan put -R web nginx.conf /etc/nginx/nginx.conf --sudo --backup")]
    Put(Put),
    /// Copy files and folders from every host.
    #[command(after_help = "Example:\n  fan get -R web /var/log/nginx/error.log logs/{host}.log")]
    Get(Get),
    /// Mirror a local folder to every host.
    #[command(after_help = "Example:\n  fan sync -R web --delete site/ /srv/www")]
    Sync(Sync),
    /// List a folder on every host.
    #[command(after_help = "Example:\n  fan ls -R web /etc/nginx/conf.d")]
    Ls(Ls),
    /// List the tasks with their arguments and default roles.
    #[command(after_help = "Example:\n  fan list -f ops/tasks.yaml")]
    List(List),
    /// Show the selected hosts and where each setting comes from.
    #[command(after_help = "Example:\n  fan hosts -H 'web[01-04]'")]
    Hosts(Hosts),
    /// Check inventory and tasks, and a task with all its variables, without connecting to any host.
    #[command(after_help = "Example:\n  fan check deploy:version=1.4 --connect")]
    Check(Check),
    /// Connect to every host, log in and run `true`; show how long each phase took.
    #[command(after_help = "Example:\n  fan ping -R web")]
    Ping(Ping),
    /// Show OS, kernel, CPU, memory, disks and network of every host. Needs only a POSIX shell there.
    #[command(after_help = "Example:\n  fan facts --where 'facts.os.id == \"debian\"'")]
    Facts(Facts),
    /// Open an interactive shell on one host, through the same gateways and keys. Type ~. on a new line to leave.
    #[command(after_help = "Example:\n  fan shell web01")]
    Shell(Shell),
    /// Fetch the host keys of the selected hosts, show them, and record them once you confirm.
    #[command(after_help = "Example:\n  fan trust -R web --project")]
    Trust(Trust),
    /// Repeat a run on the hosts that did not end ok.
    #[command(after_help = "Example:\n  fan retry last")]
    Retry(Retry),
    /// Continue a run: each host from its own first unfinished step.
    #[command(after_help = "Example:\n  fan resume last --plan")]
    Resume(Resume),
    /// List earlier runs, newest first.
    #[command(after_help = "Example:\n  fan history -n 5")]
    History(History),
    /// Show the recap of an earlier run.
    #[command(after_help = "Example:\n  fan show last --fold")]
    Show(Show),
    /// Write reports of an earlier run, or of several recorded ones together.
    ///
    /// The extension picks the format: .html .json .xml (JUnit) .md .csv .xlsx, or .jsonl (the event stream).
    #[command(after_help = "Example:\n  fan report last deploy.html deploy.xml")]
    Report(ReportOf),
    /// Start throw-away SSH hosts inside this process and run the example task on them.
    #[command(after_help = "Example:\n  fan demo -i inventory.yaml -f tasks.yaml deploy")]
    Demo(Demo),
    /// Print the JSON Schema of a file format, for editors (docs/editors.md).
    #[command(after_help = "Example:\n  fan schema tasks > tasks.schema.json")]
    Schema(Schema),
}

#[derive(Debug, Args)]
pub(super) struct Run {
    /// Tasks with their arguments: deploy, hello:Jeff, hello:name=Jeff,greeting=Hi
    #[arg(value_name = "TASK[:ARGS]", required_unless_present = "list")]
    pub(super) tasks: Vec<String>,
    /// List the tasks instead, as `fan list` does.
    #[arg(short, long)]
    pub(super) list: bool,
    /// Print hosts and steps without connecting to any host.
    #[arg(short = 'n', long, env = "FAN_PLAN")]
    pub(super) plan: bool,
    /// Answer yes to `confirm` steps and take the defaults of `prompt` steps.
    #[arg(short, long, env = "FAN_YES")]
    pub(super) yes: bool,
    /// Ask before each step; hosts stay in step with each other.
    #[arg(long, env = "FAN_STEP")]
    pub(super) step: bool,
    /// How long to wait for a lock held by another run: 10m; none waits for ever.
    #[arg(long, value_name = "TIME", env = "FAN_LOCK_WAIT", value_parser = time)]
    pub(super) lock_wait: Option<TimeLimit>,
    #[command(flatten)]
    pub(super) changes: ChangesArgs,
    #[command(flatten)]
    pub(super) picking: PickingArgs,
    #[command(flatten)]
    pub(super) tasks_file: TasksFile,
    #[command(flatten)]
    pub(super) selection: Selection,
    #[command(flatten)]
    pub(super) condition: Condition,
    #[command(flatten)]
    pub(super) execution: Execution,
}

#[derive(Debug, Args)]
pub(super) struct Exec {
    /// The command, after `--`; words are joined by spaces, as ssh does.
    #[arg(value_name = "CMD", required = true, last = true)]
    pub(super) command: Vec<String>,
    /// Print hosts and the command without connecting to any host.
    #[arg(short = 'n', long, env = "FAN_PLAN")]
    pub(super) plan: bool,
    /// Fold equal output, and show the hosts that differ as a diff to the majority.
    #[arg(long)]
    pub(super) diff: bool,
    #[command(flatten)]
    pub(super) selection: Selection,
    #[command(flatten)]
    pub(super) condition: Condition,
    #[command(flatten)]
    pub(super) execution: Execution,
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// Print JSON.
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) tasks_file: TasksFile,
}

#[derive(Debug, Args)]
pub(super) struct Hosts {
    /// Print JSON.
    #[arg(long, conflicts_with = "list")]
    pub(super) json: bool,
    /// Print names only, one per line.
    #[arg(long)]
    pub(super) list: bool,
    #[command(flatten)]
    pub(super) selection: Selection,
    #[command(flatten)]
    pub(super) connection: Connection,
}

#[derive(Debug, Args)]
pub(super) struct Check {
    #[command(flatten)]
    pub(super) picking: PickingArgs,
    /// Tasks to check, with all their variables on all their hosts.
    #[arg(value_name = "TASK[:ARGS]")]
    pub(super) tasks: Vec<String>,
    /// Also connect to the hosts of the task, to those of -R and -H, or to all, and check host key, login, a command and
    /// the interpreter of scripts.
    #[arg(long, env = "FAN_CONNECT")]
    pub(super) connect: bool,
    #[command(flatten)]
    pub(super) tasks_file: TasksFile,
    #[command(flatten)]
    pub(super) selection: Selection,
    #[command(flatten)]
    pub(super) connection: Connection,
    #[command(flatten)]
    pub(super) variables: Variables,
}

#[derive(Debug, Args)]
pub(super) struct Ping {
    /// Print one JSON object per line.
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) selection: Selection,
    #[command(flatten)]
    pub(super) condition: Condition,
    #[command(flatten)]
    pub(super) connection: Connection,
}

#[derive(Debug, Args)]
pub(super) struct Facts {
    /// Print all facts as one JSON object: `.hosts.web1.facts.os.id` (docs/facts.md).
    #[arg(long)]
    pub(super) json: bool,
    /// Print one row per host, even for a single host; columns that do not fit are left out.
    #[arg(long, conflicts_with = "json")]
    pub(super) table: bool,
    #[command(flatten)]
    pub(super) selection: Selection,
    #[command(flatten)]
    pub(super) condition: Condition,
    #[command(flatten)]
    pub(super) connection: Connection,
}

#[derive(Debug, Args)]
pub(super) struct Shell {
    /// A target expression that selects one host: web1, deploy@10.0.0.1:22
    #[arg(value_name = "HOST")]
    pub(super) host: String,
    /// A command to run on the terminal instead of a login shell; words are joined by spaces, as ssh does.
    #[arg(value_name = "CMD", last = true)]
    pub(super) command: Vec<String>,
    /// Inventory file; by default searched for from the current folder upward.
    #[arg(short, long, value_name = "FILE", env = "FAN_INVENTORY")]
    pub(super) inventory: Option<PathBuf>,
    #[command(flatten)]
    pub(super) protection: Protection,
    #[command(flatten)]
    pub(super) connection: Connection,
}

#[derive(Debug, Args)]
pub(super) struct Trust {
    /// Record new keys without asking, for CI: this trusts the network as it is now.
    #[arg(short, long, env = "FAN_YES")]
    pub(super) yes: bool,
    /// Record them in fan.known_hosts beside the inventory, for the whole team.
    #[arg(long)]
    pub(super) project: bool,
    /// Print JSON.
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) selection: Selection,
    #[command(flatten)]
    pub(super) connection: Connection,
}

#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Tasks with their arguments; by default the example's `deploy`.
    #[arg(value_name = "TASK[:ARGS]")]
    pub(super) tasks: Vec<String>,
    /// Number of throw-away hosts in role `web`.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=500))]
    pub(super) hosts: Option<u16>,
    /// Use your inventory: each of its hosts becomes a throw-away one.
    #[arg(short, long, value_name = "FILE")]
    pub(super) inventory: Option<PathBuf>,
    /// Use your tasks file.
    #[arg(short = 'f', long = "tasks", value_name = "FILE")]
    pub(super) tasks_file: Option<PathBuf>,
    /// Roles to run on.
    #[arg(short = 'R', long, value_name = "ROLES", value_delimiter = ',')]
    pub(super) roles: Vec<String>,
    #[command(flatten)]
    pub(super) variables: Variables,
    #[command(flatten)]
    pub(super) output: Output,
}

#[derive(Debug, Args)]
pub(super) struct Schema {
    /// Which file format.
    #[arg(value_enum, value_name = "FILE")]
    pub(super) of: SchemaOf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum SchemaOf {
    /// tasks.yaml
    Tasks,
    /// inventory.yaml
    Inventory,
}

#[derive(Debug, Args)]
pub(super) struct TasksFile {
    /// Tasks file; by default searched for from the current folder upward.
    #[arg(short = 'f', long = "tasks", value_name = "FILE", env = "FAN_TASKS")]
    pub(super) tasks_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Hosts")]
pub(super) struct Selection {
    /// Inventory file; by default searched for from the current folder upward.
    #[arg(short, long, value_name = "FILE", env = "FAN_INVENTORY")]
    pub(super) inventory: Option<PathBuf>,
    /// Roles, comma-separated.
    #[arg(short = 'R', long, value_name = "ROLES", value_delimiter = ',', env = "FAN_ROLES")]
    pub(super) roles: Vec<String>,
    /// Hosts, as a target expression: web[01-04], db*, @web&!web3, deploy@10.0.0.1:22
    #[arg(short = 'H', long, value_name = "EXPR", env = "FAN_HOSTS")]
    pub(super) hosts: Vec<String>,
    /// Hosts to leave out, as a target expression.
    #[arg(short = 'x', long, value_name = "EXPR", env = "FAN_EXCLUDE")]
    pub(super) exclude: Vec<String>,
    /// Only the first N of the selected hosts.
    #[arg(long, value_name = "N", env = "FAN_LIMIT", value_parser = positive)]
    pub(super) limit: Option<usize>,
    /// N of the selected hosts, picked at random.
    #[arg(long, value_name = "N", env = "FAN_PICK", value_parser = positive, conflicts_with = "limit")]
    pub(super) pick: Option<usize>,
    /// Slice K of N of the selected hosts. Each host belongs to one slice, by a hash of its name.
    #[arg(long, value_name = "K/N", env = "FAN_SHARD", value_parser = Shard::parse, conflicts_with = "pick")]
    pub(super) shard: Option<Shard>,
    /// How many hosts ranges may expand to.
    #[arg(long, value_name = "N", env = "FAN_MAX_HOSTS", default_value = "10000", value_parser = positive)]
    pub(super) max_hosts: usize,
    /// Of all these only those of an earlier run that are meant, when it is taken up again.
    #[arg(skip)]
    pub(super) only: Option<Arc<BTreeSet<HostName>>>,
}

impl Selection {
    pub(super) fn bounds(&self) -> Bounds {
        Bounds { exclude: self.exclude.clone(), only: self.only.clone() }
    }
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Hosts")]
pub(super) struct Condition {
    /// Only hosts where EXPR is true; gathers facts first: 'facts.os.id == "debian"' (docs/facts.md).
    #[arg(long = "where", value_name = "EXPR", env = "FAN_WHERE")]
    expression: Option<String>,
}

impl Condition {
    pub(super) fn get(&self) -> Option<String> {
        self.expression.clone()
    }
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Connections")]
pub(super) struct Connection {
    /// Login name; overrides the inventory.
    #[arg(short, long, value_name = "NAME", env = "FAN_USER")]
    pub(super) user: Option<String>,
    /// Gateways (bastions), nearest first: inventory names or [user@]address[:port]; `none` connects directly.
    #[arg(short, long, short_alias = 'J', value_name = "HOPS", env = "FAN_GATEWAY")]
    pub(super) gateway: Option<String>,
    /// OpenSSH client configuration to read instead of the usual files, or `none`.
    #[arg(long, value_name = "FILE", env = "FAN_SSH_CONFIG")]
    pub(super) ssh_config: Option<PathBuf>,
    /// Ask once for a login password, for hosts that accept no key.
    #[arg(short = 'k', long, env = "FAN_ASK_PASS")]
    pub(super) ask_pass: bool,
    /// Ask once for the sudo password.
    #[arg(short = 'K', long, env = "FAN_ASK_SUDO_PASS")]
    pub(super) ask_sudo_pass: bool,
    /// Deadline of everything up to a ready connection (name, TCP, greeting, keys, login); a bare number is seconds.
    #[arg(short = 't', long, value_name = "TIME", env = "FAN_CONNECT_TIMEOUT", value_parser = time)]
    pub(super) connect_timeout: Option<TimeLimit>,
    /// Time limit of each command, and of what put, get, sync and ls do on a host: 5m, none; a bare number is seconds.
    #[arg(short = 'T', long, value_name = "TIME", env = "FAN_COMMAND_TIMEOUT", value_parser = time)]
    pub(super) command_timeout: Option<TimeLimit>,
    /// What to do about unknown host keys: ask once on a terminal, otherwise refuse. Changed and revoked keys are always
    /// refused.
    #[arg(long, value_enum, value_name = "POLICY", env = "FAN_HOST_KEYS")]
    pub(super) host_keys: Option<HostKeysArg>,
    /// How many hosts work at a time.
    #[arg(short = 'z', long, value_name = "N", env = "FAN_POOL", default_value = "128", value_parser = positive)]
    pub(super) pool: usize,
    /// Work on hosts in parallel: the default; accepted for users of Fabric.
    #[arg(short = 'P', long, hide = true)]
    pub(super) parallel: bool,
}

#[derive(Debug, Args)]
pub(super) struct Execution {
    #[command(flatten)]
    pub(super) connection: Connection,
    #[command(flatten)]
    pub(super) variables: Variables,
    #[command(flatten)]
    pub(super) output: Output,
    /// Treat failed steps as warnings; hosts carry on.
    #[arg(short = 'w', long, env = "FAN_WARN_ONLY")]
    pub(super) warn_only: bool,
    /// Work in batches of N hosts or a share of them (2, 25%); in a list, 1,25%, the last size repeats.
    #[arg(long, value_name = "N", value_delimiter = ',', value_parser = share, env = "FAN_SERIAL")]
    pub(super) serial: Vec<Share>,
    /// Do not record this run for `fan history`, `retry` and `resume`; same as FAN_JOURNAL=off.
    #[arg(long)]
    pub(super) no_journal: bool,
    #[command(flatten)]
    pub(super) protection: Protection,
}

#[derive(Debug, Args)]
pub(super) struct Protection {
    /// Confirm this protected role (`protect: true`) without prompting.
    #[arg(long, value_name = "ROLE", value_delimiter = ',', env = "FAN_CONFIRM")]
    pub(super) confirm: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct PickingArgs {
    /// Run only steps with one of these tags.
    #[arg(long = "tags", value_name = "TAG", value_delimiter = ',', env = "FAN_TAGS")]
    only: Vec<String>,
    /// Skip steps with one of these tags.
    #[arg(long = "skip-tags", value_name = "TAG", value_delimiter = ',', env = "FAN_SKIP_TAGS")]
    skip: Vec<String>,
    /// Start at this step: TASK:NUMBER, a number, or a step's name.
    #[arg(long, value_name = "STEP", env = "FAN_START_AT")]
    start_at: Option<String>,
}

impl PickingArgs {
    pub(super) fn picking(&self) -> Picking {
        Picking { only: self.only.clone(), skip: self.skip.clone(), start_at: self.start_at.clone() }
    }
}

#[derive(Debug, Args)]
pub(super) struct Variables {
    /// Set a variable, above all others; @FILE.yaml reads many from a file.
    #[arg(short = 'e', long = "set", value_name = "K=V", env = "FAN_SET")]
    pub(super) set: Vec<String>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(super) struct Output {
    /// Output format for stdout.
    #[arg(long, value_enum, default_value = "auto", value_name = "KIND", env = "FAN_FORMAT")]
    pub(super) format: Format,
    /// Group hosts with equal output, step by step: web[01-30] (30).
    #[arg(short = 'b', long, env = "FAN_FOLD")]
    pub(super) fold: bool,
    /// Print only failures, at the end.
    #[arg(short, long, env = "FAN_QUIET", conflicts_with = "fold")]
    pub(super) quiet: bool,
    /// Also write each host's output to DIR/HOST.out and DIR/HOST.err.
    #[arg(long, value_name = "DIR", env = "FAN_OUTDIR")]
    pub(super) outdir: Option<PathBuf>,
    /// Also write a report; the extension picks the format: .html .json .xml (JUnit) .md .csv .xlsx, or .jsonl for the
    /// event stream as it comes.
    #[arg(long, value_name = "FILE", env = "FAN_REPORT")]
    pub(super) report: Vec<PathBuf>,
    /// Print output lines without the host's name.
    #[arg(short = 'N', long, env = "FAN_NO_PREFIX")]
    pub(super) no_prefix: bool,
    /// Also show what selected the hosts, how each was reached, which keys were tried, and each step as it starts.
    #[arg(short, long, env = "FAN_VERBOSE")]
    pub(super) verbose: bool,
}

impl Output {
    /// Lets a later command line say it anew, as far as it says anything: how output looks, where it is kept, which
    /// reports there are.
    pub(super) fn renewed(&mut self, now: &Self) {
        let Self { format, fold, quiet, outdir, report, no_prefix, verbose } = now;
        if *format != Format::Auto || *fold || *quiet || *no_prefix || *verbose {
            (self.format, self.fold, self.quiet) = (*format, *fold, *quiet);
            (self.no_prefix, self.verbose) = (*no_prefix, *verbose);
        }
        if outdir.is_some() {
            self.outdir.clone_from(outdir);
        }
        if !report.is_empty() {
            self.report.clone_from(report);
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum HostKeysArg {
    /// Refuse hosts whose key is unknown.
    Strict,
    /// Ask once about all new keys, before the run.
    Ask,
    /// Record new keys and go on.
    AcceptNew,
}

impl HostKeysArg {
    pub(super) fn policy(self) -> HostKeyPolicy {
        match self {
            Self::Strict => HostKeyPolicy::Strict,
            Self::Ask => HostKeyPolicy::Ask,
            Self::AcceptNew => HostKeyPolicy::AcceptNew,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Lines, with a progress display on a terminal; `github` or `gitlab` for `fan run` in their CI.
    Auto,
    /// Lines, without a progress display.
    Lines,
    /// Hosts with equal output together (same as -b).
    Fold,
    /// One JSON object per event (docs/events.md).
    Jsonl,
    /// Folded, in log groups of GitHub Actions, with an annotation per failed host.
    Github,
    /// Folded, in log sections of GitLab CI.
    Gitlab,
    /// Only failures, at the end (same as -q).
    Quiet,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

fn filter(text: &str) -> Result<Targets, String> {
    text.parse()
        .map_err(|_| "must be a level, or parts with levels: info,fan::ssh=trace,russh=off".to_owned())
}

fn positive(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(number) if (1..=1_000_000).contains(&number) => Ok(number),
        _ => Err("must be a number from 1 to 1000000".to_owned()),
    }
}

fn share(text: &str) -> Result<Share, String> {
    let wrong = || format!("must be a number of hosts, or 1%–100%, got {text:?}");
    let share = match text.strip_suffix('%') {
        Some(percent) => {
            percent.parse().ok().filter(|percent| (1..=100).contains(percent)).map(Share::Percent)
        }
        None => positive(text).ok().map(Share::Hosts),
    };
    share.ok_or_else(wrong)
}

fn time(text: &str) -> Result<TimeLimit, String> {
    duration::parse_seconds(text)
}
