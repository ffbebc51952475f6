//! A command line gone through by clap's definitions, before clap reads it. Where clap stops at the first word that it does
//! not know, this goes on.

use clap::{Arg, Command};

/// A word of a command line, with what belongs to it.
#[derive(Debug)]
pub(in crate::cli) enum LineWord<'a> {
    /// A flag that the command has.
    Flag {
        /// Its definition.
        arg: &'a Arg,
        /// Its value, when it takes one.
        value: Option<&'a str>,
        /// The word behind it, when that is no flag.
        next: Option<&'a str>,
    },
    /// A flag that it does not have: `--check`, `-C`.
    Stranger {
        /// As written, without a value.
        flag: String,
    },
    /// A word of its own.
    Word(&'a str),
    /// What is left from here on is passed on: behind `--`, or the command of `exec`.
    Rest(&'a [String]),
}

/// Goes through the words behind a command's name. `takes_value` says whether a flag that the command does not have has a
/// value elsewhere.
pub(in crate::cli) fn scan<'a>(
    command: &'a Command,
    words: &'a [String],
    takes_value: impl Fn(&str) -> bool,
) -> Vec<LineWord<'a>> {
    let passes_on = command.get_positionals().any(Arg::is_trailing_var_arg_set);
    let mut scanned = Vec::new();
    let mut at = 0;
    while let Some(word) = words.get(at) {
        at += 1;
        let next = words.get(at).map(String::as_str).filter(|next| !next.starts_with('-'));
        let rest = |from: usize| LineWord::Rest(words.get(from..).unwrap_or_default());
        if word == "--" {
            scanned.push(rest(at));
            break;
        }
        if let Some(name) = word.strip_prefix("--") {
            let (name, joined) =
                name.split_once('=').map_or((name, None), |(name, value)| (name, Some(value)));
            match long(command, name) {
                Some(arg) if arg.get_action().takes_values() && joined.is_none() => {
                    let value = words.get(at).map(String::as_str);
                    at += 1;
                    scanned.push(LineWord::Flag { arg, value, next: None });
                }
                Some(arg) => scanned.push(LineWord::Flag { arg, value: joined, next }),
                None => {
                    let flag = format!("--{name}");
                    if joined.is_none() && next.is_some() && takes_value(&flag) {
                        at += 1;
                    }
                    scanned.push(LineWord::Stranger { flag });
                }
            }
        } else if word.len() > 1
            && let Some(cluster) = word.strip_prefix('-')
        {
            for (index, letter) in cluster.char_indices() {
                let behind = cluster.get(index + letter.len_utf8()..).unwrap_or_default();
                match short(command, letter) {
                    Some(arg) if arg.get_action().takes_values() => {
                        let joined = (!behind.is_empty()).then(|| behind.strip_prefix('=').unwrap_or(behind));
                        let value = joined.or_else(|| words.get(at).map(String::as_str));
                        at += usize::from(joined.is_none());
                        scanned.push(LineWord::Flag { arg, value, next: None });
                        break;
                    }
                    Some(arg) => {
                        let next = next.filter(|_| behind.is_empty());
                        scanned.push(LineWord::Flag { arg, value: None, next });
                    }
                    None => {
                        let flag = format!("-{letter}");
                        let has_value = takes_value(&flag);
                        if has_value && behind.is_empty() && next.is_some() {
                            at += 1;
                        }
                        scanned.push(LineWord::Stranger { flag });
                        if has_value {
                            break;
                        }
                    }
                }
            }
        } else if passes_on
            && scanned.iter().filter(|word| matches!(word, LineWord::Word(_))).count() >= before(command)
        {
            scanned.push(rest(at - 1));
            break;
        } else {
            scanned.push(LineWord::Word(word));
        }
    }
    scanned
}

/// Words that stand before the command that is passed on.
fn before(command: &Command) -> usize {
    command.get_positionals().filter(|arg| !arg.is_trailing_var_arg_set()).count()
}

fn long<'c>(command: &'c Command, name: &str) -> Option<&'c Arg> {
    command.get_arguments().find(|arg| {
        arg.get_long() == Some(name) || arg.get_all_aliases().is_some_and(|aliases| aliases.contains(&name))
    })
}

fn short(command: &Command, letter: char) -> Option<&Arg> {
    command.get_arguments().find(|arg| {
        arg.get_short() == Some(letter)
            || arg.get_all_short_aliases().is_some_and(|aliases| aliases.contains(&letter))
    })
}
