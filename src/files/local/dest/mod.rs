//! A folder that nothing gets out of, into which a host's files go.
//!
//! Its root is opened once. All else is reached from there, by open folders and without following a link: neither
//! names that a host makes up nor links that lie in the folder, or are put there meanwhile, lead elsewhere.
//! Nothing in the way of a file is removed but another file or a link.

mod beneath;
mod destination;
mod pending;
mod place;

pub use crate::files::local::dest::destination::{Destination, MadeFolder};
pub use pending::PendingFile;
