//! Which names of a folder take part: globs, and `.fanignore` files; and globs that stand for paths.
//!
//! Pure: reads no folder. Names are bytes, so `?` stands for one byte of a name, as in git.

mod error;
mod name_glob;
mod path_glob;
mod selection;

pub use crate::files::select::error::SelectError;
pub use path_glob::{PathGlob, PathPart};
pub use selection::Selection;
