//! Files of private keys, public halves and certificates: whatever is in them is a key or an error with words.
#![no_main]

use std::cell::LazyCell;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use fan::fuzzing::model::secret::Secret;
use fan::fuzzing::ssh::keys::Keyring;
use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

thread_local! {
    static FOLDER: LazyCell<TempDir> = LazyCell::new(|| tempfile::tempdir().expect("a folder"));
}

fuzz_target!(|bytes: &[u8]| {
    let folder = FOLDER.with(|folder| folder.path().to_owned());
    let (key, beside) = (folder.join("key"), folder.join("key-cert.pub"));
    for path in [&key, &beside, &folder.join("key.pub")] {
        fs::write(path, bytes).expect("the folder is ours");
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("it is ours");
    }
    let mut keyring = Keyring::default();
    if let Err(error) = keyring.load(&key) {
        assert!(!error.message.is_empty());
    }
    let _ = keyring.load_certificate(&beside);
    if let Some(identity) = keyring.get(&key) {
        identity.public();
    }
    keyring.locked();
    // A key that takes long to open is refused; this takes a moment of those that are not.
    if bytes.len() < 600 {
        let _ = keyring.unlock(&key, &Secret::new("hunter2"));
    }
    keyring.take_warnings();
});
