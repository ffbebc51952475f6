//! Holds what the compiler does not: the floors of `src/lib.rs`, rules of style with a reason, and docs that
//! agree with the code and with each other. Reads the repository as text, with nothing but std.
//!
//! A failure names every place as `file:line` and says what to do. Refuses: rules of taste, and what rustfmt
//! and clippy hold already.

#![allow(clippy::indexing_slicing, clippy::panic, reason = "a test may fail loudly, its helpers too")]

#[path = "tidy/imports.rs"]
mod imports;
#[path = "tidy/markdown.rs"]
mod markdown;
#[path = "tidy/repository.rs"]
mod repository;
#[path = "tidy/source.rs"]
mod source;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use fan::testing::model::outcome::{ExitCode, Kind};

use crate::imports::{circles, edges};
use crate::markdown::{anchors, links, named_files, prose, table};
use crate::repository::{files, has_extension, normal, read, root};
use crate::source::{Source, integration_tests, lines_with, sources};

/// Who may import whom (docs/design/floors.md). A floor may always import itself.
const FLOORS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("event", &["model"]),
    ("config", &["model"]),
    ("ssh", &["model", "event"]),
    ("files", &["model", "ssh"]),
    ("web", &["model", "ssh"]),
    ("engine", &["model", "event", "ssh", "files", "web"]),
    ("report", &["model", "event"]),
    ("store", &["model", "event"]),
    ("fleet", &["model"]),
    ("sandbox", &["model", "ssh"]),
    (
        "cli",
        &["model", "event", "config", "ssh", "files", "web", "engine", "report", "store", "fleet", "sandbox"],
    ),
    // The front doors: lib.rs declares the floors and shows cli, main.rs hands over to it; what tests and fuzz targets see.
    ("lib", &["cli"]),
    ("main", &[]),
    ("testing", &["model", "event", "ssh", "report", "store", "fleet", "sandbox"]),
    ("fuzzing", &["model", "event", "config", "ssh", "web", "engine", "store"]),
];

/// Layers inside a floor, lowest first (docs/design/floors.md): a folder imports itself and those of the lines before its
/// own.
const SUBFLOORS: &[(&str, &[&[&str]])] = &[(
    "src/engine",
    &[&["plan"], &["planner", "live"], &["preflight", "host"], &["step"], &["walk"], &["dispatcher"]],
)];

/// Layers that look at no disk, and what they do not name for that.
const READ_NO_DISK: &[&str] = &["src/engine/plan", "src/engine/planner"];
const DISK: &[&str] = &["std::fs", "tokio", "crate::files", "std::env"];

/// What a step must not know: it gets what it may use.
const NOT_IN_STEPS: &[&str] = &["HostRun", "walk::", "dispatcher::"];

/// What only shows items of floors, by their paths.
const DOORS: &[&str] = &["testing", "fuzzing"];

/// What the pure floor must not name: it would not be pure any more.
const IMPURE: &[&str] = &[
    "tokio",
    "russh",
    "clap",
    "rustix",
    "tempfile",
    "rand",
    "std::fs",
    "std::env",
    "std::process",
    "std::thread",
    "SystemTime",
    "Instant",
];

/// Where `russh` may be named: its interface changes often, so few files may know it.
const KNOW_RUSSH: &[&str] = &["ssh", "sandbox"];

/// Text that is refused in all code, tests included, and why.
const REFUSED_EVERYWHERE: &[(&str, &str)] = &[
    ("process::exit", "return an ExitCode to main.rs: destructors must run"),
    ("#[ignore", "a test runs or goes; an ignored one rots"),
    ("todo!", "finish it, or make it an error that the user can read"),
    ("unimplemented!", "finish it, or make it an error that the user can read"),
    ("super::super", "write the path from the crate: crate::floor::Thing"),
];

/// The one file that may end the process besides `main.rs`: QUIT and ABRT do so at once, and their default action cannot
/// be had back without unsafe code.
const ENDS_THE_PROCESS: &str = "src/cli/leaving.rs";

/// Text that is refused in production code, and why.
const REFUSED_IN_PRODUCTION: &[(&str, &str)] = &[
    ("println!", "stdout and stderr belong to the reporters (cli::print, cli::error::talk)"),
    ("print!", "stdout and stderr belong to the reporters (cli::print, cli::error::talk)"),
    ("eprintln!", "stdout and stderr belong to the reporters (cli::print, cli::error::talk)"),
    ("eprint!", "stdout and stderr belong to the reporters (cli::print, cli::error::talk)"),
    ("&mut Plan", "a plan is decided once: derive another one from it"),
];

