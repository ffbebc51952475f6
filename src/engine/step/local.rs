//! `local`: a command on the operator's machine, once per host.

use bytes::Bytes;

use crate::engine::command;
use crate::engine::step::{StepResult, command as shared};
use crate::engine::worker::Worker;
use crate::model::outcome::{Failure, StepStatus};
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
    let script = shared::script(worker, step, command, scope)?;
    // `on_disconnect` is about the host's connection; this needs none.
    let request = ExecRequest { line: Bytes::from(script), stdin: Stdin::Closed };
    let exec = LocalSession.exec(request).await.map_err(|error| error.failure)?;
    let finished =
        command::watch(exec, shared::surroundings(worker, index, step), shared::limits(worker, step)).await;
    // What it did here says nothing about a change on the host.
    Ok(shared::outcome(finished, StepStatus::Ok))
}
