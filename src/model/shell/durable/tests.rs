//! The scripts in the shells that hosts have, marks in pieces, names.

use std::fs;
use std::io::Read;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn token() -> Token {
    Token::new(0xfa)
}

#[test]
fn marks_are_read_and_nothing_else() {
    let mut scan = SpoolScan::new(&token());
    let prefix = format!("fan-{}-", token().as_str());
    let text = format!("a{prefix}exit 3\nb{prefix}at 5 7\n{prefix}bogus\n{prefix}is done TERM\nfan-c");
    let pieces = scan.push(text.as_bytes());
    let length = prefix.len();
    assert_eq!(
        pieces,
        [
            SpoolPiece::Text(b"a".to_vec()),
            SpoolPiece::Mark(SpoolMark::Exit(Exit::Status(3)), length + 7),
            SpoolPiece::Text(b"b".to_vec()),
            SpoolPiece::Mark(SpoolMark::At(SpoolPlace { file: 5, byte: 7 }), length + 7),
            SpoolPiece::Mark(SpoolMark::Is(JobState::Done(Exit::Signal("TERM".to_owned()))), length + 13),
            SpoolPiece::Text(b"fan-c".to_vec()),
        ]
    );
}

#[test]
fn a_name_is_plain_and_that_of_one_host() {
    assert_eq!(job_name("01JD3K", "web-1.example", (2, 3), 0), "01JD3K.web-1_2eexample.2.3-0");
    let names: Vec<String> =
        ["a/b", "a_b", "a_2fb", "u@[::1]:22"].map(|host| job_name("r", host, (0, 0), 1)).into();
    for (number, name) in names.iter().enumerate() {
        assert!(crate::model::shell::is_plain(name) && !name.contains('/'), "{name}");
        assert!(!names[..number].contains(name), "{name}");
    }
}

#[test]
fn a_start_holds_no_mark() {
    let named = JobFound::Named("n".to_owned());
    let follow = Follow { job: &named, token: &token(), from: [SpoolPlace::default(); 2] };
    let job = JobStart { token: &token(), title: "t", shell: JobShell::Posix, line: "true", fed: true };
    let line = follow.start(&job).unwrap();
    assert!(line.len() < 16 * 1024, "{}", line.len());
    assert!(!line.contains(&format!("fan-{}", token().as_str())));
}

/// A folder in which this shell is `sh`, and where not all that it needs is in the folders behind it.
fn tools(shell: &[&str], setsid: bool) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let found = |name: &str| -> Option<PathBuf> {
        ["/usr/bin", "/bin"].iter().map(|folder| Path::new(folder).join(name)).find(|path| path.exists())
    };
    symlink(found(shell[0]).unwrap(), folder.path().join("sh")).unwrap();
    if setsid {
        let path = format!("{}:/usr/bin:/bin", folder.path().display());
        return (folder, path);
    }
    for name in ["mkdir", "mkfifo", "dd", "cat", "wc", "mv", "rm", "tail", "touch", "head", "find", "sleep"] {
        symlink(found(name).unwrap(), folder.path().join(name)).unwrap();
    }
    let path = folder.path().display().to_string();
    (folder, path)
}

