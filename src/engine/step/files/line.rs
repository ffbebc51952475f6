//! `line`: a line in a text file of the host.

use std::sync::Arc;

use regex::Regex;

use crate::engine::step::files::context::{Context, FilesDone};
use crate::engine::step::files::difference::read;
use crate::engine::step::files::put::{Spot, Tally, place};
use crate::engine::step::files::texts::Texts;
use crate::files::content::Content;
use crate::files::put::Placing;
use crate::files::remote::{Remote, WantedAttributes, shown};
use crate::model::files;
use crate::model::outcome::{Failure, Kind};
use crate::model::position::Located;
use crate::ssh::Session;

/// Larger files are not edited, in bytes.
const MAX_FILE: u64 = 16 * 1024 * 1024;

/// `line`, filled in.
pub(super) struct Line {
    path: Vec<u8>,
    edit: Edit,
    create: bool,
    wanted: WantedAttributes,
    placing: Placing,
}

/// What must hold.
#[derive(Debug)]
enum Edit {
    Present { line: String, matching: Option<Regex>, place: NewLinePlace },
    Absent { matching: Regex },
}

/// Where a new line goes.
#[derive(Debug)]
enum NewLinePlace {
    End,
    Start,
    After(Regex),
    Before(Regex),
}

impl Line {
    pub(super) fn prepare(texts: &Texts<'_>, step: &files::LineStep) -> Result<Self, Failure> {
        let edit = match &step.edit {
            files::LineEdit::Present { line, matching, place } => {
                let line = texts.text(line)?;
                if line.contains(['\n', '\r', '\0']) {
                    return Err(Failure::new(Kind::Template, format!("{line:?} is more than one line")));
                }
                let place = match place {
                    files::LinePlace::End => NewLinePlace::End,
                    files::LinePlace::Start => NewLinePlace::Start,
                    files::LinePlace::After(regex) => NewLinePlace::After(compiled(regex)?),
                    files::LinePlace::Before(regex) => NewLinePlace::Before(compiled(regex)?),
                };
                Edit::Present { line, matching: matching.as_ref().map(compiled).transpose()?, place }
            }
            files::LineEdit::Absent { matching } => Edit::Absent { matching: compiled(matching)? },
        };
        Ok(Self {
            path: texts.remote(&step.path)?,
            edit,
            create: step.create,
            wanted: texts.wanted(&step.attributes)?,
            placing: texts.placing(&step.install)?,
        })
    }

    pub(super) async fn run<S: Session>(
        &self,
        context: &Context<'_>,
        remote: &Remote<S>,
    ) -> Result<FilesDone, Failure> {
        let name = shown(&self.path);
        let before = match remote.look(&self.path, true).await? {
            None if self.create => String::new(),
            None => {
                let failure = Failure::new(Kind::RemotePath, format!("no such file: {name}"));
                return Err(failure.hint("`create: true` creates it"));
            }
            Some(meta) => {
                let size = meta.size().ok_or_else(|| {
                    Failure::new(Kind::RemotePath, format!("{name} is {}, not a file", meta.kind.word()))
                })?;
                if size > MAX_FILE {
                    let message = format!("{name} has {size} bytes; the limit is {MAX_FILE}");
                    return Err(Failure::new(Kind::Limit, message));
                }
                String::from_utf8(read(remote, &self.path, size).await?)
                    .map_err(|_| Failure::new(Kind::RemotePath, format!("{name} is not UTF-8 text")))?
            }
        };
        let after = self.edit.apply(&before);
        let content = Content::of_bytes(std::path::Path::new(&name), after, 0o644);
        let mut tally = Tally::default();
        // A link to the file stays one: it is the file behind it that has the line.
        let placing = Placing { follow: true, ..self.placing.clone() };
        let at = Spot { target: &self.path, standing: None };
        place(context, remote, &Arc::new(content), at, &self.wanted, &placing, &mut tally).await?;
        Ok(tally.done(context))
    }
}

fn compiled(text: &Located<String>) -> Result<Regex, Failure> {
    Regex::new(&text.value).map_err(|error| {
        let at = &text.position;
        Failure::new(Kind::Template, format!("{error} ({}:{})", at.file, at.line))
    })
}

