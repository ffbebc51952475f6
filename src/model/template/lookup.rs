//! `lookup`, `query` and `q`, which variables of Ansible's inventories may call, and nothing else may: the environment and
//! files of this machine. Owns their arguments; refuses every other lookup by its name.

use std::fmt;
use std::sync::Arc;

use minijinja::value::{Kwargs, Object, Rest, from_args};
use minijinja::{Error, State, Value};

use crate::model::template::ansible;
use crate::model::template::builtins::Builtins;
use crate::model::template::problem::{MAX_EXPANSION, ValueProblem, too_long};
use crate::model::template::scope::Layer;
use crate::model::template::value::to_text;

/// The functions, by their names.
pub(super) fn layer(builtins: &Builtins) -> Layer {
    let lookup = |as_list| Value::from_object(Lookup { world: builtins.clone(), as_list });
    Layer::of_objects([("lookup", lookup(false)), ("q", lookup(true)), ("query", lookup(true))])
}

/// What is looked up.
#[derive(Clone, Copy)]
enum LookupKind {
    Env,
    File,
}

/// One of the functions.
struct Lookup {
    world: Builtins,
    /// It gives a list; else one text, the found ones with commas between them.
    as_list: bool,
}

impl fmt::Debug for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lookup").field("as_list", &self.as_list).finish_non_exhaustive()
    }
}

impl Object for Lookup {
    fn call(self: &Arc<Self>, _: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        let (name, terms, options): (Value, Rest<Value>, Kwargs) = from_args(args)?;
        let name = to_text(&name)?;
        let kind = known(&name)?;
        let as_list = options.get::<Option<bool>>("wantlist")?.unwrap_or(self.as_list);
        let is_lenient = match options.get::<Option<&str>>("errors")? {
            None | Some("strict") => false,
            Some("ignore" | "warn") => true,
            Some(other) => {
                return Err(refused(format!("errors={other:?}"), "write strict, ignore or warn"));
            }
        };
        let found = match kind {
            LookupKind::Env => self.environment(&terms, &options),
            LookupKind::File => self.files(&terms, &options),
        };
        options.assert_all_used()?;
        match found {
            Ok(texts) if as_list => Ok(texts.into_iter().map(Value::from).collect()),
            Ok(texts) => Ok(Value::from(texts.join(","))),
            Err(_) if is_lenient && as_list => Ok(Value::from(Vec::<Value>::new())),
            Err(_) if is_lenient => Ok(Value::from("")),
            Err(error) => Err(error),
        }
    }
}

impl Lookup {
    /// One that is not set is empty, unless there is a `default`.
    fn environment(&self, terms: &[Value], options: &Kwargs) -> Result<Vec<String>, Error> {
        let default = options.get::<Option<Value>>("default")?.map(|value| to_text(&value)).transpose()?;
        let value = |term: &Value| {
            let text = to_text(term)?;
            let name = text.split_whitespace().next().unwrap_or_default();
            Ok((self.world.env)(name).or_else(|| default.clone()).unwrap_or_default())
        };
        terms.iter().map(value).collect()
    }

    /// White space at the end is cut off, unless it is told otherwise.
    fn files(&self, terms: &[Value], options: &Kwargs) -> Result<Vec<String>, Error> {
        let cuts_end = options.get::<Option<bool>>("rstrip")?.unwrap_or(true);
        let cuts_start = options.get::<Option<bool>>("lstrip")?.unwrap_or(false);
        let content = |term: &Value| {
            let path = to_text(term)?;
            let mut text = (self.world.file)(&path)
                .map_err(|reason| elsewhere(format!("lookup of file {path:?}: {reason}"), None))?;
            if text.len() > MAX_EXPANSION {
                return Err(elsewhere(format!("lookup of file {path:?}: {}", too_long().message), None));
            }
            if cuts_end {
                text.truncate(text.trim_end().len());
            }
            Ok(if cuts_start { text.trim_start().to_owned() } else { text })
        };
        terms.iter().map(content).collect()
    }
}

fn known(name: &str) -> Result<LookupKind, Error> {
    let (collection, short) = name.rsplit_once('.').unwrap_or(("ansible.builtin", name));
    match (collection, short) {
        ("ansible.builtin" | "ansible.legacy", "env") => Ok(LookupKind::Env),
        ("ansible.builtin" | "ansible.legacy", "file") => Ok(LookupKind::File),
        _ => {
            let help = ansible::lookup(short).unwrap_or("write the value, or give it with -e NAME=VALUE");
            Err(refused(format!("lookup {name:?}"), help))
        }
    }
}

fn refused(what: String, help: &str) -> Error {
    let message = format!("{what} is not one of fan's: it has \"env\" and \"file\"");
    elsewhere(message, Some(help.to_owned()))
}

fn elsewhere(message: String, help: Option<String>) -> Error {
    ValueProblem::Elsewhere { message, help }.into()
}
