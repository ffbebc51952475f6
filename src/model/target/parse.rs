//! The syntax of target expressions: text to items, each pattern read and each glob compiled once.
//!
//! Knows no hosts. `,` binds least; `&` and `!` bind tighter, from left to right; a `!` before a whole item takes
//! it away from the union of the other items. Within `[]` and `{}` none of them has a meaning.

use std::borrow::Cow;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use crate::model::name::hidden_character;
use crate::model::range::{self, CidrBlock, PatternError, parse_ip, width};
use crate::model::target::outsider::{self, OutsiderLogin};

/// Globs that one pattern may expand to: each costs a piece of an automaton.
const MAX_GLOBS: usize = 1000;

/// How deep braces may nest; `globset` recurses on them.
const MAX_DEPTH: usize = 8;

/// Bytes of one glob.
const MAX_GLOB: usize = 4096;

/// One part between commas.
#[derive(Debug)]
pub(super) struct TargetItem {
    /// Written with a `!` in front: its hosts are taken away from the union.
    pub(super) negated: bool,
    /// The pattern that it begins with.
    pub(super) first: Atom,
    /// What is done to the hosts of `first`, in order.
    pub(super) rest: Vec<(TargetOperator, Atom)>,
}

/// What stands between two patterns of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TargetOperator {
    /// `&`: keeps what both have.
    And,
    /// `!`: keeps what the right one does not have.
    Without,
}

/// One pattern.
#[derive(Debug)]
pub(super) struct Atom {
    /// As written.
    pub(super) text: String,
    /// Character of the expression at which it begins, from 1.
    pub(super) column: u32,
    /// What it says.
    pub(super) pattern: TargetPattern,
}

#[derive(Debug)]
pub(super) enum TargetPattern {
    /// `all`.
    All,
    /// `@role`, without the `@`.
    Role(String),
    /// `^FILE`, without the `^`.
    List(String),
    /// A CIDR block.
    Block(CidrBlock),
    /// Names with `*`, `?` or braces.
    Glob(GlobSet),
    /// Names and addresses, all of which must exist or be allowed as outsiders.
    Names {
        /// The user and port written beside them.
        login: OutsiderLogin,
        /// A pattern for [`range::expand`], found to be a good one.
        names: String,
    },
}

/// The part of an expression that may be shown: all of it, or what stands before a password.
pub(super) fn presentable(expression: &str) -> &str {
    let end = password_at(expression).unwrap_or(expression.len());
    expression.get(..end).unwrap_or_default()
}

/// The name of a role as expressions have it behind the `@`: in quotes when it could be read as something else.
pub fn role_spelled(name: &str) -> Cow<'_, str> {
    let is_odd = |c: char| c.is_whitespace() || ",&!^[]{}\"'()*?\\$`;<>|#".contains(c);
    if name.contains(is_odd) { Cow::Owned(format!("\"{name}\"")) } else { Cow::Borrowed(name) }
}

/// Reads an expression; or everything that is wrong with it. `limit` bounds the names of one range.
pub(super) fn parse(expression: &str, limit: usize) -> Result<Vec<TargetItem>, Vec<PatternError>> {
    // A folded YAML string has line breaks where its author saw spaces.
    let one_line = expression.replace(['\n', '\r', '\t'], " ");
    if let Some(hidden) = hidden_character(&one_line) {
        let before = one_line.split(hidden).next().unwrap_or_default();
        let column = width(before).saturating_add(1);
        let message = format!("control character U+{:04X} in target", u32::from(hidden));
        return Err(vec![PatternError::at(column, message)]);
    }
    if let Some(at) = password_at(expression) {
        let column = width(expression.get(..at).unwrap_or_default()).saturating_add(1);
        return Err(vec![
            PatternError::at(column, "a target cannot hold a password")
                .help("write user@host; anyone on the machine can see a command line"),
        ]);
    }
    let tokens = tokens(expression).map_err(|error| vec![error])?;
    let mut errors = Vec::new();
    let mut items = Vec::new();
    // A closing comma makes sure that the last item is finished.
    let end = width(expression.trim_end()).saturating_add(1);
    let mut part: Vec<TargetToken<'_>> = Vec::new();
    for token in tokens.into_iter().chain([TargetToken { kind: TargetTokenKind::Comma, column: end }]) {
        match token.kind {
            TargetTokenKind::Comma => {
                match item(&part, token.column, limit) {
                    Ok(item) => items.push(item),
                    Err(found) => errors.extend(found),
                }
                part.clear();
            }
            TargetTokenKind::And | TargetTokenKind::Not | TargetTokenKind::Text(_) => part.push(token),
        }
    }
    if errors.is_empty() { Ok(items) } else { Err(errors) }
}

#[derive(Clone, Copy)]
struct TargetToken<'a> {
    kind: TargetTokenKind<'a>,
    column: u32,
}

#[derive(Clone, Copy)]
enum TargetTokenKind<'a> {
    Comma,
    And,
    Not,
    Text(&'a str),
}

