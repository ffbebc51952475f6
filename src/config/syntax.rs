//! What is wrong with text that is not YAML, in words that say what to do.

use std::sync::Arc;

use granit_parser::{ErrorKind, ScanError};

use crate::model::position::{Diagnostic, Position};

/// A document exceeds the limits of `compose`.
pub(super) const TOO_COMPLEX: &str = "YAML too complex (limit 64 levels / 250000 nodes)";

/// The first character that YAML does not allow in a file (YAML 1.2.2, section 5.1), if any.
pub(super) fn control_character(file: &Arc<str>, text: &str) -> Option<Diagnostic> {
    let refused = |c: char| {
        (c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}'))
            || matches!(c, '\u{fffe}' | '\u{ffff}')
    };
    if !text.contains(refused) {
        return None;
    }
    for (index, line) in text.split('\n').enumerate() {
        if let Some((column, c)) = line.chars().enumerate().find(|&(_, c)| refused(c)) {
            let code = u32::from(c);
            return Some(
                Diagnostic::at(
                    &position(file, index + 1, column),
                    format!("control character U+{code:04X} in the file"),
                )
                .help(format!("write \"\\u{code:04x}\" in double quotes if you mean it")),
            );
        }
    }
    None
}

/// Puts a parser's error into words.
pub(super) fn describe(file: &Arc<str>, text: &str, error: &ScanError) -> Diagnostic {
    let marker = error.marker();
    let line = text.split('\n').nth(marker.line().saturating_sub(1)).unwrap_or_default();
    if let Some(column) = indenting_tab(line) {
        return Diagnostic::at(
            &position(file, marker.line(), column),
            "tab used for indentation; use spaces",
        );
    }
    let at = position(file, marker.line(), marker.col());
    let (message, help) = words(error.kind());
    let diagnostic = Diagnostic::at(&at, message);
    let before = text.split('\n').nth(marker.line().saturating_sub(2)).unwrap_or_default();
    match help {
        _ if bare_template(line) || bare_template(before) => {
            diagnostic.help("quote a value that starts with {{: \"{{ x }}\"")
        }
        Some(_) if in_flow(error.kind()) && line.contains("{{") => {
            diagnostic.help("within [ ] and { }, quote text with {{")
        }
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    }
}

/// The column, from 0, of a tab before the first other character of a line.
fn indenting_tab(line: &str) -> Option<usize> {
    let indent = line.chars().take_while(|c| c.is_whitespace());
    indent.enumerate().find(|&(_, c)| c == '\t').map(|(column, _)| column)
}

/// Whether a value of this line starts with `{{` and lacks its quotes.
fn bare_template(line: &str) -> bool {
    line.match_indices("{{").any(|(at, _)| {
        let before = line.get(..at).unwrap_or_default();
        let lead = before.trim_end();
        before.len() > lead.len() && lead.ends_with([':', '-']) || lead.ends_with(['[', ','])
    })
}

/// Whether the parser stumbled within brackets or braces.
fn in_flow(kind: &ErrorKind) -> bool {
    matches!(kind, ErrorKind::ExpectedFlowSequenceSeparator | ErrorKind::ExpectedFlowMappingSeparator)
}

