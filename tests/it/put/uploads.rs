//! That uploads do what docs/files.md says, on every way that files get to a host. `ways` has the ways.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown, symlink};

use crate::fixtures::sshd::Sshd;
use crate::fixtures::stable::stable;
use crate::fixtures::support::{Fan, inventory_defaults, not_run};
use crate::fixtures::ways::{
    Case, Way, age, each_way, fingerprint, is_root, mode, mode_of, names, odd_name, plant, tree,
};

#[test]
fn a_file_goes_where_the_table_says() {
    each_way(|case| {
        plant(&case.here(""), &[("app.tgz", "one"), ("b.tgz", "b"), ("c.conf", "c"), ("x*", "star")]);
        plant(&case.there(""), &[("srv/", "")]);
        let places = [
            ("app.tgz", "app", "1 sent", "app"),
            ("app.tgz", "srv", "1 sent", "srv/app.tgz"),
            ("app.tgz", "srv/", "1 unchanged", "srv/app.tgz"),
            ("app.tgz", "new/deep/", "1 sent", "new/deep/app.tgz"),
            ("app.tgz", "srv/other", "1 sent", "srv/other"),
            ("[app.tgz, c.conf]", "all/", "2 sent", "all/c.conf"),
            ("'*.{tgz,conf}'", "more/", "3 sent", "more/b.tgz"),
            ("'x*'", "srv/x", "1 sent", "srv/x"), // a path wins over a glob
        ];
        let step = |(from, to, _, _): &(&str, &str, _, _)| format!("put: {from}, to: THERE/{to}");
        let steps: Vec<String> = places.iter().map(step).collect();
        let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
        for ((place, first), second) in
            places.iter().zip(case.steps(&steps, &[])).zip(case.steps(&steps, &[]))
        {
            assert_eq!(first.note(), place.2, "{place:?}");
            assert!(second.ok().ends_with(" unchanged"), "{place:?}: {second:?}");
            assert!(case.there(place.3).is_file(), "{place:?}");
        }
        assert_eq!(fs::read_to_string(case.there("new/deep/app.tgz")).unwrap(), "one");
        assert_eq!(names(&case.there("all")), ["app.tgz", "c.conf"]);
        assert_eq!(names(&case.there("more")), ["app.tgz", "b.tgz", "c.conf"]);
        // Several, or a glob, need a folder: they never become one file.
        let before = fingerprint(&case.there(""));
        for from in [&["app.tgz", "b.tgz"][..], &["app.*"]] {
            let none = case.at("none");
            let failed = case.call(&[&["put"], from, &[none.as_str()]].concat()).failed();
            assert!(failed.contains("none is not a folder (write"), "{failed}");
        }
        assert_eq!(fingerprint(&case.there("")), before);
    });
}

#[test]
fn modes_and_owners() {
    each_way(|case| {
        plant(&case.here(""), &[("new", "n"), ("old", "new"), ("run.sh", "x")]);
        mode(&case.here("run.sh"), 0o4751);
        mode(&case.here("new"), 0o604);
        plant(&case.there(""), &[("old", "old"), ("same", "n")]);
        mode(&case.there("old"), 0o2640);
        if is_root() {
            chown(case.there("old"), Some(1234), Some(4321)).unwrap();
        }
        case.call(&["put", "new", "run.sh", &case.at("")]).changed();
        assert_eq!(mode_of(&case.there("new")), 0o604);
        assert_eq!(mode_of(&case.there("run.sh")), 0o751, "no setuid bits by accident");
        case.call(&["put", "old", &case.at("old")]).changed();
        let old = fs::metadata(case.there("old")).unwrap();
        assert_eq!(old.mode() & 0o7777, 0o2640);
        if is_root() {
            assert_eq!((old.uid(), old.gid()), (1234, 4321));
        }
        let steps = ["600", "4755", "4755"].map(|mode| format!("put: new, to: THERE/same, mode: {mode}"));
        let ended = case.steps(&steps.each_ref().map(String::as_str), &[]);
        assert_eq!(
            (ended[0].changed(), ended[1].changed()),
            ("1 given a new mode, owner or time", "1 given a new mode, owner or time")
        );
        ended[2].ok();
        assert_eq!(mode_of(&case.there("same")), 0o4755);
        if is_root() {
            let words =
                ["put", "--mode", "4711", "--owner", "nobody", "--group", "54321", "old", &case.at("own")];
            for _ in 0..2 {
                case.call(&words);
                let own = fs::metadata(case.there("own")).unwrap();
                assert_eq!((own.mode() & 0o7777, own.uid(), own.gid()), (0o4711, 65534, 54321));
            }
            case.call(&words).ok();
        }
    });
}

