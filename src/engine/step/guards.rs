//! `creates`, `unless` and `onlyif`: whether a step is superfluous on its host.

use crate::engine::host::result::StepResult;
use crate::engine::step::cx::StepCx;
use crate::engine::step::look::{self, Probe, Spelt};
use crate::model::action::first_line;
use crate::model::outcome::{Failure, StepStatus};
use crate::model::task::{Command, Guards};
use crate::ssh::Connector;

/// The result of a step that one of them makes superfluous.
pub(crate) async fn superfluous<C: Connector>(cx: &mut StepCx<'_, C>) -> Result<Option<StepResult>, Failure> {
    let skipped = |why: String| {
        let mut result = StepResult::of(StepStatus::Skipped);
        result.outcome.note = Some(why);
        Ok(Some(result))
    };
    let Guards { creates, unless, onlyif } = &cx.step.guards;
    if let Some(creates) = creates {
        match look::is_there(cx, creates, Spelt::Pattern).await? {
            Probe::Yes => return skipped(format!("creates: {} exists", creates.value.trim())),
            Probe::No => {}
            Probe::Unasked(unasked) => return Err(unasked.of("creates")),
            Probe::Ended(result) => return Ok(Some(look::of("creates", *result))),
        }
    }
    // Whether a path is there is looked at in a dry run too; scripts are run by it only where the step says that it reads.
    if cx.plan.changes.dry_run && !cx.step.reads {
        return Ok(None);
    }
    for (word, guard, skips) in [("unless", unless, true), ("onlyif", onlyif, false)] {
        let Some(script) = guard else { continue };
        let yes = match look::probe(cx, &Command::Script(script.clone())).await? {
            Probe::Yes => true,
            Probe::No => false,
            Probe::Unasked(unasked) => return Err(unasked.of(word)),
            Probe::Ended(result) => return Ok(Some(look::of(word, *result))),
        };
        if yes == skips {
            return skipped(format!("{word}: {}", first_line(&script.value)));
        }
    }
    Ok(None)
}
