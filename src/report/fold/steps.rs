//! When a folded step is told: once all of its hosts are through with it. What they say until then is kept within
//! bounds.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{self, Write};

use indexmap::IndexMap;

use crate::event::{
    ConnectionFact, Event, Fact, GatewayFact, HostOutcome, LockAt, LockFact, RunFact, StepAt, StepFact,
    StepOutcome, Stream, TaskFact, TaskSummary,
};
use crate::model::inventory::HostName;
use crate::model::outcome::StepStatus;
use crate::report::alike::{Alike, HostLine, Tone};
use crate::report::capture::{Budget, Capture, CapturedTexts};
use crate::report::fold::groups::{GroupPage, GroupPiece, GroupPlace};
use crate::report::fold::options::{FoldFrame, FoldOptions};
use crate::report::fold::said::FoldSaid;
use crate::report::notices::{host_notice, notice};
use crate::report::reporter::Reporter;
use crate::report::sink::Sink;
use crate::report::style::RED;
use crate::report::words::{count_hosts, echoes, failure_short, is_single_command};

/// Bytes kept of one stream of one step.
const STREAM_MAX: usize = 1024 * 1024;

/// Bytes kept of all of them at a time.
const KEPT_MAX: usize = 128 * 1024 * 1024;

/// Prints the output of each step once per group of hosts that said and did the same.
///
/// Standard output goes to `out`, as do the headings of its groups; standard error and failures without output go
/// to `talk`. Hosts that could not be reached are left to the recap.
pub struct Fold {
    out: Sink,
    talk: Sink,
    options: FoldOptions,
    tasks: Vec<TaskSummary>,
    hosts: Vec<HostName>,
    index: HashMap<HostName, usize>,
    /// Hosts with their final record.
    ended: HashSet<usize>,
    current: Option<Current>,
    budget: Budget,
    alike: Alike,
    /// Steps told so far, for the names of sections.
    told: usize,
}

/// The task, or the batch of it, that is under way.
struct Current {
    task: usize,
    /// Its hosts that are still at work, each with the step that it has come to.
    live: HashMap<usize, usize>,
    steps: BTreeMap<usize, FoldStep>,
}

/// A step that some hosts have begun.
#[derive(Default)]
struct FoldStep {
    /// Hosts that may still come to its end.
    waiting: usize,
    done: HashSet<usize>,
    open: HashMap<usize, OpenStep>,
    groups: IndexMap<FoldSaid, Vec<usize>>,
    texts: CapturedTexts,
}

/// What a host says while the step goes on.
struct OpenStep {
    stdout: Capture,
    stderr: Capture,
}

impl OpenStep {
    fn new() -> Self {
        Self { stdout: Capture::new(STREAM_MAX), stderr: Capture::new(STREAM_MAX) }
    }
}

impl FoldStep {
    /// A host will not come to its end, or has come to it.
    fn settle(&mut self, host: usize) {
        if self.done.insert(host) {
            self.waiting = self.waiting.saturating_sub(1);
        }
    }

    /// Puts a host to those that said and did the same.
    fn place(&mut self, host: usize, mut said: FoldSaid, echo: Option<&str>, budget: &mut Budget) {
        let mut open = self.open.remove(&host).unwrap_or_else(OpenStep::new);
        if let Some(echo) = echo {
            open.stdout.push(echo.as_bytes(), budget);
            open.stdout.push(b"\n", budget);
        }
        said.stdout = self.texts.insert(open.stdout, budget);
        said.stderr = self.texts.insert(open.stderr, budget);
        self.groups.entry(said).or_default().push(host);
    }
}

impl Fold {
    /// Writes to fan's stdout and stderr; it does its own buffering, so both may be unbuffered.
    pub fn new(out: Box<dyn Write + Send>, talk: Box<dyn Write + Send>, options: FoldOptions) -> Self {
        Self {
            out: Sink::new(out),
            talk: Sink::new(talk),
            options,
            tasks: Vec::new(),
            hosts: Vec::new(),
            index: HashMap::new(),
            ended: HashSet::new(),
            current: None,
            budget: Budget::new(KEPT_MAX),
            alike: Alike::default(),
            told: 0,
        }
    }

