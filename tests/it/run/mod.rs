//! `fan run`: tasks and everything that they can ask for.

mod choosing;
mod dialogue;
mod dry_runs;
mod file_steps;
mod includes;
mod locks;
mod plans;
mod privilege;
mod protected;
mod recipes;
mod screen;
mod scripts;
mod secrets;
mod task_language;
mod waiting;
