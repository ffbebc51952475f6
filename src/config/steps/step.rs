//! Reads steps: what each is, and the steps within it.

use indexmap::IndexMap;

use crate::config::fields::{Schema, expected, kind, list, literal, map, quote, text, time_limit};
use crate::config::findings::Findings;
use crate::config::places::environment_name;
use crate::config::scalar;
use crate::config::steps::control::Control;
use crate::config::steps::files::FileFields;
use crate::config::steps::keys::{STEP, TWOFOLD, is_action as is_name, shapes_some};
use crate::config::steps::{becoming, files, keys, waiting};
use crate::config::tables::tasks;
use crate::config::templates::{checked, template, value};
use crate::config::yaml::{Map, Node, YamlEntry};
use crate::model::name::{check_task_name, check_variable_name};
use crate::model::position::Located;
use crate::model::shell::is_posix_family;
use crate::model::task::{Action, Block, Command, Include, Step, Template, TemplateText};
use crate::model::template::Syntax;

pub(in crate::config) const ASSERT: Schema =
    Schema { known: &[tasks::ASSERT], synonyms: &[("msg", "message"), ("fail_msg", "message")] };

/// Reads a list of steps; `whose` says whose they are: `task "deploy"`.
pub(in crate::config) fn steps(node: &Node, whose: &str, findings: &mut Findings) -> Vec<Step> {
    let items = list(node, "a list of steps", findings);
    items.iter().enumerate().filter_map(|(index, item)| step(item, index + 1, whose, findings)).collect()
}

/// Reads a step that stands alone.
pub(in crate::config) fn one_step(node: &Node, whose: &str, findings: &mut Findings) -> Option<Step> {
    step(node, 1, whose, findings)
}

pub(super) fn step(node: &Node, number: usize, whose: &str, findings: &mut Findings) -> Option<Step> {
    match node {
        Node::Map(map) => from_map(node, map, number, whose, findings),
        Node::Scalar(scalar) if !scalar.is_null() => {
            let script = script(node, "run", findings)?;
            Some(Step { position: scalar.position.clone(), ..Step::bare(Action::Run(script)) })
        }
        Node::Scalar(_) | Node::List(_) | Node::Broken(_) => {
            let help = "write \"- run: COMMAND\"".to_owned();
            expected(node, "a step", Some(help), findings);
            None
        }
    }
}

fn from_map(node: &Node, at: &Map, number: usize, whose: &str, findings: &mut Findings) -> Option<Step> {
    let mut step = Step { position: at.position.clone(), ..Step::bare(Action::Barrier) };
    let warned = findings.warned();
    let mut control = Control::default();
    let mut actions: Vec<&YamlEntry> = Vec::new();
    let mut of_some: Vec<&YamlEntry> = Vec::new();
    let has = |name: &str| at.entries.iter().any(|entry| &*entry.key.text == name);
    // `sudo: true` shapes a step; `sudo: SCRIPT` is one.
    let has_other = at.entries.iter().any(|entry| &*entry.key.text != TWOFOLD && is_name(&entry.key.text));
    let is_action = |entry: &YamlEntry| match &*entry.key.text {
        TWOFOLD => !has_other && !becoming::is_manner(&entry.value),
        key => is_name(key),
    };
    let mut refused = false;
    for entry in map(node, "a step", "key", findings) {
        let (key, value) = (&*entry.key.text, &entry.value);
        match key {
            "name" => step.name = template(value, key, Syntax::Text, findings),
            "when" => step.when = template(value, key, Syntax::Expression, findings),
            "register" => step.register = variable(value, key, findings),
            "cd" => step.cd = template(value, key, Syntax::Text, findings),
            "lcd" => step.lcd = template(value, key, Syntax::Text, findings),
            "on" => step.on = template(value, key, Syntax::Text, findings),
            "env" => step.env = environment(value, findings),
            "timeout" => step.timeout = time_limit(value, key, findings),
            _ if control.read(key, value, &mut step, findings) => {}
            _ => {}
        }
        if is_action(entry) {
            actions.push(entry);
        } else if shapes_some(key) {
            of_some.push(entry);
        } else if !STEP.knows(key) {
            refused = true;
            keys::refuse(&entry.key, has, findings);
        }
    }
    // A key that is refused may be the one that was to be the action.
    if actions.len() > 1 || (actions.is_empty() && !refused) {
        let names: Vec<&str> = actions.iter().map(|entry| &*entry.key.text).collect();
        let step = format!("step {number} of {whose}");
        if names.is_empty() {
            let help = format!("one of {}", keys::actions().collect::<Vec<_>>().join(", "));
            findings.error_help(&at.position, format!("{step} has no action"), help);
        } else {
            let found = names.join(" and ");
            let help = "make them two steps, or a block";
            findings.error_help(&at.position, format!("{step} has more than one action: {found}"), help);
        }
        // What is wrong within them is told as well; what they lack is nobody's question now.
        for entry in actions {
            action(&FileFields::new(entry, &[], true), findings);
        }
        return None;
    }
    let entry = actions.pop()?;
    let name = &*entry.key.text;
    of_some.retain(|entry| keys::belongs(&entry.key, name, findings));
    let fields = FileFields::new(entry, &of_some, refused);
    step.run_as = becoming::run_as(&fields, findings);
    step.dialogue = becoming::dialogue(&fields, findings);
    control.finish(&mut step, findings);
    step.action = action(&fields, findings)?;
    // What warnings say of quotes holds for the quotes of POSIX shells.
    if step.shell.as_ref().is_some_and(|shell| !is_posix_family(&shell.value)) {
        findings.forget_warnings(warned);
    }
    // One answer is for all hosts.
    step.run_once |= step.action.properties().asks();
    Some(step)
}

