//! Keys that a block, or a call of a task, hands down to the steps in it, and what each of them means to an action: what
//! its properties say of the key beside the step itself, unless they make an exception.

use crate::model::task::Action;

/// A key that is handed down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handed {
    /// `cd`.
    Folder,
    /// `lcd`.
    LocalFolder,
    /// `on`.
    On,
    /// `env`.
    Env,
    /// `shell`.
    Shell,
    /// `timeout`.
    Timeout,
    /// `idle_timeout`.
    IdleTimeout,
    /// `sudo`, and `user` which is short for it.
    RunAs,
    /// `durable`.
    Durable,
    /// `run_once`.
    RunOnce,
    /// `warn_only`.
    WarnOnly,
}

/// What becomes of a key that is handed down to an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handover {
    /// It holds for the action.
    Takes,
    /// It means nothing to the action, and passes it by.
    Passes,
    /// The action would do something else than it is there for, or do it for the wrong host.
    Refuses,
}

impl Handed {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Folder,
        Self::LocalFolder,
        Self::On,
        Self::Env,
        Self::Shell,
        Self::Timeout,
        Self::IdleTimeout,
        Self::RunAs,
        Self::Durable,
        Self::RunOnce,
        Self::WarnOnly,
    ];

    /// The key as it is written.
    pub fn key(self) -> &'static str {
        match self {
            Self::Folder => "cd",
            Self::LocalFolder => "lcd",
            Self::On => "on",
            Self::Env => "env",
            Self::Shell => "shell",
            Self::Timeout => "timeout",
            Self::IdleTimeout => "idle_timeout",
            Self::RunAs => "sudo",
            Self::Durable => "durable",
            Self::RunOnce => "run_once",
            Self::WarnOnly => "warn_only",
        }
    }

    /// What becomes of it at an action.
    pub fn at(self, action: &Action) -> Handover {
        let (kind, key) = (action.properties(), self.key());
        if kind.refuses.contains(&key) {
            Handover::Refuses
        } else if kind.takes(key) && !kind.own.contains(&key) {
            Handover::Takes
        } else {
            Handover::Passes
        }
    }
}