#[test]
fn what_stands_in_the_targets_place() {
    each_way(|case| {
        plant(&case.here(""), &[("a", "new")]);
        plant(
            &case.there(""),
            &[
                ("real", "old"),
                ("link -> real", ""),
                ("dangling -> nothing", ""),
                ("folder/a/keep", "k"),
                ("file", ""),
            ],
        );
        case.call(&["put", "--follow", "a", &case.at("link")]).changed();
        assert_eq!(fs::read_to_string(case.there("real")).unwrap(), "new");
        assert!(case.there("link").is_symlink());
        assert_eq!(case.call(&["put", "--follow", "a", &case.at("link")]).ok(), "1 unchanged");
        fs::write(case.there("real"), "old").unwrap();
        for link in ["link", "dangling"] {
            case.call(&["put", "a", &case.at(link)]).changed();
            assert!(!case.there(link).is_symlink(), "{link}");
            assert_eq!(fs::read_to_string(case.there(link)).unwrap(), "new");
        }
        assert_eq!(fs::read_to_string(case.there("real")).unwrap(), "old");
        assert!(!case.there("nothing").exists());

        let before = fingerprint(&case.there(""));
        let failed = case.call(&["put", "a", &case.at("folder/")]).failed();
        let there = case.at("");
        assert_eq!(
            failed.replace(&there, ""),
            "remote_path: folder/a is a folder (a file cannot replace it: remove it first, or use another path)"
        );
        let failed = case.call(&["put", "a", &case.at("no/such/a")]).failed();
        assert_eq!(
            failed.replace(&there, ""),
            "remote_path: the folder no/such is missing (create it first: `file: no/such` with \
             `state: directory`, or `mkdir -p`)"
        );
        for dry in [false, true] {
            let mut words = vec!["put", "a", "file/"];
            let to = case.at("file/");
            words[2] = &to;
            words.extend(dry.then_some("--dry-run"));
            assert!(case.call(&words).failed().contains("/file is a file, not a folder"), "{words:?}");
        }
        assert_eq!(fingerprint(&case.there("")), before);
    });
}

#[test]
fn folders_go_by_the_rule_of_rsync() {
    each_way(|case| {
        let files = [
            ("dist/a", "a"),
            ("dist/empty", ""),
            ("dist/hollow/", ""),
            ("dist/in/b", "b"),
            ("dist/in/link -> ../a", ""),
            ("dist/in/abs -> /etc/hostname", ""),
            ("dist/run", "#!"),
        ];
        plant(&case.here(""), &files);
        mode(&case.here("dist/run"), 0o750);
        mode(&case.here("dist/in"), 0o711);
        plant(&case.there(""), &[("srv/", "")]);
        let whole = tree(&case.here("dist"));
        let steps = [
            "put: dist, to: THERE/srv",
            "put: dist, to: THERE/made/",
            "put: dist, to: THERE/new/one",
            "put: dist/, to: THERE/new/two",
            "put: dist/, to: THERE/srv",
            "put: dist/, to: THERE/follow, links: follow",
            "put: dist/, to: THERE/skip, links: skip",
        ];
        let (first, again) = (case.steps(&steps, &[]), case.steps(&steps, &[]));
        for (step, (first, again)) in steps.iter().zip(first.iter().zip(&again)) {
            let files = if step.contains("follow") { 6 } else { 4 };
            assert_eq!(first.changed(), format!("{files} sent"), "{step}");
            assert_eq!(again.ok(), format!("{files} unchanged"), "{step}");
        }
        for at in ["srv/dist", "made/dist", "new/one/dist", "new/two"] {
            assert_eq!(tree(&case.there(at)), whole, "{at}");
        }
        assert_eq!(names(&case.there("srv")).len(), 2 * whole.len() + 1);
        assert!(case.there("follow/in/link").is_file() && !case.there("follow/in/link").is_symlink());
        assert!(!case.there("skip/in/link").exists() && case.there("skip/in/b").exists());
    });
}

