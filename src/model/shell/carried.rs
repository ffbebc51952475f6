//! A file that a script carries to the host, and runs there.

use crate::model::shell::error::{CarriedError, MAX_BINARY, MAX_CARRIED, ShellError};
use crate::model::shell::quote::{plain_interpreter, quote_word, single_quoted};
use crate::model::shell::spelling::octal;

/// A file to run.
#[derive(Clone, Copy, Debug)]
pub struct Carried<'a> {
    /// Its name, as it is to see it in `$0`, without a folder.
    pub name: &'a str,
    /// What is in it.
    pub content: &'a [u8],
    /// Its arguments as words of a shell.
    pub args: &'a str,
    /// What it is run by, whatever it says itself.
    pub shell: Option<&'a str>,
    /// What it is run by when it does not say.
    pub fallback: &'a str,
}

/// Whether a file can be carried, and be run by `shell` or by what it names.
///
/// # Errors
///
/// It is too long, or text that its shell would read as other than it looks.
pub fn check(content: &[u8], shell: Option<&str>) -> Result<(), CarriedError> {
    let (most, what) = match text(content) {
        Some(_) => (MAX_CARRIED, "a script"),
        None => (MAX_BINARY, "a program"),
    };
    if content.len() > most {
        return Err(CarriedError::TooLong { size: content.len(), what, most });
    }
    if [&b"\xff\xfe"[..], b"\xfe\xff", b"#\0!\0", b"\0#\0!"].iter().any(|start| content.starts_with(start)) {
        return Err(CarriedError::Utf16);
    }
    match reader(content, shell) {
        Some(reader) if has_carriage_returns(content) => Err(CarriedError::CarriageReturns(reader)),
        Some(_) | None => Ok(()),
    }
}

/// The shell that is to read a script, by its family; none when it is for another program.
fn reader(content: &[u8], shell: Option<&str>) -> Option<&'static str> {
    const READERS: &[&str] =
        &["sh", "ash", "bash", "csh", "dash", "fish", "ksh", "ksh93", "mksh", "rbash", "tcsh", "yash", "zsh"];
    let named = shell.map(str::to_owned).or_else(|| named(content));
    let Some(named) = named else { return (!content.contains(&0)).then_some("sh") };
    let words = named.split(|c: char| !c.is_ascii_alphanumeric());
    words.into_iter().find_map(|word| READERS.iter().find(|reader| **reader == word)).copied()
}

/// Whether every line ends in a carriage return, but for the first one, which nobody runs, and what has no line end.
///
/// A few of them may be meant: the text of a request in a heredoc.
fn has_carriage_returns(content: &[u8]) -> bool {
    let content = without_mark(content);
    let mut lines = content.split(|byte| *byte == b'\n');
    let first = lines.next().unwrap_or_default();
    let mut lines: Vec<&[u8]> = lines.collect();
    lines.pop();
    if !first.starts_with(b"#!") {
        lines.push(first);
        if !content.contains(&b'\n') {
            return false;
        }
    }
    // Lines that end in carriage returns alone are one line.
    let old = content.starts_with(b"#!") && first.trim_ascii_end().contains(&b'\r');
    old || (!lines.is_empty() && lines.iter().all(|line| line.ends_with(b"\r")))
}

/// A script without the byte order mark that some editors write before it: neither kernel nor shell knows it.
fn without_mark(content: &[u8]) -> &[u8] {
    content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content)
}

