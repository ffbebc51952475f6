//! Values in places that a shell evaluates once more, when all quotes are gone: arithmetic, subscripts, names of variables,
//! texts that are run. Owns that nothing but harmless text gets there; refuses to look for a way to quote there, as there
//! is none.
//!
//! - `table`: the places
//! - `commands`: the words of a script that has its marks

mod commands;
mod table;

use std::collections::{HashMap, HashSet};

use super::error::Problem;
use super::lexer::{Refusal, Seen};
use super::reread::{self, BEFORE, Inner, Piece};
use super::script::Item;
use crate::model::shell::{is_plain, is_reserved};
use commands::{Command, Part, Quotes, Word};
use table::{COUNTED, DECLARE, RULES, RUN, WITH_WORD, Which};

pub(super) use table::Wants;

/// Words that run the command behind them as it is.
const WRAPPERS: &[&str] = &["command", "builtin", "noglob", "nocorrect", "exec", "nohup"];

/// Programs that join their words to a line for a shell elsewhere.
const REMOTE: &[&str] = &["ssh", "autossh", "rsh"];

/// Refuses the first value that stands where it is evaluated, and is not harmless there.
pub(super) fn check(script: &str, seen: &[Seen], items: &[Item]) -> Result<(), Refusal> {
    if items.is_empty() {
        return Ok(());
    }
    let mut judge = Judge { items, counted: HashSet::new(), keyed: HashSet::new(), held: HashMap::new() };
    commands::read(script, seen).iter().try_for_each(|command| judge.command(command))
}

/// Whether a text is a number wherever a shell calculates: one that begins with 0 is octal.
pub(super) fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    all_digits(whole) && all_digits(part) && (whole == "0" || !whole.starts_with('0'))
}

/// The refusal of a value for its place.
pub(super) fn refuse(item: usize, place: &str, wants: Wants) -> Refusal {
    Refusal { item, problem: Problem::Evaluated { place: place.to_owned(), wants } }
}

/// What is known of the variables of a script at a place of it.
struct Judge<'a> {
    items: &'a [Item],
    /// Variables that hold numbers: what they are given is calculated.
    counted: HashSet<String>,
    /// Arrays whose subscripts are texts.
    keyed: HashSet<String>,
    /// Variables that hold values which are no numbers.
    held: HashMap<String, Vec<usize>>,
}

