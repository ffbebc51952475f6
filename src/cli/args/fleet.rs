//! Arguments of `fan fleet`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum, ValueHint};

use crate::model::addressee::ReportTo;
use crate::model::duration;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(in crate::cli) struct FleetArgs {
    #[command(subcommand)]
    pub(in crate::cli) command: Option<FleetCommand>,
    /// A host, for its page: facts, disks, numbers, changes.
    #[arg(value_name = "HOST")]
    pub(in crate::cli) host: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) choice: FleetChoiceArgs,
    #[command(flatten)]
    pub(in crate::cli) table: FleetTableArgs,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum FleetCommand {
    /// List what changed, newest first.
    #[command(after_help = "Example:\n  fan fleet changes --since 30d web1")]
    Changes(FleetChangesArgs),
    /// Write a report: totals, versions, plots, disks that fill up, changes.
    ///
    /// The extension picks the format: .html .xlsx .csv .json .md, or .prom (Prometheus text).
    #[command(after_help = "Example:\n  fan fleet report fleet.html fleet.xlsx --since 90d")]
    Report(FleetReportArgs),
    /// Forget hosts that are gone, with all that was saved of them.
    #[command(after_help = "Example:\n  fan fleet forget web7")]
    Forget(FleetForgetArgs),
}

/// Which file, and which of its hosts.
#[derive(Debug, Args)]
pub(in crate::cli) struct FleetChoiceArgs {
    /// The fleet file; by default fan/fleet.db in the state folder.
    #[arg(long, value_name = "FILE", env = "FAN_DB")]
    pub(in crate::cli) db: Option<PathBuf>,
    /// Only hosts where EXPR is true of the facts in the file: 'facts.os.id == "debian"'
    #[arg(long = "where", value_name = "EXPR", env = "FAN_WHERE")]
    pub(in crate::cli) expression: Option<String>,
    /// Only hosts that have not answered for this long: 2d
    #[arg(long, value_name = "AGE", env = "FAN_STALE", value_parser = age)]
    pub(in crate::cli) stale: Option<Age>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct FleetTableArgs {
    /// Columns, comma-separated: facts by their paths (os.id), and seen, first_seen, failure, os, load, disk, full, up.
    #[arg(long, value_name = "NAMES", env = "FAN_COLUMNS", value_delimiter = ',')]
    pub(in crate::cli) columns: Option<Vec<String>>,
    /// What to print.
    #[arg(
        short = 'o',
        long = "output",
        value_enum,
        value_name = "WHAT",
        default_value = "table",
        env = "FAN_OUTPUT"
    )]
    pub(in crate::cli) format: FleetFormat,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct FleetChangesArgs {
    /// A host; by default all.
    #[arg(value_name = "HOST")]
    pub(in crate::cli) host: Option<String>,
    /// How far to look back: 12h, 30d
    #[arg(long, value_name = "AGE", env = "FAN_SINCE", default_value = "7d", value_parser = age)]
    pub(in crate::cli) since: Age,
    /// What to print.
    #[arg(
        short = 'o',
        long = "output",
        value_enum,
        value_name = "WHAT",
        default_value = "table",
        env = "FAN_OUTPUT"
    )]
    pub(in crate::cli) format: FleetFormat,
    #[command(flatten)]
    pub(in crate::cli) choice: FleetChoiceArgs,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct FleetReportArgs {
    /// Files to write; the extension picks the format: .html .xlsx .csv .json .md .prom. Or where to send it:
    /// mailto:ADDRESS, https://..., or a NAME of `reports` in fan.yaml.
    #[arg(value_name = "FILE", required = true, value_parser = ReportTo::parse, value_hint = ValueHint::AnyPath)]
    pub(in crate::cli) files: Vec<ReportTo>,
    /// How far plots and changes look back: 7d, 90d
    #[arg(long, value_name = "AGE", env = "FAN_SINCE", default_value = "30d", value_parser = age)]
    pub(in crate::cli) since: Age,
    #[command(flatten)]
    pub(in crate::cli) choice: FleetChoiceArgs,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct FleetForgetArgs {
    /// Hosts to forget.
    #[arg(value_name = "HOST", required = true)]
    pub(in crate::cli) hosts: Vec<String>,
    /// The fleet file; by default fan/fleet.db in the state folder.
    #[arg(long, value_name = "FILE", env = "FAN_DB")]
    pub(in crate::cli) db: Option<PathBuf>,
}

/// How a table is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum FleetFormat {
    /// For people.
    Table,
    /// For programs.
    Json,
    /// For spreadsheets.
    Csv,
}

/// An age: some time before now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Age(u64);

impl Age {
    /// In seconds.
    pub(in crate::cli) fn seconds(self) -> u64 {
        self.0
    }
}

/// `90m`, `12h`, `7d`.
pub(in crate::cli) fn age(text: &str) -> Result<Age, String> {
    let limit = duration::parse(text)?;
    let time = limit.duration().ok_or_else(|| "expected an age, such as 12h or 7d".to_owned())?;
    Ok(Age(time.as_secs()))
}
