//! `fan.yaml`: defaults of options, profiles, aliases, and where reports go, of a project or of a user. Which options there are is the command
//! line's business.

use std::path::Path;
use std::sync::Arc;

use indexmap::IndexMap;

use crate::config::compose::compose;
use crate::config::fields::{Schema, expected, map, quote};
use crate::config::findings::{Diagnostics, Findings, Loaded};
use crate::config::tables::fan_file as tables;
use crate::config::yaml::{Node, YamlEntry};
use crate::config::{reports, source};
use crate::model::addressee::{MailServer, NamedReport};
use crate::model::name::check_task_name;
use crate::model::position::Located;

const FILE: Schema = Schema {
    known: &[tables::FILE],
    synonyms: &[
        ("alias", "aliases"),
        ("default", "defaults"),
        ("profile", "profiles"),
        ("options", "defaults"),
        ("report", "reports"),
        ("notify", "reports"),
        ("notifications", "reports"),
        ("mail", "smtp"),
    ],
};

/// What such a file says.
#[derive(Clone, Debug, Default)]
pub struct FanFile {
    /// Its path, as messages name it.
    pub file: Arc<str>,
    /// Defaults of options.
    pub defaults: Vec<DefaultOption>,
    /// More of them, by the name of a profile.
    pub profiles: IndexMap<String, Vec<DefaultOption>>,
    /// Commands of the user's own.
    pub aliases: IndexMap<String, CommandAlias>,
    /// People and services that reports go to, by their names.
    pub reports: IndexMap<String, Located<NamedReport>>,
    /// The mail server.
    pub smtp: Option<Located<MailServer>>,
}

/// A default of an option.
#[derive(Clone, Debug)]
pub struct DefaultOption {
    /// The command that it is for; for all that have the option without one.
    pub command: Option<Located<String>>,
    /// The option, without dashes.
    pub name: Located<String>,
    /// Its values: one, or those of a list.
    pub values: Vec<Located<String>>,
}

/// A command of the user's own.
#[derive(Clone, Debug)]
pub struct CommandAlias {
    /// Its name.
    pub name: Located<String>,
    /// The words that it stands for.
    pub words: Vec<String>,
}

/// Reads a `fan.yaml`.
///
/// # Errors
/// Everything that is wrong with the file.
pub fn load_fan_file(path: &Path) -> Result<Loaded<FanFile>, Diagnostics> {
    let source = source::read(path)?;
    let mut findings = Findings::default();
    let root = compose(&source.name, &source.text, &mut findings);
    if root.is_none() && findings.any() {
        return Err(findings.take_errors());
    }
    let mut file = FanFile { file: source.name, ..FanFile::default() };
    let base = path.parent().unwrap_or(Path::new(""));
    let keys = "a map with \"defaults\", \"profiles\", \"aliases\", \"reports\" or \"smtp\"";
    for entry in root.as_ref().map_or(&[][..], |root| map(root, keys, "key", &mut findings)) {
        match &*entry.key.text {
            "defaults" => file.defaults = options(&entry.value, &mut findings),
            "profiles" => {
                for entry in map(&entry.value, "a map of profiles", "profile", &mut findings) {
                    if let Err(message) = check_task_name(&entry.key.text) {
                        findings.error(&entry.key.position, message.replace("task", "profile"));
                    }
                    let options = options(&entry.value, &mut findings);
                    file.profiles.insert(entry.key.text.to_string(), options);
                }
            }
            "aliases" => {
                for entry in map(&entry.value, "a map of commands", "alias", &mut findings) {
                    if let Some(alias) = alias(entry, &mut findings) {
                        file.aliases.insert(entry.key.text.to_string(), alias);
                    }
                }
            }
            "reports" => {
                for entry in map(&entry.value, "a map of reports", "report", &mut findings) {
                    if let Some(report) = reports::report(entry, base, &mut findings) {
                        let report = Located::new(report, entry.key.position.clone());
                        file.reports.insert(entry.key.text.to_string(), report);
                    }
                }
            }
            "smtp" => {
                let server = reports::server(&entry.value, base, &mut findings);
                file.smtp = server.map(|server| Located::new(server, entry.key.position.clone()));
            }
            _ => FILE.refuse(&entry.key, &mut findings),
        }
    }
    findings.finish(file)
}

