//! What fan's own lines on a host tell it in between the output: that the login is over and the command begins, that
//! a password is asked for, which line failed.
//!
//! Owns the words, the commands that print them, and the reading of them from a stream in pieces. A mark holds 128
//! random bits, so nothing that a login profile or a program prints can be one by chance. The command line holds
//! the parts of a mark and never the whole: whoever prints the line back has not printed a mark.

use std::borrow::Cow;
use std::fmt;

use crate::model::shell::cutter::{Cutter, Piece};
use crate::model::text::CUT;

/// The random part of all marks of one command.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// The token of these random bits.
    pub fn new(random: u128) -> Self {
        Self(format!("{random:032x}"))
    }

    /// Its text: hexadecimal digits, plain to every shell.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The command of a POSIX shell that prints a mark on its standard output.
    pub fn prints(&self, mark: &Mark) -> String {
        format!("printf 'fan-%s-{}\\n' {}", mark.word(), self.0)
    }

    /// The token of this text, which a host sent.
    pub(super) fn read(text: &str) -> Option<Self> {
        let is_one = text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        is_one.then(|| Self(text.to_owned()))
    }

    /// What every mark begins with.
    pub(super) fn prefix(&self) -> Vec<u8> {
        format!("fan-{}-", self.0).into_bytes()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

/// What a mark says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mark {
    /// The command begins: what came before is not its output.
    Start,
    /// The shell is about to read what fan sends it.
    Ready,
    /// Another program is about to ask for a password in words of its own.
    Asks,
    /// A password is asked for: our own prompt, which has no line end.
    Password,
    /// The script ended at this line, counted from 1.
    Line(u32),
    /// The folder to run in could not be entered, so nothing of the script ran.
    NoFolder,
}

/// The word of a mark with a line's number.
pub(super) const LINE: &str = "line";

impl Mark {
    fn word(&self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Ready => "ready",
            Self::Asks => "asks",
            Self::Password => "password",
            Self::Line(_) => LINE,
            Self::NoFolder => "no-folder",
        }
    }

    /// The mark of the text between the prefix and the end.
    fn read(text: &[u8]) -> Option<Self> {
        let mut words = std::str::from_utf8(text).ok()?.split_ascii_whitespace();
        let (word, mut numbers) = (words.next()?, words.map(str::parse::<u32>));
        Some(match word {
            "start" => Self::Start,
            "ready" => Self::Ready,
            "asks" => Self::Asks,
            "password" => Self::Password,
            "no-folder" => Self::NoFolder,
            LINE => {
                // The shell's number of the line, and of the line before the script.
                let (at, before) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
                Self::Line(at.checked_sub(before).filter(|&line| line > 0)?)
            }
            _ => return None,
        })
    }
}

/// How much of what is not output is kept, for messages.
const MAX_SAID: usize = 2048;

/// Finds the marks in one stream of a command, whatever its pieces are.
#[derive(Debug)]
pub struct Scan {
    cutter: Cutter,
    /// Output has begun.
    started: bool,
    /// Marks may still come.
    watching: bool,
    /// The last of what came before the start.
    said: Vec<u8>,
    /// How much came before the start.
    noise: u64,
    /// More was said than is kept.
    cut: bool,
}

/// What a piece of a stream turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub struct Scanned<'a> {
    /// The command's own output.
    pub output: Cow<'a, [u8]>,
    /// Marks, in order.
    pub marks: Vec<Mark>,
}

impl Scan {
    /// A stream that output comes on once a start mark has.
    pub fn new(token: &Token) -> Self {
        Self {
            cutter: Cutter::new(token.prefix()),
            started: false,
            watching: true,
            said: Vec::new(),
            noise: 0,
            cut: false,
        }
    }

