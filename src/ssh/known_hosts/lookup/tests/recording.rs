//! What is written, and that it is still all there when many write at once.

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{fs, thread};

use rustix::fs::{FlockOperation, flock};

use crate::ssh::known_hosts::hosts::hash_name;
use crate::ssh::known_hosts::locked::LockedFile;
use crate::ssh::known_hosts::lookup::KnownHosts;
use crate::ssh::known_hosts::lookup::tests::fixture::{
    EC, ED, ED2, RSA, Store, blob, numbered_key, wire, word,
};
use crate::ssh::known_hosts::record::{Beside, KeyRecording, NewKey, Recorder};
use crate::ssh::known_hosts::record_error::RecordError;
use crate::ssh::known_hosts::revoked::RevokedKeys;

fn new_key(host: &str, port: u16, key: &str) -> NewKey {
    NewKey { host: host.to_owned(), port, blob: blob(key), beside: Beside::Nothing }
}

fn record(path: &Path, keys: &[NewKey]) -> Result<Vec<String>, RecordError> {
    Recorder::default().record(path, keys).map(|all| all.iter().map(said).collect())
}

fn said(recording: &KeyRecording) -> String {
    match recording {
        KeyRecording::Added(place) => format!("added:{}", place.line),
        KeyRecording::Already(place) => format!("already:{}", place.line),
        KeyRecording::Refused(verdict) => format!("refused:{}", word(verdict)),
    }
}

#[test]
fn lines_are_those_that_ssh_writes() {
    let store = Store::new();
    let path = store.path("known_hosts");
    let keys = [
        new_key("Web1.example.COM", 22, ED),
        new_key("h", 2222, EC),
        new_key("::1", 22, ED),
        new_key("fe80::1%eth0", 2222, ED),
        new_key("h", 2222, EC),
    ];
    assert_eq!(record(&path, &keys).unwrap(), ["added:1", "added:2", "added:3", "added:4", "already:2"]);
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        format!("web1.example.com {ED}\n[h]:2222 {EC}\n::1 {ED}\n[fe80::1%eth0]:2222 {ED}\n")
    );
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    let known = KnownHosts::load(&[path]);
    assert_eq!(word(&known.check("WEB1.example.com", 22, &blob(ED))), "trusted:1");
}

#[test]
fn a_file_without_a_final_newline_and_its_mode_are_kept() {
    let store = Store::new();
    let path = store.write("known_hosts", format!("# mine\nx {ED2}"));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let recorder = Recorder::default();
    for (host, expected) in [("h", "added:3"), ("i", "added:4")] {
        assert_eq!(said(&recorder.record(&path, &[new_key(host, 22, ED)]).unwrap()[0]), expected);
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("# mine\nx {ED2}\nh {ED}\ni {ED}\n"));
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o640);
}

#[test]
fn what_the_file_says_now_decides() {
    let store = Store::new();
    let other_type = NewKey { beside: Beside::OtherTypes, ..new_key("h", 22, ED) };
    for (text, key, expected) in [
        (format!("h {ED}\n"), new_key("h", 22, ED), "already:1"),
        (format!("h {ED2}\n"), new_key("h", 22, ED), "refused:changed:1"),
        (format!("h {RSA}\n"), new_key("h", 22, ED), "refused:changed:1"),
        (format!("h {RSA}\n"), other_type.clone(), "added:2"),
        (format!("h {RSA}\nh {ED2}\n"), other_type, "refused:changed:1,2"),
        (format!("@revoked * {ED}\n"), new_key("h", 22, ED), "refused:revoked:1"),
        ("h garbage\n".to_owned(), new_key("h", 22, ED), "refused:store:1"),
    ] {
        let path = store.write("known_hosts", &text);
        assert_eq!(record(&path, &[key]).unwrap(), [expected], "{text}");
        let grown = fs::read_to_string(&path).unwrap() != text;
        assert_eq!(grown, expected.starts_with("added"), "{text}");
    }
}

