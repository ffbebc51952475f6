//! The command line and the files that it reads, up to the first contact.

mod arguments;
mod coming_from;
mod files;
mod habits;
mod packaging;
mod schema;
