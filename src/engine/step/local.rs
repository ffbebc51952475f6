//! `local`: a command on the operator's machine, once per host.

use crate::engine::host::result::StepResult;
use crate::engine::live::command::{self, Exchange};
use crate::engine::live::feed::Feed;
use crate::engine::step::command::{self as shared, Means, Prepared};
use crate::engine::step::cx::StepCx;
use crate::engine::step::privilege;
use crate::event::Change;
use crate::model::outcome::{Failure, Kind, StepStatus};
use crate::model::settings::OnDisconnect;
use crate::model::shell::marks::Token;
use crate::model::task::Command;
use crate::ssh::local::LocalSession;
use crate::ssh::{Connector, Session};

pub(super) async fn run<C: Connector>(
    cx: &mut StepCx<'_, C>,
    command: &Command,
) -> Result<StepResult, Failure> {
    let folder = cx.local_folder()?;
    let folder = folder.to_str().ok_or_else(|| {
        Failure::new(Kind::LocalIo, format!("the name of the folder {} is not UTF-8", folder.display()))
    })?;
    let folder = Some(folder).filter(|folder| !folder.is_empty());
    let token = Token::new(rand::random());
    let (body, lines) = shared::body(cx.render(), command)?;
    let script = shared::script(cx, &body, folder, &token)?;
    let means = Means {
        interpreter: "sh",
        raising: privilege::raising(cx, cx.step)?,
        by_program: false,
        reads: shared::reads(cx)?,
        terminal: false,
        tidies: false,
        // That is about the host's connection; this needs none.
        on_disconnect: OnDisconnect::Leave,
        confidential: shared::is_confidential(cx, &script),
    };
    let Prepared { request, opening, feed } = shared::prepare(means, &script, token)?;
    let exec = LocalSession.exec(request).await.map_err(|error| error.failure)?;
    let conversation = Exchange { opening, feed: feed.map(Feed::new) };
    let finished = command::watch(exec, cx.surroundings(), cx.limits(), conversation).await;
    let at = shared::ended_at(command, lines, finished.line);
    // What it did here says nothing about a change on the host; but nobody knows what it did.
    let mut result = shared::outcome(finished, StepStatus::Ok, at);
    if !result.refused {
        result.outcome.change = Change::Possible;
    }
    if let Some(failure) = result.outcome.failure.as_mut().filter(|it| it.kind == Kind::RemotePath) {
        *failure = Failure::new(Kind::LocalIo, "cannot enter the local working folder (`lcd`)");
        result.outcome.change = Change::None;
    }
    Ok(StepResult { refused: false, ..result })
}
