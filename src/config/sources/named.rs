//! The sources that a file of fan's names itself: `sources:`, beside its `hosts:`.
//!
//! Refuses: reading them.

use std::path::Path;

use crate::config::fields::{Schema, expected, list, literal, map, time_limit};
use crate::config::findings::Findings;
use crate::config::sources::kind::{InventoryKind, SourcePlace, SourceSpec, WORDS, home};
use crate::config::tables::inventory as tables;
use crate::config::yaml::{Node, Scalar};

const SOURCE: Schema = Schema {
    known: &[tables::SOURCE, tables::SOURCE_MORE],
    synonyms: &[
        ("file", "fan"),
        ("inventory", "fan"),
        ("ini", "ansible"),
        ("script", "exec"),
        ("command", "exec"),
        ("program", "exec"),
        ("list", "hosts"),
        ("clustershell", "clush"),
        ("groups", "clush"),
        ("ssh_config", "ssh"),
    ],
};

/// Reads the entries of `sources:`; relative paths are relative to `base`, the folder of the file.
pub(super) fn read(node: &Node, base: &Path, findings: &mut Findings) -> Vec<SourceSpec> {
    list(node, "a list of sources", findings).iter().filter_map(|item| entry(item, base, findings)).collect()
}

/// One entry: a path, or a map that says what the path is of.
fn entry(item: &Node, base: &Path, findings: &mut Findings) -> Option<SourceSpec> {
    let help = "name one: \"- hosts.ini\", \"- exec: ./cloud.py\"";
    match item {
        Node::Scalar(scalar) if !scalar.is_null() => {
            let path = path(literal(item, "sources", findings)?, findings)?;
            Some(spec(SourceSpec::path(&base.join(home(path))), scalar))
        }
        Node::Map(_) => {
            let (mut found, mut cache, mut wrong) = (None, None, false);
            for field in map(item, "a source", "field", findings) {
                let key = &*field.key.text;
                if key == "cache" {
                    cache = time_limit(&field.value, key, findings).map(|limit| (limit, &field.key));
                    continue;
                }
                let Some(&(_, kind)) = WORDS.iter().find(|(word, _)| *word == key) else {
                    SOURCE.refuse(&field.key, findings);
                    wrong = true;
                    continue;
                };
                if found.is_some() {
                    let message = "two sources in one entry";
                    findings.error_help(&field.key.position, message, "begin each with a \"-\" of its own");
                    return None;
                }
                let scalar = literal(&field.value, key, findings)?;
                let at = SourcePlace::Path(base.join(home(path(scalar, findings)?)));
                found = Some(spec(SourceSpec::new(Some(kind), at), scalar));
            }
            if found.is_none() && !wrong {
                findings.error_help(item.position(), "no source in this entry", help);
            }
            if let Some(spec) = &mut found
                && let Some((limit, key)) = cache
            {
                if spec.kind != Some(InventoryKind::Program) {
                    let help = "other sources are read each time: they are files";
                    findings.error_help(&key.position, "\"cache\" belongs to a program: exec", help);
                }
                spec.cache = limit.duration();
            }
            found
        }
        Node::Scalar(_) | Node::List(_) | Node::Broken(_) => {
            expected(item, "a source", Some(help.to_owned()), findings);
            None
        }
    }
}

fn spec(spec: SourceSpec, scalar: &Scalar) -> SourceSpec {
    SourceSpec { named: Some(scalar.position.clone()), ..spec }
}

/// A path, which is no other way to name hosts that the command line has.
fn path<'n>(scalar: &'n Scalar, findings: &mut Findings) -> Option<&'n str> {
    let text = &*scalar.text;
    if text.is_empty() {
        findings.error(&scalar.position, "a source needs a path");
        return None;
    }
    if text == "-" {
        let help = "name it on the command line: -i - -i FILE";
        findings.error_help(&scalar.position, "standard input is no source of a file", help);
        return None;
    }
    if let Some((word, rest)) = text.split_once(':')
        && WORDS.iter().any(|(known, _)| *known == word)
    {
        let help = format!("write it as a map: {{{word}: {rest}}}");
        findings.error_help(&scalar.position, format!("\"{word}:\" is the command line's way"), help);
        return None;
    }
    Some(text)
}
