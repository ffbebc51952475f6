//! Whole runs over a scripted transport and paused time. Every one of them is held to the event contract.

mod choose;
mod command;
mod connect;
mod contract;
mod cx;
mod fake;
mod marks;
mod model;
mod output;
mod panic;
mod past;
mod preflight;
mod run;
mod steps;
mod stop;
mod throttle;
mod values;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::engine::plan::memory::Memory;
use crate::engine::plan::{
    Body, Changes, Locking, Plan, PlannedHost, PlannedStep, PlannedTask, Sizes, TaskHost,
};
use crate::engine::tests::fake::{Fake, Tally};
use crate::engine::{self, StopSender};
use crate::event::recap::{HostRecord, Recap};
use crate::event::{Event, Fact, HostOutcome, StepAt, StepFact, StepOutcome};
use crate::model::endpoint::Endpoint;
use crate::model::inventory::{HostName, RoleName};
use crate::model::outcome::{CancelReason, Failure, Kind, Status};
use crate::model::position::{Located, Position};
use crate::model::redact::Redactor;
use crate::model::secret::Secrets;
use crate::model::settings::OnDisconnect;
use crate::model::task::{Action, Command, Step, Strategy, TemplateText};
use crate::model::template::{Builtins, Layer, Templates};
use crate::model::value::{Value, Vars};

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn text(text: &str) -> TemplateText {
    Located::new(Arc::from(text), Position::new("tasks.yaml", 7, 3))
}

fn step(action: Action) -> Step {
    Step { position: Position::new("tasks.yaml", 7, 3), ..Step::bare(action) }
}

/// A step whose command reaches the transport as it is.
fn raw(command: &str) -> Step {
    step(Action::Run(Command::Raw(Arc::from(command))))
}

fn echo(line: &str) -> Step {
    step(Action::Echo(text(line)))
}

/// A plan in which hosts `h0`, `h1`, … all take part in all tasks.
fn plan(hosts: usize, tasks: Vec<Vec<Step>>) -> Plan {
    let planned: Vec<PlannedHost> = (0..hosts).map(host).collect();
    let names = planned.iter().map(|host| Value::from(host.endpoint.name.as_str())).collect();
    let host_names = Layer::new(&Vars::from_iter([("hosts".to_owned(), Value::Array(names))]));
    let task = |(index, steps): (usize, Vec<Step>)| PlannedTask {
        name: Arc::from(format!("t{index}")),
        body: Body::sequence(steps.len()),
        steps: steps.into_iter().map(PlannedStep::plain).collect(),
        handlers: Vec::new(),
        batches: std::iter::once(0..hosts).collect(),
        max_fail: None,
        sizes: Sizes::default(),
        strategy: Strategy::Free,
        run_once: false,
        lock: None,
        hosts: (0..hosts).map(|host| TaskHost { host, vars: Layer::default() }).collect(),
        host_names: host_names.clone(),
        timeout: None,
    };
    Plan {
        delegates: Vec::new(),
        stepwise: false,
        host_vars: Arc::default(),
        passwords: Default::default(),
        run: Arc::from("01J"),
        title: "test".to_owned(),
        started_at: "2026-01-01T00:00:00Z".to_owned(),
        tasks: tasks.into_iter().enumerate().map(task).collect(),
        hosts: planned,
        condition: None,
        known: Default::default(),
        pool: 128,
        warn_only: false,
        changes: Changes::default(),
        home: None,
        templates: Arc::new(Templates::new(&Builtins::default())),
        groups: Layer::default(),
        password_places: Default::default(),
        below_home: false,
        secrets: Secrets::default(),
        memory: Memory::default(),
        extra_vars: Layer::default(),
        locking: Locking::default(),
        warnings: Vec::new(),
    }
}

fn host(index: usize) -> PlannedHost {
    PlannedHost {
        becoming: Default::default(),
        endpoint: Endpoint {
            retries: 2,
            ..Endpoint::new(&format!("h{index}"), &format!("10.0.0.{index}"), 22, "deploy")
        },
        roles: vec![RoleName::from("web")],
        vars: Layer::default(),
        shell: Arc::from("sh"),
        env: Vec::new(),
        command_timeout: None,
        idle_timeout: None,
        durable: None,
        reattach: Duration::from_secs(600),
        on_disconnect: OnDisconnect::Leave,
    }
}

/// A run that is over.
struct Ran {
    events: Vec<Event>,
    tally: Tally,
    recap: Recap,
    /// Until `run` returned.
    took: Duration,
}

impl Ran {
    fn record(&self, host: &str) -> &HostRecord {
        self.recap.hosts.iter().find(|record| record.host.as_str() == host).expect("the host is in the plan")
    }

