//! The commands of a script as lists of words, from a walk of the lexer. Owns where a word and a command begin and end;
//! refuses to know what any of them does.

use std::collections::VecDeque;
use std::iter::Peekable;
use std::str::Chars;

use crate::model::template::lexer::seen::{OpenedConstruct, SeenConstruct};

use crate::model::template::twice::words::{BLOCKS, Quotes, SAYS, ShellCommand, Word, WordPart, WordSources};
use crate::model::template::words::base;

/// Programs whose heredoc is what the next command of a pipe reads.
const PASSES: &[&str] = &["cat", "sed", "tee", "envsubst"];

/// The commands of a script.
pub(super) struct ReadScript {
    /// Those inside others first.
    pub(super) commands: Vec<ShellCommand>,
    /// The functions that it defines.
    pub(super) functions: Vec<String>,
}

/// Reads the commands of a script with marks.
pub(super) fn read(script: &str, seen: &[SeenConstruct]) -> ReadScript {
    let levels = vec![Level::Commands(Box::default(), 0)];
    let mut reading =
        CommandReading { script, levels, found: Vec::new(), waiting: VecDeque::new(), functions: Vec::new() };
    reading.read(seen);
    ReadScript { commands: reading.found, functions: reading.functions }
}

enum Level {
    /// The second is how many were found before it began.
    Commands(Box<Builder>, usize),
    Double(Word),
    /// Backticks, braces, arithmetic: the lexer itself judges what stands there.
    Other {
        start: usize,
        counts: bool,
    },
}

/// The command that is being read.
#[derive(Default)]
struct Builder {
    command: ShellCommand,
    word: Option<Word>,
    /// What the next word is for a redirection.
    redirects: Option<Redirect>,
    /// Whether it is inside `[[ ]]`, where operators end no command.
    in_test: bool,
    /// The functions and groups that are open: the name of those that have one.
    groups: Vec<Option<String>>,
    /// The function whose name has just been read.
    defines: Option<String>,
    /// The commands that have a `<(...)` open, and how many other parentheses are open in each.
    outer: Vec<(ShellCommand, usize)>,
    /// What they read there.
    inner: Vec<ShellCommand>,
    /// The functions that were read.
    functions: Vec<String>,
    /// The blocks that are open, and what they have printed.
    blocks: Vec<(OpenBlock, WordSources)>,
    /// What the group that has just ended printed.
    printed: WordSources,
}

/// What opened a block.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OpenBlock {
    Word,
    Parenthesis,
}

#[derive(Clone, Copy)]
enum Redirect {
    /// What is duplicated.
    Duplicates,
    /// A file.
    Names,
    /// The end of a heredoc.
    Heredoc,
    /// A text.
    Text,
}

struct CommandReading<'a> {
    script: &'a str,
    levels: Vec<Level>,
    found: Vec<ShellCommand>,
    /// Which of them wait for the bodies of their heredocs, in order.
    waiting: VecDeque<(usize, Quotes)>,
    functions: Vec<String>,
}

