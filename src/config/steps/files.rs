//! Actions on files: what goes where, what must hold there, and that the keys of one step agree.

use globset::GlobBuilder;
use regex::Regex;

use crate::config::fields::{flag, has_template, integer, kind, literal, quote, text, texts, word};
use crate::config::findings::Findings;
use crate::config::templates::{checked, template};
use crate::config::yaml::{Node, Scalar, YamlEntry};
use crate::model::files::{
    Attributes, FileState, FileStep, Get, Install, LineEdit, LinePlace, LineStep, Links, Mode, Put, Sync,
    TemplateFile, TreeRules,
};
use crate::model::position::Located;
use crate::model::task::{Action, TemplateText, Unarchive};
use crate::model::template::{self, Syntax, TagLines};

/// The keys of a step that belong to its action, each at most once.
pub(super) struct FileFields<'n> {
    /// The action itself.
    pub(super) action: &'n YamlEntry,
    entries: &'n [&'n YamlEntry],
    /// A key was refused: it may be the one that is missing.
    refused: bool,
}

impl<'n> FileFields<'n> {
    pub(super) fn new(action: &'n YamlEntry, entries: &'n [&'n YamlEntry], refused: bool) -> Self {
        Self { action, entries, refused }
    }

    pub(super) fn entry(&self, key: &str) -> Option<&'n YamlEntry> {
        self.entries.iter().copied().find(|entry| &*entry.key.text == key)
    }

    pub(super) fn node(&self, key: &str) -> Option<&'n Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    fn flag(&self, key: &str, findings: &mut Findings) -> Option<bool> {
        self.node(key).and_then(|node| flag(node, key, findings))
    }

    /// The path of a key that must be there.
    fn required(&self, key: &str, findings: &mut Findings) -> Option<TemplateText> {
        match self.node(key) {
            Some(node) => path(node, key, findings),
            None => {
                if !self.refused {
                    let message = format!("\"{}\" without \"{key}\"", self.action.key.text);
                    findings.error_help(
                        &self.action.key.position,
                        message,
                        format!("write \"{key}: PATH\" beside it"),
                    );
                }
                None
            }
        }
    }

    /// The action's own value, a path.
    fn own_path(&self, findings: &mut Findings) -> Option<TemplateText> {
        path(&self.action.value, &self.action.key.text, findings)
    }

    /// The action's own value, one path or several.
    fn own_paths(&self, findings: &mut Findings) -> Option<Vec<TemplateText>> {
        let field = &*self.action.key.text;
        let Node::List(list) = &self.action.value else {
            return self.own_path(findings).map(|path| vec![path]);
        };
        if list.items.is_empty() {
            findings.error(&list.position, format!("\"{field}\" names no path"));
            return None;
        }
        let paths: Vec<_> = list.items.iter().filter_map(|item| path(item, field, findings)).collect();
        (paths.len() == list.items.len()).then_some(paths)
    }

    fn text(&self, key: &str, findings: &mut Findings) -> Option<TemplateText> {
        self.node(key).and_then(|node| template(node, key, Syntax::Text, findings))
    }

    fn attributes(&self, findings: &mut Findings) -> Attributes {
        Attributes {
            mode: self.mode("mode", findings),
            dir_mode: self.mode("dir_mode", findings),
            owner: self.text("owner", findings),
            group: self.text("group", findings),
        }
    }

    fn mode(&self, key: &str, findings: &mut Findings) -> Option<Mode> {
        let scalar = literal(self.node(key)?, key, findings)?;
        Mode::parse(&scalar.text).map_err(|message| findings.error(&scalar.position, message)).ok()
    }

    fn tree(&self, times: bool, findings: &mut Findings) -> TreeRules {
        let words = Links::ALL.map(|links| (links.as_str(), links));
        let links = self.node("links").and_then(|node| word(node, "links", &words, findings));
        TreeRules {
            exclude: self.node("exclude").map(|node| globs(node, findings)).unwrap_or_default(),
            links: links.unwrap_or_default(),
            times: self.flag("times", findings).unwrap_or(times),
        }
    }

    fn install(&self, findings: &mut Findings) -> Install {
        Install {
            backup: self.flag("backup", findings).unwrap_or_default(),
            validate: self.node("validate").and_then(|node| validate(node, findings)),
            follow: self.flag("follow", findings).unwrap_or_default(),
            in_place: self.flag("in_place", findings).unwrap_or_default(),
        }
    }

    fn regex(&self, key: &str, findings: &mut Findings) -> Option<Located<String>> {
        self.node(key).and_then(|node| regex(node, key, findings))
    }

    /// Notes that these keys mean nothing in this state.
    fn idle(&self, keys: &[&str], state: &str, findings: &mut Findings) {
        for entry in keys.iter().filter_map(|key| self.entry(key)) {
            let message = format!("\"{}\" has no effect with \"state: {state}\"", entry.key.text);
            findings.error(&entry.key.position, message);
        }
    }
}

