//! The command line as clap reads it. Every flag has its environment variable, `FAN_<FLAG>`.

mod common;
mod diff;
mod files;
mod fleet;
mod probe;
mod runs;
mod setup;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use tracing_subscriber::filter::Targets;

pub(super) use crate::cli::args::common::{
    Color, ConditionArgs, ConnectionArgs, Execution, HostKeysArg, InventoryArgs, JournalArg, LimitArg,
    Output, OutputFormat, PoolArg, RaisingArgs, SelectionArgs, ShapeArgs, SudoPasswordArg,
};
use crate::cli::args::common::{PickingArgs, Protection, VariablesArgs, time};
pub(super) use crate::cli::args::diff::DiffArgs;
pub(super) use crate::cli::args::files::{
    ChangesArgs, GetArgs, Looking, LsArgs, OnFilesArgs, Ownership, PutArgs, SyncArgs, Tree,
};
pub(super) use crate::cli::args::fleet::{
    FleetArgs, FleetChangesArgs, FleetChoiceArgs, FleetCommand, FleetForgetArgs, FleetFormat,
    FleetReportArgs, FleetTableArgs,
};
pub(super) use crate::cli::args::probe::{ProbeArgs, ProbeData};
pub(super) use crate::cli::args::runs::{
    AgainArgs, HistoryArgs, MergeArgs, Renewable, ReportCommand, ReportOf, ResumeArgs, RetryArgs, ShowArgs,
};
pub(super) use crate::cli::args::setup::{
    CompleteArgs, CompletionsArgs, ConfigArgs, ExplainArgs, InitArgs, ManArgs, ShellKind,
};
use crate::model::settings::TimeLimit;

