//! What earlier runs have done on each host, folded from what was written down of them: a run, those that resumed it, and
//! what is left of all that for the next one to go on from. Pure; docs/design/resume.md has the rules.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use crate::engine::plan::memory::{Adopted, Done, Memory, Place, Recalled, Unseen, Visit};
use crate::engine::plan::whole::{Plan, PlannedHost, PlannedTask, summarize};
use crate::event::ledger::Kept;
use crate::event::{
    Change, Event, Fact, HostOutcome, RunFact, Section, StepAt, StepFact, StepOutcome, StepSummary, TaskFact,
    TaskSummary,
};
use crate::model::action::{Gathers, Touches};
use crate::model::inventory::HostName;
use crate::model::outcome::{Failure, Kind, Status, StepStatus};
use crate::model::task::{Step, TemplateText};
use crate::model::template::{Layer, Scope};

/// What earlier runs have done.
#[derive(Clone, Debug, Default)]
pub struct Past {
    run: Arc<str>,
    hosts: Vec<HostName>,
    tasks: Vec<TaskSummary>,
    tracks: HashMap<HostName, Track>,
}

/// What happened on one host, as far as it counts.
#[derive(Clone, Debug, Default)]
struct Track {
    /// The steps that it went through, in order. One that failed is among them when what followed from that was begun.
    visits: Vec<Visit>,
    /// The step after them, when it was begun and its end was not seen.
    doubt: Option<TrackDoubt>,
    /// How it ended last.
    end: Option<HostOutcome>,
    /// `--where` was asked about it.
    chosen: bool,
}

/// A step that was begun, and whose end was not seen.
#[derive(Clone, Debug)]
struct TrackDoubt {
    place: (usize, usize),
    /// The run that began it.
    run: Arc<str>,
    /// The names of its commands that outlive the connection.
    jobs: Vec<Arc<str>>,
    /// One of these was gone when it was looked for.
    lost: bool,
}

/// A step whose end was not seen on a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// On which host.
    pub host: HostName,
    /// Index into the plan's tasks.
    pub task: usize,
    /// Index into that task's steps.
    pub step: usize,
}

/// Where a host goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Standing {
    /// Nowhere: it is through, or was left out by `--where`.
    Done,
    /// At this step, as (task, step): it failed there, was stopped, or its end was not seen.
    At(usize, usize),
    /// After this step.
    After(usize, usize),
    /// At its first one.
    Start,
}

/// What is in the way of going on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// The steps that were done are not those of the tasks any more.
    OtherSteps {
        /// The first that differs: its task, its number from 1, and what it was.
        task: String,
        /// From 1.
        number: usize,
        /// Its title then.
        title: String,
    },
    /// A value that later steps may need was not kept.
    Lost {
        /// On which host.
        host: HostName,
        /// The variable.
        name: String,
        /// The step that defined it.
        title: String,
    },
    /// A step cannot count as done, as it was to define something.
    Unskippable {
        /// Its title.
        title: String,
        /// What it registers.
        name: String,
    },
}

