//! The command line as clap reads it. Every flag has its environment variable, `FAN_<FLAG>`.

mod files;
mod runs;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Parser, Subcommand, ValueEnum};

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
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run tasks of tasks.yaml, in the order given.
    Run(Run),
    /// Run one command on each host, handed to the login shell as ssh does.
    Exec(Exec),
    /// Copy files and folders onto each host, all or nothing and only where they differ.
    Put(Put),
    /// Copy files and folders off each host.
    Get(Get),
    /// Make a folder of each host like a local one.
    Sync(Sync),
    /// List a folder of each host.
    Ls(Ls),
    /// Show the tasks with their arguments and default roles.
    List(List),
    /// Show the selected hosts, and where each setting came from.
    Hosts(Hosts),
    /// Check the files, and a task with all its variables, without contacting anybody unless told to.
    Check(Check),
    /// Try to reach, verify, log in to and run a command on each host, with the time of each phase.
    Ping(Ping),
    /// Show what each host is: OS, kernel, CPU, memory, disks, network. Needs a POSIX shell there, nothing else.
    Facts(Facts),
    /// Open an interactive shell on one host, through the same gateways and keys; ~. at the start of a line leaves.
    Shell(Shell),
    /// Collect the host keys of the selected hosts, show them, and write them down after a yes.
    Trust(Trust),
    /// Run the same again on the hosts that were not ok.
    Retry(Retry),
    /// Go on with a run: each host at its own first unfinished step.
    Resume(Resume),
    /// Show earlier runs, the newest first.
    History(History),
    /// Show the recap of an earlier run, as it was.
    Show(Show),
    /// Write reports of an earlier run, their kind by their extension: .html .json .xml (JUnit) .md .csv .xlsx, or
    /// .jsonl (its event stream); or of several recorded ones.
    Report(ReportOf),
    /// Start throw-away SSH hosts inside the process, and run the example task on them.
    Demo(Demo),
    /// Print a file format as JSON Schema, for editors (docs/editors.md).
    Schema(Schema),
}

#[derive(Debug, Args)]
pub(super) struct Run {
    /// Tasks with their arguments: deploy, hello:Jeff, hello:name=Jeff,greeting=Hi
    #[arg(value_name = "TASK[:ARGS]", required_unless_present = "list")]
    pub(super) tasks: Vec<String>,
    /// Show the tasks instead (as `fan list`).
    #[arg(short, long)]
    pub(super) list: bool,
    /// Print hosts and steps; contact nobody.
    #[arg(short = 'n', long, env = "FAN_PLAN")]
    pub(super) plan: bool,
    /// Answer yes to what `confirm` steps ask, and take the defaults of `prompt` steps.
    #[arg(short, long, env = "FAN_YES")]
    pub(super) yes: bool,
    /// Ask before each step whether to run it; hosts keep in step.
    #[arg(long, env = "FAN_STEP")]
    pub(super) step: bool,
    /// Wait so long for a task's lock that somebody else has: 10m, none for as long as it takes.
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
    /// The command, after `--`; its words are joined by spaces, as ssh does.
    #[arg(value_name = "CMD", required = true, last = true)]
    pub(super) command: Vec<String>,
    /// Print hosts and the command; contact nobody.
    #[arg(short = 'n', long, env = "FAN_PLAN")]
    pub(super) plan: bool,
    /// Fold, and show the odd ones by what sets them apart from the majority.
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
    /// As JSON.
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) tasks_file: TasksFile,
}

#[derive(Debug, Args)]
pub(super) struct Hosts {
    /// As JSON.
    #[arg(long, conflicts_with = "list")]
    pub(super) json: bool,
    /// Names only, one per line.
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
    /// A task to check with all its variables on all its hosts.
    #[arg(value_name = "TASK[:ARGS]")]
    pub(super) tasks: Vec<String>,
    /// Then also contact the hosts of the task, those of -R and -H, or all: reach, host key, login, a command,
    /// and the interpreter of scripts, with the time of each.
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
    /// As JSON lines.
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
    /// All facts as one JSON object: `.hosts.web1.facts.os.id` (docs/facts.md).
    #[arg(long)]
    pub(super) json: bool,
    /// A row for each host, also when it is only one; columns that do not fit on the screen are left out.
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
    /// A command to run on the terminal instead of the login shell; its words are joined by spaces, as ssh does.
    #[arg(value_name = "CMD", last = true)]
    pub(super) command: Vec<String>,
    /// The inventory; searched from the current folder upward.
    #[arg(short, long, value_name = "FILE", env = "FAN_INVENTORY")]
    pub(super) inventory: Option<PathBuf>,
    #[command(flatten)]
    pub(super) protection: Protection,
    #[command(flatten)]
    pub(super) connection: Connection,
}

