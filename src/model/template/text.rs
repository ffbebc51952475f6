//! Texts with templates in them, as a tasks file has them.

use std::sync::Arc;

use indexmap::IndexMap;

use crate::model::position::Located;
use crate::model::value::Value;

/// The text of a template with its place in the file.
///
/// For a block scalar (`|`, `>`) the position is that of the first line of the text.
pub type TemplateText = Located<Arc<str>>;

/// What becomes of the lines that tags stand on, in a template file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TagLines {
    /// The line end right behind a tag is left out.
    pub trim_blocks: bool,
    /// Blanks before a tag that begins a line are left out.
    pub lstrip_blocks: bool,
}

/// A value that may hold templates at its leaves.
#[derive(Clone, Debug)]
pub enum Template {
    /// A string that is rendered. When it is a single `{{ expression }}`, the value keeps its type.
    Text(TemplateText),
    /// A value without templates.
    Literal(Value),
    /// A list of such values.
    List(Vec<Template>),
    /// A map of such values.
    Map(IndexMap<String, Template>),
}

impl Template {
    /// The texts at its leaves, in order.
    pub fn leaves(&self) -> Vec<&TemplateText> {
        match self {
            Self::Text(text) => vec![text],
            Self::Literal(_) => Vec::new(),
            Self::List(items) => items.iter().flat_map(Self::leaves).collect(),
            Self::Map(map) => map.values().flat_map(Self::leaves).collect(),
        }
    }
}