/// Names in folders come as bytes; only what would have to stand in a command line must be text.
#[test]
fn names_that_nobody_would_choose() {
    each_way(|case| {
        let odd =
            ["with space", "it's \"so\"", "new\nline", "-rf", "--", "$(id)`id`", "a\\b", "*", "é ✓", "~"];
        for name in odd {
            plant(&case.here("odd"), &[(name, name)]);
            plant(&case.here("odd").join(format!("d {name}")), &[(name, name)]);
        }
        symlink("new\nline\n", case.here("odd/link")).unwrap();
        let to = case.at("odd");
        case.call(&["put", "odd/", &to]).changed();
        assert_eq!(tree(&case.there("odd")), tree(&case.here("odd")));
        let steps = [
            "put: odd/, to: THERE/odd",
            "put: 'odd/$(id)`id`', to: \"-rf 'x'\", cd: 'THERE'",
            "put: 'odd/$(id)`id`', to: \"-rf 'x'\", cd: 'THERE'",
        ];
        let ended = case.steps(&steps, &[]);
        assert_eq!(ended[0].ok(), "20 unchanged");
        assert_eq!((ended[1].changed(), ended[2].ok()), ("1 sent", "1 unchanged"));
        let words = ["put", "odd/new\nline", &case.at("2\nnd")];
        assert_eq!((case.call(&words).changed(), case.call(&words).ok()), ("1 sent", "1 unchanged"));
        assert_eq!(fs::read_to_string(case.there("2\nnd")).unwrap(), "new\nline");
        assert_eq!(fs::read_to_string(case.there("-rf 'x'")).unwrap(), "$(id)`id`");

        plant(&case.here("bytes"), &[("a", "a")]);
        fs::write(case.here("bytes").join(odd_name()), "b").unwrap();
        let ended = case.call(&["put", "bytes", &case.at("")]);
        ended.changed();
        assert_eq!(tree(&case.there("bytes")), tree(&case.here("bytes")));
    });
}

#[test]
fn what_is_left_out() {
    each_way(|case| {
        let files = [
            (".fanignore", "# notes\nlogs/\n!keep.log\n/top\n"),
            ("logs/a", ""),
            ("x.log", ""),
            ("keep.log", ""),
            ("top", ""),
            ("in/top", ""),
            ("in/.fanignore", "*.tmp\n"),
            ("in/a.tmp", ""),
            ("a.tmp", ""),
            ("in/logs", "a file"),
        ];
        plant(&case.here("dist"), &files);
        case.call(&["put", "--skip", "x.*", "dist", &case.at("")]).changed();
        assert_eq!(names(&case.there("dist")), ["a.tmp", "in", "in/logs", "in/top", "keep.log"]);
        case.call(&["sync", "--skip", "*.log", "--skip", "!keep.log", "dist", &case.at("two")]).changed();
        assert_eq!(names(&case.there("two")), ["a.tmp", "in", "in/logs", "in/top", "keep.log"]);
    });
}

#[test]
fn times() {
    each_way(|case| {
        plant(&case.here("dist"), &[("a", "a"), ("in/b", "b")]);
        for name in ["a", "in/b", "in", ""] {
            age(&case.here("dist").join(name), 1_000_000_000);
        }
        let mtime = |name: &str| fs::metadata(case.there(name)).unwrap().mtime();
        let steps = [
            "put: [dist/a, dist], to: THERE/now/",
            "put: [dist/a, dist], to: THERE/then/",
            "put: [dist/a, dist], to: THERE/then/, times: true",
            "put: [dist/a, dist], to: THERE/then/, times: true",
            "sync: dist, to: THERE/sync",
            "sync: dist, to: THERE/sync",
            "sync: dist, to: THERE/new, times: false",
        ];
        let ended = case.steps(&steps, &[]);
        assert_eq!(ended[2].changed(), "3 given a new mode, owner or time", "only their times were set");
        assert_eq!(ended[3].ok(), "3 unchanged");
        ended[5].ok();
        for name in ["then/a", "then/dist/in/b", "sync/a", "sync/in/b", "sync/in", "sync"] {
            assert_eq!(mtime(name), 1_000_000_000, "{name}");
        }
        for name in ["now/a", "now/dist/a", "new/a"] {
            assert!(mtime(name) > 1_700_000_000, "{name}");
        }
    });
}

