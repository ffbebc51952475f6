//! The page of all options, docs/options.md, is made from the same description of the command line as `--help` and the
//! manual pages, so that neither can say what the other does not.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;

use clap::{Arg, Command, CommandFactory};

use crate::cli::args::Cli;

const HEAD: &str = "\
# Options

Generated from the program's own help. Options that several commands share stand [at the end](#shared-options); each command
names those that it takes. `fan COMMAND --help` prints the same, with examples. Where an option has a variable, the
command line wins over it, and it wins over [fan.yaml](configuration.md).
";

/// Options alike in at least so many commands stand in the shared table.
const SHARED: usize = 3;

/// How an option is written, its variable, and what it does.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct OptionRow {
    heading: String,
    written: String,
    variable: String,
    does: String,
}

impl OptionRow {
    fn of(arg: &Arg) -> Self {
        let names = [
            arg.get_short().map(|short| format!("-{short}")),
            arg.get_long().map(|long| format!("--{long}")),
        ];
        let names: Vec<String> = names.into_iter().flatten().collect();
        let takes = arg.get_action().takes_values();
        let values: Vec<String> =
            arg.get_value_names().unwrap_or_default().iter().map(ToString::to_string).collect();
        let written = match (names.is_empty(), takes) {
            (true, _) => values.join(" "),
            (false, true) => format!("{} {}", names.join(", "), values.join(" ")),
            (false, false) => names.join(", "),
        };
        let variable = arg.get_env().map(|name| format!("`{}`", name.to_string_lossy())).unwrap_or_default();
        let help = arg.get_long_help().or(arg.get_help()).map(ToString::to_string).unwrap_or_default();
        let mut does =
            help.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|").replace('<', "\\<");
        let possible: Vec<String> = arg
            .get_possible_values()
            .iter()
            .filter(|value| takes && !value.is_hide_set())
            .map(|value| format!("`{}`", value.get_name()))
            .collect();
        if !possible.is_empty() {
            let _ = write!(does, " One of {}.", possible.join(", "));
        }
        let default: Vec<String> =
            arg.get_default_values().iter().map(|value| value.to_string_lossy().into_owned()).collect();
        if takes && !default.is_empty() {
            let _ = write!(does, " Default: `{}`.", default.join(" "));
        }
        let heading = arg.get_help_heading().unwrap_or("Other").to_owned();
        Self { heading, written: written.replace('|', "\\|"), variable, does }
    }
}

/// A command by its words, with what it takes.
struct CommandPart {
    name: String,
    about: String,
    usage: String,
    rows: Vec<OptionRow>,
}

fn collect(command: &Command, name: &str, all: &mut Vec<CommandPart>) {
    let mut command = command.clone().bin_name(name.to_owned());
    let usage = command.render_usage().to_string();
    let usage = usage.trim_start_matches("Usage:").split_whitespace().collect::<Vec<_>>().join(" ");
    let rows = command
        .get_arguments()
        .filter(|arg| !arg.is_hide_set() && !matches!(arg.get_id().as_str(), "help" | "version"))
        .map(OptionRow::of)
        .collect();
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    all.push(CommandPart { name: name.to_owned(), about, usage, rows });
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help") {
        collect(sub, &format!("{name} {}", sub.get_name()), all);
    }
}

fn table<'a>(page: &mut String, rows: impl Iterator<Item = &'a OptionRow>) {
    page.push_str("\n| option | variable | does |\n|---|---|---|\n");
    for row in rows {
        writeln!(page, "| `{}` | {} | {} |", row.written, row.variable, row.does).unwrap();
    }
}

fn page() -> String {
    let mut root = Cli::command();
    root.build();
    let mut commands = Vec::new();
    collect(&root, "fan", &mut commands);
    let mut counts: BTreeMap<OptionRow, usize> = BTreeMap::new();
    let rows = || commands.iter().flat_map(|command| &command.rows);
    rows().for_each(|row| *counts.entry(row.clone()).or_default() += 1);
    let is_shared = |row: &OptionRow| counts[row] >= SHARED;
    let mut page = HEAD.to_owned();
    for command in commands.iter().filter(|command| command.name != "fan") {
        write!(
            page,
            "\n## {}\n\n{}.\n\n    {}\n",
            command.name,
            command.about.trim_end_matches('.'),
            command.usage
        )
        .unwrap();
        let (shared, own): (Vec<&OptionRow>, Vec<&OptionRow>) =
            command.rows.iter().partition(|row| is_shared(row));
        if !own.is_empty() {
            table(&mut page, own.into_iter());
        }
        if !shared.is_empty() {
            // The long name is enough to find it by.
            let names: Vec<String> = shared
                .iter()
                .map(|row| {
                    row.written.split([' ', ',']).find(|word| word.starts_with("--")).unwrap_or(&row.written)
                })
                .map(|name| format!("`{name}`"))
                .collect();
            writeln!(page, "\nShared: {}.", names.join(" ")).unwrap();
        }
    }
    page.push_str("\n## Shared options\n");
    let mut headings: Vec<&str> = Vec::new();
    let mut shown: Vec<&OptionRow> = Vec::new();
    for row in rows().filter(|row| is_shared(row)) {
        if !shown.contains(&row) {
            shown.push(row);
        }
        if !headings.contains(&row.heading.as_str()) {
            headings.push(&row.heading);
        }
    }
    for heading in headings {
        write!(page, "\n### {heading}\n").unwrap();
        table(&mut page, shown.iter().copied().filter(|row| row.heading == heading));
    }
    page
}

#[test]
fn the_page_of_options_is_what_help_says() {
    let page = page();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/options.md");
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        fs::write(path, &page).unwrap();
    }
    let written = fs::read_to_string(path).unwrap_or_default();
    let differs = page.lines().zip(written.lines()).find(|(now, written)| now != written);
    assert!(
        page == written,
        "docs/options.md is not what the program says ({differs:?}); INSTA_UPDATE=always cargo test the_page_of_options \
         writes it anew"
    );
}
