//! A YAML document as it was written: texts, lists and maps, each with its place. Nothing is typed here.

use std::sync::Arc;

use crate::model::position::Position;

/// A part of the document.
#[derive(Clone, Debug)]
pub(super) enum Node {
    /// A text, also where it looks like a number.
    Scalar(Scalar),
    /// A list.
    List(List),
    /// A map with its keys in file order.
    Map(Map),
    /// Something whose error was noted already; readers pass it in silence.
    Broken(Position),
}

/// A text with its place and the way it was written.
#[derive(Clone, Debug)]
pub(super) struct Scalar {
    /// The text without quotes, escapes and indentation.
    pub(super) text: Arc<str>,
    /// How it was written.
    pub(super) style: YamlStyle,
    /// Where it stands, with its quote.
    pub(super) position: Position,
    /// Where its first character stands.
    pub(super) start: Position,
    /// How places in the text are found in the file.
    pub(super) layout: YamlLayout,
    /// What Ansible's tag in front of it makes of it.
    pub(super) tag: YamlTag,
}

/// A tag of Ansible's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum YamlTag {
    /// None.
    #[default]
    Plain,
    /// `!unsafe`: the text is no template.
    Unsafe,
    /// `!vault`: the text is encrypted.
    Vault,
}

/// How a text was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum YamlStyle {
    /// Without quotes: may mean a number, a boolean or null.
    Plain,
    /// In quotes, or as a block: always a string.
    Text,
}

/// How a place in a text relates to a place in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum YamlLayout {
    /// One line, character by character.
    Line,
    /// Line by line, each at the column of `start`.
    Lines,
    /// Folded or with escapes: only the start is known.
    Loose,
}

/// A list with its place.
#[derive(Clone, Debug)]
pub(super) struct List {
    /// Its first item, or its bracket.
    pub(super) position: Position,
    /// The items.
    pub(super) items: Vec<Node>,
}

/// A map with its place.
#[derive(Clone, Debug)]
pub(super) struct Map {
    /// Its first key, or its brace.
    pub(super) position: Position,
    /// Keys and values; every key once.
    pub(super) entries: Vec<YamlEntry>,
    /// Keys that were there already.
    pub(super) duplicates: Vec<Duplicate>,
}

/// A key and its value.
#[derive(Clone, Debug)]
pub(super) struct YamlEntry {
    /// The key.
    pub(super) key: Scalar,
    /// The value.
    pub(super) value: Node,
}

/// A key that came again.
#[derive(Clone, Debug)]
pub(super) struct Duplicate {
    /// The second key.
    pub(super) key: Scalar,
    /// Its value.
    pub(super) value: Node,
    /// Where the first one stands.
    pub(super) first: Position,
}

impl Node {
    /// Where it starts.
    pub(super) fn position(&self) -> &Position {
        match self {
            Self::Scalar(scalar) => &scalar.position,
            Self::List(list) => &list.position,
            Self::Map(map) => &map.position,
            Self::Broken(position) => position,
        }
    }

    /// Whether it is left empty, or `null`.
    pub(super) fn is_null(&self) -> bool {
        match self {
            Self::Scalar(scalar) => scalar.is_null(),
            Self::List(_) | Self::Map(_) | Self::Broken(_) => false,
        }
    }

    /// Bytes that a copy of it takes, roughly.
    pub(super) fn weight(&self) -> usize {
        // What a key or value costs besides its text.
        const EACH: usize = 64;
        match self {
            Self::Scalar(scalar) => EACH + scalar.text.len(),
            Self::List(list) => EACH + list.items.iter().map(Self::weight).sum::<usize>(),
            Self::Map(map) => {
                EACH + map
                    .entries
                    .iter()
                    .map(|entry| entry.key.text.len() + entry.value.weight())
                    .sum::<usize>()
            }
            Self::Broken(_) => 0,
        }
    }
}

impl Scalar {
    /// Whether it is null by YAML's core schema (YAML 1.2.2, section 10.3.2).
    pub(super) fn is_null(&self) -> bool {
        self.style == YamlStyle::Plain && matches!(&*self.text, "" | "~" | "null" | "Null" | "NULL")
    }

    /// The place in the file of a place in the text, as near as it is known.
    ///
    /// `line` counts lines of the text from 1, `column` characters of that line from 1.
    pub(super) fn place(&self, line: u32, column: Option<u32>) -> Position {
        let mut place = self.start.clone();
        let right = column.unwrap_or(1).saturating_sub(1);
        match self.layout {
            YamlLayout::Line if line <= 1 => place.column = place.column.saturating_add(right),
            YamlLayout::Lines => {
                place.line = place.line.saturating_add(line.saturating_sub(1));
                place.column = place.column.saturating_add(right);
            }
            YamlLayout::Line | YamlLayout::Loose => {}
        }
        place
    }
}
