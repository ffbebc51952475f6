//! Where a walk over a script is: what is open, what is in doubt, what has been written.

use crate::model::template::item::{Hole, ScriptItem};
use crate::model::template::lexer::seen::Trace;

/// A construct that is open, with its own rules inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// Commands: the script itself (no depth), or `$(...)` with the count of its inner parentheses.
    Commands {
        /// Parentheses open inside `$(...)`.
        depth: Option<u32>,
    },
    /// `"..."`
    Double,
    /// The body of a heredoc whose delimiter is not quoted.
    Heredoc {
        /// Whether it began with `<<-`.
        strips_tabs: bool,
    },
    /// `` `...` ``
    Backticks,
    /// `${...}`, perhaps inside double quotes or a heredoc.
    Braces {
        /// Whether it stands inside double quotes or a heredoc.
        quoted: bool,
    },
    /// `$((...))` or `((...))`.
    Arithmetic {
        /// Parentheses open, the first two included.
        depth: u32,
        /// Whether it began without `$`, as shells without that command read two subshells.
        command: bool,
    },
}

/// A construct after which shells may disagree about where they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LexerDoubt {
    /// `case` inside `$(...)`: its `)` ends the substitution for shells that count parentheses (bash 3).
    CaseInSubstitution,
    /// A comment with quotes or parentheses inside `$(...)`: bash 3 reads them.
    CommentInSubstitution,
    /// A heredoc inside `$(...)` with a quote or a parenthesis that has no other: bash 3 reads them.
    QuotesInInnerHeredoc,
    /// Quotes or braces inside `${...}` inside double quotes.
    QuotesInBraces,
    /// `\'` inside `$'...'`: the end of it for dash.
    EscapedAnsiQuote,
    /// `$[`: arithmetic for bash and zsh only.
    SquareArithmetic,
    /// `${ `: a command for ksh, new bash and zsh.
    BraceCommand,
    /// `((` that does not end in `))`, or with quotes, comments, heredocs or newlines inside.
    OddArithmetic,
    /// An operator split by a backslash at the end of the line.
    SplitOperator,
    /// A `#` that begins a comment for some shells only.
    OddComment,
    /// An operator inside `x=(...)`: an error that bash survives.
    OperatorInArray,
    /// A heredoc that never ends, or whose delimiter is computed or split.
    OddHeredoc,
}

impl LexerDoubt {
    pub(super) fn what(self) -> &'static str {
        match self {
            Self::CaseInSubstitution => "\"case\" inside $(...)",
            Self::CommentInSubstitution => "a comment with quotes or parentheses inside $(...)",
            Self::QuotesInInnerHeredoc => "a heredoc with quotes or parentheses inside $(...)",
            Self::QuotesInBraces => "quotes or braces inside \"${...}\"",
            Self::EscapedAnsiQuote => "\\' inside $'...'",
            Self::SquareArithmetic => "$[",
            Self::BraceCommand => "\"${ \"",
            Self::OddArithmetic => "\"((\" that is more than arithmetic",
            Self::SplitOperator => "an operator split at the end of a line",
            Self::OddComment => "a comment next to a redirection or inside parentheses",
            Self::OperatorInArray => "an operator inside name=(...)",
            Self::OddHeredoc => "a heredoc whose end is unclear",
        }
    }
}

pub(super) struct Lexer<'a> {
    /// The script with its marks.
    pub(super) src: &'a [u8],
    /// Next byte to read.
    pub(super) at: usize,
    /// Where reading stops: the end of the script, or of the heredoc's body that is being read.
    pub(super) limit: usize,
    /// The script so far.
    pub(super) out: Vec<u8>,
    pub(super) items: &'a [ScriptItem],
    /// What is open, innermost last; never empty.
    pub(super) frames: Vec<Frame>,
    /// Whether the byte before belongs to a word, in commands.
    pub(super) in_word: bool,
    /// Whether `$name` stands right before: text that follows would become part of it.
    pub(super) after_name: bool,
    /// How much is open around a subscript that is open: `$[`, or what zsh takes for one behind `$name`.
    pub(super) subscript: Option<usize>,
    /// Parentheses open since one that stands right behind a word: zsh may take what is inside for a pattern.
    pub(super) glued: u32,
    /// How much is open around `x=(...)`, while the walk is inside.
    pub(super) array: Option<usize>,
    /// Heredocs whose bodies begin after this line.
    pub(super) pending: Vec<Heredoc>,
    /// Set once shells may be elsewhere than this lexer.
    pub(super) doubt: Option<LexerDoubt>,
    /// Where values were written (offset in `out`, index), for the check of heredocs.
    pub(super) written: Vec<(usize, usize)>,
    /// Where files belong that are not known yet.
    pub(super) holes: Vec<Hole>,
    /// What was seen, if recorded.
    pub(super) trace: Option<Trace>,
}

/// A heredoc whose body has not begun.
#[derive(Clone, Debug)]
pub(super) struct Heredoc {
    /// The line that ends it.
    pub(super) delimiter: Vec<u8>,
    /// Whether the delimiter was quoted: nothing in the body is expanded.
    pub(super) literal: bool,
    /// Whether it began with `<<-`: tabs at the start of lines are dropped.
    pub(super) strips_tabs: bool,
    /// How much was open where it began; its body must begin on the same level.
    pub(super) level: usize,
}

/// A value at a place that takes one text.
pub(super) struct ValueMark {
    /// Its index.
    pub item: usize,
    /// Its text.
    pub word: String,
}

/// What the constructs that are open allow.
pub(super) enum QuotePlace {
    /// A word of a command.
    Bare,
    /// Inside double quotes.
    Double,
    /// In the body of a heredoc that is expanded.
    Heredoc { strips_tabs: bool },
    /// Only values that need no quoting.
    Plain { place: String, help: &'static str },
}
