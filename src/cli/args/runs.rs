//! The subcommands on earlier runs.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum, ValueHint};

use crate::cli::args::common::{
    Execution, HostKeysArg, Output, SelectionArgs, SudoPasswordArg, positive, time,
};
use crate::engine::Unseen;
use crate::model::addressee::ReportTo;
use crate::model::settings::TimeLimit;

/// What `retry` and `resume` have in common.
#[derive(Debug, Args)]
pub(in crate::cli) struct AgainArgs {
    /// Run to continue from: its name, a prefix of it, or `last`; or the event stream of a run on another machine,
    /// FILE.jsonl, behind those that it continued itself.
    #[arg(value_name = "RUN", default_value = "last")]
    pub(in crate::cli) runs: Vec<String>,
    /// Answer yes when files have changed since, and to `confirm` steps as in `fan run`.
    #[arg(short, long, env = "FAN_YES")]
    pub(in crate::cli) yes: bool,
    /// Print the hosts and where each goes on, without connecting to any host.
    #[arg(short = 'n', long, env = "FAN_PLAN")]
    pub(in crate::cli) plan: bool,
    /// Confirm this protected role, besides those the run was started with.
    #[arg(long, value_name = "ROLE", value_delimiter = ',', env = "FAN_CONFIRM")]
    pub(in crate::cli) confirm: Vec<String>,
    /// Set a secret variable again: secrets of the command line are not recorded.
    #[arg(short = 'e', long = "set", value_name = "K=V")]
    pub(in crate::cli) set: Vec<String>,
    #[command(flatten)]
    pub(in crate::cli) reaching: Reaching,
    #[command(flatten)]
    pub(in crate::cli) output: Output,
}

/// How hosts are reached, where that is said anew. What the environment says now does not count.
#[derive(Debug, Args)]
#[command(next_help_heading = "Connections")]
pub(in crate::cli) struct Reaching {
    /// Login name; overrides the run's and the inventory's.
    #[arg(short, long, value_name = "NAME")]
    user: Option<String>,
    /// Private key file to offer first, as in `fan run`.
    #[arg(long, value_name = "FILE")]
    identity: Vec<PathBuf>,
    /// Ask once for a login password, for hosts that accept no key.
    #[arg(short = 'k', long)]
    ask_pass: bool,
    /// Ask once for the sudo password.
    #[arg(short = 'K', long)]
    ask_sudo_pass: bool,
    /// Deadline of connecting, as in `fan run`.
    #[arg(short = 't', long, value_name = "TIME", value_parser = time)]
    connect_timeout: Option<TimeLimit>,
    /// Time limit of each command: 5m, none; a bare number is seconds.
    #[arg(short = 'T', long, value_name = "TIME", value_parser = time)]
    command_timeout: Option<TimeLimit>,
    /// What to do about unknown host keys, as in `fan run`.
    #[arg(long, value_enum, value_name = "POLICY")]
    host_keys: Option<HostKeysArg>,
    /// How many hosts work at a time.
    #[arg(short = 'z', long, value_name = "N", value_parser = positive)]
    pool: Option<usize>,
    /// How many hosts ranges may expand to.
    #[arg(long, value_name = "N", value_parser = positive)]
    max_hosts: Option<usize>,
    /// How long to wait for a lock held by another run: 10m; none waits for ever.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(in crate::cli) lock_wait: Option<TimeLimit>,
}

/// What of an earlier command line may be said anew.
pub(in crate::cli) struct Renewable<'a> {
    pub(in crate::cli) selection: &'a mut SelectionArgs,
    pub(in crate::cli) execution: &'a mut Execution,
    pub(in crate::cli) sudo_password: &'a mut SudoPasswordArg,
    /// The roles that it confirms, if it may need to.
    pub(in crate::cli) confirm: Option<&'a mut Vec<String>>,
    /// Whether it is only printed.
    pub(in crate::cli) plan: &'a mut bool,
}