fn tokens(expression: &str) -> Result<Vec<TargetToken<'_>>, PatternError> {
    let mut tokens = Vec::new();
    let mut open: Vec<(char, u32)> = Vec::new();
    let mut start = (0, 1_u32);
    let mut column = 0_u32;
    for (at, c) in expression.char_indices() {
        column = column.saturating_add(1);
        let kind = match (c, open.last()) {
            // A name in quotes may hold anything but a quote.
            ('"', Some(('"', _))) => {
                open.pop();
                continue;
            }
            (_, Some(('"', _))) => continue,
            ('"', None) if expression.get(..at).is_some_and(|before| before.ends_with('@')) => {
                open.push((c, column));
                continue;
            }
            // Within a range nothing but its end counts.
            ('[', Some(('[', _))) => return Err(PatternError::at(column, "\"[\" inside a range")),
            (']', Some(('[', _))) | ('}', Some(('{', _))) => {
                open.pop();
                continue;
            }
            (_, Some(('[', _))) => continue,
            ('[' | '{', _) if open.len() < MAX_DEPTH => {
                open.push((c, column));
                continue;
            }
            ('[' | '{', _) => return Err(PatternError::at(column, "braces are nested too deep")),
            (']', _) => return Err(PatternError::at(column, "\"]\" without \"[\"")),
            ('}', _) => return Err(PatternError::at(column, "\"}\" without \"{\"")),
            (',', None) => TargetTokenKind::Comma,
            ('&', None) => TargetTokenKind::And,
            ('!', None) => TargetTokenKind::Not,
            _ => continue,
        };
        tokens.extend(text(expression, start, at));
        tokens.push(TargetToken { kind, column });
        start = (at + c.len_utf8(), column.saturating_add(1));
    }
    if let Some((c, column)) = open.last() {
        return Err(PatternError::at(*column, format!("unclosed \"{c}\"")));
    }
    tokens.extend(text(expression, start, expression.len()));
    Ok(tokens)
}

/// The text from `start` (byte and column) to the byte `end`, without the spaces around it; nothing if empty.
fn text(expression: &str, start: (usize, u32), end: usize) -> Option<TargetToken<'_>> {
    let padded = expression.get(start.0..end)?;
    let text = padded.trim();
    let column = start.1.saturating_add(width(padded).saturating_sub(width(padded.trim_start())));
    (!text.is_empty()).then_some(TargetToken { kind: TargetTokenKind::Text(text), column })
}

