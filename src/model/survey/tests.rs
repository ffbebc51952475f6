//! The scripts, run by a real shell on this machine, and their answers read; and answers that are none.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::{Command, Stdio};

use proptest::prelude::*;

use super::*;

fn ran(script: &str, folder: &std::path::Path) -> Vec<u8> {
    let mut command = Command::new("sh");
    command.arg("-c").arg(script).current_dir(folder).env("FAN_HOST", "web1").stdin(Stdio::null());
    let ran = command.output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    ran.stdout
}

fn read(answer: &[u8]) -> Vec<SurveyItem> {
    SurveyReader::default().push(answer).unwrap()
}

/// Paths with their kind and the beginning of their hash.
fn told(items: &[SurveyItem]) -> Vec<String> {
    let line = |item: &SurveyItem| match item {
        SurveyItem::Root(number, root) => format!("{number}: {root:?}"),
        SurveyItem::Entry(_, path, entry) => {
            let hash = entry.hash.map(|hash| hash.to_string()[..6].to_owned()).unwrap_or_default();
            let target = entry.target.as_deref().map(String::from_utf8_lossy).unwrap_or_default();
            let mode = entry.mode.map(|mode| format!("{mode:o}")).unwrap_or_default();
            format!("{:?} {} {mode} {hash}{target}", String::from_utf8_lossy(path), entry.kind.word())
        }
        SurveyItem::End => "end".to_owned(),
    };
    items.iter().map(line).collect()
}

#[test]
fn every_name_and_kind_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &[u8]| folder.path().join("d").join(std::ffi::OsStr::from_bytes(name));
    fs::create_dir(folder.path().join("d")).unwrap();
    fs::create_dir(at(b"sub")).unwrap();
    for name in [&b"a"[..], b"new\nline", b"\xff\xfe", b"-n", b"back\\slash", b"sub/b", b"end\n"] {
        fs::write(at(name), name).unwrap();
        fs::set_permissions(at(name), fs::Permissions::from_mode(0o640)).unwrap();
    }
    symlink("loop", at(b"loop")).unwrap();
    symlink("sub", at(b"to-folder")).unwrap();
    symlink("..", at(b"sub/up")).unwrap();
    let fifo = Command::new("mkfifo").arg(at(b"fifo")).status().unwrap();
    assert!(fifo.success());
    let _socket = std::os::unix::net::UnixListener::bind(at(b"socket")).unwrap();
    for name in ["", "sub"] {
        fs::set_permissions(at(name.as_bytes()), fs::Permissions::from_mode(0o755)).unwrap();
    }
    for name in [&b"fifo"[..], b"socket"] {
        fs::set_permissions(at(name), fs::Permissions::from_mode(0o600)).unwrap();
    }
    let items = read(&ran(&survey(&["d", "d/a", "d/loop", "none", "{host}", "-x"]), folder.path()));
    let told = told(&items);
    insta::assert_snapshot!(told.join("\n"), @r#"
    0: Folder
    "" folder 755 
    "-n" file 640 5249f4
    "a" file 640 ca9781
    "back\\slash" file 640 1498e0
    "end\n" file 640 48332f
    "fifo" named pipe 600 
    "loop" link  loop
    "new\nline" file 640 58fb67
    "socket" socket 600 
    "sub" folder 755 
    "sub/b" file 640 bd60e1
    "sub/up" link  ..
    "to-folder" link  sub
    "��" file 640 b3d510
    1: Other
    "" file 640 ca9781
    2: Other
    "" link  loop
    3: Missing
    4: Missing
    5: Missing
    end
    "#);
    let one = |path: &[u8]| {
        let hash = items.iter().find_map(|item| match item {
            SurveyItem::Entry(0, at, entry) if at == path => Some(entry.hash),
            _ => None,
        });
        hash.flatten().unwrap()
    };
    use sha2::{Digest, Sha256};
    for name in [&b"new\nline"[..], b"\xff\xfe", b"end\n"] {
        assert_eq!(one(name).0, <[u8; 32]>::from(Sha256::digest(name)), "{name:?}");
    }
}

