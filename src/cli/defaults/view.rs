//! `fan config`: each option that has a value, and where it comes from.

use std::env;
use std::fmt::Write;

use clap::{Arg, Command, CommandFactory};
use serde_json::json;

use crate::cli::args::{Cli, ConfigArgs};
use crate::cli::defaults::chosen::ChosenDefaults;
use crate::cli::defaults::files::is_configurable;
use crate::cli::error::CliError;
use crate::cli::habits::quoted;
use crate::cli::print::print;
use crate::model::addressee::ReportTo;
use crate::model::cells;
use crate::model::outcome::ExitCode;
use crate::model::secret::MASK;
use crate::model::value::Value;

/// Cells that values are padded to.
const VALUES_MAX: usize = 32;

/// An option's value, as a command would have it.
#[derive(PartialEq, Eq)]
struct ConfigRow {
    /// `pool`, or `exec.fold` where that is said for one command.
    option: String,
    values: Vec<String>,
    origin: String,
}

impl ConfigRow {
    fn shown(&self) -> String {
        if self.values.is_empty() { "-".to_owned() } else { self.values.join(", ") }
    }
}

pub(in crate::cli) fn run(args: &ConfigArgs, chosen: &ChosenDefaults) -> Result<ExitCode, CliError> {
    let files = &chosen.files;
    let rows = rows(chosen, args.all);
    let names: Vec<&str> = files.files.iter().map(|file| &*file.file).collect();
    let text = if args.json {
        let options =
            rows.iter().map(|row| json!({"option": row.option, "values": row.values, "origin": row.origin}));
        let aliases: serde_json::Map<String, Value> = files
            .aliases()
            .into_iter()
            .filter_map(|name| Some((name.to_owned(), json!(files.alias(name)?))))
            .collect();
        format!(
            "{:#}\n",
            json!({
                "files": names,
                "profile": chosen.profile,
                "profiles": files.profiles(),
                "options": options.collect::<Vec<_>>(),
                "aliases": aliases,
            })
        )
    } else {
        shown(&names, chosen, &rows)
    };
    print(&text)?;
    Ok(ExitCode::Ok)
}

fn shown(names: &[&str], chosen: &ChosenDefaults, rows: &[ConfigRow]) -> String {
    let files = &chosen.files;
    let mut text = match names {
        [] => "no fan.yaml here or in a folder above, and none of your own\n".to_owned(),
        names => format!("files: {}\n", names.join(", ")),
    };
    let profiles = files.profiles().join(", ");
    match &chosen.profile {
        Some(name) => {
            let _ = writeln!(text, "profile: {name}");
        }
        None if profiles.is_empty() => {}
        None => {
            let _ = writeln!(text, "profile: none; there are {profiles}");
        }
    }
    let width = |of: fn(&ConfigRow) -> String| {
        rows.iter().map(|row| cells::width(&of(row))).max().unwrap_or_default()
    };
    let (options, values) = (width(|row| row.option.clone()), width(ConfigRow::shown).min(VALUES_MAX));
    for (at, row) in rows.iter().enumerate() {
        let (option, value) = (cells::pad(&row.option, options), cells::pad(&row.shown(), values));
        let _ = writeln!(text, "{}{option}  {value}  {}", if at == 0 { "\n" } else { "" }, row.origin);
    }
    for (at, name) in files.aliases().into_iter().enumerate() {
        let words = files.alias(name).unwrap_or_default().iter().map(|word| quoted(word));
        let words = words.collect::<Vec<_>>().join(" ");
        let _ = writeln!(text, "{}fan {name} = fan {words}", if at == 0 { "\n" } else { "" });
    }
    text
}

/// All options with their values; those that nobody set only on demand.
fn rows(chosen: &ChosenDefaults, all_of_them: bool) -> Vec<ConfigRow> {
    let mut all = Cli::command();
    all.build();
    let mut rows: Vec<ConfigRow> = Vec::new();
    let commands: Vec<&Command> = all.get_subcommands().collect();
    let mut names: Vec<&str> = commands
        .iter()
        .flat_map(|command| command.get_arguments())
        .filter(|arg| is_configurable(arg))
        .filter_map(Arg::get_long)
        .collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        for command in &commands {
            let Some(arg) = command.get_arguments().find(|arg| arg.get_long() == Some(name)) else {
                continue;
            };
            let row = row(chosen, command.get_name(), arg, all_of_them);
            rows.extend(row.filter(|row| !rows.contains(row)).into_iter().collect::<Vec<_>>());
        }
    }
    rows
}

fn row(chosen: &ChosenDefaults, command: &str, arg: &Arg, all_of_them: bool) -> Option<ConfigRow> {
    let name = arg.get_long()?;
    let of = |option: String, values: Vec<String>, origin: String| {
        Some(ConfigRow { option, values: masked(name, values), origin })
    };
    let variable = arg.get_env()?;
    if let Some(value) = env::var_os(variable) {
        let value = value.to_string_lossy().into_owned();
        return of(name.to_owned(), vec![value], variable.to_string_lossy().into_owned());
    }
    if let Some(found) = chosen.get(command, arg) {
        let profile = chosen.profile.as_ref().filter(|_| found.of_profile);
        let profile = profile.map(|name| format!(" (profile {name})")).unwrap_or_default();
        let option = found.command.as_ref().map_or_else(|| name.to_owned(), |of| format!("{of}.{name}"));
        return of(option, found.values.clone(), format!("{}{profile}", found.position));
    }
    let built_in = arg.get_default_values().iter().map(|value| value.to_string_lossy().into_owned());
    if all_of_them { of(name.to_owned(), built_in.collect(), "built in".to_owned()) } else { None }
}

/// Variables may be secrets: only their names are shown. So may the address of a web service: only its host is.
fn masked(option: &str, values: Vec<String>) -> Vec<String> {
    if option == "report" {
        let shown = |text: String| match ReportTo::parse(&text) {
            Ok(target @ ReportTo::Web(_)) => target.to_string(),
            Ok(ReportTo::File(_) | ReportTo::Mail(_) | ReportTo::Named(_)) | Err(_) => text,
        };
        return values.into_iter().map(shown).collect();
    }
    if option != "set" {
        return values;
    }
    let mask = |value: String| match value.split_once('=') {
        Some((name, _)) => format!("{name}={MASK}"),
        None => value,
    };
    values.into_iter().map(mask).collect()
}
