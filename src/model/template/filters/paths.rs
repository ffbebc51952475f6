//! Paths as texts: nothing is looked at on any disk.

use std::sync::Arc;

use minijinja::value::{Rest, ValueKind};
use minijinja::{Environment, Error, Value};

use crate::model::template::builtins::Builtins;
use crate::model::template::filters::given::{items_of, text_of, wrong};

pub(super) fn add(environment: &mut Environment<'_>, builtins: &Builtins) {
    environment.add_filter("basename", |value: &Value| text_of(value).map(|path| split(&path).1.to_owned()));
    environment.add_filter("dirname", |value: &Value| text_of(value).map(|path| split(&path).0.to_owned()));
    environment.add_filter("splitext", |value: &Value| {
        let path = text_of(value)?;
        let (root, extension) = path.split_at(extension_at(&path));
        Ok::<_, Error>(Value::from(vec![root.to_owned(), extension.to_owned()]))
    });
    environment.add_filter("normpath", |value: &Value| text_of(value).map(|path| normal(&path)));
    environment.add_filter("path_join", join);
    environment.add_filter("relpath", relative);
    let env = Arc::clone(&builtins.env);
    environment.add_filter("expanduser", move |value: &Value| -> Result<String, Error> {
        let path = text_of(value)?;
        let Some(rest) = path.strip_prefix('~').filter(|rest| rest.is_empty() || rest.starts_with('/'))
        else {
            return Ok(path);
        };
        let home = env("HOME").ok_or_else(|| wrong("HOME is not set on this machine"))?;
        Ok(format!("{}{rest}", home.trim_end_matches('/')))
    });
    environment.add_test("abs", |value: &Value| text_of(value).map(|path| path.starts_with('/')));
}

/// The folder and the name, cut at the last slash as Python cuts.
fn split(path: &str) -> (&str, &str) {
    let (head, name) = path.split_at(path.rfind('/').map_or(0, |at| at + 1));
    let folder = head.trim_end_matches('/');
    (if folder.is_empty() { head } else { folder }, name)
}

/// Where the extension begins; dots at the beginning of a name begin none.
fn extension_at(path: &str) -> usize {
    let name = path.len() - split(path).1.len();
    let file = path.get(name..).unwrap_or_default();
    let hidden = file.len() - file.trim_start_matches('.').len();
    let found = file.get(hidden..).and_then(|shown| shown.rfind('.'));
    found.map_or(path.len(), |dot| name + hidden + dot)
}

/// Without `.`, `..` and doubled slashes.
fn normal(path: &str) -> String {
    let absolute = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
        let up = part == ".." && parts.last().map_or(absolute, |last| *last != "..");
        if up {
            parts.pop();
        } else {
            parts.push(part);
        }
    }
    match (absolute, parts.join("/")) {
        (true, rest) => format!("/{rest}"),
        (false, rest) if rest.is_empty() => ".".to_owned(),
        (false, rest) => rest,
    }
}

/// Puts paths behind each other; an absolute one begins anew.
fn join(value: &Value, more: Rest<Value>) -> Result<String, Error> {
    let mut parts = match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => items_of(value, "path_join")?,
        _ => vec![value.clone()],
    };
    parts.extend(more.iter().cloned());
    let mut path = String::new();
    for part in parts {
        let part = text_of(&part)?;
        if part.starts_with('/') {
            path.clear();
        } else if !path.is_empty() && !path.ends_with('/') {
            path.push('/');
        }
        path.push_str(&part);
    }
    Ok(path)
}

/// The path as seen from a folder.
fn relative(value: &Value, from: &Value) -> Result<String, Error> {
    let (path, from) = (normal(&text_of(value)?), normal(&text_of(from)?));
    if path.starts_with('/') != from.starts_with('/') {
        return Err(wrong("\"relpath\" takes two absolute paths, or two relative ones"));
    }
    let parts = |path: &str| -> Vec<String> {
        path.split('/').filter(|part| !part.is_empty() && *part != ".").map(str::to_owned).collect()
    };
    let (path, from) = (parts(&path), parts(&from));
    let shared = path.iter().zip(&from).take_while(|(one, other)| one == other).count();
    let up = std::iter::repeat_n("..", from.len() - shared);
    let all: Vec<&str> = up.chain(path.iter().skip(shared).map(String::as_str)).collect();
    Ok(if all.is_empty() { ".".to_owned() } else { all.join("/") })
}
