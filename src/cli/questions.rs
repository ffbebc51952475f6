//! Answers what steps ask: the person at the terminal does, or `-y` in their place.

use tokio::sync::mpsc;

use crate::cli::error::{hide_also, talk};
use crate::cli::prompt::{self, PromptError, Terminal};
use crate::engine::plan::Plan;
use crate::engine::{Question, Reply, Wanted};
use crate::model::position::Diagnostic;
use crate::model::task::{Action, Prompt};

/// Who answers the questions of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answers {
    /// The person at the terminal.
    Person,
    /// Yes to all, and the default of what has one (`-y`); the person, where they are there, for the rest.
    Yes,
}

/// The questions that nobody could answer, as there is no terminal.
pub(super) fn unanswerable(plan: &Plan, answers: Answers) -> Vec<Diagnostic> {
    if prompt::is_somebody_there() {
        return Vec::new();
    }
    if plan.stepwise && answers == Answers::Person {
        return vec![Diagnostic::bare("--step needs a terminal to ask on")];
    }
    let steps = plan.tasks.iter().flat_map(|task| &task.steps).map(|planned| &planned.step);
    let problems = steps.filter_map(|step| match &step.action {
        Action::Confirm(_) if answers == Answers::Person && !plan.changes.dry_run => Some(
            Diagnostic::at(&step.position, "\"confirm\" needs a terminal to ask on")
                .help("answer yes to all questions with -y"),
        ),
        Action::Prompt(Prompt { set, default, .. }) => {
            let given = plan.extra_vars.contains(&set.value);
            let defaulted = answers == Answers::Yes && default.is_some();
            (!given && !defaulted).then(|| {
                let yes = if default.is_some() { ", or take the defaults with -y" } else { "" };
                Diagnostic::at(&step.position, "\"prompt\" needs a terminal to ask on")
                    .help(format!("give the answer with -e {}=...{yes}", set.value))
            })
        }
        _ => None,
    });
    problems.collect()
}

/// Answers questions, one after the other, until there are no more.
pub(super) async fn answer_all(mut questions: mpsc::Receiver<Question>, answers: Answers) {
    while let Some(question) = questions.recv().await {
        match (answers, &question.wanted) {
            (Answers::Yes, Wanted::Consent) => {
                talk(&format!("{} yes (-y)", question.text));
                question.answer(Reply::Yes);
            }
            (Answers::Yes, Wanted::Pace) => question.answer(Reply::All),
            (Answers::Yes, Wanted::Line { default: Some(default) }) => {
                let line = default.clone();
                talk(&format!("{} {line} (-y)", question.text));
                question.answer(Reply::Line(line));
            }
            (Answers::Yes, Wanted::Line { default: None } | Wanted::Secret) | (Answers::Person, _) => {
                // Reading a terminal blocks.
                let asked = tokio::task::spawn_blocking(move || ask(question));
                let _ = asked.await;
            }
        }
    }
}

fn ask(question: Question) {
    let terminal = match Terminal.open() {
        Ok(terminal) => terminal,
        Err(error) => return question.answer(reply_to(error)),
    };
    let moot = || question.is_moot();
    let reply = match &question.wanted {
        Wanted::Consent => loop {
            match terminal.ask_line(&format!("{} [yes/no]", question.text), &moot) {
                Ok(line) => match line.trim().to_ascii_lowercase().as_str() {
                    "y" | "yes" => break Reply::Yes,
                    "n" | "no" => break Reply::No,
                    _ => {}
                },
                Err(error) => break reply_to(error),
            }
        },
        Wanted::Pace => loop {
            match terminal.ask_line(&format!("{} [yes/no/all/quit]", question.text), &moot) {
                Ok(line) => match line.trim().to_ascii_lowercase().as_str() {
                    "y" | "yes" => break Reply::Yes,
                    "n" | "no" => break Reply::No,
                    "a" | "all" => break Reply::All,
                    "q" | "quit" => break Reply::Quit,
                    _ => {}
                },
                Err(PromptError::Interrupted) => break Reply::Quit,
                Err(error) => break reply_to(error),
            }
        },
        Wanted::Line { default } => {
            let shown = default.as_ref().map(|text| format!(" [{text}]")).unwrap_or_default();
            match (terminal.ask_line(&format!("{}{shown}", question.text), &moot), default) {
                (Ok(line), Some(default)) if line.is_empty() => Reply::Line(default.clone()),
                (Ok(line), _) => Reply::Line(line),
                (Err(error), _) => reply_to(error),
            }
        }
        Wanted::Secret => match terminal.ask_secret(&question.text, &moot) {
            Ok(secret) => {
                hide_also(&secret);
                Reply::Secret(secret)
            }
            Err(error) => reply_to(error),
        },
    };
    question.answer(reply);
}

/// What a question without an answer means for the step.
fn reply_to(error: PromptError) -> Reply {
    match error {
        PromptError::Interrupted => Reply::No,
        PromptError::NoTerminal => Reply::Unable("there is no terminal to ask on".to_owned()),
        PromptError::Io(error) => Reply::Unable(format!("the terminal does not work: {error}")),
    }
}
