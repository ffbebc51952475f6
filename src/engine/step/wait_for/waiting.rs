//! Looks at a host until something holds.
//!
//! Ports and web servers are looked at from the host, through a connection that its SSH server opens for us
//! (`direct-tcpip`, RFC 4254 section 7.2): nothing is needed there, for TLS neither. Paths and commands take a command.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use regex::bytes::Regex;
use tokio::time::Instant;

use crate::engine::host::result::StepResult;
use crate::engine::step::cx::StepCx;
use crate::engine::step::look::{self, Probe, Spelt};
use crate::model::duration;
use crate::model::outcome::{Failure, Kind, StepStatus};
use crate::model::position::Located;
use crate::model::settings::TimeLimit;
use crate::model::shell::quote_word;
use crate::model::task::{Command, Condition, Step, TemplateText, WaitFor, WebCondition};
use crate::ssh::pipe::Program;
use crate::ssh::{Connector, Session};
use crate::web::{Url, WebAnswer, WebRequest, WebSilence, WebTrust, ask, check_header, piped};

/// How long one look may take.
const LOOK: Duration = Duration::from_secs(10);

/// How long the last look may take, even when that is longer than there is to wait: one that is cut off says nothing.
const LAST_LOOK: Duration = Duration::from_secs(1);

/// Bytes of an answer's body that are looked at.
const BODY: usize = 1024 * 1024;

/// What is looked at, its texts filled in.
enum Look {
    Port {
        address: String,
        port: u16,
    },
    Http {
        url: Url,
        status: Vec<u16>,
        body: Option<Regex>,
        headers: Vec<(String, String)>,
        trust: WebTrust,
    },
    /// A path that is there or not.
    Path(TemplateText),
    /// A command whose success is the answer.
    Command(Command),
}

/// What one look found.
enum WaitSeen {
    Holds,
    /// It does not, and why.
    Not(String),
    /// The look was not over in time, and why.
    Undecided(String),
    /// The host cannot be looked at any more, or the step makes no sense.
    Over(Box<StepResult>),
}

pub(in crate::engine::step) async fn run<C: Connector>(
    cx: &mut StepCx<'_, C>,
    wait: &WaitFor,
) -> Result<StepResult, Failure> {
    let look = Look::prepare(cx, wait)?;
    let deadline = wait.timeout.duration().map(|limit| Instant::now() + limit);
    let mut stop = cx.tools.stop.clone();
    loop {
        let left = deadline.map_or(LOOK, |deadline| deadline.saturating_duration_since(Instant::now()));
        let limit = left.clamp(LAST_LOOK, LOOK);
        let mut seen = look.once(cx, limit).await;
        if wait.gone && matches!(seen, WaitSeen::Not(_)) {
            seen = look.really_asked(cx, limit).await.unwrap_or(seen);
        }
        let why = match seen {
            WaitSeen::Holds if !wait.gone => return Ok(StepResult::of(StepStatus::Ok)),
            WaitSeen::Not(_) if wait.gone => return Ok(StepResult::of(StepStatus::Ok)),
            WaitSeen::Holds => "it still exists".to_owned(),
            WaitSeen::Not(why) | WaitSeen::Undecided(why) => why,
            WaitSeen::Over(result) => return Ok(*result),
        };
        cx.activity.heard();
        let now = Instant::now();
        let mut next = now + wait.interval;
        if let (Some(deadline), Some(limit)) = (deadline, wait.timeout.duration()) {
            if now >= deadline {
                let shown = duration::show(limit);
                let failure = Failure::new(Kind::Timeout, format!("timed out waiting for {shown}: {why}"));
                return Ok(StepResult::failed(
                    failure.hint("raise `timeout` of `wait_for`, or find out why"),
                ));
            }
            next = next.min(deadline);
        }
        tokio::select! {
            biased;
            reason = stop.asked() => return Ok(StepResult::cancelled(reason)),
            () = tokio::time::sleep_until(next) => {}
        }
    }
}

