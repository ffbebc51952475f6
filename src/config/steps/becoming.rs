//! As whom a step is done (`sudo`, `user`), what its command reads and is answered (`stdin`, `respond`, `pty`), and
//! local files that are run on a host (`script`).

use std::path::Path;

use regex::Regex;

use crate::config::fields::{Schema, expected, flag, integer, kind, literal, map, text};
use crate::config::findings::Findings;
use crate::config::scalar;
use crate::config::settings::Sudo;
use crate::config::steps::files::FileFields;
use crate::config::tables::tasks;
use crate::config::templates::{checked, template};
use crate::config::yaml::{Node, YamlEntry};
use crate::model::position::Located;
use crate::model::task::{
    Action, Become, Dialogue, InputText, Respond, RunAs, ScriptArgs, ScriptFile, TemplateText,
};
use crate::model::template::Syntax;

const RESPOND: Schema =
    Schema { known: &[tasks::RESPOND], synonyms: &[("expect", "prompt"), ("response", "answer")] };

/// Most answers of one kind.
const MAX_TIMES: u32 = 1000;

/// Whether a value of `sudo` says how, and not what.
pub(super) fn is_manner(node: &Node) -> bool {
    match node {
        Node::Scalar(scalar) => scalar.is_null() || scalar::boolean(&scalar.text).is_some(),
        Node::Map(_) | Node::Broken(_) => true,
        Node::List(_) => false,
    }
}

/// As whom the step is done, from `sudo` and `user`.
pub(super) fn run_as(fields: &FileFields<'_>, findings: &mut Findings) -> Option<RunAs> {
    // The action `sudo: SCRIPT` says it too.
    let own = &*fields.action.key.text == "sudo";
    said(fields.node("sudo"), fields.entry("user"), own, findings)
}

/// As whom the steps of a task are done.
pub(in crate::config) fn of_task(task: &YamlEntry, findings: &mut Findings) -> Option<RunAs> {
    let Node::Map(map) = &task.value else { return None };
    let entry = |key: &str| map.entries.iter().find(|entry| &*entry.key.text == key);
    said(entry("sudo").map(|entry| &entry.value), entry("user"), false, findings)
}

fn said(sudo: Option<&Node>, user: Option<&YamlEntry>, own: bool, findings: &mut Findings) -> Option<RunAs> {
    let wanted = sudo.map(|node| manner(node, findings));
    let name = user.and_then(|user| user_name(&user.value, findings));
    let mut other = match wanted {
        Some(None) => return None,
        Some(Some(RunAs::Login)) => {
            if let Some(user) = user {
                let message = "\"user\" has no effect with \"sudo: false\"";
                findings.error(&user.key.position, message);
            }
            return Some(RunAs::Login);
        }
        Some(Some(RunAs::Other(other))) => *other,
        None if own || user.is_some() => Become::default(),
        None => return None,
    };
    if let Some(user) = user {
        if other.user.is_some() {
            findings.error(&user.key.position, "\"user\" is given twice: here and in \"sudo\"");
        }
        other.user = name;
    }
    Some(RunAs::Other(Box::new(other)))
}

/// `true`, `false`, or a map of how.
fn manner(node: &Node, findings: &mut Findings) -> Option<RunAs> {
    let Node::Map(at) = node else {
        let wanted = match node {
            // Not a text: `sudo: ls` beside another action.
            Node::Scalar(scalar) if scalar::boolean(&scalar.text).is_none() && !scalar.is_null() => {
                let message = "\"sudo\" beside another action must be true, false or a map";
                findings.error_help(
                    &scalar.position,
                    message,
                    "write \"sudo: true\", or \"- sudo: SCRIPT\" alone",
                );
                return None;
            }
            Node::List(list) => {
                let message = "\"sudo\" beside another action must be true, false or a map, not a list";
                findings.error(&list.position, message);
                return None;
            }
            _ => flag(node, "sudo", findings)?,
        };
        return Some(if wanted { RunAs::Other(Box::default()) } else { RunAs::Login });
    };
    let base = Path::new(&*at.position.file).parent().unwrap_or(Path::new("")).to_owned();
    let mut sudo = Sudo::default();
    let mut user = None;
    for entry in map(node, "a map of how", "key", findings) {
        match &*entry.key.text {
            "user" => user = user_name(&entry.value, findings),
            _ => sudo.read(entry, &base, findings),
        }
    }
    Some(RunAs::Other(Box::new(Become { user, method: sudo.method, password: sudo.password })))
}