#[test]
fn a_recorder_sees_what_others_wrote_meanwhile() {
    let store = Store::new();
    let path = store.path("known_hosts");
    let (ours, theirs) = (Recorder::default(), Recorder::default());
    let one = |recorder: &Recorder, key: &NewKey| {
        said(&recorder.record(&path, std::slice::from_ref(key)).unwrap()[0])
    };
    assert_eq!(one(&ours, &new_key("a", 22, ED)), "added:1");
    assert_eq!(one(&theirs, &new_key("b", 22, ED)), "added:2");
    assert_eq!(one(&ours, &new_key("b", 22, ED)), "already:2");
    assert_eq!(one(&ours, &new_key("b", 22, ED2)), "refused:changed:2");
    assert_eq!(one(&ours, &new_key("c", 22, ED)), "added:3");
    // As `ssh-keygen -R` does it: another file takes the name.
    let fresh = store.write("fresh", format!("c {ED2}\n"));
    fs::rename(fresh, &path).unwrap();
    assert_eq!(one(&ours, &new_key("c", 22, ED)), "refused:changed:1");
    assert_eq!(one(&ours, &new_key("a", 22, ED)), "added:2");
}

#[test]
fn names_stay_hidden_where_all_are_hidden() {
    let store = Store::new();
    let hashed = hash_name("x", [1; 20]);
    let path = store.write("known_hosts", format!("{hashed} {ED2}\n@revoked y {EC}\n"));
    assert_eq!(record(&path, &[new_key("h", 2222, ED)]).unwrap(), ["added:3"]);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.lines().last().unwrap().starts_with("|1|"), "{text}");
    assert_eq!(word(&KnownHosts::load(&[path]).check("h", 2222, &blob(ED))), "trusted:3");
    let mixed = store.write("mixed", format!("{hashed} {ED2}\ny {EC}\n"));
    record(&mixed, &[new_key("h", 22, ED)]).unwrap();
    assert!(fs::read_to_string(&mixed).unwrap().ends_with(&format!("\nh {ED}\n")));
}

#[test]
fn nothing_but_a_name_becomes_a_name() {
    let store = Store::new();
    let path = store.path("known_hosts");
    for name in
        ["", "a b", "a\nb", "a\tb", "a,b", "*", "a?", "!a", "#a", "@revoked", "|1|x|y", "a\r", "a\0", "é"]
    {
        let error = record(&path, &[new_key("good", 22, ED), new_key(name, 22, ED)]).unwrap_err();
        assert!(matches!(error, RecordError::Name { .. }), "{name:?}");
        assert_eq!(fs::read(&path).unwrap_or_default(), b"", "{name:?}");
    }
}

#[test]
fn nothing_but_a_good_key_becomes_a_key() {
    let store = Store::new();
    let path = store.path("known_hosts");
    for blob in [
        Vec::new(),
        b"garbage".to_vec(),
        wire(&[b"ssh-ed25519-cert-v01@openssh.com", b"nonce"]),
        wire(&[b"ssh-ed25519", &[1; 31]]),
        wire(&[b"ssh-rsa", &[1, 0, 1], &[0xff; 64]]),
        wire(&[b"ssh ed25519\nx", &[1; 32]]),
    ] {
        let key = NewKey { blob, ..new_key("h", 22, ED) };
        assert!(matches!(record(&path, &[key]).unwrap_err(), RecordError::Key { .. }));
    }
}

#[test]
fn what_cannot_be_written_is_an_error_that_says_what_to_do() {
    let store = Store::new();
    let real = store.write("real", format!("x {ED2}\n"));
    let linked = store.path("linked");
    symlink(&real, &linked).unwrap();
    fs::create_dir(store.path("folder")).unwrap();
    let mut told = String::new();
    for path in [
        PathBuf::from("/dev/full"),
        PathBuf::from("/dev/null"),
        linked,
        store.path("folder"),
        store.path("no/such/folder"),
        real.join("below-a-file"),
    ] {
        let error = record(&path, &[new_key("h", 22, ED)]).unwrap_err();
        told += &format!("{error}\n  {}\n", error.hint())
            .replace(&store.path("").display().to_string(), "~/.ssh/");
    }
    assert_eq!(fs::read_to_string(&real).unwrap(), format!("x {ED2}\n"));
    insta::assert_snapshot!(told, @r"
    /dev/full is not a regular file
      name a file first in `known_hosts`
    /dev/null is not a regular file
      name a file first in `known_hosts`
    ~/.ssh/linked is a symbolic link
      name its target ~/.ssh/linked first in `known_hosts`
    ~/.ssh/folder is not a regular file
      name a file first in `known_hosts`
    cannot write ~/.ssh/no/such/folder: No such file or directory (os error 2)
      fix ~/.ssh/no/such/folder, then run again
    cannot write ~/.ssh/real/below-a-file: Not a directory (os error 20)
      fix ~/.ssh/real/below-a-file, then run again
    ");
}

#[test]
fn a_missing_ssh_folder_is_made_for_its_owner_only() {
    let store = Store::new();
    let path = store.path(".ssh/known_hosts");
    record(&path, &[new_key("h", 22, ED)]).unwrap();
    assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().mode() & 0o777, 0o700);
}

