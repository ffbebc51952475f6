//! `fan explain`: the manual's entry for a word that fan prints or takes. All of it comes from the tables that the code
//! and the documentation have anyway.

use std::fmt::Write;

use clap::{Arg, Command, CommandFactory};

use crate::cli::args::{Cli, ExplainArgs};
use crate::cli::error::CliError;
use crate::cli::print::print;
use crate::config;
use crate::model::outcome::ExitCode;
use crate::model::position::Diagnostic;
use crate::model::suggest::did_you_mean;

/// The page with the tables of words that fan prints.
const WORDS: &str = include_str!("../../docs/exit-codes.md");

/// Columns of a line.
const COLUMNS: usize = 80;

pub(super) fn run(args: &ExplainArgs) -> Result<ExitCode, CliError> {
    let Some(topic) = &args.topic else {
        print(&overview())?;
        return Ok(ExitCode::Ok);
    };
    let entries = entries(topic);
    if entries.is_empty() {
        let problem = Diagnostic::bare(format!("there is no entry for \"{topic}\""));
        let topics = topics();
        let near = did_you_mean(topic, topics.iter().map(|(_, topic)| topic.as_str()));
        return Err(match near {
            Some(near) => problem.help(format!("did you mean \"{near}\"?")),
            None => problem.help("`fan explain` lists the topics"),
        }
        .into());
    }
    print(&entries.iter().map(Explanation::shown).collect::<Vec<_>>().join("\n"))?;
    Ok(ExitCode::Ok)
}

/// What is known of a topic in one place.
struct Explanation {
    /// What it is: `auth_failed: a kind of failure`.
    title: String,
    /// Paragraphs.
    text: Vec<String>,
    /// Where more is to be read.
    page: &'static str,
}

impl Explanation {
    fn shown(&self) -> String {
        let mut shown = format!("{}\n", self.title);
        for paragraph in self.text.iter().filter(|text| !text.is_empty()) {
            for line in wrapped(paragraph, COLUMNS - 2) {
                let _ = writeln!(shown, "  {line}");
            }
        }
        let _ = writeln!(shown, "  More: docs/{}", self.page);
        shown
    }
}

/// A text in lines of so many characters.
fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let Some(line) = lines.last_mut() else { break };
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > columns {
            lines.push(word.to_owned());
        } else {
            line.push_str(if line.is_empty() { "" } else { " " });
            line.push_str(word);
        }
    }
    lines
}

/// The headings of the page's tables, and what their words are.
const TABLES: [(&str, &str); 3] = [
    ("## Kinds", "a kind of failure"),
    ("## Statuses of a host", "a status of a host"),
    ("## Exit codes", "an exit code"),
];

/// Rows of a table of the page, without marks.
fn rows(heading: &str) -> impl Iterator<Item = Vec<String>> {
    let section = WORDS.split_once(heading).map_or("", |(_, rest)| rest);
    let section = section.split("\n## ").next().unwrap_or(section);
    let rows = section.lines().filter(|line| line.starts_with('|')).skip(2);
    rows.map(|row| {
        row.trim_matches('|')
            .split(" | ")
            .map(|cell| plain(cell.trim().trim_end_matches('|').trim()))
            .collect()
    })
}

/// Markdown as plain text: links are their words, words are no code.
fn plain(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, link)) = rest.split_once('[') {
        out += before;
        match link.split_once("](").and_then(|(words, target)| Some((words, target.split_once(')')?.1))) {
            Some((words, behind)) => {
                out += words;
                rest = behind;
            }
            None => {
                out.push('[');
                rest = link;
            }
        }
    }
    (out + rest).replace(['`', '*'], "")
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    let text = format!("{first}{}", chars.as_str());
    if text.is_empty() || text.ends_with(['.', '?', '!']) { text } else { format!("{text}.") }
}

fn entries(topic: &str) -> Vec<Explanation> {
    let mut found = Vec::new();
    for (heading, what) in TABLES {
        for row in rows(heading) {
            let [word, meaning, others @ ..] = row.as_slice() else { continue };
            if word == topic {
                let advice = others.first().map(|todo| sentence(todo)).unwrap_or_default();
                found.push(Explanation {
                    title: format!("{word}: {what}"),
                    text: vec![sentence(meaning), advice],
                    page: "exit-codes.md",
                });
            }
        }
    }
    for key in config::keys().into_iter().filter(|key| key.name == topic) {
        found.push(Explanation {
            title: format!("{}: {}", key.name, key.place.words()),
            text: vec![sentence(key.about)],
            page: key.place.page(),
        });
    }
    found.extend(of_flag(topic));
    let mut all = Cli::command();
    all.build();
    if let Some(command) = all.find_subcommand(topic).filter(|command| !command.is_hide_set()) {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        found.push(Explanation {
            title: format!("fan {topic}: a command"),
            text: vec![about, format!("`fan {topic} --help` lists its options.")],
            page: "command-line.md",
        });
    }
    found
}