#[test]
fn only_what_differs_in_a_folder_that_is_there() {
    each_way(|case| {
        plant(&case.here("dist"), &[("same", "s"), ("size", "longer"), ("bytes", "new"), ("new/n", "n")]);
        mode(&case.here("dist/bytes"), 0o755);
        let files = [("same", "s"), ("size", "old"), ("bytes", "old"), ("extra", "e"), ("more/x", "")];
        plant(&case.there("srv/dist"), &files);
        plant(&case.there("srv/dist"), &[("n2 -> same", "")]);
        mode(&case.there("srv/dist"), 0o700);
        mode(&case.there("srv/dist/bytes"), 0o2664);
        if is_root() {
            chown(case.there("srv/dist/bytes"), Some(1234), Some(4321)).unwrap();
        }
        let same = fs::metadata(case.there("srv/dist/same")).unwrap();
        let note = case.call(&["put", "dist", &case.at("srv")]);
        assert!(note.changed().starts_with("3 sent, 1 unchanged"), "{note:?}");
        let came = tree(&case.there("srv/dist"));
        assert_eq!(came["bytes"], "2664 new", "the mode of the file in its place");
        assert_eq!(came["size"], "644 longer");
        assert_eq!(came["new/n"], "644 n");
        assert_eq!((came["extra"].as_str(), came["n2"].as_str()), ("644 e", "-> same"));
        assert_eq!(mode_of(&case.there("srv/dist")), 0o700);
        let (after, bytes) = (
            fs::metadata(case.there("srv/dist/same")).unwrap(),
            fs::metadata(case.there("srv/dist/bytes")).unwrap(),
        );
        assert_eq!((after.ino(), after.ctime_nsec()), (same.ino(), same.ctime_nsec()));
        if is_root() {
            assert_eq!((bytes.uid(), bytes.gid()), (1234, 4321));
        }
        case.call(&["put", "dist", &case.at("srv")]).ok();

        let words = ["put", "--mode", "2600", "dist", &case.at("srv")];
        case.call(&words).changed();
        assert_eq!(mode_of(&case.there("srv/dist/new/n")), 0o2600);
        case.call(&words).ok();

        // A folder does not give way to a file, nor a file to a folder.
        fs::remove_file(case.there("srv/dist/same")).unwrap();
        plant(&case.there("srv/dist"), &[("same/x", "")]);
        let before = fingerprint(&case.there(""));
        let failed = case.call(&["put", "dist", &case.at("srv")]).failed();
        assert!(failed.contains("srv/dist/same is a folder, where a file is to go"), "{failed}");
        assert_eq!(fingerprint(&case.there("")), before);
    });
}

#[test]
fn owners_of_folders() {
    if !is_root() {
        not_run("owners of folders", "only root may give files away");
        return;
    }
    each_way(|case| {
        plant(&case.here("dist"), &[("a", "a"), ("in/b", "b"), ("link -> a", "")]);
        let words = ["put", "--owner", "1234", "--group", "4321", "--mode", "4755", "dist", &case.at("")];
        let check = || {
            for name in ["dist", "dist/a", "dist/in", "dist/in/b"] {
                let about = fs::metadata(case.there(name)).unwrap();
                assert_eq!((about.uid(), about.gid()), (1234, 4321), "{name}");
                if about.is_file() {
                    assert_eq!(about.mode() & 0o7777, 0o4755, "{name}");
                }
            }
        };
        case.call(&words).changed();
        check();
        case.call(&words).ok();
        fs::write(case.here("dist/a"), "changed").unwrap();
        plant(&case.here("dist"), &[("in/new/c", "c")]);
        case.call(&words).changed();
        check();
        chown(case.there("dist/in/b"), Some(1), Some(1)).unwrap();
        case.call(&words).changed();
        check();
        case.call(&words).ok();
    });
}

