//! The host's side: what is there, and small changes to it. Over SFTP where the server has it and the login user does
//! it; by commands of a shell elsewhere, and for root.
//!
//! - `dialect`: what is particular to its SFTP server
//! - `attributes`: setting them by path
//! - `missing`: proof that nothing is at a path
//! - `shell`, `script`: small jobs
//! - `privilege`: for whom
//! - `temporary`: names of files that are not in place yet, and what becomes of them when all goes wrong

mod attributes;
mod beside;
mod dialect;
mod failures;
pub(in crate::files) mod host;
mod missing;
pub(in crate::files) mod paths;
pub mod privilege;
mod quirks;
mod script;
pub(in crate::files) mod search;
mod shell;
mod temporary;
pub(in crate::files) mod wanted;
mod work;

pub(in crate::files) use crate::files::remote::beside::Created;
pub use crate::files::remote::beside::{Replaced, is_temporary, temporary_name};
pub(in crate::files) use crate::files::remote::failures::is_loss;
pub use crate::files::remote::host::{Remote, is_folder};
pub(in crate::files) use crate::files::remote::paths::about;
pub use crate::files::remote::paths::{LONGEST_TOLD, child, shown, split};
pub(in crate::files) use crate::files::remote::wanted::attrs_of;
pub use crate::files::remote::wanted::{Commands, WantedAttributes};
pub use privilege::RemotePrivilege;
pub use script::Script;
pub use shell::{JobEnd, Shell};
