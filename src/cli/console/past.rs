//! The lines of earlier consoles: a file for this user alone, without lines that hold a secret or begin with a space.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

/// Lines that are kept.
pub(super) const LINES: usize = 1000;

/// Bytes of the file above which its older lines go.
const BYTES: u64 = 256 * 1024;

/// The file.
pub(super) struct PastLines {
    path: PathBuf,
}

impl PastLines {
    /// That of this folder, which is made when it is missing.
    pub(super) fn within(state: &Path) -> io::Result<Self> {
        let folder = state.join("fan");
        DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        Ok(Self { path: folder.join("console_history") })
    }

    /// Opens it for this user alone. What stands in its place is not followed.
    fn open(&self, options: &mut OpenOptions) -> io::Result<File> {
        let no_link = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or_default();
        let file = options.mode(0o600).custom_flags(no_link).open(&self.path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("it is no plain file"));
        }
        file.set_permissions(PermissionsExt::from_mode(0o600))?;
        Ok(file)
    }

    /// The last lines, the oldest first.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut text = Vec::new();
        let opened = self.open(OpenOptions::new().read(true));
        if opened.and_then(|mut file| file.read_to_end(&mut text)).is_err() {
            return Vec::new();
        }
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        let from = lines.len().saturating_sub(LINES);
        lines.into_iter().skip(from).map(str::to_owned).collect()
    }

    /// Adds a line. Consoles in other terminals may do so at the same time.
    pub(super) fn add(&self, line: &str) -> io::Result<()> {
        let mut file = self.open(OpenOptions::new().append(true).create(true))?;
        if file.metadata()?.len() > BYTES {
            let lines = self.lines();
            file = self.open(OpenOptions::new().write(true).truncate(true))?;
            file.write_all(lines.into_iter().map(|line| line + "\n").collect::<String>().as_bytes())?;
        }
        file.write_all(format!("{}\n", line.replace(['\n', '\r'], " ")).as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_kept_for_this_user_alone() {
        let state = tempfile::tempdir().unwrap();
        let past = PastLines::within(&state.path().join("new")).unwrap();
        assert_eq!(past.lines(), Vec::<String>::new());
        past.add("uptime").unwrap();
        past.add("echo a\nb").unwrap();
        assert_eq!(past.lines(), ["uptime", "echo a b"]);
        let mode = std::fs::metadata(&past.path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        for _ in 0..30 {
            past.add(&"x".repeat(10_000)).unwrap();
        }
        past.add("last").unwrap();
        assert_eq!(past.lines().last().map(String::as_str), Some("last"));
        std::fs::remove_file(&past.path).unwrap();
        std::os::unix::fs::symlink(state.path().join("elsewhere"), &past.path).unwrap();
        assert!(past.add("x").is_err() && !state.path().join("elsewhere").exists());
    }
}
