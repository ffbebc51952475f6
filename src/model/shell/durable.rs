//! A command that outlives its connection, on the host's side: the POSIX shell that starts it apart from its connection,
//! keeps its output in a spool, and sends that from any byte on. docs/design/durable.md has the whole.
//!
//! Owns the text of the scripts, the marks in spools and around them, and the orders that a follower takes.

use crate::model::outcome::Exit;
use crate::model::shell::cutter::{Cutter, Piece};
use crate::model::shell::error::ShellError;
use crate::model::shell::marks::Token;
use crate::model::shell::quote::single_quoted;
use crate::model::shell::spelling::octal;
use crate::model::shell::{login_shell_line, refuse_nul};

/// The longest script that stands on a job's command line. What is longer is typed to its shell, as what is secret is.
pub const MAX_SHOWN: usize = 8 * 1024;

/// Bytes of one order with a piece of input. A pipe takes so many whole, whoever else writes (POSIX, `PIPE_BUF`).
const MAX_PIECE: usize = 440;

/// Where spools are.
const PLACE: &str = include_str!("durable/place.sh");
const LAUNCH: &str = include_str!("durable/launch.sh");
const KEEPER: &str = include_str!("durable/keeper.sh");
const FOLLOW: &str = include_str!("durable/follow.sh");
const LIST: &str = include_str!("durable/list.sh");
const STOP: &str = include_str!("durable/stop.sh");
const COUNT: &str = include_str!("durable/count.sh");
const CLEAN: &str = include_str!("durable/clean.sh");
const BURY: &str = include_str!("durable/bury.sh");
const WITHDRAW: &str = include_str!("durable/withdraw.sh");

/// Who reads the line of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobShell {
    /// `sh`: the line is one of fan's own.
    Posix,
    /// The account's login shell.
    Login,
}

/// A place in the spool of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpoolPlace {
    /// The file, by the byte of the stream that it begins with.
    pub file: u64,
    /// The byte in that file.
    pub byte: u64,
}

/// A look at a job from here on.
#[derive(Clone, Copy, Debug)]
pub struct Follow<'a> {
    /// Which job.
    pub job: &'a JobFound,
    /// The token of the follower's first marks.
    pub token: &'a Token,
    /// Where in its standard output and standard error.
    pub from: [SpoolPlace; 2],
}

/// Which job is followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobFound {
    /// The one of this name.
    Named(String),
    /// The first whose name begins like this; only if it has ended, or whatever it does.
    Beginning {
        /// With what.
        prefix: String,
        /// Only one that has ended.
        ended: bool,
    },
}

/// What can be done about jobs, besides following one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobsDeed {
    /// They are listed.
    List,
    /// Those that ended are counted; nothing is said when there are none.
    Count,
    /// They are ended.
    Stop,
    /// What is kept of those that do not run is removed; if they ended so many minutes ago.
    Clean(Option<u64>),
}

impl JobsDeed {
    /// The script for `sh` that does it about all jobs whose names begin like this.
    pub fn script(self, prefix: &str) -> String {
        let (older, deed) = match self {
            Self::List => (None, LIST),
            Self::Count => (None, COUNT),
            Self::Stop => (None, STOP),
            Self::Clean(older) => (older, CLEAN),
        };
        let older = older.map_or_else(String::new, |minutes| minutes.to_string());
        let given = format!("_a= _n= _old={older}\n");
        let named = format!("_q={}\n", single_quoted(prefix));
        given + &bare(PLACE) + &bare(BURY) + &named + &bare(deed)
    }
}

/// Whether a text can be the beginning of a job's name.
pub fn is_job_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with('-')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// A job to be started, if there is none of its name yet.
#[derive(Clone, Copy, Debug)]
pub struct JobStart<'a> {
    /// The token of its marks.
    pub token: &'a Token,
    /// What it is, for a list of jobs; nothing of it may be secret.
    pub title: &'a str,
    /// Who reads its line.
    pub shell: JobShell,
    /// What it runs.
    pub line: &'a str,
    /// It has input; otherwise that is empty.
    pub fed: bool,
}

