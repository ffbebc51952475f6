//! What the subcommands on files share: a plan of one task with one step, and texts of the command line in it.

use std::sync::Arc;

use crate::cli::args::{ChangesArgs, Color, JournalArg, Looking, OnFilesArgs, Ownership, Tree};
use crate::cli::context::{self, Common};
use crate::cli::error::CliError;
use crate::cli::fleet;
use crate::cli::journal::Invocation;
use crate::cli::output::{DryEnd, OutputContent};
use crate::cli::print::print;
use crate::cli::protected::{self, Guard};
use crate::cli::{plan_view, runner};
use crate::engine::plan::Changes;
use crate::engine::planner::{self};
use crate::model::files::{Attributes, TreeRules};
use crate::model::outcome::ExitCode;
use crate::model::position::{Located, Position};
use crate::model::task::{Action, Step, TemplateText};

/// What is done, and how to call it.
pub(super) struct OneStep<'a> {
    /// The subcommand.
    pub(super) verb: &'static str,
    /// What it is done to, as the user wrote it.
    pub(super) subject: String,
    pub(super) action: Action,
    pub(super) kind: OneStepKind<'a>,
}

/// What comes of it.
pub(super) enum OneStepKind<'a> {
    /// A look at the hosts, which is data and no run of its own.
    Look,
    /// Files, moved.
    Move {
        changes: &'a ChangesArgs,
        journal: &'a JournalArg,
        /// The protected roles that are confirmed, where the step changes hosts.
        confirmed: &'a [String],
    },
}

impl<'a> OneStepKind<'a> {
    /// The moving of files by a command line with these flags.
    pub(super) fn moving(common: &'a OnFilesArgs, confirmed: &'a [String]) -> Self {
        Self::Move { changes: &common.changes, journal: &common.journal, confirmed }
    }
}

/// Plans the step on the selected hosts and carries it out.
pub(super) fn run(
    step: OneStep<'_>,
    args: &Looking,
    color: Color,
    invocation: &Invocation,
) -> Result<ExitCode, CliError> {
    let OneStep { verb, subject, action, kind } = step;
    let execution = &args.execution;
    let (changes, dry, confirmed) = match &kind {
        OneStepKind::Look => (Changes::default(), None, &[][..]),
        OneStepKind::Move { changes, confirmed, .. } => (changes.changes(), changes.dry(), *confirmed),
    };
    let changes_something = !changes.dry_run && action.properties().changes_host();
    let mut inventory = context::inventory(&args.selection.source)?;
    let selected = context::select_or_default(&mut inventory, &args.selection)?;
    let selected = selected.ok_or_else(|| context::no_hosts(&inventory))?;
    if args.execution.output.verbose {
        context::explain(&mut inventory, &args.selection);
    }
    let title = format!("{verb} {subject}");
    let request = Common {
        changes,
        condition: args.condition.get(),
        known: fleet::known(&args.condition)?,
        ..Common::executing(execution, title.clone())?.with_sudo_password(&args.raising.password)
    }
    .request(&inventory);
    let name = Some(at_no_place(subject.as_str()));
    let run_as = args.raising.run_as()?;
    let timeout = execution.limit.command_timeout;
    let step = Step { name, run_as, timeout, ..Step::bare(action) };
    let plan = planner::step(request, &inventory, &selected, step, &title)?;
    context::preflight(&plan)?;
    if args.plan {
        print(&(plan_view::render(&plan) + &invocation.preview(&plan)?))?;
        return Ok(ExitCode::Ok);
    }
    protected::agreed(&inventory, &plan, Guard::of(changes_something, confirmed))?;
    let plan = invocation.take_up(plan)?;
    let recording = match &kind {
        OneStepKind::Move { journal, .. } if !changes.dry_run => {
            let lists = context::lists(&args.selection);
            let lists = lists.iter().filter_map(|list| list.to_str());
            let piped = context::piped_sources(&args.selection);
            let files = [&*inventory.file].into_iter().chain(lists).chain(piped);
            Some(invocation.recording(journal, files))
        }
        OneStepKind::Look | OneStepKind::Move { .. } => None,
    };
    let log = matches!(kind, OneStepKind::Move { .. });
    let content = OutputContent { log, diff: plan.changes.diff, shape: None, dry };
    drop(inventory);
    runner::run(plan, &execution.output, color, content, recording, None)
}

/// What goes where, for titles.
pub(super) fn moved(from: &[String], to: &str) -> String {
    format!("{} → {to}", from.join(" "))
}

