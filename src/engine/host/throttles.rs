//! `throttle`: places in steps that only so many hosts may be in at a time.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::engine::plan::Plan;
use crate::model::position::Position;
use crate::model::task::Step;

/// The places of each such step. A step is one wherever it is called from.
#[derive(Debug, Default)]
pub(crate) struct Throttles(HashMap<Position, Arc<Semaphore>>);

impl Throttles {
    /// All places are free.
    pub(crate) fn of(plan: &Plan) -> Self {
        let steps = plan.tasks.iter().flat_map(|task| &task.steps).map(|planned| &planned.step);
        let places = |step: &Step| {
            let most = usize::try_from(step.throttle?).ok()?;
            Some((step.position.clone(), Arc::new(Semaphore::new(most))))
        };
        Self(steps.filter_map(places).collect())
    }

    /// The places of a step, where they are counted.
    pub(crate) fn places(&self, step: &Step) -> Option<Arc<Semaphore>> {
        step.throttle?;
        self.0.get(&step.position).cloned()
    }
}
