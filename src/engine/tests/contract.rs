//! What holds of every run, however it goes: the order of events, one record per host, the pool, and that no
//! command is started twice.

use std::collections::HashSet;

use crate::engine::plan::{Plan, PlannedTask};
use crate::engine::tests::Ran;
use crate::event::recap::Recap;
use crate::event::{ConnectionFact, Event, Fact, HostOutcome, LockAt, RunFact, StepAt, StepFact, TaskFact};
use crate::model::inventory::HostName;
use crate::model::outcome::{Status, StepStatus};

/// Checks all of it.
pub(super) fn hold(plan: &Plan, ran: &Ran) {
    assert!(matches!(ran.events[0].fact, Fact::Run(RunFact::Started { .. })), "RunStarted is first");
    assert!(
        matches!(ran.events.last().unwrap().fact, Fact::Run(RunFact::Finished { .. })),
        "RunFinished is last"
    );
    let edges = |event: &&Event| {
        matches!(event.fact, Fact::Run(RunFact::Started { .. }) | Fact::Run(RunFact::Finished { .. }))
    };
    assert_eq!(ran.events.iter().filter(edges).count(), 2, "one start and one end");
    assert!(ran.events.is_sorted_by_key(|event| event.at), "time goes on");

    let mut story = Story { choosing: plan.condition.is_some(), ..Story::default() };
    ran.events.iter().for_each(|event| story.hear(&event.fact));
    for host in plan.host_names() {
        assert!(story.finished.contains(&host), "{host} has a final record");
        records_agree(plan, ran, &host);
    }
    assert!(ran.tally.busiest <= plan.pool, "{} hosts at work, pool {}", ran.tally.busiest, plan.pool);
    assert_eq!(replayed(&ran.events), ran.recap, "a replay gives the same recap");
}

/// The order of events, told one after the other.
#[derive(Default)]
struct Story {
    /// Hosts are asked whether they take part.
    choosing: bool,
    task: Option<usize>,
    tasks_over: usize,
    steps_open: HashSet<(HostName, usize, usize)>,
    steps_over: HashSet<(HostName, usize, usize)>,
    finished: HashSet<HostName>,
}

impl Story {
    fn hear(&mut self, fact: &Fact) {
        match fact {
            Fact::Task(task, TaskFact::Started { .. }) => {
                assert_eq!(self.task.replace(*task), None, "tasks do not overlap");
                assert_eq!(*task, self.tasks_over, "tasks come in order");
            }
            Fact::Task(task, TaskFact::Finished) => {
                assert_eq!(self.task.take(), Some(*task), "a task ends after it began");
                assert!(
                    self.steps_open.iter().all(|(host, ..)| self.finished.contains(host)),
                    "a task is a barrier: {:?}",
                    self.steps_open
                );
                self.tasks_over += 1;
            }
            Fact::Connection(
                host,
                ConnectionFact::Began { .. }
                | ConnectionFact::Retried { .. }
                | ConnectionFact::Connected { .. },
            ) => {
                let choosing = self.choosing && self.tasks_over == 0;
                assert!(self.task.is_some() || choosing, "connections are opened for steps");
                self.alive(host);
            }
            Fact::Task(task, TaskFact::BatchStarted { .. }) => {
                assert_eq!(self.task, Some(*task), "a batch belongs to its task")
            }
            Fact::Lock(LockAt { task, .. }, _) => {
                assert_eq!(self.task, Some(*task), "a lock belongs to its task")
            }
            Fact::Gateway(..) | Fact::Connection(_, ConnectionFact::ProxySaid { .. }) => {}
            Fact::Record(_) => {}
            Fact::Unknown(_) => panic!("a run tells what it knows"),
            Fact::Step(StepAt { host, task, .. }, StepFact::Waiting { .. }) => {
                self.alive(host);
                assert_eq!(self.task, Some(*task), "who waits is in the task that is on");
                assert!(!self.steps_open.iter().any(|(open, ..)| open == host), "it is in no step");
            }
            Fact::Step(StepAt { host, task, step }, StepFact::Started) => {
                self.alive(host);
                assert_eq!(self.task, Some(*task), "a step belongs to the task that is on");
                assert!(!self.steps_open.iter().any(|(open, ..)| open == host), "one step at a time");
                let id = (host.clone(), *task, *step);
                assert!(!self.steps_over.contains(&id), "{id:?} began twice");
                self.steps_open.insert(id);
            }
            Fact::Step(
                StepAt { host, task, step },
                StepFact::Output { .. }
                | StepFact::JobStarted { .. }
                | StepFact::Detached { .. }
                | StepFact::Reattached { .. }
                | StepFact::Retried { .. }
                | StepFact::QuestionAsked { .. }
                | StepFact::QuestionAnswered
                | StepFact::FactsGathered { .. }
                | StepFact::TransferAdvanced { .. },
            ) => {
                assert!(self.steps_open.contains(&(host.clone(), *task, *step)), "output belongs to a step");
            }
            Fact::Step(StepAt { host, task, step }, StepFact::Finished { .. }) => {
                let id = (host.clone(), *task, *step);
                assert!(self.steps_open.remove(&id), "{id:?} ends after it began");
                self.steps_over.insert(id);
            }
            Fact::HostFinished { host, .. } => {
                self.alive(host);
                self.finished.insert(host.clone());
            }
            Fact::Run(RunFact::Finished { .. }) => assert_eq!(self.task, None, "all tasks are over"),
            Fact::Run(RunFact::AgentAwaited { hosts }) => {
                assert!(self.task.is_some(), "only logins wait for an agent");
                assert!(*hosts > 0, "nobody is told that nobody waits");
            }
            Fact::Run(RunFact::Started { .. })
            | Fact::Run(RunFact::StragglersNoticed { .. })
            | Fact::Run(RunFact::StopRequested { .. }) => {}
        }
    }

