//! `fan hosts`, and the sources that inventories come from.

mod ansible;
mod cache;
mod clush;
mod lookups;
mod recipes;
mod sources;