pub(super) fn action(fields: &FileFields<'_>, findings: &mut Findings) -> Option<Action> {
    let YamlEntry { key, value } = fields.action;
    let name = &*key.text;
    match name {
        "run" => command(value, name, findings).map(Action::Run),
        "sudo" => program(command(value, name, findings)?, fields, findings).map(Action::Run),
        "script" => becoming::script(fields, findings),
        "local" => command(value, name, findings).map(Action::Local),
        "echo" => template(value, name, Syntax::Text, findings).map(Action::Echo),
        "fail" => template(value, name, Syntax::Text, findings).map(Action::Fail),
        "set" => set(value, findings).map(Action::Set),
        "assert" => assert(value, findings),
        "facts" => waiting::facts(value, findings),
        "wait_for" => waiting::wait_for(value, findings),
        "confirm" => template(value, name, Syntax::Text, findings).map(Action::Confirm),
        "prompt" => waiting::prompt(value, findings),
        "reboot" => waiting::reboot(value, findings),
        "barrier" => flagged(value, name, Action::Barrier, findings),
        "block" => block(fields, findings),
        "task" => include(fields, findings),
        _ => files::action(fields, findings),
    }
}

/// The command of `sudo: ...`: a list is a program that sudo runs itself.
fn program(command: Command, fields: &FileFields<'_>, findings: &mut Findings) -> Option<Command> {
    let Command::Argv(words) = command else { return Some(command) };
    if let Some(env) = fields.entry("env") {
        let message = "\"env\" has no effect on a program that sudo runs: sudo clears the environment";
        let help = "write sudo: [env, NAME=VALUE, PROGRAM], or a script: sudo: PROGRAM ARGUMENTS";
        findings.error_help(&env.key.position, message, help);
        return None;
    }
    Some(Command::Program(words))
}

/// A script, or a program with its arguments.
pub(super) fn command(node: &Node, field: &str, findings: &mut Findings) -> Option<Command> {
    let Node::List(arguments) = node else { return script(node, field, findings) };
    let before = arguments.items.len();
    let argv: Vec<TemplateText> =
        arguments.items.iter().filter_map(|item| template(item, field, Syntax::Text, findings)).collect();
    if before == 0 || argv.first().is_some_and(|program| program.value.is_empty()) {
        findings.error(node.position(), format!("\"{field}\" names no program"));
        return None;
    }
    (argv.len() == before).then_some(Command::Argv(argv))
}

pub(super) fn script(node: &Node, field: &str, findings: &mut Findings) -> Option<Command> {
    if let Node::Map(_) = node {
        let message = format!("\"{field}\" must be a script or a list of words, not {}", kind(node));
        findings.error_help(
            node.position(),
            message,
            "quote a script that contains \": \", or write it as a block with |",
        );
        return None;
    }
    let scalar = text(node, field, findings)?;
    if scalar.text.trim().is_empty() {
        findings.error(&scalar.position, format!("\"{field}\" is empty"));
        return None;
    }
    Some(Command::Script(checked(scalar, Syntax::Shell, findings)))
}

pub(super) fn set(node: &Node, findings: &mut Findings) -> Option<IndexMap<String, Template>> {
    let entries = map(node, "a map of variables", "variable", findings);
    if entries.is_empty() && (node.is_null() || matches!(node, Node::Map(_))) {
        findings.error_help(node.position(), "\"set\" sets nothing", "write \"set: {name: value}\"");
        return None;
    }
    let mut variables = IndexMap::new();
    for entry in entries {
        if let Err(message) = check_variable_name(&entry.key.text) {
            findings.error(&entry.key.position, message);
        }
        variables.insert(entry.key.text.to_string(), value(&entry.value, findings));
    }
    Some(variables)
}

