//! Which words of a command are its operands, and which belong to an option or a format. Owns the reading of arguments;
//! refuses to judge what stands there.

use crate::model::template::twice::table::{WITH_WORD, Which};
use crate::model::template::twice::words::Word;

/// The words of a command that a rule is about.
pub(super) fn chosen<'a>(which: Which, program: &str, arguments: &'a [Word]) -> Vec<&'a Word> {
    match which {
        Which::Operands => operands(program, arguments),
        Which::First => operands(program, arguments).into_iter().take(1).collect(),
        Which::After(options) => {
            let mut found = Vec::new();
            for (index, word) in arguments.iter().enumerate() {
                let (text, prefix) = (word.text(), word.prefix());
                if options.contains(&text.as_str()) {
                    found.extend(arguments.get(index + 1));
                } else if options.iter().any(|option| holds(option, &prefix)) {
                    found.push(word);
                }
            }
            found
        }
        Which::Around(operators) => {
            let mut found = Vec::new();
            for (index, word) in arguments.iter().enumerate() {
                if operators.contains(&word.text().as_str()) {
                    found.extend(index.checked_sub(1).and_then(|before| arguments.get(before)));
                    found.extend(arguments.get(index + 1));
                }
            }
            found
        }
        Which::Format => {
            let skipped = if arguments.first().is_some_and(|word| word.text() == "-v") { 2 } else { 0 };
            let words: Vec<&Word> = operands("", arguments.get(skipped..).unwrap_or_default());
            let Some((format, values)) = words.split_first() else { return Vec::new() };
            let takes = numbers(&format.text());
            let cycle = takes.iter().cycle();
            values.iter().zip(cycle).filter(|(_, number)| **number).map(|(word, _)| *word).collect()
        }
    }
}

/// Whether a word begins with an option that has its value in the same word: `-Ivalue`, `--long=value`.
fn holds(option: &str, word: &str) -> bool {
    let behind = word.strip_prefix(option);
    behind.is_some_and(|behind| option.len() == 2 || (option.starts_with("--") && behind.starts_with('=')))
}

pub(super) fn operands<'a>(program: &str, arguments: &'a [Word]) -> Vec<&'a Word> {
    let with_word =
        WITH_WORD.iter().find(|(name, _)| *name == program).map_or(&[][..], |(_, options)| *options);
    let mut found = Vec::new();
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let text = word.text();
        if with_word.contains(&text.as_str()) {
            words.next();
        } else if text == "--" {
            found.extend(words.by_ref());
        } else if !text.starts_with('-') || text.len() == 1 || word.values().next().is_some() {
            found.push(word);
        }
    }
    found
}

/// What a format takes, in order: whether each is a number.
fn numbers(format: &str) -> Vec<bool> {
    let mut found = Vec::new();
    let mut chars = format.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '%' || chars.next_if_eq(&'%').is_some() {
            continue;
        }
        while let Some(flag) = chars.next_if(|c| c.is_ascii_digit() || "-+ #0'.*$".contains(*c)) {
            if flag == '*' {
                found.push(true);
            }
        }
        match chars.next() {
            Some('s' | 'b' | 'q' | 'c') | None => found.push(false),
            // A time.
            Some('(') => {
                chars.by_ref().find(|c| *c == ')');
                chars.next();
                found.push(true);
            }
            Some(_) => found.push(true),
        }
    }
    found
}
