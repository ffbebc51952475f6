//! `local`: a command on the operator's machine, once per host.

use bytes::Bytes;

use crate::engine::command;
use crate::engine::step::{StepResult, command as shared, local_folder};
use crate::engine::worker::Worker;
use crate::model::outcome::{Failure, Kind, StepStatus};
use crate::model::task::{Command, Step};
use crate::model::template::Scope;
use crate::ssh::local::LocalSession;
use crate::ssh::{Connector, ExecRequest, Session, Stdin};

pub(super) async fn run<C: Connector>(
    worker: &mut Worker<'_, C>,
    index: usize,
    step: &Step,
    command: &Command,
    scope: &Scope,
) -> Result<StepResult, Failure> {
    let folder = local_folder(worker, step, scope)?;
    let folder = folder.to_str().ok_or_else(|| {
        Failure::new(Kind::LocalIo, format!("the name of the folder {} is not UTF-8", folder.display()))
    })?;
    let folder = Some(folder).filter(|folder| !folder.is_empty());
    let script = shared::script(worker, step, command, scope, folder)?;
    // `on_disconnect` is about the host's connection; this needs none.
    let request = ExecRequest { line: Bytes::from(script), stdin: Stdin::Closed };
    let exec = LocalSession.exec(request).await.map_err(|error| error.failure)?;
    let finished =
        command::watch(exec, shared::surroundings(worker, index, step), shared::limits(worker, step)).await;
    // What it did here says nothing about a change on the host.
    Ok(shared::outcome(finished, StepStatus::Ok))
}