#[test]
fn sync_makes_a_folder_like_ours() {
    each_way(|case| {
        let ours = [
            ("index", "new"),
            ("same", "s"),
            ("was-folder", "now a file"),
            ("was-file/x", "x"),
            ("was-link/y", "y"),
            (".fanignore", "uploads/\n"),
        ];
        plant(&case.here("site"), &ours);
        let theirs = [
            ("index", "old"),
            ("same", "s"),
            ("was-folder/deep/z", "z"),
            ("was-file", "file"),
            ("was-link -> same", ""),
            ("extra/deep/e", "e"),
            ("gone", "g"),
            ("keep.log", "excluded"),
            ("old/keep.log", "excluded"),
            ("old/x", "x"),
            ("uploads/cat.jpg", "a user's"),
        ];
        plant(&case.there("www"), &theirs);
        mode(&case.there("www/same"), 0o600);
        let (www, sync) = (case.at("www"), ["sync", "--skip", "*.log", "site", &case.at("www")]);
        let before = fingerprint(&case.there(""));
        let failed = case.call(&sync).failed();
        assert!(failed.contains("use `sync` with `delete: true`"), "{failed}");
        assert_eq!(fingerprint(&case.there("")), before);

        let delete = ["sync", "--delete", "--skip", "*.log", "site/", &www];
        case.call(&delete).changed();
        assert_eq!(
            names(&case.there("www")),
            [
                "index",
                "keep.log",
                "old",
                "old/keep.log",
                "same",
                "uploads",
                "uploads/cat.jpg",
                "was-file",
                "was-file/x",
                "was-folder",
                "was-link",
                "was-link/y",
            ]
        );
        assert_eq!(tree(&case.there("www"))["same"], "644 s");
        assert_eq!(tree(&case.there("www"))["index"], "644 new");
        case.call(&delete).ok();
        // What is left out is not removed with a folder that is in the way, either.
        plant(&case.here("site"), &[("old", "a file now")]);
        let before = fingerprint(&case.there(""));
        let failed = case.call(&delete).failed();
        assert!(failed.contains("old/keep.log"), "{failed}");
        assert_eq!(fingerprint(&case.there("")), before);
    });
}

#[test]
fn a_dry_run_touches_nothing() {
    each_way(|case| {
        plant(
            &case.here(""),
            &[("a", "new\n"), ("dist/a", "a"), ("dist/new/b", "b"), ("t.j2", "{{ host }}\n")],
        );
        plant(&case.there(""), &[("a", "old\n"), ("www/a", "x"), ("www/extra/e", "e"), ("lines", "one\n")]);
        let (before, ours) = (fingerprint(&case.there("")), fingerprint(&case.here("dist")));
        let steps = [
            "put: a, to: 'THERE/a', mode: 600, backup: true, validate: 'touch THERE/no; test -f %s'",
            "put: a, to: THERE/new/folder/",
            "put: dist, to: THERE/new",
            "sync: dist, to: THERE/www, delete: true, mode: 600",
            "template: t.j2, to: THERE/t",
            "file: THERE/f",
            "file: THERE/d/e, state: directory",
            "file: THERE/l, state: link, target: a",
            "file: THERE/www, state: absent, recurse: true",
            "line: two, in: THERE/lines",
            "get: THERE/a, to: got",
            "get: THERE/www, to: gotten/",
            "run: touch THERE/no",
            "local: touch no",
        ];
        let ended = case.steps(&steps, &["--dry-run", "--diff"]);
        for ended in &ended[..10] {
            ended.changed();
        }
        let notes: Vec<&str> = ended.iter().map(|ended| ended.note()).collect();
        assert_eq!(notes[0], "1 would be sent");
        assert_eq!(notes[2], "2 would be sent");
        assert_eq!(notes[3], "2 would be sent, 2 would be removed");
        assert_eq!(notes[10..12], ["1 would be fetched", "2 would be fetched"]);
        assert_eq!(notes[13], "not run: what a command would change is unknown");
        let difference = |at: usize| ended[at].outcome.difference.clone().unwrap().replace(&case.at(""), "");
        assert_eq!(difference(0), "--- a\n+++ a\n@@ -1 +1 @@\n-old\n+new\n");
        assert_eq!(difference(3), "+ www/a\n- www/extra\n- www/extra/e\n+ www/new\n+ www/new/b\n");
        assert_eq!(difference(4), "--- /dev/null\n+++ t\n@@ -0,0 +1 @@\n+h1\n");
        assert_eq!(difference(9), "--- lines\n+++ lines\n@@ -1 +1,2 @@\n one\n+two\n");
        assert_eq!(fingerprint(&case.there("")), before);
        assert_eq!(fingerprint(&case.here("dist")), ours);
        assert!(!["got", "gotten", "no"].iter().any(|name| case.here(name).exists()));
    });
}

