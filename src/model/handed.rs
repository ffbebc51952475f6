//! Keys that a block, or a call of a task, hands down to the steps in it, and what each of them means to an action. Which
//! keys may stand at a step itself is said by `config`; a test there holds the two together.

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
    pub const ALL: [Self; 10] = [
        Self::Folder,
        Self::LocalFolder,
        Self::On,
        Self::Env,
        Self::Shell,
        Self::Timeout,
        Self::IdleTimeout,
        Self::RunAs,
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
            Self::RunOnce => "run_once",
            Self::WarnOnly => "warn_only",
        }
    }

    /// What becomes of it at an action.
    pub fn at(self, action: &Action) -> Handover {
        use Handover::{Passes, Refuses, Takes};
        let when = |takes: bool| if takes { Takes } else { Passes };
        match action {
            // They hand it on.
            Action::Block(_) | Action::Task(_) => Takes,
            Action::Run(_) => when(self != Self::LocalFolder),
            Action::Script(_) => Takes,
            // What is done on the operator's machine has nothing to do with how a block is done on the hosts.
            Action::Local(_) => match self {
                Self::LocalFolder
                | Self::Env
                | Self::Timeout
                | Self::IdleTimeout
                | Self::RunOnce
                | Self::WarnOnly => Takes,
                Self::Folder | Self::On | Self::Shell | Self::RunAs => Passes,
            },
            Action::Put(_) | Action::Get(_) | Action::Sync(_) | Action::Template(_) => match self {
                Self::Folder
                | Self::LocalFolder
                | Self::On
                | Self::Timeout
                | Self::RunAs
                | Self::RunOnce
                | Self::WarnOnly => Takes,
                Self::Env | Self::Shell | Self::IdleTimeout => Passes,
            },
            Action::File(_) | Action::Line(_) | Action::Stat(_) | Action::Ls(_) => match self {
                Self::Folder | Self::On | Self::Timeout | Self::RunAs | Self::RunOnce | Self::WarnOnly => {
                    Takes
                }
                Self::LocalFolder | Self::Env | Self::Shell | Self::IdleTimeout => Passes,
            },
            Action::WaitFor(_) => match self {
                Self::Folder | Self::On | Self::Env | Self::RunAs | Self::RunOnce | Self::WarnOnly => Takes,
                Self::LocalFolder | Self::Shell | Self::Timeout | Self::IdleTimeout => Passes,
            },
            // It is about the connection of the host itself, which is lost and opened again.
            Action::Reboot(_) => match self {
                Self::Env | Self::RunAs | Self::RunOnce | Self::WarnOnly => Takes,
                Self::Folder | Self::LocalFolder | Self::Shell | Self::Timeout | Self::IdleTimeout => Passes,
                Self::On => Refuses,
            },
            // What one host is says nothing about another.
            Action::Facts => match self {
                Self::Timeout | Self::WarnOnly => Takes,
                Self::Folder
                | Self::LocalFolder
                | Self::Env
                | Self::Shell
                | Self::IdleTimeout
                | Self::RunAs => Passes,
                Self::On | Self::RunOnce => Refuses,
            },
            Action::Echo(_)
            | Action::Set(_)
            | Action::Fail(_)
            | Action::Assert { .. }
            | Action::Confirm(_)
            | Action::Prompt(_) => when(matches!(self, Self::RunOnce | Self::WarnOnly)),
            Action::Barrier => Passes,
        }
    }
}