impl CommandReading<'_> {
    fn read(&mut self, seen: &[SeenConstruct]) {
        let mut from = 0;
        for step in seen {
            match *step {
                SeenConstruct::Open { at, what } => {
                    self.plain(from, at.saturating_sub(self.opener(at, what)));
                    self.levels.push(match what {
                        OpenedConstruct::Double => Level::Double(Word::default()),
                        OpenedConstruct::Commands => {
                            let groups = vec![self.within()];
                            let builder = Box::new(Builder { groups, ..Builder::default() });
                            Level::Commands(builder, self.found.len())
                        }
                        OpenedConstruct::Other => Level::Other {
                            start: at,
                            counts: self.script.get(..at).is_some_and(|t| t.ends_with("((")),
                        },
                    });
                    from = at;
                }
                SeenConstruct::Close { at } => {
                    self.plain(from, at.saturating_sub(1));
                    self.close(at);
                    from = at;
                }
                SeenConstruct::Single { start, end } => {
                    self.plain(from, start);
                    let inner = self.script.get(start + 1..end.saturating_sub(1)).unwrap_or_default();
                    self.add(Word(parts(inner, Quotes::Single)));
                    from = end;
                }
                SeenConstruct::Skipped { start, end } => {
                    self.plain(from, start);
                    self.skipped(start, end);
                    from = end;
                }
            }
        }
        self.plain(from, self.script.len());
        while let Some(level) = self.levels.pop() {
            if let Level::Commands(builder, _) = level {
                self.end(*builder);
            }
        }
    }

    /// The function that the innermost commands are in.
    fn within(&self) -> Option<String> {
        let builders = self.levels.iter().rev();
        builders.into_iter().find_map(|level| match level {
            Level::Commands(builder, _) => Some(builder.within()),
            Level::Double(_) | Level::Other { .. } => None,
        })?
    }

    /// `$'...'` is a part of its word, the body of a heredoc belongs to its command, a comment to nothing.
    fn skipped(&mut self, start: usize, end: usize) {
        let text = self.script.get(start..end).unwrap_or_default();
        let begins_line = self.script.get(..start).is_some_and(|before| before.ends_with('\n'));
        let waiting = if begins_line { self.waiting.pop_front() } else { None };
        let waiting = waiting.and_then(|(index, quotes)| Some((self.found.get_mut(index)?, quotes)));
        if let Some((command, quotes)) = waiting {
            command.bodies.push(Word(parts(text, quotes)));
        } else if text.starts_with('\'') {
            self.add(Word(vec![WordPart::Expansion(WordSources::default())]));
        }
    }

    /// Notes commands that ended.
    fn ended(&mut self, commands: impl IntoIterator<Item = ShellCommand>) {
        for command in commands {
            let index = self.found.len();
            self.waiting.extend(command.heredocs.iter().map(|quotes| (index, *quotes)));
            self.found.push(command);
        }
    }

    /// The length of what opens a construct.
    fn opener(&self, at: usize, what: OpenedConstruct) -> usize {
        let before = self.script.get(..at).unwrap_or_default();
        match what {
            OpenedConstruct::Double => 1,
            OpenedConstruct::Commands => 2,
            OpenedConstruct::Other if before.ends_with('`') => 1,
            OpenedConstruct::Other if before.ends_with("$((") => 3,
            OpenedConstruct::Other => 2,
        }
    }

    fn close(&mut self, at: usize) {
        let closed = if self.levels.len() > 1 { self.levels.pop() } else { None };
        match closed {
            Some(Level::Double(word)) => self.add(word),
            Some(Level::Commands(builder, first)) => {
                self.end(*builder);
                let mut printed = WordSources::default();
                for command in self.found.iter_mut().skip(first) {
                    if !std::mem::replace(&mut command.is_read, true) {
                        printed.add(command.output(&self.functions));
                    }
                }
                self.add(Word(vec![WordPart::Expansion(printed)]));
            }
            Some(Level::Other { start, counts }) => {
                let before = self.script.get(..start).unwrap_or_default();
                let text = self.script.get(start..at.saturating_sub(1)).unwrap_or_default();
                if before.ends_with("${") {
                    return self.parameter(text);
                }
                if counts {
                    // As if it were a command: what it looks at is calculated.
                    let text = self.script.get(start..at).unwrap_or_default();
                    self.judged("let", text);
                }
                // In backticks no value needs quotes; variables may.
                let program = text.split_whitespace().next().unwrap_or_default();
                let says = before.ends_with('`') && SAYS.contains(&base(program));
                let names = if says { dollars(text) } else { Vec::new() };
                self.add(Word(vec![WordPart::Expansion(WordSources { names, ..WordSources::default() })]));
            }
            None => {}
        }
    }

    /// Has a text judged as if it were the argument of a command.
    fn judged(&mut self, program: &str, text: &str) {
        let words =
            vec![Word(parts(program, Quotes::None)), Word(parts(&format!(" {text}"), Quotes::Double))];
        let within = self.within();
        self.found.push(ShellCommand { words, within, is_read: true, ..ShellCommand::default() });
    }

    /// `${...}`
    fn parameter(&mut self, text: &str) {
        let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if !text.is_empty() && text.chars().all(is_of_name) {
            let sources = WordSources { values: Vec::new(), names: vec![text.to_owned()], is_variable: true };
            return self.add(Word(vec![WordPart::Expansion(sources)]));
        }
        // zsh's flags: `e` has the text expanded again, `P` takes it for a name.
        let (flags, rest) = match text.strip_prefix('(').and_then(|text| text.split_once(')')) {
            Some((flags, rest)) => (flags, rest),
            None => ("", text),
        };
        let names_another = rest.starts_with('!') || flags.contains('P');
        let rest = rest.trim_start_matches(['!', '=', '~', '^']);
        let length = rest.find(|c| !is_of_name(c)).unwrap_or(rest.len());
        let (name, operation) = rest.split_at(length);
        let lists_names = operation.starts_with(['@', '*']) && operation.len() == 1;
        let lists_keys = operation.starts_with("[@]") || operation.starts_with("[*]");
        if name.is_empty() {
            let names = dollars(text);
            return self
                .add(Word(vec![WordPart::Expansion(WordSources { names, ..WordSources::default() })]));
        }
        if names_another && !lists_names && !lists_keys {
            self.judged("unset", &format!("${name}"));
        }
        if flags.contains('e') || operation.ends_with("@P") {
            self.judged("eval", &format!("${name}"));
        }
        if let Some((subscript, _)) = operation.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            let element = Word(parts(&format!("{name}[{subscript}]"), Quotes::Double));
            let within = self.within();
            self.found.push(ShellCommand {
                elements: vec![element],
                within,
                is_read: true,
                ..ShellCommand::default()
            });
        }
        let behind =
            operation.split_once(']').filter(|_| operation.starts_with('[')).map_or(operation, |(_, o)| o);
        if let Some(offset) = behind.strip_prefix(':').filter(|rest| !rest.starts_with(['-', '=', '?', '+']))
        {
            self.judged("let", offset);
        }
        let mut names = dollars(operation);
        // `${x+...}` does not have the variable's text, and `${x//[!0-9]/}` nothing of it that matters.
        let is_other = (names_another && lists_keys)
            || behind.trim_start_matches(':').starts_with('+')
            || behind.starts_with("//[!")
            || behind.starts_with("//[^");
        if !is_other {
            names.push(name.to_owned());
        }
        self.add(Word(vec![WordPart::Expansion(WordSources { names, ..WordSources::default() })]));
    }

    fn end(&mut self, mut builder: Builder) {
        builder.end_word();
        let last = builder.take();
        self.functions.append(&mut builder.functions);
        self.ended(last);
    }

    /// Adds parts to the word that is being read, which begins here if none is.
    fn add(&mut self, Word(parts): Word) {
        match self.levels.last_mut() {
            Some(Level::Commands(builder, _)) => builder.word.get_or_insert_default().0.extend(parts),
            Some(Level::Double(word)) => word.0.extend(parts),
            Some(Level::Other { .. }) | None => {}
        }
    }

    /// Text of the innermost level.
    fn plain(&mut self, from: usize, to: usize) {
        let text = self.script.get(from..to).unwrap_or_default();
        match self.levels.last_mut() {
            Some(Level::Commands(builder, _)) => {
                let commands = builder.read(text, &self.functions);
                self.functions.append(&mut builder.functions);
                self.ended(commands);
            }
            Some(Level::Double(word)) => word.0.extend(parts(text, Quotes::Double)),
            Some(Level::Other { .. }) | None => {}
        }
    }
}