/// Reads an action on files; all that is wrong with it is noted.
pub(super) fn action(fields: &FileFields<'_>, findings: &mut Findings) -> Option<Action> {
    match &*fields.action.key.text {
        "put" => put(fields, findings).map(Action::Put),
        "get" => get(fields, findings).map(Action::Get),
        "sync" => sync(fields, findings).map(Action::Sync),
        "template" => template_file(fields, findings).map(Action::Template),
        "unarchive" => unarchive(fields, findings).map(Action::Unarchive),
        "file" => file(fields, findings).map(Action::File),
        "line" => line(fields, findings).map(Action::Line),
        "stat" => fields.own_path(findings).map(Action::Stat),
        "ls" => fields.own_path(findings).map(Action::Ls),
        _ => None,
    }
}

fn put(fields: &FileFields<'_>, findings: &mut Findings) -> Option<Put> {
    let (from, to) = (fields.own_paths(findings), fields.required("to", findings));
    let (tree, attributes) = (fields.tree(false, findings), fields.attributes(findings));
    let install = fields.install(findings);
    Some(Put { from: from?, to: to?, tree, attributes, install })
}

fn get(fields: &FileFields<'_>, findings: &mut Findings) -> Option<Get> {
    let (from, to) = (fields.own_paths(findings), fields.required("to", findings));
    let tree = fields.tree(false, findings);
    Some(Get { from: from?, to: to?, tree })
}

fn sync(fields: &FileFields<'_>, findings: &mut Findings) -> Option<Sync> {
    let (from, to) = (fields.own_path(findings), fields.required("to", findings));
    let delete = fields.flag("delete", findings).unwrap_or_default();
    // A mirror is compared again and again: times that agree save the reading.
    let (tree, attributes) = (fields.tree(true, findings), fields.attributes(findings));
    Some(Sync { from: from?, to: to?, delete, tree, attributes })
}

fn template_file(fields: &FileFields<'_>, findings: &mut Findings) -> Option<TemplateFile> {
    let (from, to) = (fields.own_path(findings), fields.required("to", findings));
    let (attributes, install) = (fields.attributes(findings), fields.install(findings));
    let tag_lines = TagLines {
        trim_blocks: fields.flag("trim_blocks", findings).unwrap_or_default(),
        lstrip_blocks: fields.flag("lstrip_blocks", findings).unwrap_or_default(),
    };
    Some(TemplateFile { from: from?, to: to?, tag_lines, attributes, install })
}

fn unarchive(fields: &FileFields<'_>, findings: &mut Findings) -> Option<Unarchive> {
    let (from, to) = (fields.own_path(findings), fields.required("to", findings));
    let remote = fields.flag("remote", findings).unwrap_or_default();
    let strip = fields.node("strip").and_then(|node| integer(node, "strip", 0..=64, findings));
    let attributes = fields.attributes(findings);
    if let Some(lcd) = fields.entry("lcd").filter(|_| remote) {
        findings.error(&lcd.key.position, "\"lcd\" has no effect with \"remote: true\"");
    }
    Some(Unarchive { from: from?, to: to?, remote, strip: strip.unwrap_or_default(), attributes })
}

/// The states of `file`, as they are written.
#[derive(Clone, Copy)]
enum StateWord {
    Present,
    Absent,
    Directory,
    Link,
}

