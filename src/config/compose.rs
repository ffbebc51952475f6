//! From YAML's events to one tree of [`Node`]s: aliases followed, merge keys applied, everything bounded.
//!
//! Built on the events of `granit-parser` and not on a serde mapping, which stops at the first error and
//! forgets the literal text, the tags and the places of keys. Works without recursion, so that depth costs
//! no stack. What is wrong with the document is noted; a tree comes back wherever reading on makes sense.
//!
//! Refuses: tags, a second document, keys that are no text, control characters, and whatever exceeds
//! [`MAX_DEPTH`], [`MAX_NODES`] or [`MAX_ALIAS_BYTES`].

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use granit_parser::{Event, Marker, Parser, ScalarStyle, Span, StructureStyle, Tag, options};

use crate::config::fields::quote;
use crate::config::findings::Findings;
use crate::config::syntax;
use crate::config::syntax::position;
use crate::config::yaml::{Duplicate, List, Map, Node, Scalar, YamlEntry, YamlLayout, YamlStyle, YamlTag};
use crate::model::position::Position;

/// Levels of lists and maps within each other.
pub(super) const MAX_DEPTH: usize = 64;
/// Keys and values of a document, those repeated by aliases included.
pub(super) const MAX_NODES: usize = 250_000;
/// The same of an inventory, which may have a hundred thousand hosts with ten variables each.
pub(super) const MAX_NODES_OF_HOSTS: usize = 3_000_000;
/// Bytes of text that aliases may repeat.
const MAX_ALIAS_BYTES: usize = 8 * 1024 * 1024;

/// Composes the only document of a text. `None`: it is empty, or an error that was noted ends the reading.
pub(super) fn compose(file: &Arc<str>, text: &str, findings: &mut Findings) -> Option<Node> {
    compose_as(YamlDialect::Own, file, text, findings)
}

/// Whose file it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum YamlDialect {
    /// fan's: without tags.
    Own,
    /// An inventory of fan's: the same, and large.
    OwnHosts,
    /// Ansible's, with `!vault` and `!unsafe`.
    Ansible,
}

/// Composes as [`compose`] does, a file of someone's.
pub(super) fn compose_as(
    dialect: YamlDialect,
    file: &Arc<str>,
    text: &str,
    findings: &mut Findings,
) -> Option<Node> {
    if let Some(error) = syntax::control_character(file, text) {
        findings.push(error);
        return None;
    }
    let options = options! {
        emit_unresolved_aliases: true,
        emit_comments: false,
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
    };
    let mut composer = Composer {
        dialect,
        file,
        text,
        findings,
        stack: Vec::new(),
        root: None,
        anchors: HashMap::new(),
        documents: 0,
        nodes: 0,
        copies: 0,
        repeated: 0,
    };
    for event in Parser::new_from_str_with_options(text, options) {
        let step = match event {
            Ok((event, span)) => composer.event(event, span),
            Err(error) => {
                composer.findings.push(syntax::describe(file, text, &error));
                Err(ComposeStop)
            }
        };
        if step.is_err() {
            return None;
        }
    }
    composer.root
}

/// The rest of the document is not read.
struct ComposeStop;

/// How large a node is with all that is in it.
#[derive(Clone, Copy)]
struct ComposeSize {
    nodes: usize,
    /// Of text.
    bytes: usize,
    /// Levels.
    height: usize,
}

impl ComposeSize {
    /// A node without content.
    const ONE: Self = Self { nodes: 1, bytes: 0, height: 1 };

    /// Takes in one of its parts.
    fn add(&mut self, part: Self) {
        self.nodes = self.nodes.saturating_add(part.nodes);
        self.bytes = self.bytes.saturating_add(part.bytes);
        self.height = self.height.max(part.height + 1);
    }
}

/// A node that aliases may repeat.
struct Anchored {
    node: Node,
    size: ComposeSize,
}

/// A list or map that is still open.
struct ComposeFrame {
    position: Position,
    /// Byte of the file at which it starts.
    offset: usize,
    anchor: usize,
    size: ComposeSize,
    tagged: bool,
    body: ComposeBody,
}

enum ComposeBody {
    List(Vec<Node>),
    Map(OpenMap),
}