    fn alive(&self, host: &HostName) {
        assert!(!self.finished.contains(host), "nothing of {host} comes after its final record");
    }
}

/// A host's final record agrees with its steps and with what reached the transport.
fn records_agree(plan: &Plan, ran: &Ran, host: &HostName) {
    let HostOutcome { status, failure, started, may_still_run, .. } = ran.host(host.as_str());
    assert_eq!(failure.is_none(), *status == Status::Ok, "{host}: a bad end has its reason");
    let starts = ran.tally.starts.get(host.as_str()).map(Vec::as_slice).unwrap_or_default();
    let steps = ran.steps(host.as_str());
    if *status != Status::Unknown {
        assert_eq!(*started, !starts.is_empty(), "{host}: started");
    }
    assert_eq!(
        *may_still_run,
        ran.record(host.as_str()).may_still_run,
        "{host}: the record sums up its steps"
    );
    match status {
        Status::Ok => {
            let planned: usize = plan
                .tasks
                .iter()
                .filter(|task| task.hosts.iter().any(|of| &plan.hosts[of.host].endpoint.name == host))
                .map(|task| task.steps.len())
                .sum();
            // A rescue puts right what failed, and takes the place of what would have come.
            if !plan.tasks.iter().any(|task| task.steps.iter().any(|step| !step.section.is_for_all())) {
                assert_eq!(steps.len(), planned, "{host}: all steps ran");
                let good = [StepStatus::Ok, StepStatus::Changed, StepStatus::Skipped, StepStatus::Warned];
                assert!(steps.iter().all(|step| good.contains(&step.status)), "{host}: no false success");
            }
        }
        Status::Unreachable => assert!(starts.is_empty(), "{host}: safe to run again"),
        Status::Failed | Status::Unknown | Status::Cancelled | Status::Skipped => {}
    }
    let repeated = |task: &PlannedTask| task.steps.iter().any(|planned| planned.step.repeat.is_some());
    let distinct: HashSet<&String> = starts.iter().collect();
    if plan.tasks.iter().any(repeated) {
        return;
    }
    assert_eq!(distinct.len(), starts.len(), "{host}: no command is started twice: {starts:?}");
}

/// The recap of the stream after it was written down and read again.
fn replayed(events: &[Event]) -> Recap {
    let mut recap = Recap::default();
    for event in events {
        let line = serde_json::to_string(event).unwrap();
        recap.apply(&serde_json::from_str(&line).unwrap());
    }
    recap
}
