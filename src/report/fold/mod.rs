//! Output folded: hosts that said the same stand together, step by step.
//!
//! [`steps`] owns when a step is told, [`said`] what makes hosts equal, [`groups`] the words.

mod groups;
mod options;
mod said;
mod steps;

pub use crate::report::fold::options::{FoldFrame, FoldOptions};
pub use crate::report::fold::steps::Fold;

#[cfg(test)]
mod tests;
