//! `facts`: gathers facts, once per run, as the variable `facts` and as an event.

use std::sync::Arc;
use std::time::Duration;

use crate::engine::host::connection::giving_way;
use crate::engine::host::result::StepResult;
use crate::engine::live::stop::StopReceiver;
use crate::engine::step::cx::StepCx;
use crate::event::{Fact, StepAt, StepFact};
use crate::files::remote::{RemotePrivilege, Shell};
use crate::model::action::FACTS;
use crate::model::facts::{self, Facts, FactsError};
use crate::model::outcome::{CancelReason, Failure, Kind, StepStatus};
use crate::model::settings::TimeLimit;
use crate::model::template::Layer;
use crate::model::value::{Value, Vars};
use crate::ssh::{ChannelClaim, Connector, Session};

/// How long a host may take to tell, unless the step or its task says otherwise.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// Why a host did not tell what it is.
pub(crate) enum Untold {
    /// The user asked to stop.
    Cancelled(CancelReason),
    /// The question was not put to it.
    Refused(Failure),
    /// The connection went away.
    Lost(Failure),
    /// The answer was none.
    Failed(Failure),
}

pub(super) async fn run<C: Connector>(cx: &mut StepCx<'_, C>) -> Result<StepResult, Failure> {
    let facts = match &cx.seen.facts {
        Some(facts) => Arc::clone(facts),
        None => match ask(cx).await {
            Ok(facts) => Arc::new(facts),
            Err(untold) => return Ok(unanswered(untold)),
        },
    };
    cx.seen.facts = Some(Arc::clone(&facts));
    let mut result = StepResult::of(StepStatus::Ok);
    result.values = facts.to_vars();
    let value = Value::Object(result.values.clone());
    result.defines = Some(Layer::new(&Vars::from_iter([(FACTS.to_owned(), value)])));
    cx.tools.sink.tell(Fact::Step(
        StepAt { host: cx.host.endpoint.name.clone(), task: cx.task_index, step: cx.index },
        StepFact::FactsGathered { facts },
    ));
    Ok(result)
}

async fn ask<C: Connector>(cx: &mut StepCx<'_, C>) -> Result<Facts, Untold> {
    let (session, mut stop) = (cx.connection.session(), cx.tools.stop.clone());
    let limit = cx.step.timeout.map(TimeLimit::duration).or(cx.task.timeout);
    let deadline = limit.unwrap_or(Some(DEADLINE)).unwrap_or(Duration::MAX);
    let asking = gather(session.as_ref(), deadline, &mut stop);
    let answer = giving_way(session.as_ref(), &mut cx.connection.files, asking).await;
    cx.seen.started |= !matches!(answer, Err(Untold::Refused(_)));
    cx.activity.heard();
    answer
}

fn unanswered(untold: Untold) -> StepResult {
    match untold {
        Untold::Cancelled(reason) => StepResult::cancelled(reason),
        // Nothing more can be done on a connection that is gone.
        Untold::Refused(failure) | Untold::Lost(failure) => StepResult::refused(failure),
        Untold::Failed(failure) => StepResult::failed(failure),
    }
}

/// Asks a host what it is. What runs there only reads, and ends by itself.
pub(crate) async fn gather<S: Session>(
    session: &S,
    deadline: Duration,
    stop: &mut StopReceiver,
) -> Result<Facts, Untold> {
    let shell = tokio::select! {
        biased;
        reason = stop.asked() => return Err(Untold::Cancelled(reason)),
        shell = Shell::start(session, &RemotePrivilege::Login, ChannelClaim::Alone) => {
            // A shell was asked for before a connection is lost here: something may have been started.
            shell.map_err(|failure| if failure.kind.is_loss() { Untold::Lost(failure) } else { Untold::Refused(failure) })?
        }
    };
    let answer = tokio::select! {
        biased;
        reason = stop.asked() => return Err(Untold::Cancelled(reason)),
        answer = shell.run(facts::SCRIPT, deadline) => answer,
    };
    shell.end().await;
    let answer = answer.map_err(|failure| {
        if failure.kind.is_loss() { Untold::Lost(failure) } else { Untold::Failed(failure) }
    })?;
    facts::parse(&answer.output).map_err(|error| {
        let kind = match error {
            FactsError::TooLong => Kind::Limit,
            FactsError::NoAnswer(_) | FactsError::Incomplete => Kind::ExecRefused,
        };
        let failure = Failure::new(kind, error.to_string());
        Untold::Failed(failure.hint("`fan exec` shows what the host answers to a command"))
    })
}
