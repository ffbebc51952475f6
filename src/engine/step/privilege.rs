//! As whom the steps of a host are done: from keys and settings to user, method and password. And the look whether the
//! host lets that happen, before any step is begun there.

use crate::engine::live::command::{self, Exchange, Surroundings};
use crate::engine::live::stop::interrupted;
use crate::engine::plan::{Item, Plan, PlannedTask};
use crate::engine::step::command::{self as shared, Prepared};
use crate::engine::step::cx::StepCx;
use crate::model::action::DoneAt;
use crate::model::outcome::{Failure, StepStatus};
use crate::model::privilege::{Method, Raising};
use crate::model::task::{Action, Command, Step};
use crate::ssh::{Connector, Session};

/// Whom steps become that do not say it.
const ROOT: &str = "root";

/// As whom a step is done in the place of this one, when that is not the user who logs in.
pub(super) fn raising<C: Connector>(cx: &StepCx<'_, C>, step: &Step) -> Result<Option<Raising>, Failure> {
    let Some(other) = step.becomes() else { return Ok(None) };
    let becoming = &cx.place.becoming;
    // A command of this machine has nothing of the host's.
    let here = step.action.properties().done == DoneAt::Here;
    let source = if here { other.own_password() } else { becoming.password_of(other) };
    let user = match &other.user {
        Some(user) => cx.render().text(user)?.trim().to_owned(),
        None if here => ROOT.to_owned(),
        None => becoming.user.as_deref().unwrap_or(ROOT).to_owned(),
    };
    let method = other.method.unwrap_or(if here { Method::default() } else { becoming.method });
    let password = source.and_then(|source| cx.plan.passwords.get(source)).cloned();
    Ok(Some(Raising { user, method, password }))
}

/// Why a host's steps cannot be done.
pub(crate) enum Denied {
    Failed(Failure),
    Cancelled(Failure),
}

/// Becomes everybody that these steps will become, for a command that does nothing.
pub(crate) async fn check<C: Connector>(cx: &mut StepCx<'_, C>, steps: &[&Step]) -> Result<(), Denied> {
    let mut wanted: Vec<Raising> = Vec::new();
    for step in steps {
        // A name that is not known yet is left to the step.
        if let Ok(Some(raising)) = raising(cx, step)
            && !wanted.contains(&raising)
        {
            wanted.push(raising);
        }
    }
    for raising in wanted {
        become_once(cx, raising).await?;
    }
    Ok(())
}

/// The steps of a plan that will surely be done as another user on a host, as far as the plan tells.
pub(crate) fn certain(plan: &Plan, host: usize) -> Vec<&Step> {
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
    for task in &plan.tasks {
        if task.hosts.binary_search_by_key(&host, |member| member.host).is_ok() {
            walk(task, &task.body.main, &mut found);
        }
    }
    found.retain(|step| {
        let kind = step.action.properties();
        // In a dry run what is not run looks for `creates` at most.
        let is_run = !plan.changes.dry_run || step.left_out().is_none() || step.guards.creates.is_some();
        let done_there = kind.needs_session() && is_run;
        let always = step.when.is_none() && !step.run_once && step.on.is_none();
        // A host that allows one program allows no shell to try it with.
        let by_program = matches!(step.action, Action::Run(Command::Program(_)));
        step.becomes().is_some() && always && done_there && !by_program
    });
    found
}

async fn become_once<C: Connector>(cx: &mut StepCx<'_, C>, raising: Raising) -> Result<(), Denied> {
    let failed = |failure: Failure| Denied::Failed(failure);
    let Prepared { request, opening, .. } = shared::nothing(Some(raising)).map_err(failed)?;
    let (session, mut stop) = (cx.connection.session(), cx.tools.stop.clone());
    let exec = tokio::select! {
        biased;
        exec = session.exec(request) => exec.map_err(|error| failed(error.failure))?,
        reason = stop.asked() => return Err(Denied::Cancelled(interrupted(reason))),
    };
    // Nothing of it is told.
    let around = Surroundings { shown: false, ..cx.surroundings() };
    let finished = command::watch(exec, around, cx.limits(), Exchange { opening, feed: None }).await;
    let outcome = shared::outcome(finished, StepStatus::Ok, None).outcome;
    match (outcome.status, outcome.failure) {
        (StepStatus::Cancelled, Some(failure)) => Err(Denied::Cancelled(failure)),
        (_, Some(failure)) => Err(Denied::Failed(failure)),
        (_, None) => Ok(()),
    }
}
