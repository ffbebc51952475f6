//! Reads Rust as far as the rules need it: what is code, what is production code, what it imports.
//!
//! A lexer for comments and literals and a matcher of braces, no parser: rustfmt has brought the rest into
//! one form.

use std::path::{Path, PathBuf};

use crate::repository::{files, has_extension, read};

/// A Rust file in three readings, all with the same lines.
pub(crate) struct Source {
    /// Relative to the repository.
    pub(crate) path: PathBuf,
    /// As it is.
    pub(crate) text: String,
    /// Without comments and without what is in literals.
    pub(crate) code: String,
    /// The same without test code; empty for files that only tests see.
    pub(crate) production: String,
}

impl Source {
    fn read(path: PathBuf) -> Self {
        let text = read(&path);
        let code = blank_comments_and_literals(&text);
        let production = blank_tests(&code);
        Self { path, text, code, production }
    }

    /// `src/ssh/client.rs` is of the floor `ssh`, `src/main.rs` of `main`.
    pub(crate) fn floor(&self) -> String {
        let second =
            self.path.components().nth(1).and_then(|part| part.as_os_str().to_str()).unwrap_or_default();
        second.trim_end_matches(".rs").to_owned()
    }

    /// The floors that production code names, with lines: `use crate::a::..`, `crate::a::..` in passing, and
    /// the members of `use crate::{a::.., b}`. `main.rs` says `fan` for `crate`.
    pub(crate) fn imports(&self) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        for root in ["crate::", "fan::"] {
            for (at, _) in self.production.match_indices(root) {
                let before = self.production[..at].chars().next_back();
                if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
                    continue;
                }
                let line = line_of(&self.production, at);
                let rest = self.production[at + root.len()..].trim_start();
                match rest.strip_prefix('{') {
                    Some(group) => found.extend(group_heads(group).into_iter().map(|head| (line, head))),
                    None => found.push((line, word(rest))),
                }
            }
        }
        found.retain(|(_, target)| !target.is_empty());
        found
    }

    /// Glob imports with lines, tests included: the only place where `::*` stands.
    pub(crate) fn globs(&self) -> Vec<(usize, String)> {
        let is_path = |c: &char| c.is_alphanumeric() || matches!(c, '_' | ':');
        let path = |at: usize| -> String {
            let back: Vec<char> = self.code[..at].chars().rev().take_while(is_path).collect();
            back.into_iter().rev().collect()
        };
        let globs = self.code.match_indices("::*");
        globs.map(|(at, glob)| (line_of(&self.code, at), path(at) + glob)).collect()
    }
}

/// All Rust files of src; files that are only compiled for tests have no production code.
pub(crate) fn sources() -> Vec<Source> {
    let mut sources: Vec<Source> = files()
        .into_iter()
        .filter(|path| path.starts_with("src") && has_extension(path, "rs"))
        .map(Source::read)
        .collect();
    let test_only: Vec<PathBuf> = sources.iter().flat_map(test_modules).collect();
    for source in &mut sources {
        if test_only
            .iter()
            .any(|module| source.path.starts_with(module) || source.path == module.with_extension("rs"))
        {
            source.production = source.production.chars().map(|c| if c == '\n' { c } else { ' ' }).collect();
        }
    }
    sources
}

/// Tests in `tests/`: no production code at all.
pub(crate) fn integration_tests() -> Vec<Source> {
    let paths = files().into_iter().filter(|path| path.starts_with("tests") && has_extension(path, "rs"));
    paths.map(|path| Source { production: String::new(), ..Source::read(path) }).collect()
}

/// Modules that a file declares for tests only, as paths without extension.
fn test_modules(source: &Source) -> Vec<PathBuf> {
    let stem = source.path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let folder = match stem {
        "mod" | "lib" | "main" => source.path.parent().unwrap_or(Path::new("")).to_owned(),
        _ => source.path.with_extension(""),
    };
    let mut found = Vec::new();
    let mut lines = source.code.lines().map(str::trim).peekable();
    while let Some(line) = lines.next() {
        if line == "#[cfg(test)]"
            && let Some(name) = lines.peek().and_then(|next| next.strip_suffix(';'))
            && let Some(name) = name.split("mod ").nth(1)
        {
            found.push(folder.join(name.trim()));
        }
    }
    found
}

/// First words of the members of `{a::x, b, c::{d, e}}`, given what follows the first brace.
fn group_heads(group: &str) -> Vec<String> {
    let mut heads = Vec::new();
    let mut depth = 0;
    let mut start = 0;
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                heads.push(word(group[start..at].trim_start()));
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                heads.push(word(group[start..at].trim_start()));
                start = at + 1;
            }
            _ => {}
        }
    }
    heads
}