/// Runs commands and tasks on many hosts over SSH.
#[derive(Debug, Parser)]
#[command(name = "fan", version, max_term_width = 100, disable_help_subcommand = true)]
pub(super) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(super) command: CliCommand,
    /// When to use colours.
    #[arg(long, global = true, value_enum, default_value = "auto", value_name = "WHEN", env = "FAN_COLOR")]
    pub(super) color: Color,
    /// Profile of fan.yaml whose defaults hold for this call; `none` for no defaults at all.
    #[arg(long, global = true, value_name = "NAME", env = "FAN_PROFILE")]
    pub(super) profile: Option<String>,
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
pub(super) enum CliCommand {
    /// Run tasks from tasks.yaml, in the order given.
    #[command(after_help = "Example:\n  fan run deploy:version=1.4 -R web --serial 1,25%")]
    Run(RunArgs),
    /// Run one command on every host, passed to the login shell as ssh does.
    #[command(after_help = "Example:\n  fan exec -R web -- uptime")]
    Exec(ExecArgs),
    /// List, follow, fetch, stop or clean up commands that outlived their connection.
    #[command(after_help = "Example:\n  fan jobs -R web\n  fan jobs 01JD3K -R web --follow")]
    Jobs(JobsArgs),
    /// Type commands for many hosts one after the other, over connections that stay open.
    #[command(after_help = "Example:\n  fan console -R web")]
    Console(ConsoleArgs),
    /// Copy files and folders to every host: all or nothing, and only what differs.
    #[command(after_help = "Example:\n  fan put -R web nginx.conf /etc/nginx/nginx.conf --sudo --backup")]
    Put(PutArgs),
    /// Copy files and folders from every host.
    #[command(after_help = "Example:\n  fan get -R web /var/log/nginx/error.log logs/{host}.log")]
    Get(GetArgs),
    /// Mirror a local folder to every host.
    #[command(after_help = "Example:\n  fan sync -R web --delete site/ /srv/www")]
    Sync(SyncArgs),
    /// List a folder on every host.
    #[command(after_help = "Example:\n  fan ls -R web /etc/nginx/conf.d")]
    Ls(LsArgs),
    /// Compare files, folders or the output of a command between hosts: who differs, and in what.
    #[command(after_help = "Example:\n  fan diff -R web /etc/nginx --report drift.html")]
    Diff(DiffArgs),
    /// Ask web servers, ports and names whether they are well, from here or from hosts.
    #[command(after_help = "Example:\n  fan probe --cert-days 14 https://www.example.com/")]
    Probe(ProbeArgs),
    /// List the tasks with their arguments and default roles.
    #[command(after_help = "Example:\n  fan list -f ops/tasks.yaml")]
    List(ListArgs),
    /// Show the selected hosts and where each setting comes from.
    #[command(after_help = "Example:\n  fan hosts -H 'web[01-04]'")]
    Hosts(HostsArgs),
    /// Check inventory and tasks, and a task with all its variables, without connecting to any host.
    #[command(after_help = "Example:\n  fan check deploy:version=1.4 --connect")]
    Check(CheckArgs),
    /// Connect to every host, log in and run `true`; show how long each phase took.
    #[command(after_help = "Example:\n  fan ping -R web")]
    Ping(PingArgs),
    /// Show OS, kernel, CPU, memory, disks and network of every host. Needs only a POSIX shell there.
    #[command(after_help = "Example:\n  fan facts --where 'facts.os.id == \"debian\"'")]
    Facts(FactsArgs),
    /// Show hosts over time, from what `fan facts --save` has saved; contacts no host.
    #[command(after_help = "Example:\n  fan fleet --stale 2d")]
    Fleet(FleetArgs),
    /// Open an interactive shell on one host, through the same gateways and keys. Type ~. on a new line to leave.
    #[command(after_help = "Example:\n  fan shell web01")]
    Shell(ShellArgs),
    /// Fetch the host keys of the selected hosts, show them, and record them once you confirm.
    #[command(after_help = "Example:\n  fan trust -R web --project")]
    Trust(TrustArgs),
    /// Repeat a run on the hosts that did not end ok.
    #[command(after_help = "Example:\n  fan retry last")]
    Retry(RetryArgs),
    /// Continue a run: each host from its own first unfinished step.
    #[command(after_help = "Example:\n  fan resume last --plan")]
    Resume(ResumeArgs),
    /// List earlier runs, newest first.
    #[command(after_help = "Example:\n  fan history -n 5")]
    History(HistoryArgs),
    /// Show the recap of an earlier run.
    #[command(after_help = "Example:\n  fan show last --fold")]
    Show(ShowArgs),
    /// Write reports of an earlier run, or of several recorded ones together.
    ///
    /// The extension picks the format: .html .json .xml (JUnit) .md .csv .xlsx, or .jsonl (the event stream).
    #[command(after_help = "Example:\n  fan report last deploy.html deploy.xml")]
    Report(ReportOf),
    /// Start throw-away SSH hosts inside this process and run the example task on them.
    #[command(after_help = "Example:\n  fan demo -i inventory.yaml -f tasks.yaml deploy")]
    Demo(DemoArgs),
    /// Print the JSON Schema of a file format, for editors (docs/editors.md).
    #[command(after_help = "Example:\n  fan schema tasks > tasks.schema.json")]
    Schema(SchemaArgs),
    /// Show the options that fan.yaml and the environment set, and where; also aliases and profiles.
    #[command(after_help = "Example:\n  fan config --profile ci")]
    Config(ConfigArgs),
    /// Begin a project: a commented inventory and a tasks file. Overwrites nothing.
    #[command(after_help = "Example:\n  fan init --from hosts.txt ops")]
    Init(InitArgs),
    /// Explain a word that fan prints or takes: kinds of failures, statuses, options, keys of the files.
    #[command(after_help = "Example:\n  fan explain auth_failed")]
    Explain(ExplainArgs),
    /// Print the completion script of a shell.
    #[command(after_help = "Example:\n  source <(fan completions bash)")]
    Completions(CompletionsArgs),
    /// Write manual pages.
    #[command(after_help = "Example:\n  fan man ~/.local/share/man/man1")]
    Man(ManArgs),
    /// What the scripts of `fan completions` ask.
    #[command(name = "__complete", hide = true)]
    Complete(CompleteArgs),
}

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// Tasks with their arguments: deploy, hello:Jeff, hello:name=Jeff,greeting=Hi
    #[arg(value_name = "TASK[:ARGS]", required_unless_present_any = ["list", "from_plan"])]
    pub(super) tasks: Vec<String>,
    /// List the tasks instead, as `fan list` does.
    #[arg(short, long, conflicts_with = "tasks")]
    pub(super) list: bool,
    /// Print hosts and steps without connecting to any host.
    #[arg(short = 'n', long, env = "FAN_PLAN")]
    pub(super) plan: bool,
    /// With --plan: also write the plan to FILE, for --from-plan.
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
    /// Run exactly the plan of FILE, or nothing if hosts, files or variables differ from it.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["tasks", "list", "out"])]
    pub(super) from_plan: Option<PathBuf>,
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
    pub(super) selection: SelectionArgs,
    #[command(flatten)]
    pub(super) condition: ConditionArgs,
    #[command(flatten)]
    pub(super) execution: Execution,
    #[command(flatten)]
    pub(super) variables: VariablesArgs,
    #[command(flatten)]
    pub(super) sudo_password: SudoPasswordArg,
    #[command(flatten)]
    pub(super) journal: JournalArg,
    #[command(flatten)]
    pub(super) protection: Protection,
}

