//! Steps by themselves: what they may use is made by hand, and there is no worker, no task and no run around them.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use tokio::sync::Semaphore;

use crate::engine::host::connection::HostConnection;
use crate::engine::host::delegates::Delegates;
use crate::engine::host::jobs::Jobs;
use crate::engine::host::learned::Learned;
use crate::engine::host::result::StepResult;
use crate::engine::host::run::{HostRun, Seen};
use crate::engine::host::tools::Tools;
use crate::engine::live::activity::Activity;
use crate::engine::live::together::{Batch, LockWatch, Together};
use crate::engine::plan::Plan;
use crate::engine::step::action::perform;
use crate::engine::step::cx::StepCx;
use crate::engine::tests::fake::{Command, Connect, Fake, FakeSession, Start};
use crate::engine::tests::{plan, raw, step, text};
use crate::engine::walk::halt::TaskEnd;
use crate::engine::walk::shared::Shared;
use crate::engine::walk::way;
use crate::engine::{self, Delivery};
use crate::event::{Fact, StepFact};
use crate::model::outcome::{Kind, Status, StepStatus};
use crate::model::redact::Redactor;
use crate::model::task::{Action, Command as TaskCommand, RunAs, Step, Template};
use crate::model::template::{Layer, Scope};
use crate::model::value::{Value, Vars};
use crate::ssh::Connector;

/// A host that one step after the other is done on.
struct Bench {
    plan: Plan,
    tools: Tools<Fake>,
    deliveries: Receiver<Delivery>,
    activity: Arc<Activity>,
    connection: HostConnection<FakeSession>,
    seen: Seen,
}

impl Bench {
    async fn new(plan: Plan, fake: Fake) -> Self {
        let (sink, deliveries) = engine::channel(&Redactor::default());
        let (stop, questions) = (engine::stop_channel().1, engine::questions().0);
        let connected = fake.connect(&plan.hosts[0].endpoint).await.unwrap();
        let connection =
            HostConnection { session: Some(Arc::new(connected.session)), ..HostConnection::default() };
        let activity = Arc::new(Activity::new(sink.clone()));
        let tools =
            Tools { connector: Arc::new(fake), sink, stop, questions, files: Arc::default(), input: None };
        Self { plan, tools, deliveries, activity, connection, seen: Seen::default() }
    }

