//! What changes in a text: the unified format of diff(1), for people.

use std::sync::{Arc, Mutex, PoisonError};

use similar::TextDiff;

use crate::files::content::Content;
use crate::files::remote::{Remote, shown};
use crate::model::count::counted;
use crate::model::outcome::Failure;
use crate::ssh::Session;

/// Longer texts are not compared line by line, in bytes.
const MAX_TEXT: u64 = 1024 * 1024;

/// Lines of one file's difference that are shown.
const MAX_LINES: usize = 500;

/// The text at a path of the host; none when nothing is there, or no text of a size that people read.
pub(super) async fn text_there<S: Session>(
    remote: &Remote<S>,
    path: &[u8],
) -> Result<Option<String>, Failure> {
    let size = remote.look(path, true).await?.and_then(|meta| meta.size());
    let Some(size) = size.filter(|&size| size <= MAX_TEXT) else { return Ok(None) };
    Ok(String::from_utf8(read(remote, path, size).await?).ok())
}

/// All bytes of a file of the host that is small.
pub(super) async fn read<S: Session>(remote: &Remote<S>, path: &[u8], size: u64) -> Result<Vec<u8>, Failure> {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&kept);
    remote
        .read_with(path, size, move |data| {
            sink.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(data);
        })
        .await?;
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(std::mem::take(&mut *kept))
}

/// What changes when a content takes the place of a text.
pub(super) async fn of(path: &[u8], before: Option<&str>, content: &Arc<Content>) -> Result<String, Failure> {
    let path = shown(path);
    if content.size() > MAX_TEXT {
        return Ok(format!("{path}: {} bytes, not shown\n", content.size()));
    }
    let mut after = Vec::new();
    while u64::try_from(after.len()).is_ok_and(|read| read < content.size()) {
        after.extend_from_slice(&content.block(u64::try_from(after.len()).unwrap_or(u64::MAX)).await?);
    }
    Ok(match String::from_utf8(after) {
        Ok(after) => unified(&path, before, &after),
        Err(_) => format!("{path}: {} bytes, not text\n", content.size()),
    })
}

/// The difference of two texts.
pub(super) fn unified(path: &str, before: Option<&str>, after: &str) -> String {
    let old = before.unwrap_or_default();
    let from = if before.is_some() { path } else { "/dev/null" };
    let diff = TextDiff::from_lines(old, after);
    let text = diff.unified_diff().context_radius(3).header(from, path).to_string();
    let count = text.lines().count();
    if count <= MAX_LINES {
        return text;
    }
    let shown: String = text.split_inclusive('\n').take(MAX_LINES).collect();
    format!("{shown}... and {}\n", counted(count - MAX_LINES, "more line"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_what_diff_prints() {
        let text = unified("/etc/x", Some("a\nb\nc\n"), "a\nB\nc\n");
        assert_eq!(text, "--- /etc/x\n+++ /etc/x\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n");
        assert!(
            unified("/etc/x", None, "new\n").starts_with("--- /dev/null\n+++ /etc/x\n@@ -0,0 +1 @@\n+new\n")
        );
        let long: String = (0..2000).map(|line| format!("{line}\n")).collect();
        assert!(unified("x", None, &long).ends_with("... and 1503 more lines\n"));
    }
}