fn item(part: &[TargetToken<'_>], end: u32, limit: usize) -> Result<TargetItem, Vec<PatternError>> {
    let mut errors = Vec::new();
    let mut atoms: Vec<(Option<TargetOperator>, Atom)> = Vec::new();
    let mut operator = None;
    let mut negated = false;
    let missing = |column, before: &str| {
        let error = PatternError::at(column, "a target is missing here");
        match before {
            "&" => error.help("\"&\" stands between two targets: @web&@prod"),
            _ => error.help("write a host, @role, a glob, or all"),
        }
    };
    for (index, token) in part.iter().enumerate() {
        match token.kind {
            TargetTokenKind::Text(text) => {
                match pattern(text, limit) {
                    Ok(pattern) => {
                        atoms.push((operator, Atom { text: text.to_owned(), column: token.column, pattern }));
                    }
                    Err(error) => errors.push(error.within(token.column)),
                }
                operator = None;
            }
            TargetTokenKind::Not if index == 0 => negated = true,
            // `a&!b` says the same as `a!b`; users of Ansible write it so.
            TargetTokenKind::Not
                if operator != Some(TargetOperator::Without) && index > usize::from(negated) =>
            {
                operator = Some(TargetOperator::Without);
            }
            TargetTokenKind::And if operator.is_none() && index > usize::from(negated) => {
                operator = Some(TargetOperator::And)
            }
            TargetTokenKind::Not => return Err(vec![missing(token.column, "!")]),
            TargetTokenKind::And => return Err(vec![missing(token.column, "&")]),
            TargetTokenKind::Comma => {}
        }
    }
    if operator.is_some() || part.len() == usize::from(negated) {
        errors.push(missing(end, ""));
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let mut atoms = atoms.into_iter();
    match atoms.next() {
        Some((_, first)) => {
            let rest =
                atoms.map(|(operator, atom)| (operator.unwrap_or(TargetOperator::And), atom)).collect();
            Ok(TargetItem { negated, first, rest })
        }
        None => Err(vec![missing(end, "")]),
    }
}

/// Reads one pattern; columns of errors count from its start.
fn pattern(text: &str, limit: usize) -> Result<TargetPattern, PatternError> {
    if let Some((before, _)) = text.split_once("://") {
        let (column, message) = (1, format!("\"{before}://\" in a target"));
        return Err(PatternError::at(column, message).help("write user@host:port"));
    }
    if let Some(role) = text.strip_prefix('@') {
        let role = role.trim();
        let role = role.strip_prefix('"').map_or(role, |quoted| quoted.strip_suffix('"').unwrap_or(quoted));
        if role.is_empty() {
            return Err(PatternError::at(1, "no role after \"@\""));
        }
        return Ok(TargetPattern::Role(role.to_owned()));
    }
    if let Some(file) = text.strip_prefix('^') {
        let file = file.trim();
        if file.is_empty() {
            return Err(
                PatternError::at(1, "no file after \"^\"").help("^FILE is a file of hosts, a line each")
            );
        }
        return Ok(TargetPattern::List(file.to_owned()));
    }
    if text == "all" {
        return Ok(TargetPattern::All);
    }
    if let Some((before, _)) = outside_of_ranges(text).find(|(_, c)| c.is_whitespace()) {
        let column = width(text.get(..before).unwrap_or_default()).saturating_add(1);
        return Err(PatternError::at(column, "space in a target").help("put a comma between targets"));
    }
    if let Some((before, _)) = text.split_once('\\') {
        let column = width(before).saturating_add(1);
        // A domain user is the only good reason for a backslash.
        if !text.contains('@') {
            return Err(PatternError::at(column, "\"\\\" in a target"));
        }
    }
    if outside_of_ranges(text).any(|(_, c)| matches!(c, '*' | '?' | '{' | '}')) {
        return glob(text);
    }
    let (login, names, start) = outsider::take_apart(text)?;
    // With a user or a port a block is a way to write addresses; alone it describes hosts of the inventory.
    if login.is_empty() && names.contains('/') && !names.contains('[') {
        return CidrBlock::parse(names).map(TargetPattern::Block);
    }
    let count = range::count(names).map_err(|error| error.within(start))?;
    if usize::try_from(count).map_or(true, |count| count > limit) {
        return Err(range::over_limit(count, limit).within(start));
    }
    Ok(TargetPattern::Names { login, names: names.to_owned() })
}

fn glob(text: &str) -> Result<TargetPattern, PatternError> {
    if outside_of_ranges(text).any(|(_, c)| matches!(c, '@' | ':' | '/')) {
        let message = "a glob with a user, a port or a block";
        return Err(PatternError::at(1, message).help("globs match names of the inventory; -u sets the user"));
    }
    if text.len() > MAX_GLOB {
        return Err(PatternError::at(1, format!("glob of over {MAX_GLOB} characters")));
    }
    let mut globs = GlobSetBuilder::new();
    let broken =
        |error: globset::Error| PatternError::at(1, format!("\"{text}\" is not a glob: {}", error.kind()));
    for expanded in range::expand(text, MAX_GLOBS)? {
        let glob = GlobBuilder::new(&expanded)
            .literal_separator(false)
            .backslash_escape(false)
            .empty_alternates(true)
            .build()
            .map_err(broken)?;
        globs.add(glob);
    }
    globs.build().map(TargetPattern::Glob).map_err(broken)
}

/// The characters of a text that stand in no `[]`, with their byte offsets.
fn outside_of_ranges(text: &str) -> impl Iterator<Item = (usize, char)> {
    let mut depth = 0_i32;
    text.char_indices().filter(move |(_, c)| {
        let before = depth;
        // The text may begin within a range, and its end is then no reason to stop looking.
        depth = (depth + i32::from(*c == '[') - i32::from(*c == ']')).max(0);
        before == 0 && depth == 0
    })
}

/// The byte after the `:` of something like `user:password@host`.
///
/// Looks at the raw text: a password may hold any character, also the operators. A `:` begins a password when an
/// `@` follows, unless digits alone stand between it and the next operator (a port), or it is part of an IPv6
/// address or of a range.
fn password_at(expression: &str) -> Option<usize> {
    if let Some((before, after)) = expression.split_once("://")
        && after.contains('@')
    {
        // Refused as a whole; whatever stands where the user does stays unseen.
        return Some(before.len() + "://".len());
    }
    let operator = |c: char| matches!(c, ',' | '&' | '!');
    let last = expression.rfind('@')?;
    let mut from = 0;
    loop {
        let at = from + outside_of_ranges(expression.get(from..)?).find(|(_, c)| *c == ':')?.0;
        if at > last {
            return None;
        }
        let (before, after) = (expression.get(..at)?, expression.get(at + 1..)?);
        let end = after.find(operator).unwrap_or(after.len());
        let start = before.rfind(operator).map_or(0, |at| at + 1);
        let part = expression.get(start..at + 1 + end)?.trim();
        let value = after.get(..end)?.trim_end();
        let port = end < after.len() && !value.is_empty() && value.chars().all(|c| c.is_ascii_digit());
        let login_given = before.get(start..)?.contains('@');
        let address = part.split_once('/').map_or(part, |(address, _)| address);
        let lone = !port && !login_given && parse_ip(address).is_none();
        // Two `@` in one part, as in `user@REALM:password@host`.
        if lone || value.contains('@') {
            return Some(at + 1);
        }
        from = at + 1 + end;
    }
}
