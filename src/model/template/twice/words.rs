//! The words of a script's commands, and what they are made of. Owns where the text of a word comes from; refuses to read
//! a script.

use crate::model::template::words::{BEFORE, base};

/// Programs that print their operands, or a part of them.
pub(super) const SAYS: &[&str] =
    &["echo", "printf", "print", "basename", "dirname", "realpath", "readlink", "expr"];

/// Programs that print what they read, or a part of it.
const FILTERS: &[&str] = &[
    "cat", "sed", "tee", "envsubst", "tr", "cut", "awk", "gawk", "mawk", "head", "tail", "grep", "sort",
    "uniq", "rev", "tac", "fold", "paste", "column", "xargs",
];

/// Words that run the command behind them as it is.
const WRAPPERS: &[&str] = &["command", "builtin", "noglob", "nocorrect", "exec", "nohup", "busybox"];

/// Words that open and close blocks, and those between.
pub(super) const BLOCKS: &[&str] = &[
    "if", "then", "elif", "else", "fi", "for", "while", "until", "select", "do", "done", "case", "esac", "{",
    "}", "!",
];

/// What stands around a part of a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quotes {
    None,
    Double,
    /// Single quotes, or a backslash.
    Single,
}

/// A part of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum WordPart {
    Char(char, Quotes),
    /// The value of this index.
    Value(usize, Quotes),
    /// What the shell puts in, made of these: `$(...)`, `${...}`, `$'...'`.
    Expansion(WordSources),
}

/// What a text is made of that the shell composes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct WordSources {
    pub(super) values: Vec<usize>,
    /// Variables.
    pub(super) names: Vec<String>,
    /// It is all of one variable: `${name}`.
    pub(super) is_variable: bool,
}

impl WordSources {
    pub(super) fn add(&mut self, other: Self) {
        self.values.extend(other.values);
        self.names.extend(other.names);
    }

    pub(super) fn of<'a>(words: impl IntoIterator<Item = &'a Word>) -> Self {
        let mut found = Self::default();
        for word in words {
            found.values.extend(word.values().chain(word.carried()));
            found.names.extend(word.variables());
        }
        found
    }
}

/// A word as it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Word(pub(super) Vec<WordPart>);

impl Word {
    /// The characters before the first part that is none.
    pub(super) fn prefix(&self) -> String {
        self.0
            .iter()
            .map_while(|part| if let WordPart::Char(c, _) = part { Some(*c) } else { None })
            .collect()
    }

    /// Its text, with a sign that no text has for what is not known.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                WordPart::Char(c, _) => text.push(*c),
                WordPart::Expansion(WordSources { names, is_variable: true, .. }) => {
                    text.extend(["$"].into_iter().chain(names.iter().map(String::as_str)));
                }
                WordPart::Value(..) | WordPart::Expansion(_) => text.push('\u{fffd}'),
            }
        }
        text
    }

    /// The variables that the shell puts into it: `$name`, `${name}`.
    pub(super) fn variables(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut parts = self.0.iter().peekable();
        while let Some(part) = parts.next() {
            if let WordPart::Expansion(sources) = part {
                found.extend(sources.names.iter().cloned());
            }
            if !matches!(part, WordPart::Char('$', Quotes::None | Quotes::Double)) {
                continue;
            }
            if let Some(WordPart::Char(all, _)) =
                parts.next_if(|part| matches!(part, WordPart::Char('@' | '*', _)))
            {
                found.push(all.to_string());
                continue;
            }
            let mut name = String::new();
            while let Some(WordPart::Char(c, _)) = parts.next_if(|part| is_of_name(part)) {
                name.push(*c);
            }
            if !name.is_empty() {
                found.push(name);
            }
        }
        found
    }

    /// Whether it is one variable, and nothing else.
    pub(super) fn is_one_variable(&self) -> bool {
        if let [WordPart::Expansion(sources)] = self.0.as_slice() {
            return sources.is_variable;
        }
        matches!(self.0.split_first(), Some((WordPart::Char('$', Quotes::None | Quotes::Double), name))
            if !name.is_empty() && name.iter().all(is_of_name))
    }

    /// Whether it is one value, one variable, or what one command prints of its own, and nothing else.
    pub(super) fn is_one(&self) -> bool {
        match self.0.as_slice() {
            [] | [WordPart::Char(..) | WordPart::Value(..)] => true,
            [WordPart::Expansion(sources)] => *sources == WordSources::default(),
            _ => self.is_one_variable(),
        }
    }

    /// Whether it is one value on a line, and nothing else.
    pub(super) fn is_one_line(&self) -> bool {
        matches!(self.0.as_slice(), [WordPart::Value(..), WordPart::Char('\n', _)])
    }

    /// The variable that it is, all of an array as well.
    pub(super) fn named(&self) -> Option<String> {
        let is_array =
            matches!(self.0.as_slice(), [WordPart::Expansion(sources)] if sources.values.is_empty());
        match self.variables().as_slice() {
            [name] if is_array || self.is_one_variable() => Some(name.clone()),
            _ => None,
        }
    }

    /// The words that it is where a shell splits it.
    pub(super) fn fields(&self) -> Vec<Self> {
        let blank = |part: &WordPart| matches!(part, WordPart::Char(' ' | '\t' | '\n', _));
        self.0.split(blank).filter(|parts| !parts.is_empty()).map(|parts| Self(parts.to_vec())).collect()
    }

    /// Its text, where no shell puts anything into it.
    pub(super) fn constant(&self) -> Option<String> {
        let one = |part: &WordPart| match part {
            WordPart::Char('$' | '`', Quotes::None | Quotes::Double)
            | WordPart::Value(..)
            | WordPart::Expansion(_) => None,
            WordPart::Char(c, _) => Some(*c),
        };
        self.0.iter().map(one).collect()
    }

    /// The values in what the shell puts into it.
    pub(super) fn carried(&self) -> impl Iterator<Item = usize> {
        let inside = self.0.iter().filter_map(|part| match part {
            WordPart::Expansion(sources) => Some(&sources.values),
            WordPart::Char(..) | WordPart::Value(..) => None,
        });
        inside.flatten().copied()
    }

    /// What stands behind the first `=`.
    pub(super) fn assigned(&self) -> Self {
        let behind = self.0.iter().skip_while(|part| !matches!(part, WordPart::Char('=', _))).skip(1);
        Self(behind.cloned().collect())
    }

    /// The values in it.
    pub(super) fn values(&self) -> impl Iterator<Item = usize> {
        self.0
            .iter()
            .filter_map(|part| if let WordPart::Value(index, _) = part { Some(*index) } else { None })
    }
}

