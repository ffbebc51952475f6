//! `--where`: finds out before the first task whether a host takes part, and asks it what it is for that, if need be.
//! Nothing of the run has been started there by then: a host that could not be asked is safe to run again.

use std::sync::Arc;

use crate::engine::host::run::HostRun;
use crate::engine::host::tools::Tools;
use crate::engine::live::connecting::{self, NotConnected};
use crate::engine::live::stop::interrupted;
use crate::engine::plan::{Plan, PlannedHost, scope};
use crate::engine::planner;
use crate::engine::step::facts::{DEADLINE, Untold, gather};
use crate::engine::walk::halt::TaskEnd;
use crate::engine::walk::shared::Shared;
use crate::model::facts::Facts;
use crate::model::outcome::{Failure, Kind, Status};
use crate::model::template::Layer;
use crate::ssh::{Connector, Session};

/// Decides about one host. A session that was opened for that is kept for its tasks.
pub(crate) async fn decide<C: Connector>(
    plan: Arc<Plan>,
    shared: Arc<Shared<C>>,
    mut run: HostRun<C::Session>,
) -> (HostRun<C::Session>, TaskEnd) {
    let planned = plan.hosts.get(run.host).expect("the dispatcher asks planned hosts");
    run.activity.begin();
    if let Some(recalled) = plan.memory.of(&planned.endpoint.name) {
        match &recalled.left_out {
            Some(outcome) => return (run, TaskEnd::Ended(outcome.clone())),
            None if recalled.chosen => return (run, TaskEnd::Done { given: Layer::default() }),
            None => {}
        }
    }
    let asks = planner::asks(plan.condition.as_deref().unwrap_or_default());
    let verdict = match plan.known.get(planned.endpoint.name.as_str()).filter(|_| asks) {
        // They choose, and no more: a step that gathers facts asks the host.
        Some(known) => verdict(&plan, planned, Some(known)),
        None if asks => match look(&shared.tools, planned, &mut run).await {
            Ok(facts) => {
                let verdict = verdict(&plan, planned, Some(&facts));
                run.seen.facts = Some(Arc::new(facts));
                verdict
            }
            Err((status, failure)) => return ended(run, status, failure),
        },
        None => verdict(&plan, planned, None),
    };
    match verdict {
        Ok(()) => (run, TaskEnd::Done { given: Layer::default() }),
        Err((status, failure)) => ended(run, status, failure),
    }
}

fn ended<S: Session>(run: HostRun<S>, status: Status, failure: Failure) -> (HostRun<S>, TaskEnd) {
    let outcome = run.outcome(status, Some(failure), None);
    (run, TaskEnd::Ended(outcome))
}

async fn look<C: Connector>(
    tools: &Tools<C>,
    planned: &PlannedHost,
    run: &mut HostRun<C::Session>,
) -> Result<Facts, (Status, Failure)> {
    let Tools { connector, sink, stop, .. } = tools;
    let stop = &mut stop.clone();
    let connected = connecting::connect(&**connector, &planned.endpoint, Some(sink), stop).await;
    let session = connected.map(Arc::new).map_err(|not| match not {
        NotConnected::Failed(failure) if failure.kind == Kind::Internal => (Status::Failed, failure),
        NotConnected::Failed(failure) => (Status::Unreachable, failure),
        NotConnected::Cancelled(reason) => (Status::Cancelled, interrupted(reason)),
    })?;
    run.connection.session = Some(Arc::clone(&session));
    let told = gather(session.as_ref(), DEADLINE, stop).await;
    run.activity.heard();
    told.map_err(|untold| match untold {
        Untold::Cancelled(reason) => (Status::Cancelled, interrupted(reason)),
        Untold::Refused(failure) | Untold::Lost(failure) => (Status::Unreachable, failure),
        Untold::Failed(failure) => (Status::Failed, failure),
    })
}

/// Whether the host takes part; if not, its final record.
fn verdict(plan: &Plan, planned: &PlannedHost, facts: Option<&Facts>) -> Result<(), (Status, Failure)> {
    let Some(condition) = &plan.condition else { return Ok(()) };
    let scope = scope::before_tasks(&plan.run, &plan.groups, planned, facts, &plan.extra_vars);
    match plan.templates.eval_bool(condition, &scope) {
        Ok(true) => Ok(()),
        Ok(false) => {
            let message = format!("--where is false: {}", condition.trim());
            Err((Status::Skipped, Failure::new(Kind::Where, message)))
        }
        Err(error) => {
            let failure = Failure::new(Kind::Template, error.message).about("--where");
            Err((Status::Failed, Failure { hint: error.help, ..failure }))
        }
    }
}