impl Edit {
    /// The text with the line seen to; the same text when it was so already.
    fn apply(&self, before: &str) -> String {
        let mut lines: Vec<&str> = before.split_inclusive('\n').collect();
        let ends = |line: &str| line.trim_end_matches(['\n', '\r']).to_owned();
        match self {
            Self::Absent { matching } => {
                lines.retain(|line| !matching.is_match(&ends(line)));
                lines.concat()
            }
            Self::Present { line, matching, place } => {
                if let Some(regex) = matching
                    && let Some(at) = lines.iter().rposition(|old| regex.is_match(&ends(old)))
                {
                    return replaced(&lines, at, line);
                }
                if lines.iter().any(|old| ends(old) == *line) {
                    return before.to_owned();
                }
                let at = match place {
                    NewLinePlace::Start => 0,
                    NewLinePlace::End => lines.len(),
                    NewLinePlace::After(regex) => lines
                        .iter()
                        .rposition(|old| regex.is_match(&ends(old)))
                        .map_or(lines.len(), |at| at + 1),
                    NewLinePlace::Before(regex) => {
                        lines.iter().position(|old| regex.is_match(&ends(old))).unwrap_or(lines.len())
                    }
                };
                inserted(&lines, at, line)
            }
        }
    }
}

/// The lines with one of them replaced; its line end stays.
fn replaced(lines: &[&str], at: usize, line: &str) -> String {
    let mut text = String::new();
    for (index, old) in lines.iter().enumerate() {
        if index == at {
            text.push_str(line);
            let content = old.trim_end_matches(['\n', '\r']).len();
            text.push_str(old.get(content..).unwrap_or_default());
        } else {
            text.push_str(old);
        }
    }
    text
}

/// The lines with one more before the one at an index. A last line without an end gets one.
fn inserted(lines: &[&str], at: usize, line: &str) -> String {
    let mut text = String::new();
    for (index, old) in lines.iter().enumerate() {
        if index == at {
            text.push_str(line);
            text.push('\n');
        }
        text.push_str(old);
    }
    if at >= lines.len() {
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        text.push_str(line);
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn present(line: &str, matching: Option<&str>, place: NewLinePlace) -> Edit {
        let matching = matching.map(|regex| Regex::new(regex).unwrap());
        Edit::Present { line: line.to_owned(), matching, place }
    }

    #[test]
    fn a_line_is_seen_to() {
        let regex = |text: &str| Regex::new(text).unwrap();
        for (edit, before, after) in [
            (present("b", None, NewLinePlace::End), "a\n", "a\nb\n"),
            (present("b", None, NewLinePlace::End), "a", "a\nb\n"),
            (present("b", None, NewLinePlace::End), "", "b\n"),
            (present("b", None, NewLinePlace::Start), "a\n", "b\na\n"),
            (present("a", None, NewLinePlace::End), "a\nc\n", "a\nc\n"),
            (present("x", None, NewLinePlace::After(regex("^a"))), "a1\na2\nb\n", "a1\na2\nx\nb\n"),
            (present("x", None, NewLinePlace::Before(regex("^a"))), "a1\na2\nb\n", "x\na1\na2\nb\n"),
            (present("x", None, NewLinePlace::After(regex("^z"))), "a", "a\nx\n"),
            (
                present("Port 2", Some("^#?Port "), NewLinePlace::End),
                "#Port 1\nPort 1\nx",
                "#Port 1\nPort 2\nx",
            ),
            (present("Port 2", Some("^Port "), NewLinePlace::End), "x\r\nPort 1\r\n", "x\r\nPort 2\r\n"),
            (present("Port 2", Some("^Port "), NewLinePlace::End), "Port 2\n", "Port 2\n"),
            (present("Port 2", Some("^Port "), NewLinePlace::Start), "x\n", "Port 2\nx\n"),
            (Edit::Absent { matching: regex("^a") }, "a1\nb\na2\n", "b\n"),
            (Edit::Absent { matching: regex("^z") }, "a", "a"),
        ] {
            assert_eq!(edit.apply(before), after, "{edit:?} on {before:?}");
            assert_eq!(edit.apply(after), after, "{edit:?} again");
        }
    }
}