impl Follow<'_> {
    /// The line for the login shell that starts a job, unless there is one of this name, and follows it.
    ///
    /// # Errors
    ///
    /// The job's line is too long, or holds a NUL byte.
    pub fn start(&self, job: &JobStart<'_>) -> Result<String, ShellError> {
        refuse_nul("the command", job.line)?;
        let shell = match job.shell {
            JobShell::Posix => "sh",
            JobShell::Login => "${SHELL:-sh}",
        };
        let given = format!(
            "{}_w=new _t={} _x={shell} _i={} _m={} _l={} _k={}\n",
            self.given(),
            job.token.as_str(),
            if job.fed { "fed" } else { "" },
            single_quoted(&title(job.title)),
            single_quoted(job.line),
            single_quoted(&bare(KEEPER)),
        );
        login_shell_line("sh", &(given + &follower(LAUNCH)))
    }

    /// The line for the login shell that follows a job which is there.
    ///
    /// # Errors
    ///
    /// None in practice: the line is short.
    pub fn line(&self) -> Result<String, ShellError> {
        login_shell_line("sh", &(self.given() + "_w=\n" + &follower("")))
    }

    /// The line for the login shell that follows a job if it was started, and otherwise sees to it that it never is.
    ///
    /// # Errors
    ///
    /// None in practice: the line is short.
    pub fn withdrawal(&self) -> Result<String, ShellError> {
        login_shell_line("sh", &(self.given() + "_w=\n" + &follower(WITHDRAW)))
    }

    fn given(&self) -> String {
        let place = |place: SpoolPlace| format!("'{} {}'", place.file, place.byte);
        let [out, err] = self.from.map(place);
        let job = match self.job {
            JobFound::Named(name) => format!("_n={}", single_quoted(name)),
            JobFound::Beginning { prefix, ended } => {
                format!("_n= _q={} _ended={}", single_quoted(prefix), u8::from(*ended))
            }
        };
        format!("_a={} {job} _zo={out} _ze={err} ", self.token.as_str())
    }
}

/// What follows a job, after this.
fn follower(first: &str) -> String {
    [PLACE, BURY, first, FOLLOW].map(bare).concat()
}

/// A script without its comments.
fn bare(script: &str) -> String {
    let lines = script.lines().filter(|line| !line.starts_with('#'));
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// A title as one short line.
fn title(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(120).collect()
}

/// The name of a job: the run, the host and the step that it belongs to, and its number among those of that step. It is
/// plain to every shell, and the name of a file.
pub fn job_name(run: &str, host: &str, place: (usize, usize), number: usize) -> String {
    let mut name = format!("{run}.");
    for byte in host.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' => name.push(char::from(byte)),
            _ => name.push_str(&format!("_{byte:02x}")),
        }
    }
    format!("{name}.{}.{}-{number}", place.0, place.1)
}

/// Why a host has no job to follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpoolRefusal {
    /// The folder of spools cannot be made.
    Home,
    /// It belongs to somebody else.
    Owner,
    /// A spool cannot be made in it.
    Room,
    /// There are too many.
    Many,
    /// There is none of this name.
    Gone,
    /// The host was restarted since the job began.
    Rebooted,
    /// What kept the job was killed.
    Vanished,
    /// It has not ended.
    Running,
    /// It was not started, and will not be.
    Withdrawn,
}

/// How far a job is, as the host sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobState {
    /// Its keeper has not begun.
    Begins,
    /// It runs.
    Runs,
    /// It ended like this.
    Done(Exit),
    /// It is not there any more.
    Lost(SpoolRefusal),
}

/// What a spool, or who follows it, says between the output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpoolMark {
    /// The follower begins to speak on this stream.
    Start,
    /// There is nothing to follow.
    Refused(SpoolRefusal),
    /// The token of the job's own marks, and its name.
    Job(Token, String),
    /// What comes is at this place.
    At(SpoolPlace),
    /// This file of the stream is at its end, and goes on in that one.
    Next(u64),
    /// The job ended; all that it had written on this stream came before.
    Exit(Exit),
    /// The stream ended.
    End,
    /// The rest of the stream could not be kept.
    Cut,
    /// Its input has been taken up to this piece.
    Took(u64),
    /// How far it is.
    Is(JobState),
}

impl SpoolMark {
    fn read(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let mut words = text.split_ascii_whitespace();
        let (word, argument, second) = (words.next()?, words.next(), words.next());
        let number = |word: Option<&str>| word?.parse::<u64>().ok();
        Some(match word {
            "start" => Self::Start,
            "spool" => Self::Refused(refusal(argument?)?),
            "job" => Self::Job(Token::read(argument?)?, second?.to_owned()),
            "at" => Self::At(SpoolPlace { file: number(argument)?, byte: number(second)? }),
            "next" => Self::Next(number(argument)?),
            "exit" => Self::Exit(exit(argument?)?),
            "end" => Self::End,
            "cut" => Self::Cut,
            "took" => Self::Took(number(argument)?),
            "is" => Self::Is(match argument? {
                "begins" => JobState::Begins,
                "runs" => JobState::Runs,
                "done" => JobState::Done(exit(second?)?),
                other => JobState::Lost(refusal(other)?),
            }),
            _ => return None,
        })
    }

