//! Reads Markdown as far as the rules need it: tables, links, headings, names of files.

use std::collections::BTreeSet;
use std::path::Path;

use crate::repository::read;

/// The first two columns of the first table under a heading, without its head.
pub(crate) fn table(path: &str, heading: &str) -> Vec<(String, String)> {
    let text = read(Path::new(path));
    let section = text.lines().skip_while(|line| line.trim() != heading).skip(1);
    let rows = section.skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    let cells = rows.skip(2).map(|row| {
        let mut cells = row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned());
        (cells.next().unwrap_or_default(), cells.next().unwrap_or_default())
    });
    let cells: Vec<_> = cells.collect();
    assert!(!cells.is_empty(), "{path} needs a table under \"{heading}\"");
    cells
}

/// Targets of inline links to files of the repository, with lines. Code is passed over.
pub(crate) fn links(markdown: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in prose(markdown) {
        for (at, _) in line.match_indices("](") {
            let target: String = line[at + 2..].chars().take_while(|&c| c != ')' && c != ' ').collect();
            if !target.contains("://") && !target.starts_with("mailto:") {
                found.push((number, target));
            }
        }
    }
    found
}

/// Lines outside of fenced code, with what is between backticks blanked.
pub(crate) fn prose(markdown: &str) -> Vec<(usize, String)> {
    let mut fenced = false;
    let mut lines = Vec::new();
    for (number, line) in markdown.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            let parts = line.split('`').enumerate();
            let blanked: Vec<&str> =
                parts.map(|(part, text)| if part % 2 == 0 { text } else { "" }).collect();
            lines.push((number + 1, blanked.join("`")));
        }
    }
    lines
}

/// The anchors of a page's headings, by the rule of code hosts: lower case, spaces to `-`, punctuation away.
pub(crate) fn anchors(markdown: &str) -> BTreeSet<String> {
    let mut fenced = false;
    let mut found = BTreeSet::new();
    for line in markdown.lines() {
        fenced ^= line.trim_start().starts_with("```");
        if let (false, true) = (fenced, line.starts_with('#')) {
            let heading = line.trim_start_matches('#').trim().to_lowercase();
            let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            found.insert(kept.map(|c| if c == ' ' { '-' } else { c }).collect());
        }
    }
    found
}

/// Paths of this repository that a text names: what begins with one of its folders, and example files.
pub(crate) fn named_files(text: &str) -> Vec<String> {
    let is_path = |c: char| c.is_alphanumeric() || matches!(c, '/' | '.' | '_' | '-');
    text.split(|c: char| !is_path(c))
        .map(|word| word.trim_end_matches('.'))
        .filter(|word| {
            let in_repository =
                ["docs/", "src/", "tests/", "benches/"].iter().any(|start| word.starts_with(start));
            in_repository && word.len() > 6 || word.ends_with(".example.yaml") && !word.starts_with('.')
        })
        .map(str::to_owned)
        .collect()
}
