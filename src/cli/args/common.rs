//! Flags that several subcommands share.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum, ValueHint};

use crate::cli::args::fleet::{Age, age};
use crate::cli::error::CliError;
use crate::engine::planner::{Bounds, Picking};
use crate::model::addressee::ReportTo;
use crate::model::inventory::HostName;
use crate::model::outcome::Status;
use crate::model::position::{Located, Position};
use crate::model::settings::{HostKeyPolicy, TimeLimit};
use crate::model::shard::Shard;
use crate::model::task::{Become, RunAs, Share};
use crate::model::{duration, name};
use crate::report::RowsShape;

/// Where hosts come from.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Hosts")]
pub(in crate::cli) struct InventoryArgs {
    /// Inventory: a file of fan's or Ansible's, a folder, a program, a list of hosts, or `-`; several are merged, later ones
    /// win. By default inventory.yaml, searched for from the current folder upward.
    #[arg(short, long = "inventory", value_name = "SOURCE", env = "FAN_INVENTORY")]
    pub(in crate::cli) inventories: Vec<String>,
    /// Password of Ansible Vault: file:PATH, env:NAME, command:LINE or prompt; LABEL@ in front for one vault id.
    #[arg(
        long = "vault-password",
        value_name = "SOURCE",
        env = "FAN_VAULT_PASSWORD",
        hide_env_values = true
    )]
    pub(in crate::cli) vault_passwords: Vec<String>,
    /// When an inventory program fails, take its last good answer if it is not older than this; programs' answers are kept
    /// for that.
    #[arg(long, value_name = "TIME", env = "FAN_STALE_OK", value_parser = span)]
    pub(in crate::cli) stale_ok: Option<Duration>,
    /// Ask inventory programs again, however young their cached answers are.
    #[arg(long, env = "FAN_REFRESH")]
    pub(in crate::cli) refresh: bool,
    /// How many hosts there may be.
    #[arg(long, value_name = "N", env = "FAN_MAX_HOSTS", default_value = "10000", value_parser = positive)]
    pub(in crate::cli) max_hosts: usize,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Hosts")]
pub(in crate::cli) struct SelectionArgs {
    #[command(flatten)]
    pub(in crate::cli) source: InventoryArgs,
    /// Roles, comma-separated.
    #[arg(short = 'R', long, value_name = "ROLES", value_delimiter = ',', env = "FAN_ROLES")]
    pub(in crate::cli) roles: Vec<String>,
    /// Hosts, as a target expression: web[01-04], db*, @web&!web3, deploy@10.0.0.1:22
    #[arg(short = 'H', long, value_name = "EXPR", env = "FAN_HOSTS")]
    pub(in crate::cli) hosts: Vec<String>,
    /// A file of hosts: a line each, [user@]host[:port] or `host user`; `-` reads stdin. Also in expressions: ^FILE.
    #[arg(long, value_name = "FILE", env = "FAN_HOSTS_FILE")]
    pub(in crate::cli) hosts_file: Vec<PathBuf>,
    /// Hosts to leave out, as a target expression.
    #[arg(short = 'x', long, value_name = "EXPR", env = "FAN_EXCLUDE")]
    pub(in crate::cli) exclude: Vec<String>,
    /// Only the first N of the selected hosts.
    #[arg(long, value_name = "N", env = "FAN_LIMIT", value_parser = positive)]
    pub(in crate::cli) limit: Option<usize>,
    /// N of the selected hosts, picked at random.
    #[arg(long, value_name = "N", env = "FAN_PICK", value_parser = positive, conflicts_with = "limit")]
    pub(in crate::cli) pick: Option<usize>,
    /// Slice K of N of the selected hosts. Each host belongs to one slice, by a hash of its name.
    #[arg(long, value_name = "K/N", env = "FAN_SHARD", value_parser = Shard::parse, conflicts_with = "pick")]
    pub(in crate::cli) shard: Option<Shard>,
    /// Of all these only those of an earlier run that are meant, when it is taken up again.
    #[arg(skip)]
    pub(in crate::cli) only: Option<Arc<BTreeSet<HostName>>>,
}

impl SelectionArgs {
    /// The selection of an expression alone, in the same inventory.
    pub(in crate::cli) fn expression(expression: &str, same: &Self) -> Self {
        Self {
            source: same.source.clone(),
            roles: Vec::new(),
            hosts: vec![expression.to_owned()],
            hosts_file: Vec::new(),
            exclude: Vec::new(),
            limit: None,
            pick: None,
            shard: None,
            only: None,
        }
    }

