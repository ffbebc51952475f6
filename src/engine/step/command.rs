//! What `run` and `local` share: from a command as written to the script that is started, and from its end to
//! the step's outcome.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use regex::Regex;

use crate::engine::host::render::Render;
use crate::engine::host::result::StepResult;
use crate::engine::live::command::{Ended, Finished, LinkStory, StopCause};
use crate::engine::live::feed::FeedSource;
use crate::engine::live::stop::interrupted;
use crate::engine::live::tail::Rest;
use crate::engine::step::cx::StepCx;
use crate::model::count::counted;
use crate::model::duration;
use crate::model::outcome::{Exit, Failure, Kind, StepStatus};
use crate::model::privilege::Raising;
use crate::model::settings::OnDisconnect;
use crate::model::shell::launch::{Input, Launch};
use crate::model::shell::marks::Token;
use crate::model::shell::watchdog::Orphaned;
use crate::model::shell::{self, Prelude, ShellError};
use crate::model::task::{Command, Dialogue, InputText, Respond, Shown, TemplateText};
use crate::ssh::talk::{OpenInput, TalkAnswer, TalkOpening};
use crate::ssh::{Connector, ExecRequest, Sent, Stdin};

/// A command, ready to be started.
pub(super) struct Prepared {
    pub(super) request: ExecRequest,
    /// None for a command that is passed on untouched.
    pub(super) opening: Option<TalkOpening>,
    /// What it reads, if that is anything.
    pub(super) feed: Option<FeedSource>,
}

/// By what means a script is run.
pub(super) struct Means<'a> {
    /// The command that runs it.
    pub(super) interpreter: &'a str,
    /// As whom, when that is not the user who logged in.
    pub(super) raising: Option<Raising>,
    /// The script itself becomes that user for its one program.
    pub(super) by_program: bool,
    /// What it reads.
    pub(super) reads: Reads,
    /// On a terminal of the host.
    pub(super) terminal: bool,
    /// It tidies up when it is told to end, so it must hear of it, also where the server passes no signals on.
    pub(super) tidies: bool,
    /// What becomes of it when the connection goes away.
    pub(super) on_disconnect: OnDisconnect,
    /// Nobody may read the script in a list of processes.
    pub(super) confidential: bool,
}

/// What a script reads.
pub(super) enum Reads {
    /// Nothing.
    Nothing,
    /// This.
    Feed(FeedSource),
    /// Answers to what it asks.
    Answers(Vec<TalkAnswer>),
}

/// Composes the start of a script.
///
/// A command that runs as another user cannot be signalled by the user who logged in, so a watchdog of its own user
/// is put beside it. It needs the input for itself: with data to read, or on a terminal, there is none.
pub(super) fn prepare(means: Means<'_>, script: &str, token: Token) -> Result<Prepared, Failure> {
    let reads = !matches!(means.reads, Reads::Nothing) || means.terminal;
    let input = match (reads, means.on_disconnect) {
        (true, _) => Input::Given,
        // A watchdog of the user who logged in can end nothing there.
        (false, _) if means.by_program => Input::Empty,
        (false, OnDisconnect::Kill) => Input::Watched(Orphaned::Ends),
        (false, OnDisconnect::Leave) if means.raising.is_some() || means.tidies => {
            Input::Watched(Orphaned::Stays)
        }
        (false, OnDisconnect::Leave) => Input::Empty,
    };
    let privilege = means.raising.as_ref().map(Raising::privilege);
    let first =
        privilege.as_ref().filter(|_| means.by_program).map(|privilege| privilege.authenticates(&token));
    let first = first.transpose().map_err(|error| unusable(&error))?.unwrap_or_default();
    let launch = Launch {
        interpreter: means.interpreter,
        script,
        token: &token,
        privilege: privilege.filter(|_| !means.by_program),
        first: &first,
        input,
        confidential: means.confidential,
        terminal: means.terminal,
    };
    let line = launch.line().map_err(|error| unusable(&error))?;
    let (mut answers, mut feed) = (Vec::new(), None);
    let (stdin, input) = match (input, means.raising.is_some() || line.typed.is_some()) {
        (Input::Empty, false) => (Stdin::Closed, OpenInput::None),
        (Input::Empty, true) => (Stdin::Open, OpenInput::Ends),
        (Input::Watched(_), false) => (Stdin::Held, OpenInput::None),
        (Input::Watched(_), true) => (Stdin::Open, OpenInput::Watchdog),
        (Input::Given, _) => match means.reads {
            Reads::Nothing => (Stdin::Open, OpenInput::Ends),
            Reads::Feed(source) => {
                feed = Some(source);
                (Stdin::Open, OpenInput::Fed)
            }
            Reads::Answers(given) => {
                answers = given;
                (Stdin::Open, OpenInput::Answers)
            }
        },
    };
    let terminal = means.terminal;
    let request = ExecRequest { line: Bytes::from(line.line), stdin, terminal, sent: Sent::default() };
    let opening = TalkOpening { token, raising: means.raising, typed: line.typed, input, terminal, answers };
    Ok(Prepared { request, opening: Some(opening), feed })
}

