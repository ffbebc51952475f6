//! `script`: a local file that is run on the host. It lies there in a private folder while it runs, and is gone after.

use std::borrow::Cow;

use crate::engine::host::result::StepResult;
use crate::engine::step::command as shared;
use crate::engine::step::cx::StepCx;
use crate::engine::step::run::{self, ScriptBody};
use crate::model::outcome::{Failure, Kind, StepStatus};
use crate::model::shell::carried::{Carried, carried};
use crate::model::shell::quote_word;
use crate::model::task::{ScriptArgs, ScriptFile};
use crate::ssh::Connector;

pub(super) async fn run<C: Connector>(
    cx: &mut StepCx<'_, C>,
    file: &ScriptFile,
) -> Result<StepResult, Failure> {
    let render = cx.render();
    let path = cx.local_folder()?.join(cx.plan.local_path(&render.text(&file.from)?));
    let content = match &file.content {
        Some(content) => Cow::Borrowed(&**content),
        None => {
            let cannot = |error| format!("cannot read {}: {error}", path.display());
            Cow::Owned(std::fs::read(&path).map_err(|error| Failure::new(Kind::LocalIo, cannot(error)))?)
        }
    };
    let args = match &file.args {
        ScriptArgs::Words(words) => {
            let words = words.iter().map(|word| render.text(word)).collect::<Result<Vec<_>, _>>()?;
            words.iter().map(|word| quote_word(word)).collect::<Vec<_>>().join(" ")
        }
        ScriptArgs::Line(line) => render.script(line)?,
    };
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let shell = cx.step.shell.as_ref().map(|shell| shell.value.as_str());
    let carried =
        carried(Carried { name: &name, content: &content, args: &args, shell, fallback: &cx.place.shell });
    let body = carried.map_err(|error| shared::unusable(&error))?;
    match run::scripted(cx, ScriptBody { text: &body, interpreter: "sh" }).await? {
        Ok(finished) => Ok(shared::outcome(finished, StepStatus::Changed, None)),
        Err(result) => Ok(*result),
    }
}
