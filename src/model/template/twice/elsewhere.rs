//! Texts that another program runs: a shell of its own or on another host, `awk`, `sed`, `git`. Owns which words of a
//! command are such texts; refuses to judge what they do.

use crate::model::template::item::ScriptItem;
use crate::model::template::lexer::seen::ValueRefusal;
use crate::model::template::problem::Wants;
use crate::model::template::twice::arguments::{chosen, operands};
use crate::model::template::twice::state::{TwiceJudge, bare, pieces, refuse};
use crate::model::template::twice::table::Which;
use crate::model::template::twice::words::{ShellCommand, Word};
use crate::model::template::twice::{awk, sed};
use crate::model::template::words::{
    InnerQuotes, base, is_shell, is_short, option_length, remote_line, script_at, values,
};

/// Programs of other languages that read a program from their input.
pub(super) const LANGUAGES: &[&str] = &["perl", "python", "python2", "python3", "ruby", "node", "php", "lua"];

/// Programs that join their words to a line for a shell elsewhere.
const REMOTE: &[&str] = &["ssh", "autossh", "rsh"];

/// Options of ssh whose text a shell runs.
const SSH_RUNS: &[&str] = &["proxycommand", "localcommand", "remotecommand", "knownhostscommand", "match"];

/// Whether git runs what it finds in a setting.
fn is_run_by_git(key: &str) -> bool {
    const ENDS: &[&str] = &[
        "command",
        "editor",
        "pager",
        "helper",
        "textconv",
        "cmd",
        "fsmonitor",
        "gitproxy",
        "program",
        "clean",
        "smudge",
        "process",
        "driver",
        "askpass",
        "external",
        "uploadpack",
        "receivepack",
    ];
    key.starts_with("alias.") || ENDS.iter().any(|end| key.ends_with(end))
}

