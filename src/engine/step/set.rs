//! `set`: variables of this host for its later steps, each seeing the ones before it.

use indexmap::IndexMap;

use crate::engine::step::{StepResult, template_failed};
use crate::engine::walk::worker::Worker;
use crate::model::outcome::{Failure, StepStatus};
use crate::model::task::Template;
use crate::model::template::{Layer, Scope};
use crate::model::value::Vars;
use crate::ssh::Connector;

pub(super) fn run<C: Connector>(
    worker: &mut Worker<'_, C>,
    values: &IndexMap<String, Template>,
    scope: &Scope,
) -> Result<StepResult, Failure> {
    let (mut fresh, mut layer) = (Vars::new(), Layer::default());
    let (mut doubtful, mut notes) = (Vec::new(), Vec::new());
    for (name, template) in values {
        let scope = scope.clone().with(layer.clone());
        match worker.shared.plan.templates.render_value(template, &scope) {
            Ok(value) => {
                layer.define(Vars::from_iter([(name.clone(), value.clone())]));
                fresh.insert(name.clone(), value);
            }
            Err(error) if error.value.is_not_known() => {
                layer.doubt([name.as_str()]);
                notes.push(format!("{name}: {}", template_failed(&error.value, &error.position).message));
                doubtful.push(name.as_str());
            }
            Err(error) => return Err(template_failed(&error.value, &error.position)),
        }
    }
    let nothing = fresh.is_empty() && !doubtful.is_empty();
    worker.define(fresh);
    worker.doubt(doubtful);
    let mut result = StepResult::of(if nothing { StepStatus::Skipped } else { StepStatus::Ok });
    result.outcome.not_known = nothing;
    result.outcome.note = (!notes.is_empty()).then(|| notes.join("\n"));
    Ok(result)
}
