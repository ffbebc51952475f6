//! Files that cannot be replaced, because they are mounts of their own: what is said, and what `in_place` does.

use std::fs;

use crate::fixtures::sshd::Sshd;
use crate::fixtures::support::Fan;

const SUDOERS: &str = "root ALL=(ALL) ALL\nfan-free ALL=(ALL) NOPASSWD: ALL\n";

fn sshd() -> Sshd {
    Sshd::builder()
        .stranger("pw")
        .login_shells(&[("free", "/bin/sh")])
        .etc("/etc/sudoers", SUDOERS)
        .mounted("hosts", "old\n")
        .start()
}

#[test]
fn a_mounted_file_is_written_into_and_replacing_it_says_how() {
    let sshd = sshd();
    let path = sshd.home().join("hosts");
    let there = || fs::read_to_string(&path).unwrap();
    let beside = || {
        let mut names: Vec<_> =
            fs::read_dir(sshd.home()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = beside();
    // Over SFTP as the user who logs in, and over commands by sudo.
    for (sudo, login) in [("", sshd.user().to_owned()), (", sudo: true", "fan-free".to_owned())] {
        fs::write(&path, "old\n").unwrap();
        let to = path.display();
        let tasks = format!(
            "tasks:\n  replace:\n    - {{put: new, to: {to}{sudo}}}\n  write:\n    - {{put: new, to: {to}, in_place: true{sudo}}}\n  \
             refuse:\n    - {{put: new, to: {to}, in_place: true, validate: \"false %s\"{sudo}}}\n  \
             keep:\n    - {{put: newer, to: {to}, in_place: true, backup: true, mode: \"0600\"{sudo}}}\n  \
             fresh:\n    - {{put: new, to: {to}.fresh, in_place: true{sudo}}}\n"
        );
        let inventory = sshd.inventory_yaml(0) + &format!("  h1: {{address: 127.0.0.1, user: {login}}}\n");
        let long = "line\n".repeat(100_000);
        let fan = Fan::new()
            .file("inventory.yaml", inventory)
            .file("tasks.yaml", tasks)
            .file("new", "new\n")
            .file("newer", &long);
        let run = |task: &str| fan.run(["run", task, "-H", "h1"]);
        let ran = run("replace");
        assert_eq!(ran.code, Some(1), "{}", ran.snapshot());
        assert!(ran.stderr.contains("in_place: true"), "{}", ran.snapshot());
        assert!(ran.stderr.contains("mount of its own") || ran.stderr.contains("busy"), "{}", ran.snapshot());
        assert_eq!((there(), beside()), ("old\n".to_owned(), before.clone()));
        let ran = run("refuse");
        assert_eq!(
            (ran.code, there(), beside()),
            (Some(1), "old\n".to_owned(), before.clone()),
            "{}",
            ran.snapshot()
        );
        let ran = run("write");
        assert_eq!(
            (ran.code, there(), beside()),
            (Some(0), "new\n".to_owned(), before.clone()),
            "{}",
            ran.snapshot()
        );
        let ran = run("write");
        assert!(ran.stderr.contains("0 changed") || !ran.stderr.contains("1 changed"), "{}", ran.snapshot());
        let ran = run("keep");
        assert_eq!((ran.code, there()), (Some(0), long), "{}", ran.snapshot());
        let kept: Vec<_> = beside().into_iter().filter(|name| !before.contains(name)).collect();
        assert_eq!(kept.len(), 1, "{kept:?}");
        assert_eq!(fs::read_to_string(sshd.home().join(&kept[0])).unwrap(), "new\n");
        fs::remove_file(sshd.home().join(&kept[0])).unwrap();
        let fresh = sshd.home().join("hosts.fresh");
        let ran = run("fresh");
        assert_eq!(
            (ran.code, fs::read_to_string(&fresh).unwrap()),
            (Some(0), "new\n".to_owned()),
            "{}",
            ran.snapshot()
        );
        fs::remove_file(fresh).unwrap();
        let ran = fan.run(["put", "--in-place", "-H", "h1", "new", &to.to_string()]);
        let allowed = sudo.is_empty();
        assert_eq!(ran.code == Some(0), allowed, "{}", ran.snapshot());
    }
}
