//! Actions that wait: for something on the host, for its restart, for an answer of the user.

use std::time::Duration;

use indexmap::IndexMap;
use regex::Regex;

use crate::config::fields::{Schema, expected, flag, integer, literal, map, text, time_limit};
use crate::config::findings::Findings;
use crate::config::scalar;
use crate::config::tables::tasks::{self, CONDITIONS};
use crate::config::templates::template;
use crate::config::yaml::{Map, Node, YamlEntry};
use crate::model::name::check_variable_name;
use crate::model::position::Located;
use crate::model::settings::TimeLimit;
use crate::model::task::{Action, Condition, FactsStep, Prompt, Reboot, TemplateText, WaitFor, WebCondition};
use crate::model::template::Syntax;

/// How long something is waited for.
const TIMEOUT: TimeLimit = TimeLimit::After(Duration::from_secs(300));

/// How long a host may take to come back.
const RESTART: TimeLimit = TimeLimit::After(Duration::from_secs(600));

/// Pause between two looks.
const INTERVAL: Duration = Duration::from_secs(1);

pub(in crate::config) const WAIT_FOR: Schema = Schema {
    known: &[tasks::WAIT_FOR],
    synonyms: &[
        ("url", "http"),
        ("host", "address"),
        ("file", "path"),
        ("sleep", "interval"),
        ("run", "command"),
    ],
};

pub(in crate::config) const PROMPT: Schema = Schema {
    known: &[tasks::PROMPT],
    synonyms: &[("text", "ask"), ("message", "ask"), ("name", "set"), ("var", "set"), ("private", "secret")],
};

pub(in crate::config) const FACTS: Schema =
    Schema { known: &[tasks::FACTS], synonyms: &[("store", "save"), ("keep", "save"), ("cache", "save")] };

pub(in crate::config) const REBOOT: Schema = Schema {
    known: &[tasks::REBOOT],
    synonyms: &[("reboot_command", "command"), ("reboot_timeout", "timeout")],
};

pub(super) fn wait_for(node: &Node, findings: &mut Findings) -> Option<Action> {
    let Node::Map(at) = node else {
        let help = "write \"wait_for: {port: 80}\", or path, http, command".to_owned();
        expected(node, "a map with what to wait for", Some(help), findings);
        return None;
    };
    let mut wait = WaitFields::default();
    for entry in map(node, "a map with what to wait for", "key", findings) {
        let (key, value) = (&*entry.key.text, &entry.value);
        match key {
            "port" => wait.port = template(value, key, Syntax::Text, findings),
            "address" => wait.address = template(value, key, Syntax::Text, findings),
            "path" => wait.path = template(value, key, Syntax::Text, findings),
            "http" => wait.http = template(value, key, Syntax::Text, findings),
            "command" => wait.command = template(value, key, Syntax::Shell, findings),
            "status" => wait.status = statuses(value, findings),
            "body" => wait.body = regex(value, findings),
            "headers" => wait.headers = headers(value, findings),
            "ca" => wait.ca = template(value, key, Syntax::Text, findings),
            "verify" => wait.verify = flag(value, key, findings),
            "gone" => wait.gone = flag(value, key, findings).unwrap_or_default(),
            "timeout" => wait.timeout = time_limit(value, key, findings),
            "interval" => wait.interval = time_limit(value, key, findings),
            _ => WAIT_FOR.refuse(&entry.key, findings),
        }
    }
    wait.finish(at, findings).map(Action::WaitFor)
}

/// The keys of a `wait_for`.
#[derive(Default)]
struct WaitFields {
    port: Option<TemplateText>,
    address: Option<TemplateText>,
    path: Option<TemplateText>,
    http: Option<TemplateText>,
    command: Option<TemplateText>,
    status: Vec<u16>,
    body: Option<Located<String>>,
    headers: IndexMap<String, TemplateText>,
    ca: Option<TemplateText>,
    verify: Option<bool>,
    gone: bool,
    timeout: Option<TimeLimit>,
    interval: Option<TimeLimit>,
}

impl WaitFields {
    fn finish(self, at: &Map, findings: &mut Findings) -> Option<WaitFor> {
        let Self { port, address, path, http, command, status, body, headers, ca, verify, .. } = self;
        let (gone, timeout, interval) = (self.gone, self.timeout, self.interval);
        let named: Vec<&str> =
            at.entries.iter().map(|entry| &*entry.key.text).filter(|key| CONDITIONS.contains(key)).collect();
        if named.len() != 1 {
            let found = if named.is_empty() { "none".to_owned() } else { named.join(" and ") };
            let all = CONDITIONS.join(", ");
            findings
                .error(&at.position, format!("\"wait_for\": exactly one of {all} expected, found {found}"));
            return None;
        }
        let belongs = [
            ("address", "port"),
            ("status", "http"),
            ("body", "http"),
            ("headers", "http"),
            ("ca", "http"),
            ("verify", "http"),
        ];
        for (key, to) in belongs {
            let entry = at.entries.iter().find(|entry| &*entry.key.text == key);
            if let Some(entry) = entry.filter(|_| !named.contains(&to)) {
                findings.error(&entry.key.position, format!("\"{key}\" belongs to \"{to}\""));
            }
        }
        let condition = match (port, path, http, command) {
            (Some(port), ..) => Condition::Port { port, address },
            (_, Some(path), ..) => Condition::Path(path),
            (_, _, Some(url), _) => {
                let verify = verify.unwrap_or(true);
                if let (Some(ca), false) = (&ca, verify) {
                    findings.error(&ca.position, "\"ca\" has no effect with \"verify: false\"".to_owned());
                }
                Condition::Http(WebCondition { url, status, body, headers, ca, verify })
            }
            (_, _, _, Some(command)) => Condition::Command(command),
            (None, None, None, None) => return None,
        };
        let interval = interval.and_then(TimeLimit::duration).unwrap_or(INTERVAL);
        Some(WaitFor { condition, timeout: timeout.unwrap_or(TIMEOUT), interval, gone })
    }
}

