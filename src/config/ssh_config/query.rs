//! A configuration: read once, asked for each host.

use std::path::Path;
use std::sync::Arc;

use crate::config::findings::Diagnostics;
use crate::config::ssh_config::asked::{ConfigAnswer, Local, Sources};
use crate::config::ssh_config::chosen::QueryStart;
use crate::config::ssh_config::file::{ConfigFile, Loader, Side, Terms};
use crate::config::ssh_config::{answer, chosen};
use crate::model::settings::Settings;

/// A configuration, read and without errors of its own.
#[derive(Clone, Debug, Default)]
pub struct SshConfig {
    /// The user's file and the system's, in this order.
    pub(super) files: Vec<Arc<ConfigFile>>,
}

impl SshConfig {
    /// Reads the files and everything that they include.
    ///
    /// Errors: everything because of which OpenSSH would refuse the files as well, all of it at once.
    pub fn load(sources: &Sources, local: &Local) -> Result<Self, Diagnostics> {
        let system = match sources {
            Sources::Standard { system, .. } => system.parent(),
            Sources::File(_) => None,
        };
        let mut loader = Loader::new(&local.home, local.uid, system.unwrap_or(Path::new("/etc/ssh")));
        let files = match sources {
            Sources::Standard { user, system } => vec![
                loader.load(user, Side::User, Terms { safe: true, exists: false }),
                loader.load(system, Side::System, Terms { safe: false, exists: false }),
            ],
            // OpenSSH does not ask who may write to a file that was named to it.
            Sources::File(file) => vec![loader.load(file, Side::User, Terms { safe: false, exists: true })],
        };
        if loader.findings.any() {
            return Err(loader.findings.take_errors());
        }
        Ok(Self { files })
    }

    /// What the configuration says about a host, as `ssh NAME` would see it.
    ///
    /// `host` is its name in the inventory. `above` are the merged settings of all higher layers: they decide
    /// `Match user` and `Match host` and stand for the tokens `%h`, `%p` and `%r`, just as `-l`, `-p` and
    /// `-o HostName=` do for ssh; and what they set is not looked for here, nor refused. Tokens in them are replaced.
    pub fn query(&self, host: &str, above: Settings, local: &Local) -> ConfigAnswer {
        let files: Vec<&ConfigFile> = self.files.iter().map(|file| &**file).collect();
        let chosen = chosen::choose(&files, &QueryStart { host, above: &above, local_user: &local.user });
        answer::answer(host, above, local, chosen)
    }
}

#[cfg(test)]
mod tests;
