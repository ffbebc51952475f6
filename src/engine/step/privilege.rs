//! As whom the steps of a host are done: from keys and settings to user, method and password. And the look whether the
//! host lets that happen, before any step is begun there.

use crate::engine::live::command;
use crate::engine::plan::{Item, PlannedTask};
use crate::engine::step::command::{self as shared, Means, Prepared, Reads};
use crate::engine::step::{interrupted, template_failed};
use crate::engine::walk::worker::Worker;
use crate::model::action::{DoneAt, Touches};
use crate::model::outcome::{Failure, StepStatus};
use crate::model::privilege::{Method, Raising};
use crate::model::settings::OnDisconnect;
use crate::model::shell::marks::Token;
use crate::model::shell::{Prelude, task_script};
use crate::model::task::{Action, Shown, Step};
use crate::model::template::Scope;
use crate::ssh::{Connector, Session};

/// Whom steps become that do not say it.
const ROOT: &str = "root";

/// As whom a step is done, when that is not the user who logs in.
pub(in crate::engine::step) fn raising<C: Connector>(
    worker: &Worker<'_, C>,
    step: &Step,
    scope: &Scope,
) -> Result<Option<Raising>, Failure> {
    let Some(other) = step.becomes() else { return Ok(None) };
    let plan = &worker.shared.plan;
    let becoming = &worker.place.becoming;
    // A command of this machine has nothing of the host's.
    let here = step.action.properties().done == DoneAt::Here;
    let source = if here { other.own_password() } else { becoming.password_of(other) };
    let user = match &other.user {
        Some(user) => {
            let rendered = plan.templates.render_text(&user.value, scope);
            rendered.map_err(|error| template_failed(&error, &user.position))?.trim().to_owned()
        }
        None if here => ROOT.to_owned(),
        None => becoming.user.as_deref().unwrap_or(ROOT).to_owned(),
    };
    let method = other.method.unwrap_or(if here { Method::default() } else { becoming.method });
    let password = source.and_then(|source| plan.passwords.get(source)).cloned();
    Ok(Some(Raising { user, method, password }))
}

/// Why a host's steps cannot be done.
pub(crate) enum Denied {
    Failed(Failure),
    Cancelled(Failure),
}

/// Becomes everybody that the host's steps will become, for a command that does nothing.
///
/// Only those that will surely be needed, as far as the plan tells.
pub(crate) async fn check<C: Connector>(worker: &mut Worker<'_, C>, index: usize) -> Result<(), Denied> {
    let mut wanted: Vec<Raising> = Vec::new();
    let (plan, host, scope) = (&worker.shared.plan, worker.run.host, worker.scope());
    for task in plan.tasks.iter().filter(|task| task.hosts.iter().any(|member| member.host == host)) {
        for step in certain(task, plan.changes.dry_run) {
            // A name that is not known yet is left to the step.
            if let Ok(Some(raising)) = raising(worker, step, &scope)
                && !wanted.contains(&raising)
            {
                wanted.push(raising);
            }
        }
    }
    for raising in wanted {
        become_once(worker, index, raising).await?;
    }
    Ok(())
}

/// The steps of a task that will be done as somebody else on each of its hosts.
fn certain(task: &PlannedTask, dry_run: bool) -> Vec<&Step> {
    fn walk<'a>(task: &'a PlannedTask, items: &'a [Item], found: &mut Vec<&'a Step>) {
        for item in items {
            match item {
                Item::Step(index) => found.extend(task.steps.get(*index).map(|planned| &planned.step)),
                Item::Block(block) if block.when.is_none() => walk(task, &block.body.main, found),
                Item::Block(_) => {}
            }
        }
    }
    let mut found = Vec::new();
    walk(task, &task.body.main, &mut found);
    found.retain(|step| {
        let kind = step.action.properties();
        let done_there = kind.needs_session() && !(kind.touches == Touches::Anything && dry_run);
        let always = step.when.is_none() && !step.run_once && step.on.is_none();
        step.becomes().is_some() && always && done_there
    });
    found
}

async fn become_once<C: Connector>(
    worker: &mut Worker<'_, C>,
    index: usize,
    raising: Raising,
) -> Result<(), Denied> {
    let failed = |failure: Failure| Denied::Failed(failure);
    let token = Token::new(rand::random());
    let prelude = Prelude { token: Some(&token), ..Prelude::default() };
    let script = task_script(&prelude, ":").map_err(|error| failed(shared::unusable(&error)))?;
    let means = Means {
        interpreter: "sh",
        raising: Some(raising),
        reads: Reads::Nothing,
        terminal: false,
        tidies: false,
        on_disconnect: OnDisconnect::Leave,
        confidential: false,
    };
    let Prepared { request, opening } = shared::prepare(means, &script, token).map_err(failed)?;
    let session = worker.run.session.clone().expect("it is checked when the session has been opened");
    let mut stop = worker.shared.stop.clone();
    let exec = tokio::select! {
        biased;
        exec = session.exec(request) => exec.map_err(|error| failed(error.failure))?,
        reason = stop.asked() => return Err(Denied::Cancelled(interrupted(reason))),
    };
    // Nothing of it is told.
    let quiet = Step { shown: Shown::NoOutput, ..Step::bare(Action::Barrier) };
    let (around, limits) = (shared::surroundings(worker, index, &quiet), shared::limits(worker, &quiet));
    let finished = command::watch(exec, around, limits, opening).await;
    let outcome = shared::outcome(finished, StepStatus::Ok, None).outcome;
    match (outcome.status, outcome.failure) {
        (StepStatus::Cancelled, Some(failure)) => Err(Denied::Cancelled(failure)),
        (_, Some(failure)) => Err(Denied::Failed(failure)),
        (_, None) => Ok(()),
    }
}
