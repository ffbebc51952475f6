//! `fan history`, `show`, `report` and `merge`: what stays of a run.

mod delivery;
mod files;
mod history;
mod merge;
