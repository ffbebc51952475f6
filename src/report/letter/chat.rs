//! A letter as what a chat or another web service wants to have: a template of fan's or of the user's.

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Error, UndefinedBehavior, context};
use serde::de::IgnoredAny;

use crate::model::value::Value;
use crate::report::letter::text;
use crate::report::letter::types::{Letter, LetterPart};

const SLACK: &str = include_str!("templates/slack.json.j2");
const TEAMS: &str = include_str!("templates/teams.json.j2");
const MATRIX: &str = include_str!("templates/matrix.json.j2");

/// Steps of a template: none of use takes more.
const FUEL: u64 = 1_000_000;

/// Characters of a letter in a chat; Teams takes 28 KiB, and nobody reads more there.
const CHAT_MAX: usize = 3000;

/// A template.
#[derive(Clone, Debug)]
pub struct ChatTemplate {
    source: String,
    json: bool,
}

impl ChatTemplate {
    /// One that fan brings along.
    pub fn shipped(name: &str) -> Option<Self> {
        let source = match name {
            "slack" => SLACK,
            "teams" => TEAMS,
            "matrix" => MATRIX,
            _ => return None,
        };
        Some(Self { source: source.to_owned(), json: true })
    }

    /// One of the user's: it writes JSON, unless the name of its file says that it is a text.
    ///
    /// # Errors
    ///
    /// It cannot write the letter about anything: why, as a lowercase fragment.
    pub fn of(source: String, name: &str) -> Result<Self, String> {
        let name = name.strip_suffix(".j2").unwrap_or(name);
        let template = Self { source, json: !name.ends_with(".txt") };
        let sample = Letter {
            title: "deploy".to_owned(),
            verdict: "1 failed, 3 ok".to_owned(),
            parts: vec![LetterPart::Lines("text\n".to_owned())],
            ..Letter::default()
        };
        // What is in a report is not known yet, so nothing of it is missing.
        template.rendered(&sample, &Value::Null, UndefinedBehavior::Chainable)?;
        Ok(template)
    }

    /// The type of what it writes.
    pub fn kind(&self) -> &'static str {
        if self.json { "application/json" } else { "text/plain; charset=utf-8" }
    }

    /// Writes a letter; `report` is the JSON report that it is about.
    ///
    /// # Errors
    ///
    /// It asks for what is not there, or writes what is no JSON.
    pub fn render(&self, letter: &Letter, report: &Value) -> Result<String, String> {
        self.rendered(letter, report, UndefinedBehavior::Strict)
    }

    fn rendered(
        &self,
        letter: &Letter,
        report: &Value,
        undefined: UndefinedBehavior,
    ) -> Result<String, String> {
        let mut environment = Environment::new();
        let json = self.json;
        environment.set_auto_escape_callback(move |_| if json { AutoEscape::Json } else { AutoEscape::None });
        environment.set_undefined_behavior(undefined);
        environment.set_fuel(Some(FUEL));
        let text = cut(&text::render(letter));
        let subject = letter.subject();
        let shown = text.split_once('\n').map_or("", |(_, rest)| rest);
        let values = context! {
            subject => subject.clone(),
            plain_subject => unmarked(&subject),
            title => letter.title.clone(),
            verdict => letter.verdict.clone(),
            status => letter.mood.word(),
            failed => letter.mood.word() == "failed",
            changed => letter.changed,
            facts => letter.facts.clone(),
            text => text.clone(),
            html => format!("<p><strong>{}</strong></p><pre><code>{}</code></pre>", escaped(&subject), escaped(shown)),
            slack => format!("*{}*\n```\n{}\n```", fenced(&subject).replace('*', "∗"), fenced(shown.trim())),
            problems => letter.parts.iter().filter_map(problem).collect::<Vec<_>>(),
            report => Serde(report),
        };
        let written = environment.render_str(&self.source, values).map_err(|error| why(&error))?;
        if self.json {
            serde_json::from_str::<IgnoredAny>(&written)
                .map_err(|error| format!("what it writes is not JSON: {error}"))?;
        }
        Ok(written)
    }
}

fn problem(part: &LetterPart) -> Option<minijinja::Value> {
    match part {
        LetterPart::Problem { heading, what, output, hint } => Some(context! {
            heading => heading.clone(), what => what.clone(), output => output.clone(), hint => hint.clone()
        }),
        LetterPart::Table { .. } | LetterPart::Lines(_) => None,
    }
}

fn why(error: &Error) -> String {
    let line = error.line().map(|line| format!("line {line}: ")).unwrap_or_default();
    match error.detail() {
        Some(detail) => format!("{line}{}: {detail}", error.kind()),
        None => format!("{line}{}", error.kind()),
    }
}

/// As much as a chat shows.
fn cut(text: &str) -> String {
    match text.char_indices().nth(CHAT_MAX) {
        Some((end, _)) => format!("{}\n...\n", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// A text in markup: the three signs of HTML are those of Slack, too.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A text that closes no fence around it.
fn fenced(text: &str) -> String {
    escaped(text).replace("```", "ʼʼʼ")
}

/// A text without what Teams makes markup of: Markdown's signs get a backslash.
fn unmarked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if "\\`*_[]()#<>!~".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}
