//! Refuses the first value that stands where it is evaluated, and is not harmless there.

use std::collections::HashSet;

use crate::model::shell::{is_plain, is_reserved};
use crate::model::template::item::ScriptItem;
use crate::model::template::lexer::seen::{SeenConstruct, ValueRefusal};
use crate::model::template::problem::{ValueProblem, Wants};
use crate::model::template::twice::arguments::{chosen, operands};
use crate::model::template::twice::commands;
use crate::model::template::twice::commands::ReadScript;
use crate::model::template::twice::elsewhere::{LANGUAGES, reads_program, reads_rules, reads_script};
use crate::model::template::twice::held::{How, KeptValue};
use crate::model::template::twice::state::{ScriptWalk, TwiceJudge, bare, is_number, pieces, refuse};
use crate::model::template::twice::table::{COUNTED, DECLARE, HANDED, JUDGED, RULES, RUN, RUNNERS, Which};
use crate::model::template::twice::words::{BLOCKS, Quotes, ShellCommand, Word, WordPart, WordSources};
use crate::model::template::words::{InnerQuotes, base, values};

/// Refuses the first value that stands where it is evaluated, and is not harmless there.
pub(in crate::model::template) fn check(
    script: &str,
    seen: &[SeenConstruct],
    items: &[ScriptItem],
    walk: ScriptWalk,
) -> Result<(), ValueRefusal> {
    if items.is_empty() {
        return Ok(());
    }
    TwiceJudge { items, walk: Some(walk), ..TwiceJudge::default() }.script(script, seen)
}

