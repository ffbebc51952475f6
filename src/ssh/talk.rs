//! What fan and a command's shell say to each other around the output: marks, passwords, input.
//!
//! A state machine without time and without a connection: it is given what was heard, and gives what is output and
//! what is to be done. Whatever it sends is sent once its own mark was seen, so that a program of the login, or
//! one that prints what prompts look like, gets nothing.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use regex::Regex;

use crate::event::Stream;
use crate::model::outcome::{Exit, Failure, Kind};
use crate::model::privilege::{PrivilegeRefusal, Raising};
use crate::model::shell::marks::{Mark, Scan, Token};
use crate::model::text::ending;

/// How long a program that changes the user may take to ask for a password, and to begin after the answer.
pub const PROMPT: Duration = Duration::from_secs(20);

/// Bytes of what was said instead of the start that a message repeats.
const LONGEST_SAID: usize = 400;

/// What a command's start takes.
pub struct TalkOpening {
    /// The token of its marks.
    pub token: Token,
    /// As whom it runs, when that takes more than the login.
    pub raising: Option<Raising>,
    /// What its shell reads at [`Mark::Ready`].
    pub typed: Option<String>,
    /// What becomes of its input once it has begun.
    pub input: OpenInput,
    /// It is on a terminal: standard error comes with standard output.
    pub terminal: bool,
    /// What it is answered once it has begun; its input has to be [`OpenInput::Answers`].
    pub answers: Vec<TalkAnswer>,
}

/// An answer to what a command asks.
#[derive(Clone)]
pub struct TalkAnswer {
    /// What the question looks like, without colours and the like.
    pub prompt: Regex,
    /// The answer, with its line end.
    pub text: Bytes,
    /// How often it may still be given.
    pub times: u32,
}

/// What becomes of the input of a command that has begun.
#[derive(Clone, PartialEq, Eq)]
pub enum OpenInput {
    /// It was closed from the start, or a watchdog has been reading it since.
    None,
    /// It ends.
    Ends,
    /// A watchdog reads it.
    Watchdog,
    /// It is fed.
    Fed,
    /// It is what is answered, and ends when nothing is left to answer.
    Answers,
}

/// What is to be done about what was heard.
#[derive(Debug, PartialEq, Eq)]
pub enum Deed {
    /// Write this to its input.
    Send(Bytes),
    /// Close its input.
    End,
    /// Feed it from now on.
    Feed,
    /// A watchdog reads its input from now on.
    Hold,
    /// Give it up: it was not started, and this is why.
    Refuse(Failure),
}

/// The conversation around one command.
pub struct Talk {
    stdout: Scan,
    stderr: Scan,
    raising: Option<Raising>,
    typed: Option<String>,
    input: OpenInput,
    terminal: bool,
    /// A program that prompts in its own words has the floor.
    asking: bool,
    /// The password was sent.
    answered: bool,
    started: bool,
    line: Option<u32>,
    no_folder: bool,
    answers: Vec<TalkAnswer>,
    /// What was printed since the last question, on each stream.
    asked: [Vec<u8>; 2],
}

/// Bytes of a stream in which a question is looked for.
const MAX_QUESTION: usize = 8 * 1024;

impl Talk {
    /// The conversation of a command that is being started.
    pub fn new(opening: TalkOpening) -> Self {
        let scan = || Scan::new(&opening.token);
        Self {
            stdout: scan(),
            stderr: scan(),
            raising: opening.raising,
            typed: opening.typed,
            input: opening.input,
            terminal: opening.terminal,
            asking: false,
            answered: false,
            started: false,
            line: None,
            no_folder: false,
            answers: opening.answers,
            asked: [Vec::new(), Vec::new()],
        }
    }

