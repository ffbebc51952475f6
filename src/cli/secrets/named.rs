//! The secrets of templates: which ones a run needs, their values, and plans that have them.

use crate::cli::context::Common;
use crate::cli::error::{CliError, hide_also};
use crate::cli::prompt::{PromptTerminal, Prompter};
use crate::cli::protected::Guard;
use crate::cli::runtime::runtime;
use crate::cli::secrets::memory;
use crate::cli::secrets::prepare::{unanswered, warn_of_short};
use crate::cli::secrets::source::{COMMAND_LIMIT, Purpose, read_now, run};
use crate::cli::{context, protected};
use crate::engine::plan::Plan;
use crate::engine::planner;
use crate::engine::preflight;
use crate::model::call::TaskCall;
use crate::model::inventory::Inventory;
use crate::model::position::{Diagnostic, Located};
use crate::model::secret::{Secret, SecretSource, SecretSources, Secrets};
use crate::model::task::TaskFile;

/// What is to become of the secrets that a plan needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Need<'a> {
    /// Nothing: the plan is only looked at.
    Nothing,
    /// Those that can be read without a question or a command are, to see whether they are there.
    Check,
    /// They get their values: the plan is carried out, once someone has agreed to it.
    Values(Guard<'a>),
}

/// Plans tasks, and looks at what they need of this machine.
///
/// Planned twice when there are secrets to be read: nobody is to type a password for a plan that turns out to be wrong,
/// or that touches hosts which were not meant.
pub(in crate::cli) fn plan_tasks(
    common: &Common,
    inventory: &mut Inventory,
    selected: Option<&[usize]>,
    file: &TaskFile,
    calls: &[TaskCall],
    need: Need<'_>,
) -> Result<Plan, CliError> {
    // The inventory's win, as its variables do.
    let mut sources = file.secrets.clone();
    sources.extend(inventory.secrets.clone());
    let names: Vec<String> = sources.keys().cloned().collect();
    let plan = |inventory: &mut Inventory, values: Vec<(String, Secret)>| -> Result<Plan, CliError> {
        let mut request = common.clone().request(inventory);
        request.secrets = Secrets::new(names.iter().map(String::as_str), values);
        let plan = planner::tasks(request, inventory, selected, file, calls)?;
        context::preflight(&plan)?;
        Ok(plan)
    };
    let draft = plan(inventory, Vec::new())?;
    if let Need::Values(guard) = need {
        protected::agreed(inventory, &draft, guard)?;
    }
    if sources.is_empty() || need == Need::Nothing {
        return Ok(draft);
    }
    let used = preflight::secrets_used(&draft, inventory, file);
    sources.retain(|name, _| used.contains(name));
    if sources.is_empty() {
        return Ok(draft);
    }
    memory::close();
    match need {
        Need::Nothing => Ok(draft),
        Need::Check => {
            let problems = check(&sources);
            if problems.is_empty() { Ok(draft) } else { Err(CliError::Input(problems)) }
        }
        Need::Values(_) => {
            let values = runtime()?.block_on_then_leave(read(&sources, &mut PromptTerminal))?;
            plan(inventory, values)
        }
    }
}

/// What is wrong with the secrets that can be read at once.
fn check(sources: &SecretSources) -> Vec<Diagnostic> {
    let read = |(name, source): (&String, &Located<SecretSource>)| match &source.value {
        SecretSource::Env(_) | SecretSource::File(_) | SecretSource::Written(_) => {
            read_now(&source.value, Purpose::Named(name)).err().map(|problem| placed(problem, source))
        }
        SecretSource::Command(_) | SecretSource::Prompt(_) => None,
    };
    sources.iter().filter_map(read).collect()
}

/// Reads secrets: environment and files first, then commands, and questions only when nothing is wrong so far. Each
/// source once, whatever its names.
pub(in crate::cli) async fn read(
    sources: &SecretSources,
    prompter: &mut impl Prompter,
) -> Result<Vec<(String, Secret)>, CliError> {
    let mut values: Vec<(&SecretSource, String, Secret)> = Vec::new();
    let mut problems = Vec::new();
    let mut ordered: Vec<_> = sources.iter().collect();
    ordered.sort_by_key(|(_, source)| match source.value {
        SecretSource::Env(_) | SecretSource::File(_) | SecretSource::Written(_) => 0,
        SecretSource::Command(_) => 1,
        SecretSource::Prompt(_) => 2,
    });
    for (name, source) in ordered {
        let known = values.iter().find(|(known, ..)| **known == source.value);
        let known = known.map(|(_, _, secret)| secret.clone());
        let read = match (known, &source.value) {
            (Some(known), _) => Ok(known),
            (None, SecretSource::Env(_) | SecretSource::File(_) | SecretSource::Written(_)) => {
                read_now(&source.value, Purpose::Named(name))
            }
            (None, SecretSource::Command(line)) => run(line, Purpose::Named(name), COMMAND_LIMIT).await,
            (None, SecretSource::Prompt(_)) if !problems.is_empty() => break,
            (None, SecretSource::Prompt(question)) => ask(name, question, prompter)?,
        };
        match read {
            Ok(secret) => values.push((&source.value, name.clone(), secret)),
            Err(problem) => problems.push(placed(problem, source)),
        }
    }
    // What a command complains about may hold another secret.
    values.iter().for_each(|(_, _, secret)| hide_also(secret));
    if !problems.is_empty() {
        problems.sort_by(|a, b| a.position.cmp(&b.position));
        return Err(CliError::Input(problems));
    }
    warn_of_short(values.iter().map(|(_, name, secret)| (name.as_str(), secret)));
    Ok(values.into_iter().map(|(_, name, secret)| (name, secret)).collect())
}

