//! Finding `inventory.yaml` and `tasks.yaml` from the current folder upward, where that is safe.
//!
//! A file that fan picks up by itself must not be one that any local user could have put there
//! (Ansible: CVE-2018-10874, CVE-2018-10875). A file that the user names is used wherever it stands.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

use crate::model::position::Diagnostic;

/// May be written by everyone.
const WORLD_WRITABLE: u32 = 0o002;
/// Only the owner of a file may replace it.
const STICKY: u32 = 0o1000;

/// Finds the nearest file of this name in a folder or one of its parents.
///
/// `start` must be absolute. `Ok(None)`: there is none.
///
/// # Errors
/// When the nearest one stands in a folder that everyone may write to, unless the folder is sticky and
/// the file belongs to the user or to root.
pub fn find_upwards(start: &Path, file_name: &str) -> Result<Option<PathBuf>, Diagnostic> {
    for folder in start.ancestors() {
        let path = folder.join(file_name);
        let Ok(file) = fs::symlink_metadata(&path) else { continue };
        let Ok(around) = fs::metadata(folder) else { continue };
        if around.mode() & WORLD_WRITABLE != 0 {
            let ours = file.uid() == geteuid().as_raw() || file.uid() == 0;
            if around.mode() & STICKY == 0 || !ours {
                return Err(Diagnostic::bare(format!(
                    "{}: not used, because anyone may write to its folder",
                    path.display()
                ))
                .help(format!(
                    "name the file on the command line if you trust it, or chmod o-w {}",
                    folder.display()
                )));
            }
        }
        return Ok(Some(path));
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn the_nearest_file_upwards_is_found() {
        let root = tempfile::tempdir().unwrap();
        let deep = root.path().join("a/b/c");
        fs::create_dir_all(&deep).unwrap();
        assert_eq!(find_upwards(&deep, "fan-search-test.yaml"), Ok(None));
        let far = root.path().join("fan-search-test.yaml");
        fs::write(&far, "").unwrap();
        assert_eq!(find_upwards(&deep, "fan-search-test.yaml"), Ok(Some(far)));
        let near = root.path().join("a/b/fan-search-test.yaml");
        fs::write(&near, "").unwrap();
        assert_eq!(find_upwards(&deep, "fan-search-test.yaml"), Ok(Some(near)));
    }

    #[test]
    fn a_file_that_anyone_could_have_put_there_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("open");
        fs::create_dir(&folder).unwrap();
        let file = folder.join("tasks.yaml");
        fs::write(&file, "").unwrap();
        mode(&folder, 0o777);
        let error = find_upwards(&folder, "tasks.yaml").unwrap_err().to_string();
        assert!(error.contains("tasks.yaml: not used, because anyone may write to its folder"), "{error}");
        assert!(error.contains("chmod o-w"), "{error}");
        mode(&folder, 0o1777);
        assert_eq!(find_upwards(&folder, "tasks.yaml"), Ok(Some(file.clone())));
        mode(&folder, 0o775);
        assert_eq!(find_upwards(&folder, "tasks.yaml"), Ok(Some(file)));
    }

    #[test]
    fn an_open_folder_without_the_file_is_passed() {
        let root = tempfile::tempdir().unwrap();
        let open = root.path().join("open");
        fs::create_dir(&open).unwrap();
        mode(&open, 0o777);
        let file = root.path().join("tasks.yaml");
        fs::write(&file, "").unwrap();
        assert_eq!(find_upwards(&open, "tasks.yaml"), Ok(Some(file)));
    }
}