/// Composes the script of a POSIX shell that puts the file into a private folder, runs it, and removes it however it
/// ends, unless the shell itself is killed by KILL.
///
/// The file is run by what its first line names, as the kernel would, or by a shell. So it works where the folder for
/// temporary files is mounted `noexec`.
///
/// # Errors
///
/// What [`check`] finds, or the interpreter is no plain command.
pub fn carried(file: Carried<'_>) -> Result<String, ShellError> {
    check(file.content, file.shell)?;
    // Other programs may know the mark, and may want it.
    let marked = file.shell.is_none() || reader(file.content, file.shell).is_some();
    let bytes = if marked { without_mark(file.content) } else { file.content };
    let content = match text(bytes) {
        Some(text) => format!("printf %s {}", single_quoted(text)),
        None => format!("printf %b '{}'", octal(bytes)),
    };
    let name = file.name.replace(['/', '\0'], "_");
    let name = quote_word(&name);
    let runner = match (file.shell, named(bytes)) {
        (Some(shell), _) => plain_interpreter(shell)?.to_owned(),
        // Whatever follows: an archive that unpacks itself, text in another encoding.
        (None, Some(words)) => words,
        (None, None) if !bytes.contains(&0) => plain_interpreter(file.fallback)?.to_owned(),
        // A program of the machine.
        (None, None) => String::new(),
    };
    Ok(format!(
        "_fan_d=$(umask 077 && mktemp -d \"${{TMPDIR:-/tmp}}/fan-XXXXXXXXXX\") || exit\n\
         trap 'rm -rf \"$_fan_d\"' EXIT\n\
         trap 'exit 129' HUP; trap 'exit 130' INT; trap 'exit 143' TERM\n\
         (umask 077 && {content} >\"$_fan_d\"/{name} && chmod 700 \"$_fan_d\"/{name}) || exit\n\
         {runner} \"$_fan_d\"/{name} {args}\n",
        args = file.args
    ))
}

fn text(content: &[u8]) -> Option<&str> {
    std::str::from_utf8(content).ok().filter(|text| !text.contains('\0'))
}

