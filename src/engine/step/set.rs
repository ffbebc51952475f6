//! `set`: variables of this host for its later steps, each seeing the ones before it.

use indexmap::IndexMap;

use crate::engine::step::{StepResult, template_failed};
use crate::engine::worker::Worker;
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
    let mut fresh = Vars::new();
    for (name, template) in values {
        let scope = scope.clone().with(Layer::new(&fresh));
        let value = worker
            .shared
            .plan
            .templates
            .render_value(template, &scope)
            .map_err(|error| template_failed(&error.value, &error.position))?;
        fresh.insert(name.clone(), value);
    }
    worker.define(fresh);
    Ok(StepResult::of(StepStatus::Ok))
}
