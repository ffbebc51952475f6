//! Tests on registered results: `out is failed`, `is changed`, `is skipped`, `is succeeded`; and on versions.

use std::cmp::Ordering;

use minijinja::value::Kwargs;
use minijinja::{Environment, Error, Value};

use crate::model::template::filters::given::{named, text_of, wrong};
use crate::model::template::problem::ValueProblem;

pub(super) fn add(environment: &mut Environment<'_>) {
    for name in ["failed", "failure"] {
        environment.add_test(name, |result: &Value| field(result, "failed"));
    }
    for name in ["succeeded", "success", "successful"] {
        environment.add_test(name, |result: &Value| field(result, "failed").map(|failed| !failed));
    }
    for name in ["changed", "change"] {
        environment.add_test(name, |result: &Value| field(result, "changed"));
    }
    for name in ["skipped", "skip"] {
        environment.add_test(name, |result: &Value| field(result, "skipped"));
    }
    for name in ["version", "version_compare"] {
        environment.add_test(name, version);
    }
}

/// What a result says of itself.
fn field(result: &Value, name: &str) -> Result<bool, Error> {
    if result.is_undefined() {
        return Err(ValueProblem::Undefined.into());
    }
    let said = result.get_attr(name).ok().filter(|said| said.kind() == minijinja::value::ValueKind::Bool);
    said.map(|said| said.is_true()).ok_or_else(|| {
        wrong(format!("\"is {name}\" takes what \"register\" stored, not {}", named(result.kind())))
    })
}

/// How two versions are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum VersionReading {
    /// Numbers and words from left to right.
    Loose,
    /// By semver.org: `1.0.0-rc1` comes before `1.0.0`.
    Semver,
}

fn version(
    value: &Value,
    other: &Value,
    operator: Option<&str>,
    strict: Option<bool>,
    options: Kwargs,
) -> Result<bool, Error> {
    let operator = operator.or(options.get("operator")?).unwrap_or("==").to_owned();
    let strict = strict.or(options.get("strict")?).unwrap_or(false);
    let reading = match options.get::<Option<&str>>("version_type")? {
        None if !strict => VersionReading::Loose,
        Some("loose") => VersionReading::Loose,
        None | Some("strict" | "semver" | "semantic") => VersionReading::Semver,
        Some(_) => return Err(wrong("\"version_type\" is loose or semver")),
    };
    options.assert_all_used()?;
    let (one, other) = (text_of(value)?, text_of(other)?);
    let order = match reading {
        VersionReading::Loose => loose(&one).cmp(&loose(&other)),
        VersionReading::Semver => {
            let parsed = |text: &str| semver(text).ok_or_else(|| wrong("not a version by semver.org"));
            let (one, other) = (parsed(&one)?, parsed(&other)?);
            let ranks = one.0.cmp(&other.0);
            ranks.then_with(|| match (one.1.is_empty(), other.1.is_empty()) {
                (true, true) => Ordering::Equal,
                (true, false) => Ordering::Greater,
                (false, true) => Ordering::Less,
                (false, false) => one.1.cmp(&other.1),
            })
        }
    };
    match operator.as_str() {
        "==" | "=" | "eq" => Ok(order.is_eq()),
        "!=" | "<>" | "ne" => Ok(order.is_ne()),
        "<" | "lt" => Ok(order.is_lt()),
        "<=" | "le" => Ok(order.is_le()),
        ">" | "gt" => Ok(order.is_gt()),
        ">=" | "ge" => Ok(order.is_ge()),
        _ => Err(wrong("\"version\" compares by ==, !=, <, <=, > or >=")),
    }
}

/// A piece of a version. Derives `Ord`: a word comes before a number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum VersionPart {
    Word(String),
    Number(VersionNumber),
}

/// A number of any length. Derives `Ord`: the longer one is larger, since no zeros are in front.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct VersionNumber {
    length: usize,
    digits: String,
}

impl VersionNumber {
    fn new(text: &str) -> Self {
        let digits = text.trim_start_matches('0').to_owned();
        Self { length: digits.len(), digits }
    }
}

/// Runs of digits and of letters; what is between them only separates.
fn loose(text: &str) -> Vec<VersionPart> {
    let text = text.trim();
    let text = text
        .strip_prefix(['v', 'V'])
        .filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        .unwrap_or(text);
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let kind = |c: char| (c.is_ascii_digit(), c.is_alphabetic());
        let end = rest.find(|c: char| kind(c) != kind(first)).unwrap_or(rest.len());
        let (run, behind) = rest.split_at(end);
        match kind(first) {
            (true, _) => parts.push(VersionPart::Number(VersionNumber::new(run))),
            (_, true) => parts.push(VersionPart::Word(run.to_owned())),
            (false, false) => {}
        }
        rest = behind;
    }
    parts
}

/// A part of a pre-release. Derives `Ord`: a number comes before a word.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum PreRelease {
    Number(VersionNumber),
    Word(String),
}

fn semver(text: &str) -> Option<(Vec<VersionNumber>, Vec<PreRelease>)> {
    let number = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit());
    let without_build = text.trim().split('+').next()?;
    let (core, pre) = match without_build.split_once('-') {
        Some((core, pre)) => (core, Some(pre)),
        None => (without_build, None),
    };
    let core: Vec<&str> = core.split('.').collect();
    if core.len() != 3 || !core.iter().all(|part| number(part)) {
        return None;
    }
    let pre = pre.map(|pre| {
        let part = |part: &str| {
            let word = !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
            if number(part) {
                Some(PreRelease::Number(VersionNumber::new(part)))
            } else {
                word.then(|| PreRelease::Word(part.to_owned()))
            }
        };
        pre.split('.').map(part).collect::<Option<Vec<_>>>()
    });
    let pre = match pre {
        Some(pre) => pre?,
        None => Vec::new(),
    };
    Some((core.into_iter().map(VersionNumber::new).collect(), pre))
}
