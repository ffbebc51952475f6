//! `unarchive` against real programs: what comes out, what is refused, and what a second run does.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use crate::fixtures::sshd::Sshd;
use crate::fixtures::support::{Fan, Ran};
use crate::fixtures::ways::{Case, Ended, age, each_way, fingerprint, is_root, mode_of, names, plant, tree};

/// Runs a command in a folder.
fn sh(folder: &Path, script: &str) {
    let ran = Command::new("sh").args(["-ec", script]).current_dir(folder).output().unwrap();
    assert!(ran.status.success(), "{script}: {ran:?}");
}

/// A folder with names that lists write in odd ways.
fn plant_odd(root: &Path) {
    plant(
        root,
        &[
            ("a b", "hello"),
            ("-dash", "d"),
            ("new\nline", "n"),
            ("d/it's \"q\" \\back", "q"),
            ("link -> a b", ""),
        ],
    );
    fs::create_dir_all(root.join("d/empty")).unwrap();
    fs::write(root.join(OsStr::from_bytes(b"\xff\xfe")), "z").unwrap();
    fs::write(root.join("arrow -> x"), "w").unwrap();
    fs::hard_link(root.join("a b"), root.join("hard")).unwrap();
    age(&root.join("a b"), 1_500_000_000);
    fs::set_permissions(root.join("-dash"), fs::Permissions::from_mode(0o755)).unwrap();
}

const PACKED: [(&str, &str); 5] = [
    ("tar", "cat"),
    ("tar.gz", "gzip -c"),
    ("tar.bz2", "bzip2 -c"),
    ("tar.xz", "xz -c"),
    ("tar.zst", "zstd -qc"),
];

#[test]
fn what_is_in_an_archive_stands_there_and_is_left_alone() {
    each_way(|case| {
        let from = case.here("from");
        plant_odd(&from);
        sh(&case.here(""), "tar -cf plain -C from . && (cd from && zip -qry ../app.zip .)");
        for (ending, pack) in PACKED {
            sh(&case.here(""), &format!("{pack} <plain >app.{ending}"));
        }
        for ending in PACKED.iter().map(|(ending, _)| *ending).chain(["zip"]) {
            let step = format!("unarchive: app.{ending}, to: THERE/{ending}/deep");
            let ended = case.steps(&[&step, &step], &["--dry-run"]);
            assert_eq!(ended[0].changed(), "10 would be unpacked", "{ending}");
            assert!(!case.there(ending).exists(), "{ending}");
            let ended = case.steps(&[&step, &step], &[]);
            assert_eq!(ended[0].changed(), "10 unpacked", "{ending}");
            assert_eq!(ended[1].ok(), "10 unchanged", "{ending}");
            let there = case.there(format!("{ending}/deep"));
            assert_eq!(tree(&there), tree(&from), "{ending}");
            assert_eq!(mode_of(&there.join("-dash")), 0o755);
            // What differs is put back, and nothing else is touched.
            let kept = fs::metadata(there.join("hard")).unwrap().ino();
            fs::remove_file(there.join("a b")).unwrap();
            fs::write(there.join("a b"), "other").unwrap();
            fs::remove_file(there.join("link")).unwrap();
            symlink("elsewhere", there.join("link")).unwrap();
            fs::remove_dir(there.join("d/empty")).unwrap();
            fs::write(there.join("own"), "of the host").unwrap();
            assert_eq!(case.steps(&[&step], &["--dry-run"])[0].changed(), "3 would be unpacked, 7 unchanged");
            assert_eq!(case.steps(&[&step], &[])[0].changed(), "3 unpacked, 7 unchanged", "{ending}");
            assert_eq!(fs::read_to_string(there.join("a b")).unwrap(), "hello");
            assert_eq!(fs::read_link(there.join("link")).unwrap(), Path::new("a b"));
            assert!(there.join("own").exists() && there.join("d/empty").is_dir());
            assert_eq!(fs::metadata(there.join("hard")).unwrap().ino(), kept);
        }
    });
}