#[derive(Debug, Args)]
pub(super) struct Trust {
    /// Write the new keys without asking, for CI: this trusts the network as it is now.
    #[arg(short, long, env = "FAN_YES")]
    pub(super) yes: bool,
    /// Write them to fan.known_hosts beside the inventory, for the whole team; made if need be.
    #[arg(long)]
    pub(super) project: bool,
    /// As JSON.
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) selection: Selection,
    #[command(flatten)]
    pub(super) connection: Connection,
}

#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Tasks with their arguments; the example's `deploy` unless given.
    #[arg(value_name = "TASK[:ARGS]")]
    pub(super) tasks: Vec<String>,
    /// How many throw-away hosts the role `web` has.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=500))]
    pub(super) hosts: Option<u16>,
    /// Your inventory instead of the example: each of its hosts becomes a throw-away one.
    #[arg(short, long, value_name = "FILE")]
    pub(super) inventory: Option<PathBuf>,
    /// Your tasks instead of the example's.
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
    /// Of which file.
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
    /// The tasks; searched from the current folder upward.
    #[arg(short = 'f', long = "tasks", value_name = "FILE", env = "FAN_TASKS")]
    pub(super) tasks_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Hosts")]
pub(super) struct Selection {
    /// The inventory; searched from the current folder upward.
    #[arg(short, long, value_name = "FILE", env = "FAN_INVENTORY")]
    pub(super) inventory: Option<PathBuf>,
    /// Roles, separated by commas.
    #[arg(short = 'R', long, value_name = "ROLES", value_delimiter = ',', env = "FAN_ROLES")]
    pub(super) roles: Vec<String>,
    /// A target expression: web[01-04], db*, @web&!web3, deploy@10.0.0.1:22
    #[arg(short = 'H', long, value_name = "EXPR", env = "FAN_HOSTS")]
    pub(super) hosts: Vec<String>,
    /// A target expression of hosts to leave out.
    #[arg(short = 'x', long, value_name = "EXPR", env = "FAN_EXCLUDE")]
    pub(super) exclude: Vec<String>,
    /// Only the first N of the selected hosts.
    #[arg(long, value_name = "N", env = "FAN_LIMIT", value_parser = positive)]
    pub(super) limit: Option<usize>,
    /// Only N of the selected hosts, drawn at random.
    #[arg(long, value_name = "N", env = "FAN_PICK", value_parser = positive, conflicts_with = "limit")]
    pub(super) pick: Option<usize>,
    /// Only slice K of N of the selected hosts: by the hash of its name each host is in one, whatever others there are.
    #[arg(long, value_name = "K/N", env = "FAN_SHARD", value_parser = Shard::parse, conflicts_with = "pick")]
    pub(super) shard: Option<Shard>,
    /// Hosts that ranges may expand to.
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
    /// Of the selected hosts, those for which this is true; they are asked first what they are: facts.os.id ==
    /// "debian" (docs/facts.md).
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
    /// Login name, over the inventory's.
    #[arg(short, long, value_name = "NAME", env = "FAN_USER")]
    pub(super) user: Option<String>,
    /// Gateways (bastions), the nearest first: inventory names or [user@]address[:port]; none goes straight.
    #[arg(short, long, short_alias = 'J', value_name = "HOPS", env = "FAN_GATEWAY")]
    pub(super) gateway: Option<String>,
    /// OpenSSH's client configuration: a FILE instead of the usual ones, or none.
    #[arg(long, value_name = "FILE", env = "FAN_SSH_CONFIG")]
    pub(super) ssh_config: Option<PathBuf>,
    /// Ask once for a password to log in with, for hosts that take no key.
    #[arg(short = 'k', long, env = "FAN_ASK_PASS")]
    pub(super) ask_pass: bool,
    /// Ask once for the password of steps with sudo.
    #[arg(short = 'K', long, env = "FAN_ASK_SUDO_PASS")]
    pub(super) ask_sudo_pass: bool,
    /// Deadline of name lookup and TCP connect: 10s; a bare number is seconds.
    #[arg(short = 't', long, value_name = "TIME", env = "FAN_CONNECT_TIMEOUT", value_parser = time)]
    pub(super) connect_timeout: Option<TimeLimit>,
    /// Deadline of each command: 5m, none; a bare number is seconds.
    #[arg(short = 'T', long, value_name = "TIME", env = "FAN_COMMAND_TIMEOUT", value_parser = time)]
    pub(super) command_timeout: Option<TimeLimit>,
    /// What to do about host keys that are not known: ask once (where there is a terminal, outside CI), else
    /// strict. Changed and revoked keys are refused in any case.
    #[arg(long, value_enum, value_name = "POLICY", env = "FAN_HOST_KEYS")]
    pub(super) host_keys: Option<HostKeysArg>,
    /// Hosts at work at a time.
    #[arg(short = 'z', long, value_name = "N", env = "FAN_POOL", default_value = "128", value_parser = positive)]
    pub(super) pool: usize,
    /// Work on hosts in parallel: the default, accepted for Fabric's sake.
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
    /// A failed step is a warning; the host goes on.
    #[arg(short = 'w', long, env = "FAN_WARN_ONLY")]
    pub(super) warn_only: bool,
    /// Batches of so many hosts (2, 25%); a list gives each its size, the last repeated: 1,25%.
    #[arg(long, value_name = "N", value_delimiter = ',', value_parser = share, env = "FAN_SERIAL")]
    pub(super) serial: Vec<Share>,
    /// Keep no record of this run for `fan history`, `retry` and `resume`; FAN_JOURNAL=off does the same.
    #[arg(long)]
    pub(super) no_journal: bool,
    #[command(flatten)]
    pub(super) protection: Protection,
}