impl Look {
    fn prepare<C: Connector>(cx: &StepCx<'_, C>, wait: &WaitFor) -> Result<Self, Failure> {
        let render = cx.render();
        let wrong = |at: &TemplateText, why: String| {
            let (file, line) = (&at.position.file, at.position.line);
            Failure::new(Kind::Template, format!("{why} ({file}:{line})"))
        };
        Ok(match &wait.condition {
            Condition::Port { port, address } => {
                let number = render.text(port)?;
                let parsed = number.trim().parse().ok().filter(|port| *port != 0);
                let parsed =
                    parsed.ok_or_else(|| wrong(port, format!("port must be 1–65535, got {number:?}")))?;
                let address = address.as_ref().map(|address| render.text(address)).transpose()?;
                Self::Port { address: address.unwrap_or_else(|| "localhost".to_owned()), port: parsed }
            }
            Condition::Path(path) => Self::Path(path.clone()),
            Condition::Command(script) => Self::Command(Command::Script(script.clone())),
            Condition::Http(WebCondition { url, status, body, headers, ca, verify }) => {
                let parsed = Url::parse(&render.text(url)?).map_err(|why| wrong(url, why))?;
                let body = body.as_ref().map(|body| Regex::new(&body.value)).transpose();
                let body = body.map_err(|error| wrong(url, error.to_string()))?;
                let header = |(name, value): (&String, &TemplateText)| {
                    let text = render.text(value)?;
                    check_header(name, &text).map_err(|why| wrong(value, why))?;
                    Ok::<_, Failure>((name.clone(), text))
                };
                let headers = headers.iter().map(header).collect::<Result<_, _>>()?;
                let trust = match ca {
                    _ if !verify || !parsed.tls => WebTrust::anyone(),
                    Some(ca) => {
                        let path = cx.step.position.folder().join(cx.plan.local_path(&render.text(ca)?));
                        WebTrust::load(Some(&path)).map_err(|why| wrong(ca, format!("\"ca\": {why}")))?
                    }
                    None => WebTrust::of_machine().map_err(|why| {
                        Failure::new(Kind::LocalIo, why).hint("`ca` names a file with certificates (PEM)")
                    })?,
                };
                Self::Http { url: parsed, status: status.clone(), body, headers, trust }
            }
        })
    }

    async fn once<C: Connector>(&self, cx: &mut StepCx<'_, C>, limit: Duration) -> WaitSeen {
        match self {
            Self::Port { address, port } => {
                let asked = tokio::time::timeout(limit, connect(cx, address, *port)).await;
                match asked {
                    Ok(Ok(pipe)) => {
                        pipe.writer.close().await;
                        WaitSeen::Holds
                    }
                    Ok(Err(seen)) => seen,
                    Err(_) => silent(address, *port, limit),
                }
            }
            Self::Http { url, status, body, headers, trust } => {
                let asking = async {
                    let pipe = connect(cx, &url.host, url.port).await?;
                    let most = if body.is_some() { BODY } else { 0 };
                    let request = WebRequest { headers, ..WebRequest::get(url, most) };
                    let asked = piped(pipe, |stream| ask(stream, &request, trust)).await;
                    asked.map_err(lost)?.map_err(|silence| {
                        let WebSilence { why, certificates } = silence;
                        // One that is there and not believed has not gone.
                        if certificates.is_empty() { WaitSeen::Not(why) } else { WaitSeen::Undecided(why) }
                    })
                };
                match tokio::time::timeout(limit, asking).await {
                    Ok(Ok(answer)) => judge(&answer, status, body.as_ref()),
                    Ok(Err(seen)) => seen,
                    Err(_) => silent(&url.host, url.port, limit),
                }
            }
            Self::Path(path) => {
                let bounded = bounded(cx.step, limit);
                seen(look::is_there(&mut cx.with(&bounded), path, Spelt::Path).await, "it does not exist")
            }
            Self::Command(look) => command(cx, look, limit).await,
        }
    }
}

