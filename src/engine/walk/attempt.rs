//! One step on one host: whether it is wanted, for which items, how often it is tried, and what its result means.
//! What the action itself does is in `step`.

use std::time::Duration;

use crate::engine::host::register;
use crate::engine::live::together::{Claim, Claimed, Done, Once, Place};
use crate::engine::step::ask::NoAnswer;
use crate::engine::step::look::{self, Probe};
use crate::engine::step::{self, StepResult, template_failed};
use crate::engine::walk::way::Halt;
use crate::engine::walk::worker::Worker;
use crate::event::ledger::Kept;
use crate::event::{Change, Fact, StepOutcome};
use crate::model::action::{Gathers, RESULT, first_line};
use crate::model::outcome::{Exit, Failure, Kind, StepStatus};
use crate::model::position::Located;
use crate::model::task::{Command, Each, Repeat, Shown, Step, Strategy, TemplateText};
use crate::model::template::{self, Layer, Scope, Syntax, TemplateError};
use crate::model::value::{Value, Vars, type_name};
use crate::ssh::Connector;

/// The most items of a loop: a host's output may have millions of lines.
const MAX_TURNS: usize = 100_000;

/// One time that the action is to be done.
struct Turn {
    /// The item that it is for, in a loop.
    item: Option<Value>,
    scope: Scope,
    wanted: Result<bool, Failure>,
}

