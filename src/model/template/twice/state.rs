//! What is known of a script while its commands are judged, and the refusal of a value.

use std::collections::{HashMap, HashSet};

use crate::model::template::item::ScriptItem;
use crate::model::template::lexer::seen::{Trace, ValueRefusal};
use crate::model::template::problem::{ValueProblem, Wants};
use crate::model::template::twice::held::{HeldValues, KeptValue};
use crate::model::template::twice::words::{Quotes, Word, WordPart};
use crate::model::template::words::WordPiece;

/// Walks over a script that has no marks; `None` where it is in doubt.
pub(in crate::model::template) type ScriptWalk = fn(&str) -> Option<Trace>;

/// What is known of the variables of a script at a place of it.
#[derive(Default)]
pub(super) struct TwiceJudge<'a> {
    pub(super) items: &'a [ScriptItem],
    /// For the scripts in a script.
    pub(super) walk: Option<ScriptWalk>,
    /// How many scripts this one is in.
    pub(super) nested: usize,
    /// Variables that the programs which it starts have as well.
    pub(super) exported: HashSet<String>,
    /// Variables that hold numbers: what they are given is calculated.
    pub(super) counted: HashSet<String>,
    /// Arrays whose subscripts are texts.
    pub(super) keyed: HashSet<String>,
    /// Variables that hold values which are no numbers.
    pub(super) held: HeldValues,
    /// What variables hold that may be the beginning of a command.
    pub(super) lines: HashMap<String, Vec<Vec<Word>>>,
    /// The functions of the script.
    pub(super) functions: Vec<String>,
    /// The one that the command is in.
    pub(super) within: Option<String>,
    /// Whether the command runs in any case, as far as its own operator says.
    pub(super) is_conditional: bool,
    /// How many blocks are open.
    pub(super) depth: usize,
    /// What loops and groups read.
    pub(super) input: Vec<KeptValue>,
}

/// The refusal of a value for its place.
pub(in crate::model::template) fn refuse(item: usize, place: &str, wants: Wants) -> ValueRefusal {
    ValueRefusal { item, problem: ValueProblem::Evaluated { place: place.to_owned(), wants } }
}

/// The values of a word outside quotes.
pub(super) fn bare(word: &Word) -> HashSet<usize> {
    let bare = |part: &WordPart| match part {
        WordPart::Value(index, Quotes::None) => Some(*index),
        WordPart::Value(..) | WordPart::Char(..) | WordPart::Expansion(_) => None,
    };
    word.0.iter().filter_map(bare).collect()
}

/// A word as the program gets it, for a reading by another one.
pub(super) fn pieces(word: &Word) -> Vec<WordPiece> {
    let piece = |part: &WordPart| match part {
        WordPart::Char(c, _) => WordPiece::Char(*c),
        WordPart::Value(index, _) => WordPiece::Value(*index),
        WordPart::Expansion(_) => WordPiece::Expansion,
    };
    word.0.iter().map(piece).collect()
}

/// Whether a text is a number wherever a shell calculates: one that begins with 0 is octal.
pub(in crate::model::template) fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    all_digits(whole) && all_digits(part) && (whole == "0" || !whole.starts_with('0'))
}
