//! The files that the argument of `Include` names: glob(7) without braces, in the order of bytes.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

/// The paths that match an absolute pattern, sorted; none when nothing does.
///
/// A pattern without wildcards stands for itself if it exists. A wildcard never matches `/` or a dot at the
/// start of a name. Folders that do not exist or may not be read match nothing, as glob(3) has it.
pub(super) fn paths(pattern: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = vec![PathBuf::new()];
    for component in pattern.components() {
        let name = match component {
            Component::Normal(name) => name,
            Component::Prefix(_) | Component::RootDir | Component::CurDir | Component::ParentDir => {
                for path in &mut found {
                    path.push(component);
                }
                continue;
            }
        };
        let Some(text) = name.to_str().filter(|text| text.contains(['*', '?', '[', '\\'])) else {
            for path in &mut found {
                path.push(name);
            }
            continue;
        };
        let pattern: Vec<char> = text.chars().collect();
        let mut next = Vec::new();
        for folder in &found {
            next.extend(matching(folder, &pattern)?);
        }
        found = next;
    }
    found.retain(|path| path.try_exists().unwrap_or(true));
    found.sort();
    Ok(found)
}

fn matching(folder: &Path, pattern: &[char]) -> io::Result<Vec<PathBuf>> {
    use io::ErrorKind::{NotADirectory, NotFound, PermissionDenied};
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), NotFound | NotADirectory | PermissionDenied) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name: Vec<char> = entry.file_name().to_string_lossy().chars().collect();
        let hidden = name.first() == Some(&'.') && pattern.first() != Some(&'.');
        if !hidden && fits(&name, pattern) {
            found.push(folder.join(entry.file_name()));
        }
    }
    Ok(found)
}

/// Whether a name fits a pattern of one path component.
fn fits(name: &[char], pattern: &[char]) -> bool {
    match pattern {
        [] => name.is_empty(),
        ['*', rest @ ..] => (0..=name.len()).any(|skip| fits(name.get(skip..).unwrap_or_default(), rest)),
        ['?', rest @ ..] => matches!(name, [_, more @ ..] if fits(more, rest)),
        ['[', rest @ ..] if class_end(rest).is_some() => {
            let (class, rest) = rest.split_at(class_end(rest).unwrap_or_default());
            let rest = rest.get(1..).unwrap_or_default();
            matches!(name, [c, more @ ..] if in_class(*c, class) && fits(more, rest))
        }
        ['\\', literal, rest @ ..] | [literal, rest @ ..] => {
            matches!(name, [c, more @ ..] if c == literal && fits(more, rest))
        }
    }
}

/// Where the bracket closes; one directly at the start is a member.
fn class_end(class: &[char]) -> Option<usize> {
    let start = usize::from(matches!(class.first(), Some('!' | '^')));
    let closing = class.iter().enumerate().skip(start + 1).find(|&(_, c)| *c == ']');
    closing.map(|(at, _)| at)
}

fn in_class(c: char, class: &[char]) -> bool {
    let (negated, mut members) = match class {
        ['!' | '^', members @ ..] => (true, members),
        members => (false, members),
    };
    let mut found = false;
    loop {
        members = match members {
            [] => return found != negated,
            [low, '-', high, rest @ ..] => {
                found |= (*low..=*high).contains(&c);
                rest
            }
            [member, rest @ ..] => {
                found |= *member == c;
                rest
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_patterns() {
        for (name, pattern, expected) in [
            ("a.conf", "*.conf", true),
            ("a.conf", "?.conf", true),
            ("b", "[a-c]", true),
            ("d", "[!a-c]", true),
            ("b", "[^a-c]", false),
            ("]", "[]]", true),
            ("-", "[a-]", true),
            ("[", "[", true),
            ("*", "\\*", true),
            ("a", "\\*", false),
            ("{a,b}", "{a,b}", true),
            ("a", "{a,b}", false),
        ] {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            assert_eq!(fits(&chars(name), &chars(pattern)), expected, "{name} {pattern}");
        }
    }

    #[test]
    fn files_come_sorted_and_hidden_ones_stay_hidden() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b/2.conf", "b/10.conf", "b/.3.conf", "a/1.conf", "a/x"] {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let list = |pattern: &str| {
            let paths = paths(&folder.path().join(pattern)).unwrap();
            let names =
                paths.iter().map(|path| path.strip_prefix(folder.path()).unwrap().display().to_string());
            names.collect::<Vec<_>>()
        };
        assert_eq!(list("*/*.conf"), ["a/1.conf", "b/10.conf", "b/2.conf"]);
        assert_eq!(list("b/.*"), ["b/.3.conf"]);
        assert_eq!(list("a/x"), ["a/x"]);
        assert_eq!(list("a/x/*"), [""; 0]);
        assert_eq!(list("none/*"), [""; 0]);
        assert_eq!(list("a/none"), [""; 0]);
    }
}