    /// Prints a piece of text; what went to the other stream before goes out first, as both may be one terminal.
    fn print(&mut self, place: GroupPlace, text: &str) -> io::Result<()> {
        let (sink, other) = match (place, self.options.frame) {
            (GroupPlace::Out, _) | (_, FoldFrame::Github | FoldFrame::Gitlab { .. }) => {
                (&mut self.out, &mut self.talk)
            }
            (GroupPlace::Talk, FoldFrame::Plain) => (&mut self.talk, &mut self.out),
        };
        let drained = other.drain();
        sink.buffer().extend_from_slice(text.as_bytes());
        drained.and(sink.spill())
    }

    /// Says one line, which is cleaned here.
    fn say(&mut self, line: &str, colour: &str) -> io::Result<()> {
        let line = self.options.style.text(line);
        let line =
            if colour.is_empty() { line.into_owned() } else { self.options.style.paint(colour, &line) };
        self.print(GroupPlace::Talk, &format!("{line}\n"))
    }

    /// Says something of a host, at once or with others of which the same is to be said.
    fn say_of(&mut self, fact: &Fact) -> io::Result<()> {
        let line = host_notice(fact).and_then(|(host, text)| self.alike.take_in(host, &text, Tone::Note));
        line.map_or(Ok(()), |line| self.say_lines(&[line]))
    }

    fn say_lines(&mut self, lines: &[HostLine]) -> io::Result<()> {
        lines.iter().flat_map(HostLine::lines).try_for_each(|line| self.say(&line, ""))
    }

    /// Says what was gathered of hosts.
    fn say_gathered(&mut self) -> io::Result<()> {
        let gathered = self.alike.all();
        self.say_lines(&gathered)
    }

    /// Begins a task or a batch of it.
    fn begin(&mut self, task: usize, hosts: &[usize]) -> io::Result<()> {
        let told = self.tell_all();
        let live = hosts.iter().filter(|host| !self.ended.contains(host)).map(|&host| (host, 0)).collect();
        self.current = Some(Current { task, live, steps: BTreeMap::new() });
        told
    }

    fn task_started(&mut self, task: usize, hosts: Option<&[usize]>) -> io::Result<()> {
        let Some(found) = self.tasks.get(task) else { return Ok(()) };
        let hosts = hosts.unwrap_or(&found.hosts).to_vec();
        let heading = (!is_single_command(&self.tasks))
            .then(|| format!("{}: {}", found.name, count_hosts(hosts.len())));
        let told = self.begin(task, &hosts);
        told.and(heading.map_or(Ok(()), |heading| self.say(&heading, "")))
    }

    /// The step that an event is about; of the task under way, or nothing.
    fn step(&mut self, task: usize, step: usize) -> Option<&mut FoldStep> {
        let current = self.current.as_mut().filter(|current| current.task == task)?;
        let live = &current.live;
        Some(current.steps.entry(step).or_insert_with(|| {
            let waiting = live.values().filter(|&&reached| reached <= step).count();
            FoldStep { waiting, ..FoldStep::default() }
        }))
    }

    /// A host goes on to a step, and so never ends an earlier one that it is not through with.
    fn step_started(&mut self, host: usize, task: usize, step: usize) -> io::Result<()> {
        if self.step(task, step).is_none() {
            return Ok(());
        }
        let Some(current) = &mut self.current else { return Ok(()) };
        if let Some(reached) = current.live.get_mut(&host) {
            *reached = step.max(*reached);
            current.steps.range_mut(..step).for_each(|(_, earlier)| earlier.settle(host));
        }
        self.tell_done()
    }

    fn output(&mut self, host: usize, (task, step): (usize, usize), stream: Stream, data: &[u8]) {
        let mut budget = std::mem::replace(&mut self.budget, Budget::new(0));
        if let Some(step) = self.step(task, step) {
            let open = step.open.entry(host).or_insert_with(OpenStep::new);
            match stream {
                Stream::Stdout => open.stdout.push(data, &mut budget),
                Stream::Stderr => open.stderr.push(data, &mut budget),
            }
        }
        self.budget = budget;
    }

    /// Only what the last attempt says counts.
    fn retried(&mut self, host: usize, task: usize, step: usize) {
        let mut budget = std::mem::replace(&mut self.budget, Budget::new(0));
        if let Some(open) = self.step(task, step).and_then(|step| step.open.get_mut(&host)) {
            open.stdout.clear(&mut budget);
            open.stderr.clear(&mut budget);
        }
        self.budget = budget;
    }

