//! `script`: a local file that is run on the host. It lies there in a private folder while it runs, and is gone after.

use crate::engine::step::command as shared;
use crate::engine::step::run::{self, Body};
use crate::engine::step::{StepResult, local_folder, template_failed};
use crate::engine::walk::worker::Worker;
use crate::model::outcome::{Failure, Kind, StepStatus};
use crate::model::shell::carried::{Carried, carried};
use crate::model::shell::quote_word;
use crate::model::task::{ScriptArgs, ScriptFile, Step};
use crate::model::template::Scope;
use crate::ssh::Connector;

pub(super) async fn run<C: Connector>(
    worker: &mut Worker<'_, C>,
    index: usize,
    step: &Step,
    file: &ScriptFile,
    scope: &Scope,
) -> Result<StepResult, Failure> {
    let plan = &worker.shared.plan;
    let text = |text: &crate::model::task::TemplateText| {
        let rendered = plan.templates.render_text(&text.value, scope);
        rendered.map_err(|error| template_failed(&error, &text.position))
    };
    let path = local_folder(worker, step, scope)?.join(plan.local_path(&text(&file.from)?));
    let content = std::fs::read(&path)
        .map_err(|error| Failure::new(Kind::LocalIo, format!("cannot read {}: {error}", path.display())))?;
    let args = match &file.args {
        ScriptArgs::Words(words) => {
            let words = words.iter().map(text).collect::<Result<Vec<_>, _>>()?;
            words.iter().map(|word| quote_word(word)).collect::<Vec<_>>().join(" ")
        }
        ScriptArgs::Line(line) => {
            let rendered = plan.templates.render_script(&line.value, scope);
            rendered.map_err(|error| template_failed(&error, &line.position))?
        }
    };
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let shell = step.shell.as_ref().map(|shell| shell.value.as_str());
    let carried = carried(Carried {
        name: &name,
        content: &content,
        args: &args,
        shell,
        fallback: &worker.place.shell,
    });
    let body = carried.map_err(|error| shared::unusable(&error))?;
    let body = Body { text: &body, interpreter: "sh" };
    match run::scripted(worker, index, step, body, scope).await? {
        Ok(finished) => Ok(shared::outcome(finished, StepStatus::Changed, None)),
        Err(result) => Ok(*result),
    }
}