impl Past {
    /// Takes in what was written down of the next run: the first one, or one that resumed the one before.
    #[must_use]
    pub fn followed_by(
        mut self,
        events: impl Iterator<Item = Event>,
        kept: impl Iterator<Item = Kept>,
    ) -> Self {
        let mut values: HashMap<(HostName, usize, usize), VecDeque<Kept>> = HashMap::new();
        for kept in kept {
            values.entry((kept.host.clone(), kept.task, kept.step)).or_default().push_back(kept);
        }
        let mut news: HashMap<HostName, News> = HashMap::new();
        let mut named: Vec<HostName> = Vec::new();
        for event in events {
            match event.fact {
                Fact::Run(RunFact::Started { run, hosts, tasks, .. }) => {
                    self.run = run;
                    self.tasks = tasks;
                    if self.hosts.is_empty() {
                        self.hosts.clone_from(&hosts);
                    }
                    named = hosts;
                }
                Fact::Task(_, TaskFact::Started { hosts: Some(hosts), .. }) => {
                    for host in hosts.into_iter().filter_map(|host| named.get(host)) {
                        self.tracks.entry(host.clone()).or_default().chosen = true;
                    }
                }
                Fact::Step(StepAt { host, task, step }, StepFact::Started) => {
                    news.entry(host).or_default().visits.push(Visit::open(task, step));
                }
                Fact::Step(StepAt { host, task, step }, StepFact::JobStarted { job }) => {
                    news.entry(host).or_default().has_job(task, step, job);
                }
                Fact::Step(StepAt { host, task, step }, StepFact::Finished { outcome }) => {
                    let mut queue = values.get_mut(&(host.clone(), task, step));
                    let kept = queue.as_mut().and_then(|queue| queue.pop_front());
                    news.entry(host).or_default().finished(task, step, outcome, kept);
                }
                Fact::HostFinished { host, outcome } => news.entry(host).or_default().end = Some(outcome),
                _ => {}
            }
        }
        for (host, news) in news {
            self.tracks.entry(host).or_default().advance(news, &self.tasks, &self.run);
        }
        self
    }

    /// All hosts, in the order of the first run.
    pub fn hosts(&self) -> &[HostName] {
        &self.hosts
    }

    /// Where a host goes on.
    pub fn standing(&self, host: &HostName) -> Standing {
        let Some(track) = self.tracks.get(host) else { return Standing::Start };
        if track.is_done() {
            return Standing::Done;
        }
        if let Some(TrackDoubt { place: (task, step), .. }) = track.doubt {
            return Standing::At(task, step);
        }
        let failed = track.end.as_ref().and_then(|end| end.step);
        match (failed, track.visits.iter().rfind(|visit| visit.is_passed())) {
            (Some((task, step)), Some(last)) if !track.has(task, step) && last.task <= task => {
                Standing::At(task, step)
            }
            (_, Some(last)) => Standing::After(last.task, last.step),
            (_, None) => Standing::Start,
        }
    }

    /// The hosts on which a step was begun and its end was not seen.
    pub fn unseen(&self) -> Vec<&HostName> {
        let is_unseen = |track: &Track| !track.is_done() && track.doubt.is_some();
        self.hosts.iter().filter(|host| self.tracks.get(host).is_some_and(is_unseen)).collect()
    }

    /// The steps whose end was not seen, and that something may come of when they are run again. Those whose commands
    /// outlive the connection are not among them: their end is looked for on the host first.
    pub fn doubts(&self, plan: &Plan) -> Vec<Doubt> {
        let doubt = |host: &HostName| {
            let track = self.tracks.get(host).filter(|track| !track.is_done())?;
            let doubt = track.doubt.as_ref()?;
            let (task, step) = doubt.place;
            let planned = plan.tasks.get(task)?.steps.get(step)?;
            let place = plan.hosts.iter().find(|planned| planned.endpoint.name == *host)?;
            let unclear = planned.step.touches() == Touches::Anything
                && (doubt.lost || !is_durable(place, &planned.step));
            unclear.then(|| Doubt { host: host.clone(), task, step })
        };
        self.hosts.iter().filter_map(doubt).collect()
    }

