//! That downloads do what docs/files.md says, on every way that files get off a host. `ways` has the ways.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};

use crate::fixtures::sshd::Sshd;
use crate::fixtures::support::{Fan, not_run};
use crate::fixtures::ways::{
    Way, age, each_way, fingerprint, is_root, mode, mode_of, names, odd_name, plant, tree,
};

#[test]
fn files_and_globs() {
    each_way(|case| {
        let files = [("a.log", "a"), ("b.log", "b"), (".c.log", "c"), ("sub/a.log", "s"), ("x[1]", "x")];
        plant(&case.there(""), &files);
        plant(&case.here("down"), &[("in/", "")]);
        let places = [
            ("THERE/a.log", "one", "1", "one"),
            ("THERE/a.log", "in", "1", "in/a.log"),
            ("THERE/a.log", "new/deep/", "1", "new/deep/a.log"),
            ("THERE/a.log", "n2/b", "1", "n2/b"),
            ("'THERE/*.log'", "logs/", "2", "logs/b.log"),
            ("['THERE/s*/*.log', 'THERE/x[1]']", "more/", "2", "more/x[1]"),
        ];
        let steps = places.map(|(from, to, _, _)| format!("get: {from}, to: down/{to}"));
        let steps = steps.each_ref().map(String::as_str);
        let first = case.steps(&steps, &[]);
        let before = fingerprint(&case.here("down"));
        let second = case.steps(&steps, &[]);
        assert_eq!(fingerprint(&case.here("down")), before);
        for (place, (first, second)) in places.iter().zip(first.iter().zip(&second)) {
            assert_eq!(first.ok(), format!("{} got", place.2), "{place:?}");
            assert_eq!(second.ok(), format!("{} unchanged", place.2), "{place:?}");
            assert!(case.here("down").join(place.3).is_file(), "{place:?}");
        }
        assert_eq!(names(&case.here("down/logs")), ["a.log", "b.log"]);
        assert_eq!(names(&case.here("down/more")), ["a.log", "x[1]"]);
        let refused = [
            ("*.log", "none is not a folder (write \"none/\" to create a folder)"),
            ("a.*", "none is not a folder (write"),
            ("*.none", "no such file or folder on the host: "),
            ("none", "no such file or folder on the host: "),
            ("a.log/", "a.log"),
        ];
        let steps = refused.map(|(from, _)| format!("get: 'THERE/{from}', to: none, warn_only: true"));
        let ended = case.steps(&steps.each_ref().map(String::as_str), &[]);
        for ((from, words), ended) in refused.iter().zip(ended) {
            assert!(
                ended.failed().replace(&case.here("").display().to_string(), "").contains(words),
                "{from}: {ended:?}"
            );
        }
        assert!(!case.here("none").exists());
    });
}

#[test]
fn folders() {
    each_way(|case| {
        let files = [
            ("logs/a", "a"),
            ("logs/empty", ""),
            ("logs/hollow/", ""),
            ("logs/in/b.log", "b"),
            ("logs/in/up -> ../a", ""),
            ("logs/out -> ../../etc", ""),
            ("logs/abs -> /etc/passwd", ""),
            ("logs/skip.tmp", ""),
        ];
        plant(&case.there(""), &files);
        mode(&case.there("logs/a"), 0o4751);
        mode(&case.there("logs/in"), 0o1711);
        // Who may write there says nothing about who may write here.
        mode(&case.there("logs/empty"), 0o666);
        mode(&case.there("logs/hollow"), 0o777);
        age(&case.there("logs/a"), 1_000_000_000);
        let words = ["get", "--skip", "*.tmp", "--times", &case.at("logs"), "got"];
        let ended = case.call(&words);
        assert!(ended.ok().starts_with("3 got, left out: "), "{ended:?}");
        for (path, target) in [("abs", "/etc/passwd"), ("out", "../../etc")] {
            let note = format!("logs/{path}: a link to \"{target}\" would lead out of the folder");
            assert!(ended.note().contains(&note), "{ended:?}");
        }
        let came = tree(&case.here("got/logs"));
        let all: Vec<(&str, &str)> = came.iter().map(|(name, what)| (name.as_str(), what.as_str())).collect();
        assert_eq!(
            all,
            [
                ("a", "751 a"),
                ("empty", "644 "),
                ("hollow", "755 folder"),
                ("in", "711 folder"),
                ("in/b.log", "644 b"),
                ("in/up", "-> ../a"),
            ]
        );
        assert_eq!(fs::metadata(case.here("got/logs/a")).unwrap().mtime(), 1_000_000_000);
        assert!(case.call(&words).ok().starts_with("3 unchanged"));
        fs::write(case.there("logs/a"), "A").unwrap();
        assert!(case.call(&words).ok().starts_with("1 got, 2 unchanged"));

        // What is in it, into a folder that is there and keeps its mode.
        plant(&case.here("own"), &[("mine", "m")]);
        mode(&case.here("own"), 0o700);
        mode(&case.there("logs"), 0o777);
        case.call(&["get", "--links", "skip", &case.at("logs/"), "own"]).ok();
        assert_eq!(names(&case.here("own")), ["a", "empty", "hollow", "in", "in/b.log", "mine", "skip.tmp"]);
        assert_eq!(mode_of(&case.here("own")), 0o700);
        let words = ["get", "--links", "follow", &case.at("logs/in"), "follow"];
        assert_eq!(case.call(&words).ok(), "2 got");
        assert_eq!(tree(&case.here("follow/in"))["up"].split(' ').next_back(), Some("A"));
    });
}

