//! Paths of a host: taken apart, put together, and for messages.

/// `cannot WHAT /path`.
pub(in crate::files) fn about(what: &str, path: &[u8]) -> String {
    format!("cannot {what} {}", shown(path))
}

/// A path for messages.
pub fn shown(path: &[u8]) -> String {
    String::from_utf8_lossy(path).into_owned()
}

/// The path of something in a folder.
pub fn child(folder: &[u8], name: &[u8]) -> Vec<u8> {
    match folder {
        b"" => name.to_vec(),
        _ if folder.ends_with(b"/") => [folder, name].concat(),
        _ => [folder, b"/", name].concat(),
    }
}

/// The folder that a path is in, and its last name. Without a name for `/`, `.` and `..`.
pub fn split(path: &[u8]) -> (Vec<u8>, Option<Vec<u8>>) {
    let end = path.iter().rposition(|&byte| byte != b'/').map_or(0, |at| at + 1);
    let trimmed = path.get(..end).unwrap_or_default();
    let at = trimmed.iter().rposition(|&byte| byte == b'/').map_or(0, |at| at + 1);
    let (folder, name) = trimmed.split_at(at);
    match name {
        b"" | b"." | b".." => (path.to_vec(), None),
        _ if folder.is_empty() => (b".".to_vec(), Some(name.to_vec())),
        _ if folder == b"/" => (b"/".to_vec(), Some(name.to_vec())),
        _ => (folder.strip_suffix(b"/").unwrap_or(folder).to_vec(), Some(name.to_vec())),
    }
}

/// Names of one folder that are read; a host could go on for ever.
pub(super) const MAX_NAMES: usize = 100_000;

/// Bytes of a path that a host tells which a message repeats.
pub const LONGEST_TOLD: usize = 200;
