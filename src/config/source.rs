//! Files as text: regular, bounded, UTF-8. Refuses everything else with a reason; knows nothing of formats.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::sync::Arc;

use crate::model::position::{Diagnostic, Position};

/// Bytes that a file may have.
pub(super) const MAX_BYTES: usize = 4 * 1024 * 1024;

/// Bytes that an inventory may have: as many as a program may print.
pub(super) const MAX_BYTES_OF_HOSTS: usize = 64 * 1024 * 1024;

/// A file's text under the name that messages use.
#[derive(Debug)]
pub(super) struct Source {
    /// The path as the user typed it.
    pub(super) name: Arc<str>,
    /// The whole text, without a byte order mark.
    pub(super) text: String,
}

/// Reads a file whole.
pub(super) fn read(path: &Path) -> Result<Source, Diagnostic> {
    read_up_to(path, MAX_BYTES)
}

/// Reads an inventory whole.
pub(super) fn read_hosts(path: &Path) -> Result<Source, Diagnostic> {
    read_up_to(path, MAX_BYTES_OF_HOSTS)
}

fn read_up_to(path: &Path, most: usize) -> Result<Source, Diagnostic> {
    let name: Arc<str> = Arc::from(path.to_string_lossy());
    let bytes = open(path)
        .and_then(|file| drain_up_to(file, most))
        .map_err(|reason| Diagnostic::bare(format!("{name}: {reason}")))?;
    let text = decode(&name, &bytes)?;
    Ok(Source { name, text })
}

/// Decodes the bytes of a file; a UTF-8 byte order mark is dropped.
pub(super) fn decode(name: &Arc<str>, bytes: &[u8]) -> Result<String, Diagnostic> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        let at = Position::new(name.clone(), 1, 1);
        return Err(Diagnostic::at(&at, "not UTF-8 at byte 1: the file is UTF-16")
            .help("save it as UTF-8, for example with iconv -f UTF-16 -t UTF-8"));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let good = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let at = end_of(name, &String::from_utf8_lossy(good));
        Diagnostic::at(&at, format!("not UTF-8 at byte {}", error.valid_up_to() + 1))
    })?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text).to_owned())
}

/// The position just behind a text.
fn end_of(name: &Arc<str>, text: &str) -> Position {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let line = text.bytes().filter(|&b| b == b'\n').count() + 1;
    let column = text.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Position::new(name.clone(), count(line), count(column))
}

/// Opens a regular file; the reason is a fragment that follows the file's name.
pub(super) fn open(path: &Path) -> Result<File, String> {
    // The type is asked before opening: opening a FIFO would wait for a writer, and a device may never end.
    let kind = fs::metadata(path).map_err(|error| cannot_read(&error))?.file_type();
    if !kind.is_file() {
        let what = if kind.is_dir() {
            "is a directory"
        } else if kind.is_fifo() {
            "is a FIFO, not a regular file"
        } else if kind.is_socket() {
            "is a socket, not a regular file"
        } else {
            "is a device, not a regular file"
        };
        return Err(format!("cannot read: {what}"));
    }
    File::open(path).map_err(|error| cannot_read(&error))
}

/// Reads an open file to its end, up to [`MAX_BYTES`].
pub(super) fn drain(file: File) -> Result<Vec<u8>, String> {
    drain_up_to(file, MAX_BYTES)
}

/// Reads a stream to its end, up to so many bytes.
pub(super) fn drain_up_to(stream: impl Read, most: usize) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    stream.take(limit).read_to_end(&mut bytes).map_err(|error| cannot_read(&error))?;
    if bytes.len() > most {
        return Err(format!("larger than {} MiB", most / 1024 / 1024));
    }
    Ok(bytes)
}

fn cannot_read(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "cannot read: no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "cannot read: permission denied".to_owned(),
        _ => format!("cannot read: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(path: &Path) -> String {
        read(path).unwrap_err().to_string()
    }

    #[test]
    fn only_regular_files_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let fifo = path("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0)
            .unwrap();
        assert!(message(folder.path()).ends_with("cannot read: is a directory"));
        assert!(message(&fifo).ends_with("cannot read: is a FIFO, not a regular file"));
        assert_eq!(
            message(Path::new("/dev/zero")),
            "error: /dev/zero: cannot read: is a device, not a regular file"
        );
        assert!(message(&path("none")).ends_with("none: cannot read: no such file"));
    }

    #[test]
    fn a_file_has_a_limit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("big");
        fs::write(&path, vec![b'#'; MAX_BYTES]).unwrap();
        assert_eq!(read(&path).unwrap().text.len(), MAX_BYTES);
        fs::write(&path, vec![b'#'; MAX_BYTES + 1]).unwrap();
        assert!(message(&path).ends_with("larger than 4 MiB"));
        assert_eq!(read_hosts(&path).unwrap().text.len(), MAX_BYTES + 1);
        File::create(&path).unwrap().set_len(u64::try_from(MAX_BYTES_OF_HOSTS + 1).unwrap()).unwrap();
        assert!(read_hosts(&path).unwrap_err().to_string().ends_with("larger than 64 MiB"));
    }

    #[test]
    fn text_is_utf_8() {
        let name: Arc<str> = Arc::from("f");
        assert_eq!(decode(&name, b"\xef\xbb\xbfa: 1").unwrap(), "a: 1");
        assert_eq!(
            decode(&name, b"a: 1\nb: \xc3\xa4\xff").unwrap_err().to_string(),
            "f:2:5: error: not UTF-8 at byte 11"
        );
        assert!(decode(&name, b"\xff\xfea\0").unwrap_err().to_string().contains("UTF-16"));
    }
}