/// Tests that may look at a clock, and what for. The rest counts what is done: how long it takes is up to the machine.
const CLOCKS: &[(&str, &str)] = &[
    ("tests/it/connect/servers/start.rs", "patience with servers that start"),
    ("tests/it/resume/soak.rs", "how long it goes on"),
    ("tests/it/fixtures/support.rs", "patience, and `Since`, which tells one deadline from the next"),
    ("src/engine/tests/output.rs", "patience with a flood, which a paused clock would not end"),
    ("src/files/local/dest/destination/tests.rs", "how long a race goes on"),
    ("src/model/redact/tests.rs", "a rate that is shown to who asks, not judged"),
    ("src/model/shell/watchdog/tests.rs", "patience"),
    ("src/model/template/lexer/pass/tests.rs", "patience with shells that hang"),
];

/// What looks at a clock, or compares what one said.
const CLOCK: &[&str] = &["Instant::now()", ".elapsed()", ".at < ", ".at > "];

/// The globs that may be imported, and only in tests.
const TEST_GLOBS: &[&str] = &["super::*", "proptest::prelude::*"];

#[test]
fn imports_point_down() {
    let mut wrong = Wrong::default();
    for source in sources() {
        let floor = source.floor();
        let Some((_, allowed)) = FLOORS.iter().find(|(name, _)| *name == floor) else {
            wrong.add(
                &source.path,
                0,
                format!(
                    "floor \"{floor}\" is new: add it to FLOORS in tests/tidy.rs and to docs/design/floors.md"
                ),
            );
            continue;
        };
        for (line, target) in source.imports() {
            if target != floor && !allowed.contains(&target.as_str()) {
                let may = if allowed.is_empty() { "nothing".to_owned() } else { allowed.join(", ") };
                wrong.add(
                    &source.path,
                    line,
                    format!("{floor} imports {target}; it may import {may} (docs/design/floors.md)"),
                );
            }
        }
    }
    wrong.report();
}

/// Whoever reads one file of a circle has to read all of them.
#[test]
fn no_files_import_each_other_in_a_circle() {
    let mut wrong = Wrong::default();
    for circle in circles(&sources()) {
        let names: Vec<String> = circle.iter().map(|path| path.display().to_string()).collect();
        let what = format!(
            "imports itself by way of {}: sink what they share into a file below them, and import it from there and not \
             through mod.rs",
            names.join(", ")
        );
        wrong.add(&circle[0], 0, what);
    }
    wrong.report();
}

#[test]
fn layers_inside_a_floor_import_downwards() {
    let mut wrong = Wrong::default();
    let edges = edges(&sources());
    for (floor, layers) in SUBFLOORS {
        // Which folder of the floor a file is in, and on which line that stands; none for its front door.
        let place = |path: &Path| {
            let folder = path.strip_prefix(floor).ok()?.parent()?.iter().next()?.to_str()?.to_owned();
            let line = layers.iter().position(|line| line.contains(&folder.as_str()));
            Some((folder, line))
        };
        for (from, to) in &edges {
            let (Some((own, at)), Some((other, below))) = (place(from), place(to)) else { continue };
            if own != other && (at.is_none() || below.is_none() || below >= at) {
                let what = format!(
                    "{own} imports {other}, which is not below it: sink what they share, or give it what it needs \
                     (SUBFLOORS in tests/tidy.rs, docs/design/floors.md)"
                );
                wrong.add(from, 0, what);
            }
        }
    }
    let is_pure = |source: &Source| READ_NO_DISK.iter().any(|layer| source.path.starts_with(layer));
    for source in sources().iter().filter(|source| is_pure(source)) {
        for name in DISK {
            for line in lines_with(&source.production, name) {
                wrong.add(&source.path, line, format!("names {name}: what needs the disk is for preflight"));
            }
        }
    }
    for source in sources().iter().filter(|source| source.path.starts_with("src/engine/step")) {
        for name in NOT_IN_STEPS {
            for line in lines_with(&source.production, name) {
                wrong.add(
                    &source.path,
                    line,
                    format!("a step names {name}: it gets what it may use (StepCx)"),
                );
            }
        }
    }
    wrong.report();
}

