//! `fan demo`, and the throw-away hosts behind it.

mod command;
mod commands;
mod sftp;
