//! Archives: what is in one, read by the programs of the machine that it is on, and the script that unpacks it there.
//!
//! - `tools`: which program reads which archive, and how it is called
//! - `tar`: the lists that those programs print
//! - `zip`: the list that a zip has at its end
//! - `unpack`: what is in one stands in a folder of a host
//!
//! A list is safe: nothing in it leaves the folder that it is unpacked into. Refuses to decompress anything itself.

mod entry;
mod list;
mod tar;
mod tools;
mod unpack;
mod zip;

pub use entry::ArchiveList;
pub use list::list_here;
pub use unpack::{ArchiveSource, UnpackJob, Unpacked, unpack};
