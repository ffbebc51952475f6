//! Questions on the terminal: about host keys (yes, no, or the names of those that are meant), and for a word.

use std::env;
use std::io::{self, BufRead, IsTerminal, Write};

use globset::GlobBuilder;
use rustix::termios::OptionalActions;

use crate::cli::error::CliError;
use crate::cli::tty::{Changed, TtyKeeper};

/// Whether there is someone to ask: a terminal on both ends, and not a CI runner.
pub(super) fn can_ask() -> bool {
    let in_ci = env::var_os("CI").is_some_and(|value| !value.is_empty());
    io::stdin().is_terminal() && io::stderr().is_terminal() && !in_ci
}

/// The answer about some hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum HostsAnswer {
    /// All of them.
    All,
    /// None of them, which is also what the end of the input means.
    None,
    /// Those at these places of the list.
    Some(Vec<usize>),
}

/// Asks about these hosts until the answer can be understood.
///
/// # Errors
///
/// The terminal cannot be read.
pub(super) fn ask(question: &str, hosts: &[&str]) -> io::Result<HostsAnswer> {
    let prompt = format!("{question} [yes/no/host patterns] ");
    let _looked_after = looked_after()?;
    dialogue(&prompt, hosts, &mut io::stdin().lock(), &mut io::stderr().lock())
}

/// Asks once for a line; nothing is what the end of the input means.
///
/// # Errors
///
/// The terminal cannot be read.
pub(super) fn line(prompt: &str) -> Result<String, CliError> {
    let failed = |source| CliError::Local { doing: "cannot read the terminal".to_owned(), source };
    let _looked_after = looked_after().map_err(failed)?;
    one_line(prompt, &mut io::stdin().lock(), &mut io::stderr().lock()).map_err(failed)
}

/// A signal that ends fan at a question does so on a line of its own, and with the exit code that a shell shows for it.
fn looked_after() -> io::Result<Changed<io::Stderr>> {
    Changed::new(io::stderr(), OptionalActions::Now, TtyKeeper::Nobody, |_| {})
}

fn one_line(prompt: &str, input: &mut impl BufRead, output: &mut impl Write) -> io::Result<String> {
    write!(output, "{prompt}")?;
    output.flush()?;
    let mut line = String::new();
    if input.read_line(&mut line)? == 0 {
        writeln!(output)?;
    }
    Ok(line.trim().to_owned())
}

fn dialogue(
    prompt: &str,
    hosts: &[&str],
    input: &mut impl BufRead,
    output: &mut impl Write,
) -> io::Result<HostsAnswer> {
    loop {
        write!(output, "{prompt}")?;
        output.flush()?;
        let mut line = String::new();
        if input.read_line(&mut line)? == 0 {
            writeln!(output)?;
            return Ok(HostsAnswer::None);
        }
        match understand(&line, hosts) {
            Ok(answer) => return Ok(answer),
            Err(problem) => writeln!(output, "{problem}")?,
        }
    }
}

/// Reads an answer. `y` alone is too easily typed for a question of trust.
fn understand(line: &str, hosts: &[&str]) -> Result<HostsAnswer, String> {
    let words: Vec<&str> = line.split([' ', '\t', ',', '\n', '\r']).filter(|word| !word.is_empty()).collect();
    match words.as_slice() {
        ["yes"] => return Ok(HostsAnswer::All),
        ["no"] => return Ok(HostsAnswer::None),
        [] => return Err("type yes, no, or names of hosts (web*, db1)".to_owned()),
        _ => {}
    }
    let mut meant = Vec::new();
    for word in words {
        let glob = GlobBuilder::new(word).literal_separator(false).build();
        let glob = glob.map_err(|_| format!("{word:?} is no pattern"))?.compile_matcher();
        let before = meant.len();
        meant.extend(
            (0..hosts.len())
                .filter(|&index| hosts.get(index).is_some_and(|host| *host == word || glob.is_match(host))),
        );
        if meant.len() == before {
            return Err(format!("{word:?} is none of these hosts; type yes, no, or names of hosts"));
        }
    }
    meant.sort_unstable();
    meant.dedup();
    Ok(HostsAnswer::Some(meant))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTS: [&str; 4] = ["web1", "web2", "db1", "root@[::1]:22"];

    #[test]
    fn answers_are_whole_words_or_names() {
        for (line, expected) in [
            ("yes\n", Ok(HostsAnswer::All)),
            (" no \r\n", Ok(HostsAnswer::None)),
            ("web*", Ok(HostsAnswer::Some(vec![0, 1]))),
            ("db1, web1 web?", Ok(HostsAnswer::Some(vec![0, 1, 2]))),
            ("root@[::1]:22", Ok(HostsAnswer::Some(vec![3]))),
            ("*", Ok(HostsAnswer::Some(vec![0, 1, 2, 3]))),
        ] {
            assert_eq!(understand(line, &HOSTS), expected, "{line:?}");
        }
        for line in ["", "\n", "y\n", "YES", "web1 nosuch", "web[", "yes web1"] {
            assert!(understand(line, &HOSTS).is_err(), "{line:?}");
        }
    }

    #[test]
    fn a_line_is_asked_for_once() {
        for (typed, expected, shown) in
            [(" prod \r\n", "prod", "role? "), ("\nprod\n", "", "role? "), ("", "", "role? \n")]
        {
            let mut said = Vec::new();
            let line = one_line("role? ", &mut typed.as_bytes(), &mut said).unwrap();
            assert_eq!((line.as_str(), String::from_utf8(said).unwrap().as_str()), (expected, shown));
        }
    }

    #[test]
    fn it_asks_until_it_understands_and_silence_is_no() {
        for (typed, expected, prompts) in [
            ("y\nwhat\nyes\n", HostsAnswer::All, 3),
            ("", HostsAnswer::None, 1),
            ("y\n", HostsAnswer::None, 2),
        ] {
            let mut said = Vec::new();
            let answer = dialogue("Trust? ", &HOSTS, &mut typed.as_bytes(), &mut said).unwrap();
            assert_eq!(answer, expected);
            assert_eq!(String::from_utf8(said).unwrap().matches("Trust? ").count(), prompts);
        }
    }
}
