//! The subcommands that move files and look at them. Flags that shape one transfer have no environment
//! variable: one that is set for all would change transfers that nobody thought of.

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, ValueEnum};

use crate::cli::args::common::{
    ConditionArgs, Execution, JournalArg, Protection, RaisingArgs, SelectionArgs,
};
use crate::cli::args::runs::Renewable;
use crate::config;
use crate::model::files::{Links, Mode};

#[derive(Debug, Args)]
pub(in crate::cli) struct PutArgs {
    /// Local files, folders and globs; a trailing / on a folder means its contents. {host} is the host's name.
    #[arg(value_name = "LOCAL", required = true, value_parser = NonEmptyStringValueParser::new())]
    pub(in crate::cli) local: Vec<String>,
    /// Destination; a folder if it ends in / or exists as one. {host} is the host's name.
    #[arg(value_name = "REMOTE", required = true, value_parser = NonEmptyStringValueParser::new())]
    pub(in crate::cli) remote: String,
    #[command(flatten)]
    pub(in crate::cli) tree: Tree,
    /// Keep modification times.
    #[arg(long)]
    pub(in crate::cli) times: bool,
    #[command(flatten)]
    pub(in crate::cli) ownership: Ownership,
    #[command(flatten)]
    pub(in crate::cli) install: InstallArgs,
    #[command(flatten)]
    pub(in crate::cli) protection: Protection,
    #[command(flatten)]
    pub(in crate::cli) common: OnFilesArgs,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct GetArgs {
    /// Remote files, folders and globs (quoted); a trailing / on a folder means its contents.
    #[arg(value_name = "REMOTE", required = true, value_parser = NonEmptyStringValueParser::new())]
    pub(in crate::cli) remote: Vec<String>,
    /// Destination; a folder if it ends in / or exists as one. {host} keeps hosts apart.
    #[arg(value_name = "LOCAL", required = true, value_parser = NonEmptyStringValueParser::new())]
    pub(in crate::cli) local: String,
    #[command(flatten)]
    pub(in crate::cli) tree: Tree,
    /// Keep modification times.
    #[arg(long)]
    pub(in crate::cli) times: bool,
    #[command(flatten)]
    pub(in crate::cli) common: OnFilesArgs,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct SyncArgs {
    /// Local folder. {host} is the host's name.
    #[arg(value_name = "LOCAL", value_parser = NonEmptyStringValueParser::new())]
    pub(in crate::cli) local: String,
    /// Remote folder to update. {host} is the host's name.
    #[arg(value_name = "REMOTE", value_parser = NonEmptyStringValueParser::new())]
    pub(in crate::cli) remote: String,
    /// Delete remote files that do not exist locally.
    #[arg(long)]
    pub(in crate::cli) delete: bool,
    #[command(flatten)]
    pub(in crate::cli) tree: Tree,
    /// Do not keep modification times.
    #[arg(long)]
    pub(in crate::cli) no_times: bool,
    #[command(flatten)]
    pub(in crate::cli) ownership: Ownership,
    #[command(flatten)]
    pub(in crate::cli) protection: Protection,
    #[command(flatten)]
    pub(in crate::cli) common: OnFilesArgs,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct LsArgs {
    /// Remote folder. {host} is the host's name.
    #[arg(value_name = "PATH", value_parser = NonEmptyStringValueParser::new())]
    pub(in crate::cli) path: String,
    #[command(flatten)]
    pub(in crate::cli) looking: Looking,
}

/// What those have in common that move files.
#[derive(Debug, Args)]
pub(in crate::cli) struct OnFilesArgs {
    #[command(flatten)]
    pub(in crate::cli) changes: ChangesArgs,
    #[command(flatten)]
    pub(in crate::cli) journal: JournalArg,
    #[command(flatten)]
    pub(in crate::cli) looking: Looking,
}

/// What all of these have in common.
#[derive(Debug, Args)]
pub(in crate::cli) struct Looking {
    #[command(flatten)]
    pub(in crate::cli) raising: RaisingArgs,
    /// Print hosts and what would be done without connecting to any host.
    #[arg(short = 'n', long, env = "FAN_PLAN")]
    pub(in crate::cli) plan: bool,
    #[command(flatten)]
    pub(in crate::cli) selection: SelectionArgs,
    #[command(flatten)]
    pub(in crate::cli) condition: ConditionArgs,
    #[command(flatten)]
    pub(in crate::cli) execution: Execution,
}

impl Looking {
    /// What another run of it may say anew.
    pub(in crate::cli) fn renewable<'a>(&'a mut self, confirm: Option<&'a mut Vec<String>>) -> Renewable<'a> {
        let Self { raising, plan, selection, condition: _, execution } = self;
        Renewable { selection, execution, sudo_password: &mut raising.password, confirm, plan }
    }
}

/// What becomes of changes to files.
#[derive(Debug, Args)]
pub(in crate::cli) struct ChangesArgs {
    /// Connect and compare, but change nothing.
    #[arg(long, env = "FAN_DRY_RUN")]
    pub(in crate::cli) dry_run: bool,
    /// With --dry-run: exit with 10 if something would change, or may; failures come first.
    #[arg(long)]
    pub(in crate::cli) exit_code: bool,
    /// Show changes to text files; with --fold also how hosts differ from the majority.
    #[arg(long, env = "FAN_DIFF")]
    pub(in crate::cli) diff: bool,
}

/// What of folders is moved.
#[derive(Debug, Args)]
pub(in crate::cli) struct Tree {
    /// Leave out files that match this glob, as in .fanignore (-x leaves out hosts).
    #[arg(long, value_name = "GLOB", value_parser = glob)]
    pub(in crate::cli) skip: Vec<String>,
    /// How to treat symbolic links in folders.
    #[arg(long, value_enum, value_name = "HOW", default_value = "keep")]
    pub(in crate::cli) links: LinksArg,
}

/// Modes and owners.
#[derive(Debug, Args)]
pub(in crate::cli) struct Ownership {
    /// Mode of files: 0644. By default the replaced file's, else the local one's.
    #[arg(long, value_name = "MODE", value_parser = Mode::parse)]
    pub(in crate::cli) mode: Option<Mode>,
    /// Mode of new folders: 0755.
    #[arg(long, value_name = "MODE", value_parser = Mode::parse)]
    pub(in crate::cli) dir_mode: Option<Mode>,
    /// Owner, by name or number; needs root or --sudo.
    #[arg(long, value_name = "USER")]
    pub(in crate::cli) owner: Option<String>,
    /// Group, by name or number.
    #[arg(long, value_name = "GROUP")]
    pub(in crate::cli) group: Option<String>,
}

/// How new content takes the place of old.
#[derive(Debug, Args)]
pub(in crate::cli) struct InstallArgs {
    /// Keep a copy of the old file beside the new one.
    #[arg(long)]
    pub(in crate::cli) backup: bool,
    /// Command that must succeed on the host first; %s is the file with the new content.
    #[arg(long, value_name = "CMD", value_parser = validate)]
    pub(in crate::cli) validate: Option<String>,
    /// Write into the file that is there instead of replacing it, for bind mounts and busy files (docs/files.md).
    #[arg(long)]
    pub(in crate::cli) in_place: bool,
    /// Follow a symbolic link at the destination instead of replacing it.
    #[arg(long)]
    pub(in crate::cli) follow: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum LinksArg {
    /// Copy them as links.
    Keep,
    /// Copy what they point at.
    Follow,
    /// Leave them out.
    Skip,
}

impl LinksArg {
    pub(in crate::cli) fn links(self) -> Links {
        match self {
            Self::Keep => Links::Keep,
            Self::Follow => Links::Follow,
            Self::Skip => Links::Skip,
        }
    }
}

pub(super) fn glob(text: &str) -> Result<String, String> {
    config::check_glob(text).map(|()| text.to_owned())
}

fn validate(text: &str) -> Result<String, String> {
    config::check_validate(text).map(|()| text.to_owned())
}
