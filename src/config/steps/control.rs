//! The keys that say whether, how often and for which items a step is done, and what its result means.

use std::time::Duration;

use crate::config::fields::{expected, flag, has_template, integer, literal, text, texts, time_limit};
use crate::config::findings::Findings;
use crate::config::templates::{checked, template, value};
use crate::config::yaml::Node;
use crate::model::name::check_tag;
use crate::model::position::{Located, Position};
use crate::model::shell::plain_interpreter;
use crate::model::task::{Each, Repeat, Shown, Step, TemplateText};
use crate::model::template::Syntax;

/// How often a step with `until` and no `retries` is tried again.
const RETRIES: u32 = 3;

/// The pause before each try.
const DELAY: Duration = Duration::from_secs(5);

/// The keys that only make sense together.
#[derive(Default)]
pub(super) struct Control {
    retries: Option<u32>,
    delay: Option<(Duration, Position)>,
    until: Option<TemplateText>,
    hide: bool,
    secret: bool,
    creates: Option<Position>,
}

impl Control {
    /// Reads a key, if it is one of these.
    pub(super) fn read(&mut self, key: &str, node: &Node, step: &mut Step, findings: &mut Findings) -> bool {
        match key {
            "each" => step.each = each(node, findings),
            "idle_timeout" => step.idle_timeout = time_limit(node, key, findings),
            "shell" => step.shell = shell(node, findings),
            "creates" => {
                self.creates = Some(node.position().clone());
                step.guards.creates = template(node, key, Syntax::Text, findings);
            }
            "unless" => step.guards.unless = script(node, key, findings),
            "onlyif" => step.guards.onlyif = script(node, key, findings),
            "retries" => self.retries = integer(node, key, 0..=1000, findings),
            "delay" => {
                self.delay = time_limit(node, key, findings)
                    .map(|delay| (delay.duration().unwrap_or_default(), node.position().clone()));
            }
            "until" => self.until = template(node, key, Syntax::Expression, findings),
            "ok_codes" => step.ok_codes = ok_codes(node, findings),
            "changed_when" => step.changed_when = template(node, key, Syntax::Expression, findings),
            "warn_only" => step.warn_only = flag(node, key, findings).unwrap_or_default(),
            "run_once" => step.run_once = flag(node, key, findings).unwrap_or_default(),
            "throttle" => step.throttle = integer(node, key, 1..=100_000, findings),
            "hide" => self.hide = flag(node, key, findings).unwrap_or_default(),
            "secret" => self.secret = flag(node, key, findings).unwrap_or_default(),
            "durable" => step.durable = durable(node, findings),
            "reads" => step.reads = flag(node, key, findings).unwrap_or_default(),
            "notify" => step.notify = names(node, key, findings),
            "tags" => step.tags = tags(node, findings),
            _ => return false,
        }
        true
    }

    /// Puts together what belongs together.
    pub(super) fn finish(self, step: &mut Step, findings: &mut Findings) {
        let Self { retries, delay, until, hide, secret, creates } = self;
        if step.reads {
            refuse_changes(step, creates, findings);
        }
        step.shown = match (hide, secret) {
            (_, true) => Shown::StatusOnly,
            (true, false) => Shown::NoOutput,
            (false, false) => Shown::All,
        };
        if retries.is_none() && until.is_none() {
            if let Some((_, position)) = delay {
                let message = "\"delay\" has no effect without \"retries\" or \"until\"";
                findings.error(&position, message);
            }
            return;
        }
        let retries = retries.unwrap_or(RETRIES);
        step.repeat = Some(Repeat { retries, delay: delay.map_or(DELAY, |(delay, _)| delay), until });
    }
}

/// Refuses what says of a command that only reads that it changes something.
fn refuse_changes(step: &Step, creates: Option<Position>, findings: &mut Findings) {
    let changed_when = step.changed_when.as_ref().map(|text| &text.position);
    let notify = step.notify.first().map(|name| &name.position);
    for (key, position) in [("creates", creates.as_ref()), ("changed_when", changed_when), ("notify", notify)]
    {
        let Some(position) = position else { continue };
        let message = format!("\"{key}\" has no meaning beside \"reads\": what only reads changes nothing");
        let help = match key {
            "creates" => "leave \"reads\" out if the command writes; `unless: test -e PATH` only skips",
            _ => "leave one of them out; a later step can look at the result: `when: out.rc == 1`",
        };
        findings.error_help(position, message, help);
    }
}

/// Whether a command outlives the connection.
pub(in crate::config) fn durable(node: &Node, findings: &mut Findings) -> Option<Located<bool>> {
    let durable = flag(node, "durable", findings)?;
    Some(Located::new(durable, node.position().clone()))
}

/// A list, or an expression that gives one.
fn each(node: &Node, findings: &mut Findings) -> Option<Each> {
    match node {
        Node::List(list) => Some(Each::Items(list.items.iter().map(|item| value(item, findings)).collect())),
        Node::Scalar(scalar) if !scalar.is_null() => {
            if has_template(&scalar.text) {
                findings.error_help(
                    &scalar.position,
                    "\"each\" is an expression",
                    "write it without the braces, or write a list",
                );
                return None;
            }
            Some(Each::Expression(checked(scalar, Syntax::Expression, findings)))
        }
        _ => {
            expected(node, "a list, or an expression that gives one", None, findings);
            None
        }
    }
}

fn script(node: &Node, field: &str, findings: &mut Findings) -> Option<TemplateText> {
    let scalar = text(node, field, findings)?;
    if scalar.text.trim().is_empty() {
        findings.error(&scalar.position, format!("\"{field}\" is empty"));
        return None;
    }
    Some(checked(scalar, Syntax::Shell, findings))
}

fn shell(node: &Node, findings: &mut Findings) -> Option<Located<String>> {
    let scalar = literal(node, "shell", findings)?;
    if let Err(error) = plain_interpreter(&scalar.text) {
        findings.error(&scalar.position, error.to_string());
        return None;
    }
    Some(Located::new(scalar.text.to_string(), scalar.start.clone()))
}

/// Exit statuses: one, or a list of them.
fn ok_codes(node: &Node, findings: &mut Findings) -> Option<Vec<u32>> {
    let Node::List(list) = node else {
        return integer(node, "ok_codes", 0..=255, findings).map(|code| vec![code]);
    };
    if list.items.is_empty() {
        findings.error_help(&list.position, "\"ok_codes\" is empty", "write \"ok_codes: [0, 1]\"");
        return None;
    }
    Some(list.items.iter().filter_map(|item| integer(item, "ok_codes", 0..=255, findings)).collect())
}

/// One name, or a list of them.
fn names(node: &Node, field: &str, findings: &mut Findings) -> Vec<Located<String>> {
    let scalars = match node {
        Node::List(_) => texts(node, field, "a list of names", findings),
        _ => text(node, field, findings).into_iter().collect(),
    };
    scalars.into_iter().map(|scalar| Located::new(scalar.text.to_string(), scalar.start.clone())).collect()
}

fn tags(node: &Node, findings: &mut Findings) -> Vec<String> {
    let mut tags = Vec::new();
    for tag in names(node, "tags", findings) {
        match check_tag(&tag.value) {
            Ok(()) => tags.push(tag.value),
            Err(message) => findings.error(&tag.position, message),
        }
    }
    tags
}
