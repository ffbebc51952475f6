//! What a line of a console says: a command for the hosts, one for the console itself (`:hosts`), or one for this machine
//! (`!ls`).

use crate::model::suggest::did_you_mean;

/// A line, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ConsoleLine {
    /// Nothing.
    Nothing,
    /// For the hosts, untouched.
    Command(String),
    /// For a shell of this machine.
    Local(String),
    /// For the console.
    OwnLine(OwnLine),
}

/// A command for the console itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum OwnLine {
    Help,
    /// Other hosts; without an expression, which they are.
    Hosts(Option<String>),
    /// Only hosts for which it is true; without an expression, all of them again.
    Where(Option<String>),
    /// Differences to the majority, or not.
    Diff,
    /// Output as it comes, or folded.
    Lines,
    Put {
        local: Vec<String>,
        remote: String,
    },
    Get {
        remote: Vec<String>,
        local: String,
    },
    Facts,
    /// What a host said to the last command; without a name, how all ended.
    Last(Option<String>),
    /// The last command again, on the hosts that are not ok.
    Retry,
    Quit,
}

/// The words of [`OwnLine`], each with what it takes and does.
pub(super) const OWN: [(&str, &str, &str); 11] = [
    ("help", "", "this list"),
    ("hosts", "[EXPR]", "the hosts, or others from now on: :hosts @web!web3"),
    ("where", "[EXPR]", "only hosts where it is true (facts.os.id == 'debian'); all again"),
    ("diff", "", "show how hosts differ from the majority, or not"),
    ("lines", "", "show output line by line as it comes, or folded"),
    ("put", "LOCAL... REMOTE", "copy files to the hosts; {host} is the host's name"),
    ("get", "REMOTE... LOCAL", "copy files from the hosts; {host} keeps them apart"),
    ("facts", "", "a table of what the hosts are"),
    ("last", "[HOST]", "what HOST said to the last command, or how all hosts ended"),
    ("retry", "", "the last command again, on the hosts that are not ok"),
    ("quit", "", "leave, as Ctrl-D does"),
];

/// Reads a line.
///
/// # Errors
///
/// It is for the console, which does not understand it.
pub(super) fn parse(line: &str) -> Result<ConsoleLine, String> {
    let line = line.trim();
    if let Some(local) = line.strip_prefix('!') {
        let local = local.trim();
        if local.is_empty() {
            return Err("!COMMAND runs a command on this machine".to_owned());
        }
        return Ok(ConsoleLine::Local(local.to_owned()));
    }
    let Some(own) = line.strip_prefix(':') else {
        return Ok(match line {
            "" => ConsoleLine::Nothing,
            // As everybody leaves a shell.
            "exit" | "quit" | "logout" => ConsoleLine::OwnLine(OwnLine::Quit),
            command => ConsoleLine::Command(command.to_owned()),
        });
    };
    let (word, rest) = own.trim().split_once(char::is_whitespace).unwrap_or((own.trim(), ""));
    let rest = rest.trim();
    let given = || (!rest.is_empty()).then(|| rest.to_owned());
    let own = match word {
        "help" | "h" | "?" => OwnLine::Help,
        "hosts" => OwnLine::Hosts(given()),
        "where" => OwnLine::Where(given()),
        "diff" => OwnLine::Diff,
        "lines" => OwnLine::Lines,
        "put" => {
            let (local, remote) = paths(rest, ":put LOCAL... REMOTE")?;
            OwnLine::Put { local, remote }
        }
        "get" => {
            let (remote, local) = paths(rest, ":get REMOTE... LOCAL")?;
            OwnLine::Get { remote, local }
        }
        "facts" => OwnLine::Facts,
        "last" => OwnLine::Last(given()),
        "retry" => OwnLine::Retry,
        "quit" | "q" | "exit" => OwnLine::Quit,
        other => {
            let near = did_you_mean(other, OWN.iter().map(|(word, _, _)| *word));
            let hint = near.map_or("`:help` lists them".to_owned(), |near| format!("did you mean :{near}?"));
            return Err(format!("no command :{other}: {hint}"));
        }
    };
    let takes = OWN.iter().find(|(name, _, _)| *name == word).is_none_or(|(_, takes, _)| !takes.is_empty());
    if takes || rest.is_empty() {
        Ok(ConsoleLine::OwnLine(own))
    } else {
        Err(format!(":{word} stands alone, without {rest:?}"))
    }
}

/// The paths of a transfer: all but the last go to the last.
fn paths(text: &str, usage: &str) -> Result<(Vec<String>, String), String> {
    let mut words = words(text)?;
    match words.pop() {
        Some(last) if !words.is_empty() => Ok((words, last)),
        _ => Err(usage.to_owned()),
    }
}

/// The words of a text, as a shell takes them apart: quotes and backslashes, and nothing else.
fn words(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, quote) {
            (c, Some(open)) if c == open => quote = None,
            ('\\', None | Some('"')) => word.get_or_insert_default().extend(chars.next()),
            (c, Some(_)) => word.get_or_insert_default().push(c),
            ('"' | '\'', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (c, None) if c.is_whitespace() => words.extend(word.take()),
            (c, None) => word.get_or_insert_default().push(c),
        }
    }
    if let Some(open) = quote {
        return Err(format!("unclosed {open}"));
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_for_the_hosts_the_console_or_this_machine() {
        let own = |own: OwnLine| Ok(ConsoleLine::OwnLine(own));
        for (line, expected) in [
            ("  ", Ok(ConsoleLine::Nothing)),
            (" uptime -p ", Ok(ConsoleLine::Command("uptime -p".to_owned()))),
            ("!ls -l", Ok(ConsoleLine::Local("ls -l".to_owned()))),
            (":hosts", own(OwnLine::Hosts(None))),
            (": hosts  @web!web3 ", own(OwnLine::Hosts(Some("@web!web3".to_owned())))),
            (":q", own(OwnLine::Quit)),
            ("exit", own(OwnLine::Quit)),
            (
                ":put 'a b' c\\ d \"e'f\" /tmp/",
                own(OwnLine::Put {
                    local: vec!["a b".to_owned(), "c d".to_owned(), "e'f".to_owned()],
                    remote: "/tmp/".to_owned(),
                }),
            ),
            (":put a", Err(":put LOCAL... REMOTE".to_owned())),
            (":get 'a b", Err("unclosed '".to_owned())),
            (":retry now", Err(":retry stands alone, without \"now\"".to_owned())),
            (":hsots x", Err("no command :hsots: did you mean :hosts?".to_owned())),
            (":xyzzy", Err("no command :xyzzy: `:help` lists them".to_owned())),
            ("!", Err("!COMMAND runs a command on this machine".to_owned())),
        ] {
            assert_eq!(parse(line), expected, "{line:?}");
        }
        for (word, takes, _) in OWN {
            let line = format!(":{word} {}", if takes.is_empty() { "" } else { "a b" });
            assert!(parse(&line).is_ok(), "{line}");
        }
    }
}