    /// What a run of this plan goes on from; what is in the way of it, all at once. `otherwise` says what is to become of
    /// steps whose commands outlive the connection, if these are gone.
    ///
    /// # Errors
    ///
    /// The steps that were done are other ones now, or values that they gave were not kept.
    pub fn recall(
        mut self,
        plan: &Plan,
        unseen: impl Fn(&Doubt) -> Unseen,
        otherwise: Option<Unseen>,
    ) -> Result<Memory, Vec<Obstacle>> {
        let mut obstacles = self.other_steps(plan);
        if !obstacles.is_empty() {
            return Err(obstacles);
        }
        for doubt in self.doubts(plan) {
            let what = unseen(&doubt);
            obstacles.extend(self.settle(plan, &doubt, what).err());
            if let Some(track) = self.tracks.get_mut(&doubt.host) {
                track.doubt = None;
            }
        }
        let shared = !plan.host_vars.is_empty();
        let mut recalled = HashMap::new();
        for host in &self.hosts {
            let Some(mut track) = self.tracks.remove(host) else { continue };
            track.note_missing(plan);
            let needed = shared || !track.is_done();
            obstacles.extend(track.lost(host, plan, needed));
            recalled.insert(host.clone(), track.recalled(host, plan, otherwise));
        }
        obstacles.dedup();
        if !obstacles.is_empty() {
            return Err(obstacles);
        }
        let once = done_once(plan, &recalled);
        Ok(Memory::new(recalled, once))
    }

    /// Decides about a step whose end was not seen.
    fn settle(&mut self, plan: &Plan, doubt: &Doubt, unseen: Unseen) -> Result<(), Obstacle> {
        let Some(track) = self.tracks.get_mut(&doubt.host) else { return Ok(()) };
        let planned = plan.tasks.get(doubt.task).and_then(|task| task.steps.get(doubt.step));
        let register = planned.and_then(|planned| planned.step.register.as_ref());
        if let (Unseen::Skip, Some(name), Some(planned)) = (unseen, register, planned) {
            let title = summarize(planned).title;
            return Err(Obstacle::Unskippable { title, name: name.value.clone() });
        }
        let run = &self.run;
        let outcome = match unseen {
            Unseen::Rerun => return Ok(()),
            Unseen::Skip => {
                let note = Some(format!("counted as done: its end was not seen in run {run}"));
                let (status, change) =
                    planned.map_or_else(Default::default, |it| done_unseen(plan, &it.step));
                StepOutcome { status, change, note, ..StepOutcome::default() }
            }
            Unseen::Fail => {
                let message = format!("its end was not seen in run {run}, and it is not repeated");
                let failure = Some(Failure::new(Kind::ConnectionLost, message));
                // It was begun.
                let (status, change) = (StepStatus::Failed, Change::Possible);
                StepOutcome { status, change, failure, ..StepOutcome::default() }
            }
        };
        let visit = Visit { outcome: Some(outcome), anew: true, ..Visit::open(doubt.task, doubt.step) };
        track.visits.push(visit);
        Ok(())
    }

    /// Steps that were gone through and are other ones in the plan: their numbers mean nothing any more.
    fn other_steps(&self, plan: &Plan) -> Vec<Obstacle> {
        let mut places = HashSet::new();
        for track in self.tracks.values() {
            places.extend(
                track
                    .visits
                    .iter()
                    .map(|visit| (visit.task, visit.step))
                    .chain(track.doubt.as_ref().map(|doubt| doubt.place)),
            );
        }
        let mut places: Vec<(usize, usize)> = places.into_iter().collect();
        places.sort_unstable();
        let other = places.into_iter().find_map(|(task, step)| {
            let (then, now) = (self.tasks.get(task)?, plan.tasks.get(task));
            let was = then.steps.get(step)?;
            let same = now.is_some_and(|now| *now.name == *then.name && is_same(now, step, was));
            (!same).then(|| Obstacle::OtherSteps {
                task: then.name.clone(),
                number: step + 1,
                title: was.title.clone(),
            })
        });
        other.into_iter().collect()
    }
}