impl Look {
    /// Why a port that is not there was never looked at: its address is a name that the host does not know, of which a
    /// server only says that it cannot connect. None when it was.
    async fn really_asked<C: Connector>(&self, cx: &mut StepCx<'_, C>, limit: Duration) -> Option<WaitSeen> {
        let name = match self {
            Self::Port { address, .. } => address,
            Self::Http { url, .. } => &url.host,
            Self::Path(_) | Self::Command(_) => return None,
        };
        if name == "localhost" || name.parse::<IpAddr>().is_ok() {
            return None;
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || ".-_:%".contains(c);
        if name.is_empty() || !name.chars().all(plain) {
            return Some(WaitSeen::Undecided(format!("{name:?} is not a host name")));
        }
        let script = format!(
            "command -v getent >/dev/null || exit 0\n\
             getent ahosts {0} >/dev/null || getent hosts {0} >/dev/null || exit 1",
            quote_word(name)
        );
        let at = Located::new(Arc::from(script), cx.step.position.clone());
        match command(cx, &Command::Script(at), limit).await {
            WaitSeen::Holds => None,
            WaitSeen::Not(_) => Some(WaitSeen::Undecided(format!("the host does not know the name {name}"))),
            other @ (WaitSeen::Undecided(_) | WaitSeen::Over(_)) => Some(other),
        }
    }
}

/// A port from which nothing came: as good as closed when it had the full time.
fn silent(address: &str, port: u16, limit: Duration) -> WaitSeen {
    let why = format!("no answer from port {port} of {address}");
    if limit == LOOK { WaitSeen::Not(why) } else { WaitSeen::Undecided(why) }
}

/// Whether an answer is the right one.
fn judge(answer: &WebAnswer, status: &[u16], body: Option<&Regex>) -> WaitSeen {
    let right =
        if status.is_empty() { (200..400).contains(&answer.status) } else { status.contains(&answer.status) };
    if !right {
        return WaitSeen::Not(format!("it responds with status {}", answer.status));
    }
    match body {
        Some(body) if !body.is_match(&answer.body) => {
            WaitSeen::Not(format!("it responds with status {}, but its body does not match", answer.status))
        }
        Some(_) | None => WaitSeen::Holds,
    }
}

async fn connect<C: Connector>(
    cx: &StepCx<'_, C>,
    address: &str,
    port: u16,
) -> Result<crate::ssh::pipe::Pipe, WaitSeen> {
    let opened = cx.connection.session().pipe(Program::Tcp { address: Arc::from(address), port }).await;
    opened.map_err(|error| match error.failure.kind {
        Kind::ConnectRefused | Kind::ConnectTimeout => WaitSeen::Not(error.failure.message()),
        Kind::ChannelRefused => WaitSeen::Over(Box::new(StepResult::failed(error.failure))),
        _ => lost(error.failure),
    })
}

/// The connection to the host itself went away.
fn lost(failure: Failure) -> WaitSeen {
    let mut result = StepResult::failed(failure);
    result.outcome.status = StepStatus::Unknown;
    WaitSeen::Over(Box::new(result))
}

/// What a probe with this deadline found.
async fn command<C: Connector>(cx: &mut StepCx<'_, C>, look: &Command, limit: Duration) -> WaitSeen {
    let bounded = bounded(cx.step, limit);
    seen(look::probe(&mut cx.with(&bounded), look).await, "the command fails")
}

/// The step with this deadline.
fn bounded(step: &Step, limit: Duration) -> Step {
    Step { timeout: Some(TimeLimit::After(limit)), ..step.clone() }
}

fn seen(probe: Result<Probe, Failure>, no: &str) -> WaitSeen {
    match probe {
        Ok(Probe::Yes) => WaitSeen::Holds,
        Ok(Probe::No) => WaitSeen::Not(no.to_owned()),
        Ok(Probe::Unasked(unasked)) if unasked.in_vain => {
            WaitSeen::Over(Box::new(StepResult::failed(unasked.of("wait_for"))))
        }
        Ok(Probe::Unasked(unasked)) => WaitSeen::Undecided(unasked.why()),
        Ok(Probe::Ended(result)) => {
            let timed_out =
                result.outcome.failure.as_ref().is_some_and(|failure| failure.kind == Kind::Timeout);
            let confirmed = timed_out && !result.outcome.may_still_run;
            if confirmed {
                WaitSeen::Undecided("the command does not end".to_owned())
            } else {
                WaitSeen::Over(result)
            }
        }
        Err(failure) => WaitSeen::Over(Box::new(StepResult::failed(failure))),
    }
}
