//! Steps on hosts, one after the other, over connections that stay open in between.

use std::collections::HashMap;

use crate::cli::args::DiffArgs;
use crate::cli::context::{self, Common};
use crate::cli::error::CliError;
use crate::cli::fleet;
use crate::cli::output::Outputs;
use crate::cli::prompt::PromptTerminal;
use crate::cli::questions::Answers;
use crate::cli::runner::{self, Ready};
use crate::cli::signals;
use crate::engine::StopReceiver;
use crate::engine::plan::Plan;
use crate::engine::planner;
use crate::model::endpoint::Endpoint;
use crate::model::inventory::{HostName, Inventory};
use crate::model::outcome::ExitCode;
use crate::model::redact::Redactor;
use crate::model::secret::{Secret, SecretSource};
use crate::model::task::{Action, Step};
use crate::ssh::kept::SessionKeeper;
use crate::ssh::transport::Transports;

/// Descriptors that the process needs besides its connections.
const SPARE_FILES: u64 = 64;

/// Hosts that can be asked again and again.
pub(super) struct DriftHosts<'a> {
    args: &'a DiffArgs,
    inventory: &'a Inventory,
    title: String,
    keeper: SessionKeeper<Transports>,
    redactor: Redactor,
    endpoints: HashMap<HostName, Endpoint>,
    passwords: HashMap<SecretSource, Secret>,
    stopping: StopReceiver,
}

/// The plan of a step.
pub(super) fn plan(
    args: &DiffArgs,
    inventory: &Inventory,
    hosts: &[usize],
    (title, action): (&str, Action),
    condition: Option<String>,
) -> Result<Plan, CliError> {
    let common = Common::over(&args.connection, format!("diff {title}"))?
        .pooled(&args.pool)
        .limited(&args.limit)
        .with_sudo_password(&args.raising.password);
    let request = Common { condition, known: fleet::known(&args.condition)?, ..common }.request(inventory);
    let run_as = args.raising.run_as()?;
    let step = Step { run_as, timeout: args.limit.command_timeout, ..Step::bare(action) };
    let plan = planner::step(request, inventory, hosts, step, title)?;
    context::preflight(&plan)?;
    Ok(plan)
}

impl<'a> DriftHosts<'a> {
    /// Gets everything ready that the hosts of a plan are reached with; gives the plan as it can be carried out.
    pub(super) async fn prepare(
        args: &'a DiffArgs,
        inventory: &'a Inventory,
        title: &str,
        plan: Plan,
        stopping: StopReceiver,
    ) -> Result<(Self, Plan), CliError> {
        let (plan, Ready { connector, redactor }) = runner::prepare(plan, &mut PromptTerminal).await?;
        let keeper = SessionKeeper::new(Transports::new(connector));
        let room = signals::raise_open_files().unwrap_or(u64::MAX).saturating_sub(SPARE_FILES);
        if u64::try_from(plan.hosts.len()).is_ok_and(|hosts| hosts > room) {
            // Not all can stay connected: those that are asked again are connected again.
            keeper.close().await;
        }
        let endpoints = plan.hosts.iter().map(|host| (host.endpoint.name.clone(), host.endpoint.clone()));
        let asking = Self {
            args,
            inventory,
            title: title.to_owned(),
            keeper,
            redactor,
            endpoints: endpoints.collect(),
            passwords: plan.passwords.clone(),
            stopping,
        };
        Ok((asking, plan))
    }

    /// The command line.
    pub(super) fn args(&self) -> &'a DiffArgs {
        self.args
    }

    /// Carries a plan out.
    pub(super) async fn carry_out(&self, plan: Plan, outputs: Outputs) -> Result<ExitCode, CliError> {
        let keeper = self.keeper.clone();
        let stopping = self.stopping.clone();
        runner::execute(plan, keeper, &self.redactor, outputs, Answers::Person, stopping, None).await
    }

    /// Does another step on some of the hosts.
    pub(super) async fn again(
        &self,
        hosts: &[HostName],
        action: Action,
        outputs: Outputs,
    ) -> Result<ExitCode, CliError> {
        let at = |host: &HostName| self.inventory.hosts.iter().position(|known| known.name == *host);
        let mut hosts: Vec<usize> = hosts.iter().filter_map(at).collect();
        hosts.sort_unstable();
        let plan = plan(self.args, self.inventory, &hosts, (&self.title, action), None)?;
        let plan = plan
            .with_endpoints(|endpoint| {
                if let Some(known) = self.endpoints.get(&endpoint.name) {
                    endpoint.clone_from(known);
                }
            })
            .with_passwords(self.passwords.clone());
        self.carry_out(plan, outputs).await
    }

    /// Leaves the hosts.
    pub(super) async fn end(&self) {
        self.keeper.close().await;
    }
}