fn user_name(node: &Node, findings: &mut Findings) -> Option<TemplateText> {
    let name = template(node, "user", Syntax::Text, findings)?;
    if name.value.trim().is_empty() || name.value.starts_with('-') {
        findings.error(&name.position, "\"user\" is not a user name");
        return None;
    }
    Some(name)
}

/// What the step's command reads, and on what.
pub(super) fn dialogue(fields: &FileFields<'_>, findings: &mut Findings) -> Dialogue {
    let stdin = fields.node("stdin").and_then(|node| template(node, "stdin", Syntax::Text, findings));
    let stdin = stdin.map(InputText::Own);
    let pty = fields.node("pty").and_then(|node| flag(node, "pty", findings)).unwrap_or_default();
    let respond = fields.node("respond").map(|node| answers(node, findings)).unwrap_or_default();
    if let Some(entry) = fields.entry("stdin") {
        let other = if fields.entry("respond").is_some() { Some("respond") } else { pty.then_some("pty") };
        if let Some(other) = other {
            let message = format!("\"stdin\" and \"{other}\" exclude each other");
            let help = "\"stdin\" is fixed input; \"respond\" answers prompts";
            findings.error_help(&entry.key.position, message, help);
        }
    }
    Dialogue { stdin, pty, respond }
}

fn answers(node: &Node, findings: &mut Findings) -> Vec<Respond> {
    const HELP: &str = "write \"respond: [{prompt: REGEX, answer: TEXT}]\"";
    match node {
        Node::Map(_) => answer(node, findings).into_iter().collect(),
        Node::List(list) if list.items.is_empty() => {
            findings.error_help(&list.position, "\"respond\" is empty", HELP);
            Vec::new()
        }
        Node::List(list) => list.items.iter().filter_map(|item| answer(item, findings)).collect(),
        Node::Scalar(_) | Node::Broken(_) => {
            expected(node, "a list of answers", Some(HELP.to_owned()), findings);
            Vec::new()
        }
    }
}

fn answer(node: &Node, findings: &mut Findings) -> Option<Respond> {
    let (mut prompt, mut reply, mut times) = (None, None, 1);
    let mut refused = false;
    for YamlEntry { key, value } in map(node, "an answer", "key", findings) {
        match &*key.text {
            "prompt" => {
                let pattern = literal(value, "prompt", findings)?;
                match Regex::new(&pattern.text) {
                    Ok(regex) if regex.is_match("") => {
                        findings.error(&pattern.position, "\"prompt\" also matches when nothing was asked");
                        refused = true;
                    }
                    Ok(_) => {
                        prompt = Some(Located::new(pattern.text.to_string(), pattern.start.clone()));
                    }
                    Err(error) => {
                        let why = error.to_string().lines().last().unwrap_or_default().trim().to_owned();
                        let message = format!("\"prompt\" is no regular expression: {why}");
                        findings.error(&pattern.position, message);
                        refused = true;
                    }
                }
            }
            "answer" => reply = template(value, "answer", Syntax::Text, findings),
            "times" => times = integer(value, "times", 1..=MAX_TIMES, findings).unwrap_or(1),
            _ => {
                RESPOND.refuse(key, findings);
                refused = true;
            }
        }
    }
    if let (Some(prompt), Some(answer)) = (prompt, reply) {
        return Some(Respond { prompt, answer, times });
    }
    if !refused && matches!(node, Node::Map(_)) {
        findings.error(node.position(), "an answer needs \"prompt\" and \"answer\"");
    }
    None
}

/// `script: FILE`, with the arguments in `args`.
pub(super) fn script(fields: &FileFields<'_>, findings: &mut Findings) -> Option<Action> {
    let node = &fields.action.value;
    let from = text(node, "script", findings)?;
    if from.text.trim().is_empty() || from.text.contains('\n') {
        let message = "\"script\" must name a local file";
        findings.error_help(&from.position, message, "put the lines of a script in \"run\"");
        return None;
    }
    let from = checked(from, Syntax::Text, findings);
    let args = match fields.node("args") {
        None => ScriptArgs::Words(Vec::new()),
        Some(Node::List(list)) => {
            let words = list.items.iter().filter_map(|item| template(item, "args", Syntax::Text, findings));
            ScriptArgs::Words(words.collect())
        }
        Some(node @ Node::Map(_)) => {
            let message = format!("\"args\" must be a list or a text, not {}", kind(node));
            findings.error(node.position(), message);
            return None;
        }
        Some(node) => ScriptArgs::Line(checked(text(node, "args", findings)?, Syntax::Shell, findings)),
    };
    Some(Action::Script(ScriptFile { from, content: None, args }))
}