/// The steps that one host has done for the whole run.
fn done_once(plan: &Plan, hosts: &HashMap<HostName, Recalled>) -> Vec<(Place, Done<Layer>)> {
    let mut once: HashMap<Place, Done<Layer>> = HashMap::new();
    for planned in &plan.hosts {
        let host = &planned.endpoint.name;
        for visit in hosts.get(host).into_iter().flat_map(|recalled| &recalled.visits) {
            let step = plan.tasks.get(visit.task).and_then(|task| task.steps.get(visit.step));
            let Some(step) = step.map(|planned| &planned.step).filter(|step| is_done_once(step)) else {
                continue;
            };
            if visit.is_skipped() {
                continue;
            }
            let failure = visit.outcome.as_ref().and_then(|outcome| outcome.failure.clone());
            let result = match (visit.is_passed(), failure) {
                (true, _) => Ok(Layer::new(&visit.vars)),
                (false, Some(failure)) => Err(failure),
                (false, None) => Err(Failure::new(Kind::Dependency, "it failed")),
            };
            let warned = step.warn_only || plan.warn_only;
            let place = Place { task: visit.task, step: visit.step, batch: None };
            // Whoever it went well for did it, or knows what it gave.
            if result.is_ok() || warned || !once.contains_key(&place) {
                once.insert(place, Done { by: host.clone(), result });
            }
        }
    }
    once.into_iter().collect()
}

/// Whether one host does a step for the whole run. Whether to go on is asked again.
fn is_done_once(step: &Step) -> bool {
    step.run_once && step.action.properties().gathers != Gathers::ForAnAnswerEach
}

/// Whether a step's command outlives the connection to a host.
fn is_durable(host: &PlannedHost, step: &Step) -> bool {
    step.action.properties().takes("durable") && host.makes_durable(step)
}

/// How a step counts that is taken as done: what it is there to change is changed.
fn done_unseen(plan: &Plan, step: &Step) -> (StepStatus, Change) {
    let by_itself = |expression: &TemplateText| plan.templates.eval_bool(&expression.value, &Scope::new());
    match (&step.changed_when, &step.action) {
        // Without a result to look at, only an expression that looks at none has a value.
        (Some(changed_when), _) if by_itself(changed_when) == Ok(false) => (StepStatus::Ok, Change::None),
        (Some(_), _) => (StepStatus::Changed, Change::None),
        (None, _) => match step.success() {
            StepStatus::Changed => (StepStatus::Changed, Change::None),
            status if step.reads => (status, Change::None),
            status => (status, Change::Possible),
        },
    }
}

fn is_same(task: &PlannedTask, step: usize, was: &StepSummary) -> bool {
    task.steps.get(step).map(summarize).is_some_and(|now| {
        (&now.action, now.section, now.written()) == (&was.action, was.section, was.written())
    })
}

/// What one run tells of a host.
#[derive(Debug, Default)]
struct News {
    /// Steps that it began.
    visits: Vec<Visit>,
    /// How often it passed over a step that an earlier run had done.
    passed_over: HashMap<(usize, usize), usize>,
    end: Option<HostOutcome>,
}

impl News {
    fn has_job(&mut self, task: usize, step: usize, job: Arc<str>) {
        let open = self.visits.iter_mut().rfind(|visit| visit.is(task, step) && visit.outcome.is_none());
        if let Some(visit) = open
            && !visit.jobs.contains(&job)
        {
            visit.jobs.push(job);
        }
    }

    fn finished(&mut self, task: usize, step: usize, outcome: StepOutcome, kept: Option<Kept>) {
        let open = self.visits.iter().rposition(|visit| visit.is(task, step) && visit.outcome.is_none());
        if outcome.earlier {
            open.map(|at| self.visits.remove(at));
            *self.passed_over.entry((task, step)).or_default() += 1;
            return;
        }
        let at = open.unwrap_or_else(|| {
            self.visits.push(Visit::open(task, step));
            self.visits.len() - 1
        });
        if let Some(visit) = self.visits.get_mut(at) {
            visit.outcome = Some(outcome);
            (visit.vars, visit.lost) = kept.map(|kept| (kept.vars, kept.lost)).unwrap_or_default();
        }
    }
}

