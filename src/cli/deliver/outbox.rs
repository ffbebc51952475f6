//! Where parcels wait: reports are made where events are read, and sent when the run is over.

use std::sync::{Arc, Mutex, PoisonError};

use crate::cli::deliver::parcel::{Parcel, Post};
use crate::report::file::{ReportKind, ReportTarget, render};
use crate::report::letter::letter_of_run;

/// Where parcels wait. A clone is the same one.
#[derive(Clone, Debug, Default)]
pub(in crate::cli) struct Outbox(Arc<Mutex<Vec<Parcel>>>);

impl Outbox {
    /// What fills it at the end of a run; nothing where nobody is written to.
    pub(in crate::cli) fn filled_by(&self, post: Post) -> Option<ReportTarget> {
        if post.is_empty() {
            return None;
        }
        let outbox = self.clone();
        Some(ReportTarget::Elsewhere(Box::new(move |record| {
            let of = |extension: &str| {
                ReportKind::ALL
                    .iter()
                    .find(|kind| kind.extension() == extension)
                    .map(|&kind| render(kind, record))
            };
            let parcels = post.parcels(&letter_of_run(record), &of);
            outbox.0.lock().unwrap_or_else(PoisonError::into_inner).extend(parcels);
        })))
    }

    /// Takes out what is there.
    pub(in crate::cli) fn take(&self) -> Vec<Parcel> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