impl TwiceJudge<'_> {
    /// What a shell gets through a pipe, or as a here-string.
    pub(super) fn fed(&self, command: &ShellCommand) -> Result<(), ValueRefusal> {
        self.told(command, |judge, word| judge.read_elsewhere(word, "in a text that another shell reads"))
    }

    /// What a program gets through a pipe, or as a here-string.
    pub(super) fn told(
        &self,
        command: &ShellCommand,
        judge: impl Fn(&Self, &Word) -> Result<(), ValueRefusal>,
    ) -> Result<(), ValueRefusal> {
        let (program, arguments) = command.fed.split_first().unzip();
        let (program, arguments) =
            (program.map(Word::text).unwrap_or_default(), arguments.unwrap_or_default());
        if !matches!(base(&program), "echo" | "printf" | "print") {
            let place = "in a text that another program runs";
            let through = self.held.through(&command.stream, self.within.as_deref());
            let refused = through.iter().find(|kept| !self.fits(kept.index, Wants::Foreign));
            return refused.map_or(Ok(()), |kept| Err(refuse(kept.index, place, Wants::Program)));
        }
        let is_form = |word: &&Word| {
            let text = word.text();
            !matches!(text.as_str(), "%s" | "%s\\n" | "%b" | "%b\\n") && !text.starts_with('-')
        };
        let told: Vec<&Word> = arguments.iter().filter(is_form).collect();
        match told.as_slice() {
            // Alone it is the program, and meant to be.
            [word] if word.is_one() && !word.is_one_variable() => Ok(()),
            told => told.iter().try_for_each(|word| judge(self, word)),
        }
    }

    /// A line that another program hands to a shell.
    pub(super) fn handed(&self, line: &Word, place: &str) -> Result<(), ValueRefusal> {
        // Alone it is the program, and meant to be.
        if line.is_one() && !line.is_one_variable() { Ok(()) } else { self.read_elsewhere(line, place) }
    }

    /// `perl -ne`, `python3 -Ic`: an option whose last letter takes the program.
    pub(super) fn language(&self, arguments: &[Word]) -> Result<(), ValueRefusal> {
        let takes_program =
            |word: &Word| is_short(&word.text()) && word.text().ends_with(['c', 'e', 'E', 'r', 'p']);
        let programs =
            arguments.iter().zip(arguments.iter().skip(1)).filter(|(option, _)| takes_program(option));
        programs.map(|(_, program)| program).try_for_each(|program| {
            // Alone it is the program, and meant to be.
            let is_whole = program.0.len() == 1 && program.carried().next().is_none();
            if is_whole {
                Ok(())
            } else {
                self.want(program, Wants::Foreign, "in a program of another language")
            }
        })
    }

    /// `awk -v x=value`, `awk program x=value` and what awk reads, where the program hands texts to a shell.
    pub(super) fn awk(
        &self,
        program: &str,
        command: &ShellCommand,
        arguments: &[Word],
    ) -> Result<(), ValueRefusal> {
        let place = "in a program of awk that has a shell run texts";
        let words = operands(program, arguments);
        let Some((text, operands)) = words.split_first() else { return Ok(()) };
        if !awk::runs_lines(&text.text()) {
            return Ok(());
        }
        for word in chosen(Which::After(&["-v"]), program, arguments) {
            self.want(&word.assigned(), Wants::Foreign, place)?;
        }
        for word in operands.iter().filter(|word| word.assigns().is_some()) {
            self.want(&word.assigned(), Wants::Foreign, place)?;
        }
        self.reads_harmless(command, place)
    }

    /// Refuses a value in what a program reads and hands to a shell.
    fn reads_harmless(&self, command: &ShellCommand, place: &str) -> Result<(), ValueRefusal> {
        let read = self.held.through(&command.input(), self.within.as_deref());
        let refused = read.iter().chain(&self.input).find(|kept| !self.fits(kept.index, Wants::Foreign));
        refused.map_or(Ok(()), |kept| Err(refuse(kept.index, place, Wants::Foreign)))
    }

    /// `git -c alias.x=!line`, `git -c core.sshCommand=line`
    pub(super) fn git(&self, program: &str, arguments: &[Word]) -> Result<(), ValueRefusal> {
        let place = "in a setting of git that a shell runs";
        let words = operands(program, arguments);
        let set = words.iter().position(|word| word.text() == "config").and_then(|at| words.get(at + 1..));
        if let Some([key, lines @ ..]) = set {
            let (key, lines) = match (key.text().as_str(), lines) {
                ("set", [key, lines @ ..]) => (*key, lines),
                _ => (*key, lines),
            };
            if is_run_by_git(&key.prefix().to_ascii_lowercase()) {
                lines.iter().try_for_each(|line| self.handed(line, place))?;
            }
        }
        for word in words.iter().filter(|word| word.prefix().starts_with("ext::")) {
            self.want(word, Wants::Foreign, "in an address that git runs")?;
        }
        chosen(Which::After(&["-c"]), program, arguments).into_iter().try_for_each(|word| {
            let prefix = word.prefix().to_ascii_lowercase();
            let key = prefix.split('=').next().unwrap_or_default();
            if is_run_by_git(key) { self.handed(&word.assigned(), place) } else { Ok(()) }
        })
    }

    /// `ssh -o ProxyCommand=line`, in all spellings.
    pub(super) fn ssh_options(&self, program: &str, arguments: &[Word]) -> Result<(), ValueRefusal> {
        chosen(Which::After(&["-o"]), program, arguments).into_iter().try_for_each(|word| {
            let prefix = word.prefix().to_ascii_lowercase();
            let option = prefix.trim_start_matches("-o").trim_start();
            if SSH_RUNS.iter().any(|name| option.starts_with(name)) {
                self.want(word, Wants::Foreign, "in an option of ssh that a shell runs")
            } else {
                Ok(())
            }
        })
    }

    /// `sqlite3 file ".shell line"`
    pub(super) fn sqlite(&self, program: &str, arguments: &[Word]) -> Result<(), ValueRefusal> {
        let dotted =
            |word: &&Word| word.prefix().trim_start().starts_with('.') && word.prefix().contains(' ');
        let after = chosen(Which::After(&["-cmd", "--cmd"]), program, arguments);
        let mut lines = operands(program, arguments).into_iter().chain(after).filter(dotted);
        lines.try_for_each(|word| self.want(word, Wants::Foreign, "in a command of sqlite3"))
    }

    /// The scripts of `sed`.
    pub(super) fn sed(&self, command: &ShellCommand, arguments: &[Word]) -> Result<(), ValueRefusal> {
        let options = ["-e", "--expression"];
        let given: Vec<&Word> = arguments.iter().filter(|word| !word.text().is_empty()).collect();
        let has_file = given.iter().any(|word| word.text().starts_with("-f"));
        let is_option = |word: &&&Word| {
            let text = word.text();
            options.iter().any(|option| text.starts_with(option)) || (is_short(&text) && text.ends_with('e'))
        };
        let mut scripts: Vec<&Word> = Vec::new();
        for (index, word) in given.iter().enumerate().filter(|(_, word)| is_option(word)) {
            let text = word.text();
            let alone = options.contains(&text.as_str()) || (is_short(&text) && text.ends_with('e'));
            scripts.extend(if alone { given.get(index + 1).copied() } else { Some(*word) });
        }
        if scripts.is_empty() && !has_file {
            scripts.extend(
                given.iter().find(|word| !word.text().starts_with('-') || word.values().next().is_some()),
            );
        }
        // Alone it is the program, and meant to be.
        for script in scripts.into_iter().filter(|word| !word.is_one()) {
            let script = &sed::behind_option(script);
            let sed::SedPlaces { places, runs } = sed::places(script);
            if runs {
                self.reads_harmless(command, "in what this script of sed has a shell run")?;
            }
            for (guest, place) in places {
                let indexes = match &guest {
                    sed::Guest::Value(index) => vec![*index],
                    sed::Guest::Variable(name) => {
                        self.held.of(name, self.within.as_deref()).iter().map(|kept| kept.index).collect()
                    }
                };
                let stays = |index: &usize| match self.items.get(*index) {
                    Some(ScriptItem::Word { plain, .. }) => place.holds(plain),
                    Some(ScriptItem::Words(words)) => words.iter().all(|word| place.holds(word)),
                    None => false,
                };
                if let Some(index) = indexes.into_iter().find(|index| !stays(index)) {
                    return Err(refuse(index, "in this script of sed", Wants::Delimited));
                }
            }
        }
        Ok(())
    }

    /// Words that a shell elsewhere, or another one here, reads again.
    pub(super) fn reread(
        &self,
        program: &str,
        words: &[Word],
        arguments: &[Word],
    ) -> Result<(), ValueRefusal> {
        if REMOTE.contains(&program) {
            let line = remote_line(arguments, Word::text);
            let is_program = line.len() == 1 && line.iter().all(|word| word.is_one());
            let mut line = line.iter().filter(|_| !is_program);
            return line.try_for_each(|word| self.read_elsewhere(word, "in a line that another shell reads"));
        }
        let texts: Vec<String> = words.iter().map(Word::text).collect();
        let Some(index) = script_at(&texts) else { return Ok(()) };
        let Some(word) = words.get(index) else { return Ok(()) };
        let script = Word(word.0.iter().skip(option_length(&word.text())).cloned().collect());
        self.handed(&script, "in a script that another shell reads")
    }

    /// What `xargs` and `find` put into a script for another shell.
    pub(super) fn replaced(
        &self,
        program: &str,
        command: &ShellCommand,
        arguments: &[Word],
    ) -> Result<(), ValueRefusal> {
        let texts: Vec<String> = command.words.iter().map(Word::text).collect();
        let Some(script) = script_at(&texts).and_then(|index| texts.get(index)) else {
            return Ok(());
        };
        let place = "where another shell reads it as a part of its script";
        let marker = |option: &String| match option.as_str() {
            "-i" | "--replace" => Some("{}".to_owned()),
            option => {
                let behind = ["--replace=", "-I", "-i"].iter().find_map(|name| option.strip_prefix(name));
                behind.map(str::to_owned)
            }
        };
        let behind = texts.iter().skip_while(|text| *text != "-I").nth(1).cloned();
        let marker = behind.or_else(|| texts.iter().find_map(marker)).filter(|marker| !marker.is_empty());
        let given: Vec<usize> = match program {
            "find" if script.contains("{}") => operands(program, arguments)
                .into_iter()
                .take_while(|word| !word.text().starts_with('-'))
                .flat_map(Word::values)
                .collect(),
            "xargs" if marker.is_some_and(|marker| script.contains(&marker)) => {
                let read = self.held.through(&command.input(), self.within.as_deref());
                read.iter().map(|kept| kept.index).collect()
            }
            _ => return Ok(()),
        };
        let refused = given.into_iter().find(|index| !self.fits(*index, Wants::Foreign));
        refused.map_or(Ok(()), |index| Err(refuse(index, place, Wants::Foreign)))
    }

    pub(super) fn read_elsewhere(&self, word: &Word, place: &str) -> Result<(), ValueRefusal> {
        let bare = bare(word);
        for (index, inner) in values(&pieces(word)) {
            let quoted = inner == InnerQuotes::Bare && !bare.contains(&index) && self.is_quoted(index);
            if !(quoted || self.fits(index, Wants::Foreign)) {
                return Err(refuse(index, place, Wants::Program));
            }
        }
        self.kept(word, Wants::Foreign, place)
    }
}

