//! A pipe to a program that runs as another user, with everything printed before it started.

use std::time::Duration;

use crate::event::Stream;
use crate::model::outcome::{Exit, Failure};
use crate::model::privilege::Raising;
use crate::model::shell::login_shell_line;
use crate::model::shell::marks::{Mark, Token};
use crate::ssh::claim::ChannelClaim;
use crate::ssh::command::ExecEvent;
use crate::ssh::pipe::{Pipe, Program};
use crate::ssh::seam::Session;
use crate::ssh::talk::{Deed, OpenInput, PROMPT, Talk, TalkOpening};

/// Runs commands of a POSIX shell as another user, and returns the pipe to them once they have started.
///
/// # Errors
///
/// The host does not let that happen, or the connection is gone. Nothing of them was run then.
pub async fn pipe_as<S: Session>(
    session: &S,
    raising: &Raising,
    commands: &str,
    claim: ChannelClaim,
) -> Result<Pipe, Failure> {
    let token = Token::new(rand::random());
    let start = token.prints(&Mark::Start);
    let raised = raising.privilege().raise(&token, &format!("{start}; {start} >&2; {commands}"));
    let line = raised
        .and_then(|raised| login_shell_line("sh", &raised))
        .map_err(|error| Failure::new(crate::model::outcome::Kind::Template, error.to_string()))?;
    let program = Program::Line(line.into());
    let mut pipe = session.pipe_for(program, claim).await.map_err(|error| error.failure)?;
    let opening = TalkOpening {
        token,
        raising: Some(raising.clone()),
        typed: None,
        input: OpenInput::None,
        terminal: false,
        answers: Vec::new(),
    };
    match begin(&mut pipe, Talk::new(opening), PROMPT).await {
        Ok(()) => Ok(pipe),
        Err(failure) => {
            pipe.writer.close().await;
            Err(failure)
        }
    }
}

/// Talks until the program has begun on both streams. What it printed by then is put back.
async fn begin(pipe: &mut Pipe, mut talk: Talk, patience: Duration) -> Result<(), Failure> {
    let mut exit: Option<Exit> = None;
    let mut output = Vec::new();
    while !(talk.has_begun(Stream::Stdout) && talk.has_begun(Stream::Stderr)) {
        let next = tokio::time::timeout(patience, pipe.reader.next());
        let (stream, data) = match next.await.map_err(|_| talk.overdue())? {
            ExecEvent::Stdout(data) => (Stream::Stdout, data),
            ExecEvent::Stderr(data) => (Stream::Stderr, data),
            ExecEvent::Exit(ended) => {
                exit = Some(ended);
                continue;
            }
            ExecEvent::Closed => return Err(talk.verdict(exit.as_ref())),
            ExecEvent::Lost(failure) => return Err(failure),
        };
        let (data, deeds) = talk.hear(stream, data);
        for deed in deeds {
            match deed {
                // One that takes nothing more shows in what it says.
                Deed::Send(data) => drop(pipe.writer.send(data).await),
                Deed::Refuse(failure) => return Err(failure),
                Deed::End | Deed::Feed | Deed::Hold => {}
            }
        }
        if !data.is_empty() {
            output.push(match stream {
                Stream::Stdout => ExecEvent::Stdout(data),
                Stream::Stderr => ExecEvent::Stderr(data),
            });
        }
    }
    for stream in [Stream::Stdout, Stream::Stderr] {
        let held = talk.finish(stream);
        if !held.is_empty() {
            output.push(match stream {
                Stream::Stdout => ExecEvent::Stdout(held),
                Stream::Stderr => ExecEvent::Stderr(held),
            });
        }
    }
    output.extend(exit.map(ExecEvent::Exit));
    pipe.reader.put_back(output);
    Ok(())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::model::outcome::Kind;
    use crate::model::privilege::Method;
    use crate::model::secret::Secret;

    fn talk() -> Talk {
        let password = Some(Secret::new("pw"));
        let raising = Some(Raising { user: "root".to_owned(), method: Method::Sudo, password });
        let token = Token::new(7);
        Talk::new(TalkOpening {
            token,
            raising,
            typed: None,
            input: OpenInput::None,
            terminal: false,
            answers: Vec::new(),
        })
    }

    fn mark(word: &str) -> String {
        format!("fan-{}-{word}", Token::new(7).as_str())
    }

    #[tokio::test]
    async fn the_password_is_sent_and_what_came_early_is_read_after() {
        let (mut pipe, mut sent, telling) = Pipe::in_memory();
        let said = |text: String| Bytes::from(text);
        for event in [
            ExecEvent::Stdout(Bytes::from_static(b"motd\n")),
            ExecEvent::Stderr(said(mark("password:"))),
            ExecEvent::Stdout(said(mark("start\n") + "data f")),
            ExecEvent::Stderr(said(mark("start\n"))),
            ExecEvent::Closed,
        ] {
            telling.send(event).await.unwrap();
        }
        begin(&mut pipe, talk(), PROMPT).await.unwrap();
        assert_eq!(sent.recv().await.unwrap(), "pw\n");
        let mut rest = Vec::new();
        loop {
            match pipe.reader.next().await {
                ExecEvent::Stdout(data) => rest.extend_from_slice(&data),
                ExecEvent::Closed => break,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(rest, b"data f");
    }

    #[tokio::test]
    async fn one_that_does_not_begin_says_why() {
        let (mut pipe, _sent, telling) = Pipe::in_memory();
        for event in [
            ExecEvent::Stderr(Bytes::from_static(b"sudo: a password is required\n")),
            ExecEvent::Exit(Exit::Status(1)),
            ExecEvent::Closed,
        ] {
            telling.send(event).await.unwrap();
        }
        let failure = begin(&mut pipe, talk(), PROMPT).await.unwrap_err();
        assert_eq!(failure.kind, Kind::SudoPasswordMissing);
        let (mut pipe, _sent, _telling) = Pipe::in_memory();
        let failure = begin(&mut pipe, talk(), Duration::ZERO).await.unwrap_err();
        assert_eq!(failure.kind, Kind::Timeout);
    }
}