#[test]
fn nothing_gets_out_of_the_folder() {
    each_way(|case| {
        plant(&case.there(""), &[("d/a", "evil"), ("d/in/b", "evil"), ("f", "evil")]);
        plant(&case.here(""), &[("precious", "p"), ("other/", ""), ("to/d/", "")]);
        symlink("../../precious", case.here("to/d/a")).unwrap();
        symlink("../../other", case.here("to/d/in")).unwrap();
        symlink("precious", case.here("file")).unwrap();
        let failed = case.call(&["get", &case.at("d"), "to"]).failed();
        assert!(failed.contains("to/d/in is in the way: it is a symbolic link"), "{failed}");
        fs::remove_file(case.here("to/d/in")).unwrap();
        case.call(&["get", &case.at("d"), "to"]).ok();
        case.call(&["get", &case.at("f"), "file"]).ok();
        assert_eq!(fs::read_to_string(case.here("precious")).unwrap(), "p");
        assert_eq!(names(&case.here("other")), [""; 0]);
        assert_eq!(tree(&case.here("to"))["d/a"], "644 evil");
        assert!(!case.here("file").is_symlink());
        // A folder in a file's place stays, and so does all that is in it.
        plant(&case.here(""), &[("dir/f/keep", "k")]);
        let failed = case.call(&["get", &case.at("f"), "dir/"]).failed();
        assert!(failed.contains("dir/f is in the way: it is a folder"), "{failed}");
        assert_eq!(names(&case.here("dir")), ["f", "f/keep"]);
    });
}

#[test]
fn names_that_nobody_would_choose() {
    each_way(|case| {
        for name in [
            "with space",
            "it's \"so\"",
            "new\nline",
            "-rf",
            "--",
            "$(id)`id`",
            "a\\b",
            "*",
            ".hidden",
            "..x",
        ] {
            plant(&case.there("odd"), &[(name, name)]);
            plant(&case.there("odd").join(format!("d {name}")), &[(name, name)]);
        }
        symlink("new\nline", case.there("odd/link")).unwrap();
        assert_eq!(case.call(&["get", &case.at("odd"), "."]).ok(), "20 got");
        assert_eq!(tree(&case.here("odd")), tree(&case.there("odd")));
        assert_eq!(case.call(&["get", &case.at("odd"), "."]).ok(), "20 unchanged");
        assert_eq!(case.call(&["get", &case.at("odd/new\nline"), "nl"]).ok(), "1 got");
        assert_eq!(case.call(&["get", &case.at("odd/new\nline"), "nl"]).ok(), "1 unchanged");

        plant(&case.there("bytes"), &[("a", "a")]);
        fs::write(case.there("bytes").join(odd_name()), "b").unwrap();
        let ended = case.call(&["get", &case.at("bytes"), "."]);
        if case.way == Way::Sftp {
            ended.ok();
            assert_eq!(tree(&case.here("bytes")), tree(&case.there("bytes")));
        } else {
            assert!(ended.failed().contains("is not UTF-8"), "{ended:?}");
        }
    });
}

#[test]
fn hosts_are_kept_apart() {
    let sshd = Sshd::builder().hosts(2).start();
    let fan = Fan::at(&sshd);
    let there = tempfile::tempdir().unwrap();
    plant(there.path(), &[("log", "l")]);
    let log = there.path().join("log");
    let log = log.to_str().unwrap();
    let ran = fan.run(["get", "-H", "all", log, "logs/{host}/"]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    assert_eq!(names(&fan.work().join("logs")), ["h1", "h1/log", "h2", "h2/log"]);
    let before = sshd.connections();
    let ran = fan.run(["get", "-H", "all", log, "logs/"]);
    assert_eq!(ran.code, Some(2), "{}", ran.snapshot());
    assert!(ran.stderr.contains("two hosts would write to logs/log: h1, h2"), "{}", ran.snapshot());
    assert_eq!(sshd.connections(), before, "nobody was contacted");
}

/// A login that may not read a folder must not take it for an empty one.
#[test]
fn what_may_not_be_read_is_not_taken_for_nothing() {
    if !is_root() {
        not_run("what may not be read", "only root can make the login");
        return;
    }
    for sshd in [Sshd::builder().stranger("x"), Sshd::builder().stranger("x").without_sftp()] {
        let sshd = sshd.start();
        let fan = Fan::at(&sshd);
        let there = tempfile::tempdir().unwrap();
        mode(there.path(), 0o711);
        plant(there.path(), &[("closed/a", "a"), ("locked/a", "a"), ("f", "f")]);
        mode(&there.path().join("closed"), 0o711);
        mode(&there.path().join("locked"), 0o700);
        mode(&there.path().join("f"), 0o600);
        let at = |name: &str| there.path().join(name).display().to_string();
        for words in [
            vec!["get".to_owned(), at("closed"), "got".to_owned()],
            vec!["get".to_owned(), at("locked/a"), "got".to_owned()],
            vec!["get".to_owned(), at("f"), "got".to_owned()],
            vec!["ls".to_owned(), at("closed")],
            vec!["ls".to_owned(), at("locked/a")],
        ] {
            let ran = fan.run(words.iter().map(String::as_str).chain(["-H", "h1"]));
            assert_eq!(ran.code, Some(1), "{words:?}: {}", ran.snapshot());
            assert!(ran.stderr.contains("[remote_permission]"), "{words:?}: {}", ran.snapshot());
        }
    }
}
