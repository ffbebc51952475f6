//! The subcommands around the work: completion, manual pages, first files, explanations.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
pub(in crate::cli) struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum, value_name = "SHELL")]
    pub(in crate::cli) shell: ShellKind,
}

/// What the scripts of `fan completions` ask.
#[derive(Debug, Args)]
pub(in crate::cli) struct CompleteArgs {
    /// The shell that asks.
    #[arg(value_enum)]
    pub(in crate::cli) shell: ShellKind,
    /// What was typed.
    #[arg(last = true)]
    pub(in crate::cli) words: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ShellKind {
    /// bash 4 or later
    Bash,
    /// zsh
    Zsh,
    /// fish 3 or later
    Fish,
}

impl ShellKind {
    /// Whether it shows what stands behind a candidate.
    pub(in crate::cli) fn shows_descriptions(self) -> bool {
        match self {
            Self::Bash => false,
            Self::Zsh | Self::Fish => true,
        }
    }
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ManArgs {
    /// Folder for the pages, such as ~/.local/share/man/man1; created if missing.
    #[arg(value_name = "DIR")]
    pub(in crate::cli) folder: PathBuf,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct InitArgs {
    /// Folder for the files; by default the current one.
    #[arg(value_name = "DIR")]
    pub(in crate::cli) folder: Option<PathBuf>,
    /// Take hosts and roles from a source of inventories: a list of hosts, an Ansible inventory, ssh: for your ssh_config
    /// (docs/inventories.md).
    #[arg(long, value_name = "SOURCE")]
    pub(in crate::cli) from: Option<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ExplainArgs {
    /// A kind of failure, a status, an exit code, a flag, a key of a file: auth_failed, unknown, 3, --serial, register
    #[arg(value_name = "TOPIC", allow_hyphen_values = true)]
    pub(in crate::cli) topic: Option<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ConfigArgs {
    /// Also show options that nobody set, with their built-in values.
    #[arg(long)]
    pub(in crate::cli) all: bool,
    /// Print JSON.
    #[arg(long)]
    pub(in crate::cli) json: bool,
}