#[derive(Default)]
struct OpenMap {
    flow: bool,
    entries: Vec<YamlEntry>,
    merges: Vec<(Position, Node)>,
    slot: Option<Slot>,
    /// It turned out to be a template that lacks its quotes: `{{ name }}`.
    template: bool,
}

/// A key that waits for its value.
enum Slot {
    Key(Scalar),
    Merge(Position),
    /// Not a usable key, as was noted.
    Dropped,
}

struct Composer<'c> {
    dialect: YamlDialect,
    file: &'c Arc<str>,
    text: &'c str,
    findings: &'c mut Findings,
    stack: Vec<ComposeFrame>,
    root: Option<Node>,
    /// By the parser's numbers for anchors.
    anchors: HashMap<usize, Anchored>,
    documents: usize,
    /// Nodes made so far, copies included.
    nodes: usize,
    /// Copies made so far.
    copies: usize,
    /// Bytes of text that aliases repeated so far.
    repeated: usize,
}

impl Composer<'_> {
    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), ComposeStop> {
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    let at = self.position(&span.start);
                    self.findings.error_help(
                        &at,
                        "more than one YAML document",
                        "remove the line \"---\" or put what follows into a file of its own",
                    );
                    return Err(ComposeStop);
                }
                Ok(())
            }
            Event::Scalar(text, style, anchor, tag) => {
                let mut scalar = self.scalar(&text, style, &span);
                self.spend(1, 0, &scalar.position)?;
                let size = ComposeSize { bytes: text.len(), ..ComposeSize::ONE };
                let known = tag.as_deref().and_then(|tag| self.known_tag(tag));
                scalar.tag = known.unwrap_or_default();
                let tagged = known.is_none() && self.refuse_tag(tag.as_deref(), &span);
                let node = if tagged { Node::Broken(scalar.position) } else { Node::Scalar(scalar) };
                self.remember(anchor, &node, size)?;
                self.place(node, size);
                Ok(())
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.open(ComposeBody::List(Vec::new()), anchor, tag.as_deref(), &span)
            }
            Event::MappingStart(style, anchor, tag) => {
                let map = OpenMap { flow: style == StructureStyle::Flow, ..OpenMap::default() };
                self.open(ComposeBody::Map(map), anchor, tag.as_deref(), &span)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(&span),
            Event::Alias(id) => self.alias(id, &span),
            Event::UnresolvedAlias(name) => {
                let at = self.position(&span.start);
                self.findings.error_help(
                    &at,
                    format!("unknown anchor {}", quote(&name)),
                    format!("define it first with &{name}, or quote text that starts with *"),
                );
                self.spend(1, 0, &at)?;
                self.place(Node::Broken(at), ComposeSize::ONE);
                Ok(())
            }
            // The enum may grow; these and comments carry no content.
            _ => Ok(()),
        }
    }

    fn open(
        &mut self,
        body: ComposeBody,
        anchor: usize,
        tag: Option<&Tag>,
        span: &Span,
    ) -> Result<(), ComposeStop> {
        let position = self.position(&span.start);
        self.spend(1, 0, &position)?;
        if self.stack.len() >= MAX_DEPTH {
            return self.too_complex(&position);
        }
        let tagged = self.refuse_tag(tag, span);
        let offset = span.start.byte_offset().unwrap_or(usize::MAX);
        self.stack.push(ComposeFrame { position, offset, anchor, size: ComposeSize::ONE, tagged, body });
        Ok(())
    }

    fn close(&mut self, span: &Span) -> Result<(), ComposeStop> {
        let Some(frame) = self.stack.pop() else { return Ok(()) };
        let position = frame.position;
        let node = match frame.body {
            ComposeBody::Map(map) if map.template => {
                self.unquoted_template(&position, frame.offset, span);
                Node::Broken(position)
            }
            _ if frame.tagged => Node::Broken(position),
            ComposeBody::List(items) => Node::List(List { position, items }),
            ComposeBody::Map(map) => Node::Map(self.close_map(position, map)),
        };
        self.remember(frame.anchor, &node, frame.size)?;
        self.place(node, frame.size);
        Ok(())
    }

    /// Sorts out duplicate keys and applies `<<`: what the map says itself wins, then the earlier source.
    fn close_map(&mut self, position: Position, open: OpenMap) -> Map {
        let mut map =
            Map { position, entries: Vec::with_capacity(open.entries.len()), duplicates: Vec::new() };
        let mut seen: HashMap<Arc<str>, Position> = HashMap::new();
        // Most maps have a few fields: looking at each of them is cheaper than hashing.
        let few = open.entries.len() <= 12;
        for entry in open.entries {
            let first = if few {
                let same = map.entries.iter().find(|known| known.key.text == entry.key.text);
                same.map(|known| known.key.position.clone())
            } else {
                let first = seen.get(&entry.key.text).cloned();
                if first.is_none() {
                    seen.insert(entry.key.text.clone(), entry.key.position.clone());
                }
                first
            };
            match first {
                Some(first) => map.duplicates.push(Duplicate { key: entry.key, value: entry.value, first }),
                None => map.entries.push(entry),
            }
        }
        if open.merges.is_empty() {
            return map;
        }
        let mut keys: HashSet<Arc<str>> = map.entries.iter().map(|entry| entry.key.text.clone()).collect();
        for (index, (at, source)) in open.merges.into_iter().enumerate() {
            if index > 0 {
                self.findings.error_help(&at, "duplicate key \"<<\"", "write <<: [*first, *second]");
                continue;
            }
            let sources = match source {
                Node::List(list) => list.items,
                Node::Map(_) | Node::Scalar(_) | Node::Broken(_) => vec![source],
            };
            for source in sources {
                match source {
                    Node::Map(from) => map
                        .entries
                        .extend(from.entries.into_iter().filter(|entry| keys.insert(entry.key.text.clone()))),
                    Node::Broken(_) => {}
                    Node::Scalar(_) | Node::List(_) => {
                        self.findings.error(source.position(), "\"<<\" takes a map or a list of maps");
                    }
                }
            }
        }
        map
    }

    /// Puts a finished node where it belongs: into the innermost open list or map, or at the root.
    fn place(&mut self, mut node: Node, size: ComposeSize) {
        let Some(frame) = self.stack.last_mut() else {
            self.root = Some(node);
            return;
        };
        frame.size.add(size);
        let map = match &mut frame.body {
            ComposeBody::List(items) => return items.push(node),
            ComposeBody::Map(map) => map,
        };
        match map.slot.take() {
            Some(Slot::Key(key)) => {
                // An empty value has no place of its own.
                if let Node::Scalar(scalar) = &mut node
                    && scalar.is_null()
                    && scalar.text.is_empty()
                {
                    scalar.position = key.position.clone();
                }
                map.entries.push(YamlEntry { key, value: node });
            }
            Some(Slot::Merge(at)) => map.merges.push((at, node)),
            Some(Slot::Dropped) => {}
            None => {
                map.slot = Some(match node {
                    Node::Scalar(key) if key.style == YamlStyle::Plain && &*key.text == "<<" => {
                        Slot::Merge(key.position)
                    }
                    Node::Scalar(key) => Slot::Key(key),
                    Node::Broken(_) => Slot::Dropped,
                    Node::Map(inner) if map.flow && follows(&frame.position, &inner.position) => {
                        map.template = true;
                        Slot::Dropped
                    }
                    Node::List(_) | Node::Map(_) => {
                        self.findings.error(node.position(), "a key must be text, not a list or a map");
                        Slot::Dropped
                    }
                });
            }
        }
    }

    fn alias(&mut self, id: usize, span: &Span) -> Result<(), ComposeStop> {
        let at = self.position(&span.start);
        let Some(anchored) = self.anchors.get(&id) else {
            let name = span.slice(self.text).unwrap_or_default().trim_start_matches('*');
            self.findings.error(&at, format!("anchor {} refers to itself", quote(name)));
            self.spend(1, 0, &at)?;
            self.place(Node::Broken(at), ComposeSize::ONE);
            return Ok(());
        };
        let size = anchored.size;
        // Before the copy is made: that is what keeps a bomb of aliases small.
        self.copies = self.copies.saturating_add(size.nodes);
        self.spend(size.nodes, size.bytes, &at)?;
        if self.stack.len() + size.height > MAX_DEPTH + 1 {
            return self.too_complex(&at);
        }
        if let Some(node) = self.anchors.get(&id).map(|anchored| anchored.node.clone()) {
            self.place(node, size);
        }
        Ok(())
    }

    /// Keeps a copy of a node that has an anchor.
    fn remember(&mut self, anchor: usize, node: &Node, size: ComposeSize) -> Result<(), ComposeStop> {
        if anchor == 0 {
            return Ok(());
        }
        // The copy counts as well: anchors within anchors would make many of them.
        self.copies = self.copies.saturating_add(size.nodes);
        self.spend(size.nodes, 0, node.position())?;
        self.anchors.insert(anchor, Anchored { node: node.clone(), size });
        Ok(())
    }

    fn spend(&mut self, nodes: usize, repeated: usize, at: &Position) -> Result<(), ComposeStop> {
        self.nodes = self.nodes.saturating_add(nodes);
        self.repeated = self.repeated.saturating_add(repeated);
        let most = match self.dialect {
            YamlDialect::Own => MAX_NODES,
            YamlDialect::OwnHosts | YamlDialect::Ansible => MAX_NODES_OF_HOSTS,
        };
        if self.nodes > most && most > MAX_NODES {
            self.findings.error(at, format!("more than {most} keys and values"));
            return Err(ComposeStop);
        }
        if self.nodes > most || self.copies > MAX_NODES || self.repeated > MAX_ALIAS_BYTES {
            return self.too_complex(at);
        }
        Ok(())
    }

    fn too_complex(&mut self, at: &Position) -> Result<(), ComposeStop> {
        self.findings.error(at, syntax::TOO_COMPLEX);
        Err(ComposeStop)
    }

    /// What a tag of Ansible's means, in its files.
    fn known_tag(&self, tag: &Tag) -> Option<YamlTag> {
        if self.dialect != YamlDialect::Ansible {
            return None;
        }
        match tag.to_string().trim_start_matches('!') {
            "unsafe" => Some(YamlTag::Unsafe),
            "vault" | "vault-encrypted" => Some(YamlTag::Vault),
            _ => None,
        }
    }

    /// Notes a tag; says whether there was one.
    fn refuse_tag(&mut self, tag: Option<&Tag>, span: &Span) -> bool {
        let Some(tag) = tag else { return false };
        let written = span.tag_span().and_then(|span| span.slice(self.text));
        let written = written.map_or_else(|| Cow::Owned(tag.to_string()), Cow::Borrowed);
        let at = self.position(&span.tag_start().unwrap_or(span.start));
        let help = if written.starts_with("!vault") {
            "name the secret below \"secrets:\" instead; only Ansible's own files are decrypted"
        } else {
            "remove it; a value in quotes is always a string"
        };
        self.findings.error_help(&at, format!("tag {written} is not supported"), help);
        true
    }

    fn unquoted_template(&mut self, at: &Position, offset: usize, span: &Span) {
        let end = span.end.byte_offset().unwrap_or_default();
        let written = self.text.get(offset..end).unwrap_or("{{ x }}");
        self.findings.error_help(
            at,
            "quote a value that starts with {{",
            format!("quote it: \"{}\"", written.replace('"', "'")),
        );
    }

    fn scalar(&self, text: &str, style: ScalarStyle, span: &Span) -> Scalar {
        let position = self.position(&span.start);
        let raw = span.slice(self.text).unwrap_or_default();
        let mut start = position.clone();
        let exact = |same: bool| if same { YamlLayout::Line } else { YamlLayout::Loose };
        let (style, layout) = match style {
            ScalarStyle::Plain => (YamlStyle::Plain, exact(raw == text)),
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => {
                start.column = start.column.saturating_add(1);
                let inner = raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default();
                (YamlStyle::Text, exact(inner == text))
            }
            ScalarStyle::Literal | ScalarStyle::Folded => {
                // The parser's span leaves out the sign and the empty lines in front of the text.
                let empty = text.bytes().take_while(|&b| b == b'\n').count();
                start.line = start.line.saturating_sub(u32::try_from(empty).unwrap_or(u32::MAX)).max(1);
                let literal = style == ScalarStyle::Literal;
                (YamlStyle::Text, if literal { YamlLayout::Lines } else { YamlLayout::Loose })
            }
        };
        Scalar { text: Arc::from(text), style, position, start, layout, tag: YamlTag::Plain }
    }

    fn position(&self, marker: &Marker) -> Position {
        position(self.file, marker.line(), marker.col())
    }
}

/// Whether two braces stand side by side: `{{`.
fn follows(first: &Position, second: &Position) -> bool {
    first.line == second.line && first.column.checked_add(1) == Some(second.column)
}
