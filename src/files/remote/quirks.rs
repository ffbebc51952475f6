//! What was learned of a host's SFTP server, as data: what it makes of links, modes and times.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};

use tokio::sync::OnceCell;

use crate::files::remote::beside::lasting;
use crate::files::remote::paths::shown;
use crate::ssh::sftp::wire::{Attrs, LinkOrder};

/// The bits of a mode that are compared.
pub(super) const BITS: u32 = 0o7777;

/// What was learned of a server.
#[derive(Default)]
pub(super) struct Quirks {
    /// In which order it reads the paths of a link.
    pub(super) links: OnceCell<LinkHabit>,
    /// It renames links, and not what they point at.
    pub(super) renames_links: OnceCell<bool>,
    /// It sets attributes by path, and not of open files.
    pub(super) by_path: AtomicBool,
    /// A file that is made gets another mode than it is to have: others could read along.
    pub(super) exposes: OnceCell<bool>,
    /// It sets no attributes, not even of what was just made for that.
    pub(super) sets_nothing: AtomicBool,
    pub(super) unheeded: Mutex<Unheeded>,
}

/// What a server makes of a request for a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LinkHabit {
    Made(LinkOrder),
    /// It makes none, whatever it says.
    NotMade,
}

/// What was set and is not so: in words, by path.
#[derive(Default)]
pub(super) struct Unheeded {
    pub(super) modes: BTreeMap<Vec<u8>, String>,
    pub(super) times: BTreeMap<Vec<u8>, String>,
    /// What has a mode that is not told.
    pub(super) untold: BTreeMap<Vec<u8>, String>,
}

impl Unheeded {
    /// The first path of each kind stands for all: a folder may have thousands.
    pub(super) fn keep(kept: &mut BTreeMap<Vec<u8>, String>, path: Vec<u8>, words: String) {
        kept.insert(path, words);
        if kept.len() > 1 {
            kept.pop_last();
        }
    }
}

impl Quirks {
    pub(super) fn unheeded(&self) -> std::sync::MutexGuard<'_, Unheeded> {
        self.unheeded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Compares what was set with what is told, and keeps what differs.
    pub(super) fn note(&self, path: &[u8], wanted: &Attrs, told: Option<&Attrs>) {
        let mut unheeded = self.unheeded();
        let path = lasting(path);
        if !heeds_mode(wanted, told) {
            let due = octal(wanted.permissions.unwrap_or_default());
            let words = match told.and_then(|told| told.permissions) {
                Some(now) => format!(
                    "the server does not set modes as requested: {} has {}, not {due}",
                    shown(&path),
                    octal(now)
                ),
                None => {
                    format!("the server reports no modes: whether {} has {due} is not known", shown(&path))
                }
            };
            Unheeded::keep(&mut unheeded.modes, path.clone(), words);
        }
        if !heeds_time(wanted, told) {
            let words = format!("the server does not keep times: {} has its own", shown(&path));
            Unheeded::keep(&mut unheeded.times, path, words);
        }
    }

    /// Keeps that the mode of what is there is not known.
    pub(super) fn note_untold(&self, path: &[u8]) {
        let words = format!("the server reports no modes: that of {} is not known", shown(path));
        Unheeded::keep(&mut self.unheeded().untold, path.to_vec(), words);
    }
}

fn octal(mode: u32) -> String {
    format!("{:04o}", mode & BITS)
}

/// Whether all that was wanted is so.
pub(super) fn heeds(wanted: &Attrs, told: Option<&Attrs>) -> bool {
    heeds_mode(wanted, told) && heeds_time(wanted, told)
}

pub(super) fn heeds_mode(wanted: &Attrs, told: Option<&Attrs>) -> bool {
    let now = told.and_then(|told| told.permissions);
    wanted.permissions.is_none_or(|due| now.is_some_and(|now| now & BITS == due & BITS))
}

pub(super) fn heeds_time(wanted: &Attrs, told: Option<&Attrs>) -> bool {
    let now = told.and_then(|told| told.times);
    wanted.times.is_none_or(|(_, due)| now.is_some_and(|(_, now)| now == due))
}