#[test]
fn front_doors_declare_and_re_export() {
    const ITEMS: &[&str] = &["fn", "struct", "enum", "trait", "impl"];
    let mut wrong = Wrong::default();
    for source in sources().into_iter().filter(|source| source.path.ends_with("mod.rs")) {
        for line in ITEMS.iter().flat_map(|item| lines_with(&source.production, item)) {
            let what = "mod.rs declares and re-exports: what it owns goes into a file beside it";
            wrong.add(&source.path, line, what.to_owned());
        }
    }
    wrong.report();
}

/// Whoever searches for a name finds one thing.
#[test]
fn a_types_name_stands_for_one_thing() {
    const ITEMS: &[&str] = &["struct", "enum", "union", "trait", "type"];
    let mut wrong = Wrong::default();
    let mut first: BTreeMap<String, (PathBuf, usize)> = BTreeMap::new();
    for source in sources() {
        for (number, line) in source.production.lines().enumerate() {
            let is_visibility = |word: &&str| word.starts_with("pub") || word.ends_with(')');
            let mut words = line.split_whitespace().skip_while(is_visibility);
            let item = words.next().filter(|item| ITEMS.contains(item));
            // An indented `type` belongs to a trait.
            let Some(item) = item.filter(|item| *item != "type" || !line.starts_with(' ')) else { continue };
            let name: String =
                words.next().unwrap_or_default().chars().take_while(|c| c.is_alphanumeric()).collect();
            // A macro names it.
            if name.is_empty() {
                continue;
            }
            let here = (source.path.clone(), number + 1);
            if let Some((path, line)) = first.get(&name) {
                let what = format!(
                    "{item} {name} is another one than that of {}:{line}: name it after what it is",
                    path.display()
                );
                wrong.add(&here.0, here.1, what);
            } else {
                first.insert(name, here);
            }
        }
    }
    assert!(first.len() > 100, "{first:?}");
    wrong.report();
}

/// Whoever lists a folder sees what is production code.
#[test]
fn test_files_lie_in_tests() {
    let mut wrong = Wrong::default();
    for source in sources() {
        let is_test_only = source.production.trim().is_empty() && !source.code.trim().is_empty();
        let is_named_so = source.path.with_extension("").components().any(|part| part.as_os_str() == "tests");
        if is_test_only != is_named_so {
            let what = if is_test_only {
                "only tests see this file: it belongs into tests.rs, or into a folder tests/"
            } else {
                "production code does not belong into tests.rs or a folder tests/"
            };
            wrong.add(&source.path, 0, what.to_owned());
        }
    }
    wrong.report();
}

#[test]
fn model_is_pure_and_few_know_russh() {
    let mut wrong = Wrong::default();
    for source in sources() {
        if source.floor() == "model" {
            for name in IMPURE {
                for line in lines_with(&source.production, name) {
                    wrong.add(
                        &source.path,
                        line,
                        format!("model names {name}: it has no I/O, clock or runtime; pass the value in"),
                    );
                }
            }
        }
        if !KNOW_RUSSH.contains(&source.floor().as_str()) {
            for line in lines_with(&source.code, "russh") {
                wrong.add(
                    &source.path,
                    line,
                    "only ssh and sandbox name russh: go through the traits of crate::ssh".to_owned(),
                );
            }
        }
    }
    wrong.report();
}

#[test]
fn code_keeps_to_the_house_rules() {
    let mut wrong = Wrong::default();
    for source in sources().into_iter().chain(integration_tests()) {
        if !source.text.starts_with("//!") {
            wrong.add(
                &source.path,
                1,
                "the file must open with `//!`: what it owns, what it refuses".to_owned(),
            );
        }
        for (text, why) in REFUSED_EVERYWHERE {
            if *text == "process::exit" && source.path == Path::new(ENDS_THE_PROCESS) {
                continue;
            }
            for line in lines_with(&source.code, text) {
                wrong.add(&source.path, line, format!("`{text}` is refused: {why}"));
            }
        }
        for (text, why) in REFUSED_IN_PRODUCTION {
            for line in lines_with(&source.production, text) {
                wrong.add(&source.path, line, format!("`{text}` is refused: {why}"));
            }
        }
        for (line, glob) in source.globs() {
            let in_test = source.production.lines().nth(line - 1).is_none_or(|text| !text.contains("::*"));
            if !(in_test && TEST_GLOBS.contains(&glob.as_str())) {
                wrong.add(
                    &source.path,
                    line,
                    format!("`use {glob}`: import by name, so that a reader sees where a word comes from"),
                );
            }
        }
    }
    wrong.report();
}

