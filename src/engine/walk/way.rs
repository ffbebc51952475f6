//! How a host goes through the steps of a task: blocks with their `rescue` and `always`, calls of other tasks, and
//! the handlers that it notified. Refuses to know what a step does.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;

use crate::engine::host::result::StepResult;
use crate::engine::host::run::HostRun;
use crate::engine::live::together::Together;
use crate::engine::plan::{Body, Call, Item, Plan, PlannedBlock, summarize};
use crate::engine::walk::halt::{Halt, TaskEnd};
use crate::engine::walk::shared::Shared;
use crate::engine::walk::worker::Worker;
use crate::event::HostOutcome;
use crate::model::given::Given;
use crate::model::outcome::{Failure, Kind, Status, StepStatus};
use crate::model::template::Layer;
use crate::model::template::expand::expand;
use crate::model::value::{Value, Vars, type_name};
use crate::ssh::Connector;

type WalkEnd = Result<(), Halt>;

/// Takes one host through one task.
///
/// `position` is the host's place in the task's list. The session is kept open for the host's next task.
pub(crate) async fn run_task<C: Connector>(
    plan: Arc<Plan>,
    shared: Arc<Shared<C>>,
    run: HostRun<C::Session>,
    task: usize,
    position: usize,
    together: Together,
) -> (HostRun<C::Session>, TaskEnd) {
    let mut worker = Worker::new(&plan, &shared, run, task, position, together);
    let end = match worker.walk().await {
        Ok(()) => TaskEnd::Done { given: worker.given },
        Err(outcome) => TaskEnd::Ended(outcome),
    };
    (worker.run, end)
}