#[test]
fn taking_the_old_ones_place() {
    each_way(|case| {
        plant(&case.here(""), &[("a", "new\n"), ("b", "newer\n"), ("bad", "bad\n")]);
        plant(&case.there(""), &[("a", "old\n")]);
        mode(&case.there("a"), 0o640);
        let ended = case.steps(
            &[
                "put: a, to: THERE/a, backup: true, register: first",
                "put: b, to: THERE/a, backup: true, register: second",
                "put: b, to: THERE/a, backup: true, register: third",
                "echo: '{{ first.backup }} {{ second.backup }} {{ third.backup is none }}'",
            ],
            &["--diff"],
        );
        ended[1].changed();
        ended[2].ok();
        let kept: Vec<&str> = ended[3].note().split(' ').collect();
        assert_eq!(fs::read_to_string(kept[0]).unwrap(), "old\n", "{kept:?}");
        assert_eq!(fs::read_to_string(kept[1]).unwrap(), "new\n", "{kept:?}");
        assert_eq!(kept[2], "true");
        assert_eq!(mode_of(kept[0].as_ref()), 0o640);
        let name = kept[0].strip_prefix(&case.at("")).unwrap();
        assert!(name.starts_with("a.20") && name.ends_with("Z~"), "{name}");
        assert!(ended[0].note().ends_with(&format!("the old one is {}", kept[0])));
        assert_eq!(ended[0].outcome.difference.as_ref().unwrap().lines().count(), 5);

        let before = fingerprint(&case.there(""));
        // A value that spells `%s` is no place for the file.
        let validate = "validate: 'echo looked at; test {{ [\"%\", \"s\"] | join }} = \"%\"s && grep -q new %s && test {{ host }} = h1'";
        let put = format!("put: bad, to: THERE/a, {validate}");
        let failed = case.steps(&[&put], &[])[0].failed();
        assert_eq!(
            failed,
            "validation: `validate` failed (exit status 1): looked at (the old content is unchanged)"
        );
        let after = fingerprint(&case.there(""));
        let all = before.len() - 1; // the last one is the folder itself, whose time is another one
        assert_eq!(after[..all], before[..all]);
        let put = format!("put: a, to: THERE/a, {validate}");
        case.steps(&[&put], &[])[0].changed();
        assert_eq!(fs::read_to_string(case.there("a")).unwrap(), "new\n");
    });
}

#[test]
fn a_local_step_makes_what_is_sent() {
    each_way(|case| {
        let ended = case.steps(
            &[
                "local: 'mkdir -p made && echo {{ host }} > made/file'",
                "put: 'made/*', to: THERE/, register: sent",
                "put: 'made/*', to: THERE/, register: again",
                "echo: '{{ sent.changed }} {{ sent.sent }} {{ sent.unchanged }} {{ sent.removed }} {{ sent.bytes }}'",
                "assert: sent.changes | length == 1 and again.bytes == 0 and again.unchanged == 1 and again.ok",
            ],
            &[],
        );
        assert_eq!(ended[3].note(), "true 1 0 0 3");
        ended[4].ok();
        assert_eq!(fs::read_to_string(case.there("file")).unwrap(), "h1\n");
    });
}

#[test]
fn twenty_megabytes_each_way() {
    each_way(|case| {
        let mut state = 1_u64;
        let mut noise = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 32).to_le_bytes()
        };
        let content: Vec<u8> = (0..20 * 1024 * 1024 / 8 + 1).flat_map(|_| noise()).collect();
        fs::write(case.here("big"), &content).unwrap();
        let ended = case.steps(&["put: big, to: THERE/big", "get: THERE/big, to: back"], &[]);
        assert_eq!((ended[0].changed(), ended[1].ok()), ("1 sent", "1 got"));
        assert!(fs::read(case.there("big")).unwrap() == content);
        assert!(fs::read(case.here("back")).unwrap() == content);
    });
}