/// The identifier that a text begins with. Macros and items at the crate's root have no floor.
fn word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// Replaces comments and the insides of literals by spaces, so that words in them count for nothing.
fn blank_comments_and_literals(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = literal_end(&chars, at).or_else(|| comment_end(&chars, at));
        match end {
            Some(end) => {
                out.extend(chars[at..end].iter().map(|&c| if c == '\n' { c } else { ' ' }));
                at = end;
            }
            None => {
                out.push(chars[at]);
                at += 1;
            }
        }
    }
    out
}

fn comment_end(chars: &[char], at: usize) -> Option<usize> {
    if chars[at..].starts_with(&['/', '/']) {
        return Some(chars[at..].iter().position(|&c| c == '\n').map_or(chars.len(), |length| at + length));
    }
    if !chars[at..].starts_with(&['/', '*']) {
        return None;
    }
    let mut depth = 0;
    let mut end = at;
    while end < chars.len() {
        if chars[end..].starts_with(&['/', '*']) {
            depth += 1;
            end += 2;
        } else if chars[end..].starts_with(&['*', '/']) {
            depth -= 1;
            end += 2;
            if depth == 0 {
                break;
            }
        } else {
            end += 1;
        }
    }
    Some(end.min(chars.len()))
}

/// The end of the string or character literal that begins here.
fn literal_end(chars: &[char], at: usize) -> Option<usize> {
    let in_word = at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_');
    match chars[at] {
        // r"..", r#".."#; the b and c before an r are harmless.
        'r' if !in_word || matches!(chars[at - 1], 'b' | 'c') => {
            let hashes = chars[at + 1..].iter().take_while(|&&c| c == '#').count();
            let open = at + 1 + hashes;
            if chars.get(open) != Some(&'"') {
                return None;
            }
            let close = |end: &usize| {
                chars[*end] == '"'
                    && chars[end + 1..].iter().take(hashes).filter(|&&c| c == '#').count() == hashes
            };
            Some((open + 1..chars.len()).find(close).map_or(chars.len(), |end| end + 1 + hashes))
        }
        '"' => Some(quoted_end(chars, at, '"')),
        // 'a' and '\n' are literals, 'a without a quote is a lifetime.
        '\'' if chars.get(at + 1) == Some(&'\\') || chars.get(at + 2) == Some(&'\'') => {
            Some(quoted_end(chars, at, '\''))
        }
        _ => None,
    }
}

fn quoted_end(chars: &[char], at: usize, quote: char) -> usize {
    let mut end = at + 1;
    while end < chars.len() && chars[end] != quote {
        end += if chars[end] == '\\' { 2 } else { 1 };
    }
    (end + 1).min(chars.len())
}

/// Blanks every item under `#[cfg(test)]`, in code without comments and literals.
fn blank_tests(code: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let mut out = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(at) = rest.find(MARK) {
        out.push_str(&rest[..at]);
        let end = at + MARK.len() + item_end(&rest[at + MARK.len()..]);
        out.extend(rest[at..end].chars().map(|c| if c == '\n' { c } else { ' ' }));
        rest = &rest[end..];
    }
    out + rest
}

/// The end of the item that a text begins with: its `;`, or its closing brace.
fn item_end(item: &str) -> usize {
    let is_use = item.trim_start().trim_start_matches("pub ").starts_with("use ");
    let mut depth = 0;
    for (at, c) in item.char_indices() {
        match c {
            ';' if depth == 0 => return at + 1,
            '{' => depth += 1,
            '}' => {
                depth -= 1;
                if depth == 0 && !is_use {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    item.len()
}

/// Lines (from 1) on which a text stands as a word of its own.
pub(crate) fn lines_with(code: &str, text: &str) -> Vec<usize> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let alone = |at: &usize| {
        let joined_before = code[..*at].chars().next_back().is_some_and(is_word);
        let ends_in_word = text.chars().next_back().is_some_and(is_word);
        let joined_after = ends_in_word && code[at + text.len()..].chars().next().is_some_and(is_word);
        !joined_before && !joined_after
    };
    code.match_indices(text).map(|(at, _)| at).filter(alone).map(|at| line_of(code, at)).collect()
}

fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

#[test]
fn the_reading_of_rust_is_right() {
    let code = "use crate::{a::x, b};\nlet s = \"crate::c::\"; // crate::d\nlet l: &'a str = r#\"e\"crate::f\"#; let q = '\"';\n#[cfg(test)]\nmod tests {\n    use crate::g;\n}\n/* crate::h */ crate::i::y();\n";
    let code = blank_comments_and_literals(code);
    let production = blank_tests(&code);
    let source = Source { path: "src/model/x.rs".into(), text: String::new(), code, production };
    let names: Vec<String> = source.imports().into_iter().map(|(_, name)| name).collect();
    assert_eq!(names, ["a", "b", "i"]);
    assert_eq!(source.floor(), "model");
    assert_eq!(lines_with(&source.code, "let"), [2, 3, 3]);
}
