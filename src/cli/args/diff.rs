//! The subcommand that compares hosts. Its flags are of one comparison, and have no environment variables.

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, ValueHint};

use crate::cli::args::common::{
    ConditionArgs, ConnectionArgs, LimitArg, PoolArg, Protection, RaisingArgs, SelectionArgs,
};
use crate::cli::args::files::glob;
use crate::model::addressee::ReportTo;

#[derive(Debug, Args)]
pub(in crate::cli) struct DiffArgs {
    /// Files and folders on the hosts. {host} is the host's name.
    #[arg(value_name = "PATH", required_unless_present = "command", conflicts_with = "command",
          value_parser = NonEmptyStringValueParser::new())]
    pub(in crate::cli) paths: Vec<String>,
    /// Compare what a command prints instead.
    #[arg(value_name = "CMD", last = true)]
    pub(in crate::cli) command: Vec<String>,
    /// Compare with this host instead of with the majority.
    #[arg(long, value_name = "HOST", conflicts_with = "against")]
    pub(in crate::cli) from: Option<String>,
    /// Compare with this local file or folder: the content, not modes and owners.
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) against: Option<PathBuf>,
    /// Leave out paths in folders that match this glob, as in .fanignore; repeatable.
    #[arg(long, value_name = "GLOB", value_parser = glob, conflicts_with = "command")]
    pub(in crate::cli) skip: Vec<String>,
    /// Compare only contents, not modes and owners.
    #[arg(long, conflicts_with = "command")]
    pub(in crate::cli) content: bool,
    /// Also write the differences to FILE: .html (side by side, with search) or .json; or send them: mailto:ADDRESS,
    /// https://..., or a NAME of `reports` in fan.yaml; repeatable.
    #[arg(long, value_name = "FILE", value_parser = ReportTo::parse, value_hint = ValueHint::AnyPath)]
    pub(in crate::cli) report: Vec<ReportTo>,
    /// Print hosts and what would be compared without connecting to any host.
    #[arg(short = 'n', long, env = "FAN_PLAN")]
    pub(in crate::cli) plan: bool,
    #[command(flatten)]
    pub(in crate::cli) raising: RaisingArgs,
    #[command(flatten)]
    pub(in crate::cli) selection: SelectionArgs,
    #[command(flatten)]
    pub(in crate::cli) condition: ConditionArgs,
    #[command(flatten)]
    pub(in crate::cli) connection: ConnectionArgs,
    #[command(flatten)]
    pub(in crate::cli) limit: LimitArg,
    #[command(flatten)]
    pub(in crate::cli) pool: PoolArg,
    #[command(flatten)]
    pub(in crate::cli) protection: Protection,
}