#[test]
fn thirty_hosts_at_once() {
    let sshd = Sshd::builder().max_startups("100").start();
    let fan = Fan::new();
    let mut inventory = inventory_defaults(sshd.user(), &sshd.identity(), &sshd.known_hosts());
    inventory += &format!("  port: {}\nhosts:\n  c[1-30]: {{address: 127.0.0.1}}\n", sshd.port());
    let fan = fan.file("inventory.yaml", inventory).file("a", vec![b'x'; 600_000]);
    let there = tempfile::tempdir().unwrap();
    let to = format!("{}/{{host}}/", there.path().display());
    for (changed, note) in [(true, "1 sent"), (false, "1 unchanged")] {
        let ran = fan.run(["put", "-H", "all", "a", &to]);
        assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
        // A few by name, the others together; and all in the recap.
        assert!((4..=10).contains(&ran.stderr.matches(note).count()), "{changed}: {}", ran.snapshot());
        assert!(ran.stderr.contains("30 ok"), "{changed}: {}", ran.snapshot());
    }
    assert_eq!(names(there.path()).len(), 60);
    assert!((1..=30).all(|host| fs::read(there.path().join(format!("c{host}/a"))).unwrap().len() == 600_000));
}

#[test]
fn what_the_screen_shows() {
    let servers = crate::fixtures::ways::Servers::start();
    let case: Case = servers.case(Way::Sftp);
    plant(&case.here(""), &[("app.conf", "port 80\nuser www\n"), ("dist/a", "a"), ("dist/b", "b")]);
    plant(&case.there(""), &[("app.conf", "port 8080\nuser www\n"), ("www/a", "a"), ("www/old", "o")]);
    let there = case.at("");
    let calls: [&[&str]; 5] = [
        &["put", "-H", "h1", "app.conf", &there, "--diff", "--dry-run"],
        &["put", "-H", "h1", "app.conf", &there, "--diff"],
        &["put", "-H", "h1", "app.conf", &there],
        &["sync", "-H", "h1", "dist", &case.at("www"), "--delete", "--diff"],
        &["put", "-H", "h1", "app.conf", &case.at("no/such/folder")],
    ];
    let shown: String = calls.iter().map(|words| case.fan.run(*words).snapshot()).collect();
    insta::assert_snapshot!(stable(&shown, &[]), @"
    exit code: 0
    --- stderr
    h1 | --- <there>/app.conf
    h1 | +++ <there>/app.conf
    h1 | @@ -1,2 +1,2 @@
    h1 | -port 8080
    h1 | +port 80
    h1 |  user www
    h1: 1 would be sent
    put app.conf → <there>/ · h1 · 1 ok  <time>
      h1  ok
    dry run: h1 would change
    exit code: 0
    --- stderr
    h1 | --- <there>/app.conf
    h1 | +++ <there>/app.conf
    h1 | @@ -1,2 +1,2 @@
    h1 | -port 8080
    h1 | +port 80
    h1 |  user www
    h1: 1 sent
    put app.conf → <there>/ · h1 · 1 ok  <time>
      h1  ok
    exit code: 0
    --- stderr
    h1: 1 unchanged
    put app.conf → <there>/ · h1 · 1 ok  <time>
      h1  ok
    exit code: 0
    --- stderr
    h1 | + <there>/www/b
    h1 | - <there>/www/old
    h1: 1 sent, 1 removed, 1 unchanged
    sync dist → <there>/www · h1 · 1 ok  <time>
      h1  ok
    exit code: 1
    --- stderr
    h1: the folder <there>/no/such is missing [remote_path]
    put app.conf → <there>/no/such/folder · h1 · 1 failed  <time>
      h1  failed

    h1: the folder <there>/no/such is missing [remote_path]
    hint: create it first: `file: <there>/no/such` with `state: directory`, or `mkdir -p`
    ");
}