/// The start of a script that does nothing but print its marks.
pub(super) fn nothing(raising: Option<Raising>) -> Result<Prepared, Failure> {
    let token = Token::new(rand::random());
    let prelude = Prelude { token: Some(&token), ..Prelude::default() };
    let script = shell::task_script(&prelude, ":").map_err(|error| unusable(&error))?;
    let means = Means {
        interpreter: "sh",
        raising,
        by_program: false,
        reads: Reads::Nothing,
        terminal: false,
        tidies: false,
        on_disconnect: OnDisconnect::Leave,
        confidential: false,
    };
    prepare(means, &script, token)
}

/// Whether a script holds what is not for everybody: a secret in any spelling, or anything of a step that is one.
pub(super) fn is_confidential<C: Connector>(cx: &StepCx<'_, C>, script: &str) -> bool {
    cx.step.shown == Shown::StatusOnly || cx.tools.sink.hides(script)
}

/// What a step's command reads.
pub(super) fn reads<C: Connector>(cx: &StepCx<'_, C>) -> Result<Reads, Failure> {
    let (render, Dialogue { stdin, pty: _, respond }) = (cx.render(), &cx.step.dialogue);
    match stdin {
        Some(InputText::Own(text)) => {
            return Ok(Reads::Feed(FeedSource::Text(Bytes::from(render.text(text)?))));
        }
        Some(InputText::OfRun) => {
            let input = cx.tools.input.as_ref().map(Arc::clone);
            return Ok(input.map_or(Reads::Nothing, |input| Reads::Feed(FeedSource::Run(input))));
        }
        None => {}
    }
    if respond.is_empty() {
        return Ok(Reads::Nothing);
    }
    let answer = |respond: &Respond| {
        let prompt = Regex::new(&respond.prompt.value)
            .map_err(|error| Failure::new(Kind::Template, format!("\"prompt\": {error}")))?;
        let text = Bytes::from(render.text(&respond.answer)? + "\n");
        Ok(TalkAnswer { prompt, text, times: respond.times })
    };
    respond.iter().map(answer).collect::<Result<_, Failure>>().map(Reads::Answers)
}

/// The text of a command, rendered, and its own lines when it is a script.
pub(super) fn body(render: Render<'_>, command: &Command) -> Result<(String, usize), Failure> {
    match command {
        Command::Raw(line) => Ok((line.to_string(), 0)),
        Command::Script(script) => {
            let body = render.script(script)?;
            let lines = body.lines().count();
            Ok((body, lines))
        }
        Command::Argv(words) | Command::Program(words) => {
            let line = format!("exec {}", words_of(render, words)?);
            Ok((line, 0))
        }
    }
}

/// The words of a program and its arguments, quoted.
pub(super) fn words_of(render: Render<'_>, words: &[TemplateText]) -> Result<String, Failure> {
    let words = words.iter().map(|word| render.text(word)).collect::<Result<Vec<_>, _>>()?;
    shell::argv_words(&words).map_err(|error| unusable(&error))
}

/// The script around a body: folder and environment set up before it, and the marks of this token.
pub(super) fn script<C: Connector>(
    cx: &StepCx<'_, C>,
    body: &str,
    folder: Option<&str>,
    token: &Token,
) -> Result<String, Failure> {
    let mut env = identity(cx);
    env.extend(cx.place.env.iter().cloned());
    for (name, value) in &cx.step.env {
        env.push((name.clone(), cx.render().text(value)?));
    }
    let prelude = Prelude { cd: folder, env: &env, token: Some(token) };
    shell::task_script(&prelude, body).map_err(|error| unusable(&error))
}

