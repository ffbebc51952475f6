//! SFTP of the throw-away hosts, as OpenSSH's `sftp` and `scp` see it.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use fan::testing::sandbox::{Behaviour, Sandbox, SftpFault};
use tempfile::TempDir;

use crate::fixtures::support::{Login, Output, output, sandbox, scp, sftp, ssh};

/// One host, and a folder on this side.
async fn start(behaviour: Behaviour) -> (Sandbox, TempDir) {
    (sandbox([("web1", behaviour)]).await, tempfile::tempdir().unwrap())
}

fn login(sandbox: &Sandbox) -> Login<'_> {
    Login {
        user: sandbox.user(),
        address: sandbox.hosts()[0].address,
        identity: sandbox.identity(),
        known_hosts: sandbox.known_hosts(),
    }
}

/// Runs `sftp` in a folder; it ends at the first line that fails.
fn run(sandbox: &Sandbox, folder: &Path, lines: impl AsRef<[u8]>) -> Output {
    let mut command = sftp(&login(sandbox));
    command.current_dir(folder);
    output(command, lines.as_ref())
}

fn works(sandbox: &Sandbox, folder: &Path, lines: impl AsRef<[u8]>) -> String {
    let ran = run(sandbox, folder, lines);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let shown = String::from_utf8_lossy(&ran.stdout).into_owned();
    shown.lines().filter(|line| !line.starts_with("sftp> ")).map(|line| format!("{line}\n")).collect()
}