fn is_of_name(part: &WordPart) -> bool {
    matches!(part, WordPart::Char(c, Quotes::None | Quotes::Double) if c.is_ascii_alphanumeric() || *c == '_')
}

impl WordPart {
    /// Whether it is a `$` that the shell sees.
    pub(super) fn is_sign(&self) -> bool {
        matches!(self, Self::Char('$', Quotes::None | Quotes::Double))
    }

    /// Whether it can belong to a variable's name behind one.
    pub(super) fn is_of_name(&self) -> bool {
        is_of_name(self)
    }
}

/// A simple command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ShellCommand {
    pub(super) words: Vec<Word>,
    /// What follows `>&` and `<&`.
    pub(super) duplicated: Vec<Word>,
    /// The name, where it is the inside of `name=(...)`.
    pub(super) array: Option<String>,
    /// Elements of arrays that it names, up to the subscript's end.
    pub(super) elements: Vec<Word>,
    /// The function that it is in, if it is in one.
    pub(super) within: Option<String>,
    /// Whether it runs only if the one before ended as it should.
    pub(super) is_conditional: bool,
    /// Whether another command reads what it prints, or the shell puts that in.
    pub(super) is_read: bool,
    /// What it reads is made of, but for its heredocs.
    pub(super) stream: WordSources,
    /// The heredocs that it begins: whether the shell leaves their bodies as they are.
    pub(super) heredocs: Vec<Quotes>,
    /// The words of the command whose output it reads, or what would be one: those of a here-string.
    pub(super) fed: Vec<Word>,
    /// What is in them.
    pub(super) bodies: Vec<Word>,
}

impl ShellCommand {
    /// What stands before its program, and the program with its arguments.
    pub(super) fn split(&self) -> (&[Word], &[Word]) {
        let stands_before = |word: &&Word| {
            let text = word.text();
            BEFORE.contains(&text.as_str()) || WRAPPERS.contains(&text.as_str()) || word.assigns().is_some()
        };
        let before = self.words.iter().take_while(stands_before).count();
        self.words.split_at(before)
    }

    /// What it reads is made of.
    pub(super) fn input(&self) -> WordSources {
        let mut found = self.stream.clone();
        found.add(WordSources::of(&self.bodies));
        found
    }

    /// What it prints is made of, as far as it is not its own.
    pub(super) fn output(&self, functions: &[String]) -> WordSources {
        let Some((program, arguments)) = self.split().1.split_first() else { return WordSources::default() };
        let program = program.text();
        let mut found = WordSources::default();
        if SAYS.contains(&base(&program)) || functions.contains(&program) {
            found.add(WordSources::of(arguments));
        }
        // `tr -cd 0-9` leaves nothing else.
        let keeps = |word: &Word| matches!(word.text().as_str(), "-cd" | "-dc" | "-Cd" | "-dC");
        if FILTERS.contains(&base(&program)) && !arguments.iter().any(keeps) {
            found.add(self.input());
        }
        found
    }
}

impl Word {
    /// The variable that it assigns to: `name=`, `name+=`, `name[`.
    pub(super) fn assigns(&self) -> Option<String> {
        let prefix = self.prefix();
        let name: String = prefix.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        let rest = prefix.get(name.len()..)?;
        let assigns = rest.starts_with('=') || rest.starts_with("+=") || rest.starts_with('[');
        (assigns && !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit())).then_some(name)
    }
}