fn file(fields: &FileFields<'_>, findings: &mut Findings) -> Option<FileStep> {
    const STATES: [(&str, StateWord); 4] = [
        ("present", StateWord::Present),
        ("absent", StateWord::Absent),
        ("directory", StateWord::Directory),
        ("link", StateWord::Link),
    ];
    let path = fields.own_path(findings);
    let state = match fields.node("state") {
        Some(node) => word(node, "state", &STATES, findings),
        None => Some(StateWord::Present),
    };
    let attributes = fields.attributes(findings);
    let recurse = fields.flag("recurse", findings).unwrap_or_default();
    let state = match state? {
        StateWord::Present => {
            fields.idle(&["target", "recurse"], "present", findings);
            FileState::Present
        }
        StateWord::Absent => {
            fields.idle(&["target", "mode", "owner", "group"], "absent", findings);
            FileState::Absent { recurse }
        }
        StateWord::Directory => {
            fields.idle(&["target", "recurse"], "directory", findings);
            FileState::Directory
        }
        StateWord::Link => {
            // Links have no mode of their own (symlink(7)).
            fields.idle(&["recurse", "mode"], "link", findings);
            FileState::Link { target: fields.required("target", findings)? }
        }
    };
    Some(FileStep { path: path?, state, attributes })
}

fn line(fields: &FileFields<'_>, findings: &mut Findings) -> Option<LineStep> {
    let path = fields.required("in", findings);
    let absent = match fields.node("state") {
        Some(node) => word(node, "state", &[("present", false), ("absent", true)], findings),
        None => Some(false),
    };
    let matching = fields.regex("match", findings);
    let place = place(fields, findings);
    let create = fields.flag("create", findings).unwrap_or_default();
    let (attributes, install) = (fields.attributes(findings), fields.install(findings));
    let edit = if absent? {
        fields.idle(&["after", "before", "at", "create"], "absent", findings);
        absent_line(fields, matching, findings)
    } else {
        let line = one_line(&fields.action.value, findings);
        line.map(|line| LineEdit::Present { line: checked(line, Syntax::Text, findings), matching, place })
    };
    Some(LineStep { path: path?, edit: edit?, create, attributes, install })
}

/// The lines that go: those that `match` matches, or else those that are equal to the action's text.
fn absent_line(
    fields: &FileFields<'_>,
    matching: Option<Located<String>>,
    findings: &mut Findings,
) -> Option<LineEdit> {
    let own = &fields.action.value;
    match (fields.entry("match"), own.is_null()) {
        (Some(_), true) => matching.map(|matching| LineEdit::Absent { matching }),
        (Some(_), false) => {
            let message = "\"line\" has no effect with \"state: absent\" and \"match\"";
            findings.error_help(own.position(), message, "leave it empty: \"line:\"");
            None
        }
        (None, true) => {
            let help = "write \"line: TEXT\", or \"line:\" and \"match: REGEX\"";
            findings.error_help(own.position(), "\"state: absent\" does not say which line", help);
            None
        }
        (None, false) => {
            let line = one_line(own, findings)?;
            if has_template(&line.text) {
                let message = "\"line\" cannot hold a template with \"state: absent\"";
                findings.error(&line.position, message);
                return None;
            }
            let matching = format!("^{}$", regex::escape(&line.text));
            Some(LineEdit::Absent { matching: Located::new(matching, line.start.clone()) })
        }
    }
}

/// Where a new line goes: at most one of three keys says so.
fn place(fields: &FileFields<'_>, findings: &mut Findings) -> LinePlace {
    let said: Vec<&YamlEntry> =
        ["after", "before", "at"].iter().filter_map(|key| fields.entry(key)).collect();
    if let [first, second, ..] = said.as_slice() {
        let message = format!("\"{}\" and \"{}\" exclude each other", first.key.text, second.key.text);
        findings.error(&second.key.position, message);
    }
    let (after, before) = (fields.regex("after", findings), fields.regex("before", findings));
    let at = fields.node("at");
    let at = at.and_then(|node| {
        word(node, "at", &[("start", LinePlaceWord::Start), ("end", LinePlaceWord::End)], findings)
    });
    match (after, before, at) {
        (Some(after), _, _) => LinePlace::After(after),
        (None, Some(before), _) => LinePlace::Before(before),
        (None, None, Some(LinePlaceWord::Start)) => LinePlace::Start,
        (None, None, Some(LinePlaceWord::End) | None) => LinePlace::End,
    }
}

/// The values of `at`.
#[derive(Clone, Copy)]
enum LinePlaceWord {
    Start,
    End,
}

