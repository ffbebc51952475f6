//! How text looks and how far it is trusted: colours, and the two cleanings of text from hosts.

use std::borrow::Cow;

use crate::model::inventory::HostName;
use crate::model::outcome::Status;
use crate::model::text::{RESET, Sgr, neutralize_ci, sanitize};

/// Choices that all reporters for people share. The caller decides them (`NO_COLOR`, `--color`, `CI`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// Use colours, and let hosts use them.
    pub colour: bool,
    /// The reader is a CI runner: break what it would take for a command.
    pub ci: bool,
}

pub(crate) const RED: &str = "\x1b[31m";
const GREEN: &str = "\x1b[32m";
const YELLOW: &str = "\x1b[33m";

/// Colours of host prefixes; red is left to failures.
const PREFIXES: [&str; 10] = [
    "\x1b[36m", "\x1b[33m", "\x1b[32m", "\x1b[35m", "\x1b[34m", "\x1b[96m", "\x1b[93m", "\x1b[92m",
    "\x1b[95m", "\x1b[94m",
];

impl Style {
    /// A line of output from a host, safe to print; it may keep its colours.
    pub(crate) fn output<'a>(&self, line: &'a [u8]) -> Cow<'a, str> {
        self.clean(line, if self.colour { Sgr::Keep } else { Sgr::Escape })
    }

    /// A name, title or message, safe to print within a line of ours.
    pub(crate) fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.clean(text.as_bytes(), Sgr::Escape)
    }

    fn clean<'a>(&self, line: &'a [u8], sgr: Sgr) -> Cow<'a, str> {
        let text = sanitize(line, sgr);
        match text {
            text if !self.ci => text,
            Cow::Borrowed(text) => neutralize_ci(text),
            Cow::Owned(text) => Cow::Owned(neutralize_ci(&text).into_owned()),
        }
    }

    /// Sets text in a colour, when colours are used.
    pub(crate) fn paint(&self, colour: &str, text: &str) -> String {
        if self.colour { format!("{colour}{text}{RESET}") } else { text.to_owned() }
    }

    /// The colour of a host's prefix: always the same one for the same name.
    pub(crate) fn prefix(&self, host: &HostName) -> Option<&'static str> {
        // FNV-1a: unlike the standard hasher it gives the same colours in every run.
        let hash = host
            .as_str()
            .bytes()
            .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        let index = usize::try_from(hash).unwrap_or_default() % PREFIXES.len();
        PREFIXES.get(index).copied().filter(|_| self.colour)
    }
}

/// The colour of a status; `None` is a host without a final record.
pub(crate) fn status_colour(status: Option<Status>) -> &'static str {
    match status {
        Some(Status::Ok) => GREEN,
        Some(Status::Failed | Status::Unreachable | Status::Unknown) | None => RED,
        Some(Status::Cancelled | Status::Skipped) => YELLOW,
    }
}
