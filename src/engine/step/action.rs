//! Which file does which action.

use futures::FutureExt;

use crate::engine::host::result::StepResult;
use crate::engine::step::cx::StepCx;
use crate::engine::step::{ask, assert, echo, facts, fail, files, local, reboot, run, script, set, wait_for};
use crate::model::outcome::StepStatus;
use crate::model::task::Action;
use crate::ssh::Connector;

/// Does a step whose condition holds. The session is open when its properties ask for one.
pub(crate) async fn perform<C: Connector>(cx: &mut StepCx<'_, C>) -> StepResult {
    let action = &cx.step.action;
    if let Some(why) = cx.step.left_out()
        && cx.plan.changes.dry_run
    {
        return StepResult::not_known(why.to_owned());
    }
    let result = match action {
        Action::Run(command) => run::run(cx, command).await,
        Action::Local(command) => local::run(cx, command).boxed().await,
        Action::Script(file) => script::run(cx, file).boxed().await,
        Action::Echo(text) => echo::run(cx.render(), text),
        Action::Set(values) => set::run(cx.render(), values),
        Action::Fail(message) => fail::run(cx.render(), message),
        Action::Assert { that, message } => assert::run(cx.render(), cx.plan, that, message.as_ref()),
        Action::WaitFor(wait) => wait_for::run(cx, wait).boxed().await,
        Action::Confirm(text) => ask::confirm(cx, text).boxed().await,
        Action::Prompt(prompt) => ask::prompt(cx, prompt).boxed().await,
        Action::Reboot(reboot) => reboot::run(cx, reboot).boxed().await,
        Action::Facts(_) => facts::run(cx).boxed().await,
        // The hosts have met by now.
        Action::Barrier => Ok(StepResult::of(StepStatus::Ok)),
        Action::Block(_) | Action::Task(_) => unreachable!("the plan has opened them up"),
        // Steps on files have all but their work in common.
        Action::Put(_)
        | Action::Get(_)
        | Action::Sync(_)
        | Action::Template(_)
        | Action::Unarchive(_)
        | Action::File(_)
        | Action::Line(_)
        | Action::Stat(_)
        | Action::Ls(_) => files::run(cx).boxed().await,
    };
    result.unwrap_or_else(StepResult::failed)
}