impl TrackDoubt {
    /// A step whose end was not seen in this run. What it took over from an earlier one has the names that it had there.
    fn of(visit: &Visit, before: Option<Self>, run: &Arc<str>) -> Self {
        let lost = visit.outcome.as_ref().and_then(|outcome| outcome.failure.as_ref());
        let lost = lost.is_some_and(|failure| failure.kind == Kind::JobLost);
        let place = (visit.task, visit.step);
        let before = before.filter(|before| before.place == place);
        let named = visit.jobs.first().and_then(|job| job.split('.').next());
        let mut jobs = visit.jobs.clone();
        let run = match (named, before) {
            (Some(named), before) => {
                let earlier = before.map(|before| before.jobs).unwrap_or_default();
                jobs.extend(earlier.into_iter().filter(|job| job.split('.').next() == Some(named)));
                Arc::from(named)
            }
            (None, Some(before)) => {
                jobs = before.jobs;
                before.run
            }
            (None, None) => Arc::clone(run),
        };
        Self { place, run, jobs, lost }
    }
}

/// How much of a host's way does not count any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    /// From the step on that did not go well.
    Step,
    /// The whole task.
    Task,
}

impl Track {
    fn is_done(&self) -> bool {
        self.end.as_ref().is_some_and(|end| end.status == Status::Ok || end.is_left_out())
    }

    fn has(&self, task: usize, step: usize) -> bool {
        self.visits.iter().any(|visit| visit.is(task, step))
    }

    /// Takes in what the next run did.
    fn advance(&mut self, news: News, tasks: &[TaskSummary], run: &Arc<str>) {
        let News { mut visits, passed_over, end } = news;
        // Killed while it passed over a step: that one was not begun.
        if let Some(last) = visits.last()
            && last.outcome.is_none()
        {
            let place = (last.task, last.step);
            let known = self.visits.iter().filter(|visit| visit.is(place.0, place.1)).count();
            if known > passed_over.get(&place).copied().unwrap_or_default() {
                visits.pop();
            }
        }
        let is_done = |doubt: &TrackDoubt| visits.iter().any(|visit| visit.is(doubt.place.0, doubt.place.1));
        let before = if self.doubt.as_ref().is_some_and(is_done) { self.doubt.take() } else { None };
        let went_on = !visits.is_empty();
        self.visits.append(&mut visits);
        let Some(mut end) = end else {
            if went_on {
                self.cut_last(before, run);
            }
            return;
        };
        if end.status == Status::Ok {
            self.doubt = None;
        } else if let Some(place) = end.step {
            if self.cut_at(place, tasks, before, run) == Cut::Task {
                end.step = None;
            }
        } else if went_on {
            self.cut_last(before, run);
        }
        self.end = Some(end);
    }

    /// Forgets the last step when it did not go well, so that it is run again.
    fn cut_last(&mut self, before: Option<TrackDoubt>, run: &Arc<str>) {
        if let Some(last) = self.visits.pop_if(|last| !last.is_passed())
            && last.is_unseen()
        {
            self.doubt = Some(TrackDoubt::of(&last, before, run));
        }
    }

    /// Forgets the step at which the host ended, and what followed from that.
    fn cut_at(
        &mut self,
        (task, step): (usize, usize),
        tasks: &[TaskSummary],
        before: Option<TrackDoubt>,
        run: &Arc<str>,
    ) -> Cut {
        let section = |visit: &Visit| {
            let steps = tasks.get(visit.task).map(|task| &task.steps);
            steps.and_then(|steps| steps.get(visit.step)).map(|step| step.section)
        };
        let failed = |visit: &Visit| visit.is(task, step) && !visit.is_passed();
        let at = self.visits.iter().rposition(failed);
        // A host may have ended before the step was begun. What follows from a failure stands behind it in the task.
        let followed = |(position, visit): (usize, &Visit)| {
            visit.task == task && at.map_or(visit.step > step, |at| position > at)
        };
        let follows = self.visits.iter().enumerate().map(|(position, visit)| followed((position, visit)));
        let mut follows = follows.collect::<Vec<bool>>().into_iter();
        let way_back = |(visit, follows): (&Visit, bool)| follows && section(visit) == Some(Section::Rescue);
        if self.visits.iter().zip(follows.clone()).any(way_back) {
            // What the steps of the task did may be undone.
            self.visits.retain(|visit| visit.task != task);
            return Cut::Task;
        }
        let Some(at) = at else {
            self.visits.retain(|visit| {
                !(follows.next().unwrap_or_default() && section(visit) == Some(Section::Always))
            });
            return Cut::Step;
        };
        if let Some(visit) = self.visits.split_off(at).first().filter(|visit| visit.is_unseen()) {
            self.doubt = Some(TrackDoubt::of(visit, before, run));
        }
        Cut::Step
    }

