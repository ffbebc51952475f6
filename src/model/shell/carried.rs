//! A file that a script carries to the host, and runs there.

use crate::model::shell::spelling::octal;
use crate::model::shell::{ShellError, plain_interpreter, quote_word, single_quoted};

/// The longest file, in bytes.
pub const MAX_CARRIED: usize = 1024 * 1024;

/// The longest one that is no text, each byte of which takes nine on its way.
pub const MAX_BINARY: usize = 512 * 1024;

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

/// Whether a file can be carried.
///
/// # Errors
///
/// It is too long; why, as a fragment.
pub fn check(content: &[u8]) -> Result<(), String> {
    let (most, what) = match text(content) {
        Some(_) => (MAX_CARRIED, "a script"),
        None => (MAX_BINARY, "a program"),
    };
    if content.len() > most {
        return Err(format!("{} bytes, and {what} can have {most}", content.len()));
    }
    Ok(())
}

/// Composes the script of a POSIX shell that puts the file into a private folder, runs it, and removes it however it
/// ends, unless the shell itself is killed by KILL.
///
/// The file is run by what its first line names, as the kernel would, or by a shell. So it works where the folder for
/// temporary files is mounted `noexec`.
///
/// # Errors
///
/// It is too long, or the interpreter is no plain command.
pub fn carried(file: Carried<'_>) -> Result<String, ShellError> {
    if check(file.content).is_err() {
        return Err(ShellError::TooLong { size: file.content.len() });
    }
    let content = match text(file.content) {
        Some(text) => format!("printf %s {}", single_quoted(text)),
        None => format!("printf %b '{}'", octal(file.content)),
    };
    let name = file.name.replace(['/', '\0'], "_");
    let name = quote_word(&name);
    let runner = match (file.shell, text(file.content)) {
        (Some(shell), _) => plain_interpreter(shell)?.to_owned(),
        (None, Some(text)) => match named(text) {
            Some(words) => words,
            None => plain_interpreter(file.fallback)?.to_owned(),
        },
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
fn named(text: &str) -> Option<String> {
    let line = text.strip_prefix("#!")?.lines().next()?.trim();
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
        assert!(matches!(carried(file(&vec![b'x'; MAX_CARRIED + 1], "")), Err(ShellError::TooLong { .. })));
        assert!(matches!(carried(file(&vec![0; MAX_BINARY + 1], "")), Err(ShellError::TooLong { .. })));
    }
}
