//! That steps which look after files of a host do what docs/files.md says, on every way. `ways` has the ways.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown, symlink};

use crate::fixtures::ways::{
    NO_SFTP, Servers, Way, age, each_way, fingerprint, is_root, mode, mode_of, names, plant,
};

/// Each step changes something once, and nothing after that.
#[test]
fn twice_is_once() {
    each_way(|case| {
        plant(
            &case.there(""),
            &[
                ("f", "keep"),
                ("full/a/b", ""),
                ("full2/a", ""),
                ("hollow/", ""),
                ("l -> full2", ""),
                ("conf", "#Port 22\nPort 23\nMatch x\n"),
            ],
        );
        plant(&case.here(""), &[("t.conf.j2", "{{ host }} {{ 'é' }} {{ a }}\n{% if true %}x{% endif %}")]);
        mode(&case.here("t.conf.j2"), 0o640);
        let steps = [
            "file: THERE/new",
            "file: THERE/f, mode: 600",
            "file: THERE/d/e/f, state: directory, mode: 2750",
            "file: THERE/l, state: link, target: full",
            "file: THERE/l2, state: link, target: 'it''s {{ host }}'",
            "file: THERE/full, state: absent, recurse: true",
            "file: THERE/hollow, state: absent",
            "file: THERE/l2, state: absent, when: host == 'nobody'",
            "template: t.conf.j2, to: THERE/tt/, env: {}",
            "line: Port 2222, in: THERE/conf, match: '^#?Port\\s', backup: true",
            "line: 'User {{ host }}', in: THERE/conf, before: ^Match",
            "line: First, in: THERE/conf, at: start",
            "line: Second, in: THERE/conf, after: ^First",
            "line: Last, in: THERE/conf, validate: 'grep -q Last %s'",
            "line: 'Match x', in: THERE/conf, state: absent",
            "line: one, in: THERE/made, create: true, mode: 600",
        ];
        let steps: Vec<String> = steps.iter().map(|step| step.replace(", env: {}", "")).collect();
        let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
        let flags = ["-e", "a=$(id)"];
        for (round, ended) in [case.steps(&steps, &flags), case.steps(&steps, &flags)].iter().enumerate() {
            for (step, ended) in steps.iter().zip(ended) {
                let skipped = step.contains("nobody");
                let word = if skipped { "skipped" } else { ["changed", "ok"][round] };
                assert_eq!(ended.outcome.status.to_string(), word, "{step}: {ended:?}");
            }
        }
        let read = |name: &str| fs::read_to_string(case.there(name)).unwrap();
        assert_eq!(read("conf"), "First\nSecond\n#Port 22\nPort 2222\nUser h1\nLast\n");
        assert_eq!(read("tt/t.conf"), "h1 é $(id)\nx");
        assert_eq!((read("f"), read("new"), read("made")), ("keep".into(), "".into(), "one\n".into()));
        assert_eq!(mode_of(&case.there("tt/t.conf")), 0o640);
        assert_eq!(mode_of(&case.there("new")), 0o644);
        assert_eq!((mode_of(&case.there("f")), mode_of(&case.there("made"))), (0o600, 0o600));
        assert_eq!(mode_of(&case.there("d/e/f")), 0o2750);
        for made in ["d", "d/e", "tt"] {
            assert_eq!(mode_of(&case.there(made)), 0o755, "{made}: the umask of the login counts");
        }
        assert_eq!(fs::read_link(case.there("l")).unwrap().to_str(), Some("full"));
        assert_eq!(fs::read_link(case.there("l2")).unwrap().to_str(), Some("it's h1"));
        assert_eq!(names(&case.there("full2")), ["a"], "a link to it was given another target");
        assert!(!case.there("full").exists() && !case.there("hollow").exists());
    });
}