/// Whether a shell among the words reads its script from where a heredoc goes.
pub(super) fn reads_script(program: &str, words: &[Word], arguments: &[Word]) -> bool {
    if REMOTE.contains(&program) {
        let line: Vec<String> = remote_line(arguments, Word::text).iter().map(Word::text).collect();
        let line = line.join(" ");
        let last = line.split_whitespace().next_back();
        return last.is_none_or(|last| last == "-s" || is_shell(last));
    }
    if matches!(program, "crontab" | "at" | "batch") {
        return true;
    }
    if matches!(program, "." | "source") {
        return arguments.iter().all(|word| word.text() == "/dev/stdin");
    }
    let shell = words.iter().position(|word| is_shell(&word.text()));
    let Some(behind) = shell.and_then(|at| words.get(at + 1..)) else { return false };
    let behind: Vec<String> = behind.iter().map(Word::text).collect();
    let is_option = |word: &String| word.starts_with('-') && !word.ends_with('c');
    behind.iter().any(|word| word == "-s") || behind.iter().all(is_option)
}

/// Whether make reads its file from where a heredoc goes.
pub(super) fn reads_rules(program: &str, arguments: &[Word]) -> bool {
    let is_input = |word: &Word| {
        matches!(word.text().trim_start_matches("-f").trim_start_matches("--file="), "-" | "/dev/stdin")
    };
    let after = chosen(Which::After(&["-f", "--file", "--makefile"]), program, arguments);
    matches!(program, "make" | "gmake") && after.iter().any(|word| is_input(word))
}

/// Whether a program of another language is read from where a heredoc goes.
pub(super) fn reads_program(program: &str, arguments: &[Word]) -> bool {
    let first = arguments.iter().map(Word::text).find(|text| text == "-" || !text.starts_with('-'));
    let reads_text =
        arguments.iter().any(|word| matches!(word.text().as_str(), "-c" | "-e" | "-E" | "-r" | "-m"));
    LANGUAGES.contains(&program) && !reads_text && first.is_none_or(|first| first == "-")
}