/// Where a script ended, for a message: its own text of that line, never what was filled in.
///
/// Nothing for a script of one line, which the step's title shows.
pub(super) fn ended_at(command: &Command, lines: usize, line: Option<u32>) -> Option<String> {
    let Command::Script(script) = command else { return None };
    let (number, text) = (usize::try_from(line?).ok()?, &script.value);
    if lines < 2 || number == 0 || number > lines {
        return None;
    }
    // Values with lines of their own, and blocks that are left out, move the lines behind them.
    if text.lines().count() != lines || text.contains("{%") || text.contains("{#") {
        return Some(format!(" at line {number} of the rendered script"));
    }
    let written = text.lines().nth(number - 1)?.trim();
    // Only a block scalar has the lines of its file, and only its text ends with a line end.
    let place = match &script.position {
        at if at.line > 0 && text.ends_with('\n') => {
            format!(" ({}:{})", at.file, at.line as usize + number - 1)
        }
        _ => String::new(),
    };
    Some(format!(" at line {number}: {written}{place}"))
}

/// A command that no shell can be given.
pub(super) fn unusable(error: &ShellError) -> Failure {
    Failure::new(Kind::Template, error.to_string())
}

/// What every command may know of its run.
fn identity<C: Connector>(cx: &StepCx<'_, C>) -> Vec<(String, String)> {
    let roles: Vec<&str> = cx.host.roles.iter().map(|role| role.as_str()).collect();
    let own = |name: &str, value: String| (name.to_owned(), value);
    vec![
        own("FAN_HOST", cx.host.endpoint.name.to_string()),
        own("FAN_ROLES", roles.join(",")),
        own("FAN_TASK", cx.task.name.to_string()),
        own("FAN_RUN_ID", cx.plan.run.to_string()),
        own("FAN_INDEX", cx.position.to_string()),
        own("FAN_COUNT", cx.task.hosts.len().to_string()),
    ]
}

/// The outcome of a step whose command has ended.
///
/// `at` tells where its script ended.
pub(super) fn outcome(finished: Finished, success: StepStatus, at: Option<String>) -> StepResult {
    let mut result = StepResult::of(success);
    let not_begun = match &finished.ended {
        Ended::NotStarted(_) => true,
        Ended::Stopped { cause, confirmed } => *confirmed && *cause == StopCause::NotStarted,
        // Its folder cannot be entered.
        Ended::Exited { exit: Exit::Status(_), .. } => finished.no_folder,
        Ended::Exited { exit: Exit::Signal(_), .. } | Ended::NoStatus | Ended::Lost(_) | Ended::Left => false,
    };
    let notes: Vec<String> = notes(&finished).collect();
    let missing = finished.link.cut || finished.link.dropped > 0;
    result.cut = missing || matches!(finished.ended, Ended::Exited { rest: Rest::Cut(_), .. });
    let outcome = &mut result.outcome;
    outcome.note = (!notes.is_empty()).then(|| notes.join("; "));
    match finished.ended {
        Ended::Exited { exit: Exit::Status(0), rest: Rest::Whole | Rest::HeldOpen } => {
            outcome.exit = Some(Exit::Status(0));
        }
        Ended::Exited { exit: Exit::Status(0), rest: Rest::Cut(failure) } => {
            outcome.status = StepStatus::Unknown;
            let known = "the command had ended with exit status 0, and the rest of its output is missing";
            outcome.failure = Some(failure.and(known));
            outcome.exit = Some(Exit::Status(0));
        }
        Ended::Exited { exit, rest: _ } => {
            outcome.status = StepStatus::Failed;
            outcome.failure = Some(match &exit {
                // Never read as an answer of the script, whatever `ok_codes` holds.
                Exit::Status(_) if finished.no_folder => {
                    Failure::new(Kind::RemotePath, "cannot enter the working folder (`cd`)")
                }
                Exit::Status(status) => {
                    let at = at.unwrap_or_default();
                    Failure::new(Kind::Exit, format!("exit status {status}{at}"))
                }
                Exit::Signal(name) => Failure::new(Kind::Signal, format!("killed by signal {name}")),
            });
            outcome.exit = Some(exit);
        }
        Ended::NotStarted(failure) => {
            result.refused = true;
            outcome.status = StepStatus::Failed;
            outcome.failure = Some(failure);
        }
        Ended::NoStatus => {
            outcome.status = StepStatus::Unknown;
            outcome.failure = Some(Failure::new(
                Kind::ConnectionLost,
                "the channel closed without an exit status: how the command ended is unknown",
            ));
        }
        Ended::Left => {
            outcome.status = StepStatus::Ok;
            outcome.note = Some("started, and goes on there".to_owned());
        }
        Ended::Lost(failure) => {
            outcome.status = StepStatus::Unknown;
            outcome.may_still_run = true;
            outcome.failure = Some(failure);
        }
        Ended::Stopped { cause, confirmed } => {
            outcome.may_still_run = !confirmed;
            let mut failure = stopped(cause, confirmed, finished.broken_input);
            if !finished.begun {
                failure = failure.and("the login had not started the command");
            }
            outcome.failure = Some(failure);
            outcome.status = match cause {
                StopCause::Timeout(_) | StopCause::Idle(_) | StopCause::NotStarted | StopCause::Input => {
                    StepStatus::Failed
                }
                StopCause::Cancelled(_) => StepStatus::Cancelled,
            };
        }
    }
    result.stdout = finished.stdout;
    result.stderr = finished.stderr;
    if not_begun { result } else { result.begun() }
}

