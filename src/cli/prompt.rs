//! Asks a person on the terminal: for a secret without showing what is typed, or for a line.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Read, Write};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios};
use zeroize::{Zeroize, Zeroizing};

use crate::cli::process;
use crate::cli::tty::{Changed, TtyKeeper};
use crate::model::secret::Secret;
use crate::model::text::{self, Sgr};

/// Bytes of a secret that can be typed.
const MAX_TYPED: usize = 1024;

/// Someone who answers questions.
pub(super) trait Prompter {
    /// Asks for a secret.
    ///
    /// # Errors
    ///
    /// Nobody is there, or they would rather stop.
    fn ask(&mut self, question: &str) -> Result<Secret, PromptError>;
}

/// Someone whose answers are remembered: the same question is asked once.
pub(super) struct Remembering {
    answers: HashMap<String, Secret>,
}

impl Remembering {
    /// The person at the terminal, who has not answered anything yet.
    pub(super) fn new() -> Self {
        Self { answers: HashMap::new() }
    }
}

impl Prompter for Remembering {
    fn ask(&mut self, question: &str) -> Result<Secret, PromptError> {
        if let Some(answer) = self.answers.get(question) {
            return Ok(answer.clone());
        }
        let answer = PromptTerminal.ask(question)?;
        self.answers.insert(question.to_owned(), answer.clone());
        Ok(answer)
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum PromptError {
    /// There is no terminal, so nobody to ask.
    NoTerminal,
    /// Ctrl-C, Ctrl-D, or the terminal is gone.
    Interrupted,
    /// The terminal does not work.
    Io(io::Error),
}

/// The person at the terminal that this process was started from, wherever its streams go.
pub(super) struct PromptTerminal;

impl Prompter for PromptTerminal {
    fn ask(&mut self, question: &str) -> Result<Secret, PromptError> {
        self.open()?.ask_secret(question, None)
    }
}

impl PromptTerminal {
    /// Finds the person.
    ///
    /// # Errors
    ///
    /// Nobody is there.
    pub(super) fn open(&self) -> Result<OpenTerminal, PromptError> {
        // A process whose streams are all elsewhere is someone's child, even where it inherited a terminal:
        // a question there would be a surprise, and a wait for ever.
        let streams = [io::stdin().is_terminal(), io::stdout().is_terminal(), io::stderr().is_terminal()];
        if !streams.contains(&true) {
            return Err(PromptError::NoTerminal);
        }
        let terminal = OpenOptions::new().read(true).write(true).open("/dev/tty");
        terminal.map(OpenTerminal).map_err(|_| PromptError::NoTerminal)
    }
}

/// Whether there is a person to ask.
pub(super) fn is_interactive() -> bool {
    PromptTerminal.open().is_ok()
}

/// A terminal to ask on.
pub(super) struct OpenTerminal(File);

impl OpenTerminal {
    /// Asks for a secret, until an answer is not wanted any more.
    ///
    /// # Errors
    ///
    /// They would rather stop, or the answer is not wanted any more.
    pub(super) fn ask_secret(
        &self,
        question: &str,
        moot: Option<&dyn Fn() -> bool>,
    ) -> Result<Secret, PromptError> {
        let quiet =
            Changed::new(&self.0, OptionalActions::Flush, keeper(moot), quiet).map_err(PromptError::Io)?;
        // Asked when nothing is shown any more, so that an answer that comes at once is not shown either.
        self.show(question).map_err(PromptError::Io)?;
        let answer = read_line(&mut Patient::new(self, question, moot));
        drop(quiet);
        (&self.0).write_all(b"\n").map_err(PromptError::Io)?;
        answer
    }

    /// Asks for a line that is shown while it is typed.
    ///
    /// # Errors
    ///
    /// They would rather stop, or the answer is not wanted any more.
    pub(super) fn ask_line(
        &self,
        question: &str,
        moot: Option<&dyn Fn() -> bool>,
    ) -> Result<String, PromptError> {
        // What was typed before the question was there answers something else.
        let fresh =
            Changed::new(&self.0, OptionalActions::Flush, keeper(moot), |_| {}).map_err(PromptError::Io)?;
        self.show(question).map_err(PromptError::Io)?;
        let answer = read_line(&mut Patient::new(self, question, moot));
        drop(fresh);
        if answer.is_err() {
            (&self.0).write_all(b"\n").map_err(PromptError::Io)?;
        }
        answer.map(|line| line.reveal().to_owned())
    }

    fn show(&self, question: &str) -> io::Result<()> {
        let lines = question.lines().map(|line| text::sanitize(line.as_bytes(), Sgr::Escape));
        let question = lines.collect::<Vec<_>>().join("\n");
        (&self.0).write_all(format!("{question}: ").as_bytes())
    }
}

/// Whoever would notice that an answer is not wanted puts the terminal right when fan is to stop.
fn keeper(moot: Option<&dyn Fn() -> bool>) -> TtyKeeper {
    if moot.is_some() { TtyKeeper::Itself } else { TtyKeeper::Nobody }
}

/// A terminal that is read as long as the answer is wanted.
struct Patient<'t> {
    terminal: &'t OpenTerminal,
    question: &'t str,
    moot: Option<&'t dyn Fn() -> bool>,
    /// How often the process was stopped when the question was shown.
    stops: usize,
}

impl<'t> Patient<'t> {
    fn new(terminal: &'t OpenTerminal, question: &'t str, moot: Option<&'t dyn Fn() -> bool>) -> Self {
        Self { terminal, question, moot, stops: process::stops() }
    }
}

impl Read for Patient<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        /// How often to look whether the answer is still wanted.
        const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
        loop {
            if self.moot.is_some_and(|moot| moot()) {
                // The end of the input, to whoever reads.
                return Ok(0);
            }
            let stops = process::stops();
            if stops != std::mem::replace(&mut self.stops, stops) {
                // The shell has written below it, and what was typed is lost.
                self.terminal.show(self.question)?;
                if let Some(first) = buffer.first_mut() {
                    *first = CTRL_U;
                    return Ok(1);
                }
            }
            let mut ready = [PollFd::new(&self.terminal.0, PollFlags::IN)];
            match rustix::event::poll(&mut ready, Some(&LOOK)) {
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                Ok(_) => return (&self.terminal.0).read(buffer),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Makes the terminal show nothing.
///
/// Ctrl-C is read as a byte, as it declines this question and may be meant for no more than that. Ctrl-\ and Ctrl-Z are
/// signals, to the whole job as everywhere else: whoever looks after the terminal restores it before they are obeyed.
fn quiet(modes: &mut Termios) {
    modes.local_modes.remove(LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON);
    modes.local_modes.insert(LocalModes::ISIG);
    modes.special_codes[SpecialCodeIndex::VINTR] = NO_KEY;
}

/// No key at all (`_POSIX_VDISABLE`).
const NO_KEY: u8 = if cfg!(target_os = "linux") { 0 } else { 0xff };

/// Takes back what was typed so far.
const CTRL_U: u8 = 0x15;

/// Reads what is typed up to the end of the line.
fn read_line(input: &mut impl Read) -> Result<Secret, PromptError> {
    let mut line = PromptLine::default();
    loop {
        let mut byte = [0];
        match input.read(&mut byte) {
            Ok(0) => return Err(PromptError::Interrupted),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(PromptError::Io(error)),
        }
        let typed = line.typed(byte.first().copied().unwrap_or_default());
        byte.zeroize();
        match typed {
            TypedKey::More => {}
            TypedKey::Interrupted => return Err(PromptError::Interrupted),
            TypedKey::Done => {
                let text = std::str::from_utf8(&line.bytes)
                    .map_err(|_| PromptError::Io(io::Error::other("the input is not UTF-8")))?;
                return Ok(Secret::new(text));
            }
        }
    }
}

/// A line under construction: as much of a terminal's line editing as a hidden line needs.
struct PromptLine {
    bytes: Zeroizing<Vec<u8>>,
}

impl Default for PromptLine {
    fn default() -> Self {
        // All of it at once: a buffer that grows leaves copies behind.
        Self { bytes: Zeroizing::new(Vec::with_capacity(MAX_TYPED)) }
    }
}

/// What a key press led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TypedKey {
    More,
    Done,
    Interrupted,
}

impl PromptLine {
    fn typed(&mut self, byte: u8) -> TypedKey {
        const CTRL_C: u8 = 0x03;
        const CTRL_D: u8 = 0x04;
        const BACKSPACE: u8 = 0x08;
        const DELETE: u8 = 0x7f;
        match byte {
            b'\n' | b'\r' => return TypedKey::Done,
            CTRL_C => return TypedKey::Interrupted,
            CTRL_D if self.bytes.is_empty() => return TypedKey::Interrupted,
            CTRL_U => self.bytes.clear(),
            BACKSPACE | DELETE => {
                // A character of UTF-8 ends where a byte is no continuation.
                while self.bytes.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {}
            }
            _ if self.bytes.len() < MAX_TYPED => self.bytes.push(byte),
            _ => {}
        }
        TypedKey::More
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hidden_line_can_be_corrected() {
        for (typed, expected) in [
            (&b"hunter2\n"[..], Some("hunter2")),
            (b"hunter2\rrest", Some("hunter2")),
            (b"wrong\x15right\n", Some("right")),
            ("a\u{e9}\u{7f}b\u{7f}\u{7f}\u{7f}c\n".as_bytes(), Some("c")),
            (b"\n", Some("")),
            (b"half\x04\n", Some("half\x04")),
            (b"\x04", None),
            (b"half\x03\n", None),
            (b"half", None),
            (b"\xff\n", None),
        ] {
            let read = read_line(&mut &typed[..]).ok();
            assert_eq!(read.as_ref().map(Secret::reveal), expected, "{typed:?}");
        }
        let long = [b'x'].repeat(5000).into_iter().chain([b'\n']).collect::<Vec<u8>>();
        assert_eq!(read_line(&mut long.as_slice()).unwrap().reveal().len(), MAX_TYPED);
    }
}