/// How a job ended, by what its keeper left.
fn ended(line: &str, path: &str, state: &Path) -> String {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", line]).env_clear().env("PATH", path).env("XDG_STATE_HOME", state);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().unwrap();
    // A minute, on a machine with nothing else to do.
    for _ in 0..12_000 {
        let entries = fs::read_dir(state.join("fan/jobs/n")).into_iter().flatten();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        if let Some(name) = names.filter_map(|name| Some(name.strip_prefix("done.")?.to_owned())).next() {
            return name;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("no end: {line}");
}

/// What one shell can write much faster than another can read it never fills a disk.
#[test]
fn of_much_output_the_oldest_goes() {
    let state = tempfile::tempdir().unwrap();
    let named = JobFound::Named("n".to_owned());
    let follow = Follow { job: &named, token: &token(), from: [SpoolPlace::default(); 2] };
    let line = "head -c 300000000 /dev/zero";
    let job = JobStart { token: &token(), title: "t", shell: JobShell::Posix, line, fed: false };
    assert_eq!(ended(&follow.start(&job).unwrap(), "/usr/bin:/bin", state.path()), "0");
    let spool = state.path().join("fan/jobs/n");
    let files = fs::read_dir(&spool).unwrap().map(|entry| entry.unwrap());
    let files: Vec<(u64, u64)> = files
        .filter_map(|file| {
            let begins = file.file_name().to_str()?.strip_prefix("out.")?.parse().ok()?;
            Some((begins, file.metadata().ok()?.len()))
        })
        .collect();
    let kept: u64 = files.iter().map(|(_, size)| size).sum();
    assert!((100_000_000..160_000_000).contains(&kept), "{kept}");
    let first = files.iter().map(|(begins, _)| *begins).min().unwrap();
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &follow.line().unwrap()]).env_clear().env("PATH", "/usr/bin:/bin");
    command.env("XDG_STATE_HOME", state.path()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut follower = command.spawn().unwrap();
    let mut scan = SpoolScan::new(&token());
    let mut begins = None;
    while begins.is_none() {
        let mut data = [0; 512];
        let count = follower.stdout.as_mut().unwrap().read(&mut data).unwrap();
        assert!(count > 0, "no place was said");
        for piece in scan.push(&data[..count]) {
            if let SpoolPiece::Mark(SpoolMark::At(place), _) = piece {
                begins = Some(place);
            }
        }
    }
    assert_eq!(begins, Some(SpoolPlace { file: first, byte: 0 }));
    drop(follower.stdin.take());
    drop(follower.stdout.take());
    follower.wait().unwrap();
}

/// As far as its shell lets the keeper know. None says anything of INT and PIPE.
#[test]
fn a_signal_is_told_from_the_exit_status_that_looks_like_it() {
    for shell in [&["dash"][..], &["bash"], &["busybox"]] {
        for setsid in [true, false] {
            let (_tools, path) = tools(shell, setsid);
            for (line, end) in [
                ("kill -TERM $$", "TERM"),
                ("kill -KILL $$", "KILL"),
                // Without setsid, HUP is ignored.
                ("kill -HUP $$", if setsid { "HUP" } else { "0" }),
                ("exit 143", "143"),
                ("exit 129", "129"),
                ("exit 7", "7"),
                ("kill -PIPE $$", if shell[0] == "bash" && !setsid { "PIPE" } else { "141" }),
            ] {
                let state = tempfile::tempdir().unwrap();
                let named = JobFound::Named("n".to_owned());
                let follow = Follow { job: &named, token: &token(), from: [SpoolPlace::default(); 2] };
                let job = JobStart { token: &token(), title: "t", shell: JobShell::Posix, line, fed: false };
                let start = follow.start(&job).unwrap();
                assert_eq!(ended(&start, &path, state.path()), end, "{shell:?}, setsid {setsid}: {line}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever is handed on is what `printf %b` of the host's shells makes of it, and no order is longer than a pipe takes
    /// as a whole.
    #[test]
    fn input_arrives_byte_for_byte(data in proptest::collection::vec(any::<u8>(), 0..300)) {
        for shell in [&["dash"][..], &["bash"], &["busybox", "sh"]] {
            let mut got = Vec::new();
            for piece in JobOrder::pieces(&data) {
                let line = JobOrder::Input(7, piece).line();
                prop_assert!(line.len() <= 512 && line.ends_with('\n') && line.matches('\n').count() == 1);
                let script = "read -r q r; r=${r#* d}; printf %b \"$r\"";
                let mut command = Command::new(shell[0]);
                command.args(&shell[1..]).args(["-c", &format!("printf '%s' '{}' | {{ {script}; }}", line.replace('\'', "'\\''"))]);
                got.extend(command.output().unwrap().stdout);
            }
            prop_assert_eq!(&got, &data, "{:?}", shell);
        }
    }
}