#[test]
fn what_would_lose_something_is_refused() {
    each_way(|case| {
        let files = [("f", "f"), ("d/x", "x"), ("l -> d", ""), ("conf", "a\n"), ("latin", "")];
        plant(&case.there(""), &files);
        fs::write(case.there("latin"), b"caf\xe9\n").unwrap();
        let before = fingerprint(&case.there(""));
        let refused = [
            (
                "file: THERE/f, state: directory",
                "f is a file, not a folder (remove it first: `state: absent`)",
            ),
            ("file: THERE/f, state: link, target: d", "f is a file, not a link"),
            ("file: THERE/d, state: link, target: f", "d is a folder, not a link"),
            ("file: THERE/d", "d is a folder, not a file"),
            ("file: THERE/d, state: absent", "d is not empty (`recurse: true` removes its contents too)"),
            ("file: THERE/none/f", "none is missing"),
            ("file: '~', state: absent, recurse: true", "never removed"),
            ("line: x, in: THERE/none", "no such file"),
            ("line: x, in: THERE/d", "d is a folder, not a file"),
            ("line: x, in: THERE/latin", "latin is not UTF-8 text"),
            ("line: b, in: THERE/conf, validate: 'false %s'", "`validate` failed"),
            ("ls: THERE/none", "no such file or folder"),
        ];
        let steps: Vec<String> = refused.iter().map(|(step, _)| format!("{step}, warn_only: true")).collect();
        let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
        for ((step, words), ended) in refused.iter().zip(case.steps(&steps, &[])) {
            let failed = ended.failed();
            assert!(failed.contains(words), "{step}: {failed}");
        }
        let all = before.len() - 1; // the last one is the folder itself: a temporary file came and went
        assert_eq!(fingerprint(&case.there(""))[..all], before[..all]);
    });
}

#[test]
fn links_to_files_that_are_tended_stay_links() {
    each_way(|case| {
        plant(&case.there(""), &[("real/conf", "a\n"), ("conf -> real/conf", "")]);
        mode(&case.there("real/conf"), 0o640);
        if is_root() {
            chown(case.there("real/conf"), Some(1234), Some(4321)).unwrap();
        }
        let steps = ["line: b, in: THERE/conf", "file: THERE/conf, mode: 600"];
        for ended in case.steps(&steps, &[]) {
            ended.changed();
        }
        assert!(case.there("conf").is_symlink());
        assert_eq!(names(&case.there("real")), ["conf"]);
        let about = fs::metadata(case.there("real/conf")).unwrap();
        assert_eq!(
            (fs::read_to_string(case.there("conf")).unwrap().as_str(), about.mode() & 0o7777),
            ("a\nb\n", 0o600)
        );
        if is_root() {
            assert_eq!((about.uid(), about.gid()), (1234, 4321));
        }
    });
}

#[test]
fn what_a_link_leads_to_is_tended_and_not_the_link() {
    each_way(|case| {
        plant(
            &case.there(""),
            &[("d/x", "x"), ("f", "f"), ("ld -> d", ""), ("lf -> f", ""), ("lost -> nothing", "")],
        );
        let mut steps = vec![
            "file: THERE/ld, state: directory, mode: 710",
            "file: THERE/lf, mode: 604",
            "stat: THERE/ld",
        ];
        if is_root() {
            steps.extend([
                "file: THERE/ld, state: directory, owner: 1234",
                "file: THERE/lf, owner: 1234, group: 4321",
            ]);
        }
        for (round, ended) in [case.steps(&steps, &[]), case.steps(&steps, &[])].iter().enumerate() {
            for (step, ended) in steps.iter().zip(ended) {
                let word = if round == 1 || step.starts_with("stat:") { "ok" } else { "changed" };
                assert_eq!(ended.outcome.status.to_string(), word, "{step}: {ended:?}");
            }
        }
        assert_eq!((mode_of(&case.there("d")), mode_of(&case.there("f"))), (0o710, 0o604));
        assert!(case.there("ld").is_symlink() && case.there("lf").is_symlink());
        if is_root() {
            let owner = |name: &str| fs::symlink_metadata(case.there(name)).unwrap().uid();
            assert_eq!((owner("d"), owner("f")), (1234, 1234));
            assert_ne!((owner("ld"), owner("lf")), (1234, 1234), "the links are as they were");
        }
        for state in ["present", "directory"] {
            let step = format!("file: THERE/lost, state: {state}, mode: 700");
            let ended = case.steps(&[&step], &[]);
            let failed = ended[0].failed();
            assert!(failed.contains("lost is a link to nothing, which does not exist"), "{failed}");
        }
        for ended in case.steps(&["file: THERE/lf, state: absent", "file: THERE/lost, state: absent"], &[]) {
            ended.changed();
        }
        assert_eq!(names(&case.there("")), ["d", "d/x", "f", "ld"], "links go, and what they lead to stays");
    });
}