    async fn perform(&mut self, step: &Step) -> StepResult {
        let (task, host) = (&self.plan.tasks[0], &self.plan.hosts[0]);
        let mut cx = StepCx {
            plan: &self.plan,
            task,
            task_index: 0,
            index: 0,
            position: 0,
            host,
            place: host,
            step,
            scope: &Scope::new().with(Layer::new(&Vars::from_iter([("a".to_owned(), Value::from(1))]))),
            tools: &self.tools,
            activity: &self.activity,
            connection: &mut self.connection,
            seen: &mut self.seen,
            jobs: &mut Jobs::default(),
            delegate: None,
        };
        perform(&mut cx).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_command_is_run_with_what_a_step_may_use() {
    let fake = Fake::new().runs("h0", [Command::runs().says(0, "hello\n").exit(0, 3).closed()]);
    let mut bench = Bench::new(plan(1, vec![vec![]]), fake).await;
    let result = bench.perform(&raw("say")).await;
    assert_eq!(result.outcome.status, StepStatus::Failed);
    assert_eq!(result.outcome.failure.map(|failure| failure.kind), Some(Kind::Exit));
    assert!(bench.seen.started);
    let facts: Vec<Fact> = bench.deliveries.try_iter().map(|delivery| delivery.event.fact).collect();
    assert!(
        matches!(&facts[..], [Fact::Step(_, StepFact::Output { data, .. })] if data == "hello\n"),
        "{facts:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_start_that_is_lost_with_the_connection_is_tried_once_more() {
    let lost = Command::not_started(Start::Refused(Kind::ConnectionLost));
    let fake = Fake::new().runs("h0", [lost, Command::exits(0, 0)]);
    let mut bench = Bench::new(plan(1, vec![vec![]]), fake).await;
    assert_eq!(bench.perform(&raw("a")).await.outcome.status, StepStatus::Ok);
    assert_eq!(bench.tools.connector.tally().connects["h0"], 2);
    // Not once something was started there.
    let lost = Command::not_started(Start::Refused(Kind::ConnectionLost));
    bench.tools.connector = Arc::new((*bench.tools.connector).clone().runs("h0", [lost]));
    assert!(bench.perform(&raw("b")).await.refused);
    assert_eq!(bench.tools.connector.tally().connects["h0"], 2);
}

#[tokio::test(start_paused = true)]
async fn a_start_that_is_lost_and_no_way_back_is_refused() {
    let lost = Command::not_started(Start::Refused(Kind::ConnectionLost));
    let fake = Fake::new().runs("h0", [lost]);
    let mut bench = Bench::new(plan(1, vec![vec![]]), fake).await;
    bench.plan.hosts[0].endpoint.retries = 0;
    bench.tools.connector = Arc::new((*bench.tools.connector).clone().connects("h0", [Connect::Hangs]));
    let result = bench.perform(&raw("a")).await;
    assert!(result.refused && !bench.seen.started);
}

#[tokio::test(start_paused = true)]
async fn what_a_step_defines_is_in_its_result() {
    let mut bench = Bench::new(plan(1, vec![vec![]]), Fake::new()).await;
    let values = [("b", "{{ a + 1 }}"), ("c", "{{ b + 1 }}")];
    let values = values.map(|(name, value)| (name.to_owned(), Template::Text(text(value))));
    let result = bench.perform(&step(Action::Set(values.into_iter().collect()))).await;
    let layer = result.defines.expect("it sets something");
    let found: HashMap<&str, Value> = layer.names().map(|name| (name, layer.value(name).unwrap())).collect();
    assert_eq!(found, HashMap::from([("b", Value::from(2)), ("c", Value::from(3))]));
    assert!(!bench.seen.started && bench.tools.connector.tally().starts.is_empty());
    let failed = bench.perform(&step(Action::Fail(text("no {{ a }}")))).await.outcome.failure;
    assert_eq!(
        failed.map(|failure| (failure.kind, failure.message())),
        Some((Kind::Fail, "no 1".to_owned()))
    );
}

/// As it is when `--where` or a lock came first.
#[tokio::test(start_paused = true)]
async fn whom_steps_become_is_tried_first_also_on_a_session_that_was_open_before() {
    let other = Action::Run(TaskCommand::Script(text("b")));
    let other = Step { run_as: Some(RunAs::Other(Box::default())), ..step(other) };
    let plan = Arc::new(plan(1, vec![vec![raw("a"), other]]));
    let fake = Fake::new().runs("h0", [Command::exits(0, 0).unmarked()]);
    let Bench { tools, connection, .. } = Bench::new((*plan).clone(), fake.clone()).await;
    let run = HostRun { connection, ..HostRun::new(0, &tools.sink, None) };
    let shared = Shared {
        tools,
        delegates: Arc::new(Delegates::of(&plan)),
        learned: Learned::of(&plan),
        throttles: Arc::default(),
        pace: Arc::default(),
        pool: Arc::new(Semaphore::new(1)),
    };
    let (batch, once, lock) = (Arc::new(Batch::new(1)), Arc::default(), LockWatch::default());
    let together = Together { batch, number: 0, member: 0, once, lock };
    let (_, end) = way::run_task(plan, Arc::new(shared), run, 0, 0, together).await;
    let TaskEnd::Ended(outcome) = end else { panic!("nobody can become anybody there") };
    assert_eq!((outcome.status, outcome.started), (Status::Unreachable, false));
    let tally = fake.tally();
    assert!(tally.starts.is_empty() && tally.not_begun["h0"].len() == 1, "{tally:?}");
}