#[test]
fn an_archive_of_the_host_is_unpacked_there() {
    each_way(|case| {
        plant(&case.there("app-1.2"), &[("bin/run", "x"), ("README", "r"), ("etc/conf", "c")]);
        sh(&case.there(""), "tar -czf app.tgz app-1.2");
        let steps = [
            "unarchive: THERE/app.tgz, remote: true, to: THERE/opt, strip: 1, mode: 640, dir_mode: 750",
            "unarchive: THERE/app.tgz, remote: true, to: THERE/opt, strip: 1, mode: 640, dir_mode: 750",
            "unarchive: THERE/app.tgz, remote: true, to: THERE/opt, strip: 1, mode: 600",
            "unarchive: THERE/app.tgz, remote: true, to: THERE/opt, strip: 1, creates: THERE/opt/README",
            "unarchive: THERE/none.tgz, remote: true, to: THERE/opt",
        ];
        let ended = case.steps(&steps[..3], &[]);
        assert_eq!(ended[0].changed(), "5 unpacked");
        assert_eq!(ended[1].ok(), "5 unchanged");
        assert_eq!(ended[2].changed(), "5 unchanged");
        assert_eq!(names(&case.there("opt")), ["README", "bin", "bin/run", "etc", "etc/conf"]);
        assert_eq!(mode_of(&case.there("opt/README")), 0o600);
        assert_eq!(mode_of(&case.there("opt/bin")), 0o750);
        let skipped = &case.steps(&steps[3..4], &[])[0];
        assert!(skipped.note().contains("creates"), "{skipped:?}");
        let failed = case.steps(&steps[4..], &[])[0].failed();
        assert!(failed.contains("none.tgz: no such file"), "{failed}");
        if is_root() {
            let step = "unarchive: THERE/app.tgz, remote: true, to: THERE/own, owner: nobody, group: 54321";
            let ended = case.steps(&[step, step], &[]);
            ended[0].changed();
            ended[1].ok();
            for name in ["own", "own/app-1.2", "own/app-1.2/README"] {
                let about = fs::metadata(case.there(name)).unwrap();
                assert_eq!((about.uid(), about.gid()), (65534, 54321), "{name}");
            }
        }
    });
}

/// Archives that no honest program makes.
const EVIL: &str = r#"
import io, sys, tarfile, zipfile
def tar(name, *entries):
    with tarfile.open(name, 'w') as made:
        for path, kind, to in entries:
            info = tarfile.TarInfo(path)
            info.type, info.linkname, info.size = kind, to, 3 if kind == tarfile.REGTYPE else 0
            made.addfile(info, io.BytesIO(b'bad'))
FILE, LINK, HARD, FIFO, DIR = tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE
tar('up.tar', ('ok', FILE, ''), ('a/../../bad', FILE, ''))
tar('absolute.tar', (sys.argv[1] + '/bad', FILE, ''))
tar('through.tar', ('out', LINK, '..'), ('out/bad', FILE, ''))
tar('later.tar', ('out', LINK, '..'), ('out', DIR, ''), ('out/bad', FILE, ''))
tar('hard.tar', ('bad', HARD, '/etc/passwd'))
tar('stranger.tar', ('bad', HARD, 'nobody'))
tar('pipe.tar', ('bad', FIFO, ''))
for name, path in [('up.zip', '../bad'), ('absolute.zip', sys.argv[1] + '/bad')]:
    with zipfile.ZipFile(name, 'w') as made:
        made.writestr(path, 'bad')
with zipfile.ZipFile('through.zip', 'w') as made:
    link = zipfile.ZipInfo('out')
    link.create_system, link.external_attr = 3, 0o120777 << 16
    made.writestr(link, '..')
    made.writestr('out/bad', 'bad')
"#;

