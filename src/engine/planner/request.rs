//! What is asked of the planner.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use indexmap::IndexMap;

use crate::engine::plan::{Changes, KnownFacts};
use crate::engine::planner::outline::Picking;
use crate::engine::planner::ssh_config::SshConfigSource;
use crate::model::given::Given;
use crate::model::inventory::HostName;
use crate::model::secret::Secrets;
use crate::model::settings::{HostKeyPolicy, Settings, TimeLimit};
use crate::model::shard::Shard;
use crate::model::task::Share;
use crate::model::template::{Layer, Templates};
use crate::model::value::Vars;

/// Hosts at work at a time unless `-z` says otherwise.
pub const DEFAULT_POOL: usize = 128;

/// Which hosts take no part, whatever a task names.
#[derive(Clone, Debug, Default)]
pub struct Bounds {
    /// Target expressions of hosts that are left out.
    pub exclude: Vec<String>,
    /// All hosts but these, when a run is taken up again. A task that one host does for all is done all the same.
    pub only: Option<Arc<BTreeSet<HostName>>>,
}

/// What all plans have in common.
#[derive(Debug)]
pub struct Request {
    /// Unique name of the run.
    pub run: Arc<str>,
    /// What runs, for headings.
    pub title: String,
    /// RFC 3339.
    pub started_at: String,
    /// The operator's side.
    pub operator: Operator,
    /// Settings of the command line.
    pub settings: Settings,
    /// Variables of the command line. Those of tasks take the types of the parameters that they stand for.
    pub extra_vars: Vars,
    /// The same as they were given.
    pub extra_given: IndexMap<String, Given>,
    /// Secrets that the files name.
    pub secrets: Secrets,
    /// Renders templates.
    pub templates: Arc<Templates>,
    /// The hosts of each role, for templates; the planner fills it in.
    pub groups: Layer,
    /// The variables of other hosts, for templates in variables; the planner fills it in.
    pub others: Layer,
    /// Hosts at work at a time.
    pub pool: usize,
    /// `-w`.
    pub warn_only: bool,
    /// What becomes of changes to files.
    pub changes: Changes,
    /// Which hosts take no part where tasks name their own targets.
    pub bounds: Bounds,
    /// The slice of the hosts that is meant, where it is not all of them.
    pub shard: Option<Shard>,
    /// Which steps are picked.
    pub picking: Picking,
    /// Sizes of the batches instead of the tasks' own.
    pub serial: Vec<Share>,
    /// The user is asked before each step (`--step`).
    pub stepwise: bool,
    /// How long to wait for a lock that another run holds.
    pub lock_wait: TimeLimit,
    /// Who wants locks, for those who find them held: `ann@laptop`.
    pub who: String,
    /// `--where`.
    pub condition: Option<Arc<str>>,
    /// Facts that are known well enough for it.
    pub known: KnownFacts,
    /// OpenSSH's client configuration.
    pub ssh_config: SshConfigSource,
}

/// What the planner needs to know of the operator and the machine.
#[derive(Clone, Debug, Default)]
pub struct Operator {
    /// The local user: the login name where none is set. Not every user has a name.
    pub user: Option<String>,
    /// For `~/` in paths.
    pub home: Option<PathBuf>,
    /// `SSH_AUTH_SOCK`, when it is set.
    pub agent_socket: Option<PathBuf>,
    /// OpenSSH's default key files that can be used.
    pub default_identities: Vec<PathBuf>,
    /// OpenSSH's default known_hosts files of the user.
    pub default_known_hosts: Vec<PathBuf>,
    /// Those of the whole machine, which nothing is written to.
    pub system_known_hosts: Vec<PathBuf>,
    /// The host keys of the project, which are read before any other file.
    pub project_known_hosts: Option<PathBuf>,
    /// What to do about new host keys where nothing else is said.
    pub default_host_keys: HostKeyPolicy,
}

impl Operator {
    /// A path of the inventory or command line with `~/` expanded.
    pub fn path(&self, text: &str) -> PathBuf {
        match (text.strip_prefix("~/"), &self.home) {
            (Some(rest), Some(home)) => home.join(rest),
            _ => PathBuf::from(text),
        }
    }
}