#[test]
fn a_lock_that_is_never_given_back_is_an_error() {
    let store = Store::new();
    let path = store.write("known_hosts", "");
    let holder = fs::File::open(&path).unwrap();
    flock(&holder, FlockOperation::LockExclusive).unwrap();
    let opened = LockedFile::open(&Arc::from(path.as_path()), Duration::from_millis(20));
    assert!(matches!(opened.err(), Some(RecordError::Busy { .. })));
}

#[test]
fn twenty_writers_lose_nothing_and_tear_nothing() {
    const WRITERS: u32 = 20;
    const HOSTS: u32 = 10;
    let store = Store::new();
    let path = store.path("known_hosts");
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let path = &path;
            scope.spawn(move || {
                // A recorder each: they are as blind to each other as processes are.
                let recorder = Recorder::default();
                for host in 0..HOSTS {
                    // Half of the hosts are everybody's.
                    let number = if host % 2 == 0 { host } else { 100 + writer * HOSTS + host };
                    let key = new_key(&format!("h{number}"), 22, &numbered_key(number));
                    let done = recorder.record(path, &[key]).unwrap();
                    assert!(!matches!(done[0], KeyRecording::Refused(_)));
                }
            });
        }
    });
    let known = KnownHosts::load(std::slice::from_ref(&path));
    assert_eq!(known.warnings(), &[] as &[String]);
    let text = fs::read_to_string(&path).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    let count = lines.len();
    lines.sort_unstable();
    lines.dedup();
    assert_eq!((lines.len(), count), (105, 105), "{text}");
    assert!(text.ends_with('\n'));
}

#[test]
fn revoked_keys_are_found_and_doubt_refuses() {
    let store = Store::new();
    let good = store.write("revoked", format!("# old keys\n\n  {ED} web1\r\n{RSA}\n"));
    let krl = store.write("krl", b"SSHKRL\n\0\0\0\0\x01");
    let garbage = store.write("garbage", format!("{ED2}\nhost {ED}\n"));
    let revoked = RevokedKeys::load(std::slice::from_ref(&good));
    assert_eq!(revoked.find(&blob(ED)).unwrap().map(|place| place.line), Some(3));
    assert_eq!(revoked.find(&blob(RSA)).unwrap().map(|place| place.line), Some(4));
    assert_eq!(revoked.find(&blob(EC)), Ok(None));
    let mut told = String::new();
    for bad in [krl, garbage, store.path("missing"), store.path(".")] {
        let revoked = RevokedKeys::load(&[good.clone(), bad]);
        assert!(revoked.find(&blob(ED)).unwrap().is_some());
        let error = revoked.find(&blob(EC)).unwrap_err();
        told += &format!("{error}\n  {}\n", error.hint())
            .replace(&store.path("").display().to_string(), "~/.ssh/");
    }
    insta::assert_snapshot!(told, @r"
    ~/.ssh/krl is a binary revocation list (KRL), which fan does not read
      list the revoked keys as text, one public key per line, or as @revoked lines
    ~/.ssh/garbage:2: a line of revoked keys is unusable: the key is not valid base64, it may be cut off
      correct or delete line 2 of ~/.ssh/garbage
    cannot read ~/.ssh/missing: No such file or directory (os error 2)
      make ~/.ssh/missing readable, or name other files with `known_hosts`
    ~/.ssh/. is a directory, not a file of host keys
      name another file with `known_hosts`
    ");
}
