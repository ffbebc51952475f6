//! The prompt: a line with editing, history and completion. It waits for keys, so it has a thread of its own.

use std::borrow::Cow;
use std::io;
use std::sync::mpsc as std_mpsc;
use std::thread;

use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::MemHistory;
use rustyline::validate::Validator;
use rustyline::{CompletionType, Config, Context, Editor, Helper};
use tokio::sync::mpsc;

use crate::cli::console::line::OWN;
use crate::cli::console::past::LINES;

/// Completions that are shown, at most.
const SHOWN: usize = 200;

/// What was typed at a prompt.
#[derive(Debug)]
pub(super) enum TypedLine {
    Line(String),
    /// Ctrl-C: the line is thrown away.
    Dropped,
    /// Ctrl-D, or the terminal is gone.
    Over,
    Broken(io::Error),
}

/// What the editor is asked for.
enum EditorAsked {
    /// A line, behind this prompt.
    Line(String),
    /// To know this line from now on.
    Remember(String),
}

/// The editor in its thread.
pub(super) struct ConsoleEditor {
    asking: std_mpsc::Sender<EditorAsked>,
    typed: mpsc::Receiver<TypedLine>,
}

impl ConsoleEditor {
    /// Starts it with the lines of earlier consoles, and the names that it completes.
    pub(super) fn start(past: Vec<String>, names: Vec<String>) -> io::Result<Self> {
        let (asking, asked) = std_mpsc::channel();
        let (telling, typed) = mpsc::channel(1);
        let config = Config::builder()
            .completion_type(CompletionType::List)
            .history_ignore_space(true)
            .max_history_size(LINES)
            .and_then(|config| config.history_ignore_dups(true))
            .map_err(io::Error::other)?
            .build();
        let mut editor = Editor::with_history(config.clone(), MemHistory::with_config(&config))
            .map_err(io::Error::other)?;
        editor.set_helper(Some(ConsoleNames { names }));
        for line in past {
            let _ = editor.add_history_entry(line);
        }
        thread::Builder::new().name("editor".to_owned()).spawn(move || {
            for asked in asked {
                let typed = match asked {
                    EditorAsked::Remember(line) => {
                        let _ = editor.add_history_entry(line);
                        continue;
                    }
                    EditorAsked::Line(prompt) => read(&mut editor, &prompt),
                };
                if telling.blocking_send(typed).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { asking, typed })
    }

    /// Asks for a line.
    pub(super) async fn line(&mut self, prompt: &str) -> TypedLine {
        if self.asking.send(EditorAsked::Line(prompt.to_owned())).is_err() {
            return TypedLine::Over;
        }
        self.typed.recv().await.unwrap_or(TypedLine::Over)
    }

    /// Offers a line again to who looks for earlier ones.
    pub(super) fn remember(&self, line: &str) {
        // A thread that is gone shows at the next prompt.
        let _ = self.asking.send(EditorAsked::Remember(line.to_owned()));
    }
}

fn read(editor: &mut Editor<ConsoleNames, MemHistory>, prompt: &str) -> TypedLine {
    loop {
        return match editor.readline(prompt) {
            Ok(line) => TypedLine::Line(line),
            Err(ReadlineError::Interrupted) => TypedLine::Dropped,
            Err(ReadlineError::Eof) => TypedLine::Over,
            // The window has another size.
            Err(ReadlineError::Signal(_)) => continue,
            Err(ReadlineError::Io(error)) => TypedLine::Broken(error),
            Err(error) => TypedLine::Broken(io::Error::other(error)),
        };
    }
}

/// The names of hosts and roles, and the console's own commands.
struct ConsoleNames {
    names: Vec<String>,
}

impl ConsoleNames {
    /// What the word before the cursor may become, and where it begins.
    fn candidates(&self, line: &str) -> (usize, Vec<String>) {
        let start = line.rfind(|c: char| c.is_whitespace() || ",&!".contains(c)).map_or(0, |at| at + 1);
        let word = line.get(start..).unwrap_or_default();
        if let Some(own) = line.strip_prefix(':').filter(|own| !own.contains(char::is_whitespace)) {
            let words = OWN.iter().filter(|(word, _, _)| word.starts_with(own));
            return (
                0,
                words
                    .map(|(word, takes, _)| format!(":{word}{}", if takes.is_empty() { "" } else { " " }))
                    .collect(),
            );
        }
        let names = self.names.iter().filter(|name| !word.is_empty() && name.starts_with(word));
        (start, names.take(SHOWN).cloned().collect())
    }
}

impl Completer for ConsoleNames {
    type Candidate = String;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(self.candidates(line.get(..pos).unwrap_or(line)))
    }
}

impl Hinter for ConsoleNames {
    type Hint = String;
}

impl Highlighter for ConsoleNames {
    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, prompt: &'p str, _: bool) -> Cow<'b, str> {
        Cow::Borrowed(prompt)
    }
}

impl Validator for ConsoleNames {}

impl Helper for ConsoleNames {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_commands_are_completed() {
        let names = ConsoleNames { names: ["web1", "web2", "db1", "@web"].map(str::to_owned).to_vec() };
        let completed = |line: &str| {
            let (start, found) = names.candidates(line);
            format!("{start} {}", found.join("|"))
        };
        for (line, expected) in [
            (":h", "0 :help|:hosts "),
            (":hosts we", "7 web1|web2"),
            (":hosts web1,d", "12 db1"),
            (":hosts all!@", "11 @web"),
            ("ping -c1 db", "9 db1"),
            ("uptime ", "7 "),
        ] {
            assert_eq!(completed(line), expected, "{line:?}");
        }
    }
}
