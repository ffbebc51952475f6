//! What stands around the work: completion in shells, manual pages, explanations, first files.

mod completions;
mod init;
mod manual;
mod project_file;