/// Options, and those of one command below its name.
fn options(node: &Node, findings: &mut Findings) -> Vec<DefaultOption> {
    let mut options = Vec::new();
    for entry in map(node, "a map of options", "option", findings) {
        match &entry.value {
            Node::Map(_) => {
                let command = Located::new(entry.key.text.to_string(), entry.key.position.clone());
                for entry in map(&entry.value, "a map of options", "option", findings) {
                    options.extend(option(entry, Some(&command), findings));
                }
            }
            Node::Scalar(_) | Node::List(_) | Node::Broken(_) => {
                options.extend(option(entry, None, findings))
            }
        }
    }
    options
}

fn option(
    entry: &YamlEntry,
    command: Option<&Located<String>>,
    findings: &mut Findings,
) -> Option<DefaultOption> {
    let values = values(&entry.value, findings)?;
    let name = entry.key.text.trim_start_matches("--").replace('_', "-");
    let name = Located::new(name, entry.key.position.clone());
    Some(DefaultOption { command: command.cloned(), name, values })
}

fn values(node: &Node, findings: &mut Findings) -> Option<Vec<Located<String>>> {
    match node {
        Node::Scalar(scalar) if !scalar.is_null() => {
            Some(vec![Located::new(scalar.text.to_string(), scalar.position.clone())])
        }
        Node::List(list) => {
            let mut all = Vec::new();
            for item in &list.items {
                match item {
                    Node::Scalar(scalar) => {
                        all.push(Located::new(scalar.text.to_string(), scalar.position.clone()))
                    }
                    Node::List(_) | Node::Map(_) | Node::Broken(_) => {
                        expected(item, "a value", None, findings)
                    }
                }
            }
            Some(all)
        }
        Node::Scalar(_) | Node::Map(_) | Node::Broken(_) => {
            expected(node, "a value, or a list of values", None, findings);
            None
        }
    }
}

fn alias(entry: &YamlEntry, findings: &mut Findings) -> Option<CommandAlias> {
    let key = &entry.key;
    if let Err(message) = check_task_name(&key.text) {
        findings.error(&key.position, message.replace("task", "alias"));
        return None;
    }
    let words = match &entry.value {
        Node::Scalar(scalar) if scalar.text.trim_start().starts_with('!') => {
            let help = format!("a program named fan-{} on the PATH is a command of its own", key.text);
            findings.error_help(
                &scalar.position,
                format!("alias {}: a shell command", quote(&key.text)),
                help,
            );
            return None;
        }
        Node::Scalar(scalar) => match words(&scalar.text) {
            Some(words) => words,
            None => {
                findings
                    .error(&scalar.position, format!("alias {}: a quote is not closed", quote(&key.text)));
                return None;
            }
        },
        other @ (Node::List(_) | Node::Map(_) | Node::Broken(_)) => {
            values(other, findings)?.into_iter().map(|word| word.value).collect()
        }
    };
    if words.is_empty() {
        findings.error_help(
            &key.position,
            format!("alias {} stands for nothing", quote(&key.text)),
            "write a command: exec -b -- uptime",
        );
        return None;
    }
    Some(CommandAlias { name: Located::new(key.text.to_string(), key.position.clone()), words })
}

/// Takes a text apart at blanks; quotes and backslashes keep them, as in a shell. Nothing when a quote does not close.
fn words(text: &str) -> Option<Vec<String>> {
    let (mut words, mut word, mut begun, mut quote) = (Vec::new(), String::new(), false, None);
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (None | Some('"'), '\\') => {
                word.extend(chars.next());
                begun = true;
            }
            (None, '\'' | '"') => (quote, begun) = (Some(c), true),
            (Some(open), _) if open == c => quote = None,
            (None, _) if c.is_whitespace() => {
                if begun {
                    words.push(std::mem::take(&mut word));
                }
                begun = false;
            }
            (None | Some(_), _) => {
                word.push(c);
                begun = true;
            }
        }
    }
    if begun {
        words.push(word);
    }
    quote.is_none().then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_is_taken_apart_as_a_shell_would() {
        for (text, expected) in [
            ("exec -b -- uptime", Some(vec!["exec", "-b", "--", "uptime"])),
            ("  exec 'a  b' \"c \\\" d\" e\\ f '' ", Some(vec!["exec", "a  b", "c \" d", "e f", ""])),
            ("exec 'a", None),
            ("", Some(vec![])),
        ] {
            let expected = expected.map(|words| words.iter().map(ToString::to_string).collect());
            assert_eq!(words(text), expected, "{text}");
        }
    }
}