/// The compiler asks for docs only of what leaves the crate, which is next to nothing.
#[test]
fn what_a_file_shows_says_what_it_is() {
    let mut wrong = Wrong::default();
    for source in sources().into_iter().filter(|source| !DOORS.contains(&source.floor().as_str())) {
        let lines: Vec<&str> = source.text.lines().map(str::trim).collect();
        for (at, line) in source.production.lines().enumerate() {
            let line = line.trim();
            let is_shown =
                line.starts_with("pub ") && !line.starts_with("pub use ") && !line.starts_with("pub mod ");
            // Attributes stand between an item and its docs, on one line or on several.
            let ends =
                |above: &&&str| above.is_empty() || above.ends_with(['{', '}', ';']) || is_field(above);
            let mut above =
                lines[..at].iter().rev().take_while(|above| above.starts_with("///") || !ends(above));
            if is_shown && !line.contains('$') && !above.any(|above| above.starts_with("///")) {
                let what = "`pub` without a doc comment: say in one sentence what it is".to_owned();
                wrong.add(&source.path, at + 1, what);
            }
        }
    }
    wrong.report();
}

fn is_field(line: &str) -> bool {
    line.ends_with(',') && line.contains(": ") && !line.contains(" = ")
}

/// An upper bound on how long work takes fails on a busy machine, and says nothing on a fast one.
#[test]
fn tests_do_not_time_work() {
    let mut wrong = Wrong::default();
    for source in sources().into_iter().chain(integration_tests()) {
        // tokio's clock stands still while there is something to do.
        let is_paused = source.code.contains("tokio::time::Instant");
        if is_paused || CLOCKS.iter().any(|(path, _)| source.path == Path::new(path)) {
            continue;
        }
        let production: Vec<&str> = source.production.lines().collect();
        for (at, line) in source.code.lines().enumerate() {
            let is_test = production.get(at).is_none_or(|production| *production != line);
            if let Some(clock) = CLOCK.iter().find(|clock| is_test && line.contains(**clock)) {
                wrong.add(
                    &source.path,
                    at + 1,
                    format!(
                        "`{clock}` in a test: count what is done (bytes, connections, events), or tell a deadline of \
                         fan's from the next one with `Since` of tests/it/fixtures/support.rs; waiting is for `eventually`"
                    ),
                );
            }
        }
    }
    wrong.report();
}

#[test]
fn exit_code_table_equals_the_enum() {
    let told = table("docs/exit-codes.md", "## Exit codes");
    let coded: Vec<(String, String)> =
        ExitCode::ALL.iter().map(|exit| (exit.code().to_string(), exit.meaning().to_owned())).collect();
    assert_eq!(
        told, coded,
        "the first two columns of \"Exit codes\" in docs/exit-codes.md must be code() and meaning() of ExitCode::ALL"
    );
}

#[test]
fn kind_table_equals_the_enum() {
    let told: Vec<String> =
        table("docs/exit-codes.md", "## Kinds").into_iter().map(|(word, _)| word.replace('`', "")).collect();
    let coded: Vec<&str> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
    assert_eq!(told, coded, "the table \"Kinds\" of docs/exit-codes.md must list Kind::ALL, in its order");
}

/// A page that is not in the table of contents has no place on the site.
#[test]
fn the_site_has_every_page() {
    let contents = Path::new("docs/SUMMARY.md");
    let listed: Vec<PathBuf> =
        links(&read(contents)).into_iter().map(|(_, link)| Path::new("docs").join(link)).collect();
    let mut wrong = Wrong::default();
    let pages = files().into_iter().filter(|path| path.starts_with("docs") && has_extension(path, "md"));
    for page in pages.filter(|path| path != contents) {
        match listed.iter().filter(|path| **path == page).count() {
            1 => {}
            count => wrong.add(&page, 1, format!("{} lists it {count} times", contents.display())),
        }
    }
    wrong.report();
}

#[test]
fn links_in_docs_lead_somewhere() {
    let mut wrong = Wrong::default();
    for path in files().into_iter().filter(|path| has_extension(path, "md")) {
        let text = read(&path);
        for (line, link) in links(&text) {
            let (file, anchor) =
                link.split_once('#').map_or((link.as_str(), None), |(file, anchor)| (file, Some(anchor)));
            let target = if file.is_empty() {
                path.clone()
            } else {
                normal(&path.parent().unwrap_or(Path::new("")).join(file))
            };
            if !root().join(&target).exists() {
                wrong.add(&path, line, format!("link to {link}: there is no {}", target.display()));
            } else if let Some(anchor) = anchor
                && has_extension(&target, "md")
                && !anchors(&read(&target)).contains(anchor)
            {
                wrong.add(
                    &path,
                    line,
                    format!("link to {link}: {} has no heading #{anchor}", target.display()),
                );
            }
        }
    }
    wrong.report();
}

