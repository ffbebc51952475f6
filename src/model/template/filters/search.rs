//! Regular expressions, written as Python's are: `regex_search` and its kin, and the tests `search`, `match`, `regex`.
//!
//! They are matched in linear time, so look-around and backreferences in a pattern are refused.

use std::cell::RefCell;

use minijinja::value::{Kwargs, Rest};
use minijinja::{Environment, Error, Value};
use regex::{Captures, Regex, RegexBuilder};

use crate::model::template::filters::given::{BoundedList, BoundedText, text_of, wrong};

/// Bytes that a compiled pattern may take.
const MAX_PATTERN: usize = 4 * 1024 * 1024;

pub(super) fn add(environment: &mut Environment<'_>) {
    environment.add_filter("regex_search", search);
    environment.add_filter("regex_findall", find_all);
    environment.add_filter("regex_replace", replace);
    environment.add_filter("regex_escape", escape);
    environment.add_test("search", |value: &Value, pattern: &str, options: Kwargs| {
        test(value, pattern, &options, Anchor::Anywhere)
    });
    environment.add_test("match", |value: &Value, pattern: &str, options: Kwargs| {
        test(value, pattern, &options, Anchor::Start)
    });
    environment.add_test("regex", |value: &Value, pattern: &str, options: Kwargs| {
        let anchor = match options.get::<Option<&str>>("match_type")? {
            None | Some("search") => Anchor::Anywhere,
            Some("match") => Anchor::Start,
            Some("fullmatch") => Anchor::Whole,
            Some(_) => return Err(wrong("\"match_type\" is search, match or fullmatch")),
        };
        test(value, pattern, &options, anchor)
    });
}

/// Where a match has to lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Anchor {
    Anywhere,
    Start,
    Whole,
}

/// What a pattern is compiled from.
#[derive(Clone, Debug, PartialEq, Eq)]
struct PatternSource {
    pattern: String,
    ignore_case: bool,
    multiline: bool,
}

thread_local! {
    /// The last pattern: a filter over many items has the same one each time.
    static LAST: RefCell<Option<(PatternSource, Regex)>> = const { RefCell::new(None) };
}

fn compiled(pattern: &str, options: &Kwargs, anchor: Anchor) -> Result<Regex, Error> {
    let flag = |name: &str| options.get::<Option<bool>>(name).map(|flag| flag.unwrap_or(false));
    let translated = of_python(pattern);
    let source = PatternSource {
        pattern: match anchor {
            Anchor::Anywhere => translated,
            Anchor::Start => format!(r"\A(?:{translated})"),
            Anchor::Whole => format!(r"\A(?:{translated})\z"),
        },
        ignore_case: flag("ignorecase")?,
        multiline: flag("multiline")?,
    };
    let kept =
        LAST.with_borrow(|last| last.as_ref().filter(|(of, _)| *of == source).map(|(_, it)| it.clone()));
    if let Some(regex) = kept {
        return Ok(regex);
    }
    let regex = RegexBuilder::new(&source.pattern)
        .case_insensitive(source.ignore_case)
        .multi_line(source.multiline)
        .size_limit(MAX_PATTERN)
        .dfa_size_limit(MAX_PATTERN)
        .build()
        .map_err(|error| refused(&error))?;
    LAST.set(Some((source, regex.clone())));
    Ok(regex)
}

/// Why a pattern is none. The message of the library repeats the pattern, which may be made of values.
fn refused(error: &regex::Error) -> Error {
    if let regex::Error::CompiledTooBig(_) = error {
        return wrong("the pattern is too large");
    }
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    let why = last.trim_start_matches("error: ");
    match why.split_once(", including").map_or(why, |(before, _)| before) {
        "look-around" => wrong("the pattern has look-around, which is not available"),
        "backreferences are not supported" => {
            wrong("the pattern has a backreference, which is not available")
        }
        other => wrong(format!("no regular expression: {other}")),
    }
}

