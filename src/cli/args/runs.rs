//! The subcommands on earlier runs.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::cli::args::Output;
use crate::engine::Unseen;

/// What `retry` and `resume` have in common.
#[derive(Debug, Args)]
pub(in crate::cli) struct Again {
    /// The run: its name, the beginning of it, or last.
    #[arg(value_name = "RUN", default_value = "last")]
    pub(in crate::cli) run: String,
    /// Answer yes: files may have changed since then; and to what `confirm` steps ask, as for `fan run`.
    #[arg(short, long, env = "FAN_YES")]
    pub(in crate::cli) yes: bool,
    /// Print the hosts, and where each goes on; contact nobody.
    #[arg(short = 'n', long, env = "FAN_PLAN")]
    pub(in crate::cli) plan: bool,
    /// A protected role that is meant, besides those that the run was started with.
    #[arg(long, value_name = "ROLE", value_delimiter = ',', env = "FAN_CONFIRM")]
    pub(in crate::cli) confirm: Vec<String>,
    /// A variable of the command line that was not kept, as it is a secret.
    #[arg(short = 'e', long = "set", value_name = "K=V")]
    pub(in crate::cli) set: Vec<String>,
    #[command(flatten)]
    pub(in crate::cli) output: Output,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Retry {
    #[command(flatten)]
    pub(in crate::cli) again: Again,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Resume {
    #[command(flatten)]
    pub(in crate::cli) again: Again,
    /// What becomes of a command that was started and whose end was not seen; asked on a terminal.
    #[arg(long, value_enum, value_name = "WHAT", env = "FAN_UNKNOWN")]
    pub(in crate::cli) unknown: Option<UnknownArg>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum UnknownArg {
    /// Run it again.
    Rerun,
    /// Take it as done.
    Skip,
    /// Take it as failed.
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
pub(in crate::cli) struct History {
    /// As JSON.
    #[arg(long)]
    pub(in crate::cli) json: bool,
    /// So many runs, at most.
    #[arg(short = 'n', long, value_name = "N", default_value = "20", value_parser = super::positive)]
    pub(in crate::cli) count: usize,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Show {
    /// The run: its name, the beginning of it, or last; or an event stream, FILE.jsonl.
    #[arg(value_name = "RUN", default_value = "last")]
    pub(in crate::cli) run: String,
    /// Also what the hosts wrote, as far as it was kept.
    #[arg(long)]
    pub(in crate::cli) output: bool,
    /// The same, with hosts together whose output is equal.
    #[arg(short = 'b', long)]
    pub(in crate::cli) fold: bool,
    /// The same, with the odd ones by what sets them apart from the majority.
    #[arg(long)]
    pub(in crate::cli) diff: bool,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(in crate::cli) struct ReportOf {
    #[command(subcommand)]
    pub(in crate::cli) command: Option<ReportCommand>,
    /// The run: its name, the beginning of it, or last; or an event stream, FILE.jsonl.
    #[arg(value_name = "RUN", required = true)]
    pub(in crate::cli) run: Option<String>,
    /// Where they go.
    #[arg(value_name = "FILE", required = true)]
    pub(in crate::cli) files: Vec<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ReportCommand {
    /// Make reports of several runs together, as of the slices of --shard.
    Merge(Merge),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Merge {
    /// Event streams, as --report FILE.jsonl and --format jsonl write them.
    #[arg(value_name = "STREAM", required = true)]
    pub(in crate::cli) streams: Vec<PathBuf>,
    /// Where the report goes, its kind by its extension: .html .json .xml (JUnit) .md .csv .xlsx
    #[arg(short, long, value_name = "FILE", required = true)]
    pub(in crate::cli) output: Vec<PathBuf>,
}
