//! The keys of fan.yaml.

use crate::config::tables::shape::{Shape, ShapeKeys};

/// At the top.
pub(in crate::config) const FILE: ShapeKeys = &[
    ("defaults", Shape::Any, "defaults of options, by their names; those of one command below its name"),
    ("profiles", Shape::Any, "named sets of defaults, for --profile"),
    ("aliases", Shape::Any, "commands of your own: a name, and the words that it stands for"),
];