impl Judge<'_> {
    fn command(&mut self, command: &Command) -> Result<(), Refusal> {
        for word in &command.duplicated {
            self.want(word, Wants::Plain, "behind >&, which bash expands again")?;
        }
        if command.is_array {
            let mut keys = command.words.iter().filter(|word| word.text().starts_with('['));
            return keys.try_for_each(|word| self.subscript(word));
        }
        let words = &command.words;
        let stands_before = |word: &&Word| {
            let text = word.text();
            BEFORE.contains(&text.as_str()) || WRAPPERS.contains(&text.as_str()) || assigned(word).is_some()
        };
        let before = words.iter().take_while(stands_before).count();
        let (before, rest) = words.split_at(before);
        for word in before {
            self.special(word)?;
            self.assign(word, None)?;
        }
        let Some((program, arguments)) = rest.split_first() else { return Ok(()) };
        let program = program.text();
        let program = reread::base(&program);
        match program {
            "for" | "select" => self.each(arguments),
            "env" | "sudo" => arguments.iter().try_for_each(|word| self.special(word))?,
            declares if DECLARE.contains(&declares) => self.declare(declares, arguments)?,
            _ => {}
        }
        for rule in RULES.iter().filter(|rule| rule.programs.contains(&program)) {
            for word in chosen(rule.which, program, arguments) {
                match rule.wants {
                    Wants::Name => self.name(word, rule.place)?,
                    Wants::Program => self.program(word, rule.place)?,
                    Wants::Number => {
                        self.want(word, Wants::Number, rule.place)?;
                        // There a name needs no `$`.
                        if matches!(program, "let" | "[[") {
                            self.looks_at(&word.text())?;
                        }
                    }
                    Wants::Plain => self.want(word, Wants::Plain, rule.place)?,
                    // Alone it is the program, and meant to be.
                    Wants::Foreign if word.0.len() == 1 || word.is_one_variable() => {}
                    Wants::Foreign => self.want(word, Wants::Foreign, rule.place)?,
                }
            }
        }
        self.reread(program, words, arguments)?;
        let mut bodies = command.bodies.iter().filter(|_| reads_script(program, words, arguments));
        bodies.try_for_each(|body| self.read_elsewhere(body, "in a heredoc that another shell reads"))?;
        if reads_script(program, words, arguments) {
            self.fed(&command.fed)?;
        }
        Ok(())
    }

    /// What a shell gets through a pipe, or as a here-string.
    fn fed(&self, written: &[Word]) -> Result<(), Refusal> {
        let Some((program, arguments)) = written.split_first() else { return Ok(()) };
        let program = program.text();
        if !matches!(reread::base(&program), "echo" | "printf" | "print") {
            return Ok(());
        }
        let is_form = |word: &&Word| {
            let text = word.text();
            !matches!(text.as_str(), "%s" | "%s\\n" | "%b" | "%b\\n") && !text.starts_with('-')
        };
        let told: Vec<&Word> = arguments.iter().filter(is_form).collect();
        match told.as_slice() {
            // Alone it is the program, and meant to be.
            [word] if word.is_one() => Ok(()),
            told => told
                .iter()
                .try_for_each(|word| self.read_elsewhere(word, "in a text that another shell reads")),
        }
    }

    /// Variables with a meaning of their own, wherever they are set.
    fn special(&self, word: &Word) -> Result<(), Refusal> {
        let prefix = word.prefix();
        let Some((name, _)) = prefix.split_once('=') else { return Ok(()) };
        let name = name.trim_end_matches('+');
        let name = name.split_once('[').map_or(name, |(name, _)| name);
        if RUN.contains(&name) {
            return self.program(word, "in a variable whose text the shell runs");
        }
        if COUNTED.contains(&name) || self.counted.contains(name) {
            return self.want(word, Wants::Number, "in a variable that holds a number");
        }
        Ok(())
    }

    /// `name=value`, `name[subscript]=value`; all it wants of a value.
    fn assign(&mut self, word: &Word, wants: Option<(Wants, &str)>) -> Result<(), Refusal> {
        let Some(name) = assigned(word) else { return Ok(()) };
        if word.prefix().get(name.len()..).is_some_and(|rest| rest.starts_with('[')) {
            self.subscript(word)?;
            if !self.keyed.contains(&name) {
                let text = word.text();
                let inner = text.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
                self.looks_at(inner.map_or("", |(inner, _)| inner))?;
            }
        }
        if let Some((wants, place)) = wants {
            self.want(word, wants, place)?;
        }
        self.hold(name, [word].into_iter());
        Ok(())
    }

    /// Notes what a variable has from now on, of values and of other variables that have some.
    fn hold<'w>(&mut self, name: String, words: impl Iterator<Item = &'w Word>) {
        let mut values = Vec::new();
        for word in words {
            values.extend(word.values().filter(|index| !self.fits(*index, Wants::Number)));
            values.extend(word.variables().iter().filter_map(|name| self.held.get(name)).flatten());
        }
        if values.is_empty() {
            self.held.remove(&name);
        } else {
            self.held.insert(name, values);
        }
    }

    fn declare(&mut self, program: &str, arguments: &[Word]) -> Result<(), Refusal> {
        let options: String =
            arguments.iter().map(Word::text).filter(|text| text.starts_with(['-', '+'])).collect();
        let has = |options_of: &[char]| program != "export" && options.contains(options_of);
        let counts = matches!(program, "integer" | "float") || has(&['i', 'F', 'E']);
        let names = program == "nameref" || has(&['n']);
        let wants = match (counts, names) {
            (true, _) => Some((Wants::Number, "in a variable that holds a number")),
            (false, true) => Some((Wants::Name, "in the name of a variable")),
            // bash makes an array of what is in parentheses, and runs what is in it.
            (false, false) if has(&['a', 'A']) || arguments.iter().any(|word| self.makes_array(word)) => {
                Some((Wants::Plain, "where a shell reads the items of an array"))
            }
            (false, false) => None,
        };
        for word in arguments {
            self.special(word)?;
            let name: String = word.prefix().chars().take_while(|c| is_of_name(*c)).collect();
            if counts {
                self.counted.insert(name.clone());
            }
            if has(&['A']) {
                self.keyed.insert(name);
            }
            self.assign(word, wants)?;
        }
        Ok(())
    }

    /// Whether a value behind `name=` begins like the items of an array.
    fn makes_array(&self, word: &Word) -> bool {
        let mut parts = word.0.iter().skip_while(|part| !matches!(part, Part::Char('=', _))).skip(1);
        let Some(Part::Value(index, _)) = parts.next() else { return false };
        matches!(self.items.get(*index), Some(Item::Word { plain, .. }) if plain.trim_start().starts_with('('))
    }

    /// `for name in values`
    fn each(&mut self, arguments: &[Word]) {
        if let Some((name, values)) = arguments.split_first() {
            self.hold(name.text(), values.iter());
        }
    }

    /// A value that a shell keeps in a variable is no safer where the variable is calculated.
    fn looks_at(&self, text: &str) -> Result<(), Refusal> {
        // What commands in there do with it is their own affair.
        if self.held.is_empty() || text.contains("$(") || text.contains('`') {
            return Ok(());
        }
        let mut at = 0;
        for name in text.split(|c: char| !is_of_name(c)) {
            // The length of a text is a number, whatever the text is.
            let counts = text.get(..at).is_some_and(|before| before.ends_with('#'));
            at += name.len()
                + text.get(at + name.len()..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
            if let Some(index) = self.held.get(name).and_then(|held| held.first()).filter(|_| !counts) {
                return Err(refuse(
                    *index,
                    "in a variable that arithmetic looks at further down",
                    Wants::Number,
                ));
            }
        }
        Ok(())
    }

    /// The subscript of a word that has one.
    fn subscript(&self, word: &Word) -> Result<(), Refusal> {
        let inner = word.0.iter().take_while(|part| !matches!(part, Part::Char(']', Quotes::None)));
        // Variables there are texts where the array has texts for subscripts.
        self.has(&Word(inner.copied().collect()), Wants::Number, "in a subscript")
    }

    /// A word that begins with the name of a variable: in the name, in its subscript.
    fn name(&self, word: &Word, place: &str) -> Result<(), Refusal> {
        let mut inside = false;
        let is_name = |part: &&Part| {
            match part {
                Part::Char('[', _) => inside = true,
                Part::Char(']', _) => inside = false,
                Part::Char('=' | '?', _) => return inside,
                Part::Char(..) | Part::Value(..) | Part::Expansion => {}
            }
            true
        };
        let name = Word(word.0.iter().take_while(is_name).copied().collect());
        let wants = if name.text().contains('[') { Wants::Number } else { Wants::Name };
        self.want(&name, wants, place)
    }

    /// A word that is a program for this shell.
    fn program(&self, word: &Word, place: &str) -> Result<(), Refusal> {
        for (index, inner) in reread::values(&pieces(word)) {
            let quoted = word.0.iter().any(|part| match part {
                Part::Value(at, quotes) => *at == index && *quotes != Quotes::None,
                Part::Char(..) | Part::Expansion => false,
            });
            if !(self.fits(index, Wants::Plain) || (quoted && inner == Inner::Bare && self.is_quoted(index)))
            {
                return Err(refuse(index, place, Wants::Program));
            }
        }
        self.kept(word, Wants::Program, place)
    }

    /// The values in variables that a word names are in it as well by the time it is evaluated.
    fn kept(&self, word: &Word, wants: Wants, place: &str) -> Result<(), Refusal> {
        let variables = word.variables();
        let mut values = variables.iter().filter_map(|name| self.held.get(name)).flatten();
        match values.find(|index| !self.fits(**index, wants)) {
            Some(index) => {
                Err(Refusal { item: *index, problem: Problem::Kept { place: place.to_owned(), wants } })
            }
            None => Ok(()),
        }
    }

    /// Words that a shell elsewhere, or another one here, reads again.
    fn reread(&self, program: &str, words: &[Word], arguments: &[Word]) -> Result<(), Refusal> {
        if REMOTE.contains(&program) {
            let line = reread::remote_line(arguments, Word::text);
            let is_program = line.len() == 1 && line.iter().all(|word| word.is_one());
            let mut line = line.iter().filter(|_| !is_program);
            return line.try_for_each(|word| self.read_elsewhere(word, "in a line that another shell reads"));
        }
        for (index, word) in words.iter().enumerate() {
            let option = index.checked_sub(1).and_then(|before| words.get(before)).map(Word::prefix);
            if word.is_one() || !option.is_some_and(|option| option.starts_with('-')) {
                continue;
            }
            let before: Vec<String> = words.iter().take(index).map(Word::text).collect();
            let has_values = word.values().next().is_some() || !word.variables().is_empty();
            if has_values && reread::script_reader(&before).is_some() {
                self.read_elsewhere(word, "in a script that another shell reads")?;
            }
        }
        Ok(())
    }

    fn read_elsewhere(&self, word: &Word, place: &str) -> Result<(), Refusal> {
        let bare = |part: &Part| match part {
            Part::Value(index, Quotes::None) => Some(*index),
            Part::Value(..) | Part::Char(..) | Part::Expansion => None,
        };
        let bare: HashSet<usize> = word.0.iter().filter_map(bare).collect();
        for (index, inner) in reread::values(&pieces(word)) {
            let quoted = inner == Inner::Bare && !bare.contains(&index) && self.is_quoted(index);
            if !(quoted || self.fits(index, Wants::Foreign)) {
                return Err(refuse(index, place, Wants::Program));
            }
        }
        // A variable alone is the program, and meant to be.
        if word.is_one_variable() { Ok(()) } else { self.kept(word, Wants::Foreign, place) }
    }

    /// What a word holds by the time it is evaluated, of values and in variables.
    fn want(&self, word: &Word, wants: Wants, place: &str) -> Result<(), Refusal> {
        self.has(word, wants, place)?;
        self.kept(word, wants, place)
    }

    /// The values of a word.
    fn has(&self, word: &Word, wants: Wants, place: &str) -> Result<(), Refusal> {
        match word.values().find(|index| !self.fits(*index, wants)) {
            Some(index) => Err(refuse(index, place, wants)),
            None => Ok(()),
        }
    }

    fn is_quoted(&self, index: usize) -> bool {
        matches!(self.items.get(index), Some(Item::Word { quoted: Some(_), .. }))
    }

    fn fits(&self, index: usize, wants: Wants) -> bool {
        match self.items.get(index) {
            Some(Item::Word { plain, .. }) => fits(plain, wants),
            Some(Item::Words(words)) => words.iter().all(|word| fits(word, wants)),
            None => false,
        }
    }
}