impl<C: Connector> Worker<'_, C> {
    /// Runs one step; the host ends here when it does not go well.
    pub(crate) async fn step(&mut self, index: usize) -> Result<(), Halt> {
        let task = self.task;
        let planned = task.steps.get(index).expect("the plan's bodies name its steps");
        let step = &planned.step;
        if let Some(reason) = self.shared.stop.current().reason() {
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
        let turns = self.turns(step);
        let is_wanted = |turns: &Vec<Turn>| turns.iter().any(|turn| matches!(turn.wanted, Ok(true)));
        let wanted = turns.as_ref().is_ok_and(is_wanted);
        // A host that would skip the step leaves it to one that does it.
        let claim = if step.run_once && wanted { Some(self.claim(index, step).await?) } else { None };
        let does_it = wanted && !matches!(claim, Some(Claim::Done(_)));
        let mut away = None;
        if does_it && step.action.properties().needs_session() {
            away = match self.go(index, planned).await {
                Ok(away) => away,
                Err(halt) => return Err(self.halt_unrun(index, halt)),
            };
        }
        let host = self.planned.endpoint.name.clone();
        let sink = self.shared.sink.clone();
        let begun = sink.elapsed();
        sink.tell(Fact::StepStarted { host: host.clone(), task: self.task_index, step: index });
        let mut result = match (claim, turns) {
            (Some(Claim::Done(done)), _) => self.learn(done),
            (_, Err(failure)) => self.doubted(StepResult::failed(failure)),
            (None, Ok(turns)) => self.all_turns(index, step, turns).await,
            (Some(Claim::Mine(mut claimed)), Ok(turns)) => {
                claimed.begin();
                let result = self.all_turns(index, step, turns).await;
                self.pass_on(claimed, step, &result);
                result
            }
        };
        self.come_back(away);
        if result.outcome.status == StepStatus::Failed && self.lets_pass(step, &result) {
            result.outcome.status = StepStatus::Warned;
        }
        result.outcome.elapsed = sink.elapsed().saturating_sub(begun);
        self.take_note(step, &result);
        let ended = self.verdict(index, &result);
        // It is registered by now, and may be large.
        (result.stdout, result.stderr) = Default::default();
        self.keep(index, step);
        let outcome = told(result.outcome, step.shown);
        sink.tell(Fact::StepFinished { host, task: self.task_index, step: index, outcome });
        ended
    }

    /// Whether a failure is a warning. A host that starts nothing cannot go on, and must not end as ok.
    fn lets_pass(&self, step: &Step, result: &StepResult) -> bool {
        (step.warn_only || self.plan.warn_only) && !result.refused
    }

    /// A step that fails in a dry run for want of what the run itself would have brought is skipped.
    fn doubted(&mut self, mut result: StepResult) -> StepResult {
        if !self.shared.plan.changes.dry_run {
            return result;
        }
        let left_out = self.run.left_out;
        let failure = result.outcome.failure.as_ref().filter(|_| result.outcome.status == StepStatus::Failed);
        match failure {
            Some(failure) if failure.kind == Kind::NotKnown => {
                result = StepResult::not_known(format!("skipped: {}", failure.message));
            }
            // What it is about may be there once the steps before it are run.
            Some(failure) if left_out && matches!(failure.kind, Kind::RemotePath | Kind::LocalIo) => {
                result = StepResult::not_known(format!(
                    "skipped: {}; steps before it were not run",
                    failure.message
                ));
            }
            Some(_) | None => {}
        }
        self.run.left_out |= result.outcome.not_known || result.outcome.status == StepStatus::Changed;
        result
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
        self.shared.sink.keep(Kept { host, task: self.task_index, step: index, vars, lost });
    }

    /// Waits for the other hosts of the batch where they go together.
    async fn meet(&mut self, index: usize, step: &Step) -> Result<(), Halt> {
        self.together.batch.come_to(self.together.member, index);
        let meets = step.action.properties().gathers != Gathers::Never;
        if self.task.strategy == Strategy::Free && !meets && !self.is_paced() {
            return Ok(());
        }
        let (batch, mut stop) = (self.together.batch.clone(), self.shared.stop.clone());
        let met = batch.all_at(index);
        tokio::pin!(met);
        let at_once = futures::poll!(&mut met).is_ready();
        if !at_once {
            // Others may need the place to come here.
            self.run.permit = None;
            tokio::select! {
                biased;
                reason = stop.asked() => return Err(self.halt_cancelled(index, reason)),
                () = met => {}
            }
            let pool = self.shared.pool.clone();
            tokio::select! {
                biased;
                reason = stop.asked() => return Err(self.halt_cancelled(index, reason)),
                permit = pool.acquire_owned() => {
                    self.run.permit = Some(permit.expect("the pool is never closed"));
                }
            }
        }
        Ok(())
    }

    /// How often the action is to be done, and with which variables.
    fn turns(&self, step: &Step) -> Result<Vec<Turn>, Failure> {
        let scope = self.scope();
        let templates = &self.shared.plan.templates;
        let Some(each) = &step.each else {
            let wanted = step::condition(templates, step, &scope);
            return Ok(vec![Turn { item: None, scope, wanted }]);
        };
        let items: Vec<Result<Value, Failure>> = match each {
            Each::Expression(text) => {
                let value = templates.eval_value(&text.value, &scope);
                let value = value.map_err(|error| template_failed(&error, &text.position))?;
                items(value, text)?.into_iter().map(Ok).collect()
            }
            Each::Items(list) => {
                let mut items = Vec::with_capacity(list.len());
                for template in list {
                    let value = templates.render_value(template, &scope);
                    let failed =
                        |error: &Located<TemplateError>| template_failed(&error.value, &error.position);
                    // One that a dry run does not know says nothing about the others.
                    items.push(match value {
                        Ok(value) => Ok(value),
                        Err(error) if error.value.is_not_known() => Err(failed(&error)),
                        Err(error) => return Err(failed(&error)),
                    });
                }
                items
            }
        };
        if items.len() > MAX_TURNS {
            let message = format!("\"each\" has {} items, and {MAX_TURNS} are the most", items.len());
            return Err(Failure::new(Kind::Limit, message));
        }
        let turns = items.into_iter().enumerate().map(|(index, item)| {
            let item = match item {
                Ok(item) => item,
                Err(not_known) => return Turn { item: None, scope: scope.clone(), wanted: Err(not_known) },
            };
            let locals = Vars::from_iter([
                ("item".to_owned(), item.clone()),
                ("item_index".to_owned(), Value::from(index)),
            ]);
            let scope = scope.clone().with(Layer::new(&locals));
            let wanted = step::condition(templates, step, &scope);
            Turn { item: Some(item), scope, wanted }
        });
        Ok(turns.collect())
    }

    async fn all_turns(&mut self, index: usize, step: &Step, turns: Vec<Turn>) -> StepResult {
        let mut done: Vec<(Option<Value>, StepResult)> = Vec::with_capacity(turns.len());
        for Turn { item, scope, wanted } in turns {
            if !done.is_empty() && self.shared.stop.current().reason().is_some() {
                break;
            }
            let result = match wanted {
                Ok(true) => self.tries(index, step, &scope).await,
                Ok(false) => StepResult::of(StepStatus::Skipped),
                Err(failure) => StepResult::failed(failure),
            };
            let result = self.doubted(result);
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
        match self.guarded(index, step, scope).await {
            Ok(None) => {}
            Ok(Some(result)) => return result,
            Err(failure) => return StepResult::failed(failure),
        }
        let (mut attempt, mut before) = (0, Change::None);
        loop {
            attempt += 1;
            let result = step::run(self, index, step, scope).await;
            let mut result = after(before, self.judged(step, scope, result));
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
            match self.is_enough(step, repeat, scope, &result) {
                Ok(true) => return result,
                Ok(false) if result.refused => return result,
                Ok(false) => {}
                Err(failure) => return unread(failure, &result),
            }
            let failure = result.outcome.failure.take().unwrap_or_else(|| unsatisfied(repeat, attempt));
            if attempt > repeat.retries
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

    /// Whether a result needs no further try.
    fn is_enough(
        &self,
        step: &Step,
        repeat: &Repeat,
        scope: &Scope,
        result: &StepResult,
    ) -> Result<bool, Failure> {
        match &repeat.until {
            None => Ok(result.outcome.status != StepStatus::Failed),
            Some(until) => {
                let scope = scope.clone().with(own_result(step, result));
                let verdict = self.shared.plan.templates.eval_bool(&until.value, &scope);
                verdict.map_err(|error| template_failed(&error, &until.position))
            }
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
        self.shared.sink.tell(Fact::StepRetried {
            host,
            task: self.task_index,
            step: index,
            attempt,
            failure,
            delay,
        });
        let mut stop = self.shared.stop.clone();
        tokio::select! {
            biased;
            _ = stop.asked() => false,
            () = tokio::time::sleep(delay) => true,
        }
    }

    /// A result as `ok_codes` and `changed_when` want it read.
    fn judged(&self, step: &Step, scope: &Scope, mut result: StepResult) -> StepResult {
        if let (Some(codes), Some(Exit::Status(status))) = (&step.ok_codes, result.outcome.exit.clone()) {
            let outcome = &mut result.outcome;
            match (outcome.status, codes.contains(&status)) {
                (StepStatus::Failed, true)
                    if outcome.failure.as_ref().is_some_and(|it| it.kind == Kind::Exit) =>
                {
                    if result.cut {
                        let message =
                            format!("exit status {status}, and the rest of its output has not come");
                        outcome.failure = Some(Failure::new(Kind::ConnectionLost, message));
                        outcome.status = StepStatus::Unknown;
                    } else {
                        outcome.failure = None;
                        outcome.status = step.action.success();
                    }
                }
                (StepStatus::Ok | StepStatus::Changed, false) => {
                    outcome.status = StepStatus::Failed;
                    outcome.failure = Some(Failure::new(Kind::Exit, format!("exit status {status}")));
                    result = result.begun();
                }
                _ => {}
            }
        }
        let Some(changed_when) = &step.changed_when else { return result };
        let templates = &self.shared.plan.templates;
        match result.outcome.status {
            StepStatus::Ok | StepStatus::Changed => {
                let scope = scope.clone().with(own_result(step, &result));
                match templates.eval_bool(&changed_when.value, &scope) {
                    Ok(true) => result.outcome.status = StepStatus::Changed,
                    Ok(false) => {
                        result.outcome.status = StepStatus::Ok;
                        result.outcome.change = Change::None;
                    }
                    Err(error) => return unread(template_failed(&error, &changed_when.position), &result),
                }
            }
            // What it printed until it failed proves nothing. That it never changes anything does.
            StepStatus::Warned | StepStatus::Failed | StepStatus::Unknown | StepStatus::Cancelled => {
                if !looks_at_result(step, changed_when)
                    && let Ok(false) = templates.eval_bool(&changed_when.value, scope)
                {
                    result.outcome.change = Change::None;
                }
            }
            StepStatus::Skipped => {}
        }
        result
    }

    /// The result of a step that `creates`, `unless` or `onlyif` make superfluous.
    async fn guarded(
        &mut self,
        index: usize,
        step: &Step,
        scope: &Scope,
    ) -> Result<Option<StepResult>, Failure> {
        let skipped = |why: String| {
            let mut result = StepResult::of(StepStatus::Skipped);
            result.outcome.note = Some(why);
            Ok(Some(result))
        };
        if self.shared.plan.changes.dry_run || step.guards.is_empty() {
            return Ok(None);
        }
        if let Some(creates) = &step.guards.creates {
            match look::is_there(self, index, step, creates, scope).await? {
                Probe::Yes => return skipped(format!("creates: {} is there", creates.value.trim())),
                Probe::No => {}
                Probe::Unasked(unasked) => return Err(unasked.of("creates")),
                Probe::Ended(result) => return Ok(Some(look::of("creates", *result))),
            }
        }
        let guards = [("unless", &step.guards.unless, true), ("onlyif", &step.guards.onlyif, false)];
        for (word, guard, skips) in guards {
            let Some(script) = guard else { continue };
            let command = Command::Script(script.clone());
            let yes = match look::probe(self, index, step, &command, scope).await? {
                Probe::Yes => true,
                Probe::No => false,
                Probe::Unasked(unasked) => return Err(unasked.of(word)),
                Probe::Ended(result) => return Ok(Some(look::of(word, *result))),
            };
            if yes == skips {
                return skipped(format!("{word}: {}", first_line(&script.value)));
            }
        }
        Ok(None)
    }

    /// Takes a step that one host does for all, or waits for whoever has it.
    async fn claim(&self, index: usize, step: &Step) -> Result<Claim<Layer>, Halt> {
        // Whether to go on is asked again for each batch.
        let again = step.action.properties().gathers == Gathers::ForAnAnswerEach;
        let batch = again.then_some(self.together.number);
        let place = Place { task: self.task_index, step: index, batch };
        self.claim_at(index, &self.together.once, place).await
    }

    /// The same for anything that one host does for all at a step.
    pub(crate) async fn claim_at<T: Clone>(
        &self,
        index: usize,
        once: &Once<T>,
        place: Place,
    ) -> Result<Claim<T>, Halt> {
        let mut stop = self.shared.stop.clone();
        tokio::select! {
            biased;
            reason = stop.asked() => Err(self.halt_cancelled(index, reason)),
            claim = once.claim(place, &self.planned.endpoint.name) => Ok(claim),
        }
    }

    /// Another host did it: its variables are this one's too.
    fn learn(&mut self, Done { by, result }: Done<Layer>) -> StepResult {
        match result {
            Ok(vars) => {
                self.take_over(&vars);
                let mut result = StepResult::of(StepStatus::Ok);
                result.done_elsewhere = true;
                result
            }
            Err(failure) if failure.kind == Kind::Declined => NoAnswer::Declined(failure).into(),
            Err(failure) => {
                let message = format!("{by} was to do it for all hosts: {}", failure.message);
                StepResult::failed(Failure::new(Kind::Dependency, message))
            }
        }
    }

    /// Lets the others know what came of a step. One of which nothing was started goes to the next host.
    fn pass_on(&mut self, claimed: Claimed<Layer>, step: &Step, result: &StepResult) {
        let declined = result.outcome.failure.as_ref().is_some_and(|it| it.kind == Kind::Declined);
        let undone = result.refused || (result.outcome.status == StepStatus::Cancelled && !declined);
        if undone && result.outcome.changed() == Change::None {
            return claimed.give_back();
        }
        let passes = result.outcome.status == StepStatus::Failed && self.lets_pass(step, result);
        let result = match result.outcome.failure.clone().filter(|_| !passes) {
            Some(failure) => Err(failure),
            None => {
                let mut layer = self.run.layer.only(|name| step.definitions().any(|own| own == name));
                if result.outcome.not_known {
                    layer.doubt(step.definitions());
                } else if let Some(name) = &step.register {
                    layer.define(Vars::from_iter([(name.value.clone(), register::result(result))]));
                }
                Ok(layer)
            }
        };
        claimed.finish(result);
    }
}

/// The only result there is.
fn only(done: Vec<(Option<Value>, StepResult)>) -> StepResult {
    let last = done.into_iter().next_back();
    last.map_or_else(|| StepResult::of(StepStatus::Skipped), |(_, result)| result)
}

/// The items of a list, or of a map.
fn items(value: Value, text: &TemplateText) -> Result<Vec<Value>, Failure> {
    match value {
        Value::Array(items) => Ok(items),
        Value::Object(map) => {
            let pair = |(key, value): (String, Value)| {
                Value::Object(Vars::from_iter([
                    ("key".to_owned(), Value::from(key)),
                    ("value".to_owned(), value),
                ]))
            };
            Ok(map.into_iter().map(pair).collect())
        }
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => {
            let (at, found) = (&text.position, type_name(&other));
            let message = format!("\"each\" needs a list, found {found} ({}:{})", at.file, at.line);
            Err(Failure::new(Kind::Template, message))
        }
    }
}

/// The result of a step by its own names.
fn own_result(step: &Step, result: &StepResult) -> Layer {
    let value = register::result(result);
    let mut vars = Vars::from_iter([(RESULT.to_owned(), value.clone())]);
    if let Some(name) = &step.register {
        vars.insert(name.value.clone(), value);
    }
    Layer::new(&vars)
}

/// Whether an expression is about how the step went.
fn looks_at_result(step: &Step, expression: &TemplateText) -> bool {
    let own = step.register.as_ref().map(|name| name.value.as_str());
    let is_own = |name: &String| name == RESULT || Some(name.as_str()) == own;
    template::names(&expression.value, Syntax::Expression).is_ok_and(|names| names.iter().any(is_own))
}

/// A try that came after others: what those changed is changed. When one of them may have, that the last one found
/// nothing to do is no proof that there was nothing.
fn after(before: Change, mut result: StepResult) -> StepResult {
    let outcome = &mut result.outcome;
    match outcome.status {
        StepStatus::Ok if outcome.change < before => outcome.status = StepStatus::Changed,
        StepStatus::Ok | StepStatus::Changed | StepStatus::Skipped => {}
        StepStatus::Warned | StepStatus::Failed | StepStatus::Unknown | StepStatus::Cancelled => {
            outcome.change = outcome.change.max(before);
        }
    }
    result
}

/// A step that was done, and of which an expression cannot say what that means.
fn unread(failure: Failure, result: &StepResult) -> StepResult {
    let mut unread = StepResult::failed(failure);
    unread.outcome.change = result.outcome.changed();
    unread
}

fn unsatisfied(repeat: &Repeat, attempt: u32) -> Failure {
    let until = repeat.until.as_ref().map(|until| until.value.trim().to_owned()).unwrap_or_default();
    let times = if attempt == 1 { "once".to_owned() } else { format!("{attempt} times") };
    Failure::new(Kind::Until, format!("tried {times}, and `{until}` is still false"))
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

/// The failure of a secret step.
pub(crate) fn concealed(kind: Kind) -> Failure {
    Failure::new(kind, "the step is secret: what happened is not told")
}