#[test]
fn contents_come_whole_whatever_is_in_them() {
    let folder = tempfile::tempdir().unwrap();
    let names = [&b"plain"[..], b"new\nline\n", b"\xff'%s\\", b"empty", b"long"];
    let contents: [&[u8]; 5] = [b"a\n", b"\0fan-x 7\0", b"\0\0\xff", b"", &[b'x'; 300]];
    for (name, content) in names.iter().zip(contents) {
        fs::write(folder.path().join(std::ffi::OsStr::from_bytes(name)), content).unwrap();
    }
    let wanted = |(id, name): (usize, &&[u8])| WantedContent {
        host: if id == 0 { "web2" } else { "web1" }.to_owned(),
        root: ".".to_owned(),
        below: name.to_vec(),
        id,
    };
    let wanted: Vec<WantedContent> = names.iter().enumerate().map(wanted).collect();
    let answer = ran(&super::contents(&wanted, "fan-y", 200), folder.path());
    for size in [1, 7, 4096] {
        let mut reader = ContentsReader::new("fan-y", 1024);
        let read: Vec<SurveyContent> = answer.chunks(size).flat_map(|piece| reader.push(piece)).collect();
        let expected: Vec<SurveyContent> = (1..5)
            .map(|id| SurveyContent { id, data: contents[id][..contents[id].len().min(200)].to_vec() })
            .collect();
        assert_eq!(read, expected, "the other host's content is not asked for here");
    }
}

#[test]
fn the_lines_of_all_kinds_of_stat_and_ls() {
    for (line, shown) in [
        ("81a4/sys/sys/12", "420 sys:sys Some(12)"),
        ("81a4/DOM\\al b/domain users/12", "420 DOM\\al b:domain users Some(12)"),
        ("100644/root/wheel/12", "none"),
        ("-rwsr-xr-t 1 root wheel 12 Jan 1 00:00 x", "3053 root:wheel Some(12)"),
        ("-", "none"),
        ("", "none"),
    ] {
        let answer = format!("P\0{}\0d\0m\0{}\0./x\0{line}\0E\0", 0, 1);
        let items = read(answer.as_bytes());
        let entry = items.iter().find_map(|item| match item {
            SurveyItem::Entry(_, _, entry) => Some(entry),
            _ => None,
        });
        let told = entry.map_or("none".to_owned(), |entry| {
            format!("{} {} {:?}", entry.mode.unwrap(), entry.owner.as_deref().unwrap(), entry.size)
        });
        assert_eq!(told, shown, "{line}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_and_pieces_do_not_matter(
        parts in prop::collection::vec(prop_oneof![
            Just(b"P\0".to_vec()), Just(b"m\0".to_vec()), Just(b"h\0".to_vec()), Just(b"1\0".to_vec()),
            Just(b"d\0".to_vec()), Just(b"E\0".to_vec()), Just(b"l\0".to_vec()), Just(b"./a\0".to_vec()),
            Just(b"81a4/sys/sys/12\n\0".to_vec()), prop::collection::vec(any::<u8>(), 0..8),
        ], 0..20),
        size in 1_usize..9,
    ) {
        let answer = parts.concat();
        let whole = SurveyReader::default().push(&answer);
        let mut reader = SurveyReader::default();
        let mut pieces = Ok(Vec::new());
        for piece in answer.chunks(size) {
            match (reader.push(piece), &mut pieces) {
                (Ok(items), Ok(all)) => all.extend(items),
                (Err(error), _) => { pieces = Err(error); break; }
                (Ok(_), Err(_)) => {}
            }
        }
        prop_assert_eq!(whole.is_ok(), pieces.is_ok());
        if let (Ok(whole), Ok(pieces)) = (whole, pieces) {
            prop_assert_eq!(whole, pieces);
        }
        let mut reader = ContentsReader::new("m", 8);
        for piece in answer.chunks(size) {
            reader.push(piece);
        }
    }
}
