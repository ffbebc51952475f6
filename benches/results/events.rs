//! The events of a run in which all goes well.

use std::time::Duration;

use fan::testing::event::{
    Event, Fact, HostOutcome, RunFact, SCHEMA_VERSION, Section, StepAt, StepFact, StepOutcome, StepSummary,
    Stream, TaskFact, TaskSummary,
};
use fan::testing::model::inventory::HostName;
use fan::testing::model::outcome::{Status, StepStatus};

/// How long a step takes.
const STEP: Duration = Duration::from_millis(900);

/// A task of so many steps on so many hosts; `said` is what the host of a number writes in a step.
pub(crate) fn of_run(hosts: usize, steps: usize, said: impl Fn(usize, usize) -> String) -> Vec<Event> {
    let names: Vec<HostName> =
        (0..hosts).map(|at| HostName::from(format!("web{at:04}.example.org").as_str())).collect();
    let step = |at: usize| StepSummary {
        action: "run".to_owned(),
        title: format!("do thing number {at}"),
        written: None,
        section: Section::Steps,
        position: None,
    };
    let task = TaskSummary {
        name: "deploy".to_owned(),
        steps: (0..steps).map(step).collect(),
        hosts: (0..hosts).collect(),
    };
    let started = Fact::Run(RunFact::Started {
        schema: SCHEMA_VERSION,
        run: "01".into(),
        title: "deploy".to_owned(),
        started_at: "2026-01-02T03:04:05Z".to_owned(),
        hosts: names.clone(),
        tasks: vec![task],
        pool: hosts,
    });
    let (beginning, end) = (Duration::ZERO, Duration::from_secs(25));
    let mut events = vec![
        Event::new(beginning, started),
        Event::new(beginning, Fact::Task(0, TaskFact::Started { hosts: None })),
    ];
    for (number, host) in names.into_iter().enumerate() {
        for step in 0..steps {
            let began = Duration::from_millis(u64::try_from(step * 1000 + number).expect("small"));
            let outcome = StepOutcome {
                status: StepStatus::Changed,
                failure: None,
                exit: None,
                note: None,
                difference: None,
                change: Default::default(),
                may_still_run: false,
                earlier: false,
                not_known: false,
                would_change: Default::default(),
                elapsed: STEP,
            };
            let (task, data) = (0, said(number, step).into());
            for (at, fact) in [
                (began, Fact::Step(StepAt { host: host.clone(), task, step }, StepFact::Started)),
                (
                    began,
                    Fact::Step(
                        StepAt { host: host.clone(), task, step },
                        StepFact::Output { stream: Stream::Stdout, data },
                    ),
                ),
                (
                    began + STEP,
                    Fact::Step(StepAt { host: host.clone(), task, step }, StepFact::Finished { outcome }),
                ),
            ] {
                events.push(Event::new(at, fact));
            }
        }
        let outcome = HostOutcome {
            status: Status::Ok,
            failure: None,
            step: None,
            started: true,
            may_still_run: false,
        };
        events.push(Event::new(end, Fact::HostFinished { host, outcome }));
    }
    events.push(Event::new(end, Fact::Task(0, TaskFact::Finished)));
    events.push(Event::new(end, Fact::Run(RunFact::Finished { cancelled: None })));
    events
}
