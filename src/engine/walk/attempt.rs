//! One step on one host: whether it is wanted, for which items, how often it is tried, and what its result means.
//! What the action itself does is in `step`.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;

use crate::engine::host::register;
use crate::engine::host::result::{StepResult, concealed};
use crate::engine::live::together::Claim;
use crate::engine::plan::PlannedStep;
use crate::engine::plan::memory::Unseen;
use crate::engine::step::action::perform;
use crate::engine::step::guards;
use crate::engine::walk::halt::Halt;
use crate::engine::walk::judge;
use crate::engine::walk::turns::{Turn, turns};
use crate::engine::walk::worker::Worker;
use crate::event::ledger::Kept;
use crate::event::{Change, Fact, StepAt, StepFact, StepOutcome};
use crate::model::action::{Gathers, Touches};
use crate::model::outcome::{Failure, Kind, StepStatus};
use crate::model::task::{Shown, Step, Strategy};
use crate::model::template::Scope;
use crate::model::value::{Value, Vars};
use crate::ssh::Connector;

impl<C: Connector> Worker<'_, C> {
    /// Runs one step; the host ends here when it does not go well.
    pub(crate) async fn step(&mut self, index: usize) -> Result<(), Halt> {
        let task = self.task;
        let planned = task.steps.get(index).expect("the plan's bodies name its steps");
        let step = &planned.step;
        if let Some(reason) = self.shared.tools.stop.current().reason() {
            return Err(self.halt_cancelled(index, reason));
        }
        if let Some(visit) = self.run.recall(self.task_index, index) {
            return self.pass_over(index, step, visit);
        }
        self.meet(index, step).await?;
        if let Some(halt) = self.halt_unlocked(index) {
            return Err(halt);
        }
        if self.is_paced() {
            match self.is_let_run(index, planned).await {
                Ok(true) => {}
                Ok(false) => {
                    let result = StepResult::of(StepStatus::Skipped);
                    self.take_note(step, &result);
                    self.keep(index, step);
                    self.tell_unrun(index, result);
                    return Ok(());
                }
                Err(halt) => return Err(self.halt_unrun(index, halt)),
            }
        }
        self.run.activity.begin();
        let turns = turns(self.render(&self.scope()), step);
        let is_wanted = |turns: &Vec<Turn>| turns.iter().any(|turn| matches!(turn.wanted, Ok(true)));
        let wanted = turns.as_ref().is_ok_and(is_wanted);
        // A host that would skip the step leaves it to one that does it.
        let claim = if step.run_once && wanted { Some(self.claim(index, step).await?) } else { None };
        let does_it = wanted && !matches!(claim, Some(Claim::Done(_)));
        // Held until the step is over, whatever becomes of it.
        let _place = if does_it { self.enter(index, step).await? } else { None };
        if does_it
            && step.action.properties().needs_session()
            && let Err(halt) = self.go(index, planned).await
        {
            return Err(self.halt_unrun(index, halt));
        }
        let host = self.planned.endpoint.name.clone();
        let sink = &self.shared.tools.sink;
        let begun = sink.elapsed();
        sink.tell(Fact::Step(
            StepAt { host: host.clone(), task: self.task_index, step: index },
            StepFact::Started,
        ));
        let mut result = match (claim, turns) {
            (Some(Claim::Done(done)), _) => self.learn(done),
            (_, Err(failure)) => self.doubted(step, StepResult::failed(failure)),
            (None, Ok(turns)) => self.all_turns(index, planned, turns).await,
            (Some(Claim::Mine(mut claimed)), Ok(turns)) => {
                claimed.begin();
                let result = self.all_turns(index, planned, turns).await;
                self.pass_on(claimed, step, &result);
                result
            }
        };
        self.come_back();
        if result.outcome.status == StepStatus::Failed && self.lets_pass(step, &result) {
            result.outcome.status = StepStatus::Warned;
        }
        result.outcome.elapsed = sink.elapsed().saturating_sub(begun);
        self.tell_dry(step, &mut result);
        self.take_note(step, &result);
        let ended = self.verdict(index, &result);
        // It is registered by now, and may be large.
        (result.stdout, result.stderr) = Default::default();
        self.keep(index, step);
        let outcome = told(result.outcome, step.shown);
        let unseen = outcome.status == StepStatus::Unknown || outcome.may_still_run;
        sink.tell(Fact::Step(
            StepAt { host, task: self.task_index, step: index },
            StepFact::Finished { outcome },
        ));
        // Not before: whoever goes on with a run that was cut off finds in the spool what the record lacks.
        if unseen {
            self.run.jobs.leave()
        } else {
            self.run.jobs.tidy().await
        }
        ended
    }

    /// Whether a failure is a warning. A host that starts nothing cannot go on, and must not end as ok.
    pub(crate) fn lets_pass(&self, step: &Step, result: &StepResult) -> bool {
        (step.warn_only || self.plan.warn_only) && !result.refused
    }

    /// A step that fails in a dry run for want of what the run itself would have brought is skipped.
    fn doubted(&mut self, step: &Step, mut result: StepResult) -> StepResult {
        if !self.plan.changes.dry_run {
            return result;
        }
        let left_out = self.run.left_out;
        let failure = result.outcome.failure.as_ref().filter(|_| result.outcome.status == StepStatus::Failed);
        match failure {
            Some(failure) if failure.kind == Kind::NotKnown => {
                result = StepResult::not_known(failure.clone().about("skipped").message());
            }
            // What it is about may be there once the steps before it are run.
            Some(failure) if left_out && matches!(failure.kind, Kind::RemotePath | Kind::LocalIo) => {
                let failure = failure.clone().about("skipped").and("steps before it were not run");
                result = StepResult::not_known(failure.message());
            }
            // So may what it looks for.
            Some(failure) if left_out && step.reads && !result.refused && !result.outcome.may_still_run => {
                if matches!(
                    failure.kind,
                    Kind::Exit | Kind::Signal | Kind::Timeout | Kind::Idle | Kind::Until
                ) {
                    let failure = failure.clone().about("failed as things are now");
                    result = StepResult::not_known(failure.and("steps before it were not run").message());
                }
            }
            Some(_) | None => {}
        }
        self.run.left_out |= result.outcome.not_known || result.outcome.status == StepStatus::Changed;
        result
    }

    /// What the readers of a dry run are told besides of a step that is over.
    pub(crate) fn tell_dry(&self, step: &Step, result: &mut StepResult) {
        if !self.plan.changes.dry_run {
            return;
        }
        let outcome = &mut result.outcome;
        if step.reads && outcome.exit.is_some() && outcome.note.is_none() {
            outcome.note = Some("ran: it only reads".to_owned());
        }
        let is_open = outcome.not_known || outcome.status == StepStatus::Warned;
        let may = if is_open && step.touches() > Touches::Nothing { Change::Possible } else { Change::None };
        outcome.would_change = outcome.would_change.max(outcome.changed()).max(may);
    }

    /// What the rest of the task has to know of a step that is over.
    pub(crate) fn take_note(&mut self, step: &Step, result: &StepResult) {
        if result.outcome.not_known {
            self.run.left_out = true;
            self.doubt(step.definitions());
        } else if let Some(name) = &step.register
            && !result.done_elsewhere
        {
            let value = register::result(result);
            self.define(Vars::from_iter([(name.value.clone(), value)]));
        }
        self.run.may_still_run |= result.outcome.may_still_run;
        let change = result.outcome.changed();
        self.changed |= change != Change::None;
        if change == Change::Certain {
            self.notified.extend(step.notify.iter().map(|name| name.value.clone()));
        }
    }

    /// Has written down what a step defined, for a run that is resumed.
    pub(crate) fn keep(&self, index: usize, step: &Step) {
        let mut vars = self.definitions_of(step);
        if vars.is_empty() {
            return;
        }
        let lost = if step.shown == Shown::StatusOnly || step.action.typed_unseen().is_some() {
            std::mem::take(&mut vars).into_iter().map(|(name, _)| name).collect()
        } else {
            Vec::new()
        };
        let host = self.planned.endpoint.name.clone();
        self.shared.tools.sink.keep(Kept { host, task: self.task_index, step: index, vars, lost });
    }

    /// Waits for the other hosts of the batch where they go together.
    async fn meet(&mut self, index: usize, step: &Step) -> Result<(), Halt> {
        self.together.batch.come_to(self.together.member, index);
        let meets = step.action.properties().gathers != Gathers::Never;
        if self.task.strategy == Strategy::Free && !meets && !self.is_paced() {
            return Ok(());
        }
        let batch = self.together.batch.clone();
        let met = batch.all_at(index);
        tokio::pin!(met);
        let at_once = futures::poll!(&mut met).is_ready();
        if at_once { Ok(()) } else { self.wait_for_others(index, met).await }
    }

    /// Waits for a place in a step that only so many hosts may be in.
    async fn enter(&mut self, index: usize, step: &Step) -> Result<Option<OwnedSemaphorePermit>, Halt> {
        let (Some(at_most), Some(places)) = (step.throttle, self.shared.throttles.places(step)) else {
            return Ok(None);
        };
        if let Ok(place) = Arc::clone(&places).try_acquire_owned() {
            return Ok(Some(place));
        }
        let host = self.planned.endpoint.name.clone();
        let at = StepAt { host, task: self.task_index, step: index };
        self.shared.tools.sink.tell(Fact::Step(at, StepFact::Waiting { at_most }));
        let place = self.wait_for_others(index, places.acquire_owned()).await?;
        // What kept it from beginning anything may have come meanwhile.
        if let Some(halt) = self.halt_unlocked(index) {
            return Err(halt);
        }
        self.run.activity.begin();
        Ok(Some(place.expect("it is never closed")))
    }

    /// Waits for what other hosts do, without a place among the hosts at work: they may need it.
    async fn wait_for_others<T>(&mut self, index: usize, others: impl Future<Output = T>) -> Result<T, Halt> {
        let mut stop = self.shared.tools.stop.clone();
        let _waits = self.run.activity.wait();
        self.run.permit = None;
        let waited = tokio::select! {
            biased;
            reason = stop.asked() => return Err(self.halt_cancelled(index, reason)),
            waited = others => waited,
        };
        let pool = self.shared.pool.clone();
        tokio::select! {
            biased;
            reason = stop.asked() => return Err(self.halt_cancelled(index, reason)),
            permit = pool.acquire_owned() => {
                self.run.permit = Some(permit.expect("the pool is never closed"));
            }
        }
        Ok(waited)
    }

    async fn all_turns(&mut self, index: usize, planned: &PlannedStep, turns: Vec<Turn>) -> StepResult {
        let PlannedStep { step, places, .. } = planned;
        let mut done: Vec<(Option<Value>, StepResult)> = Vec::with_capacity(turns.len());
        for (number, Turn { item, scope, wanted }) in turns.into_iter().enumerate() {
            if !done.is_empty() && self.shared.tools.stop.current().reason().is_some() {
                break;
            }
            let result = match wanted {
                Ok(true) => match self.go_for_item(places, number).await {
                    Ok(()) => self.tries(index, step, &scope).await,
                    Err(result) => result,
                },
                Ok(false) => StepResult::of(StepStatus::Skipped),
                Err(failure) => StepResult::failed(failure),
            };
            if places.of_items(self.position).is_some() {
                self.come_back();
            }
            let result = self.doubted(step, result);
            let goes_on = match result.outcome.status {
                StepStatus::Ok | StepStatus::Changed | StepStatus::Skipped | StepStatus::Warned => true,
                StepStatus::Failed => self.lets_pass(step, &result),
                StepStatus::Unknown | StepStatus::Cancelled => false,
            };
            done.push((item, result));
            if !goes_on {
                break;
            }
        }
        if step.each.is_some() { register::of_all(done) } else { only(done) }
    }

    /// Does the action until it went as it should, as often as the step allows.
    async fn tries(&mut self, index: usize, step: &Step, scope: &Scope) -> StepResult {
        if !step.guards.is_empty() {
            match guards::superfluous(&mut self.cx(index, step, scope)).await {
                Ok(None) => {}
                Ok(Some(result)) => return result,
                Err(failure) => return StepResult::failed(failure),
            }
        }
        // What only steps could bring about that a dry run has left out is not waited for.
        let in_vain = step.reads && self.plan.changes.dry_run && self.run.left_out;
        let (mut attempt, mut before) = (0, Change::None);
        loop {
            attempt += 1;
            let mut result = perform(&mut self.cx(index, step, scope)).await;
            if result.outcome.failure.as_ref().is_some_and(|failure| failure.kind == Kind::JobLost) {
                result = self.without_job(index, step, scope, result).await;
            }
            if let Some(layer) = result.defines.take() {
                self.take_over(&layer);
            }
            let mut result = judge::after(before, judge::judged(self.render(scope), step, result));
            before = result.outcome.changed();
            let Some(repeat) = &step.repeat else { return result };
            match result.outcome.status {
                StepStatus::Failed if result.outcome.may_still_run => return result,
                StepStatus::Ok | StepStatus::Changed | StepStatus::Failed => {}
                // Nobody knows what a second time would do.
                StepStatus::Unknown | StepStatus::Cancelled | StepStatus::Skipped | StepStatus::Warned => {
                    return result;
                }
            }
            match judge::is_enough(self.render(scope), step, repeat, &result) {
                Ok(true) => return result,
                Ok(false) if result.refused => return result,
                Ok(false) => {}
                Err(failure) => return judge::unread(failure, &result),
            }
            let failure =
                result.outcome.failure.take().unwrap_or_else(|| judge::unsatisfied(repeat, attempt));
            if in_vain
                || attempt > repeat.retries
                || self.together.lock.lost().is_some()
                || !self.pause(index, attempt, repeat.delay, &failure, step.shown).await
            {
                result.outcome.status = StepStatus::Failed;
                result.outcome.failure = Some(failure);
                result.outcome.change = before;
                return result;
            }
        }
    }

    /// What becomes of a step whose command was there in an earlier run, and is gone.
    async fn without_job(
        &mut self,
        index: usize,
        step: &Step,
        scope: &Scope,
        mut lost: StepResult,
    ) -> StepResult {
        match self.run.jobs.give_up((self.task_index, index)) {
            Some(Unseen::Rerun) => perform(&mut self.cx(index, step, scope)).await,
            Some(Unseen::Skip) if step.register.is_none() => {
                let mut done = StepResult::of(step.action.success());
                done.outcome.note = Some("counted as done: its end was not seen".to_owned());
                done
            }
            Some(Unseen::Fail) => {
                lost.outcome.status = StepStatus::Failed;
                lost
            }
            // What it was to register is not known.
            Some(Unseen::Skip) | None => lost,
        }
    }

    /// Waits before the next try; false when the user stopped the run meanwhile.
    async fn pause(
        &mut self,
        index: usize,
        attempt: u32,
        delay: Duration,
        failure: &Failure,
        shown: Shown,
    ) -> bool {
        let host = self.planned.endpoint.name.clone();
        let mut failure = failure.clone();
        if shown == Shown::StatusOnly {
            failure = concealed(failure.kind);
        }
        let tools = &self.shared.tools;
        tools.sink.tell(Fact::Step(
            StepAt { host, task: self.task_index, step: index },
            StepFact::Retried { attempt, failure, delay },
        ));
        let mut stop = tools.stop.clone();
        tokio::select! {
            biased;
            _ = stop.asked() => false,
            () = tokio::time::sleep(delay) => true,
        }
    }
}

/// The only result there is.
fn only(done: Vec<(Option<Value>, StepResult)>) -> StepResult {
    let last = done.into_iter().next_back();
    last.map_or_else(|| StepResult::of(StepStatus::Skipped), |(_, result)| result)
}

/// What readers are told of a step's outcome.
fn told(mut outcome: StepOutcome, shown: Shown) -> StepOutcome {
    if shown == Shown::StatusOnly {
        outcome.note = None;
        outcome.difference = None;
        outcome.failure = outcome.failure.map(|failure| concealed(failure.kind));
    }
    outcome
}