/// What is to be said of a command besides how it ended.
fn notes(finished: &Finished) -> impl Iterator<Item = String> {
    let bytes = finished.noise;
    let noise = (finished.begun && bytes > 0)
        .then(|| format!("ignored {} that the login printed before the command", counted(bytes, "byte")));
    let rest = match &finished.ended {
        Ended::Exited { rest: Rest::HeldOpen, .. } => {
            Some("a process that it left behind holds its output open; later output is not read")
        }
        Ended::Exited { exit, rest: Rest::Cut(_) } if *exit != Exit::Status(0) => {
            Some("the end of its output was not seen")
        }
        Ended::Exited { .. }
        | Ended::NoStatus
        | Ended::NotStarted(_)
        | Ended::Lost(_)
        | Ended::Left
        | Ended::Stopped { .. } => None,
    };
    let ended = match &finished.ended {
        Ended::Exited { .. } | Ended::NoStatus => true,
        Ended::NotStarted(_) | Ended::Lost(_) | Ended::Left | Ended::Stopped { .. } => false,
    };
    // That it wanted no more is no failure by itself, as in a pipe.
    let unread = finished.left_at.filter(|_| ended).map(|written| {
        format!("it ended before all of its input was sent, after {}", counted(written, "byte"))
    });
    let LinkStory { away, dropped, cut } = &finished.link;
    let away =
        away.map(|away| format!("reattached: the connection was gone for {}", duration::show_whole(away)));
    let bytes = *dropped;
    let dropped = (bytes > 0)
        .then(|| format!("the host had to drop the oldest {} of its output", counted(bytes, "byte")));
    let cut = cut.then(|| "the host had no room for the rest of its output".to_owned());
    noise.into_iter().chain(rest.map(str::to_owned)).chain(unread).chain(away).chain(dropped).chain(cut)
}

fn stopped(cause: StopCause, confirmed: bool, input: Option<Failure>) -> Failure {
    let show = |limit: Duration| duration::show(limit);
    let failure = match cause {
        StopCause::Input => input.unwrap_or_else(|| Failure::new(Kind::LocalIo, "its input broke off")),
        StopCause::Timeout(limit) => Failure::new(
            Kind::Timeout,
            format!("still running after {}", show(limit)),
        )
        .hint(if confirmed {
            "raise the step's `timeout`, or -T"
        } else {
            "raise the step's `timeout`, or -T; where a server passes no signals on, `on_disconnect: kill` ends commands"
        }),
        StopCause::Idle(limit) => Failure::new(Kind::Idle, format!("silent for {}", show(limit)))
            .hint("raise the host's `idle_timeout`"),
        StopCause::Cancelled(reason) => interrupted(reason),
        StopCause::NotStarted => Failure::new(Kind::ExecRefused, "the command was not started"),
    };
    failure.and(if confirmed { "ended" } else { "it may still be running there" })
}