impl Builder {
    /// The function that it is in.
    fn within(&self) -> Option<String> {
        self.groups.iter().rev().find_map(Clone::clone)
    }

    /// Reads text outside quotes; gives the commands that end there.
    fn read(&mut self, text: &str, functions: &[String]) -> Vec<ShellCommand> {
        let mut ended = Vec::new();
        let text = joined(text);
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                ' ' | '\t' => self.end_word(),
                '<' if !self.in_test && chars.peek() == Some(&'(') => {
                    chars.next();
                    self.end_word();
                    self.redirects = None;
                    self.outer.push((std::mem::take(&mut self.command), 0));
                }
                '<' | '>' => self.redirection(c, &mut chars),
                ')' if self.outer.last().is_some_and(|(_, open)| *open == 0) => {
                    self.end_word();
                    ended.extend(self.substituted(functions));
                }
                '\n' | ';' | '&' | '|' | '(' | ')' => {
                    if let Some((_, open)) = self.outer.last_mut() {
                        match c {
                            '(' => *open += 1,
                            ')' => *open = open.saturating_sub(1),
                            _ => {}
                        }
                    }
                    if c == '(' && chars.peek() == Some(&')') {
                        self.define();
                    }
                    let assigns = self.word.as_ref().filter(|word| c == '(' && word.text().ends_with('='));
                    let assigns = assigns.and_then(Word::assigns);
                    self.end_word();
                    let is_and_or = matches!(c, '&' | '|') && chars.next_if_eq(&c).is_some();
                    let is_pipe = c == '|' && !is_and_or;
                    if is_pipe {
                        chars.next_if_eq(&'&');
                    }
                    let goes_on = self.in_test || (self.command.array.is_some() && c == '\n');
                    let array = assigns.or_else(|| self.command.array.clone().filter(|_| goes_on));
                    if !goes_on {
                        ended.extend(self.next(c, is_pipe, functions));
                        self.command.is_conditional |= is_and_or;
                    }
                    self.command.array = array;
                }
                '\\' => match chars.next() {
                    Some('\n') | None => {}
                    Some('\0') => self.push(mark(&mut chars, Quotes::None)),
                    Some(next) => self.push(WordPart::Char(next, Quotes::Single)),
                },
                '\0' => self.push(mark(&mut chars, Quotes::None)),
                c => self.push(WordPart::Char(c, Quotes::None)),
            }
        }
        ended
    }

    /// Ends a command; the next one reads what it prints if there is a pipe between them.
    fn next(&mut self, operator: char, is_pipe: bool, functions: &[String]) -> Option<ShellCommand> {
        // `x | (cmd)`
        let fed = (operator == '(' && self.command.words.is_empty())
            .then(|| (std::mem::take(&mut self.command.fed), std::mem::take(&mut self.command.stream)));
        let mut command = self.take();
        if let Some((fed, stream)) = fed {
            (self.command.fed, self.command.stream) = (fed, stream);
        }
        let mut printed = std::mem::take(&mut self.printed);
        if let Some(command) = &mut command {
            printed.add(self.block(command));
            printed.add(command.output(functions));
            command.is_read = is_pipe;
            if is_pipe {
                if command.words.first().is_some_and(|word| PASSES.contains(&word.text().as_str())) {
                    self.command.heredocs = std::mem::take(&mut command.heredocs);
                }
                self.command.fed.clone_from(&command.words);
            }
        }
        if is_pipe {
            self.command.stream = printed;
        } else if let Some((_, all)) = self.blocks.last_mut() {
            all.add(printed);
        }
        match operator {
            '(' => self.blocks.push((OpenBlock::Parenthesis, WordSources::default())),
            ')' if self.blocks.last().is_some_and(|(block, _)| *block == OpenBlock::Parenthesis) => {
                self.printed = self.blocks.pop().map(|(_, all)| all).unwrap_or_default();
            }
            _ => {}
        }
        if let (Some(command), false) = (&command, self.outer.is_empty()) {
            self.inner.push(command.clone());
        }
        command
    }

    /// Opens and closes the blocks that a command begins or ends; gives what the closed ones printed.
    fn block(&mut self, command: &ShellCommand) -> WordSources {
        let mut printed = WordSources::default();
        for word in command.words.iter().map(Word::text).take_while(|word| BLOCKS.contains(&word.as_str())) {
            if matches!(word.as_str(), "}" | "fi" | "done" | "esac") {
                if self.blocks.last().is_some_and(|(block, _)| *block == OpenBlock::Word) {
                    printed.add(self.blocks.pop().map(|(_, all)| all).unwrap_or_default());
                }
            } else if matches!(word.as_str(), "{" | "if" | "for" | "while" | "until" | "select" | "case") {
                self.blocks.push((OpenBlock::Word, WordSources::default()));
            }
        }
        printed
    }

    /// Ends a `<(...)`.
    fn substituted(&mut self, functions: &[String]) -> Option<ShellCommand> {
        let last = self.next(')', false, functions);
        let Some((mut command, _)) = self.outer.pop() else { return last };
        for inner in self.inner.drain(..).filter(|inner| !inner.is_read) {
            command.stream.add(inner.output(functions));
            command.fed = inner.words;
        }
        self.command = command;
        last.map(|last| ShellCommand { is_read: true, ..last })
    }

    /// `name()`
    fn define(&mut self) {
        let name = match (self.command.words.as_slice(), &self.word) {
            ([], Some(name)) | ([name], None) => name.text(),
            ([function], Some(name)) if function.text() == "function" => name.text(),
            _ => return,
        };
        self.functions.push(name.clone());
        self.defines = Some(name);
    }

    fn redirection(&mut self, first: char, chars: &mut Peekable<Chars<'_>>) {
        let digits = |word: &Word| word.text().chars().all(|c| c.is_ascii_digit());
        if self.word.as_ref().is_some_and(digits) {
            self.word = None;
        }
        self.end_word();
        let mut operator = String::from(first);
        while let Some(next) = chars.next_if(|next| matches!(next, '<' | '>' | '&' | '|')) {
            operator.push(next);
        }
        self.redirects = match operator.as_str() {
            _ if self.in_test || chars.peek() == Some(&'(') => None,
            ">&" | "<&" => Some(Redirect::Duplicates),
            "<<" => Some(Redirect::Heredoc),
            "<<<" => Some(Redirect::Text),
            _ => Some(Redirect::Names),
        };
    }

    fn push(&mut self, part: WordPart) {
        self.word.get_or_insert_default().0.push(part);
    }

    fn end_word(&mut self) {
        let Some(word) = self.word.take() else { return };
        match self.redirects.take() {
            Some(Redirect::Duplicates) => self.command.duplicated.push(word),
            Some(Redirect::Names) => {}
            Some(Redirect::Heredoc) => {
                // The lexer gives the delimiter as it is written.
                let plain = word.0.iter().all(
                    |part| matches!(part, WordPart::Char(c, Quotes::None) if !matches!(c, '\'' | '"' | '\\')),
                );
                self.command.heredocs.push(if plain { Quotes::Double } else { Quotes::Single });
            }
            Some(Redirect::Text) => {
                self.command.stream = WordSources::of([&word]);
                self.command.fed = vec![Word(parts("echo", Quotes::None)), word];
            }
            None => {
                let begins = self.command.words.is_empty();
                match word.text().as_str() {
                    "[[" => self.in_test = true,
                    "]]" => self.in_test = false,
                    "{" if begins => self.groups.push(self.defines.take()),
                    "}" if begins => {
                        self.groups.pop();
                    }
                    _ => {}
                }
                self.command.words.push(word);
            }
        }
    }

    /// The command, when there is one; another one begins.
    fn take(&mut self) -> Option<ShellCommand> {
        self.in_test = false;
        self.redirects = None;
        let mut command = std::mem::take(&mut self.command);
        command.within = self.within();
        (!command.words.is_empty() || !command.duplicated.is_empty()).then_some(command)
    }
}