#[test]
fn files_that_are_named_exist() {
    let mut wrong = Wrong::default();
    for path in files() {
        let is_rust = has_extension(&path, "rs");
        if !(is_rust
            || has_extension(&path, "md")
            || has_extension(&path, "yaml") && path.components().count() == 1)
        {
            continue;
        }
        for (number, line) in read(&path).lines().enumerate() {
            // In Rust only comments count: a test may name a file that must not exist.
            let text = if is_rust { line.split_once("//").map_or("", |(_, comment)| comment) } else { line };
            for named in named_files(text) {
                if !root().join(&named).exists() {
                    wrong.add(&path, number + 1, format!("names {named}, which does not exist"));
                }
            }
        }
    }
    wrong.report();
}

#[test]
fn docs_hold_no_output_of_tools_by_accident() {
    // The marks of a compiler and of a merge, which no prose has.
    const MARKS: &[&str] = &["^^^", "help: remove this", "<<<<<<<", ">>>>>>>"];
    let mut wrong = Wrong::default();
    for path in files().into_iter().filter(|path| has_extension(path, "md")) {
        for (line, text) in prose(&read(&path)) {
            if let Some(mark) = MARKS.iter().find(|mark| text.contains(**mark)) {
                wrong.add(
                    &path,
                    line,
                    format!("{mark}: output of a tool; output that is meant goes into a fenced block"),
                );
            }
        }
    }
    wrong.report();
}

#[test]
fn nothing_of_one_machine_is_in_the_repository() {
    let mut wrong = Wrong::default();
    for path in files() {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if [".orig", ".rej", ".bak", ".swp", "~"].iter().any(|end| name.ends_with(end)) {
            wrong.add(&path, 0, "a leftover of a tool: remove it".to_owned());
        }
        let Ok(text) = fs::read_to_string(root().join(&path)) else { continue };
        for (number, line) in text.lines().enumerate() {
            if let Some(found) = machine_path(line) {
                wrong.add(
                    &path,
                    number + 1,
                    format!("{found} is a folder of one machine: write it relative, or with ~ or $HOME"),
                );
            }
        }
    }
    wrong.report();
}

/// Places that break a rule; all of them are told at once.
#[derive(Default)]
struct Wrong(Vec<String>);

impl Wrong {
    /// `line` counts from 1; 0 is the file as a whole.
    fn add(&mut self, path: &Path, line: usize, what: String) {
        self.0.push(format!("{}:{line}: {what}", path.display()));
    }

    fn report(self) {
        assert!(self.0.is_empty(), "\n{}\n", self.0.join("\n"));
    }
}

/// The home folder of some machine's user, when a line names one.
fn machine_path(line: &str) -> Option<String> {
    // `op` and `deploy` are made up: tests and examples may use them.
    const MADE_UP: &[&str] = &["op", "deploy", "you", "user"];
    for start in ["/root/", "/home/", "/Users/"] {
        for (at, _) in line.match_indices(start) {
            // Part of a longer path or name.
            let inside = line[..at]
                .chars()
                .next_back()
                .is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '~'));
            let user: String = line[at + start.len()..]
                .chars()
                .take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))
                .collect();
            if !inside && !user.is_empty() && (start == "/root/" || !MADE_UP.contains(&user.as_str())) {
                return Some(format!("{start}{user}"));
            }
        }
    }
    None
}

/// What rustix and the kernel have on Linux and macOS does not. No other target's standard library is needed to see that its
/// uses stand under their `cfg`.
const LINUX_ONLY: &[&str] = &[
    "accept_with",
    "copy_file_range",
    "dup3",
    "epoll",
    "eventfd",
    "inotify",
    "memfd_create",
    "openat2",
    "OFlags::PATH",
    "OFlags::TMPFILE",
    "pidfd_open",
    "pidfd_send_signal",
    "pipe_with",
    "prctl",
    "ResolveFlags",
    "sendfile",
    "set_parent_process_death_signal",
    "set_tcp_quickack",
    "set_tcp_user_timeout",
    "setns",
    "signalfd",
    "statx",
    "unshare_unsafe",
];

