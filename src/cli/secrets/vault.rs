//! Passwords of Ansible Vault: where the command line says that they are.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::cli::error::CliError;
use crate::cli::prompt::{PromptTerminal, Prompter};
use crate::cli::runtime::runtime;
use crate::cli::secrets::memory;
use crate::cli::secrets::source::{COMMAND_LIMIT, Purpose, read_now, run};
use crate::config::VaultPassword;
use crate::model::position::Diagnostic;
use crate::model::secret::{Secret, SecretSource};
use crate::model::shell::quote_word;

/// Reads the passwords, in the order in which they were given.
pub(in crate::cli) fn vault_passwords(sources: &[String]) -> Result<Vec<VaultPassword>, CliError> {
    if !sources.is_empty() {
        memory::close();
    }
    sources.iter().map(|text| password(text)).collect()
}

/// `[LABEL@]SOURCE`.
fn password(text: &str) -> Result<VaultPassword, CliError> {
    let (label, source) = match text.split_once('@') {
        Some((label, source)) if !label.contains([':', '/']) => (Some(label.to_owned()), source),
        _ => (None, text),
    };
    let shown = label.as_deref().map_or_else(|| "vault".to_owned(), |label| format!("vault id {label}"));
    Ok(VaultPassword { password: read(&source_of(source, &shown)?, &shown)?, label })
}

/// Where it is. A path alone is a file or, as with Ansible, a program that prints the password.
fn source_of(text: &str, shown: &str) -> Result<SecretSource, CliError> {
    let meta = fs::metadata(text).ok().filter(fs::Metadata::is_file);
    Ok(match text.split_once(':') {
        Some(("file", path)) => SecretSource::File(path.to_owned()),
        Some(("env", name)) => SecretSource::Env(name.to_owned()),
        Some(("command", line)) => SecretSource::Command(line.to_owned()),
        Some(("prompt", question)) => SecretSource::Prompt(question.to_owned()),
        _ if text == "prompt" => SecretSource::Prompt(format!("{shown} password")),
        _ if meta.as_ref().is_some_and(|meta| meta.permissions().mode() & 0o111 != 0) => {
            SecretSource::Command(format!("exec {}", quote_word(text)))
        }
        _ if meta.is_some() || text.contains('/') => SecretSource::File(text.to_owned()),
        _ => {
            // It may be the password itself.
            return Err(Diagnostic::bare(
                "--vault-password takes the place of the password, never the password",
            )
            .help("write file:PATH, env:NAME, command:LINE or prompt")
            .into());
        }
    })
}

fn read(source: &SecretSource, shown: &str) -> Result<Secret, CliError> {
    let purpose = Purpose::Named(shown);
    match source {
        SecretSource::Env(_) | SecretSource::File(_) | SecretSource::Written(_) => {
            Ok(read_now(source, purpose)?)
        }
        SecretSource::Command(line) => {
            Ok(runtime()?.block_on_then_leave(run(line, purpose, COMMAND_LIMIT))?)
        }
        SecretSource::Prompt(question) => PromptTerminal.ask(question).map_err(|_| {
            Diagnostic::bare("the vault's password is asked for, and there is no terminal to ask on")
                .help("write --vault-password file:PATH, env:NAME or command:LINE")
                .into()
        }),
    }
}