/// Whether a text is harmless where it is evaluated.
fn fits(text: &str, wants: Wants) -> bool {
    match wants {
        Wants::Number => is_number(text),
        Wants::Name => is_number(text) || (!text.is_empty() && text.chars().all(is_of_name)),
        Wants::Program | Wants::Plain => (is_plain(text) && !is_reserved(text)) || text == "-",
        Wants::Foreign => text.chars().all(|c| c.is_alphanumeric() || " _.,:/@%+=-".contains(c)),
    }
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Whether a shell among the words reads its script from where a heredoc goes.
fn reads_script(program: &str, words: &[Word], arguments: &[Word]) -> bool {
    if REMOTE.contains(&program) {
        let line: Vec<String> = reread::remote_line(arguments, Word::text).iter().map(Word::text).collect();
        let line = line.join(" ");
        let last = line.split_whitespace().next_back();
        return last.is_none_or(|last| last == "-s" || reread::is_shell(last));
    }
    let shell = words.iter().position(|word| reread::is_shell(&word.text()));
    let Some(behind) = shell.and_then(|at| words.get(at + 1..)) else { return false };
    let behind: Vec<String> = behind.iter().map(Word::text).collect();
    let is_option = |word: &String| word.starts_with('-') && !word.ends_with('c');
    behind.iter().any(|word| word == "-s") || behind.iter().all(is_option)
}

/// The variable that a word assigns to: `name=`, `name+=`, `name[`.
fn assigned(word: &Word) -> Option<String> {
    let prefix = word.prefix();
    let name: String = prefix.chars().take_while(|c| is_of_name(*c)).collect();
    let rest = prefix.get(name.len()..)?;
    let assigns = rest.starts_with('=') || rest.starts_with("+=") || rest.starts_with('[');
    (assigns && !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit())).then_some(name)
}

/// The words of a command that a rule is about.
fn chosen<'a>(which: Which, program: &str, arguments: &'a [Word]) -> Vec<&'a Word> {
    match which {
        Which::Operands => operands(program, arguments),
        Which::First => operands(program, arguments).into_iter().take(1).collect(),
        Which::After(options) => {
            let mut found = Vec::new();
            for (index, word) in arguments.iter().enumerate() {
                let (text, prefix) = (word.text(), word.prefix());
                if options.contains(&text.as_str()) {
                    found.extend(arguments.get(index + 1));
                } else if options.iter().any(|option| option.len() == 2 && prefix.starts_with(option)) {
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

fn operands<'a>(program: &str, arguments: &'a [Word]) -> Vec<&'a Word> {
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

/// A word as the program gets it, for a reading by another one.
fn pieces(word: &Word) -> Vec<Piece> {
    let piece = |part: &Part| match part {
        Part::Char(c, _) => Piece::Char(*c),
        Part::Value(index, _) => Piece::Value(*index),
        Part::Expansion => Piece::Expansion,
    };
    word.0.iter().map(piece).collect()
}

#[cfg(test)]
mod tests;