    pub(in crate::cli) fn bounds(&self) -> Bounds {
        Bounds { exclude: self.exclude.clone(), only: self.only.clone() }
    }
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Hosts")]
pub(in crate::cli) struct ConditionArgs {
    /// Only hosts where EXPR is true; gathers facts first: 'facts.os.id == "debian"' (docs/facts.md).
    #[arg(long = "where", value_name = "EXPR", env = "FAN_WHERE")]
    expression: Option<String>,
    /// With --where: take facts from the fleet file where they are not older than this; ask the other hosts.
    #[arg(long, value_name = "AGE", env = "FAN_CACHED", value_parser = age)]
    cached: Option<Age>,
    /// The fleet file; by default fan/fleet.db in the state folder.
    #[arg(long, value_name = "FILE", env = "FAN_DB")]
    db: Option<PathBuf>,
}

impl ConditionArgs {
    pub(in crate::cli) fn get(&self) -> Option<String> {
        self.expression.clone()
    }

    /// How old facts may be that choose hosts; none when they are to be asked.
    pub(in crate::cli) fn cached(&self) -> Option<Age> {
        self.cached.filter(|_| self.expression.is_some())
    }

    /// The fleet file that is named.
    pub(in crate::cli) fn db(&self) -> Option<&Path> {
        self.db.as_deref()
    }
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Connections")]
pub(in crate::cli) struct ConnectionArgs {
    /// Login name; overrides the inventory.
    #[arg(short, long, value_name = "NAME", env = "FAN_USER")]
    pub(in crate::cli) user: Option<String>,
    /// Private key file (or a public key whose other half the agent holds) to offer first, as ssh's -i; repeatable.
    #[arg(long, value_name = "FILE", env = "FAN_IDENTITY")]
    pub(in crate::cli) identity: Vec<PathBuf>,
    /// Gateways (bastions), nearest first: inventory names or [user@]address[:port]; `none` connects directly.
    #[arg(short, long, short_alias = 'J', value_name = "HOPS", env = "FAN_GATEWAY")]
    pub(in crate::cli) gateway: Option<String>,
    /// OpenSSH client configuration to read instead of the usual files, or `none`.
    #[arg(long, value_name = "FILE", env = "FAN_SSH_CONFIG")]
    pub(in crate::cli) ssh_config: Option<PathBuf>,
    /// Ask once for a login password, for hosts that accept no key.
    #[arg(short = 'k', long, env = "FAN_ASK_PASS")]
    pub(in crate::cli) ask_pass: bool,
    /// Deadline of everything up to a ready connection (name, TCP, greeting, keys, login); a bare number is seconds.
    #[arg(short = 't', long, value_name = "TIME", env = "FAN_CONNECT_TIMEOUT", value_parser = time)]
    pub(in crate::cli) connect_timeout: Option<TimeLimit>,
    /// What to do about unknown host keys: ask once on a terminal, otherwise refuse. Changed and revoked keys are always
    /// refused.
    #[arg(long, value_enum, value_name = "POLICY", env = "FAN_HOST_KEYS")]
    pub(in crate::cli) host_keys: Option<HostKeysArg>,
    /// Work on hosts in parallel: the default; accepted for users of Fabric.
    #[arg(short = 'P', long, hide = true)]
    pub(in crate::cli) parallel: bool,
}

/// The time limit of what is done on hosts.
#[derive(Debug, Args)]
#[command(next_help_heading = "Connections")]
pub(in crate::cli) struct LimitArg {
    /// Time limit of each command, and of what put, get, sync and ls do on a host: 5m, none; a bare number is seconds.
    #[arg(short = 'T', long, value_name = "TIME", env = "FAN_COMMAND_TIMEOUT", value_parser = time)]
    pub(in crate::cli) command_timeout: Option<TimeLimit>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Connections")]
pub(in crate::cli) struct PoolArg {
    /// How many hosts work at a time.
    #[arg(short = 'z', long, value_name = "N", env = "FAN_POOL", default_value = "128", value_parser = positive)]
    pub(in crate::cli) pool: usize,
}

/// The password of steps that are done as another user.
#[derive(Debug, Args)]
#[command(next_help_heading = "Connections")]
pub(in crate::cli) struct SudoPasswordArg {
    /// Ask once for the sudo password.
    #[arg(short = 'K', long, env = "FAN_ASK_SUDO_PASS")]
    pub(in crate::cli) ask_sudo_pass: bool,
}

/// As whom the one step of a command line is done.
#[derive(Debug, Args)]
pub(in crate::cli) struct RaisingArgs {
    /// Work as root, with sudo on the host (or `su`, `doas`, as the inventory says).
    #[arg(short = 'S', long, env = "FAN_SUDO")]
    pub(in crate::cli) sudo: bool,
    /// Work as USER instead of root; implies -S.
    #[arg(long = "as", value_name = "USER", env = "FAN_AS")]
    run_as: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) password: SudoPasswordArg,
}

impl RaisingArgs {
    /// As whom, when that is not the user who logs in.
    ///
    /// # Errors
    ///
    /// No user can have that name.
    pub(in crate::cli) fn run_as(&self) -> Result<Option<RunAs>, CliError> {
        if let Some(user) = &self.run_as {
            name::check_user_name(user).map_err(|message| CliError::input(format!("--as: {message}")))?;
        } else if !self.sudo {
            return Ok(None);
        }
        let user = self.run_as.as_deref().map(|user| Located::new(Arc::from(user), Position::new("", 0, 0)));
        Ok(Some(RunAs::Other(Box::new(Become { user, ..Become::default() }))))
    }
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Execution {
    #[command(flatten)]
    pub(in crate::cli) connection: ConnectionArgs,
    #[command(flatten)]
    pub(in crate::cli) limit: LimitArg,
    #[command(flatten)]
    pub(in crate::cli) pool: PoolArg,
    #[command(flatten)]
    pub(in crate::cli) output: Output,
    /// Treat failed steps as warnings; hosts carry on.
    #[arg(short = 'w', long, env = "FAN_WARN_ONLY")]
    pub(in crate::cli) warn_only: bool,
    /// Work in batches of N hosts or a share of them (2, 25%); in a list, 1,25%, the last size repeats.
    #[arg(long, value_name = "N", value_delimiter = ',', value_parser = share, env = "FAN_SERIAL")]
    pub(in crate::cli) serial: Vec<Share>,
}

/// Whether a run is recorded.
#[derive(Debug, Args)]
pub(in crate::cli) struct JournalArg {
    /// Do not record this run for `fan history`, `retry` and `resume`; same as FAN_JOURNAL=off.
    #[arg(long)]
    pub(in crate::cli) no_journal: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Protection {
    /// Confirm this protected role (`protect: true`) without prompting.
    #[arg(long, value_name = "ROLE", value_delimiter = ',', env = "FAN_CONFIRM")]
    pub(in crate::cli) confirm: Vec<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct PickingArgs {
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
    pub(in crate::cli) fn picking(&self) -> Picking {
        Picking { only: self.only.clone(), skip: self.skip.clone(), start_at: self.start_at.clone() }
    }
}

#[derive(Debug, Args)]
pub(in crate::cli) struct VariablesArgs {
    /// Set a variable, above all others; @FILE.yaml reads many from a file.
    #[arg(short = 'e', long = "set", value_name = "K=V", env = "FAN_SET")]
    pub(in crate::cli) set: Vec<String>,
}

#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Output")]
pub(in crate::cli) struct Output {
    /// Output format for stdout.
    #[arg(long, value_enum, default_value = "auto", value_name = "KIND", env = "FAN_FORMAT")]
    pub(in crate::cli) format: OutputFormat,
    /// Group hosts with equal output, step by step: web[01-30] (30).
    #[arg(short = 'b', long, env = "FAN_FOLD")]
    pub(in crate::cli) fold: bool,
    /// Print only failures, at the end.
    #[arg(short, long, env = "FAN_QUIET", conflicts_with = "fold")]
    pub(in crate::cli) quiet: bool,
    /// Also write each host's output to DIR/HOST.out and DIR/HOST.err.
    #[arg(long, value_name = "DIR", env = "FAN_OUTDIR")]
    pub(in crate::cli) outdir: Option<PathBuf>,
    /// Also write a report; the extension picks the format: .html .json .xml (JUnit) .md .csv .xlsx, or .jsonl for the
    /// event stream as it comes. Or send it when the run is over: mailto:ADDRESS, https://..., or a NAME of `reports` in
    /// fan.yaml (docs/delivery.md).
    #[arg(long, value_name = "FILE", env = "FAN_REPORT", value_parser = ReportTo::parse, value_hint = ValueHint::AnyPath)]
    pub(in crate::cli) report: Vec<ReportTo>,
    /// Print output lines without the host's name.
    #[arg(short = 'N', long, env = "FAN_NO_PREFIX")]
    pub(in crate::cli) no_prefix: bool,
    /// Also show what selected the hosts, how each was reached, which keys were tried, and each step as it starts.
    #[arg(short, long, env = "FAN_VERBOSE", overrides_with = "verbose")]
    pub(in crate::cli) verbose: bool,
    /// Open the live view at once: the hosts in a list, with keys. On a terminal, v opens it at any time.
    #[arg(long, env = "FAN_VIEW")]
    pub(in crate::cli) view: bool,
}

impl Output {
    /// Lets a later command line say it anew, as far as it says anything: how output looks, where it is kept, which
    /// reports there are.
    pub(in crate::cli) fn renewed(&mut self, now: &Self) {
        let Self { format, fold, quiet, outdir, report, no_prefix, verbose, view } = now;
        self.view = *view;
        if *format != OutputFormat::Auto || *fold || *quiet || *no_prefix || *verbose {
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

/// Hosts as data.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(in crate::cli) struct ShapeArgs {
    /// Print data for programs: `json`, an object per host; `name`, the hosts that are ok; `name:STATUS,...`, those that
    /// are failed, unreachable, unknown, cancelled, skipped, or not_ok.
    #[arg(short = 'o', value_name = "WHAT", conflicts_with_all = ["format", "no_prefix"], value_parser = shape)]
    data: Option<ShapeArg>,
    /// Print a table: the host and a line of its output in each row; with -b, hosts with equal rows share theirs.
    #[arg(long, conflicts_with_all = ["data", "format", "no_prefix", "diff"])]
    table: bool,
    /// Split the lines of a table at spaces; with NAMES as headings: --columns=fs,size,used. Implies --table.
    #[arg(
        long,
        value_name = "NAMES",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "",
        conflicts_with_all = ["data", "format", "no_prefix", "diff"]
    )]
    columns: Option<String>,
}

/// The argument of `-o`.
#[derive(Clone, Debug)]
enum ShapeArg {
    Json,
    Names(Vec<Status>),
}

impl ShapeArgs {
    /// What is printed of the hosts instead of their output as it comes; `fold` joins the names of equal ones.
    pub(in crate::cli) fn shape(&self, fold: Option<fn(&[&str]) -> String>) -> Option<RowsShape> {
        match (&self.data, &self.columns) {
            (Some(ShapeArg::Json), _) => Some(RowsShape::Json),
            (Some(ShapeArg::Names(wanted)), _) => Some(RowsShape::Names(wanted.clone())),
            (None, Some(names)) => {
                let names = names.split(',').map(str::trim).filter(|name| !name.is_empty());
                Some(RowsShape::Table { columns: Some(names.map(str::to_owned).collect()), fold })
            }
            (None, None) => self.table.then_some(RowsShape::Table { columns: None, fold }),
        }
    }

    /// Whether it is data that is not folded.
    pub(in crate::cli) fn is_data(&self) -> bool {
        self.data.is_some()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum HostKeysArg {
    /// Refuse hosts whose key is unknown.
    Strict,
    /// Ask once about all new keys, before the run.
    Ask,
    /// Record new keys and go on.
    AcceptNew,
}

impl HostKeysArg {
    pub(in crate::cli) fn policy(self) -> HostKeyPolicy {
        match self {
            Self::Strict => HostKeyPolicy::Strict,
            Self::Ask => HostKeyPolicy::Ask,
            Self::AcceptNew => HostKeyPolicy::AcceptNew,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum OutputFormat {
    /// Lines, with a progress display on a terminal; `github` or `gitlab` for `fan run` in their CI.
    #[default]
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
pub(in crate::cli) enum Color {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

pub(super) fn positive(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(number) if (1..=1_000_000).contains(&number) => Ok(number),
        _ => Err("must be a number from 1 to 1000000".to_owned()),
    }
}

pub(super) fn share(text: &str) -> Result<Share, String> {
    let wrong = || format!("must be a number of hosts, or 1%–100%, got {text:?}");
    let share = match text.strip_suffix('%') {
        Some(percent) => {
            percent.parse().ok().filter(|percent| (1..=100).contains(percent)).map(Share::Percent)
        }
        None => positive(text).ok().map(Share::Hosts),
    };
    share.ok_or_else(wrong)
}

fn shape(text: &str) -> Result<ShapeArg, String> {
    /// All ways to end that are not ok.
    const NOT_OK: &str = "not_ok";
    let wanted = match text.split_once(':') {
        None if text == "json" => return Ok(ShapeArg::Json),
        None if text == "name" => return Ok(ShapeArg::Names(vec![Status::Ok])),
        Some(("name", wanted)) => wanted,
        None if text.contains('=') => {
            return Err(
                "must be json or name; options of ssh go into ~/.ssh/config (docs/ssh-config.md)".to_owned()
            );
        }
        _ => return Err("must be json, name, or name:STATUS,...".to_owned()),
    };
    let mut statuses = Vec::new();
    for word in wanted.split(',').map(str::trim) {
        let named = Status::ALL
            .iter()
            .filter(|status| if word == NOT_OK { **status != Status::Ok } else { status.as_str() == word });
        let before = statuses.len();
        statuses.extend(named.copied());
        if statuses.len() == before {
            let all: Vec<&str> = Status::ALL.iter().map(|status| status.as_str()).collect();
            return Err(format!("{word:?} is no status: {}, {NOT_OK}", all.join(", ")));
        }
    }
    Ok(ShapeArg::Names(statuses))
}

/// A time that ends.
fn span(text: &str) -> Result<Duration, String> {
    duration::parse_seconds(text)?.duration().ok_or_else(|| "give a time, as 1h".to_owned())
}

pub(super) fn time(text: &str) -> Result<TimeLimit, String> {
    duration::parse_seconds(text)
}
