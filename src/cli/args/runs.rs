//! The subcommands on earlier runs.

use std::path::PathBuf;

use clap::Args;

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
    /// The run: its name, the beginning of it, or last.
    #[arg(value_name = "RUN", default_value = "last")]
    pub(in crate::cli) run: String,
    /// Also what the hosts wrote, as far as it was kept.
    #[arg(long)]
    pub(in crate::cli) output: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ReportOf {
    /// The run: its name, the beginning of it, or last.
    #[arg(value_name = "RUN")]
    pub(in crate::cli) run: String,
    /// Where they go.
    #[arg(value_name = "FILE", required = true)]
    pub(in crate::cli) files: Vec<PathBuf>,
}