    /// Takes the next piece.
    pub fn push<'a>(&mut self, data: &'a [u8]) -> Scanned<'a> {
        if !self.watching || (self.started && self.cutter.is_text(data)) {
            return Scanned { output: Cow::Borrowed(data), marks: Vec::new() };
        }
        let (mut output, mut marks) = (Vec::new(), Vec::new());
        for piece in self.cutter.cut(data, Mark::read) {
            match piece {
                Piece::Text(text) => self.pass(&text, &mut output),
                Piece::Mark(mark, _) => {
                    self.started |= mark == Some(Mark::Start);
                    if mark == Some(Mark::Asks) {
                        // What it says in its own words is looked for from here on.
                        self.forget();
                    }
                    marks.extend(mark);
                }
            }
        }
        Scanned { output: Cow::Owned(output), marks }
    }

    /// What is still held back: the stream has ended.
    pub fn finish(&mut self) -> Vec<u8> {
        let held = self.cutter.take_held();
        let mut output = Vec::new();
        self.pass(&held, &mut output);
        output
    }

    /// No more marks are looked for once output has begun.
    pub fn only_start(&mut self) {
        self.watching = !self.started;
    }

    /// Whether output has begun.
    pub fn started(&self) -> bool {
        self.started
    }

    /// The last that came before the start, without marks.
    pub fn said(&self) -> &[u8] {
        &self.said
    }

    /// The same as text, with a mark where something is missing.
    pub fn said_text(&self) -> String {
        let kept = String::from_utf8_lossy(&self.said);
        if self.cut { format!("{CUT}{kept}") } else { kept.into_owned() }
    }

    /// Begins anew with what is kept of it.
    pub fn forget(&mut self) {
        self.cut = false;
        self.said.clear();
    }

    /// How many bytes came before the start.
    pub fn noise(&self) -> u64 {
        self.noise
    }

    fn pass(&mut self, text: &[u8], output: &mut Vec<u8>) {
        if self.started {
            output.extend_from_slice(text);
            return;
        }
        self.noise += text.len() as u64;
        self.said.extend_from_slice(text);
        let surplus = self.said.len().saturating_sub(MAX_SAID);
        self.cut |= surplus > 0;
        self.said.drain(..surplus);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn token() -> Token {
        Token::new(0xfa)
    }

    /// All output and all marks of a stream in these pieces.
    fn scanned(pieces: &[&[u8]]) -> (Vec<u8>, Vec<Mark>, Vec<u8>) {
        let mut scan = Scan::new(&token());
        let (mut output, mut marks) = (Vec::new(), Vec::new());
        for piece in pieces {
            let found = scan.push(piece);
            output.extend_from_slice(&found.output);
            marks.extend(found.marks);
        }
        output.extend(scan.finish());
        (output, marks, scan.said().to_vec())
    }

    fn mark(text: &str) -> String {
        format!("fan-{}-{text}", token().as_str())
    }

    #[test]
    fn the_commands_print_what_is_found_and_do_not_hold_it() {
        for mark in [Mark::Start, Mark::Ready, Mark::Asks, Mark::NoFolder] {
            let command = token().prints(&mark);
            assert!(scanned(&[command.as_bytes(), b"\n"]).1.is_empty(), "{command}");
            let printed = std::process::Command::new("sh").args(["-c", &command]).output().unwrap();
            assert_eq!(scanned(&[&printed.stdout]).1, [mark]);
        }
    }

    #[test]
    fn what_comes_before_the_start_is_no_output() {
        let stream = format!("Welcome!\n{}out\n", mark("start\n"));
        assert_eq!(scanned(&[stream.as_bytes()]), (b"out\n".into(), vec![Mark::Start], b"Welcome!\n".into()));
        let stream = format!("motd{}\r\n{}x", mark("start\r"), mark("line 9 4\r\n"));
        assert_eq!(
            scanned(&[stream.as_bytes()]),
            (b"x".into(), vec![Mark::Start, Mark::Line(5)], b"motd".into())
        );
        assert_eq!(scanned(&[b"nothing here"]), (Vec::new(), Vec::new(), b"nothing here".into()));
    }

    #[test]
    fn words_that_are_no_mark_are_dropped_and_other_tokens_are_text() {
        let other = "fan-00000000000000000000000000000000-start\n";
        let stream = format!("{}{}{other}{}", mark("start\n"), mark("line 3 7\n"), mark("what\n"));
        assert_eq!(scanned(&[stream.as_bytes()]), (other.into(), vec![Mark::Start], Vec::new()));
        let long = format!("{}{}", mark("start\n"), mark(&"x".repeat(99)));
        assert_eq!(scanned(&[long.as_bytes()]).0, mark(&"x".repeat(99)).into_bytes());
    }

    proptest! {
        #[test]
        fn the_pieces_do_not_matter(
            texts in prop::collection::vec("[fan0-9\n-]{0,6}", 1..6),
            cuts in prop::collection::vec(0usize..400, 0..12),
        ) {
            let marks = ["password:", "ready\n", "start\n", "line 12 2\n", "line 8 1\n"];
            let stream: String = texts.iter().zip(marks).map(|(text, word)| text.clone() + &mark(word)).collect();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut % (stream.len() + 1)).collect();
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut last = 0;
            for cut in cuts {
                pieces.push(&stream.as_bytes()[last..cut]);
                last = cut;
            }
            pieces.push(&stream.as_bytes()[last..]);
            let expected = [Mark::Password, Mark::Ready, Mark::Start, Mark::Line(10), Mark::Line(7)];
            let (output, marks, said) = scanned(&pieces);
            let count = texts.len().min(5);
            prop_assert_eq!(&marks, &expected[..count]);
            prop_assert_eq!(output, texts.iter().skip(3).map(String::as_str).collect::<String>().into_bytes());
            prop_assert_eq!(said, texts.iter().take(3).map(String::as_str).collect::<String>().into_bytes());
        }
    }
}
