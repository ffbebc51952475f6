//! The words of folded output: a heading per group of hosts, its lines, and what sets the odd ones apart.
//!
//! Every line from a host begins with white space and a bar, so that none can pass for a heading; in the bare
//! layouts the user chose otherwise.

use std::borrow::Cow;

use similar::TextDiff;

use crate::event::TaskSummary;
use crate::model::count::counted;
use crate::model::inventory::HostName;
use crate::model::range;
use crate::report::capture::{CapturedText, CapturedTexts, TextId};
use crate::report::fold::options::{FoldFrame, FoldOptions};
use crate::report::fold::said::FoldSaid;
use crate::report::github::escape;
use crate::report::lines::Layout;
use crate::report::style::RED;
use crate::report::words::{bytes_of, is_single_command, step_label};

/// Work on differences per step, in pairs of lines: texts beyond it are shown whole.
const DIFF_WORK: usize = 200_000_000;

/// Lines of one difference that are shown.
const DIFF_LINES: usize = 500;

/// Where a piece goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GroupPlace {
    /// Data.
    Out,
    /// Talk.
    Talk,
}

/// Some lines, each with its end.
pub(super) struct GroupPiece {
    pub(super) place: GroupPlace,
    pub(super) text: String,
}

/// What a step's output is told with.
pub(super) struct GroupPage<'a> {
    pub(super) options: FoldOptions,
    pub(super) tasks: &'a [TaskSummary],
    pub(super) hosts: &'a [HostName],
    pub(super) texts: &'a CapturedTexts,
    /// Number of the step among those told.
    pub(super) section: usize,
}

/// The group that the others are compared with.
struct Majority<'a> {
    said: &'a FoldSaid,
    names: &'a str,
}