impl Reaching {
    /// Lets an earlier command line have it, as far as it says anything.
    pub(in crate::cli) fn renew(&self, earlier: &mut Renewable<'_>) {
        fn put<T: Clone>(then: &mut Option<T>, now: &Option<T>) {
            if now.is_some() {
                then.clone_from(now);
            }
        }
        let Execution { connection, limit, pool, output: _, warn_only: _, serial: _ } = earlier.execution;
        put(&mut connection.user, &self.user);
        if !self.identity.is_empty() {
            connection.identity.clone_from(&self.identity);
        }
        connection.ask_pass |= self.ask_pass;
        earlier.sudo_password.ask_sudo_pass |= self.ask_sudo_pass;
        put(&mut connection.connect_timeout, &self.connect_timeout);
        put(&mut limit.command_timeout, &self.command_timeout);
        put(&mut connection.host_keys, &self.host_keys);
        pool.pool = self.pool.unwrap_or(pool.pool);
        earlier.selection.source.max_hosts = self.max_hosts.unwrap_or(earlier.selection.source.max_hosts);
    }
}

#[derive(Debug, Args)]
pub(in crate::cli) struct RetryArgs {
    #[command(flatten)]
    pub(in crate::cli) again: AgainArgs,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ResumeArgs {
    #[command(flatten)]
    pub(in crate::cli) again: AgainArgs,
    /// What to do about a command that started but whose end was not seen; on a terminal fan asks.
    #[arg(long, value_enum, value_name = "WHAT", env = "FAN_UNKNOWN")]
    pub(in crate::cli) unknown: Option<UnknownArg>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum UnknownArg {
    /// Run it again.
    Rerun,
    /// Treat it as done.
    Skip,
    /// Treat it as failed.
    Fail,
}

impl UnknownArg {
    pub(in crate::cli) fn unseen(self) -> Unseen {
        match self {
            Self::Rerun => Unseen::Rerun,
            Self::Skip => Unseen::Skip,
            Self::Fail => Unseen::Fail,
        }
    }
}

#[derive(Debug, Args)]
pub(in crate::cli) struct HistoryArgs {
    /// Print JSON.
    #[arg(long)]
    pub(in crate::cli) json: bool,
    /// Show at most N runs.
    #[arg(short = 'n', long, value_name = "N", default_value = "20", value_parser = positive)]
    pub(in crate::cli) count: usize,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ShowArgs {
    /// Run: its name, a prefix of it, or `last`; or an event stream, FILE.jsonl.
    #[arg(value_name = "RUN", default_value = "last")]
    pub(in crate::cli) run: String,
    /// Also show the hosts' output, as far as it was kept.
    #[arg(long)]
    pub(in crate::cli) output: bool,
    /// Show output with equal hosts grouped.
    #[arg(short = 'b', long)]
    pub(in crate::cli) fold: bool,
    /// Show output grouped, with the hosts that differ as a diff to the majority.
    #[arg(long)]
    pub(in crate::cli) diff: bool,
    /// Show a run that is in progress, of any terminal, as it goes on; ends when it ends, with its exit code.
    #[arg(long)]
    pub(in crate::cli) follow: bool,
    /// Show it in the live view: the hosts in a list, with keys.
    #[arg(long)]
    pub(in crate::cli) view: bool,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(in crate::cli) struct ReportOf {
    #[command(subcommand)]
    pub(in crate::cli) command: Option<ReportCommand>,
    /// Run: its name, a prefix of it, or `last`; or an event stream, FILE.jsonl.
    #[arg(value_name = "RUN", required = true)]
    pub(in crate::cli) run: Option<String>,
    /// Files to write; the extension picks the format. Or where to send it: mailto:ADDRESS, https://..., or a NAME of
    /// `reports` in fan.yaml.
    #[arg(value_name = "FILE", required = true, value_parser = ReportTo::parse, value_hint = ValueHint::AnyPath)]
    pub(in crate::cli) files: Vec<ReportTo>,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ReportCommand {
    /// Write one report of several runs, such as the slices of --shard.
    Merge(MergeArgs),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct MergeArgs {
    /// Event streams, as written by --report FILE.jsonl or --format jsonl.
    #[arg(value_name = "STREAM", required = true)]
    pub(in crate::cli) streams: Vec<PathBuf>,
    /// File to write; the extension picks the format: .html .json .xml (JUnit) .md .csv .xlsx. Or where to send it, as in
    /// `fan report`.
    #[arg(short, long, value_name = "FILE", required = true, value_parser = ReportTo::parse, value_hint = ValueHint::AnyPath)]
    pub(in crate::cli) output: Vec<ReportTo>,
}
