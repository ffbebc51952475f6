//! Which file of `src` imports which, and the circles among them. `mod.rs` is a file like any other; test code counts for
//! nothing, nor does a declaration (`mod x;`): only what a path names.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::source::Source;

/// A module as its path from the crate on.
type Module = Vec<String>;

/// Groups of two files or more that import each other, directly or through others.
pub(crate) fn circles(sources: &[Source]) -> Vec<Vec<PathBuf>> {
    let files = modules(sources);
    let imports: BTreeMap<&Module, BTreeSet<Module>> =
        files.iter().map(|(module, source)| (module, imports(module, &source.production, &files))).collect();
    let reached: BTreeMap<&Module, BTreeSet<&Module>> =
        imports.keys().map(|module| (*module, reached(module, &imports))).collect();
    let mut circles = Vec::new();
    let mut told = BTreeSet::new();
    for (module, others) in &reached {
        if !others.contains(module) || told.contains(module) {
            continue;
        }
        let circle: Vec<&Module> =
            others.iter().copied().filter(|other| reached[other].contains(module)).collect();
        circles.push(circle.iter().map(|module| files[*module].path.clone()).collect());
        told.extend(circle);
    }
    circles
}

/// Which file imports which.
pub(crate) fn edges(sources: &[Source]) -> Vec<(PathBuf, PathBuf)> {
    let files = modules(sources);
    let of = |(module, source): (&Module, &&Source)| {
        let imported = imports(module, &source.production, &files).into_iter();
        imported.map(|other| (source.path.clone(), files[&other].path.clone())).collect::<Vec<_>>()
    };
    files.iter().flat_map(of).collect()
}

fn modules(sources: &[Source]) -> BTreeMap<Module, &Source> {
    let named = sources.iter().map(|source| (module(source), source));
    named.filter(|(module, _)| !module.is_empty()).collect()
}

/// `src/ssh/keys/mod.rs` is `ssh::keys`. Empty for `lib.rs` and `main.rs`, which nobody imports.
fn module(source: &Source) -> Module {
    let path = source.path.with_extension("");
    let mut parts: Module =
        path.components().skip(1).map(|part| part.as_os_str().to_string_lossy().into_owned()).collect();
    if parts.last().is_some_and(|last| last == "mod") {
        parts.pop();
    }
    if parts == ["lib"] || parts == ["main"] { Vec::new() } else { parts }
}

/// All modules that can be reached by imports.
fn reached<'m>(from: &Module, imports: &'m BTreeMap<&Module, BTreeSet<Module>>) -> BTreeSet<&'m Module> {
    let mut found = BTreeSet::new();
    let mut open: Vec<&Module> = imports[from].iter().collect();
    while let Some(module) = open.pop() {
        if found.insert(module) {
            open.extend(&imports[module]);
        }
    }
    found
}

/// The modules that a file names, in `use` and in passing.
fn imports(module: &Module, code: &str, files: &BTreeMap<Module, &Source>) -> BTreeSet<Module> {
    let mut found = BTreeSet::new();
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    for (at, _) in code.match_indices("::") {
        let before = &code[..at];
        let start = before.trim_end_matches(is_word).len();
        let (word, ahead) = (&before[start..], &before[..start]);
        // Inside of a longer path, or the extent of a visibility: `pub(in crate::a)`.
        if ahead.ends_with("::") || ahead.ends_with("(in ") {
            continue;
        }
        let mut base = match word {
            "crate" => Vec::new(),
            "self" => module.clone(),
            "super" => module[..module.len() - 1].to_vec(),
            _ => [module.as_slice(), &[word.to_owned()]].concat(),
        };
        if !matches!(word, "crate" | "self" | "super") && !files.contains_key(&base) {
            continue;
        }
        let mut paths = Vec::new();
        tree(&code[at + 2..], &mut base, &mut paths);
        for mut path in paths {
            while !path.is_empty() && !files.contains_key(&path) {
                path.pop();
            }
            if !path.is_empty() && path != *module {
                found.insert(path);
            }
        }
    }
    found
}

/// The paths of a tree such as `a::{b, c::d}`, each behind `base`; returns what follows the tree.
fn tree<'t>(text: &'t str, base: &mut Module, paths: &mut Vec<Module>) -> &'t str {
    let depth = base.len();
    let mut rest = text.trim_start();
    loop {
        if let Some(mut inside) = rest.strip_prefix('{') {
            loop {
                inside = inside.trim_start_matches([',', ' ', '\n']);
                match inside.strip_prefix('}') {
                    Some(after) => {
                        rest = after;
                        break;
                    }
                    None if inside.is_empty() => break,
                    None => {
                        let after = tree(inside, base, paths);
                        // What is no path, as a glob, is passed by.
                        inside =
                            if after.len() == inside.len() { inside.get(1..).unwrap_or("") } else { after };
                    }
                }
            }
            break;
        }
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
        if end == 0 {
            break;
        }
        base.push(rest[..end].to_owned());
        rest = &rest[end..];
        match rest.strip_prefix("::") {
            Some(after) => rest = after.trim_start(),
            None => {
                paths.push(base.clone());
                break;
            }
        }
    }
    base.truncate(depth);
    rest
}

#[test]
fn circles_are_found_through_every_kind_of_path() {
    let source = |path: &str, production: &str| Source {
        path: path.into(),
        text: String::new(),
        code: String::new(),
        production: production.to_owned(),
    };
    let sources = [
        source("src/a/mod.rs", "pub mod b;\npub mod c;\npub use b::{B};\n"),
        source("src/a/b.rs", "use crate::{a::{c::C, self}, e};\n"),
        source("src/a/c.rs", "pub(in crate::a) fn f() { crate::d::g(); }\n"),
        source("src/d.rs", "use crate::e::{\n    E as F,\n};\n"),
        source("src/e.rs", "fn h() -> super::d::G {}\n"),
    ];
    let found = circles(&sources);
    let found: Vec<Vec<&str>> =
        found.iter().map(|circle| circle.iter().map(|path| path.to_str().unwrap()).collect()).collect();
    assert_eq!(found, [vec!["src/a/mod.rs", "src/a/b.rs"], vec!["src/d.rs", "src/e.rs"]]);
}