/// Python's spelling of a pattern in that of the library, where they differ.
fn of_python(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut class = Class::Outside;
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        let after = rest.get(c.len_utf8()..).unwrap_or_default();
        let mut taken = c.len_utf8();
        match (c, class) {
            ('\\', _) => {
                let escaped = after.chars().next();
                taken += escaped.map_or(0, char::len_utf8);
                match escaped {
                    Some('Z') => out.push_str(r"\z"),
                    // Here these are borders of words.
                    Some(sign @ ('<' | '>')) => out.push(sign),
                    Some(other) => out.extend(['\\', other]),
                    None => out.push('\\'),
                }
                if class == Class::Opened {
                    class = Class::Inside;
                }
            }
            ('[', Class::Outside) => {
                out.push('[');
                class = Class::Opened;
            }
            ('^', Class::Opened) => out.push('^'),
            (']', Class::Opened) => {
                out.push_str(r"\]");
                class = Class::Inside;
            }
            (']', Class::Inside) => {
                out.push(']');
                class = Class::Outside;
            }
            // Sets of characters do not nest, nor are they taken from each other.
            ('[', _) if named_set(after).is_some() => {
                let name = named_set(after).unwrap_or_default();
                out.extend(["[:", name, ":]"]);
                taken += name.len() + 3;
                class = Class::Inside;
            }
            ('[' | '&' | '~', Class::Opened | Class::Inside) => {
                out.extend(['\\', c]);
                class = Class::Inside;
            }
            ('-', Class::Inside) if after.starts_with('-') => out.push_str(r"\-"),
            (_, Class::Opened | Class::Inside) => {
                out.push(c);
                class = Class::Inside;
            }
            ('{', Class::Outside) if !is_count(after) => out.push_str(r"\{"),
            (_, Class::Outside) => out.push(c),
        }
        rest = rest.get(taken..).unwrap_or_default();
    }
    out
}

/// Where in a set of characters (`[...]`) one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Outside,
    /// Nothing of it was read yet but `^`: a `]` is one of its characters.
    Opened,
    Inside,
}

/// The name in `:alpha:]`, behind a bracket.
fn named_set(after: &str) -> Option<&str> {
    let (name, _) = after.strip_prefix(':')?.split_once(":]")?;
    let word = name.trim_start_matches('^');
    (!word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase())).then_some(name)
}

/// Whether `{` is followed by a number of repeats.
fn is_count(after: &str) -> bool {
    let Some((inner, _)) = after.split_once('}') else { return false };
    let number = |text: &str| text.chars().all(|c| c.is_ascii_digit());
    match inner.split_once(',') {
        Some((least, most)) => number(least) && number(most) && !least.is_empty(),
        None => number(inner) && !inner.is_empty(),
    }
}

fn test(value: &Value, pattern: &str, options: &Kwargs, anchor: Anchor) -> Result<bool, Error> {
    let regex = compiled(pattern, options, anchor)?;
    options.assert_all_used()?;
    Ok(regex.is_match(&text_of(value)?))
}

/// The first match, or the groups of it that are asked for (`'\\1'`, `'\\g<name>'`); null without a match.
fn search(value: &Value, pattern: &str, groups: Rest<String>, options: Kwargs) -> Result<Value, Error> {
    let regex = compiled(pattern, &options, Anchor::Anywhere)?;
    options.assert_all_used()?;
    let text = text_of(value)?;
    let Some(found) = regex.captures(&text) else { return Ok(Value::from(())) };
    if groups.is_empty() {
        return Ok(found.get(0).map_or_else(|| Value::from(()), |all| Value::from(all.as_str())));
    }
    let part = |wanted: &String| {
        let name = wanted.trim_start_matches('\\');
        let name = name.strip_prefix("g<").and_then(|name| name.strip_suffix('>')).unwrap_or(name);
        let group = group(&regex, name)?;
        Ok(found.get(group).map_or_else(|| Value::from(()), |part| Value::from(part.as_str())))
    };
    groups.iter().map(part).collect::<Result<Vec<Value>, Error>>().map(Value::from)
}

/// The number of a group that is named by its number or its name.
fn group(regex: &Regex, name: &str) -> Result<usize, Error> {
    let number = match name.parse::<usize>() {
        Ok(number) => Some(number).filter(|number| *number < regex.captures_len()),
        Err(_) => regex.capture_names().position(|known| known == Some(name)),
    };
    number.ok_or_else(|| wrong(format!("the pattern has no group {name:?}")))
}