impl GroupPage<'_> {
    /// A step's output; nothing when there was none, and nothing to say about its end. In the log of a CI runner each step
    /// that hosts came to has its group: whoever looks for it finds it.
    pub(super) fn pieces(&self, step: (usize, usize), groups: &[(FoldSaid, Vec<usize>)]) -> Vec<GroupPiece> {
        let silent = |said: &FoldSaid| *said == FoldSaid::default();
        let is_framed = !matches!(self.options.frame, FoldFrame::Plain);
        if groups.is_empty() || (!is_framed && groups.iter().all(|(said, _)| silent(said))) {
            return Vec::new();
        }
        let mut pieces = Vec::new();
        let mut work = DIFF_WORK;
        let names: Vec<String> = groups.iter().map(|(_, hosts)| self.names(hosts)).collect();
        let majority = match (groups, names.first()) {
            ([(said, _), ..], Some(names)) if self.options.diff => Some(Majority { said, names }),
            _ => None,
        };
        for (at, ((said, hosts), names)) in groups.iter().zip(&names).enumerate() {
            let majority = majority.as_ref().filter(|_| at > 0);
            let heading = match hosts.len() {
                1 => names.clone(),
                count => format!("{names} ({count})"),
            };
            if silent(said) {
                pieces.push(GroupPiece { place: GroupPlace::Out, text: format!("{heading}: no output\n") });
                continue;
            }
            pieces.extend(self.group(&heading, said, majority, &mut work));
        }
        self.framed(step, groups, pieces)
    }

    fn names(&self, hosts: &[usize]) -> String {
        let names: Vec<&str> =
            hosts.iter().filter_map(|host| self.hosts.get(*host)).map(HostName::as_str).collect();
        self.options.style.text(&range::fold(&names)).into_owned()
    }

    fn group(
        &self,
        heading: &str,
        said: &FoldSaid,
        majority: Option<&Majority<'_>>,
        work: &mut usize,
    ) -> Vec<GroupPiece> {
        let style = self.options.style;
        let mut pieces = Vec::new();
        let mut ending = match said.ending.as_str() {
            "" => String::new(),
            ending => format!(": {}", style.text(ending)),
        };
        let mut headed = |what: &str| {
            let line = format!("{heading}{what}{}", std::mem::take(&mut ending));
            if said.failed { style.paint(RED, &line) } else { line }
        };
        if said.stdout.is_some() {
            let (differs, lines) = self.stream(said.stdout, majority, |said| said.stdout, work);
            let mut text = headed(&differs);
            text.push('\n');
            text.push_str(&lines);
            pieces.push(GroupPiece { place: GroupPlace::Out, text });
        }
        let mut talk = String::new();
        for line in said.note.iter().flat_map(|note| note.lines()) {
            talk.push_str("  ");
            talk.push_str(&style.text(line));
            talk.push('\n');
        }
        for line in said.difference.iter().flat_map(|text| text.lines()) {
            self.line(&mut talk, line.as_bytes());
        }
        let mut what = String::new();
        if said.stderr.is_some() {
            let (differs, lines) = self.stream(said.stderr, majority, |said| said.stderr, work);
            what = differs + if said.stdout.is_some() { " (stderr)" } else { "" };
            talk.push_str(&lines);
        }
        if said.stdout.is_none() || !talk.is_empty() {
            pieces.push(GroupPiece { place: GroupPlace::Talk, text: format!("{}\n{talk}", headed(&what)) });
        }
        pieces
    }

    /// A stream in lines, or what sets it apart; with what the heading says about that.
    fn stream(
        &self,
        id: Option<TextId>,
        majority: Option<&Majority<'_>>,
        of: fn(&FoldSaid) -> Option<TextId>,
        work: &mut usize,
    ) -> (String, String) {
        let Some(text) = id.and_then(|id| self.texts.get(id)) else { return Default::default() };
        let other = majority.and_then(|majority| Some((majority.names, of(majority.said)?)));
        if let Some((names, _)) = other.filter(|&(_, other)| Some(other) == id) {
            return (format!(" (as {names})"), String::new());
        }
        if let Some((names, other)) = other
            && let Some(lines) = self.texts.get(other).and_then(|other| self.difference(other, text, work))
        {
            let mut shown = String::new();
            let count = lines.lines().count();
            for line in lines.lines().take(DIFF_LINES) {
                self.line(&mut shown, line.as_bytes());
            }
            if count > DIFF_LINES {
                self.line(
                    &mut shown,
                    format!("... and {}", counted(count - DIFF_LINES, "more line")).as_bytes(),
                );
            }
            return (format!(" (differs from {names})"), shown);
        }
        let mut shown = String::new();
        for line in text.lines() {
            match line {
                Some(line) => self.line(&mut shown, line),
                None => {
                    let left_out = format!("  ... {} left out ...\n", bytes_of(text.left_out()));
                    shown.push_str(&left_out);
                }
            }
        }
        (String::new(), shown)
    }

    /// The unified difference of two texts, when all of both is there and comparing them is little work. Texts that
    /// differ in line ends only have none.
    fn difference(&self, before: &CapturedText, after: &CapturedText, work: &mut usize) -> Option<String> {
        let (before, after) = (self.plain(before)?, self.plain(after)?);
        let lines = before.lines().count() + after.lines().count();
        *work = work.checked_sub(lines.saturating_mul(lines))?;
        let text = TextDiff::from_lines(&before, &after).unified_diff().context_radius(3).to_string();
        (!text.is_empty()).then_some(text)
    }

    /// A text in clean lines.
    fn plain(&self, text: &CapturedText) -> Option<String> {
        let mut plain = String::new();
        for line in text.whole()?.split_inclusive(|&byte| byte == b'\n') {
            plain.push_str(&self.options.style.text(&String::from_utf8_lossy(line)));
            plain.push('\n');
        }
        Some(plain)
    }

    fn line(&self, to: &mut String, line: &[u8]) {
        if self.options.layout == Layout::Prefixed {
            to.push_str("  | ");
        }
        // Nothing is verbatim between headings of ours; what a stream is without colours, it stays.
        let line: Cow<'_, str> = self.options.style.output(line);
        to.push_str(&line);
        to.push('\n');
    }

    /// Puts the step's name above its pieces.
    fn framed(
        &self,
        step: (usize, usize),
        groups: &[(FoldSaid, Vec<usize>)],
        mut pieces: Vec<GroupPiece>,
    ) -> Vec<GroupPiece> {
        let style = self.options.style;
        let label = step_label(self.tasks, Some(step));
        let label = style.text(label.trim_end());
        let title = || {
            let failed: usize =
                groups.iter().filter(|(said, _)| said.failed).map(|(_, hosts)| hosts.len()).sum();
            let all: usize = groups.iter().map(|(_, hosts)| hosts.len()).sum();
            let name = match self.tasks.get(step.0) {
                Some(task) if is_single_command(self.tasks) => style.text(&task.name),
                _ => label.clone(),
            };
            let failures = if failed > 0 { format!(", {failed} failed") } else { String::new() };
            format!("{name} ({all} host{}{failures})", if all == 1 { "" } else { "s" })
        };
        let (first, last) = match self.options.frame {
            FoldFrame::Plain if label.is_empty() => return pieces,
            FoldFrame::Plain => {
                let place = pieces.iter().map(|piece| piece.place).find(|&place| place == GroupPlace::Out);
                let text = format!("{label}\n");
                pieces.insert(0, GroupPiece { place: place.unwrap_or(GroupPlace::Talk), text });
                return pieces;
            }
            FoldFrame::Github => (format!("::group::{}\n", escape(&title())), "::endgroup::\n".to_owned()),
            FoldFrame::Gitlab { clock } => {
                let name = format!("fan_step_{}", self.section);
                (
                    format!("\x1b[0Ksection_start:{}:{name}\r\x1b[0K{}\n", clock(), title()),
                    format!("\x1b[0Ksection_end:{}:{name}\r\x1b[0K\n", clock()),
                )
            }
        };
        pieces.insert(0, GroupPiece { place: GroupPlace::Out, text: first });
        pieces.push(GroupPiece { place: GroupPlace::Out, text: last });
        pieces
    }
}