/// The variables in a text that has them with their signs.
fn dollars(text: &str) -> Vec<String> {
    let behind = text.split('$').skip(1).map(|text| text.trim_start_matches('{'));
    let name = |text: &str| text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    behind.map(name).filter(|name: &String| !name.is_empty()).collect()
}

/// A text outside quotes without split ends of lines.
fn joined(text: &str) -> String {
    let mut joined = String::with_capacity(text.len());
    let mut escaped = false;
    for c in text.chars() {
        if escaped && c == '\n' {
            joined.pop();
            escaped = false;
            continue;
        }
        escaped = c == '\\' && !escaped;
        joined.push(c);
    }
    joined
}

/// The parts of a text between quotes.
fn parts(text: &str, quotes: Quotes) -> Vec<WordPart> {
    let mut found = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\0' => found.push(mark(&mut chars, quotes)),
            '\\' if quotes == Quotes::Double && chars.peek() == Some(&'\n') => {
                chars.next();
            }
            '\\' if quotes == Quotes::Double && matches!(chars.peek(), Some('"' | '\\' | '$' | '`')) => {
                found.extend(chars.next().map(|c| WordPart::Char(c, Quotes::Single)));
            }
            c => found.push(WordPart::Char(c, quotes)),
        }
    }
    found
}

/// The rest of a mark behind its NUL.
fn mark(chars: &mut Peekable<Chars<'_>>, quotes: Quotes) -> WordPart {
    if chars.next_if_eq(&'s').is_some() {
        return WordPart::Expansion(WordSources::default());
    }
    let digits: String = chars.by_ref().take_while(|c| *c != '\0').collect();
    digits
        .parse()
        .map_or_else(|_| WordPart::Expansion(WordSources::default()), |index| WordPart::Value(index, quotes))
}