    fn host(&self, host: &str) -> &HostOutcome {
        self.record(host).outcome.as_ref().expect("held by the contract")
    }

    fn statuses(&self) -> Vec<Status> {
        self.recap.hosts.iter().filter_map(HostRecord::status).collect()
    }

    fn kind(&self, host: &str) -> Option<Kind> {
        self.host(host).failure.as_ref().map(|failure| failure.kind)
    }

    fn failure(&self, host: &str) -> &Failure {
        self.host(host).failure.as_ref().expect("it failed")
    }

    /// The outcomes of a host's steps, in order.
    fn steps(&self, name: &str) -> Vec<&StepOutcome> {
        let outcomes = self.events.iter().filter_map(|event| match &event.fact {
            Fact::Step(StepAt { host, .. }, StepFact::Finished { outcome, .. }) if host.as_str() == name => {
                Some(outcome)
            }
            _ => None,
        });
        outcomes.collect()
    }

    /// All that a host said.
    fn output(&self, name: &str) -> String {
        let blocks = self.events.iter().filter_map(|event| match &event.fact {
            Fact::Step(StepAt { host, .. }, StepFact::Output { data, .. }) if host.as_str() == name => {
                Some(&data[..])
            }
            _ => None,
        });
        String::from_utf8(blocks.collect::<Vec<_>>().concat()).expect("scripts are text")
    }

    /// When a host had its final record.
    fn finished_at(&self, name: &str) -> Duration {
        let at = self.events.iter().find_map(|event| match &event.fact {
            Fact::HostFinished { host, .. } if host.as_str() == name => Some(event.at),
            _ => None,
        });
        at.expect("held by the contract")
    }
}

/// What happens around a run.
#[derive(Debug, Default)]
struct Around {
    /// When the user asks it to stop.
    stops: Vec<Duration>,
    /// How often the events are read. Without it they are read when the run is over.
    reads: Option<Duration>,
    /// When the user cancels which host.
    cancels: Vec<(Duration, HostName)>,
}

async fn run(plan: Plan, fake: Fake) -> Ran {
    run_within(plan, fake, Around::default()).await
}

/// Runs, and asks to stop at these milliseconds.
async fn run_and_stop(plan: Plan, fake: Fake, stops: &[u64]) -> Ran {
    let stops = stops.iter().copied().map(ms).collect();
    run_within(plan, fake, Around { stops, ..Around::default() }).await
}

/// Runs, and cancels these hosts at these milliseconds.
async fn run_and_cancel(plan: Plan, fake: Fake, cancels: &[(u64, &str)]) -> Ran {
    let cancels = cancels.iter().map(|(at, host)| (ms(*at), HostName::from(*host))).collect();
    run_within(plan, fake, Around { cancels, ..Around::default() }).await
}

/// No scripted run takes this long on its paused clock.
const FOR_EVER: Duration = Duration::from_secs(3600);

async fn run_within(plan: Plan, fake: Fake, around: Around) -> Ran {
    let plan = Arc::new(plan);
    let (stop, stopping) = engine::stop_channel();
    let user = tokio::spawn(ask(stop, around.stops, around.cancels));
    let (sink, deliveries) = engine::channel(&Redactor::default());
    let began = Instant::now();
    let running = engine::run(Arc::clone(&plan), fake.clone(), sink, from_user(stopping));
    tokio::pin!(running);
    let mut events = Vec::new();
    loop {
        tokio::select! {
            () = &mut running => break,
            () = tokio::time::sleep_until(began + FOR_EVER) => panic!("the run does not end"),
            () = tokio::time::sleep(around.reads.unwrap_or(FOR_EVER)) => {
                events.extend(deliveries.try_iter().map(|delivery| delivery.event));
            }
        }
    }
    let took = began.elapsed();
    user.abort();
    events.extend(deliveries.try_iter().map(|delivery| delivery.event));
    let mut recap = Recap::default();
    events.iter().for_each(|event| recap.apply(event));
    let ran = Ran { events, tally: fake.tally(), recap, took };
    contract::hold(&plan, &ran);
    ran
}

/// A user who answers nothing.
fn from_user(stop: engine::StopReceiver) -> engine::FromUser {
    engine::FromUser { stop, questions: engine::questions().0, input: None, recipe: None }
}

async fn ask(stop: StopSender, stops: Vec<Duration>, cancels: Vec<(Duration, HostName)>) {
    let began = Instant::now();
    for (at, host) in cancels {
        tokio::time::sleep_until(began + at).await;
        stop.cancel(&host);
    }
    for at in stops {
        tokio::time::sleep_until(began + at).await;
        stop.request(CancelReason::Interrupt);
    }
    // Dropped only when the run is over.
    std::future::pending::<()>().await;
}