    fn step_finished(
        &mut self,
        host: usize,
        (task, step): (usize, usize),
        outcome: &StepOutcome,
    ) -> io::Result<()> {
        let echo = echoes(&self.tasks, (task, step), outcome);
        let mut budget = std::mem::replace(&mut self.budget, Budget::new(0));
        if let Some(step) = self.step(task, step) {
            // What an earlier run did is no news.
            let told = !outcome.earlier && (outcome.status != StepStatus::Skipped || outcome.not_known);
            if told || step.open.contains_key(&host) {
                let note = outcome.note.as_deref();
                let said = FoldSaid {
                    ending: ending(outcome),
                    failed: matches!(outcome.status, StepStatus::Failed | StepStatus::Unknown),
                    note: note.filter(|_| !echo).map(str::to_owned),
                    difference: outcome.difference.clone(),
                    ..FoldSaid::default()
                };
                step.place(host, said, note.filter(|_| echo), &mut budget);
            }
            step.settle(host);
        }
        self.budget = budget;
        self.tell_done()
    }

    fn host_finished(&mut self, host: usize, outcome: &HostOutcome) -> io::Result<()> {
        self.ended.insert(host);
        let Some(current) = &mut self.current else { return Ok(()) };
        for step in current.steps.values_mut() {
            // Its step had no end of its own.
            if step.open.contains_key(&host) {
                let ending = outcome.failure.as_ref().map(failure_short).unwrap_or_default();
                let said = FoldSaid { ending, failed: true, ..FoldSaid::default() };
                step.place(host, said, None, &mut self.budget);
            }
            if current.live.contains_key(&host) {
                step.settle(host);
            }
        }
        current.live.remove(&host);
        self.tell_done()
    }

    /// Tells the steps that all hosts are through with.
    fn tell_done(&mut self) -> io::Result<()> {
        let Some(current) = &mut self.current else { return Ok(()) };
        let task = current.task;
        let done: Vec<usize> =
            current.steps.iter().filter(|(_, step)| step.waiting == 0).map(|(&at, _)| at).collect();
        let steps: Vec<(usize, FoldStep)> =
            done.iter().filter_map(|at| Some((*at, current.steps.remove(at)?))).collect();
        let mut told = Ok(());
        for (at, step) in steps {
            told = told.and(self.tell(task, at, step));
        }
        told
    }

    /// Tells what is left of the task under way.
    fn tell_all(&mut self) -> io::Result<()> {
        let mut told = self.say_gathered();
        let Some(current) = self.current.take() else { return told };
        for (at, mut step) in current.steps {
            let open: Vec<usize> = step.open.keys().copied().collect();
            for host in open {
                let said =
                    FoldSaid { ending: "end not seen".to_owned(), failed: true, ..FoldSaid::default() };
                step.place(host, said, None, &mut self.budget);
            }
            told = told.and(self.tell(current.task, at, step));
        }
        told
    }

    fn tell(&mut self, task: usize, at: usize, mut step: FoldStep) -> io::Result<()> {
        // Largest first; equal ones in the order of the inventory.
        let mut groups: Vec<(FoldSaid, Vec<usize>)> = std::mem::take(&mut step.groups).into_iter().collect();
        for (_, hosts) in &mut groups {
            hosts.sort_unstable();
        }
        groups.sort_by_key(|(_, hosts)| (std::cmp::Reverse(hosts.len()), hosts.first().copied()));
        let page = GroupPage {
            options: self.options,
            tasks: &self.tasks,
            hosts: &self.hosts,
            texts: &step.texts,
            section: self.told,
        };
        let pieces: Vec<GroupPiece> = page.pieces((task, at), &groups);
        self.told += usize::from(!pieces.is_empty());
        let mut told = Ok(());
        for GroupPiece { place, text } in pieces {
            told = told.and(self.print(place, &text));
        }
        step.texts.release(&mut self.budget);
        told
    }
}

/// How a step ended, when that is worth a word.
fn ending(outcome: &StepOutcome) -> String {
    let why = || outcome.failure.as_ref().map(failure_short);
    match outcome.status {
        StepStatus::Ok | StepStatus::Changed | StepStatus::Skipped => String::new(),
        StepStatus::Warned => format!("warned: {}", why().unwrap_or_default()),
        StepStatus::Failed | StepStatus::Unknown => {
            why().unwrap_or_else(|| outcome.status.as_str().to_owned())
        }
        StepStatus::Cancelled => outcome.status.as_str().to_owned(),
    }
}