/// One expression, a list of them, or a map with a message besides.
pub(super) fn assert(node: &Node, findings: &mut Findings) -> Option<Action> {
    let mut message = None;
    let mut that = None;
    if let Node::Map(_) = node {
        for entry in map(node, "an assertion", "key", findings) {
            match &*entry.key.text {
                "that" => that = Some(&entry.value),
                "message" => message = template(&entry.value, "message", Syntax::Text, findings),
                _ => ASSERT.refuse(&entry.key, findings),
            }
        }
    } else {
        that = Some(node);
    }
    let Some(that) = that else {
        findings.error_help(
            node.position(),
            "\"assert\" without \"that\"",
            "write \"assert: {that: EXPRESSION, message: TEXT}\"",
        );
        return None;
    };
    let that = expressions(that, findings)?;
    Some(Action::Assert { that, message })
}

fn expressions(node: &Node, findings: &mut Findings) -> Option<Vec<TemplateText>> {
    let Node::List(list) = node else {
        return Some(vec![template(node, "assert", Syntax::Expression, findings)?]);
    };
    if list.items.is_empty() {
        findings.error(&list.position, "\"assert\" is empty");
        return None;
    }
    Some(
        list.items.iter().filter_map(|item| template(item, "assert", Syntax::Expression, findings)).collect(),
    )
}

pub(super) fn variable(node: &Node, field: &str, findings: &mut Findings) -> Option<Located<String>> {
    let scalar = text(node, field, findings)?;
    if let Err(message) = check_variable_name(&scalar.text) {
        findings.error(&scalar.position, message);
        return None;
    }
    Some(Located::new(scalar.text.to_string(), scalar.start.clone()))
}

pub(super) fn environment(node: &Node, findings: &mut Findings) -> IndexMap<String, TemplateText> {
    let mut variables = IndexMap::new();
    for YamlEntry { key, value } in map(node, "a map of environment variables", "variable", findings) {
        let value = template(value, &key.text, Syntax::Text, findings);
        if let (Some(name), Some(value)) = (environment_name(key, findings), value) {
            variables.insert(name, value);
        }
    }
    variables
}

/// An action that takes no value: `barrier: true`, or nothing after the colon.
pub(super) fn flagged(node: &Node, name: &str, action: Action, findings: &mut Findings) -> Option<Action> {
    let right = match node {
        Node::Scalar(text) => text.is_null() || scalar::boolean(&text.text) == Some(true),
        Node::List(_) | Node::Map(_) | Node::Broken(_) => false,
    };
    if !right {
        let message = format!("\"{name}\" takes no value");
        findings.error_help(node.position(), message, format!("write \"{name}: true\""));
        return None;
    }
    Some(action)
}

/// Steps with their `rescue` and `always`.
pub(super) fn block(fields: &FileFields<'_>, findings: &mut Findings) -> Option<Action> {
    let node = &fields.action.value;
    let own = steps(node, "the block", findings);
    if own.is_empty() && (node.is_null() || matches!(node, Node::List(_))) {
        findings.error(node.position(), "the block has no steps");
        return None;
    }
    let of = |key: &str, findings: &mut Findings| -> Vec<Step> {
        let node = fields.node(key);
        node.map(|node| steps(node, &format!("\"{key}\""), findings)).unwrap_or_default()
    };
    let (rescue, always) = (of("rescue", findings), of("always", findings));
    Some(Action::Block(Block { steps: own, rescue, always }))
}

/// `task: NAME` with the arguments in `with`.
pub(super) fn include(fields: &FileFields<'_>, findings: &mut Findings) -> Option<Action> {
    let name = literal(&fields.action.value, "task", findings)?;
    if let Err(message) = check_task_name(&name.text) {
        findings.error(&name.position, message);
        return None;
    }
    let args = fields.node("with").map(|node| arguments(node, findings)).unwrap_or_default();
    let task = Located::new(name.text.to_string(), name.start.clone());
    Some(Action::Task(Include { task, args }))
}

fn arguments(node: &Node, findings: &mut Findings) -> IndexMap<String, Template> {
    let mut args = IndexMap::new();
    if let Node::List(_) = node {
        let help = "write \"with: {name: value}\"".to_owned();
        expected(node, "a map of arguments", Some(help), findings);
        return args;
    }
    for entry in map(node, "a map of arguments", "argument", findings) {
        if let Err(message) = check_variable_name(&entry.key.text) {
            findings.error(&entry.key.position, format!("argument {}: {message}", quote(&entry.key.text)));
        }
        args.insert(entry.key.text.to_string(), value(&entry.value, findings));
    }
    args
}