/// The flag of this name, with or without dashes; commands that take it in the same sense share an entry.
fn of_flag(topic: &str) -> Vec<Explanation> {
    let is_it = |arg: &&Arg| {
        let long = arg.get_long().is_some_and(|long| topic == long || topic == format!("--{long}"));
        let short = arg.get_short().is_some_and(|short| topic == format!("-{short}"));
        long || short
    };
    let mut all = Cli::command();
    all.build();
    let mut meanings: Vec<(String, String, String, Vec<&str>)> = Vec::new();
    for command in all.get_subcommands().filter(|command| !command.is_hide_set()) {
        for arg in command.get_arguments().filter(is_it).filter(|arg| !arg.is_hide_set()) {
            let about = arg.get_help().map(ToString::to_string).unwrap_or_default();
            let env = arg.get_env().map(|env| env.to_string_lossy().into_owned()).unwrap_or_default();
            match meanings.iter_mut().find(|(_, known, _, _)| *known == about) {
                Some((_, _, _, commands)) => commands.push(command.get_name()),
                None => meanings.push((spelled(arg), about, env, vec![command.get_name()])),
            }
        }
    }
    let entry = |(title, about, env, commands): (String, String, String, Vec<&str>)| Explanation {
        title: format!("{title}: an option"),
        text: vec![
            sentence(&about),
            format!("Of: fan {}.", commands.join(", ")),
            if env.is_empty() { String::new() } else { format!("Environment: {env}.") },
        ],
        page: "command-line.md",
    };
    meanings.into_iter().map(entry).collect()
}

fn spelled(arg: &Arg) -> String {
    let letter = arg.get_short().map(|letter| format!("-{letter}, ")).unwrap_or_default();
    let value = arg.get_value_names().filter(|_| arg.get_action().takes_values());
    let value = value.and_then(<[_]>::first).map(|name| format!(" <{name}>")).unwrap_or_default();
    format!("{letter}--{}{value}", arg.get_long().unwrap_or_default())
}

/// All topics, each with what it is.
pub(super) fn topics() -> Vec<(&'static str, String)> {
    let mut topics = Vec::new();
    for (heading, what) in TABLES {
        topics.extend(rows(heading).filter_map(|row| row.into_iter().next()).map(|word| (what, word)));
    }
    topics.extend(config::keys().into_iter().map(|key| (key.place.words(), key.name.to_owned())));
    let mut all = Cli::command();
    all.build();
    let shown = |command: &&Command| !command.is_hide_set();
    let commands = all.get_subcommands().filter(shown);
    let mut flags: Vec<String> = commands
        .flat_map(Command::get_arguments)
        .filter(|arg| !arg.is_hide_set())
        .filter_map(|arg| arg.get_long().map(|long| format!("--{long}")))
        .collect();
    flags.sort_unstable();
    flags.dedup();
    topics.extend(flags.into_iter().map(|flag| ("an option", flag)));
    topics.extend(
        all.get_subcommands().filter(shown).map(|command| ("a command", command.get_name().to_owned())),
    );
    topics
}

/// All topics, by what they are.
fn overview() -> String {
    let topics = topics();
    let mut text = "fan explain TOPIC prints the entry of one of these.\n".to_owned();
    let mut whats: Vec<&str> = Vec::new();
    topics.iter().for_each(|(what, _)| {
        if !whats.contains(what) {
            whats.push(what)
        }
    });
    for what in whats {
        let words: Vec<&str> =
            topics.iter().filter(|(of, _)| *of == what).map(|(_, topic)| topic.as_str()).collect();
        let _ = writeln!(text, "\n{what}:");
        for line in wrapped(&words.join(" "), COLUMNS - 2) {
            let _ = writeln!(text, "  {line}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::outcome::Kind;

    #[test]
    fn every_topic_has_an_entry() {
        let topics = topics();
        for kind in Kind::ALL {
            assert!(topics.iter().any(|(_, topic)| topic == kind.as_str()), "{}", kind.as_str());
        }
        for (what, topic) in &topics {
            let entries = entries(topic);
            assert!(!entries.is_empty(), "{what} {topic}");
            for entry in entries {
                let shown = entry.shown();
                assert!(shown.lines().all(|line| line.chars().count() <= COLUMNS), "{shown}");
                let is_of_page = entry.title.ends_with("a kind of failure");
                assert!(!(is_of_page && shown.contains(['`', '*'])), "{shown}");
            }
        }
    }

    #[test]
    fn markdown_becomes_text() {
        assert_eq!(plain("see `x` ([how](a.md#b)), *now* [1]"), "see x (how), now [1]");
        assert_eq!(wrapped("a bb ccc", 4), ["a bb", "ccc"]);
    }
}
