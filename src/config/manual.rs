//! The keys of the files with what is said about them, for `fan explain`: from the tables that files are read by.

use crate::config::tables::shape::ShapeKeys;
use crate::config::tables::{inventory, tasks};

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
        }
    }

    /// The page that describes it.
    pub fn page(self) -> &'static str {
        match self {
            Self::Inventory | Self::Role | Self::Setting => "inventory.md",
            Self::TasksFile | Self::Task | Self::Step | Self::WaitFor => "tasks.md",
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
    let tables: [(KeyPlace, ShapeKeys); 7] = [
        (KeyPlace::Inventory, inventory::FILE),
        (KeyPlace::Role, inventory::ROLE),
        (KeyPlace::Setting, inventory::SETTINGS),
        (KeyPlace::TasksFile, tasks::FILE),
        (KeyPlace::Task, tasks::TASK),
        (KeyPlace::Step, tasks::STEP),
        (KeyPlace::WaitFor, tasks::WAIT_FOR),
    ];
    let of = |(place, keys): (KeyPlace, ShapeKeys)| {
        keys.iter().map(move |&(name, _, about)| KeyEntry { place, name, about })
    };
    tables.into_iter().flat_map(of).collect()
}
