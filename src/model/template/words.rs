//! Words of commands: which is a shell, what it reads as a script, and where values stand in that.

/// Words that stand before the program of a command.
pub(super) const BEFORE: &[&str] = &["if", "then", "elif", "else", "while", "until", "do", "{", "!", "time"];

/// Options of ssh whose value is no command.
pub(super) const SSH_OPTIONS: &[&str] = &[
    "-B", "-b", "-c", "-D", "-E", "-e", "-F", "-I", "-i", "-J", "-L", "-l", "-m", "-O", "-o", "-P", "-p",
    "-Q", "-R", "-S", "-W", "-w",
];

/// Shells, whose `-c` takes a script.
const SHELLS: &[&str] = &[
    "sh", "bash", "rbash", "dash", "ash", "ksh", "ksh93", "mksh", "yash", "posh", "zsh", "fish", "csh",
    "tcsh", "$SHELL", "$BASH",
];

/// Programs whose `-c` takes a line for a shell.
const RUNNERS: &[&str] = &["su", "runuser", "flock", "script"];

/// A part of a quoted text, as the program gets it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum WordPiece {
    Char(char),
    /// The value of this index.
    Value(usize),
    /// What the shell puts in.
    Expansion,
}

/// Where a value stands within a quoted text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum InnerQuotes {
    Bare,
    Quoted,
}

/// The values of a text that a shell reads, each with where it stands there. Quotes that never end are text.
pub(super) fn values(pieces: &[WordPiece]) -> Vec<(usize, InnerQuotes)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(&piece) = pieces.get(at) {
        match piece {
            WordPiece::Value(index) => found.push((index, InnerQuotes::Bare)),
            WordPiece::Char('\\') => at += 1,
            WordPiece::Char(quote @ ('\'' | '"')) => {
                let rest = pieces.get(at + 1..).unwrap_or_default();
                if let Some(length) = closing(rest, quote) {
                    let inner = rest.iter().take(length);
                    found.extend(inner.filter_map(|piece| match piece {
                        WordPiece::Value(index) => Some((*index, InnerQuotes::Quoted)),
                        WordPiece::Char(_) | WordPiece::Expansion => None,
                    }));
                    at += length + 1;
                }
            }
            WordPiece::Char(_) | WordPiece::Expansion => {}
        }
        at += 1;
    }
    found
}

/// How many pieces stand before the quote that ends a text.
fn closing(pieces: &[WordPiece], quote: char) -> Option<usize> {
    let mut at = 0;
    loop {
        match *pieces.get(at)? {
            WordPiece::Char('\\') if quote == '"' => at += 1,
            WordPiece::Char(c) if c == quote => return Some(at),
            WordPiece::Char(_) | WordPiece::Value(_) | WordPiece::Expansion => {}
        }
        at += 1;
    }
}

/// The shell among the words before a text that it reads as a script.
pub(super) fn script_reader(words: &[String]) -> Option<&str> {
    let last = words.last()?;
    let reader = |word: &&str| SHELLS.contains(word) || RUNNERS.contains(word);
    let reader = words.iter().map(|word| base(word)).find(reader)?;
    let ends = matches!(last.as_str(), "-c" | "--command")
        || (RUNNERS.contains(&reader) && is_short(last) && last.ends_with('c'));
    (ends || is_among_options(words)).then_some(reader)
}

/// Whether the last word is one of a shell's own options, with `c` anywhere among its letters: `sh -ce`, `bash -eu -cx`.
/// Behind its first operand options are those of a script.
fn is_among_options(words: &[String]) -> bool {
    let Some((last, before)) = words.split_last() else { return false };
    let mut shells = before.iter().enumerate().filter(|(_, word)| is_shell(word));
    is_short(last) && last.contains('c') && shells.any(|(at, _)| operand(before, at + 1).is_none())
}

/// The first word from there on that is neither an option of a shell nor the value of one.
fn operand(words: &[String], from: usize) -> Option<usize> {
    let mut at = from;
    while let Some(option) = words.get(at)?.strip_prefix(['-', '+']) {
        // `-euo pipefail`, `-O extglob`.
        let named = if option.chars().all(|c| c.is_ascii_alphabetic()) {
            option.chars().filter(|c| matches!(c, 'o' | 'O')).count()
        } else {
            usize::from(matches!(option, "-rcfile" | "-init-file"))
        };
        at += 1 + named;
    }
    Some(at)
}

/// Which of the words of a command a shell among them reads as its script: the first that is no option behind a `-c`, or
/// the one that the option itself holds (`su root -c"..."`, `fish --command=...`).
pub(super) fn script_at(words: &[String]) -> Option<usize> {
    let reads = |at: usize| words.get(..=at).is_some_and(|words| script_reader(words).is_some());
    let holds = |at: usize| words.get(..=at).is_some_and(holds_script);
    let option = (1..words.len()).find(|&at| reads(at) || holds(at))?;
    if reads(option) { operand(words, option) } else { Some(option) }
}

/// Whether the last word is an option together with the script that it takes.
fn holds_script(words: &[String]) -> bool {
    let Some((last, before)) = words.split_last() else { return false };
    let joins = |word: &String| matches!(base(word), "su" | "runuser" | "script" | "fish");
    option_length(last) > 0 && before.iter().any(joins)
}

/// How long the option is in a word that holds a script besides, in ASCII characters.
pub(super) fn option_length(word: &str) -> usize {
    let options = ["--command=", "--session-command=", "-c"];
    options
        .iter()
        .find(|option| word.starts_with(**option) && word.len() > option.len())
        .map_or(0, |it| it.len())
}

/// Options that a program takes as letters behind one `-`.
pub(super) fn is_short(text: &str) -> bool {
    text.strip_prefix('-').is_some_and(|rest| rest.chars().all(|c| c.is_ascii_alphabetic()))
}

/// Whether a word is the name of a shell.
pub(super) fn is_shell(word: &str) -> bool {
    SHELLS.contains(&base(word))
}

/// The words that ssh joins to a line for a shell, out of all that it gets.
pub(super) fn remote_line<T>(arguments: &[T], text: impl Fn(&T) -> String) -> &[T] {
    let mut at = 0;
    while let Some(word) = arguments.get(at).map(&text).filter(|word| word.starts_with('-')) {
        at += if SSH_OPTIONS.contains(&word.as_str()) { 2 } else { 1 };
    }
    // The host.
    arguments.get(at + 1..).unwrap_or_default()
}

/// The last part of a program's path.
pub(super) fn base(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}