    /// Takes what was heard; gives the command's own output in it, and what is to be done, in order.
    pub fn hear(&mut self, stream: Stream, data: Bytes) -> (Bytes, Vec<Deed>) {
        let talks = stream == Stream::Stderr || self.terminal;
        let scan = match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        };
        let scanned = scan.push(&data);
        if !talks {
            scan.only_start();
        }
        let mut deeds = Vec::new();
        for mark in scanned.marks {
            self.note(&mark, talks, &mut deeds);
        }
        let output = match scanned.output {
            Cow::Borrowed(_) => data,
            Cow::Owned(output) => Bytes::from(output),
        };
        if talks && self.asking && !self.started && self.prompted() {
            self.answer(&mut deeds);
        }
        if self.started {
            self.reply(stream, &output, &mut deeds);
        }
        (output, deeds)
    }

    /// Answers what a command that has begun asks. Each question is answered once: what was looked at is forgotten.
    fn reply(&mut self, stream: Stream, output: &[u8], deeds: &mut Vec<Deed>) {
        let [out, err] = &mut self.asked;
        let asked = if stream == Stream::Stdout { out } else { err };
        if self.answers.is_empty() || output.is_empty() {
            return;
        }
        asked.extend_from_slice(output);
        let surplus = asked.len().saturating_sub(MAX_QUESTION);
        asked.drain(..surplus);
        let text = plain(asked);
        let Some(answer) = self.answers.iter_mut().find(|answer| answer.prompt.is_match(&text)) else {
            return;
        };
        asked.clear();
        deeds.push(Deed::Send(answer.text.clone()));
        answer.times = answer.times.saturating_sub(1);
        self.answers.retain(|answer| answer.times > 0);
        if self.answers.is_empty() && !self.terminal {
            deeds.push(Deed::End);
        }
    }

    /// What was held back of a stream that has ended.
    pub fn finish(&mut self, stream: Stream) -> Bytes {
        Bytes::from(match stream {
            Stream::Stdout => self.stdout.finish(),
            Stream::Stderr => self.stderr.finish(),
        })
    }

    fn note(&mut self, mark: &Mark, talks: bool, deeds: &mut Vec<Deed>) {
        match mark {
            Mark::Start if !self.started => {
                self.started = true;
                self.begin(deeds);
            }
            Mark::Line(line) if self.started => self.line = Some(*line),
            Mark::NoFolder if self.started => self.no_folder = true,
            // A command that has begun is told nothing more, whatever it prints.
            Mark::Ready if talks && !self.started => {
                deeds.extend(self.typed.take().map(|typed| Deed::Send(Bytes::from(typed))));
            }
            Mark::Asks if talks && !self.started => self.asking = true,
            Mark::Password if talks && !self.started => self.answer(deeds),
            Mark::Start | Mark::Line(_) | Mark::NoFolder | Mark::Ready | Mark::Asks | Mark::Password => {}
        }
    }

    /// The command has begun.
    fn begin(&mut self, deeds: &mut Vec<Deed>) {
        match std::mem::replace(&mut self.input, OpenInput::None) {
            OpenInput::None | OpenInput::Answers => {}
            OpenInput::Ends => deeds.push(Deed::End),
            OpenInput::Watchdog => deeds.push(Deed::Hold),
            OpenInput::Fed => deeds.push(Deed::Feed),
        }
    }

    /// Whether the last that was said is a prompt in words of its own.
    fn prompted(&self) -> bool {
        let scan = if self.terminal { &self.stdout } else { &self.stderr };
        self.raising.as_ref().is_some_and(|raising| raising.privilege().is_prompt(scan.said()))
    }

    /// A password was asked for.
    fn answer(&mut self, deeds: &mut Vec<Deed>) {
        let Some(raising) = &self.raising else { return };
        let scan = if self.terminal { &mut self.stdout } else { &mut self.stderr };
        // The same prompt is not to be seen twice.
        scan.forget();
        deeds.push(match &raising.password {
            _ if self.answered => Deed::Refuse(raising.privilege().password_wrong()),
            None => Deed::Refuse(raising.privilege().password_missing()),
            Some(password) => {
                self.answered = true;
                Deed::Send(Bytes::from(format!("{}\n", password.reveal())))
            }
        });
    }

    /// Whether the command itself has begun.
    pub fn started(&self) -> bool {
        self.started
    }

    /// Whether the command's own output has begun on this stream.
    pub fn has_begun(&self, stream: Stream) -> bool {
        match stream {
            Stream::Stdout => self.stdout.started(),
            Stream::Stderr => self.stderr.started(),
        }
    }

    /// How long the start may take.
    pub fn patience(&self) -> Option<Duration> {
        (self.raising.is_some() && !self.started).then_some(PROMPT)
    }

    /// The input is read as a password: a watchdog's line would be taken for one.
    pub fn is_raising(&self) -> bool {
        self.raising.is_some() && !self.started
    }

    /// The line at which the script ended.
    pub fn line(&self) -> Option<u32> {
        self.line
    }

    /// The folder to run in could not be entered: nothing of the script ran.
    pub fn no_folder(&self) -> bool {
        self.no_folder
    }

    /// How much was said before the start by programs that nobody asked.
    pub fn noise(&self) -> u64 {
        if self.raising.is_some() { 0 } else { self.stdout.noise() + self.stderr.noise() }
    }

    /// Why the command did not begin.
    pub fn verdict(&self, exit: Option<&Exit>) -> Failure {
        let text = |scan: &Scan| scan.said_text().trim().to_owned();
        let (said, printed) = (text(&self.stderr), text(&self.stdout));
        let said = if said.is_empty() { printed } else { said };
        if let Some(raising) = &self.raising {
            return raising.privilege().refused(PrivilegeRefusal { said: &said, answered: self.answered });
        }
        let ended = match exit {
            Some(Exit::Status(status)) => format!(" (exit status {status})"),
            Some(Exit::Signal(name)) => format!(" (killed by signal {name})"),
            None => String::new(),
        };
        let last = ending(said.lines().last().unwrap_or_default().trim().as_bytes(), LONGEST_SAID);
        let told = if last.is_empty() { String::new() } else { format!(": it said {last:?}") };
        Failure::new(Kind::ExecRefused, format!("the host's shell did not start the command{told}{ended}"))
            .hint("is the host's `shell` installed, and the login shell one that takes commands? `fan exec` hands it a line as it is")
    }

    /// Nothing asked for a password, and nothing began.
    pub fn overdue(&self) -> Failure {
        let program = self.raising.as_ref().map_or("the shell", |raising| raising.method.as_str());
        let what = if self.answered { "accept the password" } else { "ask for a password" };
        // It may have said why before it fell silent: an account that is expired, a second factor.
        let scan = if self.terminal { &self.stdout } else { &self.stderr };
        let said = scan.said_text();
        let last = ending(said.trim().lines().last().unwrap_or_default().trim().as_bytes(), LONGEST_SAID);
        let told = if last.is_empty() { String::new() } else { format!(": it said {last:?}") };
        Failure::new(
            Kind::Timeout,
            format!("{program} did not {what} or start the command within {} s{told}", PROMPT.as_secs()),
        )
        .hint("does the host's own login service (LDAP, a second factor) respond?")
    }
}

/// A text without what moves cursors and changes colours.
fn plain(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            '\u{1b}' => match rest.next() {
                // ECMA-48: parameters and intermediates up to a final byte.
                Some('[') => drop(rest.find(|c| ('@'..='~').contains(c))),
                // A title, up to BEL or ST.
                Some(']') => {
                    let ends_in_two = rest.find(|c| matches!(c, '\u{7}' | '\u{1b}')) == Some('\u{1b}');
                    rest.by_ref().take(usize::from(ends_in_two)).for_each(drop);
                }
                _ => {}
            },
            '\n' | '\t' => plain.push(c),
            c if c.is_control() => {}
            c => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
mod tests;