#[derive(Debug, Args)]
pub(super) struct Protection {
    /// A protected role (`protect: true`) that is meant: its name is not asked for.
    #[arg(long, value_name = "ROLE", value_delimiter = ',', env = "FAN_CONFIRM")]
    pub(super) confirm: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct PickingArgs {
    /// Only the steps with one of these tags.
    #[arg(long = "tags", value_name = "TAG", value_delimiter = ',', env = "FAN_TAGS")]
    only: Vec<String>,
    /// All steps but those with one of these tags.
    #[arg(long = "skip-tags", value_name = "TAG", value_delimiter = ',', env = "FAN_SKIP_TAGS")]
    skip: Vec<String>,
    /// Begin with this step: TASK:NUMBER, a number, or the name of a step.
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
    /// A variable that wins over all others; @FILE.yaml takes many from a file.
    #[arg(short = 'e', long = "set", value_name = "K=V", env = "FAN_SET")]
    pub(super) set: Vec<String>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(super) struct Output {
    /// What stdout gets.
    #[arg(long, value_enum, default_value = "auto", value_name = "KIND", env = "FAN_FORMAT")]
    pub(super) format: Format,
    /// Hosts with equal output stand together, step by step: web[01-30] (30).
    #[arg(short = 'b', long, env = "FAN_FOLD")]
    pub(super) fold: bool,
    /// Only failures, at the end.
    #[arg(short, long, env = "FAN_QUIET", conflicts_with = "fold")]
    pub(super) quiet: bool,
    /// Also keep what each host wrote: DIR/HOST.out and DIR/HOST.err, made if need be.
    #[arg(long, value_name = "DIR", env = "FAN_OUTDIR")]
    pub(super) outdir: Option<PathBuf>,
    /// Also write a report, its kind by its extension: .html .json .xml (JUnit) .md .csv .xlsx, or .jsonl for the event
    /// stream as it comes.
    #[arg(long, value_name = "FILE", env = "FAN_REPORT")]
    pub(super) report: Vec<PathBuf>,
    /// Output lines without the host's name.
    #[arg(short = 'N', long, env = "FAN_NO_PREFIX")]
    pub(super) no_prefix: bool,
    /// Also tell what selected the hosts, how each was reached, the keys tried, and each step as it begins.
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
    /// Refuse hosts whose key is not known.
    Strict,
    /// Ask once, about all new keys together, before the run.
    Ask,
    /// Write new keys down and go on.
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
    /// Lines, with a progress display on a terminal; for `fan run` in GitHub's and GitLab's CI as they like it.
    Auto,
    /// Lines, without a progress display.
    Lines,
    /// Hosts with equal output together (as -b).
    Fold,
    /// One JSON object per event (docs/events.md).
    Jsonl,
    /// Folded, in groups of GitHub's runner, with an annotation per failed host.
    Github,
    /// Folded, in sections of GitLab's runner.
    Gitlab,
    /// Only failures, at the end (as -q).
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
