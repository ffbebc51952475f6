//! `set`: variables of this host for its later steps, each seeing the ones before it.

use indexmap::IndexMap;

use crate::engine::host::render::Render;
use crate::engine::host::result::StepResult;
use crate::model::outcome::{Failure, Kind, StepStatus};
use crate::model::task::Template;
use crate::model::template::Layer;
use crate::model::value::Vars;

pub(super) fn run(render: Render<'_>, values: &IndexMap<String, Template>) -> Result<StepResult, Failure> {
    let (mut layer, mut notes) = (Layer::default(), Vec::new());
    for (name, template) in values {
        let scope = render.scope.clone().with(layer.clone());
        match render.within(&scope).value(template) {
            Ok(value) => layer.define(Vars::from_iter([(name.clone(), value)])),
            Err(failure) if failure.kind == Kind::NotKnown => {
                layer.doubt([name.as_str()]);
                notes.push(format!("{name}: {}", failure.message()));
            }
            Err(failure) => return Err(failure),
        }
    }
    let nothing = !notes.is_empty() && notes.len() == values.len();
    let mut result = StepResult::of(if nothing { StepStatus::Skipped } else { StepStatus::Ok });
    result.outcome.not_known = nothing;
    result.outcome.note = (!notes.is_empty()).then(|| notes.join("\n"));
    result.defines = Some(layer);
    Ok(result)
}