/// All matches; of a pattern with one group what that matched, of one with several a list for each match.
fn find_all(value: &Value, pattern: &str, options: Kwargs) -> Result<Value, Error> {
    let regex = compiled(pattern, &options, Anchor::Anywhere)?;
    options.assert_all_used()?;
    let text = text_of(value)?;
    let mut all = BoundedList::default();
    for found in regex.captures_iter(&text) {
        let part = |group: usize| found.get(group).map_or("", |part| part.as_str());
        all.push(match regex.captures_len() {
            1 => Value::from(part(0)),
            2 => Value::from(part(1)),
            many => (1..many).map(part).collect::<Value>(),
        })?;
    }
    Ok(all.finish())
}

/// Replaces matches; `\1` and `\g<name>` in the replacement are groups.
fn replace(
    value: &Value,
    pattern: &str,
    replacement: Option<&str>,
    options: Kwargs,
) -> Result<String, Error> {
    let regex = compiled(pattern, &options, Anchor::Anywhere)?;
    let replacement = replacement.or(options.get::<Option<&str>>("replacement")?).unwrap_or_default();
    let count = options.get::<Option<usize>>("count")?.unwrap_or(0);
    options.assert_all_used()?;
    let parts = parts(replacement, &regex)?;
    let text = text_of(value)?;
    let mut out = BoundedText::default();
    let mut done = 0;
    for (index, found) in regex.captures_iter(&text).enumerate() {
        if count > 0 && index >= count {
            break;
        }
        let Some(whole) = found.get(0) else { continue };
        out.push(text.get(done..whole.start()).unwrap_or_default())?;
        fill(&parts, &found, &mut out)?;
        done = whole.end();
    }
    out.push(text.get(done..).unwrap_or_default())?;
    Ok(out.finish())
}

/// A piece of a replacement.
enum ReplacementPart {
    Text(String),
    Group(usize),
}

fn fill(parts: &[ReplacementPart], found: &Captures<'_>, out: &mut BoundedText) -> Result<(), Error> {
    for part in parts {
        out.push(match part {
            ReplacementPart::Text(text) => text,
            ReplacementPart::Group(group) => found.get(*group).map_or("", |part| part.as_str()),
        })?;
    }
    Ok(())
}

fn parts(replacement: &str, regex: &Regex) -> Result<Vec<ReplacementPart>, Error> {
    let mut parts = Vec::new();
    let mut text = String::new();
    let mut rest = replacement;
    while let Some(at) = rest.find('\\') {
        text.push_str(rest.get(..at).unwrap_or_default());
        let after = rest.get(at + 1..).unwrap_or_default();
        let digits = after.chars().take(2).take_while(char::is_ascii_digit).count();
        let named = after.strip_prefix("g<").and_then(|name| name.split_once('>'));
        let (name, behind) = match (digits, named) {
            (0, Some((name, behind))) => (name, behind),
            (0, None) => {
                let mut chars = after.chars();
                match chars.next() {
                    Some('n') => text.push('\n'),
                    Some('t') => text.push('\t'),
                    Some('r') => text.push('\r'),
                    Some('\\') | None => text.push('\\'),
                    Some(other) => text.extend(['\\', other]),
                }
                rest = chars.as_str();
                continue;
            }
            (digits, _) => after.split_at_checked(digits).unwrap_or_default(),
        };
        parts.push(ReplacementPart::Text(std::mem::take(&mut text)));
        parts.push(ReplacementPart::Group(group(regex, name)?));
        rest = behind;
    }
    text.push_str(rest);
    parts.push(ReplacementPart::Text(text));
    Ok(parts)
}

/// Takes the meaning from all that means something in a pattern; `posix_basic` for `grep` and `sed`.
fn escape(value: &Value, kind: Option<&str>) -> Result<String, Error> {
    let text = text_of(value)?;
    match kind {
        None | Some("python") => Ok(regex::escape(&text)),
        Some("posix_basic") => {
            let mut out = String::with_capacity(text.len());
            for c in text.chars() {
                if matches!(c, '[' | ']' | '.' | '^' | '$' | '*' | '\\') {
                    out.push('\\');
                }
                out.push(c);
            }
            Ok(out)
        }
        Some(_) => Err(wrong("\"regex_escape\" knows python and posix_basic")),
    }
}