    /// Names what steps defined and is missing: when the power goes, the end of a step may be on the disk without it.
    fn note_missing(&mut self, plan: &Plan) {
        for visit in &mut self.visits {
            let planned = plan.tasks.get(visit.task).and_then(|task| task.steps.get(visit.step));
            let (Some(planned), Some(outcome), false) = (planned, &visit.outcome, visit.anew) else {
                continue;
            };
            let registered = planned.step.register.as_ref().map(|name| name.value.as_str());
            let due = |name: &&str| match outcome.status {
                StepStatus::Ok | StepStatus::Changed => true,
                // It registered that it failed, and set nothing.
                StepStatus::Warned => Some(*name) == registered,
                StepStatus::Skipped | StepStatus::Failed | StepStatus::Unknown | StepStatus::Cancelled => {
                    false
                }
            };
            let missing =
                |name: &&str| !visit.vars.contains_key(*name) && !visit.lost.iter().any(|lost| lost == name);
            let missing: Vec<String> =
                planned.step.definitions().filter(due).filter(missing).map(str::to_owned).collect();
            visit.lost.extend(missing);
        }
    }

    /// Values that are needed and were not kept.
    fn lost(&self, host: &HostName, plan: &Plan, needed: bool) -> Vec<Obstacle> {
        let lost = |visit: &Visit| {
            let planned = plan.tasks.get(visit.task)?.steps.get(visit.step)?;
            let again = planned.step.touches() == Touches::Nothing || !(needed || planned.step.run_once);
            let name = visit.lost.iter().find(|name| !again && !plan.extra_vars.contains(name))?;
            let title = summarize(planned).title;
            Some(Obstacle::Lost { host: host.clone(), name: name.clone(), title })
        };
        self.visits.iter().filter_map(lost).collect()
    }

    fn recalled(self, host: &HostName, plan: &Plan, otherwise: Option<Unseen>) -> Recalled {
        let is_done = self.is_done();
        let place = plan.hosts.iter().find(|planned| planned.endpoint.name == *host);
        let adopted = self.doubt.filter(|_| !is_done).and_then(
            |TrackDoubt { place: (task, step), run, jobs, .. }| {
                let planned = plan.tasks.get(task)?.steps.get(step)?;
                let adopted = Adopted { task, step, run, jobs, otherwise };
                is_durable(place?, &planned.step).then_some(adopted)
            },
        );
        let started = !self.visits.is_empty() || self.end.as_ref().is_some_and(|end| end.started);
        let left_out = self.end.filter(HostOutcome::is_left_out);
        let chosen = self.chosen || !self.visits.is_empty();
        // A step that changes nothing gives its value again.
        let gives_again = |visit: &Visit| {
            let planned = plan.tasks.get(visit.task).and_then(|task| task.steps.get(visit.step));
            !visit.lost.is_empty()
                && planned.is_some_and(|planned| planned.step.touches() == Touches::Nothing)
        };
        let visits = self.visits.into_iter().filter(|visit| !gives_again(visit)).collect();
        Recalled { visits, chosen, left_out, started, adopted }
    }
}