#[derive(Debug, Args)]
pub(super) struct ExecArgs {
    /// The command: everything behind the options, or after `--`. Words are joined by spaces, as ssh does. With --script,
    /// its arguments.
    #[arg(value_name = "CMD", trailing_var_arg = true)]
    pub(super) command: Vec<String>,
    /// Run this local file on the hosts, by the interpreter of its #! line; `-` reads it from stdin.
    #[arg(long, value_name = "FILE")]
    pub(super) script: Option<PathBuf>,
    /// Give every host this file as the command's stdin; `-` passes fan's own stdin on, read once.
    #[arg(long, value_name = "FILE")]
    pub(super) stdin: Option<PathBuf>,
    /// Run the command so that it outlives the connection: when that is lost, fan reconnects and goes on where it was.
    #[arg(long)]
    pub(super) durable: bool,
    /// Start the command so, print the name that `fan jobs` knows it by, and leave it there.
    #[arg(long, conflicts_with_all = ["stdin", "diff"])]
    pub(super) detach: bool,
    /// Print hosts and the command without connecting to any host.
    #[arg(short = 'n', long, env = "FAN_PLAN")]
    pub(super) plan: bool,
    /// Fold equal output, and show the hosts that differ as a diff to the majority.
    #[arg(long)]
    pub(super) diff: bool,
    #[command(flatten)]
    pub(super) shape: ShapeArgs,
    #[command(flatten)]
    pub(super) raising: RaisingArgs,
    #[command(flatten)]
    pub(super) selection: SelectionArgs,
    #[command(flatten)]
    pub(super) condition: ConditionArgs,
    #[command(flatten)]
    pub(super) execution: Execution,
    #[command(flatten)]
    pub(super) journal: JournalArg,
    #[command(flatten)]
    pub(super) protection: Protection,
}

#[derive(Debug, Args)]
pub(super) struct JobsArgs {
    /// The job's name, or its beginning: that of the run which started it.
    #[arg(value_name = "NAME")]
    pub(super) name: Option<String>,
    /// Show all output so far and what comes, take the exit status, and remove the job.
    #[arg(long, requires = "name", conflicts_with_all = ["fetch", "stop", "clean"])]
    pub(super) follow: bool,
    /// The same for a job that has ended.
    #[arg(long, requires = "name", conflicts_with_all = ["stop", "clean"])]
    pub(super) fetch: bool,
    /// End the job: TERM to its process group, KILL 5 s later.
    #[arg(long, requires = "name", conflicts_with = "clean")]
    pub(super) stop: bool,
    /// Remove what is kept of jobs that do not run.
    #[arg(long)]
    pub(super) clean: bool,
    /// Only those that ended so long ago: 7d, 12h.
    #[arg(long, value_name = "AGE", requires = "clean", value_parser = time)]
    pub(super) older: Option<TimeLimit>,
    #[command(flatten)]
    pub(super) protection: Protection,
    #[command(flatten)]
    pub(super) looking: Looking,
}

#[derive(Debug, Args)]
pub(super) struct ConsoleArgs {
    #[command(flatten)]
    pub(super) raising: RaisingArgs,
    #[command(flatten)]
    pub(super) selection: SelectionArgs,
    #[command(flatten)]
    pub(super) condition: ConditionArgs,
    #[command(flatten)]
    pub(super) connection: ConnectionArgs,
    #[command(flatten)]
    pub(super) limit: LimitArg,
    #[command(flatten)]
    pub(super) pool: PoolArg,
    #[command(flatten)]
    pub(super) journal: JournalArg,
    #[command(flatten)]
    pub(super) protection: Protection,
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// Print JSON.
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) source: InventoryArgs,
    #[command(flatten)]
    pub(super) tasks_file: TasksFile,
}