/// Headers of a request.
fn headers(node: &Node, findings: &mut Findings) -> IndexMap<String, TemplateText> {
    let entries = map(node, "a map of headers", "header", findings).iter();
    let header = |entry: &YamlEntry| {
        let name = entry.key.text.to_string();
        Some((name.clone(), template(&entry.value, &name, Syntax::Text, findings)?))
    };
    entries.filter_map(header).collect()
}

/// A status of HTTP, or a list of them.
fn statuses(node: &Node, findings: &mut Findings) -> Vec<u16> {
    let items = match node {
        Node::List(list) => list.items.iter().collect(),
        single => vec![single],
    };
    let codes = items.into_iter().filter_map(|item| integer(item, "status", 100..=599, findings));
    codes.filter_map(|code| u16::try_from(code).ok()).collect()
}

fn regex(node: &Node, findings: &mut Findings) -> Option<Located<String>> {
    let scalar = literal(node, "body", findings)?;
    if let Err(error) = Regex::new(&scalar.text) {
        let why = error.to_string();
        let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ");
        findings.error(&scalar.position, format!("\"body\" is no regular expression: {why}"));
        return None;
    }
    Some(Located::new(scalar.text.to_string(), scalar.start.clone()))
}

/// `prompt: {ask: TEXT, set: NAME}`.
pub(super) fn prompt(node: &Node, findings: &mut Findings) -> Option<Action> {
    let Node::Map(at) = node else {
        let help = "write \"prompt: {ask: TEXT, set: VARIABLE}\"".to_owned();
        expected(node, "a map with the question", Some(help), findings);
        return None;
    };
    let (mut ask, mut set, mut default, mut secret) = (None, None, None, false);
    for entry in map(node, "a map with the question", "key", findings) {
        let (key, value) = (&*entry.key.text, &entry.value);
        match key {
            "ask" => ask = template(value, key, Syntax::Text, findings),
            "set" => {
                let name = text(value, key, findings)?;
                if let Err(message) = check_variable_name(&name.text) {
                    findings.error(&name.position, message);
                }
                set = Some(Located::new(name.text.to_string(), name.start.clone()));
            }
            "default" => default = template(value, key, Syntax::Text, findings),
            "secret" => secret = flag(value, key, findings).unwrap_or_default(),
            _ => PROMPT.refuse(&entry.key, findings),
        }
    }
    let (Some(ask), Some(set)) = (ask, set) else {
        let help = "write \"prompt: {ask: TEXT, set: VARIABLE}\"";
        findings.error_help(&at.position, "\"prompt\" needs \"ask\" and \"set\"", help);
        return None;
    };
    Some(Action::Prompt(Prompt { ask, set, default, secret }))
}

/// `reboot: true`, or a map with how.
pub(super) fn facts(node: &Node, findings: &mut Findings) -> Option<Action> {
    let mut facts = FactsStep::default();
    match node {
        Node::Scalar(value) if value.is_null() || scalar::boolean(&value.text) == Some(true) => {}
        Node::Map(_) => {
            for entry in map(node, "a map", "key", findings) {
                let (key, value) = (&*entry.key.text, &entry.value);
                match key {
                    "save" => facts.save = flag(value, key, findings).unwrap_or_default(),
                    _ => FACTS.refuse(&entry.key, findings),
                }
            }
        }
        Node::Scalar(_) | Node::List(_) | Node::Broken(_) => {
            findings.error_help(
                node.position(),
                "\"facts\" is true or a map",
                "write \"facts: true\", or \"facts: {save: true}\"",
            );
            return None;
        }
    }
    Some(Action::Facts(facts))
}

pub(super) fn reboot(node: &Node, findings: &mut Findings) -> Option<Action> {
    let mut reboot = Reboot { command: None, boot_id: None, timeout: RESTART };
    match node {
        Node::Scalar(value) if value.is_null() || scalar::boolean(&value.text) == Some(true) => {}
        Node::Map(_) => {
            for entry in map(node, "a map", "key", findings) {
                let (key, value) = (&*entry.key.text, &entry.value);
                match key {
                    "command" => reboot.command = template(value, key, Syntax::Shell, findings),
                    "boot_id" => reboot.boot_id = template(value, key, Syntax::Shell, findings),
                    "timeout" => reboot.timeout = time_limit(value, key, findings).unwrap_or(RESTART),
                    _ => REBOOT.refuse(&entry.key, findings),
                }
            }
        }
        Node::Scalar(_) | Node::List(_) | Node::Broken(_) => {
            findings.error_help(
                node.position(),
                "\"reboot\" is true or a map",
                "write \"reboot: true\", or \"reboot: {timeout: 10m}\"",
            );
            return None;
        }
    }
    Some(Action::Reboot(reboot))
}
