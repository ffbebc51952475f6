//! Hands parcels over, all at once, and says what did not arrive.

use std::time::Duration;

use futures::future::join_all;

use crate::cli::deliver::parcel::{Parcel, ParcelContent};
use crate::cli::error::{CliError, hide_also, talk};
use crate::cli::runtime::runtime;
use crate::cli::signals;
use crate::engine::{Stop, StopReceiver};
use crate::model::outcome::ExitCode;
use crate::model::text::{Sgr, sanitize};
use crate::web;

/// How long delivery has when the user asked to stop before it began.
const STOPPED: Duration = Duration::from_secs(2);

/// When somebody who waits is told what for.
const TELL_AFTER: Duration = Duration::from_secs(2);

/// The exit code when delivery is over: a report that was not delivered is an error when all else went well.
fn delivered(code: ExitCode, all: bool) -> ExitCode {
    match code {
        ExitCode::Ok | ExitCode::Differs if !all => ExitCode::LocalIo,
        code => code,
    }
}

/// Hands parcels over where no run is going on.
pub(in crate::cli) fn deliver_now(parcels: Vec<Parcel>, code: ExitCode) -> Result<ExitCode, CliError> {
    if parcels.is_empty() {
        return Ok(code);
    }
    runtime()?.block_on_then_leave(async {
        // Kept to the end: without it nobody can ask to stop.
        let (_stop, stopping) = signals::stops()?;
        Ok(deliver(parcels, None, &stopping, code).await)
    })
}

/// Hands parcels over; gives the exit code that the process has then. `run` is the name of a run that is recorded: its report
/// can be made again.
pub(in crate::cli) async fn deliver(
    parcels: Vec<Parcel>,
    run: Option<&str>,
    stopping: &StopReceiver,
    code: ExitCode,
) -> ExitCode {
    if parcels.is_empty() {
        return code;
    }
    let was_stopped = stopping.current() != Stop::Run;
    let names = parcels.iter().map(|parcel| parcel.shown.as_str()).collect::<Vec<_>>().join(", ");
    let note = format!("delivering the report to {names}");
    let sending = join_all(parcels.into_iter().map(|parcel| {
        let limit = if was_stopped { parcel.limit.min(STOPPED) } else { parcel.limit };
        one(parcel, limit, run)
    }));
    tokio::pin!(sending);
    let mut stopping = stopping.clone();
    let mut told = false;
    loop {
        tokio::select! {
            biased;
            all = &mut sending => return delivered(code, all.iter().all(|&delivered| delivered)),
            reason = stopping.asked(), if !was_stopped => {
                talk(&format!("error: the report was not delivered to {names}: stopped"));
                return if code == ExitCode::Ok { reason.exit_code() } else { code };
            }
            () = tokio::time::sleep(TELL_AFTER), if !told => {
                told = true;
                talk(&note);
            }
        }
    }
}

/// Hands one over; says why it was not taken. Whether it was.
async fn one(parcel: Parcel, limit: Duration, run: Option<&str>) -> bool {
    let Parcel { shown, again, limit: _, secrets, content } = parcel;
    secrets.iter().for_each(hide_also);
    let (why, hint) = match content {
        ParcelContent::Broken(why) => (why, None),
        ParcelContent::Mail { mail, server } => {
            let place = format!("{}:{}", server.server.host, server.server.port);
            match web::deliver(&mail, &server.server, &server.trust, limit).await {
                Ok(refused) if refused.is_empty() => return true,
                Ok(refused) => {
                    let each = refused.iter().map(|(who, why)| format!("it refused {who}: {why}"));
                    let each = each.collect::<Vec<_>>().join("; ");
                    (format!("{place}: {each}; the others have it"), Some("see the addresses behind mailto:"))
                }
                Err(untaken) => (format!("{place}: {}", untaken.why), untaken.hint),
            }
        }
        ParcelContent::Web { post, trust } => match web::post(&post, &trust, limit).await {
            Ok(()) => return true,
            Err(untaken) => (format!("{}: {}", post.url.authority(), untaken.why), untaken.hint),
        },
    };
    let mut text = format!("error: the report was not delivered to {shown}\n  caused by: {}", clean(&why));
    if let Some(hint) = hint {
        text += &format!("\nhint: {hint}");
    }
    if let Some(run) = run {
        text += &format!("\nhint: `fan report {run} {again}` delivers it again");
    }
    talk(&text);
    false
}

fn clean(text: &str) -> String {
    sanitize(text.as_bytes(), Sgr::Escape).into_owned()
}