impl<C: Connector> Worker<'_, C> {
    /// Takes the host through the whole task.
    ///
    /// # Errors
    ///
    /// Its final record, when it did not get through.
    async fn walk(&mut self) -> Result<(), HostOutcome> {
        let Body { main, rescue, always } = &self.task.body;
        let mut end = self.items(main).await;
        if end.is_ok() {
            end = self.notified_handlers().await;
        }
        if let Some(halt) = going_on(&end)
            && self.changed
            && !rescue.is_empty()
        {
            self.learn_failure(&halt.outcome);
            // The task has failed there, however well the way back went.
            let _ = self.items(rescue).await;
        }
        if end.is_ok() || going_on(&end).is_some() {
            end = first_error(end, self.items(always).await);
        }
        end.map_err(|halt| halt.outcome)
    }

    /// Boxed, as blocks stand in blocks.
    fn items<'w>(&'w mut self, items: &'w [Item]) -> BoxFuture<'w, WalkEnd> {
        // The walk through a step takes kilobytes, and most tasks have no `rescue` or `always`.
        if items.is_empty() {
            return std::future::ready(Ok(())).boxed();
        }
        async move {
            for item in items {
                match item {
                    Item::Step(index) => self.step(*index).await?,
                    Item::Block(block) => self.block(block).await?,
                }
            }
            Ok(())
        }
        .boxed()
    }

    async fn block(&mut self, block: &PlannedBlock) -> WalkEnd {
        match self.wanted(block) {
            Ok(true) => {}
            Ok(false) => {
                self.skip(&block.body, None);
                return Ok(());
            }
            Err(failure) if failure.kind == Kind::NotKnown => {
                self.skip(&block.body, Some(&failure));
                return Ok(());
            }
            Err(failure) => return self.fail_first(&block.body, failure),
        }
        let Some(call) = &block.call else { return self.body(&block.body).await };
        match self.frame(call) {
            Ok(frame) => {
                self.frames.push(frame);
                let end = self.body(&block.body).await;
                self.frames.pop();
                end
            }
            Err(failure) => self.fail_first(&block.body, failure),
        }
    }

    async fn body(&mut self, body: &Body) -> WalkEnd {
        let mut end = self.items(&body.main).await;
        if let Some(halt) = going_on(&end)
            && !body.rescue.is_empty()
        {
            let declined = halt.is_declined();
            self.learn_failure(&halt.outcome);
            let rescued = self.items(&body.rescue).await;
            // Who says no wants what was begun to be put right, and nothing more.
            if !declined {
                end = rescued;
            }
        } else if end.is_ok() {
            self.leave_out_all(&body.rescue);
        }
        if end.is_ok() || going_on(&end).is_some() {
            end = first_error(end, self.items(&body.always).await);
        }
        end
    }

    /// Runs the handlers that steps asked for, in the order in which the task has them, each once. One that asks
    /// for an earlier one gets it in another round, of which there is one at most.
    async fn notified_handlers(&mut self) -> WalkEnd {
        for _ in 0..2 {
            for handler in &self.task.handlers {
                if self.notified.remove(&handler.name) {
                    self.items(&handler.items).await?;
                }
            }
        }
        Ok(())
    }

    fn wanted(&self, block: &PlannedBlock) -> Result<bool, Failure> {
        let Some(when) = &block.when else { return Ok(true) };
        self.render(&self.scope()).holds(when)
    }

    /// The variables that a called task sees.
    fn frame(&self, call: &Call) -> Result<Layer, Failure> {
        let (plan, scope) = (self.plan, self.scope());
        let (mut args, mut frame) = (Vars::new(), Layer::default());
        for (name, value) in &call.args {
            match self.render(&scope).value(value) {
                Ok(value) => drop(args.insert(name.clone(), fitting(call, name, value)?)),
                Err(failure) if failure.kind == Kind::NotKnown => frame.doubt([name.as_str()]),
                Err(failure) => return Err(failure),
            }
        }
        frame.define(args);
        let above = [frame.clone(), plan.extra_vars.clone()];
        match expand(&plan.templates, &call.vars, scope.layers(), &above) {
            Ok(expanded) => Ok(frame.over(&Layer::new(&expanded))),
            Err(problem) if problem.not_known => {
                // Which of them need it does not matter: what they are for is not known either.
                let mut vars = Layer::default();
                vars.doubt(call.vars.keys().map(String::as_str));
                Ok(frame.over(&vars))
            }
            Err(problem) => {
                let failure = Failure::new(Kind::Template, problem.message).about(call.position.to_string());
                Err(Failure { hint: problem.help, ..failure })
            }
        }
    }

    /// Tells of steps that are not wanted.
    fn skip(&mut self, body: &Body, not_known: Option<&Failure>) {
        let Body { main, rescue: _, always } = body;
        for item in main.iter().chain(always) {
            match item {
                Item::Step(index) => {
                    let result = match not_known {
                        None => StepResult::of(StepStatus::Skipped),
                        Some(failure) => StepResult::not_known(failure.clone().about("skipped").message()),
                    };
                    self.leave_out(*index, &result);
                    self.tell_unrun(*index, result);
                }
                Item::Block(block) => self.skip(&block.body, not_known),
            }
        }
    }

    /// Lets later steps see the result of one that its block's end has left out, unless another has defined the name.
    fn leave_out(&mut self, index: usize, result: &StepResult) {
        let task = self.task;
        let Some(planned) = task.steps.get(index) else { return };
        let Some(name) = &planned.step.register else {
            if result.outcome.not_known {
                self.take_note(&planned.step, result);
            }
            return;
        };
        if !result.outcome.not_known && self.run.layer.contains(&name.value) {
            return;
        }
        self.take_note(&planned.step, result);
    }

    /// The same for all steps of a way that the host does not go.
    fn leave_out_all(&mut self, items: &[Item]) {
        for item in items {
            match item {
                Item::Step(index) => self.leave_out(*index, &StepResult::of(StepStatus::Skipped)),
                Item::Block(PlannedBlock { body: Body { main, rescue, always }, .. }) => {
                    [main, rescue, always].into_iter().for_each(|items| self.leave_out_all(items));
                }
            }
        }
    }

    /// A block that cannot be begun fails at its first step.
    fn fail_first(&mut self, body: &Body, failure: Failure) -> WalkEnd {
        let Some(index) = first_step(&body.main) else { return Ok(()) };
        let outcome = self.ended(Status::Failed, Some(failure.clone()), index);
        self.tell_unrun(index, StepResult::failed(failure));
        Err(Halt { outcome, can_go_on: true })
    }

    /// What failed, for the steps that deal with it: the variable `failure`.
    fn learn_failure(&mut self, outcome: &HostOutcome) {
        let mut failure = Vars::new();
        if let Some(known) = &outcome.failure {
            failure.insert("kind".to_owned(), Value::from(known.kind.as_str()));
            failure.insert("message".to_owned(), Value::from(known.message()));
        }
        let step = outcome.step.and_then(|(_, step)| self.task.steps.get(step));
        let title = step.map(|planned| summarize(planned).title);
        failure.insert("step".to_owned(), Value::from(title));
        let vars = Vars::from_iter([("failure".to_owned(), Value::Object(failure))]);
        self.run.layer.define(vars);
        self.tell_others();
    }
}

/// An argument with the type of the default that it stands for.
fn fitting(call: &Call, name: &str, value: Value) -> Result<Value, Failure> {
    let Some(wanted) = call.wanted.get(name).filter(|_| !value.is_null()) else { return Ok(value) };
    let found = type_name(&value);
    wanted.fit(&Given::from(value)).ok_or_else(|| {
        let (wanted, at) = (wanted.words(), &call.position);
        let message = format!("\"{name}\" needs {wanted}, found {found} ({}:{})", at.file, at.line);
        Failure::new(Kind::Template, message)
    })
}

/// The failure after which the host can be worked on.
fn going_on(end: &WalkEnd) -> Option<&Halt> {
    end.as_ref().err().filter(|halt| halt.can_go_on)
}

fn first_error(first: WalkEnd, second: WalkEnd) -> WalkEnd {
    match (first, second) {
        (Err(first), _) => Err(first),
        (Ok(()), second) => second,
    }
}

fn first_step(items: &[Item]) -> Option<usize> {
    items.iter().find_map(|item| match item {
        Item::Step(index) => Some(*index),
        Item::Block(block) => first_step(&block.body.main),
    })
}