#[derive(Debug, Args)]
pub(super) struct HostsArgs {
    /// Print JSON.
    #[arg(long, conflicts_with = "list")]
    pub(super) json: bool,
    /// Print names only, one per line.
    #[arg(long)]
    pub(super) list: bool,
    #[command(flatten)]
    pub(super) selection: SelectionArgs,
    #[command(flatten)]
    pub(super) connection: ConnectionArgs,
    #[command(flatten)]
    pub(super) limit: LimitArg,
    #[command(flatten)]
    pub(super) sudo_password: SudoPasswordArg,
}

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
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
    pub(super) selection: SelectionArgs,
    #[command(flatten)]
    pub(super) connection: ConnectionArgs,
    #[command(flatten)]
    pub(super) variables: VariablesArgs,
    #[command(flatten)]
    pub(super) limit: LimitArg,
    #[command(flatten)]
    pub(super) pool: PoolArg,
    #[command(flatten)]
    pub(super) sudo_password: SudoPasswordArg,
}

#[derive(Debug, Args)]
pub(super) struct PingArgs {
    /// Print one JSON object per line.
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) selection: SelectionArgs,
    #[command(flatten)]
    pub(super) condition: ConditionArgs,
    #[command(flatten)]
    pub(super) connection: ConnectionArgs,
    #[command(flatten)]
    pub(super) limit: LimitArg,
    #[command(flatten)]
    pub(super) pool: PoolArg,
}

#[derive(Debug, Args)]
pub(super) struct FactsArgs {
    /// Print all facts as one JSON object: `.hosts.web1.facts.os.id` (docs/facts.md).
    #[arg(long)]
    pub(super) json: bool,
    /// Print one row per host, even for a single host; columns that do not fit are left out.
    #[arg(long, conflicts_with = "json")]
    pub(super) table: bool,
    /// Save the facts for `fan fleet` (docs/fleet.md).
    #[arg(long, env = "FAN_SAVE")]
    pub(super) save: bool,
    #[command(flatten)]
    pub(super) selection: SelectionArgs,
    #[command(flatten)]
    pub(super) condition: ConditionArgs,
    #[command(flatten)]
    pub(super) connection: ConnectionArgs,
    #[command(flatten)]
    pub(super) limit: LimitArg,
    #[command(flatten)]
    pub(super) pool: PoolArg,
}

#[derive(Debug, Args)]
pub(super) struct ShellArgs {
    /// A target expression that selects one host: web1, deploy@10.0.0.1:22
    #[arg(value_name = "HOST")]
    pub(super) host: String,
    /// A command to run on the terminal instead of a login shell; words are joined by spaces, as ssh does.
    #[arg(value_name = "CMD", trailing_var_arg = true)]
    pub(super) command: Vec<String>,
    #[command(flatten)]
    pub(super) source: InventoryArgs,
    #[command(flatten)]
    pub(super) protection: Protection,
    #[command(flatten)]
    pub(super) connection: ConnectionArgs,
}

#[derive(Debug, Args)]
pub(super) struct TrustArgs {
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
    pub(super) selection: SelectionArgs,
    #[command(flatten)]
    pub(super) connection: ConnectionArgs,
    #[command(flatten)]
    pub(super) pool: PoolArg,
}

#[derive(Debug, Args)]
pub(super) struct DemoArgs {
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
    /// Run the commands of your tasks on this machine without asking.
    #[arg(short, long, env = "FAN_YES")]
    pub(super) yes: bool,
    #[command(flatten)]
    pub(super) variables: VariablesArgs,
    #[command(flatten)]
    pub(super) output: Output,
}

#[derive(Debug, Args)]
pub(super) struct SchemaArgs {
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

fn filter(text: &str) -> Result<Targets, String> {
    text.parse()
        .map_err(|_| "must be a level, or parts with levels: info,fan::ssh=trace,russh=off".to_owned())
}