/// A text of one line.
fn one_line<'n>(node: &'n Node, findings: &mut Findings) -> Option<&'n Scalar> {
    let scalar = text(node, "line", findings)?;
    if scalar.text.contains(['\n', '\r']) {
        let message = "\"line\" must be one line, without line breaks";
        findings.error_help(&scalar.position, message, "write it in quotes instead of as a block with |");
        return None;
    }
    Some(scalar)
}

/// A path that is a template; never an empty one.
fn path(node: &Node, field: &str, findings: &mut Findings) -> Option<TemplateText> {
    if let Node::Map(_) | Node::List(_) = node {
        let message = format!("\"{field}\" must be a path, not {}", kind(node));
        let help = format!("write \"{field}: PATH\", and other keys beside it");
        findings.error_help(node.position(), message, help);
        return None;
    }
    let scalar = text(node, field, findings)?;
    if scalar.text.trim().is_empty() {
        findings.error(&scalar.position, format!("\"{field}\" is empty"));
        return None;
    }
    if scalar.text.contains(['\n', '\r']) {
        findings.error(&scalar.position, format!("\"{field}\" must be a path, without line breaks"));
        return None;
    }
    Some(checked(scalar, Syntax::Text, findings))
}

/// A command that is told the new file in the place of `%s`.
fn validate(node: &Node, findings: &mut Findings) -> Option<TemplateText> {
    let scalar = text(node, "validate", findings)?;
    let command = checked(scalar, Syntax::Shell, findings);
    match check_validate(&scalar.text) {
        Ok(()) => Some(command),
        Err(message) => {
            findings.error(&scalar.position, format!("\"validate\" {message}"));
            None
        }
    }
}

/// Says why a text cannot be a command that checks a new file, if it cannot.
///
/// # Errors
/// The end of a sentence that begins with the name of the field.
pub fn check_validate(command: &str) -> Result<(), String> {
    if template::count_holes(command) == 1 {
        return Ok(());
    }
    Err("must hold %s once, for the new file, as in \"nginx -t -c %s\"".to_owned())
}

/// Globs of names in a folder: one, or a list of them.
fn globs(node: &Node, findings: &mut Findings) -> Vec<Located<String>> {
    let scalars = match node {
        Node::Scalar(scalar) if !scalar.is_null() => text(node, "exclude", findings).into_iter().collect(),
        Node::Scalar(_) | Node::List(_) | Node::Map(_) | Node::Broken(_) => {
            texts(node, "exclude", "a list of globs", findings)
        }
    };
    scalars.into_iter().filter_map(|scalar| glob(scalar, findings)).collect()
}

fn glob(scalar: &Scalar, findings: &mut Findings) -> Option<Located<String>> {
    let text = &*scalar.text;
    if has_template(text) {
        findings.error(&scalar.position, "\"exclude\" cannot hold a template");
        return None;
    }
    if let Err(message) = check_glob(text) {
        findings.error(&scalar.position, format!("glob {}: {message}", quote(text)));
        return None;
    }
    Some(Located::new(text.to_owned(), scalar.start.clone()))
}

/// Says why a text cannot leave files out of a folder, if it cannot.
///
/// # Errors
/// A lowercase fragment without the glob.
pub fn check_glob(text: &str) -> Result<(), String> {
    // What these signs mean is that of `.gitignore`; the rest is a glob.
    let bare = text.strip_prefix('!').unwrap_or(text);
    let bare = bare.strip_prefix('/').unwrap_or(bare);
    let bare = bare.strip_suffix('/').unwrap_or(bare);
    if bare.is_empty() {
        return Err("it matches nothing".to_owned());
    }
    let glob =
        GlobBuilder::new(bare).literal_separator(true).backslash_escape(true).empty_alternates(true).build();
    glob.map(drop).map_err(|error| error.kind().to_string())
}

/// A regular expression over one line.
fn regex(node: &Node, field: &str, findings: &mut Findings) -> Option<Located<String>> {
    let scalar = literal(node, field, findings)?;
    match Regex::new(&scalar.text) {
        Ok(_) => Some(Located::new(scalar.text.to_string(), scalar.start.clone())),
        Err(error) => {
            // Its text shows the expression above the reason.
            let shown = error.to_string();
            let reason = shown.lines().last().unwrap_or_default();
            let reason = reason.strip_prefix("error: ").unwrap_or(reason);
            findings.error(&scalar.position, format!("\"{field}\" is no regular expression: {reason}"));
            None
        }
    }
}