/// Asks a person.
fn ask(
    name: &str,
    question: &str,
    prompter: &mut impl Prompter,
) -> Result<Result<Secret, Diagnostic>, CliError> {
    match prompter.ask(question.trim_end_matches([':', ' '])) {
        Ok(secret) if secret.reveal().is_empty() => {
            Ok(Err(Diagnostic::bare(format!("secret \"{name}\": nothing was entered"))))
        }
        Ok(secret) => Ok(Ok(secret)),
        Err(error) => {
            let problem = || {
                Diagnostic::bare(format!(
                    "secret \"{name}\" must be typed in, and there is no terminal to ask on"
                ))
                .help(format!(
                    "say where it comes from: {name}: {{env: NAME}}, {{file: PATH}} or {{command: LINE}}"
                ))
            };
            unanswered(error, problem).map(Err)
        }
    }
}

/// A problem at the place where its secret is named.
fn placed(problem: Diagnostic, source: &Located<SecretSource>) -> Diagnostic {
    Diagnostic { position: Some(source.position.clone()), ..problem }
}

#[cfg(test)]
mod tests {
    use crate::cli::prompt::PromptError;
    use crate::model::position::Position;

    use super::*;

    /// Gives every question the same answer, or none.
    struct Person {
        answer: Option<&'static str>,
        asked: Vec<String>,
    }

    impl Prompter for Person {
        fn ask(&mut self, question: &str) -> Result<Secret, PromptError> {
            self.asked.push(question.to_owned());
            self.answer.map(Secret::new).ok_or(PromptError::NoTerminal)
        }
    }

    fn sources(sources: &[(&str, SecretSource)]) -> SecretSources {
        let located = |(line, (name, source)): (u32, &(&str, SecretSource))| {
            let position = Position::new("tasks.yaml", line, 3);
            ((*name).to_owned(), Located::new(source.clone(), position))
        };
        (1..).zip(sources).map(located).collect()
    }

    fn prompt(question: &str) -> SecretSource {
        SecretSource::Prompt(question.to_owned())
    }

    async fn resolved(named: &[(&str, SecretSource)], person: &mut Person) -> Result<Vec<String>, String> {
        match read(&sources(named), person).await {
            Ok(values) => {
                Ok(values.iter().map(|(name, secret)| format!("{name}={}", secret.reveal())).collect())
            }
            Err(error) => Err(error.worded(ToString::to_string) + "\n"),
        }
    }

    #[tokio::test]
    async fn a_source_is_read_once_and_people_come_last() {
        let folder = tempfile::tempdir().unwrap();
        let count = folder.path().join("count");
        let command = SecretSource::Command(format!("echo >> {0}; wc -l < {0}", count.display()));
        let mut person = Person { answer: Some("typed"), asked: Vec::new() };
        let named = [("a", prompt("Q: ")), ("b", command.clone()), ("c", prompt("Q: ")), ("d", command)];
        let values = resolved(&named, &mut person).await.unwrap();
        assert_eq!(values, ["b=1", "d=1", "a=typed", "c=typed"]);
        assert_eq!(person.asked, ["Q"]);
    }

    #[tokio::test]
    async fn all_that_is_wrong_is_told_at_its_place_and_nobody_is_asked_then() {
        let mut person = Person { answer: None, asked: Vec::new() };
        let unset = SecretSource::Env("FAN_TEST_THIS_IS_NOT_SET".to_owned());
        let failing = SecretSource::Command("exit 3".to_owned());
        let named = [("a", failing), ("b", prompt("Q")), ("c", unset)];
        assert_eq!(
            resolved(&named, &mut person).await.unwrap_err(),
            "tasks.yaml:1:3: error: secret \"a\": its command failed (exit status: 3) (help: try it in a shell: \
             what it prints is the secret)\n\
             tasks.yaml:3:3: error: secret \"c\": its environment variable FAN_TEST_THIS_IS_NOT_SET is not set \
             (help: export FAN_TEST_THIS_IS_NOT_SET first, or use another source)\n"
        );
        assert!(person.asked.is_empty());
        assert_eq!(
            resolved(&[("a", prompt("Q"))], &mut person).await.unwrap_err(),
            "tasks.yaml:1:3: error: secret \"a\" must be typed in, and there is no terminal to ask on (help: say where it comes from: a: {env: NAME}, {file: PATH} or {command: LINE})\n"
        );
        person.answer = Some("");
        let said = resolved(&[("a", prompt("Q"))], &mut person).await.unwrap_err();
        assert_eq!(said, "tasks.yaml:1:3: error: secret \"a\": nothing was entered\n");
    }
}