/// A path of the command line as a template: `{host}` stands for the host's name, and all else for itself.
pub(super) fn path(text: &str) -> TemplateText {
    let mut template = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        let (before, after) = rest.split_at(open);
        template.push_str(before);
        rest = match after.strip_prefix("{host}") {
            Some(rest) => {
                template.push_str("{{ host }}");
                rest
            }
            None => {
                template.push_str(brace(after, r#"{{ "{" }}"#));
                after.get(1..).unwrap_or_default()
            }
        };
    }
    template.push_str(rest);
    at_no_place(&template)
}

/// A command of the command line as a template of a script: it stands for itself.
pub(super) fn command(text: &str) -> TemplateText {
    let mut template = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        match c {
            '{' => template.push_str(brace(text.get(at..).unwrap_or_default(), r#"{{ "{" | raw }}"#)),
            c => template.push(c),
        }
    }
    at_no_place(&template)
}

/// A text of the command line as a template: it stands for itself.
pub(super) fn literal(text: &str) -> TemplateText {
    let mut template = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        match c {
            '{' => template.push_str(brace(text.get(at..).unwrap_or_default(), r#"{{ "{" }}"#)),
            c => template.push(c),
        }
    }
    at_no_place(&template)
}

/// A brace at the beginning of a text, written so that it opens no template.
fn brace<'a>(text: &str, escaped: &'a str) -> &'a str {
    if ["{{", "{%", "{#"].iter().any(|open| text.starts_with(open)) { escaped } else { "{" }
}

fn at_no_place(text: &str) -> TemplateText {
    Located::new(Arc::from(text), Position::new("", 0, 0))
}

impl Tree {
    /// What of folders is moved.
    pub(super) fn rules(&self, times: bool) -> TreeRules {
        let glob = |glob: &String| Located::new(glob.clone(), Position::new("", 0, 0));
        TreeRules { exclude: self.skip.iter().map(glob).collect(), links: self.links.links(), times }
    }
}

impl Ownership {
    /// Modes and owners; the owner's name is data.
    pub(super) fn attributes(&self) -> Attributes {
        Attributes {
            mode: self.mode,
            dir_mode: self.dir_mode,
            owner: self.owner.as_deref().map(path),
            group: self.group.as_deref().map(path),
        }
    }
}

impl ChangesArgs {
    /// What becomes of changes.
    pub(super) fn changes(&self) -> Changes {
        Changes { dry_run: self.dry_run, diff: self.diff }
    }

    /// What comes of a dry run, if it is one.
    pub(super) fn dry(&self) -> Option<DryEnd> {
        self.dry_run.then_some(if self.exit_code { DryEnd::ExitCode } else { DryEnd::Said })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::model::template::{Builtins, Layer, Scope, Templates};
    use crate::model::value::Value;

    fn templates() -> Templates {
        Templates::new(&Builtins::default())
    }

    fn scope() -> Scope {
        let Value::Object(vars) = json!({"host": "web1", "x": "no"}) else { unreachable!() };
        Scope::new().with(Layer::new(&vars))
    }

    fn rendered(text: &str) -> String {
        templates().render_text(&path(text).value, &scope()).unwrap()
    }

    #[test]
    fn the_host_is_named_and_all_else_is_data() {
        for (text, expected) in [
            ("logs/{host}/", "logs/web1/"),
            ("{host}{host}", "web1web1"),
            ("/a/{{ x }}/{% if x %}/{# x #}", "/a/{{ x }}/{% if x %}/{# x #}"),
            ("{{host}}", "{web1}"),
            ("{{{host}", "{{web1"),
            ("{user} {", "{user} {"),
            ("a}} \"{{\" 'ä", "a}} \"{{\" 'ä"),
        ] {
            assert_eq!(rendered(text), expected, "{text}");
        }
        assert_eq!(&*path("/srv/{a,b}").value, "/srv/{a,b}", "plain text stays plain");
    }

    #[test]
    fn a_command_is_data() {
        for text in ["nginx -t -c %s", "test '{{ x }}' = {host} && {% x \"{{\" #}", "echo ${#a} ${{a}"] {
            assert_eq!(templates().render_script(&command(text).value, &scope()).unwrap(), text);
        }
    }

    proptest! {
        #[test]
        fn any_path_renders_to_itself(text in "([{}%#\"'\\\\ -]|[a-z]|\\{host\\}|ä|\n){0,24}") {
            prop_assert_eq!(rendered(&text), text.replace("{host}", "web1"));
        }

        #[test]
        fn any_command_renders_to_itself(text in "([{}%#$() -]|[a-z]){0,16}") {
            // A text that is no shell syntax may be refused, but never changed.
            if let Ok(script) = templates().render_script(&command(&text).value, &scope()) {
                prop_assert_eq!(script, text);
            }
        }
    }
}