#[test]
fn what_only_linux_has_stands_under_its_cfg() {
    let (mut wrong, mut seen) = (Wrong::default(), 0);
    for source in sources() {
        let lines: Vec<(&str, &str)> = source.text.lines().zip(source.production.lines()).collect();
        for (at, (_, line)) in lines.iter().enumerate() {
            for name in LINUX_ONLY.iter().filter(|name| has_word(line, name)) {
                let is_cfg = |above: usize| {
                    let text = lines[above].0.trim();
                    text.starts_with("#[cfg(")
                        && text.contains("target_os = \"linux\"")
                        && !text.contains("not(")
                };
                let code: Vec<&str> = lines[..at].iter().map(|(_, code)| *code).collect();
                if (0..at).any(|above| is_cfg(above) && is_open(&code[above + 1..])) {
                    seen += 1;
                } else {
                    let what = format!("`{name}` is Linux's: put #[cfg(target_os = \"linux\")] over it");
                    wrong.add(&source.path, at + 1, what);
                }
            }
        }
    }
    assert!(seen > 2, "the uses of today are not found: {seen}");
    wrong.report();
}

fn has_word(line: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word)
        .any(|(at, _)| !line[..at].ends_with(part) && !line[at + word.len()..].starts_with(part))
}

/// Whether the item or statement that begins with these lines goes on behind them.
fn is_open(lines: &[&str]) -> bool {
    let mut depth = 0_usize;
    for c in lines.iter().flat_map(|line| line.chars()) {
        match c {
            '{' | '(' | '[' => depth += 1,
            '}' | ')' | ']' if depth == 0 => return false,
            // An attribute or the parameters of a function close a bracket too; a body ends what it belongs to.
            '}' if depth == 1 => return false,
            '}' | ')' | ']' => depth -= 1,
            ';' if depth == 0 => return false,
            _ => {}
        }
    }
    true
}

#[test]
fn the_end_of_an_item_is_found() {
    assert!(
        is_open(&[]) && is_open(&["fn a(x: u8) -> u8 {", "  let y = [1; 2];"]) && is_open(&["use a::{b,"])
    );
    assert!(!is_open(&["use a;"]) && !is_open(&["fn a() {", "}", "fn b() {"]) && !is_open(&["x();", "}"]));
}

/// A version that nobody looked at does not come in with `cargo update`.
#[test]
fn every_version_of_a_dependency_was_looked_at() {
    let lock = read(Path::new("Cargo.lock"));
    let list = read(Path::new("packaging/audits.toml"));
    let entry =
        |name: &str| -> Option<&str> { list.split(&format!("\n[{name}]\n")).nth(1)?.split("\n[").next() };
    let field = |entry: &str, key: &str| -> Option<String> {
        entry
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{key} = \""))?.strip_suffix('"').map(str::to_owned))
    };
    let mut wrong = Wrong::default();
    let mut dependencies = false;
    for (number, line) in read(Path::new("Cargo.toml")).lines().enumerate() {
        if line.starts_with('[') {
            dependencies = line == "[dependencies]";
        } else if let (true, Some((name, _))) = (dependencies, line.split_once(" = ")) {
            let entry = entry(name).unwrap_or_default();
            let version = field(entry, "version").unwrap_or("none".to_owned());
            let locked = lock.contains(&format!("name = \"{name}\"\nversion = \"{version}\"\n"));
            if !locked || field(entry, "why").is_none_or(|why| why.is_empty()) {
                let what = format!(
                    "packaging/audits.toml has version {version} of `{name}`, and Cargo.lock another: look at it, then \
                     packaging/audit.py --write"
                );
                wrong.add(Path::new("Cargo.toml"), number + 1, what);
            }
        }
    }
    wrong.report();
}

#[test]
fn every_dependency_has_its_reason() {
    let docs = read(Path::new("docs/design/dependencies.md"));
    let mut wrong = Wrong::default();
    let mut dependencies = false;
    for (number, line) in read(Path::new("Cargo.toml")).lines().enumerate() {
        if line.starts_with('[') {
            dependencies = line.contains("dependencies]");
        } else if let (true, Some((name, _))) = (dependencies, line.split_once(" = "))
            && !docs.contains(&format!("`{name}`"))
        {
            let what = format!(
                "`{name}` has no line in docs/design/dependencies.md: say why it is needed, or remove it"
            );
            wrong.add(Path::new("Cargo.toml"), number + 1, what);
        }
    }
    wrong.report();
}