impl TwiceJudge<'_> {
    /// A command as it is written, and with what its first variable holds in its place: `$S -c "..."`, `"${argv[@]}"`.
    fn command(&mut self, command: &ShellCommand) -> Result<(), ValueRefusal> {
        self.written(command)?;
        let (before, rest) = command.split();
        let Some((name, arguments)) =
            rest.split_first().and_then(|(first, rest)| Some((first.named()?, rest)))
        else {
            return Ok(());
        };
        let Some(lines) = self.lines.get(&name).cloned() else { return Ok(()) };
        lines.into_iter().try_for_each(|line| {
            let words = before.iter().filter(|word| word.assigns().is_some()).cloned();
            let words = words.chain(line).chain(arguments.iter().cloned()).collect();
            self.written(&ShellCommand { words, elements: Vec::new(), ..command.clone() })
        })
    }

    fn written(&mut self, command: &ShellCommand) -> Result<(), ValueRefusal> {
        for word in &command.duplicated {
            self.want(word, Wants::Plain, "behind >&, which bash expands again")?;
        }
        self.within.clone_from(&command.within);
        self.is_conditional = command.is_conditional;
        if let Some(array) = &command.array {
            let mut keys = command.words.iter().filter(|word| word.text().starts_with('['));
            keys.try_for_each(|word| self.subscript(word))?;
            self.hold(array, &command.words, true);
            self.line(array, command.words.clone());
            return Ok(());
        }
        command.elements.iter().try_for_each(|word| self.element(word))?;
        let words = &command.words;
        self.blocks(command);
        let (before, rest) = command.split();
        for word in before {
            self.special(word)?;
            self.assign(word, None)?;
        }
        let Some((program, arguments)) = rest.split_first() else { return Ok(()) };
        let program = program.text();
        let program = base(&program);
        if RUNNERS.contains(&program) {
            let runs = |word: &Word| JUDGED.contains(&base(&word.text()));
            if let Some(at) = arguments.iter().position(runs) {
                let words = arguments.iter().skip(at).cloned().collect();
                self.written(&ShellCommand { words, elements: Vec::new(), ..command.clone() })?;
            }
        }
        match program {
            "for" | "select" => self.each(arguments),
            "read" | "mapfile" | "readarray" => self.reads(program, arguments, &command.input()),
            "printf" if arguments.first().is_some_and(|word| word.text() == "-v") => self.prints(arguments),
            "set" => self.call(None, arguments.iter().filter(|word| !word.prefix().starts_with('-'))),
            "shift" => self.held.shift(self.within.as_deref()),
            "sed" | "gsed" => self.sed(command, arguments)?,
            "awk" | "gawk" | "mawk" | "nawk" => self.awk(program, command, arguments)?,
            "git" => self.git(program, arguments)?,
            "ssh" | "scp" | "sftp" | "autossh" | "slogin" => self.ssh_options(program, arguments)?,
            "sqlite3" | "sqlite" => self.sqlite(program, arguments)?,
            language if LANGUAGES.contains(&language) => self.language(arguments)?,
            function if self.functions.iter().any(|name| name == function) => {
                self.call(Some(function.to_owned()), arguments.iter());
            }
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
                    Wants::Foreign if word.0.len() == 1 && word.carried().next().is_none() => {}
                    Wants::Foreign | Wants::Delimited => self.want(word, rule.wants, rule.place)?,
                }
            }
        }
        self.reread(program, words, arguments)?;
        self.replaced(program, command, arguments)?;
        self.inner(program, command)?;
        let script = reads_script(program, words, arguments);
        let foreign = reads_program(program, arguments) || reads_rules(program, arguments);
        if !(script || foreign) {
            return Ok(());
        }
        // Alone it is the program, and meant to be.
        for body in command.bodies.iter().filter(|body| !body.is_one_line()) {
            if script {
                self.read_elsewhere(body, "in a heredoc that another shell reads")?;
            } else {
                self.want(body, Wants::Foreign, "in a program of another language")?;
            }
        }
        if script {
            self.fed(command)
        } else {
            self.told(command, |judge, word| {
                judge.want(word, Wants::Foreign, "in a program of another language")
            })
        }
    }

    pub(super) fn script(&mut self, script: &str, seen: &[SeenConstruct]) -> Result<(), ValueRefusal> {
        let ReadScript { commands, functions } = commands::read(script, seen);
        self.functions = functions;
        // Once more with what is known only later: the arguments of a function, the input of a loop.
        for _ in 0..2 {
            commands.iter().try_for_each(|command| self.command(command))?;
            (self.depth, self.counted, self.keyed) = (0, HashSet::new(), HashSet::new());
        }
        Ok(())
    }

    /// Variables with a meaning of their own, wherever they are set.
    fn special(&self, word: &Word) -> Result<(), ValueRefusal> {
        let prefix = word.prefix();
        let Some((name, _)) = prefix.split_once('=') else { return Ok(()) };
        let name = name.trim_end_matches('+');
        let name = name.split_once('[').map_or(name, |(name, _)| name);
        if RUN.contains(&name) {
            return self.program(word, "in a variable whose text the shell runs");
        }
        if HANDED.contains(&name) {
            return self.handed(&word.assigned(), "in a variable that other programs hand to a shell");
        }
        if COUNTED.contains(&name) || self.counted.contains(name) {
            return self.want(word, Wants::Number, "in a variable that holds a number");
        }
        Ok(())
    }

    /// `name=value`, `name[subscript]=value`; all it wants of a value.
    fn assign(&mut self, word: &Word, wants: Option<(Wants, &str)>) -> Result<(), ValueRefusal> {
        let Some(name) = word.assigns() else { return Ok(()) };
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
        let prefix = word.prefix();
        let adds =
            prefix.contains("+=") || prefix.get(name.len()..).is_some_and(|rest| rest.starts_with('['));
        self.hold(&name, [&word.assigned()], adds);
        self.line(&name, word.assigned().fields());
        Ok(())
    }

    /// Notes the words of a command that a variable may stand for.
    fn line(&mut self, name: &str, words: Vec<Word>) {
        // As many as anyone would choose from.
        const MOST: usize = 8;
        let is_command = words.first().is_some_and(|word| word.prefix().chars().any(char::is_alphanumeric));
        let lines = self.lines.entry(name.to_owned()).or_default();
        if is_command && lines.len() < MOST && !lines.contains(&words) {
            lines.push(words);
        }
    }

    /// Notes what a variable has from now on, of values and of other variables that have some.
    fn hold<'w>(&mut self, name: &str, words: impl IntoIterator<Item = &'w Word>, stays: bool) {
        let within = self.within.clone();
        let values = words.into_iter().flat_map(|word| self.kept_in(word)).collect();
        let stays = stays || self.is_conditional || self.depth > 0;
        self.held.set(name, within.as_deref(), values, stays);
    }

    /// The values in a word that are no numbers, and those in its variables.
    pub(super) fn kept_in(&self, word: &Word) -> Vec<KeptValue> {
        let bare = bare(word);
        let alone = word.is_one();
        let mut found: Vec<KeptValue> = values(&pieces(word))
            .into_iter()
            .map(|(index, inner)| {
                let quoted = inner == InnerQuotes::Bare && !bare.contains(&index) && self.is_quoted(index);
                let how = if alone {
                    How::Whole
                } else if quoted {
                    How::Quoted
                } else {
                    How::Part
                };
                KeptValue { index, how }
            })
            .collect();
        found.extend(word.carried().map(|index| KeptValue { index, how: How::Part }));
        found.retain(|kept| !self.fits(kept.index, Wants::Number));
        found.extend(self.held.in_word(word, self.within.as_deref()));
        found
    }

    /// Counts the blocks that a command opens and closes; what stands before or behind one may be read in all of it.
    fn blocks(&mut self, command: &ShellCommand) {
        let words = command.words.iter().map(Word::text);
        let heads: Vec<String> = words.take_while(|word| BLOCKS.contains(&word.as_str())).collect();
        for word in &heads {
            match word.as_str() {
                "if" | "for" | "while" | "until" | "select" | "case" => self.depth += 1,
                "fi" | "done" | "esac" => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
        let is_exec = command.words.len() == 1 && command.words.iter().all(|word| word.text() == "exec");
        let is_own = command.split().1.first().is_some_and(|word| word.text() == "read");
        if is_exec || !(heads.is_empty() || is_own) {
            let mut read = self.held.through(&command.input(), self.within.as_deref());
            read.retain(|kept| !self.fits(kept.index, Wants::Number));
            self.input.extend(read);
        }
    }

    /// `read`, `mapfile`
    fn reads(&mut self, program: &str, arguments: &[Word], input: &WordSources) {
        let within = self.within.clone();
        let mut values = self.held.through(input, within.as_deref());
        values.extend(self.input.iter().copied());
        values.retain(|kept| !self.fits(kept.index, Wants::Number));
        let after = chosen(Which::After(&["-a", "-A"]), program, arguments);
        let names: Vec<String> =
            operands(program, arguments).into_iter().chain(after).map(Word::text).collect();
        for name in names {
            let name = name.split_once(['[', '?']).map_or(name.as_str(), |(name, _)| name);
            self.held.set(name, within.as_deref(), values.clone(), false);
        }
        if operands(program, arguments).is_empty() && !values.is_empty() {
            self.held.set(if program == "read" { "REPLY" } else { "MAPFILE" }, None, values, true);
        }
    }

    /// `printf -v name format values`
    fn prints(&mut self, arguments: &[Word]) {
        if let Some(name) = arguments.get(1) {
            let name = name.text();
            self.hold(&name, arguments.iter().skip(2), false);
        }
    }

    /// A call of a function, or `set --`.
    fn call<'w>(&mut self, function: Option<String>, arguments: impl Iterator<Item = &'w Word>) {
        let function = if function.is_some() { function } else { self.within.clone() };
        let arguments = self.given(arguments);
        self.held.call(function.as_deref(), arguments);
    }

    /// What each argument holds, and whether it may be several.
    pub(super) fn given<'w>(&self, arguments: impl Iterator<Item = &'w Word>) -> Vec<(Vec<KeptValue>, bool)> {
        let arguments = arguments.map(|word| {
            let is_list = |index| matches!(self.items.get(index), Some(ScriptItem::Words(_)));
            let is_split = word.0.iter().any(|part| matches!(part, WordPart::Char('$', Quotes::None)));
            let several = is_split
                || word.values().any(is_list)
                || word.variables().iter().any(|name| matches!(name.as_str(), "@" | "*"))
                || word.text().contains('@');
            (self.kept_in(word), several)
        });
        arguments.collect()
    }

    /// The subscript of an element that is expanded.
    fn element(&self, word: &Word) -> Result<(), ValueRefusal> {
        let text = word.text();
        let Some((name, inner)) = text.split_once('[') else { return Ok(()) };
        if self.keyed.contains(name) { Ok(()) } else { self.looks_at(inner) }
    }

    fn declare(&mut self, program: &str, arguments: &[Word]) -> Result<(), ValueRefusal> {
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
            if program == "export" || has(&['x']) {
                self.exported.extend(word.assigns().or_else(|| word.constant()));
            }
            self.assign(word, wants)?;
        }
        Ok(())
    }

    /// Whether a value behind `name=` begins like the items of an array.
    fn makes_array(&self, word: &Word) -> bool {
        let mut parts = word.0.iter().skip_while(|part| !matches!(part, WordPart::Char('=', _))).skip(1);
        let Some(WordPart::Value(index, _)) = parts.next() else { return false };
        matches!(self.items.get(*index), Some(ScriptItem::Word { plain, .. }) if plain.trim_start().starts_with('('))
    }

    /// `for name in values`
    fn each(&mut self, arguments: &[Word]) {
        if let Some((name, values)) = arguments.split_first() {
            let name = name.text();
            let held = values.iter().flat_map(|word| self.kept_in(word)).collect();
            let within = self.within.clone();
            self.held.set(&name, within.as_deref(), held, false);
        }
    }

    /// A value that a shell keeps in a variable is no safer where the variable is calculated.
    fn looks_at(&self, text: &str) -> Result<(), ValueRefusal> {
        // What commands in there do with it is their own affair.
        if self.held.is_empty() || text.contains("$(") || text.contains('`') {
            return Ok(());
        }
        let mut at = 0;
        for name in text.split(|c: char| !is_of_name(c)) {
            let before = text.get(..at).unwrap_or_default();
            // The length of a text is a number, whatever the text is; `2` is one as well, and `$2` is not.
            let counts = before.ends_with('#')
                || (name.bytes().all(|byte| byte.is_ascii_digit()) && !before.ends_with(['$', '{']));
            at += name.len()
                + text.get(at + name.len()..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
            let held = self.held.of(name, self.within.as_deref());
            if let Some(kept) = held.first().filter(|_| !counts) {
                return Err(refuse(
                    kept.index,
                    "in a variable that arithmetic looks at further down",
                    Wants::Number,
                ));
            }
        }
        Ok(())
    }

    /// The subscript of a word that has one.
    fn subscript(&self, word: &Word) -> Result<(), ValueRefusal> {
        let inner = word.0.iter().take_while(|part| !matches!(part, WordPart::Char(']', Quotes::None)));
        // Variables there are texts where the array has texts for subscripts.
        self.has(&Word(inner.cloned().collect()), Wants::Number, "in a subscript")
    }

    /// A word that begins with the name of a variable: in the name, in its subscript.
    fn name(&self, word: &Word, place: &str) -> Result<(), ValueRefusal> {
        let mut inside = false;
        let is_name = |part: &&WordPart| {
            match part {
                WordPart::Char('[', _) => inside = true,
                WordPart::Char(']', _) => inside = false,
                WordPart::Char('=' | '?', _) => return inside,
                WordPart::Char(..) | WordPart::Value(..) | WordPart::Expansion(_) => {}
            }
            true
        };
        let name = Word(word.0.iter().take_while(is_name).cloned().collect());
        let wants = if name.text().contains('[') { Wants::Number } else { Wants::Name };
        self.want(&name, wants, place)
    }

    /// A word that is a program for this shell.
    fn program(&self, word: &Word, place: &str) -> Result<(), ValueRefusal> {
        for (index, inner) in values(&pieces(word)) {
            let quoted = word.0.iter().any(|part| match part {
                WordPart::Value(at, quotes) => *at == index && *quotes != Quotes::None,
                WordPart::Char(..) | WordPart::Expansion(_) => false,
            });
            if !(self.fits(index, Wants::Plain)
                || (quoted && inner == InnerQuotes::Bare && self.is_quoted(index)))
            {
                return Err(refuse(index, place, Wants::Program));
            }
        }
        self.kept(word, Wants::Program, place)
    }

    /// The values in variables that a word names are in it as well by the time it is evaluated, and so are those in the
    /// output of commands.
    pub(super) fn kept(&self, word: &Word, wants: Wants, place: &str) -> Result<(), ValueRefusal> {
        if let Some(index) = word.carried().find(|index| !self.fits(*index, wants)) {
            return Err(refuse(index, place, wants));
        }
        let is_bare = !word.text().contains(['\'', '"']);
        let stays = |kept: &KeptValue| match (kept.how, wants) {
            // Alone it is the program, and meant to be.
            (How::Whole, Wants::Foreign) => word.is_one_variable(),
            (How::Quoted, Wants::Foreign | Wants::Program) => is_bare,
            (How::Whole | How::Quoted | How::Part, _) => false,
        };
        let values = self.held.in_word(word, self.within.as_deref());
        match values.iter().find(|kept| !stays(kept) && !self.fits(kept.index, wants)) {
            Some(kept) => Err(ValueRefusal {
                item: kept.index,
                problem: ValueProblem::Kept { place: place.to_owned(), wants },
            }),
            None => Ok(()),
        }
    }

    /// What a word holds by the time it is evaluated, of values and in variables.
    pub(super) fn want(&self, word: &Word, wants: Wants, place: &str) -> Result<(), ValueRefusal> {
        self.has(word, wants, place)?;
        self.kept(word, wants, place)
    }

    /// The values of a word.
    fn has(&self, word: &Word, wants: Wants, place: &str) -> Result<(), ValueRefusal> {
        match word.values().find(|index| !self.fits(*index, wants)) {
            Some(index) => Err(refuse(index, place, wants)),
            None => Ok(()),
        }
    }

    pub(super) fn is_quoted(&self, index: usize) -> bool {
        matches!(self.items.get(index), Some(ScriptItem::Word { quoted: Some(_), .. }))
    }

    pub(super) fn fits(&self, index: usize, wants: Wants) -> bool {
        match self.items.get(index) {
            Some(ScriptItem::Word { plain, .. }) => fits(plain, wants),
            Some(ScriptItem::Words(words)) => words.iter().all(|word| fits(word, wants)),
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
        Wants::Foreign | Wants::Delimited => {
            text.chars().all(|c| c.is_alphanumeric() || " _.,:/@%+=-".contains(c))
        }
    }
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests;