/// What the first line of a script names: a program and at most one argument, as Linux reads it (`fs/binfmt_script.c`).
fn named(content: &[u8]) -> Option<String> {
    let line = without_mark(content).strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let line = text(line)?.trim();
    let (program, argument) = line.split_once([' ', '\t']).unwrap_or((line, ""));
    if program.is_empty() {
        return None;
    }
    let argument = argument.trim();
    let argument = if argument.is_empty() { String::new() } else { format!(" {}", quote_word(argument)) };
    Some(format!("{}{argument}", quote_word(program)))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::model::shell::tests::{POSIX_SHELLS, installed};

    fn file<'a>(content: &'a [u8], args: &'a str) -> Carried<'a> {
        Carried { name: "it's a.sh", content, args, shell: None, fallback: "sh" }
    }

    #[test]
    fn a_file_is_run_with_its_arguments_and_is_gone_after() {
        let folder = tempfile::tempdir().unwrap();
        let content =
            b"#!/usr/bin/env sh\nprintf '<%s>' \"$@\"; ls -ld \"$0\" | cut -c1-10; basename \"$0\"; exit 3\n";
        for shell in installed(&["sh", "bash"], POSIX_SHELLS) {
            let script = carried(file(content, "a 'b c' ''")).unwrap();
            let mut command = Command::new(&shell[0]);
            command.args(&shell[1..]).args(["-c", &script]).env("TMPDIR", folder.path());
            let ran = command.output().unwrap();
            let out = String::from_utf8_lossy(&ran.stdout).into_owned();
            assert_eq!(out, "<a><b c><>-rwx------\nit's a.sh\n", "{shell:?}: {ran:?}");
            assert_eq!(ran.status.code(), Some(3), "{shell:?}");
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "{shell:?}");
        }
    }

    #[test]
    fn every_byte_arrives() {
        let bytes: Vec<u8> = (0..=255).cycle().take(3000).collect();
        for shell in installed(&["sh", "bash"], POSIX_SHELLS) {
            let script = carried(Carried { shell: Some("cat"), ..file(&bytes, "") }).unwrap();
            let ran = Command::new(&shell[0]).args(&shell[1..]).args(["-c", &script]).output().unwrap();
            assert!(ran.stdout == bytes, "{shell:?}: {} bytes", ran.stdout.len());
        }
    }

    #[test]
    fn who_runs_it() {
        let runner = |content: &[u8], shell| {
            let script = carried(Carried { shell, name: "x", ..file(content, "") }).unwrap();
            script.lines().last().unwrap().trim_end().replace(" \"$_fan_d\"/x", "")
        };
        assert_eq!(runner(b"echo", None), "sh");
        assert_eq!(runner(b"#!/bin/bash -eu -x\n", None), "/bin/bash '-eu -x'");
        assert_eq!(runner(b"#! /usr/bin/env python3\r\n", None), "/usr/bin/env python3");
        assert_eq!(runner(b"#!\n", None), "sh");
        assert_eq!(runner(b"#!/bin/bash\n", Some("busybox sh")), "busybox sh");
        assert_eq!(runner(b"\x7fELF\0", None), "");
        // A byte order mark is not a part of the line, nor what follows the line of it.
        assert_eq!(runner(b"\xef\xbb\xbf#!/bin/bash\r\necho\n", None), "/bin/bash");
        assert_eq!(runner(b"\xef\xbb\xbfecho", None), "sh");
        assert_eq!(runner(b"#!/bin/bash\nexit\n\x1f\x8b\0\0", None), "/bin/bash");
        assert_eq!(runner(b"#!/usr/bin/perl\n# caf\xe9\n", None), "/usr/bin/perl");
        assert_eq!(runner(b"echo caf\xe9\n", None), "sh");
        let too_long = |content: &[u8]| {
            let error = carried(file(content, "")).unwrap_err();
            matches!(error, ShellError::Carried(CarriedError::TooLong { .. }))
        };
        assert!(too_long(&vec![b'x'; MAX_CARRIED + 1]) && too_long(&vec![0; MAX_BINARY + 1]));
    }

    #[test]
    fn text_that_its_shell_would_misread_is_refused() {
        for content in [
            "#!/bin/sh\r\necho\r\n",
            "#!/usr/bin/env -S bash -e\r\n\r\necho\r\nlast",
            "\u{feff}#!/bin/zsh\necho\r\n",
            "echo\r\n",
            "#!/bin/sh\recho\r",
        ] {
            let error = check(content.as_bytes(), None).unwrap_err();
            assert!(matches!(error, CarriedError::CarriageReturns(_)), "{content:?}: {error}");
        }
        for start in [&b"\xff\xfe#\0"[..], b"\xfe\xff\0#", b"#\0!\0/\0", b"\0#\0!\0/"] {
            assert_eq!(check(start, None), Err(CarriedError::Utf16));
        }
        for (content, shell) in [
            ("#!/bin/sh\r\necho\n", None),
            ("#!/bin/sh\r\n", None),
            ("#!/usr/bin/python3\r\nprint()\r\n", None),
            ("#!/bin/sh\nnc h 80 <<E\nGET / HTTP/1.0\r\n\r\nE\n", None),
            ("print()\r\n", Some("python3")),
            ("printf 'a\r'", None),
            ("", None),
        ] {
            assert_eq!(check(content.as_bytes(), shell), Ok(()), "{content:?}");
        }
    }

    /// What stands around a script makes no difference to what it does.
    #[test]
    fn marks_and_missing_line_ends_are_no_part_of_a_script() {
        for shell in installed(&["sh", "bash"], POSIX_SHELLS) {
            for content in [
                "\u{feff}#!/bin/bash\n[[ a == a ]] && echo \"${BASH_VERSION:+bash}\"",
                "#!/bin/bash\r\necho \"${BASH_VERSION:+bash}\"\n",
                "#!/bin/bash\necho \"${BASH_VERSION:+bash}\"\nexit\nto\0 be read by nobody",
            ] {
                let script = carried(file(content.as_bytes(), "")).unwrap();
                let ran = Command::new(&shell[0]).args(&shell[1..]).args(["-c", &script]).output().unwrap();
                assert_eq!(String::from_utf8_lossy(&ran.stdout), "bash\n", "{shell:?} {content:?}: {ran:?}");
            }
            let script = carried(file("\u{feff}echo plain".as_bytes(), "")).unwrap();
            let ran = Command::new(&shell[0]).args(&shell[1..]).args(["-c", &script]).output().unwrap();
            assert_eq!(String::from_utf8_lossy(&ran.stdout), "plain\n", "{shell:?}: {ran:?}");
        }
    }
}
