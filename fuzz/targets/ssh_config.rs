//! Configurations of ssh: no text breaks what reads them, and the answer for a host is the same each time.
#![no_main]

use std::cell::LazyCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use fan::fuzzing::config::ssh_config::{Local, Sources, SshConfig};
use fan::fuzzing::model::settings::Settings;
use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

thread_local! {
    static FOLDER: LazyCell<TempDir> = LazyCell::new(|| tempfile::tempdir().expect("a folder"));
}

fuzz_target!(|text: &[u8]| {
    let path = FOLDER.with(|folder| folder.path().join("config"));
    // Nothing outside of the folder is to be read.
    let shown = String::from_utf8_lossy(text).to_ascii_lowercase();
    if shown.contains("include") && (shown.contains('/') || shown.contains('*')) {
        return;
    }
    fs::write(&path, text).expect("the folder is ours");
    let local = Local {
        user: "me".to_owned(),
        uid: rustix::process::getuid().as_raw(),
        home: PathBuf::from("/nonexistent"),
        host_name: "desk.example.com".to_owned(),
        env: BTreeMap::from([("SOCK".to_owned(), "/run/agent".to_owned())]),
    };
    let Ok(config) = SshConfig::load(&Sources::File(path), &local) else { return };
    for host in ["a", "web1.example.com", "10.0.0.1", "::1", "-x", "*"] {
        let [one, other] =
            [(); 2].map(|()| format!("{:?}", config.query(host, Settings::default(), &local)));
        assert_eq!(one, other);
    }
});