fn words(kind: &ErrorKind) -> (String, Option<&'static str>) {
    use ErrorKind as E;
    let (message, help) = match kind {
        E::RecursionLimitExceeded => (TOO_COMPLEX, None),
        E::TabNotAllowed
        | E::TabInBlockIndentation
        | E::TabInIndentation
        | E::TabAtBlockScalarStart
        | E::TabInPlainScalar => ("tab used for indentation; use spaces", None),
        E::UnclosedFlowCollection { open } => return (format!("\"{open}\" is not closed"), None),
        E::MismatchedFlowCollectionEnd { open, close } => {
            return (format!("\"{open}\" is closed by \"{close}\""), None);
        }
        E::UnexpectedEofFlowSequence | E::ExpectedFlowSequenceSeparator => (
            "expected \",\" or \"]\" in a list",
            Some("put names with brackets in quotes: [\"web[1-3]\", db1]"),
        ),
        E::UnexpectedEofFlowMapping
        | E::UnexpectedEofImplicitFlowMapping
        | E::ExpectedFlowMappingSeparator => (
            "expected \",\" or \"}\" in a map",
            Some("close the bracket above, and put texts with brackets, braces or commas in quotes"),
        ),
        E::MisplacedFlowCollectionEnd => ("closing bracket without an opening one", None),
        E::UnclosedQuotedScalar => ("the quote that starts here is not closed", None),
        E::InvalidTrailingSingleQuotedScalar | E::InvalidTrailingDoubleQuotedScalar => (
            "text after a closing quote",
            Some("quote the whole value; in '...' a quote is written twice, in \"...\" as \\\""),
        ),
        E::UnknownQuotedScalarEscape => {
            ("unknown escape in double quotes", Some("write \\\\ for a backslash, or use single quotes"))
        }
        E::InvalidQuotedScalarHexEscape
        | E::InvalidLowSurrogateHexEscape
        | E::InvalidLowSurrogate
        | E::MissingLowSurrogate
        | E::UnpairedLowSurrogate
        | E::InvalidUnicodeEscape => ("not a Unicode escape", Some("write \\xNN or \\uNNNN in hexadecimal")),
        E::SimpleKeyExpected | E::InvalidSimpleKey => {
            ("expected a key and \":\" here", Some("is \": \" missing on this line?"))
        }
        E::MappingValueNotAllowed | E::InvalidColonPlacement => (
            "\": \" is not allowed here",
            Some("quote the whole value or write it as a block with |; or the line above lacks its \":\""),
        ),
        E::InvalidQuotedScalarIndent => (
            "a quote that was opened above is not closed",
            Some("close it, or indent its continuation lines"),
        ),
        E::ExpectedBlockMappingKey
        | E::MappingKeyNotAllowed
        | E::ExpectedBlockSequenceEntry
        | E::BlockSequenceEntryNotAllowed
        | E::BlockEntryInFlowCollection
        | E::InvalidIndentation
        | E::InvalidBlockScalarIndent
        | E::InvalidFlowScalarIndent => {
            ("unexpected here", Some("keys of a map must align, and so must the items (\"- \") of a list"))
        }
        E::UnexpectedCharacter { character } => {
            return (format!("a value cannot start with {character:?}"), Some("put the value in quotes"));
        }
        E::ExpectedDocumentStart => {
            ("unexpected text after the end of the document", Some("keys of a map must align"))
        }
        E::UndeclaredTagHandle
        | E::InvalidTagTerminator
        | E::MissingTagUri
        | E::UnclosedVerbatimTag
        | E::ExpectedTagBang
        | E::InvalidGlobalTagCharacter => {
            ("tags are not supported", Some("put a text that starts with ! in quotes"))
        }
        E::MissingAnchorOrAliasName => {
            ("the name of an anchor is missing", Some("put a text that starts with * or & in quotes"))
        }
        E::CommentNotSeparated => ("a comment needs a space before its #", None),
        E::CommentInterceptedScalar => {
            ("a comment cuts this text in two", Some("put the text in quotes, or write it as a block with |"))
        }
        E::InvalidBlockScalarHeader | E::ZeroBlockScalarIndent => {
            ("the text of a block starts on the line after its | or >", None)
        }
        E::BomInsideDocument => ("a byte order mark within the file", None),
        E::UnexpectedEof | E::ExpectedNodeContent => ("a value is missing here", None),
        // The library's list is open; the place says most of it.
        _ => ("this is not valid YAML", Some("put texts with special characters in quotes")),
    };
    (message.to_owned(), help)
}

/// A position from a line that counts from 1 and a column that counts from 0.
pub(super) fn position(file: &Arc<str>, line: usize, column: usize) -> Position {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Position::new(file.clone(), count(line).max(1), count(column).saturating_add(1))
}
