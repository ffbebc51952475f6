//! `reboot`: restarts the host and waits until it is back, which its boot id proves.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::engine::host::connection::close;
use crate::engine::host::result::StepResult;
use crate::engine::step::cx::StepCx;
use crate::engine::step::look::look;
use crate::engine::step::run as command;
use crate::model::duration;
use crate::model::outcome::{Exit, Failure, Kind, StepStatus};
use crate::model::position::Located;
use crate::model::settings::{TimeLimit, Transport};
use crate::model::task::{Action, Command, Reboot, Step, TemplateText};
use crate::ssh::Connector;

/// Prints something that is another after each start: Linux, then the BSDs and macOS.
const BOOT_ID: &str = "cat /proc/sys/kernel/random/boot_id 2>/dev/null || sysctl -n kern.boottime";

/// Restarts the host. `sbin` is not on every user's path.
const RESTART: &str = "PATH=$PATH:/sbin:/usr/sbin; shutdown -r now";

/// How long the command may take to end or to lose the connection.
const GOING_DOWN: Duration = Duration::from_secs(60);

/// Pause between two attempts to get back in. Long enough for a server that punishes failed logins by seconds.
const PAUSE: Duration = Duration::from_secs(5);

pub(super) async fn run<C: Connector>(
    cx: &mut StepCx<'_, C>,
    reboot: &Reboot,
) -> Result<StepResult, Failure> {
    if cx.host.endpoint.transport == Transport::Local {
        let failure = Failure::new(Kind::Template, "this is the machine fan runs on");
        return Err(failure.hint("leave it out of the task's hosts"));
    }
    let before = match boot_id(cx, reboot).await? {
        Ok(id) => id,
        Err(result) => return Ok(*result),
    };
    let begun = Instant::now();
    let restart = script(reboot.command.as_ref(), RESTART, cx.step);
    let bounded = Step { timeout: Some(TimeLimit::After(GOING_DOWN)), ..cx.step.clone() };
    let mut result = command::run(&mut cx.with(&bounded), &restart).await?;
    match result.outcome.status {
        StepStatus::Failed => {
            // It may have been asked for and take its time.
            let timed_out = result.outcome.failure.as_ref().is_some_and(|it| it.kind == Kind::Timeout);
            let killed = matches!(result.outcome.exit, Some(Exit::Signal(_)));
            if result.refused || !(timed_out || killed) {
                return Ok(result);
            }
        }
        // Only a host that goes down loses its connections: that is what was asked for.
        StepStatus::Unknown if cx.seen.started => {}
        StepStatus::Unknown | StepStatus::Cancelled | StepStatus::Skipped | StepStatus::Warned => {
            return Ok(result);
        }
        StepStatus::Ok | StepStatus::Changed => {}
    }
    leave(cx);
    // It was told to restart, whatever is found out about it from here on.
    result = match come_back(cx, reboot, &before).await {
        Ok(None) => StepResult::of(StepStatus::Changed),
        Ok(Some(ended)) => return Ok(ended.begun()),
        Err(failure) => return Ok(StepResult::failed(failure).begun()),
    };
    result.outcome.note = Some(format!("back after {}", duration::show(whole_seconds(begun.elapsed()))));
    Ok(result)
}

/// Lets go of a connection that is about to break.
fn leave<C: Connector>(cx: &mut StepCx<'_, C>) {
    // It may come back with another kernel.
    cx.seen.facts = None;
    if let Some(session) = cx.connection.leave() {
        tokio::spawn(close(session));
    }
}

/// Connects until the boot id is another; gives a result when that does not come about.
async fn come_back<C: Connector>(
    cx: &mut StepCx<'_, C>,
    reboot: &Reboot,
    before: &str,
) -> Result<Option<Box<StepResult>>, Failure> {
    let deadline = reboot.timeout.duration().map(|limit| (Instant::now() + limit, limit));
    let mut stop = cx.tools.stop.clone();
    let mut why = "it has not gone down".to_owned();
    loop {
        cx.activity.heard();
        let attempt = tokio::select! {
            biased;
            reason = stop.asked() => return Ok(Some(Box::new(StepResult::cancelled(reason)))),
            attempt = cx.tools.connector.connect(&cx.host.endpoint) => attempt,
        };
        match attempt {
            Ok(connected) => {
                cx.connection.session = Some(Arc::new(connected.session));
                match boot_id(cx, reboot).await? {
                    Ok(id) if id != before => return Ok(None),
                    Ok(_) => "it has not gone down".clone_into(&mut why),
                    Err(ended) if ended.outcome.status == StepStatus::Cancelled => return Ok(Some(ended)),
                    Err(ended) => {
                        why = ended.outcome.failure.map_or_else(String::new, |failure| failure.message());
                    }
                }
                leave(cx);
            }
            // Someone else may have come up in its place.
            Err(error) if is_identity(error.failure.kind) => {
                return Ok(Some(Box::new(StepResult::refused(error.failure))));
            }
            // Logins may be refused while a host goes down or comes up (`pam_nologin`); this one was right before.
            Err(error) => why = error.failure.message(),
        }
        let now = Instant::now();
        let mut next = now + PAUSE;
        if let Some((deadline, limit)) = deadline {
            if now >= deadline {
                let message = format!("not back within {}: {why}", duration::show(limit));
                let hint = "raise `timeout` of `reboot`, or check its console";
                let failure = Failure::new(Kind::Timeout, message).hint(hint);
                return Ok(Some(Box::new(StepResult::refused(failure))));
            }
            next = next.min(deadline);
        }
        tokio::select! {
            biased;
            reason = stop.asked() => return Ok(Some(Box::new(StepResult::cancelled(reason)))),
            () = tokio::time::sleep_until(next) => {}
        }
    }
}

/// Verdicts about who the host is, which time does not change.
fn is_identity(kind: Kind) -> bool {
    matches!(kind, Kind::HostKeyUnknown | Kind::HostKeyChanged | Kind::HostKeyRevoked | Kind::HostKeyStore)
}

/// What the host prints as its boot id, or the result of a look that did not go well.
async fn boot_id<C: Connector>(
    cx: &mut StepCx<'_, C>,
    reboot: &Reboot,
) -> Result<Result<String, Box<StepResult>>, Failure> {
    let asked = script(reboot.boot_id.as_ref(), BOOT_ID, cx.step);
    let result = look(cx, &asked).await?;
    if result.outcome.exit != Some(Exit::Status(0)) {
        return Ok(Err(Box::new(result)));
    }
    let id = String::from_utf8_lossy(&result.stdout.data).trim().to_owned();
    if id.is_empty() {
        let failure = Failure::new(Kind::Exit, format!("no boot id: `{}` prints nothing", asked_for(&asked)));
        return Err(
            failure.hint("set `boot_id` of `reboot` to a command whose output changes with each start")
        );
    }
    Ok(Ok(id))
}

fn asked_for(command: &Command) -> String {
    Action::Run(command.clone()).said().title
}

/// The user's script, or ours.
fn script(own: Option<&TemplateText>, otherwise: &str, step: &Step) -> Command {
    let fallback = || Located::new(Arc::from(otherwise), step.position.clone());
    Command::Script(own.cloned().unwrap_or_else(fallback))
}

fn whole_seconds(time: Duration) -> Duration {
    Duration::from_secs(time.as_secs().max(1))
}
