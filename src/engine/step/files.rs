//! Steps on files: from what the user wrote to what `files` does, and from its end to the step's outcome.

use crate::engine::step::StepResult;
use crate::engine::worker::Worker;
use crate::model::outcome::{Failure, Kind};
use crate::model::task::Step;
use crate::model::template::Scope;
use crate::ssh::Connector;

pub(super) async fn run<C: Connector>(
    _worker: &mut Worker<'_, C>,
    _index: usize,
    step: &Step,
    _scope: &Scope,
) -> Result<StepResult, Failure> {
    Err(Failure::new(Kind::Internal, format!("{} is not built yet", step.action.key())))
}