fn numbers(count: u32) -> Vec<u8> {
    (0..count).flat_map(u32::to_be_bytes).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_sftp_does_is_done() {
    let (sandbox, here) = start(Behaviour::Normal).await;
    let (here, home) = (here.path(), &sandbox.hosts()[0].home);
    fs::write(here.join("a"), "content").unwrap();
    fs::create_dir_all(here.join("tree/deep")).unwrap();
    fs::write(here.join("tree/deep/file"), "deep").unwrap();
    let listed = works(
        &sandbox,
        here,
        "put a\nmkdir d\nput -p a d/b\nrename d/b d/c\nln -s c d/link\nln d/c d/hard\nchmod 640 d/c\n\
         put -r tree\nrename a gone\nrm gone\nget d/link got\nget -r tree back\nput -f a synced\nmkdir e\nrmdir e\n\
         ls -1 d\n",
    );
    assert!(listed.ends_with("d/c\nd/hard\nd/link\n"), "{listed}");
    assert_eq!(fs::read(home.join("d/c")).unwrap(), b"content");
    let found = fs::metadata(home.join("d/c")).unwrap();
    assert_eq!((found.mode() & 0o7777, found.nlink()), (0o640, 2));
    assert_eq!(fs::read_link(home.join("d/link")).unwrap(), Path::new("c"));
    assert_eq!(fs::read(home.join("tree/deep/file")).unwrap(), b"deep");
    assert_eq!(fs::read(here.join("back/deep/file")).unwrap(), b"deep");
    assert_eq!(fs::read(here.join("got")).unwrap(), b"content");
    assert!(!home.join("a").exists() && !home.join("gone").exists() && home.join("synced").exists());

    let long = works(&sandbox, here, "ls -la d\n");
    assert!(long.lines().any(|line| line.starts_with("-rw-r-----    2 ") && line.ends_with(" c")), "{long}");
    assert!(long.lines().any(|line| line.starts_with("drwx") && line.ends_with(" .")), "{long}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_done_is_refused_in_openssh_s_words() {
    let (sandbox, here) = start(Behaviour::Normal).await;
    fs::write(sandbox.hosts()[0].home.join("a"), "").unwrap();
    fs::write(here.path().join("b"), "").unwrap();
    for (line, words) in [
        ("get none", "not found"),
        ("mkdir a", "Failure"),
        ("rm none", "No such file or directory"),
        ("put b /none/x", "No such file or directory"),
        ("cd a", "not a directory"),
    ] {
        let ran = run(&sandbox, here.path(), line);
        assert_eq!(ran.code, Some(1), "{line}");
        assert!(ran.stderr.to_lowercase().contains(&words.to_lowercase()), "{line}: {}", ran.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn scp_copies_there_and_back() {
    let (sandbox, here) = start(Behaviour::Normal).await;
    let (here, home) = (here.path(), &sandbox.hosts()[0].home);
    let big = numbers(8_000_000);
    fs::create_dir(here.join("up")).unwrap();
    fs::write(here.join("up/big"), &big).unwrap();
    fs::write(here.join("up/run"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(here.join("up/run"), fs::Permissions::from_mode(0o750)).unwrap();
    let remote = format!("{}@{}:", sandbox.user(), sandbox.hosts()[0].address.ip());
    for (from, to) in
        [("up".to_owned(), format!("{remote}there")), (format!("{remote}there"), "down".to_owned())]
    {
        let mut command = scp(&login(&sandbox));
        command.current_dir(here).args(["-r", "-p"]).args([from, to]);
        let ran = output(command, b"");
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    }
    assert!(fs::read(home.join("there/big")).unwrap() == big);
    assert!(fs::read(here.join("down/big")).unwrap() == big);
    assert_eq!(fs::metadata(home.join("there/run")).unwrap().mode() & 0o777, 0o750);
    assert_eq!(
        fs::metadata(home.join("there/run")).unwrap().mtime(),
        fs::metadata(here.join("up/run")).unwrap().mtime()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_bytes() {
    let (sandbox, here) = start(Behaviour::Normal).await;
    let (here, home) = (here.path(), &sandbox.hosts()[0].home);
    let name = OsStr::from_bytes(b"caf\xe9");
    fs::create_dir(here.join(name)).unwrap();
    fs::write(here.join(name).join(name), "odd").unwrap();
    works(&sandbox, here, b"put -r caf\xe9\nrename caf\xe9/caf\xe9 caf\xe9/\xff\nget caf\xe9/\xff\n");
    let names: Vec<OsString> =
        fs::read_dir(home.join(name)).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, [OsStr::from_bytes(b"\xff")]);
    assert_eq!(fs::read(here.join(OsStr::from_bytes(b"\xff"))).unwrap(), b"odd");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_sessions_at_once_and_none_afterwards() {
    let (sandbox, here) = start(Behaviour::Normal).await;
    fs::write(here.path().join("a"), numbers(100_000)).unwrap();
    std::thread::scope(|threads| {
        for name in ["x", "y"] {
            let (sandbox, here) = (&sandbox, here.path());
            threads.spawn(move || {
                let ran = run(sandbox, here, format!("put a {name}\nget {name} back-{name}\n"));
                assert_eq!(ran.code, Some(0), "{}", ran.stderr);
            });
        }
    });
    assert_eq!(fs::read(here.path().join("back-x")).unwrap(), numbers(100_000));
    let home = sandbox.hosts()[0].home.clone();
    sandbox.stop().await;
    assert!(!home.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn openssh_names_our_faults() {
    let put = "put big up\n";
    // sftp learns of a cut where it happens to be: as it reads, or as it writes, to an ssh that may be gone already.
    let cut = &["Connection closed", "Connection reset", "Broken pipe", "closed by remote host"][..];
    let cases = [
        (SftpFault::Missing, "", &["subsystem request failed on channel 0"][..]),
        (SftpFault::Noise("Welcome!\n".to_owned()), "", &["Received message too long 1466264675"]),
        (SftpFault::HugeLength, "ls\n", &["Received message too long 2147483647"]),
        (SftpFault::WrongIds, "ls\n", &["ID mismatch"]),
        (SftpFault::Cut { after_bytes: 1_000_000 }, put, cut),
        (SftpFault::DiskFull { after: 100_000 }, put, &["Failure"]),
        (SftpFault::RenameFails, "rename a b\n", &["Failure"]),
        (SftpFault::Names(vec![b"../../x".to_vec()]), "get -r . down\n", &["suspect path"]),
    ];
    for (fault, lines, words) in cases {
        let (sandbox, here) = start(Behaviour::Sftp(fault.clone())).await;
        fs::write(sandbox.hosts()[0].home.join("a"), "").unwrap();
        fs::write(here.path().join("big"), numbers(500_000)).unwrap();
        let ran = run(&sandbox, here.path(), lines);
        assert!(words.iter().any(|words| ran.stderr.contains(words)), "{fault:?}: {}", ran.stderr);
        let mut command = ssh(&login(&sandbox));
        command.arg("echo still here");
        assert_eq!(output(command, b"").stdout, b"still here\n", "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn openssh_gets_along_with_what_is_only_odd() {
    for fault in [SftpFault::Reorder, SftpFault::NoExtensions, SftpFault::Hang { after: u32::MAX }] {
        let (sandbox, here) = start(Behaviour::Sftp(fault.clone())).await;
        fs::write(here.path().join("a"), numbers(500_000)).unwrap();
        works(&sandbox, here.path(), "put a\nget a back\n");
        assert!(fs::read(here.path().join("back")).unwrap() == numbers(500_000), "{fault:?}");
    }
}