    /// Whether it stands in the spool itself, and is not said by who follows it.
    pub fn is_kept(&self) -> bool {
        match self {
            Self::Next(_) | Self::Exit(_) | Self::End | Self::Cut | Self::Took(_) => true,
            Self::Start | Self::Refused(_) | Self::Job(..) | Self::At(_) | Self::Is(_) => false,
        }
    }
}

/// An exit status, or the name of a signal.
fn exit(word: &str) -> Option<Exit> {
    if word.starts_with(|c: char| c.is_ascii_digit()) {
        return word.parse().ok().map(Exit::Status);
    }
    let is_name = word.bytes().all(|byte| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'+' | b'-'));
    is_name.then(|| Exit::Signal(word.to_owned()))
}

fn refusal(word: &str) -> Option<SpoolRefusal> {
    Some(match word {
        "home" => SpoolRefusal::Home,
        "owner" => SpoolRefusal::Owner,
        "room" => SpoolRefusal::Room,
        "many" => SpoolRefusal::Many,
        "gone" | "none" => SpoolRefusal::Gone,
        "rebooted" => SpoolRefusal::Rebooted,
        "vanished" => SpoolRefusal::Vanished,
        "running" => SpoolRefusal::Running,
        "withdrawn" => SpoolRefusal::Withdrawn,
        _ => return None,
    })
}

/// Finds the marks of one token in a stream, whatever its pieces are.
#[derive(Debug)]
pub struct SpoolScan(Cutter);

/// A part of a stream.
#[derive(Debug, PartialEq, Eq)]
pub enum SpoolPiece {
    /// Not a mark.
    Text(Vec<u8>),
    /// A mark, and its bytes in the stream.
    Mark(SpoolMark, usize),
}

impl SpoolScan {
    /// Finds the marks of this token.
    pub fn new(token: &Token) -> Self {
        Self(Cutter::new(token.prefix()))
    }

    /// Takes the next bytes.
    pub fn push(&mut self, data: &[u8]) -> Vec<SpoolPiece> {
        if self.0.is_text(data) {
            return if data.is_empty() { Vec::new() } else { vec![SpoolPiece::Text(data.to_vec())] };
        }
        let pieces = self.0.cut(data, SpoolMark::read);
        let pieces = pieces.into_iter().filter_map(|piece| match piece {
            Piece::Text(text) => Some(SpoolPiece::Text(text)),
            Piece::Mark(mark, length) => Some(SpoolPiece::Mark(mark?, length)),
        });
        pieces.collect()
    }

    /// The text in the next bytes, without marks of any kind.
    pub fn text(&mut self, data: &[u8]) -> Vec<u8> {
        let pieces = self.0.cut(data, |_| Some(()));
        let text = pieces.into_iter().filter_map(|piece| match piece {
            Piece::Text(text) => Some(text),
            Piece::Mark(..) => None,
        });
        text.flatten().collect()
    }

    /// Gives up what is held back.
    pub fn take_held(&mut self) -> Vec<u8> {
        self.0.take_held()
    }
}

/// Something that a follower is told to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobOrder {
    /// Send a stream, 0 or 1, from this file on.
    Send(usize, u64),
    /// Send TERM to the job's group.
    Term,
    /// Send KILL to it.
    Kill,
    /// Say how far it is.
    Look,
    /// Remove the spools of all jobs of its step, and end.
    Clean,
    /// The same, but leave their names: a start may be on its way that nobody waits for.
    Bury,
    /// Hand a piece of input on.
    Input(u64, InputPiece),
}

/// A piece of input, as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputPiece {
    /// These bytes.
    Data(Vec<u8>),
    /// Say that all before it was taken.
    Ask,
    /// Its end.
    End,
}

impl JobOrder {
    /// The line that gives it.
    pub fn line(&self) -> String {
        match self {
            Self::Send(stream, file) => format!("{} {file} 0\n", if *stream == 0 { "out" } else { "err" }),
            Self::Term => "term\n".to_owned(),
            Self::Kill => "kill\n".to_owned(),
            Self::Look => "look\n".to_owned(),
            Self::Clean => "clean\n".to_owned(),
            Self::Bury => "bury\n".to_owned(),
            Self::Input(number, InputPiece::Data(data)) => {
                // Blanks at the end of a line are not read.
                format!("i {number} d{}\n", octal(data).replace(' ', "\\0040"))
            }
            Self::Input(number, InputPiece::Ask) => format!("i {number} a\n"),
            Self::Input(number, InputPiece::End) => format!("i {number} z\n"),
        }
    }

    /// Bytes in pieces that orders can hold.
    pub fn pieces(data: &[u8]) -> impl Iterator<Item = InputPiece> + '_ {
        data.chunks(MAX_PIECE / 5).map(|chunk| InputPiece::Data(chunk.to_vec()))
    }
}

#[cfg(test)]
mod tests;
