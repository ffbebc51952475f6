//! The keys of the files with what is said about them, for `fan explain`: from the tables that files are read by.

use crate::config::tables::shape::ShapeKeys;
use crate::config::tables::{fan_file, inventory, tasks};

/// Where a key stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyPlace {
    /// At the top of an inventory.
    Inventory,
    /// Beside a role.
    Role,
    /// A setting of hosts.
    Setting,
    /// At the top of a tasks file.
    TasksFile,
    /// Beside a task.
    Task,
    /// Beside a step's action, or the action itself.
    Step,
    /// Within `wait_for`.
    WaitFor,
    /// At the top of a fan.yaml.
    FanFile,
    /// Within its `smtp`.
    Smtp,
    /// In an entry of its `reports`.
    Report,
}

impl KeyPlace {
    /// What the key is.
    pub fn words(self) -> &'static str {
        match self {
            Self::Inventory => "a key of the inventory",
            Self::Role => "a key of a role",
            Self::Setting => "a setting of hosts",
            Self::TasksFile => "a key of the tasks file",
            Self::Task => "a key of a task",
            Self::Step => "a key of a step",
            Self::WaitFor => "a key of wait_for",
            Self::FanFile => "a key of fan.yaml",
            Self::Smtp => "a key of smtp in fan.yaml",
            Self::Report => "a key of an entry of reports in fan.yaml",
        }
    }

    /// The page that describes it.
    pub fn page(self) -> &'static str {
        match self {
            Self::Inventory | Self::Role | Self::Setting => "inventory.md",
            Self::TasksFile | Self::Task | Self::Step | Self::WaitFor => "tasks.md",
            Self::FanFile => "configuration.md",
            Self::Smtp | Self::Report => "delivery.md",
        }
    }
}

/// A key with a line about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyEntry {
    /// Where it stands.
    pub place: KeyPlace,
    /// Its name.
    pub name: &'static str,
    /// What it does: a fragment.
    pub about: &'static str,
}

/// All keys, in the order of the tables.
pub fn keys() -> Vec<KeyEntry> {
    let tables: [(KeyPlace, ShapeKeys); 10] = [
        (KeyPlace::Inventory, inventory::FILE),
        (KeyPlace::Role, inventory::ROLE),
        (KeyPlace::Setting, inventory::SETTINGS),
        (KeyPlace::TasksFile, tasks::FILE),
        (KeyPlace::Task, tasks::TASK),
        (KeyPlace::Step, tasks::STEP),
        (KeyPlace::WaitFor, tasks::WAIT_FOR),
        (KeyPlace::FanFile, fan_file::FILE),
        (KeyPlace::Smtp, fan_file::SMTP),
        (KeyPlace::Report, fan_file::REPORT),
    ];
    let of = |(place, keys): (KeyPlace, ShapeKeys)| {
        keys.iter().map(move |&(name, _, about)| KeyEntry { place, name, about })
    };
    tables.into_iter().flat_map(of).collect()
}