#[test]
fn what_would_leave_the_folder_is_refused_before_anything_is_written() {
    each_way(|case| {
        let made =
            Command::new("python3").args(["-c", EVIL, &case.at("")]).current_dir(case.here("")).status();
        assert!(made.unwrap().success());
        plant(&case.there(""), &[("here/old", "o")]);
        let before = fingerprint(&case.there(""));
        for (name, why) in [
            ("up.tar", "leads out of it"),
            ("absolute.tar", "is absolute"),
            ("through.tar", "would be written through out"),
            ("later.tar", "would be written through out"),
            ("hard.tar", "is absolute"),
            ("stranger.tar", "not in it before"),
            ("pipe.tar", "is a device, a pipe or a socket"),
            ("up.zip", "leads out of it"),
            ("absolute.zip", "is absolute"),
            ("through.zip", "would be written through out"),
        ] {
            let failed = case.steps(&[&format!("unarchive: {name}, to: THERE/here")], &[])[0].failed();
            assert!(failed.contains(why) && failed.contains(name), "{name}: {failed}");
        }
        assert_eq!(fingerprint(&case.there("")), before);
    });
}

#[test]
fn what_is_broken_or_in_the_way_changes_nothing() {
    each_way(|case| {
        plant(&case.here("from"), &[("a/b", &"content ".repeat(20_000)), ("c", "c"), ("z", "z")]);
        sh(
            &case.here(""),
            "tar -czf whole.tgz -C from . && head -c 200 whole.tgz >cut.tgz && echo text >text.tgz && \
             tar -cf whole.tar -C from . && head -c 100000 whole.tar >cut.tar",
        );
        plant(
            &case.there(""),
            &[("here/c", "old"), ("link/a -> ../here", ""), ("folder/c/x", ""), ("file/a", "f")],
        );
        let before = fingerprint(&case.there(""));
        for (name, to, why) in [
            ("cut.tgz", "here", "nexpected "),
            ("cut.tar", "here", "local_io: cannot read the archive"),
            ("text.tgz", "here", "not an archive that fan knows"),
            ("whole.tgz", "here/c", "is a file, not a folder"),
            ("whole.tgz", "link", "a is a link, and the archive has a folder there"),
            ("whole.tgz", "folder", "c is a folder, and the archive has a file or a link there"),
            ("whole.tgz", "file", "a is a file, and the archive has a folder there"),
        ] {
            let failed = case.steps(&[&format!("unarchive: {name}, to: THERE/{to}")], &[])[0].failed();
            assert!(failed.contains(why), "{name} to {to}: {failed}");
            assert_eq!(fingerprint(&case.there("")), before, "{name} to {to}");
        }
        sh(&case.here(""), "tar -cf empty.tar -T /dev/null");
        let empty = ["unarchive: empty.tar, to: THERE/empty"; 2];
        let ended = case.steps(&empty, &[]);
        assert_eq!((ended[0].changed(), ended[1].ok()), ("", ""));
        assert!(case.there("empty").is_dir());
        // What an interrupted run left goes away, and the rest is done.
        plant(&case.there("here"), &[(&format!(".unarchive.fan-{:032x}/tree/x", 7), "x")]);
        let step = "unarchive: whole.tgz, to: THERE/here";
        assert_eq!(case.steps(&[step], &[])[0].changed(), "4 unpacked");
        assert_eq!(names(&case.there("here")), ["a", "a/b", "c", "z"]);
    });
}

