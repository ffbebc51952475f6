//! Inventories of other tools: whatever is in the file, reading it twice gives the same, and errors say something.
#![no_main]

use std::cell::LazyCell;
use std::fs;

use fan::fuzzing::config::{SourceOptions, SourceSpec, load_sources};
use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

thread_local! {
    static FOLDER: LazyCell<TempDir> = LazyCell::new(|| tempfile::tempdir().expect("a folder"));
}

fuzz_target!(|text: &[u8]| {
    let folder = FOLDER.with(|folder| folder.path().to_owned());
    // What it is called tells INI from YAML; programs are not run.
    for (kind, name) in [("ansible", "hosts.ini"), ("ansible", "hosts.yml"), ("hosts", "hosts.txt")] {
        let path = folder.join(name);
        fs::write(&path, text).expect("the folder is ours");
        let spec = [SourceSpec::parse(&format!("{kind}:{}", path.display()))];
        let read = || load_sources(&spec, SourceOptions::bare(1000));
        match (read(), read()) {
            (Ok(one), Ok(other)) => {
                assert_eq!(format!("{:?}", one.value.hosts), format!("{:?}", other.value.hosts));
            }
            (Err(one), Err(other)) => {
                assert!(!one.errors().is_empty(), "refused without a word");
                assert_eq!(one, other);
            }
            (one, other) => panic!("read once as {one:?}, once as {other:?}"),
        }
        fs::remove_file(&path).expect("the file is there");
    }
});