#[test]
fn looking_registers_what_is_there() {
    each_way(|case| {
        plant(&case.there(""), &[("d/f", "four"), ("d/l -> f", ""), ("d/x\ny", ""), ("gone -> nothing", "")]);
        mode(&case.there("d/f"), 0o4640);
        age(&case.there("d/f"), 1_000_000_000);
        symlink("d", case.there("ld")).unwrap();
        let before = fingerprint(&case.there(""));
        let steps = [
            "stat: THERE/d/f, register: f",
            "stat: THERE/ld, register: l",
            "stat: THERE/none, register: missing",
            "stat: THERE/gone, register: gone",
            "ls: THERE/d, register: d",
            "ls: THERE/d/l, register: one",
            "echo: '{{ f.exists }} {{ f.kind }} {{ f.size }} {{ f.mode }} {{ f.mtime }} {{ f.is_file }} {{ f.is_folder }}'",
            "echo: '{{ l.kind }} {{ l.target }} {{ l.is_folder }} {{ missing.exists }} {{ gone.exists }} {{ gone.is_file }}'",
            "echo: '{{ d.entries | map(attribute=\"name\") | join(\"|\") }} {{ d.entries[1].target }} {{ one.entries[0].size }}'",
        ];
        let ended = case.steps(&steps, &[]);
        for ended in &ended {
            ended.ok();
        }
        assert_eq!(ended[6].note(), "true file 4 4640 1000000000 true false");
        assert_eq!(ended[7].note(), "link d true false true false");
        assert_eq!(ended[8].note(), "f|l|x\ny f 4");
        assert_eq!(fingerprint(&case.there("")), before);
        let path = case.at("d/f");
        assert_eq!(ended[0].note(), format!("{path} is a file"));
        assert_eq!(ended[2].note(), format!("{} is not there", case.at("none")));

        let ls = case.call(&["ls", &case.at("d")]);
        let lines: Vec<&str> = ls.stdout.lines().collect();
        assert_eq!(lines.len(), 3, "{lines:?}: a name cannot make a line of its own");
        assert!(lines[0].starts_with("-rwS"), "{lines:?}");
        assert!(lines[0].ends_with(" 4 2001-09-09T01:46:40Z f"), "{lines:?}");
        assert!(lines[1].ends_with(" l -> f") && lines[2].ends_with(" x\\ny"), "{lines:?}");
    });
}

#[test]
fn the_home_of_this_machine() {
    let case = Servers::start().case(Way::Local);
    for ended in case.steps(&["file: ~/a, cd: THERE", "file: '~/d/e/', state: directory", "ls: '~'"], &[]) {
        assert_ne!(ended.outcome.status.to_string(), "failed", "{ended:?}");
    }
    // Beside the journal of the run.
    let mut there = names(&case.fan.home());
    there.retain(|name| !name.starts_with(".local"));
    assert_eq!(there, ["a", "d", "d/e"]);
}

#[test]
fn relative_paths_begin_in_cd() {
    each_way(|case| {
        plant(&case.here(""), &[("a", "a")]);
        plant(&case.there(""), &[("in/", "")]);
        let steps = [
            "put: a, to: b, cd: THERE/in",
            "file: ./c, cd: THERE/in/",
            "line: x, in: b, cd: THERE/in",
            "get: b, to: back, cd: THERE/in",
        ];
        for ended in &case.steps(&steps, &[])[..3] {
            ended.changed();
        }
        assert_eq!(names(&case.there("in")), ["b", "c"]);
        assert_eq!(fs::read_to_string(case.here("back")).unwrap(), "a\nx\n");
    });
}

/// The ways differ in nothing that a task sees, but it is said that one of them is slower.
#[test]
fn a_server_without_sftp_is_named_once() {
    each_way(|case| {
        let ended = case.steps(&["file: THERE/a", "file: THERE/b", "stat: THERE/b"], &[]);
        let said: Vec<bool> = ended
            .iter()
            .map(|ended| ended.outcome.note.as_deref().is_some_and(|note| note.ends_with(NO_SFTP)))
            .collect();
        assert_eq!(said, [case.way == Way::Commands, false, false]);
    });
}