/// A host whose commands are these, and no other.
fn host_with(commands: &[&str]) -> (Sshd, tempfile::TempDir) {
    let bin = tempfile::tempdir().unwrap();
    fs::set_permissions(bin.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let usual = "sh bash env cat head tail mkdir rm mv chmod find stat ls readlink printf sha256sum tr touch ln test pwd true dd id uname";
    for command in usual.split(' ').chain(commands.iter().copied()) {
        let (name, of) = command.split_once('=').unwrap_or((command, command));
        let found = Command::new("sh").args(["-c", &format!("command -v {of}")]).output().unwrap();
        let found = String::from_utf8(found.stdout).unwrap().trim().to_owned();
        if found.starts_with('/') {
            symlink(found, bin.path().join(name)).unwrap();
        }
    }
    let sshd = Sshd::builder().line(&format!("SetEnv PATH={}", bin.path().display())).start();
    (sshd, bin)
}

fn unarchive(fan: &Fan, archive: &str, to: &Path) -> Ran {
    let tasks = format!("tasks: {{it: {{steps: [{{unarchive: {archive}, to: '{}'}}]}}}}", to.display());
    fs::write(fan.work().join("tasks.yaml"), tasks).unwrap();
    fan.run(["run", "it", "-H", "h1", "--format", "jsonl"])
}

#[test]
fn it_is_done_with_what_the_host_has() {
    for (has, tars, zips) in [
        (&["tar", "gzip", "bzip2", "xz", "zstd", "unzip"][..], true, false),
        (&["bsdtar", "gzip"], true, true),
        (&["tar=bsdtar", "gzip"], true, true),
        (&["tar=busybox", "gzip", "bzip2", "xz", "zstd", "unzip=busybox"], true, true),
    ] {
        let (sshd, _bin) = host_with(has);
        let fan = Fan::at(&sshd);
        let from = fan.work().join("from");
        plant_odd(&from);
        let set = |name: &str, mode| {
            fs::set_permissions(from.join(name), fs::Permissions::from_mode(mode)).unwrap();
        };
        set("-dash", 0o6777);
        set("arrow -> x", 0o620);
        sh(&fan.work(), "tar -cf app.tar -C from . && (cd from && zip -qry ../app.zip .)");
        // No program makes setuid files of it, or some that others may write.
        set("-dash", 0o755);
        set("arrow -> x", 0o600);
        for (ending, pack) in PACKED {
            sh(&fan.work(), &format!("{pack} <app.tar >packed.{ending}"));
            let to = sshd.home().join(format!("to-{ending}"));
            let ran = unarchive(&fan, &format!("packed.{ending}"), &to);
            assert_eq!((ran.code, tars), (Some(0), true), "{has:?} {ending}: {}", ran.stdout);
            assert_eq!(tree(&to), tree(&from), "{has:?} {ending}");
            let again = Ended::all(unarchive(&fan, &format!("packed.{ending}"), &to));
            assert_eq!(again[0].ok(), "10 unchanged", "{has:?} {ending}");
        }
        let to = sshd.home().join("to-zip");
        let ran = unarchive(&fan, "app.zip", &to);
        if zips {
            assert_eq!(ran.code, Some(0), "{has:?}: {}", ran.stdout);
            assert_eq!(tree(&to), tree(&from), "{has:?}");
        } else {
            // Info-ZIP's program does not keep line ends in names: nothing is put in place then.
            let failed = Ended::all(ran)[0].failed();
            assert!(failed.contains("did not come out of the archive as it lists it"), "{failed}");
            assert!(names(&to).is_empty());
        }
    }
}

/// Archives whose hard link goes to one file for some programs, and to another for others. The other file is like the one
/// that is in them.
const TWO_FACED: &str = r#"
import io, os, sys, tarfile
out, to = sys.argv[1], sys.argv[2]
def add(made, kind, body):
    info = tarfile.TarInfo('head')
    info.type, info.size = kind, len(body)
    made.addfile(info, io.BytesIO(body))
SAYS_OK = b'15 linkpath=ok\n'
FAR = to.encode() + b'\0'
for name, heads in [
    ('long-last.tar', [(b'x', SAYS_OK), (b'K', FAR)]),
    ('long-first.tar', [(b'K', FAR), (b'x', SAYS_OK)]),
    ('global.tar', [(b'g', SAYS_OK)]),
    ('plain.tar', []),
]:
    with tarfile.open(out + '/' + name, 'w', format=tarfile.USTAR_FORMAT) as made:
        file, link = tarfile.TarInfo('ok'), tarfile.TarInfo('bad')
        file.size, file.mtime = 3, int(os.stat(to).st_mtime)
        made.addfile(file, io.BytesIO(b'old'))
        for kind, body in heads:
            add(made, kind, body)
        link.type, link.linkname, link.mtime = tarfile.LNKTYPE, to, file.mtime
        made.addfile(link)
with tarfile.open(out + '/arrows.tar', 'w', format=tarfile.USTAR_FORMAT) as made:
    file, link = tarfile.TarInfo('b -> ' + to), tarfile.TarInfo('a -> b')
    link.type, link.linkname = tarfile.LNKTYPE, to
    made.addfile(file)
    made.addfile(link)
"#;

#[test]
fn no_program_of_a_host_links_what_is_elsewhere() {
    for has in [&["tar"][..], &["bsdtar"], &["tar=busybox"]] {
        let (sshd, _bin) = host_with(has);
        let fan = Fan::at(&sshd);
        fs::create_dir_all(sshd.home()).unwrap();
        let outside = sshd.home().join("outside");
        fs::write(&outside, "old").unwrap();
        fs::set_permissions(&outside, fs::Permissions::from_mode(0o640)).unwrap();
        let made =
            Command::new("python3").args(["-c", TWO_FACED]).args([fan.work(), outside.clone()]).status();
        assert!(made.unwrap().success());
        let before = fs::metadata(&outside).unwrap();
        for name in ["long-last", "long-first", "global", "plain", "arrows"] {
            for remote in [false, true] {
                let to = sshd.home().join("to");
                let archive = fan.work().join(format!("{name}.tar"));
                let step = format!(
                    "unarchive: '{}', remote: {remote}, to: '{}', mode: 600",
                    archive.display(),
                    to.display()
                );
                let tasks = format!("tasks: {{it: {{steps: [{{{step}}}]}}}}");
                fs::write(fan.work().join("tasks.yaml"), tasks).unwrap();
                let ran = fan.run(["run", "it", "-H", "h1", "--format", "jsonl"]);
                let after = fs::metadata(&outside).unwrap();
                let same = (after.nlink(), after.mode(), after.ctime_nsec())
                    == (before.nlink(), before.mode(), before.ctime_nsec());
                assert!(same, "{has:?} {name} {remote}: {}", ran.stdout);
                let _ = fs::remove_dir_all(to);
            }
        }
    }
}

#[test]
fn a_program_that_is_missing_is_named_before_anything_is_changed() {
    let (sshd, _bin) = host_with(&["tar"]);
    let fan = Fan::at(&sshd);
    plant(&fan.work().join("from"), &[("a", "a")]);
    sh(
        &fan.work(),
        "tar -cf app.tar -C from . && xz -k app.tar && bzip2 -k app.tar && (cd from && zip -qr ../app.zip .)",
    );
    for (archive, package) in [("app.tar.xz", "xz-utils"), ("app.tar.bz2", "bzip2"), ("app.zip", "unzip")] {
        let to = sshd.home().join("to");
        for flags in [&[][..], &["--dry-run"]] {
            let tasks =
                format!("tasks: {{it: {{steps: [{{unarchive: {archive}, to: '{}'}}]}}}}", to.display());
            fs::write(fan.work().join("tasks.yaml"), tasks).unwrap();
            let words = ["run", "it", "-H", "h1", "--format", "jsonl"];
            let failed = Ended::all(fan.run(words.iter().chain(flags)))[0].failed();
            assert!(failed.contains("nothing there reads") && failed.contains(package), "{failed}");
            assert!(!to.exists(), "{archive}");
        }
    }
    let (sshd, _bin) = host_with(&[]);
    let fan = Fan::at(&sshd);
    plant(&fan.work().join("from"), &[("a", "a")]);
    sh(&fan.work(), "tar -cf app.tar -C from .");
    let failed = Ended::all(unarchive(&fan, "app.tar", &sshd.home().join("to")))[0].failed();
    assert!(failed.contains("GNU tar"), "{failed}");
}

#[test]
fn for_each_item_with_templates_and_unseen() {
    each_way(|case: &Case| {
        for name in ["one", "two"] {
            plant(&case.here("from"), &[(name, name)]);
            sh(&case.here("from"), &format!("tar -cf ../{name}.tar {name}"));
        }
        let step = "unarchive: '{{ item }}.tar', to: 'THERE/{{ item }}', each: [one, two], register: out, secret: true";
        let ended = case.steps(&[step, "assert: 'out.results | length == 2 and out.changed'"], &[]);
        ended[0].changed();
        ended[1].ok();
        assert_eq!(names(&case.there("")), ["one", "one/one", "two", "two/two"]);
    });
}

#[test]
fn a_source_that_is_missing_is_told_before_any_contact() {
    let sshd = Sshd::start();
    let fan = Fan::at(&sshd);
    let ran = unarchive(&fan, "none.tgz", Path::new("/srv"));
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("none.tgz"), "{}", ran.stderr);
    assert_eq!(sshd.connections(), 0);
}
