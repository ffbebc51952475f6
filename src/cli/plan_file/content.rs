//! What is in a plan's file: for people the plan as `--plan` prints it, for fan all that it was made from. It holds no
//! secret: variables and local files are there by their digests.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::cli::error::CliError;
use crate::cli::files;
use crate::files::digest::Digest;
use crate::model::position::Diagnostic;
use crate::store::RecipeSource;

/// The version of the format. One that is higher is a later fan's.
const SCHEMA: u64 = 1;

/// A plan in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::cli) struct PlanFile {
    /// [`SCHEMA`].
    pub(super) schema: u64,
    /// Version of fan.
    pub(super) fan: String,
    /// Wall clock when it was made, RFC 3339, UTC.
    pub(super) made_at: String,
    /// What runs.
    pub(super) title: String,
    /// The plan in words, line by line.
    pub(super) plan: Vec<String>,
    /// The hosts, in inventory order.
    pub(super) hosts: Vec<PlanFileHost>,
    /// The files that hosts, tasks and variables were read from.
    pub(super) files: Vec<RecipeSource>,
    /// Local files and folders that steps read.
    pub(super) local_files: Vec<RecipeSource>,
    /// Steps that read local files which only the run will know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) not_held: Vec<String>,
    /// The command line, secrets masked.
    pub(super) arguments: Vec<String>,
    /// Variables of `-e` whose values are masked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) masked: Vec<String>,
    /// What goes into the digests of variables, so that equal ones differ from file to file.
    pub(super) salt: String,
    /// SHA-256 of all the rest.
    pub(super) checksum: String,
}

/// A host of the plan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::cli) struct PlanFileHost {
    /// Its name.
    pub(super) host: String,
    /// How it is reached: `deploy@10.0.0.1:22 via bastion`.
    pub(super) at: String,
    /// Digest of its variables, without those that are secret.
    pub(super) variables: String,
}

impl PlanFile {
    /// The command line, secrets masked.
    pub(in crate::cli) fn arguments(&self) -> &[String] {
        &self.arguments
    }

    /// Variables of it whose values are masked.
    pub(in crate::cli) fn masked(&self) -> &[String] {
        &self.masked
    }

    /// Its hosts.
    pub(in crate::cli) fn host_names(&self) -> impl Iterator<Item = &str> {
        self.hosts.iter().map(|host| host.host.as_str())
    }

    /// Steps that read local files which only the run will know.
    pub(in crate::cli) fn not_held(&self) -> &[String] {
        &self.not_held
    }

    /// The same with version and checksum of this fan.
    pub(super) fn sealed(self) -> Self {
        let mut file = Self { schema: SCHEMA, fan: env!("CARGO_PKG_VERSION").to_owned(), ..self };
        file.checksum = file.sum();
        file
    }

    fn sum(&self) -> String {
        let unsealed = Self { checksum: String::new(), ..self.clone() };
        Digest::of(&serde_json::to_vec(&unsealed).unwrap_or_default()).to_string()
    }

    /// Writes it, for its owner's eyes only.
    pub(in crate::cli) fn write(&self, path: &Path) -> Result<(), CliError> {
        let text = serde_json::to_string_pretty(self).unwrap_or_default() + "\n";
        files::private(path, text.as_bytes())
            .map_err(|source| CliError::Local { doing: format!("cannot write {}", path.display()), source })
    }

    /// Reads one.
    pub(in crate::cli) fn read(path: &Path) -> Result<Self, CliError> {
        let shown = path.display();
        let text = fs::read(path)
            .map_err(|error| CliError::input(format!("cannot read the plan {shown}: {error}")))?;
        let no_plan = || Diagnostic::bare(format!("{shown} is no plan")).help(MAKE);
        let value: Value = serde_json::from_slice(&text).map_err(|_| no_plan())?;
        let Some(schema) = value.get("schema").and_then(Value::as_u64) else { return Err(no_plan().into()) };
        if schema > SCHEMA {
            let by = value.get("fan").and_then(Value::as_str).unwrap_or_default();
            let message =
                format!("{shown} was made by a later fan ({by}), and this is {}", env!("CARGO_PKG_VERSION"));
            return Err(Diagnostic::bare(message)
                .help("run it with that version, or make the plan with this one")
                .into());
        }
        let changed = || {
            let message = format!("{shown} was changed since fan wrote it: its checksum does not fit");
            Diagnostic::bare(message).help(MAKE)
        };
        let file: Self = serde_json::from_value(value).map_err(|_| changed())?;
        if file.sum() != file.checksum {
            return Err(changed().into());
        }
        Ok(file)
    }
}

/// How to get another one.
pub(in crate::cli) const MAKE: &str = "make a new plan: fan run TASK --plan --out FILE";
