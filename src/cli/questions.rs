//! Answers what steps ask: the person at the terminal does, or `-y` in their place.

use tokio::sync::mpsc;

use crate::cli::error::{hide_also, talk};
use crate::cli::prompt::{self, OpenTerminal, PromptError, PromptTerminal};
use crate::engine::plan::Plan;
use crate::engine::{Answer, Question, StepChoice, Unanswered, Wanted};
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
    if prompt::is_interactive() {
        return Vec::new();
    }
    if plan.stepwise && answers == Answers::Person {
        return vec![Diagnostic::bare("--step needs a terminal")];
    }
    let steps = plan.tasks.iter().flat_map(|task| &task.steps).map(|planned| &planned.step);
    let problems = steps.filter_map(|step| match &step.action {
        Action::Confirm(_) if answers == Answers::Person && !plan.changes.dry_run => Some(
            Diagnostic::at(&step.position, "\"confirm\" needs a terminal")
                .help("answer yes to all questions with -y"),
        ),
        Action::Prompt(Prompt { set, default, .. }) => {
            let given = plan.extra_vars.contains(&set.value);
            let defaulted = answers == Answers::Yes && default.is_some();
            (!given && !defaulted).then(|| {
                let yes = if default.is_some() { ", or take the defaults with -y" } else { "" };
                Diagnostic::at(&step.position, "\"prompt\" needs a terminal")
                    .help(format!("give the answer with -e {}=...{yes}", set.value))
            })
        }
        _ => None,
    });
    problems.collect()
}

/// Answers questions, one after the other, until there are no more.
pub(super) async fn answer_all(mut questions: mpsc::Receiver<Question>, answers: Answers) {
    while let Some(Question { text, wanted }) = questions.recv().await {
        let Some(wanted) = answered(&text, wanted, answers) else { continue };
        // Reading a terminal blocks.
        let asked = tokio::task::spawn_blocking(move || ask(&text, wanted));
        let _ = asked.await;
    }
}

/// Gives the answer that is known without asking; else the question is still open.
fn answered(text: &str, wanted: Wanted, answers: Answers) -> Option<Wanted> {
    match (answers, wanted) {
        (Answers::Yes, Wanted::Consent(answer)) => {
            talk(&format!("{text} yes (-y)"));
            answer.give(Ok(()));
            None
        }
        (Answers::Yes, Wanted::Pace(answer)) => {
            answer.give(Ok(StepChoice::RunAll));
            None
        }
        (Answers::Yes, Wanted::Line { default: Some(default), answer }) => {
            talk(&format!("{text} {default} (-y)"));
            answer.give(Ok(default));
            None
        }
        (Answers::Yes | Answers::Person, open) => Some(open),
    }
}

fn ask(text: &str, wanted: Wanted) {
    match wanted {
        Wanted::Consent(answer) => {
            let choices = [("yes", Ok(())), ("no", Err(PromptError::Interrupted))];
            put(answer, |terminal, moot| choose(terminal, text, choices, moot));
        }
        Wanted::Pace(answer) => {
            let choices = [
                ("yes", Ok(StepChoice::Run)),
                ("no", Ok(StepChoice::Skip)),
                ("all", Ok(StepChoice::RunAll)),
                ("quit", Err(PromptError::Interrupted)),
            ];
            put(answer, |terminal, moot| choose(terminal, text, choices, moot));
        }
        Wanted::Line { default, answer } => put(answer, |terminal, moot| {
            let shown = default.as_ref().map(|text| format!(" [{text}]")).unwrap_or_default();
            let line = terminal.ask_line(&format!("{text}{shown}"), Some(moot))?;
            Ok(default.filter(|_| line.is_empty()).unwrap_or(line))
        }),
        Wanted::Secret(answer) => put(answer, |terminal, moot| {
            let secret = terminal.ask_secret(text, Some(moot))?;
            hide_also(&secret);
            Ok(secret)
        }),
    }
}

/// Puts a question to the person, as long as someone waits for the answer.
fn put<T>(
    answer: Answer<T>,
    question: impl FnOnce(&OpenTerminal, &dyn Fn() -> bool) -> Result<T, PromptError>,
) {
    let given = PromptTerminal.open().and_then(|terminal| question(&terminal, &|| answer.is_moot()));
    answer.give(given.map_err(|error| match error {
        PromptError::Interrupted => Unanswered::Declined,
        PromptError::NoTerminal => Unanswered::Unable("there is no terminal to ask on".to_owned()),
        PromptError::Io(error) => Unanswered::Unable(format!("the terminal does not work: {error}")),
    }));
}

/// Asks until one of some words is the answer; its first letter will do.
fn choose<T, const N: usize>(
    terminal: &OpenTerminal,
    text: &str,
    choices: [(&str, Result<T, PromptError>); N],
    moot: &dyn Fn() -> bool,
) -> Result<T, PromptError> {
    let words = choices.each_ref().map(|(word, _)| *word);
    let question = format!("{text} [{}]", words.join("/"));
    loop {
        let line = terminal.ask_line(&question, Some(moot))?.trim().to_ascii_lowercase();
        let is_meant = |word: &str| line == word || (line.len() == 1 && word.starts_with(&line));
        if let Some(at) = words.iter().position(|word| is_meant(word)) {
            let meant = choices.into_iter().nth(at);
            return meant.map_or(Err(PromptError::Interrupted), |(_, answer)| answer);
        }
    }
}