impl Reporter for Fold {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        let known = |host: &HostName| self.index.get(host).copied();
        match &event.fact {
            Fact::Run(RunFact::Started { hosts, tasks, .. }) => {
                self.tasks.clone_from(tasks);
                self.hosts.clone_from(hosts);
                self.index = hosts.iter().cloned().enumerate().map(|(at, host)| (host, at)).collect();
                Ok(())
            }
            Fact::Task(task, TaskFact::Started { hosts }) => self.task_started(*task, hosts.as_deref()),
            Fact::Task(task, TaskFact::BatchStarted { batch: _, of: _, hosts }) => {
                let begun = self.begin(*task, hosts);
                let line = notice(&event.fact, &self.hosts).unwrap_or_default();
                begun.and(self.say(&line, ""))
            }
            Fact::Step(StepAt { host, task, step }, fact) => {
                let (at, Some(host)) = ((*task, *step), known(host)) else { return Ok(()) };
                match fact {
                    StepFact::Started => self.step_started(host, *task, *step),
                    StepFact::Output { stream, data } => {
                        self.output(host, at, *stream, data);
                        Ok(())
                    }
                    StepFact::Retried { .. } => {
                        self.retried(host, *task, *step);
                        self.say_of(&event.fact)
                    }
                    StepFact::Finished { outcome } => self.step_finished(host, at, outcome),
                    // The terminal belongs to the question until it is answered.
                    StepFact::QuestionAsked { .. } => {
                        let gathered = self.say_gathered();
                        gathered.and(self.idle())
                    }
                    StepFact::Detached { .. } | StepFact::Reattached { .. } => self.say_of(&event.fact),
                    StepFact::QuestionAnswered
                    | StepFact::JobStarted { .. }
                    | StepFact::Waiting { .. }
                    | StepFact::FactsGathered { .. }
                    | StepFact::TransferAdvanced { .. } => Ok(()),
                }
            }
            Fact::HostFinished { host, outcome } => match known(host) {
                Some(host) => self.host_finished(host, outcome),
                None => Ok(()),
            },
            Fact::Run(RunFact::Finished { .. }) | Fact::Task(_, TaskFact::Finished) => self.tell_all(),
            Fact::Gateway(gateway, GatewayFact::Failed { failure }) => {
                self.say(&format!("gateway {gateway}: {}", failure_short(failure)), RED)
            }
            Fact::Lock(LockAt { task, .. }, LockFact::Failed { failure }) => {
                let name = self.tasks.get(*task).map(|task| task.name.clone()).unwrap_or_default();
                let line = format!("{name}: {}", failure_short(failure));
                self.say(&line, RED)
            }
            Fact::Run(
                RunFact::StragglersNoticed { .. }
                | RunFact::AgentAwaited { .. }
                | RunFact::StopRequested { .. },
            )
            | Fact::Lock(_, LockFact::Waiting { .. }) => {
                let gathered = self.say_gathered();
                let line = notice(&event.fact, &self.hosts);
                gathered.and(line.map_or(Ok(()), |line| self.say(&line, "")))
            }
            Fact::Connection(_, ConnectionFact::Retried { .. } | ConnectionFact::ProxySaid { .. }) => {
                self.say_of(&event.fact)
            }
            Fact::Connection(host, ConnectionFact::Began { address, .. }) => {
                self.alike.dialled(host, address);
                Ok(())
            }
            Fact::Lock(_, LockFact::Taken | LockFact::Released)
            | Fact::Connection(_, ConnectionFact::Connected { .. })
            | Fact::Gateway(_, GatewayFact::Connected { .. })
            | Fact::Record(_)
            | Fact::Unknown(_) => Ok(()),
        }
    }

    fn idle(&mut self) -> io::Result<()> {
        let due = self.alike.due();
        let said = self.say_lines(&due);
        let out = self.out.flush();
        said.and(out).and(self.talk.flush())
    }

    fn finish(&mut self) -> io::Result<()> {
        let told = self.tell_all();
        let out = self.out.finish();
        told.and(out).and(self.talk.finish())
    }
}
